//! The documents of a run, field by field in SPEC 7's order, and what must be true of them before they are sent.
//!
//! `docs/artifacts.md` is their description for readers. Nothing here does I/O, or knows where a document goes.

mod coverage;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::digest::{Digest, sha256};
use crate::error::{Error, Kind, Place, Result};
use crate::limits::MANIFEST_BYTES;
use crate::store::destination::OpenUpload;
use crate::task::Task;

pub use crate::value::timestamp::utc;
pub use coverage::{COVERAGE, CoverageLine, GapLine, Parts, Stream, Windows};

/// The claim.
pub const STARTED: &str = "started.json";
/// Success, and nothing else.
pub const MANIFEST: &str = "manifest.json";
/// A stream that a signal ended.
pub const INTERRUPTED: &str = "interrupted.json";
/// A run that held its claim and ended otherwise.
pub const FAILURE: &str = "failure.json";
/// The list of inputs.
pub const INPUTS: &str = "inputs.ndjson.gz";
/// What a shard has in place of a rollup.
pub const PARTIAL: &str = "partial.ndjson.gz";
/// The list of rejected records.
pub const REJECTED: &str = "rejected.ndjson";

/// The version of all these documents.
pub const FORMAT: u32 = 1;

/// Which program ran, how, and under which name: the head of every document.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Identity {
    /// [`FORMAT`].
    pub format: u32,
    /// `windrow`
    pub program: String,
    /// Its version.
    pub version: String,
    /// The platform that it was built for.
    pub target: String,
    /// RUN_ID.
    pub run_id: String,
    /// The run's mark.
    pub nonce: String,
    /// The command.
    pub mode: Mode,
}

/// The command of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Finite inputs.
    Batch,
    /// Live feeds.
    Stream,
    /// Shards.
    Merge,
}

/// Why a run that has a result ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndedBy {
    /// It was done.
    Finished,
    /// MAX_RUNTIME_SECONDS, the normal end of a stream.
    Deadline,
    /// SIGTERM
    Sigterm,
    /// SIGINT
    Sigint,
    /// SIGHUP
    Sighup,
}

/// `started.json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Started {
    /// The head.
    #[serde(flatten)]
    pub identity: Identity,
    /// Wall-clock time, RFC 3339 in UTC.
    pub started_at: String,
    /// The ECS task, where there is one.
    pub task_arn: Option<String>,
    /// Every variable resolved and redacted.
    pub config: Map<String, Value>,
}

/// Whose run a `started.json` is of; nothing where it is none.
#[must_use]
pub fn nonce_of_started(document: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Started {
        nonce: String,
    }
    let started = serde_json::from_slice::<Started>(document).ok()?;
    Some(started.nonce)
}

/// `manifest.json`, and `interrupted.json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Manifest {
    /// The head.
    #[serde(flatten)]
    pub identity: Identity,
    /// Why it ended.
    pub ended_by: EndedBy,
    /// As in `started.json`.
    pub started_at: String,
    /// Wall-clock time, RFC 3339 in UTC.
    pub ended_at: String,
    /// As in `started.json`.
    pub config: Map<String, Value>,
    /// The query's text.
    pub query: String,
    /// SHA-256 of that text.
    pub query_sha256: Digest,
    /// The ECS task that the run is in; null outside of one.
    pub task: Option<Task>,
    /// What was read.
    pub inputs: Inputs,
    /// Which part of the input it is the result of; null where that is all of it.
    pub shard: Option<Shard>,
    /// Where every record went.
    pub records: Records,
    /// What was written, in the order of its completion.
    pub artifacts: Vec<Receipt>,
    /// What a stream, or the replay of its capture, came to; null for other runs.
    pub stream: Option<Stream>,
    /// Requests of the run.
    pub s3: Requests,
    /// Most memory at one time.
    pub peak_memory_bytes: u64,
    /// User and system time.
    pub cpu_seconds: f64,
}

/// A part of the ordered inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// From 0.
    pub i: u32,
    /// How many there are.
    pub n: u32,
    /// Where it began.
    pub began: Bound,
    /// Where it ended, which is where the next one began.
    pub ended: Bound,
}

