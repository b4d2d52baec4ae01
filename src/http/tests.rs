//! The client against real sockets: a server that does what a case says, one connection after the other.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use super::dial::Names;
use super::tls::Trust;
use super::*;
use crate::clock::{Clock, SystemClock};
use crate::stop::Cause;

const MS: fn(u64) -> Duration = Duration::from_millis;

/// Time-outs that a test can wait for.
const SHORT: Limits = Limits {
    resolve: Duration::from_millis(800),
    connect: Duration::from_millis(800),
    silence: Duration::from_millis(300),
    pace: Some((1_000, Duration::from_millis(400))),
    whole: None,
};

fn client() -> Client {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    Client::new(clock, Trust::compiled_in().unwrap())
}

fn stop() -> Stop {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    Stop::new(clock, Duration::from_secs(60), Duration::from_secs(10))
}

fn get(url: &str) -> Request<'_> {
    Request {
        method: Method::Get,
        url,
        headers: &[],
        body: &[],
        limits: SHORT,
        until: Until::Stopped,
        repeat: Repeat::Silently,
    }
}

/// A server on loopback; each connection is given to `serve`, with its number from 1.
struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    _thread: JoinHandle<()>,
}

impl Server {
    fn start(serve: impl Fn(usize, TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        let serve = Arc::new(serve);
        let thread = Builder::new().spawn(move || {
            for stream in listener.incoming() {
                let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
                let serve = serve.clone();
                let _ = Builder::new().spawn(move || serve(number, stream.unwrap()));
            }
        });
        Self {
            address,
            connections,
            _thread: thread.unwrap(),
        }
    }

    fn url(&self) -> String {
        format!("http://{}/a%20b?c=d", self.address)
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Reads one request; None at the end of the connection.
fn read_request(stream: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
        head += &line;
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((head, body))
}

/// Answers each request of a connection with the next of `answers`, then closes.
fn answering(answers: &'static [&'static str]) -> Server {
    Server::start(move |_, stream| {
        let mut stream = BufReader::new(stream);
        for answer in answers {
            if read_request(&mut stream).is_none() {
                return;
            }
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    })
}

/// Nothing happens for longer than any limit of a test.
fn stall() {
    let (_sender, receiver): (_, Receiver<()>) = sync_channel(1);
    let _ = receiver.recv_timeout(Duration::from_secs(5));
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nETag: \"x\"\r\n\r\nhi";

#[test]
fn an_answer_comes_with_status_headers_and_body() {
    let server = answering(&[OK, "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"]);
    let (client, url) = (client(), server.url());
    let mut response = client.send(&get(&url), &stop()).unwrap();
    assert_eq!((response.status, response.length), (200, Length::Exact(2)));
    assert_eq!(response.header("etag"), Some("\"x\""));
    assert_eq!(response.read_small(10).unwrap(), b"hi");
    assert_eq!(client.send(&get(&url), &stop()).unwrap().status, 404);
    assert_eq!(server.connections(), 1, "the connection is kept");
}

#[test]
fn a_request_is_sent_as_it_is() {
    let (sender, receiver) = sync_channel(1);
    let server = Server::start(move |_, stream| {
        let mut stream = BufReader::new(stream);
        sender.send(read_request(&mut stream).unwrap()).unwrap();
        stream.get_mut().write_all(OK.as_bytes()).unwrap();
    });
    let url = format!(
        "http://{}/a//%2E./b%20c%2B?list-type=2&prefix=%25",
        server.address
    );
    let body = vec![7; 300_000];
    let headers = [
        Header::new("x-amz-date", "now"),
        Header::new("authorization", "secret"),
    ];
    let request = Request {
        method: Method::Put,
        headers: &headers,
        body: &body,
        ..get(&url)
    };
    client().send(&request, &stop()).unwrap();
    let (head, sent) = receiver.recv().unwrap();
    let mut lines = head.lines();
    assert_eq!(
        lines.next(),
        Some("PUT /a//%2E./b%20c%2B?list-type=2&prefix=%25 HTTP/1.1")
    );
    let mut rest: Vec<_> = lines.map(str::to_lowercase).collect();
    rest.sort();
    let host = format!("host: {}", server.address);
    assert_eq!(
        rest,
        [
            "authorization: secret",
            "content-length: 300000",
            &host,
            "user-agent: windrow/0.1.0",
            "x-amz-date: now"
        ]
    );
    assert_eq!(sent, body);
    assert!(!format!("{request:?}").contains("secret"));
}

#[test]
fn f033_lengths() {
    for (name, answer, want) in [
        ("exact", OK, Ok("hi")),
        (
            "chunked",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            Ok("hi"),
        ),
        (
            "shorter",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi",
            Err(Kind::Unavailable),
        ),
        (
            "longer",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nhi",
            Ok("h"),
        ),
        ("none", "HTTP/1.1 200 OK\r\n\r\nhi", Err(Kind::Protocol)),
        (
            "not a number",
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nhi",
            Err(Kind::Protocol),
        ),
        (
            "chunks cut",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
            Err(Kind::Unavailable),
        ),
        (
            "head cut",
            "HTTP/1.1 200 OK\r\nConte",
            Err(Kind::Unavailable),
        ),
        (
            "no HTTP",
            "SSH-2.0-OpenSSH_9.2\r\n\r\n",
            Err(Kind::Protocol),
        ),
        ("empty", "", Err(Kind::Unavailable)),
    ] {
        let server = Server::start(move |_, stream| {
            let mut stream = BufReader::new(stream);
            read_request(&mut stream).unwrap();
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
        });
        let url = server.url();
        let found = client()
            .send(&get(&url), &stop())
            .and_then(|mut response| response.read_small(100));
        let found = found
            .map(|body| String::from_utf8(body).unwrap())
            .map_err(|failure| (failure.facts().kind, failure.facts().reach));
        let want = want.map(str::to_owned).map_err(|kind| (kind, Reach::Sent));
        assert_eq!(found, want, "{name}");
    }
}

#[test]
fn f024_a_kept_connection_that_dies_is_replaced_unseen_only_where_that_is_harmless() {
    let serve = |number: usize, stream: TcpStream| {
        let mut stream = BufReader::new(stream);
        read_request(&mut stream).unwrap();
        stream.get_mut().write_all(OK.as_bytes()).unwrap();
        let next = read_request(&mut stream);
        if number > 1 && next.is_some() {
            stream.get_mut().write_all(OK.as_bytes()).unwrap();
        }
        // The first connection closes when the second request has come.
    };
    for (repeat, want, connections) in [
        (Repeat::Silently, Ok(200), 2),
        (Repeat::Never, Err(Reach::Sent), 1),
    ] {
        let server = Server::start(serve);
        let (client, url) = (client(), server.url());
        let first = client.send(&get(&url), &stop()).unwrap().read_small(10);
        assert_eq!(first.unwrap(), b"hi");
        let request = Request {
            repeat,
            ..get(&url)
        };
        let second = client
            .send(&request, &stop())
            .map(|response| response.status);
        assert_eq!(second.map_err(|failure| failure.facts().reach), want);
        assert_eq!(server.connections(), connections);
    }
}

#[test]
fn f024_a_connection_closed_while_idle_is_not_used() {
    let server = answering(&[OK]);
    let (client, url) = (client(), server.url());
    for _ in 0..3 {
        let request = Request {
            repeat: Repeat::Never,
            ..get(&url)
        };
        let mut response = client.send(&request, &stop()).unwrap();
        assert_eq!(response.read_small(10).unwrap(), b"hi");
        // The close is on its way.
        let _ = sync_channel::<()>(1).1.recv_timeout(MS(20));
    }
    assert_eq!(server.connections(), 3);
}

#[test]
fn bodies_that_are_open_have_connections_of_their_own() {
    let server = answering(&[OK, OK, OK]);
    let (client, url) = (client(), server.url());
    let mut one = client.send(&get(&url), &stop()).unwrap();
    let mut two = client.send(&get(&url), &stop()).unwrap();
    assert_eq!(one.read_small(10).unwrap(), b"hi");
    assert_eq!(two.read_small(10).unwrap(), b"hi");
    drop(client.send(&get(&url), &stop()).unwrap());
    assert_eq!(server.connections(), 2);
    client
        .send(&get(&url), &stop())
        .unwrap()
        .read_small(10)
        .unwrap();
    assert_eq!(
        server.connections(),
        2,
        "only the dropped one's connection is lost"
    );
}

#[test]
fn redirects_are_answers() {
    let server = answering(&[
        "HTTP/1.1 307 Go\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 2\r\n\r\ngo",
    ]);
    let url = server.url();
    let mut response = client().send(&get(&url), &stop()).unwrap();
    assert_eq!(
        (response.status, response.header("location")),
        (307, Some("http://127.0.0.1:1/"))
    );
    assert_eq!(response.read_small(10).unwrap(), b"go");
}

/// What a server does, what happens, and what the failure says.
#[test]
fn time_outs_of_the_exchange() {
    let drip = |stream: &mut TcpStream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            .unwrap();
        for _ in 0..50 {
            if stream.write_all(b"x").is_err() {
                return;
            }
            let _ = sync_channel::<()>(1).1.recv_timeout(MS(40));
        }
    };
    type Serve = fn(&mut TcpStream);
    let cases: [(&str, Serve, Limits, &str); 5] = [
        ("f018 no answer", |_| stall(), SHORT, "silence"),
        (
            "f035 stalls after the headers",
            |stream| {
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
                    .unwrap();
                stall();
            },
            SHORT,
            "silence",
        ),
        ("f034 slow drip", drip, SHORT, "bytes in 400ms of waiting"),
        (
            "f120 white space without end",
            drip,
            Limits {
                pace: None,
                whole: Some(Duration::from_millis(500)),
                ..SHORT
            },
            "an answer within 500ms",
        ),
        (
            "f025 reset",
            |stream| {
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
                    .unwrap()
            },
            SHORT,
            "closed in the middle",
        ),
    ];
    for (name, serve, limits, want) in cases {
        let server = Server::start(move |_, stream| {
            let mut stream = BufReader::new(stream);
            read_request(&mut stream);
            serve(stream.get_mut());
        });
        let url = server.url();
        let request = Request {
            limits,
            ..get(&url)
        };
        let clock = SystemClock::start();
        let failure = client()
            .send(&request, &stop())
            .and_then(|mut response| response.read_small(2_000))
            .unwrap_err();
        assert_eq!(failure.facts().kind, Kind::Unavailable, "{name}");
        assert_eq!(failure.facts().reach, Reach::Sent, "{name}");
        assert!(failure.to_string().contains(want), "{name}: {failure}");
        assert!(clock.elapsed() < Duration::from_secs(3), "{name}");
    }
}

#[test]
fn a_slow_reader_is_not_a_slow_server() {
    let server = answering(&["HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd"]);
    let url = server.url();
    let mut response = client().send(&get(&url), &stop()).unwrap();
    let mut byte = [0];
    for _ in 0..4 {
        let _ = sync_channel::<()>(1).1.recv_timeout(MS(200));
        assert_eq!(response.body.read(&mut byte).unwrap(), 1);
    }
    assert_eq!(response.body.read(&mut byte).unwrap(), 0);
}

#[test]
fn an_upload_that_nobody_reads_ends() {
    let server = Server::start(|_, stream| {
        stall();
        drop(stream);
    });
    let (url, body) = (server.url(), vec![0; 32 << 20]);
    let request = Request {
        method: Method::Put,
        body: &body,
        ..get(&url)
    };
    let failure = client().send(&request, &stop()).unwrap_err();
    assert!(failure.to_string().contains("silence"), "{failure}");
    assert_eq!(failure.facts().reach, Reach::Sent);
}

#[test]
fn an_answer_before_the_body_is_read_is_heard() {
    let server = Server::start(|_, stream| {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        stream
            .get_mut()
            .write_all(b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno")
            .unwrap();
        // Half closed: the rest of the body finds no reader, and the answer stays readable.
        stream
            .get_mut()
            .shutdown(std::net::Shutdown::Write)
            .unwrap();
        let _ = io::copy(&mut stream, &mut io::sink());
    });
    let (url, body) = (server.url(), vec![0; 4 << 20]);
    let request = Request {
        method: Method::Put,
        body: &body,
        ..get(&url)
    };
    assert_eq!(client().send(&request, &stop()).unwrap().status, 403);
}

#[test]
fn f108_a_stop_cuts_every_wait() {
    let server = Server::start(|_, stream| {
        let mut stream = BufReader::new(stream);
        read_request(&mut stream);
        stall();
    });
    let long = Limits {
        silence: Duration::from_secs(20),
        pace: None,
        ..SHORT
    };
    let (url, client) = (server.url(), client());
    let clock = SystemClock::start();
    for (until, wanted) in [
        (Until::Stopped, "sigterm"),
        (Until::DrainEnd, "its time to drain is over"),
    ] {
        let stop = Stop::new(
            Arc::new(SystemClock::start()),
            Duration::from_secs(60),
            MS(300),
        );
        let (stopper, request) = (
            stop.clone(),
            Request {
                limits: long,
                until,
                ..get(&url)
            },
        );
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let _ = sync_channel::<()>(1).1.recv_timeout(MS(100));
                stopper.request(Cause::Sigterm);
            });
            let failure = client.send(&request, &stop).unwrap_err();
            assert_eq!(failure.facts().kind, Kind::Interrupted);
            assert!(failure.to_string().contains(wanted), "{failure}");
        });
        // And nothing is sent after it.
        let before = server.connections();
        assert!(client.send(&request, &stop).is_err());
        assert_eq!(server.connections(), before);
    }
    assert!(clock.elapsed() < Duration::from_secs(5));
}

