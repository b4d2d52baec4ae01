//! What stands by itself in an expression: literals, names, calls, CASE, CAST, EXTRACT, INTERVAL.

use super::super::ast::{Call, Expr, Name, Node, OnFailure};
use super::super::lex::{Kind, Token, unquoted};
use super::super::{Problem, same_name, types, units};
use super::expr::Level;
use super::{Parser, is_clause, is_reserved, refused};
use crate::value::Type;
use crate::value::column::Form;

impl Parser<'_> {
    pub(super) fn primary(&mut self) -> Result<Expr, Problem> {
        let token = self.tokens.token();
        match token.kind {
            Kind::Number(digits) => self.literal(Node::Number(digits.to_owned())),
            Kind::Text(raw) => self.literal(Node::Text(unquoted(raw, '\''))),
            Kind::Symbol("(") => self.parenthesised(),
            Kind::Quoted(raw) => self.name(unquoted(raw, '"')),
            Kind::Word(word) => self.word(word, token),
            Kind::Symbol(_) | Kind::End => Err(self.unexpected("an expression")),
        }
    }

    fn literal(&mut self, node: Node) -> Result<Expr, Problem> {
        let span = self.tokens.advance().span;
        self.node(node, span)
    }

    fn parenthesised(&mut self) -> Result<Expr, Problem> {
        let start = self.tokens.advance().span;
        if self.tokens.at_word("FROM") {
            return Err(refused::SUBQUERY.at(self.tokens.token().span));
        }
        let mut expr = self.nested(Level::Or)?;
        if self.tokens.at_symbol(",") {
            let advice = "windrow has no rows as values: compare column by column";
            return Err(Problem::new(
                self.tokens.token().span,
                ") to end the parentheses",
                ",",
                advice,
            ));
        }
        self.expect_symbol(")", ") to end the parentheses")?;
        expr.span = self.tokens.since(start);
        Ok(expr)
    }

    /// A word that begins an expression: a keyword with a form of its own, a function or a name.
    fn word(&mut self, word: &str, token: Token<'_>) -> Result<Expr, Problem> {
        let is = |known| same_name(word, known);
        let called = self.tokens.symbol_ahead(1, "(");
        if is("SELECT") {
            return Err(refused::SUBQUERY.at(token.span));
        }
        if is("NULL") {
            return self.literal(Node::Null);
        }
        if is("TRUE") || is("FALSE") {
            return self.literal(Node::Boolean(is("TRUE")));
        }
        if is("CASE") {
            return self.case();
        }
        if called && (is("CAST") || is("TRY_CAST")) {
            return self.cast_call(if is("CAST") {
                OnFailure::Error
            } else {
                OnFailure::Null
            });
        }
        if called && is("EXTRACT") {
            return self.extract();
        }
        if is("INTERVAL") && self.interval_ahead() {
            return self.interval();
        }
        if matches!(self.tokens.ahead(1).kind, Kind::Text(_)) {
            return self.typed_text(word, token);
        }
        if is_reserved(word) {
            return Err(self.reserved(word, token));
        }
        if called && is("EXISTS") {
            return Err(refused::SUBQUERY.at(token.span));
        }
        if called {
            return self.call(word);
        }
        self.name(word.to_owned())
    }

    /// The problem of a reserved word where an expression begins. Where what follows would fit a name, it was meant
    /// as one.
    fn reserved(&self, word: &str, token: Token<'_>) -> Problem {
        let fits = match self.tokens.ahead(1).kind {
            Kind::Symbol(_) | Kind::End => true,
            Kind::Word(next) => same_name(next, "FROM"),
            Kind::Quoted(_) | Kind::Text(_) | Kind::Number(_) => false,
        };
        let other = refused::word(word, token.span).is_some()
            || self.tokens.after_symbol(",") && is_clause(word);
        if !fits || other {
            return self.unexpected("an expression");
        }
        let found = token.span.shown(self.text);
        let advice =
            format!("{word} is a reserved word: a column of that name is written \"{word}\"");
        Problem::new(token.span, "an expression", found, advice)
    }

    /// Whether what follows the word INTERVAL makes it one, and no name.
    fn interval_ahead(&self) -> bool {
        match self.tokens.ahead(1).kind {
            Kind::Text(_) | Kind::Number(_) | Kind::Symbol("(") => true,
            Kind::Symbol("-") => matches!(self.tokens.ahead(2).kind, Kind::Number(_)),
            Kind::Word(_) | Kind::Quoted(_) | Kind::Symbol(_) | Kind::End => false,
        }
    }

    /// `TIMESTAMP '…'`: a text with its type before it. Others are refused.
    fn typed_text(&mut self, word: &str, token: Token<'_>) -> Result<Expr, Problem> {
        if same_name(word, "TIMESTAMP") {
            self.tokens.advance();
            let text = self.primary()?;
            let span = self.tokens.since(token.span);
            return self.node(
                Node::Cast(OnFailure::Error, Box::new(text), Type::Timestamp),
                span,
            );
        }
        if same_name(word, "DATE") {
            let advice = "there is no DATE: write TIMESTAMP 'YYYY-MM-DD'";
            return Err(Problem::new(token.span, "a type of windrow", word, advice));
        }
        if is_reserved(word) {
            return Err(self.unexpected("an expression"));
        }
        self.tokens.advance();
        Err(match word {
            "e" | "E" | "x" | "X" | "b" | "B" => {
                refused::TEXT_PREFIX.at(self.tokens.since(token.span))
            }
            _ => self.unexpected("an operator, a comma or the next clause"),
        })
    }

    /// `name` or `input.name`. Whether the table is `input` is asked by the checker: a join is refused first.
    fn name(&mut self, name: String) -> Result<Expr, Problem> {
        let span = self.tokens.advance().span;
        if name.is_empty() {
            let advice = "a name has one character at least";
            return Err(Problem::new(span, "a name", "\"\"", advice));
        }
        if !self.tokens.accept_symbol(".") {
            let table = None;
            return self.node(Node::Name { table, name }, span);
        }
        let table = Some(Name { text: name, span });
        let token = self.tokens.token();
        let name = match token.kind {
            Kind::Word(word) => word.to_owned(),
            Kind::Quoted(raw) => unquoted(raw, '"'),
            Kind::Symbol("*") => {
                let advice = "write * alone: there is one table";
                return Err(Problem::new(
                    token.span,
                    "a column after the point",
                    "*",
                    advice,
                ));
            }
            Kind::Text(_) | Kind::Number(_) | Kind::Symbol(_) | Kind::End => {
                return Err(self.unexpected("a column after the point"));
            }
        };
        self.tokens.advance();
        self.node(Node::Name { table, name }, span)
    }

    fn case(&mut self) -> Result<Expr, Problem> {
        let start = self.tokens.advance().span;
        let operand = match self.tokens.at_word("WHEN") {
            true => None,
            false => Some(Box::new(self.nested(Level::Or)?)),
        };
        let mut arms = Vec::new();
        while self.tokens.accept_word("WHEN") {
            let when = self.nested(Level::Or)?;
            self.expect_word("THEN", "THEN")?;
            arms.push((when, self.nested(Level::Or)?));
        }
        if arms.is_empty() {
            return Err(self.unexpected("WHEN"));
        }
        let otherwise = match self.tokens.accept_word("ELSE") {
            true => Some(Box::new(self.nested(Level::Or)?)),
            false => None,
        };
        self.expect_word("END", "WHEN, ELSE or END")?;
        let node = Node::Case {
            operand,
            arms,
            otherwise,
        };
        self.node(node, start)
    }

    fn cast_call(&mut self, on_failure: OnFailure) -> Result<Expr, Problem> {
        let start = self.tokens.advance().span;
        self.tokens.advance();
        let arg = self.nested(Level::Or)?;
        self.expect_word("AS", "AS and a type")?;
        let ty = self.cast_type()?;
        self.expect_symbol(")", ") after the type")?;
        let span = self.tokens.since(start);
        let mut cast = self.cast(on_failure, arg, ty)?;
        cast.span = span;
        Ok(cast)
    }

    pub(super) fn cast(&self, on_failure: OnFailure, arg: Expr, ty: Type) -> Result<Expr, Problem> {
        let start = arg.span;
        self.node(Node::Cast(on_failure, Box::new(arg), ty), start)
    }

    pub(super) fn cast_type(&mut self) -> Result<Type, Problem> {
        let span = self.tokens.token().span;
        match types::form(&mut self.tokens, self.text)? {
            Form::Plain(ty) => Ok(ty),
            Form::Epoch { .. } | Form::Nanoseconds => {
                let advice = "it says how COLUMNS are read: write TIMESTAMP here";
                Err(Problem::new(
                    span,
                    "a type of a value",
                    span.shown(self.text),
                    advice,
                ))
            }
        }
    }

    /// `extract(unit FROM value)`, as `date_part('unit', value)`.
    fn extract(&mut self) -> Result<Expr, Problem> {
        let name = self.tokens.advance();
        self.tokens.advance();
        let token = self.tokens.token();
        let unit = match token.kind {
            Kind::Word(word) => word.to_owned(),
            Kind::Text(raw) => raw.to_owned(),
            Kind::Quoted(_) | Kind::Number(_) | Kind::Symbol(_) | Kind::End => {
                return Err(self.unexpected("a unit such as hour"));
            }
        };
        let unit = self.literal(Node::Text(unit))?;
        self.expect_word("FROM", "FROM after the unit")?;
        let value = self.nested(Level::Or)?;
        self.expect_symbol(")", ") to end extract")?;
        let call = Call {
            name: Name {
                text: "date_part".to_owned(),
                span: name.span,
            },
            args: vec![unit, value],
            star: None,
            distinct: None,
            filter: None,
        };
        self.node(Node::Call(call), name.span)
    }

    /// `INTERVAL '…'`, `INTERVAL '…' UNIT`, `INTERVAL n UNIT`.
    fn interval(&mut self) -> Result<Expr, Problem> {
        let start = self.tokens.advance().span;
        let token = self.tokens.advance();
        let (text, alone) = match token.kind {
            Kind::Text(raw) => (raw, true),
            Kind::Number(digits) => (digits, false),
            Kind::Word(_) | Kind::Quoted(_) | Kind::Symbol(_) | Kind::End => {
                let advice =
                    "an interval is constant: write INTERVAL '90 seconds' or INTERVAL 5 MINUTE";
                let found = token.span.shown(self.text);
                return Err(Problem::new(
                    token.span,
                    "a text or a number after INTERVAL",
                    found,
                    advice,
                ));
            }
        };
        let unit = match self.tokens.token().kind {
            Kind::Word(word) => units::unit(word),
            Kind::Quoted(_) | Kind::Text(_) | Kind::Number(_) | Kind::Symbol(_) | Kind::End => None,
        };
        if unit.is_some() {
            self.tokens.advance();
        } else if !alone {
            return Err(self.unexpected("a unit such as MINUTE after the number"));
        }
        let interval = units::interval(text, unit).map_err(|expected| {
            let advice = "an interval is numbers with units, such as INTERVAL '1 day 90 seconds'";
            Problem::new(token.span, expected, token.span.shown(self.text), advice)
        })?;
        self.node(Node::Interval(interval), start)
    }

    fn call(&mut self, word: &str) -> Result<Expr, Problem> {
        let start = self.tokens.advance().span;
        self.tokens.advance();
        let name = Name {
            text: word.to_owned(),
            span: start,
        };
        let distinct = self
            .tokens
            .at_word("DISTINCT")
            .then(|| self.tokens.advance().span);
        let star = self
            .tokens
            .at_symbol("*")
            .then(|| self.tokens.advance().span);
        let no_args = star.is_some() || distinct.is_none() && self.tokens.at_symbol(")");
        let args = if no_args {
            Vec::new()
        } else {
            self.expressions()?
        };
        if self.tokens.at_word("ORDER") {
            return Err(refused::ORDER_INSIDE.at(self.tokens.token().span));
        }
        self.expect_symbol(")", "a comma or ) after an argument")?;
        let span = self.tokens.since(start);
        let filter = self.call_filter()?;
        if self.tokens.at_word("OVER") {
            return Err(refused::WINDOW.at(self.tokens.token().span));
        }
        let call = Call {
            name,
            args,
            star,
            distinct,
            filter,
        };
        self.node(Node::Call(call), span)
    }

    fn call_filter(&mut self) -> Result<Option<Box<Expr>>, Problem> {
        if !(self.tokens.at_word("FILTER") && self.tokens.symbol_ahead(1, "(")) {
            return Ok(None);
        }
        self.tokens.advance();
        self.tokens.advance();
        self.expect_word("WHERE", "WHERE in FILTER (WHERE …)")?;
        let filter = self.nested(Level::Or)?;
        self.expect_symbol(")", ") to end FILTER")?;
        Ok(Some(Box::new(filter)))
    }
}
