//! The server as S3: what each operation answers, asked by a raw client.

mod common;

use std::thread;

use common::{code, refused, start};
use testbed::client::Client;
use testbed::digest::{base64, sha256};
use testbed::server::Settings;
use testbed::sign::Key;
use testbed::store::{Object, Settings as Bucket};

#[test]
fn objects_come_back() {
    let (_server, client) = start();
    let digest = base64(&sha256(b"hello"));
    let headers = [
        ("x-amz-checksum-sha256", digest.as_str()),
        ("x-amz-meta-nonce", "n1"),
        ("content-type", "text/csv"),
    ];
    let put = client
        .send("PUT", "/b/p/k%20%2B%C3%A9", &headers, b"hello")
        .unwrap();
    assert_eq!(put.status, 200, "{}", put.text());
    assert_eq!(
        put.header("etag"),
        Some("\"5d41402abc4b2a76b9719d911017c592\"")
    );
    assert_eq!(put.header("x-amz-checksum-sha256"), Some(digest.as_str()));
    assert_eq!(put.header("x-amz-server-side-encryption"), Some("AES256"));
    let get = client
        .send(
            "GET",
            "/b/p/k%20%2B%C3%A9",
            &[("x-amz-checksum-mode", "ENABLED")],
            b"",
        )
        .unwrap();
    assert_eq!((get.status, get.text().as_str()), (200, "hello"));
    assert_eq!(get.header("x-amz-meta-nonce"), Some("n1"));
    assert_eq!(get.header("x-amz-checksum-sha256"), Some(digest.as_str()));
    let head = client.send("HEAD", "/b/p/k%20%2B%C3%A9", &[], b"").unwrap();
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, Some("5"))
    );
    let part = client
        .send("GET", "/b/p/k%20%2B%C3%A9", &[("range", "bytes=1-2")], b"")
        .unwrap();
    assert_eq!(
        (
            part.status,
            part.text().as_str(),
            part.header("content-range")
        ),
        (206, "el", Some("bytes 1-2/5"))
    );
    let etag = put.header("etag").unwrap();
    for (name, headers, want) in [
        ("if-match", vec![("if-match", etag)], refused(200, "")),
        (
            "if-match other",
            vec![("if-match", "\"other\"")],
            refused(412, "PreconditionFailed"),
        ),
        (
            "range past the end",
            vec![("range", "bytes=5-")],
            refused(416, "InvalidRange"),
        ),
    ] {
        let answer = client
            .send("GET", "/b/p/k%20%2B%C3%A9", &headers, b"")
            .unwrap();
        assert_eq!(code(&answer), want, "{name}");
    }
}

#[test]
fn refusals() {
    let (server, client) = start();
    server.store().put("b", "k", "x");
    let cold = Object::new(
        b"x".to_vec().into(),
        vec![("x-amz-storage-class".into(), "GLACIER".into())],
    );
    server.store().put_with("b", "cold", cold);
    let long = format!("/b/{}", "k".repeat(1025));
    let other = base64(&sha256(b"other"));
    let cut = client.region.clone() + "x";
    for (name, method, target, headers, want) in [
        (
            "no key",
            "GET",
            "/b/none",
            vec![],
            refused(404, "NoSuchKey"),
        ),
        (
            "no bucket",
            "GET",
            "/none/k",
            vec![],
            refused(404, "NoSuchBucket"),
        ),
        (
            "glacier",
            "GET",
            "/b/cold",
            vec![],
            refused(403, "InvalidObjectState"),
        ),
        (
            "no version",
            "GET",
            "/b/k?versionId=v",
            vec![],
            refused(404, "NoSuchVersion"),
        ),
        (
            "taken",
            "PUT",
            "/b/k",
            vec![("if-none-match", "*")],
            refused(412, "PreconditionFailed"),
        ),
        (
            "odd condition",
            "PUT",
            "/b/k",
            vec![("if-none-match", "\"e\"")],
            refused(501, "NotImplemented"),
        ),
        (
            "checksum",
            "PUT",
            "/b/l",
            vec![("x-amz-checksum-sha256", other.as_str())],
            refused(400, "BadDigest"),
        ),
        (
            "no checksum",
            "PUT",
            "/b/l",
            vec![("x-amz-checksum-sha256", "AAAA")],
            refused(400, "InvalidRequest"),
        ),
        (
            "MD5",
            "PUT",
            "/b/l",
            vec![("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")],
            refused(400, "BadDigest"),
        ),
        (
            "long key",
            "PUT",
            long.as_str(),
            vec![],
            refused(400, "KeyTooLongError"),
        ),
        (
            "encryption",
            "PUT",
            "/b/l",
            vec![("x-amz-server-side-encryption", "ROT13")],
            refused(400, "InvalidArgument"),
        ),
        (
            "tagging",
            "PUT",
            "/b/k?tagging",
            vec![],
            refused(501, "NotImplemented"),
        ),
        (
            "no upload",
            "DELETE",
            "/b/k?uploadId=u",
            vec![],
            refused(404, "NoSuchUpload"),
        ),
        (
            "token",
            "GET",
            "/b?list-type=2&continuation-token=%21",
            vec![],
            refused(400, "InvalidArgument"),
        ),
    ] {
        let body: &[u8] = if method == "PUT" { b"body" } else { b"" };
        let answer = client.send(method, target, &headers, body).unwrap();
        assert_eq!(code(&answer), want, "{name}");
        assert!(
            answer.element("RequestId").is_some() && answer.element("HostId").is_some(),
            "{name}"
        );
    }
    let elsewhere = Client {
        region: cut,
        ..client.clone()
    };
    let answer = elsewhere.send("GET", "/b/k", &[], b"").unwrap();
    assert_eq!(
        (code(&answer), answer.element("Region")),
        (
            refused(400, "AuthorizationHeaderMalformed"),
            Some("us-east-1".into())
        )
    );
    let late = Client {
        clock_offset_seconds: -901,
        ..client.clone()
    };
    let answer = late.send("GET", "/b/k", &[], b"").unwrap();
    assert_eq!(code(&answer), refused(403, "RequestTimeTooSkewed"));
    assert!(answer.element("RequestTime").is_some() && answer.element("ServerTime").is_some());
    let head = client.send("HEAD", "/b/none", &[], b"").unwrap();
    assert_eq!(
        (head.status, head.header("transfer-encoding")),
        (404, Some("chunked")),
        "an error without a body"
    );
}

