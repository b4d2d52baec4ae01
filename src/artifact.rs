//! A sink that compresses, counts, hashes and stores as bytes come, and ends in a receipt (SPEC 7, rule 10).
//!
//! Below 8 MiB an artifact is one PUT; from there on it goes out in parts of 8 MiB. It holds one buffer of at most a part
//! and starts small. However it ends before its receipt, its upload is aborted.

use std::io::Write;

use flate2::write::GzEncoder;

use crate::digest::Sha256;
use crate::error::{Error, Kind, Result};
use crate::limits::{ARTIFACT_BUFFER_BYTES, PARTS};
use crate::manifest::Receipt;
use crate::store::destination::Destination;
use crate::store::{Part, Upload};

/// Whether an artifact is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// As it comes.
    None,
    /// gzip, with the same bytes for the same content.
    Gzip,
}

/// An artifact being written.
#[derive(Debug)]
pub struct Artifact {
    sink: Sink,
    gzip: Option<GzEncoder<Vec<u8>>>,
    rows: u64,
}

impl Artifact {
    /// Starts an artifact. Nothing is sent before there is a part, or the end.
    #[must_use]
    pub fn create(destination: &Destination, name: &str, compression: Compression) -> Self {
        let gzip = match compression {
            Compression::None => None,
            Compression::Gzip => Some(GzEncoder::new(Vec::new(), flate2::Compression::default())),
        };
        Self {
            sink: Sink::new(destination, name),
            gzip,
            rows: 0,
        }
    }

    /// Takes the next bytes, which hold `rows` rows.
    ///
    /// # Errors
    /// 65 past the most parts of an artifact; the store's own.
    pub fn write(&mut self, bytes: &[u8], rows: u64) -> Result<()> {
        self.rows = self.rows.saturating_add(rows);
        match &mut self.gzip {
            None => self.sink.write(bytes),
            Some(gzip) => {
                gzip.write_all(bytes).map_err(|cause| defect(&cause))?;
                self.sink.write(gzip.get_ref())?;
                gzip.get_mut().clear();
                Ok(())
            }
        }
    }

    /// Ends it: the store has acknowledged every byte.
    ///
    /// # Errors
    /// As [`Self::write`]; 73 where another run's object has the name; 69 where the outcome stays unknown.
    pub fn finish(mut self) -> Result<Receipt> {
        if let Some(gzip) = self.gzip.take() {
            let rest = gzip.finish().map_err(|cause| defect(&cause))?;
            self.sink.write(&rest)?;
        }
        self.sink.finish(self.rows)
    }
}

/// The stored bytes of an artifact.
#[derive(Debug)]
struct Sink {
    destination: Destination,
    name: String,
    /// What is not sent yet; at most a part.
    buffer: Vec<u8>,
    hash: Sha256,
    bytes: u64,
    /// Invariant: there from the first part on, until it is completed.
    upload: Option<Upload>,
    parts: Vec<Part>,
}

impl Sink {
    fn new(destination: &Destination, name: &str) -> Self {
        Self {
            destination: destination.clone(),
            name: name.to_owned(),
            buffer: Vec::new(),
            hash: Sha256::new(),
            bytes: 0,
            upload: None,
            parts: Vec::new(),
        }
    }

    fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        self.hash.update(bytes);
        let added = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.bytes = self.bytes.saturating_add(added);
        while !bytes.is_empty() {
            let room = self
                .destination
                .part_bytes()
                .saturating_sub(self.buffer.len());
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.grow(now.len());
            self.buffer.extend_from_slice(now);
            bytes = later;
            if now.len() == room {
                self.send_part()?;
            }
        }
        Ok(())
    }

    /// Doubles the buffer as it is needed, but never past a part.
    fn grow(&mut self, more: usize) {
        let need = self.buffer.len().saturating_add(more);
        if need > self.buffer.capacity() {
            let doubled = self.buffer.capacity().saturating_mul(2);
            let capacity = need
                .max(doubled)
                .max(ARTIFACT_BUFFER_BYTES)
                .min(self.destination.part_bytes());
            self.buffer
                .reserve_exact(capacity.saturating_sub(self.buffer.len()));
        }
    }

    fn send_part(&mut self) -> Result<()> {
        let upload = match &mut self.upload {
            Some(upload) => upload,
            none => none.insert(self.destination.begin(&self.name)?),
        };
        let sent = u32::try_from(self.parts.len()).unwrap_or(u32::MAX);
        if sent >= PARTS {
            return Err(Error::new(
                Kind::Data,
                "writing",
                format!("an artifact of at most {PARTS} parts of 8 MiB"),
                "more",
                "split the input into several runs (SHARD)",
            )
            .at_uri(self.destination.uri(&self.name)));
        }
        let number = sent.saturating_add(1);
        let part = self.destination.part(upload, number, &self.buffer)?;
        self.parts.push(part);
        self.buffer.clear();
        Ok(())
    }

    fn finish(mut self, rows: u64) -> Result<Receipt> {
        let version_id = if self.upload.is_none() {
            self.destination.create(&self.name, &self.buffer)?
        } else {
            if !self.buffer.is_empty() {
                self.send_part()?;
            }
            let upload = self.upload.as_ref().ok_or_else(no_upload)?;
            let version_id = self.destination.complete(&self.name, upload, &self.parts)?;
            self.upload = None;
            version_id
        };
        Ok(Receipt {
            name: self.name.clone(),
            version_id,
            bytes: self.bytes,
            sha256: self.hash.clone().finish(),
            rows,
        })
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if let Some(upload) = self.upload.take() {
            self.destination.abort(&upload);
        }
    }
}

fn no_upload() -> Error {
    Error::defect("writing an artifact", "parts without an upload")
}

fn defect(cause: &std::io::Error) -> Error {
    Error::defect("compressing an artifact", cause.to_string())
}
