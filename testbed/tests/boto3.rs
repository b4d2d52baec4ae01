//! AWS's own client for Python against the server: a second reader of the same documentation. Skipped, loudly, where it
//! is not installed.

use std::process::Command;

use testbed::server::{Server, Settings};
use testbed::store::Settings as Bucket;

#[test]
fn main_operations() {
    let found = Command::new("python3")
        .args(["-c", "import boto3"])
        .output();
    if !found.is_ok_and(|output| output.status.success()) {
        eprintln!(
            "SKIPPED: python3 with boto3 is not installed, so AWS's own client was not asked"
        );
        return;
    }
    let server = Server::start(Settings::default()).unwrap();
    server.store().bucket("b", Bucket::default());
    let versioning = Bucket {
        versioning: true,
        ..Bucket::default()
    };
    server.store().bucket("versions", versioning);
    let key = Settings::default().keys.remove(0);
    let output = Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/with_boto3.py"))
        .env_clear()
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", env!("CARGO_TARGET_TMPDIR"))
        .env("AWS_ENDPOINT_URL_S3", server.url())
        .env("AWS_ACCESS_KEY_ID", key.access_key)
        .env("AWS_SECRET_ACCESS_KEY", key.secret_key)
        .env("AWS_REGION", "us-east-1")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}");
    assert!(printed.contains("all of it works"), "{printed}");
}
