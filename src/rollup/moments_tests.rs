//! Every statistic against its exact value, rounded once (computed with Python's `fractions`).

use std::f64::consts::FRAC_1_SQRT_2;

use super::*;
use crate::value::vector::Data;

const STATISTICS: [Statistic; 10] = [
    Statistic::VarPop,
    Statistic::VarSamp,
    Statistic::StddevPop,
    Statistic::StddevSamp,
    Statistic::CovarPop,
    Statistic::CovarSamp,
    Statistic::Corr,
    Statistic::RegrR2,
    Statistic::RegrSlope,
    Statistic::RegrIntercept,
];

/// Rows of (y, x), then the results in the order of STATISTICS.
type Case<T> = (&'static str, &'static [(T, T)], [Option<f64>; 10]);

/// A result past the largest double.
const UNFIT: Option<f64> = Some(f64::INFINITY);

fn is_of_one(statistic: Statistic) -> bool {
    !needed(statistic).contains(&Moment::Y)
}

fn state(statistic: Statistic, scales: [u8; 2], y: &Vector, x: &Vector) -> Moments {
    let mut moments = Moments::new(statistic, scales, &Arc::new(Budget::new(u64::MAX)));
    moments.grow(1).unwrap();
    let y = if is_of_one(statistic) { x } else { y };
    moments.add(&vec![0; x.len()], y, x).unwrap();
    moments
}

fn result(moments: &Moments) -> Option<f64> {
    let Ok(vector) = moments.results(&[0]) else {
        return UNFIT;
    };
    let Data::Double(values) = &vector.data else {
        panic!("{vector:?}")
    };
    vector.valid.is_valid(0).then(|| values[0])
}

/// Of all rows, and of each row by itself, merged from the last to the first.
fn results(statistic: Statistic, scales: [u8; 2], y: &Vector, x: &Vector) -> [Option<f64>; 2] {
    let whole = state(statistic, scales, y, x);
    let one = |row: u32| state(statistic, scales, &y.gather(&[row]), &x.gather(&[row]));
    let mut rows = (0..u32::try_from(x.len()).unwrap()).rev();
    let mut merged = one(rows.next().unwrap());
    rows.for_each(|row| merged.merge(&one(row), [(0, 0)].into_iter()).unwrap());
    [result(&whole), result(&merged)]
}

#[test]
#[rustfmt::skip]
fn statistics_are_exact_whatever_the_size_of_the_values() {
    let cases: [Case<f64>; 15] = [
        ("one row", &[(2.5, 1.5)], [Some(0.0), None, Some(0.0), None, Some(0.0), None, None, None, None, None]),
        ("two rows", &[(1.0, 2.0), (3.0, 5.0)], [Some(2.25), Some(4.5), Some(1.5), Some(2.1213203435596424), Some(1.5), Some(3.0), Some(1.0), Some(1.0), Some(0.6666666666666666), Some(-0.3333333333333333)]),
        ("x does not vary", &[(1.0, 2.0), (3.0, 2.0)], [Some(0.0), Some(0.0), Some(0.0), Some(0.0), Some(0.0), Some(0.0), None, None, None, None]),
        ("y does not vary", &[(1.0, 2.0), (1.0, 3.0)], [Some(0.25), Some(0.5), Some(0.5), Some(FRAC_1_SQRT_2), Some(0.0), Some(0.0), None, Some(1.0), Some(0.0), Some(1.0)]),
        ("falling", &[(3.0, 1.0), (2.0, 2.0), (1.5, 3.0)], [Some(0.6666666666666666), Some(1.0), Some(0.816496580927726), Some(1.0), Some(-0.5), Some(-0.75), Some(-0.9819805060619657), Some(0.9642857142857143), Some(-0.75), Some(3.6666666666666665)]),
        ("a mean of 1e9, a deviation of 1e-3", &[(1000000000.003, 1000000000.001), (999999999.999, 999999999.999), (1000000000.001, 1000000000.0), (999999999.997, 999999999.998)], [Some(1.2500274193527616e-6), Some(1.6667032258036822e-6), Some(0.0011180462509899854), Some(0.00129100860795104), Some(2.5000548369291664e-6), Some(3.3334064492388884e-6), Some(0.9999999996447364), Some(0.9999999992894728), Some(1.9999999985789456), Some(-999999998.5779457)]),
        ("squares below the smallest double", &[(1.0, 1e-170), (2.0, 2e-170), (4.0, 3e-170)], [Some(0.0), Some(0.0), Some(8.164965809277261e-171), Some(1.0000000000000002e-170), Some(1.0000000000000002e-170), Some(1.5e-170), Some(0.9819805060619657), Some(0.9642857142857143), Some(1.5e170), Some(-0.6666666666666665)]),
        ("all below it", &[(1e-200, 3e-180), (2e-200, -1e-180), (-4e-200, 2e-180)], [Some(0.0), Some(0.0), Some(1.699673171197595e-180), Some(2.0816659994661327e-180), Some(0.0), Some(0.0), Some(-0.4234151591787102), Some(0.1792803970223325), Some(-6.538461538461538e-21), Some(5.3846153846153846e-201)]),
        ("subnormals", &[(5e-324, 1e-323), (1e-322, 5e-324), (0.0, 2e-322)], [Some(0.0), Some(0.0), Some(9e-323), Some(1.1e-322), Some(0.0), Some(0.0), Some(-0.556752786062959), Some(0.309973664788867), Some(-0.28219824679703304), Some(5.4e-323)]),
        ("squares near the largest double", &[(1.0, 1.3e154), (2.0, -1.3e154), (4.0, 1.1e154)], [Some(1.3955555555555554e308), UNFIT, Some(1.18133634311129e154), Some(1.446835627614047e154), Some(1.7777777777777783e153), Some(2.6666666666666674e153), Some(0.12065939548135236), Some(0.014558689717925396), Some(1.2738853503184717e-155), Some(2.286624203821656)]),
        ("both large", &[(1.2e154, 1.3e154), (-1.2e154, -1.1e154), (1e150, 1.0)], [Some(9.622222222222222e307), Some(1.4433333333333334e308), Some(9.809292646374775e153), Some(1.2013880860626732e154), Some(9.599977777777778e307), Some(1.4399966666666667e308), Some(0.9988422848158125), Some(0.9976859099360726), Some(0.997688221709007), Some(-6.647921478060043e152)]),
        ("a small x beside a large y", &[(1e150, 1e-160), (2e150, 2e-160), (4e150, 3e-160)], [Some(6.665e-321), Some(1e-320), Some(8.164965809277261e-161), Some(1e-160), Some(9.999999999999999e-11), Some(1.5e-10), Some(0.9819805060619657), Some(0.9642857142857143), UNFIT, Some(-6.666666666666666e149)]),
        ("a large x beside a small y", &[(1e-160, 1e150), (2e-160, 2e150), (4e-160, 3e150)], [Some(6.666666666666668e299), Some(1.0000000000000002e300), Some(8.164965809277261e149), Some(1.0000000000000002e150), Some(1e-10), Some(1.5e-10), Some(0.9819805060619657), Some(0.9642857142857143), Some(1.5e-310), Some(-6.666666666666665e-161)]),
        ("far apart", &[(1e154, 1e-154), (1e-154, 1e154), (1.0, -1.0), (-1e154, 3.0)], [Some(1.875e307), Some(2.5e307), Some(4.330127018922193e153), Some(5e153), Some(-8.125e153), Some(-1.0833333333333334e154), Some(-2.6536138880151096e-154), Some(7.041666666666666e-308), Some(-4.333333333333333e-154), Some(1.3333333333333333)]),
        ("nearly uncorrelated", &[(1.0, 1e100), (-1.0, -1e100), (1.0, -1e100), (-1.0, 1.000000000000001e100)], [Some(1.0000000000000005e200), Some(1.333333333333334e200), Some(1.0000000000000002e100), Some(1.1547005383792519e100), Some(-2.4283361152821613e84), Some(-3.237781487042882e84), Some(-2.428336115282161e-16), Some(5.896816288783656e-32), Some(-2.4283361152821602e-116), Some(5.896816288783656e-32)]),
    ];
    for (name, rows, want) in cases {
        let y = Vector::from_data(Data::Double(rows.iter().map(|&(y, _)| y).collect()));
        let x = Vector::from_data(Data::Double(rows.iter().map(|&(_, x)| x).collect()));
        for (statistic, want) in STATISTICS.into_iter().zip(want) {
            let found = results(statistic, [0, 0], &y, &x);
            assert_eq!(found, [want; 2], "{name}: {statistic:?}");
        }
    }
}

