//! Everything that INPUT names, listed whole and in order before the first read (SPEC 5, input order; SPEC 11).

use super::feed::Seen;
use super::fold::Tally;
use super::work::Task;
use crate::command::stores::Stores;
use crate::config::uri::NumberRange;
use crate::config::{Config, Input as Named};
use crate::digest::{Sha256, sha256};
use crate::error::{Error, Result};
use crate::gzip::Compression;
use crate::log::Event;
use crate::manifest::{InputLine, Inputs as Totals, ReadTo};
use crate::store::Entry;
use crate::store::inputs::Inputs;
use crate::supervise::Context;

/// The whole input, listed.
pub(super) struct Listing {
    pub(super) inputs: Inputs,
    range: Option<NumberRange>,
    pub(super) totals: Totals,
}

impl Listing {
    /// Lists the input, charges it as state, and tells the log.
    ///
    /// Errors: 66 where INPUT names nothing, or an object twice; 65 past the limits of SPEC 11; the stores' own.
    pub(super) fn take(
        context: &Context,
        config: &Config,
        stores: &Stores,
        task: &Task,
    ) -> Result<Self> {
        let listing = match &config.input {
            Named::Range(range) => Self::of_range(*range),
            Named::Feeds(_) => return Err(no_feeds()),
            Named::Objects { uris, .. } => {
                let named = uris
                    .iter()
                    .map(|uri| stores.input(uri))
                    .collect::<Result<Vec<_>>>()?;
                Self::of_inputs(Inputs::list(named, &task.budget, &context.stop)?)
            }
        };
        let Totals { count, bytes, .. } = listing.totals;
        let noun = if count == 1 { "input" } else { "inputs" };
        let text = format!("reading {count} {noun} of {bytes} bytes");
        let event = Event::info("input", text).with("inputs", count);
        let event = event.with("bytes", bytes);
        context
            .log
            .event(&event.with("directory_markers_skipped", stores.markers()));
        Ok(listing)
    }

    fn of_inputs(inputs: Inputs) -> Self {
        let mut hash = Sha256::new();
        let mut bytes = 0_u64;
        for input in inputs.iter() {
            let Entry {
                bytes: size, etag, ..
            } = input.entry;
            hash.update(format!("{}\t{size}\t{etag}\n", input.uri()).as_bytes());
            bytes = bytes.saturating_add(*size);
        }
        let totals = Totals {
            count: u64::try_from(inputs.len()).unwrap_or(u64::MAX),
            bytes,
            listing_sha256: hash.finish(),
        };
        Self {
            inputs,
            range: None,
            totals,
        }
    }

    fn of_range(range: NumberRange) -> Self {
        let totals = Totals {
            count: 1,
            bytes: 0,
            listing_sha256: sha256(format!("{range}\n").as_bytes()),
        };
        Self {
            inputs: Inputs::none(),
            range: Some(range),
            totals,
        }
    }

    /// How many inputs there are; a range is one.
    pub(super) fn len(&self) -> usize {
        match self.range {
            Some(_) => 1,
            None => self.inputs.len(),
        }
    }

    /// The URI of the input of that number.
    pub(super) fn uri(&self, number: usize) -> String {
        match self.range {
            Some(range) => range.to_string(),
            None => self
                .inputs
                .get(number)
                .map_or_else(String::new, |input| input.uri()),
        }
    }

    /// The lines of inputs.ndjson.gz.
    pub(super) fn lines<'a>(
        &'a self,
        seen: &'a [Seen],
        tally: &'a Tally,
    ) -> impl Iterator<Item = InputLine> + 'a {
        (0..self.len()).map(move |number| {
            let entry = self.inputs.get(number).map(|input| input.entry);
            let etag = entry.map(|entry| &entry.etag);
            let seen = seen.get(number);
            let records = tally.read.get(number).copied().unwrap_or_default();
            InputLine {
                uri: self.uri(number),
                version_id: seen.and_then(|seen| seen.version_id.as_deref().map(str::to_owned)),
                etag: etag
                    .filter(|etag| !etag.is_empty())
                    .map(|etag| etag.to_string()),
                bytes: entry.map(|entry| entry.bytes),
                compression: seen.map_or(Compression::None.name(), |seen| seen.compression),
                records,
                read: if number < tally.whole {
                    ReadTo::Whole
                } else {
                    ReadTo::ToRecord(records)
                },
            }
        })
    }
}

/// What a batch says of feeds, which its configuration refuses.
pub(super) fn no_feeds() -> Error {
    Error::defect("listing the input", "feeds")
}
