//! What the records of a run had of each column, for the warnings of one whose columns look wrong (SPEC 9).

use crate::value::Type;
use crate::value::column::Column;
use crate::value::vector::{Data, Vector};

/// 1990-01-01 and 2100-01-01: a column all of whose times are outside was most likely declared in another unit.
const PLAUSIBLE_US: std::ops::Range<i64> = 631_152_000_000_000..4_102_444_800_000_000;

/// What was met of a column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Met {
    /// Any record had it. A CSV record has all of them; a JSON record has those whose path it holds, with a null or a value.
    pub is_there: bool,
    /// It had a time.
    has_time: bool,
    /// It had one that is plausible.
    has_plausible_time: bool,
}

impl Met {
    /// Whether it had times, and not one of them was between 1990 and 2100.
    #[must_use]
    pub fn is_implausible(self) -> bool {
        self.has_time && !self.has_plausible_time
    }

    /// Adds what others met of the column.
    pub fn add(&mut self, other: Self) {
        self.is_there |= other.is_there;
        self.has_time |= other.has_time;
        self.has_plausible_time |= other.has_plausible_time;
    }

    /// Looks at the good records of a batch: at one value, mostly.
    pub(super) fn look(&mut self, column: &Column, vector: &Vector) {
        let (Type::Timestamp, false, Data::Int(times)) =
            (column.form.ty(), self.has_plausible_time, &vector.data)
        else {
            return;
        };
        let mut valid = times
            .iter()
            .enumerate()
            .filter(|(row, _)| vector.valid.is_valid(*row));
        self.has_time |= valid.clone().next().is_some();
        self.has_plausible_time = valid.any(|(_, time)| PLAUSIBLE_US.contains(time));
    }
}
