//! The commands: the only files that join stages.

pub mod verify;
