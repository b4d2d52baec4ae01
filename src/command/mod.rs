//! What the command words do. The only files that join stages.

pub mod batch;
pub mod check;
pub mod verify;
