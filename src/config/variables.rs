//! Every variable that windrow knows, in one table: parsing, hints, `--help` and docs/configuration.md all read it
//! (SPEC 3). A variable is listed from the day it works; before that its name is unknown like any other.

use std::fmt;

use super::s3::InputAccess;
use crate::query::suggest;

/// What all names start with in the environment.
pub const PREFIX: &str = "WINDROW_";

/// One variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name, without [`PREFIX`].
    pub name: &'static str,
    /// For which inputs it has a meaning; elsewhere it is refused.
    pub applies: Applies,
    /// Whether `batch` needs it.
    pub batch: Presence,
    /// What its value looks like.
    pub form: Form,
    /// What it decides.
    pub help: &'static str,
}

/// For which inputs a variable has a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applies {
    /// Any.
    Always,
    /// All but `range:`.
    Objects,
    /// INPUT_FORMAT csv.
    Csv,
    /// INPUT_FORMAT ndjson or json.
    Json,
    /// Where any `s3://` is used.
    S3,
    /// Where INPUT, QUERY_URI or COLUMNS_URI is `s3://`.
    S3Input,
    /// Where OUTPUT is `s3://`.
    S3Output,
    /// Where INPUT, QUERY_URI or COLUMNS_URI is `https://`.
    Https,
}

/// Whether a mode needs a variable, where it applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It must be there.
    Required,
    /// It or this other one must be there, never both.
    OneOf(&'static str),
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
}

/// INPUT
pub const INPUT: Variable = Variable {
    name: "INPUT",
    applies: Applies::Always,
    batch: Presence::Required,
    form: Form::Text(
        "a URI, or a JSON array of URIs: `s3://bucket/key` or `file:///abs/path`, `s3://bucket/prefix/` or `file:///abs/dir/` for everything below it, one `*` in a path segment as a glob; `https://…`; or `range:START..END`",
    ),
    help: "what is read, in this order; a range is one BIGINT column `i`, END excluded",
};
/// INPUT_FORMAT
pub const INPUT_FORMAT: Variable = Variable {
    name: "INPUT_FORMAT",
    applies: Applies::Objects,
    batch: Presence::Required,
    form: Form::Word(&["csv", "ndjson", "json"]),
    help: "how records are written in the input; json is one document an object",
};
/// RECORDS
pub const RECORDS: Variable = Variable {
    name: "RECORDS",
    applies: Applies::Json,
    batch: Presence::Optional("the document is the record"),
    form: Form::Text("a JSON path of an array such as `data[*]`"),
    help: "where in a document its records are",
};
/// CSV_HEADER
pub const CSV_HEADER: Variable = Variable {
    name: "CSV_HEADER",
    applies: Applies::Csv,
    batch: Presence::Required,
    form: Form::Word(&["present", "absent"]),
    help: "whether the first record of each object names the fields",
};
/// CSV_DELIMITER
pub const CSV_DELIMITER: Variable = Variable {
    name: "CSV_DELIMITER",
    applies: Applies::Csv,
    batch: Presence::Optional("a comma"),
    form: Form::Text("one ASCII character, or `tab`"),
    help: "what stands between two fields",
};
/// CSV_NULL
pub const CSV_NULL: Variable = Variable {
    name: "CSV_NULL",
    applies: Applies::Csv,
    batch: Presence::Optional("only the empty field"),
    form: Form::Text("a text such as `NA`"),
    help: "a field that is NULL besides the empty one",
};
/// COLUMNS
pub const COLUMNS: Variable = Variable {
    name: "COLUMNS",
    applies: Applies::Objects,
    batch: Presence::OneOf("COLUMNS_URI"),
    form: Form::Text("`name TYPE [FROM source] [NOT NULL], …`, at most 64 KiB"),
    help: "the columns that the query may use",
};
/// COLUMNS_URI
pub const COLUMNS_URI: Variable = Variable {
    name: "COLUMNS_URI",
    applies: Applies::Objects,
    batch: Presence::OneOf("COLUMNS"),
    form: Form::Text("`file:///abs/path`, `s3://bucket/key` or `https://…`"),
    help: "an object that holds COLUMNS",
};
/// QUERY
pub const QUERY: Variable = Variable {
    name: "QUERY",
    applies: Applies::Always,
    batch: Presence::OneOf("QUERY_URI"),
    form: Form::Text("`SELECT … FROM input …`, at most 64 KiB"),
    help: "what is computed",
};
/// QUERY_URI
pub const QUERY_URI: Variable = Variable {
    name: "QUERY_URI",
    applies: Applies::Always,
    batch: Presence::OneOf("QUERY"),
    form: Form::Text("`file:///abs/path`, `s3://bucket/key` or `https://…`"),
    help: "an object that holds QUERY",
};
/// OUTPUT
pub const OUTPUT: Variable = Variable {
    name: "OUTPUT",
    applies: Applies::Always,
    batch: Presence::Required,
    form: Form::Text("`file:///abs/dir` or `s3://bucket/prefix`"),
    help: "where the run's directory is made; not inside what INPUT names",
};
/// OUTPUT_FORMAT
pub const OUTPUT_FORMAT: Variable = Variable {
    name: "OUTPUT_FORMAT",
    applies: Applies::Always,
    batch: Presence::Required,
    form: Form::Word(&["csv", "ndjson", "csv.gz", "ndjson.gz"]),
    help: "how the rollup is written",
};
/// RUN_ID
pub const RUN_ID: Variable = Variable {
    name: "RUN_ID",
    applies: Applies::Always,
    batch: Presence::Required,
    form: Form::Text("1 to 128 of `A-Z a-z 0-9 . _ -`, not starting with a dot"),
    help: "the run's name below OUTPUT; a name is used once",
};
/// MAX_RUNTIME_SECONDS
pub const MAX_RUNTIME_SECONDS: Variable = Variable {
    name: "MAX_RUNTIME_SECONDS",
    applies: Applies::Always,
    batch: Presence::Required,
    form: Form::Number {
        least: 1,
        most: 604_800,
    },
    help: "the deadline, counted from process start; a batch past it commits nothing",
};
/// ON_BAD_RECORD
pub const ON_BAD_RECORD: Variable = Variable {
    name: "ON_BAD_RECORD",
    applies: Applies::Always,
    batch: Presence::Optional("`fail`"),
    form: Form::Text("`fail`, or `reject:N` with N from 1 to 1000000000000"),
    help: "what a bad record does: end the run with 65, or go to rejected.ndjson, up to N of them",
};
/// HEADERS
pub const HEADERS: Variable = Variable {
    name: "HEADERS",
    applies: Applies::Https,
    batch: Presence::Optional("none"),
    form: Form::Text("a JSON object such as `{\"Authorization\": \"Bearer …\"}`"),
    help: "headers that are sent to every `https://` URI, and shown nowhere",
};
/// S3_ATTEMPTS
pub const S3_ATTEMPTS: Variable = Variable {
    name: "S3_ATTEMPTS",
    applies: Applies::S3,
    batch: Presence::Optional("1"),
    form: Form::Number { least: 1, most: 10 },
    help: "attempts of one S3 request, each freshly signed and counted in the manifest; work is never run again",
};
/// S3_INPUT_ACCESS
pub const S3_INPUT_ACCESS: Variable = Variable {
    name: "S3_INPUT_ACCESS",
    applies: Applies::S3Input,
    batch: Presence::Optional("`signed`"),
    form: Form::Word(&InputAccess::WORDS),
    help: "who asks for the input: the run's credentials, the same and they pay, or nobody",
};
/// S3_INPUT_REGION
pub const S3_INPUT_REGION: Variable = Variable {
    name: "S3_INPUT_REGION",
    applies: Applies::S3Input,
    batch: Presence::Optional("AWS_REGION"),
    form: Form::Text("a region such as `eu-central-1`"),
    help: "the region of the input buckets",
};
/// OUTPUT_SSE
pub const OUTPUT_SSE: Variable = Variable {
    name: "OUTPUT_SSE",
    applies: Applies::S3Output,
    batch: Presence::Optional("as the bucket encrypts by itself"),
    form: Form::Text("`AES256`, or `aws:kms:` and the ARN of a key"),
    help: "how S3 encrypts what is written",
};
/// DRAIN_SECONDS
pub const DRAIN_SECONDS: Variable = Variable {
    name: "DRAIN_SECONDS",
    applies: Applies::Always,
    batch: Presence::Optional("20"),
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
    form: Form::Number {
        least: 1,
        most: 1024,
    },
    help: "workers; never changes the output",
};

