//! `windrow stream` and RFC 6455: handshakes, frames, pings, ends of connections (FAULTS 88 to 92).
#![allow(
    clippy::disallowed_methods,
    reason = "these tests wait for the worker, and change things under it"
)]

mod worker;

use std::time::Duration;

use testbed::feed::frame::{BINARY, CLOSE, CONTINUATION, Frame, PING, PONG, TEXT, fragments};
use testbed::feed::handshake::Handshake;
use testbed::feed::{Act, Feed, Session, Step};
use worker::feeds::{LAST, is_full, meets, run};
use worker::start;
use worker::stream::Left;

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
fn f088_handshakes() {
    let server = server!();
    let location = "wss://elsewhere.example/ws".to_owned();
    let status = |status| Handshake::Status(status, vec![], "the body says why");
    let redirect = |status| Handshake::Status(status, vec![("Location", location.clone())], "");
    let mut cases = vec![
        ("200", status(200), 76, "200"),
        ("301", redirect(301), 66, "wss://elsewhere.example/ws"),
        ("302", redirect(302), 66, "wss://elsewhere.example/ws"),
        ("307", redirect(307), 66, "wss://elsewhere.example/ws"),
        ("400", status(400), 66, "400"),
        ("401", status(401), 77, "401"),
        ("403", status(403), 77, "403"),
        ("404", status(404), 66, "404"),
        ("429", status(429), 69, "429"),
        ("451", status(451), 77, "451"),
        ("500", status(500), 69, "500"),
        ("503", status(503), 69, "503"),
        ("wrong key", Handshake::WrongKey, 76, "Sec-WebSocket-Accept"),
        (
            "no key",
            Handshake::Header("Sec-WebSocket-Accept", None),
            76,
            "Sec-WebSocket-Accept",
        ),
        (
            "no upgrade",
            Handshake::Header("Upgrade", None),
            76,
            "Upgrade",
        ),
        (
            "other upgrade",
            Handshake::Header("Upgrade", Some("h2c")),
            76,
            "Upgrade",
        ),
        (
            "no connection",
            Handshake::Header("Connection", None),
            76,
            "Connection",
        ),
        (
            "not HTTP",
            Handshake::Raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n".to_vec()),
            76,
            "",
        ),
        (
            "half HTTP",
            Handshake::Raw(b"HTTP/1.1\r\n\r\n".to_vec()),
            76,
            "",
        ),
        ("cut in the head", Handshake::Cut(40), 69, ""),
        ("cut at once", Handshake::Cut(0), 69, ""),
        ("reset", Handshake::Reset, 69, ""),
        (
            "wrong header",
            Handshake::Demand("x-api-key", "secret", 403),
            77,
            "403",
        ),
    ];
    if is_full() {
        cases.push(("never", Handshake::Silent, 69, ""));
        cases.push(("far too slow", Handshake::Drip(1500), 69, ""));
    }
    for (name, handshake, code, fact) in cases {
        worker::furnish(&server);
        let feed = Feed::of(vec![Session::refused(handshake)]).unwrap();
        let ended = run(&server, &[feed.uri("/ws")]).within(90, 10).end();
        assert_eq!(ended.code, code, "{name}: {}", ended.why());
        ended.says(code, &[fact, &feed.uri("/ws")]);
        let left = Left::read(&server, "run");
        assert_eq!(left.name, "failure.json", "{name}");
        assert_eq!(
            feed.connections(),
            1,
            "{name}: nothing is followed or tried again"
        );
        assert!(!ended.out.contains("the body says why\"") || ended.out.len() < 16 << 10);
    }
}

#[test]
fn f088_which_of_them_are_tried_again() {
    let server = server!();
    let said = || {
        Session::new(vec![
            Step::Text(LAST.into()),
            Step::Settle,
            Step::Mark("all"),
        ])
    };
    for (name, handshake, goes_on) in [
        ("503", Handshake::Status(503, vec![], ""), true),
        ("429", Handshake::Status(429, vec![], ""), true),
        ("cut", Handshake::Cut(30), true),
        ("404", Handshake::Status(404, vec![], ""), false),
        ("403", Handshake::Status(403, vec![], ""), false),
        ("wrong key", Handshake::WrongKey, false),
    ] {
        worker::furnish(&server);
        let feed = Feed::of(vec![Session::refused(handshake), said()]).unwrap();
        let running = run(&server, &[feed.uri("/ws")])
            .with("ON_DISCONNECT", "reconnect:1")
            .start();
        if goes_on {
            assert!(feed.wait_for("all", 1, Duration::from_secs(15)), "{name}");
            running.signal("TERM");
        }
        let ended = running.end();
        assert_eq!(ended.code == 75, goes_on, "{name}: {}", ended.why());
        assert_eq!(feed.connections(), if goes_on { 2 } else { 1 }, "{name}");
    }
}

