//! Variance, covariance, correlation and regression (SQL.md, Sums and means): sums of the values, their squares and
//! products, held exactly, from which each result is rounded at the end. So neither order nor cancellation shows: a mean
//! of 1e9 with a deviation of 1e-3 loses no digit.

use std::sync::Arc;

use super::aggregate::{Fault, Unfit};
use super::sum::{finite, states};
use crate::budget::{Budget, Charge, Charged, Exceeded};
use crate::query::plan::Statistic;
use crate::value::float_sum::{
    FloatSum, Number, co_moment, product_difference, product_ratio, ratio,
};
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
    scales: [u32; 2],
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
            scales: scales.map(u32::from),
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
        let mut heap_bytes = 0;
        for (moment, sums) in &mut self.sums {
            for (&group, (y, x)) in groups.iter().zip(y.iter().zip(&x)) {
                let Some(sum) = sums.get_mut(group as usize) else {
                    continue;
                };
                let before = sum.heap_bytes();
                match moment {
                    Moment::X => sum.add_number(x),
                    Moment::Y => sum.add_number(y),
                    Moment::Xx => sum.add_number_product(x, x),
                    Moment::Xy => sum.add_number_product(x, y),
                    Moment::Yy => sum.add_number_product(y, y),
                }
                heap_bytes += sum.heap_bytes() - before;
            }
        }
        // At most a batch of them is held before it is charged.
        Ok(self.heap.add(heap_bytes)?)
    }

    pub(super) fn merge(
        &mut self,
        other: &Self,
        pairs: impl Iterator<Item = (u32, u32)> + Clone,
    ) -> Result<(), Exceeded> {
        for (group, from) in pairs.clone() {
            if let (Some(rows), Some(others)) = (
                self.rows.get_mut(group as usize),
                other.rows.get(from as usize),
            ) {
                *rows += others;
            }
        }
        let mut heap_bytes = 0;
        for ((_, sums), (_, others)) in self.sums.iter_mut().zip(&other.sums) {
            for (group, from) in pairs.clone() {
                if let (Some(sum), Some(other)) =
                    (sums.get_mut(group as usize), others.get(from as usize))
                {
                    let before = sum.heap_bytes();
                    sum.merge(other);
                    heap_bytes += sum.heap_bytes() - before;
                }
            }
        }
        self.heap.add(heap_bytes)
    }

    /// The statistic of each group; NULL where it is undefined.
    pub(super) fn results(&self, groups: &[u32]) -> Result<Vector, Unfit> {
        let rows = states(&self.rows, groups);
        finite(rows.zip(groups).map(|(&rows, &group)| {
            match rows {
                0 => Ok(None),
                rows => Group {
                    of: self,
                    rows,
                    group,
                }
                .result(),
            }
        }))
    }
}

/// One group that has rows.
struct Group<'a> {
    of: &'a Moments,
    rows: u64,
    group: u32,
}

