//! What the machine gives a run and what the run took of it: memory limit, CPUs, peak memory, CPU time. Pure parsers
//! of what cgroup and /proc say, and one reader; a fact that cannot be had is absent, never guessed.
//!
//! Sources: "Control Group v2" and "Memory Resource Controller" (Linux kernel documentation); proc(5).

use std::num::NonZeroUsize;
use std::path::Path;
use std::thread::available_parallelism;

use crate::limits;

/// What a run may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// CPUs by affinity and cgroup quota, at least one.
    pub cpus: NonZeroUsize,
    /// The least of the limits of the cgroup, of those above it, and the machine's memory. `None` where nothing says.
    pub memory_limit_bytes: Option<u64>,
}

/// What the process has used so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Most physical memory at any time.
    pub peak_memory_bytes: Option<u64>,
    /// User and system time of all threads.
    pub cpu_seconds: Option<f64>,
}

impl Machine {
    /// Asks this machine.
    #[must_use]
    pub fn read() -> Self {
        Self::read_below(Path::new("/"))
    }

    fn read_below(root: &Path) -> Self {
        let text = |path: &str| std::fs::read_to_string(root.join(path)).ok();
        let groups = text("proc/self/cgroup").unwrap_or_default();
        let limit = limit_files(&groups)
            .into_iter()
            .filter_map(|path| limit_bytes(&text(&path)?));
        let memory = text("proc/meminfo").and_then(|text| kib_field(&text, "MemTotal:"));
        Self {
            // The standard library looks at both the affinity and the quotas of cgroup v1 and v2.
            cpus: available_parallelism().unwrap_or(NonZeroUsize::MIN),
            memory_limit_bytes: limit.chain(memory).min(),
        }
    }

    /// Workers where THREADS is absent: the CPUs, fewer where their fixed buffers of `worker_bytes` each would pass
    /// 30 % of the memory limit (SPEC 3).
    #[must_use]
    pub fn threads(&self, worker_bytes: u64) -> NonZeroUsize {
        let Some(limit) = self.memory_limit_bytes else {
            return self.cpus;
        };
        let most = limit / 100 * limits::BUFFER_PERCENT / worker_bytes.max(1);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        NonZeroUsize::new(most)
            .unwrap_or(NonZeroUsize::MIN)
            .min(self.cpus)
    }
}

impl Usage {
    /// Asks this machine.
    #[must_use]
    pub fn read() -> Self {
        let text = |path| std::fs::read_to_string(path).unwrap_or_default();
        Self {
            peak_memory_bytes: kib_field(&text("/proc/self/status"), "VmHWM:"),
            cpu_seconds: cpu_seconds(&text("/proc/self/stat")),
        }
    }
}

/// Where the memory limits of this process and of the groups above it are, given /proc/self/cgroup. A container often
/// sees its own group as the root, whatever that file says; the root is among them for that reason.
fn limit_files(groups: &str) -> Vec<String> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':');
        let (_, Some(controllers), Some(group)) = (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let (mount, file) = match controllers {
            "" => ("sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        let mut group = group.trim_end_matches('/');
        loop {
            files.push(format!("{mount}{group}/{file}"));
            match group.rsplit_once('/') {
                Some((above, _)) => group = above,
                None => break,
            }
        }
    }
    files
}

/// A cgroup's limit; `None` for `max`. What v1 writes for "no limit" is above any machine's memory, and so harmless.
fn limit_bytes(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// The field of /proc/meminfo or /proc/self/status of this name, in bytes.
fn kib_field(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// User and system time of /proc/self/stat: fields 14 and 15 in ticks, of which Linux shows 100 a second everywhere.
fn cpu_seconds(stat: &str) -> Option<f64> {
    // The second field is the program's name in parentheses and may hold blanks and parentheses itself.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u32>().ok().map(f64::from);
    Some((ticks()? + ticks()?) / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limit_files_of_both_versions() {
        for (name, groups, want) in [
            ("none", "", &[][..]),
            ("v2 at the root", "0::/\n", &["sys/fs/cgroup/memory.max"]),
            (
                "v2 nested",
                "0::/a/b\n",
                &[
                    "sys/fs/cgroup/a/b/memory.max",
                    "sys/fs/cgroup/a/memory.max",
                    "sys/fs/cgroup/memory.max",
                ],
            ),
            (
                "v1",
                "5:cpu,cpuacct:/x\n4:memory:/a:b\n",
                &[
                    "sys/fs/cgroup/memory/a:b/memory.limit_in_bytes",
                    "sys/fs/cgroup/memory/memory.limit_in_bytes",
                ],
            ),
            ("broken", "what\n", &[]),
        ] {
            assert_eq!(limit_files(groups), want, "{name}");
        }
    }

    #[test]
    fn fields() {
        for (text, want) in [
            ("max\n", None),
            ("67108864\n", Some(67_108_864)),
            ("9223372036854771712\n", Some(9_223_372_036_854_771_712)),
            ("", None),
            ("-1\n", None),
        ] {
            assert_eq!(limit_bytes(text), want, "{text}");
        }
        let status = "Name:\twindrow\nVmPeak:\t 9 kB\nVmHWM:\t    2048 kB\n";
        assert_eq!(kib_field(status, "VmHWM:"), Some(2 << 20));
        assert_eq!(kib_field(status, "VmSwap:"), None);
        assert_eq!(kib_field("VmHWM: 99999999999999999999 kB", "VmHWM:"), None);
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 9 9 20 0 1 0 100 0 0";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(cpu_seconds("7 (a) S 1"), None);
    }

    #[test]
    fn the_least_memory_limit_counts() {
        let root = std::env::temp_dir().join(format!("windrow-machine-{}", std::process::id()));
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("proc/self/cgroup", "0::/a/b\n");
        write("proc/meminfo", "MemTotal:  1048576 kB\nMemFree: 5 kB\n");
        let limit = || Machine::read_below(&root).memory_limit_bytes;
        assert_eq!(limit(), Some(1 << 30), "no cgroup files");
        write("sys/fs/cgroup/a/b/memory.max", "max\n");
        write("sys/fs/cgroup/a/memory.max", "67108864\n");
        assert_eq!(limit(), Some(64 << 20), "the group above");
        write("sys/fs/cgroup/a/memory.max", "9223372036854771712\n");
        assert_eq!(limit(), Some(1 << 30), "more than there is");
        std::fs::remove_dir_all(&root).unwrap();
        assert_eq!(limit(), None, "nothing to read");
    }

    #[test]
    fn this_machine_answers() {
        assert!(Machine::read().memory_limit_bytes.is_some());
        let usage = Usage::read();
        assert!(usage.peak_memory_bytes > Some(100_000), "{usage:?}");
        assert!(usage.cpu_seconds.is_some(), "{usage:?}");
    }

    #[test]
    fn threads_fit_the_memory() {
        for (name, cpus, limit, worker_bytes, want) in [
            ("enough", 4, Some(1 << 30), 4 << 20, 4),
            ("tight", 16, Some(64 << 20), 4 << 20, 4),
            ("too tight for one", 16, Some(1 << 20), 4 << 20, 1),
            ("unknown", 16, None, 4 << 20, 16),
        ] {
            let machine = Machine {
                cpus: NonZeroUsize::new(cpus).unwrap(),
                memory_limit_bytes: limit,
            };
            assert_eq!(machine.threads(worker_bytes).get(), want, "{name}");
        }
    }
}
