//! BOOLEAN as text (SQL.md "Input values", "Rounding and casts").

use super::ParseFault;

/// An input value of BOOLEAN: `true` or `false`, in any case, as DuckDB's readers take them. The other texts of
/// [`cast_text`] would let a column of numbers pass for one of truths.
pub fn parse(text: &[u8]) -> Result<bool, ParseFault> {
    if text.eq_ignore_ascii_case(b"true") {
        Ok(true)
    } else if text.eq_ignore_ascii_case(b"false") {
        Ok(false)
    } else {
        Err(ParseFault::NotABoolean)
    }
}

/// CAST of a text to BOOLEAN: true false t f yes no y n 1 0, in any case, without blanks.
///
/// Source: DuckDB 2.0.1, which takes the same ten and no blanks.
pub fn cast_text(text: &[u8]) -> Result<bool, ParseFault> {
    const TRUE: [&[u8]; 5] = [b"true", b"t", b"yes", b"y", b"1"];
    const FALSE: [&[u8]; 5] = [b"false", b"f", b"no", b"n", b"0"];
    let is_one_of = |words: [&[u8]; 5]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_one_of(TRUE) {
        Ok(true)
    } else if is_one_of(FALSE) {
        Ok(false)
    } else {
        Err(ParseFault::NotABoolean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_takes_two_words_and_a_cast_ten() {
        let none = Err(ParseFault::NotABoolean);
        for (text, input, cast) in [
            ("true", Ok(true), Ok(true)),
            ("FALSE", Ok(false), Ok(false)),
            ("True", Ok(true), Ok(true)),
            ("t", none, Ok(true)),
            ("F", none, Ok(false)),
            ("Yes", none, Ok(true)),
            ("no", none, Ok(false)),
            ("y", none, Ok(true)),
            ("N", none, Ok(false)),
            ("1", none, Ok(true)),
            ("0", none, Ok(false)),
            ("on", none, none),
            ("tru", none, none),
            (" true", none, none),
            ("", none, none),
        ] {
            assert_eq!(parse(text.as_bytes()), input, "{text} as input");
            assert_eq!(cast_text(text.as_bytes()), cast, "{text} in a cast");
        }
    }
}