/// Names as a test wants them.
#[derive(Debug)]
struct Given(Vec<SocketAddr>, Duration);

impl Names for Given {
    fn addresses(&self, _host: &str, _port: u16) -> io::Result<Vec<SocketAddr>> {
        let _ = sync_channel::<()>(1).1.recv_timeout(self.1);
        match self.0.is_empty() && self.1.is_zero() {
            true => Err(io::Error::other("failed to look up")),
            false => Ok(self.0.clone()),
        }
    }
}

#[test]
fn f017_f018_f019_names_and_addresses() {
    let server = answering(&[OK]);
    // TEST-NET-1 drops or refuses; a closed port of loopback refuses.
    let dead = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    for (name, addresses, delay, want) in [
        ("alive", vec![server.address], 0, Ok(200)),
        ("first dead", vec![dead, server.address], 0, Ok(200)),
        ("refused", vec![dead], 0, Err("refused")),
        ("no such name", vec![], 0, Err("failed to look up")),
        ("nothing", vec![], 1, Err("found none")),
        (
            "slow resolver",
            vec![server.address],
            2_000,
            Err("resolving the name to be done in time"),
        ),
    ] {
        let client = Client::with_names(
            Arc::new(SystemClock::start()),
            Trust::compiled_in().unwrap(),
            Arc::new(Given(addresses, MS(delay))),
        );
        let found = client.send(&get("http://bucket.example/x"), &stop());
        match (found, want) {
            (Ok(response), want) => assert_eq!(Ok(response.status), want, "{name}"),
            (Err(failure), Err(text)) => {
                assert!(failure.to_string().contains(text), "{name}: {failure}");
                assert_eq!(failure.facts().kind, Kind::Unavailable, "{name}");
                assert_eq!(failure.facts().reach, Reach::NotSent, "{name}");
            }
            (Err(failure), Ok(_)) => panic!("{name}: {failure}"),
        }
    }
}

