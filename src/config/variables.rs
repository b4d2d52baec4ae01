//! Every variable that windrow knows, in one table: parsing, hints, `--help` and docs/configuration.md all read it
//! (SPEC 3). A variable is listed from the day it works; before that its name is unknown like any other.

use std::fmt;

use super::s3::InputAccess;
use super::shard::{MOST_SHARDS, Split};
use crate::query::suggest;

/// What all names start with in the environment.
pub const PREFIX: &str = "WINDROW_";

/// The command whose configuration it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `windrow batch`
    Batch,
    /// `windrow stream`
    Stream,
    /// `windrow merge`
    Merge,
}

/// One variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name, without [`PREFIX`].
    pub name: &'static str,
    /// For which inputs it has a meaning; elsewhere it is refused.
    pub applies: Applies,
    /// Whether `batch` needs it.
    pub batch: Presence,
    /// Whether `stream` needs it.
    pub stream: Presence,
    /// Whether `merge` needs it.
    pub merge: Presence,
    /// What its value looks like.
    pub form: Form,
    /// What it decides.
    pub help: &'static str,
}

/// For which inputs a variable has a meaning, in a mode that uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applies {
    /// Any.
    Always,
    /// All but `range:`.
    Objects,
    /// INPUT_FORMAT csv.
    Csv,
    /// Any INPUT_FORMAT but csv.
    Json,
    /// INPUT_FORMAT capture, and feeds.
    Messages,
    /// Where EVENT_TIME is set.
    Windows,
    /// CAPTURE raw.
    Raw,
    /// Where SHARD is set.
    Shard,
    /// Where SHARD is not set.
    Whole,
    /// Where any `s3://` is used.
    S3,
    /// Where INPUT, QUERY_URI or COLUMNS_URI is `s3://`.
    S3Input,
    /// Where OUTPUT is `s3://`.
    S3Output,
    /// Where INPUT, QUERY_URI or COLUMNS_URI is `https://`, and for feeds.
    Https,
}

