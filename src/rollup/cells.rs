//! One value a group, held as columns: keys, and what `min`, `first` or `arg_max` hold. All of it is charged.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::budget::{Budget, Charged, Exceeded};
use crate::value::Physical;
use crate::value::vector::{Data, Texts, Validity, Vector, head};

/// One value a group, each NULL at first. Invariant: `values` and `valid` are of one length.
#[derive(Debug)]
pub(super) struct Cells {
    pub(super) values: Values,
    /// Which values are not NULL.
    pub(super) valid: Charged<bool>,
}

/// The values of [`Cells`], by how they are held.
#[derive(Debug)]
pub(super) enum Values {
    Boolean(Charged<bool>),
    Int(Charged<i64>),
    Wide(Charged<i128>),
    Double(Charged<f64>),
    Text(TextCells),
}

impl Cells {
    pub(super) fn new(physical: Physical, budget: &Arc<Budget>) -> Self {
        let values = match physical {
            Physical::Boolean => Values::Boolean(Charged::new(budget)),
            Physical::Int => Values::Int(Charged::new(budget)),
            Physical::Wide => Values::Wide(Charged::new(budget)),
            Physical::Double => Values::Double(Charged::new(budget)),
            Physical::Text => Values::Text(TextCells::new(budget)),
        };
        Self {
            values,
            valid: Charged::new(budget),
        }
    }

    /// How the values are held.
    pub(super) fn physical(&self) -> Physical {
        match self.values {
            Values::Boolean(_) => Physical::Boolean,
            Values::Int(_) => Physical::Int,
            Values::Wide(_) => Physical::Wide,
            Values::Double(_) => Physical::Double,
            Values::Text(_) => Physical::Text,
        }
    }

    /// A cell for each of `groups` groups; new ones are NULL.
    pub(super) fn grow(&mut self, groups: usize) -> Result<(), Exceeded> {
        match &mut self.values {
            Values::Boolean(values) => values.grow(groups, false)?,
            Values::Int(values) => values.grow(groups, 0)?,
            Values::Wide(values) => values.grow(groups, 0)?,
            Values::Double(values) => values.grow(groups, 0.0)?,
            Values::Text(texts) => texts.spans.grow(groups, Span::default())?,
        }
        self.valid.grow(groups, false)
    }

    /// Puts the value at `row` of `vector` into the cell of `group`, which exists.
    pub(super) fn set(&mut self, group: u32, vector: &Vector, row: usize) -> Result<(), Exceeded> {
        let at = group as usize;
        match (&mut self.values, &vector.data) {
            (Values::Boolean(cells), Data::Boolean(values)) => put(cells, at, values.get(row)),
            (Values::Int(cells), Data::Int(values)) => put(cells, at, values.get(row)),
            (Values::Wide(cells), Data::Wide(values)) => put(cells, at, values.get(row)),
            (Values::Double(cells), Data::Double(values)) => put(cells, at, values.get(row)),
            (Values::Text(cells), Data::Text(texts)) => cells.set(at, texts.bytes(row))?,
            // A vector of another type, which a checked plan rules out.
            _ => return Ok(()),
        }
        put(&mut self.valid, at, Some(&vector.valid.is_valid(row)));
        Ok(())
    }

    /// Puts the values at `rows` of `vector` into the cells of their groups, which exist; of several of one group the
    /// last one stays.
    pub(super) fn set_rows(
        &mut self,
        rows: &[(u32, u32)],
        vector: &Vector,
    ) -> Result<(), Exceeded> {
        match (&mut self.values, &vector.data) {
            (Values::Boolean(cells), Data::Boolean(values)) => scatter(cells, rows, values),
            (Values::Int(cells), Data::Int(values)) => scatter(cells, rows, values),
            (Values::Wide(cells), Data::Wide(values)) => scatter(cells, rows, values),
            (Values::Double(cells), Data::Double(values)) => scatter(cells, rows, values),
            (Values::Text(cells), Data::Text(texts)) => {
                for &(group, row) in rows {
                    cells.set(group as usize, texts.bytes(row as usize))?;
                }
            }
            _ => {}
        }
        match vector.valid.flags() {
            Some(flags) => scatter(&mut self.valid, rows, flags),
            None => {
                for &(group, _) in rows {
                    put(&mut self.valid, group as usize, Some(&true));
                }
            }
        }
        Ok(())
    }

    /// Puts the value of `group` of `other` into the cell `at`.
    pub(super) fn copy(&mut self, at: u32, other: &Self, group: u32) -> Result<(), Exceeded> {
        let (at, group) = (at as usize, group as usize);
        match (&mut self.values, &other.values) {
            (Values::Boolean(cells), Values::Boolean(values)) => put(cells, at, values.get(group)),
            (Values::Int(cells), Values::Int(values)) => put(cells, at, values.get(group)),
            (Values::Wide(cells), Values::Wide(values)) => put(cells, at, values.get(group)),
            (Values::Double(cells), Values::Double(values)) => put(cells, at, values.get(group)),
            (Values::Text(cells), Values::Text(texts)) => cells.set(at, texts.bytes(group))?,
            _ => return Ok(()),
        }
        put(&mut self.valid, at, other.valid.get(group));
        Ok(())
    }

