//! One operation as up to S3_ATTEMPTS requests, each freshly signed (SPEC 3 and 10).

use std::time::Duration;

use super::errors::Refusal;
use super::request::Call;
use super::sign::{Unsigned, sign};
use super::{Access, Client, Counters, Side};
use crate::digest::{Digest, sha256};
use crate::error::{Error, Kind};
use crate::http::{Failure, Header, Reach, Request, Response, Until};
use crate::limits::S3_ERROR_BYTES;
use crate::stop::Stop;

/// The pause before the second attempt; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause, Retry-After's included.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// Why an operation gave nothing.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// A complete answer said no.
    Refused(Box<Refusal>, Error),
    /// There was no complete answer, though the request may have arrived.
    Lost(Error),
    /// Nothing was sent.
    NotSent(Error),
}

impl Trouble {
    /// The error of a run that ends for it.
    #[must_use]
    pub fn into_error(self) -> Error {
        match self {
            Trouble::Refused(_, error) | Trouble::Lost(error) | Trouble::NotSent(error) => error,
        }
    }
}

/// Which failed attempts may be followed by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// Every one that may pass: the request has the same effect twice.
    Always,
    /// Only those that certainly had no effect: the caller settles the others.
    WithoutEffect,
}

impl Client {
    /// Sends `call` until it succeeds, cannot, or the attempts are used up. A success is a status of 2xx.
    pub(super) fn call(
        &self,
        call: &Call<'_>,
        again: Again,
        stop: &Stop,
    ) -> Result<Response, Trouble> {
        let body_sha256 = sha256(call.body);
        Counters::add(&self.world.counters.requests, 1);
        let mut attempt = 1;
        loop {
            let trouble = match self.attempt(call, body_sha256, stop) {
                Ok(response) => return Ok(response),
                Err(trouble) => trouble,
            };
            let is_last = attempt >= self.settings.attempts;
            if is_last || !may_repeat(&trouble, again) || !self.pause(attempt, Some(&trouble), stop)
            {
                return Err(trouble);
            }
            attempt += 1;
        }
    }

    /// Signs and sends once.
    fn attempt(
        &self,
        call: &Call<'_>,
        body_sha256: Digest,
        stop: &Stop,
    ) -> Result<Response, Trouble> {
        let uri = || self.uri(call.key.unwrap_or_default());
        let url = self
            .settings
            .endpoint
            .url(&self.bucket, call.key, &call.query);
        let mut headers = call.headers.clone();
        self.authorize(call, &url, body_sha256, &mut headers, stop)
            .map_err(Trouble::NotSent)?;
        let request = Request {
            method: call.method,
            url: &url,
            headers: &headers,
            body: call.body,
            limits: call.limits,
            until: self.until(),
            repeat: call.repeat,
        };
        let counters = &self.world.counters;
        Counters::add(&counters.attempts, 1);
        Counters::add(&counters.bytes_out, call.body.len());
        let failed = |failure: &Failure| {
            let error = failure.error(call.doing, uri());
            match failure.facts().reach {
                Reach::Sent => Trouble::Lost(error),
                Reach::NotSent => Trouble::NotSent(error),
            }
        };
        let mut response = self
            .world
            .transport
            .send(&request, stop)
            .map_err(|failure| failed(&failure))?;
        if (200..300).contains(&response.status) {
            return Ok(response);
        }
        let body = response
            .read_small(S3_ERROR_BYTES)
            .map_err(|failure| failed(&failure))?;
        counters.received(body.len());
        let refusal = Refusal::read(&response, &body);
        let error = refusal.error(self, call);
        Err(Trouble::Refused(Box::new(refusal), error))
    }

    fn authorize(
        &self,
        call: &Call<'_>,
        url: &str,
        body_sha256: Digest,
        headers: &mut Vec<Header>,
        stop: &Stop,
    ) -> Result<(), Error> {
        let credentials = match &self.settings.access {
            Access::Unsigned => return Ok(()),
            Access::Signed(credentials) => credentials,
            Access::RequesterPays(credentials) => {
                headers.push(Header::new("x-amz-request-payer", "requester"));
                credentials
            }
        };
        let keys = credentials.keys(self.until(), stop)?;
        let unsigned = Unsigned {
            method: call.method,
            url,
            headers,
            body_sha256,
        };
        let wall_us = self.world.clock.wall_us();
        let signed = sign(unsigned, &keys, &self.settings.region, wall_us)?;
        headers.extend(signed);
        Ok(())
    }

    /// What is read stops with the run; what is written may use the drain.
    pub(super) fn until(&self) -> Until {
        match self.settings.side {
            Side::Input => Until::Stopped,
            Side::Output => Until::DrainEnd,
        }
    }

    /// The pause after an answer that leaves open what happened.
    pub(crate) fn pause_after(&self, trouble: &Trouble, stop: &Stop) {
        let _ = self.pause(1, Some(trouble), stop);
    }

    /// The pause before a body is asked for again from where it broke; whether there is still time to go on.
    pub(crate) fn pause_before(&self, attempt: u32, stop: &Stop) -> bool {
        self.pause(attempt, None, stop)
    }

    /// Waits before the attempt after `attempt`. Returns whether there is still time to go on.
    pub(super) fn pause(&self, attempt: u32, trouble: Option<&Trouble>, stop: &Stop) -> bool {
        let is_stopped = stop.wait(self.pause_length(attempt, trouble));
        match self.settings.side {
            Side::Input => !is_stopped,
            Side::Output => !stop.remaining_with_drain().is_zero(),
        }
    }

    /// Between half and whole of what doubles with each attempt, or what Retry-After asks for where that is longer.
    pub(super) fn pause_length(&self, attempt: u32, trouble: Option<&Trouble>) -> Duration {
        let longest = FIRST_PAUSE
            .saturating_mul(1 << attempt.saturating_sub(1).min(10))
            .min(LONGEST_PAUSE);
        let asked = match trouble {
            Some(Trouble::Refused(refusal, _)) => refusal.retry_after_seconds,
            Some(Trouble::Lost(_) | Trouble::NotSent(_)) | None => None,
        };
        let mut byte = [u8::MAX];
        // Without entropy the longest pause is as good as any.
        let _ = self.world.random.fill(&mut byte);
        let jitter = u32::from(u8::from_ne_bytes(byte));
        let pause = longest / 2 + longest / 2 * jitter / u32::from(u8::MAX);
        pause
            .max(Duration::from_secs(asked.unwrap_or(0)))
            .min(LONGEST_PAUSE)
    }
}

fn may_repeat(trouble: &Trouble, again: Again) -> bool {
    let may_pass = |error: &Error| error.kind() == Kind::Unavailable;
    match (trouble, again) {
        (Trouble::NotSent(error), _) | (Trouble::Lost(error), Again::Always) => may_pass(error),
        (Trouble::Lost(_), Again::WithoutEffect) => false,
        (Trouble::Refused(refusal, _), Again::Always) => refusal.is_transient(),
        // 408 and 5xx may have had an effect all the same (SPEC 7, rule 4); other complete refusals had none.
        (Trouble::Refused(refusal, _), Again::WithoutEffect) => {
            refusal.is_transient() && refusal.status != 408 && refusal.status < 500
        }
    }
}