#[test]
fn f088_a_handshake_that_is_slow_is_waited_for() {
    let server = server!();
    let session = Session {
        handshake: Handshake::Drip(5),
        steps: vec![
            Step::Text(LAST.into()),
            Step::Close(Some(1000), String::new()),
        ],
    };
    let (ended, feed) = meets(&server, session);
    assert_eq!(ended.code, 69, "{}", ended.why());
    let left = Left::read(&server, "run");
    left.sound(&ended, &[&feed]);
    left.is_whole(&[&feed]);
}

#[test]
fn f089_ends_of_a_connection() {
    let server = server!();
    let mut cases: Vec<(String, Vec<Step>)> = vec![
        ("FIN".into(), vec![Step::Fin]),
        ("reset".into(), vec![Step::Reset]),
        (
            "in a frame".into(),
            vec![
                Step::Frames(
                    vec![Frame {
                        length: Some(500),
                        ..Frame::new(TEXT, "cut")
                    }],
                    None,
                ),
                Step::Fin,
            ],
        ),
        (
            "in a message".into(),
            vec![
                Step::Frames(vec![Frame::new(TEXT, "cut").unfinished()], None),
                Step::Fin,
            ],
        ),
        ("no code".into(), vec![Step::Close(None, String::new())]),
    ];
    for code in [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000,
        4999,
    ] {
        cases.push((
            code.to_string(),
            vec![Step::Close(Some(code), format!("reason {code}"))],
        ));
    }
    for (name, end) in cases {
        for first in [false, true] {
            let said = match first {
                true => vec![],
                false => vec![Step::Text(LAST.into()), Step::Settle],
            };
            let (ended, feed) = meets(&server, Session::new([said, end.clone()].concat()));
            let facts: Vec<String> = match name.parse::<u16>() {
                // The client does not tell it from those that must not be sent.
                Ok(1014) => vec!["1014 (bad gateway)".to_owned()],
                Ok(code) => vec![code.to_string(), format!("reason {code}")],
                Err(_) => vec![],
            };
            let facts: Vec<&str> = facts.iter().map(String::as_str).collect();
            assert_eq!(ended.code, 69, "{name}: {}", ended.why());
            ended.says(69, &facts);
            let left = Left::read(&server, "run");
            left.sound(&ended, &[&feed]);
            left.is_whole(&[&feed]);
            // A close frame is answered with one.
            if matches!(end.last(), Some(Step::Close(..))) {
                let answered = feed.wait_heard(
                    1,
                    Duration::from_secs(2),
                    |act| matches!(act, Act::Frame(heard) if heard.opcode == CLOSE),
                );
                assert!(answered, "{name}: {:?}", feed.heard());
            }
        }
    }
}

#[test]
fn f089_f090_a_feed_that_says_nothing_more() {
    let server = server!();
    let pings = |feed: &Feed| {
        let heard = feed.heard();
        heard
            .iter()
            .filter(|heard| matches!(&heard.act, Act::Frame(frame) if frame.opcode == PONG))
            .count()
    };
    for (name, steps) in [
        ("half-open", vec![]),
        ("pings only", vec![Step::PingEvery(100)]),
    ] {
        worker::furnish(&server);
        let feed = Feed::of(vec![Session::new(
            [vec![Step::Text(LAST.into())], steps].concat(),
        )])
        .unwrap();
        let ended = run(&server, &[feed.uri("/ws")])
            .with("IDLE_TIMEOUT_SECONDS", "2")
            .end();
        ended.says(69, &["IDLE_TIMEOUT_SECONDS"]);
        assert!(
            ended.took >= Duration::from_secs(2) && ended.took < Duration::from_secs(8),
            "{name}: {:?}",
            ended.took
        );
        assert_eq!(pings(&feed) > 10, name == "pings only", "{name}");
        Left::read(&server, "run").sound(&ended, &[&feed]);
    }
}

