//! Takes the workers' answers by number: counts, rejected records, rows, the limit, and the first fault.

use super::listing::Listing;
use super::work::{Counts, Piece, Room, Stopped, Task, Worked, Worker};
use crate::command::faults::{bad_record, evaluation, lift_rollup, object_fault};
use crate::command::outputs::Outputs;
use crate::command::rejected::{Rejected, first_rejected};
use crate::config::values::OnBadRecord;
use crate::error::{Error, Kind, Place, Result};
use crate::limits;
use crate::log::Log;
use crate::manifest::{GapLine, Records};
use crate::rollup::Failure;

/// Whether more input is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// It is.
    GoOn,
    /// LIMIT is filled: what comes later does not count.
    Filled,
}

/// How far a run is: what a failure.json can still tell when everything else is gone.
#[derive(Debug)]
pub(super) struct Tally {
    /// What the run is at.
    pub(super) phase: &'static str,
    /// Over all inputs.
    pub(super) records: Records,
    /// Records of each input that count, by input number.
    pub(super) read: Vec<u64>,
    /// The latest gaps of a capture.
    pub(super) gaps: Vec<GapLine>,
    /// Inputs that are read to their end: all, or those before the one in which LIMIT was filled.
    pub(super) whole: usize,
}

/// What the pieces add up to.
pub(super) struct Fold<'fold, 'run> {
    task: &'run Task,
    listing: &'fold Listing,
    outputs: &'fold mut Outputs,
    tally: &'fold mut Tally,
    log: &'fold Log,
    query: &'fold str,
    /// Works what the others left of a piece, or a piece again, up to the record that fills LIMIT
    /// or is one bad record too many.
    again: Worker<'run>,
    /// Rows that LIMIT still allows; `None` without one.
    rows_left: Option<u64>,
}

impl<'fold, 'run> Fold<'fold, 'run> {
    pub(super) fn new(
        task: &'run Task,
        listing: &'fold Listing,
        outputs: &'fold mut Outputs,
        tally: &'fold mut Tally,
        log: &'fold Log,
        query: &'fold str,
    ) -> Self {
        let (again, rows_left) = (Worker::new(task), task.rows_limit());
        Self {
            task,
            listing,
            outputs,
            tally,
            log,
            query,
            again,
            rows_left,
        }
    }

    /// Whether any input is wanted yet: LIMIT may be 0.
    pub(super) fn flow(&self) -> Flow {
        if self.rows_left == Some(0) {
            Flow::Filled
        } else {
            Flow::GoOn
        }
    }

    /// The worker of what the others left, with the state that it gathered.
    pub(super) fn into_worker(self) -> Worker<'run> {
        self.again
    }

    /// Adds the answer for the next piece; what the worker left of it is worked here.
    ///
    /// Errors: 65, for the first record in input order that ends the run; those of the artifacts.
    pub(super) fn fold(&mut self, piece: &Piece, worked: Worked) -> Result<Flow> {
        let before = self
            .tally
            .read
            .get(piece.input())
            .copied()
            .unwrap_or_default();
        let mut next = Some(worked);
        while let Some(worked) = next {
            let rest = worked.rest;
            if self.part(piece, worked, before)? == Flow::Filled {
                return Ok(Flow::Filled);
            }
            next = rest.map(|from| self.again.work(piece, from));
        }
        Ok(Flow::GoOn)
    }

    /// Adds a part of a piece before which `before` records of the object were read.
    fn part(&mut self, piece: &Piece, mut worked: Worked, before: u64) -> Result<Flow> {
        let room = self.room();
        if !room.is_left(&worked) {
            worked = self.again.work_within(piece, worked.from, room);
        }
        self.count(piece, worked.counts);
        for rejected in &worked.rejected {
            self.reject(rejected, piece, before)?;
        }
        self.outputs.rows(&worked.rows, worked.counts.used)?;
        if let Some(stopped) = worked.stopped {
            return Err(self.lift(stopped, piece, before));
        }
        let flow = self.flow();
        if flow == Flow::Filled {
            self.tally.whole = piece.input();
        }
        Ok(flow)
    }

    fn room(&self) -> Room {
        Room {
            rows: self.rows_left.unwrap_or(u64::MAX),
            rejected: match self.task.on_bad_record {
                OnBadRecord::Reject { limit } => limit - self.tally.records.rejected,
                // The worker stops at the first.
                OnBadRecord::Fail => u64::MAX,
            },
        }
    }

    fn count(&mut self, piece: &Piece, counts: Counts) {
        if let Some(read) = self.tally.read.get_mut(piece.input()) {
            *read += counts.read;
        }
        if let Some(rows_left) = &mut self.rows_left {
            *rows_left = rows_left.saturating_sub(counts.used);
        }
        let records = &mut self.tally.records;
        records.read += counts.read;
        records.used += counts.used;
        records.filtered += counts.filtered;
        let read = records.read;
        self.log.progress(|| {
            format!(
                "{read} records read, input {} of {}",
                piece.input() + 1,
                self.listing.len()
            )
        });
    }
}

