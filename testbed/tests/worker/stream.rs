//! A stream as a process, between a feed and a bucket, and what it leaves: the result, its coverage, the capture, byte
//! for byte against the truth of the feed.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use testbed::digest::{hex, sha256};
use testbed::feed::Feed;
use testbed::feed::shape::Exchange;
use testbed::server::Server;

use super::oracle::{self, Expected, Terms};
use super::{Ended, Run};

/// One-minute bars.
pub(crate) const BARS: &str = "SELECT time_bucket(INTERVAL '1 minute', time) AS minute, symbol, \
    arg_min(price, id) AS open, max(price) AS high, min(price) AS low, arg_max(price, id) AS close, \
    sum(qty) AS volume, count(*) AS trades, sum(price * qty) AS notional, \
    sum(price * qty) / NULLIF(sum(qty), 0) AS vwap \
    FROM input WHERE id IS NOT NULL GROUP BY minute, symbol";

/// The columns of the bars, and RECORDS where a message carries several.
pub(crate) fn columns(exchange: Exchange) -> (&'static str, Option<&'static str>) {
    match exchange {
        Exchange::Binance => (
            // Some that no query reads: before, between and after those that it does.
            "event VARCHAR FROM e, symbol VARCHAR FROM s, id BIGINT FROM t NOT NULL, maker BOOLEAN FROM m, \
             price DECIMAL(18,8) FROM p NOT NULL, qty DECIMAL(18,8) FROM q NOT NULL, \
             time TIMESTAMP_MS FROM T NOT NULL, sent TIMESTAMP_MS FROM E",
            None,
        ),
        Exchange::BinanceCombined => (
            "symbol VARCHAR FROM data.s, id BIGINT FROM data.t NOT NULL, price DECIMAL(18,8) FROM data.p NOT NULL, \
             qty DECIMAL(18,8) FROM data.q NOT NULL, time TIMESTAMP_MS FROM data.T NOT NULL",
            None,
        ),
        Exchange::CoinbaseMatches => (
            "symbol VARCHAR FROM product_id, id BIGINT FROM trade_id, price DECIMAL(18,8), \
             qty DECIMAL(18,8) FROM size, time TIMESTAMP",
            None,
        ),
        Exchange::CoinbaseTrades => (
            "symbol VARCHAR FROM product_id, id BIGINT FROM trade_id NOT NULL, price DECIMAL(18,8) NOT NULL, \
             qty DECIMAL(18,8) FROM size NOT NULL, time TIMESTAMP NOT NULL",
            Some("events[0].trades[*]"),
        ),
        Exchange::Kraken => (
            "symbol VARCHAR, id BIGINT FROM trade_id NOT NULL, price DECIMAL(18,8) NOT NULL, \
             qty DECIMAL(18,8) NOT NULL, time TIMESTAMP FROM timestamp NOT NULL",
            Some("data[*]"),
        ),
    }
}

/// Whether there is a worker that knows the command.
pub(crate) fn is_built() -> bool {
    let Some(worker) = super::worker() else {
        return false;
    };
    let asked = Command::new(worker).arg("stream").env_clear().output();
    let is_built = asked.unwrap().status.code() == Some(78);
    if !is_built {
        super::skipped("stream", "the worker has no such command");
    }
    is_built
}

impl Run {
    /// The bars of these feeds, of Binance's shape, to `out/o/run/`, captured.
    pub(crate) fn stream(server: &Server, feeds: &[&Feed]) -> Run {
        let uris: Vec<String> = feeds.iter().map(|feed| feed.uri("/ws/trades")).collect();
        Run::stream_of(server, &uris)
    }

    /// The same of these addresses.
    pub(crate) fn stream_of(server: &Server, uris: &[String]) -> Run {
        let input = match uris {
            [one] => one.clone(),
            several => json!(several).to_string(),
        };
        Run {
            command: "stream",
            ..Run::small(server)
        }
        .without("WINDROW_CSV_HEADER")
        .with("INPUT", &input)
        .with("INPUT_FORMAT", "json")
        .with("QUERY", BARS)
        .with("EVENT_TIME", "time")
        .with("LATENESS_SECONDS", "10")
        .with("SEQUENCE", "id BY symbol PER RUN")
        .with("IDLE_TIMEOUT_SECONDS", "20")
        .with("CAPTURE", "raw")
        .with("PART_SECONDS", "4")
        .of(Exchange::Binance)
        .within(30, 5)
    }

