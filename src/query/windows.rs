//! EVENT_TIME and SEQUENCE: which columns they name, and whether a query can be cut into windows by them (SPEC 3; the
//! end of SPEC 5).

use super::ast::Select;
use super::columns::name;
use super::lex::{Kind, Tokens};
use super::plan::{Bucket, Expr, Function, Node, Per, Plan, Sequence, Shape, Windows};
use super::{Problem, Span, same_name, suggest};
use crate::value::Type;
use crate::value::column::{Column, Form};

/// A column's name as it stands in EVENT_TIME or SEQUENCE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    name: String,
    span: Span,
}

/// SEQUENCE as it is written: `column BY column PER RUN` or `… PER CONNECTION`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    number: Named,
    key: Named,
    per: Per,
}

/// What decides which record goes into which window. Columns are counted in COLUMNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// EVENT_TIME
    pub event_time: usize,
    /// LATENESS_SECONDS, in microseconds.
    pub lateness_us: i64,
    /// SEQUENCE
    pub sequence: Option<Sequence>,
}

impl Named {
    /// Reads EVENT_TIME, a name as in a query: in double quotes where it is no plain word.
    ///
    /// # Errors
    /// Anything but one name.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let mut tokens = Tokens::new(text)?;
        let named = Self::take(&mut tokens, text, EVENT_TIME)?;
        end(&tokens, text, EVENT_TIME)?;
        Ok(named)
    }

    fn take(tokens: &mut Tokens<'_>, text: &str, advice: &str) -> Result<Self, Problem> {
        let span = tokens.token().span;
        let name = name(tokens, text, advice)?;
        Ok(Self { name, span })
    }

    /// The TIMESTAMP column of this name.
    ///
    /// # Errors
    /// There is none, or it is of another type.
    pub fn timestamp(&self, columns: &[Column]) -> Result<usize, Problem> {
        let (number, column) = self.find(columns)?;
        let advice =
            "declare it as TIMESTAMP, or as TIMESTAMP_MS and the like where it is an integer";
        match column.form.ty() == Type::Timestamp {
            true => Ok(number),
            false => Err(self.of_type(column, "a TIMESTAMP column", advice)),
        }
    }

    fn find<'c>(&self, columns: &'c [Column]) -> Result<(usize, &'c Column), Problem> {
        let mut numbered = columns.iter().enumerate();
        let found = numbered.find(|(_, column)| same_name(&column.name, &self.name));
        found.ok_or_else(|| {
            let names = || columns.iter().map(|column| column.name.as_str());
            let advice = match suggest::nearest(&self.name, names()) {
                Some(near) => format!("did you mean {near}?"),
                None => suggest::listed(names()),
            };
            Problem::new(self.span, "a column of COLUMNS", &self.name, advice)
        })
    }

    fn of_type(&self, column: &Column, expected: &str, advice: &str) -> Problem {
        let found = format!("{}, a {}", self.name, column.form.ty());
        Problem::new(self.span, expected, found, advice)
    }
}

impl Numbered {
    /// Reads SEQUENCE.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let mut tokens = Tokens::new(text)?;
        let number = Named::take(&mut tokens, text, SEQUENCE)?;
        word(&mut tokens, text, &["BY"])?;
        let key = Named::take(&mut tokens, text, SEQUENCE)?;
        word(&mut tokens, text, &["PER"])?;
        let per = match word(&mut tokens, text, &["RUN", "CONNECTION"])? {
            "RUN" => Per::Run,
            _ => Per::Connection,
        };
        end(&tokens, text, SEQUENCE)?;
        Ok(Self { number, key, per })
    }

    /// The columns of these names.
    ///
    /// # Errors
    /// There is no such column, the number is no BIGINT, or both are one.
    pub fn columns(&self, columns: &[Column]) -> Result<Sequence, Problem> {
        let (number, column) = self.number.find(columns)?;
        if column.form != Form::Plain(Type::BigInt) {
            let advice = "a number that rises by one is declared as BIGINT";
            return Err(self.number.of_type(column, "a BIGINT column", advice));
        }
        let (key, _) = self.key.find(columns)?;
        if key == number {
            let advice = "what is numbered: a column that is the same in all records of one count, such as a symbol";
            return Err(Problem::new(
                self.key.span,
                "another column after BY",
                &self.key.name,
                advice,
            ));
        }
        Ok(Sequence {
            number,
            key,
            per: self.per,
        })
    }
}

const EVENT_TIME: &str =
    "EVENT_TIME is the name of one column, in double quotes where it is no plain word";
const SEQUENCE: &str = "SEQUENCE is column BY column PER RUN, or … PER CONNECTION";

/// Takes one of these words, in capitals or not.
fn word(
    tokens: &mut Tokens<'_>,
    text: &str,
    words: &[&'static str],
) -> Result<&'static str, Problem> {
    let found = words.iter().find(|word| tokens.accept_word(word));
    found.copied().ok_or_else(|| {
        let span = tokens.token().span;
        Problem::new(span, words.join(" or "), span.shown(text), SEQUENCE)
    })
}

