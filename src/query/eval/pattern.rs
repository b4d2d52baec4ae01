//! LIKE (SQL.md, Text): `%` stands for any text, `_` for one code point; no character escapes unless ESCAPE says so.

use memchr::memmem;

use super::operand::{Failed, TextLane};
use super::text::is_start;
use super::{Call, problem};
use crate::query::Problem;
use crate::value::vector::Data;

/// `text LIKE pattern`
pub(super) fn like(call: &Call<'_>, escape: Option<u8>) -> Result<Data, Problem> {
    let (texts, patterns) = (call.text(0)?, call.text(1)?);
    if let TextLane::One(pattern) = patterns {
        return match Pattern::parse(pattern, escape) {
            Some(pattern) => Ok(Data::Boolean(texts.map(|text| pattern.matches(text)))),
            // Where all texts are NULL, so is all of the result.
            None => match (0..call.rows).find(|&row| call.valid.is_valid(row)) {
                Some(row) => Err(open_escape(call, Failed(row))),
                None => Ok(Data::Boolean(vec![false; call.rows])),
            },
        };
    }
    let mut truths = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let pattern = Pattern::parse(patterns.at(row), escape);
        truths.push(match pattern {
            Some(pattern) => pattern.matches(texts.at(row)),
            None if call.valid.is_valid(row) => return Err(open_escape(call, Failed(row))),
            None => false,
        });
    }
    Ok(Data::Boolean(truths))
}

fn open_escape(call: &Call<'_>, Failed(row): Failed) -> Problem {
    problem(
        call.expr,
        "a pattern that does not end with its escape character",
        super::arithmetic::shown_args(call, row),
        "write the character twice where it is meant itself",
    )
}

/// A pattern as its stretches between `%`: the first at the start of a text, the last at its end, each other one at the
/// first place after the one before it. Taking the first place is enough: what follows only wants the rest.
///
/// Invariant: at least one stretch; of one alone, the text is that stretch.
struct Pattern {
    stretches: Vec<Stretch>,
}

