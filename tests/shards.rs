//! Shards and their merge, by the built program: however the input is shared out, the merge writes what one worker would
//! have written. Rows 109 and 128 of the fault catalogue, and what 122 to 124 say of shards.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that cannot go on says where"
)]

mod common;

use std::fmt::Write;
use std::fs;

use serde_json::Value;

use common::Dice;
use common::ended::{Ended, assert_text, names};
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
    let whole = job.clone().without("SPLIT").named("whole").run();
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
    let counts: &[u32] = if is_full() {
        &[1, 2, 3, 8, 16]
    } else {
        &[3, 16]
    };
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

#[test]
fn f109_an_object_that_is_cut_between_shards() {
    let place = Place::new("shards-bytes");
    let mut dice = Dice(11);
    // Past the size from which objects are cut, a line longer than a shard's part in the middle, no line end at the end.
    let big = records(&mut dice, 6_000);
    let long = format!("{{\"k\":\"{}\",\"n\":3}}\n", "long ".repeat(60_000));
    let text = format!(
        "{big}{long}{}{{\"k\":\"last\",\"n\":5}}",
        records(&mut dice, 6_000)
    );
    assert!(text.len() > 1 << 20, "{}", text.len());
    place.put("in/1", records(&mut dice, 20));
    place.put("in/2", &text);
    place.put("in/3", records(&mut dice, 20));
    let counts: &[u32] = if is_full() { &[2, 3, 8, 16] } else { &[3, 16] };
    for (name, query) in [
        ("rows", "SELECT k, n, @ AS o FROM input WHERE n <> 4"),
        (
            "groups",
            "SELECT n, first(k) AS f, last(k) AS l, arg_max(k, n) AS a, count(*) AS c FROM input GROUP BY n",
        ),
    ] {
        let query = query.replace('@', "b");
        let job = job(&place, "in/", &query).with("SPLIT", "bytes");
        let whole = same(&place, name, &job, counts);
        assert!(whole["records"]["rejected"].as_u64() > Some(200), "{whole}");
    }
    // A compressed one is cut by nobody: the shard in which it begins reads it, whatever it is called.
    place.put("packed/1", gzip(text.as_bytes()).repeat(12));
    let packed = fs::metadata(place.path("packed/1")).unwrap().len();
    assert!(packed > 1 << 20, "{packed}");
    let job = job(
        &place,
        "packed/",
        "SELECT count(*) AS c FROM input WHERE n IS NOT NULL",
    );
    same(&place, "packed", &job.with("SPLIT", "bytes"), &[3]);
}

#[test]
fn f123_f124_what_is_known_of_a_bad_record_and_which_is_one_too_many() {
    let place = Place::new("shards-bad");
    let mut dice = Dice(13);
    place.put("in.ndjson", records(&mut dice, 14_000));
    let job = job(
        &place,
        "in.ndjson",
        "SELECT count(*) AS c, min(b) AS b, min(n) AS n FROM input",
    );
    let bytes = job.clone().with("SPLIT", "bytes");
    let whole = job.clone().named("whole").run();
    let rejected = whole.rejected();
    assert!(rejected.len() > 100);

    // In the middle of an object a shard knows where a record is, and not how many there were before.
    let strict = bytes.clone().without("ON_BAD_RECORD").named("strict");
    let ended = strict.shard(1, 3).run();
    ended.failed(65, "reading");
    let lenient = bytes.clone().named("lenient").shard(1, 3).run();
    let began = &lenient.manifest()["shard"]["began"];
    assert_eq!((&began["input"], lenient.code), (&0.into(), 0));
    let began = began["offset"].as_u64().unwrap();
    let object = fs::read(place.path("in.ndjson")).unwrap();
    assert_eq!(object[usize::try_from(began).unwrap() - 1], b'\n');
    let offset = |line: &Value| line["offset_bytes"].as_u64().unwrap();
    let first = rejected.iter().find(|line| offset(line) >= began).unwrap();
    let summary = ended.summary();
    assert_eq!(
        (offset(summary), &summary["record"]),
        (offset(first), &Value::Null)
    );

    // Each shard has fewer than are allowed, all of them have one more.
    let limit = rejected.len() - 1;
    let limited = |job: &Job| job.clone().with("ON_BAD_RECORD", format!("reject:{limit}"));
    let one = limited(&job).named("one").run();
    one.failed(65, "reading");
    run_shards(&limited(&bytes).named("many"), 3, &[]);
    let many = Job::merge(&place, &["out/many"], 3).named("merged").run();
    many.failed(65, "reading");
    assert_eq!(
        (one.why(), one.uri(), one.advice()),
        (many.why(), many.uri(), many.advice())
    );
    let last = &rejected[limit];
    assert_eq!(
        (&many.summary()["record"], &many.summary()["offset_bytes"]),
        (&last["record"], &last["offset_bytes"])
    );
}

