//! COLUMNS and QUERY to columns and plan, with the variable's name on every problem. Pure.

use super::Compiled;
use super::problem::Problem;
use crate::decode::{Format, Header};
use crate::query;
use crate::query::columns::{Family, parse_columns};
use crate::value::Type;
use crate::value::column::{Column, Form, Source};

/// A text and the variable that it came with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written<'a> {
    pub(super) variable: &'static str,
    pub(super) text: &'a str,
}

impl Written<'_> {
    pub(super) fn problem(self, problem: query::Problem) -> Problem {
        Problem::in_text(self.variable, self.text, problem)
    }
}

/// The plan of `query` over `columns`.
pub(super) fn compile(columns: Vec<Column>, query: Written<'_>) -> Result<Compiled, Vec<Problem>> {
    match query::compile(query.text, &columns) {
        Ok(plan) => Ok(Compiled {
            columns,
            plan,
            windows: None,
        }),
        Err(problem) => Err(vec![query.problem(problem)]),
    }
}

/// What sources in COLUMNS may be.
pub(super) fn family(format: &Format) -> Family {
    match format {
        Format::Csv { header, .. } => match header {
            Header::Present => Family::Csv,
            Header::Absent => Family::CsvWithoutHeader,
        },
        Format::Ndjson { .. } | Format::Json { .. } => Family::Json,
        Format::Capture { .. } => Family::Capture,
    }
}

/// What sources in COLUMNS may be, as far as the environment says; `None` for a range, which has no COLUMNS.
pub(super) fn families(
    is_range: bool,
    format: Option<&str>,
    header: Option<&str>,
) -> Option<&'static [Family]> {
    use Family::{Csv, CsvWithoutHeader, Json};
    Some(match (is_range, format, header) {
        (true, _, _) => return None,
        (false, None, _) => &[Csv, CsvWithoutHeader, Json],
        (false, Some("csv"), Some("present")) => &[Csv],
        (false, Some("csv"), Some("absent")) => &[CsvWithoutHeader],
        (false, Some("csv"), _) => &[Csv, CsvWithoutHeader],
        (false, Some(_), _) => &[Json],
    })
}

/// The columns of COLUMNS, as the first family that takes them; the problems that the first one has with them.
pub(super) fn declared(
    families: &[Family],
    columns: Written<'_>,
) -> Result<Vec<Column>, Vec<Problem>> {
    let mut problems = Vec::new();
    for &family in families {
        match parse_columns(columns.text, family) {
            Ok(columns) => return Ok(columns),
            Err(found) if problems.is_empty() => problems = found,
            Err(_) => {}
        }
    }
    let named = problems.into_iter();
    Err(named.map(|problem| columns.problem(problem)).collect())
}

/// What a query over `range:` may use.
pub(super) fn range_columns() -> Vec<Column> {
    vec![Column {
        name: "i".to_owned(),
        form: Form::Plain(Type::BigInt),
        source: Source::Number,
        not_null: true,
    }]
}
