//! [`Transport`] over sockets: ureq writes and reads HTTP/1.1, and everything that can wait is ours.
//!
//! A request and its answer have a line to themselves: an agent with its connections. A line that is done waits for the
//! next request, so a thread that works alone keeps its connection, and threads never share one.

use std::fmt;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;
use ureq::{Agent, BodyReader};

use super::connection::Dialer;
use super::dial::{Names, SystemNames};
use super::pace::Pace;
use super::tls::Trust;
use super::wire::IDLE;
use super::{Failure, Header, Length, Method, Repeat, Request, Response, Transport};
use crate::clock::Clock;
use crate::error::{Kind, shown};
use crate::stop::Stop;

/// Hosts whose connection a line keeps: input bucket, output bucket, and one more.
const IDLE_CONNECTIONS: usize = 3;

/// How windrow names itself.
pub(super) const USER_AGENT: &str = concat!("windrow/", env!("CARGO_PKG_VERSION"));

/// See the module. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    clock: Arc<dyn Clock>,
    trust: Trust,
    names: Arc<dyn Names>,
    waiting: Lines,
}

type Lines = Arc<Mutex<Vec<Line>>>;

/// One request at a time.
struct Line {
    agent: Agent,
    pace: Pace,
}

/// Nothing of it: ureq's own would bring the text of all its types into the binary.
impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Line")
    }
}

impl Client {
    /// A client that trusts `trust`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, trust: Trust) -> Self {
        Self::with_names(clock, trust, Arc::new(SystemNames))
    }

    pub(crate) fn with_names(clock: Arc<dyn Clock>, trust: Trust, names: Arc<dyn Names>) -> Self {
        Self {
            clock,
            trust,
            names,
            waiting: Lines::default(),
        }
    }

    /// A line without connections.
    fn new_line(&self) -> Line {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(USER_AGENT)
            .accept(ureq::config::AutoHeaderValue::None)
            .accept_encoding(ureq::config::AutoHeaderValue::None)
            .max_idle_connections(IDLE_CONNECTIONS)
            .max_idle_connections_per_host(1)
            .max_idle_age(IDLE)
            .build();
        let pace = self.pace();
        Line {
            agent: Agent::with_parts(config, self.dialer(&pace), NoResolver),
            pace,
        }
    }

    pub(super) fn pace(&self) -> Pace {
        Pace::new(self.clock.clone())
    }

    pub(super) fn dialer(&self, pace: &Pace) -> Dialer {
        Dialer {
            names: self.names.clone(),
            trust: self.trust.clone(),
            pace: pace.clone(),
        }
    }
}

impl Transport for Client {
    fn send(&self, request: &Request<'_>, stop: &Stop) -> Result<Response, Failure> {
        let waiting = lock(&self.waiting).pop();
        let line = waiting.unwrap_or_else(|| self.new_line());
        let (line, answer) = match line.run(request, stop) {
            Ok(answer) => (line, answer),
            Err(failure) => {
                let may_repeat = request.repeat == Repeat::Silently
                    && line.pace.died_unanswered()
                    && failure.facts().kind == Kind::Unavailable;
                if !may_repeat {
                    return Err(failure);
                }
                let fresh = self.new_line();
                let answer = fresh.run(request, stop)?;
                (fresh, answer)
            }
        };
        response(answer, request.method, line, &self.waiting)
    }
}

impl Line {
    fn run(
        &self,
        request: &Request<'_>,
        stop: &Stop,
    ) -> Result<ureq::http::Response<ureq::Body>, Failure> {
        self.pace.begin(stop, request.until, request.limits);
        // A run that is over sends nothing more.
        self.pace.waited(self.pace.now())?;
        let mut builder = ureq::http::Request::builder()
            .method(request.method.name())
            .uri(request.url);
        for header in request.headers {
            builder = builder.header(&header.name, &header.value);
        }
        let malformed = |cause: &ureq::http::Error| {
            let advice = "this is a defect in windrow: please report it with this message";
            Failure::new(Kind::Defect, "a valid request", cause.to_string(), advice)
        };
        let sent = match request.method {
            Method::Get | Method::Head | Method::Delete => {
                let request = builder.body(()).map_err(|cause| malformed(&cause))?;
                self.agent.run(request)
            }
            Method::Put | Method::Post => {
                let request = builder
                    .body(request.body)
                    .map_err(|cause| malformed(&cause))?;
                self.agent.run(request)
            }
        };
        sent.map_err(|error| self.pace.reached(failure(error)))
    }
}

