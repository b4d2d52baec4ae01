//! The commit protocol (SPEC 7, rules 2 to 7): the claim first, the result last, failure.json else.
//!
//! It knows what a store acknowledged, never what was computed. Each rule stands beside the case that it answers;
//! `docs/commit.md` tells the same to users.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::clock::Clock;
use crate::digest::{Digest, sha256};
use crate::error::{Error, Kind, Result};
use crate::limits::MANIFEST_BYTES;
use crate::manifest::{
    self, EndedBy, FAILURE, Failure, GapLine, INTERRUPTED, MANIFEST, Manifest, Receipt, Records,
    Reported, STARTED, Started,
};
use crate::random::Nonce;
use crate::stop::Stop;
use crate::store::destination::{
    Clean412, Destination, Settled, outcome_unknown, still_open, taken_over,
};
use crate::store::{Answer, CreateOnly, Entry, Pattern, Store};

/// How far a run's commit is, shared with the supervisor. Whoever ends the process asks it first.
#[derive(Clone, Debug, Default)]
pub struct CommitState(Arc<AtomicU8>);

/// How far a commit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No result was sent, or it was refused for good.
    Working,
    /// A result was sent and its outcome is open.
    ResultSent,
    /// The result is there: manifest.json.
    Committed,
    /// The result is there: interrupted.json, of a stream that a signal ended.
    Interrupted,
    /// The supervisor leaves: no result may be sent any more.
    Closed,
}

impl CommitState {
    /// How far it is.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.0.load(Ordering::SeqCst) {
            0 => Phase::Working,
            1 => Phase::ResultSent,
            2 => Phase::Committed,
            3 => Phase::Interrupted,
            _ => Phase::Closed,
        }
    }

    /// For the supervisor that is about to leave: after this no result is sent. Gives the phase before: after
    /// [`Phase::ResultSent`] the outcome is unknown, and the process must say so (SPEC 7, rule 6).
    pub fn close(&self) -> Phase {
        match self.step(Phase::Working, Phase::Closed) {
            true => Phase::Working,
            false => self.phase(),
        }
    }

    fn step(&self, from: Phase, to: Phase) -> bool {
        let (from, to) = (from.number(), to.number());
        self.0
            .compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }
}

impl Phase {
    fn number(self) -> u8 {
        match self {
            Phase::Working => 0,
            Phase::ResultSent => 1,
            Phase::Committed => 2,
            Phase::Interrupted => 3,
            Phase::Closed => 4,
        }
    }
}

/// What a claim is taken with.
#[derive(Debug)]
pub struct Terms {
    /// The output.
    pub store: Arc<dyn Store>,
    /// `RUN_ID`, or `RUN_ID/shard-…`, without a `/` at its end.
    pub prefix: String,
    /// S3_ATTEMPTS; the store's own where it has none.
    pub attempts: u32,
    /// The run's mark.
    pub nonce: Nonce,
    /// What the claim says.
    pub started: Started,
    /// Deadline, signals and drain.
    pub stop: Stop,
    /// For `ended_at`.
    pub clock: Arc<dyn Clock>,
    /// Shared with the supervisor.
    pub state: CommitState,
}

/// The right to write below a run's prefix, as long as nobody deletes `started.json`.
#[derive(Debug)]
pub struct Claim {
    destination: Destination,
    started: Started,
    clock: Arc<dyn Clock>,
    state: CommitState,
}

/// A result that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Where it is.
    pub uri: String,
    /// SHA-256 of its bytes: what the `committed` event witnesses.
    pub sha256: Digest,
}

/// What a failed run knows besides its error.
#[derive(Clone, Debug, Default)]
pub struct Unfinished {
    /// What the run was at.
    pub phase: &'static str,
    /// What had been counted.
    pub records: Records,
    /// The latest gaps of a stream.
    pub gaps: Vec<GapLine>,
    /// Acknowledged parts of its capture.
    pub parts: Vec<Receipt>,
}

