//! What `windrow stream` makes of the messages of feeds: windows, disorder, duplicates, captures and their replays (SPEC
//! 6; FAULTS 85 to 87, 94, 96, 97, 99, 125, 129 to 131). The rollup is held against an oracle, the capture against what
//! the feed knows that it sent.
#![allow(
    clippy::disallowed_methods,
    reason = "these tests wait for the worker, and change things under it"
)]

mod worker;

use std::time::Duration;

use serde_json::Value;
use testbed::feed::frame::{self, Frame};
use testbed::feed::handshake::Handshake;
use testbed::feed::market::{Pace, Traffic, now_us};
use testbed::feed::shape::{Exchange, iso};
use testbed::feed::{Act, Feed, Session, Settings, Step, Want};
use testbed::operation::Operation;
use worker::feeds::{deal, disorderly, minute_us, session, trade, trade_text};
use worker::oracle::{self, Terms};
use worker::stream::{BARS, Left, replays, until};
use worker::{Run, start};

/// Ends the test where there is no worker.
macro_rules! server {
    () => {{
        if !worker::stream::is_built() {
            return;
        }
        start()
    }};
}

#[test]
fn f094_f101_disorder_of_each_exchange_is_rolled_up_captured_and_replayed() {
    let server = server!();
    for exchange in [
        Exchange::Binance,
        Exchange::BinanceCombined,
        Exchange::CoinbaseMatches,
        Exchange::CoinbaseTrades,
        Exchange::Kraken,
    ] {
        worker::furnish(&server);
        // As it opens: Binance by the address, with a ping now and then, the others by a subscription within five seconds.
        let subscription = exchange.subscription("BNBUSDT");
        let opening = match &subscription {
            None => vec![Step::PingEvery(100)],
            Some(text) => vec![
                Step::Await(Want::Text(text.clone()), 5000),
                Step::Text(exchange.acknowledgement("BNBUSDT")),
            ],
        };
        let traffic = Step::Deal(disorderly(exchange, 1500));
        let feed = Feed::of(vec![session([opening, vec![traffic]].concat())]).unwrap();
        let run = Run::stream(&server, &[&feed])
            .of(exchange)
            .with("ON_BAD_RECORD", "reject:1000");
        let run = match subscription {
            None => run,
            Some(text) => run.with("SUBSCRIBE", &format!("[{text}]")),
        };
        let ended = until(&run, &[&feed], "all", "TERM");
        assert_eq!(ended.code, 75, "{exchange:?}: {}", ended.why());
        let left = Left::read(&server, "run");
        left.sound(&ended, &[&feed]);
        left.is_whole(&[&feed]);
        let expected = left.is_right(exchange);
        let all = [
            expected.used,
            expected.filtered,
            expected.rejected,
            expected.late,
            expected.duplicate,
            expected.jumps,
        ];
        // What is no trade is a document without records where these are in an array.
        let is_there = |(at, count): (usize, &u64)| *count > 0 || at == 1;
        let mut all_counts = all.iter().enumerate();
        assert!(all_counts.all(is_there), "{exchange:?}: {all:?}");
        let has_filtered = !matches!(exchange, Exchange::CoinbaseTrades | Exchange::Kraken);
        assert_eq!(expected.filtered > 0, has_filtered, "{exchange:?}: {all:?}");
        assert_eq!(left.rejected.len() as u64, expected.rejected);
        replays(&server, &run, &left);
    }
}

#[test]
fn f093_an_exchange_that_is_not_subscribed_to_sends_the_run_away() {
    let server = server!();
    let feed = Feed::of(vec![session(vec![
        Step::Await(Want::Message, 700),
        deal(10),
    ])])
    .unwrap();
    let ended = Run::stream(&server, &[&feed])
        .of(Exchange::CoinbaseMatches)
        .end();
    ended.says(69, &["code 1008 (policy violation)"]);
}