#[test]
fn f109_shards_that_are_missing_doubled_or_disagree() {
    let place = Place::new("shards-faults");
    let mut dice = Dice(17);
    for number in 0..8 {
        place.put(&format!("in/{number}"), records(&mut dice, 20));
    }
    let job = job(
        &place,
        "in/",
        "SELECT k, count(*) AS c FROM input GROUP BY k",
    );
    run_shards(&job.clone().named("a"), 8, &[3, 5]);
    let failing = job
        .clone()
        .with("COLUMNS", "k BIGINT")
        .without("ON_BAD_RECORD");
    failing.named("a").shard(5, 8).run().failed(65, "reading");
    let mut merges = 0;
    let mut merge = |shards: &[&str], count: u32| {
        merges += 1;
        let run = format!("merge-{merges}");
        Job::merge(&place, shards, count).named(&run).run()
    };

    let ended = merge(&["out/a"], 8);
    ended.failed(66, "listing");
    assert_text(
        &ended.why(),
        "expected all 8 shards, found no manifest of shard 3; shard 5, which failed",
        "missing",
    );
    let ended = merge(&["out/a"], 9);
    ended.failed(65, "listing");
    assert_text(
        &ended.why(),
        "expected a shard of 9 (SHARDS), found shard 0 of 8",
        "count",
    );

    // A lost shard is run again under another RUN_ID, and named beside the others; a shard by itself too.
    for (run, index) in [("b", 3), ("c", 5)] {
        job.clone().named(run).shard(index, 8).run();
    }
    let whole = job.clone().named("whole").run();
    let all = ["out/a", "out/b", "out/c/shard-00005-of-00008"];
    let ended = merge(&all, 8);
    assert_eq!(ended.rollup(), whole.rollup());

    // Twice the same bytes are one shard; other bytes are not.
    job.clone().named("d").shard(3, 8).with("THREADS", 1).run();
    let twice = ["out/a", "out/b", "out/c", "out/d"];
    assert_eq!(merge(&twice, 8).rollup(), whole.rollup());
    let other = |name: &'static str, value: &str, run: &str| {
        let job = job.clone().with(name, value).named(run);
        assert_eq!(job.shard(3, 8).run().code, 0);
    };
    other("QUERY", "SELECT k, max(n) AS c FROM input GROUP BY k", "e");
    let ended = merge(&[&all[..], &["out/e"]].concat(), 8);
    ended.failed(65, "listing");
    assert_text(
        &ended.why(),
        "expected each shard once, or twice the same bytes, found another than file:///…",
        "doubled",
    );

    // What must be equal, each in turn.
    other("COLUMNS", "k VARCHAR, n BIGINT", "f");
    other("ON_BAD_RECORD", "reject:1000", "g");
    other("SPLIT", "bytes", "h");
    other("RECORDS", "r[*]", "i");
    for (run, what) in [
        ("e", "QUERY"),
        ("f", "COLUMNS"),
        ("g", "ON_BAD_RECORD"),
        ("h", "SPLIT"),
        ("i", "RECORDS"),
    ] {
        let ended = merge(&["out/a", &format!("out/{run}"), "out/c"], 8);
        ended.failed(65, "listing");
        let (why, part) = (ended.why(), "shard-00003-of-00008/manifest.json");
        assert!(
            why.contains(&format!("{run}/{part}): another {what}")),
            "{why}"
        );
    }
    // Of another version or for another target; all of them so; a run that is no shard; an artifact that was altered.
    let manifest = place.path("out/b/shard-00003-of-00008/manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    for (name, from, to) in [
        ("version", "\"version\": \"", "\"version\": \"9."),
        ("target", "\"target\": \"", "\"target\": \"vax-"),
    ] {
        fs::write(&manifest, text.replace(from, to)).unwrap();
        let ended = merge(&all, 8);
        ended.failed(65, "listing");
        assert!(
            ended.why().contains(&format!(": another {name}")),
            "{}",
            ended.why()
        );
    }
    fs::write(&manifest, &text).unwrap();
    // All of them by another windrow, which would not have written the same bytes.
    let manifests = |run: &str| {
        let shards = names(&place.path(run)).into_iter();
        let shards = shards.map(|shard| place.path(&format!("{run}/{shard}/manifest.json")));
        shards
            .filter(|manifest| manifest.exists())
            .collect::<Vec<_>>()
    };
    let every = ["out/a", "out/b", "out/c"].map(manifests).concat();
    let rewrite = |from: &str, to: &str| {
        for manifest in &every {
            let text = fs::read_to_string(manifest).unwrap();
            assert!(text.contains(from));
            fs::write(manifest, text.replace(from, to)).unwrap();
        }
    };
    let this = format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION"));
    let other = "\"version\": \"0.0.9\"";
    rewrite(&this, other);
    let ended = merge(&all, 8);
    ended.failed(65, "listing");
    assert_text(&ended.why(), "expected shards of windrow …", "version");
    rewrite(other, &this);
    merge(&["out/nothing"], 8).failed(66, "listing");
    fs::write(&manifest, text.replace("\"offset\": 0", "\"offset\": 1")).unwrap();
    let ended = merge(&all, 8);
    ended.failed(65, "listing");
    assert_text(
        &ended.why(),
        "expected shard 3 to begin at input …",
        "bounds",
    );
    fs::write(&manifest, &text).unwrap();
    merge(&[&all[..], &["out/whole"]].concat(), 8).failed(65, "listing");
    let partial = place.path("out/b/shard-00003-of-00008/partial.ndjson.gz");
    let bytes = fs::read(&partial).unwrap();
    for (name, altered) in [
        ("shorter", bytes[1..].to_vec()),
        ("other bytes", gzip(b"{}\n")),
        ("the same size", {
            let mut altered = bytes.clone();
            altered[10] ^= 1;
            altered
        }),
    ] {
        fs::write(&partial, altered).unwrap();
        let ended = merge(&all, 8);
        ended.failed(65, "reading");
        assert!(
            ended.uri().ends_with("partial.ndjson.gz"),
            "{name}: {}",
            ended.why()
        );
    }
    fs::remove_file(&partial).unwrap();
    merge(&all, 8).failed(65, "reading");
    fs::write(&partial, &bytes).unwrap();
    assert_eq!(merge(&all, 8).rollup(), whole.rollup());
}

