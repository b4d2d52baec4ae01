//! HTTP/1.1 requests with an end (SPEC 10): every wait has a limit, the run's stop cuts it short, and an answer whose
//! length is not known is refused.
//!
//! It knows nothing of S3. Nothing is followed (no redirects), nothing is asked of the environment (no proxies), and
//! nothing is sent again that could take effect twice. [`Client`] is the one over sockets; tests have a scripted one. It
//! also makes the connections of protocols that begin as a request ([`Client::upgrade`]).

mod client;
mod connection;
mod dial;
#[cfg(test)]
pub(crate) mod fake;
mod pace;
#[cfg(test)]
mod tests;
pub mod tls;
mod upgrade;
mod wire;

use std::fmt::{self, Debug};
use std::io::{self, Read};
use std::time::Duration;

use crate::error::{Error, Kind};
use crate::stop::Stop;

pub use self::client::Client;
pub use self::connection::Connection;
pub use self::upgrade::Upgrade;

/// Sends requests.
pub trait Transport: Debug + Send + Sync {
    /// Sends one and waits for the head of its answer, whatever its status.
    ///
    /// # Errors
    /// Why there is no answer, or none that can be trusted.
    fn send(&self, request: &Request<'_>, stop: &Stop) -> Result<Response, Failure>;
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What it asks for.
    pub method: Method,
    /// Scheme, host, encoded path and query.
    pub url: &'a str,
    /// Names in lower case. Host and length are added.
    pub headers: &'a [Header],
    /// What it carries; GET, HEAD and DELETE carry nothing.
    pub body: &'a [u8],
    /// How long it may take.
    pub limits: Limits,
    /// What cuts it short.
    pub until: Until,
    /// What happens where a connection that was used before dies under it.
    pub repeat: Repeat,
}

/// A header; the name in lower case.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value, which may be a secret.
    pub value: String,
}

/// The methods that S3 knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET
    Get,
    /// HEAD
    Head,
    /// PUT
    Put,
    /// POST
    Post,
    /// DELETE
    Delete,
}

/// What cuts a request short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Any stop of the run: for what is read.
    Stopped,
    /// The end of the drain, or of what a part of the run has of it: for what is written or cleaned up.
    DrainEnd,
}

/// Whether a request may be sent once more, unseen, when a reused connection dies before the first byte of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// It has the same effect twice: GET, HEAD, LIST, UploadPart.
    Silently,
    /// The caller must know.
    Never,
}

/// How long the steps of a request may take (SPEC 10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For the addresses of a name.
    pub resolve: Duration,
    /// For connection and TLS together, over all addresses.
    pub connect: Duration,
    /// Without a byte either way.
    pub silence: Duration,
    /// At least so many bytes in so much time of waiting.
    pub pace: Option<(u64, Duration)>,
    /// From its start to the end of its answer.
    pub whole: Option<Duration>,
}

impl Limits {
    /// Those of every request but one.
    pub const USUAL: Self = Self {
        resolve: Duration::from_secs(10),
        connect: Duration::from_secs(10),
        silence: Duration::from_secs(30),
        pace: Some((60 << 10, Duration::from_secs(60))),
        whole: None,
    };

    /// Those of CompleteMultipartUpload, which may answer with white space for minutes.
    pub const COMPLETE: Self = Self {
        silence: Duration::from_secs(120),
        pace: None,
        whole: Some(Duration::from_secs(15 * 60)),
        ..Self::USUAL
    };

    /// Those of the task's own credentials and metadata, which a neighbour on the same machine answers.
    pub const LOCAL: Self = Self {
        silence: Duration::from_secs(5),
        whole: Some(Duration::from_secs(10)),
        ..Self::USUAL
    };
}

/// An answer.
pub struct Response {
    /// Its status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<Header>,
    /// How long its body is.
    pub length: Length,
    /// The body. A read fails with a [`Failure`] inside (see [`Failure::of`]), and never ends early without one.
    pub body: Box<dyn Read + Send>,
}

/// What is known of the length of a body when its head has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// So many bytes. HEAD has no body, whatever its headers say.
    Exact(u64),
    /// In chunks, of which the last is marked.
    Chunked,
}

