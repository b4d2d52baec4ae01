//! Exact quotients of integers, rounded once to the nearest double, ties to even (SPEC 5, "/ and avg").

use super::decimal;
use super::wide::U256;

/// The nearest double to `dividend` / `divisor`, two integers that share a scale; `None` where the divisor is zero.
#[must_use]
pub fn divide(dividend: i128, divisor: i128) -> Option<f64> {
    divide_scaled(dividend, 0, divisor, 0)
}

/// The nearest double to the quotient of two decimals; `None` where the divisor is zero.
#[must_use]
pub fn divide_scaled(
    dividend: i128,
    dividend_scale: u8,
    divisor: i128,
    divisor_scale: u8,
) -> Option<f64> {
    // Only the difference of the scales matters: it multiplies one side.
    let common = dividend_scale.min(divisor_scale);
    let raise_divisor = decimal::pow10(u32::from(dividend_scale - common))?.unsigned_abs();
    let raise_dividend = decimal::pow10(u32::from(divisor_scale - common))?.unsigned_abs();
    let magnitude = divide_magnitudes(
        U256::product(dividend.unsigned_abs(), raise_dividend),
        U256::product(divisor.unsigned_abs(), raise_divisor),
    )?;
    // Zero by a negative number is -0.0, as in DuckDB and as a division of doubles has it.
    Some(if (dividend < 0) == (divisor < 0) {
        magnitude
    } else {
        -magnitude
    })
}

/// The nearest double to the quotient of two magnitudes; `None` where the divisor is zero.
pub(super) fn divide_magnitudes(dividend: U256, divisor: U256) -> Option<f64> {
    if let (Some(dividend), Some(divisor)) = (exact(dividend), exact(divisor)) {
        // Both are doubles, and one division of doubles rounds once.
        return (divisor != 0.0).then(|| dividend / divisor);
    }
    let Digits { bits, exponent } = Digits::of_ratio(dividend, divisor)?;
    assemble(bits, exponent)
}

/// `value` as a double where that is exact without looking twice.
fn exact(value: U256) -> Option<f64> {
    let value = u64::try_from(value.low).ok().filter(|_| value.high == 0)?;
    #[expect(clippy::cast_precision_loss, reason = "at most 2^53")]
    (value <= 1 << f64::MANTISSA_DIGITS).then_some(value as f64)
}

/// The leading bits of a positive number: `bits` · 2^`exponent`.
///
/// Invariant: `bits` is zero or has its top bit set, and its lowest bit is also set where anything was cut off below.
/// That is more than a double has, so that rounding `bits` rounds the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digits {
    pub(super) bits: u64,
    pub(super) exponent: i32,
}

impl Digits {
    /// Of an integer.
    pub(super) fn of_integer(value: U256) -> Self {
        if value.is_zero() {
            return Self {
                bits: 0,
                exponent: 0,
            };
        }
        let lead = value.leading_zeros();
        let top = value.shift_left(lead);
        let (bits, cut) = (top.high >> 64, (top.high << 64) | top.low);
        Self {
            bits: low_half(bits) | u64::from(cut != 0),
            exponent: 192 - lead.cast_signed(),
        }
    }

    /// Of a quotient; `None` where the divisor is zero.
    pub(super) fn of_ratio(dividend: U256, divisor: U256) -> Option<Self> {
        if divisor.is_zero() {
            return None;
        }
        if dividend.is_zero() {
            return Some(Self {
                bits: 0,
                exponent: 0,
            });
        }
        // With the top bits of both at 2^255, the quotient lies between a half and two: long division, a bit a step.
        let (dividend_lead, divisor_lead) = (dividend.leading_zeros(), divisor.leading_zeros());
        let mut rest = dividend.shift_left(dividend_lead);
        let divisor = divisor.shift_left(divisor_lead);
        let mut exponent = divisor_lead.cast_signed() - dividend_lead.cast_signed() - 63;
        let mut carry = false;
        if rest < divisor {
            carry = true;
            rest = rest.shift_left(1);
            exponent -= 1;
        }
        let mut bits = 0_u64;
        for step in 0..64 {
            if step > 0 {
                carry = rest.high >> 127 == 1;
                rest = rest.shift_left(1);
            }
            bits <<= 1;
            if carry || rest >= divisor {
                rest = rest.subtract(divisor);
                bits |= 1;
            }
        }
        Some(Self {
            bits: bits | u64::from(!rest.is_zero()),
            exponent,
        })
    }
}

pub(super) fn low_half(value: u128) -> u64 {
    u64::try_from(value & u128::from(u64::MAX)).unwrap_or(u64::MAX)
}

/// The nearest double to `bits` · 2^`exponent`, subnormals included; `None` past the largest double.
pub(super) fn assemble(bits: u64, exponent: i32) -> Option<f64> {
    if bits == 0 {
        return Some(0.0);
    }
    let top = exponent + 63;
    if top < -1022 {
        return Some(assemble_subnormal(bits, exponent));
    }
    // Rounds to 53 bits; what follows is exact, or infinite.
    #[expect(clippy::cast_precision_loss, reason = "this is the one rounding")]
    let rounded = bits as f64 / TWO_63;
    let result = rounded * power_of_two(top)?;
    result.is_finite().then_some(result)
}

const TWO_63: f64 = 9_223_372_036_854_775_808.0;

/// 2^`exponent` for normal doubles, `None` past the largest.
fn power_of_two(exponent: i32) -> Option<f64> {
    let biased = u64::try_from(exponent + 1023).ok()?;
    (1..=2046)
        .contains(&biased)
        .then(|| f64::from_bits(biased << 52))
}

/// A number below 2^-1022: its bits count units of 2^-1074.
fn assemble_subnormal(bits: u64, exponent: i32) -> f64 {
    let cut = (-1074 - exponent).unsigned_abs();
    if cut > 64 {
        // Under half a unit.
        return 0.0;
    }
    let wide = u128::from(bits);
    let (kept, lost, half) = (wide >> cut, wide & ((1 << cut) - 1), 1_u128 << (cut - 1));
    let up = lost > half || (lost == half && kept & 1 == 1);
    // Rounding up to 2^52 units gives the smallest normal double, whose bits are just that.
    f64::from_bits(low_half(kept) + u64::from(up))
}

#[cfg(test)]
#[path = "quotient_tests.rs"]
mod tests;
