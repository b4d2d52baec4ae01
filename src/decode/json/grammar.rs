//! Whether bytes are JSON to the letter (RFC 8259), for what is written down as such. The parser ([`super::walk`]) checks what a
//! query needs and no more.

use super::scan;
use crate::limits::JSON_DEPTH;

/// Whether `bytes` are one value of at most [`JSON_DEPTH`] levels, on one line, and UTF-8.
#[must_use]
pub fn is_one_line(bytes: &[u8]) -> bool {
    let is_utf8 = bytes.is_ascii() || str::from_utf8(bytes).is_ok();
    is_utf8 && Reader::new(bytes).document().is_some()
}

/// What the JSON string between its quotes stands for; `None` where it is none.
#[must_use]
pub(crate) fn unescaped(text: &[u8]) -> Option<Vec<u8>> {
    let mut at = 0;
    loop {
        at = scan::string_stop(text, at);
        match text.get(at) {
            None => break,
            Some(b'\\') => at += 1 + scan::escape_length(text.get(at + 1..)?)?,
            Some(_) => return None,
        }
    }
    let mut plain = Vec::with_capacity(text.len());
    scan::unescape(text, &mut plain).ok().map(|()| plain)
}

/// The brackets that are open: one bit each, the innermost last; set for an object.
#[derive(Clone, Copy, Debug, Default)]
struct Open {
    kinds: u64,
    depth: usize,
}

const _: () = assert!(JSON_DEPTH <= u64::BITS as usize);

impl Open {
    fn push(&mut self, is_object: bool) -> Option<()> {
        self.kinds = self.kinds << 1 | u64::from(is_object);
        self.depth += 1;
        (self.depth <= JSON_DEPTH).then_some(())
    }

    fn pop(&mut self) {
        self.kinds >>= 1;
        self.depth -= 1;
    }

    fn is_object(self) -> bool {
        self.kinds & 1 == 1
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    open: Open,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let open = Open::default();
        Self { bytes, at: 0, open }
    }

    /// One value and nothing after it.
    fn document(&mut self) -> Option<()> {
        self.pass_blanks();
        loop {
            if !self.value()? {
                continue;
            }
            self.pass_blanks();
            while self.open.depth > 0 && self.closes() {
                self.pass_blanks();
            }
            if self.open.depth == 0 {
                return (self.at == self.bytes.len()).then_some(());
            }
            self.expect(b',')?;
            self.pass_blanks();
            if self.open.is_object() {
                self.key()?;
            }
        }
    }

    /// A value, or the start of one that holds others: `false`, and its first is next.
    fn value(&mut self) -> Option<bool> {
        match self.peek()? {
            b'"' => self.string()?,
            bracket @ (b'{' | b'[') => {
                self.at += 1;
                self.open.push(bracket == b'{')?;
                self.pass_blanks();
                if !self.closes() {
                    if bracket == b'{' {
                        self.key()?;
                    }
                    return Some(false);
                }
            }
            b'0'..=b'9' | b'-' => {
                let end = scan::number_stop(self.bytes, self.at);
                let is_number = scan::is_number(self.bytes.get(self.at..end)?);
                self.at = is_number.then_some(end)?;
            }
            _ => {
                let rest = self.bytes.get(self.at..)?;
                let words: [&[u8]; 3] = [b"true", b"false", b"null"];
                let word = words.into_iter().find(|word| rest.starts_with(word))?;
                self.at += word.len();
            }
        }
        Some(true)
    }

    /// Passes over the bracket that closes the innermost open one, if it stands here.
    fn closes(&mut self) -> bool {
        let bracket = match self.open.is_object() {
            true => b'}',
            false => b']',
        };
        let found = self.peek() == Some(bracket);
        if found {
            self.at += 1;
            self.open.pop();
        }
        found
    }

    fn key(&mut self) -> Option<()> {
        (self.peek() == Some(b'"')).then_some(())?;
        self.string()?;
        self.pass_blanks();
        self.expect(b':')?;
        self.pass_blanks();
        Some(())
    }

    /// The string whose opening quote stands here.
    fn string(&mut self) -> Option<()> {
        let mut at = self.at + 1;
        loop {
            at = scan::string_stop(self.bytes, at);
            match self.bytes.get(at)? {
                b'"' => break,
                b'\\' => at += 1 + scan::escape_length(self.bytes.get(at + 1..)?)?,
                _ => return None,
            }
        }
        self.at = at + 1;
        Some(())
    }

    #[inline(always)]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Blanks within a line: a line end is none of them, nor may one stand in a string.
    #[inline(always)]
    fn pass_blanks(&mut self) {
        while let Some(b' ' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek() == Some(byte)).then_some(())?;
        self.at += 1;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_json_on_one_line() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let (deepest, deeper) = (nested(JSON_DEPTH), nested(JSON_DEPTH + 1));
        let mixed = format!("{}1{}", "[{\"a\":".repeat(32), "}]".repeat(32));
        for (text, want) in [
            ("{}", true),
            (" [ ] ", true),
            ("\t{ \"a\" : 1 , \"b\" : [ true , false , null ] }", true),
            ("\"\"", true),
            ("-0.5e+10", true),
            (r#""\ud834\u0000\\\"""#, true),
            (r#"{"a":1,"a":2}"#, true),
            ("\"\u{e9}\u{7f}\"", true),
            (&deepest, true),
            (&mixed, true),
            (&deeper, false),
            ("", false),
            ("  ", false),
            ("{", false),
            ("}", false),
            ("[}", false),
            ("{]", false),
            ("[1", false),
            ("[1,]", false),
            ("[,1]", false),
            ("{\"a\"}", false),
            ("{\"a\":}", false),
            ("{\"a\":1,}", false),
            ("{a:1}", false),
            ("[1]]", false),
            ("{}{}", false),
            ("1 2", false),
            ("01", false),
            ("1.", false),
            ("+1", false),
            ("NaN", false),
            ("tru", false),
            ("nul", false),
            ("truex", false),
            ("\"a", false),
            ("\"\\x\"", false),
            ("\"\\u12g4\"", false),
            ("\"\u{1}\"", false),
            ("{}\n", false),
            ("[1,\r2]", false),
            ("[1\u{a0}]", false),
        ] {
            assert_eq!(is_one_line(text.as_bytes()), want, "{text}");
            // Cut anywhere, nothing that was open is whole.
            if want && text.starts_with(['{', '[', '"']) {
                for end in 1..text.trim_end().len() {
                    assert!(!is_one_line(&text.as_bytes()[..end]), "{text} to {end}");
                }
            }
        }
        assert!(!is_one_line(b"\"\xff\""));
    }

    #[test]
    fn strings_and_what_they_stand_for() {
        for (text, want) in [
            ("", Some("")),
            ("a b", Some("a b")),
            (r#"\"\\\n\u00e9"#, Some("\"\\\n\u{e9}")),
            ("a\"b", None),
            ("a\nb", None),
            ("\\", None),
            ("\\u12", None),
            ("\\ud834", None),
        ] {
            let found = unescaped(text.as_bytes());
            assert_eq!(found.as_deref(), want.map(str::as_bytes), "{text}");
        }
    }
}
