//! What is fetched ahead is what would be read one after the other, in order, in bounded memory (SPEC 7, rule 8; FAULTS
//! 36, 37, 41, 56, 58).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::budget::Budget;
use crate::clock::ManualClock;
use crate::error::Kind;
use crate::stop::Cause;
use crate::store::fake::{Fake, Fault};
use crate::store::{Entry, Pattern, Readable, Stretch, lifted};

const SEGMENT: usize = 8;

fn stop() -> Stop {
    let clock = Arc::new(ManualClock::default());
    Stop::new(clock, Duration::from_secs(100), Duration::from_secs(10))
}

/// Objects `a/000`, … of these sizes, whose bytes tell where they are from.
fn fake(sizes: &[usize], script: Vec<(usize, Fault)>) -> (Arc<Fake>, Vec<u8>) {
    let fake = Arc::new(Fake::scripted(script));
    let mut all = Vec::new();
    for (number, size) in sizes.iter().enumerate() {
        let bytes: Vec<u8> = (0..*size)
            .map(|at| u8::try_from((7 * number + at) % 251).unwrap())
            .collect();
        fake.insert(&format!("a/{number:03}"), &bytes, "");
        all.extend(bytes);
    }
    (fake, all)
}

fn listed(store: Arc<dyn Readable>) -> Inputs {
    let budget = Arc::new(Budget::new(1 << 20));
    let named = vec![(store, Pattern::parse("a/").unwrap())];
    Inputs::list(named, &budget, &stop()).unwrap()
}

/// Reads everything, `piece` bytes at a time; what came before an error comes with it.
fn read(inputs: &Inputs, fetchers: usize, piece: usize, stop: &Stop) -> (Vec<u8>, Result<()>) {
    read_span(inputs, Span::whole(inputs.len()), fetchers, piece, stop)
}

/// The same of a part.
fn read_span(
    inputs: &Inputs,
    span: Span,
    fetchers: usize,
    piece: usize,
    stop: &Stop,
) -> (Vec<u8>, Result<()>) {
    let mut all = Vec::new();
    let outcome = with_segments(SEGMENT, inputs, span, fetchers, stop, |source| {
        for number in span.inputs() {
            let input = inputs.get(number).unwrap();
            let mut opened = source.open(number)?;
            if fetchers > 0 {
                let version = format!("version of {}", input.entry.key);
                assert_eq!(opened.version_id, Some(version));
            }
            let mut room = vec![0; piece];
            loop {
                let read = opened.reader.read(&mut room);
                match read.map_err(|cause| lifted(cause, &input.uri()))? {
                    0 => break,
                    count => all.extend(&room[..count]),
                }
            }
        }
        Ok(())
    });
    (all, outcome)
}

#[test]
fn the_bytes_are_those_of_reading_one_after_the_other() {
    let lists: [&[usize]; 7] = [
        &[0],
        &[1],
        &[SEGMENT],
        &[SEGMENT - 1, SEGMENT + 1, 0, 0, 3 * SEGMENT],
        &[100],
        &[5; 40],
        &[0, 0, 33, 7, 8, 9, 0, 64, 1],
    ];
    for sizes in lists {
        let (fake, all) = fake(sizes, Vec::new());
        let inputs = listed(fake.clone());
        for (fetchers, piece) in [(0, 3), (1, 5), (2, 1), (3, 64), (16, 7)] {
            let before = fake.requests().len();
            let (found, outcome) = read(&inputs, fetchers, piece, &stop());
            assert!(outcome.is_ok(), "{sizes:?} {fetchers}");
            assert_eq!(found, all, "{sizes:?} {fetchers}");
            let asked = fake.requests().len() - before;
            let want: usize = match fetchers {
                0 => sizes.len(),
                _ => sizes.iter().map(|size| size.div_ceil(SEGMENT).max(1)).sum(),
            };
            assert_eq!(asked, want, "requests for {sizes:?} {fetchers}");
        }
    }
}

