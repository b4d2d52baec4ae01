//! `windrow merge`: combines the partial results of n shards into the result that one worker would have written (SPEC 7,
//! "Shards"). Its memory is the merged state and one shard's buffers, however many shards there are.

mod artifact;
mod documents;
mod lines;
mod listings;

use std::sync::Arc;

use crate::budget::Budget;
use crate::command::conclude::{Conclusion, Results, outcome};
use crate::command::faults::{lift_rollup, object_fault};
use crate::command::outputs::Outputs;
use crate::command::partial::Reader;
use crate::command::prepare::{budget, claim, memory_limit};
use crate::command::stores::Stores;
use crate::commit::{Claim, Committed, Unfinished};
use crate::config::merge::Merge;
use crate::config::{Compiled, problem};
use crate::decode::{Cursor, Fault};
use crate::error::Result;
use crate::limits::BATCH_ROWS;
use crate::log::Event;
use crate::manifest::{EndedBy, Inputs, Manifest, Mode, PARTIAL, Records};
use crate::rollup::{Loader, Refused, State};
use crate::source;
use crate::supervise::{Context, Outcome};
use crate::task::Task as EcsTask;
use crate::value::vector::Batch;
use artifact::{Artifact, Reading};
use documents::{Found, Shard};

/// Runs a merge to its committed result.
///
/// # Errors
/// 66 where a shard is not there, 65 where shards disagree; as for a batch otherwise. A run that held its claim has left a
/// failure.json where it still could.
pub fn run(context: &Context, merge: &Merge) -> Result<Outcome> {
    context.log.name_run(merge.run_id.as_str());
    let stores = Stores::new(context, merge.s3.as_ref(), None)?;
    let ecs = stores.task(context, merge.metadata_uri.as_deref());
    let limit_bytes = memory_limit(context, ecs.as_ref());
    let budget = budget(limit_bytes);
    let claim = claim(context, merge, Mode::Merge, &stores, ecs.as_ref())?;
    let mut tally = Tally {
        phase: "listing",
        records: Records::default(),
    };
    let committed = context.guard(|| {
        let work = Work {
            context,
            merge,
            stores: &stores,
            ecs,
            claim: &claim,
            budget: &budget,
            fetchers: source::fetchers(limit_bytes, 1),
        };
        work.run(&mut tally)
    });
    match committed {
        Ok((manifest, committed)) => Ok(outcome(&context.log, &manifest, &committed)),
        Err(error) => {
            let Tally { phase, records } = tally;
            claim.fail(
                &error,
                Unfinished {
                    phase,
                    records,
                    ..Unfinished::default()
                },
            );
            Err(error)
        }
    }
}

/// How far a run is.
struct Tally {
    phase: &'static str,
    records: Records,
}

/// What a run has once it holds its claim.
struct Work<'run> {
    context: &'run Context,
    merge: &'run Merge,
    stores: &'run Stores,
    ecs: Option<EcsTask>,
    claim: &'run Claim,
    budget: &'run Arc<Budget>,
    /// Threads that fetch ahead.
    fetchers: usize,
}