fn end(tokens: &Tokens<'_>, text: &str, advice: &str) -> Result<(), Problem> {
    let token = tokens.token();
    match token.kind {
        Kind::End => Ok(()),
        Kind::Word(_) | Kind::Quoted(_) | Kind::Text(_) | Kind::Number(_) | Kind::Symbol(_) => Err(
            Problem::new(token.span, "the end", token.span.shown(text), advice),
        ),
    }
}

impl Terms {
    /// The columns that must be read for them.
    pub(super) fn columns(&self) -> impl Iterator<Item = usize> {
        let sequence = self.sequence.into_iter();
        sequence
            .flat_map(|sequence| [sequence.number, sequence.key])
            .chain([self.event_time])
    }

    /// How `plan`, which is that of `select`, is cut into windows.
    ///
    /// Errors: it is row-wise or orders its rows, or does not group by exactly one `time_bucket(…, EVENT_TIME)`.
    pub(super) fn cut(
        &self,
        plan: &Plan,
        select: &Select,
        text: &str,
        columns: &[Column],
    ) -> Result<Windows, Problem> {
        let column = columns.get(self.event_time);
        let bucket = format!(
            "time_bucket(…, {})",
            column.map_or("EVENT_TIME", |column| &column.name)
        );
        refuse_whole_results(select, text)?;
        let groups = match &plan.shape {
            Shape::Groups(groups) if groups.distinct.is_none() => groups,
            Shape::Groups(_) => {
                let advice = "rows go out when their window closes and are not compared with later ones: leave DISTINCT out";
                let span = select.distinct.unwrap_or_default();
                let expected = "groups without DISTINCT over windows";
                return Err(Problem::new(span, expected, "DISTINCT", advice));
            }
            Shape::Rows(rows) => {
                let span = rows
                    .outputs
                    .first()
                    .map_or(Span::default(), |output| output.span);
                let advice = format!(
                    "a result goes out window by window: write GROUP BY {bucket} and an INTERVAL for …"
                );
                return Err(Problem::new(
                    span,
                    format!("a query that groups by {bucket}"),
                    "a query without groups",
                    advice,
                ));
            }
        };
        // The plan counts in the columns that it reads, and these are among them.
        let place = |column| plan.columns.binary_search(&column).unwrap_or_default();
        let event_time = place(self.event_time);
        let mut windows = (0..)
            .zip(&groups.keys)
            .filter_map(|(key, expr)| Some((key, expr.span, window(expr, event_time)?)));
        let first = windows.next();
        if let Some((_, span, _)) = windows.next() {
            return Err(Problem::new(
                span,
                format!("exactly one {bucket} in GROUP BY"),
                format!("a second one, {}", span.shown(text)),
                "a record is in one window",
            ));
        }
        let Some((key, _, bucket_width)) = first else {
            return Err(no_window(
                groups.keys.first(),
                &groups.outputs,
                &bucket,
                text,
            ));
        };
        Ok(Windows {
            event_time,
            key,
            bucket: bucket_width,
            lateness_us: self.lateness_us,
            sequence: self.sequence.map(|sequence| Sequence {
                number: place(sequence.number),
                key: place(sequence.key),
                per: sequence.per,
            }),
        })
    }
}

/// The width of the window that `key` is, if it is one.
fn window(key: &Expr, event_time: usize) -> Option<Bucket> {
    let Node::Call(Function::TimeBucket(bucket), args) = &key.node else {
        return None;
    };
    let of_event_time = args.iter().all(|arg| arg.node == Node::Column(event_time));
    of_event_time.then_some(*bucket)
}

/// What needs all rows of the result at once.
fn refuse_whole_results(select: &Select, text: &str) -> Result<(), Problem> {
    let advice = "rows come window by window, and by their group keys inside one: leave it out";
    if let Some(first) = select.order_by.first() {
        let found = format!("ORDER BY {}", first.expr.span.shown(text));
        let expected = "no ORDER BY over windows";
        return Err(Problem::new(first.expr.span, expected, found, advice));
    }
    match select.limit {
        None => Ok(()),
        Some(limit) => {
            let expected = "no LIMIT over windows";
            let found = limit.span.shown(text);
            Err(Problem::new(limit.span, expected, found, advice))
        }
    }
}

fn no_window(key: Option<&Expr>, outputs: &[Expr], bucket: &str, text: &str) -> Problem {
    let (span, found) = match (key, outputs.first()) {
        (Some(key), _) => (
            key.span,
            format!("GROUP BY {} and no such window", key.span.shown(text)),
        ),
        (None, Some(output)) => (output.span, "one group of everything".to_owned()),
        (None, None) => (Span::default(), "no group".to_owned()),
    };
    let advice = "write the width of the windows, such as INTERVAL '1 minute', in place of …";
    Problem::new(span, format!("{bucket} in GROUP BY"), found, advice)
}
