//! The real binary as a process among others: signals, the deadline, few rights, few resources. Rows 102, 105, 106 and
//! 108 of the fault catalogue.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on says where"
)]

mod worker;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use worker::{WINDROW, directory, file_uri};

/// Takes longer than anybody waits: a run over it ends only by being stopped.
const ENDLESS: &str = "range:0..9223372036854775807";
const SHORT: &str = "range:0..1000";

fn configured(mut command: Command, input: &str, output: &Path, seconds: u32) -> Command {
    command
        .env_clear()
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    for (name, value) in [
        ("INPUT", input),
        ("QUERY", "SELECT sum(i) AS total FROM input"),
        ("OUTPUT_FORMAT", "csv"),
        ("RUN_ID", "r1"),
        ("DRAIN_SECONDS", "20"),
        ("MAX_RUNTIME_SECONDS", &seconds.to_string()),
    ] {
        command.env(format!("WINDROW_{name}"), value);
    }
    command.env("WINDROW_OUTPUT", file_uri(output));
    command
}

fn batch(input: &str, output: &Path, seconds: u32) -> Command {
    let mut command = Command::new(WINDROW);
    command.arg("batch");
    configured(command, input, output, seconds)
}

/// A run under a shell that has done `first`.
fn batch_after(first: &str, input: &str, output: &Path) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", &format!("{first} {WINDROW} batch")]);
    configured(shell, input, output, 60)
}

/// A process that says it has started.
fn started(mut command: Command) -> (Child, BufReader<impl Read>) {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    while !line.contains("\"event\":\"started\"") {
        line.clear();
        assert_ne!(
            out.read_line(&mut line).expect("a line"),
            0,
            "it never started"
        );
    }
    (child, out)
}

fn signal(name: &str, process: u32) {
    let status = Command::new("kill")
        .args([name, &process.to_string()])
        .status();
    assert!(status.expect("kill").success());
}

/// Waits for the end, which must be `code`, and gives the last line.
fn end(mut child: Child, mut out: impl Read, code: i32) -> Value {
    let mut text = String::new();
    out.read_to_string(&mut text).expect("its output");
    assert_eq!(child.wait().expect("its end").code(), Some(code), "{text}");
    summary(&text, code)
}

fn summary(text: &str, code: i32) -> Value {
    let last: Value = serde_json::from_str(text.lines().last().expect("a line")).expect("JSON");
    assert_eq!(
        (&last["event"], &last["exit_code"]),
        (&"run_summary".into(), &code.into()),
        "{last}"
    );
    last
}

/// An interrupted run commits nothing and says so.
fn assert_interrupted(output: &Path) {
    assert!(!output.join("r1/manifest.json").exists());
    let failure = fs::read_to_string(output.join("r1/failure.json")).expect("failure.json");
    let failure: Value = serde_json::from_str(&failure).expect("JSON");
    assert_eq!(
        failure["exit_code"].as_i64().or(failure["code"].as_i64()),
        Some(75),
        "{failure}"
    );
}

fn assert_committed(done: &Output, output: &Path) {
    assert_eq!(
        done.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&done.stdout)
    );
    assert!(output.join("r1/manifest.json").exists());
}

#[test]
fn f102_each_signal_ends_a_batch_with_75_and_nothing_committed() {
    for name in ["-TERM", "-INT", "-HUP"] {
        let output = directory("process-signal");
        let (child, out) = started(batch(ENDLESS, &output, 3600));
        signal(name, child.id());
        let last = end(child, out, 75);
        assert_eq!(last["error"], "interrupted");
        assert_interrupted(&output);
    }
}

