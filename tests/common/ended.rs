//! How a run ended, and what it left.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use serde_json::Value;
use windrow::digest::sha256;

use super::place::gunzip;

/// A run that is over.
pub struct Ended {
    /// The exit code; minus the signal's number where one killed it.
    pub code: i32,
    /// The lines of standard output.
    pub events: Vec<Value>,
    /// Standard error.
    pub complaint: String,
    /// `OUTPUT/RUN_ID`.
    pub directory: PathBuf,
}

impl Ended {
    pub fn new(status: ExitStatus, log: &str, complaint: String, directory: PathBuf) -> Self {
        let code = status.code();
        Self {
            code: code.unwrap_or_else(|| -status.signal().unwrap()),
            events: json_lines(log),
            complaint,
            directory,
        }
    }

    /// The last line.
    pub fn summary(&self) -> &Value {
        self.events.last().unwrap_or(&Value::Null)
    }

    /// The events of this name.
    pub fn told(&self, event: &str) -> Vec<&Value> {
        let events = self.events.iter();
        events.filter(|line| line["event"] == event).collect()
    }

    /// Why it failed, as tables write it: `record 2, byte 8, column b: expected BIGINT, found "x"`.
    pub fn why(&self) -> String {
        let summary = self.summary();
        let text = |name: &str| summary[name].as_str().unwrap_or_default();
        let (expected, found) = (text("expected"), text("found"));
        format!("{}expected {expected}, found {found}", place(summary))
    }

    pub fn advice(&self) -> &str {
        self.summary()["advice"].as_str().unwrap_or_default()
    }

    /// The object that the error is about.
    pub fn uri(&self) -> &str {
        self.summary()["uri"].as_str().unwrap_or_default()
    }

    /// A file of the run's directory.
    pub fn file(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.directory.join(name)).ok()
    }

    pub fn text(&self, name: &str) -> String {
        let bytes = self.file(name);
        String::from_utf8(bytes.unwrap_or_else(|| panic!("no {name}: {}", self.summary()))).unwrap()
    }

    /// rollup.csv, of a run that must have committed one.
    #[track_caller]
    pub fn rollup(&self) -> String {
        assert_eq!(self.code, 0, "{}", self.summary());
        self.text("rollup.csv")
    }

    /// manifest.json; null where there is none.
    pub fn manifest(&self) -> Value {
        document(&self.directory, "manifest.json")
    }

    /// failure.json; null where there is none.
    pub fn failure(&self) -> Value {
        document(&self.directory, "failure.json")
    }

    /// The lines of rejected.ndjson.
    pub fn rejected(&self) -> Vec<Value> {
        let text = self.file("rejected.ndjson").unwrap_or_default();
        json_lines(str::from_utf8(&text).unwrap())
    }

    /// The lines of inputs.ndjson.gz.
    pub fn inputs(&self) -> Vec<Value> {
        inputs(&self.directory)
    }

    /// Asserts the exit code, and that the run left a failure.json with it, at `phase`.
    #[track_caller]
    pub fn failed(&self, code: i32, phase: &str) {
        assert_eq!(self.code, code, "{}", self.summary());
        let failure = self.failure();
        assert_eq!(failure["phase"], phase, "{failure} {}", self.summary());
    }

    /// Asserts the exit code, and that the RUN_ID is as free as it was.
    #[track_caller]
    pub fn refused(&self, code: i32) {
        assert_eq!(self.code, code, "{}", self.summary());
        assert!(!self.directory.exists(), "{:?}", names(&self.directory));
    }

    /// What must hold of every run that was not killed: one summary at the end, with the exit code; nothing on standard
    /// error; a manifest for success alone, and a true one; a failure.json that tells what the log tells.
    #[track_caller]
    pub fn audit(&self) {
        let summary = self.summary();
        assert_eq!(self.complaint, "", "standard error: {summary}");
        assert!(self.code >= 0, "killed by signal {}", -self.code);
        assert_eq!(summary["event"], "run_summary", "{:?}", self.events);
        assert_eq!(self.told("run_summary").len(), 1, "{:?}", self.events);
        assert_eq!(summary["exit_code"], self.code, "{summary}");
        if self.code == 73 {
            // What is there is the work of the run which has the RUN_ID.
            return;
        }
        let left = names(&self.directory);
        let is_temporary = |name: &&String| name.starts_with(".tmp-");
        assert_eq!(left.iter().find(is_temporary), None, "{left:?}");
        match self.code {
            0 => check_manifest(&self.directory),
            _ => {
                assert!(!left.contains("manifest.json"), "{summary}");
                assert!(!summary["advice"].as_str().unwrap().is_empty(), "{summary}");
            }
        }
        let failure = self.failure();
        if failure.is_null() {
            return;
        }
        assert_ne!(self.code, 0, "{failure}");
        let error = &failure["error"];
        assert_eq!(failure["code"], self.code);
        for (there, here) in [
            (&error["kind"], "error"),
            (&error["expected"], "expected"),
            (&error["found"], "found"),
            (&error["advice"], "advice"),
            (&error["place"]["uri"], "uri"),
            (&error["place"]["record"], "record"),
            (&error["place"]["offset_bytes"], "offset_bytes"),
            (&error["place"]["column"], "column"),
        ] {
            assert_eq!(there, &summary[here], "{here}");
        }
        let started = document(&self.directory, "started.json");
        assert_eq!(failure["nonce"], started["nonce"]);
    }
}

