//! TIMESTAMP: signed microseconds since 1970-01-01 00:00:00 UTC, years 0001 to 9999 of the proleptic Gregorian
//! calendar (SPEC 4, SQL.md "Time"). Knows no clock.
//!
//! Text is read in timestamp_text.rs; here are the calendar and what SQL does with it.

use std::ops::RangeInclusive;

use super::{ParseFault, Type, integer};

pub use super::timestamp_text::{cast_text, parse, parse_nanos};

/// Microseconds of a second.
pub const SECOND_US: i64 = 1_000_000;
/// Microseconds of a minute.
pub const MINUTE_US: i64 = 60 * SECOND_US;
/// Microseconds of an hour.
pub const HOUR_US: i64 = 60 * MINUTE_US;
/// Microseconds of a day.
pub const DAY_US: i64 = 24 * HOUR_US;

/// 0001-01-01 00:00:00 to 9999-12-31 23:59:59.999999, in microseconds.
pub const RANGE: RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

/// 2000-01-03, a Monday: where `time_bucket` counts from.
const BUCKET_ORIGIN_US: i64 = 10_959 * DAY_US;
/// Months from year 0 to 2000-01, where `time_bucket` counts months from.
const BUCKET_ORIGIN_MONTHS: i64 = 2_000 * 12;

/// Width of a time bucket (SQL.md, Time). Invariant: positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bucket {
    /// Microseconds, counted from 2000-01-03.
    Micros(i64),
    /// Months, counted from 2000-01-01.
    Months(i32),
}

/// An interval: months, then days, then microseconds are applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interval {
    /// Months, clamped to the length of the month they reach.
    pub months: i32,
    /// Days.
    pub days: i32,
    /// Microseconds.
    pub micros: i64,
}

/// What `date_trunc` and `date_part` name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeUnit {
    /// Microsecond; as a part, includes the seconds.
    Microsecond,
    /// Millisecond; as a part, includes the seconds.
    Millisecond,
    /// Whole second.
    Second,
    /// Minute
    Minute,
    /// Hour
    Hour,
    /// Day of the month
    Day,
    /// ISO week
    Week,
    /// Month
    Month,
    /// Quarter
    Quarter,
    /// Year
    Year,
    /// Decade
    Decade,
    /// Century
    Century,
    /// Millennium
    Millennium,
    /// Day of the week, Sunday 0; a part only.
    DayOfWeek,
    /// ISO day of the week, Monday 1; a part only.
    IsoDayOfWeek,
    /// Day of the year, from 1; a part only.
    DayOfYear,
    /// ISO year; a part only.
    IsoYear,
}

/// A day of the proleptic Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// Year; 0 is the year before 1.
    pub year: i64,
    /// 1 to 12.
    pub month: i64,
    /// 1 to 31.
    pub day: i64,
}

/// Days of 400 years, after which the calendar repeats.
const ERA_DAYS: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_DAYS: i64 = 719_468;

impl Civil {
    /// The day that is `days` after 1970-01-01.
    ///
    /// Years are counted from March here and in [`Civil::days`], so that the leap day is the last of its year.
    #[must_use]
    pub fn from_days(days: i64) -> Self {
        let since = days + EPOCH_DAYS;
        let era = since.div_euclid(ERA_DAYS);
        let day_of_era = since.rem_euclid(ERA_DAYS);
        // Takes out the leap days, one in 4 years but for 3 in 400.
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        // Five months have 153 days, from March on, twice over.
        let month_of_year = (5 * day_of_year + 2) / 153;
        let month = (month_of_year + 2) % 12 + 1;
        Self {
            year: era * 400 + year_of_era + i64::from(month <= 2),
            month,
            day: day_of_year - (153 * month_of_year + 2) / 5 + 1,
        }
    }

