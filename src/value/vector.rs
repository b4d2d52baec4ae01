//! Column batches: typed vectors with validity, a few thousand rows each, filled once and read whole. Pure.
//!
//! Every kernel is a dense loop over a vector. Rows are dropped by gathering, not by masks, so that no loop asks
//! whether its row is still wanted.

use super::{Physical, Position, Type, Value};

/// A column of a batch.
///
/// Invariant: `valid` is of the data's length; what stands at a NULL's place in `data` is a harmless default.
#[derive(Clone, Debug, PartialEq)]
pub struct Vector {
    /// The values.
    pub data: Data,
    /// Which of them are not NULL.
    pub valid: Validity,
}

/// The values of a column, by how they are held.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// BOOLEAN
    Boolean(Vec<bool>),
    /// BIGINT, TIMESTAMP, DECIMAL of at most 18 digits
    Int(Vec<i64>),
    /// HUGEINT, wider DECIMAL
    Wide(Vec<i128>),
    /// DOUBLE
    Double(Vec<f64>),
    /// VARCHAR
    Text(Texts),
}

/// Which values of a column are not NULL. Most columns have no NULL: they hold a length and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validity {
    length: usize,
    /// Invariant: empty while no value is NULL, else of `length`.
    flags: Vec<bool>,
}

/// Texts of a column: spans into one arena. Spans may overlap, so that a repeated text is held once.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    /// Invariant: every span is valid UTF-8.
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

/// A stretch of a [`Texts`] arena, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Span {
    start: u32,
    length: u32,
}

/// A few thousand records of one object, as columns.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Number of records.
    pub rows: usize,
    /// One vector a column, in the order that the plan numbers them; each of `rows` values.
    pub columns: Vec<Vector>,
    /// Number of the object in input order, from 0.
    pub input: u32,
    /// Byte offset of each record, rising. Empty for batches that are no input (groups).
    pub offsets: Vec<u64>,
    /// Number of each record in its chunk, from 0. Empty where `offsets` is.
    pub records: Vec<u32>,
}

impl Batch {
    /// Where row `row` stands in the whole input.
    #[must_use]
    pub fn position(&self, row: usize) -> Position {
        let offset = self.offsets.get(row).copied().unwrap_or_default();
        Position {
            input: self.input,
            offset,
        }
    }

    /// The batch of `rows` alone, in that order.
    #[must_use]
    pub fn gather(&self, rows: &[u32]) -> Self {
        Self {
            rows: rows.len(),
            columns: self
                .columns
                .iter()
                .map(|column| column.gather(rows))
                .collect(),
            input: self.input,
            offsets: gather(&self.offsets, rows),
            records: gather(&self.records, rows),
        }
    }
}

impl Validity {
    /// `length` values, none of them NULL.
    #[must_use]
    pub fn all(length: usize) -> Self {
        Self {
            length,
            flags: Vec::new(),
        }
    }

    /// From one flag a value: true where it is not NULL.
    #[must_use]
    pub fn from_flags(flags: Vec<bool>) -> Self {
        let length = flags.len();
        if flags.iter().all(|&valid| valid) {
            Self::all(length)
        } else {
            Self { length, flags }
        }
    }

    /// Number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there is no value at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The flags where any value is NULL, `None` where none is.
    #[must_use]
    pub fn flags(&self) -> Option<&[bool]> {
        (!self.flags.is_empty()).then_some(self.flags.as_slice())
    }

    /// Whether value `row` is not NULL.
    #[must_use]
    pub fn is_valid(&self, row: usize) -> bool {
        self.flags.get(row).copied().unwrap_or(true)
    }

    /// Appends one value's flag.
    pub fn push(&mut self, valid: bool) {
        if !valid && self.flags.is_empty() {
            self.flags.resize(self.length, true);
        }
        self.length += 1;
        if !valid || !self.flags.is_empty() {
            self.flags.push(valid);
        }
    }

