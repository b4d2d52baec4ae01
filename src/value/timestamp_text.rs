//! ISO 8601 text to TIMESTAMP (SPEC 4, SQL.md "Input values", "Time").
//!
//! `2026-01-31`, `2026-01-31 23:59`, `2026-01-31T23:59:00.123456+01:00`: four digits of year, two of all else, a `T` or
//! one blank between, a point before the fraction, `Z`, `z`, `+01:00`, `+0100` or `+01` behind a time. DuckDB takes
//! more (one digit of month, slashes, blanks): here those are bad records.

use super::timestamp::{Civil, DAY_US, HOUR_US, MINUTE_US, RANGE, SECOND_US, month_length};
use super::{ParseFault, integer, numeral};

/// What becomes of digits past the microsecond.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PastMicroseconds {
    Refuse,
    Floor,
}

/// An input value of TIMESTAMP: ISO 8601; an offset is applied, no offset means UTC.
#[inline]
pub fn parse(text: &[u8]) -> Result<i64, ParseFault> {
    parse_iso(text, PastMicroseconds::Refuse)
}

/// CAST of a text to TIMESTAMP: as [`parse`], but blanks around it are dropped.
pub fn cast_text(text: &[u8]) -> Result<i64, ParseFault> {
    parse(numeral::trim_blanks(text))
}

/// An input value of TIMESTAMP_NS: integer nanoseconds since the epoch, or text of up to nine digits of fraction
/// (later ones must be zero); either is floored to microseconds.
pub fn parse_nanos(text: &[u8]) -> Result<i64, ParseFault> {
    match parse_epoch_nanos(text) {
        Err(ParseFault::NotANumber) => parse_iso(text, PastMicroseconds::Floor),
        us => us,
    }
}

fn parse_epoch_nanos(text: &[u8]) -> Result<i64, ParseFault> {
    // Every nanosecond of the range fits an i128, few of them an i64.
    let nanos = integer::parse_huge(text).map_err(|fault| {
        if matches!(fault, ParseFault::OutOfRange(_)) {
            ParseFault::YearOutOfRange
        } else {
            fault
        }
    })?;
    in_range(i64::try_from(nanos.div_euclid(1_000)).ok())
}

fn in_range(us: Option<i64>) -> Result<i64, ParseFault> {
    us.filter(|us| RANGE.contains(us))
        .ok_or(ParseFault::YearOutOfRange)
}

fn parse_iso(text: &[u8], past: PastMicroseconds) -> Result<i64, ParseFault> {
    let (days, rest) = date(text)?;
    let midnight = days * DAY_US;
    let Some((between, rest)) = rest.split_first() else {
        return Ok(midnight);
    };
    if !matches!(between, b'T' | b' ') {
        return Err(ParseFault::NotATimestamp);
    }
    let (time, rest) = time(rest, past)?;
    let offset = offset(rest)?;
    in_range(Some(midnight + time - offset))
}

/// Days since 1970-01-01, and what follows the date.
#[inline]
fn date(text: &[u8]) -> Result<(i64, &[u8]), ParseFault> {
    let Some(([y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2], rest)) = text.split_first_chunk()
    else {
        return Err(no_date(text));
    };
    let (Some(high), Some(low), Some(month), Some(day)) = (
        two_digits(*y1, *y2),
        two_digits(*y3, *y4),
        two_digits(*m1, *m2),
        two_digits(*d1, *d2),
    ) else {
        return Err(no_date(text));
    };
    let year = high * 100 + low;
    if year == 0 {
        return Err(ParseFault::YearOutOfRange);
    }
    if !(1..=12).contains(&month) || day < 1 || day > month_length(year, month) {
        return Err(ParseFault::NoSuchDay);
    }
    Ok((Civil { year, month, day }.days(), rest))
}

