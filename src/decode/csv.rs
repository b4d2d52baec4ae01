//! CSV (RFC 4180, SPEC 4): where records and fields end, what makes a record bad, and a chunk into columns.
//!
//! A quote opens a field only as its first byte. Elsewhere in an unquoted field it makes the record bad and changes
//! nothing else; text after a closing quote makes the record bad, and the rest of that field is read as unquoted; a
//! carriage return outside quotes that no line feed follows makes the record bad and ends nothing. So a bad record
//! ends at the next line feed outside quotes, and reading goes on right after it.

use std::ops::Range;

use super::columns::{self, Bad, Cells};
use super::scan::{BLOCK, equal, prefix_xor};
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

/// Where a scan stands between two bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    /// At the start of a field.
    #[default]
    FieldStart,
    /// Inside an unquoted field, or behind a closed one.
    Unquoted,
    /// Inside quotes.
    Quoted,
    /// Right after a quote inside quotes: it closed them, unless another follows.
    Closed,
    /// Right after a carriage return outside quotes.
    Returned,
}

/// What one step of a scan met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Met {
    /// Nothing that ends a field.
    Inside,
    /// A delimiter or line end, as it should be.
    End,
    /// What makes the record bad; it may be the end of a field too, as the state says.
    Wrong(Wrong),
}

/// What makes a record bad, whatever its columns are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    QuoteInField,
    TextAfterQuote,
    LoneCarriageReturn,
}

impl State {
    /// The state after `byte`. A field has ended where it is `FieldStart`.
    fn step(self, byte: u8, delimiter: u8) -> (Self, Met) {
        if self == State::Quoted {
            let next = if byte == b'"' { State::Closed } else { self };
            return (next, Met::Inside);
        }
        let wrong = match self {
            State::Returned if byte != b'\n' => Some(Wrong::LoneCarriageReturn),
            State::Closed if ![delimiter, b'\n', b'\r', b'"'].contains(&byte) => {
                Some(Wrong::TextAfterQuote)
            }
            State::Unquoted if byte == b'"' => Some(Wrong::QuoteInField),
            State::FieldStart
            | State::Unquoted
            | State::Quoted
            | State::Closed
            | State::Returned => None,
        };
        let next = match byte {
            b'"' if wrong.is_none() => State::Quoted,
            b'\r' => State::Returned,
            _ if byte == delimiter || byte == b'\n' => State::FieldStart,
            _ => State::Unquoted,
        };
        let met = match wrong {
            Some(wrong) => Met::Wrong(wrong),
            None if next == State::FieldStart => Met::End,
            None => Met::Inside,
        };
        (next, met)
    }
}

/// What a stretch of at most 64 bytes holds: bit `i` is about byte `i`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// Ends of fields: delimiters and line feeds outside quotes.
    pub(super) ends: u64,
    /// Ends of records among them.
    pub(super) lines: u64,
    /// Bytes that make their record bad.
    wrong: u64,
}

/// Scans bytes in order, 64 at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine {
    pub(super) delimiter: u8,
    pub(super) state: State,
}

impl Machine {
    /// At the start of a record.
    pub(super) fn new(delimiter: u8) -> Self {
        Self {
            delimiter,
            state: State::FieldStart,
        }
    }

    /// Scans a block that has neither quote nor carriage return, outside quotes.
    #[inline(always)]
    fn plain(self, block: &[u8; BLOCK]) -> Marks {
        let lines = equal(block, b'\n');
        Marks {
            ends: equal(block, self.delimiter) | lines,
            lines,
            wrong: 0,
        }
    }

    /// Scans any block. Quotes are taken in pairs, which is right as long as each stands where a field starts or
    /// ends; where one does not, the block is scanned again byte by byte.
    #[inline(always)]
    pub(super) fn block(&mut self, block: &[u8; BLOCK]) -> Marks {
        let after = |state| u64::from(self.state == state);
        let quotes = equal(block, b'"');
        let inside = prefix_xor(quotes) ^ if self.state == State::Quoted { !0 } else { 0 };
        let lines = equal(block, b'\n') & !inside;
        let ends = (equal(block, self.delimiter) & !inside) | lines;
        let returns = equal(block, b'\r') & !inside;
        let opening = quotes & inside;
        let closing = quotes & !inside;
        let after_closing = closing << 1 | after(State::Closed);
        let at_start = ends << 1 | after(State::FieldStart) | after_closing;
        if opening & !at_start != 0 || after_closing & !(ends | returns | quotes) != 0 {
            return self.bytes(block);
        }
        let wrong = (returns << 1 | after(State::Returned)) & !lines;
        let at_end = |mask: u64| mask >> (BLOCK - 1) != 0;
        self.state = if at_end(inside) {
            State::Quoted
        } else if at_end(closing) {
            State::Closed
        } else if at_end(ends) {
            State::FieldStart
        } else if at_end(returns) {
            State::Returned
        } else {
            State::Unquoted
        };
        Marks { ends, lines, wrong }
    }

