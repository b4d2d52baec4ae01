//! The commit protocol against files, and against a store that fails every request in turn.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::artifact::{Artifact, Compression};
use crate::clock::ManualClock;
use crate::manifest::{Identity, Inputs, Mode, Requests};
use crate::random::SystemRandomness;
use crate::store::fake::{Fake, Fault};
use crate::store::file::FileStore;
use crate::store::scratch::Scratch;

fn terms(store: Arc<dyn Store>, run_id: &str) -> Terms {
    let clock = Arc::new(ManualClock::default());
    let nonce = Nonce::draw(&SystemRandomness::default()).unwrap();
    let seconds = Duration::from_secs;
    Terms {
        store,
        prefix: run_id.to_owned(),
        attempts: 1,
        started: Started {
            identity: Identity::new(run_id, nonce.as_str(), Mode::Batch),
            started_at: manifest::utc(0),
            task_arn: None,
            config: serde_json::Map::new(),
        },
        nonce,
        stop: Stop::new(clock.clone(), seconds(1000), seconds(20)),
        clock,
        state: CommitState::default(),
    }
}

fn manifest(claim: &Claim, artifacts: Vec<manifest::Receipt>) -> Manifest {
    Manifest {
        identity: claim.started.identity.clone(),
        ended_by: EndedBy::Finished,
        started_at: manifest::utc(0),
        ended_at: manifest::utc(1),
        config: serde_json::Map::new(),
        query: "SELECT 1".to_owned(),
        query_sha256: sha256(b"SELECT 1"),
        task: (),
        inputs: Inputs {
            count: 1,
            bytes: 10,
            listing_sha256: sha256(b""),
        },
        shard: (),
        records: Records {
            read: 3,
            used: 2,
            filtered: 1,
            ..Records::default()
        },
        artifacts,
        stream: (),
        s3: Requests::default(),
        peak_memory_bytes: 0,
        cpu_seconds: 0.0,
    }
}

/// A run as a command does it: claim, artifacts, result; failure.json where that fails.
fn run(terms: Terms) -> Result<Committed> {
    let claim = Claim::take(terms)?;
    let result = work(&claim);
    if let Err(error) = &result {
        let records = Records::default();
        claim.fail(
            error,
            Unfinished {
                phase: "work",
                records,
            },
        );
    }
    result
}

fn work(claim: &Claim) -> Result<Committed> {
    let destination = claim.destination();
    let mut rollup = Artifact::create(destination, "rollup.csv", Compression::None);
    rollup.write(b"symbol,count\n", 0)?;
    rollup.write(&b"BTC,1\n".repeat(100), 100)?;
    let mut inputs = Artifact::create(destination, manifest::INPUTS, Compression::Gzip);
    inputs.write(b"{}\n", 1)?;
    let receipts = vec![rollup.finish()?, inputs.finish()?];
    claim.finish(&manifest(claim, receipts))
}

fn files(root: &Path) -> Arc<dyn Store> {
    Arc::new(FileStore::output(root))
}

#[test]
fn a_run_on_files_commits() {
    let scratch = Scratch::new();
    let out = scratch.path().join("not/there/yet");
    let committed = run(terms(files(&out), "run-1")).unwrap();
    assert_eq!(
        scratch.files(),
        [
            "inputs.ndjson.gz",
            "manifest.json",
            "rollup.csv",
            "started.json"
        ]
        .map(|name| format!("not/there/yet/run-1/{name}"))
    );
    let bytes = std::fs::read(out.join("run-1/manifest.json")).unwrap();
    assert_eq!(committed.sha256, sha256(&bytes));
}

#[test]
fn f049_f114_eight_runs_at_one_moment() {
    for round in 0..100 {
        let scratch = Scratch::new();
        let results: Vec<Result<Committed>> = std::thread::scope(|scope| {
            let start = Arc::new(std::sync::Barrier::new(8));
            let runs: Vec<_> = (0..8)
                .map(|_| {
                    let (terms, start) = (terms(files(scratch.path()), "run"), start.clone());
                    scope.spawn(move || {
                        start.wait();
                        run(terms)
                    })
                })
                .collect();
            runs.into_iter().map(|run| run.join().unwrap()).collect()
        });
        let kinds: Vec<_> = results
            .iter()
            .filter_map(|result| result.as_ref().err())
            .map(Error::kind)
            .collect();
        assert_eq!(kinds, [Kind::Taken; 7], "round {round}");
        let names: BTreeSet<String> = scratch.files().into_iter().collect();
        let want = [
            "inputs.ndjson.gz",
            "manifest.json",
            "rollup.csv",
            "started.json",
        ];
        assert_eq!(
            names,
            want.map(|name| format!("run/{name}")).into(),
            "round {round}"
        );
    }
}

