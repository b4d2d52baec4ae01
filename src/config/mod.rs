//! The environment to a checked configuration, or to every problem at once (SPEC 3). Pure but for `raw`, which reads
//! the environment: no file and no network here.
//!
//! `raw` holds strings, `given` the values of known variables, this file the meaning of a batch as a whole.

mod given;
pub mod problem;
pub mod raw;
pub mod redact;
pub mod uri;
pub mod values;
pub mod variables;

use std::num::NonZeroUsize;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::decode::{Format, Header};
use crate::query::columns::{Family, parse_columns};
use crate::query::plan::Plan;
use crate::query::{self, columns};
use crate::value::Type;
use crate::value::column::{Column, Form, Source};
use given::Given;
use problem::{Fault, Problem};
use raw::Raw;
use uri::{FilePattern, FileUri, InputUris, NumberRange};
use values::{OnBadRecord, OutputFormat, RunId};
use variables as known;

/// What `windrow batch` does.
#[derive(Clone, Debug)]
pub struct Config {
    /// What is read.
    pub input: Input,
    /// QUERY or QUERY_URI.
    pub query: Text,
    /// The directory below which the run's own is made.
    pub output: FileUri,
    /// How the rollup is written.
    pub output_format: OutputFormat,
    /// The run's name.
    pub run_id: RunId,
    /// When the run must be done, counted from process start.
    pub deadline: Duration,
    /// How long it may then still take to leave.
    pub drain: Duration,
    /// What a bad record does.
    pub on_bad_record: OnBadRecord,
    /// Workers; absent: as many as the machine gives.
    pub threads: Option<NonZeroUsize>,
    /// Columns and plan, where both texts stand in the environment.
    pub compiled: Option<Compiled>,
    /// Every variable that applies, with its value as it is used, secrets left out: for `check`, started.json and the
    /// manifest. THREADS is null until [`Config::resolve_threads`].
    pub resolved: Map<String, Value>,
}

/// What is read, with what only that kind of input has.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Records of files.
    Files {
        /// Which, in this order.
        patterns: Vec<FilePattern>,
        /// How records are written.
        format: Format,
        /// COLUMNS or COLUMNS_URI.
        columns: Text,
    },
    /// Numbers, each a record with the one column `i`.
    Range(NumberRange),
}

/// A text that stands in the environment, or that the environment points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// Here it is.
    Inline(String),
    /// In this file, which is read before the claim.
    Uri(FileUri),
}

/// What a query over declared columns comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Compiled {
    /// As declared; the plan says which of them are read.
    pub columns: Vec<Column>,
    /// The checked query.
    pub plan: Plan,
}

impl Config {
    /// The configuration that `raw` describes.
    ///
    /// # Errors
    /// Every problem, in the order of the table of variables.
    pub fn parse(raw: &Raw) -> Result<Self, Vec<Problem>> {
        let mut given = Given::new(raw);
        let config = read(&mut given);
        let problems = given.into_problems();
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(problems),
        }
    }

    /// Columns and plan of these texts, which came inline or from the URIs. For a range, `columns` is not looked at.
    ///
    /// # Errors
    /// Every problem, with the variable that the text came with.
    pub fn compile(&self, columns: &str, query: &str) -> Result<Compiled, Vec<Problem>> {
        let query = Written {
            variable: self.query.variable(&known::QUERY, &known::QUERY_URI),
            text: query,
        };
        match &self.input {
            Input::Range(_) => compile_over(range_columns(), query),
            Input::Files {
                format,
                columns: from,
                ..
            } => {
                let columns = Written {
                    variable: from.variable(&known::COLUMNS, &known::COLUMNS_URI),
                    text: columns,
                };
                compile(format, columns, query)
            }
        }
    }

    /// Settles how many workers there are, for what is written down about the run.
    pub fn resolve_threads(&mut self, default: NonZeroUsize) -> NonZeroUsize {
        let threads = self.threads.unwrap_or(default);
        self.threads = Some(threads);
        self.resolved
            .insert(known::THREADS.name.to_owned(), threads.get().into());
        threads
    }
}

impl Text {
    fn variable(&self, inline: &known::Variable, uri: &known::Variable) -> &'static str {
        match self {
            Text::Inline(_) => inline.name,
            Text::Uri(_) => uri.name,
        }
    }

    fn inline(&self) -> Option<&str> {
        match self {
            Text::Inline(text) => Some(text),
            Text::Uri(_) => None,
        }
    }
}

/// A text and the variable that it came with.
#[derive(Clone, Copy, Debug)]
struct Written<'a> {
    variable: &'static str,
    text: &'a str,
}

impl Written<'_> {
    fn problem(self, problem: query::Problem) -> Problem {
        Problem::in_text(self.variable, self.text, problem)
    }
}

