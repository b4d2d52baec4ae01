//! Every request of a run × every fault of the catalogue × S3_ATTEMPTS 1 and 3, once and from then on: whatever happens
//! to one request, a run never claims what is not so, and never takes longer than its deadline and its drain.
//!
//! Plain `cargo test` sweeps all but the slow faults, which it samples; `WINDROW_SWEEP=full` takes every one.
#![allow(
    clippy::disallowed_methods,
    reason = "the sweep is told its size by the environment, and waits for late effects"
)]

mod worker;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use testbed::catalogue::{Named, faults};
use testbed::journal::Entry;
use testbed::operation::Operation;
use testbed::script::{Effect, Rule, When};
use testbed::server::Server;
use worker::{Run, named, note};

/// One run of the sweep.
struct Case {
    /// The request of a run without faults that is hit.
    request: Entry,
    /// Its number.
    number: u64,
    named: Named,
    attempts: &'static str,
    /// Only that request, or all that are like it, from it on.
    always: bool,
}

impl Case {
    fn name(&self) -> String {
        let extent = if self.always { "always" } else { "once" };
        format!(
            "request {} {} × {} × S3_ATTEMPTS {} × {extent}",
            self.number,
            named(&self.request),
            self.named.name,
            self.attempts
        )
    }

    fn rule(&self) -> Rule {
        let when = match self.always {
            false => When {
                request: Some(self.number),
                ..When::default()
            },
            true => When {
                operation: Some(self.request.operation),
                bucket: Some(self.request.bucket.clone()),
                key: Some(self.request.key.clone()),
                from: u64::from(self.request.attempt),
                ..When::default()
            },
        };
        Rule {
            name: "the fault".into(),
            when,
            fault: self.named.fault.clone(),
        }
    }
}

/// A kind of run, and which of its requests are swept.
struct Shape {
    name: &'static str,
    run: fn(&Server) -> Run,
    rollup: Vec<u8>,
    swept: fn(&Entry) -> bool,
}

fn fits(named: &Named, entry: &Entry) -> bool {
    use Operation::{
        CompleteMultipartUpload, CreateMultipartUpload, GetObject, ListObjectsV2, TaskCredentials,
        TaskMetadata,
    };
    let has_body = matches!(
        entry.operation,
        CompleteMultipartUpload
            | CreateMultipartUpload
            | GetObject
            | ListObjectsV2
            | TaskCredentials
            | TaskMetadata
    );
    (entry.operation.changes() || !named.writes_only) && (has_body || !named.body_only)
}

/// All cases of a shape. `full`: the slow ones too, not just every fortieth.
fn cases(shape: &Shape, full: bool) -> Vec<Case> {
    let server = worker::start();
    let ended = (shape.run)(&server).end();
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    let requests = server.journal().entries();
    let mut cases = Vec::new();
    let mut slow = 0;
    for (place, request) in requests.iter().enumerate() {
        if !(shape.swept)(request) {
            continue;
        }
        for fault in faults().iter().filter(|fault| fits(fault, request)) {
            for attempts in ["1", "3"] {
                for always in [false, true] {
                    if fault.slow {
                        slow += 1;
                    }
                    if fault.slow && !full && slow % 23 != 0 {
                        continue;
                    }
                    cases.push(Case {
                        request: request.clone(),
                        number: u64::try_from(place).unwrap() + 1,
                        named: fault.clone(),
                        attempts,
                        always,
                    });
                }
            }
        }
    }
    cases
}

/// Runs one case; its exit code and what is wrong.
fn run(case: &Case, shape: &Shape, server: &Server) -> (i32, Vec<String>) {
    worker::furnish(server);
    server.script(vec![case.rule()]).unwrap();
    let run = (shape.run)(server).with("S3_ATTEMPTS", case.attempts);
    let ended = match case.named.slow {
        true => run.within(4, 2),
        false => run,
    }
    .end();
    if let Some(Effect::LaterMs(later)) = case.named.fault.effect {
        thread::sleep(Duration::from_millis(later + 50));
    }
    let mut wrong = ended.audit(server, "o/run/", &shape.rollup);
    if server.shared().script.fired("the fault") == 0 {
        wrong.push("the fault did not happen".to_owned());
    }
    wrong.extend(uploads_left(case, server));
    if !wrong.is_empty() {
        wrong.push(format!(
            "code {} after {:?}: {}",
            ended.code,
            ended.took,
            ended.why()
        ));
    }
    (ended.code, wrong)
}

