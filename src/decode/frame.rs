//! Cuts one object into chunks of whole records, in order (SPEC 4). It keeps the bytes of at most one record more.

use std::sync::Arc;

use super::csv::{self, Layout, Machine, State};
use super::{Chunk, Fault, Format, Header, Reason, Seen};
use crate::limits::{CAPTURE_LINE_BYTES, CHUNK_BYTES, RECORD_BYTES, REJECTED_RAW_BYTES};
use crate::value::column::{Column, Source};

/// Most bytes of a line end.
const LINE_END_BYTES: usize = 2;
/// The byte-order mark of UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Buffers that are kept for later chunks.
const SPARE_BUFFERS: usize = 4;

/// Cuts one object into chunks. Fill [`Framer::room`], say how much with [`Framer::filled`], then take chunks with
/// [`Framer::next`] until there is none; at the end of the object, `filled(0)` and the same again.
#[derive(Debug)]
pub struct Framer {
    cutter: Cutter,
    input: u32,
    object: Arc<str>,
    /// Not known until the header, or the first record, was read.
    layout: Option<Arc<Layout>>,
    /// Room for input; the first `filled` bytes are input that is in no chunk yet.
    buffer: Vec<u8>,
    filled: usize,
    /// Where in the object the buffer starts.
    offset: u64,
    /// Bytes of the buffer that were looked through.
    scanned: usize,
    /// Where the last whole record ends in them.
    cut: Option<usize>,
    seen: Seen,
    /// Whether the byte-order mark was looked for.
    begun: bool,
    /// Whether all bytes of the object are here.
    ended: bool,
    /// The line of which only the start is kept, while it is passed over.
    passed_over: Option<PassedOver>,
    spare: Vec<Vec<u8>>,
    chunk_bytes: usize,
    /// Room at first.
    first_bytes: usize,
    /// [`RECORD_BYTES`], or what a line of a capture may have; other in tests.
    pub(super) record_bytes: usize,
}

/// How records are told apart.
#[derive(Debug)]
enum Cutter {
    Csv {
        header: Header,
        columns: Vec<Source>,
        machine: Machine,
    },
    Lines,
    Document,
}

/// The start of a line that is over the limit.
#[derive(Debug)]
struct PassedOver {
    kept: Vec<u8>,
    offset: u64,
    /// All of it but what is in the buffer.
    bytes: u64,
}

impl Framer {
    /// For the object `object`, number `input` in input order, of which `columns` are read.
    #[must_use]
    pub fn new(format: &Format, columns: &[Column], input: u32, object: Arc<str>) -> Self {
        let cutter = match format {
            Format::Csv {
                header, delimiter, ..
            } => Cutter::Csv {
                header: *header,
                columns: columns.iter().map(|column| column.source.clone()).collect(),
                machine: Machine::new(*delimiter),
            },
            Format::Ndjson { .. } | Format::Capture { .. } => Cutter::Lines,
            Format::Json { .. } => Cutter::Document,
        };
        let layout = match cutter {
            Cutter::Csv { .. } => None,
            Cutter::Lines | Cutter::Document => Some(Arc::default()),
        };
        Self {
            cutter,
            input,
            object,
            layout,
            buffer: Vec::new(),
            filled: 0,
            offset: 0,
            scanned: 0,
            cut: None,
            seen: Seen::default(),
            begun: false,
            ended: false,
            passed_over: None,
            spare: Vec::new(),
            chunk_bytes: CHUNK_BYTES,
            first_bytes: CHUNK_BYTES,
            record_bytes: match format {
                Format::Csv { .. } | Format::Ndjson { .. } | Format::Json { .. } => RECORD_BYTES,
                Format::Capture { .. } => CAPTURE_LINE_BYTES,
            },
        }
    }

    /// The same, cutting chunks of about `chunk_bytes` (at least one record each), which changes no result.
    #[must_use]
    pub fn with_chunk_bytes(mut self, chunk_bytes: usize) -> Self {
        self.chunk_bytes = chunk_bytes.clamp(1, self.record_bytes);
        self.first_bytes = self.chunk_bytes;
        self
    }

    /// The same for an object that is stored in `bytes`: a small one gets no room for a large one, which would take
    /// longer to make than the object to read. Compressed it may hold more; then there is more room from the second
    /// chunk on.
    #[must_use]
    pub fn for_stored(mut self, bytes: u64) -> Self {
        // One byte more, to see the end.
        let whole = usize::try_from(bytes.saturating_add(1)).unwrap_or(usize::MAX);
        self.first_bytes = self.chunk_bytes.min(whole);
        self
    }

    /// The same for an object that is read from byte `offset` on, where a record starts.
    #[must_use]
    pub fn starting_at(mut self, offset: u64) -> Self {
        self.offset = offset;
        self.begun = offset > 0;
        self
    }

