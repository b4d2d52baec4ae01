//! Where strings and bare words end, sixteen bytes at a time; escapes; the grammar of numbers.

use super::super::Reason;

/// A byte in each of eight.
const EACH: u64 = 0x0101_0101_0101_0101;
/// The top bit of each byte: there the tests below set what they find.
const TOP: u64 = 0x80 * EACH;

/// Where at or after `at` the first byte is that ends a run of plain string bytes: a quote, a backslash or a control
/// character; the end of `bytes` where there is none.
#[inline(always)]
pub(super) fn string_stop(bytes: &[u8], at: usize) -> usize {
    first(bytes, at, |word| {
        let quote = word ^ (u64::from(b'"') * EACH);
        let backslash = word ^ (u64::from(b'\\') * EACH);
        // A byte is zero, or below 0x20, where the subtraction borrows and its own top bit is not set. A borrow from
        // the byte below only makes a false find above a true one, and the first is what counts.
        let zero = |word: u64| word.wrapping_sub(EACH) & !word;
        let control = word.wrapping_sub(0x20 * EACH) & !word;
        (zero(quote) | zero(backslash) | control) & TOP
    })
}

/// Where at or after `at` the first byte is that no number has; the end of `bytes` where there is none.
#[inline(always)]
pub(super) fn number_stop(bytes: &[u8], mut at: usize) -> usize {
    loop {
        at = first(bytes, at, |word| {
            let digits = word ^ (u64::from(b'0') * EACH);
            // Ten and more reach the top bit of their byte; so do bytes that have it set.
            (((digits & !TOP) + 0x76 * EACH) | digits) & TOP
        });
        match bytes.get(at) {
            Some(b'+' | b'-' | b'.' | b'E' | b'e') => at += 1,
            _ => return at,
        }
    }
}

