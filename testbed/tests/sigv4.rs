//! AWS's published examples of Signature Version 4 for S3, and each way in which a signature can be wrong.
//!
//! Source: Amazon S3 API Reference, "Authenticating Requests: Using the Authorization Header" and "Using Query
//! Parameters", their examples. They give date and key, and the signatures below.

use testbed::digest::{hex, sha256};
use testbed::http::Head;
use testbed::moment::Moment;
use testbed::percent;
use testbed::sign::{Caller, Check, Key, authorization};

const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn key() -> Key {
    Key {
        access_key: "AKIAIOSFODNN7EXAMPLE".into(),
        secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
        ..Key::default()
    }
}

fn example(method: &str, path: &str, query: &str, more: &[(&str, &str)], payload: &str) -> Head {
    let mut headers = vec![(
        "host".to_owned(),
        "examplebucket.s3.amazonaws.com".to_owned(),
    )];
    headers.extend(
        more.iter()
            .map(|(name, value)| ((*name).into(), (*value).into())),
    );
    headers.push(("x-amz-content-sha256".into(), payload.into()));
    headers.push(("x-amz-date".into(), "20130524T000000Z".into()));
    Head {
        method: method.into(),
        path: path.into(),
        query: query.into(),
        headers,
    }
}

fn check(head: &Head, body: &[u8], keys: &[Key], now: &str) -> Result<Caller, (u16, String)> {
    Check {
        head,
        path: &percent::decode_text(&head.path).unwrap(),
        query: &percent::query(&head.query).unwrap(),
        body,
        keys,
        region: "us-east-1",
        now: Moment::from_basic(now).unwrap(),
    }
    .caller()
    .map_err(|refusal| (refusal.status, refusal.code))
}

