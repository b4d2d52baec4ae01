//! `wss://` feeds and what `stream` does with them (SPEC 3, 6). Values in a query string, SUBSCRIBE and all headers are
//! secret, and hidden by type.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::Text;
use super::aws::parse_url;
use super::problem::Fault;
use super::redact::{self, Secret};
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

/// Without the values of its query string.
impl fmt::Display for FeedUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redact::hidden(self.expose()))
    }
}
