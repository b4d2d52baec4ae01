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
use crate::limits::{CAPTURE_ANSWERS, CAPTURE_PART_BYTES, STREAM_LOOK};
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
    /// A line, before it is compressed.
    line: Vec<u8>,
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
                if tell.send(Answer { receipt, at }).is_err() {
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
            open: None,
            begun: 0,
            to_store,
            answers,
            waiting: VecDeque::new(),
            stored: Vec::new(),
            bytes: 0,
            charge: Charge::new(budget),
            line: Vec::new(),
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
                    self.begun = self.begun.saturating_add(1);
                    none.insert(Open::new(self.begun, since))
                }
            };
            self.line.clear();
            capture::line(head, message, &mut self.line);
            open.write(&self.line)?;
            if open.compressed.len() >= CAPTURE_PART_BYTES {
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
        let mut part = open.seal()?;
        let name = part.name.clone();
        self.waiting.push_back(Waiting { name, since });
        loop {
            part = match self.to_store.try_send(part) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(part)) => part,
                Err(TrySendError::Disconnected(_)) => return Err(left_early()),
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

    fn write(&mut self, line: &[u8]) -> Result<()> {
        let ready = self.compressor.write(line);
        self.compressed
            .extend(ready.map_err(|cause| defect(&cause))?);
        self.messages = self.messages.saturating_add(1);
        Ok(())
    }

    fn seal(mut self) -> Result<Sealed> {
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

fn left_early() -> Error {
    Error::defect("capturing", "a storing thread that left early")
}

fn defect(cause: &io::Error) -> Error {
    Error::defect("compressing the capture", cause.to_string())
}
