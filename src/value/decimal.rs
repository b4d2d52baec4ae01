//! DECIMAL: an integer and a scale, exact in 38 digits (SPEC 5; SQL.md "Arithmetic", "Rounding and casts").
//!
//! A value here is its unscaled integer; the scale stands in the type beside it. Nothing here rounds unless its name
//! or its [`Rounding`] says so.

use std::cmp::Ordering;

use super::numeral::{Excess, Misfit, Numeral, Plain, trim_blanks};
use super::{ParseFault, Type, WIDE_DIGITS, quotient, text};

/// Powers of ten that an `i128` holds: 10^0 to 10^38.
pub const POW10: [i128; 39] = {
    let mut powers = [1_i128; 39];
    let (mut power, mut left) = (1, powers.split_at_mut(1).1);
    while let Some((slot, rest)) = left.split_first_mut() {
        power *= 10;
        *slot = power;
        left = rest;
    }
    powers
};

/// Powers of ten that a `u64` holds: 10^0 to 10^19.
const POW10_U64: [u64; 20] = {
    let mut powers = [1_u64; 20];
    let (mut power, mut left) = (1, powers.split_at_mut(1).1);
    while let Some((slot, rest)) = left.split_first_mut() {
        power *= 10;
        *slot = power;
        left = rest;
    }
    powers
};

/// How digits are given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// They must be zero.
    Exact,
    /// To the nearest, half away from zero.
    HalfAway,
    /// Towards zero.
    Truncate,
    /// Down.
    Floor,
    /// Up.
    Ceil,
}

/// 10^`exponent`, `None` past 10^38.
#[must_use]
pub fn pow10(exponent: u32) -> Option<i128> {
    POW10.get(exponent as usize).copied()
}

/// Whether `unscaled` has at most `precision` digits.
#[must_use]
pub fn fits(unscaled: i128, precision: u8) -> bool {
    pow10(u32::from(precision)).is_none_or(|limit| -limit < unscaled && unscaled < limit)
}

/// An input value of DECIMAL(`precision`, `scale`).
///
/// Errors: no number, more digits after the point than the scale (zeros apart), more before it than fit.
pub fn parse(text: &[u8], precision: u8, scale: u8) -> Result<i128, ParseFault> {
    plain(text, scale)
        .filter(|&unscaled| fits(unscaled, precision))
        .map_or_else(|| parse_any(text, precision, scale, Excess::Refuse), Ok)
}

/// [`parse`] for at most 18 digits.
#[inline(always)]
pub fn parse_int(text: &[u8], precision: u8, scale: u8) -> Result<i64, ParseFault> {
    if let Some(unscaled) = plain_int(text, scale)
        && POW10_U64
            .get(usize::from(precision))
            .is_some_and(|&limit| unscaled.unsigned_abs() < limit)
    {
        return Ok(unscaled);
    }
    let unscaled = parse_any(text, precision, scale, Excess::Refuse)?;
    i64::try_from(unscaled).map_err(|_| out_of_range(precision, scale))
}

/// CAST of a text to DECIMAL(`precision`, `scale`): blanks around it are dropped, digits past the scale round half
/// away from zero.
pub fn cast_text(text: &[u8], precision: u8, scale: u8) -> Result<i128, ParseFault> {
    parse_any(trim_blanks(text), precision, scale, Excess::HalfAway)
}

#[inline(always)]
fn plain_int(text: &[u8], scale: u8) -> Option<i64> {
    let plain = Plain::scan(text)?;
    let scale = usize::from(scale);
    let magnitude = if let Some(missing) = scale.checked_sub(plain.fraction) {
        plain.digits.checked_mul(*POW10_U64.get(missing)?)?
    } else {
        let power = *POW10_U64.get(plain.fraction - scale)?;
        if plain.digits % power != 0 {
            return None;
        }
        plain.digits / power
    };
    let magnitude = i64::try_from(magnitude).ok()?;
    Some(if plain.negative {
        -magnitude
    } else {
        magnitude
    })
}

fn plain(text: &[u8], scale: u8) -> Option<i128> {
    let plain = Plain::scan(text)?;
    let missing = usize::from(scale).checked_sub(plain.fraction)?;
    let magnitude = i128::from(plain.digits).checked_mul(*POW10.get(missing)?)?;
    Some(if plain.negative {
        -magnitude
    } else {
        magnitude
    })
}