/// Whether a mode needs a variable, where it applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// The mode has no use for it.
    Unused,
    /// It must be there.
    Required,
    /// It or this other one must be there, never both.
    OneOf(&'static str),
    /// It must be there with this other one, or neither.
    With(&'static str),
    /// It may be absent, which means this.
    Optional(&'static str),
}

/// What a value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Digits only, in this range.
    Number {
        /// Smallest that is taken.
        least: u64,
        /// Largest that is taken.
        most: u64,
    },
    /// One of these words.
    Word(&'static [&'static str]),
    /// What this says.
    Text(&'static str),
    /// Another in each mode.
    ByMode {
        /// In `batch`.
        batch: &'static Form,
        /// In `stream`.
        stream: &'static Form,
        /// In `merge`.
        merge: &'static Form,
    },
}

/// INPUT
pub const INPUT: Variable = Variable {
    name: "INPUT",
    applies: Applies::Always,
    batch: Presence::Required,
    stream: Presence::Required,
    merge: Presence::Required,
    form: Form::ByMode {
        batch: &Form::Text(
            "a URI, or a JSON array of URIs: `s3://bucket/key` or `file:///abs/path`, `s3://bucket/prefix/` or `file:///abs/dir/` for everything below it, one `*` in a path segment as a glob; `https://…`; or `range:START..END`, one BIGINT column `i`, END excluded",
        ),
        stream: &Form::Text(
            "`wss://host/path`, or a JSON array of such URIs; `ws://` only to a loopback address; a feed's number is its place, from 0",
        ),
        merge: &Form::Text(
            "a URI, or a JSON array of URIs: `file:///abs/dir` or `s3://bucket/prefix` of a run (`OUTPUT/RUN_ID`), or of one shard of it",
        ),
    },
    help: "what is read, in this order",
};
/// INPUT_FORMAT
pub const INPUT_FORMAT: Variable = Variable {
    name: "INPUT_FORMAT",
    applies: Applies::Objects,
    batch: Presence::Required,
    stream: Presence::Required,
    merge: Presence::Unused,
    form: Form::ByMode {
        batch: &Form::Word(&["csv", "ndjson", "json", "capture"]),
        stream: &Form::Word(&["json"]),
        merge: &Form::Word(&[]),
    },
    help: "how records are written in the input; json is one document an object, or a message; capture is what `windrow stream` wrote",
};
/// RECORDS
pub const RECORDS: Variable = Variable {
    name: "RECORDS",
    applies: Applies::Json,
    batch: Presence::Optional("the document is the record"),
    stream: Presence::Optional("the document is the record"),
    merge: Presence::Unused,
    form: Form::Text("a JSON path of an array such as `data[*]`"),
    help: "where in a document its records are",
};
/// CSV_HEADER
pub const CSV_HEADER: Variable = Variable {
    name: "CSV_HEADER",
    applies: Applies::Csv,
    batch: Presence::Required,
    stream: Presence::Unused,
    merge: Presence::Unused,
    form: Form::Word(&["present", "absent"]),
    help: "whether the first record of each object names the fields",
};
/// CSV_DELIMITER
pub const CSV_DELIMITER: Variable = Variable {
    name: "CSV_DELIMITER",
    applies: Applies::Csv,
    batch: Presence::Optional("a comma"),
    stream: Presence::Unused,
    merge: Presence::Unused,
    form: Form::Text("one ASCII character, or `tab`"),
    help: "what stands between two fields",
};
/// CSV_NULL
pub const CSV_NULL: Variable = Variable {
    name: "CSV_NULL",
    applies: Applies::Csv,
    batch: Presence::Optional("only the empty field"),
    stream: Presence::Unused,
    merge: Presence::Unused,
    form: Form::Text("a text such as `NA`"),
    help: "a field that is NULL besides the empty one",
};
/// COLUMNS
pub const COLUMNS: Variable = Variable {
    name: "COLUMNS",
    applies: Applies::Objects,
    batch: Presence::OneOf("COLUMNS_URI"),
    stream: Presence::OneOf("COLUMNS_URI"),
    merge: Presence::Unused,
    form: Form::Text("`name TYPE [FROM source] [NOT NULL], …`, at most 64 KiB"),
    help: "the columns that the query may use",
};
/// COLUMNS_URI
pub const COLUMNS_URI: Variable = Variable {
    name: "COLUMNS_URI",
    applies: Applies::Objects,
    batch: Presence::OneOf("COLUMNS"),
    stream: Presence::OneOf("COLUMNS"),
    merge: Presence::Unused,
    form: Form::Text("`file:///abs/path`, `s3://bucket/key` or `https://…`"),
    help: "an object that holds COLUMNS",
};
/// QUERY
pub const QUERY: Variable = Variable {
    name: "QUERY",
    applies: Applies::Always,
    batch: Presence::OneOf("QUERY_URI"),
    stream: Presence::OneOf("QUERY_URI"),
    merge: Presence::Unused,
    form: Form::Text("`SELECT … FROM input …`, at most 64 KiB"),
    help: "what is computed",
};
/// QUERY_URI
pub const QUERY_URI: Variable = Variable {
    name: "QUERY_URI",
    applies: Applies::Always,
    batch: Presence::OneOf("QUERY"),
    stream: Presence::OneOf("QUERY"),
    merge: Presence::Unused,
    form: Form::Text("`file:///abs/path`, `s3://bucket/key` or `https://…`"),
    help: "an object that holds QUERY",
};
/// OUTPUT
pub const OUTPUT: Variable = Variable {
    name: "OUTPUT",
    applies: Applies::Always,
    batch: Presence::Required,
    stream: Presence::Required,
    merge: Presence::Required,
    form: Form::Text("`file:///abs/dir` or `s3://bucket/prefix`"),
    help: "where the run's directory is made; not inside what INPUT names",
};
/// OUTPUT_FORMAT
pub const OUTPUT_FORMAT: Variable = Variable {
    name: "OUTPUT_FORMAT",
    applies: Applies::Whole,
    batch: Presence::Required,
    stream: Presence::Required,
    merge: Presence::Required,
    form: Form::Word(&["csv", "ndjson", "csv.gz", "ndjson.gz"]),
    help: "how the rollup is written",
};
/// RUN_ID
pub const RUN_ID: Variable = Variable {
    name: "RUN_ID",
    applies: Applies::Always,
    batch: Presence::Required,
    stream: Presence::Required,
    merge: Presence::Required,
    form: Form::Text("1 to 128 of `A-Z a-z 0-9 . _ -`, not starting with a dot"),
    help: "the run's name below OUTPUT; a name is used once",
};
/// MAX_RUNTIME_SECONDS
pub const MAX_RUNTIME_SECONDS: Variable = Variable {
    name: "MAX_RUNTIME_SECONDS",
    applies: Applies::Always,
    batch: Presence::Required,
    stream: Presence::Required,
    merge: Presence::Required,
    form: Form::Number {
        least: 1,
        most: 604_800,
    },
    help: "the deadline, counted from process start: the normal end of a stream; a batch past it commits nothing",
};
/// EVENT_TIME
pub const EVENT_TIME: Variable = Variable {
    name: "EVENT_TIME",
    applies: Applies::Messages,
    batch: Presence::With("LATENESS_SECONDS"),
    stream: Presence::Required,
    merge: Presence::Unused,
    form: Form::Text("a TIMESTAMP column of COLUMNS"),
    help: "the time that drives the windows: the query groups by one `time_bucket` of it; a capture without it has no windows, and takes any query",
};
/// LATENESS_SECONDS
pub const LATENESS_SECONDS: Variable = Variable {
    name: "LATENESS_SECONDS",
    applies: Applies::Messages,
    batch: Presence::With("EVENT_TIME"),
    stream: Presence::Required,
    merge: Presence::Unused,
    form: Form::Number {
        least: 0,
        most: 86_400,
    },
    help: "how far the watermark trails the newest event time; a record of a window that it has closed is late: counted, and left out",
};
/// SEQUENCE
pub const SEQUENCE: Variable = Variable {
    name: "SEQUENCE",
    applies: Applies::Windows,
    batch: Presence::Optional("no record is a duplicate"),
    stream: Presence::Optional("no record is a duplicate"),
    merge: Presence::Unused,
    form: Form::Text("`column BY column PER RUN`, or `… PER CONNECTION`"),
    help: "a BIGINT column that rises by one within each key: duplicates are dropped, jumps are listed as gaps",
};
/// IDLE_TIMEOUT_SECONDS
pub const IDLE_TIMEOUT_SECONDS: Variable = Variable {
    name: "IDLE_TIMEOUT_SECONDS",
    applies: Applies::Always,
    batch: Presence::Unused,
    stream: Presence::Required,
    merge: Presence::Unused,
    form: Form::Number {
        least: 1,
        most: 604_800,
    },
    help: "longest time without a data message before a feed is declared dead; pings do not count",
};
/// CAPTURE
pub const CAPTURE: Variable = Variable {
    name: "CAPTURE",
    applies: Applies::Always,
    batch: Presence::Unused,
    stream: Presence::Required,
    merge: Presence::Unused,
    form: Form::Word(&["off", "raw"]),
    help: "whether every message is kept, as it came, below capture/",
};
/// PART_SECONDS
pub const PART_SECONDS: Variable = Variable {
    name: "PART_SECONDS",
    applies: Applies::Raw,
    batch: Presence::Unused,
    stream: Presence::Required,
    merge: Presence::Unused,
    form: Form::Number {
        least: 1,
        most: 86_400,
    },
    help: "how soon a captured message is durable, or the run ends; a part is cut at half of it, or at 8 MiB compressed",
};
/// SUBSCRIBE
pub const SUBSCRIBE: Variable = Variable {
    name: "SUBSCRIBE",
    applies: Applies::Always,
    batch: Presence::Unused,
    stream: Presence::Optional("nothing is sent"),
    merge: Presence::Unused,
    form: Form::Text("a JSON array of messages such as `[{\"op\": \"subscribe\"}, \"hello\"]`"),
    help: "what is sent after each connect, and shown nowhere: a string as that text, anything else as compact JSON",
};
/// HEARTBEAT
pub const HEARTBEAT: Variable = Variable {
    name: "HEARTBEAT",
    applies: Applies::Always,
    batch: Presence::Unused,
    stream: Presence::Optional("nothing is sent"),
    merge: Presence::Unused,
    form: Form::Text("`SECONDS` from 1 to 3600, or `SECONDS text`"),
    help: "how often a WebSocket ping, or that text message, is sent to feeds that want the client to speak",
};
/// HEADERS
pub const HEADERS: Variable = Variable {
    name: "HEADERS",
    applies: Applies::Https,
    batch: Presence::Optional("none"),
    stream: Presence::Optional("none"),
    merge: Presence::Unused,
    form: Form::Text("a JSON object such as `{\"Authorization\": \"Bearer …\"}`"),
    help: "headers that are sent to every `https://` URI and in the handshake of every feed, and shown nowhere",
};
/// ON_DISCONNECT
pub const ON_DISCONNECT: Variable = Variable {
    name: "ON_DISCONNECT",
    applies: Applies::Always,
    batch: Presence::Unused,
    stream: Presence::Optional("`fail`"),
    merge: Presence::Unused,
    form: Form::Text("`fail`, or `reconnect:N` with N from 1 to 100000"),
    help: "what a lost connection does: end the run with 69, or be made again up to N times in the run, after up to 1 s, then up to twice as long, to 30 s; each is listed as a gap",
};
/// ON_BAD_RECORD
pub const ON_BAD_RECORD: Variable = Variable {
    name: "ON_BAD_RECORD",
    applies: Applies::Always,
    batch: Presence::Optional("`fail`"),
    stream: Presence::Optional("`fail`"),
    merge: Presence::Unused,
    form: Form::Text("`fail`, or `reject:N` with N from 1 to 1000000000000"),
    help: "what a bad record does: end the run with 65, or go to rejected.ndjson, up to N of them",
};
/// S3_ATTEMPTS
pub const S3_ATTEMPTS: Variable = Variable {
    name: "S3_ATTEMPTS",
    applies: Applies::S3,
    batch: Presence::Optional("1"),
    stream: Presence::Optional("1"),
    merge: Presence::Optional("1"),
    form: Form::Number { least: 1, most: 10 },
    help: "attempts of one S3 request, each freshly signed and counted in the manifest; work is never run again",
};
/// S3_INPUT_ACCESS
pub const S3_INPUT_ACCESS: Variable = Variable {
    name: "S3_INPUT_ACCESS",
    applies: Applies::S3Input,
    batch: Presence::Optional("`signed`"),
    stream: Presence::Unused,
    merge: Presence::Unused,
    form: Form::Word(&InputAccess::WORDS),
    help: "who asks for the input: the run's credentials, the same and they pay, or nobody",
};
/// S3_INPUT_REGION
pub const S3_INPUT_REGION: Variable = Variable {
    name: "S3_INPUT_REGION",
    applies: Applies::S3Input,
    batch: Presence::Optional("AWS_REGION"),
    stream: Presence::Unused,
    merge: Presence::Unused,
    form: Form::Text("a region such as `eu-central-1`"),
    help: "the region of the input buckets",
};
/// OUTPUT_SSE
pub const OUTPUT_SSE: Variable = Variable {
    name: "OUTPUT_SSE",
    applies: Applies::S3Output,
    batch: Presence::Optional("as the bucket encrypts by itself"),
    stream: Presence::Optional("as the bucket encrypts by itself"),
    merge: Presence::Optional("as the bucket encrypts by itself"),
    form: Form::Text("`AES256`, or `aws:kms:` and the ARN of a key"),
    help: "how S3 encrypts what is written",
};
/// DRAIN_SECONDS
pub const DRAIN_SECONDS: Variable = Variable {
    name: "DRAIN_SECONDS",
    applies: Applies::Always,
    batch: Presence::Optional("20"),
    stream: Presence::Optional("20"),
    merge: Presence::Optional("20"),
    form: Form::Number {
        least: 1,
        most: 110,
    },
    help: "how long the run may still take after a signal or the deadline",
};
/// THREADS
pub const THREADS: Variable = Variable {
    name: "THREADS",
    applies: Applies::Always,
    batch: Presence::Optional(
        "the CPUs of the cgroup, fewer where their buffers would pass 30 % of its memory",
    ),
    stream: Presence::Optional(
        "the CPUs of the cgroup, fewer where their buffers would pass 30 % of its memory",
    ),
    merge: Presence::Optional("1"),
    form: Form::Number {
        least: 1,
        most: 1024,
    },
    help: "workers; never changes the output",
};

/// SHARD
pub const SHARD: Variable = Variable {
    name: "SHARD",
    applies: Applies::Always,
    batch: Presence::Optional("the whole input"),
    stream: Presence::Unused,
    merge: Presence::Unused,
    form: Form::Text("`i/n` with i from 0 and n from 1 to 10000, or `env/n`"),
    help: "the part of the input that this run reads, the i-th of n; `env` takes i from AWS_BATCH_JOB_ARRAY_INDEX or JOB_COMPLETION_INDEX; what it writes is for `windrow merge`",
};
/// SPLIT
pub const SPLIT: Variable = Variable {
    name: "SPLIT",
    applies: Applies::Shard,
    batch: Presence::Optional("`objects`"),
    stream: Presence::Unused,
    merge: Presence::Unused,
    form: Form::Word(&Split::WORDS),
    help: "where the input may be cut: between objects, or in big NDJSON objects also at line ends",
};
/// SHARDS
pub const SHARDS: Variable = Variable {
    name: "SHARDS",
    applies: Applies::Always,
    batch: Presence::Unused,
    stream: Presence::Unused,
    merge: Presence::Required,
    form: Form::Number {
        least: 1,
        most: MOST_SHARDS,
    },
    help: "how many shards there must be: n of SHARD",
};

/// All of them, in the order of reports, help and documentation.
pub const ALL: [Variable; 34] = [
    INPUT,
    INPUT_FORMAT,
    RECORDS,
    CSV_HEADER,
    CSV_DELIMITER,
    CSV_NULL,
    COLUMNS,
    COLUMNS_URI,
    QUERY,
    QUERY_URI,
    OUTPUT,
    OUTPUT_FORMAT,
    RUN_ID,
    MAX_RUNTIME_SECONDS,
    EVENT_TIME,
    LATENESS_SECONDS,
    SEQUENCE,
    IDLE_TIMEOUT_SECONDS,
    CAPTURE,
    PART_SECONDS,
    SUBSCRIBE,
    HEARTBEAT,
    HEADERS,
    ON_DISCONNECT,
    ON_BAD_RECORD,
    S3_ATTEMPTS,
    S3_INPUT_ACCESS,
    S3_INPUT_REGION,
    OUTPUT_SSE,
    DRAIN_SECONDS,
    THREADS,
    SHARD,
    SPLIT,
    SHARDS,
];

impl Mode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Batch, Self::Stream, Self::Merge];

    /// The word of the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Stream => "stream",
            Self::Merge => "merge",
        }
    }
}

