//! Event-time windows over messages in one order (SPEC 6): what each record is (rejected, duplicate, filtered, late or
//! used), when a window closes, and what is known to be missing. Pure, and decided record by record from what a capture
//! holds: a replay gives what the live run gave, however the messages come in blocks.
//!
//! One rollup a window, of the same code as a batch's; when the watermark reaches the window's end, its rows go out and its
//! memory is free.

mod ledger;
mod state;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::budget::{Budget, Exceeded};
use crate::decode::messages::{Bad, Decoded, Messages};
use crate::limits::{BATCH_ROWS, EVENT_AHEAD_US};
use crate::message::{Block, Head};
use crate::query::Problem;
use crate::query::eval::{Kept, filter};
use crate::query::plan::{Expr, Groups, Interval, Per, Sequence, Windows};
use crate::rollup::{Failure, Full, Rollup};
use crate::value::column::{Column, Path};
use crate::value::vector::{Batch, Data, Vector};
use crate::value::{text, timestamp};
use ledger::{Ledger, Seen};
use state::{Coverage, Open};

pub use crate::value::timestamp::Bucket;
pub use ledger::Missing;
pub use state::{Connection, Gap, Totals, Window};

/// What windows are made by.
#[derive(Clone, Debug)]
pub struct Terms<'p> {
    /// The grouped part of the plan.
    pub groups: &'p Groups,
    /// WHERE.
    pub filter: Option<&'p Expr>,
    /// Which column is the time, and how wide windows are.
    pub windows: Windows,
    /// The columns that are read, as the plan numbers them.
    pub columns: &'p [Column],
    /// RECORDS.
    pub records: Option<&'p Path>,
    /// How many bad records there may be.
    pub rejects: u64,
    /// What all state may take.
    pub budget: Arc<Budget>,
}

/// Takes what becomes of the messages.
pub trait Sink {
    /// Why it cannot.
    type Error;

    /// Rows of a closed window, in the order of the output.
    ///
    /// # Errors
    /// Its own.
    fn rows(&mut self, batch: &Batch) -> Result<(), Self::Error>;

    /// A bad record that the run may have.
    ///
    /// # Errors
    /// Its own.
    fn rejected(&mut self, bad: &Rejected<'_>) -> Result<(), Self::Error>;

    /// A window closed.
    fn closed(&mut self, window: &Window);

    /// Messages are missing.
    fn gap(&mut self, gap: &Gap);
}

/// A bad record, and the message that it is in.
#[derive(Clone, Copy, Debug)]
pub struct Rejected<'a> {
    /// Its message.
    pub head: Head,
    /// What is wrong.
    pub bad: &'a Bad,
    /// The column that it is about.
    pub column: Option<&'a str>,
}

/// Why no more messages are taken.
#[derive(Clone, Debug)]
pub enum Halt<E> {
    /// The sink's own reason.
    Sink(E),
    /// A bad record more than there may be.
    BadRecord {
        /// Its message.
        head: Head,
        /// What is wrong.
        bad: Box<Bad>,
    },
    /// An expression met a value that it has no result for.
    Problem {
        /// The message; `None` where it is met when a window closes.
        head: Option<Head>,
        /// What it met.
        problem: Box<Problem>,
    },
    /// A key's sequence started again.
    Restarted {
        /// The message.
        head: Head,
        /// The key, as text.
        key: String,
    },
    /// The state of a window passed its share of memory.
    Full(Full),
    /// So did what is known of windows and sequences.
    Ledger(Exceeded),
}

/// Where the records of all messages went: each to exactly one place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All of them.
    pub read: u64,
    /// Into a window.
    pub used: u64,
    /// Out by WHERE.
    pub filtered: u64,
    /// Bad.
    pub rejected: u64,
    /// For a closed window.
    pub late: u64,
    /// Seen before.
    pub duplicate: u64,
    /// Not one more place: data of which nobody can say whether it was seen before.
    pub unchecked: u64,
}

