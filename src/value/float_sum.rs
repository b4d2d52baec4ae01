//! Exact sums of DOUBLE, rounded once at the end (SPEC 5; SQL.md "Sums and means").
//!
//! A sum is a fixed-point number of 256 bits placed where the first value is: 80 bits below it, and more than 2^60
//! values of its size above. Data that spans more than that, about 24 digits either way, moves to an [`Accumulator`]
//! that holds every double and every product of two. Nothing is ever rounded before the end, so that neither the
//! order of the rows nor how they were split can be seen in a result.

use super::accumulator::Accumulator;
use super::quotient::{Digits, assemble};
use super::wide::U256;

/// An exact sum of doubles and of products of two doubles. All of them must be finite.
///
/// Invariant: once there is `full`, the sum is in it and nothing looks at the window any more.
#[derive(Clone, Debug, Default)]
pub struct FloatSum {
    /// The window: `bits` · 2^`base`, in two's complement. One that is zero has no place yet.
    bits: U256,
    base: i32,
    full: Option<Box<Accumulator>>,
}

/// A double or an integer, exactly, as a sum of at most three terms.
#[derive(Clone, Copy, Debug)]
pub struct Number {
    /// Those past the first are zero for all but wide integers.
    terms: [Term; 3],
}

impl Number {
    /// Of a finite double.
    #[must_use]
    #[inline]
    pub fn of_double(value: f64) -> Self {
        Self {
            terms: [Term::of(value), Term::ZERO, Term::ZERO],
        }
    }

    /// Of an integer, which need be no double: limbs of 53 bits.
    #[must_use]
    #[inline]
    pub fn of_integer(value: i128) -> Self {
        const LIMB_BITS: i32 = f64::MANTISSA_DIGITS as i32;
        let limb = |number: i32| Term {
            negative: value < 0,
            magnitude: (value.unsigned_abs() >> (number * LIMB_BITS)) & ((1 << LIMB_BITS) - 1),
            exponent: number * LIMB_BITS,
        };
        Self {
            terms: [limb(0), limb(1), limb(2)],
        }
    }

    fn terms(&self) -> impl Iterator<Item = Term> {
        self.terms.into_iter().filter(|term| term.magnitude != 0)
    }
}

/// A number that a sum adds: ±`magnitude` · 2^`exponent`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Term {
    pub(super) negative: bool,
    /// At most 106 bits.
    pub(super) magnitude: u128,
    pub(super) exponent: i32,
}

/// Bits of a window below the lowest bit of its first value.
pub(super) const SLACK_BITS: i32 = 80;

impl FloatSum {
    /// Adds a finite `value`.
    #[inline]
    pub fn add(&mut self, value: f64) {
        self.add_term(Term::of(value));
    }

    /// Adds the exact product of two finite values, which need be no double itself.
    #[inline]
    pub fn add_product(&mut self, left: f64, right: f64) {
        self.add_term(Term::of_product(left, right));
    }

    /// Adds a number.
    #[inline]
    pub fn add_number(&mut self, number: &Number) {
        number.terms().for_each(|term| self.add_term(term));
    }

    /// Adds the exact product of two numbers.
    #[inline]
    pub fn add_number_product(&mut self, left: &Number, right: &Number) {
        for left in left.terms() {
            right
                .terms()
                .for_each(|right| self.add_term(left.times(right)));
        }
    }

    #[inline]
    fn add_term(&mut self, term: Term) {
        if let Some(full) = &mut self.full {
            full.add(term);
        } else if !self.add_to_window(term) {
            let mut full = self.widened();
            full.add(term);
            self.full = Some(Box::new(full));
        }
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Self) {
        if self.full.is_none() && other.full.is_none() && self.merge_windows(other) {
            return;
        }
        let mut full = self.full.take().unwrap_or_else(|| Box::new(self.widened()));
        match &other.full {
            Some(other) => full.merge(other),
            None => full.merge(&other.widened()),
        }
        self.full = Some(full);
    }

