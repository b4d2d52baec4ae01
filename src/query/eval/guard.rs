//! Guarded evaluation: AND, OR, CASE and COALESCE evaluate from left to right and only what is needed (SQL.md,
//! Evaluation). The rows that need a branch are gathered, the branch is evaluated over them, and its values are put
//! back in their places.

use std::borrow::Cow;

use super::operand::{Lane, zip};
use super::{Kept, Operand, defect, evaluate, problem};
use crate::limits::BATCH_TEXT_BYTES;
use crate::query::Problem;
use crate::query::plan::{Expr, Function, Node};
use crate::value::Type;
use crate::value::vector::{Batch, Data, Validity, Vector};

/// Columns of a batch that expressions read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnSet(Vec<bool>);

impl ColumnSet {
    /// Whether column `index` is read.
    #[must_use]
    pub fn contains(&self, index: usize) -> bool {
        self.0.get(index).copied().unwrap_or(false)
    }

    fn insert(&mut self, index: usize) {
        if self.0.len() <= index {
            self.0.resize(index + 1, false);
        }
        if let Some(read) = self.0.get_mut(index) {
            *read = true;
        }
    }
}

/// The columns that `exprs` read.
#[must_use]
pub fn columns_read<'a>(exprs: impl IntoIterator<Item = &'a Expr>) -> ColumnSet {
    let mut read = ColumnSet::default();
    for expr in exprs {
        visit(expr, &mut |expr| {
            if let Node::Column(index) = expr.node {
                read.insert(index);
            }
        });
    }
    read
}

/// Shows `expr` and everything below it to `look`.
fn visit(expr: &Expr, look: &mut impl FnMut(&Expr)) {
    look(expr);
    for child in expr.children() {
        visit(child, look);
    }
}

/// Whether some value could make `expr` a [`Problem`]. What cannot fail need not be guarded.
fn can_fail(expr: &Expr) -> bool {
    let mut fails = false;
    visit(expr, &mut |expr| {
        fails |= match &expr.node {
            Node::Call(function, args) => call_can_fail(*function, args),
            Node::Cast(arg) => cast_can_fail(arg.ty, expr.ty),
            Node::Constant(_)
            | Node::Column(_)
            | Node::TryCast(_)
            | Node::And(..)
            | Node::Or(..)
            | Node::IsNull(_)
            | Node::In(..)
            | Node::Case { .. }
            | Node::Coalesce(_)
            | Node::Outermost(..) => false,
        };
    });
    fails
}

fn call_can_fail(function: Function, args: &[Expr]) -> bool {
    match function {
        Function::Equal
        | Function::NotEqual
        | Function::Less
        | Function::LessOrEqual
        | Function::Greater
        | Function::GreaterOrEqual
        | Function::Not
        | Function::Sign
        | Function::Lower
        | Function::Upper
        | Function::Length
        | Function::Substr
        | Function::Trim
        | Function::StartsWith
        | Function::Contains
        | Function::DatePart(_)
        | Function::Epoch
        | Function::EpochMs => false,
        // Only the smallest BIGINT and HUGEINT have no counterpart.
        Function::Negate | Function::Abs => args
            .iter()
            .any(|arg| matches!(arg.ty, Type::BigInt | Type::HugeInt)),
        Function::Add
        | Function::Subtract
        | Function::Multiply
        | Function::Divide
        | Function::IntegerDivide
        | Function::Modulo
        | Function::Round { .. }
        | Function::Floor
        | Function::Ceil
        | Function::Sqrt
        | Function::Power
        | Function::Exp
        | Function::Ln
        | Function::Log10
        | Function::Sin
        | Function::Cos
        | Function::Tan
        // Their texts may grow past a limit, a pattern may end in its escape.
        | Function::Replace
        | Function::Concat
        | Function::Like { .. }
        | Function::MakeTimestamp
        | Function::TimeBucket(_)
        | Function::DateTrunc(_)
        | Function::AddInterval(_) => true,
    }
}

fn cast_can_fail(from: Type, to: Type) -> bool {
    let never = from == to
        || to == Type::Varchar
        || (to == Type::Double && (from.scale().is_some() || from == Type::Boolean))
        || (to == Type::HugeInt && from == Type::BigInt);
    !never
}

