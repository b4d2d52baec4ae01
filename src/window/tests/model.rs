//! A model of the core that takes one record at a time and knows no blocks, batches or rollups, and random streams to hold it
//! against: disorder, duplicates, jumps, reconnects of two feeds, bad and filtered records, several in a message.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::*;
use crate::value::Value;

/// One record, as the model sees it; `None` for NULL.
#[derive(Clone, Debug)]
struct Record {
    text: String,
    /// Neither of its values nor its text can be read.
    is_broken: bool,
    symbol: Option<&'static str>,
    number: Option<i64>,
    time: Option<i64>,
    cents: i64,
}

/// A message: its records, and where each begins in its text.
struct Sent {
    head: Head,
    text: String,
    records: Vec<(usize, Record)>,
}

/// Count, sum, first and last of a group.
type Group = (i64, i64, i64, i64);

/// What one key has had.
#[derive(Default)]
struct Track {
    first: i64,
    /// With the event time of each.
    seen: BTreeMap<i64, i64>,
}

#[derive(Default)]
struct Model {
    lateness: i64,
    per: Option<Per>,
    rejects: u64,
    log: Vec<String>,
    counts: Counts,
    /// Newest event time, and when it was received.
    newest: Option<(i64, i64)>,
    /// By start and symbol.
    open: BTreeMap<i64, BTreeMap<Option<&'static str>, Group>>,
    /// By start: used and late.
    windows: BTreeMap<i64, (u64, u64)>,
    still_open: BTreeSet<i64>,
    /// By connection and key.
    tracks: BTreeMap<(u32, Option<&'static str>), Track>,
    last_sequenced: BTreeMap<u32, u32>,
    connections: Vec<Connection>,
    /// Feed, connection and event time of every record that is used, late or a duplicate.
    events: Vec<(u32, u32, i64)>,
    gaps: u64,
    /// Event times around numbers that are missing.
    missing: Vec<[i64; 2]>,
    jumps: u64,
}

impl Model {
    fn message(&mut self, sent: &Sent) -> Result<(), String> {
        let head = sent.head;
        match self
            .connections
            .iter()
            .rposition(|one| one.feed == head.feed)
        {
            Some(last) if self.connections[last].connection == head.connection => {
                self.connections[last].messages += 1;
                self.connections[last].last_us = head.received_at_us;
            }
            last => {
                if let Some(last) = last {
                    let before = self.connections[last];
                    self.gap(&Gap::Disconnect {
                        feed: head.feed,
                        connection: before.connection,
                        from_us: before.last_us,
                        to_us: head.received_at_us,
                    });
                }
                self.connections.push(Connection {
                    connection: head.connection,
                    feed: head.feed,
                    messages: 1,
                    first_us: head.received_at_us,
                    last_us: head.received_at_us,
                });
            }
        }
        for (offset, record) in &sent.records {
            self.counts.read += 1;
            let unchecked = self.counts.unchecked;
            if let Err(fault) = self.record(head, *offset, record) {
                // A record that ends the run is read, and nothing else.
                self.counts.unchecked = unchecked;
                return Err(fault);
            }
        }
        Ok(())
    }

    fn gap(&mut self, gap: &Gap) {
        self.gaps += 1;
        self.log.push(format!("gap {gap:?}"));
    }

    fn record(&mut self, head: Head, offset: usize, record: &Record) -> Result<(), String> {
        if record.is_broken {
            return self.bad(head, offset, record, None);
        }
        if let (Some(number), Some(per)) = (record.number, self.per)
            && self.is_duplicate(head, per, record, number)
        {
            self.counts.duplicate += 1;
            return Ok(());
        }
        if record.symbol.is_none_or(|symbol| symbol == "skip") {
            self.counts.filtered += 1;
            return Ok(());
        }
        if record.number.is_none() {
            return self.bad(head, offset, record, Some("i"));
        }
        let Some(time) = record.time else {
            return self.bad(head, offset, record, Some("t"));
        };
        if time > head.received_at_us + 86_400_000_000 {
            return self.bad(head, offset, record, Some("t"));
        }
        let start = time.div_euclid(WIDTH) * WIDTH;
        let watermark = self.newest.map(|(newest, _)| newest - self.lateness);
        let window = self.windows.entry(start).or_default();
        if watermark.is_some_and(|watermark| start + WIDTH <= watermark) {
            window.1 += 1;
            self.counts.late += 1;
        } else {
            window.0 += 1;
            self.counts.used += 1;
            let cents = record.cents;
            let groups = self.open.entry(start).or_default();
            let group = groups.entry(record.symbol).or_insert((0, 0, cents, cents));
            *group = (group.0 + 1, group.1 + cents, group.2, cents);
        }
        self.events.push((head.feed, head.connection, time));
        self.advance(head, time);
        Ok(())
    }

