//! GET, HEAD, PUT and DELETE of one object.

use std::ops::Range;
use std::sync::Arc;

use crate::answer::Work;
use crate::digest::{base64, crc32, from_base64, hex, md5, sha256};
use crate::http::{Body, Reply};
use crate::operation::Operation;
use crate::refusal::Refusal;
use crate::store::{Conditions, Object, Settings, State, Version};

const KEY_BYTES: usize = 1024;
const METADATA_BYTES: usize = 2048;

/// GET and HEAD: conditions, then the range, then the bytes.
pub(crate) fn get(work: &Work<'_>) -> Result<Reply, Refusal> {
    let wanted = work.target.parameter("versionId");
    let version = find(work, wanted)?;
    let Some(object) = &version.object else {
        let marked = |refusal: Refusal| {
            refusal
                .header("x-amz-delete-marker", "true")
                .header("x-amz-version-id", &version.id)
        };
        return Err(marked(match wanted {
            Some(_) => Refusal::new(
                405,
                "MethodNotAllowed",
                "The specified method is not allowed against this resource.",
            ),
            None => no_such_key(work),
        }));
    };
    let condition = |name: &str| work.header(name).map(|text| etags(text, &object.etag));
    if condition("if-match") == Some(false) {
        return Err(Refusal::precondition("If-Match"));
    }
    if condition("if-none-match") == Some(true) {
        return Err(Refusal::new(304, "NotModified", "").header("ETag", quoted(&object.etag)));
    }
    let class = object.header("x-amz-storage-class");
    if matches!(class, Some("GLACIER" | "DEEP_ARCHIVE"))
        && work.target.operation == Operation::GetObject
    {
        return Err(Refusal::new(
            403,
            "InvalidObjectState",
            "The operation is not valid for the object's storage class",
        )
        .detail("StorageClass", class.unwrap_or_default()));
    }
    let total = object.body.len();
    let range = match work.header("range") {
        Some(text) => range(text, total)?,
        None => None,
    };
    let mut reply = match range.clone() {
        Some(range) => Reply::new(206, Body::part(Arc::clone(&object.body), range.clone())).with(
            "Content-Range",
            format!("bytes {}-{}/{total}", range.start, range.end - 1),
        ),
        None => Reply::new(200, Body::whole(Arc::clone(&object.body))),
    };
    reply = reply
        .with("ETag", quoted(&object.etag))
        .with("Last-Modified", version.modified.http())
        .with("Accept-Ranges", "bytes");
    if let (Some((name, value)), None, Some("ENABLED")) =
        (&object.checksum, &range, work.header("x-amz-checksum-mode"))
    {
        reply = reply
            .with(name, value)
            .with("x-amz-checksum-type", checksum_type(value));
    }
    reply.headers.extend(object.headers.iter().cloned());
    if object.header("content-type").is_none() {
        reply = reply.with("Content-Type", "binary/octet-stream");
    }
    Ok(with_version(reply, work.bucket, &version.id))
}

/// PUT: everything is checked before anything is kept.
pub(crate) fn put(mut work: Work<'_>) -> Result<Reply, Refusal> {
    let headers = kept_headers(&work)?;
    let body = Arc::new(std::mem::take(&mut work.body));
    let checksum = checksum(&work, &body)?;
    if work.bucket.object_lock && checksum.is_none() && work.header("content-md5").is_none() {
        return Err(Refusal::new(
            400,
            "InvalidRequest",
            "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters",
        ));
    }
    let mut object = Object::new(body, headers);
    object.checksum.clone_from(&checksum);
    if object.header("x-amz-server-side-encryption") != Some("AES256") {
        // With KMS an ETag is no digest of the data: whoever takes it for one must notice here.
        object.etag = hex(&md5(object.etag.as_bytes()));
    }
    let mut reply = Reply::new(200, String::new()).with("ETag", quoted(&object.etag));
    reply.headers.extend(encryption(&object.headers));
    if let Some((name, value)) = &checksum {
        reply = reply
            .with(name, value)
            .with("x-amz-checksum-type", "FULL_OBJECT");
    }
    let mut state = work.store.lock();
    absent_if_asked(&work, &state)?;
    let id = state
        .insert(
            &work.target.bucket,
            &work.target.key,
            Some(object),
            work.now,
        )
        .ok_or_else(|| no_such_key(&work))?;
    Ok(with_version(reply, work.bucket, &id))
}

