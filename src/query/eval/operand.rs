//! What an expression's value looks like to a kernel: a column, a fresh vector, or one value for every row; and the
//! dense loops over them (SQL.md, Evaluation). Constants are never broadcast on the way in.

use std::borrow::Cow;

use crate::value::vector::{Data, Texts, Validity, Vector};
use crate::value::{Type, Value};

/// The values of an expression over a batch.
#[derive(Clone, Debug)]
pub enum Operand<'a> {
    /// A column of the batch, as it is.
    Column(&'a Vector),
    /// Computed values.
    Owned(Vector),
    /// The same value for every row.
    Constant(Cow<'a, Value>),
}

impl<'a> Operand<'a> {
    /// NULL for every row.
    pub(super) const NULL: Self = Operand::Constant(Cow::Owned(Value::Null));

    /// The values one by one, constants repeated; a column is not copied.
    #[must_use]
    pub fn into_vector(self, ty: Type, rows: usize) -> Cow<'a, Vector> {
        match self {
            Operand::Column(vector) => Cow::Borrowed(vector),
            Operand::Owned(vector) => Cow::Owned(vector),
            Operand::Constant(value) => {
                let mut vector = Vector::with_capacity(ty, rows);
                for _ in 0..rows {
                    vector.push(&value);
                }
                Cow::Owned(vector)
            }
        }
    }

    /// The vector behind it; `None` for a constant.
    #[must_use]
    pub fn vector(&self) -> Option<&Vector> {
        match self {
            Operand::Column(vector) => Some(vector),
            Operand::Owned(vector) => Some(vector),
            Operand::Constant(_) => None,
        }
    }

    /// Whether it is the constant NULL.
    pub(super) fn is_null(&self) -> bool {
        matches!(self, Operand::Constant(value) if **value == Value::Null)
    }

    /// Whether the value at `row` is not NULL.
    pub(super) fn is_valid(&self, row: usize) -> bool {
        match self.vector() {
            Some(vector) => vector.valid.is_valid(row),
            None => !self.is_null(),
        }
    }

    /// One flag a value where any value of a vector is NULL.
    pub(super) fn flags(&self) -> Option<&[bool]> {
        self.vector().and_then(|vector| vector.valid.flags())
    }

    /// The values as a lane of `T`; `None` where they are held in another way, which a checked plan rules out.
    pub(super) fn lane<T: Held>(&self) -> Option<Lane<'_, T>> {
        match self {
            Operand::Column(vector) => T::slice(&vector.data).map(Lane::Slice),
            Operand::Owned(vector) => T::slice(&vector.data).map(Lane::Slice),
            Operand::Constant(value) => T::one(value).map(Lane::One),
        }
    }

    /// The values as texts, likewise.
    pub(super) fn text(&self) -> Option<TextLane<'_>> {
        if let Operand::Constant(value) = self {
            return if let Value::Text(text) = &**value {
                Some(TextLane::One(text.as_bytes()))
            } else {
                self.is_null().then_some(TextLane::One(&[]))
            };
        }
        if let Some(Data::Text(texts)) = self.vector().map(|vector| &vector.data) {
            Some(TextLane::Texts(texts))
        } else {
            None
        }
    }
}

/// How the values of one kind of vector are held; a NULL constant reads as the default.
pub(super) trait Held: Copy + Default {
    /// The values, where they are of this kind.
    fn slice(data: &Data) -> Option<&[Self]>;
    /// The value, likewise.
    fn one(value: &Value) -> Option<Self>;
}

impl Held for bool {
    fn slice(data: &Data) -> Option<&[Self]> {
        if let Data::Boolean(values) = data {
            Some(values)
        } else {
            None
        }
    }
    fn one(value: &Value) -> Option<Self> {
        if let Value::Boolean(value) = value {
            Some(*value)
        } else {
            (*value == Value::Null).then(Self::default)
        }
    }
}

impl Held for i64 {
    fn slice(data: &Data) -> Option<&[Self]> {
        if let Data::Int(values) = data {
            Some(values)
        } else {
            None
        }
    }
    fn one(value: &Value) -> Option<Self> {
        if let Value::Int(value) = value {
            Some(*value)
        } else {
            (*value == Value::Null).then(Self::default)
        }
    }
}

impl Held for i128 {
    fn slice(data: &Data) -> Option<&[Self]> {
        if let Data::Wide(values) = data {
            Some(values)
        } else {
            None
        }
    }
    fn one(value: &Value) -> Option<Self> {
        if let Value::Int(value) = value {
            Some((*value).into())
        } else if let Value::Wide(value) = value {
            Some(*value)
        } else {
            (*value == Value::Null).then(Self::default)
        }
    }
}

