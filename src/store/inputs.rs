//! The inputs of a run: everything that INPUT names, in input order, each once (SPEC 3 and 7, rule 8; SPEC 11).

use std::cmp::Ordering;
use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

use super::{Entry, Opened, Pattern, Readable, Stretch, gone, in_key_order, lifted, too_many};
use crate::budget::{Budget, Charge, Charged, Exceeded};
use crate::error::{Error, Kind, Result};
use crate::limits::{ALLOCATION_BYTES, LISTED_OBJECTS};
use crate::stop::Stop;

/// The listed inputs. What they hold is charged while they grow.
#[derive(Debug)]
pub struct Inputs {
    /// In order, for each element of INPUT: its store, and where its entries end.
    elements: Vec<(Arc<dyn Readable>, usize)>,
    entries: Charged<Entry>,
    /// For the names and states of the entries.
    texts: Charge,
}

/// One listed input.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    store: &'a dyn Readable,
    /// Key, size and the state that was listed.
    pub entry: &'a Entry,
}

impl Input<'_> {
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
        self.open_at(0, stop)
    }

    /// The same from its byte `offset` on.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_at(&self, offset: u64, stop: &Stop) -> Result<Opened> {
        let etag = Some(&*self.entry.etag).filter(|etag| !etag.is_empty());
        let opened = self.store.open_at(&self.entry.key, etag, offset, stop)?;
        let opened = opened.ok_or_else(|| gone(self.uri()))?;
        match opened.bytes == self.entry.bytes {
            true => Ok(opened),
            false => Err(Error::new(
                Kind::Input,
                "reading",
                format!("{} bytes, as it was listed", self.entry.bytes),
                format!("{} bytes", opened.bytes),
                "start again when nothing writes to the input any more",
            )
            .at_uri(self.uri())),
        }
    }

    /// Whether it is read in stretches, several at a time.
    #[must_use]
    pub fn has_ranges(&self) -> bool {
        self.store.has_ranges(self.entry)
    }

    /// A stretch of it in the state that was listed, in `room`.
    ///
    /// # Errors
    /// 66 where it is gone or changed; the store's own.
    pub fn range(&self, range: Range<u64>, room: Vec<u8>, stop: &Stop) -> Result<Stretch> {
        let stretch = self.store.range(self.entry, range, room, stop)?;
        stretch.ok_or_else(|| gone(self.uri()))
    }

    /// A short stretch of it, however it is read; what is past its end is left out.
    ///
    /// # Errors
    /// As [`Self::range`].
    pub fn look(&self, range: Range<u64>, stop: &Stop) -> Result<Vec<u8>> {
        let end = range.end.min(self.entry.bytes);
        let range = range.start.min(end)..end;
        if range.is_empty() || self.has_ranges() {
            let stretch = (!range.is_empty()).then(|| self.range(range, Vec::new(), stop));
            return Ok(stretch
                .transpose()?
                .map_or_else(Vec::new, |found| found.bytes));
        }
        let opened = self.open_at(range.start, stop)?;
        let mut bytes = Vec::new();
        let read = opened.reader.take(range.end - range.start);
        match { read }.read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(cause) => Err(lifted(cause, &self.uri())),
        }
    }

    /// The same object has the same, whatever it is called.
    fn identity(&self, other: &Self) -> Ordering {
        match (self.entry.file, other.entry.file) {
            (Some(one), Some(two)) => one.cmp(&two),
            (one, two) => one.is_some().cmp(&two.is_some()).then_with(|| {
                let roots = self.store.uri("").cmp(&other.store.uri(""));
                roots.then_with(|| self.entry.key.cmp(&other.entry.key))
            }),
        }
    }
}

impl Inputs {
    /// Lists the inputs: INPUT's order, then key order by bytes.
    ///
    /// # Errors
    /// 66 where an INPUT names nothing, or an object is reached twice; 65 past the limit of listed objects or of state;
    /// the stores' own.
    pub fn list(
        named: Vec<(Arc<dyn Readable>, Pattern)>,
        budget: &Arc<Budget>,
        stop: &Stop,
    ) -> Result<Self> {
        Self::list_within(LISTED_OBJECTS, named, budget, stop)
    }

