//! A fixed-point number that holds every sum of 2^64 doubles or products of two doubles, exactly: what a
//! [`super::float_sum::FloatSum`] becomes where a window of 256 bits is too small.
//!
//! Source: Radford Neal, "Fast exact summation using small and large superaccumulators" (2015), the small one.

use super::dyadic::Dyadic;
use super::float_sum::{SLACK_BITS, Term};

/// The exponent of the lowest bit: that of the product of the two smallest doubles, less the slack of a window.
const LOWEST: i32 = -2148 - SLACK_BITS - 12;
/// Products end at 2^2048 and a sum of 2^64 of them at 2^2112; the sign has the rest. Even, as pairs are taken out.
const LIMBS: u32 = 138;
/// Bits of a limb that count; the others wait to be carried.
const LIMB_BITS: u32 = 32;
/// One past the exponent of the highest bit.
const HIGHEST: i32 = LOWEST + (LIMB_BITS * LIMBS).cast_signed();
const LIMB_MASK: i64 = (1 << LIMB_BITS) - 1;
/// Additions before carries must be taken: each adds less than 2^34 to a limb.
const PENDING: u32 = 1 << 28;

const _: () = assert!(LOWEST % 32 == 0 && LIMBS.is_multiple_of(2) && HIGHEST >= 2048 + 64 + 32);

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
    /// Whether the term is one that sums come to.
    pub(super) fn holds(term: &Term) -> bool {
        let bits = u128::BITS - term.magnitude.leading_zeros();
        term.exponent >= LOWEST && term.exponent.saturating_add_unsigned(bits) < HIGHEST - 32
    }

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

    /// The number, in limbs of 64 bits.
    pub(super) fn dyadic(&self) -> Dyadic {
        let mut number = self.clone();
        number.carry();
        let negative = number.limbs.last().is_some_and(|&last| last < 0);
        if negative {
            number.negate();
        }
        let (pairs, _) = number.limbs.as_chunks::<2>();
        let limbs = pairs
            .iter()
            .map(|[low, high]| low.unsigned_abs() | (high.unsigned_abs() << LIMB_BITS));
        Dyadic::new(negative, limbs.collect(), LOWEST)
    }
}
