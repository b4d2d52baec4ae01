//! The command line and the configuration as a user meets them: the real binary, with the environment that a test gives
//! and no other. Rows 1 to 8, 104, 113 and 122 of the fault catalogue.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on says where"
)]

mod worker;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use windrow::config::variables::{self, Form, Presence};
use worker::{WINDROW, directory, file_uri};

/// A configuration that is right, over an input that is not there.
const GOOD: [(&str, &str); 9] = [
    ("INPUT", "file:///nonexistent/a.csv"),
    ("INPUT_FORMAT", "csv"),
    ("CSV_HEADER", "present"),
    ("COLUMNS", "price DECIMAL(18,2), shop VARCHAR"),
    (
        "QUERY",
        "SELECT shop, sum(price) AS total FROM input GROUP BY shop",
    ),
    ("OUTPUT", "file:///nonexistent/out"),
    ("OUTPUT_FORMAT", "csv"),
    ("RUN_ID", "r1"),
    ("MAX_RUNTIME_SECONDS", "60"),
];

fn windrow(words: &[&str]) -> Command {
    let mut command = Command::new(WINDROW);
    command.args(words).env_clear().stdin(Stdio::null());
    command
}

/// `windrow check batch` in the good environment with these changes; an empty value takes the variable out.
fn check(changes: &[(&str, &str)]) -> Output {
    let mut command = windrow(&["check", "batch"]);
    for (name, value) in GOOD.iter().chain(changes) {
        let name = match name.starts_with("AWS_") {
            true => (*name).to_owned(),
            false => format!("WINDROW_{name}"),
        };
        match value.is_empty() {
            true => command.env_remove(name),
            false => command.env(name, value),
        };
    }
    command.output().expect("the program starts")
}

