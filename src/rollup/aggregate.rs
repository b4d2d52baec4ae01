//! One aggregate call: evaluates its arguments over a batch, leaves out the rows it does not see, and keeps a state
//! for each group, as columns (SPEC 5; SQL.md, Sums and means). All states merge, in any order, into what one pass over
//! everything gives.

pub(super) mod columns;

use std::borrow::Cow;
use std::sync::Arc;

use super::choice::{Choice, Ends};
use super::distinct::Distinct;
use super::extreme::{Extremes, Sought};
use super::moments::Moments;
use super::quantile::Quantiles;
use super::sum::{DoubleSums, ExactSums};
use super::{Failure, Holder};
use crate::budget::{Budget, Charged, Exceeded};
use crate::query::Problem;
use crate::query::eval::{ColumnSet, Kept, columns_read, evaluate, filter, narrowed};
use crate::query::plan::{Aggregate, AggregateFunction, Expr};
use crate::value::vector::{Batch, Data, Vector};
use crate::value::{Position, Type};

/// An aggregate call and its states.
#[derive(Debug)]
pub(super) struct Aggregator<'p> {
    call: &'p Aggregate,
    /// The columns that the arguments read.
    reads: ColumnSet,
    /// Number of groups, each of which has a state.
    groups: u32,
    states: States,
    /// With DISTINCT, the values; the states take them when all are there.
    distinct: Option<Distinct>,
}

/// A state for each group, by what it takes.
#[derive(Debug)]
enum States {
    /// `count(*)`, `count`
    Count(Charged<u64>),
    /// `sum` and `avg` of exact numbers
    Exact(ExactSums),
    /// `sum` and `avg` of DOUBLE
    Double(DoubleSums),
    /// `min`, `max`
    Extreme(Extremes),
    /// `arg_min`, `arg_max`
    Choice(Choice),
    /// `first`, `last`
    End(Ends),
    /// Variance, covariance, correlation, regression
    Moments(Moments),
    /// `median`, `quantile_cont`, `quantile_disc`
    Quantiles(Quantiles),
}

/// The rows that an aggregate sees: the group of each, and where it stands.
pub(super) struct Rows<'a> {
    pub(super) groups: Cow<'a, [u32]>,
    /// Offset in the input of each row. Empty where the batch is no input.
    pub(super) offsets: Cow<'a, [u64]>,
    pub(super) input: u32,
    pub(super) order: Order,
}

/// How the rows of a batch stand to those of the batches before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// All come after.
    After,
    /// Some may come before.
    Mixed,
}

impl Rows<'_> {
    /// The same, of `kept` alone.
    fn keep(&mut self, kept: &Kept) {
        let Kept::Rows(list) = kept else { return };
        self.groups = Cow::Owned(pick(&self.groups, list));
        self.offsets = Cow::Owned(pick(&self.offsets, list));
    }

    /// The rows with their groups and positions.
    pub(super) fn positions(&self) -> impl Iterator<Item = (u32, Position)> {
        let input = self.input;
        self.groups
            .iter()
            .zip(self.offsets.iter())
            .map(move |(&group, &offset)| (group, Position { input, offset }))
    }
}

/// What an aggregate sees of a batch: its rows, and the values of its arguments there.
pub(super) struct Sight<'a> {
    rows: Rows<'a>,
    args: Vec<Cow<'a, Vector>>,
}

fn values<'a>(arg: &'a Expr, batch: &'a Batch) -> Result<Cow<'a, Vector>, Problem> {
    Ok(evaluate(arg, batch)?.into_vector(arg.ty, batch.rows))
}

fn pick<T: Copy>(values: &[T], rows: &[u32]) -> Vec<T> {
    rows.iter()
        .filter_map(|&row| values.get(row as usize).copied())
        .collect()
}

