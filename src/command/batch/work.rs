//! What a worker does with one piece of input: decode, WHERE, NOT NULL, then rollup or rows (ARCHITECTURE.md, "Why
//! batches, and why twice"). Knows nothing of threads, files or the pieces before.

use std::borrow::Cow;
use std::sync::Arc;

use crate::budget::Budget;
use crate::command::outputs;
use crate::command::rejected::Rejected;
use crate::config::values::{OnBadRecord, OutputFormat};
use crate::config::{Compiled, Config, Input};
use crate::decode::{self, Chunk, Cursor, Decoder, Fault, Met, Reject};
use crate::encode::Encoder;
use crate::limits;
use crate::query::Problem;
use crate::query::eval::{self, Kept};
use crate::query::plan::{Expr, Plan, Shape, Windows};
use crate::rollup::{self, State};
use crate::value::Type;
use crate::value::column::{Column, Path};
use crate::value::vector::{Batch, Data, Vector};

/// A numbered stretch of the input, small enough for one worker.
#[derive(Debug)]
pub(super) enum Piece {
    /// Whole records of one object.
    Chunk(Chunk),
    /// Numbers of the range.
    Numbers(Numbers),
}

/// A stretch of a range: `start` included, `end` not; `origin` is where the range starts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers {
    pub(super) origin: i64,
    pub(super) start: i64,
    pub(super) end: i64,
}

impl Numbers {
    fn count(&self) -> u64 {
        self.start.abs_diff(self.end)
    }

    /// The next numbers from `cursor` on, as the one column `i`.
    fn fill(&self, cursor: &mut Cursor, max_rows: usize, columns: usize, batch: &mut Batch) {
        let from = self.start.saturating_add_unsigned(cursor.record);
        let rows = usize::try_from(from.abs_diff(self.end))
            .unwrap_or(usize::MAX)
            .min(max_rows);
        let numbers = || (from..self.end).take(rows);
        batch.rows = rows;
        batch.input = 0;
        batch.offsets = numbers()
            .map(|number| number.abs_diff(self.origin))
            .collect();
        batch.records = (0..)
            .skip(usize::try_from(cursor.record).unwrap_or_default())
            .take(rows)
            .collect();
        batch.columns = vec![Vector::from_data(Data::Int(numbers().collect())); columns];
        cursor.record += count(rows);
    }
}

impl Piece {
    fn is_done(&self, cursor: &Cursor) -> bool {
        match self {
            Piece::Chunk(chunk) => cursor.is_at_end(chunk),
            Piece::Numbers(numbers) => cursor.record >= numbers.count(),
        }
    }

    /// Number of the object in input order.
    pub(super) fn input(&self) -> usize {
        match self {
            Piece::Chunk(chunk) => chunk.input as usize,
            Piece::Numbers(_) => 0,
        }
    }
}

/// What became of a piece, or of a part of one.
#[derive(Debug, Default)]
pub(super) struct Worked {
    /// Where in the piece this part starts.
    pub(super) from: Cursor,
    /// What the part adds up to, up to the fault or the limit where there is one.
    pub(super) counts: Counts,
    /// Bad records in input order; where the run may not have any, the fault is that record instead.
    pub(super) rejected: Vec<Rejected>,
    /// Output rows of a row-wise query, encoded: one for each record used.
    pub(super) rows: Vec<u8>,
    /// Where the rest of the piece starts, when this is enough for one part.
    pub(super) rest: Option<Cursor>,
    /// Why the run must end at this piece, once all before it are settled.
    pub(super) stopped: Option<Stopped>,
}

/// Numbers of records.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    /// All of them.
    pub(super) read: u64,
    /// Those that the query used.
    pub(super) used: u64,
    /// Those that WHERE dropped.
    pub(super) filtered: u64,
}

/// Why a piece was not worked through.
#[derive(Debug)]
pub(super) enum Stopped {
    /// A bad record, and the run allows none.
    BadRecord(Box<Rejected>),
    /// An expression met a value that it has no result for.
    Problem {
        record: u32,
        offset: u64,
        problem: Box<Problem>,
    },
    /// The object cannot be read on.
    Object(Fault),
    /// State passed its share of memory.
    Memory(rollup::Full),
    /// Output rows hold more text than a batch may, or one row more than any may.
    LongRows {
        record: u32,
        offset: u64,
        bytes: usize,
    },
    /// A state that the code rules out.
    Defect(&'static str),
}

/// Goes on, or stops the piece.
type Step = Result<(), Stopped>;

/// One worker's part of the run: its decoder, its buffers, its share of the state.
pub(super) struct Worker<'run> {
    task: &'run Task,
    decoder: Option<Decoder>,
    sink: Sink<'run>,
    /// Records of the next batch: fewer while their rows are long.
    batch_rows: usize,
    batch: Batch,
    rejects: Vec<Reject>,
}

