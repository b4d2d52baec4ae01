//! `windrow merge`.
use crate::config::merge::Merge;
use crate::error::{Error, Result};
use crate::supervise::{Context, Outcome};

/// Merges.
pub fn run(_context: &Context, _merge: &Merge) -> Result<Outcome> {
    Err(Error::defect("merging", "not yet"))
}