#[test]
fn f022_plain_answers_on_a_tls_port_and_the_reverse() {
    let server = Server::start(|_, mut stream| {
        let _ = stream.read(&mut [0; 1_000]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    });
    let url = format!("https://{}/", server.address);
    let failure = client().send(&get(&url), &stop()).unwrap_err();
    assert_eq!(
        (failure.facts().kind, failure.facts().reach),
        (Kind::Protocol, Reach::NotSent)
    );
    // A TLS server answers a plain request with an alert record.
    let server = Server::start(|_, mut stream| {
        let _ = stream.read(&mut [0; 1_000]);
        let _ = stream.write_all(b"\x15\x03\x03\x00\x02\x02\x46");
    });
    let url = server.url();
    let failure = client().send(&get(&url), &stop()).unwrap_err();
    assert_eq!(failure.facts().kind, Kind::Protocol, "{failure}");
}

#[test]
fn f021_handshakes_that_stall_or_break() {
    for (name, stalls, want) in [
        ("stalls", true, "connecting and TLS to be done in time"),
        ("closes", false, "closed the connection in the middle"),
    ] {
        let server = Server::start(move |_, mut stream| {
            let _ = stream.read(&mut [0; 1_000]);
            if stalls {
                stall();
            }
        });
        let url = format!("https://{}/", server.address);
        let failure = client().send(&get(&url), &stop()).unwrap_err();
        assert!(failure.to_string().contains(want), "{name}: {failure}");
        assert_eq!(failure.facts().kind, Kind::Unavailable, "{name}");
        assert_eq!(failure.facts().reach, Reach::NotSent, "{name}");
    }
}

/// A TLS server with a certificate of tests/tls.
fn tls_server(certificate: &'static [u8], key: &'static [u8]) -> Server {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let chain = CertificateDer::pem_slice_iter(certificate).map(Result::unwrap);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.collect(), PrivateKeyDer::from_pem_slice(key).unwrap());
    let config = Arc::new(config.unwrap());
    Server::start(move |_, stream| {
        let connection = rustls::ServerConnection::new(config.clone()).unwrap();
        let mut stream = BufReader::new(rustls::StreamOwned::new(connection, stream));
        loop {
            let mut line = String::new();
            while line != "\r\n" {
                line.clear();
                if stream.read_line(&mut line).unwrap_or(0) == 0 {
                    return;
                }
            }
            stream.get_mut().write_all(OK.as_bytes()).unwrap();
        }
    })
}

