//! Files as objects (SPEC 7, rules 8 and 9).
//!
//! An object is written to `.tmp-<nonce>-name`, synced, hard-linked to its name, which fails where the name is taken,
//! and the directory is synced. Files named `.tmp-*` are no objects: whoever is killed before the link leaves one of them
//! and nothing else.
//!
//! Below the root no symbolic link is followed. A link put in place between the look and the use is not noticed: that
//! takes somebody who may write there anyway.

mod list;
#[cfg(test)]
mod tests;
mod watched;

use std::fs::{self, File, Metadata};
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use self::watched::{Stamp, Watched, changed_while};
use super::{
    Answer, CreateOnly, Entry, FileId, Head, Opened, Part, Pattern, Readable, Store, Stretch,
    Upload,
};
use crate::error::{Error, Kind, Result, shown};
use crate::limits::{KEY_BYTES, PART_BYTES};
use crate::random::Nonce;
use crate::stop::Stop;

const TEMPORARY: &str = ".tmp-";

/// Linux's numbers for what `link` says on a file system that has no hard links.
/// Source: link(2), "EPERM: The filesystem does not support the creation of hard links"; network file systems give the
/// others.
const NO_HARD_LINKS: [i32; 4] = [1, 38, 95, 31];

/// A directory as a store.
#[derive(Clone, Debug)]
pub struct FileStore {
    root: PathBuf,
    side: Side,
    calls: Calls,
    /// Whether an object was named whose directory could not be synced.
    is_unsettled: Arc<AtomicBool>,
}

/// Which end of a run the files are at: it decides how a fault of theirs is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What is read: 66.
    Input,
    /// What is written: 74.
    Output,
}

/// The two system calls on which the commit stands; tests put failing ones here.
#[derive(Clone, Copy, Debug)]
struct Calls {
    link: fn(&Path, &Path) -> io::Result<()>,
    sync_directory: fn(&Path) -> io::Result<()>,
}

impl Calls {
    const SYSTEM: Self = Self {
        link: |from, to| fs::hard_link(from, to),
        sync_directory: |path| File::open(path)?.sync_all(),
    };
}

/// Where an object is, or will be.
struct Place {
    directory: PathBuf,
    name: String,
    path: PathBuf,
}

impl FileStore {
    /// The store of a run's output: the directory `root`, which need not exist yet.
    #[must_use]
    pub fn output(root: &Path) -> Self {
        Self::new(root, Side::Output)
    }

    /// The store of a run that is read again: the directory `root`.
    #[must_use]
    pub fn run(root: &Path) -> Self {
        Self::new(root, Side::Input)
    }

    /// The store and the pattern behind the path of a `file://` INPUT. The root is the last directory before the first
    /// `*`, so every directory that a `*` or a final `/` brings in is checked for symbolic links.
    ///
    /// # Errors
    /// 78 for a path that is not absolute, holds `.`, `..` or an empty segment, or two `*` in a segment.
    pub fn input(path: &str) -> Result<(Self, Pattern)> {
        let malformed = |why: &str| {
            Error::new(
                Kind::Config,
                "reading INPUT",
                "an absolute path, with at most one `*` per segment",
                why,
                "correct INPUT",
            )
            .at_uri(format!("file://{path}"))
        };
        let relative = path
            .strip_prefix('/')
            .ok_or_else(|| malformed("a relative path"))?;
        Pattern::parse(relative).map_err(malformed)?;
        let literal = path.split_once('*').map_or(path, |(literal, _)| literal);
        let (root, _) = literal.rsplit_once('/').unwrap_or(("", literal));
        let rest = path.get(root.len().saturating_add(1)..).unwrap_or("");
        let pattern = match rest {
            // `dir/`: everything below the root.
            "" => Pattern::below(""),
            rest => Pattern::parse(rest).map_err(malformed)?,
        };
        Ok((Self::new(Path::new(root), Side::Input), pattern))
    }

    fn new(root: &Path, side: Side) -> Self {
        // The directory above `/x` is `/`, which a split at the last slash leaves empty.
        let root = match root.as_os_str().is_empty() {
            true => PathBuf::from("/"),
            false => root.to_owned(),
        };
        Self {
            root,
            side,
            calls: Calls::SYSTEM,
            is_unsettled: Arc::default(),
        }
    }

