//! Operations against a scripted transport: what goes out, and what each answer becomes.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::credentials::{Keys, Secret};
use super::*;
use crate::clock::ManualClock;
use crate::config::aws::{CredentialSource, Token};
use crate::error::{Error, Kind};
use crate::http::fake::{Fake, Scripted};
use crate::http::{Failure, Until};
use crate::random::{Nonce, SystemRandomness};
use crate::stop::Stop;
use crate::store::scratch::Scratch;

pub(crate) fn stop() -> Stop {
    let clock = Arc::new(ManualClock::default());
    Stop::new(clock, Duration::from_secs(100), Duration::from_secs(10))
}

fn keys() -> Keys {
    Keys {
        id: Secret::new("AKIDCANARY"),
        secret: Secret::new("SECRETCANARY"),
        token: Some(Secret::new("TOKENCANARY")),
    }
}

/// A client of `s3://bucket` over a script.
pub(crate) fn client(script: Vec<Scripted>, side: Side, attempts: u32) -> (Client, Arc<Fake>) {
    let fake = Arc::new(Fake::scripted(script));
    let clock = Arc::new(ManualClock::default());
    clock.wall_us.store(1_369_353_600_000_000, Ordering::SeqCst);
    let source = CredentialSource::Environment(keys());
    let credentials = Arc::new(Credentials::new(source, fake.clone(), clock.clone()));
    let world = World {
        transport: fake.clone(),
        clock,
        random: Arc::new(SystemRandomness::default()),
        counters: Arc::default(),
    };
    let settings = Settings {
        endpoint: Endpoint::Custom {
            base: "http://s3".into(),
        },
        region: "us-east-1".into(),
        access: Access::Signed(credentials),
        encryption: None,
        attempts,
        side,
    };
    (Client::new(world, "bucket".into(), settings), fake)
}

pub(crate) fn nonce() -> Nonce {
    Nonce::draw(&SystemRandomness::default()).unwrap()
}

pub(crate) fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Scripted {
    let headers = headers
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    Scripted::Answer(status, headers.collect(), body.as_bytes().to_vec())
}

pub(crate) fn error(status: u16, code: &str) -> Scripted {
    let body = format!(
        "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>m</Message><RequestId>R1</RequestId><HostId>H1</HostId></Error>"
    );
    answer(status, &[], &body)
}

pub(crate) fn lost() -> Scripted {
    Scripted::Fails(Failure::lost("an answer", "a reset").sent())
}

pub(crate) fn unsent() -> Scripted {
    Scripted::Fails(Failure::lost("a connection", "refused"))
}

#[test]
fn put_sends_what_spec_7_wants() {
    let (mut client, fake) = client(
        vec![answer(200, &[("x-amz-version-id", "v1")], "")],
        Side::Output,
        1,
    );
    client.settings.encryption = Some(Encryption::Kms("arn:key".into()));
    let nonce = nonce();
    let version = client.put("a b/ü", b"hello", &nonce, &stop()).unwrap();
    assert_eq!(version.as_deref(), Some("v1"));
    let noted = fake.noted()[0].clone();
    assert_eq!(noted.line(), "PUT http://s3/bucket/a%20b/%C3%BC");
    for (name, want) in [
        ("if-none-match", "*"),
        ("x-amz-meta-windrow-nonce", nonce.as_str()),
        (
            "x-amz-checksum-sha256",
            "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=",
        ),
        (
            "x-amz-content-sha256",
            "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
        ),
        ("x-amz-server-side-encryption", "aws:kms"),
        ("x-amz-server-side-encryption-aws-kms-key-id", "arn:key"),
        ("x-amz-security-token", "TOKENCANARY"),
        ("x-amz-date", "20130524T000000Z"),
    ] {
        assert_eq!(noted.header(name), Some(want), "{name}");
    }
    let signed = noted.header("authorization").unwrap();
    assert!(signed.contains("if-none-match;x-amz-checksum-sha256;x-amz-content-sha256;x-amz-date;x-amz-meta-windrow-nonce"), "{signed}");
}