/// DELETE: a marker in a bucket with versioning, and gone for good otherwise or where a version is named.
pub(crate) fn delete(work: &Work<'_>) -> Result<Reply, Refusal> {
    let mut state = work.store.lock();
    let Some(wanted) = work.target.parameter("versionId") else {
        let id = state
            .insert(&work.target.bucket, &work.target.key, None, work.now)
            .unwrap_or_default();
        let reply = Reply::new(204, String::new());
        return Ok(match work.bucket.versioning {
            true => reply
                .with("x-amz-delete-marker", "true")
                .with("x-amz-version-id", id),
            false => reply,
        });
    };
    if let Some(bucket) = state.buckets.get_mut(&work.target.bucket)
        && let Some(history) = bucket.keys.get_mut(&work.target.key)
    {
        history.retain(|version| version.id != wanted);
        if history.is_empty() {
            bucket.keys.remove(&work.target.key);
        }
    }
    Ok(Reply::new(204, String::new()).with("x-amz-version-id", wanted))
}

/// `If-None-Match: *` of PUT and Complete, looked at under the lock under which the object is put in place.
pub(crate) fn absent_if_asked(work: &Work<'_>, state: &State) -> Result<(), Refusal> {
    let asked = work.header("if-none-match");
    if work.bucket.demand_if_none_match && asked != Some("*") {
        return Err(Refusal::denied(
            "Access Denied by a bucket policy that demands If-None-Match",
        ));
    }
    match (asked, work.bucket.conditions) {
        (None, _) | (Some(_), Conditions::Ignored) => Ok(()),
        (Some(_), Conditions::Refused) => Err(Refusal::new(
            501,
            "NotImplemented",
            "A header you provided implies functionality that is not implemented",
        )
        .detail("Header", "If-None-Match")),
        (Some("*"), Conditions::Kept) => {
            let bucket = state.buckets.get(&work.target.bucket);
            match bucket.is_some_and(|bucket| bucket.holds(&work.target.key)) {
                true => Err(Refusal::precondition("If-None-Match")),
                false => Ok(()),
            }
        }
        (Some(_), Conditions::Kept) => Err(Refusal::new(
            501,
            "NotImplemented",
            "A header you provided implies functionality that is not implemented",
        )
        .detail("Header", "If-None-Match")),
    }
}

/// What PUT and Create keep of a request's headers, encryption settled.
pub(crate) fn kept_headers(work: &Work<'_>) -> Result<Vec<(String, String)>, Refusal> {
    let key = &work.target.key;
    if key.len() > KEY_BYTES {
        return Err(Refusal::new(400, "KeyTooLongError", "Your key is too long")
            .detail("Size", key.len().to_string())
            .detail("MaxSizeAllowed", KEY_BYTES.to_string()));
    }
    for refused in [
        "x-amz-copy-source",
        "if-match",
        "x-amz-tagging",
        "x-amz-server-side-encryption-customer-algorithm",
    ] {
        if work.header(refused).is_some() {
            return Err(Refusal::not_implemented(refused));
        }
    }
    const KEPT: [&str; 6] = [
        "content-type",
        "content-encoding",
        "content-language",
        "content-disposition",
        "cache-control",
        "x-amz-storage-class",
    ];
    let mut headers: Vec<(String, String)> = work
        .head
        .headers
        .iter()
        .filter(|(name, _)| KEPT.contains(&name.as_str()) || name.starts_with("x-amz-meta-"))
        .cloned()
        .collect();
    let metadata: usize = headers
        .iter()
        .filter_map(|(name, value)| Some(name.strip_prefix("x-amz-meta-")?.len() + value.len()))
        .sum();
    if metadata > METADATA_BYTES {
        return Err(Refusal::new(
            400,
            "MetadataTooLarge",
            "Your metadata headers exceed the maximum allowed metadata size",
        )
        .detail("Size", metadata.to_string())
        .detail("MaxSizeAllowed", METADATA_BYTES.to_string()));
    }
    headers.extend(settled_encryption(work)?);
    Ok(headers)
}