// A store that fails.

const RUN: &str = "run";

/// A run over `fake` whose rollup goes out in parts of 256 bytes.
fn run_on(fake: &Arc<Fake>) -> (Result<Committed>, CommitState) {
    let mut terms = terms(fake.clone(), RUN);
    terms.clock = fake.clock.clone();
    terms.stop = Stop::new(
        fake.clock.clone(),
        Duration::from_secs(1000),
        Duration::from_secs(20),
    );
    let state = terms.state.clone();
    let result = Claim::take(terms).and_then(|mut claim| {
        claim.destination = claim.destination.clone().with_part_bytes(256);
        let result = work(&claim);
        if let Err(error) = &result {
            let records = Records::default();
            claim.fail(
                error,
                Unfinished {
                    phase: "work",
                    records,
                },
            );
        }
        result
    });
    (result, state)
}

/// What must hold of a store whatever happened to a run.
fn audit(name: &str, fake: &Fake, result: &Result<Committed>) {
    let objects = fake.objects();
    let ends: Vec<&str> = [MANIFEST, INTERRUPTED, FAILURE]
        .into_iter()
        .filter(|end| objects.contains_key(&format!("{RUN}/{end}")))
        .collect();
    assert!(ends.len() <= 1, "{name}: at most one end, found {ends:?}");
    let manifest = objects.get(&format!("{RUN}/{MANIFEST}"));
    if let Some(manifest) = manifest {
        let manifest: serde_json::Value = serde_json::from_slice(&manifest.bytes).unwrap();
        let artifacts = manifest["artifacts"].as_array().unwrap();
        assert_eq!(artifacts.len(), 2, "{name}");
        for artifact in artifacts {
            let key = format!("{RUN}/{}", artifact["name"].as_str().unwrap());
            let object = objects
                .get(&key)
                .unwrap_or_else(|| panic!("{name}: {key} is listed and absent"));
            assert_eq!(
                artifact["bytes"],
                object.bytes.len(),
                "{name}: bytes of {key}"
            );
            let digest = sha256(&object.bytes).to_string();
            assert_eq!(artifact["sha256"], digest, "{name}: SHA-256 of {key}");
            assert_eq!(manifest["nonce"], object.nonce, "{name}: whose is {key}");
        }
    }
    match result {
        Ok(committed) => {
            let manifest = manifest.unwrap_or_else(|| panic!("{name}: success without a manifest"));
            assert_eq!(sha256(&manifest.bytes), committed.sha256, "{name}");
        }
        // A result that is there although the run failed: its error must leave that open.
        Err(error) if manifest.is_some() && !fake.killed() => {
            assert_eq!(error.kind(), Kind::Unavailable, "{name}: {error}");
            assert!(error.to_string().contains("outcome unknown"), "{name}");
        }
        Err(_) => {}
    }
    if !fake.killed() && fake.uploads() > 0 {
        // Only an abort that failed, or an upload whose begin nobody answered, leaves one; the first is named.
        let asked = fake.requests().iter().any(|one| one.starts_with("ABORT"));
        let failure = objects.get(&format!("{RUN}/{FAILURE}"));
        if let Some(failure) = failure.filter(|_| asked) {
            let text = String::from_utf8_lossy(&failure.bytes);
            assert!(text.contains("\"upload_id\": \"upload-"), "{name}: {text}");
        }
    }
}

const FAULTS: [Fault; 9] = [
    Fault::Before,
    Fault::After,
    Fault::Late,
    Fault::Refused,
    Fault::Kill,
    Fault::KillAfter,
    Fault::Spent,
    // Past the deadline, within the drain; past both.
    Fault::Slow(1_005_000),
    Fault::Slow(1_030_000),
];

#[test]
fn f042_f043_f044_f046_f047_f103_f115_every_fault_at_every_request_and_at_every_pair() {
    let clean = Arc::new(Fake::default());
    run_on(&clean).0.unwrap();
    let requests = clean.requests().len();
    assert_eq!(requests, 11, "{:?}", clean.requests());
    let mut fired = 0;
    // The failure path adds requests of its own, so numbers go on past those of a clean run.
    let last = requests + 8;
    for one in 1..=last {
        for two in one..=last {
            for first in &FAULTS {
                for second in &FAULTS {
                    let mut script = vec![(one, first.clone())];
                    if two > one {
                        script.push((two, second.clone()));
                    }
                    let name = format!("{script:?}");
                    let fake = Arc::new(Fake::scripted(script));
                    let (result, _) = run_on(&fake);
                    audit(&name, &fake, &result);
                    fake.land();
                    audit(&format!("{name}, landed"), &fake, &result);
                    fired += fake.fired();
                }
            }
        }
    }
    assert!(fired > 10_000, "{fired}");
}
