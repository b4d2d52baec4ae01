//! Signals and the deadline while a run works: rows 102 and 108 of the fault catalogue.

use std::time::Duration;

use crate::common::ended::{Ended, check_manifest, names};
use crate::common::job::{Job, Running, signal};
use crate::common::place::Place;
use crate::common::{Dice, can_run, pass, skipped};

/// Longer than any test waits.
const ENDLESS: &str = "0..9000000000000000000";

fn endless(place: &Place) -> Job {
    Job::range(place, ENDLESS, "SELECT sum(i) AS s FROM input")
}

/// Works on each piece for much longer than a second, and looks up only between two of them.
fn sluggish(place: &Place) -> Job {
    let sines = "sin(".repeat(40) + "i" + &")".repeat(40);
    let sum = vec![sines; 250].join(" + ");
    Job::range(
        place,
        ENDLESS,
        &format!("SELECT sum({sum}) AS s FROM input"),
    )
    .with("THREADS", "1")
}

/// Asserts that the run was interrupted in order, with everything that failure.json can tell of it.
#[track_caller]
fn assert_interrupted(ended: &Ended, found: &str) {
    ended.failed(75, "reading");
    assert_eq!(ended.why(), format!("expected to finish, found {found}"));
    let left = ["failure.json", "started.json"].map(str::to_owned);
    assert_eq!(names(&ended.directory), left.into());
    let records = &ended.failure()["records"];
    assert_eq!(records["read"], records["used"]);
}

#[test]
fn f102_each_signal_ends_a_run_that_reads() {
    let place = Place::new("f102");
    for (name, word) in [("TERM", "SIGTERM"), ("INT", "SIGINT"), ("HUP", "SIGHUP")] {
        let mut run = endless(&place).named(name).start();
        run.until("input");
        run.signal(name);
        run.until("draining");
        assert_interrupted(&run.end(), &format!("{word} from outside"));
    }
}

#[test]
fn f102_sigpipe_is_harmless() {
    let place = Place::new("f102-pipe");
    let mut run = endless(&place).start();
    run.until("input");
    run.signal("PIPE");
    pass(Duration::from_millis(20));
    assert!(!run.is_over());
    run.signal("TERM");
    assert_interrupted(&run.end(), "SIGTERM from outside");
}

#[test]
fn f102_a_second_signal_ends_at_once() {
    let place = Place::new("f102-twice");
    for (first, second, word) in [("TERM", "TERM", "sigterm"), ("INT", "HUP", "sighup")] {
        let mut run = sluggish(&place).named(first).start();
        run.until_busy();
        run.signal(first);
        run.until("draining");
        run.signal(second);
        let ended = run.end();
        assert_eq!(ended.code, 75, "{}", ended.summary());
        let why = format!("expected to leave the output in order, found a second signal, {word}");
        assert_eq!(ended.why(), why);
        assert_eq!(names(&ended.directory), ["started.json".to_owned()].into());
    }
}

/// At whatever moment a signal comes: before the handler is there it kills, as for any program, and nothing was done yet;
/// from then on the run ends in order, or was done before.
#[test]
fn f102_a_signal_at_any_moment() {
    let place = Place::new("f102-any");
    let mut dice = Dice(102);
    let (mut killed, mut interrupted) = (0, 0);
    for round in 0..40 {
        let job = Job::range(&place, "0..300000", "SELECT sum(i) AS s FROM input");
        let run = job.named(&round.to_string()).start();
        pass(Duration::from_micros(dice.below(12_000)));
        run.signal(["TERM", "INT", "HUP"][round % 3]);
        let ended = run.end_unaudited();
        if ended.code < 0 {
            killed += 1;
            assert!(
                !ended.directory.exists(),
                "killed by a signal after the claim"
            );
            continue;
        }
        ended.audit();
        match ended.code {
            0 => {}
            75 => interrupted += 1,
            code => panic!("{code}: {}", ended.summary()),
        }
    }
    assert!(
        interrupted > 0,
        "{killed} were killed before their handler was there"
    );
}

/// PID 1 has no default action: without a handler a signal would do nothing at all.
#[test]
fn f102_as_the_first_process_of_a_container() {
    let place = Place::new("f102-pid1");
    // A user namespace lets everybody make one of processes.
    let starter = ["unshare", "--user", "--map-root-user", "--pid", "--fork"];
    if !can_run(starter[0], &[&starter[1..], &["true"]].concat()) {
        return skipped("f102", "no namespace of processes can be made here");
    }
    let job = endless(&place);
    let mut command = job.below(&starter);
    command.env("PATH", "/usr/bin:/bin");
    let mut run = job.start_as(command);
    run.until("input");
    let children = format!("/proc/{0}/task/{0}/children", run.id());
    let children = std::fs::read_to_string(children).unwrap();
    let first_process = children.trim().parse().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{first_process}/status")).unwrap();
    assert!(
        status.contains(&format!("NSpid:\t{first_process}\t1\n")),
        "{status}"
    );
    signal(first_process, "TERM");
    assert_interrupted(&run.end(), "SIGTERM from outside");
}

fn seconds(ended: &Ended) -> f64 {
    ended.summary()["seconds"].as_f64().unwrap()
}

#[test]
fn f108_the_deadline_ends_a_run_that_reads() {
    let place = Place::new("f108");
    let job = endless(&place)
        .with("MAX_RUNTIME_SECONDS", 1)
        .with("DRAIN_SECONDS", 20);
    let ended = job.run();
    assert_interrupted(&ended, "MAX_RUNTIME_SECONDS passed");
    assert!(
        (1.0..11.0).contains(&seconds(&ended)),
        "{}",
        seconds(&ended)
    );
    assert_eq!(ended.told("draining")[0]["cause"], "deadline");
}

/// The deadline and the drain bound the process whatever its workers do. The margin is for the machine.
#[test]
fn f108_deadline_and_drain_bound_the_process() {
    let place = Place::new("f108-drain");
    let job = sluggish(&place)
        .with("MAX_RUNTIME_SECONDS", 1)
        .with("DRAIN_SECONDS", 1);
    let ended = job.run();
    assert_eq!(ended.code, 75, "{}", ended.summary());
    assert!(
        ended
            .why()
            .contains("still blocked when the drain was over, after deadline"),
        "{}",
        ended.why()
    );
    assert!((1.5..5.0).contains(&seconds(&ended)), "{}", seconds(&ended));
    assert_eq!(names(&ended.directory), ["started.json".to_owned()].into());
}

/// A run that was stopped by the shell's job control, or a machine that slept: it sees the deadline when it wakes.
#[test]
fn f108_a_deadline_that_passes_while_the_process_sleeps() {
    let place = Place::new("f108-asleep");
    let job = endless(&place)
        .with("MAX_RUNTIME_SECONDS", 1)
        .with("DRAIN_SECONDS", 20);
    let mut run: Running = job.start();
    run.until("input");
    run.signal("STOP");
    pass(Duration::from_millis(1_500));
    assert!(!run.is_over());
    run.signal("CONT");
    assert_interrupted(&run.end(), "MAX_RUNTIME_SECONDS passed");
}

#[test]
fn f102_a_run_that_is_done_in_time_is_not_interrupted() {
    let place = Place::new("f102-done");
    let ended = Job::range(&place, "0..10", "SELECT sum(i) AS s FROM input")
        .with("MAX_RUNTIME_SECONDS", 300)
        .run();
    assert_eq!(ended.rollup(), "s\n45\n");
    check_manifest(&ended.directory);
}
