//! Objects that arrive in parts (SPEC 7, rule 10).

use std::fmt::Write;

use super::Client;
use super::errors::Refusal;
use super::object::{checksum, odd_answer};
use super::request::{Call, etag};
use super::retry::{Again, Trouble};
use super::xml;
use crate::error::{Error, Result};
use crate::http::{Header, Limits, Method, Repeat};
use crate::random::Nonce;
use crate::stop::Stop;

/// What S3 gave for a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartReceipt {
    /// In quotes.
    pub etag: String,
    /// SHA-256 in base64, as it was sent.
    pub sha256: String,
}

/// How the end of an upload went.
#[derive(Clone, Debug)]
pub enum Uploaded {
    /// The object is there.
    Created {
        /// Where the bucket keeps versions.
        version_id: Option<String>,
    },
    /// As [`Trouble`], with what a 200 turned out to be.
    Not(Trouble),
}

impl Client {
    /// Begins an upload and gives its id.
    ///
    /// # Errors
    /// S3's own. What is lost may leave an upload that nobody knows: docs/s3.md tells how to have it dropped.
    pub fn create_upload(&self, key: &str, nonce: &Nonce, stop: &Stop) -> Result<String> {
        let mut call = Call::new(Method::Post, Some(key), "writing", "s3:PutObject");
        call.query = vec![("uploads", String::new())];
        call.headers = self.creating(nonce);
        call.headers
            .push(Header::new("x-amz-checksum-algorithm", "SHA256"));
        call.repeat = Repeat::Never;
        let body = self
            .call(&call, Again::Always, stop)
            .and_then(|mut response| self.small(&mut response, &call))
            .map_err(Trouble::into_error)?;
        let root = self.document(&body, &call, "InitiateMultipartUploadResult")?;
        match root.value("UploadId").map(str::trim) {
            Some(id) if !id.is_empty() => Ok(id.to_owned()),
            _ => Err(odd_answer("writing", "an upload id", "none", self.uri(key))),
        }
    }

    /// Stores a part. It may be sent twice: the last one counts, and both are the same.
    ///
    /// # Errors
    /// S3's own.
    pub fn upload_part(
        &self,
        key: &str,
        upload_id: &str,
        number: u32,
        body: &[u8],
        stop: &Stop,
    ) -> Result<PartReceipt> {
        let mut call = Call::new(Method::Put, Some(key), "writing", "s3:PutObject");
        call.query = vec![
            ("partNumber", number.to_string()),
            ("uploadId", upload_id.to_owned()),
        ];
        let sha256 = checksum(body);
        call.headers = vec![sha256.clone()];
        call.body = body;
        let response = self
            .call(&call, Again::Always, stop)
            .map_err(Trouble::into_error)?;
        let found = response.header("etag");
        match found.and_then(etag) {
            Some(etag) => Ok(PartReceipt {
                etag,
                sha256: sha256.value,
            }),
            None => Err(odd_answer(
                "writing",
                "a part's ETag",
                found.unwrap_or("none"),
                self.uri(key),
            )),
        }
    }

    /// Makes the object of its parts unless one is there. Sent once: what is ambiguous is settled by the caller.
    pub fn complete_upload(
        &self,
        key: &str,
        upload_id: &str,
        parts: &[(u32, PartReceipt)],
        stop: &Stop,
    ) -> Uploaded {
        let body = document_of(parts);
        let mut call = Call::new(Method::Post, Some(key), "committing", "s3:PutObject");
        call.query = vec![("uploadId", upload_id.to_owned())];
        call.headers = vec![Header::new("if-none-match", "*")];
        call.body = body.as_bytes();
        call.limits = Limits::COMPLETE;
        call.repeat = Repeat::Never;
        let mut response = match self.call(&call, Again::WithoutEffect, stop) {
            Ok(response) => response,
            Err(trouble) => return Uploaded::Not(trouble),
        };
        // 200 only means that S3 has begun: the body, after white space of minutes, says how it ended.
        let body = match self.small(&mut response, &call) {
            Ok(body) => body,
            Err(trouble) => return Uploaded::Not(trouble),
        };
        match xml::parse(&body) {
            Some(root) if root.name == "CompleteMultipartUploadResult" => Uploaded::Created {
                version_id: response.header("x-amz-version-id").map(str::to_owned),
            },
            Some(root) if root.name == "Error" => {
                let mut refusal = Refusal {
                    status: status_of(root.value("Code").unwrap_or_default()),
                    ..Refusal::read(&response, &[])
                };
                refusal.take(&root);
                let error = refusal.error(self, &call);
                Uploaded::Not(Trouble::Refused(Box::new(refusal), error))
            }
            Some(_) | None => {
                let found = crate::error::shown(body.trim_ascii(), 200);
                let expected = "a whole <CompleteMultipartUploadResult> document";
                let error = odd_answer("committing", expected, &found, self.uri(key));
                Uploaded::Not(Trouble::Lost(error))
            }
        }
    }

    /// Drops an upload and its parts. One that is gone is dropped.
    ///
    /// # Errors
    /// S3's own.
    pub fn abort_upload(&self, key: &str, upload_id: &str, stop: &Stop) -> Result<()> {
        let mut call = Call::new(
            Method::Delete,
            Some(key),
            "dropping the parts of",
            "s3:AbortMultipartUpload",
        );
        call.query = vec![("uploadId", upload_id.to_owned())];
        call.repeat = Repeat::Never;
        match self.call(&call, Again::Always, stop) {
            Ok(_) => Ok(()),
            Err(Trouble::Refused(refusal, _)) if refusal.status == 404 => Ok(()),
            Err(trouble) => Err::<(), Error>(trouble.into_error()),
        }
    }
}

/// The status that S3 would have sent with a code, had it known in time.
/// Source: "CompleteMultipartUpload", Amazon S3 API Reference; "Error responses" there.
fn status_of(code: &str) -> u16 {
    match code {
        "PreconditionFailed" => 412,
        "ConditionalRequestConflict" | "OperationAborted" => 409,
        "NoSuchUpload" | "NoSuchBucket" => 404,
        "AccessDenied" | "SignatureDoesNotMatch" | "ExpiredToken" | "InvalidAccessKeyId" => 403,
        "InvalidPart" | "InvalidPartOrder" | "EntityTooSmall" | "MalformedXML"
        | "InvalidRequest" => 400,
        "NotImplemented" => 501,
        "SlowDown" | "ServiceUnavailable" => 503,
        _ => 500,
    }
}

fn document_of(parts: &[(u32, PartReceipt)]) -> String {
    let mut text =
        String::from("<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (number, PartReceipt { etag, sha256 }) in parts {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "<Part><PartNumber>{number}</PartNumber><ETag>{}</ETag><ChecksumSHA256>{sha256}</ChecksumSHA256></Part>",
            xml::escaped(etag),
        );
    }
    text.push_str("</CompleteMultipartUpload>");
    text
}