#[test]
fn f128_a_shard_that_listed_something_else() {
    let place = Place::new("shards-listings");
    let mut dice = Dice(19);
    for number in 0..8 {
        place.put(&format!("in/{number}"), records(&mut dice, 20));
    }
    let job = job(
        &place,
        "in/",
        "SELECT k, count(*) AS c FROM input GROUP BY k",
    );
    run_shards(&job.clone().named("a"), 4, &[2]);
    let before = fs::read(place.path("in/0")).unwrap();
    let mut merges = 0;
    let mut differs = |run: &str, what: &[&str]| {
        job.clone().named(run).shard(2, 4).run();
        merges += 1;
        let merge = Job::merge(&place, &["out/a", &format!("out/{run}")], 4);
        let ended = merge.named(&format!("merge-{merges}")).run();
        ended.failed(65, "listing");
        let why = ended.why();
        assert!(
            why.contains(&format!(
                "{run}/shard-00002-of-00004/manifest.json): another listing"
            )),
            "{why}"
        );
        what.iter()
            .for_each(|what| assert!(why.contains(what), "{why}"));
    };
    // Another object before it moves the parts.
    place.put("in/00", records(&mut dice, 30));
    differs(
        "b",
        &["/in/3 (shards 2 and 1): number 4 of its inputs, not 3"],
    );
    fs::remove_file(place.path("in/00")).unwrap();
    // One that only another shard reads: nobody can say which.
    place.put("in/0", [&before[..], b"\n"].concat());
    differs("c", &["no input that two of them read differs"]);
}

