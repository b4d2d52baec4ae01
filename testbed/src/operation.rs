//! Which operation of S3 a request asks for, on which bucket and key. It decides by method, path, Host and query,
//! never by what exists, so that a script can match a request before anything is done.

use serde::{Deserialize, Serialize};

use crate::http::Head;
use crate::percent;

/// What is asked for, by the names of S3's API reference, and two of the ECS agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are S3's own")]
pub enum Operation {
    GetObject,
    HeadObject,
    PutObject,
    DeleteObject,
    ListObjectsV2,
    CreateMultipartUpload,
    UploadPart,
    CompleteMultipartUpload,
    AbortMultipartUpload,
    ListMultipartUploads,
    HeadBucket,
    CreateBucket,
    /// Credentials of a task, at `/~ecs/credentials`.
    TaskCredentials,
    /// Metadata of a task and its container, below `/~ecs/v4`.
    TaskMetadata,
    /// Everything else, answered 501.
    Other,
}

impl Operation {
    /// Whether it changes what is stored; a sweep uses it to choose the faults that make sense.
    pub fn changes(self) -> bool {
        matches!(
            self,
            Operation::PutObject
                | Operation::DeleteObject
                | Operation::CreateMultipartUpload
                | Operation::UploadPart
                | Operation::CompleteMultipartUpload
                | Operation::AbortMultipartUpload
                | Operation::CreateBucket
        )
    }

    /// The right that a policy gives or takes for it.
    pub fn action(self) -> &'static str {
        match self {
            Operation::GetObject | Operation::HeadObject => "s3:GetObject",
            Operation::PutObject
            | Operation::CreateMultipartUpload
            | Operation::UploadPart
            | Operation::CompleteMultipartUpload => "s3:PutObject",
            Operation::DeleteObject => "s3:DeleteObject",
            Operation::AbortMultipartUpload => "s3:AbortMultipartUpload",
            Operation::ListObjectsV2 | Operation::HeadBucket => "s3:ListBucket",
            Operation::ListMultipartUploads => "s3:ListBucketMultipartUploads",
            Operation::CreateBucket => "s3:CreateBucket",
            Operation::TaskCredentials | Operation::TaskMetadata | Operation::Other => "s3:Other",
        }
    }
}

/// A request understood.
#[derive(Clone, Debug)]
pub struct Target {
    /// What is asked for.
    pub operation: Operation,
    /// The bucket; empty where none is named.
    pub bucket: String,
    /// The key, decoded; empty for the bucket itself.
    pub key: String,
    /// The query, decoded.
    pub query: Vec<(String, String)>,
    /// The path, decoded, which signatures and error documents hold.
    pub path: String,
}

impl Target {
    /// The value of a query parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let (_, value) = self.query.iter().find(|(known, _)| known == name)?;
        Some(value)
    }
}

/// Parameters that any request may carry: those of a presigned URL, and the name that AWS's clients add.
fn neutral(name: &str) -> bool {
    name == "x-id" || name.to_ascii_lowercase().starts_with("x-amz-")
}

/// Understands a request; none where its target is not UTF-8 once decoded.
pub fn target(head: &Head) -> Option<Target> {
    let path = percent::decode_text(&head.path)?;
    let query = percent::query(&head.query)?;
    let (bucket, key) = match virtual_host(head.header("host").unwrap_or_default()) {
        Some(bucket) => (bucket.to_owned(), path[1..].to_owned()),
        None => match path[1..].split_once('/') {
            Some((bucket, key)) => (bucket.to_owned(), key.to_owned()),
            None => (path[1..].to_owned(), String::new()),
        },
    };
    let names: Vec<&str> = query
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| !neutral(name))
        .collect();
    let operation = if bucket == "~ecs" {
        match (head.method.as_str(), key.split('/').next()) {
            ("GET", Some("credentials")) => Operation::TaskCredentials,
            ("GET", Some("v4")) => Operation::TaskMetadata,
            _ => Operation::Other,
        }
    } else {
        operation(&head.method, key.is_empty(), &names)
    };
    Some(Target {
        operation,
        bucket,
        key,
        query,
        path,
    })
}

