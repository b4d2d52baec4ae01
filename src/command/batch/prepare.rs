//! What comes before the first read: the texts that the environment points at, the checked query, the claim.

use std::path::Path;
use std::sync::Arc;

use super::work::Task;
use crate::commit::{Claim, Terms};
use crate::config::uri::FileUri;
use crate::config::{Compiled, Config, Input as Named, Text, problem};
use crate::error::{Error, Kind, Result};
use crate::limits;
use crate::log::Event;
use crate::manifest::{self, Identity, Mode, Started};
use crate::random::Nonce;
use crate::rollup::budget::Budget;
use crate::stop::Stop;
use crate::store::Store;
use crate::store::file::FileStore;
use crate::supervise::Context;

/// What all workers need: the checked query and the columns it reads.
pub(super) fn task(context: &Context, config: &Config, query: &str) -> Result<Task> {
    let Compiled { columns, plan } = match (&config.compiled, &config.input) {
        (Some(compiled), _) => compiled.clone(),
        (None, Named::Range(_)) => compile(config, "", query)?,
        (None, Named::Files { columns, .. }) => {
            compile(config, &text(columns, &context.stop)?, query)?
        }
    };
    let read = plan
        .columns
        .iter()
        .filter_map(|&index| columns.get(index).cloned())
        .collect();
    let limit = context.machine.memory_limit_bytes.unwrap_or(u64::MAX);
    Ok(Task {
        plan,
        columns: read,
        format: match &config.input {
            Named::Files { format, .. } => Some(format.clone()),
            Named::Range(_) => None,
        },
        output_format: config.output_format,
        on_bad_record: config.on_bad_record,
        budget: Arc::new(Budget::new(limit / 100 * limits::STATE_PERCENT)),
    })
}

fn compile(config: &Config, columns: &str, query: &str) -> Result<Compiled> {
    config
        .compile(columns, query)
        .map_err(|problems| problem::report(&problems))
}

/// The text itself, read from its file where that is where it is: 78 where that fails, as the RUN_ID is still free.
pub(super) fn text(text: &Text, stop: &Stop) -> Result<String> {
    let uri = match text {
        Text::Inline(text) => return Ok(text.clone()),
        Text::Uri(uri) => uri,
    };
    let unusable = |found: String| {
        let expected = format!("a text in UTF-8 of at most {} bytes", limits::QUERY_BYTES);
        let advice = "look at what the variable points at";
        Error::new(Kind::Config, "reading", expected, found, advice).at_uri(uri.to_string())
    };
    let read = || -> Result<Vec<u8>> {
        let (store, key) = whole_file(uri)?;
        let opened = store.open(&key, None, stop)?;
        let opened = opened.ok_or_else(|| unusable("no such file".to_owned()))?;
        opened.read_small(&uri.to_string(), limits::QUERY_BYTES)
    };
    let bytes = read().map_err(|error| unusable(error.detail().found.clone()))?;
    String::from_utf8(bytes).map_err(|_| unusable("other bytes".to_owned()))
}

/// The store and key of one file, in which a `*` is a character like any other.
fn whole_file(uri: &FileUri) -> Result<(FileStore, String)> {
    let (directory, name) = uri.path().rsplit_once('/').unwrap_or(("", uri.path()));
    let (store, _) = FileStore::input(&format!("{directory}/"))?;
    Ok((store, name.to_owned()))
}

/// Takes the RUN_ID, and says so.
pub(super) fn claim(context: &Context, config: &Config) -> Result<Claim> {
    let nonce = Nonce::draw(context.random.as_ref())?;
    let claim = Claim::take(Terms {
        store: Arc::new(FileStore::output(Path::new(config.output.path()))),
        prefix: config.run_id.as_str().to_owned(),
        attempts: 1,
        started: Started {
            identity: Identity::new(config.run_id.as_str(), nonce.as_str(), Mode::Batch),
            started_at: manifest::utc(context.clock.wall_us()),
            task_arn: None,
            config: config.resolved.clone(),
        },
        nonce,
        stop: context.stop.clone(),
        clock: Arc::clone(&context.clock),
        state: context.commit.clone(),
    })?;
    let uri = claim.destination().uri("");
    context
        .log
        .event(&Event::info("started", format!("claimed {uri}")).with("uri", uri));
    Ok(claim)
}
