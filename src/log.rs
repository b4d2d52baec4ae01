//! Events to lines (SPEC 9), and the only place that writes to standard output or standard error.
//!
//! One thread writes; everybody else hands lines over and goes on, whatever becomes of them. A reader that blocks or
//! is gone costs lines, which are counted, never time. The last line is `run_summary`, for which room is kept.

mod line;
#[cfg(test)]
mod tests;
mod writer;

use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::Builder;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::limits;
use crate::value::timestamp::utc;
use line::{Whose, for_terminal, json_line};
use writer::{Form, Line, Outputs, Writer};

/// A handle to the log of a run; cheap to clone.
#[derive(Clone, Debug)]
pub struct Log(Arc<Shared>);

/// One event.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its name, one of those of SPEC 9.
    pub name: &'static str,
    /// How much it matters.
    pub level: Level,
    /// A sentence for people. Text from outside in it has gone through [`crate::error::shown`].
    pub message: String,
    /// Facts for machines: numbers, texts, booleans.
    pub fields: Map<String, Value>,
}

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It went as it should.
    Info,
    /// It went on, but somebody should know.
    Warning,
    /// It ended the run.
    Error,
}

#[derive(Debug)]
struct Shared {
    clock: Arc<dyn Clock>,
    form: Form,
    run_id: OnceLock<String>,
    task_arn: OnceLock<String>,
    lines: SyncSender<Line>,
    /// Lines handed over and not yet written.
    waiting: AtomicUsize,
    dropped: AtomicU64,
    /// When the next progress is due, in milliseconds since the process started.
    progress_due_ms: AtomicU64,
}

/// On a terminal: often enough to look alive.
const PROGRESS_LINE: Duration = Duration::from_millis(200);
/// In a log (SPEC 9).
const PROGRESS_EVENT: Duration = Duration::from_secs(30);

impl Event {
    /// An event that went as it should.
    #[must_use]
    pub fn info(name: &'static str, message: impl Into<String>) -> Self {
        Self {
            name,
            level: Level::Info,
            message: message.into(),
            fields: Map::new(),
        }
    }

    /// A `warning`.
    #[must_use]
    pub fn warning(message: impl Into<String>) -> Self {
        Self {
            level: Level::Warning,
            ..Self::info("warning", message)
        }
    }

    /// The `run_summary` of a run that ended with `error`.
    #[must_use]
    pub fn failure(error: &Error) -> Self {
        let detail = error.detail();
        let mut event = Self {
            level: Level::Error,
            ..Self::info("run_summary", error.to_string())
        };
        if let Some(place) = &detail.place {
            event = event.with("uri", place.uri.as_str());
            for (name, number) in [
                ("record", place.record),
                ("offset_bytes", place.offset_bytes),
            ] {
                if let Some(number) = number {
                    event = event.with(name, number);
                }
            }
            if let Some(column) = &place.column {
                event = event.with("column", column.as_str());
            }
        }
        event
            .with("error", detail.kind.name())
            .with("doing", detail.doing)
            .with("expected", detail.expected.as_str())
            .with("found", detail.found.as_str())
            .with("advice", detail.advice.as_str())
    }

    /// The same, with a fact more.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }
}

impl Log {
    /// The log on standard output.
    ///
    /// # Errors
    /// 74 where there is no thread to be had.
    pub fn start(clock: Arc<dyn Clock>) -> Result<Self> {
        Self::to(clock, Outputs::standard())
    }

    /// A log that nobody reads.
    #[cfg(test)]
    #[must_use]
    pub fn unread(clock: Arc<dyn Clock>) -> Self {
        let outputs = Outputs {
            form: Form::Json,
            out: Box::new(io::sink()),
            terminal: None,
        };
        Self::to(clock, outputs).unwrap()
    }

    fn to(clock: Arc<dyn Clock>, outputs: Outputs) -> Result<Self> {
        // One place more than events may take: the last line always finds room.
        let (lines, received) = sync_channel(limits::LOG_LINES + 1);
        let form = outputs.form;
        let shared = Arc::new(Shared {
            clock,
            form,
            run_id: OnceLock::new(),
            task_arn: OnceLock::new(),
            lines,
            waiting: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            progress_due_ms: AtomicU64::new(match form {
                Form::Json => whole_ms(PROGRESS_EVENT),
                Form::Terminal => 0,
            }),
        });
        let writer = Writer::new(outputs, shared.clone());
        Builder::new()
            .name("log".to_owned())
            .spawn(move || writer.run(&received))
            .map_err(|cause| Error::local_io("starting the thread of", "the log", &cause))?;
        Ok(Self(shared))
    }

