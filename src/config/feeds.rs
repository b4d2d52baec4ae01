//! `wss://` feeds and what `stream` does with them (SPEC 3, 6). Values in a query string, SUBSCRIBE and all headers are
//! secret, and hidden by type.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::aws::{self, parse_url};
use super::given::{Given, number, quoted};
use super::problem::Fault;
use super::raw::Raw;
use super::redact::{self, Secret, Secrets};
use super::uri::listed;
use super::variables as known;
use super::{Text, read};
use crate::limits::FEEDS;
use crate::value::column::Path;

/// What a stream reads, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Feeds {
    /// INPUT: a feed's place here is its number.
    pub uris: Vec<FeedUri>,
    /// COLUMNS or COLUMNS_URI.
    pub columns: Text,
    /// RECORDS
    pub records: Option<Path>,
    /// IDLE_TIMEOUT_SECONDS
    pub idle: Duration,
    /// CAPTURE; absent: `off`.
    pub capture: Option<Capture>,
    /// SUBSCRIBE: texts to send after each connect, in this order.
    pub subscribe: Vec<Secret>,
    /// HEARTBEAT
    pub heartbeat: Option<Heartbeat>,
    /// HEADERS of the handshake: names in lower case.
    pub headers: Vec<(String, Secret)>,
    /// ON_DISCONNECT
    pub on_disconnect: OnDisconnect,
    /// AWS_CA_BUNDLE
    pub ca_bundle: Option<PathBuf>,
    /// Proxy variables that are set, and not used.
    pub proxies: Vec<&'static str>,
}

/// CAPTURE `raw`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capture {
    /// PART_SECONDS: how soon a captured message is durable.
    pub part: Duration,
}

/// HEARTBEAT
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// How often.
    pub every: Duration,
    /// The text message to send; absent: a WebSocket ping.
    pub text: Option<String>,
}

/// ON_DISCONNECT
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDisconnect {
    /// It ends the run.
    Fail,
    /// The feed is connected again.
    Reconnect {
        /// Most times that may happen, in the whole run and over all feeds. At least 1.
        limit: u32,
    },
}

/// `wss://host[:port]/path?query`, or `ws://` to a loopback address, taken literally.
///
/// Invariant: a handshake can be made of it; it has no user, password or fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedUri {
    uri: Secret,
}

impl FeedUri {
    /// # Errors
    /// What is wrong with it: another scheme, `ws://` to another host than a loopback address, a user, a fragment,
    /// characters that a URI cannot hold.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let fault = |expected: &str, advice: &str| Fault::new(expected, redact::uri(text), advice);
        let is_feed = text.starts_with("wss://") || text.starts_with("ws://");
        let Some(rest) = text.strip_prefix("ws").filter(|_| is_feed) else {
            return Err(fault(
                "wss://HOST/PATH",
                "a stream reads WebSocket feeds; objects and ranges are for `windrow batch`",
            ));
        };
        let authority = rest.split_once("://").map_or("", |(_, rest)| rest);
        let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(fault(
                "a URI without user and password",
                "credentials never stand in a URI: give them in HEADERS",
            ));
        }
        // Host, port, path and query are those of http and https (RFC 6455, section 3).
        match parse_url(&format!("http{rest}")) {
            None => Err(fault(
                "wss://HOST/PATH, perhaps with a query string",
                "write what a URI cannot hold as %XX, and leave out a fragment",
            )),
            Some(url) if url.is_plain && !url.is_loopback() => Err(fault(
                "wss://",
                "plain ws is refused except to a loopback address",
            )),
            Some(_) => Ok(Self {
                uri: Secret::new(text),
            }),
        }
    }

    /// All of it, for the handshake.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.uri.expose()
    }
}

