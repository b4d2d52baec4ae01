//! Operators, CASE, IN, BETWEEN and casts: types as DuckDB has them, exact as SQL.md wants them.

use super::super::ast::{self, Binary, Not, OnFailure, Unary};
use super::super::plan::{Expr, Function, Interval, Node};
use super::super::{Problem, Span, units};
use super::Binder;
use super::types::{self, Digits, Exact, Texts, convert};
use crate::value::{Type, Value, WIDE_DIGITS};

/// A call without more ado.
pub(super) fn call(function: Function, args: Vec<Expr>, ty: Type, span: Span) -> Expr {
    Expr {
        node: Node::Call(function, args),
        ty,
        span,
    }
}

/// NOT around `expr` where it is present.
fn negated(not: Not, expr: Expr) -> Expr {
    match not {
        Not::Absent => expr,
        Not::Present => {
            let span = expr.span;
            call(Function::Not, vec![expr], Type::Boolean, span)
        }
    }
}

impl Binder<'_> {
    pub(super) fn unary(
        &mut self,
        unary: Unary,
        arg: &ast::Expr,
        span: Span,
    ) -> Result<Expr, Problem> {
        if let (Unary::Minus, ast::Node::Interval(_)) = (unary, &arg.node) {
            return Err(self.stray_interval(span));
        }
        let mut arg = self.expr(arg)?;
        match unary {
            Unary::Not => {
                Ok(negated(Not::Present, self.boolean(arg, "NOT")?)).map(|not| Expr { span, ..not })
            }
            Unary::Plus => {
                self.numeric(&arg, "+")?;
                arg.span = span;
                Ok(arg)
            }
            Unary::Minus => {
                self.numeric(&arg, "-")?;
                Ok(negative(arg, span))
            }
        }
    }

    pub(super) fn binary(
        &mut self,
        binary: Binary,
        left: &ast::Expr,
        right: &ast::Expr,
        span: Span,
    ) -> Result<Expr, Problem> {
        match (binary, &left.node, &right.node) {
            (Binary::Add, _, ast::Node::Interval(interval)) => {
                return self.add_interval(left, *interval, span);
            }
            (Binary::Add, ast::Node::Interval(interval), _) => {
                return self.add_interval(right, *interval, span);
            }
            (Binary::Subtract, _, ast::Node::Interval(interval)) => {
                let interval =
                    units::minus(*interval).ok_or_else(|| self.stray_interval(right.span))?;
                return self.add_interval(left, interval, span);
            }
            _ => {}
        }
        let left = self.expr(left)?;
        let right = self.expr(right)?;
        match operation(binary) {
            Operation::Compare(function) => self.compare(function, left, right, span),
            Operation::Compute(function) => self.compute(function, left, right, span),
        }
    }

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
}

/// What an operator does.
enum Operation {
    Compare(Function),
    Compute(Function),
}

fn operation(binary: Binary) -> Operation {
    match binary {
        Binary::Equal => Operation::Compare(Function::Equal),
        Binary::NotEqual => Operation::Compare(Function::NotEqual),
        Binary::Less => Operation::Compare(Function::Less),
        Binary::LessOrEqual => Operation::Compare(Function::LessOrEqual),
        Binary::Greater => Operation::Compare(Function::Greater),
        Binary::GreaterOrEqual => Operation::Compare(Function::GreaterOrEqual),
        Binary::Add => Operation::Compute(Function::Add),
        Binary::Subtract => Operation::Compute(Function::Subtract),
        Binary::Multiply => Operation::Compute(Function::Multiply),
        Binary::Divide => Operation::Compute(Function::Divide),
        Binary::IntegerDivide => Operation::Compute(Function::IntegerDivide),
        Binary::Modulo => Operation::Compute(Function::Modulo),
    }
}

