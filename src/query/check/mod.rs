//! A tree of names to a plan of typed columns (SQL.md). The clauses are put together here; `names` knows columns and
//! aliases, `literals` constants, `types` what may stand beside what; `operators`, `conditions` and `calls` type what
//! computes, `aggregates` what folds, `groups` what a grouped query may show.
//!
//! While it is checked, an expression counts the columns of COLUMNS from 0 and, after them, the aggregate calls in
//! order of appearance. The plan's own numbering is given at the end.

mod aggregates;
mod calls;
mod conditions;
mod groups;
mod literals;
mod names;
mod operators;
mod types;

use super::ast::{self, GroupBy, Item, Select};
use super::eval::columns_read;
use super::plan::{Aggregate, Expr, Groups, Node, OrderKey, Output, Plan, Rows, Shape};
use super::{Problem, Span, same_name};
use crate::limits::{EXPRESSION_HEIGHT, EXPRESSION_NODES, ORDERED_ROWS};
use crate::value::column::Column;
use names::Alias;

/// The plan of `select`, which was parsed from `text`, over `columns`; it reads those of `besides` too.
///
/// Errors: the first problem of names or types, by clause: SELECT, WHERE, GROUP BY, HAVING, ORDER BY.
pub(super) fn check(
    select: &Select,
    text: &str,
    columns: &[Column],
    besides: &[usize],
) -> Result<Plan, Problem> {
    let mut binder = Binder::new(text, columns);
    let items = binder.items(&select.items)?;
    let filter = binder.condition(select.filter.as_ref(), Clause::Where)?;
    let keys = binder.keys(select.group_by.as_ref(), &items)?;
    let having = binder.condition(select.having.as_ref(), Clause::Having)?;
    let order = binder.order(&select.order_by, &items)?;
    let grouped = keys.is_some() || having.is_some() || !binder.aggregates.is_empty();
    let outputs: Vec<Expr> = items.iter().map(|item| item.expr.clone()).collect();
    let limit = select.limit.map(|limit| limit.rows);
    let grouping = |keys, order, limit| Grouping {
        keys,
        having,
        outputs: outputs.clone(),
        order,
        limit,
    };
    let shape = match (select.distinct, grouped) {
        (None, true) => {
            binder.no_star(select)?;
            Shape::Groups(binder.groups(grouping(keys.unwrap_or_default(), order, limit))?)
        }
        (None, false) => Shape::Rows(binder.rows(select, outputs, order)?),
        (Some(_), true) => {
            binder.no_star(select)?;
            let keys = keys.unwrap_or_default();
            let distinct = binder.distinct(&outputs, order, limit)?;
            let mut groups = binder.groups(grouping(keys, Vec::new(), None))?;
            groups.distinct = Some(Box::new(distinct));
            Shape::Groups(groups)
        }
        // Each row is a group of all that it shows.
        (Some(_), false) => {
            let mut keys: Vec<Expr> = Vec::new();
            for output in &outputs {
                if !keys.contains(output) {
                    keys.push(binder.copy(output)?);
                }
            }
            binder.of_outputs(&outputs, &order)?;
            Shape::Groups(binder.groups(grouping(keys, order, limit))?)
        }
    };
    let mut plan = Plan {
        columns: Vec::new(),
        filter,
        shape,
        outputs: items.into_iter().map(Checked::output).collect(),
    };
    number_columns(&mut plan, columns, besides);
    Ok(plan)
}

/// A grouped query's parts, still over the input's columns.
struct Grouping {
    keys: Vec<Expr>,
    having: Option<Expr>,
    outputs: Vec<Expr>,
    order: Vec<OrderKey>,
    limit: Option<u64>,
}

/// An item of SELECT, checked.
struct Checked {
    name: String,
    expr: Expr,
}

impl Checked {
    fn output(self) -> Output {
        Output {
            name: self.name,
            ty: self.expr.ty,
        }
    }
}

/// Where an expression stands: decides what it may hold and how a message calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clause {
    Select,
    Where,
    GroupBy,
    Having,
    OrderBy,
}

impl Clause {
    fn name(self) -> &'static str {
        match self {
            Clause::Select => "SELECT",
            Clause::Where => "WHERE",
            Clause::GroupBy => "GROUP BY",
            Clause::Having => "HAVING",
            Clause::OrderBy => "ORDER BY",
        }
    }
}