impl Feeds {
    /// What of them a feed may repeat and nothing may show: values of query strings and headers, and whatever SUBSCRIBE says.
    #[must_use]
    pub fn secrets(&self) -> Secrets {
        let mut values = Vec::new();
        for uri in &self.uris {
            let query = uri.expose().split_once('?').map_or("", |(_, query)| query);
            for pair in query.split('&') {
                let value = pair.split_once('=').map_or(pair, |(_, value)| value);
                let decoded = percent_decode_str(value).decode_utf8_lossy();
                values.extend([decoded.into_owned(), value.to_owned()]);
            }
        }
        for (_, value) in &self.headers {
            words(value.expose(), &mut values);
        }
        for text in &self.subscribe {
            match serde_json::from_str(text.expose()) {
                Ok(message) => {
                    leaves(&message, &mut values);
                    values.extend(numbers(text.expose()));
                }
                Err(_) => words(text.expose(), &mut values),
            }
        }
        Secrets::new(values)
    }
}

/// A text, and each of its words: of `Bearer TOKEN`, `session=TOKEN; path=/` and `{"key":"TOKEN"}` the token may be repeated
/// alone.
fn words(text: &str, into: &mut Vec<String>) {
    let is_of_a_token =
        |character: char| character.is_alphanumeric() || "+/_-.~%".contains(character);
    into.push(text.to_owned());
    let words = text.split(|character| !is_of_a_token(character));
    into.extend(words.map(str::to_owned));
}

/// The numbers of a document as they are written, besides those in texts.
fn numbers(json: &str) -> impl Iterator<Item = String> {
    let pieces = json
        .split(|character: char| !character.is_ascii_alphanumeric() && !"+-.".contains(character));
    let is_number =
        |piece: &&str| piece.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    pieces.filter(is_number).map(str::to_owned)
}

