//! What comes before the first read: the texts that the environment points at, the checked query, the claim.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::budget::Budget;
use crate::command::stores::Stores;
use crate::commit::{Claim, Terms};
use crate::config::merge::Merge;
use crate::config::uri::OutputUri;
use crate::config::values::RunId;
use crate::config::{Compiled, Config, Text, problem};
use crate::error::{Error, Kind, Result};
use crate::limits;
use crate::log::Event;
use crate::manifest::{self, Identity, Mode, Started};
use crate::random::Nonce;
use crate::s3::Side;
use crate::stop::Stop;
use crate::supervise::Context;
use crate::task::Task as EcsTask;

/// The columns and the checked query, read from where they are.
///
/// # Errors
/// 78 for what is wrong with either; 69, 75 or 76 where the place of a text is to blame.
pub(super) fn compiled(
    context: &Context,
    config: &mut Config,
    stores: &Stores,
    query: &str,
) -> Result<Compiled> {
    match (&config.compiled, config.input.columns()) {
        (Some(compiled), _) => Ok(compiled.clone()),
        (None, None) => compile(config, "", query),
        (None, Some(columns)) => {
            let columns = text(columns, stores, &context.stop)?;
            let compiled = compile(config, &columns, query)?;
            // Written down like one that came inline: a result can be tied to its types.
            config.resolved.insert("COLUMNS".to_owned(), columns.into());
            Ok(compiled)
        }
    }
}

/// What all state of the run may take (SPEC 11).
pub(super) fn budget(limit_bytes: Option<u64>) -> Arc<Budget> {
    let limit = limit_bytes.unwrap_or(u64::MAX);
    Arc::new(Budget::new(limit / 100 * limits::STATE_PERCENT))
}

/// The least of the limits of the cgroup, the machine and the ECS task (SPEC 11).
pub(super) fn memory_limit(context: &Context, ecs: Option<&EcsTask>) -> Option<u64> {
    let of_task = ecs.and_then(EcsTask::memory_bytes);
    let limits_bytes = [context.machine.memory_limit_bytes, of_task];
    limits_bytes.into_iter().flatten().min()
}

fn compile(config: &Config, columns: &str, query: &str) -> Result<Compiled> {
    config
        .compile(columns, query)
        .map_err(|problems| problem::report(&problems))
}

/// The text itself, read from where it is: 78 where what is there is of no use, as the RUN_ID is still free.
pub(super) fn text(text: &Text, stores: &Stores, stop: &Stop) -> Result<String> {
    let uri = match text {
        Text::Inline(text) => return Ok(text.clone()),
        Text::Uri(uri) => uri,
    };
    let advice = "look at what the variable points at";
    let unusable = |found: String, advice: &str| {
        let expected = format!("a text in UTF-8 of at most {} bytes", limits::QUERY_BYTES);
        Error::new(Kind::Config, "reading", expected, found, advice).at_uri(uri.to_string())
    };
    let read = || -> Result<Vec<u8>> {
        let (store, key) = stores.text(uri)?;
        let opened = store.open(&key, None, stop)?;
        let opened = opened.ok_or_else(|| unusable("none".to_owned(), advice))?;
        opened.read_small(&uri.to_string(), limits::QUERY_BYTES)
    };
    let bytes = read().map_err(|error| match error.kind() {
        // Neither the variable nor what it points at is to blame.
        Kind::Unavailable | Kind::Interrupted | Kind::Protocol | Kind::Defect => error,
        Kind::Usage
        | Kind::Data
        | Kind::Input
        | Kind::Taken
        | Kind::LocalIo
        | Kind::Denied
        | Kind::Config => unusable(error.detail().found.clone(), &error.detail().advice),
    })?;
    String::from_utf8(bytes).map_err(|_| unusable("other bytes".to_owned(), advice))
}

/// Where a run puts its claim, and what that says.
pub(super) struct Place<'a> {
    /// OUTPUT
    pub(super) output: &'a OutputUri,
    /// Below it: RUN_ID, and a shard's directory.
    pub(super) prefix: String,
    /// RUN_ID
    pub(super) run_id: &'a RunId,
    /// Every variable resolved and redacted.
    pub(super) resolved: &'a Map<String, Value>,
}

impl<'a> From<&'a Config> for Place<'a> {
    fn from(config: &'a Config) -> Self {
        Self {
            output: &config.output,
            prefix: config.prefix(),
            run_id: &config.run_id,
            resolved: &config.resolved,
        }
    }
}

impl<'a> From<&'a Merge> for Place<'a> {
    fn from(merge: &'a Merge) -> Self {
        Self {
            output: &merge.output,
            prefix: merge.run_id.as_str().to_owned(),
            run_id: &merge.run_id,
            resolved: &merge.resolved,
        }
    }
}

/// Takes the RUN_ID, and says so.
///
/// # Errors
/// Those of [`Claim::take`].
pub(super) fn claim<'a>(
    context: &Context,
    place: impl Into<Place<'a>>,
    mode: Mode,
    stores: &Stores,
    ecs: Option<&EcsTask>,
) -> Result<Claim> {
    let place = place.into();
    let nonce = Nonce::draw(context.random.as_ref())?;
    let claim = Claim::take(Terms {
        store: stores.runs(place.output, Side::Output)?,
        prefix: place.prefix,
        attempts: stores.attempts(),
        started: Started {
            identity: Identity::new(place.run_id.as_str(), nonce.as_str(), mode),
            started_at: manifest::utc(context.clock.wall_us()),
            task_arn: ecs.map(|task| task.arn.clone()),
            config: place.resolved.clone(),
        },
        nonce,
        stop: context.stop.clone(),
        clock: Arc::clone(&context.clock),
        state: context.commit.clone(),
    })?;
    let uri = claim.destination().uri("");
    let started = Event::info("started", format!("claimed {uri}"))
        .with("uri", uri)
        .with("cpus", context.machine.cpus.get())
        .with("memory_limit_bytes", memory_limit(context, ecs));
    context.log.event(&started);
    Ok(claim)
}
