//! The sequencing point (SPEC 6): what feeds give gets its numbers here, and goes to capture and windows in that order, up to
//! the same last message.

use std::sync::Arc;
use std::time::Duration;

use super::parts::Parts;
use crate::clock::Clock;
use crate::command::windowed::{Written, gap_line, lift, records};
use crate::config::redact::Secrets;
use crate::config::values::OnBadRecord;
use crate::error::{Error, Kind, Result};
use crate::feed::{Item, Messages, Queue};
use crate::limits::{BLOCK_BYTES, FAILURE_GAPS, STREAM_LOOK};
use crate::log::{Event, Level, Log};
use crate::manifest::{GapLine, Records, utc};
use crate::message::{Block, Head};
use crate::stop::Stop;
use crate::value::column::Column;
use crate::window::{Core, Halt, Totals};

/// What a run has counted, for whatever document ends it.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) phase: &'static str,
    pub(super) records: Records,
    /// The latest gaps.
    pub(super) gaps: Vec<GapLine>,
    /// Those that were before the first message of a feed.
    before: Vec<GapLine>,
    /// By feed.
    pub(super) feeds: Vec<OfFeed>,
    /// Feed and number of each connection that has given no message.
    pub(super) silent: Vec<(u32, u32)>,
}

/// What came of a feed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OfFeed {
    pub(super) messages: u64,
    /// Their bytes.
    pub(super) bytes: u64,
    /// The connection of its last message.
    connection: Option<u32>,
    /// When that was received; before the first, when the feeds were started.
    last_us: i64,
    /// No message came since its connection ended, or could not be made.
    is_lost: bool,
}

impl OfFeed {
    /// The gap that it is in, or that a message received at `to_us` ends, where there is one.
    fn gap(&self, feed: u32, to_us: Option<i64>) -> Option<GapLine> {
        self.is_lost.then(|| GapLine::Disconnect {
            feed,
            connection: self.connection,
            from: utc(self.last_us),
            to: to_us.map(utc),
        })
    }
}

impl Tally {
    /// Of so many feeds that are started now.
    pub(super) fn started(feeds: usize, now_us: i64) -> Self {
        let feed = OfFeed {
            last_us: now_us,
            ..OfFeed::default()
        };
        Self {
            phase: "streaming",
            feeds: vec![feed; feeds],
            ..Self::default()
        }
    }

    /// The gaps that no message tells of, so that windows do not know them: before the first of a feed, and in the end.
    pub(super) fn untold_gaps(&self) -> Vec<GapLine> {
        let feeds = (0..).zip(&self.feeds);
        let open = feeds.filter_map(|(feed, of)| of.gap(feed, None));
        self.before.iter().cloned().chain(open).collect()
    }

    /// A message came.
    fn message(&mut self, head: Head, bytes: usize) {
        let feed = usize::try_from(head.feed).unwrap_or(usize::MAX);
        let Some(of) = self.feeds.get_mut(feed) else {
            return;
        };
        if of.connection != Some(head.connection) {
            let silent = &mut self.silent;
            silent.retain(|&(_, silent)| silent != head.connection);
            if of.connection.is_none() {
                let gap = of.gap(head.feed, Some(head.received_at_us));
                self.before.extend(gap);
            }
        }
        of.messages += 1;
        of.bytes += bytes as u64;
        (of.connection, of.last_us) = (Some(head.connection), head.received_at_us);
        of.is_lost = false;
    }

    /// A feed has no connection.
    fn lost(&mut self, feed: u32) {
        let feed = usize::try_from(feed).unwrap_or(usize::MAX);
        if let Some(of) = self.feeds.get_mut(feed) {
            of.is_lost = true;
        }
    }
}

/// See the module.
pub(super) struct Live<'run> {
    pub(super) core: Core<'run>,
    pub(super) parts: Option<&'run mut Parts>,
    pub(super) clock: &'run Arc<dyn Clock>,
    pub(super) stop: &'run Stop,
    /// What nothing may show of what a feed says.
    pub(super) secrets: &'run Secrets,
    pub(super) log: &'run Log,
    pub(super) query: &'run str,
    pub(super) columns: &'run [Column],
    pub(super) on_bad_record: OnBadRecord,
    /// What was numbered and is not handed on yet.
    pub(super) block: Block,
    /// When the first message of that was received, by the monotonic clock.
    pub(super) since: Duration,
    /// Number of the last message.
    pub(super) n: u64,
    /// What was told of it last.
    pub(super) pace: Pace,
}

/// How fast messages come, by what came in the last second or more.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    since: Duration,
    n: u64,
    per_second: f64,
}

impl Pace {
    fn at(&mut self, now: Duration, n: u64) -> f64 {
        let seconds = now.saturating_sub(self.since).as_secs_f64();
        if seconds >= 1.0 {
            *self = Self {
                since: now,
                n,
                per_second: n.saturating_sub(self.n) as f64 / seconds,
            };
        }
        self.per_second
    }
}

