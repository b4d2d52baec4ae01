//! CSV: rows 60 to 68 of the fault catalogue.

use crate::common::CHUNK_BYTES;
use crate::common::ended::assert_text;
use crate::common::job::Job;
use crate::common::place::Place;
use crate::common::records::{Case, Fault, check_faults, check_records, reason};

const COLUMNS: &str = "a VARCHAR, b BIGINT";
const QUERY: &str = "SELECT a, b FROM input";

fn records(test: &str, cases: &[Case<'_>]) {
    let place = Place::new(test);
    let job = Job::csv(&place, "in.csv", COLUMNS, QUERY);
    check_records(&place, &job, "in.csv", cases);
}

fn faults(test: &str, cases: &[Fault<'_>]) {
    let place = Place::new(test);
    let job = Job::csv(&place, "in.csv", COLUMNS, QUERY);
    check_faults(&place, &job, "in.csv", cases);
}

#[test]
fn f060_ends_of_files_and_lines() {
    records(
        "f060",
        &[
            ("empty file", b"", "", &[]),
            ("header only", b"a,b\n", "", &[]),
            ("header only, no line end", b"a,b", "", &[]),
            ("no final newline", b"a,b\nx,1\ny,2", "x,1\ny,2\n", &[]),
            ("CRLF", b"a,b\r\nx,1\r\ny,2\r\n", "x,1\ny,2\n", &[]),
            (
                "lone CR",
                b"a,b\nx\ry,1\nz,2\n",
                "z,2\n",
                &["record 1, byte 4: expected a line feed after the carriage return, found …"],
            ),
            ("blank lines", b"a,b\n\nx,1\n\r\n\ny,2\n", "x,1\ny,2\n", &[]),
        ],
    );
}

#[test]
fn f060_header_absent() {
    let place = Place::new("f060-absent");
    let columns = "a VARCHAR FROM 1, b BIGINT FROM 2";
    let job = Job::csv(&place, "in.csv", columns, QUERY).with("CSV_HEADER", "absent");
    let cases: &[Case<'_>] = &[
        ("as said", b"x,1\ny,2\n", "x,1\ny,2\n", &[]),
        ("empty", b"", "", &[]),
        (
            "a header all the same",
            b"a,b\nx,1\n",
            "x,1\n",
            &["record 1, byte 0, column b: expected BIGINT (not a number), found \"b\""],
        ),
    ];
    check_records(&place, &job, "in.csv", cases);
    check_faults(
        &place,
        &job,
        "in.csv",
        &[(
            "one field too few for the columns",
            b"x\ny\n",
            "byte 0: expected a field at position 2, found 1 fields",
        )],
    );
}

#[test]
fn f061_byte_order_marks() {
    records(
        "f061",
        &[("UTF-8", b"\xef\xbb\xbfa,b\nx,1\n", "x,1\n", &[])],
    );
    faults(
        "f061-utf16",
        &[
            (
                "little endian",
                b"\xff\xfea\0,\0b\0\n\0",
                "byte 0: expected UTF-8, found the byte-order mark of UTF-16",
            ),
            (
                "big endian",
                b"\xfe\xff\0a\0,\0b\0\n",
                "byte 0: expected UTF-8, found the byte-order mark of UTF-16",
            ),
        ],
    );
}

#[test]
fn f062_fields_and_headers() {
    records(
        "f062",
        &[
            (
                "too few and too many",
                b"a,b\nx\ny,1,2\nz,3\n",
                "z,3\n",
                &[
                    "record 1, byte 4: expected 2 fields, found 1",
                    "record 2, byte 6: expected 2 fields, found 3",
                ],
            ),
            ("a field without a name", b"a,,b\nx,9,1\n", "x,1\n", &[]),
            (
                "a name twice that is not read",
                b"c,a,c,b\n8,x,9,1\n",
                "x,1\n",
                &[],
            ),
        ],
    );
    faults(
        "f062-header",
        &[
            (
                "a name twice that is read",
                b"a,b,a\nx,1,y\n",
                "byte 0: expected one field named \"a\" in the header, found two",
            ),
            (
                "a name that is missing",
                b"a,c\nx,1\n",
                "byte 0: expected one field named \"b\" in the header, found none",
            ),
            (
                "names differ by case",
                b"a,B\nx,1\n",
                "byte 0: expected one field named \"b\" in the header, found none",
            ),
        ],
    );
}

#[test]
fn f063_quotes_that_are_wrong() {
    records(
        "f063",
        &[
            (
                "a quote in an unquoted field",
                b"a,b\nx\"y,1\nz,2\n",
                "z,2\n",
                &["record 1, byte 4: expected a field that holds a quote to be quoted itself, …"],
            ),
            (
                "text after a closing quote",
                b"a,b\n\"x\"y,1\nz,2\n",
                "z,2\n",
                &[
                    "record 1, byte 4: expected a delimiter or a line end after the closing quote, …",
                ],
            ),
            (
                "a blank before a quote",
                b"a,b\n \"x\",1\nz,2\n",
                "z,2\n",
                &["record 1, byte 4: expected a field that holds a quote to be quoted itself, …"],
            ),
        ],
    );
}

#[test]
fn f064_quotes() {
    records(
        "f064",
        &[
            (
                "newline, delimiter and quotes inside quotes",
                b"a,b\n\"x\ny\",1\n\"p,q\",2\n\"say \"\"hi\"\"\",3\n\"\"\"\",4\n",
                "\"x\ny\",1\n\"p,q\",2\n\"say \"\"hi\"\"\",3\n\"\"\"\",4\n",
                &[],
            ),
            (
                "a quoted number, a quoted empty field",
                b"a,b\n\"\",\"7\"\n",
                ",7\n",
                &[],
            ),
            (
                "CRLF inside quotes",
                b"a,b\r\n\"x\r\ny\",1\r\n",
                "\"x\r\ny\",1\n",
                &[],
            ),
        ],
    );
}

/// A record with everything that quotes can hold starts at each byte before the end of a chunk, and so does a bad one.
#[test]
fn f064_f069_quotes_across_the_end_of_a_chunk() {
    let place = Place::new("f064-chunk");
    let query = "SELECT a, b FROM input WHERE b > 0";
    let job = Job::csv(&place, "in.csv", COLUMNS, query).with("ON_BAD_RECORD", "reject:1");
    for shift in 0..18 {
        let filler = "x".repeat(CHUNK_BYTES - "a,b\n,0\n".len() - shift);
        let good = "\"p\n,\"\"\",1\n";
        place.put("in.csv", format!("a,b\n{filler},0\n{good}q,z\n\"\",2\n"));
        let ended = job.clone().named(&shift.to_string()).run();
        assert_eq!(ended.rollup(), format!("a,b\n{good},2\n"), "{shift}");
        let offset = CHUNK_BYTES - shift + good.len();
        let bad = format!("record 3, byte {offset}, column b: expected BIGINT …");
        assert_text(&reason(&ended.rejected()[0]), &bad, &shift.to_string());
    }
}

#[test]
fn f065_utf8_in_columns_that_are_used() {
    records(
        "f065",
        &[(
            "used",
            b"a,b\nx,1\n\xff,2\n\xc3\xa4,3\n",
            "x,1\n\u{e4},3\n",
            &["record 2, byte 8, column a: expected UTF-8, found other bytes"],
        )],
    );
    let place = Place::new("f065-unused");
    place.put("in.csv", b"a,b\n\xff,1\n\xc0\x80,2\n");
    let job = Job::csv(&place, "in.csv", COLUMNS, "SELECT sum(b) AS s FROM input");
    assert_eq!(job.run().rollup(), "s\n3\n", "not looked at");
    let job = Job::csv(
        &place,
        "in.csv",
        "a VARCHAR NOT NULL, b BIGINT",
        "SELECT sum(b) AS s FROM input",
    );
    let ended = job.named("not-null").run();
    ended.failed(65, "reading");
    assert_eq!(
        ended.why(),
        "record 1, byte 4, column a: expected UTF-8, found other bytes"
    );
}

#[test]
fn f066_nul_bytes() {
    records(
        "f066",
        &[(
            "NUL bytes",
            b"a,b\n\0,1\nx\0y,2\n\"\0\",3\nz,\x004\n",
            "\0,1\nx\0y,2\n\0,3\n",
            &["record 4, byte 20, column b: expected BIGINT (not a number), found …"],
        )],
    );
}

#[test]
fn f067_headers_of_one_set() {
    let place = Place::new("f067");
    place.put("in/1.csv", "a,b\nx,1\n");
    place.put("in/2.csv", "c,b,a\n9,2,y\n");
    let job = Job::csv(&place, "in/", COLUMNS, QUERY);
    assert_eq!(job.run().rollup(), "a,b\nx,1\ny,2\n");
    place.put("in/3.csv", "a\nz\n");
    for threads in ["1", "5"] {
        let ended = job.clone().named(threads).with("THREADS", threads).run();
        ended.failed(65, "reading");
        assert_eq!(ended.uri(), place.uri("in/3.csv"));
        assert_eq!(
            ended.why(),
            "byte 0: expected one field named \"b\" in the header, found none"
        );
        assert_eq!(
            ended.failure()["records"]["read"],
            2,
            "those before it count"
        );
    }
}

#[test]
fn f068_many_columns() {
    let place = Place::new("f068");
    let used = |count: usize| {
        let names: Vec<String> = (0..count).map(|n| format!("c{n}")).collect();
        let columns = names.iter().map(|name| format!("{name} BIGINT"));
        let columns = columns.collect::<Vec<_>>().join(", ");
        let sum = names.iter().map(|name| format!("coalesce({name}, 0)"));
        let sum = sum.collect::<Vec<_>>().join(" + ");
        place.put(
            "used.csv",
            format!("{}\n{}\n", names.join(","), "1,".repeat(count - 1) + "1"),
        );
        Job::csv(
            &place,
            "used.csv",
            &columns,
            &format!("SELECT sum({sum}) AS s FROM input"),
        )
    };
    assert_eq!(used(256).named("256").run().rollup(), "s\n256\n");
    let ended = used(257).named("257").run();
    ended.refused(78);
    assert!(ended.advice().contains("256"), "{}", ended.advice());

    let names: Vec<String> = (0..100_000).map(|n| format!("u{n}")).collect();
    let unused = format!("a,{},b\nx,{}1\n", names.join(","), ",".repeat(100_000));
    place.put("unused.csv", unused);
    let job = Job::csv(&place, "unused.csv", COLUMNS, QUERY).named("unused");
    assert_eq!(job.run().rollup(), "a,b\nx,1\n");
}
