//! The log against readers that read, fail, block and come back.

use std::io::{self, Write};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::writer::{Form, Outputs};
use super::{Event, Level, Log};
use crate::clock::ManualClock;
use crate::limits;

const MINUTE: Duration = Duration::from_secs(60);

/// What was written, and what the next writes do instead of taking everything.
#[derive(Clone, Default)]
struct Reader(Arc<Mutex<(Vec<u8>, Vec<Fails>)>>);

#[derive(Clone, Copy)]
enum Fails {
    /// Nothing is taken.
    Whole,
    /// This many bytes are taken, then nothing.
    After(usize),
}

impl Write for Reader {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (taken, fails) = &mut *self.0.lock().unwrap();
        let most = match fails.pop() {
            Some(Fails::Whole) => return Err(io::ErrorKind::StorageFull.into()),
            Some(Fails::After(most)) => {
                fails.push(Fails::Whole);
                most.min(bytes.len())
            }
            None => bytes.len(),
        };
        taken.extend(&bytes[..most]);
        Ok(most)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Reader {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().0.clone()).unwrap()
    }

    fn lines(&self) -> Vec<Value> {
        let text = self.text();
        assert!(text.ends_with('\n'), "{text}");
        let parse = |line| serde_json::from_str(line).unwrap_or(Value::Null);
        text.lines().map(parse).collect()
    }
}

/// A reader that takes nothing until it is told to.
struct Blocked(Receiver<()>, Reader);

