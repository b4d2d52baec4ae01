//! What is known of windows, feeds and connections: how much came, and what may be missing (SPEC 6, coverage).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Counts;
use super::open::Span;
use crate::budget::{Budget, Charge, Exceeded};
use crate::decode::Met;
use crate::limits::JUMP_US;
use crate::message::Head;
use crate::query::plan::{Bucket, Windows};

/// What became of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its first microsecond, since 1970.
    pub start_us: i64,
    /// One past its last.
    pub end_us: i64,
    /// Records in its rows.
    pub used: u64,
    /// Groups of these records, before HAVING.
    pub groups: u64,
    /// Its rows.
    pub rows: u64,
    /// Records that came after it was closed.
    pub late: u64,
    /// Whether it may lack records by what is known: of a feed that had no connection for it, or one that began or ended in
    /// it; or numbers of a sequence; or as it was still open at the end.
    pub is_partial: bool,
}

/// Messages that are known to be missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gap {
    /// A feed had no connection.
    Disconnect {
        /// Whose.
        feed: u32,
        /// The connection that ended.
        connection: u32,
        /// When its last message was received.
        from_us: i64,
        /// When the first message of the next one was.
        to_us: i64,
    },
    /// Numbers of a sequence that did not come, or came so late that nobody could say so.
    Sequence {
        /// The key, as text; `None` for NULL.
        key: Option<String>,
        /// The connection that the numbers are of, where they start anew with each.
        connection: Option<u32>,
        /// The first number that is missing.
        from: i64,
        /// The last.
        to: i64,
        /// Event time of the record before them; where it has none that can be believed, when it was received.
        after_us: i64,
        /// The same of the record after them.
        before_us: i64,
    },
}

/// A record that took the newest event time further ahead than the time of receipt went, and closed what was open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jump {
    /// Its message.
    pub head: Head,
    /// The newest event time before it; `None` where it was the first.
    pub from_us: Option<i64>,
    /// Its event time.
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
    /// Every window that a record fell into, by its start. One that only late records fell into was closed before it had any.
    pub windows: Vec<Window>,
    /// Every connection that gave a message, by its number.
    pub connections: Vec<Connection>,
    /// How many gaps the sink was told of.
    pub gaps: u64,
    /// How many jumps.
    pub jumps: u64,
    /// What was met of each column.
    pub met: Vec<Met>,
}

/// The newest event time of all feeds, and the watermark behind it.
#[derive(Debug)]
pub(super) struct Watermark {
    lateness_us: i64,
    /// With the time of its receipt.
    newest: Option<(i64, i64)>,
    /// What it is behind the newest; nothing is before any came.
    pub(super) us: i64,
}

impl Watermark {
    pub(super) fn new(lateness_us: i64) -> Self {
        Self {
            lateness_us,
            newest: None,
            us: i64::MIN,
        }
    }

    pub(super) fn newest_us(&self) -> Option<i64> {
        self.newest.map(|(event_us, _)| event_us)
    }

    /// A record that is late or used came.
    #[inline]
    pub(super) fn advance(&mut self, head: Head, event_us: i64) -> Option<Jump> {
        let before = self.newest_us();
        if before.is_some_and(|newest| event_us <= newest) {
            return None;
        }
        let received_us = head.received_at_us;
        let expected_us = match self.newest {
            Some((newest, received)) => {
                newest.saturating_add(received_us.saturating_sub(received).max(0))
            }
            None => received_us,
        };
        self.newest = Some((event_us, received_us));
        self.us = event_us.saturating_sub(self.lateness_us);
        (event_us.saturating_sub(expected_us) > JUMP_US).then_some(Jump {
            head,
            from_us: before,
            to_us: event_us,
        })
    }
}

/// All that is known so far.
#[derive(Debug)]
pub(super) struct Coverage {
    windows: BTreeMap<i64, Window>,
    /// How many feeds there are; 0 where nobody knows.
    of: usize,
    lateness_us: i64,
    /// Those that gave a message.
    feeds: BTreeMap<u32, Feed>,
    /// Connections that ended.
    ended: Vec<Connection>,
    doubts: Doubts,
    charge: Charge,
}

/// Stretches of event time in which records may lack, of whole windows: first and last microsecond, rising.
///
/// Invariant: they neither overlap nor touch, so that there are no more of them than windows that something is known of.
#[derive(Debug)]
struct Doubts {
    bucket: Bucket,
    stretches: Vec<(i64, i64)>,
    charge: Charge,
}

