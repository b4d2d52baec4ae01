//! Variance, covariance, correlation and regression (SQL.md, Sums and means): sums of the values, their squares and
//! products, held exactly, from which each result is rounded once at the end. So neither order nor cancellation shows: a
//! mean of 1e9 with a deviation of 1e-3 loses no digit.

use std::sync::Arc;

use super::aggregate::columns::{NotLoaded, counts, each_count, each_number, numbers as texts};
use super::aggregate::{Fault, Unfit, add_counts, merge_each};
use super::sum::{charged, finite, load_sum};
use crate::budget::{Budget, Charge, Charged, Exceeded};
use crate::query::plan::Statistic;
use crate::value::decimal;
use crate::value::dyadic::Dyadic;
use crate::value::float_sum::{FloatSum, Number};
use crate::value::vector::{Data, Vector};

/// The states of one statistic.
#[derive(Debug)]
pub(super) struct Moments {
    statistic: Statistic,
    rows: Charged<u64>,
    /// The sums that the statistic needs, one column each.
    sums: Vec<(Moment, Charged<FloatSum>)>,
    /// For what the sums hold beside themselves.
    heap: Charge,
    /// Digits after the point of y and x where they are exact, 0 for DOUBLE: their unscaled integers are summed.
    scales: [u8; 2],
}

/// What is summed. A statistic of one argument has that as its x.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    X,
    Y,
    Xx,
    Xy,
    Yy,
}

fn needed(statistic: Statistic) -> &'static [Moment] {
    match statistic {
        Statistic::VarSamp | Statistic::VarPop | Statistic::StddevSamp | Statistic::StddevPop => {
            &[Moment::X, Moment::Xx]
        }
        Statistic::CovarSamp | Statistic::CovarPop => &[Moment::X, Moment::Y, Moment::Xy],
        Statistic::RegrSlope | Statistic::RegrIntercept => {
            &[Moment::X, Moment::Y, Moment::Xx, Moment::Xy]
        }
        Statistic::Corr | Statistic::RegrR2 => {
            &[Moment::X, Moment::Y, Moment::Xx, Moment::Xy, Moment::Yy]
        }
    }
}

impl Moments {
    /// `scales` are those of y and x; of a statistic of one argument, that is both.
    pub(super) fn new(statistic: Statistic, scales: [u8; 2], budget: &Arc<Budget>) -> Self {
        let sums = needed(statistic).iter();
        Self {
            statistic,
            rows: Charged::new(budget),
            sums: sums.map(|&moment| (moment, Charged::new(budget))).collect(),
            heap: Charge::new(budget),
            scales,
        }
    }

    pub(super) fn grow(&mut self, groups: usize) -> Result<(), Exceeded> {
        self.rows.grow(groups, 0)?;
        let mut sums = self.sums.iter_mut();
        sums.try_for_each(|(_, sums)| sums.grow(groups, FloatSum::default()))
    }

    /// Takes values none of which is NULL.
    pub(super) fn add(&mut self, groups: &[u32], y: &Vector, x: &Vector) -> Result<(), Fault> {
        let (y, x) = (numbers(&y.data)?, numbers(&x.data)?);
        for &group in groups {
            if let Some(rows) = self.rows.get_mut(group as usize) {
                *rows += 1;
            }
        }
        for (moment, sums) in &mut self.sums {
            for (&group, (y, x)) in groups.iter().zip(y.iter().zip(&x)) {
                let Some(sum) = sums.get_mut(group as usize) else {
                    continue;
                };
                charged(sum, &mut self.heap, |sum| match moment {
                    Moment::X => sum.add_number(x),
                    Moment::Y => sum.add_number(y),
                    Moment::Xx => sum.add_product(x, x),
                    Moment::Xy => sum.add_product(x, y),
                    Moment::Yy => sum.add_product(y, y),
                })?;
            }
        }
        Ok(())
    }

    pub(super) fn merge(
        &mut self,
        other: &Self,
        pairs: impl Iterator<Item = (u32, u32)> + Clone,
    ) -> Result<(), Exceeded> {
        add_counts(&mut self.rows, &other.rows, pairs.clone())?;
        for ((_, sums), (_, others)) in self.sums.iter_mut().zip(&other.sums) {
            merge_each(sums, others, pairs.clone(), |_, sum, other| {
                charged(sum, &mut self.heap, |sum| sum.merge(other))
            })?;
        }
        Ok(())
    }

