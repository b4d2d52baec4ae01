//! WebSocket feeds: connected, kept alive and read by a thread each, into one bounded [`Queue`] (SPEC 6 and 10).
//!
//! A feed decides nothing about records. It answers pings, notices when the other side is silent, gone or breaks its
//! protocol, and says so with the exit code that it means. No message is dropped while a run goes on: what was read
//! whole is in the queue, or the feed fails. Where it is stopped, what still waits for room in the queue was never received.

mod end;
mod handshake;
mod link;
mod queue;
mod session;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{Builder, Scope};
use std::time::Duration;

use self::session::Session;
use crate::clock::Clock;
use crate::config::redact::Secrets;
use crate::error::{Error, Kind, Result};
use crate::http::{Client, Header};
use crate::limits::{RECONNECT_FIRST, RECONNECT_LONGEST};
use crate::random::Random;
use crate::stop::{Cause, Stop};

pub use self::queue::{Item, Messages, Queue};

/// What all feeds of a run have in common, and where each is.
pub struct Settings {
    /// The feeds, in the order of INPUT.
    pub feeds: Vec<Address>,
    /// Headers of the handshake, besides those of the protocol; names in lower case.
    pub headers: Vec<Header>,
    /// Texts to send after each connect, in this order.
    pub subscribe: Vec<String>,
    /// What the client sends unasked.
    pub heartbeat: Option<Heartbeat>,
    /// What nothing may show of what a feed says.
    pub secrets: Secrets,
    /// Longest time without a data message.
    pub idle: Duration,
    /// Most times that feeds are connected again, in the whole run and over all of them. 0: a feed that is lost ends
    /// the run.
    pub reconnects: u32,
}

/// Where a feed is.
pub struct Address {
    /// `wss://host[:port]/path?query`, or `ws://`, for the handshake.
    pub uri: String,
    /// The same as errors show it, without secrets.
    pub shown: String,
}

/// HEARTBEAT
pub struct Heartbeat {
    /// How often.
    pub every: Duration,
    /// The text message to send; None: a ping.
    pub text: Option<String>,
}

/// The feeds of a run, with what they work in.
#[derive(Clone, Copy, Debug)]
pub struct Feeds<'run> {
    /// What they are.
    pub settings: &'run Settings,
    /// What connects them.
    pub client: &'run Client,
    /// When it is.
    pub clock: &'run Arc<dyn Clock>,
    /// For waits that differ.
    pub random: &'run dyn Random,
    /// Where what they read goes.
    pub queue: &'run Queue,
    /// What ends them: the run's, or a part of it, so that one that failed can end the others.
    pub stop: &'run Stop,
}

impl<'run> Feeds<'run> {
    /// Starts a thread a feed. They end when they are stopped, within a tenth of a second, or when they fail;
    /// [`Queue::take`] says when all have.
    ///
    /// # Errors
    /// 74 where a thread cannot be had; those that were started are stopped.
    pub fn start<'scope>(self, scope: &'scope Scope<'scope, '_>) -> Result<()>
    where
        'run: 'scope,
    {
        let left = Arc::new(AtomicU32::new(self.settings.reconnects));
        for (feed, address) in (0..).zip(&self.settings.feeds) {
            let left = left.clone();
            let thread = Builder::new()
                .name(format!("feed {feed}"))
                .spawn_scoped(scope, move || self.run(feed, address, &left));
            if let Err(cause) = thread {
                self.stop.request(Cause::Failure);
                return Err(Error::new(
                    Kind::LocalIo,
                    "starting",
                    "a thread for each feed",
                    cause.to_string(),
                    "allow the process more threads",
                ));
            }
        }
        Ok(())
    }

    /// The life of one feed. `left` is how often feeds may still be connected again.
    fn run(self, feed: u32, address: &Address, left: &AtomicU32) {
        let _ended = Ended(self.queue);
        for attempt in 0.. {
            let Err(lost) = self.connect_and_read(feed, address) else {
                return;
            };
            let Lost {
                connection,
                error,
                may_pass,
            } = lost;
            // What breaks as the run is stopped breaks nothing.
            if self.stop.cause().is_some() {
                return;
            }
            let at_us = self.clock.wall_us();
            if !may_pass || !is_one_left(left) {
                let error = match may_pass {
                    true => self.last_error(error),
                    false => error,
                };
                return self.queue.tell(Item::Failed {
                    feed,
                    connection,
                    at_us,
                    error,
                });
            }
            let retry_in = self.pause(attempt);
            self.queue.tell(Item::Disconnected {
                feed,
                connection,
                at_us,
                error,
                retry_in,
            });
            if self.stop.wait(retry_in) {
                return;
            }
        }
    }

    /// One connection, from dialling to its end.
    fn connect_and_read(&self, feed: u32, address: &Address) -> std::result::Result<(), Lost> {
        let upgrade = self.shake_hands(address).map_err(|error| Lost {
            connection: None,
            may_pass: error.kind() == Kind::Unavailable,
            error,
        })?;
        let connection = self.queue.connected(feed, self.clock.wall_us());
        let session = Session::new(*self, feed, connection, upgrade);
        session.run().map_err(|end| {
            let is_of_the_run = end.is_of_the_run();
            let error = end.error(&address.shown, &self.settings.secrets);
            Lost {
                connection: Some(connection),
                may_pass: !is_of_the_run && error.kind() == Kind::Unavailable,
                error,
            }
        })
    }

    /// What ends the run.
    fn last_error(&self, error: Error) -> Error {
        let limit = self.settings.reconnects;
        if limit == 0 {
            return error;
        }
        let found = format!(
            "{}; and reconnect:{limit} is used up by this and earlier ones, of all feeds",
            error.detail().found
        );
        error.with_found(found).with_advice(
            "allow more in WINDROW_ON_DISCONNECT, or look at why the feed is lost so often",
        )
    }

    /// How long a feed waits before it is connected again for the `attempt`th time, from 0: 1 s doubling to 30 s, of which
    /// it waits at least half. A success resets nothing: a feed that takes connections and drops them is not pressed.
    fn pause(&self, attempt: u32) -> Duration {
        let factor = 1_u32.checked_shl(attempt).unwrap_or(u32::MAX);
        let longest = RECONNECT_FIRST
            .saturating_mul(factor)
            .min(RECONNECT_LONGEST);
        let mut byte = [u8::MAX];
        // Without entropy the longest pause is as good as any.
        let _ = self.random.fill(&mut byte);
        let [jitter] = byte.map(u32::from);
        longest / 2 + longest / 2 * jitter / u32::from(u8::MAX)
    }
}

/// Why a feed has no connection.
struct Lost {
    /// Which it had, where it was up.
    connection: Option<u32>,
    error: Error,
    /// Whether another connection may do better.
    may_pass: bool,
}

/// Takes one of what is left, where there is one.
fn is_one_left(left: &AtomicU32) -> bool {
    let take = |left: u32| left.checked_sub(1);
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
        .is_ok()
}

/// Says that a feed has ended, however it did.
struct Ended<'a>(&'a Queue);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.ended();
    }
}

/// The addresses as they are shown: everything else may be a secret.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.feeds.iter().map(|address| &address.shown);
        f.debug_list().entries(shown).finish()
    }
}