/// Each refusal: its exit code and advice on either side (FAULTS 26 to 29, 52, 118 to 120).
#[test]
fn f026_f027_f028_f029_refusals() {
    let xml = |code: &str, more: &str| {
        format!("<Error><Code>{code}</Code><Message>m</Message>{more}</Error>")
    };
    let skew =
        "<RequestTime>20130524T000000Z</RequestTime><ServerTime>2026-01-31T10:00:00Z</ServerTime>";
    let denied = "<Error><Code>AccessDenied</Code><Message>User: arn:aws:iam::1:role/r is not authorized to perform: kms:Decrypt on resource: arn:key</Message></Error>";
    for (name, status, headers, body, input, output, advice) in [
        (
            "f026 skew",
            403,
            vec![],
            xml("RequestTimeTooSkewed", skew),
            77,
            77,
            "the request says 20130524T000000Z, S3 says 2026-01-31T10:00:00Z",
        ),
        (
            "f027 signature",
            403,
            vec![],
            xml("SignatureDoesNotMatch", ""),
            77,
            77,
            "the secret key is not that of the access key",
        ),
        (
            "f027 key",
            403,
            vec![],
            xml("InvalidAccessKeyId", ""),
            77,
            77,
            "AWS_ACCESS_KEY_ID",
        ),
        (
            "f027 expired",
            400,
            vec![],
            xml("ExpiredToken", ""),
            77,
            77,
            "the session has expired",
        ),
        (
            "f118 denied",
            403,
            vec![],
            xml("AccessDenied", ""),
            77,
            77,
            "allow s3:GetObject",
        ),
        (
            "f118 denied without ListBucket",
            403,
            vec![],
            xml("AccessDenied", ""),
            77,
            77,
            "without s3:ListBucket",
        ),
        (
            "f119 KMS denied",
            403,
            vec![],
            denied.to_owned(),
            77,
            77,
            "allow kms:Decrypt to these credentials",
        ),
        (
            "f119 KMS throttled",
            400,
            vec![],
            xml("KMS.ThrottlingException", ""),
            69,
            69,
            "KMS was asked too often",
        ),
        (
            "f028 bucket",
            404,
            vec![],
            xml("NoSuchBucket", ""),
            66,
            78,
            "create the bucket",
        ),
        (
            "f029 301",
            301,
            vec![("x-amz-bucket-region", "eu-west-1")],
            xml("PermanentRedirect", ""),
            78,
            78,
            "the bucket is in eu-west-1, and us-east-1 was used",
        ),
        (
            "f029 307 elsewhere",
            307,
            vec![("location", "https://x/")],
            String::new(),
            78,
            78,
            "it points to https://x/",
        ),
        (
            "f120 malformed",
            400,
            vec![],
            xml("AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>"),
            78,
            78,
            "the bucket is in eu-west-1",
        ),
        (
            "f052 glacier",
            403,
            vec![],
            xml("InvalidObjectState", ""),
            66,
            66,
            "restore it first",
        ),
        (
            "f032 HTML of a proxy",
            502,
            vec![],
            "<html><body>Bad gateway".to_owned(),
            69,
            69,
            "raise S3_ATTEMPTS",
        ),
        (
            "f032 empty",
            503,
            vec![],
            String::new(),
            69,
            69,
            "raise S3_ATTEMPTS",
        ),
        (
            "f032 a status of its own",
            418,
            vec![],
            String::new(),
            76,
            76,
            "look at S3's message",
        ),
        (
            "f032 65 KiB",
            500,
            vec![],
            format!("<Error><Code>{}", "x".repeat(65 << 10)),
            69,
            69,
            "raise S3_ATTEMPTS",
        ),
    ] {
        for (side, code) in [(Side::Input, input), (Side::Output, output)] {
            let (client, _) = client(vec![answer(status, &headers, &body)], side, 1);
            let error = client.get("k", None, None, &stop()).unwrap_err();
            let text = error.to_string();
            assert_eq!(error.kind().exit_code(), code, "{name}: {text}");
            assert!(text.contains(advice), "{name}: {text}");
            assert!(
                text.contains("s3://bucket/k") && text.len() < 2_000,
                "{name}: {text}"
            );
            assert!(!text.contains("CANARY"), "f016 {name}: {text}");
        }
    }
}

