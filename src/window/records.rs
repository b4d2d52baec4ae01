//! What each record is, in SPEC 6's order: the first that applies of rejected, duplicate, filtered, rejected, late, used.
//!
//! A batch is judged in two steps. What needs no order but its own is done for all rows at once: SEQUENCE, then WHERE. Then
//! each row takes its place, in order; what is used goes into the rollups when the batch ends, or before anything goes to
//! the sink. So the sink is told of nothing that comes after the first fault, and the counts are those before it.

use std::collections::VecDeque;

use super::coverage::{Coverage, Gap, Totals, Watermark};
use super::ledger::{Ledger, Seen};
use super::open::{Open, OpenWindows, Span, Stopped};
use super::{Counts, Halt, Rejected, Sink, Terms};
use crate::decode::messages::{Bad, Decoded};
use crate::decode::{Met, kept};
use crate::limits::EVENT_AHEAD_US;
use crate::message::Head;
use crate::query::Problem;
use crate::query::eval::{Kept, filter};
use crate::query::plan::Expr;
use crate::value::vector::{Batch, Data, Vector};
use crate::value::{Type, text, timestamp};

/// All that is known between two batches.
#[derive(Debug)]
pub(super) struct State<'p> {
    terms: Terms<'p>,
    sequence: Option<Sequenced>,
    /// Columns that are NOT NULL.
    required: Vec<usize>,
    watermark: Watermark,
    pub(super) open: OpenWindows<'p>,
    pub(super) coverage: Coverage,
    pub(super) counts: Counts,
    gaps: u64,
    jumps: u64,
    /// The start of the last message that held no record, a bad one, or one that WHERE dropped.
    pub(super) last_unused: Option<Vec<u8>>,
    /// That of the block, by its place.
    unused: Option<usize>,
    /// Messages of the block that are counted.
    arrived: usize,
    judged: Judged,
}

/// SEQUENCE, and what it has seen.
#[derive(Debug)]
struct Sequenced {
    ledger: Ledger,
    number: usize,
    key: usize,
    event_time: usize,
    key_type: Type,
    text: Vec<u8>,
}

/// Bytes of the last unused message that are kept.
const UNUSED_BYTES: usize = 1_024;

/// The rows of a batch, one by one.
#[derive(Debug, Default)]
struct Judged {
    /// As many as were judged: all, or those before a fault.
    places: Vec<Place>,
    /// Rows that are data, but may have been seen before.
    unchecked: Vec<usize>,
    /// Gaps that are settled when their row comes.
    gaps: VecDeque<(usize, Gap)>,
    /// Rows that are counted.
    settled: usize,
}

/// Where a row goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Its time decides.
    Open,
    Duplicate,
    Filtered,
    Rejected,
    Late,
    Used,
}

/// The records of one batch, and all messages of its block.
#[derive(Clone, Copy)]
struct Records<'a> {
    decoded: Decoded<'a>,
    all: &'a [(Head, &'a [u8])],
}

impl Records<'_> {
    fn batch(&self) -> &Batch {
        self.decoded.batch
    }

    /// The message of a row, by its place in the block, and what is known of it.
    #[inline]
    fn message(&self, row: usize) -> Option<(usize, Head)> {
        let message = *self.decoded.messages.get(row)? as usize;
        let (head, _) = self.all.get(message)?;
        Some((message, *head))
    }

    fn head(&self, row: usize) -> Option<Head> {
        self.message(row).map(|(_, head)| head)
    }
}

