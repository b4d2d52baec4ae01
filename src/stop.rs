//! One answer to "may I go on, and how long may I wait": deadline, signals and drain together (SPEC 10).
//!
//! A run works until a [`Cause`] stops it; then it drains: it has `drain` from that moment to leave the output in an
//! honest state. The first cause stays; the supervisor in `main` acts on a second signal and on the drain's end.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::error::{Error, Kind, Result};
use crate::limits::{RESULT_TIME, RESULT_TIME_SHORT_DRAIN};

/// What stopped a run before it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// MAX_RUNTIME_SECONDS passed.
    Deadline,
    /// SIGTERM
    Sigterm,
    /// SIGINT
    Sigint,
    /// SIGHUP
    Sighup,
    /// Another part of the run failed; its own error tells why.
    Failure,
}

impl Cause {
    /// The word that manifests and logs use (`ended_by`, SPEC 7).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Cause::Deadline => "deadline",
            Cause::Sigterm => "sigterm",
            Cause::Sigint => "sigint",
            Cause::Sighup => "sighup",
            Cause::Failure => "failure",
        }
    }
}

/// Shared by all threads of a run; cheap to clone.
#[derive(Clone, Debug)]
pub struct Stop(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: Arc<dyn Clock>,
    deadline: Duration,
    drain: Duration,
    stopped: Mutex<Option<Stopped>>,
    changed: Condvar,
    /// The whole of which this is a part.
    whole: Option<Stop>,
    /// What of the drain is not for this part.
    reserve: Duration,
}

/// Invariant: written once, by the first cause.
#[derive(Clone, Copy, Debug)]
struct Stopped {
    cause: Cause,
    drain_end: Duration,
}