    fn advance(&mut self, head: Head, time: i64) {
        let newest = self.newest;
        if newest.is_some_and(|(newest, _)| time <= newest) {
            return;
        }
        let received = head.received_at_us;
        let expected = newest.map_or(received, |(newest, at)| newest + 0.max(received - at));
        if time - expected > JUMP_US {
            self.jumps += 1;
            let from = newest.map(|(newest, _)| newest);
            self.log
                .push(format!("jump {}: {from:?} to {time}", head.n));
        }
        self.newest = Some((time, received));
        let due: Vec<i64> = self.open.keys().copied().collect();
        for start in due {
            if start + WIDTH <= time - self.lateness {
                self.close(start);
            }
        }
    }

    fn close(&mut self, start: i64) {
        let groups = self.open.remove(&start).unwrap();
        for (symbol, (count, sum, first, last)) in &groups {
            let values = [
                Value::Int(start),
                symbol.map_or(Value::Null, |symbol| Value::Text(symbol.into())),
                Value::Int(*count),
                Value::Wide((*sum).into()),
                Value::Int(*first),
                Value::Int(*last),
            ];
            self.log.push(format!("row {values:?}"));
        }
        let (used, groups) = (self.windows[&start].0, groups.len());
        let line = format!("closed {start}: {used} in {groups}, {groups} rows");
        self.log.push(line);
    }

    fn is_duplicate(&mut self, head: Head, per: Per, record: &Record, number: i64) -> bool {
        let believed = |time: &i64| *time <= head.received_at_us + 86_400_000_000;
        let time = record.time.filter(believed);
        let at = time.unwrap_or(head.received_at_us);
        let connection = match per {
            Per::Run => 0,
            Per::Connection => head.connection,
        };
        if per == Per::Connection
            && let Some(before) = self.last_sequenced.insert(head.feed, connection)
            && before != connection
        {
            self.missing(before);
        }
        let track = self
            .tracks
            .entry((connection, record.symbol))
            .or_insert(Track {
                first: number,
                seen: BTreeMap::new(),
            });
        if number < track.first {
            self.counts.unchecked += 1;
            return false;
        }
        if track.seen.contains_key(&number) {
            let event = time.map(|time| (head.feed, head.connection, time));
            self.events.extend(event);
            return true;
        }
        track.seen.insert(number, at);
        false
    }

    /// Tells what the keys of a connection never had.
    fn missing(&mut self, connection: u32) {
        let tracks = std::mem::take(&mut self.tracks);
        for ((of, symbol), track) in tracks {
            if of != connection {
                self.tracks.insert((of, symbol), track);
                continue;
            }
            let (&last, _) = track.seen.last_key_value().unwrap();
            let mut from = None;
            for number in track.first..=last {
                match (track.seen.contains_key(&number), from) {
                    (false, None) => from = Some(number),
                    (true, Some(first)) => {
                        let around = [first - 1, number].map(|one| track.seen[&one]);
                        self.missing.push(around);
                        let connection = self.per.filter(|per| *per == Per::Connection);
                        self.gap(&Gap::Sequence {
                            key: symbol.map(str::to_owned),
                            connection: connection.map(|_| of),
                            from: first,
                            to: number - 1,
                            after_us: around[0],
                            before_us: around[1],
                        });
                        from = None;
                    }
                    (true, None) | (false, Some(_)) => {}
                }
            }
        }
    }

    fn bad(
        &mut self,
        head: Head,
        offset: usize,
        record: &Record,
        column: Option<&str>,
    ) -> Result<(), String> {
        if self.counts.rejected == self.rejects {
            return Err(format!("{} bad", head.n));
        }
        self.counts.rejected += 1;
        let column = match record.text.contains("\"cents\"") {
            true => Some("p"),
            false => column,
        };
        self.log.push(format!(
            "rejected {}+{offset}: {} in {column:?}",
            head.n, record.text
        ));
        Ok(())
    }

