//! What a checked query is: typed expressions over numbered columns. The checker writes it, the evaluator and the
//! rollup read it; neither looks at names or text again.

use super::Span;
use crate::value::{Type, Value};

pub use crate::value::timestamp::{Bucket, Interval, TimeUnit};

/// A checked query.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Columns that are read: indices into COLUMNS, in COLUMNS order. [`Node::Column`] counts in this list.
    pub columns: Vec<usize>,
    /// WHERE.
    pub filter: Option<Expr>,
    /// What comes after WHERE.
    pub shape: Shape,
    /// Names and types of the output, in order.
    pub outputs: Vec<Output>,
}

/// How a grouped query over a stream is cut into event-time windows (SPEC 5 and 6). Columns are counted in
/// [`Plan::columns`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// The column EVENT_TIME, a TIMESTAMP.
    pub event_time: usize,
    /// Which of [`Groups::keys`] is the window: `time_bucket(…, EVENT_TIME)`.
    pub key: usize,
    /// The width of that key.
    pub bucket: Bucket,
    /// How far the watermark trails the newest event time (LATENESS_SECONDS), in microseconds.
    pub lateness_us: i64,
    /// SEQUENCE.
    pub sequence: Option<Sequence>,
}

/// `number BY key PER …`: a number that rises by one within each key (SPEC 3, SEQUENCE).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// The column of the number, a BIGINT.
    pub number: usize,
    /// The column of the key, of any type.
    pub key: usize,
    /// How long the numbers of a key go on.
    pub per: Per,
}

/// How long the numbers of a key go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    /// Over all connections of the run.
    Run,
    /// They start anew with each connection.
    Connection,
}

/// One column of the output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// As written after AS, or the column's declared name.
    pub name: String,
    /// Its type.
    pub ty: Type,
}

/// The two kinds of query.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// One row a record.
    Rows(Rows),
    /// One row a group.
    Groups(Groups),
}

/// A row-wise query: input order and constant memory, or with ORDER BY the first so many rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// One expression an output, over the columns.
    pub outputs: Vec<Expr>,
    /// ORDER BY, over the columns; ties go by input order.
    pub order: Vec<OrderKey>,
    /// LIMIT. Invariant: there where there is an order.
    pub limit: Option<u64>,
}

/// A grouped query. `having`, `outputs` and `order` see a batch of groups, whose columns are the keys followed by
/// the aggregates: [`Node::Column`] counts in that list there.
#[derive(Clone, Debug, PartialEq)]
pub struct Groups {
    /// GROUP BY, over the input's columns; empty for one group of everything.
    pub keys: Vec<Expr>,
    /// Each distinct aggregate call once.
    pub aggregates: Vec<Aggregate>,
    /// HAVING.
    pub having: Option<Expr>,
    /// One expression an output.
    pub outputs: Vec<Expr>,
    /// ORDER BY; ties go by the keys, and so does all where it is empty.
    pub order: Vec<OrderKey>,
    /// LIMIT.
    pub limit: Option<u64>,
    /// SELECT DISTINCT over the outputs: groups of its own, whose columns are the outputs. Order and limit are there
    /// then, and not here.
    pub distinct: Option<Box<Groups>>,
}

/// One key of ORDER BY.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderKey {
    /// What is compared.
    pub expr: Expr,
    /// Ascending or descending.
    pub direction: Direction,
    /// Where NULLs go.
    pub nulls: Nulls,
}

/// Which way ORDER BY goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

/// Where ORDER BY puts NULLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nulls {
    /// Before all values.
    First,
    /// After all values, the default for both directions.
    Last,
}

/// One aggregate call. Two are equal where they compute the same, wherever they stand.
#[derive(Clone, Debug)]
pub struct Aggregate {
    /// Which.
    pub function: AggregateFunction,
    /// Its arguments, over the input's columns.
    pub args: Vec<Expr>,
    /// DISTINCT: each value of the one argument once in a group.
    pub distinct: bool,
    /// FILTER (WHERE …): rows for which it is not true are not seen.
    pub filter: Option<Expr>,
    /// Type of the result.
    pub ty: Type,
    /// Where it stands in the query, to name it in errors.
    pub span: Span,
}

