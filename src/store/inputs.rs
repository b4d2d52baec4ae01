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
    list_within(LISTED_OBJECTS, named, stop)
}

fn list_within(
    limit: usize,
    named: &[(Arc<dyn Store>, Pattern)],
    stop: &Stop,
) -> Result<Vec<Input>> {
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
        if inputs.len() > limit {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::ManualClock;
    use crate::store::fake::{Fake, Fault};

    fn stop() -> Stop {
        let clock = Arc::new(ManualClock::default());
        Stop::new(clock, Duration::from_secs(100), Duration::from_secs(10))
    }

    fn named(fake: &Arc<Fake>, patterns: &[&str]) -> Vec<(Arc<dyn Store>, Pattern)> {
        let store = || fake.clone() as Arc<dyn Store>;
        let named = patterns
            .iter()
            .map(|text| (store(), Pattern::parse(text).unwrap()));
        named.collect()
    }

    #[test]
    fn the_limit_of_listed_objects_counts_over_all_inputs() {
        let fake = Arc::new(Fake::default());
        for key in ["a/1", "a/2", "b/1"] {
            fake.insert(key, b"x", "");
        }
        for (limit, want) in [(3, Ok(3)), (2, Err(Kind::Data))] {
            let listed = list_within(limit, &named(&fake, &["a/", "b/1"]), &stop());
            let found = listed
                .map(|inputs| inputs.len())
                .map_err(|error| error.kind());
            assert_eq!(found, want, "{limit}");
        }
    }

    #[test]
    fn f122_an_object_reached_twice_by_its_uri() {
        let fake = Arc::new(Fake::default());
        fake.insert("a/1", b"x", "");
        let error = list(&named(&fake, &["a/1", "a/*"]), &stop()).unwrap_err();
        assert_eq!(error.kind(), Kind::Input);
        assert!(
            error.to_string().contains("reached before as fake://a/1"),
            "{error}"
        );
    }

    #[test]
    fn f037_an_input_that_is_gone_when_it_is_opened() {
        let delete = Fault::Meanwhile("deleted", |objects| objects.clear());
        let fake = Arc::new(Fake::scripted(vec![(2, delete)]));
        fake.insert("a", b"x", "");
        let inputs = list(&named(&fake, &["a"]), &stop()).unwrap();
        let error = inputs[0].open(&stop()).unwrap_err();
        assert_eq!((error.kind(), fake.fired()), (Kind::Input, 1));
    }
}
