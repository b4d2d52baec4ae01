//! The query front end as a whole: text in; plan, values or a problem out.

mod columns;
mod limits;
mod plans;
mod problems;
mod values;

use super::columns::{Family, parse_columns};
use super::{Problem, plan::Plan};
use crate::value::column::Column;

/// The columns of most cases.
const COLUMNS: &str = "id BIGINT, shop VARCHAR, qty BIGINT, price DECIMAL(10,2), w DECIMAL(30,4), rate DOUBLE, \
    paid BOOLEAN, ts TIMESTAMP, none BIGINT";

fn columns_of(text: &str) -> Vec<Column> {
    parse_columns(text, Family::Csv).expect("columns")
}

fn compile(query: &str) -> Result<Plan, Problem> {
    super::compile(query, &columns_of(COLUMNS))
}

/// The text without its mark `^`, and the byte at which that stood.
fn marked(text: &str) -> (String, usize) {
    let at = text.find('^').expect("a mark");
    (format!("{}{}", &text[..at], &text[at + 1..]), at)
}