#[test]
fn f090_pings_and_pongs() {
    let server = server!();
    let flood: Vec<Frame> = (0..20_000_u32)
        .map(|number| Frame::new(PING, number.to_be_bytes()))
        .collect();
    let session = Session::new(vec![
        Step::Frames(
            vec![Frame::new(PONG, "unasked"), Frame::new(PONG, "")],
            None,
        ),
        Step::Frames(vec![Frame::new(PING, vec![0xff; 125])], None),
        Step::Await(testbed::feed::Want::Pong(vec![0xff; 125]), 2000),
        Step::Frames(flood, None),
        Step::Text(LAST.into()),
        Step::Settle,
        Step::Close(Some(1000), String::new()),
    ]);
    let (ended, feed) = meets(&server, session);
    assert_eq!(ended.code, 69, "{}", ended.why());
    let left = Left::read(&server, "run");
    left.sound(&ended, &[&feed]);
    left.is_whole(&[&feed]);
}

#[test]
fn f092_frames_that_may_not_be() {
    let server = server!();
    let text = || Frame::new(TEXT, LAST);
    let cases = [
        (
            "masked",
            Frame {
                mask: Some([1, 2, 3, 4]),
                ..text()
            },
        ),
        (
            "first reserved bit",
            Frame {
                reserved: 4,
                ..text()
            },
        ),
        (
            "second reserved bit",
            Frame {
                reserved: 2,
                ..text()
            },
        ),
        (
            "third reserved bit",
            Frame {
                reserved: 1,
                ..text()
            },
        ),
        ("opcode 3", Frame::new(3, "x")),
        ("opcode 11", Frame::new(11, "x")),
        ("continues nothing", Frame::new(CONTINUATION, "x")),
        ("long ping", Frame::new(PING, [0; 126])),
        ("unfinished ping", Frame::new(PING, "x").unfinished()),
        ("no UTF-8", Frame::new(TEXT, b"{\"a\":\"\xff\"}".to_vec())),
        ("half a character", Frame::new(TEXT, b"\"\xe2\x82".to_vec())),
        (
            "a length of 2^63",
            Frame {
                length: Some(1 << 63),
                ..text()
            },
        ),
    ];
    for (name, odd) in cases {
        let (ended, feed) = meets(
            &server,
            Session::new(vec![
                Step::Text(LAST.into()),
                Step::Settle,
                Step::Frames(vec![odd], None),
            ]),
        );
        // A length that no message may have is as well past the limit.
        let codes: &[i32] = if name.contains("2^63") {
            &[65, 76]
        } else {
            &[76]
        };
        assert!(
            codes.contains(&ended.code),
            "{name}: {} {}",
            ended.code,
            ended.why()
        );
        assert!(
            ended.why().contains(&feed.uri("/ws")),
            "{name}: {}",
            ended.why()
        );
        let left = Left::read(&server, "run");
        left.sound(&ended, &[&feed]);
        left.is_whole(&[&feed]);
    }
}

#[test]
fn f091_frames_in_every_form() {
    let server = server!();
    let one = r#"{"last":true,"pad":"fragments"}"#.as_bytes();
    let pieces: Vec<&[u8]> = one.chunks(3).collect();
    let between = [Frame::new(PING, "in between"), Frame::new(PONG, "unasked")];
    let session = Session::new(vec![
        Step::Frames(fragments(TEXT, &pieces, &between), Some(one.to_vec())),
        Step::Frames(fragments(BINARY, &pieces, &[]), Some(one.to_vec())),
        Step::Chopped(fragments(TEXT, &pieces, &between), Some(one.to_vec()), 1, 0),
        Step::Binary(LAST.into()),
        Step::Text(String::new()),
        Step::Binary(Vec::new()),
        Step::Text(LAST.into()),
        Step::Settle,
        Step::Close(Some(1000), String::new()),
    ]);
    let (ended, feed) = meets(&server, session);
    assert_eq!(ended.code, 69, "{}", ended.why());
    let left = Left::read(&server, "run");
    left.sound(&ended, &[&feed]);
    left.is_whole(&[&feed]);
    // Two of them are empty, which is no JSON.
    assert_eq!(left.result["records"]["rejected"], 2, "{}", left.result);
}
