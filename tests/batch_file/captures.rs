//! Captures of a stream: rows 91, 93, 94, 125 and 126 of the fault catalogue, as far as a replay meets them.

use serde_json::Value;
use windrow::capture;
use windrow::message::Head;

use crate::common::ended::Ended;
use crate::common::job::Job;
use crate::common::place::{Place, gunzip, gzip};
use crate::common::records::check_faults;
use crate::common::{CHUNK_BYTES, Dice};

const COLUMNS: &str = "s VARCHAR, i BIGINT, t TIMESTAMP_MS NOT NULL, p DECIMAL(18,2), f BIGINT FROM @feed, r TIMESTAMP FROM @received_at";
const WINDOWS: &str = "SELECT time_bucket(INTERVAL '1 minute', t) AS w, s, count(*) AS n, sum(p) AS v, first(p) AS o, \
                       last(p) AS c, min(f) AS f FROM input WHERE s IS NOT NULL GROUP BY w, s";

/// 2026-01-31 22:59:00 UTC.
const START_MS: i64 = 1_769_900_340_000;

fn job(place: &Place, input: &str, query: &str) -> Job {
    Job::ndjson(place, input, COLUMNS, query).with("INPUT_FORMAT", "capture")
}

fn windows(job: Job, lateness: u32) -> Job {
    job.with("EVENT_TIME", "t")
        .with("LATENESS_SECONDS", lateness)
}

/// A message, and what is known of it.
type Message = (Head, Vec<u8>);

fn line((head, message): &Message) -> Vec<u8> {
    let mut line = Vec::new();
    capture::line(*head, message, &mut line);
    line
}

fn lines<'a>(messages: impl IntoIterator<Item = &'a Message>) -> Vec<u8> {
    messages.into_iter().flat_map(line).collect()
}

/// These texts as messages, a second apart.
fn numbered(texts: &[&[u8]]) -> Vec<Message> {
    let message = |(n, text): (u64, &&[u8])| {
        let head = Head {
            n,
            received_at_us: (START_MS + 1_000 * n as i64) * 1_000,
            feed: 0,
            connection: 0,
        };
        (head, text.to_vec())
    };
    (1..).zip(texts).map(message).collect()
}

/// A number that is a place.
fn small(number: u64) -> usize {
    usize::try_from(number).unwrap()
}

