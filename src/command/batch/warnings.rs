//! What the run should be told of although nothing failed: a column that no record had, times that look like another
//! unit (SPEC 9, `warning`).

use super::work::{Task, Worker};
use crate::log::{Event, Log};
use crate::manifest::Records;
use crate::value::Type;
use crate::value::vector::{Batch, Data};

/// 1990-01-01 and 2100-01-01: a column all of whose times are outside was most likely declared in another unit.
const PLAUSIBLE_US: std::ops::Range<i64> = 631_152_000_000_000..4_102_444_800_000_000;

/// Which TIMESTAMP columns had a value, and one that is plausible. Costs a look at one value a batch.
#[derive(Debug)]
pub(super) struct Times(Vec<Seen>);

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    any: bool,
    plausible: bool,
}

impl Times {
    pub(super) fn new(task: &Task) -> Self {
        Self(vec![Seen::default(); task.columns.len()])
    }

    /// Looks at the records of a batch, before WHERE.
    pub(super) fn look(&mut self, task: &Task, batch: &Batch) {
        let columns = task.columns.iter().zip(&batch.columns).zip(&mut self.0);
        for ((column, vector), seen) in columns {
            let (Type::Timestamp, false, Data::Int(times)) =
                (column.form.ty(), seen.plausible, &vector.data)
            else {
                continue;
            };
            let mut valid = times
                .iter()
                .enumerate()
                .filter(|(row, _)| vector.valid.is_valid(*row));
            seen.any |= valid.clone().next().is_some();
            seen.plausible = valid.any(|(_, time)| PLAUSIBLE_US.contains(time));
        }
    }
}

/// Tells the log.
pub(super) fn tell(task: &Task, workers: &[Worker<'_>], records: Records, log: &Log) {
    if records.read == 0 {
        return;
    }
    for (index, column) in task.columns.iter().enumerate() {
        let name = column.name.as_str();
        let is_absent = |worker: &Worker<'_>| {
            worker
                .saw_value()
                .is_some_and(|saw| saw.get(index) == Some(&false))
        };
        if !workers.is_empty() && workers.iter().all(is_absent) {
            let text = format!("column {name}: no record has a field at its source");
            log.event(&Event::warning(text).with("column", name));
        }
        let seen = workers
            .iter()
            .filter_map(|worker| worker.times().0.get(index));
        let (any, plausible) = seen.fold((false, false), |(any, plausible), seen| {
            (any | seen.any, plausible | seen.plausible)
        });
        if any && !plausible {
            let text = format!(
                "column {name}: all times are outside 1990 to 2100; is it in another unit?"
            );
            log.event(&Event::warning(text).with("column", name));
        }
    }
}
