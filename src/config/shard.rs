//! SHARD and SPLIT: which part of the input a run reads (SPEC 3). How the input is cut is `command::batch::span`'s business.

use std::fmt;

use super::given::{Given, number, quoted};
use super::problem::Fault;
use super::raw::Raw;
use super::variables as known;

/// Most shards of one input: their numbers have five digits in names, and so many tasks nobody starts at once.
pub const MOST_SHARDS: u64 = 10_000;

/// What engines that start many tasks of one kind number them by.
pub(super) const INDEXES: [&str; 2] = ["AWS_BATCH_JOB_ARRAY_INDEX", "JOB_COMPLETION_INDEX"];

/// Which part of the input is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 0. Invariant: below `count`.
    pub index: u32,
    /// How many there are.
    pub count: u32,
    /// Where the input may be cut.
    pub split: Split,
}

/// Where the input may be cut between shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Between objects.
    Objects,
    /// In big NDJSON objects also at line ends.
    Bytes,
}

impl Split {
    /// Its words, as SPLIT and documents write it.
    pub const WORDS: [&'static str; 2] = ["objects", "bytes"];

    /// The word.
    #[must_use]
    pub fn word(self) -> &'static str {
        let [objects, bytes] = Self::WORDS;
        match self {
            Self::Objects => objects,
            Self::Bytes => bytes,
        }
    }

    fn of(word: &str) -> Self {
        match word == Self::Bytes.word() {
            true => Self::Bytes,
            false => Self::Objects,
        }
    }
}

impl Shard {
    /// The directory of a shard below its run's: `shard-00003-of-00016`.
    #[must_use]
    pub fn directory(&self) -> String {
        format!("shard-{:05}-of-{:05}", self.index, self.count)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

/// SHARD and SPLIT, where SHARD is set; `None` where a problem says why there is no answer.
pub(super) fn read(given: &mut Given<'_>, raw: &Raw) -> Option<Option<Shard>> {
    if !given.is_set(&known::SHARD) {
        return Some(None);
    }
    let split = match given.is_set(&known::SPLIT) {
        false => Some(Split::Objects),
        true => given.word(&known::SPLIT).map(Split::of),
    };
    let place = given.parsed(&known::SHARD, |text| place(text, raw));
    let (index, count) = place?;
    Some(Some(Shard {
        index,
        count,
        split: split?,
    }))
}

/// Index and count of `i/n` or `env/n`.
fn place(text: &str, raw: &Raw) -> Result<(u32, u32), Fault> {
    let form = || known::SHARD.form.to_string();
    let fault = |advice: &str| Fault::new(form(), quoted(text), advice);
    let (index, count) = text.split_once('/').ok_or_else(|| fault(""))?;
    let count = number(count, 1, MOST_SHARDS).ok_or_else(|| fault("n says how many there are"))?;
    let last = count.saturating_sub(1);
    let index = match index {
        "env" => numbered(raw, last)?,
        _ => number(index, 0, last).ok_or_else(|| fault("i counts from 0 and is below n"))?,
    };
    match (u32::try_from(index), u32::try_from(count)) {
        (Ok(index), Ok(count)) => Ok((index, count)),
        _ => Err(fault("")),
    }
}

/// The number that the engine gave this task, of which exactly one must have.
fn numbered(raw: &Raw, last: u64) -> Result<u64, Fault> {
    let [batch, kubernetes] = INDEXES.map(|name| raw.setting(name).map(|value| (name, value)));
    let advice = "AWS Batch sets the one for an array job, Kubernetes the other for an Indexed Job";
    let (name, value) = match (batch, kubernetes) {
        (Some(_), Some(_)) => {
            let expected = format!("one of {}", INDEXES.join(" and "));
            return Err(Fault::new(expected, "both", advice));
        }
        (Some(found), None) | (None, Some(found)) => found,
        (None, None) => {
            let expected = format!("{} for `env`", INDEXES.join(" or "));
            return Err(Fault::new(expected, "neither", advice));
        }
    };
    let text = value.to_str().unwrap_or("\u{fffd}");
    number(text, 0, last).ok_or_else(|| {
        let expected = format!("{name} to be a number from 0 to {last}");
        Fault::new(expected, quoted(text), "n must be how many tasks there are")
    })
}