    /// Appends the flags of `count` values that are not NULL.
    pub fn push_valid(&mut self, count: usize) {
        self.length += count;
        if !self.flags.is_empty() {
            self.flags.resize(self.length, true);
        }
    }

    /// Valid where both are.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        match (self.flags(), other.flags()) {
            (_, None) => self.clone(),
            (None, Some(_)) => other.clone(),
            (Some(left), Some(right)) => {
                Self::from_flags(left.iter().zip(right).map(|(&l, &r)| l && r).collect())
            }
        }
    }

    fn gather(&self, rows: &[u32]) -> Self {
        match self.flags() {
            None => Self::all(rows.len()),
            Some(flags) => Self::from_flags(gather(flags, rows)),
        }
    }

    fn clear(&mut self) {
        self.length = 0;
        self.flags.clear();
    }
}

impl Texts {
    /// `rows` empty texts, to be set one by one.
    #[must_use]
    pub fn empty(rows: usize) -> Self {
        Self {
            bytes: Vec::new(),
            spans: vec![Span::default(); rows],
        }
    }

    /// Number of texts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is no text at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Bytes held by the arena.
    #[must_use]
    pub fn arena_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes of all texts together, each counted as often as it occurs.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        self.spans.iter().map(|span| span.length as usize).sum()
    }

    /// The text at `row`, as UTF-8 bytes.
    #[must_use]
    pub fn bytes(&self, row: usize) -> &[u8] {
        self.spans
            .get(row)
            .map_or(&[], |span| self.span_bytes(*span))
    }

    /// All texts in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.spans.iter().map(|span| self.span_bytes(*span))
    }

    /// The [`head`] and the length in bytes of each text in order.
    pub fn heads(&self) -> impl Iterator<Item = (u64, usize)> {
        self.spans.iter().map(|span| {
            let length = span.length as usize;
            (head(&self.bytes, span.start as usize, length), length)
        })
    }

    /// Appends `text`. The caller keeps an arena below 4 GiB: `false`, and nothing appended, where it would pass.
    #[must_use]
    pub fn push(&mut self, text: &str) -> bool {
        self.push_utf8(text.as_bytes())
    }

    /// Appends `text`, which the caller has checked to be valid UTF-8. One that repeats the text before it is held
    /// once: a column of symbols costs a comparison a row. `false`, and nothing appended, past 4 GiB.
    #[must_use]
    pub fn push_utf8(&mut self, text: &[u8]) -> bool {
        if let Some(&last) = self.spans.last()
            && self.span_bytes(last) == text
        {
            self.spans.push(last);
            return true;
        }
        let (Ok(start), Ok(length)) = (u32::try_from(self.bytes.len()), u32::try_from(text.len()))
        else {
            return false;
        };
        if start.checked_add(length).is_none() {
            return false;
        }
        self.bytes.extend_from_slice(text);
        self.spans.push(Span { start, length });
        true
    }

    /// Makes `text` the one at `row`; the caller has checked it to be valid UTF-8. `false`, and nothing changed, past
    /// 4 GiB.
    #[must_use]
    pub fn set_utf8(&mut self, row: usize, text: &[u8]) -> bool {
        if !self.push_utf8(text) {
            return false;
        }
        if let (Some(span), Some(place)) = (self.spans.pop(), self.spans.get_mut(row)) {
            *place = span;
        }
        true
    }

    fn span_bytes(&self, span: Span) -> &[u8] {
        let start = span.start as usize;
        self.bytes
            .get(start..start + span.length as usize)
            .unwrap_or_default()
    }

    /// Shares nothing with `self`, but copies the arena whole where that is smaller than the texts one by one.
    fn gather(&self, rows: &[u32]) -> Self {
        let spans: Vec<Span> = gather(&self.spans, rows);
        let wanted: usize = spans.iter().map(|span| span.length as usize).sum();
        if wanted >= self.bytes.len() {
            return Self {
                bytes: self.bytes.clone(),
                spans,
            };
        }
        let mut texts = Self {
            bytes: Vec::with_capacity(wanted),
            spans: Vec::with_capacity(rows.len()),
        };
        for span in spans {
            // Cannot be false: the texts fitted an arena before.
            let _ = texts.push_utf8(self.span_bytes(span));
        }
        texts
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
    }
}

