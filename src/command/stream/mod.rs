//! `windrow stream`: reads WebSocket feeds until the deadline, closes event-time windows as it goes, writes artifacts,
//! commits, exits (SPEC 2 and 6). Read downwards, it is the flow of ARCHITECTURE.md.

mod live;
mod parts;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::scope;
use std::time::Duration;

use crate::budget::Budget;
use crate::command::conclude::{Conclusion, Results, outcome};
use crate::command::outputs::Outputs;
use crate::command::prepare::{budget, claim, compiled, memory_limit, text};
use crate::command::stores::{Stores, warn_of_proxies};
use crate::command::warnings;
use crate::command::windowed::{Besides, Written, records, rejects};
use crate::commit::{Claim, Committed, Unfinished};
use crate::config::feeds::{FeedUri, Feeds as Named, OnDisconnect};
use crate::config::{Compiled, Config, Input};
use crate::digest::Sha256;
use crate::error::{Error, Result};
use crate::feed::{Address, Feeds, Heartbeat, Queue, Settings};
use crate::gzip::Compression;
use crate::http::tls::Trust;
use crate::http::{Client, Header};
use crate::manifest::{EndedBy, InputLine, Inputs, Manifest, Mode, ReadTo};
use crate::message::Block;
use crate::query::plan::Shape;
use crate::stop::{Cause, Stop};
use crate::supervise::{Context, Outcome};
use crate::task::Task as EcsTask;
use crate::value::column::Column;
use crate::window::{Core, Terms, Totals};
use live::{Live, OfFeed, Pace, Tally};
use parts::Parts;

/// Runs a stream to its committed result.
///
/// # Errors
/// Why it ended otherwise; a run that held its claim has left a failure.json where it still could, which lists the parts
/// of the capture.
pub fn run(context: &Context, mut config: Config) -> Result<Outcome> {
    // The feeds have a thread each; what they give is taken in one order, by one.
    config.resolve_threads(NonZeroUsize::MIN);
    context.log.name_run(config.run_id.as_str());
    let stores = Stores::new(context, config.s3.as_ref(), config.https.as_ref())?;
    let client = client(context, &config)?;
    let ecs = stores.task(context, config.metadata_uri.as_deref());
    let query = text(&config.query, &stores, &context.stop)?;
    let budget = budget(memory_limit(context, ecs.as_ref()));
    let compiled = compiled(context, &mut config, &stores, &query)?;

    let claim = claim(context, &config, Mode::Stream, &stores, ecs.as_ref())?;
    let feeds = named(&config)?.uris.len();
    let mut tally = Tally::started(feeds, context.clock.wall_us());
    let mut parts = None;
    let work = Work {
        context,
        config: &config,
        stores: &stores,
        client: &client,
        ecs,
        query: &query,
        compiled: &compiled,
        columns: &compiled.read(),
        claim: &claim,
        budget,
    };
    match context.guard(|| work.run(&mut parts, &mut tally)) {
        Ok((manifest, committed)) => Ok(outcome(&context.log, &manifest, &committed)),
        Err(error) => {
            // The drain bounds what is still done: what was received is made durable where that is possible.
            context.stop.request(Cause::Failure);
            let parts = parts.map_or_else(Vec::new, |mut parts: Parts| {
                let _ = parts.finish();
                parts.stored().to_vec()
            });
            let unfinished = Unfinished {
                phase: tally.phase,
                records: tally.records,
                gaps: tally.gaps,
                parts,
            };
            claim.fail(&error, unfinished);
            Err(error)
        }
    }
}

/// What a run has once it holds its claim.
struct Work<'run> {
    context: &'run Context,
    config: &'run Config,
    stores: &'run Stores,
    client: &'run Client,
    ecs: Option<EcsTask>,
    query: &'run str,
    compiled: &'run Compiled,
    /// Those that are read.
    columns: &'run [Column],
    claim: &'run Claim,
    budget: Arc<Budget>,
}

