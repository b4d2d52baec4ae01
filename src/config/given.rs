//! The values of the known variables as texts, and the problems so far. What can be said of a variable without
//! knowing what it means is said here: unknown, empty, too long, not UTF-8, missing.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::problem::{Fault, Problem};
use super::raw::Raw;
use super::variables::{ALL, Form, Mode, PREFIX, Presence, Variable, nearest};
use crate::error::shown;
use crate::limits;

/// Longest name or value that a problem shows, in characters.
const SHOWN_CHARACTERS: usize = 80;

/// What `config::parse` reads from.
///
/// Invariant: a known variable that is set stands in `values`, with `None` where its value cannot be used and a
/// problem says so.
#[derive(Debug)]
pub(super) struct Given<'a> {
    mode: Mode,
    values: BTreeMap<&'static str, Option<&'a str>>,
    problems: Vec<Problem>,
}

impl<'a> Given<'a> {
    /// The known variables of `raw`, for `mode`; the others are problems.
    pub(super) fn new(raw: &'a Raw, mode: Mode) -> Self {
        let mut given = Self {
            mode,
            values: BTreeMap::new(),
            problems: Vec::new(),
        };
        for (name, value) in raw.iter() {
            let known = ALL.iter().find(|variable| variable.name.as_bytes() == name);
            let Some(variable) = known else {
                given.problems.push(unknown(name));
                continue;
            };
            given.take(variable, value);
        }
        given
    }

    /// `variable` of `raw` alone; the others are not looked at.
    pub(super) fn only(raw: &'a Raw, variable: &Variable) -> Self {
        let mut given = Self {
            // Of a variable alone, all modes say the same.
            mode: Mode::Batch,
            values: BTreeMap::new(),
            problems: Vec::new(),
        };
        let mut all = raw.iter();
        if let Some((_, value)) = all.find(|(name, _)| *name == variable.name.as_bytes()) {
            given.take(variable, value);
        }
        given
    }

    fn take(&mut self, variable: &Variable, value: &'a OsStr) {
        let text = usable(value).map_err(|fault| self.refuse(variable, fault));
        self.values.insert(variable.name, text.ok());
    }

    /// Notes what is wrong with `variable`.
    pub(super) fn refuse(&mut self, variable: &Variable, fault: Fault) {
        self.problems.push(fault.of(variable.name));
    }

    /// Notes what is wrong with a text.
    pub(super) fn refuse_all(&mut self, problems: Vec<Problem>) {
        self.problems.extend(problems);
    }

    /// Whether `variable` is set at all, be it to nonsense.
    pub(super) fn is_set(&self, variable: &Variable) -> bool {
        self.values.contains_key(variable.name)
    }

