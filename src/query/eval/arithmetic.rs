//! `+ - * / // %`, negation and `abs` (SQL.md, Arithmetic): exact over integers and decimals, never infinite over
//! DOUBLE. Where the types rule a problem out, the loop does not look for one.

use std::borrow::Cow;

use super::operand::{Failed, Lane, Operand, map, try_map, try_zip, zip};
use super::{Call, defect, problem};
use crate::query::Problem;
use crate::value::vector::Data;
use crate::value::{INT_DIGITS, Physical, Type, Value, decimal, quotient};

/// Digits of the widest BIGINT.
const BIGINT_DIGITS: u32 = 19;

/// An exact number of some scale as a kernel reads it.
pub(super) enum Exact<'a> {
    /// Held in 64 bits.
    Int(Lane<'a, i64>),
    /// Held in 128 bits.
    Wide(Lane<'a, i128>),
}

impl<'a> Exact<'a> {
    /// Argument `index` of `call`, with its scale.
    pub(super) fn of(call: &'a Call<'_>, index: usize) -> Result<(Self, u8), Problem> {
        let (operand, ty) = call.operand(index)?;
        Self::from(operand, ty).ok_or_else(|| defect(call.expr))
    }

    /// The values of `operand`, which are of type `ty`, with their scale.
    pub(super) fn from(operand: &'a Operand<'_>, ty: Type) -> Option<(Self, u8)> {
        let scale = ty.scale()?;
        let lane = match ty.physical() {
            Physical::Int => Exact::Int(operand.lane()?),
            Physical::Wide => Exact::Wide(operand.lane()?),
            Physical::Boolean | Physical::Double | Physical::Text => return None,
        };
        Some((lane, scale))
    }

    /// All in 128 bits: a copy where they are not yet.
    pub(super) fn widen(&self) -> Widened<'a> {
        match *self {
            Exact::Int(Lane::One(value)) => Widened::One(value.into()),
            Exact::Wide(Lane::One(value)) => Widened::One(value),
            Exact::Int(lane) => Widened::Values(Cow::Owned(map(lane, i128::from))),
            Exact::Wide(Lane::Slice(values)) => Widened::Values(Cow::Borrowed(values)),
        }
    }

    /// A bound of the digits of every value of type `ty`: the constant's own where it is one.
    fn digits(&self, ty: Type) -> u32 {
        let magnitude = match *self {
            Exact::Int(Lane::One(value)) => u128::from(value.unsigned_abs()),
            Exact::Wide(Lane::One(value)) => value.unsigned_abs(),
            Exact::Int(Lane::Slice(_)) | Exact::Wide(Lane::Slice(_)) => {
                return if let Type::Decimal { precision, .. } = ty {
                    u32::from(precision)
                } else if ty == Type::BigInt {
                    BIGINT_DIGITS
                } else {
                    u32::MAX
                };
            }
        };
        magnitude.checked_ilog10().map_or(1, |log| log + 1)
    }
}

/// See [`Exact::widen`].
pub(super) enum Widened<'a> {
    Values(Cow<'a, [i128]>),
    One(i128),
}

impl Widened<'_> {
    pub(super) fn lane(&self) -> Lane<'_, i128> {
        match self {
            Widened::Values(values) => Lane::Slice(values),
            Widened::One(value) => Lane::One(*value),
        }
    }
}

/// Whether a value fits an exact type.
pub(super) fn fits(value: i128, ty: Type) -> bool {
    match ty {
        Type::BigInt => i64::try_from(value).is_ok(),
        Type::Decimal { precision, .. } => decimal::fits(value, precision),
        Type::HugeInt | Type::Boolean | Type::Double | Type::Varchar | Type::Timestamp => true,
    }
}

/// Values that fit `ty`, as it holds them.
pub(super) fn narrow(values: Vec<i128>, ty: Type) -> Data {
    if ty.physical() == Physical::Wide {
        return Data::Wide(values);
    }
    Data::Int(
        values
            .into_iter()
            .map(|value| i64::try_from(value).unwrap_or_default())
            .collect(),
    )
}

/// The operations without a division.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Linear {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
}

