//! SEQUENCE: which numbers of each key were seen (SPEC 3 and 6). What is known is bounded: of each key the ends of what was
//! seen and a number of gaps. A gap that had to be forgotten is told as one, and what still falls into it is `unchecked`,
//! never lost.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::coverage::Gap;
use crate::budget::{Budget, Charge, Exceeded};
use crate::limits::{LEDGER_GAPS, LEDGER_REPEATS};
use crate::message::Head;
use crate::query::plan::Per;

/// What all keys have seen.
#[derive(Debug)]
pub(super) struct Ledger {
    per: Per,
    /// By connection (0 where numbers go on over all of them), and key.
    tracks: BTreeMap<u32, Tracks>,
    /// The last connection of each feed, where numbers start anew with each.
    connections: BTreeMap<u32, u32>,
    budget: Arc<Budget>,
    /// Gaps that are settled, to be told.
    gaps: Vec<Gap>,
}

/// What the keys of one connection have seen.
#[derive(Debug, Default)]
struct Tracks {
    keys: BTreeMap<Box<[u8]>, Track>,
    /// The key NULL, which is one like any other.
    null: Option<Track>,
}

/// What a number is to its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// The next, or the first.
    Next,
    /// Further on: those between are missing so far.
    Jump,
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
    first: i64,
    highest: i64,
    /// Event time of the record that had it.
    highest_us: i64,
    /// What is missing between the two, rising.
    gaps: Vec<Missing>,
    /// Gaps up to here were forgotten.
    forgotten_to: Option<i64>,
    /// Duplicates in a row.
    repeats: u32,
    charge: Charge,
}

/// Numbers that are missing, and the event times of the records around them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Missing {
    from: i64,
    to: i64,
    after_us: i64,
    before_us: i64,
}

impl Ledger {
    pub(super) fn new(per: Per, budget: &Arc<Budget>) -> Self {
        Self {
            per,
            tracks: BTreeMap::new(),
            connections: BTreeMap::new(),
            budget: Arc::clone(budget),
            gaps: Vec::new(),
        }
    }

    /// Takes `number` of `key`, which came with the message `head` in a record of this event time.
    pub(super) fn see(
        &mut self,
        head: Head,
        key: Option<&[u8]>,
        number: i64,
        event_us: i64,
    ) -> Result<Seen, Exceeded> {
        let connection = match self.per {
            Per::Run => 0,
            Per::Connection => {
                self.arrive(head);
                head.connection
            }
        };
        let tracks = self.tracks.entry(connection).or_default();
        let known = match key {
            Some(key) => tracks.keys.get_mut(key),
            None => tracks.null.as_mut(),
        };
        if let Some(track) = known {
            let (seen, forgotten) = track.see(number, event_us)?;
            if let Some(gap) = forgotten {
                self.gaps.push(told(self.per, connection, key, gap));
            }
            return Ok(seen);
        }
        let mut charge = Charge::new(&self.budget);
        charge.add(key.map_or(0, <[u8]>::len) + ENTRY_BYTES)?;
        let track = Track::new(number, event_us, charge);
        match key {
            Some(key) => drop(tracks.keys.insert(key.into(), track)),
            None => tracks.null = Some(track),
        }
        Ok(Seen::Next)
    }

    /// The gaps that were settled since they were last taken.
    pub(super) fn take_gaps(&mut self) -> Vec<Gap> {
        std::mem::take(&mut self.gaps)
    }

    /// All that is missing by now and was not told, by connection and key.
    pub(super) fn open_gaps(&self) -> impl Iterator<Item = Gap> {
        let all = self.tracks.iter();
        all.flat_map(|(&connection, tracks)| tracks.gaps(self.per, connection))
    }

    /// Another connection of the feed settles what the one before saw.
    fn arrive(&mut self, head: Head) {
        match self.connections.insert(head.feed, head.connection) {
            Some(before) if before != head.connection => self.settle(before),
            Some(_) | None => {}
        }
    }

    /// No more numbers of this connection come.
    fn settle(&mut self, connection: u32) {
        if let Some(tracks) = self.tracks.remove(&connection) {
            self.gaps.extend(tracks.gaps(self.per, connection));
        }
    }
}

impl Tracks {
    /// What is missing, the key NULL first.
    fn gaps(&self, per: Per, connection: u32) -> impl Iterator<Item = Gap> {
        let null = self.null.iter().map(|track| (None, track));
        let keys = self.keys.iter().map(|(key, track)| (Some(&**key), track));
        null.chain(keys).flat_map(move |(key, track)| {
            let gaps = track.gaps.iter();
            gaps.map(move |gap| told(per, connection, key, *gap))
        })
    }
}

