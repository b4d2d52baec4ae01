//! The capture, stored in parts while the stream runs (SPEC 6 and 7): every message that the sequencing point numbered is
//! durable within PART_SECONDS, or the run ends. A part is listed only once the store acknowledged it.
//!
//! One thread stores, one part at a time, and one more may wait for it; a third must wait to be filled. So memory is
//! bounded whatever the store does, and what a slow store costs is time, which PART_SECONDS bounds too.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::Builder;
use std::time::Duration;

use crate::budget::{Budget, Charge};
use crate::capture;
use crate::clock::Clock;
use crate::digest::sha256;
use crate::error::{Error, Kind, Result};
use crate::gzip::Compressor;
use crate::limits::{CAPTURE_ANSWERS, CAPTURE_PART_BYTES, CAPTURE_PARTS, STREAM_LOOK};
use crate::log::{Event, Log};
use crate::manifest::{self, Receipt};
use crate::message::Block;
use crate::store::destination::Destination;

/// Writes the capture.
pub(super) struct Parts {
    destination: Destination,
    clock: Arc<dyn Clock>,
    log: Log,
    /// PART_SECONDS.
    durable_within: Duration,
    /// [`CAPTURE_PART_BYTES`], and fewer in tests.
    part_bytes: usize,
    open: Option<Open>,
    /// Parts begun so far.
    begun: u32,
    to_store: SyncSender<Sealed>,
    answers: Receiver<Answer>,
    /// Parts that are sealed and not acknowledged, oldest first.
    waiting: VecDeque<Waiting>,
    /// Acknowledged parts, in their order.
    stored: Vec<Receipt>,
    bytes: u64,
    charge: Charge,
    /// Lines of the open part, before they are compressed.
    lines: Vec<u8>,
}

/// The part being filled.
struct Open {
    name: String,
    /// When its first message was received, by the monotonic clock.
    since: Duration,
    compressor: Compressor,
    compressed: Vec<u8>,
    messages: u64,
}

/// A part on its way to the store.
struct Sealed {
    name: String,
    bytes: Vec<u8>,
    messages: u64,
}

struct Waiting {
    name: String,
    since: Duration,
}

/// What became of a part.
struct Answer {
    receipt: Result<Receipt>,
    /// When, by the monotonic clock.
    at: Duration,
}

/// Bytes of lines that are compressed at once: each time costs as much as a few lines.
const LINES_BYTES: usize = 16 << 10;

/// What is kept of a part for good, in a vector that may be half empty.
const PART_BYTES: usize = 2 * size_of::<Receipt>() + 128;

impl Parts {
    /// A capture without a message; starts the thread that stores.
    ///
    /// # Errors
    /// 74 where no thread can be had.
    pub(super) fn start(
        destination: &Destination,
        clock: &Arc<dyn Clock>,
        log: &Log,
        budget: &Arc<Budget>,
        durable_within: Duration,
    ) -> Result<Self> {
        let (to_store, sealed) = sync_channel::<Sealed>(1);
        let (tell, answers) = sync_channel(CAPTURE_ANSWERS);
        let (into, watch) = (destination.clone(), Arc::clone(clock));
        // Not joined: a store that blocks must not keep the run from saying why it ended.
        let thread = Builder::new().name("capture".to_owned()).spawn(move || {
            for part in sealed {
                let receipt = store(&into, &part);
                let at = watch.elapsed();
                // What comes after a part that failed is not stored: a capture has no hole.
                let is_last = receipt.is_err();
                if tell.send(Answer { receipt, at }).is_err() || is_last {
                    return;
                }
            }
        });
        thread.map_err(|cause| Error::local_io("starting the thread of", "the capture", &cause))?;
        Ok(Self {
            destination: destination.clone(),
            clock: Arc::clone(clock),
            log: log.clone(),
            durable_within,
            part_bytes: CAPTURE_PART_BYTES,
            open: None,
            begun: 0,
            to_store,
            answers,
            waiting: VecDeque::new(),
            stored: Vec::new(),
            bytes: 0,
            charge: Charge::new(budget),
            lines: Vec::new(),
        })
    }