#[test]
fn an_error_carries_the_ids_of_the_answer() {
    let (client, _) = client(vec![error(403, "AccessDenied")], Side::Output, 1);
    let error = client.get("k", None, None, &stop()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("403 AccessDenied: m (request id R1, host id H1)"),
        "{error}"
    );
}

#[test]
fn each_operation_names_its_right() {
    type Operation = fn(&Client) -> Error;
    let operations: [(&str, Operation); 6] = [
        ("s3:GetObject", |client| {
            client.head("k", &stop()).unwrap_err()
        }),
        ("s3:PutObject", |client| {
            client
                .put("k", b"", &nonce(), &stop())
                .unwrap_err()
                .into_error()
        }),
        ("s3:ListBucket", |client| {
            client.list("p/", &stop(), |_| Ok(())).unwrap_err()
        }),
        ("s3:PutObject", |client| {
            client.create_upload("k", &nonce(), &stop()).unwrap_err()
        }),
        ("s3:PutObject", |client| {
            client.upload_part("k", "u", 1, b"", &stop()).unwrap_err()
        }),
        ("s3:AbortMultipartUpload", |client| {
            client.abort_upload("k", "u", &stop()).unwrap_err()
        }),
    ];
    for (right, operation) in operations {
        let (client, _) = client(vec![answer(403, &[], "")], Side::Output, 3);
        let error = operation(&client);
        assert_eq!(error.kind(), Kind::Denied);
        assert!(
            error.to_string().contains(&format!("allow {right} ")),
            "{error}"
        );
    }
}

/// S3_ATTEMPTS: what is tried again, with a fresh signature, and what is not.
#[test]
fn f030_attempts() {
    let ok = || answer(200, &[("etag", "\"e\""), ("content-length", "0")], "");
    for (name, attempts, script, want, sent) in [
        ("first works", 3, vec![ok()], Ok(()), 1),
        (
            "503, then works",
            3,
            vec![error(503, "SlowDown"), ok()],
            Ok(()),
            2,
        ),
        (
            "429 and 500, then works",
            3,
            vec![answer(429, &[], ""), error(500, "InternalError"), ok()],
            Ok(()),
            3,
        ),
        ("lost, then works", 2, vec![lost(), ok()], Ok(()), 2),
        ("not sent, then works", 2, vec![unsent(), ok()], Ok(()), 2),
        (
            "RequestTimeout",
            2,
            vec![error(400, "RequestTimeout"), ok()],
            Ok(()),
            2,
        ),
        ("one attempt", 1, vec![error(503, "SlowDown")], Err(69), 1),
        (
            "used up",
            2,
            vec![error(503, "SlowDown"), lost()],
            Err(69),
            2,
        ),
        (
            "denied is final",
            3,
            vec![error(403, "AccessDenied")],
            Err(77),
            1,
        ),
        (
            "wrong region is final",
            3,
            vec![answer(301, &[], "")],
            Err(78),
            1,
        ),
    ] {
        let (client, fake) = client(script, Side::Output, attempts);
        // The pauses are cut short by a run that is over; the drain still has time.
        let stop = stop();
        stop.request(crate::stop::Cause::Sigterm);
        let found = client.get("k", None, None, &stop).map(drop);
        assert_eq!(
            found.map_err(|error| error.kind().exit_code()),
            want,
            "{name}"
        );
        assert_eq!((fake.noted().len(), fake.left()), (sent, 0), "{name}");
        let counts = client.counters().counts();
        assert_eq!(
            (counts.requests, counts.attempts),
            (1, u64::try_from(sent).unwrap()),
            "{name}"
        );
    }
}

