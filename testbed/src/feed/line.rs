//! A connection that one thread reads and another writes, with TLS or without.

use std::io::{self, Read, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard};

use rustls::{ServerConfig, ServerConnection};

/// Both directions; a whole [`Line::send`] goes out before the next.
pub struct Line {
    socket: Arc<TcpStream>,
    session: Option<Mutex<ServerConnection>>,
    sending: Mutex<()>,
}

impl Line {
    /// Over an accepted socket.
    pub fn new(socket: Arc<TcpStream>, tls: Option<Arc<ServerConfig>>) -> io::Result<Line> {
        let session = tls.map(ServerConnection::new).transpose();
        Ok(Line {
            socket,
            session: session.map_err(io::Error::other)?.map(Mutex::new),
            sending: Mutex::new(()),
        })
    }

    /// The socket below.
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Writes all bytes.
    pub fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let _whole = self.sending.lock().expect("nobody panics while sending");
        let Some(session) = &self.session else {
            return (&*self.socket).write_all(bytes);
        };
        let mut rest = bytes;
        while !rest.is_empty() {
            let mut session = held(session);
            let taken = session.writer().write(rest)?;
            rest = rest.get(taken..).unwrap_or_default();
            flush(&mut session, &self.socket)?;
        }
        Ok(())
    }

    /// TLS's own goodbye, where there is TLS.
    pub fn say_goodbye(&self) {
        if let Some(session) = &self.session {
            let mut session = held(session);
            session.send_close_notify();
            let _ = flush(&mut session, &self.socket);
        }
    }
}

fn held(session: &Mutex<ServerConnection>) -> MutexGuard<'_, ServerConnection> {
    session.lock().expect("nobody panics with the session")
}

fn flush(session: &mut ServerConnection, mut socket: &TcpStream) -> io::Result<()> {
    while session.wants_write() {
        session.write_tls(&mut socket)?;
    }
    Ok(())
}

impl Read for &Line {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(session) = &self.session else {
            return (&*self.socket).read(buffer);
        };
        let mut raw = vec![0; 16 * 1024];
        loop {
            match held(session).reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
            // Nothing is held while it waits, so that the other thread may write.
            let bytes = (&*self.socket).read(&mut raw)?;
            let mut session = held(session);
            let mut fresh = raw.get(..bytes).unwrap_or_default();
            if fresh.is_empty() {
                return Ok(0);
            }
            while !fresh.is_empty() {
                session.read_tls(&mut fresh)?;
                let state = session.process_new_packets();
                flush(&mut session, &self.socket)?;
                state.map_err(io::Error::other)?;
            }
        }
    }
}