    /// What the names of its sums end in.
    pub(super) fn names(&self) -> Vec<&'static str> {
        let names = self.sums.iter().map(|(moment, _)| match moment {
            Moment::X => "_x",
            Moment::Y => "_y",
            Moment::Xx => "_xx",
            Moment::Xy => "_xy",
            Moment::Yy => "_yy",
        });
        names.collect()
    }

    /// The states as columns: rows, and the sums.
    pub(super) fn columns(&self, groups: &[u32]) -> Vec<Vector> {
        let of = |group: &u32| self.rows.get(*group as usize).copied().unwrap_or_default();
        let sums = self.sums.iter().map(|(_, sums)| {
            let of = |group: &u32| sums.get(*group as usize).map(FloatSum::dyadic);
            texts(groups.iter().filter_map(of))
        });
        [counts(groups.iter().map(of))]
            .into_iter()
            .chain(sums)
            .collect()
    }

    /// The states of such columns, in place of those that are here.
    pub(super) fn load(&mut self, rows: &Vector, columns: &[Vector]) -> Result<(), NotLoaded> {
        each_count(&mut self.rows, rows)?;
        if columns.len() != self.sums.len() {
            return Err(NotLoaded::Malformed);
        }
        for ((_, sums), column) in self.sums.iter_mut().zip(columns) {
            each_number(column, |row, number| {
                let sum = sums.get_mut(row).ok_or(NotLoaded::Malformed)?;
                load_sum(sum, &mut self.heap, &number)
            })?;
        }
        Ok(())
    }

    /// The statistic of each group; NULL where it is undefined.
    pub(super) fn results(&self, groups: &[u32]) -> Result<Vector, Unfit> {
        finite(groups.iter().map(|&group| self.result(group as usize)))
    }

    /// Each statistic is a quotient, or the root of one, and undefined where the divisor is zero.
    ///
    /// Of exact numbers the unscaled integers are summed: what that leaves of their scales is put right here.
    fn result(&self, group: usize) -> Result<Option<f64>, Unfit> {
        let rows = self.rows.get(group).copied().unwrap_or_default();
        let Some(others) = rows.checked_sub(1) else {
            return Ok(None);
        };
        let [rows, others] = [rows, others].map(|count| Dyadic::from(u128::from(count)));
        let [y, x] = self.scales.map(power_of_ten);
        let sum = |moment| self.sum(moment, group);
        // n · Σab − Σa · Σb, which is n² times the covariance of a population.
        let spread = |[a, b]: [Moment; 2], ab| rows.times(&sum(ab)).minus(&sum(a).times(&sum(b)));
        let xx = || spread([Moment::X, Moment::X], Moment::Xx);
        let xy = || spread([Moment::X, Moment::Y], Moment::Xy);
        let yy = || spread([Moment::Y, Moment::Y], Moment::Yy);
        let over = |spread: Dyadic, freedom: &Dyadic, scale: &Dyadic| {
            let divisor = rows.times(freedom).times(&x).times(scale);
            (spread, divisor)
        };
        let (dividend, divisor) = match self.statistic {
            Statistic::VarPop | Statistic::StddevPop => over(xx(), &rows, &x),
            Statistic::VarSamp | Statistic::StddevSamp => over(xx(), &others, &x),
            Statistic::CovarPop => over(xy(), &rows, &y),
            Statistic::CovarSamp => over(xy(), &others, &y),
            Statistic::RegrSlope => (xy().times(&x), xx().times(&y)),
            Statistic::RegrIntercept => {
                let [left, right] = [(Moment::Y, Moment::Xx), (Moment::X, Moment::Xy)]
                    .map(|(a, b)| sum(a).times(&sum(b)));
                (left.minus(&right), xx().times(&y))
            }
            // Its square, which keeps the sign.
            Statistic::Corr => (xy().times(&xy().magnitude()), xx().times(&yy())),
            Statistic::RegrR2 if yy().is_zero() => (xx(), xx()),
            Statistic::RegrR2 => (xy().times(&xy()), xx().times(&yy())),
        };
        if divisor.is_zero() {
            return Ok(None);
        }
        let result = match self.statistic {
            Statistic::StddevSamp | Statistic::StddevPop | Statistic::Corr => {
                dividend.root_over(&divisor)
            }
            Statistic::VarSamp
            | Statistic::VarPop
            | Statistic::CovarSamp
            | Statistic::CovarPop
            | Statistic::RegrSlope
            | Statistic::RegrIntercept
            | Statistic::RegrR2 => dividend.over(&divisor),
        };
        result.map(Some).ok_or(Unfit)
    }

    /// A sum that the statistic needs.
    fn sum(&self, moment: Moment, group: usize) -> Dyadic {
        let mut sums = self.sums.iter();
        let column = sums.find(|(known, _)| *known == moment);
        column
            .and_then(|(_, sums)| sums.get(group))
            .map(FloatSum::dyadic)
            .unwrap_or_default()
    }
}

fn power_of_ten(scale: u8) -> Dyadic {
    Dyadic::from(decimal::pow10(scale.into()).map_or(1, i128::unsigned_abs))
}

/// The values as numbers.
///
/// Errors: a DOUBLE whose square is past the largest. The sums themselves would hold more; what SQL.md promises ends
/// here, and it ends the same in any order.
fn numbers(data: &Data) -> Result<Vec<Number>, Fault> {
    Ok(match data {
        Data::Int(values) => integers(values.iter().map(|&value| value.into())),
        Data::Wide(values) => integers(values.iter().copied()),
        Data::Double(values) if values.iter().any(|value| !(value * value).is_finite()) => {
            return Err(Fault::SquareTooLarge);
        }
        Data::Double(values) => values
            .iter()
            .map(|&value| Number::of_double(value))
            .collect(),
        // The checker lets no other type in.
        Data::Boolean(_) | Data::Text(_) => Vec::new(),
    })
}

fn integers(values: impl Iterator<Item = i128>) -> Vec<Number> {
    values.map(Number::of_integer).collect()
}

#[cfg(test)]
#[path = "moments_tests.rs"]
mod tests;
