//! Hand-built plans over hand-built batches. The central property: however rows are split, in whatever order parts are
//! merged, the results are those of one pass.

use super::*;
use crate::query::Span;
use crate::query::plan::Statistic::*;
use crate::query::plan::{
    self, Aggregate, AggregateFunction, Direction, Fraction, Function, Node, Nulls, OrderKey,
    QuantileKind,
};
use crate::value::{Type, Value};

mod partial;

const NULL: Value = Value::Null;

fn int(value: i64) -> Value {
    Value::Int(value)
}

fn txt(value: &str) -> Value {
    Value::Text(value.into())
}

fn col(index: usize, ty: Type) -> Expr {
    Expr {
        node: Node::Column(index),
        ty,
        span: Span::default(),
    }
}

fn call(function: Function, args: Vec<Expr>, ty: Type) -> Expr {
    Expr {
        node: Node::Call(function, args),
        ty,
        span: Span::default(),
    }
}

fn constant(value: Value, ty: Type) -> Expr {
    Expr {
        node: Node::Constant(value),
        ty,
        span: Span::default(),
    }
}

fn aggregate(function: AggregateFunction, args: Vec<Expr>, ty: Type) -> Aggregate {
    Aggregate {
        function,
        args,
        distinct: false,
        filter: None,
        ty,
        span: Span { start: 3, end: 8 },
    }
}

/// All keys, then all aggregates.
fn plan(keys: Vec<Expr>, aggregates: Vec<Aggregate>) -> Groups {
    let types = keys
        .iter()
        .map(|key| key.ty)
        .chain(aggregates.iter().map(|call| call.ty));
    Groups {
        outputs: types.enumerate().map(|(at, ty)| col(at, ty)).collect(),
        keys,
        aggregates,
        having: None,
        order: Vec::new(),
        limit: None,
        distinct: None,
    }
}

fn batch(types: &[Type], rows: &[(u64, Vec<Value>)]) -> Batch {
    let columns = types
        .iter()
        .enumerate()
        .map(|(at, &ty)| {
            let mut vector = Vector::with_capacity(ty, rows.len());
            rows.iter().for_each(|(_, values)| vector.push(&values[at]));
            vector
        })
        .collect();
    Batch {
        rows: rows.len(),
        columns,
        offsets: rows.iter().map(|&(offset, _)| offset).collect(),
        ..Batch::default()
    }
}

fn unlimited() -> Arc<Budget> {
    Arc::new(Budget::new(u64::MAX))
}

fn output(rollup: Rollup<'_>) -> Result<Vec<Vec<Value>>, Failure> {
    let mut results = rollup.finish()?;
    let mut rows = Vec::new();
    while let Some(batch) = results.next_batch()? {
        assert!(0 < batch.rows && batch.rows <= BATCH_ROWS);
        for row in 0..batch.rows {
            rows.push(
                batch
                    .columns
                    .iter()
                    .map(|column| column.value(row))
                    .collect(),
            );
        }
    }
    assert_eq!(results.len(), rows.len());
    Ok(rows)
}

fn roll(plan: &Groups, batches: &[Batch]) -> Result<Vec<Vec<Value>>, Failure> {
    let mut rollup = Rollup::new(plan, unlimited());
    batches.iter().try_for_each(|batch| rollup.add(batch))?;
    output(rollup)
}

/// A generator of arithmetic: the tests are the same everywhere.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 ^ (self.0 >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd) >> 11
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// Below the length of a list, as an index into it.
fn pick<T: Copy>(numbers: &mut Numbers, list: &[T]) -> T {
    let at = numbers.below(list.len() as u64);
    list[usize::try_from(at).unwrap()]
}

const BOOLEAN: Type = Type::Boolean;
const BIGINT: Type = Type::BigInt;
const HUGEINT: Type = Type::HugeInt;
const DOUBLE: Type = Type::Double;
const VARCHAR: Type = Type::Varchar;
const PRICE: Type = Type::Decimal {
    precision: 18,
    scale: 4,
};
const WIDE: Type = Type::Decimal {
    precision: 38,
    scale: 4,
};
/// One column of each way of being held, before them two keys.
const TYPES: [Type; 8] = [
    VARCHAR, DOUBLE, BOOLEAN, BIGINT, WIDE, DOUBLE, VARCHAR, PRICE,
];

fn random_row(numbers: &mut Numbers) -> Vec<Value> {
    let texts = ["", "a", "b", "ab", "a longer text than that", "ä"];
    let signed = |numbers: &mut Numbers| numbers.next() as i64 - (1 << 52);
    let row = vec![
        txt(pick(numbers, &texts[..3])),
        Value::Double(pick(numbers, &[0.0, -0.0, 1.5])),
        Value::Boolean(numbers.below(2) == 0),
        int(numbers.below(5) as i64 - 2),
        Value::Wide(i128::from(signed(numbers)) << numbers.below(70)),
        // Values whose sum depends on the order of rounding, now and then far apart.
        Value::Double(match numbers.below(20) {
            0 => 1e140,
            1 => -1e140,
            2 => -0.0,
            _ => signed(numbers) as f64 * 1e-7,
        }),
        txt(pick(numbers, &texts)),
        int(signed(numbers)),
    ];
    row.into_iter()
        .map(|value| if numbers.below(8) == 0 { NULL } else { value })
        .collect()
}