impl Claim {
    /// Takes the RUN_ID: its prefix is empty, `started.json` is created, and reads back as it was sent (rule 2).
    ///
    /// # Errors
    /// 73 where the RUN_ID is taken, saying by what; 76 where the store does not keep create-only; 69 where the outcome
    /// stays unknown; the store's own.
    pub fn take(terms: Terms) -> Result<Self> {
        let Terms {
            store,
            prefix,
            attempts,
            nonce,
            started,
            stop,
            clock,
            state,
        } = terms;
        stop.check()?;
        let entries = store.list(&Pattern::below(&prefix), &stop)?;
        if !entries.is_empty() {
            return Err(taken(&prefix, &entries, store.uri(&prefix)));
        }
        // A listing may take its time; a run that was stopped meanwhile leaves its RUN_ID free.
        stop.check()?;
        let body = manifest::to_bytes(&started)?;
        if body.len() > MANIFEST_BYTES {
            return Err(long_claim(body.len()));
        }
        let prefix = format!("{prefix}/");
        let claim = Self {
            destination: Destination::new(store, prefix, nonce, attempts, stop),
            started,
            clock,
            state,
        };
        match claim
            .destination
            .settle_put(STARTED, &body, Clean412::IsAnothers)
        {
            Settled::Ours { .. } => {}
            Settled::Anothers => return Err(lost_race(claim.uri(STARTED))),
            Settled::Refused(error) | Settled::Altered(error) => return Err(error),
            Settled::Open(error) => return Err(still_open(claim.uri(STARTED), &error)),
        }
        // From here on the claim is held, so its end is recorded.
        match claim.prove(&body) {
            Ok(()) => Ok(claim),
            Err(error) => {
                let phase = "claim";
                claim.fail(
                    &error,
                    Unfinished {
                        phase,
                        ..Unfinished::default()
                    },
                );
                Err(error)
            }
        }
    }

    /// What the claim says.
    #[must_use]
    pub fn started(&self) -> &Started {
        &self.started
    }

    /// Where this run writes.
    #[must_use]
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// Commits the result (rules 3 to 7). When this returns an error, [`Self::fail`] knows whether it may still record it.
    ///
    /// # Errors
    /// 73 where the claim is lost; 75 where the run was stopped before, or too little time remains; 69 where the outcome
    /// stays unknown; 70 where the manifest contradicts itself; the store's own.
    pub fn finish(&self, manifest: &Manifest) -> Result<Committed> {
        let (name, body) = (manifest.name(), manifest.to_bytes()?);
        // Rule 3. What comes between this look and the PUT is not seen: see docs/commit.md, case 9.
        self.require_claim(&self.destination.work())?;
        self.require_time(manifest.ended_by)?;
        if !self.state.step(Phase::Working, Phase::ResultSent) {
            return Err(left(self.uri(name)));
        }
        match self.destination.settle_put(name, &body, Clean412::AskHead) {
            Settled::Ours { .. } => {
                let phase = match manifest.ended_by.is_signal() {
                    false => Phase::Committed,
                    true => Phase::Interrupted,
                };
                self.state.step(Phase::ResultSent, phase);
                Ok(Committed {
                    uri: self.uri(name),
                    sha256: sha256(&body),
                })
            }
            Settled::Refused(error) => {
                // Nothing is there and nothing will be, so failure.json may be (rule 5).
                self.state.step(Phase::ResultSent, Phase::Working);
                Err(error)
            }
            Settled::Anothers => Err(taken_over(self.uri(name))),
            // 69, whatever the store said last and whatever stopped the run.
            Settled::Open(error) | Settled::Altered(error) => {
                Err(outcome_unknown(Kind::Unavailable, self.uri(name), &error))
            }
        }
    }

    /// Records why the run ended: best effort within the drain, and only where that cannot contradict a result (rule 5)
    /// nor land in another run's prefix. Returns where it was written.
    pub fn fail(self, error: &Error, unfinished: Unfinished) -> Option<String> {
        // From here on no result is sent, and none was that could still appear.
        let may_write = self.state.step(Phase::Working, Phase::Closed)
            && self.require_claim(self.destination.stop()).is_ok();
        if !may_write {
            return None;
        }
        let failure = Failure {
            identity: self.started.identity.clone(),
            code: error.kind().exit_code(),
            error: Reported::from(error),
            phase: unfinished.phase,
            started_at: self.started.started_at.clone(),
            ended_at: manifest::utc(self.clock.wall_us()),
            config: self.started.config.clone(),
            records: unfinished.records,
            gaps: unfinished.gaps,
            parts: unfinished.parts,
            open_uploads: self.destination.open_uploads(),
        };
        let body = manifest::to_bytes(&failure).ok()?;
        match self
            .destination
            .settle_put(FAILURE, &body, Clean412::AskHead)
        {
            Settled::Ours { .. } => Some(self.uri(FAILURE)),
            Settled::Anothers | Settled::Refused(_) | Settled::Open(_) | Settled::Altered(_) => {
                None
            }
        }
    }

    fn uri(&self, name: &str) -> String {
        self.destination.uri(name)
    }

    /// Reads the claim back, and where the store's create-only is unproven, has it refuse a second claim (rule 2).
    fn prove(&self, body: &[u8]) -> Result<()> {
        let stop = self.destination.work();
        let found = self.read_claim(&stop)?;
        if found != body {
            return Err(self.claim_lost("another content"));
        }
        match self.destination.store().create_only() {
            CreateOnly::Known => Ok(()),
            CreateOnly::Unproven => self.prove_create_only(body, &stop),
        }
    }

