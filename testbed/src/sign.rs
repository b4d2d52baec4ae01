//! AWS Signature Version 4, verified strictly and written from Amazon's description alone: it shares no code with
//! any signer, so that agreement means something.
//!
//! Source: Amazon S3 API Reference, "Authenticating Requests: Using the Authorization Header" and "Using Query
//! Parameters"; the examples there are this file's tests.

use serde::{Deserialize, Serialize};

use crate::digest::{hex, keyed, sha256};
use crate::http::Head;
use crate::moment::Moment;
use crate::percent;
use crate::refusal::Refusal;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How far the client's clock may stand from ours.
const SKEW_MILLIS: i64 = 15 * 60 * 1000;

/// One access key that the server knows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// The public half.
    pub access_key: String,
    /// The secret half.
    pub secret_key: String,
    /// Present for temporary credentials, and then demanded.
    #[serde(default)]
    pub session_token: Option<String>,
    /// Answers ExpiredToken.
    #[serde(default)]
    pub expired: bool,
    /// Actions such as `s3:PutObject` that this key may not do; `*` for all.
    #[serde(default)]
    pub denied: Vec<String>,
}

/// Who asks.
#[derive(Clone, Debug)]
pub enum Caller {
    /// Nobody: the request carries no signature.
    Anonymous,
    /// The holder of a key, proven.
    Key(Key),
}

/// What a signature is checked against.
pub struct Check<'a> {
    /// The request.
    pub head: &'a Head,
    /// Its path, decoded.
    pub path: &'a str,
    /// Its query, decoded.
    pub query: &'a [(String, String)],
    /// Its body, whole.
    pub body: &'a [u8],
    /// The keys that exist.
    pub keys: &'a [Key],
    /// The region of the bucket.
    pub region: &'a str,
    /// The server's time.
    pub now: Moment,
}

/// The parts of a signature as the client sent them.
struct Claim<'a> {
    access_key: &'a str,
    /// date / region / service / aws4_request
    scope: [&'a str; 4],
    signed_headers: Vec<&'a str>,
    signature: &'a str,
}

