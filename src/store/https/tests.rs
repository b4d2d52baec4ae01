//! What a server's answers become, and that nothing shows what is secret (FAULTS 14, 33, 36, 37, 38, 39, 129).

use super::*;
use crate::budget::Budget;
use crate::http::fake::{Fake, Scripted};
use crate::s3::tests::{answer, lost, stop};
use crate::store::inputs::Inputs;

const URI: &str = "https://host/a*/b?sig=CANARY&n=CANARY";
const SHOWN: &str = "https://host/a*/b?sig=«redacted»&n=«redacted»";

fn store(script: Vec<Scripted>) -> (Arc<HttpsStore>, Arc<Fake>) {
    let fake = Arc::new(Fake::scripted(script));
    let headers = vec![Header::new("authorization", "CANARY")];
    (Arc::new(HttpsStore::new(fake.clone(), headers)), fake)
}

fn listed(store: &Arc<HttpsStore>) -> Result<Inputs> {
    let named = vec![(store.clone() as Arc<dyn Readable>, Pattern::literal(URI))];
    Inputs::list(named, &Arc::new(Budget::new(1 << 20)), &stop())
}

fn part(range: &str, etag: &str, body: &str) -> Scripted {
    answer(206, &[("content-range", range), ("etag", etag)], body)
}

#[test]
fn f038_f039_what_a_listing_learns() {
    for (name, script, want) in [
        (
            "ranges",
            part("bytes 0-0/10", "\"e\"", "x"),
            Ok((10, "\"e\"", true)),
        ),
        (
            "weak ETag",
            part("bytes 0-0/10", "W/\"e\"", "x"),
            Ok((10, "", false)),
        ),
        (
            "no ETag",
            answer(206, &[("content-range", "bytes 0-0/10")], "x"),
            Ok((10, "", false)),
        ),
        (
            "no ranges",
            answer(200, &[("etag", "\"e\"")], "0123456789"),
            Ok((10, "\"e\"", false)),
        ),
        (
            "empty",
            answer(416, &[("content-range", "bytes */0")], ""),
            Ok((0, "", false)),
        ),
        ("empty, no ranges", answer(200, &[], ""), Ok((0, "", false))),
        ("length unknown", part("bytes 0-0/*", "\"e\"", "x"), Err(76)),
        (
            "another range",
            part("bytes 0-9/10", "\"e\"", "0123456789"),
            Err(76),
        ),
        ("nonsense", answer(416, &[], ""), Err(76)),
        ("absent", answer(404, &[], ""), Err(66)),
        ("gone", answer(410, &[], ""), Err(66)),
        ("unknown", answer(401, &[], "CANARY"), Err(77)),
        ("denied", answer(403, &[], "CANARY"), Err(77)),
        ("bad", answer(400, &[], "CANARY"), Err(66)),
        ("busy", answer(429, &[], ""), Err(69)),
        ("broken", answer(503, &[], "CANARY"), Err(69)),
        ("no answer", lost(), Err(69)),
        ("odd", answer(204, &[], ""), Err(76)),
    ] {
        let (store, fake) = store(vec![script]);
        let found = listed(&store).map_err(|error| {
            let text = error.to_string();
            assert!(
                text.contains(SHOWN) && !text.contains("CANARY"),
                "{name}: {text}"
            );
            error.kind().exit_code()
        });
        let found = found.as_ref().map(|inputs| {
            let input = inputs.get(0).unwrap();
            assert_eq!(input.uri(), SHOWN, "{name}");
            (input.entry.bytes, &*input.entry.etag, input.has_ranges())
        });
        assert_eq!(found, want.as_ref().copied().map_err(|code| code), "{name}");
        let noted = fake.noted()[0].clone();
        assert_eq!(noted.line(), format!("GET {URI}"), "{name}");
        assert_eq!(noted.header("range"), Some("bytes=0-0"), "{name}");
        assert_eq!(noted.header("authorization"), Some("CANARY"), "{name}");
    }
}

