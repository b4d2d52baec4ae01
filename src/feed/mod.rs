//! WebSocket feeds: connected, kept alive and read by a thread each, into one bounded [`Queue`] (SPEC 6 and 10).
//!
//! A feed decides nothing about records. It answers pings, notices when the other side is silent, gone or breaks its
//! protocol, and says so with the exit code that it means. Nothing is dropped: what was read whole is in the queue, or
//! the feed fails.

mod queue;

use std::fmt;
use std::thread::Scope;
use std::time::Duration;

use crate::clock::Clock;
use crate::error::Result;
use crate::http::{Client, Header};
use crate::random::Random;
use crate::stop::Stop;

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
    pub clock: &'run dyn Clock,
    /// For waits that differ.
    pub random: &'run dyn Random,
    /// Where what they read goes.
    pub queue: &'run Queue,
    /// What ends them: the run's, or a part of it, so that one that failed can end the others.
    pub stop: &'run Stop,
}

impl<'run> Feeds<'run> {
    /// Starts a thread a feed. They end when they are stopped, within a tenth of a second but for a message that is being
    /// copied, or when they fail; [`Queue::take`] then says so.
    ///
    /// # Errors
    /// 74 where a thread cannot be had; those that were started are stopped.
    pub fn start<'scope>(self, _scope: &'scope Scope<'scope, '_>) -> Result<()>
    where
        'run: 'scope,
    {
        Ok(())
    }
}

/// The addresses as they are shown: everything else may be a secret.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.feeds.iter().map(|address| &address.shown);
        f.debug_list().entries(shown).finish()
    }
}
