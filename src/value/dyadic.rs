//! Exact numbers of any size: what variance, correlation and regression are computed of, once a group at the end
//! (SQL.md, Sums and means). Each is an integer times a power of two, as every double is, and so are all sums and
//! products of them; only a quotient rounds.

use std::cmp::Ordering;
use std::fmt;

use super::quotient::{assemble, low_half};

/// ±`limbs` · 2^`exponent`.
///
/// Invariant: the highest limb is not zero; zero has no limbs, and is not negative.
#[derive(Clone, Debug, Default)]
pub struct Dyadic {
    negative: bool,
    /// The lowest first.
    limbs: Vec<u64>,
    exponent: i32,
}

/// Bits of a limb.
const LIMB_BITS: u32 = u64::BITS;
/// Digits of base 16 of a limb.
const LIMB_DIGITS: usize = 16;
/// More than the widest sum has.
const MOST_DIGITS: usize = 80 * LIMB_DIGITS;

impl From<u128> for Dyadic {
    fn from(value: u128) -> Self {
        Self::new(false, vec![low_half(value), low_half(value >> 64)], 0)
    }
}

impl Dyadic {
    pub(super) fn new(negative: bool, mut limbs: Vec<u64>, exponent: i32) -> Self {
        let zeros = limbs.iter().rev().take_while(|&&limb| limb == 0).count();
        limbs.truncate(limbs.len() - zeros);
        Self {
            negative: negative && !limbs.is_empty(),
            limbs,
            exponent,
        }
    }

