//! Functions of time (SQL.md, Time). All are in UTC, over microseconds.

use super::operand::{Failed, map, try_map};
use super::{Call, problem};
use crate::query::Problem;
use crate::query::plan::{Bucket, Interval, TimeUnit};
use crate::value::timestamp;
use crate::value::vector::Data;

/// `time_bucket(width, ts)`
pub(super) fn bucket(call: &Call<'_>, bucket: Bucket) -> Result<Data, Problem> {
    // Records mostly come in the order of their times: the last bucket often holds the next one too, which saves the
    // division.
    let span = match bucket {
        Bucket::Micros(width) => width,
        Bucket::Months(_) => 0,
    };
    let last = std::cell::Cell::new(i64::MAX);
    try_map(call.lane(0)?, &call.valid, |us: i64| {
        let start = last.get();
        if us >= start && us - start < span {
            return Some(start);
        }
        let start = timestamp::bucket(us, bucket)?;
        last.set(start);
        Some(start)
    })
    .map(Data::Int)
    .map_err(|at| out_of_range(call, at))
}

/// `date_trunc(unit, ts)`
pub(super) fn trunc(call: &Call<'_>, unit: TimeUnit) -> Result<Data, Problem> {
    try_map(call.lane(0)?, &call.valid, |us| timestamp::trunc(us, unit))
        .map(Data::Int)
        .map_err(|at| out_of_range(call, at))
}

/// `date_part(unit, ts)`
pub(super) fn part(call: &Call<'_>, unit: TimeUnit) -> Result<Data, Problem> {
    Ok(Data::Int(map(call.lane(0)?, |us| {
        timestamp::part(us, unit)
    })))
}

/// `epoch_ms(ts)`
pub(super) fn epoch_ms(call: &Call<'_>) -> Result<Data, Problem> {
    Ok(Data::Int(map(call.lane(0)?, timestamp::epoch_ms)))
}

/// `ts + interval`
pub(super) fn add_interval(call: &Call<'_>, interval: Interval) -> Result<Data, Problem> {
    try_map(call.lane(0)?, &call.valid, |us| {
        timestamp::add_interval(us, interval)
    })
    .map(Data::Int)
    .map_err(|at| out_of_range(call, at))
}

fn out_of_range(call: &Call<'_>, Failed(row): Failed) -> Problem {
    problem(
        call.expr,
        "a TIMESTAMP in the years 0001 to 9999",
        format!(
            "one outside, from {}",
            super::arithmetic::shown_args(call, row)
        ),
        "filter such records out with WHERE, or guard the expression with CASE",
    )
}
