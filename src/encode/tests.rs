//! What the writers write, byte by byte.

use super::*;
use crate::value::Value;

const DECIMAL: Type = Type::Decimal {
    precision: 3,
    scale: 2,
};
const WIDE: Type = Type::Decimal {
    precision: 38,
    scale: 3,
};

fn encoded(format: Format, columns: &[(&str, Type)], rows: &[&[Value]]) -> String {
    let owned = columns
        .iter()
        .map(|&(name, ty)| (name.to_owned(), ty))
        .collect();
    let mut vectors: Vec<Vector> = columns
        .iter()
        .map(|&(_, ty)| Vector::with_capacity(ty, rows.len()))
        .collect();
    for row in rows {
        for (vector, value) in vectors.iter_mut().zip(*row) {
            vector.push(value);
        }
    }
    let encoder = Encoder::new(format, owned);
    let mut out = Vec::new();
    encoder.header(&mut out);
    encoder.rows(&vectors, rows.len(), &mut out);
    String::from_utf8(out).unwrap()
}

fn text(value: &str) -> Value {
    Value::Text(value.into())
}

#[test]
fn every_type_in_both_formats() {
    let i = Value::Int;
    for (name, ty, value, csv, json) in [
        ("true", Type::Boolean, Value::Boolean(true), "true", "true"),
        (
            "false",
            Type::Boolean,
            Value::Boolean(false),
            "false",
            "false",
        ),
        (
            "bigint",
            Type::BigInt,
            i(i64::MIN),
            "-9223372036854775808",
            "-9223372036854775808",
        ),
        (
            "hugeint",
            Type::HugeInt,
            Value::Wide(i128::MIN),
            "-170141183460469231731687303715884105728",
            "-170141183460469231731687303715884105728",
        ),
        (
            "hugeint of a double's doubt",
            Type::HugeInt,
            Value::Wide(9_007_199_254_740_993),
            "9007199254740993",
            "9007199254740993",
        ),
        ("decimal", DECIMAL, i(50), "0.50", "0.50"),
        ("negative decimal", DECIMAL, i(-5), "-0.05", "-0.05"),
        (
            "wide decimal",
            WIDE,
            Value::Wide(-99_999_999_999_999_999_999_999_999_999_999_999_999),
            "-99999999999999999999999999999999999.999",
            "-99999999999999999999999999999999999.999",
        ),
        ("double", Type::Double, Value::Double(1.0), "1.0", "1.0"),
        (
            "large double",
            Type::Double,
            Value::Double(1e16),
            "1e+16",
            "1e+16",
        ),
        (
            "negative zero",
            Type::Double,
            Value::Double(-0.0),
            "-0.0",
            "-0.0",
        ),
        (
            "timestamp",
            Type::Timestamp,
            i(1_769_903_939_123_400),
            "2026-01-31 23:58:59.1234",
            "\"2026-01-31 23:58:59.1234\"",
        ),
        ("null", Type::Timestamp, Value::Null, "", "null"),
        ("null double", Type::Double, Value::Null, "", "null"),
        (
            "text",
            Type::Varchar,
            text("plain é ' ; \t"),
            "plain é ' ; \t",
            "\"plain é ' ; \\t\"",
        ),
        ("empty text", Type::Varchar, text(""), "\"\"", "\"\""),
        ("null text", Type::Varchar, Value::Null, "", "null"),
        ("comma", Type::Varchar, text("a,b"), "\"a,b\"", "\"a,b\""),
        (
            "quotes",
            Type::Varchar,
            text("\"a\"\"b"),
            "\"\"\"a\"\"\"\"b\"",
            "\"\\\"a\\\"\\\"b\"",
        ),
        (
            "line ends",
            Type::Varchar,
            text("a\r\nb\n"),
            "\"a\r\nb\n\"",
            "\"a\\r\\nb\\n\"",
        ),
        ("a lone CR", Type::Varchar, text("\r"), "\"\r\"", "\"\\r\""),
        (
            "controls",
            Type::Varchar,
            text("\0\u{1f}\u{8}\u{c}\\/\u{7f}\u{2028}"),
            "\0\u{1f}\u{8}\u{c}\\/\u{7f}\u{2028}",
            "\"\\u0000\\u001f\\b\\f\\\\/\u{7f}\u{2028}\"",
        ),
    ] {
        let k = ("k", Type::BigInt);
        let rows: [&[Value]; 1] = [&[value, i(7)]];
        assert_eq!(
            encoded(Format::Csv, &[("v", ty), k], &rows),
            format!("v,k\n{csv},7\n"),
            "{name}"
        );
        let line = encoded(Format::Ndjson, &[("v", ty), k], &rows);
        assert_eq!(line, format!("{{\"v\":{json},\"k\":7}}\n"), "{name}");
    }
}

#[test]
fn names_are_escaped_like_values() {
    let columns = [("a,\"b", Type::BigInt), ("c\n", Type::BigInt)];
    let rows: [&[Value]; 1] = [&[Value::Int(1), Value::Int(2)]];
    assert_eq!(
        encoded(Format::Csv, &columns, &rows),
        "\"a,\"\"b\",\"c\n\"\n1,2\n"
    );
    assert_eq!(
        encoded(Format::Ndjson, &columns, &rows),
        "{\"a,\\\"b\":1,\"c\\n\":2}\n"
    );
}

#[test]
fn one_null_is_an_empty_line_and_one_empty_string_is_not() {
    let rows: [&[Value]; 3] = [&[Value::Null], &[text("")], &[text("x")]];
    let columns = [("v", Type::Varchar)];
    assert_eq!(encoded(Format::Csv, &columns, &rows), "v\n\n\"\"\nx\n");
    assert_eq!(encoded(Format::Csv, &columns, &[]), "v\n");
    assert_eq!(encoded(Format::Ndjson, &columns, &[]), "");
}
