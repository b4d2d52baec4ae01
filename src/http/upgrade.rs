//! The way out of HTTP/1.1 (RFC 9110, section 7.8): a GET that asks for another protocol, over a connection that is then
//! the caller's.

use std::io::{Read, Write};
use std::str::FromStr;

use httparse::Status;
use ureq::http::Uri;

use super::client::{Client, USER_AGENT};
use super::connection::Connection;
use super::pace::Pace;
use super::{Failure, Header, Limits, Until};
use crate::error::Kind;
use crate::stop::Stop;

/// Longest head that is read, and most headers in it.
const HEAD_BYTES: usize = 16 << 10;
const HEADERS: usize = 100;

/// The answer, whatever its status, and what it came over.
#[derive(Debug)]
pub struct Upgrade {
    /// Its status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<Header>,
    /// What was read of what comes behind the head.
    pub rest: Vec<u8>,
    /// What the rest comes over. A read or a write that moved nothing for a twentieth of a second fails with
    /// `WouldBlock` and has lost nothing: the caller looks after time-outs and stops.
    pub connection: Connection,
}

impl Client {
    /// Connects to the host of `url` (`http://` or `https://`), sends a GET for it with `headers`, and waits for the
    /// head of the answer. Host is added, and user-agent where it is not given.
    ///
    /// # Errors
    /// Why there is no answer, or none in HTTP/1.1.
    pub fn upgrade(
        &self,
        url: &str,
        headers: &[Header],
        limits: Limits,
        stop: &Stop,
    ) -> Result<Upgrade, Failure> {
        let uri = Uri::from_str(url).map_err(|cause| {
            let advice = "correct the URI";
            Failure::new(Kind::Config, "a URI", cause.to_string(), advice)
        })?;
        let pace = self.pace();
        pace.begin(stop, Until::Stopped, limits);
        let needs_tls = uri.scheme_str() == Some("https");
        let mut connection = self.dialer(&pace).open(&uri, needs_tls)?;
        let request = request(&uri, headers);
        let sent = connection
            .write_all(request.as_bytes())
            .and_then(|()| connection.flush());
        sent.map_err(Failure::of)?;
        let head = Head::read(&mut connection, &pace)?;
        Ok(Upgrade {
            status: head.status,
            headers: head.headers,
            rest: head.rest,
            connection: connection.in_slices(),
        })
    }
}

fn request(uri: &Uri, headers: &[Header]) -> String {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let host = uri.authority().map_or("", |host| host.as_str());
    let mut request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n");
    if headers.iter().all(|header| header.name != "user-agent") {
        request.extend(["User-Agent: ", USER_AGENT, "\r\n"]);
    }
    for Header { name, value } in headers {
        request.extend([name, ": ", value, "\r\n"]);
    }
    request.push_str("\r\n");
    request
}

/// The head of an answer.
struct Head {
    status: u16,
    headers: Vec<Header>,
    /// What was read behind it.
    rest: Vec<u8>,
}

impl Head {
    fn read(connection: &mut Connection, pace: &Pace) -> Result<Self, Failure> {
        let mut bytes = Vec::new();
        let mut room = [0; 1024];
        loop {
            let read = connection.read(&mut room).map_err(Failure::of)?;
            if read == 0 {
                return Err(Failure::lost(
                    "an answer",
                    "that the connection was closed in the middle",
                ));
            }
            pace.answered();
            bytes.extend_from_slice(room.get(..read).unwrap_or_default());
            if let Some(head) = Self::parse(&bytes)? {
                return Ok(head);
            }
            if bytes.len() > HEAD_BYTES {
                return Err(no_http(&format!("a head of more than {HEAD_BYTES} bytes")));
            }
        }
    }

    /// None where the head is not whole yet.
    fn parse(bytes: &[u8]) -> Result<Option<Self>, Failure> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        match response.parse(bytes) {
            Ok(Status::Partial) => Ok(None),
            Ok(Status::Complete(end)) if response.version == Some(1) => Ok(Some(Self {
                status: response.code.unwrap_or_default(),
                headers: response.headers.iter().map(header).collect(),
                rest: bytes.get(end..).unwrap_or_default().to_vec(),
            })),
            Ok(Status::Complete(_)) => Err(no_http("HTTP/1.0")),
            // Not quoted: what echoes the request would show the secrets of its URI.
            Err(cause) => Err(no_http(&cause.to_string())),
        }
    }
}

fn header(raw: &httparse::Header<'_>) -> Header {
    Header::new(
        raw.name.to_ascii_lowercase(),
        String::from_utf8_lossy(raw.value),
    )
}

fn no_http(found: &str) -> Failure {
    Failure::new(
        Kind::Protocol,
        "an answer in HTTP/1.1",
        found,
        "look at scheme and port of the URI, and at what answers there",
    )
}