    /// The path of `key`, every component below the root that exists checked.
    fn resolve(&self, key: &str) -> Result<Place> {
        let mut directory = self.root.clone();
        let mut parts = key.split('/').peekable();
        while let Some(part) = parts.next() {
            let hidden = part.starts_with(TEMPORARY);
            if matches!(part, "" | "." | "..") || part.contains('\0') || hidden {
                let found = format!("{:?} in the key", shown(part.as_bytes(), 64));
                return Err(self.refused(key, "names of files without `.` and `..`", found));
            }
            let path = directory.join(part);
            let metadata = self.look(&path, key)?;
            let is_link = metadata.as_ref().is_some_and(Metadata::is_symlink);
            if is_link {
                let found = format!("a symbolic link at {}", path.display());
                return Err(self.refused(key, "no symbolic link", found));
            }
            if parts.peek().is_none() {
                let name = part.to_owned();
                return Ok(Place {
                    directory,
                    name,
                    path,
                });
            }
            if metadata.is_some_and(|metadata| !metadata.is_dir()) {
                let found = format!("a file at {}", path.display());
                return Err(self.refused(key, "a directory", found));
            }
            directory = path;
        }
        Err(self.refused(key, "a key", "none".to_owned()))
    }

    /// `lstat`, where "not there" is an answer.
    fn look(&self, path: &Path, key: &str) -> Result<Option<Metadata>> {
        match fs::symlink_metadata(path) {
            Ok(metadata) => Ok(Some(metadata)),
            Err(cause) if is_absent(&cause) => Ok(None),
            Err(cause) => Err(self.failed("looking at", key, &cause)),
        }
    }

    /// As [`Self::resolve`], with the directories made.
    fn prepare(&self, key: &str) -> Result<Place> {
        if key.len() > KEY_BYTES {
            let found = format!("{} bytes", key.len());
            return Err(self.refused(key, "a key of at most 1,024 bytes", found));
        }
        let place = self.resolve(key)?;
        self.make_directory(&place.directory)
            .map_err(|cause| self.failed("making the directory of", key, &cause))?;
        Ok(place)
    }

    /// Makes a directory and those above it, each made durable in the one above.
    fn make_directory(&self, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        let above = path.parent().ok_or(io::ErrorKind::NotFound)?;
        self.make_directory(above)?;
        match fs::create_dir(path) {
            // Another run made it at the same moment, or it is something else.
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
                if !path.is_dir() {
                    return Err(io::ErrorKind::NotADirectory.into());
                }
            }
            Err(cause) => return Err(cause),
            Ok(()) => {}
        }
        (self.calls.sync_directory)(above)
    }

    /// Gives a synced temporary file its name, unless the name is taken.
    fn publish(&self, temporary: &Path, place: &Place, key: &str) -> Answer {
        if let Err(cause) = (self.calls.link)(temporary, &place.path) {
            // A network file system may say that it failed, or that the name is taken, for a link that it made.
            if !is_same_file(temporary, &place.path) {
                discard(temporary);
                return match cause.kind() == io::ErrorKind::AlreadyExists {
                    true => Answer::Exists,
                    false => Answer::Refused(self.link_failed(key, &cause)),
                };
            }
        }
        discard(temporary);
        match (self.calls.sync_directory)(&place.directory) {
            Ok(()) => Answer::Created { version_id: None },
            Err(cause) => {
                // The name is there and may be gone after a crash. No later sync that works would prove otherwise: the
                // system tells of a write that it lost only once.
                self.is_unsettled.store(true, Ordering::SeqCst);
                Answer::Spent(self.failed("syncing the directory of", key, &cause))
            }
        }
    }

    fn kind(&self) -> Kind {
        match self.side {
            Side::Input => Kind::Input,
            Side::Output => Kind::LocalIo,
        }
    }

    /// Something is there that windrow does not touch.
    fn refused(&self, key: &str, expected: &str, found: String) -> Error {
        let (doing, advice) = match self.side {
            Side::Input => ("reading", "name plain files below plain directories"),
            Side::Output => (
                "writing",
                "give OUTPUT a directory that only windrow writes to",
            ),
        };
        Error::new(self.kind(), doing, expected, found, advice).at_uri(self.uri(key))
    }

    fn failed(&self, doing: &'static str, key: &str, cause: &io::Error) -> Error {
        let advice = advice(cause.kind());
        let found = cause.to_string();
        Error::new(
            Kind::LocalIo,
            doing,
            "the operation to succeed",
            found,
            advice,
        )
        .at_uri(self.uri(key))
    }

    fn link_failed(&self, key: &str, cause: &io::Error) -> Error {
        match cause.raw_os_error() {
            Some(number) if NO_HARD_LINKS.contains(&number) => Error::new(
                Kind::LocalIo,
                "committing",
                "a file system with hard links",
                cause.to_string(),
                "give OUTPUT a directory on a file system that has them",
            )
            .at_uri(self.uri(key)),
            _ => self.failed("committing", key, cause),
        }
    }
}

