//! Hand-built expressions over hand-built batches.

use super::*;
use crate::query::Span;
use crate::query::plan::{Bucket, Interval, TimeUnit};

/// Rows as they are written in the tables below.
pub(crate) fn column(ty: Type, values: &[Value]) -> Vector {
    let mut vector = Vector::with_capacity(ty, values.len());
    values.iter().for_each(|value| vector.push(value));
    vector
}

fn batch(columns: Vec<Vector>) -> Batch {
    Batch {
        rows: columns.first().map_or(1, Vector::len),
        columns,
        ..Batch::default()
    }
}

fn expr(node: Node, ty: Type) -> Expr {
    Expr {
        node,
        ty,
        span: Span { start: 7, end: 9 },
    }
}

fn col(index: usize, ty: Type) -> Expr {
    expr(Node::Column(index), ty)
}

fn constant(value: Value, ty: Type) -> Expr {
    expr(Node::Constant(value), ty)
}

fn call(function: Function, args: Vec<Expr>, ty: Type) -> Expr {
    expr(Node::Call(function, args), ty)
}

fn cast(arg: Expr, ty: Type) -> Expr {
    expr(Node::Cast(Box::new(arg)), ty)
}

fn run(expr: &Expr, batch: &Batch) -> Result<Vec<Value>, Problem> {
    let vector = evaluate(expr, batch)?.into_vector(expr.ty, batch.rows);
    assert_eq!(vector.len(), batch.rows, "{expr:?}");
    Ok((0..batch.rows).map(|row| vector.value(row)).collect())
}

const NULL: Value = Value::Null;
const BOOLEAN: Type = Type::Boolean;
const BIGINT: Type = Type::BigInt;
const HUGEINT: Type = Type::HugeInt;
const DOUBLE: Type = Type::Double;
const VARCHAR: Type = Type::Varchar;
const TIMESTAMP: Type = Type::Timestamp;

const fn decimal(precision: u8, scale: u8) -> Type {
    Type::Decimal { precision, scale }
}

fn int(value: i64) -> Value {
    Value::Int(value)
}

fn wide(value: i128) -> Value {
    Value::Wide(value)
}

fn dbl(value: f64) -> Value {
    Value::Double(value)
}

fn boolean(value: bool) -> Value {
    Value::Boolean(value)
}

fn txt(value: &str) -> Value {
    Value::Text(value.into())
}

/// Two columns of the given values, or the same as constants, must give the same.
fn binary(
    name: &str,
    function: Function,
    (left, left_ty): (&[Value], Type),
    (right, right_ty): (&[Value], Type),
    ty: Type,
    want: &[Value],
) {
    let columns = batch(vec![column(left_ty, left), column(right_ty, right)]);
    let both = call(function, vec![col(0, left_ty), col(1, right_ty)], ty);
    assert_eq!(run(&both, &columns).unwrap(), want, "{name}");
    for (row, want) in want.iter().enumerate() {
        let args = |left_constant, right_constant| {
            let one = |is_constant, index, value: &Value, ty| match is_constant {
                true => constant(value.clone(), ty),
                false => col(index, ty),
            };
            vec![
                one(left_constant, 0, &left[row], left_ty),
                one(right_constant, 1, &right[row], right_ty),
            ]
        };
        let alone = columns.gather(&[u32::try_from(row).unwrap()]);
        for (l, r) in [(true, false), (false, true), (true, true)] {
            let call = call(function, args(l, r), ty);
            assert_eq!(
                run(&call, &alone).unwrap(),
                std::slice::from_ref(want),
                "{name}, row {row}, constant {l} {r}"
            );
        }
    }
}

