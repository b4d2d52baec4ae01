//! Where a run reads and writes, parsed (SPEC 3, INPUT and OUTPUT). A value of one of these types is proof of its
//! form; nothing here touches a file.

use std::fmt;

use super::https::HttpsUri;
use super::problem::Fault;
use super::redact;
use super::s3::{BucketPrefix, ObjectPattern};

/// What INPUT says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputUris {
    /// Objects, by one pattern or several, in this order.
    Objects(Vec<InputUri>),
    /// The numbers from `start`, `end` excluded.
    Range(NumberRange),
}

/// `range:START..END`. Invariant: `start <= end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberRange {
    /// The first number.
    pub start: i64,
    /// One past the last.
    pub end: i64,
}

/// `file:///abs/path`, taken literally: no percent-decoding, as SPEC 3 says.
///
/// Invariant: absolute, no segment is empty, `.` or `..`; no `/` at the end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileUri {
    path: String,
}

/// What one element of INPUT names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilePattern {
    /// This file.
    File(FileUri),
    /// Every file below this directory, in key order (`file:///dir/`).
    Below(FileUri),
    /// The files that match: at most one `*` in each segment, which stands for any characters but `/`.
    Glob(FileUri),
}

/// One element of INPUT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputUri {
    /// Files.
    File(FilePattern),
    /// Objects of a bucket.
    S3(ObjectPattern),
    /// One object, over HTTP.
    Https(HttpsUri),
}

/// OUTPUT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputUri {
    /// A directory.
    File(FileUri),
    /// A prefix of a bucket.
    S3(BucketPrefix),
}

/// One object that a variable points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextUri {
    /// A file.
    File(FileUri),
    /// An object of a bucket; its key is taken literally, a `*` too.
    S3(ObjectPattern),
    /// An object over HTTP.
    Https(HttpsUri),
}

const S3: &str = "s3://";

impl InputUri {
    /// # Errors
    /// Those of its scheme.
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        match text.starts_with(S3) {
            true => ObjectPattern::parse(text).map(Self::S3),
            false if HttpsUri::is_meant(text) => HttpsUri::parse(text).map(Self::Https),
            false => FilePattern::parse(text).map(Self::File),
        }
    }

    /// What stands before the last `/` of what it names: where one capture's parts all are.
    pub(super) fn directory(&self) -> String {
        let text = match self {
            Self::Https(uri) => uri
                .expose()
                .split('?')
                .next()
                .unwrap_or_default()
                .to_owned(),
            Self::File(_) | Self::S3(_) => self.to_string(),
        };
        text.rsplit_once('/')
            .map_or(String::new(), |(directory, _)| directory.to_owned())
    }

    /// Whether objects below `output`/`run_id`/ could be among those it names (FAULTS 122).
    #[must_use]
    pub fn reaches(&self, output: &OutputUri, run_id: &str) -> bool {
        match (self, output) {
            (Self::File(pattern), OutputUri::File(output)) => pattern.reaches(output, run_id),
            (Self::S3(pattern), OutputUri::S3(output)) => pattern.reaches(output, run_id),
            (Self::File(_), OutputUri::S3(_))
            | (Self::S3(_), OutputUri::File(_))
            | (Self::Https(_), _) => false,
        }
    }
}

impl OutputUri {
    /// `file:///abs/dir` or `s3://bucket/prefix`; one slash at its end is dropped.
    ///
    /// # Errors
    /// Those of its scheme.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        match text.starts_with(S3) {
            true => BucketPrefix::parse(text).map(Self::S3),
            false => FileUri::parse(text.strip_suffix('/').unwrap_or(text)).map(Self::File),
        }
    }
}

impl TextUri {
    /// `file:///abs/path`, `s3://bucket/key` or `https://…`.
    ///
    /// # Errors
    /// Those of its scheme, and a key that names no one object.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        if HttpsUri::is_meant(text) {
            return HttpsUri::parse(text).map(Self::Https);
        }
        if !text.starts_with(S3) {
            return FileUri::parse(text).map(Self::File);
        }
        let object = ObjectPattern::parse(text)?;
        match object.key.is_empty() || object.key.ends_with('/') {
            true => {
                let found = redact::uri(text);
                Err(Fault::new(
                    "the key of one object",
                    found,
                    "a prefix holds no text",
                ))
            }
            false => Ok(Self::S3(object)),
        }
    }
}

impl fmt::Display for InputUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(pattern) => pattern.fmt(f),
            Self::S3(pattern) => pattern.fmt(f),
            Self::Https(uri) => uri.fmt(f),
        }
    }
}

impl fmt::Display for OutputUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(uri) => uri.fmt(f),
            Self::S3(prefix) => prefix.fmt(f),
        }
    }
}

impl fmt::Display for TextUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(uri) => uri.fmt(f),
            Self::S3(object) => object.fmt(f),
            Self::Https(uri) => uri.fmt(f),
        }
    }
}

impl InputUris {
    /// One URI, or a JSON array of them.
    ///
    /// # Errors
    /// The fault of the first element that has one.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let uris = listed(text)?;
        if let [only] = uris.as_slice()
            && let Some(range) = only.strip_prefix("range:")
        {
            return NumberRange::parse(range).map(Self::Range);
        }
        let parsed: Result<_, _> = uris.iter().map(|uri| InputUri::parse(uri)).collect();
        parsed.map(Self::Objects)
    }
}

/// The texts of a JSON array, at least one; a text that is none stands for itself.
pub(super) fn listed(text: &str) -> Result<Vec<String>, Fault> {
    if !text.starts_with('[') {
        return Ok(vec![text.to_owned()]);
    }
    let uris: Vec<String> = serde_json::from_slice(text.as_bytes()).map_err(|fault| {
        Fault::new(
            "a JSON array of strings",
            fault.to_string(),
            "one URI needs no brackets",
        )
    })?;
    match uris.is_empty() {
        true => Err(Fault::new("at least one URI", "an empty array", "")),
        false => Ok(uris),
    }
}

