//! The states of one aggregate as columns of a partial result, and back (docs/merge.md). What each state is, its own file
//! says; here is which fields it has, and how a field is written.

use super::{Aggregator, Failure, States};
use crate::budget::Exceeded;
use crate::rollup::cells::Cells;
use crate::rollup::partial::{Refused, ValuesHeld};
use crate::value::dyadic::Dyadic;
use crate::value::vector::{Data, Texts, Vector};
use crate::value::{Position, Type};

/// A field of a state: what its name ends in, and its type.
pub(in crate::rollup) type Field = (&'static str, Type);

/// Why columns are no states.
#[derive(Clone, Copy, Debug)]
pub(in crate::rollup) enum NotLoaded {
    /// No shard writes them.
    Malformed,
    /// No room.
    Full(Exceeded),
}

impl From<Exceeded> for NotLoaded {
    fn from(exceeded: Exceeded) -> Self {
        Self::Full(exceeded)
    }
}

impl Aggregator<'_> {
    /// The type of the values that it holds one by one, where it does.
    pub(in crate::rollup) fn value_type(&self) -> Option<Type> {
        let many = self.distinct.is_some() || matches!(self.states, States::Quantiles(_));
        many.then(|| self.argument(0))
    }

    /// The fields of its state; none where it holds values one by one.
    pub(in crate::rollup) fn fields(&self) -> Vec<Field> {
        if self.value_type().is_some() {
            return Vec::new();
        }
        let counted = |sums: &[&'static str]| -> Vec<Field> {
            let sums = sums.iter().map(|&name| (name, Type::Varchar));
            [("_rows", Type::BigInt)].into_iter().chain(sums).collect()
        };
        let placed = [("_input", Type::BigInt), ("_offset", Type::BigInt)];
        match &self.states {
            States::Count(_) => vec![("", Type::BigInt)],
            States::Exact(_) | States::Double(_) => counted(&["_sum"]),
            States::Extreme(_) => vec![("", self.argument(0))],
            States::Choice(_) => {
                let values = [("_key", self.argument(1)), ("", self.argument(0))];
                placed.into_iter().chain(values).collect()
            }
            States::End(_) => placed.into_iter().chain([("", self.argument(0))]).collect(),
            States::Moments(moments) => counted(&moments.names()),
            States::Quantiles(_) => Vec::new(),
        }
    }

    /// The states of `groups`, in that order, a vector for each field.
    pub(in crate::rollup) fn states_of(&self, groups: &[u32]) -> Vec<Vector> {
        if self.value_type().is_some() {
            return Vec::new();
        }
        match &self.states {
            States::Count(all) => vec![counts(super::pick(all, groups))],
            States::Exact(sums) => sums.columns(groups),
            States::Double(sums) => sums.columns(groups),
            States::Extreme(extremes) => vec![extremes.cells.gather(groups)],
            States::Choice(choice) => choice.columns(groups),
            States::End(ends) => ends.columns(groups),
            States::Moments(moments) => moments.columns(groups),
            States::Quantiles(_) => Vec::new(),
        }
    }

    /// A state for each of the `rows` rows of `columns`, one a field; nothing was taken before.
    pub(in crate::rollup) fn load(
        &mut self,
        columns: &[Vector],
        rows: usize,
    ) -> Result<(), Refused> {
        let malformed = Refused::Malformed("states of this query's aggregates");
        let Ok(groups) = u32::try_from(rows) else {
            return Err(malformed);
        };
        self.grow(groups)?;
        if self.value_type().is_some() {
            return Ok(());
        }
        let loaded = match (&mut self.states, columns) {
            (States::Count(all), [column]) => each_count(all, column),
            (States::Exact(sums), [rows, numbers]) => sums.load(rows, numbers),
            (States::Double(sums), [rows, numbers]) => sums.load(rows, numbers),
            (States::Extreme(extremes), [values]) => fill(&mut extremes.cells, values),
            (States::Choice(choice), [inputs, offsets, keys, values]) => {
                positions(inputs, offsets).and_then(|at| choice.load(&at, keys, values))
            }
            (States::End(ends), [inputs, offsets, values]) => {
                positions(inputs, offsets).and_then(|at| ends.load(&at, values))
            }
            (States::Moments(moments), [rows, sums @ ..]) => moments.load(rows, sums),
            _ => Err(NotLoaded::Malformed),
        };
        loaded.map_err(|fault| match fault {
            NotLoaded::Malformed => malformed,
            NotLoaded::Full(exceeded) => self.full(exceeded).into(),
        })
    }

    /// The values that it holds one by one, with their groups.
    pub(in crate::rollup) fn values_held(&self) -> Option<(ValuesHeld<'_>, &Cells)> {
        match (&self.distinct, &self.states) {
            (Some(distinct), _) => distinct.held(),
            (None, States::Quantiles(quantiles)) => Some(quantiles.held()),
            (None, _) => None,
        }
    }

    /// Takes values of `groups`, as [`Aggregator::values_held`] shows them.
    pub(in crate::rollup) fn load_values(
        &mut self,
        groups: &[u32],
        values: &Vector,
    ) -> Result<(), Failure> {
        match (&mut self.distinct, &mut self.states) {
            (Some(distinct), _) => distinct.add(groups, values),
            (None, States::Quantiles(quantiles)) => quantiles.add(groups, values),
            (None, _) => Ok(()),
        }
        .map_err(|exceeded| self.full(exceeded))
    }

    fn argument(&self, index: usize) -> Type {
        let argument = self.call.args.get(index);
        argument.map_or(self.call.ty, |argument| argument.ty)
    }
}

