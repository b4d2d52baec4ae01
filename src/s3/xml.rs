//! S3's answers as trees of elements. The only place that names quick-xml.
//!
//! No document type is accepted, so no entity is ever expanded; depth and size are bounded by the caller's read and by
//! [`DEPTH`].

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::Event;

/// S3's answers have four levels at most.
const DEPTH: usize = 16;

/// An element: its local name, its text, and those inside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) children: Vec<Element>,
}

impl Element {
    /// The text of the first child of that name.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        let found = self.children.iter().find(|child| child.name == name);
        found.map(|child| child.text.as_str())
    }

    /// The children of that name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }
}

/// The root of a whole document; None for anything else. White space around it is fine: CompleteMultipartUpload sends
/// some while it works.
pub(super) fn parse(document: &[u8]) -> Option<Element> {
    let text = std::str::from_utf8(document).ok()?.trim();
    let mut reader = Reader::from_str(text);
    // The innermost open element is the last.
    let mut open: Vec<Element> = Vec::new();
    let mut root: Option<Element> = None;
    loop {
        let event = reader.read_event().ok()?;
        match event {
            Event::Start(start) if root.is_none() && open.len() < DEPTH => {
                open.push(Element {
                    name: start.local_name().as_ref().to_owned(),
                    ..Element::default()
                });
            }
            Event::Empty(start) => {
                let name = start.local_name().as_ref().to_owned();
                let element = Element {
                    name,
                    ..Element::default()
                };
                close(element, &mut open, &mut root)?;
            }
            Event::End(_) => {
                let element = open.pop()?;
                close(element, &mut open, &mut root)?;
            }
            Event::Text(text) => append(&text.xml10_content(), &mut open)?,
            Event::CData(text) => append(&text.xml10_content(), &mut open)?,
            Event::GeneralRef(name) => {
                let character = name.resolve_char_ref().ok()?;
                match character {
                    Some(character) => append(&character.to_string(), &mut open)?,
                    None => append(resolve_xml_entity(&name.xml10_content())?, &mut open)?,
                }
            }
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => return root.filter(|_| open.is_empty()),
            Event::Start(_) | Event::DocType(_) => return None,
        }
    }
}

fn append(text: &str, open: &mut [Element]) -> Option<()> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return None,
    }
    Some(())
}

fn close(element: Element, open: &mut [Element], root: &mut Option<Element>) -> Option<()> {
    match open.last_mut() {
        Some(parent) => parent.children.push(element),
        None if root.is_none() => *root = Some(element),
        None => return None,
    }
    Some(())
}

/// Text as it stands between tags.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    quick_xml::escape::escape(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f032_what_is_a_document() {
        let deep = "<a>".repeat(17) + &"</a>".repeat(17);
        for (name, text, want) in [
            (
                "error",
                "<?xml version=\"1.0\"?>\n<Error><Code>X</Code></Error>",
                Some(Some("X")),
            ),
            (
                "white space first",
                "  \n <Error><Code>X</Code></Error>\n",
                Some(Some("X")),
            ),
            (
                "namespace",
                "<a:Error xmlns:a='u'><a:Code>X</a:Code></a:Error>",
                Some(Some("X")),
            ),
            (
                "entities",
                "<E><Code>a&amp;&lt;&#65;&#x1F600;&quot;</Code></E>",
                Some(Some("a&<A😀\"")),
            ),
            (
                "cdata",
                "<E><Code><![CDATA[<b>]]></Code></E>",
                Some(Some("<b>")),
            ),
            ("empty element", "<E><Code/></E>", Some(Some(""))),
            ("no code", "<E/>", Some(None)),
            ("empty", "", None),
            ("white space", "   ", None),
            ("text", "nothing", None),
            ("cut off", "<Error><Code>X</Code>", None),
            ("cut off in a tag", "<Error><Co", None),
            ("two roots", "<a></a><b></b>", None),
            ("unknown entity", "<E><Code>&x;</Code></E>", None),
            (
                "document type",
                "<!DOCTYPE E [<!ENTITY x 'y'>]><E><Code>&x;</Code></E>",
                None,
            ),
            ("wrong end", "<a><b></a></b>", None),
            (
                "HTML of a proxy",
                "<!DOCTYPE html><html><body><p>Bad gateway</body></html>",
                None,
            ),
            ("too deep", &deep, None),
        ] {
            let found = parse(text.as_bytes());
            let code = found.as_ref().map(|root| root.value("Code"));
            assert_eq!(code, want, "{name}");
        }
        assert_eq!(parse(b"<E>\xff</E>"), None);
    }
}
