//! The script of faults: which requests it catches, and what becomes of them. A rule is data, in Rust and in JSON
//! alike; connection.rs carries it out.

use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::operation::{Operation, Target};

/// One line of the script.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    /// Shown in the journal beside each request that it caught; absent: its place in the script.
    pub name: String,
    /// Which requests.
    pub when: When,
    /// What becomes of them.
    #[serde(rename = "do")]
    pub fault: Fault,
}

/// Which requests a rule catches: those that fit everything that is said here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct When {
    /// The number of the request since the script was set, from 1.
    pub request: Option<u64>,
    /// `PUT` and the like.
    pub method: Option<String>,
    /// The operation.
    pub operation: Option<Operation>,
    /// The bucket's name.
    pub bucket: Option<String>,
    /// The key; `*` stands for any text, slashes included.
    pub key: Option<String>,
    /// The query as sent, likewise with `*`.
    pub query: Option<String>,
    /// The first that is caught, of those that fit; from 1.
    pub from: u64,
    /// How many are caught; absent: all from there on.
    pub times: Option<u64>,
}

impl Default for When {
    fn default() -> When {
        When {
            request: None,
            method: None,
            operation: None,
            bucket: None,
            key: None,
            query: None,
            from: 1,
            times: None,
        }
    }
}

/// What becomes of a request, in the order in which it happens. Everything absent is as without the rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fault {
    /// Waits before the body of the request is read.
    pub delay_ms: u64,
    /// How much of the request's body is read; where not all of it, `end` follows at once.
    pub read: Read,
    /// Headers of the request that the server does not see once the signature is proven, such as `range`.
    pub ignore: Vec<String>,
    /// What is done. Absent: once; where `answer` is given: nothing.
    pub effect: Option<Effect>,
    /// Goes out in place of the true answer.
    pub answer: Option<Canned>,
    /// Waits before the answer's head, when everything is done.
    pub head_delay_ms: u64,
    /// Waits between the answer's head and its body.
    pub body_delay_ms: u64,
    /// White space before the answer, after a head that says 200; the work is done when it has gone out.
    pub spaces: Option<Pace>,
    /// Headers of the answer set to another text, or removed by null.
    pub headers: std::collections::BTreeMap<String, Option<String>>,
    /// Elements removed from the answer's XML with all that they hold.
    pub strike: Vec<String>,
    /// Whether one bit in the middle of the answer's body is turned over.
    pub flip: bool,
    /// How the answer says its length.
    pub length: Length,
    /// The answer's body goes out in small pieces.
    pub drip: Option<Pace>,
    /// How much of the answer goes out; where not all of it, `end` follows.
    pub send: Send,
    /// What becomes of the connection. Absent: kept, or closed where something was not read or sent.
    pub end: Option<End>,
}

/// How much of a request's body is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Read {
    /// All.
    #[default]
    All,
    /// Nothing.
    Nothing,
    /// So many bytes.
    Bytes(u64),
}

/// What is done with a request that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// As asked.
    Once,
    /// Nothing at all, the signature unlooked at.
    None,
    /// As if it had been delivered twice; the client sees the second answer.
    Twice,
    /// The same, and the client sees the first answer.
    TwiceFirst,
    /// As asked, but so many milliseconds later, when the answer is long gone.
    LaterMs(u64),
}

/// An answer written beforehand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Canned {
    /// The status code.
    pub status: u16,
    /// Makes the body an error document with this code.
    pub code: Option<String>,
    /// Its message; absent: a sentence that says that it was scripted.
    pub message: Option<String>,
    /// Elements beside them, such as Region.
    pub details: std::collections::BTreeMap<String, String>,
    /// Headers such as Retry-After and Location.
    pub headers: std::collections::BTreeMap<String, String>,
    /// The body where `code` is absent.
    pub body: String,
}

/// Bytes at a pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pace {
    /// How many at a time; for `spaces`: how many in all, one at a time.
    pub bytes: usize,
    /// How long between two.
    pub every_ms: u64,
}

/// How an answer says its length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Length {
    /// Content-Length, true.
    #[default]
    True,
    /// Neither Content-Length nor chunks: the end of the connection ends it.
    Absent,
    /// In chunks.
    Chunked,
    /// Content-Length, wrong by so many bytes.
    Off(i64),
}