#[test]
fn parts_of_the_inputs_put_together_are_all_of_them() {
    let sizes = [3 * SEGMENT, 0, 7, SEGMENT + 1, 0, 40];
    let (fake, all) = fake(&sizes, Vec::new());
    let inputs = listed(fake);
    let bytes = |number: usize| inputs.get(number).map(|input| input.entry.bytes);
    // Every place, and the same place twice: a part of nothing.
    let places = (0..=sizes.len()).flat_map(|input| {
        let offsets = 0..bytes(input).unwrap_or(1).max(1);
        offsets.map(move |offset| Place { input, offset })
    });
    let places: Vec<_> = places.collect();
    for (fetchers, step) in [(0, 1), (0, 5), (1, 3), (3, 7), (16, 11)] {
        let mut found = Vec::new();
        let starts: Vec<_> = places.iter().copied().step_by(step).collect();
        let ends = starts
            .iter()
            .skip(1)
            .chain(places.last())
            .chain(places.last());
        for (&from, &to) in starts.iter().zip(ends) {
            let (part, outcome) = read_span(&inputs, Span { from, to }, fetchers, 64, &stop());
            assert!(outcome.is_ok(), "{from:?} {to:?} {fetchers}");
            found.extend(part);
        }
        assert_eq!(found, all, "{fetchers} {step}");
    }
}

#[test]
fn what_is_not_read_of_an_object_is_passed_over() {
    let (fake, all) = fake(&[50, 20], Vec::new());
    let inputs = listed(fake);
    let mut found = Vec::new();
    with_segments(
        SEGMENT,
        &inputs,
        Span::whole(inputs.len()),
        3,
        &stop(),
        |source| {
            let mut first = [0; 10];
            source.open(0)?.reader.read_exact(&mut first).unwrap();
            source.open(1)?.reader.read_to_end(&mut found).unwrap();
            Ok(())
        },
    )
    .unwrap();
    assert_eq!(found, all[50..]);
}

/// An error comes at its place, whatever was fetched beyond it, and all bytes before it count.
#[test]
fn f036_f037_an_object_that_changes_or_goes_ends_the_run_at_its_place() {
    fn of(objects: &mut BTreeMap<String, crate::store::fake::Object>) {
        objects.get_mut("a/002").unwrap().bytes.reverse();
    }
    for (name, fault) in [
        (
            "gone",
            Fault::Meanwhile("gone", |objects| drop(objects.remove("a/002"))),
        ),
        ("changed", Fault::Meanwhile("changed", of)),
    ] {
        for fetchers in [1, 2, 5] {
            // Request 1 is the listing: it happens before anything is read.
            let (fake, all) = fake(&[20, 9, 30, 4], vec![(2, fault.clone())]);
            let inputs = listed(fake.clone());
            let (found, outcome) = read(&inputs, fetchers, 64, &stop());
            let error = outcome.unwrap_err();
            assert_eq!((error.kind(), fake.fired()), (Kind::Input, 1), "{name}");
            let text = error.to_string();
            assert!(text.contains("fake://a/002"), "{name} {fetchers}: {text}");
            assert_eq!(found, all[..29], "{name} {fetchers}");
        }
    }
}

/// A store that counts what is fetched and not yet taken, and can hang until it is stopped.
#[derive(Debug)]
struct Counting {
    fake: Arc<Fake>,
    fetched: AtomicUsize,
    /// How often a buffer had to be made.
    rooms: AtomicUsize,
    hangs_at: usize,
}

impl Readable for Counting {
    fn uri(&self, key: &str) -> String {
        self.fake.uri(key)
    }

    fn list_each(
        &self,
        pattern: &Pattern,
        stop: &Stop,
        take: &mut dyn FnMut(Entry) -> Result<()>,
    ) -> Result<()> {
        self.fake.list_each(pattern, stop, take)
    }

    fn open(
        &self,
        key: &str,
        etag: Option<&str>,
        stop: &Stop,
    ) -> Result<Option<crate::store::Opened>> {
        self.fake.open(key, etag, stop)
    }

    fn has_ranges(&self, _entry: &Entry) -> bool {
        true
    }

