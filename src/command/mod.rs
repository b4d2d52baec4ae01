//! What the command words do. The only files that join stages.

pub mod batch;
pub mod check;
mod conclude;
mod faults;
mod outputs;
mod prepare;
mod rejected;
mod stores;
pub mod stream;
pub mod verify;
mod warnings;
mod windowed;
