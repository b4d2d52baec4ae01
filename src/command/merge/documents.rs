//! The manifests of the shards: each that there must be is there once, and all say the same of what was read and computed
//! (SPEC 7, "Shards").

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};

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
    self, Bound, FAILURE, Identity, Inputs, MANIFEST, Mode, PARTIAL, Receipt, Records, STARTED,
};
use crate::s3::Side;
use crate::stop::Stop;
use crate::store::{Pattern, Store};

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
    pub(super) part: manifest::Shard,
    pub(super) inputs: Inputs,
    pub(super) records: Records,
    artifacts: Vec<Receipt>,
}

/// What is read of a manifest.
#[derive(Deserialize)]
struct Document {
    #[serde(flatten)]
    identity: Identity,
    config: Map<String, Value>,
    query: String,
    inputs: Inputs,
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
pub(super) fn find(merge: &Merge, stores: &Stores, stop: &Stop) -> Result<Found> {
    let mut gathered = Gathered::default();
    for uri in &merge.shards {
        let store = stores.runs(uri, Side::Input)?;
        for entry in store.list(&Pattern::below(""), stop)? {
            stop.check()?;
            let (prefix, name) = entry.key.rsplit_once('/').unwrap_or(("", &entry.key));
            match (prefix, name, index_of(prefix)) {
                ("", MANIFEST, _) | (_, MANIFEST, Some(_)) => {
                    gathered.take(&store, &entry.key, merge.count, stop)?;
                }
                (_, STARTED | FAILURE, Some(index)) => gathered.ended(index, name),
                _ => {}
            }
        }
    }
    gathered.finish(merge.count, stop)
}

/// The index of a shard whose directory has this name.
fn index_of(directory: &str) -> Option<u32> {
    let (index, count) = directory.strip_prefix("shard-")?.split_once("-of-")?;
    count.parse::<u32>().ok()?;
    index.parse().ok()
}

/// What was found so far.
#[derive(Default)]
struct Gathered {
    shards: BTreeMap<u32, Shard>,
    /// What the first shard that was found says; others are compared with it.
    first: Option<(String, Document)>,
    /// What is known of shards without a manifest.
    others: BTreeMap<u32, &'static str>,
    /// For each shard that disagrees, in what.
    disagreeing: Vec<(u32, String)>,
    listings_differ: bool,
}

impl Gathered {
    fn take(&mut self, store: &Arc<dyn Store>, key: &str, count: u32, stop: &Stop) -> Result<()> {
        let uri = store.uri(key);
        let Some(opened) = store.open(key, None, stop)? else {
            return Ok(());
        };
        let bytes = opened.read_small(&uri, MANIFEST_BYTES)?;
        let refused = |expected: &str, found: String| {
            let advice =
                "name runs of `windrow batch` with WINDROW_SHARD in INPUT, and nothing else";
            Error::new(Kind::Data, "merging", expected, found, advice).at_uri(&uri)
        };
        let document: Document = serde_json::from_slice(&bytes)
            .map_err(|cause| refused("a manifest of a shard", cause.to_string()))?;
        let Some(part) = document.shard else {
            return Err(refused(
                "a manifest of a shard",
                "one of a whole run".to_owned(),
            ));
        };
        if part.n != count || part.i >= count {
            let found = format!("shard {} of {}", part.i, part.n);
            return Err(refused(&format!("a shard of {count} (SHARDS)"), found));
        }
        let shard = Shard {
            store: Arc::clone(store),
            prefix: key.strip_suffix(MANIFEST).unwrap_or_default().to_owned(),
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
                    self.disagreeing.push((part.i, text));
                }
            }
        }
        match self.shards.get(&part.i) {
            Some(other) if !shard.is_same(other) => {
                let found = format!("another than {}", other.uri(MANIFEST));
                Err(refused("each shard once, or twice the same bytes", found))
            }
            Some(_) => Ok(()),
            None => {
                self.shards.insert(part.i, shard);
                Ok(())
            }
        }
    }

    fn ended(&mut self, index: u32, name: &str) {
        let known = self.others.entry(index).or_insert("works, or was killed");
        if name == FAILURE {
            *known = "failed";
        }
    }

    fn finish(self, count: u32, stop: &Stop) -> Result<Found> {
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
            let mut found: Vec<_> = self
                .disagreeing
                .iter()
                .map(|(_, text)| text.clone())
                .collect();
            if self.listings_differ {
                found.extend(listings::differences(
                    &shards,
                    first.inputs.listing_sha256,
                    stop,
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
        own(&first.identity, &name)?;
        meet(&shards)?;
        Ok(Found {
            shards,
            query: first.query,
            listing_sha256: first.inputs.listing_sha256,
            config: first.config,
        })
    }
}

const LISTING: &str = "listing";

/// In what two shards disagree.
fn differences(one: &Document, other: &Document) -> Vec<&'static str> {
    let identity = |document: &Document| {
        let Identity {
            version, target, ..
        } = &document.identity;
        (version.clone(), target.clone())
    };
    let (version, target) = identity(one);
    let (other_version, other_target) = identity(other);
    let mut all: Vec<&'static str> = EQUAL
        .into_iter()
        .filter(|name| one.config.get(*name) != other.config.get(*name))
        .collect();
    let of_both = [
        ("QUERY", one.query != other.query),
        ("version", version != other_version),
        ("target", target != other_target),
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
fn own(identity: &Identity, name: &str) -> Result<()> {
    let this = Identity::new("", "", Mode::Merge);
    let text = |identity: &Identity| {
        let Identity {
            program,
            version,
            target,
            ..
        } = identity;
        format!("{program} {version} for {target}")
    };
    let (this, found) = (text(&this), text(identity));
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
