//! Messages of feeds to records (SPEC 6), in their order and a block at a time.

use std::sync::Arc;

use super::sheet::{Decoders, Sheet, Stretch};
use super::{Cursor, Met, Reject, kept};
use crate::message::Block;
use crate::value::column::{Column, Path};
use crate::value::vector::Batch;

/// Decodes messages.
#[derive(Debug)]
pub struct Messages {
    decoders: Decoders,
    sheet: Sheet,
    /// What `@object` says, which no message has.
    object: Arc<str>,
    /// Bytes of all messages so far: what positions count.
    position: u64,
    batch: Batch,
    messages: Vec<u32>,
    rejects: Vec<Reject>,
    bad: Vec<Bad>,
}

/// Records of some messages, in their order.
#[derive(Clone, Copy, Debug)]
pub struct Decoded<'a> {
    /// The good ones. Positions rise over all messages of a run.
    pub batch: &'a Batch,
    /// The message of each, by its place in the block.
    pub messages: &'a [u32],
    /// The bad ones.
    pub bad: &'a [Bad],
    sheet: &'a Sheet,
    decoders: &'a Decoders,
}

/// A bad record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// How many good records of the batch come before it.
    pub before: usize,
    /// Its message, by its place in the block.
    pub message: u32,
    /// Where in its message it begins: 0 but for one of several (RECORDS).
    pub offset_bytes: u64,
    /// The column that it is about, as the plan numbers them.
    pub column: Option<usize>,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
    /// Its first bytes.
    pub raw: Vec<u8>,
    /// How many it has.
    pub total_bytes: u64,
}

impl Messages {
    /// Of `columns`, which are numbered as the plan does; `records` as for NDJSON.
    #[must_use]
    pub fn new(columns: &[Column], records: Option<&Path>) -> Self {
        Self {
            decoders: Decoders::new(columns, records),
            sheet: Sheet::default(),
            object: Arc::default(),
            position: 0,
            batch: Batch::default(),
            messages: Vec::new(),
            rejects: Vec::new(),
            bad: Vec::new(),
        }
    }

