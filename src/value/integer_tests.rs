//! BIGINT and HUGEINT against tables and the standard library.

use super::super::random::Stream;
use super::*;

const PAST: ParseFault = ParseFault::OutOfRange(Type::BigInt);

#[test]
fn f073_bigint_takes_whole_numbers_in_range() {
    for (name, text, want) in [
        ("zero", "0", Ok(0)),
        ("negative zero", "-0", Ok(0)),
        ("past 2^53", "9007199254740993", Ok(9_007_199_254_740_993)),
        ("largest", "9223372036854775807", Ok(i64::MAX)),
        ("smallest", "-9223372036854775808", Ok(i64::MIN)),
        ("past the largest", "9223372036854775808", Err(PAST)),
        ("past the smallest", "-9223372036854775809", Err(PAST)),
        ("20 digits", "10000000000000000000", Err(PAST)),
        (
            "39 digits",
            "340282366920938463463374607431768211455",
            Err(PAST),
        ),
        (
            "40 digits",
            "1000000000000000000000000000000000000000",
            Err(PAST),
        ),
        (
            "leading zeros",
            "000000000000000000000000000000000000000000012",
            Ok(12),
        ),
        ("a zero fraction", "3.0", Ok(3)),
        ("a point alone behind", "3.", Ok(3)),
        ("a fraction", "3.5", Err(ParseFault::NotWhole)),
        ("a long zero fraction", "3.000000000000000000000000", Ok(3)),
        ("an exponent", "1e3", Ok(1_000)),
        ("an exponent that makes it whole", "1.5e1", Ok(15)),
        (
            "an exponent that does not",
            "15e-1",
            Err(ParseFault::NotWhole),
        ),
        ("trailing zeros undone", "1000e-3", Ok(1)),
        ("nothing", "", Err(ParseFault::NotANumber)),
        ("blank", " 1", Err(ParseFault::NotANumber)),
        ("word", "true", Err(ParseFault::NotANumber)),
    ] {
        assert_eq!(parse_bigint(text.as_bytes()), want, "{name}");
    }
}

#[test]
fn casts_of_text_round_half_away() {
    for (text, want) in [
        (" 3.5 ", Ok(4)),
        ("-3.5", Ok(-4)),
        ("3.49999", Ok(3)),
        (".5", Ok(1)),
        ("1e-400", Ok(0)),
        ("9223372036854775807.4", Ok(i64::MAX)),
        ("9223372036854775807.5", Err(PAST)),
        ("0x10", Err(ParseFault::NotANumber)),
    ] {
        assert_eq!(cast_text(text.as_bytes()), want, "{text}");
    }
    let huge = i128::MIN.to_string();
    assert_eq!(cast_text_huge(huge.as_bytes()), Ok(i128::MIN));
    let past = "170141183460469231731687303715884105728";
    assert_eq!(
        cast_text_huge(past.as_bytes()),
        Err(ParseFault::OutOfRange(Type::HugeInt))
    );
}

#[test]
fn casts_of_doubles_round_half_to_even() {
    for (value, want) in [
        (0.5, Some(0)),
        (1.5, Some(2)),
        (-2.5, Some(-2)),
        (9_223_372_036_854_774_784.0, Some(9_223_372_036_854_774_784)),
        (9_223_372_036_854_775_808.0, None),
        (-9_223_372_036_854_775_808.0, Some(i64::MIN)),
        (1e300, None),
    ] {
        assert_eq!(from_double(value), want, "{value}");
    }
    assert_eq!(huge_from_double(-(2_f64.powi(127))), Some(i128::MIN));
    assert_eq!(huge_from_double(2_f64.powi(127)), None);
}

#[test]
fn what_is_written_reads_back_and_is_what_the_standard_library_writes() {
    let mut stream = Stream(4);
    for _ in 0..20_000 {
        let huge = stream.integer();
        let mut out = Vec::new();
        crate::value::decimal::format(huge, 0, &mut out);
        assert_eq!(String::from_utf8_lossy(&out), huge.to_string());
        assert_eq!(cast_text_huge(&out), Ok(huge));
        let value = i64::try_from(huge >> 64).unwrap() >> stream.below(64);
        out.clear();
        format(value, &mut out);
        assert_eq!(String::from_utf8_lossy(&out), value.to_string());
        assert_eq!(parse_bigint(&out), Ok(value));
    }
}