fn told(per: Per, connection: u32, key: Option<&[u8]>, missing: Missing) -> Gap {
    let Missing {
        from,
        to,
        after_us,
        before_us,
    } = missing;
    Gap::Sequence {
        key: key.map(|key| String::from_utf8_lossy(key).into_owned()),
        connection: match per {
            Per::Run => None,
            Per::Connection => Some(connection),
        },
        from,
        to,
        after_us,
        before_us,
    }
}

/// What an entry of the map takes besides its key; it may be half empty.
const ENTRY_BYTES: usize = 2 * (size_of::<Track>() + size_of::<Box<[u8]>>());
/// Gaps that a key has room for at first.
const FIRST_GAPS: usize = 4;

impl Track {
    fn new(number: i64, event_us: i64, charge: Charge) -> Self {
        Self {
            first: number,
            highest: number,
            highest_us: event_us,
            gaps: Vec::new(),
            forgotten_to: None,
            repeats: 0,
            charge,
        }
    }

    /// What `number` is, and the gap that was forgotten for it.
    fn see(&mut self, number: i64, event_us: i64) -> Result<(Seen, Option<Missing>), Exceeded> {
        let seen = self.place(number, event_us)?;
        self.repeats = match seen {
            Seen::Duplicate => self.repeats + 1,
            Seen::Next | Seen::Jump | Seen::Fills | Seen::Unchecked | Seen::Restarted => 0,
        };
        if self.repeats > LEDGER_REPEATS {
            return Ok((Seen::Restarted, None));
        }
        Ok((seen, self.forget()))
    }

    fn place(&mut self, number: i64, event_us: i64) -> Result<Seen, Exceeded> {
        if number > self.highest {
            // Nothing is above the highest of all, so that neither sum nor difference can overflow.
            let next = self.highest + 1;
            if number > next {
                self.make_room()?;
                self.gaps.push(Missing {
                    from: next,
                    to: number - 1,
                    after_us: self.highest_us,
                    before_us: event_us,
                });
            }
            (self.highest, self.highest_us) = (number, event_us);
            return Ok(match number == next {
                true => Seen::Next,
                false => Seen::Jump,
            });
        }
        if number < self.first || self.forgotten_to.is_some_and(|to| number <= to) {
            return Ok(Seen::Unchecked);
        }
        let place = self.gaps.partition_point(|gap| gap.to < number);
        match self.gaps.get(place).copied() {
            Some(gap) if gap.from <= number => {
                self.make_room()?;
                // A gap is neither at the first nor at the last number of all.
                let before = (gap.from < number).then(|| Missing {
                    to: number - 1,
                    before_us: event_us,
                    ..gap
                });
                let after = (number < gap.to).then(|| Missing {
                    from: number + 1,
                    after_us: event_us,
                    ..gap
                });
                self.gaps
                    .splice(place..=place, before.into_iter().chain(after));
                Ok(Seen::Fills)
            }
            Some(_) | None => Ok(Seen::Duplicate),
        }
    }

    /// Room for one gap more, charged before it is taken.
    fn make_room(&mut self) -> Result<(), Exceeded> {
        let room = self.gaps.capacity();
        if self.gaps.len() == room {
            let more = room.max(FIRST_GAPS);
            self.charge.add(more * size_of::<Missing>())?;
            self.gaps.reserve_exact(more);
        }
        Ok(())
    }

