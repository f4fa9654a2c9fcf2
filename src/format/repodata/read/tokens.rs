//! XML cut into tags, texts and what else there is.
//!
//! A token is a part of the buffer, so nothing is copied; the buffer has room for the longest one that is allowed. Text
//! is checked as it comes into the buffer, which takes far less time than token by token. What is cut here is what
//! quick-xml cuts, which reads every other XML here: the tests hold the two together.

use std::io::{self, Read};
use std::str;

use super::error::Position;

/// What is read at once. Only a token that is longer makes the buffer grow.
const BUFFER: usize = 64 << 10;
/// Bytes of one tag, one comment or one piece of text.
pub(super) const LONGEST_PIECE: usize = 1 << 20;

const BYTE_ORDER_MARK: char = '\u{feff}';

/// A piece of a document.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// What is between `<` and `>` or `/>`, and whether the element ends with it.
    Start(&'a str, bool),
    /// The name in `</name>`.
    End(&'a str),
    /// Text up to the next tag or reference; it is not empty.
    Text(&'a str),
    /// What is in `<![CDATA[…]]>`.
    Data(&'a str),
    /// What is between `&` and `;`.
    Reference(&'a str),
    /// What is in `<?xml …?>`, with the `xml`.
    Declaration(&'a str),
    /// A document type. What it has in it is not read to its end.
    DocType,
    /// A comment or a processing instruction.
    Aside,
    /// The end of the document.
    Nothing,
}

/// Why there is no token.
#[derive(Debug)]
pub(super) enum Fault {
    /// Reading failed.
    Io(io::Error),
    /// It is longer than [`LONGEST_PIECE`].
    TooLong,
    /// It is not XML.
    Broken(&'static str),
}

const NOT_TEXT: Fault = Fault::Broken("it is not UTF-8");

/// A document, token by token.
pub(super) struct Tokens<R> {
    reader: R,
    /// No token was read; a byte order mark may come.
    fresh: bool,
    buffer: String,
    /// What of the buffer was given out.
    start: usize,
    /// What was read last, and how much of it is the beginning of a character whose rest did not come yet.
    read: Vec<u8>,
    held: usize,
    /// Behind the buffer there is something that is no text.
    broken: bool,
    /// Bytes before the buffer.
    before: u64,
    /// How much of the buffer is counted in `line`.
    counted: usize,
    line: u64,
}

impl<R: Read> Tokens<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            fresh: true,
            buffer: String::new(),
            start: 0,
            read: vec![0; BUFFER],
            held: 0,
            broken: false,
            before: 0,
            counted: 0,
            line: 1,
        }
    }

    /// Where the next token begins, once [`Tokens::trim`] was there.
    pub(super) fn place(&mut self) -> Position {
        let passed = self.buffer.as_bytes().get(self.counted..self.start).unwrap_or_default();
        // Counted in bytes, sixteen at a time: most pieces are short, and this is done for each.
        let count = |bytes: &[u8]| bytes.iter().map(|byte| u8::from(*byte == b'\n')).sum::<u8>();
        let (groups, last) = passed.as_chunks::<16>();
        self.line += groups.iter().map(|group| u64::from(count(group))).sum::<u64>();
        self.line += u64::from(count(last));
        self.counted = self.start;
        Position { line: self.line, byte: self.before + self.start as u64 }
    }

    /// Passes over white space.
    pub(super) fn trim(&mut self) -> Result<(), Fault> {
        let mut passed = 0;
        loop {
            let space = self.rest(0).iter().take_while(|byte| is_space(**byte)).count();
            self.start += space;
            passed += space;
            if self.start < self.buffer.len() {
                return Ok(());
            }
            if passed > LONGEST_PIECE {
                return Err(Fault::TooLong);
            }
            if !self.fill()? {
                return Ok(());
            }
        }
    }

    /// The next token.
    pub(super) fn next(&mut self) -> Result<Token<'_>, Fault> {
        if std::mem::take(&mut self.fresh)
            && self.at(0)?.is_some()
            && self.buffer.starts_with(BYTE_ORDER_MARK)
        {
            self.start += BYTE_ORDER_MARK.len_utf8();
        }
        match self.at(0)? {
            None => Ok(Token::Nothing),
            Some(b'<') => match self.at(1)? {
                Some(b'!') => self.declared(),
                Some(b'?') => self.instruction(),
                Some(b'/') => {
                    let end = self.tag()?;
                    let name = self.take(end, 2, 1)?;
                    let trimmed = name.trim_end_matches([' ', '\t', '\r', '\n']);
                    Ok(Token::End(if trimmed.is_empty() { name } else { trimmed }))
                }
                _ => {
                    let end = self.tag()?;
                    let empty = self.rest(end - 1).starts_with(b"/");
                    Ok(Token::Start(self.take(end, 1, 1 + usize::from(empty))?, empty))
                }
            },
            Some(b'&') => match self.find(1, |byte| matches!(byte, b';' | b'&' | b'<'))? {
                Some((end, b';')) => Ok(Token::Reference(self.take(end, 1, 1)?)),
                _ => Err(Fault::Broken("an '&' begins no entity")),
            },
            Some(_) => {
                let end = match self.find(0, |byte| matches!(byte, b'<' | b'&'))? {
                    Some((end, _)) => end,
                    None => self.rest(0).len(),
                };
                Ok(Token::Text(self.take(end.saturating_sub(1), 0, 0)?))
            }
        }
    }

    /// Where the tag ends: at the first `>` that is not between quotes.
    fn tag(&mut self) -> Result<usize, Fault> {
        const OPEN: Fault = Fault::Broken("a tag is not closed");
        let mut from = 1;
        loop {
            match self.find(from, |byte| matches!(byte, b'>' | b'"' | b'\''))?.ok_or(OPEN)? {
                (end, b'>') => return Ok(end),
                (start, quote) => {
                    let (end, _) = self.find(start + 1, |byte| byte == quote)?.ok_or(OPEN)?;
                    from = end + 1;
                }
            }
        }
    }

    /// What begins with `<!`.
    fn declared(&mut self) -> Result<Token<'_>, Fault> {
        match self.at(2)? {
            Some(b'-') => {
                let end = self.closed(6, b"--")?;
                let token = self.rest(0).get(..=end).unwrap_or_default();
                let inside = token.get(4..end - 1).unwrap_or_default();
                if !token.starts_with(b"<!--") || inside.windows(2).any(|pair| pair == b"--") {
                    return Err(Fault::Broken("a comment is broken"));
                }
                self.take(end, 0, 0).map(|_| Token::Aside)
            }
            Some(b'[') => {
                let end = self.closed(2, b"]]")?;
                if !self.rest(0).starts_with(b"<![CDATA[") {
                    return Err(Fault::Broken("a '<![' begins no character data"));
                }
                Ok(Token::Data(self.take(end, 9, 3)?))
            }
            Some(b'D' | b'd') => match self.find(2, |byte| byte == b'>')? {
                Some((end, _)) => self.take(end, 0, 0).map(|_| Token::DocType),
                None => Err(Fault::Broken("a document type is not closed")),
            },
            _ => Err(Fault::Broken("a '<!' begins nothing that is known")),
        }
    }

    /// What begins with `<?`.
    fn instruction(&mut self) -> Result<Token<'_>, Fault> {
        let end = self.closed(2, b"?")?;
        if end < 3 {
            return Err(Fault::Broken("a processing instruction is broken"));
        }
        let content = self.take(end, 2, 2)?;
        let declares =
            content.strip_prefix("xml").is_some_and(|rest| rest.bytes().next().is_none_or(is_space));
        Ok(if declares { Token::Declaration(content) } else { Token::Aside })
    }

    /// Where the token ends: at the first `>` from here on that comes after this.
    fn closed(&mut self, mut from: usize, before: &[u8]) -> Result<usize, Fault> {
        loop {
            let Some((end, _)) = self.find(from, |byte| byte == b'>')? else {
                return Err(Fault::Broken("something that began with '<!' or '<?' is not closed"));
            };
            if self.rest(0).get(..end).is_some_and(|token| token.ends_with(before)) {
                return Ok(end);
            }
            from = end + 1;
        }
    }

    /// Gives out the token that ends with this byte, without that much of its beginning and its end.
    fn take(&mut self, end: usize, left: usize, right: usize) -> Result<&str, Fault> {
        let start = self.start;
        self.start = (start + end + 1).min(self.buffer.len());
        // All that a token begins or ends with is ASCII.
        self.buffer.get(start + left..self.start.saturating_sub(right)).ok_or(NOT_TEXT)
    }

    /// What of the buffer follows, from there on.
    fn rest(&self, from: usize) -> &[u8] {
        self.buffer.as_bytes().get(self.start + from..).unwrap_or_default()
    }

    /// The byte there; none at the end of the document.
    fn at(&mut self, place: usize) -> Result<Option<u8>, Fault> {
        loop {
            if let Some(byte) = self.rest(place).first() {
                return Ok(Some(*byte));
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// The first such byte from there on, and where it is; none when the document ends before.
    fn find(&mut self, from: usize, wanted: impl Fn(u8) -> bool) -> Result<Option<(usize, u8)>, Fault> {
        let mut from = from;
        loop {
            let rest = self.rest(from);
            let found = rest.iter().position(|byte| wanted(*byte));
            if let Some((place, byte)) = found.and_then(|place| Some((place, *rest.get(place)?))) {
                return Ok(Some((from + place, byte)));
            }
            from = from.max(self.buffer.len() - self.start);
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// Reads more behind what is there. Gives false at the end of the document.
    fn fill(&mut self) -> Result<bool, Fault> {
        if self.buffer.len() - self.start > LONGEST_PIECE {
            return Err(Fault::TooLong);
        }
        if self.start > 0 {
            self.place();
            self.before += self.start as u64;
            self.buffer.drain(..self.start);
            (self.start, self.counted) = (0, 0);
        }
        let before = self.buffer.len();
        while self.buffer.len() == before {
            if self.broken {
                return Err(NOT_TEXT);
            }
            let more = match self.reader.read(self.read.get_mut(self.held..).unwrap_or_default()) {
                Ok(0) if self.held > 0 => return Err(NOT_TEXT),
                Ok(0) => return Ok(false),
                Ok(more) => more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Fault::Io(error)),
            };
            let read = self.read.get(..self.held + more).unwrap_or_default();
            let text = match str::from_utf8(read) {
                Ok(text) => text,
                Err(error) => {
                    self.broken = error.error_len().is_some();
                    let valid = read.get(..error.valid_up_to()).unwrap_or_default();
                    str::from_utf8(valid).unwrap_or_default()
                }
            };
            let (valid, end) = (text.len(), read.len());
            self.buffer.push_str(text);
            self.read.copy_within(valid..end, 0);
            self.held = end - valid;
        }
        Ok(true)
    }
}

/// White space of XML.
pub(super) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}
