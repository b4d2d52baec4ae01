//! The values of an environment to a configuration. Every problem is noted, and reading goes on: what follows from a
//! broken value is left out, never guessed.

use std::num::NonZeroUsize;
use std::time::Duration;

use serde_json::{Map, Value};

use super::compile::{Written, compile, declared, families, range_columns};
use super::given::Given;
use super::problem::{Fault, Problem};
use super::uri::{FilePattern, FileUri, InputUris};
use super::values::{self, OnBadRecord, OutputFormat, RunId};
use super::variables as known;
use super::{Compiled, Config, Input, Text};
use crate::decode::{Format, Header};
use crate::query;
use crate::query::columns::{Family, parse_path};

/// Reads all that `given` holds; `None` where a problem says why.
pub(super) fn read(given: &mut Given<'_>) -> Option<Config> {
    let uris = given.parsed(&known::INPUT, InputUris::parse);
    let is_range = match &uris {
        Some(uris) => matches!(uris, InputUris::Range(_)),
        // A broken INPUT still says which kind it was meant to be, so that no needless problem follows from it.
        None => given
            .text(&known::INPUT)
            .is_some_and(|text| text.starts_with("range:")),
    };
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
    let families = families(is_range, format_word, given.text(&known::CSV_HEADER));
    let compiled = compile_inline(given, families, columns.as_ref(), query.as_ref());
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
                _ => Header::Absent,
            },
            delimiter: delimiter?,
            null: null.map(|text| text.as_bytes().to_vec()),
        });
    }
    let records = match given.text(&known::RECORDS) {
        None if given.is_set(&known::RECORDS) => return None,
        None => None,
        Some(text) => match parse_path(text) {
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

/// Compiles what stands in the environment, and notes its problems. `None` as well where a text comes by URI; what can
/// be said of the other one is said all the same.
fn compile_inline(
    given: &mut Given<'_>,
    families: Option<&[Family]>,
    columns: Option<&Text>,
    query: Option<&Text>,
) -> Option<Compiled> {
    let written = |variable: known::Variable, text| Written {
        variable: variable.name,
        text,
    };
    let columns = match families {
        None => Some(range_columns()),
        Some(families) => columns.and_then(Text::inline).and_then(|text| {
            declared(families, written(known::COLUMNS, text))
                .map_err(|problems| given.refuse_all(problems))
                .ok()
        }),
    };
    let query = written(known::QUERY, query.and_then(Text::inline)?);
    let compiled = match columns {
        Some(columns) => compile(columns, query).map(Some),
        None => match query::check_syntax(query.text) {
            Ok(()) => Ok(None),
            Err(problem) => Err(vec![query.problem(problem)]),
        },
    };
    compiled
        .map_err(|problems| given.refuse_all(problems))
        .ok()
        .flatten()
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
