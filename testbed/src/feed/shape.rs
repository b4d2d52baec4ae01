//! Messages as the exchanges write them: their fields, their order and their forms of numbers.
//!
//! Source: Binance Spot API, "WebSocket Streams" (trade; combined streams); Coinbase Exchange, "WebSocket channels"
//! (matches), and Advanced Trade, "market_trades"; Kraken, "WebSocket API v2" (trade, status, heartbeat).

use std::fmt::Write as _;

use crate::feed::market::Trade;

/// Whose messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// A raw stream: a trade a message, times in milliseconds.
    Binance,
    /// The same in `{"stream":…,"data":…}`.
    BinanceCombined,
    /// Coinbase Exchange, channel `matches`: a trade a message.
    CoinbaseMatches,
    /// Coinbase Advanced Trade, channel `market_trades`: several trades a message.
    CoinbaseTrades,
    /// Kraken v2, channel `trade`: several trades a message, numbers that are JSON numbers.
    Kraken,
}

impl Exchange {
    /// Most trades in one message.
    pub fn most_trades(self) -> u64 {
        match self {
            Exchange::Binance | Exchange::BinanceCombined | Exchange::CoinbaseMatches => 1,
            Exchange::CoinbaseTrades | Exchange::Kraken => 5,
        }
    }

    /// A message with these trades, sent at `now_us`.
    pub fn message(self, trades: &[Trade], now_us: i64) -> String {
        let mut out = String::with_capacity(256 * trades.len());
        // Writing to a String cannot fail.
        let _ = match self {
            Exchange::Binance => trades
                .iter()
                .try_for_each(|trade| binance(&mut out, trade, now_us)),
            Exchange::BinanceCombined => trades.iter().try_for_each(|trade| {
                let stream = trade.symbol.to_ascii_lowercase();
                write!(out, r#"{{"stream":"{stream}@trade","data":"#)?;
                binance(&mut out, trade, now_us)?;
                out.write_char('}')
            }),
            Exchange::CoinbaseMatches => trades
                .iter()
                .try_for_each(|trade| coinbase_match(&mut out, trade)),
            Exchange::CoinbaseTrades => coinbase_trades(&mut out, trades, now_us),
            Exchange::Kraken => kraken(&mut out, trades),
        };
        out
    }

    /// A message that carries no trade, as the exchange sends it now and then.
    pub fn noise(self, now_us: i64) -> String {
        let now = iso(now_us, 6);
        match self {
            Exchange::Binance | Exchange::BinanceCombined => r#"{"result":null,"id":1}"#.into(),
            Exchange::CoinbaseMatches => format!(
                r#"{{"type":"heartbeat","sequence":90,"last_trade_id":20,"product_id":"BTC-USD","time":"{now}"}}"#
            ),
            Exchange::CoinbaseTrades => format!(
                r#"{{"channel":"heartbeats","client_id":"","timestamp":"{now}","sequence_num":0,"events":[{{"current_time":"{now}","heartbeat_counter":"3049"}}]}}"#
            ),
            Exchange::Kraken => r#"{"channel":"heartbeat"}"#.into(),
        }
    }

    /// What a client sends for the trades of a symbol, where the address does not say it, by the exchange's own documents.
    pub fn subscription(self, symbol: &str) -> Option<String> {
        match self {
            Exchange::Binance | Exchange::BinanceCombined => None,
            Exchange::CoinbaseMatches => Some(format!(
                r#"{{"type":"subscribe","product_ids":["{symbol}"],"channels":["matches"]}}"#
            )),
            Exchange::CoinbaseTrades => Some(format!(
                r#"{{"type":"subscribe","product_ids":["{symbol}"],"channel":"market_trades"}}"#
            )),
            Exchange::Kraken => Some(format!(
                r#"{{"method":"subscribe","params":{{"channel":"trade","symbol":["{symbol}"],"snapshot":false}}}}"#
            )),
        }
    }

    /// What the exchange says to a subscription.
    pub fn acknowledgement(self, symbol: &str) -> String {
        match self {
            Exchange::Binance | Exchange::BinanceCombined => r#"{"result":null,"id":1}"#.into(),
            Exchange::CoinbaseMatches => format!(
                r#"{{"type":"subscriptions","channels":[{{"name":"matches","product_ids":["{symbol}"]}}]}}"#
            ),
            Exchange::CoinbaseTrades => format!(
                r#"{{"channel":"subscriptions","client_id":"","timestamp":"2026-01-31T00:00:00Z","sequence_num":1,"events":[{{"subscriptions":{{"market_trades":["{symbol}"]}}}}]}}"#
            ),
            Exchange::Kraken => format!(
                r#"{{"method":"subscribe","result":{{"channel":"trade","snapshot":false,"symbol":"{symbol}"}},"success":true,"time_in":"2026-01-31T00:00:00.000001Z","time_out":"2026-01-31T00:00:00.000002Z"}}"#
            ),
        }
    }
}

fn binance(out: &mut String, trade: &Trade, now_us: i64) -> std::fmt::Result {
    write!(
        out,
        r#"{{"e":"trade","E":{},"s":"{}","t":{},"p":"{}","q":"{}","T":{},"m":{},"M":true}}"#,
        now_us.div_euclid(1000),
        trade.symbol,
        trade.id,
        decimal(trade.price_e8, false),
        decimal(trade.qty_e8, false),
        trade.time_us.div_euclid(1000),
        trade.is_buyer_maker,
    )
}

fn side(trade: &Trade) -> &'static str {
    match trade.is_buyer_maker {
        true => "sell",
        false => "buy",
    }
}

