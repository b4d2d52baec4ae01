//! The opening handshake from the server's side: the request is read strictly, and the answer is the right one or one
//! of those that a client must tell apart.

use std::io::{self, BufRead};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

use crate::http::{self, Head};

/// What the key is answered with, by RFC 6455, section 1.3.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// How a connection is opened, or is not.
#[derive(Clone, Debug, Default)]
pub enum Handshake {
    /// As RFC 6455 has it.
    #[default]
    Right,
    /// Right where the request has this header (its name in lower case), else this status.
    Demand(&'static str, &'static str, u16),
    /// Another answer of HTTP, with these headers.
    Status(u16, Vec<(&'static str, String)>, &'static str),
    /// 101 with the answer to another key.
    WrongKey,
    /// 101 with one header set, or left out.
    Header(&'static str, Option<&'static str>),
    /// These bytes, whatever was asked.
    Raw(Vec<u8>),
    /// Right, a byte at a time with so many milliseconds between.
    Drip(u64),
    /// The first bytes of the right answer, then FIN.
    Cut(usize),
    /// The request is read, and nothing is said.
    Silent,
    /// The request is read, and the connection reset.
    Reset,
}

/// Reads the request.
///
/// Errors: `InvalidData` with what a client of RFC 6455, section 4.1, must not do; the connection's own.
pub fn read_request(reader: &mut impl BufRead) -> io::Result<Head> {
    let Some(head) = http::read_head(reader)? else {
        return Err(io::ErrorKind::UnexpectedEof.into());
    };
    match wrong(&head) {
        Some(rule) => Err(io::Error::new(io::ErrorKind::InvalidData, rule)),
        None => Ok(head),
    }
}

fn wrong(head: &Head) -> Option<&'static str> {
    let has = |name: &str, token: &str| {
        head.header(name).is_some_and(|value| {
            value
                .split(',')
                .any(|found| found.trim().eq_ignore_ascii_case(token))
        })
    };
    let once = |name: &str| {
        head.headers
            .iter()
            .filter(|(found, _)| found == name)
            .count()
            == 1
    };
    let key = head
        .header("sec-websocket-key")
        .map(|key| STANDARD.decode(key));
    if head.method != "GET" {
        Some("a method that is not GET")
    } else if !has("upgrade", "websocket") {
        Some("no Upgrade to websocket")
    } else if !has("connection", "upgrade") {
        Some("Connection does not name Upgrade")
    } else if !once("sec-websocket-version") || !has("sec-websocket-version", "13") {
        Some("a version that is not 13")
    } else if !once("sec-websocket-key")
        || !key.is_some_and(|key| key.is_ok_and(|key| key.len() == 16))
    {
        Some("no key of sixteen bytes in base64")
    } else if head.header("sec-websocket-extensions").is_some() {
        Some("extensions are asked for, and windrow knows none")
    } else {
        None
    }
}

/// The answer to a key.
pub fn accept(key: &str) -> String {
    STANDARD.encode(Sha1::digest(format!("{key}{GUID}")))
}

/// The bytes of the answer, and whether frames may follow.
pub fn answer(handshake: &Handshake, head: &Head) -> (Vec<u8>, bool) {
    let key = head.header("sec-websocket-key").unwrap_or_default();
    let right = vec![
        ("Upgrade", "websocket".to_owned()),
        ("Connection", "Upgrade".to_owned()),
        ("Sec-WebSocket-Accept", accept(key)),
    ];
    match handshake {
        Handshake::Right | Handshake::Drip(_) => (reply(101, &right, ""), true),
        Handshake::Demand(name, value, _) if head.header(name) == Some(value) => {
            (reply(101, &right, ""), true)
        }
        Handshake::Demand(_, _, status) => (reply(*status, &[], "who are you?"), false),
        Handshake::Status(status, headers, body) => (reply(*status, headers, body), false),
        Handshake::WrongKey => {
            let mut headers = right;
            headers[2].1 = accept("another key");
            (reply(101, &headers, ""), true)
        }
        Handshake::Header(name, value) => {
            let mut headers = right;
            headers.retain(|(known, _)| known != name);
            headers.extend(value.map(|value| (*name, value.to_owned())));
            (reply(101, &headers, ""), true)
        }
        Handshake::Raw(bytes) => (bytes.clone(), false),
        Handshake::Cut(bytes) => {
            let mut answer = reply(101, &right, "");
            answer.truncate(*bytes);
            (answer, false)
        }
        Handshake::Silent | Handshake::Reset => (Vec::new(), false),
    }
}

fn reply(status: u16, headers: &[(&str, String)], body: &str) -> Vec<u8> {
    let reason = match status {
        101 => "Switching Protocols",
        _ => "As Scripted",
    };
    let mut text = format!("HTTP/1.1 {status} {reason}\r\n");
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    if status != 101 {
        text += &format!("Content-Length: {}\r\nConnection: close\r\n", body.len());
    }
    (text + "\r\n" + body).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Source: RFC 6455, section 1.3.
    #[test]
    fn the_published_key() {
        assert_eq!(
            accept("dGhlIHNhbXBsZSBub25jZQ=="),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
    }

    #[test]
    fn requests_that_are_none() {
        let whole = "GET /chat HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
        assert!(read_request(&mut whole.as_bytes()).is_ok());
        for (rule, from, to) in [
            ("method", "GET", "POST"),
            ("Upgrade to", "Upgrade: websocket", "Upgrade: h2c"),
            ("name Upgrade", "keep-alive, Upgrade", "close"),
            ("not 13", ": 13", ": 8"),
            ("sixteen", "dGhlIHNhbXBsZSBub25jZQ==", "dGhl"),
            (
                "extensions",
                "Host:",
                "Sec-WebSocket-Extensions: permessage-deflate\r\nHost:",
            ),
        ] {
            let text = whole.replacen(from, to, 1);
            let error = read_request(&mut text.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(rule), "{rule}: {error}");
        }
    }
}