#[test]
fn f099_an_exchange_that_cuts_each_connection_and_a_run_that_goes_on() {
    let server = server!();
    let traffic = || Step::Deal(disorderly(Exchange::Binance, 400));
    let cut = |end: Step| Session::new(vec![traffic(), Step::Miss(7), end]);
    let feed = Feed::of(vec![
        cut(Step::Close(Some(1001), "24 hours".into())),
        cut(Step::Fin),
        session(vec![traffic()]),
    ])
    .unwrap();
    let run = Run::stream(&server, &[&feed])
        .with("ON_BAD_RECORD", "reject:1000")
        .with("ON_DISCONNECT", "reconnect:2");
    let ended = until(&run, &[&feed], "all", "TERM");
    assert_eq!(ended.code, 75, "{}", ended.why());
    let left = Left::read(&server, "run");
    left.sound(&ended, &[&feed]);
    left.is_whole(&[&feed]);
    left.is_right(Exchange::Binance);
    assert_eq!(left.result["stream"]["connections"], 3);
    assert_eq!(left.covered("connection").len(), 3, "{:?}", left.coverage);
    assert!(left.covered("gap").len() >= 2, "{:?}", left.coverage);
    assert!(
        left.result["stream"]["windows"]["partial"].as_u64() >= Some(3),
        "{}",
        left.result["stream"]
    );
    replays(&server, &run, &left);
}

#[test]
fn f094_a_sequence_that_restarts() {
    let server = server!();
    // Both connections begin at 1, so that the second says the numbers of the first again.
    let restarting = |trades: u64| {
        Feed::of(vec![
            Session::new(vec![
                Step::Restart,
                deal(trades),
                Step::Restart,
                Step::Close(Some(1000), String::new()),
            ]),
            session(vec![deal(trades)]),
        ])
        .unwrap()
    };
    // PER RUN: a thousand duplicates are a feed that repeats itself, one more is one that began anew.
    for (trades, code) in [(900, 75), (1100, 65)] {
        worker::furnish(&server);
        let feed = restarting(trades);
        let run = Run::stream(&server, &[&feed]).with("ON_DISCONNECT", "reconnect:1");
        let ended = match code {
            75 => until(&run, &[&feed], "all", "TERM"),
            _ => run.end(),
        };
        assert_eq!(ended.code, code, "{trades}: {}", ended.why());
        let left = Left::read(&server, "run");
        if code == 75 {
            left.sound(&ended, &[&feed]);
            assert_eq!(left.is_right(Exchange::Binance).duplicate, trades);
        } else {
            assert!(ended.why().contains("BNBUSDT"), "{}", ended.why());
            assert!(ended.why().contains("PER CONNECTION"), "{}", ended.why());
        }
    }
    worker::furnish(&server);
    let feed = restarting(1100);
    let run = Run::stream(&server, &[&feed])
        .with("ON_DISCONNECT", "reconnect:1")
        .with("SEQUENCE", "id BY symbol PER CONNECTION");
    let ended = until(&run, &[&feed], "all", "TERM");
    assert_eq!(ended.code, 75, "{}", ended.why());
    let left = Left::read(&server, "run");
    left.sound(&ended, &[&feed]);
    let expected = left.is_right_under(Terms {
        exchange: Exchange::Binance,
        lateness_us: 10_000_000,
        sequence: Some(true),
    });
    assert_eq!((expected.duplicate, expected.used), (0, 2200));
    replays(&server, &run, &left);
}