impl Variable {
    /// Whether `mode` needs it.
    #[must_use]
    pub fn presence(&self, mode: Mode) -> Presence {
        match mode {
            Mode::Batch => self.batch,
            Mode::Stream => self.stream,
            Mode::Merge => self.merge,
        }
    }

    /// What its value looks like in `mode`; never [`Form::ByMode`].
    #[must_use]
    pub fn form(&self, mode: Mode) -> Form {
        match (self.form, mode) {
            (Form::ByMode { batch, .. }, Mode::Batch) => *batch,
            (Form::ByMode { stream, .. }, Mode::Stream) => *stream,
            (Form::ByMode { merge, .. }, Mode::Merge) => *merge,
            (form @ (Form::Number { .. } | Form::Word(_) | Form::Text(_)), _) => form,
        }
    }

    /// One row of the table of `mode` in docs/configuration.md; `None` where the mode has no use for it.
    #[must_use]
    pub fn documented(&self, mode: Mode) -> Option<String> {
        let Self { name, help, .. } = self;
        let (need, form) = (self.need(mode)?, self.form(mode));
        Some(format!("| `{name}` | {need} | {form} | {help} |"))
    }

    /// When `mode` needs it, and what its absence means; `None` where the mode has no use for it.
    #[must_use]
    pub fn need(&self, mode: Mode) -> Option<String> {
        let need = match self.presence(mode) {
            Presence::Unused => return None,
            Presence::Required => "required".to_owned(),
            Presence::OneOf(other) => format!("this or `{other}`"),
            Presence::With(other) => format!("with `{other}`, or neither"),
            Presence::Optional(absent) => format!("optional; absent: {absent}"),
        };
        Some(match self.applies.condition(mode) {
            None => need,
            Some(condition) => format!("{need}; {condition}"),
        })
    }

