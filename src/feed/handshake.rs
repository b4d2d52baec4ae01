//! The opening handshake (RFC 6455, section 4), and what a refusal means for a run (FAULTS 88).

use super::{Address, Feeds};
use crate::digest::{base64, sha1_base64};
use crate::error::{Error, Kind, Result, shown};
use crate::http::{Header, Limits, Upgrade};

pub(super) const CONNECTING: &str = "connecting to";

/// What a server mixes into its proof (RFC 6455, section 1.3).
const PROOF: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

impl Feeds<'_> {
    /// Connects to `address` and is accepted.
    pub(super) fn shake_hands(&self, address: &Address) -> Result<Upgrade> {
        let mut nonce = [0; 16];
        self.random.fill(&mut nonce)?;
        let key = base64(&nonce);
        let mut headers = vec![
            Header::new("connection", "Upgrade"),
            Header::new("upgrade", "websocket"),
            Header::new("sec-websocket-version", "13"),
            Header::new("sec-websocket-key", key.as_str()),
        ];
        headers.extend(self.settings.headers.iter().cloned());
        // ws and wss are http and https with other names (RFC 6455, section 3).
        let uri = address.uri.strip_prefix("ws").unwrap_or(&address.uri);
        let url = format!("http{uri}");
        let answer = self
            .client
            .upgrade(&url, &headers, Limits::USUAL, self.stop)
            .map_err(|failure| failure.error(CONNECTING, address.shown.as_str()))?;
        let refusal = match answer.status {
            101 => broken(&answer.headers, &headers, &key),
            status => Some(refused(status, &answer.headers)),
        };
        match refusal {
            None => Ok(answer),
            Some(Refusal(kind, found, advice)) => {
                let expected = "a WebSocket handshake that is accepted";
                let found = self.settings.secrets.without(&found);
                let error = Error::new(kind, CONNECTING, expected, found, advice);
                Err(error.at_uri(address.shown.as_str()))
            }
        }
    }
}

/// Kind, what was found, and advice.
#[derive(Debug)]
struct Refusal(Kind, String, &'static str);

/// What an answer that is not 101 means.
fn refused(status: u16, headers: &[Header]) -> Refusal {
    let found = format!("status {status}");
    match status {
        401 | 403 | 451 => Refusal(
            Kind::Denied,
            found,
            "look at HEADERS and the URI, and at whether the feed serves this region and network",
        ),
        300..=399 => Refusal(
            Kind::Input,
            match value(headers, "location") {
                Some(location) => format!("{found}, a redirect to {}", without_secrets(location)),
                None => format!("{found}, a redirect to nowhere"),
            },
            "redirects are not followed: name that address where it is to be trusted",
        ),
        429 => Refusal(
            Kind::Unavailable,
            found,
            "the feed counts too many connections or requests: wait, or connect less often",
        ),
        400..=499 => Refusal(
            Kind::Input,
            found,
            "look at path and query of the URI: there is no such feed",
        ),
        500..=599 => Refusal(
            Kind::Unavailable,
            found,
            "the feed is out of order: start again later under a new RUN_ID",
        ),
        _ => Refusal(
            Kind::Protocol,
            found,
            "look at the URI: what answers there speaks no WebSocket",
        ),
    }
}

/// What is wrong with a 101 that answers `asked`, if anything is.
fn broken(headers: &[Header], asked: &[Header], key: &str) -> Option<Refusal> {
    let has = |name: &str, token: &str| tokens(headers, name).any(|found| is_same(found, token));
    let proof = sha1_base64(&format!("{key}{PROOF}"));
    let is_asked_for = |chosen: &str| tokens(asked, SUBPROTOCOL).any(|token| token == chosen);
    let found = if !has("upgrade", "websocket") || !has("connection", "upgrade") {
        "an answer without `Upgrade: websocket` and `Connection: Upgrade`".to_owned()
    } else if value(headers, "sec-websocket-accept") != Some(&proof) {
        "a wrong Sec-WebSocket-Accept: the answer to another handshake".to_owned()
    } else if let Some(extension) = tokens(headers, "sec-websocket-extensions").next() {
        format!(
            "an extension that was not asked for: {}",
            shown(extension.as_bytes(), 60)
        )
    } else if let Some(chosen) = value(headers, SUBPROTOCOL).filter(|&name| !is_asked_for(name)) {
        format!(
            "a subprotocol that was not asked for: {}",
            shown(chosen.as_bytes(), 60)
        )
    } else {
        return None;
    };
    let advice = "look at what stands between here and the feed, and at whether it speaks RFC 6455";
    Some(Refusal(Kind::Protocol, found, advice))
}

const SUBPROTOCOL: &str = "sec-websocket-protocol";

fn value<'a>(headers: &'a [Header], name: &str) -> Option<&'a str> {
    let found = headers.iter().find(|header| header.name == name);
    found.map(|header| header.value.as_str())
}

