//! A panic at each look at the clock (row 107 of the fault catalogue): the run ends with 70, and where it held its claim it
//! has left a failure.json that says so. Only the command's thread looks. Each case runs in a process of its own: this program
//! again, told by a variable where to panic.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::exit,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on says where; the children end as main would"
)]

mod worker;

use std::fs;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use windrow::clock::{Clock, SystemClock};
use windrow::command::batch;
use windrow::config::raw::Raw;
use windrow::config::{Config, Mode, problem};
use windrow::supervise::{Allowance, Supervisor};
use worker::{directory, file_uri};

/// Number of the look, from 0; absent in the tests themselves.
const LOOK: &str = "PANIC_AT_LOOK";

/// The system's clock, at which one look of the command's thread panics.
#[derive(Debug)]
struct Cracked {
    clock: SystemClock,
    at: usize,
    looks: AtomicUsize,
}

impl Cracked {
    fn look(&self) {
        if thread::current().name() == Some("command") {
            let look = self.looks.fetch_add(1, Ordering::SeqCst);
            assert_ne!(look, self.at, "deliberate");
        }
    }
}

impl Clock for Cracked {
    fn wall_us(&self) -> i64 {
        self.look();
        self.clock.wall_us()
    }

    fn elapsed(&self) -> Duration {
        self.look();
        self.clock.elapsed()
    }
}

/// Not a test of its own: what the children run.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the children are told by a variable and end as main would"
)]
fn scene() {
    let Ok(look) = std::env::var(LOOK) else {
        return;
    };
    let clock = Cracked {
        clock: SystemClock::start(),
        at: look.parse().unwrap(),
        looks: AtomicUsize::new(0),
    };
    let supervisor = Supervisor::with_clock(Arc::new(clock)).unwrap();
    let config = Config::parse(&Raw::read(), Mode::Batch);
    let config = config.map_err(|all| problem::report(&all)).unwrap();
    let allowance = Allowance {
        deadline: config.deadline,
        drain: config.drain,
    };
    let code = supervisor.run(allowance, move |context| batch::run(context, config));
    std::process::exit(code.into())
}

#[test]
fn f107_a_panic_at_each_look_at_the_clock() {
    let place = directory("f107");
    for number in 0..4 {
        fs::write(place.join(format!("{number:02}.csv")), "a\n1\n").unwrap();
    }
    let mut looks = 0;
    while one(&place, looks) {
        looks += 1;
        assert!(looks < 1000, "the looks end");
    }
    assert!(looks > 20, "{looks} looks");
}

/// Whether there was a look `at`, and the run ended as it must.
fn one(place: &std::path::Path, at: usize) -> bool {
    let (label, run_id) = (format!("look {at}"), format!("look-{at}"));
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "scene", "--nocapture", "--quiet"])
        .env_clear()
        .env(LOOK, at.to_string())
        .env("WINDROW_INPUT", format!("{}/*.csv", file_uri(place)))
        .env("WINDROW_INPUT_FORMAT", "csv")
        .env("WINDROW_CSV_HEADER", "present")
        .env("WINDROW_COLUMNS", "a BIGINT")
        .env("WINDROW_QUERY", "SELECT sum(a) AS s FROM input")
        .env("WINDROW_OUTPUT", file_uri(&place.join("out")))
        .env("WINDROW_OUTPUT_FORMAT", "csv")
        .env("WINDROW_RUN_ID", &run_id)
        .env("WINDROW_THREADS", "2")
        .env("WINDROW_MAX_RUNTIME_SECONDS", "60")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&child.stdout);
    let run = place.join("out").join(&run_id);
    let is_committed = run.join("manifest.json").exists();
    let failure = fs::read(run.join("failure.json")).ok();
    assert_eq!(
        child.stderr,
        b"",
        "{label}: {}",
        String::from_utf8_lossy(&child.stderr)
    );
    if child.status.code() == Some(0) {
        assert!(is_committed && failure.is_none(), "{label}: {out}");
        return out.contains("deliberate");
    }
    assert_eq!(child.status.code(), Some(70), "{label}: {out}");
    assert!(!is_committed, "{label}: {out}");
    let is_claimed = out.contains(r#""event":"started""#);
    assert!(failure.is_some() || !is_claimed, "{label}: {out}");
    if let Some(failure) = failure {
        let failure: Value = serde_json::from_slice(&failure).unwrap();
        assert_eq!(failure["code"], 70, "{label}");
        assert!(
            failure["error"]["found"].to_string().contains("deliberate"),
            "{label}: {failure}"
        );
    }
    true
}
