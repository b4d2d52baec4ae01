//! The worker, built, as a process against this server. However a run ends, [`Ended::audit`] checks what must hold of
//! every run (SPEC 7 and 8); a test adds the facts of its own row of the catalogue.
#![allow(
    dead_code,
    clippy::disallowed_methods,
    reason = "each test file uses the part that it needs; tests wait and are told of the worker by the environment"
)]

pub(crate) mod feeds;
pub(crate) mod oracle;
pub(crate) mod stream;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _, stderr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use testbed::digest::{hex, sha256};
use testbed::journal::Entry;
use testbed::operation::Operation;
use testbed::server::{Server, Settings};
use testbed::sign::Key;
use testbed::store::Settings as Bucket;

/// What the small runs read: three records.
pub(crate) const INPUT: &str = "k,v\na,1\nb,2\na,3\n";
/// And what they make of it.
pub(crate) const ROLLUP: &str = "k,n,s\na,2,4\nb,1,2\n";
/// The secret key of the environment.
pub(crate) const SECRET: &str = "testbed/secret+key/that+opens/nothing+else";
/// What the role of a task is given.
pub(crate) const TASK: [&str; 3] = [
    "TESTBEDTASKKEY000001",
    "canary/secret+of+the+role/0123456789abcdef",
    "canary+session/token+of+the+role==",
];
/// Found in no output of any run.
pub(crate) const SECRETS: [&str; 4] = [SECRET, TASK[1], TASK[2], "canary"];

/// The worker; None where nobody built it, which is said past the capture of the test runner, and fails where `CI` is
/// set.
pub(crate) fn worker() -> Option<&'static PathBuf> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let built = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/debug/windrow");
        let path = PathBuf::from(std::env::var("WINDROW_BIN").unwrap_or_else(|_| built.into()));
        if path.is_file() {
            return Some(path);
        }
        let _ = writeln!(
            stderr(),
            "SKIPPED: NO WORKER at {}: build it (cargo build in ..), or set WINDROW_BIN",
            path.display()
        );
        assert!(
            std::env::var_os("CI").is_none(),
            "the worker must be built before these tests"
        );
        None
    });
    found.as_ref()
}

/// Says past the capture of the test runner what could not be tested here.
pub(crate) fn skipped(test: &str, why: &str) {
    let _ = writeln!(stderr(), "SKIPPED {test}: {why}");
}

/// A figure that must be seen.
pub(crate) fn note(text: &str) {
    let _ = writeln!(stderr(), "{text}");
}

/// A server with the buckets `source` and `out`, the small input, and an earlier run that must stay as it is.
pub(crate) fn start() -> Server {
    let mut settings = Settings::default();
    settings.keys.push(Key {
        access_key: TASK[0].into(),
        secret_key: TASK[1].into(),
        session_token: Some(TASK[2].into()),
        ..Key::default()
    });
    settings.task.key = 1;
    let server = Server::start(settings).unwrap();
    furnish(&server);
    server
}

/// Everything as at first.
pub(crate) fn furnish(server: &Server) {
    server.shared().reset();
    for name in ["source", "out"] {
        server.store().bucket(name, Bucket::default());
    }
    server.store().put("source", "d/a.csv.gz", gzip(INPUT));
    server.store().put("out", "o/earlier/manifest.json", "{}");
}

/// One gzip member that is stored, not compressed: this package needs no compressor.
pub(crate) fn gzip(text: &str) -> Vec<u8> {
    let body = text.as_bytes();
    let length = u16::try_from(body.len()).unwrap();
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    out.extend(length.to_le_bytes());
    out.extend((!length).to_le_bytes());
    out.extend(body);
    out.extend(testbed::digest::crc32(body).iter().rev());
    out.extend(u32::from(length).to_le_bytes());
    out
}

/// A run to be: its whole environment.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    command: &'static str,
    argument: Option<String>,
    /// The words of a program that runs it; itself where there are none.
    inside: Vec<String>,
    variables: BTreeMap<String, String>,
    limit: Duration,
}

impl Run {
    /// The small run: `source/d/` to `out/o/run/`.
    pub(crate) fn small(server: &Server) -> Run {
        Run::at(&server.url())
    }

