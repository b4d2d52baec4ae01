//! The core against a model that takes one record at a time and knows no blocks, batches or rollups (SPEC 6; FAULTS 81 to 87,
//! 93, 94, 130).

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::query::columns::{Family, parse_columns, parse_path};
use crate::query::compile;
use crate::query::plan::{Plan, Shape};
use crate::value::Value;

const WIDTH: i64 = 10_000_000;
const COLUMNS: &str = "s VARCHAR, i BIGINT NOT NULL, t TIMESTAMP_US, p DECIMAL(10,2)";
const QUERY: &str = "SELECT time_bucket(INTERVAL '10 seconds', t) AS w, s, count(*) AS n, sum(p) AS v, first(p) AS o, \
                     last(p) AS c FROM input WHERE s <> 'skip' GROUP BY w, s HAVING count(*) > 0";

/// What a test wants of the windows.
#[derive(Clone, Copy)]
struct Setup {
    lateness_us: i64,
    per: Option<Per>,
    rejects: u64,
    query: &'static str,
    records: Option<&'static str>,
}

const PLAIN: Setup = Setup {
    lateness_us: 0,
    per: None,
    rejects: 0,
    query: QUERY,
    records: None,
};

/// What came out, as text.
#[derive(Debug, Default, PartialEq)]
struct Heard {
    rows: Vec<String>,
    rejected: Vec<String>,
    closed: Vec<i64>,
    gaps: Vec<Gap>,
}

impl Sink for Heard {
    type Error = ();

    fn rows(&mut self, batch: &Batch) -> Result<(), ()> {
        self.rows.extend((0..batch.rows).map(|row| {
            let values = batch.columns.iter().map(|column| column.value(row));
            format!("{:?}", values.collect::<Vec<_>>())
        }));
        Ok(())
    }

    fn rejected(&mut self, one: &Rejected<'_>) -> Result<(), ()> {
        let (n, found, column) = (one.head.n, &one.bad.found, one.column);
        self.rejected.push(format!("{n}: {found} in {column:?}"));
        Ok(())
    }

    fn closed(&mut self, window: &Window) {
        self.closed.push(window.start_us);
    }

    fn gap(&mut self, gap: &Gap) {
        self.gaps.push(*gap);
    }
}

fn planned(query: &str) -> (Vec<Column>, Plan) {
    let columns = parse_columns(COLUMNS, Family::Json).unwrap();
    let plan = compile(query, &columns).unwrap();
    let read = plan.columns.iter().map(|&index| columns[index].clone());
    (read.collect(), plan)
}

/// The messages in blocks of `size`, and how it ended.
fn run(setup: Setup, messages: &[(Head, Vec<u8>)], size: usize) -> (Heard, Result<Totals, String>) {
    let (columns, plan) = planned(setup.query);
    let place = |name: &str| {
        columns
            .iter()
            .position(|column| column.name == name)
            .unwrap()
    };
    let Shape::Groups(groups) = &plan.shape else {
        panic!("groups");
    };
    let records = setup.records.map(|text| parse_path(text).unwrap());
    let mut core = Core::new(Terms {
        groups,
        filter: plan.filter.as_ref(),
        windows: Windows {
            event_time: place("t"),
            key: 0,
            bucket: Bucket::Micros(WIDTH),
            lateness_us: setup.lateness_us,
            sequence: setup.per.map(|per| Sequence {
                number: place("i"),
                key: place("s"),
                per,
            }),
        },
        columns: &columns,
        records: records.as_ref(),
        rejects: setup.rejects,
        budget: Arc::new(Budget::new(u64::MAX)),
    });
    let mut heard = Heard::default();
    for messages in messages.chunks(size) {
        let mut block = Block::default();
        messages
            .iter()
            .for_each(|(head, message)| block.push(*head, message));
        if let Err(halt) = core.take(&block, &mut heard) {
            return (heard, Err(shown(&halt)));
        }
    }
    let ended = core.finish(&mut heard).map_err(|halt| shown(&halt));
    (heard, ended)
}