#[test]
#[rustfmt::skip]
fn statistics_of_decimals_are_those_of_their_values() {
    const MOST: i128 = 10_i128.pow(38) - 1;
    let cases: [([u8; 2], Case<i128>); 4] = [
        ([3, 3], ("a mean of 1e9, a deviation of 1e-3", &[(1000000000003, 1000000000001), (999999999999, 999999999999), (1000000000001, 1000000000000), (999999999997, 999999999998)], [Some(1.25e-6), Some(1.6666666666666667e-6), Some(0.001118033988749895), Some(0.0012909944487358056), Some(2.5e-6), Some(3.3333333333333333e-6), Some(1.0), Some(1.0), Some(2.0), Some(-999999999.999)])),
        ([0, 6], ("scales that differ", &[(3, 1000001), (5, 1000002), (9, 1000004)], [Some(1.5555555555555556e-12), Some(2.3333333333333334e-12), Some(1.247219128924647e-6), Some(1.5275252316519466e-6), Some(3.111111111111111e-6), Some(4.666666666666666e-6), Some(1.0), Some(1.0), Some(2000000.0), Some(-1999999.0)])),
        ([0, 38], ("the largest decimals", &[(MOST, MOST), (-MOST, -MOST), (MOST - 1, MOST - 2)], [Some(0.8888888888888888), Some(1.3333333333333333), Some(0.9428090415820634), Some(1.1547005383792515), Some(8.888888888888889e37), Some(1.3333333333333333e38), Some(1.0), Some(1.0), Some(1e38), Some(0.25)])),
        ([10, 0], ("digits past a double", &[(9007199254740993, 9007199254740993), (9007199254740995, 9007199254740994), (9007199254740996, 9007199254740996)], [Some(1.5555555555555556), Some(2.3333333333333335), Some(1.247219128924647), Some(1.5275252316519468), Some(1.4444444444444445e-10), Some(2.1666666666666667e-10), Some(0.9285714285714286), Some(0.8622448979591837), Some(9.285714285714286e-11), Some(64337.137533864276)])),
    ];
    for (scales, (name, rows, want)) in cases {
        let y = Vector::from_data(Data::Wide(rows.iter().map(|&(y, _)| y).collect()));
        let x = Vector::from_data(Data::Wide(rows.iter().map(|&(_, x)| x).collect()));
        for (statistic, want) in STATISTICS.into_iter().zip(want) {
            let scales = if is_of_one(statistic) { [scales[1]; 2] } else { scales };
            let found = results(statistic, scales, &y, &x);
            assert_eq!(found, [want; 2], "{name}: {statistic:?}");
        }
    }
}
