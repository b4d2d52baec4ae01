//! The results of a rollup: HAVING, ORDER BY, LIMIT, then the outputs, in batches and only for the groups that stay
//! (SQL.md, Order and Evaluation). What is dropped is not evaluated further, so that it cannot fail.

use std::cmp::Ordering;
use std::sync::Arc;

use super::aggregate::Aggregator;
use super::cells::Cells;
use super::{Failure, Holder};
use crate::budget::{Budget, Charged};
use crate::limits::BATCH_ROWS;
use crate::query::Problem;
use crate::query::eval::{ColumnSet, Kept, columns_read, evaluate, filter};
use crate::query::plan::{Direction, Expr, Groups, Nulls, OrderKey};
use crate::value::vector::{Batch, Data, Vector};

/// Groups and their states, in the order of the output; handed out batch by batch.
#[derive(Debug)]
pub struct Results<'p> {
    plan: &'p Groups,
    states: States<'p>,
    order: Charged<u32>,
    next: usize,
}

/// Keys and aggregates of all groups.
#[derive(Debug)]
pub(super) struct States<'p> {
    pub(super) groups: u32,
    pub(super) keys: Vec<Cells>,
    pub(super) aggregates: Vec<Aggregator<'p>>,
}

impl States<'_> {
    /// A batch of `groups` with the columns of `reads`: keys, then aggregates.
    fn batch(&self, groups: &[u32], reads: &ColumnSet) -> Result<Batch, Problem> {
        let mut columns = Vec::with_capacity(self.keys.len() + self.aggregates.len());
        for keys in &self.keys {
            columns.push(match reads.contains(columns.len()) {
                true => keys.gather(groups),
                false => unread(),
            });
        }
        for aggregate in &self.aggregates {
            columns.push(match reads.contains(columns.len()) {
                true => aggregate.finish(groups)?,
                false => unread(),
            });
        }
        Ok(Batch {
            rows: groups.len(),
            columns,
            ..Batch::default()
        })
    }
}

/// Stands in the place of a column that no expression reads.
pub(super) fn unread() -> Vector {
    Vector::from_data(Data::Boolean(Vec::new()))
}

impl<'p> Results<'p> {
    pub(super) fn new(
        plan: &'p Groups,
        states: States<'p>,
        budget: &Arc<Budget>,
    ) -> Result<Self, Failure> {
        let mut order = surviving(plan, &states, budget)?;
        let columns = order_columns(plan, &states, &order, budget)?;
        // No two groups have the same keys.
        let compare =
            |a: u32, b: u32| by_order(&columns, a, b).then_with(|| by_keys(&states.keys, a, b));
        let limit = plan
            .limit
            .and_then(|limit| usize::try_from(limit).ok())
            .unwrap_or(usize::MAX);
        if limit < order.len() {
            keep_first(&mut order, limit, &compare);
        }
        sort(order.as_mut_slice(), &compare);
        Ok(Self {
            plan,
            states,
            order,
            next: 0,
        })
    }

    /// Rows of the output.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether the output has no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The next rows of the output, at most [`BATCH_ROWS`], one column an output; `None` after the last.
    ///
    /// Errors: a result that does not fit its type, an output that cannot be evaluated.
    pub fn next_batch(&mut self) -> Result<Option<Batch>, Problem> {
        let rest = self.order.get(self.next..).unwrap_or_default();
        let groups = rest.get(..BATCH_ROWS).unwrap_or(rest);
        if groups.is_empty() {
            return Ok(None);
        }
        let batch = match (self.rows(groups), groups) {
            (Ok(batch), _) => batch,
            // One at a time: the problem is that of the first group that has one, and a batch may only have computed too
            // much text at once.
            (Err(_), [first, _, ..]) => self.rows(&[*first])?,
            (Err(problem), _) => return Err(problem),
        };
        self.next += batch.rows;
        Ok(Some(batch))
    }

    /// The rows of `groups`.
    fn rows(&self, groups: &[u32]) -> Result<Batch, Problem> {
        let batch = self
            .states
            .batch(groups, &columns_read(&self.plan.outputs))?;
        outputs(&self.plan.outputs, &batch)
    }
}

/// A row of the output for each of `batch`.
pub(super) fn outputs(outputs: &[Expr], batch: &Batch) -> Result<Batch, Problem> {
    let columns = outputs.iter().map(|output| {
        let values = evaluate(output, batch)?;
        Ok(values.into_vector(output.ty, batch.rows).into_owned())
    });
    Ok(Batch {
        rows: batch.rows,
        columns: columns.collect::<Result<_, Problem>>()?,
        ..Batch::default()
    })
}

