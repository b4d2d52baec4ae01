//! Credentials, metadata, TCP and TLS, row by row of the catalogue (FAULTS 9 to 25, 34, 35, 108, 112), as the built worker
//! meets them. Waits of the contract's own length (30 s of silence, 60 s of slowness) only with `WINDROW_SWEEP=full`.
#![allow(
    clippy::disallowed_methods,
    reason = "these tests wait for the worker, and are told their size by the environment"
)]

mod worker;

use std::fs;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use testbed::operation::Operation;
use testbed::server::Server;
use testbed::tls::Kind;
use worker::{Run, SECRET, TASK, count, skipped, start};

/// Ends the test where there is no worker.
macro_rules! server {
    () => {{
        if worker::worker().is_none() {
            return;
        }
        start()
    }};
}

#[track_caller]
fn script(server: &Server, rules: Value) {
    server.script_json(&rules.to_string()).unwrap();
}

fn agent(server: &Server, change: impl FnOnce(&mut testbed::server::Settings)) {
    let mut settings = server.shared().settings();
    change(&mut settings);
    server.shared().set(settings);
}

/// A file of this test's own.
fn file(name: &str, content: &[u8]) -> PathBuf {
    let path =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()));
    fs::write(&path, content).unwrap();
    path
}

/// A port at which every connection is counted and closed.
fn counting() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    thread::spawn(move || {
        for stream in listener.incoming() {
            count.fetch_add(1, Ordering::SeqCst);
            drop(stream);
        }
    });
    (url, seen)
}

#[test]
fn f009_no_credentials_names_the_places_in_order() {
    let server = server!();
    let run = Run::small(&server).without_keys();
    let ended = run.end();
    ended.refused(
        &server,
        77,
        &["AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, or AWS_CONTAINER_CREDENTIALS_FULL_URI"],
    );
    let profile = run.aws("AWS_PROFILE", "p").end();
    profile.refused(&server, 77, &["AWS_PROFILE is set", "not supported"]);
    assert!(server.journal().entries().is_empty());
}

#[test]
fn f010_what_the_endpoint_of_credentials_may_answer() {
    let server = server!();
    let run = Run::small(&server).in_a_task(&server);
    run.end().works(&server);
    let answer = |status: u16, body: &str| json!({"answer": {"status": status, "body": body}});
    for (name, fault, facts) in [
        ("404", answer(404, ""), "status 404"),
        ("500", answer(500, "sorry"), "status 500"),
        (
            "65 KiB",
            answer(200, &" ".repeat(66_560)),
            "more than 65536",
        ),
        (
            "broken",
            answer(200, "{\"AccessKeyId\": \"canary"),
            "no JSON object",
        ),
        ("empty", answer(200, ""), "no JSON object"),
        (
            "no time",
            answer(
                200,
                r#"{"AccessKeyId":"a","SecretAccessKey":"canary","Token":"t","Expiration":"soon"}"#,
            ),
            "Expiration",
        ),
        (
            "cut",
            json!({"send": {"bytes": 9}, "end": "close"}),
            "in the middle",
        ),
        (
            "silence",
            json!({"effect": "none", "send": "nothing", "end": "hang"}),
            "silence",
        ),
        (
            "dripping",
            json!({"drip": {"bytes": 1, "every_ms": 300}}),
            "whole",
        ),
    ] {
        worker::furnish(&server);
        script(
            &server,
            json!([{"when": {"operation": "TaskCredentials"}, "do": fault}]),
        );
        let ended = run.end();
        assert!(ended.why().contains(facts), "{name}: {}", ended.why());
        ended.refused(&server, 77, &["~ecs/credentials"]);
        assert!(
            ended.took < Duration::from_secs(13),
            "{name}: {:?}",
            ended.took
        );
    }
    server.script(Vec::new()).unwrap();
    for field in ["AccessKeyId", "SecretAccessKey", "Token", "Expiration"] {
        agent(&server, |settings| {
            settings.task.without = vec![field.into()]
        });
        run.end().refused(
            &server,
            77,
            &["AccessKeyId, SecretAccessKey, Token and Expiration"],
        );
    }
    agent(&server, |settings| {
        settings.task.without = Vec::new();
        settings.task.expires_seconds = -5;
    });
    run.end().refused(&server, 77, &["expired"]);
}

