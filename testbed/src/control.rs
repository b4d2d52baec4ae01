//! The control protocol: JSON over plain HTTP on a loopback port of its own, for tests and scripts that run the server
//! as a process. README.md lists it; every path here is one line there.

use std::io::{self, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::catalogue;
use crate::connection;
use crate::digest::{base64, hex, sha256};
use crate::http::{self, Head, Reply, reason};
use crate::percent;
use crate::script::Rule;
use crate::server::Shared;
use crate::store::{Object, Settings};
use crate::tls::Kind;

/// Opens the listener.
pub(crate) fn listen(shared: &Arc<Shared>, port: u16) -> io::Result<SocketAddr> {
    shared.listen(port, |shared, stream, _| {
        // The client of a test that is over has left: there is nobody to tell.
        let _ = serve(&shared, &stream);
    })
}

fn serve(shared: &Arc<Shared>, stream: &TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some(head) = http::read_head(&mut reader)? {
        let bytes = head.body_bytes().map_err(io::Error::other)?.unwrap_or(0);
        let mut body = Vec::new();
        reader.by_ref().take(bytes).read_to_end(&mut body)?;
        let reply = answer(shared, &head, body)
            .unwrap_or_else(|(status, what)| Reply::new(status, what + "\n"));
        let mut text = format!("HTTP/1.1 {} {}\r\n", reply.status, reason(reply.status));
        for (name, value) in &reply.headers {
            text += &format!("{name}: {value}\r\n");
        }
        text += &format!("Content-Length: {}\r\n\r\n", reply.body.bytes().len());
        let mut stream = stream;
        stream.write_all(text.as_bytes())?;
        stream.write_all(reply.body.bytes())?;
        if head.closes() {
            break;
        }
    }
    Ok(())
}

/// A status and what is wrong.
type Wrong = (u16, String);

fn answer(shared: &Arc<Shared>, head: &Head, body: Vec<u8>) -> Result<Reply, Wrong> {
    let path = percent::decode_text(&head.path).ok_or((400, "the path is not UTF-8".to_owned()))?;
    let query = percent::query(&head.query).ok_or((400, "the query is not UTF-8".to_owned()))?;
    let parameter = |name: &str| {
        query
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    };
    let (kind, rest) = path[1..].split_once('/').unwrap_or((&path[1..], ""));
    match (head.method.as_str(), kind) {
        ("GET", "script") => json_reply(&shared.script.rules()),
        ("PUT", "script") => {
            let rules: Vec<Rule> = parse(&body)?;
            for rule in &rules {
                rule.check().map_err(|what| (400, what))?;
            }
            shared.script.set(rules);
            ok()
        }
        ("GET", "catalogue") => json_reply(&catalogue::faults()),
        ("GET", "requests") => json_reply(&shared.journal.entries()),
        ("DELETE", "requests") => {
            shared.journal.clear();
            ok()
        }
        ("GET", "settings") => json_reply(&shared.settings()),
        ("PUT", "settings") => {
            shared.set(parse(&body)?);
            ok()
        }
        ("POST", "listen") => {
            let kind: Kind = parse(&body)?;
            let address =
                connection::listen(shared, 0, kind).map_err(|error| (500, error.to_string()))?;
            json_reply(&json!({"port": address.port()}))
        }
        ("POST", "reset") => {
            shared.reset();
            ok()
        }
        ("GET", "ca.pem") => Ok(Reply::new(200, shared.authority.pem())),
        ("GET", "other-ca.pem") => Ok(Reply::new(200, shared.authority.other_pem())),
        ("GET", "uploads") => {
            let upload = |(id, bucket, key, parts)| json!({"id": id, "bucket": bucket, "key": key, "parts": parts});
            json_reply(
                &shared
                    .store
                    .uploads()
                    .into_iter()
                    .map(upload)
                    .collect::<Vec<_>>(),
            )
        }
        ("GET" | "PUT", "buckets") if !rest.is_empty() => bucket(shared, &head.method, rest, &body),
        (_, "objects") if !rest.is_empty() => {
            let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
            if key.is_empty() {
                return objects(shared, &head.method, bucket, parameter, body);
            }
            object(shared, head, bucket, key, body)
        }
        _ => Err((
            404,
            format!("the control protocol has no {} {path}", head.method),
        )),
    }
}

fn bucket(shared: &Arc<Shared>, method: &str, name: &str, body: &[u8]) -> Result<Reply, Wrong> {
    if method == "PUT" {
        let settings: Settings = if body.is_empty() {
            Settings::default()
        } else {
            parse(body)?
        };
        shared.store.bucket(name, settings);
        return ok();
    }
    let settings = shared
        .store
        .lock()
        .buckets
        .get(name)
        .map(|bucket| bucket.settings.clone());
    json_reply(&settings.ok_or((404, format!("there is no bucket {name}")))?)
}

/// All objects of a bucket at once: GET lists them, POST makes many alike, DELETE removes those below a prefix.
fn objects<'a>(
    shared: &Arc<Shared>,
    method: &str,
    bucket: &str,
    parameter: impl Fn(&str) -> Option<&'a str>,
    body: Vec<u8>,
) -> Result<Reply, Wrong> {
    let prefix = parameter("prefix").unwrap_or_default();
    match method {
        "GET" => {
            let described = |key: String| {
                let object = shared.store.object(bucket, &key)?;
                Some(json!({
                    "key": key,
                    "bytes": object.body.len(),
                    "etag": object.etag,
                    "sha256": hex(&sha256(&object.body)),
                    "checksum": object.checksum,
                    "headers": object.headers,
                }))
            };
            json_reply(
                &shared
                    .store
                    .keys(bucket, prefix)
                    .into_iter()
                    .filter_map(described)
                    .collect::<Vec<_>>(),
            )
        }
        "POST" => {
            let count = parameter("count").and_then(|text| text.parse::<u32>().ok());
            let count = count.ok_or((400, "POST wants count, a number".to_owned()))?;
            let suffix = parameter("suffix").unwrap_or_default();
            // One body for all of them: a million objects cost a million keys and no more.
            let object = Object::new(Arc::new(body), Vec::new());
            for number in 0..count {
                shared.store.put_with(
                    bucket,
                    &format!("{prefix}{number:07}{suffix}"),
                    object.clone(),
                );
            }
            ok()
        }
        "DELETE" => {
            for key in shared.store.keys(bucket, prefix) {
                shared.store.delete(bucket, &key);
            }
            ok()
        }
        _ => Err((
            404,
            format!("the control protocol has no {method} of objects"),
        )),
    }
}

