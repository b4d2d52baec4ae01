//! ListObjectsV2, page by page.

use super::object::odd_answer;
use super::request::{Call, decode, etag};
use super::retry::{Again, Trouble};
use super::xml::Element;
use super::{Client, Counters};
use crate::error::{Error, Result, shown};
use crate::http::Method;
use crate::limits::LISTING_PAGE_BYTES;
use crate::stop::Stop;

/// A listed object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its whole key.
    pub key: String,
    /// Its size.
    pub bytes: u64,
    /// Its state, in quotes.
    pub etag: String,
}

impl Client {
    /// Hands every object below `prefix` to `take`, in the order of the listing, until that says no. Directory markers
    /// are skipped and counted.
    ///
    /// # Errors
    /// 76 where a page is not what S3 sends; S3's own; `take`'s.
    pub fn list(
        &self,
        prefix: &str,
        stop: &Stop,
        mut take: impl FnMut(Listed) -> Result<()>,
    ) -> Result<()> {
        let mut token: Option<String> = None;
        loop {
            let page = self.page(prefix, token.as_deref(), stop)?;
            let odd = |expected: &str, found: &str| {
                odd_answer("listing", expected, found, self.uri(prefix))
            };
            for contents in page.all("Contents") {
                let listed = listed(contents).ok_or_else(|| {
                    let key = contents.value("Key").unwrap_or("no key");
                    odd("a key, a size and a strong ETag", key)
                })?;
                if !listed.key.starts_with(prefix) {
                    return Err(odd("keys below the prefix", &listed.key));
                }
                match listed.bytes == 0 && listed.key.ends_with('/') {
                    true => Counters::add(&self.counters().markers, 1),
                    false => take(listed)?,
                }
            }
            if page.value("IsTruncated") != Some("true") {
                return Ok(());
            }
            let next = page.value("NextContinuationToken").unwrap_or_default();
            if next.is_empty() || token.as_deref() == Some(next) {
                let found = shown(next.as_bytes(), 80);
                return Err(odd("a new token with a page that is not the last", &found));
            }
            token = Some(next.to_owned());
        }
    }

    fn page(&self, prefix: &str, token: Option<&str>, stop: &Stop) -> Result<Element> {
        let mut call = Call::new(Method::Get, None, "listing", "s3:ListBucket");
        call.query = vec![
            ("encoding-type", "url".to_owned()),
            ("list-type", "2".to_owned()),
            ("prefix", prefix.to_owned()),
        ];
        if let Some(token) = token {
            call.query
                .insert(0, ("continuation-token", token.to_owned()));
        }
        let mut attempt = 1;
        loop {
            let body = self
                .call(&call, Again::Always, stop)
                .and_then(|mut response| self.body(&mut response, &call, LISTING_PAGE_BYTES));
            match body {
                Ok(body) => {
                    return self
                        .document(&body, &call, "ListBucketResult")
                        .map_err(|error| at(error, &self.uri(""), prefix));
                }
                // A page that breaks off is asked for again like one that never came.
                Err(trouble @ Trouble::Lost(_)) if attempt < self.settings.attempts => {
                    if !self.pause(attempt, Some(&trouble), stop) {
                        return Err(at(trouble.into_error(), &self.uri(""), prefix));
                    }
                    attempt += 1;
                }
                Err(trouble) => return Err(at(trouble.into_error(), &self.uri(""), prefix)),
            }
        }
    }
}

/// An error of the bucket, at what was listed of it; another one, such as of the credentials, keeps its place.
fn at(error: Error, bucket: &str, prefix: &str) -> Error {
    let place = error.detail().place.as_ref();
    match place.is_some_and(|place| place.uri == bucket) {
        true => error.at_uri(format!("{bucket}{prefix}")),
        false => error,
    }
}

fn listed(contents: &Element) -> Option<Listed> {
    Some(Listed {
        key: decode(contents.value("Key")?)?,
        bytes: contents.value("Size")?.trim().parse().ok()?,
        etag: etag(contents.value("ETag")?.trim())?,
    })
}