impl<'p> State<'p> {
    pub(super) fn new(terms: Terms<'p>) -> Self {
        let columns = terms.columns.iter().enumerate();
        let required = columns.filter(|(_, column)| column.not_null);
        let sequence = terms.windows.sequence.and_then(|sequence| {
            let key = terms.columns.get(sequence.key)?;
            Some(Sequenced {
                ledger: Ledger::new(sequence.per, &terms.budget),
                number: sequence.number,
                key: sequence.key,
                event_time: terms.windows.event_time,
                key_type: key.form.ty(),
                text: Vec::new(),
            })
        });
        Self {
            sequence,
            required: required.map(|(index, _)| index).collect(),
            watermark: Watermark::new(terms.windows.lateness_us),
            open: OpenWindows::new(terms.groups, &terms.budget),
            coverage: Coverage::new(terms.feeds, &terms.windows, &terms.budget),
            counts: Counts::default(),
            gaps: 0,
            jumps: 0,
            last_unused: None,
            unused: None,
            arrived: 0,
            judged: Judged::default(),
            terms,
        }
    }

    pub(super) fn newest_us(&self) -> Option<i64> {
        self.watermark.newest_us()
    }

    /// A block begins.
    pub(super) fn begin(&mut self) {
        self.arrived = 0;
        self.unused = None;
    }

    /// A block ends: its last messages may hold no record.
    pub(super) fn end<S: Sink>(
        &mut self,
        all: &[(Head, &[u8])],
        sink: &mut S,
    ) -> Result<(), Halt<S::Error>> {
        while let Some((head, _)) = all.get(self.arrived) {
            self.unused = Some(self.arrived);
            self.arrived += 1;
            if let Some(gap) = self.coverage.message(*head).map_err(Halt::Ledger)? {
                self.gap(&gap, sink)?;
            }
        }
        if let Some((_, raw)) = self.unused.and_then(|message| all.get(message)) {
            self.last_unused = Some(raw.get(..UNUSED_BYTES).unwrap_or(raw).to_vec());
        }
        Ok(())
    }

    /// Takes the records of one batch, in their order.
    pub(super) fn records<S: Sink>(
        &mut self,
        decoded: Decoded<'_>,
        all: &[(Head, &[u8])],
        sink: &mut S,
    ) -> Result<(), Halt<S::Error>> {
        let records = Records { decoded, all };
        // What cannot be judged ends the batch there: all before it comes first.
        let fault = self.judge(records);
        let times = decoded.batch.columns.get(self.terms.windows.event_time);
        let required = self.lacking(decoded.batch);
        let mut bad = decoded.bad.iter().peekable();
        let rows = self.judged.places.len();
        for row in 0..=rows {
            while let Some(bad) = bad.next_if(|bad| bad.before == row) {
                self.arrive(bad.message as usize, row, records, sink)?;
                self.reject(bad, row, records, sink)?;
            }
            if row == rows {
                break;
            }
            let Some((message, head)) = records.message(row) else {
                break;
            };
            self.arrive(message, row, records, sink)?;
            self.settle_gaps(row, records, sink)?;
            match self.judged.places.get(row) {
                Some(Place::Open) => {
                    let event_us = times.and_then(|times| believed(times, row, head));
                    match self.span(event_us, &required, row, records) {
                        Ok((event_us, span)) => {
                            self.place(event_us, span, head, row, records, sink)?;
                        }
                        Err(bad) => {
                            self.put(row, Place::Rejected);
                            self.reject(&bad, row, records, sink)?;
                        }
                    }
                }
                Some(Place::Filtered) => self.unused = Some(message),
                Some(Place::Duplicate) => {
                    // What it says was there; it still says that its feed is up.
                    if let Some(event_us) = times.and_then(|times| believed(times, row, head)) {
                        let known = self.coverage.event(head, event_us);
                        known.map_err(Halt::Ledger)?;
                    }
                }
                Some(Place::Rejected | Place::Late | Place::Used) | None => {}
            }
        }
        self.settle(rows, records)?;
        match fault {
            None => Ok(()),
            Some(fault) => {
                self.counts.read += 1;
                Err(fault)
            }
        }
    }