/// A run of some twelve seconds, whose session lasts `expires_seconds`.
fn long_run(server: &Server, expires_seconds: i64) -> Run {
    agent(server, |settings| {
        settings.task.expires_seconds = expires_seconds
    });
    Run::small(server).in_a_task(server)
}

fn slow_get() -> Value {
    json!({"when": {"bucket": "source", "operation": "GetObject"}, "do": {"delay_ms": 12_000}})
}

#[test]
fn f011_credentials_that_expire_during_a_run() {
    let server = server!();
    // Renewed within the run, and the new ones are used.
    script(&server, json!([slow_get()]));
    long_run(&server, 40).end().works(&server);
    assert_eq!(count(&server, Operation::TaskCredentials, ""), 2);
    // A refresh that fails before the end is none of the run's business.
    let fails = json!({"when": {"operation": "TaskCredentials", "from": 2}, "do": {"answer": {"status": 500, "body": ""}}});
    worker::furnish(&server);
    script(&server, json!([slow_get(), fails]));
    long_run(&server, 40).end().works(&server);
    assert!(count(&server, Operation::TaskCredentials, "") >= 2);
    // After the end it is.
    worker::furnish(&server);
    script(&server, json!([slow_get(), fails]));
    let ended = long_run(&server, 11).end();
    ended.fails(&server, 77, &["~ecs/credentials", "status 500"]);
}

#[test]
fn f012_token_files() {
    let server = server!();
    agent(&server, |settings| {
        settings.task.token = Some("Bearer.canary".into())
    });
    let run = |path: &PathBuf| {
        let run = Run::small(&server).in_a_task(&server);
        run.aws(
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
            path.to_str().unwrap(),
        )
    };
    let good = file("token", b"Bearer.canary");
    run(&good).end().works(&server);
    for (name, path) in [
        ("missing", PathBuf::from("/nowhere/token")),
        ("empty", file("empty", b"")),
        ("LF", file("lf", b"Bearer.canary\n")),
        ("CR LF inside", file("crlf", b"Bearer\r\nX: canary")),
        ("not UTF-8", file("bytes", b"Bearer.\xff")),
    ] {
        worker::furnish(&server);
        let ended = run(&path).end();
        ended.refused(&server, 77, &[path.to_str().unwrap()]);
        assert_eq!(count(&server, Operation::TaskCredentials, ""), 0, "{name}");
    }
    worker::furnish(&server);
    let wrong = file("wrong", b"Bearer.canary-other");
    run(&wrong).end().refused(&server, 77, &["status 401"]);
    // It is read anew at each refresh.
    worker::furnish(&server);
    agent(&server, |settings| settings.task.expires_seconds = 40);
    script(&server, json!([slow_get()]));
    let running = run(&good).start();
    while count(&server, Operation::TaskCredentials, "") == 0 {
        thread::sleep(Duration::from_millis(5));
    }
    thread::sleep(Duration::from_millis(300));
    agent(&server, |settings| {
        settings.task.token = Some("second.canary".into())
    });
    fs::write(&good, "second.canary").unwrap();
    running.end().works(&server);
    let asked = server.journal().of(Operation::TaskCredentials);
    assert!(
        asked.len() == 2 && asked[1].status == Some(200),
        "{asked:?}"
    );
    let given = Run::small(&server)
        .in_a_task(&server)
        .named("given")
        .aws("AWS_CONTAINER_AUTHORIZATION_TOKEN", "second.canary");
    assert_eq!(given.end().code, 0);
}

