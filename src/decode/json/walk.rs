//! The parser: walks one document beside the tree of paths that are read, and notes where their values stand.

use std::ops::Range;

use super::paths::{Kind, NodeId, Token, Tree};
use super::scan;
use super::shape::Marks;
use crate::limits::JSON_DEPTH;

/// Why a document is bad. Positions are in the chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// Something else should stand at `at`.
    Syntax { expected: &'static str, at: usize },
    /// Too many brackets are open at `at`.
    Depth { at: usize },
    /// The key between those positions is read, and is there twice.
    Repeated { key: Range<usize> },
    /// The document is neither of what it may be.
    NoRecord,
}

/// A walk through one document.
pub(super) struct Walk<'a> {
    /// Up to the end of the document.
    bytes: &'a [u8],
    at: usize,
    tree: &'a mut Tree,
    tokens: &'a mut [Token],
    marks: &'a mut Marks,
    /// A key that is read and was there before: said only of a document that is otherwise well formed.
    repeated: Option<Range<usize>>,
}

impl<'a> Walk<'a> {
    /// A walk from `at` on in `bytes`, which end with the document. `tokens` are one a slot of the tree, all absent.
    pub(super) fn new(
        bytes: &'a [u8],
        at: usize,
        tree: &'a mut Tree,
        tokens: &'a mut [Token],
        marks: &'a mut Marks,
    ) -> Self {
        tree.begin();
        Self {
            bytes,
            at,
            tree,
            tokens,
            marks,
            repeated: None,
        }
    }

    /// One document and nothing after it.
    pub(super) fn document(&mut self) -> Result<(), Wrong> {
        let record = self.record();
        if matches!(
            record,
            Ok(_) | Err(Wrong::NoRecord | Wrong::Repeated { .. })
        ) {
            self.pass_blanks();
            if self.at < self.bytes.len() {
                return self.wrong("nothing after the value");
            }
        }
        record.map(|_| ())
    }

    /// One record, whatever follows it; returns where it starts and ends.
    pub(super) fn record(&mut self) -> Result<Range<usize>, Wrong> {
        self.pass_blanks();
        let start = self.at;
        let is_record = match self.peek() {
            Some(b'{') => self.tree.takes_object(),
            Some(b'[') => self.tree.takes_array(),
            _ => false,
        };
        // What is broken is called so, even where it is no record either.
        self.value(Some(Tree::DOCUMENT), 0)?;
        match self.repeated.take() {
            _ if !is_record => Err(Wrong::NoRecord),
            Some(key) => Err(Wrong::Repeated { key }),
            None => Ok(start..self.at),
        }
    }

    /// Where the value at `start` ends, which is known to be well formed.
    pub(super) fn value_end(bytes: &[u8], start: usize) -> usize {
        let (mut tree, mut marks) = (Tree::of_nothing(), Marks::default());
        let mut walk = Walk::new(bytes, start, &mut tree, &mut [], &mut marks);
        match walk.record() {
            Ok(place) => place.end,
            Err(_) => walk.at,
        }
    }

    fn wrong<T>(&self, expected: &'static str) -> Result<T, Wrong> {
        Err(Wrong::Syntax {
            expected,
            at: self.at,
        })
    }

