//! Lines of a capture (SPEC 6): the message of each, and what is known of it. What no stream of windrow wrote is a fault of the
//! object, whatever its messages hold is their own.

use std::borrow::Cow;

use super::columns::SHOWN_CHARACTERS;
use super::json::unescaped;
use super::sheet::{Decoders, Sheet};
use super::{Chunk, Cursor, Fault, Met, Reason, Reject};
use crate::digest::base64_decoded;
use crate::error::shown;
use crate::limits::RECORD_BYTES;
use crate::message::Head;
use crate::value::column::{Column, Path};
use crate::value::timestamp;
use crate::value::vector::Batch;

/// One line of a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// What is known of the message.
    pub head: Head,
    /// The message as it was received.
    pub message: Cow<'a, [u8]>,
    /// Where its value begins in the line, or in the chunk of [`Lines`].
    at_bytes: usize,
}

/// What is wrong with a line that no stream of windrow wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// What was expected.
    pub expected: &'static str,
    /// Where in the line, in bytes.
    pub at_bytes: usize,
}

impl<'a> Line<'a> {
    /// What `line` holds, its end left out.
    ///
    /// # Errors
    /// Where it is not what a stream writes, byte for byte around the message.
    pub fn read(line: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader { line, at_bytes: 0 };
        let n = reader.number("{\"n\":", "the message's number")?;
        reader.literal(",\"received_at\":\"", "received_at")?;
        let time = reader.until(b'"', "the time of receipt")?;
        let received_at_us = timestamp::parse(time)
            .map_err(|_| reader.malformed("a time such as 2026-01-31T23:59:00.000000Z"))?;
        let feed = reader.number("\",\"feed\":", "the feed's number")?;
        let connection = reader.number(",\"connection\":", "the connection's number")?;
        let narrow = |number| {
            let expected = "a number below 4294967296";
            u32::try_from(number).map_err(|_| reader.malformed(expected))
        };
        let head = Head {
            n,
            received_at_us,
            feed: narrow(feed)?,
            connection: narrow(connection)?,
        };
        let (at_bytes, message) = reader.message()?;
        Ok(Self {
            head,
            message,
            at_bytes,
        })
    }

    /// The number of a line's message, as far as it is the line of one.
    fn number(line: &[u8]) -> Option<u64> {
        let mut reader = Reader { line, at_bytes: 0 };
        reader.number("{\"n\":", "").ok()
    }
}

/// The lines of a chunk of a capture, up to the first that is none: numbers rise by one.
#[derive(Clone, Debug)]
pub struct Lines<'a> {
    chunk: &'a Chunk,
    /// Where the next line starts; `None` after one that was none.
    at: Option<usize>,
    number: Option<u64>,
}

impl<'a> Lines<'a> {
    /// Those of `chunk`.
    #[must_use]
    pub fn of(chunk: &'a Chunk) -> Self {
        Self {
            chunk,
            at: Some(0),
            number: None,
        }
    }

    fn read(&self, line: &'a [u8]) -> Result<Line<'a>, Malformed> {
        let found = Line::read(line)?;
        match self.number {
            Some(number) if found.head.n != number => Err(Malformed {
                expected: NEXT_NUMBER,
                at_bytes: 0,
            }),
            Some(_) | None => Ok(found),
        }
    }

    fn fault<T>(&mut self, at: usize, reason: Reason) -> Option<Result<T, Fault>> {
        self.at = None;
        let offset = self.chunk.offset + at as u64;
        Some(Err(Fault { offset, reason }))
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Result<Line<'a>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.at?;
        if self.chunk.oversize.is_some() {
            return self.fault(at, Reason::RecordTooLong);
        }
        let rest = self.chunk.bytes.get(at..).filter(|rest| !rest.is_empty())?;
        let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let line = rest.get(..length).unwrap_or(rest);
        match self.read(line) {
            Ok(mut found) => {
                found.at_bytes += at;
                self.number = found.head.n.checked_add(1);
                self.at = Some(at + length + 1);
                Some(Ok(found))
            }
            Err(malformed) => self.fault(at, malformed.reason(line)),
        }
    }
}

/// Follows the numbers of messages from chunk to chunk: within one capture they rise by one from 1 (SPEC 6).
#[derive(Clone, Copy, Debug)]
pub struct Numbering {
    /// What the next number is; `None` where that is not known yet.
    next: Option<u64>,
}

/// What a line's number is to be.
const NEXT_NUMBER: &str = "the number after that of the message before it, from 1 in each capture";

impl Default for Numbering {
    fn default() -> Self {
        Self { next: Some(1) }
    }
}

impl Numbering {
    /// The same where `inputs` were not looked at: the first number may be any.
    #[must_use]
    pub fn after(self, inputs: usize) -> Self {
        Self {
            next: self.next.filter(|_| inputs == 0),
        }
    }