    /// The values of `groups`, in that order.
    pub(super) fn gather(&self, groups: &[u32]) -> Vector {
        let data = match &self.values {
            Values::Boolean(values) => Data::Boolean(gather(values, groups)),
            Values::Int(values) => Data::Int(gather(values, groups)),
            Values::Wide(values) => Data::Wide(gather(values, groups)),
            Values::Double(values) => Data::Double(gather(values, groups)),
            Values::Text(cells) => {
                let mut texts = Texts::default();
                for &group in groups {
                    // Cannot be false: a batch of texts of at most 16 MiB each is handed out.
                    let _ = texts.push_utf8(cells.bytes(group as usize));
                }
                Data::Text(texts)
            }
        };
        Vector {
            data,
            valid: Validity::from_flags(gather(&self.valid, groups)),
        }
    }

    /// Keeps `same` true where the cell of a row's group is equal to the row's value, NULL equal to NULL.
    pub(super) fn compare_rows(&self, groups: &[u32], vector: &Vector, same: &mut [bool]) {
        if vector.valid.flags().is_some() {
            for (row, (same, &group)) in same.iter_mut().zip(groups).enumerate() {
                *same = *same && self.equals(group, vector, row);
            }
            return;
        }
        let valid: &[bool] = &self.valid;
        match (&self.values, &vector.data) {
            (Values::Boolean(cells), Data::Boolean(values)) => {
                equal(cells, valid, groups, values, same);
            }
            (Values::Int(cells), Data::Int(values)) => equal(cells, valid, groups, values, same),
            (Values::Wide(cells), Data::Wide(values)) => equal(cells, valid, groups, values, same),
            (Values::Double(cells), Data::Double(values)) => {
                equal(cells, valid, groups, values, same);
            }
            (Values::Text(cells), Data::Text(texts)) => {
                cells.compare_rows(valid, groups, texts, same);
            }
            _ => {}
        }
    }

    /// Whether the cell of `group` is equal to the value at `row`, NULL equal to NULL.
    pub(super) fn equals(&self, group: u32, vector: &Vector, row: usize) -> bool {
        let at = group as usize;
        let valid = vector.valid.is_valid(row);
        if self.valid.get(at) != Some(&valid) {
            return false;
        }
        !valid
            || match (&self.values, &vector.data) {
                (Values::Boolean(cells), Data::Boolean(values)) => cells.get(at) == values.get(row),
                (Values::Int(cells), Data::Int(values)) => cells.get(at) == values.get(row),
                (Values::Wide(cells), Data::Wide(values)) => cells.get(at) == values.get(row),
                (Values::Double(cells), Data::Double(values)) => cells.get(at) == values.get(row),
                (Values::Text(cells), Data::Text(texts)) => cells.bytes(at) == texts.bytes(row),
                _ => false,
            }
    }

    /// The order of two cells, NULLs last, texts bytewise.
    pub(super) fn compare(&self, group: u32, other: &Self, other_group: u32) -> Ordering {
        let (a, b) = (group as usize, other_group as usize);
        let valid = (
            self.valid.get(a).copied().unwrap_or(false),
            other.valid.get(b).copied().unwrap_or(false),
        );
        if valid != (true, true) {
            // NULL after every value: `false` of a NULL must come after `true`.
            return valid.1.cmp(&valid.0);
        }
        match (&self.values, &other.values) {
            (Values::Boolean(left), Values::Boolean(right)) => left.get(a).cmp(&right.get(b)),
            (Values::Int(left), Values::Int(right)) => left.get(a).cmp(&right.get(b)),
            (Values::Wide(left), Values::Wide(right)) => left.get(a).cmp(&right.get(b)),
            (Values::Double(left), Values::Double(right)) => left
                .get(a)
                .partial_cmp(&right.get(b))
                .unwrap_or(Ordering::Equal),
            (Values::Text(left), Values::Text(right)) => left.bytes(a).cmp(right.bytes(b)),
            _ => Ordering::Equal,
        }
    }
}

impl Cells {
    /// A total order of the values of two cells: where [`Cells::compare`] finds two zeros equal, -0.0 comes first.
    pub(super) fn compare_total(&self, a: u32, b: u32) -> Ordering {
        match &self.values {
            Values::Double(values) => {
                let value = |at: u32| values.get(at as usize).copied().unwrap_or_default();
                value(a).total_cmp(&value(b))
            }
            Values::Boolean(_) | Values::Int(_) | Values::Wide(_) | Values::Text(_) => {
                self.compare(a, self, b)
            }
        }
    }
}

fn put<T: Copy>(cells: &mut [T], at: usize, value: Option<&T>) {
    if let (Some(cell), Some(value)) = (cells.get_mut(at), value) {
        *cell = *value;
    }
}

