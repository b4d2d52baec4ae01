//! The S3 client and the store over it against a Ceph RADOS Gateway, which checks every signature (FAULTS 20, 27, 28, 41,
//! 43 to 46, 118). Runs where the environment says where one is (`eval "$(radosgw up)"`), and says so where not.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test that cannot go on says where; it is told of the server by the environment"
)]

use std::env::var;
use std::sync::Arc;
use std::time::Duration;

use windrow::budget::Budget;
use windrow::clock::{Clock, SystemClock};
use windrow::config::aws::{CredentialSource, Keys};
use windrow::config::redact::Secret;
use windrow::error::Kind;
use windrow::http::Client as HttpClient;
use windrow::http::tls::Trust;
use windrow::random::{Nonce, SystemRandomness};
use windrow::s3::{Access, Client, Credentials, Endpoint, Settings, Side, World};
use windrow::source::{self, Span};
use windrow::stop::Stop;
use windrow::store::inputs::Inputs;
use windrow::store::object::ObjectStore;
use windrow::store::{Answer, CreateOnly, Pattern, Readable as _, Store};

/// Where the server is, and who may ask.
struct Server {
    http: String,
    https: String,
    bucket: String,
    ca: String,
    other_ca: String,
    keys: [String; 2],
    denied: [String; 2],
}