#[test]
fn f013_plain_http_to_others_is_refused() {
    let server = server!();
    for url in [
        "http://any.example/x",
        "http://169.254.169.254/x",
        "http://127.0.0.1.example/",
    ] {
        let run = Run::small(&server).without_keys();
        let ended = run.aws("AWS_CONTAINER_CREDENTIALS_FULL_URI", url).end();
        ended.refused(
            &server,
            78,
            &["AWS_CONTAINER_CREDENTIALS_FULL_URI", "169.254.170.2"],
        );
    }
    assert!(server.journal().entries().is_empty());
}

#[test]
fn f014_a_redirect_of_the_credentials_is_not_followed() {
    let server = server!();
    let (elsewhere, seen) = counting();
    agent(&server, |settings| {
        settings.task.token = Some("canary".into())
    });
    for status in [301, 302, 303, 307, 308] {
        script(
            &server,
            json!([{"when": {"operation": "TaskCredentials"},
            "do": {"answer": {"status": status, "headers": {"Location": elsewhere}, "body": ""}}}]),
        );
        let run = Run::small(&server).in_a_task(&server);
        let ended = run.aws("AWS_CONTAINER_AUTHORIZATION_TOKEN", "canary").end();
        ended.refused(&server, 77, &[&format!("status {status}"), "not followed"]);
    }
    assert_eq!(seen.load(Ordering::SeqCst), 0);
}

#[test]
fn f015_proxies_are_named_and_not_used() {
    let server = server!();
    let (proxy, seen) = counting();
    let names = [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ];
    let mut run = Run::small(&server).in_a_task(&server);
    for name in names {
        run = run.aws(name, &proxy);
    }
    let ended = run.end();
    ended.works(&server);
    assert_eq!(seen.load(Ordering::SeqCst), 0, "a proxy was used");
    for name in names {
        let is_named = |event: &&Value| event["event"] == "warning" && event["variable"] == name;
        assert_eq!(ended.events.iter().filter(is_named).count(), 1, "{name}");
    }
}

#[test]
fn f016_a_session_token_is_sent_signed_and_shown_nowhere() {
    let server = server!();
    let run = Run::small(&server)
        .aws("AWS_ACCESS_KEY_ID", TASK[0])
        .aws("AWS_SECRET_ACCESS_KEY", TASK[1])
        .aws("AWS_SESSION_TOKEN", TASK[2]);
    run.end().works(&server);
    for entry in server.journal().entries() {
        assert_eq!(
            entry.header("x-amz-security-token"),
            Some(TASK[2]),
            "{}",
            worker::named(&entry)
        );
    }
    worker::furnish(&server);
    let without = run.clone().without("AWS_SESSION_TOKEN").end();
    assert_eq!(without.code, 77, "{}", without.why());
    without.sound(&server);
    // An answer that quotes what was sent to it.
    worker::furnish(&server);
    let quoting = format!("token {} secret {SECRET}", TASK[2]);
    script(
        &server,
        json!([{"when": {"bucket": "source", "operation": "GetObject"}, "do": {"answer": {"status": 400, "code": "InvalidToken", "message": "odd", "details": {"Token-0": quoting}}}}]),
    );
    let ended = run.end();
    ended.fails(&server, 77, &["InvalidToken"]);
}

#[test]
fn f017_f018_connections_that_are_refused() {
    let server = server!();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    Run::at(&closed)
        .end()
        .refused(&server, 69, &["onnection refused"]);
    Run::at("https://no-such-host.invalid")
        .end()
        .says(69, &["no-such-host.invalid"]);
}

