//! Why a text is no value of its type (SPEC 4, SQL.md "Input values"). Knows nothing of records or columns: the
//! decoder and the evaluator add where it stood.

use std::fmt;

use super::Type;

/// Why a text is no value of the type it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseFault {
    /// Not a sign, digits, a point and an exponent.
    NotANumber,
    /// A whole number was wanted, and there is a fraction.
    NotWhole,
    /// Digits other than zero past this many after the point.
    FractionDigits(u8),
    /// A number, but none of this type.
    OutOfRange(Type),
    /// Not one of the texts of a BOOLEAN.
    NotABoolean,
    /// Not ISO 8601 as windrow reads it.
    NotATimestamp,
    /// Outside the years 0001 to 9999, perhaps only after its offset was applied.
    YearOutOfRange,
    /// No such month, or no such day in it.
    NoSuchDay,
    /// An hour past 23 (24:00:00 apart) or a minute past 59.
    NoSuchTime,
    /// A second past 59. Leap seconds have no number in the type.
    SecondOutOfRange(u8),
    /// An offset past 15:59, the widest that DuckDB takes.
    OffsetOutOfRange,
    /// Digits other than zero past the microsecond.
    PastMicroseconds,
}

impl fmt::Display for ParseFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParseFault::NotANumber => f.write_str("not a number"),
            ParseFault::NotWhole => f.write_str("not a whole number"),
            ParseFault::FractionDigits(scale) => {
                write!(f, "more than {scale} digits after the point")
            }
            ParseFault::OutOfRange(ty) => write!(f, "out of range for {ty}"),
            ParseFault::NotABoolean => f.write_str("not a BOOLEAN"),
            ParseFault::NotATimestamp => f.write_str("not an ISO 8601 date and time"),
            ParseFault::YearOutOfRange => f.write_str("outside the years 0001 to 9999"),
            ParseFault::NoSuchDay => f.write_str("no such day"),
            ParseFault::NoSuchTime => f.write_str("no such time of day"),
            ParseFault::SecondOutOfRange(second) => write!(f, "second {second}"),
            ParseFault::OffsetOutOfRange => f.write_str("an offset past 15:59"),
            ParseFault::PastMicroseconds => f.write_str("digits past the microsecond"),
        }
    }
}
