//! The table of groups: from key values to a group's number. Keys are hashed and compared a column at a time; only
//! rows whose first candidate is not their group are looked at one by one.
//!
//! The hash is fixed, so that a run can be repeated; nothing in the output depends on it.

use std::hint::select_unpredictable;
use std::sync::Arc;

use super::cells::Cells;
use crate::budget::{Budget, Charged, Exceeded};
use crate::value::Type;
use crate::value::vector::{Data, Vector};

/// No group: an empty slot, or a row whose group is not known yet. No table comes near it: its slots alone would be
/// 64 GiB, and the budget ends before.
const NONE: u32 = u32::MAX;

/// The groups met so far, numbered in the order in which they were met.
#[derive(Debug)]
pub(super) struct Table {
    /// One column a key, one cell a group.
    pub(super) keys: Vec<Cells>,
    groups: u32,
    /// Open addressing with linear steps. Invariant: a power of two in number, at least half of them empty.
    slots: Charged<Slot>,
    /// Room for the hashes of one batch.
    hashes: Vec<u64>,
    same: Vec<bool>,
}

/// One place of the table: a part of the group's hash, which rules out nearly all others, and its number.
#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u32,
    group: u32,
}

const EMPTY: Slot = Slot {
    hash: 0,
    group: NONE,
};

impl Table {
    pub(super) fn new(types: impl IntoIterator<Item = Type>, budget: &Arc<Budget>) -> Self {
        Self {
            keys: types
                .into_iter()
                .map(|ty| Cells::new(ty.physical(), budget))
                .collect(),
            groups: 0,
            slots: Charged::new(budget),
            hashes: Vec::new(),
            same: Vec::new(),
        }
    }

    /// Number of groups.
    pub(super) fn len(&self) -> u32 {
        self.groups
    }

    /// The one group of a query without keys exists, rows or not.
    pub(super) fn ensure_one(&mut self) {
        self.groups = self.groups.max(1);
    }

    /// The group of each row, by its key values in `keys`; new ones are added. Without keys, all are of one group.
    ///
    /// The caller has made -0.0 of DOUBLE keys 0.0.
    pub(super) fn find(
        &mut self,
        keys: &[&Vector],
        rows: usize,
        found: &mut Vec<u32>,
    ) -> Result<(), Exceeded> {
        found.clear();
        if self.keys.is_empty() {
            self.groups = u32::from(rows > 0).max(self.groups);
            found.resize(rows, 0);
            return Ok(());
        }
        let mut hashes = std::mem::take(&mut self.hashes);
        hash::rows(keys, rows, &mut hashes);
        self.candidates(&hashes, found);
        let mut same = std::mem::take(&mut self.same);
        same.clear();
        same.resize(rows, true);
        for (cells, vector) in self.keys.iter().zip(keys) {
            cells.compare_rows(found, vector, &mut same);
        }
        for (row, ((group, &same), &hash)) in found.iter_mut().zip(&same).zip(&hashes).enumerate() {
            if !same {
                *group = self.find_one(keys, row, hash::short(hash))?;
            }
        }
        self.hashes = hashes;
        self.same = same;
        Ok(())
    }

    /// For each row the group with its hash in one of the first four places, where nearly all are; [`NONE`] where none
    /// has it. Without a branch: which of them it is, no processor can foretell.
    fn candidates(&self, hashes: &[u64], found: &mut Vec<u32>) {
        let slots: &[Slot] = &self.slots;
        let mask = slots.len().wrapping_sub(1);
        let slot = |place: usize| slots.get(place & mask).copied().unwrap_or(EMPTY);
        found.extend(hashes.iter().map(|&hash| {
            let hash = hash::short(hash);
            (0..4).rev().fold(NONE, |found, step| {
                let slot = slot(hash as usize + step);
                select_unpredictable(slot.hash == hash, slot.group, found)
            })
        }));
    }

    /// The full slots from the place of `hash` on, up to the first empty one.
    fn probe(&self, hash: u32) -> impl Iterator<Item = Slot> {
        let slots: &[Slot] = &self.slots;
        let mask = slots.len().wrapping_sub(1);
        let mut place = hash as usize;
        std::iter::from_fn(move || {
            let slot = slots.get(place & mask).filter(|slot| slot.group != NONE)?;
            place = place.wrapping_add(1);
            Some(*slot)
        })
    }