/// What a three-valued condition is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Truth {
    /// True.
    True,
    /// False or NULL.
    NotTrue,
    /// True or NULL.
    NotFalse,
}

impl Truth {
    fn holds(self, valid: bool, value: bool) -> bool {
        match self {
            Truth::True => valid & value,
            Truth::NotTrue => !(valid & value),
            Truth::NotFalse => !valid | value,
        }
    }
}

/// The rows where `condition`, evaluated to `operand`, is what is asked for.
pub(super) fn rows_where(
    operand: &Operand<'_>,
    condition: &Expr,
    rows: usize,
    truth: Truth,
) -> Result<Kept, Problem> {
    let lane: Lane<'_, bool> = operand.lane().ok_or_else(|| defect(condition))?;
    Ok(match (lane, operand.flags()) {
        (Lane::One(value), _) if truth.holds(!operand.is_null(), value) => Kept::All,
        (Lane::One(_), _) => Kept::Rows(Vec::new()),
        (Lane::Slice(values), None) => {
            kept(rows, values.iter().map(|&value| truth.holds(true, value)))
        }
        (Lane::Slice(values), Some(flags)) => kept(
            rows,
            values
                .iter()
                .zip(flags)
                .map(|(&value, &valid)| truth.holds(valid, value)),
        ),
    })
}

/// The rows whose flag is set; without a branch a row, since which rows stay cannot be foretold.
fn kept(rows: usize, flags: impl Iterator<Item = bool>) -> Kept {
    let mut list = vec![0; rows];
    let mut length = 0;
    for (row, keep) in (0_u32..).zip(flags) {
        if let Some(next) = list.get_mut(length) {
            *next = row;
        }
        length += usize::from(keep);
    }
    if length == rows {
        return Kept::All;
    }
    list.truncate(length);
    Kept::Rows(list)
}

impl Kept {
    /// How many of `rows` rows they are.
    #[must_use]
    pub fn count(&self, rows: usize) -> usize {
        match self {
            Kept::All => rows,
            Kept::Rows(list) => list.len(),
        }
    }

    /// These of these rows: `inner` counts within `self`.
    fn of(&self, inner: Kept) -> Kept {
        match (self, inner) {
            (Kept::All, inner) => inner,
            (Kept::Rows(list), Kept::All) => Kept::Rows(list.clone()),
            (Kept::Rows(list), Kept::Rows(inner)) => Kept::Rows(
                inner
                    .iter()
                    .filter_map(|&row| list.get(row as usize).copied())
                    .collect(),
            ),
        }
    }
}

fn part<'a>(batch: &'a Batch, rows: &Kept, expr: &Expr) -> Cow<'a, Batch> {
    match rows {
        Kept::All => Cow::Borrowed(batch),
        Kept::Rows(_) => narrowed(batch, rows, &columns_read([expr])),
    }
}

/// `batch` at the `kept` rows, with just the columns of `read`; the others stand empty in their places, and so do the
/// positions.
#[must_use]
pub fn narrowed<'a>(batch: &'a Batch, kept: &Kept, read: &ColumnSet) -> Cow<'a, Batch> {
    let Kept::Rows(list) = kept else {
        return Cow::Borrowed(batch);
    };
    let columns = batch
        .columns
        .iter()
        .enumerate()
        .map(|(index, column)| match read.contains(index) {
            true => column.gather(list),
            false => Vector::from_data(Data::Boolean(Vec::new())),
        })
        .collect();
    Cow::Owned(Batch {
        rows: list.len(),
        columns,
        input: batch.input,
        ..Batch::default()
    })
}

/// Values that come in parts: NULL at first.
struct Patchwork {
    data: Data,
    flags: Vec<bool>,
}

impl Patchwork {
    fn new(ty: Type, rows: usize) -> Self {
        let data = match Data::with_capacity(ty.physical(), 0) {
            Data::Boolean(_) => Data::Boolean(vec![false; rows]),
            Data::Int(_) => Data::Int(vec![0; rows]),
            Data::Wide(_) => Data::Wide(vec![0; rows]),
            Data::Double(_) => Data::Double(vec![0.0; rows]),
            Data::Text(_) => Data::Text(crate::value::vector::Texts::empty(rows)),
        };
        Self {
            data,
            flags: vec![false; rows],
        }
    }