/// What all workers of a run have in common.
#[derive(Debug)]
pub(super) struct Task {
    /// The checked query.
    pub(super) plan: Plan,
    /// The columns that are read, as the plan numbers them.
    pub(super) columns: Vec<Column>,
    /// How objects are to be read; `None` for `range:`.
    pub(super) format: Option<decode::Format>,
    /// The windows of a capture with EVENT_TIME.
    pub(super) windows: Option<Windows>,
    /// How rows are written.
    pub(super) output_format: OutputFormat,
    /// What a bad record does.
    pub(super) on_bad_record: OnBadRecord,
    /// What all state of the run may take.
    pub(super) budget: Arc<Budget>,
}

/// Where the records that are used go.
enum Sink<'run> {
    State(Box<State<'run>>),
    Rows(&'run [Expr], Encoder),
}

impl Task {
    /// Of a configuration whose texts were read.
    pub(super) fn new(config: &Config, compiled: Compiled, budget: Arc<Budget>) -> Self {
        Self {
            columns: compiled.read(),
            plan: compiled.plan,
            windows: compiled.windows,
            format: match &config.input {
                Input::Objects { format, .. } => Some(format.clone()),
                Input::Range(_) | Input::Feeds(_) => None,
            },
            output_format: config.output_format,
            on_bad_record: config.on_bad_record,
            budget,
        }
    }

    /// The types of the columns of a batch.
    pub(super) fn types(&self) -> Vec<Type> {
        let columns = self.columns.iter();
        columns.map(|column| column.form.ty()).collect()
    }

    /// Writes the rows of the output.
    fn encoder(&self) -> Encoder {
        outputs::encoder(self.output_format, &self.plan.outputs)
    }

    /// RECORDS.
    pub(super) fn records(&self) -> Option<&Path> {
        match self.format.as_ref()? {
            decode::Format::Ndjson { records }
            | decode::Format::Json { records }
            | decode::Format::Capture { records } => records.as_ref(),
            decode::Format::Csv { .. } => None,
        }
    }

    /// The outputs of a row-wise query.
    fn row_outputs(&self) -> &[Expr] {
        match &self.plan.shape {
            Shape::Rows(rows) => &rows.outputs,
            Shape::Groups(_) => &[],
        }
    }

    /// LIMIT of a query whose rows go out as they come.
    pub(super) fn rows_limit(&self) -> Option<u64> {
        match &self.plan.shape {
            Shape::Rows(rows) if rows.order.is_empty() => rows.limit,
            Shape::Rows(_) | Shape::Groups(_) => None,
        }
    }
}

impl<'run> Worker<'run> {
    pub(super) fn new(task: &'run Task) -> Self {
        let sink = match State::new(&task.plan.shape, &task.budget) {
            Some(state) => Sink::State(Box::new(state)),
            None => Sink::Rows(task.row_outputs(), task.encoder()),
        };
        let decoder = task
            .format
            .as_ref()
            .map(|format| Decoder::new(format, task.columns.clone()));
        Self {
            task,
            decoder,
            sink,
            batch_rows: limits::FIRST_BATCH_ROWS,
            batch: Batch::default(),
            rejects: Vec::new(),
        }
    }

    /// Works a piece, or the rest of one that starts at `from`.
    ///
    /// A batch that anything stops is worked again record by record, because only then what stopped it, and the counts
    /// before it, are those of the first record in input order.
    pub(super) fn work(&mut self, piece: &Piece, from: Cursor) -> Worked {
        let mut worked = Worked {
            from,
            ..Worked::default()
        };
        let mut cursor = from;
        while !piece.is_done(&cursor) {
            if worked.is_enough() {
                worked.rest = Some(cursor);
                break;
            }
            let (start, mark) = (cursor, worked.mark());
            match self.step(piece, &mut cursor, self.batch_rows, &mut worked) {
                Ok(()) => self.suit_batches_to(worked.rows.len() - mark.rows),
                Err(Stopped::Memory(full)) => {
                    worked.stopped = Some(Stopped::Memory(full));
                    break;
                }
                Err(Stopped::LongRows { .. }) if self.batch_rows > 1 => {
                    worked.back_to(mark);
                    cursor = start;
                    self.batch_rows /= 2;
                }
                Err(_) => {
                    worked.back_to(mark);
                    // No record stops it where the batch only computed too much text at once.
                    self.one_by_one(piece, start, Room::NO_END, &mut worked);
                    break;
                }
            }
        }
        // NOT NULL finds its bad records after the decoder found those of the same batch.
        worked
            .rejected
            .sort_unstable_by_key(|rejected| rejected.record);
        worked
    }

    /// Works a piece from `from` on to the record that is the last of what `room` there is, or one too many.
    pub(super) fn work_within(&mut self, piece: &Piece, from: Cursor, room: Room) -> Worked {
        let mut worked = Worked {
            from,
            ..Worked::default()
        };
        self.one_by_one(piece, from, room, &mut worked);
        worked
    }

    /// The state that this worker gathered; `None` for a row-wise query.
    pub(super) fn into_state(self) -> Option<State<'run>> {
        match self.sink {
            Sink::State(state) => Some(*state),
            Sink::Rows(..) => None,
        }
    }

    /// What was met of each column; `None` for `range:`.
    pub(super) fn met(&self) -> Option<&[Met]> {
        self.decoder.as_ref().map(Decoder::met)
    }

    /// Record by record, until something stops the piece, there is no room, or it ends.
    fn one_by_one(&mut self, piece: &Piece, mut cursor: Cursor, room: Room, worked: &mut Worked) {
        while room.is_left(worked) && worked.stopped.is_none() && !piece.is_done(&cursor) {
            worked.stopped = self.step(piece, &mut cursor, 1, worked).err();
        }
    }

    /// Long rows go in small batches, so that one batch never takes much memory.
    fn suit_batches_to(&mut self, rows_bytes: usize) {
        self.batch_rows = match rows_bytes {
            long if long > limits::PART_ROWS_BYTES / 4 => self.batch_rows / 2,
            short if short < limits::PART_ROWS_BYTES / 16 => self.batch_rows * 2,
            _ => self.batch_rows,
        }
        .clamp(1, limits::BATCH_ROWS);
    }

    /// One batch, from bytes to the sink.
    fn step(
        &mut self,
        piece: &Piece,
        cursor: &mut Cursor,
        max_rows: usize,
        worked: &mut Worked,
    ) -> Step {
        self.fill(piece, cursor, max_rows)?;
        worked.counts.read += count(self.rejects.len()) + count(self.batch.rows);
        self.settle_rejects(piece, worked)?;
        let record = self.batch.records.first().copied().unwrap_or_default();
        let offset = self.batch.position(0).offset;
        let problem = |problem| Stopped::Problem {
            record,
            offset,
            problem: Box::new(problem),
        };
        self.filter(worked).map_err(problem)?;
        self.drop_missing(piece, worked)?;
        self.sink
            .take(&self.batch, &mut worked.rows)
            .map_err(|halt| match halt {
                Halt::Rollup(rollup::Failure::Problem(found)) => problem(found),
                Halt::Rollup(rollup::Failure::Full(full)) => Stopped::Memory(full),
                Halt::LongRows(bytes) => Stopped::LongRows {
                    record,
                    offset,
                    bytes,
                },
            })?;
        worked.counts.used += count(self.batch.rows);
        Ok(())
    }

    /// The next records of the piece into the batch and the rejects.
    fn fill(&mut self, piece: &Piece, cursor: &mut Cursor, max_rows: usize) -> Step {
        self.rejects.clear();
        match (piece, &mut self.decoder) {
            (Piece::Chunk(chunk), Some(decoder)) => decoder
                .decode(chunk, cursor, max_rows, &mut self.batch, &mut self.rejects)
                .map_err(Stopped::Object),
            (Piece::Chunk(_), None) => Err(Stopped::Defect("a chunk, and no format to read it by")),
            (Piece::Numbers(numbers), _) => {
                numbers.fill(cursor, max_rows, self.task.columns.len(), &mut self.batch);
                Ok(())
            }
        }
    }

    /// Counts the bad records of the batch, or stops at the first.
    fn settle_rejects(&mut self, piece: &Piece, worked: &mut Worked) -> Step {
        let Piece::Chunk(chunk) = piece else {
            return Ok(());
        };
        for reject in self.rejects.drain(..) {
            let decoder = self.decoder.as_ref();
            let raw = decoder.map_or(&[][..], |decoder| decoder.raw(chunk, &reject));
            let rejected = Rejected::new(&reject, raw, &self.task.columns);
            settle(rejected, self.task.on_bad_record, worked)?;
        }
        Ok(())
    }

    /// WHERE.
    fn filter(&mut self, worked: &mut Worked) -> Result<(), Problem> {
        let Some(filter) = &self.task.plan.filter else {
            return Ok(());
        };
        if let Kept::Rows(kept) = eval::filter(filter, &self.batch)? {
            worked.counts.filtered += count(self.batch.rows - kept.len());
            self.batch = self.batch.gather(&kept);
        }
        Ok(())
    }

    /// Records without a value where COLUMNS says NOT NULL are bad, after WHERE (SPEC 4).
    fn drop_missing(&mut self, piece: &Piece, worked: &mut Worked) -> Step {
        let required = || {
            let pairs = self.task.columns.iter().zip(&self.batch.columns);
            pairs.filter(|(column, vector)| column.not_null && vector.valid.flags().is_some())
        };
        let (Piece::Chunk(chunk), Some(decoder)) = (piece, &self.decoder) else {
            return Ok(());
        };
        if required().next().is_none() {
            return Ok(());
        }
        let mut kept = Vec::with_capacity(self.batch.rows);
        for row in 0..self.batch.rows {
            let missing = required().find(|(_, vector)| !vector.valid.is_valid(row));
            let Some((column, _)) = missing else {
                kept.extend(u32::try_from(row));
                continue;
            };
            let offset = self.batch.position(row).offset;
            let record = self.batch.records.get(row).copied().unwrap_or_default();
            let raw = decoder.record_at(chunk, offset);
            let rejected = Rejected::missing(record, offset, raw, column);
            settle(rejected, self.task.on_bad_record, worked)?;
        }
        self.batch = self.batch.gather(&kept);
        Ok(())
    }
}

