//! What a query keeps, as tables of typed columns, and back: what a shard writes and a merge reads (docs/merge.md).
//!
//! A state has one form, whatever rows it was made of and in which order: groups are sorted by their keys, values that an
//! aggregate holds one by one by group and value, and sums are exact numbers. What is read back is a small state, which is
//! merged like that of a worker.

use std::sync::Arc;

use super::cells::Cells;
use super::order::{by_keys, sort};
use super::{Failure, Holder, Rollup, State, Top};
use crate::budget::{Budget, Charged, Exceeded};
use crate::limits::BATCH_ROWS;
use crate::value::vector::{Batch, Data, Vector};
use crate::value::{Position, Type};

/// The columns of a partial result, of which each of its tables has some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Name and type of each column, in order.
    pub fields: Vec<(String, Type)>,
    /// The columns of each table, by their place in `fields`. The first is that of groups, or of rows; the others hold the
    /// values of one aggregate each.
    pub tables: Vec<Vec<usize>>,
}

/// Why a table is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is not one that a shard of this query writes.
    Malformed(&'static str),
    /// State past the budget.
    Failure(Failure),
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// Place of the column that says which aggregate's values a row is of, from 1; NULL in the table of groups.
const OF: usize = 0;
/// Place of the column of a group's number, from 0 in the order of the keys.
const GROUP: usize = 1;
/// Place of the first column of what a group holds.
const HELD: usize = 2;

impl Layout {
    fn of_rollup(rollup: &Rollup<'_>) -> Self {
        let mut fields = vec![
            ("of".to_owned(), Type::BigInt),
            ("group".to_owned(), Type::BigInt),
        ];
        let mut groups = vec![GROUP];
        let mut values = Vec::new();
        let mut add = |table: &mut Vec<usize>, name: String, ty| {
            table.push(fields.len());
            fields.push((name, ty));
        };
        for (key, number) in rollup.plan.keys.iter().zip(1..) {
            add(&mut groups, format!("k{number}"), key.ty);
        }
        for (aggregate, number) in rollup.aggregates.iter().zip(1..) {
            for (suffix, ty) in aggregate.fields() {
                add(&mut groups, format!("a{number}{suffix}"), ty);
            }
            if let Some(ty) = aggregate.value_type() {
                let mut table = vec![OF, GROUP];
                add(&mut table, format!("a{number}"), ty);
                values.push(table);
            }
        }
        Self {
            fields,
            tables: [groups].into_iter().chain(values).collect(),
        }
    }

    /// `columns` are the types of the columns of a batch.
    fn of_top(top: &Top<'_>, columns: &[Type]) -> Self {
        let keys = top.plan().order.iter().zip(1..);
        let keys = keys.map(|(key, number)| (format!("o{number}"), key.expr.ty));
        let columns = columns.iter().enumerate();
        let columns = columns.filter(|(index, _)| top.reads().contains(*index));
        let columns = columns.map(|(index, &ty)| (format!("c{}", index + 1), ty));
        let position = ["input", "offset"].map(|name| (name.to_owned(), Type::BigInt));
        let fields: Vec<_> = position.into_iter().chain(keys).chain(columns).collect();
        Self {
            tables: vec![(0..fields.len()).collect()],
            fields,
        }
    }
}

impl<'p> State<'p> {
    /// The columns of its partial result; `columns` are the types of the columns of a batch.
    #[must_use]
    pub fn layout(&self, columns: &[Type]) -> Layout {
        match self {
            Self::Groups(rollup) => Layout::of_rollup(rollup),
            Self::Top(top) => Layout::of_top(top, columns),
        }
    }

    /// All of it, in its one form.
    ///
    /// Errors: state past the budget, for the order of it.
    pub fn into_partial(self, budget: &Arc<Budget>) -> Result<Partial<'p>, Failure> {
        Ok(match self {
            Self::Groups(rollup) => Partial::Groups(Box::new(Tables::new(rollup, budget)?)),
            Self::Top(top) => Partial::Top(Box::new(top.finish()?)),
        })
    }
}

