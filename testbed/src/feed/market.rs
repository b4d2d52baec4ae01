//! A market that trades: prices that wander, sizes of every order of magnitude, trade ids that rise by one within a
//! symbol, and whatever disorder a test asks for. The same seed gives the same trades.

use std::collections::VecDeque;

use crate::feed::shape::Exchange;

/// One trade. Prices and quantities in hundred-millionths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trade {
    /// As the exchange spells it.
    pub symbol: String,
    /// Rises by one within the symbol.
    pub id: u64,
    /// What was paid for one.
    pub price_e8: i64,
    /// How much was traded.
    pub qty_e8: i64,
    /// Microseconds since 1970.
    pub time_us: i64,
    /// Whether the buyer's order had been waiting.
    pub is_buyer_maker: bool,
}

/// How often something is not as it should be, in ten thousand messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disorder {
    /// Comes up to `SWAP` messages after its turn.
    pub swapped: u32,
    /// Its trades happened `late_by_us` before.
    pub late: u32,
    /// See `late`.
    pub late_by_us: i64,
    /// Is sent again.
    pub duplicate: u32,
    /// Up to nine trades before it are never sent.
    pub jump: u32,
    /// A message without trades comes before it.
    pub noise: u32,
    /// A message that is no JSON comes before it.
    pub bad: u32,
}

/// How far a message is moved at most.
const SWAP: u64 = 5;
/// How many messages back a duplicate is taken from at most.
const REPEAT: usize = 50;

/// What time the trades of a market have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// The machine's time, some milliseconds ago.
    Real,
    /// From this moment on, so many microseconds a trade on the average.
    Made {
        /// The first trade's earliest time.
        start_us: i64,
        /// The average step.
        step_us: u64,
    },
}

/// A traffic to be sent.
#[derive(Clone, Debug)]
pub struct Traffic {
    /// Whose messages.
    pub exchange: Exchange,
    /// Symbols, the first traded most.
    pub symbols: Vec<String>,
    /// Messages with trades.
    pub messages: u64,
    /// Their rate on the average; None: as fast as they are taken.
    pub per_second: Option<f64>,
    /// Whether the rate changes as that of a market does, from seconds of nothing to eightfold bursts.
    pub is_bursty: bool,
    /// Time of trades.
    pub pace: Pace,
    /// What is not as it should be.
    pub disorder: Disorder,
}

impl Traffic {
    /// An orderly one of Binance: `messages` trades of `symbols`, two seconds apart, from a minute's start two hours
    /// ago, as fast as they are taken.
    pub fn binance(symbols: &[&str], messages: u64) -> Traffic {
        Traffic {
            exchange: Exchange::Binance,
            symbols: symbols.iter().map(|symbol| (*symbol).to_owned()).collect(),
            messages,
            per_second: None,
            is_bursty: false,
            pace: Pace::Made {
                start_us: (now_us() - 7_200_000_000).div_euclid(60_000_000) * 60_000_000,
                step_us: 2_000_000,
            },
            disorder: Disorder::default(),
        }
    }
}

/// The machine's time, in microseconds since 1970.
pub fn now_us() -> i64 {
    let elapsed = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("the machine's clock stands after 1970");
    i64::try_from(elapsed.as_micros()).expect("the machine's clock stands before the year 294,000")
}

/// Numbers that look random; SplitMix64, whose constants are Steele, Lea and Flood's.
#[derive(Clone, Debug)]
pub struct Dice(pub u64);

impl Dice {
    /// From 0 to `below` - 1.
    pub fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below.max(1)
    }

    /// True so often in ten thousand.
    fn falls(&mut self, in_ten_thousand: u32) -> bool {
        in_ten_thousand > 0 && self.roll(10_000) < u64::from(in_ten_thousand)
    }
}

#[derive(Debug)]
struct Symbol {
    name: String,
    next_id: u64,
    price_e8: i64,
}

