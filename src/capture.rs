//! Messages to the lines of a capture (SPEC 6): one a message, with the message as it was received, so that a replay decides as the
//! live run did. [`crate::decode::captured`] reads them. Pure: where lines go, and in which parts, is not known here.

use crate::decode::is_one_line;
use crate::digest::base64;
use crate::message::Head;
use crate::value::{text, timestamp};

/// Appends the line of a message, its end included.
pub fn line(head: Head, message: &[u8], out: &mut Vec<u8>) {
    let Head {
        n,
        received_at_us,
        feed,
        connection,
    } = head;
    out.extend_from_slice(b"{\"n\":");
    text::append_u64(n, out);
    out.extend_from_slice(b",\"received_at\":\"");
    timestamp::append_utc(received_at_us, out);
    out.extend_from_slice(b"\",\"feed\":");
    text::append_u64(feed.into(), out);
    out.extend_from_slice(b",\"connection\":");
    text::append_u64(connection.into(), out);
    if is_one_line(message) {
        out.extend_from_slice(b",\"message\":");
        out.extend_from_slice(message);
    } else {
        other(message, out);
    }
    out.extend_from_slice(b"}\n");
}

/// Appends a message that is not one line of JSON: as a JSON string, or in base64 where that is shorter or it is not UTF-8.
#[cold]
fn other(message: &[u8], out: &mut Vec<u8>) {
    let quoted = str::from_utf8(message).map(|text| serde_json::Value::from(text).to_string());
    // Four characters for each three bytes, and the two quotes.
    let encoded_bytes = message.len().div_ceil(3) * 4 + 2;
    match quoted {
        Ok(quoted) if quoted.len() <= encoded_bytes => {
            out.extend_from_slice(b",\"text\":");
            out.extend_from_slice(quoted.as_bytes());
        }
        Ok(_) | Err(_) => {
            out.extend_from_slice(b",\"base64\":\"");
            out.extend_from_slice(base64(message).as_bytes());
            out.push(b'"');
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::de::IgnoredAny;

    use super::*;
    use crate::decode::captured::Line;

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
            let found = Line::read(bare).unwrap();
            assert_eq!((found.head, &*found.message), (head(n), message.as_slice()));
        }
    }

    #[test]
    fn what_no_stream_wrote_is_refused() {
        let good = written(b"{}");
        let good = good.trim_end();
        assert!(Line::read(good.as_bytes()).is_ok());
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
            let found = Line::read(odd.as_bytes());
            // A brace too few is the message's own, whose decoder finds it.
            assert!(found.is_err() || to == "{}", "{odd}: {found:?}");
        }
        assert!(Line::read(b"").is_err());
        assert!(
            Line::read(
                good.replace("\"message\":{}", "\"base64\":\"a\"")
                    .as_bytes()
            )
            .is_err()
        );
        assert!(Line::read(good.replace("\"message\":{}", "\"text\":1").as_bytes()).is_err());
    }
}