#[test]
fn f085_f086_windows_to_the_microsecond_without_lateness() {
    let server = server!();
    let minute = minute_us();
    let times = [
        0,
        59_999_999,
        60_000_000,
        59_999_999,
        60_000_001,
        119_999_999,
        120_000_000,
        119_999_998,
    ];
    let steps = (1..).zip(times).map(|(id, offset_us)| {
        Step::Text(format!(
            r#"{{"type":"match","trade_id":{id},"product_id":"BTC-USD","price":"1.5","size":"2","time":"{}"}}"#,
            iso(minute + offset_us, 6)
        ))
    });
    let feed = Feed::of(vec![session(steps.collect())]).unwrap();
    let run = Run::stream(&server, &[&feed])
        .of(Exchange::CoinbaseMatches)
        .with("LATENESS_SECONDS", "0");
    let ended = until(&run, &[&feed], "all", "TERM");
    let left = Left::read(&server, "run");
    left.sound(&ended, &[&feed]);
    let expected = left.is_right_under(Terms {
        exchange: Exchange::CoinbaseMatches,
        lateness_us: 0,
        sequence: Some(false),
    });
    assert_eq!((expected.used, expected.late), (6, 2));
    let trades: Vec<&str> = left
        .rollup
        .iter()
        .flat_map(|text| text.lines().skip(1))
        .filter_map(|line| line.split(',').nth(7))
        .collect();
    assert_eq!(trades, ["2", "3", "1"]);
    replays(&server, &run, &left);
}

#[test]
fn f087_one_record_far_ahead_closes_nothing_silently() {
    let server = server!();
    let minute = minute_us();
    let feed = Feed::of(vec![session(vec![
        trade(1, minute),
        // Twenty hours ahead of all others: within a day of its receipt, so data.
        trade(2, minute + 20 * 3_600_000_000),
        trade(3, minute + 1_000_000),
    ])])
    .unwrap();
    let run = Run::stream(&server, &[&feed]);
    let ended = until(&run, &[&feed], "all", "TERM");
    let left = Left::read(&server, "run");
    left.sound(&ended, &[&feed]);
    assert_eq!(left.is_right(Exchange::Binance).late, 1);
    let warnings: Vec<&Value> = ended
        .events
        .iter()
        .filter(|event| event["event"] == "warning")
        .collect();
    assert_eq!(warnings.len(), 1, "{}", ended.out);
    assert_eq!(warnings[0]["n"], 2);
    let jumps = left.covered("jump");
    assert_eq!(jumps.len(), 1, "{:?}", left.coverage);
    let to = worker::stream::micros(jumps[0]["to"].as_str().unwrap());
    assert_eq!(
        (&jumps[0]["n"], to),
        (&Value::from(2), Some(minute + 20 * 3_600_000_000))
    );
    replays(&server, &run, &left);
}

#[test]
fn f082_seconds_where_milliseconds_are_declared() {
    let server = server!();
    let second = minute_us() / 1_000_000;
    // A trade's time is in milliseconds; this feed gives seconds, which lie in January 1970.
    let feed = Feed::of(vec![session(vec![Step::Text(trade_text(
        1,
        &second.to_string(),
    ))])])
    .unwrap();
    let run = Run::stream(&server, &[&feed]);
    let ended = until(&run, &[&feed], "all", "TERM");
    let left = Left::read(&server, "run");
    left.sound(&ended, &[&feed]);
    assert_eq!(left.is_right(Exchange::Binance).used, 1);
    let warned = ended
        .events
        .iter()
        .filter(|event| event["event"] == "warning");
    let columns: Vec<&Value> = warned.map(|event| &event["column"]).collect();
    assert_eq!(columns, ["time"], "{}", ended.out);
}

#[test]
fn f130_event_times_that_cannot_be() {
    let server = server!();
    let day = 86_400_000_000;
    let sessions = || {
        vec![session(vec![
            trade(1, minute_us()),
            trade(2, now_us() + day - 30_000_000),
            trade(3, now_us() + day + 30_000_000),
            // Microseconds where milliseconds are declared.
            Step::Text(trade_text(4, &now_us().to_string())),
            trade(5, now_us()),
        ])]
    };
    let feed = Feed::of(sessions()).unwrap();
    let run = Run::stream(&server, &[&feed]).with("ON_BAD_RECORD", "reject:2");
    let ended = until(&run, &[&feed], "all", "TERM");
    assert_eq!(ended.code, 75, "{}", ended.why());
    let left = Left::read(&server, "run");
    left.sound(&ended, &[&feed]);
    let expected = left.is_right(Exchange::Binance);
    // The second one is data and takes the watermark with it, so the last one is late.
    assert_eq!((expected.rejected, expected.used, expected.late), (2, 2, 1));
    replays(&server, &run, &left);

    worker::furnish(&server);
    let feed = Feed::of(sessions()).unwrap();
    let ended = Run::stream(&server, &[&feed]).end();
    ended.says(65, &["at most a day after its receipt"]);
    Left::read(&server, "run").sound(&ended, &[&feed]);
}

