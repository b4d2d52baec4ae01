//! JSON, rows 70 to 74 and 78 of the fault catalogue.

use super::*;
use crate::value::column::{Path, Step};

fn key(key: &str) -> Step {
    Step::Key(key.into())
}

fn at_path(name: &str, ty: Type, steps: &[Step]) -> Column {
    column(name, Form::Plain(ty), Source::Path(Path(steps.to_vec())))
}

pub(super) fn field(name: &str, ty: Type) -> Column {
    at_path(name, ty, &[key(name)])
}

pub(super) const LINES: Format = Format::Ndjson { records: None };
pub(super) const DOCUMENT: Format = Format::Json { records: None };

fn records(path: &[Step]) -> Option<Path> {
    Some(Path(path.to_vec()))
}

/// Cases over NDJSON of which `a VARCHAR` and `b BIGINT` are read.
fn check_ab(cases: &[(&str, &[u8], &[&str])]) {
    let columns = [field("a", Type::Varchar), field("b", Type::BigInt)];
    for (name, object, want) in cases {
        check(name, &LINES, &columns, object, want);
    }
}

#[test]
fn f070_lines() {
    check_ab(&[
        ("empty", b"", &[]),
        ("one", b"{\"a\":\"x\",\"b\":1}\n", &["0:x|1"]),
        (
            "no final newline",
            b"{\"a\":\"x\"}\n{\"b\":2}",
            &["0:x|NULL", "10:NULL|2"],
        ),
        (
            "CRLF",
            b"{\"a\":\"x\"}\r\n{\"a\":\"y\"}\r\n",
            &["0:x|NULL", "11:y|NULL"],
        ),
        (
            "blank lines",
            b"\n{\"b\":1}\n\r\n \t\n{\"b\":2}\n\n",
            &["1:NULL|1", "14:NULL|2"],
        ),
        (
            "blanks everywhere",
            b" { \"a\" : \"x\" ,\t\"b\" : 1 } \n",
            &["0:x|1"],
        ),
        (
            "other keys and nesting",
            b"{\"c\":{\"a\":1,\"b\":[{}]},\"b\":2,\"d\":[],\"a\":\"x\"}\n",
            &["0:x|2"],
        ),
        ("null", b"{\"a\":null,\"b\":null}\n", &["0:NULL|NULL"]),
        (
            "an empty string is no NULL",
            b"{\"a\":\"\"}\n{\"b\":\"\"}\n",
            &["0:|NULL", "9!1:expected BIGINT (not a number), found \"\""],
        ),
        (
            "two values on a line",
            b"{\"b\":1}{\"b\":2}\n{\"b\":3}\n",
            &[
                "0!:expected nothing after the value at byte 7 of the record, found \"{\"",
                "15:NULL|3",
            ],
        ),
        (
            "cut off",
            b"{\"a\":\"x\"\n{\"b\":3}\n",
            &[
                "0!:expected a comma or a closing brace at byte 8 of the record, found the end of the document",
                "9:NULL|3",
            ],
        ),
        (
            "cut off in a string",
            b"{\"a\":\"x\n{\"b\":3}\n",
            &["0!:expected a closing quote…", "8:NULL|3"],
        ),
        (
            "cut off at the end of the object",
            b"{\"b\":3}\n{\"a\":",
            &[
                "0:NULL|3",
                "8!:expected a value at byte 5 of the record, found the end of the document",
            ],
        ),
        (
            "a trailing comma",
            b"{\"b\":3,}\n",
            &["0!:expected a key in quotes at byte 7 of the record, found \"}\""],
        ),
        (
            "no colon",
            b"{\"b\" 3}\n",
            &["0!:expected a colon after the key at byte 5…"],
        ),
        (
            "no comma in an array that is not read",
            b"{\"c\":[1 2],\"b\":3}\n",
            &["0!:expected a comma or a closing bracket at byte 8…"],
        ),
        (
            "a bare word",
            b"{\"c\":yes,\"b\":3}\n",
            &["0!:expected a value at byte 5…"],
        ),
        (
            "a bare word that begins well",
            b"{\"c\":trueish}\n{\"c\":nul}\n{\"c\":1x}\n",
            &[
                "0!:expected a comma…",
                "14!:expected a value…",
                "24!:expected a comma…",
            ],
        ),
        (
            "no object",
            b"1\n\"x\"\n[]\nnull\n{}\n",
            &[
                "0!:expected a JSON object, found another value",
                "2!:expected a JSON object…",
                "6!:expected a JSON object…",
                "9!:expected a JSON object…",
                "14:NULL|NULL",
            ],
        ),
        (
            "a control character in a string",
            b"{\"c\":\"\x01\"}\n",
            &["0!:expected control characters in a string to be escaped at byte 6…"],
        ),
        (
            "a bad escape",
            b"{\"c\":\"\\x\"}\n{\"c\":\"\\u12g4\"}\n{\"c\":\"\\u12",
            &[
                "0!:expected an escape of JSON…",
                "11!:expected an escape of JSON…",
                "26!:expected an escape of JSON…",
            ],
        ),
    ]);
}

