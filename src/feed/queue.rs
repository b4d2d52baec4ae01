//! The one way from the threads of the feeds to the sequencing point: bounded by bytes, in the order of arrival (SPEC 6).
//!
//! Messages travel in batches, as many as one read of a connection gave, so that neither lock nor allocation is paid a
//! message. What is no message always finds room: there is little of it, and it must not be lost.

use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::error::Error;
use crate::limits::{ALLOCATION_BYTES, FEED_QUEUE_BYTES, FEED_WAIT};
use crate::stop::Stop;

/// What happened to a feed.
#[derive(Debug)]
pub enum Item {
    /// A handshake was accepted.
    Connected {
        /// The feed: its place in INPUT, from 0. The same below.
        feed: u32,
        /// The connection. They are numbered over the run, from 0, and come in that order.
        connection: u32,
        /// When: microseconds since 1970, by the wall clock. The same below.
        at_us: i64,
    },
    /// Messages of a connection that is up.
    Messages(Messages),
    /// A connection ended or could not be made; the feed is connected again.
    Disconnected {
        /// The feed.
        feed: u32,
        /// The connection; None where it never was up.
        connection: Option<u32>,
        /// When.
        at_us: i64,
        /// Why.
        error: Error,
        /// How long the feed waits first.
        retry_in: Duration,
    },
    /// The same, for good: nothing more comes of this feed, and the run cannot go on.
    Failed {
        /// The feed.
        feed: u32,
        /// The connection; None where it never was up.
        connection: Option<u32>,
        /// When.
        at_us: i64,
        /// Why.
        error: Error,
    },
}

/// Messages of one connection that were received together, in order.
///
/// Invariant: the ends rise; the last one is the length of the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Messages {
    /// The feed: its place in INPUT, from 0.
    pub feed: u32,
    /// The connection, numbered over the run, from 0.
    pub connection: u32,
    /// When the last byte of each was read: microseconds since 1970, by the wall clock.
    pub received_at_us: i64,
    /// The same by the monotonic clock, since the process started.
    pub received_at: Duration,
    ends: Vec<usize>,
    bytes: Vec<u8>,
}

/// See the module.
#[derive(Debug)]
pub struct Queue {
    state: Mutex<State>,
    /// There is something to take, or never will be.
    filled: Condvar,
    /// There is room.
    taken: Condvar,
}

#[derive(Debug)]
struct State {
    items: Vec<Item>,
    /// Memory of their messages.
    bytes: usize,
    /// Feeds that have not ended.
    feeds: usize,
    /// Connections so far.
    connections: u32,
}

/// Why a batch was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The run was stopped while it waited for room.
    Stopped,
    /// There was no room for [`FEED_WAIT`].
    Full,
}

/// How often a feed that waits for room looks whether the run was stopped.
const LOOK: Duration = Duration::from_millis(50);

impl Messages {
    /// None yet, of a connection of a feed.
    #[must_use]
    pub fn new(feed: u32, connection: u32, received_at_us: i64, received_at: Duration) -> Self {
        Self {
            feed,
            connection,
            received_at_us,
            received_at,
            ends: Vec::new(),
            bytes: Vec::new(),
        }
    }

    /// Makes room for messages of so many bytes together.
    pub(super) fn reserve(&mut self, bytes: usize) {
        self.bytes.reserve_exact(bytes);
    }

    /// Appends a message.
    pub fn push(&mut self, message: &[u8]) {
        self.bytes.extend_from_slice(message);
        self.ends.push(self.bytes.len());
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The messages, in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let places = starts.zip(&self.ends);
        places.map(|(start, &end)| self.bytes.get(start..end).unwrap_or_default())
    }

    /// Memory that they take.
    fn held(&self) -> usize {
        let ends = self.ends.capacity().saturating_mul(size_of::<usize>());
        let fixed = size_of::<Item>() + 2 * ALLOCATION_BYTES;
        self.bytes.capacity().saturating_add(ends + fixed)
    }
}