fn object(
    shared: &Arc<Shared>,
    head: &Head,
    bucket: &str,
    key: &str,
    body: Vec<u8>,
) -> Result<Reply, Wrong> {
    let missing = || (404, format!("there is no object {key} in {bucket}"));
    match head.method.as_str() {
        "GET" => {
            let object = shared.store.object(bucket, key).ok_or_else(missing)?;
            let digest = base64(&sha256(&object.body));
            let mut reply = Reply::new(200, http::Body::whole(object.body))
                .with("x-amz-checksum-sha256", digest);
            reply.headers.extend(object.headers);
            Ok(reply)
        }
        "PUT" => {
            let mut headers = head.headers.clone();
            headers.retain(|(name, _)| name == "content-type" || name.starts_with("x-amz-"));
            shared
                .store
                .put_with(bucket, key, Object::new(Arc::new(body), headers));
            ok()
        }
        "DELETE" if shared.store.delete(bucket, key) => ok(),
        "DELETE" => Err(missing()),
        _ => Err((
            404,
            format!("the control protocol has no {} of an object", head.method),
        )),
    }
}

fn ok() -> Result<Reply, Wrong> {
    json_reply(&json!({"ok": true}))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Wrong> {
    serde_json::from_slice(body).map_err(|error| (400, error.to_string()))
}

fn json_reply(document: &impl Serialize) -> Result<Reply, Wrong> {
    let text = serde_json::to_string(document).map_err(|error| (500, error.to_string()))?;
    Ok(Reply::new(200, text + "\n").with("Content-Type", "application/json"))
}
