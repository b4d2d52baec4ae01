//! What may stand beside what: the one type of several values, implicit conversions (SQL.md, Types and literals;
//! Arithmetic). An integer literal counts its own digits beside a DECIMAL: DuckDB counts ten, and no value shows it.

use super::super::Problem;
use super::super::plan::{Expr, Node};
use super::Binder;
use super::literals::{constant_of, convert, digits, is_null, is_text, number};
use crate::value::{Type, WIDE_DIGITS};

/// How large an expression is, its children included.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Size {
    pub(super) nodes: usize,
    pub(super) height: usize,
}

pub(super) fn size(expr: &Expr) -> Size {
    let mut size = Size::default();
    for child in expr.children() {
        let child = self::size(child);
        size.nodes = size.nodes.saturating_add(child.nodes);
        size.height = size.height.max(child.height);
    }
    Size {
        nodes: size.nodes.saturating_add(1),
        height: size.height + 1,
    }
}

/// Whether the value of `expr` may differ from row to row, or group to group.
pub(super) fn has_column(expr: &Expr) -> bool {
    matches!(expr.node, Node::Column(_)) || expr.children().into_iter().any(has_column)
}

/// Digits before and after the point that the values of an exact expression can have.
#[derive(Clone, Copy)]
pub(super) struct Digits {
    pub(super) before: u8,
    pub(super) after: u8,
}

/// Digits of the largest BIGINT.
const BIGINT_DIGITS: u8 = 19;

impl Digits {
    /// `None` for what is not exact.
    pub(super) fn of(expr: &Expr) -> Option<Self> {
        let after = expr.ty.scale()?;
        let all = match (constant_of(expr), expr.ty) {
            (_, Type::Decimal { precision, .. }) => precision,
            (Some(value), _) => digits(value),
            (None, _) if is_null(expr) => 1,
            (None, Type::HugeInt) => WIDE_DIGITS,
            (None, _) => BIGINT_DIGITS,
        };
        Some(Self {
            before: all.saturating_sub(after),
            after,
        })
    }

    /// Room for both.
    pub(super) fn with(self, other: Self) -> Self {
        Self {
            before: self.before.max(other.before),
            after: self.after.max(other.after),
        }
    }

    /// The DECIMAL of so many digits, `carry` more before the point; 38 where that is more: what does not fit those
    /// is an error when it is computed, never lost.
    pub(super) fn decimal(self, carry: u8) -> Type {
        let precision = self.before.saturating_add(self.after).saturating_add(carry);
        Type::Decimal {
            precision: precision.clamp(1, WIDE_DIGITS),
            scale: self.after,
        }
    }
}

/// The type that holds all of several exact values.
pub(super) fn exact_type(exprs: &[&mut Expr]) -> Type {
    let decimal = exprs
        .iter()
        .any(|expr| matches!(expr.ty, Type::Decimal { .. }));
    if !decimal {
        let huge = exprs.iter().any(|expr| expr.ty == Type::HugeInt);
        return if huge { Type::HugeInt } else { Type::BigInt };
    }
    let digits = exprs.iter().filter_map(|expr| Digits::of(expr));
    digits
        .reduce(Digits::with)
        .map_or(Type::BigInt, |digits| digits.decimal(0))
}

/// Constants among exact values get the scale of the others, so that a kernel finds equal scales.
pub(super) fn scale_constants(exprs: &mut [&mut Expr]) {
    let Some(scale) = exprs.iter().filter_map(|expr| expr.ty.scale()).max() else {
        return;
    };
    for expr in exprs {
        if scale == 0 || constant_of(expr).is_none() || is_null(expr) {
            continue;
        }
        let Some(digits) = Digits::of(expr) else {
            continue;
        };
        let precision = digits.before.saturating_add(scale).max(1);
        if precision <= WIDE_DIGITS {
            convert(expr, Type::Decimal { precision, scale });
        }
    }
}

