//! A WebSocket feed with a script: what each connection is told, in which frames, and how it ends. It keeps the truth
//! of what it sent, so that a rollup can be computed from it without the worker, and what the client did.
//!
//! The frames are written and read by own code (frame.rs); the messages are those of exchanges (shape.rs), of a market
//! that trades (market.rs).

pub mod frame;
pub mod handshake;
pub mod line;
pub mod market;
mod session;
pub mod shape;
pub mod truth;

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crate::feed::frame::Frame;
use crate::feed::handshake::Handshake;
use crate::feed::market::{Market, Traffic, now_us};
use crate::feed::truth::{Sent, Truth};
use crate::http::Head;
use crate::tls::{Authority, Kind};

/// One thing that a connection does. A message that is sent is kept as truth.
#[derive(Clone, Debug)]
pub enum Step {
    /// A text message in one frame.
    Text(String),
    /// A binary message in one frame.
    Binary(Vec<u8>),
    /// These frames in one write; a client that keeps to RFC 6455 makes this message of them, if any.
    Frames(Vec<Frame>, Option<Vec<u8>>),
    /// The same, so many bytes a write, with so many milliseconds between.
    Chopped(Vec<Frame>, Option<Vec<u8>>, usize, u64),
    /// Trades.
    Deal(Traffic),
    /// Trades of each symbol that this connection is not told of.
    Miss(u64),
    /// The trade ids begin at 1 again.
    Restart,
    /// Nothing, for so many milliseconds.
    Wait(u64),
    /// Waits for the client, so many milliseconds; in vain, the connection ends with 1008 and a line in `heard`.
    Await(Want, u64),
    /// A ping, and waits for its pong: the client has read all before.
    Settle,
    /// From now on a ping every so many milliseconds, with the time as its payload.
    PingEvery(u64),
    /// Says in [`Feed::wait_for`] that it came so far.
    Mark(&'static str),
    /// A close frame; waits for the client's, then FIN.
    Close(Option<u16>, String),
    /// FIN without a close frame.
    Fin,
    /// RST.
    Reset,
}

/// What a client is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Want {
    /// This text message.
    Text(String),
    /// Any message.
    Message,
    /// A ping.
    Ping,
    /// A pong with this payload.
    Pong(Vec<u8>),
    /// A close frame.
    Close,
}

/// A connection from its handshake on. After its steps it stays open and silent.
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// How it is opened.
    pub handshake: Handshake,
    /// What it does then.
    pub steps: Vec<Step>,
}

impl Session {
    /// Opened as it should be.
    pub fn new(steps: Vec<Step>) -> Session {
        Session {
            handshake: Handshake::Right,
            steps,
        }
    }

    /// Not opened.
    pub fn refused(handshake: Handshake) -> Session {
        Session {
            handshake,
            steps: Vec::new(),
        }
    }
}

/// A feed to be.
#[derive(Debug, Default)]
pub struct Settings {
    /// What the first connection does, and the next; those after the last are closed before a handshake.
    pub sessions: Vec<Session>,
    /// Whether the last of them is repeated for all that come after it.
    pub repeats: bool,
    /// Decides the trades.
    pub seed: u64,
    /// Its port; 0 for a free one.
    pub port: u16,
    /// TLS with a certificate of this kind, of [`Feed::authority`].
    pub tls: Option<Kind>,
    /// Where the truth is written as NDJSON, besides memory.
    pub file: Option<PathBuf>,
    /// Whether the truth is not kept in memory.
    pub forgets: bool,
}

/// What a client did.
#[derive(Clone, Debug)]
pub enum Act {
    /// Its handshake.
    Request(Head),
    /// A frame.
    Frame(Frame),
    /// The end of its bytes.
    Left,
    /// What it may not do, or did not do in time.
    Fault(String),
}

/// When a client did it, and on which connection, from 0.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Microseconds since 1970.
    pub at_us: i64,
    /// The connection.
    pub connection: u32,
    /// What.
    pub act: Act,
}

#[derive(Debug, Default)]
struct State {
    heard: Vec<Heard>,
    marks: Vec<(u32, &'static str)>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    settings: Settings,
    authority: Authority,
    market: Mutex<Market>,
    truth: Truth,
    state: Mutex<State>,
    changed: Condvar,
    stopping: AtomicBool,
    connections: AtomicU32,
    sockets: Mutex<Vec<Weak<TcpStream>>>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with the state")
    }

    pub(crate) fn market(&self) -> MutexGuard<'_, Market> {
        self.market.lock().expect("nobody panics with the market")
    }

    pub(crate) fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    pub(crate) fn hear(&self, connection: u32, act: Act) {
        let at_us = now_us();
        self.state().heard.push(Heard {
            at_us,
            connection,
            act,
        });
        self.changed.notify_all();
    }

    pub(crate) fn mark(&self, connection: u32, name: &'static str) {
        self.state().marks.push((connection, name));
        self.changed.notify_all();
    }

    /// Waits until the state is so, or the time is over, or the feed.
    fn wait_until(&self, within: Duration, mut is_so: impl FnMut(&State) -> bool) -> bool {
        const SLICE: Duration = Duration::from_millis(50);
        let end = Instant::now() + within;
        let mut state = self.state();
        while !is_so(&state) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || self.stopping() {
                return false;
            }
            (state, _) = self
                .changed
                .wait_timeout(state, left.min(SLICE))
                .expect("nobody panics with the state");
        }
        true
    }

    /// Waits for an act of a connection, behind the first `from` of all acts; gives its place.
    pub(crate) fn wait_act(
        &self,
        connection: u32,
        from: usize,
        within: Duration,
        is_it: impl Fn(&Act) -> bool,
    ) -> Option<usize> {
        let mut found = None;
        self.wait_until(within, |state| {
            let acts = state.heard.iter().enumerate().skip(from);
            found = acts
                .filter(|(_, heard)| heard.connection == connection)
                .find(|(_, heard)| is_it(&heard.act))
                .map(|(place, _)| place);
            found.is_some()
        });
        found
    }
}