    /// Shows the records of `block` to `take`, at most `max_rows` of them at a time.
    ///
    /// # Errors
    /// Those of `take`.
    pub fn each<E>(
        &mut self,
        block: &Block,
        max_rows: usize,
        mut take: impl FnMut(Decoded<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.lay_out(block);
        for stretch in self.sheet.stretches() {
            let mut cursor = Cursor::default();
            while !stretch.is_done(&cursor) {
                self.rejects.clear();
                self.decoders.decode(
                    stretch,
                    &mut cursor,
                    max_rows,
                    &mut self.batch,
                    &mut self.messages,
                    &mut self.rejects,
                );
                let offsets = &self.batch.offsets;
                let bad = self
                    .rejects
                    .iter()
                    .map(|reject| bad(reject, stretch, &self.sheet, offsets));
                self.bad.clear();
                self.bad.extend(bad);
                take(Decoded {
                    batch: &self.batch,
                    messages: &self.messages,
                    bad: &self.bad,
                    sheet: &self.sheet,
                    decoders: &self.decoders,
                })?;
            }
        }
        Ok(())
    }

    /// What was met of each column so far. What is known of every message counts as had.
    pub fn met(&self) -> impl Iterator<Item = Met> {
        self.decoders.met()
    }

    fn lay_out(&mut self, block: &Block) {
        self.sheet.clear();
        for (number, (head, message)) in (0_u32..).zip(block.iter()) {
            let Self {
                sheet,
                object,
                position,
                ..
            } = self;
            sheet.push(head, number, *position, message, object);
            // One more, so that an empty message has a position of its own.
            let bytes = u64::try_from(message.len()).unwrap_or(u64::MAX);
            *position = position.saturating_add(bytes).saturating_add(1);
        }
    }
}

impl<'a> Decoded<'a> {
    /// The bytes of a good record, and where in its message they begin.
    #[must_use]
    pub fn record(&self, row: usize) -> (&'a [u8], u64) {
        let position = self.batch.position(row).offset;
        let Some((stretch, placed)) = self.sheet.holding(position) else {
            return (&[], 0);
        };
        let raw = self.decoders.record_at(stretch, &placed, position);
        (raw, position.saturating_sub(placed.position))
    }
}

fn bad(reject: &Reject, stretch: &Stretch, sheet: &Sheet, offsets: &[u64]) -> Bad {
    let placed = sheet.holding(reject.offset).map(|(_, placed)| placed);
    let start = placed.map_or(reject.offset, |placed| placed.position);
    Bad {
        before: offsets.partition_point(|&offset| offset < reject.offset),
        message: placed.map_or(0, |placed| placed.number),
        offset_bytes: reject.offset.saturating_sub(start),
        column: reject.column,
        expected: reject.reason.expected(),
        found: reject.reason.found(),
        raw: kept(stretch.raw(reject)),
        total_bytes: reject.total_bytes,
    }
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Head;
    use crate::query::columns::{Family, parse_columns};
    use crate::value::column::Source;

    fn block(messages: &[&[u8]]) -> Block {
        let mut block = Block::default();
        for (n, message) in (1..).zip(messages) {
            let head = Head {
                n,
                received_at_us: 1_000 + n as i64,
                feed: 3,
                connection: 0,
            };
            block.push(head, message);
        }
        block
    }

    /// `message:values` of each record, `message!found` of a bad one, in order.
    fn read(messages: &[&[u8]], max_rows: usize, records: Option<&str>) -> Vec<String> {
        let mut columns = parse_columns("a VARCHAR, b BIGINT", Family::Json).unwrap();
        let mut more = columns.clone();
        more[1].source = Source::ReceivedAt;
        columns.push(Column {
            name: "at".to_owned(),
            ..more[1].clone()
        });
        let records = records.map(|text| crate::query::columns::parse_path(text).unwrap());
        let mut decoder = Messages::new(&columns, records.as_ref());
        let mut lines = Vec::new();
        let mut position = None;
        let taken: Result<(), ()> = decoder.each(&block(messages), max_rows, |decoded| {
            let mut bad = decoded.bad.iter().peekable();
            for row in 0..=decoded.batch.rows {
                while let Some(one) = bad.next_if(|one| one.before == row) {
                    lines.push(format!("{}!{}", one.message, one.found));
                }
                if row < decoded.batch.rows {
                    assert!(position < Some(decoded.batch.position(row)));
                    position = Some(decoded.batch.position(row));
                    let values = decoded.batch.columns.iter();
                    let values: Vec<_> = values.map(|column| column.value(row)).collect();
                    lines.push(format!("{}:{values:?}", decoded.messages[row]));
                }
            }
            Ok(())
        });
        taken.unwrap();
        lines
    }

    #[test]
    fn f091_f093_each_message_is_a_record_or_a_bad_one() {
        let messages: [&[u8]; 9] = [
            br#"{"a":"x","b":1}"#,
            b"",
            b"{\n\"a\": \"two\nlines\"}",
            b"{\r\n \"b\": 7 }\r\n",
            b"[1]",
            b"{\"a\":\"\xff\"}",
            br#"{"b":"no number"}"#,
            b"  ",
            br#"{"result":null}"#,
        ];
        for max_rows in [1, 2, 100] {
            let found = read(&messages, max_rows, None);
            let kinds: Vec<&str> = found.iter().map(|line| &line[..2]).collect();
            let want = ["0:", "1!", "2!", "3:", "4!", "5!", "6!", "7!", "8:"];
            assert_eq!(kinds, want, "{found:?}");
            assert_eq!(found[0], r#"0:[Text("x"), Int(1), Int(1001)]"#);
            assert_eq!(found[3], r#"3:[Null, Int(7), Int(1004)]"#);
        }
    }

    #[test]
    fn records_unpack_messages_that_carry_several() {
        let messages: [&[u8]; 4] = [
            br#"{"data":[{"a":"x"},{"b":2},7]}"#,
            br#"{"channel":"heartbeat"}"#,
            b"{\"data\":[\n{\"a\":\"y\"}]}",
            br#"{"data":[]}"#,
        ];
        for max_rows in [1, 2, 100] {
            let found = read(&messages, max_rows, Some("data[*]"));
            let kinds: Vec<&str> = found.iter().map(|line| &line[..2]).collect();
            assert_eq!(kinds, ["0:", "0:", "0!", "2:"], "{found:?}");
        }
    }
}
