//! Python's `websockets`: where it cannot be had, a test says `SKIPPED` and ends.
#![allow(dead_code, reason = "each test file uses the part that it needs")]

use std::io::{BufRead as _, BufReader, Write as _, stderr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/with_websockets.py");

/// The interpreter that has `websockets`; None where there is none.
pub(crate) fn python() -> Option<PathBuf> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/websockets");
    let made = Command::new(script).output().ok();
    let path = made.filter(|made| made.status.success()).map(|made| {
        let path = String::from_utf8_lossy(&made.stdout);
        PathBuf::from(path.trim())
    });
    if path.is_none() {
        let _ = writeln!(
            stderr(),
            "SKIPPED websockets: scripts/websockets cannot make a Python that has it"
        );
    }
    path
}

/// A server of `websockets` under way.
pub(crate) struct Foreign {
    child: Child,
    lines: Receiver<String>,
    truth: PathBuf,
    pub(crate) uri: String,
}

impl Foreign {
    /// Starts it with one of its cases, by TLS where it gets certificate and key.
    pub(crate) fn start(python: &PathBuf, case: &str, identity: Option<&Path>) -> Foreign {
        let truth = std::env::temp_dir().join(format!("websockets-{case}-{}", std::process::id()));
        let mut child = Command::new(python)
            .args([PROGRAM, "serve", case])
            .arg(&truth)
            .args(identity)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut foreign = Foreign {
            child,
            lines,
            truth,
            uri: String::new(),
        };
        let port = foreign.line().expect("the server's port");
        let scheme = if identity.is_some() { "wss" } else { "ws" };
        foreign.uri = format!("{scheme}://127.0.0.1:{port}/ws");
        foreign
    }

    fn line(&self) -> Option<String> {
        self.lines.recv_timeout(Duration::from_secs(20)).ok()
    }

    /// Waits until so many connections were read to their end.
    pub(crate) fn settled(&self, times: usize) -> bool {
        (0..times).all(|_| self.line().as_deref() == Some("settled"))
    }

    /// The messages that it sent.
    pub(crate) fn sent(&self) -> Vec<Vec<u8>> {
        let text = std::fs::read_to_string(&self.truth).unwrap_or_default();
        text.lines()
            .map(|line| STANDARD.decode(line).unwrap())
            .collect()
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // It ends with its standard input.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.truth);
    }
}

/// What a client of `websockets` got.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) messages: Vec<Vec<u8>>,
    /// The close code that came, and the one that the client sent.
    pub(crate) heard: Option<u64>,
    pub(crate) said: Option<u64>,
}

/// Lets a client of `websockets` read each of `uris` to its end.
pub(crate) fn read(python: &PathBuf, uris: &[String]) -> Vec<Got> {
    let done = Command::new(python)
        .args([PROGRAM, "read"])
        .args(uris)
        .output()
        .unwrap();
    let text = String::from_utf8(done.stdout).unwrap();
    let error = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{error}");
    let lines = text.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        let messages = line["messages"].as_array().unwrap();
        Got {
            messages: messages
                .iter()
                .map(|message| STANDARD.decode(message.as_str().unwrap()).unwrap())
                .collect(),
            heard: line["heard"].as_u64(),
            said: line["said"].as_u64(),
        }
    });
    lines.collect()
}
