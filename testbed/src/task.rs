//! The ECS agent as a task sees it: credentials and metadata, on the server's own port below `/~ecs`. On loopback it
//! serves `AWS_CONTAINER_CREDENTIALS_FULL_URI`; the address of Fargate itself needs `scripts/ecs-creds`. The script of
//! faults reaches these requests like any other.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::http::{Head, Reply};
use crate::moment::Moment;
use crate::sign::Key;

/// What the agent answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Task {
    /// Demanded as Authorization of a request for credentials, where present.
    pub token: Option<String>,
    /// How far Expiration lies in the future at each answer; may be negative.
    pub expires_seconds: i64,
    /// Which of the server's keys is handed out; 0 is the first.
    pub key: usize,
    /// Fields left out of the credentials' document.
    pub without: Vec<String>,
    /// The document at `/~ecs/v4/task`; absent: one with every field that ECS documents for Fargate.
    pub metadata: Option<serde_json::Value>,
}

impl Default for Task {
    fn default() -> Task {
        Task {
            token: None,
            expires_seconds: 3600,
            key: 0,
            without: Vec::new(),
            metadata: None,
        }
    }
}

const ARN: &str = "arn:aws:ecs:us-east-1:111122223333";

impl Task {
    /// The credentials' document, or 401 without the token.
    ///
    /// Source: AWS SDKs and Tools Reference Guide, "Container credential provider".
    pub fn credentials(&self, head: &Head, keys: &[Key], now: Moment) -> Reply {
        if self.token.as_deref() != head.header("authorization") && self.token.is_some() {
            return json_reply(
                401,
                &json!({"code": "Unauthorized", "message": "the token is not the one"}),
            );
        }
        let Some(key) = keys.get(self.key) else {
            return json_reply(
                404,
                &json!({"code": "NoSuchKey", "message": "the server has no such key"}),
            );
        };
        let expiration = Moment(now.0 + self.expires_seconds * 1000).iso();
        let mut document = json!({
            "RoleArn": "arn:aws:iam::111122223333:role/windrow-task",
            "AccessKeyId": key.access_key,
            "SecretAccessKey": key.secret_key,
            "Token": key.session_token.as_deref().unwrap_or_default(),
            "Expiration": expiration.replace(".000Z", "Z"),
        });
        if let Some(fields) = document.as_object_mut() {
            fields.retain(|name, _| !self.without.contains(name));
        }
        json_reply(200, &document)
    }

    /// The task's document; the container's at any other path.
    ///
    /// Source: Amazon ECS Developer Guide, "Task metadata endpoint version 4 for Fargate".
    pub fn metadata(&self, key: &str) -> Reply {
        let container = json!({
            "DockerId": "e9028f8d5d8e4f258373e7b93ce9a3c3-0527074092",
            "Name": "windrow",
            "Image": "111122223333.dkr.ecr.us-east-1.amazonaws.com/windrow:1.0",
            "ImageID": format!("sha256:{}", "7d1f3c9a".repeat(8)),
            "Limits": {"CPU": 2},
            "Type": "NORMAL",
            "ContainerARN": format!("{ARN}:container/testbed/e9028f8d5d8e4f258373e7b93ce9a3c3/05966557"),
        });
        if !key.ends_with("/task") {
            return json_reply(200, &container);
        }
        let task = json!({
            "Cluster": format!("{ARN}:cluster/testbed"),
            "TaskARN": format!("{ARN}:task/testbed/e9028f8d5d8e4f258373e7b93ce9a3c3"),
            "Family": "windrow",
            "Revision": "7",
            "Limits": {"CPU": 0.25, "Memory": 512},
            "AvailabilityZone": "us-east-1a",
            "LaunchType": "FARGATE",
            "Containers": [container],
        });
        json_reply(200, self.metadata.as_ref().unwrap_or(&task))
    }
}

fn json_reply(status: u16, document: &serde_json::Value) -> Reply {
    Reply::new(status, document.to_string()).with("Content-Type", "application/json")
}
