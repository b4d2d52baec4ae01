//! `windrow verify URI`: re-reads every artifact that a run's document names, and compares size and SHA-256 (SPEC 2).
//!
//! It believes the document, and the coverage.ndjson.gz that this names, and nothing else: what lies beside the artifacts is not looked at, and what a result means is
//! not recomputed.

use std::io::{self, BufRead, BufReader, Read};

use serde::Deserialize;

use super::stores::Stores;
use crate::config::raw::Raw;
use crate::config::uri::OutputUri;
use crate::config::{S3, problem};
use crate::digest::Sha256;
use crate::error::{Error, Kind, Result, shown};
use crate::gzip;
use crate::limits::{FAILURE_BYTES, MANIFEST_BYTES};
use crate::manifest::{COVERAGE, FAILURE, FORMAT, INTERRUPTED, MANIFEST, Mode, Receipt};
use crate::s3::Side;
use crate::stop::Stop;
use crate::store::{Pattern, Store, lifted};
use crate::supervise::{Context, Outcome};

/// The documents that name artifacts; at most one of them is there.
const DOCUMENTS: [&str; 3] = [MANIFEST, INTERRUPTED, FAILURE];

/// Bytes of one read.
const READ_BYTES: usize = 256 << 10;

/// What was verified.
#[derive(Clone, Debug)]
pub struct Verified {
    /// URI of the document.
    pub uri: String,
    /// Artifacts that are as the document says.
    pub artifacts: u64,
    /// Their bytes.
    pub bytes: u64,
    /// One error (65) for each artifact that is not.
    pub differences: Vec<Error>,
}

impl Verified {
    /// One line for people.
    #[must_use]
    pub fn summary(&self) -> String {
        let Verified {
            uri,
            artifacts,
            bytes,
            differences,
        } = self;
        let what = match uri.rsplit_once('/').map(|(_, name)| name) {
            Some(FAILURE) => "a run that failed",
            Some(INTERRUPTED) => "an interrupted run",
            Some(_) | None => "a finished run",
        };
        let differ = differences.len();
        format!(
            "{uri}, {what}: {artifacts} artifacts of {bytes} bytes are as it says, {differ} differ"
        )
    }
}

/// What all documents have in common.
#[derive(Debug, Deserialize)]
struct Document {
    format: u32,
    #[serde(rename = "mode")]
    _mode: Mode,
    artifacts: Option<Vec<Receipt>>,
    /// Parts of the capture of a stream that failed.
    parts: Option<Vec<Receipt>>,
}

/// What is to be verified.
#[derive(Debug)]
pub struct Target {
    /// The run's directory or prefix.
    place: OutputUri,
    /// Its document, where the URI gives it.
    document: Option<&'static str>,
    /// How buckets are reached, where it is in one.
    s3: Option<S3>,
}

impl Target {
    /// What `uri` names: the run's directory or prefix, or its `manifest.json`, `interrupted.json` or `failure.json`.
    ///
    /// # Errors
    /// 64 for what is no such URI; 78 for AWS settings that cannot be used.
    pub fn parse(uri: &str, raw: &Raw) -> Result<Self> {
        let (place, document) = place(uri)?;
        let s3 = match &place {
            OutputUri::File(_) => None,
            OutputUri::S3(_) => {
                let s3 = S3::for_reading(raw).map_err(|problems| problem::report(&problems))?;
                Some(s3)
            }
        };
        Ok(Self {
            place,
            document,
            s3,
        })
    }
}

/// The command: prints a line for each artifact that differs and one for the whole.
///
/// # Errors
/// 65 where an artifact differs, naming the first; those of [`verify`].
pub fn run(context: &Context, target: &Target) -> Result<Outcome> {
    let stores = Stores::new(context, target.s3.as_ref(), None)?;
    let store = stores.runs(&target.place, Side::Input)?;
    let verified = verify(
        store.as_ref(),
        target.document,
        &context.stop,
        &mut |artifact| {
            context.log.progress(|| format!("read {artifact}"));
        },
    )?;
    let differing = verified
        .differences
        .iter()
        .map(|error| format!("{error}\n"));
    let text: String = differing
        .chain([format!("{}\n", verified.summary())])
        .collect();
    context.log.document(text)?;
    match verified.differences.into_iter().next() {
        Some(difference) => Err(difference),
        None => Ok(Outcome::Printed),
    }
}

