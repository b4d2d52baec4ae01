//! Calls of scalar functions, by the rules of the table in `functions`.

use super::super::ast::{self, Call};
use super::super::functions::{self, Entry, Rule};
use super::super::plan::{Bucket, Expr, Function, Interval, Node, TimeUnit};
use super::super::{Problem, Span, units};
use super::literals::convert;
use super::operators::call;
use super::types::{Exact, Texts};
use super::{Binder, literals};
use crate::value::Type;

const MICROS_PER_DAY: i64 = 86_400_000_000;

impl Binder<'_> {
    /// A call by name: of an aggregate, a scalar function or nothing that is known.
    pub(super) fn call(&mut self, call: &Call, span: Span) -> Result<Expr, Problem> {
        let name = &call.name;
        let Some(entry) = functions::find(&name.text) else {
            let advice = match functions::nearest(&name.text) {
                Some(near) => format!("did you mean {near}?"),
                None => "docs/sql.md lists the functions".to_owned(),
            };
            return Err(Problem::new(
                name.span,
                "a function",
                name.span.shown(self.text),
                advice,
            ));
        };
        if let Rule::Instead(advice) = entry.rule {
            let found = name.span.shown(self.text);
            return Err(Problem::new(
                name.span,
                "a function of windrow",
                found,
                advice,
            ));
        }
        arity(entry, call, span)?;
        if let Rule::Aggregate(function) | Rule::Truths(function) = entry.rule {
            return self.aggregate(entry, function, call, span);
        }
        if let Some(filter) = &call.filter {
            return Err(Problem::new(
                filter.span,
                "FILTER after an aggregate only",
                entry.name,
                "use CASE WHEN … THEN … END",
            ));
        }
        if let Some(distinct) = call.distinct {
            return Err(Problem::new(
                distinct,
                "DISTINCT in an aggregate only",
                "DISTINCT",
                "leave it out",
            ));
        }
        self.scalar(entry, &call.args, span)
    }

    fn scalar(&mut self, entry: &Entry, args: &[ast::Expr], span: Span) -> Result<Expr, Problem> {
        match (entry.rule, args) {
            (Rule::Pi, _) => Ok(literals::double(std::f64::consts::PI, span)),
            (Rule::Typed(function, types, ty), args) => {
                let args = self.typed(args, types, entry.name)?;
                Ok(call(function, args, ty, span))
            }
            (Rule::MakeTimestamp, args) => self.make_timestamp(args, entry.name, span),
            (Rule::Sign, [arg]) => {
                let arg = self.number_of(arg, entry.name)?;
                Ok(call(Function::Sign, vec![arg], Type::BigInt, span))
            }
            (Rule::Outermost(end), args) => {
                let (args, ty) = self.of_one_type(args, entry.name)?;
                let node = Node::Outermost(end, args);
                Ok(Expr { node, ty, span })
            }
            (Rule::Abs, [arg]) => {
                let arg = self.number_of(arg, entry.name)?;
                let ty = arg.ty;
                Ok(call(Function::Abs, vec![arg], ty, span))
            }
            (Rule::Whole(function), [arg]) => {
                let arg = self.number_of(arg, entry.name)?;
                Ok(whole(function, arg, span))
            }
            (Rule::Round, [arg]) => {
                let arg = self.number_of(arg, entry.name)?;
                Ok(round(arg, 0, span))
            }
            (Rule::Round, [arg, digits]) => {
                let arg = self.number_of(arg, entry.name)?;
                let digits = self.digits(digits)?;
                Ok(round(arg, digits, span))
            }
            (Rule::Coalesce, args) => self.coalesce(args, span),
            (Rule::NullIf, [arg, null]) => self.null_if(arg, null, span),
            (Rule::TimeBucket, [width, arg]) => {
                let bucket = self.bucket(width)?;
                self.of_time(
                    Function::TimeBucket(bucket),
                    arg,
                    Type::Timestamp,
                    entry.name,
                    span,
                )
            }
            (Rule::DateTrunc, [unit, arg]) => {
                let unit = self.unit(unit).and_then(|unit| self.length(unit, args))?;
                self.of_time(
                    Function::DateTrunc(unit),
                    arg,
                    Type::Timestamp,
                    entry.name,
                    span,
                )
            }
            (Rule::DatePart, [unit, arg]) => {
                let unit = self.unit(unit)?;
                self.of_time(
                    Function::DatePart(unit),
                    arg,
                    Type::BigInt,
                    entry.name,
                    span,
                )
            }
            // The arity was checked, and what is no scalar function was answered.
            _ => Err(Problem::new(
                span,
                "a call that fits the table of functions",
                entry.name,
                "",
            )),
        }
    }

    fn all_of(&mut self, args: &[ast::Expr]) -> Result<Vec<Expr>, Problem> {
        args.iter().map(|arg| self.expr(arg)).collect()
    }

    /// Arguments of these types; as many of them as there are.
    fn typed(
        &mut self,
        args: &[ast::Expr],
        types: &[Type],
        name: &str,
    ) -> Result<Vec<Expr>, Problem> {
        let typed = args.iter().zip(types);
        typed
            .map(|(arg, &ty)| {
                let arg = self.expr(arg)?;
                self.of_type(arg, ty, name)
            })
            .collect()
    }

    /// `expr` as an argument of type `ty`: a number may become DOUBLE, a literal text a TIMESTAMP, NULL anything.
    pub(super) fn of_type(&self, mut expr: Expr, ty: Type, name: &str) -> Result<Expr, Problem> {
        if ty == Type::Timestamp {
            return self.timestamp(expr, name);
        }
        if ty == Type::Double {
            self.double(&mut expr, name)?;
            return Ok(expr);
        }
        if literals::is_null(&expr) {
            convert(&mut expr, ty);
        }
        if expr.ty == ty {
            return Ok(expr);
        }
        Err(Problem::new(
            expr.span,
            format!("a {ty} in {name}"),
            self.shown_with_type(&expr),
            format!("write CAST({} AS {ty})", self.shown(&expr)),
        ))
    }

    fn make_timestamp(
        &mut self,
        args: &[ast::Expr],
        name: &str,
        span: Span,
    ) -> Result<Expr, Problem> {
        const PARTS: [Type; 6] = {
            let whole = Type::BigInt;
            [whole, whole, whole, whole, whole, Type::Double]
        };
        if !matches!(args.len(), 1 | 6) {
            let found = args.len().to_string();
            let advice = "write make_timestamp(year, month, day, hour, minute, second), or microseconds alone";
            return Err(Problem::new(
                span,
                "1 or 6 arguments of make_timestamp",
                found,
                advice,
            ));
        }
        let args = self.typed(args, &PARTS, name)?;
        Ok(call(Function::MakeTimestamp, args, Type::Timestamp, span))
    }

    /// Arguments that meet in one type, and that type.
    fn of_one_type(
        &mut self,
        args: &[ast::Expr],
        place: &str,
    ) -> Result<(Vec<Expr>, Type), Problem> {
        let mut args = self.all_of(args)?;
        let mut all: Vec<&mut Expr> = args.iter_mut().collect();
        self.align(&mut all, Exact::Meet, Texts::Literal, place)?;
        let ty = args.first().map_or(Type::BigInt, |first| first.ty);
        Ok((args, ty))
    }

    fn number_of(&mut self, arg: &ast::Expr, place: &str) -> Result<Expr, Problem> {
        let arg = self.expr(arg)?;
        self.numeric(&arg, place)?;
        Ok(arg)
    }

    fn of_time(
        &mut self,
        function: Function,
        arg: &ast::Expr,
        ty: Type,
        name: &str,
        span: Span,
    ) -> Result<Expr, Problem> {
        let arg = self.expr(arg)?;
        let arg = self.timestamp(arg, name)?;
        Ok(call(function, vec![arg], ty, span))
    }

    /// The digits of `round`.
    fn digits(&mut self, digits: &ast::Expr) -> Result<i32, Problem> {
        let bound = self.expr(digits)?;
        let whole = literals::constant_of(&bound).filter(|_| bound.ty == Type::BigInt);
        let value = whole.and_then(|digits| i32::try_from(digits).ok());
        value.ok_or_else(|| {
            let advice = "write the number of digits, as in round(x, 2)";
            Problem::new(
                digits.span,
                "a constant whole number of digits",
                self.shown(&bound),
                advice,
            )
        })
    }

    fn coalesce(&mut self, args: &[ast::Expr], span: Span) -> Result<Expr, Problem> {
        let (args, ty) = self.of_one_type(args, "COALESCE")?;
        let node = Node::Coalesce(args);
        Ok(Expr { node, ty, span })
    }

    /// `CASE WHEN arg = null THEN NULL ELSE arg END`. The type is that of the first, as in DuckDB, but mixed DECIMALs
    /// keep the larger scale (SQL.md, Arithmetic).
    fn null_if(&mut self, arg: &ast::Expr, null: &ast::Expr, span: Span) -> Result<Expr, Problem> {
        let mut arg = self.expr(arg)?;
        let mut null = self.expr(null)?;
        let (Type::Decimal { .. }, Type::Decimal { .. }) = (arg.ty, null.ty) else {
            let shown = self.copy(&arg)?;
            return self.null_where_equal(arg, null, shown, span);
        };
        self.align(
            &mut [&mut arg, &mut null],
            Exact::Meet,
            Texts::Any,
            "NULLIF",
        )?;
        let shown = self.copy(&arg)?;
        self.null_where_equal(arg, null, shown, span)
    }

    fn null_where_equal(
        &self,
        arg: Expr,
        null: Expr,
        shown: Expr,
        span: Span,
    ) -> Result<Expr, Problem> {
        let equal = self.compare(Function::Equal, arg, null, span)?;
        let ty = shown.ty;
        let mut nothing = literals::null(span);
        convert(&mut nothing, ty);
        Ok(Expr {
            node: Node::Case {
                arms: vec![(equal, nothing)],
                otherwise: Some(Box::new(shown)),
            },
            ty,
            span,
        })
    }

    /// The unit that a text names.
    fn unit(&self, unit: &ast::Expr) -> Result<TimeUnit, Problem> {
        let ast::Node::Text(name) = &unit.node else {
            let advice = "the unit is constant: write 'hour', 'day', 'month' …";
            return Err(Problem::new(
                unit.span,
                "a unit in quotes",
                unit.span.shown(self.text),
                advice,
            ));
        };
        units::unit(name).ok_or_else(|| {
            Problem::new(
                unit.span,
                "a unit of time",
                unit.span.shown(self.text),
                units::unit_advice(name),
            )
        })
    }

    fn length(&self, unit: TimeUnit, args: &[ast::Expr]) -> Result<TimeUnit, Problem> {
        if units::is_length(unit) {
            return Ok(unit);
        }
        let span = args.first().map_or_else(Span::default, |arg| arg.span);
        let advice = "date_part gives it; date_trunc takes microsecond to millennium";
        Err(Problem::new(
            span,
            "a unit that has a start",
            span.shown(self.text),
            advice,
        ))
    }

    /// The width of `time_bucket`.
    fn bucket(&self, width: &ast::Expr) -> Result<Bucket, Problem> {
        let found = || width.span.shown(self.text);
        let ast::Node::Interval(interval) = width.node else {
            let advice = "the width is constant: write INTERVAL '1 minute'";
            return Err(Problem::new(
                width.span,
                "an INTERVAL as the width",
                found(),
                advice,
            ));
        };
        if interval.months != 0 && (interval.days, interval.micros) != (0, 0) {
            let advice = "months have no fixed length: use months alone, or days and less";
            return Err(Problem::new(
                width.span,
                "months, or days and time, not both",
                found(),
                advice,
            ));
        }
        positive(interval).ok_or_else(|| {
            let advice =
                "a bucket is at least a microsecond wide, and its width fits 64 bits of them";
            Problem::new(width.span, "a width above zero", found(), advice)
        })
    }
}

