//! Messages of feeds, numbered by the sequencing point (SPEC 6): what capture and rollup both take, in one order.
//!
//! A [`Block`] is a run of messages, as the point hands it on: their bytes one after the other, so that records are
//! decoded many at a time. Nothing here knows where messages come from, a feed or a capture.

/// What is known of a message besides its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its number in the run, from 1, without a hole.
    pub n: u64,
    /// When it was received: microseconds since 1970, by the wall clock.
    pub received_at_us: i64,
    /// Which feed it came from: its place in INPUT, from 0.
    pub feed: u32,
    /// Which connection it came over, numbered over the run, from 0.
    pub connection: u32,
}

/// Messages in their order.
///
/// Invariant: as many ends as heads, rising, the last one the length of the bytes; `n` rises by one.
#[derive(Clone, Debug, Default)]
pub struct Block {
    heads: Vec<Head>,
    /// Where each message ends in `bytes`.
    ends: Vec<usize>,
    bytes: Vec<u8>,
}

/// What a message takes besides its own bytes: its head and end, in vectors that may be half empty, and both once more where a
/// block is decoded.
const MESSAGE_BYTES: usize =
    2 * (size_of::<Head>() + size_of::<usize>()) + size_of::<(Head, &[u8])>();

impl Block {
    /// Appends a message.
    pub fn push(&mut self, head: Head, message: &[u8]) {
        self.heads.push(head);
        self.bytes.extend_from_slice(message);
        self.ends.push(self.bytes.len());
    }

    /// Empties it; its room stays.
    pub fn clear(&mut self) {
        self.heads.clear();
        self.ends.clear();
        self.bytes.clear();
    }

    /// Number of messages.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heads.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// Bytes that they take, with those that stand beside each message while a block is worked on: of tiny ones these are most.
    #[must_use]
    pub fn held(&self) -> usize {
        self.bytes.len() + self.len() * MESSAGE_BYTES
    }

    /// The messages, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Head, &[u8])> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let places = starts.zip(&self.ends);
        self.heads
            .iter()
            .copied()
            .zip(places)
            .map(|(head, (start, &end))| (head, self.bytes.get(start..end).unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_as_they_went_in() {
        let mut block = Block::default();
        let texts: [&[u8]; 4] = [b"{}", b"", b"\xff", b"[1]\n"];
        for (n, text) in (1..).zip(texts) {
            let head = Head {
                n,
                received_at_us: 5,
                feed: 0,
                connection: 2,
            };
            block.push(head, text);
        }
        let found: Vec<(u64, &[u8])> = block.iter().map(|(head, text)| (head.n, text)).collect();
        let want: Vec<(u64, &[u8])> = (1..).zip(texts).collect();
        assert_eq!(found, want);
        assert_eq!((block.len(), block.held()), (4, 7 + 4 * MESSAGE_BYTES));
        block.clear();
        assert!(block.is_empty() && block.iter().next().is_none());
    }
}
