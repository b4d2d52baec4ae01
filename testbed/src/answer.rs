//! From a request to the true answer: who asks, whether they may, and then the operation itself.

use crate::http::{Head, Reply};
use crate::listing;
use crate::moment::Moment;
use crate::multipart;
use crate::objects;
use crate::operation::{Operation, Target};
use crate::refusal::Refusal;
use crate::server::{Settings, Shared};
use crate::sign::{Caller, Check};
use crate::store;

/// A request that came whole.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its head.
    pub head: Head,
    /// What it asks for.
    pub target: Target,
    /// Its body.
    pub body: Vec<u8>,
    /// Headers that are looked at for the signature only.
    pub ignored: Vec<String>,
    /// `x-amz-request-id` of the answer.
    pub request_id: String,
    /// `x-amz-id-2` of the answer.
    pub host_id: String,
}

/// What an operation works on.
pub(crate) struct Work<'a> {
    pub(crate) head: &'a Head,
    pub(crate) target: &'a Target,
    pub(crate) body: Vec<u8>,
    pub(crate) now: Moment,
    pub(crate) store: &'a store::Store,
    /// The settings of the bucket, as they were when the request came.
    pub(crate) bucket: &'a store::Settings,
    pub(crate) min_part_bytes: usize,
    /// Whether the caller may know that a key does not exist.
    pub(crate) may_list: bool,
}

impl Work<'_> {
    /// The header, its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }
}

/// An answer, and what the journal says of it.
pub struct Outcome {
    /// The answer.
    pub reply: Reply,
    /// The code of its error document.
    pub code: Option<String>,
}

/// Carries a request out.
pub fn answer(shared: &Shared, request: Request) -> Outcome {
    let (request_id, host_id) = (request.request_id.clone(), request.host_id.clone());
    let path = request.target.path.clone();
    let now = shared.now();
    let (mut reply, code) = match carry_out(shared, request, now) {
        Ok(reply) => (reply, None),
        Err(refusal) => (
            refusal.reply(&path, &request_id, &host_id),
            Some(refusal.code),
        ),
    };
    reply.headers.push(("x-amz-request-id".into(), request_id));
    reply.headers.push(("x-amz-id-2".into(), host_id));
    reply.headers.push(("Date".into(), now.http()));
    reply.headers.push(("Server".into(), "AmazonS3".into()));
    Outcome { reply, code }
}

fn carry_out(shared: &Shared, request: Request, now: Moment) -> Result<Reply, Refusal> {
    let settings = shared.settings();
    let Request {
        mut head,
        target,
        body,
        ignored,
        ..
    } = request;
    if target.operation == Operation::TaskCredentials {
        return Ok(settings.task.credentials(&head, &settings.keys, now));
    }
    if target.operation == Operation::TaskMetadata {
        return Ok(settings.task.metadata(&target.key));
    }
    let bucket = shared
        .store
        .lock()
        .buckets
        .get(&target.bucket)
        .map(|bucket| bucket.settings.clone());
    let caller = Check {
        head: &head,
        path: &target.path,
        query: &target.query,
        body: &body,
        keys: &settings.keys,
        region: bucket
            .as_ref()
            .and_then(|bucket| bucket.region.as_deref())
            .unwrap_or(&settings.region),
        now,
    }
    .caller()?;
    if target.operation == Operation::CreateBucket {
        return create_bucket(shared, &target, &caller);
    }
    if target.operation == Operation::Other {
        return Err(Refusal::not_implemented(&format!(
            "{} {}?{}",
            head.method, target.path, head.query
        )));
    }
    let Some(bucket) = bucket else {
        return Err(
            Refusal::new(404, "NoSuchBucket", "The specified bucket does not exist")
                .detail("BucketName", &target.bucket),
        );
    };
    allowed(&caller, &bucket, &head, &target)?;
    head.headers
        .retain(|(name, _)| !ignored.iter().any(|gone| gone.eq_ignore_ascii_case(name)));
    let work = Work {
        head: &head,
        target: &target,
        body,
        now,
        store: &shared.store,
        bucket: &bucket,
        min_part_bytes: settings.min_part_bytes,
        may_list: right(&caller, &bucket, "s3:ListBucket"),
    };
    let mut reply = operate(work, &settings)?;
    if bucket.requester_pays {
        reply = reply.with("x-amz-request-charged", "requester");
    }
    Ok(reply)
}

fn operate(work: Work<'_>, settings: &Settings) -> Result<Reply, Refusal> {
    match work.target.operation {
        Operation::GetObject | Operation::HeadObject => objects::get(&work),
        Operation::PutObject => objects::put(work),
        Operation::DeleteObject => objects::delete(&work),
        Operation::ListObjectsV2 => listing::objects(&work),
        Operation::ListMultipartUploads => listing::uploads(&work),
        Operation::CreateMultipartUpload => multipart::create(&work),
        Operation::UploadPart => multipart::part(work),
        Operation::CompleteMultipartUpload => multipart::complete(&work),
        Operation::AbortMultipartUpload => multipart::abort(&work),
        Operation::HeadBucket => {
            let region = work.bucket.region.as_deref().unwrap_or(&settings.region);
            Ok(Reply::new(200, String::new()).with("x-amz-bucket-region", region))
        }
        Operation::CreateBucket
        | Operation::TaskCredentials
        | Operation::TaskMetadata
        | Operation::Other => Err(Refusal::not_implemented("this")),
    }
}

fn create_bucket(shared: &Shared, target: &Target, caller: &Caller) -> Result<Reply, Refusal> {
    if matches!(caller, Caller::Anonymous) {
        return Err(Refusal::denied("Access Denied"));
    }
    if shared.store.lock().buckets.contains_key(&target.bucket) {
        return Err(Refusal::new(
            409,
            "BucketAlreadyOwnedByYou",
            "Your previous request to create the named bucket succeeded and you already own it.",
        ));
    }
    shared
        .store
        .bucket(&target.bucket, store::Settings::default());
    Ok(Reply::new(200, String::new()).with("Location", format!("/{}", target.bucket)))
}

fn right(caller: &Caller, bucket: &store::Settings, action: &str) -> bool {
    let among = |denied: &[String]| denied.iter().any(|name| name == action || name == "*");
    match caller {
        Caller::Anonymous => {
            bucket.public
                && matches!(action, "s3:GetObject" | "s3:ListBucket")
                && !among(&bucket.denied)
        }
        Caller::Key(key) => !among(&key.denied) && !among(&bucket.denied),
    }
}

fn allowed(
    caller: &Caller,
    bucket: &store::Settings,
    head: &Head,
    target: &Target,
) -> Result<(), Refusal> {
    let action = target.operation.action();
    if !right(caller, bucket, action) {
        return Err(match caller {
            Caller::Anonymous => Refusal::denied("Access Denied"),
            Caller::Key(_) => Refusal::denied(format!(
                "User: arn:aws:iam::111122223333:user/testbed is not authorized to perform: {action} on resource: \
                 \"arn:aws:s3:::{}\" because no identity-based policy allows the {action} action",
                target.path.trim_start_matches('/')
            )),
        });
    }
    let pays = head.header("x-amz-request-payer") == Some("requester");
    if bucket.requester_pays && (!pays || matches!(caller, Caller::Anonymous)) {
        return Err(Refusal::denied("Access Denied"));
    }
    Ok(())
}
