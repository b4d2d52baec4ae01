//! The agreed cases of the SQL subset (SQL.md, against DuckDB 2.0.0), through the real program: each over one file with
//! 1, 2 and 5 threads, over one file a record, and over these in three shards that are merged.
#![allow(
    clippy::expect_used,
    reason = "a test helper that cannot go on says where"
)]

mod worker;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use worker::{directory, file_uri, nearly_equal, run, windrow};

/// Cases that end with an error, each with what the error says. It shows the query too: these texts are not in it.
const ERRORS: [(&str, &str); 12] = [
    ("integer overflow is an error", "in `v + k`"),
    ("a bad CAST is an error", "in `CAST(v AS BIGINT)`"),
    ("a join is refused", "found a join"),
    ("a window function is refused", "found a window function"),
    ("an unknown column is refused", "found nope"),
    ("division by zero is an error", "in `k / v`"),
    (
        "a string literal next to a number is refused",
        "found '2', a VARCHAR",
    ),
    ("WHERE takes a BOOLEAN only", "found qty, a BIGINT"),
    ("an expression needs AS", "found qty * 2"),
    ("duplicate output names are refused", "found shop twice"),
    (
        "timestamp - timestamp is refused",
        "epoch_ms(ts) - epoch_ms(ts)",
    ),
    ("BIGINT input takes 3.0 but not 3.5", "column v"),
];

/// Cases whose DOUBLE fields may differ by 1e-12 relative: what is transcendental hangs on the platform's functions.
const WITHIN: [&str; 3] = ["sqrt exp ln log10 pow", "sin cos tan pi", "corr and covar"];

/// Threads that run cases side by side: a run is mostly waiting for its files to be synced.
const SIDE_BY_SIDE: usize = 8;

#[derive(serde::Deserialize)]
struct Cases {
    cases: Vec<Case>,
}

#[derive(serde::Deserialize)]
struct Case {
    name: String,
    columns: String,
    format: String,
    input_text: String,
    query: String,
    #[serde(default)]
    expect_text: Option<String>,
    #[serde(default)]
    expect_exit: Vec<i32>,
}

#[test]
fn sql_cases() {
    let Cases { cases } =
        serde_json::from_str(include_str!("golden/sql-cases.json")).expect("the cases");
    for (name, _) in ERRORS {
        assert!(cases.iter().any(|case| case.name == name), "no case {name}");
    }
    let root = directory("sql-cases");
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let failed = failures_of(case, &root);
                    failures.lock().expect("no panic while held").extend(failed);
                }
            });
        }
    });
    let mut failures = failures.into_inner().expect("no panic while held");
    failures.sort();
    assert!(
        failures.is_empty(),
        "{} of {} cases:\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n")
    );
}

/// Runs one case in all its variants and says what went wrong, at most one line.
fn failures_of(case: &Case, root: &Path) -> Option<String> {
    let place = root.join(case.name.replace(['/', '|', '*', ' '], "_"));
    let whole = place.join(format!("input.{}", case.format));
    let split = place.join("split");
    fs::create_dir_all(&split).expect("a directory for the case");
    fs::write(&whole, &case.input_text).expect("the input");
    let mut variants = vec![
        ("1 thread", "1", file_uri(&whole)),
        ("2 threads", "2", file_uri(&whole)),
        ("5 threads", "5", file_uri(&whole)),
    ];
    if write_one_file_a_record(case, &split) {
        variants.push(("a file a record", "3", format!("{}/", file_uri(&split))));
    }
    for (number, (variant, threads, input)) in variants.iter().enumerate() {
        let mut program = batch(case, threads, input);
        program.env("WINDROW_OUTPUT_FORMAT", "csv");
        let outcome = run(&mut program, &place.join("out"), &format!("run-{number}"));
        if let Some(fault) = fault(case, outcome.code, &outcome.printed, outcome.rollup) {
            return Some(format!("{} ({variant}): {fault}", case.name));
        }
    }
    match (variants.as_slice(), &case.expect_text) {
        ([.., (_, threads, input)], Some(want)) if variants.len() > 3 => {
            let fault = sharded(case, &place, threads, input, want)?;
            Some(format!("{} (shards): {fault}", case.name))
        }
        _ => None,
    }
}