impl Held for f64 {
    fn slice(data: &Data) -> Option<&[Self]> {
        if let Data::Double(values) = data {
            Some(values)
        } else {
            None
        }
    }
    fn one(value: &Value) -> Option<Self> {
        if let Value::Double(value) = value {
            Some(*value)
        } else {
            (*value == Value::Null).then(Self::default)
        }
    }
}

/// The values of an operand as a kernel reads them.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lane<'a, T> {
    /// One a row.
    Slice(&'a [T]),
    /// The same for every row.
    One(T),
}

impl<T: Copy + Default> Lane<'_, T> {
    /// The value at `row`.
    pub(super) fn at(&self, row: usize) -> T {
        match self {
            Lane::Slice(values) => values.get(row).copied().unwrap_or_default(),
            Lane::One(value) => *value,
        }
    }
}

/// The texts of an operand as a kernel reads them.
#[derive(Clone, Copy, Debug)]
pub(super) enum TextLane<'a> {
    /// One a row.
    Texts(&'a Texts),
    /// The same for every row.
    One(&'a [u8]),
}

impl<'a> TextLane<'a> {
    /// The text at `row`.
    pub(super) fn at(&self, row: usize) -> &'a [u8] {
        match self {
            TextLane::Texts(texts) => texts.bytes(row),
            TextLane::One(text) => text,
        }
    }

    /// `of` each text.
    pub(super) fn map<R>(self, mut of: impl FnMut(&[u8]) -> R) -> Vec<R> {
        match self {
            TextLane::Texts(texts) => texts.iter().map(of).collect(),
            TextLane::One(text) => vec![of(text)],
        }
    }
}

/// `of` each value: a dense loop.
pub(super) fn map<T: Copy, R>(lane: Lane<'_, T>, of: impl FnMut(T) -> R) -> Vec<R> {
    match lane {
        Lane::Slice(values) => values.iter().copied().map(of).collect(),
        Lane::One(value) => std::iter::once(value).map(of).collect(),
    }
}

/// `of` each pair of values: a dense loop for each combination of column and constant.
pub(super) fn zip<A: Copy, B: Copy, R>(
    left: Lane<'_, A>,
    right: Lane<'_, B>,
    mut of: impl FnMut(A, B) -> R,
) -> Vec<R> {
    match (left, right) {
        (Lane::Slice(left), Lane::Slice(right)) => left
            .iter()
            .zip(right)
            .map(|(&left, &right)| of(left, right))
            .collect(),
        (Lane::Slice(left), Lane::One(right)) => left.iter().map(|&left| of(left, right)).collect(),
        (Lane::One(left), Lane::Slice(right)) => {
            right.iter().map(|&right| of(left, right)).collect()
        }
        (Lane::One(left), Lane::One(right)) => vec![of(left, right)],
    }
}

/// The row at which a kernel has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failed(pub(super) usize);

/// Like [`map`] for an `of` that may have no result. That is [`Failed`] only where the row is valid: the default that
/// stands at a NULL's place may be anything's zero.
pub(super) fn try_map<T: Copy + Default, R: Default>(
    lane: Lane<'_, T>,
    valid: &Validity,
    of: impl Fn(T) -> Option<R>,
) -> Result<Vec<R>, Failed> {
    let mut failed = false;
    let results = map(lane, |value| {
        of(value).unwrap_or_else(|| {
            failed = true;
            R::default()
        })
    });
    settle(results, failed, valid, |row| of(lane.at(row)).is_none())
}

/// Like [`zip`], likewise.
pub(super) fn try_zip<A: Copy + Default, B: Copy + Default, R: Default>(
    left: Lane<'_, A>,
    right: Lane<'_, B>,
    valid: &Validity,
    of: impl Fn(A, B) -> Option<R>,
) -> Result<Vec<R>, Failed> {
    let mut failed = false;
    let results = zip(left, right, |left, right| {
        of(left, right).unwrap_or_else(|| {
            failed = true;
            R::default()
        })
    });
    settle(results, failed, valid, |row| {
        of(left.at(row), right.at(row)).is_none()
    })
}

/// After a loop that only noted that something failed: looks where, and passes over NULLs.
fn settle<R>(
    results: Vec<R>,
    failed: bool,
    valid: &Validity,
    fails: impl Fn(usize) -> bool,
) -> Result<Vec<R>, Failed> {
    if !failed {
        return Ok(results);
    }
    match (0..results.len()).find(|&row| valid.is_valid(row) && fails(row)) {
        Some(row) => Err(Failed(row)),
        None => Ok(results),
    }
}
