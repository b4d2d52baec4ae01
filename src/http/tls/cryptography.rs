//! The cryptography of TLS, all of it ring's: what rustls has by default, less ChaCha20, which serves machines without
//! AES in hardware and is 50 KB of the binary, and less the code to sign, as windrow shows no certificate of its own.

use std::sync::Arc;

use provided::cipher_suite as suite;
use rustls::SignatureScheme as Scheme;
use rustls::SupportedCipherSuite;
use rustls::crypto::ring as provided;
use rustls::crypto::{
    CryptoProvider, GetRandomFailed, KeyProvider, SecureRandom, WebPkiSupportedAlgorithms,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::SigningKey;
use webpki::ring as signature;

use crate::random::{Random, SystemRandomness};

/// AES with forward secrecy: what S3 and every server in use takes.
const SUITES: [SupportedCipherSuite; 6] = [
    suite::TLS13_AES_256_GCM_SHA384,
    suite::TLS13_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
];

/// Signatures of certificates, and of handshakes. TLS 1.2 names no curve, TLS 1.3 the scheme's.
const SIGNATURES: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[
        signature::ECDSA_P256_SHA256,
        signature::ECDSA_P256_SHA384,
        signature::ECDSA_P384_SHA256,
        signature::ECDSA_P384_SHA384,
        signature::ED25519,
        signature::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
        signature::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
        signature::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
        signature::RSA_PKCS1_2048_8192_SHA256,
        signature::RSA_PKCS1_2048_8192_SHA384,
        signature::RSA_PKCS1_2048_8192_SHA512,
        signature::RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS,
        signature::RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS,
        signature::RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS,
    ],
    mapping: &[
        (
            Scheme::ECDSA_NISTP384_SHA384,
            &[signature::ECDSA_P384_SHA384, signature::ECDSA_P256_SHA384],
        ),
        (
            Scheme::ECDSA_NISTP256_SHA256,
            &[signature::ECDSA_P256_SHA256, signature::ECDSA_P384_SHA256],
        ),
        (Scheme::ED25519, &[signature::ED25519]),
        (
            Scheme::RSA_PSS_SHA512,
            &[signature::RSA_PSS_2048_8192_SHA512_LEGACY_KEY],
        ),
        (
            Scheme::RSA_PSS_SHA384,
            &[signature::RSA_PSS_2048_8192_SHA384_LEGACY_KEY],
        ),
        (
            Scheme::RSA_PSS_SHA256,
            &[signature::RSA_PSS_2048_8192_SHA256_LEGACY_KEY],
        ),
        (
            Scheme::RSA_PKCS1_SHA512,
            &[signature::RSA_PKCS1_2048_8192_SHA512],
        ),
        (
            Scheme::RSA_PKCS1_SHA384,
            &[signature::RSA_PKCS1_2048_8192_SHA384],
        ),
        (
            Scheme::RSA_PKCS1_SHA256,
            &[signature::RSA_PKCS1_2048_8192_SHA256],
        ),
    ],
};

/// What rustls is to compute with.
pub(super) fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: SUITES.to_vec(),
        kx_groups: provided::ALL_KX_GROUPS.to_vec(),
        signature_verification_algorithms: SIGNATURES,
        secure_random: &Keys,
        key_provider: &Keys,
    }
}

/// Random ones for each connection, none of our own.
#[derive(Debug)]
struct Keys;

impl SecureRandom for Keys {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
        let filled = SystemRandomness::default().fill(bytes);
        filled.map_err(|_| GetRandomFailed)
    }
}

impl KeyProvider for Keys {
    fn load_private_key(
        &self,
        _key: PrivateKeyDer<'static>,
    ) -> Result<Arc<dyn SigningKey>, rustls::Error> {
        Err(rustls::Error::General("no keys of our own".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_rustls_has_by_default_without_chacha20() {
        let (ours, theirs) = (provider(), provided::default_provider());
        let named = |provider: &CryptoProvider| {
            let suites = provider.cipher_suites.iter();
            let named: Vec<_> = suites.map(|suite| format!("{:?}", suite.suite())).collect();
            named
        };
        let mut suites = named(&theirs);
        suites.retain(|name| !name.contains("CHACHA20"));
        assert_eq!(named(&ours), suites);
        let signatures = |provider: &CryptoProvider| {
            let algorithms = provider.signature_verification_algorithms;
            let ids = |all: &[&'static dyn rustls::pki_types::SignatureVerificationAlgorithm]| {
                let ids = all.iter();
                let ids: Vec<_> = ids
                    .map(|one| (one.public_key_alg_id(), one.signature_alg_id()))
                    .collect();
                ids
            };
            let mapped = algorithms.mapping.iter();
            let mapped: Vec<_> = mapped.map(|(scheme, all)| (*scheme, ids(all))).collect();
            (ids(algorithms.all), mapped)
        };
        assert_eq!(signatures(&ours), signatures(&theirs));
    }
}
