//! Time against tables of DuckDB 2.0.1 and a calendar counted day by day.

use super::super::random::Stream;
use super::*;

fn at(text: &str) -> i64 {
    parse(text.as_bytes()).unwrap()
}

fn shown(us: i64) -> String {
    let mut out = Vec::new();
    format(us, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn the_calendar_counted_day_by_day() {
    let mut day = Civil {
        year: 1,
        month: 1,
        day: 1,
    };
    let first = RANGE.start().div_euclid(DAY_US);
    let last = RANGE.end().div_euclid(DAY_US);
    for days in first..=last {
        assert_eq!((Civil::from_days(days), day.days()), (day, days));
        day.day += 1;
        if day.day > day.month_length() {
            (day.day, day.month) = (1, day.month + 1);
        }
        if day.month > 12 {
            (day.month, day.year) = (1, day.year + 1);
        }
    }
    assert_eq!(
        day,
        Civil {
            year: 10_000,
            month: 1,
            day: 1
        }
    );
    let leap_years = (1..=400).filter(|&year| month_length(year, 2) == 29);
    assert_eq!(leap_years.count(), 97);
}

#[test]
fn f081_f084_text_that_is_a_time() {
    for (name, text, want) in [
        ("epoch", "1970-01-01 00:00:00", "1970-01-01 00:00:00"),
        ("date alone", "2026-01-31", "2026-01-31 00:00:00"),
        ("no seconds", "2026-01-31 23:59", "2026-01-31 23:59:00"),
        ("T", "2026-01-31T23:59:00", "2026-01-31 23:59:00"),
        ("Z", "2026-01-31T23:59:00Z", "2026-01-31 23:59:00"),
        ("z", "2026-01-31 23:59:00z", "2026-01-31 23:59:00"),
        (
            "Z without seconds",
            "2026-01-31T23:59Z",
            "2026-01-31 23:59:00",
        ),
        ("east", "2026-01-31T23:59:00+01:00", "2026-01-31 22:59:00"),
        ("west", "2026-01-31T23:59:00-0130", "2026-02-01 01:29:00"),
        (
            "hours alone",
            "2026-02-01T01:30:00+02",
            "2026-01-31 23:30:00",
        ),
        (
            "negative zero",
            "2026-01-31T23:59:00-00:00",
            "2026-01-31 23:59:00",
        ),
        ("widest", "2026-01-31T23:59:00+15:59", "2026-01-31 08:00:00"),
        ("fraction", "2026-01-31 23:59:00.5", "2026-01-31 23:59:00.5"),
        (
            "microsecond",
            "2026-01-31 23:59:00.000001Z",
            "2026-01-31 23:59:00.000001",
        ),
        (
            "zeros past the microsecond",
            "2026-01-31 23:59:00.120000000000",
            "2026-01-31 23:59:00.12",
        ),
        (
            "fraction and offset",
            "2026-01-31 23:59:00.25+01",
            "2026-01-31 22:59:00.25",
        ),
        ("24:00:00", "2026-12-31 24:00:00", "2027-01-01 00:00:00"),
        (
            "24:00:00 and a zero fraction",
            "2026-12-31T24:00:00.0Z",
            "2027-01-01 00:00:00",
        ),
        ("leap day", "2024-02-29 12:00:00", "2024-02-29 12:00:00"),
        ("leap century", "2000-02-29", "2000-02-29 00:00:00"),
        (
            "before 1970",
            "1969-12-31 23:59:59.999999",
            "1969-12-31 23:59:59.999999",
        ),
        ("first", "0001-01-01 00:00:00", "0001-01-01 00:00:00"),
        (
            "last",
            "9999-12-31 23:59:59.999999",
            "9999-12-31 23:59:59.999999",
        ),
        (
            "back from the year 10000",
            "9999-12-31 24:00:00+00:01",
            "9999-12-31 23:59:00",
        ),
    ] {
        let us = parse(text.as_bytes());
        assert_eq!(us.map(shown), Ok(want.to_owned()), "{name}");
        assert_eq!(at(want), us.unwrap(), "{name} reads back");
        assert_eq!(parse_nanos(text.as_bytes()), us, "{name} as nanoseconds");
    }
    assert_eq!(at("2026-01-31T23:59:00+01:00"), 1_769_900_340_000_000);
    assert_eq!(RANGE, at("0001-01-01")..=at("9999-12-31 23:59:59.999999"));
    assert_eq!(cast_text(b" 2026-01-31 "), Ok(at("2026-01-31")));
}

#[test]
fn f081_f084_text_that_is_no_time() {
    use ParseFault::*;
    for (name, text, want) in [
        ("empty", "", NotATimestamp),
        ("word", "yesterday", NotATimestamp),
        ("number", "1769900340", NotATimestamp),
        ("leap second", "2026-06-30T23:59:60Z", SecondOutOfRange(60)),
        ("second 99", "2026-06-30T23:59:99", SecondOutOfRange(99)),
        ("minute 60", "2026-01-31 23:60:00", NoSuchTime),
        ("hour 25", "2026-01-31 25:00:00", NoSuchTime),
        ("past 24:00:00", "2026-01-31 24:00:01", NoSuchTime),
        (
            "past it by a microsecond",
            "2026-01-31 24:00:00.000001",
            NoSuchTime,
        ),
        ("30 February", "2024-02-30", NoSuchDay),
        ("29 February of a common year", "2026-02-29", NoSuchDay),
        ("29 February 1900", "1900-02-29", NoSuchDay),
        ("31 April", "2026-04-31", NoSuchDay),
        ("month 13", "2026-13-01", NoSuchDay),
        ("month 0", "2026-00-01", NoSuchDay),
        ("day 0", "2026-01-00", NoSuchDay),
        ("year 0", "0000-01-01", YearOutOfRange),
        ("year 10000", "10000-01-01", YearOutOfRange),
        (
            "a far year",
            "294247-01-10T04:00:54.775808Z",
            YearOutOfRange,
        ),
        ("a negative year", "-0001-01-01", YearOutOfRange),
        (
            "past the last by its offset",
            "9999-12-31T23:59:59-00:01",
            YearOutOfRange,
        ),
        (
            "before the first by its offset",
            "0001-01-01T00:00:00+00:01",
            YearOutOfRange,
        ),
        (
            "24:00:00 of the last day",
            "9999-12-31 24:00:00",
            YearOutOfRange,
        ),
        (
            "offset of 16 hours",
            "2026-01-31 00:00:00+16",
            OffsetOutOfRange,
        ),
        (
            "offset of 60 minutes",
            "2026-01-31 00:00:00+01:60",
            OffsetOutOfRange,
        ),
        (
            "offset of one digit",
            "2026-01-31 00:00:00+1",
            NotATimestamp,
        ),
        ("offset cut", "2026-01-31 00:00:00+01:", NotATimestamp),
        (
            "offset with seconds",
            "2026-01-31 00:00:00+01:00:00",
            NotATimestamp,
        ),
        ("zone name", "2026-01-31 00:00:00 UTC", NotATimestamp),
        ("text after Z", "2026-01-31 00:00:00Z ", NotATimestamp),
        ("date with Z", "2026-01-31Z", NotATimestamp),
        ("T alone", "2026-01-31T", NotATimestamp),
        ("lower-case t", "2026-01-31t00:00:00", NotATimestamp),
        ("hour alone", "2026-01-31 23", NotATimestamp),
        (
            "no digit after the point",
            "2026-01-31 23:59:00.",
            NotATimestamp,
        ),
        ("point without seconds", "2026-01-31 23:59.5", NotATimestamp),
        ("comma", "2026-01-31 23:59:00,5", NotATimestamp),
        ("one digit of month", "2026-1-31", NotATimestamp),
        ("slashes", "2026/01/31", NotATimestamp),
        ("basic form", "20260131T235900Z", NotATimestamp),
        ("two blanks", "2026-01-31  23:59:00", NotATimestamp),
        ("blank before", " 2026-01-31", NotATimestamp),
        (
            "seventh digit",
            "2026-01-31 23:59:00.1234567",
            PastMicroseconds,
        ),
    ] {
        assert_eq!(parse(text.as_bytes()), Err(want), "{name}");
    }
}

#[test]
fn nanoseconds_floor() {
    for (name, text, want) in [
        (
            "text",
            "2026-01-31 23:59:00.123456789",
            Ok("2026-01-31 23:59:00.123456"),
        ),
        (
            "text before 1970",
            "1969-12-31 23:59:59.999999999Z",
            Ok("1969-12-31 23:59:59.999999"),
        ),
        (
            "zeros past the ninth",
            "2026-01-31 23:59:00.12345678900",
            Ok("2026-01-31 23:59:00.123456"),
        ),
        (
            "tenth digit",
            "2026-01-31 23:59:00.1234567891",
            Err(ParseFault::PastMicroseconds),
        ),
        (
            "integer",
            "1769900340000001999",
            Ok("2026-01-31 22:59:00.000001"),
        ),
        ("negative integer", "-1", Ok("1969-12-31 23:59:59.999999")),
        (
            "past an i64",
            "253402300799999999999",
            Ok("9999-12-31 23:59:59.999999"),
        ),
        (
            "past the range",
            "253402300800000000000",
            Err(ParseFault::YearOutOfRange),
        ),
        ("past everything", "1e99", Err(ParseFault::YearOutOfRange)),
        ("not whole", "0.5", Err(ParseFault::NotWhole)),
        ("word", "x", Err(ParseFault::NotATimestamp)),
    ] {
        let got = parse_nanos(text.as_bytes()).map(shown);
        assert_eq!(got, want.map(str::to_owned), "{name}");
    }
}

#[test]
fn epochs_in_their_units() {
    for (name, text, unit_us, want) in [
        (
            "seconds",
            "1769900340",
            SECOND_US,
            Ok(1_769_900_340_000_000),
        ),
        ("milliseconds", "-1", 1_000, Ok(-1_000)),
        ("microseconds", "1.0", 1, Ok(1)),
        (
            "last second",
            "253402300799",
            SECOND_US,
            Ok(253_402_300_799_000_000),
        ),
        (
            "past the range",
            "253402300800",
            SECOND_US,
            Err(ParseFault::YearOutOfRange),
        ),
        (
            "milliseconds given as seconds",
            "1769900340000",
            SECOND_US,
            Err(ParseFault::YearOutOfRange),
        ),
        (
            "past an i64",
            "99999999999999999999",
            1,
            Err(ParseFault::YearOutOfRange),
        ),
        (
            "overflow",
            "9223372036854775807",
            SECOND_US,
            Err(ParseFault::YearOutOfRange),
        ),
        ("not whole", "0.5", SECOND_US, Err(ParseFault::NotWhole)),
        ("text", "2026-01-31", SECOND_US, Err(ParseFault::NotANumber)),
    ] {
        assert_eq!(parse_epoch(text.as_bytes(), unit_us), want, "{name}");
    }
}

#[test]
fn buckets_as_in_duckdb() {
    let week = Bucket::Micros(7 * DAY_US);
    for (name, from, width, want) in [
        (
            "minute",
            "2026-01-31 23:59:59.9",
            Bucket::Micros(MINUTE_US),
            Some("2026-01-31 23:59:00"),
        ),
        (
            "seven minutes",
            "2026-01-31 23:59:00",
            Bucket::Micros(7 * MINUTE_US),
            Some("2026-01-31 23:58:00"),
        ),
        (
            "seven minutes before 1970",
            "1969-12-31 23:00:00",
            Bucket::Micros(7 * MINUTE_US),
            Some("1969-12-31 22:56:00"),
        ),
        (
            "week",
            "2026-01-31 23:59:00",
            week,
            Some("2026-01-26 00:00:00"),
        ),
        (
            "week before the origin",
            "1000-01-01",
            week,
            Some("0999-12-30 00:00:00"),
        ),
        (
            "first week",
            "0001-01-01",
            week,
            Some("0001-01-01 00:00:00"),
        ),
        (
            "its own start",
            "2000-01-03",
            Bucket::Micros(i64::MAX),
            Some("2000-01-03 00:00:00"),
        ),
        (
            "before the year 1",
            "2000-01-02",
            Bucket::Micros(i64::MAX),
            None,
        ),
        (
            "month",
            "1969-12-31 23:00:00",
            Bucket::Months(1),
            Some("1969-12-01 00:00:00"),
        ),
        (
            "quarter",
            "1969-12-31 23:00:00",
            Bucket::Months(3),
            Some("1969-10-01 00:00:00"),
        ),
        (
            "many months",
            "9999-12-31 23:59:59.999999",
            Bucket::Months(1_000),
            Some("9916-09-01 00:00:00"),
        ),
        (
            "months before the year 1",
            "0001-01-01",
            Bucket::Months(1_000),
            None,
        ),
        (
            "most months",
            "2000-01-01",
            Bucket::Months(i32::MAX),
            Some("2000-01-01 00:00:00"),
        ),
        ("no width", "2000-01-01", Bucket::Micros(0), None),
    ] {
        assert_eq!(
            bucket(at(from), width).map(shown).as_deref(),
            want,
            "{name}"
        );
    }
}

#[test]
fn truncation_as_in_duckdb() {
    use TimeUnit::*;
    let early = "0005-03-04 05:06:07.123456";
    let late = "1969-12-31 23:59:59.999999";
    for (from, unit, want) in [
        (late, Microsecond, Some("1969-12-31 23:59:59.999999")),
        (late, Millisecond, Some("1969-12-31 23:59:59.999")),
        (late, Second, Some("1969-12-31 23:59:59")),
        (late, Minute, Some("1969-12-31 23:59:00")),
        (late, Hour, Some("1969-12-31 23:00:00")),
        (late, Day, Some("1969-12-31 00:00:00")),
        (late, Week, Some("1969-12-29 00:00:00")),
        (late, Month, Some("1969-12-01 00:00:00")),
        (late, Quarter, Some("1969-10-01 00:00:00")),
        (late, Year, Some("1969-01-01 00:00:00")),
        (late, Decade, Some("1960-01-01 00:00:00")),
        (late, Century, Some("1900-01-01 00:00:00")),
        (late, Millennium, Some("1000-01-01 00:00:00")),
        ("2000-12-31", Century, Some("2000-01-01 00:00:00")),
        ("2000-12-31", Week, Some("2000-12-25 00:00:00")),
        (early, Week, Some("0005-02-28 00:00:00")),
        (early, Quarter, Some("0005-01-01 00:00:00")),
        (early, Decade, None),
        (early, Century, None),
        (early, IsoYear, None),
    ] {
        assert_eq!(
            trunc(at(from), unit).map(shown).as_deref(),
            want,
            "{from} {unit:?}"
        );
    }
}

#[test]
fn parts_as_in_duckdb() {
    use TimeUnit::*;
    let times = [
        "0005-03-04 05:06:07",
        "2000-12-31",
        "2001-01-01",
        "1969-12-31 23:59:59.999999",
    ];
    for (unit, want) in [
        (Week, [9, 52, 1, 1]),
        (Decade, [0, 200, 200, 196]),
        (Century, [1, 20, 21, 20]),
        (Millennium, [1, 2, 3, 2]),
        (Quarter, [1, 4, 1, 4]),
        (DayOfWeek, [5, 0, 1, 3]),
        (IsoDayOfWeek, [5, 7, 1, 3]),
        (DayOfYear, [63, 366, 1, 365]),
        (IsoYear, [5, 2000, 2001, 1970]),
        (Year, [5, 2000, 2001, 1969]),
        (Month, [3, 12, 1, 12]),
        (Day, [4, 31, 1, 31]),
        (Hour, [5, 0, 0, 23]),
        (Minute, [6, 0, 0, 59]),
        (Second, [7, 0, 0, 59]),
        (Millisecond, [7_000, 0, 0, 59_999]),
        (Microsecond, [7_000_000, 0, 0, 59_999_999]),
    ] {
        assert_eq!(times.map(|time| part(at(time), unit)), want, "{unit:?}");
    }
}

#[test]
fn intervals_are_added_months_first() {
    let i = |months, days, micros| Interval {
        months,
        days,
        micros,
    };
    for (name, from, interval, want) in [
        (
            "nothing",
            "2026-01-31 23:59:00",
            i(0, 0, 0),
            Some("2026-01-31 23:59:00"),
        ),
        (
            "clamped",
            "2026-01-31 23:59:00",
            i(1, 0, 0),
            Some("2026-02-28 23:59:00"),
        ),
        (
            "clamped to a leap day",
            "2024-03-31 12:00:00",
            i(-1, 0, 0),
            Some("2024-02-29 12:00:00"),
        ),
        (
            "past a year",
            "2024-03-31 12:00:00",
            i(13, 0, 0),
            Some("2025-04-30 12:00:00"),
        ),
        (
            "back past two years",
            "2024-03-31 12:00:00",
            i(-25, 0, 0),
            Some("2022-02-28 12:00:00"),
        ),
        (
            "clamped, then days",
            "2026-01-31",
            i(1, 1, 0),
            Some("2026-03-01 00:00:00"),
        ),
        (
            "days and time",
            "2026-01-31 23:59:00",
            i(0, 1, 90 * SECOND_US),
            Some("2026-02-02 00:00:30"),
        ),
        (
            "back over 1970",
            "1970-01-01",
            i(0, 0, -1),
            Some("1969-12-31 23:59:59.999999"),
        ),
        (
            "out and back",
            "9999-12-31",
            i(0, 1, -DAY_US),
            Some("9999-12-31 00:00:00"),
        ),
        ("past the end", "9999-12-31", i(0, 1, 0), None),
        ("before the start", "0001-01-01", i(0, 0, -1), None),
        (
            "extremes",
            "2026-01-31",
            i(i32::MAX, i32::MAX, i64::MAX),
            None,
        ),
        (
            "extremes, back",
            "2026-01-31",
            i(i32::MIN, i32::MIN, i64::MIN),
            None,
        ),
    ] {
        assert_eq!(
            add_interval(at(from), interval).map(shown).as_deref(),
            want,
            "{name}"
        );
    }
}

#[test]
fn epochs_round_as_they_say() {
    for (us, want) in [
        (-500, -1),
        (-499, 0),
        (499, 0),
        (500, 1),
        (1_500, 2),
        (-1_500, -2),
    ] {
        assert_eq!(epoch_ms(us), want, "{us}");
    }
}

#[test]
fn any_time_reads_back() {
    let mut stream = Stream(8);
    let span = RANGE.end().abs_diff(*RANGE.start());
    for _ in 0..20_000 {
        let us = RANGE
            .start()
            .checked_add_unsigned(stream.below(span))
            .unwrap();
        let us = if stream.below(2) == 0 {
            us
        } else {
            us - us.rem_euclid(SECOND_US)
        };
        assert_eq!(at(&shown(us)), us);
    }
}
