//! How a connection begins, or does not.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::mpsc::sync_channel;

use super::peer::{self, CA, OTHER_CA, accepted, stall, start, start_with, tls};
use super::*;

#[test]
fn f088_handshakes() {
    let status = |status: &str| format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
    let moved = "HTTP/1.1 301 Moved\r\nLocation: wss://elsewhere/feed?key=secret\r\n\r\n";
    for (name, answer, code, want) in [
        ("400", status("400 Bad Request"), 66, "status 400"),
        ("401", status("401 Unauthorized"), 77, "HEADERS"),
        ("403", status("403 Forbidden"), 77, "status 403"),
        ("404", status("404 Not Found"), 66, "there is no such feed"),
        ("429", status("429 Too Many Requests"), 69, "status 429"),
        (
            "451",
            status("451 Unavailable For Legal Reasons"),
            77,
            "serves this region",
        ),
        ("500", status("500 Oops"), 69, "status 500"),
        ("503", status("503 Later"), 69, "status 503"),
        ("a page", status("200 OK"), 76, "speaks no WebSocket"),
        (
            "a redirect",
            moved.to_owned(),
            66,
            "301, a redirect to wss://elsewhere/feed?…;",
        ),
        (
            "another key's",
            accepted("Sec-WebSocket-Key: x"),
            76,
            "a wrong Sec-WebSocket-Accept",
        ),
        (
            "no switch",
            "HTTP/1.1 101 X\r\nUpgrade: h2c\r\n\r\n".to_owned(),
            76,
            "an answer without `Upgrade: websocket`",
        ),
        (
            "HTTP/1.0",
            "HTTP/1.0 200 OK\r\n\r\n".to_owned(),
            76,
            "HTTP/1.0",
        ),
        (
            "no HTTP, the request sent back",
            "GET /feed?key=secret HTTP/1.1\r\n\r\n".to_owned(),
            76,
            "invalid HTTP version",
        ),
        (
            "endless",
            format!("HTTP/1.1 101 X\r\nA: {}", "a".repeat(20_000)),
            76,
            "more than 16384",
        ),
        (
            "cut",
            "HTTP/1.1 101 Switch".to_owned(),
            69,
            "closed in the middle",
        ),
        ("closed", String::new(), 69, "closed in the middle"),
    ] {
        let server = start(move |mut peer| {
            peer.request();
            peer.send(answer.as_bytes());
        });
        let items = World::new().read_all(&settings(&[server]));
        assert_eq!(events(&items), [format!("0 failed None {code}")], "{name}");
        let error = failure(&items).to_string();
        assert!(error.contains(want), "{name}: {error}");
        assert!(
            error.contains(&format!(
                "connecting to ws://{server}/feed?key=«redacted»: "
            )),
            "{name}: {error}"
        );
        assert!(!error.contains("secret"), "{name}: {error}");
    }
}

#[test]
fn f088_a_handshake_that_is_not_answered() {
    for (name, answer) in [("silent", ""), ("slow", "HTTP/1.1 101 X\r\n")] {
        let server = start(move |mut peer| {
            peer.request();
            peer.send(answer.as_bytes());
            stall();
        });
        // The thirty seconds of SPEC 10.
        let items = World::fast(60).read_all(&settings(&[server]));
        assert_eq!(events(&items), ["0 failed None 69"], "{name}");
        let error = failure(&items).to_string();
        assert!(
            error.contains("a byte within 30s, found silence"),
            "{name}: {error}"
        );
    }
}

#[test]
fn f088_an_answer_byte_by_byte_with_messages_behind_it() {
    let server = start(|mut peer| {
        let mut answer = accepted(&peer.request().unwrap()).into_bytes();
        answer.extend(peer::frame(0x81, b"one"));
        answer.extend(peer::frame(0x81, b"two"));
        let (last, first) = answer.split_last().unwrap();
        for byte in first {
            peer.send(&[*byte]);
        }
        peer.send(&[*last]);
        stall();
    });
    let items = World::new().read(&settings(&[server]), |items| texts(items).len() == 2);
    assert_eq!(texts(&items), ["one", "two"]);
    assert_eq!(events(&items), ["0 connected 0"]);
}

#[test]
fn nobody_listens() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let items = World::new().read_all(&settings(&[address]));
    assert_eq!(events(&items), ["0 failed None 69"]);
    let error = failure(&items).to_string();
    assert!(error.contains("refused"), "{error}");
}

#[test]
fn the_request_is_that_of_the_rfc_with_headers_and_what_subscribes() {
    let (sender, receiver) = sync_channel(9);
    let server = start(move |mut peer| {
        sender.send(peer.accept()).unwrap();
        for _ in 0..2 {
            let (first, payload) = peer.frame().unwrap();
            assert_eq!(first, 0x81);
            sender.send(String::from_utf8(payload).unwrap()).unwrap();
        }
        peer.text("done");
        stall();
    });
    let settings = Settings {
        headers: vec![Header::new("x-key", "hidden")],
        subscribe: vec!["{\"op\":\"subscribe\"}".to_owned(), "é".repeat(40_000)],
        ..settings(&[server])
    };
    World::new().read(&settings, |items| !messages(items).is_empty());
    let request = receiver.recv().unwrap();
    let mut lines = request.lines();
    assert_eq!(lines.next(), Some("GET /feed?key=secret HTTP/1.1"));
    let mut lines: Vec<String> = lines
        .map(str::to_lowercase)
        .filter(|line| !line.is_empty())
        .collect();
    lines.sort();
    assert_eq!(
        lines,
        [
            "connection: upgrade",
            &format!("host: {server}"),
            "sec-websocket-key: aaaaaaaaaaaaaaaaaaaaaa==",
            "sec-websocket-version: 13",
            "upgrade: websocket",
            "user-agent: windrow/0.1.0",
            "x-key: hidden",
        ]
    );
    assert_eq!(receiver.recv().unwrap(), "{\"op\":\"subscribe\"}");
    assert_eq!(receiver.recv().unwrap(), "é".repeat(40_000));
    assert!(!format!("{settings:?}").contains("hidden"), "{settings:?}");
}

#[test]
fn a_feed_behind_tls() {
    for (name, roots, want) in [
        ("of a private authority", CA, "0 connected 0"),
        ("of an unknown one", OTHER_CA, "0 failed None 77"),
    ] {
        let server = start_with(tls(), |mut peer| {
            peer.accept();
            for number in 0..1_000 {
                peer.text(&format!("{number} {}", "x".repeat(1_000)));
            }
            peer.send(&peer::frame(0x89, b"still there?"));
            let pong = peer.frame();
            peer.text(&format!("{pong:?}"));
            // More than TLS takes in one record, in one message.
            peer.text(&"y".repeat(100_000));
            let _ = peer.stream.flush();
            stall();
        });
        let mut settings = settings(&[server]);
        settings.feeds[0].uri = format!("wss://localhost:{}/", server.port());
        let world = World {
            trust: Trust::bundle(roots, "file:///ca.pem").unwrap(),
            ..World::new()
        };
        let items = world.read(&settings, |items| messages(items).len() == 1_002);
        assert_eq!(events(&items), [want], "{name}");
        if want.contains("connected") {
            let texts = texts(&items);
            assert!(
                texts[..1_000]
                    .iter()
                    .enumerate()
                    .all(|(number, text)| text.starts_with(&format!("{number} ")))
            );
            assert_eq!(texts[1_000], format!("{:?}", Some((0x8a, b"still there?"))));
            assert_eq!(texts[1_001], "y".repeat(100_000));
        }
    }
}