    /// The number that [`fmt::Display`] writes so: `-0x1f3p-4`; `None` for any other text, and for what is longer than
    /// anything that is summed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, magnitude) = match text.strip_prefix('-') {
            Some(magnitude) => (true, magnitude),
            None => (false, text),
        };
        let (digits, exponent) = magnitude.strip_prefix("0x")?.split_once('p')?;
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if digits.is_empty() || digits.len() > MOST_DIGITS || !digits.bytes().all(is_hex) {
            return None;
        }
        let limbs = digits.as_bytes().rchunks(LIMB_DIGITS);
        let limbs = limbs.map(|limb| u64::from_str_radix(str::from_utf8(limb).ok()?, 16).ok());
        let number = Self::new(
            negative,
            limbs.collect::<Option<_>>()?,
            exponent.parse().ok()?,
        );
        // Each number has one text.
        (number.to_string() == text).then_some(number)
    }

    /// The same number of an odd integer, or zero: one of a kind.
    #[must_use]
    pub fn reduced(&self) -> Self {
        let zeros = self.limbs.iter().take_while(|&&limb| limb == 0).count();
        let odd = self.limbs.get(zeros..).unwrap_or_default();
        let Some(bits) = odd.first().map(|limb| limb.trailing_zeros()) else {
            return Self::default();
        };
        let next = odd.iter().skip(1).copied().chain([0]);
        let limbs = odd.iter().zip(next).map(|(&limb, next)| {
            let wide = u128::from(limb) | u128::from(next) << LIMB_BITS;
            low_half(wide >> bits)
        });
        let dropped = u32::try_from(zeros).map_or(u32::MAX, |zeros| zeros * LIMB_BITS + bits);
        let exponent = self.exponent.saturating_add_unsigned(dropped);
        Self::new(self.negative, limbs.collect(), exponent)
    }

    /// Its sign, and its bits in limbs of 64, the lowest first, each with the exponent of its lowest bit.
    pub(super) fn terms(&self) -> impl Iterator<Item = (bool, u64, i32)> {
        let step = LIMB_BITS.cast_signed();
        let exponents = (0_i32..).map(move |place| self.exponent.saturating_add(place * step));
        let limbs = self.limbs.iter().zip(exponents);
        limbs.map(|(&limb, exponent)| (self.negative, limb, exponent))
    }

    /// Whether it is zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.limbs.is_empty()
    }

    /// The same without its sign.
    #[must_use]
    pub fn magnitude(&self) -> Self {
        Self {
            negative: false,
            ..self.clone()
        }
    }

    /// The product.
    #[must_use]
    pub fn times(&self, other: &Self) -> Self {
        let mut limbs = vec![0; self.limbs.len() + other.limbs.len()];
        for (place, &left) in self.limbs.iter().enumerate() {
            let mut carry = 0;
            let right = other.limbs.iter().chain(&[0]);
            for (slot, &right) in limbs.iter_mut().skip(place).zip(right) {
                // At most (2^64 - 1)² + 2 (2^64 - 1), which is 2^128 - 1.
                let total = u128::from(left) * u128::from(right) + u128::from(*slot) + carry;
                *slot = low_half(total);
                carry = total >> LIMB_BITS;
            }
        }
        let negative = self.negative != other.negative;
        Self::new(negative, limbs, self.exponent + other.exponent)
    }

    /// The difference.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        if other.is_zero() {
            return self.clone();
        }
        if self.is_zero() {
            return Self {
                negative: !other.negative,
                ..other.clone()
            };
        }
        let exponent = self.exponent.min(other.exponent);
        let limbs = |number: &Self| {
            let bits = (number.exponent - exponent).unsigned_abs();
            shifted(&number.limbs, bits)
        };
        let (mut left, mut right) = (limbs(self), limbs(other));
        // One limb more than the longer has: a sum may need it.
        let length = left.len().max(right.len()) + 1;
        left.resize(length, 0);
        right.resize(length, 0);
        if self.negative != other.negative {
            add(&mut left, &right);
            return Self::new(self.negative, left, exponent);
        }
        if compare(&left, &right).is_ge() {
            subtract(&mut left, &right);
            return Self::new(self.negative, left, exponent);
        }
        subtract(&mut right, &left);
        Self::new(!self.negative, right, exponent)
    }

    /// The quotient, rounded once to the nearest double, ties to even, never -0.0; `None` where the divisor is zero or the
    /// quotient past the largest double.
    #[must_use]
    pub fn over(&self, divisor: &Self) -> Option<f64> {
        let mut division = Division::new(self, divisor)?;
        let bits = division.bits(64) | u128::from(division.is_cut());
        let magnitude = assemble(low_half(bits), division.exponent - 63)?;
        Some(self.signed(magnitude, divisor))
    }

    /// The root of the quotient's magnitude with the quotient's sign, rounded likewise; `None` as for the quotient, though
    /// it may be a double where the quotient is none.
    #[must_use]
    pub fn root_over(&self, divisor: &Self) -> Option<f64> {
        let mut division = Division::new(self, divisor)?;
        // An even power of two stays beside the bits, whose root has 64.
        let count = 127 + division.exponent.rem_euclid(2);
        let bits = division.bits(count);
        let root = bits.isqrt();
        let cut = root * root != bits || division.is_cut();
        let exponent = (division.exponent - (count - 1)) / 2;
        let magnitude = assemble(low_half(root) | u64::from(cut), exponent)?;
        Some(self.signed(magnitude, divisor))
    }

    /// `magnitude` with the sign of the quotient.
    fn signed(&self, magnitude: f64, divisor: &Self) -> f64 {
        if self.negative == divisor.negative || magnitude == 0.0 {
            magnitude
        } else {
            -magnitude
        }
    }
}

/// As C and Python write numbers in base 16, with a whole, odd number before the `p`: `-0x1f3p-4` is -499/16.
impl fmt::Display for Dyadic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.reduced();
        let mut limbs = number.limbs.iter().rev();
        let sign = if number.negative { "-" } else { "" };
        write!(f, "{sign}0x{:x}", limbs.next().unwrap_or(&0))?;
        for limb in limbs {
            write!(f, "{limb:016x}")?;
        }
        write!(f, "p{}", number.exponent)
    }
}

