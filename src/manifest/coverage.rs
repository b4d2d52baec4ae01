//! What a stream, or the replay of its capture, was given and what it lacked (SPEC 7): totals for the manifest, and a line each
//! for `coverage.ndjson.gz`. Times are RFC 3339 in UTC with six digits, so that they sort.

use serde::Serialize;

use super::Receipt;

/// The list of windows, connections, gaps, jumps and parts.
pub const COVERAGE: &str = "coverage.ndjson.gz";

/// A stream in totals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stream {
    /// Connections; of a replay, those that gave a message.
    pub connections: u64,
    /// Known gaps, of connections and sequences.
    pub gaps: u64,
    /// Times that event time went ahead by itself.
    pub jumps: u64,
    /// Windows.
    pub windows: Windows,
    /// Records for a closed window, as in `records`.
    pub late: u64,
    /// Records of which nobody can say whether they were seen before.
    pub unchecked: u64,
    /// Acknowledged parts of the capture.
    pub parts: Parts,
}

/// Windows in totals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Windows {
    /// All of them: in the end every one is closed.
    pub closed: u64,
    /// Those of them that may lack records by what is known.
    pub partial: u64,
}

/// Parts of a capture in totals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Parts {
    /// Number of parts.
    pub count: u64,
    /// Their stored size.
    pub bytes: u64,
}

/// A line of `coverage.ndjson.gz`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum CoverageLine {
    /// A window that a record fell into.
    Window {
        /// Its first microsecond.
        start: String,
        /// One past its last.
        end: String,
        /// Records in its rows.
        used: u64,
        /// Groups of them, before HAVING.
        groups: u64,
        /// Its rows.
        rows: u64,
        /// Records that came after it was closed.
        late: u64,
        /// Whether it may lack records by what is known.
        partial: bool,
    },
    /// Messages that are known to be missing.
    Gap(GapLine),
    /// A connection that was up.
    Connection {
        /// Its number over the run.
        connection: u32,
        /// The feed's place in INPUT, from 0.
        feed: u32,
        /// Messages of it.
        messages: u64,
        /// When the first was received; null where none was, which a replay does not know of.
        first: Option<String>,
        /// When the last was.
        last: Option<String>,
    },
    /// A record that took the newest event time further ahead than the time of receipt went.
    Jump {
        /// Number of its message.
        n: u64,
        /// Its feed.
        feed: u32,
        /// When it was received.
        received_at: String,
        /// The newest event time before it; null where it was the first.
        from: Option<String>,
        /// Its event time.
        to: String,
    },
    /// A part of the capture that the store acknowledged; its rows are messages.
    Part(Receipt),
}

/// Messages that are known to be missing: in `coverage.ndjson.gz` and `failure.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "cause", rename_all = "lowercase")]
pub enum GapLine {
    /// A feed had no connection.
    Disconnect {
        /// Whose.
        feed: u32,
        /// The connection that ended; null where none was up since the run began.
        connection: Option<u32>,
        /// When its last message was received, or the run began.
        from: String,
        /// When the first message of the next one was; null where none came.
        to: Option<String>,
    },
    /// Numbers of a sequence that did not come.
    Sequence {
        /// The key, as text; null for NULL.
        key: Option<String>,
        /// The connection that the numbers are of; null where they go on over all of them.
        connection: Option<u32>,
        /// The first number that is missing.
        first: i64,
        /// The last.
        last: i64,
        /// Event time of the record before them; where it has none that can be believed, when it was received.
        from: String,
        /// The same of the record after them.
        to: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_flat_and_of_them_a_part_alone_is_a_receipt() {
        let time = || "2026-01-31T22:59:00.000000Z".to_owned();
        let lines = [
            (
                CoverageLine::Window {
                    start: time(),
                    end: time(),
                    used: 1,
                    groups: 1,
                    rows: 1,
                    late: 0,
                    partial: true,
                },
                r#"{"kind":"window","start":"T","end":"T","used":1,"groups":1,"rows":1,"late":0,"partial":true}"#,
            ),
            (
                CoverageLine::Gap(GapLine::Disconnect {
                    feed: 0,
                    connection: Some(1),
                    from: time(),
                    to: None,
                }),
                r#"{"kind":"gap","cause":"disconnect","feed":0,"connection":1,"from":"T","to":null}"#,
            ),
            (
                CoverageLine::Gap(GapLine::Sequence {
                    key: Some("BNBUSDT".to_owned()),
                    connection: None,
                    first: 7,
                    last: 9,
                    from: time(),
                    to: time(),
                }),
                r#"{"kind":"gap","cause":"sequence","key":"BNBUSDT","connection":null,"first":7,"last":9,"from":"T","to":"T"}"#,
            ),
            (
                CoverageLine::Connection {
                    connection: 1,
                    feed: 0,
                    messages: 5,
                    first: Some(time()),
                    last: Some(time()),
                },
                r#"{"kind":"connection","connection":1,"feed":0,"messages":5,"first":"T","last":"T"}"#,
            ),
            (
                CoverageLine::Jump {
                    n: 5,
                    feed: 0,
                    received_at: time(),
                    from: None,
                    to: time(),
                },
                r#"{"kind":"jump","n":5,"feed":0,"received_at":"T","from":null,"to":"T"}"#,
            ),
        ];
        let docs = include_str!("../../docs/artifacts.md");
        for (line, want) in lines {
            let text = serde_json::to_string(&line).unwrap();
            assert_eq!(text.replace(&time(), "T"), want);
            assert!(serde_json::from_str::<Receipt>(&text).is_err());
            let fields = want
                .split('"')
                .filter(|word| !word.contains([':', ',', '{', '}', 'T']));
            for field in fields.filter(|word| *word != "BNBUSDT") {
                assert!(
                    docs.contains(&format!("`{field}`")),
                    "docs/artifacts.md lacks {field}"
                );
            }
        }
    }
}
