//! SEQUENCE: which numbers of each key were seen (SPEC 3 and 6). What is known is bounded: of each key the ends of what was
//! seen and a number of gaps; a gap that had to be forgotten makes what falls into it `unchecked`, never lost.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::budget::{Budget, Charge, Exceeded};
use crate::limits::{LEDGER_GAPS, LEDGER_REPEATS};

/// What all keys have seen.
#[derive(Debug)]
pub(super) struct Ledger {
    tracks: BTreeMap<Box<[u8]>, Track>,
    charge: Charge,
    /// Gaps of keys that are no longer kept.
    closed: Vec<Missing>,
}

/// Numbers that one key never had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The key, as text.
    pub key: String,
    /// The first number that is missing.
    pub from: i64,
    /// The last.
    pub to: i64,
}

/// What a number is to its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// The next, or the first.
    Next,
    /// Further on: these are missing so far.
    Jump { from: i64, to: i64 },
    /// One that was missing.
    Fills,
    /// One that nobody can say of whether it was seen.
    Unchecked,
    /// One that was seen.
    Duplicate,
    /// One too many that was seen: the sequence started again.
    Restarted,
}

/// What one key has seen.
#[derive(Debug)]
struct Track {
    /// The connection that its numbers are of, where they start anew with each.
    connection: Option<u32>,
    first: i64,
    highest: i64,
    /// What is missing between the two, rising: first and last number of each gap.
    gaps: Vec<(i64, i64)>,
    /// Gaps up to here were forgotten.
    forgotten_to: Option<i64>,
    /// Duplicates in a row.
    repeats: u32,
}

impl Ledger {
    pub(super) fn new(budget: &Arc<Budget>) -> Self {
        Self {
            tracks: BTreeMap::new(),
            charge: Charge::new(budget),
            closed: Vec::new(),
        }
    }

    /// Takes `number` of `key`; `connection` where numbers start anew with each.
    pub(super) fn see(
        &mut self,
        key: &[u8],
        connection: Option<u32>,
        number: i64,
    ) -> Result<Seen, Exceeded> {
        if let Some(track) = self.tracks.get_mut(key) {
            if track.connection == connection {
                return track.see(number, &mut self.charge);
            }
            self.closed.extend(track.missing(key));
            *track = Track::new(connection, number);
            return Ok(Seen::Next);
        }
        self.charge.add(key.len() + ENTRY_BYTES)?;
        self.tracks
            .insert(key.into(), Track::new(connection, number));
        Ok(Seen::Next)
    }

    /// All that is missing in the end, by key.
    pub(super) fn into_missing(self) -> Vec<Missing> {
        let open = self.tracks.iter();
        let open = open.flat_map(|(key, track)| track.missing(key));
        let mut all: Vec<Missing> = self.closed.into_iter().chain(open).collect();
        all.sort_unstable_by(|a, b| (&a.key, a.from).cmp(&(&b.key, b.from)));
        all
    }
}

/// What an entry of the map takes besides its key.
const ENTRY_BYTES: usize = size_of::<Track>() + size_of::<Box<[u8]>>() + 32;

impl Track {
    fn new(connection: Option<u32>, number: i64) -> Self {
        Self {
            connection,
            first: number,
            highest: number,
            gaps: Vec::new(),
            forgotten_to: None,
            repeats: 0,
        }
    }

    fn see(&mut self, number: i64, charge: &mut Charge) -> Result<Seen, Exceeded> {
        let seen = self.place(number, charge)?;
        self.repeats = match seen {
            Seen::Duplicate => self.repeats.saturating_add(1),
            Seen::Next | Seen::Jump { .. } | Seen::Fills | Seen::Unchecked | Seen::Restarted => 0,
        };
        Ok(match self.repeats > LEDGER_REPEATS {
            true => Seen::Restarted,
            false => seen,
        })
    }

    fn place(&mut self, number: i64, charge: &mut Charge) -> Result<Seen, Exceeded> {
        if number > self.highest {
            let from = self.highest.saturating_add(1);
            self.highest = number;
            if number == from {
                return Ok(Seen::Next);
            }
            let to = number.saturating_sub(1);
            self.remember(from, to, charge)?;
            return Ok(Seen::Jump { from, to });
        }
        if number < self.first || self.forgotten_to.is_some_and(|to| number <= to) {
            return Ok(Seen::Unchecked);
        }
        let place = self.gaps.partition_point(|&(_, to)| to < number);
        match self.gaps.get(place).copied() {
            Some((from, to)) if from <= number => {
                self.fill(place, (from, to), number, charge)?;
                Ok(Seen::Fills)
            }
            Some(_) | None => Ok(Seen::Duplicate),
        }
    }

    /// Takes `number` out of a gap.
    fn fill(
        &mut self,
        place: usize,
        (from, to): (i64, i64),
        number: i64,
        charge: &mut Charge,
    ) -> Result<(), Exceeded> {
        let before = (from < number).then(|| (from, number.saturating_sub(1)));
        let after = (number < to).then(|| (number.saturating_add(1), to));
        let left = before.into_iter().chain(after);
        self.gaps.splice(place..=place, left);
        self.bound(charge)
    }

