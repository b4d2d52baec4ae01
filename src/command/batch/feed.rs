//! The whole input in order, as numbered pieces: objects through gzip and framer, or stretches of a range.

use std::io::Read;
use std::sync::Arc;

use super::listing::Listing;
use super::work::{Numbers, Piece, Task};
use crate::budget::{Charge, Charged};
use crate::command::faults::object_fault;
use crate::config::uri::NumberRange;
use crate::decode::captured::Numbering;
use crate::decode::{Format, Framer};
use crate::error::{Error, Kind, Result};
use crate::gzip::{self, Compression};
use crate::limits;
use crate::source::{Place, Source, Span};
use crate::stop::Stop;
use crate::store::lifted;

/// Gives the pieces of the input, one after the other.
pub(super) enum Feed<'run> {
    /// Of objects.
    Objects(Box<Objects<'run>>),
    /// Of a range.
    Range(Range),
}

/// The numbers of a range, and how far they were handed out.
pub(super) struct Range {
    /// Where the whole range starts.
    origin: i64,
    /// The next number; the end where there is none left.
    next: i64,
    end: i64,
}

/// Objects, one after the other.
pub(super) struct Objects<'run> {
    task: &'run Task,
    format: &'run Format,
    source: &'run Source<'run>,
    listing: &'run Listing,
    stop: &'run Stop,
    open: Option<Open<'run>>,
    /// The numbers of captured messages.
    numbers: Option<Numbering>,
    /// What is known of the objects opened so far, in order.
    seen: Charged<Seen>,
    texts: Charge,
}

/// What is known of an object once it was opened.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) version_id: Option<Box<str>>,
    pub(super) compression: &'static str,
}

/// The object being read.
struct Open<'run> {
    uri: Arc<str>,
    compression: Compression,
    reader: Box<dyn Read + 'run>,
    framer: Framer,
    /// Whether no chunk of it came yet.
    begins: bool,
    /// Why nothing more can be read, to be told after the whole records before it.
    damage: Option<Error>,
}

impl<'run> Feed<'run> {
    /// What `span` has of the numbers of `range`.
    pub(super) fn range(range: NumberRange, span: Span) -> Self {
        let count = range.start.abs_diff(range.end);
        let Span { from, to } = span;
        let number = |place: Place| match place.input {
            0 => range.start.saturating_add_unsigned(place.offset.min(count)),
            _ => range.end,
        };
        Self::Range(Range {
            origin: range.start,
            next: number(from),
            end: number(to),
        })
    }

    /// The next piece; `None` at the end of the input.
    ///
    /// Errors: 65 for a fault of an object, 66 where one changed or is gone, 75 when the run is stopped.
    pub(super) fn next_piece(&mut self) -> Result<Option<Piece>> {
        match self {
            Self::Objects(objects) => objects.next_piece(),
            Self::Range(range) => Ok(range.next_piece()),
        }
    }

    /// Takes a piece back whose buffer can serve again.
    pub(super) fn recycle(&mut self, piece: Piece) {
        if let (Self::Objects(objects), Piece::Chunk(chunk)) = (self, piece)
            && let Some(open) = &mut objects.open
        {
            open.framer.recycle(chunk.bytes);
        }
    }

    /// What is known of the objects that were opened, in order.
    pub(super) fn into_seen(self) -> Option<Charged<Seen>> {
        match self {
            Self::Objects(objects) => Some(objects.seen),
            Self::Range(_) => None,
        }
    }
}

impl Range {
    fn next_piece(&mut self) -> Option<Piece> {
        let start = self.next;
        if start >= self.end {
            return None;
        }
        self.next = start
            .saturating_add(limits::RANGE_PIECE_NUMBERS)
            .min(self.end);
        Some(Piece::Numbers(Numbers {
            origin: self.origin,
            start,
            end: self.next,
        }))
    }
}

impl<'run> Objects<'run> {
    pub(super) fn new(
        task: &'run Task,
        format: &'run Format,
        source: &'run Source<'run>,
        listing: &'run Listing,
        stop: &'run Stop,
    ) -> Self {
        Self {
            task,
            format,
            source,
            listing,
            stop,
            open: None,
            numbers: match format {
                Format::Capture { .. } => Some(Numbering::default().after(listing.span.from.input)),
                Format::Csv { .. } | Format::Ndjson { .. } | Format::Json { .. } => None,
            },
            seen: Charged::new(&task.budget),
            texts: Charge::new(&task.budget),
        }
    }

