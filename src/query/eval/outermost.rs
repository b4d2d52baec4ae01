//! `greatest` and `least`: NULLs are passed over, all arguments are evaluated (SQL.md, Arithmetic).

use std::borrow::Cow;

use super::operand::{Held, Lane};
use super::{Operand, defect, evaluate};
use crate::query::Problem;
use crate::query::plan::{End, Expr};
use crate::value::vector::{Batch, Data, Texts, Validity, Vector};
use crate::value::{Physical, Value};

/// The outermost of the arguments' values in each row, the first of equal ones; NULL where all are.
pub(super) fn outermost<'a>(
    expr: &'a Expr,
    end: End,
    args: &'a [Expr],
    batch: &'a Batch,
) -> Result<Operand<'a>, Problem> {
    let operands = args
        .iter()
        .map(|arg| evaluate(arg, batch))
        .collect::<Result<Vec<_>, _>>()?;
    let is_constant = operands.iter().all(|operand| operand.vector().is_none());
    let rows = match is_constant {
        true => 1,
        false => batch.rows,
    };
    let flags = (0..rows).map(|row| operands.iter().any(|operand| operand.is_valid(row)));
    let valid = Validity::from_flags(flags.collect());
    let data = match expr.ty.physical() {
        Physical::Boolean => chosen(&operands, rows, end).map(Data::Boolean),
        Physical::Int => chosen(&operands, rows, end).map(Data::Int),
        Physical::Wide => chosen(&operands, rows, end).map(Data::Wide),
        Physical::Double => chosen(&operands, rows, end).map(Data::Double),
        Physical::Text => chosen_texts(&operands, rows, end).map(Data::Text),
    };
    let vector = Vector {
        data: data.ok_or_else(|| defect(expr))?,
        valid,
    };
    Ok(match is_constant {
        true => Operand::Constant(Cow::<Value>::Owned(vector.value(0))),
        false => Operand::Owned(vector),
    })
}

impl End {
    /// The outermost of several values, the first of equal ones.
    fn of<T: PartialOrd>(self, values: impl Iterator<Item = T>) -> Option<T> {
        values.reduce(|best, next| {
            let is_further = match self {
                End::Greatest => next > best,
                End::Least => next < best,
            };
            if is_further { next } else { best }
        })
    }
}

fn chosen<T: Held + PartialOrd>(operands: &[Operand<'_>], rows: usize, end: End) -> Option<Vec<T>> {
    let lanes: Vec<Lane<'_, T>> = operands.iter().map(Operand::lane).collect::<Option<_>>()?;
    let value = |row: usize| {
        let valid = lanes.iter().zip(operands);
        let valid = valid.filter(|(_, operand)| operand.is_valid(row));
        end.of(valid.map(|(lane, _)| lane.at(row)))
    };
    Some(
        (0..rows)
            .map(|row| value(row).unwrap_or_default())
            .collect(),
    )
}

fn chosen_texts(operands: &[Operand<'_>], rows: usize, end: End) -> Option<Texts> {
    let lanes: Vec<_> = operands.iter().map(Operand::text).collect::<Option<_>>()?;
    let mut texts = Texts::default();
    for row in 0..rows {
        let valid = lanes.iter().zip(operands);
        let valid = valid.filter(|(_, operand)| operand.is_valid(row));
        let best = end.of(valid.map(|(lane, _)| lane.at(row)));
        // No longer than the arguments together, each of which fits.
        if !texts.push_utf8(best.unwrap_or_default()) {
            return None;
        }
    }
    Some(texts)
}
