//! The manifests of the shards: each that there must be is there once, and all say the same of what was read and computed
//! (SPEC 7, "Shards").

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::artifact::Reading;
use super::listings;
use crate::command::stores::Stores;
use crate::config::merge::Merge;
use crate::config::problem::Problem;
use crate::config::values::OnBadRecord;
use crate::config::{Compiled, compile_shard};
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::limits::MANIFEST_BYTES;
use crate::manifest::{
    self, Bound, FAILURE, Identity, MANIFEST, Mode, PARTIAL, Receipt, Records, STARTED,
};
use crate::s3::Side;
use crate::source::{self, Span};
use crate::store::inputs::Inputs;
use crate::store::{Entry, Pattern, Readable, Store, lifted};

/// What of the configuration must be equal in all shards.
const EQUAL: [&str; 9] = [
    "INPUT",
    "INPUT_FORMAT",
    "RECORDS",
    "CSV_HEADER",
    "CSV_DELIMITER",
    "CSV_NULL",
    "COLUMNS",
    "ON_BAD_RECORD",
    "SPLIT",
];
/// Most shards or objects that an error names one by one.
pub(super) const NAMED: usize = 8;

/// All shards, in their order, and what they agree on.
pub(super) struct Found {
    pub(super) shards: Vec<Shard>,
    pub(super) query: String,
    pub(super) listing_sha256: Digest,
    config: Map<String, Value>,
}

/// One shard: where it is, and what its manifest says of it alone.
pub(super) struct Shard {
    pub(super) store: Arc<dyn Store>,
    /// What its keys start with.
    prefix: String,
    /// What is there.
    entries: Vec<Entry>,
    pub(super) part: manifest::Shard,
    pub(super) inputs: manifest::Inputs,
    pub(super) records: Records,
    artifacts: Vec<Receipt>,
}

/// What is read of a manifest.
#[derive(Deserialize)]
struct Document {
    program: String,
    version: String,
    target: String,
    config: Map<String, Value>,
    query: String,
    inputs: manifest::Inputs,
    shard: Option<manifest::Shard>,
    records: Records,
    artifacts: Vec<Receipt>,
}

impl Shard {
    /// Where an object of it is.
    pub(super) fn uri(&self, name: &str) -> String {
        self.store.uri(&self.key(name))
    }

    pub(super) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub(super) fn artifact(&self, name: &str) -> Option<&Receipt> {
        self.artifacts.iter().find(|artifact| artifact.name == name)
    }

    pub(super) fn entry(&self, name: &str) -> Option<&Entry> {
        let key = self.key(name);
        self.entries.iter().find(|entry| *entry.key == *key)
    }

    pub(super) fn partial_bytes(&self) -> u64 {
        self.artifact(PARTIAL).map_or(0, |partial| partial.bytes)
    }

    /// As errors name it.
    pub(super) fn name(&self) -> String {
        format!("shard {} ({})", self.part.i, self.uri(MANIFEST))
    }

    /// Whether another run of this shard wrote the same bytes.
    fn is_same(&self, other: &Self) -> bool {
        let bytes = |shard: &Self| -> Vec<_> {
            let artifacts = shard.artifacts.iter();
            artifacts
                .map(|one| (one.name.clone(), one.sha256))
                .collect()
        };
        bytes(self) == bytes(other) && self.part == other.part
    }
}

impl Found {
    /// What the shards' query comes to.
    ///
    /// # Errors
    /// Every problem of texts that a shard of this version would not have run with.
    pub(super) fn compile(&self) -> std::result::Result<Compiled, Vec<Problem>> {
        compile_shard(&self.config, &self.query)
    }

    /// What a bad record does.
    pub(super) fn on_bad_record(&self) -> OnBadRecord {
        let written = self.config.get("ON_BAD_RECORD").and_then(Value::as_str);
        written
            .and_then(OnBadRecord::written)
            .unwrap_or(OnBadRecord::Fail)
    }
}

