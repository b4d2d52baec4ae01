//! NDJSON: one JSON object a line (RFC 8259), every column in it, NULL as `null`. Numbers keep all their digits, those
//! of HUGEINT and DECIMAL too, which readers that parse numbers as doubles cut.

use crate::value::vector::{Data, Vector};
use crate::value::{Type, text};

/// What stands before the value of column `index`: `{` or a comma, and the name.
pub(super) fn key(index: usize, name: &str) -> Vec<u8> {
    let mut before = vec![if index == 0 { b'{' } else { b',' }];
    string(name.as_bytes(), &mut before);
    before.push(b':');
    before
}

/// Appends one value. The text of numbers and truths (SQL.md "Output text") is JSON as it is: `1.0`, `1e+16`, `-0.0`.
#[inline]
pub(super) fn value(vector: &Vector, row: usize, ty: Type, out: &mut Vec<u8>) {
    if !vector.valid.is_valid(row) {
        out.extend_from_slice(b"null");
        return;
    }
    match &vector.data {
        Data::Text(texts) => string(texts.bytes(row), out),
        Data::Int(_) if ty == Type::Timestamp => {
            out.push(b'"');
            text::append(vector, row, ty, out);
            out.push(b'"');
        }
        Data::Boolean(_) | Data::Int(_) | Data::Wide(_) | Data::Double(_) => {
            text::append(vector, row, ty, out);
        }
    }
}

/// Appends a JSON string: only what RFC 8259 section 7 says must be escaped is escaped.
fn string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let must_be_escaped = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
    let mut left = text;
    while let Some(place) = left.iter().position(must_be_escaped) {
        let Some((plain, [byte, rest @ ..])) = left.split_at_checked(place) else {
            break;
        };
        out.extend_from_slice(plain);
        escape(*byte, out);
        left = rest;
    }
    out.extend_from_slice(left);
    out.push(b'"');
}

fn escape(byte: u8, out: &mut Vec<u8>) {
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            out.extend_from_slice(b"\\u00");
            for digit in [byte >> 4, byte & 15] {
                out.push(digit + if digit < 10 { b'0' } else { b'a' - 10 });
            }
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}
