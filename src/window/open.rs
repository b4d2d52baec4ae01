//! The windows that take records: which one an event falls into, and a rollup for each.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::budget::{Budget, Charge, Exceeded};
use crate::query::Problem;
use crate::query::plan::{Bucket, Groups, Interval};
use crate::rollup::{Failure, Full, Rollup};
use crate::value::timestamp;
use crate::value::vector::Batch;

/// A stretch of event time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// Its first microsecond, since 1970.
    pub(super) start_us: i64,
    /// One past its last.
    pub(super) end_us: i64,
}

impl Span {
    /// The window that `event_us` falls into; `None` where it begins before the year 0001.
    pub(super) fn of(event_us: i64, bucket: Bucket) -> Option<Self> {
        let start_us = timestamp::bucket(event_us, bucket)?;
        let end_us = match bucket {
            Bucket::Micros(width) => start_us.saturating_add(width),
            Bucket::Months(months) => {
                let width = Interval {
                    months,
                    ..Interval::default()
                };
                timestamp::add_interval(start_us, width).unwrap_or(i64::MAX)
            }
        };
        Some(Self { start_us, end_us })
    }

    fn holds(self, event_us: i64) -> bool {
        self.start_us <= event_us && event_us < self.end_us
    }
}

/// All of them, by their start.
#[derive(Debug)]
pub(super) struct OpenWindows<'p> {
    groups: &'p Groups,
    budget: Arc<Budget>,
    windows: BTreeMap<i64, Open<'p>>,
    /// The one that took a record last.
    current: Option<Span>,
    /// The end of the first.
    first_end_us: i64,
    /// Rows of the batch that are in no rollup yet, in their order, with the start of their window.
    pending: Vec<(i64, u32)>,
}

/// A window that takes records.
#[derive(Debug)]
pub(super) struct Open<'p> {
    pub(super) span: Span,
    pub(super) rollup: Rollup<'p>,
    /// Records in it.
    pub(super) used: u64,
    /// For the rollup itself; its groups are charged by it.
    _charge: Charge,
}

/// What an open window takes before its first group: its table, and a few empty columns a state.
const OPEN_BYTES: usize = 2_048;

/// Why rows cannot be taken.
pub(super) enum Stopped {
    /// A value in this row that a key or an aggregate cannot take; in none where the problem is not of one row.
    Problem(Option<u32>, Problem),
    /// State passed its share of memory.
    Full(Full),
}

impl<'p> OpenWindows<'p> {
    pub(super) fn new(groups: &'p Groups, budget: &Arc<Budget>) -> Self {
        Self {
            groups,
            budget: Arc::clone(budget),
            windows: BTreeMap::new(),
            current: None,
            first_end_us: i64::MAX,
            pending: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.windows.len()
    }

    /// The window that took a record last, if `event_us` falls into it.
    #[inline]
    pub(super) fn current(&self, event_us: i64) -> Option<Span> {
        self.current.filter(|span| span.holds(event_us))
    }

    /// A row is for the window `span`; `true` where that is new.
    #[inline]
    pub(super) fn take(&mut self, span: Span, row: usize) -> Result<bool, Exceeded> {
        self.pending
            .push((span.start_us, u32::try_from(row).unwrap_or(u32::MAX)));
        if self.current == Some(span) {
            return Ok(false);
        }
        self.current = Some(span);
        if self.windows.contains_key(&span.start_us) {
            return Ok(false);
        }
        let mut charge = Charge::new(&self.budget);
        charge.add(OPEN_BYTES)?;
        let open = Open {
            span,
            rollup: Rollup::new(self.groups, Arc::clone(&self.budget)),
            used: 0,
            _charge: charge,
        };
        self.windows.insert(span.start_us, open);
        self.first_end_us = self.first_end_us.min(span.end_us);
        Ok(true)
    }

    /// Whether the watermark reached the end of a window.
    #[inline]
    pub(super) fn is_due(&self, watermark_us: i64) -> bool {
        self.first_end_us <= watermark_us
    }

    /// The first window, if the watermark reached its end.
    pub(super) fn pop(&mut self, watermark_us: i64) -> Option<Open<'p>> {
        if !self.is_due(watermark_us) {
            return None;
        }
        let (_, open) = self.windows.pop_first()?;
        let first = self.windows.first_key_value();
        self.first_end_us = first.map_or(i64::MAX, |(_, open)| open.span.end_us);
        self.current = None;
        Some(open)
    }

    /// Puts the rows that were taken of `batch` into their rollups.
    pub(super) fn flush(&mut self, batch: &Batch) -> Result<(), Stopped> {
        let mut pending = std::mem::take(&mut self.pending);
        // Stable: rows of a window stay in their order.
        pending.sort_by_key(|&(start, _)| start);
        let mut rows = Vec::new();
        for of_window in pending.chunk_by(|(left, _), (right, _)| left == right) {
            let start = of_window.first().map_or(0, |&(start, _)| start);
            let Some(open) = self.windows.get_mut(&start) else {
                continue;
            };
            let added = if of_window.len() == batch.rows {
                open.rollup.add(batch)
            } else {
                rows.clear();
                rows.extend(of_window.iter().map(|&(_, row)| row));
                open.rollup.add(&batch.gather(&rows))
            };
            match added {
                Ok(()) => open.used += of_window.len() as u64,
                Err(Failure::Full(full)) => return Err(Stopped::Full(full)),
                Err(Failure::Problem(_)) => {
                    let mut rest: Vec<_> = pending
                        .iter()
                        .filter(|&&(other, _)| other >= start)
                        .copied()
                        .collect();
                    rest.sort_unstable_by_key(|&(_, row)| row);
                    self.one_by_one(&rest, batch)?;
                    break;
                }
            }
        }
        pending.clear();
        self.pending = pending;
        Ok(())
    }

    /// Row by row, whatever its window: only then the problem is that of the first row that has one. There may be none,
    /// where a batch only computed too much text at once.
    fn one_by_one(&mut self, rows: &[(i64, u32)], batch: &Batch) -> Result<(), Stopped> {
        for &(start, row) in rows {
            let Some(open) = self.windows.get_mut(&start) else {
                continue;
            };
            match open.rollup.add(&batch.gather(&[row])) {
                Ok(()) => open.used += 1,
                Err(Failure::Full(full)) => return Err(Stopped::Full(full)),
                Err(Failure::Problem(problem)) => {
                    return Err(Stopped::Problem(Some(row), problem));
                }
            }
        }
        Ok(())
    }
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Full(full) => Self::Full(full),
            Failure::Problem(problem) => Self::Problem(None, problem),
        }
    }
}
