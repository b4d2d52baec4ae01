//! Expressions, by precedence climbing. What recurses enters the depth guard; what only grows, such as a long sum,
//! is held by the height of the tree.

use super::super::ast::{Binary, Expr, Node, Not, OnFailure, Unary};
use super::super::lex::{Kind, unquoted};
use super::super::{Problem, Span, same_name};
use super::{Parser, refused};
use crate::limits::EXPRESSION_HEIGHT;

/// How tightly an operator binds, loosest first.
///
/// Source: DuckDB 2.0.0 (PostgreSQL's grammar): IS below comparison, BETWEEN, IN and LIKE above it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
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
    Binary(Binary),
    Cast,
}

impl Parser<'_> {
    /// One expression, whole.
    pub(super) fn expression(&mut self) -> Result<Expr, Problem> {
        self.climb(Level::Or)
    }

    /// An expression inside another: one level of nesting deeper.
    pub(super) fn nested(&mut self, level: Level) -> Result<Expr, Problem> {
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
    pub(super) fn node(&self, node: Node, start: Span) -> Result<Expr, Problem> {
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
                "||" => binary(Binary::Concat, Level::Concat),
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
            Binary::Concat => Level::Sum,
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
        if self.tokens.accept_word("LIKE") {
            if self.tokens.at_word("ANY") || self.tokens.at_word("ALL") {
                return Err(refused::LIKE_ANY.at(self.tokens.token().span));
            }
            let pattern = self.climb(Level::Concat)?;
            let escape = self.escape()?;
            let node = Node::Like(not, Box::new(left), Box::new(pattern), escape);
            return self.node(node, start);
        }
        Err(self.unexpected("BETWEEN, IN or LIKE"))
    }

    /// ESCAPE and its character.
    fn escape(&mut self) -> Result<Option<u8>, Problem> {
        if !self.tokens.accept_word("ESCAPE") {
            return Ok(None);
        }
        let token = self.tokens.token();
        if let Kind::Text(raw) = token.kind
            && let [character] = unquoted(raw, '\'').as_bytes()
            && character.is_ascii()
        {
            self.tokens.advance();
            return Ok(Some(*character));
        }
        let found = token.span.shown(self.text);
        let advice = "write ESCAPE '!', or leave it out where no character escapes";
        Err(Problem::new(
            token.span,
            "one ASCII character in quotes after ESCAPE",
            found,
            advice,
        ))
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

    pub(super) fn expressions(&mut self) -> Result<Vec<Expr>, Problem> {
        let mut list = vec![self.nested(Level::Or)?];
        while self.tokens.accept_symbol(",") {
            list.push(self.nested(Level::Or)?);
        }
        Ok(list)
    }
}