/// The aggregates that are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AggregateFunction {
    /// `count(*)`
    CountStar,
    /// `count(x)`
    Count,
    /// `sum(x)` of BIGINT, HUGEINT, DECIMAL, DOUBLE
    Sum,
    /// `avg(x)`, a DOUBLE: the exact sum over the count, rounded once
    Avg,
    /// `min(x)`
    Min,
    /// `max(x)`
    Max,
    /// `arg_min(value, key)`
    ArgMin,
    /// `arg_max(value, key)`
    ArgMax,
    /// `first(x)`, in input order
    First,
    /// `last(x)`, in input order
    Last,
    /// Of one number or two, a DOUBLE.
    Statistic(Statistic),
    /// Of one value.
    Quantile(Quantile),
}

/// What is made of sums of values, squares and products. Arguments are y and x, as SQL has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Statistic {
    /// `var_samp(x)`
    VarSamp,
    /// `var_pop(x)`
    VarPop,
    /// `stddev_samp(x)`
    StddevSamp,
    /// `stddev_pop(x)`
    StddevPop,
    /// `covar_samp(y, x)`
    CovarSamp,
    /// `covar_pop(y, x)`
    CovarPop,
    /// `corr(y, x)`
    Corr,
    /// `regr_slope(y, x)`
    RegrSlope,
    /// `regr_intercept(y, x)`
    RegrIntercept,
    /// `regr_r2(y, x)`
    RegrR2,
}

/// A place in the order of a group's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quantile {
    /// What is between two values.
    pub kind: QuantileKind,
    /// How far from the smallest to the largest.
    pub fraction: Fraction,
}

/// What a quantile is between two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QuantileKind {
    /// Interpolated: `quantile_cont`, `median`.
    Continuous,
    /// One of the values: `quantile_disc`.
    Discrete,
}

/// A decimal from 0 to 1, exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fraction {
    /// Its digits as an integer.
    pub numerator: u64,
    /// How many of them stand after the point; at most [`Fraction::DIGITS`].
    pub scale: u8,
}

impl Fraction {
    /// A half.
    pub const HALF: Self = Self {
        numerator: 5,
        scale: 1,
    };
    /// Most digits after the point: more than the text of any double has, and the denominator fits 64 bits.
    pub const DIGITS: u8 = 18;

    /// 10^scale.
    #[must_use]
    pub fn denominator(self) -> u64 {
        10_u64.pow(self.scale.min(Self::DIGITS).into())
    }
}

/// A typed expression. Two are equal where they compute the same, wherever they stand.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it computes.
    pub node: Node,
    /// The type of its value.
    pub ty: Type,
    /// Where it stands in the query, to name it in errors.
    pub span: Span,
}

impl PartialEq for Aggregate {
    fn eq(&self, other: &Self) -> bool {
        (self.function, self.distinct, self.ty) == (other.function, other.distinct, other.ty)
            && self.args == other.args
            && self.filter == other.filter
    }
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.ty == other.ty && self.node == other.node
    }
}

impl Expr {
    /// The expressions directly inside, in the order that they are evaluated.
    #[must_use]
    pub fn children(&self) -> Vec<&Expr> {
        match &self.node {
            Node::Constant(_) | Node::Column(_) => Vec::new(),
            Node::Call(_, args) | Node::Coalesce(args) | Node::Outermost(_, args) => {
                args.iter().collect()
            }
            Node::Cast(arg) | Node::TryCast(arg) | Node::IsNull(arg) => vec![arg],
            Node::And(left, right) | Node::Or(left, right) => vec![left, right],
            Node::In(value, list) => std::iter::once(&**value).chain(list).collect(),
            Node::Case { arms, otherwise } => {
                let arms = arms.iter().flat_map(|(when, then)| [when, then]);
                arms.chain(otherwise.as_deref()).collect()
            }
        }
    }

    /// The same, to change them.
    #[must_use]
    pub fn children_mut(&mut self) -> Vec<&mut Expr> {
        match &mut self.node {
            Node::Constant(_) | Node::Column(_) => Vec::new(),
            Node::Call(_, args) | Node::Coalesce(args) | Node::Outermost(_, args) => {
                args.iter_mut().collect()
            }
            Node::Cast(arg) | Node::TryCast(arg) | Node::IsNull(arg) => vec![arg],
            Node::And(left, right) | Node::Or(left, right) => vec![left, right],
            Node::In(value, list) => std::iter::once(&mut **value).chain(list).collect(),
            Node::Case { arms, otherwise } => {
                let arms = arms.iter_mut().flat_map(|(when, then)| [when, then]);
                arms.chain(otherwise.as_deref_mut()).collect()
            }
        }
    }
}

