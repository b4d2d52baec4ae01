//! `windrow batch` on files, as a process: every row of the fault catalogue that data, inputs and outputs can bring
//! about, with the exit code, the facts of the error and the state that is left.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on says where"
)]

#[path = "../common/mod.rs"]
mod common;

mod captures;
mod csv;
mod gzip;
mod inputs;
mod json;
mod limits;
mod numbers;
mod order;
mod outputs;
mod time;
