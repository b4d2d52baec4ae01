//! What of a value may be shown (SPEC 3, Secrets): user, password and the values in a query string never are.

use std::fmt;

use crate::error::shown;

/// What stands in place of a secret.
pub const REDACTED: &str = "«redacted»";

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text`.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for a signature or a header.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

/// Longest piece of a value that an error shows, in characters.
const SHOWN_CHARACTERS: usize = 120;

/// `text` as an error may show it: escaped, cut, and without the secrets that a URI in it may carry.
///
/// Errors show what looks like no URI too; therefore this looks for `://` and `?` anywhere rather than parsing.
#[must_use]
pub fn uri(text: &str) -> String {
    shown(hidden(text).as_bytes(), SHOWN_CHARACTERS)
}

/// `text` without the secrets that URIs in it may carry; neither escaped nor cut. After the first query string nothing
/// is shown but names.
#[must_use]
pub fn hidden(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((scheme, after)) = rest.split_once("://") {
        let ends = [after.find(['/', '?', '#']), after.find("://")];
        let authority_end = ends.into_iter().flatten().min().unwrap_or(after.len());
        let (authority, path) = after.split_at(authority_end);
        shown.extend([scheme, "://"]);
        match authority.rsplit_once('@') {
            Some((_, host)) => shown.extend([REDACTED, "@", host]),
            None => shown.push_str(authority),
        }
        // What is no list of URIs may be meant as one: in a path or a host, another URI may begin.
        let next = path.find("://").unwrap_or(path.len());
        match path.split_once('?') {
            Some((path, query)) if path.len() < next && !scheme.ends_with("file") => {
                shown.extend([path, "?", &query_string(query)]);
                return shown;
            }
            Some(_) | None => rest = path,
        }
    }
    shown + rest
}

/// Names stay, values go; a piece without a plain name is a value.
fn query_string(query: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%[]".contains(&byte);
    let pair = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if name.bytes().all(is_plain) => format!("{name}={REDACTED}"),
        Some(_) | None => REDACTED.to_owned(),
    };
    query.split('&').map(pair).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f129_what_a_uri_hides_is_not_shown() {
        for (name, text, want) in [
            ("plain", "file:///a/b?c", "file:///a/b?c"),
            ("no URI", "a\nb", "a\\nb"),
            (
                "password",
                "https://me:pass@host/x",
                "https://«redacted»@host/x",
            ),
            (
                "at signs",
                "https://me:p@ss@host/x",
                "https://«redacted»@host/x",
            ),
            (
                "query",
                "https://h/x?token=abc&b=c#d",
                "https://h/x?token=«redacted»&b=«redacted»",
            ),
            ("no path", "wss://h?secret", "wss://h?«redacted»"),
            (
                "a URI as a value",
                "https://h/x?next=https://g/y?token=abc",
                "https://h/x?next=«redacted»",
            ),
            (
                "hosts alone",
                "wss://a,wss://me:pass@b",
                "wss://a,wss://«redacted»@b",
            ),
            (
                "no list, but meant as one",
                "wss://a/x,wss://me:pass@b/y?key=abc&z\",\"wss://me:pass@c/?key=abc",
                "wss://a/x,wss://«redacted»@b/y?key=«redacted»&«redacted»",
            ),
        ] {
            assert_eq!(uri(text), want, "{name}");
        }
    }
}
