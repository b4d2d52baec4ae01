//! Which of 64 bytes equal a given one, as a bit mask.
//!
//! Plain code that compiles to vector compares: the intrinsics themselves cannot be called without `unsafe`, as the
//! whole way down to them would have to be marked with the target feature, `main` included.

/// Bytes that are looked at together.
pub(super) const BLOCK: usize = 64;

/// Bit `i` is set where byte `i` of `block` is `byte`.
#[inline(always)]
pub(super) fn equal(block: &[u8; BLOCK], byte: u8) -> u64 {
    gather(block.map(|found| u8::from(found == byte)))
}

/// Bit `i` is set where byte `i` of `flags` is 1; the others are 0.
#[inline(always)]
pub(super) fn gather(flags: [u8; BLOCK]) -> u64 {
    let (words, _) = flags.as_chunks::<8>();
    let mut mask = 0;
    for (index, word) in words.iter().enumerate() {
        // The product's top byte has bits 0, 8, 16 … of the word as its bits 0, 1, 2 …; no two partial products meet.
        let byte = u64::from_le_bytes(*word).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        mask |= byte << (8 * index);
    }
    mask
}

/// Bit `i` is set where an odd number of the bits up to and including `i` are.
#[inline(always)]
pub(super) fn prefix_xor(mask: u64) -> u64 {
    let mask = mask ^ (mask << 1);
    let mask = mask ^ (mask << 2);
    let mask = mask ^ (mask << 4);
    let mask = mask ^ (mask << 8);
    let mask = mask ^ (mask << 16);
    mask ^ (mask << 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_agree_with_a_byte_loop() {
        let mut block = [0; BLOCK];
        let mut state = 1_u64;
        for _ in 0..500 {
            for byte in &mut block {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                *byte =
                    [b',', b'-', b'\n', 0xac, 0, 0x80][usize::try_from(state >> 33).unwrap() % 6];
            }
            for byte in [b',', b'\n', 0, 0x80, 0xac, b'x'] {
                let want =
                    (0..BLOCK).fold(0, |mask, at| mask | (u64::from(block[at] == byte) << at));
                assert_eq!(equal(&block, byte), want);
            }
        }
    }

    #[test]
    fn prefix_xor_fills_between_pairs() {
        assert_eq!(prefix_xor(0b0100_0100), 0b0011_1100);
        assert_eq!(prefix_xor(1), u64::MAX);
    }
}
