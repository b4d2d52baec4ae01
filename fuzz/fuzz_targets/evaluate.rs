//! For cargo-fuzz: `cargo +nightly fuzz run evaluate --features libfuzzer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::evaluate(bytes));
