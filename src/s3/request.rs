//! Where a request goes: addresses and their encoding (SPEC 3, AWS settings).

use std::fmt::Write;

use crate::http::{Header, Limits, Method, Repeat};

/// AWS, or a store of another make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// AWS's own in this region: virtual-hosted addresses, path-style where the bucket's name has a dot, which no
    /// certificate covers.
    Aws {
        /// Such as `eu-central-1`.
        region: String,
    },
    /// A custom one: path-style addresses.
    Custom {
        /// Scheme, host and perhaps a path, without a `/` at its end and without the scheme's own port.
        base: String,
    },
}

/// A request before it is signed.
#[derive(Clone, Debug)]
pub(super) struct Call<'a> {
    pub(super) method: Method,
    /// None for the bucket itself.
    pub(super) key: Option<&'a str>,
    /// Names and values, not yet encoded.
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) headers: Vec<Header>,
    pub(super) body: &'a [u8],
    pub(super) limits: Limits,
    pub(super) repeat: Repeat,
    /// For errors: "reading", "listing".
    pub(super) doing: &'static str,
    /// The right that it takes, as IAM calls it.
    pub(super) right: &'static str,
}

impl<'a> Call<'a> {
    /// A call without query, headers and body, that may be sent again unseen.
    pub(super) fn new(
        method: Method,
        key: Option<&'a str>,
        doing: &'static str,
        right: &'static str,
    ) -> Self {
        Self {
            method,
            key,
            query: Vec::new(),
            headers: Vec::new(),
            body: &[],
            limits: Limits::USUAL,
            repeat: Repeat::Silently,
            doing,
            right,
        }
    }
}

impl Endpoint {
    /// The URL of a key of `bucket`, or of the bucket.
    ///
    /// Source: "Virtual hosting of general purpose buckets", Amazon S3 User Guide.
    pub(super) fn url(
        &self,
        bucket: &str,
        key: Option<&str>,
        query: &[(&'static str, String)],
    ) -> String {
        let mut url = match self {
            Endpoint::Custom { base } => format!("{base}/{bucket}"),
            Endpoint::Aws { region } => {
                let suffix = match region.starts_with("cn-") {
                    true => "amazonaws.com.cn",
                    false => "amazonaws.com",
                };
                match bucket.contains('.') {
                    true => format!("https://s3.{region}.{suffix}/{bucket}"),
                    false => format!("https://{bucket}.s3.{region}.{suffix}"),
                }
            }
        };
        url.push('/');
        if let Some(key) = key {
            encode(key, Slash::Kept, &mut url);
        } else if url.matches('/').count() > 3 {
            // The bucket's own address has no slash at its end where the bucket stands in the path.
            url.pop();
        }
        for (number, (name, value)) in query.iter().enumerate() {
            url.push(if number == 0 { '?' } else { '&' });
            url.push_str(name);
            url.push('=');
            encode(value, Slash::Encoded, &mut url);
        }
        url
    }

    /// Whether create-only writes are known to hold there.
    #[must_use]
    pub fn is_aws(&self) -> bool {
        matches!(self, Endpoint::Aws { .. })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Slash {
    Kept,
    Encoded,
}

/// Everything but RFC 3986's unreserved characters as `%XX`, as signatures want it.
/// Source: "Create a signed AWS API request", IAM User Guide, UriEncode().
fn encode(text: &str, slash: Slash, into: &mut String) {
    for byte in text.bytes() {
        let is_plain = byte.is_ascii_alphanumeric()
            || b"-._~".contains(&byte)
            || (byte == b'/' && slash == Slash::Kept);
        match is_plain {
            true => into.push(char::from(byte)),
            // Writing to a String cannot fail.
            false => drop(write!(into, "%{byte:02X}")),
        }
    }
}

/// Undoes `encoding-type=url` of a listing, in which a `+` is a blank; None where it is not so encoded, or not UTF-8.
pub(super) fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let (digits, after) = rest.split_at_checked(2)?;
                let digits = std::str::from_utf8(digits).ok()?;
                if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                    return None;
                }
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                rest = after;
            }
            other => bytes.push(*other),
        }
    }
    String::from_utf8(bytes).ok()
}

