//! XML read as a stream of elements, by someone who knows which ones to expect.
//!
//! Nothing grows with the document: one tag or piece of text at a time is held, of bounded size, and elements are
//! nested to a bounded depth. Document types are refused, and with them all entities but XML's own five; what is not
//! UTF-8 is an error. Comments and processing instructions are passed over.
//! It is cut into [tokens](super::tokens) here, since quick-xml copies each of them.
//!
//! Elements are told by namespace. Where none is declared, names without a prefix and those with `rpm:` mean what
//! they usually do, since every other reader goes by the letters alone (libsolv 0.7, createrepo_c 0.17).

use std::borrow::Cow;
use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, BytesText};
use quick_xml::name::QName;
use quick_xml::{XmlVersion, escape};

use super::error::{Position, ReadError};
use super::tokens::{Fault, LONGEST_PIECE, Token, Tokens, is_space};

/// Bytes of an element's text.
pub(super) const LONGEST_TEXT: usize = 4 << 20;
/// Attributes of an element; finding repeated ones takes time that grows with the square.
const MOST_ATTRIBUTES: usize = 32;
/// Real metadata has five levels.
const DEEPEST: usize = 32;

/// What an element's name belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    /// The namespace of the list itself.
    List,
    /// `http://linux.duke.edu/metadata/rpm`.
    Rpm,
    /// Any other one.
    Other,
}

impl Space {
    fn of(namespace: &str) -> Self {
        match namespace.strip_prefix("http://linux.duke.edu/metadata/") {
            Some("common" | "filelists" | "other") => Self::List,
            Some("rpm") => Self::Rpm,
            _ => Self::Other,
        }
    }
}

/// Elements, one after the other. There is always a current element; that of the beginning is the document.
pub(super) struct Stream<R> {
    tokens: Tokens<R>,
    /// Elements that are open, the current one included.
    depth: usize,
    /// The current element was closed by its start tag.
    empty: bool,
    /// Where the current element, or what was read last, begins.
    place: Position,
    tag: Tag,
    space: Space,
    text: String,
    /// The names of elements that are open, one after the other, and where each begins.
    open: String,
    opened: Vec<usize>,
    /// Declared namespaces: the depth of the element, the prefix, what it means.
    declared: Vec<(usize, String, Space)>,
}

