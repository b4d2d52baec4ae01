//! S3's refusals: what they are, which exit code they mean, and what to do about each (SPEC 8; FAULTS 26 to 32, 118 to
//! 120). One table of advice; everything else only reads.

use super::request::Call;
use super::xml::{self, Element};
use super::{Access, Client, Settings, Side};
use crate::error::{Error, Kind, shown};
use crate::http::{Method, Response};

/// Longest piece of S3's own message that an error shows, in characters.
const MESSAGE_CHARACTERS: usize = 300;

/// A complete answer that is no success.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: u16,
    /// S3's code; empty where the answer has none: to HEAD, or from something that is not S3.
    pub code: String,
    /// S3's message, or the start of what came in its place.
    pub message: String,
    /// `x-amz-request-id`
    pub request_id: Option<String>,
    /// `x-amz-id-2`
    pub host_id: Option<String>,
    /// The region that the bucket is in, where the answer tells.
    pub region: Option<String>,
    /// Where a redirect points.
    pub location: Option<String>,
    /// The two clocks of RequestTimeTooSkewed: the request's and the server's.
    pub clocks: Option<(String, String)>,
    /// Retry-After, in seconds.
    pub retry_after_seconds: Option<u64>,
}

impl Refusal {
    /// Reads an answer and what has come of its body.
    pub(super) fn read(response: &Response, body: &[u8]) -> Self {
        let header = |name: &str| response.header(name).map(|value| short(value, 200));
        let mut refusal = Self {
            status: response.status,
            request_id: header("x-amz-request-id"),
            host_id: header("x-amz-id-2"),
            region: header("x-amz-bucket-region"),
            location: header("location"),
            retry_after_seconds: response
                .header("retry-after")
                .and_then(|value| value.trim().parse().ok()),
            ..Self::default()
        };
        match xml::parse(body).filter(|root| root.name == "Error") {
            Some(root) => refusal.take(&root),
            None => refusal.message = shown(body.trim_ascii(), MESSAGE_CHARACTERS),
        }
        refusal
    }

    /// What an `<Error>` element says.
    pub(super) fn take(&mut self, root: &Element) {
        let value = |name: &str| root.value(name).map(|value| short(value, 200));
        self.code = value("Code").unwrap_or_default();
        self.message = short(
            root.value("Message").unwrap_or_default(),
            MESSAGE_CHARACTERS,
        );
        self.request_id = self.request_id.take().or_else(|| value("RequestId"));
        self.host_id = self.host_id.take().or_else(|| value("HostId"));
        self.region = value("Region").or_else(|| self.region.take());
        self.clocks = value("RequestTime").zip(value("ServerTime"));
    }

