//! The threads that fetch segments, and the reader that puts them together again.

use std::cell::Cell;
use std::io::{self, Read};
use std::iter;
use std::mem;
use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, Scope, scope};

use super::{Opened, Span};
use crate::error::{Error, Kind, Result};
use crate::stop::{Cause, Stop};
use crate::store::Stretch;
use crate::store::inputs::{Input, Inputs};

/// What the threads have fetched, in the order of the inputs.
pub(super) struct Ahead<'run> {
    inputs: &'run Inputs,
    span: Span,
    segment_bytes: u64,
    /// Segment *k* comes from lane *k* mod their number.
    lanes: Vec<Receiver<Result<Stretch>>>,
    spent: &'run Spent,
    /// The next segment to be taken, by its number over all inputs.
    next: Cell<usize>,
    /// The input whose segments start at `start`; inputs are opened in their order.
    opened: Cell<usize>,
    start: Cell<usize>,
}

/// Buffers that were read: a buffer serves again and again, so that the allocator has nothing to do with what is held.
type Spent = Mutex<Vec<Vec<u8>>>;

/// Fetches with `threads` while `read` runs; they are stopped when that returns.
pub(super) fn with<T>(
    inputs: &Inputs,
    span: Span,
    segment_bytes: u64,
    threads: usize,
    stop: &Stop,
    read: impl FnOnce(Ahead<'_>) -> Result<T>,
) -> Result<T> {
    // A run whose LIMIT is filled goes on; what fetches for it does not.
    let stop = stop.part();
    let segments = plan(inputs, span, segment_bytes).take(threads).count();
    let spent = Spent::default();
    scope(|scope| {
        let lanes = (0..segments)
            .map(|lane| {
                let segments = plan(inputs, span, segment_bytes)
                    .skip(lane)
                    .step_by(segments);
                start(scope, segments, &spent, &stop)
            })
            .collect::<Result<Vec<_>>>();
        let outcome = lanes.and_then(|lanes| {
            read(Ahead {
                inputs,
                span,
                segment_bytes,
                lanes,
                spent: &spent,
                next: Cell::new(0),
                opened: Cell::new(span.from.input),
                start: Cell::new(0),
            })
        });
        stop.request(Cause::Failure);
        outcome
    })
}

/// Every segment of the inputs of `span`, in order.
fn plan(
    inputs: &Inputs,
    span: Span,
    segment_bytes: u64,
) -> impl Iterator<Item = (Input<'_>, Range<u64>)> {
    let spanned = span.inputs();
    let spanned = spanned.filter_map(move |number| Some((number, inputs.get(number)?)));
    spanned.flat_map(move |(number, input)| {
        let part = span.part(number, input.entry.bytes);
        iter::repeat(input).zip(segments(&input, part, segment_bytes))
    })
}

/// The segments of a part of one input: one at least, for an empty object must still be there; none where it has no
/// ranges.
fn segments(
    input: &Input<'_>,
    part: Range<u64>,
    segment_bytes: u64,
) -> impl Iterator<Item = Range<u64>> + use<> {
    let bytes = part.end - part.start;
    let count = match input.has_ranges() {
        true => bytes.div_ceil(segment_bytes).max(1),
        false => 0,
    };
    (0..count).map(move |number| {
        let start = part.start + number.saturating_mul(segment_bytes);
        start..start.saturating_add(segment_bytes).min(part.end)
    })
}

/// Starts a thread that fetches `segments`, each when the one before it was taken.
fn start<'scope, 'run: 'scope>(
    scope: &'scope Scope<'scope, '_>,
    segments: impl Iterator<Item = (Input<'run>, Range<u64>)> + Send + 'scope,
    spent: &'run Spent,
    stop: &Stop,
) -> Result<Receiver<Result<Stretch>>> {
    // No room in the channel: a thread holds its segment until it is wanted, and that is all that is held.
    let (fetched, lane) = sync_channel(0);
    let stop = stop.clone();
    let work = move || fetch(segments, &fetched, spent, &stop);
    let thread = Builder::new()
        .name("fetch".into())
        .spawn_scoped(scope, work);
    match thread {
        Ok(_) => Ok(lane),
        Err(cause) => Err(Error::new(
            Kind::LocalIo,
            "starting",
            "a thread that fetches",
            cause.to_string(),
            "allow the process more threads",
        )),
    }
}

/// Ends with the first error, or when nobody takes what it fetches.
fn fetch<'run>(
    segments: impl Iterator<Item = (Input<'run>, Range<u64>)>,
    fetched: &SyncSender<Result<Stretch>>,
    spent: &Spent,
    stop: &Stop,
) {
    for (input, range) in segments {
        let room = lock(spent).pop().unwrap_or_default();
        let stretch = input.range(range, room, stop);
        let is_last = stretch.is_err();
        if fetched.send(stretch).is_err() || is_last {
            return;
        }
    }
}

impl<'run> Ahead<'run> {
    /// Opens an input that has ranges.
    pub(super) fn open<'a>(&'a self, number: usize) -> Result<Opened<'a>> {
        let count = |number: usize| {
            let Some(input) = self.inputs.get(number) else {
                return 0;
            };
            let part = self.span.part(number, input.entry.bytes);
            segments(&input, part, self.segment_bytes).count()
        };
        let passed: usize = (self.opened.get()..number).map(count).sum();
        let start = self.start.get().saturating_add(passed);
        self.opened.set(number);
        self.start.set(start);
        while self.next.get() < start {
            self.take()?;
        }
        let input = self.inputs.get(number);
        let input = input.ok_or_else(|| Error::defect("opening", "no such input"))?;
        let end = start.saturating_add(count(number));
        let Stretch { bytes, version_id } = self.take()?;
        let reader = Joined {
            ahead: self,
            end,
            bytes,
            at: 0,
        };
        Ok(Opened {
            bytes: input.entry.bytes,
            version_id,
            reader: Box::new(reader),
        })
    }

    /// The next segment.
    fn take(&self) -> Result<Stretch> {
        let number = self.next.get();
        self.next.set(number.saturating_add(1));
        let lane = number.checked_rem(self.lanes.len()).unwrap_or_default();
        let taken = self.lanes.get(lane).and_then(|lane| lane.recv().ok());
        taken.unwrap_or_else(|| {
            Err(Error::defect(
                "reading",
                "a fetching thread that left early",
            ))
        })
    }
}

/// One object, of its segments.
struct Joined<'a, 'run> {
    ahead: &'a Ahead<'run>,
    /// One past the number of its last segment.
    end: usize,
    bytes: Vec<u8>,
    /// How much of `bytes` was read.
    at: usize,
}

impl Joined<'_, '_> {
    fn give_back(&mut self) {
        let bytes = mem::take(&mut self.bytes);
        if bytes.capacity() > 0 {
            lock(self.ahead.spent).push(bytes);
        }
    }
}

impl Drop for Joined<'_, '_> {
    fn drop(&mut self) {
        self.give_back();
    }
}

fn lock(spent: &Spent) -> MutexGuard<'_, Vec<Vec<u8>>> {
    // Whole buffers are pushed and popped, so a thread that panicked left it consistent.
    spent.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Read for Joined<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.bytes.len() {
            self.at = 0;
            // The buffer goes back before the next comes: what is held is counted with one being read.
            self.give_back();
            if self.ahead.next.get() < self.end {
                self.bytes = self.ahead.take().map_err(io::Error::other)?.bytes;
            }
        }
        let mut left = self.bytes.get(self.at..).unwrap_or_default();
        let read = left.read(into)?;
        self.at = self.at.saturating_add(read);
        Ok(read)
    }
}