#[test]
fn arithmetic_is_exact_and_null_stays_null() {
    let ints = [int(7), int(-7), NULL, int(0)];
    let others = [int(2), int(2), int(5), int(3)];
    for (name, function, want) in [
        ("+", Function::Add, [int(9), int(-5), NULL, int(3)]),
        ("-", Function::Subtract, [int(5), int(-9), NULL, int(-3)]),
        ("*", Function::Multiply, [int(14), int(-14), NULL, int(0)]),
        (
            "//",
            Function::IntegerDivide,
            [int(3), int(-3), NULL, int(0)],
        ),
        ("%", Function::Modulo, [int(1), int(-1), NULL, int(0)]),
    ] {
        binary(
            name,
            function,
            (&ints, BIGINT),
            (&others, BIGINT),
            BIGINT,
            &want,
        );
    }
    binary(
        "/",
        Function::Divide,
        (&ints, BIGINT),
        (&others, BIGINT),
        DOUBLE,
        &[dbl(3.5), dbl(-3.5), NULL, dbl(0.0)],
    );
    binary(
        "decimals of two scales, narrow",
        Function::Subtract,
        (&[int(1990), int(5)], decimal(10, 2)),
        (&[int(3), int(1)], decimal(4, 1)),
        decimal(11, 2),
        &[int(1960), int(-5)],
    );
    binary(
        "a product past 64 bits",
        Function::Multiply,
        (&[int(999_999_999_999_999_999)], decimal(18, 8)),
        (&[int(-999_999_999_999_999_999)], decimal(18, 8)),
        decimal(36, 16),
        &[wide(-999_999_999_999_999_999 * 999_999_999_999_999_999)],
    );
    binary(
        "an operand past 128 bits at the larger scale",
        Function::Subtract,
        (
            &[wide(19_000_000_000_000_000_000_000_000_000)],
            decimal(38, 0),
        ),
        (
            &[wide(99_999_999_999_999_999_999_999_999_999_999_999_999)],
            decimal(38, 10),
        ),
        decimal(38, 10),
        &[wide(90_000_000_000_000_000_000_000_000_000_000_000_001)],
    );
    binary(
        "/ of decimals rounds once",
        Function::Divide,
        (&[int(33), int(1)], decimal(2, 1)),
        (&[int(11), int(3)], decimal(2, 1)),
        DOUBLE,
        &[dbl(3.0), dbl(1.0 / 3.0)],
    );
    binary(
        "/ of numbers that no double holds",
        Function::Divide,
        (&[int(i64::MAX)], BIGINT),
        (&[int(3)], BIGINT),
        DOUBLE,
        &[dbl(3_074_457_345_618_258_602.0)],
    );
    binary(
        "% of decimals at the larger scale",
        Function::Modulo,
        (&[int(-75), int(75)], decimal(3, 1)),
        (&[int(200), int(-200)], decimal(4, 2)),
        decimal(4, 2),
        &[int(-150), int(150)],
    );
    binary(
        "the smallest BIGINT has a remainder by -1",
        Function::Modulo,
        (&[int(i64::MIN)], BIGINT),
        (&[int(-1)], BIGINT),
        BIGINT,
        &[int(0)],
    );
    binary(
        "HUGEINT",
        Function::Add,
        (&[wide(i128::MAX - 1)], HUGEINT),
        (&[wide(1)], HUGEINT),
        HUGEINT,
        &[wide(i128::MAX)],
    );
}

#[test]
fn comparisons_of_any_scales_never_fail() {
    let orders = [
        (Function::Equal, [false, true, false]),
        (Function::NotEqual, [true, false, true]),
        (Function::Less, [true, false, false]),
        (Function::LessOrEqual, [true, true, false]),
        (Function::Greater, [false, false, true]),
        (Function::GreaterOrEqual, [false, true, true]),
    ];
    let huge = 99_999_999_999_999_999_999_999_999_999_999_999_999;
    let cases = [
        (
            "BIGINT",
            BIGINT,
            [int(1), int(2), int(3)],
            BIGINT,
            [int(2), int(2), int(2)],
        ),
        (
            "BOOLEAN",
            BOOLEAN,
            [boolean(false), boolean(true), boolean(true)],
            BOOLEAN,
            [boolean(true), boolean(true), boolean(false)],
        ),
        (
            "DOUBLE",
            DOUBLE,
            [dbl(-0.5), dbl(-0.0), dbl(0.5)],
            DOUBLE,
            [dbl(0.0), dbl(0.0), dbl(0.0)],
        ),
        (
            "VARCHAR",
            VARCHAR,
            [txt("a"), txt("b"), txt("ba")],
            VARCHAR,
            [txt("b"), txt("b"), txt("b")],
        ),
        (
            "TIMESTAMP",
            TIMESTAMP,
            [int(-1), int(0), int(1)],
            TIMESTAMP,
            [int(0), int(0), int(0)],
        ),
        (
            "scales",
            decimal(10, 2),
            [int(99), int(100), int(101)],
            BIGINT,
            [int(1), int(1), int(1)],
        ),
        (
            "a constant finer than the column",
            decimal(10, 1),
            [int(10), int(10), int(11)],
            decimal(10, 3),
            [int(1005), int(1000), int(1005)],
        ),
        (
            "38 digits at both ends",
            decimal(38, 0),
            [wide(-huge), wide(1), wide(huge)],
            decimal(38, 38),
            [wide(huge), wide(0), wide(-huge)],
        ),
    ];
    for (name, left_ty, left, right_ty, right) in cases {
        for (function, mut want) in orders {
            if name.starts_with("38") {
                // One is above, not equal to, zero.
                want[1] = want[2];
            }
            binary(
                name,
                function,
                (&left, left_ty),
                (&right, right_ty),
                BOOLEAN,
                &want.map(boolean),
            );
        }
    }
}

