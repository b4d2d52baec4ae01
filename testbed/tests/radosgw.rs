//! The same requests to this server and to a Ceph RADOS Gateway, which nobody here wrote: both must answer with the same
//! status and code, but for the differences that the table names. Skipped, loudly, unless the environment names the
//! gateway: `eval "$(scripts/radosgw up)"`, then `TESTBED_RADOSGW=$AWS_ENDPOINT_URL_S3 cargo test --test radosgw`.

mod common;

use common::{code, start};
use testbed::client::Client;
use testbed::digest::{base64, sha256};
use testbed::server::Settings;
use testbed::sign::Key;

/// The client for the gateway, if there is one.
fn gateway() -> Option<Client> {
    let variable = |name: &str| std::env::var(name).ok();
    let url = variable("TESTBED_RADOSGW")?;
    Some(Client {
        address: url.strip_prefix("http://")?.parse().ok()?,
        key: Some(Key {
            access_key: variable("AWS_ACCESS_KEY_ID")?,
            secret_key: variable("AWS_SECRET_ACCESS_KEY")?,
            session_token: variable("AWS_SESSION_TOKEN"),
            ..Key::default()
        }),
        region: "us-east-1".into(),
        clock_offset_seconds: 0,
    })
}

#[test]
fn the_same_answers() {
    let Some(gateway) = gateway() else {
        eprintln!("SKIPPED: TESTBED_RADOSGW names no gateway, so no other server was asked");
        return;
    };
    let (server, own) = start();
    server.shared().set(Settings::default());
    // A bucket of this run's own: the gateway keeps what earlier runs put there.
    let bucket = format!("same-{}", std::process::id());
    let good = base64(&sha256(b"body"));
    let long = "k".repeat(1025);
    let odd = "p%20q/%2B%25~%2A%27%28%29%C3%A9/..//x";
    let none: &[(&str, &str)] = &[];
    let sum: &[(&str, &str)] = &[("x-amz-checksum-sha256", &good)];
    let absent: &[(&str, &str)] = &[("if-none-match", "*")];
    for (name, method, path, headers, differs) in [
        ("create bucket", "PUT", "", none, None),
        ("put", "PUT", "/k", sum, None),
        ("put, taken", "PUT", "/k", absent, None),
        ("put, free", "PUT", "/free", absent, None),
        ("odd key", "PUT", &format!("/{odd}"), none, None),
        ("odd key again", "GET", &format!("/{odd}"), none, None),
        ("get", "GET", "/k", none, None),
        ("range", "GET", "/k", &[("range", "bytes=1-2")], None),
        (
            "range past the end",
            "GET",
            "/k",
            &[("range", "bytes=9-")],
            None,
        ),
        (
            "if-match",
            "GET",
            "/k",
            &[("if-match", "\"841a2d689ad86bd1611447453c22c6fc\"")],
            None,
        ),
        (
            "if-match other",
            "GET",
            "/k",
            &[("if-match", "\"00\"")],
            None,
        ),
        ("head", "HEAD", "/k", none, None),
        ("head, absent", "HEAD", "/none", none, None),
        ("absent", "GET", "/none", none, None),
        (
            "long key",
            "PUT",
            &format!("/{long}"),
            none,
            Some((400, "InvalidObjectName")),
        ),
        ("list", "GET", "?list-type=2&prefix=p", none, None),
        ("max-keys", "GET", "?list-type=2&max-keys=x", none, None),
        ("no upload", "DELETE", "/k?uploadId=none", none, None),
        (
            "complete nothing",
            "POST",
            "/k?uploadId=none",
            none,
            Some((500, "InternalError")),
        ),
        (
            "unsupported encryption",
            "PUT",
            "/e",
            &[("x-amz-server-side-encryption", "ROT13")],
            None,
        ),
        (
            "wrong MD5",
            "PUT",
            "/m",
            &[("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")],
            None,
        ),
        ("delete", "DELETE", "/k", none, None),
        ("delete again", "DELETE", "/k", none, None),
    ] {
        let body: &[u8] = match (method, path) {
            ("PUT", path) if !path.is_empty() => b"body",
            ("POST", _) => b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>",
            _ => b"",
        };
        let target = format!("/{bucket}{path}");
        let ours = own.send(method, &target, headers, body).unwrap();
        let theirs = gateway.send(method, &target, headers, body).unwrap();
        let seen = (code(&ours), code(&theirs));
        match differs {
            None => assert_eq!(seen.0, seen.1, "{name}"),
            Some((status, wanted)) => assert_eq!(
                seen.1,
                (status, String::from(wanted)),
                "{name}: a known difference"
            ),
        }
        if method == "GET" && ours.status < 300 && !path.starts_with('?') {
            assert_eq!(ours.text(), theirs.text(), "{name}");
            assert_eq!(ours.header("etag"), theirs.header("etag"), "{name}");
        }
    }
    for (name, change) in [
        (
            "secret",
            (|client| client.key.as_mut().unwrap().secret_key.push('x')) as fn(&mut Client),
        ),
        ("access key", |client| {
            client.key.as_mut().unwrap().access_key.push('x')
        }),
        ("clock", |client| client.clock_offset_seconds = -1000),
        ("nobody", |client| client.key = None),
    ] {
        let answers = [&own, &gateway].map(|client| {
            let mut client = client.clone();
            change(&mut client);
            code(
                &client
                    .send("GET", &format!("/{bucket}/free"), &[], b"")
                    .unwrap(),
            )
        });
        assert_eq!(answers[0].0, answers[1].0, "{name}");
        // The gateway says AccessDenied of whatever it cannot verify.
        assert!(
            answers[0] == answers[1] || answers[1].1 == "AccessDenied",
            "{name}: {answers:?}"
        );
    }
}