/// Reads all that `given` holds; `None` where a problem says why.
fn read(given: &mut Given<'_>) -> Option<Config> {
    let uris = given.parsed(&known::INPUT, InputUris::parse);
    // A broken INPUT still says which kind it was meant to be, so that no needless problem follows from it.
    let is_range = given
        .text(&known::INPUT)
        .is_some_and(|text| text.starts_with("range:"));
    let format_word = match is_range {
        true => None,
        false => given.word(&known::INPUT_FORMAT),
    };
    for variable in known::ALL {
        if let Some(applies) = applies(variable.applies, is_range, format_word) {
            given.check_presence(&variable, applies);
        }
    }
    let format = format_word.and_then(|word| input_format(given, word));
    let columns = text(given, &known::COLUMNS, &known::COLUMNS_URI);
    let query = text(given, &known::QUERY, &known::QUERY_URI);
    let output = given.parsed(&known::OUTPUT, |text| {
        FileUri::parse(text.strip_suffix('/').unwrap_or(text))
    });
    let output_format = given.word(&known::OUTPUT_FORMAT).map(OutputFormat::of);
    let run_id = given.parsed(&known::RUN_ID, RunId::parse);
    let deadline = given.number(&known::MAX_RUNTIME_SECONDS);
    let on_bad_record = match given.is_set(&known::ON_BAD_RECORD) {
        false => Some(OnBadRecord::Fail),
        true => given.parsed(&known::ON_BAD_RECORD, OnBadRecord::parse),
    };
    let drain = match given.is_set(&known::DRAIN_SECONDS) {
        false => Some(DRAIN_SECONDS),
        true => given.number(&known::DRAIN_SECONDS),
    };
    let threads = given
        .number(&known::THREADS)
        .and_then(|threads| usize::try_from(threads).ok())
        .and_then(NonZeroUsize::new);
    if let (Some(InputUris::Files(patterns)), Some(output), Some(run_id)) =
        (&uris, &output, &run_id)
    {
        refuse_output_inside_input(given, patterns, output, run_id);
    }
    let compiled = compile_inline(
        given,
        is_range,
        format.as_ref(),
        columns.as_ref(),
        query.as_ref(),
    );
    let input = match uris? {
        InputUris::Range(range) => Input::Range(range),
        InputUris::Files(patterns) => Input::Files {
            patterns,
            format: format?,
            columns: columns?,
        },
    };
    let mut config = Config {
        input,
        query: query?,
        output: output?,
        output_format: output_format?,
        run_id: run_id?,
        deadline: Duration::from_secs(deadline?),
        drain: Duration::from_secs(drain?),
        on_bad_record: on_bad_record?,
        threads,
        compiled,
        resolved: Map::new(),
    };
    config.resolved = resolved(given, &config, format_word);
    Some(config)
}

/// DRAIN_SECONDS where it is absent (SPEC 3): it fits the platform's own 30 s stop timeout.
const DRAIN_SECONDS: u64 = 20;

/// Whether a variable has a meaning in this run; `None` where INPUT_FORMAT, which decides it, is itself a problem.
fn applies(applies: known::Applies, is_range: bool, format: Option<&str>) -> Option<bool> {
    match (applies, is_range, format) {
        (known::Applies::Always, _, _) => Some(true),
        (_, true, _) => Some(false),
        (known::Applies::Files, false, _) => Some(true),
        (known::Applies::Csv, false, Some(format)) => Some(format == "csv"),
        (known::Applies::Json, false, Some(format)) => Some(format != "csv"),
        (known::Applies::Csv | known::Applies::Json, false, None) => None,
    }
}

fn input_format(given: &mut Given<'_>, word: &str) -> Option<Format> {
    if word == "csv" {
        let header = given.word(&known::CSV_HEADER);
        let delimiter = match given.is_set(&known::CSV_DELIMITER) {
            false => Some(b','),
            true => given.parsed(&known::CSV_DELIMITER, values::delimiter),
        };
        let null = given.text(&known::CSV_NULL);
        return Some(Format::Csv {
            header: match header? {
                "present" => Header::Present,
                _ => Header::Absent { fields: None },
            },
            delimiter: delimiter?,
            null: null.map(|text| text.as_bytes().to_vec()),
        });
    }
    let records = match given.text(&known::RECORDS) {
        None if given.is_set(&known::RECORDS) => return None,
        None => None,
        Some(text) => match columns::parse_path(text) {
            Ok(path) => Some(path),
            Err(problem) => {
                given.refuse_all(vec![Problem::in_text(known::RECORDS.name, text, problem)]);
                return None;
            }
        },
    };
    Some(match word {
        "ndjson" => Format::Ndjson { records },
        _ => Format::Json { records },
    })
}

