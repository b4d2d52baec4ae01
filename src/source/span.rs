//! Which stretch of the ordered inputs a run reads: all of them, or a shard's part (SPEC 7, "Shards"). Pure: a shard's part
//! follows from the listing alone, so that all shards agree on it without a word between them.

use std::ops::Range;

/// A place in the ordered inputs, between two records: `offset` bytes into the input of that number.
///
/// Invariant: an offset is below the input's size; the end of one input is the start of the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// From 0.
    pub input: usize,
    /// In bytes; of a range, in numbers.
    pub offset: u64,
}

/// From one place up to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Where it begins.
    pub from: Place,
    /// Where it ends. Invariant: not before `from`.
    pub to: Place,
}

impl Place {
    /// Before the first byte of an input.
    #[must_use]
    pub fn start(input: usize) -> Self {
        Self { input, offset: 0 }
    }
}

impl Span {
    /// All of `count` inputs.
    #[must_use]
    pub fn whole(count: usize) -> Self {
        Self {
            from: Place::default(),
            to: Place::start(count),
        }
    }

    /// The part of shard `index` of `count`, as far as the listing says: parts follow each other without a gap, and have
    /// about the same size. `sizes` gives the sizes of the inputs in their order, `may_cut` says of which size one may be
    /// cut; an input that may not be cut belongs to the shard that has the middle of it.
    #[must_use]
    pub fn of_shard<I: Iterator<Item = u64>>(
        sizes: impl Fn() -> I,
        may_cut: impl Fn(u64) -> bool,
        index: u32,
        count: u32,
    ) -> Self {
        let total = sizes().map(weight).sum();
        let bound = |number: u32| {
            // At most 2^20 inputs of 2^64 bytes times 2^32 shards.
            let at = share(total, number, count);
            bound(sizes(), &may_cut, at)
        };
        Self {
            from: bound(index),
            to: bound(index.saturating_add(1)),
        }
    }

    /// The numbers of the inputs of which it has anything; an input without a byte counts as one that has.
    #[must_use]
    pub fn inputs(&self) -> Range<usize> {
        let Self { from, to } = *self;
        let end = match from == to {
            true => from.input,
            false => to.input + usize::from(to.offset > 0),
        };
        from.input..end
    }

    /// What it has of the input of that number, which has `bytes`.
    #[must_use]
    pub fn part(&self, number: usize, bytes: u64) -> Range<u64> {
        let start = match number == self.from.input {
            true => self.from.offset,
            false => 0,
        };
        let end = match number == self.to.input {
            true => self.to.offset,
            false => bytes,
        };
        start..end
    }
}

/// Inputs without a byte have some weight too, so that many of them are shared out.
fn weight(bytes: u64) -> u128 {
    u128::from(bytes) + 1
}

/// `total` · `number` / `count`, rounded down.
fn share(total: u128, number: u32, count: u32) -> u128 {
    let count = u128::from(count).max(1);
    let (whole, rest) = (total / count, total % count);
    whole * u128::from(number) + rest * u128::from(number) / count
}

