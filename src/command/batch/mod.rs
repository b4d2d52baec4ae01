//! `windrow batch`: reads finite inputs, runs the query, writes artifacts, commits, exits (SPEC 2). Read downwards, it
//! is the flow of ARCHITECTURE.md.

mod feed;
mod fold;
mod lanes;
mod outputs;
mod rejected;
mod warnings;
mod work;

use std::path::Path;
use std::sync::Arc;

use crate::commit::{Claim, Committed, Terms, Unfinished};
use crate::config::uri::{FilePattern, FileUri, NumberRange};
use crate::config::{Compiled, Config, Input as Named, Text, problem};
use crate::digest::{Digest, Sha256, sha256};
use crate::error::{Error, Kind, Result};
use crate::limits;
use crate::log::{Event, Log};
use crate::machine::Usage;
use crate::manifest::{
    self, EndedBy, Identity, InputLine, Inputs, Manifest, Mode, Records, Requests, Started,
};
use crate::random::Nonce;
use crate::rollup::budget::Budget;
use crate::stop::Stop;
use crate::store::file::FileStore;
use crate::store::inputs::{self, Input};
use crate::store::{Pattern, Store};
use crate::supervise::{Context, Outcome};
use feed::{Feed, Objects, Seen};
use fold::{Flow, Fold, Tally};
use outputs::Outputs;
use work::{Task, Worker};

/// Runs a batch to its committed result.
///
/// # Errors
/// Why it ended otherwise; a run that held its claim has left a failure.json where it still could.
pub fn run(context: &Context, mut config: Config) -> Result<Outcome> {
    let worker_bytes = u64::try_from(limits::WORKER_BYTES).unwrap_or(u64::MAX);
    let threads = config.resolve_threads(context.machine.threads(worker_bytes));
    context.log.name_run(config.run_id.as_str());
    let query = text(&config.query, &context.stop)?;
    let task = task(context, &config, &query)?;

    let claim = claim(context, &config)?;
    let mut tally = Tally {
        phase: "listing",
        records: Records::default(),
        read: Vec::new(),
    };
    let committed = context.guard(|| {
        let work = Work {
            context,
            config: &config,
            query: &query,
            task: &task,
            claim: &claim,
        };
        work.run(threads.get(), &mut tally)
    });
    match committed {
        Ok((manifest, committed)) => Ok(outcome(&context.log, &manifest, &committed)),
        Err(error) => {
            claim.fail(
                &error,
                Unfinished {
                    phase: tally.phase,
                    records: tally.records,
                },
            );
            Err(error)
        }
    }
}

/// What a run has once it holds its claim.
struct Work<'run> {
    context: &'run Context,
    config: &'run Config,
    query: &'run str,
    task: &'run Task,
    claim: &'run Claim,
}

/// The whole input, listed.
struct Listing {
    /// Empty for a range.
    inputs: Vec<Input>,
    uris: Vec<Arc<str>>,
    totals: Inputs,
}

impl Work<'_> {
    fn run(&self, threads: usize, tally: &mut Tally) -> Result<(Manifest, Committed)> {
        let stop = &self.context.stop;
        let listing = self.list()?;
        tally.read = vec![0; listing.uris.len()];

        tally.phase = "reading";
        let mut outputs = Outputs::create(self.task, self.claim.destination())?;
        let mut feed = self.feed(&listing);
        let mut fold = Fold::new(
            self.task,
            &listing.uris,
            &mut outputs,
            tally,
            &self.context.log,
            self.query,
        );
        let workers = match fold.flow() {
            Flow::Filled => Vec::new(),
            Flow::GoOn => lanes::drive(self.task, threads, &mut feed, &mut fold, stop)?,
        };
        let is_cut = fold.flow() == Flow::Filled;
        warnings::tell(self.task, &workers, tally.records, &self.context.log);

        tally.phase = "grouping";
        self.groups(workers, &mut outputs)?;

        tally.phase = "writing";
        let seen = feed.into_seen();
        let lines = listing.lines(&seen, &tally.read, is_cut);
        let artifacts = outputs.finish(lines)?;

        tally.phase = "committing";
        let usage = Usage::read();
        let manifest = Manifest {
            identity: self.claim.started().identity.clone(),
            ended_by: EndedBy::Finished,
            started_at: self.claim.started().started_at.clone(),
            ended_at: manifest::utc(self.context.clock.wall_us()),
            config: self.config.resolved.clone(),
            query: self.query.to_owned(),
            query_sha256: sha256(self.query.as_bytes()),
            task: (),
            inputs: listing.totals,
            shard: (),
            records: tally.records,
            artifacts,
            stream: (),
            s3: Requests::default(),
            peak_memory_bytes: usage.peak_memory_bytes.unwrap_or_default(),
            cpu_seconds: usage.cpu_seconds.unwrap_or_default(),
        };
        let committed = self.claim.finish(&manifest)?;
        Ok((manifest, committed))
    }

    /// Lists everything that INPUT names, and charges the listing as state.
    fn list(&self) -> Result<Listing> {
        let listing = match &self.config.input {
            Named::Range(range) => Listing::of_range(*range),
            Named::Files { patterns, .. } => {
                let stores = patterns
                    .iter()
                    .map(input_store)
                    .collect::<Result<Vec<_>>>()?;
                Listing::of_inputs(inputs::list(&stores, &self.context.stop)?)
            }
        };
        let held: usize = listing
            .uris
            .iter()
            .map(|uri| uri.len() + size_of::<Input>())
            .sum();
        let held = u64::try_from(held).unwrap_or(u64::MAX);
        self.task.budget.charge(held).map_err(|exceeded| {
            fold::past_memory("the listing of the inputs", listing.totals.count, exceeded)
        })?;
        let Inputs { count, bytes, .. } = listing.totals;
        let text = format!("reading {count} inputs of {bytes} bytes");
        self.context.log.event(
            &Event::info("input", text)
                .with("inputs", count)
                .with("bytes", bytes),
        );
        Ok(listing)
    }

    fn feed<'a>(&'a self, listing: &'a Listing) -> Feed<'a> {
        match &self.config.input {
            Named::Range(range) => Feed::range(*range),
            Named::Files { format, .. } => Feed::Objects(Objects::new(
                self.task,
                format,
                &listing.inputs,
                &listing.uris,
                &self.context.stop,
            )),
        }
    }

    /// Merges what the workers gathered, and writes the result of a grouped query.
    fn groups(&self, workers: Vec<Worker<'_>>, outputs: &mut Outputs) -> Result<()> {
        let mut rollups = workers.into_iter().filter_map(Worker::into_rollup);
        let Some(mut whole) = rollups.next() else {
            return Ok(());
        };
        let lift = |failure| fold::lift_rollup(self.query, failure);
        for rollup in rollups {
            self.context.stop.check()?;
            whole.merge(rollup).map_err(lift)?;
        }
        let mut results = whole.finish().map_err(lift)?;
        while let Some(batch) = results
            .next_batch()
            .map_err(|problem| lift(problem.into()))?
        {
            self.context.stop.check()?;
            outputs.groups(&batch)?;
        }
        Ok(())
    }
}

