//! What the tests share: a server with one bucket, and answers boiled down.
#![allow(dead_code, reason = "each test file uses the part that it needs")]

use testbed::client::{Answer, Client};
use testbed::server::{Server, Settings};
use testbed::store::Settings as Bucket;

/// A server whose parts may be small, its bucket `b`, and a client with the right key.
pub(crate) fn start() -> (Server, Client) {
    let settings = Settings {
        min_part_bytes: 4,
        ..Settings::default()
    };
    let server = Server::start(settings).unwrap();
    server.store().bucket("b", Bucket::default());
    let client = Client::new(server.address());
    (server, client)
}

/// Status and code; no code for success.
pub(crate) fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.element("Code").unwrap_or_default())
}

/// What [`code`] gives for a refusal.
pub(crate) fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}
