//! The run's credentials: of the environment, or of the task's role, renewed before they expire (SPEC 3; FAULTS 9 to 15).

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;

use crate::clock::Clock;
pub use crate::config::aws::Keys;
use crate::config::aws::{CredentialSource, Token};
pub use crate::config::redact::Secret;
use crate::error::{Error, Kind, Result};
use crate::http::{Failure, Header, Limits, Method, Repeat, Request, Transport, Until};
use crate::limits::TASK_DOCUMENT_BYTES;
use crate::stop::Stop;
use crate::value::timestamp::{parse, utc};

const SECOND_US: i64 = 1_000_000;
/// How long before their end credentials are renewed; the role's new ones are there well before that.
const RENEWED_US: i64 = 5 * 60 * SECOND_US;
/// How soon at the earliest: after a renewal that failed, or that gave a short-lived session.
const PAUSE_US: i64 = 10 * SECOND_US;
/// What is left must be enough for a request to arrive.
const LEAST_US: i64 = SECOND_US;

/// Where signatures get their keys.
#[derive(Debug)]
pub struct Credentials {
    source: CredentialSource,
    /// For the endpoint of the task's role.
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    held: Mutex<Option<Held>>,
}

/// A session of the task's role.
#[derive(Clone, Debug)]
struct Held {
    keys: Keys,
    expires_us: i64,
    /// When to ask for the next one.
    renew_us: i64,
}

/// What the endpoint says.
/// Source: "Task IAM role", Amazon ECS Developer Guide; "Container credential provider", AWS SDKs and Tools Reference
/// Guide. A number of seconds or another form of time is not among what they send.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    access_key_id: String,
    secret_access_key: String,
    token: String,
    expiration: String,
}