    /// Closes every window: no more messages come.
    pub(super) fn finish<S: Sink>(
        mut self,
        met: Vec<Met>,
        sink: &mut S,
    ) -> Result<Totals, Halt<S::Error>> {
        while let Some(open) = self.open.pop(i64::MAX) {
            self.close(open, true, sink)?;
        }
        let sequence = self.sequence.take();
        for gap in open_gaps(sequence.as_ref()) {
            self.gap(&gap, sink)?;
        }
        let (windows, connections) = self.coverage.finish().map_err(Halt::Ledger)?;
        Ok(Totals {
            counts: self.counts,
            windows,
            connections,
            gaps: self.gaps,
            jumps: self.jumps,
            met,
        })
    }

    /// What is missing in sequences by now, and may still come.
    pub(super) fn open_gaps(&self) -> impl Iterator<Item = Gap> {
        open_gaps(self.sequence.as_ref())
    }

    /// What each row is by SEQUENCE and WHERE, up to the first that ends the run.
    fn judge<E>(&mut self, records: Records<'_>) -> Option<Halt<E>> {
        let batch = records.batch();
        let judged = &mut self.judged;
        judged.places.clear();
        judged.places.resize(batch.rows, Place::Open);
        judged.unchecked.clear();
        judged.gaps.clear();
        judged.settled = 0;
        let sequence = self.sequence.as_mut();
        let fault = sequence.and_then(|sequence| sequence.judge(records, judged));
        let Some(condition) = self.terms.filter else {
            return fault;
        };
        match judged.filter(condition, batch) {
            None => fault,
            Some((row, problem)) => {
                judged.places.truncate(row);
                Some(Halt::Problem {
                    head: records.head(row),
                    problem: Box::new(problem),
                })
            }
        }
    }

    /// The columns that are NOT NULL and have a NULL in this batch.
    fn lacking(&self, batch: &Batch) -> Vec<usize> {
        let lacks = |index: &usize| {
            let vector = batch.columns.get(*index);
            vector.is_some_and(|vector| vector.valid.flags().is_some())
        };
        self.required.iter().copied().filter(lacks).collect()
    }

    /// The window of a row that passed WHERE, or why the record is bad: NOT NULL, no event time, or one too far ahead.
    #[inline]
    fn span(
        &self,
        event_us: Option<i64>,
        required: &[usize],
        row: usize,
        records: Records<'_>,
    ) -> Result<(i64, Span), Bad> {
        if !required.is_empty() {
            self.no_null(required, row, records)?;
        }
        let span = event_us.and_then(|event_us| {
            let current = self.open.current(event_us);
            current.or_else(|| Span::of(event_us, self.terms.windows.bucket))
        });
        match (event_us, span) {
            (Some(event_us), Some(span)) => Ok((event_us, span)),
            _ => Err(self.bad_time(row, records)),
        }
    }

    /// A record without a value where COLUMNS says NOT NULL is bad.
    fn no_null(&self, required: &[usize], row: usize, records: Records<'_>) -> Result<(), Bad> {
        let is_null = |index: &&usize| {
            let vector = records.batch().columns.get(**index);
            vector.is_some_and(|vector| !vector.valid.is_valid(row))
        };
        match required.iter().find(is_null) {
            None => Ok(()),
            Some(&index) => {
                let expected = "a value, as the column is NOT NULL";
                Err(bad(row, records, index, expected, "NULL".to_owned()))
            }
        }
    }

    #[cold]
    fn bad_time(&self, row: usize, records: Records<'_>) -> Bad {
        let index = self.terms.windows.event_time;
        let times = records.batch().columns.get(index);
        let event_us = times.and_then(|times| int_at(times, row));
        let mut shown = Vec::new();
        match event_us {
            Some(event_us) => timestamp::format(event_us, &mut shown),
            None => shown.extend_from_slice(b"NULL"),
        }
        let expected = match event_us.zip(records.head(row)) {
            None => "an event time",
            Some((event_us, head)) if is_ahead(event_us, head) => {
                "an event time at most a day after its receipt"
            }
            Some(_) => "an event time whose window begins in the years 0001 to 9999",
        };
        let found = String::from_utf8_lossy(&shown).into_owned();
        bad(row, records, index, expected, found)
    }