/// Finds the shards that INPUT names.
///
/// # Errors
/// 66 where one is not there; 65 where they disagree; the stores' own.
pub(super) fn find(merge: &Merge, stores: &Stores, reading: &Reading<'_>) -> Result<Found> {
    let mut gathered = Gathered::default();
    let mut directories = Vec::new();
    for uri in &merge.shards {
        let store = stores.runs(uri, Side::Input)?;
        let mut listed: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
        for entry in store.list(&Pattern::below(""), reading.stop)? {
            let (directory, _) = entry.key.rsplit_once('/').unwrap_or_default();
            let directory = directory.to_owned();
            listed.entry(directory).or_default().push(entry);
        }
        for (directory, entries) in listed {
            let index = index_of(&directory);
            let prefix = match directory.as_str() {
                "" => directory,
                _ => format!("{directory}/"),
            };
            let has = |name: &str| {
                entries
                    .iter()
                    .any(|entry| *entry.key == format!("{prefix}{name}"))
            };
            match index {
                _ if !prefix.is_empty() && index.is_none() => {}
                _ if has(MANIFEST) => directories.push(Directory {
                    store: Arc::clone(&store),
                    prefix,
                    entries,
                }),
                Some(index) if has(FAILURE) => gathered.ended(index, "failed"),
                Some(index) if has(STARTED) => gathered.ended(index, "works, or was killed"),
                Some(_) | None => {}
            }
        }
    }
    gathered.read(directories, merge.count, reading)?;
    gathered.finish(merge.count, reading)
}

/// The index of a shard whose directory has this name.
fn index_of(directory: &str) -> Option<u32> {
    let (index, count) = directory.strip_prefix("shard-")?.split_once("-of-")?;
    count.parse::<u32>().ok()?;
    index.parse().ok()
}

/// A directory with a manifest.
struct Directory {
    store: Arc<dyn Store>,
    /// What its keys start with.
    prefix: String,
    /// What is in it.
    entries: Vec<Entry>,
}

/// What was found so far.
#[derive(Default)]
struct Gathered {
    shards: BTreeMap<u32, Shard>,
    /// What the first shard that was found says; others are compared with it.
    first: Option<(String, Document)>,
    /// What is known of shards without a manifest.
    others: BTreeMap<u32, &'static str>,
    /// Each shard that disagrees, and in what.
    disagreeing: Vec<String>,
    listings_differ: bool,
}

impl Gathered {
    /// Reads the manifests of `directories`, fetched ahead.
    fn read(
        &mut self,
        directories: Vec<Directory>,
        count: u32,
        reading: &Reading<'_>,
    ) -> Result<()> {
        let listed = directories.iter().filter_map(|directory| {
            let key = format!("{}{MANIFEST}", directory.prefix);
            let mut entries = directory.entries.iter();
            let entry = entries.find(|entry| *entry.key == *key)?;
            Some((
                Arc::clone(&directory.store) as Arc<dyn Readable>,
                entry.clone(),
            ))
        });
        let inputs = Inputs::of_entries(listed, reading.budget)?;
        let span = Span::whole(inputs.len());
        source::with(&inputs, span, reading.fetchers, reading.stop, |source| {
            for (number, directory) in directories.into_iter().enumerate() {
                reading.stop.check()?;
                let uri = directory
                    .store
                    .uri(&format!("{}{MANIFEST}", directory.prefix));
                let most = u64::try_from(MANIFEST_BYTES).unwrap_or(u64::MAX);
                let mut bytes = Vec::new();
                let mut limited = source.open(number)?.reader.take(most);
                let read = limited.read_to_end(&mut bytes);
                read.map_err(|cause| lifted(cause, &uri))?;
                self.take(directory, parsed(&bytes, count, &uri)?)?;
            }
            Ok(())
        })
    }

    /// Adds a shard, and compares it with those before.
    fn take(
        &mut self,
        directory: Directory,
        (part, document): (manifest::Shard, Document),
    ) -> Result<()> {
        let Directory {
            store,
            prefix,
            entries,
        } = directory;
        let shard = Shard {
            store,
            prefix,
            entries,
            part,
            inputs: document.inputs,
            records: document.records,
            artifacts: document.artifacts.clone(),
        };
        match &self.first {
            None => self.first = Some((shard.name(), document)),
            Some((_, first)) => {
                let differs = differences(first, &document);
                self.listings_differ |= differs.contains(&LISTING);
                if !differs.is_empty() {
                    let text = format!("{}: another {}", shard.name(), differs.join(", "));
                    self.disagreeing.push(text);
                }
            }
        }
        match self.shards.get(&part.i) {
            Some(other) if !shard.is_same(other) => {
                let found = format!("another than {}", other.uri(MANIFEST));
                let expected = "each shard once, or twice the same bytes";
                Err(no_shard(expected, found, &shard.uri(MANIFEST)))
            }
            Some(_) => Ok(()),
            None => {
                self.shards.insert(part.i, shard);
                Ok(())
            }
        }
    }

    fn ended(&mut self, index: u32, how: &'static str) {
        self.others.entry(index).or_insert(how);
    }

