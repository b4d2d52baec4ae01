//! DECIMAL against tables, and against arithmetic on digits in the open.

use super::super::random::Stream;
use super::*;

const NUMBER: ParseFault = ParseFault::NotANumber;
const MAX: i128 = 99_999_999_999_999_999_999_999_999_999_999_999_999;

fn past(precision: u8, scale: u8) -> ParseFault {
    ParseFault::OutOfRange(Type::Decimal { precision, scale })
}

#[test]
fn f074_input_takes_what_fits_exactly() {
    let fine = |scale| Err(ParseFault::FractionDigits(scale));
    for (name, text, precision, scale, want) in [
        ("plain", "12.34", 10, 2, Ok(1_234)),
        ("fewer digits than the scale", "12.3", 10, 2, Ok(1_230)),
        ("whole", "12", 10, 2, Ok(1_200)),
        (
            "trailing zeros past the scale",
            "12.3400000",
            10,
            2,
            Ok(1_234),
        ),
        (
            "many trailing zeros",
            "1.00000000000000000000000000000",
            10,
            2,
            Ok(100),
        ),
        ("one digit too many", "12.345", 10, 2, fine(2)),
        (
            "a digit far down",
            "12.34000000000000000000000000000001",
            10,
            2,
            fine(2),
        ),
        ("minus", "-0.05", 10, 2, Ok(-5)),
        ("plus", "+7", 10, 2, Ok(700)),
        ("negative zero", "-0.00", 10, 2, Ok(0)),
        ("no digit before the point", ".5", 10, 2, Ok(50)),
        ("no digit after the point", "5.", 10, 2, Ok(500)),
        (
            "leading zeros",
            "0000000000000000000000000000000000000000000012.3",
            10,
            2,
            Ok(1_230),
        ),
        ("exponent", "1.5e3", 10, 2, Ok(150_000)),
        ("negative exponent", "15E-1", 10, 2, Ok(150)),
        ("an exponent that leaves too much", "1e-3", 10, 2, fine(2)),
        (
            "zero of any exponent",
            "0e99999999999999999999",
            10,
            2,
            Ok(0),
        ),
        (
            "a huge exponent",
            "1e99999999999999999999",
            10,
            2,
            Err(past(10, 2)),
        ),
        ("a tiny exponent", "1e-99999999999999999999", 10, 2, fine(2)),
        ("the largest", "99999999.99", 10, 2, Ok(9_999_999_999)),
        (
            "past the precision",
            "100000000.00",
            10,
            2,
            Err(past(10, 2)),
        ),
        (
            "precision of 18",
            "999999999999999999",
            18,
            0,
            Ok(999_999_999_999_999_999),
        ),
        ("past 18", "1000000000000000000", 18, 0, Err(past(18, 0))),
        (
            "precision of 38",
            "-999999999999999999999999999999.99999999",
            38,
            8,
            Ok(-MAX),
        ),
        (
            "past 38",
            "1000000000000000000000000000000",
            38,
            8,
            Err(past(38, 8)),
        ),
        (
            "scale of 38",
            "0.00000000000000000000000000000000000001",
            38,
            38,
            Ok(1),
        ),
        ("one", "1", 38, 38, Err(past(38, 38))),
        (
            "past 128 bits",
            "340282366920938463463374607431768211456",
            38,
            0,
            Err(past(38, 0)),
        ),
        ("empty", "", 10, 2, Err(NUMBER)),
        ("sign alone", "-", 10, 2, Err(NUMBER)),
        ("point alone", ".", 10, 2, Err(NUMBER)),
        ("two signs", "--1", 10, 2, Err(NUMBER)),
        ("two points", "1.2.3", 10, 2, Err(NUMBER)),
        ("empty exponent", "1e", 10, 2, Err(NUMBER)),
        ("exponent with a point", "1e1.0", 10, 2, Err(NUMBER)),
        ("blank before", " 1", 10, 2, Err(NUMBER)),
        ("blank after", "1 ", 10, 2, Err(NUMBER)),
        ("underscore", "1_000", 10, 2, Err(NUMBER)),
        ("hex", "0x10", 10, 2, Err(NUMBER)),
        ("comma", "1,5", 10, 2, Err(NUMBER)),
        ("nan", "NaN", 10, 2, Err(NUMBER)),
        ("a byte above the digits", "12345678:", 10, 0, Err(NUMBER)),
        ("a byte below them", "1234567/", 10, 0, Err(NUMBER)),
    ] {
        assert_eq!(parse(text.as_bytes(), precision, scale), want, "{name}");
        if precision <= 18 {
            let narrow = parse_int(text.as_bytes(), precision, scale);
            assert_eq!(narrow.map(i128::from), want, "{name}, in 64 bits");
        }
    }
}

