//! Units of time by name, and INTERVAL texts (SQL.md, Time).

use super::plan::{Interval, TimeUnit};
use super::{same_name, suggest};

/// Every unit under the names that DuckDB takes, the one to show first.
///
/// Source: DuckDB 2.0.0, date part specifiers.
const UNITS: [(TimeUnit, &[&str]); 17] = [
    (
        TimeUnit::Microsecond,
        &["microsecond", "microseconds", "us", "usec", "usecs"],
    ),
    (
        TimeUnit::Millisecond,
        &["millisecond", "milliseconds", "ms", "msec", "msecs"],
    ),
    (TimeUnit::Second, &["second", "seconds", "s", "sec", "secs"]),
    (TimeUnit::Minute, &["minute", "minutes", "m", "min", "mins"]),
    (TimeUnit::Hour, &["hour", "hours", "h", "hr", "hrs"]),
    (TimeUnit::Day, &["day", "days", "d", "dayofmonth"]),
    (TimeUnit::Week, &["week", "weeks", "w", "weekofyear"]),
    (TimeUnit::Month, &["month", "months", "mon", "mons"]),
    (TimeUnit::Quarter, &["quarter", "quarters"]),
    (TimeUnit::Year, &["year", "years", "y", "yr", "yrs"]),
    (TimeUnit::Decade, &["decade", "decades", "dec", "decs"]),
    (TimeUnit::Century, &["century", "centuries", "c", "cent"]),
    (
        TimeUnit::Millennium,
        &["millennium", "millennia", "mil", "mils"],
    ),
    (TimeUnit::DayOfWeek, &["dow", "dayofweek", "weekday"]),
    (TimeUnit::IsoDayOfWeek, &["isodow"]),
    (TimeUnit::DayOfYear, &["doy", "dayofyear"]),
    (TimeUnit::IsoYear, &["isoyear"]),
];

/// The unit of this name.
pub(super) fn unit(name: &str) -> Option<TimeUnit> {
    UNITS
        .iter()
        .find(|(_, names)| names.iter().any(|known| same_name(known, name)))
        .map(|(unit, _)| *unit)
}

/// What to do about a name that is no unit.
pub(super) fn unit_advice(name: &str) -> String {
    let first = |(_, names): &(TimeUnit, &[&'static str])| names.first().copied();
    match suggest::nearest(name, UNITS.iter().filter_map(first)) {
        Some(near) => format!("did you mean {near}?"),
        None => "the units are microsecond, millisecond, second, minute, hour, day, week, month, quarter, year"
            .to_owned(),
    }
}

/// Whether `date_trunc` takes it: the others are parts and no lengths.
pub(super) fn is_length(unit: TimeUnit) -> bool {
    !matches!(
        unit,
        TimeUnit::DayOfWeek | TimeUnit::IsoDayOfWeek | TimeUnit::DayOfYear | TimeUnit::IsoYear
    )
}

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_HOUR: i64 = 3_600 * MICROS_PER_SECOND;
const FRACTION_DIGITS: u32 = 6;

/// The interval of `text`: numbers each followed by a unit, such as `1 day 90 seconds`; with `unit` said outside,
/// a number alone.
///
/// Units: those of SQL.md, microsecond to year. Units of fixed length up to the hour take a fraction.
/// Errors: what was expected.
pub(super) fn interval(text: &str, unit: Option<TimeUnit>) -> Result<Interval, String> {
    let mut total = Interval::default();
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err("a number".to_owned());
    }
    if let Some(unit) = unit {
        return add(total, rest, unit);
    }
    while !rest.is_empty() {
        let is_number = |next: char| next.is_ascii_digit() || matches!(next, '+' | '-' | '.');
        let (number, after) = split(rest, is_number);
        let (name, after) = split(after.trim_start(), char::is_alphabetic);
        if number.is_empty() {
            return Err("a number before each unit, as in '1 day 90 seconds'".to_owned());
        }
        let unit = self::unit(name).ok_or_else(|| {
            format!("a unit after {number}, such as second, minute, hour, day, week, month, year")
        })?;
        total = add(total, number, unit)?;
        rest = after.trim_start();
    }
    Ok(total)
}

fn split(text: &str, wanted: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|next| !wanted(next)).unwrap_or(text.len()))
}

/// The interval the other way, if it has one.
pub(super) fn minus(interval: Interval) -> Option<Interval> {
    Some(Interval {
        months: interval.months.checked_neg()?,
        days: interval.days.checked_neg()?,
        micros: interval.micros.checked_neg()?,
    })
}

