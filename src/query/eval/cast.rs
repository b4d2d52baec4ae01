//! CAST and TRY_CAST (SQL.md, Rounding and casts). One dense loop a pair of types; what has no counterpart is noted and
//! then is a [`Problem`], or NULL for TRY_CAST.

use std::borrow::Cow;

use super::arithmetic::{Exact, fits, narrow, shown_args};
use super::guard::too_much_text;
use super::operand::{Lane, Operand, map};
use super::{Call, defect, problem};
use crate::query::Problem;
use crate::query::plan::Expr;
use crate::value::decimal::Rounding;
use crate::value::vector::{Batch, Data, Texts, Validity, Vector};
use crate::value::{
    ParseFault, Physical, Type, boolean, decimal, double, integer, text, timestamp,
};

/// Rows that have no counterpart in the type, rising, and why where a text says it.
#[derive(Default)]
struct Lost(Vec<(usize, Option<ParseFault>)>);

/// `CAST(arg AS type)`
pub(super) fn cast(call: &Call<'_>) -> Result<Data, Problem> {
    let mut lost = Lost::default();
    let data = convert(call, &mut lost)?;
    let first = lost.0.iter().find(|(row, _)| call.valid.is_valid(*row));
    let Some(&(row, fault)) = first else {
        return Ok(data);
    };
    let why = fault.map_or(String::new(), |fault| format!(": {fault}"));
    Err(problem(
        call.expr,
        format!("a value that is a {}", call.expr.ty),
        format!("{}{why}", shown_args(call, row)),
        "write TRY_CAST to get NULL there",
    ))
}

/// `TRY_CAST(arg AS type)`: NULL where [`cast`] is a problem; one of `arg` itself stays one.
pub(super) fn try_cast<'a>(
    expr: &'a Expr,
    arg: &'a Expr,
    batch: &'a Batch,
) -> Result<Operand<'a>, Problem> {
    let mut lost = Lost::default();
    let operand = Call::new(expr, std::slice::from_ref(arg), batch)?
        .run(batch.rows, |call| convert(call, &mut lost))?;
    if lost.0.is_empty() {
        return Ok(operand);
    }
    let Operand::Owned(Vector { data, valid }) = operand else {
        // The constant has no counterpart.
        return Ok(Operand::NULL);
    };
    let mut flags: Vec<bool> = (0..data.len()).map(|row| valid.is_valid(row)).collect();
    for (row, _) in lost.0 {
        if let Some(flag) = flags.get_mut(row) {
            *flag = false;
        }
    }
    Ok(Operand::Owned(Vector {
        data,
        valid: Validity::from_flags(flags),
    }))
}

fn convert(call: &Call<'_>, lost: &mut Lost) -> Result<Data, Problem> {
    let (operand, from) = call.operand(0)?;
    let to = call.expr.ty;
    if to == Type::Varchar {
        return to_text(call, operand, from);
    }
    Ok(match from {
        Type::Varchar => return from_text(call, to, lost),
        Type::Boolean => from_boolean(call.lane(0)?, to).ok_or_else(|| defect(call.expr))?,
        Type::Double => from_double(call.lane(0)?, to, lost).ok_or_else(|| defect(call.expr))?,
        Type::Timestamp if to == Type::Timestamp => Data::Int(map(call.lane(0)?, |value| value)),
        Type::Timestamp => return Err(defect(call.expr)),
        Type::BigInt | Type::HugeInt | Type::Decimal { .. } => {
            from_exact(call, to, lost)?.ok_or_else(|| defect(call.expr))?
        }
    })
}

/// `of` each value; a row without a result is noted and gets the default.
fn each<T: Copy, R: Default>(
    lane: Lane<'_, T>,
    lost: &mut Lost,
    mut of: impl FnMut(T) -> Option<R>,
) -> Vec<R> {
    let mut row = 0;
    map(lane, |value| {
        let result = of(value).unwrap_or_else(|| {
            lost.0.push((row, None));
            R::default()
        });
        row += 1;
        result
    })
}

fn from_boolean(lane: Lane<'_, bool>, to: Type) -> Option<Data> {
    Some(match to {
        Type::Boolean => Data::Boolean(map(lane, |value| value)),
        Type::Double => Data::Double(map(lane, f64::from)),
        Type::BigInt | Type::HugeInt | Type::Decimal { .. } => {
            let one = decimal::pow10(u32::from(to.scale()?))?;
            narrow(map(lane, |value| if value { one } else { 0 }), to)
        }
        Type::Varchar | Type::Timestamp => return None,
    })
}

