//! A strict S3 in memory and a WebSocket feed, each with a script of faults, for tests and for the demo.

pub mod answer;
mod bend;
pub mod catalogue;
pub mod client;
pub mod connection;
pub mod control;
pub mod digest;
pub mod feed;
pub mod http;
pub mod journal;
mod listing;
pub mod moment;
mod multipart;
mod objects;
pub mod operation;
pub mod percent;
pub mod refusal;
pub mod script;
pub mod server;
pub mod sign;
pub mod store;
pub mod task;
pub mod tls;
mod wire;
pub mod xml;
