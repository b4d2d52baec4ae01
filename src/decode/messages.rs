//! Messages of feeds to rows: as NDJSON, many at a time, since almost every message is one line of JSON; what is not, such
//! as a document over several lines, alone (SPEC 4 and 6). Nothing that a message holds is a fault of more than that
//! message.

use std::sync::Arc;

use super::{Chunk, Cursor, Decoder, Format, Reason, Reject, Seen};
use crate::message::{Block, Head};
use crate::value::column::{Column, Path, Source};
use crate::value::vector::{Batch, Data, Vector};

/// Decodes messages.
#[derive(Debug)]
pub struct Messages {
    lines: Decoder,
    document: Decoder,
    /// Columns that a message does not hold itself, by their place in the plan.
    envelope: Vec<(usize, Source)>,
    /// Bytes of all messages so far: what positions count.
    offset: u64,
    decoded: Decoded,
    rejects: Vec<Reject>,
}

/// Records of some messages, in their order.
#[derive(Debug, Default)]
pub struct Decoded {
    /// The good ones. Positions rise over all messages of a run.
    pub batch: Batch,
    /// The message of each, by its place in the block.
    pub messages: Vec<u32>,
    /// The bad ones.
    pub bad: Vec<Bad>,
}

/// A bad record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// How many good records of the batch come before it.
    pub before: usize,
    /// Its message, by its place in the block.
    pub message: u32,
    /// The column that it is about, as the plan numbers them.
    pub column: Option<usize>,
    /// What was expected, and found.
    pub expected: String,
    /// See `expected`.
    pub found: String,
    /// The bytes of the record.
    pub raw: Vec<u8>,
    /// How many they are.
    pub total_bytes: u64,
}

/// A stretch of a block that is decoded together.
struct Stretch {
    chunk: Chunk,
    /// The first message, and where each one starts in the chunk.
    first: u32,
    starts: Vec<usize>,
    is_document: bool,
}

impl Messages {
    /// Of `columns`, which are numbered as the plan does; `records` as for NDJSON.
    #[must_use]
    pub fn new(columns: &[Column], records: Option<&Path>) -> Self {
        let decoder = |format| Decoder::new(&format, columns.to_vec());
        let records = || records.cloned();
        let envelope = columns.iter().enumerate();
        let envelope = envelope
            .filter(|(_, column)| matches!(column.source, Source::ReceivedAt | Source::Feed));
        Self {
            lines: decoder(Format::Ndjson { records: records() }),
            document: decoder(Format::Json { records: records() }),
            envelope: envelope
                .map(|(index, column)| (index, column.source.clone()))
                .collect(),
            offset: 0,
            decoded: Decoded::default(),
            rejects: Vec::new(),
        }
    }

    /// Shows the records of `block` to `take`, at most `max_rows` of them at a time.
    ///
    /// Errors: those of `take`.
    pub fn each<E>(
        &mut self,
        block: &Block,
        max_rows: usize,
        mut take: impl FnMut(&Decoded) -> Result<(), E>,
    ) -> Result<(), E> {
        let heads: Vec<Head> = block.iter().map(|(head, _)| head).collect();
        for stretch in self.stretches(block) {
            let mut cursor = Cursor::default();
            while !cursor.is_at_end(&stretch.chunk) {
                self.decode(&stretch, &mut cursor, max_rows);
                self.fill_envelope(&heads);
                take(&self.decoded)?;
            }
        }
        Ok(())
    }

    /// The block cut where a message cannot stand on a line among others.
    fn stretches(&mut self, block: &Block) -> Vec<Stretch> {
        let mut stretches: Vec<Stretch> = Vec::new();
        for (number, (_, message)) in (0_u32..).zip(block.iter()) {
            let is_document = !is_line(message);
            match stretches.last_mut() {
                Some(last) if !is_document && !last.is_document => last.push(message),
                Some(_) | None => {
                    let mut stretch = Stretch::new(self.offset, number, is_document);
                    stretch.push(message);
                    stretches.push(stretch);
                }
            }
            // One more, so that an empty message has a position of its own.
            let bytes = u64::try_from(message.len()).unwrap_or(u64::MAX);
            self.offset = self.offset.saturating_add(bytes).saturating_add(1);
        }
        stretches
    }

