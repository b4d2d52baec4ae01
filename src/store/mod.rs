//! Where inputs come from and artifacts go (SPEC 7): the few requests that any store can answer, create-only always.
//!
//! A store answers and never decides: it knows nothing of claims, results or retries of work. What an answer means
//! for the run is [`destination`]'s and `commit`'s business, so a test can put a fake here and fail every request in turn.

pub mod destination;
#[cfg(test)]
pub(crate) mod fake;
pub mod file;
pub mod https;
pub mod inputs;
pub mod object;
pub mod pattern;
#[cfg(test)]
pub(crate) mod scratch;

use std::fmt::Debug;
use std::io::{self, Read};
use std::ops::Range;

use crate::error::{Error, Kind, Result};
use crate::limits::LISTED_OBJECTS;
use crate::random::Nonce;
use crate::stop::Stop;

pub use self::pattern::Pattern;

/// Objects under keys, to be read. Keys are relative to the store's root, use `/`, and never start with it.
///
/// Every call may block no longer than its [`Stop`] allows. An error names the object's URI. An object that is not
/// there is an answer, never an error.
pub trait Readable: Debug + Send + Sync {
    /// The URI of `key`, for people.
    fn uri(&self, key: &str) -> String;

    /// Hands every object that `pattern` names to `take`, in no order, until that says no.
    ///
    /// # Errors
    /// The store's own; `take`'s.
    fn list_each(
        &self,
        pattern: &Pattern,
        stop: &Stop,
        take: &mut dyn FnMut(Entry) -> Result<()>,
    ) -> Result<()>;

    /// Every object that `pattern` names, in the order of the keys' bytes. Nobody counts what it holds: for a run's own
    /// few objects.
    ///
    /// # Errors
    /// 65 past the limit of listed objects; the store's own errors otherwise.
    fn list(&self, pattern: &Pattern, stop: &Stop) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        self.list_each(pattern, stop, &mut |entry| {
            if entries.len() >= LISTED_OBJECTS {
                return Err(too_many(self.uri(&pattern.to_string())));
            }
            entries.push(entry);
            Ok(())
        })?;
        in_key_order(&mut entries);
        Ok(entries)
    }

    /// Opens an object for reading from its first byte; None where it is absent. With an `etag`, it must be that state
    /// of the object still.
    ///
    /// # Errors
    /// 66 where the object is not in the state of `etag`; the store's own errors otherwise. A change while the object is
    /// read is an error of the reader (see [`lifted`]).
    fn open(&self, key: &str, etag: Option<&str>, stop: &Stop) -> Result<Option<Opened>>;

    /// The same from byte `offset` on; what comes before it is passed over.
    ///
    /// # Errors
    /// As [`Readable::open`].
    fn open_at(
        &self,
        key: &str,
        etag: Option<&str>,
        offset: u64,
        stop: &Stop,
    ) -> Result<Option<Opened>> {
        let Some(mut opened) = self.open(key, etag, stop)? else {
            return Ok(None);
        };
        let mut before = opened.reader.by_ref().take(offset);
        io::copy(&mut before, &mut io::sink()).map_err(|cause| lifted(cause, &self.uri(key)))?;
        Ok(Some(opened))
    }

    /// Whether a listed object is better read in stretches ([`Readable::range`]), several at a time, than from first
    /// byte to last.
    fn has_ranges(&self, entry: &Entry) -> bool;

    /// A stretch of a listed object, whole, in the state that was listed; None where it is absent. Its bytes come in
    /// `room`, a buffer that may have served before. Attempts are made inside.
    ///
    /// # Errors
    /// 66 where the object is not in that state; the store's own errors otherwise.
    fn range(
        &self,
        entry: &Entry,
        range: Range<u64>,
        room: Vec<u8>,
        stop: &Stop,
    ) -> Result<Option<Stretch>>;
}

/// Objects under keys, to be read and created.
pub trait Store: Readable {
    /// Whether this store is known to keep create-only promises, or must show it once (SPEC 7, rule 2).
    fn create_only(&self) -> CreateOnly;

    /// What is known of an object without reading it; None where it is absent.
    ///
    /// # Errors
    /// The store's own.
    fn head(&self, key: &str, stop: &Stop) -> Result<Option<Head>>;

    /// Creates an object unless one is there, marked with `nonce`. The same call may be repeated with the same bytes.
    fn put(&self, key: &str, body: &[u8], nonce: &Nonce, stop: &Stop) -> Answer;

    /// Begins an object that arrives in parts; it is not there before [`Store::complete`].
    ///
    /// # Errors
    /// The store's own.
    fn begin(&self, key: &str, nonce: &Nonce, stop: &Stop) -> Result<Upload>;

    /// Stores part `number` (from 1). All but the last have [`crate::limits::PART_BYTES`]. May be repeated.
    ///
    /// # Errors
    /// The store's own.
    fn part(&self, upload: &Upload, number: u32, body: &[u8], stop: &Stop) -> Result<Part>;

    /// Creates the object of its parts unless one is there.
    fn complete(&self, upload: &Upload, parts: &[Part], stop: &Stop) -> Answer;

