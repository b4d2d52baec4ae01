//! The program: reads the command line and the environment, runs one command under the supervisor, ends the process.

use std::ffi::OsString;
use std::panic::catch_unwind;
use std::process::ExitCode;

use lexopt::{Arg, Parser};

use windrow::clock::SystemClock;
use windrow::command::{batch, check, merge, stream, verify};
use windrow::config::merge::Merge;
use windrow::config::raw::Raw;
use windrow::config::{Config, Mode, problem, variables};
use windrow::error::{Error, Kind, Result, shown};
use windrow::log;
use windrow::supervise::{Allowance, Context, Outcome, Supervisor};

/// musl's own allocator gives memory back to the kernel after every batch and takes it again for the next.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    // A panic outside of what the supervisor guards is a defect of the supervisor, but no other exit code either.
    ExitCode::from(catch_unwind(run).unwrap_or(Kind::Defect.exit_code()))
}

fn run() -> u8 {
    let supervisor = match Supervisor::start() {
        Ok(supervisor) => supervisor,
        Err(error) => {
            log::last_words(&SystemClock::start(), &error);
            return error.kind().exit_code();
        }
    };
    match supervisor.prepare(|| Command::of(words(Parser::from_env())?)) {
        Ok(command) => supervisor.run(command.allowance(), move |context| command.run(context)),
        Err(error) => supervisor.refuse(error),
    }
}

/// What the command line says.
#[derive(Debug, PartialEq, Eq)]
enum Words {
    Batch,
    Stream,
    Merge,
    Check(Mode),
    Verify(String),
    Help,
    Version,
}

/// What is to be done, with all that it needs.
#[derive(Debug)]
enum Command {
    Batch(Box<Config>),
    Stream(Box<Config>),
    Merge(Box<Merge>),
    Check(Box<Config>),
    CheckMerge(Box<Merge>),
    Verify(Box<verify::Target>),
    Print(String),
}

impl Command {
    fn of(words: Words) -> Result<Self> {
        let config = |mode| {
            let parsed = Config::parse(&Raw::read(), mode);
            parsed.map(Box::new).map_err(|all| problem::report(&all))
        };
        let merge = || {
            let parsed = Merge::parse(&Raw::read());
            parsed.map(Box::new).map_err(|all| problem::report(&all))
        };
        Ok(match words {
            Words::Batch => Self::Batch(config(Mode::Batch)?),
            Words::Stream => Self::Stream(config(Mode::Stream)?),
            Words::Merge => Self::Merge(merge()?),
            Words::Check(Mode::Merge) => Self::CheckMerge(merge()?),
            Words::Check(mode) => Self::Check(config(mode)?),
            Words::Verify(uri) => {
                Self::Verify(Box::new(verify::Target::parse(&uri, &Raw::read())?))
            }
            Words::Help => Self::Print(variables::help()),
            Words::Version => Self::Print(format!("windrow {}\n", env!("CARGO_PKG_VERSION"))),
        })
    }

    fn allowance(&self) -> Allowance {
        match self {
            Self::Batch(config) | Self::Stream(config) => Allowance {
                deadline: config.deadline,
                drain: config.drain,
            },
            Self::Merge(merge) => Allowance {
                deadline: merge.deadline,
                drain: merge.drain,
            },
            Self::Check(_) | Self::CheckMerge(_) | Self::Verify(_) | Self::Print(_) => {
                Allowance::UNTIL_STOPPED
            }
        }
    }

    fn run(self, context: &Context) -> Result<Outcome> {
        match self {
            Self::Batch(config) => batch::run(context, *config),
            Self::Stream(config) => stream::run(context, *config),
            Self::Merge(config) => merge::run(context, &config),
            Self::Check(config) => check::run(context, *config),
            Self::CheckMerge(config) => check::run_merge(context, &config),
            Self::Verify(target) => verify::run(context, &target),
            Self::Print(text) => {
                context.log.document(text)?;
                Ok(Outcome::Printed)
            }
        }
    }
}

/// The command line as words; 64 where it is not one.
fn words(mut parser: Parser) -> Result<Words> {
    let mut values: Vec<OsString> = Vec::new();
    let mut asked = None;
    while let Some(argument) = parser.next().map_err(|fault| usage(fault.to_string()))? {
        match argument {
            Arg::Value(value) => values.push(value),
            Arg::Short('h') | Arg::Long("help") => asked = asked.or(Some(Words::Help)),
            Arg::Short('V') | Arg::Long("version") => asked = asked.or(Some(Words::Version)),
            Arg::Short(_) | Arg::Long(_) => {
                return Err(usage(argument.unexpected().to_string()));
            }
        }
    }
    if let Some(asked) = asked {
        return Ok(asked);
    }
    let values: Vec<&str> = values
        .iter()
        .map(|value| value.to_str().unwrap_or("\u{fffd}"))
        .collect();
    match values.as_slice() {
        ["batch"] => Ok(Words::Batch),
        ["stream"] => Ok(Words::Stream),
        ["check", "batch"] => Ok(Words::Check(Mode::Batch)),
        ["check", "stream"] => Ok(Words::Check(Mode::Stream)),
        ["check", "merge"] => Ok(Words::Check(Mode::Merge)),
        ["merge"] => Ok(Words::Merge),
        ["verify", uri] => Ok(Words::Verify((*uri).to_owned())),
        [] => Err(usage("no command".to_owned())),
        ["verify"] => Err(usage("verify without a URI".to_owned())),
        ["check"] => Err(usage("check without a mode".to_owned())),
        _ => Err(usage(shown(values.join(" ").as_bytes(), 80))),
    }
}

fn usage(found: String) -> Error {
    Error::new(
        Kind::Usage,
        "reading the command line",
        "batch, stream, merge, check batch|stream|merge, verify URI, --help or --version",
        found,
        "the environment decides the rest: see `windrow --help`",
    )
}
