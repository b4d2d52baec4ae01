//! Where fields and records of CSV end, in any bytes and whatever is wrong with them: a state a byte, taken 64 bytes at
//! a time where the bytes are well formed.

use super::super::Reason;
use super::super::scan::{BLOCK, equal, prefix_xor};

/// Where a scan stands between two bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::decode) enum State {
    /// At the start of a field.
    #[default]
    FieldStart,
    /// Inside an unquoted field, or behind a closed one.
    Unquoted,
    /// Inside quotes.
    Quoted,
    /// Right after a quote inside quotes: it closed them, unless another follows.
    Closed,
    /// Right after a carriage return outside quotes.
    Returned,
}

/// What one step of a scan met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Met {
    /// Nothing that ends a field.
    Inside,
    /// A delimiter or line end, as it should be.
    End,
    /// What makes the record bad; it may be the end of a field too, as the state says.
    Wrong(Wrong),
}

/// What makes a record bad, whatever its columns are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    QuoteInField,
    TextAfterQuote,
    LoneCarriageReturn,
}

impl State {
    /// The state after `byte`. A field has ended where it is `FieldStart`.
    fn step(self, byte: u8, delimiter: u8) -> (Self, Met) {
        if self == State::Quoted {
            let next = if byte == b'"' { State::Closed } else { self };
            return (next, Met::Inside);
        }
        let wrong = match self {
            State::Returned if byte != b'\n' => Some(Wrong::LoneCarriageReturn),
            State::Closed if ![delimiter, b'\n', b'\r', b'"'].contains(&byte) => {
                Some(Wrong::TextAfterQuote)
            }
            State::Unquoted if byte == b'"' => Some(Wrong::QuoteInField),
            State::FieldStart
            | State::Unquoted
            | State::Quoted
            | State::Closed
            | State::Returned => None,
        };
        let next = match byte {
            b'"' if wrong.is_none() => State::Quoted,
            b'\r' => State::Returned,
            _ if byte == delimiter || byte == b'\n' => State::FieldStart,
            _ => State::Unquoted,
        };
        let met = match wrong {
            Some(wrong) => Met::Wrong(wrong),
            None if next == State::FieldStart => Met::End,
            None => Met::Inside,
        };
        (next, met)
    }
}

/// What a stretch of at most 64 bytes holds: bit `i` is about byte `i`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::decode) struct Marks {
    /// Ends of fields: delimiters and line feeds outside quotes.
    pub(in crate::decode) ends: u64,
    /// Ends of records among them.
    pub(in crate::decode) lines: u64,
    /// Bytes that make their record bad.
    pub(super) wrong: u64,
}

/// Scans bytes in order, 64 at a time.
#[derive(Clone, Copy, Debug)]
pub(in crate::decode) struct Machine {
    pub(in crate::decode) delimiter: u8,
    pub(in crate::decode) state: State,
}

impl Machine {
    /// At the start of a record.
    pub(in crate::decode) fn new(delimiter: u8) -> Self {
        Self {
            delimiter,
            state: State::FieldStart,
        }
    }

    /// Scans a block that has neither quote nor carriage return, outside quotes.
    #[inline(always)]
    pub(super) fn plain(self, block: &[u8; BLOCK]) -> Marks {
        let lines = equal(block, b'\n');
        Marks {
            ends: equal(block, self.delimiter) | lines,
            lines,
            wrong: 0,
        }
    }

    /// Scans any block. Quotes are taken in pairs, which is right as long as each stands where a field starts or
    /// ends; where one does not, the block is scanned again byte by byte.
    #[inline(always)]
    pub(in crate::decode) fn block(&mut self, block: &[u8; BLOCK]) -> Marks {
        let after = |state| u64::from(self.state == state);
        let quotes = equal(block, b'"');
        let inside = prefix_xor(quotes) ^ if self.state == State::Quoted { !0 } else { 0 };
        let lines = equal(block, b'\n') & !inside;
        let ends = (equal(block, self.delimiter) & !inside) | lines;
        let returns = equal(block, b'\r') & !inside;
        let opening = quotes & inside;
        let closing = quotes & !inside;
        let after_closing = closing << 1 | after(State::Closed);
        let at_start = ends << 1 | after(State::FieldStart) | after_closing;
        if opening & !at_start != 0 || after_closing & !(ends | returns | quotes) != 0 {
            return self.bytes(block);
        }
        let wrong = (returns << 1 | after(State::Returned)) & !lines;
        let at_end = |mask: u64| mask >> (BLOCK - 1) != 0;
        self.state = if at_end(inside) {
            State::Quoted
        } else if at_end(closing) {
            State::Closed
        } else if at_end(ends) {
            State::FieldStart
        } else if at_end(returns) {
            State::Returned
        } else {
            State::Unquoted
        };
        Marks { ends, lines, wrong }
    }