/// What is kept of a stretch for good, in a vector that may be half empty.
const STRETCH_BYTES: usize = 2 * size_of::<(i64, i64)>();

impl Doubts {
    /// Records may lack from one to the other, both included, whichever is the first: clocks are set back.
    fn add(&mut self, one_us: i64, other_us: i64) -> Result<(), Exceeded> {
        let mut from_us = one_us.min(other_us);
        let mut to_us = one_us.max(other_us);
        // The ends of time are in no window.
        if from_us > i64::MIN {
            from_us = Span::of(from_us, self.bucket).map_or(from_us, |span| span.start_us);
        }
        if to_us < i64::MAX {
            to_us = Span::of(to_us, self.bucket).map_or(to_us, |span| span.end_us - 1);
        }
        // Those that overlap or touch become one.
        let (before, after) = (from_us.saturating_sub(1), to_us.saturating_add(1));
        let first = self.stretches.partition_point(|&(_, to)| to < before);
        let end = self.stretches.partition_point(|&(from, _)| from <= after);
        for (from, to) in self.stretches.drain(first..end) {
            (from_us, to_us) = (from_us.min(from), to_us.max(to));
        }
        if first == end {
            self.charge.add(STRETCH_BYTES)?;
        }
        self.stretches.insert(first, (from_us, to_us));
        Ok(())
    }

    /// Whether a window is in one.
    fn hold(&self, span: Span) -> bool {
        let place = self
            .stretches
            .partition_point(|&(_, to)| to < span.start_us);
        let after = self.stretches.get(place);
        after.is_some_and(|&(from, _)| from < span.end_us)
    }
}

/// What is known of a feed.
///
/// Invariant: it begins doubtful, so it is so while it has no record.
#[derive(Debug)]
struct Feed {
    /// The last one.
    connection: Connection,
    /// Whether that gave no record yet.
    is_new: bool,
    /// Its newest event time; before all others where it has no record.
    newest_us: i64,
    /// Whether records may lack from there on: until one comes that is as new.
    is_doubtful: bool,
}

impl Feed {
    /// From where on records may lack, without an end by now: those that were out of order when it was lost, too.
    fn missing_us(&self, lateness_us: i64) -> Option<i64> {
        let from_us = self.newest_us.saturating_sub(lateness_us);
        self.is_doubtful.then_some(from_us)
    }
}

/// What is kept of a window for good, in a map that may be half empty.
const WINDOW_BYTES: usize = 2 * (size_of::<i64>() + size_of::<Window>());
/// What is kept of a connection for good, in vectors that may be half empty.
const CONNECTION_BYTES: usize = 2 * (size_of::<Connection>() + size_of::<Feed>());

impl Coverage {
    /// Of so many feeds, or of those that there are messages of.
    pub(super) fn new(feeds: usize, windows: &Windows, budget: &Arc<Budget>) -> Self {
        Self {
            windows: BTreeMap::new(),
            of: feeds,
            lateness_us: windows.lateness_us,
            feeds: BTreeMap::new(),
            ended: Vec::new(),
            doubts: Doubts {
                bucket: windows.bucket,
                stretches: Vec::new(),
                charge: Charge::new(budget),
            },
            charge: Charge::new(budget),
        }
    }

    /// A message came; gives the gap that it ends.
    #[inline]
    pub(super) fn message(&mut self, head: Head) -> Result<Option<Gap>, Exceeded> {
        if let Some(feed) = self.feeds.get_mut(&head.feed)
            && feed.connection.connection == head.connection
        {
            feed.connection.messages += 1;
            feed.connection.last_us = head.received_at_us;
            return Ok(None);
        }
        self.connect(head)
    }

