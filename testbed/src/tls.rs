//! Certificates made at start and never kept, and the kinds of listeners: one that is right, and those that are wrong
//! in the ways that a client must tell apart.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde::{Deserialize, Serialize};

/// A TLS connection of the server.
pub type TlsStream = StreamOwned<ServerConnection, Socket>;

/// A socket that several hold, which std reads and writes only by reference.
#[derive(Clone, Debug)]
pub struct Socket(pub Arc<TcpStream>);

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.as_ref().read(buffer)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.as_ref().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.as_ref().flush()
    }
}

/// How a listener behaves before any request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// HTTP without TLS.
    Plain,
    /// TLS with a certificate of the authority for `localhost` and `127.0.0.1`.
    Trusted,
    /// Of the other authority, which a client is not told to trust.
    OtherAuthority,
    /// Of the authority, for another host.
    WrongHost,
    /// Of the authority, until the end of 2020.
    Expired,
    /// Signed by itself.
    SelfSigned,
    /// A peer that knows TLS 1.1 and nothing newer.
    Tls11,
    /// Connections are taken and nothing is ever said.
    Silent,
    /// Reads the first bytes and closes.
    Closes,
    /// Reads the first bytes and resets.
    Resets,
    /// Plain HTTP, whatever the client begins with: it answers 400 to a TLS handshake.
    PlainToTls,
}

impl Kind {
    /// Its name in the journal and in the control protocol.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Plain => "plain",
            Kind::Trusted => "trusted",
            Kind::OtherAuthority => "other_authority",
            Kind::WrongHost => "wrong_host",
            Kind::Expired => "expired",
            Kind::SelfSigned => "self_signed",
            Kind::Tls11 => "tls11",
            Kind::Silent => "silent",
            Kind::Closes => "closes",
            Kind::Resets => "resets",
            Kind::PlainToTls => "plain_to_tls",
        }
    }
}

/// Two authorities: the one to trust, and another.
pub struct Authority {
    trusted: CertifiedIssuer<'static, KeyPair>,
    other: CertifiedIssuer<'static, KeyPair>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Authority")
    }
}

impl Authority {
    /// Makes both; takes about a millisecond.
    pub fn new() -> io::Result<Authority> {
        Ok(Authority {
            trusted: authority("testbed authority")?,
            other: authority("testbed other authority")?,
        })
    }

    /// The certificate to put into `AWS_CA_BUNDLE`.
    pub fn pem(&self) -> String {
        self.trusted.pem()
    }

    /// The certificate of the other authority: a bundle with it alone must not open a connection.
    pub fn other_pem(&self) -> String {
        self.other.pem()
    }

    /// Certificate and key of a server here that is to be trusted, for another program than this one.
    pub fn identity(&self) -> io::Result<String> {
        let (certificate, key) = issued(&HERE, Some(&self.trusted), false)?;
        Ok(certificate.pem() + &key.serialize_pem())
    }

    /// What a listener of that kind presents; none where it speaks no TLS.
    pub fn config(&self, kind: Kind) -> io::Result<Option<Arc<ServerConfig>>> {
        let (names, issuer): (&[&str], _) = match kind {
            Kind::Trusted | Kind::Expired => (&HERE, Some(&self.trusted)),
            Kind::OtherAuthority => (&HERE, Some(&self.other)),
            Kind::WrongHost => (&["elsewhere.example"], Some(&self.trusted)),
            Kind::SelfSigned => (&HERE, None),
            Kind::Plain
            | Kind::PlainToTls
            | Kind::Tls11
            | Kind::Silent
            | Kind::Closes
            | Kind::Resets => return Ok(None),
        };
        let (certificate, key) = issued(names, issuer, kind == Kind::Expired)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .map_err(io::Error::other)?;
        Ok(Some(Arc::new(config)))
    }
}

/// Names of this machine.
const HERE: [&str; 3] = ["localhost", "*.localhost", "127.0.0.1"];

/// A server's certificate, by itself where nobody issues it.
fn issued(
    names: &[&str],
    issuer: Option<&CertifiedIssuer<'static, KeyPair>>,
    is_expired: bool,
) -> io::Result<(Certificate, KeyPair)> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).map_err(io::Error::other)?;
    params
        .distinguished_name
        .push(DnType::CommonName, "testbed server");
    params.use_authority_key_identifier_extension = true;
    if is_expired {
        (params.not_before, params.not_after) =
            (date_time_ymd(2020, 1, 1), date_time_ymd(2020, 12, 31));
    }
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let certificate = match issuer {
        Some(issuer) => params.signed_by(&key, issuer),
        None => params.self_signed(&key),
    };
    Ok((certificate.map_err(io::Error::other)?, key))
}

fn authority(name: &str) -> io::Result<CertifiedIssuer<'static, KeyPair>> {
    let mut params = CertificateParams::new(Vec::new()).map_err(io::Error::other)?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().map_err(io::Error::other)?;
    CertifiedIssuer::self_signed(params, key).map_err(io::Error::other)
}