/// A listener that takes no more connections drops the packets of the next one, as a firewall would.
#[test]
fn f018_packets_that_are_dropped() {
    let server = server!();
    let full = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = full.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(one) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        waiting.push(one);
        assert!(waiting.len() < 10_000, "a listener without an end");
    }
    let ended = Run::at(&format!("http://{address}")).within(40, 5).end();
    // Whichever of the two gives up first, the connect or the wait for it.
    ended.refused(&server, 69, &["expected", "look at the network"]);
    let (least, most) = (Duration::from_secs(9), Duration::from_secs(30));
    assert!(least < ended.took && ended.took < most, "{:?}", ended.took);
}

/// Whether a run can be put inside these words.
fn can(words: &[&str]) -> bool {
    let status = Command::new(words[0])
        .args(&words[1..])
        .arg("true")
        .status();
    status.is_ok_and(|status| status.success())
}

/// A name server of this test's own, where a mount namespace has the worker look for one: silent, without an address to
/// give, and slow.
#[test]
fn f017_names_that_resolve_late_to_nothing_or_never() {
    const SILENT: usize = 0;
    const NOTHING: usize = 1;
    const LATE: usize = 2;
    let server = server!();
    let Ok(socket) = UdpSocket::bind("127.17.17.17:53") else {
        return skipped("f017", "no name server may listen at port 53 here");
    };
    let resolver = file(
        "resolver",
        b"nameserver 127.17.17.17\noptions timeout:30 attempts:1\n",
    );
    let script = format!(
        "mount --bind {} /etc/resolv.conf && exec \"$@\"",
        resolver.display()
    );
    let words = ["unshare", "--mount", "sh", "-c", &script, "sh"];
    if !can(&words) {
        return skipped("f017", "no mount namespace can be made here");
    }
    let way = Arc::new(AtomicUsize::new(SILENT));
    let (asked, told) = (Arc::clone(&way), Arc::new(AtomicUsize::new(0)));
    let questions = Arc::clone(&told);
    thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut query) {
            questions.fetch_add(1, Ordering::SeqCst);
            // RFC 1035, 4.1: the header, and one question of labels, type and class.
            let mut end = 12;
            while query[end] > 0 {
                end += 1 + usize::from(query[end]);
            }
            end += 5;
            assert!(end <= length);
            let is_ipv4 = query[end - 3] == 1;
            let mut answer = query[..end].to_vec();
            answer[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0]);
            match asked.load(Ordering::SeqCst) {
                SILENT => continue,
                LATE => {
                    thread::sleep(Duration::from_millis(1500));
                    if is_ipv4 {
                        answer[7] = 1;
                        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1]);
                    }
                }
                _ => {}
            }
            socket.send_to(&answer, from).unwrap();
        }
    });
    let run = Run::at("https://bucket.example:9")
        .inside(&words)
        .within(40, 5);
    let late = ["resolving the name", "in time"];
    for (answers, run, code, facts, seconds) in [
        (SILENT, run.clone(), 69, &late[..], 9..13),
        (SILENT, run.clone().within(1, 1), 75, &["deadline"], 0..3),
        (
            NOTHING,
            run.clone(),
            69,
            &["an address of bucket.example"],
            0..3,
        ),
        // It is waited for: the next thing is a connection to what it says.
        (LATE, run, 69, &["Connection refused", "127.0.0.1:9"], 1..8),
    ] {
        way.store(answers, Ordering::SeqCst);
        told.store(0, Ordering::SeqCst);
        let ended = run.end();
        ended.refused(&server, code, facts);
        let took = ended.took.as_secs();
        assert!(seconds.contains(&took), "{answers}: {took} s");
        assert!(told.load(Ordering::SeqCst) > 0, "{answers}: nobody asked");
    }
}

/// A network without a route, in a namespace of its own.
#[test]
fn f018_a_network_that_is_unreachable() {
    let server = server!();
    let words = ["unshare", "--net"];
    if !can(&words) {
        return skipped("f018", "no network namespace can be made here");
    }
    let ended = Run::at("https://192.0.2.1").inside(&words).end();
    ended.refused(&server, 69, &["unreachable", "192.0.2.1:443"]);
    assert!(ended.took < Duration::from_secs(3), "{:?}", ended.took);
}