/// All texts of a document.
fn leaves(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(text) => words(text, into),
        Value::Array(all) => all.iter().for_each(|one| leaves(one, into)),
        Value::Object(all) => all.values().for_each(|one| leaves(one, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Reads INPUT of a stream.
///
/// # Errors
/// The fault of the first element that has one; more feeds than [`FEEDS`].
pub(super) fn uris(text: &str) -> Result<Vec<FeedUri>, Fault> {
    let texts = listed(text)?;
    if texts.len() > FEEDS {
        let found = format!("{} of them", texts.len());
        let advice = "each is a thread and a connection: start another run for the rest";
        return Err(Fault::new(format!("at most {FEEDS} feeds"), found, advice));
    }
    texts.iter().map(|text| FeedUri::parse(text)).collect()
}

/// Reads all that only a stream has; `None` where a problem says why.
pub(super) fn read(
    given: &mut Given<'_>,
    raw: &Raw,
    uris: Option<Vec<FeedUri>>,
    columns: Option<Text>,
    headers: Option<Vec<(String, Secret)>>,
) -> Option<Feeds> {
    let records = read::records(given);
    let idle = given.number(&known::IDLE_TIMEOUT_SECONDS);
    // Absent where CAPTURE is `off`, and a problem where it is not.
    let part = given.number(&known::PART_SECONDS);
    let subscribe = match given.is_set(&known::SUBSCRIBE) {
        false => Some(Vec::new()),
        true => given.parsed(&known::SUBSCRIBE, subscribe),
    };
    let heartbeat = match given.is_set(&known::HEARTBEAT) {
        false => Some(None),
        true => given.parsed(&known::HEARTBEAT, Heartbeat::parse).map(Some),
    };
    let on_disconnect = match given.is_set(&known::ON_DISCONNECT) {
        false => Some(OnDisconnect::Fail),
        true => given.parsed(&known::ON_DISCONNECT, OnDisconnect::parse),
    };
    if let Some(uris) = &uris
        && !given.is_set(&known::SEQUENCE)
    {
        refuse_one_feed_twice(given, uris);
    }
    Some(Feeds {
        uris: uris?,
        columns: columns?,
        records: records?,
        idle: Duration::from_secs(idle?),
        capture: part.map(|seconds| Capture {
            part: Duration::from_secs(seconds),
        }),
        subscribe: subscribe?,
        heartbeat: heartbeat?,
        headers: headers?,
        on_disconnect: on_disconnect?,
        ca_bundle: aws::ca_bundle(raw),
        proxies: aws::proxies(raw),
    })
}

/// Every message of a feed that is named twice would count twice; with SEQUENCE the second one is a duplicate, and two
/// connections are more likely to miss nothing.
fn refuse_one_feed_twice(given: &mut Given<'_>, uris: &[FeedUri]) {
    let known_before = |(place, uri)| uris.iter().take(place).any(|other| other == uri);
    let twice = uris.iter().enumerate().find(|&pair| known_before(pair));
    if let Some((_, uri)) = twice {
        let advice =
            "its messages would count twice: name it once, or set SEQUENCE, which drops duplicates";
        let fault = Fault::new("each feed once", format!("{uri} twice"), advice);
        given.refuse(&known::INPUT, fault);
    }
}

/// Reads SUBSCRIBE. No problem shows any of it.
///
/// # Errors
/// Anything but a JSON array of at least one message.
fn subscribe(text: &str) -> Result<Vec<Secret>, Fault> {
    let fault = |found: String| {
        let expected = known::SUBSCRIBE.form.to_string();
        Fault::new(expected, found, "its text is not shown here")
    };
    // This decides what JSON is; the texts themselves stay as they are, numbers and the order of keys included.
    let messages: Vec<Value> = serde_json::from_slice(text.as_bytes()).map_err(|cause| {
        fault(format!(
            "something else at line {}, column {}",
            cause.line(),
            cause.column()
        ))
    })?;
    if messages.is_empty() {
        return Err(fault("an empty array".to_owned()));
    }
    let texts = messages.iter().zip(elements(text));
    let sent = texts.map(|(message, compact)| match message {
        Value::String(text) => Secret::new(text.as_str()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Secret::new(compact)
        }
    });
    Ok(sent.collect())
}

/// The elements of a JSON array, without the blanks that are outside of strings.
fn elements(array: &str) -> Vec<String> {
    let mut elements = vec![String::new()];
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for character in array.chars() {
        let is_blank = matches!(character, ' ' | '\t' | '\n' | '\r');
        let opens = !in_string && matches!(character, '[' | '{');
        let closes = !in_string && matches!(character, ']' | '}');
        depth -= usize::from(closes);
        match elements.last_mut() {
            _ if !in_string && (is_blank || depth == 0) => {}
            _ if !in_string && depth == 1 && character == ',' => elements.push(String::new()),
            Some(element) => element.push(character),
            None => {}
        }
        depth += usize::from(opens);
        in_string ^= character == '"' && !escaped;
        escaped = in_string && character == '\\' && !escaped;
    }
    elements
}

impl Heartbeat {
    /// # Errors
    /// Anything but seconds, and perhaps a blank and a text.
    fn parse(text: &str) -> Result<Self, Fault> {
        let fault = |advice| Fault::new(known::HEARTBEAT.form.to_string(), quoted(text), advice);
        let (seconds, message) = match text.split_once(' ') {
            None => (text, None),
            Some((_, "")) => return Err(fault("leave out the blank, or write a text after it")),
            Some((seconds, message)) => (seconds, Some(message.to_owned())),
        };
        match number(seconds, 1, HEARTBEAT_SECONDS) {
            None => Err(fault("write only digits before the blank")),
            Some(seconds) => Ok(Self {
                every: Duration::from_secs(seconds),
                text: message,
            }),
        }
    }
}

/// Longest time between two heartbeats: who waits longer than an hour for one, wants none.
const HEARTBEAT_SECONDS: u64 = 3_600;
/// Most reconnects of a run: one every six seconds of the longest.
const RECONNECTS: u64 = 100_000;

impl OnDisconnect {
    /// # Errors
    /// Anything but `fail` and `reconnect:N`.
    fn parse(text: &str) -> Result<Self, Fault> {
        if text == "fail" {
            return Ok(Self::Fail);
        }
        let limit = text.strip_prefix("reconnect:");
        let limit = limit.and_then(|limit| number(limit, 1, RECONNECTS));
        match limit.and_then(|limit| u32::try_from(limit).ok()) {
            Some(limit) => Ok(Self::Reconnect { limit }),
            None => Err(Fault::new(
                known::ON_DISCONNECT.form.to_string(),
                quoted(text),
                "",
            )),
        }
    }
}

impl fmt::Display for OnDisconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fail => f.write_str("fail"),
            Self::Reconnect { limit } => write!(f, "reconnect:{limit}"),
        }
    }
}

/// Without the values of its query string.
impl fmt::Display for FeedUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redact::hidden(self.expose()))
    }
}
