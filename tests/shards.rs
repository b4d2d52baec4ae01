//! Shards and their merge, by the built program: however the input is shared out, the merge writes what one worker would
//! have written. Rows 109 and 128 of the fault catalogue, and what 122 to 124 say of shards.

mod common;

use std::fmt::Write;
use std::fs;

use serde_json::Value;

use common::Dice;
use common::ended::{Ended, assert_text, check_manifest, names};
use common::job::Job;
use common::place::{Place, gzip};

/// Whether to run all that there is.
fn is_full() -> bool {
    std::env::var("WINDROW_SWEEP").is_ok_and(|word| word == "full")
}

/// Runs all shards of `job` but those that `skip` names, in an order of their own.
fn run_shards(job: &Job, count: u32, skip: &[u32]) {
    let mut order: Vec<u32> = (0..count).filter(|index| !skip.contains(index)).collect();
    let mut dice = Dice(u64::from(count) + 41);
    for at in (1..order.len()).rev() {
        order.swap(at, usize::try_from(dice.below(at as u64 + 1)).unwrap());
    }
    for (index, threads) in order.into_iter().zip([1, 2, 3].into_iter().cycle()) {
        let ended = job.shard(index, count).with("THREADS", threads).run();
        assert_eq!(ended.code, 0, "shard {index}: {}", ended.summary());
    }
}

/// Runs `job` whole and in so many shards, merges these, and checks that both left the same.
#[track_caller]
fn same(place: &Place, name: &str, job: &Job, counts: &[u32]) -> Value {
    let whole = job.clone().named("whole").run();
    assert_eq!(whole.code, 0, "{name}: {}", whole.summary());
    for &count in counts {
        let run = format!("of-{count}");
        run_shards(&job.clone().named(&run), count, &[]);
        let merged = Job::merge(place, &[&format!("out/{run}")], count)
            .named(&format!("merged-{count}"))
            .run();
        assert_eq!(merged.code, 0, "{name}, {count}: {}", merged.summary());
        for artifact in ["rollup.csv", "rejected.ndjson"] {
            let [one, many] = [&whole, &merged].map(|ended| ended.file(artifact));
            assert!(
                one == many,
                "{name}, {count} shards, {artifact}:\n{}\n{}",
                String::from_utf8_lossy(&one.unwrap_or_default()),
                String::from_utf8_lossy(&many.unwrap_or_default())
            );
        }
        assert_eq!(whole.inputs(), merged.inputs(), "{name}, {count} shards");
        let [one, many] = [&whole, &merged].map(Ended::manifest);
        for field in ["records", "inputs", "query", "query_sha256"] {
            assert_eq!(one[field], many[field], "{name}, {count} shards, {field}");
        }
        assert_eq!(
            (&many["mode"], &many["shard"]),
            (&"merge".into(), &().into())
        );
        fs::remove_dir_all(place.path(&format!("out/{run}"))).unwrap();
        fs::remove_dir_all(place.path(&format!("out/merged-{count}"))).unwrap();
    }
    let manifest = whole.manifest();
    fs::remove_dir_all(place.path("out/whole")).unwrap();
    manifest
}

const COLUMNS: &str = "k VARCHAR, n BIGINT, d DOUBLE, p DECIMAL(20,4), t TIMESTAMP, b BOOLEAN";

