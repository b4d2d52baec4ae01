//! Eight runs at the same moment under one RUN_ID, round after round (row 49): one works, seven exit 73 before any work
//! and write nothing. On the RADOS Gateway where `TESTBED_RADOSGW` names one (`eval "$(../scripts/radosgw up)"`,
//! `TESTBED_RADOSGW=$AWS_ENDPOINT_URL_S3`), and on this server always. The gateway also gets the odd keys
//! (row 41) and buckets with versions, locks and KMS (row 51).
#![allow(
    clippy::disallowed_methods,
    reason = "these tests are told of the gateway by the environment, and measure time"
)]

mod worker;

use std::time::Instant;

use serde_json::Value;
use testbed::client::Client;
use testbed::digest::{base64, hex, md5, sha256};
use testbed::percent;
use testbed::sign::Key;
use worker::{Ended, INPUT, ROLLUP, Run, note, skipped, start};

const RUNNERS: usize = 8;
const ROUNDS: usize = 100;

/// Eight at once; what became of each, the winner apart.
fn race(run: &Run) -> (Ended, Vec<Ended>) {
    let runners: Vec<_> = (0..RUNNERS).map(|_| run.start()).collect();
    let ended = runners.into_iter().map(worker::Running::end);
    let (mut won, lost): (Vec<Ended>, Vec<Ended>) = ended.partition(|ended| ended.code == 0);
    assert_eq!(won.len(), 1, "{won:?} {lost:?}");
    for ended in &lost {
        ended.says(73, &["choose a new RUN_ID"]);
        let told: Vec<&str> = ended
            .events
            .iter()
            .filter_map(|event| event["event"].as_str())
            .collect();
        assert_eq!(told, ["run_summary"], "73 before any work");
    }
    (won.remove(0), lost)
}

#[test]
fn f049_eight_runs_race_for_one_run_id() {
    if worker::worker().is_none() {
        return;
    }
    let server = start();
    let began = Instant::now();
    let mut refused_claims = 0;
    for round in 0..ROUNDS {
        worker::furnish(&server);
        let (won, _) = race(&Run::small(&server));
        won.works(&server);
        // Each object was created by one request; every other write is a claim that was refused.
        for entry in worker::writes(&server) {
            let is_claim = entry.key == "o/run/started.json";
            match entry.outcome {
                Some(200) => {}
                Some(412) if is_claim => refused_claims += 1,
                outcome => panic!("round {round}: {} {outcome:?}", worker::named(&entry)),
            }
        }
        let created = worker::writes(&server)
            .into_iter()
            .filter(|entry| entry.outcome == Some(200))
            .count();
        assert_eq!(
            created,
            server.store().keys("out", "o/run/").len(),
            "round {round}"
        );
    }
    let took = began.elapsed();
    // One of them a round is the winner's own proof of create-only.
    note(&format!(
        "f049 on testbed: {ROUNDS} rounds of {RUNNERS} in {took:.0?}, {} claims refused, the rest saw the prefix taken",
        refused_claims - ROUNDS
    ));
    assert!(refused_claims > ROUNDS, "nobody raced");
}

/// The gateway, a bucket of this run's own there, and how the worker reaches it.
fn gateway(test: &str) -> Option<(Client, String, Run)> {
    worker::worker()?;
    let variable = |name: &str| std::env::var(name).ok();
    let Some(url) = variable("TESTBED_RADOSGW") else {
        skipped(
            test,
            "TESTBED_RADOSGW names no gateway, so no server of others was asked",
        );
        return None;
    };
    let key = Key {
        access_key: variable("AWS_ACCESS_KEY_ID")?,
        secret_key: variable("AWS_SECRET_ACCESS_KEY")?,
        ..Key::default()
    };
    let run = Run::at(&url)
        .aws("AWS_ACCESS_KEY_ID", &key.access_key)
        .aws("AWS_SECRET_ACCESS_KEY", &key.secret_key);
    let client = Client {
        address: url.strip_prefix("http://")?.parse().ok()?,
        key: Some(key),
        region: "us-east-1".into(),
        clock_offset_seconds: 0,
    };
    let bucket = format!("{test}-{}", std::process::id());
    let made = client.send("PUT", &format!("/{bucket}"), &[], b"").unwrap();
    assert_eq!(made.status, 200, "{}", made.text());
    let run = run
        .with("INPUT", &format!("s3://{bucket}/d/"))
        .with("OUTPUT", &format!("s3://{bucket}/o"));
    Some((client, bucket, run))
}