    /// Whether the same request may succeed later: a busy or broken server.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self.status, 408 | 429 | 500 | 502 | 503 | 504)
            || matches!(
                self.code.as_str(),
                "RequestTimeout" | "SlowDown" | "InternalError" | "ServiceUnavailable"
            )
    }

    /// 404 of an object (or of anything, to HEAD).
    pub(super) fn is_absent(&self) -> bool {
        self.status == 404 && !matches!(self.code.as_str(), "NoSuchBucket" | "NoSuchUpload")
    }

    /// `403 AccessDenied: … (request id …, host id …)`
    #[must_use]
    pub fn found(&self) -> String {
        let mut text = self.status.to_string();
        for (before, piece) in [(" ", &self.code), (": ", &self.message)] {
            if !piece.is_empty() {
                text = format!("{text}{before}{piece}");
            }
        }
        let ids = [("request id", &self.request_id), ("host id", &self.host_id)];
        let ids: Vec<String> = ids
            .into_iter()
            .filter_map(|(name, id)| id.as_ref().map(|id| format!("{name} {id}")))
            .collect();
        match ids.is_empty() {
            true => text,
            false => format!("{text} ({})", ids.join(", ")),
        }
    }

    /// The error of a run for which this refusal of `call` is the end.
    pub(super) fn error(&self, client: &Client, call: &Call<'_>) -> Error {
        let uri = client.uri(call.key.unwrap_or_default());
        let (kind, advice) = self.meaning(client, call);
        Error::new(kind, call.doing, "success from S3", self.found(), advice).at_uri(uri)
    }

    fn meaning(&self, client: &Client, call: &Call<'_>) -> (Kind, String) {
        let side = client.settings.side;
        if let Some(found) = self.wrong_region(&client.settings.region) {
            return (Kind::Config, found);
        }
        if let Some((ours, theirs)) = &self.clocks {
            let advice = format!(
                "correct the clock of this machine: the request says {ours}, S3 says {theirs}"
            );
            return (Kind::Denied, advice);
        }
        if let Some((kind, advice)) = known(&self.code, side) {
            return (kind, advice.to_owned());
        }
        match self.status {
            403 => {
                let mut advice = self.missing_right(call);
                advice.push_str(other_access(&client.settings));
                if !client.settings.endpoint.is_aws() {
                    advice.push_str("; some stores say the same of wrong keys");
                }
                (Kind::Denied, advice)
            }
            401 => (
                Kind::Denied,
                "give credentials that this store knows".into(),
            ),
            // To HEAD, S3 says no more.
            400 if self.code.is_empty() && call.method == Method::Head => {
                let advice = "S3 gives no reason to this request: look at the session's age, the clock and the region";
                (Kind::Denied, advice.into())
            }
            404 => (Kind::Input, "look at the bucket and the key".into()),
            501 => {
                let advice = "this store does not know a part of the request, such as If-None-Match: use one that does";
                (Kind::Protocol, advice.into())
            }
            408 | 409 | 429 | 500..=599 => (Kind::Unavailable, BUSY.to_owned()),
            300..=399 => {
                let to = self.location.as_deref().unwrap_or("elsewhere");
                let advice = format!(
                    "redirects are not followed; it points to {to}: set AWS_REGION or the endpoint"
                );
                (Kind::Config, advice)
            }
            400..=499 => (Kind::Protocol, "look at S3's message".into()),
            _ => (
                Kind::Protocol,
                "look at what answers at the endpoint".into(),
            ),
        }
    }

    /// Where the answer names a region that is not the one that was used.
    fn wrong_region(&self, used: &str) -> Option<String> {
        let is_about_region = matches!(self.status, 301 | 307 | 400 | 403);
        let region = self.region.as_ref().filter(|region| *region != used)?;
        is_about_region.then(|| {
            format!("the bucket is in {region}, and {used} was used: set AWS_REGION, or S3_INPUT_REGION for an input, to {region}")
        })
    }

    /// The right that a 403 means: S3 names it in newer messages; else it is the one that the request takes.
    fn missing_right(&self, call: &Call<'_>) -> String {
        let named = self.message.split_once("perform: ").map(|(_, rest)| {
            let end = rest.find(|c: char| c.is_whitespace()).unwrap_or(rest.len());
            rest.get(..end).unwrap_or(rest).to_owned()
        });
        let right = match named {
            Some(right) => right,
            None if self.message.contains("kms:") => "the use of the KMS key".to_owned(),
            None => call.right.to_owned(),
        };
        let absent = match call.right {
            "s3:GetObject" => {
                "; without s3:ListBucket on the bucket, S3 says the same of an object that is absent"
            }
            _ => "",
        };
        format!(
            "allow {right} to these credentials, in the role and in the bucket's policy{absent}"
        )
    }
}

/// What else a 403 may mean at an input, which S3 does not say.
fn other_access(settings: &Settings) -> &'static str {
    match (settings.side, &settings.access) {
        (Side::Input, Access::Signed(_)) => {
            "; or, where whoever reads the bucket pays for it, set S3_INPUT_ACCESS=requester-pays"
        }
        (Side::Input, Access::Unsigned) => {
            "; or, where the bucket is not public, take S3_INPUT_ACCESS=unsigned away"
        }
        (Side::Input, Access::RequesterPays(_)) | (Side::Output, _) => "",
    }
}

const BUSY: &str =
    "S3 was busy or broken: raise S3_ATTEMPTS, or start again later under a new RUN_ID";

