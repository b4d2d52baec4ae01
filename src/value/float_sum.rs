//! Exact sums of DOUBLE, rounded once at the end (SPEC 5; SQL.md "Sums and means").
//!
//! A sum is a fixed-point number of 256 bits placed where the first value is: 80 bits below it, and more than 2^60
//! values of its size above. Data that spans more than that, about 24 digits either way, moves to an [`Accumulator`]
//! that holds every double and every product of two. Nothing is ever rounded before the end, so that neither the
//! order of the rows nor how they were split can be seen in a result.

use super::accumulator::Accumulator;
use super::dyadic::Dyadic;
use super::quotient::{Digits, assemble, low_half};
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

    /// Adds a number.
    #[inline]
    pub fn add_number(&mut self, number: &Number) {
        number.terms().for_each(|term| self.add_term(term));
    }

    /// Adds the exact product of two numbers, which need be no double itself.
    #[inline]
    pub fn add_product(&mut self, left: &Number, right: &Number) {
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
        let count = u128::from(count);
        if let Some(full) = &self.full {
            return full.dyadic().over(&Dyadic::from(count));
        }
        let (negative, magnitude) = self.bits.signed();
        let digits = if count == 1 {
            Digits::of_integer(magnitude)
        } else {
            Digits::of_ratio(magnitude, U256::from(count))?
        };
        let magnitude = assemble(digits.bits, digits.exponent + self.base)?;
        Some(if negative { -magnitude } else { magnitude })
    }

    /// The sum as a number to compute with.
    #[must_use]
    pub fn dyadic(&self) -> Dyadic {
        if let Some(full) = &self.full {
            return full.dyadic();
        }
        let (negative, U256 { high, low }) = self.bits.signed();
        let limbs = [low, low >> 64, high, high >> 64].map(low_half);
        Dyadic::new(negative, limbs.to_vec(), self.base)
    }

    /// Adds an exact number, such as another sum; `false`, and the sum of no use, where it is past what sums hold.
    #[must_use]
    pub fn add_dyadic(&mut self, number: &Dyadic) -> bool {
        number.terms().all(|(negative, limb, exponent)| {
            let term = Term {
                negative,
                magnitude: limb.into(),
                exponent,
            };
            let fits = Accumulator::holds(&term);
            if fits {
                self.add_term(term);
            }
            fits
        })
    }

    /// Bytes that the sum holds beside itself.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.full.as_ref().map_or(0, |_| size_of::<Accumulator>())
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