/// The answer, with a length that can be checked, or a refusal.
fn response(
    answer: ureq::http::Response<ureq::Body>,
    method: Method,
    line: Line,
    home: &Lines,
) -> Result<Response, Failure> {
    let (head, body) = answer.into_parts();
    let status = head.status.as_u16();
    let headers: Vec<Header> = head
        .headers
        .iter()
        .map(|(name, value)| Header::new(name.as_str(), String::from_utf8_lossy(value.as_bytes())))
        .collect();
    let value = |name: &str| headers.iter().find(|header| header.name == name);
    let has_no_body = method == Method::Head || matches!(status, 204 | 304);
    let length = match (value("transfer-encoding"), value("content-length")) {
        _ if has_no_body => Length::Exact(0),
        (Some(coding), _) if coding.value.eq_ignore_ascii_case("chunked") => Length::Chunked,
        (None, Some(length)) => match length.value.parse() {
            Ok(length) => Length::Exact(length),
            Err(_) => return Err(no_length(&length.value).sent()),
        },
        (Some(coding), _) => return Err(no_length(&coding.value).sent()),
        (None, None) => return Err(no_length("none").sent()),
    };
    let left = match length {
        Length::Exact(bytes) => Some(bytes),
        Length::Chunked => None,
    };
    let mut body = LineBody {
        reader: body.into_reader(),
        left,
        line: Some(line),
        home: home.clone(),
    };
    if left == Some(0) {
        body.end().map_err(Failure::of)?;
    }
    Ok(Response {
        status,
        headers,
        length,
        body: Box::new(body),
    })
}

fn no_length(found: &str) -> Failure {
    Failure::new(
        Kind::Protocol,
        "an answer that says how long it is",
        shown(found.as_bytes(), 80),
        "look at what stands between here and the store: a body without a length may have been cut off",
    )
}

/// A body that has its line to itself until it ends.
struct LineBody {
    reader: BodyReader<'static>,
    /// What must still come; None for a body in chunks.
    left: Option<u64>,
    line: Option<Line>,
    home: Lines,
}

impl LineBody {
    /// Sees the end of the body, so that the connection can be used again, and gives the line back.
    fn end(&mut self) -> io::Result<()> {
        let Some(line) = self.line.take() else {
            return Ok(());
        };
        // Of a body of known length, this reads nothing from the connection.
        if self.left.is_some() && self.reader.read(&mut [0])? > 0 {
            return Err(longer().into());
        }
        lock(&self.home).push(line);
        Ok(())
    }
}

impl Read for LineBody {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() || self.line.is_none() {
            return Ok(0);
        }
        let read = match self.reader.read(into) {
            Ok(read) => read,
            Err(cause) => {
                let line = self.line.take();
                let failure = Failure::of(cause).sent();
                drop(line);
                return Err(failure.into());
            }
        };
        match (&mut self.left, u64::try_from(read).unwrap_or(u64::MAX)) {
            (None, 0) => self.end()?,
            (None, _) => {}
            (Some(left), 0) => {
                let found = format!("its end {left} bytes early");
                self.line = None;
                return Err(Failure::lost("the whole body", found).sent().into());
            }
            (Some(left), read) => match left.checked_sub(read) {
                None => return Err(longer().into()),
                Some(rest) => {
                    *left = rest;
                    if rest == 0 {
                        self.end()?;
                    }
                }
            },
        }
        Ok(read)
    }
}

fn longer() -> Failure {
    let advice = "look at what stands between here and the store";
    let found = "more bytes";
    Failure::new(
        Kind::Protocol,
        "the length that was announced",
        found,
        advice,
    )
    .sent()
}

/// What ureq's errors mean. What is no failure of the connection is one of the answer, for the request is well-formed.
fn failure(error: ureq::Error) -> Failure {
    if let ureq::Error::Io(cause) = error {
        return Failure::of(cause);
    }
    Failure::new(
        Kind::Protocol,
        "an answer in HTTP/1.1",
        shown(error.to_string().as_bytes(), 200),
        "look at scheme and port of the endpoint, and at what answers there",
    )
}

fn lock(lines: &Lines) -> MutexGuard<'_, Vec<Line>> {
    // Whole lines are pushed and popped, so a thread that panicked left it consistent.
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

/// ureq asks for addresses before it looks whether a connection is waiting; [`Dialer`] asks only where one is needed.
#[derive(Debug)]
struct NoResolver;

impl Resolver for NoResolver {
    fn resolve(
        &self,
        _uri: &Uri,
        _config: &ureq::config::Config,
        _timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        Ok(self.empty())
    }
}
