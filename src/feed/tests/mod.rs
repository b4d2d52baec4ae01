//! The client against real sockets: a server that does what a case says, one connection after the other.

mod frames;
mod handshakes;
mod lives;
mod peer;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::clock::SystemClock;
use crate::http::tls::Trust;

/// A clock that runs faster, so that a test need not wait for what takes long.
#[derive(Debug)]
struct FastClock(SystemClock, u32);

impl Clock for FastClock {
    fn wall_us(&self) -> i64 {
        self.0.wall_us()
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed() * self.1
    }
}

/// Draws this byte again and again.
#[derive(Debug)]
struct Same(u8);

impl Random for Same {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        bytes.fill(self.0);
        Ok(())
    }
}

/// What a test reads feeds in.
struct World {
    clock: Arc<dyn Clock>,
    trust: Trust,
    random: Same,
    stop: Stop,
}

impl World {
    fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock::start()))
    }

    /// Time passes so many times as fast.
    fn fast(factor: u32) -> Self {
        Self::with_clock(Arc::new(FastClock(SystemClock::start(), factor)))
    }

    fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self {
            trust: Trust::compiled_in().unwrap(),
            random: Same(0),
            stop: Stop::new(
                clock.clone(),
                Duration::from_secs(3_600),
                Duration::from_secs(10),
            ),
            clock,
        }
    }

    /// Reads `settings`' feeds until `is_enough` of all that was taken so far, or all have ended; then stops them and
    /// takes what is left.
    fn read(&self, settings: &Settings, is_enough: impl Fn(&[Item]) -> bool) -> Vec<Item> {
        let client = Client::new(self.clock.clone(), self.trust.clone());
        let queue = Queue::new(settings.feeds.len());
        let feeds = self.feeds(settings, &client, &queue);
        let mut items = Vec::new();
        std::thread::scope(|scope| {
            feeds.start(scope).unwrap();
            while let Some(taken) = queue.take(Duration::from_millis(20)) {
                items.extend(taken);
                if is_enough(&items) {
                    self.stop.request(Cause::Sigterm);
                }
            }
        });
        items
    }

    fn feeds<'a>(
        &'a self,
        settings: &'a Settings,
        client: &'a Client,
        queue: &'a Queue,
    ) -> Feeds<'a> {
        Feeds {
            settings,
            client,
            clock: &self.clock,
            random: &self.random,
            queue,
            stop: &self.stop,
        }
    }

    /// Reads until all feeds have ended by themselves.
    fn read_all(&self, settings: &Settings) -> Vec<Item> {
        self.read(settings, |_| false)
    }
}

fn settings(servers: &[SocketAddr]) -> Settings {
    let address = |server: &SocketAddr| Address {
        uri: format!("ws://{server}/feed?key=secret"),
        shown: format!("ws://{server}/feed?key=«redacted»"),
    };
    Settings {
        feeds: servers.iter().map(address).collect(),
        headers: Vec::new(),
        subscribe: Vec::new(),
        heartbeat: None,
        secrets: Secrets::default(),
        idle: Duration::from_secs(30),
        reconnects: 0,
    }
}

/// All messages, in order.
fn messages(items: &[Item]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for item in items {
        if let Item::Messages(messages) = item {
            all.extend(messages.iter().map(<[u8]>::to_vec));
        }
    }
    all
}

/// All messages, as texts.
fn texts(items: &[Item]) -> Vec<String> {
    let texts = messages(items).into_iter();
    texts.map(|text| String::from_utf8(text).unwrap()).collect()
}

/// The error of the last item, which is the end of a feed.
fn failure(items: &[Item]) -> &Error {
    match items.last() {
        Some(Item::Failed { error, .. }) => error,
        other => panic!("{other:?}"),
    }
}

/// What happened, in short, without messages.
fn events(items: &[Item]) -> Vec<String> {
    let words = |item: &Item| match item {
        Item::Connected {
            feed, connection, ..
        } => Some(format!("{feed} connected {connection}")),
        Item::Messages(_) => None,
        Item::Disconnected {
            feed,
            connection,
            error,
            retry_in,
            ..
        } => Some(format!(
            "{feed} disconnected {connection:?} {} again in {retry_in:?}",
            error.kind().exit_code()
        )),
        Item::Failed {
            feed,
            connection,
            error,
            ..
        } => Some(format!(
            "{feed} failed {connection:?} {}",
            error.kind().exit_code()
        )),
    };
    items.iter().filter_map(words).collect()
}
