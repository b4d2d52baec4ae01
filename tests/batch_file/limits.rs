//! Memory and sizes: rows 54, 55, 58 and 127 of the fault catalogue.

use std::fs::File;

use crate::common::job::Job;
use crate::common::place::Place;
use crate::common::skipped;
use crate::common::surroundings::Group;

const MIB: u64 = 1 << 20;

/// State is refused before the kernel acts, in a group that would be killed; what fits works.
#[test]
fn f054_f127_state_past_the_share_of_a_small_memory() {
    let place = Place::new("f054");
    let Some(group) = Group::new("windrow-f054", 64 * MIB) else {
        return skipped("f054", "no memory cgroup can be made here");
    };
    let text = "x".repeat(1_000);
    for (name, query, holder) in [
        (
            "few-groups",
            "SELECT i % 50000 AS k, count(*) AS n FROM input GROUP BY k".to_owned(),
            None,
        ),
        (
            "groups",
            "SELECT i AS k, count(*) AS n FROM input GROUP BY k".to_owned(),
            Some("group"),
        ),
        (
            "distinct",
            "SELECT DISTINCT i FROM input".to_owned(),
            Some("group"),
        ),
        (
            "long-keys",
            format!(
                "SELECT '{text}' || CAST(i AS VARCHAR) AS k, count(*) AS n FROM input GROUP BY k"
            ),
            Some("group"),
        ),
        (
            "long-values",
            format!(
                "SELECT i % 60000 AS k, max('{text}' || CAST(i AS VARCHAR)) AS m FROM input GROUP BY k"
            ),
            Some("aggregate"),
        ),
        (
            "top-n",
            format!(
                "SELECT i, '{text}' || CAST(i AS VARCHAR) AS t FROM input ORDER BY i DESC LIMIT 1000000"
            ),
            Some("row"),
        ),
    ] {
        for threads in ["1", "3"] {
            let run_id = format!("{name}-{threads}");
            let job = Job::range(&place, "0..400000", &query)
                .named(&run_id)
                .with("THREADS", threads);
            let ended = job.run_as(group.command(&job));
            let Some(holder) = holder else {
                assert_eq!(ended.rollup().lines().count(), 50_001, "{name}");
                continue;
            };
            if ended.code == 78 {
                // What is not built yet is refused by name, and this case waits for it.
                assert!(
                    ended.why().contains("not built"),
                    "{name}: {}",
                    ended.summary()
                );
                continue;
            }
            assert_eq!(ended.code, 65, "{name}: {}", ended.summary());
            let limit = 64 * MIB / 100 * 60;
            let why = ended.why();
            assert!(
                why.contains(&format!(
                    "state of at most {limit} bytes (60 % of the memory limit)"
                )),
                "{why}"
            );
            assert!(
                why.contains(holder) && why.contains(" entries)"),
                "{name}: {why}"
            );
            assert!(!ended.failure().is_null(), "{name}");
            let peak = ended.summary()["peak_memory_bytes"].as_u64().unwrap();
            assert!(peak < 64 * MIB, "{name}: {peak}");
        }
    }
}

/// Row 58 with what a test has time for: the memory does not grow with the input.
#[test]
fn f058_a_container_of_64_mib() {
    let place = Place::new("f058");
    let Some(group) = Group::new("windrow-f058", 64 * MIB) else {
        return skipped("f058", "no memory cgroup can be made here");
    };
    let line = format!("{{\"a\":1,\"t\":\"{}\"}}\n", "x".repeat(1_000));
    place.put("in.ndjson", line.repeat(60_000));
    let query = "SELECT sum(a) AS s, max(t) AS t FROM input";
    let job = Job::ndjson(&place, "in.ndjson", "a BIGINT, t VARCHAR", query).with("THREADS", "8");
    let ended = job.run_as(group.command(&job));
    assert!(ended.rollup().starts_with("s,t\n60000,"));
    std::fs::remove_file(place.path("in.ndjson")).unwrap();
}

#[test]
fn f055_the_longest_record_and_one_byte_more() {
    let place = Place::new("f055");
    let record =
        |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - "{\"a\":\"\"}".len()));
    let ndjson = |bytes: usize, run_id: &str| {
        place.put(
            "in.ndjson",
            format!("{{\"b\":1}}\n{}\n{{\"b\":2}}\n", record(bytes)),
        );
        let columns = "a VARCHAR, b BIGINT";
        Job::ndjson(
            &place,
            "in.ndjson",
            columns,
            "SELECT sum(b) AS s, count(a) AS n FROM input",
        )
        .named(run_id)
    };
    assert_eq!(
        ndjson(16 << 20, "at-the-limit").run().rollup(),
        "s,n\n3,1\n"
    );
    let longer = ndjson((16 << 20) + 1, "past-it");
    let ended = longer.run();
    ended.failed(65, "reading");
    let why = "record 2, byte 8: expected a record of at most 16777216 bytes, found a longer one";
    assert_eq!(ended.why(), why);
    let ended = longer
        .named("rejected")
        .with("ON_BAD_RECORD", "reject:1")
        .run();
    assert_eq!(ended.rollup(), "s,n\n3,0\n", "reading goes on behind it");
    let line = &ended.rejected()[0];
    assert_eq!(line["total_bytes"], (16 << 20) + 1);
    assert_eq!(line["raw"].as_str().unwrap().len(), 64 << 10);

    let csv = |bytes: usize, run_id: &str| {
        place.put("in.csv", format!("a,b\nx,1\n{},2\n", "y".repeat(bytes - 2)));
        Job::csv(
            &place,
            "in.csv",
            "a VARCHAR, b BIGINT",
            "SELECT sum(b) AS s, count(a) AS n FROM input",
        )
        .named(run_id)
        .with("ON_BAD_RECORD", "reject:1")
    };
    assert_eq!(
        csv(16 << 20, "csv-at-the-limit").run().rollup(),
        "s,n\n3,2\n"
    );
    let ended = csv((16 << 20) + 1, "csv-past-it").run();
    ended.failed(65, "reading");
    assert_eq!(
        ended.why(),
        "byte 8: expected a record of at most 16777216 bytes, found a longer one"
    );
}

/// 256 MiB without a line end, in a file that takes no room on the disk.
#[test]
fn f055_an_endless_record_takes_no_memory() {
    let place = Place::new("f055-endless");
    let path = place.put("in", "");
    File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_len(256 * MIB)
        .unwrap();
    let ndjson =
        Job::ndjson(&place, "in", "b BIGINT", "SELECT sum(b) AS s FROM input").named("ndjson");
    let ended = ndjson.with("ON_BAD_RECORD", "reject:1").run();
    assert_eq!(ended.rollup(), "s\n\n");
    assert_eq!(ended.rejected()[0]["total_bytes"], 256 * MIB);
    let peak = |ended: &crate::common::ended::Ended| {
        ended.summary()["peak_memory_bytes"].as_u64().unwrap()
    };
    assert!(peak(&ended) < 96 * MIB, "{}", peak(&ended));
    let ended = Job::csv(&place, "in", "b BIGINT", "SELECT sum(b) AS s FROM input")
        .named("csv")
        .run();
    ended.failed(65, "reading");
    assert!(peak(&ended) < 96 * MIB, "{}", peak(&ended));
}
