//! Every fault really happens: what the client sees, what is stored afterwards, and what the journal says of it.

use std::io::{ErrorKind, Read as _, Write as _};
use std::thread;
use std::time::{Duration, Instant};

use testbed::client::{Answer, Client, receive};
use testbed::journal::Entry;
use testbed::operation::Operation;
use testbed::script::{Effect, End, Fault, Length, Pace, Rule, Send, When};
use testbed::server::{Server, Settings};
use testbed::store::Settings as Bucket;

fn start() -> (Server, Client) {
    let server = Server::start(Settings::default()).unwrap();
    server.store().bucket("b", Bucket::default());
    server.store().put("b", "k", "0123456789");
    let client = Client::new(server.address());
    (server, client)
}

fn once(server: &Server, fault: Fault) {
    let when = When {
        times: Some(1),
        ..When::default()
    };
    let rule = Rule {
        name: "fault".into(),
        when,
        fault,
    };
    server.script(vec![rule]).unwrap();
    server.journal().clear();
}

/// The first request's entry, once the server is done with it.
fn first(server: &Server) -> Entry {
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        let entry = server.journal().entries().into_iter().next();
        if let Some(entry) = entry.filter(|entry| entry.ended.is_some()) {
            return entry;
        }
        assert!(Instant::now() < end, "the server is not done");
        thread::sleep(Duration::from_millis(2));
    }
}

fn kind(outcome: std::io::Result<Answer>) -> Result<u16, ErrorKind> {
    outcome
        .map(|answer| answer.status)
        .map_err(|error| error.kind())
}

#[test]
fn what_the_client_of_a_put_sees() {
    let (server, client) = start();
    for (name, fault, want, effects, there) in [
        ("error", Fault::error(503, "SlowDown"), Ok(503), 0, false),
        (
            "error after",
            Fault {
                effect: Some(Effect::Once),
                ..Fault::error(500, "InternalError")
            },
            Ok(500),
            1,
            true,
        ),
        (
            "lost before",
            Fault::lost(Effect::None, End::Close),
            Err(ErrorKind::UnexpectedEof),
            0,
            false,
        ),
        (
            "lost after",
            Fault::lost(Effect::Once, End::Close),
            Err(ErrorKind::UnexpectedEof),
            1,
            true,
        ),
        (
            "reset before",
            Fault::lost(Effect::None, End::Reset),
            Err(ErrorKind::ConnectionReset),
            0,
            false,
        ),
        (
            "reset after",
            Fault::lost(Effect::Once, End::Reset),
            Err(ErrorKind::ConnectionReset),
            1,
            true,
        ),
        (
            "twice",
            Fault {
                effect: Some(Effect::Twice),
                ..Fault::default()
            },
            Ok(412),
            2,
            true,
        ),
        (
            "twice, first",
            Fault {
                effect: Some(Effect::TwiceFirst),
                ..Fault::default()
            },
            Ok(200),
            2,
            true,
        ),
        (
            "half a head",
            Fault {
                send: Send::HalfHead,
                ..Fault::default()
            },
            Err(ErrorKind::UnexpectedEof),
            1,
            true,
        ),
    ] {
        server.store().delete("b", "n");
        once(&server, fault);
        let outcome = client.send("PUT", "/b/n", &[("if-none-match", "*")], b"new");
        assert_eq!(kind(outcome), want, "{name}");
        let entry = first(&server);
        assert_eq!(
            (entry.effects, entry.fault.as_deref(), entry.bytes_in),
            (effects, Some("fault"), 3),
            "{name}"
        );
        assert_eq!(server.store().object("b", "n").is_some(), there, "{name}");
        assert_eq!(server.shared().script.fired("fault"), 1, "{name}");
    }
}