/// An ETag in quotes, whether it came with or without; None where it is weak or could not be sent back.
pub(crate) fn etag(text: &str) -> Option<String> {
    let bare = text.strip_prefix('"').unwrap_or(text);
    let bare = bare.strip_suffix('"').unwrap_or(bare);
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"';
    (!bare.is_empty() && !text.starts_with("W/") && bare.bytes().all(is_plain))
        .then(|| format!("\"{bare}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let aws = Endpoint::Aws {
            region: "eu-central-1".into(),
        };
        let china = Endpoint::Aws {
            region: "cn-north-1".into(),
        };
        let custom = Endpoint::Custom {
            base: "http://127.0.0.1:9000".into(),
        };
        let below = Endpoint::Custom {
            base: "https://host/s3".into(),
        };
        let list = vec![
            ("list-type", "2".to_owned()),
            ("prefix", "a/b c+".to_owned()),
        ];
        for (name, endpoint, bucket, key, query, want) in [
            (
                "virtual host",
                &aws,
                "b",
                Some("k"),
                vec![],
                "https://b.s3.eu-central-1.amazonaws.com/k",
            ),
            (
                "dot",
                &aws,
                "b.c",
                Some("k"),
                vec![],
                "https://s3.eu-central-1.amazonaws.com/b.c/k",
            ),
            (
                "China",
                &china,
                "b",
                Some("k"),
                vec![],
                "https://b.s3.cn-north-1.amazonaws.com.cn/k",
            ),
            (
                "path style",
                &custom,
                "b",
                Some("k"),
                vec![],
                "http://127.0.0.1:9000/b/k",
            ),
            (
                "endpoint with a path",
                &below,
                "b",
                Some("k"),
                vec![],
                "https://host/s3/b/k",
            ),
            (
                "bucket",
                &aws,
                "b",
                None,
                list.clone(),
                "https://b.s3.eu-central-1.amazonaws.com/?list-type=2&prefix=a%2Fb%20c%2B",
            ),
            (
                "bucket, dot",
                &aws,
                "b.c",
                None,
                list.clone(),
                "https://s3.eu-central-1.amazonaws.com/b.c?list-type=2&prefix=a%2Fb%20c%2B",
            ),
            (
                "bucket, path style",
                &custom,
                "b",
                None,
                list,
                "http://127.0.0.1:9000/b?list-type=2&prefix=a%2Fb%20c%2B",
            ),
        ] {
            assert_eq!(endpoint.url(bucket, key, &query), want, "{name}");
        }
    }

    #[test]
    fn f041_odd_keys() {
        for (key, want) in [
            ("a b", "a%20b"),
            ("a+b", "a%2Bb"),
            ("100%", "100%25"),
            ("a%20b", "a%2520b"),
            ("~-._", "~-._"),
            ("a//b", "a//b"),
            ("/a", "/a"),
            ("./..", "./.."),
            ("ä€😀", "%C3%A4%E2%82%AC%F0%9F%98%80"),
            ("&<>\"'", "%26%3C%3E%22%27"),
            ("a\nb", "a%0Ab"),
            ("a?b#c=d", "a%3Fb%23c%3Dd"),
            ("*!()@:,;$", "%2A%21%28%29%40%3A%2C%3B%24"),
        ] {
            let mut encoded = String::new();
            encode(key, Slash::Kept, &mut encoded);
            assert_eq!(encoded, want);
            assert_eq!(decode(&encoded).as_deref(), Some(key));
        }
        let longest = "é".repeat(512);
        let mut encoded = String::new();
        encode(&longest, Slash::Encoded, &mut encoded);
        assert_eq!(encoded.len(), 3 * 1_024);
        assert_eq!(decode(&encoded), Some(longest));
        assert_eq!(decode("a+b"), Some("a b".into()));
        for broken in ["%", "%4", "%zz", "%+4", "%FF"] {
            assert_eq!(decode(broken), None, "{broken}");
        }
    }

    #[test]
    fn f038_etags() {
        for (text, want) in [
            ("\"abc-2\"", Some("\"abc-2\"")),
            ("abc", Some("\"abc\"")),
            ("\"abc", Some("\"abc\"")),
            ("W/\"abc\"", None),
            ("\"\"", None),
            ("", None),
            ("a\"b", None),
            ("a b", None),
        ] {
            assert_eq!(etag(text).as_deref(), want, "{text}");
        }
    }
}