#[test]
fn casts_of_text_round_half_away_and_take_blanks() {
    for (name, text, scale, want) in [
        ("exact", " 1.25 ", 2, Ok(125)),
        ("down", "3.449", 1, Ok(34)),
        ("up", "3.45", 1, Ok(35)),
        ("half, negative", "-3.45", 1, Ok(-35)),
        ("carry", "9.99", 1, Ok(100)),
        ("under a half of the last digit", "0.04999", 1, Ok(0)),
        ("a half of it", "0.05", 1, Ok(1)),
        ("a tenth of it", "0.009", 1, Ok(0)),
        ("exponent", "2.5e-1", 1, Ok(3)),
        ("tab and newline", "\t5\n", 1, Ok(50)),
        ("rounds past the precision", "999.95", 1, Err(past(4, 1))),
        ("blank inside", "1 2", 1, Err(NUMBER)),
        ("underscore", "1_000", 1, Err(NUMBER)),
    ] {
        assert_eq!(cast_text(text.as_bytes(), 4, scale), want, "{name}");
    }
}

#[test]
fn f074_what_is_written_reads_back() {
    let mut stream = Stream(3);
    for _ in 0..20_000 {
        let unscaled = stream.integer() % (MAX + 1);
        let scale = u8::try_from(stream.below(39)).unwrap();
        let mut out = Vec::new();
        format(unscaled, scale, &mut out);
        assert_eq!(String::from_utf8_lossy(&out), plainly(unscaled, scale));
        assert_eq!(parse(&out, 38, scale), Ok(unscaled));
        // The same number with an exponent in place of the point.
        let shifted = format!("{unscaled}e-{scale}");
        assert_eq!(parse(shifted.as_bytes(), 38, scale), Ok(unscaled));
        if unscaled.unsigned_abs() < 1_000_000_000_000_000_000 && scale <= 18 {
            assert_eq!(parse_int(&out, 18, scale).map(i128::from), Ok(unscaled));
        }
    }
}

/// The text by way of the standard library.
fn plainly(unscaled: i128, scale: u8) -> String {
    let digits = format!("{:01$}", unscaled.unsigned_abs(), usize::from(scale) + 1);
    let (whole, fraction) = digits.split_at(digits.len() - usize::from(scale));
    let point = if scale == 0 { "" } else { "." };
    let sign = if unscaled < 0 { "-" } else { "" };
    format!("{sign}{whole}{point}{fraction}")
}

#[test]
fn rescaling_rounds_as_it_is_told() {
    use Rounding::{Ceil, Exact, Floor, HalfAway, Truncate};
    for (unscaled, from, to, rounding, want) in [
        (125, 2, 4, Exact, Some(12_500)),
        (125, 2, 1, Exact, None),
        (120, 2, 1, Exact, Some(12)),
        (125, 2, 1, HalfAway, Some(13)),
        (124, 2, 1, HalfAway, Some(12)),
        (-125, 2, 1, HalfAway, Some(-13)),
        (125, 2, 1, Truncate, Some(12)),
        (-129, 2, 1, Truncate, Some(-12)),
        (-121, 2, 1, Floor, Some(-13)),
        (-120, 2, 1, Floor, Some(-12)),
        (121, 2, 1, Ceil, Some(13)),
        (-129, 2, 1, Ceil, Some(-12)),
        (MAX, 38, 0, HalfAway, Some(1)),
        (MAX, 0, 1, Exact, None),
    ] {
        assert_eq!(
            rescale(unscaled, from, to, rounding),
            want,
            "{unscaled} {from} {to} {rounding:?}"
        );
    }
}