    fn finish(self, count: u32, reading: &Reading<'_>) -> Result<Found> {
        let missing = (0..count).filter(|index| !self.shards.contains_key(index));
        let missing: Vec<_> = missing
            .map(|index| match self.others.get(&index) {
                Some(known) => format!("shard {index}, which {known}"),
                None => format!("shard {index}"),
            })
            .collect();
        let Some((name, first)) = self.first.filter(|_| missing.is_empty()) else {
            let advice = "run what is missing under a new RUN_ID, and name that run in INPUT too";
            let found = format!("no manifest of {}", listed(&missing));
            let expected = format!("all {count} shards");
            return Err(Error::new(Kind::Input, "merging", expected, found, advice));
        };
        let shards: Vec<Shard> = self.shards.into_values().collect();
        if !self.disagreeing.is_empty() {
            let mut found = self.disagreeing;
            if self.listings_differ {
                found.extend(listings::differences(
                    &shards,
                    first.inputs.listing_sha256,
                    reading,
                )?);
            }
            let advice = "run those that differ again, over the same input and by the same windrow";
            let expected = format!("shards that agree with {name}");
            return Err(Error::new(
                Kind::Data,
                "merging",
                expected,
                listed(&found),
                advice,
            ));
        }
        own(&first, &name)?;
        meet(&shards)?;
        Ok(Found {
            shards,
            query: first.query,
            listing_sha256: first.inputs.listing_sha256,
            config: first.config,
        })
    }
}

/// The manifest of a shard of `count`, and which it is.
fn parsed(bytes: &[u8], count: u32, uri: &str) -> Result<(manifest::Shard, Document)> {
    let expected = "a manifest of a shard";
    let document: Document = serde_json::from_slice(bytes)
        .map_err(|cause| no_shard(expected, cause.to_string(), uri))?;
    match document.shard {
        None => Err(no_shard(expected, "one of a whole run".to_owned(), uri)),
        Some(part) if part.n != count || part.i >= count => {
            let found = format!("shard {} of {}", part.i, part.n);
            let expected = format!("a shard of {count} (SHARDS)");
            Err(no_shard(&expected, found, uri))
        }
        Some(part) => Ok((part, document)),
    }
}

fn no_shard(expected: &str, found: String, uri: &str) -> Error {
    let advice = "name runs of `windrow batch` with WINDROW_SHARD in INPUT, and nothing else";
    Error::new(Kind::Data, "merging", expected, found, advice).at_uri(uri)
}

const LISTING: &str = "listing";

/// In what two shards disagree.
fn differences(one: &Document, other: &Document) -> Vec<&'static str> {
    let mut all: Vec<&'static str> = EQUAL
        .into_iter()
        .filter(|name| one.config.get(*name) != other.config.get(*name))
        .collect();
    let of_both = [
        ("QUERY", one.query != other.query),
        ("version", one.version != other.version),
        ("target", one.target != other.target),
        (
            LISTING,
            one.inputs.listing_sha256 != other.inputs.listing_sha256,
        ),
    ];
    all.extend(
        of_both
            .iter()
            .filter(|(_, differs)| *differs)
            .map(|(name, _)| *name),
    );
    all
}

/// The shards are of this program, as it is: another may write other bytes.
fn own(shard: &Document, name: &str) -> Result<()> {
    let own = Identity::new("", "", Mode::Merge);
    let text = |program, version, target| format!("{program} {version} for {target}");
    let this = text(&own.program, &own.version, &own.target);
    let found = text(&shard.program, &shard.version, &shard.target);
    match this == found {
        true => Ok(()),
        false => {
            let advice = "merge with the windrow that ran the shards";
            let expected = format!("shards of {this}, which this is");
            let found = format!("{found}, in {name}");
            Err(Error::new(Kind::Data, "merging", expected, found, advice))
        }
    }
}

/// Each shard began where the one before it ended.
fn meet(shards: &[Shard]) -> Result<()> {
    let mut end = Bound {
        input: 0,
        offset: 0,
    };
    for shard in shards {
        if shard.part.began != end {
            let Bound { input, offset } = end;
            let expected = format!(
                "shard {} to begin at input {input}, byte {offset}",
                shard.part.i
            );
            let Bound { input, offset } = shard.part.began;
            let found = format!("input {input}, byte {offset}");
            let advice = "run that shard and the one before it again";
            let error = Error::new(Kind::Data, "merging", expected, found, advice);
            return Err(error.at_uri(shard.uri(MANIFEST)));
        }
        end = shard.part.ended;
    }
    Ok(())
}

/// As errors list things: the first few, and how many more there are.
pub(super) fn listed(all: &[String]) -> String {
    let named = all.get(..NAMED).unwrap_or(all).join("; ");
    match all.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named}; and {more} more"),
    }
}
