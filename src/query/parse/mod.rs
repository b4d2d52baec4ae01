//! Tokens to a tree, by recursive descent: this file has the clauses, `expr` and
//! `primary` the expressions, `refused` the table of
//! what is known and not taken (SPEC 5; SQL.md, Names). Nothing here knows a column or a type of a value.

mod expr;
mod primary;
mod refused;

use std::cell::Cell;
use std::rc::Rc;

use super::ast::{GroupBy, Item, Limit, Name, OrderItem, Select};
use super::lex::{Kind, Tokens, unquoted};
use super::plan::{Direction, Nulls};
use super::{Problem, Span, same_name, suggest};
use crate::limits::{EXPRESSION_DEPTH, QUERY_BYTES};

/// The tree of `text`, one SELECT.
///
/// Errors: text longer than [`QUERY_BYTES`], nesting deeper than [`EXPRESSION_DEPTH`], a syntax error, a construct
/// that is refused by name.
pub(super) fn parse(text: &str) -> Result<Select, Problem> {
    if text.len() > QUERY_BYTES {
        let bytes = text.len();
        return Err(Problem::new(
            Span::default(),
            format!("a query of at most {QUERY_BYTES} bytes"),
            format!("{bytes} bytes"),
            "shorten it",
        ));
    }
    let mut parser = Parser {
        text,
        tokens: Tokens::new(text)?,
        depth: Depth::default(),
    };
    let select = parser.select()?;
    parser.end()?;
    Ok(select)
}

/// Words that are no names unless they are quoted.
///
/// Source: DuckDB 2.0.0, `duckdb_keywords()`, category reserved.
#[rustfmt::skip]
const RESERVED: [&str; 75] = [
    "ALL", "ANALYSE", "ANALYZE", "AND", "ANY", "ARRAY", "AS", "ASC",
    "ASYMMETRIC", "BOTH", "CASE", "CAST", "CHECK", "COLLATE", "COLUMN", "CONSTRAINT",
    "CREATE", "DEFAULT", "DEFERRABLE", "DESC", "DESCRIBE", "DISTINCT", "DO", "ELSE",
    "END", "EXCEPT", "FALSE", "FETCH", "FOR", "FOREIGN", "FROM", "GROUP",
    "HAVING", "IN", "INITIALLY", "INTERSECT", "INTO", "LAMBDA", "LATERAL", "LEADING",
    "LIMIT", "NOT", "NULL", "OFFSET", "ON", "ONLY", "OR", "ORDER",
    "PIVOT", "PIVOT_LONGER", "PIVOT_WIDER", "PLACING", "PRIMARY", "QUALIFY", "REFERENCES", "RETURNING",
    "SELECT", "SHOW", "SOME", "SUMMARIZE", "SYMMETRIC", "TABLE", "THEN", "TO",
    "TRAILING", "TRUE", "UNION", "UNIQUE", "UNPIVOT", "USING", "VARIADIC", "WHEN",
    "WHERE", "WINDOW", "WITH",
];

/// Whether `word` must be quoted to be a name.
pub(super) fn is_reserved(word: &str) -> bool {
    RESERVED.iter().any(|reserved| same_name(reserved, word))
}

/// Keywords that may follow a complete clause, for "did you mean".
const CLAUSES: [&str; 9] = [
    "FROM", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "AND", "OR", "BETWEEN",
];

fn is_clause(word: &str) -> bool {
    CLAUSES.iter().any(|clause| same_name(clause, word))
}

struct Parser<'a> {
    text: &'a str,
    tokens: Tokens<'a>,
    depth: Depth,
}

/// How deep the parser is nested. What is entered is left when the guard is dropped, so that every early return is
/// right.
#[derive(Default)]
struct Depth(Rc<Cell<usize>>);

struct Entered(Rc<Cell<usize>>);