fn settled_encryption(work: &Work<'_>) -> Result<Vec<(String, String)>, Refusal> {
    const SSE: &str = "x-amz-server-side-encryption";
    const KEY_ID: &str = "x-amz-server-side-encryption-aws-kms-key-id";
    let asked = work.header(SSE);
    if work
        .bucket
        .demand_sse
        .as_deref()
        .is_some_and(|demanded| asked != Some(demanded))
    {
        return Err(Refusal::denied(
            "Access Denied by a bucket policy that demands encryption",
        ));
    }
    let method = asked
        .or(work.bucket.default_sse.as_deref())
        .unwrap_or("AES256");
    let mut headers = vec![(SSE.to_owned(), method.to_owned())];
    match (method, work.header(KEY_ID)) {
        ("AES256", None) => {}
        ("AES256", Some(id)) => {
            return Err(Refusal::argument(
                KEY_ID,
                id,
                "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms",
            ));
        }
        ("aws:kms", id) => {
            let id = id.unwrap_or("arn:aws:kms:us-east-1:111122223333:key/default");
            headers.push((KEY_ID.to_owned(), id.to_owned()));
        }
        (other, _) => {
            return Err(Refusal::argument(
                SSE,
                other,
                "The encryption method specified is not supported",
            ));
        }
    }
    Ok(headers)
}

/// The headers about encryption among those kept.
pub(crate) fn encryption(headers: &[(String, String)]) -> Vec<(String, String)> {
    let about = |header: &&(String, String)| header.0.starts_with("x-amz-server-side-encryption");
    headers.iter().filter(about).cloned().collect()
}

/// Verifies Content-MD5 and the checksum of a body; gives back the checksum's header and value.
pub(crate) fn checksum(work: &Work<'_>, body: &[u8]) -> Result<Option<(String, String)>, Refusal> {
    if let Some(sent) = work.header("content-md5") {
        if from_base64(sent).is_none_or(|bytes| bytes.len() != 16) {
            return Err(Refusal::new(
                400,
                "InvalidDigest",
                "The Content-MD5 you specified was invalid.",
            ));
        }
        if sent != base64(&md5(body)) {
            return Err(Refusal::new(
                400,
                "BadDigest",
                "The Content-MD5 you specified did not match what we received.",
            ));
        }
    }
    let mut sent = work.head.headers.iter().filter(|(name, _)| {
        name.starts_with("x-amz-checksum-")
            && !matches!(
                name.as_str(),
                "x-amz-checksum-algorithm" | "x-amz-checksum-type"
            )
    });
    let Some((name, value)) = sent.next() else {
        return Ok(None);
    };
    if sent.next().is_some() {
        return Err(invalid(
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
        ));
    }
    let (computed, word) = match name.as_str() {
        "x-amz-checksum-sha256" => (base64(&sha256(body)), "SHA256"),
        "x-amz-checksum-crc32" => (base64(&crc32(body)), "CRC32"),
        other => return Err(Refusal::not_implemented(other)),
    };
    if from_base64(value).is_none() || value.len() != computed.len() {
        return Err(invalid(&format!("Value for {name} header is invalid.")));
    }
    if *value != computed {
        let message = format!("The {word} you specified did not match the calculated checksum.");
        return Err(Refusal::new(400, "BadDigest", message));
    }
    Ok(Some((name.clone(), computed)))
}