/// The elements of a header that is a list, over all its lines.
fn tokens<'a>(headers: &'a [Header], name: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = headers.iter().filter(move |header| header.name == name);
    let tokens = lines.flat_map(|header| header.value.split(','));
    tokens.map(str::trim).filter(|token| !token.is_empty())
}

fn is_same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// An address up to what may be a secret in it.
fn without_secrets(location: &str) -> String {
    let end = location.find(['?', '#']).unwrap_or(location.len());
    let (address, rest) = location.split_at(end);
    match (address.contains('@'), rest.is_empty()) {
        (true, _) => "an address that is not shown, for there is a user in it".to_owned(),
        (false, true) => shown(address.as_bytes(), 200),
        (false, false) => format!("{}?…", shown(address.as_bytes(), 200)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6455, section 1.3.
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    #[test]
    fn answers_that_switch() {
        for (name, lines, asked, want) in [
            ("as the RFC shows it", vec![], "", ""),
            (
                "connection is a list",
                vec![("connection", "keep-alive, upgrade")],
                "",
                "",
            ),
            (
                "connection twice",
                vec![("connection", "x"), ("connection", "Upgrade")],
                "",
                "",
            ),
            (
                "no connection",
                vec![("connection", "close")],
                "",
                "an answer without `Upgrade: websocket`",
            ),
            (
                "another protocol",
                vec![("upgrade", "h2c")],
                "",
                "an answer without `Upgrade: websocket`",
            ),
            (
                "another key",
                vec![("sec-websocket-accept", "x")],
                "",
                "Sec-WebSocket-Accept",
            ),
            (
                "an extension",
                vec![("sec-websocket-extensions", "permessage-deflate")],
                "",
                "permessage-deflate",
            ),
            (
                "no extension",
                vec![("sec-websocket-extensions", "")],
                "",
                "",
            ),
            ("a subprotocol", vec![(SUBPROTOCOL, "b")], "a, b", ""),
            ("no subprotocol, which a feed may", vec![], "a", ""),
            (
                "another one",
                vec![(SUBPROTOCOL, "c")],
                "a, b",
                "a subprotocol that was not asked for: c",
            ),
            (
                "one unasked",
                vec![(SUBPROTOCOL, "a")],
                "",
                "a subprotocol that was not asked for: a",
            ),
        ] {
            let usual = [
                ("connection", "Upgrade"),
                ("upgrade", "WebSocket"),
                ("sec-websocket-accept", ACCEPT),
            ];
            let is_given = |name: &str| lines.iter().any(|(given, _)| *given == name);
            let usual = usual.into_iter().filter(|(name, _)| !is_given(name));
            let headers: Vec<Header> = usual
                .chain(lines.clone())
                .map(|(name, value)| Header::new(name, value))
                .collect();
            let asked = [Header::new(SUBPROTOCOL, asked)];
            match broken(&headers, &asked, KEY) {
                None => assert_eq!(want, "", "{name}"),
                Some(Refusal(kind, found, _)) => {
                    assert_eq!(kind, Kind::Protocol, "{name}");
                    assert!(!want.is_empty() && found.contains(want), "{name}: {found}");
                }
            }
        }
    }

    #[test]
    fn redirects_are_named_without_secrets() {
        for (location, want) in [
            ("wss://b/feed", "wss://b/feed"),
            ("wss://b/feed?key=secret", "wss://b/feed?…"),
            (
                "wss://u:secret@b/",
                "an address that is not shown, for there is a user in it",
            ),
            ("/x\n", "/x\\n"),
        ] {
            assert_eq!(without_secrets(location), want);
        }
    }
}