impl Queue {
    /// A queue for so many feeds.
    #[must_use]
    pub fn new(feeds: usize) -> Self {
        Self {
            state: Mutex::new(State {
                items: Vec::new(),
                bytes: 0,
                feeds,
                connections: 0,
            }),
            filled: Condvar::new(),
            taken: Condvar::new(),
        }
    }

    /// All that is there, in the order of arrival; nothing where nothing came within `wait`. None once all feeds have
    /// ended and all that they gave was taken.
    pub fn take(&self, wait: Duration) -> Option<Vec<Item>> {
        let is_quiet = |state: &mut State| state.items.is_empty() && state.feeds > 0;
        let waited = self.filled.wait_timeout_while(self.lock(), wait, is_quiet);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if state.items.is_empty() && state.feeds == 0 {
            return None;
        }
        state.bytes = 0;
        let items = mem::take(&mut state.items);
        drop(state);
        self.taken.notify_all();
        Some(items)
    }

    /// A connection is up: its number.
    pub(super) fn connected(&self, feed: u32, at_us: i64) -> u32 {
        let mut state = self.lock();
        let connection = state.connections;
        state.connections = connection.saturating_add(1);
        state.items.push(Item::Connected {
            feed,
            connection,
            at_us,
        });
        drop(state);
        self.filled.notify_one();
        connection
    }

    /// Appends what is no message.
    pub(super) fn tell(&self, item: Item) {
        self.lock().items.push(item);
        self.filled.notify_one();
    }

