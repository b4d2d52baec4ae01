//! Why a connection that was up ended, in the words and with the exit code of the run (SPEC 6 and 8).

use std::time::Duration;

use tungstenite::error::{CapacityError, ProtocolError};
use tungstenite::protocol::frame::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;

use crate::config::redact::Secrets;
use crate::error::{Error, Kind, shown};
use crate::http::Failure;
use crate::limits::{FEED_SILENCE, FEED_WAIT, FEED_WRITE_BYTES, RECORD_BYTES};

const READING: &str = "reading";
const ADVICE_AGAIN: &str =
    "WINDROW_ON_DISCONNECT=reconnect:N connects again; this run ends, what it captured stays";
const ADVICE_BROKEN: &str =
    "look at what stands between here and the feed, and at whether it speaks RFC 6455";

/// See the module.
#[derive(Debug)]
pub(super) enum End {
    /// The connection broke.
    Lost(Failure),
    /// The other side closed it.
    Closed(Option<CloseFrame>),
    /// No data message came for so long.
    Idle(Duration),
    /// It takes nothing of what is sent to it.
    Deaf,
    /// The queue had no room.
    Overrun,
    /// A message is too long.
    TooLong {
        /// Its bytes as far as known.
        bytes: usize,
    },
    /// Text is not UTF-8.
    NotUtf8,
    /// Another fault of the protocol.
    Broken(String),
    /// What cannot happen.
    Defect(String),
}

impl End {
    /// What tungstenite says.
    pub(super) fn of(error: tungstenite::Error) -> Self {
        use tungstenite::Error::{
            AlreadyClosed, AttackAttempt, Capacity, ConnectionClosed, Io, Protocol, Tls, Url, Utf8,
            WriteBufferFull,
        };
        match error {
            Io(cause) => Self::Lost(Failure::of(cause)),
            Protocol(ProtocolError::ResetWithoutClosingHandshake)
            | ConnectionClosed
            | AlreadyClosed => Self::Lost(Failure::lost(
                "messages",
                "that the connection was closed without a close frame",
            )),
            Protocol(fault) => Self::Broken(shown(fault.to_string().as_bytes(), 200)),
            Utf8(_) => Self::NotUtf8,
            // RFC 6455, section 5.2: the highest bit of a length must be 0.
            Capacity(CapacityError::MessageTooLong { size, .. }) if size > isize::MAX as usize => {
                Self::Broken("a length whose highest bit is set".to_owned())
            }
            Capacity(CapacityError::MessageTooLong { size, .. }) => Self::TooLong { bytes: size },
            WriteBufferFull(_) => Self::Deaf,
            error @ (Capacity(CapacityError::TooManyHeaders) | Tls(_) | AttackAttempt | Url(_)) => {
                Self::Defect(error.to_string())
            }
        }
    }

    /// Whether the run is to blame, and not the feed: what it did not take is gone, and another connection would lose more.
    pub(super) fn is_of_the_run(&self) -> bool {
        matches!(self, Self::Overrun)
    }

    /// What the other side is told (RFC 6455, section 7.4.1).
    pub(super) fn close_code(&self) -> CloseCode {
        match self {
            Self::TooLong { .. } => CloseCode::Size,
            Self::NotUtf8 => CloseCode::Invalid,
            Self::Broken(_) => CloseCode::Protocol,
            Self::Closed(_) | Self::Idle(_) | Self::Lost(_) | Self::Deaf => CloseCode::Normal,
            Self::Overrun | Self::Defect(_) => CloseCode::Away,
        }
    }

    /// As the error of a run that was reading the feed `shown`; what that said is shown without `secrets`.
    pub(super) fn error(self, shown: &str, secrets: &Secrets) -> Error {
        let new = |kind, expected: String, found: String, advice: &str| {
            Error::new(kind, READING, expected, found, advice).at_uri(shown)
        };
        let unavailable = |expected: String, found: String, advice| {
            new(Kind::Unavailable, expected, found, advice)
        };
        match self {
            Self::Lost(failure) => failure.error(READING, shown),
            Self::Closed(frame) => {
                unavailable("messages".into(), told(frame, secrets), ADVICE_AGAIN)
            }
            Self::Idle(idle) => unavailable(
                format!("a message within {} s", idle.as_secs_f64()),
                "none; pings do not count".into(),
                "look at SUBSCRIBE and the URI, or give quiet feeds a longer WINDROW_IDLE_TIMEOUT_SECONDS",
            ),
            Self::Deaf => unavailable(
                "that the feed reads what is sent to it".into(),
                format!(
                    "that it takes nothing for {FEED_SILENCE:.0?}, or that more than {FEED_WRITE_BYTES} bytes wait"
                ),
                ADVICE_AGAIN,
            ),
            Self::Overrun => unavailable(
                "that the run keeps up with the feed".into(),
                format!("that it is slower: messages wait, and none was taken for {FEED_WAIT:.0?}"),
                "look at the network to the output and at the CPUs of the task, or split the feeds among runs",
            ),
            Self::TooLong { bytes } => new(
                Kind::Data,
                format!("messages of at most {RECORD_BYTES} bytes"),
                format!("one of {bytes} or more"),
                "a feed of longer messages cannot be read",
            ),
            Self::NotUtf8 => new(
                Kind::Protocol,
                "UTF-8 in text messages".into(),
                "other bytes".into(),
                ADVICE_BROKEN,
            ),
            Self::Broken(fault) => new(
                Kind::Protocol,
                "WebSocket frames".into(),
                fault,
                ADVICE_BROKEN,
            ),
            Self::Defect(found) => Error::defect(READING, found).at_uri(shown),
        }
    }
}

/// Whether this is what tungstenite makes of a code that it does not let pass: those that must not be sent, but 1014 too, which
/// IANA has given to gateways since. The connection was closed, whatever the number.
fn is_no_code(frame: &CloseFrame) -> bool {
    frame.code == CloseCode::Protocol && frame.reason.as_str() == "Protocol violation"
}

/// A close frame in words.
fn told(frame: Option<CloseFrame>, secrets: &Secrets) -> String {
    let Some(frame) = frame else {
        return "a close frame without a code".to_owned();
    };
    if is_no_code(&frame) {
        return "a close frame with code 1014 (bad gateway), or one that must not be sent"
            .to_owned();
    }
    let CloseFrame { code, reason } = frame;
    let code = u16::from(code);
    let known = CODES.into_iter().find(|(known, _)| *known == code);
    let name = known.map_or(String::new(), |(_, name)| format!(" ({name})"));
    let reason = match reason.is_empty() {
        true => String::new(),
        false => format!(": \"{}\"", secrets.shown(reason.as_bytes(), 125)),
    };
    format!("a close frame with code {code}{name}{reason}")
}

/// RFC 6455, section 7.4.1, and IANA's registry of close codes.
const CODES: [(u16, &str); 11] = [
    (1000, "normal"),
    (1001, "going away"),
    (1002, "protocol error"),
    (1003, "unsupported data"),
    (1007, "invalid data"),
    (1008, "policy violation"),
    (1009, "message too big"),
    (1010, "extension missing"),
    (1011, "internal error"),
    (1012, "service restart"),
    (1013, "try again later"),
];
