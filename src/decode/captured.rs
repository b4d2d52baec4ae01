//! Lines of a capture (SPEC 6): the message of each, and what is known of it. What no stream of windrow wrote is a fault of the
//! object, whatever its messages hold is their own.

use std::borrow::Cow;

use super::json::unescaped;
use super::sheet::{Decoders, Sheet};
use super::{Chunk, Cursor, Fault, Reason, Reject};
use crate::digest::base64_decoded;
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
    /// Where in the line its value begins.
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
    #[must_use]
    pub fn number(line: &[u8]) -> Option<u64> {
        let mut reader = Reader { line, at_bytes: 0 };
        reader.number("{\"n\":", "").ok()
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
            self.before("}").map(|raw| (0, Cow::Borrowed(raw)))
        } else if self.accept(",\"text\":\"") {
            let raw = self.before("\"}");
            raw.and_then(unescaped).map(|text| (0, Cow::Owned(text)))
        } else if self.accept(",\"base64\":\"") {
            let raw = self.before("\"}");
            raw.and_then(base64_decoded)
                .map(|bytes| (0, Cow::Owned(bytes)))
        } else {
            None
        };
        let expected = "message, text or base64, and the line's end after it";
        let (_, content): (usize, _) = content.ok_or_else(|| self.malformed(expected))?;
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
    /// Where in it a line is that is none, and why; those before it are on the sheet.
    broken: Option<(usize, Reason)>,
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
            let at = usize::try_from(position - chunk.offset).unwrap_or(usize::MAX);
            cursor.offset_bytes = at;
            cursor.within = within;
            cursor.document_end = document_end;
            return Ok(());
        }
        (cursor.within, cursor.document_end) = (0, 0);
        // A line that is none is told of once the records before it are taken.
        cursor.offset_bytes = match &self.broken {
            Some((at, _)) => *at,
            None => chunk.bytes.len(),
        };
        Ok(())
    }

    /// No message is left.
    fn end(&self, chunk: &Chunk, cursor: &mut Cursor) -> Result<(), Fault> {
        cursor.offset_bytes = chunk.bytes.len();
        match &self.broken {
            None => Ok(()),
            Some((at, reason)) => Err(Fault {
                offset: chunk.offset + *at as u64,
                reason: reason.clone(),
            }),
        }
    }

    fn lay_out(&mut self, chunk: &Chunk) {
        self.sheet.clear();
        self.broken = None;
        let (mut start, mut number, mut before) = (0, 0_u32, None);
        for line in chunk.bytes.split_inclusive(|&byte| byte == b'\n') {
            let found = Line::read(line.strip_suffix(b"\n").unwrap_or(line));
            let found = found.and_then(|line| match before {
                Some(n) if line.head.n != n => Err(Malformed {
                    expected: "the number after that of the message before",
                    at_bytes: 0,
                }),
                Some(_) | None => Ok(line),
            });
            match found {
                Ok(found) => {
                    before = found.head.n.checked_add(1);
                    let position = chunk.offset + (start + found.at_bytes) as u64;
                    let Line { head, message, .. } = &found;
                    self.sheet
                        .push(*head, number, position, message, &chunk.object);
                }
                Err(malformed) => {
                    let found = crate::error::shown(
                        line.get(malformed.at_bytes..).unwrap_or_default(),
                        SHOWN,
                    );
                    let reason = Reason::Captured {
                        expected: malformed.expected,
                        at_bytes: malformed.at_bytes,
                        found,
                    };
                    self.broken = Some((start, reason));
                    return;
                }
            }
            start += line.len();
            number += 1;
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

    pub(super) fn saw_value(&self, index: usize) -> bool {
        self.decoders.saw_value(index)
    }
}

/// Characters of a broken line that an error shows.
const SHOWN: usize = 40;