    fn prove_create_only(&self, body: &[u8], stop: &Stop) -> Result<()> {
        let (store, key) = (self.destination.store(), self.destination.key(STARTED));
        let nonce = self.destination.nonce();
        let mut lost = None;
        // What the claim holds is what is sent, so it can be sent again where no complete answer came.
        for _ in 0..self.destination.sends() {
            match store.put(&key, body, nonce, stop) {
                Answer::Exists => return Ok(()),
                Answer::Created { .. } => {
                    return Err(self.no_create_only("that it was created again"));
                }
                Answer::Refused(error) => return Err(self.no_create_only(&error.detail().found)),
                Answer::NotSent(error) => return Err(error),
                Answer::Lost(error) | Answer::Spent(error) => lost = Some(error),
            }
        }
        // It proves nothing either way, and the run does not go on without proof.
        let error = lost.unwrap_or_else(|| Error::defect("claiming", "no send allowed"));
        Err(still_open(self.uri(STARTED), &error))
    }

    fn no_create_only(&self, found: &str) -> Error {
        Error::new(
            Kind::Protocol,
            "claiming",
            "412 for an object that is there (If-None-Match)",
            found,
            "use a store that keeps create-only writes; without them a result proves nothing",
        )
        .at_uri(self.uri(STARTED))
    }

    /// The claim is still this run's (rule 3).
    fn require_claim(&self, stop: &Stop) -> Result<()> {
        let found = self.read_claim(stop)?;
        let nonce = manifest::nonce_of_started(&found).unwrap_or_default();
        match nonce == self.destination.nonce().as_str() {
            true => Ok(()),
            false => Err(self.claim_lost("another run's")),
        }
    }

    fn read_claim(&self, stop: &Stop) -> Result<Vec<u8>> {
        let store = self.destination.store();
        let uri = self.uri(STARTED);
        match store.open(&self.destination.key(STARTED), None, stop)? {
            Some(opened) => opened.read_small(&uri, MANIFEST_BYTES),
            None => Err(self.claim_lost("none")),
        }
    }

    fn claim_lost(&self, found: &str) -> Error {
        Error::new(
            Kind::Taken,
            "committing",
            "the claim of this run",
            found,
            "delete nothing below a run that works; start it again under a new RUN_ID",
        )
        .at_uri(self.uri(STARTED))
    }

    /// Enough time for a result (rule 6), and for a batch, no stop before it (rule 7).
    fn require_time(&self, ended_by: EndedBy) -> Result<()> {
        let stop = self.destination.stop();
        if ended_by == EndedBy::Finished {
            stop.check()?;
        }
        let needed = stop.result_time();
        let remaining = stop.remaining_with_drain();
        if remaining >= needed {
            return Ok(());
        }
        Err(Error::new(
            Kind::Interrupted,
            "committing",
            format!("{} s for it", needed.as_secs()),
            format!(
                "{:.1} s before the process must be gone",
                remaining.as_secs_f64()
            ),
            "give the run more time (MAX_RUNTIME_SECONDS, DRAIN_SECONDS); nothing was committed",
        )
        .at_uri(self.uri(MANIFEST)))
    }
}

/// The prefix is not empty: what is there says what became of the run that had the RUN_ID.
fn taken(prefix: &str, entries: &[Entry], uri: String) -> Error {
    let has = |name: &str| {
        let key = format!("{prefix}/{name}");
        entries.iter().any(|entry| *entry.key == *key)
    };
    let found = if has(MANIFEST) {
        "a finished run (manifest.json)".to_owned()
    } else if has(INTERRUPTED) {
        "an interrupted run (interrupted.json)".to_owned()
    } else if has(FAILURE) {
        "a failed run (failure.json)".to_owned()
    } else if has(STARTED) {
        "a run that works or was killed (started.json and no end)".to_owned()
    } else {
        let first = entries.first().map_or("", |entry| &*entry.key);
        format!(
            "{} objects that no run of windrow claimed, such as {first}",
            entries.len()
        )
    };
    already_taken(found, uri)
}

/// What could be written and never read back.
fn long_claim(bytes: usize) -> Error {
    Error::new(
        Kind::Config,
        "claiming",
        format!("a configuration that takes at most {MANIFEST_BYTES} bytes as JSON"),
        format!("{bytes} bytes"),
        "put long texts behind QUERY_URI and COLUMNS_URI",
    )
}

fn lost_race(uri: String) -> Error {
    already_taken("that another run claimed it at this moment".to_owned(), uri)
}

fn already_taken(found: String, uri: String) -> Error {
    Error::new(
        Kind::Taken,
        "claiming",
        "a RUN_ID with nothing under it",
        found,
        "choose a new RUN_ID; a run is never resumed or overwritten",
    )
    .at_uri(uri)
}

fn left(uri: String) -> Error {
    Error::new(
        Kind::Interrupted,
        "committing",
        "to be in time",
        "that the process is leaving",
        "start it again under a new RUN_ID; nothing was committed",
    )
    .at_uri(uri)
}

#[cfg(test)]
mod tests;
