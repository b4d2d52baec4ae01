//! Surroundings that have less than usual: rows 105 and 106 of the fault catalogue.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::common::job::Job;
use crate::common::place::Place;
use crate::common::surroundings::{NOBODY, as_nobody, as_user, program};
use crate::common::{can_run, is_root, skipped};

/// A root directory that is read-only and has no /tmp, /etc, /proc and /dev: the libraries that the program of the
/// tests needs (the image's needs none), one input, and an output. User 65532, no groups, no capabilities.
#[test]
fn f105_a_scratch_image_for_nobody() {
    let place = Place::new("f105");
    if !is_root() || !can_run("unshare", &["--mount", "true"]) {
        return skipped("f105", "no mount namespace can be made here");
    }
    place.put("root/in/in.csv", "a\n1\n2\n");
    let root = place.path("root");
    for directory in ["out", "lib", "lib64", "usr/lib", "usr/lib64"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    fs::set_permissions(root.join("out"), fs::Permissions::from_mode(0o777)).unwrap();
    fs::copy(program(&place), root.join("windrow")).unwrap();
    let job = Job::csv(
        &place,
        "in.csv",
        "a BIGINT",
        "SELECT sum(a) AS s FROM input",
    )
    .with("INPUT", "file:///in/in.csv")
    .without("THREADS")
    .to(&root.join("out"))
    .with("OUTPUT", "file:///out");
    let script = format!(
        "cd '{}' && mount --bind . . && cd \"$PWD\" || exit 99
         for at in lib lib64 usr/lib usr/lib64; do
           if [ -d /$at ]; then mount --rbind /$at $at || exit 99; fi
         done
         mount --bind out out && mount -o remount,bind,ro . || exit 99
         exec chroot --userspec={NOBODY}:{NOBODY} --groups= . /windrow batch",
        root.display()
    );
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c", &script])
        .env_clear()
        .envs(job.environment());
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let ended = job.run_as(command);
    assert_eq!(ended.rollup(), "s\n3\n");
    let manifest = ended.manifest();
    assert_eq!(manifest["peak_memory_bytes"], 0, "nothing to read it from");
    let owner = std::os::unix::fs::MetadataExt::uid(
        &fs::metadata(ended.directory.join("manifest.json")).unwrap(),
    );
    assert_eq!(owner.to_string(), NOBODY);
}

#[test]
fn f105_an_empty_environment_and_a_directory_of_no_use() {
    let place = Place::new("f105-cwd");
    place.put("in.csv", "a\n1\n2\n");
    fs::create_dir_all(place.path("closed")).unwrap();
    fs::create_dir_all(place.path("out")).unwrap();
    fs::set_permissions(place.path("out"), fs::Permissions::from_mode(0o777)).unwrap();
    let job = Job::csv(
        &place,
        "in.csv",
        "a BIGINT",
        "SELECT sum(a) AS s FROM input",
    );
    // A directory that is gone: `getcwd` fails.
    let gone = job.clone().named("gone");
    let script = format!(
        "cd {0} && rmdir {0} && exec \"$@\"",
        place.path("closed").display()
    );
    assert_eq!(gone.run_as(gone.in_shell(&script)).rollup(), "s\n3\n");

    fs::create_dir_all(place.path("closed")).unwrap();
    fs::set_permissions(place.path("closed"), fs::Permissions::from_mode(0o500)).unwrap();
    let closed = job.named("closed");
    match as_nobody(
        &place,
        &closed,
        &[
            "env",
            "-C",
            place.path("closed").to_str().unwrap(),
            "HOME=/nonexistent",
        ],
    ) {
        None => skipped("f105", "no setpriv"),
        Some(command) => assert_eq!(closed.run_as(command).rollup(), "s\n3\n"),
    }
}

#[test]
fn f106_few_open_files() {
    let place = Place::new("f106-files");
    for number in 0..100 {
        place.put(&format!("in/{number:03}.csv"), "a\n1\n");
    }
    let job =
        Job::csv(&place, "in/", "a BIGINT", "SELECT sum(a) AS s FROM input").with("THREADS", "5");
    let with = |files: u32| {
        let job = job.clone().named(&files.to_string());
        job.run_as(job.in_shell(&format!("ulimit -n {files} && exec \"$@\"")))
    };
    assert_eq!(with(32).rollup(), "s\n100\n");
    // Down to what the program is loaded with: it works, or says what it could not open. It never hangs.
    for files in 4..16 {
        let ended = with(files);
        match ended.code {
            0 => assert_eq!(ended.rollup(), "s\n100\n"),
            74 => assert!(
                ended.why().contains("Too many open files"),
                "{files}: {}",
                ended.summary()
            ),
            _ => panic!("{files}: {}", ended.summary()),
        }
    }
}

#[test]
fn f106_no_more_threads() {
    let place = Place::new("f106-threads");
    fs::create_dir(place.path("out")).unwrap();
    fs::set_permissions(place.path("out"), fs::Permissions::from_mode(0o777)).unwrap();
    let job = Job::range(&place, "0..10", "SELECT sum(i) AS s FROM input").with("THREADS", "5");
    let user = (100_000 + std::process::id() % 100_000).to_string();
    let mut codes = Vec::new();
    // main, log, signals, command, and five workers.
    for threads in 1..=12 {
        let job = job.clone().named(&threads.to_string());
        let limit = format!("--nproc={threads}");
        let Some(command) = as_user(&user, &place, &job, &["prlimit", &limit]) else {
            return skipped("f106", "not root, or no setpriv");
        };
        let ended = job.run_as(command);
        codes.push(ended.code);
        match ended.code {
            0 => assert_eq!(ended.rollup(), "s\n45\n"),
            _ => {
                assert_eq!(ended.code, 74, "{}", ended.summary());
                assert!(
                    ended.why().contains("Resource temporarily unavailable"),
                    "{}",
                    ended.why()
                );
            }
        }
        let is_claimed = ended.directory.exists();
        assert_eq!(is_claimed, threads >= 4, "{threads}: {}", ended.summary());
        if is_claimed && ended.code != 0 {
            ended.failed(74, "reading");
            assert!(
                ended.advice().contains("WINDROW_THREADS"),
                "{}",
                ended.advice()
            );
        }
    }
    assert_eq!(codes, [74, 74, 74, 74, 74, 74, 74, 74, 0, 0, 0, 0]);
}
