//! One object under an `https://` URI, to be read (SPEC 3 and 10). A range of it is asked for only where the server tells
//! a strong ETag, which pins the state that was listed; else it is read once, from first byte to last, with the length
//! that was listed.
//!
//! No redirect is followed: HEADERS may be meant for nobody else. Bodies of refusals are not shown, since they may repeat
//! what the query string hides. Each request is sent once: attempts are for S3.

#[cfg(test)]
mod tests;

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Entry, Opened, Pattern, Readable, Stretch, fill, lifted};
use crate::config::redact;
use crate::error::{Error, Kind, Result, shown};
use crate::http::{
    Failure, Header, Length, Limits, Method, Repeat, Request, Response, Transport, Until,
};
use crate::s3::{changed, etag, whole_of};
use crate::stop::Stop;

/// Where one object is. Its key is the whole URI, as it is sent; [`Readable::uri`] hides what is secret in them.
#[derive(Debug)]
pub struct HttpsStore {
    transport: Arc<dyn Transport>,
    headers: Vec<Header>,
    /// Whether the listing met a server that gives ranges.
    gives_ranges: AtomicBool,
}

/// What a server says of an object before its bytes.
struct Answer {
    response: Response,
    /// Of the body.
    length: u64,
    /// Strong, in quotes; empty where there is none.
    etag: String,
}

impl HttpsStore {
    /// A store for one object, asked for over `transport` with `headers`.
    #[must_use]
    pub fn new(transport: Arc<dyn Transport>, headers: Vec<Header>) -> Self {
        Self {
            transport,
            headers,
            gives_ranges: AtomicBool::new(false),
        }
    }

    /// Asks for `uri`, or for a range of it; None where it is absent. A status that is not in `good` is an error.
    fn get(
        &self,
        uri: &str,
        range: Option<&Range<u64>>,
        pinned: Option<&str>,
        good: &[u16],
        stop: &Stop,
    ) -> Result<Option<Answer>> {
        let mut headers = self.headers.clone();
        headers.push(Header::new("accept-encoding", "identity"));
        if let Some(Range { start, end }) = range {
            let last = end.saturating_sub(1);
            headers.push(Header::new("range", format!("bytes={start}-{last}")));
        }
        if let Some(etag) = pinned {
            headers.push(Header::new("if-match", etag));
        }
        let request = Request {
            method: Method::Get,
            url: uri,
            headers: &headers,
            body: &[],
            limits: Limits::USUAL,
            until: Until::Stopped,
            repeat: Repeat::Silently,
        };
        let response = self
            .transport
            .send(&request, stop)
            .map_err(|failure| failure.error("reading", self.uri(uri)))?;
        match response.status {
            404 | 410 => return Ok(None),
            412 if pinned.is_some() => return Err(changed(self.uri(uri), "412")),
            status if good.contains(&status) => {}
            _ => return Err(refused(&response, pinned).at_uri(self.uri(uri))),
        }
        let Length::Exact(length) = response.length else {
            return Err(self.odd(uri, "a body with its length in the head", "one in chunks"));
        };
        let found = response.header("etag").and_then(etag).unwrap_or_default();
        // If-Match was sent; a server that ignores it must not pass off another state.
        if pinned.is_some_and(|pinned| pinned != found) {
            let found = format!("the ETag {}", shown(found.as_bytes(), 80));
            return Err(changed(self.uri(uri), &found));
        }
        Ok(Some(Answer {
            response,
            length,
            etag: found,
        }))
    }

    fn odd(&self, uri: &str, expected: &str, found: &str) -> Error {
        Error::new(
            Kind::Protocol,
            "reading",
            expected,
            shown(found.as_bytes(), 200),
            "look at what answers there; fetch the object by other means where it cannot do so",
        )
        .at_uri(self.uri(uri))
    }

    fn content_range(answer: &Answer) -> &str {
        answer.response.header("content-range").unwrap_or("none")
    }
}

impl Readable for HttpsStore {
    fn uri(&self, key: &str) -> String {
        redact::hidden(key)
    }