    fn finish(mut self) -> (Vec<String>, Totals) {
        for start in self.open.keys().copied().collect::<Vec<_>>() {
            self.still_open.insert(start);
            self.close(start);
        }
        let connections: BTreeSet<u32> = self.tracks.keys().map(|(of, _)| *of).collect();
        connections.into_iter().for_each(|of| self.missing(of));
        let is_partial = |start: i64| {
            let holds = |from: i64, to: i64| from < start + WIDTH && start <= to;
            let doubtful = |feed: u32| {
                let connections = self.connections.iter();
                let connections = connections.filter(|one| one.feed == feed);
                let events: Vec<_> = self.events.iter().filter(|one| one.0 == feed).collect();
                let newest = events.iter().map(|one| one.2).max();
                let mut last_us = i64::MIN;
                connections.enumerate().any(|(place, one)| {
                    let lost_us = std::mem::replace(&mut last_us, one.last_us);
                    let is_before = |event: &&&(u32, u32, i64)| event.1 < one.connection;
                    let before = events.iter().take_while(is_before).map(|event| event.2);
                    let before = before.max().unwrap_or(i64::MIN);
                    let mut after = events.iter().skip_while(is_before);
                    let first = after.clone().find(|event| event.1 == one.connection);
                    let first = first.map(|event| event.2);
                    let to = after.find(|event| event.2 >= before);
                    let before = before.saturating_sub(self.lateness);
                    holds(before, to.map_or(i64::MAX, |event| event.2))
                        || holds(lost_us.min(one.first_us), lost_us.max(one.first_us))
                        || holds(one.last_us, one.last_us)
                        || first.is_some_and(|time| place > 0 && holds(time, time))
                }) || newest.is_some_and(|time| holds(time, time))
            };
            let lacks = self.missing.iter().any(|around| {
                let [one, other] = *around;
                holds(one.min(other), one.max(other))
            });
            self.still_open.contains(&start) || lacks || doubtful(0) || doubtful(1)
        };
        let windows = self.windows.iter().map(|(start, (used, late))| {
            let row = |line: &&String| line.starts_with(&format!("row [Int({start}),"));
            let rows = self.log.iter().filter(row).count() as u64;
            Window {
                start_us: *start,
                end_us: start + WIDTH,
                used: *used,
                groups: rows,
                rows,
                late: *late,
                is_partial: is_partial(*start),
            }
        });
        let windows = windows.collect();
        self.connections.sort_by_key(|one| one.connection);
        let totals = Totals {
            counts: self.counts,
            windows,
            connections: self.connections,
            gaps: self.gaps,
            jumps: self.jumps,
            met: Vec::new(),
        };
        (self.log, totals)
    }
}

/// Draws numbers (Knuth's generator; the upper bits).
struct Draw(u64);

impl Draw {
    fn below(&mut self, most: i64) -> i64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).unwrap() % most
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as i64)).unwrap()]
    }
}

