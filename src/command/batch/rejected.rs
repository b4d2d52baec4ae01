//! One bad record, and its line in rejected.ndjson (SPEC 7).

use serde::Serialize;

use crate::decode::{Chunk, Reject};
use crate::error::{Error, Result};
use crate::limits;
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
    /// What the decoder found bad in `chunk`; `columns` as the plan numbers them.
    pub(super) fn new(reject: &Reject, chunk: &Chunk, columns: &[Column]) -> Self {
        let raw = chunk.bytes.get(reject.raw.clone()).unwrap_or_default();
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

    /// Its line in rejected.ndjson, as record `number` (from 1) of `object`.
    ///
    /// Errors: 70; JSON can hold all of it.
    pub(super) fn line(&self, object: &str, number: u64) -> Result<Vec<u8>> {
        let mut line = serde_json::to_vec(&Line {
            object,
            record: number,
            offset_bytes: self.offset,
            column: self.column.as_deref(),
            reason: format!("expected {}, found {}", self.expected, self.found),
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

/// The first bytes of a record, cut between characters where it is UTF-8.
fn kept(raw: &[u8]) -> Vec<u8> {
    let Some(start) = raw.get(..limits::REJECTED_RAW_BYTES) else {
        return raw.to_vec();
    };
    match str::from_utf8(start) {
        Err(error) if error.error_len().is_none() => {
            start.get(..error.valid_up_to()).unwrap_or(start).to_vec()
        }
        Ok(_) | Err(_) => start.to_vec(),
    }
}

/// RFC 4648, section 4, with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, at| {
            bits << 8 | u32::from(group.get(at).copied().unwrap_or_default())
        });
        for at in 0..4 {
            let digit = DIGITS
                .get((bits >> (18 - 6 * at)) as usize & 63)
                .copied()
                .unwrap_or_default();
            text.push(if at <= group.len() { digit.into() } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_as_the_rfc_shows_it() {
        for (raw, want) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(raw.as_bytes()), want);
        }
    }

    #[test]
    fn a_long_record_is_cut_between_characters() {
        let long = "ä".repeat(limits::REJECTED_RAW_BYTES);
        let odd = format!("x{long}");
        assert_eq!(kept(long.as_bytes()).len(), limits::REJECTED_RAW_BYTES);
        assert_eq!(kept(odd.as_bytes()).len(), limits::REJECTED_RAW_BYTES - 1);
        assert_eq!(kept(b"short"), b"short");
    }
}