    /// The oldest gap, forgotten where there are too many.
    fn forget(&mut self) -> Option<Missing> {
        if self.gaps.len() <= LEDGER_GAPS {
            return None;
        }
        let oldest = self.gaps.remove(0);
        self.forgotten_to = Some(oldest.to);
        Some(oldest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger() -> Ledger {
        Ledger::new(Per::Run, &Arc::new(Budget::new(u64::MAX)))
    }

    fn head(feed: u32, connection: u32) -> Head {
        Head {
            n: 1,
            received_at_us: 0,
            feed,
            connection,
        }
    }

    /// First and last number of each gap.
    fn ends_of(gaps: &[Gap]) -> Vec<(i64, i64)> {
        let ends = |gap: &Gap| match gap {
            Gap::Sequence { from, to, .. } => (*from, *to),
            Gap::Disconnect { .. } => panic!("no gap in a sequence"),
        };
        gaps.iter().map(ends).collect()
    }

    /// One letter a number.
    fn seen(numbers: impl IntoIterator<Item = i64>) -> (String, Vec<(i64, i64)>) {
        let mut ledger = ledger();
        let letters = numbers
            .into_iter()
            .map(
                |number| match ledger.see(head(0, 0), Some(b"k"), number, number).unwrap() {
                    Seen::Next => 'n',
                    Seen::Jump => 'j',
                    Seen::Fills => 'f',
                    Seen::Unchecked => 'u',
                    Seen::Duplicate => 'd',
                    Seen::Restarted => 'R',
                },
            )
            .collect();
        let mut gaps = ledger.take_gaps();
        gaps.extend(ledger.open_gaps());
        (letters, ends_of(&gaps))
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
        // The forgotten one is told all the same.
        assert_eq!(missing.len(), LEDGER_GAPS);
        assert_eq!(missing[..2], [(1, 1), (5, 5)]);
    }

    #[test]
    fn f094_numbers_start_anew_with_a_connection_where_they_are_said_to() {
        let budget = Arc::new(Budget::new(u64::MAX));
        let mut ledger = Ledger::new(Per::Connection, &budget);
        let mut see = |feed, connection, number| {
            let seen = ledger.see(head(feed, connection), Some(b"k"), number, number * 10);
            seen.unwrap()
        };
        assert_eq!(see(0, 0, 5), Seen::Next);
        assert_eq!(see(0, 0, 8), Seen::Jump);
        // Another feed with the same key, at the same time: each has its own.
        assert_eq!(see(1, 1, 8), Seen::Next);
        assert_eq!(see(0, 0, 8), Seen::Duplicate);
        assert_eq!(see(1, 1, 8), Seen::Duplicate);
        let used_bytes = budget.used_bytes();
        assert_eq!(see(0, 2, 1), Seen::Next);
        assert_eq!(see(0, 2, 1), Seen::Duplicate);
        assert!(
            budget.used_bytes() <= used_bytes,
            "what ended is given back"
        );
        let gap = |connection, from, to| Gap::Sequence {
            key: Some("k".to_owned()),
            connection: Some(connection),
            from,
            to,
            after_us: (from - 1) * 10,
            before_us: (to + 1) * 10,
        };
        assert_eq!(ledger.take_gaps(), [gap(0, 6, 7)]);
        ledger.see(head(0, 2), Some(b"k"), 3, 30).unwrap();
        ledger.see(head(1, 1), Some(b"k"), 10, 100).unwrap();
        let open: Vec<Gap> = ledger.open_gaps().collect();
        assert_eq!(open, [gap(1, 9, 9), gap(2, 2, 2)]);
    }

    #[test]
    fn a_gap_lies_between_the_records_around_it() {
        let mut ledger = ledger();
        let mut see = |number, event_us| ledger.see(head(0, 0), Some(b"k"), number, event_us);
        see(1, 10).unwrap();
        see(9, 90).unwrap();
        // 4 and 7 come late: neither is the newest number.
        see(4, 41).unwrap();
        see(7, 79).unwrap();
        see(12, 80).unwrap();
        let around = |gap: Gap| match gap {
            Gap::Sequence {
                from,
                to,
                after_us,
                before_us,
                ..
            } => (from, to, after_us, before_us),
            Gap::Disconnect { .. } => panic!("no gap in a sequence"),
        };
        let found: Vec<_> = ledger.open_gaps().map(around).collect();
        let want = [
            (2, 3, 10, 41),
            (5, 6, 41, 79),
            (8, 8, 79, 90),
            (10, 11, 90, 80),
        ];
        assert_eq!(found, want);
    }

    #[test]
    fn the_key_null_is_a_key_of_its_own() {
        let mut ledger = ledger();
        let mut see = |key, number| ledger.see(head(0, 0), key, number, number).unwrap();
        assert_eq!(see(None, 5), Seen::Next);
        assert_eq!(see(Some(b""), 5), Seen::Next);
        assert_eq!(see(None, 5), Seen::Duplicate);
        assert_eq!(see(None, 7), Seen::Jump);
        let gap = Gap::Sequence {
            key: None,
            connection: None,
            from: 6,
            to: 6,
            after_us: 5,
            before_us: 7,
        };
        assert_eq!(ledger.open_gaps().collect::<Vec<_>>(), [gap]);
    }

    #[test]
    fn keys_and_gaps_are_charged() {
        let budget = Arc::new(Budget::new(10_000));
        let mut ledger = Ledger::new(Per::Run, &budget);
        let mut see = |key: u32, number| {
            let key = key.to_be_bytes();
            ledger.see(head(0, 0), Some(&key), number, 0).is_err()
        };
        let full = (0_u32..).find(|&key| see(key, 1));
        assert!(full.is_some_and(|keys| keys > 20), "{full:?}");
        let full = (1..).find(|&jump| see(0, jump * 2));
        assert!(full.is_some_and(|jumps| jumps < 50), "{full:?}");
        drop(ledger);
        assert_eq!(budget.used_bytes(), 0);
    }
}
