//! Rows to groups to results (SPEC 5). A worker keeps a rollup of its own and the rollups are merged at the end: states
//! are exact or carry the record's position, so that no order of rows or merges can be seen in the result. Pure.

mod aggregate;
mod cells;
mod choice;
mod distinct;
mod extreme;
mod groups;
mod moments;
mod order;
mod partial;
mod quantile;
mod state;
mod sum;
#[cfg(test)]
mod tests;
mod top;

use std::borrow::Cow;
use std::sync::Arc;

use crate::budget::{Budget, Charged, Exceeded};
use crate::limits::BATCH_ROWS;
use crate::query::Problem;
use crate::query::eval::evaluate;
use crate::query::plan::{Expr, Groups};
use crate::value::Position;
use crate::value::vector::{Batch, Data, Vector};
use aggregate::{Aggregator, Order};
use groups::Table;
pub use order::Results;
pub use partial::{Layout, Loader, Partial, Refused};
pub use state::{Output, State};
pub use top::{Ordered, Top};

/// The groups of the rows seen so far, with the states of their aggregates.
#[derive(Debug)]
pub struct Rollup<'p> {
    plan: &'p Groups,
    budget: Arc<Budget>,
    table: Table,
    aggregates: Vec<Aggregator<'p>>,
    /// Position of the last row, where rows have one.
    newest: Option<Position>,
    /// The group of each row of a batch.
    found: Vec<u32>,
}

/// Why a rollup cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A value that an expression or an aggregate cannot take.
    Problem(Problem),
    /// The state would pass its share of the memory (SPEC 11).
    Full(Full),
}

/// The state would pass its share of the memory: what holds it, of how many entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// What was to grow.
    pub holder: Holder,
    /// Entries that it held.
    pub entries: u64,
    /// Bytes that all state would take, and the limit.
    pub exceeded: Exceeded,
}

/// What holds state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// The key values of the groups, and the table that finds them.
    Keys,
    /// The states of the aggregates.
    Aggregates,
    /// What DISTINCT inside an aggregate has seen.
    Distinct,
    /// The values of `median` and its kind.
    Quantiles,
    /// The order of the output.
    Order,
    /// The first rows of a query without groups.
    Rows,
}

impl Holder {
    /// In words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Holder::Keys => "the keys of the groups",
            Holder::Aggregates => "the states of the aggregates",
            Holder::Distinct => "the values of DISTINCT",
            Holder::Quantiles => "the values of a median or quantile",
            Holder::Order => "the order of the groups",
            Holder::Rows => "the rows that ORDER BY keeps",
        }
    }
}

impl Failure {
    fn full(holder: Holder, entries: u32, exceeded: Exceeded) -> Self {
        Failure::Full(Full {
            holder,
            entries: entries.into(),
            exceeded,
        })
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Failure::Problem(problem)
    }
}

impl<'p> Rollup<'p> {
    /// No groups yet; their state is charged to `budget`.
    #[must_use]
    pub fn new(plan: &'p Groups, budget: Arc<Budget>) -> Self {
        Self {
            table: Table::new(plan.keys.iter().map(|key| key.ty), &budget),
            aggregates: plan
                .aggregates
                .iter()
                .map(|call| Aggregator::new(call, &budget))
                .collect(),
            plan,
            budget,
            newest: None,
            found: Vec::new(),
        }
    }

    /// Groups so far.
    #[must_use]
    pub fn groups(&self) -> u64 {
        self.table.len().into()
    }

    /// Takes the rows of `batch`, all of which passed WHERE and NOT NULL.
    ///
    /// Errors: what a key or an argument meets, and then no row was taken; state past the budget, and then the rollup is
    /// of no use.
    pub fn add(&mut self, batch: &Batch) -> Result<(), Failure> {
        if batch.rows == 0 {
            return Ok(());
        }
        let keys = self
            .plan
            .keys
            .iter()
            .map(|key| Ok(key_values(key, batch)?))
            .collect::<Result<Vec<_>, Failure>>()?;
        let mut found = std::mem::take(&mut self.found);
        self.find(&keys, batch.rows, &mut found)?;
        let order = match self.newest {
            Some(newest) if batch.position(0) <= newest => Order::Mixed,
            _ => Order::After,
        };
        // All that can meet a problem comes before the first change of a state.
        let sights = self
            .aggregates
            .iter()
            .map(|aggregate| aggregate.look(batch, &found, order))
            .collect::<Result<Vec<_>, Problem>>()?;
        for (aggregate, seen) in self.aggregates.iter_mut().zip(&sights) {
            aggregate.add(seen)?;
        }
        drop(sights);
        self.newest = self.newest.max(Some(batch.position(batch.rows - 1)));
        self.found = found;
        Ok(())
    }