/// A query of every kind of state, and of none.
const QUERIES: [(&str, &str); 11] = [
    (
        "counts and sums",
        "SELECT k, count(*) AS c, count(n) AS cn, sum(n) AS sn, sum(d) AS sd, sum(p) AS sp, avg(d) AS ad, avg(p) AS ap FROM input GROUP BY k",
    ),
    (
        "no key",
        "SELECT count(*) AS c, min(t) AS t, max(k) AS k, sum(d) AS s FROM input",
    ),
    (
        "places",
        "SELECT k, first(n) AS f, last(n) AS l, arg_min(k, n) AS a, arg_max(t, d) AS z, min(d) AS lo, max(p) AS hi, bool_and(b) AS every, bool_or(b) AS any FROM input GROUP BY k",
    ),
    (
        "values",
        "SELECT k, median(n) AS m, quantile_cont(d, 0.3) AS q, quantile_disc(k, 0.5) AS w, count(DISTINCT n) AS c, sum(DISTINCT p) AS s, avg(DISTINCT d) AS a FROM input GROUP BY k",
    ),
    (
        "spread",
        "SELECT k, stddev(n) AS s, var_pop(d) AS v, corr(n, d) AS c, regr_slope(p, n) AS r, regr_r2(d, n) AS r2, covar_samp(n, p) AS cov FROM input GROUP BY k",
    ),
    (
        "filters and order",
        "SELECT time_bucket(INTERVAL '1 hour', t) AS h, b, count(*) FILTER (WHERE n > 3) AS c, sum(n + 100000000000000000000) AS huge FROM input WHERE k <> 'e' GROUP BY h, b HAVING count(*) > 1 ORDER BY c DESC, h LIMIT 9",
    ),
    (
        "distinct",
        "SELECT DISTINCT k, b FROM input ORDER BY b DESC, k",
    ),
    (
        "rows",
        "SELECT k, n, d * 2 AS \"d \"\" 2\", p, t, b, n + 170000000000000000000000000000000000000 AS huge FROM input WHERE n <> 4",
    ),
    (
        "first rows",
        "SELECT n % 7 AS r, k || '!' AS k, d FROM input ORDER BY n, k DESC LIMIT 13",
    ),
    (
        "first rows by what is not shown",
        "SELECT 1 AS one FROM input ORDER BY t, d LIMIT 3",
    ),
    (
        "nothing",
        "SELECT k, count(*) AS c, median(d) AS m FROM input WHERE n > 1000000 GROUP BY k",
    ),
];

/// Records with ties, NULLs, values far apart, and some that are bad.
fn records(dice: &mut Dice, count: u64) -> String {
    let mut text = String::new();
    for number in 0..count {
        let key = ["a", "b", "é\\\"", "e", ""][usize::try_from(dice.below(5)).unwrap()];
        let n = dice.below(20);
        let (seconds, part) = (dice.below(86_400 * 3), dice.below(1_000_000));
        let d = match dice.below(9) {
            0 => "1e300".to_owned(),
            1 => "-1e-300".to_owned(),
            2 => "null".to_owned(),
            _ => format!("{}.{part}", dice.below(1_000)),
        };
        match dice.below(40) {
            0 => writeln!(text, r#"{{"k":"{key}","n":{n}.5}}"#),
            1 => writeln!(text, "no record, number {number}"),
            2 => writeln!(text, r#"{{"n":{n}}}"#),
            _ => writeln!(
                text,
                r#"{{"k":"{key}","n":{n},"d":{d},"p":"{seconds}.{:04}","t":"2026-01-0{} {:02}:00:00.{part:06}","b":{}}}"#,
                part % 10_000,
                seconds / 86_400 + 1,
                seconds % 24,
                part % 2 == 0
            ),
        }
        .unwrap();
    }
    text
}

fn job(place: &Place, input: &str, query: &str) -> Job {
    let query = query.replace("sum(d)", "sum(d / 1000)");
    Job::ndjson(place, input, COLUMNS, &query).with("ON_BAD_RECORD", "reject:1000000")
}

#[test]
fn f109_shards_of_objects_merge_to_what_one_worker_writes() {
    let place = Place::new("shards-objects");
    let mut dice = Dice(7);
    for number in 0..9 {
        let text = records(&mut dice, number * 11 % 25);
        match number {
            3 => place.put(&format!("in/{number}.gz"), gzip(text.as_bytes())),
            _ => place.put(&format!("in/{number}"), text),
        };
    }
    let counts: &[u32] = if is_full() { &[1, 2, 3, 8, 16] } else { &[3] };
    for (name, query) in QUERIES {
        let query = query.replace("var_pop(d)", "var_pop(d / 1e300)");
        let query = query
            .replace("(n, d)", "(n, d / 1e300)")
            .replace("(d, n)", "(d / 1e300, n)");
        let job = job(&place, "in/", &query);
        let whole = same(&place, name, &job, counts);
        assert!(whole["records"]["rejected"].as_u64() > Some(0), "{whole}");
    }
}