/// What is known while a query is checked.
struct Binder<'a> {
    text: &'a str,
    columns: &'a [Column],
    /// Aliases that may be used: while SELECT is checked, those of earlier items.
    aliases: Vec<Alias>,
    /// Every distinct aggregate call so far.
    aggregates: Vec<Aggregate>,
    clause: Clause,
    /// The aggregate call whose argument is being checked.
    inside: Option<Span>,
    /// Levels of the tree above.
    depth: usize,
    /// Nodes made so far.
    nodes: usize,
}

impl<'a> Binder<'a> {
    fn new(text: &'a str, columns: &'a [Column]) -> Self {
        Self {
            text,
            columns,
            aliases: Vec::new(),
            aggregates: Vec::new(),
            clause: Clause::Select,
            inside: None,
            depth: 0,
            nodes: 0,
        }
    }

    /// The items of SELECT, `*` as the columns it stands for.
    fn items(&mut self, items: &[Item]) -> Result<Vec<Checked>, Problem> {
        let mut checked: Vec<Checked> = Vec::new();
        for item in items {
            match item {
                Item::Star(span) => {
                    for column in 0..self.columns.len() {
                        let item = self.star_item(column, *span);
                        unique(&checked, &item.name, *span)?;
                        checked.push(item);
                    }
                }
                Item::Expr { expr, alias } => {
                    let item = self.item(expr, alias.as_ref(), items)?;
                    unique(
                        &checked,
                        &item.name,
                        alias.as_ref().map_or(expr.span, |alias| alias.span),
                    )?;
                    checked.push(item);
                }
            }
        }
        Ok(checked)
    }

    fn star_item(&self, column: usize, span: Span) -> Checked {
        Checked {
            name: self
                .columns
                .get(column)
                .map(|column| column.name.clone())
                .unwrap_or_default(),
            expr: self.column(column, span),
        }
    }

    fn item(
        &mut self,
        expr: &ast::Expr,
        alias: Option<&ast::Name>,
        items: &[Item],
    ) -> Result<Checked, Problem> {
        let bound = self
            .expr(expr)
            .map_err(|problem| names::defined_later(problem, items, self.text))?;
        if let Some(alias) = alias {
            self.define(alias, &bound);
            return Ok(Checked {
                name: alias.text.clone(),
                expr: bound,
            });
        }
        if let (Node::Column(column), ast::Node::Name { .. }) = (&bound.node, &expr.node)
            && *column < self.columns.len()
        {
            return Ok(self.star_item(*column, expr.span));
        }
        Err(Problem::new(
            expr.span,
            "AS and a name after an item that is no bare column",
            expr.span.shown(self.text),
            "write AS and the name that the output shall have",
        ))
    }

    /// WHERE or HAVING.
    fn condition(
        &mut self,
        condition: Option<&ast::Expr>,
        clause: Clause,
    ) -> Result<Option<Expr>, Problem> {
        self.clause = clause;
        condition
            .map(|condition| {
                let condition = self.expr(condition)?;
                self.boolean(condition, clause.name())
            })
            .transpose()
    }

    /// GROUP BY; `None` where there is none.
    fn keys(
        &mut self,
        group_by: Option<&GroupBy>,
        items: &[Checked],
    ) -> Result<Option<Vec<Expr>>, Problem> {
        self.clause = Clause::GroupBy;
        let mut keys: Vec<Expr> = Vec::new();
        let mut add = |key: Expr| {
            if !keys.contains(&key) {
                keys.push(key);
            }
        };
        match group_by {
            None => return Ok(None),
            Some(GroupBy::All) => {
                let plain = items.iter().filter(|item| self.is_key_of_all(&item.expr));
                plain.for_each(|item| add(item.expr.clone()));
                if keys.is_empty() {
                    return Ok(None);
                }
            }
            Some(GroupBy::Items(list)) => {
                for key in list {
                    let bound = match self.position(key, items)? {
                        Some(item) if self.has_aggregate(&item.expr) => {
                            return Err(self.no_aggregate(key.span));
                        }
                        Some(item) => self.copy(&item.expr)?,
                        None => self.expr(key)?,
                    };
                    add(bound);
                }
            }
        }
        Ok(Some(keys))
    }

    /// Whether GROUP BY ALL groups by it: it has columns and no aggregate. A constant is the same in every group, and
    /// alone it makes none of an empty input.
    ///
    /// Source: DuckDB 2.0.0.
    fn is_key_of_all(&self, expr: &Expr) -> bool {
        !self.has_aggregate(expr) && types::has_column(expr)
    }

