//! What a worker does with one piece of input: decode, WHERE, NOT NULL, then rollup or rows (ARCHITECTURE.md, "Why
//! batches, and why twice"). Knows nothing of threads, files or the pieces before.

use crate::config::OnBadRecord;
use crate::decode::{Chunk, Cursor, Decoder, Fault, Reason, Reject};
use crate::encode::Encoder;
use crate::error::Result;
use crate::limits;
use crate::query::eval::{self, Kept};
use crate::query::plan::{Plan, Shape};
use crate::query::Problem;
use crate::rollup::{self, Rollup};
use crate::value::column::Column;
use crate::value::vector::{Batch, Data, Vector};

/// A numbered stretch of the input, small enough for one worker.
#[derive(Debug)]
pub(super) enum Piece {
    /// Whole records of one object.
    Chunk(Chunk),
    /// Numbers of the range, END excluded.
    Numbers {
        /// The first number.
        start: i64,
        /// One past the last.
        end: i64,
        /// How many numbers of the range come before.
        before: u64,
    },
}

/// What became of a piece.
#[derive(Debug, Default)]
pub(super) struct Worked {
    /// Records counted, up to the fault or the limit where there is one.
    pub(super) read: u64,
    /// Records that the query used.
    pub(super) used: u64,
    /// Records that WHERE dropped.
    pub(super) filtered: u64,
    /// Bad records in input order; where the run may not have any, the fault is that record instead.
    pub(super) rejected: Vec<Rejected>,
    /// Output rows of a row-wise query, encoded: one for each record used.
    pub(super) rows: Vec<u8>,
    /// Why the run must end at this piece, once all before it are settled.
    pub(super) stopped: Option<Stopped>,
}

/// One bad record, with what rejected.ndjson keeps of it.
#[derive(Debug)]
pub(super) struct Rejected {
    pub(super) record: u32,
    pub(super) offset: u64,
    pub(super) column: Option<String>,
    pub(super) reason: String,
    pub(super) expected: String,
    pub(super) found: String,
    pub(super) raw: Vec<u8>,
    pub(super) total_bytes: u64,
}

/// Why a piece was not worked through.
#[derive(Debug)]
pub(super) enum Stopped {
    /// A bad record, and the run allows none.
    BadRecord(Box<Rejected>),
    /// An expression met a value that it has no result for.
    Problem { record: u32, offset: u64, problem: Box<Problem> },
    /// The object cannot be read on.
    Object(Fault),
    /// State passed its share of memory.
    Memory(rollup::Full),
    /// A state that the code rules out.
    Defect(&'static str),
}

/// How many records go in one batch, and where to end.
#[derive(Clone, Copy, Debug)]
enum Pace {
    /// As fast as it goes. What stops the piece is only known to be there.
    Batches,
    /// One by one, to the first thing that stops the piece, or to the record that gives the last of so many rows.
    Records { rows: u64 },
}

/// One worker's part of the run: its decoder, its buffers, its share of the state.
pub(super) struct Worker<'run> {
    task: &'run Task,
    decoder: Option<Decoder>,
    sink: Sink<'run>,
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
    /// How rows are written.
    pub(super) output_format: encode::Format,
    /// What a bad record does.
    pub(super) on_bad_record: OnBadRecord,
    /// What all state of the run may take.
    pub(super) budget: Arc<Budget>,
}