/// What a run may still take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Rows that LIMIT still allows.
    pub(super) rows: u64,
    /// Bad records that ON_BAD_RECORD still allows; the one after them ends the run.
    pub(super) rejected: u64,
}

impl Room {
    /// For what nothing bounds.
    pub(super) const NO_END: Self = Self {
        rows: u64::MAX,
        rejected: u64::MAX,
    };

    /// Whether there is room for more after `worked`.
    pub(super) fn is_left(self, worked: &Worked) -> bool {
        worked.counts.used < self.rows && count(worked.rejected.len()) <= self.rejected
    }
}

/// How far a part had come.
#[derive(Clone, Copy)]
struct Mark {
    counts: Counts,
    rejected: usize,
    rows: usize,
}

impl Worked {
    /// Whether it holds as much as a part may, so that neither long rows nor bad records pile up.
    fn is_enough(&self) -> bool {
        self.rows.len() >= limits::PART_ROWS_BYTES || self.rejected.len() >= limits::PART_REJECTED
    }

    fn mark(&self) -> Mark {
        Mark {
            counts: self.counts,
            rejected: self.rejected.len(),
            rows: self.rows.len(),
        }
    }

    fn back_to(&mut self, mark: Mark) {
        self.counts = mark.counts;
        self.rejected.truncate(mark.rejected);
        self.rows.truncate(mark.rows);
    }
}