/// A running feed. It ends when it is dropped: connections are cut, new ones refused.
#[derive(Debug)]
pub struct Feed {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: Option<thread::JoinHandle<()>>,
}

impl Feed {
    /// Starts a feed on loopback.
    pub fn start(settings: Settings) -> io::Result<Feed> {
        let authority = Authority::new()?;
        let tls = settings
            .tls
            .map(|kind| authority.config(kind))
            .transpose()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, settings.port))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            market: Mutex::new(Market::new(settings.seed)),
            truth: Truth::new(settings.file.as_deref(), !settings.forgets)?,
            settings,
            authority,
            state: Mutex::default(),
            changed: Condvar::new(),
            stopping: AtomicBool::new(false),
            connections: AtomicU32::new(0),
            sockets: Mutex::default(),
        });
        let serving = Arc::clone(&shared);
        let accepting = thread::Builder::new()
            .name(format!("feed {}", address.port()))
            .spawn(move || {
                for stream in listener.incoming() {
                    if serving.stopping() {
                        break;
                    }
                    // An accept that fails is the peer's loss: it went away before it was served.
                    let Ok(stream) = stream else { continue };
                    if let Err(error) = take(&serving, stream, tls.clone().flatten()) {
                        eprintln!("testbed-feed: a connection was dropped: {error}");
                    }
                }
            })?;
        Ok(Feed {
            shared,
            address,
            accepting: Some(accepting),
        })
    }

    /// A feed of these sessions on plain TCP.
    pub fn of(sessions: Vec<Session>) -> io::Result<Feed> {
        Feed::start(Settings {
            sessions,
            ..Settings::default()
        })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Its address for a worker, with this path; every path is served alike.
    pub fn uri(&self, path: &str) -> String {
        let scheme = match self.shared.settings.tls {
            Some(_) => "wss",
            None => "ws",
        };
        format!("{scheme}://{}{path}", self.address)
    }

    /// The certificate to trust.
    pub fn ca_pem(&self) -> String {
        self.shared.authority.pem()
    }

    /// Every message sent so far, in the order of each connection.
    pub fn sent(&self) -> Vec<Sent> {
        self.shared.truth.sent()
    }

    /// Number of messages sent so far.
    pub fn count(&self) -> u64 {
        self.shared.truth.count()
    }

    /// What clients did.
    pub fn heard(&self) -> Vec<Heard> {
        self.shared.state().heard.clone()
    }

    /// Connections made so far, handshake or not.
    pub fn connections(&self) -> u32 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Waits until some connection has come to this mark so many times in all.
    pub fn wait_for(&self, mark: &str, times: usize, within: Duration) -> bool {
        self.shared.wait_until(within, |state| {
            state.marks.iter().filter(|(_, name)| *name == mark).count() >= times
        })
    }

    /// Waits until clients did so many things of this kind.
    pub fn wait_heard(&self, times: usize, within: Duration, is_it: impl Fn(&Act) -> bool) -> bool {
        self.shared.wait_until(within, |state| {
            state.heard.iter().filter(|heard| is_it(&heard.act)).count() >= times
        })
    }

    /// What clients did that they may not do, or not in time.
    pub fn faults(&self) -> Vec<String> {
        let faults = self
            .heard()
            .into_iter()
            .filter_map(|heard| match heard.act {
                Act::Fault(text) => Some(text),
                Act::Request(_) | Act::Frame(_) | Act::Left => None,
            });
        faults.collect()
    }
}

fn take(
    shared: &Arc<Shared>,
    stream: TcpStream,
    tls: Option<Arc<rustls::ServerConfig>>,
) -> io::Result<()> {
    let number = shared.connections.fetch_add(1, Ordering::Relaxed);
    stream.set_nodelay(true)?;
    let stream = Arc::new(stream);
    let mut sockets = shared
        .sockets
        .lock()
        .expect("nobody panics with the sockets");
    sockets.retain(|socket| socket.strong_count() > 0);
    sockets.push(Arc::downgrade(&stream));
    drop(sockets);
    let shared = Arc::clone(shared);
    thread::Builder::new()
        .name(format!("session {number}"))
        .spawn(move || session::serve(&shared, stream, number, tls))?;
    Ok(())
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        // An accept is woken by nothing but a connection.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
        let sockets = self
            .shared
            .sockets
            .lock()
            .expect("nobody panics with the sockets");
        for socket in sockets.iter().filter_map(Weak::upgrade) {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}
