//! XML-RPC cut into tags and texts.
//!
//! Nothing but the piece that is looked at is held, in a buffer that grows only with what really came, up to the
//! longest text that is let in. What the format has no use for is refused, and with it all that XML parsers are
//! attacked with: document types, entities but XML's own five, attributes, unknown elements.

use std::io::{self, Read};

use super::element::{Element, Tag};
use super::error::{Caught, XmlRpcError};

/// Bytes read at once, and what is held in the common case.
const BUFFER: usize = 128 << 10;
/// Bytes that are looked at for a tag; no tag is longer.
const WINDOW: usize = 64;
/// Bytes of a comment or processing instruction.
const LONGEST_ASIDE: usize = 64 << 10;

/// How much is let in. The defaults suit an answer that is kept as [`Value`](super::Value)s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the message, decompressed.
    pub bytes: u64,
    /// Arrays and structs inside of each other.
    pub depth: usize,
    /// Bytes of one text, name or number as it stands in the message.
    pub text: usize,
    /// Values, those in arrays and structs included.
    pub values: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 256 << 20, depth: 64, text: 32 << 20, values: 4_000_000 }
    }
}

impl Limits {
    /// For lists that go into rows, whose size is bounded by that of the message: all of Fedora rawhide's packages with
    /// each signature take 2 GB and 30 million values.
    pub fn lists() -> Self {
        Self { bytes: 8 << 30, values: 200_000_000, ..Self::default() }
    }
}

/// A document, piece by piece.
pub(super) struct Scanner<R> {
    reader: R,
    buffer: Vec<u8>,
    /// What of the buffer is read but not yet given out.
    start: usize,
    end: usize,
    /// Bytes before the buffer.
    before: u64,
    /// The reader has no more.
    ended: bool,
    limits: Limits,
    /// The end of this element comes next: its start tag was `<name/>`.
    empty: Option<Element>,
    /// Text that does not stand in the document as it is meant.
    decoded: String,
}

/// Bytes that end a text or do not stand for themselves in one.
const SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    let (controls, _) = special.split_at_mut(b' ' as usize);
    let mut at = 0;
    while at < controls.len() {
        controls[at] = at != b'\t' as usize && at != b'\n' as usize;
        at += 1;
    }
    special[b'<' as usize] = true;
    special[b'&' as usize] = true;
    special
};

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

impl<R: Read> Scanner<R> {
    pub(super) fn new(reader: R, limits: Limits) -> Self {
        Self {
            reader,
            buffer: vec![0; BUFFER],
            start: 0,
            end: 0,
            before: 0,
            ended: false,
            limits,
            empty: None,
            decoded: String::new(),
        }
    }