/// The groups that HAVING keeps.
fn surviving(
    plan: &Groups,
    states: &States<'_>,
    budget: &Arc<Budget>,
) -> Result<Charged<u32>, Failure> {
    let full = |exceeded| Failure::full(Holder::Order, states.groups, exceeded);
    let mut order = Charged::new(budget);
    let mut groups = Vec::with_capacity(BATCH_ROWS);
    let reads = columns_read(&plan.having);
    for first in (0..states.groups).step_by(BATCH_ROWS) {
        groups.clear();
        groups.extend((first..states.groups).take(BATCH_ROWS));
        let kept = match &plan.having {
            None => Kept::All,
            Some(having) => filter(having, &states.batch(&groups, &reads)?)?,
        };
        match kept {
            Kept::All => order.extend(&groups),
            Kept::Rows(rows) => {
                let kept: Vec<u32> = rows
                    .iter()
                    .filter_map(|&row| groups.get(row as usize).copied())
                    .collect();
                order.extend(&kept)
            }
        }
        .map_err(full)?;
    }
    Ok(order)
}

/// One key of ORDER BY with its values, a cell a group or row.
#[derive(Debug)]
pub(super) struct OrderColumn<'p> {
    pub(super) cells: Cells,
    direction: &'p Direction,
    nulls: &'p Nulls,
}

impl<'p> OrderColumn<'p> {
    pub(super) fn new(key: &'p OrderKey, budget: &Arc<Budget>) -> Self {
        Self {
            cells: Cells::new(key.expr.ty.physical(), budget),
            direction: &key.direction,
            nulls: &key.nulls,
        }
    }
}

fn order_columns<'p>(
    plan: &'p Groups,
    states: &States<'_>,
    survivors: &[u32],
    budget: &Arc<Budget>,
) -> Result<Vec<OrderColumn<'p>>, Failure> {
    let full = |exceeded| Failure::full(Holder::Order, states.groups, exceeded);
    let mut columns = Vec::new();
    for key in &plan.order {
        let mut column = OrderColumn::new(key, budget);
        column.cells.grow(states.groups as usize).map_err(full)?;
        columns.push(column);
    }
    if columns.is_empty() {
        return Ok(columns);
    }
    let exprs = || plan.order.iter().map(|key| &key.expr);
    let reads = columns_read(exprs());
    for groups in survivors.chunks(BATCH_ROWS) {
        let batch = states.batch(groups, &reads)?;
        for (column, expr) in columns.iter_mut().zip(exprs()) {
            fill(&mut column.cells, groups, expr, &batch)?.map_err(full)?;
        }
    }
    Ok(columns)
}

fn fill(
    cells: &mut Cells,
    groups: &[u32],
    expr: &Expr,
    batch: &Batch,
) -> Result<Result<(), crate::budget::Exceeded>, Problem> {
    let values = evaluate(expr, batch)?.into_vector(expr.ty, batch.rows);
    Ok(groups
        .iter()
        .enumerate()
        .try_for_each(|(row, &group)| cells.set(group, &values, row)))
}

pub(super) fn by_order(columns: &[OrderColumn<'_>], a: u32, b: u32) -> Ordering {
    for column in columns {
        let is_null = |group: u32| column.cells.valid.get(group as usize) != Some(&true);
        let ordering = match (is_null(a), is_null(b)) {
            (true, true) => continue,
            (false, false) => {
                let ordering = column.cells.compare(a, &column.cells, b);
                match column.direction {
                    Direction::Ascending => ordering,
                    Direction::Descending => ordering.reverse(),
                }
            }
            (a, b) => match column.nulls {
                Nulls::First => b.cmp(&a),
                Nulls::Last => a.cmp(&b),
            },
        };
        if ordering.is_ne() {
            return ordering;
        }
    }
    Ordering::Equal
}

/// Sorts numbers by a total order, so that an unstable sort has one outcome. The order comes by reference: the code of a
/// sort is large, and stands in the binary once.
pub(super) fn sort(numbers: &mut [u32], compare: &dyn Fn(u32, u32) -> Ordering) {
    numbers.sort_unstable_by(|&a, &b| compare(a, b));
}

/// Keeps the first `count` by a total order, in no order but that the last of them comes last.
pub(super) fn keep_first(
    numbers: &mut Charged<u32>,
    count: usize,
    compare: &dyn Fn(u32, u32) -> Ordering,
) {
    if let Some(last) = count.checked_sub(1) {
        numbers
            .as_mut_slice()
            .select_nth_unstable_by(last, |&a, &b| compare(a, b));
    }
    numbers.truncate(count);
}

pub(super) fn by_keys(keys: &[Cells], a: u32, b: u32) -> Ordering {
    keys.iter()
        .map(|cells| cells.compare(a, cells, b))
        .find(|ordering| ordering.is_ne())
        .unwrap_or(Ordering::Equal)
}
