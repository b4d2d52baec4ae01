//! How long the one request of a line may still wait, and why not longer (SPEC 10). Every wait of the line asks here.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Failure, Limits, Until};
use crate::clock::Clock;
use crate::error::Kind;
use crate::stop::Stop;

/// The longest that a wait goes without asking: what a stop may cost.
pub(super) const SLICE: Duration = Duration::from_millis(50);

/// Shared by a line and its connections. A line has one request at a time, so this is that request's.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<Option<State>>>,
}

#[derive(Debug)]
struct State {
    stop: Stop,
    until: Until,
    limits: Limits,
    began: Duration,
    /// The end of resolving or connecting, while that is under way, and its name.
    step: Option<(Duration, &'static str)>,
    /// Time waited since the last byte. Time in which nobody asked for bytes is not the other side's.
    silent: Duration,
    /// Time waited, and bytes moved, in the present window of `limits.pace`.
    waited: Duration,
    moved: u64,
    is_reused: bool,
    is_sent: bool,
    is_answered: bool,
    /// The waiting was given up here; the other side may still be at it.
    is_given_up: bool,
}

impl Pace {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            state: Arc::default(),
        }
    }

    /// Starts over for a request.
    pub(super) fn begin(&self, stop: &Stop, until: Until, limits: Limits) {
        *self.lock() = Some(State {
            stop: stop.clone(),
            until,
            limits,
            began: self.clock.elapsed(),
            step: None,
            silent: Duration::ZERO,
            waited: Duration::ZERO,
            moved: 0,
            is_reused: false,
            is_sent: false,
            is_answered: false,
            is_given_up: false,
        });
    }

    /// The monotonic time.
    pub(super) fn now(&self) -> Duration {
        self.clock.elapsed()
    }

    /// The limits of the request.
    pub(super) fn limits(&self) -> Limits {
        self.lock()
            .as_ref()
            .map_or(Limits::USUAL, |state| state.limits)
    }

    /// A step begins that must be done in `limit`; None: the exchange of bytes begins.
    pub(super) fn step(&self, step: Option<(Duration, &'static str)>) {
        let now = self.now();
        if let Some(state) = self.lock().as_mut() {
            state.step = step.map(|(limit, name)| (now.saturating_add(limit), name));
            state.silent = Duration::ZERO;
        }
    }

    /// The request goes out on a connection that was used before, or on a new one.
    pub(super) fn set_reused(&self, is_reused: bool) {
        if let Some(state) = self.lock().as_mut() {
            state.is_reused = is_reused;
        }
    }

    /// Whether a connection that was used before died before the first byte of the answer.
    pub(super) fn died_unanswered(&self) -> bool {
        self.lock()
            .as_ref()
            .is_some_and(|state| state.is_reused && !state.is_answered && !state.is_given_up)
    }

    /// Bytes of the request are about to go out.
    pub(super) fn sending(&self) {
        if let Some(state) = self.lock().as_mut() {
            state.is_sent = true;
        }
    }

    /// Bytes of the answer came.
    pub(super) fn answered(&self) {
        if let Some(state) = self.lock().as_mut() {
            state.is_answered = true;
        }
    }

    /// `failure`, with how far the request came.
    pub(super) fn reached(&self, failure: Failure) -> Failure {
        match self.lock().as_ref().is_some_and(|state| state.is_sent) {
            true => failure.sent(),
            false => failure,
        }
    }

    /// Bytes moved after a wait that began at `since`.
    pub(super) fn moved(&self, bytes: usize, since: Duration) -> Result<(), Failure> {
        let now = self.now();
        self.settle(now, |state| {
            state.waited = state.waited.saturating_add(now.saturating_sub(since));
            state.silent = Duration::ZERO;
            state.moved = state
                .moved
                .saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        })
    }

    /// Nothing moved in a wait that began at `since`.
    pub(super) fn waited(&self, since: Duration) -> Result<(), Failure> {
        let now = self.now();
        self.settle(now, |state| {
            let waited = now.saturating_sub(since);
            state.waited = state.waited.saturating_add(waited);
            state.silent = state.silent.saturating_add(waited);
        })
    }

    fn settle(&self, now: Duration, note: impl FnOnce(&mut State)) -> Result<(), Failure> {
        match self.lock().as_mut() {
            None => Ok(()),
            Some(state) => {
                note(state);
                state.check(now).map_err(|failure| {
                    state.is_given_up = true;
                    match state.is_sent {
                        true => failure.sent(),
                        false => failure,
                    }
                })
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<State>> {
        // The state is a few numbers, each written whole: a thread that panicked left it consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn check(&mut self, now: Duration) -> Result<(), Failure> {
        self.check_stop()?;
        let too_slow = |expected: String, found: &str| {
            Err(Failure::new(
                Kind::Unavailable,
                expected,
                found,
                super::ADVICE_LOST,
            ))
        };
        if let Some((end, step)) = self.step {
            return match now >= end {
                true => too_slow(format!("{step} to be done in time"), "that it was not"),
                false => Ok(()),
            };
        }
        let whole = self.limits.whole.filter(|whole| now >= self.began + *whole);
        if let Some(whole) = whole {
            let expected = format!("an answer within {:.0?}", whole);
            return too_slow(expected, "none that is whole");
        }
        if self.silent >= self.limits.silence {
            let expected = format!("a byte within {:.0?}", self.limits.silence);
            return too_slow(expected, "silence");
        }
        if let Some((bytes, time)) = self.limits.pace
            && self.waited >= time
        {
            if self.moved < bytes {
                let expected = format!("at least {bytes} bytes in {time:.0?} of waiting");
                return too_slow(expected, &format!("{} bytes", self.moved));
            }
            self.waited = Duration::ZERO;
            self.moved = 0;
        }
        Ok(())
    }

    fn check_stop(&self) -> Result<(), Failure> {
        let stopped = |found: &str| {
            let advice = "nothing: the run was stopped; start it again under a new RUN_ID";
            Failure::new(Kind::Interrupted, "to go on", found, advice)
        };
        match self.until {
            Until::Stopped => match self.stop.cause() {
                Some(cause) => Err(stopped(cause.name())),
                None => Ok(()),
            },
            Until::DrainEnd => match self.stop.remaining_with_drain().is_zero() {
                true => Err(stopped("that its time to drain is over")),
                false => Ok(()),
            },
        }
    }
}
