//! `fuzz [SECONDS [SEED]]`: replays the corpus through every target, then mutates it for so long (10 in all), the same way
//! for the same seed. A panic shows the bytes, which belong into the corpus then.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use fuzz::{TARGETS, Target};

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let seconds = words
        .next()
        .and_then(|word| word.parse().ok())
        .unwrap_or(10.0);
    let seed = words.next().and_then(|word| word.parse().ok()).unwrap_or(1);
    let share = Duration::from_secs_f64(seconds / TARGETS.len() as f64);
    let failed = TARGETS
        .iter()
        .filter(|(name, target)| !holds(name, *target, share, seed))
        .count();
    ExitCode::from(u8::from(failed > 0))
}

/// Whether the target holds for its corpus and for what is made of it.
fn holds(name: &str, target: Target, time: Duration, seed: u64) -> bool {
    let corpus = corpus(name);
    let (mut random, mut tried) = (Random(seed), 0_u64);
    let mut fails = |bytes: &[u8]| {
        tried += 1;
        let failed = catch_unwind(|| target(bytes)).is_err();
        if failed {
            println!("{name} fails for {:?}", String::from_utf8_lossy(bytes));
            println!("as bytes: {bytes:?}");
        }
        failed
    };
    let began = Instant::now();
    let mut failed = corpus.iter().any(|bytes| fails(bytes));
    while !failed && began.elapsed() < time {
        failed = fails(&random.mutated(&corpus));
    }
    println!(
        "{name}: {} of the corpus, {tried} in all, {}",
        corpus.len(),
        if failed { "FAILED" } else { "ok" }
    );
    !failed
}

/// A file an input; in a `.txt`, a line an input.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(name);
    let mut paths: Vec<_> = fs::read_dir(&place)
        .expect("a corpus")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    let mut all = Vec::new();
    for path in paths {
        let bytes = fs::read(&path).expect("a file of the corpus");
        match path.extension().is_some_and(|extension| extension == "txt") {
            true => all.extend(
                bytes
                    .split(|&byte| byte == b'\n')
                    .filter(|line| !line.is_empty())
                    .map(<[u8]>::to_vec),
            ),
            false => all.push(bytes),
        }
    }
    assert!(!all.is_empty(), "an empty corpus for {name}");
    all
}

/// A small generator: the same everywhere for one seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next()).expect("31 bits") % most.max(1)
    }

    /// One of the corpus, with a few stretches changed, moved, or replaced by those of another.
    fn mutated(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        const ODD: &[&[u8]] = &[
            b"\"",
            b"'",
            b"\\",
            b"\n",
            b"\r\n",
            b",",
            b"(",
            b")",
            b"{",
            b"}",
            b"[",
            b"]",
            b"\0",
            b"\xff",
            b"\xef\xbb\xbf",
            b"\\u0000",
            b"\\ud834",
            b"9223372036854775808",
            b"1e400",
            b"-",
            b"\"\"",
            b"NULL",
            b"AS",
            b"%",
        ];
        let mut bytes = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            let end = (at + self.below(6)).min(bytes.len());
            match self.below(6) {
                0 => drop(bytes.drain(at..end)),
                1 => drop(bytes.splice(at..at, ODD[self.below(ODD.len())].iter().copied())),
                2 => drop(bytes.splice(at..end, [u8::try_from(self.below(256)).expect("a byte")])),
                3 => {
                    let stretch = bytes[at..end].to_vec();
                    let to = self.below(bytes.len() + 1);
                    drop(bytes.splice(to..to, stretch));
                }
                _ => {
                    let other = &corpus[self.below(corpus.len())];
                    let from = self.below(other.len() + 1);
                    let until = (from + self.below(24)).min(other.len());
                    let until_here = (at + self.below(24)).min(bytes.len());
                    drop(bytes.splice(at..until_here, other[from..until].iter().copied()));
                }
            }
        }
        bytes.truncate(4_096);
        bytes
    }
}
