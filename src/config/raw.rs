//! The environment as it is: the one place that reads it, once. What the names and values mean is `config::parse`'s
//! business.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;

use super::aws;
use super::variables::PREFIX;

/// The variables that concern windrow, in the order of their names: its own, which start with `WINDROW_`, and those of
/// AWS, ECS and proxies that it knows.
#[derive(Clone, Default, PartialEq, Eq)]
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

    /// Windrow's own: names without the prefix, and values.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &OsStr)> {
        self.0.iter().filter_map(|(name, value)| {
            let name = name.as_bytes().strip_prefix(PREFIX.as_bytes())?;
            Some((name, value.as_os_str()))
        })
    }

    /// The value of a variable of others, where it is set to more than nothing: to AWS's own tools an empty one is absent.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<&OsStr> {
        let value = self.0.get(OsStr::new(name))?.as_os_str();
        (!value.is_empty()).then_some(value)
    }
}

/// Keeps what concerns windrow.
impl FromIterator<(OsString, OsString)> for Raw {
    fn from_iter<I: IntoIterator<Item = (OsString, OsString)>>(all: I) -> Self {
        let is_kept = |name: &OsStr| {
            name.as_bytes().starts_with(PREFIX.as_bytes())
                || aws::settings().any(|known| name == known)
        };
        let mut raw = Self::default();
        for (name, value) in all {
            if is_kept(&name) {
                raw.0.insert(name, value);
            }
        }
        raw
    }
}

/// Names only: a value may be a secret.
impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
