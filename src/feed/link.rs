//! A connection as tungstenite reads and writes through it: it reads only when it is told to, and never waits to write
//! longer than a slice.
//!
//! So the moment is known at which all that one read gave has become messages, and those can be handed on together.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::http::Connection;
use crate::limits::FEED_READ_BYTES;

/// See the module.
#[derive(Debug)]
pub(super) struct Link {
    connection: Connection,
    clock: Arc<dyn Clock>,
    /// What was read, from `start` on to `end` still wanted.
    room: Vec<u8>,
    start: usize,
    end: usize,
    /// The other side has said that nothing more comes.
    is_ended: bool,
    blocked: Option<Blocked>,
}

/// The other side takes nothing of what is sent to it.
#[derive(Clone, Copy, Debug)]
struct Blocked {
    since: Duration,
    /// The end of the last try.
    tried: Duration,
}

/// How long nothing is tried after a try that moved nothing: a server that does not read costs half of the time at most.
const PAUSE: Duration = Duration::from_millis(50);

impl Link {
    /// `rest` is what was read of the frames with the handshake.
    pub(super) fn new(connection: Connection, rest: &[u8], clock: Arc<dyn Clock>) -> Self {
        let mut room = rest.to_vec();
        room.resize(rest.len().max(FEED_READ_BYTES), 0);
        Self {
            connection,
            clock,
            room,
            start: 0,
            end: rest.len(),
            is_ended: false,
            blocked: None,
        }
    }

    /// Reads once, where all that was read is used up; waits a slice at most. Gives how many bytes came.
    ///
    /// # Errors
    /// The connection's own. That nothing came is none.
    pub(super) fn fill(&mut self) -> io::Result<usize> {
        if self.unread() > 0 || self.is_ended {
            return Ok(0);
        }
        (self.start, self.end) = (0, 0);
        match self.connection.read(&mut self.room) {
            Ok(read) => {
                self.end = read;
                self.is_ended = read == 0;
                Ok(read)
            }
            Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(cause) => Err(cause),
        }
    }

    /// Bytes that were read and not used yet.
    pub(super) fn unread(&self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// Since when the other side has not taken all that is sent to it, by the monotonic clock.
    pub(super) fn blocked_since(&self) -> Option<Duration> {
        self.blocked.map(|blocked| blocked.since)
    }

    /// `attempt`, unless one failed just now; notes whether it did.
    fn attempt<T>(
        &mut self,
        attempt: impl FnOnce(&mut Connection) -> io::Result<T>,
    ) -> io::Result<T> {
        let now = self.clock.elapsed();
        let is_pause = |blocked: Blocked| now < blocked.tried.saturating_add(PAUSE);
        if self.blocked.is_some_and(is_pause) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let outcome = attempt(&mut self.connection);
        if outcome
            .as_ref()
            .is_err_and(|cause| cause.kind() == io::ErrorKind::WouldBlock)
        {
            let since = self.blocked.map_or(now, |blocked| blocked.since);
            let tried = self.clock.elapsed();
            self.blocked = Some(Blocked { since, tried });
        }
        outcome
    }
}

impl Read for Link {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut left = self.room.get(self.start..self.end).unwrap_or_default();
        if left.is_empty() && !self.is_ended {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let read = left.read(into)?;
        self.start = self.start.saturating_add(read);
        Ok(read)
    }
}

impl Write for Link {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.attempt(|connection| match connection.write(from)? {
            // TLS has no room for more.
            0 => Err(io::ErrorKind::WouldBlock.into()),
            written => Ok(written),
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.attempt(Connection::flush)?;
        // tungstenite flushes when it has written all that it had.
        self.blocked = None;
        Ok(())
    }
}
