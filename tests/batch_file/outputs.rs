//! Outputs that cannot be written, and RUN_IDs that are taken: rows 50, 110, 114 and 121 of the fault catalogue.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::ended::names;
use crate::common::job::Job;
use crate::common::place::{Place, gunzip, snapshot};
use crate::common::{WINDROW, can_run, is_root, skipped, surroundings};

const COUNT: &str = "SELECT count(*) AS n FROM input";

/// A small file system of its own, gone with this value.
struct Disk(PathBuf);

impl Disk {
    fn new(path: PathBuf, kib: u32) -> Option<Self> {
        fs::create_dir_all(&path).unwrap();
        let size = format!("size={kib}k");
        let path_text = path.to_str().unwrap();
        let is_mounted =
            is_root() && can_run("mount", &["-t", "tmpfs", "-o", &size, "none", path_text]);
        is_mounted.then(|| Self(path))
    }

    /// Writes until nothing more fits.
    fn fill(&self) {
        let mut filler = File::create(self.0.join("filler")).unwrap();
        while filler.write_all(&[0; 4096]).is_ok() {}
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn f110_a_disk_that_fills_up() {
    let place = Place::new("f110-disk");
    let Some(disk) = Disk::new(place.path("disk"), 1024) else {
        return skipped("f110", "a tmpfs cannot be mounted here");
    };
    // 2 MB in one PUT, then 12 MB in parts of which the first one fits.
    let rows = |numbers: u32| {
        let query = format!("SELECT i, '{}' AS t FROM input", "x".repeat(1_000));
        Job::range(&place, &format!("0..{numbers}"), &query)
    };
    let ended = rows(2_000).to(&disk.0).named("put").run();
    ended.failed(74, "writing");
    assert_eq!(
        ended.uri(),
        format!("file://{}/put/rollup.csv", disk.0.display())
    );
    assert!(ended.why().contains("No space left"), "{}", ended.why());
    assert_eq!(ended.advice(), "make room on the disk");
    assert_eq!(
        names(&ended.directory),
        ["failure.json", "started.json"].map(str::to_owned).into()
    );

    let Some(larger) = Disk::new(place.path("larger"), 9 << 10) else {
        return;
    };
    let ended = rows(12_000).to(&larger.0).named("parts").run();
    assert_eq!(ended.code, 74, "{}", ended.summary());
    assert!(ended.why().contains("No space left"), "{}", ended.why());
    assert_eq!(
        ended.failure()["open_uploads"],
        serde_json::json!([]),
        "aborted"
    );
    assert_eq!(
        names(&ended.directory),
        ["failure.json", "started.json"].map(str::to_owned).into()
    );

    // No room for the claim itself: the RUN_ID stays free.
    disk.fill();
    let ended = rows(1).to(&disk.0).named("claim").run();
    assert_eq!(ended.code, 74, "{}", ended.summary());
    assert!(ended.why().contains("No space left"), "{}", ended.why());
    assert!(
        names(&ended.directory).is_empty(),
        "{:?}",
        names(&ended.directory)
    );
    fs::remove_file(disk.0.join("filler")).unwrap();
    assert_eq!(
        rows(1).to(&disk.0).named("claim").run().code,
        0,
        "with room again"
    );
}

#[test]
fn f110_no_permission() {
    let place = Place::new("f110-permission");
    let out = place.path("out");
    fs::create_dir(&out).unwrap();
    let job = Job::range(&place, "0..9", COUNT);
    for (name, mode) in [("may-read", 0o555), ("may-nothing", 0)] {
        fs::set_permissions(&out, fs::Permissions::from_mode(mode)).unwrap();
        let job = job.clone().named(name);
        let Some(command) = surroundings::as_nobody(&place, &job, &[]) else {
            return skipped("f110", "no setpriv");
        };
        let ended = job.run_as(command);
        ended.refused(74);
        assert!(ended.why().contains("Permission denied"), "{}", ended.why());
        assert!(ended.advice().contains("right"), "{}", ended.advice());
    }
}

#[test]
fn f110_what_is_in_the_way() {
    let place = Place::new("f110-way");
    fs::create_dir_all(place.path("elsewhere")).unwrap();
    fs::create_dir_all(place.path("out")).unwrap();
    place.put("file", "");
    place.put("out/run-file", "");
    symlink(place.path("elsewhere"), place.path("out/run-link")).unwrap();
    symlink(place.path("nowhere"), place.path("out/run-dangling")).unwrap();
    let job = Job::range(&place, "0..9", COUNT);
    let before = snapshot(&place.path(""));
    for (output, run_id, found) in [
        ("file", "run", "not a directory"),
        ("file/below", "run", "not a directory"),
        ("out", "run-file", "a file"),
        ("out", "run-link", "a symbolic link"),
        ("out", "run-dangling", "a symbolic link"),
    ] {
        let ended = job.clone().to(&place.path(output)).named(run_id).run();
        assert_eq!(ended.code, 74, "{output}/{run_id}: {}", ended.summary());
        assert!(
            ended.why().contains(found),
            "{output}/{run_id}: {}",
            ended.why()
        );
        assert!(
            ended.uri().starts_with(&place.uri(output)),
            "{}",
            ended.uri()
        );
        assert_eq!(
            snapshot(&place.path("")),
            before,
            "{output}/{run_id} wrote something"
        );
    }
    // OUTPUT itself, and what is above it, is the user's choice.
    symlink(place.path("elsewhere"), place.path("chosen")).unwrap();
    let ended = job.to(&place.path("chosen")).named("run").run();
    assert_eq!(ended.code, 0, "{}", ended.summary());
    assert!(place.path("elsewhere/run/manifest.json").exists());
}

#[test]
fn f050_f114_a_run_id_that_is_taken() {
    let place = Place::new("f050");
    place.put("in.csv", "a\nx\n");
    let job = Job::csv(
        &place,
        "in.csv",
        "a BIGINT",
        "SELECT sum(a) AS s FROM input",
    );
    let good = Job::range(&place, "0..9", COUNT);
    assert_eq!(good.clone().named("finished").run().code, 0);
    assert_eq!(job.named("failed").run().code, 65);
    let mut killed = Job::range(&place, "0..9000000000000", COUNT)
        .named("killed")
        .start();
    killed.until("input");
    killed.signal("KILL");
    assert_eq!(killed.end_unaudited().code, -9);
    place.put("out/foreign/report.txt", "not ours");
    place.put("out/below/of/somebody.txt", "not ours");
    fs::create_dir(place.path("out/empty")).unwrap();
    for (run_id, found) in [
        ("finished", "a finished run (manifest.json)"),
        ("failed", "a failed run (failure.json)"),
        (
            "killed",
            "a run that works or was killed (started.json and no end)",
        ),
        (
            "foreign",
            "1 objects that no run of windrow claimed, such as foreign/report.txt",
        ),
        (
            "below",
            "1 objects that no run of windrow claimed, such as below/of/somebody.txt",
        ),
    ] {
        let before = snapshot(&place.path("out"));
        let ended = good.clone().named(run_id).run();
        assert_eq!(ended.code, 73, "{}", ended.summary());
        assert_eq!(
            ended.why(),
            format!("expected a RUN_ID with nothing under it, found {found}")
        );
        assert_eq!(
            ended.uri().trim_end_matches('/'),
            place.uri(&format!("out/{run_id}"))
        );
        assert_eq!(
            snapshot(&place.path("out")),
            before,
            "{run_id}: the loser wrote"
        );
    }
    assert_eq!(
        good.named("empty").run().code,
        0,
        "an empty directory is no run"
    );
}

/// A file system where `link` fails, by a policy of the shell's tools: `strace` makes the call fail as vfat does.
#[test]
fn f121_a_file_system_without_hard_links() {
    let place = Place::new("f121-links");
    let job = Job::range(&place, "0..9", COUNT);
    let Some(command) = surroundings::traced(&job, &["link", "linkat"], "error=EPERM") else {
        return skipped("f121", "no strace, or it may not trace");
    };
    let ended = job.run_as(command);
    assert_eq!(ended.code, 74, "{}", ended.summary());
    assert!(
        ended
            .why()
            .starts_with("expected a file system with hard links, found "),
        "{}",
        ended.why()
    );
    assert!(
        names(&ended.directory).is_empty(),
        "{:?}",
        names(&ended.directory)
    );
    assert!(Path::new(&place.path("out")).is_dir());
}

/// An artifact of three parts and one of less than a part, packed and not.
#[test]
fn f048_f069_an_artifact_in_parts() {
    let place = Place::new("f048");
    let query = format!("SELECT i, '{}' AS t FROM input", "x".repeat(10_000));
    let row_bytes = "{\"i\":1000,\"t\":\"\"}\n".len() + 10_000;
    for format in ["ndjson", "ndjson.gz"] {
        let [one, five] = ["1", "5"].map(|threads| {
            let job = Job::range(&place, "1000..3000", &query).with("OUTPUT_FORMAT", format);
            let job = job
                .named(&format!("{format}-{threads}"))
                .with("THREADS", threads);
            job.run()
        });
        let name = format!("rollup.{format}");
        let bytes = one.file(&name).unwrap();
        assert!(
            five.file(&name).as_ref() == Some(&bytes),
            "{name}: other bytes"
        );
        let content = match format {
            "ndjson" => bytes,
            _ => gunzip(&bytes),
        };
        assert_eq!(content.len(), 2_000 * row_bytes);
        assert!(content.ends_with(b"x\"}\n"));
    }
}

/// Exit code and standard output of `windrow verify`.
fn verify(uri: &str) -> (i32, String) {
    let mut command = Command::new(WINDROW);
    let output = command.args(["verify", uri]).env_clear().output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), text)
}

