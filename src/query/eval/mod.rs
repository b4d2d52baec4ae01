//! Evaluates checked expressions over column batches, a column at a time (SPEC 5; SQL.md, Evaluation). Never row by
//! row through an interpreter: each node of an expression is one dense loop over a batch. Pure.
//!
//! A branch that only some rows need (CASE, COALESCE, the right side of AND and OR) is evaluated over a batch of just
//! these rows, so that no loop asks whether its row is wanted and nothing fails where its guard is false.

mod arithmetic;
mod cast;
mod compare;
mod guard;
mod number;
mod operand;
mod outermost;
mod pattern;
#[cfg(test)]
mod tests;
mod text;
mod time;

use std::borrow::Cow;

use super::Problem;
use super::plan::{Expr, Function, Node};
use crate::value::vector::{Batch, Data, Validity, Vector};
use crate::value::{Type, Value};
use arithmetic::{Linear, linear};
use compare::{Comparison, compare};
use guard::Truth;
pub use guard::{ColumnSet, columns_read, narrowed};
pub use operand::Operand;
use operand::{Held, Lane, TextLane};

/// The rows of a batch for which a condition is true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Every row.
    All,
    /// These, rising.
    Rows(Vec<u32>),
}

/// The values of `expr` over `batch`.
///
/// Errors: the first kernel that meets a value it cannot take says so; which row it was, is not said.
pub fn evaluate<'a>(expr: &'a Expr, batch: &'a Batch) -> Result<Operand<'a>, Problem> {
    match &expr.node {
        Node::Constant(value) => Ok(Operand::Constant(Cow::Borrowed(value))),
        Node::Column(index) => match batch.columns.get(*index) {
            Some(column) => Ok(Operand::Column(column)),
            None => Err(defect(expr)),
        },
        Node::Call(function, args) => {
            Call::new(expr, args, batch)?.run(batch.rows, |call| apply(*function, call))
        }
        Node::Cast(arg) => {
            Call::new(expr, std::slice::from_ref(arg), batch)?.run(batch.rows, cast::cast)
        }
        Node::TryCast(arg) => cast::try_cast(expr, arg, batch),
        Node::In(value, list) => compare::within(expr, value, list, batch),
        Node::And(left, right) => guard::and(expr, left, right, batch),
        Node::Or(left, right) => guard::or(expr, left, right, batch),
        Node::IsNull(arg) => Ok(is_null(&evaluate(arg, batch)?)),
        Node::Case { arms, otherwise } => guard::case(expr, arms, otherwise.as_deref(), batch),
        Node::Coalesce(args) => guard::coalesce(expr, args, batch),
        Node::Outermost(end, args) => outermost::outermost(expr, *end, args, batch),
    }
}

/// The rows of `batch` for which `condition` is true: neither false nor NULL.
pub fn filter(condition: &Expr, batch: &Batch) -> Result<Kept, Problem> {
    let operand = evaluate(condition, batch)?;
    guard::rows_where(&operand, condition, batch.rows, Truth::True)
}

/// A kernel's arguments, evaluated.
struct Call<'a> {
    /// The call, for its type and its place in the query.
    expr: &'a Expr,
    args: &'a [Expr],
    operands: Vec<Operand<'a>>,
    /// Rows of the result: the batch's, or 1 where all arguments are constant.
    rows: usize,
    /// Which rows of the result are not NULL: those where no argument is.
    valid: Validity,
}

impl<'a> Call<'a> {
    fn new(expr: &'a Expr, args: &'a [Expr], batch: &'a Batch) -> Result<Self, Problem> {
        let operands = args
            .iter()
            .map(|arg| evaluate(arg, batch))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            expr,
            args,
            operands,
            rows: batch.rows,
            valid: Validity::all(batch.rows),
        })
    }

    /// Runs `kernel` over the rows, or once where all is constant. NULL without asking where any argument always is.
    fn run(
        mut self,
        rows: usize,
        kernel: impl FnOnce(&Self) -> Result<Data, Problem>,
    ) -> Result<Operand<'a>, Problem> {
        if rows == 0 || self.operands.iter().any(Operand::is_null) {
            return Ok(Operand::NULL);
        }
        let mut vectors = self.operands.iter().filter_map(Operand::vector);
        let constant = match vectors.next() {
            None => true,
            Some(first) => {
                self.valid =
                    vectors.fold(first.valid.clone(), |valid, next| valid.and(&next.valid));
                false
            }
        };
        if constant {
            self.rows = 1;
            self.valid = Validity::all(1);
        }
        let data = kernel(&self)?;
        let vector = Vector {
            data,
            valid: self.valid,
        };
        Ok(if constant {
            Operand::Constant(Cow::Owned(vector.value(0)))
        } else {
            Operand::Owned(vector)
        })
    }

    fn operand(&self, index: usize) -> Result<(&Operand<'a>, Type), Problem> {
        match (self.operands.get(index), self.args.get(index)) {
            (Some(operand), Some(arg)) => Ok((operand, arg.ty)),
            _ => Err(defect(self.expr)),
        }
    }

    /// Argument `index` as a lane of `T`.
    fn lane<T: Held>(&self, index: usize) -> Result<Lane<'_, T>, Problem> {
        let (operand, _) = self.operand(index)?;
        operand.lane().ok_or_else(|| defect(self.expr))
    }

    /// Argument `index` as texts.
    fn text(&self, index: usize) -> Result<TextLane<'_>, Problem> {
        let (operand, _) = self.operand(index)?;
        operand.text().ok_or_else(|| defect(self.expr))
    }
}

