//! Numbers as they are written: sign, digits, point, exponent (SQL.md "Input values"). No blanks, no `_`, no hex.
//!
//! Two readers. [`Plain`] is the one that a CSV of a billion fields goes through: at most 19 digits, no exponent, a
//! few nanoseconds (inlined up to the loop over a column, which is worth a tenth of reading trades). [`Numeral`] takes everything else, of any length, and decides what is refused and why.

/// A number of at most 19 digits and no exponent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plain {
    pub(super) negative: bool,
    /// All digits, as if there were no point.
    pub(super) digits: u64,
    /// How many of them stand after the point.
    pub(super) fraction: usize,
}

impl Plain {
    /// `None` where `text` is longer, has an exponent, or is no number: [`Numeral`] decides then.
    #[inline(always)]
    pub(super) fn scan(text: &[u8]) -> Option<Self> {
        let (negative, text) = split_sign(text);
        if text.len() <= 16 {
            let (digits, fraction) = sixteen(text)?;
            return Some(Self {
                negative,
                digits,
                fraction,
            });
        }
        // 19 digits, 10^19 - 1, are the most that a u64 always holds.
        if text.len() > 19 {
            return None;
        }
        let (whole, rest) = take_digits(text, 0);
        let Some((&point, after)) = rest.split_first() else {
            return (!text.is_empty()).then_some(Self {
                negative,
                digits: whole,
                fraction: 0,
            });
        };
        let (digits, rest) = take_digits(after, whole);
        (point == b'.' && rest.is_empty() && text.len() > 1).then_some(Self {
            negative,
            digits,
            fraction: after.len(),
        })
    }
}

/// A number of any length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Numeral<'a> {
    pub(super) negative: bool,
    /// Digits before the point.
    whole: &'a [u8],
    /// Digits after it. Invariant: not both are empty.
    fraction: &'a [u8],
    /// Power of ten; one past what any text can undo is held at that.
    exponent: i64,
}

/// What becomes of digits that the wanted scale has no place for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Excess {
    /// They must be zero.
    Refuse,
    /// They round to the nearest, half away from zero.
    HalfAway,
}

/// Why a numeral does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misfit {
    /// Digits other than zero past the scale.
    TooFine,
    /// Past 128 bits.
    TooLarge,
}

/// Larger than any number of digits, small enough to add a few of.
const EXPONENT_LIMIT: i64 = 1 << 40;

impl<'a> Numeral<'a> {
    /// `None` where `text` is no number.
    pub(super) fn scan(text: &'a [u8]) -> Option<Self> {
        let (negative, text) = split_sign(text);
        let (whole, rest) = split_digits(text);
        let (fraction, rest) = match rest.strip_prefix(b".") {
            Some(after) => split_digits(after),
            None => (&[][..], rest),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let exponent = match rest.split_first() {
            None => 0,
            Some((b'e' | b'E', exponent)) => scan_exponent(exponent)?,
            Some(_) => return None,
        };
        Some(Self {
            negative,
            whole,
            fraction,
            exponent,
        })
    }

    /// The number times 10^`scale`, as an integer.
    pub(super) fn to_scale(self, scale: u8, excess: Excess) -> Result<i128, Misfit> {
        let mut digits = self.whole.iter().chain(self.fraction).copied().peekable();
        let mut significant = count(self.whole) + count(self.fraction);
        while digits.next_if_eq(&b'0').is_some() {
            significant -= 1;
        }
        if significant == 0 {
            return Ok(0);
        }
        // How many digits the result has, before a carry: those that are written, and zeros after them.
        let wanted = significant + self.exponent - count(self.fraction) + i64::from(scale);
        if wanted > 39 {
            return Err(Misfit::TooLarge);
        }
        let mut magnitude: u128 = 0;
        for _ in 0..wanted {
            let digit = digits.next().unwrap_or(b'0') - b'0';
            magnitude = magnitude
                .checked_mul(10)
                .and_then(|tens| tens.checked_add(u128::from(digit)))
                .ok_or(Misfit::TooLarge)?;
        }
        match excess {
            Excess::Refuse if digits.any(|digit| digit != b'0') => return Err(Misfit::TooFine),
            Excess::HalfAway if wanted >= 0 && digits.next().is_some_and(|first| first >= b'5') => {
                magnitude = magnitude.checked_add(1).ok_or(Misfit::TooLarge)?;
            }
            Excess::Refuse | Excess::HalfAway => {}
        }
        let signed = if self.negative {
            0_i128.checked_sub_unsigned(magnitude)
        } else {
            0_i128.checked_add_unsigned(magnitude)
        };
        signed.ok_or(Misfit::TooLarge)
    }
}

/// The text of a cast without the blanks around it.
///
/// Source: DuckDB 2.0, casts from VARCHAR to a number: blanks are U+0020 and U+0009 to U+000D.
pub(super) fn trim_blanks(text: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | 9..=13);
    let start = text.iter().take_while(|byte| blank(byte)).count();
    let text = text.get(start..).unwrap_or_default();
    let end = text.len() - text.iter().rev().take_while(|byte| blank(byte)).count();
    text.get(..end).unwrap_or_default()
}