/// Arithmetic.
impl Binder<'_> {
    fn compute(
        &self,
        function: Function,
        mut left: Expr,
        mut right: Expr,
        span: Span,
    ) -> Result<Expr, Problem> {
        self.no_time(function, &left, &right, span)?;
        for arg in [&left, &right] {
            self.numeric(arg, "arithmetic")?;
        }
        match (types::is_null(&left), types::is_null(&right)) {
            (true, false) => left.ty = right.ty,
            (false, true) => right.ty = left.ty,
            (true, true) | (false, false) => {}
        }
        let ty = if left.ty == Type::Double || right.ty == Type::Double {
            self.doubles(function, &mut left, &mut right)?
        } else {
            self.exact(function, &mut left, &mut right, span)?
        };
        Ok(call(function, vec![left, right], ty, span))
    }

    /// Refuses arithmetic with a TIMESTAMP, saying what to write.
    fn no_time(
        &self,
        function: Function,
        left: &Expr,
        right: &Expr,
        span: Span,
    ) -> Result<(), Problem> {
        let (l, r) = (self.shown(left), self.shown(right));
        let (found, advice) = match (left.ty, right.ty) {
            (Type::Timestamp, Type::Timestamp) if function == Function::Subtract => (
                "a difference of two TIMESTAMPs".to_owned(),
                format!("write epoch_ms({l}) - epoch_ms({r})"),
            ),
            (Type::Timestamp, _) => (
                self.shown_with_type(left),
                format!("add an interval: {l} + INTERVAL '1 day'"),
            ),
            (_, Type::Timestamp) => (
                self.shown_with_type(right),
                format!("add an interval: {r} + INTERVAL '1 day'"),
            ),
            _ => return Ok(()),
        };
        Err(Problem::new(span, "numbers in arithmetic", found, advice))
    }

    fn doubles(
        &self,
        function: Function,
        left: &mut Expr,
        right: &mut Expr,
    ) -> Result<Type, Problem> {
        if function == Function::IntegerDivide {
            let odd = if left.ty == Type::Double { left } else { right };
            return Err(self.integers_only(odd));
        }
        convert(left, Type::Double);
        convert(right, Type::Double);
        Ok(Type::Double)
    }

    fn integers_only(&self, odd: &Expr) -> Problem {
        let advice = "use / and round, floor or CAST(… AS BIGINT)";
        Problem::new(
            odd.span,
            "integers beside //",
            self.shown_with_type(odd),
            advice,
        )
    }

    /// The type of exact arithmetic. DECIMALs get the digits that hold every result, 38 at most; a result past 38 is
    /// an error when it is computed.
    fn exact(
        &self,
        function: Function,
        left: &mut Expr,
        right: &mut Expr,
        span: Span,
    ) -> Result<Type, Problem> {
        let integers = types::exact_type(&[left, right]);
        if !matches!(integers, Type::Decimal { .. }) {
            if function == Function::IntegerDivide {
                convert(left, integers);
                convert(right, integers);
            }
            return Ok(if function == Function::Divide {
                Type::Double
            } else {
                integers
            });
        }
        if function == Function::Divide {
            return Ok(Type::Double);
        }
        if function == Function::IntegerDivide {
            let odd = if matches!(left.ty, Type::Decimal { .. }) {
                left
            } else {
                right
            };
            return Err(self.integers_only(odd));
        }
        if function == Function::Multiply {
            return product(left, right, span);
        }
        types::scale_constants(&mut [left, right]);
        let carry = u8::from(function != Function::Modulo);
        let digits = Digits::of(left).zip(Digits::of(right));
        Ok(digits.map_or(integers, |(left, right)| left.with(right).decimal(carry)))
    }

    fn add_interval(
        &mut self,
        arg: &ast::Expr,
        interval: Interval,
        span: Span,
    ) -> Result<Expr, Problem> {
        if let ast::Node::Interval(_) = arg.node {
            return Err(self.stray_interval(span));
        }
        let arg = self.expr(arg)?;
        let arg = self.timestamp(arg, "a sum with an INTERVAL")?;
        Ok(call(
            Function::AddInterval(interval),
            vec![arg],
            Type::Timestamp,
            span,
        ))
    }

    pub(super) fn stray_interval(&self, span: Span) -> Problem {
        Problem::new(
            span,
            "an INTERVAL beside a TIMESTAMP only",
            span.shown(self.text),
            "write ts + INTERVAL '…', ts - INTERVAL '…' or time_bucket(INTERVAL '…', ts)",
        )
    }
}

