//! A capture with EVENT_TIME: its messages, in their order, through the windows of a stream (SPEC 6). What a live run decided is
//! decided again, by the same code, from what the capture holds.

use std::sync::Arc;

use super::feed::Feed;
use super::fold::Tally;
use super::work::{Piece, Task};
use crate::command::faults::object_fault;
use crate::command::windowed::{Written, lift, records, rejects};
use crate::decode::Chunk;
use crate::decode::captured::Lines;
use crate::error::{Error, Result};
use crate::log::Log;
use crate::message::Block;
use crate::query::plan::{Groups, Shape, Windows};
use crate::stop::Stop;
use crate::window::{Core, Terms, Totals};

/// A replay: what its windows are made by, and who takes what becomes of the messages.
pub(super) struct Replay<'run> {
    pub(super) task: &'run Task,
    pub(super) windows: Windows,
    pub(super) query: &'run str,
    pub(super) log: &'run Log,
    pub(super) stop: &'run Stop,
}

impl<'run> Replay<'run> {
    /// Takes the whole capture, and closes all windows. `uri` names an input.
    ///
    /// Errors: 65 for the first fault in message order; those of the inputs and of the artifacts; 75 when the run is stopped.
    pub(super) fn run(
        &self,
        feed: &mut Feed<'_>,
        written: &mut Written<'_>,
        tally: &mut Tally,
        uri: impl Fn(usize) -> String,
    ) -> Result<Totals> {
        let mut core = Core::new(self.terms()?);
        let mut block = Block::default();
        while let Some(piece) = feed.next_piece()? {
            self.stop.check()?;
            if let Piece::Chunk(chunk) = &piece {
                let fault = fill(&mut block, chunk);
                let taken = core.take(&block, written);
                self.count(&core, piece.input(), tally);
                taken.map_err(|halt| self.lift(halt))?;
                fault.map_err(|fault| object_fault(&fault, &uri(piece.input())))?;
            }
            feed.recycle(piece);
        }
        core.finish(written).map_err(|halt| self.lift(halt))
    }

    fn terms(&self) -> Result<Terms<'run>> {
        let task = self.task;
        Ok(Terms {
            groups: groups(task)?,
            filter: task.plan.filter.as_ref(),
            windows: self.windows,
            columns: &task.columns,
            records: task.records(),
            feeds: 0,
            rejects: rejects(task.on_bad_record),
            budget: Arc::clone(&task.budget),
        })
    }

    /// Notes where the records went.
    fn count(&self, core: &Core<'_>, input: usize, tally: &mut Tally) {
        let counts = core.counts();
        let before = std::mem::replace(&mut tally.records, records(counts));
        if let Some(read) = tally.read.get_mut(input) {
            *read += counts.read - before.read;
        }
        let inputs = tally.read.len();
        self.log.progress(|| {
            format!(
                "{} records read, input {} of {inputs}, {} windows open",
                counts.read,
                input + 1,
                core.open()
            )
        });
    }

    fn lift(&self, halt: crate::window::Halt<Error>) -> Error {
        let task = self.task;
        lift(halt, self.query, &task.columns, task.on_bad_record)
    }
}

/// The messages of a chunk, up to the first line that is none.
fn fill(block: &mut Block, chunk: &Chunk) -> std::result::Result<(), crate::decode::Fault> {
    block.clear();
    for line in Lines::of(chunk) {
        let line = line?;
        block.push(line.head, &line.message);
    }
    Ok(())
}

/// The groups of a query with windows, which has some by its checks.
fn groups(task: &Task) -> Result<&Groups> {
    match &task.plan.shape {
        Shape::Groups(groups) => Ok(groups),
        Shape::Rows(_) => Err(Error::defect(
            "replaying",
            "windows of a query without groups",
        )),
    }
}
