//! Quotients against a test of nearness in exact integers.

use std::cmp::Ordering;

use super::super::random::Stream;
use super::*;

#[test]
fn quotients_are_rounded_once() {
    for (name, dividend, dividend_scale, divisor, divisor_scale, want) in [
        ("a third", 1, 0, 3, 0, Some(1.0 / 3.0)),
        ("3.3 / 1.1", 33, 1, 11, 1, Some(3.0)),
        ("0.1 / 0.3", 1, 1, 3, 1, Some(0.333_333_333_333_333_3)),
        ("0.7 / 0.3", 7, 1, 3, 1, Some(2.333_333_333_333_333_5)),
        ("scales", 1, 38, 1, 0, Some(1e-38)),
        ("scales, turned", 1, 0, 1, 38, Some(1e38)),
        ("signs", -7, 0, 2, 0, Some(-3.5)),
        ("both negative", -7, 0, -2, 0, Some(3.5)),
        ("zero", 0, 0, 5, 2, Some(0.0)),
        ("zero by a negative number", 0, 0, -5, 2, Some(-0.0)),
        ("by zero", 1, 0, 0, 0, None),
        ("zero by zero", 0, 3, 0, 0, None),
        ("wide by zero", i128::MIN, 0, 0, 5, None),
        (
            "tie, to even",
            9_007_199_254_740_993,
            0,
            1,
            0,
            Some(9_007_199_254_740_992.0),
        ),
        (
            "tie, up to even",
            9_007_199_254_740_995,
            0,
            1,
            0,
            Some(9_007_199_254_740_996.0),
        ),
        ("extremes", i128::MIN, 0, i128::MIN, 0, Some(1.0)),
        (
            "extremes, apart",
            i128::MIN,
            38,
            1,
            0,
            Some(-1.701_411_834_604_692_3),
        ),
    ] {
        let got = divide_scaled(dividend, dividend_scale, divisor, divisor_scale);
        assert_eq!(got.map(f64::to_bits), want.map(f64::to_bits), "{name}");
    }
}

#[test]
fn no_neighbour_is_nearer() {
    let mut stream = Stream(7);
    for _ in 0..20_000 {
        let (dividend, divisor) = (stream.integer() >> 30, stream.integer() >> 30);
        if divisor == 0 || dividend == 0 {
            continue;
        }
        let quotient = divide(dividend, divisor).unwrap();
        assert_eq!(quotient < 0.0, (dividend < 0) != (divisor < 0));
        let (n, d) = (dividend.unsigned_abs(), divisor.unsigned_abs());
        let bits = quotient.abs().to_bits();
        let (mantissa, exponent) = (bits & ((1 << 52) - 1) | 1 << 52, exponent_of(bits));
        // |n/d − m·2^e| against half a unit: 2n against (2m ± 1)·2^e·d, in whole numbers.
        let edge = |twice: u64| compare_scaled(2 * n, twice, exponent, d);
        let even = mantissa & 1 == 0;
        let below = edge(2 * mantissa - 1);
        let above = edge(2 * mantissa + 1);
        assert!(
            below == Ordering::Greater || (even && below == Ordering::Equal),
            "{dividend} {divisor}"
        );
        assert!(
            above == Ordering::Less || (even && above == Ordering::Equal),
            "{dividend} {divisor}"
        );
    }
}

fn exponent_of(bits: u64) -> i32 {
    i32::try_from(bits >> 52).unwrap() - 1075
}

/// Compares `left` with `factor` · 2^`exponent` · `divisor`, all by shifting 256 bits.
fn compare_scaled(left: u128, factor: u64, exponent: i32, divisor: u128) -> Ordering {
    let right = U256::product(u128::from(factor), divisor);
    let left = U256::from(left);
    if exponent >= 0 {
        left.cmp(&right.shift_left(exponent.unsigned_abs()))
    } else {
        left.shift_left(exponent.unsigned_abs()).cmp(&right)
    }
}

#[test]
fn doubles_are_assembled_at_every_edge() {
    let top = 1 << 63;
    for (name, bits, exponent, want) in [
        ("zero", 0, 5, Some(0.0)),
        ("one", top, -63, Some(1.0)),
        ("largest", u64::MAX << 11, 960, Some(f64::MAX)),
        ("rounds past the largest", u64::MAX, 960, None),
        ("too large", top, 961, None),
        ("smallest normal", top, -1085, Some(f64::MIN_POSITIVE)),
        ("rounds up to it", u64::MAX, -1086, Some(f64::MIN_POSITIVE)),
        ("smallest", top, -1137, Some(f64::from_bits(1))),
        ("half of it", top, -1138, Some(0.0)),
        ("past half of it", top | 1, -1138, Some(f64::from_bits(1))),
        ("a quarter", u64::MAX, -1139, Some(0.0)),
        ("far below", u64::MAX, -5_000, Some(0.0)),
        (
            "a tie among subnormals",
            3 << 62,
            -1137,
            Some(f64::from_bits(2)),
        ),
        (
            "a tie to the even one",
            5 << 61,
            -1136,
            Some(f64::from_bits(2)),
        ),
    ] {
        assert_eq!(assemble(bits, exponent), want, "{name}");
    }
}
