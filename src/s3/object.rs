//! GET, HEAD and PUT of one object.

use std::io::Read;
use std::ops::Range;

use super::errors::Refusal;
use super::request::{Call, etag};
use super::retry::{Again, Trouble};
use super::xml;
use super::{Client, Encryption};
use crate::digest::{base64, sha256};
use crate::error::{Error, Kind, shown};
use crate::http::{Header, Length, Method, Repeat, Response};
use crate::limits::S3_ERROR_BYTES;
use crate::random::Nonce;
use crate::stop::Stop;

/// The mark of a run on its objects (SPEC 7, rule 1).
pub(super) const NONCE: &str = "x-amz-meta-windrow-nonce";

/// An object being read.
pub struct Got {
    /// The state that is read, in quotes.
    pub etag: String,
    /// Bytes of the whole object.
    pub bytes: u64,
    /// Where the bucket keeps versions.
    pub version_id: Option<String>,
    /// The bytes asked for.
    pub body: Box<dyn Read + Send>,
}

/// What HEAD tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its state, in quotes; None where the store has none that can be pinned.
    pub etag: Option<String>,
    /// Its size.
    pub bytes: u64,
    /// Where the bucket keeps versions.
    pub version_id: Option<String>,
    /// The run that wrote it.
    pub nonce: Option<String>,
}

impl std::fmt::Debug for Got {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Got")
            .field("etag", &self.etag)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Opens an object, or a `range` of it that is not empty, in the state of `pinned` where given; None where it is
    /// absent.
    ///
    /// # Errors
    /// 66 where it is in another state; 76 where the answer is not what was asked for; S3's own.
    pub fn get(
        &self,
        key: &str,
        range: Option<Range<u64>>,
        pinned: Option<&str>,
        stop: &Stop,
    ) -> Result<Option<Got>, Error> {
        let mut call = Call::new(Method::Get, Some(key), "reading", "s3:GetObject");
        if let Some(etag) = pinned {
            call.headers.push(Header::new("if-match", etag));
        }
        if let Some(Range { start, end }) = range {
            let last = end.saturating_sub(1);
            let range = format!("bytes={start}-{last}");
            call.headers.push(Header::new("range", range));
        }
        let response = match self.call(&call, Again::Always, stop) {
            Ok(response) => response,
            Err(Trouble::Refused(refusal, _)) if refusal.is_absent() => return Ok(None),
            Err(Trouble::Refused(refusal, _)) if refusal.status == 412 => {
                return Err(changed(self.uri(key), &refusal.found()));
            }
            Err(trouble) => return Err(trouble.into_error()),
        };
        self.got(key, range, pinned, response).map(Some)
    }

    /// Checks that an answer is what was asked for.
    fn got(
        &self,
        key: &str,
        range: Option<Range<u64>>,
        pinned: Option<&str>,
        response: Response,
    ) -> Result<Got, Error> {
        let odd =
            |expected: &str, found: &str| odd_answer("reading", expected, found, self.uri(key));
        let Length::Exact(length) = response.length else {
            return Err(odd("a body with its length in the head", "one in chunks"));
        };
        let bytes = match (range, response.status) {
            (None, 200) => length,
            (None, status) => return Err(odd("200", &status.to_string())),
            (Some(asked), 206) => {
                let range = response.header("content-range").unwrap_or("none");
                let Range { start, end } = asked;
                whole_of(range, asked, length)
                    .ok_or_else(|| odd(&format!("bytes {start} to {end}"), range))?
            }
            (_, status) => {
                return Err(odd(
                    "206 and the range that was asked for",
                    &format!("{status}: the store ignores ranges"),
                ));
            }
        };
        let found = response.header("etag");
        let Some(etag) = found.and_then(etag) else {
            return Err(odd("a strong ETag", found.unwrap_or("none")));
        };
        // If-Match was sent; a store that ignores it must not pass off another state.
        if pinned.is_some_and(|pinned| pinned != etag) {
            return Err(changed(self.uri(key), &etag));
        }
        Ok(Got {
            etag,
            bytes,
            version_id: response.header("x-amz-version-id").map(str::to_owned),
            body: response.body,
        })
    }

    /// What is known of an object; None where it is absent.
    ///
    /// # Errors
    /// S3's own.
    pub fn head(&self, key: &str, stop: &Stop) -> Result<Option<Known>, Error> {
        let call = Call::new(Method::Head, Some(key), "looking at", "s3:GetObject");
        let response = match self.call(&call, Again::Always, stop) {
            Ok(response) => response,
            Err(Trouble::Refused(refusal, _)) if refusal.is_absent() => return Ok(None),
            Err(trouble) => return Err(trouble.into_error()),
        };
        let length = response.header("content-length").unwrap_or("none");
        let bytes = length
            .parse()
            .map_err(|_| odd_answer("looking at", "the object's length", length, self.uri(key)))?;
        Ok(Some(Known {
            etag: response.header("etag").and_then(etag),
            bytes,
            version_id: response.header("x-amz-version-id").map(str::to_owned),
            nonce: response.header(NONCE).map(str::to_owned),
        }))
    }