/// `+ - *`
pub(super) fn linear(operation: Linear, call: &Call<'_>) -> Result<Data, Problem> {
    if call.expr.ty == Type::Double {
        return double(operation, call);
    }
    if call.expr.ty == Type::BigInt {
        let (left, right) = (call.lane(0)?, call.lane(1)?);
        let results = match operation {
            Linear::Add => try_zip(left, right, &call.valid, i64::checked_add),
            Linear::Subtract => try_zip(left, right, &call.valid, i64::checked_sub),
            Linear::Multiply => try_zip(left, right, &call.valid, i64::checked_mul),
        };
        return results.map(Data::Int).map_err(|at| overflow(call, at));
    }
    let ((left, left_scale), (right, right_scale)) = (Exact::of(call, 0)?, Exact::of(call, 1)?);
    if let (Exact::Int(l), Exact::Int(r)) = (&left, &right)
        && let Some(data) = bounded(operation, call, (*l, *r))?
    {
        return Ok(data);
    }
    let ty = call.expr.ty;
    let (left, right) = (left.widen(), right.widen());
    // A HUGEINT may take all of 128 bits, a DECIMAL 38 digits.
    let results = match (operation, ty == Type::HugeInt) {
        (Linear::Add, true) => wide(call, &left, &right, i128::checked_add),
        (Linear::Add, false) => wide(call, &left, &right, |l, r| {
            decimal::add(l, left_scale, r, right_scale)
        }),
        (Linear::Subtract, true) => wide(call, &left, &right, i128::checked_sub),
        (Linear::Subtract, false) => wide(call, &left, &right, |l, r| {
            decimal::subtract(l, left_scale, r, right_scale)
        }),
        (Linear::Multiply, _) => wide(call, &left, &right, i128::checked_mul),
    };
    results
        .map(|values| narrow(values, ty))
        .map_err(|at| overflow(call, at))
}

/// The general loop over exact numbers: in 128 bits, every result asked whether it fits its type.
fn wide(
    call: &Call<'_>,
    left: &Widened<'_>,
    right: &Widened<'_>,
    of: impl Fn(i128, i128) -> Option<i128>,
) -> Result<Vec<i128>, Failed> {
    let ty = call.expr.ty;
    try_zip(left.lane(), right.lane(), &call.valid, |left, right| {
        of(left, right).filter(|&result| fits(result, ty))
    })
}

/// `+ - *` of numbers held in 64 bits where the digits of their types, and of constants, show that the result fits:
/// plain loops. `None` where they do not.
fn bounded(
    operation: Linear,
    call: &Call<'_>,
    lanes: (Lane<'_, i64>, Lane<'_, i64>),
) -> Result<Option<Data>, Problem> {
    let Type::Decimal { precision, scale } = call.expr.ty else {
        return Ok(None);
    };
    let ((left, left_scale), (right, right_scale)) = (Exact::of(call, 0)?, Exact::of(call, 1)?);
    let digits = (
        left.digits(call.operand(0)?.1),
        right.digits(call.operand(1)?.1),
    );
    let (l, r) = lanes;
    if operation == Linear::Multiply {
        let fits = digits.0 + digits.1 <= u32::from(precision);
        return Ok(match fits {
            true if precision <= INT_DIGITS => Some(Data::Int(zip(l, r, i64::wrapping_mul))),
            true => Some(Data::Wide(zip(l, r, |l, r| i128::from(l) * i128::from(r)))),
            false => None,
        });
    }
    // Both at the result's scale, one digit more for the carry.
    let raised = |digits: u32, from: u8| digits + u32::from(scale.saturating_sub(from));
    let digits = raised(digits.0, left_scale).max(raised(digits.1, right_scale)) + 1;
    let factor = |from: u8| decimal::pow10(u32::from(scale.saturating_sub(from)));
    let (Some(a), Some(b)) = (factor(left_scale), factor(right_scale)) else {
        return Ok(None);
    };
    if digits > u32::from(precision) || precision > INT_DIGITS {
        return Ok(None);
    }
    let (Ok(a), Ok(b)) = (i64::try_from(a), i64::try_from(b)) else {
        return Ok(None);
    };
    let b = if operation == Linear::Add { b } else { -b };
    Ok(Some(Data::Int(zip(l, r, |l, r| {
        l.wrapping_mul(a).wrapping_add(r.wrapping_mul(b))
    }))))
}

