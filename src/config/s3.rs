//! What `s3://` URIs and the S3 variables say (SPEC 3): buckets and keys, taken literally, who asks, and encryption. Pure.
//!
//! The variables stand in the table from the day that INPUT and OUTPUT take `s3://`.

use std::fmt;

use super::given::quoted;
use super::problem::Fault;
use super::redact;
use super::uri::segment_matches;
use crate::limits::KEY_BYTES;

/// Longest name that a run gives an object below `OUTPUT/RUN_ID/`, its shard's directory included.
const ARTIFACT_NAME_BYTES: usize = 64;

/// `s3://bucket/prefix`, where artifacts go.
///
/// Invariant: the prefix does not start or end with a `/`; it may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketPrefix {
    /// The bucket.
    pub bucket: String,
    /// What all keys start with, before a `/`.
    pub prefix: String,
}

/// What one `s3://` element of INPUT names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectPattern {
    /// The bucket.
    pub bucket: String,
    /// A key; everything below a prefix, where it is empty or ends with a `/`; or with one `*` in some segments, a glob.
    pub key: String,
}

/// S3_INPUT_ACCESS
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputAccess {
    /// `signed`, and where it is absent.
    Signed,
    /// `requester-pays`
    RequesterPays,
    /// `unsigned`
    Unsigned,
}

/// OUTPUT_SSE
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputSse {
    /// `AES256`
    Aes256,
    /// `aws:kms:KEY_ARN`
    Kms(String),
}

impl BucketPrefix {
    /// Reads OUTPUT; a `/` at its end is dropped.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let (bucket, key) = split(text)?;
        let prefix = key.strip_suffix('/').unwrap_or(key);
        let has_empty = !prefix.is_empty() && prefix.split('/').any(str::is_empty);
        if has_empty {
            return Err(Fault::new(
                "a prefix without empty segments",
                redact::uri(text),
                "take out the slash too many",
            ));
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        })
    }

    /// Whether the keys of a run named so have room (FAULTS 53).
    ///
    /// # Errors
    /// That they have not.
    pub fn check_room(&self, run_id: &str) -> Result<(), Fault> {
        let bytes = self.prefix.len() + 1 + run_id.len() + 1 + ARTIFACT_NAME_BYTES;
        match bytes > KEY_BYTES {
            false => Ok(()),
            true => Err(Fault::new(
                format!("keys of at most {KEY_BYTES} bytes"),
                format!("up to {bytes} bytes with RUN_ID and the artifacts' names"),
                "shorten OUTPUT or RUN_ID",
            )),
        }
    }
}

impl fmt::Display for BucketPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        write!(f, "s3://{}{slash}{}", self.bucket, self.prefix)
    }
}

impl ObjectPattern {
    /// Reads an element of INPUT. Keys are taken literally: `//`, `.` and `..` in them mean themselves.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let (bucket, key) = split(text)?;
        let fault =
            |expected: &str, advice: &str| Err(Fault::new(expected, redact::uri(text), advice));
        let stars = |segment: &str| segment.matches('*').count();
        if key.split('/').any(|segment| stars(segment) > 1) {
            return fault(
                "at most one `*` in each segment",
                "list the globs in a JSON array",
            );
        }
        if key.contains('*') && key.ends_with('/') {
            return fault(
                "a glob of objects, or a prefix without `*`",
                "end the glob with `/*`, or list the prefixes in a JSON array",
            );
        }
        if key.len() > KEY_BYTES {
            return fault("a key of at most 1,024 bytes", "no object has a longer one");
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        })
    }

    /// Whether objects below `output`/`run_id`/ could be among those it names (FAULTS 122).
    #[must_use]
    pub fn reaches(&self, output: &BucketPrefix, run_id: &str) -> bool {
        if self.bucket != output.bucket {
            return false;
        }
        let written = match output.prefix.is_empty() {
            true => format!("{run_id}/"),
            false => format!("{}/{run_id}/", output.prefix),
        };
        let is_below = self.key.is_empty() || self.key.ends_with('/');
        match is_below {
            true => written.starts_with(&self.key),
            // The artifacts' own names stand against what goes deeper: any of them may match.
            false => {
                let segments = self
                    .key
                    .split('/')
                    .zip(written.trim_end_matches('/').split('/'));
                let goes_deeper = self.key.matches('/').count() >= written.matches('/').count();
                goes_deeper
                    && segments
                        .into_iter()
                        .all(|(pattern, name)| segment_matches(pattern, name))
            }
        }
    }
}

impl fmt::Display for ObjectPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

impl InputAccess {
    /// The words of S3_INPUT_ACCESS.
    pub const WORDS: [&'static str; 3] = ["signed", "requester-pays", "unsigned"];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Signed => "signed",
            Self::RequesterPays => "requester-pays",
            Self::Unsigned => "unsigned",
        }
    }

    /// The access of one of the words.
    #[must_use]
    pub fn of(word: &str) -> Self {
        match word {
            "requester-pays" => Self::RequesterPays,
            "unsigned" => Self::Unsigned,
            _ => Self::Signed,
        }
    }
}

