//! Objects of a bucket, below a prefix (SPEC 7): what S3's answers mean for a claim, an artifact and an input.
//!
//! Nothing here decides for the run. An answer to a create-only request that leaves its effect open is given back as
//! such, after a pause, so that whoever settles it does not ask a busy store at once.

#[cfg(test)]
mod tests;

use std::io::{self, Read};
use std::ops::Range;

use super::pattern::{End, Segment};
use super::{
    Answer, CreateOnly, Entry, Head, Opened, Part, Pattern, Readable, Store, Stretch, Upload, fill,
    gone, lifted,
};
use crate::error::{Error, Kind, Result};
use crate::http::Failure;
use crate::limits::KEY_BYTES;
use crate::random::Nonce;
use crate::s3::{Client, Got, PartReceipt, Refusal, Trouble, Uploaded, changed, etag};
use crate::stop::Stop;

/// A bucket as a store.
#[derive(Clone, Debug)]
pub struct ObjectStore {
    client: Client,
    /// What all keys start with: empty, or with a `/` at its end.
    root: String,
}

impl ObjectStore {
    /// The objects of the client's bucket below `prefix`; all of them for the empty one.
    #[must_use]
    pub fn new(client: Client, prefix: &str) -> Self {
        let root = match prefix {
            "" => String::new(),
            prefix => format!("{}/", prefix.trim_end_matches('/')),
        };
        Self { client, root }
    }

    fn whole(&self, key: &str) -> String {
        format!("{}{key}", self.root)
    }

    /// What all keys of a pattern start with.
    fn listed_prefix(&self, pattern: &Pattern) -> String {
        let mut prefix = self.root.clone();
        for (number, segment) in pattern.segments().iter().enumerate() {
            if number > 0 {
                prefix.push('/');
            }
            match segment {
                Segment::Literal(literal) => prefix.push_str(literal),
                Segment::Star { start, .. } => {
                    prefix.push_str(start);
                    return prefix;
                }
            }
        }
        if pattern.end() == End::Below && !pattern.segments().is_empty() {
            prefix.push('/');
        }
        prefix
    }

    /// The one key that a pattern names; None where it may name several.
    fn single(pattern: &Pattern) -> Option<String> {
        let is_literal = |segment: &Segment| matches!(segment, Segment::Literal(_));
        let is_single = pattern.end() == End::Object && pattern.segments().iter().all(is_literal);
        is_single.then(|| pattern.to_string())
    }

    fn refuse_long_key(&self, key: &str) -> Result<()> {
        let bytes = self.whole(key).len();
        match bytes > KEY_BYTES {
            false => Ok(()),
            true => Err(Error::new(
                Kind::Config,
                "writing",
                "a key of at most 1,024 bytes",
                format!("{bytes} bytes"),
                "shorten OUTPUT or RUN_ID",
            )
            .at_uri(self.uri(key))),
        }
    }

    /// SPEC 7, rule 4, as a table.
    fn answer(&self, trouble: Trouble, request: Creating, stop: &Stop) -> Answer {
        let answer = match &trouble {
            Trouble::NotSent(error) => return Answer::NotSent(error.clone()),
            Trouble::Lost(error) => Answer::Lost(error.clone()),
            Trouble::Refused(refusal, error) => match (refusal.status, request) {
                (412, _) => return Answer::Exists,
                (409, Creating::Completing) => Answer::Spent(error.clone()),
                (404, Creating::Completing) if is_no_upload(refusal) => {
                    Answer::Spent(error.clone())
                }
                (501, _) => return Answer::Refused(error.clone()),
                (408 | 409 | 500..=599, _) => Answer::Lost(error.clone()),
                _ => return Answer::Refused(error.clone()),
            },
        };
        self.client.pause_after(&trouble, stop);
        answer
    }
}

/// Which request creates the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Creating {
    Putting,
    Completing,
}

fn is_no_upload(refusal: &Refusal) -> bool {
    // Some stores send no code.
    matches!(refusal.code.as_str(), "NoSuchUpload" | "")
}

impl Readable for ObjectStore {
    fn uri(&self, key: &str) -> String {
        self.client.uri(&self.whole(key))
    }

