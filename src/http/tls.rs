//! TLS 1.2 and 1.3: which roots are trusted, and what a failure means (FAULTS 20 to 23).

mod cryptography;

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};

use super::Failure;
use crate::error::{Error, Kind, Result};

/// Longest bundle that is read; Mozilla's whole list takes a quarter of a megabyte.
const BUNDLE_BYTES: u64 = 4 << 20;

/// The settings of every TLS connection of a run.
#[derive(Clone)]
pub struct Trust(Arc<ClientConfig>);

/// Nothing of it: rustls's own would bring the text of all its types into the binary.
impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trust")
    }
}

impl Trust {
    /// Mozilla's roots, as they were when windrow was built.
    ///
    /// # Errors
    /// 70 where the cryptography cannot be set up.
    pub fn compiled_in() -> Result<Self> {
        let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
        Self::of(roots)
    }

    /// What AWS_CA_BUNDLE says where it is set, else the roots that are compiled in.
    ///
    /// # Errors
    /// 78 where the file cannot be read, or as [`Trust::bundle`].
    pub fn load(bundle: Option<&Path>) -> Result<Self> {
        let Some(path) = bundle else {
            return Self::compiled_in();
        };
        let uri = format!("file://{}", path.display());
        let mut pem = Vec::new();
        let read = File::open(path).and_then(|file| file.take(BUNDLE_BYTES).read_to_end(&mut pem));
        match read {
            Ok(_) => Self::bundle(&pem, &uri),
            Err(cause) => Err(Error::new(
                Kind::Config,
                "reading AWS_CA_BUNDLE",
                "a file that can be read",
                cause.to_string(),
                "correct the path, or unset AWS_CA_BUNDLE for the compiled-in roots",
            )
            .at_uri(uri)),
        }
    }

    /// The certificates of a bundle, and no others (AWS_CA_BUNDLE).
    ///
    /// # Errors
    /// 78 where the text holds none, or one that cannot be used.
    pub fn bundle(pem: &[u8], uri: &str) -> Result<Self> {
        let malformed = |found: String| {
            Error::new(
                Kind::Config,
                "reading AWS_CA_BUNDLE",
                "PEM text with at least one certificate",
                found,
                "correct the file, or unset AWS_CA_BUNDLE for the compiled-in roots",
            )
            .at_uri(uri)
        };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|cause| malformed(cause.to_string()))?;
            roots
                .add(certificate)
                .map_err(|cause| malformed(cause.to_string()))?;
        }
        match roots.is_empty() {
            true => Err(malformed("none".to_owned())),
            false => Self::of(roots),
        }
    }

    fn of(roots: RootCertStore) -> Result<Self> {
        let versions = ClientConfig::builder_with_provider(Arc::new(cryptography::provider()))
            .with_safe_default_protocol_versions()
            .map_err(|cause| Error::defect("setting up TLS", cause.to_string()))?;
        let config = versions.with_root_certificates(roots).with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }

    pub(super) fn config(&self) -> Arc<ClientConfig> {
        self.0.clone()
    }
}

/// What a failure of TLS means for a run.
pub(super) fn failure(error: &rustls::Error) -> Failure {
    if let rustls::Error::InvalidCertificate(cause) = error {
        return distrust(cause);
    }
    let is_alert = |alert| *error == rustls::Error::AlertReceived(alert);
    if matches!(error, rustls::Error::InvalidMessage(_)) {
        return Failure::new(
            Kind::Protocol,
            "TLS",
            "something else on this port, such as plain HTTP",
            "look at scheme and port of the endpoint",
        );
    }
    if matches!(error, rustls::Error::PeerIncompatible(_))
        || is_alert(AlertDescription::ProtocolVersion)
        || is_alert(AlertDescription::HandshakeFailure)
    {
        return Failure::new(
            Kind::Unavailable,
            "TLS 1.2 or 1.3",
            format!("a server that offers neither, or no cipher in common ({error})"),
            "use an endpoint that speaks TLS 1.2 or 1.3",
        );
    }
    Failure::lost("a TLS connection", error.to_string())
}

/// 77, with the cause by its name.
fn distrust(cause: &CertificateError) -> Failure {
    // webpki's name for an authority's own certificate, which is what most self-signed ones say that they are.
    let is_self_signed = cause.to_string().contains("CaUsedAsEndEntity");
    let is_expired = matches!(
        cause,
        CertificateError::Expired | CertificateError::ExpiredContext { .. }
    );
    let is_early = matches!(
        cause,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }
    );
    let is_anothers = matches!(
        cause,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
    );
    let (found, advice) = if *cause == CertificateError::UnknownIssuer {
        (
            "one of an unknown certificate authority".to_owned(),
            "give its root in AWS_CA_BUNDLE if it is to be trusted",
        )
    } else if is_self_signed {
        (
            "one that is self-signed".to_owned(),
            "have the endpoint's certificate signed by an authority, and give that one in AWS_CA_BUNDLE",
        )
    } else if is_anothers {
        (
            "one for another host name".to_owned(),
            "address the endpoint by a name that its certificate holds",
        )
    } else if is_expired {
        (
            "one that has expired".to_owned(),
            "renew it, or look at the clock of this machine",
        )
    } else if is_early {
        (
            "one that is not valid yet".to_owned(),
            "look at the clock of this machine",
        )
    } else {
        (
            format!("one that cannot be used ({cause})"),
            "look at the certificate of the endpoint",
        )
    };
    Failure::new(
        Kind::Denied,
        "a certificate that is trusted for this host",
        found,
        advice,
    )
}