    /// A row is late, or used. Either moves the watermark.
    #[inline]
    fn place<S: Sink>(
        &mut self,
        event_us: i64,
        span: Span,
        head: Head,
        row: usize,
        records: Records<'_>,
        sink: &mut S,
    ) -> Result<(), Halt<S::Error>> {
        let known = self.coverage.event(head, event_us);
        known.map_err(Halt::Ledger)?;
        if span.end_us <= self.watermark.us {
            self.coverage.window(span).map_err(Halt::Ledger)?.late += 1;
            self.put(row, Place::Late);
        } else {
            if self.open.take(span, row).map_err(Halt::Ledger)? {
                self.coverage.window(span).map_err(Halt::Ledger)?;
            }
            self.put(row, Place::Used);
        }
        let jump = self.watermark.advance(head, event_us);
        if jump.is_none() && !self.open.is_due(self.watermark.us) {
            return Ok(());
        }
        self.settle(row + 1, records)?;
        if let Some(jump) = jump {
            self.jumps += 1;
            sink.jump(&jump).map_err(Halt::Sink)?;
        }
        while let Some(open) = self.open.pop(self.watermark.us) {
            self.close(open, false, sink)?;
        }
        Ok(())
    }

    #[inline]
    fn put(&mut self, row: usize, place: Place) {
        if let Some(at) = self.judged.places.get_mut(row) {
            *at = place;
        }
    }

    /// Counts the messages up to `message`, whose records come next.
    #[inline]
    fn arrive<S: Sink>(
        &mut self,
        message: usize,
        row: usize,
        records: Records<'_>,
        sink: &mut S,
    ) -> Result<(), Halt<S::Error>> {
        while self.arrived <= message {
            let Some((head, _)) = records.all.get(self.arrived) else {
                break;
            };
            if self.arrived < message {
                self.unused = Some(self.arrived);
            }
            self.arrived += 1;
            if let Some(gap) = self.coverage.message(*head).map_err(Halt::Ledger)? {
                self.settle(row, records)?;
                self.gap(&gap, sink)?;
            }
        }
        Ok(())
    }

    /// Tells of the gaps in sequences that `row` settled.
    #[inline]
    fn settle_gaps<S: Sink>(
        &mut self,
        row: usize,
        records: Records<'_>,
        sink: &mut S,
    ) -> Result<(), Halt<S::Error>> {
        while let Some((_, gap)) = self.judged.gaps.pop_front_if(|(at, _)| *at <= row) {
            self.settle(row, records)?;
            self.gap(&gap, sink)?;
        }
        Ok(())
    }

    fn gap<S: Sink>(&mut self, gap: &Gap, sink: &mut S) -> Result<(), Halt<S::Error>> {
        self.gaps += 1;
        if let Gap::Sequence {
            after_us,
            before_us,
            ..
        } = *gap
        {
            let charged = self.coverage.missing(after_us, before_us);
            charged.map_err(Halt::Ledger)?;
        }
        sink.gap(gap).map_err(Halt::Sink)
    }

    /// Puts the rows before `row` into their rollups, and counts them.
    fn settle<E>(&mut self, row: usize, records: Records<'_>) -> Result<(), Halt<E>> {
        let flushed = self.open.flush(records.batch());
        let counted = match &flushed {
            Err(Stopped::Problem(Some(row), _)) => *row as usize,
            Ok(()) | Err(Stopped::Problem(None, _) | Stopped::Full(_)) => row,
        };
        self.judged.count(counted, &mut self.counts);
        flushed.map_err(|stopped| {
            self.counts.read += u64::from(matches!(stopped, Stopped::Problem(..)));
            lift(stopped, records)
        })
    }