/// Whether there is a minus, and what follows the sign.
#[inline]
fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    }
}

/// The leading digits, and the rest.
fn split_digits(text: &[u8]) -> (&[u8], &[u8]) {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    text.split_at_checked(digits).unwrap_or((text, &[]))
}

/// Appends the leading digits of `text` to those of `value`, eight at a time. Wraps past 19 digits.
#[inline]
pub(super) fn take_digits(mut text: &[u8], mut value: u64) -> (u64, &[u8]) {
    while let Some((eight, rest)) = text.split_first_chunk() {
        let Some(number) = eight_digits(*eight) else {
            break;
        };
        value = value.wrapping_mul(100_000_000).wrapping_add(number);
        text = rest;
    }
    while let Some((byte, rest)) = text.split_first() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
        text = rest;
    }
    (value, text)
}

/// A byte in each of eight.
const EACH: u64 = 0x0101_0101_0101_0101;

/// The number that at most sixteen characters write, as if there were no point, and how many digits stand after it.
///
/// No loop and no branch depends on a digit: the text is put at the end of two words, the digits before the point are
/// moved over it, and all are joined at once.
#[inline(always)]
fn sixteen(text: &[u8]) -> Option<(u64, usize)> {
    let (mut low, mut high) = at_the_end(text)?;
    let points = |word: u64| {
        // Exact: the top bit of each byte that is a point.
        let difference = word ^ (EACH * u64::from(b'.'));
        !(((difference & (EACH * 0x7f)) + EACH * 0x7f) | difference) & (EACH * 0x80)
    };
    // The bytes before the first point, one further on; those after it as they are.
    let without = |word: u64, point: u32| {
        let before = (1_u64 << (8 * point)) - 1;
        (word & !(before << 8 | 0xff)) | (word & before) << 8
    };
    let (in_low, in_high) = (points(low), points(high));
    let (mut length, mut fraction) = (text.len(), 0);
    if in_low != 0 {
        let point = in_low.trailing_zeros() / 8;
        low = without(low, point);
        fraction = 15 - point;
        length -= 1;
    } else if in_high != 0 {
        let point = in_high.trailing_zeros() / 8;
        high = without(high, point) | low >> 56;
        low <<= 8;
        fraction = 7 - point;
        length -= 1;
    }
    if length == 0 {
        return None;
    }
    // What is in front of the text is zero, as a digit is once its high bits are gone.
    let unused = 8 * (16 - u32::try_from(length).ok()?);
    let zeros = EACH * u64::from(b'0');
    low ^= zeros.checked_shl(unused).unwrap_or(0);
    high ^= zeros << unused.saturating_sub(64);
    // Anything but a digit is ten or more now, which this brings to the top bit of its byte.
    let other = |word: u64| (word.wrapping_add(EACH * 0x76) | word) & (EACH * 0x80);
    if other(low) | other(high) != 0 {
        return None;
    }
    let digits = join_eight(low) * 100_000_000 + join_eight(high);
    Some((digits, fraction as usize))
}