impl<'p> Aggregator<'p> {
    pub(super) fn new(call: &'p Aggregate, budget: &Arc<Budget>) -> Self {
        let ty = |index: usize| call.args.get(index).map_or(call.ty, |arg| arg.ty);
        let states = match call.function {
            AggregateFunction::CountStar | AggregateFunction::Count => {
                States::Count(Charged::new(budget))
            }
            AggregateFunction::Sum | AggregateFunction::Avg if ty(0) == Type::Double => {
                States::Double(DoubleSums::new(budget))
            }
            AggregateFunction::Sum | AggregateFunction::Avg => {
                States::Exact(ExactSums::new(budget))
            }
            AggregateFunction::Min => {
                States::Extreme(Extremes::new(Sought::Smallest, ty(0).physical(), budget))
            }
            AggregateFunction::Max => {
                States::Extreme(Extremes::new(Sought::Largest, ty(0).physical(), budget))
            }
            AggregateFunction::ArgMin => {
                States::Choice(Choice::new(Sought::Smallest, ty(0), ty(1), budget))
            }
            AggregateFunction::ArgMax => {
                States::Choice(Choice::new(Sought::Largest, ty(0), ty(1), budget))
            }
            AggregateFunction::First => States::End(Ends::first(ty(0), budget)),
            AggregateFunction::Last => States::End(Ends::last(ty(0), budget)),
            AggregateFunction::Statistic(statistic) => {
                let scale = |arg: Option<&Expr>| arg.and_then(|arg| arg.ty.scale()).unwrap_or(0);
                let scales = [scale(call.args.first()), scale(call.args.last())];
                States::Moments(Moments::new(statistic, scales, budget))
            }
            AggregateFunction::Quantile(quantile) => {
                States::Quantiles(Quantiles::new(quantile, ty(0), budget))
            }
        };
        Self {
            distinct: call.distinct.then(|| Distinct::new(ty(0), budget)),
            call,
            reads: columns_read(&call.args),
            groups: 0,
            states,
        }
    }

    /// States for `groups` groups.
    pub(super) fn grow(&mut self, groups: u32) -> Result<(), Failure> {
        self.groups = groups;
        self.states
            .grow(groups as usize)
            .map_err(|exceeded| self.full(exceeded))
    }