/// Why a sink does not take a batch.
enum Halt {
    Rollup(rollup::Failure),
    /// So many bytes of text are in its rows.
    LongRows(usize),
}

impl Sink<'_> {
    /// Takes the records that are used; rows of a row-wise query are appended to `rows`.
    fn take(&mut self, batch: &Batch, rows: &mut Vec<u8>) -> Result<(), Halt> {
        match self {
            Sink::State(state) => state.add(batch).map_err(Halt::Rollup),
            Sink::Rows(outputs, encoder) => {
                let columns = outputs
                    .iter()
                    .map(|output| {
                        Ok(eval::evaluate(output, batch)?.into_vector(output.ty, batch.rows))
                    })
                    .collect::<Result<Vec<_>, Problem>>()
                    .map_err(|problem| Halt::Rollup(problem.into()))?;
                // Looked at before the rows are written: what one record is asked for may be many times the record.
                let bytes = text_bytes(&columns);
                let most = match batch.rows {
                    1 => limits::OUTPUT_ROW_BYTES,
                    _ => limits::PART_ROWS_BYTES,
                };
                if bytes > most {
                    return Err(Halt::LongRows(bytes));
                }
                encoder.rows(&columns, batch.rows, rows);
                Ok(())
            }
        }
    }
}

/// Bytes of text in a batch of output rows.
fn text_bytes(columns: &[Cow<'_, Vector>]) -> usize {
    let texts = columns.iter().filter_map(|column| match &column.data {
        Data::Text(texts) => Some(texts.text_bytes()),
        Data::Boolean(_) | Data::Int(_) | Data::Wide(_) | Data::Double(_) => None,
    });
    texts.sum()
}

/// A bad record is counted, or stops the piece.
fn settle(rejected: Rejected, on_bad_record: OnBadRecord, worked: &mut Worked) -> Step {
    match on_bad_record {
        OnBadRecord::Fail => Err(Stopped::BadRecord(Box::new(rejected))),
        OnBadRecord::Reject { .. } => {
            worked.rejected.push(rejected);
            Ok(())
        }
    }
}

/// A length as a number of records.
fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