/// Every aggregate over every way of holding values, some filtered.
fn every_aggregate() -> Vec<Aggregate> {
    use AggregateFunction::*;
    let mut all = vec![aggregate(CountStar, vec![], BIGINT)];
    let columns = || TYPES.into_iter().enumerate().skip(2);
    for (at, ty) in columns() {
        let arg = || col(at, ty);
        all.push(aggregate(Count, vec![arg()], BIGINT));
        for function in [Min, Max, First, Last] {
            all.push(aggregate(function, vec![arg()], ty));
        }
        for (key, key_ty) in columns() {
            for function in [ArgMin, ArgMax] {
                let args = vec![arg(), col(key, key_ty)];
                all.push(aggregate(function, args, ty));
            }
        }
    }
    for (at, sum) in [(3, HUGEINT), (4, WIDE), (5, DOUBLE), (7, WIDE)] {
        all.push(aggregate(Sum, vec![col(at, TYPES[at])], sum));
        all.push(aggregate(Avg, vec![col(at, TYPES[at])], DOUBLE));
    }
    let as_double = |at: usize| Expr {
        node: Node::Cast(Box::new(col(at, TYPES[at]))),
        ty: DOUBLE,
        span: Span::default(),
    };
    for x in [3, 7] {
        let args = vec![col(5, DOUBLE), as_double(x)];
        all.push(aggregate(Statistic(RegrSlope), args, DOUBLE));
    }
    for (at, sum) in [(3, HUGEINT), (4, WIDE), (5, DOUBLE), (7, WIDE)] {
        for (function, ty) in [(Count, BIGINT), (Sum, sum), (Avg, DOUBLE)] {
            all.push(Aggregate {
                distinct: true,
                ..aggregate(function, vec![col(at, TYPES[at])], ty)
            });
        }
        for of in [VarSamp, VarPop, StddevSamp, StddevPop] {
            all.push(aggregate(Statistic(of), vec![col(at, TYPES[at])], DOUBLE));
        }
        for of in [CovarSamp, CovarPop, Corr, RegrSlope, RegrIntercept, RegrR2] {
            let args = vec![col(at, TYPES[at]), col(5, DOUBLE)];
            all.push(aggregate(Statistic(of), args, DOUBLE));
        }
    }
    let fraction = Fraction {
        numerator: 37,
        scale: 2,
    };
    for (at, ty) in columns() {
        let kind = QuantileKind::Discrete;
        let disc = Quantile(plan::Quantile { kind, fraction });
        all.push(aggregate(disc, vec![col(at, ty)], ty));
        let kind = QuantileKind::Continuous;
        let cont = Quantile(plan::Quantile { kind, fraction });
        match ty {
            Type::Boolean | Type::Varchar => {}
            Type::Decimal { .. } | Type::Timestamp => {
                all.push(aggregate(cont, vec![col(at, ty)], ty));
            }
            Type::BigInt | Type::HugeInt | Type::Double => {
                all.push(aggregate(cont, vec![col(at, ty)], DOUBLE));
            }
        }
    }
    let mut filtered: Vec<_> = all.iter().step_by(3).cloned().collect();
    for call in &mut filtered {
        call.filter = Some(col(2, BOOLEAN));
    }
    all.extend(filtered);
    all
}

#[test]
fn the_first_rows_of_an_order_are_the_same_however_they_came() {
    let mut numbers = Numbers(5);
    let keys = [
        (3, BIGINT, Direction::Descending),
        (0, VARCHAR, Direction::Ascending),
    ];
    // Enough that the worst rows are dropped on the way, and those that come later are held against the rest.
    let rows: Vec<_> = (0..12_000_u64)
        .map(|at| (at * 10, random_row(&mut numbers)))
        .collect();
    for limit in [0, 1, 7, 11_999, 12_000, 20_000] {
        let plan = plan::Rows {
            outputs: vec![col(6, VARCHAR), col(3, BIGINT)],
            order: keys
                .map(|(at, ty, direction)| OrderKey {
                    expr: col(at, ty),
                    direction,
                    nulls: Nulls::Last,
                })
                .to_vec(),
            limit: Some(limit),
        };
        let first = |parts: usize| {
            let mut tops = (0..parts).map(|part| {
                let mut top = Top::new(&plan, unlimited());
                let rows: Vec<_> = rows.iter().skip(part).step_by(parts).cloned().collect();
                for chunk in rows.chunks(997).rev() {
                    top.add(&batch(&TYPES, chunk)).unwrap();
                }
                top
            });
            let mut first = tops.next().unwrap();
            tops.for_each(|other| first.merge(other).unwrap());
            let mut ordered = first.finish().unwrap();
            let mut found = Vec::new();
            while let Some(batch) = ordered.next_batch().unwrap() {
                found.extend((0..batch.rows).map(|row| {
                    let columns = batch.columns.iter();
                    columns.map(|column| column.value(row)).collect::<Vec<_>>()
                }));
            }
            found
        };
        let mut want: Vec<_> = rows.iter().map(|(_, row)| row).collect();
        // Stable: ties stay in the order of the input.
        want.sort_by(|a, b| {
            let descending = in_order(&a[3], &b[3], Direction::Descending);
            descending.then_with(|| in_order(&a[0], &b[0], Direction::Ascending))
        });
        let want: Vec<_> = want
            .into_iter()
            .take(usize::try_from(limit).unwrap())
            .map(|row| vec![row[6].clone(), row[3].clone()])
            .collect();
        for parts in [1, 2, 5] {
            assert_eq!(first(parts), want, "LIMIT {limit}, {parts} parts");
        }
    }
}