    fn remember(&mut self, from: i64, to: i64, charge: &mut Charge) -> Result<(), Exceeded> {
        self.gaps.push((from, to));
        self.bound(charge)
    }

    /// Forgets the oldest gap where there are too many; charges what the gaps take the first time they take it.
    fn bound(&mut self, charge: &mut Charge) -> Result<(), Exceeded> {
        if self.gaps.len() > LEDGER_GAPS {
            let (_, to) = self.gaps.remove(0);
            self.forgotten_to = Some(to);
        }
        if self.gaps.len() == 1 && self.gaps.capacity() < LEDGER_GAPS {
            charge.add((LEDGER_GAPS + 2) * size_of::<(i64, i64)>())?;
            self.gaps.reserve_exact(LEDGER_GAPS + 1);
        }
        Ok(())
    }

    fn missing<'a>(&'a self, key: &'a [u8]) -> impl Iterator<Item = Missing> + 'a {
        self.gaps.iter().map(move |&(from, to)| Missing {
            key: String::from_utf8_lossy(key).into_owned(),
            from,
            to,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger() -> Ledger {
        Ledger::new(&Arc::new(Budget::new(u64::MAX)))
    }

    /// One letter a number.
    fn seen(numbers: impl IntoIterator<Item = i64>) -> (String, Vec<(i64, i64)>) {
        let mut ledger = ledger();
        let letters = numbers
            .into_iter()
            .map(|number| match ledger.see(b"k", None, number).unwrap() {
                Seen::Next => 'n',
                Seen::Jump { .. } => 'j',
                Seen::Fills => 'f',
                Seen::Unchecked => 'u',
                Seen::Duplicate => 'd',
                Seen::Restarted => 'R',
            })
            .collect();
        let missing = ledger.into_missing();
        (
            letters,
            missing.iter().map(|one| (one.from, one.to)).collect(),
        )
    }

    #[test]
    fn f094_duplicates_jumps_and_what_comes_late() {
        for (name, numbers, want, missing) in [
            ("in order", vec![5, 6, 7], "nnn", vec![]),
            ("twice", vec![5, 5, 6, 5], "ndnd", vec![]),
            ("below the first", vec![5, 4, 4], "nuu", vec![]),
            ("a jump", vec![1, 5], "nj", vec![(2, 4)]),
            (
                "filled in the middle",
                vec![1, 5, 3, 3],
                "njfd",
                vec![(2, 2), (4, 4)],
            ),
            ("filled at its ends", vec![1, 5, 2, 4], "njff", vec![(3, 3)]),
            ("filled whole", vec![1, 3, 2, 2], "njfd", vec![]),
            ("two jumps", vec![1, 3, 6, 5], "njjf", vec![(2, 2), (4, 4)]),
            ("extremes", vec![i64::MAX, i64::MAX], "nd", vec![]),
            (
                "from end to end",
                vec![i64::MIN, i64::MAX, 0],
                "njf",
                vec![(i64::MIN + 1, -1), (1, i64::MAX - 1)],
            ),
        ] {
            assert_eq!(seen(numbers), (want.to_owned(), missing), "{name}");
        }
    }

    #[test]
    fn f094_a_restart_ends_after_a_thousand_in_a_row() {
        let most = i64::from(LEDGER_REPEATS);
        let (letters, _) = seen((0..=most + 5).chain(0..=most));
        let repeats = &letters[usize::try_from(most + 6).unwrap()..];
        assert_eq!(repeats, format!("{}R", "d".repeat(1_000)));
        // One that is no duplicate in between starts the count again.
        let (letters, _) = seen((0..=most).chain(0..most).chain([most + 1]).chain(0..most));
        assert!(!letters.contains('R'));
    }

    #[test]
    fn a_gap_that_was_forgotten_makes_its_numbers_unchecked() {
        let gaps = i64::try_from(LEDGER_GAPS).unwrap();
        // Every second number: one gap more than is remembered.
        let jumps = (0..gaps + 2).map(|at| at * 2);
        let (letters, missing) = seen(jumps.chain([1, 0, 3]));
        assert!(letters.ends_with("uuf"), "{letters}");
        assert_eq!(missing.len(), LEDGER_GAPS - 1);
    }

    #[test]
    fn numbers_start_anew_with_a_connection_where_they_are_said_to() {
        let mut ledger = ledger();
        let mut see = |connection, number| ledger.see(b"k", Some(connection), number).unwrap();
        assert_eq!(see(0, 5), Seen::Next);
        assert_eq!(see(0, 8), Seen::Jump { from: 6, to: 7 });
        assert_eq!(see(1, 1), Seen::Next);
        assert_eq!(see(1, 1), Seen::Duplicate);
        let missing = ledger.into_missing();
        assert_eq!((missing[0].from, missing[0].to, missing.len()), (6, 7, 1));
    }

    #[test]
    fn keys_and_gaps_are_charged() {
        let budget = Arc::new(Budget::new(10_000));
        let mut ledger = Ledger::new(&budget);
        let full = (0_u32..).find(|key| ledger.see(&key.to_be_bytes(), None, 1).is_err());
        assert!(full.is_some_and(|keys| keys > 20), "{full:?}");
        drop(ledger);
        assert_eq!(budget.used_bytes(), 0);
    }
}