fn shown(halt: &Halt<()>) -> String {
    match halt {
        Halt::BadRecord { head, bad } => format!("{} bad: {}", head.n, bad.found),
        Halt::Problem { head, problem } => {
            format!("{:?} problem: {}", head.map(|head| head.n), problem.found)
        }
        Halt::Restarted { head, key } => format!("{} restarted: {key}", head.n),
        Halt::Sink(()) | Halt::Full(_) | Halt::Ledger(_) => "full".to_owned(),
    }
}

fn head(n: u64) -> Head {
    Head {
        n,
        received_at_us: 1_000_000_000_000,
        feed: 0,
        connection: 0,
    }
}

/// Trades of one symbol, at these times.
fn at(times: &[i64]) -> Vec<(Head, Vec<u8>)> {
    let trade = |(n, time): (u64, &i64)| {
        let text = format!(r#"{{"s":"A","i":{n},"t":{time},"p":"1.00"}}"#);
        (head(n), text.into_bytes())
    };
    (1..).zip(times).map(trade).collect()
}

#[test]
fn f085_f086_a_window_closes_when_the_watermark_reaches_its_end() {
    for (name, lateness_us, times, want) in [
        ("before its end", 0, vec![5, WIDTH - 1, 6], "used 3 late 0"),
        ("at its end", 0, vec![5, WIDTH, 6], "used 2 late 1"),
        ("past its end", 0, vec![5, WIDTH + 1, 6], "used 2 late 1"),
        (
            "a lateness that is just enough",
            7,
            vec![5, WIDTH + 6, 6],
            "used 3 late 0",
        ),
        (
            "a microsecond less",
            7,
            vec![5, WIDTH + 7, 6],
            "used 2 late 1",
        ),
        ("before 1970", 0, vec![-5, -WIDTH - 5, -1], "used 2 late 1"),
        (
            "late ones move nothing back",
            0,
            vec![WIDTH, 5, 3 * WIDTH, WIDTH],
            "used 2 late 2",
        ),
    ] {
        let setup = Setup {
            lateness_us,
            ..PLAIN
        };
        for size in [1, 2, 10] {
            let (heard, ended) = run(setup, &at(&times), size);
            let Counts { used, late, .. } = ended.unwrap().counts;
            assert_eq!(format!("used {used} late {late}"), want, "{name}");
            assert!(heard.closed.is_sorted(), "{name}");
        }
    }
}

#[test]
fn f087_f130_an_event_a_day_past_its_receipt_is_bad_and_closes_nothing() {
    let received = head(1).received_at_us;
    for (ahead, want) in [(EVENT_AHEAD_US, 0), (EVENT_AHEAD_US + 1, 1)] {
        let setup = Setup {
            rejects: 5,
            ..PLAIN
        };
        let times = [received, received + ahead, received + 1];
        let (heard, ended) = run(setup, &at(&times), 10);
        let counts = ended.unwrap().counts;
        assert_eq!(counts.rejected, want);
        assert_eq!(u64::try_from(heard.rejected.len()), Ok(want));
        // Within the day it is taken: what comes after it is late, and counted.
        assert_eq!(counts.late, 1 - want);
    }
}

#[test]
fn f093_f094_each_record_takes_the_first_place_that_applies() {
    let setup = Setup {
        per: Some(Per::Run),
        rejects: 3,
        ..PLAIN
    };
    let texts = [
        r#"{"s":"A","i":1,"t":5,"p":"1.00"}"#,
        r#"{"s":"A","i":1,"t":5,"p":"1.00"}"#,
        r#"{"result":null,"id":1}"#,
        r#"{"s":"skip","i":9,"t":5,"p":"1.00"}"#,
        r#"{"s":"A","i":2,"p":"1.00"}"#,
        r#"{"s":"A","t":5,"p":"1.00"}"#,
        r#"not JSON"#,
        r#"{"s":"A","i":3,"t":50000000,"p":"1.00"}"#,
        r#"{"s":"A","i":4,"t":6,"p":"1.00"}"#,
        r#"{"s":"A","i":7,"t":50000001,"p":"2.00"}"#,
        r#"{"s":"A","i":5,"t":50000002,"p":"3.00"}"#,
        r#"{"s":"A","i":0,"t":50000003,"p":"4.00"}"#,
    ];
    let messages: Vec<_> = (1..)
        .zip(texts)
        .map(|(n, text)| (head(n), text.as_bytes().to_vec()))
        .collect();
    for size in [1, 5, 100] {
        let (heard, ended) = run(setup, &messages, size);
        let totals = ended.unwrap();
        let want = Counts {
            read: 12,
            used: 5,
            filtered: 2,
            rejected: 3,
            late: 1,
            duplicate: 1,
            unchecked: 1,
        };
        assert_eq!(totals.counts, want, "{heard:?}");
        assert_eq!(
            heard.rejected,
            [
                r#"5: NULL in Some("t")"#,
                r#"6: NULL in Some("i")"#,
                "7: `not` in None"
            ]
            .map(|one| {
                // What the decoder says of it is its own business.
                if one.starts_with('7') {
                    heard.rejected[2].clone()
                } else {
                    one.to_owned()
                }
            })
        );
        assert_eq!(
            totals.missing,
            [Missing {
                key: "A".to_owned(),
                from: 6,
                to: 6
            }]
        );
    }
    // One fewer may be bad: the third ends the run, whatever came after it in its block.
    for size in [1, 5, 100] {
        let (_, ended) = run(
            Setup {
                rejects: 2,
                ..setup
            },
            &messages,
            size,
        );
        assert!(ended.unwrap_err().starts_with("7 bad"));
    }
}

#[test]
fn f094_a_sequence_that_restarts_ends_the_run_at_one_message() {
    let numbers = (1..=2_000_u64).chain(1..=2_000);
    let messages: Vec<_> = (1..)
        .zip(numbers)
        .map(|(n, number)| {
            let connection = u32::from(n > 2_000);
            let text = format!(r#"{{"s":"A","i":{number},"t":5,"p":"1.00"}}"#);
            (
                Head {
                    connection,
                    ..head(n)
                },
                text.into_bytes(),
            )
        })
        .collect();
    for size in [1, 700, 5_000] {
        let setup = Setup {
            per: Some(Per::Run),
            ..PLAIN
        };
        let (_, ended) = run(setup, &messages, size);
        assert_eq!(ended.unwrap_err(), "3001 restarted: A");
        let setup = Setup {
            per: Some(Per::Connection),
            ..PLAIN
        };
        let totals = run(setup, &messages, size).1.unwrap();
        assert_eq!((totals.counts.used, totals.counts.duplicate), (4_000, 0));
    }
}

#[test]
fn the_first_fault_is_the_same_however_messages_are_cut() {
    let query = "SELECT time_bucket(INTERVAL '10 seconds', t) AS w, sum(1 / (p - 5)) AS x FROM input WHERE 1 / (p - 7) > -99 GROUP BY w";
    let setup = Setup { query, ..PLAIN };
    let trades = |prices: &[&str]| -> Vec<(Head, Vec<u8>)> {
        let trade = |(n, price): (u64, &&str)| {
            let time = n as i64 * 4_000_000;
            let text = format!(r#"{{"s":"A","i":{n},"t":{time},"p":"{price}"}}"#);
            (head(n), text.into_bytes())
        };
        (1..).zip(prices).map(trade).collect()
    };
    for (prices, want) in [
        (vec!["1", "2", "5", "7", "x"], "Some(3) problem"),
        (vec!["1", "7", "5", "x"], "Some(2) problem"),
        (vec!["1", "2", "x", "5", "7"], "3 bad"),
        (vec!["1", "2", "3", "4", "8", "9", "5"], "Some(7) problem"),
    ] {
        for size in [1, 2, 3, 100] {
            let ended = run(setup, &trades(&prices), size).1.unwrap_err();
            assert!(ended.starts_with(want), "{prices:?} by {size}: {ended}");
        }
    }
}

#[test]
fn windows_at_the_ends_of_a_connection_and_in_a_gap_are_partial() {
    let mut messages = Vec::new();
    // Windows 0 to 4 over one connection; the second begins in window 7, and ends in window 9.
    for (n, time) in (1..).zip([1, 10, 21, 32, 44, 78, 85, 91, 95]) {
        let text = format!(r#"{{"s":"A","i":{n},"t":{},"p":"1.00"}}"#, time * 1_000_000);
        let connection = u32::from(time > 50);
        let received_at_us = time * 1_000_000 + 5;
        messages.push((
            Head {
                n,
                received_at_us,
                feed: 0,
                connection,
            },
            text.into_bytes(),
        ));
    }
    // A record of the gap comes late over the other feed, whose own windows are 5 and 6.
    for (n, time) in [(10, 55), (11, 65)] {
        let text = format!(r#"{{"s":"B","i":{n},"t":{},"p":"1.00"}}"#, time * 1_000_000);
        messages.push((
            Head {
                n,
                received_at_us: 99_000_000,
                feed: 1,
                connection: 2,
            },
            text.into_bytes(),
        ));
    }
    let setup = Setup {
        lateness_us: 60_000_000,
        ..PLAIN
    };
    for size in [1, 4, 100] {
        let (heard, ended) = run(setup, &messages, size);
        let totals = ended.unwrap();
        let partial: Vec<i64> = totals
            .windows
            .iter()
            .filter(|one| one.is_partial)
            .map(|one| one.start_us / WIDTH)
            .collect();
        let whole: Vec<i64> = totals
            .windows
            .iter()
            .filter(|one| !one.is_partial)
            .map(|one| one.start_us / WIDTH)
            .collect();
        // 0: begins; 3 on: open in the end, 4 to 7 around the gap besides.
        assert_eq!((partial, whole), (vec![0, 3, 4, 5, 6, 7, 8, 9], vec![1, 2]));
        let gap = Gap {
            feed: 0,
            connection: 0,
            from_us: 44_000_005,
            to_us: 78_000_005,
        };
        assert_eq!((&heard.gaps, &totals.gaps), (&vec![gap], &vec![gap]));
        let messages: Vec<u64> = totals.connections.iter().map(|one| one.messages).collect();
        assert_eq!(messages, [5, 4, 2]);
    }
}

#[test]
fn records_of_one_message_are_taken_one_by_one() {
    let setup = Setup {
        records: Some("data[*]"),
        per: Some(Per::Run),
        ..PLAIN
    };
    let text = |trades: &str| format!(r#"{{"channel":"trade","data":[{trades}]}}"#).into_bytes();
    let trade =
        |number: u64, time: i64| format!(r#"{{"s":"A","i":{number},"t":{time},"p":"1.00"}}"#);
    let messages = vec![
        (
            head(1),
            text(&[trade(1, 1), trade(2, WIDTH), trade(3, 2)].join(",")),
        ),
        (head(2), br#"{"channel":"heartbeat"}"#.to_vec()),
        (head(3), text(&[trade(2, 5), trade(4, WIDTH + 1)].join(","))),
    ];
    for size in [1, 100] {
        let counts = run(setup, &messages, size).1.unwrap().counts;
        let found = (counts.read, counts.used, counts.late, counts.duplicate);
        assert_eq!(found, (5, 3, 1, 1));
    }
}

/// The model: one record at a time, in plain words.
#[derive(Default)]
struct Model {
    lateness_us: i64,
    newest: Option<i64>,
    closed: BTreeSet<i64>,
    /// By window and symbol: count, sum, first, last.
    groups: BTreeMap<(i64, String), (i64, i64, i64, i64)>,
    seen: BTreeMap<String, BTreeSet<i64>>,
    counts: Counts,
}

impl Model {
    fn take(&mut self, symbol: &str, number: i64, time: i64, cents: i64) {
        self.counts.read += 1;
        let seen = self.seen.entry(symbol.to_owned()).or_default();
        let is_first = seen.first().is_some_and(|first| number < *first);
        if is_first {
            self.counts.unchecked += 1;
        } else if !seen.insert(number) {
            self.counts.duplicate += 1;
            return;
        }
        if symbol == "skip" {
            self.counts.filtered += 1;
            return;
        }
        let start = time.div_euclid(WIDTH) * WIDTH;
        match self
            .newest
            .is_some_and(|newest| start + WIDTH <= newest - self.lateness_us)
        {
            true => self.counts.late += 1,
            false => {
                self.counts.used += 1;
                assert!(!self.closed.contains(&start));
                let group = self
                    .groups
                    .entry((start, symbol.to_owned()))
                    .or_insert((0, 0, cents, cents));
                *group = (group.0 + 1, group.1 + cents, group.2, cents);
            }
        }
        self.newest = self.newest.max(Some(time));
    }

    fn rows(&self) -> Vec<String> {
        let rows = self
            .groups
            .iter()
            .map(|((start, symbol), (count, sum, first, last))| {
                let values = [
                    Value::Int(*start),
                    Value::Text(symbol.as_str().into()),
                    Value::Int(*count),
                    Value::Wide((*sum).into()),
                    Value::Int(*first),
                    Value::Int(*last),
                ];
                format!("{values:?}")
            });
        rows.collect()
    }
}

#[test]
fn any_stream_gives_what_the_model_gives_in_blocks_of_any_size() {
    let mut random = 3_u64;
    let mut draw = |most: i64| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        i64::try_from(random >> 33).unwrap() % most
    };
    for round in 0..40 {
        // The origin of ten-second buckets is a multiple of them.
        let lateness_us = [0, 1, 3_000_000, 25_000_000][usize::try_from(round % 4).unwrap()];
        let mut model = Model {
            lateness_us,
            ..Model::default()
        };
        let (mut messages, mut clock) = (Vec::new(), 0);
        let mut numbers: BTreeMap<&str, i64> = BTreeMap::new();
        for n in 1..=1_500 {
            clock += draw(200_000);
            let symbol = ["A", "B", "C", "skip"][usize::try_from(draw(4)).unwrap()];
            let next = numbers.entry(symbol).or_insert(draw(5) + 3);
            *next += [1, 1, 1, 1, 1, 1, 2, 4][usize::try_from(draw(8)).unwrap()];
            let number = *next - [0, 0, 0, 0, 1, 3, 9][usize::try_from(draw(7)).unwrap()];
            let back = [1, 2_000_000, 30_000_000][usize::try_from(draw(3)).unwrap()];
            let time = clock - draw(back);
            let cents = draw(100_000);
            let text = format!(
                r#"{{"s":"{symbol}","i":{number},"t":{time},"p":"{}.{:02}"}}"#,
                cents / 100,
                cents % 100
            );
            messages.push((head(n), text.into_bytes()));
            model.take(symbol, number, time, cents);
        }
        let setup = Setup {
            lateness_us,
            per: Some(Per::Run),
            ..PLAIN
        };
        let mut first = None;
        for size in [1, 7, 64, 1_500] {
            let (heard, ended) = run(setup, &messages, size);
            let totals = ended.unwrap();
            assert_eq!(
                totals.counts, model.counts,
                "round {round}, blocks of {size}"
            );
            assert_eq!(heard.rows, model.rows(), "round {round}, blocks of {size}");
            let first = first.get_or_insert_with(|| totals.clone());
            assert_eq!(*first, totals, "round {round}, blocks of {size}");
        }
    }
}