    /// Scans at most 64 bytes one by one.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Marks {
        let mut marks = Marks::default();
        for (at, &byte) in bytes.iter().take(BLOCK).enumerate() {
            let (state, met) = self.state.step(byte, self.delimiter);
            self.state = state;
            let bit = 1 << at;
            if matches!(met, Met::Wrong(_)) {
                marks.wrong |= bit;
            }
            if state == State::FieldStart {
                marks.ends |= bit;
                if byte == b'\n' {
                    marks.lines |= bit;
                }
            }
        }
        marks
    }

    /// Scans `bytes` and returns where the last record in them ends, if one does.
    pub(super) fn last_line(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut last = None;
        let mut note = |at: usize, lines: u64| {
            if let Some(bit) = lines.checked_ilog2() {
                last = Some(at + bit as usize + 1);
            }
        };
        let (blocks, tail) = bytes.as_chunks::<BLOCK>();
        for (index, block) in blocks.iter().enumerate() {
            note(index * BLOCK, self.block(block).lines);
        }
        note(blocks.len() * BLOCK, self.bytes(tail).lines);
        last
    }
}

/// Where the first record of `bytes` ends, right after its line feed; `None` where it does not end.
pub(super) fn first_line(bytes: &[u8], delimiter: u8) -> Option<usize> {
    let mut state = State::FieldStart;
    bytes
        .iter()
        .position(|&byte| {
            (state, _) = state.step(byte, delimiter);
            byte == b'\n' && state == State::FieldStart
        })
        .map(|at| at + 1)
}

/// `record` without its line end.
pub(super) fn trimmed(record: &[u8]) -> &[u8] {
    let record = record.strip_suffix(b"\n").unwrap_or(record);
    record.strip_suffix(b"\r").unwrap_or(record)
}

/// The fields of `record`, which ends with its line end, unquoted; or what makes it bad.
pub(super) fn split(record: &[u8], delimiter: u8) -> Result<Vec<Vec<u8>>, Reason> {
    let mut fields = Vec::new();
    let mut scratch = Vec::new();
    let mut start = 0;
    let mut state = State::FieldStart;
    for (at, &byte) in record.iter().enumerate() {
        let met;
        (state, met) = state.step(byte, delimiter);
        if let Met::Wrong(wrong) = met {
            return Err(wrong.into());
        }
        if state == State::FieldStart {
            let field = record.get(start..at).unwrap_or_default();
            let field = if byte == b'\n' { trimmed(field) } else { field };
            fields.push(unquoted(field, &mut scratch).to_vec());
            start = at + 1;
        }
    }
    Ok(fields)
}

/// How many fields `record` has, whatever is wrong with it.
pub(super) fn count(record: &[u8], delimiter: u8) -> u32 {
    let mut machine = Machine::new(delimiter);
    record
        .chunks(BLOCK)
        .map(|bytes| machine.bytes(bytes).ends.count_ones())
        .sum()
}

/// The text of a well-formed field: without its quotes, doubled quotes single (in `scratch`, where there are any).
#[inline]
fn unquoted<'a>(field: &'a [u8], scratch: &'a mut Vec<u8>) -> &'a [u8] {
    let Some(inner) = field
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""))
    else {
        return field;
    };
    let Some(mut at) = memchr::memchr(b'"', inner) else {
        return inner;
    };
    scratch.clear();
    let mut rest = inner;
    loop {
        // The quote at `at` is kept, its double behind it dropped.
        scratch.extend_from_slice(rest.get(..=at).unwrap_or_default());
        rest = rest.get(at + 2..).unwrap_or_default();
        match memchr::memchr(b'"', rest) {
            Some(next) => at = next,
            None => break,
        }
    }
    scratch.extend_from_slice(rest);
    scratch
}

impl From<Wrong> for Reason {
    fn from(wrong: Wrong) -> Self {
        match wrong {
            Wrong::QuoteInField => Reason::QuoteInField,
            Wrong::TextAfterQuote => Reason::TextAfterQuote,
            Wrong::LoneCarriageReturn => Reason::LoneCarriageReturn,
        }
    }
}

