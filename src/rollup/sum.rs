//! Sums and means: held exactly, rounded once at the end (SQL.md, Sums and means).

use std::sync::Arc;

use super::aggregate::columns::{NotLoaded, counts, each_count, each_number, numbers};
use super::aggregate::{Unfit, merge_each};
use crate::budget::{Budget, Charge, Charged, Exceeded};
use crate::value::dyadic::Dyadic;
use crate::value::float_sum::FloatSum;
use crate::value::vector::{Data, Validity, Vector};
use crate::value::wide_sum::WideSum;
use crate::value::{Physical, Type, decimal};

/// Sums of BIGINT, HUGEINT and DECIMAL.
#[derive(Debug)]
pub(super) struct ExactSums(Charged<ExactSum>);

#[derive(Clone, Copy, Debug, Default)]
struct ExactSum {
    sum: WideSum,
    rows: u64,
}

impl ExactSums {
    pub(super) fn new(budget: &Arc<Budget>) -> Self {
        Self(Charged::new(budget))
    }

    pub(super) fn grow(&mut self, groups: usize) -> Result<(), Exceeded> {
        self.0.grow(groups, ExactSum::default())
    }

    pub(super) fn add(&mut self, groups: &[u32], values: &Vector) {
        match &values.data {
            Data::Int(values) => self.add_all(groups, values.iter().map(|&value| value.into())),
            Data::Wide(values) => self.add_all(groups, values.iter().copied()),
            // The checker lets no other type in.
            Data::Boolean(_) | Data::Double(_) | Data::Text(_) => {}
        }
    }

    fn add_all(&mut self, groups: &[u32], values: impl Iterator<Item = i128>) {
        for (&group, value) in groups.iter().zip(values) {
            if let Some(state) = self.0.get_mut(group as usize) {
                state.sum.add(value);
                state.rows += 1;
            }
        }
    }

    pub(super) fn merge(
        &mut self,
        other: &Self,
        pairs: impl Iterator<Item = (u32, u32)>,
    ) -> Result<(), Exceeded> {
        merge_each(&mut self.0, &other.0, pairs, |_, state, other| {
            state.sum.merge(other.sum);
            state.rows += other.rows;
            Ok(())
        })
    }

    /// The states as columns: rows, and the sum.
    pub(super) fn columns(&self, groups: &[u32]) -> Vec<Vector> {
        vec![
            counts(states(&self.0, groups).map(|state| state.rows)),
            numbers(states(&self.0, groups).map(|state| state.sum.dyadic())),
        ]
    }

    /// The states of such columns, in place of those that are here.
    pub(super) fn load(&mut self, rows: &Vector, sums: &Vector) -> Result<(), NotLoaded> {
        let mut counted = vec![0; self.0.len()];
        each_count(&mut counted, rows)?;
        for (state, rows) in self.0.iter_mut().zip(counted) {
            state.rows = rows;
        }
        each_number(sums, |row, number| {
            let state = self.0.get_mut(row).ok_or(NotLoaded::Malformed)?;
            state.sum = WideSum::of_dyadic(&number).ok_or(NotLoaded::Malformed)?;
            Ok(())
        })
    }

    /// The sums as values of `ty`; NULL over no rows.
    pub(super) fn totals(&self, groups: &[u32], ty: Type) -> Result<Vector, Unfit> {
        let mut totals = Vec::with_capacity(groups.len());
        for state in states(&self.0, groups) {
            let total = state.sum.to_i128().ok_or(Unfit)?;
            if let Type::Decimal { precision, .. } = ty
                && !decimal::fits(total, precision)
            {
                return Err(Unfit);
            }
            totals.push(total);
        }
        let data = match ty.physical() {
            Physical::Int => Data::Int(
                totals
                    .into_iter()
                    .map(|total| i64::try_from(total).map_err(|_| Unfit))
                    .collect::<Result<_, _>>()?,
            ),
            Physical::Wide | Physical::Boolean | Physical::Double | Physical::Text => {
                Data::Wide(totals)
            }
        };
        let valid = states(&self.0, groups).map(|state| state.rows > 0);
        Ok(Vector {
            data,
            valid: Validity::from_flags(valid.collect()),
        })
    }

    /// The means, rounded once; NULL over no rows.
    pub(super) fn means(&self, groups: &[u32], scale: u8) -> Vector {
        doubles(states(&self.0, groups).map(|state| state.sum.mean(state.rows, scale)))
    }
}

/// Sums of DOUBLE.
#[derive(Debug)]
pub(super) struct DoubleSums {
    states: Charged<DoubleSum>,
    /// For what the sums hold beside themselves.
    heap: Charge,
}