/// `InvalidRequest` with a message.
pub(crate) fn invalid(message: &str) -> Refusal {
    Refusal::new(400, "InvalidRequest", message)
}

/// An ETag as it goes out.
pub(crate) fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

/// FULL_OBJECT, or COMPOSITE for the checksum of checksums.
pub(crate) fn checksum_type(value: &str) -> &'static str {
    if value.contains('-') {
        "COMPOSITE"
    } else {
        "FULL_OBJECT"
    }
}

/// The answer with the version's id, in a bucket that has them.
pub(crate) fn with_version(reply: Reply, bucket: &Settings, id: &str) -> Reply {
    if bucket.versioning {
        reply.with("x-amz-version-id", id)
    } else {
        reply
    }
}

/// 404, or 403 to somebody who may not list.
fn no_such_key(work: &Work<'_>) -> Refusal {
    if !work.may_list {
        return Refusal::denied("Access Denied");
    }
    Refusal::new(404, "NoSuchKey", "The specified key does not exist.")
        .detail("Key", &work.target.key)
}

fn find(work: &Work<'_>, wanted: Option<&str>) -> Result<Version, Refusal> {
    let state = work.store.lock();
    let bucket = state.buckets.get(&work.target.bucket);
    let history = bucket.and_then(|bucket| bucket.keys.get(&work.target.key));
    let Some(wanted) = wanted else {
        let current = history.and_then(|history| history.last());
        return current.cloned().ok_or_else(|| no_such_key(work));
    };
    let named = history.and_then(|history| history.iter().find(|version| version.id == wanted));
    named.cloned().ok_or_else(|| {
        Refusal::new(
            404,
            "NoSuchVersion",
            "The specified version does not exist.",
        )
        .detail("Key", &work.target.key)
        .detail("VersionId", wanted)
    })
}

/// Whether a list of ETags, quoted or not, or `*`, holds this one. A weak one never matches.
fn etags(text: &str, etag: &str) -> bool {
    text == "*"
        || text
            .split(',')
            .any(|one| one.trim().trim_matches('"') == etag)
}

/// The bytes asked for; none where the header is not one that S3 heeds (several ranges, another unit).
fn range(text: &str, total: usize) -> Result<Option<Range<usize>>, Refusal> {
    let Some((first, last)) = text
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'))
    else {
        return Ok(None);
    };
    let range = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(total),
        (Ok(first), Err(_)) if last.is_empty() => first..total,
        (Err(_), Ok(count)) if first.is_empty() => total.saturating_sub(count)..total,
        _ => return Ok(None),
    };
    if range.start >= range.end {
        return Err(Refusal::new(
            416,
            "InvalidRange",
            "The requested range is not satisfiable",
        )
        .detail("RangeRequested", text)
        .detail("ActualObjectSize", total.to_string())
        .header("Content-Range", format!("bytes */{total}")));
    }
    Ok(Some(range))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (text, want) in [
            ("bytes=0-0", Ok(Some(0..1))),
            ("bytes=2-", Ok(Some(2..10))),
            ("bytes=8-99", Ok(Some(8..10))),
            ("bytes=-3", Ok(Some(7..10))),
            ("bytes=-99", Ok(Some(0..10))),
            ("bytes=3-2", Ok(None)),
            ("bytes=0-1,4-5", Ok(None)),
            ("rows=0-1", Ok(None)),
            ("bytes=10-", Err(416)),
            ("bytes=-0", Err(416)),
        ] {
            assert_eq!(
                range(text, 10).map_err(|refusal| refusal.status),
                want,
                "{text}"
            );
        }
        assert!(
            range("bytes=0-", 0).is_err(),
            "an empty object has no range"
        );
    }
}