#[test]
fn f102_as_process_1_of_a_container() {
    let output = directory("process-pid-1");
    let mut unshare = Command::new("unshare");
    unshare.args([
        "--user",
        "--map-root-user",
        "--pid",
        "--fork",
        WINDROW,
        "batch",
    ]);
    let probe = Command::new("unshare")
        .args(["--user", "--map-root-user", "--pid", "--fork", "true"])
        .status();
    if !probe.is_ok_and(|status| status.success()) {
        println!("not tested: no namespaces to be had here");
        return;
    }
    let (child, out) = started(configured(unshare, ENDLESS, &output, 3600));
    let id = child.id();
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).expect("its child");
    signal("-TERM", children.trim().parse().expect("a number"));
    end(child, out, 75);
    assert_interrupted(&output);
}

#[test]
fn f108_the_deadline_ends_a_batch_with_75_and_nothing_committed() {
    let output = directory("process-deadline");
    let done = batch(ENDLESS, &output, 1)
        .output()
        .expect("the program starts");
    assert_eq!(done.status.code(), Some(75));
    let last = summary(&String::from_utf8_lossy(&done.stdout), 75);
    assert!(
        last["message"]
            .as_str()
            .expect("a message")
            .contains("MAX_RUNTIME_SECONDS"),
        "{last}"
    );
    let seconds = last["seconds"].as_f64().expect("a number");
    assert!((1.0..5.0).contains(&seconds), "{seconds}");
    assert_interrupted(&output);
}

/// Words before a command that make it another user without any right, where this user may do that; `None` elsewhere.
fn as_nobody() -> Option<String> {
    let words = "setpriv --reuid=65532 --regid=65532 --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs";
    let probe = Command::new("/bin/sh")
        .args(["-c", &format!("{words} true")])
        .output();
    probe
        .is_ok_and(|done| done.status.success())
        .then(|| words.to_owned())
}

/// An output directory and a copy of the program that everybody may use.
fn open_to_all(name: &str) -> (PathBuf, PathBuf) {
    let directory = std::env::temp_dir().join(format!("windrow-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&directory);
    let output = directory.join("out");
    fs::create_dir_all(&output).expect("a directory");
    for path in [&directory, &output] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).expect("rights");
    }
    let program = directory.join("windrow");
    fs::copy(WINDROW, &program).expect("a copy");
    (output, program)
}

#[test]
fn f105_a_user_without_name_home_or_rights() {
    let Some(nobody) = as_nobody() else {
        println!("not tested: this user cannot become another");
        return;
    };
    let (output, program) = open_to_all("nobody");
    let mut shell = Command::new("/bin/sh");
    shell.args([
        "-c",
        &format!("cd / && exec {nobody} {} batch", program.display()),
    ]);
    let done = configured(shell, SHORT, &output, 60)
        .output()
        .expect("a shell");
    assert_committed(&done, &output);
    fs::remove_dir_all(output.parent().expect("its directory")).expect("gone");
}

#[test]
fn f106_thirty_two_open_files_are_enough() {
    let output = directory("process-files");
    let done = batch_after("ulimit -n 32 && exec", SHORT, &output).output();
    assert_committed(&done.expect("a shell"), &output);
}

#[test]
fn f106_no_thread_to_be_had_is_74_and_said() {
    let Some(nobody) = as_nobody() else {
        println!("not tested: this user cannot become another");
        return;
    };
    let (output, program) = open_to_all("threads");
    let mut shell = Command::new("/bin/bash");
    shell.args([
        "-c",
        &format!(
            "cd / && exec {nobody} /bin/bash -c 'ulimit -u 1 && exec {} batch'",
            program.display()
        ),
    ]);
    let done = configured(shell, SHORT, &output, 60)
        .output()
        .expect("a shell");
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    assert_eq!(done.status.code(), Some(74), "{text}");
    assert!(
        summary(&text, 74)["message"]
            .as_str()
            .expect("a message")
            .contains("thread"),
        "{text}"
    );
    assert_eq!(
        fs::read_dir(&output).expect("the output").count(),
        0,
        "nothing was written"
    );
    fs::remove_dir_all(output.parent().expect("its directory")).expect("gone");
}
