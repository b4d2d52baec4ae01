//! Sums of integers past 128 bits.

use super::*;

fn sum(values: &[i128]) -> WideSum {
    let mut sum = WideSum::default();
    values.iter().for_each(|&value| sum.add(value));
    sum
}

#[test]
fn only_the_end_must_fit() {
    for (name, values, want) in [
        ("none", vec![], Some(0)),
        ("signs", vec![5, -7], Some(-2)),
        ("largest", vec![i128::MAX], Some(i128::MAX)),
        ("smallest", vec![i128::MIN], Some(i128::MIN)),
        ("past the largest", vec![i128::MAX, 1], None),
        ("past the smallest", vec![i128::MIN, -1], None),
        (
            "past it on the way",
            vec![i128::MAX, i128::MAX, i128::MIN, i128::MIN, 2],
            Some(0),
        ),
        (
            "past 64 bits",
            vec![i64::MAX.into(), i64::MAX.into()],
            Some(18_446_744_073_709_551_614),
        ),
    ] {
        assert_eq!(sum(&values).to_i128(), want, "{name}");
        for cut in 0..=values.len() {
            let (left, right) = values.split_at(cut);
            let mut merged = sum(right);
            merged.merge(sum(left));
            assert_eq!(merged, sum(&values), "{name} cut at {cut}");
        }
    }
}

#[test]
fn means_are_rounded_once() {
    for (name, values, count, scale, want) in [
        ("tenths", vec![1, 2, 3], 3, 1, Some(0.2)),
        ("half", vec![3, 10, 4, 1], 4, 0, Some(4.5)),
        ("negative", vec![-1, -1, -2], 3, 0, Some(-4.0 / 3.0)),
        (
            "past 128 bits",
            vec![i128::MAX; 8],
            8,
            0,
            Some(170_141_183_460_469_231_731_687_303_715_884_105_728.0),
        ),
        (
            "past them, negative",
            vec![i128::MIN; 3],
            3,
            38,
            Some(-1.701_411_834_604_692_3),
        ),
        ("of none", vec![], 0, 0, None),
    ] {
        assert_eq!(sum(&values).mean(count, scale), want, "{name}");
    }
}

#[test]
fn a_sum_goes_to_a_number_and_back() {
    for values in [
        vec![],
        vec![0],
        vec![5],
        vec![-5],
        vec![i128::MAX],
        vec![i128::MIN],
        vec![i128::MIN; 3],
        vec![i128::MAX; 1000],
        vec![i128::MIN, i128::MAX, 1 << 90],
    ] {
        let mut sum = WideSum::default();
        values.iter().for_each(|&value| sum.add(value));
        assert_eq!(WideSum::of_dyadic(&sum.dyadic()), Some(sum), "{values:?}");
    }
    for (text, want) in [("0x1p190", true), ("0x1p191", false), ("0x1p-1", false)] {
        let number = Dyadic::parse(text).unwrap();
        assert_eq!(WideSum::of_dyadic(&number).is_some(), want, "{text}");
    }
}