    fn order(
        &mut self,
        order_by: &[ast::OrderItem],
        items: &[Checked],
    ) -> Result<Vec<OrderKey>, Problem> {
        self.clause = Clause::OrderBy;
        let keys = order_by.iter().map(|item| {
            Ok(OrderKey {
                expr: self.order_key(&item.expr, items)?,
                direction: item.direction,
                nulls: item.nulls,
            })
        });
        keys.collect()
    }

    fn order_key(&mut self, expr: &ast::Expr, items: &[Checked]) -> Result<Expr, Problem> {
        if let Some(item) = self.position(expr, items)? {
            return self.copy(&item.expr);
        }
        if let ast::Node::Name { table: None, name } = &expr.node
            && let Some(alias) = self.alias(name)
        {
            return self.expand(alias, expr.span);
        }
        if let ast::Node::Null | ast::Node::Boolean(_) | ast::Node::Text(_) = expr.node {
            let found = format!("{}, a constant", expr.span.shown(self.text));
            let advice = "name an output column or give its position, from 1";
            return Err(Problem::new(expr.span, "what to order by", found, advice));
        }
        self.expr(expr)
    }

    /// A query without groups.
    fn rows(
        &self,
        select: &Select,
        outputs: Vec<Expr>,
        order: Vec<OrderKey>,
    ) -> Result<Rows, Problem> {
        let most = u64::from(ORDERED_ROWS);
        if let Some(first) = select.order_by.first()
            && select.limit.is_none_or(|limit| limit.rows > most)
        {
            let found = match select.limit {
                None => "no LIMIT".to_owned(),
                Some(limit) => format!("LIMIT {}", limit.rows),
            };
            return Err(Problem::new(
                first.expr.span,
                format!("a LIMIT of at most {most} after ORDER BY in a query without groups"),
                found,
                "rows that are ordered are held in memory; without ORDER BY they keep the order of the input",
            ));
        }
        Ok(Rows {
            outputs,
            order,
            limit: select.limit.map(|limit| limit.rows),
        })
    }

    /// SELECT DISTINCT over what groups show: groups whose keys are the outputs.
    fn distinct(
        &self,
        outputs: &[Expr],
        order: Vec<OrderKey>,
        limit: Option<u64>,
    ) -> Result<Groups, Problem> {
        let places = self.of_outputs(outputs, &order)?;
        let column = |index: usize, expr: &Expr| Expr {
            node: Node::Column(index),
            ..expr.clone()
        };
        let columns = || outputs.iter().enumerate();
        let columns = || columns().map(|(index, expr)| column(index, expr));
        let order = order.into_iter().zip(places).map(|(key, place)| OrderKey {
            expr: column(place, &key.expr),
            ..key
        });
        Ok(Groups {
            keys: columns().collect(),
            aggregates: Vec::new(),
            having: None,
            outputs: columns().collect(),
            order: order.collect(),
            limit,
            distinct: None,
        })
    }

    /// The output that each key of ORDER BY is, as SELECT DISTINCT wants it.
    fn of_outputs(&self, outputs: &[Expr], order: &[OrderKey]) -> Result<Vec<usize>, Problem> {
        let place = |key: &OrderKey| {
            let place = outputs.iter().position(|output| *output == key.expr);
            place.ok_or_else(|| {
                Problem::new(
                    key.expr.span,
                    "an output column in ORDER BY after SELECT DISTINCT",
                    self.shown(&key.expr),
                    "select it too, or write GROUP BY",
                )
            })
        };
        order.iter().map(place).collect()
    }