/// Two feeds with disorder, duplicates, jumps, reconnects, bad and filtered messages.
fn stream(count: u64) -> Vec<Message> {
    let mut dice = Dice(7);
    let (mut clock, mut connection, mut connections) = (START_MS, [0, 1], 1);
    let mut numbers = [0_u64; 3];
    let mut messages = Vec::new();
    for n in 1..=count {
        clock += dice.below(40) as i64;
        let feed = usize::from(dice.below(4) == 0);
        if dice.below(900) == 0 {
            connections += 1;
            connection[feed] = connections;
        }
        let key = small(dice.below(3));
        numbers[key] += [1, 1, 1, 1, 2, 0][small(dice.below(6))];
        let (symbol, number) = (["A", "B", "\u{e9}"][key], numbers[key]);
        let time = clock - dice.below(90_000) as i64;
        let price = dice.below(10_000);
        let text = match dice.below(50) {
            0 => r#"{"result":null,"id":7}"#.to_owned(),
            1 => format!("{{\"s\":\"{symbol}\",\n\"i\":{number},\r\n\"t\":{time},\"p\":{price}}}"),
            2 => format!(r#"{{"s":"{symbol}","i":{number},"t":{time},"p":"x"}}"#),
            3 => "\u{0}\u{1}\u{2}\u{3}".to_owned(),
            _ => format!(r#"{{"s":"{symbol}","i":{number},"t":{time},"p":"{price}.25"}}"#),
        };
        let head = Head {
            n,
            received_at_us: clock * 1_000 + 17,
            feed: u32::try_from(feed).unwrap(),
            connection: connection[feed],
        };
        let bytes = match dice.below(300) {
            0 => b"\xff{}".to_vec(),
            _ => text.into_bytes(),
        };
        messages.push((head, bytes));
    }
    messages
}

fn coverage(ended: &Ended) -> Vec<Value> {
    let text = String::from_utf8(gunzip(&ended.file("coverage.ndjson.gz").unwrap())).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn f125_messages_of_any_kind_are_records_like_any_other() {
    let place = Place::new("capture-records");
    let messages = numbered(&[
        br#"{"s":"a","i":1,"t":1769900340000}"#,
        b"{\n\"s\":\"two\\nlines\",\r\n\"i\":2,\"t\":1769900340000}",
        b"{\"s\":\"\x01\x02\x03\x04\x05\"}",
        b"",
        b"\xff",
        br#"{"s":"b","i":"x","t":0}"#,
        br#"{"s":"c","i":7}"#,
        br#"{"s":"d","i":8,"t":1}"#,
    ]);
    place.put("in/part-1", lines(&messages));
    let query = "SELECT s, i, f, r FROM input";
    let run = |threads: &str| {
        let job = job(&place, "in/", query).named(threads);
        job.with("THREADS", threads)
            .with("ON_BAD_RECORD", "reject:5")
            .run()
    };
    let want = "s,i,f,r\na,1,0,2026-01-31 22:59:01\n\"two\nlines\",2,0,2026-01-31 22:59:02\nd,8,0,2026-01-31 22:59:08\n";
    for threads in ["1", "5"] {
        let ended = run(threads);
        assert_eq!(ended.code, 0, "{}", ended.summary());
        assert_eq!(ended.text("rollup.csv"), want);
        let rejected = ended.rejected();
        let records: Vec<u64> = rejected
            .iter()
            .map(|line| line["record"].as_u64().unwrap())
            .collect();
        assert_eq!(records, [3, 4, 5, 6, 7]);
        // What is shown is the message as it was received; where it begins, its place in the capture.
        let all = lines(&messages);
        let at = |line: &Value| small(line["offset_bytes"].as_u64().unwrap());
        assert!(all[at(&rejected[3])..].starts_with(br#"{"s":"b","i":"x""#));
        assert_eq!(rejected[3]["raw"], r#"{"s":"b","i":"x","t":0}"#);
        assert_eq!(rejected[0]["raw"], "{\"s\":\"\u{1}\u{2}\u{3}\u{4}\u{5}\"}");
        assert_eq!(
            (&rejected[1]["raw"], &rejected[2]["raw_base64"]),
            (&"".into(), &"/w==".into())
        );
        assert_eq!(rejected[4]["column"], "t");
    }
}

#[test]
fn f125_records_of_messages_in_any_pieces() {
    let place = Place::new("capture-pieces");
    // More than one chunk, and messages of several records over them.
    let mut texts = Vec::new();
    let mut want = String::from("i,f\n");
    for n in 0..20_000_u64 {
        let end = if n % 50 == 0 { "\n" } else { "" };
        texts.push(
            format!(r#"{{"data":[{{"i":{n},"t":1}},{{"i":-{n},"t":1}}{end}]}}"#).into_bytes(),
        );
        want += &format!("{n},0\n{},0\n", -(n as i64));
    }
    let texts: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
    let messages = numbered(&texts);
    assert!(lines(&messages).len() > 3 * CHUNK_BYTES);
    for (part, messages) in messages.chunks(7_777).enumerate() {
        place.put(&format!("in/part-{part}.gz"), gzip(&lines(messages)));
    }
    // Another capture begins with another object.
    place.put("in/zz", lines(&messages[..1]));
    want += "0,0\n0,0\n";
    for threads in ["1", "5"] {
        let job = job(&place, "in/", "SELECT i, f FROM input").named(threads);
        let ended = job
            .with("RECORDS", "data[*]")
            .with("THREADS", threads)
            .run();
        assert_eq!(ended.code, 0, "{}", ended.summary());
        assert!(ended.text("rollup.csv") == want, "with {threads}");
        assert_eq!(ended.manifest()["records"]["read"], 40_002);
        assert_eq!(ended.manifest()["stream"], Value::Null);
    }
    // LIMIT in the middle of a message.
    let limited = job(&place, "in/", "SELECT i, f FROM input LIMIT 15001").named("limit");
    let ended = limited.with("RECORDS", "data[*]").run();
    let (first, last) = (ended.text("rollup.csv"), "7500,0\n");
    assert!(want.starts_with(&first) && first.ends_with(last), "{first}");
}

#[test]
fn f094_what_no_stream_wrote_is_a_fault_of_the_object() {
    let place = Place::new("capture-faults");
    let good = numbered(&[
        br#"{"i":1,"t":1}"#,
        br#"{"i":2,"t":1}"#,
        br#"{"i":3,"t":1}"#,
    ]);
    let length = line(&good[0]).len();
    let without_second = lines([&good[0], &good[2]]);
    let twice = lines([&good[0], &good[0]]);
    let late_start = lines(&good[1..]);
    let blank = [line(&good[0]), b"\n".to_vec()].concat();
    let other = [line(&good[0]), b"{\"i\":2}\n".to_vec()].concat();
    let text = |line: Vec<u8>| String::from_utf8(line).unwrap();
    let cut = text(lines(&good)).replace("}}\n", "}\n").into_bytes();
    let number = "a line that windrow captured: the number after that of the message before it, from 1 in each capture at byte 0 of the line";
    let at = |offset: usize, rest: &str| format!("byte {offset}: expected {rest}");
    let cases = [
        (
            "one is missing",
            &without_second,
            at(length, &format!("{number}, …")),
        ),
        (
            "one is there twice",
            &twice,
            at(length, &format!("{number}, …")),
        ),
        (
            "the first is missing",
            &late_start,
            at(0, &format!("{number}, …")),
        ),
        (
            "a blank line",
            &blank,
            at(
                length,
                "a line that windrow captured: the message's number at byte 0 of the line, …",
            ),
        ),
        (
            "another document",
            &other,
            at(
                length,
                "a line that windrow captured: the message's number at byte 0 of the line, …",
            ),
        ),
        (
            "cut off",
            &b"{\"n\":1,\"received".to_vec(),
            at(
                0,
                "a line that windrow captured: received_at at byte 6 of the line, …",
            ),
        ),
    ];
    let cases: Vec<(&str, &[u8], &str)> = cases
        .iter()
        .map(|(name, object, want)| (*name, object.as_slice(), want.as_str()))
        .collect();
    let plain = job(&place, "in.ndjson", "SELECT i FROM input");
    check_faults(&place, &plain, "in.ndjson", &cases);
    let windowed = windows(job(&place, "in.ndjson", WINDOWS), 5);
    for (number, (name, object, _)) in cases.iter().enumerate() {
        place.put("in.ndjson", object);
        let ended = windowed.clone().named(&format!("w{number}")).run();
        assert_eq!(ended.code, 65, "{name}: {}", ended.summary());
    }
    // A brace too few is the message's own, and one bad record.
    place.put("in.ndjson", &cut);
    let ended = plain.named("cut").with("ON_BAD_RECORD", "reject:3").run();
    assert_eq!(ended.manifest()["records"]["rejected"], 3);
}

#[test]
fn f125_a_replay_is_the_same_whatever_the_parts() {
    let place = Place::new("capture-replay");
    let messages = stream(12_000);
    let mut seen: Option<[Vec<u8>; 3]> = None;
    for (name, size, threads) in [
        ("one", 12_000, "1"),
        ("many", 997, "2"),
        ("tiny", 1_250, "5"),
    ] {
        for (part, messages) in messages.chunks(size).enumerate() {
            let part = format!("{name}/capture/part-{:06}.ndjson.gz", part + 1);
            place.put(&part, gzip(&lines(messages)));
        }
        let job = windows(job(&place, &format!("{name}/capture/"), WINDOWS), 20).named(name);
        let job = job
            .with("SEQUENCE", "i BY s PER RUN")
            .with("THREADS", threads);
        let ended = job.with("ON_BAD_RECORD", "reject:1000000").run();
        assert_eq!(ended.code, 0, "{}", ended.summary());
        let files = ["rollup.csv", "rejected.ndjson", "coverage.ndjson.gz"]
            .map(|file| ended.file(file).unwrap());
        assert_eq!(*seen.get_or_insert(files.clone()), files, "{name}");

        let (manifest, lines) = (ended.manifest(), coverage(&ended));
        let count = |kind: &str| lines.iter().filter(|line| line["kind"] == kind).count() as u64;
        let sum = |field: &str| -> u64 {
            let windows = lines.iter().filter(|line| line["kind"] == "window");
            windows.map(|line| line[field].as_u64().unwrap()).sum()
        };
        let (records, stream) = (&manifest["records"], &manifest["stream"]);
        assert_eq!(records["read"], 12_000);
        for field in ["used", "late"] {
            assert_eq!(records[field], sum(field), "{field}");
            assert!(sum(field) > 100, "{field}");
        }
        for field in ["filtered", "rejected", "duplicate"] {
            assert!(records[field].as_u64().unwrap() > 100, "{records}");
        }
        assert_eq!(stream["windows"]["closed"], count("window"));
        assert_eq!(stream["connections"], count("connection"));
        assert_eq!(stream["gaps"], count("gap"));
        let partial = lines.iter().filter(|line| line["partial"] == true).count() as u64;
        assert_eq!(stream["windows"]["partial"], partial);
        let rejected = ended.text("rejected.ndjson");
        let first: Value = serde_json::from_str(rejected.lines().next().unwrap()).unwrap();
        assert!(
            first["object"].as_str().unwrap().starts_with("feed "),
            "{first}"
        );
    }
}

#[test]
fn f085_windows_of_a_replay_are_the_groups_of_a_batch_where_nothing_is_late() {
    let place = Place::new("capture-same");
    place.put("in.ndjson", lines(&stream(9_000)));
    let run = |job: Job| job.with("ON_BAD_RECORD", "reject:1000000").run();
    let grouped = run(job(&place, "in.ndjson", WINDOWS).named("grouped"));
    let windowed = run(windows(job(&place, "in.ndjson", WINDOWS), 86_400).named("windowed"));
    assert_eq!(grouped.text("rollup.csv"), windowed.text("rollup.csv"));
    let of = |ended: &Ended| {
        let records = &ended.manifest()["records"];
        ["read", "used", "filtered", "rejected"].map(|field| records[field].clone())
    };
    assert_eq!(of(&grouped), of(&windowed));
}

#[test]
fn f094_faults_of_a_replay_are_those_of_the_first_message() {
    let place = Place::new("capture-fault");
    let trade = |number: u64, price: &str| {
        format!(r#"{{"s":"A","i":{number},"t":{START_MS},"p":"{price}"}}"#).into_bytes()
    };
    let again: Vec<Vec<u8>> = (1..=1_500)
        .chain(1..=1_001)
        .map(|number| trade(number, "1"))
        .collect();
    let bad: Vec<Vec<u8>> = [trade(1, "1"), trade(2, "x"), trade(3, "y")].to_vec();
    for (name, texts, code, record, column) in [
        ("restarted", again, 65, 2_501, None),
        ("bad", bad, 65, 2, Some("p")),
    ] {
        let texts: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
        place.put("in.ndjson", lines(&numbered(&texts)));
        let job = windows(job(&place, "in.ndjson", WINDOWS), 0).named(name);
        let ended = job.with("SEQUENCE", "i BY s PER RUN").run();
        assert_eq!(ended.code, code, "{name}: {}", ended.summary());
        let summary = ended.summary();
        assert_eq!(
            (&summary["uri"], &summary["record"]),
            (&"feed 0".into(), &record.into()),
            "{summary}"
        );
        assert_eq!(summary["column"].as_str(), column);
    }
}

#[test]
fn f091_f125_messages_of_16_mib_and_one_byte_more() {
    let place = Place::new("capture-long");
    const MOST: usize = 16 << 20;
    let frame = format!(r#"{{"s":"A","t":{START_MS},"x":""}}"#).len();
    let long = |bytes: usize| {
        let fill = "x".repeat(bytes - frame);
        format!(r#"{{"s":"A","t":{START_MS},"x":"{fill}"}}"#).into_bytes()
    };
    let plain = long(MOST);
    assert_eq!(plain.len(), MOST);
    let query =
        "SELECT time_bucket(INTERVAL '1 minute', t) AS w, count(*) AS n FROM input GROUP BY w";
    let input = |name: &str| job(&place, &format!("{name}.ndjson"), query).named(name);
    for (name, job, messages) in [
        ("records", input("records"), vec![plain.clone()]),
        (
            "windows",
            windows(input("windows"), 0),
            vec![plain, vec![0xff; MOST]],
        ),
    ] {
        let messages: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
        let bad = messages.len() - 1;
        place.put(&format!("{name}.ndjson"), lines(&numbered(&messages)));
        let ended = job.with("ON_BAD_RECORD", "reject:2").run();
        assert_eq!(ended.code, 0, "{}", ended.summary());
        assert!(ended.text("rollup.csv").ends_with(",1\n"), "{name}");
        let rejected = ended.rejected();
        let sizes: Vec<&Value> = rejected.iter().map(|line| &line["total_bytes"]).collect();
        assert_eq!(sizes, vec![MOST; bad], "{name}");
    }
    let longer = numbered(&[&long(MOST + 1)]);
    place.put("longer.ndjson", lines(&longer));
    let ended = input("longer").run();
    assert_eq!(ended.code, 65);
    assert!(
        ended.why().contains("a message of at most 16 MiB"),
        "{}",
        ended.why()
    );
}

/// A week of one-minute windows, every other with numbers that did not come: the manifest has totals, the lists are beside it.
#[test]
fn f126_a_week_of_windows_and_gaps() {
    const MINUTES: u64 = 7 * 24 * 60;
    let place = Place::new("f126-week");
    let messages = (0..MINUTES).map(|minute| {
        let id = minute + minute.div_ceil(2);
        let t = START_MS + 60_000 * minute as i64;
        let text = format!("{{\"s\":\"a\",\"i\":{id},\"t\":{t},\"p\":\"1\"}}");
        let head = Head {
            n: minute + 1,
            received_at_us: t * 1_000,
            feed: 0,
            connection: 0,
        };
        line(&(head, text.into_bytes()))
    });
    place.put("in", messages.flatten().collect::<Vec<u8>>());
    let job = windows(job(&place, "in", WINDOWS), 0).with("SEQUENCE", "i BY s PER RUN");
    let ended = job.run();
    assert_eq!(ended.code, 0, "{}", ended.why());
    let manifest = ended.manifest();
    let gaps = MINUTES / 2;
    assert_eq!(manifest["stream"]["windows"]["closed"], MINUTES);
    assert_eq!(manifest["stream"]["gaps"], gaps);
    assert_eq!(ended.rollup().lines().count() as u64, MINUTES + 1);
    let coverage = gunzip(&ended.file("coverage.ndjson.gz").unwrap());
    let kind = |name: &str| {
        let mark = format!("{{\"kind\":\"{name}\"");
        let text = String::from_utf8_lossy(&coverage);
        text.lines().filter(|line| line.starts_with(&mark)).count() as u64
    };
    assert_eq!((kind("window"), kind("gap")), (MINUTES, gaps));
    let bytes = ended.file("manifest.json").unwrap().len();
    assert!(bytes < 16 << 10, "{bytes} bytes, whatever the run saw");
}
