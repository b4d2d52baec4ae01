//! What a query keeps of the records until all are seen: groups, or the first rows of an order.

use std::sync::Arc;

use super::{Failure, Ordered, Results, Rollup, Top};
use crate::budget::Budget;
use crate::query::Problem;
use crate::query::plan::Shape;
use crate::value::vector::Batch;

/// What is kept.
#[derive(Debug)]
pub enum State<'p> {
    /// Of a grouped query.
    Groups(Rollup<'p>),
    /// Of a row-wise query with an order.
    Top(Top<'p>),
}

/// The rows of the output, in their order.
#[derive(Debug)]
pub enum Output<'p> {
    /// A row a group.
    Groups(Results<'p>),
    /// A row a record.
    Top(Ordered<'p>),
}

impl<'p> State<'p> {
    /// Nothing yet; `None` for a query whose rows go out as they come.
    #[must_use]
    pub fn new(shape: &'p Shape, budget: &Arc<Budget>) -> Option<Self> {
        let budget = Arc::clone(budget);
        match shape {
            Shape::Groups(groups) => Some(Self::Groups(Rollup::new(groups, budget))),
            Shape::Rows(rows) if !rows.order.is_empty() => Some(Self::Top(Top::new(rows, budget))),
            Shape::Rows(_) => None,
        }
    }

    /// Takes the rows of `batch`, all of which passed WHERE and NOT NULL.
    ///
    /// Errors: what an expression meets, and then no row was taken; state past the budget, and then this is of no use.
    pub fn add(&mut self, batch: &Batch) -> Result<(), Failure> {
        match self {
            Self::Groups(rollup) => rollup.add(batch),
            Self::Top(top) => top.add(batch),
        }
    }

    /// Takes what `other` keeps, of the same plan over other rows.
    pub fn merge(&mut self, other: Self) -> Result<(), Failure> {
        match (self, other) {
            (Self::Groups(rollup), Self::Groups(other)) => rollup.merge(other),
            (Self::Top(top), Self::Top(other)) => top.merge(other),
            // The same plan gives the same kind.
            (Self::Groups(_), Self::Top(_)) | (Self::Top(_), Self::Groups(_)) => Ok(()),
        }
    }

    /// HAVING, ORDER BY and LIMIT over all of it.
    pub fn finish(self) -> Result<Output<'p>, Failure> {
        Ok(match self {
            Self::Groups(rollup) => Output::Groups(rollup.finish()?),
            Self::Top(top) => Output::Top(top.finish()?),
        })
    }
}

impl Output<'_> {
    /// The next rows, one column an output; `None` after the last.
    ///
    /// Errors: a result that does not fit its type, an output that cannot be evaluated.
    pub fn next_batch(&mut self) -> Result<Option<Batch>, Problem> {
        match self {
            Self::Groups(results) => results.next_batch(),
            Self::Top(ordered) => ordered.next_batch(),
        }
    }
}
