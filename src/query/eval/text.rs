//! Functions of text (SQL.md, Text): lengths and positions count code points, comparison is bytewise. What makes text
//! longer asks for its room first (SPEC 11).

use memchr::memmem;

use super::guard::too_much_text;
use super::operand::{Lane, TextLane, map};
use super::{Call, problem};
use crate::limits::{BATCH_TEXT_BYTES, VARCHAR_BYTES};
use crate::query::Problem;
use crate::value::vector::{Data, Texts};

/// One text a row, each written by `write` into an empty buffer; NULLs are left out.
fn texts<'a>(
    call: &Call<'a>,
    mut write: impl FnMut(usize, &mut Vec<u8>) -> Result<(), Problem>,
) -> Result<Data, Problem> {
    let mut texts = Texts::default();
    let mut text = Vec::new();
    for row in 0..call.rows {
        text.clear();
        if call.valid.is_valid(row) {
            write(row, &mut text)?;
        }
        if !texts.push_utf8(&text) {
            return Err(too_much_text(call.expr));
        }
    }
    Ok(Data::Text(texts))
}

/// How much text a batch may still compute. One record may have a value of the longest; many records that would hold
/// more together are evaluated one by one.
struct Room {
    left: usize,
}

impl Room {
    fn new(call: &Call<'_>) -> Self {
        Self {
            left: match call.rows {
                1 => VARCHAR_BYTES,
                _ => BATCH_TEXT_BYTES,
            },
        }
    }

    /// Takes room for a value of `bytes`, before it is made.
    fn take(&mut self, call: &Call<'_>, bytes: usize) -> Result<(), Problem> {
        if bytes > VARCHAR_BYTES {
            return Err(problem(
                call.expr,
                format!("a text of at most {VARCHAR_BYTES} bytes"),
                format!("{bytes} bytes"),
                "filter such records out with WHERE, or take less by substr",
            ));
        }
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(too_much_text(call.expr)),
        }
    }
}

/// The code points of a text that was checked to be UTF-8.
fn characters(text: &[u8]) -> &str {
    str::from_utf8(text).unwrap_or_default()
}

/// Which letters are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Lower,
    Upper,
}

impl Case {
    /// One for one: a character whose mapping is longer stays as it is (SQL.md, Text).
    fn of(self, character: char) -> char {
        match self {
            Case::Lower => only(character.to_lowercase()),
            Case::Upper => only(character.to_uppercase()),
        }
        .unwrap_or(character)
    }
}

fn only(mut mapped: impl Iterator<Item = char>) -> Option<char> {
    mapped.next().filter(|_| mapped.next().is_none())
}

/// `lower(text)`, `upper(text)`
pub(super) fn mapped(call: &Call<'_>, case: Case) -> Result<Data, Problem> {
    let lane = call.text(0)?;
    texts(call, |row, into| {
        let text = lane.at(row);
        if text.is_ascii() {
            into.extend_from_slice(text);
            match case {
                Case::Lower => into.make_ascii_lowercase(),
                Case::Upper => into.make_ascii_uppercase(),
            }
            return Ok(());
        }
        for character in characters(text).chars() {
            into.extend_from_slice(case.of(character).encode_utf8(&mut [0; 4]).as_bytes());
        }
        Ok(())
    })
}

/// `length(text)`
pub(super) fn length(call: &Call<'_>) -> Result<Data, Problem> {
    Ok(Data::Int(call.text(0)?.map(|text| {
        i64::try_from(code_points(text)).unwrap_or(i64::MAX)
    })))
}

fn code_points(text: &[u8]) -> usize {
    text.iter().filter(|&&byte| is_start(byte)).count()
}

/// Whether a code point starts with `byte`.
pub(super) fn is_start(byte: u8) -> bool {
    byte & 0b1100_0000 != 0b1000_0000
}

/// `substr(text, start, length)`. A negative length takes what stands before the start, as DuckDB does.
///
/// Source: DuckDB 2.0.0.
pub(super) fn substr(call: &Call<'_>) -> Result<Data, Problem> {
    let (lane, starts): (_, Lane<'_, i64>) = (call.text(0)?, call.lane(1)?);
    let lengths: Option<Lane<'_, i64>> = match call.args.len() {
        2 => None,
        _ => Some(call.lane(2)?),
    };
    texts(call, |row, into| {
        let text = lane.at(row);
        let length = lengths.map(|lengths| lengths.at(row));
        into.extend_from_slice(part(text, starts.at(row), length));
        Ok(())
    })
}

