//! What S3's answers become (SPEC 7, rule 4), and what is read (SPEC 7, rule 8).

use std::sync::Arc;

use super::*;
use crate::http::fake::{Fake, Scripted};
use crate::s3::Side;
use crate::s3::tests::{answer, client, error, lost, nonce, stop, unsent};

fn store(script: Vec<Scripted>, side: Side, attempts: u32) -> (ObjectStore, Arc<Fake>) {
    let (client, fake) = client(script, side, attempts);
    (ObjectStore::new(client, "out/put/"), fake)
}

fn named(answer: &Answer) -> String {
    match answer {
        Answer::Created { .. } => "created".to_owned(),
        Answer::Exists => "exists".to_owned(),
        Answer::Lost(_) => "lost".to_owned(),
        Answer::Spent(_) => "spent".to_owned(),
        Answer::Refused(error) => format!("refused {}", error.kind().exit_code()),
        Answer::NotSent(error) => format!("not sent {}", error.kind().exit_code()),
    }
}

/// Answers to a PUT and to the end of an upload, and how often each was sent.
#[test]
fn f042_f043_f044_f047_answers_to_what_creates() {
    let done = "<CompleteMultipartUploadResult/>";
    let late = |code: &str| answer(200, &[], &format!("  <Error><Code>{code}</Code></Error>"));
    for (name, attempts, script, put, complete, sent) in [
        (
            "200",
            3,
            vec![answer(200, &[], done)],
            "created",
            "created",
            1,
        ),
        (
            "412",
            3,
            vec![error(412, "PreconditionFailed")],
            "exists",
            "exists",
            1,
        ),
        (
            "409",
            3,
            vec![error(409, "ConditionalRequestConflict")],
            "lost",
            "spent",
            1,
        ),
        ("answer lost", 3, vec![lost()], "lost", "lost", 1),
        (
            "408",
            3,
            vec![error(408, "RequestTimeout")],
            "lost",
            "lost",
            1,
        ),
        (
            "500",
            3,
            vec![error(500, "InternalError")],
            "lost",
            "lost",
            1,
        ),
        ("503", 3, vec![error(503, "SlowDown")], "lost", "lost", 1),
        (
            "501",
            3,
            vec![error(501, "NotImplemented")],
            "refused 76",
            "refused 76",
            1,
        ),
        (
            "501 without a code",
            3,
            vec![answer(501, &[], "")],
            "refused 76",
            "refused 76",
            1,
        ),
        (
            "403",
            3,
            vec![error(403, "AccessDenied")],
            "refused 77",
            "refused 77",
            1,
        ),
        (
            "no bucket",
            3,
            vec![error(404, "NoSuchBucket")],
            "refused 78",
            "refused 78",
            1,
        ),
        (
            "not sent, one attempt",
            1,
            vec![unsent()],
            "not sent 69",
            "not sent 69",
            1,
        ),
        (
            "not sent, then 200",
            2,
            vec![unsent(), answer(200, &[], done)],
            "created",
            "created",
            2,
        ),
        (
            "429, then 200",
            2,
            vec![answer(429, &[], ""), answer(200, &[], done)],
            "created",
            "created",
            2,
        ),
        (
            "f031 late error",
            3,
            vec![late("InternalError")],
            "lost",
            "lost",
            1,
        ),
        (
            "body cut",
            3,
            vec![Scripted::Cut(200, vec![], vec![], 10)],
            "lost",
            "lost",
            1,
        ),
    ] {
        let stop = stop();
        // The pauses are cut short by a run that is over; the drain still has time.
        stop.request(crate::stop::Cause::Sigterm);
        let clone = |script: &[Scripted]| -> Vec<Scripted> {
            let copy = |scripted: &Scripted| match scripted {
                Scripted::Answer(status, headers, body) => {
                    Scripted::Answer(*status, headers.clone(), body.clone())
                }
                Scripted::Cut(status, headers, body, length) => {
                    Scripted::Cut(*status, headers.clone(), body.clone(), *length)
                }
                Scripted::Fails(failure) => Scripted::Fails(failure.clone()),
            };
            script.iter().map(copy).collect()
        };
        let (bucket, fake) = store(clone(&script), Side::Output, attempts);
        assert_eq!(
            named(&bucket.put("k", b"x", &nonce(), &stop)),
            put,
            "{name}"
        );
        assert_eq!(fake.noted().len(), sent, "{name}");
        let (bucket, fake) = store(script, Side::Output, attempts);
        let upload = Upload {
            key: "k".into(),
            id: "u".into(),
            nonce: nonce(),
        };
        let part = Part {
            number: 1,
            bytes: 1,
            etag: "\"e\" sum=".into(),
        };
        assert_eq!(
            named(&bucket.complete(&upload, &[part], &stop)),
            complete,
            "{name}"
        );
        assert_eq!(fake.noted().len(), sent, "{name}");
    }
}