/// What a code means, where it does not need the rest of the answer.
/// Source: "Error responses", Amazon S3 API Reference.
fn known(code: &str, side: Side) -> Option<(Kind, &'static str)> {
    let bucket = match side {
        Side::Input => Kind::Input,
        Side::Output => Kind::Config,
    };
    let table = [
        (
            "NoSuchBucket",
            bucket,
            "create the bucket, or correct its name; its region matters too",
        ),
        ("InvalidBucketName", bucket, "correct the bucket's name"),
        (
            "NoSuchKey",
            Kind::Input,
            "look at the key: what INPUT names must be there",
        ),
        (
            "NoSuchUpload",
            Kind::Unavailable,
            "look whether something aborts uploads there, such as a lifecycle rule",
        ),
        (
            "InvalidObjectState",
            Kind::Input,
            "the object is archived: restore it first, or copy it to another storage class",
        ),
        (
            "SignatureDoesNotMatch",
            Kind::Denied,
            "the secret key is not that of the access key, or something between here and S3 changes requests",
        ),
        (
            "InvalidAccessKeyId",
            Kind::Denied,
            "the access key is unknown here: look at AWS_ACCESS_KEY_ID, and at the endpoint it is for",
        ),
        (
            "ExpiredToken",
            Kind::Denied,
            "the session has expired: start the run with fresh credentials, or with a task role, which is renewed",
        ),
        (
            "TokenRefreshRequired",
            Kind::Denied,
            "the session has expired: start the run with fresh credentials",
        ),
        (
            "InvalidToken",
            Kind::Denied,
            "the session token does not belong to the access key: set AWS_SESSION_TOKEN and both keys together",
        ),
        (
            "RequestTimeTooSkewed",
            Kind::Denied,
            "correct the clock of this machine",
        ),
        (
            "AllAccessDisabled",
            Kind::Denied,
            "the bucket or account is disabled",
        ),
        (
            "AccountProblem",
            Kind::Denied,
            "look at the account with AWS",
        ),
        (
            "UserKeyMustBeSpecified",
            Kind::Config,
            "give a KMS key in OUTPUT_SSE",
        ),
        (
            "KMS.DisabledException",
            Kind::Denied,
            "enable the KMS key, or choose another in OUTPUT_SSE",
        ),
        (
            "KMS.NotFoundException",
            Kind::Config,
            "correct the KMS key in OUTPUT_SSE; it must be in the bucket's region",
        ),
        (
            "KMS.KMSInvalidStateException",
            Kind::Denied,
            "the KMS key cannot be used in its state",
        ),
        (
            "KMS.ThrottlingException",
            Kind::Unavailable,
            "KMS was asked too often: raise S3_ATTEMPTS, or use a bucket key",
        ),
        ("SlowDown", Kind::Unavailable, BUSY),
        ("InternalError", Kind::Unavailable, BUSY),
        ("ServiceUnavailable", Kind::Unavailable, BUSY),
        ("RequestTimeout", Kind::Unavailable, BUSY),
        (
            "TemporaryRedirect",
            Kind::Unavailable,
            "the bucket is new and its name not yet known everywhere: wait some hours, or use its region's endpoint",
        ),
        (
            "ConditionalRequestConflict",
            Kind::Unavailable,
            "something else writes or deletes under the same key: look at what does, then start again under a new RUN_ID",
        ),
        (
            "OperationAborted",
            Kind::Unavailable,
            "something else changes the bucket: try again later",
        ),
        (
            "BadDigest",
            Kind::Protocol,
            "what arrived is not what was sent: look at the network and at what stands between",
        ),
        (
            "XAmzContentSHA256Mismatch",
            Kind::Protocol,
            "what arrived is not what was sent: look at the network and at what stands between",
        ),
        (
            "XAmzContentChecksumMismatch",
            Kind::Protocol,
            "what arrived is not what was sent: look at the network and at what stands between",
        ),
        (
            "NotImplemented",
            Kind::Protocol,
            "this store does not know a part of the request, such as If-None-Match: use one that does",
        ),
        (
            "EntityTooLarge",
            Kind::Data,
            "the artifact is larger than the store takes: use SHARD",
        ),
        (
            "KeyTooLongError",
            Kind::Config,
            "shorten OUTPUT or RUN_ID: a key has at most 1,024 bytes",
        ),
        (
            "InvalidRequest",
            Kind::Config,
            "look at S3's message; the bucket's policy or object lock may demand something",
        ),
        (
            "ObjectLockConfigurationNotFoundError",
            Kind::Config,
            "look at the bucket's object lock",
        ),
        (
            "QuotaExceeded",
            Kind::Unavailable,
            "make room in the bucket's quota",
        ),
        (
            "InvalidStorageClass",
            Kind::Config,
            "look at the bucket's storage classes",
        ),
    ];
    let found = table.into_iter().find(|(name, ..)| *name == code);
    found.map(|(_, kind, advice)| (kind, advice))
}

fn short(text: &str, limit: usize) -> String {
    shown(text.trim().as_bytes(), limit)
}
