//! One thing that is wrong with the configuration, and the report of them all (SPEC 3: every problem in one report).

use std::fmt;

use super::variables::PREFIX;
use crate::error::{Error, Kind, shown};
use crate::query;

/// Longest piece of a line of a query that a report shows, in characters.
const LINE_CHARACTERS: usize = 100;

/// What is wrong with a value; [`Fault::of`] adds whose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What was expected.
    pub expected: String,
    /// What was found, fit to be shown.
    pub found: String,
    /// What to do; may be empty where `expected` says it.
    pub advice: String,
}

/// What is wrong with a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The variable, without `WINDROW_`.
    pub variable: String,
    /// Where in its text.
    pub position: Option<TextPosition>,
    /// What it is.
    pub fault: Fault,
}

/// A place in a query or COLUMNS text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextPosition {
    /// Offset in the text, in bytes, from 0.
    pub offset_bytes: u32,
    /// Line, from 1.
    pub line: usize,
    /// Character of the line, from 1.
    pub column: usize,
    /// The line, cut and escaped.
    excerpt: String,
    /// How many characters of the excerpt stand before the place.
    indent: usize,
}

impl Fault {
    /// A fault; `found` is escaped and cut here where it comes from outside.
    #[must_use]
    pub fn new(
        expected: impl Into<String>,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            expected: expected.into(),
            found: found.into(),
            advice: advice.into(),
        }
    }

    /// The same, of `variable`.
    #[must_use]
    pub fn of(self, variable: &str) -> Problem {
        Problem {
            variable: variable.to_owned(),
            position: None,
            fault: self,
        }
    }
}

impl Problem {
    /// What the query module found in `text`, which came with `variable`.
    #[must_use]
    pub fn in_text(variable: &str, text: &str, problem: query::Problem) -> Self {
        Self {
            variable: variable.to_owned(),
            position: Some(TextPosition::find(text, problem.span.start)),
            fault: Fault::new(problem.expected, problem.found, problem.advice),
        }
    }
}

impl TextPosition {
    /// The place `offset_bytes` into `text`.
    #[must_use]
    pub fn find(text: &str, offset_bytes: u32) -> Self {
        let mut at = usize::try_from(offset_bytes)
            .unwrap_or(text.len())
            .min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        let (before, after) = text.split_at(at);
        let head = before.rsplit('\n').next().unwrap_or_default();
        let tail = after.split('\n').next().unwrap_or_default();
        let column = head.chars().count() + 1;
        // Of a long line, the end of what stands before the place and the start of what follows.
        let skipped = head.chars().count().saturating_sub(LINE_CHARACTERS / 2);
        let head: String = head.chars().skip(skipped).collect();
        let cut = if skipped > 0 { "…" } else { "" };
        let head = format!("{cut}{}", shown(head.as_bytes(), LINE_CHARACTERS));
        Self {
            offset_bytes,
            line: before.matches('\n').count() + 1,
            column,
            indent: head.chars().count(),
            excerpt: head + &shown(tail.trim_end().as_bytes(), LINE_CHARACTERS / 2),
        }
    }
}

/// `WINDROW_X: expected …, found …; …`, and where there is a position the line of the text with a caret below it.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault {
            expected,
            found,
            advice,
        } = &self.fault;
        write!(f, "{PREFIX}{}", self.variable)?;
        if let Some(at) = &self.position {
            write!(
                f,
                " at byte {} (line {}, column {})",
                at.offset_bytes, at.line, at.column
            )?;
        }
        write!(f, ": expected {expected}, found {found}")?;
        if !advice.is_empty() {
            write!(f, "; {advice}")?;
        }
        if let Some(at) = &self.position {
            write!(
                f,
                "\n    {}\n    {:indent$}^",
                at.excerpt,
                "",
                indent = at.indent
            )?;
        }
        Ok(())
    }
}

/// All problems as the one error of a run: 78.
#[must_use]
pub fn report(problems: &[Problem]) -> Error {
    let listed: Vec<String> = problems
        .iter()
        .map(|problem| format!("\n  {problem}"))
        .collect();
    let (number, these) = match problems.len() {
        1 => ("a problem".to_owned(), "correct it, then start again"),
        many => (
            format!("{many} problems"),
            "correct them all, then start again",
        ),
    };
    Error::new(
        Kind::Config,
        "reading the configuration",
        "values as `windrow --help` lists them",
        number,
        format!("{these}:{}", listed.concat()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Span;

    #[test]
    fn f006_a_problem_in_a_text_shows_its_place() {
        let text = "SELECT é,\n  pirce AS x\nFROM input";
        let start = u32::try_from(text.find("pirce").unwrap()).unwrap();
        let problem = query::Problem {
            span: Span {
                start,
                end: start + 5,
            },
            expected: "a column".into(),
            found: "pirce".into(),
            advice: "did you mean price?".into(),
        };
        assert_eq!(
            Problem::in_text("QUERY", text, problem).to_string(),
            "WINDROW_QUERY at byte 13 (line 2, column 3): expected a column, found pirce; did you mean price?\n      pirce AS x\n      ^"
        );
    }

    #[test]
    fn positions_at_the_edges() {
        for (name, text, offset, want) in [
            ("empty", "", 0, (1, 1, "")),
            ("end", "ab", 2, (1, 3, "ab")),
            ("past the end", "ab", 99, (1, 3, "ab")),
            ("after a newline", "ab\n", 3, (2, 1, "")),
            ("inside a character", "é", 1, (1, 1, "é")),
            ("tab", "\tx", 1, (1, 2, "\\tx")),
        ] {
            let at = TextPosition::find(text, offset);
            assert_eq!((at.line, at.column, at.excerpt.as_str()), want, "{name}");
        }
        let long = "a".repeat(300);
        let at = TextPosition::find(&long, 200);
        assert_eq!((at.column, at.indent), (201, 51));
        assert!(at.excerpt.chars().count() < 110, "{}", at.excerpt);
    }
}
