//! What must hold for any bytes. Each target panics where it does not; `main.rs` feeds them from the corpus and at random,
//! cargo-fuzz by coverage.

mod objects;
mod texts;

pub use objects::{csv, ndjson};
pub use texts::{columns, evaluate, query};

/// Tries some bytes.
pub type Target = fn(&[u8]);

/// The targets, by their names.
pub const TARGETS: [(&str, Target); 5] = [
    ("query", query),
    ("columns", columns),
    ("csv", csv),
    ("ndjson", ndjson),
    ("evaluate", evaluate),
];
