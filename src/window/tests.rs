//! The core by tables, in blocks of any size (SPEC 6; FAULTS 85 to 87, 93, 94, 130), and against a model.

mod model;

use super::*;
use crate::limits::{EVENT_AHEAD_US, JUMP_US};
use crate::query::columns::{Family, parse_columns, parse_path};
use crate::query::compile;
use crate::query::plan::{Bucket, Per, Plan, Sequence, Shape};

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
    feeds: usize,
    /// A feed that has no connection in the end.
    lost: Option<u32>,
}

const PLAIN: Setup = Setup {
    lateness_us: 0,
    per: None,
    rejects: 0,
    query: QUERY,
    records: None,
    feeds: 0,
    lost: None,
};

/// A message, and what is known of it.
type Message = (Head, Vec<u8>);

/// What the sink was told, in its order, as text.
#[derive(Debug, Default, PartialEq)]
struct Heard(Vec<String>);

impl Heard {
    fn of(&self, kind: &str) -> Vec<&str> {
        let lines = self.0.iter().filter_map(|line| line.strip_prefix(kind));
        lines.collect()
    }
}

impl Sink for Heard {
    type Error = ();

    fn rows(&mut self, batch: &Batch) -> Result<(), ()> {
        self.0.extend((0..batch.rows).map(|row| {
            let values = batch.columns.iter().map(|column| column.value(row));
            format!("row {:?}", values.collect::<Vec<_>>())
        }));
        Ok(())
    }

    fn rejected(&mut self, one: &Rejected<'_>) -> Result<(), ()> {
        let Rejected { head, bad, column } = one;
        let raw = String::from_utf8_lossy(&bad.raw);
        assert_eq!(bad.total_bytes, bad.raw.len() as u64);
        self.0.push(format!(
            "rejected {}+{}: {raw} in {column:?}",
            head.n, bad.offset_bytes
        ));
        Ok(())
    }

    fn closed(&mut self, window: &Window) {
        let Window {
            start_us,
            used,
            groups,
            rows,
            ..
        } = window;
        self.0.push(format!(
            "closed {start_us}: {used} in {groups}, {rows} rows"
        ));
    }

    fn gap(&mut self, gap: &Gap) -> Result<(), ()> {
        self.0.push(format!("gap {gap:?}"));
        Ok(())
    }

    fn jump(&mut self, jump: &Jump) -> Result<(), ()> {
        let Jump {
            head,
            from_us,
            to_us,
        } = jump;
        self.0
            .push(format!("jump {}: {from_us:?} to {to_us}", head.n));
        Ok(())
    }
}

fn planned(query: &str) -> (Vec<Column>, Plan) {
    let columns = parse_columns(COLUMNS, Family::Stream).unwrap();
    let plan = compile(query, &columns).unwrap();
    let read = plan.columns.iter().map(|&index| columns[index].clone());
    (read.collect(), plan)
}

/// How it ended: the totals, or why it ended early, and the counts until then.
type Ended = Result<Totals, (String, Counts)>;

/// The windows of a plan, with so many bytes for their state.
fn core<'p>(
    setup: Setup,
    columns: &'p [Column],
    plan: &'p Plan,
    records: Option<&'p Path>,
    budget: &Arc<Budget>,
) -> Core<'p> {
    let place = |name: &str| {
        let mut names = columns.iter();
        names.position(|column| column.name == name).unwrap()
    };
    let Shape::Groups(groups) = &plan.shape else {
        panic!("groups");
    };
    Core::new(Terms {
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
        columns,
        records,
        feeds: setup.feeds,
        rejects: setup.rejects,
        budget: Arc::clone(budget),
    })
}

/// The messages in blocks of `sizes`, over and over.
fn blocks(messages: &[Message], sizes: &[usize]) -> Vec<Block> {
    let (mut rest, mut sizes) = (messages, sizes.iter().cycle());
    let mut blocks = Vec::new();
    while !rest.is_empty() {
        let size = *sizes.next().unwrap();
        let (now, later) = rest.split_at(size.min(rest.len()));
        rest = later;
        let mut block = Block::default();
        now.iter()
            .for_each(|(head, message)| block.push(*head, message));
        blocks.push(block);
    }
    blocks
}

