//! The sequencing point (SPEC 6): what feeds give gets its numbers here, and goes to capture and windows in that order, up to
//! the same last message.

use std::sync::Arc;
use std::time::Duration;

use super::parts::Parts;
use crate::clock::Clock;
use crate::command::windowed::{Written, lift, records};
use crate::config::values::OnBadRecord;
use crate::error::{Error, Kind, Result, shown};
use crate::feed::{Item, Messages, Queue};
use crate::limits::{BLOCK_BYTES, STREAM_LOOK};
use crate::log::{Event, Level, Log};
use crate::manifest::{GapLine, Records, utc};
use crate::message::{Block, Head};
use crate::value::column::Column;
use crate::window::{Core, Halt, Totals};

/// What a run has counted, for whatever document ends it.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) phase: &'static str,
    pub(super) records: Records,
    /// The latest gaps.
    pub(super) gaps: Vec<GapLine>,
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
    /// The connection of its last message, and when that was received.
    last: Option<(u32, i64)>,
    /// No message came since its connection ended.
    is_lost: bool,
}

impl OfFeed {
    fn message(&mut self, connection: u32, received_at_us: i64, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes as u64;
        self.last = Some((connection, received_at_us));
        self.is_lost = false;
    }

    /// The gap that no message has ended, where there is one.
    fn gap(&self, feed: u32) -> Option<GapLine> {
        let (connection, last_us) = self.last.filter(|_| self.is_lost)?;
        Some(GapLine::Disconnect {
            feed,
            connection,
            from: utc(last_us),
            to: None,
        })
    }
}

impl Tally {
    /// The gaps that no message has ended.
    pub(super) fn open_gaps(&self) -> impl Iterator<Item = GapLine> {
        (0..).zip(&self.feeds).filter_map(|(feed, of)| of.gap(feed))
    }

    fn of(&mut self, feed: u32) -> Option<&mut OfFeed> {
        self.feeds.get_mut(usize::try_from(feed).ok()?)
    }
}

/// See the module.
pub(super) struct Live<'run> {
    pub(super) core: Core<'run>,
    pub(super) parts: Option<&'run mut Parts>,
    pub(super) clock: &'run Arc<dyn Clock>,
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

    fn item(&mut self, item: Item, written: &mut Written<'_>, tally: &mut Tally) -> Result<()> {
        if let Item::Disconnected { feed, .. } = item
            && let Some(of_feed) = tally.of(feed)
        {
            of_feed.is_lost = true;
        }
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
        if !messages.is_empty() {
            tally.silent.retain(|&(_, silent)| silent != connection);
        }
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
            if let Some(of_feed) = tally.of(feed) {
                of_feed.message(connection, received_at_us, message.len());
            }
            if self.block.bytes() >= BLOCK_BYTES {
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
        let taken = self.core.take(&self.block, written);
        self.block.clear();
        tally.records = records(self.core.counts());
        taken.map_err(|halt| self.lift(halt))
    }

    fn lift(&self, halt: Halt<Error>) -> Error {
        lift(halt, self.query, self.columns, self.on_bad_record)
    }

    /// The error of a feed that went silent or away, with what it said last where the query had no use for that: a refused
    /// subscription is told in such a message.
    fn quoting(&self, error: Error) -> Error {
        let detail = error.detail();
        let Some(last) = self.core.last_filtered() else {
            return error;
        };
        if detail.kind != Kind::Unavailable {
            return error;
        }
        let said = shown(last, last.len());
        let found = format!(
            "{}; the last message that WHERE dropped: {said}",
            detail.found
        );
        let expected = detail.expected.as_str();
        let quoting = Error::new(
            detail.kind,
            detail.doing,
            expected,
            found,
            detail.advice.as_str(),
        );
        match &detail.place {
            Some(place) => quoting.at(place.clone()),
            None => quoting,
        }
    }

    fn progress(&self) {
        self.log.progress(|| {
            let newest = self.core.newest_us();
            let newest = newest.map_or_else(|| "none".to_owned(), utc);
            let rate = self.n as f64 / self.clock.elapsed().as_secs_f64().max(1.0);
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
