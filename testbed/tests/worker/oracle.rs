//! The bars of a run once more, from the messages of its capture in their order: SPEC 6 by hand, a record at a time,
//! with none of the worker's code. What the oracle knows of a number is its integer; nothing is a float until the one
//! division.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::Value;
use testbed::feed::shape::Exchange;

use super::stream::Message;

/// Event times are this far after the receipt at most.
const AHEAD_US: i64 = 86_400_000_000;
const MINUTE_US: i64 = 60_000_000;

/// What a run is told and the oracle must know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) exchange: Exchange,
    pub(crate) lateness_us: i64,
    /// SEQUENCE, and whether it is PER CONNECTION.
    pub(crate) sequence: Option<bool>,
}

/// What must come out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) rollup: String,
    pub(crate) read: u64,
    pub(crate) used: u64,
    pub(crate) filtered: u64,
    pub(crate) rejected: u64,
    pub(crate) late: u64,
    pub(crate) duplicate: u64,
    pub(crate) unchecked: u64,
    /// Times that a sequence went up by more than one.
    pub(crate) jumps: u64,
    /// Every window with a used record.
    pub(crate) windows: BTreeSet<i64>,
    /// Late records by the window that they came too late for.
    pub(crate) late_by_window: BTreeMap<i64, u64>,
    /// Newest event time.
    pub(crate) newest_us: Option<i64>,
}

/// A record as far as the query reads it.
#[derive(Clone, Debug)]
struct Record {
    symbol: Option<String>,
    id: Option<i64>,
    price_e8: Option<i128>,
    qty_e8: Option<i128>,
    time_us: Option<i64>,
}

#[derive(Default)]
struct Bar {
    open: (i64, i128),
    close: (i64, i128),
    high: i128,
    low: i128,
    volume_e8: i128,
    notional_e16: i128,
    trades: u64,
}

#[derive(Default)]
struct Ledger {
    first: i64,
    highest: i64,
    seen: HashSet<i64>,
}

/// Computes the bars of all messages.
pub(crate) fn bars(messages: &[Message], terms: Terms) -> Expected {
    let mut expected = Expected::default();
    let mut bars: BTreeMap<(i64, String), Bar> = BTreeMap::new();
    let mut ledgers: HashMap<(Option<u32>, Option<String>), Ledger> = HashMap::new();
    let mut watermark_us = i64::MIN;
    for message in messages {
        let Some(records) = records(&message.bytes, terms.exchange) else {
            expected.read += 1;
            expected.rejected += 1;
            continue;
        };
        for record in records {
            expected.read += 1;
            if let (Some(per_connection), Some(id)) = (terms.sequence, record.id) {
                let connection = per_connection.then_some(message.connection);
                let ledger = ledgers.entry((connection, record.symbol.clone()));
                if !expected.passes(ledger.or_default(), id) {
                    continue;
                }
            }
            let Some(id) = record.id else {
                expected.filtered += 1;
                continue;
            };
            let (Some(symbol), Some(price), Some(qty), Some(time_us)) = (
                record.symbol,
                record.price_e8,
                record.qty_e8,
                record.time_us,
            ) else {
                expected.rejected += 1;
                continue;
            };
            if time_us > message.received_at_us + AHEAD_US {
                expected.rejected += 1;
                continue;
            }
            let window = time_us.div_euclid(MINUTE_US) * MINUTE_US;
            let is_late = window + MINUTE_US <= watermark_us;
            watermark_us = watermark_us.max(time_us - terms.lateness_us);
            expected.newest_us = expected.newest_us.max(Some(time_us));
            if is_late {
                expected.late += 1;
                *expected.late_by_window.entry(window).or_default() += 1;
                continue;
            }
            expected.used += 1;
            expected.windows.insert(window);
            bars.entry((window, symbol))
                .or_default()
                .add(id, price, qty);
        }
    }
    expected.rollup = "minute,symbol,open,high,low,close,volume,trades,notional,vwap\n".into();
    for ((window, symbol), bar) in &bars {
        expected.rollup += &bar.line(*window, symbol);
    }
    expected
}

impl Expected {
    /// Whether a number is none that was seen before.
    fn passes(&mut self, ledger: &mut Ledger, id: i64) -> bool {
        if ledger.seen.is_empty() {
            (ledger.first, ledger.highest) = (id, id);
        } else if ledger.seen.contains(&id) {
            self.duplicate += 1;
            return false;
        } else if id < ledger.first {
            self.unchecked += 1;
            return true;
        } else if id > ledger.highest {
            self.jumps += u64::from(id > ledger.highest + 1);
            ledger.highest = id;
        }
        ledger.seen.insert(id);
        true
    }
}

