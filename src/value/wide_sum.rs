//! Exact sums of BIGINT, HUGEINT and DECIMAL, wider than any input can overflow (SQL.md "Sums and means").

use super::dyadic::Dyadic;
use super::wide::U256;
use super::{decimal, quotient};

/// An exact sum of integers of 128 bits: 192 bits, which 2^64 of them cannot pass.
///
/// Order does not matter, and neither does how the rows were split before [`WideSum::merge`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WideSum {
    /// The low 128 bits, in two's complement with `high`.
    low: u128,
    high: i64,
}

impl WideSum {
    /// Adds one value (for DECIMAL, its unscaled integer).
    #[inline]
    pub fn add(&mut self, value: i128) {
        let (low, carry) = self.low.overflowing_add(value.cast_unsigned());
        self.low = low;
        // The high part of a negative value is all ones, that is -1.
        self.high = self
            .high
            .wrapping_add(i64::from(carry) - i64::from(value < 0));
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: Self) {
        let (low, carry) = self.low.overflowing_add(other.low);
        self.low = low;
        self.high = self
            .high
            .wrapping_add(other.high)
            .wrapping_add(i64::from(carry));
    }

    /// The sum; `None` past 128 bits. What precision it must fit, the caller asks.
    #[must_use]
    pub fn to_i128(self) -> Option<i128> {
        let value = self.low.cast_signed();
        let sign = -i64::from(value < 0);
        (self.high == sign).then_some(value)
    }

    /// The sum as a number of any size.
    #[must_use]
    pub fn dyadic(self) -> Dyadic {
        let (negative, U256 { high, low }) = self.bits().signed();
        let limbs = [low, low >> 64, high].map(quotient::low_half);
        Dyadic::new(negative, limbs.to_vec(), 0)
    }

    /// The sum that is `number`; `None` where that is not whole, or past 192 bits.
    #[must_use]
    pub fn of_dyadic(number: &Dyadic) -> Option<Self> {
        let mut sum = Self::default();
        for (negative, limb, exponent) in number.reduced().terms() {
            let limb = u128::from(limb);
            let bits = u128::BITS - limb.leading_zeros();
            let shift = u32::try_from(exponent)
                .ok()
                .filter(|shift| shift + bits < 192)?;
            let bits = U256::from(limb).shift_left(shift);
            let bits = if negative { bits.negate() } else { bits };
            // Below 2^191, so that nothing is cut off.
            let high = quotient::low_half(bits.high).cast_signed();
            sum.merge(Self {
                low: bits.low,
                high,
            });
        }
        Some(sum)
    }

    fn bits(self) -> U256 {
        U256 {
            high: i128::from(self.high).cast_unsigned(),
            low: self.low,
        }
    }

    /// The exact sum of numbers of `scale` over `count`, rounded once to the nearest double; `None` where `count` is
    /// zero.
    #[must_use]
    pub fn mean(self, count: u64, scale: u8) -> Option<f64> {
        let (negative, magnitude) = self.bits().signed();
        let power = decimal::pow10(u32::from(scale))?.unsigned_abs();
        let divisor = U256::product(u128::from(count), power);
        let mean = quotient::divide_magnitudes(magnitude, divisor)?;
        Some(if negative { -mean } else { mean })
    }
}

#[cfg(test)]
#[path = "wide_sum_tests.rs"]
mod tests;