    fn next_piece(&mut self) -> Result<Option<Piece>> {
        loop {
            let Some(open) = &mut self.open else {
                if !self.open_next()? {
                    return Ok(None);
                }
                continue;
            };
            if let Some(piece) = open.next_piece(self.stop)? {
                let begins = std::mem::take(&mut open.begins);
                if let (Some(numbers), Piece::Chunk(chunk)) = (&mut self.numbers, &piece) {
                    // With windows, all objects are parts of one capture.
                    let begins = begins && self.task.windows.is_none();
                    let followed = numbers.follow(chunk, begins);
                    followed.map_err(|fault| object_fault(&fault, &open.uri))?;
                }
                return Ok(Some(piece));
            }
            self.open = None;
        }
    }

    /// Opens the next object; `false` where there is none left.
    fn open_next(&mut self) -> Result<bool> {
        let Some(number) = self.listing.span.inputs().nth(self.seen.len()) else {
            return Ok(false);
        };
        let uri: Arc<str> = self.listing.uri(number).into();
        let opened = self.source.open(number)?;
        let offset = self.listing.span.part(number, opened.bytes).start;
        let (reader, compression) = match offset {
            0 => gzip::content(opened.reader).map_err(|cause| lifted(cause, &uri))?,
            // Only what is not compressed is cut.
            _ => (opened.reader, Compression::None),
        };
        let number =
            u32::try_from(number).map_err(|_| Error::defect("opening", "too many inputs"))?;
        let framer = Framer::new(self.format, &self.task.columns, number, Arc::clone(&uri))
            .for_stored(opened.bytes)
            .starting_at(offset);
        self.open = Some(Open {
            uri,
            compression,
            reader,
            framer,
            begins: true,
            damage: None,
        });
        self.see(Seen {
            version_id: opened.version_id.map(String::into_boxed_str),
            compression: compression.name(),
        })?;
        Ok(true)
    }
}

impl Objects<'_> {
    /// Keeps what was seen of an object for inputs.ndjson.gz: state, as the listing is.
    fn see(&mut self, seen: Seen) -> Result<()> {
        let text = seen.version_id.as_ref();
        let text_bytes = text.map_or(0, |id| id.len() + limits::ALLOCATION_BYTES);
        let charged = self.texts.add(text_bytes);
        let count = u64::try_from(self.seen.len()).unwrap_or(u64::MAX);
        charged
            .and_then(|()| self.seen.push(seen))
            .map_err(|exceeded| exceeded.error("what was seen of the inputs", count))
    }
}

impl Open<'_> {
    /// The next chunk of the object; `None` at its end.
    fn next_piece(&mut self, stop: &Stop) -> Result<Option<Piece>> {
        let lift = |fault| object_fault(&fault, &self.uri);
        loop {
            if let Some(damage) = self.damage.take() {
                return Err(damage);
            }
            if let Some(chunk) = self.framer.next().map_err(lift)? {
                return Ok(Some(Piece::Chunk(chunk)));
            }
            if self.framer.has_ended() {
                return Ok(None);
            }
            stop.check()?;
            match self.reader.read(self.framer.room()) {
                Ok(count) => self.framer.filled(count),
                Err(cause) => {
                    let error = self.lift(cause);
                    // Of a file that changed nothing is worth a word.
                    if error.kind() != Kind::Data {
                        return Err(error);
                    }
                    self.damage = Some(error);
                    if let Some(chunk) = self.framer.before_damage().map_err(lift)? {
                        return Ok(Some(Piece::Chunk(chunk)));
                    }
                }
            }
        }
    }

    /// Damage of gzip is a fault of the object; everything else is the store's to tell.
    fn lift(&self, cause: std::io::Error) -> Error {
        match (self.compression, gzip::damage(&cause)) {
            (Compression::Gzip, Some(found)) => {
                let advice = "write the object anew; nothing after the damage can be read";
                Error::new(
                    Kind::Data,
                    "decompressing",
                    "whole gzip members",
                    found,
                    advice,
                )
                .at_uri(self.uri.as_ref())
            }
            (Compression::Gzip | Compression::None, _) => lifted(cause, &self.uri),
        }
    }
}
