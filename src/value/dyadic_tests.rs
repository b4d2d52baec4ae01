//! Against doubles where they are exact, and against identities where they are not.

use super::super::float_sum::FloatSum;
use super::super::quotient;
use super::super::random::Stream;
use super::*;

/// The exact sum of `values`.
fn sum(values: &[f64]) -> Dyadic {
    let mut sum = FloatSum::default();
    values.iter().for_each(|&value| sum.add(value));
    sum.dyadic()
}

fn one() -> Dyadic {
    Dyadic::from(1)
}

#[test]
#[rustfmt::skip]
fn quotients_are_rounded_once_and_roots_have_their_sign() {
    let (most, tiny) = (f64::MAX, f64::from_bits(1));
    for (name, dividend, divisor, want, root) in [
        ("plain", 1.0, 3.0, Some(1.0 / 3.0), Some(0.5773502691896257)),
        ("whole", 9.0, 1.0, Some(9.0), Some(3.0)),
        ("a square below one", 1.0, 16.0, Some(0.0625), Some(0.25)),
        ("negative", -1.0, 4.0, Some(-0.25), Some(-0.5)),
        ("both negative", -1.0, -4.0, Some(0.25), Some(0.5)),
        ("zero", 0.0, -4.0, Some(0.0), Some(0.0)),
        ("over zero", 1.0, 0.0, None, None),
        ("to a subnormal", 1e-300, 1e15, Some(1e-315), Some(3.1622776601683794e-158)),
        ("to nothing", -tiny, 4.0, Some(0.0), Some(-1.1113793747425387e-162)),
        ("past the largest", 1e300, 1e-300, None, Some(1e300)),
        ("the largest", most, 1.0, Some(most), Some(1.3407807929942596e154)),
        ("extremes", tiny, most, Some(0.0), Some(1.657_809_2e-316)),
    ] {
        let (dividend, divisor) = (sum(&[dividend]), sum(&[divisor]));
        assert_eq!(dividend.over(&divisor), want, "{name}");
        let found = dividend.root_over(&divisor);
        assert_eq!(found, root, "{name}, root");
        assert!(!found.is_some_and(|root| root == 0.0 && root.is_sign_negative()), "{name}");
    }
}

#[test]
fn quotients_of_integers_are_those_of_256_bits() {
    let mut stream = Stream(3);
    for _ in 0..2_000 {
        let (left, right) = (stream.integer(), stream.integer());
        let number = |value: i128| {
            let magnitude = Dyadic::from(value.unsigned_abs());
            if value < 0 {
                Dyadic::default().minus(&magnitude)
            } else {
                magnitude
            }
        };
        let found = number(left).over(&number(right));
        let want = quotient::divide(left, right).map(|value| value + 0.0);
        assert_eq!(found, want, "{left} over {right}");
    }
}

#[test]
fn products_and_differences_keep_every_bit() {
    let mut stream = Stream(4);
    for round in 0..300 {
        let [a, b] = [(); 2].map(|()| {
            let values: Vec<f64> = (0..stream.below(4)).map(|_| stream.double()).collect();
            sum(&values)
        });
        let square = |number: &Dyadic| number.times(number);
        // (a + b)(a - b) = a² - b², of numbers whose bits lie thousands apart.
        let negative_b = Dyadic::default().minus(&b);
        let left = a.minus(&negative_b).times(&a.minus(&b));
        let right = square(&a).minus(&square(&b));
        assert!(left.minus(&right).is_zero(), "{round}");
        assert!(a.minus(&a).is_zero(), "{round}");
        assert_eq!(a.times(&b).is_zero(), a.is_zero() || b.is_zero(), "{round}");
        if !b.is_zero() {
            // The quotient of equal factors leaves the other.
            let (quotient, whole) = (a.times(&b).over(&b), a.over(&one()));
            assert_eq!(quotient, whole, "{round}");
            let root = square(&b).root_over(&one());
            let magnitude = b.magnitude().over(&one());
            assert_eq!(root, magnitude, "{round}");
        }
    }
}

#[test]
fn a_sum_is_the_same_number_in_its_window_and_past_it() {
    let window = sum(&[0.1, -1e9, 3.0]);
    let mut wide = FloatSum::default();
    for value in [1e300, 0.1, 1e-300, -1e9, 3.0, -1e300, -1e-300] {
        wide.add(value);
    }
    assert!(wide.heap_bytes() > 0);
    assert!(wide.dyadic().minus(&window).is_zero());
    assert_eq!(window.over(&one()), Some(0.1 - 1e9 + 3.0));
}

#[test]
fn each_number_has_one_text() {
    let shifted = |number: Dyadic, by: i32| number.times(&Dyadic::new(false, vec![1], by));
    for (name, number, text) in [
        ("zero", Dyadic::default(), "0x0p0"),
        ("one", Dyadic::from(1), "0x1p0"),
        ("even", Dyadic::from(12), "0x3p2"),
        ("part", shifted(Dyadic::from(499), -4), "0x1f3p-4"),
        (
            "negative",
            Dyadic::default().minus(&Dyadic::from(7)),
            "-0x7p0",
        ),
        (
            "two limbs",
            Dyadic::from(u128::MAX),
            "0xffffffffffffffffffffffffffffffffp0",
        ),
        (
            "a limb of zeros within",
            Dyadic::from((1 << 100) + 1),
            "0x10000000000000000000000001p0",
        ),
        (
            "a limb of zeros below",
            shifted(Dyadic::from(1 << 127), -2000),
            "0x1p-1873",
        ),
    ] {
        assert_eq!(number.to_string(), text, "{name}");
        let back = Dyadic::parse(text).unwrap();
        assert!(back.minus(&number).is_zero(), "{name}");
        assert_eq!(back.to_string(), text, "{name}");
    }
    for text in [
        "",
        "0x",
        "0xp0",
        "1p0",
        "0x1",
        "0x2p0",
        "0x01p0",
        "0x0p1",
        "-0x0p0",
        "0x1Fp0",
        "0x+1p0",
        "0x1p",
        "0x1p+1",
        "0x1p01",
        " 0x1p0",
        "0x1p0 ",
        "0x1p99999999999",
    ] {
        assert!(Dyadic::parse(text).is_none(), "{text}");
    }
}
