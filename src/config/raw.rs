//! The environment as it is: the one place that reads it, once. What the names and values mean is `config::parse`'s
//! business.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use super::variables::PREFIX;

/// The variables whose names start with `WINDROW_`, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Raw(BTreeMap<OsString, OsString>);

impl Raw {
    /// Those of this process.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the environment"
    )]
    pub fn read() -> Self {
        std::env::vars_os().collect()
    }

    /// Names without the prefix, and values.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &OsStr)> {
        self.0.iter().map(|(name, value)| {
            let name = name.as_bytes();
            (
                name.strip_prefix(PREFIX.as_bytes()).unwrap_or(name),
                value.as_os_str(),
            )
        })
    }
}

/// Keeps what starts with `WINDROW_`.
impl FromIterator<(OsString, OsString)> for Raw {
    fn from_iter<I: IntoIterator<Item = (OsString, OsString)>>(all: I) -> Self {
        Self(
            all.into_iter()
                .filter(|(name, _)| name.as_bytes().starts_with(PREFIX.as_bytes()))
                .collect(),
        )
    }
}
