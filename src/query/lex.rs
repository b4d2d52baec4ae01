//! Text to tokens, for queries and for COLUMNS. Knows no keyword: a word is a word until the parser asks for one.
//! Comments and blanks leave nothing behind (SQL.md, Types and literals).

use super::{Problem, Span, same_name};
use crate::error::shown;

/// One token and where it stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind<'a>,
    pub(super) span: Span,
}

/// What a token is. Quoted kinds hold what stands between their quotes, as written: see [`unquoted`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind<'a> {
    /// A keyword or an unquoted name.
    Word(&'a str),
    /// `"a name"`
    Quoted(&'a str),
    /// `'a text'`
    Text(&'a str),
    /// Digits, a point, an exponent; no sign.
    Number(&'a str),
    /// An operator or punctuation.
    Symbol(&'a str),
    /// The end of the text.
    End,
}

/// The tokens of a text, and the one to be read next.
pub(super) struct Tokens<'a> {
    /// Invariant: ends with [`Kind::End`].
    tokens: Vec<Token<'a>>,
    at: usize,
}

impl<'a> Tokens<'a> {
    /// Errors: those of [`tokens`].
    pub(super) fn new(text: &'a str) -> Result<Self, Problem> {
        Ok(Self {
            tokens: tokens(text)?,
            at: 0,
        })
    }

    /// The next token; [`Kind::End`] again and again at the end.
    pub(super) fn token(&self) -> Token<'a> {
        self.ahead(0)
    }

    /// The token so many after the next.
    pub(super) fn ahead(&self, tokens: usize) -> Token<'a> {
        let end = Token {
            kind: Kind::End,
            span: Span::default(),
        };
        let last = self.tokens.last().copied().unwrap_or(end);
        self.tokens.get(self.at + tokens).copied().unwrap_or(last)
    }

    /// Where the next token is in the list, to come back to it.
    pub(super) fn place(&self) -> usize {
        self.at
    }

    /// Goes back to a [`Tokens::place`].
    pub(super) fn return_to(&mut self, place: usize) {
        self.at = place;
    }

    /// Where the first token stands.
    pub(super) fn first(&self) -> Span {
        self.tokens
            .first()
            .map(|token| token.span)
            .unwrap_or_default()
    }

    /// Whether the token before the next is this symbol.
    pub(super) fn after_symbol(&self, symbol: &str) -> bool {
        let before = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        before.is_some_and(|token| token.kind == Kind::Symbol(symbol))
    }

    /// The next token, taken.
    pub(super) fn advance(&mut self) -> Token<'a> {
        let token = self.token();
        self.at += 1;
        token
    }

    /// From the start of `start` to the end of the token before.
    pub(super) fn since(&self, start: Span) -> Span {
        let before = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        start.to(before.map_or(start, |token| token.span))
    }

    pub(super) fn word_ahead(&self, tokens: usize, word: &str) -> bool {
        matches!(self.ahead(tokens).kind, Kind::Word(found) if same_name(found, word))
    }

    pub(super) fn symbol_ahead(&self, tokens: usize, symbol: &str) -> bool {
        self.ahead(tokens).kind == Kind::Symbol(symbol)
    }

    pub(super) fn at_word(&self, word: &str) -> bool {
        self.word_ahead(0, word)
    }

    pub(super) fn at_symbol(&self, symbol: &str) -> bool {
        self.symbol_ahead(0, symbol)
    }

    /// Takes the word where it is next.
    pub(super) fn accept_word(&mut self, word: &str) -> bool {
        let found = self.at_word(word);
        self.at += usize::from(found);
        found
    }

    /// Takes the symbol where it is next.
    pub(super) fn accept_symbol(&mut self, symbol: &str) -> bool {
        let found = self.at_symbol(symbol);
        self.at += usize::from(found);
        found
    }
}

/// Symbols of more than one character, each before its own prefixes. Those that windrow does not take are here to be
/// refused whole.
const LONG_SYMBOLS: [&str; 19] = [
    "->>", "!~~", "::", "==", "<>", "!=", "<=", ">=", "||", "//", "->", "=>", ":=", "**", "<<",
    ">>", "&&", "~~", "$$",
];
const SHORT_SYMBOLS: &str = "()[]{},.;:+-*/%=<>?$@&|^~!#";

