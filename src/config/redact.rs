//! What of a value may be shown (SPEC 3, Secrets): user, password and the values in a query string never are.

use std::fmt;

use percent_encoding::percent_decode_str;

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

/// Values that no output may hold, also where somebody else says them: a server may repeat what it was sent.
///
/// Those of fewer than [`SECRET_BYTES`] hide nothing, and would make a text unreadable.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    /// Longest first: one may be a part of another.
    values: Vec<String>,
}

impl Secrets {
    /// Keeps `values`.
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        let mut sorted: Vec<String> = Vec::new();
        for value in values {
            if value.len() >= SECRET_BYTES && !sorted.contains(&value) {
                let place = sorted.partition_point(|longer| longer.len() >= value.len());
                sorted.insert(place, value);
            }
        }
        Self { values: sorted }
    }

    /// `said` as an error may show it: without the values; escaped, and cut to `limit` characters.
    #[must_use]
    pub fn shown(&self, said: &[u8], limit: usize) -> String {
        shown(
            self.without(&String::from_utf8_lossy(said)).as_bytes(),
            limit,
        )
    }

    /// `said` without the values, whether or not they are escaped as in JSON or a query string, and without the beginning of
    /// one at its end, where it may have been cut. Where there is none of them, it is as it was.
    #[must_use]
    pub fn without(&self, said: &str) -> String {
        let (whole, cut) = match said.strip_suffix('…') {
            Some(whole) => (whole, "…"),
            None => (said, ""),
        };
        let plain = unescaped(whole.trim_end_matches(char::REPLACEMENT_CHARACTER));
        let decoded = percent_decode_str(&plain).decode_utf8_lossy();
        let forms = [&decoded, plain.as_str()].into_iter();
        let mut hidden = forms.filter_map(|form| self.hidden(form));
        hidden.next().map_or(said.to_owned(), |text| text + cut)
    }

    /// `text` without the values; `None` where there is none.
    fn hidden(&self, text: &str) -> Option<String> {
        let mut hidden = text.to_owned();
        for value in &self.values {
            hidden = hidden.replace(value, REDACTED);
        }
        if let Some(at) = self.begun_at(&hidden) {
            hidden.truncate(at);
            hidden.push_str(REDACTED);
        }
        (hidden != text).then_some(hidden)
    }

    /// Where the end of `text` is the beginning of a value.
    fn begun_at(&self, text: &str) -> Option<usize> {
        let longest = self.values.first().map_or(0, String::len);
        let lengths = SECRET_BYTES..longest;
        let mut tails = text.char_indices().map(|(at, _)| text.split_at(at));
        let found = tails.find(|(_, tail)| {
            lengths.contains(&tail.len()) && self.values.iter().any(|value| value.starts_with(tail))
        });
        found.map(|(before, _)| before.len())
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

/// Shortest value that is looked for.
const SECRET_BYTES: usize = 4;

/// `text` without the escapes of JSON (RFC 8259, section 7), until there are none: a string may hold JSON itself. One that
/// was cut is left out.
fn unescaped(text: &str) -> String {
    let mut text = text.to_owned();
    while text.contains('\\') {
        let mut units = Vec::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some((before, escape)) = rest.split_once('\\') {
            units.extend(before.encode_utf16());
            let mut after = escape.chars();
            let first = after.next();
            rest = after.as_str();
            match first {
                Some('u') => match rest.get(..4).map(|hex| u16::from_str_radix(hex, 16)) {
                    Some(Ok(unit)) => {
                        units.push(unit);
                        rest = rest.get(4..).unwrap_or_default();
                    }
                    Some(Err(_)) => units.push(u16::from(b'u')),
                    None => rest = "",
                },
                Some('n') => units.push(u16::from(b'\n')),
                Some('r') => units.push(u16::from(b'\r')),
                Some('t') => units.push(u16::from(b'\t')),
                Some(other) => units.extend_from_slice(other.encode_utf16(&mut [0; 2])),
                None => {}
            }
        }
        units.extend(rest.encode_utf16());
        text = String::from_utf16_lossy(&units);
    }
    text
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
    fn f129_what_others_repeat_is_not_shown() {
        let values = [
            "canary/+one==",
            "canary",
            "abc",
            "canary/+one==",
            "tail-of-it",
            "two😀faces",
        ];
        let secrets = Secrets::new(values.map(str::to_owned));
        for (name, said, want) in [
            ("nothing of it", "no such pair: FOO", "no such pair: FOO"),
            ("as it is", "key canary/+one==!", "key «redacted»!"),
            (
                "one in the other",
                "canary canary/+one==",
                "«redacted» «redacted»",
            ),
            ("too short to hide", "abc", "abc"),
            (
                "escaped",
                r#"{"key":"canary\/+one\u003d\u003D"}"#,
                r#"{"key":"«redacted»"}"#,
            ),
            (
                "JSON in a string",
                r#"{"error":"{\"key\":\"canary\\/+one\u003d=\"}"}"#,
                r#"{"error":"{"key":"«redacted»"}"}"#,
            ),
            ("cut in the middle", "key tail-of", "key «redacted»"),
            ("not yet", "key tai", "key tai"),
            ("cut, and said so", "key tail-of…", "key «redacted»…"),
            ("a lone escape", "a\\", "a\\"),
            ("no escape", r"a\ud800\u12", r"a\ud800\u12"),
            (
                "other escapes",
                r"canary\ud800\u12z4\n\t\",
                "«redacted»\u{fffd}u12z4\\n\\t",
            ),
            ("cut in an escape", r"key tail-of\u00", "key «redacted»"),
            ("in a pair", r"two\ud83d\ude00faces", "«redacted»"),
            (
                "in a query",
                "/x?key=canary%2F%2bone%3D%3D",
                "/x?key=«redacted»",
            ),
            ("a query of others", "/x?a=b%2Fc", "/x?a=b%2Fc"),
        ] {
            assert_eq!(secrets.shown(said.as_bytes(), 100), want, "{name}");
        }
        assert_eq!(secrets.shown(b"canary\xff", 11), "«redacted»");
        // A character that was cut.
        assert_eq!(secrets.shown(b"two\xf0\x9f\x98", 11), "two\u{fffd}");
        assert_eq!(secrets.shown(b"tail-of\xf0\x9f", 11), "«redacted»");
        assert_eq!(secrets.shown(b"canary and more", 12), "«redacted» a…");
        assert_eq!(format!("{secrets:?}"), REDACTED);
    }

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