#[test]
fn f070_nesting() {
    let before = "{\"b\":1,\"c\":";
    for (name, open, close) in [("arrays", "[", "]"), ("objects", "{\"a\":", "}")] {
        for (inner, want) in [
            (63, "0:1".into()),
            (
                64,
                format!(
                    "0!:expected JSON nested at most 64 deep, found one more at byte {} of the record",
                    before.len() + 63 * open.len()
                ),
            ),
        ] {
            let line = format!("{before}{}1{}}}\n", open.repeat(inner), close.repeat(inner));
            check(
                name,
                &LINES,
                &[field("b", Type::BigInt)],
                line.as_bytes(),
                &[&want],
            );
        }
    }
}

#[test]
fn f071_keys_and_escapes() {
    check_ab(&[
        (
            "a key twice",
            b"{\"a\":\"x\",\"a\":\"y\"}\n",
            &["0!:expected the key \"a\" once, found it twice"],
        ),
        (
            "twice, once escaped",
            b"{\"a\":\"x\",\"\\u0061\":\"y\"}\n",
            &["0!:expected the key…"],
        ),
        (
            "twice, not read",
            b"{\"c\":1,\"c\":2,\"b\":3}\n",
            &["0:NULL|3"],
        ),
        (
            "the same below another",
            b"{\"a\":\"x\",\"c\":{\"a\":1,\"a\":2}}\n",
            &["0:x|NULL"],
        ),
        ("an escaped key", b"{\"\\u0061\":\"x\"}\n", &["0:x|NULL"]),
        (
            "escapes",
            b"{\"a\":\"\\\"\\\\\\/\\n\\u00e4\"}\n",
            &["0:\"\\/\n\u{e4}|NULL"],
        ),
        (
            "a surrogate pair",
            b"{\"a\":\"\\ud83d\\ude00\"}\n",
            &["0:\u{1f600}|NULL"],
        ),
        (
            "a lone surrogate",
            b"{\"a\":\"\\ud83d\",\"b\":1}\n",
            &["0!0:expected escapes of surrogates in pairs, found half of one"],
        ),
        (
            "a lone surrogate that is not read",
            b"{\"c\":\"\\ud83d\",\"b\":1}\n",
            &["0:NULL|1"],
        ),
        (
            "a lone surrogate in a key",
            b"{\"\\ud83d\":1,\"b\":1}\n",
            &["0:NULL|1"],
        ),
        ("an escaped number", b"{\"b\":\"\\u0031\"}\n", &["0:NULL|1"]),
        (
            "overlong UTF-8",
            b"{\"a\":\"\xc0\x80\"}\n",
            &["0!0:expected UTF-8, found other bytes"],
        ),
        (
            "bad UTF-8 that is not read",
            b"{\"c\":\"\xff\",\"b\":1}\n",
            &["0:NULL|1"],
        ),
    ]);
    let deep = [at_path("x", Type::BigInt, &[key("d"), key("x")])];
    check(
        "a key twice on the way",
        &LINES,
        &deep,
        b"{\"d\":{\"x\":1},\"d\":{}}\n{\"d\":{\"x\":1,\"x\":1}}\n",
        &[
            "0!:expected the key \"d\" once…",
            "21!:expected the key \"x\" once…",
        ],
    );
}

