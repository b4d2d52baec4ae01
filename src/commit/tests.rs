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