    /// Gives the rows of a window out; `is_open` where the watermark has not reached its end.
    fn close<S: Sink>(
        &mut self,
        open: Open<'p>,
        is_open: bool,
        sink: &mut S,
    ) -> Result<(), Halt<S::Error>> {
        let (span, used, groups) = (open.span, open.used, open.rollup.groups());
        let halt = |failure| match Stopped::from(failure) {
            Stopped::Full(full) => Halt::Full(full),
            Stopped::Problem(_, problem) => Halt::Problem {
                head: None,
                problem: Box::new(problem),
            },
        };
        let mut results = open.rollup.finish().map_err(halt)?;
        let mut rows = 0;
        while let Some(batch) = results.next_batch().map_err(|one| halt(one.into()))? {
            rows += batch.rows as u64;
            sink.rows(&batch).map_err(Halt::Sink)?;
        }
        let window = self.coverage.close(span, [used, groups, rows], is_open);
        if let Some(window) = window {
            sink.closed(&window);
        }
        Ok(())
    }

    /// Counts a bad record that comes before `row`, or is that row; or ends the run with it.
    fn reject<S: Sink>(
        &mut self,
        bad: &Bad,
        row: usize,
        records: Records<'_>,
        sink: &mut S,
    ) -> Result<(), Halt<S::Error>> {
        // A problem of an earlier row comes first.
        self.settle(row, records)?;
        self.counts.read += 1;
        self.unused = Some(bad.message as usize);
        let Some((head, _)) = records.all.get(bad.message as usize) else {
            return Ok(());
        };
        let head = *head;
        if self.counts.rejected >= self.terms.rejects {
            let bad = Box::new(bad.clone());
            return Err(Halt::BadRecord { head, bad });
        }
        let column = bad.column.and_then(|index| self.terms.columns.get(index));
        let column = column.map(|column| column.name.as_str());
        let rejected = Rejected { head, bad, column };
        sink.rejected(&rejected).map_err(Halt::Sink)?;
        self.counts.rejected += 1;
        Ok(())
    }
}

impl Sequenced {
    /// Notes the duplicates, up to the first row that ends the run.
    fn judge<E>(&mut self, records: Records<'_>, judged: &mut Judged) -> Option<Halt<E>> {
        let batch = records.batch();
        let (numbers, keys) = (
            batch.columns.get(self.number)?,
            batch.columns.get(self.key)?,
        );
        let times = batch.columns.get(self.event_time);
        for row in 0..batch.rows {
            let (Some(number), Some(head)) = (int_at(numbers, row), records.head(row)) else {
                continue;
            };
            self.text.clear();
            text::append(keys, row, self.key_type, &mut self.text);
            let key = keys.valid.is_valid(row).then_some(&*self.text);
            let event_us = times.and_then(|times| believed(times, row, head));
            let event_us = event_us.unwrap_or(head.received_at_us);
            let seen = self.ledger.see(head, key, number, event_us);
            let gaps = self.ledger.take_gaps().into_iter();
            judged.gaps.extend(gaps.map(|gap| (row, gap)));
            let fault = match seen {
                Ok(Seen::Next | Seen::Jump | Seen::Fills) => continue,
                Ok(Seen::Unchecked) => {
                    judged.unchecked.push(row);
                    continue;
                }
                Ok(Seen::Duplicate) => {
                    if let Some(place) = judged.places.get_mut(row) {
                        *place = Place::Duplicate;
                    }
                    continue;
                }
                Ok(Seen::Restarted) => Halt::Restarted {
                    head,
                    key: String::from_utf8_lossy(&self.text).into_owned(),
                },
                Err(exceeded) => Halt::Ledger(exceeded),
            };
            judged.places.truncate(row);
            return Some(fault);
        }
        None
    }
}

