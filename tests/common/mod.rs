//! Runs the built program as a process in a directory of the test's own, and looks at all that a run leaves behind.
//! However a run ends, [`Ended::audit`] checks what must hold of every run (SPEC 7 to 9); a test adds its own facts.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test program uses the part that it needs"
)]

pub mod ended;
pub mod job;
pub mod place;
pub mod records;
pub mod surroundings;

use std::io::{Write, stderr};
use std::process::{Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

/// The program under test.
pub const WINDROW: &str = env!("CARGO_BIN_EXE_windrow");

/// What a worker takes its input in; rows 64 and 69 put records across its ends.
pub const CHUNK_BYTES: usize = windrow::limits::CHUNK_BYTES;

/// Says that a test could not make its fault happen here. Past the capture of the test runner, so that it is seen.
pub fn skipped(test: &str, why: &str) {
    let _ = writeln!(stderr(), "SKIPPED {test}: {why}");
}

/// Whether this program can be run here with these arguments: tools such as `unshare` may be absent, or not allowed.
pub fn can_run(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Whether the tests run as root, who may mount, change users and make cgroups.
pub fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout == b"0\n")
}

/// Lets time pass where a test waits for nothing that it could listen to.
pub fn pass(time: Duration) {
    let (_open, never) = sync_channel::<()>(1);
    let _ = never.recv_timeout(time);
}

/// Numbers that look random and are the same in every run of the tests (xorshift64*, Vigna 2016).
pub struct Dice(pub u64);

impl Dice {
    /// The next number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % end
    }
}
