//! One connection, plain or TLS, whose waits ask [`Pace`] or last one slice.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use ureq::http::Uri;

use super::dial::{Names, dial};
use super::pace::{Pace, SLICE};
use super::tls::{self, Trust};
use super::{Failure, found};
use crate::error::Kind;

/// Makes connections within the limits of a request.
#[derive(Debug)]
pub(super) struct Dialer {
    pub(super) names: Arc<dyn Names>,
    pub(super) trust: Trust,
    pub(super) pace: Pace,
}

impl Dialer {
    pub(super) fn open(&self, uri: &Uri, needs_tls: bool) -> Result<Connection, Failure> {
        self.pace.set_reused(false);
        let host = uri.host().unwrap_or_default();
        let port = uri.port_u16().unwrap_or(if needs_tls { 443 } else { 80 });
        let stream = dial(&self.names, host, port, &self.pace)?;
        let prepared = stream
            .set_nodelay(true)
            .and_then(|()| stream.set_read_timeout(Some(SLICE)))
            .and_then(|()| stream.set_write_timeout(Some(SLICE)));
        prepared.map_err(|cause| Failure::lost("a connection", found(&cause)))?;
        let socket = Socket {
            stream,
            patience: Patience::Paced(self.pace.clone()),
        };
        let channel = match needs_tls {
            true => Channel::Tls(Box::new(self.handshake(host, socket)?)),
            false => Channel::Plain(socket),
        };
        self.pace.step(None);
        Ok(Connection(channel))
    }

    fn handshake(
        &self,
        host: &str,
        mut socket: Socket,
    ) -> Result<StreamOwned<ClientConnection, Socket>, Failure> {
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
            .map_err(|_| Failure::new(Kind::Config, "a host name", host, "correct the endpoint"))?;
        let mut connection = ClientConnection::new(self.trust.config(), name)
            .map_err(|error| tls::failure(&error))?;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket).map_err(|cause| {
                match cause.kind() == io::ErrorKind::UnexpectedEof {
                    true => Failure::lost(
                        "a TLS handshake",
                        "that the other side closed the connection in the middle of it",
                    ),
                    false => Failure::of(cause),
                }
            })?;
        }
        Ok(StreamOwned::new(connection, socket))
    }
}

/// A connection to the other side.
pub struct Connection(Channel);

enum Channel {
    Plain(Socket),
    Tls(Box<StreamOwned<ClientConnection, Socket>>),
}

/// A TCP connection that waits in slices.
struct Socket {
    stream: TcpStream,
    patience: Patience,
}

/// How long a read or a write waits for bytes to move.
enum Patience {
    /// As long as the request may take.
    Paced(Pace),
    /// A slice; then it fails with `WouldBlock`.
    Slice,
}

impl Connection {
    /// From now on, a read or a write that moved nothing for [`SLICE`] fails with `WouldBlock`, and has lost nothing:
    /// whoever has the connection looks after time-outs and stops.
    pub(super) fn in_slices(mut self) -> Self {
        self.socket_mut().patience = Patience::Slice;
        self
    }

    pub(super) fn is_tls(&self) -> bool {
        matches!(self.0, Channel::Tls(_))
    }

    /// Whether the other side is still there and has sent nothing unasked.
    pub(super) fn is_idle(&self) -> bool {
        let stream = match &self.0 {
            Channel::Plain(socket) => &socket.stream,
            Channel::Tls(stream) => &stream.sock.stream,
        };
        let mut byte = [0];
        let peeked = stream
            .set_nonblocking(true)
            .and_then(|()| stream.peek(&mut byte));
        let restored = stream.set_nonblocking(false);
        let is_silent = peeked.is_err_and(|cause| cause.kind() == io::ErrorKind::WouldBlock);
        is_silent && restored.is_ok()
    }

    fn socket_mut(&mut self) -> &mut Socket {
        match &mut self.0 {
            Channel::Plain(socket) => socket,
            Channel::Tls(stream) => &mut stream.sock,
        }
    }
}

impl Read for Connection {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Channel::Plain(socket) => socket.read(into),
            Channel::Tls(stream) => stream.read(into),
        }
    }
}

impl Write for Connection {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Channel::Plain(socket) => socket.write(from),
            Channel::Tls(stream) => stream.write(from),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Channel::Plain(socket) => socket.flush(),
            Channel::Tls(stream) => stream.flush(),
        }
    }
}

impl Socket {
    fn patiently(
        &mut self,
        mut attempt: impl FnMut(&mut TcpStream) -> io::Result<usize>,
    ) -> io::Result<usize> {
        loop {
            let Patience::Paced(pace) = &self.patience else {
                return attempt(&mut self.stream).map_err(|cause| {
                    match is_only_time(cause.kind()) {
                        true => io::ErrorKind::WouldBlock.into(),
                        false => cause,
                    }
                });
            };
            let since = pace.now();
            match attempt(&mut self.stream) {
                Ok(bytes) => {
                    pace.moved(bytes, since)?;
                    return Ok(bytes);
                }
                Err(cause) if is_only_time(cause.kind()) => pace.waited(since)?,
                Err(cause) => return Err(cause),
            }
        }
    }
}

impl Read for Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.patiently(|stream| stream.read(into))
    }
}

impl Write for Socket {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.patiently(|stream| stream.write(from))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether a slice passed, or a signal came, and nothing else.
fn is_only_time(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}
