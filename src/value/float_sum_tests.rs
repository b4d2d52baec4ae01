//! Sums against an independent reference: big integers in units of 2^-2200, rounded by long division in the open.

use super::super::random::Stream;
use super::*;

/// A double whose exponent lies within `spread` of the middle.
fn near_one(stream: &mut Stream, spread: u64) -> f64 {
    let bits = stream.next();
    let exponent = 1023 - spread / 2 + stream.below(spread + 1);
    f64::from_bits((bits & !(0x7ff << 52)) | (exponent.clamp(0, 2046) << 52))
}

/// An exact sum as two shelves of bits, one for each sign: bit i counts 2^(i - 2200).
#[derive(Clone)]
struct Bits {
    plus: Vec<u8>,
    minus: Vec<u8>,
}

const LENGTH: usize = 4400;

impl Bits {
    fn new() -> Self {
        Self {
            plus: vec![0; LENGTH],
            minus: vec![0; LENGTH],
        }
    }

    fn add(&mut self, value: f64) {
        let (mantissa, exponent) = split(value);
        self.add_integer(value.is_sign_negative(), u128::from(mantissa), exponent);
    }

    fn add_product(&mut self, left: f64, right: f64) {
        let ((a, e), (b, f)) = (split(left), split(right));
        let negative = left.is_sign_negative() != right.is_sign_negative();
        self.add_integer(negative, u128::from(a) * u128::from(b), e + f);
    }

    fn add_integer(&mut self, negative: bool, integer: u128, exponent: i32) {
        let shelf = if negative {
            &mut self.minus
        } else {
            &mut self.plus
        };
        let start = usize::try_from(exponent + 2200).unwrap();
        for bit in 0..128 {
            if integer >> bit & 1 == 1 {
                let mut place = start + bit;
                while shelf[place] == 1 {
                    shelf[place] = 0;
                    place += 1;
                }
                shelf[place] = 1;
            }
        }
    }

    /// The sum over `count`, rounded once; infinite past the largest double.
    fn mean(&self, count: u64) -> f64 {
        let negative = self.plus.iter().rev().lt(self.minus.iter().rev());
        let (large, small) = if negative {
            (&self.minus, &self.plus)
        } else {
            (&self.plus, &self.minus)
        };
        let mut borrow = 0;
        let mut difference = vec![0_u8; LENGTH];
        for place in 0..LENGTH {
            let total =
                i8::try_from(large[place]).unwrap() - i8::try_from(small[place]).unwrap() - borrow;
            borrow = i8::from(total < 0);
            difference[place] = u8::from(total & 1 == 1);
        }
        // Long division from the top, a bit at a time, below the number too.
        let (mut rest, mut mantissa, mut top) = (0_u128, 0_u64, None);
        let mut lowest = 0;
        let mut place = i32::try_from(LENGTH).unwrap() - 2200;
        for bit in difference.iter().rev().chain(&[0; 200]) {
            place -= 1;
            rest = rest << 1 | u128::from(*bit);
            let quotient = rest >= u128::from(count);
            if quotient {
                rest -= u128::from(count);
            }
            if quotient && top.is_none() {
                top = Some(place);
            }
            let Some(top) = top else { continue };
            lowest = (top - 52).max(-1074);
            if place >= lowest {
                mantissa = mantissa << 1 | u64::from(quotient);
            } else if place == lowest - 1 {
                // The half, and whether anything follows.
                let follows = rest != 0 || difference_below(&difference, place);
                if quotient && (follows || mantissa & 1 == 1) {
                    mantissa += 1;
                }
                break;
            }
        }
        let magnitude = scale(mantissa, lowest);
        if negative { -magnitude } else { magnitude }
    }
}

fn difference_below(difference: &[u8], place: i32) -> bool {
    usize::try_from(place + 2200).is_ok_and(|place| difference[..place].contains(&1))
}

/// mantissa · 2^exponent, which is exact.
fn scale(mantissa: u64, exponent: i32) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "at most 2^53")]
    let value = mantissa as f64;
    let half = exponent / 2;
    value * 2_f64.powi(half) * 2_f64.powi(exponent - half)
}

fn split(value: f64) -> (u64, i32) {
    let bits = value.to_bits() & !(1 << 63);
    let exponent = i32::try_from(bits >> 52).unwrap();
    if exponent == 0 {
        (bits, -1074)
    } else {
        (bits & ((1 << 52) - 1) | 1 << 52, exponent - 1075)
    }
}

fn sum(values: &[f64]) -> FloatSum {
    let mut sum = FloatSum::default();
    values.iter().for_each(|&value| sum.add(value));
    sum
}

