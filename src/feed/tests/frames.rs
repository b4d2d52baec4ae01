//! What comes over a connection that is up.

use std::sync::mpsc::{Receiver, sync_channel};

use super::peer::{CA, Peer, close, frame, stall, start, start_with, tls};
use super::*;
use crate::limits::RECORD_BYTES;

/// Frames that a client sent: first byte and payload.
type Said = Vec<(u8, Vec<u8>)>;

/// Sends `bytes` after the handshake, in pieces of `piece`, then nothing; tells what the client says until its end.
fn sending(bytes: Vec<u8>, piece: usize) -> (SocketAddr, Receiver<Said>) {
    let (sender, receiver) = sync_channel(1);
    let server = start(move |mut peer| {
        peer.accept();
        for piece in bytes.chunks(piece) {
            peer.send(piece);
        }
        let mut frames = Vec::new();
        while let Some(frame) = peer.frame() {
            frames.push(frame);
        }
        let _ = sender.send(frames);
    });
    (server, receiver)
}

#[test]
fn f089_close_frames() {
    for (code, reason, want) in [
        (Some(1000), "", "a close frame with code 1000 (normal);"),
        (
            Some(1001),
            "24 hours",
            "code 1001 (going away): \"24 hours\";",
        ),
        (Some(1002), "", "code 1002 (protocol error);"),
        (Some(1003), "", "code 1003 (unsupported data);"),
        (Some(1007), "", "code 1007 (invalid data);"),
        (
            Some(1008),
            "slow\n",
            "code 1008 (policy violation): \"slow\\n\";",
        ),
        (Some(1009), "", "code 1009 (message too big);"),
        (Some(1010), "", "code 1010"),
        (Some(1011), "", "code 1011 (internal error);"),
        (Some(1012), "", "code 1012 (service restart);"),
        (Some(1013), "", "code 1013 (try again later);"),
        (Some(3000), "", "code 3000;"),
        (Some(4999), "", "code 4999;"),
        (None, "", "a close frame without a code"),
        (Some(0), "", "must not be sent"),
        (Some(999), "", "must not be sent"),
        (Some(1004), "", "must not be sent"),
        (Some(1005), "", "must not be sent"),
        (Some(1006), "", "must not be sent"),
        (Some(1014), "", "must not be sent"),
        (Some(1015), "", "must not be sent"),
        (Some(2999), "", "must not be sent"),
        (Some(5000), "", "must not be sent"),
    ] {
        let closing = code.map_or_else(|| frame(0x88, b""), |code| close(code, reason));
        let (server, said) = sending([frame(0x81, b"last"), closing.clone()].concat(), 1 << 20);
        let items = World::new().read_all(&settings(&[server]));
        assert_eq!(texts(&items), ["last"], "{code:?}");
        assert_eq!(
            events(&items),
            ["0 connected 0", "0 failed Some(0) 69"],
            "{code:?}"
        );
        let error = failure(&items).to_string();
        assert!(error.contains(want), "{code:?}: {error}");
        assert!(
            error.starts_with(&format!("reading ws://{server}/feed?key=«redacted»: ")),
            "{error}"
        );
        // The frame is answered with its code, where that may be sent.
        let told = if want.contains("must not") {
            Some(1002)
        } else {
            code
        };
        assert_eq!(close_code(&said.recv().unwrap()), told, "{code:?}");
    }
}

/// The code of the close frame that comes last; None where it has none.
fn close_code(said: &Said) -> Option<u16> {
    let (first, payload) = said.last().expect("a close frame");
    assert_eq!(*first, 0x88);
    payload.first_chunk().copied().map(u16::from_be_bytes)
}

#[test]
fn f089_connections_that_end_otherwise() {
    for (name, want) in [
        ("closed", "without a close frame"),
        ("reset", "reset"),
        ("half-open", "a message within 0.3 s, found none"),
    ] {
        let server = start(move |mut peer| {
            peer.accept();
            peer.text("one");
            match name {
                "closed" => {}
                // Bytes that were not read make the system reset the connection.
                "reset" => {
                    peer.text("two");
                    let (_sender, receiver) = sync_channel::<()>(1);
                    let _ = receiver.recv_timeout(Duration::from_millis(150));
                }
                _ => stall(),
            }
        });
        let mut settings = settings(&[server]);
        settings.idle = Duration::from_millis(300);
        if name == "reset" {
            settings.subscribe = vec!["never read".to_owned()];
        }
        let items = World::new().read_all(&settings);
        assert_eq!(
            texts(&items).first().map(String::as_str),
            Some("one"),
            "{name}"
        );
        assert_eq!(
            events(&items),
            ["0 connected 0", "0 failed Some(0) 69"],
            "{name}"
        );
        let error = failure(&items).to_string();
        assert!(error.contains(want), "{name}: {error}");
    }
}

