//! Every fault by name, for sweeps: a run × its requests × these. Waits are short, so that a client with its time-outs
//! turned down meets each of them in seconds.

use serde::Serialize;

use crate::script::{Canned, Effect, End, Fault, Length, Pace, Read, Send};

/// A fault and what it asks of the test.
#[derive(Clone, Debug, Serialize)]
pub struct Named {
    /// What happens.
    pub name: &'static str,
    /// Whether a client waits for its own time-out: a sweep may run these on fewer requests.
    pub slow: bool,
    /// Whether it makes sense only for requests that change something.
    pub writes_only: bool,
    /// Whether it makes sense only where the true answer has a body, which is to say for reads and for the XML of
    /// multipart uploads.
    pub body_only: bool,
    /// The fault.
    pub fault: Fault,
}

/// All of them.
pub fn faults() -> Vec<Named> {
    let mut all = errors();
    all.extend(bodies());
    all.extend(ends());
    all.extend(effects());
    all
}

fn named(name: &'static str, fault: Fault) -> Named {
    Named {
        name,
        slow: false,
        writes_only: false,
        body_only: false,
        fault,
    }
}

fn canned(status: u16, body: &str, headers: &[(&str, &str)]) -> Fault {
    let headers = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Fault {
        answer: Some(Canned {
            status,
            headers,
            body: body.into(),
            ..Canned::default()
        }),
        ..Fault::default()
    }
}

/// Complete answers that say no.
fn errors() -> Vec<Named> {
    let mut slow_down = Fault::error(503, "SlowDown");
    if let Some(answer) = &mut slow_down.answer {
        answer.headers.insert("Retry-After".into(), "1".into());
    }
    let mut moved = Fault::error(307, "TemporaryRedirect");
    if let Some(answer) = &mut moved.answer {
        answer
            .headers
            .insert("Location".into(), "http://127.0.0.1:9/elsewhere".into());
    }
    let html = "<html><head><title>502</title></head><body>bad gateway</body></html>";
    vec![
        named("500", Fault::error(500, "InternalError")),
        named(
            "502 with HTML",
            canned(502, html, &[("Content-Type", "text/html")]),
        ),
        named("503", Fault::error(503, "SlowDown")),
        named("503 with Retry-After", slow_down),
        named("429", Fault::error(429, "TooManyRequests")),
        named("403", Fault::error(403, "AccessDenied")),
        named("404", Fault::error(404, "NoSuchKey")),
        named("408", Fault::error(408, "RequestTimeout")),
        named("409", Fault::error(409, "ConditionalRequestConflict")),
        named("412", Fault::error(412, "PreconditionFailed")),
        named("501", Fault::error(501, "NotImplemented")),
        named("307", moved),
        named("200 with an error", Fault::error(200, "InternalError")),
        named("500 without a body", canned(500, "", &[])),
        named(
            "500 with what is no XML",
            canned(500, "}{", &[("Content-Type", "application/xml")]),
        ),
        named(
            "500 with 66,560 bytes",
            canned(500, &"x".repeat(66_560), &[]),
        ),
        named(
            "500 after the effect",
            Fault {
                effect: Some(Effect::Once),
                ..Fault::error(500, "InternalError")
            },
        ),
    ]
}

/// Answers whose body is not what it should be.
fn bodies() -> Vec<Named> {
    let with_body = |name, fault| Named {
        body_only: true,
        ..named(name, fault)
    };
    vec![
        with_body(
            "cut in the body",
            Fault {
                send: Send::Bytes(7),
                end: Some(End::Close),
                ..Fault::default()
            },
        ),
        with_body(
            "reset in the body",
            Fault {
                send: Send::Bytes(7),
                end: Some(End::Reset),
                ..Fault::default()
            },
        ),
        with_body(
            "no length",
            Fault {
                length: Length::Absent,
                ..Fault::default()
            },
        ),
        with_body(
            "body shorter than said",
            Fault {
                length: Length::Off(9),
                end: Some(End::Close),
                ..Fault::default()
            },
        ),
        with_body(
            "body longer than said",
            Fault {
                length: Length::Off(-3),
                ..Fault::default()
            },
        ),
        with_body(
            "one bit turned",
            Fault {
                flip: true,
                ..Fault::default()
            },
        ),
        Named {
            slow: true,
            ..with_body(
                "stall in the body",
                Fault {
                    send: Send::Bytes(7),
                    end: Some(End::Hang),
                    ..Fault::default()
                },
            )
        },
        Named {
            slow: true,
            ..with_body(
                "slow drip",
                Fault {
                    drip: Some(Pace {
                        bytes: 1,
                        every_ms: 200,
                    }),
                    ..Fault::default()
                },
            )
        },
        Named {
            slow: true,
            ..named(
                "stall after the head",
                Fault {
                    send: Send::Head,
                    end: Some(End::Hang),
                    length: Length::Off(1),
                    ..Fault::default()
                },
            )
        },
    ]
}

