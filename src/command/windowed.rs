//! What windows come to, written down: rows, rejected records, coverage and events. A stream and the replay of its capture do
//! the same, so that all of it is the same: a feed is named by its number, which a capture has too.

use serde_json::Value;

use super::faults::{bad_record, evaluation, lift_rollup};
use super::outputs::Outputs;
use super::rejected::{Rejected, first_rejected};
use crate::config::redact::Secrets;
use crate::config::values::OnBadRecord;
use crate::error::{Error, Kind, Place, Result};
use crate::limits::{self, TOLD_GAPS};
use crate::log::{Event, Level, Log};
use crate::manifest::{CoverageLine, GapLine, Mode, Parts, Receipt, Records, Stream, Windows, utc};
use crate::message::Head;
use crate::rollup::Failure;
use crate::value::column::Column;
use crate::value::vector::Batch;
use crate::window::{Counts, Gap, Halt, Jump, Sink, Totals, Window};

/// Takes what becomes of the messages.
pub(super) struct Written<'run> {
    outputs: &'run mut Outputs,
    log: &'run Log,
    /// A stream tells of each window, a replay does not.
    mode: Mode,
    /// What nothing may show of what a feed says; a replay has none.
    secrets: Secrets,
    /// Gaps of sequences, and jumps.
    told: u64,
    has_rejected: bool,
    /// The latest gaps, for a failure.json: those that fit in, and as many before them.
    gaps: Vec<GapLine>,
}

/// What only a live run knows: no message tells of it, so a capture does not hold it.
#[derive(Default)]
pub(super) struct Besides<'run> {
    /// Gaps before the first message of a feed, and after the last.
    pub(super) gaps: Vec<GapLine>,
    /// Feed and number of each connection without a message.
    pub(super) silent: Vec<(u32, u32)>,
    /// The parts of the capture.
    pub(super) parts: &'run [Receipt],
}

impl<'run> Written<'run> {
    pub(super) fn new(
        outputs: &'run mut Outputs,
        log: &'run Log,
        mode: Mode,
        secrets: Secrets,
    ) -> Self {
        Self {
            outputs,
            log,
            mode,
            secrets,
            told: 0,
            has_rejected: false,
            gaps: Vec::new(),
        }
    }

    /// The latest gaps, of which `untold` come last.
    pub(super) fn into_gaps(mut self, untold: Vec<GapLine>) -> Vec<GapLine> {
        self.gaps.extend(untold);
        let more = self.gaps.len().saturating_sub(limits::FAILURE_GAPS);
        self.gaps.drain(..more);
        self.gaps
    }

    /// Writes down what is known in the end, by the messages and besides; gives the totals for the manifest.
    ///
    /// # Errors
    /// Those of the artifact.
    pub(super) fn finish(&mut self, totals: &Totals, besides: &Besides<'_>) -> Result<Stream> {
        for gap in &besides.gaps {
            self.outputs.coverage(&CoverageLine::Gap(gap.clone()))?;
        }
        for window in &totals.windows {
            self.outputs.coverage(&window_line(window))?;
        }
        for one in &totals.connections {
            self.outputs.coverage(&CoverageLine::Connection {
                connection: one.connection,
                feed: one.feed,
                messages: one.messages,
                first: Some(utc(one.first_us)),
                last: Some(utc(one.last_us)),
            })?;
        }
        for &(feed, connection) in &besides.silent {
            self.outputs.coverage(&CoverageLine::Connection {
                connection,
                feed,
                messages: 0,
                first: None,
                last: None,
            })?;
        }
        for part in besides.parts {
            self.outputs.coverage(&CoverageLine::Part(part.clone()))?;
        }
        let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        let partial = totals.windows.iter().filter(|window| window.is_partial);
        Ok(Stream {
            connections: count(totals.connections.len() + besides.silent.len()),
            gaps: totals.gaps + count(besides.gaps.len()),
            jumps: totals.jumps,
            windows: Windows {
                closed: count(totals.windows.len()),
                partial: count(partial.count()),
            },
            late: totals.counts.late,
            unchecked: totals.counts.unchecked,
            parts: Parts {
                count: count(besides.parts.len()),
                bytes: besides.parts.iter().map(|part| part.bytes).sum(),
            },
        })
    }