/// The place nearest to `at` of all weights, where inputs may be told apart.
fn bound(sizes: impl Iterator<Item = u64>, may_cut: impl Fn(u64) -> bool, at: u128) -> Place {
    let (mut before, mut inputs) = (0_u128, 0);
    for (number, bytes) in sizes.enumerate() {
        inputs = number + 1;
        let weight = weight(bytes);
        let within = at - before;
        if within >= weight {
            before += weight;
            continue;
        }
        return match u64::try_from(within) {
            Ok(offset) if may_cut(bytes) && offset < bytes => Place {
                input: number,
                offset,
            },
            _ => Place::start(number + usize::from(2 * within > weight)),
        };
    }
    Place::start(inputs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(sizes: &[u64], may_cut: impl Fn(u64) -> bool + Copy, count: u32) -> Vec<Span> {
        let sizes = || sizes.iter().copied();
        let shards = 0..count;
        shards
            .map(|index| Span::of_shard(sizes, may_cut, index, count))
            .collect()
    }

    #[test]
    fn shards_follow_each_other_and_have_about_the_same_size() {
        let at = |input, offset| Place { input, offset };
        for (name, sizes, cut_from, count, want) in [
            ("one shard", &[5, 5][..], 0, 1, vec![]),
            (
                "as many as inputs",
                &[5, 5, 5],
                u64::MAX,
                3,
                vec![at(1, 0), at(2, 0)],
            ),
            (
                "a big one and small ones",
                &[90, 5, 5],
                u64::MAX,
                2,
                vec![at(1, 0)],
            ),
            (
                "small ones and a big one",
                &[5, 5, 90],
                u64::MAX,
                2,
                vec![at(2, 0)],
            ),
            (
                "more shards than inputs",
                &[10],
                u64::MAX,
                3,
                vec![at(0, 0), at(1, 0)],
            ),
            ("no input", &[], u64::MAX, 2, vec![at(0, 0)]),
            ("empty inputs", &[0, 0, 0, 0], u64::MAX, 2, vec![at(2, 0)]),
            ("cut", &[100], 50, 4, vec![at(0, 25), at(0, 50), at(0, 75)]),
            (
                "only the big one is cut",
                &[10, 100],
                50,
                4,
                vec![at(1, 17), at(1, 45), at(1, 73)],
            ),
            ("longest", &[u64::MAX, u64::MAX], 0, 2, vec![at(1, 0)]),
        ] {
            let parts = parts(sizes, |bytes| bytes >= cut_from, count);
            let ends: Vec<_> = parts.iter().map(|part| part.to).collect();
            assert_eq!(ends[..ends.len() - 1], want, "{name}");
            assert_eq!(parts[0].from, at(0, 0), "{name}");
            assert_eq!(ends[ends.len() - 1], at(sizes.len(), 0), "{name}");
            for pair in parts.windows(2) {
                assert_eq!(pair[0].to, pair[1].from, "{name}");
                assert!(pair[0].from <= pair[0].to, "{name}");
            }
        }
    }

    #[test]
    fn no_shard_has_more_than_its_share_and_an_input() {
        for count in [1, 2, 3, 7, 16, 100] {
            for inputs in [1, 2, 15, 400] {
                let sizes: Vec<u64> = (0..inputs).map(|n| n * 7919 % 1013).collect();
                let total: u64 = sizes.iter().sum();
                let mut read = 0;
                for part in parts(&sizes, |_| false, count) {
                    let bytes: u64 = sizes[part.inputs()].iter().sum();
                    let inputs = u64::try_from(sizes.len()).unwrap();
                    assert!(bytes <= (total + inputs) / u64::from(count) + 1014);
                    read += bytes;
                }
                assert_eq!(read, total, "{count} shards of {inputs}");
            }
        }
    }

    #[test]
    fn what_a_span_has_of_each_input() {
        let at = |input, offset| Place { input, offset };
        for (name, from, to, inputs, parts) in [
            ("whole", at(0, 0), at(2, 0), 0..2, vec![(0, 10), (0, 10)]),
            ("nothing", at(1, 3), at(1, 3), 1..1, vec![]),
            ("within one", at(1, 3), at(1, 7), 1..2, vec![(3, 7)]),
            (
                "cut ends",
                at(0, 3),
                at(2, 7),
                0..3,
                vec![(3, 10), (0, 10), (0, 7)],
            ),
            ("to an end", at(0, 3), at(1, 0), 0..1, vec![(3, 10)]),
        ] {
            let span = Span { from, to };
            assert_eq!(span.inputs(), inputs, "{name}");
            let part = |number| {
                let Range { start, end } = span.part(number, 10);
                (start, end)
            };
            let found: Vec<_> = inputs.map(part).collect();
            assert_eq!(found, parts, "{name}");
        }
    }
}
