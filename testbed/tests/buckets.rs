//! Buckets whose settings refuse or demand something, and listings of them.

mod common;

use common::{code, refused, start};
use testbed::client::Client;
use testbed::store::{Conditions, Settings as Bucket};

#[test]
fn buckets_of_all_sorts() {
    let (server, client) = start();
    let nobody = Client {
        key: None,
        ..client.clone()
    };
    let sse = ("x-amz-server-side-encryption", "aws:kms");
    let absent = ("if-none-match", "*");
    let pays = ("x-amz-request-payer", "requester");
    let denied = |action: &str| Bucket {
        denied: vec![action.into()],
        ..Bucket::default()
    };
    let settings = Bucket::default();
    for (name, client, settings, method, target, headers, want) in [
        (
            "private",
            &nobody,
            settings.clone(),
            "GET",
            "/b/k",
            vec![],
            refused(403, "AccessDenied"),
        ),
        (
            "public",
            &nobody,
            Bucket {
                public: true,
                ..settings.clone()
            },
            "GET",
            "/b/k",
            vec![],
            refused(200, ""),
        ),
        (
            "public list",
            &nobody,
            Bucket {
                public: true,
                ..settings.clone()
            },
            "GET",
            "/b?list-type=2",
            vec![],
            refused(200, ""),
        ),
        (
            "public PUT",
            &nobody,
            Bucket {
                public: true,
                ..settings.clone()
            },
            "PUT",
            "/b/n",
            vec![],
            refused(403, "AccessDenied"),
        ),
        (
            "pays not",
            &client,
            Bucket {
                requester_pays: true,
                ..settings.clone()
            },
            "GET",
            "/b/k",
            vec![],
            refused(403, "AccessDenied"),
        ),
        (
            "pays",
            &client,
            Bucket {
                requester_pays: true,
                ..settings.clone()
            },
            "GET",
            "/b/k",
            vec![pays],
            refused(200, ""),
        ),
        (
            "region",
            &client,
            Bucket {
                region: Some("eu-west-1".into()),
                ..settings.clone()
            },
            "GET",
            "/b/k",
            vec![],
            refused(400, "AuthorizationHeaderMalformed"),
        ),
        (
            "no encryption",
            &client,
            Bucket {
                demand_sse: Some("aws:kms".into()),
                ..settings.clone()
            },
            "PUT",
            "/b/n",
            vec![],
            refused(403, "AccessDenied"),
        ),
        (
            "encryption",
            &client,
            Bucket {
                demand_sse: Some("aws:kms".into()),
                ..settings.clone()
            },
            "PUT",
            "/b/n",
            vec![sse],
            refused(200, ""),
        ),
        (
            "no condition",
            &client,
            Bucket {
                demand_if_none_match: true,
                ..settings.clone()
            },
            "PUT",
            "/b/m",
            vec![],
            refused(403, "AccessDenied"),
        ),
        (
            "condition",
            &client,
            Bucket {
                demand_if_none_match: true,
                ..settings.clone()
            },
            "PUT",
            "/b/m",
            vec![absent],
            refused(200, ""),
        ),
        (
            "ignored",
            &client,
            Bucket {
                conditions: Conditions::Ignored,
                ..settings.clone()
            },
            "PUT",
            "/b/k",
            vec![absent],
            refused(200, ""),
        ),
        (
            "refused",
            &client,
            Bucket {
                conditions: Conditions::Refused,
                ..settings.clone()
            },
            "PUT",
            "/b/o",
            vec![absent],
            refused(501, "NotImplemented"),
        ),
        (
            "locked",
            &client,
            Bucket {
                object_lock: true,
                ..settings.clone()
            },
            "PUT",
            "/b/o",
            vec![],
            refused(400, "InvalidRequest"),
        ),
        (
            "may not get",
            &client,
            denied("s3:GetObject"),
            "GET",
            "/b/k",
            vec![],
            refused(403, "AccessDenied"),
        ),
        (
            "may not put",
            &client,
            denied("s3:PutObject"),
            "PUT",
            "/b/o",
            vec![],
            refused(403, "AccessDenied"),
        ),
        (
            "may not list, absent",
            &client,
            denied("s3:ListBucket"),
            "GET",
            "/b/none",
            vec![],
            refused(403, "AccessDenied"),
        ),
        (
            "may not list, there",
            &client,
            denied("s3:ListBucket"),
            "GET",
            "/b/k",
            vec![],
            refused(200, ""),
        ),
        (
            "may not abort",
            &client,
            denied("s3:AbortMultipartUpload"),
            "DELETE",
            "/b/k?uploadId=u",
            vec![],
            refused(403, "AccessDenied"),
        ),
    ] {
        server.store().put("b", "k", "x");
        server.store().bucket("b", settings);
        let body: &[u8] = if method == "PUT" { b"body" } else { b"" };
        let answer = client.send(method, target, &headers, body).unwrap();
        assert_eq!(code(&answer), want, "{name}");
    }
}

#[test]
fn pages() {
    let (server, client) = start();
    for number in 0..1001 {
        server.store().put("b", &format!("p/{number:04}"), "");
    }
    for odd in ["p/a b+c&<d>\"~*é%", "q/x"] {
        server.store().put("b", odd, "xyz");
    }
    let first = client
        .send(
            "GET",
            "/b?encoding-type=url&list-type=2&prefix=p%2F",
            &[],
            b"",
        )
        .unwrap();
    assert_eq!(
        first.element("KeyCount").as_deref(),
        Some("1000"),
        "{}",
        first.text()
    );
    assert_eq!(first.element("IsTruncated").as_deref(), Some("true"));
    let token = first
        .element("NextContinuationToken")
        .unwrap()
        .replace('=', "%3D")
        .replace('+', "%2B")
        .replace('/', "%2F");
    let target = format!("/b?continuation-token={token}&encoding-type=url&list-type=2&prefix=p%2F");
    let second = client.send("GET", &target, &[], b"").unwrap();
    assert_eq!(second.element("IsTruncated").as_deref(), Some("false"));
    assert_eq!(second.element("Key").as_deref(), Some("p/1000"));
    assert!(
        second
            .text()
            .contains("<Key>p/a+b%2Bc%26%3Cd%3E%22%7E*%C3%A9%25</Key>"),
        "{}",
        second.text()
    );
    let plain = client
        .send("GET", "/b?list-type=2&start-after=p%2F1000", &[], b"")
        .unwrap();
    assert!(
        plain
            .text()
            .contains("<Key>p/a b+c&amp;&lt;d&gt;&quot;~*é%</Key>"),
        "{}",
        plain.text()
    );
    assert!(plain.text().contains("<Key>q/x</Key>"));
    let folders = client
        .send("GET", "/b?delimiter=%2F&list-type=2&max-keys=1", &[], b"")
        .unwrap();
    assert!(
        folders
            .text()
            .contains("<CommonPrefixes><Prefix>p/</Prefix>"),
        "{}",
        folders.text()
    );
    let token = folders
        .element("NextContinuationToken")
        .unwrap()
        .replace('=', "%3D");
    let target = format!("/b?continuation-token={token}&delimiter=%2F&list-type=2&max-keys=1");
    let folders = client.send("GET", &target, &[], b"").unwrap();
    assert!(
        folders.text().contains("<Prefix>q/</Prefix>")
            && !folders.text().contains("<NextContinuationToken>")
    );
}