#[test]
fn three_valued_logic() {
    let values = [boolean(false), boolean(true), NULL];
    let (f, t) = (boolean(false), boolean(true));
    let rows: Vec<(usize, usize)> = (0..9).map(|row| (row / 3, row % 3)).collect();
    let columns = batch(vec![
        column(
            BOOLEAN,
            &rows
                .iter()
                .map(|row| values[row.0].clone())
                .collect::<Vec<_>>(),
        ),
        column(
            BOOLEAN,
            &rows
                .iter()
                .map(|row| values[row.1].clone())
                .collect::<Vec<_>>(),
        ),
    ]);
    // A right side that could fail is guarded; the outcome is the same.
    let could_fail = call(
        Function::Equal,
        vec![
            cast(cast(col(1, BOOLEAN), VARCHAR), BOOLEAN),
            constant(t.clone(), BOOLEAN),
        ],
        BOOLEAN,
    );
    for right in [col(1, BOOLEAN), could_fail] {
        let sides = || (Box::new(col(0, BOOLEAN)), Box::new(right.clone()));
        let (left, other) = sides();
        assert_eq!(
            run(&expr(Node::And(left, other), BOOLEAN), &columns).unwrap(),
            [&f, &f, &f, &f, &t, &NULL, &f, &NULL, &NULL].map(Clone::clone)
        );
        let (left, other) = sides();
        assert_eq!(
            run(&expr(Node::Or(left, other), BOOLEAN), &columns).unwrap(),
            [&f, &t, &NULL, &t, &t, &t, &NULL, &t, &NULL].map(Clone::clone)
        );
    }
    let not = call(Function::Not, vec![col(1, BOOLEAN)], BOOLEAN);
    let three = columns.gather(&[0, 1, 2]);
    assert_eq!(run(&not, &three).unwrap(), [t.clone(), f.clone(), NULL]);
    let is_null = expr(Node::IsNull(Box::new(col(1, BOOLEAN))), BOOLEAN);
    assert_eq!(run(&is_null, &three).unwrap(), [f.clone(), f, t]);
    assert_eq!(
        filter(&col(1, BOOLEAN), &three).unwrap(),
        Kept::Rows(vec![1])
    );
    let always = constant(boolean(true), BOOLEAN);
    assert_eq!(filter(&always, &three).unwrap(), Kept::All);
    let never = constant(NULL, BOOLEAN);
    assert_eq!(filter(&never, &three).unwrap(), Kept::Rows(vec![]));
}

