//! Numbers, from input text to output text: rows 72 to 77 of the fault catalogue.

use crate::common::ended::assert_text;
use crate::common::job::Job;
use crate::common::place::Place;
use crate::common::records::{Case, check_records};

#[test]
fn f072_f073_doubles_and_integers() {
    let place = Place::new("f072");
    let job = Job::ndjson(
        &place,
        "in.ndjson",
        "i BIGINT, f DOUBLE",
        "SELECT i, f FROM input",
    );
    let cases: &[Case<'_>] = &[
        (
            "zero, signs, exponents",
            b"{\"i\":-0,\"f\":-0}\n{\"i\":\"007\",\"f\":\"+1.50\"}\n{\"i\":1e3,\"f\":25E-1}\n{\"i\":3.0,\"f\":1}\n",
            "0,-0.0\n7,1.5\n1000,2.5\n3,1.0\n",
            &[],
        ),
        (
            "leading zero of a JSON number",
            b"{\"i\":01}\n{\"f\":-01}\n",
            "",
            &[
                "record 1, byte 0, column i: expected a JSON number, found \"01\"",
                "record 2, byte 9, column f: expected a JSON number, found \"-01\"",
            ],
        ),
        (
            "what no double is",
            b"{\"f\":1e400}\n{\"f\":NaN}\n{\"f\":\"NaN\"}\n{\"f\":\"-inf\"}\n{\"f\":Infinity}\n{\"f\":\"0x1\"}\n{\"f\":\" 1\"}\n{\"f\":1e-400}\n",
            ",0.0\n",
            &[
                "record 1, byte 0, column f: expected DOUBLE (out of range for DOUBLE), found \"1e400\"",
                "record 2, byte 12: expected a value …",
                "record 3, byte 22, column f: expected DOUBLE (not a number), found \"NaN\"",
                "record 4, byte 34, column f: expected DOUBLE (not a number), found \"-inf\"",
                "record 5, byte 47: expected a value …",
                "record 6, byte 62, column f: expected DOUBLE (not a number), found \"0x1\"",
                "record 7, byte 74, column f: expected DOUBLE (not a number), found \" 1\"",
            ],
        ),
        (
            "integers to the last and past it",
            b"{\"i\":9223372036854775807,\"f\":9007199254740993}\n{\"i\":-9223372036854775808}\n{\"i\":9223372036854775808}\n{\"i\":3.5}\n{\"i\":1e19}\n",
            "9223372036854775807,9007199254740992.0\n-9223372036854775808,\n",
            &[
                "record 3, byte 74, column i: expected BIGINT (out of range for BIGINT), found \"9223372036854775808\"",
                "record 4, byte 100, column i: expected BIGINT (not a whole number), found \"3.5\"",
                "record 5, byte 110, column i: expected BIGINT (out of range for BIGINT), found \"1e19\"",
            ],
        ),
    ];
    check_records(&place, &job, "in.ndjson", cases);
}

#[test]
fn f074_decimals() {
    let place = Place::new("f074");
    let columns = "d DECIMAL(5,2), w DECIMAL(38,0), s DECIMAL(38,38)";
    let job = Job::csv(&place, "in.csv", columns, "SELECT d, w, s FROM input");
    let cases: &[Case<'_>] = &[
        (
            "what fits",
            b"d,w,s\n1.5,1,0.5\n1.5000,1.0,.50\n-999.99,99999999999999999999999999999999999999,0.99999999999999999999999999999999999999\n1e2,1e37,1e-38\n",
            "1.50,1,0.50000000000000000000000000000000000000\n\
             1.50,1,0.50000000000000000000000000000000000000\n\
             -999.99,99999999999999999999999999999999999999,0.99999999999999999999999999999999999999\n\
             100.00,10000000000000000000000000000000000000,0.00000000000000000000000000000000000001\n",
            &[],
        ),
        (
            "what does not",
            b"d,w,s\n1.505,,\n1000,,\n,1e38,\n,,1\n,0.5,\n1,1,0\n",
            "1.00,1,0.00000000000000000000000000000000000000\n",
            &[
                "record 1, byte 6, column d: expected DECIMAL(5,2) (more than 2 digits after the point), found \"1.505\"",
                "record 2, byte 14, column d: expected DECIMAL(5,2) (out of range for DECIMAL(5,2)), found \"1000\"",
                "record 3, byte 21, column w: expected DECIMAL(38,0) (out of range for DECIMAL(38,0)), found \"1e38\"",
                "record 4, byte 28, column s: expected DECIMAL(38,38) (out of range for DECIMAL(38,38)), found \"1\"",
                "record 5, byte 32, column w: expected DECIMAL(38,0) (more than 0 digits after the point), found \"0.5\"",
            ],
        ),
    ];
    check_records(&place, &job, "in.csv", cases);
}