impl Readable for FileStore {
    fn uri(&self, key: &str) -> String {
        let root = self.root.display().to_string();
        format!("file://{}/{key}", root.trim_end_matches('/'))
    }

    fn list_each(
        &self,
        pattern: &Pattern,
        stop: &Stop,
        take: &mut dyn FnMut(Entry) -> Result<()>,
    ) -> Result<()> {
        self.files(pattern, stop, take)
    }

    fn open(&self, key: &str, etag: Option<&str>, stop: &Stop) -> Result<Option<Opened>> {
        self.open_at(key, etag, 0, stop)
    }

    fn open_at(
        &self,
        key: &str,
        etag: Option<&str>,
        offset: u64,
        _stop: &Stop,
    ) -> Result<Option<Opened>> {
        let place = self.resolve(key)?;
        let Some(seen) = self.look(&place.path, key)? else {
            return Ok(None);
        };
        if !seen.is_file() {
            let found = "something else".to_owned();
            return Err(self.refused(key, "a regular file", found));
        }
        let failed = |cause: &io::Error| self.failed("opening", key, cause);
        let mut file = match File::open(&place.path) {
            Ok(file) => file,
            Err(cause) if is_absent(&cause) => return Ok(None),
            Err(cause) => return Err(failed(&cause)),
        };
        let stamp = Stamp::of(&file.metadata().map_err(|cause| failed(&cause))?);
        let changed = etag.is_some_and(|etag| etag != stamp.etag());
        if changed || Stamp::of(&seen) != stamp {
            return Err(changed_while("before it was opened", self.uri(key)));
        }
        file.seek(SeekFrom::Start(offset))
            .map_err(|cause| failed(&cause))?;
        Ok(Some(Opened {
            bytes: stamp.bytes,
            etag: stamp.etag(),
            version_id: None,
            reader: Box::new(Watched::new(file, offset, stamp, place.path, self.uri(key))),
        }))
    }

    fn has_ranges(&self, _entry: &Entry) -> bool {
        // The system reads ahead by itself.
        false
    }

    fn range(
        &self,
        entry: &Entry,
        _range: Range<u64>,
        _room: Vec<u8>,
        _stop: &Stop,
    ) -> Result<Option<Stretch>> {
        Err(Error::defect("reading", "a file in stretches").at_uri(self.uri(&entry.key)))
    }
}

impl Store for FileStore {
    fn create_only(&self) -> CreateOnly {
        CreateOnly::Known
    }

    fn head(&self, key: &str, _stop: &Stop) -> Result<Option<Head>> {
        let place = self.resolve(key)?;
        let Some(metadata) = self.look(&place.path, key)? else {
            return Ok(None);
        };
        match self.is_unsettled.load(Ordering::SeqCst) {
            false => Ok(Some(Head {
                bytes: metadata.len(),
                // Files carry no mark; none is needed where every answer but a failed sync is certain.
                nonce: None,
                version_id: None,
            })),
            true => Err(self.failed("settling", key, &io::Error::other("a failed sync before"))),
        }
    }

    fn put(&self, key: &str, body: &[u8], nonce: &Nonce, _stop: &Stop) -> Answer {
        let place = match self.prepare(key) {
            Ok(place) => place,
            Err(error) => return Answer::Refused(error),
        };
        let temporary = place.temporary(nonce);
        match write_synced(&temporary, body) {
            Ok(()) => self.publish(&temporary, &place, key),
            Err(cause) => {
                discard(&temporary);
                Answer::Refused(self.failed("writing", key, &cause))
            }
        }
    }

