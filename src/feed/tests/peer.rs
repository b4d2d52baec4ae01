//! The other side of a feed: it does what a test says, byte by byte, and shares no code with what it is there to test.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::Builder;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::digest::sha1_base64;

pub(super) trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// One connection.
pub(super) struct Peer {
    pub(super) stream: Box<dyn Stream>,
    /// The number of the connection, from 1.
    pub(super) number: usize,
}

/// Starts a server on loopback; each connection is given to `serve`.
pub(super) fn start(serve: impl Fn(Peer) + Send + Sync + 'static) -> SocketAddr {
    start_with(|stream| Box::new(stream), serve)
}

/// The same, where `wrap` makes of a connection what is read and written.
pub(super) fn start_with(
    wrap: impl Fn(TcpStream) -> Box<dyn Stream> + Send + Sync + 'static,
    serve: impl Fn(Peer) + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let shared = Arc::new((wrap, serve));
    let listen = move || {
        for (number, stream) in (1..).zip(listener.incoming()) {
            let (shared, stream) = (shared.clone(), stream.unwrap());
            let serve = move || {
                let stream = (shared.0)(stream);
                (shared.1)(Peer { stream, number });
            };
            Builder::new().spawn(serve).unwrap();
        }
    };
    Builder::new().spawn(listen).unwrap();
    address
}

macro_rules! pem {
    ($name:literal) => {
        include_bytes!(concat!("../../../tests/tls/", $name)).as_slice()
    };
}

/// The authority of a server behind TLS, and another one.
pub(super) const CA: &[u8] = pem!("ca.pem");
pub(super) const OTHER_CA: &[u8] = pem!("other-ca.pem");

/// Wraps connections in TLS, with a certificate for localhost.
pub(super) fn tls() -> impl Fn(TcpStream) -> Box<dyn Stream> + Send + Sync + 'static {
    let chain = CertificateDer::pem_slice_iter(pem!("good.pem")).map(|found| found.unwrap());
    let key = PrivateKeyDer::from_pem_slice(pem!("good.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.collect(), key);
    let config = Arc::new(config.unwrap());
    move |stream| {
        let connection = ServerConnection::new(config.clone()).unwrap();
        Box::new(StreamOwned::new(connection, stream))
    }
}

/// Nothing happens for longer than a test takes.
pub(super) fn stall() {
    let (_sender, receiver): (_, Receiver<()>) = sync_channel(1);
    let _ = receiver.recv_timeout(Duration::from_secs(20));
}

impl Peer {
    /// Reads the request; None where the connection ends before.
    pub(super) fn request(&mut self) -> Option<String> {
        let (mut request, mut byte) = (Vec::new(), [0]);
        while !request.ends_with(b"\r\n\r\n") {
            self.stream.read_exact(&mut byte).ok()?;
            request.extend(byte);
        }
        Some(String::from_utf8(request).unwrap())
    }

    /// Accepts the handshake; gives the request.
    pub(super) fn accept(&mut self) -> String {
        let request = self.request().unwrap_or_default();
        self.send(accepted(&request).as_bytes());
        request
    }

    /// Sends bytes, as far as the other side takes them.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
        let _ = self.stream.flush();
    }

    pub(super) fn text(&mut self, text: &str) {
        self.send(&frame(0x81, text.as_bytes()));
    }

    /// The next frame: first byte and payload. None at the end of the connection.
    pub(super) fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).ok()?;
        assert_eq!(head[1] & 0x80, 0x80, "a client masks");
        let length = match head[1] & 0x7f {
            126 => u64::from(u16::from_be_bytes(self.bytes()?)),
            127 => u64::from_be_bytes(self.bytes()?),
            length => u64::from(length),
        };
        let mask: [u8; 4] = self.bytes()?;
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut payload).ok()?;
        for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= mask;
        }
        Some((head[0], payload))
    }

    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }
}

/// The answer to a handshake, as RFC 6455 wants it.
pub(super) fn accepted(request: &str) -> String {
    let key = |line: &str| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("sec-websocket-key")
            .then(|| value.to_owned())
    };
    let key = request.lines().find_map(key).unwrap_or_default();
    let accept = sha1_base64(&format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

/// A frame as a server sends it: FIN, reserved bits and opcode in `first`.
pub(super) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ ..126 => frame.push(u8::try_from(length).unwrap()),
        length @ 126..=0xffff => {
            frame.push(126);
            frame.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            frame.push(127);
            frame.extend(u64::try_from(length).unwrap().to_be_bytes());
        }
    }
    frame.extend(payload);
    frame
}

/// A close frame.
pub(super) fn close(code: u16, reason: &str) -> Vec<u8> {
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend(reason.as_bytes());
    frame(0x88, &payload)
}