fn parse_any(text: &[u8], precision: u8, scale: u8, excess: Excess) -> Result<i128, ParseFault> {
    let numeral = Numeral::scan(text).ok_or(ParseFault::NotANumber)?;
    let unscaled = numeral
        .to_scale(scale, excess)
        .map_err(|misfit| match misfit {
            Misfit::TooFine => ParseFault::FractionDigits(scale),
            Misfit::TooLarge => out_of_range(precision, scale),
        })?;
    if fits(unscaled, precision) {
        Ok(unscaled)
    } else {
        Err(out_of_range(precision, scale))
    }
}

fn out_of_range(precision: u8, scale: u8) -> ParseFault {
    ParseFault::OutOfRange(Type::Decimal { precision, scale })
}

/// Appends the number with all its scale and at least one digit before the point: `-0.50`.
pub fn format(unscaled: i128, scale: u8, out: &mut Vec<u8>) {
    if unscaled < 0 {
        out.push(b'-');
    }
    let magnitude = unscaled.unsigned_abs();
    let power = pow10(u32::from(scale)).map_or(1, i128::unsigned_abs);
    if scale == 0 {
        text::push_u128(magnitude, out);
    } else if let (Ok(magnitude), Ok(power)) = (u64::try_from(magnitude), u64::try_from(power)) {
        // The usual case, without a division of 128 bits.
        text::push_u64(magnitude / power, out);
        out.push(b'.');
        text::push_padded(u128::from(magnitude % power), usize::from(scale), out);
    } else {
        text::push_u128(magnitude / power, out);
        out.push(b'.');
        text::push_padded(magnitude % power, usize::from(scale), out);
    }
}

/// The number at scale `to`; `None` where digits would be lost and must not be, or past 128 bits. The caller asks
/// [`fits`] for its precision.
#[must_use]
pub fn rescale(unscaled: i128, from: u8, to: u8, rounding: Rounding) -> Option<i128> {
    if to >= from {
        return unscaled.checked_mul(pow10(u32::from(to - from))?);
    }
    let Some(power) = pow10(u32::from(from - to)) else {
        return Some(0);
    };
    drop_digits(unscaled, power, rounding)
}

/// `unscaled` over `power` (at least 10), rounded.
fn drop_digits(unscaled: i128, power: i128, rounding: Rounding) -> Option<i128> {
    let (kept, lost) = (unscaled / power, unscaled % power);
    match rounding {
        Rounding::Exact => (lost == 0).then_some(kept),
        Rounding::Truncate => Some(kept),
        Rounding::HalfAway if lost.unsigned_abs() >= power.unsigned_abs().div_ceil(2) => {
            Some(kept + lost.signum())
        }
        Rounding::HalfAway => Some(kept),
        Rounding::Floor => Some(kept - i128::from(lost < 0)),
        Rounding::Ceil => Some(kept + i128::from(lost > 0)),
    }
}

/// `round(DECIMAL, digits)`: the number to `digits` after the point, half away from zero, at scale
/// min(`digits`, `scale`), or 0 where `digits` is negative. `None` past 38 digits.
///
/// Source: SQL.md "Rounding and casts".
#[must_use]
pub fn round(unscaled: i128, scale: u8, digits: i32) -> Option<i128> {
    if let Ok(digits) = u8::try_from(digits) {
        return rescale(unscaled, scale, digits.min(scale), Rounding::HalfAway);
    }
    if digits > 0 {
        return Some(unscaled);
    }
    // Past 10^38 every number of 38 digits rounds to zero: even 9.9…e37 is under half of 10^39.
    let before = digits.unsigned_abs();
    let Some(power) = before.checked_add(u32::from(scale)).and_then(pow10) else {
        return Some(0);
    };
    let kept = drop_digits(unscaled, power, Rounding::HalfAway)?;
    kept.checked_mul(pow10(before)?)
        .filter(|&rounded| fits(rounded, WIDE_DIGITS))
}