    /// The group of one row, added where there is none.
    fn find_one(&mut self, keys: &[&Vector], row: usize, hash: u32) -> Result<u32, Exceeded> {
        let known = self.probe(hash).find(|slot| {
            slot.hash == hash
                && self
                    .keys
                    .iter()
                    .zip(keys)
                    .all(|(cells, vector)| cells.equals(slot.group, vector, row))
        });
        if let Some(slot) = known {
            return Ok(slot.group);
        }
        let group = self.groups;
        self.make_room()?;
        for (cells, vector) in self.keys.iter_mut().zip(keys) {
            cells.grow(group as usize + 1)?;
            cells.set(group, vector, row)?;
        }
        place(&mut self.slots, Slot { hash, group });
        self.groups += 1;
        Ok(group)
    }

    /// Doubles the slots where one more group would leave less than at least half of them empty.
    fn make_room(&mut self) -> Result<(), Exceeded> {
        const FIRST: usize = 64;
        if (self.groups as usize + 1) * 2 <= self.slots.len() {
            return Ok(());
        }
        let mut slots = Charged::new(self.slots.budget());
        slots.grow((self.slots.len() * 2).max(FIRST), EMPTY)?;
        for &slot in self.slots.iter().filter(|slot| slot.group != NONE) {
            place(&mut slots, slot);
        }
        self.slots = slots;
        Ok(())
    }
}

/// Puts `slot` into the first empty place from that of its hash on.
fn place(slots: &mut [Slot], slot: Slot) {
    let mask = slots.len().wrapping_sub(1);
    let mut at = slot.hash as usize;
    while let Some(taken) = slots.get_mut(at & mask) {
        if taken.group == NONE {
            *taken = slot;
            return;
        }
        at = at.wrapping_add(1);
    }
}

mod hash {
    //! Folded multiplication, as in wyhash: 64 by 64 bits, both halves of the product xored. Every bit of the value
    //! reaches every bit of the result.

    use super::{Data, Vector};

    const START: u64 = 0x243f_6a88_85a3_08d3;
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    const LENGTH: u64 = 0x1656_67b1_9e37_79f9;
    const NULL: u64 = 0xc2b2_ae3d_27d4_eb4f;

    /// The part that a slot holds. The upper bits of its 32 decide last where a table is large.
    #[expect(clippy::cast_possible_truncation, reason = "both halves are taken")]
    pub(super) fn short(hash: u64) -> u32 {
        (hash >> 32) as u32 ^ hash as u32
    }

    /// A hash of each row's values.
    pub(super) fn rows(keys: &[&Vector], rows: usize, hashes: &mut Vec<u64>) {
        hashes.clear();
        hashes.resize(rows, START);
        for key in keys {
            match &key.data {
                Data::Boolean(values) => column(hashes, key, values.iter().map(|&v| u64::from(v))),
                Data::Int(values) => column(hashes, key, values.iter().map(|v| v.cast_unsigned())),
                Data::Double(values) => column(hashes, key, values.iter().map(|v| v.to_bits())),
                Data::Wide(values) => column(hashes, key, values.iter().map(|&v| wide(v))),
                Data::Text(texts) => {
                    let words = texts.heads().enumerate().map(|(row, (head, length))| {
                        let start = head ^ (length as u64).wrapping_mul(LENGTH);
                        if length <= 8 {
                            start
                        } else {
                            start ^ rest(texts.bytes(row))
                        }
                    });
                    column(hashes, key, words);
                }
            }
        }
    }

    fn column(hashes: &mut [u64], key: &Vector, words: impl Iterator<Item = u64>) {
        match key.valid.flags() {
            None => {
                for (hash, word) in hashes.iter_mut().zip(words) {
                    *hash = mix(*hash ^ word);
                }
            }
            Some(flags) => {
                for ((hash, word), &valid) in hashes.iter_mut().zip(words).zip(flags) {
                    *hash = mix(*hash ^ if valid { word } else { NULL });
                }
            }
        }
    }

    fn mix(word: u64) -> u64 {
        fold(u128::from(word ^ FACTOR) * u128::from(FACTOR))
    }

    #[expect(clippy::cast_possible_truncation, reason = "both halves are taken")]
    fn fold(product: u128) -> u64 {
        (product >> 64) as u64 ^ product as u64
    }

    #[expect(clippy::cast_possible_truncation, reason = "both halves are taken")]
    fn wide(value: i128) -> u64 {
        let bits = value.cast_unsigned();
        mix((bits >> 64) as u64) ^ bits as u64
    }

    /// Of what comes after the first eight bytes; the last eight may be taken into account twice.
    fn rest(text: &[u8]) -> u64 {
        let (words, _) = text.as_chunks::<8>();
        let last = text.last_chunk::<8>().into_iter();
        words
            .iter()
            .skip(1)
            .chain(last)
            .fold(FACTOR, |hash, word| mix(hash ^ u64::from_le_bytes(*word)))
    }
}
