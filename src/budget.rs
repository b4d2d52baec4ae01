//! The bytes of state that all threads of a run may hold together (SPEC 11), and vectors that are charged for them.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Kind};
use crate::limits;

/// Bytes of state held, and how many may be. Shared by the threads of a run.
#[derive(Debug)]
pub struct Budget {
    used_bytes: AtomicU64,
    limit_bytes: u64,
}

/// More state was asked for than the limit allows, or than the system has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// What would have been held.
    pub bytes: u64,
    /// What may be held; `None` where that was not passed, and the system refused the memory.
    pub limit_bytes: Option<u64>,
}

impl Exceeded {
    /// 65: the state of `holder`, which has `entries` entries, passed its share of memory, or the system had none left.
    #[must_use]
    pub fn error(self, holder: &str, entries: u64) -> Error {
        let Self { bytes, limit_bytes } = self;
        let share = limits::STATE_PERCENT;
        let expected = match limit_bytes {
            Some(limit) => {
                format!("state of at most {limit} bytes ({share} % of the memory limit)")
            }
            None => "the system to have the memory for it".to_owned(),
        };
        let found = format!("{bytes} bytes, to grow {holder} ({entries} entries)");
        let advice = "group by less, read fewer inputs at once, or give the run more memory";
        Error::new(Kind::Data, "holding state", expected, found, advice)
    }
}

impl Budget {
    /// Nothing held, `limit_bytes` allowed.
    #[must_use]
    pub fn new(limit_bytes: u64) -> Self {
        Self {
            used_bytes: AtomicU64::new(0),
            limit_bytes,
        }
    }

    /// Bytes held now.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.used_bytes.load(Ordering::Relaxed)
    }

    /// Takes `bytes` more, before they are allocated; nothing is taken where that would pass the limit.
    pub fn charge(&self, bytes: u64) -> Result<(), Exceeded> {
        // Only the sum is shared, no data: no ordering is needed.
        self.used_bytes
            .try_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes)
                    .filter(|&used| used <= self.limit_bytes)
            })
            .map(|_| ())
            .map_err(|used| Exceeded {
                bytes: used.saturating_add(bytes),
                limit_bytes: Some(self.limit_bytes),
            })
    }

    /// What is asked for is more than can be counted, whatever the limit.
    pub(crate) fn refused(&self) -> Exceeded {
        Exceeded {
            bytes: self.used_bytes(),
            limit_bytes: None,
        }
    }

    /// Gives back `bytes` that were charged.
    pub fn release(&self, bytes: u64) {
        self.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Bytes charged to a budget, given back when dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Charge {
    pub(crate) fn new(budget: &Arc<Budget>) -> Self {
        Self {
            budget: Arc::clone(budget),
            bytes: 0,
        }
    }

    /// Takes `bytes` more.
    pub(crate) fn add(&mut self, bytes: usize) -> Result<(), Exceeded> {
        let bytes = bytes as u64;
        self.budget.charge(bytes)?;
        self.bytes += bytes;
        Ok(())
    }

    fn release(&mut self, bytes: u64) {
        self.budget.release(bytes);
        self.bytes -= bytes;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.release(self.bytes);
    }
}

/// A vector whose room is charged. Invariant: `charge` is for exactly the capacity of `items`.
#[derive(Debug)]
pub(crate) struct Charged<T> {
    items: Vec<T>,
    charge: Charge,
}

/// Smallest room that is asked for, so that few groups do not grow at every one.
const LEAST_ROOM: usize = 16;

impl<T> Charged<T> {
    pub(crate) fn new(budget: &Arc<Budget>) -> Self {
        Self {
            items: Vec::new(),
            charge: Charge::new(budget),
        }
    }

    /// The budget that is charged.
    pub(crate) fn budget(&self) -> &Arc<Budget> {
        &self.charge.budget
    }

    /// Room for `more` items without another charge. Old and new copy count together while one is copied.
    pub(crate) fn reserve(&mut self, more: usize) -> Result<(), Exceeded> {
        let (length, old) = (self.items.len(), self.items.capacity());
        let needed = length.saturating_add(more);
        if needed <= old {
            return Ok(());
        }
        // By half, since state lives at its size for long, and growth is seldom.
        let new = needed.max(old + old / 2).max(LEAST_ROOM);
        let bytes = new.saturating_mul(size_of::<T>());
        self.charge.add(bytes)?;
        if self.items.try_reserve_exact(new - length).is_err() {
            let refused = self.budget().refused();
            self.charge.release(bytes as u64);
            return Err(refused);
        }
        self.charge.release((old * size_of::<T>()) as u64);
        Ok(())
    }

    /// Whether one more item would need more room.
    pub(crate) fn is_full(&self, more: usize) -> bool {
        self.items.len().saturating_add(more) > self.items.capacity()
    }

    /// Appends one item.
    pub(crate) fn push(&mut self, item: T) -> Result<(), Exceeded> {
        self.reserve(1)?;
        self.items.push(item);
        Ok(())
    }

    /// The items, to be put in another order.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [T] {
        &mut self.items
    }

    /// Drops the items past `length`; the room stays.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.items.truncate(length);
    }
}

impl<T: Clone> Charged<T> {
    /// Grows to `length` items with copies of `item`; never shrinks.
    pub(crate) fn grow(&mut self, length: usize, item: T) -> Result<(), Exceeded> {
        let more = length.saturating_sub(self.items.len());
        self.reserve(more)?;
        if more > 0 {
            self.items.resize(length, item);
        }
        Ok(())
    }

    /// Appends `items`.
    pub(crate) fn extend(&mut self, items: &[T]) -> Result<(), Exceeded> {
        self.reserve(items.len())?;
        self.items.extend_from_slice(items);
        Ok(())
    }
}

impl<T> Deref for Charged<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items
    }
}

impl<T> DerefMut for Charged<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.items
    }
}