#[test]
fn f075_sums_past_their_type() {
    let place = Place::new("f075");
    let nines = "9".repeat(38);
    place.put("in.csv", format!("d,k\n{nines},1\n1,1\n-1,2\n{nines},2\n"));
    let columns = "d DECIMAL(38,0), k BIGINT";
    let sum = |filter: &str| format!("SELECT sum(d) AS s FROM input WHERE k {filter}");
    let fits = Job::csv(&place, "in.csv", columns, &sum("= 2"));
    assert_eq!(fits.run().rollup(), format!("s\n{}8\n", "9".repeat(37)));
    let past = Job::csv(&place, "in.csv", columns, &sum("= 1"));
    for threads in ["1", "5"] {
        let ended = past.clone().named(threads).with("THREADS", threads).run();
        ended.failed(65, "grouping");
        assert!(
            ended.why().contains("(in `sum(d)`, byte 7 of the query)"),
            "{}",
            ended.why()
        );
    }
    // What passes the type on the way is no overflow: only the final value must fit.
    let on_the_way = Job::csv(
        &place,
        "in.csv",
        columns,
        "SELECT sum(d - 1) AS s FROM input WHERE k = 1",
    );
    assert_eq!(
        on_the_way.named("on-the-way").run().rollup(),
        format!("s\n{}8\n", "9".repeat(37))
    );

    // So many BIGINTs that their sum is no HUGEINT are more than can be read, but the largest HUGEINT can be added.
    let numbers = |end: &str, query: &str| {
        let range = format!("9223372036854775805..{end}");
        Job::range(&place, &range, query).named(&format!("{end}-{}", query.len()))
    };
    let (one, two) = ("9223372036854775806", "9223372036854775807");
    let ended = numbers(two, "SELECT sum(i) AS s FROM input").run();
    assert_eq!(ended.rollup(), "s\n18446744073709551611\n");
    let largest = i128::MAX;
    let query = format!("SELECT sum({largest}) AS s FROM input");
    assert_eq!(
        numbers(one, &query).run().rollup(),
        format!("s\n{largest}\n")
    );
    let ended = numbers(two, &query).run();
    ended.failed(65, "grouping");
    let want = format!(
        "expected a result that fits HUGEINT (in `sum({largest})`, byte 7 of the query), …"
    );
    assert_text(&ended.why(), &want, "past HUGEINT");

    let ended = numbers(two, "SELECT sum(i + 2) AS s FROM input").run();
    ended.failed(65, "reading");
    assert_eq!(ended.summary()["record"], 2, "the first that overflows");
    assert!(
        ended.why().contains("(in `i + 2`, byte 11 of the query)"),
        "{}",
        ended.why()
    );
}

#[test]
fn f076_division_and_what_is_not_finite() {
    let place = Place::new("f076");
    place.put("in.csv", "a,b\n6,3\n1,0\n4,2\n");
    for (number, (expression, found_in, record)) in [
        ("a / b", "a / b", 2),
        ("a // b", "a // b", 2),
        ("a % b", "a % b", 2),
        ("sqrt(b - 1)", "sqrt(b - 1)", 2),
        ("pow(10.0, a * 100)", "pow(10.0, a * 100)", 1),
    ]
    .into_iter()
    .enumerate()
    {
        for (threads, on_bad_record) in [("1", "fail"), ("5", "fail"), ("5", "reject:9")] {
            let query = format!("SELECT {expression} AS q FROM input");
            let job = Job::csv(&place, "in.csv", "a BIGINT, b BIGINT", &query);
            let job = job.named(&format!("{number}-{threads}-{}", on_bad_record.len()));
            let ended = job
                .with("THREADS", threads)
                .with("ON_BAD_RECORD", on_bad_record)
                .run();
            ended.failed(65, "reading");
            let why = ended.why();
            let want = format!("(in `{found_in}`, byte 7 of the query)");
            assert!(why.contains(&want), "{expression}: {why}");
            assert_eq!(ended.summary()["record"], record, "{expression}: {why}");
            assert_eq!(
                ended.failure()["records"]["used"],
                record - 1,
                "{expression}"
            );
        }
    }
    for (number, (expression, want)) in [
        ("a / nullif(b, 0)", "2.0\n\n2.0\n"),
        ("CASE WHEN b <> 0 THEN a // b END", "2\n\n2\n"),
        ("CASE WHEN b = 0 THEN -1 ELSE a % b END", "0\n-1\n0\n"),
        ("coalesce(nullif(b, 0), a // b)", ""),
    ]
    .into_iter()
    .enumerate()
    {
        let query = format!("SELECT {expression} AS q FROM input");
        let job = Job::csv(&place, "in.csv", "a BIGINT, b BIGINT", &query);
        let ended = job.named(&format!("guarded-{number}")).run();
        if want.is_empty() {
            ended.failed(65, "reading");
        } else {
            assert_eq!(ended.rollup(), format!("q\n{want}"), "{expression}");
        }
    }
    let query = "SELECT a FROM input WHERE b <> 0 AND a / b > 1";
    let job = Job::csv(&place, "in.csv", "a BIGINT, b BIGINT", query);
    assert_eq!(job.named("where").run().rollup(), "a\n6\n4\n");
}

#[test]
fn f077_doubles_are_read_and_written_exactly() {
    let place = Place::new("f077");
    let pairs = [
        ("5e-324", "5e-324"),
        ("2.2250738585072011e-308", "2.225073858507201e-308"),
        ("2.2250738585072014e-308", "2.2250738585072014e-308"),
        ("0.1000000000000000055511151231257827", "0.1"),
        ("9007199254740993", "9007199254740992.0"),
        (
            "9007199254740993.00000000000000000000001",
            "9007199254740994.0",
        ),
        ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ("123456789012345678", "1.2345678901234568e+17"),
        ("0.30000000000000004", "0.30000000000000004"),
        ("2.4703282292062328e-324", "5e-324"),
        ("2.4703282292062327e-324", "0.0"),
        ("1e16", "1e+16"),
        ("0.00001", "1e-05"),
    ];
    let input: String = pairs
        .iter()
        .map(|(input, _)| format!("{input}\n"))
        .collect();
    let want: String = pairs.iter().map(|(_, want)| format!("{want}\n")).collect();
    place.put("in.csv", format!("f\n{input}"));
    let job = Job::csv(&place, "in.csv", "f DOUBLE", "SELECT f FROM input");
    assert_eq!(job.run().rollup(), format!("f\n{want}"));
}
