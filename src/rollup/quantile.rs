//! `median`, `quantile_cont` and `quantile_disc`: every value is held until the end, and charged (SPEC 11). Position and
//! interpolation are exact (SQL.md, Quantiles).

use std::sync::Arc;

use super::aggregate::Unfit;
use super::cells::{Cells, Values};
use super::order::sort;
use super::partial::ValuesHeld;
use super::sum::doubles;
use crate::budget::{Budget, Charged, Exceeded};
use crate::query::plan::{Fraction, Quantile, QuantileKind};
use crate::value::float_sum::{FloatSum, Number};
use crate::value::vector::{Data, Validity, Vector};
use crate::value::{Type, interpolate};

/// The values of all groups, each with its group.
#[derive(Debug)]
pub(super) struct Quantiles {
    quantile: Quantile,
    groups: Charged<u32>,
    values: Cells,
    /// The values by group, and within one from the smallest to the largest; empty until they are sorted.
    order: Charged<u32>,
    /// Room for the places of a batch.
    places: Vec<(u32, u32)>,
}

impl Quantiles {
    pub(super) fn new(quantile: Quantile, ty: Type, budget: &Arc<Budget>) -> Self {
        Self {
            quantile,
            groups: Charged::new(budget),
            values: Cells::new(ty.physical(), budget),
            order: Charged::new(budget),
            places: Vec::new(),
        }
    }

    /// Values, which are never more than 32 bits count.
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.groups.len()).unwrap_or(u32::MAX)
    }

    /// Takes values none of which is NULL.
    pub(super) fn add(&mut self, groups: &[u32], values: &Vector) -> Result<(), Exceeded> {
        let held = self.groups.len();
        let all = held.saturating_add(groups.len());
        let first = u32::try_from(held)
            .ok()
            .filter(|_| u32::try_from(all).is_ok());
        let first = first.ok_or_else(|| self.groups.budget().refused())?;
        self.groups.extend(groups)?;
        self.values.grow(all)?;
        self.places.clear();
        self.places
            .extend((first..).zip((0_u32..).take(groups.len())));
        self.values.set_rows(&self.places, values)
    }

    /// Takes the values of `other`, whose group number `from` is number `map[from]` here.
    pub(super) fn merge(&mut self, other: &Self, map: &[u32]) -> Result<(), Exceeded> {
        for (from, group) in (0_u32..).zip(other.groups.iter()) {
            let held = self.groups.len();
            let at = u32::try_from(held).map_err(|_| self.groups.budget().refused())?;
            let group = map.get(*group as usize).copied().unwrap_or_default();
            self.groups.push(group)?;
            self.values.grow(held.saturating_add(1))?;
            self.values.copy(at, &other.values, from)?;
        }
        Ok(())
    }

    /// The values with their groups.
    pub(super) fn held(&self) -> (ValuesHeld<'_>, &Cells) {
        (ValuesHeld::Numbers(&self.groups), &self.values)
    }

    /// Sorts the values, once all are there.
    pub(super) fn seal(&mut self) -> Result<(), Exceeded> {
        self.order.reserve(self.groups.len())?;
        for at in (0_u32..).take(self.groups.len()) {
            self.order.push(at)?;
        }
        let (groups, values) = (&self.groups, &self.values);
        let group = |at: u32| groups.get(at as usize);
        sort(self.order.as_mut_slice(), &|a, b| {
            // Equal values cannot be told apart.
            let by_value = || values.compare_total(a, b);
            group(a).cmp(&group(b)).then_with(by_value)
        });
        Ok(())
    }

    /// The quantile of each group; NULL over no rows.
    pub(super) fn results(&self, groups: &[u32], ty: Type) -> Result<Vector, Unfit> {
        let places = groups.iter().map(|&group| self.place(group));
        match (self.quantile.kind, &self.values.values) {
            (QuantileKind::Discrete, _) => {
                let found: Vec<Option<Place>> = places.collect();
                let flags = found.iter().map(Option::is_some).collect();
                let at: Vec<u32> = found
                    .iter()
                    .map(|place| place.map_or(0, |at| at.low))
                    .collect();
                let mut vector = self.values.gather(&at);
                if vector.len() < at.len() {
                    // No value at all, so that cell 0 is not there.
                    vector = Vector::with_capacity(ty, 0);
                    at.iter().for_each(|_| vector.push_null());
                }
                vector.valid = Validity::from_flags(flags);
                Ok(vector)
            }
            (QuantileKind::Continuous, Values::Double(values)) => {
                let value = |at: u32| values.get(at as usize).copied().unwrap_or_default();
                let results = places.map(|place| {
                    let place = place?;
                    between_doubles(value(place.low), value(place.high), place)
                });
                Ok(doubles(results))
            }
            (QuantileKind::Continuous, values) => {
                let value = |at: u32| match values {
                    Values::Int(values) => values.get(at as usize).copied().map(i128::from),
                    Values::Wide(values) => values.get(at as usize).copied(),
                    // The checker lets no other type in.
                    Values::Boolean(_) | Values::Double(_) | Values::Text(_) => None,
                };
                let exact = places.map(|place| {
                    let place = place?;
                    Some((value(place.low)?, value(place.high)?, place))
                });
                between_integers(exact, ty)
            }
        }
    }

    /// Where the quantile of a group is, among the values that it lies between.
    fn place(&self, group: u32) -> Option<Place> {
        let group_of = |at: &u32| self.groups.get(*at as usize).copied().unwrap_or(u32::MAX);
        let start = self.order.partition_point(|at| group_of(at) < group);
        let values = self.order.get(start..)?;
        let count = values.partition_point(|at| group_of(at) == group);
        let last = u64::try_from(count).ok()?.checked_sub(1)?;
        let at = |position: u64| values.get(usize::try_from(position).ok()?).copied();
        let fraction = self.quantile.fraction;
        match self.quantile.kind {
            QuantileKind::Discrete => {
                let at = at(fraction.nearest_rank(last))?;
                Some(Place {
                    low: at,
                    high: at,
                    part: 0,
                    of: 1,
                })
            }
            QuantileKind::Continuous => {
                let (position, part) = fraction.position(last);
                let high = position.saturating_add(u64::from(part > 0));
                Some(Place {
                    low: at(position)?,
                    high: at(high)?,
                    part,
                    of: fraction.denominator(),
                })
            }
        }
    }
}