#[test]
fn round_to_digits() {
    for (name, unscaled, scale, digits, want) in [
        ("two", 2_345, 3, 2, Some(235)),
        ("negative", -2_345, 3, 2, Some(-235)),
        ("none", 2_500, 3, 0, Some(3)),
        ("more than the scale", 2_345, 3, 5, Some(2_345)),
        ("far more", 2_345, 3, i32::MAX, Some(2_345)),
        ("before the point", 123_456, 2, -2, Some(1_200)),
        ("half before the point", 125_000, 2, -2, Some(1_300)),
        ("before all digits, up", 50_000, 2, -3, Some(1_000)),
        ("before all digits, down", 49_999, 2, -3, Some(0)),
        ("far before", MAX, 0, -39, Some(0)),
        ("farthest", MAX, 0, i32::MIN, Some(0)),
        ("past 38 digits", MAX, 0, -1, None),
    ] {
        assert_eq!(round(unscaled, scale, digits), want, "{name}");
    }
}

#[test]
fn sums_differences_and_products_are_exact_or_refused() {
    for (name, got, want) in [
        ("scales", add(1, 0, 5, 1), Some(15)),
        ("turned", add(5, 1, 1, 0), Some(15)),
        ("signs", add(-1, 0, 5, 1), Some(-5)),
        ("to zero", add(-1, 0, 10, 1), Some(0)),
        ("largest", add(MAX, 0, 0, 0), Some(MAX)),
        ("past 38 digits", add(MAX, 0, 1, 0), None),
        ("past 38 digits by the scale", add(MAX, 0, 1, 1), None),
        // 1.9e38 − 0.95e38 at scale 5: the first passes an i128, the difference fits.
        (
            "past 128 bits on the way",
            add(19 * POW10[32], 0, -95 * POW10[36], 5),
            Some(95 * POW10[36]),
        ),
        ("difference", subtract(5, 1, 1, 0), Some(-5)),
        ("product", multiply(-15, 5), Some(-75)),
        (
            "product of 38 digits",
            multiply(POW10[19], POW10[18]),
            Some(POW10[37]),
        ),
        (
            "product past 38 digits",
            multiply(POW10[19], POW10[19]),
            None,
        ),
        ("remainder", remainder(75, 1, 2, 0), Some(15)),
        (
            "remainder has the sign of the left",
            remainder(-75, 1, 2, 0),
            Some(-15),
        ),
        (
            "remainder of a finer divisor",
            remainder(7, 0, -15, 1),
            Some(10),
        ),
        (
            "remainder by a divisor past 128 bits",
            remainder(MAX, 38, MAX, 0),
            Some(MAX),
        ),
        (
            "remainder of a dividend past 128 bits",
            remainder(POW10[37], 0, 7, 38),
            Some(6),
        ),
        ("remainder by zero", remainder(1, 0, 0, 5), None),
    ] {
        assert_eq!(got, want, "{name}");
    }
    // 10^74 mod 7: 10 has order 6, so that this is 10^2.
    assert_eq!(remainder(POW10[37], 0, 7, 37), Some(2));
}

#[test]
fn comparison_never_fails() {
    use Ordering::{Equal, Greater, Less};
    for (left, left_scale, right, right_scale, want) in [
        (10, 1, 1, 0, Equal),
        (11, 1, 1, 0, Greater),
        (9, 1, 1, 0, Less),
        (MAX, 0, MAX, 38, Greater),
        (-MAX, 0, -MAX, 38, Less),
        (-MAX, 0, MAX, 38, Less),
        (0, 0, MAX, 38, Less),
        (i128::MIN, 0, 0, 38, Less),
    ] {
        assert_eq!(compare(left, left_scale, right, right_scale), want);
        assert_eq!(
            compare(right, right_scale, left, left_scale),
            want.reverse()
        );
    }
}

#[test]
fn doubles_and_decimals() {
    assert_eq!(to_double(1, 1), 0.1);
    assert_eq!(to_double(-285, 3), -0.285);
    assert_eq!(to_double(MAX, 38), 1.0);
    for (name, value, scale, want) in [
        ("below a half in binary", 0.285, 2, Some(28)),
        ("half away", 2.5, 0, Some(3)),
        ("half away, negative", -2.5, 0, Some(-3)),
        ("product rounds to a half", 0.115, 2, Some(12)),
        ("largest", 99_999.0, 0, Some(99_999)),
        ("too large", 99_999.5, 0, None),
        ("far too large", 1e300, 2, None),
    ] {
        assert_eq!(from_double(value, 5, scale), want, "{name}");
    }
}
