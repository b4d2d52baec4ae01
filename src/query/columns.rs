//! Stand-in.
use super::{Problem, Span};
use crate::value::Type;
use crate::value::column::*;
/// Family
#[derive(Clone, Copy, Debug)]
pub enum Family {
    Csv,
    Json,
}
/// Columns
pub fn parse_columns(text: &str, _: Family) -> Result<Vec<Column>, Problem> {
    text.split(',')
        .map(|part| {
            let name = part
                .split_whitespace()
                .next()
                .unwrap_or_default()
                .to_owned();
            if name.is_empty() {
                return Err(Problem {
                    span: Span::default(),
                    expected: "a name".into(),
                    found: "nothing".into(),
                    advice: String::new(),
                });
            }
            Ok(Column {
                source: Source::Header(name.clone()),
                name,
                form: Form::Plain(Type::BigInt),
                not_null: false,
            })
        })
        .collect()
}
/// Path
pub fn parse_path(text: &str) -> Result<Path, Problem> {
    Ok(Path(vec![Step::Key(text.into())]))
}
