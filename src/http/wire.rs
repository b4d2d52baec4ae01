//! A [`Connection`] as ureq reads and writes through it.

use std::fmt;
use std::io::{self, Read, Write};
use std::time::Duration;

use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};

use super::connection::{Connection, Dialer};
use super::pace::Pace;

/// Bytes of answers and requests on their way; two of each a connection.
const BUFFER_BYTES: usize = 64 << 10;

impl Connector<()> for Dialer {
    type Out = Wire;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _chained: Option<()>,
    ) -> Result<Option<Wire>, ureq::Error> {
        match self.open(details.uri, details.needs_tls()) {
            Ok(connection) => Ok(Some(Wire {
                connection,
                buffers: LazyBuffers::new(BUFFER_BYTES, BUFFER_BYTES),
                pace: self.pace.clone(),
                is_broken: false,
            })),
            Err(failure) => Err(ureq::Error::Io(failure.into())),
        }
    }
}

/// A connection as ureq uses it.
pub(super) struct Wire {
    connection: Connection,
    buffers: LazyBuffers,
    pace: Pace,
    /// Writing failed: only what the other side had to say is still read.
    is_broken: bool,
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
        let written = self.connection.write_all(output);
        match written.and_then(|()| self.connection.flush()) {
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
        let amount = self.connection.read(input).map_err(ureq::Error::Io)?;
        if amount > 0 {
            self.pace.answered();
        }
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.pace.set_reused(true);
        !self.is_broken && self.connection.is_idle()
    }

    fn is_tls(&self) -> bool {
        self.connection.is_tls()
    }
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