    fn list_each(
        &self,
        pattern: &Pattern,
        stop: &Stop,
        take: &mut dyn FnMut(Entry) -> Result<()>,
    ) -> Result<()> {
        // One key needs no right to list, and no page of everything that starts like it.
        if let Some(key) = Self::single(pattern) {
            return self.entry(&key, stop)?.map_or(Ok(()), take);
        }
        let prefix = self.listed_prefix(pattern);
        self.client.list(&prefix, stop, |listed| {
            let key = listed.key.strip_prefix(&self.root).unwrap_or(&listed.key);
            match pattern.matches(key) {
                false => Ok(()),
                true => take(Entry {
                    key: key.into(),
                    bytes: listed.bytes,
                    etag: listed.etag.into(),
                    file: None,
                }),
            }
        })
    }

    fn open(&self, key: &str, etag: Option<&str>, stop: &Stop) -> Result<Option<Opened>> {
        let whole = self.whole(key);
        let Some(got) = self.client.get(&whole, None, etag, stop)? else {
            return Ok(None);
        };
        Ok(Some(Opened {
            bytes: got.bytes,
            etag: got.etag.clone(),
            version_id: got.version_id.clone(),
            reader: Box::new(self.resuming(whole, 0..got.bytes, got, stop)),
        }))
    }

    fn has_ranges(&self, _entry: &Entry) -> bool {
        true
    }

    fn range(
        &self,
        entry: &Entry,
        range: Range<u64>,
        mut room: Vec<u8>,
        stop: &Stop,
    ) -> Result<Option<Stretch>> {
        let whole = self.whole(&entry.key);
        // An empty object has no range, and a small one needs none.
        let asked = (range != (0..entry.bytes)).then(|| range.clone());
        let got = self.client.get(&whole, asked, Some(&entry.etag), stop)?;
        let Some(got) = got else {
            return Ok(None);
        };
        if got.bytes != entry.bytes {
            let found = format!("{} bytes", got.bytes);
            return Err(changed(self.uri(&entry.key), &found));
        }
        let version_id = got.version_id.clone();
        let length = range.end.saturating_sub(range.start);
        let body = self.resuming(whole, range, got, stop);
        fill(&mut room, length, body).map_err(|cause| lifted(cause, &self.uri(&entry.key)))?;
        Ok(Some(Stretch {
            bytes: room,
            version_id,
        }))
    }
}

impl Store for ObjectStore {
    fn create_only(&self) -> CreateOnly {
        match self.client.settings().endpoint.is_aws() {
            true => CreateOnly::Known,
            false => CreateOnly::Unproven,
        }
    }

    fn head(&self, key: &str, stop: &Stop) -> Result<Option<Head>> {
        let known = self.client.head(&self.whole(key), stop)?;
        Ok(known.map(|known| Head {
            bytes: known.bytes,
            nonce: known.nonce,
            version_id: known.version_id,
        }))
    }

    fn put(&self, key: &str, body: &[u8], nonce: &Nonce, stop: &Stop) -> Answer {
        if let Err(error) = self.refuse_long_key(key) {
            return Answer::Refused(error);
        }
        match self.client.put(&self.whole(key), body, nonce, stop) {
            Ok(version_id) => Answer::Created { version_id },
            Err(trouble) => self.answer(trouble, Creating::Putting, stop),
        }
    }

    fn begin(&self, key: &str, nonce: &Nonce, stop: &Stop) -> Result<Upload> {
        self.refuse_long_key(key)?;
        let id = self.client.create_upload(&self.whole(key), nonce, stop)?;
        Ok(Upload {
            key: key.to_owned(),
            id,
            nonce: nonce.clone(),
        })
    }

    fn part(&self, upload: &Upload, number: u32, body: &[u8], stop: &Stop) -> Result<Part> {
        let key = self.whole(&upload.key);
        let receipt = self
            .client
            .upload_part(&key, &upload.id, number, body, stop)?;
        Ok(Part {
            number,
            bytes: u64::try_from(body.len()).unwrap_or(u64::MAX),
            etag: packed(&receipt),
        })
    }

