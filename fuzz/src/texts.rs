//! Query and COLUMNS texts: a problem has its place in the text and is fit to print; a query that is taken gives for a
//! batch what it gives record by record.

use windrow::query::columns::{Family, parse_columns};
use windrow::query::plan::{Expr, Plan, Shape};
use windrow::query::{Problem, Span, compile, eval};
use windrow::value::column::Column;
use windrow::value::vector::{Batch, Vector};
use windrow::value::{Type, Value};

/// The table that queries are tried on.
const COLUMNS: &str =
    "a BIGINT, b DOUBLE, c VARCHAR, d DECIMAL(10,2), e TIMESTAMP, f BOOLEAN, g DECIMAL(38,10)";

/// A query's text.
pub fn query(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Err(problem) = compile(&text, &declared()) {
        is_presentable(&problem, &text);
    }
}

/// COLUMNS, for every kind of input.
pub fn columns(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for family in [Family::Csv, Family::CsvWithoutHeader, Family::Json] {
        match parse_columns(&text, family) {
            Ok(columns) => assert!(!columns.is_empty() && columns.len() <= 256),
            Err(problems) => {
                assert!(!problems.is_empty());
                problems
                    .iter()
                    .for_each(|problem| is_presentable(problem, &text));
            }
        }
    }
}

/// An expression, over values that are extreme and odd: whole and record by record it gives the same.
pub fn evaluate(bytes: &[u8]) {
    let text = format!("SELECT {} AS x FROM input", String::from_utf8_lossy(bytes));
    let Ok(plan) = compile(&text, &declared()) else {
        return;
    };
    let whole = table(&plan);
    let Shape::Rows(rows) = &plan.shape else {
        return;
    };
    for expr in rows.outputs.iter().chain(&plan.filter) {
        same_one_by_one(expr, &whole);
    }
}

fn same_one_by_one(expr: &Expr, whole: &Batch) {
    let single = |row: u32| values(expr, &whole.gather(&[row]));
    let rows = 0..u32::try_from(whole.rows).expect("a small table");
    match values(expr, whole) {
        Ok(all) => {
            for (row, value) in rows.zip(all) {
                let one = single(row).expect("a record of a batch that was evaluated");
                assert_eq!(format!("{one:?}"), format!("{:?}", [value]), "record {row}");
            }
        }
        // A batch may also compute too much text at once, which no record of it does.
        Err(problem) if problem.expected.contains("of text in one batch") => {}
        Err(_) => assert!(
            rows.map(single).any(|one| one.is_err()),
            "a batch failed, and no record of it"
        ),
    }
}

fn values(expr: &Expr, batch: &Batch) -> Result<Vec<Value>, Problem> {
    let vector = eval::evaluate(expr, batch)?.into_vector(expr.ty, batch.rows);
    assert_eq!(vector.len(), batch.rows);
    Ok((0..batch.rows).map(|row| vector.value(row)).collect())
}

fn declared() -> Vec<Column> {
    parse_columns(COLUMNS, Family::Json).expect("the table's columns")
}

/// The columns that `plan` reads, one value of each kind a record.
fn table(plan: &Plan) -> Batch {
    let int = |values: [i64; 6]| values.map(Value::Int);
    let all: [[Value; 6]; 7] = [
        int([0, -1, i64::MAX, i64::MIN, 7, 1 << 53]),
        [0.0, -0.0, f64::MAX, 5e-324, -1.5, 0.1].map(Value::Double),
        ["", "a", "it's é日𝄞", "12", "2026-01-31 23:59:00", "%_"]
            .map(|text| Value::Text(text.into())),
        int([0, 5, -9_999_999_999, 9_999_999_999, 100, -1]),
        int([
            0,
            -1,
            253_402_300_799_999_999,
            -62_135_596_800_000_000,
            951_782_400_000_000,
            1,
        ]),
        [true, false, true, false, true, false].map(Value::Boolean),
        [
            0,
            1,
            -1,
            10_i128.pow(38) - 1,
            1 - 10_i128.pow(38),
            10_i128.pow(10),
        ]
        .map(Value::Wide),
    ];
    let columns = declared();
    let columns = plan.columns.iter().map(|&index| {
        let ty: Type = columns[index].form.ty();
        let mut vector = Vector::with_capacity(ty, 8);
        all[index].iter().for_each(|value| vector.push(value));
        vector.push_null();
        vector
    });
    Batch {
        rows: 7,
        columns: columns.collect(),
        ..Batch::default()
    }
}

fn is_presentable(problem: &Problem, text: &str) {
    let Span { start, end } = problem.span;
    assert!(start <= end && end as usize <= text.len(), "{problem:?}");
    assert!(
        text.is_char_boundary(start as usize) && text.is_char_boundary(end as usize),
        "{problem:?}"
    );
    assert!(
        !problem.expected.is_empty() && !problem.found.is_empty(),
        "{problem:?}"
    );
    for said in [&problem.expected, &problem.found, &problem.advice] {
        assert!(
            said.len() < 2_000 && !said.contains(char::is_control),
            "{problem:?}"
        );
    }
}