    /// Scans at most 64 bytes one by one.
    pub(in crate::decode) fn bytes(&mut self, bytes: &[u8]) -> Marks {
        let mut marks = Marks::default();
        for (at, &byte) in bytes.iter().take(BLOCK).enumerate() {
            let (state, met) = self.state.step(byte, self.delimiter);
            self.state = state;
            let bit = 1 << at;
            if matches!(met, Met::Wrong(_)) {
                marks.wrong |= bit;
            }
            if state == State::FieldStart {
                marks.ends |= bit;
                if byte == b'\n' {
                    marks.lines |= bit;
                }
            }
        }
        marks
    }

    /// Scans `bytes` and returns where the last record in them ends, if one does.
    pub(in crate::decode) fn last_line(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut last = None;
        let mut note = |at: usize, lines: u64| {
            if let Some(bit) = lines.checked_ilog2() {
                last = Some(at + bit as usize + 1);
            }
        };
        let (blocks, tail) = bytes.as_chunks::<BLOCK>();
        for (index, block) in blocks.iter().enumerate() {
            note(index * BLOCK, self.block(block).lines);
        }
        note(blocks.len() * BLOCK, self.bytes(tail).lines);
        last
    }
}

/// Where the first record of `bytes` ends, right after its line feed; `None` where it does not end.
pub(in crate::decode) fn first_line(bytes: &[u8], delimiter: u8) -> Option<usize> {
    let mut state = State::FieldStart;
    bytes
        .iter()
        .position(|&byte| {
            (state, _) = state.step(byte, delimiter);
            byte == b'\n' && state == State::FieldStart
        })
        .map(|at| at + 1)
}

/// `record` without its line end.
pub(in crate::decode) fn trimmed(record: &[u8]) -> &[u8] {
    let record = record.strip_suffix(b"\n").unwrap_or(record);
    record.strip_suffix(b"\r").unwrap_or(record)
}

/// The fields of `record`, which ends with its line end, unquoted; or what makes it bad.
pub(in crate::decode) fn split(record: &[u8], delimiter: u8) -> Result<Vec<Vec<u8>>, Reason> {
    let mut fields = Vec::new();
    let mut scratch = Vec::new();
    let mut start = 0;
    let mut state = State::FieldStart;
    for (at, &byte) in record.iter().enumerate() {
        let met;
        (state, met) = state.step(byte, delimiter);
        if let Met::Wrong(wrong) = met {
            return Err(wrong.into());
        }
        if state == State::FieldStart {
            let field = record.get(start..at).unwrap_or_default();
            let field = if byte == b'\n' { trimmed(field) } else { field };
            fields.push(unquoted(field, &mut scratch).to_vec());
            start = at + 1;
        }
    }
    Ok(fields)
}

/// How many fields `record` has, whatever is wrong with it.
pub(in crate::decode) fn count(record: &[u8], delimiter: u8) -> u32 {
    let mut machine = Machine::new(delimiter);
    record
        .chunks(BLOCK)
        .map(|bytes| machine.bytes(bytes).ends.count_ones())
        .sum()
}

/// The text of a well-formed field: without its quotes, doubled quotes single (in `scratch`, where there are any).
#[inline]
pub(super) fn unquoted<'a>(field: &'a [u8], scratch: &'a mut Vec<u8>) -> &'a [u8] {
    let Some(inner) = field
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""))
    else {
        return field;
    };
    let Some(mut at) = memchr::memchr(b'"', inner) else {
        return inner;
    };
    scratch.clear();
    let mut rest = inner;
    loop {
        // The quote at `at` is kept, its double behind it dropped.
        scratch.extend_from_slice(rest.get(..=at).unwrap_or_default());
        rest = rest.get(at + 2..).unwrap_or_default();
        match memchr::memchr(b'"', rest) {
            Some(next) => at = next,
            None => break,
        }
    }
    scratch.extend_from_slice(rest);
    scratch
}

impl From<Wrong> for Reason {
    fn from(wrong: Wrong) -> Self {
        match wrong {
            Wrong::QuoteInField => Reason::QuoteInField,
            Wrong::TextAfterQuote => Reason::TextAfterQuote,
            Wrong::LoneCarriageReturn => Reason::LoneCarriageReturn,
        }
    }
}
