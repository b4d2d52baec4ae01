//! Expressions, by precedence climbing. What recurses enters the depth guard; what only grows, such as a long sum,
//! is held by the height of the tree.

use super::super::ast::{Binary, Call, Expr, Name, Node, Not, OnFailure, Qualified, Unary};
use super::super::lex::{Kind, Token, unquoted};
use super::super::types::{self, Written};
use super::super::{Problem, Span, same_name, units};
use super::{Parser, is_reserved, refused};
use crate::limits::EXPRESSION_HEIGHT;
use crate::value::Type;
use crate::value::column::Form;

/// How tightly an operator binds, loosest first.
///
/// Source: DuckDB 2.0.0 (PostgreSQL's grammar): IS below comparison, BETWEEN, IN and LIKE above it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Or,
    And,
    Not,
    Is,
    Comparison,
    Range,
    Concat,
    Sum,
    Product,
    Sign,
    Cast,
}

/// An operator that stands after its left side.
#[derive(Clone, Copy)]
enum Infix {
    Or,
    And,
    Is,
    /// BETWEEN, IN, LIKE, with NOT before them or not.
    Range(Not),
    Concat,
    Binary(Binary),
    Cast,
}

impl Parser<'_> {
    /// One expression, whole.
    pub(super) fn expression(&mut self) -> Result<Expr, Problem> {
        self.climb(Level::Or)
    }

    /// An expression inside another: one level of nesting deeper.
    fn nested(&mut self, level: Level) -> Result<Expr, Problem> {
        let _entered = self.depth.enter(self.tokens.token().span)?;
        self.climb(level)
    }

    /// An expression of operators that bind at least as tightly as `level`.
    fn climb(&mut self, level: Level) -> Result<Expr, Problem> {
        let mut left = self.prefix()?;
        while let Some((infix, binds)) = self.infix() {
            if binds < level {
                break;
            }
            left = self.apply(infix, left)?;
        }
        Ok(left)
    }

    /// The node, unless the tree grows too high to be walked by recursion.
    fn node(&self, node: Node, start: Span) -> Result<Expr, Problem> {
        let expr = Expr::new(node, self.tokens.since(start));
        if expr.height() > EXPRESSION_HEIGHT {
            return Err(Problem::new(
                expr.span,
                format!("an expression of at most {EXPRESSION_HEIGHT} levels"),
                "one level more",
                "split a long chain of operators by parentheses: (a + b) + (c + d)",
            ));
        }
        Ok(expr)
    }

    fn prefix(&mut self) -> Result<Expr, Problem> {
        let token = self.tokens.token();
        let (unary, level) = match token.kind {
            Kind::Word(word) if same_name(word, "NOT") => (Unary::Not, Level::Not),
            Kind::Symbol("-") => (Unary::Minus, Level::Sign),
            Kind::Symbol("+") => (Unary::Plus, Level::Sign),
            Kind::Word(_)
            | Kind::Quoted(_)
            | Kind::Text(_)
            | Kind::Number(_)
            | Kind::Symbol(_)
            | Kind::End => {
                return self.primary();
            }
        };
        self.tokens.advance();
        let arg = self.nested(level)?;
        self.node(Node::Unary(unary, Box::new(arg)), token.span)
    }

    /// The operator here, if there is one.
    fn infix(&self) -> Option<(Infix, Level)> {
        let binary = |binary, level| Some((Infix::Binary(binary), level));
        match self.tokens.token().kind {
            Kind::Symbol(symbol) => match symbol {
                "=" | "==" => binary(Binary::Equal, Level::Comparison),
                "<>" | "!=" => binary(Binary::NotEqual, Level::Comparison),
                "<" => binary(Binary::Less, Level::Comparison),
                "<=" => binary(Binary::LessOrEqual, Level::Comparison),
                ">" => binary(Binary::Greater, Level::Comparison),
                ">=" => binary(Binary::GreaterOrEqual, Level::Comparison),
                "||" => Some((Infix::Concat, Level::Concat)),
                "+" => binary(Binary::Add, Level::Sum),
                "-" => binary(Binary::Subtract, Level::Sum),
                "*" => binary(Binary::Multiply, Level::Product),
                "/" => binary(Binary::Divide, Level::Product),
                "//" => binary(Binary::IntegerDivide, Level::Product),
                "%" => binary(Binary::Modulo, Level::Product),
                "::" => Some((Infix::Cast, Level::Cast)),
                _ => None,
            },
            Kind::Word(word) => {
                let is = |known| same_name(word, known);
                if is("OR") {
                    Some((Infix::Or, Level::Or))
                } else if is("AND") {
                    Some((Infix::And, Level::And))
                } else if is("IS") {
                    Some((Infix::Is, Level::Is))
                } else if self.range_ahead(0) {
                    Some((Infix::Range(Not::Absent), Level::Range))
                } else if is("NOT") && self.range_ahead(1) {
                    Some((Infix::Range(Not::Present), Level::Range))
                } else {
                    None
                }
            }
            Kind::Quoted(_) | Kind::Text(_) | Kind::Number(_) | Kind::End => None,
        }
    }

    fn range_ahead(&self, tokens: usize) -> bool {
        ["BETWEEN", "IN", "LIKE", "ILIKE", "SIMILAR", "GLOB"]
            .iter()
            .any(|word| self.tokens.word_ahead(tokens, word))
    }

    /// `left`, the operator here, and what follows it.
    fn apply(&mut self, infix: Infix, left: Expr) -> Result<Expr, Problem> {
        match infix {
            Infix::Or => self.chain("OR", Level::And, Node::Or, left),
            Infix::And => self.chain("AND", Level::Not, Node::And, left),
            Infix::Is => self.is_null(left),
            Infix::Range(not) => self.range(not, left),
            Infix::Concat => Err(not_built("||", self.tokens.token().span)),
            Infix::Binary(binary) => self.binary(binary, left),
            Infix::Cast => {
                self.tokens.advance();
                let ty = self.cast_type()?;
                self.cast(OnFailure::Error, left, ty)
            }
        }
    }

    /// All terms of one chain of AND or OR.
    fn chain(
        &mut self,
        word: &str,
        level: Level,
        node: fn(Vec<Expr>) -> Node,
        first: Expr,
    ) -> Result<Expr, Problem> {
        let start = first.span;
        let mut terms = vec![first];
        while self.tokens.accept_word(word) {
            terms.push(self.climb(level)?);
        }
        self.node(node(terms), start)
    }

    fn binary(&mut self, binary: Binary, left: Expr) -> Result<Expr, Problem> {
        self.tokens.advance();
        let above = match binary {
            Binary::Add | Binary::Subtract => Level::Product,
            Binary::Multiply | Binary::Divide | Binary::IntegerDivide | Binary::Modulo => {
                Level::Sign
            }
            Binary::Equal
            | Binary::NotEqual
            | Binary::Less
            | Binary::LessOrEqual
            | Binary::Greater
            | Binary::GreaterOrEqual => Level::Range,
        };
        if self.tokens.at_word("ANY") || self.tokens.at_word("ALL") || self.tokens.at_word("SOME") {
            return Err(refused::LIKE_ANY.at(self.tokens.token().span));
        }
        let right = self.climb(above)?;
        if above == Level::Range
            && let Some((Infix::Binary(_), Level::Comparison)) = self.infix()
        {
            let token = self.tokens.token();
            return Err(Problem::new(
                token.span,
                "one comparison",
                format!("a second one, {}, after it", token.span.shown(self.text)),
                "write a < b AND b < c; put parentheses around a comparison that is compared itself",
            ));
        }
        let start = left.span;
        self.node(Node::Binary(binary, Box::new(left), Box::new(right)), start)
    }

    fn is_null(&mut self, left: Expr) -> Result<Expr, Problem> {
        self.tokens.advance();
        let not = self.accept_not();
        if !self.tokens.at_word("NULL") {
            let token = self.tokens.token();
            let found = token.span.shown(self.text);
            let advice = "IS asks for NULL only: compare with = otherwise, and NULLs by COALESCE";
            return Err(Problem::new(token.span, "NULL after IS", found, advice));
        }
        self.tokens.advance();
        let start = left.span;
        self.node(Node::IsNull(not, Box::new(left)), start)
    }

    fn accept_not(&mut self) -> Not {
        if self.tokens.accept_word("NOT") {
            Not::Present
        } else {
            Not::Absent
        }
    }

    fn range(&mut self, not: Not, left: Expr) -> Result<Expr, Problem> {
        let _ = self.accept_not();
        let start = left.span;
        if self.tokens.accept_word("BETWEEN") {
            let low = self.climb(Level::Concat)?;
            self.expect_word("AND", "AND between the bounds of BETWEEN")?;
            let high = self.climb(Level::Concat)?;
            let node = Node::Between(not, Box::new(left), Box::new(low), Box::new(high));
            return self.node(node, start);
        }
        if self.tokens.accept_word("IN") {
            let list = self.list()?;
            return self.node(Node::In(not, Box::new(left), list), start);
        }
        let token = self.tokens.token();
        if self.tokens.at_word("LIKE") {
            return Err(not_built("LIKE", token.span));
        }
        Err(self.unexpected("BETWEEN or IN"))
    }

    /// The list of IN.
    fn list(&mut self) -> Result<Vec<Expr>, Problem> {
        self.expect_symbol("(", "( and a list after IN")?;
        if self.tokens.at_symbol(")") {
            let advice = "a list of nothing is never met: write FALSE, or leave the condition out";
            return Err(Problem::new(
                self.tokens.token().span,
                "a value in the list of IN",
                ")",
                advice,
            ));
        }
        let list = self.expressions()?;
        self.expect_symbol(")", "a comma or ) in the list of IN")?;
        Ok(list)
    }

    fn expressions(&mut self) -> Result<Vec<Expr>, Problem> {
        let mut list = vec![self.nested(Level::Or)?];
        while self.tokens.accept_symbol(",") {
            list.push(self.nested(Level::Or)?);
        }
        Ok(list)
    }
}

