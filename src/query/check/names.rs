//! Columns and aliases (SQL.md, Names): a column of the name wins, except where it is all of an ORDER BY item; in a
//! larger expression there the column wins too, as in DuckDB.

use super::super::ast::{self, Item};
use super::super::functions::Rule;
use super::super::plan::{Expr, Node};
use super::super::{Problem, Span, functions, same_name, suggest};
use super::{Binder, types};
use crate::limits::EXPRESSION_HEIGHT;

/// A name given by AS.
pub(super) struct Alias {
    name: String,
    expr: Expr,
    size: types::Size,
}

impl Binder<'_> {
    pub(super) fn define(&mut self, alias: &ast::Name, expr: &Expr) {
        self.aliases.push(Alias {
            name: alias.text.clone(),
            expr: expr.clone(),
            size: types::size(expr),
        });
    }

    /// The column or alias of this name.
    pub(super) fn name(
        &mut self,
        table: Option<&ast::Name>,
        name: &str,
        span: Span,
    ) -> Result<Expr, Problem> {
        if let Some(table) = table
            && !same_name(&table.text, "input")
        {
            let found = table.span.shown(self.text);
            let advice = format!(
                "the one table is input; a column with a point in its name is \"{found}.{name}\""
            );
            return Err(Problem::new(
                table.span,
                "input before the point",
                found,
                advice,
            ));
        }
        let mut columns = self.columns.iter();
        if let Some(column) = columns.position(|column| same_name(&column.name, name)) {
            return Ok(self.column(column, span));
        }
        match self.alias(name) {
            Some(alias) if table.is_none() => self.expand(alias, span),
            Some(_) | None => Err(self.unknown(name, span)),
        }
    }

    /// The number of the alias of this name.
    pub(super) fn alias(&self, name: &str) -> Option<usize> {
        self.aliases
            .iter()
            .position(|alias| same_name(&alias.name, name))
    }

    pub(super) fn column(&self, column: usize, span: Span) -> Expr {
        let ty = self
            .columns
            .get(column)
            .map_or(crate::value::Type::BigInt, |column| column.form.ty());
        Expr {
            node: Node::Column(column),
            ty,
            span,
        }
    }

    /// What the alias stands for, as if it were written here.
    pub(super) fn expand(&mut self, alias: usize, span: Span) -> Result<Expr, Problem> {
        let Some(alias) = self.aliases.get(alias) else {
            return Err(self.unknown("", span));
        };
        let (mut expr, size) = (alias.expr.clone(), alias.size);
        // The name's own level is the first of what it stands for.
        if self.depth + size.height > EXPRESSION_HEIGHT + 1 {
            return Err(Problem::new(
                span,
                format!(
                    "an expression of at most {EXPRESSION_HEIGHT} levels, its aliases written out"
                ),
                "one level more",
                "use fewer aliases that are built on one another",
            ));
        }
        self.count(size.nodes, span)?;
        if self.has_aggregate(&expr) {
            self.allow_aggregate(span)?;
        }
        expr.span = span;
        Ok(expr)
    }

    fn unknown(&self, name: &str, span: Span) -> Problem {
        let columns = || self.columns.iter().map(|column| column.name.as_str());
        let aliases = self.aliases.iter().map(|alias| alias.name.as_str());
        let written = span.shown(self.text);
        let advice = if let Some(near) = suggest::nearest(name, columns().chain(aliases)) {
            format!("did you mean {near}?")
        } else if written.starts_with('"') {
            format!(
                "a text stands in single quotes: '{name}'; {}",
                suggest::listed(columns())
            )
        } else if let Some(function) = functions::find(name) {
            if let Rule::Instead(advice) = function.rule {
                advice.to_owned()
            } else {
                format!(
                    "a function is called with parentheses: {}",
                    function.usage()
                )
            }
        } else {
            suggest::listed(columns())
        };
        Problem::new(span, UNKNOWN, written, advice)
    }
}

const UNKNOWN: &str = "a column or an alias";

/// `problem`, which an item of SELECT has, with better advice where the unknown name is a later item's.
pub(super) fn defined_later(mut problem: Problem, items: &[Item], text: &str) -> Problem {
    let name = problem.span.of(text);
    let later = items.iter().any(|item| match item {
        Item::Expr {
            alias: Some(alias), ..
        } => alias.span.start > problem.span.start && same_name(&alias.text, name),
        Item::Expr { alias: None, .. } | Item::Star(_) => false,
    });
    if later && problem.expected == UNKNOWN {
        problem.advice = format!("{name} is defined by a later item: put that item first");
    }
    problem
}
