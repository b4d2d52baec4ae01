//! Query text to a checked plan to values (SPEC 5, SQL.md). Pure: knows nothing of objects, files or exit codes.

pub mod columns;
pub mod eval;
pub mod plan;
pub mod suggest;

/// Stand-in.
pub fn compile(
    text: &str,
    _columns: &[crate::value::column::Column],
) -> Result<plan::Plan, Problem> {
    if !text.starts_with("SELECT") {
        return Err(Problem {
            span: Span { start: 0, end: 1 },
            expected: "SELECT".into(),
            found: "x".into(),
            advice: String::new(),
        });
    }
    Ok(plan::Plan {
        columns: vec![],
        filter: None,
        shape: plan::Shape::Rows(plan::Rows {
            outputs: vec![],
            limit: None,
        }),
        outputs: vec![],
    })
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
}
