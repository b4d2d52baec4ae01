//! What the command words do. The only files that join stages.

pub mod batch;
pub mod check;
mod conclude;
mod faults;
pub mod merge;
mod outputs;
mod partial;
mod prepare;
mod rejected;
mod stores;
pub mod stream;
pub mod verify;
mod warnings;
mod windowed;
