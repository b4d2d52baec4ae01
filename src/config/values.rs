//! The smaller values of a configuration, each a type that only a well-formed text becomes.

use std::fmt;

use super::given::{number, quoted};
use super::problem::Fault;
use super::variables;
use crate::encode;
use crate::gzip::Compression;

/// The run's name: 1 to 128 of `A-Z a-z 0-9 . _ -`, not starting with a dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunId(String);

/// What a bad record does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnBadRecord {
    /// It ends the run with 65.
    Fail,
    /// It goes to rejected.ndjson.
    Reject {
        /// Most that may; one more ends the run with 65. At least 1.
        limit: u64,
    },
}

/// How the rollup is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputFormat {
    /// The text of its rows.
    pub rows: encode::Format,
    /// What is done to that text.
    pub compression: Compression,
}

/// Most records that `reject:N` lets go; where more are bad, the columns are wrong.
const REJECT_LIMIT: u64 = 1_000_000_000_000;

impl RunId {
    const CHARACTERS: usize = 128;

    /// # Errors
    /// Any other text.
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let advice = if text.len() > Self::CHARACTERS {
            "shorten it"
        } else if text.starts_with('.') {
            "a name that starts with a dot is hidden or a directory of its own"
        } else if text.bytes().all(allowed) {
            return Ok(Self(text.to_owned()));
        } else {
            "letters, digits, dot, underscore and hyphen are safe in every store"
        };
        Err(Fault::new(
            variables::RUN_ID.form.to_string(),
            quoted(text),
            advice,
        ))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl OnBadRecord {
    /// # Errors
    /// Anything but `fail` and `reject:N`.
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        if text == "fail" {
            return Ok(Self::Fail);
        }
        let limit = text
            .strip_prefix("reject:")
            .and_then(|limit| number(limit, 1, REJECT_LIMIT));
        match limit {
            Some(limit) => Ok(Self::Reject { limit }),
            None => Err(Fault::new(
                variables::ON_BAD_RECORD.form.to_string(),
                quoted(text),
                "",
            )),
        }
    }
}

impl OnBadRecord {
    /// What a document of a run says; `None` where it is none of these words.
    #[must_use]
    pub fn written(text: &str) -> Option<Self> {
        Self::parse(text).ok()
    }
}

impl fmt::Display for OnBadRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fail => f.write_str("fail"),
            Self::Reject { limit } => write!(f, "reject:{limit}"),
        }
    }
}

impl OutputFormat {
    /// How a shard writes what `merge` reads.
    pub const PARTIAL: Self = Self {
        rows: encode::Format::Ndjson,
        compression: Compression::Gzip,
    };

    /// The format of one of the words of OUTPUT_FORMAT.
    pub(super) fn of(word: &str) -> Self {
        let (rows, compression) = match word.strip_suffix(".gz") {
            Some(rows) => (rows, Compression::Gzip),
            None => (word, Compression::None),
        };
        let rows = match rows {
            "ndjson" => encode::Format::Ndjson,
            _ => encode::Format::Csv,
        };
        Self { rows, compression }
    }

    /// The word, which is also what the artifact's name ends in.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match (self.rows, self.compression) {
            (encode::Format::Csv, Compression::None) => "csv",
            (encode::Format::Csv, Compression::Gzip) => "csv.gz",
            (encode::Format::Ndjson, Compression::None) => "ndjson",
            (encode::Format::Ndjson, Compression::Gzip) => "ndjson.gz",
        }
    }
}

/// CSV_DELIMITER: one ASCII character that cannot be mistaken for a quote or a line end.
pub(super) fn delimiter(text: &str) -> Result<u8, Fault> {
    match text.as_bytes() {
        b"tab" => Ok(b'\t'),
        [byte] if byte.is_ascii() && !b"\"\r\n".contains(byte) => Ok(*byte),
        _ => Err(Fault::new(
            variables::CSV_DELIMITER.form.to_string(),
            quoted(text),
            "a quote or a line end cannot be one",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::variables::{Form, OUTPUT_FORMAT};

    #[test]
    fn run_ids() {
        let longest = "a".repeat(128);
        let longer = "a".repeat(129);
        for (text, good) in [
            ("a", true),
            ("2026-01-31.run_7", true),
            ("-", true),
            (&longest, true),
            (&longer, false),
            (".a", false),
            ("..", false),
            ("a/b", false),
            ("a b", false),
            ("ä", false),
            ("a\n", false),
        ] {
            assert_eq!(RunId::parse(text).is_ok(), good, "{text}");
        }
    }

    #[test]
    fn what_bad_records_do() {
        for (text, want) in [
            ("fail", Some(OnBadRecord::Fail)),
            ("reject:1", Some(OnBadRecord::Reject { limit: 1 })),
            (
                "reject:1000000000000",
                Some(OnBadRecord::Reject {
                    limit: 1_000_000_000_000,
                }),
            ),
            ("reject:1000000000001", None),
            ("reject:0", None),
            ("reject:", None),
            ("reject:+1", None),
            ("reject: 1", None),
            ("reject", None),
            ("FAIL", None),
        ] {
            assert_eq!(OnBadRecord::parse(text).ok(), want, "{text}");
            if let Some(parsed) = want {
                assert_eq!(parsed.to_string(), text);
            }
        }
    }

    #[test]
    fn every_word_of_output_format_is_one() {
        let Form::Word(words) = OUTPUT_FORMAT.form else {
            panic!("words")
        };
        for word in words {
            assert_eq!(OutputFormat::of(word).extension(), *word);
        }
    }

    #[test]
    fn delimiters() {
        for (text, want) in [
            (",", Some(b',')),
            ("tab", Some(b'\t')),
            ("\t", Some(b'\t')),
            ("|", Some(b'|')),
            ("\"", None),
            ("\n", None),
            ("\r", None),
            (",,", None),
            ("§", None),
        ] {
            assert_eq!(delimiter(text).ok(), want, "{text:?}");
        }
    }
}
