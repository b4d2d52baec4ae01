//! A fixed-point number that holds every sum of 2^64 doubles or products of two doubles, exactly: what a
//! [`super::float_sum::FloatSum`] becomes where a window of 256 bits is too small.
//!
//! Source: Radford Neal, "Fast exact summation using small and large superaccumulators" (2015), the small one.

use super::float_sum::{SLACK_BITS, Term};
use super::quotient::Digits;
use super::wide::U256;

/// The exponent of the lowest bit: that of the product of the two smallest doubles, less the slack of a window.
const LOWEST: i32 = -2148 - SLACK_BITS - 12;
/// Products end at 2^2048; counts and their multiples take 2^128 more, and the sign has the rest.
const LIMBS: u32 = 140;
/// Bits of a limb that count; the others wait to be carried.
const LIMB_BITS: u32 = 32;
/// One past the exponent of the highest bit.
const HIGHEST: i32 = LOWEST + (LIMB_BITS * LIMBS).cast_signed();
const LIMB_MASK: i64 = (1 << LIMB_BITS) - 1;
/// Additions before carries must be taken: each adds less than 2^34 to a limb.
const PENDING: u32 = 1 << 28;

const _: () = assert!(LOWEST % 32 == 0 && HIGHEST >= 2048 + 128 + 32);

/// The number: limb i counts 2^(`LOWEST` + 32 i).
#[derive(Clone, Debug)]
pub(super) struct Accumulator {
    /// After [`Accumulator::carry`] each but the last is in 0..2^32, and the last has the sign of the number.
    limbs: [i64; LIMBS as usize],
    /// Additions since then.
    pending: u32,
}

impl Default for Accumulator {
    fn default() -> Self {
        Self {
            limbs: [0; LIMBS as usize],
            pending: 0,
        }
    }
}

impl Accumulator {
    pub(super) fn add(&mut self, term: Term) {
        let place = (term.exponent - LOWEST).unsigned_abs();
        let (limb, bits) = ((place / LIMB_BITS) as usize, place % LIMB_BITS);
        let low = term.magnitude & u128::from(u64::MAX);
        self.add_piece(term.negative, low << bits, limb);
        self.add_piece(term.negative, (term.magnitude >> 64) << bits, limb + 2);
        self.pending += 1;
        if self.pending >= PENDING {
            self.carry();
        }
    }

    /// Adds ±`piece` (below 2^96) in units of `limb`.
    fn add_piece(&mut self, negative: bool, mut piece: u128, limb: usize) {
        for slot in self.limbs.iter_mut().skip(limb) {
            if piece == 0 {
                return;
            }
            let part = (piece & 0xffff_ffff) as i64;
            *slot += if negative { -part } else { part };
            piece >>= LIMB_BITS;
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        let mut other = other.clone();
        other.carry();
        self.carry();
        for (slot, limb) in self.limbs.iter_mut().zip(other.limbs) {
            *slot += limb;
        }
        self.carry();
    }

    /// Multiplies by `factor`.
    pub(super) fn multiply(&mut self, factor: u64) {
        self.carry();
        let negative = self.is_negative();
        if negative {
            self.negate();
        }
        let mut carry: u128 = 0;
        for slot in &mut self.limbs {
            let product = u128::from(slot.unsigned_abs()) * u128::from(factor) + carry;
            *slot = (product & 0xffff_ffff) as i64;
            carry = product >> LIMB_BITS;
        }
        if negative {
            self.negate();
        }
    }

    fn carry(&mut self) {
        let mut carry = 0;
        for slot in &mut self.limbs {
            let total = *slot + carry;
            *slot = total & LIMB_MASK;
            carry = total >> LIMB_BITS;
        }
        if let Some(last) = self.limbs.last_mut() {
            *last += carry << LIMB_BITS;
        }
        self.pending = 0;
    }

    fn negate(&mut self) {
        for slot in &mut self.limbs {
            *slot = -*slot;
        }
        self.carry();
    }

    /// To be asked after a carry only.
    fn is_negative(&self) -> bool {
        self.limbs.last().is_some_and(|&last| last < 0)
    }

    /// The leading bits of the number over `count`, and whether it is negative; `None` where `count` is zero.
    pub(super) fn digits(&self, count: u64) -> Option<(bool, Digits)> {
        let divisor = u128::from(count);
        let mut number = self.clone();
        number.carry();
        let negative = number.is_negative();
        if negative {
            number.negate();
        }
        // Long division, limb by limb from the top. Four limbs of zeros below the number bring even the smallest
        // quotient to 64 bits; what is left then only says whether the quotient was cut.
        let limbs = number.limbs.iter().rev().chain(&[0; 4]);
        let mut exponent = HIGHEST;
        let (mut top, mut rest, mut cut) = (0_u128, 0_u128, false);
        for limb in limbs {
            if top >> 64 != 0 {
                cut |= *limb != 0;
                continue;
            }
            rest = (rest << LIMB_BITS) | u128::from(limb.unsigned_abs());
            top = (top << LIMB_BITS) | rest.checked_div(divisor)?;
            rest %= divisor;
            exponent -= LIMB_BITS.cast_signed();
        }
        let digits = Digits::of_integer(U256::from(top));
        Some((
            negative,
            Digits {
                bits: digits.bits | u64::from(cut || rest != 0),
                exponent: digits.exponent + exponent,
            },
        ))
    }
}
