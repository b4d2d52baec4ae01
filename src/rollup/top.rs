//! ORDER BY with LIMIT in a query without groups: the first so many rows by their order, ties by the order of the input
//! (SQL.md, Order). What is kept is the columns that the outputs read: only rows that stay to the end are evaluated.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

use super::aggregate::columns::placed;
use super::cells::Cells;
use super::order::{OrderColumn, by_order, keep_first, sort, unread};
use super::{Failure, Holder};
use crate::budget::{Budget, Charged, Exceeded};
use crate::limits::BATCH_ROWS;
use crate::query::Problem;
use crate::query::eval::{ColumnSet, Kept, columns_read, evaluate};
use crate::query::plan::Rows;
use crate::value::Position;
use crate::value::vector::{Batch, Vector};

/// Rows that are kept past the limit before the worst are dropped: so that dropping costs little a row.
const SURPLUS_ROWS: usize = 4 * BATCH_ROWS;

/// The first rows seen so far, and some more.
#[derive(Debug)]
pub struct Top<'p> {
    plan: &'p Rows,
    limit: usize,
    reads: ColumnSet,
    budget: Arc<Budget>,
    held: Held<'p>,
    /// The last of the first rows, once there are as many as the limit: what does not come before it is not kept.
    bar: Option<u32>,
    /// Room to compare a batch with the bar: its key in the first cell, then those of the batch.
    contest: Vec<OrderColumn<'p>>,
}

/// Rows, in no order.
#[derive(Debug)]
struct Held<'p> {
    order: Vec<OrderColumn<'p>>,
    /// Those that the outputs read; `None` for the others.
    columns: Vec<Option<Cells>>,
    positions: Charged<Position>,
}

impl<'p> Top<'p> {
    /// No rows yet; what is kept is charged to `budget`.
    #[must_use]
    pub fn new(plan: &'p Rows, budget: Arc<Budget>) -> Self {
        let limit = plan.limit.and_then(|limit| usize::try_from(limit).ok());
        Self {
            plan,
            limit: limit.unwrap_or(usize::MAX),
            reads: columns_read(&plan.outputs),
            held: Held::new(plan, &budget),
            bar: None,
            contest: order_columns(plan, &budget),
            budget,
        }
    }

    /// Takes the rows of `batch`.
    ///
    /// Errors: what a key of the order meets, and then no row was taken; state past the budget.
    pub fn add(&mut self, batch: &Batch) -> Result<(), Failure> {
        if batch.rows == 0 || self.limit == 0 {
            return Ok(());
        }
        let keys = self.plan.order.iter().map(|key| {
            let values = evaluate(&key.expr, batch)?;
            Ok(values.into_vector(key.expr.ty, batch.rows))
        });
        let keys = keys.collect::<Result<Vec<_>, Problem>>()?;
        let kept = self.before_bar(batch, &keys);
        let pushed = kept.and_then(|kept| match kept {
            Kept::All => self.push(batch, &keys),
            Kept::Rows(rows) if rows.is_empty() => Ok(()),
            Kept::Rows(rows) => {
                let gather = |key: &Cow<'_, Vector>| Cow::Owned(key.gather(&rows));
                let keys: Vec<_> = keys.iter().map(gather).collect();
                let batch = batch.gather(&rows);
                self.push(&batch, &keys)
            }
        });
        pushed.map_err(|exceeded| self.full(exceeded))?;
        self.drop_surplus()
    }

    fn push(&mut self, batch: &Batch, keys: &[Cow<'_, Vector>]) -> Result<(), Exceeded> {
        let positions = (0..batch.rows).map(|row| batch.position(row));
        self.held
            .push(batch, keys, positions, &self.reads, &self.budget)
    }

    /// Takes rows that a shard kept: the columns that the outputs read, the keys of the order, and where they stood.
    pub(super) fn take_held(
        &mut self,
        batch: &Batch,
        keys: &[Vector],
        positions: &[Position],
    ) -> Result<(), Failure> {
        let keys: Vec<_> = keys.iter().map(Cow::Borrowed).collect();
        let positions = positions.iter().copied();
        self.held
            .push(batch, &keys, positions, &self.reads, &self.budget)
            .map_err(|exceeded| self.full(exceeded))?;
        self.drop_surplus()
    }

    fn drop_surplus(&mut self) -> Result<(), Failure> {
        let most = self
            .limit
            .saturating_mul(2)
            .max(self.limit.saturating_add(SURPLUS_ROWS));
        match self.held.len() >= most {
            true => self.drop_worst(),
            false => Ok(()),
        }
    }

    pub(super) fn plan(&self) -> &'p Rows {
        self.plan
    }

