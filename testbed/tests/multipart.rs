//! Uploads in parts: what Complete refuses, what it makes, and what stays when it refuses.

mod common;

use common::{code, refused, start};
use testbed::client::{Answer, Client};
use testbed::digest::{base64, sha256};

fn created(client: &Client) -> String {
    let headers = [
        ("x-amz-checksum-algorithm", "SHA256"),
        ("x-amz-meta-nonce", "n"),
    ];
    let answer = client
        .send("POST", "/b/big?uploads", &headers, b"")
        .unwrap();
    answer.element("UploadId").unwrap()
}

fn part(client: &Client, id: &str, number: u32, body: &[u8]) -> String {
    let digest = base64(&sha256(body));
    let target = format!("/b/big?partNumber={number}&uploadId={id}");
    let answer = client
        .send("PUT", &target, &[("x-amz-checksum-sha256", &digest)], body)
        .unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let etag = answer.header("etag").unwrap().replace('"', "&quot;");
    format!(
        "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag><ChecksumSHA256>{digest}</ChecksumSHA256></Part>"
    )
}

fn complete(client: &Client, id: &str, parts: &str, headers: &[(&str, &str)]) -> Answer {
    let body = format!(
        "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{parts}</CompleteMultipartUpload>"
    );
    client
        .send(
            "POST",
            &format!("/b/big?uploadId={id}"),
            headers,
            body.as_bytes(),
        )
        .unwrap()
}

#[test]
fn multipart() {
    let (server, client) = start();
    let id = created(&client);
    let (one, two) = (
        part(&client, &id, 1, b"12345"),
        part(&client, &id, 2, b"67"),
    );
    let small = part(&client, &id, 3, b"8");
    let without = one.replace("ChecksumSHA256", "Other");
    for (name, parts, want) in [
        (
            "order",
            format!("{two}{one}"),
            refused(400, "InvalidPartOrder"),
        ),
        (
            "unknown part",
            one.replace(">1<", ">7<"),
            refused(400, "InvalidPart"),
        ),
        (
            "ETag",
            two.replace("&quot;", "&quot;0"),
            refused(400, "InvalidPart"),
        ),
        (
            "small in the middle",
            format!("{one}{two}{small}"),
            refused(400, "EntityTooSmall"),
        ),
        ("no checksum", without, refused(400, "InvalidRequest")),
        ("no part", String::new(), refused(400, "MalformedXML")),
        ("broken", "<Part>".into(), refused(400, "MalformedXML")),
    ] {
        assert_eq!(code(&complete(&client, &id, &parts, &[])), want, "{name}");
    }
    let done = complete(
        &client,
        &id,
        &format!("{one}{two}"),
        &[("if-none-match", "*")],
    );
    assert_eq!(done.status, 200, "{}", done.text());
    let composite = [sha256(b"12345"), sha256(b"67")].concat();
    let composite = format!("{}-2", base64(&sha256(&composite)));
    assert_eq!(done.element("ChecksumSHA256"), Some(composite.clone()));
    assert!(done.element("ETag").unwrap().ends_with("-2\""));
    let object = server.store().object("b", "big").unwrap();
    assert_eq!(object.body.as_slice(), b"1234567");
    assert_eq!(
        (
            object.header("x-amz-meta-nonce"),
            object.checksum.as_ref().unwrap().1.clone()
        ),
        (Some("n"), composite)
    );
    assert_eq!(
        code(&complete(&client, &id, &one, &[])),
        refused(404, "NoSuchUpload"),
        "completed once"
    );

    let id = created(&client);
    let one = part(&client, &id, 1, b"other");
    assert_eq!(
        code(&complete(&client, &id, &one, &[("if-none-match", "*")])),
        refused(412, "PreconditionFailed")
    );
    let listed = client.send("GET", "/b?uploads", &[], b"").unwrap();
    assert_eq!(
        listed.element("UploadId"),
        Some(id.clone()),
        "a Complete refused leaves the upload"
    );
    let unsummed = client
        .send(
            "PUT",
            &format!("/b/big?partNumber=2&uploadId={id}"),
            &[],
            b"x",
        )
        .unwrap();
    assert_eq!(code(&unsummed), refused(400, "InvalidRequest"));
    for number in ["0", "10001", "x"] {
        let target = format!("/b/big?partNumber={number}&uploadId={id}");
        assert_eq!(
            code(&client.send("PUT", &target, &[], b"x").unwrap()),
            refused(400, "InvalidArgument"),
            "{number}"
        );
    }
    assert_eq!(
        client
            .send("DELETE", &format!("/b/big?uploadId={id}"), &[], b"")
            .unwrap()
            .status,
        204
    );
    assert!(server.store().uploads().is_empty());
}
