//! Answers that are not the true one: written beforehand, or bent by the rule that caught the request.

use crate::answer::Outcome;
use crate::http::{Head, Reply, reason};
use crate::journal::Line;
use crate::refusal::Refusal;
use crate::script::{Canned, Fault, Length};

/// The answer that the script holds ready.
pub(crate) fn scripted(canned: &Canned, line: Line, path: &str) -> Outcome {
    let (id, host_id) = (line.request_id(), line.host_id());
    let mut reply = match &canned.code {
        Some(code) => {
            let message = canned
                .message
                .clone()
                .unwrap_or_else(|| "This error was scripted.".into());
            let mut refusal = Refusal::new(canned.status, code, message);
            refusal.details = canned.details.clone().into_iter().collect();
            refusal.reply(path, &id, &host_id)
        }
        None => Reply::new(canned.status, canned.body.clone()),
    };
    reply = reply
        .with("x-amz-request-id", id)
        .with("x-amz-id-2", host_id);
    reply.headers.extend(canned.headers.clone());
    Outcome {
        reply,
        code: canned.code.clone(),
    }
}

/// Headers, elements and bits of an answer, changed as the script says.
pub(crate) fn bend(reply: &mut Reply, fault: &Fault) {
    for (name, value) in &fault.headers {
        reply
            .headers
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        if let Some(value) = value {
            reply.headers.push((name.clone(), value.clone()));
        }
    }
    for name in &fault.strike {
        let mut text = String::from_utf8_lossy(reply.body.bytes()).into_owned();
        let (opening, closing) = (format!("<{name}>"), format!("</{name}>"));
        while let Some(start) = text.find(&opening) {
            let end = text[start..]
                .find(&closing)
                .map_or(text.len(), |end| start + end + closing.len());
            text.replace_range(start..end, "");
        }
        reply.body = text.into();
    }
    if fault.flip && !reply.body.bytes().is_empty() {
        let mut bytes = reply.body.bytes().to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        reply.body = bytes.into();
    }
}

/// The head of an answer, its length said as the rule wants it.
pub(crate) fn head_text(reply: &Reply, fault: &Fault, head: &Head) -> String {
    let mut text = format!("HTTP/1.1 {} {}\r\n", reply.status, reason(reply.status));
    for (name, value) in &reply.headers {
        text += &format!("{name}: {value}\r\n");
    }
    let own_length = fault
        .headers
        .keys()
        .any(|name| name.eq_ignore_ascii_case("content-length"));
    let length = i64::try_from(reply.body.bytes().len()).unwrap_or(i64::MAX);
    match fault.length {
        _ if own_length || matches!(reply.status, 204 | 304) => {}
        // S3 says nothing of the length of an error document that HEAD does not get.
        Length::True if head.method == "HEAD" && reply.status >= 400 => {
            text += "Transfer-Encoding: chunked\r\n"
        }
        Length::True => text += &format!("Content-Length: {length}\r\n"),
        Length::Off(bytes) => text += &format!("Content-Length: {}\r\n", (length + bytes).max(0)),
        Length::Chunked => text += "Transfer-Encoding: chunked\r\n",
        Length::Absent => text += "Connection: close\r\n",
    }
    if head.closes() && fault.length != Length::Absent {
        text += "Connection: close\r\n";
    }
    text + "\r\n"
}
