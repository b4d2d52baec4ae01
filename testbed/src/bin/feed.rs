//! `testbed-feed`: the feed as a process, for the demo, for a soak and for tries by hand. It trades until its standard
//! input ends, so that it never outlives whoever started it, and writes the truth as it goes.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use testbed::feed::market::{Disorder, Pace, Traffic, now_us};
use testbed::feed::shape::Exchange;
use testbed::feed::{Feed, Session, Settings, Step, Want};
use testbed::tls::Kind;

const USAGE: &str = "\
testbed-feed: a WebSocket feed of made trades on loopback, in real time, until its standard input ends

    testbed-feed --dir DIR [--exchange NAME] [--symbol NAME]... [--per-second N] [--steady] [--cut-every SECONDS]
                 [--clean] [--seed N] [--port N] [--tls] [--forever]

DIR (made where missing) gets truth.ndjson, ca.pem and, once the feed listens, env: the export lines that also go to
standard output. --exchange: binance (absent), binance-combined, coinbase-matches, coinbase-trades, kraken. --symbol:
absent, BNBUSDT. --per-second: messages on the average (absent: 20), in bursts as markets have them, or --steady.
--cut-every: the feed closes each connection after about that time, as exchanges do after 24 hours. --clean: no message
is swapped, late, sent twice or left out. --tls: wss with a certificate of ca.pem. --forever: do not look at standard
input, end by a signal.
";

struct Options {
    dir: PathBuf,
    exchange: Exchange,
    symbols: Vec<String>,
    per_second: f64,
    is_bursty: bool,
    cut_every: Option<f64>,
    disorder: Disorder,
    seed: u64,
    port: u16,
    is_tls: bool,
    forever: bool,
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(what) => {
            eprintln!("testbed-feed: {what}\n\n{USAGE}");
            return ExitCode::from(64);
        }
    };
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("testbed-feed: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What an exchange does to its messages on an ordinary day, and a little more.
const ORDINARY: Disorder = Disorder {
    swapped: 20,
    late: 2,
    late_by_us: 120_000_000,
    duplicate: 5,
    jump: 1,
    noise: 5,
    bad: 0,
};

fn options(mut words: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options {
        dir: PathBuf::new(),
        exchange: Exchange::Binance,
        symbols: Vec::new(),
        per_second: 20.0,
        is_bursty: true,
        cut_every: None,
        disorder: ORDINARY,
        seed: 1,
        port: 0,
        is_tls: false,
        forever: false,
    };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} wants a value"));
        match word.as_str() {
            "--help" | "-h" => return Ok(None),
            "--dir" => options.dir = value()?.into(),
            "--exchange" => options.exchange = exchange(&value()?)?,
            "--symbol" => options.symbols.push(value()?),
            "--per-second" => options.per_second = positive(&value()?)?,
            "--steady" => options.is_bursty = false,
            "--cut-every" => options.cut_every = Some(positive(&value()?)?),
            "--clean" => options.disorder = Disorder::default(),
            "--seed" => options.seed = number(&value()?)?,
            "--port" => options.port = number(&value()?)?,
            "--tls" => options.is_tls = true,
            "--forever" => options.forever = true,
            other => return Err(format!("{other} is not an option")),
        }
    }
    if options.dir.as_os_str().is_empty() {
        return Err("--dir is missing".into());
    }
    if options.symbols.is_empty() {
        options.symbols.push("BNBUSDT".into());
    }
    Ok(Some(options))
}

fn exchange(name: &str) -> Result<Exchange, String> {
    match name {
        "binance" => Ok(Exchange::Binance),
        "binance-combined" => Ok(Exchange::BinanceCombined),
        "coinbase-matches" => Ok(Exchange::CoinbaseMatches),
        "coinbase-trades" => Ok(Exchange::CoinbaseTrades),
        "kraken" => Ok(Exchange::Kraken),
        other => Err(format!("{other} is not an exchange that is known here")),
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("{text} is not a number that fits"))
}

fn positive(text: &str) -> Result<f64, String> {
    match number(text)? {
        found if found > 0.0 => Ok(found),
        _ => Err(format!("{text} is not above zero")),
    }
}

fn run(options: Options) -> io::Result<()> {
    fs::create_dir_all(&options.dir)?;
    let dir = fs::canonicalize(&options.dir)?;
    let truth = dir.join("truth.ndjson");
    let feed = Feed::start(Settings {
        sessions: vec![Session::new(steps(&options))],
        repeats: true,
        seed: options.seed,
        port: options.port,
        tls: options.is_tls.then_some(Kind::Trusted),
        file: Some(truth.clone()),
        forgets: true,
    })?;
    fs::write(dir.join("ca.pem"), feed.ca_pem())?;
    let lines = format!(
        "export TESTBED_FEED={}\nexport TESTBED_FEED_TRUTH={}\nexport TESTBED_FEED_CA={}\n",
        feed.uri(""),
        truth.display(),
        dir.join("ca.pem").display(),
    );
    // Renamed into place, so that whoever waits for the file finds it whole.
    fs::write(dir.join("env.new"), &lines)?;
    fs::rename(dir.join("env.new"), dir.join("env"))?;
    let mut out = io::stdout();
    out.write_all(lines.as_bytes())?;
    out.flush()?;
    if options.forever {
        loop {
            thread::park();
        }
    }
    io::copy(&mut io::stdin().take(u64::MAX), &mut io::sink())?;
    Ok(())
}

fn steps(options: &Options) -> Vec<Step> {
    let messages = options
        .cut_every
        .map_or(1e18, |seconds| (seconds * options.per_second).max(1.0));
    let traffic = Traffic {
        exchange: options.exchange,
        symbols: options.symbols.clone(),
        // A float that large is cut to the largest integer, which is as good as endless.
        messages: messages as u64,
        per_second: Some(options.per_second),
        is_bursty: options.is_bursty,
        pace: Pace::Real,
        disorder: options.disorder,
    };
    let missed = options.per_second.ceil() as u64;
    let opening = match options.exchange {
        Exchange::Binance | Exchange::BinanceCombined => vec![Step::PingEvery(20_000)],
        // A client that has not subscribed within five seconds is sent away.
        Exchange::CoinbaseMatches | Exchange::CoinbaseTrades | Exchange::Kraken => vec![
            Step::Await(Want::Message, 5000),
            Step::Text(options.exchange.acknowledgement(&options.symbols[0])),
        ],
    };
    let trading = [
        Step::Text(options.exchange.noise(now_us())),
        Step::Deal(traffic),
        Step::Miss(missed),
        Step::Close(Some(1001), "24 hours are over".into()),
    ];
    [opening, trading.to_vec()].concat()
}
