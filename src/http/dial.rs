//! Names to addresses to a TCP connection, each within its time (SPEC 10), on threads of their own.
//!
//! Neither the system's resolver nor its `connect` can be cut short. So each runs on a thread that the request waits
//! for in slices and may leave behind; the thread ends by itself.

use std::fmt::Debug;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use super::pace::{Pace, SLICE};
use super::{Failure, Limits, found};
use crate::error::{Kind, shown};

/// Enough for the system's resolver; the default of two megabytes would only be address space.
const STACK_BYTES: usize = 256 << 10;

/// Where the addresses of a name come from.
pub(crate) trait Names: Debug + Send + Sync {
    /// They, in the order in which they are to be tried.
    fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// The system's resolver.
#[derive(Debug)]
pub(crate) struct SystemNames;

impl Names for SystemNames {
    fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok((host, port).to_socket_addrs()?.collect())
    }
}

/// Connects to `host`; connecting may take what is left of `limits.connect`, and TLS the rest of it.
pub(super) fn dial(
    names: &Arc<dyn Names>,
    host: &str,
    port: u16,
    pace: &Pace,
) -> Result<TcpStream, Failure> {
    let limits = pace.limits();
    let addresses = match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, port)],
        Err(_) => resolve(names, host, port, pace, limits)?,
    };
    pace.step(Some((limits.connect, "connecting and TLS")));
    let connecting = addresses.clone();
    let connected = on_a_thread(pace, move || connect(&connecting, limits.connect))?;
    connected.map_err(|cause| {
        let tried: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
        let found = format!("{} ({})", found(&cause), tried.join(", "));
        Failure::lost("a connection", found)
    })
}

fn resolve(
    names: &Arc<dyn Names>,
    host: &str,
    port: u16,
    pace: &Pace,
    limits: Limits,
) -> Result<Vec<SocketAddr>, Failure> {
    pace.step(Some((limits.resolve, "resolving the name")));
    let (names, name) = (names.clone(), host.to_owned());
    let resolved = on_a_thread(pace, move || names.addresses(&name, port))?;
    let none = |found: String| {
        Failure::new(
            Kind::Unavailable,
            format!("an address of {}", shown(host.as_bytes(), 100)),
            found,
            "look at the name, and at the name server of this network",
        )
    };
    match resolved {
        Ok(addresses) if addresses.is_empty() => Err(none("none".to_owned())),
        Ok(addresses) => Ok(addresses),
        Err(cause) => Err(none(cause.to_string())),
    }
}

/// The first address that answers; each gets an equal share of the time that is left, so that a dead one leaves some to
/// those after it. The error is that of the last.
fn connect(addresses: &[SocketAddr], limit: Duration) -> io::Result<TcpStream> {
    let mut left = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    let mut time = limit;
    let mut failed = io::Error::from(io::ErrorKind::NotFound);
    for address in addresses {
        let share = time / left.max(1);
        match TcpStream::connect_timeout(address, share) {
            Ok(stream) => return Ok(stream),
            Err(cause) => {
                if cause.kind() == io::ErrorKind::TimedOut {
                    time = time.saturating_sub(share);
                }
                failed = cause;
            }
        }
        left = left.saturating_sub(1);
    }
    Err(failed)
}

/// Waits for what `work` gives, as long as `pace` allows.
fn on_a_thread<T: Send + 'static>(
    pace: &Pace,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    let given = Arc::new(Mutex::new(None));
    let take = Arc::clone(&given);
    let work = move || {
        let made = work();
        *lock(&take) = Some(made);
    };
    // Where nobody waits any more, what it gives is dropped.
    wait_for(pace, Box::new(work))?;
    let given = lock(&given).take();
    given.ok_or_else(|| Failure::lost("a connection", "that connecting failed"))
}

/// Runs `work` on a thread until it is done, or nobody may wait any more.
fn wait_for(pace: &Pace, work: Box<dyn FnOnce() + Send>) -> Result<(), Failure> {
    let (done, is_done) = sync_channel::<()>(0);
    let started = Builder::new()
        .name("connect".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || {
            work();
            drop(done);
        });
    if let Err(cause) = started {
        let advice = "allow the process more threads";
        let found = cause.to_string();
        return Err(Failure::new(Kind::LocalIo, "a thread", found, advice));
    }
    loop {
        let since = pace.now();
        match is_done.recv_timeout(SLICE) {
            Err(RecvTimeoutError::Timeout) => pace.waited(since)?,
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}

fn lock<T>(given: &Mutex<Option<T>>) -> MutexGuard<'_, Option<T>> {
    // It is assigned whole: a thread that panicked left it consistent.
    given.lock().unwrap_or_else(PoisonError::into_inner)
}
