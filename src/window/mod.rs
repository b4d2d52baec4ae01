//! Event-time windows over messages in one order (SPEC 6): what each record is (rejected, duplicate, filtered, late or
//! used), when a window closes, and what is known to be missing. Pure, and decided record by record from what a capture
//! holds: a replay gives what the live run gave, however the messages come in blocks.
//!
//! `records` decides, a batch at a time; `ledger` knows sequences, `open` the windows that take records, `coverage` what is
//! there and what is not. One rollup a window, of the same code as a batch's; when the watermark reaches the window's end,
//! its rows go out and its memory is free.

mod coverage;
mod ledger;
mod open;
mod records;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::budget::{Budget, Exceeded};
use crate::decode::messages::{Bad, Messages};
use crate::limits::BATCH_ROWS;
use crate::message::{Block, Head};
use crate::query::Problem;
use crate::query::plan::{Expr, Groups, Windows};
use crate::rollup::Full;
use crate::value::column::{Column, Path};
use crate::value::vector::Batch;
use records::State;

pub use coverage::{Connection, Gap, Jump, Totals, Window};

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
    /// How many feeds there are; 0 where nobody knows, as in a replay: then those that there are messages of.
    pub feeds: usize,
    /// How many bad records there may be.
    pub rejects: u64,
    /// What all state may take.
    pub budget: Arc<Budget>,
}

/// Takes what becomes of the messages, in an order that does not depend on how they come in blocks.
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

    /// A window closed: what is known of it by now. [`Totals`] has what came later.
    fn closed(&mut self, window: &Window);

    /// Messages are missing.
    ///
    /// # Errors
    /// Its own.
    fn gap(&mut self, gap: &Gap) -> Result<(), Self::Error>;

    /// Event time went ahead by itself.
    ///
    /// # Errors
    /// Its own.
    fn jump(&mut self, jump: &Jump) -> Result<(), Self::Error>;
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
    /// So did what is known of windows, connections and sequences.
    Ledger(Exceeded),
}

/// Where the records of all messages went: each to exactly one place. A record that ended the run is read, and at none.
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
    messages: Messages,
    state: State<'p>,
}

impl<'p> Core<'p> {
    /// No message yet.
    #[must_use]
    pub fn new(terms: Terms<'p>) -> Self {
        Self {
            messages: Messages::new(terms.columns, terms.records),
            state: State::new(terms),
        }
    }

    /// Where the records went so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.state.counts
    }

    /// The newest event time, in microseconds since 1970.
    #[must_use]
    pub fn newest_us(&self) -> Option<i64> {
        self.state.newest_us()
    }

    /// How many windows are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.state.open.len()
    }

    /// The first KiB of the last message that held no record, a bad one, or one that WHERE dropped: a feed that refuses a
    /// subscription says so there.
    #[must_use]
    pub fn last_unused(&self) -> Option<&[u8]> {
        self.state.last_unused.as_deref()
    }

    /// What is missing in sequences by now, and may still come: the sink is told of it in the end.
    pub fn open_gaps(&self) -> impl Iterator<Item = Gap> {
        self.state.open_gaps()
    }

    /// Takes the messages of `block`, which follow those before.
    ///
    /// # Errors
    /// The first in the order of the messages, however they are cut into blocks; nothing can be taken after it.
    pub fn take<S: Sink>(&mut self, block: &Block, sink: &mut S) -> Result<(), Halt<S::Error>> {
        let all: Vec<(Head, &[u8])> = block.iter().collect();
        let Self { messages, state } = self;
        state.begin();
        messages.each(block, BATCH_ROWS, |decoded| {
            state.records(decoded, &all, sink)
        })?;
        state.end(&all, sink)
    }

    /// A feed lost its connection after the messages that were taken, or could not get one: its records are missing from
    /// here on, which no message tells and so no replay.
    pub fn lost(&mut self, feed: u32) {
        self.state.coverage.lost(feed);
    }

    /// Closes every window: no more messages come.
    ///
    /// # Errors
    /// What a window meets when it closes, and the sink's own.
    pub fn finish<S: Sink>(self, sink: &mut S) -> Result<Totals, Halt<S::Error>> {
        let met = self.messages.met().collect();
        self.state.finish(met, sink)
    }
}