/// What becomes of the messages in blocks of `sizes`.
fn run(setup: Setup, messages: &[Message], sizes: &[usize]) -> (Heard, Ended) {
    let (columns, plan) = planned(setup.query);
    let records = setup.records.map(|text| parse_path(text).unwrap());
    let budget = Arc::new(Budget::new(u64::MAX));
    let mut core = core(setup, &columns, &plan, records.as_ref(), &budget);
    let mut heard = Heard::default();
    for block in blocks(messages, sizes) {
        if let Err(halt) = core.take(&block, &mut heard) {
            let counts = core.counts();
            return (heard, Err((shown(&halt), counts)));
        }
    }
    setup.lost.into_iter().for_each(|feed| core.lost(feed));
    let counts = core.counts();
    let ended = core.finish(&mut heard);
    assert_eq!(budget.used_bytes(), 0, "all state is given back");
    (heard, ended.map_err(|halt| (shown(&halt), counts)))
}

/// The same, once by once in each of `SIZES`: what is heard and how it ends may not differ.
fn run_cut(setup: Setup, messages: &[Message]) -> (Heard, Ended) {
    let first = run(setup, messages, &[1]);
    for sizes in SIZES {
        let other = run(setup, messages, sizes);
        assert_eq!(first.0, other.0, "in blocks of {sizes:?}");
        assert_eq!(first.1, other.1, "in blocks of {sizes:?}");
    }
    first
}

