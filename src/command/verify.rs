//! `windrow verify URI`: re-reads what a document names and compares (SPEC 2).