    /// The same at another address of the same server.
    pub(crate) fn at(url: &str) -> Run {
        let empty = Run {
            command: "batch",
            argument: None,
            inside: Vec::new(),
            variables: BTreeMap::new(),
            limit: Duration::ZERO,
        };
        empty
            .aws("AWS_ENDPOINT_URL_S3", url)
            .aws("AWS_REGION", "us-east-1")
            .aws("AWS_ACCESS_KEY_ID", "TESTBEDACCESSKEY0001")
            .aws("AWS_SECRET_ACCESS_KEY", SECRET)
            .with("INPUT", "s3://source/d/")
            .with("INPUT_FORMAT", "csv")
            .with("CSV_HEADER", "present")
            .with("COLUMNS", "k VARCHAR, v BIGINT")
            .with(
                "QUERY",
                "SELECT k, count(*) AS n, sum(v) AS s FROM input GROUP BY k",
            )
            .with("OUTPUT", "s3://out/o")
            .with("OUTPUT_FORMAT", "csv")
            .with("RUN_ID", "run")
            .with("THREADS", "1")
            .within(60, 5)
    }

    /// The same with an artifact of two parts, 8 MiB and some.
    pub(crate) fn large(server: &Server) -> Run {
        let wide = "w".repeat(60_000);
        Run::small(server)
            .with("INPUT", "range:0..150")
            .with("QUERY", &format!("SELECT i, '{wide}' AS w FROM input"))
            .without("WINDROW_INPUT_FORMAT")
            .without("WINDROW_CSV_HEADER")
            .without("WINDROW_COLUMNS")
    }

    /// The same at the server, with the credentials and to the output of another.
    pub(crate) fn like(mut self, other: &Run) -> Run {
        for (name, value) in &other.variables {
            if name.starts_with("AWS_") || name == "WINDROW_OUTPUT" {
                self.variables.insert(name.clone(), value.clone());
            }
        }
        self
    }

    /// What the large run makes.
    pub(crate) fn large_rollup() -> Vec<u8> {
        let wide = "w".repeat(60_000);
        let mut text = String::from("i,w\n");
        for number in 0..150 {
            text += &format!("{number},{wide}\n");
        }
        text.into_bytes()
    }

    /// `windrow verify URI` with the same settings.
    pub(crate) fn verify(&self, uri: &str) -> Run {
        Run {
            command: "verify",
            argument: Some(uri.to_owned()),
            ..self.clone()
        }
    }

    /// The same with this variable, named without `WINDROW_`.
    pub(crate) fn with(self, name: &str, value: &str) -> Run {
        let name = format!("WINDROW_{name}");
        self.aws(&name, value)
    }

    /// The same with this variable.
    pub(crate) fn aws(mut self, name: &str, value: &str) -> Run {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The same without this variable.
    pub(crate) fn without(mut self, name: &str) -> Run {
        self.variables.remove(name);
        self
    }

    /// The same with credentials that come from somewhere else.
    pub(crate) fn without_keys(self) -> Run {
        self.without("AWS_ACCESS_KEY_ID")
            .without("AWS_SECRET_ACCESS_KEY")
    }

    /// The same with credentials and metadata from this server's ECS agent.
    pub(crate) fn in_a_task(self, server: &Server) -> Run {
        let agent = format!("{}/~ecs", server.url());
        self.without_keys()
            .aws(
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                &format!("{agent}/credentials"),
            )
            .aws("ECS_CONTAINER_METADATA_URI_V4", &format!("{agent}/v4"))
    }

    /// The same with this deadline and drain, in seconds; it must not take longer.
    pub(crate) fn within(mut self, runtime: u64, drain: u64) -> Run {
        self.limit = Duration::from_secs(runtime + drain);
        self.with("MAX_RUNTIME_SECONDS", &runtime.to_string())
            .with("DRAIN_SECONDS", &drain.to_string())
    }

    /// The same, run by another program: its words, before the worker's.
    pub(crate) fn inside(mut self, words: &[&str]) -> Run {
        self.inside = words.iter().map(|&word| word.to_owned()).collect();
        self.aws("PATH", &std::env::var("PATH").unwrap())
    }

    /// A merge of so many shards of `out/o/RUN_ID/`, with the same settings of AWS.
    pub(crate) fn merge(&self, run_id: &str, count: u32) -> Run {
        let mut merge = Run {
            command: "merge",
            ..self.clone()
        };
        for name in [
            "INPUT_FORMAT",
            "CSV_HEADER",
            "COLUMNS",
            "QUERY",
            "ON_BAD_RECORD",
        ] {
            merge.variables.remove(&format!("WINDROW_{name}"));
        }
        merge
            .with("INPUT", &format!("s3://out/o/{run_id}/"))
            .with("SHARDS", &count.to_string())
    }

    /// The same under this RUN_ID.
    pub(crate) fn named(self, run_id: &str) -> Run {
        self.with("RUN_ID", run_id)
    }

    /// Starts it.
    pub(crate) fn start(&self) -> Running {
        let worker = worker().expect("the test asked for the worker before");
        let mut command = match self.inside.split_first() {
            None => Command::new(worker),
            Some((program, words)) => {
                let mut command = Command::new(program);
                command.args(words).arg(worker);
                command
            }
        };
        command
            .arg(self.command)
            .args(&self.argument)
            .env_clear()
            .envs(&self.variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Running {
            child: command.spawn().unwrap(),
            began: Instant::now(),
            limit: self.limit,
        }
    }

    /// Runs to the end.
    pub(crate) fn end(&self) -> Ended {
        self.start().end()
    }
}

/// A run under way.
pub(crate) struct Running {
    child: Child,
    began: Instant,
    limit: Duration,
}

impl Running {
    /// Sends the signal of this name.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success(), "kill -s {name} {id}");
    }

    /// Whether it still works.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end; a run past its deadline and drain is killed, and seen by its code.
    pub(crate) fn end(mut self) -> Ended {
        let mut out = self.child.stdout.take().unwrap();
        let mut err = self.child.stderr.take().unwrap();
        let read_out = thread::spawn(move || {
            let mut text = String::new();
            out.read_to_string(&mut text).map(|_| text)
        });
        let read_err = thread::spawn(move || {
            let mut text = String::new();
            err.read_to_string(&mut text).map(|_| text)
        });
        // Slack for a machine that does other things.
        let end = self.began + self.limit + Duration::from_millis(2500);
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > end {
                self.child.kill().unwrap();
            }
            thread::sleep(Duration::from_millis(3));
        };
        let took = self.began.elapsed();
        let out = read_out.join().unwrap().unwrap();
        let err = read_err.join().unwrap().unwrap();
        let line = |line: &str| serde_json::from_str(line).unwrap_or(Value::Null);
        Ended {
            code: status.code().unwrap_or(-9),
            events: out.lines().map(line).collect(),
            out,
            err,
            took,
        }
    }
}

