//! The arithmetic against references that share nothing with it: integers of any size for DECIMAL, HUGEINT and the exact
//! sums, the standard library for the text of doubles.

use num_bigint::{BigInt, Sign};
use windrow::value::decimal::{self, Rounding};
use windrow::value::float_sum::FloatSum;
use windrow::value::{double, quotient};

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Of any length up to `digits` digits.
    fn decimal(&mut self, digits: u32) -> i128 {
        let wide = (i128::from(self.next()) << 64 | i128::from(self.next())).unsigned_abs();
        let digits = u32::try_from(self.next() % u64::from(digits)).expect("digits") + 1;
        let value = i128::try_from(wide % 10_u128.pow(digits)).expect("38 digits");
        if self.next().is_multiple_of(2) {
            value
        } else {
            -value
        }
    }

    fn double(&mut self) -> f64 {
        loop {
            let value = f64::from_bits(self.next());
            if value.is_finite() {
                return value;
            }
        }
    }
}

fn power(exponent: u8) -> BigInt {
    BigInt::from(10).pow(exponent.into())
}

/// The value where 38 digits hold it.
fn held(value: BigInt) -> Option<i128> {
    i128::try_from(value)
        .ok()
        .filter(|value| value.unsigned_abs() < 10_u128.pow(38))
}

#[test]
fn decimals_are_those_of_integers_of_any_size() {
    let mut random = Random(1);
    let (mut none, rounds) = (0, 300_000);
    for _ in 0..rounds {
        let (left, right) = (random.decimal(38), random.decimal(38));
        let scale = |random: &mut Random| u8::try_from(random.next() % 39).expect("a scale");
        let (left_scale, right_scale) = (scale(&mut random), scale(&mut random));
        let most = left_scale.max(right_scale);
        let (wide_left, wide_right) = (
            BigInt::from(left) * power(most - left_scale),
            BigInt::from(right) * power(most - right_scale),
        );
        assert_eq!(
            decimal::add(left, left_scale, right, right_scale),
            held(&wide_left + &wide_right),
            "{left} {left_scale} + {right} {right_scale}"
        );
        assert_eq!(
            decimal::subtract(left, left_scale, right, right_scale),
            held(&wide_left - &wide_right),
            "{left} {left_scale} - {right} {right_scale}"
        );
        assert_eq!(
            decimal::multiply(left, right).filter(|value| decimal::fits(*value, 38)),
            held(BigInt::from(left) * right),
            "{left} * {right}"
        );
        assert_eq!(
            decimal::compare(left, left_scale, right, right_scale),
            wide_left.cmp(&wide_right)
        );
        if right != 0 {
            assert_eq!(
                decimal::remainder(left, left_scale, right, right_scale),
                held(&wide_left % &wide_right),
                "{left} {left_scale} % {right} {right_scale}"
            );
        }
        let rescaled = decimal::rescale(left, left_scale, right_scale, Rounding::HalfAway)
            .filter(|value| decimal::fits(*value, 38));
        assert_eq!(
            rescaled,
            held(half_away(left, left_scale, right_scale)),
            "{left} {left_scale} to {right_scale}"
        );
        none += u32::from(rescaled.is_none());
    }
    assert!(none > 1_000 && none < rounds / 2, "{none} do not fit");
}

fn half_away(value: i128, from: u8, to: u8) -> BigInt {
    if to >= from {
        return BigInt::from(value) * power(to - from);
    }
    let divisor = power(from - to);
    let magnitude: BigInt = (BigInt::from(value.unsigned_abs()) * 2 + &divisor) / (&divisor * 2);
    if value < 0 { -magnitude } else { magnitude }
}

#[test]
fn a_quotient_is_the_nearest_double() {
    let mut random = Random(2);
    for _ in 0..200_000 {
        let (left, right) = (random.decimal(38), random.decimal(38));
        if right == 0 {
            assert_eq!(quotient::divide(left, right), None);
            continue;
        }
        let found = quotient::divide(left, right).expect("a quotient");
        is_nearest(found, &BigInt::from(left), &BigInt::from(right));
    }
}

/// `found` is not further from `dividend` / `divisor` than its neighbours.
fn is_nearest(found: f64, dividend: &BigInt, divisor: &BigInt) {
    let distance = |value: f64| {
        let (mantissa, exponent) = parts(value);
        // |value - dividend / divisor|, times divisor and 2^1100.
        let shift = usize::try_from(exponent + 1_100).expect("above the smallest double");
        let scaled = (mantissa << shift) * divisor - (dividend << 1_100_usize);
        scaled.magnitude().clone()
    };
    let here = distance(found);
    for neighbour in [found.next_up(), found.next_down()] {
        if neighbour.is_finite() {
            let there = distance(neighbour);
            let is_even = found.to_bits().is_multiple_of(2);
            assert!(
                here < there || (here == there && is_even),
                "{found} for {dividend} / {divisor}"
            );
        }
    }
}

