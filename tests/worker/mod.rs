//! Runs the built program for the tests: in a directory of its own, with the environment that the test gives and no other.
#![allow(dead_code, reason = "each test file uses the part that it needs")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How a run ended.
pub(crate) struct Outcome {
    /// The exit code; -1 for a signal.
    pub(crate) code: i32,
    /// Standard output, then standard error.
    pub(crate) printed: String,
    /// The committed rollup; none where there is no manifest.
    pub(crate) rollup: Option<String>,
}

/// The program under test.
pub(crate) const WINDROW: &str = env!("CARGO_BIN_EXE_windrow");

/// The program that WINDROW_BIN names, such as a build for another machine; absent: the program under test.
#[allow(
    clippy::disallowed_methods,
    reason = "a test is told of the program by the environment"
)]
pub(crate) fn windrow() -> Command {
    Command::new(std::env::var_os("WINDROW_BIN").unwrap_or_else(|| WINDROW.into()))
}

/// A directory of this test's own, empty.
pub(crate) fn directory(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("a directory for the test");
    path
}

/// A fixture or another file of this package.
pub(crate) fn package(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// `file://` and the path.
pub(crate) fn file_uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

/// Runs `command` as RUN_ID `run_id` with OUTPUT `output`, and reads what it left there.
pub(crate) fn run(command: &mut Command, output: &Path, run_id: &str) -> Outcome {
    let done = command
        .env("WINDROW_OUTPUT", file_uri(output))
        .env("WINDROW_RUN_ID", run_id)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let run = output.join(run_id);
    let rollup = run.join("manifest.json").exists().then(|| {
        fs::read_to_string(run.join("rollup.csv")).expect("a manifest has its rollup beside it")
    });
    let mut printed = String::from_utf8_lossy(&done.stdout).into_owned();
    printed.push_str(&String::from_utf8_lossy(&done.stderr));
    Outcome {
        code: done.status.code().unwrap_or(-1),
        printed,
        rollup,
    }
}

/// The same fields in the same order, where two numbers may differ by 1e-12 of the wanted one.
pub(crate) fn nearly_equal(got: &str, want: &str) -> bool {
    let fields = |text: &str| -> Vec<String> {
        text.split_inclusive([',', '\n'])
            .map(str::to_owned)
            .collect()
    };
    let near = |got: &str, want: &str| match (got.parse::<f64>(), want.parse::<f64>()) {
        (Ok(got), Ok(want)) => (got - want).abs() <= 1e-12 * want.abs(),
        _ => false,
    };
    let (got, want) = (fields(got), fields(want));
    got.len() == want.len()
        && got.iter().zip(&want).all(|(got, want)| {
            got == want
                || got.bytes().last() == want.bytes().last()
                    && near(
                        got.trim_end_matches([',', '\n']),
                        want.trim_end_matches([',', '\n']),
                    )
        })
}