/// Numbers of rows, which are far below what BIGINT holds.
pub(in crate::rollup) fn counts(counts: impl IntoIterator<Item = u64>) -> Vector {
    let counts = counts.into_iter();
    let counts = counts.map(|count| i64::try_from(count).unwrap_or(i64::MAX));
    Vector::from_data(Data::Int(counts.collect()))
}

/// Exact numbers, as text.
pub(in crate::rollup) fn numbers(numbers: impl Iterator<Item = Dyadic>) -> Vector {
    let mut texts = Texts::default();
    for number in numbers {
        // Cannot be false: a batch of texts of at most a kilobyte each.
        let _ = texts.push(&number.to_string());
    }
    Vector::from_data(Data::Text(texts))
}

/// Where the rows stand that states hold; NULL for a state of no row.
pub(in crate::rollup) fn placed(positions: impl Iterator<Item = Option<Position>>) -> [Vector; 2] {
    let mut columns = [Type::BigInt; 2].map(|ty| Vector::with_capacity(ty, 0));
    for position in positions {
        let [inputs, offsets] = &mut columns;
        // Past 2^63, as in the longest ranges, an offset is written as a negative number.
        let both = position.map(|Position { input, offset }| (input.into(), offset.cast_signed()));
        push(inputs, both.map(|(input, _)| input));
        push(offsets, both.map(|(_, offset)| offset));
    }
    columns
}

fn push(column: &mut Vector, value: Option<i64>) {
    match (&mut column.data, value) {
        (Data::Int(values), Some(value)) => {
            values.push(value);
            column.valid.push(true);
        }
        _ => column.push_null(),
    }
}

/// Reads what [`counts`] wrote into `states`, which are as many.
pub(in crate::rollup) fn each_count(states: &mut [u64], column: &Vector) -> Result<(), NotLoaded> {
    let Data::Int(values) = &column.data else {
        return Err(NotLoaded::Malformed);
    };
    if column.valid.flags().is_some() || values.len() != states.len() {
        return Err(NotLoaded::Malformed);
    }
    for (state, &value) in states.iter_mut().zip(values) {
        *state = u64::try_from(value).map_err(|_| NotLoaded::Malformed)?;
    }
    Ok(())
}

/// Reads what [`numbers`] wrote.
pub(in crate::rollup) fn each_number(
    column: &Vector,
    mut take: impl FnMut(usize, Dyadic) -> Result<(), NotLoaded>,
) -> Result<(), NotLoaded> {
    let (Data::Text(texts), None) = (&column.data, column.valid.flags()) else {
        return Err(NotLoaded::Malformed);
    };
    for (row, text) in texts.iter().enumerate() {
        let number = str::from_utf8(text).ok().and_then(Dyadic::parse);
        take(row, number.ok_or(NotLoaded::Malformed)?)?;
    }
    Ok(())
}

/// Reads what [`placed`] wrote.
fn positions(inputs: &Vector, offsets: &Vector) -> Result<Vec<Option<Position>>, NotLoaded> {
    let (Data::Int(numbers), Data::Int(bytes)) = (&inputs.data, &offsets.data) else {
        return Err(NotLoaded::Malformed);
    };
    let pairs = numbers.iter().zip(bytes).enumerate();
    let read = pairs.map(|(row, (&input, &offset))| {
        match (inputs.valid.is_valid(row), offsets.valid.is_valid(row)) {
            (false, false) => Ok(None),
            (true, true) => match u32::try_from(input) {
                Ok(input) => Ok(Some(Position {
                    input,
                    offset: offset.cast_unsigned(),
                })),
                Err(_) => Err(NotLoaded::Malformed),
            },
            (true, false) | (false, true) => Err(NotLoaded::Malformed),
        }
    });
    read.collect()
}

/// Puts each value of `vector` into the cell of its row.
pub(in crate::rollup) fn fill(cells: &mut Cells, vector: &Vector) -> Result<(), NotLoaded> {
    if cells.physical() != vector.data.physical() {
        return Err(NotLoaded::Malformed);
    }
    let rows = u32::try_from(vector.len()).unwrap_or(u32::MAX);
    let rows: Vec<(u32, u32)> = (0..rows).map(|row| (row, row)).collect();
    cells.grow(rows.len())?;
    Ok(cells.set_rows(&rows, vector)?)
}