#[test]
fn in_with_null() {
    let columns = batch(vec![column(BIGINT, &[int(3), int(4), NULL])]);
    let (f, t) = (boolean(false), boolean(true));
    for (name, list, want) in [
        ("no NULL", vec![int(3), int(5)], [&t, &f, &NULL]),
        ("a NULL in the list", vec![NULL, int(3)], [&t, &NULL, &NULL]),
        ("one item", vec![int(4)], [&f, &t, &NULL]),
    ] {
        let list = list
            .into_iter()
            .map(|item| constant(item, BIGINT))
            .collect();
        let within = expr(Node::In(Box::new(col(0, BIGINT)), list), BOOLEAN);
        assert_eq!(
            run(&within, &columns).unwrap(),
            want.map(Clone::clone),
            "{name}"
        );
    }
    let scales = expr(
        Node::In(
            Box::new(constant(int(3), BIGINT)),
            vec![constant(int(300), decimal(5, 2)), col(0, BIGINT)],
        ),
        BOOLEAN,
    );
    assert_eq!(run(&scales, &columns).unwrap(), [t.clone(), t.clone(), t]);
}

/// `10 // column`, which fails where the column is zero.
fn fails_at_zero(index: usize) -> Expr {
    call(
        Function::IntegerDivide,
        vec![constant(int(10), BIGINT), col(index, BIGINT)],
        BIGINT,
    )
}

fn above_zero(index: usize) -> Expr {
    call(
        Function::Greater,
        vec![col(index, BIGINT), constant(int(0), BIGINT)],
        BOOLEAN,
    )
}

#[test]
fn f076_guarded_expressions_do_not_fail() {
    let values = [int(0), int(5), NULL, int(0), int(2)];
    let columns = batch(vec![column(BIGINT, &values)]);
    let (f, t) = (boolean(false), boolean(true));
    let divided = |want: i64| {
        call(
            Function::Equal,
            vec![fails_at_zero(0), constant(int(want), BIGINT)],
            BOOLEAN,
        )
    };
    let case = |otherwise: Option<Expr>| {
        expr(
            Node::Case {
                arms: vec![
                    (above_zero(0), fails_at_zero(0)),
                    (
                        expr(Node::IsNull(Box::new(col(0, BIGINT))), BOOLEAN),
                        constant(int(-1), BIGINT),
                    ),
                ],
                otherwise: otherwise.map(Box::new),
            },
            BIGINT,
        )
    };
    let not_above = call(Function::Not, vec![above_zero(0)], BOOLEAN);
    let null_for_zero = expr(
        Node::Case {
            arms: vec![(
                call(
                    Function::NotEqual,
                    vec![col(0, BIGINT), constant(int(0), BIGINT)],
                    BOOLEAN,
                ),
                col(0, BIGINT),
            )],
            otherwise: None,
        },
        BIGINT,
    );
    let coalesce = |args| expr(Node::Coalesce(args), BIGINT);
    for (name, guarded, want) in [
        (
            "AND",
            expr(
                Node::And(Box::new(above_zero(0)), Box::new(divided(2))),
                BOOLEAN,
            ),
            [&f, &t, &NULL, &f, &f].map(Clone::clone),
        ),
        (
            "OR",
            expr(Node::Or(Box::new(not_above), Box::new(divided(5))), BOOLEAN),
            [&t, &f, &NULL, &t, &t].map(Clone::clone),
        ),
        ("CASE", case(None), [NULL, int(2), int(-1), NULL, int(5)]),
        (
            "CASE with ELSE",
            case(Some(col(0, BIGINT))),
            [int(0), int(2), int(-1), int(0), int(5)],
        ),
        (
            "NULLIF",
            call(
                Function::IntegerDivide,
                vec![constant(int(10), BIGINT), null_for_zero.clone()],
                BIGINT,
            ),
            [NULL, int(2), NULL, NULL, int(5)],
        ),
        (
            "COALESCE",
            coalesce(vec![
                null_for_zero.clone(),
                constant(int(9), BIGINT),
                fails_at_zero(0),
            ]),
            [int(9), int(5), int(9), int(9), int(2)],
        ),
    ] {
        assert_eq!(run(&guarded, &columns).unwrap(), want, "{name}");
        // Each row alone gives the same as all together.
        for (row, want) in want.iter().enumerate() {
            let alone = columns.gather(&[u32::try_from(row).unwrap()]);
            assert_eq!(
                run(&guarded, &alone).unwrap(),
                std::slice::from_ref(want),
                "{name} {row}"
            );
        }
    }
    for (name, open) in [
        (
            "AND that needs the right side",
            expr(
                Node::And(
                    Box::new(expr(Node::IsNull(Box::new(above_zero(0))), BOOLEAN)),
                    Box::new(divided(2)),
                ),
                BOOLEAN,
            ),
        ),
        (
            "COALESCE that needs the last",
            coalesce(vec![null_for_zero, fails_at_zero(0)]),
        ),
        ("ELSE", case(Some(fails_at_zero(0)))),
    ] {
        let outcome = run(&open, &columns);
        match name {
            // IS NULL is false everywhere but in row 2, where the divisor is NULL.
            "AND that needs the right side" => assert_eq!(outcome.unwrap()[2], NULL, "{name}"),
            _ => assert!(
                outcome.unwrap_err().found.contains("division by zero"),
                "{name}"
            ),
        }
    }
}