    /// With the columns of an exchange.
    pub(crate) fn of(self, exchange: Exchange) -> Run {
        let (columns, records) = columns(exchange);
        let run = self.with("COLUMNS", columns);
        match records {
            Some(path) => run.with("RECORDS", path),
            None => run.without("WINDROW_RECORDS"),
        }
    }

    /// The batch that replays the capture of `run_id` with the same words, as run `replay`.
    pub(crate) fn replay(&self, run_id: &str) -> Run {
        let mut run = Run {
            command: "batch",
            ..self.clone()
        };
        for name in [
            "IDLE_TIMEOUT_SECONDS",
            "CAPTURE",
            "PART_SECONDS",
            "SUBSCRIBE",
            "HEARTBEAT",
            "HEADERS",
            "ON_DISCONNECT",
        ] {
            run = run.without(&format!("WINDROW_{name}"));
        }
        run.with("INPUT", &format!("s3://out/o/{run_id}/capture/"))
            .with("INPUT_FORMAT", "capture")
            .named("replay")
            .within(60, 5)
    }
}

/// A message of a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) n: u64,
    pub(crate) received_at_us: i64,
    pub(crate) feed: u32,
    pub(crate) connection: u32,
    pub(crate) bytes: Vec<u8>,
}

/// What a stream left under its prefix.
#[derive(Debug, Default)]
pub(crate) struct Left {
    /// `manifest.json`, `interrupted.json` or `failure.json`; empty where there is none.
    pub(crate) name: String,
    /// Its content.
    pub(crate) result: Value,
    pub(crate) rollup: Option<String>,
    pub(crate) coverage: Vec<Value>,
    pub(crate) parts: Vec<(String, Vec<u8>)>,
    pub(crate) capture: Vec<Message>,
    pub(crate) rejected: Vec<Value>,
}

impl Left {
    /// What is at `out/o/RUN_ID/` now.
    pub(crate) fn read(server: &Server, run_id: &str) -> Left {
        let prefix = format!("o/{run_id}/");
        let body = |name: &str| {
            let object = server.store().object("out", &format!("{prefix}{name}"))?;
            Some(object.body.to_vec())
        };
        let results = ["manifest.json", "interrupted.json", "failure.json"];
        let mut there = results.iter().filter_map(|name| Some((name, body(name)?)));
        let (name, result) = there.next().unwrap_or((&"", b"null".to_vec()));
        assert!(there.next().is_none(), "two results in {run_id}");
        let parts: Vec<(String, Vec<u8>)> = server
            .store()
            .keys("out", &format!("{prefix}capture/"))
            .into_iter()
            .map(|key| {
                let name = key.strip_prefix(&prefix).unwrap().to_owned();
                let bytes = body(&name).unwrap();
                (name, bytes)
            })
            .collect();
        let joined: Vec<u8> = parts.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        Left {
            name: (*name).to_owned(),
            result: serde_json::from_slice(&result).unwrap(),
            rollup: body("rollup.csv").map(|bytes| String::from_utf8(bytes).unwrap()),
            coverage: body("coverage.ndjson.gz").map_or(Vec::new(), |bytes| lines(&gunzip(&bytes))),
            capture: gunzip(&joined)
                .split_inclusive(|byte| *byte == b'\n')
                .map(message)
                .collect(),
            rejected: body("rejected.ndjson").map_or(Vec::new(), |bytes| lines(&bytes)),
            parts,
        }
    }

    /// The lines of coverage of this kind.
    pub(crate) fn covered(&self, kind: &str) -> Vec<&Value> {
        let lines = self.coverage.iter();
        lines.filter(|line| line["kind"] == kind).collect()
    }

