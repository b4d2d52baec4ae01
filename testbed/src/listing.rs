//! ListObjectsV2, and ListMultipartUploads for tests.

use crate::answer::Work;
use crate::digest::{base64, from_base64};
use crate::http::Reply;
use crate::objects::quoted;
use crate::percent;
use crate::refusal::Refusal;
use crate::xml::{element, escape};

const PAGE: usize = 1000;

/// One page of keys, in the order of their bytes.
///
/// Source: Amazon S3 API Reference, "ListObjectsV2".
pub(crate) fn objects(work: &Work<'_>) -> Result<Reply, Refusal> {
    let parameter = |name: &str| work.target.parameter(name);
    if parameter("list-type") != Some("2") {
        return Err(Refusal::argument(
            "list-type",
            parameter("list-type").unwrap_or_default(),
            "Invalid List Type",
        ));
    }
    let url = encoding(work)?;
    let encoded = |text: &str| {
        if url {
            url_encoded(text)
        } else {
            text.to_owned()
        }
    };
    let limit = match parameter("max-keys") {
        None => PAGE,
        Some(text) => text
            .parse::<usize>()
            .map_err(|_| {
                Refusal::argument(
                    "max-keys",
                    text,
                    "Provided max-keys not an integer or within integer range",
                )
            })?
            .min(PAGE),
    };
    let prefix = parameter("prefix").unwrap_or_default();
    let delimiter = parameter("delimiter").filter(|text| !text.is_empty());
    let after = match parameter("continuation-token") {
        Some(token) => from_base64(token)
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or_else(|| {
                Refusal::argument(
                    "continuation-token",
                    token,
                    "The continuation token provided is incorrect",
                )
            })?,
        None => parameter("start-after").unwrap_or_default().to_owned(),
    };
    let page = page(work, prefix, delimiter, &after, limit);
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">",
    );
    text += &element("Name", &work.target.bucket);
    text += &element("Prefix", &encoded(prefix));
    if let Some(delimiter) = delimiter {
        text += &element("Delimiter", &encoded(delimiter));
    }
    if url {
        text += "<EncodingType>url</EncodingType>";
    }
    if let Some(start) = parameter("start-after") {
        text += &element("StartAfter", &encoded(start));
    }
    if let Some(token) = parameter("continuation-token") {
        text += &element("ContinuationToken", token);
    }
    text += &element(
        "KeyCount",
        &(page.entries.len() + page.prefixes.len()).to_string(),
    );
    text += &element("MaxKeys", &limit.to_string());
    text += &element(
        "IsTruncated",
        if page.next.is_some() { "true" } else { "false" },
    );
    if let Some(next) = &page.next {
        text += &element("NextContinuationToken", &base64(next.as_bytes()));
    }
    for entry in &page.entries {
        text += "<Contents>";
        text += &element("Key", &encoded(&entry.key));
        text += &element("LastModified", &entry.modified);
        text += &element("ETag", &quoted(&entry.etag));
        text += &element("Size", &entry.bytes.to_string());
        text += &element("StorageClass", &entry.class);
        text += "</Contents>";
    }
    for prefix in &page.prefixes {
        text += &format!(
            "<CommonPrefixes>{}</CommonPrefixes>",
            element("Prefix", &encoded(prefix))
        );
    }
    text += "</ListBucketResult>";
    Ok(Reply::new(200, text).with("Content-Type", "application/xml"))
}

/// The uploads under way, all in one page.
pub(crate) fn uploads(work: &Work<'_>) -> Result<Reply, Refusal> {
    let url = encoding(work)?;
    let prefix = work.target.parameter("prefix").unwrap_or_default();
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListMultipartUploadsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">",
    );
    text += &element("Bucket", &work.target.bucket);
    text += "<IsTruncated>false</IsTruncated>";
    let state = work.store.lock();
    for (id, upload) in &state.uploads {
        if upload.bucket == work.target.bucket && upload.key.starts_with(prefix) {
            let key = if url {
                url_encoded(&upload.key)
            } else {
                upload.key.clone()
            };
            text += &format!(
                "<Upload><Key>{}</Key><UploadId>{}</UploadId><Initiated>{}</Initiated><StorageClass>STANDARD</StorageClass></Upload>",
                escape(&key),
                escape(id),
                upload.initiated.iso()
            );
        }
    }
    text += "</ListMultipartUploadsResult>";
    Ok(Reply::new(200, text).with("Content-Type", "application/xml"))
}

struct Entry {
    key: String,
    modified: String,
    etag: String,
    bytes: usize,
    class: String,
}

#[derive(Default)]
struct Page {
    entries: Vec<Entry>,
    prefixes: Vec<String>,
    /// Where the next page starts after, if there is one.
    next: Option<String>,
}

fn page(work: &Work<'_>, prefix: &str, delimiter: Option<&str>, after: &str, limit: usize) -> Page {
    let state = work.store.lock();
    let mut page = Page::default();
    let Some(bucket) = state.buckets.get(&work.target.bucket) else {
        return page;
    };
    let mut last = after.to_owned();
    for (key, history) in bucket.keys.range(prefix.max(after).to_owned()..) {
        if !key.starts_with(prefix) {
            break;
        }
        let Some(version) = history.last() else {
            continue;
        };
        let Some(object) = &version.object else {
            continue;
        };
        if key.as_str() <= after {
            continue;
        }
        let common = delimiter.and_then(|delimiter| {
            let at = key[prefix.len()..].find(delimiter)?;
            Some(key[..prefix.len() + at + delimiter.len()].to_owned())
        });
        // A token may be a common prefix, which everything below it belongs to.
        if common.as_deref().is_some_and(|common| {
            common == last || page.prefixes.last().is_some_and(|known| known == common)
        }) {
            continue;
        }
        if page.entries.len() + page.prefixes.len() == limit {
            page.next = (limit > 0).then_some(last);
            break;
        }
        last = common.clone().unwrap_or_else(|| key.clone());
        match common {
            Some(common) => page.prefixes.push(common),
            None => page.entries.push(Entry {
                key: key.clone(),
                modified: version.modified.iso(),
                etag: object.etag.clone(),
                bytes: object.body.len(),
                class: object
                    .header("x-amz-storage-class")
                    .unwrap_or("STANDARD")
                    .to_owned(),
            }),
        }
    }
    page
}

fn encoding(work: &Work<'_>) -> Result<bool, Refusal> {
    match work.target.parameter("encoding-type") {
        None => Ok(false),
        Some("url") => Ok(true),
        Some(other) => Err(Refusal::argument(
            "encoding-type",
            other,
            "Invalid Encoding Method specified in Request",
        )),
    }
}

/// S3 encodes listings as forms are: a space is a plus. Slashes and stars stay.
fn url_encoded(text: &str) -> String {
    percent::encode(text.as_bytes(), b"/* ")
        .replace(' ', "+")
        .replace('~', "%7E")
}
