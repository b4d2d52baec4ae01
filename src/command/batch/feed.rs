//! The whole input in order, as numbered pieces: objects through gzip and framer, or stretches of a range.

use std::io::Read;
use std::sync::Arc;

use super::fold::object_fault;
use super::work::{Numbers, Piece, Task};
use crate::config::uri::NumberRange;
use crate::decode::{Format, Framer};
use crate::error::{Error, Kind, Result};
use crate::gzip::{self, Compression};
use crate::limits;
use crate::stop::Stop;
use crate::store::inputs::Input;
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
    range: NumberRange,
    /// The next number; the range's end where there is none left.
    next: i64,
}

/// Objects, one after the other.
pub(super) struct Objects<'run> {
    task: &'run Task,
    format: &'run Format,
    inputs: &'run [Input],
    uris: &'run [Arc<str>],
    stop: &'run Stop,
    open: Option<Open>,
    /// What is known of the objects opened so far, in order.
    seen: Vec<Seen>,
}

/// What is known of an object once it was opened.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) version_id: Option<String>,
    pub(super) compression: &'static str,
}

/// The object being read.
struct Open {
    uri: Arc<str>,
    compression: Compression,
    reader: Box<dyn Read + Send>,
    framer: Framer,
    /// Why nothing more can be read, to be told after the whole records before it.
    damage: Option<Error>,
}

impl<'run> Feed<'run> {
    /// The numbers of `range`.
    pub(super) fn range(range: NumberRange) -> Self {
        Self::Range(Range {
            next: range.start,
            range,
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
    pub(super) fn into_seen(self) -> Vec<Seen> {
        match self {
            Self::Objects(objects) => objects.seen,
            Self::Range(_) => Vec::new(),
        }
    }
}

impl Range {
    fn next_piece(&mut self) -> Option<Piece> {
        let start = self.next;
        if start >= self.range.end {
            return None;
        }
        self.next = start
            .saturating_add(limits::RANGE_PIECE_NUMBERS)
            .min(self.range.end);
        Some(Piece::Numbers(Numbers {
            origin: self.range.start,
            start,
            end: self.next,
        }))
    }
}

impl<'run> Objects<'run> {
    pub(super) fn new(
        task: &'run Task,
        format: &'run Format,
        inputs: &'run [Input],
        uris: &'run [Arc<str>],
        stop: &'run Stop,
    ) -> Self {
        Self {
            task,
            format,
            inputs,
            uris,
            stop,
            open: None,
            seen: Vec::new(),
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
                return Ok(Some(piece));
            }
            self.open = None;
        }
    }

    /// Opens the next object; `false` where there is none left.
    fn open_next(&mut self) -> Result<bool> {
        let number = self.seen.len();
        let (Some(input), Some(uri)) = (self.inputs.get(number), self.uris.get(number)) else {
            return Ok(false);
        };
        let opened = input.open(self.stop)?;
        let (reader, compression) =
            gzip::content(opened.reader).map_err(|cause| lifted(cause, uri))?;
        let number =
            u32::try_from(number).map_err(|_| Error::defect("opening", "too many inputs"))?;
        let framer = Framer::new(self.format, &self.task.columns, number, Arc::clone(uri))
            .for_stored(opened.bytes);
        self.open = Some(Open {
            uri: Arc::clone(uri),
            compression,
            reader,
            framer,
            damage: None,
        });
        self.seen.push(Seen {
            version_id: opened.version_id,
            compression: compression.name(),
        });
        Ok(true)
    }
}

impl Open {
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