/// Bytes and single code points, without `%`.
enum Stretch {
    /// Bytes alone.
    Literal(Box<memmem::Finder<'static>>),
    /// With `_` among them.
    Mixed(Vec<Token>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    Byte(u8),
    CodePoint,
}

impl Pattern {
    /// `None` where the pattern ends in its escape character.
    fn parse(pattern: &[u8], escape: Option<u8>) -> Option<Self> {
        let mut stretches = Vec::new();
        let mut tokens = Vec::new();
        let mut bytes = pattern.iter().copied();
        while let Some(byte) = bytes.next() {
            if Some(byte) == escape {
                tokens.push(Token::Byte(bytes.next()?));
                continue;
            }
            match byte {
                b'%' => stretches.push(Stretch::new(std::mem::take(&mut tokens))),
                b'_' => tokens.push(Token::CodePoint),
                byte => tokens.push(Token::Byte(byte)),
            }
        }
        stretches.push(Stretch::new(tokens));
        Some(Self { stretches })
    }

    fn matches(&self, text: &[u8]) -> bool {
        let (Some(first), Some(last)) = (self.stretches.first(), self.stretches.last()) else {
            return false;
        };
        let Some(start) = first.at_start(text) else {
            return false;
        };
        let rest = text.get(start..).unwrap_or_default();
        let inner = match self.stretches.get(1..) {
            None | Some([]) => return rest.is_empty(),
            Some([inner @ .., _]) => inner,
        };
        let Some(end) = last.at_end(rest) else {
            return false;
        };
        let mut rest = rest.get(..end).unwrap_or_default();
        for stretch in inner {
            match stretch.find(rest) {
                Some(after) => rest = rest.get(after..).unwrap_or_default(),
                None => return false,
            }
        }
        true
    }
}

impl Stretch {
    fn new(tokens: Vec<Token>) -> Self {
        let byte = |token: &Token| match token {
            Token::Byte(byte) => Some(*byte),
            Token::CodePoint => None,
        };
        match tokens.iter().map(byte).collect::<Option<Vec<u8>>>() {
            Some(bytes) => Self::Literal(Box::new(memmem::Finder::new(&bytes).into_owned())),
            None => Self::Mixed(tokens),
        }
    }

    /// Where it ends in a text that starts with it.
    fn at_start(&self, text: &[u8]) -> Option<usize> {
        match self {
            Self::Literal(bytes) => text
                .starts_with(bytes.needle())
                .then(|| bytes.needle().len()),
            Self::Mixed(tokens) => {
                let mut at = 0;
                for token in tokens {
                    at = token.step(text, at)?;
                }
                Some(at)
            }
        }
    }

    /// Where it starts in a text that ends with it.
    fn at_end(&self, text: &[u8]) -> Option<usize> {
        match self {
            Self::Literal(bytes) => {
                let start = text.len().checked_sub(bytes.needle().len())?;
                text.ends_with(bytes.needle()).then_some(start)
            }
            // As many code points as it has tokens that start one: counted back from the end.
            Self::Mixed(tokens) => {
                let points = tokens
                    .iter()
                    .filter(|token| token.starts_code_point())
                    .count();
                let starts = (0..text.len()).rev();
                let mut starts =
                    starts.filter(|&at| text.get(at).is_some_and(|&byte| is_start(byte)));
                let start = starts.nth(points.checked_sub(1)?)?;
                let end = self.at_start(text.get(start..)?)?;
                (start.saturating_add(end) == text.len()).then_some(start)
            }
        }
    }

    /// Where its first occurrence ends.
    fn find(&self, text: &[u8]) -> Option<usize> {
        match self {
            Self::Literal(bytes) => Some(bytes.find(text)?.saturating_add(bytes.needle().len())),
            Self::Mixed(_) => (0..text.len())
                .filter(|&at| text.get(at).is_some_and(|&byte| is_start(byte)))
                .find_map(|at| Some(at.saturating_add(self.at_start(text.get(at..)?)?))),
        }
    }
}

impl Token {
    /// Where the text goes on after this token at `at`.
    fn step(self, text: &[u8], at: usize) -> Option<usize> {
        let byte = *text.get(at)?;
        match self {
            Token::Byte(wanted) => (byte == wanted).then(|| at.saturating_add(1)),
            Token::CodePoint => {
                let rest = text.get(at.saturating_add(1)..)?;
                let more = rest.iter().take_while(|&&byte| !is_start(byte)).count();
                Some(at.saturating_add(1).saturating_add(more))
            }
        }
    }

    fn starts_code_point(self) -> bool {
        match self {
            Token::Byte(byte) => is_start(byte),
            Token::CodePoint => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The textbook's own way: tries everything.
    fn naive(text: &[char], pattern: &[char]) -> bool {
        match pattern {
            [] => text.is_empty(),
            ['%', rest @ ..] => (0..=text.len()).any(|skip| naive(&text[skip..], rest)),
            ['_', rest @ ..] => !text.is_empty() && naive(&text[1..], rest),
            [one, rest @ ..] => text.first() == Some(one) && naive(&text[1..], rest),
        }
    }

    #[test]
    fn patterns_match_what_trying_everything_does() {
        let alphabet = ['a', 'b', 'é', '日', '%', '_'];
        let mut state = 7_u64;
        let mut draw = |most: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            usize::try_from((state >> 33) % most).unwrap()
        };
        let (mut hits, rounds) = (0, 40_000);
        for _ in 0..rounds {
            let text: Vec<char> = (0..draw(7)).map(|_| alphabet[draw(4)]).collect();
            let pattern: Vec<char> = (0..draw(7)).map(|_| alphabet[draw(6)]).collect();
            let want = naive(&text, &pattern);
            hits += u32::from(want);
            let (text, pattern): (String, String) =
                (text.into_iter().collect(), pattern.into_iter().collect());
            let found = Pattern::parse(pattern.as_bytes(), None)
                .unwrap()
                .matches(text.as_bytes());
            assert_eq!(found, want, "'{text}' LIKE '{pattern}'");
        }
        assert!(hits > rounds / 20, "{hits} hits");
    }

    #[test]
    fn an_escaped_character_is_itself() {
        for (text, pattern, escape, want) in [
            ("5%", "5!%", Some(b'!'), Some(true)),
            ("55", "5!%", Some(b'!'), Some(false)),
            ("a\\", "a\\", None, Some(true)),
            ("a!", "a!!", Some(b'!'), Some(true)),
            ("ab", "axb", Some(b'x'), Some(true)),
            ("%", "%%", Some(b'%'), Some(true)),
            ("ab", "ab!", Some(b'!'), None),
        ] {
            let pattern_of = Pattern::parse(pattern.as_bytes(), escape);
            let found = pattern_of.map(|pattern| pattern.matches(text.as_bytes()));
            assert_eq!(found, want, "'{text}' LIKE '{pattern}'");
        }
    }
}
