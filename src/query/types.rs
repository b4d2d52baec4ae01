//! The names of types, for CAST and for COLUMNS (SPEC 4). One name a type; the other usual names are known, to be
//! answered with the one to write.

use super::lex::{Kind, Token};
use super::{Problem, Span, same_name, suggest};
use crate::value::column::Form;
use crate::value::{Type, WIDE_DIGITS};

/// A type as written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Written {
    /// With how its values stand in the input.
    Form(Form),
    /// DECIMAL, which needs its precision and scale.
    Decimal,
}

const NAMES: [(&str, Written); 10] = [
    ("BOOLEAN", Written::Form(Form::Plain(Type::Boolean))),
    ("BIGINT", Written::Form(Form::Plain(Type::BigInt))),
    ("HUGEINT", Written::Form(Form::Plain(Type::HugeInt))),
    ("DOUBLE", Written::Form(Form::Plain(Type::Double))),
    ("DECIMAL", Written::Decimal),
    ("VARCHAR", Written::Form(Form::Plain(Type::Varchar))),
    ("TIMESTAMP", Written::Form(Form::Plain(Type::Timestamp))),
    (
        "TIMESTAMP_S",
        Written::Form(Form::Epoch { unit_us: 1_000_000 }),
    ),
    (
        "TIMESTAMP_MS",
        Written::Form(Form::Epoch { unit_us: 1_000 }),
    ),
    ("TIMESTAMP_US", Written::Form(Form::Epoch { unit_us: 1 })),
];
const NANOSECONDS: &str = "TIMESTAMP_NS";

/// Names of other systems, and what to write here.
const INSTEAD: [(&str, &str); 27] = [
    ("INTEGER", "BIGINT"),
    ("INT", "BIGINT"),
    ("INT2", "BIGINT"),
    ("INT4", "BIGINT"),
    ("INT8", "BIGINT"),
    ("LONG", "BIGINT"),
    ("SMALLINT", "BIGINT"),
    ("TINYINT", "BIGINT"),
    ("UINTEGER", "BIGINT"),
    ("UBIGINT", "DECIMAL(20,0)"),
    ("FLOAT", "DOUBLE"),
    ("FLOAT4", "DOUBLE"),
    ("FLOAT8", "DOUBLE"),
    ("REAL", "DOUBLE"),
    ("NUMERIC", "DECIMAL(p,s)"),
    ("DEC", "DECIMAL(p,s)"),
    ("TEXT", "VARCHAR"),
    ("STRING", "VARCHAR"),
    ("CHAR", "VARCHAR"),
    ("UUID", "VARCHAR"),
    ("JSON", "VARCHAR"),
    ("BOOL", "BOOLEAN"),
    (
        "DATE",
        "TIMESTAMP, with date_trunc('day', …) where only the day counts",
    ),
    ("DATETIME", "TIMESTAMP"),
    (
        "TIMESTAMPTZ",
        "TIMESTAMP, which takes offsets and holds UTC",
    ),
    ("TIME", "VARCHAR"),
    ("INTERVAL", "BIGINT, as a number of a fixed unit"),
];

/// What the type name in `token` means.
///
/// Errors: no type's name; the usual name of another system is answered with the name to write.
pub(super) fn named(token: Token<'_>, text: &str) -> Result<Written, Problem> {
    let Kind::Word(word) = token.kind else {
        return Err(Problem::new(
            token.span,
            "a type",
            shown(token, text),
            advice(),
        ));
    };
    if same_name(word, NANOSECONDS) {
        return Ok(Written::Form(Form::Nanoseconds));
    }
    if let Some((_, written)) = NAMES.iter().find(|(name, _)| same_name(name, word)) {
        return Ok(*written);
    }
    let advice = match INSTEAD.iter().find(|(name, _)| same_name(name, word)) {
        Some((_, instead)) => format!("write {instead}"),
        None => match suggest::nearest(word, NAMES.iter().map(|(name, _)| *name)) {
            Some(near) => format!("did you mean {near}?"),
            None => advice(),
        },
    };
    Err(Problem::new(
        token.span,
        "a type",
        shown(token, text),
        advice,
    ))
}

/// `DECIMAL(precision, scale)`, its numbers as written.
///
/// Errors: a precision outside 1 to 38, a scale past the precision.
pub(super) fn decimal(precision: Token<'_>, scale: Token<'_>, text: &str) -> Result<Type, Problem> {
    let digits = number(precision)
        .filter(|digits| (1..=WIDE_DIGITS).contains(digits))
        .ok_or_else(|| {
            Problem::new(
                precision.span,
                "a precision of 1 to 38 digits",
                shown(precision, text),
                "the precision counts all digits, as in DECIMAL(18,2)",
            )
        })?;
    let after_point = number(scale)
        .filter(|scale| *scale <= digits)
        .ok_or_else(|| {
            Problem::new(
                scale.span,
                format!("a scale of 0 to {digits} digits"),
                shown(scale, text),
                "the scale counts the digits after the point and is at most the precision",
            )
        })?;
    Ok(Type::Decimal {
        precision: digits,
        scale: after_point,
    })
}

/// The problem of DECIMAL without its numbers.
pub(super) fn bare_decimal(span: Span) -> Problem {
    Problem::new(
        span,
        "DECIMAL(precision, scale)",
        "DECIMAL without them",
        "write how many digits there are in all and after the point, as in DECIMAL(18,2)",
    )
}

fn number(token: Token<'_>) -> Option<u8> {
    match token.kind {
        Kind::Number(digits) => digits.parse().ok(),
        Kind::Word(_) | Kind::Quoted(_) | Kind::Text(_) | Kind::Symbol(_) | Kind::End => None,
    }
}

fn shown(token: Token<'_>, text: &str) -> String {
    match token.kind {
        Kind::End => "the end of the text".to_owned(),
        Kind::Word(_) | Kind::Quoted(_) | Kind::Text(_) | Kind::Symbol(_) | Kind::Number(_) => {
            token.span.shown(text)
        }
    }
}

fn advice() -> String {
    "the types are BOOLEAN, BIGINT, DOUBLE, DECIMAL(p,s), VARCHAR, TIMESTAMP".to_owned()
}