#[test]
fn versions_and_markers() {
    let (server, client) = start();
    server.store().bucket(
        "b",
        Bucket {
            versioning: true,
            ..Bucket::default()
        },
    );
    let first = client
        .send("PUT", "/b/k", &[("if-none-match", "*")], b"1")
        .unwrap();
    let id = first.header("x-amz-version-id").unwrap().to_owned();
    assert_eq!(
        client
            .send("PUT", "/b/k", &[("if-none-match", "*")], b"2")
            .unwrap()
            .status,
        412
    );
    let gone = client.send("DELETE", "/b/k", &[], b"").unwrap();
    assert_eq!(
        (gone.status, gone.header("x-amz-delete-marker")),
        (204, Some("true"))
    );
    let absent = client.send("GET", "/b/k", &[], b"").unwrap();
    assert_eq!(
        (code(&absent), absent.header("x-amz-delete-marker")),
        (refused(404, "NoSuchKey"), Some("true"))
    );
    let old = client
        .send("GET", &format!("/b/k?versionId={id}"), &[], b"")
        .unwrap();
    assert_eq!(old.text(), "1");
    assert_eq!(
        client
            .send("PUT", "/b/k", &[("if-none-match", "*")], b"3")
            .unwrap()
            .status,
        200,
        "a marker is no object"
    );
}

#[test]
fn one_of_eight_wins() {
    let (server, client) = start();
    for round in 0..50 {
        let target = format!("/b/claim{round}");
        let won: usize = thread::scope(|scope| {
            let racers: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        client
                            .send("PUT", &target, &[("if-none-match", "*")], b"claim")
                            .unwrap()
                            .status
                    })
                })
                .collect();
            racers
                .into_iter()
                .map(|racer| usize::from(racer.join().unwrap() == 200))
                .sum()
        });
        assert_eq!(won, 1, "round {round}");
    }
    assert_eq!(server.store().keys("b", "claim").len(), 50);
}

#[test]
fn virtual_hosts_and_tokens() {
    let (server, client) = start();
    server.store().put("b", "k", "x");
    let answer = client
        .send(
            "GET",
            "/k",
            &[("host", "b.s3.us-east-1.amazonaws.com")],
            b"",
        )
        .unwrap();
    assert_eq!(answer.text(), "x");
    let temporary = Key {
        session_token: Some("token/+=".into()),
        ..client.key.clone().unwrap()
    };
    server.shared().set(Settings {
        keys: vec![temporary.clone()],
        ..Settings::default()
    });
    assert_eq!(
        code(&client.send("GET", "/b/k", &[], b"").unwrap()),
        refused(403, "InvalidAccessKeyId")
    );
    let client = Client {
        key: Some(temporary),
        ..client
    };
    assert_eq!(client.send("GET", "/b/k", &[], b"").unwrap().text(), "x");
}

#[test]
fn the_agent_of_a_task() {
    let (server, client) = start();
    let nobody = Client {
        key: None,
        ..client
    };
    let mut settings = Settings::default();
    settings.task.token = Some("open".into());
    settings.task.without = vec!["Expiration".into()];
    server.shared().set(settings);
    assert_eq!(
        nobody
            .send("GET", "/~ecs/credentials", &[], b"")
            .unwrap()
            .status,
        401
    );
    let answer = nobody
        .send(
            "GET",
            "/~ecs/credentials",
            &[("authorization", "open")],
            b"",
        )
        .unwrap();
    let document: serde_json::Value = serde_json::from_str(&answer.text()).unwrap();
    assert_eq!(document["AccessKeyId"], "TESTBEDACCESSKEY0001");
    assert!(document.get("Expiration").is_none());
    let task = nobody.send("GET", "/~ecs/v4/task", &[], b"").unwrap();
    assert!(task.text().contains("\"LaunchType\":\"FARGATE\""));
}