/// Where the stream is.
struct Stream {
    draw: Draw,
    clock: i64,
    numbers: BTreeMap<(u32, &'static str), i64>,
    /// Of each of two feeds.
    connection: [u32; 2],
    connections: u32,
    per: Option<Per>,
    /// Hardly out of order, and over many windows: so that some of them lack nothing.
    is_calm: bool,
}

impl Stream {
    fn record(&mut self, connection: u32) -> Record {
        let draw = &mut self.draw;
        let symbol = draw.of(&["A", "B", "C", "skip"]);
        let key = (
            if self.per == Some(Per::Connection) {
                connection
            } else {
                0
            },
            symbol,
        );
        let start = draw.below(5) + 3;
        let next = self.numbers.entry(key).or_insert(start);
        *next += match self.is_calm && draw.below(50) > 0 {
            true => 1,
            false => draw.of(&[1, 1, 1, 1, 1, 1, 2, 4]),
        };
        let number = *next - draw.of(&[0, 0, 0, 0, 1, 3, 9]);
        let back = match self.is_calm {
            true => 1,
            false => draw.of(&[1, 2_000_000, 30_000_000]),
        };
        // Now and then a minute ahead of the others, and more than a day.
        let ahead = match draw.below(1_000) {
            0 => 90_000_000,
            1 | 2 => 90_000_000_000,
            _ => 0,
        };
        let time = self.clock - draw.below(back) + ahead;
        let cents = draw.below(100_000);
        let (symbol, number, time, is_broken) = match draw.below(40) {
            0 => (None, None, None, false),
            1 => (Some(symbol), None, Some(time), false),
            2 => (Some(symbol), Some(number), None, false),
            3 => (Some(symbol), Some(number), Some(time), true),
            _ => (Some(symbol), Some(number), Some(time), false),
        };
        let mut text = String::from("{");
        if let Some(symbol) = symbol {
            write!(text, r#""s":"{symbol}","#).unwrap();
        }
        if let Some(number) = number {
            write!(text, r#""i":{number},"#).unwrap();
        }
        if let Some(time) = time {
            write!(text, r#""t":{time},"#).unwrap();
        }
        match is_broken {
            true => text.push_str(r#""p":"cents"}"#),
            false => write!(text, r#""p":"{}.{:02}"}}"#, cents / 100, cents % 100).unwrap(),
        }
        Record {
            text,
            is_broken,
            symbol,
            number,
            time,
            cents,
        }
    }

    fn message(&mut self, n: u64, has_records: bool) -> Sent {
        self.clock += self
            .draw
            .below(if self.is_calm { 2_000_000 } else { 200_000 });
        let feed = usize::from(self.draw.below(3) == 0);
        if self.draw.below(200) == 0 {
            self.connections += 1;
            self.connection[feed] = self.connections;
        }
        let connection = self.connection[feed];
        let head = Head {
            n,
            received_at_us: self.clock + self.draw.below(50_000),
            feed: u32::try_from(feed).unwrap(),
            connection,
        };
        if self.draw.below(60) == 0 {
            return self.broken(head);
        }
        if !has_records {
            let record = self.record(connection);
            // Over several lines it is the same record.
            let text = match self.draw.below(30) {
                0 => record.text.replace(',', ",\n"),
                _ => record.text.clone(),
            };
            let record = Record {
                text: text.clone(),
                ..record
            };
            let records = vec![(0, record)];
            return Sent {
                head,
                text,
                records,
            };
        }
        let mut text = String::from(r#"{"data":["#);
        let mut records = Vec::new();
        for _ in 0..self.draw.below(4) {
            let record = self.record(connection);
            if !records.is_empty() {
                text.push_str(self.draw.of(&[",", " , ", ",\n"]));
            }
            records.push((text.len(), record.clone()));
            text.push_str(&record.text);
        }
        text.push_str("]}");
        Sent {
            head,
            text,
            records,
        }
    }

    /// A message that is no record of any kind.
    fn broken(&mut self, head: Head) -> Sent {
        let text = self
            .draw
            .of(&["", " ", "[1", "\"", "{\n}}", "\u{c}", "\r"])
            .to_owned();
        let record = Record {
            text: text.trim_end_matches(['\r', '\n']).to_owned(),
            is_broken: true,
            symbol: None,
            number: None,
            time: None,
            cents: 0,
        };
        Sent {
            head,
            text,
            records: vec![(0, record)],
        }
    }
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "how far a test goes is no configuration of a run"
)]
fn any_stream_gives_what_the_model_gives_however_it_is_cut() {
    let rounds = match std::env::var("WINDROW_SWEEP") {
        Ok(sweep) if sweep == "full" => 600,
        _ => 16,
    };
    let (mut used, mut whole) = (0, 0);
    for round in 0..rounds {
        let mut draw = Draw(round);
        let per = match round % 3 {
            0 => None,
            1 => Some(Per::Run),
            _ => Some(Per::Connection),
        };
        let setup = Setup {
            lateness_us: draw.of(&[0, 1, 3_000_000, 25_000_000]),
            per,
            rejects: draw.of(&[1_000_000, 1_000_000, 3]),
            records: draw.of(&[None, Some("data[*]")]),
            ..PLAIN
        };
        let mut stream = Stream {
            draw,
            clock: 1_700_000_000_000_000,
            numbers: BTreeMap::new(),
            connection: [0, 1],
            connections: 1,
            per,
            is_calm: round % 2 == 1,
        };
        let mut model = Model {
            lateness: setup.lateness_us,
            per,
            rejects: setup.rejects,
            ..Model::default()
        };
        let sent: Vec<Sent> = (1..=800)
            .map(|n| stream.message(n, setup.records.is_some()))
            .collect();
        let messages: Vec<Message> = sent
            .iter()
            .map(|sent| (sent.head, sent.text.clone().into_bytes()))
            .collect();
        let fault = sent.iter().find_map(|sent| model.message(sent).err());
        let (heard, ended) = run_cut(setup, &messages);
        match (fault, ended) {
            (None, Ok(totals)) => {
                let (log, mut want) = model.finish();
                assert!(totals.met.iter().all(|met| met.is_there));
                want.met.clone_from(&totals.met);
                assert_eq!(heard.0, log, "round {round}");
                assert_eq!(totals, want, "round {round}");
                used += totals.counts.used;
                let windows = totals.windows.iter();
                whole += windows.filter(|one| !one.is_partial).count() as u64;
            }
            (Some(fault), Err((why, counts))) => {
                assert!(why.starts_with(&fault), "round {round}: {why}, not {fault}");
                assert_eq!(counts, model.counts, "round {round}");
                assert_eq!(heard.0, model.log, "round {round}");
            }
            (fault, ended) => panic!("round {round}: {fault:?}, and {ended:?}"),
        }
    }
    // Not all of it is late, bad or filtered.
    assert!(used > 50 * rounds, "{used}");
    assert!(whole > 2 * rounds, "{whole}");
}