impl<R: Read> Stream<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            tokens: Tokens::new(reader),
            depth: 0,
            empty: false,
            place: Position { line: 1, byte: 0 },
            tag: Tag::default(),
            space: Space::Other,
            text: String::new(),
            open: String::new(),
            opened: Vec::new(),
            declared: Vec::new(),
        }
    }

    /// Where the current element begins.
    pub(super) fn place(&self) -> Position {
        self.place
    }

    /// The name of the element that was entered last, without a prefix, and its namespace.
    pub(super) fn name(&self) -> (Space, &str) {
        (self.space, self.tag.name().1)
    }

    /// An attribute of the element that was entered last.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The attributes of the element that was entered last: names and values.
    pub(super) fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.tag.attributes()
    }

    /// Enters the next element inside of the current one. When there is none it leaves the current one and gives
    /// false. Text on the way is passed over.
    pub(super) fn enter(&mut self) -> Result<bool, ReadError> {
        loop {
            match self.step(false)? {
                Step::Start => return Ok(true),
                Step::End => return Ok(false),
                Step::Text => {}
            }
        }
    }

    /// Leaves the current element, whatever is in it.
    pub(super) fn skip(&mut self) -> Result<(), ReadError> {
        self.leave(false)
    }

    /// Leaves the current element and gives the text directly in it.
    pub(super) fn text(&mut self) -> Result<&str, ReadError> {
        self.text.clear();
        self.leave(true)?;
        Ok(&self.text)
    }

    fn leave(&mut self, keep: bool) -> Result<(), ReadError> {
        let mut below = 0_usize;
        loop {
            match self.step(keep && below == 0)? {
                Step::Start => below += 1,
                Step::End if below == 0 => return Ok(()),
                Step::End => below -= 1,
                Step::Text => {}
            }
        }
    }

    /// The next tag or piece of text, which is kept if wanted.
    fn step(&mut self, keep: bool) -> Result<Step, ReadError> {
        if std::mem::take(&mut self.empty) {
            self.close();
            return Ok(Step::End);
        }
        loop {
            // Where no text is wanted, the space between elements is none.
            let trimmed = if keep { Ok(()) } else { self.tokens.trim() };
            let place = self.tokens.place();
            trimmed.map_err(|fault| broken(fault, place))?;
            let token = self.tokens.next().map_err(|fault| broken(fault, place))?;
            let xml = |reason: String| ReadError::Xml { place, reason };
            match token {
                Token::Start(content, _) if self.depth >= DEEPEST => {
                    let name: String = content.split_ascii_whitespace().next().unwrap_or_default().into();
                    let name: String = name.chars().take(60).collect();
                    return Err(xml(format!("the element <{name}> is nested deeper than {DEEPEST}")));
                }
                Token::Start(content, empty) => {
                    self.place = place;
                    self.depth += 1;
                    self.empty = empty;
                    self.tag.read(content).map_err(xml)?;
                    if !empty {
                        self.opened.push(self.open.len());
                        self.open.push_str(self.tag.qualified());
                    }
                    self.space = self.namespace();
                    return Ok(Step::Start);
                }
                Token::End(name) => {
                    let start =
                        self.opened.pop().ok_or_else(|| xml("a tag closes what is not open".into()))?;
                    if self.open.get(start..) != Some(name) {
                        let open = self.open.get(start..).unwrap_or_default();
                        let short = |name: &str| name.escape_debug().take(60).collect::<String>();
                        let (open, name) = (short(open), short(name));
                        return Err(xml(format!("</{name}> closes the element <{open}>")));
                    }
                    self.open.truncate(start);
                    self.close();
                    return Ok(Step::End);
                }
                Token::Text(text) => {
                    if self.depth == 0 && !text.trim_ascii().is_empty() {
                        return Err(xml("there is text outside of the root element".into()));
                    }
                    if keep {
                        add(&mut self.text, &lines(text)).map_err(xml)?;
                    }
                    return Ok(Step::Text);
                }
                Token::Data(text) if self.depth > 0 => {
                    if keep {
                        add(&mut self.text, &lines(text)).map_err(xml)?;
                    }
                    return Ok(Step::Text);
                }
                Token::Reference(name) if self.depth > 0 => {
                    let mut bytes = [0; 4];
                    let resolved = match BytesRef::new(name).resolve_char_ref() {
                        Ok(Some(character)) => Some(&*character.encode_utf8(&mut bytes)),
                        Ok(None) => escape::resolve_predefined_entity(name),
                        Err(_) => None,
                    };
                    let Some(resolved) = resolved else {
                        let name: String = name.chars().take(60).collect();
                        return Err(xml(format!("the entity '&{name};' is not one of XML's own")));
                    };
                    if keep {
                        add(&mut self.text, resolved).map_err(xml)?;
                    }
                    return Ok(Step::Text);
                }
                Token::Data(_) | Token::Reference(_) => {
                    return Err(xml("there is text outside of the root element".into()));
                }
                Token::DocType => return Err(xml("a document type is declared".into())),
                Token::Declaration(content) => {
                    let declaration = BytesDecl::from_start(BytesStart::from_content(content, 3));
                    if let Some(Ok(encoding)) = declaration.encoding()
                        && !["utf-8", "utf8", "us-ascii", "ascii"]
                            .contains(&encoding.to_ascii_lowercase().as_str())
                    {
                        let encoding: String = encoding.escape_debug().take(60).collect();
                        return Err(xml(format!(
                            "the encoding is declared as '{encoding}'; only UTF-8 is read"
                        )));
                    }
                }
                Token::Aside => {}
                Token::Nothing if self.depth > 0 => {
                    return Err(xml("the document ends inside of an element".into()));
                }
                // The end of the document is that of its invisible outermost element.
                Token::Nothing => return Ok(Step::End),
            }
        }
    }

    /// What the current element's name belongs to; takes in what its tag declares.
    fn namespace(&mut self) -> Space {
        let declaring = if self.tag.declares { usize::MAX } else { 0 };
        for (key, value) in self.tag.attributes().take(declaring) {
            if let Some(prefix) = key.strip_prefix("xmlns")
                && (prefix.is_empty() || prefix.starts_with(':'))
            {
                let prefix = prefix.trim_start_matches(':').to_owned();
                self.declared.push((self.depth, prefix, Space::of(value)));
            }
        }
        let (prefix, _) = self.tag.name();
        let known = self.declared.iter().rev().find(|(_, declared, _)| declared == prefix);
        known.map(|(.., space)| *space).unwrap_or(match prefix {
            "" => Space::List,
            "rpm" => Space::Rpm,
            _ => Space::Other,
        })
    }

    fn close(&mut self) {
        while self.declared.last().is_some_and(|(depth, ..)| *depth >= self.depth) {
            self.declared.pop();
        }
        self.depth = self.depth.saturating_sub(1);
    }
}

enum Step {
    Start,
    End,
    Text,
}

/// A start tag.
#[derive(Default)]
pub(super) struct Tag {
    /// What is in it; behind that, values that stand there in another form.
    content: String,
    /// Where the prefix, which may be empty, and the name end.
    prefix_end: usize,
    name_end: usize,
    attributes: Vec<Attr>,
    /// Whether an attribute declares a namespace.
    declares: bool,
}

/// Where an attribute's name and value are in the tag.
struct Attr {
    name: Range<usize>,
    value: Range<usize>,
}

