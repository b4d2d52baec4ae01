//! SHA-256 of what is stored and read back, and bytes as base64. The only place that hashes.

use std::fmt;

use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A SHA-256 being computed.
#[derive(Clone)]
pub struct Sha256(Context);

/// A finished SHA-256; shown, written and read as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Sha256 {
    /// That of no bytes so far.
    #[must_use]
    pub fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes taken.
    #[must_use]
    pub fn finish(self) -> Digest {
        let mut digest = [0; 32];
        for (to, from) in digest.iter_mut().zip(self.0.finish().as_ref()) {
            *to = *from;
        }
        Digest(digest)
    }
}

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sha256")
    }
}

/// The digest of `bytes`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Digest {
    let mut hash = Sha256::new();
    hash.update(bytes);
    hash.finish()
}

/// The SHA-1 of `text`, as base64: what a WebSocket handshake proves with it, nothing secret (RFC 6455, section 1.3).
#[must_use]
pub fn sha1_base64(text: &str) -> String {
    base64(ring::digest::digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()).as_ref())
}

impl Digest {
    /// Reads 64 hexadecimal digits; None for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut digest = [0; 32];
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != digest.len() || !rest.is_empty() {
            return None;
        }
        for (to, [high, low]) in digest.iter_mut().zip(pairs) {
            *to = (nibble(*high)? << 4) | nibble(*low)?;
        }
        Some(Self(digest))
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("not 64 lower-case hexadecimal digits"))
    }
}

/// RFC 4648, section 4: the digits in their order.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// RFC 4648, section 4, with padding.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    let digit = |bits: u32| DIGITS.get(bits as usize & 63).copied().unwrap_or_default();
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let (a, b, c) = match *group {
            [a, b, c] => (a, b, c),
            [a, b] => (a, b, 0),
            [a] => (a, 0, 0),
            _ => continue,
        };
        let bits = u32::from_be_bytes([0, a, b, c]);
        for at in 0..4 {
            let digit = digit(bits >> (18 - 6 * at));
            text.push(if at <= group.len() { digit.into() } else { '=' });
        }
    }
    text
}

/// The bytes that [`base64`] made `text` of; `None` for any other text.
#[must_use]
pub fn base64_decoded(text: &[u8]) -> Option<Vec<u8>> {
    let (groups, rest) = text.as_chunks::<4>();
    let Some((last, whole)) = groups.split_last().filter(|_| rest.is_empty()) else {
        return text.is_empty().then(Vec::new);
    };
    let digit = |byte: u8| {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        Some(u32::from(value))
    };
    let bits = |[a, b, c, d]: [u8; 4]| {
        Some(digit(a)? << 18 | digit(b)? << 12 | digit(c)? << 6 | digit(d)?)
    };
    let mut bytes = Vec::with_capacity(groups.len() * 3);
    for group in whole {
        let [_, a, b, c] = bits(*group)?.to_be_bytes();
        bytes.extend([a, b, c]);
    }
    // Bits that no byte is made of are zeros, as an encoder writes them.
    match *last {
        [a, b, b'=', b'='] => match bits([a, b, b'A', b'A'])?.to_be_bytes() {
            [_, first, 0, 0] => bytes.push(first),
            _ => return None,
        },
        [a, b, c, b'='] => match bits([a, b, c, b'A'])?.to_be_bytes() {
            [_, first, second, 0] => bytes.extend([first, second]),
            _ => return None,
        },
        group => {
            let [_, a, b, c] = bits(group)?.to_be_bytes();
            bytes.extend([a, b, c]);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_comes_back() {
        for raw in [&b""[..], b"f", b"fo", b"foo", b"\xff\xfe\x00", b"foobarx"] {
            assert_eq!(base64_decoded(base64(raw).as_bytes()).as_deref(), Some(raw));
        }
        for odd in [
            "Z",
            "Zg",
            "Zg=",
            "Zg==Zg==",
            "Zh==",
            "Zm9v ",
            "Zm9\u{e9}",
            "====",
            "Zm-v",
        ] {
            assert_eq!(base64_decoded(odd.as_bytes()), None, "{odd}");
        }
    }

    #[test]
    fn base64_as_the_rfc_shows_it() {
        for (raw, want) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(raw.as_bytes()), want);
        }
    }

    #[test]
    fn published_vectors_whole_and_in_pieces() {
        // FIPS 180-2, appendix B, and the empty message.
        for (text, want) in [
            (
                "",
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            ),
            (
                "abc",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
            ),
        ] {
            assert_eq!(sha256(text.as_bytes()).to_string(), want, "{text}");
            let mut hash = Sha256::new();
            text.bytes().for_each(|byte| hash.update(&[byte]));
            assert_eq!(hash.finish(), Digest::parse(want).unwrap(), "{text}");
        }
    }

    #[test]
    fn only_64_lower_case_digits_are_a_digest() {
        let good = "0".repeat(64);
        for (name, text, want) in [
            ("zeros", good.clone(), true),
            ("63 digits", good[1..].to_owned(), false),
            ("65 digits", format!("{good}0"), false),
            ("upper case", format!("{}A", &good[1..]), false),
            ("not a digit", format!("{}g", &good[1..]), false),
            ("not ASCII", format!("{}é", &good[2..]), false),
        ] {
            assert_eq!(Digest::parse(&text).is_some(), want, "{name}");
        }
    }
}
