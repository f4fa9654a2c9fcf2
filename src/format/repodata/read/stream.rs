//! XML read as a stream of elements, by someone who knows which ones to expect.
//!
//! Nothing grows with the document: one tag or piece of text at a time is held, of bounded size, and elements are
//! nested to a bounded depth. Document types are refused, and with them all entities but XML's own five; what is not
//! UTF-8 is an error. Comments and processing instructions are passed over.
//!
//! Elements are told by namespace. Where none is declared, names without a prefix and those with `rpm:` mean what
//! they usually do, since every other reader goes by the letters alone (libsolv 0.7, createrepo_c 0.17).

use std::io::{self, BufRead, Read};

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion, escape};

use super::error::{Position, ReadError};

const BUFFER: usize = 64 << 10;
/// Bytes of one tag, one comment or one piece of text.
const LONGEST_PIECE: u64 = 1 << 20;
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
    reader: Reader<Input<R>>,
    buffer: Vec<u8>,
    /// Elements that are open, the current one included.
    depth: usize,
    /// The current element was closed by its start tag.
    empty: bool,
    /// Where the current element, or what was read last, begins.
    place: Position,
    name: String,
    space: Space,
    /// Where the names and values of the current element's attributes end in `attributes`.
    ends: Vec<(usize, usize)>,
    attributes: String,
    text: String,
    /// Declared namespaces: the depth of the element, the prefix, what it means.
    declared: Vec<(usize, String, Space)>,
}

impl<R: Read> Stream<R> {
    pub(super) fn new(reader: R) -> Self {
        let mut reader = Reader::from_reader(Input::new(reader));
        reader.config_mut().enable_all_checks(true);
        Self {
            reader,
            buffer: Vec::new(),
            depth: 0,
            empty: false,
            place: Position { line: 1, byte: 0 },
            name: String::new(),
            space: Space::Other,
            ends: Vec::new(),
            attributes: String::new(),
            text: String::new(),
            declared: Vec::new(),
        }
    }

    /// Where the current element begins.
    pub(super) fn place(&self) -> Position {
        self.place
    }

    /// The name of the element that was entered last, without a prefix, and its namespace.
    pub(super) fn name(&self) -> (Space, &str) {
        (self.space, &self.name)
    }