impl Fold<'_, '_> {
    /// Writes a bad record down, unless it is one too many.
    fn reject(&mut self, rejected: &Rejected, piece: &Piece, before: u64) -> Result<()> {
        let number = before + u64::from(rejected.record) + 1;
        let place = self.place(piece, number, rejected.offset, rejected.column.clone());
        let earlier = self.tally.records.rejected;
        match self.task.on_bad_record {
            OnBadRecord::Reject { limit } if earlier < limit => {}
            OnBadRecord::Fail | OnBadRecord::Reject { .. } => return Err(self.bad(rejected, place)),
        }
        if earlier == 0 {
            self.log.event(&first_rejected(rejected, &place));
        }
        self.outputs.rejected(&rejected.line(&place.uri, number)?)?;
        self.tally.records.rejected += 1;
        Ok(())
    }

    fn lift(&self, stopped: Stopped, piece: &Piece, before: u64) -> Error {
        match stopped {
            Stopped::BadRecord(bad) => {
                let number = before + u64::from(bad.record) + 1;
                self.bad(
                    &bad,
                    self.place(piece, number, bad.offset, bad.column.clone()),
                )
            }
            Stopped::Problem {
                record,
                offset,
                problem,
            } => {
                let number = before + u64::from(record) + 1;
                evaluation(self.query, &problem).at(self.place(piece, number, offset, None))
            }
            Stopped::Object(fault) => object_fault(&fault, &self.uri(piece)),
            Stopped::Memory(full) => lift_rollup(self.query, Failure::Full(full)),
            Stopped::LongRows {
                record,
                offset,
                bytes,
            } => {
                let number = before + u64::from(record) + 1;
                let most = limits::OUTPUT_ROW_BYTES;
                let expected = format!("at most {most} bytes of text in a row of the output");
                let advice = "select fewer columns, or filter such records out with WHERE";
                let error = Error::new(
                    Kind::Data,
                    "evaluating",
                    expected,
                    format!("{bytes}"),
                    advice,
                );
                error.at(self.place(piece, number, offset, None))
            }
            Stopped::Defect(what) => Error::defect("working", what),
        }
    }

    fn bad(&self, rejected: &Rejected, place: Place) -> Error {
        bad_record(
            &rejected.expected,
            &rejected.found,
            self.task.on_bad_record,
            place,
        )
    }

    fn place(&self, piece: &Piece, record: u64, offset: u64, column: Option<String>) -> Place {
        let offset_bytes = match piece {
            Piece::Chunk(_) => Some(offset),
            Piece::Numbers(_) => None,
        };
        Place {
            uri: self.uri(piece),
            // Of an object that another shard begins to read, that one knows.
            record: self
                .listing
                .counts_records_of(piece.input())
                .then_some(record),
            offset_bytes,
            column,
        }
    }

    fn uri(&self, piece: &Piece) -> String {
        self.listing.uri(piece.input())
    }
}
