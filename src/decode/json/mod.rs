//! NDJSON and JSON documents (RFC 8259, SPEC 4): where records end, and the values that columns read.
//!
//! One pass, no tree of values: the parser walks a record beside the tree of paths that are read and notes where their
//! values stand ([`Token`]); then columns are parsed as CSV's are. Records that look like one before them do not
//! even go through the parser ([`shape`]).
//!
//! Structure is checked everywhere: brackets, quotes, escapes, commas, colons, no control characters in strings, and
//! that a bare word is `true`, `false`, `null` or begins as a number does and has no character that none has. UTF-8,
//! the grammar of numbers, pairs of surrogates and repeated keys are looked at only where a column reads them.
//! Blank lines hold no record, as in DuckDB. A record is an object; an array too, where a path begins with an index or
//! where no path is read at all.

mod grammar;
mod paths;
mod scan;
mod shape;
mod walk;

use std::ops::Range;

pub use grammar::is_one_line;
pub(super) use grammar::unescaped;
use paths::{Kind, Token, Tree};
use shape::{Marks, Shapes};
use walk::{Walk, Wrong};

use super::columns::{self, Bad, Cells};
use super::{Chunk, Cursor, Fault, Met, Reason, Reject};
use crate::error::shown;
use crate::value::column::{Column, Path};
use crate::value::vector::Batch;

/// What a chunk of JSON holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// A document a line.
    Lines,
    /// One document.
    Document,
}

/// Reads the records of chunks.
#[derive(Debug)]
pub(super) struct Reader {
    unit: Unit,
    /// What columns read of a record.
    tree: Tree,
    /// For each column the token that it reads; `None` where it reads none (`@object`).
    slots: Vec<Option<usize>>,
    /// The way from a document to the array of its records.
    records: Option<Tree>,
    shapes: Shapes,
    marks: Marks,
    /// The object that the last chunk was of.
    input: Option<u32>,
    found: Found,
    bad: Vec<Bad>,
}

/// Where decoded records go.
pub(super) struct Target<'a> {
    pub(super) batch: &'a mut Batch,
    pub(super) rejects: &'a mut Vec<Reject>,
    pub(super) met: &'a mut [Met],
}

/// The good records of a batch.
#[derive(Debug, Default)]
struct Found {
    /// Tokens of each record after each other, as many as the tree has slots.
    tokens: Vec<Token>,
    /// Where in the chunk each record is.
    places: Vec<(u32, u32)>,
    /// The number of each in the chunk.
    numbers: Vec<u32>,
}

impl Found {
    fn clear(&mut self) {
        self.tokens.clear();
        self.places.clear();
        self.numbers.clear();
    }

    /// The tokens of the next record, all absent.
    #[inline]
    fn begin(&mut self, slots: usize) -> &mut [Token] {
        let start = self.tokens.len();
        self.tokens.resize(start + slots, Token::default());
        self.tokens.get_mut(start..).unwrap_or_default()
    }

    /// The record that was begun is good.
    #[inline]
    fn keep(&mut self, place: Range<usize>, cursor: &mut Cursor) {
        // A chunk is far smaller than 4 GiB, and has fewer records than bytes.
        let narrow = |offset| u32::try_from(offset).unwrap_or(u32::MAX);
        self.places.push((narrow(place.start), narrow(place.end)));
        self.numbers
            .push(u32::try_from(cursor.record).unwrap_or(u32::MAX));
        cursor.record += 1;
    }

    /// The record that was begun is not.
    fn cancel(&mut self, slots: usize) {
        self.tokens
            .truncate(self.tokens.len().saturating_sub(slots));
    }

    fn place(&self, chunk: &Chunk, batch: &mut Batch) {
        batch.rows = self.places.len();
        batch.offsets.extend(
            self.places
                .iter()
                .map(|&(start, _)| chunk.offset + u64::from(start)),
        );
        batch.records.extend_from_slice(&self.numbers);
    }
}

impl Reader {
    pub(super) fn new(unit: Unit, columns: &[Column], records: Option<&Path>) -> Self {
        let (tree, slots) = Tree::of_columns(columns);
        Self {
            unit,
            tree,
            slots,
            records: records.map(Tree::of_records),
            shapes: Shapes::default(),
            marks: Marks::default(),
            input: None,
            found: Found::default(),
            bad: Vec::new(),
        }
    }

    /// Where the record is that starts at `start` in the chunk.
    pub(super) fn record_at(&self, chunk: &Chunk, start: usize) -> Range<usize> {
        let end = match self.unit {
            Unit::Lines if self.records.is_none() => {
                let rest = chunk.bytes.get(start..).unwrap_or_default();
                let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                start + super::csv::trimmed(rest.get(..length).unwrap_or_default()).len()
            }
            Unit::Lines | Unit::Document => Walk::value_end(&chunk.bytes, start),
        };
        start..end
    }

