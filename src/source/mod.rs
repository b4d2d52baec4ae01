//! The inputs of a run as readers, one object after the other in their order (SPEC 3 and 7, rule 8), and what is fetched
//! ahead of them.
//!
//! Objects that can be read in stretches are cut into segments of [`SEGMENT_BYTES`], small ones whole. Segment *k* of all
//! inputs is fetched by thread *k* mod *n*, which hands it over when all before it have been taken and fetches segment
//! *k* + *n* only then. So many small objects and a big one go equally fast, order costs no buffer, and what is held is
//! a segment a thread and the one being read, whatever the size of the input. Files are read as they are. Nothing here
//! decodes.

mod ahead;
mod span;
#[cfg(test)]
mod tests;

use std::io::Read;

use self::ahead::Ahead;
use crate::error::{Error, Result};
use crate::limits::{BUFFER_PERCENT, FETCHER_BYTES, FETCHERS, SEGMENT_BYTES, WORKER_BYTES};
use crate::stop::Stop;
use crate::store::inputs::Inputs;

pub use self::span::{Place, Span};

/// Opens the inputs of a span, each once, in their order.
pub struct Source<'run> {
    inputs: &'run Inputs,
    span: Span,
    stop: &'run Stop,
    ahead: Option<Ahead<'run>>,
}

/// An input being read.
pub struct Opened<'a> {
    /// The size of the whole input, as it is stored.
    pub bytes: u64,
    /// Where the store keeps versions.
    pub version_id: Option<String>,
    /// The bytes that the span has of it. A read fails with the run's error inside ([`crate::store::lifted`]).
    pub reader: Box<dyn Read + 'a>,
}

/// How many threads fetch ahead: as many as help, fewer where their segments and the buffers of `workers` would together
/// pass 30 % of the memory limit (SPEC 3). None where not even one fits: then objects are read from first byte to last.
#[must_use]
pub fn fetchers(memory_limit_bytes: Option<u64>, workers: usize) -> usize {
    let Some(limit) = memory_limit_bytes else {
        return FETCHERS;
    };
    let share = usize::try_from(limit / 100 * BUFFER_PERCENT).unwrap_or(usize::MAX);
    let held = workers
        .saturating_mul(WORKER_BYTES)
        .saturating_add(SEGMENT_BYTES);
    (share.saturating_sub(held) / FETCHER_BYTES).min(FETCHERS)
}

/// Gives `read` a source of `span` of `inputs`, for which `fetchers` threads fetch ahead. They have ended when this returns,
/// whatever is left to be read.
///
/// # Errors
/// Those of `read`; 74 where no thread can be had.
pub fn with<'run, T>(
    inputs: &'run Inputs,
    span: Span,
    fetchers: usize,
    stop: &'run Stop,
    read: impl FnOnce(&Source<'_>) -> Result<T>,
) -> Result<T> {
    with_segments(SEGMENT_BYTES, inputs, span, fetchers, stop, read)
}

fn with_segments<'run, T>(
    segment_bytes: usize,
    inputs: &'run Inputs,
    span: Span,
    fetchers: usize,
    stop: &'run Stop,
    read: impl FnOnce(&Source<'_>) -> Result<T>,
) -> Result<T> {
    let segment_bytes = u64::try_from(segment_bytes).unwrap_or(u64::MAX);
    let mut spanned = span.inputs().filter_map(|number| inputs.get(number));
    if fetchers == 0 || !spanned.any(|input| input.has_ranges()) {
        return read(&Source {
            inputs,
            span,
            stop,
            ahead: None,
        });
    }
    ahead::with(inputs, span, segment_bytes, fetchers, stop, |ahead| {
        read(&Source {
            inputs,
            span,
            stop,
            ahead: Some(ahead),
        })
    })
}

impl Source<'_> {
    /// Opens the input of that number. Each is opened once, after those before it; what was not read of those is passed
    /// over.
    ///
    /// # Errors
    /// 66 where it is gone or changed; the store's own.
    pub fn open(&self, number: usize) -> Result<Opened<'_>> {
        let input = self.inputs.get(number);
        let input = input.ok_or_else(|| Error::defect("opening", "no such input"))?;
        match &self.ahead {
            Some(ahead) if input.has_ranges() => ahead.open(number),
            Some(_) | None => {
                let bytes = input.entry.bytes;
                let part = self.span.part(number, bytes);
                let opened = input.open_at(part.start, self.stop)?;
                Ok(Opened {
                    bytes,
                    version_id: opened.version_id,
                    // To its end it is read as far as it goes, which must be where it was listed to end.
                    reader: match part.end == bytes {
                        true => opened.reader,
                        false => Box::new(opened.reader.take(part.end - part.start)),
                    },
                })
            }
        }
    }
}
