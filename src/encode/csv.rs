//! CSV as RFC 4180 has it, with a comma and `\n`: fields are quoted only where they must be, NULL is nothing and an
//! empty string is `""`.
//!
//! A row of one column that is NULL is therefore an empty line, as DuckDB 2.0.1 writes it. windrow reads that line back
//! as a record of one NULL (SQL.md "Input values"), and so does DuckDB; readers that skip blank lines lose it.

use super::Column;
use crate::value::vector::{Data, Vector};
use crate::value::{Type, text};

/// Appends the line of names.
pub(super) fn header(columns: &[Column], out: &mut Vec<u8>) {
    for column in columns {
        out.extend_from_slice(&column.before);
        field_text(column.name.as_bytes(), out);
    }
    out.push(b'\n');
}

/// Appends one field.
#[inline]
pub(super) fn field(vector: &Vector, row: usize, ty: Type, out: &mut Vec<u8>) {
    if !vector.valid.is_valid(row) {
        return;
    }
    match &vector.data {
        Data::Text(texts) => field_text(texts.bytes(row), out),
        // The text of numbers, times and truths holds nothing that needs quotes.
        Data::Boolean(_) | Data::Int(_) | Data::Wide(_) | Data::Double(_) => {
            text::append(vector, row, ty, out);
        }
    }
}

fn field_text(text: &[u8], out: &mut Vec<u8>) {
    let must_be_quoted = |byte: &u8| matches!(byte, b',' | b'"' | b'\r' | b'\n');
    if !text.is_empty() && !text.iter().any(must_be_quoted) {
        out.extend_from_slice(text);
        return;
    }
    out.push(b'"');
    for piece in text.split_inclusive(|&byte| byte == b'"') {
        out.extend_from_slice(piece);
        if piece.ends_with(b"\"") {
            out.push(b'"');
        }
    }
    out.push(b'"');
}
