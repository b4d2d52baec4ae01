//! The thread that writes, and where it writes to. A write that fails costs its line and nothing else.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender};

use super::line::for_terminal;
use super::{Event, Level, Shared};

/// What lines look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One flat JSON object a line.
    Json,
    /// Messages alone; progress is a line on standard error that is written anew.
    Terminal,
}

/// What is handed to the thread.
pub(super) enum Line {
    Event(String),
    Progress(String),
    Document(String, SyncSender<io::Result<()>>),
    Last(Event, SyncSender<()>),
}

/// Where lines go.
pub(super) struct Outputs {
    pub(super) form: Form,
    pub(super) out: Box<dyn Write + Send>,
    /// Standard error, where it is a terminal.
    pub(super) terminal: Option<Box<dyn Write + Send>>,
}

impl Outputs {
    pub(super) fn standard() -> Self {
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
pub(super) struct Writer {
    outputs: Outputs,
    shared: Arc<Shared>,
    /// The last line went out in part: the next one starts on a line of its own.
    torn: bool,
    progress_shown: bool,
}

impl Writer {
    pub(super) fn new(outputs: Outputs, shared: Arc<Shared>) -> Self {
        Self {
            outputs,
            shared,
            torn: false,
            progress_shown: false,
        }
    }

    pub(super) fn run(mut self, lines: &Receiver<Line>) {
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