#[test]
fn published_examples() {
    let body = b"Welcome to Amazon S3.";
    let body_hash = hex(&sha256(body));
    for (name, head, body, signature) in [
        (
            "GET Object",
            example("GET", "/test.txt", "", &[("range", "bytes=0-9")], EMPTY),
            &b""[..],
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            "PUT Object",
            example(
                "PUT",
                "/test%24file.text",
                "",
                &[
                    ("date", "Fri, 24 May 2013 00:00:00 GMT"),
                    ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
                ],
                &body_hash,
            ),
            body,
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            "GET Bucket Lifecycle",
            example("GET", "/", "lifecycle", &[], EMPTY),
            b"",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            "Get Bucket (List Objects)",
            example("GET", "/", "max-keys=2&prefix=J", &[], EMPTY),
            b"",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ] {
        let path = percent::decode_text(&head.path).unwrap();
        let query = percent::query(&head.query).unwrap();
        let text = authorization(&head, &path, &query, &key(), "us-east-1");
        assert!(
            text.ends_with(&format!("Signature={signature}")),
            "{name}: {text}"
        );
        let mut signed = head.clone();
        signed.headers.push(("authorization".into(), text));
        let caller = check(&signed, body, &[key()], "20130524T001400Z");
        assert!(matches!(caller, Ok(Caller::Key(_))), "{name}: {caller:?}");
    }
}

#[test]
fn published_presigned_url() {
    let query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
                 &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
                 &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    let head = Head {
        method: "GET".into(),
        path: "/test.txt".into(),
        query: query.into(),
        headers: vec![("host".into(), "examplebucket.s3.amazonaws.com".into())],
    };
    assert!(check(&head, b"", &[key()], "20130524T235959Z").is_ok());
    let late = check(&head, b"", &[key()], "20130525T000001Z").unwrap_err();
    assert_eq!(late, (403, "AccessDenied".into()));
}

#[test]
fn wrong_in_one_thing() {
    let signed = |head: Head, key: &Key, region: &str| {
        let path = percent::decode_text(&head.path).unwrap();
        let text = authorization(
            &head,
            &path,
            &percent::query(&head.query).unwrap(),
            key,
            region,
        );
        let mut head = head;
        head.headers.push(("authorization".into(), text));
        head
    };
    let good = || example("GET", "/k", "", &[], EMPTY);
    let with = |name: &str, value: &str| {
        let mut head = signed(good(), &key(), "us-east-1");
        head.headers.push((name.into(), value.into()));
        head
    };
    let without = |name: &str| {
        let mut head = signed(good(), &key(), "us-east-1");
        head.headers.retain(|(known, _)| known != name);
        head
    };
    let replaced = |name: &str, value: &str| {
        let mut head = without(name);
        head.headers.push((name.into(), value.into()));
        head
    };
    let other_secret = Key {
        secret_key: "other".into(),
        ..key()
    };
    let unknown = Key {
        access_key: "AKIAUNKNOWN".into(),
        ..key()
    };
    let temporary = Key {
        session_token: Some("token".into()),
        ..key()
    };
    let expired = Key {
        expired: true,
        ..temporary.clone()
    };
    let token = |value: &str| example("GET", "/k", "", &[("x-amz-security-token", value)], EMPTY);
    let on_time = "20130524T000000Z";
    for (name, head, body, keys, now, want) in [
        (
            "right",
            signed(good(), &key(), "us-east-1"),
            "",
            key(),
            on_time,
            None,
        ),
        (
            "secret",
            signed(good(), &other_secret, "us-east-1"),
            "",
            key(),
            on_time,
            Some((403, "SignatureDoesNotMatch")),
        ),
        (
            "key",
            signed(good(), &unknown, "us-east-1"),
            "",
            key(),
            on_time,
            Some((403, "InvalidAccessKeyId")),
        ),
        (
            "region",
            signed(good(), &key(), "eu-west-1"),
            "",
            key(),
            on_time,
            Some((400, "AuthorizationHeaderMalformed")),
        ),
        (
            "15 minutes",
            signed(good(), &key(), "us-east-1"),
            "",
            key(),
            "20130524T001500Z",
            None,
        ),
        (
            "a second more",
            signed(good(), &key(), "us-east-1"),
            "",
            key(),
            "20130524T001501Z",
            Some((403, "RequestTimeTooSkewed")),
        ),
        (
            "from the future",
            signed(good(), &key(), "us-east-1"),
            "",
            key(),
            "20130523T234459Z",
            Some((403, "RequestTimeTooSkewed")),
        ),
        (
            "body",
            signed(good(), &key(), "us-east-1"),
            "x",
            key(),
            on_time,
            Some((400, "XAmzContentSHA256Mismatch")),
        ),
        (
            "unsigned header",
            with("x-amz-meta-a", "1"),
            "",
            key(),
            on_time,
            Some((403, "AccessDenied")),
        ),
        (
            "another host",
            replaced("host", "elsewhere"),
            "",
            key(),
            on_time,
            Some((403, "SignatureDoesNotMatch")),
        ),
        (
            "no date",
            without("x-amz-date"),
            "",
            key(),
            on_time,
            Some((403, "AccessDenied")),
        ),
        (
            "no payload hash",
            without("x-amz-content-sha256"),
            "",
            key(),
            on_time,
            Some((400, "InvalidRequest")),
        ),
        (
            "version 2",
            replaced("authorization", "AWS AKIA:xyz"),
            "",
            key(),
            on_time,
            Some((400, "InvalidRequest")),
        ),
        (
            "token",
            signed(token("token"), &temporary, "us-east-1"),
            "",
            temporary.clone(),
            on_time,
            None,
        ),
        (
            "other token",
            signed(token("other"), &temporary, "us-east-1"),
            "",
            temporary.clone(),
            on_time,
            Some((400, "InvalidToken")),
        ),
        (
            "no token",
            signed(good(), &temporary, "us-east-1"),
            "",
            temporary.clone(),
            on_time,
            Some((403, "InvalidAccessKeyId")),
        ),
        (
            "token of no use",
            signed(token("token"), &key(), "us-east-1"),
            "",
            key(),
            on_time,
            Some((400, "InvalidToken")),
        ),
        (
            "expired",
            signed(token("token"), &temporary, "us-east-1"),
            "",
            expired,
            on_time,
            Some((400, "ExpiredToken")),
        ),
    ] {
        let got = check(&head, body.as_bytes(), &[keys], now).err();
        assert_eq!(
            got,
            want.map(|(status, code)| (status, code.to_owned())),
            "{name}"
        );
    }
}