/// Room for ends of fields that a reader has from the start.
const FEWEST_ENDS: usize = 4 * BLOCK;

/// Reads the records of chunks.
#[derive(Debug)]
pub(super) struct Reader {
    delimiter: u8,
    null: Option<Vec<u8>>,
    fields: Fields,
    bad: Vec<Bad>,
}

/// Where the fields of a few thousand records end.
#[derive(Debug, Default)]
struct Fields {
    /// One past the last byte of each field, all records after each other; before them, one less than the start of
    /// the first field (wrapping). So the field behind end `i` is `ends[i] + 1 .. ends[i + 1]`. Longer than `length`.
    ends: Vec<u32>,
    /// How many of `ends` are meant.
    length: usize,
    /// Records that the scan saw the end of, blank lines among them.
    lines: usize,
    /// Records that have too many fields, by the index in `ends` before them: how many were counted and not kept.
    dropped: Vec<(usize, usize)>,
    /// Bytes that make their record bad, rising.
    wrong: Vec<u32>,
    /// For each record with the right number of fields and nothing wrong: the index in `ends` before its fields.
    good: Vec<u32>,
    /// For each of those, its number in the chunk.
    records: Vec<u32>,
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

impl Fields {
    /// Finds the ends of fields from `start` on, up to the end of the `max_rows`-th record.
    fn scan(&mut self, chunk: &Chunk, start: usize, delimiter: u8, max_rows: usize) {
        self.length = 0;
        self.lines = 0;
        self.dropped.clear();
        self.wrong.clear();
        if self.ends.len() < FEWEST_ENDS {
            self.ends.resize(FEWEST_ENDS, 0);
        }
        if let Some(first) = self.ends.first_mut() {
            *first = narrow(start).wrapping_sub(1);
            self.length = 1;
        }
        let mut machine = Machine::new(delimiter);
        if chunk.seen == Seen::default() {
            self.scan_blocks(chunk, start, max_rows, &mut machine, |machine, block| {
                machine.plain(block)
            });
        } else {
            self.scan_blocks(chunk, start, max_rows, &mut machine, Machine::block);
        }
        self.cut(&chunk.bytes, max_rows);
    }

    #[inline(always)]
    fn scan_blocks(
        &mut self,
        chunk: &Chunk,
        start: usize,
        max_rows: usize,
        machine: &mut Machine,
        marks: impl Fn(&mut Machine, &[u8; BLOCK]) -> Marks,
    ) {
        let bytes = chunk.bytes.get(start..).unwrap_or_default();
        let (blocks, tail) = bytes.as_chunks::<BLOCK>();
        let mut base = narrow(start);
        for block in blocks {
            self.take(chunk, base, marks(machine, block));
            if self.lines >= max_rows {
                return;
            }
            base = base.wrapping_add(64);
        }
        self.take(chunk, base, machine.bytes(tail));
    }

    /// Notes what `marks` says of the 64 bytes from `base` on.
    #[inline(always)]
    fn take(&mut self, chunk: &Chunk, base: u32, marks: Marks) {
        if self.ends.len() - self.length < BLOCK {
            self.make_room(chunk);
        }
        if marks.wrong != 0 {
            let bits = (0..64_u32).filter(|bit| marks.wrong >> bit & 1 != 0);
            self.wrong.extend(bits.map(|bit| base + bit));
        }
        self.lines += marks.lines.count_ones() as usize;
        let slots = self.ends.get_mut(self.length..).unwrap_or_default();
        let (groups, _) = slots.as_chunks_mut::<8>();
        let mut left = marks.ends;
        // Eight at a time whether there are as many or not: what is past the count is written over later.
        for group in groups {
            for slot in group {
                *slot = base.wrapping_add(left.trailing_zeros());
                left &= left.wrapping_sub(1);
            }
            if left == 0 {
                break;
            }
        }
        self.length += marks.ends.count_ones() as usize;
    }

    /// Makes room for 64 more ends. Those of a record that has too many anyway are dropped but for their number, so
    /// that no record takes more room than the header's.
    #[cold]
    fn make_room(&mut self, chunk: &Chunk) {
        let first = (1..self.length)
            .rev()
            .find(|&index| self.ends_line(index, &chunk.bytes))
            .unwrap_or(0);
        let keep = first + chunk.layout.fields as usize + 2;
        if let Some(more) = self.length.checked_sub(keep) {
            self.dropped.push((first, more));
            self.length = keep;
        }
        if self.ends.len() - self.length < self.ends.len() / 2 {
            self.ends.resize(2 * self.ends.len(), 0);
        }
    }