#[test]
fn verify_reads_what_a_long_run_left_when_it_failed() {
    let place = Place::new("verify-long");
    let ended = Job::range(&place, "0..9", "SELECT i // 0 AS n FROM input").run();
    let path = ended.directory.join("failure.json");
    // The parts of 83 minutes, one each half second.
    let mut failure = ended.failure().clone();
    let part = |n: u32| {
        serde_json::json!({"name": format!("capture/part-{n:06}.ndjson.gz"), "bytes": 0, "rows": 0,
        "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"})
    };
    fs::create_dir(ended.directory.join("capture")).unwrap();
    for n in 1..=10_000 {
        let name = format!("capture/part-{n:06}.ndjson.gz");
        fs::write(ended.directory.join(name), "").unwrap();
    }
    failure["parts"] = (1..=10_000).map(part).collect();
    let text = serde_json::to_vec_pretty(&failure).unwrap();
    assert!(text.len() > 1 << 20, "{}", text.len());
    fs::write(&path, text).unwrap();
    let (code, text) = verify(&place.uri("out/run/failure.json"));
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("10000"), "{text}");
    fs::remove_file(ended.directory.join("capture/part-007777.ndjson.gz")).unwrap();
    let (code, text) = verify(&place.uri("out/run/failure.json"));
    assert_eq!(code, 65, "{text}");
    assert!(text.contains("part-007777"), "{text}");
}

#[test]
fn verify_tells_what_differs() {
    let place = Place::new("verify");
    let ended = Job::range(&place, "0..9", COUNT).run();
    let (directory, manifest) = (place.uri("out/run"), place.uri("out/run/manifest.json"));
    assert_eq!((verify(&directory).0, verify(&manifest).0), (0, 0));
    assert_eq!(verify(&place.uri("out/other")).0, 66);
    let rollup = ended.directory.join("rollup.csv");
    for (name, content) in [
        ("other bytes", "n\n8\n"),
        ("cut off", "n\n9"),
        ("more", "n\n9\n\n"),
    ] {
        fs::write(&rollup, content).unwrap();
        let (code, text) = verify(&directory);
        assert_eq!(code, 65, "{name}: {text}");
        assert!(
            text.contains(&place.uri("out/run/rollup.csv")),
            "{name}: {text}"
        );
    }
    fs::write(&rollup, "n\n9\n").unwrap();
    assert_eq!(verify(&directory).0, 0, "as it was");
    fs::remove_file(&rollup).unwrap();
    let (code, text) = verify(&directory);
    assert_eq!(code, 65, "{text}");
    assert!(text.contains(&place.uri("out/run/rollup.csv")), "{text}");
}