/// The pause before attempt two, three …: between half and whole of what doubles, or as Retry-After asks.
#[test]
fn f030_pauses() {
    let refused = |retry_after_seconds| {
        let refusal = Refusal {
            status: 503,
            retry_after_seconds,
            ..Refusal::default()
        };
        let error = Error::new(Kind::Unavailable, "x", "x", "x", "x");
        Trouble::Refused(Box::new(refusal), error)
    };
    let (client, _) = client(vec![], Side::Input, 3);
    for (attempt, asked, least_ms, most_ms) in [
        (1, None, 100, 200),
        (2, None, 200, 400),
        (4, None, 800, 1_600),
        (30, None, 10_000, 20_000),
        (1, Some(3), 3_000, 3_000),
        (1, Some(3_600), 20_000, 20_000),
    ] {
        for _ in 0..20 {
            let pause = client
                .pause_length(attempt, Some(&refused(asked)))
                .as_millis();
            assert!(
                (least_ms..=most_ms).contains(&pause),
                "{attempt} {asked:?}: {pause}"
            );
        }
    }
}

#[test]
fn f030_a_stop_ends_the_attempts_of_what_is_read() {
    let (client, fake) = client(vec![error(503, "SlowDown")], Side::Input, 3);
    let stop = stop();
    stop.request(crate::stop::Cause::Sigterm);
    assert_eq!(
        client.get("k", None, None, &stop).unwrap_err().kind(),
        Kind::Unavailable
    );
    assert_eq!(fake.noted().len(), 1);
}

#[test]
fn reads_are_what_was_asked_for() {
    let etag = ("etag", "\"e\"");
    let part = |range: &'static str| vec![etag, ("content-range", range)];
    for (name, range, pinned, script, want) in [
        (
            "whole",
            None,
            None,
            answer(200, &[etag], "abc"),
            Ok(Some(3)),
        ),
        (
            "pinned",
            None,
            Some("\"e\""),
            answer(200, &[etag], "abc"),
            Ok(Some(3)),
        ),
        (
            "unquoted",
            None,
            Some("\"e\""),
            answer(200, &[("etag", "e")], "abc"),
            Ok(Some(3)),
        ),
        (
            "rest",
            Some(2..5),
            Some("\"e\""),
            answer(206, &part("bytes 2-4/5"), "cde"),
            Ok(Some(5)),
        ),
        ("absent", None, None, error(404, "NoSuchKey"), Ok(None)),
        (
            "f036 changed",
            None,
            Some("\"e\""),
            error(412, "PreconditionFailed"),
            Err(66),
        ),
        (
            "f036 condition ignored",
            None,
            Some("\"e\""),
            answer(200, &[("etag", "\"f\"")], "abc"),
            Err(66),
        ),
        ("f038 no ETag", None, None, answer(200, &[], "abc"), Err(76)),
        (
            "f038 weak ETag",
            None,
            None,
            answer(200, &[("etag", "W/\"e\"")], "abc"),
            Err(76),
        ),
        (
            "a stretch",
            Some(2..4),
            Some("\"e\""),
            answer(206, &part("bytes 2-3/5"), "cd"),
            Ok(Some(5)),
        ),
        (
            "f039 range ignored",
            Some(2..5),
            None,
            answer(200, &[etag], "abcde"),
            Err(76),
        ),
        (
            "f039 another range",
            Some(2..5),
            None,
            answer(206, &part("bytes 0-4/5"), "abcde"),
            Err(76),
        ),
        (
            "f039 not all of it",
            Some(2..5),
            None,
            answer(206, &part("bytes 2-3/5"), "cd"),
            Err(76),
        ),
        (
            "range unasked",
            None,
            None,
            answer(206, &part("bytes 0-4/5"), "abcde"),
            Err(76),
        ),
    ] {
        let (client, fake) = client(vec![script], Side::Input, 1);
        let found = client.get("k", range.clone(), pinned, &stop());
        let found = found
            .map(|got| got.map(|got| got.bytes))
            .map_err(|error| error.kind().exit_code());
        assert_eq!(found, want, "{name}");
        let noted = fake.noted()[0].clone();
        assert_eq!(noted.header("if-match"), pinned, "{name}");
        assert_eq!(noted.header("range").is_some(), range.is_some(), "{name}");
    }
}

