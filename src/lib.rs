//! windrow: finite inputs to SQL rollups, committed with one create-only manifest. The map, in reading order.

// Error, Kind, Place and the exit codes; every number that bounds a run.
pub mod error;
pub mod limits;

// Pure: types and exact values; bytes to rows; text to plan to values; rows to bytes.
pub mod value;

pub mod decode;

pub mod query;

pub mod encode;

// The environment to a checked configuration, or to every problem at once.
pub mod config;

// The outside world, one file a thing: time, nonces, deadline and signals, CPUs and memory, the log.
pub mod clock;
pub mod log;
pub mod machine;
pub mod random;
pub mod signals;
pub mod stop;

// What the command words do, and what runs them: the only files that join stages, and the exit code.
pub mod command;
pub mod supervise;