fn put(client: &Client, bucket: &str, key: &str, body: &[u8]) {
    let path = format!("/{bucket}/{}", percent::encode(key.as_bytes(), b"-._~/"));
    let answer = client.send("PUT", &path, &[], body).unwrap();
    assert_eq!(answer.status, 200, "{key}: {}", answer.text());
}

fn get(client: &Client, bucket: &str, key: &str) -> Option<Vec<u8>> {
    let path = format!("/{bucket}/{}", percent::encode(key.as_bytes(), b"-._~/"));
    let answer = client.send("GET", &path, &[], b"").unwrap();
    (answer.status == 200).then_some(answer.body)
}

/// The manifest below `prefix` is true.
fn require_true(client: &Client, bucket: &str, prefix: &str, rollup: &[u8]) {
    let body = |name: &str| get(client, bucket, &format!("{prefix}{name}"));
    let manifest: Value = serde_json::from_slice(&body("manifest.json").unwrap()).unwrap();
    for artifact in manifest["artifacts"].as_array().unwrap() {
        let bytes = body(artifact["name"].as_str().unwrap()).unwrap();
        assert_eq!(artifact["sha256"], hex(&sha256(&bytes)), "{artifact}");
    }
    assert!(
        body("rollup.csv").as_deref() == Some(rollup),
        "the rollup of {prefix}"
    );
    assert!(body("failure.json").is_none(), "{prefix}");
    let started: Value = serde_json::from_slice(&body("started.json").unwrap()).unwrap();
    assert_eq!(started["nonce"], manifest["nonce"]);
}

#[test]
fn f049_eight_runs_race_on_a_rados_gateway() {
    let Some((client, bucket, run)) = gateway("f049") else {
        return;
    };
    put(&client, &bucket, "d/a.csv.gz", &worker::gzip(INPUT));
    let began = Instant::now();
    let mut at_claim = 0;
    for round in 0..ROUNDS {
        let (won, lost) = race(&run.clone().named(&format!("run-{round}")));
        require_true(
            &client,
            &bucket,
            &format!("o/run-{round}/"),
            ROLLUP.as_bytes(),
        );
        assert!(won.took.as_secs() < 30, "round {round}");
        at_claim += lost
            .iter()
            .filter(|ended| ended.why().contains("at this moment"))
            .count();
        // Nothing but the winner's objects.
        let listing = format!("/{bucket}?list-type=2&prefix=o%2Frun-{round}%2F");
        let listed = client.send("GET", &listing, &[], b"").unwrap();
        assert_eq!(
            listed.text().matches("<Key>").count(),
            4,
            "round {round}: {}",
            listed.text()
        );
    }
    note(&format!(
        "f049 on a RADOS Gateway: {ROUNDS} rounds of {RUNNERS} in {:.0?}, {at_claim} refused at the claim, the rest saw the prefix taken",
        began.elapsed()
    ));
    assert!(at_claim > 0, "nobody raced");
}

#[test]
fn f041_odd_keys_and_large_artifacts_on_a_rados_gateway() {
    let Some((client, bucket, run)) = gateway("f041") else {
        return;
    };
    let long = "l".repeat(1024 - "odd/10/".len());
    let odd = [
        "a b",
        "a+b",
        "100%",
        "~",
        "x%20y",
        "é漢😀",
        "a&b<c>\"'",
        "p=q?r#s",
        "(!)@:,;$",
        "x//y",
        &long,
    ];
    for (place, key) in odd.into_iter().enumerate() {
        put(
            &client,
            &bucket,
            &format!("odd/{place:02}/{key}"),
            INPUT.as_bytes(),
        );
    }
    let all = run
        .clone()
        .named("all")
        .with("INPUT", &format!("s3://{bucket}/odd/"))
        .end();
    assert_eq!(all.code, 0, "{}", all.why());
    let number = odd.len();
    let rollup = format!(
        "k,n,s\na,{},{}\nb,{number},{}\n",
        2 * number,
        4 * number,
        2 * number
    );
    require_true(&client, &bucket, "o/all/", rollup.as_bytes());
    for (place, key) in odd.into_iter().enumerate() {
        let mut one = run
            .clone()
            .named("run")
            .with("INPUT", &format!("s3://{bucket}/odd/{place:02}/{key}"));
        let prefix = match key.contains("//") || key.len() > 900 {
            true => format!("long-{place}"),
            false => format!("o {place}/{key}"),
        };
        one = one.with("OUTPUT", &format!("s3://{bucket}/{prefix}"));
        let ended = one.end();
        assert_eq!(ended.code, 0, "{key}: {}", ended.why());
        require_true(
            &client,
            &bucket,
            &format!("{prefix}/run/"),
            ROLLUP.as_bytes(),
        );
    }
    let server = start();
    let wide = Run::large(&server);
    let large = wide.like(&run).named("large").end();
    assert_eq!(large.code, 0, "{}", large.why());
    require_true(&client, &bucket, "o/large/", &Run::large_rollup());
}

