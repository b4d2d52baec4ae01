//! `https://` URIs and the headers sent to them (SPEC 3, INPUT and HEADERS). Values in a query string and all headers are
//! secret, and hidden by type.

use std::fmt;
use std::path::PathBuf;

use serde_json::{Map, Value};

use super::aws::parse_url;
use super::problem::Fault;
use super::redact::{self, Secret};

/// `https://host/path?query`, or the same over plain http from a loopback address, taken literally.
///
/// Invariant: an HTTP request can be made of it; it has no user, password or fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpsUri {
    uri: Secret,
}

/// How `https://` objects are reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Https {
    /// HEADERS: names in lower case.
    pub headers: Vec<(String, Secret)>,
    /// AWS_CA_BUNDLE
    pub ca_bundle: Option<PathBuf>,
    /// Proxy variables that are set, and not used.
    pub proxies: Vec<&'static str>,
}

/// Headers that windrow decides itself.
const OWN: [&str; 16] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "if-match",
    "if-none-match",
    "if-range",
    "range",
    "sec-websocket-accept",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-version",
    "te",
    "transfer-encoding",
    "upgrade",
];

impl HttpsUri {
    /// Whether `text` is meant to be one.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        text.starts_with("https://") || text.starts_with("http://")
    }

    /// # Errors
    /// What is wrong with it: plain http from elsewhere than a loopback address, a fragment, characters that a URI cannot
    /// hold.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let fault = |expected: &str, advice: &str| Fault::new(expected, redact::uri(text), advice);
        let authority = text.split_once("://").map_or("", |(_, rest)| rest);
        let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(fault(
                "a URI without user and password",
                "credentials never stand in a URI: give them in HEADERS",
            ));
        }
        match parse_url(text) {
            None => Err(fault(
                "https://HOST/PATH, perhaps with a query string",
                "write what a URI cannot hold as %XX, and leave out a fragment",
            )),
            Some(url) if url.is_plain && !url.is_loopback() => Err(fault(
                "https://",
                "plain http is refused except from a loopback address",
            )),
            Some(_) => Ok(Self {
                uri: Secret::new(text),
            }),
        }
    }

    /// All of it, for the request.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.uri.expose()
    }
}

/// Without the values of its query string.
impl fmt::Display for HttpsUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redact::hidden(self.expose()))
    }
}

/// Reads HEADERS. No problem shows a value.
///
/// # Errors
/// Anything but an object of headers that a request can carry, each once, none of which windrow decides itself.
pub fn headers(text: &str) -> Result<Vec<(String, Secret)>, Fault> {
    let expected = "a JSON object of texts, such as {\"Authorization\": \"Bearer …\"}";
    let object: Map<String, Value> = serde_json::from_slice(text.as_bytes())
        .map_err(|_| Fault::new(expected, "something else, which is not shown here", ""))?;
    let mut headers: Vec<(String, Secret)> = Vec::with_capacity(object.len());
    for (name, value) in object {
        let lower = name.to_ascii_lowercase();
        let named = || redact::uri(&name);
        let is_token =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_token) {
            let advice = "letters, digits and hyphens";
            return Err(Fault::new("names of headers", named(), advice));
        }
        if OWN.contains(&lower.as_str()) {
            let advice = "leave it out: windrow sets it as each request needs it";
            return Err(Fault::new("other headers", named(), advice));
        }
        if headers.iter().any(|(known, _)| *known == lower) {
            return Err(Fault::new("each header once", named(), "in one spelling"));
        }
        let is_sendable = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
        let value = value
            .as_str()
            .filter(|value| value.bytes().all(is_sendable));
        let value = value.ok_or_else(|| {
            let found = format!("another value of {}, which is not shown here", named());
            Fault::new("texts of visible ASCII characters and blanks", found, "")
        })?;
        headers.push((lower, Secret::new(value)));
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f129_uris_are_shown_without_what_they_hide() {
        for (text, want) in [
            ("https://host/a b", None),
            ("https://host/a", Some("https://host/a")),
            ("https://host", Some("https://host")),
            // RFC 3986 has `@` in paths, and streams of an exchange are named so: it is no user there.
            ("https://host/a@b", Some("https://host/a@b")),
            ("https://me@host/a@b", None),
            (
                "https://host:8443/a//b/../*?X-Sig=CANARY&n=1&CANARY",
                Some("https://host:8443/a//b/../*?X-Sig=«redacted»&n=«redacted»&«redacted»"),
            ),
            ("http://127.0.0.1:9/a", Some("http://127.0.0.1:9/a")),
            ("http://localhost/a", Some("http://localhost/a")),
            ("http://host/a", None),
            ("https://me:CANARY@host/a", None),
            ("https://host/a#b", None),
            ("https://host:99999/a", None),
            ("https://", None),
        ] {
            match (HttpsUri::parse(text), want) {
                (Ok(uri), Some(want)) => {
                    assert_eq!(uri.to_string(), want);
                    assert_eq!(uri.expose(), text);
                    assert!(!format!("{uri:?}").contains("CANARY"), "{uri:?}");
                }
                (Err(fault), None) => assert!(!fault.found.contains("CANARY"), "{fault:?}"),
                (found, want) => panic!("{text}: {found:?}, want {want:?}"),
            }
        }
    }

    #[test]
    fn f129_headers() {
        for (text, want) in [
            ("{}", Ok(vec![])),
            (
                r#"{"Authorization": "Bearer CANARY", "X-Key": "a b"}"#,
                Ok(vec![("authorization", "Bearer CANARY"), ("x-key", "a b")]),
            ),
            (r#"{"a": "CANARY\nb: c"}"#, Err("visible ASCII")),
            (r#"{"a": 1}"#, Err("visible ASCII")),
            (r#"{"a b": "CANARY"}"#, Err("names of headers")),
            (r#"{"Range": "CANARY"}"#, Err("other headers")),
            (r#"{"a": "CANARY", "A": "CANARY"}"#, Err("each header once")),
            (r#"["CANARY"]"#, Err("a JSON object")),
            ("CANARY", Err("a JSON object")),
        ] {
            match (headers(text), want) {
                (Ok(found), Ok(want)) => {
                    let bare = found
                        .iter()
                        .map(|(name, value)| (name.as_str(), value.expose()));
                    assert_eq!(bare.collect::<Vec<_>>(), want, "{text}");
                    assert!(!format!("{found:?}").contains("CANARY"), "{found:?}");
                }
                (Err(fault), Err(want)) => {
                    assert!(fault.expected.contains(want), "{text}: {fault:?}");
                    assert!(!format!("{fault:?}").contains("CANARY"), "{fault:?}");
                }
                (found, want) => panic!("{text}: {found:?}, want {want:?}"),
            }
        }
    }
}