    /// Its value, where it has one that can be used.
    pub(super) fn text(&self, variable: &Variable) -> Option<&'a str> {
        self.values.get(variable.name).copied().flatten()
    }

    /// Whether its value starts with `with`, be it broken after that.
    pub(super) fn starts(&self, variable: &Variable, with: &str) -> bool {
        self.text(variable)
            .is_some_and(|text| text.starts_with(with))
    }

    /// Says so where a variable that this run needs is missing, or one is set that it has no use for.
    pub(super) fn check_presence(&mut self, variable: &Variable, applies: bool) {
        let is_set = self.is_set(variable);
        if !applies {
            if is_set {
                self.refuse(variable, self.no_use(variable));
            }
            return;
        }
        let form = variable.form(self.mode);
        match variable.presence(self.mode) {
            Presence::Required if !is_set => {
                let fault = Fault::new(form.to_string(), "nothing", "it is required");
                self.refuse(variable, fault);
            }
            // Said once for the pair, at its first.
            Presence::OneOf(other) if variable.name < other => {
                let advice = format!("set {PREFIX}{} or {PREFIX}{other}", variable.name);
                match (is_set, self.values.contains_key(other)) {
                    (false, false) => {
                        let fault = Fault::new(form.to_string(), "nothing", advice);
                        self.refuse(variable, fault);
                    }
                    (true, true) => {
                        let fault = Fault::new("one of the two", "both", advice);
                        self.refuse(variable, fault);
                    }
                    (true, false) | (false, true) => {}
                }
            }
            Presence::With(other) if !is_set && self.values.contains_key(other) => {
                let advice = format!("it is needed with {PREFIX}{other}");
                let fault = Fault::new(form.to_string(), "nothing", advice);
                self.refuse(variable, fault);
            }
            Presence::Unused
            | Presence::Required
            | Presence::OneOf(_)
            | Presence::With(_)
            | Presence::Optional(_) => {}
        }
    }

    /// What to say of a variable that is set for nothing.
    fn no_use(&self, variable: &Variable) -> Fault {
        let found = "a value";
        if let Some(need) = variable.need(self.mode) {
            let expected = "it to be absent for this INPUT, INPUT_FORMAT, OUTPUT and SHARD";
            return Fault::new(expected, found, need);
        }
        let expected = format!("it to be absent in {}", self.mode.word());
        let others = variable.modes();
        let others: Vec<_> = others
            .map(|mode| format!("`windrow {}`", mode.word()))
            .collect();
        let verb = if others.len() == 1 { "has" } else { "have" };
        let advice = format!("only {} {verb} a use for it", others.join(" and "));
        Fault::new(expected, found, advice)
    }

    /// Its value as `parse` reads it; `None` where it is absent or a problem.
    pub(super) fn parsed<T>(
        &mut self,
        variable: &Variable,
        parse: impl FnOnce(&'a str) -> Result<T, Fault>,
    ) -> Option<T> {
        parse(self.text(variable)?)
            .map_err(|fault| self.refuse(variable, fault))
            .ok()
    }

    /// The value of a [`Form::Number`].
    pub(super) fn number(&mut self, variable: &Variable) -> Option<u64> {
        let form = variable.form(self.mode);
        self.parsed(variable, |text| {
            let fault = || Fault::new(form.to_string(), quoted(text), "write only digits");
            let Form::Number { least, most } = form else {
                return Err(fault());
            };
            number(text, least, most).ok_or_else(fault)
        })
    }

    /// The value of a [`Form::Word`].
    pub(super) fn word(&mut self, variable: &Variable) -> Option<&'static str> {
        let form = variable.form(self.mode);
        self.parsed(variable, |text| {
            let words = match form {
                Form::Word(words) => words,
                Form::Number { .. } | Form::Text(_) | Form::ByMode { .. } => &[],
            };
            let found = words.iter().find(|word| **word == text).copied();
            found.ok_or_else(|| Fault::new(form.to_string(), quoted(text), ""))
        })
    }

    /// The problems in the order of the table, unknown names first.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let is_known = |problem: &Problem| ALL.iter().any(|known| known.name == problem.variable);
        let (mut left, mut ordered): (Vec<_>, Vec<_>) =
            self.problems.into_iter().partition(is_known);
        for known in ALL {
            let of_it = |problem: &Problem| problem.variable == known.name;
            let (found, others) = left.into_iter().partition(of_it);
            left = others;
            ordered.extend::<Vec<_>>(found);
        }
        ordered
    }
}

/// Digits alone, from `least` to `most`: no sign, no blank, no leading zero but for 0 itself.
pub(super) fn number(text: &str, least: u64, most: u64) -> Option<u64> {
    let plain =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    // What is too long for u64 fails in the parse.
    let number = text.parse::<u64>().ok().filter(|_| plain)?;
    (least..=most).contains(&number).then_some(number)
}

/// A value as problems show it.
pub(super) fn quoted(text: &str) -> String {
    format!("`{}`", shown(text.as_bytes(), SHOWN_CHARACTERS))
}

fn usable(value: &OsStr) -> Result<&str, Fault> {
    if value.is_empty() {
        return Err(Fault::new(
            "a value",
            "an empty one",
            "set it, or remove it from the environment",
        ));
    }
    if value.len() > limits::VARIABLE_BYTES {
        return Err(Fault::new(
            format!("at most {} bytes", limits::VARIABLE_BYTES),
            format!("{} bytes", value.len()),
            "put a long query or a long list of columns into a file: QUERY_URI, COLUMNS_URI",
        ));
    }
    value.to_str().ok_or_else(|| {
        let found = shown(value.as_bytes(), SHOWN_CHARACTERS);
        Fault::new("UTF-8", found, "")
    })
}

fn unknown(name: &[u8]) -> Problem {
    let hint = std::str::from_utf8(name).ok().and_then(nearest);
    let advice = match hint {
        Some(name) => format!("did you mean {PREFIX}{name}?"),
        None => "remove it; `windrow --help` lists what this version knows".to_owned(),
    };
    Fault::new("a known name", "an unknown one", advice).of(&shown(name, SHOWN_CHARACTERS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f005_numbers_are_digits_in_range() {
        for (text, want) in [
            ("5", Some(5)),
            ("10", Some(10)),
            ("4", None),
            ("11", None),
            ("+7", None),
            ("-7", None),
            (" 7", None),
            ("7 ", None),
            ("07", None),
            ("7.0", None),
            ("7e0", None),
            ("0x7", None),
            ("7_0", None),
            ("seven", None),
            ("٧", None),
            ("18446744073709551623", None),
            ("99999999999999999999999999999999999999999999", None),
        ] {
            assert_eq!(number(text, 5, 10), want, "{text}");
        }
        assert_eq!(number("0", 0, u64::MAX), Some(0));
        assert_eq!(number("18446744073709551615", 0, u64::MAX), Some(u64::MAX));
    }
}