impl Listing {
    fn of_inputs(inputs: Vec<Input>) -> Self {
        let mut hash = Sha256::new();
        let mut bytes = 0_u64;
        let mut uris = Vec::with_capacity(inputs.len());
        for input in &inputs {
            let uri = input.uri();
            hash.update(format!("{uri}\t{}\t{}\n", input.entry.bytes, input.entry.etag).as_bytes());
            bytes = bytes.saturating_add(input.entry.bytes);
            uris.push(Arc::from(uri));
        }
        let count = u64::try_from(inputs.len()).unwrap_or(u64::MAX);
        let totals = Inputs {
            count,
            bytes,
            listing_sha256: hash.finish(),
        };
        Self {
            inputs,
            uris,
            totals,
        }
    }

    fn of_range(range: NumberRange) -> Self {
        let uri = range.to_string();
        let listing_sha256: Digest = sha256(format!("{uri}\n").as_bytes());
        let totals = Inputs {
            count: 1,
            bytes: 0,
            listing_sha256,
        };
        Self {
            inputs: Vec::new(),
            uris: vec![Arc::from(uri)],
            totals,
        }
    }

    /// The lines of inputs.ndjson.gz.
    fn lines<'a>(
        &'a self,
        seen: &'a [Seen],
        read: &'a [u64],
        is_cut: bool,
    ) -> impl Iterator<Item = InputLine> + 'a {
        self.uris.iter().enumerate().map(move |(number, uri)| {
            let entry = self.inputs.get(number).map(|input| &input.entry);
            let seen = seen.get(number);
            let records = read.get(number).copied().unwrap_or_default();
            InputLine {
                uri: uri.to_string(),
                version_id: seen.and_then(|seen| seen.version_id.clone()),
                etag: entry.map(|entry| entry.etag.clone()),
                bytes: entry.map(|entry| entry.bytes),
                compression: seen.map_or("none", |seen| seen.compression),
                records,
                read: Seen::read_to(seen, is_cut, records),
            }
        })
    }
}

/// What all workers need: the checked query and the columns it reads.
fn task(context: &Context, config: &Config, query: &str) -> Result<Task> {
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
fn text(text: &Text, stop: &Stop) -> Result<String> {
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

fn input_store(pattern: &FilePattern) -> Result<(Arc<dyn Store>, Pattern)> {
    let uri = pattern.to_string();
    let (store, pattern) = FileStore::input(uri.strip_prefix("file://").unwrap_or(&uri))?;
    Ok((Arc::new(store), pattern))
}

/// Takes the RUN_ID, and says so.
fn claim(context: &Context, config: &Config) -> Result<Claim> {
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

/// Tells of the result.
fn outcome(log: &Log, manifest: &Manifest, committed: &Committed) -> Outcome {
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
        ..
    } = manifest.records;
    let rows = manifest.artifacts.first().map_or(0, |rollup| rollup.rows);
    let message = format!("{read} records read, {rows} rows committed");
    let facts = [
        ("read", read),
        ("used", used),
        ("filtered", filtered),
        ("rejected", rejected),
        ("rows", rows),
        ("inputs", manifest.inputs.count),
        ("bytes", manifest.inputs.bytes),
    ];
    let fields = facts
        .map(|(name, number)| (name.to_owned(), number.into()))
        .into_iter()
        .collect();
    Outcome::Run { message, fields }
}
