//! Signals and the deadline while the result is under way: row 116 of the fault catalogue. Beside a real process stands
//! `strace`, which makes the system call that names the manifest take seconds.

use std::process::Command;

use crate::common::ended::{Ended, names};
use crate::common::job::{Job, Running};
use crate::common::place::Place;
use crate::common::skipped;
use crate::common::surroundings::traced;

/// The claim, the rollup, the list of inputs, the manifest: it is the fourth that gets its name.
const MANIFEST: u32 = 4;

fn job(place: &Place) -> Job {
    Job::range(place, "0..10", "SELECT sum(i) AS s FROM input")
}

fn slow(job: &Job, link: u32, seconds: u32) -> Option<Command> {
    let injection = format!("delay_enter={}:when={link}", seconds * 1_000_000);
    traced(job, &["link", "linkat"], &injection)
}

/// Waits until the temporary file of this object is there: the next call names it.
fn until_written(run: &mut Running, object: &str) {
    run.until_there(&format!("-{object}"));
}

#[test]
fn f116_a_first_signal_no_longer_changes_the_outcome() {
    let place = Place::new("f116-first");
    let job = job(&place);
    let Some(command) = slow(&job, MANIFEST, 2) else {
        return skipped("f116", "no strace, or it may not trace");
    };
    let mut run = job.start_as(command);
    until_written(&mut run, "manifest.json");
    run.signal("TERM");
    run.until("draining");
    let ended = run.end();
    assert_eq!(ended.rollup(), "s\n45\n");
    assert_eq!(ended.told("committed").len(), 1);
    assert_eq!(ended.manifest()["ended_by"], "finished");
}

#[test]
fn f116_a_deadline_no_longer_changes_the_outcome() {
    let place = Place::new("f116-deadline");
    let job = job(&place)
        .with("MAX_RUNTIME_SECONDS", 1)
        .with("DRAIN_SECONDS", 20);
    let Some(command) = slow(&job, MANIFEST, 3) else {
        return skipped("f116", "no strace, or it may not trace");
    };
    let ended = job.run_as(command);
    assert_eq!(ended.rollup(), "s\n45\n");
    assert_eq!(ended.told("draining")[0]["cause"], "deadline");
}

#[track_caller]
fn assert_unknown(ended: &Ended, code: i32, found: &str) {
    assert_eq!(ended.code, code, "{}", ended.summary());
    assert!(ended.why().contains(found), "{}", ended.why());
    assert!(
        ended.advice().contains("outcome unknown"),
        "{}",
        ended.advice()
    );
    assert!(!names(&ended.directory).contains("failure.json"));
}

#[test]
fn f116_a_second_signal_leaves_with_the_outcome_unknown() {
    let place = Place::new("f116-second");
    let job = job(&place);
    let Some(command) = slow(&job, MANIFEST, 5) else {
        return skipped("f116", "no strace, or it may not trace");
    };
    let mut run = job.start_as(command);
    until_written(&mut run, "manifest.json");
    run.signal("TERM");
    run.until("draining");
    run.signal("INT");
    assert_unknown(&run.end_unaudited(), 75, "a second signal");
}

#[test]
fn f116_the_end_of_the_drain_leaves_with_the_outcome_unknown() {
    let place = Place::new("f116-drain");
    let job = job(&place)
        .with("MAX_RUNTIME_SECONDS", 3)
        .with("DRAIN_SECONDS", 1);
    let Some(command) = slow(&job, MANIFEST, 8) else {
        return skipped("f116", "no strace, or it may not trace");
    };
    assert_unknown(
        &job.start_as(command).end_unaudited(),
        69,
        "none before the drain was over",
    );
}

/// A signal while an artifact is written, before the result was sent: nothing is committed.
#[test]
fn f102_a_signal_before_the_result_is_sent() {
    let place = Place::new("f102-before");
    let job = job(&place);
    let Some(command) = slow(&job, MANIFEST - 1, 2) else {
        return skipped("f102", "no strace, or it may not trace");
    };
    let mut run = job.start_as(command);
    until_written(&mut run, "inputs.ndjson.gz");
    run.signal("HUP");
    let ended = run.end();
    ended.failed(75, "committing");
    assert_eq!(ended.why(), "expected to finish, found SIGHUP from outside");
}

/// The drain is over while the first artifact is written: the process leaves, and says nothing of an unknown outcome.
#[test]
fn f108_blocked_in_a_call_of_the_file_system() {
    let place = Place::new("f108-blocked");
    let job = job(&place)
        .with("MAX_RUNTIME_SECONDS", 1)
        .with("DRAIN_SECONDS", 1);
    let Some(command) = slow(&job, 2, 5) else {
        return skipped("f108", "no strace, or it may not trace");
    };
    let ended = job.start_as(command).end_unaudited();
    assert_eq!(ended.code, 75, "{}", ended.summary());
    assert!(
        ended
            .why()
            .contains("still blocked when the drain was over"),
        "{}",
        ended.why()
    );
    assert!(!ended.advice().contains("unknown"), "{}", ended.advice());
}
