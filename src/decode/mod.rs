//! Bytes to rows: CSV, NDJSON and JSON documents into typed column batches (SPEC 4). Pure: no I/O, no clock, no thread.
//!
//! Two halves. A [`Framer`] goes through one object in order and cuts it into [`Chunk`]s of whole records; it alone
//! knows the object's header, its byte-order mark and where quotes are open. A [`Decoder`] turns a chunk into
//! batches; chunks do not depend on each other, so that each worker has a decoder of its own. What makes one record
//! bad is a [`Reject`]; what makes the object unreadable from there on is a [`Fault`].

pub mod captured;
mod columns;
mod csv;
mod frame;
mod json;
pub mod messages;
mod met;
mod reason;
mod scan;
mod sheet;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

pub use frame::Framer;
pub use json::is_one_line;
pub use met::Met;
pub use reason::Reason;

use crate::limits::REJECTED_RAW_BYTES;
use crate::value::column::{Column, Path};
use crate::value::vector::Batch;

/// How the bytes of an object are to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180.
    Csv {
        /// Whether the first record names the fields.
        header: Header,
        /// Between fields. Invariant: ASCII, neither a quote nor a line end.
        delimiter: u8,
        /// A text that is NULL besides the empty field.
        null: Option<Vec<u8>>,
    },
    /// One JSON document a line.
    Ndjson {
        /// The array whose elements are the records; absent, the document is the record.
        records: Option<Path>,
    },
    /// One JSON document an object.
    Json {
        /// As for NDJSON.
        records: Option<Path>,
    },
    /// What a stream captured: a message a line, each a document (SPEC 6).
    Capture {
        /// As for NDJSON.
        records: Option<Path>,
    },
}

/// Whether a CSV object begins with a record of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// It does; its fields are counted and named by that record.
    Present,
    /// It does not: the object's first record that is no blank line says how many fields there are.
    Absent,
}

/// A stretch of whole records of one object.
///
/// Invariant: `bytes` ends with a line end unless it is a `json` document or the kept start of an oversize line.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// Number of the object in input order, from 0.
    pub input: u32,
    /// Offset of the first byte in the uncompressed object.
    pub offset: u64,
    /// The records. A line end is added where the object's last record has none.
    pub bytes: Vec<u8>,
    /// The object's URI, which `@object` columns hold.
    object: Arc<str>,
    /// Which CSV field feeds which column; empty for JSON.
    layout: Arc<csv::Layout>,
    /// What the framer saw and the decoder need not look for.
    seen: Seen,
    /// Bytes of the one line of this chunk that is over the limit: of it, `bytes` holds only the start.
    oversize: Option<u64>,
}

/// Whether certain bytes are in a chunk at all: without them, the scan has less to look for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    quote: bool,
    carriage_return: bool,
}

/// How far a chunk has been decoded. Begins as the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// First byte of the chunk that is still to be decoded.
    pub offset_bytes: usize,
    /// Records (good and bad) before it in the chunk.
    pub record: u64,
    /// Where the document ends whose array is being unpacked; 0 between documents. In a capture, counted from its message.
    document_end: usize,
    /// How far in a captured message the next record is.
    within: usize,
}

impl Cursor {
    /// Whether the whole chunk is decoded.
    #[must_use]
    pub fn is_at_end(&self, chunk: &Chunk) -> bool {
        self.offset_bytes >= chunk.bytes.len()
    }
}

/// A fault of the object: nothing after it can be read (always 65).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Byte offset in the uncompressed object of the record that it is about.
    pub offset: u64,
    /// What is wrong.
    pub reason: Reason,
}

/// One bad record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Number of the record in its chunk, from 0.
    pub record: u32,
    /// Byte offset of the record in the uncompressed object.
    pub offset: u64,
    /// Where in the chunk the record is, without its line end; only the kept start of one that is over the limit. Of a capture,
    /// [`Decoder::raw`] knows what it is a place in.
    pub raw: Range<usize>,
    /// Bytes of the whole record.
    pub total_bytes: u64,
    /// The column that it is about, as the plan numbers them; `None` where it is about the structure.
    pub column: Option<usize>,
    /// What is wrong.
    pub reason: Reason,
}

/// Turns chunks into batches; one a worker, whose buffers it keeps.
#[derive(Debug)]
pub struct Decoder {
    columns: Vec<Column>,
    reader: Reader,
    met: Vec<Met>,
}

#[derive(Debug)]
enum Reader {
    Csv(csv::Reader),
    Json(json::Reader),
    Captured(Box<captured::Captured>),
}

