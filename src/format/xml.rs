//! Small XML documents as a tree of elements, each with its place in the file.
//!
//! What is read is hostile until checked: the document's size, the number of its elements and their depth are
//! bounded, only UTF-8 is accepted, entities other than XML's own five and character references are refused,
//! so nothing expands and nothing outside is read. A document type declaration is skipped.
//! Meant for documents of a person's size (comps, repomd.xml); package lists are written and read as streams.

use std::borrow::Cow;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion, escape};

/// Largest document in bytes.
pub const LARGEST: usize = 64 << 20;
const MOST_ELEMENTS: usize = 1_000_000;
const DEEPEST: usize = 64;

/// A place in a text file, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    /// Line.
    pub line: usize,
    /// Column, in characters.
    pub column: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// The document is not XML that gander reads. Retrying cannot help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct XmlError {
    /// Where.
    pub place: Place,
    /// What.
    pub message: String,
}

/// One element.
#[derive(Clone, Debug, Default)]
pub struct Element {
    /// Its qualified name.
    pub name: String,
    /// Its attributes in their order, unescaped.
    pub attributes: Vec<(String, String)>,
    /// The text directly in it, unescaped, joined over its children.
    pub text: String,
    /// Elements directly in it.
    pub children: Vec<Self>,
    /// Where its start tag begins.
    pub place: Place,
}

impl Element {
    /// Reads a document and gives its root element.
    pub fn parse(document: &[u8]) -> Result<Self, XmlError> {
        if document.len() > LARGEST {
            return Err(at_start(format!("the document has {} bytes, more than {LARGEST}", document.len())));
        }
        let text = std::str::from_utf8(document).map_err(|error| XmlError {
            place: place_of(document, error.valid_up_to()),
            message: "the text is not UTF-8".into(),
        })?;
        // A byte order mark is no part of the document.
        Parser::new(text.strip_prefix('\u{feff}').unwrap_or(text)).document()
    }

    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The first child of a name.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }
}

fn at_start(message: String) -> XmlError {
    XmlError { place: Place { line: 1, column: 1 }, message }
}

fn place_of(document: &[u8], offset: usize) -> Place {
    let before = document.get(..offset.min(document.len())).unwrap_or_default();
    let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
    let last = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    let column = String::from_utf8_lossy(before.get(last..).unwrap_or_default()).chars().count() + 1;
    Place { line, column }
}

