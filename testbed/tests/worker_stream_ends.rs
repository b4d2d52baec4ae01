//! How `windrow stream` ends: deadline, signals, feeds that go, S3 that is slow, and what each leaves (SPEC 6, 7 and 10;
//! FAULTS 81, 83, 89, 93, 95, 96, 98, 100 to 103). What is captured is held against what the feed knows that it sent.
#![allow(
    clippy::disallowed_methods,
    reason = "these tests wait for the worker, and change things under it"
)]

mod worker;

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testbed::feed::handshake::Handshake;
use testbed::feed::market::{Pace, Traffic};
use testbed::feed::shape::Exchange;
use testbed::feed::{Feed, Session, Settings, Step, Want};
use testbed::server::Server;
use worker::feeds::{deal, disorderly, minute_us, session, trade};
use worker::oracle::{self, Terms};
use worker::stream::{Left, replays, until};
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

fn script(server: &Server, rules: Value) {
    server.script_json(&rules.to_string()).unwrap();
}

#[test]
fn f102_each_signal_ends_a_stream_with_what_it_has() {
    let server = server!();
    for (signal, by) in [("TERM", "sigterm"), ("INT", "sigint"), ("HUP", "sighup")] {
        worker::furnish(&server);
        let feed = Feed::of(vec![session(vec![deal(300)])]).unwrap();
        let run = Run::stream(&server, &[&feed]);
        let ended = until(&run, &[&feed], "all", signal);
        assert_eq!(ended.code, 75, "{signal}: {}", ended.why());
        assert!(ended.took < Duration::from_secs(10), "{:?}", ended.took);
        let left = Left::read(&server, "run");
        left.sound(&ended, &[&feed]);
        assert_eq!(left.name, "interrupted.json", "{signal}");
        assert_eq!(left.result["ended_by"], by);
        left.is_whole(&[&feed]);
        left.is_right(Exchange::Binance);
        let verify = run.verify("s3://out/o/run/interrupted.json").end();
        assert_eq!(verify.code, 0, "{}", verify.out);
    }
}

#[test]
fn f102_a_second_signal_ends_a_stream_at_once() {
    let server = server!();
    script(
        &server,
        json!([{"name": "stalls", "when": {"operation": "PutObject", "key": "*/capture/*"}, "do": {"delay_ms": 60_000}}]),
    );
    let feed = Feed::of(vec![session(vec![deal(50)])]).unwrap();
    let running = Run::stream(&server, &[&feed]).within(60, 30).start();
    assert!(feed.wait_for("all", 1, Duration::from_secs(20)));
    running.signal("TERM");
    let began = Instant::now();
    while server.shared().script.fired("stalls") == 0 && began.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(5));
    }
    running.signal("INT");
    let ended = running.end();
    assert_eq!(ended.code, 75, "{}", ended.why());
    assert!(
        ended.why().contains("a second signal, sigint"),
        "{}",
        ended.why()
    );
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    let names = server.store().keys("out", "o/run/");
    assert_eq!(names, ["o/run/started.json"]);
}