/// A configuration of feeds that is right; nothing listens there.
const STREAM: [(&str, &str); 15] = [
    ("INPUT", "wss://feed.invalid/ws?key=CANARY"),
    ("INPUT_FORMAT", "json"),
    (
        "COLUMNS",
        "at TIMESTAMP_MS FROM T, price DECIMAL(18,2) FROM p",
    ),
    (
        "QUERY",
        "SELECT time_bucket(INTERVAL '1 minute', at) AS minute, sum(price) AS total FROM input GROUP BY minute",
    ),
    ("OUTPUT", "file:///nonexistent/out"),
    ("OUTPUT_FORMAT", "csv"),
    ("RUN_ID", "r1"),
    ("MAX_RUNTIME_SECONDS", "60"),
    ("EVENT_TIME", "at"),
    ("LATENESS_SECONDS", "5"),
    ("IDLE_TIMEOUT_SECONDS", "30"),
    ("CAPTURE", "raw"),
    ("PART_SECONDS", "20"),
    ("SUBSCRIBE", r#"["CANARY"]"#),
    ("HEADERS", r#"{"X-Key": "CANARY"}"#),
];

/// These words in the environment of feeds with these changes; an empty value takes the variable out.
fn of_feeds(words: &[&str], changes: &[(&str, &str)]) -> Output {
    let mut command = windrow(words);
    for (name, value) in STREAM.iter().chain(changes) {
        let name = format!("WINDROW_{name}");
        match value.is_empty() {
            true => command.env_remove(name),
            false => command.env(name, value),
        };
    }
    command.output().expect("the program starts")
}

/// The last line of the log, which is `run_summary` and carries the exit code.
fn summary(done: &Output) -> Value {
    let text = String::from_utf8(done.stdout.clone()).expect("UTF-8");
    let last = text.lines().last().expect("a last line");
    let last: Value = serde_json::from_str(last).expect("a JSON object");
    assert_eq!(last["event"], "run_summary");
    assert_eq!(
        last["exit_code"].as_i64(),
        done.status.code().map(i64::from)
    );
    last
}

/// The report of a configuration that is refused.
fn report(done: &Output) -> String {
    assert_eq!(done.status.code(), Some(78), "{done:?}");
    summary(done)["message"]
        .as_str()
        .expect("a message")
        .to_owned()
}

/// A run that sums a small range into `output`.
fn batch(output: &Path) -> Command {
    let mut command = windrow(&["batch"]);
    for (name, value) in [
        ("INPUT", "range:0..1000"),
        ("QUERY", "SELECT sum(i) AS total FROM input"),
        ("OUTPUT_FORMAT", "csv"),
        ("RUN_ID", "r1"),
        ("MAX_RUNTIME_SECONDS", "60"),
    ] {
        command.env(format!("WINDROW_{name}"), value);
    }
    command.env("WINDROW_OUTPUT", file_uri(output));
    command
}

fn is_committed(output: &Path) -> bool {
    let rollup = fs::read_to_string(output.join("r1/rollup.csv"));
    output.join("r1/manifest.json").exists() && rollup.is_ok_and(|text| text == "total\n499500\n")
}

#[test]
fn help_and_version_go_to_standard_output() {
    for words in [&["--help"][..], &["-h"], &["batch", "--help"]] {
        let done = windrow(words).output().expect("the program starts");
        assert_eq!(done.status.code(), Some(0));
        assert_eq!(String::from_utf8_lossy(&done.stdout), variables::help());
        assert!(done.stderr.is_empty());
    }
    for words in [&["--version"][..], &["-V"]] {
        let done = windrow(words).output().expect("the program starts");
        assert_eq!(done.status.code(), Some(0));
        let want = format!("windrow {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(String::from_utf8_lossy(&done.stdout), want);
    }
}

#[test]
fn wrong_command_lines_are_64() {
    for (words, want) in [
        (&[][..], "no command"),
        (&["bacth"], "bacth"),
        (&["batch", "x"], "batch x"),
        (&["check"], "check without a mode"),
        (&["check", "verify"], "check verify"),
        (&["stream", "x"], "stream x"),
        (&["merge", "x"], "merge x"),
        (&["verify"], "verify"),
        (&["--quiet"], "--quiet"),
        (&["batch", "-x"], "-x"),
        (&["batch", "--help=yes"], "--help"),
        (&["a\nb\x1b[2J"], "a\\nb\\u{1b}[2J"),
    ] {
        let done = windrow(words).output().expect("the program starts");
        assert_eq!(done.status.code(), Some(64), "{words:?}");
        let summary = summary(&done);
        let message = summary["message"].as_str().expect("a message");
        assert!(message.contains(want), "{words:?}: {message}");
        assert_eq!(summary["error"], "usage");
    }
    let not_utf8 = windrow(&[]).arg(OsStr::from_bytes(b"ba\xfftch")).output();
    assert_eq!(
        not_utf8.expect("the program starts").status.code(),
        Some(64)
    );
}

#[test]
fn check_prints_the_resolved_configuration() {
    let done = check(&[("CSV_DELIMITER", "tab"), ("THREADS", "3")]);
    assert_eq!(done.status.code(), Some(0));
    assert!(done.stderr.is_empty());
    let printed: Value = serde_json::from_slice(&done.stdout).expect("one JSON document");
    assert_eq!(
        printed,
        json!({
            "mode": "batch",
            "version": env!("CARGO_PKG_VERSION"),
            "config": {
                "INPUT": ["file:///nonexistent/a.csv"], "INPUT_FORMAT": "csv", "CSV_HEADER": "present",
                "CSV_DELIMITER": "\t", "CSV_NULL": null, "COLUMNS": GOOD[3].1, "COLUMNS_URI": null,
                "QUERY": GOOD[4].1, "QUERY_URI": null, "OUTPUT": "file:///nonexistent/out",
                "OUTPUT_FORMAT": "csv", "RUN_ID": "r1", "MAX_RUNTIME_SECONDS": 60, "ON_BAD_RECORD": "fail",
                "DRAIN_SECONDS": 20, "THREADS": 3, "SHARD": null,
            },
            "not_read": [],
            "columns": [
                { "name": "price", "type": "DECIMAL(18,2)", "read": true },
                { "name": "shop", "type": "VARCHAR", "read": true },
            ],
            "outputs": [
                { "name": "shop", "type": "VARCHAR" },
                { "name": "total", "type": "DECIMAL(38,2)" },
            ],
        })
    );
    let by_uri = check(&[
        ("COLUMNS", ""),
        ("COLUMNS_URI", "file:///nonexistent/columns"),
        ("QUERY", ""),
        ("QUERY_URI", "file:///nonexistent/query"),
    ]);
    assert_eq!(by_uri.status.code(), Some(0));
    let printed: Value = serde_json::from_slice(&by_uri.stdout).expect("one JSON document");
    assert_eq!(printed["not_read"], json!(["COLUMNS_URI", "QUERY_URI"]));
    assert_eq!(printed.get("columns"), None);
    assert!(
        printed["config"]["THREADS"].as_u64() >= Some(1),
        "THREADS is resolved"
    );
}

#[test]
fn check_prints_a_stream_without_its_secrets() {
    let done = of_feeds(&["check", "stream"], &[]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let text = String::from_utf8(done.stdout).expect("UTF-8");
    assert!(!text.contains("CANARY"), "{text}");
    let printed: Value = serde_json::from_str(&text).expect("a JSON document");
    assert_eq!(printed["mode"], "stream");
    let config = &printed["config"];
    assert_eq!(
        config["INPUT"],
        json!(["wss://feed.invalid/ws?key=«redacted»"])
    );
    assert_eq!(config["SUBSCRIBE"], "«redacted»");
    assert_eq!(config["HEADERS"], "«redacted»");
    assert_eq!(config["ON_DISCONNECT"], "fail");
    assert_eq!(config["SEQUENCE"], Value::Null);
    assert_eq!(
        printed["outputs"],
        json!([
            {"name": "minute", "type": "TIMESTAMP"},
            {"name": "total", "type": "DECIMAL(38,2)"},
        ])
    );
}

#[test]
fn problems_of_a_stream_come_in_one_report() {
    let bad = [
        ("INPUT", "ws://feed.invalid/?key=CANARY"),
        ("SEQUENCE", "at BY price PER RUN"),
    ];
    let found = report(&of_feeds(&["check", "stream"], &bad));
    for want in [
        "2 problems",
        "WINDROW_INPUT: expected wss://, found ws://feed.invalid/?key=«redacted»",
        "WINDROW_SEQUENCE at byte 0 (line 1, column 1): expected a BIGINT column",
    ] {
        assert!(found.contains(want), "{found}");
    }
    assert!(!found.contains("CANARY"), "{found}");
    // In another mode, it says in which one a variable has a use.
    let found = report(&of_feeds(&["check", "batch"], &[]));
    let want = "WINDROW_CAPTURE: expected it to be absent in batch, found a value; only `windrow stream` has a use for it";
    assert!(found.contains(want), "{found}");
    assert!(!found.contains("CANARY"), "{found}");
}

#[test]
fn f001_a_required_variable_is_missing() {
    let pairs = ["COLUMNS", "QUERY"];
    for (name, _) in GOOD {
        let report = report(&check(&[(name, "")]));
        assert!(
            report.contains(&format!("\n  WINDROW_{name}: expected ")),
            "{report}"
        );
        let is_pair = pairs.contains(&name);
        let advice = if is_pair {
            "or WINDROW_"
        } else {
            "it is required"
        };
        assert!(report.contains(advice), "{report}");
    }
    let nothing = windrow(&["batch"]).output().expect("the program starts");
    let report = report(&nothing);
    for variable in variables::ALL {
        let is_needed = match variable.batch {
            Presence::Required => variable.applies != variables::Applies::Csv,
            Presence::OneOf(other) => variable.name < other,
            Presence::Unused | Presence::With(_) | Presence::Optional(_) => false,
        };
        let line = format!("\n  WINDROW_{}: ", variable.name);
        assert_eq!(
            report.contains(&line),
            is_needed,
            "{}: {report}",
            variable.name
        );
    }
}

#[test]
fn f002_set_but_empty() {
    for variable in variables::ALL {
        let mut command = windrow(&["check", "batch"]);
        command.envs(GOOD.map(|(name, value)| (format!("WINDROW_{name}"), value)));
        command.env(format!("WINDROW_{}", variable.name), "");
        let report = report(&command.output().expect("the program starts"));
        let want = format!(
            "WINDROW_{}: expected a value, found an empty one",
            variable.name
        );
        assert!(report.contains(&want), "{report}");
    }
}

#[test]
fn f003_an_unknown_name_comes_with_the_nearest_known_one() {
    let report = report(&check(&[("RUNID", "hidden"), ("RUN", "hidden")]));
    assert!(report.contains("2 problems"), "{report}");
    assert!(report.contains(
        "WINDROW_RUNID: expected a known name, found an unknown one; did you mean WINDROW_RUN_ID?"
    ));
    assert!(report.contains("WINDROW_RUN: expected a known name"));
    assert!(!report.contains("hidden"));
}

#[test]
fn f004_a_variable_without_a_use() {
    let report = report(&check(&[("INPUT_FORMAT", "ndjson"), ("CSV_NULL", "NA")]));
    assert!(report.contains("2 problems"), "{report}");
    for name in ["CSV_HEADER", "CSV_NULL"] {
        assert!(
            report.contains(&format!("WINDROW_{name}: expected it to be absent")),
            "{report}"
        );
    }
}

#[test]
fn f005_malformed_numbers() {
    for variable in variables::ALL {
        let Form::Number { least, most } = variable.form else {
            continue;
        };
        // Those of streams and captures stand beside the parser.
        if !matches!(variable.batch, Presence::Required | Presence::Optional(_)) {
            continue;
        }
        let in_bucket = [("INPUT", "s3://bucket/a.csv"), ("AWS_REGION", "eu-west-1")];
        let is_of_s3 = variable.applies == variables::Applies::S3;
        let base = if is_of_s3 { &in_bucket[..] } else { &[] };
        let bad = [
            (least - 1).to_string(),
            (most + 1).to_string(),
            format!("+{least}"),
            format!(" {least}"),
            format!("{least} "),
            "9".repeat(5000),
        ];
        for text in &bad {
            let report = report(&check(&[base, &[(variable.name, text)]].concat()));
            let want = format!("WINDROW_{}: expected {}", variable.name, variable.form);
            assert!(report.contains(&want), "{report}");
        }
        for good in [least, most] {
            let good = good.to_string();
            let done = check(&[base, &[(variable.name, &good)]].concat());
            assert_eq!(done.status.code(), Some(0), "{} {good}", variable.name);
        }
    }
}

#[test]
fn f006_problems_of_the_query_name_their_place() {
    for (name, query, offset, text) in [
        ("syntax", "SELECT shop FRM input", 12, "FRM"),
        (
            "unknown column",
            "SELECT shop, prize FROM input",
            13,
            "price",
        ),
        (
            "unknown function",
            "SELECT summ(price) AS x FROM input",
            7,
            "sum",
        ),
        (
            "wrong arity",
            "SELECT round(price, 1, 2) AS x FROM input",
            7,
            "round",
        ),
        (
            "wrong types",
            "SELECT shop + 1 AS x FROM input",
            7,
            "VARCHAR",
        ),
        (
            "refused construct",
            "SELECT shop FROM input UNION SELECT shop FROM input",
            23,
            "UNION",
        ),
        (
            "second line",
            "SELECT shop,\n prize FROM input",
            14,
            "line 2, column 2",
        ),
    ] {
        let report = report(&check(&[("QUERY", query)]));
        let want = format!("WINDROW_QUERY at byte {offset} ");
        assert!(
            report.contains(&want) && report.contains(text),
            "{name}: {report}"
        );
        assert!(
            report.contains("\n    "),
            "{name}: the line is shown: {report}"
        );
    }
}

#[test]
fn f007_problems_of_columns_name_their_place() {
    for (name, columns, offset) in [
        ("unknown type", "shop VARCHAR, price DECIMALS(18,2)", 20),
        ("duplicate name", "shop VARCHAR, SHOP BIGINT", 14),
        ("precision", "price DECIMAL(39,2)", 6),
        ("scale", "price DECIMAL(4,5)", 6),
        ("position 0", "price BIGINT FROM 0", 18),
    ] {
        let report = report(&check(&[("COLUMNS", columns)]));
        let at: usize = report
            .split("WINDROW_COLUMNS at byte ")
            .nth(1)
            .and_then(|rest| rest.split(' ').next()?.parse().ok())
            .unwrap_or_else(|| panic!("{name}: {report}"));
        assert!(at >= offset, "{name}: {at}: {report}");
    }
    let json = [("INPUT_FORMAT", "ndjson"), ("CSV_HEADER", "")];
    let path = [json[0], json[1], ("COLUMNS", "price BIGINT FROM a[x]")];
    assert!(report(&check(&path)).contains("WINDROW_COLUMNS at byte 2"));
}

#[test]
fn f008_values_that_are_too_long_not_utf8_or_doubled() {
    // The longest that Linux hands over: 128 KiB with the name, the equals sign and the end.
    let longest = "x".repeat((128 << 10) - "WINDROW_QUERY=".len() - 1);
    let report_of_long = report(&check(&[("QUERY", &longest)]));
    assert!(
        report_of_long.contains("WINDROW_QUERY: expected at most 65536 bytes, found 131057 bytes")
    );
    let both = report(&check(&[("QUERY_URI", "file:///nonexistent/q")]));
    assert!(
        both.contains("WINDROW_QUERY: expected one of the two, found both"),
        "{both}"
    );
    let mut command = windrow(&["check", "batch"]);
    command.envs(GOOD.map(|(name, value)| (format!("WINDROW_{name}"), value)));
    command.env("WINDROW_CSV_NULL", OsStr::from_bytes(b"\xff"));
    let not_utf8 = report(&command.output().expect("the program starts"));
    assert!(
        not_utf8.contains("WINDROW_CSV_NULL: expected UTF-8, found \\xff"),
        "{not_utf8}"
    );
}

#[test]
fn f122_output_inside_input() {
    for input in ["file:///nonexistent/", "file:///nonexistent/*"] {
        let report = report(&check(&[("INPUT", input)]));
        assert!(
            report.contains("WINDROW_OUTPUT: expected a directory that INPUT does not reach"),
            "{report}"
        );
    }
}

#[test]
fn uris_are_refused_with_a_reason_and_secrets_are_hidden() {
    for (name, value, want) in [
        (
            "INPUT",
            "s3://bucket/key",
            "AWS_REGION: expected the region of the buckets",
        ),
        (
            "OUTPUT",
            "s3://Bucket/out",
            "expected a bucket's name: 3 to 63 of a-z",
        ),
        (
            "INPUT",
            "https://h/x?token=hidden#x",
            "found https://h/x?token=«redacted»",
        ),
        (
            "INPUT",
            "https://me:hidden@h/x",
            "without user and password, found https://«redacted»@h/x",
        ),
        ("INPUT", "file:///a/../b", "a path without `.` and `..`"),
        ("OUTPUT", "out", "a path is written as a URI"),
    ] {
        let done = check(&[(name, value)]);
        let report = report(&done);
        assert!(report.contains(want), "{value}: {report}");
        assert!(!String::from_utf8_lossy(&done.stdout).contains("hidden"));
    }
}

#[test]
fn a_bad_configuration_is_refused_before_any_file_is_touched() {
    let output = directory("cli-untouched");
    let done = batch(&output)
        .env("WINDROW_THREADS", "0")
        .env("WINDROW_RUN_ID", "a/b")
        .output()
        .expect("the program starts");
    let report = report(&done);
    assert!(report.contains("2 problems"), "{report}");
    assert_eq!(fs::read_dir(&output).expect("the directory").count(), 0);
}

#[test]
fn f104_standard_output_that_fails_costs_lines_and_nothing_else() {
    let output = directory("cli-dev-full");
    let full = || {
        File::options()
            .write(true)
            .open("/dev/full")
            .expect("/dev/full")
    };
    let status = batch(&output).stdout(full()).status();
    assert_eq!(status.expect("the program starts").code(), Some(0));
    assert!(is_committed(&output));
    // What was asked to be printed is another matter.
    let status = windrow(&["--help"]).stdout(full()).status();
    assert_eq!(status.expect("the program starts").code(), Some(74));
}

#[test]
fn f104_and_f113_closed_descriptors() {
    for closed in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
        let output = directory("cli-closed");
        let run = batch(&output);
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", &format!("exec {WINDROW} batch {closed}")])
            .env_clear();
        shell.envs(
            run.get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        let done = shell.output().expect("a shell");
        assert_eq!(done.status.code(), Some(0), "{closed}: {done:?}");
        assert!(is_committed(&output), "{closed}");
    }
}

#[test]
fn f104_a_reader_that_never_reads_or_is_gone() {
    let output = directory("cli-unread");
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    // As much as a pipe holds (pipe(7)): the run cannot write a single byte.
    writer
        .write_all(&[b' '; 64 << 10])
        .expect("room in the pipe");
    let status = batch(&output).stdout(writer).status();
    assert_eq!(status.expect("the program starts").code(), Some(0));
    assert!(is_committed(&output));
    drop(reader);

    let output = directory("cli-gone");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let status = batch(&output).stdout(writer).status();
    assert_eq!(status.expect("the program starts").code(), Some(0));
    assert!(is_committed(&output));
}

#[test]
fn f104_standard_error_stays_empty_where_it_is_no_terminal() {
    let done = check(&[("RUN_ID", "a/b")]);
    assert_eq!(done.status.code(), Some(78));
    assert!(done.stderr.is_empty());
}

#[test]
fn f113_a_large_environment_and_no_name() {
    let output = directory("cli-environment");
    let mut command = batch(&output);
    // A MiB in all: of other names, each as long as Linux takes it.
    for number in 0..9 {
        command.env(format!("OTHER_{number}"), "x".repeat(120 << 10));
    }
    command.arg0("");
    let done = command.output().expect("the program starts");
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert!(is_committed(&output));
}

#[test]
fn no_event_is_longer_than_16_kib_however_long_the_report() {
    let query = format!("SELECT {} FROM input", "nonexistent, ".repeat(4000));
    let mut out = Vec::new();
    let mut command = windrow(&["check", "batch"]);
    command.envs(GOOD.map(|(name, value)| (format!("WINDROW_{name}"), value)));
    command.env("WINDROW_QUERY", query);
    for number in 0..500 {
        command.env(format!("WINDROW_{}_{number}", "LONG".repeat(20)), "x");
    }
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    child
        .stdout
        .take()
        .expect("a pipe")
        .read_to_end(&mut out)
        .expect("its output");
    assert_eq!(child.wait().expect("its end").code(), Some(78));
    assert!(out.len() < 16 << 10, "{}", out.len());
    let line: Value = serde_json::from_slice(&out).expect("one JSON object");
    assert_eq!(line["exit_code"], 78);
}