/// The windows of a run.
#[derive(Debug)]
pub struct Core<'p> {
    terms: Terms<'p>,
    messages: Option<Messages>,
    ledger: Ledger,
    coverage: Coverage,
    /// The newest event time of all feeds.
    newest_us: Option<i64>,
    open: BTreeMap<i64, Open<'p>>,
    counts: Counts,
    /// The start of the last message that WHERE dropped.
    last_filtered: Option<Vec<u8>>,
    /// Rows that are used and in no rollup yet, with the start of their window.
    pending: Vec<(i64, u32)>,
    key: Vec<u8>,
}

/// Bytes of the last filtered message that are kept.
const FILTERED_BYTES: usize = 1_024;

/// The records of one batch, and all messages of its block.
#[derive(Clone, Copy)]
struct Records<'a> {
    decoded: &'a Decoded,
    all: &'a [(Head, &'a [u8])],
}

impl Records<'_> {
    /// The message of a row.
    fn head(&self, row: usize) -> Option<Head> {
        let message = self.decoded.messages.get(row)?;
        self.message(*message).map(|(head, _)| head)
    }

    /// A message, by its place in the block.
    fn message(&self, message: u32) -> Option<(Head, &[u8])> {
        self.all.get(message as usize).copied()
    }
}

/// What a row is before time has its say.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Duplicate,
    Filtered,
    Open,
}

impl<'p> Core<'p> {
    /// No message yet.
    #[must_use]
    pub fn new(terms: Terms<'p>) -> Self {
        Self {
            messages: Some(Messages::new(terms.columns, terms.records)),
            ledger: Ledger::new(&terms.budget),
            coverage: Coverage::new(&terms.budget),
            newest_us: None,
            open: BTreeMap::new(),
            counts: Counts::default(),
            last_filtered: None,
            pending: Vec::new(),
            key: Vec::new(),
            terms,
        }
    }

    /// Where the records went so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The newest event time, in microseconds since 1970.
    #[must_use]
    pub fn newest_us(&self) -> Option<i64> {
        self.newest_us
    }

    /// How many windows are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// The first KiB of the last message that WHERE dropped: a feed that refuses a subscription says so there.
    #[must_use]
    pub fn last_filtered(&self) -> Option<&[u8]> {
        self.last_filtered.as_deref()
    }

    /// Takes the messages of `block`, which follow those before.
    ///
    /// # Errors
    /// The first in the order of the messages, however they are cut into blocks.
    pub fn take<S: Sink>(&mut self, block: &Block, sink: &mut S) -> Result<(), Halt<S::Error>> {
        let all: Vec<(Head, &[u8])> = block.iter().collect();
        for (head, _) in &all {
            if let Some(gap) = self.coverage.message(*head) {
                sink.gap(&gap);
            }
        }
        let Some(mut messages) = self.messages.take() else {
            return Ok(());
        };
        let taken = messages.each(block, BATCH_ROWS, |decoded| {
            self.records(Records { decoded, all: &all }, sink)
        });
        self.messages = Some(messages);
        taken
    }

    /// Closes every window: no more messages come.
    ///
    /// # Errors
    /// What a window meets when it closes.
    pub fn finish<S: Sink>(mut self, sink: &mut S) -> Result<Totals, Halt<S::Error>> {
        while let Some((start, open)) = self.open.pop_first() {
            self.coverage.unfinished(start);
            self.close(start, open, sink)?;
        }
        Ok(self
            .coverage
            .into_totals(self.counts, self.ledger.into_missing()))
    }