impl Work<'_> {
    fn run(&self, parts: &mut Option<Parts>, tally: &mut Tally) -> Result<(Manifest, Committed)> {
        let (named, destination) = (named(self.config)?, self.claim.destination());
        if let Some(capture) = named.capture {
            *parts = Some(Parts::start(
                destination,
                &self.context.clock,
                &self.context.log,
                &self.budget,
                capture.part,
            )?);
        }
        let format = self.config.output_format;
        let mut outputs = Outputs::create(format, &self.compiled.plan.outputs, destination)?;
        outputs.cover();

        let (log, settings) = (&self.context.log, settings(named));
        let secrets = settings.secrets.clone();
        let mut written = Written::new(&mut outputs, log, Mode::Stream, secrets);
        let streamed = self.stream(named, &settings, parts.as_mut(), &mut written, tally);
        let closed = streamed.and_then(|totals| {
            let ended_by = ended_by(&self.context.stop)?;
            tally.records = records(totals.counts);
            if totals.counts.read > 0 {
                warnings::tell(self.columns, &totals.met, &self.context.log);
            }
            let besides = Besides {
                gaps: tally.untold_gaps(),
                silent: tally.silent.clone(),
                parts: parts.as_ref().map_or(&[][..], Parts::stored),
            };
            let stream = written.finish(&totals, &besides)?;
            Ok((ended_by, stream))
        });
        let mut untold = std::mem::take(&mut tally.gaps);
        if closed.is_err() {
            untold.extend(tally.untold_gaps());
        }
        tally.gaps = written.into_gaps(untold);
        let (ended_by, stream) = closed?;

        tally.phase = "writing";
        let artifacts = outputs.finish(lines(named, &tally.feeds))?;

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
            ended_by,
            inputs: inputs(named, &tally.feeds),
            shard: None,
            records: tally.records,
            artifacts,
            stream: Some(stream),
        })
    }

    /// From the first connection to the last window.
    fn stream(
        &self,
        named: &Named,
        settings: &Settings,
        parts: Option<&mut Parts>,
        written: &mut Written<'_>,
        tally: &mut Tally,
    ) -> Result<Totals> {
        let mut live = Live {
            core: Core::new(self.terms(named)?),
            parts,
            clock: &self.context.clock,
            stop: &self.context.stop,
            secrets: &settings.secrets,
            log: &self.context.log,
            query: self.query,
            columns: self.columns,
            on_bad_record: self.config.on_bad_record,
            block: Block::default(),
            since: Duration::ZERO,
            n: 0,
            pace: Pace::default(),
        };
        let received = self.receive(settings, |queue| live.run(queue, written, tally));
        if let Err(error) = received {
            tally.gaps = live.missing().collect();
            return Err(error);
        }
        tally.phase = "closing";
        live.finish(written)
    }

    /// Hands what the feeds give to `take`, and ends them with it.
    fn receive(&self, settings: &Settings, take: impl FnOnce(&Queue) -> Result<()>) -> Result<()> {
        let queue = Queue::new(settings.feeds.len());
        let stop = self.context.stop.part();
        let feeds = Feeds {
            settings,
            client: self.client,
            clock: &self.context.clock,
            random: self.context.random.as_ref(),
            queue: &queue,
            stop: &stop,
        };
        scope(|scope| {
            feeds.start(scope)?;
            let taken = take(&queue);
            stop.request(Cause::Failure);
            taken
        })
    }

    fn terms<'a>(&'a self, named: &'a Named) -> Result<Terms<'a>> {
        let Compiled { plan, windows, .. } = self.compiled;
        let (Shape::Groups(groups), Some(windows)) = (&plan.shape, windows) else {
            return Err(Error::defect("streaming", "a query without windows"));
        };
        Ok(Terms {
            groups,
            filter: plan.filter.as_ref(),
            windows: *windows,
            columns: self.columns,
            records: named.records.as_ref(),
            feeds: named.uris.len(),
            rejects: rejects(self.config.on_bad_record),
            budget: Arc::clone(&self.budget),
        })
    }
}

/// What made the feeds end.
///
/// # Errors
/// Where it was neither the deadline nor a signal.
fn ended_by(stop: &Stop) -> Result<EndedBy> {
    match stop.cause() {
        Some(Cause::Deadline) => Ok(EndedBy::Deadline),
        Some(Cause::Sigterm) => Ok(EndedBy::Sigterm),
        Some(Cause::Sigint) => Ok(EndedBy::Sigint),
        Some(Cause::Sighup) => Ok(EndedBy::Sighup),
        Some(Cause::Failure) | None => {
            stop.check()?;
            Err(Error::defect("streaming", "feeds that ended by themselves"))
        }
    }
}

/// What INPUT names, which the checks of a stream's configuration made feeds.
fn named(config: &Config) -> Result<&Named> {
    match &config.input {
        Input::Feeds(feeds) => Ok(feeds),
        Input::Objects { .. } | Input::Range(_) => Err(Error::defect("streaming", "no feeds")),
    }
}

/// What connects the feeds.
///
/// # Errors
/// 78 for an AWS_CA_BUNDLE that cannot be used.
fn client(context: &Context, config: &Config) -> Result<Client> {
    let named = named(config)?;
    if config.s3.is_none() && config.https.is_none() {
        warn_of_proxies(context, &named.proxies);
    }
    let trust = Trust::load(named.ca_bundle.as_deref())?;
    Ok(Client::new(Arc::clone(&context.clock), trust))
}

fn settings(named: &Named) -> Settings {
    let address = |uri: &FeedUri| Address {
        uri: uri.expose().to_owned(),
        shown: uri.to_string(),
    };
    Settings {
        feeds: named.uris.iter().map(address).collect(),
        headers: named
            .headers
            .iter()
            .map(|(name, value)| Header::new(name, value.expose()))
            .collect(),
        subscribe: named
            .subscribe
            .iter()
            .map(|text| text.expose().to_owned())
            .collect(),
        heartbeat: named.heartbeat.as_ref().map(|heartbeat| Heartbeat {
            every: heartbeat.every,
            text: heartbeat.text.clone(),
        }),
        secrets: named.secrets(),
        idle: named.idle,
        reconnects: match named.on_disconnect {
            OnDisconnect::Fail => 0,
            OnDisconnect::Reconnect { limit } => limit,
        },
    }
}

/// The feeds as inputs: what they sent has no state that could be read again.
fn inputs(named: &Named, feeds: &[OfFeed]) -> Inputs {
    let mut hash = Sha256::new();
    for uri in &named.uris {
        hash.update(format!("{uri}\n").as_bytes());
    }
    Inputs {
        count: feeds.len() as u64,
        bytes: feeds.iter().map(|feed| feed.bytes).sum(),
        listing_sha256: hash.finish(),
    }
}

/// The lines of inputs.ndjson.gz: a feed's records are its messages.
fn lines<'a>(named: &'a Named, feeds: &'a [OfFeed]) -> impl Iterator<Item = InputLine> + 'a {
    named.uris.iter().zip(feeds).map(|(uri, feed)| InputLine {
        uri: uri.to_string(),
        version_id: None,
        etag: None,
        bytes: Some(feed.bytes),
        compression: Compression::None.name().into(),
        records: feed.messages,
        read: ReadTo::Whole,
    })
}
