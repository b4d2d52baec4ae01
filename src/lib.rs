//! windrow: finite inputs to SQL rollups, committed with one create-only manifest. The map, in reading order.

pub mod error;
pub mod limits; // every number of SPEC 11 and every capacity // Error, Kind, Place, exit codes

pub mod query;
pub mod value; // types, vectors, exact arithmetic, time and text (pure) // text to plan to values (pure)

pub mod clock; // wall and monotonic time
pub mod random; // nonces
pub mod stop; // deadline, signals, drain as one answer

pub mod digest; // SHA-256
pub mod store; // the Store trait, files behind it, create-only writes settled

pub mod artifact; // a sink that compresses, counts, hashes and stores
pub mod commit;
pub mod manifest; // the documents of a run and their predicates // claim first, manifest last

pub mod command; // the commands: the only files that join stages
