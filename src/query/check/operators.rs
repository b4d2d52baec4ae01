//! Operators, CASE, IN, BETWEEN and casts: types as DuckDB has them, exact as SQL.md wants them.

use super::super::ast::{self, Binary, Not, OnFailure, Unary};
use super::super::plan::{Expr, Function, Interval, Node};
use super::super::{Problem, Span, eval, units};
use super::Binder;
use super::conditions::negated;
use super::literals::{self, convert};
use super::types::{self, Digits};
use crate::value::vector::Batch;
use crate::value::{Type, Value, WIDE_DIGITS};

/// A call without more ado.
pub(super) fn call(function: Function, args: Vec<Expr>, ty: Type, span: Span) -> Expr {
    Expr {
        node: Node::Call(function, args),
        ty,
        span,
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
            Operation::Concat => {
                // Any value has a text.
                let mut args = vec![left, right];
                args.iter_mut().for_each(|arg| convert(arg, Type::Varchar));
                Ok(call(Function::Concat, args, Type::Varchar, span))
            }
        }
    }
}

/// What an operator does.
enum Operation {
    Compare(Function),
    Compute(Function),
    Concat,
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
        Binary::Concat => Operation::Concat,
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
        match (literals::is_null(&left), literals::is_null(&right)) {
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
        if left.ty == Type::Timestamp
            && right.ty == Type::Timestamp
            && function == Function::Subtract
        {
            let advice = format!(
                "write epoch_ms({}) - epoch_ms({})",
                self.shown(left),
                self.shown(right)
            );
            return Err(Problem::new(
                span,
                "numbers in arithmetic",
                "a difference of two TIMESTAMPs",
                advice,
            ));
        }
        let Some(time) = [left, right]
            .into_iter()
            .find(|arg| arg.ty == Type::Timestamp)
        else {
            return Ok(());
        };
        let found = self.shown_with_type(time);
        let advice = format!("add an interval: {} + INTERVAL '1 day'", self.shown(time));
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
            Value::Null => Some(literals::null(span)),
            Value::Double(value) => Some(literals::double(-value, span)),
            Value::Int(_) | Value::Wide(_) | Value::Boolean(_) | Value::Text(_) => None,
        };
        if let Some(folded) = folded {
            return Expr {
                ty: arg.ty,
                ..folded
            };
        }
        if let Some(value) = literals::constant_of(&arg).and_then(i128::checked_neg) {
            let decimal = matches!(arg.ty, Type::Decimal { .. });
            return if decimal {
                literals::exact(value, arg.ty, span)
            } else {
                literals::integer(value, span)
            };
        }
    }
    let ty = arg.ty;
    call(Function::Negate, vec![arg], ty, span)
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
        let cast = Expr { node, ty, span };
        if constant {
            // What can never work is said before the run starts.
            let one_row = Batch {
                rows: 1,
                ..Batch::default()
            };
            eval::evaluate(&cast, &one_row)?;
        }
        Ok(cast)
    }

    /// Refuses casts that DuckDB refuses for every value.
    fn castable(&self, arg: &Expr, ty: Type, span: Span) -> Result<(), Problem> {
        if literals::is_null(arg) || arg.ty == ty {
            return Ok(());
        }
        let advice = match (arg.ty, ty) {
            (Type::Timestamp, Type::Varchar) | (Type::Varchar, Type::Timestamp) => return Ok(()),
            (Type::Timestamp, _) => {
                format!("write epoch_ms({}) for its milliseconds", self.shown(arg))
            }
            (_, Type::Timestamp) => types::DECLARE_TIMESTAMP.to_owned(),
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
