//! The feed, read by a client that nobody here wrote: what it says that it sent is what comes out.

mod foreign;

use std::time::Duration;

use testbed::feed::frame::{BINARY, Frame, PING, PONG, TEXT, fragments};
use testbed::feed::market::{Disorder, Traffic};
use testbed::feed::{Act, Feed, Session, Settings, Step, Want};

#[test]
fn a_foreign_client_reads_what_was_sent() {
    let Some(python) = foreign::python() else {
        return;
    };
    let whole = "κόσμε, in pieces".as_bytes();
    let pieces: Vec<&[u8]> = whole.chunks(1).collect();
    let between = [Frame::new(PING, "between"), Frame::new(PONG, "unasked")];
    let disorder = Disorder {
        swapped: 300,
        duplicate: 300,
        noise: 300,
        bad: 300,
        jump: 300,
        ..Disorder::default()
    };
    let traffic = Traffic {
        disorder,
        ..Traffic::binance(&["BNBUSDT", "BTCUSDT"], 3000)
    };
    let feed = Feed::of(vec![Session::new(vec![
        Step::Text("one".into()),
        Step::Binary(vec![0, 255, 254]),
        Step::Frames(fragments(TEXT, &pieces, &between), Some(whole.to_vec())),
        Step::Chopped(
            fragments(BINARY, &pieces, &between),
            Some(whole.to_vec()),
            1,
            0,
        ),
        Step::Await(Want::Pong(b"between".to_vec()), 5000),
        Step::Deal(traffic),
        Step::Text("x".repeat(70_000)),
        Step::Settle,
        Step::Close(Some(4321), "enough".into()),
    ])])
    .unwrap();
    let got = foreign::read(&python, &[feed.uri("/any?path=1")]);
    let sent: Vec<Vec<u8>> = feed.sent().into_iter().map(|sent| sent.bytes).collect();
    assert!(sent.len() > 3100);
    assert_eq!(got[0].messages, sent);
    assert_eq!(got[0].heard, Some(4321));
    let closed = feed.wait_heard(1, Duration::from_secs(5), |act| {
        matches!(act, Act::Frame(frame) if frame.payload.starts_with(&4321_u16.to_be_bytes()))
    });
    assert!(closed, "the close frame is answered: {:?}", feed.faults());
}

#[test]
fn sessions_come_in_turn_and_the_truth_is_written() {
    let Some(python) = foreign::python() else {
        return;
    };
    let file = std::env::temp_dir().join(format!("testbed-feed-truth-{}", std::process::id()));
    let feed = Feed::start(Settings {
        sessions: vec![
            Session::new(vec![
                Step::Deal(Traffic::binance(&["BNBUSDT"], 5)),
                Step::Close(Some(1001), String::new()),
            ]),
            Session::new(vec![
                Step::Miss(10),
                Step::Deal(Traffic::binance(&["BNBUSDT"], 5)),
                Step::Fin,
            ]),
        ],
        file: Some(file.clone()),
        ..Settings::default()
    })
    .unwrap();
    let got = foreign::read(&python, &[feed.uri("/"), feed.uri("/")]);
    let [first, second] = &got[..] else {
        panic!("{got:?}");
    };
    assert_eq!((first.messages.len(), first.heard), (5, Some(1001)));
    assert_eq!((second.messages.len(), second.heard), (5, None));
    let id = |message: &[u8]| {
        let value: serde_json::Value = serde_json::from_slice(message).unwrap();
        value["t"].as_u64().unwrap()
    };
    assert_eq!(
        id(&first.messages[4]) + 11,
        id(&second.messages[0]),
        "ten were missed"
    );
    assert_eq!(feed.connections(), 2);
    assert_eq!(feed.count(), 10);
    drop(feed);
    std::fs::remove_file(file).unwrap();
}