/// All of them, in the order of reports, help and documentation.
pub const ALL: [Variable; 22] = [
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
    ON_BAD_RECORD,
    HEADERS,
    S3_ATTEMPTS,
    S3_INPUT_ACCESS,
    S3_INPUT_REGION,
    OUTPUT_SSE,
    DRAIN_SECONDS,
    THREADS,
];

impl Variable {
    /// One row of the table in docs/configuration.md.
    #[must_use]
    pub fn documented(&self) -> String {
        let Self {
            name, form, help, ..
        } = self;
        format!("| `{name}` | {} | {form} | {help} |", self.presence())
    }

    /// When it is needed, and what its absence means.
    #[must_use]
    pub fn presence(&self) -> String {
        let need = match self.batch {
            Presence::Required => "required".to_owned(),
            Presence::OneOf(other) => format!("this or `{other}`"),
            Presence::Optional(absent) => format!("optional; absent: {absent}"),
        };
        match self.applies {
            Applies::Always => need,
            Applies::Objects => format!("{need}; not with `range:`"),
            Applies::Csv => format!("{need}; only with csv"),
            Applies::Json => format!("{need}; only with ndjson or json"),
            Applies::S3 => format!("{need}; only with `s3://`"),
            Applies::S3Input => format!("{need}; only where what is read is `s3://`"),
            Applies::Https => format!("{need}; only where what is read is `https://`"),
            Applies::S3Output => format!("{need}; only where OUTPUT is `s3://`"),
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Form::Number { least, most } => write!(f, "a whole number from {least} to {most}"),
            Form::Text(text) => f.write_str(text),
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
        "windrow turns objects into SQL rollups, then exits.

usage:
  windrow batch         reads finite inputs, runs the query, writes artifacts, commits, exits
  windrow check batch   validates the configuration without reading any input; prints it as JSON
  windrow verify URI    re-reads what the manifest at URI names and compares sizes and SHA-256
  windrow --help | --version

The environment decides the rest:
",
    );
    for variable in ALL {
        let Variable {
            name, form, help, ..
        } = variable;
        text.push_str(&format!(
            "\n  {PREFIX}{name}  ({})\n      {help}\n      {form}\n",
            variable.presence()
        ));
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
            ("SHARD", None),
            ("EVENT_TIME", None),
            ("S3_ATTEMPT", Some("S3_ATTEMPTS")),
            ("SUBSCRIBE", None),
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
            if let Presence::OneOf(other) = variable.batch {
                let other = ALL.iter().find(|known| known.name == other).unwrap();
                assert_eq!(other.batch, Presence::OneOf(variable.name));
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
