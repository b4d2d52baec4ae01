//! The configuration of `windrow merge`: where shards are, and where the result goes (SPEC 3). What was computed, the
//! shards say themselves.

use std::num::NonZeroUsize;
use std::time::Duration;

use serde_json::{Map, Value};

use super::S3;
use super::aws::Aws;
use super::given::Given;
use super::problem::{Fault, Problem};
use super::raw::Raw;
use super::read::{DRAIN_SECONDS, Uses, read_s3, refuse_long_keys};
use super::uri::{OutputUri, listed};
use super::values::{OutputFormat, RunId};
use super::variables::{self as known, Mode};

/// What `windrow merge` does.
#[derive(Clone, Debug)]
pub struct Merge {
    /// INPUT: prefixes of runs, or of single shards, in this order.
    pub shards: Vec<OutputUri>,
    /// SHARDS
    pub count: u32,
    /// Where the run's own directory or prefix is made.
    pub output: OutputUri,
    /// How buckets are reached, where any `s3://` is used.
    pub s3: Option<S3>,
    /// ECS_CONTAINER_METADATA_URI_V4, where it is set and a URI.
    pub metadata_uri: Option<String>,
    /// How the rollup is written.
    pub output_format: OutputFormat,
    /// The run's name.
    pub run_id: RunId,
    /// When the run must be done, counted from process start.
    pub deadline: Duration,
    /// How long it may then still take to leave.
    pub drain: Duration,
    /// Every variable that applies, with its value as it is used.
    pub resolved: Map<String, Value>,
}

impl Merge {
    /// The configuration that `raw` describes.
    ///
    /// # Errors
    /// Every problem, in the order of the table of variables.
    pub fn parse(raw: &Raw) -> Result<Self, Vec<Problem>> {
        let mut given = Given::new(raw, Mode::Merge);
        let merge = read(&mut given, raw);
        let problems = given.into_problems();
        match merge {
            Some(merge) if problems.is_empty() => Ok(merge),
            _ => Err(problems),
        }
    }
}

fn read(given: &mut Given<'_>, raw: &Raw) -> Option<Merge> {
    let shards: Option<Vec<_>> = given.parsed(&known::INPUT, |text| {
        let uris = listed(text)?;
        uris.iter().map(|uri| OutputUri::parse(uri)).collect()
    });
    let uses = Uses::of(given, Mode::Merge, None);
    for variable in known::ALL {
        if let Some(applies) = uses.applies(&variable) {
            given.check_presence(&variable, applies);
        }
    }
    let aws = Aws::parse(raw);
    let metadata_uri = aws.as_ref().ok().and_then(|aws| aws.metadata_uri.clone());
    let s3 = read_s3(given, aws, uses.reads_s3 || uses.writes_s3);
    let output = given.parsed(&known::OUTPUT, OutputUri::parse);
    let output_format = given.word(&known::OUTPUT_FORMAT).map(OutputFormat::of);
    let run_id = given.parsed(&known::RUN_ID, RunId::parse);
    let deadline = given.number(&known::MAX_RUNTIME_SECONDS);
    let drain = match given.is_set(&known::DRAIN_SECONDS) {
        false => Some(DRAIN_SECONDS),
        true => given.number(&known::DRAIN_SECONDS),
    };
    let threads = given.number(&known::THREADS);
    let count = given.number(&known::SHARDS);
    if let (Some(output), Some(run_id)) = (&output, &run_id) {
        refuse_long_keys(given, output, run_id);
        if let Some(shards) = &shards {
            refuse_output_inside_shards(given, shards, output, run_id);
        }
    }
    let mut merge = Merge {
        shards: shards?,
        count: u32::try_from(count?).ok()?,
        output: output?,
        s3,
        metadata_uri,
        output_format: output_format?,
        run_id: run_id?,
        deadline: Duration::from_secs(deadline?),
        drain: Duration::from_secs(drain?),
        resolved: Map::new(),
    };
    let threads = threads.and_then(|threads| usize::try_from(threads).ok());
    let threads = threads.and_then(NonZeroUsize::new);
    merge.resolved = resolved(given, &merge, uses, threads);
    Some(merge)
}

/// What a run writes below a shard is no artifact of that shard, and `verify` would not know it.
fn refuse_output_inside_shards(
    given: &mut Given<'_>,
    shards: &[OutputUri],
    output: &OutputUri,
    run_id: &RunId,
) {
    let own = format!("{output}/{}/", run_id.as_str());
    let reaching = shards
        .iter()
        .find(|uri| own.starts_with(&format!("{uri}/")));
    if let Some(uri) = reaching {
        let fault = Fault::new(
            "a directory that INPUT does not reach",
            format!("{output}, inside {uri}"),
            "the shards' own directories are theirs: write the result elsewhere",
        );
        given.refuse(&known::OUTPUT, fault);
    }
}

/// Every variable that applies, in its resolved form.
fn resolved(
    given: &Given<'_>,
    merge: &Merge,
    uses: Uses,
    threads: Option<NonZeroUsize>,
) -> Map<String, Value> {
    let mut all = Map::new();
    for variable in known::ALL {
        if uses.applies(&variable) == Some(true) {
            let value = given.text(&variable).map_or(Value::Null, Value::from);
            all.insert(variable.name.to_owned(), value);
        }
    }
    let shards: Value = merge.shards.iter().map(OutputUri::to_string).collect();
    for (variable, value) in [
        (known::INPUT, shards),
        (known::SHARDS, merge.count.into()),
        (known::OUTPUT, merge.output.to_string().into()),
        (known::MAX_RUNTIME_SECONDS, merge.deadline.as_secs().into()),
        (known::DRAIN_SECONDS, merge.drain.as_secs().into()),
        (known::THREADS, threads.map_or(1, NonZeroUsize::get).into()),
    ] {
        all.insert(variable.name.to_owned(), value);
    }
    if let Some(S3 { aws, attempts, .. }) = &merge.s3 {
        let endpoint = aws.endpoint.as_deref();
        all.insert(known::S3_ATTEMPTS.name.to_owned(), (*attempts).into());
        all.insert("AWS_REGION".to_owned(), aws.region.as_deref().into());
        all.insert("AWS_ENDPOINT_URL_S3".to_owned(), endpoint.into());
    }
    all
}