    /// The sum, rounded once to the nearest double, ties to even, as Python's `math.fsum`; `None` where that is past
    /// the largest double. A sum of zero is 0.0, whatever zeros it was made of.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        self.mean(1)
    }

    /// The exact sum over `count`, rounded once; `None` where `count` is zero. It is a double also where the sum is
    /// none, as for two of the largest.
    #[must_use]
    pub fn mean(&self, count: u64) -> Option<f64> {
        let (negative, digits) = self.digits(count)?;
        let magnitude = assemble(digits.bits, digits.exponent)?;
        Some(if negative { -magnitude } else { magnitude })
    }

    /// The number one.
    #[must_use]
    pub fn one() -> Self {
        let mut one = Self::default();
        one.add(1.0);
        one
    }

    fn of(full: Accumulator) -> Self {
        Self {
            full: Some(Box::new(full)),
            ..Self::default()
        }
    }

    /// The sum times `factor` and 10^`power`, exactly.
    #[must_use]
    pub fn times(&self, factor: u64, power: u32) -> Self {
        const CHUNK: u32 = 19;
        let mut full = self.widened();
        full.multiply(factor);
        for chunk in (0..power).step_by(CHUNK as usize) {
            full.multiply(10_u64.pow((power - chunk).min(CHUNK)));
        }
        Self::of(full)
    }

    /// Whether the sum is exactly zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.digits(1).is_some_and(|(_, digits)| digits.bits == 0)
    }

    /// Bytes that the sum holds beside itself.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.full.as_ref().map_or(0, |_| size_of::<Accumulator>())
    }

    /// The leading bits of the sum over `count`, and whether it is negative; `None` where `count` is zero.
    fn digits(&self, count: u64) -> Option<(bool, Digits)> {
        if let Some(full) = &self.full {
            return full.digits(count);
        }
        let (negative, magnitude) = self.bits.signed();
        let digits = if count == 1 {
            Digits::of_integer(magnitude)
        } else {
            Digits::of_ratio(magnitude, U256::from(u128::from(count)))?
        };
        let exponent = digits.exponent + self.base;
        Some((negative, Digits { exponent, ..digits }))
    }

    /// Doubles that add up to the sum exactly, largest first; `None` where one would be past the largest double.
    fn parts(&self) -> Option<Vec<f64>> {
        let mut rest = self.clone();
        let mut parts = Vec::new();
        loop {
            let part = rest.value()?;
            if part == 0.0 {
                return Some(parts);
            }
            rest.add(-part);
            parts.push(part);
        }
    }
}

/// The window.
impl FloatSum {
    /// `false`, and nothing added, where the term does not fit.
    #[inline]
    fn add_to_window(&mut self, term: Term) -> bool {
        if term.magnitude == 0 {
            return true;
        }
        if self.bits.is_zero() {
            self.base = term.exponent - SLACK_BITS;
        }
        let Ok(shift) = u32::try_from(term.exponent - self.base) else {
            return self.add_below(term);
        };
        let magnitude = U256::from(term.magnitude);
        if shift >= magnitude.leading_zeros() {
            return false;
        }
        self.add_signed(term.negative, magnitude.shift_left(shift))
    }

    /// A term with bits below the window fits where those are zero, as of a small whole number.
    fn add_below(&mut self, term: Term) -> bool {
        let below = (self.base - term.exponent).unsigned_abs();
        if term.magnitude.trailing_zeros() < below {
            return false;
        }
        self.add_signed(term.negative, U256::from(term.magnitude >> below))
    }

    /// `false`, and nothing added, where the sum would pass 255 bits. `magnitude` is below 2^255.
    #[inline]
    fn add_signed(&mut self, negative: bool, magnitude: U256) -> bool {
        let addend = if negative {
            magnitude.negate()
        } else {
            magnitude
        };
        let sum = self.bits.add(addend);
        let overflow = self.bits.is_negative() == negative && sum.is_negative() != negative;
        if !overflow {
            self.bits = sum;
        }
        !overflow
    }

    /// `false`, and the number unchanged, where the two have no common window.
    fn merge_windows(&mut self, other: &Self) -> bool {
        if other.bits.is_zero() {
            return true;
        }
        if self.bits.is_zero() {
            (self.bits, self.base) = (other.bits, other.base);
            return true;
        }
        let base = self.base.min(other.base);
        let Some(bits) = self.bits_from(base) else {
            return false;
        };
        let Some(addend) = other.bits_from(base) else {
            return false;
        };
        (self.bits, self.base) = (bits, base);
        let (negative, magnitude) = addend.signed();
        self.add_signed(negative, magnitude)
    }

    /// The window's bits counted from a lower `base`; `None` where they have no room at the top.
    fn bits_from(&self, base: i32) -> Option<U256> {
        let (negative, magnitude) = self.bits.signed();
        let bits = (self.base - base).unsigned_abs();
        // One bit is the sign's.
        if bits >= magnitude.leading_zeros() {
            return None;
        }
        let magnitude = magnitude.shift_left(bits);
        Some(if negative {
            magnitude.negate()
        } else {
            magnitude
        })
    }