/// A run that is over.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit code; -9 where it hung and was killed.
    pub(crate) code: i32,
    /// Its log.
    pub(crate) events: Vec<Value>,
    /// The same as text.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) err: String,
    /// How long it ran.
    pub(crate) took: Duration,
}

impl Ended {
    /// The last line.
    pub(crate) fn summary(&self) -> &Value {
        self.events.last().unwrap_or(&Value::Null)
    }

    /// `kind: expected …, found …: advice (uri)`, for facts to be looked for.
    pub(crate) fn why(&self) -> String {
        let text = |name: &str| self.summary()[name].as_str().unwrap_or_default();
        let place: Vec<&str> = ["uri", "column"].map(text).to_vec();
        format!(
            "{}: expected {}, found {}: {} ({})",
            text("error"),
            text("expected"),
            text("found"),
            text("advice"),
            place.join(" ").trim_end()
        )
    }

    /// Asserts code and facts of the error.
    #[track_caller]
    pub(crate) fn says(&self, code: i32, facts: &[&str]) {
        let why = self.why();
        assert_eq!(self.code, code, "{why}\n{}{}", self.out, self.err);
        for fact in facts {
            assert!(why.contains(fact), "{fact:?} is not in {why}");
        }
    }

    /// What must hold of any run into `bucket`, whose objects start with `prefix`; `rollup` is what the run must make.
    /// Gives back what is wrong.
    pub(crate) fn audit(&self, server: &Server, prefix: &str, rollup: &[u8]) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut require = |holds: bool, what: &str| {
            if !holds {
                wrong.push(what.to_owned());
            }
        };
        let known = [0, 65, 66, 69, 73, 74, 75, 76, 77, 78];
        require(
            known.contains(&self.code),
            "the exit code is one of SPEC 8, no defect",
        );
        require(self.err.is_empty(), "nothing on standard error");
        require(
            self.summary()["event"] == "run_summary" && self.summary()["exit_code"] == self.code,
            "the last line is run_summary with the exit code",
        );
        let has_advice = |text: &Value| text.as_str().is_some_and(|text| !text.is_empty());
        require(
            self.code == 0 || has_advice(&self.summary()["advice"]),
            "an error has advice",
        );
        let store = server.store();
        let body = |name: &str| {
            let object = store.object("out", &format!("{prefix}{name}"))?;
            Some(object.body.to_vec())
        };
        let (manifest, failure) = (body("manifest.json"), body("failure.json"));
        require(
            manifest.is_none() || failure.is_none(),
            "manifest.json and failure.json are not both there",
        );
        require(
            self.code != 0 || manifest.is_some(),
            "success has a manifest",
        );
        require(
            self.code == 0 || manifest.is_none() || self.summary().to_string().contains("unknown"),
            "a run without success, with a manifest, says that the outcome is unknown",
        );
        if let Some(manifest) = &manifest {
            wrong.extend(untrue(manifest, &body, rollup));
        }
        if let Some(failure) = &failure {
            let failure: Value = serde_json::from_slice(failure).unwrap_or_default();
            if failure["code"] != self.code {
                wrong.push(format!(
                    "failure.json has the exit code: {}",
                    failure["code"]
                ));
            }
        }
        let all = store.keys("out", "");
        for key in &all {
            if !key.starts_with(prefix) && key != "o/earlier/manifest.json" {
                wrong.push(format!("{key} is under another prefix"));
            }
        }
        let objects = all.iter().filter_map(|key| {
            let object = store.object("out", key)?;
            Some((key.as_str(), object.body.to_vec()))
        });
        let log = (
            "the log",
            [self.out.as_bytes(), self.err.as_bytes()].concat(),
        );
        for (place, bytes) in objects.chain([log]) {
            // What is long is an artifact of the one character `w`.
            let start = &bytes[..bytes.len().min(1 << 20)];
            if SECRETS
                .iter()
                .any(|secret| contains(start, secret.as_bytes()))
            {
                wrong.push(format!("a secret is in {place}"));
            }
        }
        let earlier = store.object("out", "o/earlier/manifest.json");
        if earlier.is_none_or(|object| object.body.as_slice() != b"{}") {
            wrong.push("the earlier run is not as it was".to_owned());
        }
        wrong
    }

    /// [`Ended::audit`] of a small run, asserted.
    #[track_caller]
    pub(crate) fn sound(&self, server: &Server) {
        let wrong = self.audit(server, "o/run/", ROLLUP.as_bytes());
        assert!(wrong.is_empty(), "{wrong:?}\n{}{}", self.out, self.err);
    }

    /// Asserts a small run that is a success.
    #[track_caller]
    pub(crate) fn works(&self, server: &Server) {
        assert_eq!(self.code, 0, "{}\n{}{}", self.why(), self.out, self.err);
        self.sound(server);
    }

    /// Asserts that a small run ended with code and facts, and left no result.
    #[track_caller]
    pub(crate) fn fails(&self, server: &Server, code: i32, facts: &[&str]) {
        self.says(code, facts);
        self.sound(server);
        assert!(
            server
                .store()
                .object("out", "o/run/manifest.json")
                .is_none(),
            "a manifest after {code}"
        );
    }

    /// Asserts that a small run ended with code and facts before it wrote anything.
    #[track_caller]
    pub(crate) fn refused(&self, server: &Server, code: i32, facts: &[&str]) {
        self.fails(server, code, facts);
        assert_eq!(
            server.store().keys("out", "o/run/"),
            [""; 0],
            "{}",
            self.out
        );
    }
}

