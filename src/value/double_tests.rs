//! DOUBLE against tables of DuckDB 2.0.1 and the standard library's reader.

use super::super::random::Stream;
use super::*;

fn text(value: f64) -> String {
    let mut out = Vec::new();
    format(value, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn f077_doubles_are_written_as_duckdb_does() {
    for (value, want) in [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (-1.5, "-1.5"),
        (0.1, "0.1"),
        (100.0, "100.0"),
        (123_456.789, "123456.789"),
        (1e15, "1000000000000000.0"),
        (1_234_567_890_123_456.5, "1234567890123456.5"),
        (9_999_999_999_999_998.0, "9999999999999998.0"),
        (1e16, "1e+16"),
        (123_456_789_012_345_678.0, "1.2345678901234568e+17"),
        (1e22, "1e+22"),
        (1e100, "1e+100"),
        (0.001, "0.001"),
        (1e-4, "0.0001"),
        (0.000_123_45, "0.00012345"),
        (1e-5, "1e-05"),
        (1.5e-5, "1.5e-05"),
        (5e-324, "5e-324"),
        (2.225_073_858_507_201e-308, "2.225073858507201e-308"),
        (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
        (f64::MAX, "1.7976931348623157e+308"),
        (-f64::MAX, "-1.7976931348623157e+308"),
        // Halfway between two texts that both read back: the even one, where the standard library takes the upper.
        (7_206_057_264_377_977.0 / 4.0, "1801514316094494.2"),
        (-4_000_000_000_002_229.0 / 4.0, "-1000000000000557.2"),
        (65_537.0 / 131_072.0, "0.5000076293945312"),
        (7_206_057_264_377_979.0 / 4.0, "1801514316094494.8"),
    ] {
        assert_eq!(text(value), want);
        assert_eq!(
            parse(want.as_bytes()).map(f64::to_bits),
            Ok(value.to_bits()),
            "{want}"
        );
    }
}

#[test]
fn f072_f077_doubles_are_read_to_the_nearest() {
    let past = Err(ParseFault::OutOfRange(Type::Double));
    let none = Err(ParseFault::NotANumber);
    for (name, text, want) in [
        ("negative zero", "-0", Ok(-0.0)),
        ("leading zeros", "0007.5", Ok(7.5)),
        ("exponent", "25e-1", Ok(2.5)),
        (
            "past 2^53, to even",
            "9007199254740993",
            Ok(9_007_199_254_740_992.0),
        ),
        (
            "past 2^53, up",
            "9007199254740993.0000001",
            Ok(9_007_199_254_740_994.0),
        ),
        (
            "halfway, to even",
            "1.00000000000000011102230246251565404236316680908203125",
            Ok(1.0),
        ),
        (
            "past halfway",
            "1.00000000000000011102230246251565404236316680908203126",
            Ok(1.0 + f64::EPSILON),
        ),
        ("smallest", "4.9e-324", Ok(f64::from_bits(1))),
        (
            "half the smallest, to even",
            "2.4703282292062327208e-324",
            Ok(0.0),
        ),
        (
            "past half the smallest",
            "2.4703282292062328e-324",
            Ok(f64::from_bits(1)),
        ),
        ("too small", "1e-400", Ok(0.0)),
        ("largest", "1.7976931348623157e308", Ok(f64::MAX)),
        ("too large", "1e400", past),
        ("too large, negative", "-1e400", past),
        (
            "half an ulp past the largest",
            "1.797693134862315808e308",
            past,
        ),
        ("infinity", "inf", none),
        ("Infinity", "Infinity", none),
        ("nan", "NaN", none),
        ("empty", "", none),
        ("point", ".", none),
        ("exponent alone", "e5", none),
        ("blank", "1 ", none),
        ("hex", "0x1p3", none),
        ("underscore", "1_0", none),
        ("not UTF-8", "1\u{fffd}", none),
    ] {
        let bits = |result: Result<f64, _>| result.map(f64::to_bits);
        assert_eq!(bits(parse(text.as_bytes())), bits(want), "{name}");
    }
    assert_eq!(parse(b"1\xff"), none);
    assert_eq!(cast_text(b"\t1.5 "), Ok(1.5));
}

#[test]
fn f077_any_double_reads_back_in_the_shortest_digits() {
    let mut stream = Stream(5);
    for _ in 0..20_000 {
        let value = stream.double();
        let text = text(value);
        assert_eq!(
            parse(text.as_bytes()).map(f64::to_bits),
            Ok(value.to_bits()),
            "{text}"
        );
        let digits = |text: &str| {
            let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
            let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
            digits.trim_matches('0').len()
        };
        assert_eq!(digits(&text), digits(&format!("{value:e}")), "{text}");
    }
}

#[test]
fn f077_the_fast_way_agrees_with_the_standard_library() {
    let mut stream = Stream(6);
    for _ in 0..20_000 {
        let digits = stream.next() >> stream.below(64);
        let scale = usize::try_from(stream.below(19)).unwrap();
        let text = format!("{:0>width$}", digits, width = scale + 1);
        let (whole, fraction) = text.split_at(text.len() - scale);
        let text = format!("-{whole}.{fraction}");
        assert_eq!(parse(text.as_bytes()), Ok(text.parse().unwrap()), "{text}");
    }
}

#[test]
fn rounding_multiplies_and_divides_as_duckdb_does() {
    for (value, digits, want) in [
        (2.5, 0, 3.0),
        (-2.5, 0, -3.0),
        (1.005, 2, 1.0),
        (0.285, 2, 0.28),
        (12_345.6, -2, 12_300.0),
        (1e300, 10, 1e300),
        (1e-320, 320, 1e-320),
        (0.15, 1, 0.2),
        (1.7e308, -308, 1.7e308),
        (123.0, -400, 0.0),
    ] {
        assert_eq!(round(value, digits), want, "{value} {digits}");
    }
}