    /// The sum with room for everything.
    fn widened(&self) -> Accumulator {
        if let Some(full) = &self.full {
            return full.as_ref().clone();
        }
        let (negative, magnitude) = self.bits.signed();
        let mut full = Accumulator::default();
        for (part, exponent) in [
            (magnitude.low, self.base),
            (magnitude.high, self.base + 128),
        ] {
            full.add(Term {
                negative,
                magnitude: part,
                exponent,
            });
        }
        full
    }
}

/// count · Σxy − Σx · Σy, exactly: `count`² times the population covariance, which is what spread, correlation and
/// regression are made of. Cancellation costs nothing here. `None` where a sum of x or y is past the largest double.
#[must_use]
pub fn co_moment(
    count: u64,
    sum_x: &FloatSum,
    sum_y: &FloatSum,
    sum_xy: &FloatSum,
) -> Option<FloatSum> {
    let mut total = sum_xy.widened();
    total.multiply(count);
    let parts_y = sum_y.parts()?;
    for x in sum_x.parts()? {
        for &y in &parts_y {
            total.add(Term::of_product(-x, y));
        }
    }
    Some(FloatSum::of(total))
}

/// left · right − other_left · other_right of sums, exactly; `None` where one of them is past the largest double.
#[must_use]
pub fn product_difference(
    [left, right]: [&FloatSum; 2],
    [other_left, other_right]: [&FloatSum; 2],
) -> Option<FloatSum> {
    let mut total = Accumulator::default();
    for (left, right, sign) in [(left, right, 1.0), (other_left, other_right, -1.0)] {
        let right = right.parts()?;
        for one in left.parts()? {
            for &other in &right {
                total.add(Term::of_product(sign * one, other));
            }
        }
    }
    Some(FloatSum::of(total))
}

/// The quotient of two sums, within one unit in the last place; `None` where the divisor is zero or the quotient past
/// the largest double.
#[must_use]
pub fn ratio(dividend: &FloatSum, divisor: &FloatSum) -> Option<f64> {
    let one = FloatSum::one();
    product_ratio([dividend, &one], [divisor, &one])
}

/// The quotient of two products of sums, likewise.
#[must_use]
pub fn product_ratio(dividends: [&FloatSum; 2], divisors: [&FloatSum; 2]) -> Option<f64> {
    let (dividend_negative, dividend, dividend_exponent) = leading_product(dividends)?;
    let (divisor_negative, divisor, divisor_exponent) = leading_product(divisors)?;
    let quotient = Digits::of_ratio(dividend, divisor)?;
    let exponent = quotient.exponent + dividend_exponent - divisor_exponent;
    let magnitude = assemble(quotient.bits, exponent)?;
    Some(
        if dividend_negative == divisor_negative || magnitude == 0.0 {
            magnitude
        } else {
            -magnitude
        },
    )
}

/// Sign, leading bits and exponent of a product.
fn leading_product([left, right]: [&FloatSum; 2]) -> Option<(bool, U256, i32)> {
    let (left_negative, left) = left.digits(1)?;
    let (right_negative, right) = right.digits(1)?;
    let bits = U256::product(u128::from(left.bits), u128::from(right.bits));
    let exponent = left.exponent + right.exponent;
    Some((left_negative != right_negative, bits, exponent))
}

impl Term {
    const ZERO: Self = Self {
        negative: false,
        magnitude: 0,
        exponent: 0,
    };

    /// Of a finite double.
    #[inline]
    fn of(value: f64) -> Self {
        const FRACTION_BITS: u32 = f64::MANTISSA_DIGITS - 1;
        let bits = value.to_bits();
        let biased = ((bits >> FRACTION_BITS) & 0x7ff) as i32;
        let fraction = bits & ((1 << FRACTION_BITS) - 1);
        // A subnormal has no leading one, and the exponent of the smallest normal.
        let lead = u64::from(biased != 0) << FRACTION_BITS;
        Self {
            negative: value.is_sign_negative(),
            magnitude: u128::from(lead | fraction),
            exponent: biased.max(1) - 1075,
        }
    }

    #[inline]
    fn of_product(left: f64, right: f64) -> Self {
        Self::of(left).times(Self::of(right))
    }

    /// The product of two terms of at most 53 bits each.
    #[inline]
    fn times(self, other: Self) -> Self {
        Self {
            negative: self.negative != other.negative,
            magnitude: self.magnitude * other.magnitude,
            exponent: self.exponent + other.exponent,
        }
    }
}

#[cfg(test)]
#[path = "float_sum_tests.rs"]
mod tests;
