//! `windrow batch` as a process among others: signals, deadlines, races, sudden death, and surroundings that have less
//! than usual.

#[path = "../common/mod.rs"]
mod common;

mod bare;
mod claim;
mod commit;
mod killed;
mod stopped;
