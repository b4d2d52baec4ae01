//! A store in memory that notes every request and follows a script: at request N it fails in a given way.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Cursor;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard};

use super::{
    Answer, CreateOnly, Entry, Head, Opened, Part, Pattern, Readable, Store, Stretch, Upload,
};
use crate::clock::ManualClock;
use crate::digest::sha256;
use crate::error::{Error, Kind, Result};
use crate::random::Nonce;
use crate::stop::Stop;

/// What happens at a request.
#[derive(Clone)]
pub(crate) enum Fault {
    /// It is lost on the way there: no effect, no answer.
    Before,
    /// Its answer is lost on the way back.
    After,
    /// No answer, and the effect comes only with [`Fake::land`].
    Late,
    /// A complete answer says no (403).
    Refused,
    /// The process is killed before it has an effect …
    Kill,
    /// … or after it had.
    KillAfter,
    /// It works and takes so many milliseconds.
    Slow(u64),
    /// 409 at the end of an upload.
    Spent,
    /// Something else happens in the store just before it.
    Meanwhile(&'static str, fn(&mut BTreeMap<String, Object>)),
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::Before => "before",
            Fault::After => "after",
            Fault::Late => "late",
            Fault::Refused => "refused",
            Fault::Kill => "kill",
            Fault::KillAfter => "kill after",
            Fault::Slow(_) => "slow",
            Fault::Spent => "spent",
            Fault::Meanwhile(name, _) => name,
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) bytes: Vec<u8>,
    pub(crate) nonce: String,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Fake {
    pub(crate) clock: Arc<ManualClock>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Object>,
    uploads: BTreeMap<String, BTreeMap<u32, Vec<u8>>>,
    begun: u32,
    requests: Vec<String>,
    script: Vec<(usize, Fault)>,
    fired: usize,
    killed: bool,
    late: Vec<(String, Object)>,
    ignores_conditions: bool,
    unproven: bool,
}

/// How a request goes on.
enum Course {
    Normal,
    NoEffect(Error),
    NoAnswer(Error),
    Later(Error),
    Spent(Error),
    Refused(Error),
}

impl Fake {
    /// A store that follows `script`: (number of the request from 1, fault).
    pub(crate) fn scripted(script: Vec<(usize, Fault)>) -> Self {
        let fake = Self::default();
        fake.lock().script = script;
        fake
    }

    /// A store of unknown make that overwrites what is there.
    pub(crate) fn ignoring_conditions() -> Self {
        let fake = Self::unproven();
        fake.lock().ignores_conditions = true;
        fake
    }

    /// A store of unknown make.
    pub(crate) fn unproven() -> Self {
        let fake = Self::default();
        fake.lock().unproven = true;
        fake
    }

    pub(crate) fn objects(&self) -> BTreeMap<String, Object> {
        self.lock().objects.clone()
    }

    pub(crate) fn insert(&self, key: &str, bytes: &[u8], nonce: &str) {
        let object = Object {
            bytes: bytes.to_vec(),
            nonce: nonce.to_owned(),
        };
        self.lock().objects.insert(key.to_owned(), object);
    }

    pub(crate) fn uploads(&self) -> usize {
        self.lock().uploads.len()
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.lock().requests.clone()
    }

    /// How many faults of the script have happened.
    pub(crate) fn fired(&self) -> usize {
        self.lock().fired
    }

    pub(crate) fn killed(&self) -> bool {
        self.lock().killed
    }