/// The first eight bytes of a text of `length` bytes at `start` of an arena, zeros after its end. Texts of at most
/// eight bytes are equal where their heads and lengths are: keys are mostly such, and two integers are compared in a
/// tenth of the time that two slices take.
#[must_use]
#[inline]
pub fn head(arena: &[u8], start: usize, length: usize) -> u64 {
    let rest = arena.get(start..).unwrap_or_default();
    let bits = u32::try_from(length.min(8)).unwrap_or(8) * 8;
    let beyond = u64::MAX.checked_shl(bits).unwrap_or(0);
    if let Some(bytes) = rest.first_chunk::<8>() {
        // Reads into the next text and cuts that off again: no branch on the length.
        return u64::from_le_bytes(*bytes) & !beyond;
    }
    let mut bytes = [0; 8];
    let last = rest.len().min(length);
    if let (Some(into), Some(from)) = (bytes.get_mut(..last), rest.get(..last)) {
        into.copy_from_slice(from);
    }
    u64::from_le_bytes(bytes)
}

/// Equal where the texts are, however they are laid out.
impl PartialEq for Texts {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Data {
    /// No values yet, room for `rows`.
    #[must_use]
    pub fn with_capacity(physical: Physical, rows: usize) -> Self {
        match physical {
            Physical::Boolean => Data::Boolean(Vec::with_capacity(rows)),
            Physical::Int => Data::Int(Vec::with_capacity(rows)),
            Physical::Wide => Data::Wide(Vec::with_capacity(rows)),
            Physical::Double => Data::Double(Vec::with_capacity(rows)),
            Physical::Text => Data::Text(Texts {
                bytes: Vec::new(),
                spans: Vec::with_capacity(rows),
            }),
        }
    }

    /// How the values are held.
    #[must_use]
    pub fn physical(&self) -> Physical {
        match self {
            Data::Boolean(_) => Physical::Boolean,
            Data::Int(_) => Physical::Int,
            Data::Wide(_) => Physical::Wide,
            Data::Double(_) => Physical::Double,
            Data::Text(_) => Physical::Text,
        }
    }

