//! HTTP/1.1 as far as S3 speaks it: the head of a request read strictly, and an answer as a plain value.
//! Nothing here knows of buckets; bytes are moved by connection.rs.

use std::io::{self, BufRead, Read as _};
use std::ops::Range;
use std::sync::Arc;

/// The longest head of a request, request line included. S3 takes 8 KiB of headers; a long key needs more.
const HEAD_BYTES: u64 = 64 * 1024;

/// A request before its body.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// `GET`, as sent.
    pub method: String,
    /// The path as sent, still encoded.
    pub path: String,
    /// The query as sent, without its question mark; empty where there is none.
    pub query: String,
    /// Names in lower case and values trimmed, in the order they came.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// The value of the first header of that name, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(known, _)| known == name)?;
        Some(value)
    }

    /// How long the body will be; an error text where the headers do not say so, or say it twice.
    pub fn body_bytes(&self) -> Result<Option<u64>, &'static str> {
        let mut lengths = self
            .headers
            .iter()
            .filter(|(name, _)| name == "content-length");
        let Some((_, length)) = lengths.next() else {
            return Ok(None);
        };
        if lengths.next().is_some() {
            return Err("two Content-Length headers");
        }
        if length.is_empty() || !length.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err("a Content-Length that is not a number");
        }
        length
            .parse()
            .map(Some)
            .map_err(|_| "a Content-Length that is too large")
    }

    /// Whether the client wants the connection to end after this request.
    pub fn closes(&self) -> bool {
        self.header("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

/// Reads one head; none where the peer closed between two requests.
///
/// Errors: `InvalidData` with what is wrong where it is not HTTP/1.1; the connection's own.
pub fn read_head(reader: &mut impl BufRead) -> io::Result<Option<Head>> {
    let mut limited = reader.take(HEAD_BYTES);
    let mut line = |text: &mut String| -> io::Result<bool> {
        text.clear();
        let bytes = limited.read_line(text)?;
        if bytes == 0 {
            return Ok(false);
        }
        if !text.ends_with("\r\n") {
            return Err(wrong(
                "a line of the head does not end in CR LF, or the head is too long",
            ));
        }
        text.truncate(text.len() - 2);
        Ok(true)
    };
    let mut text = String::new();
    if !line(&mut text)? {
        return Ok(None);
    }
    let mut words = text.split(' ');
    let (Some(method), Some(target), Some("HTTP/1.1"), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(wrong("the request line is not METHOD TARGET HTTP/1.1"));
    };
    if !target.starts_with('/') || target.contains('#') || !target.is_ascii() {
        return Err(wrong("the target is not an absolute path in ASCII"));
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut head = Head {
        method: method.into(),
        path: path.into(),
        query: query.into(),
        headers: Vec::new(),
    };
    loop {
        if !line(&mut text)? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if text.is_empty() {
            break;
        }
        let Some((name, value)) = text.split_once(':') else {
            return Err(wrong("a header without a colon"));
        };
        if name.is_empty() || name.bytes().any(|byte| byte.is_ascii_whitespace()) {
            return Err(wrong("a header's name is empty or holds white space"));
        }
        head.headers
            .push((name.to_ascii_lowercase(), value.trim().into()));
    }
    match head
        .headers
        .iter()
        .filter(|(name, _)| name == "host")
        .count()
    {
        1 => Ok(Some(head)),
        _ => Err(wrong("not exactly one Host header")),
    }
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// The bytes of an answer: a part of an object that may be large, shared and not copied.
#[derive(Clone, Debug, Default)]
pub struct Body {
    bytes: Arc<Vec<u8>>,
    range: Range<usize>,
}

impl Body {
    /// All of `bytes`.
    pub fn whole(bytes: Arc<Vec<u8>>) -> Body {
        let range = 0..bytes.len();
        Body { bytes, range }
    }

    /// A range of `bytes`, which must lie inside.
    pub fn part(bytes: Arc<Vec<u8>>, range: Range<usize>) -> Body {
        Body { bytes, range }
    }

    /// What goes out.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.range.clone()]
    }
}

impl From<String> for Body {
    fn from(text: String) -> Body {
        Body::whole(Arc::new(text.into_bytes()))
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Body {
        Body::whole(Arc::new(bytes))
    }
}

/// An answer before it goes on the wire.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Headers but those of length and connection, which connection.rs writes.
    pub headers: Vec<(String, String)>,
    /// The body; for HEAD the one that is not sent but measured.
    pub body: Body,
}

impl Reply {
    /// An answer without headers of its own.
    pub fn new(status: u16, body: impl Into<Body>) -> Reply {
        Reply {
            status,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// The same with one header more.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Reply {
        self.headers.push((name.into(), value.into()));
        self
    }
}

/// The words behind a status code, as S3 sends them.
pub fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        411 => "Length Required",
        412 => "Precondition Failed",
        416 => "Requested Range Not Satisfiable",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        let text = "PUT /b/k%20?x=1 HTTP/1.1\r\nHost: h\r\nX-Amz-Meta-A:  v \r\nContent-Length: 3\r\n\r\nabc";
        let head = read_head(&mut text.as_bytes())
            .expect("it is HTTP")
            .expect("it is not the end");
        assert_eq!(
            (head.path.as_str(), head.query.as_str()),
            ("/b/k%20", "x=1")
        );
        assert_eq!(head.header("x-amz-meta-a"), Some("v"));
        assert_eq!(head.body_bytes(), Ok(Some(3)));
        assert!(read_head(&mut &b""[..]).expect("an orderly end").is_none());
        for (name, text) in [
            ("old", "GET / HTTP/1.0\r\nHost: h\r\n\r\n"),
            ("no host", "GET / HTTP/1.1\r\n\r\n"),
            ("two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
            ("bare LF", "GET / HTTP/1.1\nHost: h\n\n"),
            ("space before colon", "GET / HTTP/1.1\r\nHost : h\r\n\r\n"),
            ("TLS", "\u{16}\u{3}\u{1}\r\n"),
            ("cut", "GET / HTTP/1.1\r\nHost: h\r\n"),
        ] {
            assert!(read_head(&mut text.as_bytes()).is_err(), "{name}");
        }
    }
}
