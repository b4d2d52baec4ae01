//! What gives a BOOLEAN or chooses by one: comparison, AND, OR, IS NULL, IN, BETWEEN, CASE. All three-valued.

use super::super::ast::{self, Not};
use super::super::plan::{Expr, Function, Node};
use super::super::{Problem, Span};
use super::operators::call;
use super::types::{Exact, Texts};
use super::{Binder, literals};
use crate::value::Type;

/// NOT around `expr` where it is present.
pub(super) fn negated(not: Not, expr: Expr) -> Expr {
    match not {
        Not::Absent => expr,
        Not::Present => {
            let span = expr.span;
            call(Function::Not, vec![expr], Type::Boolean, span)
        }
    }
}

/// Whether a pattern's last character is an escape that escapes nothing.
fn ends_in_escape(pattern: &[u8], escape: u8) -> bool {
    let mut bytes = pattern.iter();
    while let Some(&byte) = bytes.next() {
        if byte == escape && bytes.next().is_none() {
            return true;
        }
    }
    false
}

impl Binder<'_> {
    pub(super) fn compare(
        &self,
        function: Function,
        mut left: Expr,
        mut right: Expr,
        span: Span,
    ) -> Result<Expr, Problem> {
        self.align(
            &mut [&mut left, &mut right],
            Exact::Stay,
            Texts::Any,
            "a comparison",
        )?;
        Ok(call(function, vec![left, right], Type::Boolean, span))
    }

    /// AND or OR of many terms, as a balanced tree: the order in which they are evaluated stays, the depth is small.
    pub(super) fn chain(
        &mut self,
        node: fn(Box<Expr>, Box<Expr>) -> Node,
        terms: &[ast::Expr],
        word: &str,
    ) -> Result<Expr, Problem> {
        let mut level = Vec::with_capacity(terms.len());
        for term in terms {
            let term = self.expr(term)?;
            level.push(self.boolean(term, word)?);
        }
        while level.len() > 1 {
            let mut next = Vec::with_capacity(level.len().div_ceil(2));
            let mut terms = level.into_iter();
            while let Some(left) = terms.next() {
                next.push(match terms.next() {
                    None => left,
                    Some(right) => Expr {
                        span: left.span.to(right.span),
                        node: node(Box::new(left), Box::new(right)),
                        ty: Type::Boolean,
                    },
                });
            }
            level = next;
        }
        Ok(level
            .pop()
            .unwrap_or_else(|| literals::boolean(false, Span::default())))
    }

    pub(super) fn like(
        &mut self,
        not: Not,
        value: &ast::Expr,
        pattern: &ast::Expr,
        escape: Option<u8>,
        span: Span,
    ) -> Result<Expr, Problem> {
        let mut args = Vec::with_capacity(2);
        for arg in [value, pattern] {
            let arg = self.expr(arg)?;
            args.push(self.of_type(arg, Type::Varchar, "LIKE")?);
        }
        if let ast::Node::Text(text) = &pattern.node
            && let Some(escape) = escape
            && ends_in_escape(text.as_bytes(), escape)
        {
            return Err(Problem::new(
                pattern.span,
                "a pattern that does not end with its escape character",
                pattern.span.shown(self.text),
                "write the character twice where it is meant itself",
            ));
        }
        let like = call(Function::Like { escape }, args, Type::Boolean, span);
        Ok(negated(not, like))
    }

    pub(super) fn is_null(
        &mut self,
        not: Not,
        arg: &ast::Expr,
        span: Span,
    ) -> Result<Expr, Problem> {
        let arg = self.expr(arg)?;
        let is_null = Expr {
            node: Node::IsNull(Box::new(arg)),
            ty: Type::Boolean,
            span,
        };
        Ok(negated(not, is_null))
    }

    pub(super) fn in_list(
        &mut self,
        not: Not,
        value: &ast::Expr,
        list: &[ast::Expr],
        span: Span,
    ) -> Result<Expr, Problem> {
        let mut value = self.expr(value)?;
        let mut list = list
            .iter()
            .map(|item| self.expr(item))
            .collect::<Result<Vec<_>, _>>()?;
        let mut all: Vec<&mut Expr> = std::iter::once(&mut value).chain(&mut list).collect();
        self.align(&mut all, Exact::Meet, Texts::Any, "IN")?;
        let found = Expr {
            node: Node::In(Box::new(value), list),
            ty: Type::Boolean,
            span,
        };
        Ok(negated(not, found))
    }

    /// `value BETWEEN low AND high`, as `value >= low AND value <= high`.
    pub(super) fn between(
        &mut self,
        not: Not,
        [value, low, high]: [&ast::Expr; 3],
        span: Span,
    ) -> Result<Expr, Problem> {
        let mut value = self.expr(value)?;
        let mut low = self.expr(low)?;
        let mut high = self.expr(high)?;
        self.align(
            &mut [&mut value, &mut low, &mut high],
            Exact::Stay,
            Texts::Any,
            "BETWEEN",
        )?;
        let again = self.copy(&value)?;
        let at_least = call(
            Function::GreaterOrEqual,
            vec![value, low],
            Type::Boolean,
            span,
        );
        let at_most = call(
            Function::LessOrEqual,
            vec![again, high],
            Type::Boolean,
            span,
        );
        let both = Expr {
            node: Node::And(Box::new(at_least), Box::new(at_most)),
            ty: Type::Boolean,
            span,
        };
        Ok(negated(not, both))
    }

    /// CASE; the simple form compares its operand with each value.
    pub(super) fn case(
        &mut self,
        operand: Option<&ast::Expr>,
        arms: &[(ast::Expr, ast::Expr)],
        otherwise: Option<&ast::Expr>,
        span: Span,
    ) -> Result<Expr, Problem> {
        let operand = operand.map(|operand| self.expr(operand)).transpose()?;
        let mut whens = Vec::with_capacity(arms.len());
        let mut results = Vec::with_capacity(arms.len() + 1);
        for (when, then) in arms {
            let when = self.expr(when)?;
            whens.push(match &operand {
                None => self.boolean(when, "WHEN")?,
                Some(operand) => {
                    let operand = self.copy(operand)?;
                    let span = when.span;
                    self.compare(Function::Equal, operand, when, span)?
                }
            });
            results.push(self.expr(then)?);
        }
        if let Some(otherwise) = otherwise {
            results.push(self.expr(otherwise)?);
        }
        let mut all: Vec<&mut Expr> = results.iter_mut().collect();
        self.align(&mut all, Exact::Meet, Texts::Literal, "the results of CASE")?;
        let ty = results.first().map_or(Type::BigInt, |first| first.ty);
        let otherwise = otherwise.and_then(|_| results.pop()).map(Box::new);
        let arms = whens.into_iter().zip(results).collect();
        let node = Node::Case { arms, otherwise };
        Ok(Expr { node, ty, span })
    }
}
