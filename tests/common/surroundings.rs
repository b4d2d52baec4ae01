//! Surroundings that are worse than usual: another user, little memory, system calls that fail. Each gives `None` where
//! this machine does not let a test make it; the test then says that it was skipped.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::job::Job;
use super::place::Place;
use super::{WINDROW, can_run, is_root, pass};

/// The user of the image, who owns nothing and may nothing.
pub const NOBODY: &str = "65532";

/// The program where any user may run it: the build directory need not be open to all.
pub fn program(place: &Place) -> PathBuf {
    let copy = place.path("windrow");
    if !copy.exists() {
        fs::copy(WINDROW, &copy).unwrap();
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
    }
    copy
}

/// `job` as user 65532 without groups and capabilities, started by `starter` (as root) before that.
pub fn as_nobody(place: &Place, job: &Job, starter: &[&str]) -> Option<Command> {
    if is_root() {
        return as_user(NOBODY, place, job, starter);
    }
    // Whoever is not root has no more rights to other users' files than nobody.
    Some(job.in_shell(&format!("exec {} \"$@\"", starter.join(" "))))
}

/// The same as another user without anything: what is counted by user must not count other tests.
pub fn as_user(user: &str, place: &Place, job: &Job, starter: &[&str]) -> Option<Command> {
    let become_user = [
        "setpriv",
        "--reuid",
        user,
        "--regid",
        user,
        "--clear-groups",
    ];
    let drop_all = ["--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"];
    let words: Vec<&str> = become_user.into_iter().chain(drop_all).collect();
    if !is_root() || !can_run(words[0], &[&words[1..], &["true"]].concat()) {
        return None;
    }
    let words = [starter, &words].concat().join(" ");
    let job = job.clone().by(program(place));
    Some(job.in_shell(&format!("exec {words} \"$@\"")))
}

/// `job` under strace, which does `injection` to each of `calls` that it makes (to the calls of each thread, counted on
/// their own, where it says `when=`).
pub fn traced(job: &Job, calls: &[&str], injection: &str) -> Option<Command> {
    // As a grandchild, the tracer leaves the process itself to the test.
    let starter = [
        "strace",
        "-D",
        "-f",
        "-qqq",
        "-o",
        "/dev/null",
        "-e",
        "signal=none",
        "-e",
    ];
    let trace = format!("trace={}", calls.join(","));
    let starter = [&starter[..], &[&trace]].concat();
    if !can_run(starter[0], &[&starter[1..], &["true"]].concat()) {
        return None;
    }
    let inject = format!("inject={}:{injection}", calls.join(","));
    let mut command = job.below(&[&starter[..], &["-e", &inject]].concat());
    command.env("PATH", "/usr/bin:/bin");
    Some(command)
}

/// A cgroup with a memory limit, of version 1 or 2.
pub struct Group(PathBuf);

impl Group {
    pub fn new(name: &str, limit_bytes: u64) -> Option<Self> {
        let name = format!("{name}-{}", std::process::id());
        let versions = [
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            ("/sys/fs/cgroup", "memory.max"),
        ];
        let made = versions.into_iter().find_map(|(mount, limit)| {
            let group = Path::new(mount).join(&name);
            fs::create_dir(&group).ok()?;
            let group = Self(group);
            fs::write(group.0.join(limit), limit_bytes.to_string()).ok()?;
            Some(group)
        });
        made.filter(|group| group.0.join("cgroup.procs").exists())
    }

    /// `job` in this group from its first byte on.
    pub fn command(&self, job: &Job) -> Command {
        let procs = self.0.join("cgroup.procs");
        job.in_shell(&format!("echo $$ > {} && exec \"$@\"", procs.display()))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The kernel takes a moment to see that the last process is gone.
        for _ in 0..100 {
            if fs::remove_dir(&self.0).is_ok() {
                break;
            }
            pass(Duration::from_millis(10));
        }
    }
}
