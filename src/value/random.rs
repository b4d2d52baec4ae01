//! Numbers for property tests, the same in every run (SplitMix64).

/// A deterministic stream of numbers.
pub(super) struct Stream(pub(super) u64);

impl Stream {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `limit`.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// Of any length up to 127 bits and either sign, short ones as likely as long ones.
    pub(super) fn integer(&mut self) -> i128 {
        let magnitude = (u128::from(self.next()) << 64 | u128::from(self.next())) >> 1;
        let magnitude = (magnitude >> self.below(127)).cast_signed();
        if self.next() & 1 == 0 {
            magnitude
        } else {
            -magnitude
        }
    }

    /// Any finite double, subnormals included, each exponent as likely as the others.
    pub(super) fn double(&mut self) -> f64 {
        loop {
            let value = f64::from_bits(self.next());
            if value.is_finite() {
                return value;
            }
        }
    }
}