/// A name of two addresses, at the first of which nobody listens: in a mount namespace with a hosts file of its own.
#[test]
fn f019_the_first_address_is_dead() {
    let server = server!();
    let hosts = file("hosts", b"127.0.0.2 localhost\n127.0.0.1 localhost\n");
    let script = format!("mount --bind {} /etc/hosts && exec \"$@\"", hosts.display());
    let words = ["unshare", "--mount", "sh", "-c", &script, "sh"];
    if !can(&words) {
        return skipped("f019", "no mount namespace can be made here");
    }
    // Where the resolver gives one address of several, this shows nothing.
    let asked = Command::new(words[0])
        .args(&words[1..])
        .args(["getent", "ahosts", "localhost"])
        .output()
        .unwrap();
    let asked = String::from_utf8(asked.stdout).unwrap();
    if !(asked.contains("127.0.0.2") && asked.contains("127.0.0.1")) {
        return skipped("f019", "the resolver gives one address of localhost");
    }
    let port = server.address().port();
    assert!(
        TcpStream::connect(("127.0.0.2", port)).is_err(),
        "a dead address"
    );
    Run::at(&format!("http://localhost:{port}"))
        .inside(&words)
        .end()
        .works(&server);
}

/// Credentials and metadata where ECS has them, at 169.254.170.2 of a network namespace; renewed during the run.
#[test]
fn f010_f011_f012_at_the_address_of_ecs() {
    let server = server!();
    let place = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/ecs-creds");
    let can = Command::new(place)
        .args(["--", "true"])
        .env("AWS_ACCESS_KEY_ID", TASK[0])
        .env("AWS_SECRET_ACCESS_KEY", TASK[1])
        .status();
    if !can.is_ok_and(|status| status.success()) {
        return skipped(
            "f010",
            "no network namespace can be made here (scripts/ecs-creds)",
        );
    }
    let token = file("agent-token", b"the agent's own token");
    let log = token.with_extension("log");
    let log = log.to_str().unwrap();
    let _ = fs::remove_file(log);
    let inside = |options: &[&str]| {
        let mut words = vec![place];
        words.extend(options);
        words.push("--");
        worker::furnish(&server);
        // What the agent of the namespace hands out.
        Run::small(&server)
            .inside(&words)
            .aws("AWS_ACCESS_KEY_ID", TASK[0])
            .aws("AWS_SECRET_ACCESS_KEY", TASK[1])
            .aws("AWS_SESSION_TOKEN", TASK[2])
    };
    // Renewed before they end; the task's document is in the manifest.
    let run = inside(&["--expires", "40", "--log", log]);
    script(&server, json!([slow_get()]));
    let ended = run.end();
    ended.works(&server);
    let requests = fs::read_to_string(log).unwrap();
    let asked = requests
        .lines()
        .filter(|line| line.contains("/credentials"));
    assert!(asked.count() >= 2, "{requests}");
    let manifest = server.store().object("out", "o/run/manifest.json").unwrap();
    let manifest: Value = serde_json::from_slice(&manifest.body).unwrap();
    assert_eq!(manifest["task"]["family"], "windrow", "{manifest}");
    let ended = inside(&["--auth-file", "Basic-token-in-a-file"]).end();
    ended.works(&server);
    for (answers, said) in [
        ("404", "status 404"),
        ("half", "closed in the middle"),
        ("500", "status 500"),
    ] {
        let ended = inside(&["--fail", answers]).end();
        ended.refused(&server, 77, &["169.254.170.2", said]);
    }
}

fn over_tls(server: &Server, kind: Kind, bundle: &str) -> Run {
    let address = server.listen(kind).unwrap();
    Run::at(&format!("https://{address}")).aws("AWS_CA_BUNDLE", bundle)
}