    /// Drops what is behind the end of the `max_rows`-th record.
    fn cut(&mut self, bytes: &[u8], max_rows: usize) {
        while self.length > 1 {
            if self.ends_line(self.length - 1, bytes) {
                if self.lines <= max_rows {
                    break;
                }
                self.lines -= 1;
            }
            self.length -= 1;
        }
        if !self.wrong.is_empty() {
            let end = self.end();
            self.wrong.retain(|&wrong| (wrong as usize) < end);
        }
    }

    /// Whether the end at `index` is that of a record.
    #[inline(always)]
    fn ends_line(&self, index: usize, bytes: &[u8]) -> bool {
        self.ends
            .get(index)
            .and_then(|&end| bytes.get(end as usize))
            == Some(&b'\n')
    }

    /// Where in the chunk the last record ends, its line end included.
    fn end(&self) -> usize {
        self.start(self.length.saturating_sub(1))
    }

    /// Where the field behind the end at `index` starts.
    fn start(&self, index: usize) -> usize {
        let end = self.ends.get(index).copied().unwrap_or_default();
        end.wrapping_add(1) as usize
    }

    /// Takes all records, if nothing is wrong with any: each has as many fields as it should.
    fn take_regular(&mut self, bytes: &[u8], width: u32, cursor: &mut Cursor) -> bool {
        let width = width as usize;
        if !self.wrong.is_empty()
            || !self.dropped.is_empty()
            || self.length - 1 != self.lines * width
        {
            return false;
        }
        // As many line ends as records, one in each place: so there is none in any other.
        let all = (1..=self.lines).all(|record| self.ends_line(record * width, bytes));
        if all {
            let first = narrow_record(cursor.record);
            self.good.clear();
            self.good
                .extend((0..self.lines).map(|record| narrow(record * width)));
            self.records.clear();
            self.records.extend((first..).take(self.lines));
            cursor.record += self.lines as u64;
        }
        all
    }

    /// Takes the good records and rejects the others, one by one.
    fn take_one_by_one(
        &mut self,
        chunk: &Chunk,
        delimiter: u8,
        cursor: &mut Cursor,
        rejects: &mut Vec<Reject>,
    ) {
        self.good.clear();
        self.records.clear();
        let width = chunk.layout.fields;
        let mut wrong = self.wrong.iter().peekable();
        let mut dropped = self.dropped.iter().peekable();
        let mut first = 0;
        for index in 1..self.length {
            if !self.ends_line(index, &chunk.bytes) {
                continue;
            }
            let record = self.start(first)..self.start(index);
            let mut found = (index - first) as u64;
            while let Some((_, more)) = dropped.next_if(|(at, _)| *at == first) {
                found += *more as u64;
            }
            let mut is_wrong = false;
            while wrong.next_if(|&&at| (at as usize) < record.end).is_some() {
                is_wrong = true;
            }
            let bytes = chunk.bytes.get(record.clone()).unwrap_or_default();
            let reason = if is_wrong {
                split(bytes, delimiter).err()
            } else if width != 1 && trimmed(bytes).is_empty() {
                first = index;
                continue;
            } else if found != u64::from(width) {
                Some(Reason::FieldCount {
                    expected: width,
                    found,
                })
            } else {
                None
            };
            let number = narrow_record(cursor.record);
            match reason {
                None => {
                    self.good.push(narrow(first));
                    self.records.push(number);
                }
                Some(reason) => {
                    rejects.push(columns::reject(chunk, number, record, None, reason));
                }
            }
            cursor.record += 1;
            first = index;
        }
    }

    /// Says where the good records stand.
    fn place(&self, chunk: &Chunk, batch: &mut Batch) {
        batch.rows = self.good.len();
        batch.offsets.extend(
            self.good
                .iter()
                .map(|&first| chunk.offset + self.start(first as usize) as u64),
        );
        batch.records.extend_from_slice(&self.records);
    }

    /// Where in the chunk good record `row` is.
    fn raw(&self, row: usize, width: u32) -> Range<usize> {
        let first = self.good.get(row).copied().unwrap_or_default();
        self.start(first as usize)..self.start(first as usize + width as usize)
    }
}

/// An offset in a chunk, which is far smaller than 4 GiB.
fn narrow(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

/// A record's number in a chunk, which has fewer records than bytes.
fn narrow_record(record: u64) -> u32 {
    u32::try_from(record).unwrap_or(u32::MAX)
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
        Ok(self.0.unless_null(unquoted(raw, scratch)))
    }
}