    /// What was late arrives now, create-only as it was sent.
    pub(crate) fn land(&self) {
        let mut state = self.lock();
        for (key, object) in std::mem::take(&mut state.late) {
            state.objects.entry(key).or_insert(object);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn course(&self, verb: &str, key: &str) -> Course {
        let mut state = self.lock();
        if state.killed {
            return Course::NoEffect(gone("killed"));
        }
        state.requests.push(format!("{verb} {key}"));
        let number = state.requests.len();
        let Some((_, fault)) = state.script.iter().find(|(at, _)| *at == number) else {
            return Course::Normal;
        };
        let fault = fault.clone();
        state.fired += 1;
        match fault {
            Fault::Before => Course::NoEffect(gone("connection reset")),
            Fault::After => Course::NoAnswer(gone("no answer")),
            Fault::Late => Course::Later(gone("time-out")),
            Fault::Spent => Course::Spent(gone("409")),
            Fault::Refused => Course::Refused(Error::new(
                Kind::Denied,
                "asking",
                "200",
                "403",
                "give the right",
            )),
            Fault::Kill => {
                state.killed = true;
                Course::NoEffect(gone("killed"))
            }
            Fault::KillAfter => {
                state.killed = true;
                Course::NoAnswer(gone("killed"))
            }
            Fault::Slow(milliseconds) => {
                self.clock
                    .elapsed_ms
                    .fetch_add(milliseconds, Ordering::SeqCst);
                Course::Normal
            }
            Fault::Meanwhile(_, change) => {
                change(&mut state.objects);
                Course::Normal
            }
        }
    }

    /// A request that creates `object` unless one is there.
    fn create(&self, verb: &str, key: &str, object: Object) -> Answer {
        let course = self.course(verb, key);
        let mut state = self.lock();
        let mut land = || match state.objects.contains_key(key) && !state.ignores_conditions {
            true => Answer::Exists,
            false => {
                state.objects.insert(key.to_owned(), object.clone());
                Answer::Created {
                    version_id: Some("v1".to_owned()),
                }
            }
        };
        match course {
            Course::Normal => land(),
            Course::NoEffect(error) => Answer::Lost(error),
            Course::NoAnswer(error) => {
                land();
                Answer::Lost(error)
            }
            Course::Later(error) => {
                state.late.push((key.to_owned(), object));
                Answer::Lost(error)
            }
            Course::Spent(error) => Answer::Spent(error),
            Course::Refused(error) => Answer::Refused(error),
        }
    }

    /// Any other request: whether it has an effect, and whether that is told.
    fn ask<T>(&self, verb: &str, key: &str, effect: impl FnOnce(&mut State) -> T) -> Result<T> {
        let course = self.course(verb, key);
        let mut state = self.lock();
        match course {
            Course::Normal => Ok(effect(&mut state)),
            Course::NoAnswer(error) => {
                effect(&mut state);
                Err(error)
            }
            Course::NoEffect(error)
            | Course::Later(error)
            | Course::Spent(error)
            | Course::Refused(error) => Err(error),
        }
    }
}

fn gone(found: &str) -> Error {
    Error::new(Kind::Unavailable, "asking", "an answer", found, "look")
}

impl Readable for Fake {
    fn uri(&self, key: &str) -> String {
        format!("fake://{key}")
    }

    fn list_each(
        &self,
        pattern: &Pattern,
        _stop: &Stop,
        take: &mut dyn FnMut(Entry) -> Result<()>,
    ) -> Result<()> {
        let entries: Vec<Entry> = self.ask("LIST", &pattern.to_string(), |state| {
            let named = state.objects.iter().filter(|(key, _)| pattern.matches(key));
            named
                .map(|(key, object)| Entry {
                    key: key.as_str().into(),
                    bytes: object.bytes.len() as u64,
                    etag: sha256(&object.bytes).to_string().into(),
                    file: None,
                })
                .collect()
        })?;
        entries.into_iter().try_for_each(take)
    }

    fn open(&self, key: &str, _etag: Option<&str>, _stop: &Stop) -> Result<Option<Opened>> {
        self.ask("GET", key, |state| {
            state.objects.get(key).map(|object| Opened {
                bytes: object.bytes.len() as u64,
                etag: sha256(&object.bytes).to_string(),
                version_id: None,
                reader: Box::new(Cursor::new(object.bytes.clone())),
            })
        })
    }

    fn has_ranges(&self, _entry: &Entry) -> bool {
        true
    }

    fn range(
        &self,
        entry: &Entry,
        range: Range<u64>,
        mut room: Vec<u8>,
        _stop: &Stop,
    ) -> Result<Option<Stretch>> {
        let key = &entry.key;
        let verb = format!("GET {}-{} of", range.start, range.end);
        let object = self.ask(&verb, key, |state| state.objects.get(&**key).cloned())?;
        object
            .map(|object| {
                if *entry.etag != sha256(&object.bytes).to_string() {
                    let error = Error::new(Kind::Input, "reading", "the state", "412", "look");
                    return Err(error.at_uri(self.uri(key)));
                }
                let at = |offset| usize::try_from(offset).unwrap();
                let range = at(range.start)..at(range.end);
                room.clear();
                room.extend(&object.bytes[range]);
                Ok(Stretch {
                    bytes: room,
                    version_id: Some(format!("version of {key}")),
                })
            })
            .transpose()
    }
}

impl Store for Fake {
    fn create_only(&self) -> CreateOnly {
        match self.lock().unproven {
            true => CreateOnly::Unproven,
            false => CreateOnly::Known,
        }
    }

    fn head(&self, key: &str, _stop: &Stop) -> Result<Option<Head>> {
        self.ask("HEAD", key, |state| {
            state.objects.get(key).map(|object| Head {
                bytes: object.bytes.len() as u64,
                nonce: Some(object.nonce.clone()),
                version_id: None,
            })
        })
    }

    fn put(&self, key: &str, body: &[u8], nonce: &Nonce, _stop: &Stop) -> Answer {
        let object = Object {
            bytes: body.to_vec(),
            nonce: nonce.as_str().to_owned(),
        };
        self.create("PUT", key, object)
    }

    fn begin(&self, key: &str, nonce: &Nonce, _stop: &Stop) -> Result<Upload> {
        self.ask("BEGIN", key, |state| {
            state.begun += 1;
            let id = format!("upload-{}", state.begun);
            state.uploads.insert(id.clone(), BTreeMap::new());
            Upload {
                key: key.to_owned(),
                id,
                nonce: nonce.clone(),
            }
        })
    }

    fn part(&self, upload: &Upload, number: u32, body: &[u8], _stop: &Stop) -> Result<Part> {
        self.ask("PART", &upload.key, |state| {
            let parts = state.uploads.get_mut(&upload.id).unwrap();
            parts.insert(number, body.to_vec());
            Part {
                number,
                bytes: body.len() as u64,
                etag: sha256(body).to_string(),
            }
        })
    }

    fn complete(&self, upload: &Upload, parts: &[Part], _stop: &Stop) -> Answer {
        let stored = self.lock().uploads.get(&upload.id).cloned();
        let Some(stored) = stored else {
            // NoSuchUpload: completed already, or aborted.
            return Answer::Spent(gone("404 NoSuchUpload"));
        };
        let numbers: Vec<u32> = parts.iter().map(|part| part.number).collect();
        assert!(numbers.iter().eq(stored.keys()), "the parts that were sent");
        let object = Object {
            bytes: stored.into_values().flatten().collect(),
            nonce: upload.nonce.as_str().to_owned(),
        };
        let answer = self.create("COMPLETE", &upload.key, object);
        let mut state = self.lock();
        if state.objects.contains_key(&upload.key) {
            state.uploads.remove(&upload.id);
        }
        answer
    }

    fn abort(&self, upload: &Upload, _stop: &Stop) -> Result<()> {
        self.ask("ABORT", &upload.key, |state| {
            state.uploads.remove(&upload.id);
        })
    }
}