#[test]
fn f090_pings() {
    let long = vec![b'p'; 125];
    let bytes = [
        frame(0x89, b"one"),
        frame(0x8a, b"unasked"),
        frame(0x89, b""),
        frame(0x81, b"data"),
        frame(0x89, &long),
        close(1000, ""),
    ];
    for piece in [1, 1 << 20] {
        let (server, said) = sending(bytes.concat(), piece);
        let items = World::new().read_all(&settings(&[server]));
        assert_eq!(texts(&items), ["data"]);
        let want = [
            (0x8a, b"one".to_vec()),
            (0x8a, vec![]),
            (0x8a, long.clone()),
            (0x88, vec![3, 232]),
        ];
        assert_eq!(said.recv().unwrap(), want, "in pieces of {piece}");
    }
}

#[test]
fn f090_pings_are_no_messages() {
    let server = start(|mut peer| {
        peer.accept();
        while peer.stream.write(&frame(0x89, b"alive")).is_ok() && peer.frame().is_some() {}
    });
    let settings = Settings {
        idle: Duration::from_millis(300),
        ..settings(&[server])
    };
    let items = World::new().read_all(&settings);
    assert_eq!(events(&items), ["0 connected 0", "0 failed Some(0) 69"]);
    let error = failure(&items).to_string();
    assert!(error.contains("pings do not count"), "{error}");
}

#[test]
fn f090_a_flood_of_pings_whose_answers_nobody_reads() {
    let flood = |mut peer: Peer| {
        peer.accept();
        let pings = frame(0x89, &[b'p'; 125]).repeat(1_000);
        // It goes on until the client has enough of it.
        while peer.stream.write_all(&pings).is_ok() {
            peer.text("data");
        }
    };
    // On a busy machine data may take its time; the silence that counts is the other one.
    let patient = |servers: &[_]| Settings {
        idle: Duration::from_secs(3_600),
        ..settings(servers)
    };
    let plain = patient(&[start(flood)]);
    let mut behind_tls = patient(&[start_with(tls(), flood)]);
    let address = &mut behind_tls.feeds[0];
    address.uri = address.uri.replace("ws://127.0.0.1", "wss://localhost");
    for (name, settings) in [("plain", plain), ("behind TLS", behind_tls)] {
        let trust = Trust::bundle(CA, "file:///ca.pem").unwrap();
        let world = World {
            trust,
            ..World::fast(60)
        };
        let items = world.read_all(&settings);
        let error = failure(&items).to_string();
        assert!(error.contains("takes nothing for 30s"), "{name}: {error}");
        assert!(
            texts(&items).len() > 1,
            "{name}: messages between the pings are read"
        );
    }
}