/// What a manifest claims and is not so.
fn untrue(manifest: &[u8], body: &dyn Fn(&str) -> Option<Vec<u8>>, rollup: &[u8]) -> Vec<String> {
    let Ok(manifest) = serde_json::from_slice::<Value>(manifest) else {
        return vec!["the manifest is no JSON".to_owned()];
    };
    let mut wrong = Vec::new();
    let artifacts = manifest["artifacts"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    for artifact in &artifacts {
        let name = artifact["name"].as_str().unwrap_or_default();
        let bytes = body(name).unwrap_or_default();
        let is_true =
            artifact["bytes"] == bytes.len() && artifact["sha256"] == hex(&sha256(&bytes));
        if !is_true {
            wrong.push(format!("{name} is not what the manifest says"));
        }
    }
    for name in ["rollup.csv", "inputs.ndjson.gz"] {
        if !artifacts.iter().any(|artifact| artifact["name"] == name) {
            wrong.push(format!("the manifest does not list {name}"));
        }
    }
    if body("rollup.csv").as_deref() != Some(rollup) {
        wrong.push("the rollup is not that of the input".to_owned());
    }
    let started = body("started.json").unwrap_or_default();
    let started: Value = serde_json::from_slice(&started).unwrap_or_default();
    if manifest["nonce"] != started["nonce"] || !manifest["nonce"].is_string() {
        wrong.push("the manifest has not the nonce of the claim".to_owned());
    }
    wrong
}

pub(crate) fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

/// `PUT out/o/run/started.json` and the like.
pub(crate) fn named(entry: &Entry) -> String {
    let query = match entry.query.is_empty() {
        true => String::new(),
        false => format!("?{}", entry.query),
    };
    format!(
        "{:?} {}/{}{query}",
        entry.operation, entry.bucket, entry.key
    )
}

/// What changed something, or was meant to.
pub(crate) fn writes(server: &Server) -> Vec<Entry> {
    let mut entries = server.journal().entries();
    entries.retain(|entry| entry.operation.changes());
    entries
}

/// How many requests of one operation there were to keys that end so.
pub(crate) fn count(server: &Server, operation: Operation, end: &str) -> usize {
    let entries = server.journal().of(operation);
    entries
        .iter()
        .filter(|entry| entry.key.ends_with(end))
        .count()
}