    /// Appends messages, when there is room.
    pub(super) fn push(
        &self,
        messages: Messages,
        clock: &dyn Clock,
        stop: &Stop,
    ) -> Result<(), Refused> {
        let mut state = self.lock();
        let mut since = None;
        while state.bytes >= FEED_QUEUE_BYTES {
            let now = clock.elapsed();
            if stop.cause().is_some() {
                return Err(Refused::Stopped);
            }
            if now.saturating_sub(*since.get_or_insert(now)) >= FEED_WAIT {
                return Err(Refused::Full);
            }
            let waited = self.taken.wait_timeout(state, LOOK);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state.bytes = state.bytes.saturating_add(messages.held());
        state.items.push(Item::Messages(messages));
        drop(state);
        self.filled.notify_one();
        Ok(())
    }

    /// A feed has ended: nothing more comes of it.
    pub(super) fn ended(&self) {
        let mut state = self.lock();
        state.feeds = state.feeds.saturating_sub(1);
        drop(state);
        self.filled.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A thread that panicked cannot have left it half written: what can fail is done before it is locked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::Ordering;
    use std::thread::scope;

    use super::*;
    use crate::clock::{ManualClock, SystemClock};
    use crate::stop::Cause;

    const LONG: Duration = Duration::from_secs(60);

    fn stop(clock: &Arc<impl Clock + 'static>) -> Stop {
        Stop::new(clock.clone(), Duration::from_secs(3_600), Duration::ZERO)
    }

    fn batch(feed: u32, bytes: usize) -> Messages {
        let mut messages = Messages::new(feed, 0, 5, Duration::ZERO);
        messages.push(&vec![7; bytes]);
        messages
    }

    #[test]
    fn messages_come_out_as_they_went_in() {
        let mut messages = Messages::new(1, 2, 3, Duration::ZERO);
        assert!(messages.is_empty() && messages.iter().next().is_none());
        let texts: [&[u8]; 4] = [b"", b"{}", b"", b"\xff"];
        texts.into_iter().for_each(|text| messages.push(text));
        assert_eq!(messages.iter().collect::<Vec<_>>(), texts);
        assert_eq!(messages.len(), 4);
    }

    #[test]
    fn items_come_in_the_order_of_arrival_and_connections_are_numbered_in_it() {
        let clock = Arc::new(SystemClock::start());
        let (queue, stop) = (Queue::new(2), stop(&clock));
        assert!(queue.take(Duration::ZERO).unwrap().is_empty());
        assert_eq!(queue.connected(1, 10), 0);
        queue.push(batch(1, 3), &*clock, &stop).unwrap();
        assert_eq!(queue.connected(0, 11), 1);
        queue.push(batch(0, 4), &*clock, &stop).unwrap();
        let of = |item: &Item| match item {
            Item::Connected {
                feed,
                connection,
                at_us,
            } => format!("{feed} {connection} at {at_us}"),
            Item::Messages(messages) => format!(
                "{} {:?}",
                messages.feed,
                messages.iter().map(<[u8]>::len).max()
            ),
            other @ (Item::Disconnected { .. } | Item::Failed { .. }) => format!("{other:?}"),
        };
        let found: Vec<String> = queue.take(LONG).unwrap().iter().map(of).collect();
        assert_eq!(found, ["1 0 at 10", "1 Some(3)", "0 1 at 11", "0 Some(4)"]);
        queue.ended();
        assert!(
            queue.take(Duration::ZERO).unwrap().is_empty(),
            "one feed is left"
        );
        queue.push(batch(0, 1), &*clock, &stop).unwrap();
        queue.ended();
        assert_eq!(
            queue.take(LONG).unwrap().len(),
            1,
            "what is left comes first"
        );
        assert!(queue.take(LONG).is_none());
    }

    #[test]
    fn whoever_takes_waits_for_the_first_item_or_the_end() {
        let queue = Queue::new(1);
        scope(|scope| {
            let taker = scope.spawn(|| queue.take(LONG).unwrap().len());
            queue.connected(0, 1);
            assert_eq!(taker.join().unwrap(), 1);
            let taker = scope.spawn(|| queue.take(LONG).is_none());
            queue.ended();
            assert!(taker.join().unwrap());
        });
    }

    #[test]
    fn f096_a_full_queue_makes_feeds_wait() {
        let clock = Arc::new(ManualClock::default());
        let (queue, stop) = (Queue::new(1), stop(&clock));
        // The longest message passes, though it alone fills the queue.
        queue
            .push(batch(0, FEED_QUEUE_BYTES), &*clock, &stop)
            .unwrap();
        // What is no message passes too.
        queue.connected(0, 1);
        scope(|scope| {
            let pusher = scope.spawn(|| queue.push(batch(0, 1), &*clock, &stop));
            assert_eq!(queue.take(LONG).unwrap().len(), 2);
            assert_eq!(pusher.join().unwrap(), Ok(()));
        });
        queue
            .push(batch(0, FEED_QUEUE_BYTES), &*clock, &stop)
            .unwrap();
        scope(|scope| {
            let pusher = scope.spawn(|| queue.push(batch(0, 1), &*clock, &stop));
            let wait = || stop.wait(Duration::from_millis(100));
            wait();
            clock.elapsed_ms.store(9_999, Ordering::SeqCst);
            wait();
            assert!(!pusher.is_finished());
            // It began to wait at 0, or later where the machine is busy.
            while !pusher.is_finished() {
                clock.elapsed_ms.fetch_add(1, Ordering::SeqCst);
                stop.wait(Duration::from_millis(1));
            }
            assert_eq!(pusher.join().unwrap(), Err(Refused::Full));
            let pusher = scope.spawn(|| queue.push(batch(0, 1), &*clock, &stop));
            stop.request(Cause::Sigterm);
            assert_eq!(pusher.join().unwrap(), Err(Refused::Stopped));
        });
        assert_eq!(queue.take(LONG).unwrap().len(), 2, "what was taken stays");
    }

    #[test]
    fn tiny_messages_are_charged_with_what_they_take() {
        let clock = Arc::new(SystemClock::start());
        let (queue, stop) = (Queue::new(1), stop(&clock));
        let mut pushed = 0_usize;
        stop.request(Cause::Sigterm);
        while queue.push(batch(0, 0), &*clock, &stop).is_ok() {
            pushed += 1;
        }
        assert!((20_000..200_000).contains(&pushed), "{pushed}");
    }
}