/// BOOLEAN beside numbers is 0 or 1, as in DuckDB.
fn booleans_as_numbers(exprs: &mut [&mut Expr]) {
    let only_numbers = |expr: &&mut Expr| expr.ty.is_numeric() || expr.ty == Type::Boolean;
    let number = |expr: &&mut Expr| expr.ty.is_numeric() && !is_null(expr);
    if exprs.iter().all(only_numbers) && exprs.iter().any(number) {
        let booleans = exprs.iter_mut().filter(|expr| expr.ty == Type::Boolean);
        booleans.for_each(|expr| convert(expr, Type::BigInt));
    }
}

/// What becomes of exact values of different types.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Exact {
    /// They stay: kernels compare and compute across scales.
    Stay,
    /// They become one type.
    Meet,
}

/// Which texts become a TIMESTAMP beside one. As in DuckDB, a comparison takes any, CASE and COALESCE a literal only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Texts {
    Any,
    Literal,
}

/// What to do about a number that is meant as a time.
pub(super) const DECLARE_TIMESTAMP: &str =
    "declare the column TIMESTAMP_S, TIMESTAMP_MS or TIMESTAMP_US in COLUMNS";

impl Binder<'_> {
    /// Makes the values comparable, or of one type; `place` names where they meet.
    ///
    /// Errors: a VARCHAR beside a number or BOOLEAN, a TIMESTAMP beside anything else.
    pub(super) fn align(
        &self,
        exprs: &mut [&mut Expr],
        exact: Exact,
        texts: Texts,
        place: &str,
    ) -> Result<(), Problem> {
        booleans_as_numbers(exprs);
        let all = exprs.iter().map(|expr| &**expr);
        let typed: Vec<&Expr> = all.filter(|expr| !is_null(expr)).collect();
        if let Some(ty) = self.meeting(&typed, texts, place)? {
            return exprs.iter_mut().try_for_each(|expr| self.adapt(expr, ty));
        }
        if exact == Exact::Meet {
            let ty = exact_type(exprs);
            exprs.iter_mut().for_each(|expr| convert(expr, ty));
        } else {
            scale_constants(exprs);
        }
        Ok(())
    }

    /// [`convert`], refusing a text that is no time.
    fn adapt(&self, expr: &mut Expr, ty: Type) -> Result<(), Problem> {
        let literal = is_text(expr);
        convert(expr, ty);
        if literal && matches!(expr.node, Node::Cast(_)) {
            let advice = "write year, month, day and time, as in '2026-01-31 23:59:00'";
            return Err(Problem::new(
                expr.span,
                "a text that is a TIMESTAMP",
                self.shown(expr),
                advice,
            ));
        }
        Ok(())
    }

    /// The type that all become; `None` where all are exact.
    fn meeting(&self, exprs: &[&Expr], texts: Texts, place: &str) -> Result<Option<Type>, Problem> {
        let has = |ty: Type| exprs.iter().any(|expr| expr.ty == ty);
        if has(Type::Timestamp) {
            let becomes =
                |expr: &Expr| expr.ty == Type::Varchar && (texts == Texts::Any || is_text(expr));
            self.all(
                exprs,
                Type::Timestamp,
                |expr| expr.ty == Type::Timestamp || becomes(expr),
                place,
            )?;
            return Ok(Some(Type::Timestamp));
        }
        if has(Type::Varchar) {
            self.all(exprs, Type::Varchar, |expr| expr.ty == Type::Varchar, place)?;
            return Ok(Some(Type::Varchar));
        }
        if has(Type::Double) {
            return Ok(Some(Type::Double));
        }
        Ok(has(Type::Boolean).then_some(Type::Boolean))
    }

    /// Refuses the first that is not `fitting` beside one of type `ty`.
    fn all(
        &self,
        exprs: &[&Expr],
        ty: Type,
        fitting: impl Fn(&Expr) -> bool,
        place: &str,
    ) -> Result<(), Problem> {
        let Some(odd) = exprs.iter().find(|expr| !fitting(expr)) else {
            return Ok(());
        };
        let Some(one) = exprs.iter().find(|expr| expr.ty == ty) else {
            return Ok(());
        };
        // The text is what the reader should change, whichever of the two it is.
        let (text, other) = if ty == Type::Varchar {
            (one, odd)
        } else {
            (odd, one)
        };
        let expected = format!("a {} in {place}, beside {}", other.ty, self.shown(other));
        Err(Problem::new(
            text.span,
            expected,
            self.shown_with_type(text),
            self.cast_advice(text, other.ty),
        ))
    }

    /// What to write so that `expr` is a `ty`.
    pub(super) fn cast_advice(&self, expr: &Expr, ty: Type) -> String {
        let shown = self.shown(expr);
        match (expr.ty, ty) {
            (Type::Timestamp, _) => {
                format!("write epoch_ms({shown}) where its milliseconds are meant")
            }
            (_, Type::Timestamp) if expr.ty != Type::Varchar => {
                "compare a TIMESTAMP with a TIMESTAMP or a text such as '2026-01-31 23:59:00'"
                    .to_owned()
            }
            (Type::Varchar, _) if ty.is_numeric() && is_text(expr) => {
                let bare = shown.trim_matches('\'');
                match number(bare.trim_start_matches('-'), expr.span) {
                    Ok(_)
                        if bare.ends_with(|last: char| last.is_ascii_digit())
                            && !bare.contains('\'') =>
                    {
                        format!("write {bare} without quotes, or CAST({shown} AS {ty})")
                    }
                    _ => format!("write a number, or CAST({shown} AS {ty})"),
                }
            }
            _ => format!("write CAST({shown} AS {ty})"),
        }
    }

    /// `expr` as a condition.
    pub(super) fn boolean(&self, mut expr: Expr, place: &str) -> Result<Expr, Problem> {
        if is_null(&expr) {
            convert(&mut expr, Type::Boolean);
        }
        if expr.ty == Type::Boolean {
            return Ok(expr);
        }
        let shown = self.shown(&expr);
        let advice = match expr.ty {
            Type::BigInt | Type::HugeInt | Type::Double | Type::Decimal { .. } => {
                format!("compare it: {shown} <> 0")
            }
            Type::Varchar | Type::Boolean => {
                format!("compare it, or write CAST({shown} AS BOOLEAN)")
            }
            Type::Timestamp => format!("compare it, or write {shown} IS NOT NULL"),
        };
        Err(Problem::new(
            expr.span,
            format!("a BOOLEAN in {place}"),
            self.shown_with_type(&expr),
            advice,
        ))
    }

    /// Refuses what is no number; NULL is one.
    pub(super) fn numeric(&self, expr: &Expr, place: &str) -> Result<(), Problem> {
        if expr.ty.is_numeric() {
            return Ok(());
        }
        let advice = match expr.ty {
            Type::Timestamp => format!("write epoch_ms({}) for its milliseconds", self.shown(expr)),
            Type::Boolean => format!("write CAST({} AS BIGINT)", self.shown(expr)),
            Type::Varchar | Type::BigInt | Type::HugeInt | Type::Double | Type::Decimal { .. } => {
                self.cast_advice(expr, Type::Double)
            }
        };
        Err(Problem::new(
            expr.span,
            format!("a number in {place}"),
            self.shown_with_type(expr),
            advice,
        ))
    }

    /// A number, made DOUBLE.
    pub(super) fn double(&self, expr: &mut Expr, place: &str) -> Result<(), Problem> {
        self.numeric(expr, place)?;
        convert(expr, Type::Double);
        Ok(())
    }

    /// A TIMESTAMP, or a literal that becomes one.
    pub(super) fn timestamp(&self, mut expr: Expr, place: &str) -> Result<Expr, Problem> {
        if is_null(&expr) || is_text(&expr) {
            self.adapt(&mut expr, Type::Timestamp)?;
        }
        let advice = match expr.ty {
            Type::Timestamp => return Ok(expr),
            Type::Varchar => format!("write CAST({} AS TIMESTAMP)", self.shown(&expr)),
            Type::BigInt | Type::HugeInt | Type::Double | Type::Decimal { .. } => {
                DECLARE_TIMESTAMP.to_owned()
            }
            Type::Boolean => "name a TIMESTAMP column".to_owned(),
        };
        Err(Problem::new(
            expr.span,
            format!("a TIMESTAMP in {place}"),
            self.shown_with_type(&expr),
            advice,
        ))
    }
}