fn from_double(lane: Lane<'_, f64>, to: Type, lost: &mut Lost) -> Option<Data> {
    Some(match to {
        Type::Boolean => Data::Boolean(map(lane, |value| value != 0.0)),
        Type::Double => Data::Double(map(lane, |value| value)),
        Type::BigInt => Data::Int(each(lane, lost, integer::from_double)),
        Type::HugeInt => Data::Wide(each(lane, lost, integer::huge_from_double)),
        Type::Decimal { precision, scale } => {
            let of = |value| decimal::from_double(value, precision, scale);
            narrow(each(lane, lost, of), to)
        }
        Type::Varchar | Type::Timestamp => return None,
    })
}

fn from_exact(call: &Call<'_>, to: Type, lost: &mut Lost) -> Result<Option<Data>, Problem> {
    let (values, scale) = Exact::of(call, 0)?;
    if to == Type::Double {
        return Ok(Some(Data::Double(match values {
            Exact::Int(lane) => map(lane, int_to_double(scale)),
            Exact::Wide(lane) => map(lane, |value| decimal::to_double(value, scale)),
        })));
    }
    if let (Exact::Int(lane), Physical::Int) = (&values, to.physical())
        && let Some(factor) = exact_factor(call.operand(0)?.1, to)
    {
        return Ok(Some(Data::Int(map(*lane, |value| {
            i64::wrapping_mul(value, factor)
        }))));
    }
    let values = values.widen();
    if to == Type::Boolean {
        return Ok(Some(Data::Boolean(map(values.lane(), |value| value != 0))));
    }
    let Some(to_scale) = to.scale() else {
        return Ok(None);
    };
    let rescaled = each(values.lane(), lost, |value| {
        decimal::rescale(value, scale, to_scale, Rounding::HalfAway)
            .filter(|&value| fits(value, to))
    });
    Ok(Some(narrow(rescaled, to)))
}

/// What every value of decimal type `from` is multiplied with to be one of `to`; `None` where one might not fit, or
/// would be rounded.
fn exact_factor(from: Type, to: Type) -> Option<i64> {
    if from == to {
        return Some(1);
    }
    let (
        Type::Decimal { precision, scale },
        Type::Decimal {
            precision: to_precision,
            scale: to_scale,
        },
    ) = (from, to)
    else {
        return None;
    };
    let more = to_scale.checked_sub(scale)?;
    let power = decimal::pow10(more.into())?;
    (precision + more <= to_precision)
        .then(|| i64::try_from(power).ok())
        .flatten()
}

/// To the nearest double: by one division of doubles where both sides are exact ones.
fn int_to_double(scale: u8) -> impl Fn(i64) -> f64 {
    const EXACT: u64 = 1 << f64::MANTISSA_DIGITS;
    // Doubles hold the powers of ten up to 10^22.
    let power = decimal::pow10(scale.into())
        .filter(|_| scale <= 22)
        .map(|power| decimal::to_double(power, 0));
    move |value| match power {
        #[expect(clippy::cast_precision_loss, reason = "at most 2^53")]
        Some(power) if value.unsigned_abs() <= EXACT => value as f64 / power,
        _ => decimal::to_double(value.into(), scale),
    }
}

fn from_text(call: &Call<'_>, to: Type, lost: &mut Lost) -> Result<Data, Problem> {
    Ok(match to {
        Type::Boolean => Data::Boolean(parsed(call, lost, boolean::cast_text)?),
        Type::BigInt => Data::Int(parsed(call, lost, integer::cast_text)?),
        Type::HugeInt => Data::Wide(parsed(call, lost, integer::cast_text_huge)?),
        Type::Double => Data::Double(parsed(call, lost, double::cast_text)?),
        Type::Timestamp => Data::Int(parsed(call, lost, timestamp::cast_text)?),
        Type::Decimal { precision, scale } => {
            let of = |text: &[u8]| decimal::cast_text(text, precision, scale);
            narrow(parsed(call, lost, of)?, to)
        }
        Type::Varchar => return Err(defect(call.expr)),
    })
}

fn parsed<R: Default>(
    call: &Call<'_>,
    lost: &mut Lost,
    of: impl Fn(&[u8]) -> Result<R, ParseFault>,
) -> Result<Vec<R>, Problem> {
    let mut row = 0;
    Ok(call.text(0)?.map(|text| {
        let result = of(text).unwrap_or_else(|fault| {
            lost.0.push((row, Some(fault)));
            R::default()
        });
        row += 1;
        result
    }))
}

fn to_text(call: &Call<'_>, operand: &Operand<'_>, from: Type) -> Result<Data, Problem> {
    let vector = match operand {
        Operand::Column(vector) => Cow::Borrowed(*vector),
        Operand::Owned(vector) => Cow::Borrowed(vector),
        Operand::Constant(_) => operand.clone().into_vector(from, call.rows),
    };
    let mut texts = Texts::default();
    let mut line = Vec::new();
    for row in 0..call.rows {
        line.clear();
        if call.valid.is_valid(row) {
            text::append(&vector, row, from, &mut line);
        }
        if !texts.push_utf8(&line) {
            return Err(too_much_text(call.expr));
        }
    }
    Ok(Data::Text(texts))
}
