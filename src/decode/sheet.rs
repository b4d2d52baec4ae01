//! Messages laid out for the decoders of objects (SPEC 4 and 6): as NDJSON, many at a time, since almost every message is
//! one line of JSON; what is not, such as a document over several lines, alone. Nothing that a message holds is a fault
//! of more than that message.

use std::sync::Arc;

use super::{Chunk, Cursor, Decoder, Format, Met, Reason, Reject, Seen};
use crate::message::Head;
use crate::value::column::{Column, Path, Source};
use crate::value::vector::{Batch, Data, Vector};

/// Messages in their order, cut where one cannot stand on a line among others.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    stretches: Vec<Stretch>,
    /// Room of one that is done with.
    spare: Option<(Vec<u8>, Vec<Placed>)>,
}

/// Messages that are decoded together. Invariant: holds at least one; a document stands alone.
#[derive(Debug)]
pub(super) struct Stretch {
    /// Their bytes, a line end after each that is no document. Its offset is 0: places in it are places in its bytes.
    chunk: Chunk,
    placed: Vec<Placed>,
    is_document: bool,
}

/// A message of a sheet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    pub(super) head: Head,
    /// Its place among the messages of the sheet, from 0.
    pub(super) number: u32,
    /// Where it starts in its stretch.
    start: usize,
    /// What its first byte is to be counted as. Invariant: rises from message to message by more than its bytes.
    pub(super) position: u64,
}

impl Placed {
    /// What the byte at `place` of the stretch is counted as.
    fn position_of(&self, place: u64) -> u64 {
        let start = u64::try_from(self.start).unwrap_or(u64::MAX);
        self.position.saturating_add(place.saturating_sub(start))
    }

    /// Where in the stretch the byte is that is counted as `position`.
    fn place_of(&self, position: u64) -> usize {
        let into = position.saturating_sub(self.position);
        self.start
            .saturating_add(usize::try_from(into).unwrap_or(usize::MAX))
    }
}

impl Sheet {
    /// Takes all messages off; some of the room stays.
    pub(super) fn clear(&mut self) {
        if let Some(stretch) = self.stretches.drain(..).next() {
            let Stretch {
                chunk, mut placed, ..
            } = stretch;
            let mut bytes = chunk.bytes;
            bytes.clear();
            placed.clear();
            self.spare = Some((bytes, placed));
        }
    }

    /// Appends a message whose first byte is counted as `position`; `object` is what `@object` says of it.
    pub(super) fn push(
        &mut self,
        head: Head,
        number: u32,
        position: u64,
        message: &[u8],
        object: &Arc<str>,
    ) {
        let is_document = !is_line(message);
        match self.stretches.last_mut() {
            Some(last) if !is_document && !last.is_document => {
                last.push(head, number, position, message);
            }
            Some(_) | None => {
                let (bytes, placed) = self.spare.take().unwrap_or_default();
                let mut stretch = Stretch::new(bytes, placed, is_document, object);
                stretch.push(head, number, position, message);
                self.stretches.push(stretch);
            }
        }
    }

    pub(super) fn stretches(&self) -> &[Stretch] {
        &self.stretches
    }

    /// The first message that is counted from `position` on: its stretch, and its place there.
    pub(super) fn from(&self, position: u64) -> Option<(usize, usize)> {
        let is_before = |stretch: &Stretch| {
            let last = stretch.placed.last();
            last.is_some_and(|last| last.position < position)
        };
        let stretch = self.stretches.partition_point(is_before);
        let placed = &self.stretches.get(stretch)?.placed;
        let message = placed.partition_point(|one| one.position < position);
        Some((stretch, message))
    }

    /// The stretch and the message that hold the byte counted as `position`.
    pub(super) fn holding(&self, position: u64) -> Option<(&Stretch, Placed)> {
        let starts = |stretch: &Stretch| {
            let first = stretch.placed.first();
            first.is_some_and(|first| first.position <= position)
        };
        let after = self.stretches.partition_point(starts);
        let stretch = self.stretches.get(after.checked_sub(1)?)?;
        let after = stretch
            .placed
            .partition_point(|one| one.position <= position);
        let placed = stretch.placed.get(after.checked_sub(1)?)?;
        Some((stretch, *placed))
    }
}