    /// Number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Data::Boolean(values) => values.len(),
            Data::Int(values) => values.len(),
            Data::Wide(values) => values.len(),
            Data::Double(values) => values.len(),
            Data::Text(texts) => texts.len(),
        }
    }

    /// Whether there is no value at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Vector {
    /// No values yet, room for `rows` of type `ty`.
    #[must_use]
    pub fn with_capacity(ty: Type, rows: usize) -> Self {
        Self {
            data: Data::with_capacity(ty.physical(), rows),
            valid: Validity::default(),
        }
    }

    /// From values none of which is NULL.
    #[must_use]
    pub fn from_data(data: Data) -> Self {
        let valid = Validity::all(data.len());
        Self { data, valid }
    }

    /// Number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.valid.len()
    }

    /// Whether there is no value at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.valid.is_empty()
    }

    /// Drops the values, keeps the room.
    pub fn clear(&mut self) {
        match &mut self.data {
            Data::Boolean(values) => values.clear(),
            Data::Int(values) => values.clear(),
            Data::Wide(values) => values.clear(),
            Data::Double(values) => values.clear(),
            Data::Text(texts) => texts.clear(),
        }
        self.valid.clear();
    }

    /// Appends NULL.
    pub fn push_null(&mut self) {
        match &mut self.data {
            Data::Boolean(values) => values.push(false),
            Data::Int(values) => values.push(0),
            Data::Wide(values) => values.push(0),
            Data::Double(values) => values.push(0.0),
            Data::Text(texts) => texts.spans.push(Span::default()),
        }
        self.valid.push(false);
    }

    /// Appends `value`; NULL where it is of another kind (which a checked plan rules out).
    pub fn push(&mut self, value: &Value) {
        let fits = match (&mut self.data, value) {
            (Data::Boolean(values), Value::Boolean(value)) => {
                values.push(*value);
                true
            }
            (Data::Int(values), Value::Int(value)) => {
                values.push(*value);
                true
            }
            (Data::Wide(values), Value::Wide(value)) => {
                values.push(*value);
                true
            }
            (Data::Double(values), Value::Double(value)) => {
                values.push(*value);
                true
            }
            (Data::Text(texts), Value::Text(value)) => texts.push(value),
            _ => false,
        };
        if fits {
            self.valid.push(true);
        } else {
            self.push_null();
        }
    }

    /// The value at `row`. For the ends of a run, not for its loops.
    #[must_use]
    pub fn value(&self, row: usize) -> Value {
        if !self.valid.is_valid(row) {
            return Value::Null;
        }
        let found = match &self.data {
            Data::Boolean(values) => values.get(row).map(|&value| Value::Boolean(value)),
            Data::Int(values) => values.get(row).map(|&value| Value::Int(value)),
            Data::Wide(values) => values.get(row).map(|&value| Value::Wide(value)),
            Data::Double(values) => values.get(row).map(|&value| Value::Double(value)),
            Data::Text(texts) => Some(Value::Text(
                String::from_utf8_lossy(texts.bytes(row))
                    .into_owned()
                    .into(),
            )),
        };
        found.unwrap_or(Value::Null)
    }

    /// The values at `rows`, in that order.
    #[must_use]
    pub fn gather(&self, rows: &[u32]) -> Self {
        let data = match &self.data {
            Data::Boolean(values) => Data::Boolean(gather(values, rows)),
            Data::Int(values) => Data::Int(gather(values, rows)),
            Data::Wide(values) => Data::Wide(gather(values, rows)),
            Data::Double(values) => Data::Double(gather(values, rows)),
            Data::Text(texts) => Data::Text(texts.gather(rows)),
        };
        Self {
            data,
            valid: self.valid.gather(rows),
        }
    }
}

/// The values at `rows`; rows past the end are left out.
fn gather<T: Copy>(values: &[T], rows: &[u32]) -> Vec<T> {
    rows.iter()
        .filter_map(|&row| values.get(row as usize).copied())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_gives_back_what_was_pushed_and_gathered() {
        let rows = [
            Value::Null,
            Value::Text("a".into()),
            Value::Text("a".into()),
            Value::Text("äb".into()),
        ];
        let mut vector = Vector::with_capacity(Type::Varchar, 4);
        rows.iter().for_each(|value| vector.push(value));
        assert_eq!(
            (0..4).map(|row| vector.value(row)).collect::<Vec<_>>(),
            rows
        );
        let picked = vector.gather(&[3, 1, 0]);
        assert_eq!(picked.len(), 3);
        assert_eq!(
            (0..3).map(|row| picked.value(row)).collect::<Vec<_>>(),
            [rows[3].clone(), rows[1].clone(), Value::Null]
        );
        let Data::Text(texts) = &vector.data else {
            panic!("text")
        };
        assert_eq!(
            texts.arena_bytes(),
            "aäb".len(),
            "a repeated text is held once"
        );
    }

    #[test]
    fn validity_holds_no_flags_until_the_first_null() {
        let mut valid = Validity::default();
        valid.push(true);
        assert_eq!((valid.flags(), valid.len()), (None, 1));
        valid.push(false);
        assert_eq!(valid.flags(), Some(&[true, false][..]));
        assert_eq!(valid.and(&Validity::all(2)), valid);
        valid.clear();
        assert_eq!(valid, Validity::default());
    }
}