/// The tokens of `text`, the last of them [`Kind::End`].
///
/// Errors: a text, name or comment that does not end; a number run into a word; a character of no token.
fn tokens(text: &str) -> Result<Vec<Token<'_>>, Problem> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        let token = lexer.token()?;
        tokens.push(token);
        if token.kind == Kind::End {
            return Ok(tokens);
        }
    }
}

/// `raw` with each doubled `quote` made one.
pub(super) fn unquoted(raw: &str, quote: char) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut after_quote = false;
    for character in raw.chars() {
        after_quote = character == quote && !after_quote;
        if !after_quote {
            text.push(character);
        }
    }
    text
}

/// Whether an unquoted name may hold this character.
fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

struct Lexer<'a> {
    text: &'a str,
    /// Offset of the next character, in bytes.
    at: usize,
}

impl<'a> Lexer<'a> {
    fn token(&mut self) -> Result<Token<'a>, Problem> {
        self.skip_blanks()?;
        let start = self.at;
        let rest = self.rest();
        let kind = match rest.chars().next() {
            None => Kind::End,
            Some('\'') => Kind::Text(self.quoted('\'', "a text")?),
            Some('"') => Kind::Quoted(self.quoted('"', "a name")?),
            Some('0'..='9') => Kind::Number(self.number()?),
            Some('.') if rest[1..].starts_with(|next: char| next.is_ascii_digit()) => {
                Kind::Number(self.number()?)
            }
            Some(first) if is_word(first) => Kind::Word(self.take_while(is_word)),
            Some(first) => Kind::Symbol(self.symbol(first)?),
        };
        Ok(Token {
            kind,
            span: self.span_from(start),
        })
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Offsets fit: the parsers refuse texts past [`crate::limits::QUERY_BYTES`] before they ask for tokens.
    fn span_from(&self, start: usize) -> Span {
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Span {
            start: offset(start),
            end: offset(self.at),
        }
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let taken = self.rest().get(..bytes).unwrap_or_default();
        self.at += taken.len();
        taken
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        self.take(rest.find(|next| !wanted(next)).unwrap_or(rest.len()))
    }

