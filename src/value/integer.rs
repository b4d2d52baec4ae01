//! BIGINT and HUGEINT as text and from DOUBLE (SQL.md "Input values", "Rounding and casts").

use super::numeral::{Excess, Misfit, Numeral, Plain, trim_blanks};
use super::{ParseFault, Type, text};

/// An input value of BIGINT: a number whose fraction, if there is one, is zero.
///
/// Errors: no number, not whole, out of range.
#[inline]
pub fn parse_bigint(text: &[u8]) -> Result<i64, ParseFault> {
    if let Some(plain) = Plain::scan(text)
        && plain.fraction == 0
        && let Ok(magnitude) = i64::try_from(plain.digits)
    {
        return Ok(if plain.negative {
            -magnitude
        } else {
            magnitude
        });
    }
    any_bigint(text, Excess::Refuse)
}

/// A whole number of 128 bits, as [`parse_bigint`].
pub fn parse_huge(text: &[u8]) -> Result<i128, ParseFault> {
    any(text, Type::HugeInt, Excess::Refuse)
}

/// CAST of a text to BIGINT: blanks around it are dropped, a fraction rounds half away from zero.
pub fn cast_text(text: &[u8]) -> Result<i64, ParseFault> {
    any_bigint(trim_blanks(text), Excess::HalfAway)
}

/// CAST of a text to HUGEINT, as [`cast_text`].
pub fn cast_text_huge(text: &[u8]) -> Result<i128, ParseFault> {
    any(trim_blanks(text), Type::HugeInt, Excess::HalfAway)
}

fn any_bigint(text: &[u8], excess: Excess) -> Result<i64, ParseFault> {
    i64::try_from(any(text, Type::BigInt, excess)?)
        .map_err(|_| ParseFault::OutOfRange(Type::BigInt))
}

fn any(text: &[u8], ty: Type, excess: Excess) -> Result<i128, ParseFault> {
    let numeral = Numeral::scan(text).ok_or(ParseFault::NotANumber)?;
    numeral.to_scale(0, excess).map_err(|misfit| match misfit {
        Misfit::TooFine => ParseFault::NotWhole,
        Misfit::TooLarge => ParseFault::OutOfRange(ty),
    })
}

/// Appends a BIGINT in decimal.
pub fn format(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    text::push_u64(value.unsigned_abs(), out);
}

/// CAST of a DOUBLE to BIGINT: the nearest, half to even; `None` out of range.
#[must_use]
pub fn from_double(value: f64) -> Option<i64> {
    i64::try_from(huge_from_double(value)?).ok()
}

/// CAST of a DOUBLE to HUGEINT: the nearest, half to even; `None` out of range.
#[must_use]
pub fn huge_from_double(value: f64) -> Option<i128> {
    huge_from_whole(value.round_ties_even())
}

/// A whole double as an integer; `None` out of range, and for what is not finite.
pub(super) fn huge_from_whole(whole: f64) -> Option<i128> {
    // 2^127, the first double past the range; -2^127 is in it.
    const LIMIT: f64 = 170_141_183_460_469_231_731_687_303_715_884_105_728.0;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "whole and in range, as the line above has found"
    )]
    (-LIMIT..LIMIT).contains(&whole).then_some(whole as i128)
}

#[cfg(test)]
#[path = "integer_tests.rs"]
mod tests;
