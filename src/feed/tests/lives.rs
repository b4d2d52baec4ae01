//! Feeds over time: reconnects, heartbeats, several feeds, stops, and a run that is slower than its feed.

use std::sync::mpsc::sync_channel;

use super::peer::{close, frame, stall, start};
use super::*;

#[test]
fn f095_reconnects() {
    // The third connection is refused its handshake; what subscribes is sent after each connect.
    let server = start(|mut peer| {
        if peer.number == 3 {
            peer.request();
            return peer.send(b"HTTP/1.1 503 Later\r\n\r\n");
        }
        peer.accept();
        let (_, subscribed) = peer.frame().unwrap();
        peer.text(&format!(
            "{} {}",
            peer.number,
            String::from_utf8(subscribed).unwrap()
        ));
        peer.send(&close(1001, ""));
    });
    let settings = Settings {
        subscribe: vec!["s".to_owned()],
        reconnects: 2,
        ..settings(&[server])
    };
    let items = World::new().read_all(&settings);
    assert_eq!(
        events(&items),
        [
            "0 connected 0",
            "0 disconnected Some(0) 69 again in 500ms",
            "0 connected 1",
            "0 disconnected Some(1) 69 again in 1s",
            "0 failed None 69",
        ]
    );
    assert_eq!(texts(&items), ["1 s", "2 s"]);
    let error = failure(&items).to_string();
    assert!(
        error.contains("status 503; and reconnect:2 is used up"),
        "{error}"
    );
}

#[test]
fn f095_only_what_may_pass_is_tried_again() {
    for (name, bytes, code) in [
        ("a fault of the protocol", frame(0x83, b""), 76),
        (
            "a message that is too long",
            b"\x81\x7f\0\0\0\0\x7f\0\0\0".to_vec(),
            65,
        ),
    ] {
        let server = start(move |mut peer| {
            peer.accept();
            peer.send(&bytes);
            stall();
        });
        let settings = Settings {
            reconnects: 5,
            ..settings(&[server])
        };
        let items = World::new().read_all(&settings);
        assert_eq!(
            events(&items),
            ["0 connected 0", &format!("0 failed Some(0) {code}")],
            "{name}"
        );
        assert!(!failure(&items).to_string().contains("reconnect"), "{name}");
    }
}

#[test]
fn waits_double_up_to_thirty_seconds_and_differ() {
    let (settings, queue) = (settings(&[]), Queue::new(0));
    let waits = |byte| {
        let world = World {
            random: Same(byte),
            ..World::new()
        };
        let client = Client::new(world.clock.clone(), world.trust.clone());
        let feeds = world.feeds(&settings, &client, &queue);
        [0, 1, 2, 3, 4, 5, 6, 31, 32, u32::MAX].map(|attempt| feeds.pause(attempt).as_millis())
    };
    let longest = [
        1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000, 30_000,
    ];
    assert_eq!(waits(u8::MAX), longest);
    assert_eq!(waits(0), longest.map(|wait| wait / 2));
}

#[test]
fn f097_two_feeds_one_dies() {
    let lives = start(|mut peer| {
        peer.accept();
        while peer.stream.write(&frame(0x81, b"alive")).is_ok() {
            let (_sender, receiver) = sync_channel::<()>(1);
            let _ = receiver.recv_timeout(Duration::from_millis(5));
        }
    });
    let dies = start(|mut peer| {
        peer.accept();
        peer.text("last");
    });
    let has_both = |items: &[Item]| {
        let (mut after, mut is_dead) = (0, false);
        for item in items {
            is_dead |= matches!(item, Item::Failed { feed: 1, .. });
            after +=
                usize::from(is_dead && matches!(item, Item::Messages(Messages { feed: 0, .. })));
        }
        after > 3
    };
    let items = World::new().read(&settings(&[lives, dies]), has_both);
    let events = events(&items);
    assert!(
        events[0].ends_with("connected 0")
            && events[1..]
                .iter()
                .any(|event| event.ends_with("connected 1")),
        "{events:?}"
    );
    assert!(
        events
            .iter()
            .any(|event| event.starts_with("1 failed Some(") && event.ends_with(" 69")),
        "{events:?}"
    );
    let mut of_dead = 0;
    for item in &items {
        if let Item::Messages(messages) = item
            && messages.feed == 1
        {
            of_dead += messages.len();
        }
    }
    assert_eq!(of_dead, 1);
}