impl fmt::Display for NumberRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "range:{}..{}", self.start, self.end)
    }
}

impl NumberRange {
    fn parse(text: &str) -> Result<Self, Fault> {
        let fault = |advice: &str| {
            Fault::new(
                "range:START..END with two integers of 64 bits, START not above END",
                redact::uri(&format!("range:{text}")),
                advice,
            )
        };
        let number = |text: &str| {
            let digits = text.strip_prefix('-').unwrap_or(text);
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(fault("write only digits, with a minus where needed"));
            }
            text.parse::<i64>()
                .map_err(|_| fault("numbers go from -9223372036854775808 to 9223372036854775807"))
        };
        let (start, end) = text
            .split_once("..")
            .ok_or_else(|| fault("write two dots between the numbers"))?;
        let (start, end) = (number(start)?, number(end)?);
        if start > end {
            return Err(fault("END is excluded; START..START is an empty range"));
        }
        Ok(Self { start, end })
    }
}

impl FileUri {
    /// `file:///abs/path`; a `*` in it is a character like any other.
    ///
    /// # Errors
    /// Another scheme, a host, a relative path, an empty, `.` or `..` segment.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let fault = |expected: &str, advice: &str| Fault::new(expected, redact::uri(text), advice);
        let Some(rest) = text.strip_prefix("file://") else {
            return Err(other_scheme(text));
        };
        let Some(path) = rest.strip_prefix('/') else {
            return Err(fault(
                "file:// and an absolute path, three slashes in all",
                "a relative path or a host cannot be given",
            ));
        };
        for segment in path.split('/') {
            match segment {
                "" => {
                    return Err(fault(
                        "a path without empty segments",
                        "take out the slash too many",
                    ));
                }
                "." | ".." => {
                    return Err(fault(
                        "a path without `.` and `..`",
                        "write the path that is meant",
                    ));
                }
                _ => {}
            }
        }
        Ok(Self {
            path: rest.to_owned(),
        })
    }

    /// The absolute path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Its parts, from the root down.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.path.split('/').skip(1)
    }
}

impl fmt::Display for FileUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "file://{}", self.path)
    }
}

impl FilePattern {
    /// `file:///abs/path`, `file:///abs/dir/`, or a path with one `*` in some segments.
    ///
    /// # Errors
    /// As [`FileUri::parse`], and two `*` in a segment, or a glob that ends in a slash.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        if text.starts_with("range:") {
            return Err(Fault::new(
                "files, or one range alone",
                "a range among other URIs",
                "run it on its own",
            ));
        }
        let directory = text
            .strip_suffix('/')
            .filter(|path| path.len() > "file://".len());
        let uri = FileUri::parse(directory.unwrap_or(text))?;
        let fault =
            |expected: &str, advice: &str| Err(Fault::new(expected, redact::uri(text), advice));
        if uri
            .segments()
            .any(|segment| segment.matches('*').count() > 1)
        {
            return fault(
                "at most one `*` in each segment",
                "list the globs in a JSON array",
            );
        }
        match (directory.is_some(), uri.path.contains('*')) {
            (true, true) => fault(
                "a glob of files, or a directory without `*`",
                "end the glob with `/*`, or list the directories in a JSON array",
            ),
            (true, false) => Ok(Self::Below(uri)),
            (false, true) => Ok(Self::Glob(uri)),
            (false, false) => Ok(Self::File(uri)),
        }
    }

    /// The path with its `*` and without the slash of a directory.
    #[must_use]
    pub fn uri(&self) -> &FileUri {
        match self {
            Self::File(uri) | Self::Below(uri) | Self::Glob(uri) => uri,
        }
    }

    /// Whether objects below `output`/`run_id`/ could be among those it names, or a directory on the way to them.
    #[must_use]
    pub fn reaches(&self, output: &FileUri, run_id: &str) -> bool {
        // Where the pattern goes deeper, the artifacts' own names stand against it: any of them may match.
        let written = output.segments().chain([run_id]);
        self.uri()
            .segments()
            .zip(written)
            .all(|(pattern, name)| segment_matches(pattern, name))
    }
}

impl fmt::Display for FilePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(uri) | Self::Glob(uri) => uri.fmt(f),
            Self::Below(uri) => write!(f, "{uri}/"),
        }
    }
}

/// Whether `name` is `pattern`, in which a `*` stands for any characters, none included.
#[must_use]
pub fn segment_matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => name
            .strip_prefix(before)
            .is_some_and(|rest| rest.ends_with(after)),
    }
}

/// What to say of a URI that is no `file://`.
fn other_scheme(text: &str) -> Fault {
    let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
    let authority = text.split_once("://").map_or("", |(_, rest)| {
        rest.split(['/', '?', '#']).next().unwrap_or_default()
    });
    let (expected, advice) = if authority.contains('@') && scheme != "s3" {
        (
            "a URI without user and password",
            "credentials never stand in a URI",
        )
    } else {
        match scheme {
            "https" | "http" => (
                "file:///abs/path or s3://bucket/key",
                "nothing is written over http",
            ),
            "ws" | "wss" => (
                "file:///abs/path or s3://bucket/key",
                "a WebSocket feed is for the INPUT of `windrow stream`",
            ),
            "file" => ("file:///abs/path", "three slashes and an absolute path"),
            "range" => ("file:///abs/path", "a range is for INPUT only"),
            _ => (
                "file:///abs/path or s3://bucket/key",
                "a path is written as a URI",
            ),
        }
    };
    Fault::new(expected, redact::uri(text), advice)
}