impl Stretch {
    fn new(bytes: Vec<u8>, placed: Vec<Placed>, is_document: bool, object: &Arc<str>) -> Self {
        let chunk = Chunk {
            input: 0,
            offset: 0,
            bytes,
            object: Arc::clone(object),
            layout: Arc::default(),
            seen: Seen::default(),
            oversize: None,
        };
        Self {
            chunk,
            placed,
            is_document,
        }
    }

    fn push(&mut self, head: Head, number: u32, position: u64, message: &[u8]) {
        self.placed.push(Placed {
            head,
            number,
            start: self.chunk.bytes.len(),
            position,
        });
        self.chunk.bytes.extend_from_slice(message);
        // A document may be empty, and a chunk may not.
        if !self.is_document || message.is_empty() {
            self.chunk.bytes.push(b'\n');
        }
    }

    /// Whether all of it is decoded.
    pub(super) fn is_done(&self, cursor: &Cursor) -> bool {
        cursor.is_at_end(&self.chunk)
    }

    /// Its messages.
    pub(super) fn placed(&self) -> &[Placed] {
        &self.placed
    }

    /// The message at `place` of its bytes, or the last.
    fn at(&self, place: usize) -> Option<Placed> {
        let after = self.placed.partition_point(|one| one.start <= place);
        self.placed.get(after.saturating_sub(1)).copied()
    }

    /// A cursor at `message`, or `within` it where an array of records is being unpacked that ends at `document_end` of the
    /// message.
    pub(super) fn cursor(
        &self,
        message: usize,
        within: usize,
        document_end: usize,
        record: u64,
    ) -> Cursor {
        let start = self.placed.get(message).map_or(0, |one| one.start);
        let document_end = match document_end {
            0 => 0,
            end => start + end,
        };
        Cursor {
            offset_bytes: start + within,
            record,
            document_end,
            within: 0,
        }
    }

    /// Where a cursor in this stretch stands: the message, how far in it, and where the array ends that is unpacked.
    pub(super) fn stands(&self, cursor: &Cursor) -> Option<(Placed, usize, usize)> {
        let placed = self.at(cursor.offset_bytes)?;
        let within = cursor.offset_bytes.saturating_sub(placed.start);
        let document_end = match cursor.document_end {
            0 => 0,
            end => end.saturating_sub(placed.start),
        };
        Some((placed, within, document_end))
    }

    /// The bytes of a bad record of it.
    pub(super) fn raw(&self, reject: &Reject) -> &[u8] {
        let raw = self.chunk.bytes.get(reject.raw.clone());
        raw.unwrap_or_default()
    }
}

/// Decodes sheets.
#[derive(Debug)]
pub(super) struct Decoders {
    lines: Decoder,
    document: Decoder,
    /// Columns that a message does not hold itself, by their place in the plan.
    envelope: Vec<(usize, Envelope)>,
}

/// What a message does not hold itself.
#[derive(Clone, Copy, Debug)]
enum Envelope {
    ReceivedAt,
    Feed,
}

impl Decoders {
    pub(super) fn new(columns: &[Column], records: Option<&Path>) -> Self {
        let decoder = |format| Decoder::new(&format, columns.to_vec());
        let records = || records.cloned();
        let envelope = columns.iter().enumerate();
        let envelope = envelope.filter_map(|(index, column)| match column.source {
            Source::ReceivedAt => Some((index, Envelope::ReceivedAt)),
            Source::Feed => Some((index, Envelope::Feed)),
            Source::Header(_)
            | Source::Position(_)
            | Source::Path(_)
            | Source::Object
            | Source::Number => None,
        });
        Self {
            lines: decoder(Format::Ndjson { records: records() }),
            document: decoder(Format::Json { records: records() }),
            envelope: envelope.collect(),
        }
    }

    /// What was met of each column so far.
    pub(super) fn met(&self) -> impl Iterator<Item = Met> {
        let both = self.lines.met().iter().zip(self.document.met());
        both.map(|(&lines, &document)| {
            let mut met = lines;
            met.add(document);
            met
        })
    }