    /// None at all, such as of a range.
    #[must_use]
    pub fn none() -> Self {
        let budget = Arc::new(Budget::new(0));
        Self {
            elements: Vec::new(),
            entries: Charged::new(&budget),
            texts: Charge::new(&budget),
        }
    }

    fn list_within(
        limit: usize,
        named: Vec<(Arc<dyn Readable>, Pattern)>,
        budget: &Arc<Budget>,
        stop: &Stop,
    ) -> Result<Self> {
        let mut inputs = Self {
            elements: Vec::with_capacity(named.len()),
            entries: Charged::new(budget),
            texts: Charge::new(budget),
        };
        for (store, pattern) in named {
            let first = inputs.entries.len();
            store.list_each(
                &pattern,
                stop,
                &mut |entry| match inputs.entries.len() < limit {
                    true => inputs.push(entry),
                    false => Err(too_many(store.uri(&pattern.to_string()))),
                },
            )?;
            let listed = inputs.entries.as_mut_slice().get_mut(first..);
            let listed = listed.unwrap_or_default();
            if listed.is_empty() {
                let uri = store.uri(&pattern.to_string());
                return Err(missing(uri));
            }
            // General purpose buckets list in this order already; others and directories do not.
            in_key_order(listed);
            inputs.elements.push((store, inputs.entries.len()));
        }
        inputs.refuse_twins(budget)?;
        Ok(inputs)
    }

    fn push(&mut self, entry: Entry) -> Result<()> {
        let text_bytes = entry.key.len() + entry.etag.len() + 2 * ALLOCATION_BYTES;
        let charged = self.texts.add(text_bytes);
        charged
            .and_then(|()| self.entries.push(entry))
            .map_err(|exceeded| past_memory(exceeded, self.len()))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The input of that number, from 0.
    #[must_use]
    pub fn get(&self, number: usize) -> Option<Input<'_>> {
        let element = self.elements.partition_point(|(_, end)| *end <= number);
        let (store, _) = self.elements.get(element)?;
        Some(Input {
            store: store.as_ref(),
            entry: self.entries.get(number)?,
        })
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = Input<'_>> {
        (0..self.len()).filter_map(|number| self.get(number))
    }

    /// Only names of files, or several elements of INPUT, can reach an object twice.
    fn refuse_twins(&self, budget: &Arc<Budget>) -> Result<()> {
        let has_files = self
            .entries
            .first()
            .is_some_and(|entry| entry.file.is_some());
        if self.elements.len() < 2 && !has_files {
            return Ok(());
        }
        let mut order = Charged::new(budget);
        order
            .reserve(self.len())
            .map_err(|exceeded| past_memory(exceeded, self.len()))?;
        for number in 0..self.len() {
            order
                .push(number)
                .map_err(|exceeded| past_memory(exceeded, self.len()))?;
        }
        let compare = |one: usize, two: usize| match (self.get(one), self.get(two)) {
            (Some(one), Some(two)) => one.identity(&two),
            (one, two) => one.is_some().cmp(&two.is_some()),
        };
        order
            .as_mut_slice()
            .sort_unstable_by(|one, two| compare(*one, *two).then(one.cmp(two)));
        let twins = order.windows(2).filter_map(|pair| match pair {
            [one, two] if compare(*one, *two) == Ordering::Equal => Some((*two, *one)),
            _ => None,
        });
        // The first in input order that was reached before.
        let Some((again, before)) = twins.min() else {
            return Ok(());
        };
        let uri = |number| {
            self.get(number)
                .map_or_else(String::new, |input| input.uri())
        };
        Err(Error::new(
            Kind::Input,
            "listing INPUT",
            "each object once",
            format!("that it was reached before as {}", uri(before)),
            "name it once; its records would count twice",
        )
        .at_uri(uri(again)))
    }
}

