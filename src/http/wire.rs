//! One connection, plain or TLS, whose every wait asks [`Pace`]; what ureq reads and writes through.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use ureq::http::Uri;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};

use super::dial::{Names, dial};
use super::pace::{Pace, SLICE};
use super::tls::{self, Trust};
use super::{Failure, found};
use crate::error::Kind;

/// Bytes of answers and requests on their way; two of each a connection.
const BUFFER_BYTES: usize = 64 << 10;

/// Makes the connections of one line.
#[derive(Debug)]
pub(super) struct Dialer {
    pub(super) names: Arc<dyn Names>,
    pub(super) trust: Trust,
    pub(super) pace: Pace,
}

impl Connector<()> for Dialer {
    type Out = Wire;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _chained: Option<()>,
    ) -> Result<Option<Wire>, ureq::Error> {
        let wire = self.open(details.uri, details.needs_tls());
        wire.map(Some)
            .map_err(|failure| ureq::Error::Io(failure.into()))
    }
}

impl Dialer {
    fn open(&self, uri: &Uri, needs_tls: bool) -> Result<Wire, Failure> {
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
            pace: self.pace.clone(),
        };
        let channel = match needs_tls {
            true => Channel::Tls(Box::new(self.handshake(host, socket)?)),
            false => Channel::Plain(socket),
        };
        self.pace.step(None);
        Ok(Wire {
            channel,
            buffers: LazyBuffers::new(BUFFER_BYTES, BUFFER_BYTES),
            pace: self.pace.clone(),
            is_broken: false,
        })
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

/// A TCP connection that waits in slices.
#[derive(Debug)]
struct Socket {
    stream: TcpStream,
    pace: Pace,
}

impl Socket {
    fn patiently(
        &mut self,
        mut attempt: impl FnMut(&mut TcpStream) -> io::Result<usize>,
    ) -> io::Result<usize> {
        loop {
            let since = self.pace.now();
            match attempt(&mut self.stream) {
                Ok(bytes) => {
                    self.pace.moved(bytes, since)?;
                    return Ok(bytes);
                }
                Err(cause) if is_only_time(cause.kind()) => self.pace.waited(since)?,
                Err(cause) => return Err(cause),
            }
        }
    }

    /// Whether the other side is still there and has sent nothing unasked.
    fn is_idle(&self) -> bool {
        let mut byte = [0];
        let peeked = self
            .stream
            .set_nonblocking(true)
            .and_then(|()| self.stream.peek(&mut byte));
        let restored = self.stream.set_nonblocking(false);
        let is_silent = peeked.is_err_and(|cause| cause.kind() == io::ErrorKind::WouldBlock);
        is_silent && restored.is_ok()
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

/// A connection as ureq uses it.
pub(super) struct Wire {
    channel: Channel,
    buffers: LazyBuffers,
    pace: Pace,
    /// Writing failed: only what the other side had to say is still read.
    is_broken: bool,
}

enum Channel {
    Plain(Socket),
    Tls(Box<StreamOwned<ClientConnection, Socket>>),
}

impl Transport for Wire {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.pace.sending();
        if self.is_broken {
            return Ok(());
        }
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        let written = match &mut self.channel {
            Channel::Plain(socket) => socket.write_all(output),
            Channel::Tls(stream) => stream.write_all(output).and_then(|()| stream.flush()),
        };
        match written {
            Ok(()) => Ok(()),
            // A server may refuse before it has read everything, and then close: its answer is on the way or here.
            Err(cause) if is_closed(&cause) => {
                self.is_broken = true;
                Ok(())
            }
            Err(cause) => Err(ureq::Error::Io(cause)),
        }
    }

    fn await_input(&mut self, _timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let input = self.buffers.input_append_buf();
        let read = match &mut self.channel {
            Channel::Plain(socket) => socket.read(input),
            Channel::Tls(stream) => stream.read(input),
        };
        let amount = read.map_err(ureq::Error::Io)?;
        if amount > 0 {
            self.pace.answered();
        }
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.pace.set_reused(true);
        !self.is_broken
            && match &mut self.channel {
                Channel::Plain(socket) => socket.is_idle(),
                Channel::Tls(stream) => stream.sock.is_idle(),
            }
    }

    fn is_tls(&self) -> bool {
        matches!(self.channel, Channel::Tls(_))
    }
}

/// Whether a slice passed, or a signal came, and nothing else.
fn is_only_time(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

fn is_closed(cause: &io::Error) -> bool {
    matches!(
        cause.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
    )
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").finish_non_exhaustive()
    }
}

/// How long an idle connection may be used again: servers close theirs after five seconds or more (SPEC 10).
pub(super) const IDLE: Duration = Duration::from_secs(3);
