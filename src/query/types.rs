//! The names of types, for CAST and for COLUMNS (SPEC 4). One name a type; the other usual names are known, to be
//! answered with the one to write.

use super::lex::{Kind, Token, Tokens};
use super::{Problem, Span, same_name, suggest};
use crate::value::column::Form;
use crate::value::{Type, WIDE_DIGITS};

/// What a type's name means.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Named {
    /// All of the type, with how its values stand in the input.
    Form(Form),
    /// DECIMAL, which needs its precision and scale.
    Decimal,
}

const NAMES: [(&str, Named); 11] = [
    ("BOOLEAN", Named::Form(Form::Plain(Type::Boolean))),
    ("BIGINT", Named::Form(Form::Plain(Type::BigInt))),
    ("HUGEINT", Named::Form(Form::Plain(Type::HugeInt))),
    ("DOUBLE", Named::Form(Form::Plain(Type::Double))),
    ("DECIMAL", Named::Decimal),
    ("VARCHAR", Named::Form(Form::Plain(Type::Varchar))),
    ("TIMESTAMP", Named::Form(Form::Plain(Type::Timestamp))),
    (
        "TIMESTAMP_S",
        Named::Form(Form::Epoch { unit_us: 1_000_000 }),
    ),
    ("TIMESTAMP_MS", Named::Form(Form::Epoch { unit_us: 1_000 })),
    ("TIMESTAMP_US", Named::Form(Form::Epoch { unit_us: 1 })),
    ("TIMESTAMP_NS", Named::Form(Form::Nanoseconds)),
];

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

/// The type that stands next.
///
/// Errors: no type's name (the usual name of another system is answered with the name to write); a DECIMAL without a
/// precision of 1 to 38 and a scale of at most that.
pub(super) fn form(tokens: &mut Tokens<'_>, text: &str) -> Result<Form, Problem> {
    let token = tokens.token();
    let named = named(token, text)?;
    tokens.advance();
    match named {
        Named::Form(form) => Ok(form),
        Named::Decimal => Ok(Form::Plain(decimal(tokens, token.span, text)?)),
    }
}

fn named(token: Token<'_>, text: &str) -> Result<Named, Problem> {
    let word = match token.kind {
        Kind::Word(word) => word,
        Kind::Quoted(_) | Kind::Text(_) | Kind::Number(_) | Kind::Symbol(_) | Kind::End => "",
    };
    if let Some((_, named)) = NAMES.iter().find(|(name, _)| same_name(name, word)) {
        return Ok(*named);
    }
    let near = suggest::nearest(word, NAMES.iter().map(|(name, _)| *name));
    let advice = match (INSTEAD.iter().find(|(name, _)| same_name(name, word)), near) {
        (Some((_, instead)), _) => format!("write {instead}"),
        (None, Some(near)) => format!("did you mean {near}?"),
        (None, None) => {
            "the types are BOOLEAN, BIGINT, DOUBLE, DECIMAL(p,s), VARCHAR, TIMESTAMP".to_owned()
        }
    };
    Err(Problem::new(
        token.span,
        "a type",
        token.span.shown(text),
        advice,
    ))
}

/// `(precision, scale)` after DECIMAL.
fn decimal(tokens: &mut Tokens<'_>, name: Span, text: &str) -> Result<Type, Problem> {
    if !tokens.accept_symbol("(") {
        return Err(Problem::new(
            name,
            "DECIMAL(precision, scale)",
            "DECIMAL without them",
            "write how many digits there are in all and after the point, as in DECIMAL(18,2)",
        ));
    }
    let expected = |tokens: &Tokens<'_>, expected: &str, advice: &str| {
        let span = tokens.token().span;
        Problem::new(span, expected, span.shown(text), advice)
    };
    let precision = number(tokens.token())
        .filter(|digits| (1..=WIDE_DIGITS).contains(digits))
        .ok_or_else(|| {
            let advice = "the precision counts all digits, as in DECIMAL(18,2)";
            expected(tokens, "a precision of 1 to 38 digits", advice)
        })?;
    tokens.advance();
    if !tokens.accept_symbol(",") {
        return Err(expected(
            tokens,
            "a comma and the scale",
            "as in DECIMAL(18,2)",
        ));
    }
    let scale = number(tokens.token())
        .filter(|scale| *scale <= precision)
        .ok_or_else(|| {
            let advice = "the scale counts the digits after the point and is at most the precision";
            expected(
                tokens,
                &format!("a scale of 0 to {precision} digits"),
                advice,
            )
        })?;
    tokens.advance();
    if !tokens.accept_symbol(")") {
        return Err(expected(tokens, ") after the scale", "as in DECIMAL(18,2)"));
    }
    Ok(Type::Decimal { precision, scale })
}

fn number(token: Token<'_>) -> Option<u8> {
    match token.kind {
        Kind::Number(digits) => digits.parse().ok(),
        Kind::Word(_) | Kind::Quoted(_) | Kind::Text(_) | Kind::Symbol(_) | Kind::End => None,
    }
}