    /// Looks at the ends of the next chunk; `begins` where it may be the first of another capture.
    ///
    /// # Errors
    /// The first message is not the next one. Within the chunk, [`Lines`] sees to that.
    pub fn follow(&mut self, chunk: &Chunk, begins: bool) -> Result<(), Fault> {
        let bytes = chunk.bytes.strip_suffix(b"\n").unwrap_or(&chunk.bytes);
        if let Some(first) = Line::number(bytes)
            && self.next.is_some_and(|next| first != next)
            && !(begins && first == 1)
        {
            let malformed = Malformed {
                expected: NEXT_NUMBER,
                at_bytes: 0,
            };
            return Err(Fault {
                offset: chunk.offset,
                reason: malformed.reason(bytes),
            });
        }
        let start = memchr::memrchr(b'\n', bytes).map_or(0, |at| at + 1);
        let last = bytes.get(start..).and_then(Line::number);
        self.next = last.or(self.next).map(|last| last.saturating_add(1));
        Ok(())
    }
}

impl Malformed {
    fn reason(&self, line: &[u8]) -> Reason {
        let found = line.get(self.at_bytes..).unwrap_or_default();
        Reason::Captured {
            expected: self.expected,
            at_bytes: self.at_bytes,
            found: shown(found, SHOWN_CHARACTERS),
        }
    }
}

struct Reader<'a> {
    line: &'a [u8],
    at_bytes: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a [u8] {
        self.line.get(self.at_bytes..).unwrap_or_default()
    }

    fn malformed(&self, expected: &'static str) -> Malformed {
        Malformed {
            expected,
            at_bytes: self.at_bytes,
        }
    }

    fn accept(&mut self, literal: &str) -> bool {
        let found = self.rest().starts_with(literal.as_bytes());
        if found {
            self.at_bytes += literal.len();
        }
        found
    }

    fn literal(&mut self, literal: &str, expected: &'static str) -> Result<(), Malformed> {
        match self.accept(literal) {
            true => Ok(()),
            false => Err(self.malformed(expected)),
        }
    }

    fn until(&mut self, end: u8, expected: &'static str) -> Result<&'a [u8], Malformed> {
        let rest = self.rest();
        let length = rest.iter().position(|&byte| byte == end);
        let length = length.ok_or_else(|| self.malformed(expected))?;
        self.at_bytes += length;
        Ok(rest.get(..length).unwrap_or_default())
    }

    fn number(&mut self, before: &str, expected: &'static str) -> Result<u64, Malformed> {
        self.literal(before, expected)?;
        let (mut number, mut length) = (Some(0_u64), 0);
        for digit in self.rest().iter().take_while(|byte| byte.is_ascii_digit()) {
            let digit = u64::from(digit - b'0');
            number = number.and_then(|number| number.checked_mul(10)?.checked_add(digit));
            length += 1;
        }
        let number = number.filter(|_| length > 0);
        let number = number.ok_or_else(|| self.malformed(expected))?;
        self.at_bytes += length;
        Ok(number)
    }

    /// The rest of the line: where the message's value begins, and the message.
    fn message(&mut self) -> Result<(usize, Cow<'a, [u8]>), Malformed> {
        let content = if self.accept(",\"message\":") {
            self.before("}").map(Cow::Borrowed)
        } else if self.accept(",\"text\":\"") {
            self.before("\"}").and_then(unescaped).map(Cow::Owned)
        } else if self.accept(",\"base64\":\"") {
            self.before("\"}").and_then(base64_decoded).map(Cow::Owned)
        } else {
            None
        };
        let expected = "message, text or base64, and the line's end after it";
        let content = content.ok_or_else(|| self.malformed(expected))?;
        if content.len() > RECORD_BYTES {
            return Err(self.malformed("a message of at most 16 MiB"));
        }
        Ok((self.at_bytes, content))
    }

    /// What stands before the `end` of the line.
    fn before(&self, end: &str) -> Option<&'a [u8]> {
        self.rest().strip_suffix(end.as_bytes())
    }
}

