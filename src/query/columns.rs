//! COLUMNS and RECORDS: which columns there are, how they are written and where in a record they stand (SPEC 4).

use super::lex::{Kind, Tokens, unquoted};
use super::parse::is_reserved;
use super::{Problem, Span, same_name, types};
use crate::limits::{COLUMNS, JSON_DEPTH, QUERY_BYTES};
use crate::value::Type;
use crate::value::column::{Column, Form, Path, Source, Step};

/// What a source may be, by the format of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// CSV with a header: names or positions.
    Csv,
    /// CSV without a header: positions.
    CsvWithoutHeader,
    /// Paths.
    Json,
    /// Paths in the messages of feeds, live or captured, that go into windows: `@received_at` and `@feed`, but no
    /// `@object`, which the stream and its replay could not both have.
    Stream,
    /// Paths in captured messages that are records like any other: all of the three.
    Capture,
}

/// The columns of `text`, `name TYPE [FROM source] [NOT NULL], …`.
///
/// Errors: every problem of it; after one, reading goes on at the next comma.
pub fn parse_columns(text: &str, family: Family) -> Result<Vec<Column>, Vec<Problem>> {
    if text.len() > QUERY_BYTES {
        let found = format!("{} bytes", text.len());
        let expected = format!("COLUMNS of at most {QUERY_BYTES} bytes");
        return Err(vec![Problem::new(
            Span::default(),
            expected,
            found,
            "shorten it",
        )]);
    }
    let tokens = Tokens::new(text).map_err(|problem| vec![problem])?;
    let mut reader = Reader { text, tokens };
    let mut columns: Vec<Column> = Vec::new();
    let mut problems = Vec::new();
    loop {
        let start = reader.tokens.token().span;
        let definition = reader.tokens.place();
        match reader.column(family, &columns) {
            Ok(column) if columns.len() == COLUMNS => {
                problems.push(too_many(start, &column));
                break;
            }
            Ok(column) => columns.push(column),
            Err(problem) => {
                problems.push(problem);
                reader.tokens.return_to(definition);
                reader.skip_definition();
            }
        }
        if !reader.tokens.accept_symbol(",") {
            break;
        }
    }
    if problems.is_empty() {
        Ok(columns)
    } else {
        Err(problems)
    }
}

/// The path of RECORDS, such as `data[*]`: an array, whose every element is a record. `[*]` alone is a document that
/// is the array.
///
/// Errors: no path; a path that does not end in `[*]`.
pub fn parse_path(text: &str) -> Result<Path, Problem> {
    let mut reader = Reader {
        text,
        tokens: Tokens::new(text)?,
    };
    let mut steps = Vec::new();
    if !reader.tokens.at_symbol("[") {
        steps.push(reader.key("a path")?);
    }
    reader.steps(&mut steps)?;
    let each = reader.tokens.token();
    if !(reader.tokens.accept_symbol("[")
        && reader.tokens.accept_symbol("*")
        && reader.tokens.accept_symbol("]"))
    {
        let advice = "RECORDS names an array, whose elements are the records, as in data[*]";
        return Err(Problem::new(
            each.span,
            "[*] after the path",
            reader.found(),
            advice,
        ));
    }
    steps.push(Step::Each);
    if reader.tokens.token().kind != Kind::End {
        let advice = "name what is inside a record in COLUMNS";
        return Err(Problem::new(
            reader.tokens.token().span,
            "nothing after [*]",
            reader.found(),
            advice,
        ));
    }
    Ok(Path(steps))
}

fn too_many(span: Span, column: &Column) -> Problem {
    Problem::new(
        span,
        format!("at most {COLUMNS} columns"),
        format!("column {} as number {}", column.name, COLUMNS + 1),
        "declare only what the query uses: other fields need no column",
    )
}

/// What may stand after @, and its type.
const SPECIAL: [(&str, Source, Type); 3] = [
    ("object", Source::Object, Type::Varchar),
    ("received_at", Source::ReceivedAt, Type::Timestamp),
    ("feed", Source::Feed, Type::BigInt),
];

impl Family {
    /// Which of [`SPECIAL`] it has.
    fn specials(self) -> &'static [Source] {
        match self {
            Self::Csv | Self::CsvWithoutHeader | Self::Json => &[Source::Object],
            Self::Stream => &[Source::ReceivedAt, Source::Feed],
            Self::Capture => &[Source::Object, Source::ReceivedAt, Source::Feed],
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    tokens: Tokens<'a>,
}

impl Reader<'_> {
    /// The next token, for a message.
    fn found(&self) -> String {
        self.tokens.token().span.shown(self.text)
    }

    /// The next token is not what was `expected`.
    fn unexpected(&self, expected: &str, advice: &str) -> Problem {
        Problem::new(self.tokens.token().span, expected, self.found(), advice)
    }

    /// Goes on to the comma that ends the definition; one between parentheses does not.
    fn skip_definition(&mut self) {
        let mut depth = 0_usize;
        loop {
            match self.tokens.token().kind {
                Kind::End => return,
                Kind::Symbol(",") if depth == 0 => return,
                Kind::Symbol("(") => depth += 1,
                Kind::Symbol(")") => depth = depth.saturating_sub(1),
                Kind::Word(_)
                | Kind::Quoted(_)
                | Kind::Text(_)
                | Kind::Number(_)
                | Kind::Symbol(_) => {}
            }
            self.tokens.advance();
        }
    }