    pub(super) fn decode(
        &mut self,
        chunk: &Chunk,
        cursor: &mut Cursor,
        max_rows: usize,
        columns: &[Column],
        target: Target<'_>,
    ) -> Result<(), Fault> {
        let Target {
            batch,
            rejects,
            met,
        } = target;
        if self.input.replace(chunk.input) != Some(chunk.input) {
            self.shapes.begin_object();
        }
        let already = rejects.len();
        self.found.clear();
        while cursor.offset_bytes < chunk.bytes.len()
            && self.found.places.len() + rejects.len() - already < max_rows
        {
            self.decode_next(chunk, cursor, rejects)?;
        }
        self.found.place(chunk, batch);
        self.fill(chunk, columns, batch);
        let places = &self.found.places;
        columns::drop_bad(batch, &mut self.bad, chunk, rejects, already, |row| {
            places
                .get(row)
                .map_or(0..0, |&(start, end)| start as usize..end as usize)
        });
        self.note_met(met);
        Ok(())
    }

    /// Decodes a record, enters the array of a document's records, leaves it, or passes over what holds none.
    #[inline]
    fn decode_next(
        &mut self,
        chunk: &Chunk,
        cursor: &mut Cursor,
        rejects: &mut Vec<Reject>,
    ) -> Result<(), Fault> {
        if cursor.document_end > 0 {
            self.decode_element(chunk, cursor, rejects);
            return Ok(());
        }
        let start = cursor.offset_bytes;
        if self.unit == Unit::Lines && self.records.is_none() {
            let slots = self.tree.slots();
            let tokens = self.found.begin(slots);
            if let Some(end) = self.shapes.read(&chunk.bytes, start, tokens) {
                self.found.keep(start..end, cursor);
                cursor.offset_bytes = end;
                return Ok(());
            }
            self.found.cancel(slots);
        }
        let rest = chunk.bytes.get(start..).unwrap_or_default();
        let length = match self.unit {
            Unit::Lines => memchr::memchr(b'\n', rest).map_or(rest.len(), |length| length + 1),
            Unit::Document => rest.len(),
        };
        let place = start..start + length;
        cursor.offset_bytes = place.end;
        let document = rest.get(..length).unwrap_or_default();
        if document.trim_ascii().is_empty() {
            return Ok(());
        }
        let outcome = if self.records.is_some() {
            self.enter(chunk, place.clone(), cursor)
        } else {
            self.decode_document(chunk, place.clone(), cursor)
        };
        match outcome {
            Ok(()) => Ok(()),
            Err(wrong) => self.refuse(chunk, place, &wrong, cursor, rejects),
        }
    }

    /// Decodes the document at `place`, which is a record.
    fn decode_document(
        &mut self,
        chunk: &Chunk,
        place: Range<usize>,
        cursor: &mut Cursor,
    ) -> Result<(), Wrong> {
        let slots = self.tree.slots();
        let tokens = self.found.begin(slots);
        self.shapes.begin(&mut self.marks);
        let mut walk = Walk::new(
            trimmed(&chunk.bytes, &place),
            place.start,
            &mut self.tree,
            tokens,
            &mut self.marks,
        );
        if let Err(wrong) = walk.document() {
            self.found.cancel(slots);
            return Err(wrong);
        }
        self.shapes.learn(&chunk.bytes, place.clone(), &self.marks);
        self.found.keep(place, cursor);
        Ok(())
    }

    /// Looks through the document at `place` and enters the array of its records, if it holds one.
    fn enter(
        &mut self,
        chunk: &Chunk,
        place: Range<usize>,
        cursor: &mut Cursor,
    ) -> Result<(), Wrong> {
        let Some(tree) = &mut self.records else {
            return Ok(());
        };
        let mut tokens = [Token::default()];
        let mut marks = Marks::default();
        let bytes = trimmed(&chunk.bytes, &place);
        Walk::new(bytes, place.start, tree, &mut tokens, &mut marks).document()?;
        let [array] = tokens;
        if array.of(&chunk.bytes).starts_with(b"[") && array.kind == Kind::Nested {
            cursor.offset_bytes = array.start as usize + 1;
            cursor.document_end = place.end;
        }
        Ok(())
    }