fn double(operation: Linear, call: &Call<'_>) -> Result<Data, Problem> {
    let (left, right): (Lane<'_, f64>, Lane<'_, f64>) = (call.lane(0)?, call.lane(1)?);
    let values = match operation {
        Linear::Add => zip(left, right, |l, r| l + r),
        Linear::Subtract => zip(left, right, |l, r| l - r),
        Linear::Multiply => zip(left, right, |l, r| l * r),
    };
    finite(call, values)
}

/// `values` where they are finite; what stands at a NULL's place becomes harmless.
pub(super) fn finite(call: &Call<'_>, mut values: Vec<f64>) -> Result<Data, Problem> {
    // One flag over all, so that the loop has no branch.
    if values
        .iter()
        .fold(true, |all, value| all & value.is_finite())
    {
        return Ok(Data::Double(values));
    }
    for (row, value) in values.iter_mut().enumerate() {
        if value.is_finite() {
            continue;
        }
        if call.valid.is_valid(row) {
            return Err(problem(
                call.expr,
                "a finite DOUBLE",
                format!("{value} from {}", shown_args(call, row)),
                "guard the expression with CASE, or NULLIF its argument",
            ));
        }
        *value = 0.0;
    }
    Ok(Data::Double(values))
}

/// `/`: always DOUBLE, over exact numbers the exact quotient rounded once.
pub(super) fn divide(call: &Call<'_>) -> Result<Data, Problem> {
    let (_, ty) = call.operand(0)?;
    if ty == Type::Double {
        let (left, right): (Lane<'_, f64>, Lane<'_, f64>) = (call.lane(0)?, call.lane(1)?);
        let values = try_zip(left, right, &call.valid, |l, r| (r != 0.0).then(|| l / r))
            .map_err(|at| by_zero(call, at))?;
        return finite(call, values);
    }
    let ((left, left_scale), (right, right_scale)) = (Exact::of(call, 0)?, Exact::of(call, 1)?);
    if let (Exact::Int(l), Exact::Int(r)) = (&left, &right) {
        return try_zip(*l, *r, &call.valid, |l, r| {
            divide_int(l, left_scale, r, right_scale)
        })
        .map(Data::Double)
        .map_err(|at| by_zero(call, at));
    }
    let (left, right) = (left.widen(), right.widen());
    try_zip(left.lane(), right.lane(), &call.valid, |l, r| {
        quotient::divide_scaled(l, left_scale, r, right_scale)
    })
    .map(Data::Double)
    .map_err(|at| by_zero(call, at))
}

/// Two numbers that doubles hold, of one scale: their quotient is rounded once by the machine's own division.
fn divide_int(left: i64, left_scale: u8, right: i64, right_scale: u8) -> Option<f64> {
    const EXACT: u64 = 1 << f64::MANTISSA_DIGITS;
    if left_scale == right_scale
        && left.unsigned_abs() <= EXACT
        && right.unsigned_abs() <= EXACT
        && right != 0
    {
        #[expect(clippy::cast_precision_loss, reason = "at most 2^53, as asked above")]
        return Some(left as f64 / right as f64);
    }
    quotient::divide_scaled(left.into(), left_scale, right.into(), right_scale)
}

/// `//`: towards zero.
pub(super) fn integer_divide(call: &Call<'_>) -> Result<Data, Problem> {
    if call.expr.ty == Type::BigInt {
        let (left, right) = (call.lane(0)?, call.lane(1)?);
        return try_zip(left, right, &call.valid, i64::checked_div)
            .map(Data::Int)
            .map_err(|at| quotient_problem(call, at));
    }
    let ((left, _), (right, _)) = (Exact::of(call, 0)?, Exact::of(call, 1)?);
    let (left, right) = (left.widen(), right.widen());
    try_zip(left.lane(), right.lane(), &call.valid, i128::checked_div)
        .map(Data::Wide)
        .map_err(|at| quotient_problem(call, at))
}

