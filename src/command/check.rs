//! `windrow check batch`, `stream` and `merge`: print the configuration as a run would use it (SPEC 2). They read
//! nothing that the environment points at, and say what that is.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::config::merge::Merge;
use crate::config::{Compiled, Config, Mode, Text, variables};
use crate::error::{Error, Result};
use crate::limits;
use crate::supervise::{Context, Outcome};

/// What is printed.
#[derive(Debug, Serialize)]
struct Document<'a> {
    mode: &'static str,
    version: &'static str,
    /// Every variable that applies, resolved and redacted.
    config: &'a Map<String, Value>,
    /// Variables whose URI a run reads before its claim, and this command did not.
    not_read: Vec<&'static str>,
    /// The declared columns, and whether the query reads them; absent where a text was not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    columns: Option<Vec<Declared<'a>>>,
    /// The columns of the result.
    #[serde(skip_serializing_if = "Option::is_none")]
    outputs: Option<Vec<Named<'a>>>,
}

#[derive(Debug, Serialize)]
struct Declared<'a> {
    #[serde(flatten)]
    named: Named<'a>,
    read: bool,
}

#[derive(Debug, Serialize)]
struct Named<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    ty: String,
}

/// Prints the configuration.
///
/// # Errors
/// 74 where standard output does not take it.
pub fn run(context: &Context, mut config: Config) -> Result<Outcome> {
    let worker_bytes = u64::try_from(limits::WORKER_BYTES).unwrap_or(u64::MAX);
    config.resolve_threads(context.machine.threads(worker_bytes));
    context.log.document(text(&config)?)?;
    Ok(Outcome::Printed)
}

/// The same of a merge.
///
/// # Errors
/// 74 where standard output does not take it.
pub fn run_merge(context: &Context, merge: &Merge) -> Result<Outcome> {
    context.log.document(printed(&Document {
        mode: Mode::Merge.word(),
        version: env!("CARGO_PKG_VERSION"),
        config: &merge.resolved,
        not_read: Vec::new(),
        columns: None,
        outputs: None,
    })?)?;
    Ok(Outcome::Printed)
}

fn text(config: &Config) -> Result<String> {
    printed(&Document {
        mode: config.mode().word(),
        version: env!("CARGO_PKG_VERSION"),
        config: &config.resolved,
        not_read: not_read(config),
        columns: config.compiled.as_ref().map(columns),
        outputs: config.compiled.as_ref().map(outputs),
    })
}

fn printed(document: &Document<'_>) -> Result<String> {
    match serde_json::to_string_pretty(document) {
        Ok(text) => Ok(text + "\n"),
        Err(cause) => Err(Error::defect(
            "printing the configuration",
            cause.to_string(),
        )),
    }
}

fn not_read(config: &Config) -> Vec<&'static str> {
    let mut names = Vec::new();
    if let Some(Text::Uri(_)) = config.input.columns() {
        names.push(variables::COLUMNS_URI.name);
    }
    if let Text::Uri(_) = config.query {
        names.push(variables::QUERY_URI.name);
    }
    names
}

fn columns(compiled: &Compiled) -> Vec<Declared<'_>> {
    let declared = compiled.columns.iter().enumerate();
    declared
        .map(|(index, column)| Declared {
            named: Named {
                name: &column.name,
                ty: column.form.ty().to_string(),
            },
            read: column.not_null || compiled.plan.columns.contains(&index),
        })
        .collect()
}

fn outputs(compiled: &Compiled) -> Vec<Named<'_>> {
    let outputs = compiled.plan.outputs.iter();
    outputs
        .map(|output| Named {
            name: &output.name,
            ty: output.ty.to_string(),
        })
        .collect()
}