    /// Creates an object unless one is there; gives its version where the bucket keeps versions. What is ambiguous is not
    /// sent again.
    ///
    /// # Errors
    /// What became of it, as far as is known.
    pub fn put(
        &self,
        key: &str,
        body: &[u8],
        nonce: &Nonce,
        stop: &Stop,
    ) -> Result<Option<String>, Trouble> {
        let mut call = Call::new(Method::Put, Some(key), "writing", "s3:PutObject");
        call.body = body;
        call.repeat = Repeat::Never;
        call.headers = self.creating(nonce);
        call.headers.push(Header::new("if-none-match", "*"));
        call.headers.push(checksum(body));
        let mut response = self.call(&call, Again::WithoutEffect, stop)?;
        let version_id = response.header("x-amz-version-id").map(str::to_owned);
        match self.late_error(&mut response, &call)? {
            None => Ok(version_id),
            Some(trouble) => Err(trouble),
        }
    }

    /// The headers with which an object is created.
    pub(super) fn creating(&self, nonce: &Nonce) -> Vec<Header> {
        let mut headers = vec![Header::new(NONCE, nonce.as_str())];
        match &self.settings.encryption {
            None => {}
            Some(Encryption::Aes256) => {
                headers.push(Header::new("x-amz-server-side-encryption", "AES256"));
            }
            Some(Encryption::Kms(key)) => {
                headers.push(Header::new("x-amz-server-side-encryption", "aws:kms"));
                headers.push(Header::new(
                    "x-amz-server-side-encryption-aws-kms-key-id",
                    key,
                ));
            }
        }
        headers
    }

    /// A status of 200 whose body is an `<Error>` all the same; such an answer leaves open what happened.
    fn late_error(
        &self,
        response: &mut Response,
        call: &Call<'_>,
    ) -> Result<Option<Trouble>, Trouble> {
        let body = self.small(response, call)?;
        let refusal = Refusal::read(response, &body);
        match refusal.code.is_empty() {
            true => Ok(None),
            false => Ok(Some(Trouble::Lost(refusal.error(self, call)))),
        }
    }

    /// The body of a success, which has not come whole where this fails.
    pub(super) fn small(
        &self,
        response: &mut Response,
        call: &Call<'_>,
    ) -> Result<Vec<u8>, Trouble> {
        self.body(response, call, S3_ERROR_BYTES)
    }

    pub(super) fn body(
        &self,
        response: &mut Response,
        call: &Call<'_>,
        limit: usize,
    ) -> Result<Vec<u8>, Trouble> {
        let uri = self.uri(call.key.unwrap_or_default());
        let body = response
            .read_small(limit.saturating_add(1))
            .map_err(|failure| Trouble::Lost(failure.error(call.doing, uri.as_str())))?;
        self.counters().received(body.len());
        match body.len() > limit {
            false => Ok(body),
            true => {
                let expected = format!("an answer of at most {limit} bytes");
                Err(Trouble::Lost(odd_answer(
                    call.doing, &expected, "more", uri,
                )))
            }
        }
    }

    /// The root of an XML answer of that name.
    pub(super) fn document(
        &self,
        body: &[u8],
        call: &Call<'_>,
        name: &str,
    ) -> Result<xml::Element, Error> {
        let root = xml::parse(body);
        root.filter(|root| root.name == name).ok_or_else(|| {
            let uri = self.uri(call.key.unwrap_or_default());
            let found = shown(body.trim_ascii(), 200);
            odd_answer(call.doing, &format!("a <{name}> document"), &found, uri)
        })
    }
}

/// `x-amz-checksum-sha256` of a body.
pub(super) fn checksum(body: &[u8]) -> Header {
    let digest = base64(sha256(body).as_bytes());
    Header::new("x-amz-checksum-sha256", digest)
}

/// The size of the whole, of a `content-range` that is the one asked for, and of `length` bytes.
pub(crate) fn whole_of(range: &str, asked: Range<u64>, length: u64) -> Option<u64> {
    let (part, whole) = range.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = part.split_once('-')?;
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    let whole: u64 = whole.parse().ok()?;
    let end = last.checked_add(1)?;
    let is_asked = first == asked.start && end == asked.end && end <= whole;
    (is_asked && end.checked_sub(first)? == length).then_some(whole)
}

pub(super) fn odd_answer(doing: &'static str, expected: &str, found: &str, uri: String) -> Error {
    Error::new(
        Kind::Protocol,
        doing,
        expected,
        shown(found.as_bytes(), 200),
        "look at what answers at the endpoint: it does not do as S3 does",
    )
    .at_uri(uri)
}

/// 66, as SPEC 7, rule 8 has it.
pub(crate) fn changed(uri: String, found: &str) -> Error {
    Error::new(
        Kind::Input,
        "reading",
        "the state that was listed, to the end",
        format!("that the object changed ({found})"),
        "start again when nothing writes to the input any more",
    )
    .at_uri(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f039_ranges() {
        for (range, want) in [
            ("bytes 5-9/10", Some(10)),
            ("bytes 5-8/10", None),
            ("bytes 4-9/10", None),
            ("bytes 5-9/*", None),
            ("bytes 5-9/11", Some(11)),
            ("bytes 5-9/9", None),
            ("bytes 5-10/11", None),
            ("bytes */10", None),
            ("bytes 5-18446744073709551615/10", None),
            ("none", None),
            ("", None),
        ] {
            assert_eq!(whole_of(range, 5..10, 5), want, "{range}");
        }
    }
}
