//! For cargo-fuzz: `cargo +nightly fuzz run query --features libfuzzer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::query(bytes));
