//! The supervisor (SPEC 10): runs a command on a thread of its own and waits for its outcome, a signal, the deadline
//! or the drain's end, whichever comes first. Then the process leaves, whatever still blocks.
//!
//! It never looks at what the command does. The exit code is decided here and nowhere else: the first cause counts.

#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::Builder;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::clock::{Clock, SystemClock};
use crate::commit::{CommitState, Phase};
use crate::error::{Error, Kind, Result, shown};
use crate::limits;
use crate::log::{Event, Log};
use crate::machine::{Machine, Usage};
use crate::random::{Random, SystemRandomness};
use crate::signals::Handler;
use crate::stop::{Cause, Stop};

/// What a command is given: the whole outside world, and nothing else.
#[derive(Clone, Debug)]
pub struct Context {
    /// May it go on, and for how long may it wait.
    pub stop: Stop,
    /// Where events go.
    pub log: Log,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where nonces come from.
    pub random: Arc<dyn Random>,
    /// CPUs and memory.
    pub machine: Machine,
    /// How far the commit is; the supervisor closes it before it leaves a command behind.
    pub commit: CommitState,
    failure: Failure,
}

/// How a command ended well.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It printed what it was asked for; there is no more to say.
    Printed,
    /// A run is done: what `run_summary` says of it.
    Run {
        /// A sentence.
        message: String,
        /// Facts.
        fields: Map<String, Value>,
    },
}

/// When a command must be done, counted from process start, and how long it may then take to leave.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    /// MAX_RUNTIME_SECONDS.
    pub deadline: Duration,
    /// DRAIN_SECONDS.
    pub drain: Duration,
}

impl Allowance {
    /// For commands that have no deadline of their own: they end by themselves or by a signal.
    pub const UNTIL_STOPPED: Self = Self {
        deadline: Duration::MAX,
        drain: Duration::from_secs(1),
    };
}

/// The first failure that was noted by any thread, a panic or [`Context::fail`]: the error of the run.
type Failure = Arc<OnceLock<Error>>;

/// What the supervisor waits for.
#[derive(Debug)]
enum Heard {
    Signal(Cause),
    Panic,
    Ended(Result<Outcome>),
}

/// How waiting for a command ended.
#[derive(Debug)]
enum Ending {
    /// By itself, or because it saw that it must stop.
    Ended(Result<Outcome>),
    /// It still blocked when the drain of this cause was over.
    DrainOver(Cause),
    /// By this signal, which was not the first.
    SecondSignal(Cause),
}

/// The supervisor before its command: signals are taken, panics caught, the log runs.
#[derive(Debug)]
pub struct Supervisor {
    clock: Arc<dyn Clock>,
    log: Log,
    tell: SyncSender<Heard>,
    hear: Receiver<Heard>,
    failure: Failure,
}

impl Supervisor {
    /// Takes over signals and panics. To be called before anything else in a process, and once.
    ///
    /// # Errors
    /// 74 where the system has no threads or descriptors for it.
    pub fn start() -> Result<Self> {
        Self::with_clock(Arc::new(SystemClock::start()))
    }

