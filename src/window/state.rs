//! What is known of windows, feeds and connections: how much came, and what may be missing (SPEC 6, coverage).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Counts, Missing};
use crate::budget::{Budget, Charge, Exceeded};
use crate::message::Head;
use crate::rollup::Rollup;

/// A window that takes records.
#[derive(Debug)]
pub(super) struct Open<'p> {
    /// One past its last microsecond.
    pub(super) end: i64,
    pub(super) rollup: Rollup<'p>,
    /// For the rollup itself; its groups are charged by it.
    _charge: Charge,
}

impl<'p> Open<'p> {
    pub(super) fn new(
        end: i64,
        rollup: Rollup<'p>,
        budget: &Arc<Budget>,
    ) -> Result<Self, Exceeded> {
        let mut charge = Charge::new(budget);
        charge.add(OPEN_BYTES)?;
        Ok(Self {
            end,
            rollup,
            _charge: charge,
        })
    }
}

/// What an open window takes before its first group: its table, and a few empty columns a state.
const OPEN_BYTES: usize = 2_048;
/// What is kept of a window for good.
const WINDOW_BYTES: usize = 2 * size_of::<Window>() + 32;

/// What became of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its first microsecond, since 1970.
    pub start_us: i64,
    /// One past its last.
    pub end_us: i64,
    /// Records in its rows.
    pub used: u64,
    /// Records that came after it was closed.
    pub late: u64,
    /// Whether it may lack records by what is known: a connection began or ended in it, or it was still open at the end.
    pub is_partial: bool,
}

/// A stretch in which a feed had no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Whose.
    pub feed: u32,
    /// The connection that ended.
    pub connection: u32,
    /// When its last message was received.
    pub from_us: i64,
    /// When the first message of the next one was.
    pub to_us: i64,
}

/// One connection, by its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Its number over the run.
    pub connection: u32,
    /// The feed.
    pub feed: u32,
    /// How many came.
    pub messages: u64,
    /// When the first was received.
    pub first_us: i64,
    /// When the last was.
    pub last_us: i64,
}

/// What a run comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Totals {
    /// Where the records went.
    pub counts: Counts,
    /// Every window that a record fell into, by its start.
    pub windows: Vec<Window>,
    /// Every connection that gave a message, by its number.
    pub connections: Vec<Connection>,
    /// Between them.
    pub gaps: Vec<Gap>,
    /// Numbers that never came.
    pub missing: Vec<Missing>,
}

/// All of it, so far.
#[derive(Debug)]
pub(super) struct Coverage {
    windows: BTreeMap<i64, Window>,
    connections: BTreeMap<u32, Connection>,
    /// The last connection of each feed.
    last: BTreeMap<u32, u32>,
    gaps: Vec<Gap>,
    /// The last event of each feed, and its connection.
    events: BTreeMap<u32, (u32, i64)>,
    /// Stretches of event time in which records may lack, both ends included.
    doubtful: Vec<(i64, i64)>,
    unfinished: Vec<i64>,
    charge: Charge,
}

impl Coverage {
    pub(super) fn new(budget: &Arc<Budget>) -> Self {
        Self {
            windows: BTreeMap::new(),
            connections: BTreeMap::new(),
            last: BTreeMap::new(),
            gaps: Vec::new(),
            events: BTreeMap::new(),
            doubtful: Vec::new(),
            unfinished: Vec::new(),
            charge: Charge::new(budget),
        }
    }

    /// A message came; gives the gap that it ends.
    pub(super) fn message(&mut self, head: Head) -> Option<Gap> {
        let Head {
            received_at_us,
            feed,
            connection,
            ..
        } = head;
        if let Some(known) = self.connections.get_mut(&connection) {
            known.messages += 1;
            known.last_us = received_at_us;
            return None;
        }
        let first = Connection {
            connection,
            feed,
            messages: 1,
            first_us: received_at_us,
            last_us: received_at_us,
        };
        self.connections.insert(connection, first);
        let before = self.last.insert(feed, connection)?;
        let before = self.connections.get(&before)?;
        let gap = Gap {
            feed,
            connection: before.connection,
            from_us: before.last_us,
            to_us: received_at_us,
        };
        self.gaps.push(gap);
        Some(gap)
    }

    /// A record that is late or used came, of this event time.
    pub(super) fn event(&mut self, head: Head, event_us: i64) {
        let before = self.events.insert(head.feed, (head.connection, event_us));
        match before {
            Some((connection, _)) if connection == head.connection => {}
            Some((_, before_us)) => {
                let ends = (before_us.min(event_us), before_us.max(event_us));
                self.doubtful.push(ends);
            }
            None => self.doubtful.push((event_us, event_us)),
        }
    }

    /// The window, to count in.
    pub(super) fn window(&mut self, start_us: i64, end_us: i64) -> Result<&mut Window, Exceeded> {
        if !self.windows.contains_key(&start_us) {
            self.charge.add(WINDOW_BYTES)?;
        }
        Ok(self.windows.entry(start_us).or_insert(Window {
            start_us,
            end_us,
            used: 0,
            late: 0,
            is_partial: false,
        }))
    }

    /// The window, where there is one.
    pub(super) fn known(&self, start_us: i64) -> Option<&Window> {
        self.windows.get(&start_us)
    }

    /// A window was still open when the run ended.
    pub(super) fn unfinished(&mut self, start_us: i64) {
        self.unfinished.push(start_us);
    }

    pub(super) fn into_totals(mut self, counts: Counts, missing: Vec<Missing>) -> Totals {
        let last = self
            .events
            .values()
            .map(|&(_, event_us)| (event_us, event_us));
        self.doubtful.extend(last);
        for start in &self.unfinished {
            if let Some(window) = self.windows.get_mut(start) {
                window.is_partial = true;
            }
        }
        for &(from, to) in &self.doubtful {
            // Windows do not overlap: the first that may reach `from` is the one that starts last before it.
            let first = self.windows.range(..=from).next_back();
            let first = first.map_or(from, |(&start, _)| start);
            for (_, window) in self.windows.range_mut(first..=to) {
                window.is_partial |= window.end_us > from;
            }
        }
        Totals {
            counts,
            windows: self.windows.into_values().collect(),
            connections: self.connections.into_values().collect(),
            gaps: self.gaps,
            missing,
        }
    }
}
