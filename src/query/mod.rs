//! Query text to a checked plan to values (SPEC 5, SQL.md). Pure: knows nothing of objects, files or exit codes.
//!
//! Text becomes tokens (`lex`), tokens a tree of names (`parse`, `ast`), the tree a typed [`plan`] (`check`). What
//! stands beside the path: `functions` is the one table of functions, `types` of types, `units` of time units.

mod ast;
mod check;
pub mod columns;
pub mod eval;
pub mod functions;
mod lex;
mod parse;
pub mod plan;
pub mod suggest;
mod types;
mod units;
pub mod windows;

#[cfg(test)]
mod tests;

use crate::error::shown;
use crate::value::column::Column;

/// The plan of the query `text` over `columns`.
///
/// Errors: the first [`Problem`], with its place in `text`.
pub fn compile(text: &str, columns: &[Column]) -> Result<plan::Plan, Problem> {
    check::check(&parse::parse(text)?, text, columns, &[])
}

/// The same for a query that is cut into windows, and how it is.
///
/// Errors: the first [`Problem`], with its place in `text`.
pub fn compile_windows(
    text: &str,
    columns: &[Column],
    terms: &windows::Terms,
) -> Result<(plan::Plan, plan::Windows), Problem> {
    let select = parse::parse(text)?;
    let besides: Vec<usize> = terms.columns().collect();
    let plan = check::check(&select, text, columns, &besides)?;
    let windows = terms.cut(&plan, &select, text, columns)?;
    Ok((plan, windows))
}

/// Whether `text` is a query at all; what its names mean is not looked at.
///
/// Errors: the first [`Problem`], with its place in `text`.
pub fn check_syntax(text: &str) -> Result<(), Problem> {
    parse::parse(text).map(drop)
}

/// What is wrong with a query or COLUMNS text (78), or with a value that an expression met (65).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The stretch of the text that is meant.
    pub span: Span,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
    /// What to do; may be empty where `expected` says it.
    pub advice: String,
}

impl Problem {
    /// What it says is made fit to print here, whatever of the user's text it repeats.
    fn new(
        span: Span,
        expected: impl AsRef<str>,
        found: impl AsRef<str>,
        advice: impl AsRef<str>,
    ) -> Self {
        let printable = |text: &str| shown(text.as_bytes(), SAID_CHARACTERS);
        Self {
            span,
            expected: printable(expected.as_ref()),
            found: printable(found.as_ref()),
            advice: printable(advice.as_ref()),
        }
    }
}

/// A stretch of a text, in bytes: `start` included, `end` not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The stretch from the start of `self` to the end of `other`.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self {
            start: self.start,
            end: other.end,
        }
    }

    /// What of `text` it covers.
    #[must_use]
    pub fn of(self, text: &str) -> &str {
        text.get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }

    /// The same, cut and escaped for a message. Only the end of the text has nothing to show.
    fn shown(self, text: &str) -> String {
        match self.of(text) {
            "" => "the end of the text".to_owned(),
            covered => shown(covered.as_bytes(), SHOWN_CHARACTERS),
        }
    }
}

/// Characters of the user's text that a message repeats at a time.
const SHOWN_CHARACTERS: usize = 80;
/// Characters of each part of a problem.
const SAID_CHARACTERS: usize = 400;

/// Names match without case (SQL.md, Types and literals). ASCII case, as DuckDB does.
fn same_name(left: &str, right: &str) -> bool {
    left.eq_ignore_ascii_case(right)
}
