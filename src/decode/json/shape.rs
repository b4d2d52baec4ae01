//! Records that look alike. Most objects are written by one program, whose records differ only in their values: what
//! stands between the values of one record (brackets, keys, colons, commas, blanks) stands in the next one too. A
//! record that agrees there is well formed if its values are, and they stand where the same columns read them; one
//! comparison a value replaces the parser. A record that does not agree goes through the parser as ever.

use std::ops::Range;

use super::paths::{Kind, Token};
use super::scan;

/// Shapes that are known at a time.
const SHAPES: usize = 4;
/// Values of the longest record that is learned.
const VALUES: usize = 256;
/// Learning costs about as much as this many records gain.
const LESSON: u32 = 16;
/// Credit that an object begins with.
const FIRST_CREDIT: u32 = 8 * LESSON;
/// Most credit for lessons: a file that changes its ways is followed, one without any is not.
const MOST_CREDIT: u32 = 64 * LESSON;

/// The values of a record that is parsed, in their order, to learn its shape from.
#[derive(Debug, Default)]
pub(super) struct Marks {
    list: Vec<(Token, Option<usize>)>,
    is_on: bool,
}

impl Marks {
    fn begin(&mut self, is_on: bool) {
        self.list.clear();
        self.is_on = is_on;
    }

    /// The record has no shape that the next one could have.
    pub(super) fn give_up(&mut self) {
        self.is_on = false;
    }

    #[inline]
    pub(super) fn push(&mut self, token: Token, slot: Option<usize>) {
        if self.is_on {
            self.list.push((token, slot));
            self.is_on = self.list.len() <= VALUES;
        }
    }
}

/// The shapes of records before.
#[derive(Debug)]
pub(super) struct Shapes {
    /// The one that fitted last comes first.
    known: Vec<Shape>,
    credit: u32,
}

#[derive(Debug)]
struct Shape {
    values: Vec<Slot>,
    /// Behind the last value, up to the line end and with it.
    end: Literal,
}

/// A value, and what stands before it.
#[derive(Debug)]
struct Slot {
    before: Literal,
    kind: SlotKind,
    /// Which token is this value's; past all tokens where none is.
    token: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SlotKind {
    /// A string without escapes; its quotes are in the literals around it.
    Text,
    Number,
    /// `true` or `false`
    Truth,
    Null,
}

/// Bytes that must be there, compared sixteen at a time.
#[derive(Debug)]
struct Literal {
    /// The first sixteen, zeros behind them.
    first: u128,
    mask: u128,
    bytes: Box<[u8]>,
}

impl Literal {
    fn new(bytes: &[u8]) -> Self {
        let mut first = [0; 16];
        first
            .iter_mut()
            .zip(bytes)
            .for_each(|(to, from)| *to = *from);
        let unused = 16_u32.saturating_sub(u32::try_from(bytes.len()).unwrap_or(16));
        Self {
            first: u128::from_le_bytes(first),
            mask: u128::MAX.checked_shr(8 * unused).unwrap_or(0),
            bytes: bytes.into(),
        }
    }

    /// Where it ends if it stands at `at`.
    #[inline(always)]
    fn pass(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let rest = bytes.get(at..)?;
        let fits = match rest.first_chunk::<16>() {
            Some(lane) if self.bytes.len() <= 16 => {
                u128::from_le_bytes(*lane) & self.mask == self.first
            }
            _ => rest.starts_with(&self.bytes),
        };
        fits.then_some(at + self.bytes.len())
    }
}

impl Shape {
    /// The shape of the record at `place`, whose values are `marks`; `None` where it has none that is worth it.
    fn learn(bytes: &[u8], place: Range<usize>, marks: &Marks) -> Option<Self> {
        let has_line_end = bytes.get(place.clone())?.ends_with(b"\n");
        if !has_line_end {
            return None;
        }
        let mut values = Vec::with_capacity(marks.list.len());
        let mut at = place.start;
        for (token, slot) in &marks.list {
            let kind = match token.kind {
                Kind::Text => SlotKind::Text,
                Kind::Number => SlotKind::Number,
                Kind::Truth => SlotKind::Truth,
                Kind::Null => SlotKind::Null,
                Kind::Absent | Kind::Escaped | Kind::Nested => return None,
            };
            values.push(Slot {
                before: Literal::new(bytes.get(at..token.start as usize)?),
                kind,
                token: slot.unwrap_or(usize::MAX),
            });
            at = token.end as usize;
        }
        Some(Self {
            values,
            end: Literal::new(bytes.get(at..place.end)?),
        })
    }

    /// Where the record at `at` ends, its line end included, if it has this shape; its tokens are noted.
    #[inline]
    fn read(&self, bytes: &[u8], mut at: usize, tokens: &mut [Token]) -> Option<usize> {
        for slot in &self.values {
            let start = slot.before.pass(bytes, at)?;
            let (kind, end) = match slot.kind {
                SlotKind::Text => (Kind::Text, scan::string_stop(bytes, start)),
                SlotKind::Number => match bytes.get(start) {
                    Some(b'0'..=b'9' | b'-') => (Kind::Number, scan::number_stop(bytes, start)),
                    _ => return None,
                },
                SlotKind::Truth => match bytes.get(start..)? {
                    [b't', b'r', b'u', b'e', ..] => (Kind::Truth, start + 4),
                    [b'f', b'a', b'l', b's', b'e', ..] => (Kind::Truth, start + 5),
                    _ => return None,
                },
                SlotKind::Null if bytes.get(start..)?.starts_with(b"null") => {
                    (Kind::Null, start + 4)
                }
                SlotKind::Null => return None,
            };
            if let Some(token) = tokens.get_mut(slot.token) {
                *token = Token::new(kind, start, end);
            }
            at = end;
        }
        self.end.pass(bytes, at)
    }
}

impl Default for Shapes {
    fn default() -> Self {
        Self {
            known: Vec::new(),
            credit: FIRST_CREDIT,
        }
    }
}

impl Shapes {
    /// Another object begins: its records may look alike where those of the last one did not.
    pub(super) fn begin_object(&mut self) {
        self.credit = self.credit.max(FIRST_CREDIT);
    }

    /// Where the record at `at` ends, its line end included, if it has a known shape; its tokens are noted. Where it
    /// has none, they are as they were.
    #[inline]
    pub(super) fn read(&mut self, bytes: &[u8], at: usize, tokens: &mut [Token]) -> Option<usize> {
        for index in 0..self.known.len() {
            if let Some(end) = self.known.get(index)?.read(bytes, at, tokens) {
                if index > 0 {
                    self.known.swap(0, index);
                }
                self.credit = (self.credit + 1).min(MOST_CREDIT);
                return Some(end);
            }
            tokens.fill(Token::default());
        }
        None
    }

    /// A record of no known shape is about to be parsed.
    pub(super) fn begin(&mut self, marks: &mut Marks) {
        self.credit = self.credit.saturating_sub(1);
        if self.credit == 0 {
            self.known.clear();
        }
        marks.begin(self.credit >= LESSON);
    }

    /// Learns the shape of the record at `place`, which is good.
    pub(super) fn learn(&mut self, bytes: &[u8], place: Range<usize>, marks: &Marks) {
        if marks.is_on
            && let Some(shape) = Shape::learn(bytes, place, marks)
        {
            self.credit = self.credit.saturating_sub(LESSON);
            self.known.truncate(SHAPES - 1);
            self.known.insert(0, shape);
        }
    }
}
