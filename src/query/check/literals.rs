//! Constants: what is written in a query, and what it becomes beside other types (SQL.md, Types and literals).
//!
//! A literal is a [`Node::Constant`]: NULL takes the type of its context, a text becomes a TIMESTAMP beside one. What
//! an explicit cast has made of it is no literal any more.

use super::super::plan::{Expr, Node};
use super::super::{Problem, Span};
use crate::value::{Physical, Type, Value, WIDE_DIGITS, decimal, timestamp};

fn constant(value: Value, ty: Type, span: Span) -> Expr {
    Expr {
        node: Node::Constant(value),
        ty,
        span,
    }
}

/// NULL, a BIGINT until its context says otherwise (DuckDB: INTEGER).
pub(super) fn null(span: Span) -> Expr {
    constant(Value::Null, Type::BigInt, span)
}

pub(super) fn boolean(value: bool, span: Span) -> Expr {
    constant(Value::Boolean(value), Type::Boolean, span)
}

pub(super) fn text(text: &str, span: Span) -> Expr {
    constant(Value::Text(text.into()), Type::Varchar, span)
}

pub(super) fn double(value: f64, span: Span) -> Expr {
    constant(Value::Double(value), Type::Double, span)
}

/// A number as written: an integer is a BIGINT or, when larger, a HUGEINT; one with a point a DECIMAL of its digits
/// (a DOUBLE past 38, as in DuckDB); one with an exponent a DOUBLE.
pub(super) fn number(digits: &str, span: Span) -> Result<Expr, Problem> {
    if digits.contains(['e', 'E']) {
        return literal_double(digits, span);
    }
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let significant = whole.trim_start_matches('0');
    let unscaled: Option<i128> = format!("0{significant}{fraction}").parse().ok();
    let is_decimal = digits.contains('.');
    let precision = significant.len().max(usize::from(!whole.is_empty())) + fraction.len();
    match (
        u8::try_from(precision),
        u8::try_from(fraction.len()),
        unscaled,
    ) {
        (Ok(precision), Ok(scale), Some(unscaled)) if is_decimal && precision <= WIDE_DIGITS => {
            let precision = precision.max(1);
            Ok(exact(unscaled, Type::Decimal { precision, scale }, span))
        }
        (_, _, Some(value)) if !is_decimal => Ok(integer(value, span)),
        _ if is_decimal => literal_double(digits, span),
        _ => {
            let advice = "write it with an exponent, as a DOUBLE: 1e40";
            Err(Problem::new(
                span,
                "an integer that fits HUGEINT",
                digits,
                advice,
            ))
        }
    }
}

fn literal_double(digits: &str, span: Span) -> Result<Expr, Problem> {
    match digits.parse() {
        Ok(value) if f64::is_finite(value) => Ok(double(value, span)),
        _ => Err(Problem::new(
            span,
            "a number that fits DOUBLE",
            digits,
            "the largest is about 1.8e308",
        )),
    }
}

/// An integer in the smallest type that holds it.
pub(super) fn integer(value: i128, span: Span) -> Expr {
    let ty = if i64::try_from(value).is_ok() {
        Type::BigInt
    } else {
        Type::HugeInt
    };
    exact(value, ty, span)
}

/// A constant of an exact type that holds `unscaled`.
pub(super) fn exact(unscaled: i128, ty: Type, span: Span) -> Expr {
    let value = match (ty.physical(), i64::try_from(unscaled)) {
        (Physical::Int, Ok(unscaled)) => Value::Int(unscaled),
        _ => Value::Wide(unscaled),
    };
    constant(value, ty, span)
}

/// The unscaled integer of an exact constant.
pub(super) fn constant_of(expr: &Expr) -> Option<i128> {
    expr.ty.scale()?;
    if let Node::Constant(Value::Int(value)) = expr.node {
        return Some(i128::from(value));
    }
    if let Node::Constant(Value::Wide(value)) = expr.node {
        return Some(value);
    }
    None
}

pub(super) fn is_null(expr: &Expr) -> bool {
    matches!(expr.node, Node::Constant(Value::Null))
}

pub(super) fn is_text(expr: &Expr) -> bool {
    matches!(expr.node, Node::Constant(Value::Text(_)))
}

/// `expr` as `ty`: at once where it is a constant that fits, else by a cast.
pub(super) fn convert(expr: &mut Expr, ty: Type) {
    if expr.ty == ty {
        return;
    }
    if is_null(expr) {
        expr.ty = ty;
        return;
    }
    if let Some(folded) = converted(expr, ty) {
        *expr = folded;
        return;
    }
    let span = expr.span;
    let arg = std::mem::replace(expr, null(span));
    *expr = Expr {
        node: Node::Cast(Box::new(arg)),
        ty,
        span,
    };
}

/// The constant `expr` as `ty`, where no digit is lost.
fn converted(expr: &Expr, ty: Type) -> Option<Expr> {
    if let (Node::Constant(Value::Text(text)), Type::Timestamp) = (&expr.node, ty) {
        let value = Value::Int(timestamp::cast_text(text.as_bytes()).ok()?);
        return Some(constant(value, ty, expr.span));
    }
    let (unscaled, from) = (constant_of(expr)?, expr.ty.scale()?);
    if ty == Type::Double {
        return Some(double(decimal::to_double(unscaled, from), expr.span));
    }
    let more = u32::from(ty.scale()?.checked_sub(from)?);
    let unscaled = unscaled.checked_mul(decimal::pow10(more)?)?;
    let fits = match ty {
        Type::Decimal { precision, .. } => decimal::fits(unscaled, precision),
        Type::BigInt => i64::try_from(unscaled).is_ok(),
        Type::HugeInt => true,
        Type::Boolean | Type::Double | Type::Varchar | Type::Timestamp => false,
    };
    fits.then(|| exact(unscaled, ty, expr.span))
}

/// Digits of `value`, one for 0.
pub(super) fn digits(value: i128) -> u8 {
    let more = value.unsigned_abs().checked_ilog10().unwrap_or_default();
    u8::try_from(more + 1).unwrap_or(WIDE_DIGITS)
}