fn past_memory(exceeded: Exceeded, entries: usize) -> Error {
    let entries = u64::try_from(entries).unwrap_or(u64::MAX);
    exceeded.error("the listing of the inputs", entries)
}

fn missing(uri: String) -> Error {
    let advice = "look at the path: what INPUT names must be there";
    Error::new(
        Kind::Input,
        "reading",
        "at least one object",
        "none",
        advice,
    )
    .at_uri(uri)
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

    fn named(fake: &Arc<Fake>, patterns: &[&str]) -> Vec<(Arc<dyn Readable>, Pattern)> {
        let store = || fake.clone() as Arc<dyn Readable>;
        let named = patterns
            .iter()
            .map(|text| (store(), Pattern::parse(text).unwrap()));
        named.collect()
    }

    fn budget(bytes: u64) -> Arc<Budget> {
        Arc::new(Budget::new(bytes))
    }

    #[test]
    fn the_limit_of_listed_objects_counts_over_all_inputs() {
        let fake = Arc::new(Fake::default());
        for key in ["a/1", "a/2", "b/1"] {
            fake.insert(key, b"x", "");
        }
        for (limit, want) in [(3, Ok(3)), (2, Err(Kind::Data))] {
            let named = named(&fake, &["a/", "b/1"]);
            let listed = Inputs::list_within(limit, named, &budget(1 << 20), &stop());
            let found = listed
                .map(|inputs| inputs.len())
                .map_err(|error| error.kind());
            assert_eq!(found, want, "{limit}");
        }
    }

    #[test]
    fn f122_an_object_reached_twice_by_its_uri() {
        let fake = Arc::new(Fake::default());
        for key in ["a/0", "a/1", "a/2"] {
            fake.insert(key, b"x", "");
        }
        let named = named(&fake, &["a/2", "a/1", "a/*"]);
        let error = Inputs::list(named, &budget(1 << 20), &stop()).unwrap_err();
        assert_eq!(error.kind(), Kind::Input);
        let text = error.to_string();
        assert!(text.contains("reached before as fake://a/1"), "{text}");
    }

    #[test]
    fn f126_the_listing_is_charged_while_it_grows() {
        let fake = Arc::new(Fake::default());
        for number in 0..1_000 {
            fake.insert(&format!("a/{number:04}"), b"x", "");
        }
        let texts = 6 + 64 + 2 * ALLOCATION_BYTES as u64;
        let least = 1_000 * (size_of::<Entry>() as u64 + texts);
        let listed = |bytes| {
            let budget = budget(bytes);
            let listed = Inputs::list(named(&fake, &["a/"]), &budget, &stop());
            listed.map(|inputs| (inputs.len(), budget.used_bytes()))
        };
        let (count, used) = listed(2 * least).unwrap();
        assert!(count == 1_000 && used >= least, "{used} {least}");
        let error = listed(least).unwrap_err();
        assert_eq!(error.kind(), Kind::Data);
        let text = error.to_string();
        assert!(text.contains("the listing of the inputs"), "{text}");
        // Given back where it fails, and a million of 100 bytes each fit the share of 512 MiB at their largest.
        let budget = budget(least);
        drop(Inputs::list(named(&fake, &["a/"]), &budget, &stop()));
        assert_eq!(budget.used_bytes(), 0);
    }

    #[test]
    fn f037_an_input_that_is_gone_when_it_is_opened() {
        let delete = Fault::Meanwhile("deleted", |objects| objects.clear());
        let fake = Arc::new(Fake::scripted(vec![(2, delete)]));
        fake.insert("a", b"x", "");
        let inputs = Inputs::list(named(&fake, &["a"]), &budget(1 << 20), &stop()).unwrap();
        let error = inputs.get(0).unwrap().open(&stop()).unwrap_err();
        assert_eq!((error.kind(), fake.fired()), (Kind::Input, 1));
    }
}