fn coinbase_match(out: &mut String, trade: &Trade) -> std::fmt::Result {
    write!(
        out,
        r#"{{"type":"match","trade_id":{},"maker_order_id":"ac928c66-ca53-498f-9c13-a110027a60e8","taker_order_id":"132fb6ae-456b-4654-b4e0-d681ac05cea1","side":"{}","size":"{}","price":"{}","product_id":"{}","sequence":{},"time":"{}"}}"#,
        trade.id,
        side(trade),
        decimal(trade.qty_e8, true),
        decimal(trade.price_e8, true),
        trade.symbol,
        trade.id * 7 + 50,
        iso(trade.time_us, 6),
    )
}

fn coinbase_trades(out: &mut String, trades: &[Trade], now_us: i64) -> std::fmt::Result {
    write!(
        out,
        r#"{{"channel":"market_trades","client_id":"","timestamp":"{}000Z","sequence_num":0,"events":[{{"type":"update","trades":["#,
        iso(now_us, 6).trim_end_matches('Z'),
    )?;
    for (place, trade) in trades.iter().enumerate() {
        write!(
            out,
            r#"{}{{"trade_id":"{}","product_id":"{}","price":"{}","size":"{}","side":"{}","time":"{}"}}"#,
            if place > 0 { "," } else { "" },
            trade.id,
            trade.symbol,
            decimal(trade.price_e8, true),
            decimal(trade.qty_e8, true),
            side(trade).to_ascii_uppercase(),
            iso(trade.time_us, 6),
        )?;
    }
    out.write_str("]}]}")
}

fn kraken(out: &mut String, trades: &[Trade]) -> std::fmt::Result {
    out.write_str(r#"{"channel":"trade","type":"update","data":["#)?;
    for (place, trade) in trades.iter().enumerate() {
        write!(
            out,
            r#"{}{{"symbol":"{}","side":"{}","price":{},"qty":{},"ord_type":"market","trade_id":{},"timestamp":"{}"}}"#,
            if place > 0 { "," } else { "" },
            trade.symbol,
            side(trade),
            decimal(trade.price_e8, true),
            decimal(trade.qty_e8, false),
            trade.id,
            iso(trade.time_us, 6),
        )?;
    }
    out.write_str("]}")
}

/// Hundred-millionths as a decimal with eight digits behind the point, or with no zeros at its end.
fn decimal(value_e8: i64, is_short: bool) -> String {
    let text = format!("{}.{:08}", value_e8 / 100_000_000, value_e8 % 100_000_000);
    match is_short {
        true => text.trim_end_matches('0').trim_end_matches('.').into(),
        false => text,
    }
}

/// `2026-01-31T23:59:00.123456Z` with so many digits behind the point.
pub fn iso(time_us: i64, digits: usize) -> String {
    let millis = crate::moment::Moment(time_us.div_euclid(1000)).iso();
    let seconds = millis.split('.').next().unwrap_or_default();
    let fraction = format!("{:06}", time_us.rem_euclid(1_000_000));
    format!("{seconds}.{}Z", &fraction[..digits.min(6)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_each_exchange() {
        let trade = Trade {
            symbol: "BNBUSDT".into(),
            id: 12345,
            price_e8: 64_012_000_000,
            qty_e8: 5_000_000,
            time_us: 1_769_900_340_123_456,
            is_buyer_maker: true,
        };
        let now_us = 1_769_900_340_200_000;
        for (exchange, want) in [
            (
                Exchange::Binance,
                r#"{"e":"trade","E":1769900340200,"s":"BNBUSDT","t":12345,"p":"640.12000000","q":"0.05000000","T":1769900340123,"m":true,"M":true}"#,
            ),
            (
                Exchange::BinanceCombined,
                r#"{"stream":"bnbusdt@trade","data":{"e":"trade","E":1769900340200,"s":"BNBUSDT","t":12345,"p":"640.12000000","q":"0.05000000","T":1769900340123,"m":true,"M":true}}"#,
            ),
            (
                Exchange::CoinbaseMatches,
                r#"{"type":"match","trade_id":12345,"maker_order_id":"ac928c66-ca53-498f-9c13-a110027a60e8","taker_order_id":"132fb6ae-456b-4654-b4e0-d681ac05cea1","side":"sell","size":"0.05","price":"640.12","product_id":"BNBUSDT","sequence":86465,"time":"2026-01-31T22:59:00.123456Z"}"#,
            ),
            (
                Exchange::CoinbaseTrades,
                r#"{"channel":"market_trades","client_id":"","timestamp":"2026-01-31T22:59:00.200000000Z","sequence_num":0,"events":[{"type":"update","trades":[{"trade_id":"12345","product_id":"BNBUSDT","price":"640.12","size":"0.05","side":"SELL","time":"2026-01-31T22:59:00.123456Z"}]}]}"#,
            ),
            (
                Exchange::Kraken,
                r#"{"channel":"trade","type":"update","data":[{"symbol":"BNBUSDT","side":"sell","price":640.12,"qty":0.05000000,"ord_type":"market","trade_id":12345,"timestamp":"2026-01-31T22:59:00.123456Z"}]}"#,
            ),
        ] {
            assert_eq!(exchange.message(std::slice::from_ref(&trade), now_us), want);
            for text in [exchange.noise(now_us), exchange.acknowledgement("X")] {
                assert!(
                    serde_json::from_str::<serde_json::Value>(&text).is_ok(),
                    "{text}"
                );
            }
        }
    }
}
