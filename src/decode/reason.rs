//! What can be wrong with a record or an object, as values; the words for it are in one table here (SPEC 8).

use std::fmt;

use crate::limits::{JSON_DEPTH, RECORD_BYTES};
use crate::value::ParseFault;
use crate::value::column::Form;

/// Why a record is bad, or an object unreadable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A quote inside an unquoted CSV field.
    QuoteInField,
    /// Text between a closing quote and the next delimiter or line end.
    TextAfterQuote,
    /// A carriage return outside quotes that no line feed follows.
    LoneCarriageReturn,
    /// Too few or too many CSV fields.
    FieldCount {
        /// As many as the header, COLUMNS or the first record has.
        expected: u32,
        /// As many as this record has.
        found: u64,
    },
    /// The object ends inside quotes.
    UnclosedQuote,
    /// A record, or a `json` document, over the limit.
    RecordTooLong,
    /// A UTF-16 byte-order mark.
    Utf16,
    /// No field of the header has this name.
    HeaderMissing(String),
    /// Two fields of the header have this name, which a column is read from.
    HeaderTwice(String),
    /// A column is read from a position that the header, or the first record, does not have.
    PositionMissing {
        /// The column's position, from 1.
        position: u32,
        /// Fields that there are.
        fields: u32,
    },
    /// Text that is not UTF-8, in a column that is read.
    NotUtf8,
    /// JSON that is none.
    Syntax {
        /// What should stand there.
        expected: &'static str,
        /// What does.
        found: String,
        /// Where in the record, in bytes from its start.
        at_bytes: usize,
    },
    /// JSON nested deeper than the limit.
    Depth {
        /// Where in the record the bracket too many is, in bytes from its start.
        at_bytes: usize,
    },
    /// A JSON key that is read is there twice.
    RepeatedKey(String),
    /// A JSON document, or an element of the array of records, that is no object.
    NoRecord,
    /// A line that is none of a capture.
    Captured {
        /// What should stand there.
        expected: &'static str,
        /// What does, cut and escaped.
        found: String,
        /// Where in the line, in bytes from its start.
        at_bytes: usize,
    },
    /// A bare word of JSON that is no number.
    NotJsonNumber {
        /// The word, cut and escaped.
        found: String,
    },
    /// Half of a surrogate pair in a JSON string, in a column that is read.
    LoneSurrogate,
    /// A value that does not fit its type.
    Value {
        /// How the column's values are written.
        form: Form,
        /// The value, cut and escaped.
        found: String,
        /// Why it does not fit.
        why: ParseFault,
    },
}

/// What was expected and what was found.
impl Reason {
    /// What was expected, to follow the word "expected".
    #[must_use]
    pub fn expected(&self) -> String {
        match self {
            Reason::QuoteInField => "a field that holds a quote to be quoted itself".into(),
            Reason::TextAfterQuote => "a delimiter or a line end after the closing quote".into(),
            Reason::LoneCarriageReturn => "a line feed after the carriage return".into(),
            Reason::FieldCount { expected, .. } => format!("{expected} fields"),
            Reason::UnclosedQuote => "a closing quote".into(),
            Reason::RecordTooLong => format!("a record of at most {RECORD_BYTES} bytes"),
            Reason::Utf16 => "UTF-8".into(),
            Reason::HeaderMissing(name) | Reason::HeaderTwice(name) => {
                format!("one field named {name:?} in the header")
            }
            Reason::PositionMissing { position, .. } => format!("a field at position {position}"),
            Reason::NotUtf8 => "UTF-8".into(),
            Reason::Syntax {
                expected, at_bytes, ..
            } => format!("{expected} at byte {at_bytes} of the record"),
            Reason::Captured {
                expected, at_bytes, ..
            } => {
                format!("a line that windrow captured: {expected} at byte {at_bytes} of the line")
            }
            Reason::Depth { .. } => format!("JSON nested at most {JSON_DEPTH} deep"),
            Reason::RepeatedKey(key) => format!("the key {key:?} once"),
            Reason::NoRecord => "a JSON object".into(),
            Reason::NotJsonNumber { .. } => "a JSON number".into(),
            Reason::LoneSurrogate => "escapes of surrogates in pairs".into(),
            Reason::Value { form, why, .. } => format!("{} ({why})", form_name(*form)),
        }
    }

    /// What was found, to follow the word "found".
    #[must_use]
    pub fn found(&self) -> String {
        match self {
            Reason::QuoteInField => "a quote inside an unquoted field".into(),
            Reason::TextAfterQuote => "text".into(),
            Reason::LoneCarriageReturn => "something else".into(),
            Reason::FieldCount { found, .. } => format!("{found}"),
            Reason::UnclosedQuote => "the end of the object inside quotes".into(),
            Reason::RecordTooLong => "a longer one".into(),
            Reason::Utf16 => "the byte-order mark of UTF-16".into(),
            Reason::HeaderMissing(_) => "none".into(),
            Reason::HeaderTwice(_) => "two".into(),
            Reason::PositionMissing { fields, .. } => format!("{fields} fields"),
            Reason::NotUtf8 => "other bytes".into(),
            Reason::Syntax { found, .. } => found.clone(),
            Reason::Depth { at_bytes } => format!("one more at byte {at_bytes} of the record"),
            Reason::RepeatedKey(_) => "it twice".into(),
            Reason::NoRecord => "another value".into(),
            Reason::LoneSurrogate => "half of one".into(),
            Reason::NotJsonNumber { found }
            | Reason::Captured { found, .. }
            | Reason::Value { found, .. } => quoted(found),
        }
    }
}

/// In quotes. Control characters were escaped when the value was cut.
fn quoted(found: &str) -> String {
    format!("\"{}\"", found.replace('"', "\\\""))
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, found {}", self.expected(), self.found())
    }
}

/// The form as COLUMNS writes it.
fn form_name(form: Form) -> String {
    match form {
        Form::Plain(ty) => ty.to_string(),
        Form::Epoch { unit_us: 1_000_000 } => "TIMESTAMP_S".into(),
        Form::Epoch { unit_us: 1_000 } => "TIMESTAMP_MS".into(),
        Form::Epoch { .. } => "TIMESTAMP_US".into(),
        Form::Nanoseconds => "TIMESTAMP_NS".into(),
    }
}
