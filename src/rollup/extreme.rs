//! `min` and `max`.

use std::cmp::Ordering;
use std::sync::Arc;

use super::cells::{Cells, Values};
use crate::budget::{Budget, Exceeded};
use crate::value::Physical;
use crate::value::vector::{Data, Vector};

/// Which end of the order is sought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sought {
    Smallest,
    Largest,
}

impl Sought {
    /// Whether a value that compares so with the one held takes its place.
    pub(super) fn beats(self, ordering: Ordering) -> bool {
        match self {
            Sought::Smallest => ordering.is_lt(),
            Sought::Largest => ordering.is_gt(),
        }
    }
}

/// The smallest or largest value of each group; NULL over no rows.
#[derive(Debug)]
pub(super) struct Extremes {
    sought: Sought,
    pub(super) cells: Cells,
}

impl Extremes {
    pub(super) fn new(sought: Sought, physical: Physical, budget: &Arc<Budget>) -> Self {
        Self {
            sought,
            cells: Cells::new(physical, budget),
        }
    }

    pub(super) fn grow(&mut self, groups: usize) -> Result<(), Exceeded> {
        self.cells.grow(groups)
    }

    /// Takes values none of which is NULL.
    pub(super) fn add(&mut self, groups: &[u32], values: &Vector) -> Result<(), Exceeded> {
        let Cells {
            values: cells,
            valid,
        } = &mut self.cells;
        match (cells, &values.data, self.sought) {
            (Values::Boolean(cells), Data::Boolean(values), Sought::Smallest) => {
                fold(cells, valid, groups, values, |held, new| held & new);
            }
            (Values::Boolean(cells), Data::Boolean(values), Sought::Largest) => {
                fold(cells, valid, groups, values, |held, new| held | new);
            }
            (Values::Int(cells), Data::Int(values), Sought::Smallest) => {
                fold(cells, valid, groups, values, i64::min);
            }
            (Values::Int(cells), Data::Int(values), Sought::Largest) => {
                fold(cells, valid, groups, values, i64::max);
            }
            (Values::Wide(cells), Data::Wide(values), Sought::Smallest) => {
                fold(cells, valid, groups, values, i128::min);
            }
            (Values::Wide(cells), Data::Wide(values), Sought::Largest) => {
                fold(cells, valid, groups, values, i128::max);
            }
            // -0.0 below 0.0, so that the order of the rows cannot be seen in the result.
            (Values::Double(cells), Data::Double(values), Sought::Smallest) => {
                fold(cells, valid, groups, values, |held, new| {
                    if new.total_cmp(&held).is_lt() {
                        new
                    } else {
                        held
                    }
                });
            }
            (Values::Double(cells), Data::Double(values), Sought::Largest) => {
                fold(cells, valid, groups, values, |held, new| {
                    if new.total_cmp(&held).is_gt() {
                        new
                    } else {
                        held
                    }
                });
            }
            (Values::Text(cells), Data::Text(texts), sought) => {
                for (&group, text) in groups.iter().zip(texts.iter()) {
                    let group = group as usize;
                    if let Some(seen) = valid.get_mut(group)
                        && (!*seen || sought.beats(text.cmp(cells.bytes(group))))
                    {
                        *seen = true;
                        cells.set(group, text)?;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn merge(
        &mut self,
        other: &Self,
        pairs: impl Iterator<Item = (u32, u32)>,
    ) -> Result<(), Exceeded> {
        for (group, from) in pairs {
            if self.is_beaten(group, other, from) {
                self.cells.copy(group, &other.cells, from)?;
            }
        }
        Ok(())
    }

    fn is_beaten(&self, group: u32, other: &Self, from: u32) -> bool {
        let (at, from_at) = (group as usize, from as usize);
        if other.cells.valid.get(from_at) != Some(&true) {
            return false;
        }
        if self.cells.valid.get(at) != Some(&true) {
            return true;
        }
        if let (Values::Double(held), Values::Double(new)) =
            (&self.cells.values, &other.cells.values)
        {
            return held
                .get(at)
                .zip(new.get(from_at))
                .is_some_and(|(held, new)| self.sought.beats(new.total_cmp(held)));
        }
        self.sought
            .beats(other.cells.compare(from, &self.cells, group))
    }
}

/// The tight loop of it: what is held and what is new give what is held then.
fn fold<T: Copy>(
    cells: &mut [T],
    valid: &mut [bool],
    groups: &[u32],
    values: &[T],
    of: impl Fn(T, T) -> T,
) {
    for (&group, &value) in groups.iter().zip(values) {
        if let (Some(cell), Some(seen)) =
            (cells.get_mut(group as usize), valid.get_mut(group as usize))
        {
            *cell = if *seen { of(*cell, value) } else { value };
            *seen = true;
        }
    }
}