impl Response {
    /// The value of a header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|header| header.name == name);
        found.map(|header| header.value.as_str())
    }

    /// The body, or its first `limit` bytes.
    ///
    /// # Errors
    /// Why the body did not come whole.
    pub fn read_small(&mut self, limit: usize) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        match (&mut self.body).take(limit).read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(cause) => Err(Failure::of(cause)),
        }
    }
}

/// Why there is no answer, or no more of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(Box<Facts>);

/// The facts of a [`Failure`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// 69, 75, 76, 77; 74 where the machine has no thread to give.
    pub kind: Kind,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
    /// What to do.
    pub advice: &'static str,
    /// Whether the other side may have seen the request.
    pub reach: Reach,
}

/// How far a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// No byte of it was sent: it has no effect.
    NotSent,
    /// Some of it was: it may have taken effect.
    Sent,
}

impl Failure {
    /// A failure before anything was sent; [`Failure::sent`] says otherwise.
    #[must_use]
    pub fn new(
        kind: Kind,
        expected: impl Into<String>,
        found: impl Into<String>,
        advice: &'static str,
    ) -> Self {
        Self(Box::new(Facts {
            kind,
            expected: expected.into(),
            found: found.into(),
            advice,
            reach: Reach::NotSent,
        }))
    }

    /// 69: the other side is not there, or went away.
    #[must_use]
    pub fn lost(expected: &str, found: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, expected, found, ADVICE_LOST)
    }

    /// The same, where bytes of the request were sent.
    #[must_use]
    pub fn sent(mut self) -> Self {
        self.0.reach = Reach::Sent;
        self
    }

    /// The facts.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.0
    }

    /// What stands behind a failed read or write: the failure that was put there, else a lost connection.
    #[must_use]
    pub fn of(cause: io::Error) -> Self {
        let is_tls = cause
            .get_ref()
            .is_some_and(|inner| inner.is::<rustls::Error>());
        if is_tls {
            let (kind, text) = (cause.kind(), cause.to_string());
            let inner = cause.into_inner();
            let tls = inner.and_then(|inner| inner.downcast::<rustls::Error>().ok());
            return match tls {
                Some(error) => tls::failure(&error),
                None => Self::lost("an answer", format!("{kind}: {text}")),
            };
        }
        match cause.downcast::<Self>() {
            Ok(failure) => failure,
            Err(cause) => Self::lost("an answer", found(&cause)),
        }
    }

    /// As the error of a run that was `doing` something with `uri`.
    #[must_use]
    pub fn error(&self, doing: &'static str, uri: impl Into<String>) -> Error {
        let facts = self.facts();
        Error::new(
            facts.kind,
            doing,
            facts.expected.as_str(),
            facts.found.as_str(),
            facts.advice,
        )
        .at_uri(uri)
    }
}

const ADVICE_LOST: &str =
    "look at the network between here and there, then start again under a new RUN_ID";

/// What the system says of a lost connection, in words.
fn found(cause: &io::Error) -> String {
    const WORDS: [(io::ErrorKind, &str); 3] = [
        (
            io::ErrorKind::UnexpectedEof,
            "that the connection was closed in the middle",
        ),
        (
            io::ErrorKind::ConnectionReset,
            "that the connection was reset",
        ),
        (io::ErrorKind::BrokenPipe, "that the connection was closed"),
    ];
    let known = WORDS.into_iter().find(|(kind, _)| *kind == cause.kind());
    known.map_or_else(|| cause.to_string(), |(_, words)| words.to_owned())
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Facts {
            expected,
            found,
            advice,
            ..
        } = self.facts();
        write!(f, "expected {expected}, found {found}; {advice}")
    }
}

impl std::error::Error for Failure {}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        io::Error::other(failure)
    }
}

impl Method {
    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Put => "PUT",
            Method::Post => "POST",
            Method::Delete => "DELETE",
        }
    }
}

impl Header {
    /// A header; `name` in lower case.
    #[must_use]
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
        }
    }
}

/// The name only: a value may hold a signature or a token.
impl Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}