#[test]
fn f014_f129_a_redirect_is_refused_and_named() {
    for (status, location, want) in [
        (
            302,
            "https://other/x?sig=CANARY",
            "https://other/x?sig=«redacted»",
        ),
        (301, "/x", "a redirect to /x"),
        (308, "https://me:CANARY@other/", "https://«redacted»@other/"),
    ] {
        let (store, fake) = store(vec![answer(status, &[("location", location)], "")]);
        let error = listed(&store).unwrap_err();
        let text = error.to_string();
        assert_eq!(error.kind(), Kind::Input, "{text}");
        assert!(text.contains(want) && !text.contains("CANARY"), "{text}");
        assert_eq!((fake.noted().len(), fake.left()), (1, 0), "not followed");
    }
}

#[test]
fn f036_f039_a_range_is_the_one_asked_for_in_the_state_that_was_listed() {
    let entry = |etag: &str| Entry {
        key: URI.into(),
        bytes: 10,
        etag: etag.into(),
        file: None,
    };
    for (name, range, script, want) in [
        (
            "a range",
            2..5,
            part("bytes 2-4/10", "\"e\"", "234"),
            Ok("234"),
        ),
        (
            "whole",
            0..10,
            answer(200, &[("etag", "\"e\"")], "0123456789"),
            Ok("0123456789"),
        ),
        ("f036 changed", 2..5, answer(412, &[], ""), Err(66)),
        (
            "f036 condition ignored",
            2..5,
            part("bytes 2-4/10", "\"f\"", "234"),
            Err(66),
        ),
        (
            "f036 longer",
            2..5,
            part("bytes 2-4/11", "\"e\"", "234"),
            Err(66),
        ),
        ("f037 gone", 2..5, answer(404, &[], ""), Err(66)),
        (
            "f039 range ignored",
            2..5,
            answer(200, &[("etag", "\"e\"")], "0123456789"),
            Err(76),
        ),
        (
            "f039 another",
            2..5,
            part("bytes 2-3/10", "\"e\"", "23"),
            Err(76),
        ),
        (
            "f033 cut off",
            2..5,
            Scripted::Cut(
                206,
                vec![
                    ("content-range", "bytes 2-4/10".to_owned()),
                    ("etag", "\"e\"".to_owned()),
                ],
                b"2".to_vec(),
                3,
            ),
            Err(69),
        ),
    ] {
        let (store, fake) = store(vec![script]);
        let found = store.range(&entry("\"e\""), range.clone(), vec![7; 3], &stop());
        let found = match found {
            Ok(Some(stretch)) => Ok(stretch.bytes),
            Ok(None) => Err(66),
            Err(error) => {
                let text = error.to_string();
                assert!(text.contains(SHOWN) && !text.contains("CANARY"), "{text}");
                Err(error.kind().exit_code())
            }
        };
        assert_eq!(found, want.map(|want| want.as_bytes().to_vec()), "{name}");
        let noted = fake.noted()[0].clone();
        assert_eq!(noted.header("if-match"), Some("\"e\""), "{name}");
        assert_eq!(noted.header("range").is_some(), range != (0..10), "{name}");
    }
}

/// Without ranges: once, from first byte to last, with the length that was listed.
#[test]
fn f036_without_a_strong_etag_the_length_must_stay() {
    for (name, second, want) in [
        ("the same", answer(200, &[], "0123456789"), Ok(())),
        ("another length", answer(200, &[], "012345678"), Err(66)),
        ("gone", answer(404, &[], ""), Err(66)),
        (
            "cut off",
            Scripted::Cut(200, vec![], b"0123".to_vec(), 10),
            Err(69),
        ),
    ] {
        let (store, fake) = store(vec![answer(200, &[], "0123456789"), second]);
        let inputs = listed(&store).unwrap();
        let read = || {
            let opened = inputs.get(0).unwrap().open(&stop())?;
            opened.read_small(SHOWN, 100)
        };
        let found = read()
            .map(|bytes| assert_eq!(bytes, b"0123456789"))
            .map_err(|error| error.kind().exit_code());
        assert_eq!(found, want, "{name}");
        let noted = fake.noted()[1].clone();
        assert!(noted.header("range").is_none() && noted.header("if-match").is_none());
    }
}
