//! S3 over HTTP (SPEC 7 and 10): one file an operation or concern, each request signed right before it goes out.
//!
//! It speaks of buckets, keys and S3's own answers, and knows nothing of runs, claims or artifacts: what an answer means
//! for those is `store::object`'s business. Nothing that could take effect twice is sent twice here, but for the start of
//! an upload, of which one too many holds nothing.

pub mod credentials;
mod errors;
mod list;
mod multipart;
mod object;
mod request;
mod retry;
mod sign;
#[cfg(test)]
pub(crate) mod tests;
mod xml;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Clock;
use crate::http::Transport;
use crate::random::Random;

pub use self::credentials::Credentials;
pub use self::errors::Refusal;
pub use self::list::Listed;
pub use self::multipart::{PartReceipt, Uploaded};
pub use self::object::{Got, Known};
pub(crate) use self::object::{changed, whole_of};
pub use self::request::Endpoint;
pub(crate) use self::request::etag;
pub use self::retry::Trouble;

/// What all clients of a run share.
#[derive(Clone, Debug)]
pub struct World {
    /// Sends the requests.
    pub transport: Arc<dyn Transport>,
    /// Time of the signatures, and of the waits.
    pub clock: Arc<dyn Clock>,
    /// Jitter.
    pub random: Arc<dyn Random>,
    /// Counts for the manifest.
    pub counters: Arc<Counters>,
}

/// Requests to one bucket.
#[derive(Clone, Debug)]
pub struct Client {
    world: World,
    bucket: String,
    settings: Settings,
}

/// How requests to a bucket are made.
#[derive(Clone, Debug)]
pub struct Settings {
    /// AWS, or a store of another make.
    pub endpoint: Endpoint,
    /// The bucket's region, for signatures.
    pub region: String,
    /// Who asks.
    pub access: Access,
    /// How objects are encrypted that are written; None: as the bucket says.
    pub encryption: Option<Encryption>,
    /// S3_ATTEMPTS.
    pub attempts: u32,
    /// Which end of the run the bucket is at.
    pub side: Side,
}

/// Who asks (S3_INPUT_ACCESS).
#[derive(Clone, Debug)]
pub enum Access {
    /// The run's credentials sign each request.
    Signed(Arc<Credentials>),
    /// The same, and they pay for it.
    RequesterPays(Arc<Credentials>),
    /// Nobody: a public bucket.
    Unsigned,
}

/// OUTPUT_SSE
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// `AES256`
    Aes256,
    /// `aws:kms:KEY_ARN`
    Kms(String),
}

/// Which end of a run a bucket is at: it decides the exit code of some refusals, and what cuts a request short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What is read.
    Input,
    /// What is written.
    Output,
}

/// What the manifest says of the traffic with S3 (SPEC 7, `s3`).
#[derive(Debug, Default)]
pub struct Counters {
    requests: AtomicU64,
    attempts: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    markers: AtomicU64,
}

/// [`Counters`] at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Operations asked for.
    pub requests: u64,
    /// Requests sent for them.
    pub attempts: u64,
    /// Bytes of bodies received.
    pub bytes_in: u64,
    /// Bytes of bodies sent.
    pub bytes_out: u64,
    /// Directory markers that listings skipped: empty objects whose key ends in `/`.
    pub markers: u64,
}

impl Counters {
    /// What they are now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            requests: read(&self.requests),
            attempts: read(&self.attempts),
            bytes_in: read(&self.bytes_in),
            bytes_out: read(&self.bytes_out),
            markers: read(&self.markers),
        }
    }

    fn add(counter: &AtomicU64, number: usize) {
        let number = u64::try_from(number).unwrap_or(u64::MAX);
        counter.fetch_add(number, Ordering::Relaxed);
    }

    /// A body's next bytes have come.
    pub(crate) fn received(&self, bytes: usize) {
        Self::add(&self.bytes_in, bytes);
    }
}

impl Client {
    /// A client of `bucket`.
    #[must_use]
    pub fn new(world: World, bucket: String, settings: Settings) -> Self {
        Self {
            world,
            bucket,
            settings,
        }
    }

    /// The URI of a key, for people.
    #[must_use]
    pub fn uri(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }

    /// How requests are made.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn counters(&self) -> &Arc<Counters> {
        &self.world.counters
    }
}
