//! The place that a claim gives a run to write to, and how one create-only request is settled (SPEC 7, rules 1 and 4).
//!
//! Only [`crate::commit::Claim`] makes a destination, so whoever can write below a run's prefix holds its claim.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Kind, Result};
use crate::limits::{CREATE_SENDS, PART_BYTES};
use crate::random::Nonce;
use crate::stop::Stop;

use super::{Answer, Head, Part, Store, Upload};

/// A run's prefix in a store, with the mark of the run. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Destination {
    store: Arc<dyn Store>,
    /// `RUN_ID/`; with a shard its directory too.
    prefix: String,
    nonce: Nonce,
    /// S3_ATTEMPTS.
    attempts: u32,
    stop: Stop,
    part_bytes: usize,
    open: Arc<Mutex<Vec<OpenUpload>>>,
}

/// An upload that was begun and neither completed nor aborted: its parts cost money until somebody drops them.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct OpenUpload {
    /// The artifact that it was for.
    pub name: String,
    /// The store's name for it.
    pub upload_id: String,
}

/// How a create-only request ended.
#[derive(Debug)]
pub(crate) enum Settled {
    /// The object is there, and it is this run's.
    Ours {
        /// Where the store keeps versions.
        version_id: Option<String>,
    },
    /// An object is there, and it is not this run's.
    Anothers,
    /// It was refused for good: nothing is there, and nothing will be.
    Refused(Error),
    /// It may be there, now or later.
    Open(Error),
    /// It is there under this run's mark, and not as it was sent.
    Altered(Error),
}

/// What a 412 to the first send means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clean412 {
    /// For a claim: somebody else was first.
    IsAnothers,
    /// For anything else: the mark tells whose it is.
    AskHead,
}

