//! The commit protocol against files, and against a store that fails every request in turn.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::artifact::Artifact;
use crate::clock::ManualClock;
use crate::gzip::Compression;
use crate::manifest::{Identity, Inputs, Mode, Requests};
use crate::random::SystemRandomness;
use crate::store::fake::{Fake, Fault, Object};
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

fn manifest(claim: &Claim, artifacts: Vec<Receipt>) -> Manifest {
    Manifest {
        identity: claim.started.identity.clone(),
        ended_by: EndedBy::Finished,
        started_at: manifest::utc(0),
        ended_at: manifest::utc(1),
        config: serde_json::Map::new(),
        query: "SELECT 1".to_owned(),
        query_sha256: sha256(b"SELECT 1"),
        task: None,
        inputs: Inputs {
            count: 1,
            bytes: 10,
            listing_sha256: sha256(b""),
        },
        shard: None,
        records: Records {
            read: 3,
            used: 2,
            filtered: 1,
            ..Records::default()
        },
        artifacts,
        stream: None,
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
                ..Unfinished::default()
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
                    ..Unfinished::default()
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
    // The failure path adds requests of its own, so numbers go on past those of a clean run.
    let last = requests + 8;
    let mut fired = 0;
    for one in 1..=last {
        for first in &FAULTS {
            fired += run_through(vec![(one, first.clone())]);
            // Nothing follows a kill.
            let is_kill = matches!(first, Fault::Kill | Fault::KillAfter);
            let last = if is_kill { one } else { last };
            for two in one + 1..=last {
                for second in &FAULTS {
                    fired += run_through(vec![(one, first.clone()), (two, second.clone())]);
                }
            }
        }
    }
    assert!(fired > 8_000, "{fired}");
}

/// Runs a script, and looks at the store before and after what was late arrives. Returns how many faults happened.
fn run_through(script: Vec<(usize, Fault)>) -> usize {
    let name = format!("{script:?}");
    let fake = Arc::new(Fake::scripted(script));
    let (result, _) = run_on(&fake);
    audit(&name, &fake, &result);
    fake.land();
    audit(&format!("{name}, landed"), &fake, &result);
    fake.fired()
}

/// Requests of a clean run over the fake, by number.
const PUT_STARTED: usize = 2;
const READ_BACK: usize = 3;
const BEGIN: usize = 4;
const PART: usize = 6;
const COMPLETE: usize = 8;
const PUT_INPUTS: usize = 9;
const LAST_LOOK: usize = 10;
const PUT_RESULT: usize = 11;

/// How a run ended: "ok" or the kind of its error, and the ends that are there.
fn end_of(script: Vec<(usize, Fault)>) -> (&'static str, Vec<&'static str>, Arc<Fake>) {
    let fired = script.len();
    let fake = Arc::new(Fake::scripted(script));
    let (result, _) = run_on(&fake);
    assert_eq!(fake.fired(), fired, "every fault happened");
    audit("end", &fake, &result);
    let objects = fake.objects();
    let ends = [MANIFEST, FAILURE]
        .into_iter()
        .filter(|end| objects.contains_key(&format!("{RUN}/{end}")))
        .collect();
    (
        result.map_or_else(|error| error.kind().name(), |_| "ok"),
        ends,
        fake,
    )
}

#[test]
fn answers_to_a_create_only_request() {
    fn taken_by_another(objects: &mut std::collections::BTreeMap<String, Object>) {
        for name in [MANIFEST, manifest::INPUTS] {
            let object = Object {
                bytes: b"other".to_vec(),
                nonce: "other".to_owned(),
            };
            objects.insert(format!("{RUN}/{name}"), object);
        }
    }
    use Fault::{After, Before, Late, Refused, Spent};
    let another = || Fault::Meanwhile("another's", taken_by_another);
    let ok = ("ok", vec![MANIFEST]);
    let failed = |kind| (kind, vec![FAILURE]);
    for (name, script, want) in [
        (
            "f042 claim, before",
            vec![(PUT_STARTED, Before)],
            ok.clone(),
        ),
        ("f042 claim, after", vec![(PUT_STARTED, After)], ok.clone()),
        (
            "f042 artifact, before",
            vec![(PUT_INPUTS, Before)],
            ok.clone(),
        ),
        (
            "f042 artifact, after",
            vec![(PUT_INPUTS, After)],
            ok.clone(),
        ),
        (
            "f042 result, before",
            vec![(PUT_RESULT, Before)],
            ok.clone(),
        ),
        ("f042 result, after", vec![(PUT_RESULT, After)], ok.clone()),
        (
            "f042 HEAD lost too",
            vec![(PUT_RESULT, After), (PUT_RESULT + 1, Before)],
            ok.clone(),
        ),
        (
            "f042 artifact, both sends",
            vec![(PUT_INPUTS, Before), (PUT_INPUTS + 2, Before)],
            failed("unavailable"),
        ),
        (
            "f042 result, both sends",
            vec![(PUT_RESULT, Before), (PUT_RESULT + 2, Before)],
            ("unavailable", vec![]),
        ),
        (
            "f042 a refusal clears no earlier send",
            vec![(PUT_RESULT, Late), (PUT_RESULT + 2, Refused)],
            ("unavailable", vec![]),
        ),
        (
            "f118 claim refused",
            vec![(PUT_STARTED, Refused)],
            ("denied", vec![]),
        ),
        (
            "f118 read-back refused",
            vec![(READ_BACK, Refused)],
            failed("denied"),
        ),
        (
            "f118 artifact refused",
            vec![(PUT_INPUTS, Refused)],
            failed("denied"),
        ),
        (
            "f118 result refused",
            vec![(PUT_RESULT, Refused)],
            failed("denied"),
        ),
        (
            "f043 another's artifact",
            vec![(PUT_INPUTS, another())],
            ("taken", vec![MANIFEST]),
        ),
        (
            "f043 our artifact, twice",
            vec![(PUT_INPUTS, Late), (PUT_INPUTS + 1, Fault::Slow(0))],
            ok.clone(),
        ),
        (
            "f044 conflict, then a second try",
            vec![(PUT_RESULT, Before), (PUT_RESULT + 2, After)],
            ok.clone(),
        ),
        (
            "f046 begin lost",
            vec![(BEGIN, Before)],
            failed("unavailable"),
        ),
        (
            "f046 part lost",
            vec![(PART, Before)],
            failed("unavailable"),
        ),
        (
            "f046 part and abort lost",
            vec![(PART, Before), (PART + 1, Before)],
            failed("unavailable"),
        ),
        ("f047 complete, after", vec![(COMPLETE, After)], ok.clone()),
        (
            "f047 complete, before",
            vec![(COMPLETE, Before)],
            ok.clone(),
        ),
        (
            "f047 complete, 409 or NoSuchUpload",
            vec![(COMPLETE, Spent)],
            failed("unavailable"),
        ),
    ] {
        // Another's manifest in the audit is what this row is about, so it is looked at here only.
        let (kind, ends, fake) = match name {
            "f043 another's artifact" => {
                let fake = Arc::new(Fake::scripted(script));
                let (result, _) = run_on(&fake);
                (result.unwrap_err().kind().name(), vec![MANIFEST], fake)
            }
            _ => end_of(script),
        };
        assert_eq!((kind, ends), want, "{name}: {:?}", fake.requests());
        let completes = fake
            .requests()
            .iter()
            .filter(|one| one.starts_with("COMPLETE"))
            .count();
        assert!(
            completes <= 2 - usize::from(name.contains("409")),
            "{name}: {completes}"
        );
        if name.starts_with("f046 part") {
            assert_eq!(
                fake.uploads(),
                usize::from(name.contains("abort")),
                "{name}"
            );
        }
    }
}

#[test]
fn f115_a_result_that_lands_after_a_read_back_that_found_nothing() {
    let script = vec![(PUT_RESULT, Fault::Late), (PUT_RESULT + 2, Fault::Late)];
    let (kind, ends, fake) = end_of(script);
    assert_eq!((kind, ends), ("unavailable", vec![]));
    fake.land();
    let objects = fake.objects();
    assert!(objects.contains_key(&format!("{RUN}/{MANIFEST}")));
    assert!(!objects.contains_key(&format!("{RUN}/{FAILURE}")));
}

#[test]
fn f050_a_run_id_says_what_became_of_its_run() {
    for (names, want) in [
        (vec![STARTED, MANIFEST], "a finished run"),
        (vec![STARTED, INTERRUPTED], "an interrupted run"),
        (vec![STARTED, FAILURE], "a failed run"),
        (vec![STARTED, "rollup.csv"], "works or was killed"),
        (
            vec!["notes.txt"],
            "1 objects that no run of windrow claimed, such as run/notes.txt",
        ),
    ] {
        let fake = Arc::new(Fake::default());
        for name in names {
            fake.insert(&format!("{RUN}/{name}"), b"", "other");
        }
        // The neighbour's prefix is not this run's.
        fake.insert("run-2/manifest.json", b"", "other");
        let before = fake.objects();
        let error = run_on(&fake).0.unwrap_err();
        assert_eq!(error.kind(), Kind::Taken);
        assert!(error.to_string().contains(want), "{error}");
        assert_eq!(fake.requests(), ["LIST run/"], "f114 nothing is sent");
        assert_eq!(fake.objects(), before);
    }
}

#[test]
fn f045_a_store_that_ignores_the_condition() {
    let fake = Arc::new(Fake::ignoring_conditions());
    assert_eq!(run_on(&fake).0.unwrap_err().kind(), Kind::Protocol);
    assert!(!fake.objects().contains_key(&format!("{RUN}/{MANIFEST}")));
    // An earlier run there is safe: the listing finds it before anything is sent.
    let before = fake.objects();
    assert_eq!(run_on(&fake).0.unwrap_err().kind(), Kind::Taken);
    assert_eq!(fake.objects(), before);
    // One that keeps it shows so, and the run goes on.
    run_on(&Arc::new(Fake::unproven())).0.unwrap();
}

#[test]
fn f117_the_claim_is_deleted_or_retaken_while_the_run_works() {
    type Objects = std::collections::BTreeMap<String, Object>;
    fn deleted(objects: &mut Objects) {
        objects.remove(&format!("{RUN}/{STARTED}"));
    }
    fn retaken(objects: &mut Objects) {
        objects.clear();
        let started = Started {
            identity: Identity::new(RUN, "other", Mode::Batch),
            started_at: manifest::utc(0),
            task_arn: None,
            config: serde_json::Map::new(),
        };
        let object = Object {
            bytes: manifest::to_bytes(&started).unwrap(),
            nonce: "other".to_owned(),
        };
        objects.insert(format!("{RUN}/{STARTED}"), object);
    }
    for (name, change) in [
        ("deleted", deleted as fn(&mut Objects)),
        ("retaken", retaken),
    ] {
        for request in READ_BACK..=LAST_LOOK {
            let script = vec![(request, Fault::Meanwhile(name, change))];
            let fake = Arc::new(Fake::scripted(script));
            let error = run_on(&fake).0.unwrap_err();
            assert_eq!(error.kind(), Kind::Taken, "{name} at {request}: {error}");
            let objects = fake.objects();
            for end in [MANIFEST, FAILURE] {
                let is_there = objects.contains_key(&format!("{RUN}/{end}"));
                assert!(!is_there, "{name} at {request}: {end}");
            }
        }
    }
}

#[test]
fn f102_f108_a_batch_that_is_stopped_commits_nothing() {
    for request in 1..PUT_RESULT {
        let (kind, ends, _) = end_of(vec![(request, Fault::Slow(1_001_000))]);
        let want = if request == 1 { vec![] } else { vec![FAILURE] };
        assert_eq!((kind, ends), ("interrupted", want), "{request}");
    }
}

#[test]
fn f116_stopped_while_the_result_is_in_flight() {
    // The deadline passes, then the drain's end: the answer decides all the same.
    for milliseconds in [1_001_000, 1_030_000] {
        let script = vec![(PUT_RESULT, Fault::Slow(milliseconds))];
        assert_eq!(end_of(script).0, "ok");
    }
    // The drain's end while the outcome is open: no second send.
    let script = vec![
        (PUT_RESULT, Fault::Late),
        (PUT_RESULT + 1, Fault::Slow(1_030_000)),
    ];
    let (kind, ends, fake) = end_of(script);
    assert_eq!((kind, ends), ("unavailable", vec![]));
    assert_eq!(fake.requests().len(), PUT_RESULT + 1);
}

#[test]
fn f116_the_supervisor_leaves() {
    let fake = Arc::new(Fake::default());
    let terms = terms(fake.clone(), RUN);
    let state = terms.state.clone();
    let claim = Claim::take(terms).unwrap();
    assert_eq!(state.close(), Phase::Working);
    // What the command's thread still tries has no effect.
    assert_eq!(work(&claim).unwrap_err().kind(), Kind::Interrupted);
    let error = Error::defect("testing", "an error");
    let records = Records::default();
    assert_eq!(
        claim.fail(
            &error,
            Unfinished {
                phase: "work",
                records,
                ..Unfinished::default()
            }
        ),
        None
    );
    assert!(
        fake.requests()
            .iter()
            .all(|one| !one.ends_with("manifest.json") && !one.ends_with("failure.json"))
    );
    // After a result it learns what it has to say.
    for (script, want) in [
        (vec![], Phase::Committed),
        (
            vec![(PUT_RESULT, Fault::Before), (PUT_RESULT + 2, Fault::Before)],
            Phase::ResultSent,
        ),
    ] {
        let (_, state) = run_on(&Arc::new(Fake::scripted(script)));
        assert_eq!((state.close(), state.phase()), (want, want));
    }
}

#[test]
fn a_result_needs_five_seconds_or_one_where_the_drain_is_short() {
    for (drain_s, remaining_ms, want) in [
        (20, 5_000, None),
        (20, 4_999, Some(Kind::Interrupted)),
        (10, 5_000, None),
        (10, 4_999, Some(Kind::Interrupted)),
        (9, 1_000, None),
        (9, 999, Some(Kind::Interrupted)),
        (2, 1_000, None),
        (1, 500, None),
        (1, 499, Some(Kind::Interrupted)),
    ] {
        let fake = Arc::new(Fake::default());
        let mut terms = terms(fake.clone(), RUN);
        let seconds = Duration::from_secs;
        terms.stop = Stop::new(fake.clock.clone(), seconds(1000), seconds(drain_s));
        let claim = Claim::take(terms).unwrap();
        let now = 1_000_000 + drain_s * 1_000 - remaining_ms;
        fake.clock.elapsed_ms.store(now, Ordering::SeqCst);
        // For a stream, whose deadline is its normal end.
        let found = claim
            .require_time(EndedBy::Deadline)
            .err()
            .map(|error| error.kind());
        assert_eq!(found, want, "{remaining_ms} ms of a drain of {drain_s} s");
    }
}