    /// Puts the values of `operand`, one for each of `rows`, in their places.
    fn place(&mut self, rows: &Kept, operand: &Operand<'_>, expr: &Expr) -> Result<(), Problem> {
        let places: Cow<'_, [u32]> = match rows {
            Kept::All => Cow::Owned((0_u32..).take(self.flags.len()).collect()),
            Kept::Rows(list) => Cow::Borrowed(list),
        };
        let wrong = || defect(expr);
        match &mut self.data {
            Data::Boolean(into) => scatter(into, &places, operand.lane().ok_or_else(wrong)?),
            Data::Int(into) => scatter(into, &places, operand.lane().ok_or_else(wrong)?),
            Data::Wide(into) => scatter(into, &places, operand.lane().ok_or_else(wrong)?),
            Data::Double(into) => scatter(into, &places, operand.lane().ok_or_else(wrong)?),
            Data::Text(into) => {
                let texts = operand.text().ok_or_else(wrong)?;
                for (row, &place) in places.iter().enumerate() {
                    if !into.set_utf8(place as usize, texts.at(row)) {
                        return Err(too_much_text(expr));
                    }
                }
            }
        }
        let valid = match operand.flags() {
            Some(flags) => Lane::Slice(flags),
            None => Lane::One(!operand.is_null()),
        };
        scatter(&mut self.flags, &places, valid);
        Ok(())
    }

    fn done<'a>(self) -> Operand<'a> {
        Operand::Owned(Vector {
            data: self.data,
            valid: Validity::from_flags(self.flags),
        })
    }
}

fn scatter<T: Copy + Default>(into: &mut [T], places: &[u32], lane: Lane<'_, T>) {
    let mut put = |place: u32, value| {
        if let Some(slot) = into.get_mut(place as usize) {
            *slot = value;
        }
    };
    match lane {
        Lane::One(value) => places.iter().for_each(|&place| put(place, value)),
        Lane::Slice(values) => places
            .iter()
            .zip(values)
            .for_each(|(&place, &value)| put(place, value)),
    }
}

/// The texts of one batch and one expression pass what they may take together; evaluated in smaller batches they may
/// not.
pub(super) fn too_much_text(expr: &Expr) -> Problem {
    problem(
        expr,
        format!("at most {BATCH_TEXT_BYTES} bytes of text in one batch"),
        "more",
        "shorten the texts",
    )
}

/// Three-valued AND.
pub(super) fn and<'a>(
    expr: &Expr,
    left: &'a Expr,
    right: &'a Expr,
    batch: &'a Batch,
) -> Result<Operand<'a>, Problem> {
    connect(expr, left, right, batch, false)
}

/// Three-valued OR.
pub(super) fn or<'a>(
    expr: &Expr,
    left: &'a Expr,
    right: &'a Expr,
    batch: &'a Batch,
) -> Result<Operand<'a>, Problem> {
    connect(expr, left, right, batch, true)
}

/// AND and OR: the value that `decides` alone is false for AND, true for OR.
fn connect<'a>(
    expr: &Expr,
    left: &'a Expr,
    right: &'a Expr,
    batch: &'a Batch,
    decides: bool,
) -> Result<Operand<'a>, Problem> {
    let first = evaluate(left, batch)?;
    if !can_fail(right) {
        return both(&first, &evaluate(right, batch)?, expr, batch.rows, decides);
    }
    let open = match decides {
        true => Truth::NotTrue,
        false => Truth::NotFalse,
    };
    let rows = rows_where(&first, left, batch.rows, open)?;
    if rows == Kept::All {
        return both(&first, &evaluate(right, batch)?, expr, batch.rows, decides);
    }
    let needed = part(batch, &rows, right);
    let second = evaluate(right, &needed)?;
    // Where the left side decides, the right side may as well agree.
    let mut whole = Patchwork {
        data: Data::Boolean(vec![decides; batch.rows]),
        flags: vec![true; batch.rows],
    };
    whole.place(&rows, &second, expr)?;
    both(&first, &whole.done(), expr, batch.rows, decides)
}

