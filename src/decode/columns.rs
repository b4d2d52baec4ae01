//! Texts of a column into its typed vector, a column at a time: what is to be done is decided once a batch.

use std::ops::Range;

use super::{Chunk, Reason, Reject};
use crate::error::shown;
use crate::value::column::{Column, Form, Source};
use crate::value::vector::{Batch, Data, Texts, Validity, Vector};
use crate::value::{ParseFault, Type, boolean, decimal, double, integer, timestamp};

/// Characters of a bad value that an error shows.
pub(super) const SHOWN_CHARACTERS: usize = 64;

/// The texts of one column in the good records of a batch.
pub(super) trait Cells {
    /// Number of records.
    fn rows(&self) -> usize;

    /// The text of the value in record `row`, in `scratch` where it is not in the input as it is; `None` for NULL.
    fn cell<'s>(&'s self, row: usize, scratch: &'s mut Vec<u8>)
    -> Result<Option<&'s [u8]>, Reason>;
}

/// A value that makes its record bad.
#[derive(Debug)]
pub(super) struct Bad {
    row: u32,
    column: usize,
    reason: Reason,
}

/// Empties `batch` and gives it a vector for each of `columns`.
pub(super) fn begin(batch: &mut Batch, columns: &[Column], input: u32) {
    batch.rows = 0;
    batch.input = input;
    batch.offsets.clear();
    batch.records.clear();
    batch.columns.truncate(columns.len());
    for (index, column) in columns.iter().enumerate() {
        let ty = column.form.ty();
        match batch.columns.get_mut(index) {
            Some(vector) if vector.data.physical() == ty.physical() => vector.clear(),
            Some(vector) => *vector = Vector::with_capacity(ty, 0),
            None => batch.columns.push(Vector::with_capacity(ty, 0)),
        }
    }
}

/// Parses all `cells` into `vector`. What does not fit is noted in `bad`; NULL stands in its place.
pub(super) fn fill(
    form: Form,
    vector: &mut Vector,
    column: usize,
    cells: &impl Cells,
    bad: &mut Vec<Bad>,
) {
    let valid = &mut vector.valid;
    let mut into = Into {
        form,
        column,
        valid,
        bad,
    };
    match (form, &mut vector.data) {
        (Form::Plain(Type::Varchar), Data::Text(texts)) => into.texts(cells, texts),
        (Form::Plain(Type::Boolean), Data::Boolean(values)) => {
            into.values(cells, values, boolean::parse);
        }
        (Form::Plain(Type::BigInt), Data::Int(values)) => {
            into.values(cells, values, integer::parse_bigint);
        }
        // No column of COLUMNS has this type; those of a partial result do.
        (Form::Plain(Type::HugeInt), Data::Wide(values)) => {
            into.values(cells, values, integer::parse_huge);
        }
        (Form::Plain(Type::Decimal { precision, scale }), Data::Int(values)) => {
            into.values(cells, values, |text| {
                decimal::parse_int(text, precision, scale)
            });
        }
        (Form::Plain(Type::Decimal { precision, scale }), Data::Wide(values)) => {
            into.values(cells, values, |text| decimal::parse(text, precision, scale));
        }
        (Form::Plain(Type::Double), Data::Double(values)) => {
            into.values(cells, values, double::parse);
        }
        (Form::Plain(Type::Timestamp), Data::Int(values)) => {
            into.values(cells, values, timestamp::parse);
        }
        (Form::Epoch { unit_us }, Data::Int(values)) => {
            into.values(cells, values, |text| timestamp::parse_epoch(text, unit_us));
        }
        (Form::Nanoseconds, Data::Int(values)) => {
            into.values(cells, values, timestamp::parse_nanos);
        }
        // A column's vector is made for its form; so no other pair occurs.
        _ => (0..cells.rows()).for_each(|_| vector.push_null()),
    }
}

/// Where the values of one column go.
struct Into<'a> {
    form: Form,
    column: usize,
    valid: &'a mut Validity,
    bad: &'a mut Vec<Bad>,
}