    /// The group of each row of `keys`; every group has its states then.
    fn find(
        &mut self,
        keys: &[Cow<'_, Vector>],
        rows: usize,
        found: &mut Vec<u32>,
    ) -> Result<(), Failure> {
        let keys: Vec<&Vector> = keys.iter().map(AsRef::as_ref).collect();
        let outcome = self.table.find(&keys, rows, found);
        let groups = self.table.len();
        outcome.map_err(|exceeded| Failure::full(Holder::Keys, groups, exceeded))?;
        self.grow()
    }

    fn grow(&mut self) -> Result<(), Failure> {
        let groups = self.table.len();
        self.aggregates
            .iter_mut()
            .try_for_each(|aggregate| aggregate.grow(groups))
    }

    /// Takes the groups of `other`, a rollup of the same plan over other rows.
    pub fn merge(&mut self, other: Self) -> Result<(), Failure> {
        self.absorb(&other).map(drop)
    }

    /// The same; gives the number here of each of its groups.
    fn absorb(&mut self, other: &Self) -> Result<Charged<u32>, Failure> {
        let full = |groups, exceeded| Failure::full(Holder::Keys, groups, exceeded);
        let mut map = Charged::new(&self.budget);
        let mut found = std::mem::take(&mut self.found);
        for first in (0..other.table.len()).step_by(BATCH_ROWS) {
            let from: Vec<u32> = (first..other.table.len()).take(BATCH_ROWS).collect();
            let keys: Vec<_> = other
                .table
                .keys
                .iter()
                .map(|cells| Cow::Owned(cells.gather(&from)))
                .collect();
            self.find(&keys, from.len(), &mut found)?;
            map.extend(&found)
                .map_err(|exceeded| full(self.table.len(), exceeded))?;
        }
        for (aggregate, other) in self.aggregates.iter_mut().zip(&other.aggregates) {
            aggregate.merge(other, &map)?;
        }
        self.found = found;
        self.newest = self.newest.max(other.newest);
        Ok(map)
    }

    /// HAVING, ORDER BY and LIMIT over all groups; the outputs are then taken batch by batch. A query without keys has
    /// one group, also of no rows.
    pub fn finish(mut self) -> Result<Results<'p>, Failure> {
        if self.plan.keys.is_empty() {
            self.table.ensure_one();
            self.grow()?;
        }
        for aggregate in &mut self.aggregates {
            aggregate.seal()?;
        }
        let states = order::States {
            groups: self.table.len(),
            keys: self.table.keys,
            aggregates: self.aggregates,
        };
        let mut results = Results::new(self.plan, states, &self.budget)?;
        let Some(distinct) = &self.plan.distinct else {
            return Ok(results);
        };
        let mut rows = Rollup::new(distinct, self.budget);
        while let Some(batch) = results.next_batch()? {
            rows.add(&batch)?;
        }
        rows.finish()
    }
}

/// The values of a key. -0.0 equals 0.0, and the group prints as 0.0 (SQL.md, Order).
fn key_values<'a>(key: &'a Expr, batch: &'a Batch) -> Result<Cow<'a, Vector>, Problem> {
    let values = evaluate(key, batch)?.into_vector(key.ty, batch.rows);
    Ok(match positive_zeros(&values) {
        Cow::Borrowed(_) => values,
        Cow::Owned(positive) => Cow::Owned(positive),
    })
}

/// The same values, each -0.0 among them 0.0.
fn positive_zeros(values: &Vector) -> Cow<'_, Vector> {
    let mut values = Cow::Borrowed(values);
    if let Data::Double(doubles) = &values.data
        && doubles.contains(&0.0)
        && let Data::Double(doubles) = &mut values.to_mut().data
    {
        doubles.iter_mut().for_each(|value| *value += 0.0);
    }
    values
}