    /// What it sees of the rows of `batch`, each of which belongs to one of `groups`. Changes nothing: a batch that
    /// cannot be evaluated whole may be taken again in smaller ones.
    pub(super) fn look<'a>(
        &self,
        batch: &'a Batch,
        groups: &'a [u32],
        order: Order,
    ) -> Result<Sight<'a>, Problem>
    where
        'p: 'a,
    {
        let mut rows = Rows {
            groups: Cow::Borrowed(groups),
            offsets: Cow::Borrowed(&batch.offsets),
            input: batch.input,
            order,
        };
        let seen = match &self.call.filter {
            Some(condition) => filter(condition, batch)?,
            None => Kept::All,
        };
        rows.keep(&seen);
        let call: &'p Aggregate = self.call;
        let args = &call.args;
        let mut args = match narrowed(batch, &seen, &self.reads) {
            Cow::Borrowed(batch) => {
                let values = args.iter().map(|arg| values(arg, batch));
                values.collect::<Result<Vec<_>, _>>()?
            }
            Cow::Owned(batch) => {
                let values = args.iter().map(|arg| values(arg, &batch));
                let owned = values.map(|values| Ok(Cow::Owned(values?.into_owned())));
                owned.collect::<Result<_, Problem>>()?
            }
        };
        if !matches!(self.states, States::End(_)) {
            leave_out_nulls(&mut rows, &mut args);
        }
        Ok(Sight { rows, args })
    }

    /// Takes what was seen.
    pub(super) fn add(&mut self, seen: &Sight<'_>) -> Result<(), Failure> {
        if seen.rows.groups.is_empty() {
            return Ok(());
        }
        let taken = match (&mut self.distinct, seen.args.as_slice()) {
            (Some(distinct), [values]) => {
                distinct.add(&seen.rows.groups, values).map_err(Fault::Full)
            }
            _ => self.states.add(&seen.rows, &seen.args),
        };
        taken.map_err(|fault| self.lift(fault))
    }

    /// All rows are there: what was held for them alone is folded.
    pub(super) fn seal(&mut self) -> Result<(), Failure> {
        let sealed = match (self.distinct.take(), &mut self.states) {
            (Some(distinct), states) => distinct.each(|groups, values| {
                let rows = Rows {
                    groups: Cow::Borrowed(groups),
                    offsets: Cow::Borrowed(&[]),
                    input: 0,
                    order: Order::Mixed,
                };
                states.add(&rows, &[Cow::Borrowed(values)])
            }),
            (None, States::Quantiles(quantiles)) => quantiles.seal().map_err(Fault::Full),
            (None, _) => Ok(()),
        };
        sealed.map_err(|fault| self.lift(fault))
    }

    fn lift(&self, fault: Fault) -> Failure {
        match fault {
            Fault::Full(exceeded) => self.full(exceeded),
            Fault::SquareTooLarge => Failure::Problem(Problem {
                span: self.call.span,
                expected: "values whose squares fit DOUBLE".to_owned(),
                found: "a larger one".to_owned(),
                advice: "filter such records out, or scale the values".to_owned(),
            }),
        }
    }

    pub(super) fn full(&self, exceeded: Exceeded) -> Failure {
        let (holder, entries) = match (&self.distinct, &self.states) {
            (Some(distinct), _) => (Holder::Distinct, distinct.len()),
            (None, States::Quantiles(quantiles)) => (Holder::Quantiles, quantiles.len()),
            (None, _) => (Holder::Aggregates, self.groups),
        };
        Failure::full(holder, entries, exceeded)
    }

    /// Takes the states of `other`, whose group number `from` is number `map[from]` here.
    pub(super) fn merge(&mut self, other: &Self, map: &[u32]) -> Result<(), Failure> {
        let pairs = || map.iter().copied().zip(0..);
        if let (Some(distinct), Some(other)) = (&mut self.distinct, &other.distinct) {
            return distinct
                .merge(other, map)
                .map_err(|exceeded| self.full(exceeded));
        }
        match (&mut self.states, &other.states) {
            (States::Count(counts), States::Count(others)) => add_counts(counts, others, pairs()),
            (States::Exact(sums), States::Exact(others)) => sums.merge(others, pairs()),
            (States::Double(sums), States::Double(others)) => sums.merge(others, pairs()),
            (States::Extreme(extremes), States::Extreme(others)) => extremes.merge(others, pairs()),
            (States::Choice(choice), States::Choice(others)) => choice.merge(others, pairs()),
            (States::End(ends), States::End(others)) => ends.merge(others, pairs()),
            (States::Moments(moments), States::Moments(others)) => moments.merge(others, pairs()),
            (States::Quantiles(held), States::Quantiles(others)) => held.merge(others, map),
            // The same query gives the same states.
            _ => Ok(()),
        }
        .map_err(|exceeded| self.full(exceeded))
    }

    /// The results of `groups`, in that order.
    pub(super) fn finish(&self, groups: &[u32]) -> Result<Vector, Problem> {
        let scale = self.call.args.first().and_then(|arg| arg.ty.scale());
        let is_mean = self.call.function == AggregateFunction::Avg;
        let results = match &self.states {
            States::Count(counts) => Ok(Vector::from_data(Data::Int(
                pick(counts, groups)
                    .into_iter()
                    .map(|count| i64::try_from(count).unwrap_or(i64::MAX))
                    .collect(),
            ))),
            States::Exact(sums) if is_mean => Ok(sums.means(groups, scale.unwrap_or(0))),
            States::Exact(sums) => sums.totals(groups, self.call.ty),
            States::Double(sums) if is_mean => sums.means(groups),
            States::Double(sums) => sums.totals(groups),
            States::Extreme(extremes) => Ok(extremes.cells.gather(groups)),
            States::Choice(choice) => Ok(choice.values.gather(groups)),
            States::End(ends) => Ok(ends.values.gather(groups)),
            States::Moments(moments) => moments.results(groups),
            States::Quantiles(quantiles) => quantiles.results(groups, self.call.ty),
        };
        results.map_err(|Unfit| Problem {
            span: self.call.span,
            expected: format!("a result that fits {}", self.call.ty),
            found: "one past its range".to_owned(),
            advice: match self.call.ty {
                Type::Double => "scale the values, or filter out those that are far off",
                Type::Boolean
                | Type::BigInt
                | Type::HugeInt
                | Type::Decimal { .. }
                | Type::Varchar
                | Type::Timestamp => "cast the argument to a type with more room, such as DOUBLE",
            }
            .to_owned(),
        })
    }
}

