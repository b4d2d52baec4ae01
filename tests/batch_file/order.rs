//! Whatever the number of workers and wherever chunks end: the first fault in input order, the same counts, the same
//! bytes. Rows 69, 123 and 124 of the fault catalogue.

use std::fmt::Write;

use crate::common::CHUNK_BYTES;
use crate::common::ended::Ended;
use crate::common::job::Job;
use crate::common::place::Place;

const COLUMNS: &str = "n BIGINT, t VARCHAR";

/// Records `1` to `count` of about 400 bytes, some of them bad; five chunks and more.
fn object(count: u64, is_bad: impl Fn(u64) -> bool) -> String {
    let mut object = "n,t\n".to_owned();
    for number in 1..=count {
        let bad = if is_bad(number) { "x" } else { "" };
        writeln!(object, "{number}{bad},{number:0390}").unwrap();
    }
    assert!(
        object.len() > 5 * CHUNK_BYTES,
        "several chunks for five workers"
    );
    object
}

/// Runs with one worker and with five, and checks that both left the same, but for times and nonces.
#[track_caller]
fn both(job: &Job) -> Ended {
    let [one, five] = ["1", "5"].map(|threads| {
        let job = job.clone().with("THREADS", threads);
        let run_id = format!(
            "{}-{threads}",
            job.directory().file_name().unwrap().display()
        );
        job.named(&run_id).run()
    });
    assert_eq!((one.code, one.why()), (five.code, five.why()));
    for artifact in ["rollup.csv", "rejected.ndjson", "inputs.ndjson.gz"] {
        assert_eq!(one.file(artifact), five.file(artifact), "{artifact}");
    }
    for (name, document) in [
        ("manifest", Ended::manifest as fn(&Ended) -> _),
        ("failure", Ended::failure),
    ] {
        let records = |ended| document(ended)["records"].clone();
        assert_eq!(records(&one), records(&five), "{name}.json");
    }
    five
}

#[test]
fn f069_f124_the_first_bad_record_in_input_order() {
    let place = Place::new("f069-order");
    // One at the very end of the first chunk's share, many in later ones.
    let bad = [1_500, 1_501, 2_777, 5_000, 6_999, 7_000];
    place.put("in.csv", object(7_000, |number| bad.contains(&number)));
    let job = Job::csv(
        &place,
        "in.csv",
        COLUMNS,
        "SELECT sum(n) AS s, first(n) AS f, last(n) AS l FROM input",
    );
    let ended = both(&job.clone().named("fail"));
    ended.failed(65, "reading");
    assert_eq!(ended.summary()["record"], 1_500);
    assert_eq!(ended.failure()["records"]["used"], 1_499);
    for (limit, record) in bad.iter().enumerate().skip(1) {
        let run_id = format!("reject-{limit}");
        let job = job
            .clone()
            .named(&run_id)
            .with("ON_BAD_RECORD", format!("reject:{limit}"));
        let ended = both(&job);
        ended.failed(65, "reading");
        assert_eq!(ended.summary()["record"], *record, "one more than {limit}");
        let records = ended.failure()["records"].clone();
        assert_eq!(records["rejected"], limit);
        assert!(
            ended
                .advice()
                .starts_with(&format!("{limit} records were rejected")),
            "{}",
            ended.advice()
        );
        assert_eq!(
            ended.file("rejected.ndjson"),
            None,
            "only complete artifacts"
        );
    }
    let ended = both(&job.named("all").with("ON_BAD_RECORD", "reject:6"));
    let sum = (1..=7_000_u64).sum::<u64>() - bad.iter().sum::<u64>();
    assert_eq!(ended.rollup(), format!("s,f,l\n{sum},1,6998\n"));
    let rejected: Vec<u64> = ended
        .rejected()
        .iter()
        .map(|line| line["record"].as_u64().unwrap())
        .collect();
    assert_eq!(rejected, bad);
}