    /// As [`Supervisor::start`], by another clock.
    ///
    /// # Errors
    /// Those of it.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Result<Self> {
        let signals = Handler::install()?;
        let (tell, hear) = sync_channel(limits::SUPERVISOR_EVENTS);
        let failure = Failure::default();
        catch_panics(failure.clone(), tell.clone());
        let log = Log::start(clock.clone())?;
        let tell_signal = tell.clone();
        start_thread("signals", move || {
            signals.each(|cause| {
                // The supervisor lives as long as the process.
                let _ = tell_signal.send(Heard::Signal(cause));
            });
        })?;
        Ok(Self {
            clock,
            log,
            tell,
            hear,
            failure,
        })
    }

    /// The log, for what happens before the command.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Runs `command` to its end or to the end of its allowance, writes `run_summary`, and gives the exit code.
    #[must_use]
    pub fn run(
        self,
        allowance: Allowance,
        command: impl FnOnce(&Context) -> Result<Outcome> + Send + 'static,
    ) -> u8 {
        let stop = Stop::new(self.clock.clone(), allowance.deadline, allowance.drain);
        let context = Context {
            stop: stop.clone(),
            log: self.log.clone(),
            clock: self.clock.clone(),
            random: Arc::new(SystemRandomness::default()),
            machine: Machine::read(),
            commit: CommitState::default(),
            failure: self.failure.clone(),
        };
        let commit = context.commit.clone();
        let tell = self.tell.clone();
        let started = start_thread("command", move || {
            let ended = context.guard(|| command(&context));
            let _ = tell.send(Heard::Ended(ended));
        });
        let ending = match started {
            Ok(()) => self.wait(&stop),
            Err(error) => Ending::Ended(Err(error)),
        };
        let wait = match ending {
            Ending::SecondSignal(_) => limits::LEAVING,
            Ending::Ended(_) | Ending::DrainOver(_) => {
                stop.remaining().clamp(limits::LEAVING, limits::LOG_FLUSH)
            }
        };
        // From here on the command, where it still runs, sends no result any more.
        let phase = commit.close();
        self.leave(verdict(ending, phase, self.failure.get()), phase, wait)
    }

    /// Runs what comes before the command; a panic in it is an error like any other.
    ///
    /// # Errors
    /// Those of `work`, and 70 for a panic.
    pub fn prepare<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        guard(&self.failure, work)
    }

    /// Writes `run_summary` for a run that never started, and gives the exit code.
    #[must_use]
    pub fn refuse(&self, error: Error) -> u8 {
        self.leave(Err(error), Phase::Closed, limits::LOG_FLUSH)
    }

    fn wait(&self, stop: &Stop) -> Ending {
        let mut is_signalled = false;
        let mut is_draining = false;
        loop {
            let cause = stop.cause();
            if let (Some(cause), false) = (cause, is_draining) {
                is_draining = true;
                self.log.event(&draining(cause));
            }
            let time = match cause {
                // Any thread may stop the run; the supervisor sees it when it looks.
                None => stop.remaining().min(limits::SUPERVISOR_LOOK),
                Some(_) => stop.remaining().saturating_sub(limits::LEAVING),
            };
            match self.hear.recv_timeout(time) {
                Ok(Heard::Ended(result)) => {
                    // The command may have seen the deadline before this did.
                    if let (Err(_), Some(cause), false) = (&result, stop.cause(), is_draining) {
                        self.log.event(&draining(cause));
                    }
                    return Ending::Ended(result);
                }
                Ok(Heard::Panic) => stop.request(Cause::Failure),
                Ok(Heard::Signal(cause)) if is_signalled => return Ending::SecondSignal(cause),
                Ok(Heard::Signal(cause)) => {
                    is_signalled = true;
                    stop.request(cause);
                }
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(cause) = cause {
                        return Ending::DrainOver(cause);
                    }
                }
                // Not while this holds a sender itself.
                Err(RecvTimeoutError::Disconnected) => {
                    let found = "a channel without senders";
                    return Ending::Ended(Err(Error::defect("supervising", found)));
                }
            }
        }
    }

    fn leave(&self, result: Result<Outcome>, phase: Phase, wait: Duration) -> u8 {
        let (exit_code, summary) = match result {
            Ok(Outcome::Printed) => return 0,
            Ok(Outcome::Run { message, fields }) => {
                let mut summary = Event::info("run_summary", message);
                summary.fields = fields;
                // A stream that a signal ended has its result, and still was not left to run.
                let exit_code = match phase {
                    Phase::Interrupted => Kind::Interrupted.exit_code(),
                    Phase::Working | Phase::ResultSent | Phase::Committed | Phase::Closed => 0,
                };
                (exit_code, summary)
            }
            Err(error) => (error.kind().exit_code(), Event::failure(&error)),
        };
        let usage = Usage::read();
        let summary = summary
            .with("exit_code", exit_code)
            .with("seconds", self.clock.elapsed().as_secs_f64())
            .with("peak_memory_bytes", usage.peak_memory_bytes)
            .with("cpu_seconds", usage.cpu_seconds);
        self.log.finish(summary, wait);
        exit_code
    }
}