/// `text`, of one to sixteen bytes, as the last bytes of two words of eight, zeros in front. Words of the text may
/// overlap: the same bytes meet.
#[inline(always)]
fn at_the_end(text: &[u8]) -> Option<(u64, u64)> {
    let length = text.len();
    // In bits: how far the start of the text is from the start of a word of eight that ends with it.
    let shift = |width: usize| 8 * u32::try_from(width - length).unwrap_or(0);
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        let first = u64::from_le_bytes(*first);
        let low = first.checked_shl(shift(16)).unwrap_or(0);
        return Some((low, u64::from_le_bytes(*last)));
    }
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        return Some((0, u64::from(first) << shift(8) | u64::from(last) << 32));
    }
    let middle = u64::from(*text.get(length / 2)?) << (shift(8) + 8 * u32::from(length > 1));
    let (first, last) = (*text.first()?, *text.last()?);
    Some((
        0,
        u64::from(first) << shift(8) | middle | u64::from(last) << 56,
    ))
}

/// The number that eight digits write, all of them at once; `None` where one is no digit.
#[inline]
fn eight_digits(text: [u8; 8]) -> Option<u64> {
    let word = u64::from_le_bytes(text);
    let high = word & 0xf0f0_f0f0_f0f0_f0f0;
    let carried = word.wrapping_add(0x0606_0606_0606_0606) & 0xf0f0_f0f0_f0f0_f0f0;
    if high != 0x3030_3030_3030_3030 || carried != high {
        return None;
    }
    Some(join_eight(word & 0x0f0f_0f0f_0f0f_0f0f))
}

/// Joins eight digits, the first in the lowest byte.
///
/// Source: Daniel Lemire, "Quickly parsing eight digits" (2018).
#[inline]
fn join_eight(word: u64) -> u64 {
    // Pairs of digits, then of pairs, then of fours: each step joins neighbours by multiplying and shifting.
    let pairs = word.wrapping_mul(2561) >> 8;
    let fours = (pairs & 0x00ff_00ff_00ff_00ff).wrapping_mul(6_553_601) >> 16;
    (fours & 0x0000_ffff_0000_ffff).wrapping_mul(42_949_672_960_001) >> 32
}

fn scan_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = split_sign(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut exponent = 0_i64;
    for digit in digits {
        exponent = (exponent * 10 + i64::from(digit - b'0')).min(EXPONENT_LIMIT);
    }
    Some(if negative { -exponent } else { exponent })
}

/// A slice is never longer than an `i64` counts.
fn count(digits: &[u8]) -> i64 {
    i64::try_from(digits.len()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What [`Numeral`] says, where there is no exponent.
    fn as_numeral(text: &[u8]) -> Option<Plain> {
        if text.iter().any(|byte| matches!(byte, b'e' | b'E')) {
            return None;
        }
        let numeral = Numeral::scan(text)?;
        let digits = [numeral.whole, numeral.fraction].concat();
        Some(Plain {
            negative: numeral.negative,
            digits: std::str::from_utf8(&digits).ok()?.parse().ok()?,
            fraction: numeral.fraction.len(),
        })
    }

    #[test]
    fn both_readers_agree_at_every_length_and_point() {
        for sign in ["", "-", "+"] {
            for length in 0..=19 {
                let digits = &"9876543210987654321"[..length];
                let mut texts = vec![format!("{sign}{digits}")];
                texts.extend((0..=length).map(|point| {
                    let (whole, fraction) = digits.split_at(point);
                    format!("{sign}{whole}.{fraction}")
                }));
                for text in texts {
                    let want = as_numeral(text.as_bytes());
                    let is_long = text.len() - sign.len() > 19;
                    let got = Plain::scan(text.as_bytes());
                    assert_eq!(got, want.filter(|_| !is_long), "{text}");
                }
            }
        }
    }

    #[test]
    fn any_other_byte_anywhere_is_refused() {
        for length in 1..=19 {
            for at in 0..length {
                for byte in 0..=255_u8 {
                    let mut text = vec![b'7'; length];
                    text[at] = byte;
                    assert_eq!(
                        Plain::scan(&text),
                        as_numeral(&text),
                        "{length} {at} {byte}"
                    );
                    // A point before it or behind it changes nothing.
                    text[length - 1 - at] = b'.';
                    assert_eq!(
                        Plain::scan(&text),
                        as_numeral(&text),
                        "{length} {at} {byte}"
                    );
                }
            }
        }
    }
}