#[test]
fn f132_requester_pays_and_unsigned() {
    let ok = || vec![answer(200, &[("etag", "\"e\"")], "")];
    let (mut client, fake) = client(ok(), Side::Input, 1);
    let Access::Signed(credentials) = client.settings.access.clone() else {
        panic!("signed")
    };
    client.settings.access = Access::RequesterPays(credentials);
    client.get("k", None, None, &stop()).unwrap();
    let noted = fake.noted()[0].clone();
    assert_eq!(noted.header("x-amz-request-payer"), Some("requester"));
    assert!(
        noted
            .header("authorization")
            .unwrap()
            .contains("x-amz-request-payer")
    );
    let (mut client, fake) = self::client(ok(), Side::Input, 1);
    client.settings.access = Access::Unsigned;
    client.get("k", None, None, &stop()).unwrap();
    assert!(fake.noted()[0].headers.is_empty());
}

fn page(keys: &[&str], next: Option<&str>) -> Scripted {
    let contents: String = keys
        .iter()
        .map(|key| {
            let bytes = if key.ends_with('/') { 0 } else { 5 };
            format!("<Contents><Key>{key}</Key><ETag>&quot;e&quot;</ETag><Size>{bytes}</Size></Contents>")
        })
        .collect();
    let more = match next {
        None => "<IsTruncated>false</IsTruncated>".to_owned(),
        Some(token) => format!(
            "<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>"
        ),
    };
    answer(
        200,
        &[],
        &format!(
            "<ListBucketResult>{more}<EncodingType>url</EncodingType>{contents}</ListBucketResult>"
        ),
    )
}

#[test]
fn f040_listings() {
    let long: Vec<String> = (0..1_000).map(|number| format!("p/{number:04}")).collect();
    let long: Vec<&str> = long.iter().map(String::as_str).collect();
    for (name, script, want, skipped) in [
        ("empty", vec![page(&[], None)], Ok(0), 0),
        ("one", vec![page(&["p/a"], None)], Ok(1), 0),
        ("1,000", vec![page(&long, None)], Ok(1_000), 0),
        (
            "1,001",
            vec![page(&long, Some("t+/1")), page(&["p/x"], None)],
            Ok(1_001),
            0,
        ),
        (
            "f041 markers",
            vec![page(&["p/", "p/a", "p/b/"], None)],
            Ok(1),
            2,
        ),
        (
            "truncated without a token",
            vec![page(&["p/a"], Some(""))],
            Err(76),
            0,
        ),
        (
            "the same token again",
            vec![page(&["p/a"], Some("t")), page(&["p/b"], Some("t"))],
            Err(76),
            0,
        ),
        (
            "a key of another prefix",
            vec![page(&["q/a"], None)],
            Err(76),
            0,
        ),
        (
            "a key that is not encoded",
            vec![page(&["p/%zz"], None)],
            Err(76),
            0,
        ),
        ("no XML", vec![answer(200, &[], "hello")], Err(76), 0),
        (
            "f031 an error with 200",
            vec![answer(
                200,
                &[],
                "<Error><Code>InternalError</Code></Error>",
            )],
            Err(76),
            0,
        ),
    ] {
        let (client, fake) = client(script, Side::Input, 1);
        let mut keys = Vec::new();
        let found = client.list("p/", &stop(), |listed| {
            keys.push(listed.key);
            Ok(())
        });
        let found = found
            .map(|()| keys.len())
            .map_err(|error| error.kind().exit_code());
        assert_eq!(found, want, "{name}");
        assert_eq!(client.counters().counts().markers, skipped, "{name}");
        assert_eq!(fake.left(), 0, "{name}");
        let lines: Vec<String> = fake.noted().iter().map(|noted| noted.line()).collect();
        assert_eq!(
            lines[0], "GET http://s3/bucket?encoding-type=url&list-type=2&prefix=p%2F",
            "{name}"
        );
        if name == "1,001" {
            assert_eq!(
                lines[1],
                "GET http://s3/bucket?continuation-token=t%2B%2F1&encoding-type=url&list-type=2&prefix=p%2F"
            );
        }
    }
}

