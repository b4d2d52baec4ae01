//! What the run should be told of although nothing failed: a column that no record had, times that look like another
//! unit (SPEC 9, `warning`).

use crate::decode::Met;
use crate::log::{Event, Log};
use crate::value::column::Column;

/// Tells the log what the records of a run, of which there were any, had of each column.
pub(super) fn tell(columns: &[Column], met: &[Met], log: &Log) {
    for (column, met) in columns.iter().zip(met) {
        let name = column.name.as_str();
        if !met.is_there {
            let text = format!("column {name}: no record has a field at its source");
            log.event(&Event::warning(text).with("column", name));
        }
        if met.is_implausible() {
            let text = format!(
                "column {name}: all times are outside 1990 to 2100; is it in another unit?"
            );
            log.event(&Event::warning(text).with("column", name));
        }
    }
}