/// How much of an answer goes out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Send {
    /// All.
    #[default]
    All,
    /// Nothing: the answer is lost.
    Nothing,
    /// The head without its last empty line.
    HalfHead,
    /// The head, and no byte of the body.
    Head,
    /// The head, and so many bytes of the body.
    Bytes(usize),
}

/// What becomes of the connection when the answer (or what there is of it) has gone out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// It serves the next request.
    Keep,
    /// FIN, unannounced.
    Close,
    /// RST.
    Reset,
    /// Nothing more comes, until the client leaves.
    Hang,
    /// It is kept, and closed when the first byte of the next request arrives.
    CloseAtNext,
    /// It is kept idle for so many milliseconds, then closed.
    CloseAfterMs(u64),
}

impl Rule {
    /// Says what is wrong with a rule that could not be carried out.
    pub fn check(&self) -> Result<(), String> {
        let fault = &self.fault;
        let unanswered =
            fault.answer.is_none() && fault.send != Send::Nothing && fault.read == Read::All;
        match fault.effect {
            Some(Effect::None | Effect::LaterMs(_)) if unanswered => Err(format!(
                "rule {:?}: without an effect there is no true answer; say answer, or send: nothing",
                self.name
            )),
            _ if fault
                .answer
                .as_ref()
                .is_some_and(|canned| !(100..=999).contains(&canned.status)) =>
            {
                Err(format!(
                    "rule {:?}: answer.status is not a status code",
                    self.name
                ))
            }
            _ if self.when.from == 0 => Err(format!("rule {:?}: from counts from 1", self.name)),
            _ => Ok(()),
        }
    }
}

impl Fault {
    /// An error of S3 in place of the work.
    pub fn error(status: u16, code: &str) -> Fault {
        Fault {
            answer: Some(Canned {
                status,
                code: Some(code.into()),
                ..Canned::default()
            }),
            ..Fault::default()
        }
    }

    /// The work is done or not, and its answer never comes: the connection ends as said.
    pub fn lost(effect: Effect, end: End) -> Fault {
        Fault {
            effect: Some(effect),
            send: Send::Nothing,
            end: Some(end),
            ..Fault::default()
        }
    }

    /// How the connection ends.
    pub fn ending(&self) -> End {
        let whole = self.read == Read::All
            && self.send == Send::All
            && self.length != Length::Absent
            && !matches!(self.length, Length::Off(more) if more > 0);
        self.end
            .unwrap_or(if whole { End::Keep } else { End::Close })
    }
}

/// A rule and what it has seen.
#[derive(Clone, Debug, Serialize)]
pub struct Watched {
    /// The rule.
    #[serde(flatten)]
    pub rule: Rule,
    /// Requests that fitted it.
    pub seen: u64,
    /// Requests that it caught.
    pub fired: u64,
}

#[derive(Debug, Default)]
struct Inner {
    requests: u64,
    rules: Vec<Watched>,
}

/// The script of a server.
#[derive(Debug, Default)]
pub struct Script(Mutex<Inner>);

impl Script {
    /// Other rules; counting starts anew.
    pub fn set(&self, rules: Vec<Rule>) {
        let watched = |(place, mut rule): (usize, Rule)| {
            if rule.name.is_empty() {
                rule.name = format!("rule {}", place + 1);
            }
            Watched {
                rule,
                seen: 0,
                fired: 0,
            }
        };
        let rules = rules.into_iter().enumerate().map(watched).collect();
        *self.0.lock().expect("nobody panics with the script") = Inner { requests: 0, rules };
    }

    /// The rules and what they have seen.
    pub fn rules(&self) -> Vec<Watched> {
        self.0
            .lock()
            .expect("nobody panics with the script")
            .rules
            .clone()
    }

    /// How many requests the rule of that name caught.
    pub fn fired(&self, name: &str) -> u64 {
        let rules = self.rules();
        rules
            .iter()
            .filter(|watched| watched.rule.name == name)
            .map(|watched| watched.fired)
            .sum()
    }

