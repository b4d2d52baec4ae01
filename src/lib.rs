//! windrow: finite inputs to SQL rollups, committed with one create-only manifest. The map, in reading order:
//!
//! - [`limits`], [`error`]: every number of SPEC 11 and every capacity; why a run ended, and its exit code
//! - [`clock`], [`random`], [`stop`]: time, nonces, and one answer to how long a call may block
//! - [`value`]: types, vectors, exact arithmetic, time and text (pure)
//! - [`query`]: text to plan to values (pure)
//! - [`message`]: messages of feeds in one order (pure)
//! - [`decode`], [`encode`], [`capture`]: bytes to batches, batches to bytes, messages to lines (pure)
//! - [`budget`], [`rollup`]: bytes of state; batches to groups to results (pure)
//! - [`window`]: messages to event-time windows (pure)
//! - [`config`]: the environment to a checked configuration
//! - [`log`], [`machine`], [`supervise`]: the process
//! - [`http`], [`s3`], [`task`]: requests with an end, S3 over them, and where the run runs
//! - [`feed`]: WebSocket feeds into one bounded queue
//! - [`digest`], [`gzip`], [`store`], [`source`], [`artifact`]: bytes in and out
//! - [`manifest`], [`commit`]: claim first, manifest last
//! - [`command`]: the only files that join stages

pub mod artifact;
pub mod budget;
pub mod capture;
pub mod clock;
pub mod command;
pub mod commit;
pub mod config;
pub mod decode;
pub mod digest;
pub mod encode;
pub mod error;
pub mod feed;
pub mod gzip;
pub mod http;
pub mod limits;
pub mod log;
pub mod machine;
pub mod manifest;
pub mod message;
pub mod query;
pub mod random;
pub mod rollup;
pub mod s3;
pub mod signals;
pub mod source;
pub mod stop;
pub mod store;
pub mod supervise;
pub mod task;
pub mod value;
pub mod window;