/// How an interval counts one of a unit: the field, and how many of it.
enum Measure {
    Months(i32),
    Days(i32),
    Micros(i64),
}

fn measure(unit: TimeUnit) -> Option<Measure> {
    Some(match unit {
        TimeUnit::Microsecond => Measure::Micros(1),
        TimeUnit::Millisecond => Measure::Micros(1_000),
        TimeUnit::Second => Measure::Micros(MICROS_PER_SECOND),
        TimeUnit::Minute => Measure::Micros(60 * MICROS_PER_SECOND),
        TimeUnit::Hour => Measure::Micros(MICROS_PER_HOUR),
        TimeUnit::Day => Measure::Days(1),
        TimeUnit::Week => Measure::Days(7),
        TimeUnit::Month => Measure::Months(1),
        TimeUnit::Quarter => Measure::Months(3),
        TimeUnit::Year => Measure::Months(12),
        TimeUnit::Decade
        | TimeUnit::Century
        | TimeUnit::Millennium
        | TimeUnit::DayOfWeek
        | TimeUnit::IsoDayOfWeek
        | TimeUnit::DayOfYear
        | TimeUnit::IsoYear => return None,
    })
}

/// `total` and `number` of `unit` more.
fn add(total: Interval, number: &str, unit: TimeUnit) -> Result<Interval, String> {
    let too_large = || format!("an interval that fits 64 bits of microseconds, without {number}");
    let whole = || {
        number
            .parse::<i32>()
            .map_err(|_| format!("a whole number in place of {number}"))
    };
    let mut sum = total;
    match measure(unit) {
        None => return Err("one of the units microsecond to year".to_owned()),
        Some(Measure::Months(months)) => {
            let months = whole()?.checked_mul(months);
            sum.months = months
                .and_then(|months| months.checked_add(sum.months))
                .ok_or_else(too_large)?;
        }
        Some(Measure::Days(days)) => {
            let days = whole()?.checked_mul(days);
            sum.days = days
                .and_then(|days| days.checked_add(sum.days))
                .ok_or_else(too_large)?;
        }
        Some(Measure::Micros(micros)) => {
            let micros = times(number, micros)?;
            sum.micros = sum.micros.checked_add(micros).ok_or_else(too_large)?;
        }
    }
    Ok(sum)
}

/// `number`, which may have a fraction, times `micros`; exact or nothing.
fn times(number: &str, micros: i64) -> Result<i64, String> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let wrong = || format!("a number that is a whole count of microseconds, in place of {number}");
    if !fraction.bytes().all(|digit| digit.is_ascii_digit())
        || fraction.len() > FRACTION_DIGITS as usize
    {
        return Err(wrong());
    }
    let scale = 10_i64.pow(FRACTION_DIGITS);
    let unscaled: i64 = format!("{whole}{fraction:0<6}")
        .parse()
        .map_err(|_| wrong())?;
    let product = i128::from(unscaled) * i128::from(micros);
    if product % i128::from(scale) != 0 {
        return Err(wrong());
    }
    i64::try_from(product / i128::from(scale)).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals() {
        let interval_of = |months, days, micros| {
            Ok(Interval {
                months,
                days,
                micros,
            })
        };
        for (text, unit, want) in [
            ("1 minute", None, interval_of(0, 0, 60_000_000)),
            ("90 seconds", None, interval_of(0, 0, 90_000_000)),
            ("1 day 90 seconds", None, interval_of(0, 1, 90_000_000)),
            ("2weeks", None, interval_of(0, 14, 0)),
            (" 1 YEAR 1 quarter 1 mon ", None, interval_of(16, 0, 0)),
            ("-1 day +2 hours", None, interval_of(0, -1, 7_200_000_000)),
            ("1.5 hours", None, interval_of(0, 0, 5_400_000_000)),
            ("-0.000001 s", None, interval_of(0, 0, -1)),
            ("5", Some(TimeUnit::Minute), interval_of(0, 0, 300_000_000)),
        ] {
            assert_eq!(interval(text, unit), want, "{text}");
        }
        for (text, unit) in [
            ("", None),
            ("1", None),
            ("day", None),
            ("1.5 months", None),
            ("1 decade", None),
            ("0.5 us", None),
            ("1 fortnight", None),
            ("1:30:00", None),
            ("--1 day", None),
            ("9999999999 days", None),
            ("999999999 years", None),
            ("9223372036854775807 hours", None),
            ("1 day", Some(TimeUnit::Day)),
            ("1 µs 🕐", None),
        ] {
            assert!(interval(text, unit).is_err(), "{text}");
        }
    }
}