/// NULLs last.
fn in_order(a: &Value, b: &Value, direction: Direction) -> std::cmp::Ordering {
    let ordering = match (a, b) {
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::Text(a), Value::Text(b)) => a.cmp(b),
        (a, b) => return (*a == NULL).cmp(&(*b == NULL)),
    };
    match direction {
        Direction::Ascending => ordering,
        Direction::Descending => ordering.reverse(),
    }
}

#[test]
fn f127_the_rows_that_order_by_keeps_are_charged() {
    let plan = plan::Rows {
        outputs: vec![col(1, VARCHAR)],
        order: vec![OrderKey {
            expr: col(0, BIGINT),
            direction: Direction::Descending,
            nulls: Nulls::Last,
        }],
        limit: Some(1_000),
    };
    let types = [BIGINT, VARCHAR];
    let rows: Vec<_> = (0..4_000)
        .map(|at| (at, vec![int(at as i64), txt(&format!("text number {at}"))]))
        .collect();
    let taken = |limit: u64| {
        let budget = Arc::new(Budget::new(limit));
        let mut top = Top::new(&plan, budget.clone());
        let batches = rows.chunks(500).map(|rows| batch(&types, rows));
        let found = batches
            .map(|batch| top.add(&batch))
            .collect::<Result<Vec<_>, _>>()
            .and_then(|_| top.finish());
        let found = found.map(|mut ordered| {
            let first = ordered.next_batch().unwrap().unwrap();
            (first.rows, first.columns[0].value(0))
        });
        assert_eq!(budget.used_bytes(), 0, "all is given back");
        found
    };
    // The least that is enough, and a byte less.
    let (mut low, mut high) = (0, 4_000_000);
    while low + 1 < high {
        let middle = u64::midpoint(low, high);
        match taken(middle) {
            Ok(_) => high = middle,
            Err(_) => low = middle,
        }
    }
    assert_eq!(taken(high), Ok((1_000, txt("text number 3999"))));
    let Err(Failure::Full(full)) = taken(low) else {
        panic!("a byte less is enough");
    };
    assert_eq!(full.holder, Holder::Rows);
    assert!((1_000..=4_000).contains(&full.entries), "{full:?}");
    assert_eq!(full.exceeded.limit_bytes, Some(low));
}

#[test]
fn f127_what_distinct_and_quantiles_hold_is_charged() {
    use AggregateFunction::*;
    let median = Quantile(plan::Quantile {
        kind: QuantileKind::Continuous,
        fraction: Fraction::HALF,
    });
    let distinct = Aggregate {
        distinct: true,
        ..aggregate(Count, vec![col(0, BIGINT)], BIGINT)
    };
    let median = aggregate(median, vec![col(0, BIGINT)], DOUBLE);
    for (name, holder, call) in [
        ("median", Holder::Quantiles, median),
        ("count(DISTINCT)", Holder::Distinct, distinct),
    ] {
        let plan = plan(vec![], vec![call]);
        let rows: Vec<_> = (0..4_000).map(|at| (at, vec![int(at as i64)])).collect();
        let taken = |limit: u64| {
            let budget = Arc::new(Budget::new(limit));
            let mut rollup = Rollup::new(&plan, budget.clone());
            for chunk in rows.chunks(500) {
                rollup.add(&batch(&[BIGINT], chunk))?;
            }
            let rows = output(rollup)?;
            assert_eq!(budget.used_bytes(), 0, "{name}: all is given back");
            Ok::<_, Failure>(rows)
        };
        let Err(Failure::Full(full)) = taken(20_000) else {
            panic!("{name} in 20,000 bytes");
        };
        assert_eq!(full.holder, holder, "{name}");
        assert!((100..4_000).contains(&full.entries), "{name}: {full:?}");
        assert!(full.exceeded.bytes > 20_000, "{name}");
        // The least that is enough, and a byte less.
        let (mut low, mut high) = (20_000_u64, 4_000_000);
        while low + 1 < high {
            let middle = low.midpoint(high);
            match taken(middle) {
                Ok(_) => high = middle,
                Err(_) => low = middle,
            }
        }
        assert!(taken(high).is_ok() && taken(high - 1).is_err(), "{name}");
        assert!(
            high > 4_000 * 9,
            "{name} holds 4,000 values in {high} bytes"
        );
    }
}