macro_rules! pem {
    ($name:literal) => {
        include_bytes!(concat!("../../tests/tls/", $name)).as_slice()
    };
}

#[test]
fn f020_certificates() {
    let (ca, other) = (pem!("ca.pem"), pem!("other-ca.pem"));
    let good = (pem!("good.pem"), pem!("good.key"));
    let itself = (pem!("self.pem"), pem!("self.key"));
    for (name, (certificate, key), roots, want) in [
        ("good", good, ca, Ok(())),
        (
            "unknown authority",
            good,
            other,
            Err("unknown certificate authority"),
        ),
        (
            "another host",
            (pem!("elsewhere.pem"), pem!("elsewhere.key")),
            ca,
            Err("another host name"),
        ),
        (
            "expired",
            (pem!("old.pem"), pem!("old.key")),
            ca,
            Err("expired"),
        ),
        ("self-signed", itself, ca, Err("self-signed")),
        (
            "self-signed in the bundle",
            itself,
            itself.0,
            Err("self-signed"),
        ),
    ] {
        let server = tls_server(certificate, key);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let client = Client::new(clock, Trust::bundle(roots, "file:///ca.pem").unwrap());
        let url = format!("https://localhost:{}/", server.address.port());
        // The debug build's handshake is slow on a busy machine.
        let limits = Limits {
            connect: Duration::from_secs(5),
            ..SHORT
        };
        let request = Request {
            limits,
            ..get(&url)
        };
        for _ in 0..2 {
            let found = client
                .send(&request, &stop())
                .and_then(|mut response| response.read_small(10));
            match (found, want) {
                (Ok(body), want) => {
                    assert_eq!((body.as_slice(), Ok(())), (&b"hi"[..], want), "{name}")
                }
                (Err(failure), Err(text)) => {
                    assert_eq!(failure.facts().kind, Kind::Denied, "{name}: {failure}");
                    assert!(failure.to_string().contains(text), "{name}: {failure}");
                    assert_eq!(failure.facts().reach, Reach::NotSent, "{name}");
                }
                (Err(failure), Ok(())) => panic!("{name}: {failure}"),
            }
        }
        if want.is_ok() {
            assert_eq!(server.connections(), 1, "a TLS connection is kept");
        }
    }
}

