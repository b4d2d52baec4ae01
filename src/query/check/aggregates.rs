//! Aggregate calls: where they may stand, what they take, what they give.

use super::super::ast::Call;
use super::super::plan::{Aggregate, AggregateFunction, Expr, Node};
use super::super::{Problem, Span};
use super::{Binder, Clause};
use crate::value::{Type, WIDE_DIGITS};

impl Binder<'_> {
    /// A call of `function`: the column that will hold its result.
    pub(super) fn aggregate(
        &mut self,
        function: AggregateFunction,
        call: &Call,
        span: Span,
    ) -> Result<Expr, Problem> {
        self.allow_aggregate(call.name.span)?;
        if let Some(distinct) = call.distinct {
            return Err(distinct_inside(function, distinct));
        }
        self.inside = Some(span);
        let args = call
            .args
            .iter()
            .map(|arg| self.expr(arg))
            .collect::<Result<Vec<_>, _>>()?;
        let filter = match &call.filter {
            None => None,
            Some(filter) => {
                let filter = self.expr(filter)?;
                Some(self.boolean(filter, "FILTER")?)
            }
        };
        self.inside = None;
        let counts_rows = function == AggregateFunction::Count && args.is_empty();
        let function = if counts_rows {
            AggregateFunction::CountStar
        } else {
            function
        };
        let (args, ty) = self.aggregate_types(function, args)?;
        let aggregate = Aggregate {
            function,
            args,
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
        function: AggregateFunction,
        mut args: Vec<Expr>,
    ) -> Result<(Vec<Expr>, Type), Problem> {
        let first = args.first().map_or(Type::BigInt, |arg| arg.ty);
        let ty = match function {
            AggregateFunction::CountStar | AggregateFunction::Count => Type::BigInt,
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
            AggregateFunction::RegrSlope => {
                for arg in &mut args {
                    self.double(arg, "regr_slope")?;
                }
                Type::Double
            }
        };
        Ok((args, ty))
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

fn distinct_inside(function: AggregateFunction, span: Span) -> Problem {
    match function {
        AggregateFunction::Count
        | AggregateFunction::CountStar
        | AggregateFunction::Sum
        | AggregateFunction::Avg => Problem::not_built(
            span,
            "DISTINCT inside an aggregate",
            "group by the value in a run of its own",
        ),
        AggregateFunction::Min
        | AggregateFunction::Max
        | AggregateFunction::ArgMin
        | AggregateFunction::ArgMax
        | AggregateFunction::First
        | AggregateFunction::Last
        | AggregateFunction::RegrSlope => Problem::new(
            span,
            "DISTINCT in count, sum and avg only",
            "DISTINCT",
            "leave it out",
        ),
    }
}