#[test]
fn f076_division_by_zero_and_what_is_not_finite_name_the_expression() {
    let columns = batch(vec![
        column(BIGINT, &[int(1), int(0)]),
        column(DOUBLE, &[dbl(1e300), dbl(-1.0)]),
        column(decimal(5, 2), &[int(0), int(100)]),
    ]);
    let one = || constant(int(1), BIGINT);
    let zero_double = || constant(dbl(0.0), DOUBLE);
    for (name, failing, found) in [
        (
            "/",
            call(Function::Divide, vec![one(), col(0, BIGINT)], DOUBLE),
            "division by zero: 1 and 0",
        ),
        ("//", fails_at_zero(0), "division by zero: 10 and 0"),
        (
            "%",
            call(Function::Modulo, vec![one(), col(0, BIGINT)], BIGINT),
            "division by zero",
        ),
        (
            "/ of decimals",
            call(Function::Divide, vec![one(), col(2, decimal(5, 2))], DOUBLE),
            "division by zero: 1 and 0.00",
        ),
        (
            "% of decimals",
            call(
                Function::Modulo,
                vec![one(), col(2, decimal(5, 2))],
                decimal(5, 2),
            ),
            "division by zero",
        ),
        (
            "/ of DOUBLE",
            call(
                Function::Divide,
                vec![col(1, DOUBLE), zero_double()],
                DOUBLE,
            ),
            "division by zero",
        ),
        (
            "% of DOUBLE",
            call(
                Function::Modulo,
                vec![col(1, DOUBLE), zero_double()],
                DOUBLE,
            ),
            "division by zero",
        ),
        (
            "sqrt",
            call(Function::Sqrt, vec![col(1, DOUBLE)], DOUBLE),
            "-1.0",
        ),
        (
            "*",
            call(
                Function::Multiply,
                vec![col(1, DOUBLE), col(1, DOUBLE)],
                DOUBLE,
            ),
            "inf from 1e+300 and 1e+300",
        ),
        (
            "pow",
            call(
                Function::Power,
                vec![col(1, DOUBLE), constant(dbl(2.5), DOUBLE)],
                DOUBLE,
            ),
            "inf",
        ),
    ] {
        let problem = run(&failing, &columns).unwrap_err();
        assert!(problem.found.contains(found), "{name}: {problem:?}");
        assert_eq!(problem.span, failing.span, "{name}");
        assert!(!problem.advice.is_empty(), "{name}");
        if name.contains(['/', '%']) {
            assert!(problem.advice.contains("NULLIF(x, 0)"), "{name}");
        }
    }
}

