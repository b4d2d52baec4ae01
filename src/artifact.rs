//! A sink that compresses, counts, hashes and stores as bytes come, and ends in a receipt (SPEC 7, rule 10).
//!
//! Below 8 MiB an artifact is one PUT; from there on it goes out in parts of 8 MiB. It holds one buffer of at most a part
//! and starts small. However it ends before its receipt, its upload is aborted.

use crate::digest::Sha256;
use crate::error::{Error, Kind, Result};
use crate::gzip::{Compression, Compressor};
use crate::limits::{ARTIFACT_BUFFER_BYTES, PARTS};
use crate::manifest::Receipt;
use crate::store::destination::Destination;
use crate::store::{Part, Upload};

/// An artifact being written.
#[derive(Debug)]
pub struct Artifact {
    sink: Sink,
    gzip: Option<Compressor>,
    rows: u64,
}

impl Artifact {
    /// Starts an artifact. Nothing is sent before there is a part, or the end.
    #[must_use]
    pub fn create(destination: &Destination, name: &str, compression: Compression) -> Self {
        let gzip = match compression {
            Compression::None => None,
            Compression::Gzip => Some(Compressor::default()),
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
                let ready = gzip.write(bytes).map_err(|cause| defect(&cause))?;
                self.sink.write(&ready)
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

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::clock::ManualClock;
    use crate::digest::sha256;
    use crate::gzip;
    use crate::limits::PART_BYTES;
    use crate::random::{Nonce, SystemRandomness};
    use crate::stop::Stop;
    use crate::store::fake::Fake;

    fn destination(fake: &Arc<Fake>, part_bytes: usize) -> Destination {
        let clock = Arc::new(ManualClock::default());
        let stop = Stop::new(clock, Duration::from_secs(100), Duration::from_secs(10));
        let nonce = Nonce::draw(&SystemRandomness::default()).unwrap();
        Destination::new(fake.clone(), "run/".to_owned(), nonce, 1, stop)
            .with_part_bytes(part_bytes)
    }

    #[test]
    fn below_a_part_it_is_one_put_and_from_there_on_parts() {
        for (bytes, want) in [
            (0, &["PUT"][..]),
            (1, &["PUT"]),
            (99, &["PUT"]),
            (100, &["BEGIN", "PART", "COMPLETE"]),
            (101, &["BEGIN", "PART", "PART", "COMPLETE"]),
            (200, &["BEGIN", "PART", "PART", "COMPLETE"]),
        ] {
            for piece in [1, 7, 100, 1_000] {
                let fake = Arc::new(Fake::default());
                let content: Vec<u8> = (0..=255).cycle().take(bytes).collect();
                let mut artifact =
                    Artifact::create(&destination(&fake, 100), "a", Compression::None);
                for piece in content.chunks(piece) {
                    artifact.write(piece, 1).unwrap();
                }
                let receipt = artifact.finish().unwrap();
                let want: Vec<String> = want.iter().map(|verb| format!("{verb} run/a")).collect();
                assert_eq!(fake.requests(), want, "{bytes} by {piece}");
                assert_eq!(fake.objects()["run/a"].bytes, content, "{bytes} by {piece}");
                let rows = content.chunks(piece).count() as u64;
                let want = (bytes as u64, sha256(&content), rows);
                assert_eq!((receipt.bytes, receipt.sha256, receipt.rows), want);
            }
        }
    }

    #[test]
    fn the_same_content_gives_the_same_gzip_whatever_the_parts() {
        let content: Vec<u8> = (0..10_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut stored = Vec::new();
        for part_bytes in [100, PART_BYTES] {
            let fake = Arc::new(Fake::default());
            let destination = destination(&fake, part_bytes);
            let mut artifact = Artifact::create(&destination, "a", Compression::Gzip);
            for piece in content.chunks(1_000) {
                artifact.write(piece, 0).unwrap();
            }
            let receipt = artifact.finish().unwrap();
            let object = fake.objects()["run/a"].bytes.clone();
            assert_eq!(receipt.sha256, sha256(&object));
            let mut plain = Vec::new();
            let (mut reader, _) = gzip::content(Box::new(Cursor::new(object.clone()))).unwrap();
            reader.read_to_end(&mut plain).unwrap();
            assert_eq!(plain, content);
            stored.push(object);
        }
        assert_eq!(stored[0], stored[1]);
    }

    /// With parts of a byte. The binary has parts of 8 MiB and no setting for that, and 78 GiB are no test.
    #[test]
    fn f048_ten_thousand_parts_and_one_more() {
        let most = PARTS as usize;
        for (bytes, want) in [(most, None), (most + 1, Some(Kind::Data))] {
            let fake = Arc::new(Fake::default());
            let destination = destination(&fake, 1);
            let mut artifact = Artifact::create(&destination, "a", Compression::None);
            let written = artifact.write(&vec![b'x'; bytes], 0);
            let result = written.and_then(|()| artifact.finish());
            let error = result.err();
            assert_eq!(error.as_ref().map(Error::kind), want, "{bytes}");
            assert!(error.is_none_or(|error| error.to_string().contains("SHARD")));
            assert_eq!(
                (fake.uploads(), destination.open_uploads()),
                (0, vec![]),
                "{bytes}"
            );
        }
    }

    #[test]
    fn an_artifact_that_is_dropped_leaves_nothing() {
        let fake = Arc::new(Fake::default());
        let destination = destination(&fake, 10);
        let mut artifact = Artifact::create(&destination, "a", Compression::None);
        artifact.write(&[b'x'; 15], 0).unwrap();
        assert_eq!((fake.uploads(), destination.open_uploads().len()), (1, 1));
        drop(artifact);
        assert_eq!((fake.uploads(), destination.open_uploads().len()), (0, 0));
        assert!(fake.objects().is_empty());
    }

    #[test]
    fn its_buffer_starts_small_and_never_passes_a_part() {
        let fake = Arc::new(Fake::default());
        let mut sink = Sink::new(&destination(&fake, PART_BYTES), "a");
        sink.write(b"x").unwrap();
        assert_eq!(sink.buffer.capacity(), ARTIFACT_BUFFER_BYTES);
        for _ in 0..PART_BYTES / 999_999 + 1 {
            sink.write(&[b'x'; 999_999]).unwrap();
            assert!(
                sink.buffer.capacity() <= PART_BYTES,
                "{}",
                sink.buffer.capacity()
            );
        }
        assert_eq!(sink.parts.len(), 1);
    }
}