/// The state of a market; it goes on over the connections of a feed, as an exchange does.
#[derive(Debug)]
pub struct Market {
    dice: Dice,
    symbols: Vec<Symbol>,
    /// Where the ids of a symbol begin that has not been traded yet; None: anywhere.
    first_id: Option<u64>,
    clock_us: Option<i64>,
    recent: VecDeque<Vec<u8>>,
    /// Messages that wait for their late turn, and how many go first.
    held: Vec<(u64, Vec<u8>)>,
}

impl Market {
    /// The market of a seed.
    pub fn new(seed: u64) -> Market {
        Market {
            dice: Dice(seed),
            symbols: Vec::new(),
            first_id: None,
            clock_us: None,
            recent: VecDeque::new(),
            held: Vec::new(),
        }
    }

    /// So many trades of each symbol that nobody is told of, as while a connection is down.
    pub fn miss(&mut self, trades: u64) {
        for symbol in &mut self.symbols {
            symbol.next_id += trades;
        }
    }

    /// The trade ids begin at 1 again.
    pub fn restart(&mut self) {
        self.first_id = Some(1);
        for symbol in &mut self.symbols {
            symbol.next_id = 1;
        }
    }

    /// The next messages, in the order in which they go out: mostly one.
    pub fn next(&mut self, traffic: &Traffic) -> Vec<Vec<u8>> {
        let disorder = traffic.disorder;
        let mut out = Vec::new();
        if self.dice.falls(disorder.noise) {
            out.push(traffic.exchange.noise(now_us()).into_bytes());
        }
        let message = self.message(traffic);
        if self.dice.falls(disorder.bad) {
            let cut = 1 + self.dice.roll(message.len() as u64 - 1);
            out.push(message[..usize::try_from(cut).unwrap_or(1)].to_vec());
        }
        if self.dice.falls(disorder.duplicate) && !self.recent.is_empty() {
            let place = self.dice.roll(self.recent.len() as u64);
            out.push(self.recent[usize::try_from(place).unwrap_or(0)].clone());
        }
        if self.dice.falls(disorder.swapped) {
            self.held.push((1 + self.dice.roll(SWAP), message));
            return out;
        }
        self.recent.push_back(message.clone());
        if self.recent.len() > REPEAT {
            self.recent.pop_front();
        }
        out.push(message);
        for (left, _) in &mut self.held {
            *left -= 1;
        }
        let due = self.held.extract_if(.., |(left, _)| *left == 0);
        out.extend(due.map(|(_, message)| message));
        out
    }

    /// What still waits for its turn, when a traffic ends.
    pub fn rest(&mut self) -> Vec<Vec<u8>> {
        self.held.drain(..).map(|(_, message)| message).collect()
    }

    fn message(&mut self, traffic: &Traffic) -> Vec<u8> {
        let most = traffic.exchange.most_trades();
        let trades = 1 + self.dice.roll(most);
        let place = self.symbol(&traffic.symbols);
        if self.dice.falls(traffic.disorder.jump) {
            self.symbols[place].next_id += 1 + self.dice.roll(9);
        }
        let late_us = match self.dice.falls(traffic.disorder.late) {
            true => traffic.disorder.late_by_us,
            false => 0,
        };
        let trades: Vec<Trade> = (0..trades)
            .map(|_| {
                let now_us = self.tick(traffic.pace);
                self.trade(place, now_us - late_us)
            })
            .collect();
        traffic.exchange.message(&trades, now_us()).into_bytes()
    }

    /// The time of the next trade; a third of them happen at once with the one before.
    fn tick(&mut self, pace: Pace) -> i64 {
        let Pace::Made { start_us, step_us } = pace else {
            let delay = 1000 + self.dice.roll(40_000);
            let time_us = now_us() - i64::try_from(delay).unwrap_or(0);
            // The clock of an exchange does not go back from one trade to the next.
            let clock_us = self.clock_us.map_or(time_us, |last| last.max(time_us));
            self.clock_us = Some(clock_us);
            return clock_us;
        };
        let step = match self.dice.roll(3) {
            0 => 0,
            _ => self.dice.roll(step_us.saturating_mul(3)),
        };
        let clock_us = self.clock_us.unwrap_or(start_us) + i64::try_from(step).unwrap_or(0);
        self.clock_us = Some(clock_us);
        clock_us
    }

