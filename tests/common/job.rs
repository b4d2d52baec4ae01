//! A run to be: its variables, and how it is started.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::ended::{Ended, names};
use super::place::Place;
use super::{WINDROW, pass};

/// The environment of a run, complete.
#[derive(Clone)]
pub struct Job {
    program: PathBuf,
    word: &'static str,
    output: PathBuf,
    variables: BTreeMap<&'static str, String>,
}

impl Job {
    fn new(place: &Place, input: String, query: &str) -> Self {
        let job = Self {
            program: WINDROW.into(),
            word: "batch",
            output: place.path("out"),
            variables: BTreeMap::new(),
        };
        job.with("INPUT", input)
            .with("QUERY", query)
            .with("OUTPUT", place.uri("out"))
            .with("OUTPUT_FORMAT", "csv")
            .with("RUN_ID", "run")
            .with("MAX_RUNTIME_SECONDS", "300")
            .with("THREADS", "2")
    }

    /// Over `START..END`.
    pub fn range(place: &Place, range: &str, query: &str) -> Self {
        Self::new(place, format!("range:{range}"), query)
    }

    /// Over a CSV file of `place` with a header.
    pub fn csv(place: &Place, input: &str, columns: &str, query: &str) -> Self {
        Self::new(place, place.uri(input), query)
            .with("INPUT_FORMAT", "csv")
            .with("CSV_HEADER", "present")
            .with("COLUMNS", columns)
    }

    /// Over an NDJSON file of `place`.
    pub fn ndjson(place: &Place, input: &str, columns: &str, query: &str) -> Self {
        Self::new(place, place.uri(input), query)
            .with("INPUT_FORMAT", "ndjson")
            .with("COLUMNS", columns)
    }

    /// A merge of shards below these places of a test.
    pub fn merge(place: &Place, shards: &[&str], count: u32) -> Self {
        let shards: Vec<_> = shards.iter().map(|name| place.uri(name)).collect();
        Self {
            word: "merge",
            ..Self::new(place, serde_json::to_string(&shards).unwrap(), "")
        }
        .without("QUERY")
        .with("SHARDS", count)
    }

    /// The same over one shard of the input.
    pub fn shard(&self, index: u32, count: u32) -> Self {
        let job = self.clone().without("OUTPUT_FORMAT");
        job.with("SHARD", format!("{index}/{count}"))
    }

    /// The same with this variable, named without `WINDROW_`.
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.variables.insert(name, value.to_string());
        self
    }

    /// The same without this variable.
    pub fn without(mut self, name: &'static str) -> Self {
        self.variables.remove(name);
        self
    }

    /// The same under this RUN_ID.
    pub fn named(self, run_id: &str) -> Self {
        self.with("RUN_ID", run_id)
    }

    /// The same with its output in another directory, named by its URI as it is.
    pub fn to(mut self, directory: &Path) -> Self {
        self.output = directory.to_owned();
        self.with("OUTPUT", format!("file://{}", directory.display()))
    }

    /// The same by a copy of the program.
    pub fn by(mut self, program: PathBuf) -> Self {
        self.program = program;
        self
    }

    /// Where the run writes.
    pub fn directory(&self) -> PathBuf {
        let run = self.output.join(&self.variables["RUN_ID"]);
        match self
            .variables
            .get("SHARD")
            .and_then(|shard| shard.split_once('/'))
        {
            Some((index, count)) => run.join(format!("shard-{index:0>5}-of-{count:0>5}")),
            None => run,
        }
    }

    /// The variables as the environment has them.
    pub fn environment(&self) -> impl Iterator<Item = (String, &String)> {
        let variables = self.variables.iter();
        variables.map(|(name, value)| (format!("WINDROW_{name}"), value))
    }

    /// `windrow batch` in this environment and no other.
    pub fn command(&self) -> Command {
        self.below(&[])
    }

    /// The same, started by another program: its words, to which `windrow batch`, or `merge`, is added.
    pub fn below(&self, starter: &[&str]) -> Command {
        let program = self.program.to_str().unwrap();
        let mut words = starter.iter().copied().chain([program, self.word]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words).env_clear().envs(self.environment());
        command
    }

    /// The same, started by `sh -c script`, which finds the program and its command in `"$@"`.
    pub fn in_shell(&self, script: &str) -> Command {
        let mut command = self.below(&["sh", "-c", script, "sh"]);
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }

    /// Runs to the end.
    pub fn run(&self) -> Ended {
        self.run_as(self.command())
    }

    /// Runs `command`, which starts this job, to the end.
    pub fn run_as(&self, command: Command) -> Ended {
        self.start_as(command).end()
    }

    pub fn start(&self) -> Running {
        self.start_as(self.command())
    }

    pub fn start_as(&self, mut command: Command) -> Running {
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        Running {
            out: BufReader::new(child.stdout.take().unwrap()),
            child,
            log: String::new(),
            directory: self.directory(),
        }
    }
}

