//! `windrow batch` on files, as a process: every row of the fault catalogue that data, inputs and outputs can bring
//! about, with the exit code, the facts of the error and the state that is left.

#[path = "../common/mod.rs"]
mod common;

mod csv;
mod gzip;
mod inputs;
mod json;
mod limits;
mod numbers;
mod order;
mod outputs;
mod time;
