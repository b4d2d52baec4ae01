//! COLUMNS and QUERY to columns and plan, with the variable's name on every problem. Pure.

use serde_json::{Map, Value};

use super::problem::Problem;
use super::variables as known;
use super::{Compiled, Input, Windowing};
use crate::decode::{Format, Header};
use crate::query;
use crate::query::columns::{Family, parse_columns};
use crate::query::windows::{Named, Numbered, Terms};
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

/// The plan of `query` over `columns`, cut into windows where there are terms for them.
pub(super) fn compile(
    columns: Vec<Column>,
    query: Written<'_>,
    terms: Option<&Terms>,
) -> Result<Compiled, Vec<Problem>> {
    let compiled = match terms {
        None => query::compile(query.text, &columns).map(|plan| (plan, None)),
        Some(terms) => query::compile_windows(query.text, &columns, terms)
            .map(|(plan, windows)| (plan, Some(windows))),
    };
    match compiled {
        Ok((plan, windows)) => Ok(Compiled {
            columns,
            plan,
            windows,
        }),
        Err(problem) => Err(vec![query.problem(problem)]),
    }
}

/// Columns and plan of a shard, whose manifest has `config`.
///
/// # Errors
/// Every problem, which the shard itself would have had.
pub fn compile_shard(config: &Map<String, Value>, query: &str) -> Result<Compiled, Vec<Problem>> {
    let text = |variable: &known::Variable| config.get(variable.name).and_then(Value::as_str);
    let query = Written {
        variable: known::QUERY.name,
        text: query,
    };
    let columns = match text(&known::INPUT_FORMAT) {
        // A range.
        None => range_columns(),
        format => {
            let families = families(format, text(&known::CSV_HEADER), false);
            let written = Written {
                variable: known::COLUMNS.name,
                text: text(&known::COLUMNS).unwrap_or_default(),
            };
            declared(families, written)?
        }
    };
    compile(columns, query, None)
}

/// Which of `columns` EVENT_TIME and SEQUENCE name; `None` where these are not known yet, and only the texts are checked.
pub(super) fn terms(
    windowing: &Windowing,
    columns: Option<&[Column]>,
) -> Result<Option<Terms>, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut refuse = |variable: known::Variable, text: &str, problem| {
        problems.push(Problem::in_text(variable.name, text, problem));
    };
    let text = windowing.event_time.as_str();
    let event_time = Named::parse(text)
        .and_then(|name| columns.map(|all| name.timestamp(all)).transpose())
        .map_err(|problem| refuse(known::EVENT_TIME, text, problem));
    let sequence = windowing.sequence.as_deref().and_then(|text| {
        Numbered::parse(text)
            .and_then(|names| columns.map(|all| names.columns(all)).transpose())
            .map_err(|problem| refuse(known::SEQUENCE, text, problem))
            .ok()
            .flatten()
    });
    match problems.is_empty() {
        true => Ok(event_time.ok().flatten().map(|event_time| Terms {
            event_time,
            // At most a day of seconds.
            lateness_us: i64::try_from(windowing.lateness.as_micros()).unwrap_or(i64::MAX),
            sequence,
        })),
        false => Err(problems),
    }
}

/// What sources in COLUMNS may be; `None` for a range, which has no COLUMNS.
pub(super) fn family(input: &Input, windowing: Option<&Windowing>) -> Option<Family> {
    Some(match (input, windowing) {
        (Input::Range(_), _) => return None,
        (Input::Feeds(_), _) => Family::Stream,
        (Input::Objects { format, .. }, windowing) => match (format, windowing) {
            (Format::Csv { header, .. }, _) => match header {
                Header::Present => Family::Csv,
                Header::Absent => Family::CsvWithoutHeader,
            },
            (Format::Ndjson { .. } | Format::Json { .. }, _) => Family::Json,
            (Format::Capture { .. }, None) => Family::Capture,
            (Format::Capture { .. }, Some(_)) => Family::Stream,
        },
    })
}

/// What sources in COLUMNS may be in a batch over objects, as far as the environment says.
pub(super) fn families(
    format: Option<&str>,
    header: Option<&str>,
    windows: bool,
) -> &'static [Family] {
    use Family::{Capture, Csv, CsvWithoutHeader, Json, Stream};
    match (format, header) {
        (None, _) => &[Csv, CsvWithoutHeader, Json, Capture],
        (Some("csv"), Some("present")) => &[Csv],
        (Some("csv"), Some("absent")) => &[CsvWithoutHeader],
        (Some("csv"), _) => &[Csv, CsvWithoutHeader],
        (Some("capture"), _) if windows => &[Stream],
        (Some("capture"), _) => &[Capture],
        (Some(_), _) => &[Json],
    }
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
