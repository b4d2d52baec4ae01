//! Worker threads and the order they are kept in: piece *k* goes to lane *k* mod *n*, and its answer is taken from
//! that lane when all earlier ones have been. Order costs no buffer and no lock, whatever arrives when.

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, Scope, ScopedJoinHandle, scope};

use super::feed::Feed;
use super::fold::{Flow, Fold};
use super::work::{Piece, Task, Worked, Worker};
use crate::decode::Cursor;
use crate::error::{Error, Kind, Result};
use crate::limits;
use crate::stop::Stop;

/// One worker thread, with a channel each way that holds what may be under way.
struct Lane<'scope, 'run> {
    pieces: SyncSender<Piece>,
    answers: Receiver<(Piece, Worked)>,
    thread: ScopedJoinHandle<'scope, Worker<'run>>,
}

/// Works the whole input through with `threads` workers, and gives them back with the state they gathered.
///
/// Errors: the first one in input order, wherever it arose; 75 when the run is stopped; 74 where no thread can be had.
/// Panics: with a worker's panic, which the supervisor turns into 70.
pub(super) fn drive<'run>(
    task: &'run Task,
    threads: usize,
    feed: &mut Feed<'_>,
    fold: &mut Fold<'_, 'run>,
    stop: &Stop,
) -> Result<Vec<Worker<'run>>> {
    scope(|scope| {
        let lanes = (0..threads)
            .map(|_| Lane::start(scope, task))
            .collect::<Result<Vec<_>>>()?;
        let outcome = pump(&lanes, feed, fold, stop);
        let workers: Vec<_> = lanes.into_iter().map(Lane::join).collect();
        outcome.map(|()| workers)
    })
}

/// Keeps every lane busy, and folds the answers by number.
fn pump<'run>(
    lanes: &[Lane<'_, 'run>],
    feed: &mut Feed<'_>,
    fold: &mut Fold<'_, 'run>,
    stop: &Stop,
) -> Result<()> {
    let (mut sent, mut folded) = (0, 0);
    // What the feed ended with is told only when everything before it is settled.
    let mut end = None;
    loop {
        stop.check()?;
        while end.is_none() && sent - folded < lanes.len() * limits::CHUNKS_PER_WORKER {
            match feed.next_piece() {
                Ok(Some(piece)) => {
                    lane(lanes, sent)?.send(piece)?;
                    sent += 1;
                }
                Ok(None) => end = Some(Ok(())),
                Err(error) => end = Some(Err(error)),
            }
        }
        if folded == sent {
            return end.unwrap_or(Ok(()));
        }
        let (piece, worked) = lane(lanes, folded)?.receive()?;
        folded += 1;
        if fold.fold(&piece, worked)? == Flow::Filled {
            return Ok(());
        }
        feed.recycle(piece);
    }
}

fn lane<'lanes, 'scope, 'run>(
    lanes: &'lanes [Lane<'scope, 'run>],
    number: usize,
) -> Result<&'lanes Lane<'scope, 'run>> {
    let index = number.checked_rem(lanes.len()).unwrap_or_default();
    lanes
        .get(index)
        .ok_or_else(|| Error::defect("working", "no worker"))
}

impl<'scope, 'run: 'scope> Lane<'scope, 'run> {
    fn start(scope: &'scope Scope<'scope, '_>, task: &'run Task) -> Result<Self> {
        let (pieces, inbox) = sync_channel::<Piece>(limits::CHUNKS_PER_WORKER);
        let (outbox, answers) = sync_channel(limits::CHUNKS_PER_WORKER);
        let work = move || {
            let mut worker = Worker::new(task);
            for piece in inbox {
                let worked = worker.work(&piece, Cursor::default());
                if outbox.send((piece, worked)).is_err() {
                    break;
                }
            }
            worker
        };
        let thread = Builder::new()
            .name("worker".into())
            .stack_size(limits::STACK_BYTES)
            .spawn_scoped(scope, work);
        let thread = thread.map_err(|cause| {
            let advice = "allow the process more threads, or set WINDROW_THREADS lower";
            Error::new(
                Kind::LocalIo,
                "starting",
                "a worker thread",
                cause.to_string(),
                advice,
            )
        })?;
        Ok(Self {
            pieces,
            answers,
            thread,
        })
    }
}

impl<'run> Lane<'_, 'run> {
    fn send(&self, piece: Piece) -> Result<()> {
        self.pieces
            .send(piece)
            .map_err(|_| Error::defect("working", "a worker that left early"))
    }

    fn receive(&self) -> Result<(Piece, Worked)> {
        self.answers
            .recv()
            .map_err(|_| Error::defect("working", "a worker that left early"))
    }

    /// Ends the worker; its panic, if it had one, goes on here.
    fn join(self) -> Worker<'run> {
        drop((self.pieces, self.answers));
        self.thread
            .join()
            .unwrap_or_else(|panic| resume_unwind(panic))
    }
}