impl Work<'_> {
    fn run(&self, tally: &mut Tally) -> Result<(Manifest, Committed)> {
        let reading = self.reading();
        let found = documents::find(self.merge, self.stores, &reading)?;
        self.tell(&found);
        let compiled = found.compile().map_err(|all| problem::report(&all))?;

        tally.phase = "reading";
        let columns = &compiled.plan.outputs;
        let destination = self.claim.destination();
        let mut outputs = Outputs::create(self.merge.output_format, columns, destination)?;
        lines::rejected(&found, &mut outputs, &self.context.log, &reading)?;
        self.rows(&found, &compiled, &mut outputs, tally)?;

        tally.phase = "writing";
        let mut inputs = Inputs {
            count: 0,
            bytes: found.shards.iter().map(|shard| shard.inputs.bytes).sum(),
            listing_sha256: found.listing_sha256,
        };
        let artifacts = outputs.finish_by(|take| {
            lines::inputs(&found, &reading, &mut |line| {
                inputs.count = inputs.count.saturating_add(1);
                take(line)
            })
        })?;

        tally.phase = "committing";
        let conclusion = Conclusion {
            context: self.context,
            config: &self.merge.resolved,
            stores: self.stores,
            claim: self.claim,
            ecs: self.ecs.clone(),
            query: &found.query,
        };
        conclusion.commit(Results {
            ended_by: EndedBy::Finished,
            inputs,
            shard: None,
            records: tally.records,
            artifacts,
            stream: None,
        })
    }

    fn tell(&self, found: &Found) {
        let count = found.shards.len();
        let bytes: u64 = found.shards.iter().map(Shard::partial_bytes).sum();
        let text = format!("merging {count} shards of {bytes} bytes");
        let event = Event::info("input", text).with("inputs", count);
        self.context.log.event(&event.with("bytes", bytes));
    }

    /// Reads the partial results in the order of the shards, and writes the rows that they come to.
    fn rows(
        &self,
        found: &Found,
        compiled: &Compiled,
        outputs: &mut Outputs,
        tally: &mut Tally,
    ) -> Result<()> {
        let plan = &compiled.plan;
        let Some(mut state) = State::new(&plan.shape, self.budget) else {
            let fields: Vec<_> = plan
                .outputs
                .iter()
                .map(|one| (one.name.clone(), one.ty))
                .collect();
            let reader = Reader::new(&fields);
            return self.partials(found, &mut |shard, artifact| {
                self.one(shard, artifact, &reader, |batch, _| outputs.groups(batch))?;
                self.count(shard, found, tally);
                Ok(())
            });
        };
        let columns = compiled.read();
        let types: Vec<_> = columns.iter().map(|column| column.form.ty()).collect();
        let layout = state.layout(&types);
        let reader = Reader::new(&layout.fields);
        let lift = |failure| lift_rollup(&found.query, failure);
        self.partials(found, &mut |shard, artifact| {
            let mut loader = Loader::new(&mut state, &layout, self.budget);
            self.one(shard, artifact, &reader, |batch, uri| {
                loader.take(batch).map_err(|refused| match refused {
                    Refused::Malformed(expected) => artifact::malformed(expected, "others", uri),
                    Refused::Failure(failure) => lift(failure),
                })
            })?;
            self.count(shard, found, tally);
            Ok(())
        })?;
        tally.phase = "grouping";
        outputs.results(state, &found.query, &self.context.stop)
    }

    fn reading(&self) -> Reading<'_> {
        Reading {
            fetchers: self.fetchers,
            budget: self.budget,
            stop: &self.context.stop,
        }
    }

    /// Hands the partial result of every shard to `take`, in the order of the shards.
    fn partials(
        &self,
        found: &Found,
        take: &mut dyn FnMut(&Shard, Artifact<'_>) -> Result<()>,
    ) -> Result<()> {
        if let Some(shard) = found
            .shards
            .iter()
            .find(|one| one.artifact(PARTIAL).is_none())
        {
            return Err(artifact::malformed(PARTIAL, "none", &shard.uri(PARTIAL)));
        }
        self.reading().each(found.shards.iter(), PARTIAL, take)
    }

    /// Reads the partial result of one shard batch by batch.
    fn one(
        &self,
        shard: &Shard,
        mut artifact: Artifact<'_>,
        reader: &Reader,
        mut take: impl FnMut(&Batch, &str) -> Result<()>,
    ) -> Result<()> {
        let stop = &self.context.stop;
        let uri = artifact.uri.clone();
        let (mut framer, mut decoder) = (reader.framer(&uri), reader.decoder());
        let (mut batch, mut rejects) = (Batch::default(), Vec::new());
        let mut rows = 0_u64;
        loop {
            let broken = |fault: Fault| object_fault(&fault, &uri);
            let Some(chunk) = framer.next().map_err(broken)? else {
                if framer.has_ended() {
                    break;
                }
                stop.check()?;
                let read = artifact.read(framer.room())?;
                framer.filled(read);
                continue;
            };
            let mut cursor = Cursor::default();
            while !cursor.is_at_end(&chunk) {
                decoder
                    .decode(&chunk, &mut cursor, BATCH_ROWS, &mut batch, &mut rejects)
                    .map_err(broken)?;
                if let Some(reject) = rejects.first() {
                    let (expected, found) = (reject.reason.expected(), reject.reason.found());
                    return Err(artifact::malformed(&expected, &found, &uri));
                }
                take(&batch, &uri)?;
            }
            rows = rows.saturating_add(cursor.record);
            framer.recycle(chunk.bytes);
        }
        match shard.artifact(PARTIAL).map(|receipt| receipt.rows) {
            Some(expected) if expected != rows => {
                let (expected, found) = (format!("{expected} lines"), format!("{rows}"));
                Err(artifact::malformed(&expected, &found, &uri))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn count(&self, shard: &Shard, found: &Found, tally: &mut Tally) {
        tally.records.add(&shard.records);
        let read = tally.records.read;
        let (next, shards) = (shard.part.i + 1, found.shards.len());
        let text = || format!("{read} records merged, shard {next} of {shards}");
        self.context.log.progress(text);
    }
}
