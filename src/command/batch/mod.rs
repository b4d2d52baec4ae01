//! `windrow batch`: reads finite inputs, runs the query, writes artifacts, commits, exits (SPEC 2). Read downwards, it
//! is the flow of ARCHITECTURE.md.

mod feed;
mod fold;
mod lanes;
mod listing;
mod rejected;
mod warnings;
mod work;

use serde_json::Map;

use crate::budget::Charged;
use crate::command::outputs::Outputs;
use crate::command::prepare::{budget, claim, compiled, memory_limit, text};
use crate::command::stores::Stores;
use crate::commit::{Claim, Committed, Unfinished};
use crate::config::{Config, Input as Named};
use crate::decode::Format;
use crate::digest::sha256;

use crate::error::{Error, Kind, Result};
use crate::limits;
use crate::log::{Event, Log};
use crate::machine::Usage;
use crate::manifest::{self, EndedBy, Manifest, Mode, Records};
use crate::source;
use crate::supervise::{Context, Outcome};
use crate::task::Task as EcsTask;
use feed::{Feed, Objects, Seen};
use fold::{Flow, Fold, Tally};
use listing::Listing;
use work::{Task, Worker};

/// The variables of a replay are checked like all others; the replay itself is not built yet.
fn refuse_captures(config: &Config) -> Result<()> {
    let Named::Objects { format, .. } = &config.input else {
        return Ok(());
    };
    match format {
        Format::Csv { .. } | Format::Ndjson { .. } | Format::Json { .. } => Ok(()),
        Format::Capture { .. } => Err(Error::new(
            Kind::Config,
            "reading the configuration",
            "an INPUT_FORMAT that this version reads",
            "capture, which is not built yet",
            "`windrow check batch` says whether the rest is right",
        )),
    }
}

/// Runs a batch to its committed result.
///
/// # Errors
/// Why it ended otherwise; a run that held its claim has left a failure.json where it still could.
pub fn run(context: &Context, mut config: Config) -> Result<Outcome> {
    let worker_bytes = u64::try_from(limits::WORKER_BYTES).unwrap_or(u64::MAX);
    let threads = config.resolve_threads(context.machine.threads(worker_bytes));
    context.log.name_run(config.run_id.as_str());
    refuse_captures(&config)?;
    let stores = Stores::new(context, config.s3.as_ref(), config.https.as_ref())?;
    let ecs = stores.task(context, config.metadata_uri.as_deref());
    let query = text(&config.query, &stores, &context.stop)?;
    let limit_bytes = memory_limit(context, ecs.as_ref());
    let compiled = compiled(context, &mut config, &stores, &query)?;
    let task = Task::new(&config, compiled, budget(limit_bytes));

    let claim = claim(context, &config, Mode::Batch, &stores, ecs.as_ref())?;
    let mut tally = Tally {
        phase: "listing",
        records: Records::default(),
        read: Vec::new(),
        whole: 0,
    };
    let committed = context.guard(|| {
        let work = Work {
            context,
            config: &config,
            stores: &stores,
            ecs,
            query: &query,
            task: &task,
            claim: &claim,
            threads: threads.get(),
            fetchers: source::fetchers(limit_bytes, threads.get()),
        };
        work.run(&mut tally)
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
    stores: &'run Stores,
    ecs: Option<EcsTask>,
    query: &'run str,
    task: &'run Task,
    claim: &'run Claim,
    threads: usize,
    /// Threads that fetch ahead.
    fetchers: usize,
}

impl Work<'_> {
    fn run(&self, tally: &mut Tally) -> Result<(Manifest, Committed)> {
        let listing = Listing::take(self.context, self.config, self.stores, self.task)?;
        tally.read = vec![0; listing.len()];
        tally.whole = match self.task.rows_limit() {
            Some(0) => 0,
            Some(_) | None => listing.len(),
        };

        tally.phase = "reading";
        let mut outputs = Outputs::create(
            self.task.output_format,
            &self.task.plan.outputs,
            self.claim.destination(),
        )?;
        let mut fold = Fold::new(
            self.task,
            &listing,
            &mut outputs,
            tally,
            &self.context.log,
            self.query,
        );
        let (mut workers, seen) = match fold.flow() {
            Flow::Filled => (Vec::new(), None),
            Flow::GoOn => self.read(&listing, &mut fold)?,
        };
        workers.push(fold.into_worker());
        warnings::tell(self.task, &workers, tally.records, &self.context.log);

        tally.phase = "grouping";
        self.groups(workers, &mut outputs)?;

        tally.phase = "writing";
        let lines = listing.lines(seen.as_deref().unwrap_or_default(), tally);
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
            task: self.ecs.clone(),
            inputs: listing.totals,
            shard: (),
            records: tally.records,
            artifacts,
            stream: (),
            s3: self.stores.requests(),
            peak_memory_bytes: usage.peak_memory_bytes.unwrap_or_default(),
            cpu_seconds: usage.cpu_seconds.unwrap_or_default(),
        };
        let committed = self.claim.finish(&manifest)?;
        Ok((manifest, committed))
    }

    /// Works the whole input through; gives the workers back, and what was seen of the inputs.
    fn read<'run>(
        &'run self,
        listing: &Listing,
        fold: &mut Fold<'_, 'run>,
    ) -> Result<(Vec<Worker<'run>>, Option<Charged<Seen>>)> {
        let stop = &self.context.stop;
        let mut drive = |mut feed: Feed<'_>| {
            let workers = lanes::drive(self.task, self.threads, &mut feed, fold, stop)?;
            Ok((workers, feed.into_seen()))
        };
        match &self.config.input {
            Named::Range(range) => drive(Feed::range(*range)),
            Named::Feeds(_) => Err(listing::no_feeds()),
            Named::Objects { format, .. } => {
                source::with(&listing.inputs, self.fetchers, stop, |source| {
                    let objects = Objects::new(self.task, format, source, listing, stop);
                    drive(Feed::Objects(Box::new(objects)))
                })
            }
        }
    }

    /// Merges what the workers gathered, and writes the rows of it.
    fn groups(&self, workers: Vec<Worker<'_>>, outputs: &mut Outputs) -> Result<()> {
        let mut states = workers.into_iter().filter_map(Worker::into_state);
        let Some(mut whole) = states.next() else {
            return Ok(());
        };
        let lift = |failure| fold::lift_rollup(self.query, failure);
        for state in states {
            self.context.stop.check()?;
            whole.merge(state).map_err(lift)?;
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
    let mut fields = Map::new();
    for (name, number) in facts {
        fields.insert(name.to_owned(), number.into());
    }
    Outcome::Run { message, fields }
}
