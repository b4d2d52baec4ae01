//! The ECS task that the run is in, as its metadata endpoint tells (SPEC 3 and 7; FAULTS 112). What it says goes into
//! documents and decides nothing but the memory limit; so a task that cannot be read is a warning, never the end of a run.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result, shown};
use crate::http::{Limits, Method, Repeat, Request, Transport, Until};
use crate::limits::TASK_DOCUMENT_BYTES;
use crate::stop::Stop;

/// What the manifest says of a task.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Task {
    /// Its ARN.
    pub arn: String,
    /// Its cluster, as a name or an ARN.
    pub cluster: Option<String>,
    /// The family of its definition …
    pub family: Option<String>,
    /// … and the revision of that.
    pub revision: Option<String>,
    /// The image of this container …
    pub image: Option<String>,
    /// … and its digest.
    pub image_digest: Option<String>,
    /// vCPUs of the task.
    pub cpu: Option<f64>,
    /// Memory of the task, in MiB as ECS counts it.
    pub memory: Option<u64>,
}

/// `…/task`. Source: "Task metadata available for Amazon ECS tasks on Fargate", version 4, Amazon ECS Developer Guide.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TaskDocument {
    #[serde(rename = "TaskARN")]
    arn: String,
    cluster: Option<String>,
    family: Option<String>,
    revision: Option<String>,
    limits: Option<LimitsDocument>,
}

#[derive(Deserialize)]
struct LimitsDocument {
    #[serde(rename = "CPU")]
    cpu: Option<f64>,
    #[serde(rename = "Memory")]
    memory: Option<u64>,
}

/// The endpoint's root: this container.
#[derive(Deserialize)]
struct ContainerDocument {
    #[serde(rename = "Image")]
    image: Option<String>,
    #[serde(rename = "ImageID")]
    image_digest: Option<String>,
}

impl Task {
    /// Reads the documents below `uri` (ECS_CONTAINER_METADATA_URI_V4).
    ///
    /// # Errors
    /// What is wrong with the endpoint or what it says: the caller warns, and goes on without a task.
    pub fn read(uri: &str, transport: &Arc<dyn Transport>, stop: &Stop) -> Result<Self> {
        let task = document(&format!("{uri}/task"), transport, stop)?;
        let container = document(uri, transport, stop)?;
        Self::parse(&task, &container).map_err(|cause| broken(uri, &cause.to_string()))
    }

    /// The largest amount of memory that the task may have, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> Option<u64> {
        self.memory?.checked_mul(1 << 20)
    }

    fn parse(task: &[u8], container: &[u8]) -> serde_json::Result<Self> {
        let task: TaskDocument = serde_json::from_slice(task)?;
        let container: ContainerDocument = serde_json::from_slice(container)?;
        let limits = task.limits.as_ref();
        Ok(Self {
            arn: task.arn,
            cluster: task.cluster,
            family: task.family,
            revision: task.revision,
            image: container.image,
            image_digest: container.image_digest,
            cpu: limits.and_then(|limits| limits.cpu),
            memory: limits.and_then(|limits| limits.memory),
        })
    }
}

fn document(url: &str, transport: &Arc<dyn Transport>, stop: &Stop) -> Result<Vec<u8>> {
    let request = Request {
        method: Method::Get,
        url,
        headers: &[],
        body: &[],
        limits: Limits::LOCAL,
        until: Until::Stopped,
        repeat: Repeat::Silently,
    };
    let mut response = transport
        .send(&request, stop)
        .map_err(|failure| failure.error(DOING, url))?;
    if response.status != 200 {
        return Err(broken(url, &format!("status {}", response.status)));
    }
    let body = response
        .read_small(TASK_DOCUMENT_BYTES.saturating_add(1))
        .map_err(|failure| failure.error(DOING, url))?;
    match body.len() > TASK_DOCUMENT_BYTES {
        false => Ok(body),
        true => Err(broken(
            url,
            &format!("more than {TASK_DOCUMENT_BYTES} bytes"),
        )),
    }
}

const DOING: &str = "reading the task's metadata";

fn broken(url: &str, found: &str) -> Error {
    Error::new(
        Kind::Protocol,
        DOING,
        "the documents of version 4",
        shown(found.as_bytes(), 200),
        "nothing is lost but what is written down about the task",
    )
    .at_uri(url)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::ManualClock;
    use crate::http::Failure;
    use crate::http::fake::{Fake, Scripted};

    /// From the page named above, shortened.
    const TASK: &str = r#"{"Cluster":"default","TaskARN":"arn:aws:ecs:us-west-2:111122223333:task/default/e9028f8d","Family":"curltest","Revision":"3","DesiredStatus":"RUNNING","Limits":{"CPU":0.25,"Memory":512},"Containers":[{"DockerId":"x"}]}"#;
    const CONTAINER: &str = r#"{"DockerId":"x","Image":"111122223333.dkr.ecr.us-west-2.amazonaws.com/curltest","ImageID":"sha256:25f3695b","Limits":{"CPU":10}}"#;

    fn read(script: Vec<Scripted>) -> (Result<Task>, Vec<String>) {
        let fake = Arc::new(Fake::scripted(script));
        let clock = Arc::new(ManualClock::default());
        let stop = Stop::new(clock, Duration::from_secs(100), Duration::from_secs(10));
        let transport: Arc<dyn Transport> = fake.clone();
        let task = Task::read("http://169.254.170.2/v4/x", &transport, &stop);
        let lines = fake.noted().iter().map(|noted| noted.line()).collect();
        (task, lines)
    }

    fn ok(body: &str) -> Scripted {
        Scripted::Answer(200, vec![], body.as_bytes().to_vec())
    }

    #[test]
    fn a_task_on_fargate() {
        let (task, lines) = read(vec![ok(TASK), ok(CONTAINER)]);
        let task = task.unwrap();
        assert_eq!(
            serde_json::to_string(&task).unwrap(),
            r#"{"arn":"arn:aws:ecs:us-west-2:111122223333:task/default/e9028f8d","cluster":"default","family":"curltest","revision":"3","image":"111122223333.dkr.ecr.us-west-2.amazonaws.com/curltest","image_digest":"sha256:25f3695b","cpu":0.25,"memory":512}"#
        );
        assert_eq!(task.memory_bytes(), Some(512 << 20));
        assert_eq!(
            lines,
            [
                "GET http://169.254.170.2/v4/x/task",
                "GET http://169.254.170.2/v4/x"
            ]
        );
    }

    #[test]
    fn f112_a_task_that_cannot_be_read_says_why() {
        let lost = || Scripted::Fails(Failure::lost("a byte", "silence"));
        for (name, script, want) in [
            (
                "404",
                vec![Scripted::Answer(404, vec![], vec![])],
                "status 404",
            ),
            ("never", vec![lost()], "silence"),
            ("65 KiB", vec![ok(&" ".repeat(65 << 10))], "more than 65536"),
            ("broken", vec![ok("{"), ok(CONTAINER)], "EOF"),
            ("no ARN", vec![ok("{}"), ok(CONTAINER)], "TaskARN"),
            ("container broken", vec![ok(TASK), ok("[]")], "found"),
        ] {
            let error = read(script).0.unwrap_err();
            assert!(error.to_string().contains(want), "{name}: {error}");
        }
        // No limits, as on EC2.
        let task = read(vec![ok(r#"{"TaskARN":"a"}"#), ok("{}")]).0.unwrap();
        assert_eq!((task.cpu, task.memory_bytes()), (None, None));
    }
}