impl Decoder {
    /// A decoder of `format` for `columns`, which are numbered as the plan does.
    #[must_use]
    pub fn new(format: &Format, columns: Vec<Column>) -> Self {
        let json = |unit, records: &Option<Path>| {
            Reader::Json(json::Reader::new(unit, &columns, records.as_ref()))
        };
        let reader = match format {
            Format::Csv {
                delimiter, null, ..
            } => Reader::Csv(csv::Reader::new(*delimiter, null.clone())),
            Format::Ndjson { records } => json(json::Unit::Lines, records),
            Format::Json { records } => json(json::Unit::Document, records),
            Format::Capture { records } => {
                let captured = captured::Captured::new(&columns, records.as_ref());
                Reader::Captured(Box::new(captured))
            }
        };
        Self {
            met: vec![Met::default(); columns.len()],
            columns,
            reader,
        }
    }

    /// Decodes at most `max_rows` records from `cursor` on, which moves past them.
    ///
    /// `batch` is overwritten with the good ones; the bad ones are appended to `rejects`, in their order. A call that
    /// does not reach the end of the chunk has moved the cursor, even if no record was good.
    /// Errors: [`Fault`], only of a `json` document and of a line that is none of a capture.
    pub fn decode(
        &mut self,
        chunk: &Chunk,
        cursor: &mut Cursor,
        max_rows: usize,
        batch: &mut Batch,
        rejects: &mut Vec<Reject>,
    ) -> Result<(), Fault> {
        self.read(chunk, cursor, max_rows, batch, rejects)?;
        let columns = self.columns.iter().zip(&batch.columns);
        for ((column, vector), met) in columns.zip(&mut self.met) {
            met.look(column, vector);
        }
        Ok(())
    }

    fn read(
        &mut self,
        chunk: &Chunk,
        cursor: &mut Cursor,
        max_rows: usize,
        batch: &mut Batch,
        rejects: &mut Vec<Reject>,
    ) -> Result<(), Fault> {
        columns::begin(batch, &self.columns, chunk.input);
        if let Some(total_bytes) = chunk.oversize
            && !matches!(self.reader, Reader::Captured(_))
        {
            cursor.offset_bytes = chunk.bytes.len();
            rejects.push(oversize(chunk, total_bytes));
            cursor.record += 1;
            return Ok(());
        }
        match &mut self.reader {
            Reader::Csv(reader) => {
                reader.decode(chunk, cursor, max_rows, &self.columns, batch, rejects);
                let any = batch.rows > 0;
                self.met.iter_mut().for_each(|met| met.is_there |= any);
                Ok(())
            }
            Reader::Json(reader) => {
                let target = json::Target {
                    batch,
                    rejects,
                    met: &mut self.met,
                };
                reader.decode(chunk, cursor, max_rows, &self.columns, target)
            }
            Reader::Captured(reader) => {
                reader.decode(chunk, cursor, max_rows, batch, rejects)?;
                self.met
                    .iter_mut()
                    .zip(reader.met())
                    .for_each(|(met, new)| met.add(new));
                Ok(())
            }
        }
    }

    /// The bytes of the record that begins at `offset` in the object, without its line end; empty where `chunk` does
    /// not hold that offset. For a record that is found bad after it was decoded (NOT NULL).
    #[must_use]
    pub fn record_at<'a>(&'a self, chunk: &'a Chunk, offset: u64) -> &'a [u8] {
        let start = offset.checked_sub(chunk.offset).map(usize::try_from);
        let Some(Ok(start)) = start else {
            return &[];
        };
        let place = match &self.reader {
            Reader::Csv(reader) => reader.record_at(&chunk.bytes, start),
            Reader::Json(reader) => reader.record_at(chunk, start),
            Reader::Captured(reader) => return reader.record_at(offset),
        };
        chunk.bytes.get(place).unwrap_or_default()
    }

    /// The bytes of a bad record of `chunk`, which was decoded last.
    #[must_use]
    pub fn raw<'a>(&'a self, chunk: &'a Chunk, reject: &Reject) -> &'a [u8] {
        match &self.reader {
            Reader::Captured(reader) => reader.raw(reject),
            Reader::Csv(_) | Reader::Json(_) => {
                chunk.bytes.get(reject.raw.clone()).unwrap_or_default()
            }
        }
    }

    /// What was met of each column so far.
    #[must_use]
    pub fn met(&self) -> &[Met] {
        &self.met
    }
}

/// The first bytes of a record, as many as rejected.ndjson keeps, cut between characters where it is UTF-8.
#[must_use]
pub fn kept(raw: &[u8]) -> Vec<u8> {
    let Some(start) = raw.get(..REJECTED_RAW_BYTES) else {
        return raw.to_vec();
    };
    match str::from_utf8(start) {
        Err(error) if error.error_len().is_none() => {
            start.get(..error.valid_up_to()).unwrap_or(start).to_vec()
        }
        Ok(_) | Err(_) => start.to_vec(),
    }
}

/// The line of which the framer kept only the start.
fn oversize(chunk: &Chunk, total_bytes: u64) -> Reject {
    Reject {
        record: 0,
        offset: chunk.offset,
        raw: 0..chunk.bytes.len(),
        total_bytes,
        column: None,
        reason: Reason::RecordTooLong,
    }
}
