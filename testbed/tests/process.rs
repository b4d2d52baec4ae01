//! The binary and its control protocol, as scripts and the worker's tests use them.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use testbed::client::Client;

struct Process {
    child: Child,
    lines: Vec<String>,
}

impl Process {
    fn start(name: &str) -> Process {
        let dir = directory(name);
        let mut child = Command::new(env!("CARGO_BIN_EXE_testbed-s3"))
            .args(["--bucket", "b", "--dir"])
            .arg(&dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = Vec::new();
        let out = BufReader::new(child.stdout.take().unwrap());
        for line in out.lines() {
            lines.push(line.unwrap());
            if lines
                .last()
                .is_some_and(|line| line.starts_with("export TESTBED_BUCKET="))
            {
                break;
            }
        }
        assert_eq!(
            fs::read_to_string(dir.join("env")).unwrap().lines().count(),
            lines.len()
        );
        assert!(
            fs::read_to_string(dir.join("ca.pem"))
                .unwrap()
                .contains("BEGIN CERTIFICATE")
        );
        Process { child, lines }
    }

    fn client(&self, variable: &str) -> Client {
        let start = format!("export {variable}=http://");
        let address = self
            .lines
            .iter()
            .find_map(|line| line.strip_prefix(&start))
            .unwrap();
        Client::new(address.parse().unwrap())
    }
}

fn directory(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    path
}

#[test]
fn driven_from_outside() {
    let mut process = Process::start("process");
    let s3 = process.client("AWS_ENDPOINT_URL_S3");
    let control = Client {
        key: None,
        ..process.client("TESTBED_CONTROL")
    };
    let ask = |method: &str, path: &str, body: &str| -> Value {
        let answer = control.send(method, path, &[], body.as_bytes()).unwrap();
        assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text());
        serde_json::from_str(&answer.text()).unwrap()
    };
    let refused = |method: &str, path: &str, body: &str| {
        control
            .send(method, path, &[], body.as_bytes())
            .unwrap()
            .status
    };

    ask("PUT", "/objects/b/in/a%20b", "content");
    assert_eq!(
        s3.send("GET", "/b/in/a%20b", &[], b"").unwrap().text(),
        "content"
    );
    ask(
        "POST",
        "/objects/b?prefix=many/&count=1001&suffix=.csv",
        "same",
    );
    assert_eq!(
        s3.send("GET", "/b/many/0001000.csv", &[], b"")
            .unwrap()
            .text(),
        "same"
    );
    let listed = ask("GET", "/objects/b?prefix=in/", "");
    assert_eq!(listed[0]["key"], "in/a b");
    assert_eq!(
        listed[0]["sha256"],
        "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"
    );

    let rules = json!([{"name": "slow down", "when": {"key": "*.json", "times": 1},
        "do": {"answer": {"status": 503, "code": "SlowDown"}}}]);
    ask("PUT", "/script", &rules.to_string());
    ask("DELETE", "/requests", "");
    assert_eq!(s3.send("PUT", "/b/m.json", &[], b"1").unwrap().status, 503);
    assert_eq!(s3.send("PUT", "/b/m.json", &[], b"1").unwrap().status, 200);
    let requests = ask("GET", "/requests", "");
    assert_eq!(
        requests
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| (
                entry["attempt"].as_u64(),
                entry["status"].as_u64(),
                entry["fault"].as_str()
            ))
            .collect::<Vec<_>>(),
        [
            (Some(1), Some(503), Some("slow down")),
            (Some(2), Some(200), None)
        ]
    );
    assert_eq!(ask("GET", "/script", "")[0]["fired"], 1);

    ask(
        "PUT",
        "/buckets/b",
        r#"{"conditions": "ignored", "denied": ["s3:ListBucket"]}"#,
    );
    assert_eq!(ask("GET", "/buckets/b", "")["conditions"], "ignored");
    assert_eq!(
        s3.send("GET", "/b?list-type=2", &[], b"").unwrap().status,
        403
    );
    let mut settings = ask("GET", "/settings", "");
    settings["clock_offset_seconds"] = json!(3600);
    ask("PUT", "/settings", &settings.to_string());
    assert_eq!(
        s3.send("GET", "/b/m.json", &[], b"")
            .unwrap()
            .element("Code")
            .as_deref(),
        Some("RequestTimeTooSkewed")
    );

    assert!(
        ask("POST", "/listen", "\"expired\"")["port"]
            .as_u64()
            .is_some()
    );
    assert!(ask("GET", "/catalogue", "").as_array().unwrap().len() > 40);
    assert_eq!(
        refused("PUT", "/script", r#"[{"do": {"effect": "none"}}]"#),
        400
    );
    assert_eq!(
        refused("PUT", "/script", r#"[{"when": {"operation": "Nope"}}]"#),
        400
    );
    assert_eq!(refused("PUT", "/buckets/b", r#"{"verzioning": true}"#), 400);
    assert_eq!(refused("GET", "/objects/b/none", ""), 404);
    assert_eq!(refused("GET", "/none", ""), 404);
    ask("POST", "/reset", "");
    assert_eq!(refused("GET", "/buckets/b", ""), 404);

    drop(process.child.stdin.take());
    assert!(
        process.child.wait().unwrap().success(),
        "the end of its input is its end"
    );
}

#[test]
fn words_that_are_wrong() {
    for words in [
        &["--nope"][..],
        &[],
        &["--dir"],
        &["--dir", "d", "--port", "x"],
    ] {
        let out = Command::new(env!("CARGO_BIN_EXE_testbed-s3"))
            .args(words)
            .output()
            .unwrap();
        assert_eq!(out.status.code(), Some(64), "{words:?}");
    }
}
