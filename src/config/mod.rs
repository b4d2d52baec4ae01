//! The environment to a checked configuration, or to every problem at once (SPEC 3). Pure but for `raw`, which reads
//! the environment: no file and no network here.
//!
//! `raw` holds strings, `given` the values of the known variables, `read` makes a [`Config`] of them, `compile` columns
//! and a plan of the two texts. `variables` is the table behind all of it.

pub mod aws;
mod compile;
pub mod feeds;
mod given;
pub mod https;
pub mod merge;
pub mod problem;
pub mod raw;
mod read;
pub mod redact;
pub mod s3;
pub mod shard;
#[cfg(test)]
mod tests;
pub mod uri;
pub mod values;
pub mod variables;

use std::num::NonZeroUsize;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::decode::Format;
use crate::query::plan::{Plan, Windows};
use crate::value::column::Column;
use aws::Aws;
use compile::{Written, compile, declared, family, range_columns, terms};
use feeds::Feeds;
use given::Given;
use https::Https;
use problem::Problem;
use raw::Raw;
use s3::{InputAccess, OutputSse};
use shard::Shard;
use uri::{InputUri, NumberRange, OutputUri, TextUri};
use values::{OnBadRecord, OutputFormat, RunId};
use variables as known;

pub use compile::compile_shard;
pub use variables::Mode;

/// What `windrow batch` or `windrow stream` does.
#[derive(Clone, Debug)]
pub struct Config {
    /// What is read.
    pub input: Input,
    /// QUERY or QUERY_URI.
    pub query: Text,
    /// How records are cut into windows: always in a stream, and in a capture with EVENT_TIME.
    pub windowing: Option<Windowing>,
    /// Which part of the input is read; absent: all of it.
    pub shard: Option<Shard>,
    /// Where the run's own directory or prefix is made.
    pub output: OutputUri,
    /// How buckets are reached, where any `s3://` is used.
    pub s3: Option<S3>,
    /// How `https://` objects are reached, where any is read.
    pub https: Option<Https>,
    /// ECS_CONTAINER_METADATA_URI_V4, where it is set and a URI.
    pub metadata_uri: Option<String>,
    /// How the rollup is written; of a shard, [`OutputFormat::PARTIAL`].
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
    /// Records of objects.
    Objects {
        /// Which, in this order.
        uris: Vec<InputUri>,
        /// How records are written.
        format: Format,
        /// COLUMNS or COLUMNS_URI.
        columns: Text,
    },
    /// Numbers, each a record with the one column `i`.
    Range(NumberRange),
    /// Messages of feeds: `windrow stream`.
    Feeds(Feeds),
}

/// EVENT_TIME, LATENESS_SECONDS and SEQUENCE as they are written; [`Compiled::windows`] is what they come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windowing {
    /// EVENT_TIME: a column's name.
    pub event_time: String,
    /// LATENESS_SECONDS
    pub lateness: Duration,
    /// SEQUENCE
    pub sequence: Option<String>,
}

/// A text that stands in the environment, or that the environment points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// Here it is.
    Inline(String),
    /// In this object, which is read before the claim.
    Uri(TextUri),
}

/// How buckets are reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3 {
    /// AWS's own settings.
    pub aws: Aws,
    /// S3_ATTEMPTS
    pub attempts: u32,
    /// S3_INPUT_ACCESS
    pub input_access: InputAccess,
    /// S3_INPUT_REGION
    pub input_region: Option<String>,
    /// OUTPUT_SSE
    pub output_sse: Option<OutputSse>,
}

/// What a query over declared columns comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Compiled {
    /// As declared; the plan says which of them are read.
    pub columns: Vec<Column>,
    /// The checked query.
    pub plan: Plan,
    /// Its windows, where there is an EVENT_TIME.
    pub windows: Option<Windows>,
}

impl Compiled {
    /// The columns that are read, as the plan numbers them.
    #[must_use]
    pub fn read(&self) -> Vec<Column> {
        let read = self.plan.columns.iter();
        read.filter_map(|&index| self.columns.get(index).cloned())
            .collect()
    }
}

impl S3 {
    /// For `verify`, which of windrow's own variables knows S3_ATTEMPTS alone.
    ///
    /// # Errors
    /// Every problem of the AWS settings and of that variable.
    pub fn for_reading(raw: &Raw) -> Result<Self, Vec<Problem>> {
        let mut given = Given::only(raw, &known::S3_ATTEMPTS);
        let s3 = read::for_reading(&mut given, raw);
        let problems = given.into_problems();
        match s3 {
            Some(s3) if problems.is_empty() => Ok(s3),
            _ => Err(problems),
        }
    }
}

impl Config {
    /// The configuration of `mode` that `raw` describes.
    ///
    /// # Errors
    /// Every problem, in the order of the table of variables.
    pub fn parse(raw: &Raw, mode: Mode) -> Result<Self, Vec<Problem>> {
        let mut given = Given::new(raw, mode);
        let config = read::read(&mut given, raw, mode);
        let problems = given.into_problems();
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(problems),
        }
    }

    /// The mode that it is for.
    #[must_use]
    pub fn mode(&self) -> Mode {
        match self.input {
            Input::Feeds(_) => Mode::Stream,
            Input::Objects { .. } | Input::Range(_) => Mode::Batch,
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
        let compiled = self.compile_any(columns, query)?;
        match (self.shard, read::shard_of_limit(&compiled.plan)) {
            (Some(_), Some(fault)) => Err(vec![fault.of(query.variable)]),
            _ => Ok(compiled),
        }
    }

    fn compile_any(&self, columns: &str, query: Written<'_>) -> Result<Compiled, Vec<Problem>> {
        let windowing = self.windowing.as_ref();
        let family = family(&self.input, windowing);
        let (Some(from), Some(family)) = (self.input.columns(), family) else {
            return compile(range_columns(), query, None);
        };
        let columns = Written {
            variable: from.variable(&known::COLUMNS, &known::COLUMNS_URI),
            text: columns,
        };
        let columns = declared(&[family], columns)?;
        let terms = match windowing {
            None => None,
            Some(windowing) => terms(windowing, Some(&columns))?,
        };
        compile(columns, query, terms.as_ref())
    }

    /// What the names of all that the run writes start with, below OUTPUT: RUN_ID, and a shard's directory.
    #[must_use]
    pub fn prefix(&self) -> String {
        let run = self.run_id.as_str();
        self.shard.map_or_else(
            || run.to_owned(),
            |shard| format!("{run}/{}", shard.directory()),
        )
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

impl Input {
    /// COLUMNS or COLUMNS_URI; a range has none.
    #[must_use]
    pub fn columns(&self) -> Option<&Text> {
        match self {
            Self::Objects { columns, .. } | Self::Feeds(Feeds { columns, .. }) => Some(columns),
            Self::Range(_) => None,
        }
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