#[derive(Clone, Debug, Default)]
struct DoubleSum {
    sum: FloatSum,
    rows: u64,
}

impl DoubleSums {
    pub(super) fn new(budget: &Arc<Budget>) -> Self {
        Self {
            states: Charged::new(budget),
            heap: Charge::new(budget),
        }
    }

    pub(super) fn grow(&mut self, groups: usize) -> Result<(), Exceeded> {
        self.states.grow(groups, DoubleSum::default())
    }

    pub(super) fn add(&mut self, groups: &[u32], values: &Vector) -> Result<(), Exceeded> {
        let Data::Double(values) = &values.data else {
            return Ok(());
        };
        for (&group, &value) in groups.iter().zip(values) {
            if let Some(state) = self.states.get_mut(group as usize) {
                state.rows += 1;
                charged(&mut state.sum, &mut self.heap, |sum| sum.add(value))?;
            }
        }
        Ok(())
    }

    pub(super) fn merge(
        &mut self,
        other: &Self,
        pairs: impl Iterator<Item = (u32, u32)>,
    ) -> Result<(), Exceeded> {
        merge_each(&mut self.states, &other.states, pairs, |_, state, other| {
            state.rows += other.rows;
            charged(&mut state.sum, &mut self.heap, |sum| sum.merge(&other.sum))
        })
    }

    /// The states as columns: rows, and the sum.
    pub(super) fn columns(&self, groups: &[u32]) -> Vec<Vector> {
        vec![
            counts(states(&self.states, groups).map(|state| state.rows)),
            numbers(states(&self.states, groups).map(|state| state.sum.dyadic())),
        ]
    }

    /// The states of such columns, in place of those that are here.
    pub(super) fn load(&mut self, rows: &Vector, sums: &Vector) -> Result<(), NotLoaded> {
        let mut counted = vec![0; self.states.len()];
        each_count(&mut counted, rows)?;
        for (state, rows) in self.states.iter_mut().zip(counted) {
            state.rows = rows;
        }
        each_number(sums, |row, number| {
            let state = self.states.get_mut(row).ok_or(NotLoaded::Malformed)?;
            load_sum(&mut state.sum, &mut self.heap, &number)
        })
    }

    /// The sums, rounded once; NULL over no rows.
    pub(super) fn totals(&self, groups: &[u32]) -> Result<Vector, Unfit> {
        finite(states(&self.states, groups).map(|state| match state.rows {
            0 => Ok(None),
            _ => state.sum.value().map(Some).ok_or(Unfit),
        }))
    }

    /// The means, rounded once; NULL over no rows.
    pub(super) fn means(&self, groups: &[u32]) -> Result<Vector, Unfit> {
        finite(states(&self.states, groups).map(|state| match state.rows {
            0 => Ok(None),
            rows => state.sum.mean(rows).map(Some).ok_or(Unfit),
        }))
    }
}

/// Changes a sum and charges what it came to hold beside itself: a kilobyte, once.
#[inline]
pub(super) fn charged(
    sum: &mut FloatSum,
    heap: &mut Charge,
    change: impl FnOnce(&mut FloatSum),
) -> Result<(), Exceeded> {
    let before = sum.heap_bytes();
    change(sum);
    match sum.heap_bytes() - before {
        0 => Ok(()),
        grown => heap.add(grown),
    }
}

/// Adds a number that a shard wrote to a sum.
pub(super) fn load_sum(
    sum: &mut FloatSum,
    heap: &mut Charge,
    number: &Dyadic,
) -> Result<(), NotLoaded> {
    let mut fits = false;
    charged(sum, heap, |sum| fits = sum.add_dyadic(number))?;
    fits.then_some(()).ok_or(NotLoaded::Malformed)
}

fn states<'a, T>(all: &'a [T], groups: &'a [u32]) -> impl Iterator<Item = &'a T> {
    groups.iter().filter_map(|&group| all.get(group as usize))
}

pub(super) fn finite(
    values: impl Iterator<Item = Result<Option<f64>, Unfit>>,
) -> Result<Vector, Unfit> {
    let values = values.collect::<Result<Vec<_>, _>>()?;
    Ok(doubles(values.into_iter()))
}

/// DOUBLEs, NULL where there is none.
pub(super) fn doubles(values: impl Iterator<Item = Option<f64>>) -> Vector {
    let (data, flags) = values
        .map(|value| (value.unwrap_or_default(), value.is_some()))
        .unzip();
    Vector {
        data: Data::Double(data),
        valid: Validity::from_flags(flags),
    }
}
