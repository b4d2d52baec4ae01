//! Functions of time (SQL.md, Time). All are in UTC, over microseconds.

use super::operand::{Failed, Lane, map, try_map};
use super::{Call, problem};
use crate::query::Problem;
use crate::query::plan::{Bucket, Interval, TimeUnit};
use crate::value::vector::Data;
use crate::value::{quotient, timestamp};

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

/// `epoch(ts)`: seconds, rounded once.
pub(super) fn epoch(call: &Call<'_>) -> Result<Data, Problem> {
    Ok(Data::Double(map(call.lane(0)?, |us: i64| {
        quotient::divide_scaled(us.into(), 6, 1, 0).unwrap_or_default()
    })))
}

/// `make_timestamp(us)` and `make_timestamp(year, month, day, hour, minute, second)`
pub(super) fn make(call: &Call<'_>) -> Result<Data, Problem> {
    let failed = |at| out_of_range(call, at);
    if call.args.len() == 1 {
        let values = try_map(call.lane(0)?, &call.valid, timestamp::in_range);
        return values.map(Data::Int).map_err(failed);
    }
    let part = |index| -> Result<Lane<'_, i64>, Problem> { call.lane(index) };
    let parts = [part(0)?, part(1)?, part(2)?, part(3)?, part(4)?];
    let seconds: Lane<'_, f64> = call.lane(5)?;
    let mut values = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let made = timestamp::make(parts.each_ref().map(|part| part.at(row)), seconds.at(row));
        match made {
            Some(us) => values.push(us),
            None if call.valid.is_valid(row) => return Err(failed(Failed(row))),
            None => values.push(0),
        }
    }
    Ok(Data::Int(values))
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