/// Verifies the run in `store` by its document, the one that is there where none is named. `checked` is called after
/// each artifact, with its URI.
///
/// # Errors
/// 66 where there is no such document; 65 where it cannot be read as one, or more than one is there; the store's own. What differs is no error here but in [`Verified::differences`].
pub fn verify(
    store: &dyn Store,
    document: Option<&'static str>,
    stop: &Stop,
    checked: &mut dyn FnMut(&str),
) -> Result<Verified> {
    let name = match document {
        Some(name) => name,
        None => self::document(store, stop)?,
    };
    let uri = store.uri(name);
    let opened = store
        .open(name, None, stop)?
        .ok_or_else(|| none(&uri, "nothing"))?;
    let most = match name {
        FAILURE => FAILURE_BYTES,
        _ => MANIFEST_BYTES,
    };
    let document = parse(&opened.read_small(&uri, most)?, name, &uri)?;
    let mut verified = Verified {
        uri,
        artifacts: 0,
        bytes: 0,
        differences: Vec::new(),
    };
    let mut check = |artifact: &Receipt| {
        match compare(store, artifact, stop) {
            Ok(()) => {
                verified.artifacts = verified.artifacts.saturating_add(1);
                verified.bytes = verified.bytes.saturating_add(artifact.bytes);
            }
            Err(error) if error.kind() == Kind::Data => verified.differences.push(error),
            Err(error) => return Err(error),
        }
        checked(&store.uri(&artifact.name));
        Ok(())
    };
    let artifacts = document.artifacts.unwrap_or_default();
    for artifact in artifacts.iter().chain(document.parts.iter().flatten()) {
        check(artifact)?;
    }
    if artifacts.iter().any(|artifact| artifact.name == COVERAGE) {
        for part in parts(store, stop)? {
            check(&part)?;
        }
    }
    Ok(verified)
}

/// The parts of a stream's capture, which coverage.ndjson.gz names. What is no such list is told of by its comparison.
fn parts(store: &dyn Store, stop: &Stop) -> Result<Vec<Receipt>> {
    let uri = store.uri(COVERAGE);
    let Some(opened) = store.open(COVERAGE, None, stop)? else {
        return Ok(Vec::new());
    };
    let lift = |cause: io::Error| match gzip::damage(&cause) {
        Some(_) => None,
        None => Some(lifted(cause, &uri)),
    };
    let mut parts = Vec::new();
    let read = gzip::content(opened.reader).and_then(|(content, _)| {
        for line in BufReader::new(content).lines() {
            // Of all lines, those of parts alone are receipts.
            if let Ok(part) = serde_json::from_slice(line?.as_bytes()) {
                parts.push(part);
            }
        }
        Ok(())
    });
    match read.map_err(lift) {
        Ok(()) | Err(None) => Ok(parts),
        Err(Some(error)) => Err(error),
    }
}

/// The run's directory or prefix, and its document's name where the URI gives it.
fn place(uri: &str) -> Result<(OutputUri, Option<&'static str>)> {
    let run = uri.trim_end_matches('/');
    let (run, document) = match run.rsplit_once('/') {
        Some((directory, name)) if DOCUMENTS.contains(&name) => (directory, Some(name)),
        Some(_) | None => (run, None),
    };
    let document = document.and_then(|name| DOCUMENTS.into_iter().find(|known| *known == name));
    OutputUri::parse(run)
        .map(|place| (place, document))
        .map_err(|fault| {
            Error::new(
                Kind::Usage,
                "verifying",
                "file:///absolute/path or s3://bucket/prefix of a run, or of its document",
                shown(uri.as_bytes(), 256),
                format!(
                    "give the URI that the `committed` event names ({})",
                    fault.expected
                ),
            )
        })
}

/// The document of the run in `store`.
fn document(store: &dyn Store, stop: &Stop) -> Result<&'static str> {
    let entries = store.list(&Pattern::below(""), stop)?;
    let is_there = |name: &str| entries.iter().any(|entry| *entry.key == *name);
    let mut there = DOCUMENTS.into_iter().filter(|name| is_there(name));
    match (there.next(), there.next()) {
        (Some(name), None) => Ok(name),
        (Some(one), Some(two)) => Err(Error::new(
            Kind::Data,
            "verifying",
            "one of manifest.json, interrupted.json and failure.json",
            format!("{one} and {two}"),
            "trust neither: something other than windrow wrote there",
        )
        .at_uri(store.uri(""))),
        (None, _) => {
            let found = match entries.is_empty() {
                true => "nothing",
                false => "objects without one: a run that works, or was killed",
            };
            Err(none(&store.uri(""), found))
        }
    }
}