    /// Puts this RUN_ID into every line from now on. The first call counts.
    pub fn name_run(&self, run_id: &str) {
        let _ = self.0.run_id.set(run_id.to_owned());
    }

    /// Puts this task into every line from now on. The first call counts.
    pub fn name_task(&self, task_arn: &str) {
        let _ = self.0.task_arn.set(task_arn.to_owned());
    }

    /// Writes `event` down, or counts it as dropped.
    pub fn event(&self, event: &Event) {
        self.hand_over(Line::Event(self.0.line(event)));
    }

    /// Shows how far the run is; `text` is only asked for where it is time to.
    pub fn progress(&self, text: impl FnOnce() -> String) {
        let now = whole_ms(self.0.clock.elapsed());
        let due = self.0.progress_due_ms.load(Ordering::Relaxed);
        let next = now.saturating_add(match self.0.form {
            Form::Json => whole_ms(PROGRESS_EVENT),
            Form::Terminal => whole_ms(PROGRESS_LINE),
        });
        let won = || {
            let due_ms = &self.0.progress_due_ms;
            due_ms.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed)
        };
        if now >= due && won().is_ok() {
            match self.0.form {
                Form::Json => self.event(&Event::info("progress", text())),
                Form::Terminal => self.hand_over(Line::Progress(text())),
            }
        }
    }

    /// Writes what a command was asked to print, such as `--help`, and waits until it is out.
    ///
    /// # Errors
    /// 74 where standard output does not take it; a reader that has gone away has had enough, which is none.
    pub fn document(&self, text: String) -> Result<()> {
        let (tell, written) = sync_channel(1);
        let cause = match self.0.lines.send(Line::Document(text, tell)) {
            Ok(()) => match written.recv() {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(cause)) if cause.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                Ok(Err(cause)) => cause,
                Err(_) => io::ErrorKind::BrokenPipe.into(),
            },
            Err(_) => io::ErrorKind::BrokenPipe.into(),
        };
        Err(Error::local_io("writing to", "standard output", &cause))
    }

    /// Writes the last line, to which the number of dropped lines is added, and waits for it at most `wait`.
    pub fn finish(&self, last: Event, wait: Duration) {
        let (tell, written) = sync_channel(1);
        if self.0.lines.try_send(Line::Last(last, tell)).is_ok() {
            // Past the wait the process leaves without it.
            let _ = written.recv_timeout(wait);
        }
    }

    fn hand_over(&self, line: Line) {
        let shared = &self.0;
        let waiting = shared.waiting.fetch_add(1, Ordering::SeqCst);
        if waiting >= limits::LOG_LINES || shared.lines.try_send(line).is_err() {
            shared.waiting.fetch_sub(1, Ordering::SeqCst);
            shared.dropped.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Writes `error` as the one line of a process that could not start a log.
pub fn last_words(clock: &dyn Clock, error: &Error) {
    let last = Event::failure(error).with("exit_code", error.kind().exit_code());
    let line = match Outputs::standard() {
        Outputs {
            form: Form::Terminal,
            ..
        } => for_terminal(&last.message) + "\n",
        Outputs {
            form: Form::Json, ..
        } => json_line(&utc(clock.wall_us()), Whose::default(), &last),
    };
    // There is nowhere left to say that this failed.
    let _ = Outputs::standard().out.write_all(line.as_bytes());
}

fn whole_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Shared {
    fn line(&self, event: &Event) -> String {
        match self.form {
            Form::Terminal => for_terminal(&event.message) + "\n",
            Form::Json => {
                let timestamp = utc(self.clock.wall_us());
                let whose = Whose {
                    run_id: self.run_id.get().map(String::as_str),
                    task_arn: self.task_arn.get().map(String::as_str),
                };
                json_line(&timestamp, whose, event)
            }
        }
    }
}