#[test]
fn f077_sums_are_exactly_rounded() {
    let max = f64::MAX;
    let tiny = f64::from_bits(1);
    for (name, values, want) in [
        ("none", vec![], Some(0.0)),
        ("negative zero", vec![-0.0, -0.0], Some(0.0)),
        ("cancellation", vec![1e16, 0.5, -1e16, 1.25], Some(1.75)),
        (
            "wide cancellation",
            vec![1e308, 1e-308, -1e308],
            Some(1e-308),
        ),
        ("subnormals", vec![tiny; 3], Some(f64::from_bits(3))),
        ("ties to even", vec![1.0, f64::EPSILON / 2.0], Some(1.0)),
        (
            "past the tie",
            vec![1.0, f64::EPSILON / 2.0, tiny],
            Some(1.0 + f64::EPSILON),
        ),
        (
            "below the tie",
            vec![1.0, f64::EPSILON / 2.0, -tiny],
            Some(1.0),
        ),
        ("tenths", vec![0.1; 10], Some(1.0)),
        ("largest", vec![max], Some(max)),
        ("overflow", vec![max, max], None),
        ("overflow on the way", vec![max, max, -max], Some(max)),
        (
            "half an ulp past the largest",
            vec![max, 2_f64.powi(970)],
            None,
        ),
        ("under half an ulp past it", vec![max, 9.9e291], Some(max)),
    ] {
        assert_eq!(sum(&values).value(), want, "{name}");
        let mut turned = values.clone();
        turned.reverse();
        assert_eq!(sum(&turned).value(), want, "{name}, turned");
    }
}

#[test]
fn means_are_rounded_once() {
    let tiny = f64::from_bits(1);
    for (name, values, want) in [
        ("of the largest", vec![f64::MAX; 4], f64::MAX),
        (
            "a tie among subnormals",
            vec![tiny, f64::from_bits(2)],
            f64::from_bits(2),
        ),
        ("half the smallest", vec![tiny, 0.0], 0.0),
        ("thirds", vec![0.1, 0.2, 0.3], 0.2),
        ("negative", vec![-1.0, -2.0, -2.0], -5.0 / 3.0),
    ] {
        let count = u64::try_from(values.len()).unwrap();
        assert_eq!(sum(&values).mean(count), Some(want), "{name}");
    }
    assert_eq!(sum(&[1.0]).mean(0), None);
    assert_eq!(sum(&[1.0, 1e300]).mean(0), None);
}

#[test]
fn random_sums_are_those_of_the_reference_however_they_are_split() {
    let mut stream = Stream(1);
    let mut spilled = 0;
    for round in 0..60 {
        let spread = [4, 60, 120, 250, 2046][round % 5];
        let mut values: Vec<f64> = (0..stream.next() % 40)
            .map(|_| near_one(&mut stream, spread))
            .collect();
        // Half of the rounds cancel nearly everything.
        if round % 2 == 0 {
            let turned: Vec<f64> = values.iter().skip(1).map(|value| -value).collect();
            values.extend(turned);
        }
        let mut reference = Bits::new();
        values.iter().for_each(|&value| reference.add(value));
        let whole = sum(&values);
        spilled += u32::from(whole.heap_bytes() > 0);
        for count in [1, 3, 7_919, u64::MAX] {
            let want = reference.mean(count);
            let want = want.is_finite().then_some(want);
            assert_eq!(whole.mean(count), want, "{round} {count} {values:?}");
            let cut = usize::try_from(stream.next()).unwrap() % (values.len() + 1);
            let mut left = sum(&values[..cut]);
            let right = sum(&values[cut..]);
            let mut turned = right.clone();
            turned.merge(&left);
            left.merge(&right);
            assert_eq!(
                (left.mean(count), turned.mean(count)),
                (want, want),
                "{round} split"
            );
        }
    }
    assert!((10..50).contains(&spilled), "both forms are met: {spilled}");
}

#[test]
fn products_are_exact() {
    let mut stream = Stream(2);
    for spread in [2, 40, 300, 2046] {
        for _ in 0..10 {
            let (mut total, mut reference) = (FloatSum::default(), Bits::new());
            for _ in 0..8 {
                let (left, right) = (near_one(&mut stream, spread), near_one(&mut stream, spread));
                total.add_product(&Number::of_double(left), &Number::of_double(right));
                reference.add_product(left, right);
            }
            let want = reference.mean(1);
            assert_eq!(total.value(), want.is_finite().then_some(want));
        }
    }
}

#[test]
fn an_accumulator_carries_before_it_overflows() {
    let mut full = sum(&[1e300, -1.0]);
    for _ in 0..1_000 {
        full.add(-1.0);
    }
    full.add(-1e300);
    assert_eq!(full.value(), Some(-1_001.0));
    assert!(full.heap_bytes() > 1_000);
}
