//! Everything that INPUT names, listed whole and in order before the first read (SPEC 5, input order; SPEC 11).

use super::cut;
use super::feed::Seen;
use super::fold::Tally;
use super::work::Task;
use crate::command::stores::Stores;
use crate::config::shard::Shard;
use crate::config::uri::NumberRange;
use crate::config::{Config, Input as Named};
use crate::digest::{Sha256, sha256};
use crate::error::{Error, Result};
use crate::gzip::Compression;
use crate::log::Event;
use crate::manifest::{self, Bound, InputLine, Inputs as Totals, ReadTo};
use crate::source::{Place, Span};
use crate::store::Entry;
use crate::store::inputs::Inputs;
use crate::supervise::Context;

/// The whole input, listed.
pub(super) struct Listing {
    pub(super) inputs: Inputs,
    range: Option<NumberRange>,
    /// What of it this run reads.
    pub(super) span: Span,
    /// Of the span, but for the digest.
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
            Named::Range(range) => Self::of_range(*range, config.shard),
            Named::Feeds(_) => return Err(no_feeds()),
            Named::Objects { uris, format, .. } => {
                let named = uris
                    .iter()
                    .map(|uri| stores.input(uri))
                    .collect::<Result<Vec<_>>>()?;
                let inputs = Inputs::list(named, &task.budget, &context.stop)?;
                let span = cut::span(&inputs, format, config.shard, &context.stop)?;
                Self::of_inputs(inputs, span)
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

    fn of_inputs(inputs: Inputs, span: Span) -> Self {
        let mut hash = Sha256::new();
        let mut bytes = 0_u64;
        let spanned = span.inputs();
        for (number, input) in inputs.iter().enumerate() {
            let Entry {
                bytes: size, etag, ..
            } = input.entry;
            hash.update(format!("{}\t{size}\t{etag}\n", input.uri()).as_bytes());
            if spanned.contains(&number) {
                let part = span.part(number, *size);
                bytes = bytes.saturating_add(part.end - part.start);
            }
        }
        let totals = Totals {
            count: u64::try_from(spanned.len()).unwrap_or(u64::MAX),
            bytes,
            listing_sha256: hash.finish(),
        };
        Self {
            inputs,
            range: None,
            span,
            totals,
        }
    }

    fn of_range(range: NumberRange, shard: Option<Shard>) -> Self {
        let span = cut::span_of_range(range.start.abs_diff(range.end), shard);
        let totals = Totals {
            count: u64::try_from(span.inputs().len()).unwrap_or(u64::MAX),
            bytes: 0,
            listing_sha256: sha256(format!("{range}\n").as_bytes()),
        };
        Self {
            inputs: Inputs::none(),
            range: Some(range),
            span,
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

    /// Whether this run reads the input of that number from its start, so that it knows the numbers of its records.
    pub(super) fn counts_records_of(&self, number: usize) -> bool {
        let from = self.span.from;
        number != from.input || from.offset == 0
    }

    /// What the manifest says of the part that `shard` read.
    pub(super) fn shard(&self, shard: Shard) -> manifest::Shard {
        let bound = |place: Place| Bound {
            input: u64::try_from(place.input).unwrap_or(u64::MAX),
            offset: place.offset,
        };
        manifest::Shard {
            i: shard.index,
            n: shard.count,
            began: bound(self.span.from),
            ended: bound(self.span.to),
        }
    }

    /// The lines of inputs.ndjson.gz.
    pub(super) fn lines<'a>(
        &'a self,
        seen: &'a [Seen],
        tally: &'a Tally,
    ) -> impl Iterator<Item = InputLine> + 'a {
        let first = self.span.from.input;
        self.span.inputs().map(move |number| {
            let entry = self.inputs.get(number).map(|input| input.entry);
            let etag = entry.map(|entry| &entry.etag);
            let seen = seen.get(number - first);
            let records = tally.read.get(number).copied().unwrap_or_default();
            InputLine {
                uri: self.uri(number),
                version_id: seen.and_then(|seen| seen.version_id.as_deref().map(str::to_owned)),
                etag: etag
                    .filter(|etag| !etag.is_empty())
                    .map(|etag| etag.to_string()),
                bytes: entry.map(|entry| entry.bytes),
                compression: seen
                    .map_or(Compression::None.name(), |seen| seen.compression)
                    .into(),
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
