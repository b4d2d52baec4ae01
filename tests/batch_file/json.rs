//! NDJSON and `json` documents: rows 70 and 71 of the fault catalogue, and 78.

use crate::common::job::Job;
use crate::common::place::Place;
use crate::common::records::{Case, check_faults, check_records};

const COLUMNS: &str = "a VARCHAR, b BIGINT";
const QUERY: &str = "SELECT a, b FROM input";

fn records(test: &str, cases: &[Case<'_>]) {
    let place = Place::new(test);
    let job = Job::ndjson(&place, "in.ndjson", COLUMNS, QUERY);
    check_records(&place, &job, "in.ndjson", cases);
}

#[test]
fn f070_lines() {
    let deep = |levels: usize| {
        let (open, close) = ("[".repeat(levels - 1), "]".repeat(levels - 1));
        format!("{{\"b\":1,\"c\":{open}{close}}}\n")
    };
    records(
        "f070",
        &[
            ("empty", b"", "", &[]),
            (
                "empty lines",
                b"\n{\"b\":1}\n\n \t\r\n{\"b\":2}",
                ",1\n,2\n",
                &[],
            ),
            (
                "broken, cut off, two on a line",
                b"{\"b\":1}\n{\"b\" 2}\n{\"b\":\n{\"b\":3}{\"b\":4}\n{\"b\":5}\n{\"a\":\"x",
                ",1\n,5\n",
                &[
                    "record 2, byte 8: expected a colon after the key at byte 5 of the record, …",
                    "record 3, byte 16: expected a value at byte 5 of the record, …",
                    "record 4, byte 22: expected nothing after the value at byte 7 of the record, …",
                    "record 6, byte 45: expected a closing quote …",
                ],
            ),
            (
                "no object",
                b"1\n[]\nnull\n\"x\"\n{}\n",
                ",\n",
                &[
                    "record 1, byte 0: expected a JSON object, found another value",
                    "record 2, byte 2: expected a JSON object, …",
                    "record 3, byte 5: expected a JSON object, …",
                    "record 4, byte 10: expected a JSON object, …",
                ],
            ),
            ("nested 64 deep", deep(64).as_bytes(), ",1\n", &[]),
            (
                "nested 65 deep",
                deep(65).as_bytes(),
                "",
                &["record 1, byte 0: expected JSON nested at most 64 deep, …"],
            ),
        ],
    );
}

#[test]
fn f070_a_document_is_whole_or_nothing() {
    let place = Place::new("f070-json");
    let job = Job::ndjson(&place, "in.json", COLUMNS, QUERY)
        .with("INPUT_FORMAT", "json")
        .with("RECORDS", "data[*]");
    let cases: &[Case<'_>] = &[
        ("no document", b" \n", "", &[]),
        (
            "records",
            b"{\"data\":[{\"a\":\"x\",\"b\":1},\n{\"b\":2}]}",
            "x,1\n,2\n",
            &[],
        ),
        ("none", b"{\"date\":[{\"b\":1}]}\n", "", &[]),
        (
            "a bad value among them",
            b"{\"data\":[{\"b\":1},{\"b\":1.5},7,{\"b\":3}]}",
            ",1\n,3\n",
            &[
                "record 2, byte 17, column b: expected BIGINT (not a whole number), found \"1.5\"",
                "record 3, byte 27: expected a JSON object, found another value",
            ],
        ),
    ];
    check_records(&place, &job, "in.json", cases);
    check_faults(
        &place,
        &job,
        "in.json",
        &[
            (
                "broken behind a good record",
                b"{\"data\":[{\"b\":1},{\"b\":}]}",
                "byte 0: expected a value at byte 22 of the record, found \"}\"",
            ),
            (
                "two documents",
                b"{\"data\":[]}\n{\"data\":[]}\n",
                "byte 0: expected nothing after the value at byte 12 of the record, found …",
            ),
        ],
    );
}

#[test]
fn f071_keys_and_escapes() {
    records(
        "f071",
        &[
            (
                "a key twice among those used",
                b"{\"b\":1,\"b\":1}\n{\"\\u0062\":2}\n{\"b\":3,\"\\u0062\":4}\n{\"c\":1,\"c\":2,\"b\":5}\n",
                ",2\n,5\n",
                &[
                    "record 1, byte 0: expected the key \"b\" once, found it twice",
                    "record 3, byte 27: expected the key …",
                ],
            ),
            (
                "surrogates",
                b"{\"a\":\"\\ud83d\\ude00\"}\n{\"a\":\"\\ud83d\"}\n{\"a\":\"\\ude00\\ud83d\"}\n{\"c\":\"\\ud83d\",\"b\":1}\n",
                "\u{1f600},\n,1\n",
                &[
                    "record 2, byte 21, column a: expected escapes of surrogates in pairs, found half of one",
                    "record 3, byte 36, column a: expected escapes of surrogates in pairs, found half of one",
                ],
            ),
            (
                "overlong and other broken UTF-8, and escapes that are none",
                b"{\"a\":\"\xc0\x80\"}\n{\"a\":\"\\x41\"}\n{\"a\":\"\\u00\"}\n{\"a\":\"\\/\\b\"}\n",
                "/\u{8},\n",
                &[
                    "record 1, byte 0, column a: expected UTF-8, found other bytes",
                    "record 2, byte 11: expected an escape of JSON …",
                    "record 3, byte 24: expected an escape of JSON …",
                ],
            ),
            (
                "NULL in both ways, and the empty text",
                b"{\"a\":null}\n{}\n{\"a\":\"\"}\n",
                ",\n,\n\"\",\n",
                &[],
            ),
        ],
    );
}

#[test]
fn f078_a_column_that_no_record_has() {
    let place = Place::new("f078");
    place.put("in.ndjson", "{\"b\":1}\n{\"b\":null}\n{\"c\":\"x\"}\n");
    let job = Job::ndjson(
        &place,
        "in.ndjson",
        COLUMNS,
        "SELECT count(a) AS n, sum(b) AS s FROM input",
    );
    for threads in ["1", "5"] {
        let ended = job.clone().named(threads).with("THREADS", threads).run();
        assert_eq!(ended.rollup(), "n,s\n0,1\n");
        let warned = ended.told("warning");
        assert_eq!(warned.len(), 1, "{warned:?}");
        assert_eq!(
            (&warned[0]["column"], &warned[0]["level"]),
            (&"a".into(), &"warning".into())
        );
    }
    place.put("in.ndjson", "");
    assert_eq!(
        job.named("empty").run().told("warning").len(),
        0,
        "no record at all"
    );
}

/// Long rows end a part of a chunk; what only the rest of the chunk has was once said to be in no record.
#[test]
fn f078_a_column_that_only_the_rest_of_a_chunk_has() {
    let place = Place::new("f078-rest");
    let long = format!("{{\"a\":\"{}\"}}\n", "x".repeat(1_700));
    place.put("in.ndjson", long.repeat(260) + "{\"b\":1}\n");
    let query = "SELECT a, a AS c, a AS d, a AS e, a AS f, a AS g, a AS h, b FROM input";
    let ended = Job::ndjson(&place, "in.ndjson", "a VARCHAR, b BIGINT", query).run();
    assert!(ended.rollup().ends_with(",1\n"));
    assert!(ended.told("warning").is_empty());
}