impl Depth {
    fn enter(&self, span: Span) -> Result<Entered, Problem> {
        let depth = self.0.get() + 1;
        if depth > EXPRESSION_DEPTH {
            return Err(Problem::new(
                span,
                format!("expressions nested at most {EXPRESSION_DEPTH} deep"),
                "one level more",
                "give parts of it a name with AS and use the name",
            ));
        }
        self.0.set(depth);
        Ok(Entered(Rc::clone(&self.0)))
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

impl Parser<'_> {
    fn expect_word(&mut self, word: &str, expected: &str) -> Result<Span, Problem> {
        if self.tokens.at_word(word) {
            return Ok(self.tokens.advance().span);
        }
        Err(self.unexpected(expected))
    }

    fn expect_symbol(&mut self, symbol: &str, expected: &str) -> Result<Span, Problem> {
        if self.tokens.at_symbol(symbol) {
            return Ok(self.tokens.advance().span);
        }
        Err(self.unexpected(expected))
    }

    /// The problem of the token here, which is not what was `expected`: refused by name where it is known.
    fn unexpected(&self, expected: &str) -> Problem {
        let token = self.tokens.token();
        let known = match token.kind {
            Kind::Word(word) => refused::word(word, token.span),
            Kind::Symbol(symbol) => refused::symbol(symbol, token.span),
            Kind::Quoted(_) | Kind::Text(_) | Kind::Number(_) | Kind::End => None,
        };
        known.unwrap_or_else(|| {
            let found = token.span.shown(self.text);
            Problem::new(token.span, expected, found, self.advice())
        })
    }

    /// What to do about the token here, which is in the wrong place.
    fn advice(&self) -> String {
        let token = self.tokens.token();
        let at_start = token.span.start == self.tokens.first().start;
        let Kind::Word(word) = token.kind else {
            return if token.kind == Kind::End {
                ORDER_OF_CLAUSES
            } else {
                LOOK_BEFORE
            }
            .to_owned();
        };
        let clause = is_clause(word);
        let near = suggest::nearest(
            word,
            CLAUSES.iter().copied().chain(at_start.then_some("SELECT")),
        );
        match near {
            _ if clause && self.tokens.after_symbol(",") => "remove the comma before it".to_owned(),
            _ if clause => ORDER_OF_CLAUSES.to_owned(),
            _ if is_reserved(word) => LOOK_BEFORE.to_owned(),
            Some(near) => format!("did you mean {near}?"),
            None if at_start => ORDER_OF_CLAUSES.to_owned(),
            None => LOOK_BEFORE.to_owned(),
        }
    }
}

const LOOK_BEFORE: &str =
    "look at what stands before it, and whether an operator or a comma is missing";
const ORDER_OF_CLAUSES: &str =
    "a query is SELECT … FROM input [WHERE …] [GROUP BY …] [HAVING …] [ORDER BY …] [LIMIT …]";

/// The clauses.
impl Parser<'_> {
    fn select(&mut self) -> Result<Select, Problem> {
        self.expect_word("SELECT", "SELECT")?;
        let distinct = self
            .tokens
            .at_word("DISTINCT")
            .then(|| self.tokens.advance().span);
        if distinct.is_some() && self.tokens.at_word("ON") {
            return Err(refused::DISTINCT_ON.at(self.tokens.token().span));
        }
        let items = self.items()?;
        self.from()?;
        let filter = self
            .tokens
            .accept_word("WHERE")
            .then(|| self.expression())
            .transpose()?;
        let group_by = self.group_by()?;
        let having = self
            .tokens
            .accept_word("HAVING")
            .then(|| self.expression())
            .transpose()?;
        let order_by = self.order_by()?;
        let limit = self.limit()?;
        Ok(Select {
            distinct,
            items,
            filter,
            group_by,
            having,
            order_by,
            limit,
        })
    }

    fn end(&mut self) -> Result<(), Problem> {
        while self.tokens.accept_symbol(";") {}
        if self.tokens.token().kind == Kind::End {
            return Ok(());
        }
        if self.tokens.at_word("SELECT") {
            let token = self.tokens.token();
            let found = token.span.shown(self.text);
            return Err(Problem::new(
                token.span,
                "the end of the query",
                found,
                "a query is one SELECT",
            ));
        }
        Err(self.unexpected("the end of the query"))
    }

    fn items(&mut self) -> Result<Vec<Item>, Problem> {
        let mut items = vec![self.item()?];
        while self.tokens.accept_symbol(",") {
            items.push(self.item()?);
        }
        Ok(items)
    }

