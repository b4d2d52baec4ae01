//! Listing files as objects: plain files below plain directories (SPEC 3, INPUT).

use std::fs::{self, Metadata};
use std::io;

use super::watched::Stamp;
use super::{FileStore, TEMPORARY};
use crate::error::{Result, shown};
use crate::stop::Stop;
use crate::store::pattern::{End, Segment};
use crate::store::{Entry, Pattern};

/// A listing under way.
struct Walk<'a> {
    stop: &'a Stop,
    end: End,
    take: &'a mut dyn FnMut(Entry) -> Result<()>,
}

impl FileStore {
    /// Hands every file that `pattern` names to `take`, as the directories hold them.
    pub(super) fn files(
        &self,
        pattern: &Pattern,
        stop: &Stop,
        take: &mut dyn FnMut(Entry) -> Result<()>,
    ) -> Result<()> {
        let mut walk = Walk {
            stop,
            end: pattern.end(),
            take,
        };
        self.walk(&mut walk, "", pattern.segments())
    }

    /// Collects what is below the directory of key `prefix`: what fits `segments`, and then everything where the pattern
    /// ends in `/`.
    fn walk(&self, walk: &mut Walk<'_>, prefix: &str, segments: &[Segment]) -> Result<()> {
        walk.stop.check()?;
        let (segment, rest) = match segments.split_first() {
            Some((segment, rest)) => (Some(segment), rest),
            None => (None, segments),
        };
        let names = match segment {
            // No need to read a directory, nor the right to, where the name is known.
            Some(Segment::Literal(name)) => vec![name.clone()],
            Some(Segment::Star { .. }) | None => self.names(prefix)?,
        };
        for name in names {
            if segment.is_some_and(|segment| !segment.matches(&name)) || name.starts_with(TEMPORARY)
            {
                continue;
            }
            let key = match prefix {
                "" => name,
                prefix => format!("{prefix}/{name}"),
            };
            // What vanishes between the listing and the look was not there.
            if let Some(metadata) = self.look(&self.root.join(&key), &key)? {
                self.visit(walk, key, &metadata, segment, rest)?;
            }
        }
        Ok(())
    }

    /// Takes a file, walks a directory, or passes by, as the `segment` that named it and the `rest` say.
    fn visit(
        &self,
        walk: &mut Walk<'_>,
        key: String,
        metadata: &Metadata,
        segment: Option<&Segment>,
        rest: &[Segment],
    ) -> Result<()> {
        let refused = |expected, found: &str| Err(self.refused(&key, expected, found.to_owned()));
        let is_literal = matches!(segment, Some(Segment::Literal(_)));
        let wants_directory = !rest.is_empty() || (walk.end == End::Below && segment.is_some());
        if metadata.is_symlink() {
            return refused("a file or a directory", "a symbolic link");
        }
        if metadata.is_dir() {
            return match wants_directory || segment.is_none() {
                true => self.walk(walk, &key, rest),
                false if is_literal => refused("a file", "a directory (write a `/` at its end)"),
                false => Ok(()),
            };
        }
        if wants_directory {
            return match is_literal {
                true => refused("a directory", "a file"),
                false => Ok(()),
            };
        }
        if !metadata.is_file() {
            return refused("a regular file", "a device, pipe or socket");
        }
        let stamp = Stamp::of(metadata);
        (walk.take)(Entry {
            key: key.into(),
            bytes: stamp.bytes,
            etag: stamp.etag().into(),
            file: Some(stamp.file),
        })
    }

    /// The names in the directory of `key`; none where it is absent.
    fn names(&self, key: &str) -> Result<Vec<String>> {
        let failed = |cause: &io::Error| self.failed("listing", key, cause);
        let entries = match fs::read_dir(self.root.join(key)) {
            Ok(entries) => entries,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(cause) if cause.kind() == io::ErrorKind::NotADirectory => {
                return Err(self.refused(key, "a directory", "a file".to_owned()));
            }
            Err(cause) => return Err(failed(&cause)),
        };
        entries
            .map(|entry| {
                let name = entry.map_err(|cause| failed(&cause))?.file_name();
                name.into_string().map_err(|name| {
                    let found = shown(name.as_encoded_bytes(), 256);
                    self.refused(key, "names in UTF-8", found)
                })
            })
            .collect()
    }
}
