//! Percent encoding as SigV4 and S3 define it, and the target of a request cut into its parts.

/// Encodes everything but `A-Z a-z 0-9 - . _ ~` and the bytes of `kept`.
///
/// Source: Amazon S3 API Reference, "Signature Calculations for the Authorization Header", `UriEncode`.
pub fn encode(bytes: &[u8], kept: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// The bytes behind `text`; none where a `%` is not followed by two hexadecimal digits. A plus stays a plus.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            if digits.starts_with('+') {
                return None;
            }
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    Some(bytes)
}

/// [`decode`], and UTF-8 demanded.
pub fn decode_text(text: &str) -> Option<String> {
    String::from_utf8(decode(text)?).ok()
}

/// The decoded pairs of a query string in their order; a parameter without `=` has an empty value.
pub fn query(text: &str) -> Option<Vec<(String, String)>> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            // In the query, and only there, S3 takes a plus for a space.
            let decoded = |part: &str| decode_text(&part.replace('+', " "));
            Some((decoded(name)?, decoded(value)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways() {
        for (name, bytes, text) in [
            ("plain", &b"a/b-._~"[..], "a/b-._~"),
            ("odd", b"a +%&\"", "a%20%2B%25%26%22"),
            ("not UTF-8", b"\xff", "%FF"),
        ] {
            assert_eq!(encode(bytes, b"/"), text, "{name}");
            assert_eq!(decode(text).as_deref(), Some(bytes), "{name}");
        }
        for broken in ["%", "%4", "%+4", "%zz"] {
            assert_eq!(decode(broken), None, "{broken}");
        }
        let pairs = query("list-type=2&prefix=a+b%2Bc&uploads").expect("it is well formed");
        assert_eq!(pairs[1], ("prefix".into(), "a b+c".into()));
        assert_eq!(pairs[2], ("uploads".into(), String::new()));
    }
}
