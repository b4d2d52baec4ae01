//! SIGKILL at any moment: rows 103 and 121 of the fault catalogue. What is left claims nothing that is not so.

use std::time::Duration;

use crate::common::ended::{Ended, check_manifest, names};
use crate::common::job::Job;
use crate::common::place::Place;
use crate::common::surroundings::traced;
use crate::common::{Dice, pass, skipped};

fn job(place: &Place) -> Job {
    place.put("in.csv", "a,b\nx,1\ny,two\nz,3\n");
    Job::csv(
        place,
        "in.csv",
        "a VARCHAR, b BIGINT",
        "SELECT a, b FROM input",
    )
    .with("ON_BAD_RECORD", "reject:1")
}

/// No manifest, or a true one, as the program itself says too; and a new RUN_ID works beside it.
fn assert_honest(ended: &Ended, job: &Job) {
    let has_manifest = ended.file("manifest.json").is_some();
    if has_manifest {
        check_manifest(&ended.directory);
        assert!(!names(&ended.directory).contains("failure.json"));
    }
    let uri = format!("file://{}", ended.directory.display());
    let verified = verify(&uri);
    assert_eq!(verified, if has_manifest { 0 } else { 66 }, "{uri}");
    // The RUN_ID is taken from the moment that an object is there; temporary files are none, and stay.
    let is_object = |name: &String| !name.starts_with(".tmp-");
    let is_claimed = names(&ended.directory).iter().any(is_object);
    let again = job.start().end_unaudited();
    assert_eq!(again.code, if is_claimed { 73 } else { 0 });
}

fn verify(uri: &str) -> i32 {
    let command = std::process::Command::new(crate::common::WINDROW)
        .args(["verify", uri])
        .env_clear()
        .output();
    command.unwrap().status.code().unwrap()
}

#[test]
fn f103_f121_killed_at_any_moment() {
    let place = Place::new("f121");
    let job = job(&place);
    let mut dice = Dice(121);
    let (mut claimed, mut committed) = (0, 0);
    for round in 0..60 {
        let job = job.clone().named(&round.to_string());
        let run = job.start();
        pass(Duration::from_micros(dice.below(15_000)));
        run.signal("KILL");
        let ended = run.end_unaudited();
        assert!(matches!(ended.code, 0 | -9), "{}", ended.code);
        claimed += u32::from(ended.file("started.json").is_some());
        committed += u32::from(ended.file("manifest.json").is_some());
        assert_honest(&ended, &job);
    }
    assert!(claimed > 0, "{claimed} claimed, {committed} committed");
}

/// Killed right before each system call in turn that changes what is on the disk.
#[test]
fn f121_killed_at_each_change_of_the_disk() {
    let place = Place::new("f121-each");
    let job = job(&place);
    for (call, wants_manifest) in [
        ("mkdir", false),
        ("write", false),
        ("linkat", false),
        ("fsync", true),
        ("unlink", true),
    ] {
        let mut has_manifest = Vec::new();
        for number in 1.. {
            let job = job.clone().named(&format!("{call}-{number}"));
            let injection = format!("signal=SIGKILL:when={number}");
            let Some(command) = traced(&job, &[call], &injection) else {
                return skipped("f121", "no strace, or it may not trace");
            };
            let ended = job.start_as(command).end_unaudited();
            if ended.code == 0 {
                ended.audit();
                break;
            }
            assert_eq!(ended.code, -9, "{call} {number}: {}", ended.summary());
            has_manifest.push(ended.file("manifest.json").is_some());
            assert_honest(&ended, &job);
        }
        // Once it is there, it stays; whether it can be there before such a call is known.
        assert!(has_manifest.is_sorted(), "{call}: {has_manifest:?}");
        assert_eq!(
            has_manifest.last(),
            Some(&wants_manifest),
            "{call}: {has_manifest:?}"
        );
        assert_eq!(
            has_manifest.first(),
            Some(&false),
            "{call}: {has_manifest:?}"
        );
    }
}

/// Each of those calls fails in turn: 74 and no manifest. Only where the last sync fails, that of the directory which
/// holds the manifest's name, it is there and nobody knows whether it stays.
#[test]
fn f110_f121_each_call_of_the_disk_fails_in_turn() {
    let place = Place::new("f121-fails");
    let job = job(&place);
    for (call, error, last) in [
        ("mkdir", "ENOSPC", (74, false)),
        ("write", "ENOSPC", (74, false)),
        ("linkat", "EIO", (74, false)),
        ("fsync", "EIO", (69, true)),
    ] {
        let mut seen = Vec::new();
        for number in 1.. {
            let job = job.clone().to(&place.path(&format!("out/{call}-{number}")));
            let injection = format!("error={error}:when={number}");
            let Some(command) = traced(&job, &[call], &injection) else {
                return skipped("f121", "no strace, or it may not trace");
            };
            let ended = job.start_as(command).end_unaudited();
            let has_manifest = ended.file("manifest.json").is_some();
            let what = format!("{call} {number}: {}", ended.summary());
            if has_manifest {
                check_manifest(&ended.directory);
            }
            if ended.code == 0 {
                break;
            }
            assert!(ended.told("committed").is_empty(), "{what}");
            // Once there is an artifact, the claim was held: the end is recorded, unless a result was sent.
            if ended.file("rollup.csv").is_some() {
                assert_ne!(ended.file("failure.json").is_some(), has_manifest, "{what}");
            }
            seen.push((ended.code, has_manifest));
        }
        assert_eq!(seen.pop(), Some(last), "{call}");
        assert!(
            seen.iter().all(|&one| one == (74, false)),
            "{call}: {seen:?}"
        );
    }
}

/// A temporary file that cannot be removed is no object and no fault.
#[test]
fn f121_temporary_files_that_stay() {
    let place = Place::new("f121-unlink");
    let job = job(&place);
    let Some(command) = traced(&job, &["unlink"], "error=EIO") else {
        return skipped("f121", "no strace, or it may not trace");
    };
    let ended = job.start_as(command).end_unaudited();
    assert_eq!(ended.code, 0, "{}", ended.summary());
    let is_temporary = |name: &&String| name.starts_with(".tmp-");
    assert_eq!(
        names(&ended.directory).iter().filter(is_temporary).count(),
        5
    );
    assert_honest(&ended, &job);
}