/// The code points of `text` from `start`, which counts from 1, or from the end where it is negative.
fn part(text: &[u8], start: i64, length: Option<i64>) -> &[u8] {
    let all = i64::try_from(code_points(text)).unwrap_or(i64::MAX);
    let start = match start {
        1.. | 0 => start.saturating_sub(1),
        _ => all.saturating_add(start),
    };
    let (start, end) = match length {
        None => (start, all),
        Some(length) if length < 0 => (start.saturating_add(length), start),
        Some(length) => (start, start.saturating_add(length)),
    };
    let place = |position: i64| offset(text, position.clamp(0, all));
    text.get(place(start)..place(end)).unwrap_or_default()
}

/// Where the code point number `position`, from 0, starts in `text`.
fn offset(text: &[u8], position: i64) -> usize {
    let position = usize::try_from(position).unwrap_or_default();
    if text.is_ascii() {
        return position.min(text.len());
    }
    let starts = (0..).zip(text).filter(|(_, byte)| is_start(**byte));
    let mut offsets = starts.map(|(offset, _)| offset);
    offsets.nth(position).unwrap_or(text.len())
}

/// `trim(text)`: U+0020 alone.
pub(super) fn trim(call: &Call<'_>) -> Result<Data, Problem> {
    let lane = call.text(0)?;
    texts(call, |row, into| {
        into.extend_from_slice(characters(lane.at(row)).trim_matches(' ').as_bytes());
        Ok(())
    })
}

/// `replace(text, old, new)`: from left to right, what was put in is not looked at again; nothing where `old` is empty.
pub(super) fn replace(call: &Call<'_>) -> Result<Data, Problem> {
    let (lane, old, new) = (call.text(0)?, call.text(1)?, call.text(2)?);
    let mut room = Room::new(call);
    texts(call, |row, into| {
        let (text, old, new) = (lane.at(row), old.at(row), new.at(row));
        if old.is_empty() {
            room.take(call, text.len())?;
            into.extend_from_slice(text);
            return Ok(());
        }
        let found = memmem::Finder::new(old);
        let times = found.find_iter(text).count();
        let kept = text.len().saturating_sub(times.saturating_mul(old.len()));
        room.take(call, kept.saturating_add(times.saturating_mul(new.len())))?;
        let mut rest = 0;
        for at in found.find_iter(text) {
            into.extend_from_slice(text.get(rest..at).unwrap_or_default());
            into.extend_from_slice(new);
            rest = at.saturating_add(old.len());
        }
        into.extend_from_slice(text.get(rest..).unwrap_or_default());
        Ok(())
    })
}

/// `left || right`
pub(super) fn concat(call: &Call<'_>) -> Result<Data, Problem> {
    let (left, right) = (call.text(0)?, call.text(1)?);
    let mut room = Room::new(call);
    texts(call, |row, into| {
        let (left, right) = (left.at(row), right.at(row));
        room.take(call, left.len().saturating_add(right.len()))?;
        into.extend_from_slice(left);
        into.extend_from_slice(right);
        Ok(())
    })
}

/// `starts_with(text, start)`
pub(super) fn starts_with(call: &Call<'_>) -> Result<Data, Problem> {
    truths(call, |text, start| text.starts_with(start))
}

/// `contains(text, part)`
pub(super) fn contains(call: &Call<'_>) -> Result<Data, Problem> {
    match (call.text(0)?, call.text(1)?) {
        (texts, TextLane::One(part)) => {
            let part = memmem::Finder::new(part);
            Ok(Data::Boolean(texts.map(|text| part.find(text).is_some())))
        }
        _ => truths(call, |text, part| memmem::find(text, part).is_some()),
    }
}

