//! `arg_min`, `arg_max`, `first` and `last`: which record's value is held depends on the records' order in the input,
//! never on the order in which they are seen (SPEC 5).

use std::cmp::Ordering;
use std::sync::Arc;

use super::aggregate::columns::{NotLoaded, fill, placed};
use super::aggregate::{Order, Rows, merge_each};
use super::cells::{Cells, TextCells, Values};
use super::extreme::Sought;
use crate::budget::{Budget, Charged, Exceeded};
use crate::value::vector::{Data, Vector};
use crate::value::{Position, Type};

/// No record: past every position, since INPUT lists at most 1,000,000 objects.
const NOWHERE: Position = Position {
    input: u32::MAX,
    offset: u64::MAX,
};

/// The value of the record with the smallest or largest key, of several the first in the input.
#[derive(Debug)]
pub(super) struct Choice {
    sought: Sought,
    keys: Cells,
    positions: Charged<Position>,
    pub(super) values: Cells,
    /// Rows of a batch that took the place of what their groups held.
    winners: Vec<(u32, u32)>,
}

impl Choice {
    pub(super) fn new(sought: Sought, value: Type, key: Type, budget: &Arc<Budget>) -> Self {
        Self {
            sought,
            keys: Cells::new(key.physical(), budget),
            positions: Charged::new(budget),
            values: Cells::new(value.physical(), budget),
            winners: Vec::new(),
        }
    }

    pub(super) fn grow(&mut self, groups: usize) -> Result<(), Exceeded> {
        self.keys.grow(groups)?;
        self.positions.grow(groups, NOWHERE)?;
        self.values.grow(groups)
    }

    /// Takes rows of which neither value nor key is NULL.
    pub(super) fn add(
        &mut self,
        rows: &Rows<'_>,
        values: &Vector,
        keys: &Vector,
    ) -> Result<(), Exceeded> {
        self.winners.clear();
        let Cells {
            values: cells,
            valid,
        } = &mut self.keys;
        let mut contest = Contest {
            sought: self.sought,
            seen: valid,
            positions: &mut self.positions,
            winners: &mut self.winners,
        };
        match (cells, &keys.data) {
            (Values::Boolean(cells), Data::Boolean(keys)) => contest.run(cells, rows, keys),
            (Values::Int(cells), Data::Int(keys)) => contest.run(cells, rows, keys),
            (Values::Wide(cells), Data::Wide(keys)) => contest.run(cells, rows, keys),
            (Values::Double(cells), Data::Double(keys)) => contest.run(cells, rows, keys),
            (Values::Text(cells), Data::Text(texts)) => {
                contest.run_texts(cells, rows, texts.iter())?;
            }
            _ => {}
        }
        self.values.set_rows(&self.winners, values)
    }

    pub(super) fn merge(
        &mut self,
        other: &Self,
        pairs: impl Iterator<Item = (u32, u32)>,
    ) -> Result<(), Exceeded> {
        let (held, others) = (&mut self.positions, &other.positions);
        merge_each(held, others, pairs, |(group, from), held, &position| {
            let ordering = other.keys.compare(from, &self.keys, group);
            let is_earlier = ordering.is_eq() && position < *held;
            if position == NOWHERE
                || (*held != NOWHERE && !self.sought.beats(ordering) && !is_earlier)
            {
                return Ok(());
            }
            *held = position;
            self.keys.copy(group, &other.keys, from)?;
            self.values.copy(group, &other.values, from)
        })
    }

    /// The states as columns: position, key and value.
    pub(super) fn columns(&self, groups: &[u32]) -> Vec<Vector> {
        let columns = [self.keys.gather(groups), self.values.gather(groups)];
        let positions = placed(held(&self.positions, groups));
        positions.into_iter().chain(columns).collect()
    }

    /// The states of such columns, in place of those that are here.
    pub(super) fn load(
        &mut self,
        positions: &[Option<Position>],
        keys: &Vector,
        values: &Vector,
    ) -> Result<(), NotLoaded> {
        let is_whole = |row: usize| (keys.valid.is_valid(row), values.valid.is_valid(row));
        let mut rows = positions.iter().enumerate();
        if rows.any(|(row, held)| is_whole(row) != (held.is_some(), held.is_some())) {
            return Err(NotLoaded::Malformed);
        }
        put(&mut self.positions, positions)?;
        fill(&mut self.keys, keys)?;
        fill(&mut self.values, values)
    }
}

/// The positions of `groups`; none where a group has no record.
fn held(positions: &[Position], groups: &[u32]) -> impl Iterator<Item = Option<Position>> {
    let held = groups.iter().map(|&group| positions.get(group as usize));
    held.map(|position| position.copied().filter(|&position| position != NOWHERE))
}

/// Puts positions in the place of those that are there, which are as many.
fn put(positions: &mut [Position], held: &[Option<Position>]) -> Result<(), NotLoaded> {
    if positions.len() != held.len() {
        return Err(NotLoaded::Malformed);
    }
    for (position, held) in positions.iter_mut().zip(held) {
        *position = held.unwrap_or(NOWHERE);
    }
    Ok(())
}