    /// What must hold of every stream's end: the parts listed are the parts there, under their hashes; the capture
    /// numbers its messages without a hole; and what each feed's connection gave begins what it sent.
    #[track_caller]
    pub(crate) fn sound(&self, ended: &Ended, feeds: &[&Feed]) {
        assert!(ended.err.is_empty(), "{}", ended.err);
        assert_eq!(ended.summary()["event"], "run_summary", "{}", ended.out);
        assert_eq!(ended.summary()["exit_code"], ended.code, "{}", ended.out);
        let name = match ended.code {
            0 => "manifest.json",
            75 if self.name == "interrupted.json" => "interrupted.json",
            _ => "failure.json",
        };
        assert_eq!(self.name, name, "{}", ended.why());
        for (n, message) in (1..).zip(&self.capture) {
            assert_eq!(message.n, n, "numbered without a hole");
        }
        self.parts_are_listed();
        for (place, feed) in (0..).zip(feeds) {
            self.begins_what_was_sent(place, feed);
            assert_eq!(
                feed.faults(),
                [""; 0],
                "the feed has nothing to complain of"
            );
        }
    }

    #[track_caller]
    fn parts_are_listed(&self) {
        let listed: Vec<Value> = match self.name.as_str() {
            "failure.json" => self.result["parts"].as_array().unwrap().clone(),
            _ => self.covered("part").into_iter().cloned().collect(),
        };
        let named = |name: &str| listed.iter().find(|line| line["name"] == name);
        for line in &listed {
            let name = line["name"].as_str().unwrap();
            let part = self.parts.iter().find(|(found, _)| found == name);
            let (_, bytes) = part.unwrap_or_else(|| panic!("{name} is listed and not there"));
            assert_eq!(line["bytes"], bytes.len(), "{name}");
            assert_eq!(line["sha256"], hex(&sha256(bytes)), "{name}");
        }
        if self.name != "failure.json" {
            for (name, _) in &self.parts {
                assert!(named(name).is_some(), "{name} is there and not listed");
            }
        }
    }

    #[track_caller]
    fn begins_what_was_sent(&self, place: u32, feed: &Feed) {
        let mut sent: BTreeMap<u32, Vec<Vec<u8>>> = BTreeMap::new();
        for message in feed.sent() {
            sent.entry(message.connection)
                .or_default()
                .push(message.bytes);
        }
        let mut got: BTreeMap<u32, Vec<&[u8]>> = BTreeMap::new();
        for message in self.capture.iter().filter(|message| message.feed == place) {
            got.entry(message.connection)
                .or_default()
                .push(&message.bytes);
        }
        let mut sent = sent.into_values();
        for (connection, got) in got {
            let begins = |sent: &Vec<Vec<u8>>| {
                sent.len() >= got.len() && got.iter().zip(sent).all(|(got, sent)| got == sent)
            };
            assert!(
                sent.any(|sent| begins(&sent)),
                "feed {place}, connection {connection}: {} messages, the first {:?}, are no beginning of what was sent",
                got.len(),
                got.first().map(|bytes| String::from_utf8_lossy(bytes)),
            );
        }
    }

    /// The rollup and every count are those that the oracle finds in the capture.
    #[track_caller]
    pub(crate) fn is_right(&self, exchange: Exchange) -> Expected {
        self.is_right_under(Terms {
            exchange,
            lateness_us: 10_000_000,
            sequence: Some(false),
        })
    }

    /// The same under other terms.
    #[track_caller]
    pub(crate) fn is_right_under(&self, terms: Terms) -> Expected {
        let expected = oracle::bars(&self.capture, terms);
        let rollup = self.rollup.as_deref().unwrap_or_default();
        assert_eq!(rollup, expected.rollup, "the rollup");
        self.counts_are(&expected);
        let stream = &self.result["stream"];
        assert_eq!(stream["late"], expected.late, "{stream}");
        assert_eq!(stream["unchecked"], expected.unchecked, "{stream}");
        expected
    }