    /// `name TYPE [FROM source] [NOT NULL]`, up to a comma or the end.
    fn column(&mut self, family: Family, known: &[Column]) -> Result<Column, Problem> {
        let start = self.tokens.token().span;
        let name = name(&mut self.tokens, self.text, DEFINITION)?;
        let of_type = self.tokens.token().span;
        let form = self.form()?;
        let of_type = self.tokens.since(of_type);
        let source = match self.tokens.accept_word("FROM") {
            true if self.tokens.at_symbol("@") => self.special(family, form, of_type)?,
            true => self.source(family)?,
            false => own_name(&name, family, start)?,
        };
        let not_null = self.tokens.accept_word("NOT");
        if not_null && !self.tokens.accept_word("NULL") {
            return Err(self.unexpected(
                "NULL after NOT",
                "a column that must have a value is NOT NULL",
            ));
        }
        if !matches!(self.tokens.token().kind, Kind::End | Kind::Symbol(",")) {
            return Err(self.unexpected("FROM, NOT NULL, a comma or the end", DEFINITION));
        }
        if known.iter().any(|column| same_name(&column.name, &name)) {
            let advice =
                "names match without case: give one of them another name and its source by FROM";
            return Err(Problem::new(
                start,
                "column names that differ",
                format!("{name} twice"),
                advice,
            ));
        }
        Ok(Column {
            name,
            form,
            source,
            not_null,
        })
    }

    fn form(&mut self) -> Result<Form, Problem> {
        let span = self.tokens.token().span;
        let form = types::form(&mut self.tokens, self.text)?;
        if form == Form::Plain(Type::HugeInt) {
            let advice = "write DECIMAL(38,0), or BIGINT where the values fit 64 bits";
            return Err(Problem::new(span, "a type of a column", "HUGEINT", advice));
        }
        Ok(form)
    }

    fn source(&mut self, family: Family) -> Result<Source, Problem> {
        match family {
            Family::Json | Family::Stream | Family::Capture => self.path(),
            Family::Csv | Family::CsvWithoutHeader => self.field(family),
        }
    }

    /// `@object`, `@received_at` or `@feed`, where this input has it.
    fn special(&mut self, family: Family, form: Form, of_type: Span) -> Result<Source, Problem> {
        let at = self.tokens.advance().span;
        let word = match self.tokens.token().kind {
            Kind::Word(word) => word,
            Kind::Quoted(_) | Kind::Text(_) | Kind::Number(_) | Kind::Symbol(_) | Kind::End => "",
        };
        let span = at.to(self.tokens.token().span);
        let has = |source: &Source| family.specials().contains(source);
        let known = SPECIAL.iter().find(|(name, ..)| same_name(name, word));
        let Some((name, source, ty)) = known else {
            let names = SPECIAL.iter().filter(|(_, source, _)| has(source));
            let names: Vec<String> = names.map(|(name, ..)| format!("@{name}")).collect();
            let advice = "after @ stands what is known of a record besides what is in it";
            let found = span.shown(self.text);
            return Err(Problem::new(span, names.join(" or "), found, advice));
        };
        if !has(source) {
            let found = format!("@{word}");
            let (expected, advice) = match family {
                Family::Stream => (
                    "a source of streams, @received_at or @feed",
                    "a replay of the capture has other objects: name the feed by @feed",
                ),
                Family::Csv | Family::CsvWithoutHeader | Family::Json | Family::Capture => (
                    "a source of finite input",
                    "only a stream, or what one captured, has it; a batch has @object",
                ),
            };
            return Err(Problem::new(span, expected, found, advice));
        }
        if form != Form::Plain(*ty) {
            let expected = format!("{ty} for @{name}");
            let found = of_type.shown(self.text);
            return Err(Problem::new(
                of_type,
                expected,
                found,
                "it is of that type alone",
            ));
        }
        self.tokens.advance();
        Ok(source.clone())
    }

    /// A CSV field: a position, or a header's name where there is a header.
    fn field(&mut self, family: Family) -> Result<Source, Problem> {
        let token = self.tokens.token();
        let advice = "write the header's name, in double quotes where it is no plain word, or the position from 1";
        let source = match token.kind {
            Kind::Number(digits) => position(digits, token.span)?,
            Kind::Word(word) if is_reserved(word) => {
                return Err(self.unexpected(
                    "a CSV header's name or position",
                    &format!("write \"{word}\""),
                ));
            }
            Kind::Word(word) => header(word.to_owned(), family, token.span)?,
            Kind::Quoted(raw) if !raw.is_empty() => header(unquoted(raw, '"'), family, token.span)?,
            Kind::Quoted(_) | Kind::Text(_) | Kind::Symbol(_) | Kind::End => {
                return Err(self.unexpected("a CSV header's name or position", advice));
            }
        };
        self.tokens.advance();
        if self.tokens.at_symbol(".") || self.tokens.at_symbol("[") {
            return Err(self.unexpected(
                "FROM header",
                "paths are for JSON; quote a header that holds a point",
            ));
        }
        Ok(source)
    }