#[test]
fn f109_every_kind_of_input_is_shared_out() {
    let place = Place::new("shards-inputs");
    let mut dice = Dice(23);
    let counts: &[u32] = if is_full() { &[1, 2, 3, 8, 16] } else { &[4] };
    let sums = "SELECT i % 7 AS m, sum(i) AS s, first(i) AS f, arg_max(i, i % 3) AS a, last(i) AS l FROM input GROUP BY m";
    for range in [
        "-5..30000",
        "5..5",
        "0..3",
        "-9223372036854775808..-9223372036854775800",
    ] {
        same(&place, range, &Job::range(&place, range, sums), counts);
    }
    let rows = Job::range(
        &place,
        "-20000..20000",
        "SELECT i, i * 2 AS d FROM input WHERE i % 999 = 0",
    );
    same(&place, "rows of a range", &rows, counts);

    for number in 0..7 {
        let mut csv = "n,t,extra\n".to_owned();
        let mut documents = String::new();
        let mut captured = String::new();
        for line in 0..dice.below(6) {
            let n = dice.below(9);
            writeln!(csv, "{n},\"a \"\"quoted\"\"\n{line}\",x").unwrap();
            let comma = if line == 0 { "" } else { "," };
            write!(documents, "{comma}{{\"n\":{n},\"t\":\"é{line}\"}}").unwrap();
        }
        // One capture of several parts: numbers rise through all of them.
        for line in 1..=5 {
            let n = number * 5 + line;
            writeln!(captured, r#"{{"n":{n},"received_at":"2026-01-31T23:59:00.{n:06}Z","feed":{},"connection":0,"message":{{"n":{line},"t":"m"}}}}"#, n % 2).unwrap();
        }
        if number == 3 {
            csv = String::new();
        }
        place.put(&format!("csv/{number}"), csv);
        place.put(
            &format!("json/{number}"),
            format!("{{\"data\":[{documents}]}}"),
        );
        place.put(&format!("capture/part-{number}"), captured);
    }
    let query = "SELECT n, count(*) AS c, first(t) AS f, last(t) AS l, quantile_disc(t, 0.5) AS q FROM input GROUP BY n";
    let columns = "n BIGINT, t VARCHAR";
    let csv = Job::csv(&place, "csv/", columns, query);
    same(&place, "csv", &csv, counts);
    let json = Job::ndjson(&place, "json/", columns, query);
    same(
        &place,
        "json",
        &json.with("INPUT_FORMAT", "json").with("RECORDS", "data[*]"),
        counts,
    );
    let capture = "n BIGINT, t VARCHAR, at TIMESTAMP FROM @received_at, feed BIGINT FROM @feed, o VARCHAR FROM @object";
    let query = "SELECT feed, max(at) AS at, sum(n) AS s, last(o) AS o FROM input GROUP BY feed";
    let capture = Job::ndjson(&place, "capture/", capture, query).with("INPUT_FORMAT", "capture");
    same(&place, "capture", &capture, counts);
}

#[test]
fn f076_what_the_whole_would_drop_fails_no_shard() {
    let place = Place::new("shards-guards");
    // In the first shard 7 is among the first rows, and a group has one record; in the whole neither is so.
    for (name, query) in [
        (
            "rows past LIMIT",
            "SELECT 1 / (i - 7) AS x FROM input ORDER BY i DESC LIMIT 2",
        ),
        (
            "groups that HAVING keeps",
            "SELECT i // 8 AS k, 1 / (count(*) - 4) AS x FROM input GROUP BY k HAVING count(*) > 4",
        ),
        (
            "groups past LIMIT",
            "SELECT i AS k, 1 / (i - 7) AS x FROM input GROUP BY k ORDER BY k DESC LIMIT 2",
        ),
    ] {
        same(&place, name, &Job::range(&place, "0..16", query), &[4]);
    }
    // What fails the whole fails the merge, with the same words.
    for (name, query) in [
        (
            "f075 a sum past its type",
            "SELECT sum(i + 100000000000000000000000000000000000000) AS s FROM input",
        ),
        (
            "division by zero",
            "SELECT i % 2 AS k, 1 / (count(*) - 8) AS x FROM input GROUP BY k",
        ),
    ] {
        let job = Job::range(&place, "0..16", query);
        let whole = job
            .clone()
            .named(&format!("whole {name}").replace(' ', "-"))
            .run();
        let run = format!("shards {name}").replace(' ', "-");
        run_shards(&job.clone().named(&run), 16, &[]);
        let merge = Job::merge(&place, &[&format!("out/{run}")], 16);
        let merged = merge
            .named(&format!("merged {name}").replace(' ', "-"))
            .run();
        merged.failed(65, "grouping");
        assert_eq!(
            (whole.why(), whole.advice()),
            (merged.why(), merged.advice()),
            "{name}"
        );
    }
}
