//! Signatures of version 4 for S3, by AWS's own signer. The only place that names it.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign as sign_request,
};
use aws_sigv4::sign::v4::SigningParams;

use super::credentials::Keys;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::http::{Header, Method};

/// What is signed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unsigned<'a> {
    pub(super) method: Method,
    pub(super) url: &'a str,
    pub(super) headers: &'a [Header],
    pub(super) body_sha256: Digest,
}

/// The headers that sign a request, valid for 15 minutes around `wall_us`.
///
/// Source: "Signature Calculations for the Authorization Header: Transferring Payload in a Single Chunk", Amazon S3 API
/// Reference; its examples are the tests. For S3 alone the path is neither normalised nor encoded twice.
pub(super) fn sign(
    request: Unsigned<'_>,
    keys: &Keys,
    region: &str,
    wall_us: i64,
) -> Result<Vec<Header>> {
    let failed = |cause: String| Error::defect("signing a request", cause);
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    let time = SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(wall_us).unwrap_or(0));
    let token = keys.token.as_ref().map(|token| token.expose().to_owned());
    let identity = Credentials::new(
        keys.id.expose(),
        keys.secret.expose(),
        token,
        None,
        "windrow",
    )
    .into();
    let parameters = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("s3")
        .time(time)
        .settings(settings)
        .build()
        .map_err(|cause| failed(cause.to_string()))?
        .into();
    let headers = request
        .headers
        .iter()
        .map(|header| (header.name.as_str(), header.value.as_str()));
    let body = SignableBody::Precomputed(request.body_sha256.to_string());
    let signable = SignableRequest::new(request.method.name(), request.url, headers, body)
        .map_err(|cause| failed(cause.to_string()))?;
    let (instructions, _signature) = sign_request(signable, &parameters)
        .map_err(|cause| failed(cause.to_string()))?
        .into_parts();
    let (headers, _parameters) = instructions.into_parts();
    let headers = headers.into_iter();
    Ok(headers
        .map(|header| Header::new(header.name(), header.value()))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::sha256;
    use crate::s3::credentials::Secret;

    fn keys(token: Option<&str>) -> Keys {
        Keys {
            id: Secret::new("AKIAIOSFODNN7EXAMPLE"),
            secret: Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
            token: token.map(Secret::new),
        }
    }

    /// 2013-05-24T00:00:00Z
    const TIME_US: i64 = 1_369_353_600_000_000;

    fn signed(
        method: Method,
        path: &str,
        headers: &[Header],
        body: &[u8],
        token: Option<&str>,
    ) -> Vec<Header> {
        let url = format!("https://examplebucket.s3.amazonaws.com{path}");
        let request = Unsigned {
            method,
            url: &url,
            headers,
            body_sha256: sha256(body),
        };
        sign(request, &keys(token), "us-east-1", TIME_US).unwrap()
    }

    fn authorization(headers: &[Header]) -> &str {
        let found = headers.iter().find(|header| header.name == "authorization");
        &found.unwrap().value
    }

    /// "Examples: Signature Calculations" of the page named above, all four.
    #[test]
    fn published_examples() {
        for (name, method, path, headers, body, want) in [
            (
                "GET Object",
                Method::Get,
                "/test.txt",
                vec![Header::new("range", "bytes=0-9")],
                "",
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            ),
            (
                "PUT Object",
                Method::Put,
                "/test%24file.text",
                vec![
                    Header::new("date", "Fri, 24 May 2013 00:00:00 GMT"),
                    Header::new("x-amz-storage-class", "REDUCED_REDUNDANCY"),
                ],
                "Welcome to Amazon S3.",
                "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
            ),
            (
                "GET Bucket Lifecycle",
                Method::Get,
                "/?lifecycle",
                vec![],
                "",
                "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
            ),
            (
                "Get Bucket (List Objects)",
                Method::Get,
                "/?max-keys=2&prefix=J",
                vec![],
                "",
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            ),
        ] {
            let signed = signed(method, path, &headers, body.as_bytes(), None);
            let found = authorization(&signed);
            assert!(
                found.ends_with(&format!("Signature={want}")),
                "{name}: {found}"
            );
            assert!(
                found
                    .contains("Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"),
                "{name}"
            );
        }
    }

    #[test]
    fn f016_a_session_token_is_sent_and_signed() {
        let signed = signed(Method::Get, "/a", &[], b"", Some("token"));
        let sent = signed
            .iter()
            .find(|header| header.name == "x-amz-security-token");
        assert_eq!(sent.unwrap().value, "token");
        assert!(authorization(&signed).contains("x-amz-date;x-amz-security-token"));
        assert!(!format!("{:?} {signed:?}", keys(Some("token"))).contains("EXAMPLEKEY"));
    }

    /// What goes out is what is signed: nothing of the path is normalised or encoded again.
    #[test]
    fn f041_paths_are_signed_as_they_are() {
        let mut seen = Vec::new();
        for path in [
            "/a//b", "/a/b", "/a/./b", "/a/../b", "/b", "/a%2520b", "/a%20b",
        ] {
            seen.push(authorization(&signed(Method::Get, path, &[], b"", None)).to_owned());
        }
        let number = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), number);
    }
}