#[test]
fn an_effect_that_comes_late() {
    let (server, client) = start();
    once(&server, Fault::lost(Effect::LaterMs(80), End::Close));
    assert!(client.send("PUT", "/b/n", &[], b"new").is_err());
    assert_eq!(
        client.send("HEAD", "/b/n", &[], b"").unwrap().status,
        404,
        "not yet"
    );
    let end = Instant::now() + Duration::from_secs(5);
    while server.store().object("b", "n").is_none() {
        assert!(Instant::now() < end, "it never came");
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(first(&server).effects, 1);
}

/// Story: on a busy machine an effect that came late landed in the bucket of the next test of a sweep, which had reset
/// the server meanwhile.
#[test]
fn a_reset_forgets_what_was_to_come() {
    let (server, client) = start();
    once(&server, Fault::lost(Effect::LaterMs(80), End::Close));
    assert!(client.send("PUT", "/b/late", &[], b"body").is_err());
    server.shared().reset();
    server.store().bucket("b", Bucket::default());
    thread::sleep(Duration::from_millis(200));
    assert!(server.store().object("b", "late").is_none());
}

#[test]
fn what_the_client_of_a_get_sees() {
    let (server, client) = start();
    let header = |name: &str, value: Option<&str>| Fault {
        headers: [(name.to_owned(), value.map(str::to_owned))].into(),
        ..Fault::default()
    };
    let close = Some(End::Close);
    for (name, fault, want) in [
        (
            "cut",
            Fault {
                send: Send::Bytes(4),
                ..Fault::default()
            },
            Err(ErrorKind::UnexpectedEof),
        ),
        (
            "reset",
            Fault {
                send: Send::Bytes(4),
                end: Some(End::Reset),
                ..Fault::default()
            },
            Err(ErrorKind::ConnectionReset),
        ),
        (
            "short",
            Fault {
                length: Length::Off(5),
                ..Fault::default()
            },
            Err(ErrorKind::UnexpectedEof),
        ),
        (
            "long",
            Fault {
                length: Length::Off(-4),
                end: close,
                ..Fault::default()
            },
            Ok("012345"),
        ),
        (
            "no length",
            Fault {
                length: Length::Absent,
                ..Fault::default()
            },
            Ok("0123456789"),
        ),
        (
            "chunked",
            Fault {
                length: Length::Chunked,
                drip: Some(Pace {
                    bytes: 3,
                    every_ms: 0,
                }),
                ..Fault::default()
            },
            Ok("0123456789"),
        ),
        (
            "bit",
            Fault {
                flip: true,
                ..Fault::default()
            },
            Ok("0123446789"),
        ),
        (
            "range ignored",
            Fault {
                ignore: vec!["range".into()],
                ..Fault::default()
            },
            Ok("0123456789"),
        ),
        ("no ETag", header("ETag", None), Ok("0123456789")),
        (
            "weak ETag",
            header("ETag", Some("W/\"x\"")),
            Ok("0123456789"),
        ),
    ] {
        once(&server, fault);
        let ranged = [("range", "bytes=0-1")];
        let headers: &[(&str, &str)] = if name == "range ignored" {
            &ranged
        } else {
            &[]
        };
        let outcome = client.send("GET", "/b/k", headers, b"");
        match (&outcome, name) {
            (Ok(answer), "no ETag") => assert_eq!(answer.header("etag"), None),
            (Ok(answer), "weak ETag") => assert_eq!(answer.header("etag"), Some("W/\"x\"")),
            (Ok(answer), "no length") => assert_eq!(answer.header("content-length"), None),
            (Ok(answer), "range ignored") => assert_eq!(answer.status, 200),
            _ => {}
        }
        let outcome = outcome
            .map(|answer| answer.text())
            .map_err(|error| error.kind());
        assert_eq!(outcome, want.map(str::to_owned), "{name}");
        assert_eq!(first(&server).fault.as_deref(), Some("fault"), "{name}");
    }
}

#[test]
fn a_request_cut_while_it_is_sent() {
    let (server, client) = start();
    let large = vec![0; 4 << 20];
    for (name, text) in [
        (
            "nothing read",
            r#"[{"do": {"read": "nothing", "end": "reset"}}]"#,
        ),
        (
            "some read",
            r#"[{"do": {"read": {"bytes": 100}, "end": "reset"}}]"#,
        ),
    ] {
        server.script_json(text).unwrap();
        server.journal().clear();
        let error = client.send("PUT", "/b/n", &[], &large).unwrap_err();
        assert!(
            matches!(
                error.kind(),
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
            ),
            "{name}: {error}"
        );
        let entry = first(&server);
        assert_eq!((entry.effects, entry.ended), (0, Some("reset")), "{name}");
        assert!(entry.bytes_in <= 100, "{name}");
    }
    assert!(server.store().object("b", "n").is_none());
}

#[test]
fn idle_connections_that_close() {
    let (server, client) = start();
    for (name, end) in [
        ("at the next request", End::CloseAtNext),
        ("at once", End::CloseAfterMs(0)),
    ] {
        once(
            &server,
            Fault {
                end: Some(end),
                ..Fault::default()
            },
        );
        let mut connection = client.connect().unwrap();
        let answer = client
            .send_on(&mut connection, "GET", "/b/k", &[], b"")
            .unwrap();
        assert_eq!(
            (answer.text().as_str(), answer.header("connection")),
            ("0123456789", None),
            "{name}"
        );
        assert!(
            client
                .send_on(&mut connection, "GET", "/b/k", &[], b"")
                .is_err(),
            "{name}"
        );
        let entry = first(&server);
        let want = if end == End::CloseAtNext {
            "closed at the next request"
        } else {
            "closed"
        };
        assert_eq!(entry.ended, Some(want), "{name}");
        assert_eq!(
            server.journal().entries().len(),
            1,
            "{name}: the second was never read"
        );
    }
    once(&server, Fault::default());
    let mut connection = client.connect().unwrap();
    for _ in 0..3 {
        assert_eq!(
            client
                .send_on(&mut connection, "GET", "/b/k", &[], b"")
                .unwrap()
                .status,
            200
        );
    }
    let connections: Vec<u64> = server
        .journal()
        .entries()
        .iter()
        .map(|entry| entry.connection)
        .collect();
    assert_eq!(connections, [connections[0]; 3], "kept alive");
    let attempts: Vec<u32> = server
        .journal()
        .of(Operation::GetObject)
        .iter()
        .map(|entry| entry.attempt)
        .collect();
    assert_eq!(attempts, [1, 2, 3]);
}

#[test]
fn waits() {
    let (server, client) = start();
    let at_least = |fault: Fault, millis: u64, name: &str| {
        once(&server, fault);
        let began = Instant::now();
        let answer = client.send("GET", "/b/k", &[], b"").unwrap();
        assert_eq!(answer.text(), "0123456789", "{name}");
        assert!(began.elapsed() >= Duration::from_millis(millis), "{name}");
    };
    at_least(
        Fault {
            delay_ms: 60,
            ..Fault::default()
        },
        60,
        "before",
    );
    at_least(
        Fault {
            head_delay_ms: 60,
            ..Fault::default()
        },
        60,
        "head",
    );
    at_least(
        Fault {
            body_delay_ms: 60,
            ..Fault::default()
        },
        60,
        "body",
    );
    at_least(
        Fault {
            drip: Some(Pace {
                bytes: 2,
                every_ms: 20,
            }),
            ..Fault::default()
        },
        80,
        "drip",
    );

    // A hang lasts as long as the client: it is the client's time-out that ends it.
    once(
        &server,
        Fault {
            send: Send::Head,
            end: Some(End::Hang),
            ..Fault::default()
        },
    );
    let mut connection = client.connect().unwrap();
    connection
        .get_mut()
        .set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let head = client.head("GET", "/b/k", &[], b"");
    connection.get_mut().write_all(head.as_bytes()).unwrap();
    let error = receive(&mut connection, false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    drop(connection);
    assert_eq!(
        (first(&server).status, first(&server).bytes_out),
        (Some(200), 0)
    );
}

#[test]
fn white_space_before_the_answer_of_complete() {
    let (server, client) = start();
    let created = client.send("POST", "/b/big?uploads", &[], b"").unwrap();
    let id = created.element("UploadId").unwrap();
    let part = client
        .send(
            "PUT",
            &format!("/b/big?partNumber=1&uploadId={id}"),
            &[],
            b"part",
        )
        .unwrap();
    let etag = part.header("etag").unwrap();
    let body = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part></CompleteMultipartUpload>",
        etag.replace('"', "&quot;")
    );
    let target = format!("/b/big?uploadId={id}");
    let spaces = Some(Pace {
        bytes: 5,
        every_ms: 10,
    });
    for (name, fault, want) in [
        (
            "a late error",
            Fault {
                spaces,
                ..Fault::error(200, "InternalError")
            },
            "<Code>InternalError</Code>",
        ),
        (
            "success",
            Fault {
                spaces,
                ..Fault::default()
            },
            "<CompleteMultipartUploadResult",
        ),
        (
            "a late refusal",
            Fault {
                spaces,
                ..Fault::default()
            },
            "<Code>NoSuchUpload</Code>",
        ),
    ] {
        once(&server, fault);
        let answer = client.send("POST", &target, &[], body.as_bytes()).unwrap();
        assert_eq!(answer.status, 200, "{name}");
        assert!(
            answer
                .text()
                .starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n     <"),
            "{name}: {}",
            answer.text()
        );
        assert!(answer.text().contains(want), "{name}: {}", answer.text());
    }
    assert_eq!(
        server.store().object("b", "big").unwrap().body.as_slice(),
        b"part"
    );
}

#[test]
fn canned_answers() {
    let (server, client) = start();
    server
        .script_json(
            r#"[
            {"when": {"request": 1}, "do": {"answer": {"status": 307, "code": "TemporaryRedirect",
                "headers": {"Location": "http://elsewhere/"}, "details": {"Endpoint": "elsewhere"}}}},
            {"when": {"request": 2}, "do": {"answer": {"status": 502, "body": "<html>"}}},
            {"when": {"operation": "ListObjectsV2"}, "do": {"strike": ["NextContinuationToken"]}}
        ]"#,
        )
        .unwrap();
    let moved = client.send("GET", "/b/k", &[], b"").unwrap();
    assert_eq!(
        (moved.status, moved.header("location")),
        (307, Some("http://elsewhere/"))
    );
    assert_eq!(moved.element("Endpoint").as_deref(), Some("elsewhere"));
    assert_eq!(
        client.send("GET", "/b/k", &[], b"").unwrap().text(),
        "<html>"
    );
    server.store().put("b", "l", "");
    let page = client
        .send("GET", "/b?list-type=2&max-keys=1", &[], b"")
        .unwrap();
    assert_eq!(
        (
            page.element("IsTruncated").as_deref(),
            page.element("NextContinuationToken")
        ),
        (Some("true"), None)
    );
}

#[test]
fn what_is_no_http() {
    let (_server, client) = start();
    for text in [
        "\u{16}\u{3}\u{1}\0\u{2}hello\r\n\r\n",
        "GET /b/k HTTP/1.0\r\nHost: h\r\n\r\n",
        "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n",
    ] {
        let mut connection = client.connect().unwrap();
        connection.get_mut().write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
}
