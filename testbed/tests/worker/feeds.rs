//! Feeds and sessions that several test files use.

use testbed::feed::market::{Disorder, Traffic, now_us};
use testbed::feed::shape::Exchange;
use testbed::feed::{Feed, Session, Step};
use testbed::server::Server;

use super::{Ended, Run, furnish};

/// Everything that a feed on an ordinary bad day does.
pub(crate) const DISORDER: Disorder = Disorder {
    swapped: 300,
    late: 100,
    late_by_us: 150_000_000,
    duplicate: 200,
    jump: 50,
    noise: 100,
    bad: 50,
};

/// The last steps of a feed that has said all.
pub(crate) fn all_said() -> [Step; 2] {
    [Step::Settle, Step::Mark("all")]
}

pub(crate) fn session(steps: Vec<Step>) -> Session {
    Session::new([steps, all_said().to_vec()].concat())
}

/// So many orderly trades.
pub(crate) fn deal(messages: u64) -> Step {
    Step::Deal(Traffic::binance(&["BNBUSDT"], messages))
}

pub(crate) fn disorderly(exchange: Exchange, messages: u64) -> Traffic {
    Traffic {
        exchange,
        disorder: DISORDER,
        ..Traffic::binance(&["BNBUSDT", "BTCUSDT", "ETHUSDT"], messages)
    }
}

/// One trade of Binance's shape.
pub(crate) fn trade(id: u64, time_us: i64) -> Step {
    Step::Text(trade_text(id, &(time_us / 1000).to_string()))
}

pub(crate) fn trade_text(id: u64, time: &str) -> String {
    format!(
        r#"{{"e":"trade","E":1,"s":"BNBUSDT","t":{id},"p":"640.10000000","q":"0.50000000","T":{time},"m":true,"M":true}}"#
    )
}

/// A minute's start, an hour ago or more.
pub(crate) fn minute_us() -> i64 {
    (now_us() - 3_600_000_000).div_euclid(60_000_000) * 60_000_000
}

/// What every case ends with, where it is one that a client goes on after.
pub(crate) const LAST: &str = r#"{"last":true}"#;

/// Every message is a record that the query takes or rejects, so that the capture has them all.
pub(crate) fn run(server: &Server, uris: &[String]) -> Run {
    Run::stream_of(server, uris)
        .with("COLUMNS", "last BOOLEAN, time TIMESTAMP_MS FROM T")
        .with(
            "QUERY",
            "SELECT time_bucket(INTERVAL '1 minute', time) AS minute, count(*) AS n FROM input WHERE last IS NULL GROUP BY minute",
        )
        .without("WINDROW_SEQUENCE")
        .with("ON_BAD_RECORD", "reject:100000")
        .within(40, 10)
}

pub(crate) fn is_full() -> bool {
    std::env::var("WINDROW_SWEEP").is_ok_and(|sweep| sweep == "full")
}

/// Runs against one session until the worker ends by itself.
pub(crate) fn meets(server: &Server, session: Session) -> (Ended, Feed) {
    furnish(server);
    let feed = Feed::of(vec![session]).unwrap();
    let ended = run(server, &[feed.uri("/ws")])
        .with("IDLE_TIMEOUT_SECONDS", "5")
        .end();
    (ended, feed)
}