#[test]
fn a_capture_takes_any_query() {
    let server = server!();
    let feed = Feed::of(vec![session(vec![Step::Deal(Traffic::binance(
        &["BNBUSDT", "BTCUSDT"],
        500,
    ))])])
    .unwrap();
    let run = Run::stream(&server, &[&feed]);
    let ended = until(&run, &[&feed], "all", "TERM");
    let left = Left::read(&server, "run");
    left.sound(&ended, &[&feed]);
    let replay = || {
        run.replay("run")
            .without("WINDROW_EVENT_TIME")
            .without("WINDROW_LATENESS_SECONDS")
            .without("WINDROW_SEQUENCE")
    };
    let grouped = replay().with(
        "QUERY",
        "SELECT symbol, count(*) AS n, min(id) AS first, max(id) AS last FROM input GROUP BY symbol",
    );
    let ended = grouped.end();
    assert_eq!(ended.code, 0, "{}", ended.why());
    let text = Left::read(&server, "replay").rollup.unwrap();
    let counted: u64 = text
        .lines()
        .skip(1)
        .map(|line| line.split(',').nth(1).unwrap().parse::<u64>().unwrap())
        .sum();
    assert_eq!(counted, 500, "{text}");
    let rows = replay()
        .named("rows")
        .with("QUERY", "SELECT id FROM input WHERE symbol = 'BNBUSDT'")
        .end();
    assert_eq!(rows.code, 0, "{}", rows.why());
    let rows = Left::read(&server, "rows").rollup.unwrap();
    let ids: Vec<u64> = rows
        .lines()
        .skip(1)
        .map(|line| line.parse().unwrap())
        .collect();
    assert!(ids.len() > 200 && ids.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn f097_two_feeds_and_one_dies() {
    let server = server!();
    let lives = || Feed::of(vec![session(vec![deal(100), Step::Wait(2500), deal(100)])]).unwrap();
    let dies = || {
        Feed::of(vec![
            Session::new(vec![deal(100), Step::Wait(500), Step::Reset]),
            session(vec![deal(100)]),
        ])
        .unwrap()
    };
    let (one, two) = (lives(), dies());
    let run = Run::stream(&server, &[&one, &two]).without("WINDROW_SEQUENCE");
    let ended = run.end();
    ended.says(69, &[&two.uri("/ws/trades")]);
    Left::read(&server, "run").sound(&ended, &[&one, &two]);

    worker::furnish(&server);
    let (one, two) = (lives(), dies());
    let run = Run::stream(&server, &[&one, &two])
        .without("WINDROW_SEQUENCE")
        .with("ON_DISCONNECT", "reconnect:1");
    let ended = until(&run, &[&one, &two], "all", "TERM");
    assert_eq!(ended.code, 75, "{}", ended.why());
    let left = Left::read(&server, "run");
    left.sound(&ended, &[&one, &two]);
    left.is_right_under(Terms {
        exchange: Exchange::Binance,
        lateness_us: 10_000_000,
        sequence: None,
    });
    replays(&server, &run, &left);
}

#[test]
fn f096_f125_two_feeds_as_fast_as_they_can_are_whole_and_replay() {
    let server = server!();
    let busy = |seed| {
        Feed::start(Settings {
            sessions: vec![session(vec![Step::Deal(Traffic {
                pace: Pace::Made {
                    start_us: minute_us(),
                    step_us: 20_000,
                },
                ..disorderly(Exchange::Binance, 15_000)
            })])],
            seed,
            ..Settings::default()
        })
        .unwrap()
    };
    let (one, two) = (busy(1), busy(2));
    let run = Run::stream(&server, &[&one, &two])
        .without("WINDROW_SEQUENCE")
        .with("ON_BAD_RECORD", "reject:10000")
        .with("LATENESS_SECONDS", "600")
        .within(60, 10);
    let ended = until(&run, &[&one, &two], "all", "TERM");
    assert_eq!(ended.code, 75, "{}", ended.why());
    let left = Left::read(&server, "run");
    left.sound(&ended, &[&one, &two]);
    left.is_whole(&[&one, &two]);
    left.is_right_under(Terms {
        exchange: Exchange::Binance,
        lateness_us: 600_000_000,
        sequence: None,
    });
    replays(&server, &run, &left);
}

#[test]
fn f131_feeds_that_want_the_client_to_speak() {
    let server = server!();
    let ping = r#"{"method":"ping"}"#;
    for (heartbeat, want) in [
        (format!("1 {ping}"), Want::Text(ping.into())),
        ("1".into(), Want::Ping),
    ] {
        worker::furnish(&server);
        let await_it = Step::Await(want, 2500);
        let feed = Feed::of(vec![session(vec![
            deal(10),
            await_it.clone(),
            deal(10),
            await_it,
        ])])
        .unwrap();
        let run = Run::stream(&server, &[&feed]).with("HEARTBEAT", &heartbeat);
        let ended = until(&run, &[&feed], "all", "TERM");
        assert_eq!(ended.code, 75, "{heartbeat}: {}", ended.why());
        let left = Left::read(&server, "run");
        left.sound(&ended, &[&feed]);
        left.is_right(Exchange::Binance);
    }
}

#[test]
fn f129_f131_headers_and_subscriptions_that_are_secrets() {
    let server = server!();
    let subscribe = [
        r#"{"op":"auth","key":"canary-subscribed"}"#,
        "canary plain text",
    ];
    let feed = Feed::of(vec![Session {
        handshake: Handshake::Demand("x-mbx-apikey", "canary-header", 401),
        steps: vec![
            Step::Await(Want::Text(subscribe[0].into()), 5000),
            Step::Await(Want::Text(subscribe[1].into()), 5000),
            Step::Text(Exchange::Kraken.acknowledgement("BTC/USD")),
            deal(10),
            Step::Settle,
            Step::Mark("all"),
        ],
    }])
    .unwrap();
    let run = Run::stream_of(&server, &[feed.uri("/ws?token=canary-query&streams=a/b")])
        .with("HEADERS", r#"{"X-MBX-APIKEY": "canary-header"}"#)
        .with(
            "SUBSCRIBE",
            r#"[{"op": "auth", "key": "canary-subscribed"}, "canary plain text"]"#,
        );
    let ended = until(&run, &[&feed], "all", "TERM");
    assert_eq!(ended.code, 75, "{}", ended.why());
    let left = Left::read(&server, "run");
    left.sound(&ended, &[&feed]);
    left.is_right(Exchange::Binance);
    let requests = feed.heard();
    let asked = requests.iter().find_map(|heard| match &heard.act {
        Act::Request(head) => Some(format!("{}?{}", head.path, head.query)),
        Act::Frame(_) | Act::Left | Act::Fault(_) => None,
    });
    assert_eq!(asked.as_deref(), Some("/ws?token=canary-query&streams=a/b"));
    let failing = Run::stream_of(&server, &[feed.uri("/ws?token=canary-query")])
        .with("HEADERS", r#"{"X-MBX-APIKEY": "canary-wrong"}"#)
        .named("denied")
        .end();
    assert_ne!(failing.code, 0);
    let mut all = vec![ended.out, ended.err, failing.out, failing.err];
    // A feed repeats what it was sent, and says no more.
    let echo = r#"{"error":"no canary-subscribed, canary-que\u0072y","sent":"{\"key\":\"canary-header\"}"}"#;
    for (name, exchange, end) in [
        ("echoed", Exchange::Binance, Step::Wait(5000)),
        ("beside-records", Exchange::Kraken, Step::Wait(5000)),
        (
            "closing",
            Exchange::Binance,
            Step::Close(Some(1008), "no canary-subscribed".into()),
        ),
    ] {
        let feed = Feed::of(vec![Session::new(vec![
            Step::Await(Want::Text(subscribe[0].into()), 5000),
            Step::Text(echo.into()),
            Step::Settle,
            end,
        ])])
        .unwrap();
        let ended = Run::stream_of(&server, &[feed.uri("/ws?token=canary-query")])
            .of(exchange)
            .with("HEADERS", r#"{"X-MBX-APIKEY": "canary-header"}"#)
            .with("SUBSCRIBE", &format!("[{}]", subscribe[0]))
            .with("IDLE_TIMEOUT_SECONDS", "1")
            .named(name)
            .end();
        ended.says(69, &["no «redacted»"]);
        all.extend([ended.out, ended.err]);
    }
    // It does so in what should be a number.
    for (name, on_bad_record, code) in [("bad", "fail", 65), ("rejected", "reject:9", 69)] {
        let feed = Feed::of(vec![Session::new(vec![
            Step::Await(Want::Text(subscribe[0].into()), 5000),
            Step::Text(r#"{"t":"canary-subscribed"}"#.into()),
            Step::Settle,
        ])])
        .unwrap();
        let ended = Run::stream_of(&server, &[feed.uri("/ws?token=canary-query")])
            .with("SUBSCRIBE", &format!("[{}]", subscribe[0]))
            .with("IDLE_TIMEOUT_SECONDS", "1")
            .with("ON_BAD_RECORD", on_bad_record)
            .named(name)
            .end();
        assert_eq!(ended.code, code, "{}", ended.why());
        assert!(ended.out.contains("«redacted»"), "{}", ended.out);
        all.extend([ended.out, ended.err]);
    }
    for key in server.store().keys("out", "o/") {
        // These are what the feed said.
        if key.contains("/capture/") || key.ends_with("/rejected.ndjson") {
            continue;
        }
        let body = server.store().object("out", &key).unwrap().body.to_vec();
        let text = match key.ends_with(".gz") {
            true => worker::stream::gunzip(&body),
            false => body,
        };
        all.push(String::from_utf8_lossy(&text).into_owned());
    }
    for text in all {
        assert!(!text.contains("canary"), "{text}");
    }
}

#[test]
fn f125_large_and_odd_messages_are_captured_and_replayed() {
    let server = server!();
    let large = |bytes: usize| {
        let text = trade_text(2, &(minute_us() / 1000).to_string());
        let pad = bytes - text.len() - r#","pad":"""#.len();
        text.replacen('}', &format!(r#","pad":"{}"}}"#, "x".repeat(pad)), 1)
    };
    let limit = 16 << 20;
    assert_eq!(large(limit).len(), limit);
    let deep = format!("{}1{}", r#"{"a":"#.repeat(70), "}".repeat(70));
    let odd: Vec<Step> = vec![
        trade(1, minute_us()),
        Step::Text(large(limit)),
        Step::Binary(vec![0xff; 300]),
        Step::Binary(trade_text(3, &(minute_us() / 1000).to_string()).into_bytes()),
        Step::Text(String::new()),
        Step::Text("two\nlines".into()),
        Step::Text("{\n \"s\": null\n}\r\n".into()),
        Step::Text("[]".into()),
        Step::Text("17".into()),
        Step::Text(deep),
        Step::Text("\u{1f600} \"quoted\" \\ \u{0}".into()),
        Step::Text(r#"{"s":"BNBUSDT","t":9,"p":"1","q":"1","T":1} {}"#.into()),
    ];
    let feed = Feed::of(vec![session(odd)]).unwrap();
    let run = Run::stream(&server, &[&feed])
        .with("ON_BAD_RECORD", "reject:20")
        .within(60, 20);
    let ended = until(&run, &[&feed], "all", "TERM");
    assert_eq!(ended.code, 75, "{}", ended.why());
    let left = Left::read(&server, "run");
    left.sound(&ended, &[&feed]);
    left.is_whole(&[&feed]);
    assert_eq!(
        left.result["records"]["used"], 3,
        "{}",
        left.result["records"]
    );
    replays(&server, &run, &left);

    // One more byte, in one frame and in many: the end, and the feed is told why.
    for in_frames in [false, true] {
        worker::furnish(&server);
        let text = large(limit + 1).into_bytes();
        let frames = match in_frames {
            false => vec![Frame::new(frame::TEXT, text)],
            true => frame::fragments(frame::TEXT, &text.chunks(1 << 20).collect::<Vec<_>>(), &[]),
        };
        let feed = Feed::of(vec![Session::new(vec![
            trade(1, minute_us()),
            Step::Frames(frames, None),
        ])])
        .unwrap();
        let ended = Run::stream(&server, &[&feed]).within(60, 20).end();
        ended.says(65, &["at most 16777216 bytes"]);
        Left::read(&server, "run").sound(&ended, &[&feed]);
        let told = feed.wait_heard(1, Duration::from_secs(1), |act| {
            matches!(act, Act::Frame(heard) if heard.opcode == frame::CLOSE && heard.payload.starts_with(&1009_u16.to_be_bytes()))
        });
        assert!(told, "1009: {:?}", feed.heard());
    }
}

#[test]
fn without_a_capture_there_are_no_parts() {
    let server = server!();
    let feed = Feed::of(vec![session(vec![deal(300)])]).unwrap();
    let run = Run::stream(&server, &[&feed])
        .with("CAPTURE", "off")
        .without("WINDROW_PART_SECONDS");
    let ended = until(&run, &[&feed], "all", "TERM");
    assert_eq!(ended.code, 75, "{}", ended.why());
    let left = Left::read(&server, "run");
    assert_eq!(
        (left.name.as_str(), left.parts.len()),
        ("interrupted.json", 0)
    );
    assert_eq!(left.result["records"]["used"], 300);
    let parts = server.journal().of(Operation::PutObject);
    assert!(!parts.iter().any(|entry| entry.key.contains("/capture/")));
}

#[test]
fn f096_memory_is_flat() {
    let server = server!();
    let is_full = std::env::var("WINDROW_SWEEP").is_ok_and(|sweep| sweep == "full");
    let (few, many) = match is_full {
        true => (100_000, 600_000),
        false => (10_000, 60_000),
    };
    let peak = |messages: u64| {
        worker::furnish(&server);
        let feed = Feed::start(Settings {
            sessions: vec![session(vec![Step::Deal(Traffic {
                pace: Pace::Made {
                    start_us: minute_us() - 80_000_000_000,
                    step_us: 80_000,
                },
                // What the queue holds is another matter, so the run keeps up.
                per_second: Some(10_000.0),
                ..Traffic::binance(&["BNBUSDT", "BTCUSDT"], messages)
            })])],
            forgets: true,
            ..Settings::default()
        })
        .unwrap();
        let running = Run::stream(&server, &[&feed]).within(300, 20).start();
        assert!(
            feed.wait_for("all", 1, Duration::from_secs(280)),
            "{:?}",
            feed.faults()
        );
        running.signal("TERM");
        let ended = running.end();
        assert_eq!(ended.code, 75, "{}", ended.why());
        ended.summary()["peak_memory_bytes"].as_u64().unwrap()
    };
    let (small, large) = (peak(few), peak(many));
    worker::note(&format!(
        "memory: {few} messages {small} bytes, {many} messages {large} bytes"
    ));
    assert!(large < small + (4 << 20), "{small} {large}");
}

#[test]
fn f096_messages_of_two_bytes_cost_no_more_memory_than_others() {
    let server = server!();
    // Many of them a write, so that they wait by the million where they wait.
    let tiny = Frame::new(frame::TEXT, "{}");
    let flood = Step::Frames(vec![tiny; 20_000], None);
    let feed = Feed::of(vec![session(vec![flood; 40])]).unwrap();
    let run = Run::stream(&server, &[&feed])
        .with("PART_SECONDS", "60")
        .within(120, 20);
    let ended = until(&run, &[&feed], "all", "TERM");
    assert_eq!(ended.code, 75, "{}", ended.why());
    let left = Left::read(&server, "run");
    assert_eq!(left.result["records"]["filtered"], 800_000);
    // The queue may hold 16 MiB, a block 4 MiB, and a second queue is under way while one is worked on.
    let peak = ended.summary()["peak_memory_bytes"].as_u64().unwrap();
    worker::note(&format!("memory: 800000 messages of 2 bytes {peak} bytes"));
    assert!(peak < 64 << 20, "{peak}");
}

#[test]
fn a_feed_behind_tls_is_trusted_or_not() {
    let server = server!();
    for (name, kind, code) in [
        ("trusted", testbed::tls::Kind::Trusted, 75),
        ("another authority", testbed::tls::Kind::OtherAuthority, 77),
        ("another host", testbed::tls::Kind::WrongHost, 77),
        ("expired", testbed::tls::Kind::Expired, 77),
    ] {
        worker::furnish(&server);
        let feed = Feed::start(Settings {
            sessions: vec![session(vec![Step::Deal(disorderly(
                Exchange::Binance,
                500,
            ))])],
            tls: Some(kind),
            ..Settings::default()
        })
        .unwrap();
        let bundle = std::env::temp_dir().join(format!("windrow-feed-{}-{code}.pem", feed.port()));
        std::fs::write(&bundle, feed.ca_pem()).unwrap();
        let run = Run::stream(&server, &[&feed])
            .aws("AWS_CA_BUNDLE", bundle.to_str().unwrap())
            .with("ON_BAD_RECORD", "reject:1000");
        if code == 75 {
            let ended = until(&run, &[&feed], "all", "TERM");
            assert_eq!(ended.code, 75, "{}", ended.why());
            let left = Left::read(&server, "run");
            left.sound(&ended, &[&feed]);
            left.is_whole(&[&feed]);
            left.is_right(Exchange::Binance);
        } else {
            let ended = run.end();
            assert_eq!(ended.code, code, "{name}: {}", ended.why());
        }
        std::fs::remove_file(bundle).unwrap();
    }
}

#[test]
fn a_query_that_keeps_some_windows_only() {
    let server = server!();
    let feed = Feed::of(vec![session(vec![deal(300)])]).unwrap();
    let run = Run::stream(&server, &[&feed]).with("QUERY", &format!("{BARS} HAVING count(*) > 20"));
    let ended = until(&run, &[&feed], "all", "TERM");
    assert_eq!(ended.code, 75, "{}", ended.why());
    let left = Left::read(&server, "run");
    let terms = Terms {
        exchange: Exchange::Binance,
        lateness_us: 10_000_000,
        sequence: Some(false),
    };
    let expected = oracle::bars(&left.capture, terms).rollup;
    let kept = expected.lines().enumerate().filter(|(place, line)| {
        *place == 0 || line.split(',').nth(7).unwrap().parse::<u64>().unwrap() > 20
    });
    let kept: String = kept.flat_map(|(_, line)| [line, "\n"]).collect();
    assert_eq!(left.rollup.as_deref(), Some(kept.as_str()));
    assert_ne!(kept, expected);
}