const SIZES: [&[usize]; 5] = [&[2], &[3, 1, 7], &[64], &[2_047, 2, 5_000], &[usize::MAX]];

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
fn at(times: &[i64]) -> Vec<Message> {
    let trade = |(n, time): (u64, &i64)| {
        let text = format!(r#"{{"s":"A","i":{n},"t":{time},"p":"1.00"}}"#);
        (head(n), text.into_bytes())
    };
    (1..).zip(times).map(trade).collect()
}

#[test]
fn f085_f086_a_window_closes_when_the_watermark_reaches_its_end() {
    for (name, lateness_us, times, want) in [
        ("a microsecond before", 0, vec![5, WIDTH - 1, 6], (3, 0)),
        ("at its end", 0, vec![5, WIDTH, 6], (2, 1)),
        ("a microsecond past", 0, vec![5, WIDTH + 1, 6], (2, 1)),
        ("lateness just enough", 7, vec![5, WIDTH + 6, 6], (3, 0)),
        ("a microsecond less", 7, vec![5, WIDTH + 7, 6], (2, 1)),
        ("before 1970", 0, vec![-5, -WIDTH - 5, -1], (2, 1)),
        ("out of order within", 0, vec![9, 3, 7, 0, 9], (5, 0)),
        (
            "late ones move nothing back",
            0,
            vec![WIDTH, 5, 3 * WIDTH, WIDTH],
            (2, 2),
        ),
        ("a window that never was", 0, vec![9 * WIDTH, 5], (1, 1)),
    ] {
        let setup = Setup {
            lateness_us,
            ..PLAIN
        };
        let (_, ended) = run_cut(setup, &at(&times));
        let totals = ended.unwrap();
        assert_eq!((totals.counts.used, totals.counts.late), want, "{name}");
        let windows = totals.windows.iter();
        let late: u64 = windows.map(|window| window.late).sum();
        assert_eq!(late, want.1, "{name}: late records are counted by window");
    }
}

#[test]
fn f087_f130_an_event_a_day_past_its_receipt_is_bad_and_closes_nothing() {
    let received = head(1).received_at_us;
    for (ahead, rejected) in [(EVENT_AHEAD_US, 0), (EVENT_AHEAD_US + 1, 1)] {
        let setup = Setup {
            rejects: 5,
            ..PLAIN
        };
        let times = [received, received + ahead, received + 1];
        let (heard, ended) = run_cut(setup, &at(&times));
        let totals = ended.unwrap();
        assert_eq!(totals.counts.rejected, rejected);
        // Within the day it is taken: what comes after it is late, and counted; that it went ahead is told.
        assert_eq!(totals.counts.late, 1 - rejected);
        assert_eq!(totals.jumps, 1 - rejected);
        assert_eq!(heard.of("jump ").len() as u64, totals.jumps);
    }
    // Milliseconds read as microseconds are long ago, the other way round is far ahead: all of them are bad.
    let milliseconds = at(&[received / 1_000, received / 1_000 + 1]);
    assert_eq!(run_cut(PLAIN, &milliseconds).1.unwrap().counts.used, 2);
    let ended = run_cut(PLAIN, &at(&[received * 1_000])).1;
    assert!(ended.unwrap_err().0.starts_with("1 bad: 2001-"));
}

#[test]
fn f087_time_that_goes_ahead_of_receipt_is_told() {
    for (name, steps, want) in [
        // (receipt, event), from message to message
        (
            "as fast as receipt",
            vec![(0, 0), (900, 900), (901, 901)],
            vec![],
        ),
        ("a minute more", vec![(0, 0), (5, 5 + JUMP_US)], vec![]),
        ("and a microsecond", vec![(0, 0), (5, 6 + JUMP_US)], vec![2]),
        ("the first, by its receipt", vec![(0, 1 + JUMP_US)], vec![1]),
        ("the first, in the past", vec![(JUMP_US, 0)], vec![]),
        (
            "what is not newer",
            vec![(0, 0), (0, 9 * JUMP_US), (0, 2 * JUMP_US)],
            vec![2],
        ),
        (
            "a clock that steps back",
            vec![(JUMP_US, 0), (0, JUMP_US), (1, 1 + JUMP_US)],
            vec![],
        ),
    ] {
        let base = head(1).received_at_us;
        let message = |(n, (received, event)): (u64, (i64, i64))| {
            let (head, text) = at(&[base + event]).remove(0);
            let received_at_us = base + received;
            let text = String::from_utf8(text).unwrap();
            let head = Head {
                n,
                received_at_us,
                ..head
            };
            (head, text.into_bytes())
        };
        let messages: Vec<Message> = (1..).zip(steps).map(message).collect();
        let (heard, _) = run_cut(PLAIN, &messages);
        let jumps = heard.of("jump ").into_iter();
        let jumps = jumps.map(|line| line.split(':').next().unwrap().parse::<i32>().unwrap());
        assert_eq!(jumps.collect::<Vec<_>>(), want, "{name}");
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
    let messages: Vec<Message> = (1..)
        .zip(texts)
        .map(|(n, text)| (head(n), text.as_bytes().to_vec()))
        .collect();
    let (heard, ended) = run_cut(setup, &messages);
    let want = Counts {
        read: 12,
        used: 5,
        filtered: 2,
        rejected: 3,
        late: 1,
        duplicate: 1,
        unchecked: 1,
    };
    assert_eq!(ended.unwrap().counts, want, "{heard:?}");
    let rejected = [
        format!("5+0: {} in Some(\"t\")", texts[4]),
        format!("6+0: {} in Some(\"i\")", texts[5]),
        "7+0: not JSON in None".to_owned(),
    ];
    assert_eq!(heard.of("rejected "), rejected);
    let gap = Gap::Sequence {
        key: Some("A".to_owned()),
        connection: None,
        from: 6,
        to: 6,
        after_us: 50_000_002,
        before_us: 50_000_001,
    };
    assert_eq!(heard.of("gap "), [format!("{gap:?}")]);
    // One fewer may be bad: the third ends the run, whatever came after it in its block.
    let fewer = Setup {
        rejects: 2,
        ..setup
    };
    let (why, counts) = run_cut(fewer, &messages).1.unwrap_err();
    assert!(why.starts_with("7 bad"), "{why}");
    assert_eq!((counts.read, counts.rejected, counts.used), (7, 2, 1));
}

#[test]
fn f094_a_sequence_that_restarts_ends_the_run_at_one_message() {
    let numbers = (1..=2_000_u64).chain(1..=2_000);
    let message = |(n, number): (u64, u64)| {
        let text = format!(r#"{{"s":"A","i":{number},"t":5,"p":"1.00"}}"#);
        let connection = u32::from(n > 2_000);
        let head = Head {
            connection,
            ..head(n)
        };
        (head, text.into_bytes())
    };
    let messages: Vec<Message> = (1..).zip(numbers).map(message).collect();
    let setup = |per| Setup {
        per: Some(per),
        ..PLAIN
    };
    let (why, counts) = run_cut(setup(Per::Run), &messages).1.unwrap_err();
    assert_eq!(why, "3001 restarted: A");
    let counted = (counts.read, counts.used, counts.duplicate);
    assert_eq!(counted, (3_001, 2_000, 1_000));
    let totals = run_cut(setup(Per::Connection), &messages).1.unwrap();
    assert_eq!((totals.counts.used, totals.counts.duplicate), (4_000, 0));
}

#[test]
fn a_gap_that_leaves_the_ledger_is_told_then() {
    // Every second number: from the 257th gap on, each one pushes out the oldest.
    let number = |n: u64| 2 * n;
    let message = |n| {
        let text = format!(r#"{{"s":"A","i":{},"t":5,"p":"1.00"}}"#, number(n));
        (head(n), text.into_bytes())
    };
    let mut messages: Vec<Message> = (1..=260).map(message).collect();
    // What falls into one that was pushed out may have been seen before.
    messages.push((head(261), br#"{"s":"A","i":3,"t":5,"p":"1.00"}"#.to_vec()));
    let setup = Setup {
        per: Some(Per::Run),
        ..PLAIN
    };
    let (heard, ended) = run_cut(setup, &messages);
    let totals = ended.unwrap();
    assert_eq!((totals.counts.unchecked, totals.gaps), (1, 259));
    let first = heard.0.iter().position(|line| line.starts_with("closed"));
    assert_eq!(
        heard.0[..first.unwrap()].len(),
        3 + 1,
        "three gaps, and the row"
    );
}

#[test]
fn the_first_fault_is_the_same_however_messages_are_cut() {
    let query = "SELECT time_bucket(INTERVAL '10 seconds', t) AS w, sum(1 / (p - 5)) AS x FROM input \
                 WHERE 1 / (p - 7) > -99 GROUP BY w";
    let setup = Setup { query, ..PLAIN };
    let trades = |prices: &[&str]| -> Vec<Message> {
        let trade = |(n, price): (u64, &&str)| {
            let time = n * 4_000_000;
            let text = format!(r#"{{"s":"A","i":{n},"t":{time},"p":"{price}"}}"#);
            (head(n), text.into_bytes())
        };
        (1..).zip(prices).map(trade).collect()
    };
    for (prices, want, read) in [
        (vec!["1", "2", "5", "7", "x"], "Some(3) problem", 3),
        (vec!["1", "7", "5", "x"], "Some(2) problem", 2),
        (vec!["1", "2", "x", "5", "7"], "3 bad", 3),
        (
            vec!["1", "2", "3", "4", "8", "9", "5"],
            "Some(7) problem",
            7,
        ),
    ] {
        let (why, counts) = run_cut(setup, &trades(&prices)).1.unwrap_err();
        assert!(why.starts_with(want), "{prices:?}: {why}");
        assert_eq!((counts.read, counts.used), (read, read - 1), "{prices:?}");
    }
    // Rows of two windows out of order: the first problem in message order is in the later window.
    let query = "SELECT time_bucket(INTERVAL '10 seconds', t) AS w, sum(1 / (p - 5)) AS x FROM input GROUP BY w";
    let setup = Setup {
        query,
        lateness_us: 60_000_000,
        ..PLAIN
    };
    let mut messages = at(&[1, 30_000_000, 2, 3]);
    for n in [1, 2] {
        let text = String::from_utf8(messages[n].1.clone()).unwrap();
        messages[n].1 = text.replace("1.00", "5.00").into_bytes();
    }
    let (why, counts) = run_cut(setup, &messages).1.unwrap_err();
    assert!(why.starts_with("Some(2) problem"), "{why}");
    assert_eq!((counts.read, counts.used), (2, 1));
}

#[test]
fn a_batch_that_computes_too_much_text_at_once_is_no_fault() {
    // Each row makes 16 KiB, and a batch of them more than one may.
    let query = "SELECT time_bucket(INTERVAL '10 seconds', t) AS w, \
                 count(replace(replace(replace(s, 'x', repeated), 'x', repeated), 'x', repeated)) AS n \
                 FROM input WHERE length(replace(replace(replace(s, 'x', repeated), 'x', repeated), 'x', repeated)) > 0 \
                 GROUP BY w";
    let query = query.replace("repeated", &format!("'{}'", "x".repeat(25)));
    let setup = Setup {
        query: Box::leak(query.into_boxed_str()),
        ..PLAIN
    };
    let messages: Vec<Message> = (1..=700)
        .map(|n| {
            (
                head(n),
                format!(r#"{{"s":"x","i":{n},"t":5,"p":"1"}}"#).into_bytes(),
            )
        })
        .collect();
    let counts = run(setup, &messages, &[700]).1.unwrap().counts;
    assert_eq!((counts.read, counts.used), (700, 700));
}

/// Messages with a trade each, by feed, connection and second of event time.
fn trades(of: &[(u32, u32, i64)]) -> Vec<Message> {
    let trade = |(n, &(feed, connection, second)): (u64, &(u32, u32, i64))| {
        let time = second * 1_000_000;
        let text = format!(r#"{{"s":"A","i":{n},"t":{time},"p":"1.00"}}"#);
        let head = Head {
            n,
            received_at_us: time,
            feed,
            connection,
        };
        (head, text.into_bytes())
    };
    (1..).zip(of).map(trade).collect()
}

/// Which windows are partial, and which are not.
fn partial(setup: Setup, messages: &[Message]) -> [Vec<i64>; 2] {
    let totals = run_cut(setup, messages).1.unwrap();
    [true, false].map(|is_partial| {
        let windows = totals.windows.iter();
        let windows = windows.filter(|one| one.is_partial == is_partial);
        windows.map(|one| one.start_us / WIDTH).collect()
    })
}

#[test]
fn windows_at_the_ends_of_a_connection_and_in_a_gap_are_partial() {
    let mut of = vec![(1, 0, 0)];
    // Windows 0 to 4 over one connection; the second begins in window 7.
    let times = [1, 10, 21, 32, 44, 78, 85, 91, 105, 119];
    of.extend(times.map(|second| (0, 1 + u32::from(second > 50), second)));
    // Over the other feed come records of the gap, and of later windows.
    of.extend([55, 65, 114, 130, 300].map(|second| (1, 0, second)));
    of.sort_unstable_by_key(|&(.., second)| second);
    let messages = trades(&of);
    // 0: begins; 4 to 7: around the gap; 11: feed 0 ends; 30: is open in the end.
    let want = [vec![0, 4, 5, 6, 7, 11, 30], vec![1, 2, 3, 8, 9, 10, 13]];
    assert_eq!(partial(PLAIN, &messages), want);
    // At 44, records down to 38 might still have come.
    let late = |lateness_us| Setup {
        lateness_us,
        ..PLAIN
    };
    assert_eq!(partial(late(4_000_000), &messages), want);
    let wider = [vec![0, 3, 4, 5, 6, 7, 11, 30], vec![1, 2, 8, 9, 10, 13]];
    assert_eq!(partial(late(6_000_000), &messages), wider);

    let (heard, ended) = run_cut(PLAIN, &messages);
    let totals = ended.unwrap();
    let gap = Gap::Disconnect {
        feed: 0,
        connection: 1,
        from_us: 44_000_000,
        to_us: 78_000_000,
    };
    assert_eq!(
        (heard.of("gap "), totals.gaps),
        (vec![&*format!("{gap:?}")], 1)
    );
    let messages: Vec<u64> = totals.connections.iter().map(|one| one.messages).collect();
    assert_eq!(messages, [6, 5, 5]);
}

#[test]
fn windows_are_partial_while_a_feed_has_no_connection() {
    let times = [1, 11, 21, 31, 41, 51, 200];
    let mut of: Vec<_> = times.iter().map(|&second| (0, 0, second)).collect();
    let all = vec![0, 1, 2, 3, 4, 5, 20];
    let one = partial(PLAIN, &trades(&of));
    assert_eq!(one, [vec![0, 20], vec![1, 2, 3, 4, 5]]);
    // There is another, and nothing came of it.
    let two = Setup { feeds: 2, ..PLAIN };
    assert_eq!(partial(two, &trades(&of)), [all.clone(), vec![]]);
    // It came up late, and has been there since.
    of.insert(3, (1, 1, 23));
    let late = [vec![0, 1, 2, 20], vec![3, 4, 5]];
    assert_eq!(partial(two, &trades(&of)), late);
    assert_eq!(partial(PLAIN, &trades(&of)), late, "a replay knows it too");
    // It was lost for good.
    let lost = Setup {
        lost: Some(1),
        ..two
    };
    assert_eq!(partial(lost, &trades(&of)), [all.clone(), vec![]]);
    of.insert(2, (1, 1, 12));
    let lost_later = [vec![0, 1, 2, 3, 4, 5, 20], vec![]];
    assert_eq!(partial(lost, &trades(&of)), lost_later);
    of.insert(6, (1, 1, 35));
    // From window 3 on: what came until then came whole.
    let mut late = trades(&of);
    late.remove(1);
    assert_eq!(partial(lost, &late), [vec![0, 1, 3, 4, 5, 20], vec![2]]);
    // A connection that has nothing but an acknowledgement is none.
    let mut quiet = trades(&times.map(|second| (0, 0, second)));
    let head = Head {
        n: 9,
        received_at_us: 5,
        feed: 1,
        connection: 1,
    };
    quiet.push((head, br#"{"result":null}"#.to_vec()));
    assert_eq!(partial(PLAIN, &quiet), [all, vec![]]);
}

#[test]
fn a_connection_that_begins_with_older_records_ends_no_gap_with_them() {
    // The second connection begins with a snapshot of what was before the gap. What was missed lies in windows 3 and 4.
    let snapshot = [
        (0, 0, 1),
        (0, 0, 11),
        (1, 9, 2),
        (0, 0, 35),
        (0, 1, 22),
        (0, 1, 25),
        (0, 1, 51),
        (0, 1, 61),
        (0, 1, 71),
        (1, 9, 29),
        (1, 9, 42),
        (1, 9, 47),
        (0, 1, 82),
        (0, 1, 200),
        (1, 9, 200),
    ];
    let setup = Setup {
        lateness_us: 3_000_000,
        ..PLAIN
    };
    let want = [vec![0, 2, 3, 4, 5, 20], vec![1, 6, 7, 8]];
    assert_eq!(partial(setup, &trades(&snapshot)), want);
    // The third does so too, before the second had anything new.
    let mut twice = snapshot.to_vec();
    twice.insert(6, (0, 2, 27));
    twice[7..].iter_mut().for_each(|one| one.1 = one.1.max(2));
    assert_eq!(partial(setup, &trades(&twice)), want);
    // Nothing new came at all.
    let want = [vec![0, 2, 3, 4, 20], vec![1]];
    let of_one =
        |&(feed, connection, second): &(u32, u32, i64)| feed == 1 || connection == 0 || second < 50;
    let old: Vec<_> = snapshot.into_iter().filter(of_one).collect();
    assert_eq!(partial(setup, &trades(&old)), want);
}

#[test]
fn windows_in_which_numbers_of_a_sequence_are_missing_are_partial() {
    let trade = |n: u64, number: i64, second: i64| {
        let time = second * 1_000_000;
        let text = format!(r#"{{"s":"A","i":{number},"t":{time},"p":"1.00"}}"#);
        let head = Head {
            received_at_us: time,
            ..head(n)
        };
        (head, text.into_bytes())
    };
    let sequenced = Setup {
        per: Some(Per::Run),
        lateness_us: 30_000_000,
        ..PLAIN
    };
    // 4 and 5 are missing from window 1 to 3; 8 comes late, and so nothing in window 5; 11 is in window 7, or nowhere.
    let numbers = [1, 2, 3, 6, 7, 9, 8, 10, 12, 13, 14, 15];
    let seconds = [1, 11, 12, 31, 45, 55, 54, 65, 71, 72, 85, 150];
    let messages = (1..).zip(numbers.into_iter().zip(seconds));
    let messages: Vec<Message> = messages
        .map(|(n, (number, second))| trade(n, number, second))
        .collect();
    let want = [vec![0, 1, 3, 6, 7, 15], vec![4, 5, 8]];
    assert_eq!(partial(sequenced, &messages), want);
    let unsequenced = Setup {
        per: None,
        ..sequenced
    };
    assert_eq!(partial(unsequenced, &messages)[0], [0, 15]);
}

#[test]
fn a_connection_is_whole_from_when_it_was_received_on() {
    // What it begins with is older than that: a snapshot of several symbols, of which one has not traded for long.
    let seconds = [
        (0, 0, 5),
        (0, 0, 59),
        (0, 0, 83),
        (0, 0, 95),
        (0, 0, 105),
        (0, 0, 200),
    ];
    let mut messages = trades(&seconds);
    for (head, _) in messages.iter_mut().take(2) {
        head.received_at_us = 82_000_000;
    }
    let want = [vec![0, 5, 8, 20], vec![9, 10]];
    assert_eq!(partial(PLAIN, &messages), want);
    // The second connection begins at 105, with the last trade of a symbol at 84 and of another at 97.
    let seconds = [
        (0, 0, 55),
        (0, 0, 65),
        (0, 0, 75),
        (0, 0, 83),
        (0, 1, 84),
        (0, 1, 97),
        (0, 1, 106),
        (0, 1, 115),
        (0, 1, 200),
    ];
    let mut messages = trades(&seconds);
    for (head, _) in messages.iter_mut().skip(4).take(2) {
        head.received_at_us = 105_000_000;
    }
    let want = [vec![5, 8, 9, 10, 20], vec![6, 7, 11]];
    assert_eq!(partial(PLAIN, &messages), want);
}

#[test]
fn a_feed_that_says_what_another_said_before_is_up() {
    // One feed twice: the second is always behind, and has nothing of its own.
    let mut messages = Vec::new();
    for (number, second) in (1..).zip([1, 11, 21, 31, 41, 51, 200]) {
        for feed in [0, 1] {
            let time = second * 1_000_000;
            let text = format!(r#"{{"s":"A","i":{number},"t":{time},"p":"1.00"}}"#);
            let head = Head {
                received_at_us: time,
                feed,
                connection: feed,
                ..head(messages.len() as u64 + 1)
            };
            messages.push((head, text.into_bytes()));
        }
    }
    let setup = Setup {
        per: Some(Per::Run),
        feeds: 2,
        ..PLAIN
    };
    assert_eq!(
        partial(setup, &messages),
        [vec![0, 20], vec![1, 2, 3, 4, 5]]
    );
}

#[test]
fn what_a_subscription_is_refused_with_is_kept() {
    let plain = Setup {
        records: None,
        ..PLAIN
    };
    let several = Setup {
        records: Some("data[*]"),
        ..PLAIN
    };
    let trade = r#"{"s":"A","i":1,"t":5,"p":"1"}"#;
    let refusal = r#"{"s":null,"error":"no such pair"}"#;
    let of_several = format!(r#"{{"data":[{trade}]}}"#);
    for (setup, messages, want) in [
        (plain, vec![trade], None),
        (plain, vec![trade, refusal, trade], Some(refusal)),
        (several, vec![refusal, &*of_several], Some(refusal)),
        (several, vec![&*of_several, refusal], Some(refusal)),
        (several, vec![&*of_several], None),
    ] {
        let messages = (1..).zip(messages).map(|(n, text)| (head(n), text.into()));
        let messages: Vec<Message> = messages.collect();
        for sizes in [&[1][..], &[3]] {
            let (columns, plan) = planned(QUERY);
            let records = setup.records.map(|text| parse_path(text).unwrap());
            let mut core = core(
                setup,
                &columns,
                &plan,
                records.as_ref(),
                &Arc::new(Budget::new(u64::MAX)),
            );
            for block in blocks(&messages, sizes) {
                core.take(&block, &mut Heard::default()).unwrap();
            }
            let kept = core.last_unused().map(String::from_utf8_lossy);
            assert_eq!(kept.as_deref(), want, "{messages:?}");
        }
    }
}

#[test]
fn f098_a_stream_without_records_comes_to_nothing() {
    let (heard, ended) = run(PLAIN, &[], &[1]);
    let totals = ended.unwrap();
    assert_eq!(totals.counts, Counts::default());
    assert!(heard.0.is_empty() && totals.windows.is_empty() && totals.connections.is_empty());
    let quiet = [(head(1), br#"{"result":null}"#.to_vec())];
    let totals = run(PLAIN, &quiet, &[1]).1.unwrap();
    assert_eq!((totals.counts.filtered, totals.connections.len()), (1, 1));
}

#[test]
fn records_of_one_message_are_taken_one_by_one() {
    let setup = Setup {
        records: Some("data[*]"),
        per: Some(Per::Run),
        rejects: 2,
        ..PLAIN
    };
    let text = |trades: &str| format!(r#"{{"channel":"trade","data":[{trades}]}}"#).into_bytes();
    let trade =
        |number: u64, time: i64| format!(r#"{{"s":"A","i":{number},"t":{time},"p":"1.00"}}"#);
    let bad = r#"{"s":"A","i":9}"#;
    let messages = vec![
        (
            head(1),
            text(&[trade(1, 1), trade(2, WIDTH), trade(3, 2)].join(",")),
        ),
        (head(2), br#"{"channel":"heartbeat"}"#.to_vec()),
        (
            head(3),
            text(&[&*trade(2, 5), bad, "7", &*trade(4, WIDTH + 1)].join(",\n")),
        ),
    ];
    let (heard, ended) = run_cut(setup, &messages);
    let counts = ended.unwrap().counts;
    let found = (counts.read, counts.used, counts.late, counts.duplicate);
    assert_eq!(found, (7, 3, 1, 1));
    // What is bad is the element, by its place in the message.
    let third = String::from_utf8(messages[2].1.clone()).unwrap();
    let places = [third.find(bad).unwrap(), third.find("7,").unwrap()];
    let want = [
        format!("3+{}: {bad} in Some(\"t\")", places[0]),
        format!("3+{}: 7 in None", places[1]),
    ];
    assert_eq!(heard.of("rejected "), want);
}

#[test]
fn state_is_charged_and_ends_the_run_where_it_passes_its_share() {
    let (columns, plan) = planned(QUERY);
    let Shape::Groups(groups) = &plan.shape else {
        panic!("groups");
    };
    let windows = Windows {
        event_time: 2,
        key: 0,
        bucket: Bucket::Micros(WIDTH),
        lateness_us: 86_400_000_000,
        sequence: None,
    };
    let mut core = Core::new(Terms {
        groups,
        filter: None,
        windows,
        columns: &columns,
        records: None,
        feeds: 0,
        rejects: 0,
        budget: Arc::new(Budget::new(1 << 20)),
    });
    let (mut sink, mut opened) = (Heard::default(), 0);
    let halt = loop {
        let mut block = Block::default();
        let (head, message) = at(&[opened * WIDTH]).remove(0);
        block.push(head, &message);
        if let Err(halt) = core.take(&block, &mut sink) {
            break halt;
        }
        opened += 1;
    };
    assert!(matches!(halt, Halt::Full(_) | Halt::Ledger(_)), "{halt:?}");
    assert!(
        (50..500).contains(&opened),
        "{opened} windows in a megabyte"
    );
}