#[test]
fn f041_keys_of_listings() {
    let (client, _) = client(
        vec![page(
            &[
                "p/%26%3C%3E%22",
                "p/a+b",
                "p/a%2Bb",
                "p/%25",
                "p//x",
                "p/./..",
                "p/%C3%A4%0A",
            ],
            None,
        )],
        Side::Input,
        1,
    );
    let mut keys = Vec::new();
    client
        .list("p/", &stop(), |listed| {
            keys.push(listed.key);
            Ok(())
        })
        .unwrap();
    assert_eq!(
        keys,
        [
            "p/&<>\"", "p/a b", "p/a+b", "p/%", "p//x", "p/./..", "p/ä\n"
        ]
    );
}

#[test]
fn f025_a_page_that_breaks_off_is_asked_for_again_where_allowed() {
    let cut = || Scripted::Cut(200, vec![], b"<ListBucketResult>".to_vec(), 100);
    for (attempts, script, want) in [
        (1, vec![cut()], Err(Kind::Unavailable)),
        (2, vec![cut(), page(&["p/a"], None)], Ok(())),
    ] {
        let (client, fake) = client(script, Side::Output, attempts);
        let found = client.list("p/", &stop(), |_| Ok(()));
        assert_eq!(found.map_err(|error| error.kind()), want);
        assert_eq!(fake.left(), 0);
    }
}

#[test]
fn an_upload_as_it_goes_out() {
    let created =
        "<InitiateMultipartUploadResult><UploadId>a/b+c</UploadId></InitiateMultipartUploadResult>";
    let done = "   <CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>";
    let script = vec![
        answer(200, &[], created),
        answer(200, &[("etag", "\"e<1>\"")], ""),
        answer(200, &[("x-amz-version-id", "v")], done),
    ];
    let (client, fake) = client(script, Side::Output, 1);
    let id = client.create_upload("k", &nonce(), &stop()).unwrap();
    let receipt = client.upload_part("k", &id, 7, b"hello", &stop()).unwrap();
    let end = client.complete_upload("k", &id, &[(7, receipt)], &stop());
    assert!(
        matches!(
            end,
            Uploaded::Created {
                version_id: Some(_)
            }
        ),
        "{end:?}"
    );
    let noted = fake.noted();
    let lines: Vec<String> = noted.iter().map(|noted| noted.line()).collect();
    assert_eq!(
        lines,
        [
            "POST http://s3/bucket/k?uploads=",
            "PUT http://s3/bucket/k?partNumber=7&uploadId=a%2Fb%2Bc",
            "POST http://s3/bucket/k?uploadId=a%2Fb%2Bc",
        ]
    );
    assert_eq!(noted[0].header("x-amz-checksum-algorithm"), Some("SHA256"));
    assert!(noted[0].header("x-amz-meta-windrow-nonce").is_some());
    assert_eq!(noted[1].header("if-none-match"), None);
    assert_eq!(noted[2].header("if-none-match"), Some("*"));
    assert_eq!(
        String::from_utf8_lossy(&noted[2].body),
        "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Part><PartNumber>7</PartNumber><ETag>&quot;e&lt;1&gt;&quot;</ETag><ChecksumSHA256>LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=</ChecksumSHA256></Part></CompleteMultipartUpload>"
    );
}

#[test]
fn f046_an_abort_of_what_is_gone_is_done() {
    for (status, code, want) in [
        (204, "", true),
        (404, "NoSuchUpload", true),
        (403, "AccessDenied", false),
    ] {
        let (client, _) = client(vec![error(status, code)], Side::Output, 1);
        assert_eq!(
            client.abort_upload("k", "u", &stop()).is_ok(),
            want,
            "{status}"
        );
    }
}

const URL: &str = "http://169.254.170.2/v2/credentials/x";