    /// The records of one batch, in their order.
    fn records<S: Sink>(
        &mut self,
        records: Records<'_>,
        sink: &mut S,
    ) -> Result<(), Halt<S::Error>> {
        let Records { decoded, .. } = records;
        // What cannot be taken ends the batch there: all before it is settled first.
        let (fates, fault) = self.fates(records);
        let mut bad = decoded.bad.iter().peekable();
        let mut filtered = None;
        for row in 0..=fates.len() {
            while let Some(bad) = bad.next_if(|bad| bad.before == row) {
                self.counts.read += 1;
                if let Some((head, _)) = records.message(bad.message) {
                    self.reject(head, bad, records, sink)?;
                }
            }
            let (Some(fate), Some(head)) = (fates.get(row), records.head(row)) else {
                break;
            };
            self.counts.read += 1;
            match fate {
                Fate::Duplicate => self.counts.duplicate += 1,
                Fate::Filtered => {
                    self.counts.filtered += 1;
                    filtered = decoded.messages.get(row);
                }
                Fate::Open => match self.time(records, row, head) {
                    Ok(event_us) => self.place(event_us, head, row, records, sink)?,
                    Err(bad) => self.reject(head, &bad, records, sink)?,
                },
            }
        }
        if let Some((_, raw)) = filtered.and_then(|&message| records.message(message)) {
            self.last_filtered = Some(raw.get(..FILTERED_BYTES).unwrap_or(raw).to_vec());
        }
        self.flush(records)?;
        match fault {
            None => Ok(()),
            Some(fault) => Err(fault),
        }
    }

    /// What each row is by SEQUENCE and WHERE, up to the first that ends the run.
    fn fates<E>(&mut self, records: Records<'_>) -> (Vec<Fate>, Option<Halt<E>>) {
        let batch = &records.decoded.batch;
        let mut fates = vec![Fate::Open; batch.rows];
        let mut fault = self.sequence(records, &mut fates);
        let Some(condition) = self.terms.filter else {
            return (fates, fault);
        };
        let asked: Vec<u32> = (0_u32..)
            .zip(&fates)
            .filter(|(_, fate)| **fate == Fate::Open)
            .map(|(row, _)| row)
            .collect();
        let kept = match filter(condition, &batch.gather(&asked)) {
            Ok(Kept::All) => return (fates, fault),
            Ok(Kept::Rows(kept)) => kept,
            Err(_) => {
                let one = |row: u32| filter(condition, &batch.gather(&[row]));
                let mut kept = Vec::new();
                for (place, &row) in (0_u32..).zip(&asked) {
                    match one(row) {
                        Ok(found) if found.count(1) == 1 => kept.push(place),
                        Ok(_) => {}
                        Err(problem) => {
                            let row = row as usize;
                            fates.truncate(row);
                            fault = Some(Halt::Problem {
                                head: records.head(row),
                                problem: Box::new(problem),
                            });
                            break;
                        }
                    }
                }
                kept
            }
        };
        let mut kept = kept.into_iter().peekable();
        for (place, &row) in (0_u32..).zip(&asked) {
            if kept.next_if_eq(&place).is_none()
                && let Some(fate) = fates.get_mut(row as usize)
            {
                *fate = Fate::Filtered;
            }
        }
        (fates, fault)
    }

    /// SEQUENCE: notes the duplicates.
    fn sequence<E>(&mut self, records: Records<'_>, fates: &mut Vec<Fate>) -> Option<Halt<E>> {
        let batch = &records.decoded.batch;
        let Sequence { number, key, per } = self.terms.windows.sequence?;
        let (numbers, keys) = (batch.columns.get(number)?, batch.columns.get(key)?);
        let key_type = self.terms.columns.get(key)?.form.ty();
        for row in 0..batch.rows {
            let (Some(number), Some(head)) = (int_at(numbers, row), records.head(row)) else {
                continue;
            };
            self.key.clear();
            text::append(keys, row, key_type, &mut self.key);
            let connection = match per {
                Per::Run => None,
                Per::Connection => Some(head.connection),
            };
            let fault = match self.ledger.see(&self.key, connection, number) {
                Ok(Seen::Next | Seen::Fills | Seen::Jump { .. }) => continue,
                Ok(Seen::Unchecked) => {
                    self.counts.unchecked += 1;
                    continue;
                }
                Ok(Seen::Duplicate) => {
                    if let Some(fate) = fates.get_mut(row) {
                        *fate = Fate::Duplicate;
                    }
                    continue;
                }
                Ok(Seen::Restarted) => Halt::Restarted {
                    head,
                    key: String::from_utf8_lossy(&self.key).into_owned(),
                },
                Err(exceeded) => Halt::Ledger(exceeded),
            };
            fates.truncate(row);
            return Some(fault);
        }
        None
    }