/// Uploads that are open, though the run could abort them or say that it could not.
fn uploads_left(case: &Case, server: &Server) -> Vec<String> {
    use Operation::{AbortMultipartUpload, CreateMultipartUpload};
    let object = server.store().object("out", "o/run/failure.json");
    let failure = object
        .and_then(|object| serde_json::from_slice::<Value>(&object.body).ok())
        .unwrap_or_default();
    let told = failure["open_uploads"].to_string();
    let mut wrong = Vec::new();
    for (id, _, key, _) in server.store().uploads() {
        let operation = case.request.operation;
        // Where the answer to Create never came, nobody knows the id.
        let excused = operation == CreateMultipartUpload
            || operation == AbortMultipartUpload && told.contains(&id);
        if !excused {
            wrong.push(format!(
                "the upload of {key} is open; failure.json says {told}"
            ));
        }
    }
    wrong
}

fn sweep(shape: &Shape, threads: usize) {
    if worker::worker().is_none() {
        return;
    }
    let full = std::env::var("WINDROW_SWEEP").is_ok_and(|text| text == "full");
    let only = std::env::var("WINDROW_SWEEP_ONLY").unwrap_or_default();
    let began = Instant::now();
    let mut cases = cases(shape, full);
    cases.retain(|case| case.name().contains(&only));
    // Those that wait go first, so that the others fill the time.
    cases.sort_by_key(|case| !case.named.slow);
    let next = AtomicUsize::new(0);
    let codes: Mutex<BTreeMap<i32, usize>> = Mutex::default();
    let wrong: Mutex<Vec<String>> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let server = worker::start();
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (code, found) = run(case, shape, &server);
                    *codes.lock().unwrap().entry(code).or_default() += 1;
                    if !found.is_empty() {
                        let text = format!("{}: {}", case.name(), found.join("; "));
                        wrong.lock().unwrap().push(text);
                    }
                }
            });
        }
    });
    let (codes, wrong) = (codes.into_inner().unwrap(), wrong.into_inner().unwrap());
    note(&format!(
        "sweep of {}: {} cases in {:.0?}, by exit code {codes:?}, {} wrong",
        shape.name,
        cases.len(),
        began.elapsed(),
        wrong.len()
    ));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_request_of_a_small_run() {
    sweep(
        &Shape {
            name: "a small run",
            run: Run::small,
            rollup: worker::ROLLUP.into(),
            swept: |_| true,
        },
        8,
    );
}

#[test]
fn every_request_of_a_multipart_artifact() {
    sweep(
        &Shape {
            name: "a multipart artifact",
            run: Run::large,
            rollup: Run::large_rollup(),
            swept: |entry| entry.key.ends_with("rollup.csv"),
        },
        8,
    );
}

#[test]
fn every_request_to_the_agent_of_a_task() {
    sweep(
        &Shape {
            name: "a task's credentials and metadata",
            run: |server| Run::small(server).in_a_task(server),
            rollup: worker::ROLLUP.into(),
            swept: |entry| entry.bucket == "~ecs",
        },
        8,
    );
}