impl Check<'_> {
    /// Says who asks, or how S3 refuses it.
    pub fn caller(&self) -> Result<Caller, Refusal> {
        if let Some(text) = self.head.header("authorization") {
            return self.by_header(text).map(Caller::Key);
        }
        if self.parameter("X-Amz-Algorithm").is_some() {
            return self.by_query().map(Caller::Key);
        }
        Ok(Caller::Anonymous)
    }

    fn by_header(&self, text: &str) -> Result<Key, Refusal> {
        let Some(fields) = text.strip_prefix(ALGORITHM) else {
            return Err(Refusal::new(
                400,
                "InvalidRequest",
                format!(
                    "The authorization mechanism you have provided is not supported. Please use {ALGORITHM}."
                ),
            ));
        };
        let mut parts = [None; 3];
        for field in fields.split(',') {
            let (name, value) = field
                .trim()
                .split_once('=')
                .ok_or_else(|| malformed("a field without ="))?;
            let slot = match name {
                "Credential" => 0,
                "SignedHeaders" => 1,
                "Signature" => 2,
                _ => return Err(malformed("an unknown field")),
            };
            parts[slot] = Some(value);
        }
        let [Some(credential), Some(signed), Some(signature)] = parts else {
            return Err(malformed(
                "Credential, SignedHeaders or Signature is missing",
            ));
        };
        let date = self.head.header("x-amz-date").and_then(Moment::from_basic);
        let Some(date) = date else {
            return Err(Refusal::denied(
                "AWS authentication requires a valid Date or x-amz-date header",
            ));
        };
        let claim = claim(credential, signed, signature)?;
        let Some(payload) = self.head.header("x-amz-content-sha256") else {
            return Err(Refusal::new(
                400,
                "InvalidRequest",
                "Missing required header for this request: x-amz-content-sha256",
            ));
        };
        let key = self.proven(
            &claim,
            date,
            payload,
            self.head.header("x-amz-security-token"),
            None,
        )?;
        self.payload(payload)?;
        Ok(key)
    }

    fn by_query(&self) -> Result<Key, Refusal> {
        let incomplete = || {
            Refusal::new(
                400,
                "AuthorizationQueryParametersError",
                "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, \
                 X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
            )
        };
        let required = |name: &str| self.parameter(name).ok_or_else(incomplete);
        let date = Moment::from_basic(required("X-Amz-Date")?).ok_or_else(incomplete)?;
        let seconds: i64 = required("X-Amz-Expires")?
            .parse()
            .map_err(|_| incomplete())?;
        let claim = claim(
            required("X-Amz-Credential")?,
            required("X-Amz-SignedHeaders")?,
            required("X-Amz-Signature")?,
        )?;
        let payload = self
            .head
            .header("x-amz-content-sha256")
            .unwrap_or("UNSIGNED-PAYLOAD");
        let token = self.parameter("X-Amz-Security-Token");
        self.proven(&claim, date, payload, token, Some(seconds))
    }

    /// Everything that both ways share, in the order in which S3 finds fault.
    fn proven(
        &self,
        claim: &Claim<'_>,
        date: Moment,
        payload: &str,
        token: Option<&str>,
        expires_seconds: Option<i64>,
    ) -> Result<Key, Refusal> {
        let [day, region, service, end] = claim.scope;
        if end != "aws4_request" || service != "s3" {
            return Err(malformed("the scope does not end in s3/aws4_request"));
        }
        if region != self.region {
            let message = format!(
                "The authorization header is malformed; the region '{region}' is wrong; expecting '{}'",
                self.region
            );
            return Err(Refusal::new(400, "AuthorizationHeaderMalformed", message)
                .detail("Region", self.region)
                .header("x-amz-bucket-region", self.region));
        }
        if !date.basic().starts_with(day) || day.len() != 8 {
            return Err(malformed("the scope's date is not that of x-amz-date"));
        }
        let key = self.known(claim.access_key, token)?;
        self.in_time(date, expires_seconds)?;
        self.all_signed(claim)?;
        let canonical = canonical_request(
            self.head,
            self.path,
            self.query,
            &claim.signed_headers,
            payload,
        );
        let scope = claim.scope.join("/");
        let to_sign = format!(
            "{ALGORITHM}\n{}\n{scope}\n{}",
            date.basic(),
            hex(&sha256(canonical.as_bytes()))
        );
        if signature(&key.secret_key, claim.scope, &to_sign) != claim.signature {
            return Err(Refusal::new(
                403,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
            )
            .detail("AWSAccessKeyId", claim.access_key)
            .detail("StringToSign", &to_sign)
            .detail("SignatureProvided", claim.signature)
            .detail("StringToSignBytes", spaced(&to_sign))
            .detail("CanonicalRequest", &canonical)
            .detail("CanonicalRequestBytes", spaced(&canonical)));
        }
        Ok(key.clone())
    }

    fn known(&self, access_key: &str, token: Option<&str>) -> Result<&Key, Refusal> {
        let known = self.keys.iter().find(|key| key.access_key == access_key);
        // A temporary key without its token does not exist either.
        let Some(key) = known.filter(|key| key.session_token.is_none() || token.is_some()) else {
            return Err(Refusal::new(
                403,
                "InvalidAccessKeyId",
                "The AWS Access Key Id you provided does not exist in our records.",
            )
            .detail("AWSAccessKeyId", access_key));
        };
        if token != key.session_token.as_deref() {
            return Err(Refusal::new(
                400,
                "InvalidToken",
                "The provided token is malformed or otherwise invalid.",
            )
            .detail("Token-0", token.unwrap_or_default()));
        }
        if key.expired {
            return Err(
                Refusal::new(400, "ExpiredToken", "The provided token has expired.")
                    .detail("Token-0", token.unwrap_or_default()),
            );
        }
        Ok(key)
    }

    fn in_time(&self, date: Moment, expires_seconds: Option<i64>) -> Result<(), Refusal> {
        let age = self.now.0 - date.0;
        if let Some(seconds) = expires_seconds {
            if age > seconds.saturating_mul(1000) {
                return Err(Refusal::denied("Request has expired")
                    .detail("X-Amz-Expires", seconds.to_string())
                    .detail("ServerTime", self.now.iso()));
            }
            return Ok(());
        }
        if age.abs() > SKEW_MILLIS {
            return Err(Refusal::new(
                403,
                "RequestTimeTooSkewed",
                "The difference between the request time and the current time is too large.",
            )
            .detail("RequestTime", date.basic())
            .detail("ServerTime", self.now.iso())
            .detail("MaxAllowedSkewMilliseconds", SKEW_MILLIS.to_string()));
        }
        Ok(())
    }

    /// Host and every `x-amz-` header must be signed, and every signed header must be there.
    fn all_signed(&self, claim: &Claim<'_>) -> Result<(), Refusal> {
        let signed = |name: &str| claim.signed_headers.contains(&name);
        let unsigned: Vec<&str> = self
            .head
            .headers
            .iter()
            .map(|(name, _)| name.as_str())
            .filter(|name| (*name == "host" || name.starts_with("x-amz-")) && !signed(name))
            .collect();
        if !unsigned.is_empty() {
            return Err(Refusal::denied(
                "There were headers present in the request which were not signed",
            )
            .detail("HeadersNotSigned", unsigned.join(", ")));
        }
        if claim
            .signed_headers
            .iter()
            .any(|name| self.head.header(name).is_none())
        {
            return Err(malformed("a signed header is missing"));
        }
        Ok(())
    }

    /// The body must be what was signed.
    fn payload(&self, signed: &str) -> Result<(), Refusal> {
        if signed == "UNSIGNED-PAYLOAD" {
            return Ok(());
        }
        if signed.starts_with("STREAMING-") {
            return Err(Refusal::not_implemented(&format!(
                "payloads in signed chunks ({signed})"
            )));
        }
        let found = hex(&sha256(self.body));
        if found != signed {
            return Err(Refusal::new(
                400,
                "XAmzContentSHA256Mismatch",
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            )
            .detail("ClientComputedContentSHA256", signed)
            .detail("S3ComputedContentSHA256", found));
        }
        Ok(())
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        let (_, value) = self.query.iter().find(|(known, _)| known == name)?;
        Some(value)
    }
}