fn both<'a>(
    left: &Operand<'_>,
    right: &Operand<'_>,
    expr: &Expr,
    rows: usize,
    decides: bool,
) -> Result<Operand<'a>, Problem> {
    let lanes: (Lane<'_, bool>, Lane<'_, bool>) = (
        left.lane().ok_or_else(|| defect(expr))?,
        right.lane().ok_or_else(|| defect(expr))?,
    );
    let rows = match lanes {
        (Lane::One(_), Lane::One(_)) => 1,
        _ => rows,
    };
    let null_free = |operand: &Operand<'_>| operand.flags().is_none() && !operand.is_null();
    let (values, valid) = if null_free(left) && null_free(right) {
        let values = match decides {
            true => zip(lanes.0, lanes.1, |left, right| left | right),
            false => zip(lanes.0, lanes.1, |left, right| left & right),
        };
        (values, Validity::all(rows))
    } else {
        let decided = |operand: &Operand<'_>, lane: &Lane<'_, bool>, row| {
            operand.is_valid(row) && lane.at(row) == decides
        };
        let is_decided: Vec<bool> = (0..rows)
            .map(|row| decided(left, &lanes.0, row) || decided(right, &lanes.1, row))
            .collect();
        let flags = (0..rows)
            .zip(&is_decided)
            .map(|(row, &decided)| decided || (left.is_valid(row) && right.is_valid(row)))
            .collect();
        let values = is_decided
            .iter()
            .map(|&decided| decided == decides)
            .collect();
        (values, Validity::from_flags(flags))
    };
    let vector = Vector {
        data: Data::Boolean(values),
        valid,
    };
    Ok(match lanes {
        (Lane::One(_), Lane::One(_)) => Operand::Constant(Cow::Owned(vector.value(0))),
        _ => Operand::Owned(vector),
    })
}

/// The first arm whose condition is true; later conditions and all results only over the rows that reach them.
pub(super) fn case<'a>(
    expr: &'a Expr,
    arms: &'a [(Expr, Expr)],
    otherwise: Option<&'a Expr>,
    batch: &'a Batch,
) -> Result<Operand<'a>, Problem> {
    let mut patchwork = None;
    let mut left = Kept::All;
    for (condition, result) in arms {
        let needed = part(batch, &left, condition);
        let truth = evaluate(condition, &needed)?;
        let hits = left.of(rows_where(&truth, condition, needed.rows, Truth::True)?);
        if hits == Kept::All {
            return evaluate(result, batch);
        }
        let rest = left.of(rows_where(&truth, condition, needed.rows, Truth::NotTrue)?);
        if hits.count(batch.rows) > 0 {
            patchwork
                .get_or_insert_with(|| Patchwork::new(expr.ty, batch.rows))
                .place(&hits, &evaluate(result, &part(batch, &hits, result))?, expr)?;
        }
        left = rest;
        if left.count(batch.rows) == 0 {
            break;
        }
    }
    match (patchwork, otherwise) {
        (None, None) => Ok(Operand::NULL),
        (None, Some(result)) => evaluate(result, batch),
        (Some(mut patchwork), Some(result)) if left.count(batch.rows) > 0 => {
            patchwork.place(&left, &evaluate(result, &part(batch, &left, result))?, expr)?;
            Ok(patchwork.done())
        }
        (Some(patchwork), _) => Ok(patchwork.done()),
    }
}

/// The first argument that is not NULL; later ones only over the rows where all before are.
pub(super) fn coalesce<'a>(
    expr: &'a Expr,
    args: &'a [Expr],
    batch: &'a Batch,
) -> Result<Operand<'a>, Problem> {
    let Some((first, others)) = args.split_first() else {
        return Err(defect(expr));
    };
    let first = evaluate(first, batch)?;
    let mut left = null_rows(&first, batch.rows);
    if left.count(batch.rows) == 0 {
        return Ok(first);
    }
    let mut patchwork = Patchwork::new(expr.ty, batch.rows);
    patchwork.place(&Kept::All, &first, expr)?;
    for arg in others {
        let needed = part(batch, &left, arg);
        let operand = evaluate(arg, &needed)?;
        patchwork.place(&left, &operand, expr)?;
        left = left.of(null_rows(&operand, needed.rows));
        if left.count(batch.rows) == 0 {
            break;
        }
    }
    Ok(patchwork.done())
}

fn null_rows(operand: &Operand<'_>, rows: usize) -> Kept {
    match operand.flags() {
        Some(flags) => kept(rows, flags.iter().map(|&valid| !valid)),
        None if operand.is_null() => Kept::All,
        None => Kept::Rows(Vec::new()),
    }
}