#[test]
fn overflow_is_a_problem_but_not_at_a_null() {
    let limit = 99_999_999_999_999_999_999_999_999_999_999_999_999;
    for (name, function, ty, left, right) in [
        ("+", Function::Add, BIGINT, int(i64::MAX), int(1)),
        ("-", Function::Subtract, BIGINT, int(i64::MIN), int(1)),
        ("*", Function::Multiply, BIGINT, int(1 << 32), int(1 << 32)),
        (
            "//",
            Function::IntegerDivide,
            BIGINT,
            int(i64::MIN),
            int(-1),
        ),
        (
            "HUGEINT",
            Function::Subtract,
            HUGEINT,
            wide(i128::MIN),
            wide(1),
        ),
        (
            "38 digits",
            Function::Add,
            decimal(38, 0),
            wide(limit),
            wide(1),
        ),
        (
            "38 digits *",
            Function::Multiply,
            decimal(38, 0),
            wide(limit),
            wide(2),
        ),
    ] {
        let fine = run(
            &call(function, vec![col(0, ty), col(1, ty)], ty),
            &batch(vec![
                column(ty, &[NULL]),
                column(ty, std::slice::from_ref(&right)),
            ]),
        );
        assert_eq!(fine.unwrap(), [NULL], "{name}");
        let columns = batch(vec![column(ty, &[left]), column(ty, &[right])]);
        let problem = run(&call(function, vec![col(0, ty), col(1, ty)], ty), &columns).unwrap_err();
        assert!(problem.found.contains("overflow"), "{name}: {problem:?}");
        assert_eq!(problem.span, Span { start: 7, end: 9 }, "{name}");
    }
    for (name, function) in [("-", Function::Negate), ("abs", Function::Abs)] {
        let columns = batch(vec![column(BIGINT, &[int(i64::MIN)])]);
        let problem = run(&call(function, vec![col(0, BIGINT)], BIGINT), &columns).unwrap_err();
        assert!(problem.found.contains("overflow"), "{name}");
    }
    // What stands at the place of a NULL would be a division by zero.
    let nulls = batch(vec![column(BIGINT, &[NULL, int(5)])]);
    assert_eq!(run(&fails_at_zero(0), &nulls).unwrap(), [NULL, int(2)]);
}