    fn decode(&mut self, stretch: &Stretch, cursor: &mut Cursor, max_rows: usize) {
        self.rejects.clear();
        let Decoded {
            batch,
            messages,
            bad,
        } = &mut self.decoded;
        messages.clear();
        bad.clear();
        let chunk = &stretch.chunk;
        let decoder = match stretch.is_document {
            false => &mut self.lines,
            true => &mut self.document,
        };
        let faulty = decoder.decode(chunk, cursor, max_rows, batch, &mut self.rejects);
        let reason = match faulty {
            Err(fault) => Some(fault.reason),
            // To the decoder of objects, blanks hold no record.
            Ok(()) if chunk.bytes.trim_ascii().is_empty() => Some(Reason::Syntax {
                expected: "a JSON object",
                found: "nothing".to_owned(),
                at_bytes: 0,
            }),
            Ok(()) => None,
        };
        if let Some(reason) = reason {
            // A document that cannot be read is one bad message.
            cursor.offset_bytes = chunk.bytes.len();
            *batch = batch.gather(&[]);
            self.rejects.clear();
            self.rejects.push(Reject {
                record: 0,
                offset: chunk.offset,
                raw: 0..chunk.bytes.len(),
                total_bytes: u64::try_from(chunk.bytes.len()).unwrap_or(u64::MAX),
                column: None,
                reason,
            });
        }
        let message = |offset: u64| stretch.message_at(offset);
        messages.extend(batch.offsets.iter().map(|&offset| message(offset)));
        bad.extend(self.rejects.iter().map(|reject| {
            Bad {
                before: batch
                    .offsets
                    .partition_point(|&offset| offset < reject.offset),
                message: message(reject.offset),
                column: reject.column,
                expected: reject.reason.expected(),
                found: reject.reason.found(),
                raw: chunk
                    .bytes
                    .get(reject.raw.clone())
                    .unwrap_or_default()
                    .to_vec(),
                total_bytes: reject.total_bytes,
            }
        }));
    }

    /// What the messages do not hold themselves.
    fn fill_envelope(&mut self, heads: &[Head]) {
        for (index, source) in &self.envelope {
            let of = |message: &u32| {
                let head = heads.get(*message as usize);
                head.map_or(0, |head| match source {
                    Source::ReceivedAt => head.received_at_us,
                    Source::Header(_)
                    | Source::Position(_)
                    | Source::Path(_)
                    | Source::Object
                    | Source::Feed
                    | Source::Number => head.feed.into(),
                })
            };
            let values = Data::Int(self.decoded.messages.iter().map(of).collect());
            if let Some(column) = self.decoded.batch.columns.get_mut(*index) {
                *column = Vector::from_data(values);
            }
        }
    }
}

impl Stretch {
    fn new(offset: u64, first: u32, is_document: bool) -> Self {
        let chunk = Chunk {
            input: 0,
            offset,
            bytes: Vec::new(),
            object: Arc::default(),
            layout: Arc::default(),
            seen: Seen::default(),
            oversize: None,
        };
        Self {
            chunk,
            first,
            starts: Vec::new(),
            is_document,
        }
    }

    fn push(&mut self, message: &[u8]) {
        self.starts.push(self.chunk.bytes.len());
        self.chunk.bytes.extend_from_slice(message);
        // A document may be empty, and a chunk may not.
        if !self.is_document || message.is_empty() {
            self.chunk.bytes.push(b'\n');
        }
    }

    /// The message, by its place in the block, that holds a position.
    fn message_at(&self, offset: u64) -> u32 {
        let at = offset.saturating_sub(self.chunk.offset);
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let place = self.starts.partition_point(|&start| start <= at);
        let place = u32::try_from(place.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first.saturating_add(place)
    }
}

/// Whether a message is one line among others as NDJSON has it: a blank line would be no record.
fn is_line(message: &[u8]) -> bool {
    memchr::memchr2(b'\n', b'\r', message).is_none()
        && message.iter().any(|byte| !matches!(byte, b' ' | b'\t'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::columns::{Family, parse_columns};

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