#[test]
fn which_zero_a_quantile_shows_does_not_hang_on_the_order() {
    let lowest = AggregateFunction::Quantile(plan::Quantile {
        kind: QuantileKind::Discrete,
        fraction: Fraction {
            numerator: 0,
            scale: 0,
        },
    });
    let plan = plan(
        vec![],
        vec![aggregate(lowest, vec![col(0, DOUBLE)], DOUBLE)],
    );
    for values in [[0.0, -0.0], [-0.0, 0.0]] {
        let rows: Vec<_> = (0..)
            .zip(values.map(|value| vec![Value::Double(value)]))
            .collect();
        let found = roll(&plan, &[batch(&[DOUBLE], &rows)]).unwrap();
        assert_eq!(format!("{found:?}"), "[[Double(-0.0)]]", "{values:?}");
    }
}

/// What `median` and its kind make of four values whose exact results are known.
#[test]
#[rustfmt::skip]
fn quantiles_are_exact() {
    let quantile = |kind, numerator, scale| {
        let fraction = Fraction { numerator, scale };
        AggregateFunction::Quantile(plan::Quantile { kind, fraction })
    };
    let (cont, disc) = (QuantileKind::Continuous, QuantileKind::Discrete);
    let big = |value: i64| int(9_007_199_254_740_993 + value);
    for (name, ty, result, values, function, want) in [
        ("median of integers", BIGINT, DOUBLE, vec![int(4), int(1), int(2), int(3)], quantile(cont, 5, 1), Value::Double(2.5)),
        ("past 2^53", BIGINT, DOUBLE, vec![big(0), big(2)], quantile(cont, 5, 1), Value::Double(9_007_199_254_740_994.0)),
        ("first", BIGINT, BIGINT, vec![int(4), int(1)], quantile(disc, 0, 0), int(1)),
        ("last", BIGINT, BIGINT, vec![int(4), int(1)], quantile(disc, 1, 0), int(4)),
        ("0.07 of 100 is the seventh", BIGINT, BIGINT, (1..=100).map(int).collect(), quantile(disc, 7, 2), int(7)),
        ("just past it", BIGINT, BIGINT, (1..=100).map(int).collect(), quantile(disc, 71, 3), int(8)),
        ("a fraction of 18 digits", BIGINT, DOUBLE, vec![int(0), int(1)], quantile(cont, 300_000_000_000_000_044, 18), Value::Double(0.300_000_000_000_000_04)),
        ("and of doubles", DOUBLE, DOUBLE, vec![Value::Double(-1e308), Value::Double(1e308)], quantile(cont, 999_999_999_999_999_999, 18), Value::Double(1e308)),
        ("of decimals of 38 digits", WIDE, WIDE, vec![Value::Wide(10_i128.pow(38) - 1), Value::Wide(1 - 10_i128.pow(38))], quantile(cont, 999_999_999_999_999_999, 18), Value::Wide(99_999_999_999_999_999_799_999_999_999_999_999_999)),
        ("a time rounds half away", Type::Timestamp, Type::Timestamp, vec![int(-2), int(-1)], quantile(cont, 5, 1), int(-2)),
        ("nothing", BIGINT, DOUBLE, vec![NULL, NULL], quantile(cont, 5, 1), NULL),
        ("nothing that is a value", BIGINT, BIGINT, vec![NULL], quantile(disc, 5, 1), NULL),
        ("a text", VARCHAR, VARCHAR, vec![txt("b"), txt("a"), txt("c")], quantile(disc, 5, 1), txt("b")),
        ("doubles", DOUBLE, DOUBLE, vec![Value::Double(0.1), Value::Double(0.2)], quantile(cont, 5, 1), Value::Double(0.15000000000000002)),
    ] {
        let plan = plan(vec![], vec![aggregate(function, vec![col(0, ty)], result)]);
        let rows: Vec<_> = (0..).zip(values.into_iter().map(|value| vec![value])).collect();
        let rows = roll(&plan, &[batch(&[ty], &rows)]).unwrap();
        assert_eq!(rows, vec![vec![want]], "{name}");
    }
}

/// A mean of 1e9 with a deviation of 1e-3: the sums cancel, and no digit is lost.
#[test]
fn spread_does_not_cancel() {
    let ty = Type::Decimal {
        precision: 13,
        scale: 3,
    };
    let calls = [VarSamp, VarPop, StddevSamp]
        .map(|of| aggregate(AggregateFunction::Statistic(of), vec![col(0, ty)], DOUBLE));
    let plan = plan(vec![], calls.to_vec());
    let values = [
        1_000_000_000_001,
        1_000_000_000_002,
        1_000_000_000_003,
        1_000_000_000_004,
    ];
    let rows: Vec<_> = (0..).zip(values.map(|value| vec![int(value)])).collect();
    let rows = roll(&plan, &[batch(&[ty], &rows)]).unwrap();
    let want = [1.6666666666666667e-6, 1.25e-6, 0.0012909944487358056];
    assert_eq!(rows, vec![want.map(Value::Double).to_vec()]);
}