impl Context {
    /// A world without a supervisor.
    #[cfg(test)]
    #[must_use]
    pub fn unwatched(clock: Arc<dyn Clock>, stop: Stop) -> Self {
        Self {
            stop,
            log: Log::unread(clock.clone()),
            clock,
            random: Arc::new(SystemRandomness::default()),
            machine: Machine::read(),
            commit: CommitState::default(),
            failure: Failure::default(),
        }
    }

    /// Runs `work`; a panic in it becomes an error, so that what must follow a failure can follow.
    ///
    /// # Errors
    /// Those of `work`, and 70 for a panic.
    pub fn guard<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        guard(&self.failure, work)
    }

    /// Notes `error` as what ends the run, if nothing did before, and stops the other threads.
    pub fn fail(&self, error: Error) {
        let _ = self.failure.set(error);
        self.stop.request(Cause::Failure);
    }
}

fn guard<T>(failure: &Failure, work: impl FnOnce() -> Result<T>) -> Result<T> {
    // What `work` left half done is never looked at again: the run ends.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let seen = failure.get().cloned();
        Err(seen.unwrap_or_else(|| Error::defect("working", "a panic")))
    })
}

/// A panic of any thread becomes the run's failure and wakes the supervisor; nothing is printed.
fn catch_panics(failure: Failure, tell: SyncSender<Heard>) {
    set_hook(Box::new(move |panic| {
        let text = panic.payload_as_str().unwrap_or("without a text");
        let place = panic
            .location()
            .map_or_else(String::new, ToString::to_string);
        let found = format!("a panic at {place}: {}", shown(text.as_bytes(), 500));
        let _ = failure.set(Error::defect("working", found));
        // Where the channel is full, the supervisor is awake already.
        let _ = tell.try_send(Heard::Panic);
    }));
}

fn start_thread(name: &'static str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    match Builder::new()
        .name(name.to_owned())
        .stack_size(limits::STACK_BYTES)
        .spawn(work)
    {
        Ok(_) => Ok(()),
        Err(cause) => Err(Error::local_io("starting the thread of", name, &cause)),
    }
}

fn draining(cause: Cause) -> Event {
    Event::info("draining", format!("draining after {}", cause.name())).with("cause", cause.name())
}

/// What a run came to: by its own word, by how far its commit is, and by the first failure that was noted.
fn verdict(ending: Ending, phase: Phase, first: Option<&Error>) -> Result<Outcome> {
    let nothing_committed = |found: String| {
        Error::new(
            Kind::Interrupted,
            "draining",
            "to leave the output in order",
            found,
            "nothing was committed; start it again under a new RUN_ID",
        )
    };
    match (ending, phase) {
        (Ending::Ended(Ok(outcome)), _) => Ok(outcome),
        // The result is there, which means success, whatever came after it.
        (_, Phase::Committed | Phase::Interrupted) => Ok(Outcome::Run {
            message: "committed".to_owned(),
            fields: Map::new(),
        }),
        // The command's own word says what is known of the result.
        (Ending::Ended(Err(error)), Phase::ResultSent) => Err(error),
        (Ending::DrainOver(_), Phase::ResultSent) => Err(outcome_unknown(
            Kind::Unavailable,
            "none before the drain was over",
        )),
        (Ending::SecondSignal(_), Phase::ResultSent) => Err(outcome_unknown(
            Kind::Interrupted,
            "a second signal before one",
        )),
        (ending, Phase::Working | Phase::Closed) => Err(match (first, ending) {
            (Some(first), _) => first.clone(),
            (None, Ending::Ended(Err(error))) => error,
            (None, Ending::Ended(Ok(_))) => Error::defect("supervising", "an outcome twice"),
            (None, Ending::DrainOver(cause)) => nothing_committed(format!(
                "a call that still blocked when the drain was over, after {}",
                cause.name()
            )),
            (None, Ending::SecondSignal(cause)) => {
                nothing_committed(format!("a second signal, {}", cause.name()))
            }
        }),
    }
}

fn outcome_unknown(kind: Kind, found: &'static str) -> Error {
    Error::new(
        kind,
        "committing",
        "an answer to the result's PUT",
        found,
        "outcome unknown: look for manifest.json after 15 minutes",
    )
}