    fn skip_blanks(&mut self) -> Result<(), Problem> {
        loop {
            self.take_while(|next| matches!(next, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c'));
            if self.rest().starts_with("--") {
                self.take_while(|next| next != '\n');
            } else if self.rest().starts_with("/*") {
                self.block_comment()?;
            } else {
                return Ok(());
            }
        }
    }

    /// Block comments nest, as in DuckDB.
    fn block_comment(&mut self) -> Result<(), Problem> {
        let start = self.at;
        let mut depth = 0_usize;
        loop {
            let rest = self.rest();
            if rest.starts_with("/*") {
                depth += 1;
                self.at += 2;
            } else if rest.starts_with("*/") {
                depth -= 1;
                self.at += 2;
            } else if let Some(next) = rest.chars().next() {
                self.at += next.len_utf8();
            } else {
                return Err(self.unclosed(start, 2, "*/", "a comment"));
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    /// What stands between two `quote`s; a doubled one does not end it.
    fn quoted(&mut self, quote: char, what: &str) -> Result<&'a str, Problem> {
        let start = self.at;
        let mut from = start + 1;
        while let Some(found) = self.text.get(from..).and_then(|rest| rest.find(quote)) {
            let end = from + found;
            from = end + 1;
            if self
                .text
                .get(from..)
                .is_some_and(|rest| rest.starts_with(quote))
            {
                from += 1;
                continue;
            }
            self.at = from;
            return Ok(self.text.get(start + 1..end).unwrap_or_default());
        }
        Err(self.unclosed(start, 1, &quote.to_string(), what))
    }

    fn unclosed(&mut self, start: usize, opening: usize, closing: &str, what: &str) -> Problem {
        self.at = start + opening;
        Problem::new(
            self.span_from(start),
            format!("{closing} to end {what}"),
            "the end of the text",
            format!("{what} starts here and does not end"),
        )
    }

    fn number(&mut self) -> Result<&'a str, Problem> {
        let start = self.at;
        let digit = |next: char| next.is_ascii_digit();
        self.take_while(digit);
        if self.rest().starts_with('.') {
            self.take(1);
            self.take_while(digit);
        }
        if let Some(rest) = self.rest().strip_prefix(['e', 'E']) {
            let sign = usize::from(rest.starts_with(['+', '-']));
            if rest[sign..].starts_with(digit) {
                self.take(1 + sign);
                self.take_while(digit);
            }
        }
        if self.rest().starts_with(is_word) {
            self.take_while(is_word);
            let found = self.span_from(start).shown(self.text);
            return Err(Problem::new(
                self.span_from(start),
                "a number",
                found,
                "write digits, a point and an exponent only; a name that starts with a digit needs double quotes",
            ));
        }
        Ok(&self.text[start..self.at])
    }

    fn symbol(&mut self, first: char) -> Result<&'a str, Problem> {
        let rest = self.rest();
        if let Some(long) = LONG_SYMBOLS.iter().find(|long| rest.starts_with(**long)) {
            return Ok(self.take(long.len()));
        }
        if SHORT_SYMBOLS.contains(first) {
            return Ok(self.take(1));
        }
        let start = self.at;
        self.at += first.len_utf8();
        let advice = match first {
            '‘' | '’' | '‚' | '‛' => "this is a typographic quote: texts stand in '…'",
            '“' | '”' | '„' | '‟' => "this is a typographic quote: names stand in \"…\"",
            _ if first.is_whitespace() => "this blank is not an ordinary space: write one",
            _ => "remove it, or put the name that it is part of in double quotes",
        };
        Err(Problem::new(
            self.span_from(start),
            "a name, a number, a text or an operator",
            format!(
                "the character {} (U+{:04X})",
                shown(first.to_string().as_bytes(), 8),
                u32::from(first)
            ),
            advice,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_where_they_stand() {
        use Kind::{End, Number, Quoted, Symbol, Text, Word};
        for (name, text, want) in [
            ("nothing", " \t\r\n", vec![(End, 4, 4)]),
            (
                "words",
                "SELECT ä_1",
                vec![(Word("SELECT"), 0, 6), (Word("ä_1"), 7, 11), (End, 11, 11)],
            ),
            (
                "comments",
                "a--b\n/* c /* d */ ' */b",
                vec![(Word("a"), 0, 1), (Word("b"), 22, 23), (End, 23, 23)],
            ),
            (
                "texts",
                "'it''s' ''",
                vec![(Text("it''s"), 0, 7), (Text(""), 8, 10), (End, 10, 10)],
            ),
            (
                "names",
                "\"a\"\"b\"",
                vec![(Quoted("a\"\"b"), 0, 6), (End, 6, 6)],
            ),
            (
                "numbers",
                "1 1.5 .5 5. 1e5 1.5E-3",
                vec![
                    (Number("1"), 0, 1),
                    (Number("1.5"), 2, 5),
                    (Number(".5"), 6, 8),
                    (Number("5."), 9, 11),
                    (Number("1e5"), 12, 15),
                    (Number("1.5E-3"), 16, 22),
                    (End, 22, 22),
                ],
            ),
            (
                "symbols",
                "a<=b::c//-",
                vec![
                    (Word("a"), 0, 1),
                    (Symbol("<="), 1, 3),
                    (Word("b"), 3, 4),
                    (Symbol("::"), 4, 6),
                    (Word("c"), 6, 7),
                    (Symbol("//"), 7, 9),
                    (Symbol("-"), 9, 10),
                    (End, 10, 10),
                ],
            ),
        ] {
            let got = tokens(text).map(|tokens| {
                tokens
                    .iter()
                    .map(|token| (token.kind, token.span.start, token.span.end))
                    .collect::<Vec<_>>()
            });
            assert_eq!(got, Ok(want), "{name}");
        }
        assert_eq!(unquoted("it''s ''''", '\''), "it's ''");
    }

    #[test]
    fn f006_what_is_no_token_has_its_place() {
        for (name, text, start, end, found) in [
            ("open text", "a 'b", 2, 3, "the end of the text"),
            ("open name", "a \"b\"\"", 2, 3, "the end of the text"),
            ("open comment", "a /* /* */", 2, 4, "the end of the text"),
            ("run together", "a 1x2 ", 2, 5, "1x2"),
            ("hexadecimal", "0x1F", 0, 4, "0x1F"),
            ("underscore", "1_000", 0, 5, "1_000"),
            ("typographic", "a ’b’", 2, 5, "the character ’ (U+2019)"),
            (
                "hard blank",
                "a\u{a0}b",
                1,
                3,
                "the character \u{a0} (U+00A0)",
            ),
            ("control", "a\0", 1, 2, "the character \\u{0} (U+0000)"),
        ] {
            let problem = tokens(text).expect_err(name);
            assert_eq!(
                (problem.span.start, problem.span.end),
                (start, end),
                "{name}"
            );
            assert_eq!(problem.found, found, "{name}");
        }
    }
}