fn parse(bytes: &[u8], name: &str, uri: &str) -> Result<Document> {
    let malformed = |expected: &str, found: String| {
        let advice = "use the windrow that wrote it, or look at what changed it";
        Error::new(Kind::Data, "verifying", expected, found, advice).at_uri(uri)
    };
    let document: Document = serde_json::from_slice(bytes)
        .map_err(|cause| malformed("a document of a windrow run", cause.to_string()))?;
    if document.format != FORMAT {
        let found = format!("format {}", document.format);
        return Err(malformed("format 1", found));
    }
    if document.artifacts.is_none() && name != FAILURE {
        return Err(malformed("a list of artifacts", "none".to_owned()));
    }
    Ok(document)
}

/// Re-reads one artifact. A difference is an error of kind `Data`.
fn compare(store: &dyn Store, artifact: &Receipt, stop: &Stop) -> Result<()> {
    let uri = store.uri(&artifact.name);
    let said = format!("{} bytes, SHA-256 {}", artifact.bytes, artifact.sha256);
    let differs = |found: String| {
        let advice = "do not use this result: it is not what the run stored";
        Error::new(Kind::Data, "verifying", said.clone(), found, advice).at_uri(&uri)
    };
    let Some(mut opened) = store.open(&artifact.name, None, stop)? else {
        return Err(differs("nothing".to_owned()));
    };
    if opened.bytes != artifact.bytes {
        return Err(differs(format!("{} bytes", opened.bytes)));
    }
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; READ_BYTES]);
    loop {
        stop.check()?;
        match opened.reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(bytes) => hash.update(buffer.get(..bytes).unwrap_or_default()),
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) => return Err(lifted(cause, &uri)),
        }
    }
    let found = hash.finish();
    match found == artifact.sha256 {
        true => Ok(()),
        false => Err(differs(format!("SHA-256 {found}"))),
    }
}

