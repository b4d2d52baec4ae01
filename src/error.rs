//! The one error of a run: what was being done to what, what was expected and found, and what to do (SPEC 8).
//!
//! Pure modules have small problem types of their own; the caller that knows the object lifts them into this one.

use std::fmt::{self, Write};

/// The result of everything that knows what it was doing to which object.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a run ended. Boxed, so that a `Result` in the record loop stays one word.
#[derive(Clone, Debug)]
pub struct Error(Box<Detail>);

/// The facts of an [`Error`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    /// Decides the exit code.
    pub kind: Kind,
    /// What was being done: "reading", "committing".
    pub doing: &'static str,
    /// To what, as far as known.
    pub place: Option<Place>,
    /// What was expected.
    pub expected: String,
    /// What was found, cut and escaped.
    pub found: String,
    /// What to do; never empty.
    pub advice: String,
}

/// Where a run was when it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Place {
    /// The object or file.
    pub uri: String,
    /// 1-based number of the record in the object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<u64>,
    /// Offset in the (uncompressed) object, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset_bytes: Option<u64>,
    /// Name of the column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
}

/// What kind of end it was: one an exit code (sysexits.h, SPEC 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// 64: wrong command line.
    Usage,
    /// 65: bad data, or a limit on data or memory passed.
    Data,
    /// 66: an input is missing, reached twice, or changed while it was read.
    Input,
    /// 69: a needed service did not answer, or the commit's outcome is unknown.
    Unavailable,
    /// 70: a defect in windrow.
    Defect,
    /// 73: the RUN_ID is taken.
    Taken,
    /// 74: local input or output failed.
    LocalIo,
    /// 75: interrupted, or past the deadline.
    Interrupted,
    /// 76: the other side broke its protocol.
    Protocol,
    /// 77: access denied.
    Denied,
    /// 78: configuration.
    Config,
}

impl Kind {
    /// Every kind, in the order of its exit code.
    pub const ALL: [Kind; 11] = [
        Kind::Usage,
        Kind::Data,
        Kind::Input,
        Kind::Unavailable,
        Kind::Defect,
        Kind::Taken,
        Kind::LocalIo,
        Kind::Interrupted,
        Kind::Protocol,
        Kind::Denied,
        Kind::Config,
    ];

    /// The exit code of SPEC 8.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Usage => 64,
            Kind::Data => 65,
            Kind::Input => 66,
            Kind::Unavailable => 69,
            Kind::Defect => 70,
            Kind::Taken => 73,
            Kind::LocalIo => 74,
            Kind::Interrupted => 75,
            Kind::Protocol => 76,
            Kind::Denied => 77,
            Kind::Config => 78,
        }
    }

    /// The word that logs and failure.json use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Usage => "usage",
            Kind::Data => "data",
            Kind::Input => "input",
            Kind::Unavailable => "unavailable",
            Kind::Defect => "defect",
            Kind::Taken => "taken",
            Kind::LocalIo => "local_io",
            Kind::Interrupted => "interrupted",
            Kind::Protocol => "protocol",
            Kind::Denied => "denied",
            Kind::Config => "config",
        }
    }
}

impl Error {
    /// An error of `kind` while `doing` something; add the place with [`Error::at`].
    #[must_use]
    pub fn new(
        kind: Kind,
        doing: &'static str,
        expected: impl Into<String>,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self(Box::new(Detail {
            kind,
            doing,
            place: None,
            expected: expected.into(),
            found: found.into(),
            advice: advice.into(),
        }))
    }

    /// A case that cannot happen, did: exit 70 with what was seen.
    #[must_use]
    pub fn defect(doing: &'static str, found: impl Into<String>) -> Self {
        Self::new(
            Kind::Defect,
            doing,
            "a state that the code rules out",
            found,
            "this is a defect in windrow: please report it with this message",
        )
    }

    /// A local file operation failed: 74.
    #[must_use]
    pub fn local_io(doing: &'static str, uri: impl Into<String>, cause: &std::io::Error) -> Self {
        Self::new(
            Kind::LocalIo,
            doing,
            "the operation to succeed",
            cause.to_string(),
            "look at the disk, the path and its permissions",
        )
        .at_uri(uri)
    }

    /// The same error, with another `found`.
    #[must_use]
    pub fn with_found(mut self, found: impl Into<String>) -> Self {
        self.0.found = found.into();
        self
    }

    /// The same error, with other advice.
    #[must_use]
    pub fn with_advice(mut self, advice: impl Into<String>) -> Self {
        self.0.advice = advice.into();
        self
    }

    /// The same error, at `place`.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.0.place = Some(place);
        self
    }

    /// The same error, at the object `uri`.
    #[must_use]
    pub fn at_uri(self, uri: impl Into<String>) -> Self {
        self.at(Place {
            uri: uri.into(),
            ..Place::default()
        })
    }

    /// The facts.
    #[must_use]
    pub fn detail(&self) -> &Detail {
        &self.0
    }

    /// The kind, which decides the exit code.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.uri)?;
        if let Some(record) = self.record {
            write!(f, ", record {record}")?;
        }
        if let Some(offset) = self.offset_bytes {
            write!(f, ", byte {offset}")?;
        }
        if let Some(column) = &self.column {
            write!(f, ", column {column}")?;
        }
        Ok(())
    }
}

/// One line: doing what to what; expected, found; what to do.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail = self.detail();
        f.write_str(detail.doing)?;
        if let Some(place) = &detail.place {
            write!(f, " {place}")?;
        }
        write!(
            f,
            ": expected {}, found {}; {}",
            detail.expected, detail.found, detail.advice
        )
    }
}

impl std::error::Error for Error {}

/// Text from outside, safe to print: control characters escaped, invalid UTF-8 as `\xNN`, cut at `limit` characters.
#[must_use]
pub fn shown(raw: &[u8], limit: usize) -> String {
    let mut text = String::new();
    let mut left = limit;
    for piece in raw.utf8_chunks() {
        for character in piece.valid().chars() {
            if left == 0 {
                text.push('…');
                return text;
            }
            left -= 1;
            if character.is_control() {
                text.extend(character.escape_default());
            } else {
                text.push(character);
            }
        }
        for byte in piece.invalid() {
            if left == 0 {
                text.push('…');
                return text;
            }
            left -= 1;
            // Writing to a String cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_text_is_escaped_and_cut() {
        for (name, raw, want) in [
            ("plain", &b"abc"[..], "abc"),
            ("control", b"a\nb\x1b[0m", "a\\nb\\u{1b}[0…"),
            ("invalid", b"a\xffb", "a\\xffb"),
            ("cut", b"aaaaaaaaaaaa", "aaaaaaaa…"),
            // Bytes that are no text were once all shown, four characters each: 64 MiB of a message of 16.
            (
                "cut, invalid",
                &[0xff; 12],
                "\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff…",
            ),
        ] {
            assert_eq!(
                shown(raw, if name == "control" { 6 } else { 8 }),
                want,
                "{name}"
            );
        }
    }

    #[test]
    fn exit_codes_are_distinct_and_sysexits() {
        let codes: Vec<u8> = Kind::ALL.iter().map(|kind| kind.exit_code()).collect();
        assert_eq!(codes, [64, 65, 66, 69, 70, 73, 74, 75, 76, 77, 78]);
    }
}