/// Where an error or a rejected record is, as tables write it: `record 2, byte 8, column b: `.
pub fn place(facts: &Value) -> String {
    let parts = [
        ("record", "record"),
        ("byte", "offset_bytes"),
        ("column", "column"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(_, name)| !facts[*name].is_null())
        .map(|(word, name)| match facts[*name].as_str() {
            Some(text) => format!("{word} {text}"),
            None => format!("{word} {}", facts[*name]),
        })
        .collect();
    match parts.is_empty() {
        true => String::new(),
        false => parts.join(", ") + ": ",
    }
}

/// `want` is all of `got`, or its start where `want` ends in `…`.
#[track_caller]
pub fn assert_text(got: &str, want: &str, case: &str) {
    let agrees = match want.strip_suffix('…') {
        Some(start) => got.starts_with(start),
        None => got == want,
    };
    assert!(agrees, "{case}: {got}, wanted {want}");
}

/// Names in a directory; none where it is absent.
pub fn names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// What a manifest claims, checked against what is there.
#[track_caller]
pub fn check_manifest(directory: &Path) {
    let manifest = document(directory, "manifest.json");
    assert_eq!(
        manifest["format"],
        1,
        "no manifest in {:?}",
        names(directory)
    );
    let mut listed = BTreeSet::from(["manifest.json".to_owned(), "started.json".to_owned()]);
    let artifacts = manifest["artifacts"].as_array().unwrap();
    let mut rows_of_rejected = 0;
    for artifact in artifacts {
        let name = artifact["name"].as_str().unwrap();
        let bytes = fs::read(directory.join(name)).unwrap();
        assert_eq!(artifact["bytes"], bytes.len(), "{name}");
        assert_eq!(artifact["sha256"], sha256(&bytes).to_string(), "{name}");
        assert!(listed.insert(name.to_owned()), "{name} twice");
        if name == "rejected.ndjson" {
            rows_of_rejected = artifact["rows"].as_u64().unwrap();
        }
    }
    let is_object = |name: &&String| !name.starts_with(".tmp-");
    let there: BTreeSet<String> = names(directory).iter().filter(is_object).cloned().collect();
    assert_eq!(there, listed);
    let records = &manifest["records"];
    let count = |name: &str| records[name].as_u64().unwrap();
    let places = ["used", "filtered", "rejected", "late", "duplicate"];
    assert_eq!(count("read"), places.map(count).iter().sum::<u64>());
    assert_eq!(count("rejected"), rows_of_rejected);
    let inputs = inputs(directory);
    assert_eq!(manifest["inputs"]["count"], inputs.len());
    let records = inputs.iter().map(|line| line["records"].as_u64().unwrap());
    assert_eq!(count("read"), records.sum::<u64>());
    let started = document(directory, "started.json");
    assert_eq!(manifest["nonce"], started["nonce"]);
    assert_eq!(manifest["config"], started["config"]);
}

fn inputs(directory: &Path) -> Vec<Value> {
    let compressed = fs::read(directory.join("inputs.ndjson.gz")).unwrap();
    let text = gunzip(&compressed);
    json_lines(str::from_utf8(&text).unwrap())
}

fn document(directory: &Path, name: &str) -> Value {
    match fs::read(directory.join(name)) {
        Ok(bytes) => serde_json::from_slice(&bytes).unwrap(),
        Err(_) => Value::Null,
    }
}

fn json_lines(text: &str) -> Vec<Value> {
    let line = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line:?}"));
    text.lines().map(line).collect()
}