    /// The item that a bare number in GROUP BY or ORDER BY means.
    fn position<'i>(
        &self,
        expr: &ast::Expr,
        items: &'i [Checked],
    ) -> Result<Option<&'i Checked>, Problem> {
        let ast::Node::Number(digits) = &expr.node else {
            return Ok(None);
        };
        let item = digits
            .parse()
            .ok()
            .and_then(|position: usize| items.get(position.checked_sub(1)?));
        item.map(Some).ok_or_else(|| {
            let last = items.len();
            let advice = format!(
                "a number in {} counts the items of SELECT",
                self.clause.name()
            );
            Problem::new(
                expr.span,
                format!("a position from 1 to {last}"),
                digits.as_str(),
                advice,
            )
        })
    }

    /// One expression, typed.
    fn expr(&mut self, expr: &ast::Expr) -> Result<Expr, Problem> {
        self.count(1, expr.span)?;
        self.depth += 1;
        let bound = self.node(expr);
        self.depth -= 1;
        bound
    }

    fn node(&mut self, expr: &ast::Expr) -> Result<Expr, Problem> {
        let span = expr.span;
        match &expr.node {
            ast::Node::Null => Ok(literals::null(span)),
            ast::Node::Boolean(value) => Ok(literals::boolean(*value, span)),
            ast::Node::Number(digits) => literals::number(digits, span),
            ast::Node::Text(text) => Ok(literals::text(text, span)),
            ast::Node::Interval(_) => Err(self.stray_interval(span)),
            ast::Node::Name { table, name } => self.name(table.as_ref(), name, span),
            ast::Node::Unary(unary, arg) => self.unary(*unary, arg, span),
            ast::Node::Binary(binary, left, right) => self.binary(*binary, left, right, span),
            ast::Node::And(terms) => self.chain(Node::And, terms, "AND"),
            ast::Node::Or(terms) => self.chain(Node::Or, terms, "OR"),
            ast::Node::IsNull(not, arg) => self.is_null(*not, arg, span),
            ast::Node::In(not, value, list) => self.in_list(*not, value, list, span),
            ast::Node::Between(not, value, low, high) => {
                self.between(*not, [value, low, high], span)
            }
            ast::Node::Like(not, value, pattern, escape) => {
                self.like(*not, value, pattern, *escape, span)
            }
            ast::Node::Case {
                operand,
                arms,
                otherwise,
            } => self.case(operand.as_deref(), arms, otherwise.as_deref(), span),
            ast::Node::Cast(on_failure, arg, ty) => self.explicit_cast(*on_failure, arg, *ty, span),
            ast::Node::Call(call) => self.call(call, span),
        }
    }

    /// Counts `nodes` more.
    fn count(&mut self, nodes: usize, span: Span) -> Result<(), Problem> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes <= EXPRESSION_NODES {
            return Ok(());
        }
        Err(Problem::new(
            span,
            format!("a query of at most {EXPRESSION_NODES} operations, its aliases written out"),
            "more",
            "use fewer aliases that are built on one another",
        ))
    }

    /// Another copy of `expr`, counted.
    fn copy(&mut self, expr: &Expr) -> Result<Expr, Problem> {
        self.count(types::size(expr).nodes, expr.span)?;
        Ok(expr.clone())
    }

    /// What `expr` covers of the query, to show in a message.
    fn shown(&self, expr: &Expr) -> String {
        expr.span.shown(self.text)
    }

    /// The same with its type: `qty, a BIGINT`.
    fn shown_with_type(&self, expr: &Expr) -> String {
        format!("{}, a {}", self.shown(expr), expr.ty)
    }
}

/// Refuses a second output of one name.
fn unique(items: &[Checked], name: &str, span: Span) -> Result<(), Problem> {
    if items.iter().any(|item| same_name(&item.name, name)) {
        let advice = "give one of them another name with AS; names match without case";
        return Err(Problem::new(
            span,
            "output names that differ",
            format!("{name} twice"),
            advice,
        ));
    }
    Ok(())
}

/// Chooses the columns that are read, those of the plan, those of `besides` and those NOT NULL, and counts in them.
fn number_columns(plan: &mut Plan, columns: &[Column], besides: &[usize]) {
    let read = columns_read(over_columns(plan).into_iter().map(|expr| &*expr));
    let of_plan = (0..).zip(columns);
    plan.columns = of_plan
        .filter(|&(number, column)| {
            column.not_null || read.contains(number) || besides.contains(&number)
        })
        .map(|(number, _)| number)
        .collect();
    let numbers = plan.columns.clone();
    for expr in over_columns(plan) {
        renumber(expr, &numbers);
    }
}

/// Every expression of the plan that is over the input's columns.
fn over_columns(plan: &mut Plan) -> Vec<&mut Expr> {
    let mut exprs: Vec<&mut Expr> = plan.filter.iter_mut().collect();
    match &mut plan.shape {
        Shape::Rows(rows) => {
            exprs.extend(&mut rows.outputs);
            exprs.extend(rows.order.iter_mut().map(|key| &mut key.expr));
        }
        Shape::Groups(groups) => {
            exprs.extend(&mut groups.keys);
            for aggregate in &mut groups.aggregates {
                exprs.extend(&mut aggregate.args);
                exprs.extend(&mut aggregate.filter);
            }
        }
    }
    exprs
}

fn renumber(expr: &mut Expr, columns: &[usize]) {
    if let Node::Column(column) = &mut expr.node {
        // Always found: the plan's columns are those that it reads, and more.
        *column = columns.binary_search(column).unwrap_or_default();
    }
    for child in expr.children_mut() {
        renumber(child, columns);
    }
}

const _: () = assert!(EXPRESSION_HEIGHT < EXPRESSION_NODES);
