//! Tables of inputs: which records are good, which are bad and why, and which fault makes an object unreadable. Each
//! case runs with one worker and with five, which must agree to the byte.

use serde_json::Value;

use super::ended::{Ended, assert_text, place};
use super::job::Job;
use super::place::Place;

/// Name, object, rows of the rollup (without its header), bad records (`record 2, byte 8, column b: expected …`).
pub type Case<'a> = (&'a str, &'a [u8], &'a str, &'a [&'a str]);

/// Name, object, fault (`byte 0: expected …`).
pub type Fault<'a> = (&'a str, &'a [u8], &'a str);

const THREADS: [&str; 2] = ["1", "5"];

/// Runs each case with `reject:N` for as many bad records as it has, with one fewer, and with `fail`. `job` reads
/// `in.csv`, or what `input` is called.
pub fn check_records(place: &Place, job: &Job, input: &str, cases: &[Case<'_>]) {
    for (number, (name, object, rows, bad)) in cases.iter().enumerate() {
        place.put(input, object);
        let run = |threads: &str, on_bad_record: &str| {
            let run_id = format!("{number}-{threads}-{}", on_bad_record.replace(':', "-"));
            let job = job.clone().named(&run_id).with("THREADS", threads);
            job.with("ON_BAD_RECORD", on_bad_record).run()
        };
        let all = THREADS.map(|threads| run(threads, &format!("reject:{}", bad.len().max(1))));
        for ended in &all {
            check_rejecting(name, ended, object, rows, bad);
        }
        for artifact in ["rollup.csv", "rejected.ndjson", "inputs.ndjson.gz"] {
            let [one, five] = all.each_ref().map(|ended| ended.file(artifact));
            assert_eq!(
                one, five,
                "{name}: {artifact} with one worker and with five"
            );
        }
        if let Some(first) = bad.first() {
            check_bad(name, &THREADS.map(|threads| run(threads, "fail")), first);
        }
        if let [_, .., last] = bad {
            let one_too_few = format!("reject:{}", bad.len() - 1);
            check_bad(
                name,
                &THREADS.map(|threads| run(threads, &one_too_few)),
                last,
            );
        }
    }
}

/// Runs each case with `fail` and with `reject:1000000`, which makes no difference.
pub fn check_faults(place: &Place, job: &Job, input: &str, cases: &[Fault<'_>]) {
    for (number, (name, object, want)) in cases.iter().enumerate() {
        place.put(input, object);
        for threads in THREADS {
            for on_bad_record in ["fail", "reject:1000000"] {
                let run_id = format!("{number}-{threads}-{}", on_bad_record.replace(':', "-"));
                let job = job.clone().named(&run_id).with("THREADS", threads);
                let ended = job.with("ON_BAD_RECORD", on_bad_record).run();
                assert_eq!(ended.code, 65, "{name}: {}", ended.summary());
                assert_text(&ended.why(), want, name);
                assert_eq!(ended.uri(), place.uri(input), "{name}");
                assert_eq!(ended.failure()["phase"], "reading", "{name}");
            }
        }
    }
}

fn check_rejecting(name: &str, ended: &Ended, object: &[u8], rows: &str, bad: &[&str]) {
    assert_eq!(ended.code, 0, "{name}: {}", ended.summary());
    let rollup = ended.rollup();
    let (_, got) = rollup.split_once('\n').unwrap();
    assert_eq!(got, rows, "{name}");
    let rejected = ended.rejected();
    assert_eq!(rejected.len(), bad.len(), "{name}: {rejected:?}");
    for (line, want) in rejected.iter().zip(bad) {
        assert_text(&reason(line), want, name);
        let start = usize::try_from(line["offset_bytes"].as_u64().unwrap()).unwrap();
        if let Some(raw) = line["raw"].as_str() {
            assert!(
                object[start..].starts_with(raw.as_bytes()),
                "{name}: {line}"
            );
            assert_eq!(line["total_bytes"], raw.len(), "{name}: {line}");
        } else {
            assert!(line["raw_base64"].is_string(), "{name}: {line}");
        }
    }
    let first = ended.told("rejected");
    assert_eq!(first.len(), bad.len().min(1), "{name}: one event for all");
}

fn check_bad(name: &str, ended: &[Ended], want: &str) {
    for ended in ended {
        assert_eq!(ended.code, 65, "{name}: {}", ended.summary());
        assert_text(&ended.why(), want, name);
        let failure = ended.failure();
        assert_eq!(failure["phase"], "reading", "{name}");
        // All before it went somewhere, and it was read.
        let count = |place: &str| failure["records"][place].as_u64().unwrap();
        let settled = count("used") + count("filtered") + count("rejected");
        assert_eq!(count("read"), settled + 1, "{name}: {failure}");
    }
    let [one, five] = ended else { return };
    let counts = |ended: &Ended| ended.failure()["records"].clone();
    assert_eq!(counts(one), counts(five), "{name}: counted so far");
}

/// Why a record was rejected, as tables write it.
pub fn reason(line: &Value) -> String {
    format!("{}{}", place(line), line["reason"].as_str().unwrap())
}