/// A date of a year past 9999 or before 0001 is told from what is no date.
#[cold]
fn no_date(text: &[u8]) -> ParseFault {
    let year = text
        .iter()
        .skip(usize::from(matches!(text.first(), Some(b'-' | b'+'))));
    let length = year.take_while(|byte| byte.is_ascii_digit()).count();
    let signed = matches!(text.first(), Some(b'-' | b'+'));
    let rest = text.get(length + usize::from(signed)..).unwrap_or_default();
    if (length > 4 || (signed && length == 4)) && matches!(rest, [b'-', _, _, b'-', ..]) {
        ParseFault::YearOutOfRange
    } else {
        ParseFault::NotATimestamp
    }
}

/// Microseconds since midnight, and what follows the time.
#[inline]
fn time(text: &[u8], past: PastMicroseconds) -> Result<(i64, &[u8]), ParseFault> {
    let Some(([h1, h2, b':', m1, m2], rest)) = text.split_first_chunk() else {
        return Err(ParseFault::NotATimestamp);
    };
    let (Some(hour), Some(minute)) = (two_digits(*h1, *h2), two_digits(*m1, *m2)) else {
        return Err(ParseFault::NotATimestamp);
    };
    let (second, micros, rest) = match rest.split_first() {
        Some((b':', rest)) => second(rest, past)?,
        _ => (0, 0, rest),
    };
    if hour > 24 || minute > 59 {
        return Err(ParseFault::NoSuchTime);
    }
    let total = hour * HOUR_US + minute * MINUTE_US + second * SECOND_US + micros;
    // 24:00:00 is the start of the next day; nothing comes after it.
    if total > DAY_US {
        return Err(ParseFault::NoSuchTime);
    }
    Ok((total, rest))
}

/// Seconds, microseconds, and what follows them.
#[inline]
fn second(text: &[u8], past: PastMicroseconds) -> Result<(i64, i64, &[u8]), ParseFault> {
    let Some(([s1, s2], rest)) = text.split_first_chunk() else {
        return Err(ParseFault::NotATimestamp);
    };
    let Some(second) = two_digits(*s1, *s2) else {
        return Err(ParseFault::NotATimestamp);
    };
    if second > 59 {
        let second = u8::try_from(second).unwrap_or(u8::MAX);
        return Err(ParseFault::SecondOutOfRange(second));
    }
    match rest.split_first() {
        Some((b'.', rest)) => {
            let (micros, rest) = fraction(rest, past)?;
            Ok((second, micros, rest))
        }
        _ => Ok((second, 0, rest)),
    }
}

/// Microseconds, and what follows the digits.
#[inline]
fn fraction(mut text: &[u8], past: PastMicroseconds) -> Result<(i64, &[u8]), ParseFault> {
    let mut micros = 0;
    let mut place = 100_000;
    let mut length = 0_usize;
    while let Some((byte, rest)) = text.split_first() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        length += 1;
        if place > 0 {
            micros += i64::from(digit) * place;
            place /= 10;
        } else if digit != 0 && (past == PastMicroseconds::Refuse || length > 9) {
            return Err(ParseFault::PastMicroseconds);
        }
        text = rest;
    }
    if length == 0 {
        return Err(ParseFault::NotATimestamp);
    }
    Ok((micros, text))
}

/// Microseconds east of UTC. Nothing may follow.
#[inline]
fn offset(text: &[u8]) -> Result<i64, ParseFault> {
    let (sign, hour, minute) = match *text {
        [] | [b'Z' | b'z'] => return Ok(0),
        [sign @ (b'+' | b'-'), h1, h2] => (sign, two_digits(h1, h2), Some(0)),
        [sign @ (b'+' | b'-'), h1, h2, m1, m2] | [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            (sign, two_digits(h1, h2), two_digits(m1, m2))
        }
        _ => return Err(ParseFault::NotATimestamp),
    };
    let (Some(hour), Some(minute)) = (hour, minute) else {
        return Err(ParseFault::NotATimestamp);
    };
    if hour > 15 || minute > 59 {
        return Err(ParseFault::OffsetOutOfRange);
    }
    let east = hour * HOUR_US + minute * MINUTE_US;
    Ok(if sign == b'-' { -east } else { east })
}

#[inline]
fn two_digits(tens: u8, ones: u8) -> Option<i64> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| i64::from(tens) * 10 + i64::from(ones))
}
