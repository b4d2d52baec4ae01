//! The one table of functions (SPEC 5): their names, arities, what the checker makes of them, and one line for docs.
//! Names that others use for what windrow has, or leaves out on purpose, are in it too, with what to write instead.

use super::plan::{AggregateFunction, End, Fraction, Function, Quantile, QuantileKind, Statistic};
use super::{same_name, suggest};
use crate::value::Type::{self, BigInt, Boolean, Double, Timestamp, Varchar};

/// One function.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// In lower case.
    pub name: &'static str,
    /// Its arguments, as docs and messages show them.
    pub args: &'static str,
    /// Fewest arguments.
    pub least: usize,
    /// Most arguments.
    pub most: usize,
    /// How a call is checked and what node it makes.
    pub rule: Rule,
    /// One line for docs.
    pub doc: &'static str,
}

/// How a call is checked and what node it makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// One value a group.
    Aggregate(AggregateFunction),
    /// The same, of a BOOLEAN alone: all are true where the smallest is.
    Truths(AggregateFunction),
    /// Arguments of these types, the last of them optional where the arity says so, and a result of that one.
    Typed(Function, &'static [Type], Type),
    /// A constant.
    Pi,
    /// Any number; the type stays.
    Abs,
    /// Any number, and a constant number of digits.
    Round,
    /// `floor` and `ceil`: DECIMAL loses its scale, integers become DOUBLE.
    Whole(Function),
    /// The first that is not NULL.
    Coalesce,
    /// NULL where both are equal, as a CASE.
    NullIf,
    /// A constant interval, a TIMESTAMP.
    TimeBucket,
    /// A constant unit that is a length, a TIMESTAMP.
    DateTrunc,
    /// A constant unit, a TIMESTAMP.
    DatePart,
    /// Any number; the result is BIGINT.
    Sign,
    /// Any values of one type; NULLs are passed over.
    Outermost(End),
    /// BIGINT microseconds, or six parts.
    MakeTimestamp,
    /// Refused for ever; what to write instead.
    Instead(&'static str),
}

/// The two kinds of function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One value a row.
    Scalar,
    /// One value a group.
    Aggregate,
}

impl Entry {
    /// Which kind it is; `None` for what is refused for ever.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        match self.rule {
            Rule::Aggregate(_) | Rule::Truths(_) => Some(Kind::Aggregate),
            Rule::Instead(_) => None,
            Rule::Typed(..)
            | Rule::Pi
            | Rule::Abs
            | Rule::Round
            | Rule::Whole(_)
            | Rule::Coalesce
            | Rule::NullIf
            | Rule::TimeBucket
            | Rule::DateTrunc
            | Rule::DatePart
            | Rule::Sign
            | Rule::Outermost(_)
            | Rule::MakeTimestamp => Some(Kind::Scalar),
        }
    }

    /// A call of it, to show.
    #[must_use]
    pub fn usage(&self) -> String {
        format!("{}({})", self.name, self.args)
    }
}

/// The function of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Entry> {
    FUNCTIONS.iter().find(|entry| same_name(entry.name, name))
}

/// The nearest name of a function that is part of the language.
#[must_use]
pub fn nearest(name: &str) -> Option<&'static str> {
    let known = FUNCTIONS.iter().filter(|entry| entry.kind().is_some());
    suggest::nearest(name, known.map(|entry| entry.name))
}

/// Most arguments of what takes any number.
const ANY: usize = usize::MAX;

/// Arities and rules of the rows below. A row is the name, its arguments as docs and messages show them, how it is
/// checked, and its line.
const fn aggregate(
    name: &'static str,
    args: &'static str,
    count: usize,
    function: AggregateFunction,
    doc: &'static str,
) -> Entry {
    row(name, args, [count, count], Rule::Aggregate(function), doc)
}

const fn typed(
    name: &'static str,
    args: &'static str,
    types: &'static [Type],
    ty: Type,
    function: Function,
    doc: &'static str,
) -> Entry {
    let count = types.len();
    row(
        name,
        args,
        [count, count],
        Rule::Typed(function, types, ty),
        doc,
    )
}

const fn statistic(
    name: &'static str,
    count: usize,
    statistic: Statistic,
    doc: &'static str,
) -> Entry {
    let args = if count == 1 { "x" } else { "y, x" };
    aggregate(
        name,
        args,
        count,
        AggregateFunction::Statistic(statistic),
        doc,
    )
}

/// The checker puts a written fraction in.
const fn quantile(kind: QuantileKind) -> AggregateFunction {
    let fraction = Fraction::HALF;
    AggregateFunction::Quantile(Quantile { kind, fraction })
}

const fn instead(name: &'static str, advice: &'static str) -> Entry {
    row(name, "…", [0, ANY], Rule::Instead(advice), "")
}

const fn row(
    name: &'static str,
    args: &'static str,
    [least, most]: [usize; 2],
    rule: Rule,
    doc: &'static str,
) -> Entry {
    Entry {
        name,
        args,
        least,
        most,
        rule,
        doc,
    }
}

