//! A transport that follows a script: each request takes the next answer, and is noted.

use std::collections::VecDeque;
use std::io::{Cursor, Read};
use std::sync::{Mutex, MutexGuard};

use super::{Failure, Header, Length, Method, Request, Response, Transport};
use crate::stop::Stop;

/// What a request meets.
#[derive(Debug)]
pub(crate) enum Scripted {
    /// An answer: status, headers, body.
    Answer(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// As `Answer`, and the body breaks after it with this failure.
    Cut(u16, Vec<(&'static str, String)>, Vec<u8>, u64),
    /// No answer.
    Fails(Failure),
}

/// A request as it was sent.
#[derive(Clone, Debug)]
pub(crate) struct Noted {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: Vec<Header>,
    pub(crate) body: Vec<u8>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Fake {
    script: Mutex<VecDeque<Scripted>>,
    noted: Mutex<Vec<Noted>>,
}

impl Noted {
    /// `GET url`
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method.name(), self.url)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|header| header.name == name);
        found.map(|header| header.value.as_str())
    }
}

impl Fake {
    pub(crate) fn scripted(script: Vec<Scripted>) -> Self {
        Self {
            script: Mutex::new(script.into()),
            noted: Mutex::default(),
        }
    }

    pub(crate) fn noted(&self) -> MutexGuard<'_, Vec<Noted>> {
        self.noted.lock().unwrap()
    }

    /// Answers that nobody took.
    pub(crate) fn left(&self) -> usize {
        self.script.lock().unwrap().len()
    }
}

impl Transport for Fake {
    fn send(&self, request: &Request<'_>, _stop: &Stop) -> Result<Response, Failure> {
        self.noted().push(Noted {
            method: request.method,
            url: request.url.to_owned(),
            headers: request.headers.to_vec(),
            body: request.body.to_vec(),
        });
        let next = self.script.lock().unwrap().pop_front();
        let line = format!("{} {}", request.method.name(), request.url);
        match next.unwrap_or_else(|| panic!("a request too many: {line}")) {
            Scripted::Answer(status, headers, body) => {
                let length = u64::try_from(body.len()).unwrap();
                Ok(answer(status, headers, length, Box::new(Cursor::new(body))))
            }
            Scripted::Cut(status, headers, body, length) => {
                let reader = Cursor::new(body).chain(Broken);
                Ok(answer(status, headers, length, Box::new(reader)))
            }
            Scripted::Fails(failure) => Err(failure),
        }
    }
}

fn answer(
    status: u16,
    headers: Vec<(&'static str, String)>,
    length: u64,
    body: Box<dyn Read + Send>,
) -> Response {
    Response {
        status,
        headers: headers
            .into_iter()
            .map(|(name, value)| Header::new(name, value))
            .collect(),
        length: Length::Exact(length),
        body,
    }
}

struct Broken;

impl Read for Broken {
    fn read(&mut self, _into: &mut [u8]) -> std::io::Result<usize> {
        Err(Failure::lost("the whole body", "a reset").sent().into())
    }
}