fn positive(interval: Interval) -> Option<Bucket> {
    if interval.months > 0 {
        return Some(Bucket::Months(interval.months));
    }
    let days = i64::from(interval.days).checked_mul(MICROS_PER_DAY)?;
    let micros = days.checked_add(interval.micros)?;
    (interval.months == 0 && micros > 0).then_some(Bucket::Micros(micros))
}

/// `floor` and `ceil`: an integer is whole already, and becomes a DOUBLE as in DuckDB.
fn whole(function: Function, mut arg: Expr, span: Span) -> Expr {
    let ty = match arg.ty {
        Type::Decimal { precision, .. } => Type::Decimal {
            precision,
            scale: 0,
        },
        Type::Double => Type::Double,
        Type::BigInt | Type::HugeInt | Type::Boolean | Type::Varchar | Type::Timestamp => {
            convert(&mut arg, Type::Double);
            return Expr { span, ..arg };
        }
    };
    call(function, vec![arg], ty, span)
}

/// `round` to `digits`: what has no more digits than that stays.
fn round(arg: Expr, digits: i32, span: Span) -> Expr {
    let ty = match arg.ty {
        Type::Decimal { precision, scale } => Type::Decimal {
            precision,
            scale: u8::try_from(digits.max(0)).map_or(scale, |digits| digits.min(scale)),
        },
        Type::BigInt
        | Type::HugeInt
        | Type::Double
        | Type::Boolean
        | Type::Varchar
        | Type::Timestamp => arg.ty,
    };
    if arg
        .ty
        .scale()
        .is_some_and(|scale| i32::from(scale) <= digits)
    {
        return Expr { span, ..arg };
    }
    call(Function::Round { digits }, vec![arg], ty, span)
}

fn arity(entry: &Entry, call: &Call, span: Span) -> Result<(), Problem> {
    let name = entry.name;
    if let Some(star) = call.star {
        if name == "count" {
            return Ok(());
        }
        return Err(Problem::new(
            star,
            "* in count(*) only",
            format!("{name}(*)"),
            "name a column",
        ));
    }
    let args = call.args.len();
    if (entry.least..=entry.most).contains(&args) {
        return Ok(());
    }
    let expected = match (entry.least, entry.most) {
        (least, usize::MAX) => format!("{least} or more arguments of {name}"),
        (1, 1) => format!("1 argument of {name}"),
        (least, most) if least == most => format!("{least} arguments of {name}"),
        (least, most) => format!("{least} or {most} arguments of {name}"),
    };
    let origin = entry.rule == Rule::TimeBucket && args > entry.most;
    let advice = if origin {
        "buckets count from 2000-01-03, months from 2000-01-01: there is no origin to give"
            .to_owned()
    } else {
        format!("write {}: {}", entry.usage(), entry.doc)
    };
    Err(Problem::new(span, expected, args.to_string(), advice))
}