#[test]
fn f072_f073_f074_numbers() {
    let columns = [
        field("i", Type::BigInt),
        field(
            "d",
            Type::Decimal {
                precision: 38,
                scale: 2,
            },
        ),
        field("f", Type::Double),
        field("s", Type::Varchar),
    ];
    let not_json = "expected a JSON number, found";
    let cases: [(&str, &str, &str); 22] = [
        (
            "-0",
            "{\"i\":-0,\"d\":-0.00,\"f\":-0,\"s\":-0}",
            "0:0|0|-0.0|-0",
        ),
        (
            "leading zero",
            "{\"i\":01}",
            &format!("0!0:{not_json} \"01\""),
        ),
        (
            "leading zero in a string",
            "{\"i\":\"01\"}",
            "0:1|NULL|NULL|NULL",
        ),
        (
            "leading zero that is not read",
            "{\"x\":01,\"i\":1}",
            "0:1|NULL|NULL|NULL",
        ),
        ("a plus", "{\"i\":+1}", "0!:expected a value…"),
        ("a plus in a string", "{\"i\":\"+1\"}", "0:1|NULL|NULL|NULL"),
        (
            "exponents",
            "{\"i\":1e2,\"d\":1.5E-1,\"f\":1e-2}",
            "0:100|15|0.01|NULL",
        ),
        (
            "1e400",
            "{\"f\":1e400}",
            "0!2:expected DOUBLE (out of range for DOUBLE), found \"1e400\"",
        ),
        ("1e400 as text", "{\"s\":1e400}", "0:NULL|NULL|NULL|1e400"),
        ("NaN", "{\"f\":NaN}", "0!:expected a value…"),
        (
            "NaN in a string",
            "{\"f\":\"NaN\"}",
            "0!2:expected DOUBLE (not a number), found \"NaN\"",
        ),
        (
            "Infinity",
            "{\"f\":-Infinity}",
            "0!:expected a comma or a closing brace…",
        ),
        (
            "past i64",
            "{\"i\":9223372036854775808}",
            "0!0:expected BIGINT (out of range for BIGINT), found \"9223372036854775808\"",
        ),
        (
            "the least i64",
            "{\"i\":-9223372036854775808}",
            "0:-9223372036854775808|NULL|NULL|NULL",
        ),
        (
            "past 2^53 in DOUBLE",
            "{\"f\":9007199254740993}",
            "0:NULL|NULL|9007199254740992.0|NULL",
        ),
        (
            "more digits than the scale",
            "{\"d\":1.005}",
            "0!1:expected DECIMAL(38,2) (more than 2 digits after the point), found \"1.005\"",
        ),
        (
            "trailing zeros",
            "{\"d\":\"1.5000\"}",
            "0:NULL|150|NULL|NULL",
        ),
        (
            "38 digits",
            "{\"d\":-999999999999999999999999999999999999.99}",
            "0:NULL|-99999999999999999999999999999999999999|NULL|NULL",
        ),
        (
            "39 digits",
            "{\"d\":1000000000000000000000000000000000000.00}",
            "0!1:expected DECIMAL(38,2) (out of range…",
        ),
        (
            "no digit behind the point",
            "{\"i\":1.}",
            &format!("0!0:{not_json} \"1.\""),
        ),
        (
            "a truth",
            "{\"i\":true}",
            "0!0:expected BIGINT (not a number), found \"true\"",
        ),
        (
            "an object",
            "{\"i\":{\"x\":1}}",
            "0!0:expected BIGINT (not a number), found \"{\\\"x\\\":1}\"",
        ),
    ];
    for (name, line, want) in cases {
        check(name, &LINES, &columns, line.as_bytes(), &[want]);
    }
}

#[test]
fn paths_and_texts() {
    let columns = [
        at_path(
            "p",
            Type::Decimal {
                precision: 10,
                scale: 2,
            },
            &[key("data"), key("p")],
        ),
        at_path(
            "x",
            Type::BigInt,
            &[key("odd name"), key("x"), Step::Index(1)],
        ),
        at_path("d", Type::Varchar, &[key("data")]),
        at_path("o", Type::Boolean, &[key("ok")]),
    ];
    check(
        "nested, indexed, as JSON text",
        &LINES,
        &columns,
        b"{\"data\":{\"p\":\"1.5\", \"q\":[1, 2]},\"odd name\":{\"x\":[7,8,9]},\"ok\":true}\n\
          {\"data\":[1],\"odd name\":{\"x\":[7]},\"ok\":\"FALSE\"}\n\
          {\"data\":true,\"odd name\":[],\"ok\":null}\n\
          {\"data\":-1.50,\"ok\":1}\n",
        &[
            "0:150|8|{\"p\":\"1.5\", \"q\":[1, 2]}|true",
            "68:NULL|NULL|[1]|false",
            "115:NULL|NULL|true|NULL",
            "153!3:expected BOOLEAN (not a BOOLEAN), found \"1\"",
        ],
    );
    let shared = [
        field("a", Type::Varchar),
        column(
            "b",
            Form::Epoch { unit_us: 1_000 },
            Source::Path(Path(vec![key("a")])),
        ),
    ];
    check(
        "two columns of one path",
        &LINES,
        &shared,
        b"{\"a\":5}\n{\"a\":\"6\"}\n",
        &["0:5|5000", "8:6|6000"],
    );
    let arrays = [
        at_path("first", Type::BigInt, &[Step::Index(0)]),
        at_path("third", Type::Varchar, &[Step::Index(2)]),
    ];
    check(
        "records that are arrays",
        &LINES,
        &arrays,
        b"[1,[],\"x\"]\n[2]\n{}\n",
        &[
            "0:1|x",
            "11:2|NULL",
            "15!:expected a JSON object, found another value",
        ],
    );
    check(
        "no column at all",
        &LINES,
        &[],
        b"{\"a\":1}\n[1]\n1\n{\"a\"}\n",
        &[
            "0:",
            "8:",
            "12!:expected a JSON object…",
            "14!:expected a colon…",
        ],
    );
}