/// `%`: the sign of the left; decimals at the larger scale.
pub(super) fn modulo(call: &Call<'_>) -> Result<Data, Problem> {
    if call.expr.ty == Type::Double {
        let (left, right): (Lane<'_, f64>, Lane<'_, f64>) = (call.lane(0)?, call.lane(1)?);
        let values = try_zip(left, right, &call.valid, |l, r| (r != 0.0).then(|| l % r))
            .map_err(|at| by_zero(call, at))?;
        return finite(call, values);
    }
    if call.expr.ty == Type::BigInt {
        // The smallest BIGINT by -1 has no quotient, but its remainder is 0.
        return try_zip(call.lane(0)?, call.lane(1)?, &call.valid, |l: i64, r| {
            (r != 0).then(|| l.wrapping_rem(r))
        })
        .map(Data::Int)
        .map_err(|at| by_zero(call, at));
    }
    let ((left, left_scale), (right, right_scale)) = (Exact::of(call, 0)?, Exact::of(call, 1)?);
    let (left, right) = (left.widen(), right.widen());
    try_zip(left.lane(), right.lane(), &call.valid, |l, r| {
        decimal::remainder(l, left_scale, r, right_scale)
    })
    .map(|values| narrow(values, call.expr.ty))
    .map_err(|at| by_zero(call, at))
}

/// `-x`
pub(super) fn negate(call: &Call<'_>) -> Result<Data, Problem> {
    unary(call, i64::checked_neg, i128::checked_neg, |value| -value)
}

/// `abs(x)`
pub(super) fn abs(call: &Call<'_>) -> Result<Data, Problem> {
    unary(call, i64::checked_abs, i128::checked_abs, f64::abs)
}

fn unary(
    call: &Call<'_>,
    int: fn(i64) -> Option<i64>,
    wide: fn(i128) -> Option<i128>,
    double: fn(f64) -> f64,
) -> Result<Data, Problem> {
    match call.operand(0)?.1.physical() {
        Physical::Int => try_map(call.lane(0)?, &call.valid, int).map(Data::Int),
        Physical::Wide => try_map(call.lane(0)?, &call.valid, wide).map(Data::Wide),
        Physical::Double => Ok(Data::Double(map(call.lane(0)?, double))),
        Physical::Boolean | Physical::Text => return Err(defect(call.expr)),
    }
    .map_err(|at| overflow(call, at))
}

/// The arguments at `row` as texts, for a message.
pub(super) fn shown_args(call: &Call<'_>, row: usize) -> String {
    let mut texts = Vec::new();
    for (operand, arg) in call.operands.iter().zip(call.args) {
        let mut text = Vec::new();
        let value = match operand {
            Operand::Constant(value) => value.clone().into_owned(),
            Operand::Column(vector) => vector.value(row),
            Operand::Owned(vector) => vector.value(row),
        };
        if value == Value::Null {
            text.extend_from_slice(b"NULL");
        } else {
            crate::value::text::append_value(&value, arg.ty, &mut text);
        }
        texts.push(crate::error::shown(&text, SHOWN_CHARACTERS));
    }
    texts.join(" and ")
}

/// Characters of a value that a message shows.
const SHOWN_CHARACTERS: usize = 64;

pub(super) fn overflow(call: &Call<'_>, Failed(row): Failed) -> Problem {
    problem(
        call.expr,
        format!("a result that fits {}", call.expr.ty),
        format!("an overflow from {}", shown_args(call, row)),
        "cast an argument to a wider type (HUGEINT, DECIMAL or DOUBLE)",
    )
}

fn by_zero(call: &Call<'_>, Failed(row): Failed) -> Problem {
    problem(
        call.expr,
        "a divisor other than zero",
        format!("a division by zero: {}", shown_args(call, row)),
        "write NULLIF(x, 0) for the divisor to get NULL there",
    )
}

/// Of `//`, where the smallest integer by -1 overflows.
fn quotient_problem(call: &Call<'_>, at: Failed) -> Problem {
    let zero = match call.operands.get(1) {
        Some(Operand::Constant(value)) => matches!(**value, Value::Int(0) | Value::Wide(0)),
        Some(operand) => operand
            .vector()
            .is_some_and(|vector| matches!(vector.value(at.0), Value::Int(0) | Value::Wide(0))),
        None => false,
    };
    if zero {
        by_zero(call, at)
    } else {
        overflow(call, at)
    }
}
