//! Aggregate calls: where they may stand, what they take, what they give.

use super::super::ast::{self, Call};
use super::super::functions::{Entry, Rule};
use super::super::plan::{
    Aggregate, AggregateFunction, Expr, Fraction, Node, Quantile, QuantileKind,
};
use super::super::{Problem, Span};
use super::{Binder, Clause, literals};
use crate::value::{Type, WIDE_DIGITS, decimal};

impl Binder<'_> {
    /// A call of `function`, by the table's `entry`: the column that will hold its result.
    pub(super) fn aggregate(
        &mut self,
        entry: &Entry,
        function: AggregateFunction,
        call: &Call,
        span: Span,
    ) -> Result<Expr, Problem> {
        self.allow_aggregate(call.name.span)?;
        let (mut function, mut written) = (function, call.args.as_slice());
        if let (AggregateFunction::Quantile(quantile), [arg, fraction @ ..]) = (function, written) {
            // The fraction is part of the function.
            function = AggregateFunction::Quantile(self.quantile(quantile, fraction.first())?);
            written = std::slice::from_ref(arg);
        }
        if function == AggregateFunction::Count && written.is_empty() {
            function = AggregateFunction::CountStar;
        }
        self.inside = Some(span);
        let args = written.iter().map(|arg| self.expr(arg));
        let args = args.collect::<Result<Vec<_>, _>>()?;
        let filter = match &call.filter {
            None => None,
            Some(filter) => {
                let filter = self.expr(filter)?;
                Some(self.boolean(filter, "FILTER")?)
            }
        };
        self.inside = None;
        if let Some(distinct) = call.distinct {
            allow_distinct(function, distinct)?;
        }
        let (args, ty) = self.aggregate_types(entry, function, args)?;
        let aggregate = Aggregate {
            function,
            args,
            distinct: call.distinct.is_some(),
            filter,
            ty,
            span,
        };
        Ok(Expr {
            node: Node::Column(self.columns.len() + self.numbered(aggregate)),
            ty,
            span,
        })
    }

    /// The quantile with its fraction, where one is written.
    fn quantile(
        &mut self,
        quantile: Quantile,
        fraction: Option<&ast::Expr>,
    ) -> Result<Quantile, Problem> {
        let Some(written) = fraction else {
            return Ok(quantile);
        };
        let expr = self.expr(written)?;
        let scale = expr.ty.scale().unwrap_or_default();
        let one = decimal::pow10(scale.into()).unwrap_or_default();
        let numerator = literals::constant_of(&expr)
            .filter(|value| scale <= Fraction::DIGITS && (0..=one).contains(value))
            .and_then(|value| u64::try_from(value).ok());
        match numerator {
            Some(numerator) => Ok(Quantile {
                fraction: Fraction { numerator, scale },
                ..quantile
            }),
            None => Err(Problem::new(
                written.span,
                format!(
                    "a constant fraction from 0 to 1, of at most {} digits after the point",
                    Fraction::DIGITS
                ),
                written.span.shown(self.text),
                "write it as a decimal, as in 0.95",
            )),
        }
    }

    /// The number of the call, the same for one that is there already.
    fn numbered(&mut self, aggregate: Aggregate) -> usize {
        if let Some(number) = self.aggregates.iter().position(|known| *known == aggregate) {
            return number;
        }
        self.aggregates.push(aggregate);
        self.aggregates.len() - 1
    }

    /// Refuses an aggregate at `span` where none may stand.
    pub(super) fn allow_aggregate(&self, span: Span) -> Result<(), Problem> {
        if self.inside.is_some() {
            let found = span.shown(self.text);
            let advice = "compute the inner one in a run of its own";
            return Err(Problem::new(
                span,
                "no aggregate inside an aggregate",
                found,
                advice,
            ));
        }
        match self.clause {
            Clause::Select | Clause::Having | Clause::OrderBy => Ok(()),
            Clause::Where | Clause::GroupBy => Err(self.no_aggregate(span)),
        }
    }

    pub(super) fn no_aggregate(&self, span: Span) -> Problem {
        let advice = match self.clause {
            Clause::Where => {
                "conditions on groups stand in HAVING, on an aggregate's rows in FILTER (WHERE …)"
            }
            Clause::Select | Clause::GroupBy | Clause::Having | Clause::OrderBy => {
                "group by what is known of each row"
            }
        };
        let expected = format!("no aggregate in {}", self.clause.name());
        Problem::new(span, expected, span.shown(self.text), advice)
    }

    /// The arguments as `function` takes them, and the type of its result.
    fn aggregate_types(
        &self,
        entry: &Entry,
        function: AggregateFunction,
        mut args: Vec<Expr>,
    ) -> Result<(Vec<Expr>, Type), Problem> {
        let first = args.first().map_or(Type::BigInt, |arg| arg.ty);
        let ty = match function {
            AggregateFunction::CountStar | AggregateFunction::Count => Type::BigInt,
            AggregateFunction::Min | AggregateFunction::Max
                if matches!(entry.rule, Rule::Truths(_)) =>
            {
                let condition = |arg| self.boolean(arg, entry.name);
                args = args.into_iter().map(condition).collect::<Result<_, _>>()?;
                Type::Boolean
            }
            AggregateFunction::Min
            | AggregateFunction::Max
            | AggregateFunction::ArgMin
            | AggregateFunction::ArgMax
            | AggregateFunction::First
            | AggregateFunction::Last => first,
            AggregateFunction::Sum => {
                self.summable(&args, "sum")?;
                match first {
                    Type::Double => Type::Double,
                    Type::Decimal { scale, .. } => Type::Decimal {
                        precision: WIDE_DIGITS,
                        scale,
                    },
                    Type::BigInt
                    | Type::HugeInt
                    | Type::Boolean
                    | Type::Varchar
                    | Type::Timestamp => Type::HugeInt,
                }
            }
            AggregateFunction::Avg => {
                self.summable(&args, "avg")?;
                Type::Double
            }
            AggregateFunction::Statistic(_) => {
                for arg in &args {
                    self.numeric(arg, entry.name)?;
                }
                Type::Double
            }
            AggregateFunction::Quantile(quantile) => {
                self.quantile_type(quantile.kind, &args, entry.name)?
            }
        };
        Ok((args, ty))
    }

    /// Between two values there is something for numbers and times only.
    fn quantile_type(
        &self,
        kind: QuantileKind,
        args: &[Expr],
        name: &str,
    ) -> Result<Type, Problem> {
        let Some(arg) = args.first() else {
            return Ok(Type::Double);
        };
        match (kind, arg.ty) {
            (QuantileKind::Discrete, ty) => Ok(ty),
            (_, Type::BigInt | Type::HugeInt | Type::Double) => Ok(Type::Double),
            (_, Type::Decimal { .. } | Type::Timestamp) => Ok(arg.ty),
            (_, Type::Varchar | Type::Boolean) => Err(Problem::new(
                arg.span,
                format!("a number or a TIMESTAMP in {name}"),
                self.shown_with_type(arg),
                format!("write quantile_disc({}, 0.5)", self.shown(arg)),
            )),
        }
    }

    /// Refuses what has no sum.
    fn summable(&self, args: &[Expr], name: &str) -> Result<(), Problem> {
        let Some(arg) = args.first() else {
            return Ok(());
        };
        let shown = self.shown(arg);
        let advice = match arg.ty {
            Type::BigInt | Type::HugeInt | Type::Double | Type::Decimal { .. } => return Ok(()),
            Type::Boolean => format!("count the rows: count(*) FILTER (WHERE {shown})"),
            Type::Timestamp => format!("take milliseconds: {name}(epoch_ms({shown}))"),
            Type::Varchar => format!("write {name}(CAST({shown} AS DOUBLE)), or another number"),
        };
        Err(Problem::new(
            arg.span,
            format!("a number in {name}"),
            self.shown_with_type(arg),
            advice,
        ))
    }
}

fn allow_distinct(function: AggregateFunction, span: Span) -> Result<(), Problem> {
    match function {
        AggregateFunction::Count | AggregateFunction::Sum | AggregateFunction::Avg => Ok(()),
        AggregateFunction::CountStar
        | AggregateFunction::Min
        | AggregateFunction::Max
        | AggregateFunction::ArgMin
        | AggregateFunction::ArgMax
        | AggregateFunction::First
        | AggregateFunction::Last
        | AggregateFunction::Statistic(_)
        | AggregateFunction::Quantile(_) => Err(Problem::new(
            span,
            "DISTINCT in count, sum and avg only",
            "DISTINCT",
            "leave it out",
        )),
    }
}