#[test]
fn f120_no_such_upload_at_the_end_is_open() {
    for (name, script, want) in [
        ("404", error(404, "NoSuchUpload"), "spent"),
        ("404 without a code", answer(404, &[], ""), "spent"),
        (
            "late",
            answer(200, &[], "<Error><Code>NoSuchUpload</Code></Error>"),
            "spent",
        ),
        (
            "late 412",
            answer(200, &[], "<Error><Code>PreconditionFailed</Code></Error>"),
            "exists",
        ),
        (
            "late 403",
            answer(200, &[], "<Error><Code>AccessDenied</Code></Error>"),
            "refused 77",
        ),
        ("white space only", answer(200, &[], "     "), "lost"),
    ] {
        let (bucket, _) = store(vec![script], Side::Output, 1);
        let upload = Upload {
            key: "k".into(),
            id: "u".into(),
            nonce: nonce(),
        };
        assert_eq!(
            named(&bucket.complete(&upload, &[], &stop())),
            want,
            "{name}"
        );
    }
}

#[test]
fn keys_are_below_the_prefix() {
    let head = answer(
        200,
        &[
            ("content-length", "5"),
            ("x-amz-meta-windrow-nonce", "n"),
            ("x-amz-version-id", "v"),
        ],
        "",
    );
    let (bucket, fake) = store(vec![head, error(404, "")], Side::Output, 1);
    let want = Head {
        bytes: 5,
        nonce: Some("n".into()),
        version_id: Some("v".into()),
    };
    assert_eq!(
        bucket.head("run/manifest.json", &stop()).unwrap(),
        Some(want)
    );
    assert_eq!(bucket.head("x", &stop()).unwrap(), None);
    assert_eq!(
        fake.noted()[0].line(),
        "HEAD http://s3/bucket/out/put/run/manifest.json"
    );
    assert_eq!(bucket.uri("run"), "s3://bucket/out/put/run");
}

#[test]
fn f053_keys_of_1024_bytes() {
    for (bytes, want, sent) in [(1_024, "created", 1), (1_025, "refused 78", 0)] {
        let (bucket, fake) = store(vec![answer(200, &[], "")], Side::Output, 1);
        let key = "k".repeat(bytes - "out/put/".len());
        assert_eq!(named(&bucket.put(&key, b"", &nonce(), &stop())), want);
        assert_eq!(fake.noted().len(), sent);
    }
}

fn page(keys: &[&str]) -> Scripted {
    let contents: String = keys
        .iter()
        .map(|key| format!("<Contents><Key>{key}</Key><ETag>\"e\"</ETag><Size>5</Size></Contents>"))
        .collect();
    answer(
        200,
        &[],
        &format!("<ListBucketResult>{contents}</ListBucketResult>"),
    )
}

#[test]
fn patterns_are_listed_by_their_fixed_part_and_in_order() {
    for (pattern, listed, keys, want) in [
        (
            "a/",
            "a%2F",
            &["out/put/a/1", "out/put/a/b/2"][..],
            &["a/1", "a/b/2"][..],
        ),
        (
            "a/*.csv",
            "a%2F",
            &["out/put/a/1.csv", "out/put/a/b/2.csv", "out/put/a/x"],
            &["a/1.csv"],
        ),
        (
            "a/p*/x-*",
            "a%2Fp",
            &["out/put/a/p1/x-1", "out/put/a/p2/y"],
            &["a/p1/x-1"],
        ),
        (
            "a/",
            "a%2F",
            &["out/put/a/c", "out/put/a/b"],
            &["a/b", "a/c"],
        ),
    ] {
        let (bucket, fake) = store(vec![page(keys)], Side::Input, 1);
        let entries = bucket
            .list(&Pattern::parse(pattern).unwrap(), &stop())
            .unwrap();
        let found: Vec<&str> = entries.iter().map(|entry| &*entry.key).collect();
        assert_eq!(found, want, "{pattern}");
        let line = fake.noted()[0].line();
        assert!(
            line.ends_with(&format!("prefix=out%2Fput%2F{listed}")),
            "{line}"
        );
    }
}