    /// The same for lines of up to `bytes`.
    #[must_use]
    pub fn with_record_bytes(mut self, bytes: usize) -> Self {
        self.record_bytes = bytes;
        self
    }

    /// Space for the next bytes of the object; never empty after [`Framer::next`] gave `None`.
    pub fn room(&mut self) -> &mut [u8] {
        if self.buffer.is_empty() {
            self.buffer = self.fresh(self.first_bytes);
        }
        self.buffer.get_mut(self.filled..).unwrap_or_default()
    }

    /// Says that the first `count` bytes of [`Framer::room`] are input now; 0 says that the object ends here.
    pub fn filled(&mut self, count: usize) {
        self.ended |= count == 0;
        self.filled = self.buffer.len().min(self.filled.saturating_add(count));
    }

    /// Whether [`Framer::filled`] was told of the end: then [`Framer::next`] gives `None` only when all is done.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// The next chunk; `None` where more input is needed, or after the end none is left.
    ///
    /// Errors: [`Fault`]; nothing follows it.
    #[expect(clippy::should_implement_trait, reason = "None is no end here")]
    pub fn next(&mut self) -> Result<Option<Chunk>, Fault> {
        if !self.ended && (self.buffer.is_empty() || self.filled < self.buffer.len()) {
            return Ok(None);
        }
        if !self.begun {
            if !self.ended && self.filled < BYTE_ORDER_MARK.len() {
                return self.more();
            }
            self.begin()?;
        }
        match self.cutter {
            Cutter::Document => self.next_document(),
            Cutter::Lines if self.passed_over.is_some() => Ok(self.pass_line()),
            Cutter::Lines => self.next_records(),
            Cutter::Csv { .. } => {
                if self.layout.is_none() && !self.lay_out()? {
                    return self.more();
                }
                self.next_records()
            }
        }
    }

    /// The whole records that are here, where the object cannot be read on: what is wrong with them comes before that.
    ///
    /// Errors: [`Fault`], of what comes before any record.
    pub fn before_damage(&mut self) -> Result<Option<Chunk>, Fault> {
        if matches!(self.cutter, Cutter::Document) || self.passed_over.is_some() {
            return Ok(None);
        }
        if !self.begun {
            self.begin()?;
        }
        if self.layout.is_none() && !self.lay_out()? {
            return Ok(None);
        }
        self.look();
        Ok(self.cut.and_then(|cut| self.take(cut)))
    }

    /// Gives back the buffer of a chunk that is done with.
    pub fn recycle(&mut self, buffer: Vec<u8>) {
        if self.spare.len() < SPARE_BUFFERS && buffer.capacity() <= 2 * self.chunk_bytes {
            self.spare.push(buffer);
        }
    }

    fn fresh(&mut self, length: usize) -> Vec<u8> {
        let mut buffer = self.spare.pop().unwrap_or_default();
        buffer.resize(length, 0);
        buffer
    }

    fn input(&self) -> &[u8] {
        self.buffer.get(..self.filled).unwrap_or_default()
    }

    fn fault<T>(&self, reason: Reason) -> Result<T, Fault> {
        let offset = self.offset;
        Err(Fault { offset, reason })
    }

    /// Drops the first `count` bytes of the input.
    fn consume(&mut self, count: usize) {
        self.buffer.copy_within(count..self.filled, 0);
        self.filled -= count;
        self.offset += count as u64;
        self.look_again();
    }