impl Tag {
    /// Takes in what is between `<` and `>`.
    pub(super) fn read(&mut self, tag: &str) -> Result<(), String> {
        self.attributes.clear();
        self.declares = false;
        self.content.clear();
        self.content.push_str(tag);
        self.name_end = end_of(tag, 0, is_space);
        let colon = tag.bytes().take(self.name_end).position(|byte| byte == b':');
        self.prefix_end = colon.unwrap_or_default();
        let mut from = self.name_end;
        while let Some((mut attribute, plain)) =
            attribute(tag, from).map_err(|error| format!("an attribute is broken: {error}"))?
        {
            from = attribute.value.end + 1;
            if self.attributes.len() >= MOST_ATTRIBUTES {
                return Err(format!("an element has more than {MOST_ATTRIBUTES} attributes"));
            }
            let name = tag.get(attribute.name.clone()).unwrap_or_default();
            if self.attributes.iter().any(|known| tag.get(known.name.clone()) == Some(name)) {
                return Err(format!("the attribute '{}' is repeated", name.escape_debug()));
            }
            self.declares |= name.starts_with("xmlns");
            if !plain {
                let text = tag.get(attribute.value).unwrap_or_default();
                let normalized = Attribute { key: QName(name), value: Cow::Borrowed(text) };
                let normalized = normalized
                    .normalized_value(XmlVersion::Implicit1_0)
                    .map_err(|error| format!("an attribute's value is broken: {error}"))?;
                check(&normalized)?;
                if text.contains('<') {
                    return Err("an attribute's value contains '<'".into());
                }
                let start = self.content.len();
                self.content.push_str(&normalized);
                attribute.value = start..self.content.len();
            }
            self.attributes.push(attribute);
        }
        Ok(())
    }

    fn qualified(&self) -> &str {
        self.content.get(..self.name_end).unwrap_or_default()
    }

    /// Prefix and name.
    fn name(&self) -> (&str, &str) {
        let prefix = self.content.get(..self.prefix_end).unwrap_or_default();
        let name = self.qualified().get(self.prefix_end..).unwrap_or_default();
        (prefix, name.strip_prefix(':').unwrap_or(name))
    }

    pub(super) fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        let part = |range: &Range<usize>| self.content.get(range.clone()).unwrap_or_default();
        self.attributes.iter().map(move |attribute| (part(&attribute.name), part(&attribute.value)))
    }
}

/// Bytes that let a value not stand for itself.
const SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    let (controls, _) = special.split_at_mut(b' ' as usize);
    let mut at = 0;
    while at < controls.len() {
        controls[at] = true;
        at += 1;
    }
    special[b'&' as usize] = true;
    special[b'<' as usize] = true;
    special
};

/// The next attribute of a tag, and whether its value stands for itself, as most do.
fn attribute(tag: &str, from: usize) -> Result<Option<(Attr, bool)>, &'static str> {
    let byte = |place: usize| tag.as_bytes().get(place).copied();
    let behind_space = |from| end_of(tag, from, |byte| !is_space(byte));
    let start = behind_space(from);
    if start >= tag.len() {
        return Ok(None);
    }
    let name = start..end_of(tag, start + 1, |byte| byte == b'=' || is_space(byte));
    let equals = behind_space(name.end);
    if byte(equals) != Some(b'=') {
        return Err("its name is followed by no '='");
    }
    let quote = behind_space(equals + 1);
    let Some(sign @ (b'"' | b'\'')) = byte(quote) else {
        return Err("its value is not between quotes");
    };
    let special = |byte| byte == sign || SPECIAL.get(usize::from(byte)) == Some(&true);
    let mut end = end_of(tag, quote + 1, special);
    let plain = byte(end) == Some(sign);
    if !plain {
        end = end_of(tag, end, |byte| byte == sign);
    }
    match end < tag.len() {
        true => Ok(Some((Attr { name, value: quote + 1..end }, plain))),
        false => Err("its value is not closed"),
    }
}

/// Where the first such byte is, from there on, or the text ends.
fn end_of(text: &str, from: usize, wanted: impl Fn(u8) -> bool) -> usize {
    let rest = text.as_bytes().get(from..).unwrap_or_default();
    rest.iter().position(|byte| wanted(*byte)).map_or(text.len(), |place| from + place)
}

/// A text with the ends of lines that it is to have.
fn lines(text: &str) -> Cow<'_, str> {
    if text.contains('\r') {
        Cow::Owned(BytesText::from_escaped(text).xml10_content().into_owned())
    } else {
        Cow::Borrowed(text)
    }
}

fn add(text: &mut String, piece: &str) -> Result<(), String> {
    check(piece)?;
    if text.len() + piece.len() > LONGEST_TEXT {
        return Err(format!("a text has more than {LONGEST_TEXT} bytes"));
    }
    text.push_str(piece);
    Ok(())
}

/// XML has no room for control characters, not even for references to them.
fn check(text: &str) -> Result<(), String> {
    let control = |byte: &u8| *byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r');
    if text.as_bytes().iter().any(control) {
        return Err("there is a control character".into());
    }
    Ok(())
}

fn broken(fault: Fault, place: Position) -> ReadError {
    match fault {
        Fault::Io(source) => ReadError::Io { place, source: Arc::new(source) },
        Fault::TooLong => {
            let reason = format!("a tag or a piece of text has more than {LONGEST_PIECE} bytes");
            ReadError::Xml { place, reason }
        }
        Fault::Broken(reason) => ReadError::Xml { place, reason: reason.into() },
    }
}
