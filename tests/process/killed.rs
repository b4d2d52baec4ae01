//! SIGKILL at any moment: rows 103 and 121 of the fault catalogue. What is left claims nothing that is not so.

use std::time::Duration;

use crate::common::ended::{Ended, check_manifest, names};
use crate::common::job::Job;
use crate::common::place::Place;
use crate::common::surroundings::traced;
use crate::common::{Dice, can_run, pass, skipped};

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
    // The RUN_ID is taken from the moment that anything is there under its name.
    let is_object = |name: &String| !name.starts_with(".tmp-");
    let is_claimed = names(&ended.directory).iter().any(is_object);
    assert_eq!(job.run().code, if is_claimed { 73 } else { 0 });
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

/// Killed at each system call in turn that changes what is on the disk.
#[test]
fn f121_killed_at_each_change_of_the_disk() {
    let place = Place::new("f121-each");
    let job = job(&place);
    let calls = [
        "mkdir", "openat", "fsync", "link", "linkat", "unlink", "unlinkat",
    ];
    let mut committed = Vec::new();
    // Of the calls before the claim only the last few matter: `openat` opens what the program is loaded from, too.
    for number in 8..200 {
        let job = job.clone().named(&number.to_string());
        let Some(command) = traced(&job, &calls, &format!("signal=SIGKILL:when={number}")) else {
            return skipped("f121", "no strace, or it may not trace");
        };
        let ended = job.start_as(command).end_unaudited();
        if ended.code == 0 {
            assert!(number > 30, "so few calls: {number}");
            check_manifest(&ended.directory);
            break;
        }
        assert_eq!(ended.code, -9, "at call {number}: {}", ended.summary());
        committed.push(ended.file("manifest.json").is_some());
        assert_honest(&ended, &job);
    }
    // Killed before the manifest had its name, and after: both happened, and in this order.
    assert!(committed.is_sorted(), "{committed:?}");
    assert!(
        committed.contains(&false) && committed.contains(&true),
        "{committed:?}"
    );
}

/// Each of those calls fails in turn, with each fault that a disk has: never a false manifest, and an error that says
/// so, by the same rules as any other end.
#[test]
fn f110_f121_each_call_of_the_disk_fails_in_turn() {
    let place = Place::new("f121-fails");
    let job = job(&place);
    if !can_run("strace", &["-V"]) {
        return skipped("f121", "no strace");
    }
    for (call, error) in [
        ("mkdir", "ENOSPC"),
        ("fsync", "EIO"),
        ("fsync", "ENOSPC"),
        ("write", "ENOSPC"),
        ("linkat", "EIO"),
        ("linkat", "ENOSPC"),
        ("linkat", "EROFS"),
        ("unlink", "EIO"),
    ] {
        for number in 1..16 {
            let job = job.clone().named(&format!("{call}-{error}-{number}"));
            let injection = format!("error={error}:when={number}");
            let Some(command) = traced(&job, &[call], &injection) else {
                return skipped("f121", "strace may not trace");
            };
            let ended = job.start_as(command).end_unaudited();
            let what = format!("{call} {number} {error}: {}", ended.summary());
            match ended.code {
                0 => check_manifest(&ended.directory),
                69 | 74 => assert!(ended.told("committed").is_empty(), "{what}"),
                _ => panic!("{what}"),
            }
            if ended.file("manifest.json").is_some() {
                check_manifest(&ended.directory);
                assert_eq!(ended.file("failure.json"), None, "{what}");
            }
        }
    }
}