    /// The modes that use it.
    pub fn modes(&self) -> impl Iterator<Item = Mode> {
        let uses = |mode: &Mode| self.presence(*mode) != Presence::Unused;
        Mode::ALL.into_iter().filter(uses)
    }
}

impl Applies {
    /// In words; `None` where it holds for all that `mode` may read.
    fn condition(self, mode: Mode) -> Option<&'static str> {
        match (self, mode) {
            (Self::Always, _) => None,
            (
                Self::Objects
                | Self::Csv
                | Self::Json
                | Self::Messages
                | Self::Windows
                | Self::Https,
                Mode::Stream,
            ) => None,
            // None of them has a meaning there.
            (
                Self::Objects
                | Self::Csv
                | Self::Json
                | Self::Messages
                | Self::Windows
                | Self::Https
                | Self::Shard,
                Mode::Merge,
            )
            | (Self::Whole, Mode::Stream | Mode::Merge) => None,
            (Self::Whole, Mode::Batch) => Some("not with `SHARD`"),
            (Self::Shard, _) => Some("only with `SHARD`"),
            (Self::Objects, Mode::Batch) => Some("not with `range:`"),
            (Self::Csv, Mode::Batch) => Some("only with csv"),
            (Self::Json, Mode::Batch) => Some("only with ndjson, json or capture"),
            (Self::Messages, Mode::Batch) => Some("only with capture"),
            (Self::Windows, Mode::Batch) => Some("only with `EVENT_TIME`"),
            (Self::Https, Mode::Batch) => Some("only where what is read is `https://`"),
            (Self::Raw, _) => Some("only with `CAPTURE` raw"),
            (Self::S3, _) => Some("only with `s3://`"),
            (Self::S3Input, _) => Some("only where what is read is `s3://`"),
            (Self::S3Output, _) => Some("only where OUTPUT is `s3://`"),
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Form::Number { least, most } => write!(f, "a whole number from {least} to {most}"),
            Form::Text(text) => f.write_str(text),
            Form::ByMode {
                batch,
                stream,
                merge,
            } => write!(f, "batch: {batch}; stream: {stream}; merge: {merge}"),
            Form::Word(words) => {
                for (index, word) in words.iter().enumerate() {
                    let before = match index {
                        0 => "",
                        _ if index + 1 == words.len() => " or ",
                        _ => ", ",
                    };
                    write!(f, "{before}`{word}`")?;
                }
                Ok(())
            }
        }
    }
}