    /// Passes over a UTF-8 byte-order mark; those of UTF-16 and UTF-32 are a fault.
    fn begin(&mut self) -> Result<(), Fault> {
        self.begun = true;
        match self.input() {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => self.fault(Reason::Utf16),
            input if input.starts_with(BYTE_ORDER_MARK) => {
                self.consume(BYTE_ORDER_MARK.len());
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// More input is needed: makes room for it, up to the longest record.
    fn more(&mut self) -> Result<Option<Chunk>, Fault> {
        if self.ended || self.filled < self.buffer.len() {
            return Ok(None);
        }
        let most = self.record_bytes + LINE_END_BYTES;
        if self.buffer.len() < most {
            let length = (2 * self.buffer.len()).min(most);
            self.buffer.resize(length, 0);
            return Ok(None);
        }
        if !matches!(self.cutter, Cutter::Lines) {
            return self.fault(Reason::RecordTooLong);
        }
        self.passed_over = Some(PassedOver {
            kept: self.start_of_line(),
            offset: self.offset,
            bytes: 0,
        });
        Ok(self.pass_line())
    }

    fn start_of_line(&self) -> Vec<u8> {
        let input = self.input();
        input.get(..REJECTED_RAW_BYTES).unwrap_or(input).to_vec()
    }

    /// Passes over the rest of a line that is over the limit.
    fn pass_line(&mut self) -> Option<Chunk> {
        let end = memchr::memchr(b'\n', self.input());
        if end.is_none() && !self.ended {
            if let Some(line) = &mut self.passed_over {
                line.bytes += self.filled as u64;
            }
            self.consume(self.filled);
            return None;
        }
        let line = self.passed_over.take()?;
        let rest = end.unwrap_or(self.filled);
        let chunk = Chunk {
            input: self.input,
            offset: line.offset,
            bytes: line.kept,
            object: self.object.clone(),
            layout: Arc::default(),
            seen: Seen::default(),
            oversize: Some(line.bytes + rest as u64),
        };
        self.consume(end.map_or(rest, |end| end + 1));
        Some(chunk)
    }

    fn next_document(&mut self) -> Result<Option<Chunk>, Fault> {
        if self.filled > self.record_bytes {
            return self.fault(Reason::RecordTooLong);
        }
        if !self.ended {
            return self.more();
        }
        if self.input().trim_ascii().is_empty() {
            // An object without a document holds no record, as an empty CSV object does.
            return Ok(None);
        }
        Ok(self.take(self.filled))
    }

    fn next_records(&mut self) -> Result<Option<Chunk>, Fault> {
        self.look();
        // Only the first record of a buffer can be over the limit: the buffer holds little more than that.
        if self.filled > self.record_bytes {
            let first = self.first_line(0).unwrap_or(self.filled);
            let record = self.input().get(..first).unwrap_or_default();
            if csv::trimmed(record).len() > self.record_bytes {
                return self.too_long(first);
            }
        }
        match self.cut {
            Some(cut) => Ok(self.take(cut)),
            None if !self.ended => self.more(),
            None if self.filled == 0 => Ok(None),
            None => match &self.cutter {
                Cutter::Csv { machine, .. } if machine.state == State::Quoted => {
                    self.fault(Reason::UnclosedQuote)
                }
                Cutter::Csv { .. } | Cutter::Lines | Cutter::Document => {
                    let mut last = self.take(self.filled);
                    if let Some(chunk) = &mut last {
                        chunk.bytes.push(b'\n');
                    }
                    Ok(last)
                }
            },
        }
    }

    /// The first record, which ends at `end`, is over the limit.
    fn too_long(&mut self, end: usize) -> Result<Option<Chunk>, Fault> {
        if !matches!(self.cutter, Cutter::Lines) {
            return self.fault(Reason::RecordTooLong);
        }
        let has_end = self
            .input()
            .get(..end)
            .is_some_and(|line| line.ends_with(b"\n"));
        if !has_end && !self.ended {
            return self.more();
        }
        self.passed_over = Some(PassedOver {
            kept: self.start_of_line(),
            offset: self.offset,
            bytes: 0,
        });
        Ok(self.pass_line())
    }

    /// Where the first record from `start` on ends, its line end included.
    fn first_line(&self, start: usize) -> Option<usize> {
        let input = self.input().get(start..)?;
        let length = match &self.cutter {
            Cutter::Csv { machine, .. } => csv::first_line(input, machine.delimiter)?,
            Cutter::Lines | Cutter::Document => memchr::memchr(b'\n', input)? + 1,
        };
        Some(start + length)
    }

    /// Looks through what is new in the buffer for the end of the last whole record.
    fn look(&mut self) {
        let new = self
            .buffer
            .get(self.scanned..self.filled)
            .unwrap_or_default();
        let Cutter::Csv { machine, .. } = &mut self.cutter else {
            if let Some(at) = memchr::memrchr(b'\n', new) {
                self.cut = Some(self.scanned + at + 1);
            }
            self.scanned = self.filled;
            return;
        };
        self.seen.carriage_return |= memchr::memchr(b'\r', new).is_some();
        if !self.seen.quote {
            if memchr::memchr(b'"', new).is_none() {
                if let Some(at) = memchr::memrchr(b'\n', new) {
                    self.cut = Some(self.scanned + at + 1);
                }
                self.scanned = self.filled;
                return;
            }
            // The first quote of this buffer: whether it opens a field is known from the start of its record.
            self.seen.quote = true;
            self.scanned = self.cut.unwrap_or(0);
        }
        let new = self
            .buffer
            .get(self.scanned..self.filled)
            .unwrap_or_default();
        if let Some(at) = machine.last_line(new) {
            self.cut = Some(self.scanned + at);
        }
        self.scanned = self.filled;
    }

    /// Forgets what was seen of the buffer, whose start is the start of a record.
    fn look_again(&mut self) {
        self.scanned = 0;
        self.cut = None;
        self.seen = Seen::default();
        if let Cutter::Csv { machine, .. } = &mut self.cutter {
            machine.state = State::FieldStart;
        }
    }

    /// The first `count` bytes as a chunk; the rest stays.
    fn take(&mut self, count: usize) -> Option<Chunk> {
        let layout = self.layout.clone()?;
        let rest = self.filled - count;
        let length = if self.ended {
            rest
        } else {
            rest.max(self.chunk_bytes)
        };
        let mut buffer = self.fresh(length);
        if let (Some(to), Some(from)) =
            (buffer.get_mut(..rest), self.buffer.get(count..self.filled))
        {
            to.copy_from_slice(from);
        }
        let mut bytes = std::mem::replace(&mut self.buffer, buffer);
        bytes.truncate(count);
        let chunk = Chunk {
            input: self.input,
            offset: self.offset,
            bytes,
            object: self.object.clone(),
            layout,
            seen: self.seen,
            oversize: None,
        };
        self.filled = rest;
        self.offset += count as u64;
        self.look_again();
        Some(chunk)
    }

    /// Reads the header, or counts the fields of the first record; `false` where more input is needed for that.
    fn lay_out(&mut self) -> Result<bool, Fault> {
        let Cutter::Csv {
            header, machine, ..
        } = &self.cutter
        else {
            return Ok(true);
        };
        let delimiter = machine.delimiter;
        let layout = match header {
            Header::Present => {
                let Some(record) = self.whole_record(0)? else {
                    return Ok(false);
                };
                let names = csv::split(&record, delimiter).or_else(|reason| self.fault(reason))?;
                let layout = self.by_name(&names)?;
                self.consume(record.len().min(self.filled));
                layout
            }
            Header::Absent => {
                let Some(fields) = self.count_fields(delimiter)? else {
                    return Ok(false);
                };
                self.by_position(fields)?
            }
        };
        self.layout = Some(Arc::new(layout));
        Ok(true)
    }

    /// The record at `start` with its line end, which the last one of the object is given; `None` where it is not
    /// whole yet, or where there is none.
    fn whole_record(&self, start: usize) -> Result<Option<Vec<u8>>, Fault> {
        let input = self.input().get(start..).unwrap_or_default();
        if let Some(end) = self.first_line(start) {
            return Ok(self.input().get(start..end).map(<[u8]>::to_vec));
        }
        if !self.ended || input.is_empty() {
            return Ok(None);
        }
        let record = [input, b"\n"].concat();
        match &self.cutter {
            Cutter::Csv { machine, .. }
                if csv::first_line(&record, machine.delimiter).is_none() =>
            {
                self.fault(Reason::UnclosedQuote)
            }
            Cutter::Csv { .. } | Cutter::Lines | Cutter::Document => Ok(Some(record)),
        }
    }

    /// How many fields the first record that is no blank line has.
    fn count_fields(&self, delimiter: u8) -> Result<Option<u32>, Fault> {
        let mut start = 0;
        while let Some(record) = self.whole_record(start)? {
            if !csv::trimmed(&record).is_empty() {
                return Ok(Some(csv::count(&record, delimiter)));
            }
            start += record.len();
        }
        Ok(None)
    }

    fn by_name(&self, names: &[Vec<u8>]) -> Result<Layout, Fault> {
        let fields = u32::try_from(names.len()).unwrap_or(u32::MAX);
        let mut layout = self.by_position(fields)?;
        let Cutter::Csv { columns, .. } = &self.cutter else {
            return Ok(layout);
        };
        for (column, source) in layout.columns.iter_mut().zip(columns) {
            let Source::Header(name) = source else {
                continue;
            };
            let mut found = (0..)
                .zip(names)
                .filter(|(_, field)| *field == name.as_bytes());
            *column = match (found.next(), found.next()) {
                (Some((index, _)), None) => Some(index),
                (None, _) => return self.fault(Reason::HeaderMissing(name.clone())),
                (Some(_), Some(_)) => return self.fault(Reason::HeaderTwice(name.clone())),
            };
        }
        Ok(layout)
    }

    fn by_position(&self, fields: u32) -> Result<Layout, Fault> {
        let Cutter::Csv {
            columns, header, ..
        } = &self.cutter
        else {
            return Ok(Layout::default());
        };
        let mut places = Vec::with_capacity(columns.len());
        for source in columns {
            places.push(match source {
                Source::Position(position) if (1..=fields).contains(position) => Some(position - 1),
                Source::Position(position) => {
                    return self.fault(Reason::PositionMissing {
                        position: *position,
                        fields,
                    });
                }
                Source::Header(name) if *header != Header::Present => {
                    return self.fault(Reason::HeaderMissing(name.clone()));
                }
                Source::Header(_)
                | Source::Path(_)
                | Source::Object
                | Source::ReceivedAt
                | Source::Feed
                | Source::Number => None,
            });
        }
        Ok(Layout {
            fields,
            columns: places,
        })
    }
}
