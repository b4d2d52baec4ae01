//! Whole environments against what they come to: rows 1 to 8, 113, 122 and 129 of the fault catalogue.

mod shards;
mod stream;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use serde_json::{Value, json};

use super::merge::Merge;
use super::raw::Raw;
use super::values::OnBadRecord;
use super::variables::{ALL, Applies, Form, Mode, PREFIX, Presence};
use super::{Config, Input, Text};
use crate::decode::{Format, Header};
use crate::limits;

type Environment = BTreeMap<&'static str, String>;

fn csv() -> Environment {
    Environment::from(
        [
            ("INPUT", "file:///in/a.csv"),
            ("INPUT_FORMAT", "csv"),
            ("CSV_HEADER", "present"),
            ("COLUMNS", "price DECIMAL(18,2), shop VARCHAR"),
            (
                "QUERY",
                "SELECT shop, sum(price) AS total FROM input GROUP BY shop",
            ),
            ("OUTPUT", "file:///out"),
            ("OUTPUT_FORMAT", "csv"),
            ("RUN_ID", "r1"),
            ("MAX_RUNTIME_SECONDS", "60"),
        ]
        .map(|(name, value)| (name, value.to_owned())),
    )
}

fn json() -> Environment {
    let mut environment = csv();
    environment.remove("CSV_HEADER");
    environment.insert("INPUT_FORMAT", "ndjson".to_owned());
    environment
}

fn range() -> Environment {
    let mut environment = json();
    environment.remove("INPUT_FORMAT");
    environment.remove("COLUMNS");
    environment.insert("INPUT", "range:-5..7".to_owned());
    environment.insert("QUERY", "SELECT sum(i) AS total FROM input".to_owned());
    environment
}

/// Of shards.
fn merge() -> Environment {
    Environment::from(
        [
            ("INPUT", "file:///out/r1"),
            ("SHARDS", "16"),
            ("OUTPUT", "file:///out"),
            ("OUTPUT_FORMAT", "csv"),
            ("RUN_ID", "merged"),
            ("MAX_RUNTIME_SECONDS", "60"),
        ]
        .map(|(name, value)| (name, value.to_owned())),
    )
}