    /// The counts alone.
    #[track_caller]
    pub(crate) fn counts_are(&self, expected: &Expected) {
        let records = &self.result["records"];
        for (name, want) in [
            ("read", expected.read),
            ("used", expected.used),
            ("filtered", expected.filtered),
            ("rejected", expected.rejected),
            ("late", expected.late),
            ("duplicate", expected.duplicate),
        ] {
            assert_eq!(records[name], want, "{name}: {records}");
        }
    }

    /// Everything that the feed sent is in the capture.
    #[track_caller]
    pub(crate) fn is_whole(&self, feeds: &[&Feed]) {
        let sent: u64 = feeds.iter().map(|feed| feed.count()).sum();
        assert_eq!(self.capture.len() as u64, sent, "messages captured");
    }
}

/// Runs the replay of `run` and asserts that it makes the same of the capture.
#[track_caller]
pub(crate) fn replays(server: &Server, run: &Run, left: &Left) -> Left {
    let ended = run.replay("run").end();
    assert_eq!(ended.code, 0, "{}\n{}", ended.why(), ended.out);
    let again = Left::read(server, "replay");
    assert_eq!(again.rollup, left.rollup, "the replay's rollup");
    let reasons = |left: &Left| -> Vec<Value> {
        let lines = left.rejected.iter();
        lines
            .map(|line| json!([line["reason"], line["raw"], line["raw_base64"]]))
            .collect()
    };
    assert_eq!(reasons(&again), reasons(left), "rejected records");
    assert_eq!(again.result["records"], left.result["records"], "counts");
    again
}

/// Starts `run`, sends `signal` once `feed` has come to the mark, and waits for the end.
#[track_caller]
pub(crate) fn until(run: &Run, feeds: &[&Feed], mark: &str, signal: &str) -> Ended {
    let running = run.start();
    let all = feeds
        .iter()
        .all(|feed| feed.wait_for(mark, 1, Duration::from_secs(25)));
    if all {
        running.signal(signal);
    }
    let ended = running.end();
    let faults: Vec<String> = feeds.iter().flat_map(|feed| feed.faults()).collect();
    assert!(all, "no feed came to {mark}: {faults:?}\n{}", ended.out);
    ended
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A line of a capture, its text taken apart by hand: the message must be the bytes that came.
fn message(line: &[u8]) -> Message {
    let text = String::from_utf8(line.to_vec()).expect("a capture is UTF-8");
    let text = text.strip_suffix("}\n").expect("a whole line");
    let rest = text.strip_prefix("{\"n\":").unwrap();
    let (n, rest) = rest.split_once(",\"received_at\":\"").unwrap();
    let (received_at, rest) = rest.split_once("\",\"feed\":").unwrap();
    let (feed, rest) = rest.split_once(",\"connection\":").unwrap();
    let (connection, rest) = rest.split_once(',').unwrap();
    let (kind, value) = rest.split_once(':').unwrap();
    let bytes = match kind {
        "\"message\"" => value.as_bytes().to_vec(),
        "\"text\"" => serde_json::from_str::<String>(value).unwrap().into_bytes(),
        "\"base64\"" => STANDARD
            .decode(serde_json::from_str::<String>(value).unwrap())
            .unwrap(),
        other => panic!("{other} in a capture"),
    };
    Message {
        n: n.parse().unwrap(),
        received_at_us: micros(received_at).unwrap(),
        feed: feed.parse().unwrap(),
        connection: connection.parse().unwrap(),
        bytes,
    }
}

/// Microseconds since 1970 of `2026-01-31T23:59:00.123456Z`.
pub(crate) fn micros(text: &str) -> Option<i64> {
    let text = text.strip_suffix('Z')?;
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let basic = seconds.replace(['-', ':'], "") + "Z";
    let millis = testbed::moment::Moment::from_basic(&basic)?.0;
    let fraction: i64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    Some(millis * 1000 + fraction)
}

/// By gzip(1), which nobody here wrote.
pub(crate) fn gunzip(bytes: &[u8]) -> Vec<u8> {
    if bytes.is_empty() {
        return Vec::new();
    }
    let mut child = Command::new("gzip")
        .arg("-dc")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writer = thread::spawn(move || input.write_all(&bytes));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "gzip -dc");
    output.stdout
}