/// What stands by itself.
impl Parser<'_> {
    fn primary(&mut self) -> Result<Expr, Problem> {
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
        if self.tokens.at_word("SELECT")
            || self.tokens.at_word("WITH")
            || self.tokens.at_word("FROM")
        {
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
        if is_reserved(word) || (!called || is("EXISTS")) && self.begins_refused(word) {
            return Err(self.unexpected("an expression"));
        }
        if called {
            return self.call(word);
        }
        self.name(word.to_owned())
    }

    /// Whether what follows the word INTERVAL makes it one, and no name.
    fn interval_ahead(&self) -> bool {
        match self.tokens.ahead(1).kind {
            Kind::Text(_) | Kind::Number(_) | Kind::Symbol("(") => true,
            Kind::Symbol("-") => matches!(self.tokens.ahead(2).kind, Kind::Number(_)),
            Kind::Word(_) | Kind::Quoted(_) | Kind::Symbol(_) | Kind::End => false,
        }
    }

    /// Words that are refused where an expression begins, though DuckDB lets some of them be names elsewhere.
    fn begins_refused(&self, word: &str) -> bool {
        let is = |known| same_name(word, known);
        is("EXISTS")
            || is("ARRAY") && self.tokens.symbol_ahead(1, "[")
            || is("LAMBDA") && !self.tokens.symbol_ahead(1, ",")
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
                refused::CASTS_INSIDE.at(self.tokens.since(token.span))
            }
            _ => self.unexpected("an operator, a comma or the next clause"),
        })
    }

    /// `name` or `input.name`.
    fn name(&mut self, name: String) -> Result<Expr, Problem> {
        let start = self.tokens.advance().span;
        if !self.tokens.at_symbol(".") {
            if name.is_empty() {
                return Err(Problem::new(
                    start,
                    "a name",
                    "\"\"",
                    "a name has one character at least",
                ));
            }
            let qualified = Qualified::Bare;
            return self.node(Node::Name { qualified, name }, start);
        }
        if !same_name(&name, "input") {
            let advice = format!(
                "the one table is named input; a column whose name holds a point is quoted: \"{name}.…\""
            );
            return Err(Problem::new(
                start,
                "input before the point",
                start.shown(self.text),
                advice,
            ));
        }
        self.tokens.advance();
        let token = self.tokens.token();
        let name = match token.kind {
            Kind::Word(word) => word.to_owned(),
            Kind::Quoted(raw) => unquoted(raw, '"'),
            Kind::Symbol("*") => {
                let advice = "write * alone: there is one table";
                return Err(Problem::new(
                    token.span,
                    "a column after input.",
                    "*",
                    advice,
                ));
            }
            Kind::Text(_) | Kind::Number(_) | Kind::Symbol(_) | Kind::End => {
                return Err(self.unexpected("a column after input."));
            }
        };
        self.tokens.advance();
        let qualified = Qualified::ByInput;
        self.node(Node::Name { qualified, name }, start)
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

    fn cast(&self, on_failure: OnFailure, arg: Expr, ty: Type) -> Result<Expr, Problem> {
        let start = arg.span;
        self.node(Node::Cast(on_failure, Box::new(arg), ty), start)
    }

    fn cast_type(&mut self) -> Result<Type, Problem> {
        let token = self.tokens.token();
        let written = types::named(token, self.text)?;
        self.tokens.advance();
        match written {
            Written::Form(Form::Plain(ty)) => Ok(ty),
            Written::Form(Form::Epoch { .. } | Form::Nanoseconds) => {
                let advice = "it says how COLUMNS are read: write TIMESTAMP here";
                Err(Problem::new(
                    token.span,
                    "a type of a value",
                    token.span.shown(self.text),
                    advice,
                ))
            }
            Written::Decimal if !self.tokens.at_symbol("(") => Err(types::bare_decimal(token.span)),
            Written::Decimal => {
                self.tokens.advance();
                let precision = self.tokens.advance();
                self.expect_symbol(",", "a comma and the scale")?;
                let scale = self.tokens.advance();
                let ty = types::decimal(precision, scale, self.text)?;
                self.expect_symbol(")", ") after the scale")?;
                Ok(ty)
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

/// The problem of what SPEC 5 has and this version does not.
fn not_built(what: &str, span: Span) -> Problem {
    Problem::new(
        span,
        "what this version of windrow computes",
        what,
        "it is part of the language and not built yet",
    )
}
