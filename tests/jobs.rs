//! Every workload of jobs/ as a user loads it, over a small fixture of the true shape, against rows that
//! tests/golden/expected.py computed with exact fractions.
#![allow(
    clippy::expect_used,
    reason = "a test helper that cannot go on says where"
)]

mod worker;

use std::fs;
use std::process::Command;

use worker::{Outcome, WINDROW, directory, file_uri, nearly_equal, package, run};

/// A workload and its input; none where the workload names its own.
const JOBS: [(&str, Option<&str>); 5] = [
    ("weather", Some("tests/golden/weather/")),
    ("ecommerce", Some("tests/golden/ecommerce/")),
    ("ecommerce-categories", Some("tests/golden/ecommerce/")),
    ("computation", None),
    ("ohlcv", Some("tests/golden/ohlcv/trades.csv")),
];

/// Workloads that read a live feed: they differ only in the symbol.
const STREAMS: [&str; 3] = ["bnb", "btc", "eth"];

/// Only `sin` may differ in its last bits from one platform to another.
const WITHIN: [&str; 1] = ["computation"];

/// Loads jobs/`job`.env in a POSIX shell, as its comment says, and runs `windrow` with `words`.
fn run_job(job: &str, input: Option<&str>, words: &str, threads: &str) -> Outcome {
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-euc", "set -a; . \"$1\"; set +a; exec \"$0\" $2", WINDROW])
        .arg(package(&format!("jobs/{job}.env")))
        .arg(words)
        .env_clear()
        .env("WINDROW_THREADS", threads);
    if let Some(input) = input {
        shell.env("WINDROW_INPUT", file_uri(&package(input)));
    }
    let output = directory(&format!("jobs-{job}-{}-{threads}", words.replace(' ', "-")));
    run(&mut shell, &output, "run-1")
}

#[test]
fn jobs_give_the_expected_rows() {
    for (job, input) in JOBS {
        let want = fs::read_to_string(package(&format!("tests/golden/{job}.csv")))
            .expect("the expected rows");
        for threads in ["1", "3"] {
            let outcome = run_job(job, input, "batch", threads);
            assert_eq!(outcome.code, 0, "{job}: {}", outcome.printed);
            let got = outcome.rollup.expect("a committed run has a rollup");
            if WITHIN.contains(&job) {
                assert!(nearly_equal(&got, &want), "{job}: {got}");
            } else {
                assert_eq!(got, want, "{job}");
            }
        }
    }
}

#[test]
fn jobs_in_shards_give_the_same_rows() {
    const SHARDS: u32 = 4;
    for (job, input) in JOBS {
        let output = directory(&format!("jobs-{job}-shards"));
        let shell = |words: &str| {
            let mut shell = Command::new("/bin/sh");
            let script = "set -a; . \"$1\"; set +a; unset WINDROW_OUTPUT_FORMAT; exec \"$0\" $2";
            shell
                .args(["-euc", script, WINDROW])
                .arg(package(&format!("jobs/{job}.env")))
                .arg(words)
                .env_clear();
            shell
        };
        for index in 0..SHARDS {
            let mut shard = shell("batch");
            shard.env("WINDROW_SHARD", format!("{index}/{SHARDS}"));
            if let Some(input) = input {
                shard.env("WINDROW_INPUT", file_uri(&package(input)));
            }
            let outcome = run(&mut shard, &output, "shards");
            assert_eq!(outcome.code, 0, "{job}: {}", outcome.printed);
        }
        let mut merge = Command::new(WINDROW);
        merge
            .arg("merge")
            .env_clear()
            .env("WINDROW_INPUT", file_uri(&output.join("shards")))
            .env("WINDROW_SHARDS", SHARDS.to_string())
            .env("WINDROW_OUTPUT_FORMAT", "csv")
            .env("WINDROW_MAX_RUNTIME_SECONDS", "60");
        let merged = run(&mut merge, &output, "merged");
        assert_eq!(merged.code, 0, "{job}: {}", merged.printed);
        let whole = run_job(job, input, "batch", "2").rollup;
        assert!(merged.rollup == whole && whole.is_some(), "{job}");
    }
}

#[test]
fn check_accepts_every_job() {
    let mut found: Vec<String> = fs::read_dir(package("jobs"))
        .expect("jobs/")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .map(|name| name.trim_end_matches(".env").to_owned())
        .collect();
    found.sort_unstable();
    let mut tested: Vec<&str> = JOBS.iter().map(|(job, _)| *job).chain(STREAMS).collect();
    tested.sort_unstable();
    assert_eq!(found, tested, "every file of jobs/ is tested");
    for (job, input) in JOBS {
        let outcome = run_job(job, input, "check batch", "1");
        assert_eq!(outcome.code, 0, "{job}: {}", outcome.printed);
        assert!(
            outcome.printed.contains("SELECT"),
            "{job}: the query is shown"
        );
    }
    for job in STREAMS {
        let outcome = run_job(job, None, "check stream", "1");
        assert_eq!(outcome.code, 0, "{job}: {}", outcome.printed);
        let feed = format!("wss://data-stream.binance.vision/ws/{job}usdt@trade");
        assert!(
            outcome.printed.contains(&feed),
            "{job}: {}",
            outcome.printed
        );
    }
}

#[test]
fn live_jobs_differ_only_in_the_symbol() {
    let text =
        |job: &str| fs::read_to_string(package(&format!("jobs/{job}.env"))).expect("the job");
    let [first, others @ ..] = STREAMS;
    for job in others {
        let renamed = text(first)
            .replace(first, job)
            .replace(&first.to_uppercase(), &job.to_uppercase());
        assert_eq!(renamed, text(job), "{job}");
    }
}