#[test]
fn f020_bundles() {
    for (name, pem, want) in [
        ("one", pem!("ca.pem"), None),
        ("empty", b"".as_slice(), Some("none")),
        ("no certificate", pem!("good.key"), Some("none")),
        ("cut", b"-----BEGIN CERTIFICATE-----\nMIIB", Some("found")),
        (
            "no DER",
            b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
            Some("found"),
        ),
    ] {
        let found = Trust::bundle(pem, "file:///ca.pem").err();
        assert_eq!(found.is_some(), want.is_some(), "{name}");
        if let (Some(error), Some(text)) = (found, want) {
            assert_eq!(error.kind(), Kind::Config, "{name}");
            assert!(error.to_string().contains(text), "{name}: {error}");
        }
    }
}

#[test]
fn f020_a_bundle_that_is_missing() {
    let error = Trust::load(Some("/nowhere/ca.pem".as_ref())).unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    assert!(
        error.to_string().contains("file:///nowhere/ca.pem"),
        "{error}"
    );
    assert!(Trust::load(None).is_ok());
}

#[test]
fn f023_a_peer_of_tls_1_1_only() {
    // Its alert to a client that offers no less than 1.2: fatal, protocol_version (RFC 5246, 7.2.2).
    let server = Server::start(|_, mut stream| {
        let _ = stream.read(&mut [0; 1_000]);
        let _ = stream.write_all(b"\x15\x03\x02\x00\x02\x02\x46");
        stall();
    });
    let url = format!("https://{}/", server.address);
    let failure = client().send(&get(&url), &stop()).unwrap_err();
    assert_eq!(failure.facts().kind, Kind::Unavailable, "{failure}");
    assert!(failure.to_string().contains("TLS 1.2 or 1.3"), "{failure}");
}