impl Write for Blocked {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Once the other end is gone this no longer blocks.
        let _ = self.0.recv();
        self.1.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn log_to(
    form: Form,
    out: impl Write + Send + 'static,
    terminal: Option<Reader>,
) -> (Arc<ManualClock>, Log) {
    let clock = Arc::new(ManualClock::default());
    let outputs = Outputs {
        form,
        out: Box::new(out),
        terminal: terminal.map(|reader| Box::new(reader) as Box<dyn Write + Send>),
    };
    let log = Log::to(clock.clone(), outputs).unwrap();
    (clock, log)
}

fn blocked() -> (SyncSender<()>, Reader, Log) {
    let (release, gate) = sync_channel(0);
    let reader = Reader::default();
    let (_, log) = log_to(Form::Json, Blocked(gate, reader.clone()), None);
    (release, reader, log)
}

fn summary() -> Event {
    Event::info("run_summary", "done").with("exit_code", 0)
}

#[test]
fn lines_are_flat_objects_in_a_fixed_order_and_the_summary_is_last() {
    let reader = Reader::default();
    let (clock, log) = log_to(Form::Json, reader.clone(), None);
    clock.wall_us.store(1_769_903_940_000_001, SeqCst);
    log.event(&Event::info("started", "one"));
    log.name_run("r1");
    log.event(&Event::warning("two\nlines").with("rows", 3));
    log.finish(summary(), MINUTE);
    log.event(&Event::info("progress", "too late"));
    assert_eq!(
        reader.text(),
        concat!(
            r#"{"timestamp":"2026-01-31T23:59:00.000001Z","level":"info","event":"started","message":"one","service":"windrow","run_id":null,"task_arn":null}"#,
            "\n",
            r#"{"timestamp":"2026-01-31T23:59:00.000001Z","level":"warning","event":"warning","message":"two\nlines","service":"windrow","run_id":"r1","task_arn":null,"rows":3}"#,
            "\n",
            r#"{"timestamp":"2026-01-31T23:59:00.000001Z","level":"info","event":"run_summary","message":"done","service":"windrow","run_id":"r1","task_arn":null,"exit_code":0,"log_lines_dropped":0}"#,
            "\n",
        )
    );
}

#[test]
fn a_line_is_cut_below_the_limit() {
    for (name, message, field) in [
        ("long message", "a".repeat(100_000), String::new()),
        ("long field", String::new(), "é".repeat(100_000)),
        ("both", "a".repeat(100_000), "b".repeat(100_000)),
        (
            "what JSON escapes",
            "\u{1}".repeat(100_000),
            "\"".repeat(100_000),
        ),
    ] {
        let reader = Reader::default();
        let (_, log) = log_to(Form::Json, reader.clone(), None);
        log.event(
            &Event::info("input", message)
                .with("uri", field)
                .with("rows", 7),
        );
        log.finish(summary(), MINUTE);
        let text = reader.text();
        let first = text.lines().next().unwrap();
        assert!(
            first.len() < limits::LOG_LINE_BYTES - 1,
            "{name}: {}",
            first.len()
        );
        let line: Value = serde_json::from_str(first).unwrap();
        assert_eq!(line["rows"], json!(7), "{name}");
    }
    // At the limit and one past it, counting the line end.
    let reader = Reader::default();
    let (_, log) = log_to(Form::Json, reader.clone(), None);
    log.event(&Event::info("x", ""));
    let empty = 1 + {
        log.finish(summary(), MINUTE);
        reader.text().lines().next().unwrap().len()
    };
    for (length, is_cut) in [
        (limits::LOG_LINE_BYTES - 1 - empty, false),
        (limits::LOG_LINE_BYTES - empty, true),
    ] {
        let reader = Reader::default();
        let (_, log) = log_to(Form::Json, reader.clone(), None);
        log.event(&Event::info("x", "a".repeat(length)));
        log.finish(summary(), MINUTE);
        assert_eq!(reader.text().contains('…'), is_cut, "{length}");
    }
}

#[test]
fn f104_a_full_disk_costs_lines_that_are_counted_and_tears_no_other() {
    let reader = Reader::default();
    // Popped from the end: one line torn after 5 bytes, one lost whole, then there is space again.
    reader.0.lock().unwrap().1 = vec![Fails::Whole, Fails::After(5)];
    let (_, log) = log_to(Form::Json, reader.clone(), None);
    for message in ["torn", "lost", "kept"] {
        log.event(&Event::info("input", message));
    }
    log.finish(summary(), MINUTE);
    let lines = reader.lines();
    assert_eq!(lines[0], Value::Null, "half a line, on a line of its own");
    assert_eq!(lines[1]["message"], json!("kept"));
    assert_eq!(lines[2]["log_lines_dropped"], json!(2));
}

#[test]
fn f104_a_reader_that_never_reads_stops_nothing() {
    let (_release, _, log) = blocked();
    for _ in 0..10 * limits::LOG_LINES {
        log.event(&Event::info("input", "a"));
    }
    log.finish(summary(), Duration::from_millis(50));
}

#[test]
fn f104_a_reader_that_comes_back_reads_the_summary_and_how_many_lines_it_missed() {
    let (release, reader, log) = blocked();
    for _ in 0..limits::LOG_LINES + 7 {
        log.event(&Event::info("input", "a"));
    }
    drop(release);
    log.finish(summary(), MINUTE);
    let lines = reader.lines();
    assert_eq!(lines.len(), limits::LOG_LINES + 1);
    let last = lines.last().unwrap();
    assert_eq!(last["event"], json!("run_summary"));
    assert_eq!(last["log_lines_dropped"], json!(7));
}

#[test]
fn a_terminal_shows_messages_and_one_progress_line() {
    let [out, terminal] = [Reader::default(), Reader::default()];
    let (clock, log) = log_to(Form::Terminal, out.clone(), Some(terminal.clone()));
    log.progress(|| "1 %".to_owned());
    log.progress(|| panic!("not due yet"));
    clock.elapsed_ms.store(200, SeqCst);
    log.progress(|| "2 %\x1b[2J".to_owned());
    log.event(&Event::info("input", "in\x07put\tä\n  second line"));
    log.finish(summary(), MINUTE);
    assert_eq!(out.text(), "in\\u{7}put\\tä\n  second line\ndone\n");
    assert_eq!(terminal.text(), "\r\x1b[K1 %\r\x1b[K2 %\\u{1b}[2J\r\x1b[K");
}

#[test]
fn progress_is_an_event_at_most_every_thirty_seconds() {
    let reader = Reader::default();
    let (clock, log) = log_to(Form::Json, reader.clone(), None);
    for (at_ms, due) in [
        (0, false),
        (29_999, false),
        (30_000, true),
        (59_999, false),
        (60_000, true),
    ] {
        clock.elapsed_ms.store(at_ms, SeqCst);
        let mut asked = false;
        log.progress(|| {
            asked = true;
            "far".to_owned()
        });
        assert_eq!(asked, due, "{at_ms}");
    }
    log.finish(summary(), MINUTE);
    assert_eq!(reader.lines().len(), 3);
    assert_eq!(reader.lines()[0]["event"], json!("progress"));
}

#[test]
fn why_a_run_failed_is_said_at_the_terminal_too_where_the_log_goes_elsewhere() {
    let [out, terminal] = [Reader::default(), Reader::default()];
    let (_, log) = log_to(Form::Json, out, Some(terminal.clone()));
    let failed = Event {
        level: Level::Error,
        ..Event::info("run_summary", "it broke")
    };
    log.finish(failed, MINUTE);
    assert_eq!(terminal.text(), "windrow: it broke\n");
}

#[test]
fn documents_are_written_whole_or_the_caller_hears_of_it() {
    let reader = Reader::default();
    let (_, log) = log_to(Form::Json, reader.clone(), None);
    log.document("a\nb\n".to_owned()).unwrap();
    assert_eq!(reader.text(), "a\nb\n");
    reader.0.lock().unwrap().1 = vec![Fails::Whole];
    let error = log.document("c".to_owned()).unwrap_err();
    assert_eq!(error.kind().exit_code(), 74);
}
