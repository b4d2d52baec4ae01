//! Grouped queries: every output, HAVING and ORDER BY is a function of the group's keys and aggregates.

use super::super::Problem;
use super::super::ast::{Item, Select};
use super::super::plan::{Expr, Groups, Node};
use super::{Binder, Grouping};

impl Binder<'_> {
    /// Refuses `*` where rows are grouped.
    pub(super) fn no_star(&self, select: &Select) -> Result<(), Problem> {
        for item in &select.items {
            if let Item::Star(span) = item {
                let advice = "name the keys and aggregates that you want";
                return Err(Problem::new(
                    *span,
                    "* in a query without groups only",
                    "* beside groups",
                    advice,
                ));
            }
        }
        Ok(())
    }

    /// The parts, counted in keys and aggregates.
    pub(super) fn groups(&mut self, mut grouping: Grouping) -> Result<Groups, Problem> {
        let order = grouping.order.iter_mut().map(|key| &mut key.expr);
        for expr in grouping
            .outputs
            .iter_mut()
            .chain(&mut grouping.having)
            .chain(order)
        {
            self.regroup(expr, &grouping.keys)?;
        }
        Ok(Groups {
            keys: grouping.keys,
            aggregates: std::mem::take(&mut self.aggregates),
            having: grouping.having,
            outputs: grouping.outputs,
            order: grouping.order,
            limit: grouping.limit,
            distinct: None,
        })
    }

    fn regroup(&self, expr: &mut Expr, keys: &[Expr]) -> Result<(), Problem> {
        if let Some(key) = keys.iter().position(|key| key == expr) {
            expr.node = Node::Column(key);
            return Ok(());
        }
        if let Node::Column(column) = &mut expr.node {
            let Some(aggregate) = column.checked_sub(self.columns.len()) else {
                return Err(self.not_grouped(expr));
            };
            *column = keys.len() + aggregate;
            return Ok(());
        }
        expr.children_mut()
            .into_iter()
            .try_for_each(|child| self.regroup(child, keys))
    }

    fn not_grouped(&self, expr: &Expr) -> Problem {
        let name = self.shown(expr);
        let advice =
            format!("put {name} into GROUP BY, or into an aggregate such as first({name})");
        Problem::new(
            expr.span,
            "a function of the group's keys and aggregates",
            name,
            advice,
        )
    }

    /// Whether `expr`, not yet regrouped, holds an aggregate call.
    pub(super) fn has_aggregate(&self, expr: &Expr) -> bool {
        if let Node::Column(column) = expr.node {
            return column >= self.columns.len();
        }
        let mut children = expr.children().into_iter();
        children.any(|child| self.has_aggregate(child))
    }
}