/// A place in the ordered inputs of all shards. The end of one input is the start of the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// Number of the input, from 0.
    pub input: u64,
    /// Bytes into it; of a range, numbers.
    pub offset: u64,
}

/// What a run read, in totals; `inputs.ndjson.gz` has a line each. Of a shard, that is its part.

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs {
    /// Number of inputs.
    pub count: u64,
    /// Their stored size.
    pub bytes: u64,
    /// Digest of the whole listing, also of a shard.
    pub listing_sha256: Digest,
}

/// Where the records that were read went: each to exactly one place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Records {
    /// All of them.
    pub read: u64,
    /// Into the result.
    pub used: u64,
    /// Out by WHERE.
    pub filtered: u64,
    /// Into `rejected.ndjson`.
    pub rejected: u64,
    /// For a closed window.
    pub late: u64,
    /// Seen before.
    pub duplicate: u64,
}

/// One artifact that the store acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Its name below the run's prefix.
    pub name: String,
    /// Where the store keeps versions.
    pub version_id: Option<String>,
    /// Its stored size.
    pub bytes: u64,
    /// SHA-256 of the stored bytes.
    pub sha256: Digest,
    /// Rows, or lines, in it; a CSV header is none.
    pub rows: u64,
}

/// Requests to S3; zeros where none was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Requests {
    /// What was asked.
    pub requests: u64,
    /// How often it was sent.
    pub attempts: u64,
    /// Bodies received.
    pub bytes_in: u64,
    /// Bodies sent.
    pub bytes_out: u64,
}

/// `failure.json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Failure {
    /// The head.
    #[serde(flatten)]
    pub identity: Identity,
    /// The exit code.
    pub code: u8,
    /// Why.
    pub error: Reported,
    /// What the run was at.
    pub phase: &'static str,
    /// As in `started.json`.
    pub started_at: String,
    /// Wall-clock time, RFC 3339 in UTC.
    pub ended_at: String,
    /// As in `started.json`.
    pub config: Map<String, Value>,
    /// What had been read by then, as far as counted.
    pub records: Records,
    /// The latest gaps of a stream that are known, at most [`FAILURE_GAPS`](crate::limits::FAILURE_GAPS).
    pub gaps: Vec<GapLine>,
    /// The parts of a stream's capture that the store acknowledged.
    pub parts: Vec<Receipt>,
    /// Uploads that could not be aborted.
    pub open_uploads: Vec<OpenUpload>,
}

/// An error in a document.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reported {
    /// The word for its exit code.
    pub kind: &'static str,
    /// What was being done.
    pub doing: &'static str,
    /// To what.
    pub place: Option<Place>,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
    /// What to do.
    pub advice: String,
}

/// A line of `inputs.ndjson.gz`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputLine {
    /// The object.
    pub uri: String,
    /// Where the store keeps versions.
    pub version_id: Option<String>,
    /// Its state; null where an input has none (`range:`).
    pub etag: Option<String>,
    /// Its stored size; null where it has none.
    pub bytes: Option<u64>,
    /// `none` or `gzip`, as its first bytes say.
    pub compression: Cow<'static, str>,
    /// Records read.
    pub records: u64,
    /// How far.
    pub read: ReadTo,
}

/// How far an input was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadTo {
    /// To its end.
    Whole,
    /// To the record of this number, from 1; LIMIT was full. 0: not at all.
    ToRecord(u64),
}

impl EndedBy {
    /// Whether somebody asked the run to leave.
    #[must_use]
    pub fn is_signal(self) -> bool {
        match self {
            Self::Finished | Self::Deadline => false,
            Self::Sigterm | Self::Sigint | Self::Sighup => true,
        }
    }
}

impl Identity {
    /// The head of this program's documents.
    #[must_use]
    pub fn new(run_id: &str, nonce: &str, mode: Mode) -> Self {
        Self {
            format: FORMAT,
            program: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            target: target(),
            run_id: run_id.to_owned(),
            nonce: nonce.to_owned(),
            mode,
        }
    }
}

