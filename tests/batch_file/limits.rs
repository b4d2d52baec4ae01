//! Memory and sizes: rows 54, 55, 58 and 127 of the fault catalogue.

use std::fs::File;

use crate::common::job::Job;
use crate::common::place::Place;
use crate::common::skipped;
use crate::common::surroundings::Group;

const MIB: u64 = 1 << 20;

/// State is refused before the kernel acts, in a group where it would kill; what fits works.
#[test]
fn f054_f127_state_past_the_share_of_a_small_memory() {
    let place = Place::new("f054");
    let Some(group) = Group::new("windrow-f054", 32 * MIB) else {
        return skipped("f054", "no memory cgroup can be made here");
    };
    let numbers = |query: &str| Job::range(&place, "0..400000", query);
    let fits = numbers("SELECT i % 20000 AS k, count(*) AS n FROM input GROUP BY k").named("fits");
    let ended = fits.run_as(group.command(&fits));
    assert_eq!(ended.rollup().lines().count(), 20_001);

    let long = (0..25_000).map(|number| format!("{number:01000}\n"));
    place.put("long.csv", format!("t\n{}", long.collect::<String>()));
    let texts = |query: &str| Job::csv(&place, "long.csv", "t VARCHAR", query);
    for (name, job, holder) in [
        (
            "many-keys",
            numbers(
                "SELECT i AS a, i + 1 AS b, i + 2 AS c, i + 3 AS d, count(*) AS n
                 FROM input GROUP BY a, b, c, d",
            ),
            "the keys of the groups",
        ),
        (
            "long-keys",
            texts("SELECT t, count(*) AS n FROM input GROUP BY t"),
            "the keys of the groups",
        ),
        (
            "long-values",
            texts("SELECT CAST(t AS BIGINT) AS k, max(t) AS m FROM input GROUP BY k"),
            "the states of the aggregates",
        ),
    ] {
        let job = job.named(name);
        let ended = job.run_as(group.command(&job));
        assert_eq!(ended.code, 65, "{name}: {}", ended.summary());
        let limit = 32 * MIB / 100 * 60;
        let expected = format!("state of at most {limit} bytes (60 % of the memory limit)");
        let why = ended.why();
        assert!(
            why.starts_with(&format!("expected {expected}, found ")),
            "{why}"
        );
        assert!(
            why.contains(&format!("bytes, to grow {holder} (")),
            "{name}: {why}"
        );
        assert!(why.ends_with(" entries)"), "{name}: {why}");
        // That it ended by itself says what it held: past the group's limit the kernel would have killed it. Its own peak
        // counts pages of the program too, which a debug build has many of.
        assert!(!ended.failure().is_null(), "{name}");
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

/// What is kept of bad records is many times their size where they are tiny, so that a chunk of them is a lot.
#[test]
fn f058_f127_tiny_bad_records_do_not_pile_up() {
    let place = Place::new("f058-rejected");
    place.put("in.ndjson", "1\n".repeat(150_000) + "{\"a\":1}\n");
    let job = Job::ndjson(
        &place,
        "in.ndjson",
        "a BIGINT",
        "SELECT sum(a) AS s FROM input",
    )
    .with("ON_BAD_RECORD", "reject:150000");
    let ended = job.run();
    assert_eq!(ended.rollup(), "s\n1\n");
    let peak = ended.summary()["peak_memory_bytes"].as_u64().unwrap();
    assert!(peak < 32 * MIB, "{peak}");
}

/// What a record becomes may be many times its size: the first batch was once of 128 records, however long their rows.
#[test]
fn f058_f127_long_rows_do_not_pile_up() {
    let place = Place::new("f058-rows");
    place.put(
        "in.csv",
        "a\n".to_owned() + &("x".repeat(4_000) + "\n").repeat(130),
    );
    let items = (0..100)
        .map(|item| format!("a AS a{item}"))
        .collect::<Vec<_>>();
    let query = format!("SELECT {} FROM input", items.join(", "));
    let ended = Job::csv(&place, "in.csv", "a VARCHAR", &query).run();
    assert_eq!(ended.rollup().lines().count(), 131);
    let peak = ended.summary()["peak_memory_bytes"].as_u64().unwrap();
    assert!(peak < 40 * MIB, "{peak}");
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

#[test]
fn f055_the_longest_document_and_one_byte_more() {
    let place = Place::new("f055-json");
    let document = |bytes: usize| format!("{{\"b\":7{}}}", " ".repeat(bytes - "{\"b\":7}".len()));
    let run = |bytes: usize, run_id: &str| {
        place.put("in.json", document(bytes));
        let job = Job::ndjson(&place, "in.json", "b BIGINT", "SELECT b FROM input");
        let job = job.with("INPUT_FORMAT", "json").named(run_id);
        job.with("ON_BAD_RECORD", "reject:1").run()
    };
    assert_eq!(run(16 << 20, "at-the-limit").rollup(), "b\n7\n");
    let ended = run((16 << 20) + 1, "past-it");
    ended.failed(65, "reading");
    let want = "byte 0: expected a record of at most 16777216 bytes, found a longer one";
    assert_eq!(ended.why(), want);
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

/// The kernel gives no more address space: an error in order, and no abort. What fails is the growth of the state, which
/// asks for the most by far.
#[test]
fn f059_no_memory_to_be_had_for_groups() {
    let place = Place::new("f059");
    let query = "SELECT i, i + 1 AS a, i + 2 AS b, count(*) AS n FROM input GROUP BY ALL";
    let job = Job::range(&place, "0..3000000", query).with("THREADS", "1");
    let ended = job.run_as(job.in_shell("ulimit -v 300000 && exec \"$@\""));
    ended.failed(65, "reading");
    let why = ended.why();
    assert!(
        why.starts_with("expected the system to have the memory for it, found "),
        "{why}"
    );
    assert!(why.contains("to grow the keys of the groups ("), "{why}");
}

/// One record read into many columns of the output took many times its size: 250 times 8 MB was an abort (134) under a
/// limit of the process. A row has a limit now, and short rows followed by long ones go in smaller batches.
#[test]
fn f059_rows_that_are_many_times_their_record() {
    let place = Place::new("f059-rows");
    let long = "x".repeat(8 << 20);
    let short = (0..3_000).map(|number| format!("{number}\n"));
    place.put(
        "long.csv",
        format!("t\n{}{long}\n", short.collect::<String>()),
    );
    let columns = |count: usize| {
        let columns: Vec<String> = (0..count).map(|number| format!("t AS c{number}")).collect();
        format!("SELECT {} FROM input", columns.join(", "))
    };
    for (name, count, code) in [("fits", 8, 0), ("too-long", 9, 65)] {
        let job = Job::csv(&place, "long.csv", "t VARCHAR", &columns(count)).named(name);
        let ended = job.run();
        assert_eq!(ended.code, code, "{name}: {}", ended.summary());
        match code {
            0 => assert_eq!(ended.rollup().lines().count(), 3_002),
            _ => {
                let why = ended.why();
                let want = "expected at most 67108864 bytes of text in a row of the output, found 75497472";
                assert!(why.ends_with(want), "{why}");
                assert_eq!(ended.summary()["record"], 3_001);
            }
        }
    }
}