/// Records that look alike take a shorter way through the decoder: nothing may tell.
#[test]
fn records_that_look_alike() {
    check_ab(&[
        ("alike", b"{\"a\":\"x\",\"b\":1}\n{\"a\":\"y\",\"b\":2}\n{\"a\":\"z\",\"b\":3}\n", &["0:x|1", "16:y|2", "32:z|3"]),
        ("two kinds", b"{\"a\":\"x\"}\n{\"b\":1}\n{\"a\":\"y\"}\n{\"b\":2}\n", &["0:x|NULL", "10:NULL|1", "18:y|NULL", "28:NULL|2"]),
        ("an escape in the second", b"{\"a\":\"x\",\"b\":1}\n{\"a\":\"\\ty\",\"b\":2}\n{\"a\":\"\\\"\",\"b\":3}\n", &["0:x|1", "16:\ty|2", "34:\"|3"]),
        ("a string where a number was", b"{\"b\":1}\n{\"b\":\"2\"}\n{\"b\":3}\n", &["0:NULL|1", "8:NULL|2", "18:NULL|3"]),
        ("a null where a number was", b"{\"b\":1}\n{\"b\":null}\n{\"b\":3}\n{\"b\":null}\n", &["0:NULL|1", "8:NULL|NULL", "19:NULL|3", "27:NULL|NULL"]),
        ("no value where one was", b"{\"b\":1}\n{\"b\":}\n{\"b\":-}\n", &["0:NULL|1", "8!:expected a value at byte 5…", "15!1:expected a JSON number, found \"-\""]),
        ("a word that goes on", b"{\"c\":true,\"b\":1}\n{\"c\":truex,\"b\":1}\n", &["0:NULL|1", "17!:expected a comma…"]),
        ("a truth of the other length", b"{\"c\":true,\"b\":1}\n{\"c\":false,\"b\":2}\n", &["0:NULL|1", "17:NULL|2"]),
        ("a control character", b"{\"a\":\"x\"}\n{\"a\":\"\t\"}\n", &["0:x|NULL", "10!:expected control characters…"]),
        ("something after it", b"{\"b\":1}\n{\"b\":1} x\n{\"b\":1}\n", &["0:NULL|1", "8!:expected nothing after the value…", "18:NULL|1"]),
        ("a nested value", b"{\"c\":{\"d\":[1,\"q\"]},\"b\":1}\n{\"c\":{\"d\":[2,\"r\"]},\"b\":2}\n{\"c\":{\"d\":[2]},\"b\":3}\n", &["0:NULL|1", "26:NULL|2", "52:NULL|3"]),
        ("an object that is read", b"{\"a\":{\"c\":1}}\n{\"a\":{\"c\":2}}\n", &["0:{\"c\":1}|NULL", "14:{\"c\":2}|NULL"]),
        ("a key twice after a good one", b"{\"a\":\"x\",\"c\":\"x\"}\n{\"a\":\"x\",\"a\":\"x\"}\n", &["0:x|NULL", "18!:expected the key…"]),
        ("CRLF after LF", b"{\"b\":1}\n{\"b\":2}\r\n{\"b\":3}\n{\"b\":4}", &["0:NULL|1", "8:NULL|2", "17:NULL|3", "25:NULL|4"]),
        ("a longer prefix than sixteen bytes", b"{\"a long long long key\":1,\"b\":1}\n{\"a long long long key\":2,\"b\":2}\n{\"a long long long kex\":2,\"b\":3}\n", &["0:NULL|1", "33:NULL|2", "66:NULL|3"]),
    ]);
}

