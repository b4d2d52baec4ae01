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
    let trailing = [one.as_slice(), b"garbage"].concat();
    let broken = {
        let mut bytes = one.clone();
        bytes[10..14].fill(0xff);
        bytes
    };
    let damage =
        "expected whole gzip members, found bytes that are no gzip, or a checksum or size …";
    check_faults(
        &place,
        &job(&place, "in.csv.gz"),
        "in.csv.gz",
        &[
            ("trailing garbage", &trailing, damage),
            ("wrong checksum", &wrong_crc, damage),
            ("wrong size", &wrong_size, damage),
            (
                "broken in the middle",
                &broken,
                "expected whole gzip members, found bytes that cannot be decompressed",
            ),
            (
                "cut off",
                &one[..one.len() - 9],
                "expected whole gzip members, found its end in the middle of a member",
            ),
            (
                "cut off in the trailer",
                &one[..one.len() - 1],
                "expected whole gzip members, found its end in the middle of a member",
            ),
            (
                "nothing but its first bytes",
                &one[..3],
                "expected whole gzip members, found its end in the middle of a member",
            ),
        ],
    );
}

/// Damage is told after everything before it, as any other fault of an object.
#[test]
fn f079_a_bad_record_before_the_damage_comes_first() {
    let place = Place::new("f079-order");
    let object = gzip(b"a,b\nx,1\ny,two\n");
    place.put("in.csv.gz", &object[..object.len() - 4]);
    let job = job(&place, "in.csv.gz");
    let ended = job.clone().run();
    ended.failed(65, "reading");
    assert!(
        ended.why().contains("whole gzip members"),
        "framed with the end of the object: {}",
        ended.why()
    );
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

/// 64 MiB of blank lines are 64 KiB of gzip. The members are the same one again and again.
#[test]
fn f057_a_bomb_takes_constant_memory() {
    let place = Place::new("f057");
    let member = gzip(&vec![b'\n'; 4 << 20]);
    assert!(member.len() < 32 << 10);
    let bomb = [gzip(b"a,b\nx,1\n"), member.repeat(16)].concat();
    place.put("bomb.csv.gz", bomb);
    let ended = job(&place, "bomb.csv.gz").run();
    assert_eq!(ended.rollup(), "s,n\n1,1\n");
    let peak = ended.summary()["peak_memory_bytes"].as_u64().unwrap();
    assert!(peak < 48 << 20, "{peak}");
}