/// A state as tables, handed out batch by batch.
#[derive(Debug)]
pub enum Partial<'p> {
    /// Of a grouped query.
    Groups(Box<Tables<'p>>),
    /// Of a row-wise query with an order.
    Top(Box<super::Ordered<'p>>),
}

impl Partial<'_> {
    /// The next rows, at most [`BATCH_ROWS`], with the number of their table; `None` after the last.
    ///
    /// Errors: state past the budget, for the order of an aggregate's values.
    pub fn next_batch(&mut self) -> Result<Option<(usize, Batch)>, Failure> {
        match self {
            Self::Groups(tables) => tables.next_batch(),
            Self::Top(ordered) => Ok(ordered.next_held().map(|batch| (0, batch))),
        }
    }
}

/// The tables of a grouped query.
#[derive(Debug)]
pub struct Tables<'p> {
    budget: Arc<Budget>,
    rollup: Rollup<'p>,
    /// For each group its number in the order of the keys.
    ranks: Charged<u32>,
    /// The aggregates that hold values one by one, by their place.
    many: Vec<usize>,
    /// The table under way, what is listed of it, and how much of that was handed out.
    table: usize,
    order: Charged<u32>,
    next: usize,
}

impl<'p> Tables<'p> {
    fn new(rollup: Rollup<'p>, budget: &Arc<Budget>) -> Result<Self, Failure> {
        let groups = rollup.table.len();
        let full = |exceeded| Failure::full(Holder::Order, groups, exceeded);
        let mut order = numbers(groups, budget).map_err(full)?;
        let keys: &[Cells] = &rollup.table.keys;
        sort(order.as_mut_slice(), &|a, b| by_keys(keys, a, b));
        let mut ranks = Charged::new(budget);
        ranks.grow(order.len(), 0).map_err(full)?;
        for (&group, rank) in order.iter().zip(0..) {
            if let Some(place) = ranks.get_mut(group as usize) {
                *place = rank;
            }
        }
        let aggregates = rollup.aggregates.iter().enumerate();
        let many = aggregates.filter(|(_, aggregate)| aggregate.value_type().is_some());
        Ok(Self {
            budget: Arc::clone(budget),
            many: many.map(|(place, _)| place).collect(),
            rollup,
            ranks,
            table: 0,
            order,
            next: 0,
        })
    }

    fn next_batch(&mut self) -> Result<Option<(usize, Batch)>, Failure> {
        while self.next >= self.order.len() {
            let Some(&place) = self.many.get(self.table) else {
                return Ok(None);
            };
            self.table += 1;
            self.next = 0;
            self.order = self.sorted(place)?;
        }
        let rest = self.order.get(self.next..).unwrap_or_default();
        let listed = rest.get(..BATCH_ROWS).unwrap_or(rest);
        let before = self.table.checked_sub(1);
        let columns = match before.and_then(|table| self.many.get(table)) {
            None => self.groups(listed),
            Some(&place) => self.values(place, listed),
        };
        let batch = Batch {
            rows: listed.len(),
            columns,
            ..Batch::default()
        };
        self.next += batch.rows;
        Ok(Some((self.table, batch)))
    }

    /// The values of an aggregate by group and value.
    fn sorted(&self, place: usize) -> Result<Charged<u32>, Failure> {
        let Some((values, cells)) = self.held(place) else {
            return Ok(Charged::new(&self.budget));
        };
        let full = |exceeded| Failure::full(Holder::Order, values.len(), exceeded);
        let mut order = numbers(values.len(), &self.budget).map_err(full)?;
        sort(order.as_mut_slice(), &|a, b| {
            let rank = |at| self.rank(values.group(at));
            rank(a)
                .cmp(&rank(b))
                .then_with(|| cells.compare_total(a, b))
        });
        Ok(order)
    }

    fn groups(&self, listed: &[u32]) -> Vec<Vector> {
        let mut columns = vec![self.group_column(listed.iter().copied())];
        let keys = self.rollup.table.keys.iter();
        columns.extend(keys.map(|cells| cells.gather(listed)));
        for aggregate in &self.rollup.aggregates {
            columns.extend(aggregate.states_of(listed));
        }
        columns
    }

    fn values(&self, place: usize, listed: &[u32]) -> Vec<Vector> {
        let Some((values, cells)) = self.held(place) else {
            return Vec::new();
        };
        let of = i64::try_from(place + 1).unwrap_or(i64::MAX);
        vec![
            Vector::from_data(Data::Int(vec![of; listed.len()])),
            self.group_column(listed.iter().map(|&at| values.group(at))),
            cells.gather(listed),
        ]
    }