    /// The rule that catches this request: the first that does. Every rule that fits counts it.
    pub fn catch(&self, method: &str, query: &str, target: &Target) -> Option<Rule> {
        let mut inner = self.0.lock().expect("nobody panics with the script");
        inner.requests += 1;
        let number = inner.requests;
        let mut caught = None;
        for watched in &mut inner.rules {
            let when = &watched.rule.when;
            if !when.fits(number, method, query, target) {
                continue;
            }
            watched.seen += 1;
            let end = when
                .times
                .map_or(u64::MAX, |times| when.from.saturating_add(times));
            if caught.is_none() && (when.from..end).contains(&watched.seen) {
                watched.fired += 1;
                caught = Some(watched.rule.clone());
            }
        }
        caught
    }
}

impl When {
    fn fits(&self, number: u64, method: &str, query: &str, target: &Target) -> bool {
        self.request.is_none_or(|wanted| wanted == number)
            && self.method.as_deref().is_none_or(|wanted| wanted == method)
            && self
                .operation
                .is_none_or(|wanted| wanted == target.operation)
            && self
                .bucket
                .as_deref()
                .is_none_or(|wanted| wanted == target.bucket)
            && self
                .key
                .as_deref()
                .is_none_or(|pattern| glob(pattern, &target.key))
            && self
                .query
                .as_deref()
                .is_none_or(|pattern| glob(pattern, query))
    }
}

/// Whether `text` fits `pattern`, in which `*` stands for any text.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((start, mut pattern)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut rest) = text.strip_prefix(start) else {
        return false;
    };
    while let Some((middle, tail)) = pattern.split_once('*') {
        let Some(at) = rest.find(middle) else {
            return false;
        };
        rest = &rest[at + middle.len()..];
        pattern = tail;
    }
    rest.ends_with(pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(operation: Operation, key: &str) -> Target {
        Target {
            operation,
            bucket: "b".into(),
            key: key.into(),
            query: Vec::new(),
            path: String::new(),
        }
    }

    #[test]
    fn globs() {
        for (pattern, text, want) in [
            ("a", "a", true),
            ("*", "", true),
            ("*/manifest.json", "p/r/manifest.json", true),
            ("*/manifest.json", "manifest.json", false),
            ("p/*/x*", "p/a/b/xyz", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(glob(pattern, text), want, "{pattern} {text}");
        }
    }

    #[test]
    fn the_first_that_fits_and_counts() {
        let script = Script::default();
        let rules = r#"[
            {"name": "second put", "when": {"operation": "PutObject", "key": "*.json", "from": 2, "times": 1},
             "do": {"answer": {"status": 503, "code": "SlowDown", "headers": {"Retry-After": "1"}}}},
            {"name": "fourth", "when": {"request": 4}, "do": {"effect": "once", "send": "nothing", "end": "reset"}}
        ]"#;
        script.set(serde_json::from_str(rules).expect("the rules are well formed"));
        let caught: Vec<Option<String>> = [
            target(Operation::PutObject, "a.json"),
            target(Operation::PutObject, "a.csv"),
            target(Operation::PutObject, "b.json"),
            target(Operation::GetObject, "b.json"),
            target(Operation::PutObject, "c.json"),
        ]
        .iter()
        .map(|target| script.catch("PUT", "", target).map(|rule| rule.name))
        .collect();
        assert_eq!(
            caught,
            [
                None,
                None,
                Some("second put".into()),
                Some("fourth".into()),
                None
            ]
        );
        assert_eq!((script.fired("second put"), script.rules()[0].seen), (1, 3));
    }

    #[test]
    fn rules_that_cannot_be() {
        for (name, text) in [
            ("no answer", r#"{"do": {"effect": "none"}}"#),
            ("later", r#"{"do": {"effect": {"later_ms": 5}}}"#),
            ("status", r#"{"do": {"answer": {"code": "SlowDown"}}}"#),
            ("from", r#"{"when": {"from": 0}}"#),
        ] {
            let rule: Rule = serde_json::from_str(text).expect("it is well formed");
            assert!(rule.check().is_err(), "{name}");
        }
        assert!(
            serde_json::from_str::<Rule>(r#"{"do": {"efect": "none"}}"#).is_err(),
            "a name unknown"
        );
    }
}
