//! DOUBLE as text: read to the nearest, written in the shortest form that reads back the same (SPEC 5, SQL.md "Output
//! text"). Always finite.

use std::io::Write;

use super::numeral::{Numeral, Plain, trim_blanks};
use super::{ParseFault, Type};

/// Powers of ten that a double holds exactly.
const EXACT_POW10: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// An input value of DOUBLE: the nearest to the number, ties to even.
///
/// Errors: no number (`inf` and `nan` are none), out of range (`1e400`). What is too small becomes zero, its nearest.
#[inline]
pub fn parse(text: &[u8]) -> Result<f64, ParseFault> {
    if let Some(plain) = Plain::scan(text)
        && plain.digits <= 1 << f64::MANTISSA_DIGITS
        && let Some(power) = EXACT_POW10.get(plain.fraction)
    {
        // Both are exact, so that the division rounds once.
        #[expect(clippy::cast_precision_loss, reason = "at most 2^53")]
        let magnitude = plain.digits as f64 / power;
        return Ok(if plain.negative {
            -magnitude
        } else {
            magnitude
        });
    }
    parse_any(text)
}

/// CAST of a text to DOUBLE: as [`parse`], but blanks around it are dropped.
pub fn cast_text(text: &[u8]) -> Result<f64, ParseFault> {
    parse(trim_blanks(text))
}

fn parse_any(text: &[u8]) -> Result<f64, ParseFault> {
    Numeral::scan(text).ok_or(ParseFault::NotANumber)?;
    // What the scan let through is ASCII, and a number by the rules of the standard library too.
    let number: f64 = std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(ParseFault::NotANumber)?;
    if number.is_finite() {
        Ok(number)
    } else {
        Err(ParseFault::OutOfRange(Type::Double))
    }
}

/// Appends the shortest text that reads back as `value`: `1.0`, `-0.0`, `0.0001`, `1e-05`, `1e+16`.
///
/// Where two texts of that length are equally near, the one with the even last digit.
///
/// Source: DuckDB 2.0, CAST of DOUBLE to VARCHAR: digits in place for exponents from -4 to 15, at least two digits of
/// exponent elsewhere.
pub fn format(value: f64, out: &mut Vec<u8>) {
    if value.is_sign_negative() {
        out.push(b'-');
    }
    // At most 17 digits, a point and `e-324`.
    let mut buffer = [0_u8; 32];
    let room = buffer.len();
    let mut left = &mut buffer[..];
    // Cannot fail: the text is shorter than the buffer.
    let _ = write!(left, "{:e}", value.abs());
    let length = room - left.len();
    let written = buffer.get_mut(..length).unwrap_or_default();
    let mut parts = written.splitn_mut(2, |&byte| byte == b'e');
    let mantissa = parts.next().unwrap_or_default();
    let exponent = parts.next().and_then(|text| exponent(text));
    let exponent = exponent.unwrap_or_default();
    if let Some(last) = mantissa.last().copied()
        && is_upper_of_two(value.abs(), mantissa, exponent)
        && let Some(place) = mantissa.last_mut()
    {
        *place = last - 1;
    }
    let mantissa = &*mantissa;
    let (first, rest) = mantissa.split_at_checked(1).unwrap_or((mantissa, &[]));
    lay_out(
        first,
        rest.strip_prefix(b".").unwrap_or(rest),
        exponent,
        out,
    );
}

/// Digits that every double of that many tells apart.
const DISTINCT_DIGITS: usize = 15;

/// Whether `value` lies exactly half a last digit below the text: the standard library goes up there, to an odd digit.
///
/// The text stands for `digits` / 10^`places`, so that `value` would be (2 `digits` - 1) / (5^`places` 2^(`places` + 1)).
fn is_upper_of_two(value: f64, mantissa: &[u8], exponent: i32) -> bool {
    // A point stands among the digits.
    let is_odd = mantissa.last().is_some_and(|last| last % 2 == 1);
    if !is_odd || mantissa.len() <= DISTINCT_DIGITS + 1 {
        return false;
    }
    let digits = mantissa
        .iter()
        .filter(|byte| byte.is_ascii_digit())
        .fold(0, |number: u64, digit| {
            number * 10 + u64::from(digit - b'0')
        });
    let places = i32::try_from(mantissa.len()).map_or(0, |length| length - 2 - exponent);
    let Ok(power) = u32::try_from(places).map(|places| 5_u64.checked_pow(places)) else {
        return false;
    };
    let Some(power) = power.filter(|power| (2 * digits - 1).is_multiple_of(*power)) else {
        return false;
    };
    let odd = (2 * digits - 1) / power;
    #[expect(clippy::cast_precision_loss, reason = "at most 2^53, as asked")]
    let exact = odd <= 1 << f64::MANTISSA_DIGITS && odd as f64 / 2_f64.powi(places + 1) == value;
    exact
}

fn exponent(text: &[u8]) -> Option<i32> {
    let (negative, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let magnitude = digits.iter().fold(0, |number, digit| {
        number * 10 + i32::from(digit.wrapping_sub(b'0'))
    });
    Some(if negative { -magnitude } else { magnitude })
}

/// Writes the digits `first` `.` `rest` times 10^`exponent`.
fn lay_out(first: &[u8], rest: &[u8], exponent: i32, out: &mut Vec<u8>) {
    const ZEROS: [u8; 16] = [b'0'; 16];
    let zeros = |count: usize| ZEROS.get(..count).unwrap_or(&ZEROS);
    match exponent {
        -4..=-1 => {
            out.extend_from_slice(b"0.");
            let before = exponent.unsigned_abs() as usize - 1;
            out.extend_from_slice(zeros(before));
            out.extend_from_slice(first);
            out.extend_from_slice(rest);
        }
        0..=15 => {
            let whole = exponent.unsigned_abs() as usize;
            out.extend_from_slice(first);
            match rest.split_at_checked(whole) {
                Some((whole, fraction)) if !fraction.is_empty() => {
                    out.extend_from_slice(whole);
                    out.push(b'.');
                    out.extend_from_slice(fraction);
                }
                _ => {
                    out.extend_from_slice(rest);
                    out.extend_from_slice(zeros(whole - rest.len()));
                    out.extend_from_slice(b".0");
                }
            }
        }
        _ => {
            out.extend_from_slice(first);
            if !rest.is_empty() {
                out.push(b'.');
                out.extend_from_slice(rest);
            }
            out.push(b'e');
            out.push(if exponent < 0 { b'-' } else { b'+' });
            let magnitude = exponent.unsigned_abs();
            if magnitude < 10 {
                out.push(b'0');
            }
            super::text::push_u64(u64::from(magnitude), out);
        }
    }
}

/// `round(DOUBLE, digits)`: multiplied, rounded half away from zero, divided.
///
/// Source: DuckDB 2.0.0, `round(DOUBLE, INTEGER)`, its answers where a step overflows included; 2.0.1 rounds the exact
/// value instead (`round(0.15, 1)` is 0.1 there, 0.2 here), which SQL.md does not follow.
#[must_use]
pub fn round(value: f64, digits: i32) -> f64 {
    let power = 10_f64.powf(f64::from(digits.unsigned_abs()));
    let rounded = if digits < 0 {
        (value / power).round() * power
    } else {
        (value * power).round() / power
    };
    if rounded.is_finite() {
        rounded
    } else if rounded.is_nan() && digits < 0 {
        0.0
    } else {
        value
    }
}

#[cfg(test)]
#[path = "double_tests.rs"]
mod tests;
