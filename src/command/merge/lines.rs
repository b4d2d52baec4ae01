//! rejected.ndjson and inputs.ndjson.gz of the shards, put together as one worker writes them. An object that was cut
//! between shards has its records counted through.

use serde::Deserialize;

use super::artifact::{Artifact, malformed};
use super::documents::{Found, Shard};
use crate::command::faults::bad_record;
use crate::command::outputs::Outputs;
use crate::command::rejected::rejected_event;
use crate::config::values::OnBadRecord;
use crate::error::{Error, Place, Result};
use crate::log::Log;
use crate::manifest::{INPUTS, InputLine, REJECTED};
use crate::stop::Stop;

/// The beginning of a line of rejected.ndjson, and what else an error needs of it.
#[derive(Deserialize)]
struct Rejected {
    object: String,
    record: u64,
    offset_bytes: u64,
    column: Option<String>,
    reason: String,
}

/// Shows every input of a shard with its number in the listing.
///
/// # Errors
/// 65 where the artifact is not what a shard writes; those of `show`.
pub(super) fn inputs_of(
    shard: &Shard,
    stop: &Stop,
    show: &mut dyn FnMut(u64, &InputLine) -> Result<()>,
) -> Result<()> {
    let Some(mut artifact) = Artifact::open(shard, INPUTS, stop)? else {
        return Err(malformed(INPUTS, "none", &shard.uri(INPUTS)));
    };
    let mut text = Vec::new();
    let mut number = shard.part.began.input;
    while artifact.line(&mut text)? {
        stop.check()?;
        let line: InputLine = serde_json::from_slice(&text)
            .map_err(|cause| malformed("a line of an input", &cause.to_string(), &artifact.uri))?;
        show(number, &line)?;
        number = number.saturating_add(1);
    }
    Ok(())
}

/// Shows every input of all shards, one that was cut once.
///
/// # Errors
/// As [`inputs_of`].
pub(super) fn inputs(
    found: &Found,
    stop: &Stop,
    show: &mut dyn FnMut(&InputLine) -> Result<()>,
) -> Result<()> {
    let mut last: Option<(u64, InputLine)> = None;
    for shard in &found.shards {
        inputs_of(shard, stop, &mut |number, line| match &mut last {
            Some((before, whole)) if *before == number => {
                whole.records = whole.records.saturating_add(line.records);
                Ok(())
            }
            last => match last.replace((number, line.clone())) {
                Some((_, whole)) => show(&whole),
                None => Ok(()),
            },
        })?;
    }
    match last {
        Some((_, whole)) => show(&whole),
        None => Ok(()),
    }
}

/// Writes the rejected records of all shards.
///
/// # Errors
/// 65 for the first record in input order past what ON_BAD_RECORD allows over all shards, and where an artifact is not
/// what a shard writes; those of the artifacts.
pub(super) fn rejected(found: &Found, outputs: &mut Outputs, log: &Log, stop: &Stop) -> Result<()> {
    let allowed = match found.on_bad_record() {
        OnBadRecord::Fail => 0,
        OnBadRecord::Reject { limit } => limit,
    };
    let (mut text, mut rejected) = (Vec::new(), 0_u64);
    let mut counted = Counted::default();
    for shard in &found.shards {
        let cut = counted.before(shard, stop)?;
        let Some(mut artifact) = Artifact::open(shard, REJECTED, stop)? else {
            continue;
        };
        while artifact.line(&mut text)? {
            stop.check()?;
            let mut line: Rejected = serde_json::from_slice(&text)
                .map_err(|cause| no_rejected(&cause.to_string(), &artifact.uri))?;
            if let Some((object, before)) = &cut
                && line.object == *object
            {
                text = line
                    .renumbered(&text, *before)
                    .ok_or_else(|| no_rejected("another", &artifact.uri))?;
            }
            if rejected >= allowed {
                return Err(line.too_many(found.on_bad_record()));
            }
            if rejected == 0 {
                log.event(&rejected_event(&line.reason, &line.place()));
            }
            outputs.rejected(&text)?;
            rejected = rejected.saturating_add(1);
        }
    }
    Ok(())
}

fn no_rejected(found: &str, uri: &str) -> Error {
    malformed("a line of a rejected record", found, uri)
}

impl Rejected {
    /// The line `text` with a number past the `before` records that earlier shards read of its object; `None` where it is
    /// not written as a shard writes it.
    fn renumbered(&mut self, text: &[u8], before: u64) -> Option<Vec<u8>> {
        let object = serde_json::to_string(&self.object).ok()?;
        let head = format!("{{\"object\":{object},\"record\":");
        let rest = text.strip_prefix(format!("{head}{},", self.record).as_bytes())?;
        self.record = self.record.checked_add(before)?;
        let mut line = format!("{head}{},", self.record).into_bytes();
        line.extend_from_slice(rest);
        Some(line)
    }

    fn place(&self) -> Place {
        Place {
            uri: self.object.clone(),
            record: Some(self.record),
            offset_bytes: Some(self.offset_bytes),
            column: self.column.clone(),
        }
    }

    /// What one worker would have ended with.
    fn too_many(&self, on_bad_record: OnBadRecord) -> Error {
        let reason = self
            .reason
            .strip_prefix("expected ")
            .unwrap_or(&self.reason);
        let (expected, found) = reason.split_once(", found ").unwrap_or((reason, ""));
        bad_record(expected, found, on_bad_record, self.place())
    }
}

/// The records of the input that is cut, in the shards so far.
#[derive(Default)]
struct Counted {
    input: u64,
    records: u64,
}

impl Counted {
    /// The first input of `shard` where it is cut, and how many of its records the shards before read. Only where an
    /// input is cut, lists are read.
    fn before(&mut self, shard: &Shard, stop: &Stop) -> Result<Option<(String, u64)>> {
        let (began, ended) = (shard.part.began, shard.part.ended);
        if began.offset == 0 && ended.offset == 0 {
            return Ok(None);
        }
        let mut cut = None;
        inputs_of(shard, stop, &mut |number, line| {
            if self.input != number {
                (self.input, self.records) = (number, 0);
            }
            if number == began.input && began.offset > 0 {
                cut = Some((line.uri.clone(), self.records));
            }
            self.records = self.records.saturating_add(line.records);
            Ok(())
        })?;
        Ok(cut)
    }
}
