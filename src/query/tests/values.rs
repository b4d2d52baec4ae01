//! Types and values of expressions, as DuckDB 2.0.0 has them.

use crate::query::eval::evaluate;
use crate::query::plan::Shape;
use crate::value::vector::{Batch, Vector};
use crate::value::{Value, text};

/// One record under [`super::COLUMNS`].
fn record() -> Vec<Value> {
    vec![
        Value::Int(7),
        Value::Text("north".into()),
        Value::Int(3),
        Value::Int(1_990),
        Value::Wide(25_000),
        Value::Double(0.125),
        Value::Boolean(true),
        Value::Int(1_769_903_940_000_000),
        Value::Null,
    ]
}

/// The type and the text of `expr` over that record.
pub(super) fn value_of(expr: &str) -> (String, String) {
    let query = format!("SELECT {expr}\n AS x FROM input");
    let plan = super::compile(&query).unwrap_or_else(|problem| panic!("{expr}: {problem:?}"));
    let (columns, values) = (super::columns_of(super::COLUMNS), record());
    let column = |&column: &usize| {
        let mut vector = Vector::with_capacity(columns[column].form.ty(), 1);
        vector.push(&values[column]);
        vector
    };
    let batch = Batch {
        rows: 1,
        columns: plan.columns.iter().map(column).collect(),
        ..Batch::default()
    };
    let Shape::Rows(rows) = &plan.shape else {
        panic!("{expr}: grouped")
    };
    let output = &rows.outputs[0];
    let operand = evaluate(output, &batch).unwrap_or_else(|problem| panic!("{expr}: {problem:?}"));
    let vector = operand.into_vector(output.ty, 1);
    let mut shown = Vec::new();
    if vector.valid.is_valid(0) {
        text::append(&vector, 0, output.ty, &mut shown);
    } else {
        shown.extend_from_slice(b"NULL");
    }
    (
        output.ty.to_string(),
        String::from_utf8(shown).expect("text"),
    )
}