fn operation(method: &str, on_bucket: bool, names: &[&str]) -> Operation {
    let has = |name: &str| names.contains(&name);
    let only = |known: &[&str]| names.iter().all(|name| known.contains(name));
    if on_bucket {
        return match method {
            "GET" if has("uploads") => Operation::ListMultipartUploads,
            "GET" if has("list-type") => Operation::ListObjectsV2,
            "HEAD" if names.is_empty() => Operation::HeadBucket,
            "PUT" if names.is_empty() => Operation::CreateBucket,
            _ => Operation::Other,
        };
    }
    match method {
        "GET" if only(&["versionId"]) => Operation::GetObject,
        "HEAD" if only(&["versionId"]) => Operation::HeadObject,
        "PUT" if names.is_empty() => Operation::PutObject,
        "PUT" if has("uploadId") && has("partNumber") && names.len() == 2 => Operation::UploadPart,
        "POST" if names == ["uploads"] => Operation::CreateMultipartUpload,
        "POST" if names == ["uploadId"] => Operation::CompleteMultipartUpload,
        "DELETE" if names == ["uploadId"] => Operation::AbortMultipartUpload,
        "DELETE" if only(&["versionId"]) => Operation::DeleteObject,
        _ => Operation::Other,
    }
}

/// The bucket of a virtual-hosted address: what stands before `.s3.`, `.s3-` or `.localhost`.
fn virtual_host(host: &str) -> Option<&str> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    for mark in [".s3.", ".s3-"] {
        if let Some((bucket, tail)) = name.rsplit_once(mark)
            && (tail.ends_with("amazonaws.com") || tail == "localhost")
        {
            return Some(bucket);
        }
    }
    name.strip_suffix(".localhost")
        .filter(|bucket| *bucket != "s3")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations() {
        let path_style = "127.0.0.1:9";
        for (name, method, host, path, query, want) in [
            (
                "get",
                "GET",
                path_style,
                "/b/k",
                "",
                (Operation::GetObject, "b", "k"),
            ),
            (
                "odd key",
                "GET",
                path_style,
                "/b//a%2Fb/..%20",
                "x-id=GetObject",
                (Operation::GetObject, "b", "/a/b/.. "),
            ),
            (
                "virtual",
                "HEAD",
                "b.c.s3.eu-west-1.amazonaws.com",
                "/k",
                "",
                (Operation::HeadObject, "b.c", "k"),
            ),
            (
                "loopback",
                "PUT",
                "b.localhost:80",
                "/k",
                "",
                (Operation::PutObject, "b", "k"),
            ),
            (
                "list",
                "GET",
                path_style,
                "/b/",
                "list-type=2",
                (Operation::ListObjectsV2, "b", ""),
            ),
            (
                "create",
                "POST",
                path_style,
                "/b/k",
                "uploads",
                (Operation::CreateMultipartUpload, "b", "k"),
            ),
            (
                "part",
                "PUT",
                path_style,
                "/b/k",
                "partNumber=1&uploadId=u",
                (Operation::UploadPart, "b", "k"),
            ),
            (
                "tags",
                "PUT",
                path_style,
                "/b/k",
                "tagging",
                (Operation::Other, "b", "k"),
            ),
            (
                "task",
                "GET",
                path_style,
                "/~ecs/credentials",
                "",
                (Operation::TaskCredentials, "~ecs", "credentials"),
            ),
        ] {
            let head = Head {
                method: method.into(),
                path: path.into(),
                query: query.into(),
                headers: vec![("host".into(), host.into())],
            };
            let got = target(&head).expect("it is UTF-8");
            assert_eq!(
                (got.operation, got.bucket.as_str(), got.key.as_str()),
                want,
                "{name}"
            );
        }
    }
}
