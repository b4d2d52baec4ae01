//! An artifact of a shard, read from first byte to last: its size and SHA-256 are what its manifest says, or the read
//! fails.

use std::io::{self, BufRead, BufReader, Read};

use super::documents::Shard;
use crate::digest::Sha256;
use crate::error::{Error, Kind, Result};
use crate::gzip;
use crate::manifest::Receipt;
use crate::stop::Stop;
use crate::store::lifted;

/// Longest line of inputs.ndjson.gz and rejected.ndjson: 64 KiB of a record with every byte escaped, a key, a reason.
const LINE_BYTES: u64 = 1 << 20;

/// The content of an artifact, decompressed where it is.
pub(super) struct Artifact<'a> {
    pub(super) uri: String,
    content: BufReader<Box<dyn Read + 'a>>,
}

/// Its stored bytes.
struct Stored<'a> {
    reader: Box<dyn Read + Send>,
    receipt: &'a Receipt,
    hash: Option<Sha256>,
    uri: String,
}

impl<'a> Artifact<'a> {
    /// Opens the artifact `name` of `shard`; `None` where its manifest names none.
    ///
    /// # Errors
    /// 65 where it is not there, or has another size; the store's own.
    pub(super) fn open(shard: &'a Shard, name: &str, stop: &Stop) -> Result<Option<Self>> {
        let Some(receipt) = shard.artifact(name) else {
            return Ok(None);
        };
        let (key, uri) = (shard.key(name), shard.uri(name));
        let opened = shard.store.open(&key, None, stop)?;
        let opened = opened.ok_or_else(|| differs(receipt, "nothing", &uri))?;
        if opened.bytes != receipt.bytes {
            return Err(differs(receipt, &format!("{} bytes", opened.bytes), &uri));
        }
        let stored = Box::new(Stored {
            reader: opened.reader,
            receipt,
            hash: Some(Sha256::new()),
            uri: uri.clone(),
        });
        let (content, _) = gzip::content(stored).map_err(|cause| lifted(cause, &uri))?;
        Ok(Some(Self {
            uri,
            content: BufReader::new(content),
        }))
    }

    /// Reads the next bytes of the content; 0 at its end.
    ///
    /// # Errors
    /// 65 where the artifact is not what its manifest says; the store's own.
    pub(super) fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        loop {
            match self.content.read(into) {
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                read => return read.map_err(|cause| lift(cause, &self.uri)),
            }
        }
    }

    /// Reads the next line into `line`, its end included; `false` at the end.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(super) fn line(&mut self, line: &mut Vec<u8>) -> Result<bool> {
        line.clear();
        let mut limited = self.content.by_ref().take(LINE_BYTES);
        let read = limited.read_until(b'\n', line);
        match read.map_err(|cause| lift(cause, &self.uri))? {
            0 => Ok(false),
            _ if line.ends_with(b"\n") => Ok(true),
            _ => Err(malformed("whole lines", "a part of one", &self.uri)),
        }
    }
}

impl Read for Stored<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.reader.read(into)?;
        if let Some(hash) = &mut self.hash {
            hash.update(into.get(..bytes).unwrap_or_default());
        }
        if bytes == 0
            && !into.is_empty()
            && let Some(hash) = self.hash.take()
        {
            let found = hash.finish();
            if found != self.receipt.sha256 {
                let found = format!("SHA-256 {found}");
                return Err(io::Error::other(differs(self.receipt, &found, &self.uri)));
            }
        }
        Ok(bytes)
    }
}

/// It is not what its manifest says.
fn differs(receipt: &Receipt, found: &str, uri: &str) -> Error {
    let expected = format!("{} bytes, SHA-256 {}", receipt.bytes, receipt.sha256);
    let advice = "run that shard again under a new RUN_ID, and name that run in INPUT";
    Error::new(Kind::Data, "merging", expected, found, advice).at_uri(uri)
}

/// It is what its manifest says, and nothing that a shard writes.
pub(super) fn malformed(expected: &str, found: &str, uri: &str) -> Error {
    let advice = "run that shard again: something other than this windrow wrote it";
    Error::new(Kind::Data, "merging", expected, found, advice).at_uri(uri)
}

fn lift(cause: io::Error, uri: &str) -> Error {
    match gzip::damage(&cause) {
        Some(found) => malformed("whole gzip members", found, uri),
        None => lifted(cause, uri),
    }
}
