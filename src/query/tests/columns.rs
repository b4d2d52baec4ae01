//! COLUMNS and RECORDS (SPEC 4): what they mean, and FAULTS row 7.

use super::super::columns::{Family, parse_columns, parse_path};
use super::marked;
use crate::value::Type;
use crate::value::column::{Column, Form, Path, Source, Step};

fn key(name: &str) -> Step {
    Step::Key(name.to_owned())
}

#[test]
fn names_types_sources() {
    let header = |name: &str| Source::Header(name.to_owned());
    let path = |steps: &[Step]| Source::Path(Path(steps.to_vec()));
    let decimal = |precision, scale| Form::Plain(Type::Decimal { precision, scale });
    let plain = Form::Plain;
    #[rustfmt::skip]
    let cases = [
        (Family::Csv, "id bigint", "id", plain(Type::BigInt), header("id"), false),
        (Family::Csv, "\"Odd \"\"name\"\"\" VARCHAR NOT NULL", "Odd \"name\"", plain(Type::Varchar), header("Odd \"name\""), true),
        (Family::Csv, "price DECIMAL(10, 2) FROM \"Unit Price\"", "price", decimal(10, 2), header("Unit Price"), false),
        (Family::Csv, "v DECIMAL(38,38) FROM 3 NOT NULL", "v", decimal(38, 38), Source::Position(3), true),
        (Family::Csv, "object VARCHAR FROM @object", "object", plain(Type::Varchar), Source::Object, false),
        (Family::Csv, "order_id BIGINT -- a comment", "order_id", plain(Type::BigInt), header("order_id"), false),
        (Family::CsvWithoutHeader, "t TIMESTAMP_US FROM 6", "t", Form::Epoch { unit_us: 1 }, Source::Position(6), false),
        (Family::Stream, "r TIMESTAMP FROM @received_at", "r", plain(Type::Timestamp), Source::ReceivedAt, false),
        (Family::Stream, "f BIGINT FROM @Feed NOT NULL", "f", plain(Type::BigInt), Source::Feed, true),
        (Family::Stream, "p DOUBLE FROM data.p", "p", plain(Type::Double), path(&[key("data"), key("p")]), false),
        (Family::Capture, "o VARCHAR FROM @object", "o", plain(Type::Varchar), Source::Object, false),
        (Family::Capture, "f BIGINT FROM @feed", "f", plain(Type::BigInt), Source::Feed, false),
        (Family::Capture, "feed BIGINT", "feed", plain(Type::BigInt), path(&[key("feed")]), false),
        (Family::CsvWithoutHeader, "u VARCHAR FROM @OBJECT", "u", plain(Type::Varchar), Source::Object, false),
        (Family::Json, "ok BOOLEAN", "ok", plain(Type::Boolean), path(&[key("ok")]), false),
        (Family::Json, "p DOUBLE FROM data.p", "p", plain(Type::Double), path(&[key("data"), key("p")]), false),
        (Family::Json, "x TIMESTAMP FROM \"odd name\".x[0]", "x", plain(Type::Timestamp),
            path(&[key("odd name"), key("x"), Step::Index(0)]), false),
        (Family::Json, "s TIMESTAMP_S FROM [1][2].end", "s", Form::Epoch { unit_us: 1_000_000 },
            path(&[Step::Index(1), Step::Index(2), key("end")]), false),
        (Family::Json, "ms TIMESTAMP_MS", "ms", Form::Epoch { unit_us: 1_000 }, path(&[key("ms")]), false),
        (Family::Json, "ns TIMESTAMP_NS FROM \"\"", "ns", Form::Nanoseconds, path(&[key("")]), false),
        (Family::Json, "filter VARCHAR FROM \"a.b\"", "filter", plain(Type::Varchar), path(&[key("a.b")]), false),
    ];
    for (family, text, name, form, source, not_null) in cases {
        let column = Column {
            name: name.to_owned(),
            form,
            source,
            not_null,
        };
        assert_eq!(parse_columns(text, family), Ok(vec![column]), "{text}");
    }
    let several = parse_columns(
        "a BIGINT, b DECIMAL(2,1) FROM a,\n c VARCHAR NOT NULL",
        Family::Csv,
    );
    assert_eq!(several.expect("three").len(), 3);
}

