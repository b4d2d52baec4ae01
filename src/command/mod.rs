//! What the command words do. The only files that join stages.

pub mod batch;
pub mod check;
mod stores;
pub mod verify;
