//! Which objects an INPUT names (SPEC 3): one key, everything below a prefix, or one `*` per path segment.

use std::fmt;

/// A set of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    segments: Vec<Segment>,
    end: End,
}

/// What one segment of a key must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Exactly this.
    Literal(String),
    /// Anything that starts and ends so, without overlap.
    Star {
        /// Before the `*`.
        start: String,
        /// After the `*`.
        end: String,
    },
}

/// What follows the segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing: the last segment is the object's name.
    Object,
    /// At least one more segment: every object below.
    Below,
}

impl Pattern {
    /// Reads `a/b.csv`, `a/b/` or `a/*/c-*.csv`.
    ///
    /// # Errors
    /// What is wrong with it: an empty segment, `.` or `..`, or more than one `*` in a segment.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (text, end) = match text.strip_suffix('/') {
            Some(text) => (text, End::Below),
            None => (text, End::Object),
        };
        let segments = match (text, end) {
            ("", End::Below) => Vec::new(),
            _ => text
                .split('/')
                .map(Segment::parse)
                .collect::<Result<_, _>>()?,
        };
        Ok(Self { segments, end })
    }

    /// Reads keys of a bucket, in which empty segments, `.` and `..` are names like any other: `a//b`, `a/`, `a/*/c-*.csv`.
    /// The empty text is every object.
    ///
    /// # Errors
    /// That a segment has more than one `*`.
    pub fn of_keys(text: &str) -> Result<Self, &'static str> {
        let (text, end) = match (text, text.strip_suffix('/')) {
            ("", _) => (None, End::Below),
            (_, Some(text)) => (Some(text), End::Below),
            (text, None) => (Some(text), End::Object),
        };
        let segments = text.into_iter().flat_map(|text| text.split('/'));
        let segments = segments
            .map(|segment| match segment {
                "" | "." | ".." => Ok(Segment::Literal(segment.to_owned())),
                segment => Segment::parse(segment),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { segments, end })
    }

    /// This one key, in which nothing has a meaning.
    #[must_use]
    pub fn literal(key: &str) -> Self {
        let segments = key.split('/');
        Self {
            segments: segments
                .map(|segment| Segment::Literal(segment.to_owned()))
                .collect(),
            end: End::Object,
        }
    }

    /// Every object whose key starts with `prefix` and a `/`, or every object for the empty prefix; `*` means itself.
    #[must_use]
    pub fn below(prefix: &str) -> Self {
        let segments = prefix
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| Segment::Literal(segment.to_owned()))
            .collect();
        Self {
            segments,
            end: End::Below,
        }
    }

    /// The segments.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// What follows them.
    #[must_use]
    pub fn end(&self) -> End {
        self.end
    }

    /// Whether `key` is one of the set.
    #[must_use]
    pub fn matches(&self, key: &str) -> bool {
        let mut parts = key.split('/');
        let all = self
            .segments
            .iter()
            .all(|segment| parts.next().is_some_and(|part| segment.matches(part)));
        let below = parts.next().is_some();
        all && match self.end {
            End::Object => !below,
            End::Below => below,
        }
    }
}

/// As it was written.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, segment) in self.segments.iter().enumerate() {
            let slash = if number == 0 { "" } else { "/" };
            match segment {
                Segment::Literal(literal) => write!(f, "{slash}{literal}")?,
                Segment::Star { start, end } => write!(f, "{slash}{start}*{end}")?,
            }
        }
        match self.end {
            End::Below if !self.segments.is_empty() => f.write_str("/"),
            End::Below | End::Object => Ok(()),
        }
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self, &'static str> {
        match text.split_once('*') {
            _ if text.is_empty() => Err("an empty path segment"),
            None if text == "." || text == ".." => Err("a `.` or `..` in the path"),
            None => Ok(Segment::Literal(text.to_owned())),
            Some((_, end)) if end.contains('*') => Err("more than one `*` in a path segment"),
            Some((start, end)) => Ok(Segment::Star {
                start: start.to_owned(),
                end: end.to_owned(),
            }),
        }
    }

    /// Whether `part` is such a segment.
    #[must_use]
    pub fn matches(&self, part: &str) -> bool {
        match self {
            Segment::Literal(literal) => part == literal,
            Segment::Star { start, end } => part
                .strip_prefix(start.as_str())
                .is_some_and(|rest| rest.ends_with(end.as_str())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_keys() {
        for (pattern, key, want) in [
            ("a/b.csv", "a/b.csv", true),
            ("a/b.csv", "a/b.csv/c", false),
            ("a/b.csv", "a/b", false),
            ("a/", "a/b", true),
            ("a/", "a/b/c", true),
            ("a/", "a", false),
            ("a/", "ab/c", false),
            ("/", "x", true),
            ("*.csv", "x.csv", true),
            ("*.csv", ".csv", true),
            ("*.csv", "d/x.csv", false),
            ("ab*ba", "aba", false),
            ("ab*ba", "abba", true),
            ("y=*/m=*/part-*.gz", "y=2026/m=01/part-7.gz", true),
            ("y=*/m=*/part-*.gz", "y=2026/part-7.gz", false),
            ("y=*/", "y=2026/m=01/part-7.gz", true),
        ] {
            let pattern = Pattern::parse(pattern).unwrap();
            assert_eq!(pattern.matches(key), want, "{pattern:?} {key}");
        }
    }

    #[test]
    fn what_is_no_pattern_says_why() {
        for (text, want) in [
            ("", "an empty path segment"),
            ("a//b", "an empty path segment"),
            ("a/../b", "a `.` or `..` in the path"),
            ("a/./", "a `.` or `..` in the path"),
            ("a/*x*", "more than one `*` in a path segment"),
        ] {
            assert_eq!(Pattern::parse(text), Err(want), "{text}");
        }
    }

    #[test]
    fn f041_keys_of_a_bucket_are_taken_literally() {
        for (pattern, key, want) in [
            ("", "a", true),
            ("", "a/b", true),
            ("a//b", "a//b", true),
            ("a//b", "a/b", false),
            ("/a", "/a", true),
            ("/", "/a", true),
            ("/", "a", false),
            ("a/./..", "a/./..", true),
            ("a//", "a//b", true),
            ("a//", "a/b", false),
            ("a/*/c", "a//c", true),
            ("a/*.gz", "a/b.gz", true),
        ] {
            let parsed = Pattern::of_keys(pattern).unwrap();
            assert_eq!(parsed.matches(key), want, "{pattern} {key}");
            let shown = if pattern == "/" { "/" } else { pattern };
            assert_eq!(parsed.to_string(), shown);
        }
        assert!(Pattern::of_keys("a/*x*").is_err());
    }

    #[test]
    fn a_literal_is_itself() {
        for key in ["a", "https://host/a*/**?b", "https://host/", ""] {
            let pattern = Pattern::literal(key);
            assert!(pattern.matches(key) && pattern.to_string() == key, "{key}");
        }
    }

    #[test]
    fn below_takes_stars_literally() {
        let pattern = Pattern::below("run-*/");
        assert!(pattern.matches("run-*/started.json") && !pattern.matches("run-1/started.json"));
    }
}