/// A batch over the input of a case, but for its output.
fn batch(case: &Case, threads: &str, input: &str) -> Command {
    let mut program = windrow();
    program
        .arg("batch")
        .env_clear()
        .env("WINDROW_INPUT", input)
        .env("WINDROW_INPUT_FORMAT", &case.format)
        .env("WINDROW_COLUMNS", &case.columns)
        .env("WINDROW_QUERY", &case.query)
        .env("WINDROW_MAX_RUNTIME_SECONDS", "60")
        .env("WINDROW_THREADS", threads);
    if case.format == "csv" {
        program.env("WINDROW_CSV_HEADER", "present");
    }
    program
}

/// What is wrong with the merge of a case's shards, if anything.
fn sharded(case: &Case, place: &Path, threads: &str, input: &str, want: &str) -> Option<String> {
    const SHARDS: u32 = 3;
    let out = place.join("out");
    for index in 0..SHARDS {
        let mut program = batch(case, threads, input);
        program.env("WINDROW_SHARD", format!("{index}/{SHARDS}"));
        let outcome = run(&mut program, &out, "shards");
        match outcome.code {
            0 => {}
            // Where a LIMIT without an order is filled, no shard can tell.
            78 if outcome
                .printed
                .contains("a LIMIT that comes with an ORDER BY") =>
            {
                return None;
            }
            code => return Some(format!("exit {code} of shard {index}: {}", outcome.printed)),
        }
    }
    let mut program = windrow();
    program
        .arg("merge")
        .env_clear()
        .env("WINDROW_INPUT", file_uri(&out.join("shards")))
        .env("WINDROW_SHARDS", SHARDS.to_string())
        .env("WINDROW_OUTPUT_FORMAT", "csv")
        .env("WINDROW_MAX_RUNTIME_SECONDS", "60");
    let merged = run(&mut program, &out, "merged");
    let one = fs::read_to_string(out.join("run-0/rollup.csv")).ok();
    let is_within = WITHIN.contains(&case.name.as_str());
    match merged.rollup {
        Some(got) if Some(&got) == one.as_ref() && (got == want || is_within) => None,
        got => Some(format!("{got:?} instead of {one:?}: {}", merged.printed)),
    }
}

/// What is wrong with this end of a case, if anything.
fn fault(case: &Case, code: i32, printed: &str, rollup: Option<String>) -> Option<String> {
    let codes: &[i32] = match case.expect_exit.as_slice() {
        [] => &[0],
        codes => codes,
    };
    if !codes.contains(&code) {
        return Some(format!("exit {code} instead of {codes:?}: {printed}"));
    }
    match (&case.expect_text, rollup, listed(&ERRORS, case)) {
        (Some(want), Some(got), None) if *want == got => None,
        (Some(want), Some(got), None)
            if WITHIN.contains(&case.name.as_str()) && nearly_equal(&got, want) =>
        {
            None
        }
        (None, None, Some(said)) if printed.contains(said) => None,
        (want, got, said) => Some(format!(
            "{got:?} instead of {want:?} or {said:?}: {printed}"
        )),
    }
}

/// What a table says of a case.
fn listed(table: &[(&str, &'static str)], case: &Case) -> Option<&'static str> {
    let row = table.iter().find(|(name, _)| *name == case.name)?;
    Some(row.1)
}

/// Each record in a file of its own, in order; not where a quoted field may hold the end of a line.
fn write_one_file_a_record(case: &Case, directory: &Path) -> bool {
    let (header, records) = match case.format.as_str() {
        "csv" if !case.input_text.contains('"') => case
            .input_text
            .split_once('\n')
            .expect("a header has an end"),
        "ndjson" => ("", case.input_text.as_str()),
        _ => return false,
    };
    for (number, record) in records.lines().enumerate() {
        let text = if header.is_empty() {
            format!("{record}\n")
        } else {
            format!("{header}\n{record}\n")
        };
        fs::write(directory.join(format!("part-{number:03}")), text).expect("a part");
    }
    true
}