/// The type of a product of exact values, one of them DECIMAL: scales add up.
fn product(left: &Expr, right: &Expr, span: Span) -> Result<Type, Problem> {
    let scale = left
        .ty
        .scale()
        .zip(right.ty.scale())
        .map(|(left, right)| left + right);
    let digits = Digits::of(left).zip(Digits::of(right));
    let (Some(after), Some((left, right))) = (scale, digits) else {
        return Ok(Type::Double);
    };
    if after > WIDE_DIGITS {
        return Err(Problem::new(
            span,
            format!("a product of at most {WIDE_DIGITS} digits after the point"),
            format!("{after} digits"),
            "round a factor, or write CAST(… AS DOUBLE)",
        ));
    }
    let before = left.before.saturating_add(right.before);
    Ok(Digits { before, after }.decimal(0))
}

/// `-arg`, at once where it is a constant.
fn negative(arg: Expr, span: Span) -> Expr {
    if let Node::Constant(value) = &arg.node {
        let folded = match value {
            Value::Null => Some(types::null(span)),
            Value::Double(value) => Some(types::double(-value, span)),
            Value::Int(_) | Value::Wide(_) | Value::Boolean(_) | Value::Text(_) => None,
        };
        if let Some(folded) = folded {
            return Expr {
                ty: arg.ty,
                ..folded
            };
        }
        if let Some(value) = types::constant_of(&arg).and_then(i128::checked_neg) {
            let decimal = matches!(arg.ty, Type::Decimal { .. });
            return if decimal {
                types::exact(value, arg.ty, span)
            } else {
                types::integer(value, span)
            };
        }
    }
    let ty = arg.ty;
    call(Function::Negate, vec![arg], ty, span)
}

/// Conditions: all three-valued.
impl Binder<'_> {
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
            .unwrap_or_else(|| types::boolean(false, Span::default())))
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

/// CAST and TRY_CAST as written.
impl Binder<'_> {
    pub(super) fn explicit_cast(
        &mut self,
        on_failure: OnFailure,
        arg: &ast::Expr,
        ty: Type,
        span: Span,
    ) -> Result<Expr, Problem> {
        let arg = self.expr(arg)?;
        self.castable(&arg, ty, span)?;
        let constant = matches!(arg.node, Node::Constant(_));
        if arg.ty == ty && !constant {
            return Ok(Expr { span, ..arg });
        }
        // A constant keeps its cast even to its own type: it is no literal any more that would take another type.
        let arg = Box::new(arg);
        let node = match on_failure {
            OnFailure::Error => Node::Cast(arg),
            OnFailure::Null => Node::TryCast(arg),
        };
        Ok(Expr { node, ty, span })
    }

    /// Refuses casts that DuckDB refuses for every value.
    fn castable(&self, arg: &Expr, ty: Type, span: Span) -> Result<(), Problem> {
        let shown = self.shown(arg);
        let advice = match (arg.ty, ty) {
            _ if types::is_null(arg) || arg.ty == ty => return Ok(()),
            (Type::Timestamp, Type::Varchar) | (Type::Varchar, Type::Timestamp) => return Ok(()),
            (Type::Timestamp, _) => format!("write epoch_ms({shown}) for its milliseconds"),
            (_, Type::Timestamp) => {
                "declare the column TIMESTAMP_S, TIMESTAMP_MS or TIMESTAMP_US in COLUMNS".to_owned()
            }
            _ => return Ok(()),
        };
        let expected = format!("a value that can be a {ty}");
        Err(Problem::new(
            span,
            expected,
            self.shown_with_type(arg),
            advice,
        ))
    }
}
