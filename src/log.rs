//! Events to lines (SPEC 9), and the only place that writes to standard output or standard error.
//!
//! One thread writes; everybody else hands lines over and goes on, whatever becomes of them. A reader that blocks or
//! is gone costs lines, which are counted, never time. The last line is `run_summary`, for which room is kept.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::Builder;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::limits;
use crate::value::timestamp;

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
    lines: SyncSender<Line>,
    /// Lines handed over and not yet written.
    waiting: AtomicUsize,
    dropped: AtomicU64,
    /// When the next progress is due, in milliseconds since the process started.
    progress_due_ms: AtomicU64,
}

/// What lines look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// One flat JSON object a line.
    Json,
    /// Messages alone; progress is a line on standard error that is written anew.
    Terminal,
}

enum Line {
    Event(String),
    Progress(String),
    Document(String, SyncSender<io::Result<()>>),
    Last(Event, SyncSender<()>),
}

/// Where lines go.
struct Outputs {
    form: Form,
    out: Box<dyn Write + Send>,
    /// Standard error, where it is a terminal.
    terminal: Option<Box<dyn Write + Send>>,
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

    fn to(clock: Arc<dyn Clock>, outputs: Outputs) -> Result<Self> {
        // One place more than events may take: the last line always finds room.
        let (lines, received) = sync_channel(limits::LOG_LINES + 1);
        let form = outputs.form;
        let shared = Arc::new(Shared {
            clock,
            form,
            run_id: OnceLock::new(),
            lines,
            waiting: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            progress_due_ms: AtomicU64::new(match form {
                Form::Json => whole_ms(PROGRESS_EVENT),
                Form::Terminal => 0,
            }),
        });
        let writer = Writer {
            outputs,
            shared: shared.clone(),
            torn: false,
            progress_shown: false,
        };
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
    let last = Event {
        level: Level::Error,
        ..Event::info("run_summary", error.to_string())
    };
    let last = last.with("exit_code", error.kind().exit_code());
    let line = match Outputs::standard() {
        Outputs {
            form: Form::Terminal,
            ..
        } => for_terminal(&last.message) + "\n",
        Outputs {
            form: Form::Json, ..
        } => json_line(&utc(clock.wall_us()), None, &last),
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
                json_line(&timestamp, self.run_id.get().map(String::as_str), event)
            }
        }
    }
}

/// The members of a line, in their order.
#[derive(Serialize)]
struct Members<'a> {
    timestamp: &'a str,
    level: Level,
    event: &'static str,
    message: &'a str,
    service: &'static str,
    run_id: Option<&'a str>,
    task_arn: Option<&'a str>,
    #[serde(flatten)]
    fields: &'a Map<String, Value>,
}

/// One line under [`limits::LOG_LINE_BYTES`]: of an event that is longer, every text is cut until it fits.
fn json_line(timestamp: &str, run_id: Option<&str>, event: &Event) -> String {
    let line = |message: &str, fields: &Map<String, Value>| {
        let members = Members {
            timestamp,
            level: event.level,
            event: event.name,
            message,
            service: "windrow",
            run_id,
            task_arn: None,
            fields,
        };
        // Texts and numbers in a map with text keys always have a JSON form.
        serde_json::to_string(&members).unwrap_or_default() + "\n"
    };
    let mut whole = line(&event.message, &event.fields);
    let mut characters = limits::LOG_LINE_BYTES / 2;
    while whole.len() >= limits::LOG_LINE_BYTES && characters > 0 {
        let mut fields = event.fields.clone();
        for value in fields.values_mut() {
            if let Value::String(text) = value {
                *text = cut(text, characters / 4);
            }
        }
        whole = line(&cut(&event.message, characters), &fields);
        characters /= 2;
    }
    whole
}

fn cut(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned() + "…",
        None => text.to_owned(),
    }
}

/// ISO 8601, in UTC.
fn utc(us: i64) -> String {
    let mut text = Vec::new();
    timestamp::format(us, &mut text);
    String::from_utf8_lossy(&text).replace(' ', "T") + "Z"
}

/// Line ends stay, other control characters are escaped: a message never moves the cursor.
fn for_terminal(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    for character in message.chars() {
        if character.is_control() && character != '\n' {
            text.extend(character.escape_default());
        } else {
            text.push(character);
        }
    }
    text
}

impl Outputs {
    fn standard() -> Self {
        // Past the buffer of the standard library, which keeps what it could not write and would try again at exit.
        fn unbuffered(stream: impl Write + AsFd + Send + 'static) -> Box<dyn Write + Send> {
            match stream.as_fd().try_clone_to_owned() {
                Ok(descriptor) => Box::new(File::from(descriptor)),
                Err(_) => Box::new(stream),
            }
        }
        Self {
            form: match io::stdout().is_terminal() {
                true => Form::Terminal,
                false => Form::Json,
            },
            out: unbuffered(io::stdout()),
            terminal: io::stderr().is_terminal().then(|| unbuffered(io::stderr())),
        }
    }
}

/// The thread's side.
struct Writer {
    outputs: Outputs,
    shared: Arc<Shared>,
    /// The last line went out in part: the next one starts on a line of its own.
    torn: bool,
    progress_shown: bool,
}

impl Writer {
    fn run(mut self, lines: &Receiver<Line>) {
        for line in lines {
            match line {
                Line::Event(text) => {
                    self.clear_progress();
                    self.line(&text);
                    self.shared.waiting.fetch_sub(1, Ordering::SeqCst);
                }
                Line::Progress(text) => {
                    self.show_progress(&text);
                    self.shared.waiting.fetch_sub(1, Ordering::SeqCst);
                }
                Line::Document(text, tell) => {
                    let _ = tell.send(self.write(text.as_bytes()));
                }
                Line::Last(event, tell) => {
                    self.clear_progress();
                    self.last(event);
                    let _ = tell.send(());
                    return;
                }
            }
        }
    }

    fn last(&mut self, event: Event) {
        let dropped = self.shared.dropped.load(Ordering::SeqCst);
        let is_error = event.level == Level::Error;
        let event = event.with("log_lines_dropped", dropped);
        self.line(&self.shared.line(&event));
        // Whoever sits at a terminal and sent the log elsewhere still reads why the run failed.
        if let (Form::Json, true, Some(terminal)) =
            (self.outputs.form, is_error, &mut self.outputs.terminal)
        {
            let text = for_terminal(&event.message);
            let _ = writeln!(terminal, "windrow: {text}");
        }
    }

    fn line(&mut self, text: &str) {
        if self.write(text.as_bytes()).is_err() {
            self.shared.dropped.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        if self.torn {
            self.outputs.out.write_all(b"\n")?;
            self.torn = false;
        }
        let mut rest = text;
        while !rest.is_empty() {
            match self.outputs.out.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(cause),
            }
            self.torn = !rest.is_empty();
        }
        Ok(())
    }

    fn show_progress(&mut self, text: &str) {
        if let Some(terminal) = &mut self.outputs.terminal {
            // Carriage return, then "erase to the end of the line" (ECMA-48, EL).
            let _ = write!(terminal, "\r\x1b[K{}", for_terminal(text));
            self.progress_shown = true;
        }
    }

    fn clear_progress(&mut self) {
        if let (true, Some(terminal)) = (self.progress_shown, &mut self.outputs.terminal) {
            let _ = terminal.write_all(b"\r\x1b[K");
            self.progress_shown = false;
        }
    }
}
