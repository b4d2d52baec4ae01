//! The inputs of a run: everything that INPUT names, in input order, each once (SPEC 3 and 7, rule 8).

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::sync::Arc;

use super::{Entry, FileId, Opened, Pattern, Store, too_many};
use crate::error::{Error, Kind, Result};
use crate::limits::LISTED_OBJECTS;
use crate::stop::Stop;

/// One listed input.
#[derive(Clone, Debug)]
pub struct Input {
    store: Arc<dyn Store>,
    /// Key, size and the state that was listed.
    pub entry: Entry,
}

impl Input {
    /// Its URI.
    #[must_use]
    pub fn uri(&self) -> String {
        self.store.uri(&self.entry.key)
    }

    /// Opens it in the state that was listed.
    ///
    /// # Errors
    /// 66 where it is gone or changed; the store's own.
    pub fn open(&self, stop: &Stop) -> Result<Opened> {
        let opened = self
            .store
            .open(&self.entry.key, Some(&self.entry.etag), stop)?;
        opened.ok_or_else(|| missing("the object that was listed", "that it is gone", self.uri()))
    }
}

/// Lists the inputs: INPUT's order, then key order by bytes.
///
/// # Errors
/// 66 where an INPUT names nothing, or an object is reached twice; 65 past the limit of listed objects; the stores' own.
pub fn list(named: &[(Arc<dyn Store>, Pattern)], stop: &Stop) -> Result<Vec<Input>> {
    let mut inputs: Vec<Input> = Vec::new();
    for (store, pattern) in named {
        let entries = store.list(pattern, stop)?;
        if entries.is_empty() {
            let found = "none";
            let uri = store.uri(&pattern.to_string());
            return Err(missing("at least one object", found, uri));
        }
        inputs.extend(entries.into_iter().map(|entry| Input {
            store: store.clone(),
            entry,
        }));
        if inputs.len() > LISTED_OBJECTS {
            return Err(too_many(store.uri("")));
        }
    }
    refuse_twins(&inputs)?;
    Ok(inputs)
}

/// One object under one name, or one file under two.
#[derive(PartialEq, Eq, Hash)]
enum Identity {
    Uri(String),
    File(FileId),
}

fn refuse_twins(inputs: &[Input]) -> Result<()> {
    let mut first: HashMap<Identity, &Input> = HashMap::with_capacity(inputs.len());
    for input in inputs {
        let identity = match input.entry.file {
            Some(file) => Identity::File(file),
            None => Identity::Uri(input.uri()),
        };
        match first.entry(identity) {
            Slot::Vacant(slot) => drop(slot.insert(input)),
            Slot::Occupied(slot) => {
                return Err(Error::new(
                    Kind::Input,
                    "listing INPUT",
                    "each object once",
                    format!("that it was reached before as {}", slot.get().uri()),
                    "name it once; its records would count twice",
                )
                .at_uri(input.uri()));
            }
        }
    }
    Ok(())
}

fn missing(expected: &str, found: &str, uri: String) -> Error {
    let advice = "look at the path: what INPUT names must be there";
    Error::new(Kind::Input, "reading", expected, found, advice).at_uri(uri)
}