    fn item(&mut self) -> Result<Item, Problem> {
        if self.tokens.at_symbol("*") {
            let star = self.tokens.advance().span;
            if let Some(problem) = refused::after_star(self.tokens.token()) {
                return Err(problem);
            }
            return Ok(Item::Star(star));
        }
        let expr = self.expression()?;
        if self.tokens.accept_word("AS") {
            let alias = Some(self.label()?);
            return Ok(Item::Expr { expr, alias });
        }
        self.no_bare_alias()?;
        Ok(Item::Expr { expr, alias: None })
    }

    /// DuckDB takes a name without AS, and so a forgotten comma; SQL.md wants AS.
    fn no_bare_alias(&self) -> Result<(), Problem> {
        let token = self.tokens.token();
        let name = match token.kind {
            Kind::Word(word) if is_reserved(word) || refused::word(word, token.span).is_some() => {
                return Ok(());
            }
            Kind::Word(_) | Kind::Quoted(_) => token.span.shown(self.text),
            Kind::Text(_) | Kind::Number(_) | Kind::Symbol(_) | Kind::End => return Ok(()),
        };
        let advice = match suggest::nearest(&name, CLAUSES) {
            Some(near) => format!("did you mean {near}? As the item's name it needs AS: AS {name}"),
            None => format!("put a comma before it, or AS where it is the item's name: AS {name}"),
        };
        Err(Problem::new(
            token.span,
            "a comma, AS or FROM",
            name,
            advice,
        ))
    }

    /// The name after AS: any word, as in DuckDB.
    fn label(&mut self) -> Result<Name, Problem> {
        let token = self.tokens.token();
        // `AS FROM input` is a forgotten name, though FROM could be one.
        let forgotten = self.tokens.at_word("FROM") && self.tokens.word_ahead(1, "input");
        let text = match token.kind {
            Kind::Word(word) if !forgotten => word.to_owned(),
            Kind::Quoted(raw) if !raw.is_empty() => unquoted(raw, '"'),
            Kind::Word(_)
            | Kind::Quoted(_)
            | Kind::Text(_)
            | Kind::Number(_)
            | Kind::Symbol(_)
            | Kind::End => {
                let found = token.span.shown(self.text);
                let advice = "names are words, or stand in double quotes";
                return Err(Problem::new(token.span, "a name after AS", found, advice));
            }
        };
        self.tokens.advance();
        Ok(Name {
            text,
            span: token.span,
        })
    }

    fn from(&mut self) -> Result<(), Problem> {
        self.expect_word("FROM", "a comma or FROM")?;
        if self.tokens.at_symbol("(") {
            return Err(refused::SUBQUERY.at(self.tokens.token().span));
        }
        let token = self.tokens.token();
        let is_input = match token.kind {
            Kind::Word(word) => same_name(word, "input"),
            Kind::Quoted(raw) => same_name(raw, "input"),
            Kind::Text(_) | Kind::Number(_) | Kind::Symbol(_) | Kind::End => {
                return Err(self.unexpected("input"));
            }
        };
        if !is_input {
            if let Kind::Word(word) = token.kind
                && let Some(problem) = refused::word(word, token.span)
            {
                return Err(problem);
            }
            let advice = "the one table is named input: what it holds is said by INPUT and COLUMNS";
            return Err(Problem::new(
                token.span,
                "input",
                token.span.shown(self.text),
                advice,
            ));
        }
        self.tokens.advance();
        self.after_input()
    }

    /// Refuses what would join something to `input` or rename it.
    fn after_input(&self) -> Result<(), Problem> {
        let token = self.tokens.token();
        let name_at = usize::from(self.tokens.at_word("AS"));
        let is_name = match self.tokens.ahead(name_at).kind {
            Kind::Word(word) => !is_reserved(word) && !self.is_slip(word),
            Kind::Quoted(_) => true,
            Kind::Text(_) | Kind::Number(_) | Kind::Symbol(_) | Kind::End => false,
        };
        // A join is worse than the name before it.
        for tokens in [0, if is_name { name_at + 1 } else { 0 }] {
            let token = self.tokens.ahead(tokens);
            if token.kind == Kind::Symbol(",") {
                return Err(refused::JOIN.at(token.span));
            }
            if let Kind::Word(word) = token.kind
                && let Some(problem) = refused::word(word, token.span)
            {
                return Err(problem);
            }
        }
        if is_name {
            return Err(refused::TABLE_ALIAS.at(token.span));
        }
        Ok(())
    }

