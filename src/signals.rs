//! SIGTERM, SIGINT and SIGHUP as plain values (SPEC 10). The handler is installed before anything else: a process
//! that is PID 1 has no default action, and a signal that comes early must not be lost.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::error::{Error, Result};
use crate::stop::Cause;

/// The installed handler. Signals that arrive before [`Handler::each`] are kept.
#[derive(Debug)]
pub struct Handler(Signals);

impl Handler {
    /// Takes the three signals over from the system.
    ///
    /// # Errors
    /// 74 where the system refuses, for want of file descriptors.
    pub fn install() -> Result<Self> {
        match Signals::new([SIGTERM, SIGINT, SIGHUP]) {
            Ok(signals) => Ok(Self(signals)),
            Err(cause) => Err(Error::local_io("installing", "signal handlers", &cause)),
        }
    }

    /// Calls `seen` for every signal, for as long as the process lives.
    pub fn each(mut self, mut seen: impl FnMut(Cause)) {
        for signal in self.0.forever() {
            seen(match signal {
                SIGINT => Cause::Sigint,
                SIGHUP => Cause::Sighup,
                _ => Cause::Sigterm,
            });
        }
    }
}