    /// Bytes before what comes next.
    pub(super) fn at(&self) -> u64 {
        self.before + self.start as u64
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn wrong(&self, reason: impl Into<String>) -> Caught {
        Box::new(XmlRpcError::Syntax { at: self.at(), reason: reason.into() })
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Reads more behind what is there. Gives false at the end of the document.
    fn more(&mut self) -> Result<bool, Caught> {
        if self.ended {
            return Ok(false);
        }
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.before += self.start as u64;
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        loop {
            match self.reader.read(self.buffer.get_mut(self.end..).unwrap_or_default()) {
                Ok(0) => self.ended = true,
                Ok(more) => self.end += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => {
                    let at = self.before + self.end as u64;
                    return Err(Box::new(XmlRpcError::Io { at, source }));
                }
            }
            break;
        }
        if self.before + self.end as u64 > self.limits.bytes {
            let at = self.limits.bytes;
            return Err(Box::new(XmlRpcError::Limit { at, what: "bytes", most: self.limits.bytes }));
        }
        Ok(!self.ended)
    }

    /// Has at least that many bytes at hand, unless the document ends before.
    #[inline]
    fn window(&mut self, bytes: usize) -> Result<(), Caught> {
        while self.end - self.start < bytes && self.more()? {}
        Ok(())
    }

    /// Passes over white space; a window is at hand behind it.
    #[inline]
    fn space(&mut self) -> Result<(), Caught> {
        loop {
            if self.end - self.start < WINDOW {
                self.window(WINDOW)?;
            }
            let space = self.rest().iter().take_while(|byte| is_space(**byte)).count();
            self.start += space;
            // Behind a single byte, as in what Koji writes, nearly the whole window is left.
            if space <= 1 {
                return Ok(());
            }
        }
    }

    /// Whether this comes next, behind white space; it is passed over then.
    #[inline]
    fn passed(&mut self, tag: &[u8]) -> Result<bool, Caught> {
        if self.empty.is_some() {
            return Ok(false);
        }
        self.space()?;
        let passed = self.rest().starts_with(tag);
        if passed {
            self.start += tag.len();
        }
        Ok(passed)
    }

    /// Whether the start of this element comes next as it nearly always stands there; it is passed over then.
    #[inline]
    pub(super) fn starts(&mut self, element: Element) -> Result<bool, Caught> {
        self.passed(element.tags().0)
    }

    /// What is passed over if it comes next and is one of the tags that nearly all values have.
    #[inline]
    pub(super) fn frequent(&mut self) -> Option<Element> {
        let (element, length) = match self.rest() {
            [b'<', b's', b't', b'r', b'i', b'n', b'g', b'>', ..] => (Element::Text, 8),
            [b'<', b'i', b'n', b't', b'>', ..] => (Element::Int, 5),
            [b'<', b'n', b'i', b'l', b'/', b'>', ..] => (Element::Nil, 6),
            [b'<', b'b', b'o', b'o', b'l', b'e', b'a', b'n', b'>', ..] => (Element::Boolean, 9),
            [b'<', b's', b't', b'r', b'u', b'c', b't', b'>', ..] => (Element::Struct, 8),
            _ => return None,
        };
        self.start += length;
        Some(element)
    }

    /// The start of this element has to come.
    #[inline]
    pub(super) fn open(&mut self, element: Element) -> Result<(), Caught> {
        if self.passed(element.tags().0)? {
            return Ok(());
        }
        match self.tag()? {
            Tag::Open(found) if found == element => Ok(()),
            tag => Err(self.unexpected(tag, element)),
        }
    }

    /// The end of this element has to come.
    #[inline]
    pub(super) fn close(&mut self, element: Element) -> Result<(), Caught> {
        if self.passed(element.tags().1)? {
            return Ok(());
        }
        match self.tag()? {
            Tag::Close(found) if found == element => Ok(()),
            tag => Err(self.unexpected(tag, element)),
        }
    }

    /// An error: not this tag has to be here, but one of the element.
    #[cold]
    pub(super) fn unexpected(&self, tag: Tag, element: Element) -> Caught {
        let (open, close) = element.tags();
        let name = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let wanted = name(open);
        match tag {
            Tag::Nothing => self.ends(),
            Tag::Open(found) => {
                self.wrong(format!("{} stands where {wanted} or its end belongs", name(found.tags().0)))
            }
            Tag::Close(found) if found == element => self.wrong(format!("{} is not expected", name(close))),
            Tag::Close(found) => {
                self.wrong(format!("{} stands where {wanted} or its end belongs", name(found.tags().1)))
            }
        }
    }

    /// The next tag. White space, comments and processing instructions are passed over, text is an error.
    pub(super) fn tag(&mut self) -> Result<Tag, Caught> {
        if let Some(element) = self.empty.take() {
            return Ok(Tag::Close(element));
        }
        loop {
            self.space()?;
            match self.rest() {
                [] => return Ok(Tag::Nothing),
                [b'<', b'!' | b'?', ..] => self.aside()?,
                [b'<', b'/', rest @ ..] => match self.element(rest)? {
                    (element, length, false) => {
                        self.start += 2 + length;
                        return Ok(Tag::Close(element));
                    }
                    _ => return Err(self.wrong("a tag both ends an element and is empty")),
                },
                [b'<', rest @ ..] => {
                    let (element, length, empty) = self.element(rest)?;
                    self.start += 1 + length;
                    self.empty = empty.then_some(element);
                    return Ok(Tag::Open(element));
                }
                _ => return Err(self.wrong("there is text where only an element can be")),
            }
        }
    }

    /// The element that is named here, the length of its name with what ends the tag, and whether it is empty.
    fn element(&self, text: &[u8]) -> Result<(Element, usize, bool), Caught> {
        let named = |byte: &&u8| byte.is_ascii_alphanumeric() || b".:_-".contains(*byte);
        let length = text.iter().take_while(named).count();
        let (name, behind) = text.split_at_checked(length).unwrap_or_default();
        let space = behind.iter().take_while(|byte| is_space(**byte)).count();
        let (end, empty) = match behind.get(space..).unwrap_or_default() {
            [b'>', ..] => (1, false),
            [b'/', b'>', ..] => (2, true),
            _ if self.ended && !text.contains(&b'>') => return Err(self.ends()),
            _ => return Err(self.wrong(format!("the tag <{}> is broken or has attributes", shown(name)))),
        };
        match Element::of(name) {
            Some(element) => Ok((element, length + space + end, empty)),
            None => Err(self.wrong(format!("<{}> is no element that Koji uses", shown(name)))),
        }
    }

    #[cold]
    fn ends(&self) -> Caught {
        Box::new(XmlRpcError::Ends { at: self.before + self.end as u64 })
    }

    /// Passes over a comment or a processing instruction. Anything else of the kind is refused.
    fn aside(&mut self) -> Result<(), Caught> {
        let rest = self.rest();
        if rest.starts_with(b"<!--") {
            self.behind(4, b"-->", LONGEST_ASIDE)
        } else if rest.starts_with(b"<?") {
            let declares = rest.starts_with(b"<?xml") && rest.get(5).copied().is_some_and(is_space);
            let (from, at) = (self.start + 2, self.at());
            self.behind(2, b"?>", LONGEST_ASIDE)?;
            if declares && at > 3 {
                return Err(self.wrong("an XML declaration is not at the beginning"));
            }
            // The buffer was not moved: the beginning of the document lies in it.
            let declaration = self.buffer.get(from..self.start).unwrap_or_default();
            if declares && !is_unicode(declaration) {
                return Err(self.wrong("another encoding than UTF-8 is declared"));
            }
            Ok(())
        } else if rest.starts_with(b"<![CDATA[") {
            Err(self.wrong("there is text where only an element can be"))
        } else {
            Err(self.wrong("a document type is declared"))
        }
    }

    /// Goes behind the first `end` that comes after that many bytes.
    fn behind(&mut self, skip: usize, end: &[u8], most: usize) -> Result<(), Caught> {
        let length = self.find(skip, end, most)?;
        self.start += length + end.len();
        Ok(())
    }

    /// Bytes up to the first `end` that comes after that many bytes.
    fn find(&mut self, skip: usize, end: &[u8], most: usize) -> Result<usize, Caught> {
        let mut from = skip;
        loop {
            let rest = self.rest().get(from..).unwrap_or_default();
            if let Some(place) = rest.windows(end.len()).position(|window| window == end) {
                return Ok(from + place);
            }
            from = (from + rest.len()).saturating_sub(end.len() - 1).max(skip);
            if from > most {
                return Err(self.too_long(most));
            }
            if !self.more()? {
                return Err(self.ends());
            }
        }
    }

    fn too_long(&self, most: usize) -> Caught {
        Box::new(XmlRpcError::Limit { at: self.at(), what: "bytes in one text", most: most as u64 })
    }

    /// The text up to the next tag, decoded.
    #[inline]
    pub(super) fn text(&mut self) -> Result<&str, Caught> {
        if self.empty.is_some() {
            return Ok("");
        }
        let mut length = 0;
        let plain = loop {
            let rest = self.rest().get(length..).unwrap_or_default();
            if let Some(place) = rest.iter().position(|byte| SPECIAL.get(usize::from(*byte)) == Some(&true)) {
                length += place;
                match rest.get(place..) {
                    Some([b'<', second, ..]) => break !matches!(second, b'!' | b'?'),
                    Some([b'<']) => {}
                    _ => break false,
                }
            } else {
                length += rest.len();
            }
            if length > self.limits.text {
                return Err(self.too_long(self.limits.text));
            }
            if !self.more()? {
                return Err(self.ends());
            }
        };
        if !plain {
            return self.decode();
        }
        if length > self.limits.text {
            return Err(self.too_long(self.limits.text));
        }
        let start = self.start;
        self.start += length;
        let text = self.buffer.get(start..start + length).unwrap_or_default();
        str::from_utf8(text).map_err(|error| {
            let at = self.before + (start + error.valid_up_to()) as u64;
            Box::new(XmlRpcError::Syntax { at, reason: "this is not UTF-8".into() })
        })
    }

    /// The text up to the next tag, in which something stands for something else.
    #[cold]
    fn decode(&mut self) -> Result<&str, Caught> {
        let begin = self.at();
        let mut decoded = std::mem::take(&mut self.decoded);
        decoded.clear();
        loop {
            self.window(WINDOW)?;
            if self.at() - begin > self.limits.text as u64 {
                return Err(self.too_long(self.limits.text));
            }
            match self.rest() {
                [] => return Err(self.ends()),
                [b'<', b'!', b'[', ..] if self.rest().starts_with(b"<![CDATA[") => {
                    let length = self.find(9, b"]]>", self.limits.text)?;
                    let data = self.rest().get(9..length).unwrap_or_default();
                    let text = self.utf8(data)?.replace("\r\n", "\n").replace('\r', "\n");
                    if let Some(control) = text.chars().find(|one| !is_xml(*one)) {
                        return Err(self.wrong(format!("the character {control:?} cannot be in XML")));
                    }
                    decoded.push_str(&text);
                    self.start += length + 3;
                }
                [b'<', b'!' | b'?', ..] => self.aside()?,
                [b'<', ..] => break,
                [b'&', rest @ ..] => {
                    let end = rest.iter().position(|byte| *byte == b';');
                    let name = end.and_then(|end| rest.get(..end)).unwrap_or_default();
                    let Some(character) = resolve(name) else {
                        if end.is_none() && self.ended && rest.len() < WINDOW && !rest.contains(&b'<') {
                            return Err(self.ends());
                        }
                        let name = if name.is_empty() { rest } else { name };
                        return Err(
                            self.wrong(format!("the entity '&{};' is not one of XML's own", shown(name)))
                        );
                    };
                    decoded.push(character);
                    self.start += name.len() + 2;
                }
                [b'\r', rest @ ..] => {
                    let length = 1 + usize::from(rest.first() == Some(&b'\n'));
                    decoded.push('\n');
                    self.start += length;
                }
                rest => {
                    let mut end = rest
                        .iter()
                        .position(|byte| SPECIAL.get(usize::from(*byte)) == Some(&true))
                        .unwrap_or(rest.len());
                    if end == 0 {
                        let byte = rest.first().copied().unwrap_or_default();
                        return Err(
                            self.wrong(format!("the character {:?} cannot be in XML", char::from(byte)))
                        );
                    }
                    // A character whose rest did not come yet is left for the next round.
                    if end == rest.len() && !self.ended {
                        let begun =
                            rest.iter().rev().take(4).position(|byte| byte & 0xc0 != 0x80).unwrap_or(0);
                        if rest.get(end - 1 - begun).is_some_and(|byte| *byte >= 0xc0) && end > begun + 1 {
                            end -= begun + 1;
                        }
                    }
                    decoded.push_str(self.utf8(rest.get(..end).unwrap_or_default())?);
                    self.start += end;
                }
            }
        }
        self.decoded = decoded;
        Ok(&self.decoded)
    }

    fn utf8<'b>(&self, bytes: &'b [u8]) -> Result<&'b str, Caught> {
        str::from_utf8(bytes).map_err(|_| self.wrong("this is not UTF-8"))
    }

