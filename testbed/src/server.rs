//! The server as a value: what every thread shares, its listeners, and its end when it is dropped.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread;

use serde::{Deserialize, Serialize};

use crate::connection;
use crate::journal::Journal;
use crate::moment::Moment;
use crate::script::{Rule, Script};
use crate::sign::Key;
use crate::store::Store;
use crate::task::Task;
use crate::tls::{Authority, Kind};

/// What holds for the whole server.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The region of buckets that name none.
    pub region: String,
    /// The keys that exist.
    pub keys: Vec<Key>,
    /// The least size of a part that is not the last; AWS's 5 MiB, less for tests.
    pub min_part_bytes: usize,
    /// How far the server's clock stands from the machine's.
    pub clock_offset_seconds: i64,
    /// What the ECS agent at `/~ecs` answers.
    pub task: Task,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            region: "us-east-1".into(),
            keys: vec![Key {
                access_key: "TESTBEDACCESSKEY0001".into(),
                secret_key: "testbed/secret+key/that+opens/nothing+else".into(),
                ..Key::default()
            }],
            min_part_bytes: 5 * 1024 * 1024,
            clock_offset_seconds: 0,
            task: Task::default(),
        }
    }
}

/// What all threads of a server hold together.
#[derive(Debug)]
pub struct Shared {
    settings: Mutex<Settings>,
    clock_offset_seconds: AtomicI64,
    /// Buckets and objects.
    pub store: Store,
    /// Faults to come.
    pub script: Script,
    /// Requests seen.
    pub journal: Journal,
    /// Certificates.
    pub authority: Authority,
    stopping: AtomicBool,
    connections: AtomicU64,
    /// Weak, because a reset happens only when the last holder of a socket lets go of it.
    sockets: Mutex<Vec<Weak<TcpStream>>>,
    listeners: Mutex<Vec<SocketAddr>>,
}

impl Shared {
    /// The settings as they are now.
    pub fn settings(&self) -> Settings {
        self.settings
            .lock()
            .expect("nobody panics with the settings")
            .clone()
    }

    /// Other settings, from the next request on.
    pub fn set(&self, settings: Settings) {
        self.clock_offset_seconds
            .store(settings.clock_offset_seconds, Ordering::Relaxed);
        *self
            .settings
            .lock()
            .expect("nobody panics with the settings") = settings;
    }

    /// The server's time.
    pub fn now(&self) -> Moment {
        Moment(Moment::now().0 + self.clock_offset_seconds.load(Ordering::Relaxed) * 1000)
    }

    /// Whether the server is at its end, so that waiting threads leave.
    pub fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Objects, script and journal gone; settings stay.
    pub fn reset(&self) {
        self.store.clear();
        self.script.set(Vec::new());
        self.journal.clear();
    }

    /// A listener on a free loopback port (or on `port`) whose connections go to `serve`, each on its own thread.
    pub fn listen(
        self: &Arc<Self>,
        port: u16,
        serve: impl Fn(Arc<Shared>, Arc<TcpStream>, u64) + Send + Sync + 'static,
    ) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let address = listener.local_addr()?;
        self.listeners
            .lock()
            .expect("nobody panics with the listeners")
            .push(address);
        let shared = Arc::clone(self);
        let serve = Arc::new(serve);
        thread::Builder::new()
            .name(format!("accept {}", address.port()))
            .spawn(move || {
                for stream in listener.incoming() {
                    if shared.stopping() {
                        break;
                    }
                    // An accept that fails is the peer's loss: it went away before it was served.
                    let Ok(stream) = stream else { continue };
                    shared.take(stream, &serve);
                }
            })?;
        Ok(address)
    }

    fn take<F>(self: &Arc<Self>, stream: TcpStream, serve: &Arc<F>)
    where
        F: Fn(Arc<Shared>, Arc<TcpStream>, u64) + Send + Sync + 'static,
    {
        let number = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let _ = stream.set_nodelay(true);
        let stream = Arc::new(stream);
        let mut sockets = self.sockets.lock().expect("nobody panics with the sockets");
        sockets.retain(|socket| socket.strong_count() > 0);
        sockets.push(Arc::downgrade(&stream));
        drop(sockets);
        let (shared, serve) = (Arc::clone(self), Arc::clone(serve));
        let served = thread::Builder::new()
            .name(format!("connection {number}"))
            .spawn(move || serve(shared, stream, number));
        if let Err(error) = served {
            eprintln!("testbed-s3: connection {number} was dropped, no thread for it: {error}");
        }
    }
}

/// A running server. It ends when it is dropped: every connection is cut.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
}

impl Server {
    /// Starts a server on a free loopback port, plain HTTP.
    pub fn start(settings: Settings) -> io::Result<Server> {
        Server::start_on(0, settings)
    }

    /// Starts a server on a given loopback port; 0 for a free one.
    pub fn start_on(port: u16, settings: Settings) -> io::Result<Server> {
        let shared = Arc::new(Shared {
            clock_offset_seconds: AtomicI64::new(settings.clock_offset_seconds),
            settings: Mutex::new(settings),
            store: Store::default(),
            script: Script::default(),
            journal: Journal::default(),
            authority: Authority::new()?,
            stopping: AtomicBool::new(false),
            connections: AtomicU64::new(0),
            sockets: Mutex::default(),
            listeners: Mutex::default(),
        });
        let address = connection::listen(&shared, port, Kind::Plain)?;
        Ok(Server { shared, address })
    }

    /// One more listener for the same buckets: TLS, or one that misbehaves before any request.
    pub fn listen(&self, kind: Kind) -> io::Result<SocketAddr> {
        connection::listen(&self.shared, 0, kind)
    }

    /// A listener that speaks the control protocol; see control.rs.
    pub fn control(&self, port: u16) -> io::Result<SocketAddr> {
        crate::control::listen(&self.shared, port)
    }

    /// Where plain HTTP is answered.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything inside: store, script, journal, settings.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Buckets and objects, reached without any request.
    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    /// Requests seen.
    pub fn journal(&self) -> &Journal {
        &self.shared.journal
    }

    /// Sets the faults to come; counting starts anew.
    ///
    /// Errors: what is wrong with a rule.
    pub fn script(&self, rules: Vec<Rule>) -> Result<(), String> {
        for rule in &rules {
            rule.check()?;
        }
        self.shared.script.set(rules);
        Ok(())
    }

    /// [`Server::script`] from the JSON text that the control protocol takes.
    ///
    /// Errors: what is wrong with the text or with a rule.
    pub fn script_json(&self, text: &str) -> Result<(), String> {
        self.script(serde_json::from_str(text).map_err(|error| error.to_string())?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        let listeners = self
            .shared
            .listeners
            .lock()
            .expect("nobody panics with the listeners");
        for address in listeners.iter() {
            // An accept is woken by nothing but a connection.
            let _ = TcpStream::connect(address);
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