/// A run under way.
pub struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
    /// What was read of standard output.
    log: String,
    directory: PathBuf,
}

impl Running {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for an event of this name, and gives it.
    pub fn until(&mut self, event: &str) -> Value {
        loop {
            let start = self.log.len();
            let bytes = self.out.read_line(&mut self.log).unwrap();
            assert_ne!(bytes, 0, "no event {event:?} in {}", self.log);
            let line: Value = serde_json::from_str(&self.log[start..]).unwrap();
            if line["event"] == event {
                return line;
            }
        }
    }

    /// Sends the signal of this name to the process.
    pub fn signal(&self, name: &str) {
        signal(self.id(), name);
    }

    /// Waits until the process has this file open.
    pub fn until_open(&mut self, path: &Path) {
        let descriptors = PathBuf::from(format!("/proc/{}/fd", self.id()));
        let is_open = || {
            let entries = fs::read_dir(&descriptors).into_iter().flatten();
            let mut targets = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
            targets.any(|target| target == path)
        };
        while !is_open() {
            assert!(!self.is_over(), "ended before {}", path.display());
            pass(Duration::from_millis(1));
        }
    }

    /// Waits until the run's directory has a name that ends so.
    pub fn until_there(&mut self, end: &str) {
        let is_there = |directory: &Path| names(directory).iter().any(|name| name.ends_with(end));
        while !is_there(&self.directory) {
            assert!(!self.is_over(), "ended before {end} was there");
            pass(Duration::from_millis(1));
        }
    }

    /// Waits until one of its workers has computed for a while (proc(5): field 14 of `stat`, in ticks of 10 ms).
    pub fn until_busy(&mut self) {
        let tasks = PathBuf::from(format!("/proc/{}/task", self.id()));
        let ticks = |stat: String| {
            let (_, fields) = stat.split_once("(worker) ")?;
            fields.split(' ').nth(11)?.parse::<u64>().ok()
        };
        let is_busy = || {
            let entries = fs::read_dir(&tasks).into_iter().flatten();
            let stats =
                entries.filter_map(|task| fs::read_to_string(task.ok()?.path().join("stat")).ok());
            stats.filter_map(ticks).any(|ticks| ticks > 2)
        };
        while !is_busy() {
            assert!(!self.is_over(), "ended before it worked");
            pass(Duration::from_millis(1));
        }
    }

    /// Whether it has ended.
    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for the end, and audits what the run left.
    pub fn end(self) -> Ended {
        let ended = self.end_unaudited();
        ended.audit();
        ended
    }

    /// Waits for the end of a run that need not have had the time to leave things in order.
    pub fn end_unaudited(mut self) -> Ended {
        self.out.read_to_string(&mut self.log).unwrap();
        let mut complaint = String::new();
        let stderr = self.child.stderr.as_mut().unwrap();
        stderr.read_to_string(&mut complaint).unwrap();
        let status = self.child.wait().unwrap();
        Ended::new(status, &self.log, complaint, self.directory)
    }
}

/// Sends the signal of this name to a process.
pub fn signal(process: u32, name: &str) {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &process.to_string()])
        .status();
    assert!(sent.unwrap().success(), "kill -{name} {process}");
}