#[test]
fn a_stream_into_files() {
    let server = server!();
    let folder = std::env::temp_dir().join(format!("windrow-stream-files-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let feed = Feed::of(vec![session(vec![deal(300)])]).unwrap();
    let run = Run::stream(&server, &[&feed])
        .with("OUTPUT", &format!("file://{}", folder.display()))
        .with("OUTPUT_FORMAT", "ndjson.gz");
    let ended = until(&run, &[&feed], "all", "TERM");
    assert_eq!(ended.code, 75, "{}", ended.why());
    let content =
        |name: &str| worker::stream::gunzip(&fs::read(folder.join("run").join(name)).unwrap());
    let rows = String::from_utf8(content("rollup.ndjson.gz")).unwrap();
    let rows: Vec<Value> = rows
        .lines()
        .map(|row| serde_json::from_str(row).unwrap())
        .collect();
    let trades: u64 = rows.iter().map(|row| row["trades"].as_u64().unwrap()).sum();
    assert_eq!((trades, &rows[0]["symbol"]), (300, &json!("BNBUSDT")));
    let captured = content("capture/part-000001.ndjson.gz");
    assert_eq!(captured.split_inclusive(|byte| *byte == b'\n').count(), 300);
    let verify = run
        .verify(&format!("file://{}/run/interrupted.json", folder.display()))
        .end();
    assert_eq!(verify.code, 0, "{}", verify.out);
    let replay = run
        .replay("run")
        .with(
            "INPUT",
            &format!("file://{}/run/capture/", folder.display()),
        )
        .end();
    assert_eq!(replay.code, 0, "{}", replay.why());
    let bytes = |run: &str| fs::read(folder.join(run).join("rollup.ndjson.gz")).unwrap();
    assert_eq!(bytes("run"), bytes("replay"));
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn f098_the_deadline_is_the_normal_end() {
    let server = server!();
    let feed = Feed::of(vec![session(vec![deal(300)])]).unwrap();
    let run = Run::stream(&server, &[&feed]).within(3, 5);
    let ended = run.end();
    assert_eq!(ended.code, 0, "{}", ended.why());
    let left = Left::read(&server, "run");
    left.sound(&ended, &[&feed]);
    assert_eq!(left.result["ended_by"], "deadline");
    left.is_whole(&[&feed]);
    let expected = left.is_right(Exchange::Binance);
    let windows = &left.result["stream"]["windows"];
    assert!(windows["closed"].as_u64() > Some(0), "{windows}");
    assert!(windows["partial"].as_u64() >= Some(2), "{windows}");
    assert_eq!(
        left.covered("window").len(),
        expected.windows.len(),
        "a line for each window: {:?}",
        left.coverage
    );
    let verify = run.verify("s3://out/o/run/manifest.json");
    assert_eq!(verify.end().code, 0);
    // verify follows coverage to the parts.
    let part = format!("o/run/{}", left.parts[0].0);
    server.store().put("out", &part, "gone wrong");
    assert_eq!(verify.end().code, 65, "a part is another");
    server.store().delete("out", &part);
    assert_eq!(verify.end().code, 65, "a part is gone");
}

/// A wall clock that is ten minutes slow in each second second of a process, and ten minutes fast in the others.
const STEPPING: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *now) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    static time_t start;
    struct timespec since;
    int result = real(id, now);
    if (id == CLOCK_REALTIME && real(CLOCK_MONOTONIC, &since) == 0) {
        if (!start) start = since.tv_sec;
        now->tv_sec += (since.tv_sec - start) % 2 ? -600 : 600;
    }
    return result;
}
"#;

#[test]
fn f083_a_wall_clock_that_steps_to_and_fro() {
    let server = server!();
    let folder = std::env::temp_dir().join(format!("windrow-f083-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let (source, library) = (folder.join("clock.c"), folder.join("clock.so"));
    fs::write(&source, STEPPING).unwrap();
    let mut compiler = Command::new("cc");
    compiler
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(&source)
        .arg("-ldl");
    assert!(compiler.status().unwrap().success(), "cc");
    let traffic = Traffic {
        per_second: Some(100.0),
        ..Traffic::binance(&["BNBUSDT"], 1_000_000)
    };
    let feed = Feed::of(vec![Session::new(vec![Step::Deal(traffic)])]).unwrap();
    let run = Run::stream(&server, &[&feed])
        .aws("LD_PRELOAD", library.to_str().unwrap())
        .with("PART_SECONDS", "2")
        .with("IDLE_TIMEOUT_SECONDS", "2")
        .within(5, 5);
    let ended = run.end();
    assert_eq!(ended.code, 0, "{}", ended.why());
    let took = ended.took.as_secs_f64();
    assert!((4.5..9.0).contains(&took), "{took} s, of 5");
    let left = Left::read(&server, "run");
    left.sound(&ended, &[&feed]);
    assert_eq!(left.result["ended_by"], "deadline");
    let expected = left.is_right(Exchange::Binance);
    assert!(expected.used > 250, "{}", expected.used);
    let times = left.capture.windows(2);
    let steps = times.map(|pair| pair[1].received_at_us - pair[0].received_at_us);
    let large = steps.filter(|step| step.abs() > 1_000_000_000).count();
    if large == 0 {
        return worker::skipped(
            "f083",
            "the worker is linked statically, so its clock cannot be moved",
        );
    }
    assert!(large >= 3, "the clock stepped {large} times");
    replays(&server, &run.without("LD_PRELOAD"), &left);
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn f098_no_message_at_all() {
    let server = server!();
    let silent = || Feed::of(vec![Session::new(vec![])]).unwrap();
    let feed = silent();
    let ended = Run::stream(&server, &[&feed])
        .with("IDLE_TIMEOUT_SECONDS", "1")
        .end();
    ended.says(69, &["IDLE_TIMEOUT_SECONDS", "1 s"]);
    Left::read(&server, "run").sound(&ended, &[&feed]);

    worker::furnish(&server);
    let feed = silent();
    let run = Run::stream(&server, &[&feed]).within(2, 3);
    let ended = run.end();
    assert_eq!(ended.code, 0, "{}", ended.why());
    let left = Left::read(&server, "run");
    left.sound(&ended, &[&feed]);
    let expected = left.is_right(Exchange::Binance);
    assert_eq!(expected.read, 0);
    assert_eq!(left.covered("connection").len(), 1, "{:?}", left.coverage);
    assert!(left.parts.is_empty());
}

#[test]
fn f089_a_feed_that_ends_ends_the_run_and_its_capture_stays() {
    let server = server!();
    for (name, end) in [
        ("closed", Step::Close(Some(1001), "going".into())),
        ("gone", Step::Fin),
        ("reset", Step::Reset),
    ] {
        worker::furnish(&server);
        // The parts that were durable before are listed: PART_SECONDS cuts one each half second.
        let feed = Feed::of(vec![Session::new(vec![
            deal(200),
            Step::Settle,
            Step::Wait(1800),
            end,
        ])])
        .unwrap();
        let run = Run::stream(&server, &[&feed]).with("PART_SECONDS", "1");
        let ended = run.end();
        assert_eq!(ended.code, 69, "{name}: {}", ended.why());
        let left = Left::read(&server, "run");
        left.sound(&ended, &[&feed]);
        left.is_whole(&[&feed]);
        assert!(
            !left.result["parts"].as_array().unwrap().is_empty(),
            "{name}: {}",
            left.result
        );
        let again = run.replay("run").end();
        assert_eq!(again.code, 0, "{name}: {}", again.why());
        let replay = Left::read(&server, "replay");
        let expected = oracle::bars(
            &left.capture,
            Terms {
                exchange: Exchange::Binance,
                lateness_us: 10_000_000,
                sequence: Some(false),
            },
        );
        assert_eq!(replay.rollup.as_deref(), Some(expected.rollup.as_str()));
        replay.counts_are(&expected);
    }
}

#[test]
fn f103_a_killed_run_replays() {
    let server = server!();
    let feed = Feed::of(vec![session(vec![
        Step::Deal(disorderly(Exchange::Binance, 500)),
        Step::Settle,
        Step::Wait(1500),
        deal(10),
    ])])
    .unwrap();
    let run = Run::stream(&server, &[&feed])
        .with("PART_SECONDS", "1")
        .with("ON_BAD_RECORD", "reject:1000");
    let killed = until(&run, &[&feed], "all", "KILL");
    assert_eq!(killed.code, -9);
    let left = Left::read(&server, "run");
    assert_eq!(left.name, "", "no result");
    assert!(left.capture.len() >= 500, "{}", left.capture.len());
    let again = run.replay("run").end();
    assert_eq!(again.code, 0, "{}", again.why());
    let replay = Left::read(&server, "replay");
    let terms = Terms {
        exchange: Exchange::Binance,
        lateness_us: 10_000_000,
        sequence: Some(false),
    };
    let expected = oracle::bars(&left.capture, terms);
    assert_eq!(replay.rollup.as_deref(), Some(expected.rollup.as_str()));
    replay.counts_are(&expected);
}

#[test]
fn f095_reconnects_used_up() {
    let server = server!();
    let cut = || Session::new(vec![deal(20), Step::Close(Some(1001), "bye".into())]);
    let feed = Feed::of(vec![cut(), cut(), cut(), cut()]).unwrap();
    let run = Run::stream(&server, &[&feed]).with("ON_DISCONNECT", "reconnect:2");
    let ended = run.end();
    ended.says(69, &["reconnect:2"]);
    assert_eq!(feed.connections(), 3, "success in between resets nothing");
    assert!(
        ended.took >= Duration::from_millis(1400),
        "{:?}",
        ended.took
    );
    let left = Left::read(&server, "run");
    left.sound(&ended, &[&feed]);
    assert_eq!(
        left.result["gaps"].as_array().map(Vec::len),
        Some(2),
        "{}",
        left.result
    );
    let gaps = ended.events.iter().filter(|event| event["event"] == "gap");
    assert!(gaps.count() >= 2, "{}", ended.out);
}

/// A trade in the middle of each of these minutes after `start`.
fn minutes(start: i64, first_id: u64, of: std::ops::Range<i64>) -> Vec<Step> {
    let trades = (first_id..).zip(of);
    let trades = trades.map(|(id, minute)| trade(id, start + minute * 60_000_000 + 30_000_000));
    trades.collect()
}

#[test]
fn f095_f097_windows_while_one_of_two_feeds_is_away_are_partial() {
    let server = server!();
    let refused = || Session::refused(Handshake::Status(503, vec![], ""));
    let away = |sessions: usize| (0..sessions).map(|_| refused()).collect::<Vec<_>>();
    let nobody: Vec<i64> = Vec::new();
    // Event times ahead of receipt: what was received when says nothing of these windows.
    let start = minute_us() + 2 * 3_600_000_000;
    for (name, other, whole, gap) in [
        (
            "it never comes up",
            away(20),
            nobody.clone(),
            (Value::Null, false),
        ),
        (
            "it comes up late",
            [
                away(1),
                vec![session(
                    [
                        minutes(start, 100, 3..5),
                        vec![Step::Wait(4000)],
                        minutes(start, 102, 8..9),
                    ]
                    .concat(),
                )],
            ]
            .concat(),
            vec![4, 5, 6, 7],
            (Value::Null, true),
        ),
        (
            "it is lost",
            [
                vec![Session::new(
                    [
                        minutes(start, 100, 0..3),
                        vec![Step::Settle, Step::Close(Some(1001), "bye".into())],
                    ]
                    .concat(),
                )],
                away(20),
            ]
            .concat(),
            vec![1],
            (json!(1), false),
        ),
    ] {
        worker::furnish(&server);
        let steps = [
            minutes(start, 1, 0..3),
            vec![Step::Wait(3000)],
            minutes(start, 4, 3..9),
        ]
        .concat();
        let (one, two) = (
            Feed::of(vec![session(steps)]).unwrap(),
            Feed::of(other).unwrap(),
        );
        let run = Run::stream(&server, &[&one, &two])
            .without("WINDROW_SEQUENCE")
            .with("ON_DISCONNECT", "reconnect:100");
        let awaited: &[&Feed] = match name {
            "it comes up late" => &[&one, &two],
            _ => &[&one],
        };
        let ended = until(&run, awaited, "all", "TERM");
        assert_eq!(ended.code, 75, "{name}: {}", ended.why());
        let left = Left::read(&server, "run");
        left.sound(&ended, &[&one, &two]);
        left.is_right_under(Terms {
            exchange: Exchange::Binance,
            lateness_us: 10_000_000,
            sequence: None,
        });
        let minute = |line: &&Value| {
            let start_us = worker::stream::micros(line["start"].as_str().unwrap());
            (start_us.unwrap() - start) / 60_000_000
        };
        let windows = left.covered("window");
        let is_whole = |line: &&&Value| line["partial"] == false;
        let found: Vec<i64> = windows.iter().filter(is_whole).map(minute).collect();
        assert_eq!(found, whole, "{name}: {windows:?}");
        let gaps = left.covered("gap");
        assert_eq!(gaps.len(), 1, "{name}: {gaps:?}");
        assert_eq!(
            (&gaps[0]["feed"], gaps[0]["to"].is_string()),
            (&json!(1), gap.1),
            "{name}: {gaps:?}"
        );
        assert_eq!(
            gaps[0]["connection"].is_null(),
            gap.0.is_null(),
            "{name}: {gaps:?}"
        );
        replays(&server, &run, &left);
    }
}

#[test]
fn f094_what_a_sequence_lacks_is_told_however_a_run_ends() {
    let server = server!();
    let start = minute_us();
    for (end, code) in [
        (Step::Close(Some(1001), "bye".into()), 69),
        (Step::Mark("all"), 75),
    ] {
        worker::furnish(&server);
        let trades = [(1, 0), (5, 1), (6, 70), (20, 75), (21, 150)];
        let trades = trades.map(|(id, second)| trade(id, start + second * 1_000_000));
        // The first part is durable when the run ends.
        let steps = [trades.to_vec(), vec![Step::Settle, Step::Wait(1500), end]].concat();
        let feed = Feed::of(vec![Session::new(steps)]).unwrap();
        let run = Run::stream(&server, &[&feed]).with("PART_SECONDS", "2");
        let ended = match code {
            69 => run.end(),
            _ => until(&run, &[&feed], "all", "TERM"),
        };
        assert_eq!(ended.code, code, "{}", ended.why());
        let left = Left::read(&server, "run");
        left.sound(&ended, &[&feed]);
        let at = |second: i64| testbed::feed::shape::iso(start + second * 1_000_000, 6);
        let gap = |first: u64, last: u64, from: i64, to: i64| {
            json!({"cause": "sequence", "key": "BNBUSDT", "connection": null, "first": first, "last": last,
                "from": at(from), "to": at(to)})
        };
        let want = [gap(2, 4, 0, 1), gap(7, 19, 70, 75)];
        let told = |name: &str| -> Vec<&Value> {
            ended
                .events
                .iter()
                .filter(|event| event["event"] == name)
                .collect()
        };
        let windows = told("window");
        assert_eq!(windows[0]["start"], at(0), "{}", ended.out);
        let names = ["used", "groups", "rows", "partial"];
        assert_eq!(
            names.map(|name| &windows[0][name]),
            [&json!(2), &json!(1), &json!(1), &json!(true)]
        );
        let parts = told("part");
        assert_eq!(
            (&parts[0]["name"], &parts[0]["messages"]),
            (&json!(left.parts[0].0), &json!(5))
        );
        if code == 69 {
            assert_eq!(left.result["gaps"], json!(want));
            continue;
        }
        assert_eq!((windows.len(), parts.len()), (3, left.parts.len()));
        for (gap, (event, line)) in want.iter().zip(told("gap").iter().zip(left.covered("gap"))) {
            for (name, value) in gap.as_object().unwrap() {
                assert_eq!(&line[name], value, "{line}");
                assert!(name == "cause" || event[name] == *value, "{event}");
            }
        }
        assert_eq!(told("gap").len(), 2, "{}", ended.out);
        let partial = left.covered("window");
        let partial: Vec<&Value> = partial.iter().map(|line| &line["partial"]).collect();
        assert_eq!(partial, [true, true, true]);
    }
}

#[test]
fn a_terminal_shows_one_line_that_lives() {
    let server = server!();
    let traffic = Traffic {
        per_second: Some(200.0),
        ..Traffic::binance(&["BNBUSDT"], 1_000_000)
    };
    let feed = Feed::of(vec![Session::new(vec![Step::Deal(traffic)])]).unwrap();
    let terminal =
        "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    let run = Run::stream(&server, &[&feed])
        .with("PART_SECONDS", "1")
        .within(4, 5)
        .inside(&["python3", "-c", terminal]);
    let ended = run.end();
    assert_eq!(ended.code, 0, "{}", ended.out);
    let lines: Vec<&str> = ended.out.split("\r\u{1b}[K").collect();
    let live = |text: &&&str| text.contains(" messages, ") && text.contains(" windows open, ");
    let live: Vec<&&str> = lines.iter().filter(live).collect();
    // Five a second.
    assert!((8..25).contains(&live.len()), "{}", ended.out);
    let last = live.last().unwrap();
    for word in [" a second, event time 20", " parts of ", " bytes durable"] {
        assert!(last.contains(word), "{last}");
    }
    assert!(!ended.out.contains(r#""event""#), "{}", ended.out);
    assert!(
        ended.out.contains("part-000001.ndjson.gz: "),
        "{}",
        ended.out
    );
}

#[test]
fn f096_a_feed_that_is_faster_than_the_rollup_ends_the_run() {
    let server = server!();
    let sines = format!("{}price{}", "sin(".repeat(40), ")".repeat(40));
    let slow = vec![sines.as_str(); 140].join(" + ");
    let query = format!(
        "SELECT time_bucket(INTERVAL '1 minute', time) AS minute, sum({slow}) AS s FROM input WHERE id IS NOT NULL GROUP BY minute"
    );
    let feed = Feed::start(Settings {
        sessions: vec![Session::new(vec![Step::Deal(Traffic {
            pace: Pace::Made {
                start_us: minute_us(),
                step_us: 1,
            },
            ..Traffic::binance(&["BNBUSDT"], 100_000_000)
        })])],
        forgets: true,
        ..Settings::default()
    })
    .unwrap();
    let ended = Run::stream(&server, &[&feed])
        .with("QUERY", &query)
        .with(
            "COLUMNS",
            "id BIGINT FROM t, price DOUBLE FROM p, time TIMESTAMP_MS FROM T",
        )
        .with("CAPTURE", "off")
        .without("WINDROW_PART_SECONDS")
        .without("WINDROW_SEQUENCE")
        .within(100, 20)
        .end();
    ended.says(69, &["keeps up with the feed", "none was taken for 10s"]);
    assert_eq!(Left::read(&server, "run").name, "failure.json");
    let peak = ended.summary()["peak_memory_bytes"].as_u64().unwrap();
    worker::note(&format!(
        "memory: a feed that is faster than the rollup {peak} bytes"
    ));
    assert!(peak < 128 << 20, "{peak}");
}

#[test]
fn f095_nobody_there_any_more() {
    let server = server!();
    let feed = Feed::of(vec![Session::new(vec![
        deal(20),
        Step::Settle,
        Step::Mark("said"),
    ])])
    .unwrap();
    let run = Run::stream(&server, &[&feed]).with("ON_DISCONNECT", "reconnect:1");
    let running = run.start();
    assert!(feed.wait_for("said", 1, Duration::from_secs(20)));
    drop(feed);
    let ended = running.end();
    ended.says(69, &["reconnect:1"]);
}

#[test]
fn f096_s3_that_is_slower_than_the_feed_ends_the_run() {
    let server = server!();
    script(
        &server,
        json!([{"name": "slow", "when": {"operation": "PutObject", "key": "*/capture/*"}, "do": {"delay_ms": 20_000}}]),
    );
    let endless = || {
        Step::Deal(Traffic {
            per_second: Some(200.0),
            ..Traffic::binance(&["BNBUSDT"], 1_000_000)
        })
    };
    let feed = Feed::of(vec![Session::new(vec![endless()])]).unwrap();
    let ended = Run::stream(&server, &[&feed])
        .with("PART_SECONDS", "2")
        .end();
    ended.says(69, &["PART_SECONDS", "capture/part-000001.ndjson.gz"]);
    assert!(server.shared().script.fired("slow") > 0);
    assert!(ended.took < Duration::from_secs(12), "{:?}", ended.took);
    assert_eq!(Left::read(&server, "run").name, "failure.json");
}

#[test]
fn f096_s3_that_is_slow_for_a_while_loses_nothing() {
    let server = server!();
    script(
        &server,
        json!([{"name": "slow", "when": {"operation": "PutObject", "key": "*/capture/*", "times": 2}, "do": {"delay_ms": 900}}]),
    );
    let feed = Feed::of(vec![session(vec![Step::Deal(Traffic {
        per_second: Some(400.0),
        ..Traffic::binance(&["BNBUSDT"], 1200)
    })])])
    .unwrap();
    let run = Run::stream(&server, &[&feed]).with("PART_SECONDS", "2");
    let ended = until(&run, &[&feed], "all", "TERM");
    assert_eq!(ended.code, 75, "{}", ended.why());
    assert!(server.shared().script.fired("slow") > 0);
    let left = Left::read(&server, "run");
    left.sound(&ended, &[&feed]);
    left.is_whole(&[&feed]);
    left.is_right(Exchange::Binance);
}

#[test]
fn f096_a_part_that_s3_refuses() {
    let server = server!();
    script(
        &server,
        json!([{"when": {"operation": "PutObject", "key": "*/capture/*"}, "do": {"answer": {"status": 403, "code": "AccessDenied"}}}]),
    );
    let feed = Feed::of(vec![Session::new(vec![deal(100)])]).unwrap();
    let ended = Run::stream(&server, &[&feed])
        .with("PART_SECONDS", "1")
        .end();
    ended.says(77, &["capture/part-000001.ndjson.gz"]);
    let left = Left::read(&server, "run");
    assert_eq!((left.name.as_str(), left.parts.len()), ("failure.json", 0));
}

#[test]
fn f100_the_deadline_at_every_awkward_moment() {
    let server = server!();
    let said = vec![deal(50)];
    let then = |handshake| {
        vec![
            Session::new([said.clone(), vec![Step::Close(Some(1001), "x".into())]].concat()),
            Session::refused(handshake),
        ]
    };
    for (name, sessions, rules) in [
        (
            "a part under way",
            vec![Session::new(said.clone())],
            json!([{"when": {"operation": "PutObject", "key": "*/capture/*"}, "do": {"delay_ms": 1500}}]),
        ),
        (
            "a reconnect",
            then(Handshake::Status(503, vec![], "")),
            json!([]),
        ),
        ("a handshake", then(Handshake::Silent), json!([])),
        (
            "the first handshake",
            vec![Session::refused(Handshake::Silent)],
            json!([]),
        ),
    ] {
        worker::furnish(&server);
        script(&server, rules);
        let feed = Feed::start(Settings {
            sessions,
            repeats: true,
            ..Settings::default()
        })
        .unwrap();
        let ended = Run::stream(&server, &[&feed])
            .with("ON_DISCONNECT", "reconnect:100")
            .with("IDLE_TIMEOUT_SECONDS", "60")
            .within(4, 5)
            .end();
        assert_eq!(ended.code, 0, "{name}: {}", ended.why());
        let left = Left::read(&server, "run");
        left.sound(&ended, &[&feed]);
        left.is_whole(&[&feed]);
        left.is_right(Exchange::Binance);
        assert_eq!(left.result["ended_by"], "deadline", "{name}");
    }
}

#[test]
fn f100_a_drain_that_s3_stalls_ends_in_time() {
    let server = server!();
    script(
        &server,
        json!([{"name": "stalls", "when": {"operation": "PutObject", "key": "*/capture/*"}, "do": {"delay_ms": 60_000}}]),
    );
    let feed = Feed::of(vec![session(vec![deal(50)])]).unwrap();
    let run = Run::stream(&server, &[&feed])
        .with("PART_SECONDS", "60")
        .within(30, 3);
    let began = Instant::now();
    let ended = until(&run, &[&feed], "all", "TERM");
    assert!(
        began.elapsed() < Duration::from_secs(9),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(ended.code, 75, "{}", ended.why());
    assert!(server.shared().script.fired("stalls") > 0);
    let left = Left::read(&server, "run");
    assert_eq!(
        (left.name.as_str(), &left.result["parts"]),
        ("failure.json", &json!([]))
    );
}

#[test]
fn f101_messages_that_come_during_the_drain() {
    let server = server!();
    let feed = Feed::of(vec![Session::new(vec![
        deal(500),
        Step::Settle,
        Step::Mark("all"),
        Step::Deal(Traffic {
            per_second: Some(3000.0),
            ..Traffic::binance(&["BNBUSDT"], 1_000_000)
        }),
    ])])
    .unwrap();
    let run = Run::stream(&server, &[&feed]);
    let ended = until(&run, &[&feed], "all", "TERM");
    assert_eq!(ended.code, 75, "{}", ended.why());
    let left = Left::read(&server, "run");
    left.sound(&ended, &[&feed]);
    assert!(left.capture.len() >= 500, "{}", left.capture.len());
    left.is_right(Exchange::Binance);
    replays(&server, &run, &left);
}

#[test]
fn f093_a_subscription_that_is_refused_in_json() {
    let server = server!();
    let subscribe = r#"{"method":"subscribe","params":{"channel":"trade","symbol":["NO/SUCH"]}}"#;
    let refusal = r#"{"error":"Currency pair not supported NO/SUCH","method":"subscribe","success":false,"symbol":"NO/SUCH"}"#;
    let long = format!(r#"{{"note":"{}"}}"#, "x".repeat(3000));
    for (name, text, quoted) in [
        ("short", refusal, "Currency pair not supported"),
        ("long", long.as_str(), "xxxxxxxx"),
    ] {
        worker::furnish(&server);
        let feed = Feed::of(vec![Session::new(vec![
            Step::Await(Want::Text(subscribe.into()), 5000),
            Step::Text(text.into()),
        ])])
        .unwrap();
        let ended = Run::stream(&server, &[&feed])
            .of(Exchange::CoinbaseMatches)
            .with("SUBSCRIBE", &format!("[{subscribe}]"))
            .with("IDLE_TIMEOUT_SECONDS", "1")
            .end();
        ended.says(69, &["IDLE_TIMEOUT_SECONDS", quoted]);
        let why = ended.why();
        assert!(why.len() < 2600, "{name}: {} bytes", why.len());
        Left::read(&server, "run").sound(&ended, &[&feed]);
    }
}

#[test]
fn bad_records_end_a_stream_unless_they_are_allowed() {
    let server = server!();
    let bad = r#"{"s":"BNBUSDT","t":2,"p":"cheap","q":"1","T":1}"#;
    let feed = || {
        Feed::of(vec![session(vec![
            trade(1, minute_us()),
            Step::Text(bad.into()),
            Step::Text("no JSON".into()),
            trade(3, minute_us()),
        ])])
        .unwrap()
    };
    let one = feed();
    let ended = Run::stream(&server, &[&one]).end();
    ended.says(65, &["price", "cheap"]);
    Left::read(&server, "run").sound(&ended, &[&one]);
    worker::furnish(&server);
    let one = feed();
    let ended = Run::stream(&server, &[&one])
        .with("ON_BAD_RECORD", "reject:1")
        .end();
    ended.says(65, &["ON_BAD_RECORD"]);
    Left::read(&server, "run").sound(&ended, &[&one]);
}

#[test]
fn f081_a_claim_that_is_taken_meets_no_feed() {
    let server = server!();
    let feed = Feed::of(vec![session(vec![deal(10)])]).unwrap();
    server.store().put("out", "o/run/started.json", "{}");
    let ended = Run::stream(&server, &[&feed]).end();
    assert_eq!(ended.code, 73, "{}", ended.why());
    assert_eq!(feed.connections(), 0);
}