    fn complete(&self, upload: &Upload, parts: &[Part], stop: &Stop) -> Answer {
        let key = self.whole(&upload.key);
        let receipts = parts
            .iter()
            .map(|part| unpacked(&part.etag).map(|receipt| (part.number, receipt)));
        let Some(receipts) = receipts.collect::<Option<Vec<_>>>() else {
            let error = Error::defect("committing", "a part that this store did not acknowledge");
            return Answer::Refused(error.at_uri(self.uri(&upload.key)));
        };
        match self
            .client
            .complete_upload(&key, &upload.id, &receipts, stop)
        {
            Uploaded::Created { version_id } => Answer::Created { version_id },
            Uploaded::Not(trouble) => self.answer(trouble, Creating::Completing, stop),
        }
    }

    fn abort(&self, upload: &Upload, stop: &Stop) -> Result<()> {
        let key = self.whole(&upload.key);
        self.client.abort_upload(&key, &upload.id, stop)
    }
}

impl ObjectStore {
    /// The listing of one key.
    fn entry(&self, key: &str, stop: &Stop) -> Result<Option<Entry>> {
        let Some(known) = self.client.head(&self.whole(key), stop)? else {
            return Ok(None);
        };
        let Some(etag) = known.etag else {
            return Err(Error::new(
                Kind::Protocol,
                "listing",
                "a strong ETag",
                "none",
                "without one, a change of the object while it is read cannot be noticed",
            )
            .at_uri(self.uri(key)));
        };
        Ok(Some(Entry {
            key: key.into(),
            bytes: known.bytes,
            etag: etag.into(),
            file: None,
        }))
    }

    /// The bytes of `range`, of which `got` is the first answer.
    fn resuming(&self, key: String, range: Range<u64>, got: Got, stop: &Stop) -> Resuming {
        Resuming {
            client: self.client.clone(),
            key,
            etag: got.etag,
            left: range,
            body: got.body,
            resumed: 0,
            stop: stop.clone(),
        }
    }
}

/// A part's receipt holds what the end of the upload repeats: ETag and checksum, neither of which has a blank.
fn packed(receipt: &PartReceipt) -> String {
    format!("{} {}", receipt.etag, receipt.sha256)
}

fn unpacked(text: &str) -> Option<PartReceipt> {
    let (tag, sha256) = text.split_once(' ')?;
    Some(PartReceipt {
        etag: etag(tag)?,
        sha256: sha256.to_owned(),
    })
}

/// A stretch of an object being read, which goes on where a connection broke, in the same state of the object or not at
/// all.
struct Resuming {
    client: Client,
    key: String,
    etag: String,
    /// What has still to come.
    left: Range<u64>,
    body: Box<dyn Read + Send>,
    /// How often it went on; S3_ATTEMPTS bounds it for the whole stretch.
    resumed: u32,
    stop: Stop,
}

impl Resuming {
    /// Asks for the rest, or gives the error back.
    fn resume(&mut self, cause: io::Error) -> Result<()> {
        let failure = Failure::of(cause);
        let error = failure.error("reading", self.client.uri(&self.key));
        let may_resume = failure.facts().kind == Kind::Unavailable
            && self.resumed.saturating_add(1) < self.client.settings().attempts;
        if !may_resume {
            return Err(error);
        }
        self.resumed = self.resumed.saturating_add(1);
        if !self.client.pause_before(self.resumed, &self.stop) {
            return Err(error);
        }
        let rest = self.client.get(
            &self.key,
            Some(self.left.clone()),
            Some(&self.etag),
            &self.stop,
        )?;
        let rest = rest.ok_or_else(|| gone(self.client.uri(&self.key)))?;
        self.body = rest.body;
        Ok(())
    }
}

impl Read for Resuming {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.left.is_empty() || into.is_empty() {
                return Ok(0);
            }
            let cause = match self.body.read(into) {
                Ok(0) => io::ErrorKind::UnexpectedEof.into(),
                Ok(read) => {
                    self.client.counters().received(read);
                    let count = u64::try_from(read).unwrap_or(u64::MAX);
                    self.left.start = self.left.start.saturating_add(count);
                    return Ok(read);
                }
                Err(cause) => cause,
            };
            self.resume(cause).map_err(io::Error::other)?;
        }
    }
}