/// Where at or after `at` the first byte is for which `find` sets the top bit of its place in a word of eight (bits
/// above that do not matter); the end of `bytes` where there is none.
#[inline(always)]
fn first(bytes: &[u8], mut at: usize, find: impl Fn(u64) -> u64) -> usize {
    while let Some(lane) = bytes.get(at..).and_then(|rest| rest.first_chunk::<16>()) {
        let (words, _) = lane.as_chunks::<8>();
        let &[low, high] = words else { break };
        let (low, high) = (
            find(u64::from_le_bytes(low)),
            find(u64::from_le_bytes(high)),
        );
        if low | high != 0 {
            // Both are computed, so that only one branch depends on the data.
            let (in_low, in_high) = (low.trailing_zeros() / 8, 8 + high.trailing_zeros() / 8);
            let offset = if low == 0 { in_high } else { in_low };
            return at + offset as usize;
        }
        at += 16;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    let is_found = |&byte: &u8| find(u64::from(byte)) & 0x80 != 0;
    at + rest.iter().position(is_found).unwrap_or(rest.len())
}

/// Whether `text`, which begins as a number does, is one: no leading zeros, digits on both sides of the point.
pub(super) fn is_number(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let (whole, rest) = digits(text);
    if whole == 0 || (whole > 1 && text.first() == Some(&b'0')) {
        return false;
    }
    let rest = match rest.strip_prefix(b".") {
        Some(fraction) => match digits(fraction) {
            (0, _) => return false,
            (_, rest) => rest,
        },
        None => rest,
    };
    match rest {
        [] => true,
        [b'e' | b'E', b'+' | b'-', exponent @ ..] | [b'e' | b'E', exponent @ ..] => {
            matches!(digits(exponent), (1.., []))
        }
        _ => false,
    }
}

/// How many digits `text` begins with, and what follows them.
#[inline]
fn digits(text: &[u8]) -> (usize, &[u8]) {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (count, text.get(count..).unwrap_or_default())
}

/// How long the escape at the start of `text` is, behind its backslash; `None` where it is none.
pub(super) fn escape_length(text: &[u8]) -> Option<usize> {
    match text {
        [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => Some(1),
        [b'u', a, b, c, d, ..] if [a, b, c, d].iter().all(|hex| hex.is_ascii_hexdigit()) => Some(5),
        _ => None,
    }
}

/// Appends `text`, whose escapes are well formed, to `out` without them.
///
/// Errors: [`Reason::LoneSurrogate`].
pub(super) fn unescape(mut text: &[u8], out: &mut Vec<u8>) -> Result<(), Reason> {
    while let Some(at) = memchr::memchr(b'\\', text) {
        let (plain, escaped) = text.split_at_checked(at).unwrap_or((text, &[]));
        out.extend_from_slice(plain);
        text = unescape_one(escaped.get(1..).unwrap_or_default(), out)?;
    }
    out.extend_from_slice(text);
    Ok(())
}

/// Appends what the escape at the start of `text` stands for, and returns what follows it.
fn unescape_one<'a>(text: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8], Reason> {
    let Some((&letter, rest)) = text.split_first() else {
        return Ok(&[]);
    };
    out.push(match letter {
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'u' => {
            let (character, rest) = code_point(rest).ok_or(Reason::LoneSurrogate)?;
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            return Ok(rest);
        }
        _ => letter,
    });
    Ok(rest)
}

/// The character of a `\u` escape whose digits `text` begins with, a second escape taken with it where the first is
/// half of a pair; and what follows.
fn code_point(text: &[u8]) -> Option<(char, &[u8])> {
    let (high, rest) = four_hex(text)?;
    if let Some(character) = char::from_u32(high) {
        return Some((character, rest));
    }
    let (low, rest) = four_hex(rest.strip_prefix(b"\\u")?)?;
    if !(0xd800..0xdc00).contains(&high) || !(0xdc00..0xe000).contains(&low) {
        return None;
    }
    let code_point = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    Some((char::from_u32(code_point)?, rest))
}

fn four_hex(text: &[u8]) -> Option<(u32, &[u8])> {
    let (hex, rest) = text.split_at_checked(4)?;
    let number = u32::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?;
    Some((number, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f072_numbers() {
        for (text, want) in [
            ("0", true),
            ("-0", true),
            ("-0.0e-0", true),
            ("10", true),
            ("1.5E+10", true),
            ("1e400", true),
            ("01", false),
            ("-01", false),
            ("1.", false),
            ("1.e5", false),
            (".5", false),
            ("-", false),
            ("1e", false),
            ("1e+", false),
            ("1.5.5", false),
            ("1-5", false),
            ("1e5.5", false),
            ("+1", false),
        ] {
            assert_eq!(is_number(text.as_bytes()), want, "{text}");
        }
    }

    #[test]
    fn stops_are_found_at_every_offset() {
        for length in 0..40 {
            for (stop, number) in [(b'"', false), (b'\\', false), (0x1f, false), (b',', true)] {
                let mut bytes = vec![if number { b'7' } else { b'x' }; length];
                bytes.push(stop);
                bytes.extend_from_slice(b"7x\"");
                for at in 0..=length {
                    let found = if number {
                        number_stop(&bytes, at)
                    } else {
                        string_stop(&bytes, at)
                    };
                    assert_eq!(found, length);
                }
            }
        }
        assert_eq!(string_stop(b"abc", 0), 3);
        assert_eq!(number_stop(b"+-.eE0123456789", 0), 15);
        for byte in 0..=255_u8 {
            let want = !byte.is_ascii_digit() && !b"+-.eE".contains(&byte);
            assert_eq!(number_stop(&[byte; 16], 0) == 0, want, "{byte}");
        }
    }

    #[test]
    fn f071_escapes() {
        for (name, text, want) in [
            ("none", "abc", Some("abc")),
            (
                "all letters",
                r#"\"\\\/\b\f\n\r\t"#,
                Some("\"\\/\u{8}\u{c}\n\r\t"),
            ),
            ("unicode", r"a\u00e4\u20ACb", Some("aä€b")),
            ("nul", r"\u0000", Some("\0")),
            ("pair", r"\ud83d\ude00!", Some("😀!")),
            ("high alone", r"\ud83d", None),
            ("high before text", r"\ud83dx", None),
            ("low alone", r"\ude00", None),
            ("two high", r"\ud83d\ud83d", None),
            ("high before another escape", r"\ud83d\n", None),
        ] {
            let mut out = Vec::new();
            let got = unescape(text.as_bytes(), &mut out).map(|()| out);
            let want = want
                .map(|text| text.as_bytes().to_vec())
                .ok_or(Reason::LoneSurrogate);
            assert_eq!(got, want, "{name}");
        }
    }
}