/// Two feeds.
fn stream() -> Environment {
    let mut environment = with(
        json(),
        &[
            ("INPUT", r#"["wss://a.example/ws?key=k","wss://b.example"]"#),
            ("INPUT_FORMAT", "json"),
            (
                "COLUMNS",
                "at TIMESTAMP_MS FROM E, id BIGINT FROM t, s VARCHAR, p DECIMAL(18,8)",
            ),
            (
                "QUERY",
                "SELECT time_bucket(INTERVAL '1 minute', at) AS minute, s, sum(p) AS p FROM input GROUP BY minute, s",
            ),
        ],
    );
    environment.extend(
        [
            ("EVENT_TIME", "at"),
            ("LATENESS_SECONDS", "5"),
            ("IDLE_TIMEOUT_SECONDS", "30"),
            ("CAPTURE", "raw"),
            ("PART_SECONDS", "60"),
        ]
        .map(|(name, value)| (name, value.to_owned())),
    );
    environment
}

/// What those feeds left, in windows.
fn replay() -> Environment {
    with(
        stream(),
        &[
            ("INPUT", "file:///out/r0/capture/"),
            ("INPUT_FORMAT", "capture"),
            ("IDLE_TIMEOUT_SECONDS", ""),
            ("CAPTURE", ""),
            ("PART_SECONDS", ""),
        ],
    )
}

/// The same messages as records like any other.
fn messages() -> Environment {
    with(replay(), &[("EVENT_TIME", ""), ("LATENESS_SECONDS", "")])
}

/// From a bucket to a bucket.
fn s3() -> Environment {
    let uris = [
        ("INPUT", "s3://data/a.csv"),
        ("OUTPUT", "s3://results/runs"),
    ];
    with(with(csv(), &uris), &[("AWS_REGION", "eu-central-1")])
}

/// `base` with these values; an empty one takes the variable out.
fn with(mut base: Environment, changes: &[(&'static str, &str)]) -> Environment {
    for (name, value) in changes {
        base.insert(name, (*value).to_owned());
    }
    base.retain(|_, value| !value.is_empty());
    base
}

fn raw(environment: &Environment) -> Raw {
    let named = environment.iter().map(|(name, value)| {
        let prefix = match name.starts_with("AWS_") {
            true => "",
            false => PREFIX,
        };
        (format!("{prefix}{name}").into(), value.into())
    });
    named.collect()
}

/// Each problem's variable and text, in a batch.
fn problems(raw: &Raw) -> Vec<(String, String)> {
    problems_in(raw, Mode::Batch)
}

fn problems_in(raw: &Raw, mode: Mode) -> Vec<(String, String)> {
    let problems = match mode {
        Mode::Merge => Merge::parse(raw).err(),
        Mode::Batch | Mode::Stream => Config::parse(raw, mode).err(),
    };
    problems
        .unwrap_or_default()
        .iter()
        .map(|problem| (problem.variable.clone(), problem.to_string()))
        .collect()
}

fn variables(environment: &Environment) -> Vec<String> {
    variables_in(environment, Mode::Batch)
}

fn variables_in(environment: &Environment, mode: Mode) -> Vec<String> {
    problems_in(&raw(environment), mode)
        .into_iter()
        .map(|(variable, _)| variable)
        .collect()
}

#[test]
fn good_environments() {
    let config = Config::parse(&raw(&csv()), Mode::Batch).unwrap();
    let Input::Objects {
        uris,
        format,
        columns,
    } = &config.input
    else {
        panic!("files")
    };
    assert_eq!(uris.len(), 1);
    assert_eq!(
        *format,
        Format::Csv {
            header: Header::Present,
            delimiter: b',',
            null: None
        }
    );
    assert!(matches!(columns, Text::Inline(_)));
    assert_eq!(config.on_bad_record, OnBadRecord::Fail);
    assert_eq!(
        (config.deadline.as_secs(), config.drain.as_secs()),
        (60, 20)
    );
    assert_eq!(config.compiled.unwrap().plan.outputs.len(), 2);
    assert_eq!(
        Value::from(config.resolved),
        json!({
            "INPUT": ["file:///in/a.csv"], "INPUT_FORMAT": "csv", "CSV_HEADER": "present", "CSV_DELIMITER": ",",
            "CSV_NULL": null, "COLUMNS": "price DECIMAL(18,2), shop VARCHAR", "COLUMNS_URI": null,
            "QUERY": "SELECT shop, sum(price) AS total FROM input GROUP BY shop", "QUERY_URI": null,
            "OUTPUT": "file:///out", "OUTPUT_FORMAT": "csv", "RUN_ID": "r1", "MAX_RUNTIME_SECONDS": 60,
            "ON_BAD_RECORD": "fail", "DRAIN_SECONDS": 20, "THREADS": null, "SHARD": null,
        })
    );
    for (name, environment) in [
        ("json", json()),
        ("range", range()),
        (
            "one document a file",
            with(json(), &[("INPUT_FORMAT", "json"), ("RECORDS", "data[*]")]),
        ),
        (
            "several inputs",
            with(
                csv(),
                &[(
                    "INPUT",
                    r#"["file:///in/a","file:///in/b/","file:///c/*/d*.csv"]"#,
                )],
            ),
        ),
        (
            "texts by URI",
            with(
                csv(),
                &[
                    ("COLUMNS", ""),
                    ("COLUMNS_URI", "file:///c"),
                    ("QUERY", ""),
                    ("QUERY_URI", "file:///q"),
                ],
            ),
        ),
        (
            "no header",
            with(
                csv(),
                &[
                    ("CSV_HEADER", "absent"),
                    ("COLUMNS", "price DECIMAL(18,2) FROM 1, shop VARCHAR FROM 2"),
                ],
            ),
        ),
        (
            "CSV options",
            with(csv(), &[("CSV_DELIMITER", "tab"), ("CSV_NULL", "NA")]),
        ),
        (
            "the rest",
            with(
                csv(),
                &[
                    ("ON_BAD_RECORD", "reject:5"),
                    ("DRAIN_SECONDS", "110"),
                    ("THREADS", "1024"),
                ],
            ),
        ),
        (
            "slash after OUTPUT",
            with(csv(), &[("OUTPUT", "file:///out/")]),
        ),
        (
            "longest values",
            with(csv(), &[("CSV_NULL", &"x".repeat(limits::VARIABLE_BYTES))]),
        ),
    ] {
        assert_eq!(problems(&raw(&environment)), [], "{name}");
    }
}

#[test]
fn f001_each_required_variable_in_turn_and_all_at_once() {
    for (mode, base) in [
        (Mode::Batch, csv()),
        (Mode::Batch, json()),
        (Mode::Batch, range()),
        (Mode::Batch, replay()),
        (Mode::Batch, messages()),
        (Mode::Stream, stream()),
        (Mode::Merge, merge()),
    ] {
        assert_eq!(problems_in(&raw(&base), mode), []);
        for variable in ALL {
            let is_there = base.contains_key(variable.name);
            let want = match variable.presence(mode) {
                Presence::Required | Presence::OneOf(_) | Presence::With(_) if is_there => {
                    vec![variable.name]
                }
                Presence::Unused
                | Presence::Required
                | Presence::OneOf(_)
                | Presence::With(_)
                | Presence::Optional(_) => vec![],
            };
            // Without INPUT, the range's environment lacks what files need as well.
            let found = variables_in(&with(base.clone(), &[(variable.name, "")]), mode);
            let is_range = mode == Mode::Batch && !base.contains_key("INPUT_FORMAT");
            match (variable.name, is_range) {
                ("INPUT", true) => assert_eq!(found, ["INPUT", "INPUT_FORMAT", "COLUMNS"]),
                _ => assert_eq!(found, want, "without {}", variable.name),
            }
        }
    }
    assert_eq!(
        variables_in(&Environment::new(), Mode::Stream),
        [
            "INPUT",
            "INPUT_FORMAT",
            "COLUMNS",
            "QUERY",
            "OUTPUT",
            "OUTPUT_FORMAT",
            "RUN_ID",
            "MAX_RUNTIME_SECONDS",
            "EVENT_TIME",
            "LATENESS_SECONDS",
            "IDLE_TIMEOUT_SECONDS",
            "CAPTURE",
        ]
    );
    assert_eq!(
        variables(&Environment::new()),
        [
            "INPUT",
            "INPUT_FORMAT",
            "COLUMNS",
            "QUERY",
            "OUTPUT",
            "OUTPUT_FORMAT",
            "RUN_ID",
            "MAX_RUNTIME_SECONDS"
        ]
    );
}

#[test]
fn f002_set_but_empty_is_a_problem_even_where_absence_is_none() {
    for (variable, mode) in ALL
        .iter()
        .flat_map(|variable| Mode::ALL.map(|mode| (variable, mode)))
    {
        let mut environment = match mode {
            Mode::Batch => csv(),
            Mode::Stream => stream(),
            Mode::Merge => merge(),
        };
        environment.insert(variable.name, String::new());
        let problems = problems_in(&raw(&environment), mode);
        let empty = |(name, text): &(String, String)| {
            name == variable.name && text.contains("expected a value, found an empty one")
        };
        assert!(
            problems.iter().any(empty),
            "{}: {problems:?}",
            variable.name
        );
    }
}

#[test]
fn f003_unknown_names_come_with_the_nearest_one() {
    for (name, hint) in [
        ("RUNID", "did you mean WINDROW_RUN_ID?"),
        ("INPUTS", "did you mean WINDROW_INPUT?"),
        ("SHRAD", "did you mean WINDROW_SHARD?"),
        ("EVENT_TIMES", "did you mean WINDROW_EVENT_TIME?"),
        ("SUBSCRIBES", "did you mean WINDROW_SUBSCRIBE?"),
        ("", "remove it"),
    ] {
        let mut environment = csv();
        environment.insert(name, "secret".to_owned());
        let problems = problems(&raw(&environment));
        assert_eq!(problems.len(), 1, "{name}");
        assert_eq!(problems[0].0, name);
        assert!(problems[0].1.contains(hint), "{problems:?}");
        assert!(!problems[0].1.contains("secret"), "{problems:?}");
    }
}

#[test]
fn f004_what_this_input_has_no_use_for_is_a_problem() {
    for (name, environment, want) in [
        (
            "CSV options with ndjson",
            with(
                json(),
                &[
                    ("CSV_HEADER", "present"),
                    ("CSV_DELIMITER", ","),
                    ("CSV_NULL", "NA"),
                ],
            ),
            vec!["CSV_HEADER", "CSV_DELIMITER", "CSV_NULL"],
        ),
        (
            "RECORDS with csv",
            with(csv(), &[("RECORDS", "data[*]")]),
            vec!["RECORDS"],
        ),
        (
            "COLUMNS with range",
            with(range(), &[("COLUMNS", "i BIGINT")]),
            vec!["COLUMNS"],
        ),
        (
            "INPUT_FORMAT with range",
            with(range(), &[("INPUT_FORMAT", "csv")]),
            vec!["INPUT_FORMAT"],
        ),
        (
            "CSV_HEADER with range",
            with(range(), &[("CSV_HEADER", "absent")]),
            vec!["CSV_HEADER"],
        ),
        (
            "S3 options with files",
            with(
                csv(),
                &[
                    ("S3_ATTEMPTS", "2"),
                    ("S3_INPUT_ACCESS", "unsigned"),
                    ("S3_INPUT_REGION", "eu-west-1"),
                    ("OUTPUT_SSE", "AES256"),
                ],
            ),
            vec![
                "S3_ATTEMPTS",
                "S3_INPUT_ACCESS",
                "S3_INPUT_REGION",
                "OUTPUT_SSE",
            ],
        ),
        (
            "options of the input with S3 as output alone",
            with(
                s3(),
                &[
                    ("INPUT", "file:///in/a.csv"),
                    ("S3_INPUT_ACCESS", "unsigned"),
                    ("OUTPUT_SSE", "AES256"),
                ],
            ),
            vec!["S3_INPUT_ACCESS"],
        ),
        (
            "options of the output with S3 as input alone",
            with(
                s3(),
                &[
                    ("OUTPUT", "file:///out"),
                    ("S3_INPUT_ACCESS", "unsigned"),
                    ("OUTPUT_SSE", "AES256"),
                ],
            ),
            vec!["OUTPUT_SSE"],
        ),
        (
            "no region",
            with(s3(), &[("AWS_REGION", "")]),
            vec!["AWS_REGION"],
        ),
    ] {
        assert_eq!(variables(&environment), want, "{name}");
    }
}

#[test]
fn f005_numbers_at_their_limits_and_one_past_them() {
    let in_modes = |variable| Mode::ALL.map(|mode| (variable, mode));
    for (variable, mode) in ALL.iter().flat_map(in_modes) {
        let Form::Number { least, most } = variable.form(mode) else {
            continue;
        };
        if variable.presence(mode) == Presence::Unused {
            continue;
        }
        for (text, good) in [
            (least.to_string(), true),
            (most.to_string(), true),
            ((i128::from(least) - 1).to_string(), false),
            ((most + 1).to_string(), false),
            (format!("+{least}"), false),
            (format!(" {least}"), false),
            (format!("{least} "), false),
            ("9".repeat(60), false),
        ] {
            let base = match (mode, variable.applies) {
                (Mode::Merge, Applies::S3) => with(
                    merge(),
                    &[
                        ("OUTPUT", "s3://results/runs"),
                        ("AWS_REGION", "eu-central-1"),
                    ],
                ),
                (Mode::Merge, _) => merge(),
                (Mode::Stream, Applies::S3) => with(
                    stream(),
                    &[
                        ("OUTPUT", "s3://results/runs"),
                        ("AWS_REGION", "eu-central-1"),
                    ],
                ),
                (Mode::Stream, _) => stream(),
                (Mode::Batch, Applies::S3) => s3(),
                (Mode::Batch, Applies::Messages) => replay(),
                (Mode::Batch, _) => csv(),
            };
            let found = variables_in(&with(base, &[(variable.name, &text)]), mode);
            let want = if good { vec![] } else { vec![variable.name] };
            assert_eq!(found, want, "{}={text}", variable.name);
        }
    }
}

#[test]
fn f006_problems_of_the_query_have_their_place_whatever_else_is_wrong() {
    for (name, environment, want) in [
        ("alone", csv(), vec!["QUERY"]),
        (
            "without INPUT_FORMAT",
            with(csv(), &[("INPUT_FORMAT", "")]),
            vec!["INPUT_FORMAT", "QUERY"],
        ),
        (
            "without CSV_HEADER",
            with(csv(), &[("CSV_HEADER", "")]),
            vec!["CSV_HEADER", "QUERY"],
        ),
        (
            "with COLUMNS_URI",
            with(csv(), &[("COLUMNS", ""), ("COLUMNS_URI", "file:///c")]),
            vec!["QUERY"],
        ),
        (
            "with bad COLUMNS",
            with(csv(), &[("COLUMNS", "price DECIMALS")]),
            vec!["COLUMNS", "QUERY"],
        ),
        ("over a range", range(), vec!["QUERY"]),
    ] {
        let environment = with(
            environment,
            &[("QUERY", "SELECT\n  count(* AS n FROM input")],
        );
        let problems = problems(&raw(&environment));
        let names: Vec<&String> = problems.iter().map(|(name, _)| name).collect();
        assert_eq!(names, want, "{name}");
        let (_, text) = problems.last().unwrap();
        assert!(
            text.contains("at byte 17 (line 2, column 11)"),
            "{name}: {text}"
        );
    }
    let unknown = with(csv(), &[("QUERY", "SELECT pirce FROM input")]);
    let problems = problems(&raw(&unknown));
    assert!(
        problems[0].1.contains("at byte 7 (line 1, column 8)"),
        "{problems:?}"
    );
    assert!(problems[0].1.contains("price"), "{problems:?}");
}

#[test]
fn f007_problems_of_columns_have_their_place() {
    for columns in [
        "price DECIMALS",
        "price BIGINT, price BIGINT",
        "price DECIMAL(39,0)",
        "price DECIMAL(4,5)",
        "price BIGINT FROM 0",
    ] {
        let problems = problems(&raw(&with(csv(), &[("COLUMNS", columns)])));
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            problems[0].1.starts_with("WINDROW_COLUMNS at byte "),
            "{problems:?}"
        );
    }
    let no_header = [
        ("CSV_HEADER", "absent"),
        ("COLUMNS", "price BIGINT FROM price"),
    ];
    assert_eq!(variables(&with(csv(), &no_header)), ["COLUMNS"]);
    assert_eq!(
        variables(&with(json(), &[("COLUMNS", "price BIGINT FROM a[")])),
        ["COLUMNS"]
    );
    assert_eq!(variables(&with(json(), &[("RECORDS", "a[")])), ["RECORDS"]);
}

#[test]
fn f008_not_utf8_too_long_and_both_of_a_pair() {
    let not_utf8 = |name: &[u8], value: &[u8]| -> Raw {
        let good = csv().into_iter();
        good.map(|(name, value)| (format!("{PREFIX}{name}").into(), value.into()))
            .chain([(
                OsString::from_vec(name.to_vec()),
                OsString::from_vec(value.to_vec()),
            )])
            .collect()
    };
    let found = problems(&not_utf8(b"WINDROW_CSV_NULL", b"a\xffb"));
    assert_eq!(found.len(), 1);
    assert!(
        found[0].1.contains("expected UTF-8, found a\\xffb"),
        "{found:?}"
    );
    let found = problems(&not_utf8(b"WINDROW_\xff", b"a"));
    assert!(
        found[0]
            .1
            .starts_with("WINDROW_\\xff: expected a known name"),
        "{found:?}"
    );
    let long = "x".repeat(limits::VARIABLE_BYTES + 1);
    for name in [
        "QUERY", "COLUMNS", "CSV_NULL", "RUN_ID", "INPUT", "OUTPUT", "THREADS",
    ] {
        let found = problems(&raw(&with(csv(), &[(name, &long)])));
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        assert!(
            found[0]
                .1
                .contains("expected at most 65536 bytes, found 65537 bytes"),
            "{found:?}"
        );
    }
    let both = [("QUERY_URI", "file:///q"), ("COLUMNS_URI", "file:///c")];
    let found = problems(&raw(&with(csv(), &both)));
    assert_eq!(found.len(), 2);
    assert!(
        found[0].1.contains("expected one of the two, found both"),
        "{found:?}"
    );
}

#[test]
fn f122_output_that_input_reaches() {
    for (input, output, good) in [
        ("file:///data/", "file:///data", false),
        ("file:///data/", "file:///data/out", false),
        ("file:///data/", "file:///data/out/", false),
        ("file:///data/", "file:///data2", true),
        ("file:///data/", "file:///", false),
        ("file:///data/in/", "file:///data", true),
        ("file:///data/r1/", "file:///data", false),
        ("file:///data/r1/x/", "file:///data", false),
        ("file:///data/*.csv", "file:///data", true),
        ("file:///data/*.csv", "file:///data/out", true),
        ("file:///data/*.csv", "file:///data/out.csv", false),
        ("file:///data/*", "file:///data/out", false),
        ("file:///data/*", "file:///data", false),
        ("file:///out/*/rollup.csv", "file:///out", false),
        ("file:///out/day-*/rollup.csv", "file:///out", true),
        ("file:///*/out/*/*", "file:///data/out", false),
        ("file:///out/r0/rollup.csv", "file:///out", true),
        ("file:///out/r1/rollup.csv", "file:///out", false),
        (r#"["file:///a","file:///data/"]"#, "file:///data/x", false),
    ] {
        let found = variables(&with(csv(), &[("INPUT", input), ("OUTPUT", output)]));
        let want = if good { vec![] } else { vec!["OUTPUT"] };
        assert_eq!(found, want, "{input} {output}");
    }
}

#[test]
fn f129_what_https_hides_is_in_no_resolved_value() {
    let headers = r#"{"Authorization": "Bearer CANARY"}"#;
    let environment = with(
        csv(),
        &[
            ("INPUT", r#"["https://h/a?sig=CANARY","file:///in/b"]"#),
            ("QUERY", ""),
            ("QUERY_URI", "https://h/q?sig=CANARY"),
            ("COLUMNS", ""),
            ("COLUMNS_URI", "https://h/c?sig=CANARY"),
            ("HEADERS", headers),
        ],
    );
    let config = Config::parse(&raw(&environment), Mode::Batch).unwrap();
    let shown = serde_json::to_string(&config.resolved).unwrap();
    assert!(!shown.contains("CANARY"), "{shown}");
    for (name, want) in [
        (
            "INPUT",
            serde_json::json!(["https://h/a?sig=«redacted»", "file:///in/b"]),
        ),
        ("QUERY_URI", "https://h/q?sig=«redacted»".into()),
        ("COLUMNS_URI", "https://h/c?sig=«redacted»".into()),
        ("HEADERS", "«redacted»".into()),
    ] {
        assert_eq!(config.resolved[name], want, "{name}");
    }
    assert!(!format!("{config:?}").contains("CANARY"), "{config:?}");
    let https = config.https.unwrap();
    assert_eq!(https.headers[0].1.expose(), "Bearer CANARY");
    // Without anything to send them to, they are refused; broken ones are not shown.
    for (name, base, value) in [
        ("no https", csv(), headers),
        ("broken", environment, r#"{"a": ["CANARY"]}"#),
    ] {
        let found = problems(&raw(&with(base, &[("HEADERS", value)])));
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        assert!(
            found[0].0 == "HEADERS" && !found[0].1.contains("CANARY"),
            "{found:?}"
        );
    }
}

#[test]
fn uris_that_are_refused_say_why_and_hide_secrets() {
    for (text, want) in [
        ("/in/a.csv", "a path is written as a URI"),
        ("in/a.csv", "a path is written as a URI"),
        ("file:/in/a.csv", "three slashes"),
        ("file://in/a.csv", "three slashes in all"),
        ("file:///in/../a.csv", "without `.` and `..`"),
        ("file:///in/./a.csv", "without `.` and `..`"),
        ("file:///in//a.csv", "the slash too many"),
        ("file:///", "the slash too many"),
        ("file:///in/**/a.csv", "at most one `*`"),
        ("file:///in/*/", "a glob of files"),
        ("https://host/key?token=secret#x", "leave out a fragment"),
        ("https://me:secret@host/key", "without user and password"),
        ("http://host/key", "plain http is refused"),
        ("wss://host/feed", "`windrow stream`"),
        ("ws://127.0.0.1/feed", "`windrow stream`"),
        ("ftp://host/secret", "file:///abs/path"),
        ("[]", "an empty array"),
        ("[1]", "a JSON array of strings"),
        ("[\"file:///a\"", "a JSON array of strings"),
        (r#"["file:///a","range:1..2"]"#, "one range alone"),
        ("range:", "two dots"),
        ("range:1", "two dots"),
        ("range:2..1", "END is excluded"),
        ("range:+1..2", "only digits"),
        ("range: 1..2", "only digits"),
        ("range:1..", "only digits"),
        ("range:1...2", "only digits"),
        ("range:0..9223372036854775808", "numbers go from"),
        ("range:-9223372036854775809..0", "numbers go from"),
    ] {
        let base = if text.starts_with("range:") {
            range()
        } else {
            csv()
        };
        let found = problems(&raw(&with(base, &[("INPUT", text)])));
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert_eq!(found[0].0, "INPUT", "{text}");
        assert!(found[0].1.contains(want), "{text}: {found:?}");
        let hides = text.starts_with("https:");
        assert!(!(hides && found[0].1.contains("secret")), "{found:?}");
    }
    for good in [
        "range:0..0",
        "range:-9223372036854775808..9223372036854775807",
        r#"["range:1..2"]"#,
    ] {
        assert_eq!(
            problems(&raw(&with(range(), &[("INPUT", good)]))),
            [],
            "{good}"
        );
    }
    for (variable, text) in [
        ("OUTPUT", "s3://Bucket/prefix"),
        ("OUTPUT", "file:///out/../x"),
        ("OUTPUT", "out"),
        ("QUERY_URI", "s3://Bucket/q"),
        ("QUERY_URI", "file:///dir/"),
        ("COLUMNS_URI", "http://host/c"),
        ("OUTPUT", "https://host/c"),
    ] {
        let inline = variable.trim_end_matches("_URI");
        let base = match inline {
            "OUTPUT" => csv(),
            _ => with(
                csv(),
                &[(
                    if inline == "QUERY" {
                        "QUERY"
                    } else {
                        "COLUMNS"
                    },
                    "",
                )],
            ),
        };
        assert_eq!(
            variables(&with(
                base,
                &[(variable, text), ("AWS_REGION", "eu-central-1")]
            )),
            [variable],
            "{text}"
        );
    }
}

#[test]
fn all_problems_come_in_one_report_in_the_order_of_the_table() {
    let environment = with(
        csv(),
        &[
            ("ZZZ", "1"),
            ("RUN_ID", "a/b"),
            ("INPUT", "in.csv"),
            ("COLUMNS", "price DECIMALS, shop"),
            ("QUERY", "SELEC"),
            ("ON_BAD_RECORD", "ignore"),
            ("OUTPUT_FORMAT", "parquet"),
        ],
    );
    assert_eq!(
        variables(&environment),
        [
            "ZZZ",
            "INPUT",
            "COLUMNS",
            "COLUMNS",
            "QUERY",
            "OUTPUT_FORMAT",
            "RUN_ID",
            "ON_BAD_RECORD"
        ]
    );
}