    /// The first message of a connection came.
    fn connect(&mut self, head: Head) -> Result<Option<Gap>, Exceeded> {
        let Head {
            received_at_us,
            feed,
            connection,
            ..
        } = head;
        self.charge.add(CONNECTION_BYTES)?;
        let first = Connection {
            connection,
            feed,
            messages: 1,
            first_us: received_at_us,
            last_us: received_at_us,
        };
        let Some(known) = self.feeds.get_mut(&feed) else {
            // Event time is about that of receipt. What a connection begins with may be older, as a snapshot is.
            self.doubts.add(i64::MIN, received_at_us)?;
            let begun = Feed {
                connection: first,
                is_new: true,
                newest_us: i64::MIN,
                is_doubtful: true,
            };
            self.feeds.insert(feed, begun);
            return Ok(None);
        };
        let before = std::mem::replace(&mut known.connection, first);
        (known.is_new, known.is_doubtful) = (true, true);
        self.doubts.add(before.last_us, received_at_us)?;
        self.ended.push(before);
        Ok(Some(Gap::Disconnect {
            feed,
            connection: before.connection,
            from_us: before.last_us,
            to_us: received_at_us,
        }))
    }

    /// Numbers of a sequence are missing: records between those around them.
    pub(super) fn missing(&mut self, after_us: i64, before_us: i64) -> Result<(), Exceeded> {
        self.doubts.add(after_us, before_us)
    }

    /// A feed lost its connection, which no message tells.
    pub(super) fn lost(&mut self, feed: u32) {
        if let Some(feed) = self.feeds.get_mut(&feed) {
            feed.is_doubtful = true;
        }
    }

    /// A record that is late, used or a duplicate came, of this event time.
    #[inline]
    pub(super) fn event(&mut self, head: Head, event_us: i64) -> Result<(), Exceeded> {
        let Some(feed) = self.feeds.get_mut(&head.feed) else {
            return Ok(());
        };
        if feed.is_doubtful {
            // What a connection begins with may be older than what was missed, as a snapshot is: that goes on until a
            // record is as new as the newest before.
            if event_us >= feed.newest_us {
                let from_us = feed.missing_us(self.lateness_us).unwrap_or(event_us);
                self.doubts.add(from_us, event_us)?;
                feed.is_doubtful = false;
            } else if feed.is_new {
                self.doubts.add(event_us, event_us)?;
            }
            feed.is_new = false;
        }
        feed.newest_us = feed.newest_us.max(event_us);
        Ok(())
    }

    /// A window opened, or a late record came for one that never did.
    pub(super) fn window(&mut self, span: Span) -> Result<&mut Window, Exceeded> {
        if !self.windows.contains_key(&span.start_us) {
            self.charge.add(WINDOW_BYTES)?;
        }
        Ok(self.windows.entry(span.start_us).or_insert(Window {
            start_us: span.start_us,
            end_us: span.end_us,
            used: 0,
            groups: 0,
            rows: 0,
            late: 0,
            is_partial: false,
        }))
    }

    /// A window closed with these records, groups and rows; gives what is known of it.
    pub(super) fn close(&mut self, span: Span, counts: [u64; 3], is_open: bool) -> Option<Window> {
        let window = self.windows.get_mut(&span.start_us)?;
        [window.used, window.groups, window.rows] = counts;
        window.is_partial |= is_open;
        let mut known = *window;
        let feeds = self.feeds.values();
        let mut missing = feeds.filter_map(|feed| feed.missing_us(self.lateness_us));
        known.is_partial |= self.is_one_unheard()
            || self.doubts.hold(span)
            || missing.any(|from_us| from_us < span.end_us);
        Some(known)
    }

    /// Whether a feed gave no message.
    fn is_one_unheard(&self) -> bool {
        self.feeds.len() < self.of
    }

    /// The windows and the connections in the end: every connection has ended.
    pub(super) fn finish(mut self) -> Result<(Vec<Window>, Vec<Connection>), Exceeded> {
        for feed in self.feeds.values() {
            let (newest_us, last_us) = (feed.newest_us, feed.connection.last_us);
            match feed.missing_us(self.lateness_us) {
                Some(from_us) => self.doubts.add(from_us, i64::MAX)?,
                None => self.doubts.add(newest_us, newest_us)?,
            }
            self.doubts.add(last_us, last_us)?;
        }
        if self.is_one_unheard() {
            self.doubts.add(i64::MIN, i64::MAX)?;
        }
        for window in self.windows.values_mut() {
            let span = Span {
                start_us: window.start_us,
                end_us: window.end_us,
            };
            window.is_partial |= self.doubts.hold(span);
        }
        let mut connections = self.ended;
        connections.extend(self.feeds.into_values().map(|feed| feed.connection));
        connections.sort_unstable_by_key(|one| (one.connection, one.first_us));
        Ok((self.windows.into_values().collect(), connections))
    }
}