#[test]
fn records_of_a_document() {
    let columns = [field("a", Type::BigInt)];
    let data = records(&[key("data"), Step::Each]);
    let lines = Format::Ndjson {
        records: data.clone(),
    };
    check(
        "lines",
        &lines,
        &columns,
        b"{\"data\":[{\"a\":1},{\"a\":\"x\"}, {\"a\":3} ]}\n{\"data\":[]}\n{\"ok\":true}\n{\"data\":null}\n{\"data\":{\"a\":1}}\n{\"data\":[{\"a\":4}]\n[]\n{\"data\":[1,{\"a\":5,\"a\":5},{}]}\n",
        &[
            "9:1",
            "17!0:expected BIGINT (not a number), found \"x\"",
            "28:3",
            "94!:expected a comma or a closing brace at byte 17…",
            "112!:expected a JSON object…",
            "124!:expected a JSON object…",
            "126!:expected the key \"a\" once…",
            "140:NULL",
        ],
    );
    let document = Format::Json { records: data };
    check(
        "a document",
        &document,
        &columns,
        b"{\"x\":1,\n \"data\": [\n  {\"a\":1},\n  {\"a\":2}\n]}\n",
        &["21:1", "32:2"],
    );
    check(
        "broken behind the array",
        &document,
        &columns,
        b"{\"data\":[{\"a\":1}]} x",
        &["FAULT 0:expected nothing after the value at byte 19…"],
    );
    check(
        "the array twice",
        &document,
        &columns,
        b"{\"data\":[],\"data\":[]}",
        &["FAULT 0:expected the key \"data\" once…"],
    );
    let deep = Format::Json {
        records: records(&[key("r"), Step::Index(1), Step::Each]),
    };
    check(
        "an array in an array",
        &deep,
        &columns,
        b"{\"r\":[[{\"a\":1}],[{\"a\":2},{\"a\":3}]]}",
        &["17:2", "25:3"],
    );
    let top = Format::Json {
        records: records(&[Step::Each]),
    };
    check(
        "the document is the array",
        &top,
        &columns,
        b"[{\"a\":1},\n{\"a\":2}]",
        &["1:1", "10:2"],
    );
    let klines = [
        at_path("t", Type::BigInt, &[Step::Index(0)]),
        at_path("o", Type::Varchar, &[Step::Index(1)]),
    ];
    check(
        "records that are arrays",
        &top,
        &klines,
        b"[[1,\"x\"],[2,\"y\"]]",
        &["1:1|x", "9:2|y"],
    );
}

#[test]
fn documents() {
    let columns = [field("a", Type::BigInt)];
    check("one", &DOCUMENT, &columns, b"{\n\"a\":\n1}\n\n", &["0:1"]);
    check("none", &DOCUMENT, &columns, b" \n", &[]);
    check(
        "two",
        &DOCUMENT,
        &columns,
        b"{\"a\":1}\n{\"a\":2}",
        &["FAULT 0:expected nothing after the value at byte 8…"],
    );
    check(
        "broken",
        &DOCUMENT,
        &columns,
        b"{\"a\":1",
        &["FAULT 0:expected a comma or a closing brace at byte 6…"],
    );
    check(
        "a bad value",
        &DOCUMENT,
        &columns,
        b"{\"a\":\"x\"}",
        &["0!0:expected BIGINT (not a number), found \"x\""],
    );
    check(
        "a key twice",
        &DOCUMENT,
        &columns,
        b"{\"a\":1,\"a\":1}",
        &["0!:expected the key \"a\" once…"],
    );
    check(
        "a key twice in a broken one",
        &DOCUMENT,
        &columns,
        b"{\"a\":1,\"a\":1",
        &["FAULT 0:expected a comma or a closing brace at byte 12…"],
    );
    check(
        "no object",
        &DOCUMENT,
        &columns,
        b"[1]",
        &["0!:expected a JSON object…"],
    );
}

#[test]
fn f078_a_column_that_no_record_has() {
    let columns = [
        field("a", Type::BigInt),
        field("b", Type::BigInt),
        field("c", Type::BigInt),
    ];
    let mut framer = framer(&LINES, &columns);
    let object = b"{\"a\":1}\n{\"a\":2,\"b\":null}\n";
    framer.room()[..object.len()].copy_from_slice(object);
    framer.filled(object.len());
    framer.filled(0);
    let chunk = framer.next().unwrap().unwrap();
    let mut decoder = Decoder::new(&LINES, columns.to_vec());
    let (mut cursor, mut batch, mut rejects) = (Cursor::default(), Batch::default(), Vec::new());
    decoder
        .decode(&chunk, &mut cursor, 1, &mut batch, &mut rejects)
        .unwrap();
    assert_eq!(there(&decoder), [true, false, false]);
    decoder
        .decode(&chunk, &mut cursor, 1, &mut batch, &mut rejects)
        .unwrap();
    assert_eq!(there(&decoder), [true, true, false]);
}

/// For each column, whether any record had it.
fn there(decoder: &Decoder) -> Vec<bool> {
    decoder.met().iter().map(|met| met.is_there).collect()
}