    /// What comes next, be it white space.
    #[inline]
    pub(super) fn peek(&mut self) -> Result<[u8; 2], Caught> {
        if self.empty.is_some() {
            return Ok(*b"</");
        }
        self.window(WINDOW)?;
        match self.rest() {
            [first, second, ..] => Ok([*first, *second]),
            _ => Err(self.ends()),
        }
    }

    /// Passes over a byte order mark at the very beginning.
    pub(super) fn begin(&mut self) -> Result<(), Caught> {
        self.window(WINDOW)?;
        if self.rest().starts_with(b"\xef\xbb\xbf") {
            self.start += 3;
        }
        Ok(())
    }

    /// The document has to end here.
    pub(super) fn finish(&mut self) -> Result<(), Caught> {
        match self.tag()? {
            Tag::Nothing => Ok(()),
            _ => Err(self.wrong("something follows behind the message")),
        }
    }
}

/// Whether an XML declaration names no other encoding than the one that is read.
fn is_unicode(declaration: &[u8]) -> bool {
    let declaration = String::from_utf8_lossy(declaration).to_ascii_lowercase();
    let Some((_, encoding)) = declaration.split_once("encoding") else { return true };
    let encoding = encoding.trim_start_matches(|one: char| one.is_ascii_whitespace() || one == '=');
    ["utf-8", "utf8", "us-ascii", "ascii"].iter().any(|known| {
        ['"', '\''].iter().any(|quote| {
            encoding
                .strip_prefix(*quote)
                .and_then(|text| text.strip_prefix(known))
                .is_some_and(|end| end.starts_with(*quote))
        })
    })
}

/// The character that a reference means.
fn resolve(name: &[u8]) -> Option<char> {
    let number = match name {
        b"lt" => return Some('<'),
        b"gt" => return Some('>'),
        b"amp" => return Some('&'),
        b"quot" => return Some('"'),
        b"apos" => return Some('\''),
        [b'#', b'x', digits @ ..] => (digits, 16),
        [b'#', digits @ ..] => (digits, 10),
        _ => return None,
    };
    let digits = str::from_utf8(number.0).ok().filter(|digits| !digits.starts_with('+'))?;
    char::from_u32(u32::from_str_radix(digits, number.1).ok()?).filter(|character| is_xml(*character))
}

/// Whether XML 1.0 can have this character.
pub(super) fn is_xml(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// The beginning of what the other side sent, for a message.
fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).escape_debug().take(40).collect()
}
