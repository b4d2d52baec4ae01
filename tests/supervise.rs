//! The supervisor with real signals, real panics and real pipes (SPEC 10; rows 102, 104, 107, 108 and 116 of the
//! fault catalogue). Each case runs in a process of its own: this program again, told by a variable what to be.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::exit,
    clippy::indexing_slicing,
    reason = "a test that cannot go on says where; the children end as main would"
)]

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use windrow::error::{Error, Kind};
use windrow::log::Event;
use windrow::supervise::{Allowance, Context, Outcome, Supervisor};

/// Says what the child is to do; absent in the tests themselves.
const SCENE: &str = "SUPERVISE_SCENE";

fn done() -> windrow::error::Result<Outcome> {
    Ok(Outcome::Run {
        message: "done".to_owned(),
        fields: serde_json::Map::new(),
    })
}

fn block_for_ever() -> ! {
    loop {
        std::thread::park();
    }
}

/// Tells the parent that the scene is set.
fn ready(context: &Context) {
    context.log.event(&Event::info("started", "ready"));
}

fn play(scene: &str, context: &Context) -> windrow::error::Result<Outcome> {
    match scene {
        "succeeds" => done(),
        "fails" => Err(Error::new(Kind::Data, "reading", "a", "b", "c").at_uri("file:///x")),
        "panics" => panic!("deliberate"),
        "stops when told" => {
            ready(context);
            while !context.stop.wait(Duration::from_secs(3600)) {}
            context.stop.check()?;
            done()
        }
        "finishes although told to stop" => {
            ready(context);
            context.stop.wait(Duration::from_secs(3600));
            done()
        }
        "blocks" => {
            ready(context);
            block_for_ever()
        }
        "worker panics, command waits" => std::thread::scope(|scope| {
            scope.spawn(|| panic!("deliberate in a worker"));
            while !context.stop.wait(Duration::from_secs(3600)) {}
            context.stop.check()?;
            done()
        }),
        "worker panics, command blocks" => std::thread::scope(|scope| {
            scope.spawn(|| panic!("deliberate in a worker"));
            block_for_ever()
        }),
        "one failure, command blocks" => {
            context.fail(Error::new(Kind::Input, "reading", "a", "first cause", "c"));
            block_for_ever()
        }
        "talks" => {
            ready(context);
            for _ in 0..10_000 {
                context.log.event(&Event::info("input", "a".repeat(100)));
            }
            done()
        }
        other => panic!("no scene {other}"),
    }
}

/// Not a test of its own: what the children run.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the children are told by a variable and end as main would"
)]
fn scene() {
    let Ok(scene) = std::env::var(SCENE) else {
        return;
    };
    let (deadline_ms, drain_ms, scene) = {
        let mut parts = scene.splitn(3, ' ');
        let mut number = || parts.next().unwrap().parse().unwrap();
        (number(), number(), parts.next().unwrap().to_owned())
    };
    let allowance = Allowance {
        deadline: Duration::from_millis(deadline_ms),
        drain: Duration::from_millis(drain_ms),
    };
    let supervisor = Supervisor::start().unwrap();
    let code = supervisor.run(allowance, move |context| play(&scene, context));
    std::process::exit(code.into())
}

const HOUR_MS: u64 = 3_600_000;

struct Run {
    child: Child,
    out: BufReader<ChildStdout>,
}