#[test]
fn merging_the_parts_in_any_order_gives_the_whole() {
    let mut numbers = Numbers(7);
    for (name, keys) in [
        ("no key", vec![]),
        ("two keys", vec![col(0, VARCHAR), col(1, DOUBLE)]),
    ] {
        let plan = plan(keys, every_aggregate());
        for rows in [0_u64, 1, 2, 60, 700] {
            let rows: Vec<_> = (0..rows)
                .map(|at| (at * 10, random_row(&mut numbers)))
                .collect();
            let whole = roll(&plan, &[batch(&TYPES, &rows)]).unwrap();
            assert!(
                rows.is_empty() || whole.len() >= plan.keys.len().min(1),
                "{name}"
            );
            for parts in [1, 2, 5] {
                let mut split = vec![Vec::new(); parts];
                for row in &rows {
                    let at = usize::try_from(numbers.below(parts as u64)).unwrap();
                    split[at].push(row.clone());
                }
                // Whatever part holds the first row is not always the one that the others are merged into.
                let at = usize::try_from(numbers.below(parts as u64)).unwrap();
                split.rotate_left(at);
                let mut rollups = split.iter().map(|rows| {
                    let mut rollup = Rollup::new(&plan, unlimited());
                    // In batches that come in the wrong order.
                    for chunk in rows.chunks(37).rev() {
                        rollup.add(&batch(&TYPES, chunk)).unwrap();
                    }
                    rollup
                });
                let mut first = rollups.next().unwrap();
                rollups.for_each(|other| first.merge(other).unwrap());
                // As text, so that -0.0 is not taken for 0.0.
                assert_eq!(
                    format!("{:?}", output(first).unwrap()),
                    format!("{whole:?}"),
                    "{name}, {} rows, {parts} parts",
                    rows.len()
                );
            }
        }
    }
}

#[test]
fn aggregates_over_few_rows() {
    use AggregateFunction::*;
    let types = [BIGINT, VARCHAR, DOUBLE];
    let rows = [
        (10, vec![int(3), txt("c"), Value::Double(1.0)]),
        (20, vec![NULL, txt("a"), Value::Double(2.0)]),
        (30, vec![int(1), NULL, Value::Double(2.0)]),
        (40, vec![int(3), txt("b"), NULL]),
        (50, vec![int(1), txt("d"), NULL]),
        (60, vec![NULL, NULL, Value::Double(4.0)]),
    ];
    let x = || Expr {
        node: Node::Cast(Box::new(col(0, BIGINT))),
        ty: DOUBLE,
        span: Span::default(),
    };
    let two = 2.0_f64;
    for (name, function, args, ty, want, of_none) in [
        ("count(*)", CountStar, vec![], BIGINT, int(6), int(0)),
        (
            "count",
            Count,
            vec![col(1, VARCHAR)],
            BIGINT,
            int(4),
            int(0),
        ),
        (
            "sum",
            Sum,
            vec![col(0, BIGINT)],
            HUGEINT,
            Value::Wide(8),
            NULL,
        ),
        (
            "avg",
            Avg,
            vec![col(0, BIGINT)],
            DOUBLE,
            Value::Double(two),
            NULL,
        ),
        (
            "sum of DOUBLE",
            Sum,
            vec![col(2, DOUBLE)],
            DOUBLE,
            Value::Double(9.0),
            NULL,
        ),
        (
            "avg of DOUBLE",
            Avg,
            vec![col(2, DOUBLE)],
            DOUBLE,
            Value::Double(2.25),
            NULL,
        ),
        ("min", Min, vec![col(1, VARCHAR)], VARCHAR, txt("a"), NULL),
        ("max", Max, vec![col(1, VARCHAR)], VARCHAR, txt("d"), NULL),
        (
            "arg_max, a tie",
            ArgMax,
            vec![col(1, VARCHAR), col(0, BIGINT)],
            VARCHAR,
            txt("c"),
            NULL,
        ),
        (
            "arg_min, NULL value skipped",
            ArgMin,
            vec![col(1, VARCHAR), col(0, BIGINT)],
            VARCHAR,
            txt("d"),
            NULL,
        ),
        (
            "first",
            First,
            vec![col(1, VARCHAR)],
            VARCHAR,
            txt("c"),
            NULL,
        ),
        (
            "last keeps NULL",
            Last,
            vec![col(1, VARCHAR)],
            VARCHAR,
            NULL,
            NULL,
        ),
        (
            "regr_slope",
            Statistic(RegrSlope),
            vec![col(2, DOUBLE), x()],
            DOUBLE,
            Value::Double(-0.5),
            NULL,
        ),
        (
            "regr_slope of a constant x",
            Statistic(RegrSlope),
            vec![x(), constant(Value::Double(2.0), DOUBLE)],
            DOUBLE,
            NULL,
            NULL,
        ),
    ] {
        let plan = plan(vec![], vec![aggregate(function, args, ty)]);
        assert_eq!(
            roll(&plan, &[batch(&types, &rows)]).unwrap(),
            [[want]],
            "{name}"
        );
        assert_eq!(
            roll(&plan, &[]).unwrap(),
            [[of_none.clone()]],
            "{name} of no rows"
        );
        assert_eq!(
            roll(&plan, &[batch(&types, &[])]).unwrap(),
            [[of_none]],
            "{name} of an empty batch"
        );
    }
}