#[test]
fn one_key_is_looked_at_and_not_listed() {
    let head = |etag: &'static str| answer(200, &[("content-length", "5"), ("etag", etag)], "");
    for (name, script, want) in [
        ("there", head("\"e\""), Ok(1)),
        ("f028 absent", error(404, ""), Ok(0)),
        ("f038 weak", head("W/\"e\""), Err(76)),
        ("f118 denied", answer(403, &[], ""), Err(77)),
    ] {
        let (bucket, fake) = store(vec![script], Side::Input, 1);
        let found = bucket.list(&Pattern::parse("a/b").unwrap(), &stop());
        let found = found
            .map(|entries| entries.len())
            .map_err(|error| error.kind().exit_code());
        assert_eq!(found, want, "{name}");
        assert_eq!(fake.noted()[0].line(), "HEAD http://s3/bucket/out/put/a/b");
    }
}

/// An object of ten bytes that breaks after four, and what comes next.
#[test]
fn f025_a_body_that_breaks_goes_on_only_where_allowed_and_in_the_same_state() {
    let etag = || ("etag", "\"e\"".to_owned());
    let broken = || Scripted::Cut(200, vec![etag()], b"0123".to_vec(), 10);
    let rest = |status, tag: &str, range: &str, body: &str| {
        answer(status, &[("etag", tag), ("content-range", range)], body)
    };
    let good = || rest(206, "\"e\"", "bytes 4-9/10", "456789");
    for (name, attempts, script, want) in [
        ("one attempt", 1, vec![broken()], Err(69)),
        ("goes on", 2, vec![broken(), good()], Ok(())),
        (
            "breaks twice",
            3,
            vec![
                broken(),
                Scripted::Cut(
                    206,
                    vec![etag(), ("content-range", "bytes 4-9/10".into())],
                    b"4".to_vec(),
                    6,
                ),
                rest(206, "\"e\"", "bytes 5-9/10", "56789"),
            ],
            Ok(()),
        ),
        (
            "f036 changed",
            2,
            vec![broken(), error(412, "PreconditionFailed")],
            Err(66),
        ),
        (
            "f036 changed, condition ignored",
            2,
            vec![broken(), rest(206, "\"f\"", "bytes 4-9/10", "456789")],
            Err(66),
        ),
        (
            "f037 deleted",
            2,
            vec![broken(), error(404, "NoSuchKey")],
            Err(66),
        ),
        (
            "f039 range ignored",
            2,
            vec![broken(), rest(200, "\"e\"", "", "0123456789")],
            Err(76),
        ),
        (
            "used up",
            2,
            vec![
                broken(),
                Scripted::Cut(
                    206,
                    vec![etag(), ("content-range", "bytes 4-9/10".into())],
                    vec![],
                    6,
                ),
            ],
            Err(69),
        ),
    ] {
        let (bucket, fake) = store(script, Side::Output, attempts);
        let opened = bucket.open("k", None, &stop()).unwrap().unwrap();
        assert_eq!(opened.bytes, 10, "{name}");
        let found = opened.read_small("s3://bucket/out/put/k", 100);
        let found = found
            .map(|bytes| assert_eq!(bytes, b"0123456789", "{name}"))
            .map_err(|error| error.kind().exit_code());
        assert_eq!(found, want, "{name}");
        assert_eq!(fake.left(), 0, "{name}");
        for again in fake.noted().iter().skip(1) {
            assert_eq!(again.header("if-match"), Some("\"e\""), "{name}");
        }
    }
}
