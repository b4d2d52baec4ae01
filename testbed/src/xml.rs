//! The little XML that S3 speaks: text made safe for an answer, and a strict reader for what a client sends.

/// Text as XML content. What XML 1.0 cannot hold goes out as a character reference, as S3 does it: a parser may
/// refuse it, which is why clients ask for `encoding-type=url`.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => {
                escaped.push_str(&format!("&#x{:x};", u32::from(letter)));
            }
            other => escaped.push(other),
        }
    }
    escaped
}

/// `<name>text</name>`.
pub fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

/// One element of a document: its name without a prefix, its text, and what it holds.
#[derive(Debug, PartialEq, Eq, Default)]
pub struct Element {
    /// The local name.
    pub name: String,
    /// The text directly inside, white space at both ends cut.
    pub text: String,
    /// The elements directly inside, in their order.
    pub children: Vec<Element>,
}

impl Element {
    /// The text of the first child of that name.
    pub fn child(&self, name: &str) -> Option<&str> {
        let child = self.children.iter().find(|child| child.name == name)?;
        Some(&child.text)
    }
}

/// Reads one document: elements, attributes (skipped), the five entities and character references; no comments,
/// no CDATA, no document types. None where it is not well formed.
pub fn read(text: &str) -> Option<Element> {
    let mut rest = text.trim_start_matches('\u{feff}').trim();
    if rest.starts_with("<?xml") {
        rest = rest.split_once("?>")?.1.trim();
    }
    let mut open = vec![Element::default()];
    while !rest.is_empty() {
        if let Some(tail) = rest.strip_prefix("</") {
            let (name, tail) = tail.split_once('>')?;
            let mut closed = open.pop()?;
            if closed.name != local(name.trim()) {
                return None;
            }
            closed.text = unescape(closed.text.trim())?;
            open.last_mut()?.children.push(closed);
            rest = tail;
        } else if let Some(tail) = rest.strip_prefix('<') {
            let (inside, tail) = tail.split_once('>')?;
            let empty = inside.ends_with('/');
            let name = inside.trim_end_matches('/').split_whitespace().next()?;
            if !name.starts_with(|letter: char| letter.is_alphabetic()) {
                return None;
            }
            let element = Element {
                name: local(name).into(),
                ..Element::default()
            };
            if empty {
                open.last_mut()?.children.push(element);
            } else {
                open.push(element);
            }
            rest = tail;
        } else {
            let end = rest.find('<').unwrap_or(rest.len());
            open.last_mut()?.text.push_str(&rest[..end]);
            rest = &rest[end..];
        }
    }
    let mut document = open.pop()?;
    let whole = open.is_empty() && document.children.len() == 1 && document.text.is_empty();
    whole.then(|| document.children.remove(0))
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

fn unescape(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, tail)) = rest.split_once('&') {
        let (entity, tail) = tail.split_once(';')?;
        plain.push_str(before);
        plain.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            number => {
                let number = number.strip_prefix('#')?;
                let code = match number.strip_prefix('x') {
                    Some(digits) => u32::from_str_radix(digits, 16),
                    None => number.parse(),
                };
                char::from_u32(code.ok()?)?
            }
        });
        rest = tail;
    }
    plain.push_str(rest);
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents() {
        let text = "<?xml version=\"1.0\"?>\n<a xmlns=\"urn:x\"> <n:b>1 &amp; &#34;2&#x22;</n:b><c/></a>\n";
        let read_back = read(text).expect("it is well formed");
        assert_eq!(read_back.child("b"), Some("1 & \"2\""));
        assert_eq!(read_back.child("c"), Some(""));
        for broken in [
            "",
            "<a>",
            "<a></b>",
            "<a></a><b></b>",
            "x<a></a>",
            "<a>&nope;</a>",
            "<a",
            "<!DOCTYPE a><a></a>",
        ] {
            assert_eq!(read(broken), None, "{broken}");
        }
        assert_eq!(escape("<\u{1}&\">"), "&lt;&#x1;&amp;&quot;&gt;");
    }
}
