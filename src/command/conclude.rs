//! The end of a run that has a result: its manifest, the commit, and what is told of it (SPEC 7 and 9).

use serde_json::{Map, Value};

use crate::command::stores::Stores;
use crate::commit::{Claim, Committed};
use crate::digest::sha256;
use crate::error::Result;
use crate::log::{Event, Log};
use crate::machine::Usage;
use crate::manifest::{self, EndedBy, Inputs, Manifest, Receipt, Records, Shard, Stream};
use crate::supervise::{Context, Outcome};
use crate::task::Task as EcsTask;

/// What is known of a run from its claim on.
pub(super) struct Conclusion<'run> {
    pub(super) context: &'run Context,
    /// Every variable resolved and redacted.
    pub(super) config: &'run Map<String, Value>,
    pub(super) stores: &'run Stores,
    pub(super) claim: &'run Claim,
    pub(super) ecs: Option<EcsTask>,
    pub(super) query: &'run str,
}

/// What it came to.
pub(super) struct Results {
    pub(super) ended_by: EndedBy,
    pub(super) inputs: Inputs,
    pub(super) shard: Option<Shard>,
    pub(super) records: Records,
    pub(super) artifacts: Vec<Receipt>,
    pub(super) stream: Option<Stream>,
}

impl Conclusion<'_> {
    /// Commits the result.
    ///
    /// # Errors
    /// Those of [`Claim::finish`].
    pub(super) fn commit(self, results: Results) -> Result<(Manifest, Committed)> {
        let (started, usage) = (self.claim.started(), Usage::read());
        let manifest = Manifest {
            identity: started.identity.clone(),
            ended_by: results.ended_by,
            started_at: started.started_at.clone(),
            ended_at: manifest::utc(self.context.clock.wall_us()),
            config: self.config.clone(),
            query: self.query.to_owned(),
            query_sha256: sha256(self.query.as_bytes()),
            task: self.ecs,
            inputs: results.inputs,
            shard: results.shard,
            records: results.records,
            artifacts: results.artifacts,
            stream: results.stream,
            s3: self.stores.requests(),
            peak_memory_bytes: usage.peak_memory_bytes.unwrap_or_default(),
            cpu_seconds: usage.cpu_seconds.unwrap_or_default(),
        };
        let committed = self.claim.finish(&manifest)?;
        Ok((manifest, committed))
    }
}

/// Tells of the result.
pub(super) fn outcome(log: &Log, manifest: &Manifest, committed: &Committed) -> Outcome {
    let sha256 = committed.sha256.to_string();
    let event = Event::info("committed", format!("committed {}", committed.uri));
    log.event(
        &event
            .with("uri", committed.uri.as_str())
            .with("sha256", sha256),
    );
    let Records {
        read,
        used,
        filtered,
        rejected,
        late,
        duplicate,
    } = manifest.records;
    let rows = manifest.artifacts.first().map_or(0, |rollup| rollup.rows);
    let mut facts = vec![
        ("read", read),
        ("used", used),
        ("filtered", filtered),
        ("rejected", rejected),
        ("rows", rows),
        ("inputs", manifest.inputs.count),
        ("bytes", manifest.inputs.bytes),
    ];
    if let Some(stream) = &manifest.stream {
        facts.extend([
            ("late", late),
            ("duplicate", duplicate),
            ("windows", stream.windows.closed),
            ("gaps", stream.gaps),
            ("parts", stream.parts.count),
        ]);
    }
    let mut fields = Map::new();
    for (name, number) in facts {
        fields.insert(name.to_owned(), number.into());
    }
    Outcome::Run {
        message: format!("{read} records read, {rows} rows committed"),
        fields,
    }
}