/// Where the records that are used go.
enum Sink<'run> {
    Groups(Box<Rollup<'run>>),
    Rows(&'run [Expr], Encoder),
}

impl Task {
    /// Writes the rows of the output.
    pub(super) fn encoder(&self) -> Encoder {
        let outputs = &self.plan.outputs;
        let columns = outputs.iter().map(|output| (output.name.clone(), output.ty)).collect();
        Encoder::new(self.output_format, columns)
    }

    /// LIMIT of a row-wise query.
    pub(super) fn rows_limit(&self) -> Option<u64> {
        match &self.plan.shape {
            Shape::Rows(rows) => rows.limit,
            Shape::Groups(_) => None,
        }
    }
}

impl<'run> Worker<'run> {
    pub(super) fn new(task: &'run Task) -> Self {
        let sink = match &task.plan.shape {
            Shape::Groups(groups) => {
                Sink::Groups(Box::new(Rollup::new(groups, Arc::clone(&task.budget))))
            }
            Shape::Rows(rows) => Sink::Rows(&rows.outputs, task.encoder()),
        };
        let decoder = task.format.as_ref().map(|format| Decoder::new(format, task.columns.clone()));
        Self { task, decoder, sink, batch: Batch::default(), rejects: Vec::new() }
    }

    /// Works a piece through: in batches, and again record by record where anything stops it there, because only then
    /// what stopped it, and the counts before it, are those of the first record in input order.
    pub(super) fn work(&mut self, piece: &Piece) -> Worked {
        let fast = self.pass(piece, Pace::Batches);
        match fast.stopped {
            None | Some(Stopped::Memory(_)) => fast,
            Some(_) => self.exactly(piece, u64::MAX),
        }
    }

    /// Works a piece record by record, to the record that gives the last of `rows` rows.
    pub(super) fn exactly(&mut self, piece: &Piece, rows: u64) -> Worked {
        self.pass(piece, Pace::Records { rows })
    }

    /// The state that this worker gathered; `None` for a row-wise query.
    pub(super) fn into_rollup(self) -> Option<Rollup<'run>> {
        match self.sink {
            Sink::Groups(rollup) => Some(*rollup),
            Sink::Rows(..) => None,
        }
    }

    /// For each column, whether any record had it; `None` for `range:`.
    pub(super) fn saw_value(&self) -> Option<&[bool]> {
        self.decoder.as_ref().map(Decoder::saw_value)
    }

    fn pass(&mut self, piece: &Piece, pace: Pace) -> Worked {
        let mut worked = Worked::default();
        let (max_rows, rows) = match pace {
            Pace::Batches => (limits::BATCH_ROWS, u64::MAX),
            Pace::Records { rows } => (1, rows),
        };
        let mut cursor = Cursor::default();
        while worked.used < rows && !self.is_done(piece, &cursor) {
            let step = self
                .fill(piece, &mut cursor, max_rows)
                .and_then(|()| self.settle_rejects(piece, &mut worked))
                .and_then(|()| self.use_batch(piece, &mut worked));
            if let Err(stopped) = step {
                worked.stopped = Some(stopped);
                break;
            }
        }
        worked
    }

    fn is_done(&self, piece: &Piece, cursor: &Cursor) -> bool {
        match piece {
            Piece::Chunk(chunk) => cursor.is_at_end(chunk),
            Piece::Numbers(numbers) => cursor.record >= numbers.count(),
        }
    }

    /// The next records of the piece into the batch and the rejects.
    fn fill(&mut self, piece: &Piece, cursor: &mut Cursor, max_rows: usize) -> Step {
        self.rejects.clear();
        match (piece, &mut self.decoder) {
            (Piece::Chunk(chunk), Some(decoder)) => decoder
                .decode(chunk, cursor, max_rows, &mut self.batch, &mut self.rejects)
                .map_err(Stopped::Object),
            (Piece::Numbers(numbers), _) => {
                numbers.fill(cursor, max_rows, &self.task.columns, &mut self.batch);
                Ok(())
            }
            (Piece::Chunk(_), None) => Err(Stopped::Defect("a chunk, and no format to read it by")),
        }
    }

    /// Counts the bad records of the batch, or stops at the first.
    fn settle_rejects(&mut self, piece: &Piece, worked: &mut Worked) -> Step {
        worked.read += count(self.rejects.len()) + count(self.batch.rows);
        for reject in std::mem::take(&mut self.rejects) {
            let rejected = Rejected::new(reject, piece, &self.task.columns);
            match self.task.on_bad_record {
                OnBadRecord::Fail => return Err(Stopped::BadRecord(Box::new(rejected))),
                OnBadRecord::Reject { .. } => worked.rejected.push(rejected),
            }
        }
        Ok(())
    }

    /// WHERE, NOT NULL, then the query.
    fn use_batch(&mut self, piece: &Piece, worked: &mut Worked) -> Step {
        let rows = self.batch.rows;
        let at = self.batch.position(0).offset;
        let record = self.batch.records.first().copied().unwrap_or_default();
        let problem = |problem| Stopped::Problem { record, offset: at, problem: Box::new(problem) };
        if let Some(filter) = &self.task.plan.filter {
            let kept = eval::filter(filter, &self.batch).map_err(problem)?;
            if let Some(kept) = kept {
                self.batch = self.batch.gather(&kept);
            }
        }
        worked.filtered += count(rows - self.batch.rows);
        self.drop_missing(piece, worked)?;
        worked.used += count(self.batch.rows);
        match &mut self.sink {
            Sink::Groups(rollup) => rollup.add(&self.batch).map_err(|failure| match failure {
                rollup::Failure::Problem(found) => problem(found),
                rollup::Failure::Full(full) => Stopped::Memory(full),
            }),
            Sink::Rows(outputs, encoder) => {
                let columns = outputs
                    .iter()
                    .map(|output| eval::evaluate_vector(output, &self.batch))
                    .collect::<Result<Vec<_>, _>>()
                    .map_err(problem)?;
                encoder.rows(&columns, self.batch.rows, &mut worked.rows);
                Ok(())
            }
        }
    }

    /// Records without a value where COLUMNS says NOT NULL are bad, after WHERE (SPEC 4).
    fn drop_missing(&mut self, piece: &Piece, worked: &mut Worked) -> Step {
        let (Piece::Chunk(chunk), Some(decoder)) = (piece, &self.decoder) else { return Ok(()) };
        let is_missing = |row: usize| {
            let mut columns = self.task.columns.iter().zip(&self.batch.columns);
            columns.position(|(column, vector)| column.not_null && !vector.valid.is_valid(row))
        };
        let required = self.task.columns.iter().zip(&self.batch.columns);
        if !required.into_iter().any(|(column, vector)| column.not_null && vector.valid.flags().is_some()) {
            return Ok(());
        }
        let mut kept = Vec::with_capacity(self.batch.rows);
        for row in 0..self.batch.rows {
            let Some(column) = is_missing(row) else {
                kept.extend(u32::try_from(row));
                continue;
            };
            let offset = self.batch.position(row).offset;
            let record = self.batch.records.get(row).copied().unwrap_or_default();
            let raw = decoder.record_at(chunk, offset);
            let rejected = Rejected::missing(record, offset, raw, self.task.columns.get(column));
            match self.task.on_bad_record {
                OnBadRecord::Fail => return Err(Stopped::BadRecord(Box::new(rejected))),
                OnBadRecord::Reject { .. } => worked.rejected.push(rejected),
            }
        }
        self.batch = self.batch.gather(&kept);
        Ok(())
    }
}