    /// The columns that are kept.
    pub(super) fn reads(&self) -> &ColumnSet {
        &self.reads
    }

    /// The rows of `batch`, whose order is by `keys`, that come before the bar.
    fn before_bar(&mut self, batch: &Batch, keys: &[Cow<'_, Vector>]) -> Result<Kept, Exceeded> {
        let Some(bar) = self.bar else {
            return Ok(Kept::All);
        };
        let places = places(1, batch.rows);
        let contest = self.contest.iter_mut();
        for ((column, held), values) in contest.zip(&self.held.order).zip(keys) {
            column.cells.grow(batch.rows + 1)?;
            column.cells.copy(0, &held.cells, bar)?;
            column.cells.set_rows(&places, values)?;
        }
        let bar = self.held.position(bar);
        let is_before = |&(at, row): &(u32, u32)| {
            let by_position = || batch.position(row as usize).cmp(&bar);
            by_order(&self.contest, at, 0)
                .then_with(by_position)
                .is_lt()
        };
        let before = places.into_iter().filter(is_before);
        Ok(Kept::Rows(before.map(|(_, row)| row).collect()))
    }

    /// Takes the rows of `other`, of the same plan over other rows.
    pub fn merge(&mut self, other: Self) -> Result<(), Failure> {
        let rows: Vec<u32> = other.held.numbers().collect();
        for rows in rows.chunks(BATCH_ROWS) {
            self.held
                .copy(&other.held, rows, &self.budget)
                .map_err(|exceeded| self.full(exceeded))?;
        }
        self.drop_worst()
    }

    /// The rows that stay, in their order.
    pub fn finish(mut self) -> Result<Ordered<'p>, Failure> {
        self.drop_worst()?;
        let mut rows = self.numbers()?;
        sort(rows.as_mut_slice(), &|a, b| self.held.compare(a, b));
        Ok(Ordered {
            plan: self.plan,
            reads: self.reads,
            held: self.held,
            rows,
            next: 0,
        })
    }

    /// Drops what is past the limit.
    fn drop_worst(&mut self) -> Result<(), Failure> {
        if self.held.len() <= self.limit {
            return Ok(());
        }
        let mut rows = self.numbers()?;
        let held = &self.held;
        // No two rows have one position. The last of those kept comes last.
        keep_first(&mut rows, self.limit, &|a, b| held.compare(a, b));
        let mut kept = Held::new(self.plan, &self.budget);
        kept.copy(held, &rows, &self.budget)
            .map_err(|exceeded| self.full(exceeded))?;
        self.held = kept;
        self.bar = u32::try_from(self.limit)
            .ok()
            .and_then(|limit| limit.checked_sub(1));
        Ok(())
    }

    fn numbers(&self) -> Result<Charged<u32>, Failure> {
        let mut rows = Charged::new(&self.budget);
        let mut pushed = rows.reserve(self.held.len());
        for row in self.held.numbers() {
            pushed = pushed.and_then(|()| rows.push(row));
        }
        pushed.map_err(|exceeded| self.full(exceeded))?;
        Ok(rows)
    }

    fn full(&self, exceeded: Exceeded) -> Failure {
        let rows = u32::try_from(self.held.len()).unwrap_or(u32::MAX);
        Failure::full(Holder::Rows, rows, exceeded)
    }
}

/// The keys of the order, without a row.
fn order_columns<'p>(plan: &'p Rows, budget: &Arc<Budget>) -> Vec<OrderColumn<'p>> {
    let keys = plan.order.iter();
    keys.map(|key| OrderColumn::new(key, budget)).collect()
}

/// For each row of a batch the cell that it goes to, from `first` on.
fn places(first: usize, rows: usize) -> Vec<(u32, u32)> {
    let cells = (0_u32..).skip(first);
    cells.zip(0_u32..).take(rows).collect()
}

impl<'p> Held<'p> {
    fn new(plan: &'p Rows, budget: &Arc<Budget>) -> Self {
        Self {
            order: order_columns(plan, budget),
            columns: Vec::new(),
            positions: Charged::new(budget),
        }
    }

    fn len(&self) -> usize {
        self.positions.len()
    }

    /// The limit keeps them far below what 32 bits count.
    fn numbers(&self) -> impl Iterator<Item = u32> + use<> {
        (0_u32..).take(self.len())
    }