/// Reads the records of captured messages, which are records like any other: by their place in the object.
#[derive(Debug)]
pub(super) struct Captured {
    decoders: Decoders,
    sheet: Sheet,
    /// Which chunk the sheet holds.
    of: Option<(u32, u64)>,
    /// The line of it that is none; those before it are on the sheet.
    broken: Option<Fault>,
    messages: Vec<u32>,
}

impl Captured {
    pub(super) fn new(columns: &[Column], records: Option<&Path>) -> Self {
        Self {
            decoders: Decoders::new(columns, records),
            sheet: Sheet::default(),
            of: None,
            broken: None,
            messages: Vec::new(),
        }
    }

    /// As [`super::Decoder::decode`].
    pub(super) fn decode(
        &mut self,
        chunk: &Chunk,
        cursor: &mut Cursor,
        max_rows: usize,
        batch: &mut Batch,
        rejects: &mut Vec<Reject>,
    ) -> Result<(), Fault> {
        if self.of != Some((chunk.input, chunk.offset)) {
            self.lay_out(chunk);
            self.of = Some((chunk.input, chunk.offset));
        }
        let from = chunk.offset + cursor.offset_bytes as u64;
        let Some((index, message)) = self.sheet.from(from) else {
            return self.end(chunk, cursor);
        };
        let Some(stretch) = self.sheet.stretches().get(index) else {
            return self.end(chunk, cursor);
        };
        let mut inner = stretch.cursor(message, cursor.within, cursor.document_end, cursor.record);
        self.decoders.decode(
            stretch,
            &mut inner,
            max_rows,
            batch,
            &mut self.messages,
            rejects,
        );
        batch.input = chunk.input;
        cursor.record = inner.record;
        let next = match stretch.is_done(&inner) {
            true => {
                let next = self.sheet.stretches().get(index + 1);
                let next = next.and_then(|next| next.placed().first());
                next.map(|placed| (placed.position, 0, 0))
            }
            false => stretch
                .stands(&inner)
                .map(|(placed, within, end)| (placed.position, within, end)),
        };
        if let Some((position, within, document_end)) = next {
            cursor.offset_bytes = place_in(chunk, position);
            cursor.within = within;
            cursor.document_end = document_end;
            return Ok(());
        }
        (cursor.within, cursor.document_end) = (0, 0);
        // A line that is none is told of once the records before it are taken.
        cursor.offset_bytes = match &self.broken {
            Some(fault) => place_in(chunk, fault.offset),
            None => chunk.bytes.len(),
        };
        Ok(())
    }

    /// No message is left.
    fn end(&self, chunk: &Chunk, cursor: &mut Cursor) -> Result<(), Fault> {
        cursor.offset_bytes = chunk.bytes.len();
        match &self.broken {
            None => Ok(()),
            Some(fault) => Err(fault.clone()),
        }
    }

    fn lay_out(&mut self, chunk: &Chunk) {
        self.sheet.clear();
        self.broken = None;
        for (number, line) in (0..).zip(Lines::of(chunk)) {
            match line {
                Ok(line) => {
                    let position = chunk.offset + line.at_bytes as u64;
                    let Line { head, message, .. } = &line;
                    self.sheet
                        .push(*head, number, position, message, &chunk.object);
                }
                Err(fault) => self.broken = Some(fault),
            }
        }
    }

    /// The bytes of a bad record.
    pub(super) fn raw(&self, reject: &Reject) -> &[u8] {
        let held = self.sheet.holding(reject.offset);
        held.map_or(&[], |(stretch, _)| stretch.raw(reject))
    }

    /// The bytes of the record that begins at `offset` in the object.
    pub(super) fn record_at(&self, offset: u64) -> &[u8] {
        let held = self.sheet.holding(offset);
        held.map_or(&[], |(stretch, placed)| {
            self.decoders.record_at(stretch, &placed, offset)
        })
    }

    /// What was met of each column so far.
    pub(super) fn met(&self) -> impl Iterator<Item = Met> {
        self.decoders.met()
    }
}

/// Where in the chunk the byte at `offset` of the object is.
fn place_in(chunk: &Chunk, offset: u64) -> usize {
    let place = offset.saturating_sub(chunk.offset);
    usize::try_from(place).unwrap_or(usize::MAX)
}
