//! DISTINCT inside `count`, `sum` and `avg`: each value of a group once, in a table like that of the groups. The values
//! are folded when all are there.

use std::sync::Arc;

use super::cells::{Cells, Values};
use super::groups::Table;
use super::partial::ValuesHeld;
use super::positive_zeros;
use crate::budget::{Budget, Exceeded};
use crate::limits::BATCH_ROWS;
use crate::value::Type;
use crate::value::vector::{Data, Vector};

/// The distinct values of all groups.
#[derive(Debug)]
pub(super) struct Distinct {
    /// Keyed by group and value.
    pairs: Table,
    found: Vec<u32>,
}

impl Distinct {
    pub(super) fn new(ty: Type, budget: &Arc<Budget>) -> Self {
        Self {
            pairs: Table::new([Type::BigInt, ty], budget),
            found: Vec::new(),
        }
    }

    /// Pairs of group and value.
    pub(super) fn len(&self) -> u32 {
        self.pairs.len()
    }

    /// Takes values none of which is NULL.
    pub(super) fn add(&mut self, groups: &[u32], values: &Vector) -> Result<(), Exceeded> {
        let groups: Vec<i64> = groups.iter().map(|&group| group.into()).collect();
        let rows = groups.len();
        let groups = Vector::from_data(Data::Int(groups));
        let values = positive_zeros(values);
        self.pairs.find(&[&groups, &values], rows, &mut self.found)
    }

    /// Takes the values of `other`, whose group number `from` is number `map[from]` here.
    pub(super) fn merge(&mut self, other: &Self, map: &[u32]) -> Result<(), Exceeded> {
        other.each(|groups, values| {
            let here = groups.iter().map(|&from| map.get(from as usize).copied());
            let groups: Vec<u32> = here.map(Option::unwrap_or_default).collect();
            self.add(&groups, values)
        })
    }

    /// The values with their groups.
    pub(super) fn held(&self) -> Option<(ValuesHeld<'_>, &Cells)> {
        match self.pairs.keys.as_slice() {
            [groups, values] => match &groups.values {
                Values::Int(groups) => Some((ValuesHeld::Cells(groups), values)),
                Values::Boolean(_) | Values::Wide(_) | Values::Double(_) | Values::Text(_) => None,
            },
            _ => None,
        }
    }

    /// Shows every pair of group and value, some at a time.
    pub(super) fn each<E>(
        &self,
        mut show: impl FnMut(&[u32], &Vector) -> Result<(), E>,
    ) -> Result<(), E> {
        for first in (0..self.pairs.len()).step_by(BATCH_ROWS) {
            let pairs: Vec<u32> = (first..self.pairs.len()).take(BATCH_ROWS).collect();
            if let [groups, values] = self.pairs.keys.as_slice() {
                let groups = match groups.gather(&pairs).data {
                    Data::Int(groups) => groups,
                    Data::Boolean(_) | Data::Wide(_) | Data::Double(_) | Data::Text(_) => {
                        Vec::new()
                    }
                };
                let groups: Vec<u32> = groups
                    .into_iter()
                    .filter_map(|group| u32::try_from(group).ok())
                    .collect();
                show(&groups, &values.gather(&pairs))?;
            }
        }
        Ok(())
    }
}