    /// The event time of a row that passed WHERE, or why the record is bad: NOT NULL, none, or too far ahead.
    fn time(&self, records: Records<'_>, row: usize, head: Head) -> Result<i64, Bad> {
        let Records { decoded, .. } = records;
        let batch = &decoded.batch;
        let message = decoded.messages.get(row).copied().unwrap_or_default();
        let raw = records.message(message).map_or(&[][..], |(_, raw)| raw);
        let columns = self.terms.columns.iter().enumerate().zip(&batch.columns);
        let missing =
            |column: &Column, vector: &Vector| column.not_null && !vector.valid.is_valid(row);
        let missing = columns
            .into_iter()
            .find(|((_, column), vector)| missing(column, vector));
        let bad = |column: usize, expected: &str, found: String| Bad {
            before: row,
            message,
            column: Some(column),
            expected: expected.to_owned(),
            found,
            raw: raw.to_vec(),
            total_bytes: u64::try_from(raw.len()).unwrap_or(u64::MAX),
        };
        if let Some(((index, _), _)) = missing {
            let expected = "a value, as the column is NOT NULL";
            return Err(bad(index, expected, "NULL".to_owned()));
        }
        let index = self.terms.windows.event_time;
        let times = batch.columns.get(index);
        let Some(event_us) = times.and_then(|times| int_at(times, row)) else {
            return Err(bad(index, "an event time", "NULL".to_owned()));
        };
        if event_us.saturating_sub(head.received_at_us) > EVENT_AHEAD_US {
            let expected = "an event time at most a day after its receipt";
            let mut shown = Vec::new();
            timestamp::format(event_us, &mut shown);
            let found = String::from_utf8_lossy(&shown).into_owned();
            return Err(bad(index, expected, found));
        }
        match self.window(event_us) {
            Some(_) => Ok(event_us),
            None => {
                let expected = "an event time whose window is within the years 0001 to 9999";
                Err(bad(index, expected, "another".to_owned()))
            }
        }
    }

    /// Start and end of the window of an event time.
    fn window(&self, event_us: i64) -> Option<(i64, i64)> {
        let bucket = self.terms.windows.bucket;
        let start = timestamp::bucket(event_us, bucket)?;
        let end = match bucket {
            Bucket::Micros(width) => start.saturating_add(width),
            Bucket::Months(months) => {
                let width = Interval {
                    months,
                    days: 0,
                    micros: 0,
                };
                timestamp::add_interval(start, width).unwrap_or(i64::MAX)
            }
        };
        Some((start, end))
    }

    fn watermark_us(&self) -> Option<i64> {
        let lateness = self.terms.windows.lateness_us;
        self.newest_us.map(|newest| newest.saturating_sub(lateness))
    }

    /// A row with its event time: late, or used. Either moves the watermark.
    fn place<S: Sink>(
        &mut self,
        event_us: i64,
        head: Head,
        row: usize,
        records: Records<'_>,
        sink: &mut S,
    ) -> Result<(), Halt<S::Error>> {
        let Some((start, end)) = self.window(event_us) else {
            return Ok(());
        };
        self.coverage.event(head, event_us);
        let is_late = self
            .watermark_us()
            .is_some_and(|watermark| end <= watermark);
        let window = self.coverage.window(start, end).map_err(Halt::Ledger)?;
        if is_late {
            window.late += 1;
            self.counts.late += 1;
        } else {
            window.used += 1;
            self.counts.used += 1;
            self.pending
                .push((start, u32::try_from(row).unwrap_or(u32::MAX)));
            if !self.open.contains_key(&start) {
                let rollup = Rollup::new(self.terms.groups, Arc::clone(&self.terms.budget));
                let open = Open::new(end, rollup, &self.terms.budget).map_err(Halt::Ledger)?;
                self.open.insert(start, open);
            }
        }
        self.newest_us = self.newest_us.max(Some(event_us));
        let watermark = self.watermark_us().unwrap_or(i64::MIN);
        let is_due = |open: &Open<'_>| open.end <= watermark;
        if !self
            .open
            .first_key_value()
            .is_some_and(|(_, open)| is_due(open))
        {
            return Ok(());
        }
        self.flush(records)?;
        while let Some((start, open)) = self.open.pop_first() {
            if !is_due(&open) {
                self.open.insert(start, open);
                break;
            }
            self.close(start, open, sink)?;
        }
        Ok(())
    }

