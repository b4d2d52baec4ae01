//! Reading a file that must not change meanwhile (SPEC 7, rule 8).
//!
//! A change is told by size, times and inode. What changes a file within one tick of the file system's clock, to the same
//! size, is not noticed.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use crate::error::{Error, Kind};
use crate::store::FileId;

/// What must not change while a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) file: FileId,
    pub(super) bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            file: FileId::of(metadata),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Time and size: equal for one file seen from two machines, whatever their device numbers.
    pub(super) fn etag(&self) -> String {
        let (seconds, nanos) = self.modified;
        format!("{seconds:x}.{nanos:x}-{:x}", self.bytes)
    }
}

impl FileId {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

/// A file that must stay as it was when it was opened.
pub(super) struct Watched {
    file: File,
    path: PathBuf,
    uri: String,
    stamp: Stamp,
    /// How far it was read, or passed over.
    read: u64,
}

impl Watched {
    /// `file` stands at `offset`.
    pub(super) fn new(file: File, offset: u64, stamp: Stamp, path: PathBuf, uri: String) -> Self {
        Self {
            file,
            path,
            uri,
            stamp,
            read: offset,
        }
    }
}

impl Read for Watched {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.file.read(into)?;
        self.read = self
            .read
            .saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        let mut same = Stamp::of(&self.file.metadata()?) == self.stamp;
        if bytes == 0 && !into.is_empty() {
            // At the end, the name must still lead to this file, and all of it was read.
            let named = fs::symlink_metadata(&self.path).map(|metadata| Stamp::of(&metadata));
            same &= named.is_ok_and(|named| named == self.stamp) && self.read == self.stamp.bytes;
        }
        match same {
            true => Ok(bytes),
            false => Err(io::Error::other(changed_while(
                "while it was read",
                self.uri.clone(),
            ))),
        }
    }
}

pub(super) fn changed_while(when: &str, uri: String) -> Error {
    Error::new(
        Kind::Input,
        "reading",
        "the file as it was listed (size, times, inode)",
        format!("that it changed {when}"),
        "start the run when nothing writes to its inputs",
    )
    .at_uri(uri)
}
