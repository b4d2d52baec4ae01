//! Uploads in parts: create, part, complete, abort.

use std::sync::Arc;

use crate::answer::Work;
use crate::digest::{base64, from_base64, hex, md5, sha256};
use crate::http::Reply;
use crate::objects::{
    absent_if_asked, checksum, encryption, invalid, kept_headers, quoted, with_version,
};
use crate::refusal::Refusal;
use crate::store::{Object, Part, Upload};
use crate::xml::{self, element};

const PARTS: u32 = 10_000;
const NAMESPACE: &str = "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";

/// CreateMultipartUpload.
pub(crate) fn create(work: &Work<'_>) -> Result<Reply, Refusal> {
    let headers = kept_headers(work)?;
    let algorithm = work.header("x-amz-checksum-algorithm").map(str::to_owned);
    if let Some(other) = algorithm
        .as_deref()
        .filter(|name| !matches!(*name, "SHA256" | "CRC32"))
    {
        return Err(Refusal::not_implemented(&format!(
            "the checksum algorithm {other}"
        )));
    }
    if work
        .header("x-amz-checksum-type")
        .is_some_and(|kind| kind != "COMPOSITE")
    {
        return Err(Refusal::not_implemented(
            "checksums of another type than COMPOSITE",
        ));
    }
    let mut state = work.store.lock();
    let id = state.fresh_id();
    let mut reply = Reply::new(
        200,
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<InitiateMultipartUploadResult {NAMESPACE}>{}{}{}</InitiateMultipartUploadResult>",
            element("Bucket", &work.target.bucket),
            element("Key", &work.target.key),
            element("UploadId", &id)
        ),
    )
    .with("Content-Type", "application/xml");
    reply.headers.extend(encryption(&headers));
    if let Some(algorithm) = &algorithm {
        reply = reply
            .with("x-amz-checksum-algorithm", algorithm)
            .with("x-amz-checksum-type", "COMPOSITE");
    }
    let upload = Upload {
        bucket: work.target.bucket.clone(),
        key: work.target.key.clone(),
        headers,
        algorithm,
        initiated: work.now,
        parts: std::collections::BTreeMap::new(),
    };
    state.uploads.insert(id, upload);
    Ok(reply)
}

/// UploadPart: a part sent again replaces the one before.
pub(crate) fn part(mut work: Work<'_>) -> Result<Reply, Refusal> {
    let text = work.target.parameter("partNumber").unwrap_or_default();
    let number = text
        .parse::<u32>()
        .ok()
        .filter(|number| (1..=PARTS).contains(number))
        .ok_or_else(|| {
            Refusal::argument(
                "partNumber",
                text,
                format!("Part number must be an integer between 1 and {PARTS}, inclusive"),
            )
        })?;
    let body = Arc::new(std::mem::take(&mut work.body));
    let checksum = checksum(&work, &body)?;
    let md5 = md5(&body);
    let mut state = work.store.lock();
    let upload = known(&work, state.uploads.get_mut(id(&work)))?;
    let sent = checksum
        .as_ref()
        .map(|(name, _)| name["x-amz-checksum-".len()..].to_owned());
    let wanted = upload.algorithm.as_ref().map(|name| name.to_lowercase());
    if wanted.is_some() && sent != wanted {
        return Err(invalid(&format!(
            "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
            wanted.unwrap_or_default(),
            sent.unwrap_or_else(|| "null".into())
        )));
    }
    let mut reply = Reply::new(200, String::new()).with("ETag", quoted(&hex(&md5)));
    reply.headers.extend(encryption(&upload.headers));
    if let Some((name, value)) = &checksum {
        reply = reply.with(name, value);
    }
    upload.parts.insert(
        number,
        Part {
            body,
            md5,
            checksum,
        },
    );
    Ok(reply)
}

/// CompleteMultipartUpload: the parts named are the object, and the upload is gone.
pub(crate) fn complete(work: &Work<'_>) -> Result<Reply, Refusal> {
    let listed = listed(&work.body)?;
    let upload = known(work, work.store.lock().uploads.get_mut(id(work)))?.clone();
    // Outside the lock, because a large object takes its time. A part sent again meanwhile comes too late.
    let object = assembled(work, &upload, &listed)?;
    let mut state = work.store.lock();
    known(work, state.uploads.get_mut(id(work)))?;
    absent_if_asked(work, &state)?;
    let (etag, checksum, headers) = (
        object.etag.clone(),
        object.checksum.clone(),
        encryption(&object.headers),
    );
    let id_of_version = state
        .insert(&upload.bucket, &upload.key, Some(object), work.now)
        .unwrap_or_default();
    state.uploads.remove(id(work));
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<CompleteMultipartUploadResult {NAMESPACE}>"
    );
    text += &element(
        "Location",
        &format!("http://s3.amazonaws.com/{}/{}", upload.bucket, upload.key),
    );
    text += &element("Bucket", &upload.bucket);
    text += &element("Key", &upload.key);
    text += &element("ETag", &quoted(&etag));
    if let Some((name, value)) = &checksum {
        text += &element(&element_name(name), value);
        text += &element("ChecksumType", "COMPOSITE");
    }
    text += "</CompleteMultipartUploadResult>";
    let mut reply = Reply::new(200, text).with("Content-Type", "application/xml");
    reply.headers.extend(headers);
    Ok(with_version(reply, work.bucket, &id_of_version))
}