fn start(scene: &str, deadline_ms: u64, drain_ms: u64) -> Run {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "scene", "--nocapture", "--quiet"])
        .env(SCENE, format!("{deadline_ms} {drain_ms} {scene}"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    Run { child, out }
}

impl Run {
    /// Reads until the child says that it is where the test wants it.
    fn until_ready(mut self) -> Self {
        let mut line = String::new();
        while !line.contains("\"ready\"") {
            line.clear();
            assert_ne!(self.out.read_line(&mut line).unwrap(), 0, "never ready");
        }
        self
    }

    fn signal(self, name: &str) -> Self {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args([name, &pid]).status().unwrap();
        assert!(status.success());
        self
    }

    /// Reads until the child says that it drains.
    fn until_draining(mut self) -> Self {
        let mut line = String::new();
        while !line.contains("\"draining\"") {
            line.clear();
            assert_ne!(self.out.read_line(&mut line).unwrap(), 0, "never draining");
        }
        self
    }

    /// Exit code and the last line, which must be `run_summary` and the only one of its kind; nothing on standard error.
    fn end(mut self) -> (i32, serde_json::Value) {
        let mut out = String::new();
        self.out.read_to_string(&mut out).unwrap();
        let mut error = String::new();
        let stderr = self.child.stderr.as_mut().unwrap();
        stderr.read_to_string(&mut error).unwrap();
        assert_eq!(error, "", "standard error");
        let status = self.child.wait().unwrap();
        let code = status.code();
        let code = code.unwrap_or_else(|| panic!("killed by {:?}", status.signal()));
        let events: Vec<serde_json::Value> = out
            .lines()
            .filter(|line| line.starts_with('{'))
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let last = events.last().unwrap().clone();
        let is_summary = |event: &&serde_json::Value| event["event"] == "run_summary";
        assert!(is_summary(&&last), "{last}");
        assert_eq!(events.iter().filter(is_summary).count(), 1);
        assert_eq!(last["exit_code"], code);
        (code, last)
    }
}

fn message(summary: &serde_json::Value) -> &str {
    summary["message"].as_str().unwrap()
}

#[test]
fn outcomes_become_exit_codes_and_a_last_line() {
    let (code, summary) = start("succeeds", HOUR_MS, 1000).end();
    assert_eq!((code, message(&summary)), (0, "done"));
    assert!(summary["peak_memory_bytes"].as_u64() > Some(0));
    let (code, summary) = start("fails", HOUR_MS, 1000).end();
    assert_eq!((code, summary["uri"].as_str()), (65, Some("file:///x")));
    assert_eq!(summary["error"], "data");
}

#[test]
fn f107_a_panic_in_any_thread_is_70_with_its_text_and_place() {
    for (scene, drain_ms, text) in [
        ("panics", HOUR_MS, "deliberate"),
        (
            "worker panics, command waits",
            HOUR_MS,
            "deliberate in a worker",
        ),
        (
            "worker panics, command blocks",
            1000,
            "deliberate in a worker",
        ),
    ] {
        let (code, summary) = start(scene, HOUR_MS, drain_ms).end();
        assert_eq!(code, 70, "{scene}");
        let message = message(&summary);
        assert!(
            message.contains(text) && message.contains("tests/supervise.rs:"),
            "{message}"
        );
    }
}

#[test]
fn the_first_failure_is_the_cause_even_where_its_thread_never_comes_back() {
    let (code, summary) = start("one failure, command blocks", HOUR_MS, 1000).end();
    assert_eq!(code, 66);
    assert!(message(&summary).contains("first cause"));
}

#[test]
fn f102_each_signal_stops_a_command_that_listens() {
    for name in ["-TERM", "-INT", "-HUP"] {
        let (code, summary) = start("stops when told", HOUR_MS, HOUR_MS)
            .until_ready()
            .signal(name)
            .end();
        assert_eq!(code, 75, "{name}");
        let word = name.replace('-', "SIG");
        assert!(message(&summary).contains(&word), "{summary}");
    }
}

#[test]
fn f116_a_command_that_can_still_finish_has_the_last_word() {
    let run = start("finishes although told to stop", HOUR_MS, HOUR_MS);
    assert_eq!(run.until_ready().signal("-TERM").end().0, 0);
}

#[test]
fn f108_the_process_leaves_when_the_drain_is_over_whatever_blocks() {
    let (code, summary) = start("blocks", HOUR_MS, 1000)
        .until_ready()
        .signal("-TERM")
        .end();
    assert_eq!(code, 75);
    assert!(message(&summary).contains("still blocked"), "{summary}");
    let seconds = summary["seconds"].as_f64().unwrap();
    assert!(seconds > 0.7, "the drain was there to be used: {seconds}");
}

#[test]
fn f108_deadline_and_drain_bound_the_process() {
    let (code, summary) = start("blocks", 300, 1000).end();
    assert_eq!(code, 75);
    let seconds = summary["seconds"].as_f64().unwrap();
    assert!((1.0..1.3).contains(&seconds), "{seconds}");
    let (code, summary) = start("stops when told", 300, HOUR_MS).end();
    assert_eq!(code, 75);
    assert!(
        message(&summary).contains("MAX_RUNTIME_SECONDS"),
        "{summary}"
    );
}

#[test]
fn f102_a_second_signal_ends_at_once() {
    for second in ["-TERM", "-INT"] {
        let (code, summary) = start("blocks", HOUR_MS, HOUR_MS)
            .until_ready()
            .signal("-TERM")
            .until_draining()
            .signal(second)
            .end();
        assert_eq!(code, 75);
        assert!(message(&summary).contains("second signal"), "{summary}");
    }
}

#[test]
fn f104_a_reader_that_never_reads_or_is_gone_stops_nothing() {
    let mut unread = start("talks", HOUR_MS, 1000);
    // The pipe holds 64 KiB of 2 MB; nobody reads the rest before the process is gone.
    assert_eq!(unread.child.wait().unwrap().code(), Some(0));
    let Run { mut child, out } = start("talks", HOUR_MS, 1000).until_ready();
    drop(out);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn f104_a_slow_reader_still_gets_the_summary_with_the_number_of_lines_it_missed() {
    let (code, summary) = start("talks", HOUR_MS, 1000).end();
    assert_eq!(code, 0);
    assert!(summary["log_lines_dropped"].as_u64().is_some());
}