    /// Decodes at most `max_rows` records of `stretch` from `cursor` on, which moves past them. `batch` is overwritten
    /// with the good ones and `messages` with the number of the message of each; bad ones are appended to `rejects`.
    /// Positions are those that the messages are counted as.
    pub(super) fn decode(
        &mut self,
        stretch: &Stretch,
        cursor: &mut Cursor,
        max_rows: usize,
        batch: &mut Batch,
        messages: &mut Vec<u32>,
        rejects: &mut Vec<Reject>,
    ) {
        let chunk = &stretch.chunk;
        let (already, before) = (rejects.len(), cursor.record);
        let decoder = match stretch.is_document {
            false => &mut self.lines,
            true => &mut self.document,
        };
        let faulty = decoder.decode(chunk, cursor, max_rows, batch, rejects);
        let reason = match faulty {
            Err(fault) => Some(fault.reason),
            // To the decoder of objects, blanks hold no record.
            Ok(()) if stretch.is_document && chunk.bytes.trim_ascii().is_empty() => {
                Some(Reason::Syntax {
                    expected: "a value",
                    found: "the end of the document".to_owned(),
                    at_bytes: 0,
                })
            }
            Ok(()) => None,
        };
        if let Some(reason) = reason {
            // A document that cannot be read is one bad message.
            cursor.offset_bytes = chunk.bytes.len();
            cursor.document_end = 0;
            cursor.record = before + 1;
            rejects.truncate(already);
            let number = u32::try_from(before).unwrap_or(u32::MAX);
            let whole = 0..chunk.bytes.len();
            rejects.push(super::columns::reject(chunk, number, whole, None, reason));
        }
        self.settle(stretch, batch, messages);
        for reject in rejects.iter_mut().skip(already) {
            let place = usize::try_from(reject.offset).unwrap_or(usize::MAX);
            if let Some(placed) = stretch.at(place) {
                reject.offset = placed.position_of(reject.offset);
            }
        }
    }

    /// Gives the good records their positions, their messages, and what the messages do not hold themselves.
    fn settle(&self, stretch: &Stretch, batch: &mut Batch, messages: &mut Vec<u32>) {
        messages.clear();
        let first = batch.offsets.first().copied().unwrap_or_default();
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        let from = stretch.placed.partition_point(|one| one.start <= first);
        let placed = stretch
            .placed
            .get(from.saturating_sub(1)..)
            .unwrap_or_default();
        let mut rest = placed.iter().copied().peekable();
        let mut envelope: Vec<Vec<i64>> = vec![Vec::new(); self.envelope.len()];
        let mut current = rest.next();
        for offset in &mut batch.offsets {
            let place = usize::try_from(*offset).unwrap_or(usize::MAX);
            while let Some(next) = rest.next_if(|next| next.start <= place) {
                current = Some(next);
            }
            let Some(placed) = current else {
                continue;
            };
            *offset = placed.position_of(*offset);
            messages.push(placed.number);
            for (values, (_, what)) in envelope.iter_mut().zip(&self.envelope) {
                values.push(match what {
                    Envelope::ReceivedAt => placed.head.received_at_us,
                    Envelope::Feed => placed.head.feed.into(),
                });
            }
        }
        for (values, (index, _)) in envelope.into_iter().zip(&self.envelope) {
            if let Some(column) = batch.columns.get_mut(*index) {
                *column = Vector::from_data(Data::Int(values));
            }
        }
    }

    /// The bytes of the record counted from `position`, which was decoded from `stretch` as part of `placed`.
    pub(super) fn record_at<'a>(
        &'a self,
        stretch: &'a Stretch,
        placed: &Placed,
        position: u64,
    ) -> &'a [u8] {
        let decoder = match stretch.is_document {
            false => &self.lines,
            true => &self.document,
        };
        let place = u64::try_from(placed.place_of(position)).unwrap_or(u64::MAX);
        decoder.record_at(&stretch.chunk, place)
    }
}

/// Whether a message is one line among others as NDJSON has it: a blank line would be no record.
fn is_line(message: &[u8]) -> bool {
    memchr::memchr2(b'\n', b'\r', message).is_none() && !message.trim_ascii_start().is_empty()
}
