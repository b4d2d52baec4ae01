//! One bad record, and its line in rejected.ndjson (SPEC 7).

use serde::Serialize;

use crate::decode::{Reject, kept};
use crate::digest::base64;
use crate::error::{Error, Place, Result};
use crate::log::{Event, Level};
use crate::value::column::Column;

/// One bad record, with what rejected.ndjson keeps of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rejected {
    /// Number of the record in its piece, from 0.
    pub(super) record: u32,
    /// Offset of the record in the uncompressed object, in bytes.
    pub(super) offset: u64,
    /// The column that it is about.
    pub(super) column: Option<String>,
    /// What a good record would have had.
    pub(super) expected: String,
    /// What this one had.
    pub(super) found: String,
    /// Its first bytes.
    raw: Vec<u8>,
    /// Its size.
    total_bytes: u64,
}

/// A line of rejected.ndjson.
#[derive(Serialize)]
struct Line<'a> {
    object: &'a str,
    record: u64,
    offset_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<&'a str>,
    reason: String,
    #[serde(flatten)]
    raw: Raw<'a>,
    total_bytes: u64,
}

/// The record as it stands, or in base64 where it is not UTF-8.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Raw<'a> {
    Raw(&'a str),
    RawBase64(String),
}

impl Rejected {
    /// What the decoder found bad, of which `raw` are the bytes; `columns` as the plan numbers them.
    pub(super) fn new(reject: &Reject, raw: &[u8], columns: &[Column]) -> Self {
        Self {
            record: reject.record,
            offset: reject.offset,
            column: reject
                .column
                .and_then(|column| columns.get(column))
                .map(|c| c.name.clone()),
            expected: reject.reason.expected(),
            found: reject.reason.found(),
            raw: kept(raw),
            total_bytes: reject.total_bytes,
        }
    }

    /// The record `raw`, which has no value for `column`, which is NOT NULL.
    pub(super) fn missing(record: u32, offset: u64, raw: &[u8], column: &Column) -> Self {
        Self {
            record,
            offset,
            column: Some(column.name.clone()),
            expected: "a value, as the column is NOT NULL".to_owned(),
            found: "NULL".to_owned(),
            raw: kept(raw),
            total_bytes: raw.len() as u64,
        }
    }

    /// A bad record of a message: the number of the message is the record's.
    pub(super) fn of_message(rejected: &crate::window::Rejected<'_>) -> Self {
        let crate::window::Rejected { bad, column, .. } = rejected;
        Self {
            record: 0,
            offset: bad.offset_bytes,
            column: column.map(str::to_owned),
            expected: bad.expected.clone(),
            found: bad.found.clone(),
            raw: bad.raw.clone(),
            total_bytes: bad.total_bytes,
        }
    }

    fn reason(&self) -> String {
        format!("expected {}, found {}", self.expected, self.found)
    }

    /// Its line in rejected.ndjson, as record `number` (from 1) of `object`.
    ///
    /// Errors: 70; JSON can hold all of it.
    pub(super) fn line(&self, object: &str, number: u64) -> Result<Vec<u8>> {
        let mut line = serde_json::to_vec(&Line {
            object,
            record: number,
            offset_bytes: self.offset,
            column: self.column.as_deref(),
            reason: self.reason(),
            raw: match str::from_utf8(&self.raw) {
                Ok(text) => Raw::Raw(text),
                Err(_) => Raw::RawBase64(base64(&self.raw)),
            },
            total_bytes: self.total_bytes,
        })
        .map_err(|cause| Error::defect("writing rejected.ndjson", cause.to_string()))?;
        line.push(b'\n');
        Ok(line)
    }
}

/// The log tells of the first bad record; the others are in rejected.ndjson, and counted.
pub(super) fn first_rejected(rejected: &Rejected, place: &Place) -> Event {
    rejected_event(&rejected.reason(), place)
}

/// The same of a record whose reason is known as rejected.ndjson writes it.
pub(super) fn rejected_event(reason: &str, place: &Place) -> Event {
    let event = Event {
        level: Level::Warning,
        ..Event::info("rejected", format!("{place} is bad: {reason}"))
    };
    let event = event
        .with("uri", place.uri.as_str())
        .with("record", place.record);
    event
        .with("offset_bytes", place.offset_bytes)
        .with("column", place.column.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;

    #[test]
    fn a_long_record_is_cut_between_characters() {
        let long = "ä".repeat(limits::REJECTED_RAW_BYTES);
        let odd = format!("x{long}");
        assert_eq!(kept(long.as_bytes()).len(), limits::REJECTED_RAW_BYTES);
        assert_eq!(kept(odd.as_bytes()).len(), limits::REJECTED_RAW_BYTES - 1);
        assert_eq!(kept(b"short"), b"short");
    }
}
