//! windrow: finite inputs to SQL rollups, committed with one create-only manifest. The map, in reading order.

pub mod error;
pub mod limits; // every number of SPEC 11 and every capacity // Error, Kind, Place, exit codes

pub mod decode;
pub mod gzip;
pub mod query;
pub mod value; // types, vectors, exact arithmetic, time and text (pure) // text to plan to values (pure)