    /// Days since 1970-01-01.
    #[must_use]
    pub fn days(self) -> i64 {
        let year = self.year - i64::from(self.month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let month_of_year = (self.month + 9) % 12;
        let day_of_year = (153 * month_of_year + 2) / 5 + self.day - 1;
        era * ERA_DAYS + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year
            - EPOCH_DAYS
    }

    /// Days of the month that `self` is in.
    #[must_use]
    pub fn month_length(self) -> i64 {
        month_length(self.year, self.month)
    }

    /// Months since January of year 0.
    fn months(self) -> i64 {
        self.year * 12 + self.month - 1
    }

    /// The first day of the month that is `months` after January of year 0.
    fn from_months(months: i64) -> Self {
        Self {
            year: months.div_euclid(12),
            month: months.rem_euclid(12) + 1,
            day: 1,
        }
    }
}

/// Days of a month (1 to 12).
pub(super) fn month_length(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// The day of `us`, and the microseconds since it began.
fn split(us: i64) -> (i64, i64) {
    (us.div_euclid(DAY_US), us.rem_euclid(DAY_US))
}

/// `make_timestamp(year, month, day, hour, minute, second)`; `None` where there is no such time. As in DuckDB, second 60
/// is the next minute, and 24:00:00 the next day.
///
/// Source: DuckDB 2.0.0.
#[must_use]
pub fn make([year, month, day, hour, minute]: [i64; 5], second: f64) -> Option<i64> {
    let is_date = (1..=9_999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=month_length(year, month)).contains(&day);
    if !is_date || !(0..=24).contains(&hour) || !(0..60).contains(&minute) {
        return None;
    }
    let whole = second.trunc();
    let micros = whole * 1e6 + ((second - whole) * 1e6).round();
    if !(0.0..=6e7).contains(&micros) || (hour == 24 && (minute != 0 || micros != 0.0)) {
        return None;
    }
    let days = Civil { year, month, day }.days();
    let time = (hour * 60 + minute) * 60_000_000 + integer::from_double(micros)?;
    in_range(days * DAY_US + time)
}

/// `us` where it is in [`RANGE`].
#[must_use]
pub fn in_range(us: i64) -> Option<i64> {
    RANGE.contains(&us).then_some(us)
}

/// Midnight of a day, where it is in [`RANGE`].
fn midnight(days: i64) -> Option<i64> {
    days.checked_mul(DAY_US).and_then(in_range)
}

/// An integer epoch of units of `unit_us` microseconds.
///
/// Errors: as [`integer::parse_bigint`], and outside the years 0001 to 9999.
#[inline]
pub fn parse_epoch(text: &[u8], unit_us: i64) -> Result<i64, ParseFault> {
    let number = match integer::parse_bigint(text) {
        // A number that no BIGINT holds is a year that no TIMESTAMP holds.
        Err(ParseFault::OutOfRange(Type::BigInt)) => None,
        number => Some(number?),
    };
    number
        .and_then(|number| number.checked_mul(unit_us))
        .and_then(in_range)
        .ok_or(ParseFault::YearOutOfRange)
}

/// Appends `2026-01-31 23:59:00`, with the fraction where it is not zero, its trailing zeros dropped.
pub fn format(us: i64, out: &mut Vec<u8>) {
    let (days, time) = split(us);
    let civil = Civil::from_days(days);
    let ([y1, y2], [y3, y4]) = (two_digits(civil.year / 100), two_digits(civil.year));
    let ([m1, m2], [d1, d2]) = (two_digits(civil.month), two_digits(civil.day));
    let [h1, h2] = two_digits(time / HOUR_US);
    let [n1, n2] = two_digits(time / MINUTE_US % 60);
    let [s1, s2] = two_digits(time / SECOND_US % 60);
    out.extend_from_slice(&[
        y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b' ', h1, h2, b':', n1, n2, b':', s1, s2,
    ]);
    let fraction = time % SECOND_US;
    if fraction != 0 {
        let ([a, b], [c, d], [e, f]) = (
            two_digits(fraction / 10_000),
            two_digits(fraction / 100),
            two_digits(fraction),
        );
        out.extend_from_slice(&[b'.', a, b, c, d, e, f]);
        while out.last() == Some(&b'0') {
            out.pop();
        }
    }
}

/// The last two digits of a number that is not negative.
fn two_digits(number: i64) -> [u8; 2] {
    let number = number.unsigned_abs();
    [b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8]
}

/// Wall-clock time as documents and log lines write it: RFC 3339 in UTC, such as `2026-01-31T23:59:00.500000Z`. Always
/// six digits after the point, so that the texts sort as the times do.
#[must_use]
pub fn utc(us: i64) -> String {
    let mut text = Vec::new();
    append_utc(us, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// Appends what [`utc`] gives.
pub fn append_utc(us: i64, out: &mut Vec<u8>) {
    let start = out.len();
    let fraction = us.rem_euclid(SECOND_US);
    format(us - fraction, out);
    if let Some(blank) = out.get_mut(start + 10) {
        *blank = b'T';
    }
    let ([a, b], [c, d], [e, f]) = (
        two_digits(fraction / 10_000),
        two_digits(fraction / 100),
        two_digits(fraction),
    );
    out.extend_from_slice(&[b'.', a, b, c, d, e, f, b'Z']);
}

/// The start of the bucket that `us` is in; `None` where it lies before the year 0001.
///
/// Source: DuckDB 2.0, `time_bucket(INTERVAL, TIMESTAMP)`.
#[must_use]
pub fn bucket(us: i64, width: Bucket) -> Option<i64> {
    match width {
        Bucket::Micros(width) => {
            let into = (us - BUCKET_ORIGIN_US).checked_rem_euclid(width)?;
            us.checked_sub(into).and_then(in_range)
        }
        Bucket::Months(width) => {
            let months = Civil::from_days(split(us).0).months();
            let into = (months - BUCKET_ORIGIN_MONTHS).checked_rem_euclid(i64::from(width))?;
            midnight(Civil::from_months(months - into).days())
        }
    }
}

/// `us` down to the start of its `unit`; `None` where that lies before the year 0001, and for a unit that is a part
/// only. Decades, centuries and millennia begin with the years that they divide.
///
/// Source: DuckDB 2.0.1, where `date_trunc('century', TIMESTAMP '2000-12-31')` is 2000-01-01.
#[must_use]
pub fn trunc(us: i64, unit: TimeUnit) -> Option<i64> {
    let (days, _) = split(us);
    let to = |width: i64| Some(us - us.rem_euclid(width));
    let years = |width: i64| {
        let year = Civil::from_days(days).year;
        let first = Civil {
            year: year - year.rem_euclid(width),
            month: 1,
            day: 1,
        };
        midnight(first.days())
    };
    let months = |width: i64| {
        let months = Civil::from_days(days).months();
        midnight(Civil::from_months(months - months.rem_euclid(width)).days())
    };
    match unit {
        TimeUnit::Microsecond => Some(us),
        TimeUnit::Millisecond => to(1_000),
        TimeUnit::Second => to(SECOND_US),
        TimeUnit::Minute => to(MINUTE_US),
        TimeUnit::Hour => to(HOUR_US),
        TimeUnit::Day => to(DAY_US),
        TimeUnit::Week => midnight(days - days_since_monday(days)),
        TimeUnit::Month => months(1),
        TimeUnit::Quarter => months(3),
        TimeUnit::Year => years(1),
        TimeUnit::Decade => years(10),
        TimeUnit::Century => years(100),
        TimeUnit::Millennium => years(1_000),
        TimeUnit::DayOfWeek | TimeUnit::IsoDayOfWeek | TimeUnit::DayOfYear | TimeUnit::IsoYear => {
            None
        }
    }
}

/// This part of `us`.
///
/// Source: DuckDB 2.0.1, `date_part`: the year 2000 is in decade 200, century 20 and millennium 2.
#[must_use]
pub fn part(us: i64, unit: TimeUnit) -> i64 {
    let (days, time) = split(us);
    let civil = || Civil::from_days(days);
    match unit {
        TimeUnit::Microsecond => time % MINUTE_US,
        TimeUnit::Millisecond => time % MINUTE_US / 1_000,
        TimeUnit::Second => time % MINUTE_US / SECOND_US,
        TimeUnit::Minute => time / MINUTE_US % 60,
        TimeUnit::Hour => time / HOUR_US,
        TimeUnit::Day => civil().day,
        TimeUnit::Week => iso_week(days).1,
        TimeUnit::Month => civil().month,
        TimeUnit::Quarter => (civil().month - 1) / 3 + 1,
        TimeUnit::Year => civil().year,
        TimeUnit::Decade => civil().year / 10,
        TimeUnit::Century => (civil().year - 1) / 100 + 1,
        TimeUnit::Millennium => (civil().year - 1) / 1_000 + 1,
        TimeUnit::DayOfWeek => (days_since_monday(days) + 1) % 7,
        TimeUnit::IsoDayOfWeek => days_since_monday(days) + 1,
        TimeUnit::DayOfYear => days - first_of_year(civil().year) + 1,
        TimeUnit::IsoYear => iso_week(days).0,
    }
}

fn first_of_year(year: i64) -> i64 {
    Civil {
        year,
        month: 1,
        day: 1,
    }
    .days()
}

/// 1970-01-01 was a Thursday.
fn days_since_monday(days: i64) -> i64 {
    (days + 3).rem_euclid(7)
}

/// ISO year and week: those of the week's Thursday.
fn iso_week(days: i64) -> (i64, i64) {
    let thursday = days - days_since_monday(days) + 3;
    let year = Civil::from_days(thursday).year;
    (year, (thursday - first_of_year(year)) / 7 + 1)
}

/// `us` plus the months, the days and the microseconds of `interval`, in that order; `None` where the end lies
/// outside the years 0001 to 9999, wherever the steps between may lie.
#[must_use]
pub fn add_interval(us: i64, interval: Interval) -> Option<i64> {
    let (days, time) = split(us);
    let mut days = days;
    if interval.months != 0 {
        let from = Civil::from_days(days);
        let mut to = Civil::from_months(from.months() + i64::from(interval.months));
        to.day = from.day.min(to.month_length());
        days = to.days();
    }
    let total = i128::from(days + i64::from(interval.days)) * i128::from(DAY_US)
        + i128::from(time)
        + i128::from(interval.micros);
    i64::try_from(total).ok().and_then(in_range)
}

/// `epoch_ms(ts)`: milliseconds, half away from zero.
#[must_use]
pub fn epoch_ms(us: i64) -> i64 {
    let (whole, rest) = (us / 1_000, us % 1_000);
    whole + if rest.abs() >= 500 { rest.signum() } else { 0 }
}

#[cfg(test)]
#[path = "timestamp_tests.rs"]
mod tests;