/// Buckets as they may be set up, at a server of others: with versions, with a lock on each object, with KMS.
#[test]
fn f051_f119_versions_locks_and_keys_on_a_rados_gateway() {
    let Some((client, bucket, run)) = gateway("f051") else {
        return;
    };
    put(&client, &bucket, "d/a.csv", INPUT.as_bytes());
    let large = {
        let server = start();
        Run::large(&server).like(&run)
    };
    let set = |bucket: &str, what: &str, body: &str| {
        let md5 = base64(&md5(body.as_bytes()));
        let headers = [("content-md5", md5.as_str())];
        let path = format!("/{bucket}?{what}");
        let answer = client
            .send("PUT", &path, &headers, body.as_bytes())
            .unwrap();
        assert_eq!(answer.status, 200, "{what}: {}", answer.text());
    };
    let versions = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    let lock = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>\
        <Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>";
    for (name, headers) in [
        ("versions", vec![]),
        ("lock", vec![("x-amz-bucket-object-lock-enabled", "true")]),
    ] {
        let out = format!("{bucket}-{name}");
        let made = client
            .send("PUT", &format!("/{out}"), &headers, b"")
            .unwrap();
        assert_eq!(made.status, 200, "{name}: {}", made.text());
        match name {
            "lock" => set(&out, "object-lock", lock),
            _ => set(&out, "versioning", versions),
        }
        // Ceph 16 ignores If-None-Match where it keeps versions: no result there, and a clear word why.
        let ended = run.clone().with("OUTPUT", &format!("s3://{out}/o")).end();
        ended.says(76, &["If-None-Match", "created again"]);
        assert!(get(&client, &out, "o/run/manifest.json").is_none());
        put(&client, &out, "d/a.csv", INPUT.as_bytes());
        let from = run.clone().with("INPUT", &format!("s3://{out}/d/"));
        let ended = from.named(name).end();
        assert_eq!(ended.code, 0, "{name}: {}", ended.why());
        let prefix = format!("o/{name}/");
        require_true(&client, &bucket, &prefix, ROLLUP.as_bytes());
    }
    // Encrypted with a key that the gateway has, and with one that it has not.
    let key = std::env::var("TESTBED_KMS_KEY").unwrap();
    let keyed = |run: &Run, key: &str| run.clone().with("OUTPUT_SSE", &format!("aws:kms:{key}"));
    for (run, name, rollup) in [
        (&run, "keyed", ROLLUP.as_bytes()),
        (&large, "keyed-large", &Run::large_rollup()),
    ] {
        let ended = keyed(run, &key).named(name).end();
        assert_eq!(ended.code, 0, "{name}: {}", ended.why());
        require_true(&client, &bucket, &format!("o/{name}/"), rollup);
        let path = format!("/{bucket}/o/{name}/rollup.csv");
        let head = client.send("HEAD", &path, &[], b"").unwrap();
        let header = |name: &str| head.header(&format!("x-amz-server-side-encryption{name}"));
        assert_eq!(header(""), Some("aws:kms"), "{name}");
        assert_eq!(header("-aws-kms-key-id"), Some(key.as_str()), "{name}");
    }
    let unknown = keyed(&run, &format!("{key}-unknown"))
        .named("unknown")
        .end();
    unknown.says(77, &["kms-keyid", "testbed-unknown"]);
    assert!(get(&client, &bucket, "o/unknown/started.json").is_none());
}
