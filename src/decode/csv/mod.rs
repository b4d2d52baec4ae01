//! CSV (RFC 4180, SPEC 4): where records and fields end, what makes a record bad, and a chunk into columns.
//!
//! A quote opens a field only as its first byte. Elsewhere in an unquoted field it makes the record bad and changes
//! nothing else; text after a closing quote makes the record bad, and the rest of that field is read as unquoted; a
//! carriage return outside quotes that no line feed follows makes the record bad and ends nothing. So a bad record
//! ends at the next line feed outside quotes, and reading goes on right after it.

mod fields;
mod machine;

use std::ops::Range;

use fields::Fields;
pub(super) use machine::{Machine, State, count, first_line, split, trimmed};

use super::columns::{self, Bad, Cells};
use super::{Chunk, Cursor, Reason, Reject, Seen};
use crate::value::column::Column;
use crate::value::vector::Batch;

/// Which field of a record feeds which column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// Fields of every record.
    pub(super) fields: u32,
    /// One a column, as the plan numbers them: the field's index, from 0; `None` where it is no field (`@object`).
    pub(super) columns: Vec<Option<u32>>,
}

/// Reads the records of chunks.
#[derive(Debug)]
pub(super) struct Reader {
    delimiter: u8,
    null: Option<Vec<u8>>,
    fields: Fields,
    bad: Vec<Bad>,
}

impl Reader {
    pub(super) fn new(delimiter: u8, null: Option<Vec<u8>>) -> Self {
        Self {
            delimiter,
            null,
            fields: Fields::default(),
            bad: Vec::new(),
        }
    }

    /// Where the record is that starts at `start` in `bytes`, without its line end.
    pub(super) fn record_at(&self, bytes: &[u8], start: usize) -> Range<usize> {
        let rest = bytes.get(start..).unwrap_or_default();
        let end = first_line(rest, self.delimiter).unwrap_or(rest.len());
        start..start + trimmed(rest.get(..end).unwrap_or_default()).len()
    }

    pub(super) fn decode(
        &mut self,
        chunk: &Chunk,
        cursor: &mut Cursor,
        max_rows: usize,
        columns: &[Column],
        batch: &mut Batch,
        rejects: &mut Vec<Reject>,
    ) {
        let already = rejects.len();
        let width = chunk.layout.fields;
        self.fields
            .scan(chunk, cursor.offset_bytes, self.delimiter, max_rows);
        if !self.fields.take_regular(&chunk.bytes, width, cursor) {
            self.fields
                .take_one_by_one(chunk, self.delimiter, cursor, rejects);
        }
        self.fields.place(chunk, batch);
        cursor.offset_bytes = if self.fields.lines == 0 {
            chunk.bytes.len()
        } else {
            self.fields.end()
        };

        for (number, column) in columns.iter().enumerate() {
            let Some(vector) = batch.columns.get_mut(number) else {
                continue;
            };
            let Some(field) = chunk.layout.columns.get(number).copied().flatten() else {
                columns::fill_constant(vector, column, &chunk.object, batch.rows);
                continue;
            };
            let cells = Plain {
                bytes: &chunk.bytes,
                ends: &self.fields.ends,
                good: &self.fields.good,
                field: field as usize,
                is_last: field + 1 == width,
                null: self.null.as_deref(),
            };
            if chunk.seen == Seen::default() {
                columns::fill(column.form, vector, number, &cells, &mut self.bad);
            } else {
                columns::fill(column.form, vector, number, &Quoted(cells), &mut self.bad);
            }
        }
        let fields = &self.fields;
        columns::drop_bad(batch, &mut self.bad, chunk, rejects, already, |row| {
            fields.raw(row, width)
        });
    }
}

/// One field of all good records of a chunk that has neither quotes nor carriage returns.
struct Plain<'a> {
    bytes: &'a [u8],
    ends: &'a [u32],
    good: &'a [u32],
    field: usize,
    is_last: bool,
    null: Option<&'a [u8]>,
}

/// The same in a chunk that has.
struct Quoted<'a>(Plain<'a>);

impl<'a> Plain<'a> {
    #[inline(always)]
    fn raw(&self, row: usize) -> &'a [u8] {
        let Some(&first) = self.good.get(row) else {
            return &[];
        };
        let at = first as usize + self.field;
        match self.ends.get(at..at + 2) {
            Some(&[before, end]) => self
                .bytes
                .get(before.wrapping_add(1) as usize..end as usize)
                .unwrap_or_default(),
            _ => &[],
        }
    }

    #[inline(always)]
    fn unless_null<'t>(&self, text: &'t [u8]) -> Option<&'t [u8]> {
        let null = text.is_empty() || self.null.is_some_and(|null| null == text);
        (!null).then_some(text)
    }
}

impl Cells for Plain<'_> {
    fn rows(&self) -> usize {
        self.good.len()
    }

    #[inline(always)]
    fn cell<'s>(&'s self, row: usize, _: &'s mut Vec<u8>) -> Result<Option<&'s [u8]>, Reason> {
        Ok(self.unless_null(self.raw(row)))
    }
}

impl Cells for Quoted<'_> {
    fn rows(&self) -> usize {
        self.0.good.len()
    }

    #[inline(always)]
    fn cell<'s>(
        &'s self,
        row: usize,
        scratch: &'s mut Vec<u8>,
    ) -> Result<Option<&'s [u8]>, Reason> {
        let mut raw = self.0.raw(row);
        if self.0.is_last {
            raw = raw.strip_suffix(b"\r").unwrap_or(raw);
        }
        Ok(self.0.unless_null(machine::unquoted(raw, scratch)))
    }
}