fn claim<'a>(
    credential: &'a str,
    signed: &'a str,
    signature: &'a str,
) -> Result<Claim<'a>, Refusal> {
    let parts: Vec<&str> = credential.split('/').collect();
    let [access_key, day, region, service, end] = parts[..] else {
        return Err(malformed(
            "the Credential is not KEY/DATE/REGION/SERVICE/aws4_request",
        ));
    };
    let signed_headers: Vec<&str> = signed.split(';').collect();
    if !signed_headers.is_sorted()
        || signed_headers
            .iter()
            .any(|name| name.to_ascii_lowercase() != *name)
    {
        return Err(malformed("SignedHeaders is not sorted and in lower case"));
    }
    Ok(Claim {
        access_key,
        scope: [day, region, service, end],
        signed_headers,
        signature,
    })
}

fn malformed(what: &str) -> Refusal {
    let message = format!("The authorization header is malformed; {what}.");
    Refusal::new(400, "AuthorizationHeaderMalformed", message)
}

/// The request in the one form that both sides hash.
pub fn canonical_request(
    head: &Head,
    path: &str,
    query: &[(String, String)],
    signed_headers: &[&str],
    payload: &str,
) -> String {
    let mut pairs: Vec<String> = query
        .iter()
        .filter(|(name, _)| name != "X-Amz-Signature")
        .map(|(name, value)| {
            let encoded = |part: &str| percent::encode(part.as_bytes(), b"");
            format!("{}={}", encoded(name), encoded(value))
        })
        .collect();
    pairs.sort();
    let mut text = format!(
        "{}\n{}\n{}\n",
        head.method,
        percent::encode(path.as_bytes(), b"/"),
        pairs.join("&")
    );
    for name in signed_headers {
        let values: Vec<String> = head
            .headers
            .iter()
            .filter(|(known, _)| known == name)
            .map(|(_, value)| {
                value
                    .split(' ')
                    .filter(|word| !word.is_empty())
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .collect();
        text += &format!("{name}:{}\n", values.join(","));
    }
    text + &format!("\n{}\n{payload}", signed_headers.join(";"))
}

/// The signature of a string under the key derived for `scope`: day, region, service and `aws4_request`.
pub fn signature(secret_key: &str, scope: [&str; 4], to_sign: &str) -> String {
    let start = format!("AWS4{secret_key}").into_bytes();
    let derived = scope
        .iter()
        .fold(start, |key, part| keyed(&key, part.as_bytes()).to_vec());
    hex(&keyed(&derived, to_sign.as_bytes()))
}

/// The Authorization header for a request that carries all its headers already, every one of them signed.
pub fn authorization(
    head: &Head,
    path: &str,
    query: &[(String, String)],
    key: &Key,
    region: &str,
) -> String {
    let mut names: Vec<&str> = head.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let date = head.header("x-amz-date").unwrap_or_default();
    let payload = head.header("x-amz-content-sha256").unwrap_or_default();
    let canonical = canonical_request(head, path, query, &names, payload);
    let scope = [
        date.get(..8).unwrap_or_default(),
        region,
        "s3",
        "aws4_request",
    ];
    let to_sign = format!(
        "{ALGORITHM}\n{date}\n{}\n{}",
        scope.join("/"),
        hex(&sha256(canonical.as_bytes()))
    );
    format!(
        "{ALGORITHM} Credential={}/{},SignedHeaders={},Signature={}",
        key.access_key,
        scope.join("/"),
        names.join(";"),
        signature(&key.secret_key, scope, &to_sign)
    )
}

/// Bytes as S3 shows them beside a string that was signed: `41 57 53 34`.
fn spaced(text: &str) -> String {
    text.bytes()
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .join(" ")
}