/// NOT NULL, a type and an expression in one object: WHERE comes before NOT NULL, types before both.
#[test]
fn f124_faults_of_all_kinds_keep_input_order() {
    let place = Place::new("f124-kinds");
    let mut lines: Vec<String> = object(7_000, |_| false)
        .lines()
        .map(str::to_owned)
        .collect();
    // Too few fields, then no value, then a value that the query divides by, then no number: each in another chunk.
    lines[1_500] = "1500".to_owned();
    lines[3_000] = format!(",{:0390}", 3_000);
    lines[4_500] = format!("0,{:0390}", 4_500);
    lines[6_000] = format!("x,{:0390}", 6_000);
    place.put("in.csv", lines.join("\n"));
    let columns = "n BIGINT NOT NULL, t VARCHAR";
    let job = Job::csv(
        &place,
        "in.csv",
        columns,
        "SELECT count(100 // n) AS c FROM input WHERE n IS NULL OR n < 9000",
    );
    for (on_bad_record, record, why) in [
        ("fail", 1_500, "expected 2 fields, found 1"),
        (
            "reject:1",
            3_000,
            "expected a value, as the column is NOT NULL, found NULL",
        ),
        ("reject:2", 4_500, "(in `100 // n`, byte 13 of the query)"),
        (
            "reject:1000",
            4_500,
            "(in `100 // n`, byte 13 of the query)",
        ),
    ] {
        let job = job.clone().named(&on_bad_record.replace(':', "-"));
        let ended = both(&job.with("ON_BAD_RECORD", on_bad_record));
        ended.failed(65, "reading");
        assert_eq!(ended.summary()["record"], record, "{on_bad_record}");
        assert!(ended.why().contains(why), "{}", ended.why());
    }
    let filtered = Job::csv(
        &place,
        "in.csv",
        columns,
        "SELECT count(*) AS c FROM input WHERE n > 0",
    );
    let ended = both(&filtered.named("where").with("ON_BAD_RECORD", "reject:2"));
    assert_eq!(ended.rollup(), "c\n6996\n");
    assert_eq!(
        ended.manifest()["records"]["filtered"],
        2,
        "NULL and 0 are filtered before NOT NULL is asked"
    );
}

#[test]
fn f124_an_unclosed_quote_is_a_fault_of_the_object() {
    let place = Place::new("f124-quote");
    let mut text = object(7_000, |number| number == 5_000);
    let good = text.len();
    text.push_str("28001,\"");
    text.push_str(&object(7_000, |_| false));
    place.put("in.csv", text);
    let job = Job::csv(&place, "in.csv", COLUMNS, "SELECT count(n) AS c FROM input");
    let ended = both(&job.clone().named("fail"));
    assert_eq!(
        ended.summary()["record"],
        5_000,
        "the bad record before it comes first"
    );
    let ended = both(&job.with("ON_BAD_RECORD", "reject:1000000"));
    ended.failed(65, "reading");
    assert_eq!(
        ended.why(),
        format!("byte {good}: expected a closing quote, found the end of the object inside quotes")
    );
    let records = ended.failure()["records"].clone();
    assert_eq!(
        (&records["read"], &records["rejected"]),
        (&7_000.into(), &1.into())
    );
}

#[test]
fn f123_limit_next_to_a_bad_record() {
    let place = Place::new("f123");
    place.put("in.csv", "n,t\n1,a\n2x,b\n3,c\n4,d\n");
    let columns = "n BIGINT, t VARCHAR";
    for (limit, on_bad_record, want) in [
        (0, "fail", Ok(("", 0, 0))),
        (1, "fail", Ok(("1\n", 1, 0))),
        (2, "fail", Err(2)),
        (1, "reject:1", Ok(("1\n", 1, 0))),
        (2, "reject:1", Ok(("1\n3\n", 3, 1))),
        (3, "reject:1", Ok(("1\n3\n4\n", 4, 1))),
        (4, "reject:1", Ok(("1\n3\n4\n", 4, 1))),
    ] {
        let job = Job::csv(
            &place,
            "in.csv",
            columns,
            &format!("SELECT n FROM input LIMIT {limit}"),
        );
        let job = job.named(&format!("{limit}-{}", on_bad_record.len()));
        let ended = both(&job.with("ON_BAD_RECORD", on_bad_record));
        match want {
            Ok((rows, read, rejected)) => {
                assert_eq!(ended.rollup(), format!("n\n{rows}"), "LIMIT {limit}");
                let records = ended.manifest()["records"].clone();
                assert_eq!(
                    (&records["read"], &records["rejected"]),
                    (&read.into(), &rejected.into())
                );
                let to = match limit {
                    4 => serde_json::json!("whole"),
                    _ => serde_json::json!({ "to_record": read }),
                };
                assert_eq!(ended.inputs()[0]["read"], to, "LIMIT {limit}");
            }
            Err(record) => {
                ended.failed(65, "reading");
                assert_eq!(ended.summary()["record"], record, "LIMIT {limit}");
            }
        }
    }
}