/// Two faults in one run, drawn anew from the same seed: what settles the one meets the other.
#[test]
fn pairs_of_faults() {
    if worker::worker().is_none() {
        return;
    }
    let number = std::env::var("WINDROW_SWEEP_PAIRS").ok();
    let number = number.and_then(|text| text.parse().ok()).unwrap_or(300);
    let server = worker::start();
    Run::small(&server).end().works(&server);
    let keys: Vec<Entry> = server.journal().entries();
    let faults: Vec<Named> = faults().into_iter().filter(|fault| !fault.slow).collect();
    let mut dice = 0x9e37_79b9_7f4a_7c15_u64;
    // xorshift64*, Vigna 2016.
    let mut draw = |end: usize| {
        dice ^= dice >> 12;
        dice ^= dice << 25;
        dice ^= dice >> 27;
        let number = usize::try_from(dice.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap();
        number % end
    };
    let mut cases = Vec::new();
    for _ in 0..number {
        let mut rules = Vec::new();
        // Two that follow each other, however many requests the first one costs.
        let first = draw(keys.len() + 2);
        let second = first + 1 + draw(4);
        for place in [first, second] {
            let fault = &faults[draw(faults.len())];
            rules.push(Rule {
                name: format!("request {} × {}", place + 1, fault.name),
                when: When {
                    request: Some(u64::try_from(place).unwrap() + 1),
                    ..When::default()
                },
                fault: fault.fault.clone(),
            });
        }
        cases.push((rules, ["1", "2", "3"][draw(3)]));
    }
    let next = AtomicUsize::new(0);
    let found: Mutex<(BTreeMap<i32, usize>, Vec<String>)> = Mutex::default();
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let server = worker::start();
                while let Some((rules, attempts)) = cases.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    worker::furnish(&server);
                    server.script(rules.clone()).unwrap();
                    let ended = Run::small(&server).with("S3_ATTEMPTS", attempts).end();
                    thread::sleep(Duration::from_millis(350));
                    let wrong = ended.audit(&server, "o/run/", worker::ROLLUP.as_bytes());
                    let mut found = found.lock().unwrap();
                    *found.0.entry(ended.code).or_default() += 1;
                    if !wrong.is_empty() {
                        let names: Vec<&str> =
                            rules.iter().map(|rule| rule.name.as_str()).collect();
                        found.1.push(format!(
                            "{names:?} × {attempts}: {wrong:?}: code {}: {}",
                            ended.code,
                            ended.why()
                        ));
                    }
                }
            });
        }
    });
    let (codes, wrong) = found.into_inner().unwrap();
    note(&format!(
        "sweep of pairs: {number} cases in {:.0?}, by exit code {codes:?}, {} wrong",
        began.elapsed(),
        wrong.len()
    ));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The abort itself: a part that fails for good, and then every fault of the abort.
#[test]
fn every_fault_of_an_abort() {
    if worker::worker().is_none() {
        return;
    }
    let mut wrong = Vec::new();
    let server = worker::start();
    for fault in faults() {
        if fault.slow || fault.body_only {
            continue;
        }
        worker::furnish(&server);
        let part = r#"{"when": {"operation": "UploadPart"}, "do": {"answer": {"status": 403, "code": "AccessDenied"}}}"#;
        let part = serde_json::from_str(part).unwrap();
        let abort = Rule {
            name: "the fault".into(),
            when: When {
                operation: Some(Operation::AbortMultipartUpload),
                ..When::default()
            },
            fault: fault.fault.clone(),
        };
        server.script(vec![part, abort]).unwrap();
        let ended = Run::large(&server).end();
        if let Some(Effect::LaterMs(later)) = fault.fault.effect {
            thread::sleep(Duration::from_millis(later + 50));
        }
        let mut found = ended.audit(&server, "o/run/", b"");
        let failure = server.store().object("out", "o/run/failure.json");
        let told = failure.map(|object| String::from_utf8_lossy(&object.body).into_owned());
        let told = told.unwrap_or_default();
        if ended.code != 77 {
            found.push(format!("code {}: {}", ended.code, ended.why()));
        }
        if server.shared().script.fired("the fault") == 0 {
            found.push("no abort".to_owned());
        }
        // Who says that the upload is gone is believed.
        let is_believed = matches!(fault.name, "404" | "200 with an error");
        for (id, ..) in server.store().uploads() {
            if !told.contains(&id) && !is_believed {
                found.push(format!("an upload that failure.json does not name: {told}"));
            }
        }
        if !found.is_empty() {
            wrong.push(format!("{}: {}", fault.name, found.join("; ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