impl Group<'_> {
    fn result(&self) -> Result<Option<f64>, Unfit> {
        let [y, x] = self.of.scales;
        match self.of.statistic {
            Statistic::VarPop => self.over(&self.xx()?, self.rows, 2 * x),
            Statistic::VarSamp => self.over(&self.xx()?, self.rows - 1, 2 * x),
            Statistic::StddevPop => Ok(self.over(&self.xx()?, self.rows, 2 * x)?.map(f64::sqrt)),
            Statistic::StddevSamp => {
                Ok(self.over(&self.xx()?, self.rows - 1, 2 * x)?.map(f64::sqrt))
            }
            Statistic::CovarPop => self.over(&self.xy()?, self.rows, x + y),
            Statistic::CovarSamp => self.over(&self.xy()?, self.rows - 1, x + y),
            Statistic::Corr => self.correlation(),
            Statistic::RegrSlope => self.slope(),
            Statistic::RegrIntercept => self.intercept(),
            Statistic::RegrR2 => self.fit(),
        }
    }

    /// A co-moment, which is n² times a mean, as that mean over `freedom` in place of n; NULL where that is 0.
    fn over(&self, moment: &FloatSum, freedom: u64, scale: u32) -> Result<Option<f64>, Unfit> {
        if freedom == 0 {
            return Ok(None);
        }
        let divisor = FloatSum::one().times(self.rows, 0).times(freedom, scale);
        ratio(moment, &divisor).map(Some).ok_or(Unfit)
    }

    /// Covariance over the variance of x; NULL where x does not vary.
    fn slope(&self) -> Result<Option<f64>, Unfit> {
        let variance = self.xx()?;
        if variance.is_zero() {
            return Ok(None);
        }
        let [y, x] = self.of.scales;
        ratio(&self.xy()?.times(1, x), &variance.times(1, y))
            .map(Some)
            .ok_or(Unfit)
    }

    /// (Σy · Σx² − Σx · Σxy) over (n · Σx² − (Σx)²); NULL where x does not vary.
    fn intercept(&self) -> Result<Option<f64>, Unfit> {
        let variance = self.xx()?;
        if variance.is_zero() {
            return Ok(None);
        }
        let (sum_x, sum_y) = (self.sum(Moment::X)?, self.sum(Moment::Y)?);
        let (sum_xx, sum_xy) = (self.sum(Moment::Xx)?, self.sum(Moment::Xy)?);
        let dividend = product_difference([sum_y, sum_xx], [sum_x, sum_xy]).ok_or(Unfit)?;
        let [y, _] = self.of.scales;
        ratio(&dividend, &variance.times(1, y))
            .map(Some)
            .ok_or(Unfit)
    }

    /// The root of what [`Group::fit`] gives, with the sign of the covariance; NULL where x or y does not vary.
    fn correlation(&self) -> Result<Option<f64>, Unfit> {
        let (xx, yy, xy) = (self.xx()?, self.yy()?, self.xy()?);
        if xx.is_zero() || yy.is_zero() {
            return Ok(None);
        }
        let square = product_ratio([&xy, &xy], [&xx, &yy]).ok_or(Unfit)?;
        let sign = ratio(&xy, &xx).ok_or(Unfit)?;
        Ok(Some(square.sqrt().min(1.0).copysign(sign)))
    }

    /// The square of the correlation; 1 where y does not vary, NULL where x does not.
    fn fit(&self) -> Result<Option<f64>, Unfit> {
        let (xx, yy, xy) = (self.xx()?, self.yy()?, self.xy()?);
        if xx.is_zero() {
            return Ok(None);
        }
        if yy.is_zero() {
            return Ok(Some(1.0));
        }
        let square = product_ratio([&xy, &xy], [&xx, &yy]).ok_or(Unfit)?;
        Ok(Some(square.min(1.0)))
    }

    fn xx(&self) -> Result<FloatSum, Unfit> {
        self.moment(Moment::X, Moment::X, Moment::Xx)
    }

    fn yy(&self) -> Result<FloatSum, Unfit> {
        self.moment(Moment::Y, Moment::Y, Moment::Yy)
    }

    fn xy(&self) -> Result<FloatSum, Unfit> {
        self.moment(Moment::X, Moment::Y, Moment::Xy)
    }

    /// n · Σab − Σa · Σb
    fn moment(&self, a: Moment, b: Moment, ab: Moment) -> Result<FloatSum, Unfit> {
        let (a, b, ab) = (self.sum(a)?, self.sum(b)?, self.sum(ab)?);
        co_moment(self.rows, a, b, ab).ok_or(Unfit)
    }

    fn sum(&self, moment: Moment) -> Result<&FloatSum, Unfit> {
        let mut sums = self.of.sums.iter();
        let column = sums.find(|(known, _)| *known == moment);
        column
            .and_then(|(_, sums)| sums.get(self.group as usize))
            .ok_or(Unfit)
    }
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