#[test]
fn f020_f023_tls_failures_name_their_cause() {
    let server = server!();
    let pem = file("ca.pem", server.shared().authority.pem().as_bytes());
    let other = file(
        "other.pem",
        server.shared().authority.other_pem().as_bytes(),
    );
    let (pem, other) = (pem.to_str().unwrap(), other.to_str().unwrap());
    over_tls(&server, Kind::Trusted, pem).end().works(&server);
    for (kind, bundle, code, fact) in [
        (Kind::Trusted, other, 77, "unknown certificate authority"),
        (
            Kind::OtherAuthority,
            pem,
            77,
            "unknown certificate authority",
        ),
        (Kind::WrongHost, pem, 77, "name"),
        (Kind::Expired, pem, 77, "expired"),
        (Kind::SelfSigned, pem, 77, ""),
        (Kind::Tls11, pem, 69, "TLS 1.2"),
        (Kind::Closes, pem, 69, ""),
        (Kind::Resets, pem, 69, ""),
        (Kind::PlainToTls, pem, 76, "plain HTTP"),
    ] {
        worker::furnish(&server);
        let ended = over_tls(&server, kind, bundle)
            .with("S3_ATTEMPTS", "2")
            .end();
        ended.refused(&server, code, &[]);
        assert!(ended.why().contains(fact), "{kind:?}: {}", ended.why());
    }
    // The compiled-in roots know nothing of this authority.
    let roots = over_tls(&server, Kind::Trusted, pem).without("AWS_CA_BUNDLE");
    roots.end().refused(&server, 77, &["AWS_CA_BUNDLE"]);
    for (name, bundle) in [
        ("missing", "/nowhere/ca.pem".to_owned()),
        ("empty", file("none.pem", b"").display().to_string()),
        ("no PEM", file("text.pem", b"hello").display().to_string()),
        (
            "broken",
            file(
                "broken.pem",
                b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            )
            .display()
            .to_string(),
        ),
    ] {
        server.journal().clear();
        let ended = Run::small(&server).aws("AWS_CA_BUNDLE", &bundle).end();
        ended.refused(&server, 78, &["file://"]);
        assert!(server.journal().entries().is_empty(), "{name}");
    }
    // TLS where plain HTTP was said.
    let address = server.listen(Kind::Trusted).unwrap();
    let ended = Run::at(&format!("http://{address}")).end();
    ended.refused(&server, 76, &[]);
}

#[test]
fn f021_a_handshake_that_stalls() {
    let server = server!();
    let pem = file("stall.pem", server.shared().authority.pem().as_bytes());
    let stalled = over_tls(&server, Kind::Silent, pem.to_str().unwrap());
    let ended = stalled.end();
    ended.refused(&server, 69, &["in time"]);
    assert!((9..13).contains(&ended.took.as_secs()), "{:?}", ended.took);
    // The deadline cuts it short.
    let ended = stalled.within(1, 1).end();
    ended.refused(&server, 75, &[]);
    assert!(ended.took < Duration::from_secs(3), "{:?}", ended.took);
}

#[test]
fn f024_a_connection_that_closes_as_the_next_request_goes_out() {
    let server = server!();
    for (fault, name) in [
        (json!("close_at_next"), "at the next"),
        (json!({"close_after_ms": 0}), "idle"),
    ] {
        for operation in ["GetObject", "HeadObject", "ListObjectsV2", "PutObject"] {
            worker::furnish(&server);
            script(
                &server,
                json!([{"name": "closes", "when": {"operation": operation}, "do": {"end": fault}}]),
            );
            let ended = Run::small(&server).end();
            ended.works(&server);
            if operation != "HeadObject" {
                assert!(
                    server.shared().script.fired("closes") > 0,
                    "{operation} {name}"
                );
            }
        }
    }
}