/// The strict functions.
fn apply(function: Function, call: &Call<'_>) -> Result<Data, Problem> {
    match function {
        Function::Add => linear(Linear::Add, call),
        Function::Subtract => linear(Linear::Subtract, call),
        Function::Multiply => linear(Linear::Multiply, call),
        Function::Divide => arithmetic::divide(call),
        Function::IntegerDivide => arithmetic::integer_divide(call),
        Function::Modulo => arithmetic::modulo(call),
        Function::Negate => arithmetic::negate(call),
        Function::Abs => arithmetic::abs(call),
        Function::Equal => compare(Comparison::Equal, call),
        Function::NotEqual => compare(Comparison::NotEqual, call),
        Function::Less => compare(Comparison::Less, call),
        Function::LessOrEqual => compare(Comparison::LessOrEqual, call),
        Function::Greater => compare(Comparison::Greater, call),
        Function::GreaterOrEqual => compare(Comparison::GreaterOrEqual, call),
        Function::Not => Ok(Data::Boolean(operand::map(call.lane(0)?, |value: bool| {
            !value
        }))),
        Function::Round { digits } => number::round(call, digits),
        Function::Floor => number::whole(call, number::Towards::Below),
        Function::Ceil => number::whole(call, number::Towards::Above),
        Function::Sqrt => number::sqrt(call),
        Function::Power => number::power(call),
        Function::Exp => number::double(call, f64::exp),
        Function::Ln => number::logarithm(call, f64::ln),
        Function::Log10 => number::logarithm(call, f64::log10),
        Function::Sin => number::double(call, f64::sin),
        Function::Cos => number::double(call, f64::cos),
        Function::Tan => number::double(call, f64::tan),
        Function::Sign => number::sign(call),
        Function::Lower => text::mapped(call, text::Case::Lower),
        Function::Upper => text::mapped(call, text::Case::Upper),
        Function::Length => text::length(call),
        Function::Substr => text::substr(call),
        Function::Trim => text::trim(call),
        Function::Replace => text::replace(call),
        Function::StartsWith => text::starts_with(call),
        Function::Contains => text::contains(call),
        Function::Concat => text::concat(call),
        Function::Like { escape } => pattern::like(call, escape),
        Function::TimeBucket(bucket) => time::bucket(call, bucket),
        Function::DateTrunc(unit) => time::trunc(call, unit),
        Function::DatePart(unit) => time::part(call, unit),
        Function::Epoch => time::epoch(call),
        Function::EpochMs => time::epoch_ms(call),
        Function::MakeTimestamp => time::make(call),
        Function::AddInterval(interval) => time::add_interval(call, interval),
    }
}

fn is_null<'a>(operand: &Operand<'_>) -> Operand<'a> {
    match (operand.vector(), operand.flags()) {
        (Some(_), Some(flags)) => Operand::Owned(Vector::from_data(Data::Boolean(
            flags.iter().map(|&valid| !valid).collect(),
        ))),
        (Some(_), None) => Operand::Constant(Cow::Owned(Value::Boolean(false))),
        (None, _) => Operand::Constant(Cow::Owned(Value::Boolean(operand.is_null()))),
    }
}

/// A value that an expression met and cannot take.
fn problem(
    expr: &Expr,
    expected: impl Into<String>,
    found: impl Into<String>,
    advice: impl Into<String>,
) -> Problem {
    Problem {
        span: expr.span,
        expected: expected.into(),
        found: found.into(),
        advice: advice.into(),
    }
}

/// The plan is not what the checker promises; no query text can cause it.
fn defect(expr: &Expr) -> Problem {
    problem(
        expr,
        "arguments as the checker arranges them",
        "other ones",
        "this is a defect in windrow: please report it with this query",
    )
}
