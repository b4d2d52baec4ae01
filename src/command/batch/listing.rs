//! Everything that INPUT names, listed whole and in order before the first read (SPEC 5, input order; SPEC 11).

use std::sync::Arc;

use super::feed::Seen;
use super::fold::{Tally, past_memory};
use super::work::Task;
use crate::command::stores::Stores;
use crate::config::uri::NumberRange;
use crate::config::{Config, Input as Named};
use crate::digest::{Sha256, sha256};
use crate::error::Result;
use crate::gzip::Compression;
use crate::log::Event;
use crate::manifest::{InputLine, Inputs, ReadTo};
use crate::store::inputs::{self, Input};
use crate::supervise::Context;

/// The whole input, listed.
pub(super) struct Listing {
    /// Empty for a range.
    pub(super) inputs: Vec<Input>,
    pub(super) uris: Vec<Arc<str>>,
    pub(super) totals: Inputs,
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
            Named::Objects { uris, .. } => {
                let stores = uris
                    .iter()
                    .map(|uri| stores.input(uri))
                    .collect::<Result<Vec<_>>>()?;
                Self::of_inputs(inputs::list(&stores, &context.stop)?)
            }
        };
        let Inputs { count, bytes, .. } = listing.totals;
        task.budget
            .charge(listing.held_bytes())
            .map_err(|exceeded| past_memory("the listing of the inputs", count, exceeded))?;
        let noun = if count == 1 { "input" } else { "inputs" };
        let text = format!("reading {count} {noun} of {bytes} bytes");
        let mut event = Event::info("input", text).with("inputs", count);
        let markers = stores.markers();
        if markers > 0 {
            event = event.with("directory_markers_skipped", markers);
        }
        context.log.event(&event.with("bytes", bytes));
        Ok(listing)
    }

    fn held_bytes(&self) -> u64 {
        let names: usize = self.uris.iter().map(|uri| 2 * uri.len()).sum();
        let held = names + self.inputs.len() * size_of::<Input>();
        u64::try_from(held).unwrap_or(u64::MAX)
    }

    fn of_inputs(inputs: Vec<Input>) -> Self {
        let mut hash = Sha256::new();
        let mut bytes = 0_u64;
        let mut uris = Vec::with_capacity(inputs.len());
        for input in &inputs {
            let uri = input.uri();
            hash.update(format!("{uri}\t{}\t{}\n", input.entry.bytes, input.entry.etag).as_bytes());
            bytes = bytes.saturating_add(input.entry.bytes);
            uris.push(Arc::from(uri));
        }
        let count = u64::try_from(inputs.len()).unwrap_or(u64::MAX);
        let totals = Inputs {
            count,
            bytes,
            listing_sha256: hash.finish(),
        };
        Self {
            inputs,
            uris,
            totals,
        }
    }

    fn of_range(range: NumberRange) -> Self {
        let uri = range.to_string();
        let listing_sha256 = sha256(format!("{uri}\n").as_bytes());
        let totals = Inputs {
            count: 1,
            bytes: 0,
            listing_sha256,
        };
        Self {
            inputs: Vec::new(),
            uris: vec![Arc::from(uri)],
            totals,
        }
    }

    /// The lines of inputs.ndjson.gz.
    pub(super) fn lines<'a>(
        &'a self,
        seen: &'a [Seen],
        tally: &'a Tally,
    ) -> impl Iterator<Item = InputLine> + 'a {
        self.uris.iter().enumerate().map(move |(number, uri)| {
            let entry = self.inputs.get(number).map(|input| &input.entry);
            let seen = seen.get(number);
            let records = tally.read.get(number).copied().unwrap_or_default();
            InputLine {
                uri: uri.to_string(),
                version_id: seen.and_then(|seen| seen.version_id.clone()),
                etag: entry.map(|entry| entry.etag.clone()),
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