/// `part` of `of` on the way from the value at `low` to the one at `high`.
#[derive(Clone, Copy)]
struct Place {
    low: u32,
    high: u32,
    part: u64,
    of: u64,
}

/// Rounded once.
fn between_doubles(low: f64, high: f64, place: Place) -> Option<f64> {
    if place.part == 0 {
        return Some(low);
    }
    let mut sum = FloatSum::default();
    for (value, weight) in [(low, place.of - place.part), (high, place.part)] {
        let weight = Number::of_integer(weight.into());
        sum.add_product(&Number::of_double(value), &weight);
    }
    sum.mean(place.of)
}

/// DOUBLE from integers, rounded once; DECIMAL towards zero; TIMESTAMP half away from zero.
fn between_integers(
    values: impl Iterator<Item = Option<(i128, i128, Place)>>,
    ty: Type,
) -> Result<Vector, Unfit> {
    if ty == Type::Double {
        return Ok(doubles(values.map(|found| {
            let (low, high, Place { part, of, .. }) = found?;
            interpolate::to_double(low, high, part, of)
        })));
    }
    let rounding = match ty {
        Type::Timestamp => interpolate::Rounding::HalfAway,
        Type::Boolean
        | Type::BigInt
        | Type::HugeInt
        | Type::Decimal { .. }
        | Type::Double
        | Type::Varchar => interpolate::Rounding::TowardsZero,
    };
    let mut vector = Vector::with_capacity(ty, 0);
    for found in values {
        let Some((low, high, Place { part, of, .. })) = found else {
            vector.push_null();
            continue;
        };
        let value = interpolate::to_integer(low, high, part, of, rounding).ok_or(Unfit)?;
        match &mut vector.data {
            Data::Int(values) => values.push(i64::try_from(value).map_err(|_| Unfit)?),
            Data::Wide(values) => values.push(value),
            Data::Boolean(_) | Data::Double(_) | Data::Text(_) => return Err(Unfit),
        }
        vector.valid.push(true);
    }
    Ok(vector)
}

impl Fraction {
    /// Position, from 0, of element max(1, ceil(q · n)) among n values, the last at `last`.
    fn nearest_rank(self, last: u64) -> u64 {
        let count = u128::from(last) + 1;
        let rank = (u128::from(self.numerator) * count).div_ceil(u128::from(self.denominator()));
        u64::try_from(rank.saturating_sub(1)).unwrap_or(last)
    }

    /// q · `last`, as a whole position and what is left of it in parts of [`Fraction::denominator`].
    fn position(self, last: u64) -> (u64, u64) {
        let product = u128::from(self.numerator) * u128::from(last);
        let of = u128::from(self.denominator());
        let whole = u64::try_from(product / of).unwrap_or(last);
        (whole, u64::try_from(product % of).unwrap_or_default())
    }
}