fn document(id: &str, expiration: &str) -> Scripted {
    let body = format!(
        "{{\"RoleArn\":\"r\",\"AccessKeyId\":\"{id}\",\"SecretAccessKey\":\"SECRETCANARY\",\"Token\":\"TOKENCANARY\",\"Expiration\":\"{expiration}\"}}"
    );
    answer(200, &[], &body)
}

fn container(
    script: Vec<Scripted>,
    token: Option<Token>,
) -> (Credentials, Arc<Fake>, Arc<ManualClock>) {
    let fake = Arc::new(Fake::scripted(script));
    let clock = Arc::new(ManualClock::default());
    // 1970-01-01T00:00:00Z and later.
    let url = URL.to_owned();
    let source = CredentialSource::Container { url, token };
    let credentials = Credentials::new(source, fake.clone(), clock.clone());
    (credentials, fake, clock)
}

#[test]
fn f010_what_the_endpoint_may_answer() {
    let good = "1970-01-01T06:00:00Z";
    let without = |field: &str| {
        let all = format!(
            "{{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"SECRETCANARY\",\"Token\":\"t\",\"Expiration\":\"{good}\"}}"
        );
        answer(200, &[], &all.replace(field, "Other"))
    };
    for (name, script, want) in [
        ("good", document("a", good), None),
        ("404", answer(404, &[], ""), Some("status 404")),
        ("500", answer(500, &[], ""), Some("status 500")),
        (
            "f014 redirect",
            answer(302, &[("location", "http://evil/")], ""),
            Some("a redirect, which is not followed"),
        ),
        (
            "never",
            Scripted::Fails(Failure::lost("a byte", "silence").sent()),
            Some("silence"),
        ),
        (
            "cut",
            Scripted::Cut(200, vec![], b"{".to_vec(), 100),
            Some("a reset"),
        ),
        (
            "65 KiB",
            answer(200, &[], &" ".repeat(65 << 10)),
            Some("more than 65536 bytes"),
        ),
        (
            "broken",
            answer(200, &[], "{\"AccessKeyId\":\"SECRETCANARY"),
            Some("no JSON object"),
        ),
        (
            "wrong type",
            answer(200, &[], "{\"AccessKeyId\":[\"SECRETCANARY\"]}"),
            Some("no JSON object"),
        ),
        ("no id", without("AccessKeyId"), Some("no JSON object")),
        (
            "no secret",
            without("SecretAccessKey"),
            Some("no JSON object"),
        ),
        ("no token", without("Token"), Some("no JSON object")),
        (
            "no expiration",
            without("Expiration"),
            Some("no JSON object"),
        ),
        (
            "no time",
            document("a", "tomorrow"),
            Some("an Expiration that is no time"),
        ),
        (
            "expired",
            document("a", "1969-12-31T23:59:59Z"),
            Some("credentials that have expired"),
        ),
        (
            "a line end in a key",
            document("a\\nb", good),
            Some("cannot be sent"),
        ),
    ] {
        let (credentials, fake, _) = container(vec![script], None);
        let found = credentials.keys(Until::Stopped, &stop());
        let text = found.as_ref().err().map(Error::to_string);
        assert_eq!(text.is_some(), want.is_some(), "{name} {text:?}");
        if let (Err(error), Some(want)) = (&found, want) {
            assert_eq!(error.kind(), Kind::Denied, "{name}");
            assert!(error.to_string().contains(want), "{name}: {error}");
        }
        assert!(
            !format!("{found:?} {credentials:?}").contains("CANARY"),
            "f016 {name}"
        );
        assert_eq!(fake.noted().len(), 1, "{name}");
    }
}

#[test]
fn f011_renewal_before_expiry_and_failures_on_either_side_of_it() {
    let script = vec![
        document("one", "1970-01-01T01:00:00Z"),
        answer(500, &[], ""),
        document("two", "1970-01-01T02:00:00Z"),
        answer(500, &[], ""),
    ];
    let (credentials, fake, clock) = container(script, None);
    for (at_second, want, asked) in [
        (0, Ok("one"), 1),
        (3_299, Ok("one"), 1),
        // Five minutes before the end: the renewal fails, and the old ones serve.
        (3_300, Ok("one"), 2),
        (3_309, Ok("one"), 2),
        (3_311, Ok("two"), 3),
        (3_600, Ok("two"), 3),
        // Past the end of the second.
        (7_200, Err(Kind::Denied), 4),
    ] {
        clock.wall_us.store(at_second * 1_000_000, Ordering::SeqCst);
        let found = credentials.keys(Until::Stopped, &stop());
        let found = found
            .as_ref()
            .map(|keys| keys.id.expose())
            .map_err(Error::kind);
        assert_eq!(found, want, "{at_second}");
        assert_eq!(fake.noted().len(), asked, "{at_second}");
    }
}

