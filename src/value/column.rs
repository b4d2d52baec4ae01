//! What COLUMNS declares: names, types as they are written in the input, and where each is found (SPEC 4).

use super::Type;

/// One declared column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// As declared; matched without case by the query.
    pub name: String,
    /// How its values are written.
    pub form: Form,
    /// Where in a record they are.
    pub source: Source,
    /// A record without a value is bad.
    pub not_null: bool,
}

/// How a column's values are written in the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// In the type's own text; TIMESTAMP is ISO 8601.
    Plain(Type),
    /// TIMESTAMP_S, _MS, _US: an integer since the epoch, times this many microseconds (1,000,000; 1,000; 1).
    Epoch {
        /// Microseconds of one unit.
        unit_us: i64,
    },
    /// TIMESTAMP_NS: integer nanoseconds since the epoch or text of up to nine digits, floored to microseconds.
    Nanoseconds,
}

impl Form {
    /// The type that the query sees.
    #[must_use]
    pub fn ty(self) -> Type {
        match self {
            Form::Plain(ty) => ty,
            Form::Epoch { .. } | Form::Nanoseconds => Type::Timestamp,
        }
    }
}

/// Where in a record a column's values are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The CSV field under this header, matched exactly.
    Header(String),
    /// The CSV field at this position, from 1.
    Position(u32),
    /// The JSON value at this path.
    Path(Path),
    /// `@object`: the URI of the object.
    Object,
    /// `@received_at`: when the message was received, a TIMESTAMP.
    ReceivedAt,
    /// `@feed`: the place of its feed in INPUT, from 0, a BIGINT.
    Feed,
    /// The number itself (`range:`).
    Number,
}

/// A way into a JSON document, such as `data.p` or `"odd name".x[0]`. Invariant: not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(pub Vec<Step>);

/// One step of a [`Path`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Into the member of this name.
    Key(String),
    /// Into the element at this index, from 0.
    Index(u32),
    /// Into every element (`[*]`, only at the end of RECORDS).
    Each,
}
