//! Where the fields of a few thousand records end, and which of the records are good.

use std::ops::Range;

use super::super::columns;
use super::super::scan::BLOCK;
use super::super::{Chunk, Cursor, Reason, Reject, Seen};
use super::machine::{Machine, Marks, split, trimmed};
use crate::value::vector::Batch;

/// Room for ends of fields that there is from the start.
const FEWEST_ENDS: usize = 4 * BLOCK;

/// Where the fields of a few thousand records end.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// One past the last byte of each field, all records after each other; before them, one less than the start of
    /// the first field (wrapping). So the field behind end `i` is `ends[i] + 1 .. ends[i + 1]`. Longer than `length`.
    pub(super) ends: Vec<u32>,
    /// How many of `ends` are meant.
    length: usize,
    /// Records that the scan saw the end of, blank lines among them.
    pub(super) lines: usize,
    /// Records that have too many fields, by the index in `ends` before them: how many were counted and not kept.
    dropped: Vec<(usize, usize)>,
    /// Bytes that make their record bad, rising.
    wrong: Vec<u32>,
    /// For each record with the right number of fields and nothing wrong: the index in `ends` before its fields.
    pub(super) good: Vec<u32>,
    /// For each of those, its number in the chunk.
    records: Vec<u32>,
}

impl Fields {
    /// Finds the ends of fields from `start` on, up to the end of the `max_rows`-th record.
    pub(super) fn scan(&mut self, chunk: &Chunk, start: usize, delimiter: u8, max_rows: usize) {
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
    pub(super) fn end(&self) -> usize {
        self.start(self.length.saturating_sub(1))
    }

    /// Where the field behind the end at `index` starts.
    fn start(&self, index: usize) -> usize {
        let end = self.ends.get(index).copied().unwrap_or_default();
        end.wrapping_add(1) as usize
    }

    /// Takes all records, if nothing is wrong with any: each has as many fields as it should.
    pub(super) fn take_regular(&mut self, bytes: &[u8], width: u32, cursor: &mut Cursor) -> bool {
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
    pub(super) fn take_one_by_one(
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
    pub(super) fn place(&self, chunk: &Chunk, batch: &mut Batch) {
        batch.rows = self.good.len();
        batch.offsets.extend(
            self.good
                .iter()
                .map(|&first| chunk.offset + self.start(first as usize) as u64),
        );
        batch.records.extend_from_slice(&self.records);
    }

    /// Where in the chunk good record `row` is.
    pub(super) fn raw(&self, row: usize, width: u32) -> Range<usize> {
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