#[test]
fn heartbeats() {
    for (text, want) in [
        (None, (0x89, vec![])),
        (Some("ping me"), (0x81, b"ping me".to_vec())),
    ] {
        let (sender, receiver) = sync_channel(9);
        let server = start(move |mut peer| {
            peer.accept();
            for _ in 0..3 {
                let _ = sender.send(peer.frame().unwrap());
            }
            peer.text("enough");
            stall();
        });
        let settings = Settings {
            heartbeat: Some(Heartbeat {
                every: Duration::from_millis(100),
                text: text.map(str::to_owned),
            }),
            ..settings(&[server])
        };
        World::new().read(&settings, |items| !messages(items).is_empty());
        for _ in 0..3 {
            assert_eq!(receiver.recv().unwrap(), want);
        }
    }
}

#[test]
fn f100_a_stop_ends_every_state_at_once_and_says_nothing() {
    for (name, want) in [
        ("in the handshake", vec![]),
        (
            "while it waits to be connected again",
            vec!["0 connected 0", "0 disconnected Some(0) 69 again in 1s"],
        ),
        ("while messages come", vec!["0 connected 0"]),
        ("while nothing comes", vec!["0 connected 0"]),
    ] {
        let (sender, receiver) = sync_channel(1);
        let server = start(move |mut peer| match name {
            "in the handshake" => stall(),
            "while it waits to be connected again" => drop(peer.accept()),
            _ => {
                peer.accept();
                let flood = frame(0x81, b"data").repeat(100);
                if name == "while messages come" {
                    while peer.stream.write_all(&flood).is_ok() {}
                } else {
                    let _ = sender.send(peer.frame());
                }
            }
        });
        let world = World {
            random: Same(u8::MAX),
            ..World::new()
        };
        let settings = Settings {
            reconnects: 9,
            ..settings(&[server])
        };
        let items = std::thread::scope(|scope| {
            let reading = scope.spawn(|| world.read_all(&settings));
            assert!(!world.stop.wait(Duration::from_millis(200)));
            let since = world.clock.elapsed();
            world.stop.request(Cause::Sigterm);
            let items = reading.join().unwrap();
            let took = world.clock.elapsed() - since;
            assert!(took < Duration::from_millis(700), "{name}: {took:?}");
            items
        });
        assert_eq!(events(&items), want, "{name}");
        if name == "while nothing comes" {
            assert_eq!(
                receiver.recv().unwrap(),
                Some((0x88, 1000_u16.to_be_bytes().to_vec()))
            );
        }
    }
}

#[test]
fn f096_a_run_that_is_slower_than_its_feed_ends_with_bounded_memory() {
    let server = start(|mut peer| {
        peer.accept();
        let flood = frame(0x82, &[7; 1_000]).repeat(1_000);
        while peer.stream.write_all(&flood).is_ok() {}
    });
    let world = World::fast(50);
    // Another connection would lose more.
    let settings = Settings {
        reconnects: 100,
        ..settings(&[server])
    };
    let client = Client::new(world.clock.clone(), world.trust.clone());
    let queue = Queue::new(1);
    let feeds = world.feeds(&settings, &client, &queue);
    // Nobody takes anything.
    std::thread::scope(|scope| feeds.start(scope).unwrap());
    let items = queue.take(Duration::ZERO).unwrap();
    let bytes: usize = messages(&items).iter().map(Vec::len).sum();
    assert!((10 << 20..20 << 20).contains(&bytes), "{bytes}");
    let error = failure(&items).to_string();
    assert!(
        error.contains("slower: messages wait, and none was taken for 10s"),
        "{error}"
    );
    assert_eq!(failure(&items).kind(), Kind::Unavailable);
    assert!(queue.take(Duration::ZERO).is_none());
}
