//! What S3 may answer, row by row of the catalogue (FAULTS 26 to 41, 52, 111, 122, 129, 132), as the built worker meets it.
#![allow(
    clippy::disallowed_methods,
    reason = "these tests wait for the worker, and change things under it"
)]

mod worker;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use testbed::operation::Operation;
use testbed::server::Server;
use testbed::sign::Key;
use testbed::store::{Object, Settings as Bucket};
use worker::{Ended, ROLLUP, Run, count, start};

/// Ends the test where there is no worker.
macro_rules! server {
    () => {{
        if worker::worker().is_none() {
            return;
        }
        start()
    }};
}

/// One rule, as the control protocol writes it.
#[track_caller]
fn script(server: &Server, rules: Value) {
    server.script_json(&rules.to_string()).unwrap();
}

/// Waits until so many requests of an operation came to keys that end so.
#[track_caller]
fn wait_for(server: &Server, operation: Operation, end: &str, times: usize) {
    for _ in 0..3000 {
        if count(server, operation, end) >= times {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("no {operation:?} of {end}, {times} times");
}

fn rollup(server: &Server) -> Option<Vec<u8>> {
    let object = server.store().object("out", "o/run/rollup.csv")?;
    Some(object.body.to_vec())
}

fn manifest(server: &Server) -> Value {
    let object = server.store().object("out", "o/run/manifest.json").unwrap();
    serde_json::from_slice(&object.body).unwrap()
}

#[test]
fn f000_a_run_and_its_verification() {
    let server = server!();
    let run = Run::small(&server);
    run.end().works(&server);
    let told = manifest(&server);
    let entries = server.journal().entries().len();
    assert!(
        told["s3"]["requests"]
            .as_u64()
            .is_some_and(|count| count > 5 && usize::try_from(count).unwrap() <= entries),
        "{}",
        told["s3"]
    );
    let verify = run.verify("s3://out/o/run/manifest.json");
    assert_eq!(verify.end().code, 0);
    server
        .store()
        .put("out", "o/run/rollup.csv", "k,n,s\na,9,9\n");
    assert_eq!(verify.end().code, 65, "one byte of an artifact is another");
    server.store().delete("out", "o/run/rollup.csv");
    assert_eq!(verify.end().code, 65, "an artifact is gone");
    server.store().delete("out", "o/run/manifest.json");
    assert_eq!(verify.end().code, 66, "the manifest is gone");
    server.store().put("out", "o/run/manifest.json", "{}");
    // Each request of a second run under the RUN_ID is none that writes.
    server.journal().clear();
    let second = run.end();
    second.says(73, &["a finished run"]);
    assert!(worker::writes(&server).is_empty());
}

#[test]
fn f109_shards_of_a_bucket_read_their_part_and_no_more() {
    let server = server!();
    let line = |n: u64| format!("{{\"k\":\"{}\",\"v\":{n}}}\n", "w".repeat(n as usize % 97));
    let big: String = (0..24_000).map(line).collect();
    assert!(big.len() > 1 << 20);
    server.store().put("source", "s/1.ndjson", line(1));
    server.store().put("source", "s/2.ndjson", big.clone());
    server
        .store()
        .put("source", "s/3.ndjson", "none\n".to_owned() + &line(5));
    let run = Run::small(&server)
        .with("INPUT", "s3://source/s/")
        .with("INPUT_FORMAT", "ndjson")
        .without("WINDROW_CSV_HEADER")
        .with("ON_BAD_RECORD", "reject:3");
    assert_eq!(run.end().code, 0);
    let object = |key: &str| server.store().object("out", key).unwrap().body.to_vec();
    for split in ["objects", "bytes"] {
        for index in [2, 0, 1] {
            server.journal().clear();
            let shard = run
                .clone()
                .named(split)
                .with("SPLIT", split)
                .with("SHARD", &format!("{index}/3"))
                .without("WINDROW_OUTPUT_FORMAT");
            let ended = shard.end();
            assert_eq!(ended.code, 0, "{}", ended.why());
            let key = format!("o/{split}/shard-0000{index}-of-00003/manifest.json");
            let told: Value = serde_json::from_slice(&object(&key)).unwrap();
            let read = told["inputs"]["bytes"].as_u64().unwrap();
            // Its part, and what it looked through for the line ends of it.
            let got = told["s3"]["bytes_in"].as_u64().unwrap();
            assert!((read..read + (64 << 10)).contains(&got), "{read} {got}");
            if split == "bytes" {
                assert!(read.abs_diff(big.len() as u64 / 3) < 1_000, "{read}");
            }
        }
        let merge = run.merge(split, 3).named(&format!("merged-{split}"));
        let ended = merge.end();
        assert_eq!(ended.code, 0, "{}", ended.why());
        for name in ["rollup.csv", "rejected.ndjson", "inputs.ndjson.gz"] {
            let merged = object(&format!("o/merged-{split}/{name}"));
            assert!(merged == object(&format!("o/run/{name}")), "{split} {name}");
        }
        let verify = run.verify(&format!("s3://out/o/merged-{split}/manifest.json"));
        assert_eq!(verify.end().code, 0);
    }
    // A shard whose directory is all that there is of it.
    server
        .store()
        .delete("out", "o/bytes/shard-00001-of-00003/manifest.json");
    let lost = run.merge("bytes", 3).named("lost").end();
    lost.says(66, &["no manifest of shard 1, which works, or was killed"]);
}

#[test]
fn f026_clock_skew_gives_both_times() {
    let server = server!();
    let mut settings = server.shared().settings();
    settings.clock_offset_seconds = 3600;
    server.shared().set(settings);
    let ended = Run::small(&server).end();
    ended.refused(
        &server,
        77,
        &["RequestTimeTooSkewed", "the request says 20", "S3 says 20"],
    );
}

#[test]
fn f027_each_denial_has_its_own_advice() {
    let server = server!();
    let small = Run::small(&server);
    let wrong = small.clone().aws("AWS_SECRET_ACCESS_KEY", "canary-wrong");
    wrong
        .end()
        .refused(&server, 77, &["SignatureDoesNotMatch", "secret key"]);
    let unknown = small.clone().aws("AWS_ACCESS_KEY_ID", "AKIANOBODY");
    unknown
        .end()
        .refused(&server, 77, &["InvalidAccessKeyId", "AWS_ACCESS_KEY_ID"]);
    let mut settings = server.shared().settings();
    settings.keys.push(Key {
        access_key: "EXPIRED".into(),
        secret_key: "canary-expired".into(),
        session_token: Some("canary-token".into()),
        expired: true,
        ..Key::default()
    });
    settings.keys.push(Key {
        access_key: "DENIED".into(),
        secret_key: "canary-denied".into(),
        denied: vec!["*".into()],
        ..Key::default()
    });
    server.shared().set(settings);
    let expired = small
        .clone()
        .aws("AWS_ACCESS_KEY_ID", "EXPIRED")
        .aws("AWS_SECRET_ACCESS_KEY", "canary-expired")
        .aws("AWS_SESSION_TOKEN", "canary-token");
    expired
        .end()
        .refused(&server, 77, &["ExpiredToken", "expired"]);
    let denied = small
        .aws("AWS_ACCESS_KEY_ID", "DENIED")
        .aws("AWS_SECRET_ACCESS_KEY", "canary-denied");
    denied
        .end()
        .refused(&server, 77, &["AccessDenied", "allow s3:"]);
}

#[test]
fn f028_what_is_not_there() {
    let server = server!();
    let small = Run::small(&server);
    for (input, code, facts) in [
        ("s3://absent/d/", 66, ["NoSuchBucket", "s3://absent"]),
        (
            "s3://source/d/none.csv",
            66,
            ["s3://source/d/none.csv", "nothing"],
        ),
    ] {
        worker::furnish(&server);
        let ended = small.clone().with("INPUT", input).end();
        ended.says(code, &[facts[0]]);
        ended.fails(&server, code, &facts[..1]);
    }
    worker::furnish(&server);
    let no_output = small.with("OUTPUT", "s3://absent/o");
    no_output
        .end()
        .refused(&server, 78, &["NoSuchBucket", "create the bucket"]);
}

#[test]
fn f029_f120_another_region_is_named_and_not_followed() {
    let server = server!();
    server.store().bucket(
        "source",
        Bucket {
            region: Some("eu-west-1".into()),
            ..Bucket::default()
        },
    );
    let small = Run::small(&server);
    small
        .end()
        .fails(&server, 78, &["eu-west-1", "S3_INPUT_REGION"]);
    let told = small
        .clone()
        .named("run-2")
        .with("S3_INPUT_REGION", "eu-west-1")
        .end();
    assert_eq!(told.code, 0, "{}", told.why());
    for status in [301, 307] {
        worker::furnish(&server);
        let elsewhere = format!("{}/elsewhere", server.url());
        let answer = json!({"status": status, "code": "PermanentRedirect",
            "headers": {"Location": elsewhere, "x-amz-bucket-region": "ap-south-1"}});
        script(
            &server,
            json!([{"when": {"bucket": "source"}, "do": {"answer": answer}}]),
        );
        small.end().fails(&server, 78, &["ap-south-1"]);
        let asked = server.journal().entries();
        assert!(
            asked.iter().all(|entry| entry.bucket != "elsewhere"),
            "a redirect was followed"
        );
    }
}

#[test]
fn f030_a_busy_store_is_asked_again_as_often_as_allowed() {
    let server = server!();
    for (status, code, retry_after) in [
        (500, "InternalError", false),
        (502, "BadGateway", false),
        (503, "SlowDown", true),
        (503, "SlowDown", false),
        (429, "TooManyRequests", false),
        (504, "GatewayTimeout", false),
    ] {
        let mut answer = json!({"status": status, "code": code});
        if retry_after {
            answer["headers"] = json!({"Retry-After": "1"});
        }
        for (attempts, times, works) in [("1", 1, false), ("3", 2, true), ("3", 3, false)] {
            worker::furnish(&server);
            script(
                &server,
                json!([{"when": {"operation": "GetObject", "bucket": "source", "times": times}, "do": {"answer": answer}}]),
            );
            let ended = Run::small(&server).with("S3_ATTEMPTS", attempts).end();
            match works {
                true => ended.works(&server),
                false => ended.fails(&server, 69, &[&status.to_string(), "S3_ATTEMPTS"]),
            }
            let asked = count(&server, Operation::GetObject, ".csv.gz");
            assert_eq!(asked, times + usize::from(works), "{status} × {attempts}");
            if works {
                let s3 = &manifest(&server)["s3"];
                let (requests, attempts) = (s3["requests"].as_u64(), s3["attempts"].as_u64());
                assert_eq!(attempts, requests.map(|count| count + 2), "{s3}");
                if retry_after {
                    assert!(ended.took >= Duration::from_secs(2), "{:?}", ended.took);
                }
            }
        }
    }
}

#[test]
fn f032_errors_that_are_none_of_s3() {
    let server = server!();
    let html = "<html><head><title>Proxy</title></head><body>no\u{7}way</body></html>";
    for (name, answer, code) in [
        ("empty", json!({"status": 403, "body": ""}), 77),
        ("HTML", json!({"status": 502, "body": html}), 69),
        ("no XML", json!({"status": 400, "body": "}{"}), 76),
        (
            "65 KiB",
            json!({"status": 503, "body": "x".repeat(66_560)}),
            69,
        ),
        ("odd status", json!({"status": 299, "body": ""}), -1),
    ] {
        worker::furnish(&server);
        script(
            &server,
            json!([{"when": {"bucket": "source", "operation": "GetObject"}, "do": {"answer": answer}}]),
        );
        let ended = Run::small(&server).end();
        if code > 0 {
            ended.fails(&server, code, &[]);
        } else {
            assert_ne!(ended.code, 0, "{name}");
            ended.sound(&server);
        }
        assert!(ended.out.len() < 16 << 10, "{name}");
    }
    worker::furnish(&server);
    script(
        &server,
        json!([{"when": {"bucket": "source", "operation": "GetObject"},
        "do": {"answer": {"status": 403, "code": "AccessDenied"}, "send": {"bytes": 40}, "end": "close"}}]),
    );
    let cut = Run::small(&server).end();
    assert!([69, 77].contains(&cut.code), "{}", cut.why());
    cut.sound(&server);
}

#[test]
fn f033_lengths_that_do_not_hold() {
    let server = server!();
    for (name, fault, code) in [
        // Another length than was listed is another state.
        ("shorter", json!({"length": {"off": 5}, "end": "close"}), 66),
        ("absent", json!({"length": "absent"}), 76),
        ("chunked", json!({"length": "chunked"}), 76),
    ] {
        worker::furnish(&server);
        script(
            &server,
            json!([{"when": {"bucket": "source", "operation": "GetObject"}, "do": fault}]),
        );
        let ended = Run::small(&server).end();
        assert_eq!(ended.code, code, "{name}: {}", ended.why());
        ended.sound(&server);
    }
    // What is longer than said is cut off where it was said to end, which the gzip member sees.
    worker::furnish(&server);
    script(
        &server,
        json!([{"when": {"bucket": "source", "operation": "GetObject"}, "do": {"length": {"off": -3}}}]),
    );
    let longer = Run::small(&server).end();
    assert_ne!(longer.code, 0);
    longer.sound(&server);
}

#[test]
fn f025_f036_a_body_that_breaks_goes_on_in_the_same_state_or_not_at_all() {
    let server = server!();
    let cut = json!({"when": {"bucket": "source", "operation": "GetObject", "times": 1},
        "do": {"send": {"bytes": 20}, "end": "reset"}});
    script(&server, json!([cut]));
    Run::small(&server)
        .end()
        .fails(&server, 69, &["s3://source/d/a.csv.gz"]);

    worker::furnish(&server);
    script(&server, json!([cut]));
    Run::small(&server)
        .with("S3_ATTEMPTS", "2")
        .end()
        .works(&server);
    let gets = server.journal().of(Operation::GetObject);
    let second = gets
        .iter()
        .filter(|entry| entry.bucket == "source")
        .nth(1)
        .unwrap();
    assert!(second.header("if-match").is_some(), "pinned to its state");
    assert!(
        second
            .header("range")
            .is_some_and(|range| range.starts_with("bytes=")),
        "the rest only"
    );

    worker::furnish(&server);
    let slow = json!({"when": {"bucket": "source", "operation": "GetObject", "from": 1}, "do": {"delay_ms": 700}});
    script(&server, json!([cut, slow]));
    let running = Run::small(&server).with("S3_ATTEMPTS", "3").start();
    wait_for(&server, Operation::GetObject, "d/a.csv.gz", 2);
    server
        .store()
        .put("source", "d/a.csv.gz", worker::gzip("k,v\nz,7\n"));
    running
        .end()
        .fails(&server, 66, &["s3://source/d/a.csv.gz"]);
}

#[test]
fn f036_f037_changed_or_deleted_between_listing_and_reading() {
    let server = server!();
    let slow =
        json!([{"when": {"bucket": "source", "operation": "GetObject"}, "do": {"delay_ms": 700}}]);
    script(&server, slow.clone());
    let running = Run::small(&server).start();
    wait_for(&server, Operation::GetObject, "d/a.csv.gz", 1);
    server
        .store()
        .put("source", "d/a.csv.gz", worker::gzip("k,v\nz,7\n"));
    running
        .end()
        .fails(&server, 66, &["s3://source/d/a.csv.gz"]);

    worker::furnish(&server);
    script(&server, slow);
    let running = Run::small(&server).start();
    wait_for(&server, Operation::GetObject, "d/a.csv.gz", 1);
    server.store().delete("source", "d/a.csv.gz");
    running
        .end()
        .fails(&server, 66, &["s3://source/d/a.csv.gz"]);
}

#[test]
fn f038_etags_that_pin_nothing() {
    let server = server!();
    for (name, tag, works) in [
        ("missing", Value::Null, false),
        ("weak", json!("W/\"abc\""), false),
        ("another", json!("\"0123\""), false),
        ("unquoted", json!("0123"), false),
    ] {
        worker::furnish(&server);
        script(
            &server,
            json!([{"when": {"bucket": "source", "operation": "GetObject"}, "do": {"headers": {"etag": tag}}}]),
        );
        let ended = Run::small(&server).end();
        assert_eq!(ended.code == 0, works, "{name}: {}", ended.why());
        assert!([66, 76].contains(&ended.code), "{name}: {}", ended.why());
        ended.sound(&server);
    }
    worker::furnish(&server);
    script(
        &server,
        json!([{"when": {"operation": "ListObjectsV2", "bucket": "source"}, "do": {"strike": ["ETag"]}}]),
    );
    Run::small(&server)
        .end()
        .fails(&server, 76, &["strong ETag"]);
}

#[test]
fn f039_a_range_ignored_is_not_taken_for_the_rest() {
    let server = server!();
    script(
        &server,
        json!([
            {"when": {"bucket": "source", "operation": "GetObject", "times": 1}, "do": {"send": {"bytes": 20}, "end": "close"}},
            {"name": "ignored", "when": {"bucket": "source", "operation": "GetObject"}, "do": {"ignore": ["range"]}},
        ]),
    );
    let ended = Run::small(&server).with("S3_ATTEMPTS", "3").end();
    assert!(server.shared().script.fired("ignored") > 0);
    ended.fails(&server, 76, &["206"]);
}

#[test]
fn f040_listings() {
    let server = server!();
    Run::small(&server)
        .with("INPUT", "s3://source/none/")
        .end()
        .fails(&server, 66, &["s3://source/none/"]);
    let counted = |server: &Server, number: usize| {
        let ended = Run::small(server)
            .with("INPUT", "s3://source/many/")
            .within(120, 20)
            .end();
        let rollup_text = format!(
            "k,n,s\na,{},{}\nb,{number},{}\n",
            2 * number,
            4 * number,
            2 * number
        );
        assert_eq!(ended.code, 0, "{number}: {}", ended.why());
        assert!(
            ended
                .audit(server, "o/run/", rollup_text.as_bytes())
                .is_empty(),
            "{number}"
        );
        assert_eq!(manifest(server)["inputs"]["count"], number);
    };
    let mut numbers = vec![1, 1000, 1001];
    match std::env::var("WINDROW_SWEEP").is_ok_and(|text| text == "full") {
        true => numbers.push(100_000),
        false => worker::skipped("f040", "100,000 keys: WINDROW_SWEEP=full"),
    }
    for number in numbers {
        worker::furnish(&server);
        for place in 0..number {
            server
                .store()
                .put("source", &format!("many/{place:07}.csv"), worker::INPUT);
        }
        counted(&server, number);
        let listed = count(&server, Operation::ListObjectsV2, "");
        let pages = 1 + number.div_ceil(1000);
        // The journal forgets the oldest of so many requests.
        assert!(
            listed == pages || number > 10_000,
            "{listed} of {pages} pages, one of them of the output"
        );
    }
    worker::furnish(&server);
    let odd = [
        "&<>\"'",
        "é漢😀",
        "line\nend",
        "100%",
        "a+b",
        "x//y",
        "./..",
        " a  b ",
        "~",
        "*?[",
        "\u{7f}",
    ];
    for key in odd {
        server
            .store()
            .put("source", &format!("many/{key}"), worker::INPUT);
    }
    counted(&server, odd.len());
    // A page that says that there is more and not how to get it.
    worker::furnish(&server);
    for place in 0..1001 {
        server
            .store()
            .put("source", &format!("many/{place:07}.csv"), worker::INPUT);
    }
    script(
        &server,
        json!([{"when": {"operation": "ListObjectsV2", "bucket": "source"}, "do": {"strike": ["NextContinuationToken"]}}]),
    );
    Run::small(&server)
        .with("INPUT", "s3://source/many/")
        .end()
        .fails(&server, 76, &["token"]);
}

#[test]
fn f041_directory_markers_are_skipped_and_counted() {
    let server = server!();
    server.store().put("source", "d/", "");
    server.store().put("source", "d/sub/", "");
    let ended = Run::small(&server).end();
    ended.works(&server);
    assert_eq!(manifest(&server)["inputs"]["count"], 1);
    let input = ended.events.iter().find(|event| event["event"] == "input");
    assert_eq!(input.unwrap()["directory_markers_skipped"], 2);
}

#[test]
fn f052_what_must_be_paid_for_or_restored() {
    let server = server!();
    let requester_pays = Bucket {
        requester_pays: true,
        ..Bucket::default()
    };
    server.store().bucket("source", requester_pays);
    // S3 says no more than AccessDenied, so the advice names what else it may be.
    Run::small(&server).end().fails(
        &server,
        77,
        &["s3://source", "S3_INPUT_ACCESS=requester-pays"],
    );

    worker::furnish(&server);
    let headers = vec![("x-amz-storage-class".to_owned(), "GLACIER".to_owned())];
    let object = Object::new(Arc::new(worker::gzip(worker::INPUT)), headers);
    server.store().put_with("source", "d/a.csv.gz", object);
    Run::small(&server)
        .end()
        .fails(&server, 66, &["InvalidObjectState", "restore it"]);
}

#[test]
fn f111_texts_in_buckets() {
    let server = server!();
    let run = || {
        Run::small(&server)
            .without("WINDROW_QUERY")
            .with("QUERY_URI", "s3://source/q.sql")
    };
    run().end().refused(&server, 78, &["s3://source/q.sql"]);
    server.store().put(
        "source",
        "q.sql",
        "SELECT k, count(*) AS n, sum(v) AS s FROM input GROUP BY k",
    );
    run().end().works(&server);
    worker::furnish(&server);
    server
        .store()
        .put("source", "q.sql", " ".repeat((64 << 10) + 1));
    run().end().refused(&server, 78, &["s3://source/q.sql"]);
    server.store().put("source", "q.sql", "SELECT nothing");
    run().end().refused(&server, 78, &["QUERY_URI at byte 14"]);
    script(
        &server,
        json!([{"when": {"key": "q.sql"}, "do": {"answer": {"status": 403, "code": "AccessDenied"}}}]),
    );
    let denied = run().end();
    assert!([77, 78].contains(&denied.code), "{}", denied.why());
    denied.refused(&server, denied.code, &["s3://source/q.sql", "s3:GetObject"]);
    script(
        &server,
        json!([{"when": {"key": "q.sql"}, "do": {"flip": false, "headers": {"etag": null}}}]),
    );
    run().end().sound(&server);
}

#[test]
fn f122_inputs_and_outputs_that_overlap() {
    let server = server!();
    let small = Run::small(&server);
    let inside = small.clone().with("OUTPUT", "s3://source/d/out");
    inside.end().refused(&server, 78, &["OUTPUT"]);
    assert!(server.journal().entries().is_empty(), "no request before");
    let twice = small.with("INPUT", r#"["s3://source/d/", "s3://source/d/a.csv.gz"]"#);
    twice.end().fails(&server, 66, &["s3://source/d/a.csv.gz"]);
}

#[test]
fn f129_secrets_of_uris() {
    let server = server!();
    let small = Run::small(&server);
    let all = |ended: &Ended| format!("{}{}", ended.out, ended.err);
    for (name, value) in [
        (
            "WINDROW_INPUT",
            "https://any.example/x.csv?X-Amz-Signature=canary1&X-Amz-Security-Token=canary2",
        ),
        ("WINDROW_INPUT", "https://me:canary@any.example/x.csv"),
        ("WINDROW_QUERY_URI", "https://any.example/q?token=canary"),
        ("WINDROW_HEADERS", r#"{"Authorization": "Bearer canary"}"#),
        ("AWS_ENDPOINT_URL_S3", "https://me:canary@any.example"),
        ("AWS_ENDPOINT_URL_S3", "https://any.example/?key=canary"),
        ("AWS_SECRET_ACCESS_KEY", "canary\n"),
        ("AWS_SESSION_TOKEN", "canary canary"),
    ] {
        worker::furnish(&server);
        let ended = small.clone().aws(name, value).end();
        // 69: a name of .example has no address.
        assert!([69, 78].contains(&ended.code), "{name}: {}", ended.why());
        ended.sound(&server);
        assert!(!all(&ended).contains("canary"), "{name}: {}", all(&ended));
    }
}

#[test]
fn f132_inputs_of_others() {
    let server = server!();
    let public = Bucket {
        public: true,
        region: Some("eu-west-1".into()),
        ..Bucket::default()
    };
    server.store().bucket("source", public);
    let run = Run::small(&server)
        .with("S3_INPUT_ACCESS", "unsigned")
        .with("S3_INPUT_REGION", "eu-west-1");
    run.end().works(&server);
    for entry in server.journal().entries() {
        let is_signed = entry.header("x-amz-date").is_some();
        assert_eq!(
            is_signed,
            entry.bucket == "out",
            "{}",
            worker::named(&entry)
        );
    }
    worker::furnish(&server);
    run.end()
        .fails(&server, 77, &["s3://source", "S3_INPUT_ACCESS"]);
    worker::furnish(&server);
    server.store().bucket(
        "source",
        Bucket {
            requester_pays: true,
            ..Bucket::default()
        },
    );
    Run::small(&server)
        .with("S3_INPUT_ACCESS", "requester-pays")
        .end()
        .works(&server);
    assert_eq!(rollup(&server).as_deref(), Some(ROLLUP.as_bytes()));
    for entry in server.journal().entries() {
        let pays = entry.header("x-amz-request-payer").is_some();
        assert_eq!(pays, entry.bucket == "source", "{}", worker::named(&entry));
    }
}