#[test]
fn regr_slope_does_not_cancel() {
    // Far from the origin, where sums of squares in DOUBLE would have no digit left.
    let rows: Vec<_> = (0..1000_u64)
        .map(|at| {
            (
                at,
                vec![
                    Value::Double(1e9 + 3.0 * at as f64),
                    Value::Double(1e9 + at as f64),
                ],
            )
        })
        .collect();
    let args = vec![col(0, DOUBLE), col(1, DOUBLE)];
    let plan = plan(
        vec![],
        vec![aggregate(
            AggregateFunction::Statistic(RegrSlope),
            args,
            DOUBLE,
        )],
    );
    let types = [DOUBLE, DOUBLE];
    assert_eq!(
        roll(&plan, &[batch(&types, &rows)]).unwrap(),
        [[Value::Double(3.0)]]
    );
    let large = vec![Value::Double(1.0), Value::Double(1e155)];
    let failure = roll(&plan, &[batch(&types, &[(0, large)])]).unwrap_err();
    let Failure::Problem(problem) = failure else {
        panic!("{failure:?}")
    };
    assert!(problem.expected.contains("squares"), "{problem:?}");
    assert_eq!(problem.span, Span { start: 3, end: 8 });
}

#[test]
fn keys_are_grouped_and_sorted_with_null_last() {
    let types = [VARCHAR, DOUBLE];
    let rows: Vec<_> = [
        (txt("b"), Value::Double(1.0)),
        (NULL, Value::Double(-0.0)),
        (txt("a"), NULL),
        (NULL, Value::Double(0.0)),
        (txt("b"), Value::Double(-1.0)),
        (NULL, NULL),
        (txt(""), NULL),
        (NULL, NULL),
        (txt("a"), NULL),
    ]
    .into_iter()
    .enumerate()
    .map(|(at, (text, double))| (at as u64, vec![text, double]))
    .collect();
    let count = || aggregate(AggregateFunction::CountStar, vec![], BIGINT);
    let plan = plan(vec![col(0, VARCHAR), col(1, DOUBLE)], vec![count()]);
    let zero = Value::Double(0.0);
    let want = [
        [txt(""), NULL, int(1)],
        [txt("a"), NULL, int(2)],
        [txt("b"), Value::Double(-1.0), int(1)],
        [txt("b"), Value::Double(1.0), int(1)],
        [NULL, zero.clone(), int(2)],
        [NULL, NULL, int(2)],
    ];
    let found = roll(&plan, &[batch(&types, &rows)]).unwrap();
    assert_eq!(found, want);
    let Value::Double(printed) = found[4][1] else {
        panic!()
    };
    assert!(
        printed.is_sign_positive(),
        "-0.0 is grouped and printed as 0.0"
    );
}

#[test]
fn order_by_having_and_limit() {
    let types = [BIGINT, BIGINT];
    // Key k has k rows; the sum of the key -2 is NULL.
    let rows: Vec<_> = [(1, 7), (2, 7), (2, 0), (3, 1), (3, 1), (3, 1)]
        .into_iter()
        .map(|(key, value)| vec![int(key), int(value)])
        .chain([vec![int(-2), NULL]])
        .enumerate()
        .map(|(at, row)| (at as u64, row))
        .collect();
    let sum = || aggregate(AggregateFunction::Sum, vec![col(1, BIGINT)], HUGEINT);
    let by_sum = |direction, nulls| OrderKey {
        expr: col(1, HUGEINT),
        direction,
        nulls,
    };
    let more_than_six = || {
        let six = constant(Value::Wide(6), HUGEINT);
        call(Function::Greater, vec![col(1, HUGEINT), six], BOOLEAN)
    };
    for (name, having, order, limit, want) in [
        ("keys", None, vec![], None, vec![-2, 1, 2, 3]),
        (
            "ascending, ties by key",
            None,
            vec![by_sum(Direction::Ascending, Nulls::Last)],
            None,
            vec![3, 1, 2, -2],
        ),
        (
            "descending, NULLs first",
            None,
            vec![by_sum(Direction::Descending, Nulls::First)],
            None,
            vec![-2, 1, 2, 3],
        ),
        (
            "descending, NULLs last",
            None,
            vec![by_sum(Direction::Descending, Nulls::Last)],
            None,
            vec![1, 2, 3, -2],
        ),
        (
            "HAVING, NULL is not true",
            Some(more_than_six()),
            vec![],
            None,
            vec![1, 2],
        ),
        (
            "LIMIT",
            None,
            vec![by_sum(Direction::Ascending, Nulls::Last)],
            Some(2),
            vec![3, 1],
        ),
        ("LIMIT without ORDER BY", None, vec![], Some(1), vec![-2]),
        ("LIMIT 0", None, vec![], Some(0), vec![]),
        (
            "LIMIT past the end",
            Some(more_than_six()),
            vec![],
            Some(9),
            vec![1, 2],
        ),
    ] {
        let plan = Groups {
            having,
            order,
            limit,
            outputs: vec![col(0, BIGINT)],
            ..plan(vec![col(0, BIGINT)], vec![sum()])
        };
        let want: Vec<_> = want.into_iter().map(|key| vec![int(key)]).collect();
        assert_eq!(
            roll(&plan, &[batch(&types, &rows)]).unwrap(),
            want,
            "{name}"
        );
    }
}