/// One truth a row, of two texts.
fn truths(call: &Call<'_>, of: impl Fn(&[u8], &[u8]) -> bool) -> Result<Data, Problem> {
    let (left, right) = (call.text(0)?, call.text(1)?);
    let rows: Vec<usize> = (0..call.rows).collect();
    let truth = |row: usize| of(left.at(row), right.at(row));
    Ok(Data::Boolean(map(Lane::Slice(&rows), truth)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_those_of_duckdb() {
        for (text, start, length, want) in [
            ("hello", 0, None, "hello"),
            ("hello", 0, Some(2), "h"),
            ("hello", -3, Some(2), "ll"),
            ("hello", -10, Some(7), "he"),
            ("hello", -10, Some(2), ""),
            ("hello", -10, None, "hello"),
            ("hello", 2, Some(-1), "h"),
            ("hello", 4, Some(-2), "el"),
            ("hello", -1, Some(-2), "ll"),
            ("hello", 6, Some(-3), "llo"),
            ("hello", 8, Some(-4), "lo"),
            ("hello", 0, Some(-2), ""),
            ("hello", -5, Some(-1), ""),
            ("hello", 10, None, ""),
            ("hello", 2, Some(0), ""),
            ("hello", 1, Some(i64::MAX), "hello"),
            ("hello", i64::MIN, Some(i64::MIN), ""),
            ("hello", i64::MAX, Some(i64::MIN), "hello"),
            ("hé日本", 2, Some(2), "é日"),
            ("hé日本", -1, None, "本"),
            ("", 1, None, ""),
        ] {
            let found = part(text.as_bytes(), start, length);
            assert_eq!(
                found,
                want.as_bytes(),
                "substr('{text}', {start}, {length:?})"
            );
        }
    }

    #[test]
    fn letters_map_one_to_one_or_stay() {
        for (case, text, want) in [
            (Case::Upper, "straße ﬁ ǆ ÿ ŉ", "STRAßE ﬁ Ǆ Ÿ ŉ"),
            (Case::Lower, "ÀİSΣẞ", "àİsσß"),
        ] {
            let found: String = text.chars().map(|character| case.of(character)).collect();
            assert_eq!(found, want);
        }
    }

    /// What `text` computes over `rows` records of `column`.
    fn evaluated(text: &str, column: &str, rows: usize) -> Result<usize, Problem> {
        let columns =
            crate::query::columns::parse_columns("c VARCHAR", crate::query::columns::Family::Json);
        let query = format!("SELECT {text} AS x FROM input");
        let plan = crate::query::compile(&query, &columns.unwrap()).unwrap();
        let crate::query::plan::Shape::Rows(of) = &plan.shape else {
            panic!("row-wise");
        };
        let mut texts = Texts::default();
        (0..rows).for_each(|_| assert!(texts.push(column)));
        let batch = crate::value::vector::Batch {
            rows,
            columns: vec![crate::value::vector::Vector::from_data(Data::Text(texts))],
            ..Default::default()
        };
        let found = super::super::evaluate(&of.outputs[0], &batch)?;
        let found = found.into_vector(of.outputs[0].ty, rows);
        let Data::Text(texts) = &found.data else {
            panic!("texts");
        };
        Ok(texts.bytes(0).len())
    }

    #[test]
    fn f127_nested_replace_ends_before_the_memory_does() {
        let wide = "x".repeat(100);
        let nested = |depth: usize| {
            (0..depth).fold("c".to_owned(), |inner, _| {
                format!("replace(replace({inner}, 'x', 'a'), 'a', '{wide}')")
            })
        };
        assert_eq!(evaluated(&nested(2), "x", 1), Ok(10_000));
        assert_eq!(evaluated(&nested(3), "x", 1), Ok(1_000_000));
        let problem = evaluated(&nested(4), "x", 1).unwrap_err();
        assert_eq!(problem.expected, "a text of at most 16777216 bytes");
        assert_eq!(problem.found, "100000000 bytes");
        // Many records that are each fine: they are to be taken one by one.
        let problem = evaluated(&nested(2), "x", 2_048).unwrap_err();
        assert_eq!(
            problem.expected,
            "at most 8388608 bytes of text in one batch"
        );
        let most = "y".repeat(VARCHAR_BYTES / 2);
        assert_eq!(evaluated("c || c", &most, 1), Ok(VARCHAR_BYTES));
        assert!(evaluated("c || c || 'z'", &most, 1).is_err());
    }

    #[test]
    fn a_pattern_that_cannot_be_is_no_problem_beside_null() {
        let like = |text: &str| {
            evaluated(
                &format!("CASE WHEN {text} THEN 'yes' ELSE 'no' END"),
                "a",
                1,
            )
        };
        assert_eq!(
            like("CAST(NULL AS VARCHAR) LIKE c || '!' ESCAPE '!'"),
            Ok(2)
        );
        assert!(like("c LIKE c || '!' ESCAPE '!'").is_err());
        assert_eq!(like("c LIKE c || '!!' ESCAPE '!'"), Ok(2));
    }
}
