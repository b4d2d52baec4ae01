//! What the command words do. The only files that join stages.

pub mod batch;
pub mod check;
mod outputs;
mod prepare;
mod stores;
pub mod verify;
