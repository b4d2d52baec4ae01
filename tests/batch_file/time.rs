//! Times: rows 81, 82, 84 and 85 of the fault catalogue.

use crate::common::job::Job;
use crate::common::place::Place;
use crate::common::records::{Case, check_records};

#[test]
fn f081_f084_text() {
    let place = Place::new("f081");
    let job = Job::csv(&place, "in.csv", "t TIMESTAMP", "SELECT t FROM input");
    let cases: &[Case<'_>] = &[
        (
            "first, last, before 1970, leap days",
            b"t\n0001-01-01T00:00:00Z\n9999-12-31T23:59:59.999999Z\n1969-12-31T23:59:59.9Z\n2000-02-29\n2024-02-29T24:00:00Z\n",
            "0001-01-01 00:00:00\n9999-12-31 23:59:59.999999\n1969-12-31 23:59:59.9\n2000-02-29 00:00:00\n2024-03-01 00:00:00\n",
            &[],
        ),
        (
            "leap second, leap day that is none, years out of range",
            b"t\n2026-06-30T23:59:60Z\n1900-02-29\n0000-01-01\n9999-12-31T23:59:59-00:01\n2026-01-01T00:00:00.0000001Z\n",
            "",
            &[
                "record 1, byte 2, column t: expected TIMESTAMP (second 60), found \"2026-06-30T23:59:60Z\"",
                "record 2, byte 23, column t: expected TIMESTAMP (no such day), found \"1900-02-29\"",
                "record 3, byte 34, column t: expected TIMESTAMP (outside the years 0001 to 9999), found \"0000-01-01\"",
                "record 4, byte 45, column t: expected TIMESTAMP (outside the years 0001 to 9999), found \"9999-12-31T23:59:59-00:01\"",
                "record 5, byte 71, column t: expected TIMESTAMP (digits past the microsecond), found \"2026-01-01T00:00:00.0000001Z\"",
            ],
        ),
        (
            "zones",
            b"t\n2026-01-31T23:59:00+01:00\n2026-01-31T23:59:00z\n2026-01-31 23:59:00\n2026-01-31T23:59:00-0130\n2026-01-31T23:59:00.10Z\n",
            "2026-01-31 22:59:00\n2026-01-31 23:59:00\n2026-01-31 23:59:00\n2026-02-01 01:29:00\n2026-01-31 23:59:00.1\n",
            &[],
        ),
    ];
    check_records(&place, &job, "in.csv", cases);
}

#[test]
fn f081_epochs() {
    let place = Place::new("f081-epochs");
    let columns = "s TIMESTAMP_S, ms TIMESTAMP_MS, us TIMESTAMP_US, ns TIMESTAMP_NS";
    let job = Job::csv(&place, "in.csv", columns, "SELECT s, ms, us, ns FROM input");
    let cases: &[Case<'_>] = &[(
        "each unit, before 1970 and past the year 9999",
        b"s,ms,us,ns\n-1,-1,-1,-1\n253402300799,253402300799999,253402300799999999,9223372036854775807\n253402300800,,,\n,253402300800000,,\n,,253402300800000000,\n1.5,,,\n",
        "1969-12-31 23:59:59,1969-12-31 23:59:59.999,1969-12-31 23:59:59.999999,1969-12-31 23:59:59.999999\n\
         9999-12-31 23:59:59,9999-12-31 23:59:59.999,9999-12-31 23:59:59.999999,2262-04-11 23:47:16.854775\n",
        &[
            "record 3, byte 91, column s: expected TIMESTAMP_S (outside the years 0001 to 9999), found …",
            "record 4, byte 107, column ms: expected TIMESTAMP_MS (outside …",
            "record 5, byte 126, column us: expected TIMESTAMP_US (outside …",
            "record 6, byte 148, column s: expected TIMESTAMP_S (not a whole number), found \"1.5\"",
        ],
    )];
    check_records(&place, &job, "in.csv", cases);
}

#[test]
fn f082_another_unit_than_declared_is_warned_of() {
    let place = Place::new("f082");
    let columns = "t TIMESTAMP_US, u TIMESTAMP_US";
    let job = Job::csv(
        &place,
        "in.csv",
        columns,
        "SELECT max(t) AS t, max(u) AS u FROM input",
    );
    // The end of January 2026 in milliseconds, then in microseconds.
    place.put(
        "in.csv",
        "t,u\n1769900340000,\n1769900340001,1769900340000000\n",
    );
    for threads in ["1", "5"] {
        let ended = job.clone().named(threads).with("THREADS", threads).run();
        assert_eq!(
            ended.rollup(),
            "t,u\n1970-01-21 11:38:20.340001,2026-01-31 22:59:00\n"
        );
        let warned = ended.told("warning");
        assert_eq!(warned.len(), 1, "{warned:?}");
        assert_eq!(warned[0]["column"], "t");
    }
    place.put(
        "in.csv",
        "t,u\n1769900340000000,1769900340000000\n1769900340000,\n",
    );
    assert_eq!(
        job.clone().named("one").run().told("warning").len(),
        0,
        "one is plausible"
    );
    place.put("in.csv", "t,u\n,\n");
    assert_eq!(
        job.named("none").run().told("warning").len(),
        0,
        "none at all"
    );
}

#[test]
fn f085_the_end_of_a_bucket() {
    let place = Place::new("f085");
    place.put(
        "in.csv",
        "t\n2026-01-31T23:58:59.999999Z\n2026-01-31T23:59:00Z\n2026-01-31T23:59:00.000001Z\n1969-12-31T23:59:59.999999Z\n1970-01-01T00:00:00Z\n",
    );
    let query =
        "SELECT time_bucket(INTERVAL '1 minute', t) AS m, count(*) AS n FROM input GROUP BY m";
    let job = Job::csv(&place, "in.csv", "t TIMESTAMP", query);
    let want = "m,n\n1969-12-31 23:59:00,1\n1970-01-01 00:00:00,1\n2026-01-31 23:58:00,1\n2026-01-31 23:59:00,2\n";
    assert_eq!(job.run().rollup(), want);
}