    fn held(&self, place: usize) -> Option<(ValuesHeld<'_>, &Cells)> {
        self.rollup.aggregates.get(place)?.values_held()
    }

    fn group_column(&self, groups: impl Iterator<Item = u32>) -> Vector {
        Vector::from_data(Data::Int(
            groups.map(|group| self.rank(group).into()).collect(),
        ))
    }

    fn rank(&self, group: u32) -> u32 {
        self.ranks.get(group as usize).copied().unwrap_or_default()
    }
}

/// The groups of the values that an aggregate holds one by one.
pub(super) enum ValuesHeld<'a> {
    /// As cells.
    Cells(&'a [i64]),
    /// As numbers.
    Numbers(&'a [u32]),
}

impl ValuesHeld<'_> {
    fn len(&self) -> u32 {
        let length = match self {
            Self::Cells(groups) => groups.len(),
            Self::Numbers(groups) => groups.len(),
        };
        u32::try_from(length).unwrap_or(u32::MAX)
    }

    fn group(&self, at: u32) -> u32 {
        let at = at as usize;
        let group = match self {
            Self::Cells(groups) => groups.get(at).and_then(|&group| u32::try_from(group).ok()),
            Self::Numbers(groups) => groups.get(at).copied(),
        };
        group.unwrap_or_default()
    }
}

/// The numbers below `end`.
fn numbers(end: u32, budget: &Arc<Budget>) -> Result<Charged<u32>, Exceeded> {
    let mut all = Charged::new(budget);
    all.reserve(end as usize)?;
    (0..end).try_for_each(|number| all.push(number))?;
    Ok(all)
}

/// Takes one partial result into a state.
#[derive(Debug)]
pub struct Loader<'s, 'p> {
    state: &'s mut State<'p>,
    layout: &'s Layout,
    /// For each group of the partial result its number in the state.
    map: Charged<u32>,
}

impl<'s, 'p> Loader<'s, 'p> {
    /// Nothing taken yet. `layout` is the state's.
    pub fn new(state: &'s mut State<'p>, layout: &'s Layout, budget: &Arc<Budget>) -> Self {
        Self {
            state,
            layout,
            map: Charged::new(budget),
        }
    }

    /// Takes the next rows: of any table, with all columns of the layout.
    ///
    /// Errors: what no shard writes; state past the budget.
    pub fn take(&mut self, batch: &Batch) -> Result<(), Refused> {
        match self.state {
            State::Top(top) => load_rows(top, self.layout, batch),
            State::Groups(rollup) => {
                let of = integers(batch, OF)?;
                let mut first = 0;
                while first < batch.rows {
                    let rest = of.get(first..).unwrap_or_default();
                    let Some(&number) = rest.first() else {
                        return Err(Refused::Malformed("rows of a table"));
                    };
                    let rows = rest.iter().take_while(|&&next| next == number).count();
                    let listed: Vec<u32> = (0_u32..).skip(first).take(rows).collect();
                    // One table is mostly all that a batch has.
                    let rows_of = |columns: &[Vector]| Batch {
                        rows,
                        columns: match rows == batch.rows {
                            true => columns.to_vec(),
                            false => columns.iter().map(|one| one.gather(&listed)).collect(),
                        },
                        ..Batch::default()
                    };
                    match number {
                        None => load_groups(rollup, &mut self.map, &rows_of(&batch.columns))?,
                        Some(of) => {
                            let values = values_of(self.layout, batch, of)?;
                            load_values(rollup, &self.map, of, &rows_of(&values))?;
                        }
                    }
                    first += rows;
                }
                Ok(())
            }
        }
    }
}

