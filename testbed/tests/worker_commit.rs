//! The commit over S3, row by row of the catalogue (FAULTS 42 to 53, 108, 114 to 120), as the built worker does it.
#![allow(
    clippy::disallowed_methods,
    reason = "these tests wait for the worker, and change things under it"
)]

mod worker;

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testbed::operation::Operation;
use testbed::server::Server;
use testbed::store::{Conditions, Settings as Bucket};
use worker::{ROLLUP, Run, count, start, writes};

/// Ends the test where there is no worker.
macro_rules! server {
    () => {{
        if worker::worker().is_none() {
            return;
        }
        start()
    }};
}

#[track_caller]
fn script(server: &Server, rules: Value) {
    server.script_json(&rules.to_string()).unwrap();
}

#[track_caller]
fn wait_for(server: &Server, operation: Operation, end: &str) {
    for _ in 0..3000 {
        if count(server, operation, end) > 0 {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("no {operation:?} of {end}");
}

fn has(server: &Server, name: &str) -> bool {
    server
        .store()
        .object("out", &format!("o/run/{name}"))
        .is_some()
}

const OBJECTS: [&str; 4] = [
    "started.json",
    "rollup.csv",
    "inputs.ndjson.gz",
    "manifest.json",
];

#[test]
fn f042_put_answer_lost() {
    let server = server!();
    for name in OBJECTS {
        for (fault, attempts, puts) in [
            (
                json!({"effect": "once", "send": "nothing", "end": "reset"}),
                "1",
                1,
            ),
            (
                json!({"effect": "none", "send": "nothing", "end": "reset"}),
                "1",
                2,
            ),
            (
                json!({"effect": "once", "answer": {"status": 500, "code": "InternalError"}}),
                "1",
                1,
            ),
            (
                json!({"answer": {"status": 503, "code": "SlowDown"}}),
                "3",
                2,
            ),
        ] {
            worker::furnish(&server);
            let key = format!("*/{name}");
            script(
                &server,
                json!([{"name": "lost", "when": {"operation": "PutObject", "key": key, "times": 1}, "do": fault}]),
            );
            let ended = Run::small(&server).with("S3_ATTEMPTS", attempts).end();
            assert_eq!(server.shared().script.fired("lost"), 1);
            ended.works(&server);
            // A custom endpoint proves create-only with one claim more.
            let proof = usize::from(name == "started.json");
            assert_eq!(
                count(&server, Operation::PutObject, name),
                puts + proof,
                "{name} {fault}"
            );
        }
    }
}

#[test]
fn f043_412_for_our_own_object_and_for_anothers() {
    let server = server!();
    for name in OBJECTS {
        worker::furnish(&server);
        let key = format!("*/{name}");
        script(
            &server,
            json!([{"when": {"operation": "PutObject", "key": key, "times": 1}, "do": {"effect": "twice"}}]),
        );
        let ended = Run::small(&server).end();
        match name {
            // A clean 412 to the claim is another's, whoever wrote it (rule 4).
            "started.json" => ended.says(73, &["claimed it at this moment"]),
            _ => ended.works(&server),
        }
    }
    for name in ["rollup.csv", "inputs.ndjson.gz", "manifest.json"] {
        worker::furnish(&server);
        script(
            &server,
            json!([{"when": {"bucket": "source", "operation": "GetObject"}, "do": {"delay_ms": 500}}]),
        );
        let running = Run::small(&server).start();
        wait_for(&server, Operation::GetObject, "d/a.csv.gz");
        server
            .store()
            .put("out", &format!("o/run/{name}"), "another's");
        let ended = running.end();
        ended.says(73, &["another run", name]);
        let object = server.store().object("out", &format!("o/run/{name}"));
        assert_eq!(
            object.unwrap().body.as_slice(),
            b"another's",
            "not overwritten"
        );
    }
}

/// An object under the run's own mark that is not what was sent, and answers that say nothing whatever is asked again.
#[test]
fn f042_f043_an_object_that_the_store_altered_and_answers_that_stay_open() {
    let server = server!();
    let lost = |key: &str, effect: &str| json!({"when": {"operation": "PutObject", "key": key}, "do": {"effect": effect, "send": "nothing", "end": "close"}});
    let shorter =
        json!({"when": {"operation": "HeadObject"}, "do": {"headers": {"content-length": "7"}}});
    for (key, code, records) in [
        ("started.json", 76, false),
        ("rollup.csv", 76, true),
        ("manifest.json", 69, false),
    ] {
        worker::furnish(&server);
        script(&server, json!([lost(&format!("*/{key}"), "once"), shorter]));
        let ended = Run::small(&server).end();
        ended.says(code, &["7 bytes under this run's mark", key]);
        ended.sound(&server);
        assert_eq!(has(&server, "failure.json"), records, "{key}");
    }
    // A success whose body is another's: nothing is there, and nobody knows whether something will be.
    let odd = json!({"answer": {"status": 200, "code": "Odd"}});
    for key in ["started.json", "rollup.csv", "manifest.json"] {
        worker::furnish(&server);
        script(
            &server,
            json!([{"when": {"operation": "PutObject", "key": format!("*/{key}")}, "do": odd}]),
        );
        let ended = Run::small(&server).end();
        ended.fails(&server, 69, &["outcome unknown", key]);
        assert_eq!(has(&server, "failure.json"), key == "rollup.csv", "{key}");
    }
}

#[test]
fn f044_a_conflict_is_settled_by_read_back_and_a_second_try() {
    let server = server!();
    for name in OBJECTS {
        worker::furnish(&server);
        let key = format!("*/{name}");
        script(
            &server,
            json!([{"when": {"operation": "PutObject", "key": key, "times": 1},
            "do": {"answer": {"status": 409, "code": "ConditionalRequestConflict"}}}]),
        );
        Run::small(&server).end().works(&server);
        assert_eq!(count(&server, Operation::HeadObject, name), 1, "{name}");
    }
}

#[test]
fn f045_a_store_that_ignores_if_none_match() {
    let server = server!();
    let ignoring = Bucket {
        conditions: Conditions::Ignored,
        ..Bucket::default()
    };
    server.store().bucket("out", ignoring);
    let ended = Run::small(&server).end();
    ended.fails(&server, 76, &["create-only"]);
    assert!(!has(&server, "rollup.csv"), "refused before any work");
    // An earlier run under the same RUN_ID: the listing keeps it from harm even there.
    server
        .store()
        .put("out", "o/run/started.json", "of the earlier run");
    server.journal().clear();
    Run::small(&server).end().says(73, &[]);
    assert!(writes(&server).is_empty());
    let object = server.store().object("out", "o/run/started.json").unwrap();
    assert_eq!(object.body.as_slice(), b"of the earlier run");

    worker::furnish(&server);
    let refusing = Bucket {
        conditions: Conditions::Refused,
        ..Bucket::default()
    };
    server.store().bucket("out", refusing);
    Run::small(&server)
        .end()
        .refused(&server, 76, &["501", "If-None-Match"]);
}

#[test]
fn f046_parts_that_fail() {
    let server = server!();
    let open = |server: &Server| server.store().uploads().len();
    for (name, fault, attempts, code) in [
        (
            "denied",
            json!({"answer": {"status": 403, "code": "AccessDenied"}}),
            "1",
            77,
        ),
        (
            "busy",
            json!({"answer": {"status": 503, "code": "SlowDown"}}),
            "1",
            69,
        ),
        (
            "busy, asked again",
            json!({"answer": {"status": 503, "code": "SlowDown"}}),
            "2",
            0,
        ),
        // On a connection that was used before: a part may silently be sent again on a fresh one (SPEC 10).
        (
            "lost",
            json!({"effect": "once", "send": "nothing", "end": "close"}),
            "1",
            0,
        ),
        (
            "cut",
            json!({"effect": "once", "send": "half_head", "end": "close"}),
            "1",
            69,
        ),
        (
            "cut, asked again",
            json!({"effect": "once", "send": "half_head", "end": "close"}),
            "2",
            0,
        ),
        ("no ETag", json!({"headers": {"etag": null}}), "1", 76),
        (
            "odd ETag",
            json!({"headers": {"etag": "\"a<b>&c\""}}),
            "1",
            -1,
        ),
        (
            "bad digest",
            json!({"answer": {"status": 400, "code": "BadDigest"}}),
            "1",
            76,
        ),
    ] {
        worker::furnish(&server);
        script(
            &server,
            json!([{"name": "part", "when": {"operation": "UploadPart", "from": 2, "times": 1}, "do": fault}]),
        );
        let ended = Run::large(&server).with("S3_ATTEMPTS", attempts).end();
        assert_eq!(server.shared().script.fired("part"), 1, "{name}");
        match code {
            -1 => assert_ne!(ended.code, 0, "{name}"),
            code => assert_eq!(ended.code, code, "{name}: {}", ended.why()),
        }
        let wrong = ended.audit(&server, "o/run/", &Run::large_rollup());
        assert!(wrong.is_empty(), "{name}: {wrong:?}");
        assert_eq!(open(&server), 0, "{name}: an upload is open");
        assert_eq!(
            count(&server, Operation::AbortMultipartUpload, ""),
            usize::from(ended.code != 0),
            "{name}"
        );
    }
    // The abort fails too: failure.json names what is open.
    worker::furnish(&server);
    let denied = json!({"answer": {"status": 403, "code": "AccessDenied"}});
    script(
        &server,
        json!([
            {"when": {"operation": "UploadPart"}, "do": denied},
            {"when": {"operation": "AbortMultipartUpload"}, "do": denied},
        ]),
    );
    Run::large(&server).end().says(77, &["s3:PutObject"]);
    let uploads = server.store().uploads();
    let failure = server.store().object("out", "o/run/failure.json").unwrap();
    let failure: Value = serde_json::from_slice(&failure.body).unwrap();
    assert_eq!(failure["open_uploads"][0]["upload_id"], uploads[0].0);
    assert_eq!(failure["open_uploads"][0]["name"], "rollup.csv");
}

#[test]
fn f047_f120_what_complete_may_answer() {
    let server = server!();
    let spaces = json!({"bytes": 3, "every_ms": 200});
    let error = |code: &str| json!({"status": 200, "code": code});
    for (name, fault, code) in [
        (
            "late error",
            json!({"spaces": spaces, "answer": error("InternalError")}),
            0,
        ),
        (
            "late error after the effect",
            json!({"spaces": spaces, "effect": "once", "answer": error("InternalError")}),
            0,
        ),
        (
            "late conflict",
            json!({"spaces": spaces, "answer": error("ConditionalRequestConflict")}),
            69,
        ),
        (
            "late refusal",
            json!({"spaces": spaces, "answer": error("AccessDenied")}),
            77,
        ),
        ("white space, then success", json!({"spaces": spaces}), 0),
        (
            "lost after the effect",
            json!({"effect": "once", "send": "nothing", "end": "close"}),
            0,
        ),
        (
            "lost before",
            json!({"effect": "none", "send": "nothing", "end": "close"}),
            0,
        ),
        (
            "NoSuchUpload after the effect",
            json!({"effect": "once", "answer": {"status": 404, "code": "NoSuchUpload"}}),
            0,
        ),
        (
            "NoSuchUpload",
            json!({"answer": {"status": 404, "code": "NoSuchUpload"}}),
            69,
        ),
        (
            "409 after the effect",
            json!({"effect": "once", "answer": {"status": 409, "code": "ConditionalRequestConflict"}}),
            0,
        ),
        (
            "409",
            json!({"answer": {"status": 409, "code": "ConditionalRequestConflict"}}),
            69,
        ),
        ("done twice", json!({"effect": "twice"}), 0),
        (
            "501",
            json!({"answer": {"status": 501, "code": "NotImplemented"}}),
            76,
        ),
    ] {
        worker::furnish(&server);
        script(
            &server,
            json!([{"name": "complete", "when": {"operation": "CompleteMultipartUpload", "times": 1}, "do": fault}]),
        );
        let ended = Run::large(&server).end();
        assert_eq!(server.shared().script.fired("complete"), 1, "{name}");
        assert_eq!(ended.code, code, "{name}: {}", ended.why());
        let wrong = ended.audit(&server, "o/run/", &Run::large_rollup());
        assert!(wrong.is_empty(), "{name}: {wrong:?}");
        assert!(
            server.store().uploads().is_empty(),
            "{name}: an upload is open"
        );
        let completes = count(&server, Operation::CompleteMultipartUpload, "");
        let is_final =
            name.contains("409") || name.contains("onflict") || name.contains("NoSuchUpload");
        assert!(!is_final || completes == 1, "{name}: a second Complete");
    }
}

#[test]
fn f050_a_run_id_that_is_taken_says_by_what() {
    let server = server!();
    for (name, found) in [
        ("manifest.json", "a finished run"),
        ("failure.json", "a failed run"),
        ("interrupted.json", "an interrupted run"),
        ("started.json", "works or was killed"),
        ("other.txt", "no run of windrow claimed"),
    ] {
        worker::furnish(&server);
        if name.ends_with(".json") {
            server.store().put("out", "o/run/started.json", "{}");
        }
        server.store().put("out", &format!("o/run/{name}"), "{}");
        Run::small(&server)
            .end()
            .says(73, &[found, "s3://out/o/run"]);
        assert!(writes(&server).is_empty(), "{name}");
    }
    // What only starts with the same letters is another run.
    worker::furnish(&server);
    server.store().put("out", "o/run-2/manifest.json", "{}");
    assert_eq!(Run::small(&server).end().code, 0);
}

#[test]
fn f051_f119_how_buckets_may_be_set_up() {
    let server = server!();
    let kms = "arn:aws:kms:us-east-1:111122223333:key/0a1b2c3d-0000-4000-8000-000000000000";
    for (name, bucket) in [
        (
            "versioning",
            Bucket {
                versioning: true,
                ..Bucket::default()
            },
        ),
        (
            "object lock",
            Bucket {
                versioning: true,
                object_lock: true,
                ..Bucket::default()
            },
        ),
        (
            "default KMS",
            Bucket {
                default_sse: Some("aws:kms".into()),
                ..Bucket::default()
            },
        ),
        (
            "If-None-Match demanded",
            Bucket {
                demand_if_none_match: true,
                ..Bucket::default()
            },
        ),
    ] {
        worker::furnish(&server);
        server.store().bucket("out", bucket.clone());
        let ended = Run::small(&server).end();
        assert_eq!(ended.code, 0, "{name}: {}", ended.why());
        ended.works(&server);
        if bucket.versioning {
            let manifest = server.store().object("out", "o/run/manifest.json").unwrap();
            let manifest: Value = serde_json::from_slice(&manifest.body).unwrap();
            assert!(
                manifest["artifacts"][0]["version_id"].is_string(),
                "{name}: {manifest}"
            );
        }
        worker::furnish(&server);
        server.store().bucket("out", bucket);
        let ended = Run::large(&server).end();
        assert_eq!(ended.code, 0, "{name}, multipart: {}", ended.why());
    }
    for (demanded, given) in [
        ("AES256", "AES256".to_owned()),
        ("aws:kms", format!("aws:kms:{kms}")),
    ] {
        worker::furnish(&server);
        let bucket = Bucket {
            demand_sse: Some(demanded.into()),
            ..Bucket::default()
        };
        server.store().bucket("out", bucket);
        Run::small(&server)
            .end()
            .refused(&server, 77, &["s3:PutObject"]);
        let run = Run::small(&server).with("OUTPUT_SSE", &given);
        run.end().works(&server);
        for entry in server.journal().of(Operation::PutObject) {
            if entry.status == Some(200) {
                assert_eq!(entry.header("x-amz-server-side-encryption"), Some(demanded));
            }
        }
        let large = Run::large(&server)
            .with("OUTPUT_SSE", &given)
            .named("large")
            .end();
        assert_eq!(large.code, 0, "{}", large.why());
    }
    for (code, status, exit) in [
        ("KMS.DisabledException", 400, 77),
        ("KMS.NotFoundException", 400, 78),
        ("KMS.ThrottlingException", 400, 69),
        ("InvalidRequest", 400, 78),
    ] {
        worker::furnish(&server);
        script(
            &server,
            json!([{"when": {"operation": "PutObject"}, "do": {"answer": {"status": status, "code": code}}}]),
        );
        Run::small(&server).end().refused(&server, exit, &[code]);
    }
}

#[test]
fn f053_keys_of_1024_bytes_and_one_more() {
    let server = server!();
    // 64 bytes are kept for the name of an artifact.
    let room = 1024 - "/run/".len() - 64;
    for (length, works) in [(room, true), (room + 1, false)] {
        worker::furnish(&server);
        // Segments of at most 255 bytes, with characters of two bytes.
        let prefix: String = (0..length)
            .map(|place| if place % 200 == 199 { '/' } else { 'p' })
            .collect();
        let ended = Run::small(&server)
            .with("OUTPUT", &format!("s3://out/{prefix}"))
            .end();
        match works {
            true => {
                assert_eq!(ended.code, 0, "{}", ended.why());
                let wrong = ended.audit(&server, &format!("{prefix}/run/"), ROLLUP.as_bytes());
                assert!(wrong.is_empty(), "{wrong:?}");
            }
            false => {
                ended.says(78, &["1024"]);
                assert!(
                    server.journal().entries().is_empty(),
                    "refused before any request"
                );
            }
        }
    }
    for (length, code) in [(1024, 0), (1025, 78)] {
        worker::furnish(&server);
        let key = format!("{}.csv", "é".repeat(510)) + &"x".repeat(length - 1024);
        server.store().put("source", &key, worker::INPUT);
        let ended = Run::small(&server)
            .with("INPUT", &format!("s3://source/{key}"))
            .end();
        assert_eq!(ended.code, code, "{}", ended.why());
        ended.sound(&server);
    }
}

#[test]
fn f041_odd_prefixes_of_the_output_and_keys_of_the_input() {
    let server = server!();
    for odd in [
        "a b",
        "a+b",
        "100%",
        "~",
        "x%20y",
        "é漢😀",
        "a&b<c>\"'",
        "p=q?r#s",
        "(!*)@:,;$",
    ] {
        worker::furnish(&server);
        server
            .store()
            .put("source", &format!("odd/{odd}/{odd}.csv"), worker::INPUT);
        let ended = Run::small(&server)
            .with("INPUT", &format!("s3://source/odd/{odd}/"))
            .with("OUTPUT", &format!("s3://out/o/{odd}"))
            .end();
        if odd.contains('*') {
            // A glob in INPUT: taken as such, and it matches the literal.
            assert!([0, 66, 78].contains(&ended.code), "{odd}: {}", ended.why());
            continue;
        }
        assert_eq!(ended.code, 0, "{odd}: {}", ended.why());
        let wrong = ended.audit(&server, &format!("o/{odd}/run/"), ROLLUP.as_bytes());
        assert!(wrong.is_empty(), "{odd}: {wrong:?}");
    }
}

/// A deadline of two seconds and a drain of one: whatever call blocks, the process is gone by then.
#[test]
fn f108_deadline_while_each_kind_of_call_blocks() {
    let _ = server!();
    let cases: Vec<(&str, Value)> = [
        ("ListObjectsV2", "out", ""),
        ("PutObject", "out", "*/started.json"),
        ("GetObject", "out", "*/started.json"),
        ("ListObjectsV2", "source", ""),
        ("GetObject", "source", "*"),
        ("CreateMultipartUpload", "out", "*"),
        ("UploadPart", "out", "*"),
        ("CompleteMultipartUpload", "out", "*"),
        ("PutObject", "out", "*/inputs.ndjson.gz"),
    ]
    .into_iter()
    .flat_map(|(operation, bucket, key)| {
        let when = json!({"operation": operation, "bucket": bucket, "key": key, "times": 1});
        let silent = json!({"effect": "none", "send": "nothing", "end": "hang"});
        let in_body = json!({"send": {"bytes": 3}, "end": "hang"});
        [
            (
                operation,
                json!({"name": "hang", "when": when, "do": silent}),
            ),
            (
                operation,
                json!({"name": "hang", "when": when, "do": in_body}),
            ),
        ]
    })
    .collect();
    thread::scope(|scope| {
        for (operation, rule) in cases {
            scope.spawn(move || {
                let server = start();
                script(&server, json!([rule]));
                let is_multipart = operation.contains("Upload");
                let run = match is_multipart {
                    true => Run::large(&server),
                    false => Run::small(&server),
                };
                let ended = run.within(3, 1).end();
                assert_eq!(server.shared().script.fired("hang"), 1, "{rule}");
                let has_body = rule["do"]["send"]["bytes"].is_number();
                // An answer whose body matters to nobody may be a success.
                assert!(
                    ended.code == 75 || has_body && ended.code == 0,
                    "{rule}: {}",
                    ended.why()
                );
                let rollup = match is_multipart {
                    true => Run::large_rollup(),
                    false => ROLLUP.into(),
                };
                let wrong = ended.audit(&server, "o/run/", &rollup);
                assert!(wrong.is_empty(), "{rule}: {wrong:?}");
                assert!(
                    ended.took < Duration::from_millis(6500),
                    "{rule}: {:?}",
                    ended.took
                );
            });
        }
    });
}

/// Whatever hangs between claim and result leaves time for failure.json, and an upload that was begun is dropped.
#[test]
fn f108_what_hangs_past_the_deadline_is_recorded() {
    let _ = server!();
    thread::scope(|scope| {
        for (operation, key, from) in [
            ("GetObject", "*/started.json", 1),
            // The second claim, which a custom endpoint gets.
            ("PutObject", "*/started.json", 2),
            ("PutObject", "*/rollup.csv", 1),
            ("PutObject", "*/inputs.ndjson.gz", 1),
            ("CreateMultipartUpload", "*", 1),
            ("UploadPart", "*", 1),
            ("UploadPart", "*", 2),
            ("CompleteMultipartUpload", "*", 1),
            // The look at the claim right before the result.
            ("GetObject", "*/started.json", 2),
        ] {
            scope.spawn(move || {
                let server = start();
                let when = json!({"operation": operation, "bucket": "out", "key": key, "from": from, "times": 1});
                let hang = json!({"effect": "none", "send": "nothing", "end": "hang"});
                script(&server, json!([{"name": "hang", "when": when, "do": hang}]));
                let run = match operation.contains("Upload") {
                    true => Run::large(&server),
                    false => Run::small(&server),
                };
                let ended = run.within(3, 4).end();
                let name = format!("{operation} {key} {from}");
                assert_eq!(ended.code, 75, "{name}: {}", ended.why());
                ended.sound(&server);
                assert!(ended.took < Duration::from_secs(7), "{name}: {:?}", ended.took);
                let failure = server.store().object("out", "o/run/failure.json").expect(&name);
                let failure: Value = serde_json::from_slice(&failure.body).unwrap();
                assert_eq!(failure["code"], 75, "{name}");
                assert!(server.store().uploads().is_empty(), "{name}");
            });
        }
        // An abort that hangs too leaves the id of its upload in failure.json.
        scope.spawn(|| {
            let server = start();
            let hang = json!({"effect": "none", "send": "nothing", "end": "hang"});
            let hangs = |operation: &str| json!({"when": {"operation": operation}, "do": hang});
            script(
                &server,
                json!([hangs("UploadPart"), hangs("AbortMultipartUpload")]),
            );
            let ended = Run::large(&server).within(3, 4).end();
            ended.says(75, &[]);
            let failure = server.store().object("out", "o/run/failure.json").unwrap();
            let failure: Value = serde_json::from_slice(&failure.body).unwrap();
            let uploads = server.store().uploads();
            assert_eq!(failure["open_uploads"][0]["upload_id"], uploads[0].0);
        });
    });
}

#[test]
fn f114_the_loser_of_a_claim_writes_nothing() {
    let server = server!();
    script(
        &server,
        json!([{"name": "slow", "when": {"operation": "PutObject", "key": "*/started.json", "times": 1}, "do": {"delay_ms": 400}}]),
    );
    let first = Run::small(&server).start();
    wait_for(&server, Operation::PutObject, "started.json");
    let second = Run::small(&server).end();
    second.works(&server);
    first.end().says(73, &["claimed it at this moment"]);
    let failed: Vec<_> = writes(&server)
        .into_iter()
        .filter(|entry| entry.fault.is_some())
        .collect();
    assert_eq!(failed.len(), 1, "the loser's one write");
    assert_eq!(failed[0].status, Some(412));
    assert!(!has(&server, "failure.json"));
}

#[test]
fn f115_a_put_that_lands_after_the_read_back() {
    let server = server!();
    for attempts in ["1", "3"] {
        worker::furnish(&server);
        script(
            &server,
            json!([{"when": {"operation": "PutObject", "key": "*/manifest.json"},
            "do": {"effect": {"later_ms": 2500}, "send": "nothing", "end": "close"}}]),
        );
        let ended = Run::small(&server).with("S3_ATTEMPTS", attempts).end();
        ended.fails(&server, 69, &["outcome unknown", "15 minutes"]);
        assert!(!has(&server, "failure.json"), "a result may still land");
        thread::sleep(Duration::from_millis(2600));
        assert!(has(&server, "manifest.json"), "it landed");
        ended.sound(&server);
        assert!(!has(&server, "failure.json"));
    }
}

#[test]
fn f116_signals_deadline_and_drain_while_the_manifest_is_in_flight() {
    let server = server!();
    let slow = |ms: u64| json!([{"when": {"operation": "PutObject", "key": "*/manifest.json"}, "do": {"head_delay_ms": ms}}]);
    let never = json!([{"when": {"operation": "PutObject", "key": "*/manifest.json"}, "do": {"effect": "once", "send": "nothing", "end": "hang"}}]);
    let in_flight = |run: Run| {
        let running = run.start();
        wait_for(&server, Operation::PutObject, "manifest.json");
        running
    };
    for signal in ["TERM", "INT", "HUP"] {
        worker::furnish(&server);
        script(&server, slow(800));
        let running = in_flight(Run::small(&server));
        running.signal(signal);
        running.end().works(&server);
    }
    worker::furnish(&server);
    script(&server, slow(3000));
    let running = in_flight(Run::small(&server));
    running.signal("TERM");
    thread::sleep(Duration::from_millis(200));
    running.signal("TERM");
    let ended = running.end();
    ended.says(75, &["outcome unknown"]);
    assert!(ended.took < Duration::from_millis(2500), "{:?}", ended.took);
    thread::sleep(Duration::from_millis(100));
    ended.sound(&server);
    assert!(!has(&server, "failure.json"));

    worker::furnish(&server);
    script(&server, slow(2500));
    // The deadline passes while it is in flight, and no longer matters.
    in_flight(Run::small(&server).within(2, 8))
        .end()
        .works(&server);

    worker::furnish(&server);
    script(&server, never);
    let ended = in_flight(Run::small(&server).within(2, 2)).end();
    ended.says(69, &["outcome unknown"]);
    ended.sound(&server);
    assert!(!has(&server, "failure.json"));
}

#[test]
fn f117_a_claim_deleted_while_its_run_works() {
    let server = server!();
    for versioning in [false, true] {
        worker::furnish(&server);
        server.store().bucket(
            "out",
            Bucket {
                versioning,
                ..Bucket::default()
            },
        );
        script(
            &server,
            json!([{"when": {"bucket": "source", "operation": "GetObject", "times": 1}, "do": {"delay_ms": 900}}]),
        );
        let first = Run::small(&server).start();
        wait_for(&server, Operation::GetObject, "d/a.csv.gz");
        assert!(server.store().delete("out", "o/run/started.json"));
        let second = Run::small(&server).end();
        second.works(&server);
        let nonce = |server: &Server| {
            server
                .store()
                .object("out", "o/run/manifest.json")
                .map(|object| object.body)
        };
        let theirs = nonce(&server);
        first.end().says(73, &["another"]);
        assert_eq!(nonce(&server), theirs, "the second run's manifest stays");
        assert!(
            !has(&server, "failure.json"),
            "nothing of the first beside it"
        );
        second.sound(&server);

        worker::furnish(&server);
        server.store().bucket(
            "out",
            Bucket {
                versioning,
                ..Bucket::default()
            },
        );
        script(
            &server,
            json!([{"when": {"bucket": "source", "operation": "GetObject", "times": 1}, "do": {"delay_ms": 900}}]),
        );
        let alone = Run::small(&server).start();
        wait_for(&server, Operation::GetObject, "d/a.csv.gz");
        server.store().delete("out", "o/run/started.json");
        alone.end().fails(&server, 73, &["none"]);
        assert!(!has(&server, "failure.json"));
    }
}

#[test]
fn f118_each_right_that_is_missing_is_named() {
    let server = server!();
    for (right, bucket, code) in [
        ("s3:ListBucket", "out", 77),
        ("s3:PutObject", "out", 77),
        ("s3:GetObject", "out", 77),
        ("s3:ListBucket", "source", 77),
        ("s3:GetObject", "source", 77),
    ] {
        worker::furnish(&server);
        let denied = Bucket {
            denied: vec![right.into()],
            ..Bucket::default()
        };
        server.store().bucket(bucket, denied);
        let ended = Run::small(&server).end();
        ended.fails(&server, code, &[right, bucket]);
        let is_free = right != "s3:GetObject" && bucket == "out";
        assert_eq!(
            server.store().keys("out", "o/run/").is_empty(),
            is_free,
            "{right} on {bucket}"
        );
    }
    // Without ListBucket, S3 says 403 of an object that is not there; the ambiguous answer stays open and says why.
    for (key, has_claim, records) in [
        ("started.json", false, false),
        ("rollup.csv", true, true),
        ("manifest.json", true, false),
    ] {
        worker::furnish(&server);
        script(
            &server,
            json!([
                {"when": {"operation": "PutObject", "key": format!("*/{key}")}, "do": {"effect": "none", "send": "nothing", "end": "close"}},
                {"when": {"operation": "HeadObject"}, "do": {"answer": {"status": 403, "body": ""}}},
            ]),
        );
        let ended = Run::small(&server).end();
        ended.fails(
            &server,
            69,
            &["outcome unknown", "s3:GetObject", "s3:ListBucket", key],
        );
        assert_eq!(has(&server, "started.json"), has_claim, "{key}");
        assert_eq!(has(&server, "failure.json"), records, "{key}");
    }
    // AbortMultipartUpload.
    worker::furnish(&server);
    server.store().bucket(
        "out",
        Bucket {
            denied: vec!["s3:AbortMultipartUpload".into()],
            ..Bucket::default()
        },
    );
    script(
        &server,
        json!([{"when": {"operation": "UploadPart"}, "do": {"answer": {"status": 503, "code": "SlowDown"}}}]),
    );
    let ended = Run::large(&server).end();
    ended.says(69, &[]);
    assert_eq!(server.store().uploads().len(), 1);
    assert!(has(&server, "failure.json"));
}

/// SIGTERM at each request of a run: nothing but a whole result or none, and a free process at once.
#[test]
fn f102_sigterm_at_each_request() {
    let server = server!();
    Run::small(&server).end().works(&server);
    let requests = server.journal().entries();
    thread::scope(|scope| {
        for (place, request) in requests.iter().enumerate() {
            scope.spawn(move || {
                let server = start();
                script(&server, json!([{"name": "slow", "when": {"request": place + 1}, "do": {"head_delay_ms": 1500}}]));
                let began = Instant::now();
                let running = Run::small(&server).start();
                while server.shared().script.fired("slow") == 0 {
                    assert!(began.elapsed() < Duration::from_secs(20));
                    thread::sleep(Duration::from_millis(3));
                }
                thread::sleep(Duration::from_millis(50));
                running.signal("TERM");
                let ended = running.end();
                let name = worker::named(request);
                let is_result = request.operation == Operation::PutObject && request.key.ends_with("manifest.json");
                assert_eq!(ended.code, if is_result { 0 } else { 75 }, "{name}: {}", ended.why());
                ended.sound(&server);
            });
        }
    });
}

/// SIGKILL at each request (row 103), of an artifact in one piece and of one in parts: what is there says the truth, and a
/// run under a new RUN_ID works.
#[test]
fn f103_sigkill_at_each_request() {
    let server = server!();
    for run in [Run::small, Run::large] {
        worker::furnish(&server);
        let before = server.journal().entries().len();
        assert_eq!(run(&server).end().code, 0);
        let requests = server.journal().entries().split_off(before);
        for (place, request) in requests.iter().enumerate() {
            worker::furnish(&server);
            script(
                &server,
                json!([{"name": "slow", "when": {"request": place + 1}, "do": {"head_delay_ms": 300}}]),
            );
            let running = run(&server).start();
            while server.shared().script.fired("slow") == 0 {
                thread::sleep(Duration::from_millis(2));
            }
            running.signal("KILL");
            assert_eq!(running.end().code, -9);
            thread::sleep(Duration::from_millis(320));
            let name = worker::named(request);
            let is_result =
                request.operation == Operation::PutObject && request.key.ends_with("manifest.json");
            assert_eq!(has(&server, "manifest.json"), is_result, "{name}");
            assert!(!has(&server, "failure.json"), "{name}");
            if is_result {
                let verify = run(&server).verify("s3://out/o/run/manifest.json");
                assert_eq!(verify.end().code, 0, "{name}");
            }
            server.script(Vec::new()).unwrap();
            let again = run(&server).named("again").end();
            assert_eq!(again.code, 0, "{name}: {}", again.why());
        }
    }
}