/// What `windrow --help` prints.
#[must_use]
pub fn help() -> String {
    let mut text = String::from(
        "windrow turns objects, or live feeds, into SQL rollups, then exits.

usage:
  windrow batch         reads finite inputs, runs the query, writes artifacts, commits, exits
  windrow merge         combines the results of shards into the one that a single worker would have written
  windrow check batch   validates the configuration without reading any input; prints it as JSON
  windrow check stream  the same for a configuration of feeds
  windrow check merge   the same for a configuration of a merge
  windrow verify URI    re-reads what the manifest at URI names and compares sizes and SHA-256
  windrow --help | --version

The environment decides the rest:
",
    );
    for variable in ALL {
        let Variable {
            name, form, help, ..
        } = variable;
        let modes = || variable.modes();
        let needs: Vec<_> = modes().filter_map(|mode| variable.need(mode)).collect();
        let first = needs.first().cloned().unwrap_or_default();
        let in_modes = |of: &dyn Fn(Mode) -> String| -> Vec<String> {
            modes()
                .map(|mode| format!("{}: {}", mode.word(), of(mode)))
                .collect()
        };
        let need = match needs.len() == Mode::ALL.len() && needs.iter().all(|need| *need == first) {
            true => first,
            false => in_modes(&|mode| variable.need(mode).unwrap_or_default()).join(". "),
        };
        text.push_str(&format!("\n  {PREFIX}{name}  ({need})\n      {help}\n"));
        match form {
            Form::ByMode { .. } => {
                for line in in_modes(&|mode| variable.form(mode).to_string()) {
                    text.push_str(&format!("      {line}\n"));
                }
            }
            Form::Number { .. } | Form::Word(_) | Form::Text(_) => {
                text.push_str(&format!("      {form}\n"));
            }
        }
    }
    text.push_str("\nexit codes: 0 done and committed, 64 command line, 65 data or memory, 66 input, 69 unavailable or outcome\nunknown, 70 defect, 73 RUN_ID taken, 74 local I/O, 75 interrupted, 76 protocol, 77 denied, 78 configuration\n");
    text
}