#[test]
fn f091_messages() {
    let text = "né".as_bytes();
    let mut big = vec![b'x'; RECORD_BYTES];
    big[0] = b'"';
    type Case = (&'static str, Vec<u8>, Vec<Vec<u8>>);
    let cases: [Case; 6] = [
        (
            "empty",
            [frame(0x81, b""), frame(0x82, b"")].concat(),
            vec![vec![], vec![]],
        ),
        (
            "binary",
            frame(0x82, b"\xff\x00"),
            vec![b"\xff\x00".to_vec()],
        ),
        (
            "fragments, control frames between them",
            [
                frame(0x01, &text[..2]),
                frame(0x89, b"?"),
                frame(0x00, b""),
                frame(0x8a, b""),
                frame(0x80, &text[2..]),
                frame(0x02, b"a"),
                frame(0x80, b"b"),
            ]
            .concat(),
            vec![text.to_vec(), b"ab".to_vec()],
        ),
        ("16 MiB", frame(0x81, &big), vec![big.clone()]),
        (
            "16 MiB in fragments",
            [frame(0x02, &big[..9]), frame(0x80, &big[9..])].concat(),
            vec![big.clone()],
        ),
        (
            "small ones",
            (0..5_000)
                .flat_map(|number: u32| frame(0x81, &number.to_be_bytes().map(|byte| byte / 2)))
                .collect(),
            (0..5_000)
                .map(|number: u32| number.to_be_bytes().map(|byte| byte / 2).to_vec())
                .collect(),
        ),
    ];
    for (name, bytes, want) in cases {
        let small = bytes.len() < 1_000;
        for piece in if small {
            vec![1, 7, 1 << 20]
        } else {
            vec![1 << 20]
        } {
            let (server, _said) = sending([bytes.clone(), close(1000, "")].concat(), piece);
            let items = World::new().read_all(&settings(&[server]));
            assert!(
                messages(&items) == want,
                "{name} in pieces of {piece}: {:?}",
                events(&items)
            );
            let error = failure(&items).to_string();
            assert!(error.contains("code 1000"), "{name}: {error}");
        }
    }
}

#[test]
fn f091_one_byte_more_than_16_mib() {
    let whole = [
        frame(0x82, b"before"),
        frame(0x82, &vec![b'x'; RECORD_BYTES + 1]),
    ]
    .concat();
    let fragments = [frame(0x01, &vec![b'x'; RECORD_BYTES]), frame(0x80, b"x")].concat();
    for (name, bytes, want) in [
        ("whole", whole, vec!["before"]),
        ("in fragments", fragments, vec![]),
    ] {
        let (server, said) = sending(bytes, 1 << 20);
        let items = World::new().read_all(&settings(&[server]));
        assert_eq!(texts(&items), want, "{name}");
        assert_eq!(
            events(&items),
            ["0 connected 0", "0 failed Some(0) 65"],
            "{name}"
        );
        let error = failure(&items).to_string();
        assert!(
            error.contains("at most 16777216 bytes, found one of 16777217"),
            "{name}: {error}"
        );
        if name == "in fragments" {
            assert_eq!(
                said.recv().unwrap(),
                [(0x88, 1009_u16.to_be_bytes().to_vec())]
            );
        }
    }
}

#[test]
fn f092_faults_of_the_protocol() {
    let masked = [vec![0x81, 0x82, 1, 2, 3, 4], vec![b'h' ^ 1, b'i' ^ 2]].concat();
    for (name, bytes, code, told, want) in [
        ("masked", masked, 76, 1002, "masked"),
        (
            "reserved bit 1",
            frame(0xc1, b"x"),
            76,
            1002,
            "Reserved bits",
        ),
        (
            "reserved bit 2",
            frame(0xa1, b"x"),
            76,
            1002,
            "Reserved bits",
        ),
        (
            "reserved bit 3",
            frame(0x91, b"x"),
            76,
            1002,
            "Reserved bits",
        ),
        (
            "reserved bit of a ping",
            frame(0xc9, b""),
            76,
            1002,
            "Reserved bits",
        ),
        ("opcode 3", frame(0x83, b"x"), 76, 1002, "opcode: 3"),
        ("opcode 7", frame(0x87, b"x"), 76, 1002, "opcode: 7"),
        ("opcode 11", frame(0x8b, b""), 76, 1002, "opcode: 11"),
        ("opcode 15", frame(0x8f, b""), 76, 1002, "opcode: 15"),
        (
            "a ping in fragments",
            frame(0x09, b"x"),
            76,
            1002,
            "Fragmented control frame",
        ),
        (
            "a ping of 126 bytes",
            frame(0x89, &[0; 126]),
            76,
            1002,
            "Control frame too big",
        ),
        (
            "nothing to continue",
            frame(0x80, b"x"),
            76,
            1002,
            "nothing to continue",
        ),
        (
            "two begun",
            [frame(0x01, b"x"), frame(0x81, b"y")].concat(),
            76,
            1002,
            "more fragments",
        ),
        (
            "text that is not UTF-8",
            frame(0x81, b"a\xff"),
            76,
            1007,
            "UTF-8 in text messages",
        ),
        (
            "a surrogate",
            frame(0x81, b"\xed\xa0\x80"),
            76,
            1007,
            "UTF-8",
        ),
        (
            "an overlong form",
            frame(0x81, b"\xc0\xaf"),
            76,
            1007,
            "UTF-8",
        ),
        (
            "cut in a character",
            frame(0x81, b"\xe2\x82"),
            76,
            1007,
            "UTF-8",
        ),
        (
            "not UTF-8 over fragments",
            [frame(0x01, b"\xe2"), frame(0x80, b"x")].concat(),
            76,
            1007,
            "UTF-8",
        ),
        (
            "close code of one byte",
            frame(0x88, b"\x03"),
            76,
            1002,
            "Invalid close",
        ),
        (
            "a reason that is not UTF-8",
            frame(0x88, b"\x03\xe8\xff"),
            76,
            1007,
            "UTF-8",
        ),
        (
            "a length with its highest bit",
            b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(),
            76,
            1002,
            "a length",
        ),
    ] {
        for piece in [1, 1 << 20] {
            let (server, said) = sending([frame(0x81, b"before"), bytes.clone()].concat(), piece);
            let items = World::new().read_all(&settings(&[server]));
            assert_eq!(texts(&items), ["before"], "{name}");
            assert_eq!(
                events(&items),
                ["0 connected 0", &format!("0 failed Some(0) {code}")],
                "{name}"
            );
            let error = failure(&items).to_string();
            assert!(error.contains(want), "{name}: {error}");
            assert_eq!(close_code(&said.recv().unwrap()), Some(told), "{name}");
        }
    }
}
