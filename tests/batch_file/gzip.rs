//! gzip: rows 57, 79 and 80 of the fault catalogue.

use crate::common::job::Job;
use crate::common::place::{Place, gzip};
use crate::common::records::check_faults;

fn job(place: &Place, input: &str) -> Job {
    Job::csv(
        place,
        input,
        "a VARCHAR, b BIGINT",
        "SELECT sum(b) AS s, count(*) AS n FROM input",
    )
}

#[test]
fn f079_members_and_damage() {
    let place = Place::new("f079");
    let one = gzip(b"a,b\nx,1\n");
    let two = [one.clone(), gzip(b"y,2\nz,"), gzip(b"3\n")].concat();
    place.put("two.csv.gz", two);
    let ended = job(&place, "two.csv.gz").run();
    assert_eq!(ended.rollup(), "s,n\n6,3\n");
    assert_eq!(ended.inputs()[0]["compression"], "gzip");

    let with = |at_end: usize, flip: u8| {
        let mut bytes = one.clone();
        let at = bytes.len() - at_end;
        bytes[at] ^= flip;
        bytes
    };
    let (wrong_crc, wrong_size) = (with(8, 1), with(4, 1));
    let trailing = [one.as_slice(), b"more than a member's first ten bytes"].concat();
    let short = [one.as_slice(), b"\n"].concat();
    let broken = {
        let mut bytes = one.clone();
        bytes[10..14].fill(0xff);
        bytes
    };
    let damage = "expected whole gzip members, found bytes that are no gzip, or damaged: …";
    let end = "expected whole gzip members, found their end in the middle of one";
    check_faults(
        &place,
        &job(&place, "in.csv.gz"),
        "in.csv.gz",
        &[
            ("trailing garbage", &trailing, damage),
            (
                "a line end behind the last member",
                &short,
                "expected whole gzip members, found …",
            ),
            ("wrong checksum", &wrong_crc, damage),
            ("wrong size", &wrong_size, damage),
            ("broken in the middle", &broken, damage),
            ("cut off", &one[..one.len() - 9], end),
            ("cut off in the trailer", &one[..one.len() - 1], end),
            ("nothing but its first bytes", &one[..3], end),
        ],
    );
}

/// Damage is told after everything before it, as any other fault of an object; before LIMIT's cut it is none at all.
#[test]
fn f079_f123_what_comes_before_the_damage_counts() {
    let place = Place::new("f079-order");
    let damaged = |content: &[u8]| {
        let object = gzip(content);
        place.put("in.csv.gz", &object[..object.len() - 4]);
    };
    let run = |name: &str, on_bad_record: &str, limit: &str| {
        let query = format!("SELECT a, b FROM input {limit}");
        let job = Job::csv(&place, "in.csv.gz", "a VARCHAR, b BIGINT", &query).named(name);
        job.with("ON_BAD_RECORD", on_bad_record).run()
    };
    let end = "expected whole gzip members, found their end in the middle of one";
    damaged(b"a,b\nx,1\ny,two\nz,3");
    let ended = run("bad", "fail", "");
    ended.failed(65, "reading");
    let bad = "record 2, byte 8, column b: expected BIGINT (not a number), found \"two\"";
    assert_eq!(ended.why(), bad);
    let ended = run("rejected", "reject:1", "");
    ended.failed(65, "reading");
    assert_eq!(ended.why(), end);
    let records = &ended.failure()["records"];
    let counts = ["read", "used", "rejected"].map(|name| records[name].as_u64().unwrap());
    assert_eq!(counts, [2, 1, 1], "the last one may be cut off");
    assert_eq!(run("limit-1", "fail", "LIMIT 1").rollup(), "a,b\nx,1\n");
    let ended = run("limit-3", "reject:1", "LIMIT 3");
    assert_eq!((ended.code, ended.why().as_str()), (65, end));
    damaged(b"a,c\nx,1\n");
    let ended = run("header", "fail", "");
    assert_eq!(
        ended.why(),
        "byte 0: expected one field named \"b\" in the header, found none"
    );
    damaged(b"a,b");
    assert_eq!(run("no-header", "fail", "").why(), end);
}

#[test]
fn f080_contents_decide() {
    let place = Place::new("f080");
    for (name, content, compression, want) in [
        ("empty.csv.gz", gzip(b""), "gzip", "s,n\n,0\n"),
        ("nothing.csv.gz", Vec::new(), "none", "s,n\n,0\n"),
        ("plain.csv.gz", b"a,b\nx,1\n".to_vec(), "none", "s,n\n1,1\n"),
        ("packed.csv", gzip(b"a,b\nx,1\n"), "gzip", "s,n\n1,1\n"),
    ] {
        let bytes = content.len();
        place.put(name, content);
        let ended = job(&place, name).named(name).run();
        assert_eq!(ended.rollup(), want, "{name}");
        let input = &ended.inputs()[0];
        assert_eq!(input["compression"], compression, "{name}");
        assert_eq!(input["bytes"], bytes, "{name}: as stored");
    }
}

/// 24 MiB that are 24 KiB of gzip.
#[test]
fn f057_a_bomb_takes_constant_memory() {
    let place = Place::new("f057");
    let line = format!("{},1\n", "x".repeat(8_189));
    let member = gzip(line.repeat(256).as_bytes());
    assert!(member.len() < 12 << 10, "{}", member.len());
    let bomb = [gzip(b"a,b\n"), member.repeat(12)].concat();
    place.put("bomb.csv.gz", bomb);
    let ended = job(&place, "bomb.csv.gz").run();
    assert_eq!(ended.rollup(), "s,n\n3072,3072\n");
    let peak = ended.summary()["peak_memory_bytes"].as_u64().unwrap();
    assert!(peak < 24 << 20, "{peak}");
}