/// The known name that `unknown` (without [`PREFIX`]) was probably meant to be: a slip of it, or its start.
#[must_use]
pub fn nearest(unknown: &str) -> Option<&'static str> {
    let names = || ALL.iter().map(|variable| variable.name);
    let starts = |whole: &str, start: &str| start.len() >= 5 && whole.starts_with(start);
    suggest::nearest(unknown, names())
        .or_else(|| names().find(|name| starts(name, unknown) || starts(unknown, name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f003_the_nearest_known_name_is_suggested_where_one_is_near() {
        for (unknown, want) in [
            ("INPUTS", Some("INPUT")),
            ("input", Some("INPUT")),
            ("RUNID", Some("RUN_ID")),
            ("MAX_RUNTIME", Some("MAX_RUNTIME_SECONDS")),
            ("COLUMN", Some("COLUMNS")),
            ("QUERRY_URI", Some("QUERY_URI")),
            ("OUTPUT_FORMATS", Some("OUTPUT_FORMAT")),
            ("DRAIN", Some("DRAIN_SECONDS")),
            ("SHRAD", Some("SHARD")),
            ("SPLITS", Some("SPLIT")),
            ("SHARDED", Some("SHARD")),
            ("EVENTTIME", Some("EVENT_TIME")),
            ("LATENESS", Some("LATENESS_SECONDS")),
            ("SEQENCE", Some("SEQUENCE")),
            ("IDLE_TIMEOUT", Some("IDLE_TIMEOUT_SECONDS")),
            ("CAPTURES", Some("CAPTURE")),
            ("PART_SECOND", Some("PART_SECONDS")),
            ("SUBSCRIBES", Some("SUBSCRIBE")),
            ("HEART_BEAT", Some("HEARTBEAT")),
            ("HEADER", Some("HEADERS")),
            ("ON_DISCONECT", Some("ON_DISCONNECT")),
            ("S3_ATTEMPT", Some("S3_ATTEMPTS")),
            ("X", None),
            ("", None),
        ] {
            assert_eq!(nearest(unknown), want, "{unknown}");
        }
    }

    #[test]
    fn partners_name_each_other_and_names_are_distinct() {
        for variable in ALL {
            assert_eq!(
                ALL.iter()
                    .filter(|other| other.name == variable.name)
                    .count(),
                1
            );
            let find = |name| ALL.into_iter().find(|known| known.name == name).unwrap();
            for mode in Mode::ALL {
                let (other, back) = match variable.presence(mode) {
                    Presence::OneOf(other) => (find(other), Presence::OneOf(variable.name)),
                    Presence::With(other) => (find(other), Presence::With(variable.name)),
                    Presence::Unused | Presence::Required | Presence::Optional(_) => continue,
                };
                assert_eq!(other.presence(mode), back);
                assert_eq!(other.applies, variable.applies);
            }
        }
    }

    #[test]
    fn help_names_every_variable() {
        let help = help();
        for variable in ALL {
            assert!(help.contains(&format!("{PREFIX}{}  (", variable.name)));
        }
    }
}