/// `x86_64-linux-musl`: what may change the bytes of a result.
fn target() -> String {
    let libc = match cfg!(target_env = "musl") {
        true => "musl",
        false => "gnu",
    };
    let (architecture, system) = (std::env::consts::ARCH, std::env::consts::OS);
    format!("{architecture}-{system}-{libc}")
}

impl Manifest {
    /// The name under which this result is committed.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.ended_by.is_signal() {
            false => MANIFEST,
            true => INTERRUPTED,
        }
    }

    /// The document's bytes, once everything it says agrees with itself.
    ///
    /// # Errors
    /// 70 where it does not; 65 past the limit of a manifest.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        if let Some(broken) = self.broken_rule() {
            return Err(Error::defect("committing", broken));
        }
        let bytes = to_bytes(self)?;
        if bytes.len() > MANIFEST_BYTES {
            return Err(Error::new(
                Kind::Data,
                "committing",
                format!("a manifest of at most {MANIFEST_BYTES} bytes"),
                format!("{} bytes", bytes.len()),
                "give the run a shorter INPUT list or query",
            ));
        }
        Ok(bytes)
    }

    /// The first rule that this manifest breaks.
    fn broken_rule(&self) -> Option<String> {
        let Manifest {
            records, artifacts, ..
        } = self;
        let rows_of = |name: &str| {
            let named = artifacts.iter().find(|artifact| artifact.name == name);
            named.map_or(0, |artifact| artifact.rows)
        };
        let names_coverage = artifacts.iter().any(|artifact| artifact.name == COVERAGE);
        let stream = self.stream.unwrap_or_default();
        let covered = [
            stream.connections,
            stream.gaps,
            stream.jumps,
            stream.windows.closed,
            stream.parts.count,
        ];
        // There are few of them.
        let is_before = |place: usize, name: &str| {
            let mut before = artifacts.iter().take(place);
            before.any(|artifact| artifact.name == name)
        };
        let mut places = artifacts.iter().enumerate();
        let reserved = [STARTED, MANIFEST, INTERRUPTED, FAILURE];
        [
            (
                self.identity.format == FORMAT,
                "the format is this program's",
            ),
            (
                records.add_up(),
                "read = used + filtered + rejected + late + duplicate",
            ),
            (
                self.identity.mode != Mode::Batch || self.ended_by == EndedBy::Finished,
                "a batch commits only when it is finished",
            ),
            (
                self.stream.is_some() || records.late == 0 && records.duplicate == 0,
                "only windows know late and duplicate records",
            ),
            (
                self.identity.mode != Mode::Stream || self.stream.is_some(),
                "a stream says what it came to",
            ),
            (
                self.stream.is_some() == names_coverage,
                "coverage of a stream, and of nothing else",
            ),
            (
                rows_of(COVERAGE) == covered.iter().sum::<u64>(),
                "a line for each window, connection, gap, jump and part",
            ),
            (
                stream.late == records.late && stream.windows.partial <= stream.windows.closed,
                "the totals of a stream",
            ),
            (
                self.shard.is_some() == artifacts.iter().any(|one| one.name == PARTIAL),
                "a partial result of a shard, and of nothing else",
            ),
            (
                self.shard.is_none_or(|shard| shard.i < shard.n),
                "a shard of as many as there are",
            ),
            (
                self.query_sha256 == sha256(self.query.as_bytes()),
                "the query's digest",
            ),
            (
                !places.any(|(place, artifact)| is_before(place, &artifact.name)),
                "no artifact is listed twice",
            ),
            (
                !artifacts
                    .iter()
                    .any(|one| reserved.contains(&one.name.as_str())),
                "no artifact has the name of a run's document",
            ),
            (
                rows_of(INPUTS) == self.inputs.count,
                "a line for each input",
            ),
            (
                rows_of(REJECTED) == records.rejected,
                "a line for each rejected record",
            ),
        ]
        .into_iter()
        .find_map(|(holds, rule)| (!holds).then(|| format!("a manifest that breaks: {rule}")))
    }
}