    /// The first of many: the rest is only in coverage.ndjson.gz.
    fn tell(&mut self, event: &Event) {
        if self.told < TOLD_GAPS {
            self.log.event(event);
        }
        self.told += 1;
    }
}

impl Sink for Written<'_> {
    type Error = Error;

    fn rows(&mut self, batch: &Batch) -> Result<()> {
        self.outputs.groups(batch)
    }

    fn rejected(&mut self, bad: &crate::window::Rejected<'_>) -> Result<()> {
        let rejected = Rejected::of_message(bad);
        let (object, n) = (feed(bad.head), bad.head.n);
        if !std::mem::replace(&mut self.has_rejected, true) {
            let place = place(bad.head, bad.bad.offset_bytes, bad.column);
            let event = first_rejected(&rejected, &place);
            let message = self.secrets.without(&event.message);
            self.log.event(&Event { message, ..event });
        }
        self.outputs.rejected(&rejected.line(&object, n)?)
    }

    fn closed(&mut self, window: &Window) {
        if self.mode != Mode::Stream {
            return;
        }
        let Window {
            used, groups, rows, ..
        } = *window;
        let (start, end) = (utc(window.start_us), utc(window.end_us));
        let text = format!("window {start}: {groups} groups of {used} records, {rows} rows");
        let event = Event::info("window", text).with("start", start);
        let event = event.with("end", end).with("used", used);
        let event = event.with("groups", groups).with("rows", rows);
        self.log.event(&event.with("partial", window.is_partial));
    }

    fn gap(&mut self, gap: &Gap) -> Result<()> {
        let line = gap_line(gap);
        match &line {
            GapLine::Disconnect { .. } => self.log.event(&gap_event(&line)),
            GapLine::Sequence { .. } => self.tell(&gap_event(&line)),
        }
        // Not one by one: each time moves all that follow.
        if self.gaps.len() >= 2 * limits::FAILURE_GAPS {
            self.gaps.drain(..limits::FAILURE_GAPS);
        }
        self.gaps.push(line.clone());
        self.outputs.coverage(&CoverageLine::Gap(line))
    }

    fn jump(&mut self, jump: &Jump) -> Result<()> {
        let Jump {
            head,
            from_us,
            to_us,
        } = *jump;
        let to = utc(to_us);
        let text = format!(
            "message {} of feed {} took event time to {to}, further ahead than its receipt went: what was open until then is \
             closed",
            head.n, head.feed
        );
        let event = Event::warning(text)
            .with("n", head.n)
            .with("to", to.as_str());
        self.tell(&event);
        self.outputs.coverage(&CoverageLine::Jump {
            n: head.n,
            feed: head.feed,
            received_at: utc(head.received_at_us),
            from: from_us.map(utc),
            to,
        })
    }
}

/// How many bad records a run may have.
pub(super) fn rejects(on_bad_record: OnBadRecord) -> u64 {
    match on_bad_record {
        OnBadRecord::Fail => 0,
        OnBadRecord::Reject { limit } => limit,
    }
}

/// The manifest's records.
pub(super) fn records(counts: Counts) -> Records {
    Records {
        read: counts.read,
        used: counts.used,
        filtered: counts.filtered,
        rejected: counts.rejected,
        late: counts.late,
        duplicate: counts.duplicate,
    }
}