impl OutputSse {
    /// Reads OUTPUT_SSE.
    ///
    /// # Errors
    /// Anything but `AES256` and `aws:kms:` with the ARN of a key.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        if text == "AES256" {
            return Ok(Self::Aes256);
        }
        let key = text.strip_prefix("aws:kms:").filter(|key| {
            let is_arn = key.starts_with("arn:") && key.matches(':').count() >= 5;
            is_arn && key.bytes().all(|byte| byte.is_ascii_graphic())
        });
        match key {
            Some(key) => Ok(Self::Kms(key.to_owned())),
            None => Err(Fault::new(
                "`AES256`, or `aws:kms:` and the ARN of a key",
                quoted(text),
                "a key without its ARN would be looked for in the wrong account",
            )),
        }
    }
}

/// Bucket and key of a URI.
/// Source: "General purpose bucket naming rules", Amazon S3 User Guide.
fn split(text: &str) -> Result<(&str, &str), Fault> {
    let fault = |expected: &str, advice: &str| Fault::new(expected, redact::uri(text), advice);
    let Some(rest) = text.strip_prefix("s3://") else {
        return Err(fault("s3://BUCKET/KEY", "write it as a URI"));
    };
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    let is_inner =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
    let is_edge = |byte: Option<u8>| {
        byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let is_name = (3..=63).contains(&bucket.len())
        && bucket.bytes().all(is_inner)
        && is_edge(bucket.bytes().next())
        && is_edge(bucket.bytes().next_back())
        && !bucket.contains("..");
    match is_name {
        true => Ok((bucket, key)),
        false => Err(fault(
            "a bucket's name: 3 to 63 of a-z, 0-9, dot and hyphen, with a letter or digit at either end",
            "correct the name",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs() {
        let long = format!("s3://buc/{}", "p".repeat(1_024));
        for (text, want) in [
            ("s3://buc/a/b", Some("s3://buc/a/b")),
            ("s3://buc/a/b/", Some("s3://buc/a/b")),
            ("s3://buc", Some("s3://buc")),
            ("s3://buc/", Some("s3://buc")),
            ("s3://a.b-c/x y", Some("s3://a.b-c/x y")),
            ("s3://buc//a", None),
            ("s3://buc/a//b", None),
            ("s3://ab/x", None),
            ("s3://Buc/x", None),
            ("s3://-uc/x", None),
            ("s3://b..c/x", None),
            ("s3://me:pass@buc/x", None),
            ("s3:///x", None),
            ("file:///x", None),
        ] {
            let found = BucketPrefix::parse(text)
                .ok()
                .map(|prefix| prefix.to_string());
            assert_eq!(found.as_deref(), want, "{text}");
        }
        let prefix = BucketPrefix::parse(&long).unwrap();
        assert!(prefix.check_room("r").is_err(), "f053");
    }

    #[test]
    fn f053_room_for_keys() {
        for (bytes, want) in [(1_024 - 64 - 2 - 1, true), (1_024 - 64 - 2, false)] {
            let prefix = BucketPrefix {
                bucket: "buc".into(),
                prefix: "p".repeat(bytes),
            };
            assert_eq!(prefix.check_room("r").is_ok(), want, "{bytes}");
        }
    }

    #[test]
    fn inputs() {
        for (text, want) in [
            ("s3://buc/a//b/./..", true),
            ("s3://buc/", true),
            ("s3://buc/y=*/m=*/x-*.gz", true),
            ("s3://buc/a*b*", false),
            ("s3://buc/a*/", false),
        ] {
            assert_eq!(ObjectPattern::parse(text).is_ok(), want, "{text}");
        }
        for (bytes, want) in [(1_024, true), (1_025, false)] {
            let text = format!("s3://buc/{}", "k".repeat(bytes));
            assert_eq!(ObjectPattern::parse(&text).is_ok(), want, "f053 {bytes}");
        }
    }

    #[test]
    fn f122_output_inside_input() {
        for (input, output, want) in [
            ("s3://buc/", "s3://buc/out", true),
            ("s3://buc/out/", "s3://buc/out", true),
            ("s3://buc/out/run/", "s3://buc/out", true),
            ("s3://buc/out/other/", "s3://buc/out", false),
            ("s3://buc/ou/", "s3://buc/out", false),
            ("s3://other/", "s3://buc/out", false),
            ("s3://buc/*/*/*", "s3://buc/out", true),
            ("s3://buc/out/run/*.csv", "s3://buc/out", true),
            ("s3://buc/out/*.csv", "s3://buc/out", false),
            ("s3://buc/*", "s3://buc", false),
            ("s3://buc/*/x", "s3://buc", true),
            ("s3://buc/out/run", "s3://buc/out", false),
        ] {
            let pattern = ObjectPattern::parse(input).unwrap();
            let output = BucketPrefix::parse(output).unwrap();
            assert_eq!(pattern.reaches(&output, "run"), want, "{input} {output}");
        }
    }

    #[test]
    fn encryption_and_access() {
        let arn = "arn:aws:kms:eu-central-1:111122223333:key/1234";
        for (text, want) in [
            ("AES256", Some(OutputSse::Aes256)),
            (&format!("aws:kms:{arn}"), Some(OutputSse::Kms(arn.into()))),
            ("aws:kms", None),
            ("aws:kms:", None),
            ("aws:kms:1234", None),
            ("aes256", None),
            (&format!("aws:kms:{arn}\n"), None),
        ] {
            assert_eq!(OutputSse::parse(text).ok(), want, "{text}");
        }
        let all = InputAccess::WORDS.map(InputAccess::of);
        let want = [
            InputAccess::Signed,
            InputAccess::RequesterPays,
            InputAccess::Unsigned,
        ];
        assert_eq!(all, want);
    }
}