/// Every function that has a name of its own; CAST, CASE and the operators are syntax.
#[rustfmt::skip]
pub const FUNCTIONS: &[Entry] = &[
    row("count", "* or x", [0, 1], Rule::Aggregate(AggregateFunction::Count), "rows, or rows where x is not NULL"),
    aggregate("sum", "x", 1, AggregateFunction::Sum, "the exact sum"),
    aggregate("avg", "x", 1, AggregateFunction::Avg, "the exact mean, rounded once"),
    aggregate("min", "x", 1, AggregateFunction::Min, "the smallest value"),
    aggregate("max", "x", 1, AggregateFunction::Max, "the largest value"),
    aggregate("arg_min", "value, key", 2, AggregateFunction::ArgMin, "the value where the key is smallest"),
    aggregate("arg_max", "value, key", 2, AggregateFunction::ArgMax, "the value where the key is largest"),
    aggregate("first", "x", 1, AggregateFunction::First, "the value of the first record, in input order"),
    aggregate("last", "x", 1, AggregateFunction::Last, "the value of the last record, in input order"),
    aggregate("median", "x", 1, quantile(QuantileKind::Continuous), "the middle value, interpolated"),
    aggregate("quantile_cont", "x, fraction", 2, quantile(QuantileKind::Continuous), "the interpolated quantile"),
    aggregate("quantile_disc", "x, fraction", 2, quantile(QuantileKind::Discrete), "the quantile that is a value"),
    statistic("stddev", 1, Statistic::StddevSamp, "as stddev_samp"),
    statistic("stddev_samp", 1, Statistic::StddevSamp, "the standard deviation of a sample"),
    statistic("stddev_pop", 1, Statistic::StddevPop, "the standard deviation of a population"),
    statistic("var_samp", 1, Statistic::VarSamp, "the variance of a sample"),
    statistic("var_pop", 1, Statistic::VarPop, "the variance of a population"),
    statistic("corr", 2, Statistic::Corr, "the correlation"),
    statistic("covar_samp", 2, Statistic::CovarSamp, "the covariance of a sample"),
    statistic("covar_pop", 2, Statistic::CovarPop, "the covariance of a population"),
    statistic("regr_slope", 2, Statistic::RegrSlope, "the slope of the line through the points (x, y)"),
    statistic("regr_intercept", 2, Statistic::RegrIntercept, "where that line meets x = 0"),
    statistic("regr_r2", 2, Statistic::RegrR2, "how well that line fits, from 0 to 1"),
    row("bool_and", "x", [1, 1], Rule::Truths(AggregateFunction::Min), "whether all are true"),
    row("bool_or", "x", [1, 1], Rule::Truths(AggregateFunction::Max), "whether one is true"),
    row("abs", "x", [1, 1], Rule::Abs, "x without its sign"),
    row("round", "x, digits", [1, 2], Rule::Round, "x to so many digits after the point, half away from zero"),
    row("floor", "x", [1, 1], Rule::Whole(Function::Floor), "the next whole number below"),
    row("ceil", "x", [1, 1], Rule::Whole(Function::Ceil), "the next whole number above"),
    typed("sqrt", "x", &[Double], Double, Function::Sqrt, "the square root"),
    typed("pow", "x, y", &[Double, Double], Double, Function::Power, "x to the power of y"),
    typed("exp", "x", &[Double], Double, Function::Exp, "e to the power of x"),
    typed("ln", "x", &[Double], Double, Function::Ln, "the natural logarithm"),
    typed("log10", "x", &[Double], Double, Function::Log10, "the logarithm to base 10"),
    typed("sin", "x", &[Double], Double, Function::Sin, "the sine of radians"),
    typed("cos", "x", &[Double], Double, Function::Cos, "the cosine of radians"),
    typed("tan", "x", &[Double], Double, Function::Tan, "the tangent of radians"),
    row("sign", "x", [1, 1], Rule::Sign, "-1, 0 or 1"),
    row("greatest", "x, …", [1, ANY], Rule::Outermost(End::Greatest), "the largest that is not NULL"),
    row("least", "x, …", [1, ANY], Rule::Outermost(End::Least), "the smallest that is not NULL"),
    row("pi", "", [0, 0], Rule::Pi, "3.141592653589793"),
    row("coalesce", "x, …", [1, ANY], Rule::Coalesce, "the first that is not NULL"),
    row("nullif", "x, y", [2, 2], Rule::NullIf, "x, NULL where it equals y"),
    row("time_bucket", "INTERVAL '…', ts", [2, 2], Rule::TimeBucket, "the start of the bucket of that width"),
    row("date_trunc", "'unit', ts", [2, 2], Rule::DateTrunc, "the start of the unit"),
    row("date_part", "'unit', ts", [2, 2], Rule::DatePart, "that part of the time; also extract(unit FROM ts)"),
    typed("epoch", "ts", &[Timestamp], Double, Function::Epoch, "seconds since 1970, with their fraction"),
    typed("epoch_ms", "ts", &[Timestamp], BigInt, Function::EpochMs, "milliseconds since 1970, half away from zero"),
    row("make_timestamp", "year, month, day, hour, minute, second", [1, 6], Rule::MakeTimestamp, "a TIMESTAMP from its parts, or from microseconds since 1970"),
    typed("lower", "text", &[Varchar], Varchar, Function::Lower, "in lower case"),
    typed("upper", "text", &[Varchar], Varchar, Function::Upper, "in upper case"),
    typed("length", "text", &[Varchar], BigInt, Function::Length, "how many code points"),
    row("substr", "text, start, length", [2, 3], Rule::Typed(Function::Substr, &[Varchar, BigInt, BigInt], Varchar), "so many code points from start, which counts from 1, or from the end where negative"),
    typed("trim", "text", &[Varchar], Varchar, Function::Trim, "without blanks (U+0020) around it"),
    typed("replace", "text, old, new", &[Varchar, Varchar, Varchar], Varchar, Function::Replace, "with each occurrence of old replaced by new"),
    typed("starts_with", "text, start", &[Varchar, Varchar], Boolean, Function::StartsWith, "whether it starts so"),
    typed("contains", "text, part", &[Varchar, Varchar], Boolean, Function::Contains, "whether it holds the part"),
    instead("mean", "write avg"),
    instead("argmin", "write arg_min"),
    instead("argmax", "write arg_max"),
    instead("min_by", "write arg_min"),
    instead("max_by", "write arg_max"),
    instead("any_value", "write first, which may be NULL, or min"),
    instead("count_if", "write count(*) FILTER (WHERE …)"),
    instead("countif", "write count(*) FILTER (WHERE …)"),
    instead("approx_count_distinct", "write count(DISTINCT …), which is exact"),
    instead("variance", "write var_samp"),
    instead("quantile", "write quantile_disc"),
    instead("percentile_cont", "write quantile_cont(x, fraction)"),
    instead("percentile_disc", "write quantile_disc(x, fraction)"),
    instead("list", "windrow has no lists: write one row a value"),
    instead("array_agg", "windrow has no lists: write one row a value"),
    instead("string_agg", "windrow does not join texts of several rows"),
    instead("row_number", "there are no window functions; row-wise output keeps the input's order"),
    instead("unnest", "RECORDS makes records of the elements of an array"),
    instead("power", "write pow"),
    instead("ceiling", "write ceil"),
    instead("log", "write log10 or ln"),
    instead("mod", "write a % b"),
    instead("if", "write CASE WHEN … THEN … ELSE … END"),
    instead("ifnull", "write COALESCE"),
    instead("substring", "write substr"),
    instead("char_length", "write length"),
    instead("strlen", "write length, which counts code points"),
    instead("concat", "write a || b"),
    instead("prefix", "write starts_with"),
    instead("year", "write date_part('year', ts)"),
    instead("month", "write date_part('month', ts)"),
    instead("day", "write date_part('day', ts)"),
    instead("hour", "write date_part('hour', ts)"),
    instead("minute", "write date_part('minute', ts)"),
    instead("second", "write date_part('second', ts)"),
    instead("datetrunc", "write date_trunc"),
    instead("datepart", "write date_part"),
    instead("date_diff", "subtract epoch_ms(…) of both"),
    instead("datediff", "subtract epoch_ms(…) of both"),
    instead("strptime", "ISO 8601 text is read by CAST(… AS TIMESTAMP)"),
    instead("strftime", "use date_part and date_trunc"),
    instead("to_timestamp", "declare the column TIMESTAMP_S in COLUMNS, or use make_timestamp"),
    instead("now", "the same input gives the same result: write the time as a constant"),
    instead("today", "the same input gives the same result: write the time as a constant"),
    instead("random", "the same input gives the same result: compute a number from a column"),
    instead("regexp_matches", "windrow has no regular expressions: use LIKE"),
    instead("columns", "list the columns"),
    instead("current_timestamp", "the same input gives the same result: write the time as a constant"),
    instead("current_date", "the same input gives the same result: write the time as a constant"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docs_list_every_function() {
        let docs = include_str!("../../docs/sql.md");
        let (_, section) = docs.split_once("## Functions").unwrap();
        let (table, _) = section.split_once("\n\n`").unwrap();
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let words: Vec<&str> = table.split(|letter| !is_part(letter)).collect();
        for entry in FUNCTIONS.iter().filter(|entry| entry.kind().is_some()) {
            let is_listed = words.iter().any(|word| same_name(word, entry.name));
            assert!(is_listed, "{} is not in docs/sql.md", entry.name);
        }
    }

    #[test]
    fn names_are_lower_case_and_once() {
        for (index, entry) in FUNCTIONS.iter().enumerate() {
            assert_eq!(entry.name, entry.name.to_lowercase(), "{}", entry.name);
            assert!(
                FUNCTIONS[..index]
                    .iter()
                    .all(|other| other.name != entry.name),
                "{} twice",
                entry.name
            );
            assert!(entry.least <= entry.most, "{}", entry.name);
            assert_eq!(
                entry.doc.is_empty(),
                entry.kind().is_none(),
                "{}",
                entry.name
            );
        }
    }
}
