//! Lines of a capture, both ways (SPEC 6): one a message, with the message as it was received, so that a replay decides as
//! the live run did. Pure: where the lines go, and in which parts, is not known here.

use std::borrow::Cow;
use std::io::Write;

use serde::de::IgnoredAny;

use crate::digest::{base64, base64_decoded};
use crate::limits::JSON_DEPTH;
use crate::message::Head;
use crate::value::timestamp;

/// Appends the line of a message, its end included.
pub fn line(head: Head, message: &[u8], out: &mut Vec<u8>) {
    let Head {
        n,
        received_at_us,
        feed,
        connection,
    } = head;
    let received_at = timestamp::utc(received_at_us);
    // Writing to a vector cannot fail.
    let _ = write!(
        out,
        r#"{{"n":{n},"received_at":"{received_at}","feed":{feed},"connection":{connection},"#
    );
    match Form::of(message) {
        Form::Message => {
            out.extend_from_slice(b"\"message\":");
            out.extend_from_slice(message);
        }
        Form::Text(quoted) => {
            out.extend_from_slice(b"\"text\":");
            out.extend_from_slice(quoted.as_bytes());
        }
        Form::Base64(encoded) => {
            out.extend_from_slice(b"\"base64\":\"");
            out.extend_from_slice(encoded.as_bytes());
            out.push(b'"');
        }
    }
    out.extend_from_slice(b"}\n");
}

/// How a message stands in its line.
enum Form {
    /// As it is.
    Message,
    /// As a JSON string, quotes included.
    Text(String),
    /// In base64.
    Base64(String),
}

impl Form {
    fn of(message: &[u8]) -> Self {
        let Ok(text) = str::from_utf8(message) else {
            return Self::Base64(base64(message));
        };
        if is_one_value(message) {
            return Self::Message;
        }
        let quoted = serde_json::Value::from(text).to_string();
        // Four characters for each three bytes, and the two quotes.
        match quoted.len() <= message.len().div_ceil(3) * 4 + 2 {
            true => Self::Text(quoted),
            false => Self::Base64(base64(message)),
        }
    }
}

/// Whether it is one line of JSON of at most as many levels as a record may have.
fn is_one_value(message: &[u8]) -> bool {
    memchr::memchr2(b'\n', b'\r', message).is_none()
        && is_flat_enough(message)
        && serde_json::from_slice::<IgnoredAny>(message).is_ok()
}

/// Whether no more brackets are open at a time than may be. Those in texts do not count.
fn is_flat_enough(message: &[u8]) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in message {
        match (in_text, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (true, b'"') => in_text = false,
            (true, _) => {}
            (false, b'"') => in_text = true,
            (false, b'[' | b'{') => depth += 1,
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            (false, _) => {}
        }
        if depth > JSON_DEPTH {
            return false;
        }
    }
    true
}

/// A line that no stream of windrow wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// What was expected.
    pub expected: &'static str,
    /// Where in the line, in bytes.
    pub at_bytes: usize,
}

/// What a line holds, its end left out.
///
/// # Errors
/// Where it is not what [`line`] writes.
pub fn read(line: &[u8]) -> Result<(Head, Cow<'_, [u8]>), Malformed> {
    let mut reader = Reader { line, at_bytes: 0 };
    let n = reader.number("{\"n\":", "the message's number")?;
    reader.literal(",\"received_at\":\"", "received_at")?;
    let time = reader.until(b'"', "the time of receipt")?;
    let at = reader.at_bytes;
    let received_at_us = timestamp::parse(time).map_err(|_| Malformed {
        expected: "a time such as 2026-01-31T23:59:00.000000Z",
        at_bytes: at,
    })?;
    let feed = reader.number("\",\"feed\":", "the feed's number")?;
    let connection = reader.number(",\"connection\":", "the connection's number")?;
    let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let head = Head {
        n,
        received_at_us,
        feed: narrow(feed),
        connection: narrow(connection),
    };
    Ok((head, reader.message()?))
}

