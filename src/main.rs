//! The program: builds the world, runs one command, ends the process.

fn main() {}