    /// Asks for the first byte: HEAD is refused where a signature in the URI is for GET.
    fn list_each(
        &self,
        pattern: &Pattern,
        stop: &Stop,
        take: &mut dyn FnMut(Entry) -> Result<()>,
    ) -> Result<()> {
        let uri = pattern.to_string();
        let first = 0..1;
        let Some(answer) = self.get(&uri, Some(&first), None, &[200, 206, 416], stop)? else {
            return Ok(());
        };
        let range = Self::content_range(&answer);
        let bytes = match answer.response.status {
            206 => whole_of(range, first, answer.length)
                .ok_or_else(|| self.odd(&uri, "the first byte, and the length", range))?,
            // Nothing has no first byte.
            416 if range == "bytes */0" => 0,
            416 => return Err(self.odd(&uri, "an empty object, or its first byte", range)),
            _ => answer.length,
        };
        self.gives_ranges
            .store(answer.response.status == 206, Ordering::Relaxed);
        take(Entry {
            key: uri.into(),
            bytes,
            etag: answer.etag.into(),
            file: None,
        })
    }

    fn open(&self, key: &str, etag: Option<&str>, stop: &Stop) -> Result<Option<Opened>> {
        let answer = self.get(key, None, etag, &[200], stop)?;
        Ok(answer.map(|answer| Opened {
            bytes: answer.length,
            etag: answer.etag,
            version_id: None,
            reader: Box::new(Body {
                body: answer.response.body,
                uri: self.uri(key),
            }),
        }))
    }

    fn has_ranges(&self, entry: &Entry) -> bool {
        !entry.etag.is_empty() && self.gives_ranges.load(Ordering::Relaxed)
    }

    fn range(
        &self,
        entry: &Entry,
        range: Range<u64>,
        mut room: Vec<u8>,
        stop: &Stop,
    ) -> Result<Option<Stretch>> {
        let uri = &entry.key;
        let is_whole = range == (0..entry.bytes);
        let (asked, status) = match is_whole {
            true => (None, 200),
            false => (Some(&range), 206),
        };
        let Some(answer) = self.get(uri, asked, Some(&entry.etag), &[status], stop)? else {
            return Ok(None);
        };
        let content_range = Self::content_range(&answer);
        let whole = match is_whole {
            true => answer.length,
            false => whole_of(content_range, range.clone(), answer.length)
                .ok_or_else(|| self.odd(uri, "the range that was asked for", content_range))?,
        };
        if whole != entry.bytes {
            return Err(changed(self.uri(uri), &format!("{whole} bytes")));
        }
        let body = Body {
            body: answer.response.body,
            uri: self.uri(uri),
        };
        fill(&mut room, answer.length, body).map_err(|cause| lifted(cause, &self.uri(uri)))?;
        Ok(Some(Stretch {
            bytes: room,
            version_id: None,
        }))
    }
}

/// What a status means that is none of those hoped for.
fn refused(response: &Response, pinned: Option<&str>) -> Error {
    let status = response.status;
    let (kind, found, advice) = match status {
        300..=399 => {
            let location = response.header("location").map(redact::uri);
            let location = location.unwrap_or_else(|| "nowhere".to_owned());
            (
                Kind::Input,
                format!("{status}, a redirect to {location}"),
                "redirects are not followed: name that address where it is to be trusted",
            )
        }
        401 | 403 | 407 => (
            Kind::Denied,
            status.to_string(),
            "look at the signature in the URI and when it lapses, or at WINDROW_HEADERS",
        ),
        408 | 425 | 429 | 500..=599 => (
            Kind::Unavailable,
            status.to_string(),
            "start again under a new RUN_ID when the server answers; look at what it limits",
        ),
        400..=499 => (Kind::Input, status.to_string(), "look at the URI"),
        _ => (
            Kind::Protocol,
            status.to_string(),
            "look at what answers there",
        ),
    };
    let expected = match pinned {
        Some(_) => "the object that was listed",
        None => "an object",
    };
    Error::new(kind, "reading", expected, found, advice)
}

/// A body whose failures are errors of the run.
struct Body {
    body: Box<dyn Read + Send>,
    uri: String,
}

impl Read for Body {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.body.read(into).map_err(|cause| {
            let error = Failure::of(cause).error("reading", self.uri.as_str());
            io::Error::other(error)
        })
    }
}