impl Stop {
    /// `deadline` counts from process start; `drain` from the moment of the cause.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, deadline: Duration, drain: Duration) -> Self {
        let changed = Condvar::new();
        Self(Arc::new(Shared {
            clock,
            deadline,
            drain,
            stopped: Mutex::new(None),
            changed,
            whole: None,
            reserve: Duration::ZERO,
        }))
    }

    /// For a part of the run: stopped with the run, and before it where somebody stops the part alone.
    #[must_use]
    pub fn part(&self) -> Self {
        self.part_with(self.0.reserve)
    }

    /// For what comes before the result: its drain ends while there is still time for the result, or for the record of
    /// why there is none.
    #[must_use]
    pub fn before_result(&self) -> Self {
        self.part_with(self.result_time())
    }

    /// For cleaning up after what failed: half of a result's time is left to failure.json.
    #[must_use]
    pub fn before_failure(&self) -> Self {
        self.part_with(self.result_time() / 2)
    }

    fn part_with(&self, reserve: Duration) -> Self {
        Self(Arc::new(Shared {
            clock: Arc::clone(&self.0.clock),
            deadline: self.0.deadline,
            drain: self.0.drain,
            stopped: Mutex::new(None),
            changed: Condvar::new(),
            whole: Some(self.clone()),
            reserve,
        }))
    }

    /// Stops the run for `cause`, unless it was stopped before.
    pub fn request(&self, cause: Cause) {
        self.stop_once(&mut self.lock(), cause);
        self.0.changed.notify_all();
    }

    /// What stopped the run, if anything did; the deadline is noticed here by itself.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        let whole = self.0.whole.as_ref();
        let of_whole = whole.and_then(|whole| {
            whole.cause()?;
            *whole.lock()
        });
        let mut stopped = self.lock();
        *stopped = stopped.or(of_whole);
        if stopped.is_none() && self.0.clock.elapsed() >= self.0.deadline {
            self.stop_once(&mut stopped, Cause::Deadline);
        }
        stopped.map(|stopped| stopped.cause)
    }

    /// For work: goes on, or ends the work.
    ///
    /// # Errors
    /// 75, naming the cause, once the run is stopped.
    pub fn check(&self) -> Result<()> {
        match self.cause() {
            None => Ok(()),
            Some(cause) => Err(interrupted(cause)),
        }
    }

    /// How long a call may still block: to the deadline while working, to the drain's end while draining.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        let _ = self.cause();
        let end = self
            .lock()
            .map_or(self.0.deadline, |stopped| self.end_of(stopped.drain_end));
        end.saturating_sub(self.0.clock.elapsed())
    }

    /// How long until the process must be gone, the drain included. What is being committed may take that long: once a
    /// result was sent, signals and deadline no longer change the outcome (SPEC 7, rule 6).
    #[must_use]
    pub fn remaining_with_drain(&self) -> Duration {
        let _ = self.cause();
        let drain_end = self.lock().map_or_else(
            || self.0.deadline.saturating_add(self.0.drain),
            |stopped| stopped.drain_end,
        );
        self.end_of(drain_end)
            .saturating_sub(self.0.clock.elapsed())
    }

    fn end_of(&self, drain_end: Duration) -> Duration {
        drain_end.saturating_sub(self.0.reserve)
    }

    /// The time that a result must have before it is sent (SPEC 7, rule 6).
    #[must_use]
    pub fn result_time(&self) -> Duration {
        match self.0.drain < 2 * RESULT_TIME {
            true => RESULT_TIME_SHORT_DRAIN.min(self.0.drain / 2),
            false => RESULT_TIME,
        }
    }

    /// The time that a drain may take (DRAIN_SECONDS).
    #[must_use]
    pub fn drain(&self) -> Duration {
        self.0.drain
    }

    /// Waits for `time`, less where the run is stopped meanwhile or has been. Returns whether it has been.
    pub fn wait(&self, time: Duration) -> bool {
        if self.cause().is_some() {
            return true;
        }
        let mut left = time.min(self.remaining());
        loop {
            // A part is not woken when the whole is stopped.
            let time = match self.0.whole {
                None => left,
                Some(_) => left.min(PART_LOOK),
            };
            let waited = self
                .0
                .changed
                .wait_timeout_while(self.lock(), time, |stopped| stopped.is_none());
            drop(waited.unwrap_or_else(PoisonError::into_inner));
            let is_stopped = self.cause().is_some();
            left = left.saturating_sub(time);
            if is_stopped || left.is_zero() {
                return is_stopped;
            }
        }
    }

    fn stop_once(&self, stopped: &mut Option<Stopped>, cause: Cause) {
        if stopped.is_none() {
            // A deadline may be noticed late; its drain counts from the deadline all the same.
            let from = match cause {
                Cause::Deadline => self.0.deadline,
                Cause::Sigterm | Cause::Sigint | Cause::Sighup | Cause::Failure => {
                    self.0.clock.elapsed().min(self.0.deadline)
                }
            };
            *stopped = Some(Stopped {
                cause,
                drain_end: from.saturating_add(self.0.drain),
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Stopped>> {
        // A thread that panicked cannot have left it half written: it is assigned whole.
        self.0
            .stopped
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often a part that waits looks whether the whole was stopped.
const PART_LOOK: Duration = Duration::from_millis(50);

fn interrupted(cause: Cause) -> Error {
    let (found, advice) = match cause {
        Cause::Deadline => (
            "MAX_RUNTIME_SECONDS passed".to_owned(),
            "give the run more time or less input; nothing was committed",
        ),
        Cause::Sigterm | Cause::Sigint | Cause::Sighup => (
            format!("{} from outside", cause.name().to_uppercase()),
            "start it again under a new RUN_ID; nothing was committed",
        ),
        Cause::Failure => (
            "another part of the run failed".to_owned(),
            "look at the first error",
        ),
    };
    Error::new(Kind::Interrupted, "working", "to finish", found, advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use std::sync::atomic::Ordering::SeqCst;

    fn stop_at(deadline_s: u64, drain_s: u64) -> (Arc<ManualClock>, Stop) {
        let clock = Arc::new(ManualClock::default());
        let seconds = Duration::from_secs;
        (
            clock.clone(),
            Stop::new(clock, seconds(deadline_s), seconds(drain_s)),
        )
    }

    #[test]
    fn the_first_cause_stays_and_starts_the_drain() {
        let (clock, stop) = stop_at(100, 20);
        assert_eq!(
            (stop.cause(), stop.remaining()),
            (None, Duration::from_secs(100))
        );
        assert_eq!(stop.remaining_with_drain(), Duration::from_secs(120));
        clock.elapsed_ms.store(10_000, SeqCst);
        stop.request(Cause::Sigterm);
        clock.elapsed_ms.store(15_000, SeqCst);
        stop.request(Cause::Sigint);
        assert_eq!(
            (stop.cause(), stop.remaining()),
            (Some(Cause::Sigterm), Duration::from_secs(15))
        );
        assert_eq!(stop.remaining_with_drain(), Duration::from_secs(15));
        assert_eq!(stop.check().unwrap_err().kind(), Kind::Interrupted);
    }

    #[test]
    fn the_process_is_gone_by_deadline_plus_drain_however_late_the_deadline_is_noticed() {
        let (clock, stop) = stop_at(100, 20);
        clock.elapsed_ms.store(110_000, SeqCst);
        assert_eq!(
            (stop.cause(), stop.remaining()),
            (Some(Cause::Deadline), Duration::from_secs(10))
        );
    }

    #[test]
    fn f083_the_wall_clock_moves_no_deadline() {
        let (clock, stop) = stop_at(100, 20);
        clock.wall_us.store(i64::MAX, SeqCst);
        assert_eq!(
            (stop.cause(), stop.remaining()),
            (None, Duration::from_secs(100))
        );
    }

    #[test]
    fn a_part_stops_alone_or_with_the_whole() {
        let (clock, whole) = stop_at(100, 20);
        let (one, other) = (whole.part(), whole.part());
        one.request(Cause::Failure);
        assert_eq!((whole.cause(), other.cause()), (None, None));
        assert_eq!(one.cause(), Some(Cause::Failure));
        clock.elapsed_ms.store(10_000, SeqCst);
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| other.wait(Duration::from_secs(60)));
            whole.request(Cause::Sigterm);
            assert!(waiter.join().unwrap());
        });
        assert_eq!(other.cause(), Some(Cause::Sigterm));
        assert_eq!(other.remaining(), whole.remaining());
    }

    #[test]
    fn what_comes_before_the_result_leaves_time_for_it() {
        for (drain_s, left_s) in [
            (20, 15.0),
            (10, 5.0),
            (9, 8.0),
            (5, 4.0),
            (3, 2.0),
            (1, 0.5),
        ] {
            let (clock, whole) = stop_at(100, drain_s);
            let before = whole.before_result();
            let (seconds, left) = (Duration::from_secs, Duration::from_secs_f64(left_s));
            assert_eq!(before.remaining(), seconds(100));
            assert_eq!(before.remaining_with_drain(), seconds(100) + left);
            clock.elapsed_ms.store(100_000, SeqCst);
            assert_eq!(before.cause(), Some(Cause::Deadline));
            assert_eq!(before.remaining(), left, "{drain_s}");
            assert_eq!(before.part().remaining(), left, "{drain_s}");
            let cleaning = whole.before_failure().remaining();
            assert_eq!(cleaning, (seconds(drain_s) + left) / 2, "{drain_s}");
            assert_eq!(whole.remaining(), seconds(drain_s));
        }
    }

    #[test]
    fn waiting_ends_at_once_when_stopped() {
        let (_, stop) = stop_at(100, 20);
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| stop.wait(Duration::from_secs(60)));
            stop.request(Cause::Failure);
            assert!(waiter.join().unwrap());
        });
    }
}