struct Reader<'a> {
    line: &'a [u8],
    at_bytes: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a [u8] {
        self.line.get(self.at_bytes..).unwrap_or_default()
    }

    fn malformed(&self, expected: &'static str) -> Malformed {
        Malformed {
            expected,
            at_bytes: self.at_bytes,
        }
    }

    fn accept(&mut self, literal: &str) -> bool {
        let found = self.rest().starts_with(literal.as_bytes());
        if found {
            self.at_bytes += literal.len();
        }
        found
    }

    fn literal(&mut self, literal: &str, expected: &'static str) -> Result<(), Malformed> {
        match self.accept(literal) {
            true => Ok(()),
            false => Err(self.malformed(expected)),
        }
    }

    fn until(&mut self, end: u8, expected: &'static str) -> Result<&'a [u8], Malformed> {
        let rest = self.rest();
        let length = rest.iter().position(|&byte| byte == end);
        let length = length.ok_or_else(|| self.malformed(expected))?;
        self.at_bytes += length;
        Ok(rest.get(..length).unwrap_or_default())
    }

    fn number(&mut self, before: &str, expected: &'static str) -> Result<u64, Malformed> {
        self.literal(before, expected)?;
        let rest = self.rest();
        let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let digits = rest.get(..length).unwrap_or_default();
        let number = str::from_utf8(digits)
            .ok()
            .and_then(|text| text.parse().ok());
        let number = number.ok_or_else(|| self.malformed(expected))?;
        self.at_bytes += length;
        Ok(number)
    }

    fn message(&mut self) -> Result<Cow<'a, [u8]>, Malformed> {
        const EXPECTED: &str = "message, text or base64, and the line's end after it";
        let value = |reader: &Self| reader.rest().strip_suffix(b"}").map(<[u8]>::trim_ascii_end);
        if self.accept(",\"message\":") {
            let raw = self.rest().strip_suffix(b"}");
            return raw
                .map(Cow::Borrowed)
                .ok_or_else(|| self.malformed(EXPECTED));
        }
        if self.accept(",\"text\":") {
            let text = value(self).and_then(|raw| serde_json::from_slice::<String>(raw).ok());
            let text = text.ok_or_else(|| self.malformed("a JSON string"))?;
            return Ok(Cow::Owned(text.into_bytes()));
        }
        if self.accept(",\"base64\":\"") {
            let raw = self.rest().strip_suffix(b"\"}");
            let bytes = raw.and_then(base64_decoded);
            return bytes
                .map(Cow::Owned)
                .ok_or_else(|| self.malformed("base64 (RFC 4648, section 4)"));
        }
        Err(self.malformed(EXPECTED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(n: u64) -> Head {
        Head {
            n,
            received_at_us: 1_769_900_340_000_007,
            feed: 1,
            connection: 2,
        }
    }

    fn written(message: &[u8]) -> String {
        let mut out = Vec::new();
        line(head(7), message, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn f125_a_message_stands_as_it_is_or_in_what_is_shortest() {
        let start =
            r#"{"n":7,"received_at":"2026-01-31T22:59:00.000007Z","feed":1,"connection":2,"#;
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let control = "\u{1}".repeat(9);
        for (message, want) in [
            (
                r#"{"p":"1.50", "b":[1e400,"]"]}"#,
                r#""message":{"p":"1.50", "b":[1e400,"]"]}"#,
            ),
            ("12", r#""message":12"#),
            ("", r#""text":"""#),
            ("hello", r#""text":"hello""#),
            ("{\"a\":\n1}", r#""text":"{\"a\":\n1}""#),
            ("{\"a\":1} ", "\"message\":{\"a\":1} "),
            ("{\"a\":1}{", r#""text":"{\"a\":1}{""#),
            (control.as_str(), r#""base64":"AQEBAQEBAQEB""#),
            (&nested(64), &format!("\"message\":{}", nested(64))),
            (&nested(65), &format!("\"text\":\"{}\"", nested(65))),
        ] {
            assert_eq!(written(message.as_bytes()), format!("{start}{want}}}\n"));
        }
        assert_eq!(
            written(b"\xff\xfe"),
            format!("{start}\"base64\":\"//4=\"}}\n")
        );
    }

    #[test]
    fn f125_what_is_read_is_what_was_written() {
        let mut random = 1_u64;
        let mut messages: Vec<Vec<u8>> = [
            &b"{}"[..],
            b"",
            b"\"}\"",
            b"{\"a\":\"\\ud834\"}",
            b"\xff",
            b"a\"\\\nb",
            b"}",
            b"1 ",
        ]
        .map(<[u8]>::to_vec)
        .to_vec();
        for length in 0..200_usize {
            messages.push(
                (0..length)
                    .map(|_| {
                        random = random
                            .wrapping_mul(6_364_136_223_846_793_005)
                            .wrapping_add(1);
                        random.to_be_bytes()[0]
                    })
                    .collect(),
            );
        }
        messages.push(vec![b'x'; 16 << 20]);
        let mut out = Vec::new();
        for (n, message) in (1..).zip(&messages) {
            out.clear();
            line(head(n), message, &mut out);
            let bare = out.strip_suffix(b"\n").unwrap();
            assert!(!bare.contains(&b'\n'));
            // No more than a third longer than the message, and what stands around it.
            assert!(bare.len() < message.len() * 4 / 3 + 120);
            assert!(serde_json::from_slice::<IgnoredAny>(bare).is_ok());
            let (found, content) = read(bare).unwrap();
            assert_eq!((found, &*content), (head(n), message.as_slice()));
        }
    }

    #[test]
    fn what_no_stream_wrote_is_refused() {
        let good = written(b"{}");
        let good = good.trim_end();
        assert!(read(good.as_bytes()).is_ok());
        for (from, to) in [
            ("{\"n\":7", "{ \"n\":7"),
            ("\"n\":7", "\"n\":-7"),
            ("\"n\":7", "\"n\":99999999999999999999"),
            ("2026-01-31T", "2026-02-31T"),
            ("\"feed\":1,", ""),
            ("message", "payload"),
            ("{}}", "{}"),
        ] {
            let odd = good.replacen(from, to, 1);
            assert_ne!(odd, good);
            let found = read(odd.as_bytes());
            // A brace too few is the message's own, whose decoder finds it.
            assert!(found.is_err() || to == "{}", "{odd}: {found:?}");
        }
        assert!(read(b"").is_err());
        assert!(
            read(
                good.replace("\"message\":{}", "\"base64\":\"a\"")
                    .as_bytes()
            )
            .is_err()
        );
        assert!(read(good.replace("\"message\":{}", "\"text\":1").as_bytes()).is_err());
    }
}