/// Values and types are DuckDB's, but for these: its INTEGER is BIGINT here; an integer literal counts its own digits
/// beside a DECIMAL; products of 18 digits are not cut to DECIMAL(18,s); DECIMALs have a digit before the point.
#[test]
#[rustfmt::skip]
fn types_and_values() {
    for (expr, ty, value) in [
        ("1 + 2 * 3", "BIGINT", "7"),
        ("(1 + 2) * 3", "BIGINT", "9"),
        ("10 - 4 - 3", "BIGINT", "3"),
        ("2 * 7 % 4", "BIGINT", "2"),
        ("7 // 2 * 2", "BIGINT", "6"),
        ("-7 // 2", "BIGINT", "-3"),
        ("-7 % 4", "BIGINT", "-3"),
        ("- - id", "BIGINT", "7"),
        ("-id + 1", "BIGINT", "-6"),
        ("-'2'::BIGINT", "BIGINT", "-2"),
        ("1 + 2 = 3", "BOOLEAN", "true"),
        ("NOT 1 = 2", "BOOLEAN", "true"),
        ("NOT paid AND FALSE", "BOOLEAN", "false"),
        ("TRUE OR FALSE AND FALSE", "BOOLEAN", "true"),
        ("1 = 1 IS NULL", "BOOLEAN", "false"),
        ("(1 = 1) IS NOT NULL", "BOOLEAN", "true"),
        ("id IN (1, 7) = TRUE", "BOOLEAN", "true"),
        ("id BETWEEN 1 AND 3 + 4", "BOOLEAN", "true"),
        ("id NOT BETWEEN 1 AND 3 OR FALSE", "BOOLEAN", "true"),
        ("id NOT IN (1, 2)", "BOOLEAN", "true"),
        ("id IN (1, NULL)", "BOOLEAN", "NULL"),
        ("'a' = 'a'", "BOOLEAN", "true"),
        ("price + 1", "DECIMAL(11,2)", "20.90"),
        ("price * 2", "DECIMAL(11,2)", "39.80"),
        ("price * 0.5", "DECIMAL(12,3)", "9.950"),
        ("price - id", "DECIMAL(22,2)", "12.90"),
        ("price * price", "DECIMAL(20,4)", "396.0100"),
        ("price % 1.555", "DECIMAL(11,3)", "1.240"),
        ("price / 2", "DOUBLE", "9.95"),
        ("id / 2", "DOUBLE", "3.5"),
        ("qty // 2", "BIGINT", "1"),
        ("id + 0.5", "DECIMAL(21,1)", "7.5"),
        ("id + 1e0", "DOUBLE", "8.0"),
        ("9223372036854775808", "HUGEINT", "9223372036854775808"),
        ("-9223372036854775808", "BIGINT", "-9223372036854775808"),
        ("9223372036854775807 + 0.0", "DECIMAL(21,1)", "9223372036854775807.0"),
        ("w * price", "DECIMAL(38,6)", "49.750000"),
        ("abs(-price)", "DECIMAL(10,2)", "19.90"),
        ("round(price)", "DECIMAL(10,0)", "20"),
        ("round(price, 1)", "DECIMAL(10,1)", "19.9"),
        ("round(price, 5)", "DECIMAL(10,2)", "19.90"),
        ("round(id)", "BIGINT", "7"),
        ("round(id, -1)", "BIGINT", "10"),
        ("round(rate, 2)", "DOUBLE", "0.13"),
        ("floor(price)", "DECIMAL(10,0)", "19"),
        ("ceil(price)", "DECIMAL(10,0)", "20"),
        ("floor(id)", "DOUBLE", "7.0"),
        ("sqrt(16)", "DOUBLE", "4.0"),
        ("pow(2, 10)", "DOUBLE", "1024.0"),
        ("sin(0)", "DOUBLE", "0.0"),
        ("pi()", "DOUBLE", "3.141592653589793"),
        ("COALESCE(none, 5)", "BIGINT", "5"),
        ("COALESCE(none, price)", "DECIMAL(21,2)", "19.90"),
        ("COALESCE(none, 1.5, rate)", "DOUBLE", "1.5"),
        ("NULLIF(id, 7)", "BIGINT", "NULL"),
        ("NULLIF(price, 1.5)", "DECIMAL(10,2)", "19.90"),
        ("NULLIF(shop, 'south')", "VARCHAR", "north"),
        ("CASE WHEN paid THEN 1 ELSE 2.5 END", "DECIMAL(2,1)", "1.0"),
        ("CASE id WHEN 7 THEN 'seven' END", "VARCHAR", "seven"),
        ("CASE WHEN none > 1 THEN 1 END", "BIGINT", "NULL"),
        ("CASE WHEN paid THEN 1 ELSE TRUE END", "BIGINT", "1"),
        ("paid = 1", "BOOLEAN", "true"),
        ("id IN (TRUE, 7)", "BOOLEAN", "true"),
        ("price = 19.9", "BOOLEAN", "true"),
        ("price > 19", "BOOLEAN", "true"),
        ("price IN (1, 19.9)", "BOOLEAN", "true"),
        ("id = 7e0", "BOOLEAN", "true"),
        ("ts = '2026-01-31 23:59:00'", "BOOLEAN", "true"),
        ("ts > '2026-01-31'", "BOOLEAN", "true"),
        ("'2026-02-01' > ts", "BOOLEAN", "true"),
        ("ts BETWEEN '2026-01-01' AND '2026-02-01'", "BOOLEAN", "true"),
        ("CAST(price AS BIGINT)", "BIGINT", "20"),
        ("price::VARCHAR", "VARCHAR", "19.90"),
        ("CAST('12' AS BIGINT) + 1", "BIGINT", "13"),
        ("'1.5'::DECIMAL(3,2)", "DECIMAL(3,2)", "1.50"),
        ("CAST(paid AS BIGINT)", "BIGINT", "1"),
        ("TRY_CAST(shop AS DOUBLE)", "DOUBLE", "NULL"),
        ("TIMESTAMP '2026-01-01'", "TIMESTAMP", "2026-01-01 00:00:00"),
        ("time_bucket(INTERVAL '1 hour', ts)", "TIMESTAMP", "2026-01-31 23:00:00"),
        ("time_bucket(INTERVAL 1 MONTH, ts)", "TIMESTAMP", "2026-01-01 00:00:00"),
        ("date_trunc('quarter', ts)", "TIMESTAMP", "2026-01-01 00:00:00"),
        ("date_part('dow', ts)", "BIGINT", "6"),
        ("extract(minute FROM ts)", "BIGINT", "59"),
        ("epoch_ms(ts)", "BIGINT", "1769903940000"),
        ("ts + INTERVAL '1 month'", "TIMESTAMP", "2026-02-28 23:59:00"),
        ("INTERVAL '1' DAY + ts", "TIMESTAMP", "2026-02-01 23:59:00"),
        ("ts - INTERVAL '1 day 90 seconds'", "TIMESTAMP", "2026-01-30 23:57:30"),
        ("NULL", "BIGINT", "NULL"),
        ("NULL + 1", "BIGINT", "NULL"),
        ("NULL = 1", "BOOLEAN", "NULL"),
        ("none IS NULL", "BOOLEAN", "true"),
        ("NULL AND FALSE", "BOOLEAN", "false"),
        ("\"QTY\"", "BIGINT", "3"),
        ("input.qty", "BIGINT", "3"),
        ("INPUT.\"Shop\"", "VARCHAR", "north"),
        (".5", "DECIMAL(1,1)", "0.5"),
        ("5.", "DECIMAL(1,0)", "5"),
        ("1.50", "DECIMAL(3,2)", "1.50"),
        ("1e3", "DOUBLE", "1000.0"),
        ("1e-7", "DOUBLE", "1e-07"),
        ("'it''s'", "VARCHAR", "it's"),
        ("/* c */ 1 -- d", "BIGINT", "1"),
    ] {
        assert_eq!(value_of(expr), (ty.to_owned(), value.to_owned()), "{expr}");
    }
}