#[test]
fn casts() {
    let cases = [
        (
            "decimal half away",
            decimal(4, 1),
            int(25),
            BIGINT,
            Some(int(3)),
        ),
        (
            "decimal half away below zero",
            decimal(4, 1),
            int(-25),
            BIGINT,
            Some(int(-3)),
        ),
        (
            "double half to even",
            DOUBLE,
            dbl(2.5),
            BIGINT,
            Some(int(2)),
        ),
        ("double out of range", DOUBLE, dbl(1e19), BIGINT, None),
        (
            "text half away",
            VARCHAR,
            txt(" 2.5 "),
            BIGINT,
            Some(int(3)),
        ),
        (
            "text with exponent",
            VARCHAR,
            txt("1e3"),
            BIGINT,
            Some(int(1000)),
        ),
        ("no number", VARCHAR, txt("abc"), BIGINT, None),
        (
            "text to decimal",
            VARCHAR,
            txt("1.005"),
            decimal(4, 2),
            Some(int(101)),
        ),
        (
            "text to wide decimal",
            VARCHAR,
            txt("1.5"),
            decimal(30, 2),
            Some(wide(150)),
        ),
        (
            "text to HUGEINT",
            VARCHAR,
            txt("-170141183460469231731687303715884105728"),
            HUGEINT,
            Some(wide(i128::MIN)),
        ),
        (
            "text to BOOLEAN",
            VARCHAR,
            txt("Yes"),
            BOOLEAN,
            Some(boolean(true)),
        ),
        (
            "text to DOUBLE",
            VARCHAR,
            txt("0.1"),
            DOUBLE,
            Some(dbl(0.1)),
        ),
        ("infinity is no number", VARCHAR, txt("inf"), DOUBLE, None),
        (
            "text to TIMESTAMP",
            VARCHAR,
            txt("1970-01-01 00:00:01"),
            TIMESTAMP,
            Some(int(1_000_000)),
        ),
        ("no such day", VARCHAR, txt("2021-02-29"), TIMESTAMP, None),
        (
            "TIMESTAMP to text",
            TIMESTAMP,
            int(1_500_000),
            VARCHAR,
            Some(txt("1970-01-01 00:00:01.5")),
        ),
        (
            "decimal to text",
            decimal(3, 3),
            int(-5),
            VARCHAR,
            Some(txt("-0.005")),
        ),
        (
            "DOUBLE to text",
            DOUBLE,
            dbl(1e16),
            VARCHAR,
            Some(txt("1e+16")),
        ),
        (
            "BOOLEAN to text",
            BOOLEAN,
            boolean(true),
            VARCHAR,
            Some(txt("true")),
        ),
        (
            "BOOLEAN to BIGINT",
            BOOLEAN,
            boolean(true),
            BIGINT,
            Some(int(1)),
        ),
        (
            "BOOLEAN to decimal",
            BOOLEAN,
            boolean(true),
            decimal(3, 2),
            Some(int(100)),
        ),
        (
            "BIGINT to BOOLEAN",
            BIGINT,
            int(-2),
            BOOLEAN,
            Some(boolean(true)),
        ),
        (
            "decimal to wider",
            decimal(4, 1),
            int(25),
            decimal(6, 2),
            Some(int(250)),
        ),
        (
            "decimal to narrower",
            decimal(4, 2),
            int(995),
            decimal(3, 1),
            Some(int(100)),
        ),
        (
            "decimal that does not fit",
            decimal(4, 1),
            int(9999),
            decimal(3, 1),
            None,
        ),
        (
            "BIGINT to decimal",
            BIGINT,
            int(12),
            decimal(4, 2),
            Some(int(1200)),
        ),
        (
            "BIGINT that does not fit",
            BIGINT,
            int(100),
            decimal(4, 2),
            None,
        ),
        (
            "decimal to DOUBLE",
            decimal(18, 1),
            int(11),
            DOUBLE,
            Some(dbl(1.1)),
        ),
        (
            "decimal past 2^53 to DOUBLE",
            decimal(18, 0),
            int(9_007_199_254_740_993),
            DOUBLE,
            Some(dbl(9_007_199_254_740_992.0)),
        ),
        (
            "wide decimal to DOUBLE",
            decimal(38, 20),
            wide(123_456_789),
            DOUBLE,
            Some(dbl(1.234_567_89e-12)),
        ),
        ("HUGEINT to BIGINT", HUGEINT, wide(1 << 70), BIGINT, None),
        ("NULL", VARCHAR, NULL, BIGINT, Some(NULL)),
    ];
    for (name, from, value, to, want) in cases {
        let columns = batch(vec![column(from, &[NULL, value.clone(), NULL])]);
        for (form, arg) in [
            ("column", col(0, from)),
            ("constant", constant(value.clone(), from)),
        ] {
            let outcome = run(&cast(arg.clone(), to), &columns);
            match &want {
                Some(want) => assert_eq!(outcome.unwrap()[1], *want, "{name}, {form}"),
                None => {
                    let problem = outcome.unwrap_err();
                    assert!(
                        problem.expected.contains(&to.to_string()),
                        "{name}: {problem:?}"
                    );
                    assert!(problem.advice.contains("TRY_CAST"), "{name}");
                }
            }
            let tried = run(&expr(Node::TryCast(Box::new(arg)), to), &columns).unwrap();
            assert_eq!(
                tried[1],
                want.clone().unwrap_or(NULL),
                "TRY_CAST {name}, {form}"
            );
        }
    }
    let inner = expr(
        Node::TryCast(Box::new(cast(constant(txt("x"), VARCHAR), BIGINT))),
        BOOLEAN,
    );
    assert!(
        run(&inner, &batch(vec![])).is_err(),
        "TRY_CAST does not cover its argument"
    );
}