    fn range(
        &self,
        entry: &Entry,
        range: std::ops::Range<u64>,
        room: Vec<u8>,
        stop: &Stop,
    ) -> Result<Option<Stretch>> {
        if self.fetched.fetch_add(1, Ordering::SeqCst) >= self.hangs_at {
            stop.wait(Duration::from_secs(60));
            stop.check()?;
        }
        self.rooms
            .fetch_add(usize::from(room.capacity() == 0), Ordering::SeqCst);
        self.fake.range(entry, range, room, stop)
    }
}

fn counting(sizes: &[usize], hangs_at: usize) -> (Arc<Counting>, Inputs) {
    let (fake, _) = fake(sizes, Vec::new());
    let counting = Arc::new(Counting {
        fake,
        fetched: AtomicUsize::new(0),
        rooms: AtomicUsize::new(0),
        hangs_at,
    });
    let inputs = listed(counting.clone());
    (counting, inputs)
}

/// However long the reader takes, there is a segment a thread and the one being read, and no more.
#[test]
fn f056_what_is_fetched_ahead_is_bounded() {
    for fetchers in [1, 3, 8] {
        let (store, inputs) = counting(&[20 * SEGMENT, 3, 3, 20 * SEGMENT], usize::MAX);
        with_segments(
            SEGMENT,
            &inputs,
            Span::whole(inputs.len()),
            fetchers,
            &stop(),
            |source| {
                let mut taken = 0;
                for number in 0..inputs.len() {
                    let mut opened = source.open(number)?;
                    let mut segment = [0; SEGMENT];
                    while opened.reader.read(&mut segment).unwrap() > 0 {
                        taken += 1;
                        std::thread::yield_now();
                        let fetched = store.fetched.load(Ordering::SeqCst);
                        assert!(fetched <= taken + fetchers, "{fetched} {taken} {fetchers}");
                    }
                }
                Ok(())
            },
        )
        .unwrap();
        assert_eq!(store.fetched.load(Ordering::SeqCst), 42);
        assert!(store.rooms.load(Ordering::SeqCst) <= fetchers + 1);
    }
}

/// Whoever reads is done, as with LIMIT: what hangs is cut short, and the run itself goes on.
#[test]
fn the_end_of_reading_ends_the_fetching() {
    let (store, inputs) = counting(&[100 * SEGMENT], 4);
    let stop = stop();
    let read = with_segments(
        SEGMENT,
        &inputs,
        Span::whole(inputs.len()),
        4,
        &stop,
        |source| {
            let mut byte = [0];
            source.open(0)?.reader.read_exact(&mut byte).unwrap();
            Ok(byte)
        },
    );
    assert!(read.is_ok() && stop.cause().is_none());
    assert!(store.fetched.load(Ordering::SeqCst) <= 8);
}

#[test]
fn a_stop_of_the_run_cuts_the_fetching_short() {
    let (_, inputs) = counting(&[100 * SEGMENT], 6);
    let stop = stop();
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| read(&inputs, 2, 64, &stop));
        stop.request(Cause::Sigterm);
        let (_, outcome) = reader.join().unwrap();
        assert_eq!(outcome.unwrap_err().kind(), Kind::Interrupted);
    });
}

#[test]
fn f058_fewer_threads_fetch_in_small_containers() {
    for (name, limit, workers, want) in [
        ("64 MiB", Some(64 << 20), 1, 1),
        ("64 MiB, two workers", Some(64 << 20), 2, 0),
        ("128 MiB", Some(128 << 20), 2, 4),
        ("512 MiB", Some(512 << 20), 2, FETCHERS),
        ("all for the workers", Some(512 << 20), 64, 0),
        ("nothing", Some(0), 1, 0),
        ("unknown", None, 64, FETCHERS),
    ] {
        let found = fetchers(limit, workers);
        assert_eq!(found, want, "{name}");
        if let Some(limit) = limit.filter(|_| found > 0) {
            let held = workers * WORKER_BYTES + SEGMENT_BYTES + found * FETCHER_BYTES;
            assert!(held as u64 <= limit / 100 * BUFFER_PERCENT, "{name}");
        }
    }
}