impl Judged {
    /// WHERE, for the rows that are no duplicates; gives the first row that it cannot be evaluated for.
    fn filter(&mut self, condition: &Expr, batch: &Batch) -> Option<(usize, Problem)> {
        let open = |(row, place): (u32, &Place)| (*place == Place::Open).then_some(row);
        let asked: Vec<u32> = (0..).zip(&self.places).filter_map(open).collect();
        let found = match asked.len() == batch.rows {
            true => filter(condition, batch),
            false => filter(condition, &batch.gather(&asked)),
        };
        let kept = match found {
            Ok(Kept::All) => return None,
            Ok(Kept::Rows(kept)) => kept,
            Err(_) => return self.filter_one_by_one(condition, batch, &asked),
        };
        let mut kept = kept.into_iter().peekable();
        for (at, row) in (0..).zip(asked) {
            if kept.next_if_eq(&at).is_none() {
                self.drop(row);
            }
        }
        None
    }

    /// Only then the row is known. There may be none, where the batch only computed too much text at once.
    #[cold]
    fn filter_one_by_one(
        &mut self,
        condition: &Expr,
        batch: &Batch,
        asked: &[u32],
    ) -> Option<(usize, Problem)> {
        for &row in asked {
            match filter(condition, &batch.gather(&[row])) {
                Ok(kept) if kept.count(1) == 1 => {}
                Ok(_) => self.drop(row),
                Err(problem) => return Some((row as usize, problem)),
            }
        }
        None
    }

    fn drop(&mut self, row: u32) {
        if let Some(place) = self.places.get_mut(row as usize) {
            *place = Place::Filtered;
        }
    }

    /// Counts the rows before `row` that were not counted yet.
    fn count(&mut self, row: usize, counts: &mut Counts) {
        for place in self.places.get(self.settled..row).unwrap_or_default() {
            let count = match place {
                Place::Used => &mut counts.used,
                Place::Filtered => &mut counts.filtered,
                Place::Duplicate => &mut counts.duplicate,
                Place::Late => &mut counts.late,
                // It was counted when it was told of.
                Place::Rejected | Place::Open => continue,
            };
            *count += 1;
            counts.read += 1;
        }
        self.settled = self.settled.max(row);
        let before = self.unchecked.partition_point(|&at| at < row);
        counts.unchecked += self.unchecked.drain(..before).len() as u64;
    }
}

fn lift<E>(stopped: Stopped, records: Records<'_>) -> Halt<E> {
    match stopped {
        Stopped::Full(full) => Halt::Full(full),
        Stopped::Problem(row, problem) => Halt::Problem {
            head: row.and_then(|row| records.head(row as usize)),
            problem: Box::new(problem),
        },
    }
}

/// A row that is found bad after it was decoded.
fn bad(row: usize, records: Records<'_>, column: usize, expected: &str, found: String) -> Bad {
    let (raw, offset_bytes) = records.decoded.record(row);
    let messages = records.decoded.messages;
    Bad {
        before: row,
        message: messages.get(row).copied().unwrap_or_default(),
        offset_bytes,
        column: Some(column),
        expected: expected.to_owned(),
        found,
        raw: kept(raw),
        total_bytes: raw.len() as u64,
    }
}

/// What is missing where there is a sequence.
fn open_gaps(sequence: Option<&Sequenced>) -> impl Iterator<Item = Gap> {
    let sequence = sequence.into_iter();
    sequence.flat_map(|sequence| sequence.ledger.open_gaps())
}

/// Whether an event time is one that nobody believes (SPEC 6).
#[inline]
fn is_ahead(event_us: i64, head: Head) -> bool {
    event_us.saturating_sub(head.received_at_us) > EVENT_AHEAD_US
}

/// The event time of a record, where it has one that is not too far ahead.
#[inline]
fn believed(times: &Vector, row: usize, head: Head) -> Option<i64> {
    int_at(times, row).filter(|&event_us| !is_ahead(event_us, head))
}

/// The integer at `row`; `None` for NULL.
#[inline]
fn int_at(vector: &Vector, row: usize) -> Option<i64> {
    match &vector.data {
        Data::Int(values) if vector.valid.is_valid(row) => values.get(row).copied(),
        Data::Boolean(_) | Data::Int(_) | Data::Wide(_) | Data::Double(_) | Data::Text(_) => None,
    }
}