/// The same where the cut and the bad record are far apart: threads have seen what comes after the cut, and nobody may
/// notice.
#[test]
fn f123_limit_in_another_chunk_than_the_bad_record() {
    let place = Place::new("f123-chunks");
    place.put("in/1.csv", object(7_000, |number| number == 3_001));
    place.put("in/2.csv", "n,t\nbad,bad\n");
    let job = |limit: u64| {
        Job::csv(
            &place,
            "in/",
            COLUMNS,
            &format!("SELECT n FROM input LIMIT {limit}"),
        )
    };
    let ended = both(&job(3_000).named("before"));
    assert!(ended.rollup().ends_with("\n3000\n"));
    let inputs = ended.inputs();
    assert_eq!(inputs[0]["read"]["to_record"], 3_000);
    assert_eq!(
        (&inputs[1]["read"]["to_record"], &inputs[1]["records"]),
        (&0.into(), &0.into())
    );
    let ended = both(&job(3_001).named("at"));
    ended.failed(65, "reading");
    assert_eq!(ended.summary()["record"], 3_001);
    let ended = both(&job(6_999).named("last").with("ON_BAD_RECORD", "reject:1"));
    assert_eq!(ended.manifest()["records"]["read"], 7_000);
    assert_eq!(ended.inputs()[0]["read"]["to_record"], 7_000);
    let ended = both(
        &job(7_000)
            .named("next-file")
            .with("ON_BAD_RECORD", "reject:1"),
    );
    ended.failed(65, "reading");
    assert_eq!(
        (ended.uri(), &ended.summary()["record"]),
        (place.uri("in/2.csv").as_str(), &1.into())
    );
    // A division that fails right after the cut is not evaluated as far as anybody can tell.
    let query = "SELECT 100 // (n - 5001) AS q FROM input WHERE n <> 3001 LIMIT";
    for (limit, code) in [(4_999, 0), (5_000, 65)] {
        let job = Job::csv(&place, "in/1.csv", COLUMNS, &format!("{query} {limit}"));
        let ended = both(
            &job.named(&limit.to_string())
                .with("ON_BAD_RECORD", "reject:1"),
        );
        assert_eq!(ended.code, code, "{}", ended.summary());
        assert_eq!(
            ended.summary()["record"].as_u64(),
            (code == 65).then_some(5_001)
        );
    }
}

#[test]
fn f069_the_same_bytes_for_any_number_of_workers() {
    let place = Place::new("f069-bytes");
    place.put("in.csv", object(7_000, |number| number % 250 == 0));
    let query = "SELECT n % 7 AS k, count(*) AS c, sum(n) AS s, avg(n) AS a, min(t) AS lo, max(t) AS hi, first(n) AS f, last(n) AS l, arg_min(n, n % 3) AS am, sum(n / 3) AS d FROM input GROUP BY k";
    let grouped = Job::csv(&place, "in.csv", COLUMNS, query).with("ON_BAD_RECORD", "reject:28");
    assert_eq!(both(&grouped.named("grouped")).rollup().lines().count(), 8);
    let rows = Job::csv(
        &place,
        "in.csv",
        COLUMNS,
        "SELECT t, n / 7 AS q FROM input WHERE n % 2 = 1",
    );
    assert_eq!(
        both(&rows.named("rows").with("ON_BAD_RECORD", "reject:28"))
            .rollup()
            .lines()
            .count(),
        3_501
    );
}