struct Parser<'a> {
    text: &'a str,
    reader: Reader<&'a [u8]>,
    /// Counts lines as reading goes on, so that placing each element costs nothing.
    counted: (usize, Place),
    open: Vec<Element>,
    elements: usize,
    root: Option<Element>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        let mut reader = Reader::from_str(text);
        reader.config_mut().enable_all_checks(true);
        reader.config_mut().allow_dangling_amp = false;
        let counted = (0, Place { line: 1, column: 1 });
        Self { text, reader, counted, open: Vec::new(), elements: 0, root: None }
    }

    fn place(&mut self, offset: usize) -> Place {
        let (from, mut place) = self.counted;
        for byte in self.text.as_bytes().get(from..offset).unwrap_or_default() {
            match byte {
                b'\n' => place = Place { line: place.line + 1, column: 1 },
                // Only the first byte of a character counts.
                byte if byte & 0xc0 != 0x80 => place.column += 1,
                _ => {}
            }
        }
        self.counted = (offset.max(from), place);
        place
    }

    fn here(&mut self, offset: u64, message: impl Into<String>) -> XmlError {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        XmlError { place: place_of(self.text.as_bytes(), offset), message: message.into() }
    }

    fn document(mut self) -> Result<Element, XmlError> {
        loop {
            let offset = self.reader.buffer_position();
            let event = match self.reader.read_event() {
                Ok(event) => event,
                Err(error) => {
                    let offset = self.reader.error_position();
                    return Err(self.here(offset, format!("the XML is broken: {error}")));
                }
            };
            match event {
                Event::Start(start) => self.start(&start, offset)?,
                Event::Empty(start) => {
                    self.start(&start, offset)?;
                    self.end();
                }
                Event::End(_) => self.end(),
                Event::Text(text) => self.text(&text.xml10_content(), offset)?,
                Event::CData(text) => self.text(&text.xml10_content(), offset)?,
                Event::GeneralRef(reference) => {
                    let name = reference.xml10_content().into_owned();
                    let resolved = match reference.resolve_char_ref() {
                        Ok(Some(character)) => Some(Cow::Owned(character.to_string())),
                        Ok(None) => escape::resolve_predefined_entity(&name).map(Cow::Borrowed),
                        Err(_) => None,
                    };
                    let Some(text) = resolved else {
                        let message = format!("the entity '&{};' is not one of XML's own", shorten(&name));
                        return Err(self.here(offset, message));
                    };
                    self.text(&text, offset)?;
                }
                Event::Decl(declaration) => {
                    if let Some(Ok(encoding)) = declaration.encoding()
                        && !["utf-8", "utf8", "us-ascii", "ascii"]
                            .contains(&encoding.to_ascii_lowercase().as_str())
                    {
                        let message = format!(
                            "the encoding is declared as '{}'; only UTF-8 is read",
                            shorten(&encoding)
                        );
                        return Err(self.here(offset, message));
                    }
                }
                Event::DocType(_) | Event::Comment(_) | Event::PI(_) => {}
                Event::Eof => break,
            }
        }
        let end = self.text.len() as u64;
        if let Some(open) = self.open.pop() {
            return Err(
                self.here(end, format!("the element <{}> of {} is not closed", open.name, open.place))
            );
        }
        match self.root.take() {
            Some(root) => Ok(root),
            None => Err(self.here(end, "the document has no element")),
        }
    }

    fn start(&mut self, start: &BytesStart<'_>, offset: u64) -> Result<(), XmlError> {
        self.elements += 1;
        if self.elements > MOST_ELEMENTS || self.open.len() >= DEEPEST {
            return Err(self.here(
                offset,
                format!(
                    "the document has more than {MOST_ELEMENTS} elements or is nested deeper than {DEEPEST}"
                ),
            ));
        }
        if self.open.is_empty() && self.root.is_some() {
            return Err(self.here(offset, "there is a second root element"));
        }
        let mut attributes = Vec::new();
        for attribute in start.attributes() {
            let attribute = match attribute {
                Ok(attribute) => attribute,
                Err(error) => return Err(self.here(offset, format!("an attribute is broken: {error}"))),
            };
            match attribute.normalized_value(XmlVersion::Implicit1_0) {
                Ok(value) => attributes.push((attribute.key.as_ref().to_owned(), value.into_owned())),
                Err(error) => {
                    return Err(self.here(offset, format!("an attribute's value is broken: {error}")));
                }
            }
        }
        let place = self.place(usize::try_from(offset).unwrap_or(usize::MAX));
        self.open.push(Element {
            name: start.name().as_ref().to_owned(),
            attributes,
            place,
            ..Element::default()
        });
        Ok(())
    }

    fn end(&mut self) {
        let Some(element) = self.open.pop() else { return };
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
    }

    fn text(&mut self, text: &str, offset: u64) -> Result<(), XmlError> {
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return Err(self.here(offset, "there is text outside of the root element")),
        }
        Ok(())
    }
}

fn shorten(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_text_entities_and_places() {
        let root = Element::parse(
            "<?xml version='1.0'?>\n<!DOCTYPE a>\n<a x='1&lt;2'>\n  é<b/>&#65;&amp;<![CDATA[<]]></a>\n"
                .as_bytes(),
        )
        .unwrap();
        assert_eq!(root.attribute("x"), Some("1<2"));
        assert_eq!(root.text, "\n  éA&<");
        assert_eq!(root.child("b").unwrap().place, Place { line: 4, column: 4 });
    }

    #[test]
    fn refuses_what_is_hostile_or_broken() {
        for (document, place, message) in [
            ("<a>&x;</a>", (1, 4), "'&x;' is not one"),
            ("<!DOCTYPE a [<!ENTITY x 'y'>]>\n<a>&x;</a>", (2, 4), "'&x;' is not one"),
            ("<a y='&x;'/>", (1, 1), "attribute"),
            ("<a>\n <b></a>", (2, 5), "broken"),
            ("<a>\n", (2, 1), "not closed"),
            ("", (1, 1), "no element"),
            ("<a/><b/>", (1, 5), "second root"),
            ("x<a/>", (1, 1), "outside"),
            ("<a x='1' x='2'/>", (1, 1), "attribute"),
            ("<?xml version='1.0' encoding='latin1'?><a/>", (1, 1), "only UTF-8"),
        ] {
            let error = Element::parse(document.as_bytes()).unwrap_err();
            assert!(error.message.contains(message), "{document}: {error}");
            assert_eq!((error.place.line, error.place.column), place, "{document}: {error}");
        }
        assert_eq!(Element::parse(b"<a>\n\xff</a>").unwrap_err().place, Place { line: 2, column: 1 });
        assert!(Element::parse("<a>".repeat(DEEPEST + 1).as_bytes()).unwrap_err().message.contains("nested"));
    }
}