impl Bar {
    fn add(&mut self, id: i64, price_e8: i128, qty_e8: i128) {
        if self.trades == 0 {
            (self.open, self.close) = ((id, price_e8), (id, price_e8));
            (self.high, self.low) = (price_e8, price_e8);
        }
        if id < self.open.0 {
            self.open = (id, price_e8);
        }
        if id > self.close.0 {
            self.close = (id, price_e8);
        }
        self.high = self.high.max(price_e8);
        self.low = self.low.min(price_e8);
        self.volume_e8 += qty_e8;
        self.notional_e16 += price_e8 * qty_e8;
        self.trades += 1;
    }

    fn line(&self, window: i64, symbol: &str) -> String {
        let minute = testbed::feed::shape::iso(window, 6)
            .replace('T', " ")
            .replace(".000000Z", "");
        format!(
            "{minute},{symbol},{},{},{},{},{},{},{},{:?}\n",
            fixed(self.open.1, 8),
            fixed(self.high, 8),
            fixed(self.low, 8),
            fixed(self.close.1, 8),
            fixed(self.volume_e8, 8),
            self.trades,
            fixed(self.notional_e16, 16),
            quotient(self.notional_e16, self.volume_e8 * 100_000_000),
        )
    }
}

fn fixed(value: i128, digits: u32) -> String {
    let unit = 10_i128.pow(digits);
    let width = usize::try_from(digits).unwrap();
    format!("{}.{:0width$}", value / unit, value % unit)
}

/// The nearest double: forty digits by hand, and one that says whether there would be more.
fn quotient(dividend: i128, divisor: i128) -> f64 {
    let mut text = format!("{}.", dividend / divisor);
    let mut rest = dividend % divisor;
    for _ in 0..40 {
        rest *= 10;
        text += &(rest / divisor).to_string();
        rest %= divisor;
    }
    if rest > 0 {
        text.push('1');
    }
    text.parse().unwrap()
}

/// The records of a message; None where it is no object, or a value is none of its column's type.
fn records(bytes: &[u8], exchange: Exchange) -> Option<Vec<Record>> {
    let document: Value = serde_json::from_slice(bytes).ok()?;
    document.as_object()?;
    let elements = match exchange {
        Exchange::Binance | Exchange::CoinbaseMatches => vec![document],
        Exchange::BinanceCombined => vec![document["data"].clone()],
        Exchange::CoinbaseTrades => document["events"][0]["trades"]
            .as_array()
            .cloned()
            .unwrap_or_default(),
        Exchange::Kraken => document["data"].as_array().cloned().unwrap_or_default(),
    };
    elements
        .iter()
        .map(|element| record(element, exchange))
        .collect()
}

fn record(element: &Value, exchange: Exchange) -> Option<Record> {
    let [symbol, id, price, qty, time] = match exchange {
        Exchange::Binance | Exchange::BinanceCombined => ["s", "t", "p", "q", "T"],
        Exchange::CoinbaseMatches => ["product_id", "trade_id", "price", "size", "time"],
        Exchange::CoinbaseTrades => ["product_id", "trade_id", "price", "size", "time"],
        Exchange::Kraken => ["symbol", "trade_id", "price", "qty", "timestamp"],
    };
    let is_millis = matches!(exchange, Exchange::Binance | Exchange::BinanceCombined);
    let field = |name: &str| Some(&element[name]).filter(|value| !value.is_null());
    let typed = |name: &str, read: fn(&Value) -> Option<i128>| match field(name) {
        None => Some(None),
        Some(value) => read(value).map(Some),
    };
    let symbol = match field(symbol) {
        None => None,
        Some(value) => Some(value.as_str()?.to_owned()),
    };
    let read_time = if is_millis { millis } else { iso };
    Some(Record {
        symbol,
        id: typed(id, integer)?.map(|id| i64::try_from(id).unwrap()),
        price_e8: typed(price, decimal_e8)?,
        qty_e8: typed(qty, decimal_e8)?,
        time_us: typed(time, read_time)?.map(|time_us| i64::try_from(time_us).unwrap()),
    })
}

fn integer(value: &Value) -> Option<i128> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.as_i64().map(i128::from),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn decimal_e8(value: &Value) -> Option<i128> {
    let text = match value {
        Value::String(text) => text.clone(),
        // Shortest digits that give the double back: those that were written, short as they are here.
        Value::Number(number) => number.as_f64()?.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let fraction = format!("{fraction:0<8}");
    if fraction.len() > 8 {
        return None;
    }
    Some(whole.parse::<i128>().ok()? * 100_000_000 + fraction.parse::<i128>().ok()?)
}

fn millis(value: &Value) -> Option<i128> {
    integer(value).map(|millis| millis * 1000)
}

/// `2026-01-31T23:59:00.123456Z`.
fn iso(value: &Value) -> Option<i128> {
    super::stream::micros(value.as_str()?).map(i128::from)
}
