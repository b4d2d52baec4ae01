//! A query as written: names, not yet columns; texts, not yet types.

use super::Span;
use super::plan::{Direction, Interval, Nulls};
use crate::value::Type;

/// A SELECT, clause by clause.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Select {
    /// Where DISTINCT stands.
    pub(super) distinct: Option<Span>,
    pub(super) items: Vec<Item>,
    pub(super) filter: Option<Expr>,
    pub(super) group_by: Option<GroupBy>,
    pub(super) having: Option<Expr>,
    pub(super) order_by: Vec<OrderItem>,
    pub(super) limit: Option<Limit>,
}

/// LIMIT and its number, and where both stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    pub(super) rows: u64,
    pub(super) span: Span,
}

/// One item of SELECT.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item {
    /// `*`
    Star(Span),
    Expr {
        expr: Expr,
        alias: Option<Name>,
    },
}

/// A name as its reader sees it: unquoted, doubled quotes made one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Name {
    pub(super) text: String,
    pub(super) span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum GroupBy {
    /// Every item without an aggregate.
    All,
    Items(Vec<Expr>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct OrderItem {
    pub(super) expr: Expr,
    pub(super) direction: Direction,
    pub(super) nulls: Nulls,
}

/// An expression. Its height is kept so that whoever walks it can do so by recursion: see [`Expr::new`].
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expr {
    pub(super) node: Node,
    pub(super) span: Span,
    /// Levels of nodes, itself included.
    height: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Null,
    Boolean(bool),
    /// Digits as written, without sign.
    Number(String),
    Text(String),
    Interval(Interval),
    /// A column or an alias; with a table before it, a column.
    Name {
        table: Option<Name>,
        name: String,
    },
    Unary(Unary, Box<Expr>),
    Binary(Binary, Box<Expr>, Box<Expr>),
    /// All terms of one chain, two at least.
    And(Vec<Expr>),
    Or(Vec<Expr>),
    IsNull(Not, Box<Expr>),
    In(Not, Box<Expr>, Vec<Expr>),
    Between(Not, Box<Expr>, Box<Expr>, Box<Expr>),
    /// With the character of ESCAPE, where there is one.
    Like(Not, Box<Expr>, Box<Expr>, Option<u8>),
    Case {
        operand: Option<Box<Expr>>,
        arms: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    Cast(OnFailure, Box<Expr>, Type),
    Call(Call),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unary {
    Plus,
    Minus,
    Not,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    IntegerDivide,
    Modulo,
    Concat,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Whether NOT stands before IN, BETWEEN or NULL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Not {
    Absent,
    Present,
}

/// CAST or TRY_CAST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnFailure {
    Error,
    Null,
}

/// A call of a function, built or not, known or not.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Call {
    pub(super) name: Name,
    pub(super) args: Vec<Expr>,
    /// Where `*` stands in place of arguments.
    pub(super) star: Option<Span>,
    /// Where DISTINCT stands before the arguments.
    pub(super) distinct: Option<Span>,
    /// The condition in FILTER (WHERE …).
    pub(super) filter: Option<Box<Expr>>,
}

impl Expr {
    /// The parser refuses what grows past [`crate::limits::EXPRESSION_HEIGHT`].
    pub(super) fn new(node: Node, span: Span) -> Self {
        let mut tallest = 0;
        node.each_child(&mut |child| tallest = tallest.max(child.height));
        let mut levels = 1;
        if let Node::And(terms) | Node::Or(terms) = &node {
            // The checker makes a balanced tree of these.
            levels += terms.len().checked_ilog2().unwrap_or_default() as usize;
        }
        Self {
            node,
            span,
            height: tallest + levels,
        }
    }

    pub(super) fn height(&self) -> usize {
        self.height
    }
}

impl Node {
    fn each_child<'a>(&'a self, visit: &mut impl FnMut(&'a Expr)) {
        match self {
            Node::Null
            | Node::Boolean(_)
            | Node::Number(_)
            | Node::Text(_)
            | Node::Interval(_)
            | Node::Name { .. } => {}
            Node::Unary(_, arg) | Node::IsNull(_, arg) | Node::Cast(_, arg, _) => visit(arg),
            Node::Binary(_, left, right) | Node::Like(_, left, right, _) => {
                visit(left);
                visit(right);
            }
            Node::And(terms) | Node::Or(terms) => terms.iter().for_each(visit),
            Node::In(_, value, list) => {
                visit(value);
                list.iter().for_each(visit);
            }
            Node::Between(_, value, low, high) => {
                visit(value);
                visit(low);
                visit(high);
            }
            Node::Case {
                operand,
                arms,
                otherwise,
            } => {
                operand.iter().for_each(|operand| visit(operand));
                for (when, then) in arms {
                    visit(when);
                    visit(then);
                }
                otherwise.iter().for_each(|otherwise| visit(otherwise));
            }
            Node::Call(call) => {
                call.args.iter().for_each(&mut *visit);
                call.filter.iter().for_each(|filter| visit(filter));
            }
        }
    }
}