impl Server {
    fn find() -> Option<Self> {
        let Ok(bucket) = var("TESTBED_BUCKET") else {
            println!("not tested: no RADOS Gateway here (TESTBED_BUCKET)");
            return None;
        };
        let pair = |names: [&str; 2]| names.map(|name| var(name).unwrap());
        Some(Self {
            http: var("AWS_ENDPOINT_URL_S3").unwrap(),
            https: var("TESTBED_S3_HTTPS").unwrap(),
            bucket,
            ca: var("AWS_CA_BUNDLE").unwrap(),
            other_ca: var("TESTBED_OTHER_CA").unwrap(),
            keys: pair(["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]),
            denied: pair([
                "TESTBED_DENIED_ACCESS_KEY_ID",
                "TESTBED_DENIED_SECRET_ACCESS_KEY",
            ]),
        })
    }

    fn store(
        &self,
        endpoint: &str,
        ca: &str,
        bucket: &str,
        keys: &[String; 2],
        prefix: &str,
    ) -> ObjectStore {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let trust = Trust::bundle(&std::fs::read(ca).unwrap(), ca).unwrap();
        let transport = Arc::new(HttpClient::new(clock.clone(), trust));
        let source = CredentialSource::Environment(Keys {
            id: Secret::new(&keys[0]),
            secret: Secret::new(&keys[1]),
            token: None,
        });
        let credentials = Credentials::new(source, transport.clone(), clock.clone());
        let world = World {
            transport,
            clock,
            random: Arc::new(SystemRandomness::default()),
            counters: Arc::default(),
        };
        let settings = Settings {
            endpoint: Endpoint::Custom {
                base: endpoint.to_owned(),
            },
            region: "us-east-1".to_owned(),
            access: Access::Signed(Arc::new(credentials)),
            encryption: None,
            attempts: 1,
            side: Side::Output,
        };
        ObjectStore::new(Client::new(world, bucket.to_owned(), settings), prefix)
    }

    /// A store below a prefix of its own.
    fn fresh(&self) -> ObjectStore {
        let prefix = format!("test-{}", nonce().as_str());
        self.store(&self.http, &self.ca, &self.bucket, &self.keys, &prefix)
    }
}

fn stop() -> Stop {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    Stop::new(clock, Duration::from_secs(60), Duration::from_secs(10))
}

fn nonce() -> Nonce {
    Nonce::draw(&SystemRandomness::default()).unwrap()
}

#[test]
fn f041_odd_keys_come_back_as_they_went() {
    let Some(server) = Server::find() else { return };
    let (store, stop) = (server.fresh(), stop());
    let longest = "é".repeat(400);
    let keys = [
        "plain",
        "a b",
        "a+b",
        "100%",
        "a%20b",
        "~",
        "a//b",
        "/a",
        "x/../y",
        "./..",
        "line\nend",
        "ä€😀",
        "&<>\"'",
        "a?b#c=d",
        "*!()@:,;$",
        "tab\there",
        &longest,
    ];
    let nonce = nonce();
    for key in keys {
        let answer = store.put(key, key.as_bytes(), &nonce, &stop);
        assert!(
            matches!(answer, Answer::Created { .. }),
            "{key}: {answer:?}"
        );
        let opened = store.open(key, None, &stop).unwrap().unwrap();
        assert_eq!(opened.read_small(key, 10_000).unwrap(), key.as_bytes());
        let head = store.head(key, &stop).unwrap().unwrap();
        assert_eq!(head.nonce.as_deref(), Some(nonce.as_str()), "{key}");
    }
    let listed = store.list(&Pattern::below(""), &stop).unwrap();
    let mut listed: Vec<String> = listed.into_iter().map(|entry| entry.key.into()).collect();
    let mut want = keys.map(str::to_owned).to_vec();
    want.sort();
    listed.sort();
    assert_eq!(listed, want);
}

#[test]
fn f043_what_is_there_is_not_overwritten() {
    let Some(server) = Server::find() else { return };
    let (store, stop) = (server.fresh(), stop());
    assert_eq!(store.create_only(), CreateOnly::Unproven);
    assert!(store.head("k", &stop).unwrap().is_none());
    assert!(matches!(
        store.put("k", b"one", &nonce(), &stop),
        Answer::Created { .. }
    ));
    assert!(matches!(
        store.put("k", b"two", &nonce(), &stop),
        Answer::Exists
    ));
    let opened = store.open("k", None, &stop).unwrap().unwrap();
    let etag = opened.etag.clone();
    assert_eq!(opened.read_small("k", 10).unwrap(), b"one");
    assert!(store.open("k", Some(&etag), &stop).unwrap().is_some());
    // f036
    let changed = store.open("k", Some("\"d41d8cd98f00b204e9800998ecf8427e\""), &stop);
    assert_eq!(changed.unwrap_err().kind(), Kind::Input);
    assert!(store.open("absent", None, &stop).unwrap().is_none());
}

#[test]
fn f046_objects_in_parts() {
    let Some(server) = Server::find() else { return };
    let (store, stop) = (server.fresh(), stop());
    let nonce = nonce();
    let (first, second) = (vec![b'a'; 8 << 20], vec![b'b'; 1_000]);
    let upload = store.begin("big", &nonce, &stop).unwrap();
    let parts = [
        store.part(&upload, 1, &first, &stop).unwrap(),
        store.part(&upload, 2, &second, &stop).unwrap(),
    ];
    assert!(store.head("big", &stop).unwrap().is_none());
    let answer = store.complete(&upload, &parts, &stop);
    assert!(matches!(answer, Answer::Created { .. }), "{answer:?}");
    let head = store.head("big", &stop).unwrap().unwrap();
    assert_eq!(head.bytes, (8 << 20) + 1_000);
    assert_eq!(head.nonce.as_deref(), Some(nonce.as_str()));
    let opened = store.open("big", None, &stop).unwrap().unwrap();
    let read = opened.read_small("big", 16 << 20).unwrap();
    assert!(read == [&first[..], &second].concat());
    let small = store.put("empty", b"", &nonce, &stop);
    assert!(matches!(small, Answer::Created { .. }), "{small:?}");
    // The same in ranges, several at a time.
    let named = vec![(Arc::new(store.clone()) as _, Pattern::below(""))];
    let budget = Arc::new(Budget::new(1 << 20));
    let inputs = Inputs::list(named, &budget, &stop).unwrap();
    let mut ahead = Vec::new();
    let outcome = source::with(&inputs, Span::whole(2), 3, &stop, |source| {
        for number in 0..inputs.len() {
            source.open(number)?.reader.read_to_end(&mut ahead).unwrap();
        }
        Ok(())
    });
    assert!(outcome.is_ok() && inputs.len() == 2 && ahead == read);
    let upload = store.begin("dropped", &nonce, &stop).unwrap();
    store.part(&upload, 1, b"x", &stop).unwrap();
    store.abort(&upload, &stop).unwrap();
    store.abort(&upload, &stop).unwrap();
    let answer = store.complete(&upload, &[], &stop);
    assert!(!matches!(answer, Answer::Created { .. }), "{answer:?}");
    assert!(store.head("dropped", &stop).unwrap().is_none());
}

#[test]
fn f027_f028_f118_refusals() {
    let Some(server) = Server::find() else { return };
    let stop = stop();
    let wrong = [server.keys[0].clone(), "wrong".to_owned()];
    let unknown = ["NOBODY".to_owned(), "wrong".to_owned()];
    for (name, bucket, keys, kind, text) in [
        (
            "secret",
            server.bucket.as_str(),
            &wrong,
            Kind::Denied,
            // This server says no more of wrong keys; S3 says SignatureDoesNotMatch and InvalidAccessKeyId.
            "AccessDenied",
        ),
        (
            "key",
            &server.bucket,
            &unknown,
            Kind::Denied,
            "AccessDenied",
        ),
        (
            "denied",
            &server.bucket,
            &server.denied,
            Kind::Denied,
            "AccessDenied",
        ),
        (
            "bucket",
            "no-such-bucket",
            &server.keys,
            Kind::Config,
            "NoSuchBucket",
        ),
    ] {
        let store = server.store(&server.http, &server.ca, bucket, keys, "p");
        let Answer::Refused(error) = store.put("k", b"", &nonce(), &stop) else {
            unreachable!("{name}");
        };
        assert_eq!(error.kind(), kind, "{name}: {error}");
        assert!(error.to_string().contains(text), "{name}: {error}");
        assert!(error.to_string().contains("request id"), "{name}: {error}");
        let listed = store.list(&Pattern::below("x"), &stop).unwrap_err();
        assert_eq!(listed.kind(), kind, "{name}: {listed}");
    }
}

#[test]
fn f020_tls_with_the_right_authority_and_another() {
    let Some(server) = Server::find() else { return };
    let stop = stop();
    let store = server.store(
        &server.https,
        &server.ca,
        &server.bucket,
        &server.keys,
        "tls",
    );
    assert!(store.head("absent", &stop).unwrap().is_none());
    let store = server.store(
        &server.https,
        &server.other_ca,
        &server.bucket,
        &server.keys,
        "tls",
    );
    let error = store.head("absent", &stop).unwrap_err();
    assert_eq!(error.kind(), Kind::Denied, "{error}");
}

#[test]
fn f040_a_listing_of_two_pages() {
    let Some(server) = Server::find() else { return };
    let (store, stop) = (server.fresh(), stop());
    let keys: Vec<String> = (0..1_001).map(|number| format!("p/{number:04}")).collect();
    std::thread::scope(|scope| {
        for share in keys.chunks(256) {
            let (store, stop) = (&store, &stop);
            scope.spawn(move || {
                for key in share {
                    let answer = store.put(key, b"", &nonce(), stop);
                    assert!(matches!(answer, Answer::Created { .. }), "{answer:?}");
                }
            });
        }
    });
    let listed = store.list(&Pattern::below("p"), &stop).unwrap();
    assert!(
        listed
            .iter()
            .map(|entry| &*entry.key)
            .eq(keys.iter().map(String::as_str))
    );
}
