//! SHARD and SPLIT, and the configuration of a merge.

use super::*;
use crate::config::shard::{Shard, Split};

/// One of sixteen.
fn shard() -> Environment {
    with(csv(), &[("SHARD", "3/16"), ("OUTPUT_FORMAT", "")])
}

fn of(environment: &Environment) -> Option<Shard> {
    Config::parse(&raw(environment), Mode::Batch).unwrap().shard
}

#[test]
fn which_shard() {
    let split = Split::Objects;
    let third = |index, count| {
        Some(Shard {
            index,
            count,
            split,
        })
    };
    for (text, want) in [
        ("3/16", third(3, 16)),
        ("0/1", third(0, 1)),
        ("9999/10000", third(9_999, 10_000)),
        ("16/16", None),
        ("0/0", None),
        ("0/10001", None),
        ("1", None),
        ("-1/2", None),
        ("01/2", None),
        ("1/2/3", None),
        ("/2", None),
        ("env/2", None),
    ] {
        let environment = with(shard(), &[("SHARD", text)]);
        match want {
            Some(_) => assert_eq!(of(&environment), want, "{text}"),
            None => assert_eq!(variables(&environment), ["SHARD"], "{text}"),
        }
    }
    let config = Config::parse(&raw(&shard()), Mode::Batch).unwrap();
    assert_eq!(config.prefix(), "r1/shard-00003-of-00016");
    let resolved = |name: &str| config.resolved[name].clone();
    assert_eq!(
        (resolved("SHARD"), resolved("SPLIT")),
        (json!("3/16"), json!("objects"))
    );
    assert!(!config.resolved.contains_key("OUTPUT_FORMAT"));
    let bytes = of(&with(shard(), &[("SPLIT", "bytes")]));
    assert_eq!(bytes.map(|shard| shard.split), Some(Split::Bytes));
}

#[test]
fn the_number_that_an_engine_gives() {
    for (batch, kubernetes, want) in [
        ("3", "", Some(3)),
        ("", "15", Some(15)),
        ("", "", None),
        ("3", "3", None),
        ("16", "", None),
        ("", "x", None),
    ] {
        let environment = with(shard(), &[("SHARD", "env/16")]);
        let engine = [
            ("AWS_BATCH_JOB_ARRAY_INDEX", batch),
            ("JOB_COMPLETION_INDEX", kubernetes),
        ];
        let variables = environment
            .iter()
            .map(|(name, value)| (format!("{PREFIX}{name}"), value.clone()));
        let engine = engine.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let raw: Raw = variables
            .chain(engine)
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        let found = Config::parse(&raw, Mode::Batch);
        match want {
            Some(index) => assert_eq!(found.unwrap().shard.unwrap().index, index),
            None => assert_eq!(problems(&raw)[0].0, "SHARD", "{batch} {kubernetes}"),
        }
    }
}

#[test]
fn what_no_shard_can_do_alone() {
    let query = |text| with(shard(), &[("QUERY", text)]);
    for (name, environment, want) in [
        (
            "a limit",
            query("SELECT shop FROM input LIMIT 5"),
            vec!["QUERY"],
        ),
        (
            "no row at all",
            query("SELECT shop FROM input LIMIT 0"),
            vec!["QUERY"],
        ),
        (
            "a limit of groups",
            query("SELECT shop FROM input GROUP BY shop LIMIT 5"),
            vec![],
        ),
        (
            "the first rows",
            query("SELECT shop FROM input ORDER BY shop LIMIT 5"),
            vec![],
        ),
        (
            "a format",
            with(shard(), &[("OUTPUT_FORMAT", "csv")]),
            vec!["OUTPUT_FORMAT"],
        ),
        (
            "windows",
            with(replay(), &[("SHARD", "3/16"), ("OUTPUT_FORMAT", "")]),
            vec!["SHARD"],
        ),
        (
            "messages",
            with(messages(), &[("SHARD", "3/16"), ("OUTPUT_FORMAT", "")]),
            vec![],
        ),
        (
            "a range",
            with(range(), &[("SHARD", "3/16"), ("OUTPUT_FORMAT", "")]),
            vec![],
        ),
        (
            "SPLIT alone",
            with(csv(), &[("SPLIT", "bytes")]),
            vec!["SPLIT"],
        ),
        (
            "another SPLIT",
            with(shard(), &[("SPLIT", "lines")]),
            vec!["SPLIT"],
        ),
    ] {
        assert_eq!(variables(&environment), want, "{name}");
    }
    // The same where the query comes by URI.
    let later = with(shard(), &[("QUERY", ""), ("QUERY_URI", "file:///q")]);
    let config = Config::parse(&raw(&later), Mode::Batch).unwrap();
    let problems = config.compile(
        "price DECIMAL(18,2), shop VARCHAR",
        "SELECT shop FROM input LIMIT 5",
    );
    assert_eq!(problems.unwrap_err()[0].variable, "QUERY_URI");
    let stream = with(stream(), &[("SHARD", "0/2")]);
    assert_eq!(variables_in(&stream, Mode::Stream), ["SHARD"]);
}

#[test]
fn a_merge_is_told_where_and_nothing_else() {
    let found = Merge::parse(&raw(&merge())).unwrap();
    assert_eq!((found.count, found.shards.len()), (16, 1));
    let resolved = |name: &str| found.resolved[name].clone();
    assert_eq!(resolved("INPUT"), json!(["file:///out/r1"]));
    assert_eq!(
        (resolved("THREADS"), resolved("DRAIN_SECONDS")),
        (json!(1), json!(20))
    );
    let two = r#"["s3://results/r1", "file:///out/r2/shard-00003-of-00016/"]"#;
    for (name, changes, want) in [
        (
            "two places",
            vec![("INPUT", two), ("AWS_REGION", "eu-central-1")],
            vec![],
        ),
        ("no region", vec![("INPUT", two)], vec!["AWS_REGION"]),
        (
            "a glob is taken literally, an URL is none",
            vec![("INPUT", "https://a/b")],
            vec!["INPUT"],
        ),
        ("no place", vec![("INPUT", "[]")], vec!["INPUT"]),
        (
            "a query",
            vec![("QUERY", "SELECT 1 AS a FROM input")],
            vec!["QUERY"],
        ),
        ("columns", vec![("COLUMNS", "a BIGINT")], vec!["COLUMNS"]),
        ("a shard", vec![("SHARD", "0/2")], vec!["SHARD"]),
        (
            "f122 inside a run",
            vec![("OUTPUT", "file:///out/r1")],
            vec!["OUTPUT"],
        ),
        (
            "f122 the run itself",
            vec![("RUN_ID", "r1")],
            vec!["OUTPUT"],
        ),
        ("f122 beside it", vec![("RUN_ID", "r10")], vec![]),
        (
            "SSE of a file",
            vec![("OUTPUT_SSE", "AES256")],
            vec!["OUTPUT_SSE"],
        ),
    ] {
        assert_eq!(
            variables_in(&with(merge(), &changes), Mode::Merge),
            want,
            "{name}"
        );
    }
}