    fn begin(&self, key: &str, nonce: &Nonce, _stop: &Stop) -> Result<Upload> {
        let place = self.prepare(key)?;
        let temporary = place.temporary(nonce);
        create_new(&temporary).map_err(|cause| self.failed("writing", key, &cause))?;
        Ok(Upload {
            key: key.to_owned(),
            id: temporary.display().to_string(),
            nonce: nonce.clone(),
        })
    }

    fn part(&self, upload: &Upload, number: u32, body: &[u8], _stop: &Stop) -> Result<Part> {
        let failed = |cause: &io::Error| self.failed("writing", &upload.key, cause);
        let place = self.resolve(&upload.key)?;
        let part_bytes = u64::try_from(PART_BYTES).unwrap_or(u64::MAX);
        let offset = u64::from(number.saturating_sub(1)).saturating_mul(part_bytes);
        File::options()
            .write(true)
            .open(place.temporary(&upload.nonce))
            .and_then(|file| file.write_all_at(body, offset))
            .map_err(|cause| failed(&cause))?;
        Ok(Part {
            number,
            bytes: u64::try_from(body.len()).unwrap_or(u64::MAX),
            etag: number.to_string(),
        })
    }

    fn complete(&self, upload: &Upload, parts: &[Part], _stop: &Stop) -> Answer {
        let place = match self.resolve(&upload.key) {
            Ok(place) => place,
            Err(error) => return Answer::Refused(error),
        };
        let temporary = place.temporary(&upload.nonce);
        let synced = File::open(&temporary).and_then(|file| {
            file.sync_all()?;
            file.metadata()
        });
        let sent: u64 = parts.iter().map(|part| part.bytes).sum();
        match synced {
            Err(cause) => Answer::Refused(self.failed("writing", &upload.key, &cause)),
            Ok(metadata) if metadata.len() != sent => {
                let found = format!("{} bytes", metadata.len());
                Answer::Refused(self.refused(&upload.key, &format!("{sent} bytes"), found))
            }
            Ok(_) => self.publish(&temporary, &place, &upload.key),
        }
    }

    fn abort(&self, upload: &Upload, _stop: &Stop) -> Result<()> {
        let temporary = self.resolve(&upload.key)?.temporary(&upload.nonce);
        match fs::remove_file(temporary) {
            Err(cause) if !is_absent(&cause) => {
                Err(self.failed("dropping the parts of", &upload.key, &cause))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

impl Place {
    fn temporary(&self, nonce: &Nonce) -> PathBuf {
        let (nonce, name) = (nonce.as_str(), &self.name);
        self.directory.join(format!("{TEMPORARY}{nonce}-{name}"))
    }
}

fn is_absent(cause: &io::Error) -> bool {
    // ENOTDIR: a component above is a file, so nothing is below it.
    matches!(
        cause.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn is_same_file(one: &Path, two: &Path) -> bool {
    match (fs::symlink_metadata(one), fs::symlink_metadata(two)) {
        (Ok(one), Ok(two)) => FileId::of(&one) == FileId::of(&two),
        (Ok(_), Err(_)) | (Err(_), Ok(_) | Err(_)) => false,
    }
}

/// Creates a file under a temporary name, which only this run uses: one that is there is what an earlier try left.
fn create_new(temporary: &Path) -> io::Result<File> {
    match File::create_new(temporary) {
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(temporary)?;
            File::create_new(temporary)
        }
        created => created,
    }
}

fn write_synced(temporary: &Path, body: &[u8]) -> io::Result<()> {
    let mut file = create_new(temporary)?;
    file.write_all(body)?;
    file.sync_all()
}

fn advice(kind: io::ErrorKind) -> &'static str {
    const ADVICE: [(io::ErrorKind, &str); 4] = [
        (io::ErrorKind::StorageFull, "make room on the disk"),
        (io::ErrorKind::QuotaExceeded, "make room on the disk"),
        (
            io::ErrorKind::PermissionDenied,
            "give this user the right to it",
        ),
        (
            io::ErrorKind::ReadOnlyFilesystem,
            "give a directory that is writable",
        ),
    ];
    let known = ADVICE.into_iter().find(|(known, _)| *known == kind);
    known.map_or("look at the disk and the path", |(_, advice)| advice)
}

/// Removes a temporary name. One that stays is no object and hurts nothing, so a failure is no error.
fn discard(temporary: &Path) {
    let _ = fs::remove_file(temporary);
}