    /// Which symbol trades: each half as often as the one before it.
    fn symbol(&mut self, names: &[String]) -> usize {
        let doublings = self.dice.roll(1 << 16).trailing_zeros() as usize;
        let name = &names[doublings.min(names.len() - 1)];
        if let Some(place) = self.symbols.iter().position(|symbol| symbol.name == *name) {
            return place;
        }
        let ticks = 10_000 + self.dice.roll(90_000);
        let any_id = 100_000 + self.dice.roll(1_000_000_000);
        self.symbols.push(Symbol {
            name: name.clone(),
            next_id: self.first_id.unwrap_or(any_id),
            price_e8: i64::try_from(ticks).unwrap_or(1) * TICK_E8,
        });
        self.symbols.len() - 1
    }

    fn trade(&mut self, place: usize, time_us: i64) -> Trade {
        let step = i64::try_from(self.dice.roll(7)).unwrap_or(3) - 3;
        // Mostly small, now and then thousands of times as much.
        let magnitude = 10_i64.pow(u32::try_from(self.dice.roll(4)).unwrap_or(0));
        let qty = i64::try_from(1 + self.dice.roll(999)).unwrap_or(1) * magnitude;
        let is_buyer_maker = self.dice.roll(2) == 0;
        let symbol = &mut self.symbols[place];
        symbol.price_e8 = (symbol.price_e8 + step * TICK_E8).max(TICK_E8);
        let id = symbol.next_id;
        symbol.next_id += 1;
        Trade {
            symbol: symbol.name.clone(),
            id,
            price_e8: symbol.price_e8,
            qty_e8: qty * 100_000,
            time_us,
            is_buyer_maker,
        }
    }
}

/// The least change of a price: a hundredth.
const TICK_E8: i64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_its_trades_and_disorder_is_as_asked() {
        let mut traffic = Traffic::binance(&["BNBUSDT", "ETHUSDT"], 0);
        let all = |traffic: &Traffic| {
            let mut market = Market::new(7);
            let mut out: Vec<Vec<u8>> = (0..2000).flat_map(|_| market.next(traffic)).collect();
            out.extend(market.rest());
            out
        };
        let ids = |messages: &[Vec<u8>]| -> Vec<(String, u64)> {
            let parsed = messages.iter().filter_map(|message| {
                let value: serde_json::Value = serde_json::from_slice(message).ok()?;
                Some((value["s"].as_str()?.to_owned(), value["t"].as_u64()?))
            });
            parsed.collect()
        };
        let orderly = ids(&all(&traffic));
        assert_eq!(orderly.len(), 2000);
        assert_eq!(orderly, ids(&all(&traffic)));
        for symbol in &traffic.symbols {
            let of: Vec<u64> = orderly
                .iter()
                .filter(|(name, _)| name == symbol)
                .map(|(_, id)| *id)
                .collect();
            assert!(of.len() > 100 && of.windows(2).all(|pair| pair[0] + 1 == pair[1]));
        }
        traffic.disorder = Disorder {
            swapped: 500,
            duplicate: 200,
            bad: 100,
            noise: 100,
            jump: 100,
            late: 100,
            late_by_us: 600_000_000,
        };
        let messages = all(&traffic);
        let disorderly = ids(&messages);
        assert!(messages.len() > disorderly.len() + 5, "bad ones and noise");
        let mut unique = disorderly.clone();
        unique.sort();
        let in_order = unique == disorderly;
        unique.dedup();
        assert!(!in_order && unique.len() == 2000 && disorderly.len() > 2005);
    }
}