fn gather<T: Copy>(values: &[T], groups: &[u32]) -> Vec<T> {
    groups
        .iter()
        .filter_map(|&group| values.get(group as usize).copied())
        .collect()
}

/// Keeps `same` true where the cell of a row's group is valid and equal to the row's value. Without a branch.
fn equal<T: PartialEq>(
    cells: &[T],
    valid: &[bool],
    groups: &[u32],
    values: &[T],
    same: &mut [bool],
) {
    for ((same, &group), value) in same.iter_mut().zip(groups).zip(values) {
        let group = group as usize;
        *same &= (cells.get(group) == Some(value)) & (valid.get(group) == Some(&true));
    }
}

/// Moves the values of `rows` to the cells of their groups, in that order.
fn scatter<T: Copy>(cells: &mut [T], rows: &[(u32, u32)], values: &[T]) {
    for &(group, row) in rows {
        if let (Some(cell), Some(&value)) =
            (cells.get_mut(group as usize), values.get(row as usize))
        {
            *cell = value;
        }
    }
}

/// Texts that are replaced one by one: in place where the new one is no longer, else at the end of an arena that is
/// rewritten when it would grow and half of it is dead.
#[derive(Debug)]
pub(super) struct TextCells {
    spans: Charged<Span>,
    arena: Charged<u8>,
    /// Bytes of the arena that no span covers.
    dead_bytes: usize,
}

/// Where a text stands: its start in the upper bits, its length (at most 16 MiB) in the lower 25. Half the size of two
/// numbers, and 512 GiB of texts.
#[derive(Clone, Copy, Debug, Default)]
struct Span(u64);

impl Span {
    const LENGTH_BITS: u32 = 25;

    fn new(start: usize, length: usize) -> Self {
        Self((start as u64) << Self::LENGTH_BITS | length as u64)
    }

    fn start(self) -> usize {
        usize::try_from(self.0 >> Self::LENGTH_BITS).unwrap_or(usize::MAX)
    }

    fn length(self) -> usize {
        usize::try_from(self.0 & ((1 << Self::LENGTH_BITS) - 1)).unwrap_or(usize::MAX)
    }
}

const _: () = assert!(crate::limits::VARCHAR_BYTES < 1 << Span::LENGTH_BITS);

impl TextCells {
    fn new(budget: &Arc<Budget>) -> Self {
        Self {
            spans: Charged::new(budget),
            arena: Charged::new(budget),
            dead_bytes: 0,
        }
    }

    pub(super) fn bytes(&self, group: usize) -> &[u8] {
        let span = self.spans.get(group).copied().unwrap_or_default();
        let start = span.start();
        self.arena
            .get(start..start + span.length())
            .unwrap_or_default()
    }

    /// See [`Cells::compare_rows`].
    fn compare_rows(&self, valid: &[bool], groups: &[u32], texts: &Texts, same: &mut [bool]) {
        let heads = texts.heads();
        for (row, ((same, &group), (text, length))) in
            same.iter_mut().zip(groups).zip(heads).enumerate()
        {
            let group = group as usize;
            let span = self.spans.get(group).copied().unwrap_or_default();
            *same &= (head(&self.arena, span.start(), span.length()) == text)
                & (span.length() == length)
                & (valid.get(group) == Some(&true));
            if *same && length > 8 {
                *same = self.bytes(group) == texts.bytes(row);
            }
        }
    }

    pub(super) fn set(&mut self, group: usize, text: &[u8]) -> Result<(), Exceeded> {
        let old = self.spans.get(group).copied().unwrap_or_default();
        if text.len() <= old.length() {
            let start = old.start();
            if let Some(place) = self.arena.get_mut(start..start + text.len()) {
                place.copy_from_slice(text);
            }
            self.dead_bytes += old.length() - text.len();
            put(&mut self.spans, group, Some(&Span::new(start, text.len())));
            return Ok(());
        }
        self.dead_bytes += old.length();
        put(&mut self.spans, group, Some(&Span::default()));
        if self.arena.is_full(text.len()) && self.dead_bytes > self.arena.len() / 2 {
            self.compact(text.len())?;
        }
        let span = Span::new(self.arena.len(), text.len());
        self.arena.extend(text)?;
        put(&mut self.spans, group, Some(&span));
        Ok(())
    }

    /// Moves the living texts to an arena of their own, with room for `more` bytes.
    fn compact(&mut self, more: usize) -> Result<(), Exceeded> {
        let living = self.arena.len() - self.dead_bytes;
        let mut arena = Charged::new(self.arena.budget());
        // As much again, so that the next time is as far off as after growth.
        arena.reserve(living + living.max(more))?;
        for span in self.spans.iter_mut() {
            let start = span.start();
            let text = self.arena.get(start..start + span.length());
            let moved = Span::new(arena.len(), span.length());
            arena.extend(text.unwrap_or_default())?;
            *span = moved;
        }
        self.arena = arena;
        self.dead_bytes = 0;
        Ok(())
    }
}