    /// Decodes the next element of the array that was entered, or leaves the array. The document is well formed.
    fn decode_element(&mut self, chunk: &Chunk, cursor: &mut Cursor, rejects: &mut Vec<Reject>) {
        let bytes = chunk
            .bytes
            .get(..cursor.document_end)
            .unwrap_or(&chunk.bytes);
        let rest = bytes.get(cursor.offset_bytes..).unwrap_or_default();
        let blanks = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',');
        let start = cursor.offset_bytes + rest.iter().take_while(blanks).count();
        if matches!(bytes.get(start), Some(b']') | None) {
            cursor.offset_bytes = cursor.document_end;
            cursor.document_end = 0;
            return;
        }
        let slots = self.tree.slots();
        let tokens = self.found.begin(slots);
        let mut marks = Marks::default();
        let mut walk = Walk::new(bytes, start, &mut self.tree, tokens, &mut marks);
        match walk.record() {
            Ok(place) => {
                cursor.offset_bytes = place.end;
                self.found.keep(place, cursor);
            }
            Err(wrong) => {
                self.found.cancel(slots);
                let end = Walk::value_end(bytes, start);
                cursor.offset_bytes = end;
                push_reject(chunk, start..end, &wrong, cursor, rejects);
            }
        }
    }

    /// What is wrong with the document at `place` makes it a bad record, or the object unreadable.
    fn refuse(
        &self,
        chunk: &Chunk,
        place: Range<usize>,
        wrong: &Wrong,
        cursor: &mut Cursor,
        rejects: &mut Vec<Reject>,
    ) -> Result<(), Fault> {
        let is_record =
            self.records.is_none() && matches!(wrong, Wrong::Repeated { .. } | Wrong::NoRecord);
        if self.unit == Unit::Document && !is_record {
            return Err(Fault {
                offset: chunk.offset,
                reason: reason(chunk, place.start, wrong),
            });
        }
        push_reject(chunk, place, wrong, cursor, rejects);
        Ok(())
    }

    fn fill(&mut self, chunk: &Chunk, columns: &[Column], batch: &mut Batch) {
        for (number, (column, vector)) in columns.iter().zip(&mut batch.columns).enumerate() {
            let Some(slot) = self.slots.get(number).copied().flatten() else {
                columns::fill_constant(vector, column, &chunk.object, batch.rows);
                continue;
            };
            let cells = Slot {
                bytes: &chunk.bytes,
                tokens: &self.found.tokens,
                stride: self.tree.slots(),
                slot,
                rows: batch.rows,
            };
            columns::fill(column.form, vector, number, &cells, &mut self.bad);
        }
    }

    /// Notes the columns that any record has. Records that are bad by their values count: they have the key.
    fn note_met(&self, met: &mut [Met]) {
        for (met, slot) in met.iter_mut().zip(&self.slots) {
            met.is_there |= slot.is_none_or(|slot| {
                let tokens = self.found.tokens.iter().skip(slot);
                !met.is_there
                    && tokens
                        .step_by(self.tree.slots().max(1))
                        .any(|token| token.kind != Kind::Absent)
            });
        }
    }
}

/// One column's values in the good records of a batch.
struct Slot<'a> {
    bytes: &'a [u8],
    tokens: &'a [Token],
    stride: usize,
    slot: usize,
    rows: usize,
}

impl Cells for Slot<'_> {
    fn rows(&self) -> usize {
        self.rows
    }

    #[inline(always)]
    fn cell<'s>(
        &'s self,
        row: usize,
        scratch: &'s mut Vec<u8>,
    ) -> Result<Option<&'s [u8]>, Reason> {
        let Some(token) = self.tokens.get(row * self.stride + self.slot) else {
            return Ok(None);
        };
        let text = token.of(self.bytes);
        match token.kind {
            Kind::Absent | Kind::Null => Ok(None),
            Kind::Number if !scan::is_number(text) => Err(Reason::NotJsonNumber {
                found: shown(text, columns::SHOWN_CHARACTERS),
            }),
            Kind::Text | Kind::Number | Kind::Truth | Kind::Nested => Ok(Some(text)),
            Kind::Escaped => {
                scratch.clear();
                scan::unescape(text, scratch)?;
                Ok(Some(scratch))
            }
        }
    }
}

/// `bytes` up to the end of the document at `place`, without its line end: what is cut off there is not looked for in
/// the next line.
fn trimmed<'a>(bytes: &'a [u8], place: &Range<usize>) -> &'a [u8] {
    super::csv::trimmed(bytes.get(..place.end).unwrap_or(bytes))
}

fn push_reject(
    chunk: &Chunk,
    place: Range<usize>,
    wrong: &Wrong,
    cursor: &mut Cursor,
    rejects: &mut Vec<Reject>,
) {
    let reason = reason(chunk, place.start, wrong);
    let number = u32::try_from(cursor.record).unwrap_or(u32::MAX);
    rejects.push(columns::reject(chunk, number, place, None, reason));
    cursor.record += 1;
}

/// What is wrong with the record that starts at `start`, in words.
fn reason(chunk: &Chunk, start: usize, wrong: &Wrong) -> Reason {
    match wrong {
        Wrong::Syntax { expected, at } => {
            let rest = chunk.bytes.get(*at..).unwrap_or_default();
            Reason::Syntax {
                expected,
                found: match rest {
                    [] | [b'\n', ..] | [b'\r', b'\n', ..] => "the end of the document".into(),
                    _ => format!("{:?}", shown(rest, 1).trim_end_matches('…')),
                },
                at_bytes: at.saturating_sub(start),
            }
        }
        Wrong::Depth { at } => Reason::Depth {
            at_bytes: at.saturating_sub(start),
        },
        Wrong::Repeated { key } => {
            let key = chunk.bytes.get(key.clone()).unwrap_or_default();
            Reason::RepeatedKey(shown(key, columns::SHOWN_CHARACTERS))
        }
        Wrong::NoRecord => Reason::NoRecord,
    }
}
