//! `round`, `floor`, `ceil`, `sign`, roots, powers, logarithms and angles (SQL.md, Rounding and casts).

use super::arithmetic::{Exact, finite, fits, narrow, overflow};
use super::operand::{map, try_map, zip};
use super::{Call, problem};
use crate::query::Problem;
use crate::value::vector::Data;
use crate::value::{Type, decimal, double};

/// `round(x, digits)`, half away from zero.
pub(super) fn round(call: &Call<'_>, digits: i32) -> Result<Data, Problem> {
    if call.expr.ty == Type::Double {
        let values = map(call.lane(0)?, |value| double::round(value, digits));
        return finite(call, values);
    }
    let (values, scale) = Exact::of(call, 0)?;
    let ty = call.expr.ty;
    try_map(values.widen().lane(), &call.valid, |value| {
        decimal::round(value, scale, digits).filter(|&value| fits(value, ty))
    })
    .map(|values| narrow(values, ty))
    .map_err(|at| overflow(call, at))
}

/// Which way `floor` and `ceil` go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Towards {
    /// `floor`
    Below,
    /// `ceil`
    Above,
}

/// `floor` and `ceil`: of DECIMAL at scale 0, of DOUBLE.
pub(super) fn whole(call: &Call<'_>, towards: Towards) -> Result<Data, Problem> {
    if call.expr.ty == Type::Double {
        return Ok(Data::Double(match towards {
            Towards::Below => map(call.lane(0)?, f64::floor),
            Towards::Above => map(call.lane(0)?, f64::ceil),
        }));
    }
    let (values, scale) = Exact::of(call, 0)?;
    let ty = call.expr.ty;
    let rounding = match towards {
        Towards::Below => decimal::Rounding::Floor,
        Towards::Above => decimal::Rounding::Ceil,
    };
    try_map(values.widen().lane(), &call.valid, |value| {
        decimal::rescale(value, scale, 0, rounding).filter(|&value| fits(value, ty))
    })
    .map(|values| narrow(values, ty))
    .map_err(|at| overflow(call, at))
}

/// `sqrt(x)`
pub(super) fn sqrt(call: &Call<'_>) -> Result<Data, Problem> {
    let values = try_map(call.lane(0)?, &call.valid, |value: f64| {
        (value >= 0.0).then(|| value.sqrt())
    })
    .map_err(|at| {
        problem(
            call.expr,
            "an argument that is not negative",
            super::arithmetic::shown_args(call, at.0),
            "guard the expression with CASE",
        )
    })?;
    Ok(Data::Double(values))
}

/// `pow(x, y)`
pub(super) fn power(call: &Call<'_>) -> Result<Data, Problem> {
    finite(call, zip(call.lane(0)?, call.lane(1)?, f64::powf))
}

/// `exp(x)`, `sin(x)`, `cos(x)`, `tan(x)`
pub(super) fn double(call: &Call<'_>, of: fn(f64) -> f64) -> Result<Data, Problem> {
    finite(call, map(call.lane(0)?, of))
}

/// `ln(x)`, `log10(x)`
pub(super) fn logarithm(call: &Call<'_>, of: fn(f64) -> f64) -> Result<Data, Problem> {
    let above_zero = |value: f64| (value > 0.0).then(|| of(value));
    let values = try_map(call.lane(0)?, &call.valid, above_zero).map_err(|at| {
        problem(
            call.expr,
            "an argument above zero",
            super::arithmetic::shown_args(call, at.0),
            "write NULLIF(x, 0) for the argument, or guard the expression with CASE",
        )
    })?;
    Ok(Data::Double(values))
}

/// `sign(x)`: -1, 0 or 1.
pub(super) fn sign(call: &Call<'_>) -> Result<Data, Problem> {
    if call.operand(0)?.1 == Type::Double {
        return Ok(Data::Int(map(call.lane(0)?, |value: f64| {
            i64::from(value > 0.0) - i64::from(value < 0.0)
        })));
    }
    let (values, _) = Exact::of(call, 0)?;
    Ok(Data::Int(map(values.widen().lane(), |value| {
        i64::from(value > 0) - i64::from(value < 0)
    })))
}
