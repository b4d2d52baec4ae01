//! `windrow stream` against the server of Python's `websockets`, so that client and server here cannot share a mistake.
#![allow(clippy::disallowed_methods, reason = "these tests wait for the worker")]

mod foreign;
mod worker;

use std::fs;
use std::path::Path;
use std::time::Duration;

use foreign::Foreign;
use testbed::feed::shape::Exchange;
use testbed::tls::Authority;
use worker::stream::{Left, replays};
use worker::{Run, start};

/// Runs `case` with `change` until `connections` of them have settled, then ends it; gives what it left.
fn run(case: &str, connections: usize, change: impl Fn(Run) -> Run) {
    run_by(case, connections, None, change);
}

/// The same, by TLS where it gets certificate and key.
fn run_by(case: &str, connections: usize, identity: Option<&Path>, change: impl Fn(Run) -> Run) {
    let (true, Some(python)) = (worker::stream::is_built(), foreign::python()) else {
        return;
    };
    let server = start();
    let feed = Foreign::start(&python, case, identity);
    let run = change(Run::stream_of(&server, std::slice::from_ref(&feed.uri)));
    let running = run.start();
    let settled = feed.settled(connections);
    running.signal("TERM");
    let ended = running.end();
    assert!(settled, "{case}: {}", ended.why());
    assert_eq!(ended.code, 75, "{case}: {}", ended.why());
    let left = Left::read(&server, "run");
    left.sound(&ended, &[]);
    let got: Vec<Vec<u8>> = left
        .capture
        .iter()
        .map(|message| message.bytes.clone())
        .collect();
    assert!(
        got == feed.sent(),
        "{case}: the messages are those that were sent"
    );
    let expected = left.is_right(Exchange::Binance);
    assert!(expected.used > 0, "{case}");
    replays(&server, &run, &left);
}

#[test]
fn trades() {
    run("plain", 1, |run| run);
}

#[test]
fn f091_messages_in_every_form() {
    run("forms", 1, |run| run.within(40, 10));
}

#[test]
fn messages_over_the_tls_of_openssl() {
    let authority = Authority::new().unwrap();
    let folder = std::env::temp_dir().join(format!("windrow-foreign-tls-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let (identity, bundle) = (folder.join("server.pem"), folder.join("ca.pem"));
    fs::write(&identity, authority.identity().unwrap()).unwrap();
    fs::write(&bundle, authority.pem()).unwrap();
    run_by("forms", 1, Some(&identity), |run| {
        run.aws("AWS_CA_BUNDLE", bundle.to_str().unwrap())
            .within(40, 10)
    });
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn f131_subscriptions_and_heartbeats() {
    run("subscribed", 1, |run| {
        run.with("SUBSCRIBE", r#"[{"op":"subscribe","args":["trades"]}]"#)
            .with("HEARTBEAT", "1 beat")
    });
}

#[test]
fn f089_a_close_an_abort_and_two_reconnects() {
    run("cuts", 3, |run| run.with("ON_DISCONNECT", "reconnect:2"));
}

#[test]
fn f088_f089_ends() {
    for (case, code, facts) in [
        ("closes", 69, ["4321", "enough"]),
        ("forbidden", 77, ["403", "ws://"]),
        ("busy", 69, ["503", "ws://"]),
    ] {
        let (true, Some(python)) = (worker::stream::is_built(), foreign::python()) else {
            return;
        };
        let server = start();
        let feed = Foreign::start(&python, case, None);
        let ended = Run::stream_of(&server, std::slice::from_ref(&feed.uri)).end();
        ended.says(code, &facts);
        assert!(ended.took < Duration::from_secs(15), "{:?}", ended.took);
        Left::read(&server, "run").sound(&ended, &[]);
    }
}