#[test]
fn f075_sums_past_their_type_name_the_expression() {
    let most = 10_i128.pow(38) - 1;
    let decimal = Type::Decimal {
        precision: 38,
        scale: 2,
    };
    for (name, ty, values, fits) in [
        (
            "DECIMAL(38,2) at its limit",
            decimal,
            vec![most - 1, 1],
            true,
        ),
        ("DECIMAL(38,2) one past", decimal, vec![most, 1], false),
        (
            "DECIMAL(38,2) past and back",
            decimal,
            vec![most, 1, most, -1, -most],
            true,
        ),
        (
            "HUGEINT at its limit",
            HUGEINT,
            vec![i128::MAX - 1, 1],
            true,
        ),
        ("HUGEINT one past", HUGEINT, vec![i128::MAX, 1], false),
        (
            "HUGEINT past and back",
            HUGEINT,
            vec![i128::MAX, i128::MAX, -i128::MAX],
            true,
        ),
        ("HUGEINT below", HUGEINT, vec![i128::MIN, -1], false),
    ] {
        let rows: Vec<_> = values
            .iter()
            .map(|&value| (0, vec![Value::Wide(value)]))
            .collect();
        let batch = batch(&[ty], &rows);
        let plan = plan(
            vec![],
            vec![aggregate(AggregateFunction::Sum, vec![col(0, ty)], ty)],
        );
        match roll(&plan, std::slice::from_ref(&batch)) {
            Ok(found) => {
                assert!(fits, "{name}");
                assert_eq!(
                    found,
                    [[Value::Wide(
                        values
                            .iter()
                            .fold(0, |sum: i128, value| { sum.wrapping_add(*value) })
                    )]],
                    "{name}"
                );
            }
            Err(Failure::Problem(problem)) => {
                assert!(!fits, "{name}: {problem:?}");
                assert_eq!(problem.span, Span { start: 3, end: 8 }, "{name}");
                assert!(
                    problem.expected.contains(&ty.to_string()),
                    "{name}: {problem:?}"
                );
            }
            Err(failure) => panic!("{name}: {failure:?}"),
        }
    }
}

#[test]
fn f076_groups_that_are_dropped_cannot_fail() {
    // One group's sum overflows; it is of key 1.
    let types = [BIGINT, HUGEINT];
    let rows: Vec<_> = [(0, 1), (1, i128::MAX), (1, 1), (2, 5)]
        .into_iter()
        .map(|(key, value)| (0, vec![int(key), Value::Wide(value)]))
        .collect();
    let batch = batch(&types, &rows);
    let sum = aggregate(AggregateFunction::Sum, vec![col(1, HUGEINT)], HUGEINT);
    let not_one = call(
        Function::NotEqual,
        vec![col(0, BIGINT), constant(int(1), BIGINT)],
        BOOLEAN,
    );
    let whole = plan(vec![col(0, BIGINT)], vec![sum]);
    let run = |plan: &Groups| roll(plan, std::slice::from_ref(&batch));
    assert!(matches!(run(&whole), Err(Failure::Problem(_))));
    let having = Groups {
        having: Some(not_one),
        ..whole.clone()
    };
    assert_eq!(run(&having).unwrap().len(), 2);
    let limited = Groups {
        limit: Some(1),
        ..whole
    };
    assert_eq!(run(&limited).unwrap(), [[int(0), Value::Wide(1)]]);
}

#[test]
fn f054_state_past_its_share_and_one_entry_below() {
    // One more group would need a slot, a key, a count: with a limit that holds exactly what 1,000 groups need, 1,000
    // work and more do not.
    let types = [BIGINT, VARCHAR];
    let many = |count: u64| -> Vec<Batch> {
        let rows: Vec<_> = (0..count)
            .map(|at| (at, vec![int(at as i64), txt(&format!("text number {at}"))]))
            .collect();
        rows.chunks(100).map(|rows| batch(&types, rows)).collect()
    };
    let plan = plan(
        vec![col(0, BIGINT), col(1, VARCHAR)],
        vec![aggregate(
            AggregateFunction::Last,
            vec![col(1, VARCHAR)],
            VARCHAR,
        )],
    );
    let run = |budget: &Arc<Budget>, count| {
        let mut rollup = Rollup::new(&plan, Arc::clone(budget));
        many(count).iter().try_for_each(|batch| rollup.add(batch))?;
        Ok(rollup)
    };
    let at_least = |count| {
        // The least limit with which `count` groups work, by halving.
        let (mut too_small, mut enough) = (0, 1 << 20);
        while enough - too_small > 1 {
            let limit = (too_small + enough) / 2;
            match run(&Arc::new(Budget::new(limit)), count) {
                Ok::<_, Failure>(_) => enough = limit,
                Err(_) => too_small = limit,
            }
        }
        enough
    };
    let limit = at_least(1000);
    let budget = Arc::new(Budget::new(limit));
    let rollup = run(&budget, 1000).unwrap();
    assert!(budget.used_bytes() <= limit);
    drop(rollup);
    assert_eq!(budget.used_bytes(), 0, "all is given back");
    let short = Arc::new(Budget::new(limit - 1));
    let Err(Failure::Full(full)) = run(&short, 1000) else {
        panic!("one byte less must not do");
    };
    assert_eq!(full.exceeded.limit_bytes, Some(limit - 1));
    assert!(full.exceeded.bytes >= limit, "{full:?}");
    assert!((1..=1000).contains(&full.entries), "{full:?}");
    assert!(matches!(run(&budget, 2000), Err(Failure::Full(_))));
    assert_eq!(budget.used_bytes(), 0, "also after a failure");
}