/// Connections that end.
fn ends() -> Vec<Named> {
    vec![
        named(
            "closed before the body is read",
            Fault {
                read: Read::Nothing,
                end: Some(End::Close),
                ..Fault::default()
            },
        ),
        named(
            "reset before the body is read",
            Fault {
                read: Read::Nothing,
                end: Some(End::Reset),
                ..Fault::default()
            },
        ),
        named(
            "reset in the request's body",
            Fault {
                read: Read::Bytes(5),
                end: Some(End::Reset),
                ..Fault::default()
            },
        ),
        named(
            "closed in the head",
            Fault {
                send: Send::HalfHead,
                end: Some(End::Close),
                ..Fault::default()
            },
        ),
        named(
            "closed at the next request",
            Fault {
                end: Some(End::CloseAtNext),
                ..Fault::default()
            },
        ),
        named(
            "closed idle at once",
            Fault {
                end: Some(End::CloseAfterMs(0)),
                ..Fault::default()
            },
        ),
        named(
            "answer a second late",
            Fault {
                head_delay_ms: 1000,
                ..Fault::default()
            },
        ),
        named(
            "lost before the effect",
            Fault::lost(Effect::None, End::Close),
        ),
        named(
            "reset before the effect",
            Fault::lost(Effect::None, End::Reset),
        ),
        Named {
            slow: true,
            ..named(
                "silence before the effect",
                Fault::lost(Effect::None, End::Hang),
            )
        },
    ]
}

/// Requests whose effect and answer come apart.
fn effects() -> Vec<Named> {
    let write = |name, fault| Named {
        writes_only: true,
        ..named(name, fault)
    };
    vec![
        write(
            "lost after the effect",
            Fault::lost(Effect::Once, End::Close),
        ),
        write(
            "reset after the effect",
            Fault::lost(Effect::Once, End::Reset),
        ),
        Named {
            slow: true,
            ..write(
                "silence after the effect",
                Fault::lost(Effect::Once, End::Hang),
            )
        },
        write(
            "delivered twice",
            Fault {
                effect: Some(Effect::Twice),
                ..Fault::default()
            },
        ),
        write(
            "delivered twice, first answer",
            Fault {
                effect: Some(Effect::TwiceFirst),
                ..Fault::default()
            },
        ),
        write(
            "delivered twice, lost",
            Fault::lost(Effect::Twice, End::Close),
        ),
        write(
            "effect 300 ms after a lost answer",
            Fault::lost(Effect::LaterMs(300), End::Close),
        ),
        write(
            "effect 300 ms after a 500",
            Fault {
                effect: Some(Effect::LaterMs(300)),
                ..Fault::error(500, "InternalError")
            },
        ),
        write(
            "store that ignores If-None-Match",
            Fault {
                ignore: vec!["if-none-match".into()],
                ..Fault::default()
            },
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Rule;

    #[test]
    fn all_can_be_carried_out_and_written_as_json() {
        for named in faults() {
            let rule = Rule {
                name: named.name.into(),
                fault: named.fault,
                ..Rule::default()
            };
            assert_eq!(rule.check(), Ok(()), "{}", named.name);
            let text = serde_json::to_string(&rule).expect("it is JSON");
            assert_eq!(
                serde_json::from_str::<Rule>(&text).expect("it reads back"),
                rule,
                "{}",
                named.name
            );
        }
    }
}
