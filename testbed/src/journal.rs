//! What was asked and what came of it, request by request, for tests to assert on.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use serde::Serialize;

use crate::http::Head;
use crate::moment::Moment;
use crate::operation::{Operation, Target};

/// Older entries go when there are more than this: a server that measures throughput may run for long.
const ENTRIES: usize = 100_000;

/// One request.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// Its number since the journal was cleared, from 1.
    pub number: u64,
    /// The connection it came on.
    pub connection: u64,
    /// The name of the listener: `http`, `trusted` and so on.
    pub listener: &'static str,
    /// When its head had come, in milliseconds since 1970.
    pub at_ms: i64,
    /// When its last byte had gone out; absent while it is under way.
    pub done_ms: Option<i64>,
    /// What it asked for.
    pub operation: Operation,
    /// `PUT` and the like.
    pub method: String,
    /// The bucket.
    pub bucket: String,
    /// The key, decoded.
    pub key: String,
    /// The path as sent.
    pub path: String,
    /// The query as sent.
    pub query: String,
    /// How many requests with this method, path and query there were, this one included.
    pub attempt: u32,
    /// All headers but Authorization, whose signature helps nobody.
    pub headers: Vec<(String, String)>,
    /// Bytes of its body that were read.
    pub bytes_in: u64,
    /// The status that went out; absent: none.
    pub status: Option<u16>,
    /// The code of the error document that went out.
    pub code: Option<String>,
    /// Bytes of the answer's body that went out, framing left out.
    pub bytes_out: u64,
    /// How often it was carried out.
    pub effects: u32,
    /// What carrying it out was answered, whether that went out or not; a second effect's for two.
    pub outcome: Option<u16>,
    /// The rule that caught it.
    pub fault: Option<String>,
    /// How the connection went on: `kept`, `closed`, `reset`, `hung`, `closed at the next request`, `broken`.
    pub ended: Option<&'static str>,
}

impl Entry {
    /// The value of a header, its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(known, _)| known == name)?;
        Some(value)
    }
}

#[derive(Debug, Default)]
struct Inner {
    entries: VecDeque<Entry>,
    begun: u64,
    attempts: HashMap<String, u32>,
    /// Told apart, so that a request that outlives a clearing writes into no other's entry.
    generation: u64,
}

/// The journal of a server.
#[derive(Debug, Default)]
pub struct Journal(Mutex<Inner>);

/// Where a request under way writes what becomes of it.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    generation: u64,
    number: u64,
}

impl Journal {
    /// Notes a request whose head has come.
    pub fn begin(
        &self,
        connection: u64,
        listener: &'static str,
        head: &Head,
        target: &Target,
        fault: Option<&str>,
    ) -> Line {
        let mut inner = self.0.lock().expect("nobody panics with the journal");
        inner.begun += 1;
        let number = inner.begun;
        let place = format!("{} {}?{}", head.method, head.path, head.query);
        let attempt = inner.attempts.entry(place).or_default();
        *attempt += 1;
        let attempt = *attempt;
        let mut headers = head.headers.clone();
        headers.retain(|(name, _)| name != "authorization");
        inner.entries.push_back(Entry {
            number,
            connection,
            listener,
            at_ms: Moment::now().0,
            done_ms: None,
            operation: target.operation,
            method: head.method.clone(),
            bucket: target.bucket.clone(),
            key: target.key.clone(),
            path: head.path.clone(),
            query: head.query.clone(),
            attempt,
            headers,
            bytes_in: 0,
            status: None,
            code: None,
            bytes_out: 0,
            effects: 0,
            outcome: None,
            fault: fault.map(str::to_owned),
            ended: None,
        });
        if inner.entries.len() > ENTRIES {
            inner.entries.pop_front();
        }
        Line {
            generation: inner.generation,
            number,
        }
    }

    /// Whether the request came after the last clearing.
    pub fn knows(&self, line: Line) -> bool {
        let inner = self.0.lock().expect("nobody panics with the journal");
        inner.generation == line.generation
    }

    /// Notes what became of a request.
    pub fn note(&self, line: Line, change: impl FnOnce(&mut Entry)) {
        let mut inner = self.0.lock().expect("nobody panics with the journal");
        if inner.generation != line.generation {
            return;
        }
        let first = inner.entries.front().map_or(0, |entry| entry.number);
        let place = line
            .number
            .checked_sub(first)
            .and_then(|place| usize::try_from(place).ok());
        if let Some(entry) = place.and_then(|place| inner.entries.get_mut(place)) {
            change(entry);
        }
    }

    /// All entries, in the order in which the requests came.
    pub fn entries(&self) -> Vec<Entry> {
        let inner = self.0.lock().expect("nobody panics with the journal");
        inner.entries.iter().cloned().collect()
    }

    /// The entries of one operation.
    pub fn of(&self, operation: Operation) -> Vec<Entry> {
        let mut entries = self.entries();
        entries.retain(|entry| entry.operation == operation);
        entries
    }

    /// Forgets all entries.
    pub fn clear(&self) {
        let mut inner = self.0.lock().expect("nobody panics with the journal");
        let generation = inner.generation + 1;
        *inner = Inner {
            generation,
            ..Inner::default()
        };
    }
}

impl Line {
    /// An id for `x-amz-request-id`, the same for the whole request.
    pub fn request_id(self) -> String {
        let seed = format!("request {} {}", self.generation, self.number);
        crate::digest::hex(&crate::digest::sha256(seed.as_bytes()))[..16].to_uppercase()
    }

    /// An id for `x-amz-id-2`.
    pub fn host_id(self) -> String {
        let seed = format!("host {} {}", self.generation, self.number);
        crate::digest::base64(&crate::digest::sha256(seed.as_bytes()))
    }
}
