//! Environments of `stream`, and of a batch over what one captured.

use std::time::Duration;

use serde_json::json;

use super::super::feeds::OnDisconnect;
use super::super::uri::InputUri;
use super::super::{Config, Input, Mode};
use super::{
    Environment, csv, messages, problems, problems_in, raw, replay, stream, variables,
    variables_in, with,
};
use crate::decode::Format;
use crate::limits;
use crate::query::plan::{Bucket, Per, Sequence, Windows};
use crate::value::column::Source;

/// Everything that a stream may have.
fn full() -> Environment {
    with(
        stream(),
        &[
            ("RECORDS", "data[*]"),
            ("SEQUENCE", "id by s per connection"),
            ("SUBSCRIBE", r#"[{"op": "subscribe", "key": "CANARY"}]"#),
            ("HEARTBEAT", "20 {\"op\": \"ping\"}"),
            ("HEADERS", r#"{"X-Key": "CANARY"}"#),
            ("ON_DISCONNECT", "reconnect:3"),
        ],
    )
}

fn feeds(environment: &Environment) -> super::super::feeds::Feeds {
    match Config::parse(&raw(environment), Mode::Stream)
        .unwrap()
        .input
    {
        Input::Feeds(feeds) => feeds,
        Input::Objects { .. } | Input::Range(_) => panic!("feeds"),
    }
}

/// The parts of each problem of a stream that is refused.
fn stream_problems(changes: &[(&'static str, &str)]) -> Vec<(String, String)> {
    problems_in(&raw(&with(stream(), changes)), Mode::Stream)
}

#[test]
fn a_stream_and_its_replay() {
    let config = Config::parse(&raw(&full()), Mode::Stream).unwrap();
    assert_eq!(config.mode(), Mode::Stream);
    let windows = Some(Windows {
        event_time: 0,
        key: 0,
        bucket: Bucket::Micros(60_000_000),
        lateness_us: 5_000_000,
        sequence: Some(Sequence {
            number: 1,
            key: 2,
            per: Per::Connection,
        }),
    });
    let compiled = config.compiled.as_ref().unwrap();
    assert_eq!(
        (&compiled.plan.columns[..], compiled.windows),
        (&[0, 1, 2, 3][..], windows)
    );
    let feeds = feeds(&full());
    assert_eq!(feeds.uris[0].expose(), "wss://a.example/ws?key=k");
    assert_eq!(feeds.idle, Duration::from_secs(30));
    assert_eq!(feeds.capture.unwrap().part, Duration::from_secs(60));
    assert_eq!(
        feeds.subscribe[0].expose(),
        r#"{"op":"subscribe","key":"CANARY"}"#
    );
    let heartbeat = feeds.heartbeat.unwrap();
    assert_eq!(heartbeat.every, Duration::from_secs(20));
    assert_eq!(heartbeat.text.as_deref(), Some(r#"{"op": "ping"}"#));
    assert_eq!(feeds.headers[0].0, "x-key");
    assert_eq!(feeds.on_disconnect, OnDisconnect::Reconnect { limit: 3 });
    assert!(feeds.records.is_some());

    // The same texts give the same windows over a capture.
    let changes = [
        ("SEQUENCE", "id BY s PER CONNECTION"),
        ("RECORDS", "data[*]"),
    ];
    let config = Config::parse(&raw(&with(replay(), &changes)), Mode::Batch).unwrap();
    assert_eq!(config.mode(), Mode::Batch);
    assert_eq!(config.compiled.unwrap().windows, windows);
    let Input::Objects { format, .. } = config.input else {
        panic!("objects")
    };
    assert!(matches!(format, Format::Capture { records: Some(_) }));
    let config = Config::parse(&raw(&messages()), Mode::Batch).unwrap();
    assert_eq!(config.compiled.unwrap().windows, None);
}

#[test]
fn what_is_absent_is_the_strict_thing() {
    let feeds = feeds(&with(stream(), &[("CAPTURE", "off"), ("PART_SECONDS", "")]));
    assert_eq!(
        (feeds.capture, feeds.heartbeat, feeds.on_disconnect),
        (None, None, OnDisconnect::Fail)
    );
    assert!(feeds.subscribe.is_empty() && feeds.headers.is_empty() && feeds.records.is_none());
}

#[test]
fn f129_what_a_feed_may_repeat_is_not_shown() {
    let changes = [
        ("INPUT", "wss://feed.example/ws?sig=a/b==c&id=x%2Fyz%3D1"),
        (
            "HEADERS",
            r#"{"cookie": "session=cookie-token; path=/", "authorization": "Bearer bearer-token"}"#,
        ),
        (
            "SUBSCRIBE",
            r#"[{"op":"auth","pin":123456789012345678901234,"args":"{\"key\":\"inner-token\"}"}, "login plain-token"]"#,
        ),
    ];
    let config = Config::parse(&raw(&with(stream(), &changes)), Mode::Stream).unwrap();
    let Input::Feeds(feeds) = &config.input else {
        panic!("feeds");
    };
    let secrets = feeds.secrets();
    for said in [
        "a/b==c",
        "a%2Fb%3D%3Dc",
        "x/yz=1",
        "x%2Fyz%3D1",
        "cookie-token",
        "bearer-token",
        "123456789012345678901234",
        "inner-token",
        "plain-token",
    ] {
        let shown = secrets.shown(format!("no {said}!").as_bytes(), 100);
        assert_eq!(shown, "no «redacted»!", "{said}");
    }
    assert_eq!(
        secrets.shown(b"no such symbol: 12", 100),
        "no such symbol: 12"
    );
}

#[test]
fn f129_what_a_stream_hides_is_in_no_resolved_value() {
    let secret = r#"["wss://a.example/ws?key=CANARY","wss://b.example"]"#;
    let config = Config::parse(&raw(&with(full(), &[("INPUT", secret)])), Mode::Stream).unwrap();
    let shown = serde_json::to_string(&config.resolved).unwrap();
    assert!(!shown.contains("CANARY"), "{shown}");
    assert!(!format!("{config:?}").contains("CANARY"), "{config:?}");
    for (name, want) in [
        (
            "INPUT",
            json!(["wss://a.example/ws?key=«redacted»", "wss://b.example"]),
        ),
        ("SUBSCRIBE", "«redacted»".into()),
        ("HEADERS", "«redacted»".into()),
        ("HEARTBEAT", "20 {\"op\": \"ping\"}".into()),
        ("ON_DISCONNECT", "reconnect:3".into()),
        ("EVENT_TIME", "at".into()),
        ("LATENESS_SECONDS", 5.into()),
        ("IDLE_TIMEOUT_SECONDS", 30.into()),
        ("CAPTURE", "raw".into()),
        ("PART_SECONDS", 60.into()),
        ("SEQUENCE", "id by s per connection".into()),
    ] {
        assert_eq!(config.resolved[name], want, "{name}");
    }
    for unused in ["CSV_HEADER", "S3_INPUT_ACCESS", "OUTPUT_SSE"] {
        assert!(!config.resolved.contains_key(unused), "{unused}");
    }
    for (name, value) in [
        ("SUBSCRIBE", r#"[{"key": "CANARY"]"#),
        ("SUBSCRIBE", r#"{"key": "CANARY"}"#),
        ("SUBSCRIBE", "CANARY"),
        ("HEADERS", r#"{"Sec-WebSocket-Key": "CANARY"}"#),
        ("HEADERS", "CANARY"),
        ("INPUT", "wss://me:CANARY@h/"),
        ("INPUT", "wss://h/?key=CANARY#x"),
        ("INPUT", "wss://h/ ?key=CANARY"),
        ("INPUT", "ws://h/?key=CANARY"),
        ("INPUT", "wss://h,wss://me:CANARY@h/"),
        (
            "INPUT",
            r#" ["wss://h/?key=CANARY&b=c","wss://h/?key=CANARY&CANARY"]"#,
        ),
        ("INPUT", r#"["wss://h/?key=CANARY","wss://h/?key=CANARY"]"#),
        ("INPUT", r#"["wss://h/?key=CANARY""#),
        ("INPUT", r#"[["wss://h/?key=CANARY"]]"#),
    ] {
        let found = stream_problems(&[(name, value)]);
        assert_eq!(found.len(), 1, "{value}: {found:?}");
        assert!(
            found[0].0 == name && !found[0].1.contains("CANARY"),
            "{value}: {found:?}"
        );
    }
}

#[test]
fn f004_what_a_mode_has_no_use_for_is_a_problem() {
    for (name, value, advice) in [
        (
            "IDLE_TIMEOUT_SECONDS",
            "30",
            "only `windrow stream` has a use for it",
        ),
        ("CAPTURE", "raw", "only `windrow stream`"),
        ("PART_SECONDS", "60", "only `windrow stream`"),
        ("SUBSCRIBE", "[\"a\"]", "only `windrow stream`"),
        ("HEARTBEAT", "30", "only `windrow stream`"),
        ("ON_DISCONNECT", "fail", "only `windrow stream`"),
    ] {
        for base in [csv(), replay(), messages()] {
            let found = problems(&raw(&with(base, &[(name, value)])));
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!(found[0].0, name);
            assert!(found[0].1.contains(advice), "{found:?}");
        }
    }
    for (name, value) in [
        ("CSV_HEADER", "present"),
        ("CSV_DELIMITER", ","),
        ("CSV_NULL", "NA"),
        ("S3_INPUT_ACCESS", "unsigned"),
        ("S3_INPUT_REGION", "eu-west-1"),
    ] {
        let found = stream_problems(&[(name, value)]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, name);
        assert!(found[0].1.contains("only `windrow batch`"), "{found:?}");
    }
    for (name, base, changes, want) in [
        (
            "event time with csv",
            csv(),
            vec![
                ("EVENT_TIME", "at"),
                ("LATENESS_SECONDS", "1"),
                ("SEQUENCE", "a BY b PER RUN"),
            ],
            vec!["EVENT_TIME", "LATENESS_SECONDS", "SEQUENCE"],
        ),
        (
            "sequence without event time",
            messages(),
            vec![("SEQUENCE", "id BY s PER RUN")],
            vec!["SEQUENCE"],
        ),
        (
            "lateness alone",
            messages(),
            vec![("LATENESS_SECONDS", "1")],
            vec!["EVENT_TIME"],
        ),
        (
            "event time alone",
            messages(),
            vec![("EVENT_TIME", "at")],
            vec!["LATENESS_SECONDS"],
        ),
    ] {
        assert_eq!(variables(&with(base, &changes)), want, "{name}");
    }
    assert_eq!(
        variables_in(&with(stream(), &[("CAPTURE", "off")]), Mode::Stream),
        ["PART_SECONDS"]
    );
    assert_eq!(
        variables_in(&with(stream(), &[("OUTPUT_SSE", "AES256")]), Mode::Stream),
        ["OUTPUT_SSE"]
    );
}

#[test]
fn values_of_a_stream() {
    let most = limits::FEEDS;
    let of_feeds = |count: usize| {
        let uris: Vec<String> = (0..count).map(|feed| format!("wss://h/{feed}")).collect();
        serde_json::to_string(&uris).unwrap()
    };
    let (enough, too_many) = (of_feeds(most), of_feeds(most + 1));
    for (name, value, want) in [
        ("INPUT", "wss://h", None),
        ("INPUT", "wss://h:9443/a/b?c=d&e", None),
        ("INPUT", "wss://[::1]:9443/", None),
        ("INPUT", "ws://127.0.0.1:9/a", None),
        ("INPUT", "ws://localhost", None),
        ("INPUT", "ws://[::1]/", None),
        ("INPUT", &enough, None),
        (
            "INPUT",
            &too_many,
            Some("at most 64 feeds, found 65 of them"),
        ),
        (
            "INPUT",
            "ws://h/a",
            Some("plain ws is refused except to a loopback address"),
        ),
        (
            "INPUT",
            "ws://127.0.0.1.example/",
            Some("plain ws is refused"),
        ),
        ("INPUT", "ws://169.254.170.2/", Some("plain ws is refused")),
        ("INPUT", "ws://10.0.0.1/", Some("plain ws is refused")),
        ("INPUT", "wss://me:p@h/", Some("without user and password")),
        ("INPUT", "wss://h/#a", Some("leave out a fragment")),
        ("INPUT", "wss://h:99999/", Some("wss://HOST/PATH")),
        ("INPUT", "wss://", Some("wss://HOST/PATH")),
        ("INPUT", "wss:/h", Some("`windrow batch`")),
        ("INPUT", "WSS://h/", Some("`windrow batch`")),
        ("INPUT", "https://h/a", Some("`windrow batch`")),
        ("INPUT", "s3://bucket/a", Some("`windrow batch`")),
        ("INPUT", "file:///a", Some("`windrow batch`")),
        ("INPUT", "range:0..5", Some("`windrow batch`")),
        ("INPUT", "[]", Some("an empty array")),
        (
            "INPUT",
            r#"["wss://h/a","file:///a"]"#,
            Some("`windrow batch`"),
        ),
        (
            "INPUT",
            r#"["wss://h/a","wss://h/a"]"#,
            Some("each feed once, found wss://h/a twice"),
        ),
        ("INPUT_FORMAT", "ndjson", Some("expected `json`")),
        ("INPUT_FORMAT", "capture", Some("expected `json`")),
        ("CAPTURE", "on", Some("expected `off` or `raw`")),
        ("EVENT_TIME", "AT", None),
        ("EVENT_TIME", "\"at\"", None),
        ("EVENT_TIME", "a t", Some("at byte 2")),
        ("EVENT_TIME", "att", Some("did you mean at?")),
        ("EVENT_TIME", "zebra", Some("the columns are at, id, s, p")),
        (
            "EVENT_TIME",
            "id",
            Some("expected a TIMESTAMP column, found id, a BIGINT"),
        ),
        ("EVENT_TIME", "order", Some("write \"order\"")),
        ("SUBSCRIBE", "[]", Some("an empty array")),
        (
            "SUBSCRIBE",
            "[1,]",
            Some("something else at line 1, column 4"),
        ),
        ("HEARTBEAT", "1", None),
        ("HEARTBEAT", "3600 a b", None),
        ("HEARTBEAT", "3601", Some("`SECONDS` from 1 to 3600")),
        ("HEARTBEAT", "0", Some("`SECONDS` from 1 to 3600")),
        ("HEARTBEAT", "30 ", Some("leave out the blank")),
        ("HEARTBEAT", "30s", Some("only digits")),
        ("HEARTBEAT", "ping", Some("only digits")),
        ("ON_DISCONNECT", "fail", None),
        ("ON_DISCONNECT", "reconnect:1", None),
        ("ON_DISCONNECT", "reconnect:100000", None),
        (
            "ON_DISCONNECT",
            "reconnect:100001",
            Some("N from 1 to 100000"),
        ),
        ("ON_DISCONNECT", "reconnect:0", Some("N from 1 to 100000")),
        (
            "ON_DISCONNECT",
            "reconnect",
            Some("`fail`, or `reconnect:N`"),
        ),
        ("HEADERS", r#"{"Cookie": "a", "Origin": "https://h"}"#, None),
        (
            "HEADERS",
            r#"{"Sec-WebSocket-Version": "13"}"#,
            Some("windrow sets it"),
        ),
    ] {
        let found = stream_problems(&[(name, value)]);
        match want {
            None => assert_eq!(found, [], "{name}={value}"),
            Some(want) => {
                assert_eq!(found.len(), 1, "{name}={value}: {found:?}");
                assert_eq!(found[0].0, name, "{found:?}");
                assert!(found[0].1.contains(want), "{name}={value}: {found:?}");
            }
        }
    }
    // Duplicates are dropped where there is a sequence, so that a second connection may help.
    let twice = [
        ("INPUT", r#"["wss://h/a","wss://h/a"]"#),
        ("SEQUENCE", "id BY s PER RUN"),
    ];
    assert_eq!(stream_problems(&twice), []);
}

#[test]
fn subscriptions_are_sent_as_they_are_written() {
    for (text, want) in [
        (r#"["hello"]"#, vec!["hello"]),
        (
            r#"["a \"b\" [c], {d}", "\u00e9\n"]"#,
            vec!["a \"b\" [c], {d}", "é\n"],
        ),
        (
            "[ {\"b\": 1.50, \"a\" : [1e3, 12345678901234567890123] } ,\n\t[ ] , null , -0 ]",
            vec![
                r#"{"b":1.50,"a":[1e3,12345678901234567890123]}"#,
                "[]",
                "null",
                "-0",
            ],
        ),
        (
            r#"[{"a b": "c , d\\", "e": "] \" }"}, {}]"#,
            vec![r#"{"a b":"c , d\\","e":"] \" }"}"#, "{}"],
        ),
        (r#"[""]"#, vec![""]),
    ] {
        let feeds = feeds(&with(stream(), &[("SUBSCRIBE", text)]));
        let sent: Vec<&str> = feeds.subscribe.iter().map(|text| text.expose()).collect();
        assert_eq!(sent, want, "{text}");
    }
}

#[test]
fn sequences() {
    for (text, want) in [
        ("id BY s PER RUN", Ok((1, 2, Per::Run))),
        ("\"id\" by p per connection", Ok((1, 3, Per::Connection))),
        ("id BY at PER RUN -- why", Ok((1, 0, Per::Run))),
        ("id", Err((2, "expected BY, found the end of the text"))),
        ("id BY", Err((5, "expected a column's name"))),
        ("id BY s", Err((7, "expected PER"))),
        ("id BY s PER", Err((11, "expected RUN or CONNECTION"))),
        (
            "id BY s PER FEED",
            Err((12, "expected RUN or CONNECTION, found FEED")),
        ),
        ("id BY s PER RUN, p", Err((15, "expected the end, found ,"))),
        ("id BY s, p PER RUN", Err((7, "expected PER, found ,"))),
        ("ids BY s PER RUN", Err((0, "did you mean id?"))),
        (
            "id BY symbol PER RUN",
            Err((6, "the columns are at, id, s, p")),
        ),
        (
            "s BY id PER RUN",
            Err((0, "expected a BIGINT column, found s, a VARCHAR")),
        ),
        (
            "at BY id PER RUN",
            Err((0, "expected a BIGINT column, found at, a TIMESTAMP")),
        ),
        (
            "id BY id PER RUN",
            Err((6, "another column after BY, found id")),
        ),
        ("'id' BY s PER RUN", Err((0, "a column's name, found 'id'"))),
        ("id BY \"s PER RUN", Err((6, "\""))),
    ] {
        let environment = with(stream(), &[("SEQUENCE", text)]);
        match (Config::parse(&raw(&environment), Mode::Stream), want) {
            (Ok(config), Ok((number, key, per))) => {
                let sequence = config.compiled.unwrap().windows.unwrap().sequence.unwrap();
                // The number is no key of the query, and read all the same.
                assert_eq!(
                    (sequence.number, sequence.key, sequence.per),
                    (number, key, per),
                    "{text}"
                );
            }
            (Err(found), Err((offset, want))) => {
                assert_eq!(found.len(), 1, "{text}: {found:?}");
                assert_eq!(found[0].variable, "SEQUENCE");
                let at = found[0].position.as_ref().unwrap();
                assert_eq!(at.offset_bytes, offset, "{text}: {}", found[0]);
                assert!(found[0].to_string().contains(want), "{text}: {}", found[0]);
            }
            (found, _) => panic!("{text}: {found:?}"),
        }
    }
    // What can be said without columns is said.
    let elsewhere = [
        ("COLUMNS", ""),
        ("COLUMNS_URI", "file:///c"),
        ("EVENT_TIME", "a b"),
        ("SEQUENCE", "id BY"),
    ];
    let found = variables_in(&with(stream(), &elsewhere), Mode::Stream);
    assert_eq!(found, ["EVENT_TIME", "SEQUENCE"]);
    // And without a query.
    let elsewhere = [
        ("QUERY", ""),
        ("QUERY_URI", "file:///q"),
        ("EVENT_TIME", "id"),
    ];
    assert_eq!(
        variables_in(&with(stream(), &elsewhere), Mode::Stream),
        ["EVENT_TIME"]
    );
}

#[test]
fn texts_that_come_by_uri_are_cut_into_windows_too() {
    let inline = stream();
    let elsewhere = [
        ("COLUMNS", ""),
        ("COLUMNS_URI", "file:///c"),
        ("QUERY", ""),
        ("QUERY_URI", "file:///q"),
    ];
    for (mode, base) in [(Mode::Stream, stream()), (Mode::Batch, replay())] {
        let config = Config::parse(&raw(&with(base, &elsewhere)), mode).unwrap();
        assert_eq!(config.compiled, None);
        let compiled = config
            .compile(&inline["COLUMNS"], &inline["QUERY"])
            .unwrap();
        assert!(compiled.windows.is_some());
        for (columns, query, want) in [
            ("at BIGINT", &*inline["QUERY"], "EVENT_TIME"),
            (&*inline["COLUMNS"], "SELECT s FROM input", "QUERY_URI"),
            ("o VARCHAR FROM @object", &*inline["QUERY"], "COLUMNS_URI"),
        ] {
            let found = config.compile(columns, query).unwrap_err();
            assert_eq!(found[0].variable, want);
        }
    }
}

#[test]
fn sources_beside_the_record() {
    let columns = "at TIMESTAMP FROM @received_at, id BIGINT, s BIGINT FROM @feed, p DOUBLE";
    for (mode, base) in [
        (Mode::Stream, stream()),
        (Mode::Batch, replay()),
        (Mode::Batch, messages()),
    ] {
        let config = Config::parse(&raw(&with(base, &[("COLUMNS", columns)])), mode).unwrap();
        let columns = config.compiled.unwrap().columns;
        assert_eq!(
            (&columns[0].source, &columns[2].source),
            (&Source::ReceivedAt, &Source::Feed)
        );
    }
    let columns = "at TIMESTAMP, id BIGINT, s VARCHAR FROM @object, p DOUBLE";
    for (mode, base, want) in [
        (Mode::Stream, stream(), vec!["COLUMNS"]),
        (Mode::Batch, replay(), vec!["COLUMNS"]),
        (Mode::Batch, messages(), vec![]),
    ] {
        assert_eq!(
            variables_in(&with(base, &[("COLUMNS", columns)]), mode),
            want
        );
    }
}

#[test]
fn a_replay_is_of_one_capture() {
    for (input, good) in [
        ("file:///out/r0/capture/", true),
        ("s3://data/r0/capture/part-*.ndjson.gz", true),
        ("file:///out/*/capture/*", true),
        (
            r#"["s3://data/r0/capture/part-000001.ndjson.gz","s3://data/r0/capture/part-000002.ndjson.gz"]"#,
            true,
        ),
        (r#"["https://h/c/1?sig=a/b","https://h/c/2?sig=c"]"#, true),
        (
            r#"["file:///out/r0/capture/","file:///out/r1/capture/"]"#,
            false,
        ),
        (
            r#"["s3://data/r0/capture/1","s3://else/r0/capture/2"]"#,
            false,
        ),
        (
            r#"["https://h/c/1?sig=CANARY","https://g/c/2?sig=CANARY"]"#,
            false,
        ),
    ] {
        let changes = [
            ("INPUT", input),
            ("AWS_REGION", "eu-central-1"),
            ("OUTPUT", "file:///results"),
        ];
        for (base, good) in [(replay(), good), (messages(), true)] {
            let found = problems(&raw(&with(base, &changes)));
            let names: Vec<&str> = found.iter().map(|(name, _)| &**name).collect();
            let want = if good { vec![] } else { vec!["INPUT"] };
            assert_eq!(names, want, "{input}: {found:?}");
            assert!(!format!("{found:?}").contains("CANARY"), "{found:?}");
        }
    }
}

#[test]
fn f006_queries_that_no_window_holds() {
    let bucket = "time_bucket(INTERVAL '1 minute', at)";
    for (query, want) in [
        ("SELECT s, p FROM input", Err((7, "a query without groups"))),
        ("SELECT * FROM input", Err((7, "a query without groups"))),
        (
            "SELECT count(*) AS n FROM input",
            Err((7, "one group of everything")),
        ),
        (
            "SELECT s, count(*) AS n FROM input GROUP BY s",
            Err((44, "time_bucket(…, at) in GROUP BY")),
        ),
        (
            "SELECT count(*) AS n FROM input GROUP BY date_trunc('minute', at)",
            Err((41, "GROUP BY date_trunc")),
        ),
        ("SELECT count(*) AS n FROM input GROUP BY TB", Ok(0)),
        (
            "SELECT count(*) AS n, s FROM input GROUP BY s, TB HAVING count(*) > 1",
            Ok(1),
        ),
        (
            "SELECT TB AS m, s, sum(p) AS p FROM input GROUP BY ALL",
            Ok(0),
        ),
        (
            "SELECT TB AS m, s, sum(p) AS p FROM input GROUP BY 2, 1",
            Ok(1),
        ),
        ("SELECT DISTINCT s, TB AS m FROM input", Ok(1)),
        ("SELECT count(*) AS n FROM input GROUP BY TB, TB", Ok(0)),
        (
            "SELECT count(*) AS n FROM input GROUP BY TB, time_bucket(INTERVAL '1 hour', at)",
            Err((79, "a second one")),
        ),
        (
            "SELECT count(*) AS n FROM input GROUP BY TB, date_trunc('hour', at)",
            Ok(0),
        ),
        (
            "SELECT count(*) AS n FROM input GROUP BY time_bucket(INTERVAL '1 minute', at + INTERVAL '1 s')",
            Err((41, "and no such window")),
        ),
        (
            "SELECT count(*) AS n FROM input GROUP BY TB ORDER BY n",
            Err((87, "ORDER BY n")),
        ),
        (
            "SELECT count(*) AS n FROM input GROUP BY TB LIMIT 5",
            Err((78, "LIMIT 5")),
        ),
        (
            "SELECT DISTINCT count(*) AS n FROM input GROUP BY TB",
            Err((7, "DISTINCT")),
        ),
    ] {
        let query = query.replace("TB", bucket);
        let environment = with(stream(), &[("QUERY", &query)]);
        match (Config::parse(&raw(&environment), Mode::Stream), want) {
            (Ok(config), Ok(key)) => {
                assert_eq!(
                    config.compiled.unwrap().windows.unwrap().key,
                    key,
                    "{query}"
                );
            }
            (Err(found), Err((offset, want))) => {
                assert_eq!(found.len(), 1, "{query}: {found:?}");
                assert_eq!(found[0].variable, "QUERY");
                assert!(found[0].to_string().contains(want), "{}", found[0]);
                let at = found[0].position.as_ref().unwrap();
                assert_eq!(at.offset_bytes, offset, "{}", found[0]);
            }
            (found, _) => panic!("{query}: {found:?}"),
        }
        // Without windows, a capture takes any query.
        assert_eq!(problems(&raw(&with(messages(), &[("QUERY", &query)]))), []);
    }
    // A column that only EVENT_TIME, or only SEQUENCE, reads.
    let changes = [
        (
            "COLUMNS",
            "x BIGINT, at TIMESTAMP, n BIGINT, k VARCHAR, y BIGINT",
        ),
        ("SEQUENCE", "n BY k PER RUN"),
        (
            "QUERY",
            "SELECT count(*) AS n FROM input GROUP BY time_bucket(INTERVAL '1 month', at)",
        ),
    ];
    let config = Config::parse(&raw(&with(stream(), &changes)), Mode::Stream).unwrap();
    let compiled = config.compiled.unwrap();
    let windows = compiled.windows.unwrap();
    let sequence = windows.sequence.unwrap();
    assert_eq!(compiled.plan.columns, [1, 2, 3]);
    assert_eq!(
        (windows.event_time, sequence.number, sequence.key),
        (0, 1, 2)
    );
    assert_eq!(windows.bucket, Bucket::Months(1));
}

#[test]
fn directories() {
    for (uri, want) in [
        ("file:///a/b/", "file:///a/b"),
        ("file:///a/b", "file:///a"),
        ("s3://bucket/", "s3://bucket"),
        ("s3://bucket/a/*", "s3://bucket/a"),
        ("https://h/a/b?c/d", "https://h/a"),
    ] {
        assert_eq!(InputUri::parse(uri).unwrap().directory(), want);
    }
}