impl States {
    fn grow(&mut self, groups: usize) -> Result<(), Exceeded> {
        match self {
            States::Count(counts) => counts.grow(groups, 0),
            States::Exact(sums) => sums.grow(groups),
            States::Double(sums) => sums.grow(groups),
            States::Extreme(extremes) => extremes.grow(groups),
            States::Choice(choice) => choice.grow(groups),
            States::End(ends) => ends.grow(groups),
            States::Moments(moments) => moments.grow(groups),
            // One entry a value, none a group.
            States::Quantiles(_) => Ok(()),
        }
    }

    fn add(&mut self, rows: &Rows<'_>, args: &[Cow<'_, Vector>]) -> Result<(), Fault> {
        match (self, args) {
            (States::Count(counts), _) => {
                for &group in rows.groups.iter() {
                    if let Some(count) = counts.get_mut(group as usize) {
                        *count += 1;
                    }
                }
            }
            (States::Exact(sums), [values]) => sums.add(&rows.groups, values),
            (States::Double(sums), [values]) => sums.add(&rows.groups, values)?,
            (States::Extreme(extremes), [values]) => extremes.add(&rows.groups, values)?,
            (States::Choice(choice), [values, keys]) => choice.add(rows, values, keys)?,
            (States::End(ends), [values]) => ends.add(rows, values)?,
            (States::Moments(moments), [x]) => moments.add(&rows.groups, x, x)?,
            (States::Moments(moments), [y, x]) => moments.add(&rows.groups, y, x)?,
            (States::Quantiles(quantiles), [values]) => quantiles.add(&rows.groups, values)?,
            // The checker counts arguments.
            _ => {}
        }
        Ok(())
    }
}

/// For each pair of groups the state here and the one of `others` that it takes in.
pub(super) fn merge_each<T>(
    states: &mut [T],
    others: &[T],
    pairs: impl Iterator<Item = (u32, u32)>,
    mut merge: impl FnMut((u32, u32), &mut T, &T) -> Result<(), Exceeded>,
) -> Result<(), Exceeded> {
    for (group, from) in pairs {
        if let (Some(state), Some(other)) =
            (states.get_mut(group as usize), others.get(from as usize))
        {
            merge((group, from), state, other)?;
        }
    }
    Ok(())
}

/// Counts of rows, merged.
pub(super) fn add_counts(
    counts: &mut [u64],
    others: &[u64],
    pairs: impl Iterator<Item = (u32, u32)>,
) -> Result<(), Exceeded> {
    merge_each(counts, others, pairs, |_, count, other| {
        *count += other;
        Ok(())
    })
}

/// Why a state takes no row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// No room.
    Full(Exceeded),
    /// A DOUBLE whose square is past the largest.
    SquareTooLarge,
}

impl From<Exceeded> for Fault {
    fn from(exceeded: Exceeded) -> Self {
        Fault::Full(exceeded)
    }
}

/// A final value that its type cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unfit;

/// Rows with a NULL in any argument are not seen; after this, no argument has one.
fn leave_out_nulls(rows: &mut Rows<'_>, args: &mut [Cow<'_, Vector>]) {
    if args.iter().all(|arg| arg.valid.flags().is_none()) {
        return;
    }
    let list: Vec<u32> = (0_u32..)
        .zip(0..rows.groups.len())
        .filter(|&(_, row)| args.iter().all(|arg| arg.valid.is_valid(row)))
        .map(|(number, _)| number)
        .collect();
    for arg in args {
        *arg = Cow::Owned(arg.gather(&list));
    }
    rows.keep(&Kept::Rows(list));
}