/// A text that comes inline or by URI. With both, which is a problem already, the inline one.
fn text(given: &mut Given<'_>, inline: &known::Variable, uri: &known::Variable) -> Option<Text> {
    let uri = given.parsed(uri, FileUri::parse).map(Text::Uri);
    let inline = given.text(inline);
    inline.map(|text| Text::Inline(text.to_owned())).or(uri)
}

fn refuse_output_inside_input(
    given: &mut Given<'_>,
    patterns: &[FilePattern],
    output: &FileUri,
    run_id: &RunId,
) {
    let reaching = patterns
        .iter()
        .find(|pattern| pattern.reaches(output, run_id.as_str()));
    if let Some(pattern) = reaching {
        let fault = Fault::new(
            "a directory that INPUT does not reach",
            format!("{output}, inside {pattern}"),
            "a later run would read this one's artifacts: write them elsewhere",
        );
        given.refuse(&known::OUTPUT, fault);
    }
}

/// Compiles what stands in the environment, and notes its problems. `None` as well where a text comes by URI.
fn compile_inline(
    given: &mut Given<'_>,
    is_range: bool,
    format: Option<&Format>,
    columns: Option<&Text>,
    query: Option<&Text>,
) -> Option<Compiled> {
    let written = |variable: known::Variable, text| Written {
        variable: variable.name,
        text,
    };
    let query = query
        .and_then(Text::inline)
        .map(|text| written(known::QUERY, text));
    let columns = columns
        .and_then(Text::inline)
        .map(|text| written(known::COLUMNS, text));
    let compiled = match (is_range, format, columns, query) {
        (true, _, _, Some(query)) => compile_over(range_columns(), query),
        (false, Some(format), Some(columns), Some(query)) => compile(format, columns, query),
        (false, Some(format), Some(columns), None) => {
            if let Err(problems) = declared(format, columns) {
                given.refuse_all(problems);
            }
            return None;
        }
        _ => return None,
    };
    compiled.map_err(|problems| given.refuse_all(problems)).ok()
}

fn compile(
    format: &Format,
    columns: Written<'_>,
    query: Written<'_>,
) -> Result<Compiled, Vec<Problem>> {
    compile_over(declared(format, columns)?, query)
}

fn compile_over(columns: Vec<Column>, query: Written<'_>) -> Result<Compiled, Vec<Problem>> {
    match query::compile(query.text, &columns) {
        Ok(plan) => Ok(Compiled { columns, plan }),
        Err(problem) => Err(vec![query.problem(problem)]),
    }
}

/// The columns of COLUMNS, which must suit the input format.
fn declared(format: &Format, columns: Written<'_>) -> Result<Vec<Column>, Vec<Problem>> {
    let family = match format {
        Format::Csv {
            header: Header::Present,
            ..
        } => Family::Csv,
        Format::Csv {
            header: Header::Absent { .. },
            ..
        } => Family::CsvWithoutHeader,
        Format::Ndjson { .. } | Format::Json { .. } => Family::Json,
    };
    parse_columns(columns.text, family).map_err(|problems| {
        let named = problems.into_iter();
        named.map(|problem| columns.problem(problem)).collect()
    })
}

/// What a query over `range:` may use.
fn range_columns() -> Vec<Column> {
    vec![Column {
        name: "i".to_owned(),
        form: Form::Plain(Type::BigInt),
        source: Source::Number,
        not_null: true,
    }]
}

/// Every variable that applies, in its resolved form.
fn resolved(given: &Given<'_>, config: &Config, format: Option<&str>) -> Map<String, Value> {
    let is_range = matches!(config.input, Input::Range(_));
    let mut all = Map::new();
    for variable in known::ALL {
        if applies(variable.applies, is_range, format) == Some(true) {
            let value = given.text(&variable).map_or(Value::Null, Value::from);
            all.insert(variable.name.to_owned(), value);
        }
    }
    let mut settle = |variable: known::Variable, value: Value| {
        all.insert(variable.name.to_owned(), value);
    };
    settle(
        known::INPUT,
        match &config.input {
            Input::Range(range) => range.to_string().into(),
            Input::Files { patterns, .. } => patterns.iter().map(FilePattern::to_string).collect(),
        },
    );
    settle(known::OUTPUT, config.output.to_string().into());
    settle(known::MAX_RUNTIME_SECONDS, config.deadline.as_secs().into());
    settle(known::DRAIN_SECONDS, config.drain.as_secs().into());
    settle(
        known::ON_BAD_RECORD,
        config.on_bad_record.to_string().into(),
    );
    settle(known::THREADS, config.threads.map(NonZeroUsize::get).into());
    if let Input::Files {
        format: Format::Csv { delimiter, .. },
        ..
    } = &config.input
    {
        settle(
            known::CSV_DELIMITER,
            char::from(*delimiter).to_string().into(),
        );
    }
    all
}