impl Live<'_> {
    /// Takes what the feeds give, until all have ended: because the run was stopped, or with an error.
    ///
    /// # Errors
    /// What ended a feed; the first fault in the order of the messages; those of the store.
    pub(super) fn run(
        &mut self,
        queue: &Queue,
        written: &mut Written<'_>,
        tally: &mut Tally,
    ) -> Result<()> {
        while let Some(items) = queue.take(STREAM_LOOK) {
            for item in items {
                self.item(item, written, tally)?;
            }
            self.hand_on(written, tally)?;
            if let Some(parts) = &mut self.parts {
                parts.tick()?;
            }
            self.progress();
        }
        Ok(())
    }

    /// Closes every window: no more messages come. The last part is on its way meanwhile, and acknowledged when this returns.
    ///
    /// # Errors
    /// What a window meets when it closes; those of the artifacts and of the capture.
    pub(super) fn finish(mut self, written: &mut Written<'_>) -> Result<Totals> {
        if let Some(parts) = &mut self.parts {
            parts.seal()?;
        }
        let (query, columns, on_bad_record) = (self.query, self.columns, self.on_bad_record);
        let finished = self.core.finish(written);
        let totals = finished.map_err(|halt| lift(halt, query, columns, on_bad_record))?;
        if let Some(parts) = self.parts {
            parts.finish()?;
        }
        Ok(totals)
    }

    /// What is missing in sequences where the run ends now.
    pub(super) fn missing(&self) -> impl Iterator<Item = GapLine> {
        let gaps = self.core.open_gaps().take(FAILURE_GAPS);
        gaps.map(|gap| gap_line(&gap))
    }

    fn item(&mut self, item: Item, written: &mut Written<'_>, tally: &mut Tally) -> Result<()> {
        match item {
            Item::Messages(messages) => self.number(&messages, written, tally),
            Item::Connected {
                feed, connection, ..
            } => {
                tally.silent.push((feed, connection));
                Ok(())
            }
            Item::Disconnected {
                feed,
                error,
                retry_in,
                ..
            } => {
                self.hand_on(written, tally)?;
                self.core.lost(feed);
                tally.lost(feed);
                let seconds = retry_in.as_secs_f64();
                let text =
                    format!("feed {feed} is lost, connecting again in {seconds:.1} s: {error}");
                let event = Event::info("gap", text).with("feed", feed);
                let level = Level::Warning;
                self.log.event(&Event { level, ..event });
                Ok(())
            }
            Item::Failed { error, .. } => {
                self.hand_on(written, tally)?;
                Err(self.quoting(error))
            }
        }
    }

    /// Gives messages their numbers.
    fn number(
        &mut self,
        messages: &Messages,
        written: &mut Written<'_>,
        tally: &mut Tally,
    ) -> Result<()> {
        let (feed, connection) = (messages.feed, messages.connection);
        let received_at_us = messages.received_at_us;
        for message in messages.iter() {
            self.n += 1;
            let head = Head {
                n: self.n,
                received_at_us,
                feed,
                connection,
            };
            self.since = match self.block.is_empty() {
                true => messages.received_at,
                false => self.since.min(messages.received_at),
            };
            self.block.push(head, message);
            tally.message(head, message.len());
            if self.block.held() >= BLOCK_BYTES {
                self.hand_on(written, tally)?;
            }
        }
        Ok(())
    }

    /// The numbered messages go to the capture and then through the windows, so that what a run fails at can be replayed.
    fn hand_on(&mut self, written: &mut Written<'_>, tally: &mut Tally) -> Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        if let Some(parts) = &mut self.parts {
            parts.take(&self.block, self.since)?;
            parts.tick()?;
        }
        self.require_time()?;
        let taken = self.core.take(&self.block, written);
        self.block.clear();
        tally.records = records(self.core.counts());
        taken.map_err(|halt| self.lift(halt))
    }

    /// What came before the feeds ended is taken within the drain, or the run says that it was not.
    fn require_time(&self) -> Result<()> {
        let left = self.stop.before_result().remaining_with_drain();
        if !left.is_zero() {
            return Ok(());
        }
        Err(Error::new(
            Kind::Interrupted,
            "draining",
            "time for the messages that wait, and for a result after them",
            "that some still wait",
            "give the run a longer drain (DRAIN_SECONDS), or a feed that it keeps up with",
        ))
    }

    fn lift(&self, halt: Halt<Error>) -> Error {
        let error = lift(halt, self.query, self.columns, self.on_bad_record);
        // A message that is no record may be what the feed says of what was sent to it.
        let found = self.secrets.without(&error.detail().found);
        error.with_found(found)
    }

    /// The error of a feed that went silent or away, with what it said last where the query had no use for that: a refused
    /// subscription is told in such a message.
    fn quoting(&self, error: Error) -> Error {
        match self.core.last_unused() {
            Some(last) if error.kind() == Kind::Unavailable => {
                let said = self.secrets.shown(last, 2 * last.len());
                let found = format!(
                    "{}; the last message without a record for WHERE: {said}",
                    error.detail().found
                );
                error.with_found(found)
            }
            Some(_) | None => error,
        }
    }

    fn progress(&mut self) {
        self.log.progress(|| {
            let newest = self.core.newest_us();
            let newest = newest.map_or_else(|| "none".to_owned(), utc);
            let rate = self.pace.at(self.clock.elapsed(), self.n);
            let stored = self.parts.as_ref().map(|parts| parts.totals());
            let captured = stored.map_or_else(String::new, |totals| {
                format!(", {} parts of {} bytes durable", totals.count, totals.bytes)
            });
            format!(
                "{} messages, {rate:.0} a second, event time {newest}, {} windows open{captured}",
                self.n,
                self.core.open()
            )
        });
    }
}