#[test]
fn f012_token_files() {
    let scratch = Scratch::new();
    let good = "1970-01-01T00:00:10Z";
    for (name, content, want) in [
        ("good", Some(&b"t0ken"[..]), true),
        ("missing", None, false),
        ("empty", Some(b""), false),
        ("LF", Some(b"t0ken\nCANARY"), false),
        ("CR", Some(b"t0ken\rCANARY"), false),
        ("final LF", Some(b"t0ken\n"), false),
        ("not UTF-8", Some(b"\xff"), false),
        ("65 KiB", Some(&[b'a'; 65 << 10]), false),
    ] {
        let path = scratch.path().join(name);
        if let Some(content) = content {
            scratch.write(name, content);
        }
        let script = vec![document("a", good)];
        let (credentials, fake, _) = container(script, Some(Token::File(path)));
        let found = credentials.keys(Until::Stopped, &stop());
        assert_eq!(found.is_ok(), want, "{name}");
        match found {
            Ok(_) => assert_eq!(fake.noted()[0].header("authorization"), Some("t0ken")),
            Err(error) => {
                assert_eq!(error.kind(), Kind::Denied, "{name}");
                assert!(!error.to_string().contains("CANARY"), "{error}");
                assert!(fake.noted().is_empty(), "{name}");
            }
        }
    }
    // Changed between two renewals.
    let path = scratch.write("changing", b"first");
    let script = vec![document("a", good), document("b", "1970-01-01T01:00:00Z")];
    let (credentials, fake, clock) = container(script, Some(Token::File(path)));
    credentials.keys(Until::Stopped, &stop()).unwrap();
    scratch.write("changing", b"second");
    clock.wall_us.store(9_500_000, Ordering::SeqCst);
    credentials.keys(Until::Stopped, &stop()).unwrap();
    let sent: Vec<_> = fake
        .noted()
        .iter()
        .map(|noted| noted.header("authorization").unwrap().to_owned())
        .collect();
    assert_eq!(sent, ["first", "second"]);
}

#[test]
fn f009_no_credentials_at_all() {
    let source = CredentialSource::Nowhere(vec!["AWS_PROFILE"]);
    let credentials = Credentials::new(
        source,
        Arc::new(Fake::default()),
        Arc::new(ManualClock::default()),
    );
    let error = credentials.keys(Until::Stopped, &stop()).unwrap_err();
    let text = error.to_string();
    assert_eq!(error.kind(), Kind::Denied);
    let places = [
        "AWS_ACCESS_KEY_ID",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_PROFILE is set",
    ];
    let found: Vec<_> = places.iter().map(|place| text.find(place)).collect();
    assert!(
        found.iter().all(Option::is_some) && found.is_sorted(),
        "{text}"
    );
}

#[test]
fn an_error_of_a_listing_is_at_what_was_listed_or_where_it_arose() {
    let (refused, _) = client(vec![error(403, "AccessDenied")], Side::Input, 1);
    let error = refused.list("p/", &stop(), |_| Ok(())).unwrap_err();
    assert!(error.to_string().contains("s3://bucket/p/:"), "{error}");
    let (mut without, _) = client(vec![], Side::Input, 1);
    let (credentials, ..) = container(vec![answer(500, &[], "")], None);
    without.settings.access = Access::Signed(Arc::new(credentials));
    let error = without.list("p/", &stop(), |_| Ok(())).unwrap_err();
    assert!(error.to_string().contains(URL), "{error}");
}
