//! Unsigned integers of 256 bits: just what exact quotients and sums need, in safe code. No division.

/// `high` · 2^128 + `low`. The derived order is that of the numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct U256 {
    pub(super) high: u128,
    pub(super) low: u128,
}

/// The low half of a `u128`.
const LOW: u128 = u64::MAX as u128;

impl U256 {
    /// The exact product.
    pub(super) fn product(left: u128, right: u128) -> Self {
        let (a, b) = (left >> 64, left & LOW);
        let (c, d) = (right >> 64, right & LOW);
        let low = b * d;
        // Each partial product leaves room for two halves, so that no sum here wraps.
        let middle = a * d + (low >> 64);
        let other = b * c + (middle & LOW);
        Self {
            high: a * c + (middle >> 64) + (other >> 64),
            low: (other << 64) | (low & LOW),
        }
    }

    pub(super) fn is_zero(self) -> bool {
        self.high == 0 && self.low == 0
    }

    pub(super) fn leading_zeros(self) -> u32 {
        if self.high == 0 {
            128 + self.low.leading_zeros()
        } else {
            self.high.leading_zeros()
        }
    }

    /// Modulo 2^256.
    pub(super) fn add(self, other: Self) -> Self {
        let (low, carry) = self.low.overflowing_add(other.low);
        let high = self.high.wrapping_add(other.high);
        Self {
            high: high.wrapping_add(u128::from(carry)),
            low,
        }
    }

    /// Modulo 2^256.
    pub(super) fn subtract(self, other: Self) -> Self {
        let (low, borrow) = self.low.overflowing_sub(other.low);
        let high = self.high.wrapping_sub(other.high);
        Self {
            high: high.wrapping_sub(u128::from(borrow)),
            low,
        }
    }

    /// Bits that leave at the top are lost; `bits` below 256.
    pub(super) fn shift_left(self, bits: u32) -> Self {
        match bits {
            0 => self,
            1..128 => Self {
                high: (self.high << bits) | (self.low >> (128 - bits)),
                low: self.low << bits,
            },
            _ => Self {
                high: self.low.checked_shl(bits - 128).unwrap_or(0),
                low: 0,
            },
        }
    }

    /// Modulo 2^256, so that this is also the sign change of two's complement.
    pub(super) fn negate(self) -> Self {
        Self::default().subtract(self)
    }

    /// Whether the number is negative when read as two's complement.
    pub(super) fn is_negative(self) -> bool {
        self.high >> 127 == 1
    }

    /// Sign and magnitude of the number when read as two's complement.
    pub(super) fn signed(self) -> (bool, Self) {
        if self.is_negative() {
            (true, self.negate())
        } else {
            (false, self)
        }
    }
}

impl From<u128> for U256 {
    fn from(low: u128) -> Self {
        Self { high: 0, low }
    }
}

#[cfg(test)]
mod tests {
    use super::super::random::Stream;
    use super::*;

    #[test]
    fn products_are_those_of_single_bits() {
        let most = U256::product(u128::MAX, u128::MAX);
        assert_eq!((most.high, most.low), (u128::MAX - 1, 1));
        let mut stream = Stream(9);
        for _ in 0..200 {
            let (left, right) = (
                stream.integer().unsigned_abs(),
                stream.integer().unsigned_abs(),
            );
            let one_by_one = (0..128)
                .filter(|bit| right >> bit & 1 == 1)
                .map(|bit| U256::from(left).shift_left(bit))
                .fold(U256::default(), U256::add);
            assert_eq!(U256::product(left, right), one_by_one);
        }
    }

    #[test]
    fn shifts_and_signs_reach_both_halves() {
        let one = U256::from(1);
        for bits in 0..256 {
            let shifted = one.shift_left(bits);
            assert_eq!(shifted.leading_zeros(), 255 - bits);
            assert_eq!(shifted.negate().negate(), shifted);
            assert!(shifted.add(shifted.negate()).is_zero());
        }
        assert_eq!(one.negate().signed(), (true, one));
    }
}
