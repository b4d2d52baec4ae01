//! What S3 says when it does not do what it was asked: status, code, message and the elements beside them.

use crate::http::Reply;
use crate::xml;

/// One error answer.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The status code.
    pub status: u16,
    /// `NoSuchKey` and the like.
    pub code: String,
    /// S3's own words for it.
    pub message: String,
    /// Elements beside Code and Message.
    pub details: Vec<(String, String)>,
    /// Headers of this error's own.
    pub headers: Vec<(String, String)>,
}

impl Refusal {
    /// A refusal without details.
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Refusal {
        Refusal {
            status,
            code: code.into(),
            message: message.into(),
            details: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// The same with one element more.
    pub fn detail(mut self, name: &str, value: impl Into<String>) -> Refusal {
        self.details.push((name.into(), value.into()));
        self
    }

    /// The same with one header more.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Refusal {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// `AccessDenied` with a reason.
    pub fn denied(message: impl Into<String>) -> Refusal {
        Refusal::new(403, "AccessDenied", message)
    }

    /// What the testbed does not imitate; S3's code for a function it lacks.
    pub fn not_implemented(what: &str) -> Refusal {
        Refusal::new(
            501,
            "NotImplemented",
            format!("The testbed does not implement {what}."),
        )
    }

    /// A failed condition, named as S3 names it.
    pub fn precondition(condition: &str) -> Refusal {
        Refusal::new(
            412,
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold",
        )
        .detail("Condition", condition)
    }

    /// An argument that S3 does not take.
    pub fn argument(name: &str, value: &str, message: impl Into<String>) -> Refusal {
        Refusal::new(400, "InvalidArgument", message)
            .detail("ArgumentName", name)
            .detail("ArgumentValue", value)
    }

    /// The error document of this refusal.
    pub fn document(&self, resource: &str, request_id: &str, host_id: &str) -> String {
        let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
        text += &xml::element("Code", &self.code);
        text += &xml::element("Message", &self.message);
        for (name, value) in &self.details {
            text += &xml::element(name, value);
        }
        if !resource.is_empty() {
            text += &xml::element("Resource", resource);
        }
        text += &xml::element("RequestId", request_id);
        text += &xml::element("HostId", host_id);
        text + "</Error>"
    }

    /// The whole answer.
    pub fn reply(&self, resource: &str, request_id: &str, host_id: &str) -> Reply {
        let body = match self.status {
            304 => String::new(),
            _ => self.document(resource, request_id, host_id),
        };
        let mut reply = Reply::new(self.status, body).with("Content-Type", "application/xml");
        reply.headers.extend(self.headers.iter().cloned());
        reply
    }
}
