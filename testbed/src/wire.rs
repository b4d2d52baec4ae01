//! Bytes over a socket, with TLS or without, and the three ways in which a connection ends.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use crate::tls::{Socket, TlsStream};

/// Both ways of carrying bytes.
pub(crate) enum Wire {
    Plain(Socket),
    Tls(Box<TlsStream>),
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(stream) => stream.read(buffer),
            Wire::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(stream) => stream.write(bytes),
            Wire::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Wire::Plain(_) => Ok(()),
            Wire::Tls(stream) => stream.flush(),
        }
    }
}

/// FIN, and then whatever still comes is read for a while: unread bytes would make the kernel send RST.
pub(crate) fn finish(stream: &TcpStream) {
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.set_read_timeout(Some(Duration::from_millis(500)));
    let mut sink = [0; 8192];
    let mut stream = stream;
    while matches!(stream.read(&mut sink), Ok(bytes) if bytes > 0) {}
}

/// The last holder's drop of this socket sends RST.
pub(crate) fn reset(stream: &TcpStream) {
    if let Err(error) = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)) {
        eprintln!("testbed-s3: a reset became a close: {error}");
    }
}

/// Says nothing more until the client has left.
pub(crate) fn wait_for_the_end(stream: &TcpStream) {
    let mut sink = [0; 8192];
    let mut stream = stream;
    while matches!(stream.read(&mut sink), Ok(bytes) if bytes > 0) {}
}
