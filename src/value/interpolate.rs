//! What lies between two integers, exactly (SQL.md, Quantiles): `part` of `of` on the way from one to the other.

use super::quotient;
use super::wide::U256;

/// How a result becomes whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// What is after the point is cut off.
    TowardsZero,
    /// A half goes away from zero.
    HalfAway,
}

/// The nearest double. `None` where `of` is zero.
#[must_use]
pub fn to_double(low: i128, high: i128, part: u64, of: u64) -> Option<f64> {
    let (negative, magnitude) = weighted(low, high, part, of).signed();
    let value = quotient::divide_magnitudes(magnitude, U256::from(u128::from(of)))?;
    Some(if negative { -value } else { value })
}

/// The whole number. `None` where `of` is zero; it lies between the two, so that it always fits.
#[must_use]
pub fn to_integer(low: i128, high: i128, part: u64, of: u64, rounding: Rounding) -> Option<i128> {
    // low + (high - low) · part / of, split into whole and rest so that nothing leaves 128 bits: the difference of the
    // two may have 129.
    let of = i128::from(of);
    let part = i128::from(part);
    let (low_whole, low_rest) = (low.checked_div(of)?, low.checked_rem(of)?);
    let (high_whole, high_rest) = (high.checked_div(of)?, high.checked_rem(of)?);
    let whole = low_whole * (of - part) + high_whole * part;
    let rest = low_rest * (of - part) + high_rest * part;
    let (more, rest) = (rest / of, rest % of);
    let total = whole + more;
    // Whole and rest may have different signs; the value's own sign decides which way it is cut.
    let is_cut_up = rest < 0 && total > 0;
    let is_cut_down = rest > 0 && total < 0;
    let (total, rest) = match (is_cut_up, is_cut_down) {
        (true, _) => (total - 1, rest + of),
        (_, true) => (total + 1, rest - of),
        (false, false) => (total, rest),
    };
    Some(match rounding {
        Rounding::TowardsZero => total,
        Rounding::HalfAway if 2 * rest.abs() >= of => total + rest.signum(),
        Rounding::HalfAway => total,
    })
}

/// low · (of − part) + high · part
fn weighted(low: i128, high: i128, part: u64, of: u64) -> U256 {
    let product = |value: i128, weight: u64| {
        let magnitude = U256::product(value.unsigned_abs(), u128::from(weight));
        if value < 0 {
            magnitude.negate()
        } else {
            magnitude
        }
    };
    product(low, of.saturating_sub(part)).add(product(high, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_cut_or_rounded_by_the_sign_of_the_result() {
        use Rounding::{HalfAway, TowardsZero};
        let most = 10_i128.pow(38) - 1;
        for (low, high, part, of, rounding, want) in [
            (1, 2, 5, 10, TowardsZero, 1),
            (1, 2, 5, 10, HalfAway, 2),
            (-2, -1, 5, 10, TowardsZero, -1),
            (-2, -1, 5, 10, HalfAway, -2),
            (-1, 2, 5, 10, TowardsZero, 0),
            (-1, 2, 5, 10, HalfAway, 1),
            (-2, 1, 5, 10, HalfAway, -1),
            (-3, 1, 25, 100, TowardsZero, -2),
            (-1, 9, 5, 100, HalfAway, -1),
            (-1, 9, 5, 100, TowardsZero, 0),
            (99, 101, 3, 10, TowardsZero, 99),
            (-most, most, 5, 10, TowardsZero, 0),
            (most - 1, most, 1, 2, TowardsZero, most - 1),
            (most - 1, most, 1, 2, HalfAway, most),
            (i128::MIN, i128::MAX, 1, 1, TowardsZero, i128::MAX),
            (i128::MIN, i128::MIN, 0, 1, TowardsZero, i128::MIN),
        ] {
            let found = to_integer(low, high, part, of, rounding);
            assert_eq!(found, Some(want), "{low} {high} {part}/{of} {rounding:?}");
        }
    }

    #[test]
    fn doubles_are_rounded_once() {
        for (low, high, part, of, want) in [
            (1, 2, 5, 10, 1.5),
            (-1, 2, 1, 3, 0.0),
            (
                9_007_199_254_740_993,
                9_007_199_254_740_993,
                1,
                2,
                9_007_199_254_740_992.0,
            ),
            (i128::MIN, i128::MAX, 1, 2, -0.5),
        ] {
            assert_eq!(to_double(low, high, part, of), Some(want));
        }
        assert_eq!(to_double(1, 2, 1, 0), None);
    }
}