impl Destination {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        prefix: String,
        nonce: Nonce,
        attempts: u32,
        stop: Stop,
    ) -> Self {
        Self {
            store,
            prefix,
            nonce,
            attempts,
            stop,
            part_bytes: PART_BYTES,
            open: Arc::default(),
        }
    }

    /// The URI of an object of this run.
    #[must_use]
    pub fn uri(&self, name: &str) -> String {
        self.store.uri(&self.key(name))
    }

    /// The run's mark.
    #[must_use]
    pub fn nonce(&self) -> &Nonce {
        &self.nonce
    }

    /// What bounds the waits of this run.
    #[must_use]
    pub fn stop(&self) -> &Stop {
        &self.stop
    }

    /// Uploads that are still open, for failure.json.
    #[must_use]
    pub fn open_uploads(&self) -> Vec<OpenUpload> {
        self.ledger().clone()
    }

    /// Creates an object of this run; gives the version that the store made.
    ///
    /// # Errors
    /// 73 where another run's object has the name; 69 where the outcome stays unknown; the store's refusal otherwise.
    pub fn create(&self, name: &str, body: &[u8]) -> Result<Option<String>> {
        let settled = self.put_until(name, body, Clean412::AskHead, &self.work());
        self.require(name, settled)
    }

    pub(crate) fn store(&self) -> &dyn Store {
        self.store.as_ref()
    }

    pub(crate) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// What bounds the waits of everything between claim and result: one that hangs leaves time for failure.json.
    pub(crate) fn work(&self) -> Stop {
        self.stop.before_result()
    }

    pub(crate) fn part_bytes(&self) -> usize {
        self.part_bytes
    }

    #[cfg(test)]
    pub(crate) fn with_part_bytes(mut self, part_bytes: usize) -> Self {
        self.part_bytes = part_bytes;
        self
    }

    /// Sends an object until its fate is known, or the sends allowed are used up.
    pub(crate) fn settle_put(&self, name: &str, body: &[u8], clean_412: Clean412) -> Settled {
        self.put_until(name, body, clean_412, &self.stop)
    }

    fn put_until(&self, name: &str, body: &[u8], clean_412: Clean412, stop: &Stop) -> Settled {
        let key = self.key(name);
        let bytes = u64::try_from(body.len()).unwrap_or(u64::MAX);
        self.settle(name, bytes, clean_412, stop, || {
            self.store.put(&key, body, &self.nonce, stop)
        })
    }

    /// Begins an upload and notes it as open.
    pub(crate) fn begin(&self, name: &str) -> Result<Upload> {
        let upload = self
            .store
            .begin(&self.key(name), &self.nonce, &self.work())?;
        self.ledger().push(OpenUpload {
            name: name.to_owned(),
            upload_id: upload.id.clone(),
        });
        Ok(upload)
    }

    pub(crate) fn part(&self, upload: &Upload, number: u32, body: &[u8]) -> Result<Part> {
        self.store.part(upload, number, body, &self.work())
    }

    /// Completes an upload; gives the version that the store made. On an error the upload is still open.
    pub(crate) fn complete(
        &self,
        name: &str,
        upload: &Upload,
        parts: &[Part],
    ) -> Result<Option<String>> {
        let bytes = parts.iter().map(|part| part.bytes).sum();
        let stop = self.work();
        let settled = self.settle(name, bytes, Clean412::AskHead, &stop, || {
            self.store.complete(upload, parts, &stop)
        });
        let version_id = self.require(name, settled)?;
        self.forget(upload);
        Ok(version_id)
    }

    /// Drops an upload. Where that fails it stays in the list of open uploads, which is all that can still be done.
    pub(crate) fn abort(&self, upload: &Upload) {
        if self
            .store
            .abort(upload, &self.stop.before_failure())
            .is_ok()
        {
            self.forget(upload);
        }
    }

    fn settle(
        &self,
        name: &str,
        bytes: u64,
        clean_412: Clean412,
        stop: &Stop,
        mut send: impl FnMut() -> Answer,
    ) -> Settled {
        // What an earlier send left open; it may still land, so no later refusal clears it.
        let mut open: Option<Error> = None;
        for _ in 0..self.sends() {
            let (why, is_last) = match send() {
                Answer::Created { version_id } => return Settled::Ours { version_id },
                Answer::Exists if open.is_none() && clean_412 == Clean412::IsAnothers => {
                    return Settled::Anothers;
                }
                Answer::Exists => (None, false),
                Answer::Lost(error) => (Some(error), false),
                Answer::Spent(error) => (Some(error), true),
                Answer::Refused(error) | Answer::NotSent(error) => {
                    return match open {
                        None => Settled::Refused(error),
                        Some(open) => Settled::Open(open),
                    };
                }
            };
            let why = why.or(open).unwrap_or_else(|| vanished(self.uri(name)));
            match self.look(name, stop) {
                Ok(Some(head)) => return self.whose(name, bytes, head),
                Ok(None) => {}
                Err(error) => return Settled::Open(error),
            }
            open = Some(why);
            if is_last || stop.remaining_with_drain().is_zero() {
                break;
            }
        }
        let open = open.unwrap_or_else(|| vanished(self.uri(name)));
        Settled::Open(open)
    }

    /// HEAD. It changes nothing, so one that fails is sent again as often as what it settles.
    fn look(&self, name: &str, stop: &Stop) -> Result<Option<Head>> {
        let key = self.key(name);
        let mut answer = self.store.head(&key, stop);
        for _ in 1..self.sends() {
            if answer.is_ok() || stop.remaining_with_drain().is_zero() {
                break;
            }
            answer = self.store.head(&key, stop);
        }
        answer
    }

    fn whose(&self, name: &str, bytes: u64, head: Head) -> Settled {
        match head.nonce.as_deref() == Some(self.nonce.as_str()) {
            true if head.bytes == bytes => Settled::Ours {
                version_id: head.version_id,
            },
            true => Settled::Altered(
                Error::new(
                    Kind::Protocol,
                    "committing",
                    format!("the {bytes} bytes that were sent"),
                    format!("{} bytes under this run's mark", head.bytes),
                    "do not trust this store: it altered an object",
                )
                .at_uri(self.uri(name)),
            ),
            false => Settled::Anothers,
        }
    }

    /// Success, or the error that ends the run, for every object but the claim and the result.
    fn require(&self, name: &str, settled: Settled) -> Result<Option<String>> {
        match settled {
            Settled::Ours { version_id } => Ok(version_id),
            Settled::Anothers => Err(taken_over(self.uri(name))),
            Settled::Refused(error) | Settled::Altered(error) => Err(error),
            Settled::Open(error) => Err(still_open(self.uri(name), &error)),
        }
    }

    /// Sends of one create-only request while its outcome is open.
    pub(crate) fn sends(&self) -> u32 {
        self.attempts.max(CREATE_SENDS)
    }

    fn forget(&self, upload: &Upload) {
        self.ledger().retain(|open| open.upload_id != upload.id);
    }

    fn ledger(&self) -> MutexGuard<'_, Vec<OpenUpload>> {
        // Whole entries are pushed and removed, so a thread that panicked left it consistent.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A name of this run holds an object that another run wrote.
pub(crate) fn taken_over(uri: String) -> Error {
    Error::new(
        Kind::Taken,
        "committing",
        "the claim of this run to hold until its end",
        "an object of another run",
        "start it again under a RUN_ID that nothing else uses, and delete nothing below a run that works",
    )
    .at_uri(uri)
}

/// The end of a run for an object, other than its result, whose outcome stays open: 69 (SPEC 7, rule 4), whatever the
/// store said last. A run that was stopped ends with 75 all the same, and a file system's own fault stays 74.
pub(crate) fn still_open(uri: String, why: &Error) -> Error {
    let keeps = matches!(why.kind(), Kind::Interrupted | Kind::LocalIo);
    let kind = if keeps { why.kind() } else { Kind::Unavailable };
    outcome_unknown(kind, uri, why)
}

/// Nobody knows whether the object is there, or will be.
pub(crate) fn outcome_unknown(kind: Kind, uri: String, why: &Error) -> Error {
    let why = why.detail();
    let look = "look after 15 minutes whether it is there; until then it may still appear";
    // A right that is missing is named.
    let advice = match why.kind == Kind::Denied {
        true => format!("{look}; {}", why.advice),
        false => look.to_owned(),
    };
    Error::new(
        kind,
        "committing",
        "an answer that settles whether the object was created",
        format!("outcome unknown: {}", why.found),
        advice,
    )
    .at_uri(uri)
}

fn vanished(uri: String) -> Error {
    Error::new(
        Kind::Unavailable,
        "committing",
        "the object that the store said is there",
        "nothing under its name",
        "look at what else deletes or lists there",
    )
    .at_uri(uri)
}