#[test]
fn f034_f035_bodies_that_stall() {
    let server = server!();
    let get = json!({"bucket": "source", "operation": "GetObject"});
    let stall = json!([{"when": get, "do": {"send": "head", "end": "hang"}}]);
    script(&server, stall.clone());
    let cut_short = Run::small(&server).within(2, 2).end();
    cut_short.fails(&server, 75, &["deadline"]);
    if std::env::var("WINDROW_SWEEP").is_ok_and(|text| text == "full") {
        worker::furnish(&server);
        script(&server, stall);
        let ended = Run::small(&server).within(100, 5).end();
        ended.fails(&server, 69, &["30s"]);
        worker::furnish(&server);
        script(
            &server,
            json!([{"when": get, "do": {"drip": {"bytes": 1, "every_ms": 2500}}}]),
        );
        let ended = Run::small(&server).within(200, 5).end();
        ended.fails(&server, 69, &["bytes in 60s"]);
    } else {
        skipped(
            "f034, f035",
            "30 and 60 seconds of waiting: WINDROW_SWEEP=full",
        );
    }
}

#[test]
fn f108_deadline_while_the_agent_of_the_task_is_silent() {
    let server = server!();
    for operation in ["TaskCredentials", "TaskMetadata"] {
        worker::furnish(&server);
        script(
            &server,
            json!([{"when": {"operation": operation}, "do": {"effect": "none", "send": "nothing", "end": "hang"}}]),
        );
        let ended = Run::small(&server).in_a_task(&server).within(1, 1).end();
        ended.refused(&server, 75, &[]);
        assert!(
            ended.took < Duration::from_secs(3),
            "{operation}: {:?}",
            ended.took
        );
    }
}

#[test]
fn f112_metadata_of_the_task() {
    let server = server!();
    let run = Run::small(&server).in_a_task(&server);
    let document = |name: &str| {
        let object = server
            .store()
            .object("out", &format!("o/run/{name}"))
            .unwrap();
        serde_json::from_slice::<Value>(&object.body).unwrap()
    };
    let ended = run.end();
    ended.works(&server);
    let task = &document("manifest.json")["task"];
    let arn = task["arn"].as_str().unwrap();
    assert!(arn.starts_with("arn:aws:ecs:us-east-1:"), "{task}");
    assert_eq!(
        (&task["family"], &task["revision"]),
        (&json!("windrow"), &json!("7"))
    );
    assert_eq!((&task["cpu"], &task["memory"]), (&json!(0.25), &json!(512)));
    assert!(
        task["image_digest"]
            .as_str()
            .unwrap()
            .starts_with("sha256:")
    );
    assert!(document("started.json").to_string().contains(arn));
    assert_eq!(ended.summary()["task_arn"], arn);

    worker::furnish(&server);
    let outside = run.clone().without("ECS_CONTAINER_METADATA_URI_V4").end();
    outside.works(&server);
    assert_eq!(document("manifest.json")["task"], Value::Null);

    for (name, fault) in [
        ("404", json!({"answer": {"status": 404, "body": ""}})),
        ("broken", json!({"answer": {"status": 200, "body": "{"}})),
        (
            "empty object",
            json!({"answer": {"status": 200, "body": "{}"}}),
        ),
        (
            "65 KiB",
            json!({"answer": {"status": 200, "body": " ".repeat(66_560)}}),
        ),
        ("cut", json!({"send": {"bytes": 5}, "end": "close"})),
        (
            "silence",
            json!({"effect": "none", "send": "nothing", "end": "hang"}),
        ),
    ] {
        worker::furnish(&server);
        script(
            &server,
            json!([{"when": {"operation": "TaskMetadata"}, "do": fault}]),
        );
        let ended = run.end();
        ended.works(&server);
        assert_eq!(document("manifest.json")["task"], Value::Null, "{name}");
        let warns =
            |event: &&Value| event["event"] == "warning" && event.to_string().contains("metadata");
        assert_eq!(
            ended.events.iter().filter(warns).count(),
            1,
            "{name}: {}",
            ended.out
        );
    }
}