/// Long division of two magnitudes, a bit a step.
struct Division {
    /// Below twice the divisor; of as many limbs.
    rest: Vec<u64>,
    divisor: Vec<u64>,
    /// Of the first bit, which is one where the quotient is not zero.
    exponent: i32,
}

impl Division {
    /// `None` where the divisor is zero.
    fn new(dividend: &Dyadic, divisor: &Dyadic) -> Option<Self> {
        if divisor.is_zero() {
            return None;
        }
        // With equal lengths, the quotient lies between a half and two.
        let lengths = [dividend, divisor].map(|number| bit_length(&number.limbs));
        let longest = lengths.into_iter().max()?;
        let [length, divisor_length] = lengths;
        let mut division = Self {
            rest: shifted(&dividend.limbs, longest - length),
            divisor: shifted(&divisor.limbs, longest - divisor_length),
            exponent: dividend.exponent - divisor.exponent + length.cast_signed()
                - divisor_length.cast_signed(),
        };
        let limbs = division.rest.len().max(division.divisor.len());
        division.rest.resize(limbs, 0);
        division.divisor.resize(limbs, 0);
        if compare(&division.rest, &division.divisor).is_lt() {
            double(&mut division.rest);
            division.exponent -= 1;
        }
        Some(division)
    }

    /// The next `count` bits, at most 128.
    fn bits(&mut self, count: i32) -> u128 {
        (0..count).fold(0, |bits, _| {
            let bit = compare(&self.rest, &self.divisor).is_ge();
            if bit {
                subtract(&mut self.rest, &self.divisor);
            }
            double(&mut self.rest);
            bits << 1 | u128::from(bit)
        })
    }

    /// Whether bits follow.
    fn is_cut(&self) -> bool {
        self.rest.iter().any(|&limb| limb != 0)
    }
}

/// Bits up to the highest that is set.
fn bit_length(limbs: &[u64]) -> u32 {
    let Some(top) = limbs.last() else { return 0 };
    let all = u32::try_from(limbs.len()).map_or(u32::MAX, |limbs| limbs.saturating_mul(LIMB_BITS));
    all - top.leading_zeros()
}

/// `limbs` · 2^`bits`, with at least one bit of zero at the top.
fn shifted(limbs: &[u64], bits: u32) -> Vec<u64> {
    let mut shifted = vec![0; (bits / LIMB_BITS) as usize];
    shifted.reserve(limbs.len() + 1);
    let mut carry = 0;
    for &limb in limbs {
        let wide = (u128::from(limb) << (bits % LIMB_BITS)) | carry;
        shifted.push(low_half(wide));
        carry = wide >> LIMB_BITS;
    }
    shifted.push(low_half(carry));
    shifted
}

/// Of two numbers of as many limbs.
fn compare(left: &[u64], right: &[u64]) -> Ordering {
    left.iter().rev().cmp(right.iter().rev())
}

/// `sum` + `addend`, of as many limbs; the sum has room.
fn add(sum: &mut [u64], addend: &[u64]) {
    let mut carry = 0;
    for (slot, &limb) in sum.iter_mut().zip(addend) {
        let total = u128::from(*slot) + u128::from(limb) + carry;
        *slot = low_half(total);
        carry = total >> LIMB_BITS;
    }
}

/// `rest` − `part`, of as many limbs, which is not negative.
fn subtract(rest: &mut [u64], part: &[u64]) {
    let mut borrow = false;
    for (slot, &limb) in rest.iter_mut().zip(part) {
        let (less, below) = slot.overflowing_sub(limb);
        let (less, still_below) = less.overflowing_sub(u64::from(borrow));
        *slot = less;
        borrow = below || still_below;
    }
}

/// Twice the number, which has room.
fn double(limbs: &mut [u64]) {
    let mut carry = 0;
    for limb in limbs {
        let top = *limb >> (LIMB_BITS - 1);
        *limb = (*limb << 1) | carry;
        carry = top;
    }
}

#[cfg(test)]
#[path = "dyadic_tests.rs"]
mod tests;