    fn push(
        &mut self,
        batch: &Batch,
        keys: &[Cow<'_, Vector>],
        mut positions: impl Iterator<Item = Position>,
        reads: &ColumnSet,
        budget: &Arc<Budget>,
    ) -> Result<(), Exceeded> {
        if self.columns.is_empty() {
            let columns = batch.columns.iter().enumerate();
            self.columns = columns
                .map(|(index, column)| {
                    let physical = column.data.physical();
                    reads.contains(index).then(|| Cells::new(physical, budget))
                })
                .collect();
        }
        let rows = self.len().saturating_add(batch.rows);
        let places = places(self.len(), batch.rows);
        for (column, values) in self.order.iter_mut().zip(keys) {
            column.cells.grow(rows)?;
            column.cells.set_rows(&places, values)?;
        }
        for (column, values) in self.columns.iter_mut().zip(&batch.columns) {
            if let Some(cells) = column {
                cells.grow(rows)?;
                cells.set_rows(&places, values)?;
            }
        }
        self.positions.reserve(batch.rows)?;
        positions.try_for_each(|position| self.positions.push(position))
    }

    /// Appends `rows` of `other`.
    fn copy(&mut self, other: &Self, rows: &[u32], budget: &Arc<Budget>) -> Result<(), Exceeded> {
        if self.columns.is_empty() {
            let columns = other.columns.iter();
            let like = |cells: &Cells| Cells::new(cells.physical(), budget);
            self.columns = columns.map(|column| column.as_ref().map(like)).collect();
        }
        let held = self.len();
        let all = held.saturating_add(rows.len());
        let places = || (0_u32..).skip(held).zip(rows.iter().copied());
        let order = self.order.iter_mut().map(|column| &mut column.cells);
        let others = other.order.iter().map(|column| &column.cells);
        let columns = self.columns.iter_mut().flatten();
        let other_columns = other.columns.iter().flatten();
        for (cells, others) in order.zip(others).chain(columns.zip(other_columns)) {
            cells.grow(all)?;
            places().try_for_each(|(at, from)| cells.copy(at, others, from))?;
        }
        for &row in rows {
            self.positions.push(other.position(row))?;
        }
        Ok(())
    }

    fn position(&self, row: u32) -> Position {
        let position = self.positions.get(row as usize).copied();
        position.unwrap_or_default()
    }

    fn compare(&self, a: u32, b: u32) -> Ordering {
        let by_position = || self.position(a).cmp(&self.position(b));
        by_order(&self.order, a, b).then_with(by_position)
    }
}

/// The rows of the output, handed out batch by batch.
#[derive(Debug)]
pub struct Ordered<'p> {
    plan: &'p Rows,
    reads: ColumnSet,
    held: Held<'p>,
    rows: Charged<u32>,
    next: usize,
}

impl Ordered<'_> {
    /// The next rows of the output, at most [`BATCH_ROWS`], one column an output; `None` after the last.
    ///
    /// Errors: an output that cannot be evaluated.
    pub fn next_batch(&mut self) -> Result<Option<Batch>, Problem> {
        let rest = self.rows.get(self.next..).unwrap_or_default();
        let rows = rest.get(..BATCH_ROWS).unwrap_or(rest);
        let batch = match (self.evaluated(rows), rows) {
            (_, []) => return Ok(None),
            (Ok(batch), _) => batch,
            // As for groups: one at a time.
            (Err(_), [first, _, ..]) => self.evaluated(&[*first])?,
            (Err(problem), _) => return Err(problem),
        };
        self.next += batch.rows;
        Ok(Some(batch))
    }

    /// The next rows as they are kept: their positions, the keys of the order, and the columns that the outputs read.
    pub(super) fn next_held(&mut self) -> Option<Batch> {
        let rest = self.rows.get(self.next..).unwrap_or_default();
        let rows = rest.get(..BATCH_ROWS).unwrap_or(rest);
        if rows.is_empty() {
            return None;
        }
        let positions = placed(rows.iter().map(|&row| Some(self.held.position(row))));
        let keys = self.held.order.iter().map(|column| &column.cells);
        let cells = keys.chain(self.held.columns.iter().flatten());
        let columns = cells.map(|cells| cells.gather(rows));
        let batch = Batch {
            rows: rows.len(),
            columns: positions.into_iter().chain(columns).collect(),
            ..Batch::default()
        };
        self.next += batch.rows;
        Some(batch)
    }

    fn evaluated(&self, rows: &[u32]) -> Result<Batch, Problem> {
        let columns = self.held.columns.iter().enumerate();
        let batch = Batch {
            rows: rows.len(),
            columns: columns
                .map(|(index, column)| match column {
                    Some(cells) if self.reads.contains(index) => cells.gather(rows),
                    Some(_) | None => unread(),
                })
                .collect(),
            ..Batch::default()
        };
        super::order::outputs(&self.plan.outputs, &batch)
    }
}