    /// Drops an upload and its parts.
    ///
    /// # Errors
    /// The store's own; the parts may still be there.
    fn abort(&self, upload: &Upload, stop: &Stop) -> Result<()>;
}

/// Whether "create unless it is there" holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateOnly {
    /// By the store's documentation.
    Known,
    /// An endpoint of unknown make: the claim is sent twice, and the second must be refused.
    Unproven,
}

/// The answer to a request that creates an object.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The object was created by this request and is durable.
    Created {
        /// Where the store keeps versions.
        version_id: Option<String>,
    },
    /// An object is there already (412); this request changed nothing.
    Exists,
    /// Nobody knows whether it was created, or will be: the answer was lost, late, cut off, 408, 409 or 5xx.
    Lost(Error),
    /// As `Lost`, and the same request cannot succeed any more: 409 or NoSuchUpload at the end of an upload.
    Spent(Error),
    /// A complete refusal: nothing was created, and nothing will be.
    Refused(Error),
    /// The same, and the store was not even asked.
    NotSent(Error),
}

/// A listed object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its key.
    pub key: Box<str>,
    /// Its size.
    pub bytes: u64,
    /// The state that was listed; empty where the store has none that can be held on to.
    pub etag: Box<str>,
    /// What the object is besides its name, where the store tells: two names of one file have the same.
    pub file: Option<FileId>,
}

/// A file, whatever its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId {
    /// Device number.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
}

/// What a store knows of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its size.
    pub bytes: u64,
    /// The nonce of the run that wrote it, as far as the store still tells.
    pub nonce: Option<String>,
    /// Where the store keeps versions.
    pub version_id: Option<String>,
}

/// An object being read.
pub struct Opened {
    /// Its size.
    pub bytes: u64,
    /// The state that is being read.
    pub etag: String,
    /// Where the store keeps versions.
    pub version_id: Option<String>,
    /// Its bytes. A read fails where the object changed meanwhile; [`lifted`] gives the run's error back.
    pub reader: Box<dyn Read + Send>,
}

/// Bytes of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// All that were asked for.
    pub bytes: Vec<u8>,
    /// Where the store keeps versions.
    pub version_id: Option<String>,
}

/// An object that arrives in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// The object to be.
    pub key: String,
    /// The store's name for the upload.
    pub id: String,
    /// The mark that the object will carry.
    pub nonce: Nonce,
}

/// A stored part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// From 1.
    pub number: u32,
    /// Its size.
    pub bytes: u64,
    /// The store's receipt for it.
    pub etag: String,
}

impl Opened {
    /// The whole object, which must not be larger than `limit_bytes`.
    ///
    /// # Errors
    /// 65 past the limit; the reader's own, at `uri`.
    pub fn read_small(self, uri: &str, limit_bytes: usize) -> Result<Vec<u8>> {
        let too_large = |found: String| {
            Error::new(
                Kind::Data,
                "reading",
                format!("at most {limit_bytes} bytes"),
                found,
                "look at what wrote this object",
            )
            .at_uri(uri)
        };
        let limit = u64::try_from(limit_bytes).unwrap_or(u64::MAX);
        if self.bytes > limit {
            return Err(too_large(format!("{} bytes", self.bytes)));
        }
        let mut bytes = Vec::new();
        self.reader
            .take(limit.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|cause| lifted(cause, uri))?;
        if bytes.len() > limit_bytes {
            return Err(too_large("more".to_owned()));
        }
        Ok(bytes)
    }
}

impl Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened")
            .field("bytes", &self.bytes)
            .field("etag", &self.etag)
            .finish_non_exhaustive()
    }
}

/// The error of the run behind a failed read: the one that the store's reader put there, else 74.
#[must_use]
pub fn lifted(cause: io::Error, uri: &str) -> Error {
    match cause.downcast::<Error>() {
        Ok(error) => error,
        Err(cause) => Error::local_io("reading", uri, &cause),
    }
}

/// Sorts a listing.
fn in_key_order(entries: &mut [Entry]) {
    entries.sort_unstable_by(|one, two| one.key.cmp(&two.key));
}

/// Reads all of `body`, which has `length` bytes, into `room`.
fn fill(room: &mut Vec<u8>, length: u64, mut body: impl Read) -> io::Result<()> {
    room.clear();
    room.reserve_exact(usize::try_from(length).unwrap_or_default());
    body.read_to_end(room)?;
    Ok(())
}

/// An input that was listed is not there any more.
pub(crate) fn gone(uri: String) -> Error {
    let advice = "start again when nothing deletes from the input any more";
    let expected = "the object that was listed";
    Error::new(Kind::Input, "reading", expected, "that it is gone", advice).at_uri(uri)
}

/// A listing is past its limit.
fn too_many(uri: String) -> Error {
    Error::new(
        Kind::Data,
        "listing",
        format!("at most {LISTED_OBJECTS} objects"),
        "more",
        "name fewer objects, or larger ones",
    )
    .at_uri(uri)
}