    /// Whether `word`, which follows FROM input, is a misspelt clause rather than a name: an operand or BY follows.
    fn is_slip(&self, word: &str) -> bool {
        let is_clause = |tokens| {
            CLAUSES
                .iter()
                .any(|clause| self.tokens.word_ahead(tokens, clause))
        };
        let more =
            !matches!(self.tokens.ahead(1).kind, Kind::End | Kind::Symbol(_)) && !is_clause(1);
        more && suggest::nearest(word, CLAUSES).is_some()
    }

    fn group_by(&mut self) -> Result<Option<GroupBy>, Problem> {
        if !self.tokens.accept_word("GROUP") {
            return Ok(None);
        }
        self.expect_word("BY", "BY after GROUP")?;
        if self.tokens.accept_word("ALL") {
            return Ok(Some(GroupBy::All));
        }
        let mut items = vec![self.group_item()?];
        while self.tokens.accept_symbol(",") {
            items.push(self.group_item()?);
        }
        Ok(Some(GroupBy::Items(items)))
    }

    fn group_item(&mut self) -> Result<super::ast::Expr, Problem> {
        let token = self.tokens.token();
        let several = self.tokens.at_word("GROUPING") && self.tokens.word_ahead(1, "SETS")
            || (self.tokens.at_word("ROLLUP") || self.tokens.at_word("CUBE"))
                && self.tokens.symbol_ahead(1, "(")
            || self.tokens.at_symbol("(") && self.tokens.symbol_ahead(1, ")");
        if several {
            return Err(refused::GROUPING_SETS.at(token.span));
        }
        self.expression()
    }

    fn order_by(&mut self) -> Result<Vec<OrderItem>, Problem> {
        if !self.tokens.accept_word("ORDER") {
            return Ok(Vec::new());
        }
        self.expect_word("BY", "BY after ORDER")?;
        if self.tokens.at_word("ALL") {
            return Err(refused::ORDER_BY_ALL.at(self.tokens.token().span));
        }
        let mut items = vec![self.order_item()?];
        while self.tokens.accept_symbol(",") {
            items.push(self.order_item()?);
        }
        Ok(items)
    }

    fn order_item(&mut self) -> Result<OrderItem, Problem> {
        let expr = self.expression()?;
        let direction = if self.tokens.accept_word("DESC") {
            Direction::Descending
        } else {
            self.tokens.accept_word("ASC");
            Direction::Ascending
        };
        let nulls = match self.tokens.accept_word("NULLS") {
            false => Nulls::Last,
            true if self.tokens.accept_word("FIRST") => Nulls::First,
            true if self.tokens.accept_word("LAST") => Nulls::Last,
            true => return Err(self.unexpected("FIRST or LAST after NULLS")),
        };
        Ok(OrderItem {
            expr,
            direction,
            nulls,
        })
    }

    fn limit(&mut self) -> Result<Option<Limit>, Problem> {
        let start = self.tokens.token().span;
        if !self.tokens.accept_word("LIMIT") {
            return Ok(None);
        }
        let token = self.tokens.token();
        let rows = match token.kind {
            Kind::Number(digits) => digits.parse().ok(),
            Kind::Word(_) | Kind::Quoted(_) | Kind::Text(_) | Kind::Symbol(_) | Kind::End => None,
        };
        let Some(rows) = rows else {
            let found = token.span.shown(self.text);
            let advice = "write the number of rows as digits";
            return Err(Problem::new(
                token.span,
                "a whole number of rows after LIMIT",
                found,
                advice,
            ));
        };
        self.tokens.advance();
        let span = start.to(token.span);
        Ok(Some(Limit { rows, span }))
    }
}