/// AbortMultipartUpload.
pub(crate) fn abort(work: &Work<'_>) -> Result<Reply, Refusal> {
    let mut state = work.store.lock();
    known(work, state.uploads.get_mut(id(work)))?;
    state.uploads.remove(id(work));
    Ok(Reply::new(204, String::new()))
}

fn id<'a>(work: &'a Work<'_>) -> &'a str {
    work.target.parameter("uploadId").unwrap_or_default()
}

fn known<'a>(work: &Work<'_>, found: Option<&'a mut Upload>) -> Result<&'a mut Upload, Refusal> {
    found
        .filter(|upload| upload.bucket == work.target.bucket && upload.key == work.target.key)
        .ok_or_else(|| {
            Refusal::new(
                404,
                "NoSuchUpload",
                "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
            )
            .detail("UploadId", id(work))
        })
}

/// A part as Complete names it.
struct Listed {
    number: u32,
    etag: String,
    /// Elements such as ChecksumSHA256.
    checksums: Vec<(String, String)>,
}

fn listed(body: &[u8]) -> Result<Vec<Listed>, Refusal> {
    let malformed = || {
        Refusal::new(
            400,
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        )
    };
    let text = std::str::from_utf8(body).map_err(|_| malformed())?;
    let document = xml::read(text)
        .filter(|root| root.name == "CompleteMultipartUpload")
        .ok_or_else(malformed)?;
    let mut parts = Vec::new();
    for part in &document.children {
        let number = part.child("PartNumber").and_then(|text| text.parse().ok());
        let (Some(number), Some(etag), "Part") = (number, part.child("ETag"), part.name.as_str())
        else {
            return Err(malformed());
        };
        let checksums = part
            .children
            .iter()
            .filter(|child| child.name.starts_with("Checksum"))
            .map(|child| (child.name.clone(), child.text.clone()))
            .collect();
        parts.push(Listed {
            number,
            etag: etag.trim_matches('"').to_owned(),
            checksums,
        });
    }
    if parts.is_empty() {
        return Err(malformed());
    }
    if !parts.is_sorted_by(|one, next| one.number < next.number) {
        return Err(Refusal::new(
            400,
            "InvalidPartOrder",
            "The list of parts was not in ascending order. The parts list must be specified in order by part number.",
        ));
    }
    Ok(parts)
}

/// The object that the parts make, every one of them checked.
fn assembled(work: &Work<'_>, upload: &Upload, listed: &[Listed]) -> Result<Object, Refusal> {
    let mut body = Vec::new();
    let (mut etags, mut digests) = (Vec::new(), Vec::new());
    for (place, named) in listed.iter().enumerate() {
        let part = upload
            .parts
            .get(&named.number)
            .filter(|part| hex(&part.md5) == named.etag);
        let Some(part) = part.filter(|part| named.checksums.iter().all(|sent| matches(part, sent)))
        else {
            return Err(Refusal::new(
                400,
                "InvalidPart",
                "One or more of the specified parts could not be found. The part may not have been uploaded, or the \
                 specified entity tag may not match the part's entity tag.",
            )
            .detail("UploadId", id(work))
            .detail("PartNumber", named.number.to_string())
            .detail("ETag", &named.etag));
        };
        if let Some(algorithm) = upload
            .algorithm
            .as_ref()
            .filter(|_| named.checksums.is_empty())
        {
            let algorithm = algorithm.to_lowercase();
            return Err(invalid(&format!(
                "The upload was created using a {algorithm} checksum. The complete request must include the checksum \
                 for each part. It was missing for part {} in the request.",
                named.number
            )));
        }
        if part.body.len() < work.min_part_bytes && place + 1 < listed.len() {
            return Err(Refusal::new(
                400,
                "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed size",
            )
            .detail("ProposedSize", part.body.len().to_string())
            .detail("MinSizeAllowed", work.min_part_bytes.to_string())
            .detail("PartNumber", named.number.to_string())
            .detail("ETag", &named.etag));
        }
        body.extend_from_slice(&part.body);
        etags.extend_from_slice(&part.md5);
        if let Some((_, value)) = &part.checksum {
            digests.extend(from_base64(value).unwrap_or_default());
        }
    }
    let size = work
        .header("x-amz-mp-object-size")
        .and_then(|text| text.parse::<usize>().ok());
    if size.is_some_and(|size| size != body.len()) {
        return Err(invalid(
            "The provided 'x-amz-mp-object-size' header does not match what was computed.",
        ));
    }
    let checksum = upload.algorithm.as_ref().map(|algorithm| {
        let digest = match algorithm.as_str() {
            "SHA256" => base64(&sha256(&digests)),
            _ => base64(&crate::digest::crc32(&digests)),
        };
        (
            format!("x-amz-checksum-{}", algorithm.to_lowercase()),
            format!("{digest}-{}", listed.len()),
        )
    });
    Ok(Object {
        body: Arc::new(body),
        etag: format!("{}-{}", hex(&md5(&etags)), listed.len()),
        headers: upload.headers.clone(),
        checksum,
    })
}

fn matches(part: &Part, (name, value): &(String, String)) -> bool {
    part.checksum
        .as_ref()
        .is_some_and(|(header, known)| element_name(header) == *name && known == value)
}

/// `x-amz-checksum-sha256` is `ChecksumSHA256` in XML.
fn element_name(header: &str) -> String {
    format!(
        "Checksum{}",
        header["x-amz-checksum-".len()..].to_uppercase()
    )
}