fn none(uri: &str, found: &str) -> Error {
    Error::new(
        Kind::Input,
        "verifying",
        "manifest.json, interrupted.json or failure.json",
        found,
        "give the URI of a run that ended",
    )
    .at_uri(uri)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::clock::ManualClock;
    use std::path::Path;

    use crate::digest::sha256;
    use crate::store::file::FileStore;
    use crate::store::scratch::Scratch;

    fn stop() -> Stop {
        let clock = Arc::new(ManualClock::default());
        Stop::new(clock, Duration::from_secs(100), Duration::from_secs(10))
    }

    fn artifact(name: &str, content: &[u8]) -> String {
        let (bytes, sha256) = (content.len(), sha256(content));
        format!(
            r#"{{"name":"{name}","version_id":null,"bytes":{bytes},"sha256":"{sha256}","rows":1}}"#
        )
    }

    fn document(artifacts: &[String]) -> String {
        let list = artifacts.join(",");
        format!(r#"{{"format":1,"mode":"batch","records":{{}},"artifacts":[{list}]}}"#)
    }

    fn check(uri: &str) -> std::result::Result<(u64, Vec<String>), Kind> {
        let mut seen = 0;
        let target = Target::parse(uri, &Raw::default()).map_err(|error| error.kind())?;
        let OutputUri::File(place) = &target.place else {
            panic!("files")
        };
        let store = FileStore::run(Path::new(place.path()));
        let verified = verify(&store, target.document, &stop(), &mut |_| seen += 1)
            .map_err(|error| error.kind())?;
        let differing: Vec<String> = verified
            .differences
            .iter()
            .map(|error| error.detail().place.as_ref().unwrap().uri.clone())
            .map(|uri| uri.rsplit_once('/').unwrap().1.to_owned())
            .collect();
        assert_eq!(seen, verified.artifacts + differing.len() as u64);
        Ok((verified.artifacts, differing))
    }

    #[test]
    fn every_difference_is_named() {
        let scratch = Scratch::new();
        let names = ["same", "shorter", "altered", "absent"];
        let listed: Vec<String> = names.map(|name| artifact(name, b"content")).into();
        scratch.write("run/manifest.json", document(&listed).as_bytes());
        scratch.write("run/same", b"content");
        scratch.write("run/shorter", b"conten");
        scratch.write("run/altered", b"c0ntent");
        let run = format!("file://{}/run", scratch.path().display());
        let want = ["shorter", "altered", "absent"].map(str::to_owned).to_vec();
        for uri in [
            run.clone(),
            format!("{run}/"),
            format!("{run}/manifest.json"),
        ] {
            assert_eq!(check(&uri), Ok((1, want.clone())), "{uri}");
        }
    }

    #[test]
    fn which_document() {
        let (one, none) = (document(&[artifact("a", b"a")]), document(&[]));
        let part =
            |name| artifact(name, &name.as_bytes()[1..]).replacen('{', r#"{"kind":"part","#, 1);
        let gap =
            r#"{"kind":"gap","cause":"disconnect","feed":0,"connection":0,"from":"","to":null}"#;
        let coverage = format!("{}\n{gap}\n{}\n", part("p1"), part("p2"));
        for (name, files, at, want) in [
            (
                "finished",
                vec![("r/manifest.json", &*one), ("r/a", "a")],
                "r",
                Ok((1, vec![])),
            ),
            (
                "interrupted",
                vec![("r/interrupted.json", &*one), ("r/a", "a")],
                "r",
                Ok((1, vec![])),
            ),
            (
                "failed, without a list",
                vec![("r/failure.json", r#"{"format":1,"mode":"batch"}"#)],
                "r",
                Ok((0, vec![])),
            ),
            (
                "killed",
                vec![("r/started.json", "{}")],
                "r",
                Err(Kind::Input),
            ),
            (
                "f121 killed while the manifest was written",
                vec![("r/started.json", "{}"), ("r/.tmp-0-manifest.json", &*one)],
                "r",
                Err(Kind::Input),
            ),
            ("nothing", vec![], "r", Err(Kind::Input)),
            (
                "document absent",
                vec![("r/failure.json", &*none)],
                "r/manifest.json",
                Err(Kind::Input),
            ),
            (
                "two ends",
                vec![("r/manifest.json", &*none), ("r/failure.json", &*none)],
                "r",
                Err(Kind::Data),
            ),
            (
                "no JSON",
                vec![("r/manifest.json", "{")],
                "r",
                Err(Kind::Data),
            ),
            (
                "a result without a list",
                vec![("r/manifest.json", r#"{"format":1,"mode":"batch"}"#)],
                "r",
                Err(Kind::Data),
            ),
            (
                "a later format",
                vec![("r/manifest.json", r#"{"format":2,"mode":"batch"}"#)],
                "r",
                Err(Kind::Data),
            ),
            (
                "another program's",
                vec![(
                    "r/manifest.json",
                    r#"{"format":1,"mode":"x","artifacts":[]}"#,
                )],
                "r",
                Err(Kind::Data),
            ),
            (
                "a stream's parts",
                vec![
                    (
                        "r/manifest.json",
                        &*document(&[artifact(COVERAGE, coverage.as_bytes())]),
                    ),
                    (&format!("r/{COVERAGE}"), &coverage),
                    ("r/p1", "1"),
                    ("r/p2", "x"),
                ],
                "r",
                Ok((2, vec!["p2".to_owned()])),
            ),
            (
                "parts of a stream that failed",
                vec![
                    (
                        "r/failure.json",
                        &*format!(
                            r#"{{"format":1,"mode":"stream","parts":[{}]}}"#,
                            artifact("p1", b"1")
                        ),
                    ),
                    ("r/p1", "2"),
                ],
                "r",
                Ok((0, vec!["p1".to_owned()])),
            ),
            (
                "a way out",
                vec![("r/manifest.json", &*document(&[artifact("../secret", b"")]))],
                "r",
                Err(Kind::Input),
            ),
            ("no directory", vec![("r", "x")], "r", Err(Kind::Input)),
        ] {
            let scratch = Scratch::new();
            for (path, content) in files {
                scratch.write(path, content.as_bytes());
            }
            let uri = format!("file://{}/{at}", scratch.path().display());
            assert_eq!(check(&uri), want, "{name}");
        }
    }

    #[test]
    fn other_uris_are_a_wrong_command_line() {
        for uri in ["s3://Bucket/run", "/tmp/run", "file://host/run", ""] {
            assert_eq!(check(uri), Err(Kind::Usage), "{uri}");
        }
    }
}