/// What all contests need, whatever the type of their keys.
struct Contest<'a> {
    sought: Sought,
    seen: &'a mut [bool],
    positions: &'a mut [Position],
    winners: &'a mut Vec<(u32, u32)>,
}

impl Contest<'_> {
    /// Notes the row as its group's winner where its key, which compares so with the one held, or its position wins.
    fn wins(
        &mut self,
        group: u32,
        row: u32,
        position: Position,
        compare: impl FnOnce() -> Ordering,
    ) -> bool {
        let (Some(seen), Some(held)) = (
            self.seen.get_mut(group as usize),
            self.positions.get_mut(group as usize),
        ) else {
            return false;
        };
        if *seen {
            let ordering = compare();
            let wins = self.sought.beats(ordering) || (ordering.is_eq() && position < *held);
            if !wins {
                return false;
            }
        }
        *seen = true;
        *held = position;
        self.winners.push((group, row));
        true
    }

    fn run<T: Copy + PartialOrd>(&mut self, cells: &mut [T], rows: &Rows<'_>, keys: &[T]) {
        for (((group, position), &key), row) in rows.positions().zip(keys).zip(0..) {
            let Some(cell) = cells.get_mut(group as usize) else {
                continue;
            };
            let held = *cell;
            // -0.0 equals 0.0, and there is no NaN.
            let compare = || key.partial_cmp(&held).unwrap_or(Ordering::Equal);
            if self.wins(group, row, position, compare) {
                *cell = key;
            }
        }
    }

    fn run_texts<'k>(
        &mut self,
        cells: &mut TextCells,
        rows: &Rows<'_>,
        keys: impl Iterator<Item = &'k [u8]>,
    ) -> Result<(), Exceeded> {
        for (((group, position), key), row) in rows.positions().zip(keys).zip(0..) {
            let compare = || key.cmp(cells.bytes(group as usize));
            if self.wins(group, row, position, compare) {
                cells.set(group as usize, key)?;
            }
        }
        Ok(())
    }
}

/// The value of the first or last record in the input, NULL or not.
#[derive(Debug)]
pub(super) struct Ends {
    end: End,
    positions: Charged<Position>,
    pub(super) values: Cells,
    /// Rows of a batch that took the place of what their groups held.
    winners: Vec<(u32, u32)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    First,
    Last,
}

impl End {
    /// Whether a record at `position` takes the place of one at `held`.
    fn beats(self, position: Position, held: Position) -> bool {
        match self {
            End::First => position < held,
            End::Last => held == NOWHERE || held < position,
        }
    }
}

impl Ends {
    pub(super) fn first(ty: Type, budget: &Arc<Budget>) -> Self {
        Self::new(End::First, ty, budget)
    }

    pub(super) fn last(ty: Type, budget: &Arc<Budget>) -> Self {
        Self::new(End::Last, ty, budget)
    }

    fn new(end: End, ty: Type, budget: &Arc<Budget>) -> Self {
        Self {
            end,
            positions: Charged::new(budget),
            values: Cells::new(ty.physical(), budget),
            winners: Vec::new(),
        }
    }

    pub(super) fn grow(&mut self, groups: usize) -> Result<(), Exceeded> {
        self.positions.grow(groups, NOWHERE)?;
        self.values.grow(groups)
    }

    /// Takes rows, NULLs among them.
    pub(super) fn add(&mut self, rows: &Rows<'_>, values: &Vector) -> Result<(), Exceeded> {
        self.winners.clear();
        if (self.end, rows.order) == (End::Last, Order::After) {
            // Each is later than what its group holds.
            self.winners.extend(rows.groups.iter().copied().zip(0..));
            for (group, position) in rows.positions() {
                if let Some(held) = self.positions.get_mut(group as usize) {
                    *held = position;
                }
            }
            return self.values.set_rows(&self.winners, values);
        }
        for ((group, position), row) in rows.positions().zip(0..) {
            if let Some(held) = self.positions.get_mut(group as usize)
                && self.end.beats(position, *held)
            {
                *held = position;
                self.winners.push((group, row));
            }
        }
        self.values.set_rows(&self.winners, values)
    }

    pub(super) fn merge(
        &mut self,
        other: &Self,
        pairs: impl Iterator<Item = (u32, u32)>,
    ) -> Result<(), Exceeded> {
        let (held, others) = (&mut self.positions, &other.positions);
        merge_each(held, others, pairs, |(group, from), held, &position| {
            if position == NOWHERE || !self.end.beats(position, *held) {
                return Ok(());
            }
            *held = position;
            self.values.copy(group, &other.values, from)
        })
    }

    /// The states as columns: position and value.
    pub(super) fn columns(&self, groups: &[u32]) -> Vec<Vector> {
        let positions = placed(held(&self.positions, groups));
        positions
            .into_iter()
            .chain([self.values.gather(groups)])
            .collect()
    }

    /// The states of such columns, in place of those that are here.
    pub(super) fn load(
        &mut self,
        positions: &[Option<Position>],
        values: &Vector,
    ) -> Result<(), NotLoaded> {
        put(&mut self.positions, positions)?;
        fill(&mut self.values, values)
    }
}
