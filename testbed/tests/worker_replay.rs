//! `windrow batch` over captures that no worker wrote: their lines are made here from SPEC 6's words, so that writer and
//! reader of the format cannot share a mistake. What comes out is held against the oracle.
#![allow(clippy::disallowed_methods, reason = "these tests wait for the worker")]

mod worker;

use serde_json::json;
use testbed::feed::market::{Market, Traffic, now_us};
use testbed::feed::shape::{Exchange, iso};
use testbed::server::Server;
use worker::feeds::disorderly;
use worker::oracle::{self, Terms};
use worker::stream::{Left, Message};
use worker::{Ended, Run, start};

/// Ends the test where there is no worker.
macro_rules! server {
    () => {{
        if !worker::stream::is_built() {
            return;
        }
        start()
    }};
}

/// So many messages of two feeds in turn, the first over three connections.
fn messages(traffic: &Traffic) -> Vec<Message> {
    let mut markets = [Market::new(1), Market::new(2)];
    let mut out = Vec::new();
    let began_us = now_us() - 60_000_000;
    for place in 0..traffic.messages {
        let feed = usize::try_from(place % 2).unwrap();
        let connection = match feed {
            0 => [0, 2, 3][usize::try_from(place * 3 / traffic.messages).unwrap()],
            _ => 1,
        };
        for bytes in markets[feed].next(traffic) {
            let n = out.len() as u64 + 1;
            out.push(Message {
                n,
                received_at_us: began_us + i64::try_from(n).unwrap() * 100,
                feed: u32::try_from(feed).unwrap(),
                connection,
                bytes,
            });
        }
    }
    out
}

fn line(message: &Message) -> Vec<u8> {
    let mut line = format!(
        "{{\"n\":{},\"received_at\":\"{}\",\"feed\":{},\"connection\":{},",
        message.n,
        iso(message.received_at_us, 6),
        message.feed,
        message.connection
    )
    .into_bytes();
    match serde_json::from_slice::<serde::de::IgnoredAny>(&message.bytes) {
        Ok(_) => {
            line.extend(b"\"message\":");
            line.extend(&message.bytes);
        }
        Err(_) => {
            let text = String::from_utf8_lossy(&message.bytes).into_owned();
            line.extend(format!("\"text\":{}", json!(text)).into_bytes());
        }
    }
    line.extend(b"}\n");
    line
}

/// Puts the messages as a capture of so many parts.
fn put(server: &Server, messages: &[Message], parts: usize) {
    let size = messages.len().div_ceil(parts);
    for (number, some) in (1..).zip(messages.chunks(size)) {
        let text: Vec<u8> = some.iter().flat_map(line).collect();
        let key = format!("c/capture/part-{number:06}.ndjson");
        server.store().put("source", &key, text);
    }
}

fn replay(server: &Server, exchange: Exchange) -> Run {
    Run::stream_of(server, &["ws://127.0.0.1:1/".into()])
        .of(exchange)
        .with("ON_BAD_RECORD", "reject:100000")
        .replay("any")
        .with("INPUT", "s3://source/c/capture/")
        .named("run")
}

fn terms(exchange: Exchange) -> Terms {
    Terms {
        exchange,
        lateness_us: 10_000_000,
        sequence: Some(false),
    }
}

#[track_caller]
fn makes(server: &Server, ended: &Ended, messages: &[Message], terms: Terms) {
    assert_eq!(ended.code, 0, "{}\n{}", ended.why(), ended.out);
    let left = Left::read(server, "run");
    let expected = oracle::bars(messages, terms);
    assert_eq!(left.rollup.as_deref(), Some(expected.rollup.as_str()));
    left.counts_are(&expected);
}

#[test]
fn captures_of_each_exchange_in_one_part_or_many() {
    let server = server!();
    for exchange in [
        Exchange::Binance,
        Exchange::BinanceCombined,
        Exchange::CoinbaseMatches,
        Exchange::CoinbaseTrades,
        Exchange::Kraken,
    ] {
        let messages = messages(&disorderly(exchange, 2000));
        for (parts, threads) in [(1, "1"), (7, "3")] {
            worker::furnish(&server);
            put(&server, &messages, parts);
            let ended = replay(&server, exchange).with("THREADS", threads).end();
            makes(&server, &ended, &messages, terms(exchange));
        }
    }
}

#[test]
fn other_terms_over_the_same_capture() {
    let server = server!();
    let messages = messages(&disorderly(Exchange::Binance, 2000));
    for (lateness, sequence, per_connection) in [
        (0, None, None),
        (300, None, None),
        (0, Some("RUN"), Some(false)),
        (300, Some("CONNECTION"), Some(true)),
    ] {
        worker::furnish(&server);
        put(&server, &messages, 3);
        let mut run = replay(&server, Exchange::Binance)
            .with("LATENESS_SECONDS", &lateness.to_string())
            .without("WINDROW_SEQUENCE");
        if let Some(per) = sequence {
            run = run.with("SEQUENCE", &format!("id BY symbol PER {per}"));
        }
        let terms = Terms {
            exchange: Exchange::Binance,
            lateness_us: lateness * 1_000_000,
            sequence: per_connection,
        };
        makes(&server, &run.end(), &messages, terms);
    }
}

#[test]
fn captures_that_are_none() {
    let server = server!();
    let whole = messages(&Traffic::binance(&["BNBUSDT"], 40));
    let renumbered = |change: fn(&mut Vec<Message>)| {
        let mut messages = whole.clone();
        change(&mut messages);
        messages
    };
    for (name, messages, fact) in [
        (
            "a hole",
            renumbered(|messages| drop(messages.remove(20))),
            ":22,",
        ),
        (
            "no beginning",
            renumbered(|messages| drop(messages.remove(0))),
            ":2,",
        ),
        (
            "twice",
            renumbered(|messages| messages.insert(20, messages[19].clone())),
            ":20,",
        ),
        (
            "in another order",
            renumbered(|messages| messages.swap(3, 4)),
            ":5,",
        ),
    ] {
        worker::furnish(&server);
        put(&server, &messages, 2);
        let ended = replay(&server, Exchange::Binance).end();
        assert_eq!(ended.code, 65, "{name}: {}", ended.why());
        ended.says(65, &["s3://source/c/capture/part-", fact]);
    }
    for (name, text) in [
        ("no capture", "{\"a\":1}\n"),
        (
            "cut off",
            "{\"n\":1,\"received_at\":\"2026-01-31T00:00:00.000000Z\",\"feed\":0,\"conn",
        ),
        (
            "no message",
            "{\"n\":1,\"received_at\":\"2026-01-31T00:00:00.000000Z\",\"feed\":0,\"connection\":0}\n",
        ),
        (
            "no base64",
            "{\"n\":1,\"received_at\":\"2026-01-31T00:00:00.000000Z\",\"feed\":0,\"connection\":0,\"base64\":\"*\"}\n",
        ),
        (
            "no time",
            "{\"n\":1,\"received_at\":\"yesterday\",\"feed\":0,\"connection\":0,\"message\":1}\n",
        ),
    ] {
        worker::furnish(&server);
        server
            .store()
            .put("source", "c/capture/part-000001.ndjson", text);
        let ended = replay(&server, Exchange::Binance).end();
        assert_eq!(ended.code, 65, "{name}: {}", ended.why());
    }
}