    /// An attribute of the element that was entered last.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        find(&self.attributes, &self.ends, name)
    }

    /// The attributes of the element that was entered last: names and values.
    pub(super) fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        split(&self.attributes, &self.ends)
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
            self.buffer.clear();
            let input = self.reader.get_mut();
            // Where no text is wanted, the reader need not see the space between elements.
            let place = match input.start_piece(!keep) {
                Ok(place) => place,
                Err(error) => return Err(broken(error.into(), input)),
            };
            let event = self.reader.read_event_into(&mut self.buffer);
            let event = match event {
                Ok(event) => event,
                Err(error) => return Err(broken(error, self.reader.get_mut())),
            };
            let xml = |reason: String| ReadError::Xml { place, reason };
            match event {
                Event::Start(start) | Event::Empty(start) if self.depth >= DEEPEST => {
                    let name: String = start.name().as_ref().chars().take(60).collect();
                    return Err(xml(format!("the element <{name}> is nested deeper than {DEEPEST}")));
                }
                Event::Start(start) => {
                    self.place = place;
                    self.depth += 1;
                    let tag = (&mut self.name, &mut self.attributes, &mut self.ends);
                    self.space = open(&start, self.depth, tag, &mut self.declared).map_err(xml)?;
                    return Ok(Step::Start);
                }
                Event::Empty(start) => {
                    self.place = place;
                    self.depth += 1;
                    self.empty = true;
                    let tag = (&mut self.name, &mut self.attributes, &mut self.ends);
                    self.space = open(&start, self.depth, tag, &mut self.declared).map_err(xml)?;
                    return Ok(Step::Start);
                }
                Event::End(_) => {
                    self.close();
                    return Ok(Step::End);
                }
                Event::Text(text) => {
                    if self.depth == 0 && !text.trim_ascii().is_empty() {
                        return Err(xml("there is text outside of the root element".into()));
                    }
                    if keep {
                        add(&mut self.text, &text.xml10_content()).map_err(xml)?;
                    }
                    return Ok(Step::Text);
                }
                Event::CData(text) if self.depth > 0 => {
                    if keep {
                        add(&mut self.text, &text.xml10_content()).map_err(xml)?;
                    }
                    return Ok(Step::Text);
                }
                Event::GeneralRef(reference) if self.depth > 0 => {
                    let mut bytes = [0; 4];
                    let name = reference.xml10_content();
                    let resolved = match reference.resolve_char_ref() {
                        Ok(Some(character)) => Some(&*character.encode_utf8(&mut bytes)),
                        Ok(None) => escape::resolve_predefined_entity(&name),
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
                Event::CData(_) | Event::GeneralRef(_) => {
                    return Err(xml("there is text outside of the root element".into()));
                }
                Event::DocType(_) => return Err(xml("a document type is declared".into())),
                Event::Decl(declaration) => {
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
                Event::Comment(_) | Event::PI(_) => {}
                Event::Eof if self.depth > 0 => {
                    return Err(xml("the document ends inside of an element".into()));
                }
                // The end of the document is that of its invisible outermost element.
                Event::Eof => return Ok(Step::End),
            }
        }
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

/// Names and values that were joined.
fn split<'a>(joined: &'a str, ends: &'a [(usize, usize)]) -> impl Iterator<Item = (&'a str, &'a str)> {
    let mut start = 0;
    ends.iter().map(move |(name_end, end)| {
        let name = joined.get(start..*name_end).unwrap_or_default();
        start = *end;
        (name, joined.get(*name_end..*end).unwrap_or_default())
    })
}

fn find<'a>(joined: &'a str, ends: &'a [(usize, usize)], wanted: &str) -> Option<&'a str> {
    split(joined, ends).find(|(name, _)| *name == wanted).map(|(_, value)| value)
}

/// Reads a start tag into name, attributes and their ends, and gives its namespace.
fn open(
    start: &BytesStart<'_>,
    depth: usize,
    (name, attributes, ends): (&mut String, &mut String, &mut Vec<(usize, usize)>),
    declared: &mut Vec<(usize, String, Space)>,
) -> Result<Space, String> {
    attributes.clear();
    ends.clear();
    // Repeated ones are found below, at less cost.
    for attribute in start.attributes().with_checks(false) {
        let attribute = attribute.map_err(|error| format!("an attribute is broken: {error}"))?;
        let key = attribute.key.as_ref();
        if ends.len() >= MOST_ATTRIBUTES {
            return Err(format!("an element has more than {MOST_ATTRIBUTES} attributes"));
        }
        if find(attributes, ends, key).is_some() {
            return Err(format!("the attribute '{}' is repeated", key.escape_debug()));
        }
        attributes.push_str(key);
        let name_end = attributes.len();
        // Most values stand for themselves.
        if attribute.value.bytes().any(|byte| byte < b' ' || byte == b'&' || byte == b'<') {
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| format!("an attribute's value is broken: {error}"))?;
            check(&value)?;
            if attribute.value.contains('<') {
                return Err("an attribute's value contains '<'".into());
            }
            attributes.push_str(&value);
        } else {
            attributes.push_str(&attribute.value);
        }
        ends.push((name_end, attributes.len()));
        if let Some(prefix) = key.strip_prefix("xmlns")
            && (prefix.is_empty() || prefix.starts_with(':'))
        {
            let space = Space::of(attributes.get(name_end..).unwrap_or_default());
            declared.push((depth, prefix.trim_start_matches(':').to_owned(), space));
        }
    }
    let qualified = start.name();
    let (prefix, local) = qualified.as_ref().split_once(':').unwrap_or(("", qualified.as_ref()));
    name.clear();
    name.push_str(local);
    let space = declared.iter().rev().find(|(_, declared, _)| declared == prefix).map(|(.., space)| *space);
    Ok(space.unwrap_or(match prefix {
        "" => Space::List,
        "rpm" => Space::Rpm,
        _ => Space::Other,
    }))
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

fn broken<R: Read>(error: quick_xml::Error, input: &mut Input<R>) -> ReadError {
    let too_long = input.piece() > LONGEST_PIECE;
    let place = input.place();
    match error {
        quick_xml::Error::Io(source) => match too_long {
            true => ReadError::Xml {
                place,
                reason: format!("a tag or a piece of text has more than {LONGEST_PIECE} bytes"),
            },
            false => ReadError::Io { place, source },
        },
        other => ReadError::Xml { place, reason: other.to_string() },
    }
}

/// What is read, with the place that reading has come to and a bound for each piece.
struct Input<R> {
    reader: R,
    buffer: Box<[u8]>,
    /// What of the buffer is filled and not yet consumed.
    start: usize,
    end: usize,
    /// Bytes before the buffer.
    before: u64,
    /// Bytes before the current piece.
    piece: u64,
    /// How much of the buffer is counted in `line`.
    counted: usize,
    line: u64,
}

impl<R> Input<R> {
    fn new(reader: R) -> Self {
        let buffer = vec![0; BUFFER].into_boxed_slice();
        Self { reader, buffer, start: 0, end: 0, before: 0, piece: 0, counted: 0, line: 1 }
    }

    /// Where reading is.
    fn place(&mut self) -> Position {
        // Lines are counted when they are asked for: in few long stretches.
        let passed = self.buffer.get(self.counted..self.start).unwrap_or_default();
        self.line += passed.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.counted = self.start;
        Position { line: self.line, byte: self.byte() }
    }

    fn byte(&self) -> u64 {
        self.before + self.start as u64
    }

    /// Bytes of the current piece so far.
    fn piece(&self) -> u64 {
        self.byte() - self.piece
    }
}

impl<R: Read> Input<R> {
    /// Starts a piece, behind all white space if that is not wanted, and gives its place.
    fn start_piece(&mut self, trim: bool) -> io::Result<Position> {
        self.piece = self.byte();
        let mut wanted = !trim;
        while !wanted {
            let there = self.fill_buf()?;
            let space = there.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
            wanted = space == 0;
            self.consume(space);
        }
        self.piece = self.byte();
        Ok(self.place())
    }
}

impl<R: Read> Read for Input<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl<R: Read> BufRead for Input<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.piece() > LONGEST_PIECE {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if self.start >= self.end {
            self.place();
            self.before = self.byte();
            (self.start, self.end, self.counted) = (0, 0, 0);
            self.end = self.reader.read(&mut self.buffer)?;
        }
        Ok(self.buffer.get(self.start..self.end).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.start = self.start.saturating_add(amount).min(self.end);
    }
}