impl Records {
    /// `read = used + filtered + rejected + late + duplicate`.
    #[must_use]
    pub fn add_up(&self) -> bool {
        let places = [
            self.used,
            self.filtered,
            self.rejected,
            self.late,
            self.duplicate,
        ];
        places
            .into_iter()
            .try_fold(0_u64, u64::checked_add)
            .is_some_and(|sum| sum == self.read)
    }
}

impl Records {
    /// Adds those of another part of the input.
    pub fn add(&mut self, other: &Self) {
        for (sum, more) in [
            (&mut self.read, other.read),
            (&mut self.used, other.used),
            (&mut self.filtered, other.filtered),
            (&mut self.rejected, other.rejected),
            (&mut self.late, other.late),
            (&mut self.duplicate, other.duplicate),
        ] {
            *sum = sum.saturating_add(more);
        }
    }
}

impl From<&Error> for Reported {
    fn from(error: &Error) -> Self {
        let detail = error.detail().clone();
        Self {
            kind: detail.kind.name(),
            doing: detail.doing,
            place: detail.place,
            expected: detail.expected,
            found: detail.found,
            advice: detail.advice,
        }
    }
}

/// A document as it is stored: indented JSON with a newline at its end.
///
/// # Errors
/// 70; none of the documents has what JSON cannot hold.
pub fn to_bytes(document: &impl Serialize) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(document)
        .map_err(|cause| Error::defect("writing a document", cause.to_string()))?;
    bytes.push(b'\n');
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(name: &str, rows: u64) -> Receipt {
        Receipt {
            name: name.to_owned(),
            version_id: None,
            bytes: 1,
            sha256: sha256(b"x"),
            rows,
        }
    }

    fn manifest() -> Manifest {
        Manifest {
            identity: Identity::new("run-1", "0123", Mode::Batch),
            ended_by: EndedBy::Finished,
            started_at: utc(1_769_900_340_000_000),
            ended_at: utc(1_769_900_340_500_000),
            config: Map::new(),
            query: "SELECT 1".to_owned(),
            query_sha256: sha256(b"SELECT 1"),
            task: None,
            inputs: Inputs {
                count: 1,
                bytes: 5,
                listing_sha256: sha256(b""),
            },
            shard: None,
            records: Records {
                read: 6,
                used: 3,
                filtered: 2,
                rejected: 1,
                ..Records::default()
            },
            artifacts: vec![
                receipt("rollup.csv", 3),
                receipt(INPUTS, 1),
                receipt(REJECTED, 1),
            ],
            stream: None,
            s3: Requests::default(),
            peak_memory_bytes: 7,
            cpu_seconds: 0.5,
        }
    }

    #[test]
    fn the_fields_come_in_the_order_of_the_contract() {
        let bytes = manifest().to_bytes().unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let fields: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("  \"")?.split_once('"'))
            .map(|(name, _)| name)
            .collect();
        let want = "format program version target run_id nonce mode ended_by started_at ended_at config query \
                    query_sha256 task inputs shard records artifacts stream s3 peak_memory_bytes cpu_seconds";
        assert_eq!(fields, want.split(' ').collect::<Vec<_>>());
        let docs = include_str!("../docs/artifacts.md");
        for field in fields {
            assert!(
                docs.contains(&format!("`{field}`")),
                "docs/artifacts.md lacks {field}"
            );
        }
        assert!(text.contains("\"task\": null") && text.contains("\"ended_by\": \"finished\""));
        assert!(
            text.contains("\"started_at\": \"2026-01-31T22:59:00.000000Z\""),
            "{text}"
        );
        assert!(
            text.contains("\"ended_at\": \"2026-01-31T22:59:00.500000Z\""),
            "{text}"
        );
    }

    #[test]
    fn what_contradicts_itself_is_not_sent() {
        type Break = fn(&mut Manifest);
        let breaks: [(&str, Break); 18] = [
            ("a shard without its part", |one| {
                let nowhere = Bound {
                    input: 0,
                    offset: 0,
                };
                one.shard = Some(Shard {
                    i: 0,
                    n: 1,
                    began: nowhere,
                    ended: nowhere,
                });
            }),
            ("a part of no shard", |one| {
                one.artifacts.push(receipt(PARTIAL, 0))
            }),
            ("format", |one| one.identity.format = 2),
            ("one lost", |one| one.records.read = 7),
            ("one twice", |one| one.records.used = 4),
            ("wraps around", |one| one.records.used = u64::MAX),
            ("stopped", |one| one.ended_by = EndedBy::Sigterm),
            ("late", |one| (one.records.late, one.records.used) = (1, 2)),
            ("duplicate", |one| {
                (one.records.duplicate, one.records.used) = (1, 2)
            }),
            ("a stream without its totals", |one| {
                one.identity.mode = Mode::Stream
            }),
            ("totals without coverage", |one| {
                one.stream = Some(Stream::default())
            }),
            ("coverage of no stream", |one| {
                one.artifacts.push(receipt(COVERAGE, 0))
            }),
            ("a gap without a line", |one| {
                one.artifacts.push(receipt(COVERAGE, 0));
                one.stream = Some(Stream {
                    gaps: 1,
                    ..Stream::default()
                });
            }),
            ("another query", |one| one.query.push(' ')),
            ("listed twice", |one| {
                one.artifacts.push(receipt("rollup.csv", 0))
            }),
            ("a document", |one| one.artifacts.push(receipt(STARTED, 0))),
            ("an input without a line", |one| one.inputs.count = 2),
            ("a rejected record without a line", |one| {
                drop(one.artifacts.pop())
            }),
        ];
        assert_eq!(manifest().broken_rule(), None);
        for (name, change) in breaks {
            let mut broken = manifest();
            change(&mut broken);
            let error = broken.to_bytes().unwrap_err();
            assert_eq!(error.kind(), Kind::Defect, "{name}");
        }
    }

    #[test]
    fn a_stream_says_what_it_lacks() {
        let mut stream = manifest();
        stream.identity.mode = Mode::Stream;
        stream.ended_by = EndedBy::Sigterm;
        (stream.records.late, stream.records.used) = (1, 2);
        let windows = Windows {
            closed: 3,
            partial: 2,
        };
        stream.stream = Some(Stream {
            connections: 1,
            gaps: 2,
            windows,
            late: 1,
            ..Stream::default()
        });
        stream.artifacts.push(receipt(COVERAGE, 6));
        assert_eq!(stream.broken_rule(), None);
        assert_eq!(stream.name(), INTERRUPTED);
        let text = String::from_utf8(stream.to_bytes().unwrap()).unwrap();
        let text = text.replace(char::is_whitespace, "");
        let want = r#""stream":{"connections":1,"gaps":2,"jumps":0,"windows":{"closed":3,"partial":2},"late":1,"unchecked":0,"parts":{"count":0,"bytes":0}}"#;
        assert!(text.contains(want), "{text}");
    }

    #[test]
    fn a_manifest_of_one_mebibyte_and_one_byte_more() {
        let sized = |bytes: usize| {
            let mut manifest = manifest();
            manifest.query = "x".repeat(bytes);
            manifest.query_sha256 = sha256(manifest.query.as_bytes());
            manifest
        };
        let around = sized(0).to_bytes().unwrap().len();
        let most = sized(MANIFEST_BYTES - around);
        assert_eq!(most.to_bytes().unwrap().len(), MANIFEST_BYTES);
        let more = sized(MANIFEST_BYTES - around + 1);
        assert_eq!(more.to_bytes().unwrap_err().kind(), Kind::Data);
    }

    #[test]
    fn a_line_of_inputs() {
        let line = |read| InputLine {
            uri: "file:///a".to_owned(),
            version_id: None,
            etag: None,
            bytes: Some(1),
            compression: "none".into(),
            records: 3,
            read,
        };
        let head = r#"{"uri":"file:///a","version_id":null,"etag":null,"bytes":1,"compression":"none","records":3"#;
        for (read, want) in [
            (ReadTo::Whole, r#""whole""#),
            (ReadTo::ToRecord(3), r#"{"to_record":3}"#),
        ] {
            let text = serde_json::to_string(&line(read)).unwrap();
            assert_eq!(text, format!("{head},\"read\":{want}}}"));
        }
    }
}