impl Credentials {
    /// Credentials from `source`; nothing is asked for yet.
    #[must_use]
    pub fn new(
        source: CredentialSource,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            source,
            transport,
            clock,
            held: Mutex::default(),
        }
    }

    /// Keys that are valid now.
    ///
    /// # Errors
    /// 77 where there are none, naming the places looked in, or where they have expired and cannot be renewed.
    pub fn keys(&self, until: Until, stop: &Stop) -> Result<Keys> {
        let (url, token) = match &self.source {
            CredentialSource::Environment(keys) => return Ok(keys.clone()),
            CredentialSource::Container { url, token } => (url, token.as_ref()),
            CredentialSource::Nowhere(set) => return Err(nowhere(set)),
        };
        // Held while asking: who comes meanwhile waits for the same answer.
        let mut held = self.lock();
        let now = self.clock.wall_us();
        if let Some(held) = held.as_ref().filter(|held| now < held.renew_us) {
            return Ok(held.keys.clone());
        }
        match self.renew(url, token, until, stop) {
            Ok(renewed) => Ok(held.insert(renewed).keys.clone()),
            Err(error) => match held.as_mut() {
                // The old ones still serve; the next request after a pause asks again.
                Some(held) if now.saturating_add(LEAST_US) < held.expires_us => {
                    held.renew_us = now.saturating_add(PAUSE_US).min(held.expires_us);
                    Ok(held.keys.clone())
                }
                Some(_) | None => Err(error),
            },
        }
    }

    fn renew(&self, url: &str, token: Option<&Token>, until: Until, stop: &Stop) -> Result<Held> {
        let failed = |found: &str| failed(url, found);
        let mut headers = Vec::new();
        if let Some(token) = token {
            headers.push(Header::new("authorization", authorization(token)?.expose()));
        }
        let request = Request {
            method: Method::Get,
            url,
            headers: &headers,
            body: &[],
            limits: Limits::LOCAL,
            until,
            repeat: Repeat::Silently,
        };
        let lost = |failure: &Failure| match failure.facts().kind == Kind::Interrupted {
            true => failure.error(DOING, url),
            false => failed(&failure.facts().found),
        };
        let mut response = self
            .transport
            .send(&request, stop)
            .map_err(|failure| lost(&failure))?;
        if response.status != 200 {
            let redirect = match response.status {
                300..=399 => ", a redirect, which is not followed",
                _ => "",
            };
            return Err(failed(&format!("status {}{redirect}", response.status)));
        }
        let body = response
            .read_small(TASK_DOCUMENT_BYTES.saturating_add(1))
            .map_err(|failure| lost(&failure))?;
        if body.len() > TASK_DOCUMENT_BYTES {
            return Err(failed(&format!("more than {TASK_DOCUMENT_BYTES} bytes")));
        }
        // The parser's own message could quote a secret.
        let document: Document = serde_json::from_slice(&body).map_err(|_| {
            failed("no JSON object with AccessKeyId, SecretAccessKey, Token and Expiration")
        })?;
        self.held(document).map_err(failed)
    }

    fn held(&self, document: Document) -> std::result::Result<Held, &'static str> {
        let Document {
            access_key_id: id,
            secret_access_key: secret,
            token,
            expiration,
        } = document;
        let is_sendable =
            |text: &String| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        if ![&id, &secret, &token].into_iter().all(is_sendable) {
            return Err("an empty key, or one with characters that cannot be sent");
        }
        let expires_us =
            parse(expiration.as_bytes()).map_err(|_| "an Expiration that is no time")?;
        let now = self.clock.wall_us();
        if expires_us <= now {
            return Err("credentials that have expired (or a clock that is wrong)");
        }
        Ok(Held {
            keys: Keys {
                id: Secret::new(id),
                secret: Secret::new(secret),
                token: Some(Secret::new(token)),
            },
            expires_us,
            renew_us: expires_us
                .saturating_sub(RENEWED_US)
                .max(now.saturating_add(PAUSE_US))
                .min(expires_us.saturating_sub(LEAST_US)),
        })
    }

    /// When the session that is held ends, for the log.
    #[must_use]
    pub fn expire_at(&self) -> Option<String> {
        self.lock().as_ref().map(|held| utc(held.expires_us))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Held>> {
        // Written whole, so a thread that panicked left it consistent.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const DOING: &str = "asking for credentials";

/// Time that a task's endpoint may take is short; what it says is 77 whatever it is (FAULTS 10).
fn failed(url: &str, found: &str) -> Error {
    Error::new(
        Kind::Denied,
        DOING,
        "the credentials of the task's role",
        found,
        "look at the task role, and at the AWS_CONTAINER_ variables, which ECS sets",
    )
    .at_uri(crate::config::redact::uri(url))
}

fn nowhere(set: &[&'static str]) -> Error {
    let found = match set {
        [] => "none of them".to_owned(),
        set => format!(
            "none of them; {} is set, and profiles, web identities and instance metadata are not supported",
            set.join(", ")
        ),
    };
    Error::new(
        Kind::Denied,
        DOING,
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, or AWS_CONTAINER_CREDENTIALS_FULL_URI",
        found,
        "give the task a role, or set the keys",
    )
}

/// The token, which is one line without an end (FAULTS 12).
fn authorization(token: &Token) -> Result<Secret> {
    let path = match token {
        Token::Given(secret) => return Ok(secret.clone()),
        Token::File(path) => path,
    };
    let failed = |found: String| {
        Error::new(
            Kind::Denied,
            DOING,
            "a token of visible ASCII characters, and no line end",
            found,
            "look at the file that AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names",
        )
        .at_uri(format!("file://{}", path.display()))
    };
    let bytes = read_small(path).map_err(|cause| failed(cause.to_string()))?;
    let text = String::from_utf8(bytes).unwrap_or_default();
    match text.is_empty()
        || !text.bytes().all(|byte| byte.is_ascii_graphic())
        || text.len() > TASK_DOCUMENT_BYTES
    {
        true => Err(failed("something else, which is not shown".to_owned())),
        false => Ok(Secret::new(text)),
    }
}

fn read_small(path: &Path) -> std::io::Result<Vec<u8>> {
    let limit = u64::try_from(TASK_DOCUMENT_BYTES).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    File::open(path)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}
