//! Comparisons and IN (SQL.md: numbers of any scales compare exactly and never fail, texts bytewise).

use std::cmp::Ordering;

use super::arithmetic::Exact;
use super::operand::{Lane, Operand, TextLane, map, zip};
use super::{Call, defect, evaluate};
use crate::query::Problem;
use crate::query::plan::Expr;
use crate::value::vector::{Batch, Data, Validity, Vector};
use crate::value::{Physical, Type, Value, decimal};

/// The comparisons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    /// `=`
    Equal,
    /// `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// `= <> < <= > >=`
pub(super) fn compare(comparison: Comparison, call: &Call<'_>) -> Result<Data, Problem> {
    let ((left, left_ty), (right, right_ty)) = (call.operand(0)?, call.operand(1)?);
    compared(comparison, (left, left_ty), (right, right_ty))
        .map(Data::Boolean)
        .ok_or_else(|| defect(call.expr))
}

/// One truth a row, NULLs not looked at; `None` for operands that cannot be compared.
fn compared(
    comparison: Comparison,
    (left, left_ty): (&Operand<'_>, Type),
    (right, right_ty): (&Operand<'_>, Type),
) -> Option<Vec<bool>> {
    if left_ty.scale().is_some() && right_ty.scale().is_some() {
        return exact(
            comparison,
            Exact::from(left, left_ty)?,
            Exact::from(right, right_ty)?,
        );
    }
    Some(match left_ty.physical() {
        Physical::Boolean => ordered::<bool>(comparison, left.lane()?, right.lane()?),
        Physical::Int => ordered::<i64>(comparison, left.lane()?, right.lane()?),
        Physical::Wide => ordered::<i128>(comparison, left.lane()?, right.lane()?),
        Physical::Double => ordered::<f64>(comparison, left.lane()?, right.lane()?),
        Physical::Text => text(comparison, left.text()?, right.text()?),
    })
}

/// A dense loop for each comparison.
fn ordered<T: Copy + PartialOrd>(
    comparison: Comparison,
    left: Lane<'_, T>,
    right: Lane<'_, T>,
) -> Vec<bool> {
    match comparison {
        Comparison::Equal => zip(left, right, |l, r| l == r),
        Comparison::NotEqual => zip(left, right, |l, r| l != r),
        Comparison::Less => zip(left, right, |l, r| l < r),
        Comparison::LessOrEqual => zip(left, right, |l, r| l <= r),
        Comparison::Greater => zip(left, right, |l, r| l > r),
        Comparison::GreaterOrEqual => zip(left, right, |l, r| l >= r),
    }
}

/// Orderings of two values stand for the comparison of the first with the second.
fn by_ordering(comparison: Comparison, orderings: &[Ordering]) -> Vec<bool> {
    ordered(
        comparison,
        Lane::Slice(orderings),
        Lane::One(Ordering::Equal),
    )
}

fn exact(
    comparison: Comparison,
    (left, left_scale): (Exact<'_>, u8),
    (right, right_scale): (Exact<'_>, u8),
) -> Option<Vec<bool>> {
    if let (Exact::Int(l), Exact::Int(r)) = (&left, &right) {
        if left_scale == right_scale {
            return Some(ordered(comparison, *l, *r));
        }
        // A constant at the column's scale, where it has one there.
        if let Lane::One(value) = l
            && let Some(value) = at_scale(*value, left_scale, right_scale)
        {
            return Some(ordered(comparison, Lane::One(value), *r));
        }
        if let Lane::One(value) = r
            && let Some(value) = at_scale(*value, right_scale, left_scale)
        {
            return Some(ordered(comparison, *l, Lane::One(value)));
        }
    }
    let (left, right) = (left.widen(), right.widen());
    if left_scale == right_scale {
        return Some(ordered(comparison, left.lane(), right.lane()));
    }
    let orderings = zip(left.lane(), right.lane(), |l, r| {
        decimal::compare(l, left_scale, r, right_scale)
    });
    Some(by_ordering(comparison, &orderings))
}

fn at_scale(value: i64, from: u8, to: u8) -> Option<i64> {
    let value = decimal::rescale(value.into(), from, to, decimal::Rounding::Exact)?;
    i64::try_from(value).ok()
}

fn text(comparison: Comparison, left: TextLane<'_>, right: TextLane<'_>) -> Vec<bool> {
    match (comparison, left, right) {
        (Comparison::Equal, texts, TextLane::One(one))
        | (Comparison::Equal, TextLane::One(one), texts) => texts.map(|text| text == one),
        (Comparison::NotEqual, texts, TextLane::One(one))
        | (Comparison::NotEqual, TextLane::One(one), texts) => texts.map(|text| text != one),
        (_, texts, TextLane::One(one)) => by_ordering(comparison, &texts.map(|text| text.cmp(one))),
        (_, TextLane::One(one), texts) => by_ordering(comparison, &texts.map(|text| one.cmp(text))),
        (_, TextLane::Texts(left), TextLane::Texts(right)) => {
            let orderings: Vec<Ordering> = left
                .iter()
                .zip(right.iter())
                .map(|(l, r)| l.cmp(r))
                .collect();
            by_ordering(comparison, &orderings)
        }
    }
}

/// `value IN (list)`: true where an item is equal, else NULL where value or an item is NULL, else false.
pub(super) fn within<'a>(
    expr: &Expr,
    value: &'a Expr,
    list: &'a [Expr],
    batch: &'a Batch,
) -> Result<Operand<'a>, Problem> {
    let left = evaluate(value, batch)?;
    let items = list
        .iter()
        .map(|item| evaluate(item, batch))
        .collect::<Result<Vec<_>, _>>()?;
    if batch.rows == 0 || left.is_null() {
        return Ok(Operand::NULL);
    }
    let constant = left.vector().is_none() && items.iter().all(|item| item.vector().is_none());
    let rows = if constant { 1 } else { batch.rows };
    let mut found = vec![false; rows];
    let mut unknown = match left.flags() {
        Some(flags) => map(Lane::Slice(flags), |valid| !valid),
        None => vec![false; rows],
    };
    for (item, ty) in items.iter().zip(list.iter().map(|item| item.ty)) {
        if item.is_null() {
            unknown.fill(true);
            continue;
        }
        let mut equal = compared(Comparison::Equal, (&left, value.ty), (item, ty))
            .ok_or_else(|| defect(expr))?;
        if equal.len() != rows {
            // A constant among columns, compared with a constant.
            equal = vec![equal.first().copied().unwrap_or_default(); rows];
        }
        if let Some(flags) = item.flags() {
            for ((equal, unknown), &valid) in equal.iter_mut().zip(&mut unknown).zip(flags) {
                *equal &= valid;
                *unknown |= !valid;
            }
        }
        for (found, equal) in found.iter_mut().zip(equal) {
            *found |= equal;
        }
    }
    if let Some(flags) = left.flags() {
        for (found, &valid) in found.iter_mut().zip(flags) {
            *found &= valid;
        }
    }
    let flags = found
        .iter()
        .zip(&unknown)
        .map(|(&found, &unknown)| found | !unknown)
        .collect();
    let vector = Vector {
        data: Data::Boolean(found),
        valid: Validity::from_flags(flags),
    };
    Ok(if constant {
        Operand::Constant(std::borrow::Cow::<Value>::Owned(vector.value(0)))
    } else {
        Operand::Owned(vector)
    })
}