impl Into<'_> {
    #[inline(always)]
    fn values<T: Default>(
        &mut self,
        cells: &impl Cells,
        values: &mut Vec<T>,
        parse: impl Fn(&[u8]) -> Result<T, ParseFault>,
    ) {
        let mut scratch = Vec::new();
        values.reserve(cells.rows());
        // Values since the last NULL: their flags are noted together.
        let mut valid = 0;
        for row in 0..cells.rows() {
            match cells.cell(row, &mut scratch) {
                Ok(Some(text)) => match parse(text) {
                    Ok(value) => {
                        values.push(value);
                        valid += 1;
                        continue;
                    }
                    Err(why) => self.refuse(row, text, why),
                },
                Ok(None) => {}
                Err(reason) => self.refuse_cell(row, reason),
            }
            values.push(T::default());
            self.valid.push_valid(std::mem::take(&mut valid));
            self.valid.push(false);
        }
        self.valid.push_valid(valid);
    }

    fn texts(&mut self, cells: &impl Cells, texts: &mut Texts) {
        let mut scratch = Vec::new();
        for row in 0..cells.rows() {
            let mut text = None;
            match cells.cell(row, &mut scratch) {
                Ok(Some(found)) if is_utf8(found) => text = Some(found),
                Ok(Some(_)) => self.refuse_cell(row, Reason::NotUtf8),
                Ok(None) => {}
                Err(reason) => self.refuse_cell(row, reason),
            }
            // A batch is far below the 4 GiB that an arena holds.
            let held = texts.push_utf8(text.unwrap_or_default());
            self.valid.push(held && text.is_some());
        }
    }

    #[cold]
    fn refuse(&mut self, row: usize, text: &[u8], why: ParseFault) {
        let reason = Reason::Value {
            form: self.form,
            found: shown(text, SHOWN_CHARACTERS),
            why,
        };
        self.refuse_cell(row, reason);
    }

    #[cold]
    fn refuse_cell(&mut self, row: usize, reason: Reason) {
        self.bad.push(Bad {
            row: u32::try_from(row).unwrap_or(u32::MAX),
            column: self.column,
            reason,
        });
    }
}

#[inline(always)]
fn is_utf8(text: &[u8]) -> bool {
    text.is_ascii() || std::str::from_utf8(text).is_ok()
}

/// Fills `rows` values of a column that no record holds: `@object`; NULL for a column that is not of this format.
pub(super) fn fill_constant(vector: &mut Vector, column: &Column, object: &str, rows: usize) {
    for _ in 0..rows {
        if let (Data::Text(texts), Source::Object) = (&mut vector.data, &column.source) {
            let held = texts.push(object);
            vector.valid.push(held);
        } else {
            vector.push_null();
        }
    }
}

/// Takes the records of `bad` values out of the batch and rejects them: each for the first of its columns.
///
/// `rejects[already..]` are those of this batch so far; all are in record order in the end. `raw` tells where in the
/// chunk the record of a row is, its line end included.
pub(super) fn drop_bad(
    batch: &mut Batch,
    bad: &mut Vec<Bad>,
    chunk: &Chunk,
    rejects: &mut Vec<Reject>,
    already: usize,
    raw: impl Fn(usize) -> Range<usize>,
) {
    if bad.is_empty() {
        return;
    }
    bad.sort_unstable_by_key(|bad| (bad.row, bad.column));
    bad.dedup_by_key(|bad| bad.row);
    let mut kept = Vec::with_capacity(batch.rows);
    let mut next = 0;
    for Bad {
        row,
        column,
        reason,
    } in bad.drain(..)
    {
        kept.extend(next..row);
        next = row + 1;
        let row = row as usize;
        let number = batch.records.get(row).copied().unwrap_or_default();
        rejects.push(reject(chunk, number, raw(row), Some(column), reason));
    }
    kept.extend(next..u32::try_from(batch.rows).unwrap_or(u32::MAX));
    *batch = batch.gather(&kept);
    if let Some(new) = rejects.get_mut(already..) {
        // At most one a record.
        new.sort_unstable_by_key(|reject| reject.record);
    }
}

/// A bad record at `record` in the chunk, its line end included.
pub(super) fn reject(
    chunk: &Chunk,
    number: u32,
    record: Range<usize>,
    column: Option<usize>,
    reason: Reason,
) -> Reject {
    let bytes = chunk.bytes.get(record.clone()).unwrap_or_default();
    let length = super::csv::trimmed(bytes).len();
    Reject {
        record: number,
        offset: chunk.offset + record.start as u64,
        raw: record.start..record.start + length,
        total_bytes: length as u64,
        column,
        reason,
    }
}