    fn path(&mut self) -> Result<Source, Problem> {
        let start = self.tokens.token().span;
        let mut steps = Vec::new();
        if !self.tokens.at_symbol("[") {
            steps.push(self.key("a JSON path")?);
        }
        self.steps(&mut steps)?;
        if self.tokens.at_symbol("[") {
            let advice = "RECORDS makes a record of each element; a column is one value";
            return Err(self.unexpected("an index from 0", advice));
        }
        if steps.len() > JSON_DEPTH {
            let expected = format!("a path of at most {JSON_DEPTH} steps");
            let found = format!("{} steps", steps.len());
            return Err(Problem::new(
                self.tokens.since(start),
                expected,
                found,
                "deeper JSON is refused anyway",
            ));
        }
        Ok(Source::Path(Path(steps)))
    }

    /// All that follow the first: `.key` and `[index]`, up to `[*]` or what is no step.
    fn steps(&mut self, steps: &mut Vec<Step>) -> Result<(), Problem> {
        loop {
            if self.tokens.accept_symbol(".") {
                steps.push(self.key("a key after the point")?);
            } else if self.tokens.at_symbol("[") && !self.tokens.symbol_ahead(1, "*") {
                self.tokens.advance();
                steps.push(self.index()?);
            } else if let Kind::Number(_) = self.tokens.token().kind {
                return Err(self.unexpected(
                    "a key",
                    "a key that starts with a digit stands in double quotes",
                ));
            } else {
                return Ok(());
            }
        }
    }

    fn key(&mut self, expected: &str) -> Result<Step, Problem> {
        let key = match self.tokens.token().kind {
            Kind::Word(word) => word.to_owned(),
            Kind::Quoted(raw) => unquoted(raw, '"'),
            Kind::Number(_) => {
                let advice =
                    "positions are for CSV; a key that starts with a digit stands in double quotes";
                return Err(self.unexpected(expected, advice));
            }
            Kind::Text(_) | Kind::Symbol(_) | Kind::End => {
                return Err(self.unexpected(
                    expected,
                    "write keys and indices, as in data.p or \"odd name\".x[0]",
                ));
            }
        };
        self.tokens.advance();
        Ok(Step::Key(key))
    }

    fn index(&mut self) -> Result<Step, Problem> {
        let index = match self.tokens.token().kind {
            Kind::Number(digits) => digits.parse().ok(),
            Kind::Word(_) | Kind::Quoted(_) | Kind::Text(_) | Kind::Symbol(_) | Kind::End => None,
        };
        let Some(index) = index else {
            return Err(self.unexpected(
                "an index from 0",
                "a key that is no word is written .\"odd name\"",
            ));
        };
        self.tokens.advance();
        if !self.tokens.accept_symbol("]") {
            return Err(self.unexpected("] after the index", "an index is a number from 0"));
        }
        Ok(Step::Index(index))
    }
}

const DEFINITION: &str = "a column is name TYPE [FROM source] [NOT NULL]";

/// Takes a column's name: a word, or any text in double quotes.
pub(super) fn name(tokens: &mut Tokens<'_>, text: &str, advice: &str) -> Result<String, Problem> {
    let span = tokens.token().span;
    let unexpected = |advice: &str| Problem::new(span, "a column's name", span.shown(text), advice);
    let name = match tokens.token().kind {
        Kind::Word(word) if is_reserved(word) => {
            return Err(unexpected(&format!(
                "{word} is a reserved word: write \"{word}\""
            )));
        }
        Kind::Word(word) => word.to_owned(),
        Kind::Quoted(raw) if !raw.is_empty() => unquoted(raw, '"'),
        Kind::Quoted(_) | Kind::Text(_) | Kind::Number(_) | Kind::Symbol(_) | Kind::End => {
            return Err(unexpected(advice));
        }
    };
    tokens.advance();
    Ok(name)
}

/// The source of a column that names none.
fn own_name(name: &str, family: Family, span: Span) -> Result<Source, Problem> {
    match family {
        Family::Json | Family::Stream | Family::Capture => {
            Ok(Source::Path(Path(vec![Step::Key(name.to_owned())])))
        }
        Family::Csv | Family::CsvWithoutHeader => header(name.to_owned(), family, span),
    }
}

fn header(name: String, family: Family, span: Span) -> Result<Source, Problem> {
    if family == Family::CsvWithoutHeader {
        let advice = "CSV_HEADER is absent, so that fields have no names: write FROM and the position, from 1";
        return Err(Problem::new(span, "FROM position", name, advice));
    }
    Ok(Source::Header(name))
}

fn position(digits: &str, span: Span) -> Result<Source, Problem> {
    match digits.parse() {
        Ok(position) if position > 0 => Ok(Source::Position(position)),
        _ => Err(Problem::new(
            span,
            "a position from 1",
            digits,
            "positions count the fields of a line, the first is 1",
        )),
    }
}
