//! `windrow batch` as a process among others: signals, deadlines, races, sudden death, and surroundings that have less
//! than usual.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on says where"
)]

#[path = "../common/mod.rs"]
mod common;

mod bare;
mod claim;
mod commit;
mod killed;
mod stopped;