/// Why windows take no more messages.
pub(super) fn lift(
    halt: Halt<Error>,
    query: &str,
    columns: &[Column],
    on_bad_record: OnBadRecord,
) -> Error {
    match halt {
        Halt::Sink(error) => error,
        Halt::BadRecord { head, bad } => {
            let column = bad.column.and_then(|index| columns.get(index));
            let column = column.map(|column| column.name.as_str());
            let place = place(head, bad.offset_bytes, column);
            bad_record(&bad.expected, &bad.found, on_bad_record, place)
        }
        Halt::Problem { head, problem } => {
            let error = evaluation(query, &problem);
            match head {
                Some(head) => error.at(Place {
                    uri: feed(head),
                    record: Some(head.n),
                    ..Place::default()
                }),
                None => error,
            }
        }
        Halt::Restarted { head, key } => {
            let most = limits::LEDGER_REPEATS;
            let advice = "where numbers start anew with each connection, say PER CONNECTION in WINDROW_SEQUENCE";
            let error = Error::new(
                Kind::Data,
                "following the sequence",
                format!("at most {most} numbers in a row that were seen before"),
                format!("one more of {key}: the sequence started again"),
                advice,
            );
            error.at(Place {
                uri: feed(head),
                record: Some(head.n),
                ..Place::default()
            })
        }
        Halt::Full(full) => lift_rollup(query, Failure::Full(full)),
        Halt::Ledger(exceeded) => exceeded.error("what is known of windows and sequences", 0),
    }
}

/// A feed by its place in INPUT.
fn feed(head: Head) -> String {
    format!("feed {}", head.feed)
}

fn place(head: Head, offset_bytes: u64, column: Option<&str>) -> Place {
    Place {
        uri: feed(head),
        record: Some(head.n),
        offset_bytes: Some(offset_bytes),
        column: column.map(str::to_owned),
    }
}

fn window_line(window: &Window) -> CoverageLine {
    CoverageLine::Window {
        start: utc(window.start_us),
        end: utc(window.end_us),
        used: window.used,
        groups: window.groups,
        rows: window.rows,
        late: window.late,
        partial: window.is_partial,
    }
}

/// A gap that is over, in words.
fn gap_event(line: &GapLine) -> Event {
    let text = |text: &Option<String>| Value::from(text.as_deref());
    let (message, fields) = match line {
        GapLine::Disconnect {
            feed,
            connection,
            from,
            to,
        } => (
            format!(
                "feed {feed}: no connection from {from} to {}",
                to.as_deref().unwrap_or_default()
            ),
            vec![
                ("feed", Value::from(*feed)),
                ("connection", Value::from(*connection)),
                ("from", Value::from(from.as_str())),
                ("to", text(to)),
            ],
        ),
        GapLine::Sequence {
            key,
            connection,
            first,
            last,
            from,
            to,
        } => (
            format!(
                "{}: numbers {first} to {last} did not come",
                key.as_deref().unwrap_or("NULL")
            ),
            vec![
                ("key", text(key)),
                ("connection", Value::from(*connection)),
                ("first", Value::from(*first)),
                ("last", Value::from(*last)),
                ("from", Value::from(from.as_str())),
                ("to", Value::from(to.as_str())),
            ],
        ),
    };
    let level = Level::Warning;
    let event = Event {
        level,
        ..Event::info("gap", message)
    };
    let fields = fields.into_iter();
    fields.fold(event, |event, (name, value)| event.with(name, value))
}

pub(super) fn gap_line(gap: &Gap) -> GapLine {
    match gap {
        Gap::Disconnect {
            feed,
            connection,
            from_us,
            to_us,
        } => GapLine::Disconnect {
            feed: *feed,
            connection: Some(*connection),
            from: utc(*from_us),
            to: Some(utc(*to_us)),
        },
        Gap::Sequence {
            key,
            connection,
            from,
            to,
            after_us,
            before_us,
        } => GapLine::Sequence {
            key: key.clone(),
            connection: *connection,
            first: *from,
            last: *to,
            from: utc(*after_us),
            to: utc(*before_us),
        },
    }
}
