//! Types and values as the query sees them, and the exact arithmetic behind them (SPEC 4 and 5). Pure.

mod accumulator;
pub mod boolean;
pub mod column;
pub mod decimal;
pub mod double;
pub mod dyadic;
mod fault;
pub mod float_sum;
pub mod integer;
pub mod interpolate;
mod numeral;
pub mod quotient;
#[cfg(test)]
mod random;
pub mod text;
pub mod timestamp;
mod timestamp_text;
pub mod vector;
mod wide;
pub mod wide_sum;

use std::fmt;

pub use fault::ParseFault;

/// A type of the query (SPEC 4; HUGEINT only as a result).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// true or false.
    Boolean,
    /// 64-bit signed integer.
    BigInt,
    /// 128-bit signed integer.
    HugeInt,
    /// IEEE 754 binary64, always finite.
    Double,
    /// Exact decimal: at most `precision` digits (1 to 38), `scale` of them after the point.
    Decimal {
        /// All digits, 1 to 38.
        precision: u8,
        /// Digits after the point, at most `precision`.
        scale: u8,
    },
    /// UTF-8 text.
    Varchar,
    /// Signed microseconds since 1970-01-01 00:00:00 UTC, years 0001 to 9999.
    Timestamp,
}

/// How values of a type are held in a [`vector::Vector`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Physical {
    /// `bool`
    Boolean,
    /// `i64`: BIGINT, TIMESTAMP, DECIMAL of at most 18 digits.
    Int,
    /// `i128`: HUGEINT, wider DECIMAL.
    Wide,
    /// `f64`
    Double,
    /// UTF-8 bytes.
    Text,
}

/// Digits of the widest DECIMAL that is held in an `i64`.
pub const INT_DIGITS: u8 = 18;
/// Digits of the widest DECIMAL.
pub const WIDE_DIGITS: u8 = 38;

impl Type {
    /// How values of this type are held.
    #[must_use]
    pub fn physical(self) -> Physical {
        match self {
            Type::Boolean => Physical::Boolean,
            Type::BigInt | Type::Timestamp => Physical::Int,
            Type::HugeInt => Physical::Wide,
            Type::Double => Physical::Double,
            Type::Decimal { precision, .. } if precision <= INT_DIGITS => Physical::Int,
            Type::Decimal { .. } => Physical::Wide,
            Type::Varchar => Physical::Text,
        }
    }

    /// Digits after the point: 0 for integers, `None` for what is no exact number.
    #[must_use]
    pub fn scale(self) -> Option<u8> {
        match self {
            Type::BigInt | Type::HugeInt => Some(0),
            Type::Decimal { scale, .. } => Some(scale),
            Type::Boolean | Type::Double | Type::Varchar | Type::Timestamp => None,
        }
    }

    /// Whether arithmetic takes it.
    #[must_use]
    pub fn is_numeric(self) -> bool {
        self.scale().is_some() || self == Type::Double
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Boolean => f.write_str("BOOLEAN"),
            Type::BigInt => f.write_str("BIGINT"),
            Type::HugeInt => f.write_str("HUGEINT"),
            Type::Double => f.write_str("DOUBLE"),
            Type::Decimal { precision, scale } => write!(f, "DECIMAL({precision},{scale})"),
            Type::Varchar => f.write_str("VARCHAR"),
            Type::Timestamp => f.write_str("TIMESTAMP"),
        }
    }
}

/// One value; what it means is said by the [`Type`] beside it (a DECIMAL is its unscaled integer, a TIMESTAMP its
/// microseconds). Invariant: the variant is `Null` or the type's [`Physical`].
#[derive(Clone, Debug)]
pub enum Value {
    /// SQL NULL, of any type.
    Null,
    /// BOOLEAN
    Boolean(bool),
    /// BIGINT, TIMESTAMP, narrow DECIMAL
    Int(i64),
    /// HUGEINT, wide DECIMAL
    Wide(i128),
    /// DOUBLE
    Double(f64),
    /// VARCHAR
    Text(Box<str>),
}

/// Whether two values are the same one, which is more than that SQL's `=` holds: -0.0 is not 0.0.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Boolean(left), Self::Boolean(right)) => left == right,
            (Self::Int(left), Self::Int(right)) => left == right,
            (Self::Wide(left), Self::Wide(right)) => left == right,
            (Self::Double(left), Self::Double(right)) => left.to_bits() == right.to_bits(),
            (Self::Text(left), Self::Text(right)) => left == right,
            _ => false,
        }
    }
}

/// Where a record stands in the whole input: the order of `first`, `last` and of ties (SPEC 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Number of the object in input order, from 0.
    pub input: u32,
    /// Byte offset of the record in the uncompressed object (for `range:`, the number itself).
    pub offset: u64,
}