    /// Takes the messages of `block`, none of which was received before `since`. Waits where two parts are on their way and
    /// a third is full.
    ///
    /// # Errors
    /// 69 where a part is not durable in time; those of storing one.
    pub(super) fn take(&mut self, block: &Block, since: Duration) -> Result<()> {
        for (head, message) in block.iter() {
            let open = match &mut self.open {
                Some(open) => {
                    // One feed's message may have waited for room in the queue longer than another's.
                    open.since = open.since.min(since);
                    open
                }
                none => {
                    if self.begun >= CAPTURE_PARTS {
                        return Err(too_many());
                    }
                    self.begun += 1;
                    none.insert(Open::new(self.begun, since))
                }
            };
            capture::line(head, message, &mut self.lines);
            open.messages = open.messages.saturating_add(1);
            if self.lines.len() < LINES_BYTES {
                continue;
            }
            open.write(&mut self.lines)?;
            if open.compressed.len() >= self.part_bytes {
                self.seal()?;
            }
        }
        Ok(())
    }

    /// Seals the part whose time has come, and looks whether all that is sealed is durable in time.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub(super) fn tick(&mut self) -> Result<()> {
        let now = self.clock.elapsed();
        let is_due = |open: &Open| now.saturating_sub(open.since) >= self.durable_within / 2;
        if self.open.as_ref().is_some_and(is_due) {
            self.seal()?;
        }
        while let Ok(answer) = self.answers.try_recv() {
            self.acknowledge(answer)?;
        }
        self.require_time()
    }

    /// Hands the open part over, where there is one.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub(super) fn seal(&mut self) -> Result<()> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        let since = open.since;
        let mut part = open.seal(&mut self.lines)?;
        let name = part.name.clone();
        self.waiting.push_back(Waiting { name, since });
        loop {
            part = match self.to_store.try_send(part) {
                Ok(()) => return Ok(()),
                // Why nobody takes it any more is among the answers.
                Err(TrySendError::Full(part) | TrySendError::Disconnected(part)) => part,
            };
            self.wait()?;
        }
    }

    /// Stores what is left, and waits until all of it is acknowledged.
    ///
    /// # Errors
    /// As [`Self::take`]; 75 where the drain leaves no time for a result after it.
    pub(super) fn finish(&mut self) -> Result<()> {
        self.seal()?;
        while !self.waiting.is_empty() {
            self.wait()?;
        }
        Ok(())
    }

    /// The parts that the store acknowledged, in their order.
    pub(super) fn stored(&self) -> &[Receipt] {
        &self.stored
    }

    /// The same in totals.
    pub(super) fn totals(&self) -> manifest::Parts {
        manifest::Parts {
            count: u64::try_from(self.stored.len()).unwrap_or(u64::MAX),
            bytes: self.bytes,
        }
    }

    /// Waits a little for the next acknowledgement.
    fn wait(&mut self) -> Result<()> {
        match self.answers.recv_timeout(STREAM_LOOK) {
            Ok(answer) => self.acknowledge(answer)?,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(left_early()),
        }
        self.require_time()
    }

    fn acknowledge(&mut self, answer: Answer) -> Result<()> {
        let receipt = answer.receipt?;
        let charged = self.charge.add(PART_BYTES);
        charged.map_err(|exceeded| exceeded.error("parts of the capture", self.begun.into()))?;
        let Receipt {
            name, bytes, rows, ..
        } = &receipt;
        let text = format!("{name}: {rows} messages in {bytes} bytes");
        let event = Event::info("part", text).with("name", name.as_str());
        let event = event.with("messages", *rows).with("bytes", *bytes);
        self.log.event(&event);
        self.bytes = self.bytes.saturating_add(*bytes);
        self.stored.push(receipt);
        match self.waiting.pop_front() {
            Some(part) if answer.at.saturating_sub(part.since) > self.durable_within => {
                Err(self.late(&part, "that the store acknowledged it later"))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn require_time(&self) -> Result<()> {
        let Some(oldest) = self.waiting.front() else {
            return Ok(());
        };
        if self.clock.elapsed().saturating_sub(oldest.since) > self.durable_within {
            return Err(self.late(oldest, "that the store has not acknowledged it yet"));
        }
        if self
            .destination
            .stop()
            .before_result()
            .remaining_with_drain()
            .is_zero()
        {
            return Err(Error::new(
                Kind::Interrupted,
                "capturing",
                "time for the last part, and for a result after it",
                "that the store has not acknowledged it yet",
                "give the run a longer drain (DRAIN_SECONDS)",
            )
            .at_uri(self.destination.uri(&oldest.name)));
        }
        Ok(())
    }

    fn late(&self, part: &Waiting, found: &str) -> Error {
        let seconds = self.durable_within.as_secs();
        Error::new(
            Kind::Unavailable,
            "capturing",
            format!("that a message is durable within {seconds} s (PART_SECONDS)"),
            found,
            "look at how fast the store takes what the feeds give; allow more time, or read fewer feeds in a run",
        )
        .at_uri(self.destination.uri(&part.name))
    }
}

impl Open {
    fn new(number: u32, since: Duration) -> Self {
        Self {
            name: format!("capture/part-{number:06}.ndjson.gz"),
            since,
            compressor: Compressor::fast(),
            compressed: Vec::new(),
            messages: 0,
        }
    }

    /// Compresses `lines`, and empties them.
    fn write(&mut self, lines: &mut Vec<u8>) -> Result<()> {
        let ready = self.compressor.write(lines);
        self.compressed
            .extend(ready.map_err(|cause| defect(&cause))?);
        lines.clear();
        Ok(())
    }

    fn seal(mut self, lines: &mut Vec<u8>) -> Result<Sealed> {
        self.write(lines)?;
        let rest = self.compressor.finish();
        self.compressed
            .extend(rest.map_err(|cause| defect(&cause))?);
        Ok(Sealed {
            name: self.name,
            bytes: self.compressed,
            messages: self.messages,
        })
    }
}

fn store(destination: &Destination, part: &Sealed) -> Result<Receipt> {
    let version_id = destination.create(&part.name, &part.bytes)?;
    Ok(Receipt {
        name: part.name.clone(),
        version_id,
        bytes: u64::try_from(part.bytes.len()).unwrap_or(u64::MAX),
        sha256: sha256(&part.bytes),
        rows: part.messages,
    })
}

fn too_many() -> Error {
    Error::new(
        Kind::Data,
        "capturing",
        format!("at most {CAPTURE_PARTS} parts of a capture"),
        "one more",
        "end runs earlier, or cut parts less often (PART_SECONDS)",
    )
}

fn left_early() -> Error {
    Error::defect("capturing", "a storing thread that left early")
}

fn defect(cause: &io::Error) -> Error {
    Error::defect("compressing the capture", cause.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::message::Head;
    use crate::random::{Nonce, SystemRandomness};
    use crate::stop::{Cause, Stop};
    use crate::store::fake::{Fake, Fault};

    /// A capture into a store that follows `script`, durable within 60 s, by a clock of 1,000 s and a drain of 20 s.
    fn capture(script: Vec<(usize, Fault)>) -> (Arc<Fake>, Stop, Parts) {
        let fake = Arc::new(Fake::scripted(script));
        let clock: Arc<dyn Clock> = fake.clock.clone();
        let seconds = Duration::from_secs;
        let stop = Stop::new(Arc::clone(&clock), seconds(1_000), seconds(20));
        let nonce = Nonce::draw(&SystemRandomness::default()).unwrap();
        let destination = Destination::new(fake.clone(), "run/".to_owned(), nonce, 1, stop.clone());
        let (log, budget) = (
            Log::unread(Arc::clone(&clock)),
            Arc::new(Budget::new(1 << 20)),
        );
        let parts = Parts::start(&destination, &clock, &log, &budget, seconds(60)).unwrap();
        (fake, stop, parts)
    }

    fn block(n: u64, message: &[u8]) -> Block {
        let mut block = Block::default();
        let head = Head {
            n,
            received_at_us: 0,
            feed: 0,
            connection: 0,
        };
        block.push(head, message);
        block
    }

    /// Waits for what `parts` come to, as the sequencing point does.
    fn outcome(parts: &mut Parts) -> Result<()> {
        while !parts.waiting.is_empty() {
            parts.wait()?;
        }
        Ok(())
    }

    fn names(parts: &Parts) -> Vec<(&str, u64)> {
        let stored = parts.stored().iter();
        stored.map(|part| (part.name.as_str(), part.rows)).collect()
    }

    #[test]
    fn a_part_is_cut_at_half_of_its_time_and_listed_once_it_is_stored() {
        let (fake, _, mut parts) = capture(vec![]);
        let seconds = Duration::from_secs;
        parts.take(&block(1, b"{}"), seconds(5)).unwrap();
        // This one waited in the queue for longer.
        parts.take(&block(2, b"{}"), seconds(2)).unwrap();
        fake.clock.elapsed_ms.store(31_999, Ordering::SeqCst);
        parts.tick().unwrap();
        assert!(parts.waiting.is_empty());
        fake.clock.elapsed_ms.store(32_000, Ordering::SeqCst);
        parts.tick().unwrap();
        outcome(&mut parts).unwrap();
        parts.take(&block(3, b"{}"), seconds(32)).unwrap();
        parts.finish().unwrap();
        let want = [
            ("capture/part-000001.ndjson.gz", 2),
            ("capture/part-000002.ndjson.gz", 1),
        ];
        assert_eq!(names(&parts), want);
        assert_eq!(parts.totals().count, 2);
        for receipt in parts.stored() {
            let object = fake.objects()[&format!("run/{}", receipt.name)].clone();
            assert_eq!(sha256(&object.bytes), receipt.sha256);
        }
    }

    #[test]
    fn a_part_is_cut_after_the_message_that_fills_it() {
        let (_, _, mut parts) = capture(vec![]);
        parts.part_bytes = 256 << 10;
        // What does not compress: a message is written in base64, which gzip takes back to its size.
        let mut state = 1_u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        })
        .take(parts.part_bytes / 8 * 5)
        .collect();
        for n in 1..=4 {
            parts.take(&block(n, &noise), Duration::ZERO).unwrap();
        }
        parts.finish().unwrap();
        let rows: Vec<u64> = parts.stored().iter().map(|part| part.rows).collect();
        assert_eq!(rows, [2, 2]);
    }

    #[test]
    fn a_part_whose_name_would_not_sort_ends_the_run() {
        let (_, _, mut parts) = capture(vec![]);
        parts.begun = CAPTURE_PARTS - 1;
        parts.take(&block(1, b"{}"), Duration::ZERO).unwrap();
        parts.seal().unwrap();
        let error = parts.take(&block(2, b"{}"), Duration::ZERO).unwrap_err();
        assert_eq!(error.kind(), Kind::Data, "{error}");
        parts.finish().unwrap();
        assert_eq!(names(&parts), [("capture/part-999999.ndjson.gz", 1)]);
    }

    #[test]
    fn f096_a_part_that_is_late_ends_the_run_also_where_its_answer_comes() {
        let (_, _, mut parts) = capture(vec![(1, Fault::Slow(60_001))]);
        parts.take(&block(1, b"{}"), Duration::ZERO).unwrap();
        parts.seal().unwrap();
        let error = outcome(&mut parts).unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
        let text = error.to_string();
        assert!(
            text.contains("durable within 60 s") && text.contains("part-000001"),
            "{text}"
        );
    }

    #[test]
    fn f096_nothing_is_stored_after_a_part_that_failed() {
        let (fake, stop, mut parts) = capture(vec![(2, Fault::Refused)]);
        let error = (1..=9).find_map(|n| {
            let taken = parts.take(&block(n, b"{}"), Duration::ZERO);
            taken.and_then(|()| parts.seal()).err()
        });
        let error = error.or_else(|| outcome(&mut parts).err()).unwrap();
        assert_eq!(error.kind(), Kind::Denied, "the store's own error: {error}");
        // What the run does next, to save what it can.
        stop.request(Cause::Failure);
        assert!(parts.finish().is_err());
        assert_eq!(names(&parts), [("capture/part-000001.ndjson.gz", 1)]);
        assert_eq!(fake.objects().len(), 1);
    }
}
