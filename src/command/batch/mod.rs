//! `windrow batch`: reads finite inputs, runs the query, writes artifacts, commits, exits (SPEC 2). Read downwards, it
//! is the flow of ARCHITECTURE.md.

mod cut;
mod feed;
mod fold;
mod lanes;
mod listing;
mod replay;
mod work;

use crate::budget::Charged;
use crate::command::conclude::{Conclusion, Results, outcome};
use crate::command::faults::lift_rollup;
use crate::command::outputs::Outputs;
use crate::command::partial;
use crate::command::prepare::{budget, claim, compiled, memory_limit, text};
use crate::command::stores::Stores;
use crate::command::warnings;
use crate::command::windowed::{Besides, Written};
use crate::commit::{Claim, Committed, Unfinished};
use crate::config::redact::Secrets;
use crate::config::{Config, Input as Named};
use crate::decode::Met;
use crate::error::Result;
use crate::limits;
use crate::manifest::{EndedBy, Manifest, Mode, Records, Stream};
use crate::query::plan::Windows;
use crate::rollup::State;
use crate::source;
use crate::supervise::{Context, Outcome};
use crate::task::Task as EcsTask;
use feed::{Feed, Objects, Seen};
use fold::{Flow, Fold, Tally};
use listing::Listing;
use replay::Replay;
use work::{Task, Worker};

/// Runs a batch to its committed result.
///
/// # Errors
/// Why it ended otherwise; a run that held its claim has left a failure.json where it still could.
pub fn run(context: &Context, mut config: Config) -> Result<Outcome> {
    let worker_bytes = u64::try_from(limits::WORKER_BYTES).unwrap_or(u64::MAX);
    let threads = config.resolve_threads(context.machine.threads(worker_bytes));
    context.log.name_run(config.run_id.as_str());
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
        gaps: Vec::new(),
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
                    gaps: std::mem::take(&mut tally.gaps),
                    parts: Vec::new(),
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
        let (columns, destination) = (&self.task.plan.outputs, self.claim.destination());
        let mut outputs = match self.config.shard {
            None => Outputs::create(self.task.output_format, columns, destination)?,
            Some(_) => Outputs::of_shard(columns, destination)?,
        };
        let (seen, stream) = match self.task.windows {
            None => (self.query(&listing, &mut outputs, tally)?, None),
            Some(windows) => {
                let (seen, stream) = self.replay(windows, &listing, &mut outputs, tally)?;
                (seen, Some(stream))
            }
        };

        tally.phase = "writing";
        let lines = listing.lines(seen.as_deref().unwrap_or_default(), tally);
        let artifacts = outputs.finish(lines)?;

        tally.phase = "committing";
        let conclusion = Conclusion {
            context: self.context,
            config: &self.config.resolved,
            stores: self.stores,
            claim: self.claim,
            ecs: self.ecs.clone(),
            query: self.query,
        };
        conclusion.commit(Results {
            ended_by: EndedBy::Finished,
            inputs: listing.totals,
            shard: self.config.shard.map(|shard| listing.shard(shard)),
            records: tally.records,
            artifacts,
            stream,
        })
    }

    /// Works the whole input through and writes the rows; gives what was seen of the inputs.
    fn query(
        &self,
        listing: &Listing,
        outputs: &mut Outputs,
        tally: &mut Tally,
    ) -> Result<Option<Charged<Seen>>> {
        let (task, log, stop) = (self.task, &self.context.log, &self.context.stop);
        let mut fold = Fold::new(task, listing, outputs, tally, log, self.query);
        let (mut workers, seen) = match fold.flow() {
            Flow::Filled => (Vec::new(), None),
            Flow::GoOn => self.with_feed(listing, |mut feed| {
                let workers = lanes::drive(task, self.threads, &mut feed, &mut fold, stop)?;
                Ok((workers, feed.into_seen()))
            })?,
        };
        workers.push(fold.into_worker());
        if tally.records.read > 0 {
            warnings::tell(&task.columns, &met(&workers), log);
        }

        tally.phase = "grouping";
        self.groups(workers, outputs)?;
        Ok(seen)
    }

    /// Takes a capture through its windows and writes their rows, and what is known to be missing.
    fn replay(
        &self,
        windows: Windows,
        listing: &Listing,
        outputs: &mut Outputs,
        tally: &mut Tally,
    ) -> Result<(Option<Charged<Seen>>, Stream)> {
        let (log, stop) = (&self.context.log, &self.context.stop);
        outputs.cover();
        let mut written = Written::new(outputs, log, Mode::Batch, Secrets::default());
        let replay = Replay {
            task: self.task,
            windows,
            query: self.query,
            log,
            stop,
        };
        let replayed = self.with_feed(listing, |mut feed| {
            let uri = |input| listing.uri(input);
            let totals = replay.run(&mut feed, &mut written, tally, uri)?;
            Ok((totals, feed.into_seen()))
        });
        let stream = replayed.and_then(|(totals, seen)| {
            let stream = written.finish(&totals, &Besides::default())?;
            if totals.counts.read > 0 {
                warnings::tell(&self.task.columns, &totals.met, log);
            }
            Ok((seen, stream))
        });
        tally.gaps = written.into_gaps(Vec::new());
        stream
    }

    /// Hands `drive` the pieces of the input.
    fn with_feed<T>(
        &self,
        listing: &Listing,
        drive: impl FnOnce(Feed<'_>) -> Result<T>,
    ) -> Result<T> {
        let stop = &self.context.stop;
        match &self.config.input {
            Named::Range(range) => drive(Feed::range(*range, listing.span)),
            Named::Feeds(_) => Err(listing::no_feeds()),
            Named::Objects { format, .. } => source::with(
                &listing.inputs,
                listing.span,
                self.fetchers,
                stop,
                |source| {
                    let objects = Objects::new(self.task, format, source, listing, stop);
                    drive(Feed::Objects(Box::new(objects)))
                },
            ),
        }
    }

    /// Merges what the workers gathered, and writes the rows of it.
    fn groups(&self, workers: Vec<Worker<'_>>, outputs: &mut Outputs) -> Result<()> {
        let mut states = workers.into_iter().filter_map(Worker::into_state);
        let Some(mut whole) = states.next() else {
            return Ok(());
        };
        let lift = |failure| lift_rollup(self.query, failure);
        for state in states {
            self.context.stop.check()?;
            whole.merge(state).map_err(lift)?;
        }
        if self.config.shard.is_some() {
            return self.partial(whole, outputs);
        }
        outputs.results(whole, self.query, &self.context.stop)
    }
}

impl Work<'_> {
    /// Writes a shard's state as it is, for `merge`.
    fn partial(&self, state: State<'_>, outputs: &mut Outputs) -> Result<()> {
        let lift = |failure| lift_rollup(self.query, failure);
        let layout = state.layout(&self.task.types());
        let encoders = partial::encoders(&layout);
        let mut tables = state.into_partial(&self.task.budget).map_err(lift)?;
        while let Some((table, batch)) = tables.next_batch().map_err(lift)? {
            self.context.stop.check()?;
            if let Some(encoder) = encoders.get(table) {
                outputs.table(encoder, &batch)?;
            }
        }
        Ok(())
    }
}

/// What all workers met of each column.
fn met(workers: &[Worker<'_>]) -> Vec<Met> {
    let mut met: Vec<Met> = Vec::new();
    for of_worker in workers.iter().filter_map(Worker::met) {
        met.resize(of_worker.len(), Met::default());
        met.iter_mut()
            .zip(of_worker)
            .for_each(|(met, new)| met.add(*new));
    }
    met
}