#[test]
fn f127_texts_that_are_replaced_are_not_kept() {
    let types = [VARCHAR];
    let plan = plan(
        vec![],
        vec![aggregate(
            AggregateFunction::Last,
            vec![col(0, VARCHAR)],
            VARCHAR,
        )],
    );
    let budget = unlimited();
    let mut rollup = Rollup::new(&plan, Arc::clone(&budget));
    let text = |length: usize, at: usize| "xyz"[at % 3..=at % 3].repeat(length);
    let mut most = 0;
    // Each longer than the one before, so that none fits where the last one was.
    for at in 0..2000 {
        let row = (at as u64, vec![txt(&text(1000 + at, at))]);
        rollup.add(&batch(&types, &[row])).unwrap();
        most = most.max(budget.used_bytes());
    }
    assert!(most < 10_000, "{most} bytes for texts of at most 3,000");
    assert_eq!(output(rollup).unwrap(), [[txt(&text(2999, 1999))]]);
    assert_eq!(budget.used_bytes(), 0);
    // A long text past the limit is refused before it is copied.
    let small = Arc::new(Budget::new(2000));
    let mut rollup = Rollup::new(&plan, Arc::clone(&small));
    let row = (0, vec![txt(&text(3000, 0))]);
    let failure = rollup.add(&batch(&types, &[row])).unwrap_err();
    assert!(
        matches!(failure, Failure::Full(full) if full.holder == Holder::Aggregates),
        "{failure:?}"
    );
}

#[test]
fn many_groups_come_out_in_batches() {
    let rows: Vec<_> = (0..5000_u64)
        .map(|at| (at, vec![int((at * 7919 % 5000) as i64)]))
        .collect();
    let plan = plan(
        vec![col(0, BIGINT)],
        vec![aggregate(AggregateFunction::CountStar, vec![], BIGINT)],
    );
    let batches: Vec<_> = rows
        .chunks(BATCH_ROWS)
        .map(|rows| batch(&[BIGINT], rows))
        .collect();
    let found = roll(&plan, &batches).unwrap();
    assert_eq!(
        found,
        (0..5000)
            .map(|key| vec![int(key), int(1)])
            .collect::<Vec<_>>()
    );
}

#[test]
fn groups_of_keys_of_every_type_are_counted_right() {
    use std::collections::BTreeMap;
    // Texts that share their first eight bytes, or their last; that end where others go on; that are empty.
    let texts = [
        "",
        "\0",
        "a",
        "abcdefgh",
        "abcdefgi",
        "abcdefghi",
        "abcdefghj",
        "abcdefgh\0",
        "xbcdefghi",
        "abcdefghijklmnopq",
        "abcdefghijklmnopr",
        "abcdefghXjklmnopq",
    ];
    let mut numbers = Numbers(3);
    let types = [VARCHAR, BIGINT, WIDE, BOOLEAN];
    let rows: Vec<_> = (0..20_000_u64)
        .map(|at| {
            let number = numbers.below(40);
            let row = [
                txt(pick(&mut numbers, &texts)),
                int(i64::try_from(number).unwrap() << 58),
                Value::Wide(i128::from(numbers.below(3)) << 64),
                Value::Boolean(numbers.below(2) == 0),
            ];
            let null = numbers.below(10);
            let values = row.into_iter().zip(0..);
            let row = values.map(|(value, key)| if key == null { NULL } else { value });
            (at, row.collect::<Vec<_>>())
        })
        .collect();
    for keys in [vec![0], vec![1], vec![2], vec![3], vec![0, 1, 2, 3]] {
        let mut want = BTreeMap::new();
        for (_, row) in &rows {
            let key: Vec<&Value> = keys.iter().map(|&key| &row[key]).collect();
            *want.entry(format!("{key:?}")).or_insert(0) += 1;
        }
        let plan = plan(
            keys.iter().map(|&key| col(key, types[key])).collect(),
            vec![aggregate(AggregateFunction::CountStar, vec![], BIGINT)],
        );
        let batches: Vec<_> = rows.chunks(1000).map(|rows| batch(&types, rows)).collect();
        let found: BTreeMap<_, _> = roll(&plan, &batches)
            .unwrap()
            .into_iter()
            .map(|mut row| {
                let Some(Value::Int(count)) = row.pop() else {
                    panic!()
                };
                (format!("{row:?}"), count)
            })
            .collect();
        assert_eq!(found, want, "{keys:?}");
    }
}