#[test]
fn numbers_and_times() {
    let day = 86_400_000_000;
    let cases = [
        (
            "round",
            Function::Round { digits: 2 },
            decimal(6, 3),
            int(2345),
            decimal(6, 2),
            int(235),
        ),
        (
            "round down to none",
            Function::Round { digits: 0 },
            decimal(6, 3),
            int(-2500),
            decimal(6, 0),
            int(-3),
        ),
        (
            "round before the point",
            Function::Round { digits: -2 },
            BIGINT,
            int(150),
            BIGINT,
            int(200),
        ),
        (
            "round DOUBLE",
            Function::Round { digits: 1 },
            DOUBLE,
            dbl(0.25),
            DOUBLE,
            dbl(0.3),
        ),
        (
            "floor",
            Function::Floor,
            decimal(6, 3),
            int(-2345),
            decimal(6, 0),
            int(-3),
        ),
        (
            "ceil",
            Function::Ceil,
            decimal(6, 3),
            int(-2345),
            decimal(6, 0),
            int(-2),
        ),
        (
            "floor of DOUBLE",
            Function::Floor,
            DOUBLE,
            dbl(-0.5),
            DOUBLE,
            dbl(-1.0),
        ),
        ("sqrt", Function::Sqrt, DOUBLE, dbl(2.25), DOUBLE, dbl(1.5)),
        ("sin", Function::Sin, DOUBLE, dbl(0.0), DOUBLE, dbl(0.0)),
        (
            "abs",
            Function::Abs,
            decimal(30, 2),
            wide(-5),
            decimal(30, 2),
            wide(5),
        ),
        (
            "negate",
            Function::Negate,
            DOUBLE,
            dbl(1.5),
            DOUBLE,
            dbl(-1.5),
        ),
        (
            "bucket",
            Function::TimeBucket(Bucket::Micros(60_000_000)),
            TIMESTAMP,
            int(61_000_000),
            TIMESTAMP,
            int(60_000_000),
        ),
        (
            "bucket before 1970",
            Function::TimeBucket(Bucket::Micros(60_000_000)),
            TIMESTAMP,
            int(-1),
            TIMESTAMP,
            int(-60_000_000),
        ),
        (
            "bucket of months",
            Function::TimeBucket(Bucket::Months(1)),
            TIMESTAMP,
            int(40 * day),
            TIMESTAMP,
            int(31 * day),
        ),
        (
            "trunc",
            Function::DateTrunc(TimeUnit::Hour),
            TIMESTAMP,
            int(3_600_000_001),
            TIMESTAMP,
            int(3_600_000_000),
        ),
        (
            "part",
            Function::DatePart(TimeUnit::Year),
            TIMESTAMP,
            int(-1),
            BIGINT,
            int(1969),
        ),
        (
            "epoch_ms",
            Function::EpochMs,
            TIMESTAMP,
            int(1_500),
            BIGINT,
            int(2),
        ),
        (
            "add",
            Function::AddInterval(Interval {
                months: 1,
                days: 0,
                micros: 0,
            }),
            TIMESTAMP,
            int(30 * day),
            TIMESTAMP,
            int(58 * day),
        ),
    ];
    for (name, function, from, value, to, want) in cases {
        let columns = batch(vec![column(from, &[value.clone(), NULL, value])]);
        let outcome = run(&call(function, vec![col(0, from)], to), &columns);
        assert_eq!(outcome.unwrap(), [want.clone(), NULL, want], "{name}");
    }
    let late = batch(vec![column(TIMESTAMP, &[int(253_402_300_799_999_999)])]);
    let past = Function::AddInterval(Interval {
        months: 0,
        days: 0,
        micros: 1,
    });
    let problem = run(&call(past, vec![col(0, TIMESTAMP)], TIMESTAMP), &late).unwrap_err();
    assert!(
        problem.expected.contains("years 0001 to 9999"),
        "{problem:?}"
    );
}

#[test]
fn nothing_is_evaluated_over_no_rows() {
    let none = Batch {
        rows: 0,
        columns: vec![column(BIGINT, &[])],
        ..Batch::default()
    };
    let failing = call(
        Function::IntegerDivide,
        vec![constant(int(1), BIGINT), constant(int(0), BIGINT)],
        BIGINT,
    );
    assert_eq!(run(&failing, &none).unwrap(), []);
    assert_eq!(run(&fails_at_zero(0), &none).unwrap(), []);
}

#[test]
fn texts_from_branches() {
    let values = [txt("a"), txt("b"), NULL];
    let columns = batch(vec![column(VARCHAR, &values)]);
    let is_a = call(
        Function::Equal,
        vec![col(0, VARCHAR), constant(txt("a"), VARCHAR)],
        BOOLEAN,
    );
    let case = expr(
        Node::Case {
            arms: vec![(is_a, constant(txt("first"), VARCHAR))],
            otherwise: Some(Box::new(col(0, VARCHAR))),
        },
        VARCHAR,
    );
    assert_eq!(
        run(&case, &columns).unwrap(),
        [txt("first"), txt("b"), NULL]
    );
    let or_else = expr(
        Node::Coalesce(vec![col(0, VARCHAR), constant(txt("none"), VARCHAR)]),
        VARCHAR,
    );
    assert_eq!(
        run(&or_else, &columns).unwrap(),
        [txt("a"), txt("b"), txt("none")]
    );
}