    #[inline(always)]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline(always)]
    fn pass_blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Passes over `byte` if it stands here.
    #[inline(always)]
    fn pass(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Any value, with `depth` brackets open around it. Its token is noted if `node` wants it.
    fn value(&mut self, node: Option<NodeId>, depth: usize) -> Result<(), Wrong> {
        let start = self.at;
        let slot = node.and_then(|node| self.tree.slot(node));
        let token = match self.peek() {
            Some(b'"') => self.string()?,
            Some(bracket @ (b'{' | b'[')) => {
                if depth >= JSON_DEPTH {
                    return Err(Wrong::Depth { at: start });
                }
                self.at += 1;
                if bracket == b'{' {
                    self.object(node, depth + 1)?;
                } else {
                    self.array(node, depth + 1)?;
                }
                if slot.is_some() {
                    self.marks.give_up();
                }
                Token::new(Kind::Nested, start, self.at)
            }
            _ => self.word()?,
        };
        if token.kind != Kind::Nested {
            self.marks.push(token, slot);
        }
        if let Some(place) = slot.and_then(|slot| self.tokens.get_mut(slot)) {
            *place = token;
        }
        Ok(())
    }

    fn object(&mut self, node: Option<NodeId>, depth: usize) -> Result<(), Wrong> {
        let node = node.filter(|&node| self.tree.has_keys(node));
        self.pass_blanks();
        if self.pass(b'}') {
            return Ok(());
        }
        loop {
            if self.peek() != Some(b'"') {
                return self.wrong("a key in quotes");
            }
            let key = self.string()?;
            let child = node.and_then(|node| self.child(node, key));
            self.pass_blanks();
            if !self.pass(b':') {
                return self.wrong("a colon after the key");
            }
            self.pass_blanks();
            self.value(child, depth)?;
            self.pass_blanks();
            if self.pass(b'}') {
                return Ok(());
            }
            if !self.pass(b',') {
                return self.wrong("a comma or a closing brace");
            }
            self.pass_blanks();
        }
    }

    /// What of `node` stands under `key`, if that is read.
    #[inline]
    fn child(&mut self, node: NodeId, key: Token) -> Option<NodeId> {
        let text = key.of(self.bytes);
        let child = if key.kind == Kind::Text {
            self.tree.under_key(node, text)
        } else {
            let mut plain = Vec::new();
            // A key with half a pair of surrogates is no key that a path can name.
            match scan::unescape(text, &mut plain) {
                Ok(()) => self.tree.under_key(node, &plain),
                Err(_) => None,
            }
        };
        match child {
            Some(child) if !self.tree.visit(child) => {
                self.repeated = Some(key.start as usize..key.end as usize);
                None
            }
            child => child,
        }
    }

    fn array(&mut self, node: Option<NodeId>, depth: usize) -> Result<(), Wrong> {
        self.pass_blanks();
        if self.pass(b']') {
            return Ok(());
        }
        for index in 0.. {
            let child = node.and_then(|node| self.tree.at_index(node, index));
            self.value(child, depth)?;
            self.pass_blanks();
            if self.pass(b']') {
                break;
            }
            if !self.pass(b',') {
                return self.wrong("a comma or a closing bracket");
            }
            self.pass_blanks();
        }
        Ok(())
    }

    /// The string whose opening quote stands here.
    #[inline]
    fn string(&mut self) -> Result<Token, Wrong> {
        let start = self.at + 1;
        let mut kind = Kind::Text;
        self.at = scan::string_stop(self.bytes, start);
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Token::new(kind, start, self.at - 1));
                }
                Some(b'\\') => {
                    kind = Kind::Escaped;
                    self.at += 1;
                    let rest = self.bytes.get(self.at..).unwrap_or_default();
                    let Some(length) = scan::escape_length(rest) else {
                        return self.wrong("an escape of JSON after the backslash");
                    };
                    self.at = scan::string_stop(self.bytes, self.at + length);
                }
                Some(_) => return self.wrong("control characters in a string to be escaped"),
                None => return self.wrong("a closing quote"),
            }
        }
    }

    /// The bare word that stands here.
    #[inline]
    fn word(&mut self) -> Result<Token, Wrong> {
        let start = self.at;
        let rest = self.bytes.get(start..).unwrap_or_default();
        let (kind, end) = match rest {
            [b'0'..=b'9' | b'-', ..] => (Kind::Number, scan::number_stop(self.bytes, start)),
            [b't', b'r', b'u', b'e', ..] => (Kind::Truth, start + 4),
            [b'f', b'a', b'l', b's', b'e', ..] => (Kind::Truth, start + 5),
            [b'n', b'u', b'l', b'l', ..] => (Kind::Null, start + 4),
            _ => return self.wrong("a value"),
        };
        self.at = end;
        Ok(Token::new(kind, start, end))
    }
}