/// The double as an integer and a power of two.
fn parts(value: f64) -> (BigInt, i32) {
    let bits = value.to_bits();
    let biased = i32::try_from((bits >> 52) & 0x7ff).expect("11 bits");
    let fraction = bits & ((1 << 52) - 1);
    let magnitude = if biased == 0 {
        fraction
    } else {
        fraction | 1 << 52
    };
    let sign = if value.is_sign_negative() {
        Sign::Minus
    } else {
        Sign::Plus
    };
    (
        BigInt::from_biguint(sign, magnitude.into()),
        biased.max(1) - 1_075,
    )
}

#[test]
fn a_sum_of_doubles_is_the_exact_one_rounded_once() {
    let mut random = Random(3);
    for round in 0..3_000 {
        let count = usize::try_from(random.next() % 40 + 1).expect("few");
        let values: Vec<f64> = (0..count)
            .map(|_| match round % 6 {
                // Anything; the extremes together; subnormals; near each other; cancelling; like money.
                0 => random.double() / 64.0,
                1 => [1e308, 1e-308, -1e308, 5e-324, 1.0, -1.0]
                    [usize::try_from(random.next() % 6).expect("six")],
                2 => f64::from_bits(random.next() >> 14),
                3 => 1.0 + f64::EPSILON * (random.next() % 100) as f64,
                4 => {
                    (random.next() as i64 as f64)
                        * if random.next().is_multiple_of(2) {
                            1e-9
                        } else {
                            -1e9
                        }
                }
                _ => (random.next() % 1_000_000) as f64 / 100.0,
            })
            .collect();
        let mut sum = FloatSum::default();
        let mut backwards = FloatSum::default();
        values.iter().for_each(|&value| sum.add(value));
        values.iter().rev().for_each(|&value| backwards.add(value));
        let exact: BigInt = values
            .iter()
            .map(|&value| {
                let (mantissa, exponent) = parts(value);
                mantissa << usize::try_from(exponent + 1_100).expect("above the smallest double")
            })
            .sum();
        assert_eq!(sum.value(), backwards.value(), "{values:?}");
        match sum.value() {
            Some(found) => is_nearest(found, &exact, &(BigInt::from(1) << 1_100_usize)),
            None => assert!(exact.magnitude().bits() > 1_100 + 1_023, "{values:?}"),
        }
    }
}

#[test]
fn doubles_read_and_print_as_the_standard_library_does() {
    let mut random = Random(4);
    let mut text = Vec::new();
    for round in 0..1_200_000_u32 {
        let value = match round % 4 {
            0 => random.double(),
            1 => (random.next() % 10_000_000) as f64 / 100.0,
            2 => f64::from_bits(random.next() >> 12),
            _ => random.next() as i64 as f64,
        };
        text.clear();
        double::format(value, &mut text);
        let shown = std::str::from_utf8(&text).expect("ASCII");
        assert_eq!(
            shown.parse::<f64>().expect("a number").to_bits(),
            value.to_bits(),
            "{shown}"
        );
        assert_eq!(
            double::parse(&text).map(f64::to_bits),
            Ok(value.to_bits()),
            "{shown}"
        );
        // As few digits as the shortest form has.
        let digits = |text: &str| {
            text.split(['e', 'E'])
                .next()
                .expect("a mantissa")
                .bytes()
                .filter(u8::is_ascii_digit)
                .skip_while(|&digit| digit == b'0')
                .collect::<Vec<_>>()
        };
        let significant = |text: &str| {
            let mut digits = digits(text);
            while digits.last() == Some(&b'0') {
                digits.pop();
            }
            digits
        };
        // Of two that are equally near, either may be written.
        let shortest = format!("{value:e}");
        assert_eq!(
            significant(shown).len(),
            significant(&shortest).len(),
            "{shown}, {shortest}"
        );
        // What has more digits than a double holds is rounded once.
        let long = format!("{}{}e{}", random.next(), random.next(), random.next() % 600);
        let long = format!("0.{long}").replace("e", if round % 2 == 0 { "e-" } else { "e" });
        if let Ok(want) = long
            .parse::<f64>()
            .map(|want| (want.is_finite(), want.to_bits()))
        {
            let found = double::parse(long.as_bytes()).map(f64::to_bits);
            assert_eq!(found.ok(), want.0.then_some(want.1), "{long}");
        }
    }
}