#[test]
#[rustfmt::skip]
fn f007_what_is_wrong_with_columns() {
    for (family, text, found) in [
        (Family::Csv, "^", "the end of the text"),
        (Family::Csv, "id^", "the end of the text"),
        (Family::Csv, "id ^INTEGER", "INTEGER"),
        (Family::Csv, "id ^BIGIN", "BIGIN"),
        (Family::Csv, "id ^HUGEINT", "HUGEINT"),
        (Family::Csv, "id ^(10,2)", "("),
        (Family::Csv, "id BIGINT, ^ID VARCHAR", "ID twice"),
        (Family::Csv, "a BIGINT, ^\"A\" BIGINT FROM 2", "A twice"),
        (Family::Csv, "v ^DECIMAL", "DECIMAL without them"),
        (Family::Csv, "v DECIMAL(^0,0)", "0"),
        (Family::Csv, "v DECIMAL(^39,2)", "39"),
        (Family::Csv, "v DECIMAL(^-1,2)", "-"),
        (Family::Csv, "v DECIMAL(10,^11)", "11"),
        (Family::Csv, "v DECIMAL(10,^x)", "x"),
        (Family::Csv, "v DECIMAL(10^)", ")"),
        (Family::Csv, "v DECIMAL(10,2^", "the end of the text"),
        (Family::Csv, "v BIGINT FROM ^0", "0"),
        (Family::Csv, "v BIGINT FROM ^-1", "-"),
        (Family::Csv, "v BIGINT FROM ^1.5", "1.5"),
        (Family::Csv, "v BIGINT FROM ^99999999999", "99999999999"),
        (Family::Csv, "v BIGINT FROM a^.b", "."),
        (Family::Csv, "v BIGINT FROM ^'a'", "'a'"),
        (Family::Csv, "v BIGINT FROM ^", "the end of the text"),
        (Family::Csv, "v BIGINT FROM ^@received_at", "@received_at"),
        (Family::Csv, "v BIGINT FROM ^@feed", "@feed"),
        (Family::Csv, "v BIGINT FROM ^@uri", "@uri"),
        (Family::Csv, "v ^BIGINT FROM @object", "BIGINT"),
        (Family::Json, "v TIMESTAMP FROM ^@received_at", "@received_at"),
        (Family::Stream, "v VARCHAR FROM ^@object", "@object"),
        (Family::Stream, "v ^TIMESTAMP_MS FROM @received_at", "TIMESTAMP_MS"),
        (Family::Stream, "v ^DECIMAL(3,0) FROM @feed", "DECIMAL(3,0)"),
        (Family::Stream, "v BIGINT FROM ^@", "@"),
        (Family::Capture, "v BIGINT FROM ^@connection", "@connection"),
        (Family::Csv, "v BIGINT NOT^", "the end of the text"),
        (Family::Csv, "v BIGINT ^NULL", "NULL"),
        (Family::Csv, "v BIGINT ^w BIGINT", "w"),
        (Family::Csv, "v BIGINT,^", "the end of the text"),
        (Family::Csv, "^end BIGINT", "end"),
        (Family::Csv, "v BIGINT FROM ^order", "order"),
        (Family::Csv, "^'v' BIGINT", "'v'"),
        (Family::Csv, "^1 BIGINT", "1"),
        (Family::CsvWithoutHeader, "^v BIGINT", "v"),
        (Family::CsvWithoutHeader, "v BIGINT FROM ^name", "name"),
        (Family::Json, "v BIGINT FROM ^1", "1"),
        (Family::Json, "v BIGINT FROM a^.1", ".1"),
        (Family::Json, "v BIGINT FROM a.^", "the end of the text"),
        (Family::Json, "v BIGINT FROM a..^b", "."),
        (Family::Json, "v BIGINT FROM a[^-1]", "-"),
        (Family::Json, "v BIGINT FROM a[^b]", "b"),
        (Family::Json, "v BIGINT FROM a[0^", "the end of the text"),
        (Family::Json, "v BIGINT FROM a[^4294967296]", "4294967296"),
        (Family::Json, "v BIGINT FROM a^[*].b", "["),
        (Family::Json, "v BIGINT FROM ^$.a", "$"),
        (Family::Json, "v BIGINT FROM ^'a'", "'a'"),
        (Family::Json, "v BIGINT FROM ^\"a", "the end of the text"),
    ] {
        // Two points: the mark stands before the second.
        let (text, at) = marked(text);
        let at = if text.contains("..") { at - 1 } else { at };
        let problems = parse_columns(&text, family).err().unwrap_or_else(|| panic!("accepted: {text}"));
        assert_eq!(problems.len(), 1, "{text}: {problems:?}");
        assert_eq!((problems[0].span.start as usize, problems[0].found.as_str()), (at, found), "{text}");
        assert!(!problems[0].advice.is_empty(), "{text}");
    }
}

#[test]
fn f007_every_problem_is_reported() {
    let problems = parse_columns(
        "a INTEGER, b DECIMAL(99,2) FROM 1, c BIGINT, C DOUBLE, d DOUBLE FROM 0",
        Family::Csv,
    );
    let found: Vec<String> = problems
        .expect_err("four")
        .into_iter()
        .map(|problem| problem.found)
        .collect();
    assert_eq!(found, ["INTEGER", "99", "C twice", "0"]);
}

#[test]
fn records() {
    for (text, want) in [
        ("data[*]", vec![key("data"), Step::Each]),
        ("[*]", vec![Step::Each]),
        (
            "a.\"odd name\"[2].b[*]",
            vec![
                key("a"),
                key("odd name"),
                Step::Index(2),
                key("b"),
                Step::Each,
            ],
        ),
    ] {
        assert_eq!(parse_path(text), Ok(Path(want)), "{text}");
    }
    for text in [
        "^",
        "data^",
        "data[*]^.p",
        "data[*]^[*]",
        "^$[*]",
        "data.^",
        "^1[*]",
        "data[^-1][*]",
        "data^[*",
    ] {
        let (text, at) = marked(text);
        let problem = parse_path(&text)
            .err()
            .unwrap_or_else(|| panic!("accepted: {text}"));
        assert_eq!(problem.span.start as usize, at, "{text}: {problem:?}");
    }
}