/// The exact sum at the larger of the two scales; `None` past 38 digits, whatever the operands need on the way.
#[must_use]
pub fn add(left: i128, left_scale: u8, right: i128, right_scale: u8) -> Option<i128> {
    if left_scale == right_scale {
        return left
            .checked_add(right)
            .filter(|&sum| fits(sum, WIDE_DIGITS));
    }
    // In sign and magnitude: an operand at the larger scale may pass an i128 where the sum does not.
    let scale = left_scale.max(right_scale);
    let raised = |unscaled: i128, from: u8| {
        let power = pow10(u32::from(scale - from))?;
        unscaled.unsigned_abs().checked_mul(power.unsigned_abs())
    };
    let (a, b) = (raised(left, left_scale)?, raised(right, right_scale)?);
    let (magnitude, negative) = if (left < 0) == (right < 0) {
        (a.checked_add(b)?, left < 0)
    } else {
        (a.abs_diff(b), (left < 0) == (a > b))
    };
    let sum = i128::try_from(magnitude).ok()?;
    Some(if negative { -sum } else { sum }).filter(|&sum| fits(sum, WIDE_DIGITS))
}

/// The exact difference, as [`add`].
#[must_use]
pub fn subtract(left: i128, left_scale: u8, right: i128, right_scale: u8) -> Option<i128> {
    add(left, left_scale, right.checked_neg()?, right_scale)
}

/// The exact product, whose scale is the sum of the scales; `None` past 38 digits.
#[must_use]
pub fn multiply(left: i128, right: i128) -> Option<i128> {
    left.checked_mul(right)
        .filter(|&product| fits(product, WIDE_DIGITS))
}

/// `%` at the larger of the two scales, with the sign of `left`; `None` only where `right` is zero.
#[must_use]
pub fn remainder(left: i128, left_scale: u8, right: i128, right_scale: u8) -> Option<i128> {
    if right == 0 {
        return None;
    }
    let (dividend, divisor) = (left.unsigned_abs(), right.unsigned_abs());
    let magnitude = if right_scale >= left_scale {
        // The dividend's zeros are appended one by one to the remainder, which stays below the divisor.
        let mut magnitude = dividend % divisor;
        for _ in left_scale..right_scale {
            magnitude = times_ten_modulo(magnitude, divisor);
        }
        magnitude
    } else {
        let power = pow10(u32::from(left_scale - right_scale))?.unsigned_abs();
        // A divisor past 128 bits is larger than any dividend.
        divisor
            .checked_mul(power)
            .map_or(dividend, |divisor| dividend % divisor)
    };
    if left < 0 {
        0_i128.checked_sub_unsigned(magnitude)
    } else {
        0_i128.checked_add_unsigned(magnitude)
    }
}

/// `value` · 10 mod `modulus`, for `value` below `modulus` of at most 2^127: twice, twice, plus once, twice.
fn times_ten_modulo(value: u128, modulus: u128) -> u128 {
    let plus = |a: u128, b: u128| (a + b) % modulus;
    let four = plus(plus(value, value), plus(value, value));
    let five = plus(four, value);
    plus(five, five)
}

/// Compares numbers of any scales, exactly; never fails.
#[must_use]
pub fn compare(left: i128, left_scale: u8, right: i128, right_scale: u8) -> Ordering {
    // Where an operand passes 128 bits at the other's scale, it is the larger in magnitude.
    if left_scale < right_scale {
        match rescale(left, left_scale, right_scale, Rounding::Exact) {
            Some(left) => left.cmp(&right),
            None => left.cmp(&0),
        }
    } else {
        match rescale(right, right_scale, left_scale, Rounding::Exact) {
            Some(right) => left.cmp(&right),
            None => 0.cmp(&right),
        }
    }
}

/// The nearest double, ties to even.
#[must_use]
pub fn to_double(unscaled: i128, scale: u8) -> f64 {
    quotient::divide_scaled(unscaled, scale, 1, 0).unwrap_or(0.0)
}

/// CAST of a DOUBLE to DECIMAL(`precision`, `scale`): times 10^`scale`, rounded half away from zero; `None` where that
/// does not fit.
///
/// Source: DuckDB 2.0.1, where `CAST(0.285::DOUBLE AS DECIMAL(10,2))` is 0.28 and `CAST(2.5::DOUBLE AS DECIMAL(10,0))` 3.
#[must_use]
pub fn from_double(value: f64, precision: u8, scale: u8) -> Option<i128> {
    let power = to_double(pow10(u32::from(scale))?, 0);
    let rounded = super::integer::huge_from_whole((value * power).round())?;
    fits(rounded, precision).then_some(rounded)
}

#[cfg(test)]
#[path = "decimal_tests.rs"]
mod tests;
