//! Time, twice: the wall's for what is written down, the monotonic one for every wait (SPEC 10). Nothing else asks
//! the system for either.

use std::fmt::Debug;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What time it is. An argument everywhere, so that tests can move it.
pub trait Clock: Debug + Send + Sync {
    /// Microseconds since 1970-01-01 00:00:00 UTC. May step back.
    fn wall_us(&self) -> i64;
    /// Time since the process started. Never steps back; deadlines are measured with it.
    fn elapsed(&self) -> Duration;
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// The clock of a process that starts now.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that asks the system"
    )]
    pub fn start() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that asks the system"
    )]
    fn wall_us(&self) -> i64 {
        let signed = |elapsed: Duration| i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX);
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => signed(since),
            Err(before) => -signed(before.duration()),
        }
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

/// A clock that stands still until it is moved.
#[cfg(test)]
#[derive(Debug, Default)]
pub struct ManualClock {
    /// What `wall_us` says.
    pub wall_us: std::sync::atomic::AtomicI64,
    /// What `elapsed` says, in milliseconds.
    pub elapsed_ms: std::sync::atomic::AtomicU64,
}

#[cfg(test)]
impl Clock for ManualClock {
    fn wall_us(&self) -> i64 {
        self.wall_us.load(std::sync::atomic::Ordering::SeqCst)
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.elapsed_ms.load(std::sync::atomic::Ordering::SeqCst))
    }
}