/// What an expression computes.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// The same value for every row.
    Constant(Value),
    /// A column of the batch.
    Column(usize),
    /// A function of its arguments' values. All arguments are evaluated; any NULL gives NULL.
    Call(Function, Vec<Expr>),
    /// `arg` as the expression's type.
    Cast(Box<Expr>),
    /// `arg` as the expression's type, NULL where that is an error.
    TryCast(Box<Expr>),
    /// Three-valued AND, from left to right; the right side only where the left does not decide.
    And(Box<Expr>, Box<Expr>),
    /// Three-valued OR, likewise.
    Or(Box<Expr>, Box<Expr>),
    /// `x IS NULL`; never NULL itself.
    IsNull(Box<Expr>),
    /// `value IN (list)`, with the NULL rules of SQL; the list is of the value's comparison type.
    In(Box<Expr>, Vec<Expr>),
    /// Searched CASE (the simple form is written as one): the first arm whose condition is true.
    Case {
        /// Condition and result.
        arms: Vec<(Expr, Expr)>,
        /// ELSE; NULL where absent.
        otherwise: Option<Box<Expr>>,
    },
    /// The first that is not NULL; later ones only where needed.
    Coalesce(Vec<Expr>),
    /// The largest or smallest that is not NULL; all are evaluated, and all are of one type.
    Outermost(End, Vec<Expr>),
}

/// Which end of several values is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// `greatest`
    Greatest,
    /// `least`
    Least,
}

/// The strict functions: one value for each row from values of the same row.
///
/// The checker sees to the argument types: where a doc line names one type, arguments arrive as that type (through
/// [`Node::Cast`]); "exact" is BIGINT, HUGEINT or DECIMAL, each with its own scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// Two exact, or two DOUBLE.
    Add,
    /// Two exact, or two DOUBLE.
    Subtract,
    /// Two exact, or two DOUBLE.
    Multiply,
    /// Two exact, or two DOUBLE; always DOUBLE, the exact quotient rounded once.
    Divide,
    /// `//`: two BIGINT or two HUGEINT, towards zero.
    IntegerDivide,
    /// `%`: two exact (result: larger scale) or two DOUBLE; sign of the left.
    Modulo,
    /// Exact or DOUBLE.
    Negate,
    /// Two exact of any scales, or two of one other type; BOOLEAN. Likewise the five below.
    Equal,
    /// `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// BOOLEAN
    Not,
    /// Exact or DOUBLE.
    Abs,
    /// Exact or DOUBLE, to this many digits after the point (negative: before it). Half away from zero.
    Round {
        /// Digits after the point.
        digits: i32,
    },
    /// DECIMAL to scale 0, or DOUBLE.
    Floor,
    /// DECIMAL to scale 0, or DOUBLE.
    Ceil,
    /// DOUBLE
    Sqrt,
    /// Two DOUBLE.
    Power,
    /// DOUBLE
    Exp,
    /// DOUBLE
    Ln,
    /// DOUBLE
    Log10,
    /// DOUBLE
    Sin,
    /// DOUBLE
    Cos,
    /// DOUBLE
    Tan,
    /// Exact or DOUBLE to BIGINT: -1, 0 or 1.
    Sign,
    /// VARCHAR, character by character.
    Lower,
    /// VARCHAR, character by character.
    Upper,
    /// VARCHAR to BIGINT code points.
    Length,
    /// VARCHAR, BIGINT start from 1 (negative: from the end) and BIGINT length (absent: to the end).
    Substr,
    /// VARCHAR without U+0020 around it.
    Trim,
    /// Three VARCHAR: each of the second in the first becomes the third.
    Replace,
    /// Two VARCHAR to BOOLEAN.
    StartsWith,
    /// Two VARCHAR to BOOLEAN.
    Contains,
    /// `||` of two VARCHAR.
    Concat,
    /// VARCHAR and a VARCHAR pattern to BOOLEAN.
    Like {
        /// The ASCII character that takes `%`, `_` and itself literally.
        escape: Option<u8>,
    },
    /// TIMESTAMP: the start of its bucket.
    TimeBucket(Bucket),
    /// TIMESTAMP to the start of this unit.
    DateTrunc(TimeUnit),
    /// This part of a TIMESTAMP, BIGINT.
    DatePart(TimeUnit),
    /// TIMESTAMP to DOUBLE seconds, rounded once.
    Epoch,
    /// TIMESTAMP to BIGINT milliseconds, half away from zero.
    EpochMs,
    /// BIGINT microseconds, or five BIGINT from year to minute and DOUBLE seconds, to TIMESTAMP.
    MakeTimestamp,
    /// TIMESTAMP plus this.
    AddInterval(Interval),
}
