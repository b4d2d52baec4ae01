//! The listeners: a client that trusts one authority gets through to one of them, and is told the right cause by each
//! of the others.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use testbed::client::Client;
use testbed::server::{Server, Settings};
use testbed::tls::Kind;

/// One GET over TLS; the answer's first line, or what went wrong.
fn get(server: &Server, address: SocketAddr, pem: &str) -> Result<String, String> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let session =
        ClientConnection::new(Arc::new(config), ServerName::try_from("127.0.0.1").unwrap())
            .unwrap();
    let socket = TcpStream::connect(address).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let mut stream = StreamOwned::new(session, socket);
    let client = Client::new(server.address());
    let head = client.head("GET", "/b/k", &[("connection", "close")], b"");
    let told = |error: std::io::Error| format!("{:?}: {error}", error.kind());
    stream.write_all(head.as_bytes()).map_err(told)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(told)?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

#[test]
fn each_kind() {
    let server = Server::start(Settings::default()).unwrap();
    server.store().put("b", "k", "over TLS");
    let pem = server.shared().authority.pem();
    for (kind, want) in [
        (Kind::Trusted, Ok("HTTP/1.1 200 OK")),
        (Kind::OtherAuthority, Err("UnknownIssuer")),
        (Kind::SelfSigned, Err("UnknownIssuer")),
        (Kind::WrongHost, Err("not valid for name")),
        (Kind::Expired, Err("expired")),
        (Kind::Tls11, Err("ProtocolVersion")),
        (Kind::Silent, Err("WouldBlock")),
        (Kind::Closes, Err("")),
        (Kind::Resets, Err("ConnectionReset")),
        (Kind::PlainToTls, Err("InvalidContentType")),
    ] {
        let address = server.listen(kind).unwrap();
        let outcome = get(&server, address, &pem);
        match (&outcome, want) {
            (Ok(line), Ok(want)) => assert_eq!(line, want, "{kind:?}"),
            (Err(told), Err(want)) => assert!(
                told.to_lowercase().contains(&want.to_lowercase()),
                "{kind:?}: {told}"
            ),
            _ => panic!("{kind:?}: {outcome:?}, wanted {want:?}"),
        }
    }
    let trusted = server.listen(Kind::Trusted).unwrap();
    let other = get(&server, trusted, &server.shared().authority.other_pem());
    assert!(
        other.unwrap_err().contains("UnknownIssuer"),
        "a bundle with the other authority"
    );
    let listeners: Vec<&str> = server
        .journal()
        .entries()
        .iter()
        .map(|entry| entry.listener)
        .collect();
    assert_eq!(listeners, ["trusted"], "one request came through");
}

#[test]
fn plain_http_on_a_tls_port() {
    let server = Server::start(Settings::default()).unwrap();
    let client = Client::new(server.listen(Kind::Trusted).unwrap());
    let error = client.send("GET", "/b/k", &[], b"").unwrap_err();
    let seen = [
        ErrorKind::UnexpectedEof,
        ErrorKind::InvalidData,
        ErrorKind::ConnectionReset,
    ];
    assert!(seen.contains(&error.kind()), "{error:?}");
}