    /// Puts the rows that are used into the rollups of their windows.
    fn flush<E>(&mut self, records: Records<'_>) -> Result<(), Halt<E>> {
        let batch = &records.decoded.batch;
        let pending = std::mem::take(&mut self.pending);
        let mut starts: Vec<i64> = pending.iter().map(|(start, _)| *start).collect();
        starts.sort_unstable();
        starts.dedup();
        for start in starts {
            let of_window = pending.iter().filter(|(other, _)| *other == start);
            let rows: Vec<u32> = of_window.map(|(_, row)| *row).collect();
            let Some(open) = self.open.get_mut(&start) else {
                continue;
            };
            let added = match rows.len() == batch.rows {
                true => open.rollup.add(batch),
                false => open.rollup.add(&batch.gather(&rows)),
            };
            match added {
                Ok(()) => {}
                Err(Failure::Full(full)) => return Err(Halt::Full(full)),
                Err(Failure::Problem(problem)) => {
                    return Err(self.first_problem(&pending, records, problem));
                }
            }
        }
        self.pending = pending;
        self.pending.clear();
        Ok(())
    }

    /// The problem of the first row that has one, whatever its window.
    fn first_problem<E>(
        &self,
        pending: &[(i64, u32)],
        records: Records<'_>,
        any: Problem,
    ) -> Halt<E> {
        let alone = |row: u32| {
            let mut rollup = Rollup::new(self.terms.groups, Arc::clone(&self.terms.budget));
            match rollup.add(&records.decoded.batch.gather(&[row])) {
                Err(Failure::Problem(problem)) => Some((row, problem)),
                Err(Failure::Full(_)) | Ok(()) => None,
            }
        };
        let found = pending.iter().find_map(|(_, row)| alone(*row));
        Halt::Problem {
            head: found
                .as_ref()
                .and_then(|(row, _)| records.head(*row as usize)),
            problem: Box::new(found.map_or(any, |(_, problem)| problem)),
        }
    }

    /// Gives the rows of a window out.
    fn close<S: Sink>(
        &mut self,
        start: i64,
        open: Open<'p>,
        sink: &mut S,
    ) -> Result<(), Halt<S::Error>> {
        let lift = |failure| match failure {
            Failure::Full(full) => Halt::Full(full),
            Failure::Problem(problem) => Halt::Problem {
                head: None,
                problem: Box::new(problem),
            },
        };
        let mut results = open.rollup.finish().map_err(lift)?;
        while let Some(batch) = results
            .next_batch()
            .map_err(|problem| lift(problem.into()))?
        {
            sink.rows(&batch).map_err(Halt::Sink)?;
        }
        if let Some(window) = self.coverage.known(start) {
            sink.closed(window);
        }
        Ok(())
    }

    /// Counts a bad record, or ends the run with it.
    fn reject<S: Sink>(
        &mut self,
        head: Head,
        bad: &Bad,
        records: Records<'_>,
        sink: &mut S,
    ) -> Result<(), Halt<S::Error>> {
        if self.counts.rejected >= self.terms.rejects {
            // A problem of an earlier row comes first.
            self.flush(records)?;
            let bad = Box::new(bad.clone());
            return Err(Halt::BadRecord { head, bad });
        }
        let column = bad.column.and_then(|index| self.terms.columns.get(index));
        let column = column.map(|column| column.name.as_str());
        sink.rejected(&Rejected { head, bad, column })
            .map_err(Halt::Sink)?;
        self.counts.rejected += 1;
        Ok(())
    }
}

/// The integer at `row`; `None` for NULL.
fn int_at(vector: &Vector, row: usize) -> Option<i64> {
    match &vector.data {
        Data::Int(values) if vector.valid.is_valid(row) => values.get(row).copied(),
        Data::Boolean(_) | Data::Int(_) | Data::Wide(_) | Data::Double(_) | Data::Text(_) => None,
    }
}