/// The groups of `batch`, with all that they hold but values one by one.
fn load_groups(
    rollup: &mut Rollup<'_>,
    map: &mut Charged<u32>,
    batch: &Batch,
) -> Result<(), Refused> {
    let numbers = integers(batch, GROUP)?;
    let expected = (0_i64..).skip(map.len());
    if !numbers
        .iter()
        .copied()
        .eq(expected.map(Some).take(batch.rows))
    {
        return Err(Refused::Malformed("groups that are numbered from 0"));
    }
    let keys = HELD..HELD + rollup.plan.keys.len();
    let read = batch.columns.get(keys.clone()).unwrap_or_default();
    let mut other = Rollup::new(rollup.plan, Arc::clone(&rollup.budget));
    let read: Vec<_> = read.iter().map(super::positive_zeros).collect();
    let mut found = Vec::new();
    other.find(&read, batch.rows, &mut found)?;
    if !found.iter().copied().eq((0..).take(batch.rows)) {
        return Err(Refused::Malformed("each group once"));
    }
    let mut next = keys.end;
    for aggregate in &mut other.aggregates {
        let (fields, values) = (aggregate.fields().len(), aggregate.value_type());
        let columns = batch.columns.get(next..next + fields).unwrap_or_default();
        aggregate.load(columns, batch.rows)?;
        next += fields + usize::from(values.is_some());
    }
    let groups = rollup.absorb(&other)?;
    map.extend(&groups)
        .map_err(|exceeded| Failure::full(Holder::Keys, rollup.table.len(), exceeded).into())
}

const NO_VALUES: Refused = Refused::Malformed("values of an aggregate's groups");

/// The columns of the values that the aggregate number `of` holds one by one: their groups, and they.
fn values_of(layout: &Layout, batch: &Batch, of: i64) -> Result<[Vector; 2], Refused> {
    let name = format!("a{of}");
    let place = layout.fields.iter().position(|(known, _)| *known == name);
    let values = place.and_then(|place| batch.columns.get(place));
    match (batch.columns.get(GROUP), values) {
        (Some(groups), Some(values)) => Ok([groups.clone(), values.clone()]),
        _ => Err(NO_VALUES),
    }
}

/// Takes such columns.
fn load_values(
    rollup: &mut Rollup<'_>,
    map: &[u32],
    of: i64,
    batch: &Batch,
) -> Result<(), Refused> {
    let aggregate = usize::try_from(of).ok().and_then(|of| of.checked_sub(1));
    let aggregate = aggregate.and_then(|place| rollup.aggregates.get_mut(place));
    let (Some(aggregate), [_, values]) = (aggregate, batch.columns.as_slice()) else {
        return Err(NO_VALUES);
    };
    let groups = integers(batch, 0)?.into_iter();
    let groups: Option<Vec<u32>> = groups
        .map(|group| map.get(usize::try_from(group?).ok()?).copied())
        .collect();
    match groups {
        Some(groups) if values.valid.flags().is_none() && aggregate.value_type().is_some() => {
            Ok(aggregate.load_values(&groups, values)?)
        }
        Some(_) | None => Err(NO_VALUES),
    }
}

/// Rows of a query with an order.
fn load_rows(top: &mut Top<'_>, layout: &Layout, batch: &Batch) -> Result<(), Refused> {
    let [inputs, offsets] = [integers(batch, 0)?, integers(batch, 1)?];
    let positions = inputs.into_iter().zip(offsets).map(|(input, offset)| {
        Some(Position {
            input: u32::try_from(input?).ok()?,
            offset: offset?.cast_unsigned(),
        })
    });
    let positions: Option<Vec<_>> = positions.collect();
    let positions = positions.ok_or(Refused::Malformed("a position of each row"))?;
    let keys = HELD..HELD + top.plan().order.len();
    let columns = layout.fields.get(keys.end..).unwrap_or_default();
    let places = columns.iter().map(|(name, _)| {
        let number: usize = name.strip_prefix('c')?.parse().ok()?;
        number.checked_sub(1)
    });
    let places: Vec<usize> = places.flatten().collect();
    let held = batch.columns.get(keys.end..).unwrap_or_default();
    let mut read = Batch {
        rows: batch.rows,
        ..Batch::default()
    };
    for (&place, column) in places.iter().zip(held) {
        read.columns.resize_with(place, super::order::unread);
        read.columns.push(column.clone());
    }
    let keys = batch.columns.get(keys).unwrap_or_default();
    Ok(top.take_held(&read, keys, &positions)?)
}

/// The values of a column of whole numbers.
fn integers(batch: &Batch, place: usize) -> Result<Vec<Option<i64>>, Refused> {
    match batch.columns.get(place) {
        Some(Vector {
            data: Data::Int(values),
            valid,
        }) => Ok(values
            .iter()
            .enumerate()
            .map(|(row, &value)| valid.is_valid(row).then_some(value))
            .collect()),
        Some(_) | None => Err(Refused::Malformed("a column of numbers")),
    }
}
