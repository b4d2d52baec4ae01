//! Takes the workers' answers by number: counts, rejected records, rows, the limit, and the first fault.

use std::io::Write;
use std::sync::Arc;

use super::rejected::{Raw, Rejected};
use super::work::{Piece, Stopped, Task, Worked, Worker};
use crate::artifact::Artifact;
use crate::config::OnBadRecord;
use crate::error::{Error, Kind, Place, Result};
use crate::manifest::Records;
use crate::query::Problem;
use crate::rollup::Full;

/// Whether more input is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// It is.
    GoOn,
    /// LIMIT is filled: what comes later does not count.
    Filled,
}

/// What the pieces add up to.
pub(super) struct Fold<'run> {
    task: &'run Task,
    /// URIs by input number.
    uris: &'run [Arc<str>],
    sinks: Sinks<'run>,
    /// Works a piece again, up to the record that fills LIMIT.
    again: Worker<'run>,
    /// Rows that LIMIT still allows.
    rows_left: u64,
    /// Records of each input that count, by input number.
    pub(super) read: Vec<u64>,
    /// Over all inputs.
    pub(super) records: Records,
}

impl<'run> Fold<'run> {
    pub(super) fn new(task: &'run Task, uris: &'run [Arc<str>], sinks: Sinks<'run>) -> Self {
        Self {
            task,
            uris,
            sinks,
            again: Worker::new(task),
            rows_left: task.rows_limit().unwrap_or(u64::MAX),
            read: vec![0; uris.len()],
            records: Records::default(),
        }
    }

    /// Whether LIMIT is 0, so that no input is wanted at all.
    pub(super) fn flow(&self) -> Flow {
        if self.rows_left == 0 { Flow::Filled } else { Flow::GoOn }
    }

    /// Adds the answer for the next piece.
    ///
    /// Errors: 65, for the first record in input order that ends the run; those of the artifacts.
    pub(super) fn fold(&mut self, piece: &Piece, worked: Worked) -> Result<Flow> {
        let limited = self.task.rows_limit().is_some();
        let worked = if limited && worked.used >= self.rows_left {
            self.again.exactly(piece, self.rows_left)
        } else {
            worked
        };
        let before = self.read.get(piece.input()).copied().unwrap_or_default();
        for rejected in &worked.rejected {
            self.reject(rejected, piece, before)?;
        }
        if let Some(rows) = &mut self.sinks.rows {
            rows.write(&worked.rows, worked.used)?;
        }
        self.count(piece, &worked);
        if limited {
            self.rows_left -= worked.used.min(self.rows_left);
        }
        match worked.stopped {
            Some(stopped) => Err(self.lift(stopped, piece, before)),
            None => Ok(self.flow()),
        }
    }

    fn count(&mut self, piece: &Piece, worked: &Worked) {
        if let Some(read) = self.read.get_mut(piece.input()) {
            *read += worked.read;
        }
        self.records.read += worked.read;
        self.records.used += worked.used;
        self.records.filtered += worked.filtered;
        self.records.rejected += worked.rejected.len() as u64;
    }
}

impl Fold<'_> {
    /// Writes a bad record down, unless it is one too many.
    fn reject(&mut self, rejected: &Rejected, piece: &Piece, before: u64) -> Result<()> {
        let number = before + u64::from(rejected.record) + 1;
        let place = self.place(piece, number, rejected.offset, rejected.column.clone());
        match self.task.on_bad_record {
            OnBadRecord::Reject { limit } if self.records.rejected < limit => {}
            OnBadRecord::Fail | OnBadRecord::Reject { .. } => return Err(self.bad(rejected, place)),
        }
        self.records.rejected += 1;
        let line = rejected.line(&place.uri, number);
        let line = line.map_err(|cause| Error::defect("writing rejected.ndjson", cause.to_string()))?;
        self.sinks.rejected(&place, rejected)?.write(&line)
    }

    fn lift(&self, stopped: Stopped, piece: &Piece, before: u64) -> Error {
        match stopped {
            Stopped::BadRecord(bad) => {
                let number = before + u64::from(bad.record) + 1;
                self.bad(&bad, self.place(piece, number, bad.offset, bad.column.clone()))
            }
            Stopped::Problem { record, offset, problem } => {
                let number = before + u64::from(record) + 1;
                evaluation(&self.task.query, &problem).at(self.place(piece, number, offset, None))
            }
            Stopped::Object(fault) => object_fault(&fault, self.uri(piece)),
            Stopped::Memory(full) => memory(&full),
            Stopped::Defect(what) => Error::defect("working", what),
        }
    }

    fn bad(&self, rejected: &Rejected, place: Place) -> Error {
        let advice = match self.task.on_bad_record {
            OnBadRecord::Fail => {
                "correct the record or its column, or allow some with WINDROW_ON_BAD_RECORD=reject:N".to_owned()
            }
            OnBadRecord::Reject { limit } => {
                format!("{limit} records were rejected before it, as many as WINDROW_ON_BAD_RECORD allows")
            }
        };
        Error::new(Kind::Data, "decoding", &rejected.expected, &rejected.found, advice).at(place)
    }

    fn place(&self, piece: &Piece, record: u64, offset: u64, column: Option<String>) -> Place {
        let (record, offset_bytes) = (Some(record), piece.has_bytes().then_some(offset));
        Place { uri: self.uri(piece).to_owned(), record, offset_bytes, column }
    }

    fn uri(&self, piece: &Piece) -> &str {
        self.uris.get(piece.input()).map_or("", |uri| uri)
    }
}

/// A value that an expression has no result for.
pub(super) fn evaluation(query: &str, problem: &Problem) -> Error {
    let expression = problem.span.of(query);
    let expected = format!("{} (in `{expression}`, byte {} of the query)", problem.expected, problem.span.start);
    let advice = if problem.advice.is_empty() { "change the query or the input" } else { &problem.advice };
    Error::new(Kind::Data, "evaluating", expected, &problem.found, advice)
}

/// Nothing of the object can be read from there on.
pub(super) fn object_fault(fault: &Fault, uri: &str) -> Error {
    let advice = "correct the object; such a fault cannot be rejected as one record";
    let place = Place { uri: uri.to_owned(), offset_bytes: Some(fault.offset), ..Place::default() };
    Error::new(Kind::Data, "reading", fault.reason.expected(), fault.reason.found(), advice).at(place)
}
