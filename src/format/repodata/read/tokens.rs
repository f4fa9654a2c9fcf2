//! XML cut into tags, texts and what else there is.
//!
//! A token is a part of the buffer, so nothing is copied; the buffer has room for the longest one that is allowed. What
//! is cut here is what quick-xml cuts, which reads every other XML here: the tests hold the two together.

use std::io::{self, Read};
use std::str;

use super::error::Position;

/// What is read at once. Only a token that is longer makes the buffer grow.
const BUFFER: usize = 64 << 10;
/// Bytes of one tag, one comment or one piece of text.
pub(super) const LONGEST_PIECE: usize = 1 << 20;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

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

/// A document, token by token.
pub(super) struct Tokens<R> {
    reader: R,
    /// No token was read; a byte order mark may come.
    fresh: bool,
    buffer: Vec<u8>,
    /// What of the buffer is filled and not yet given out.
    start: usize,
    end: usize,
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
            buffer: vec![0; BUFFER],
            start: 0,
            end: 0,
            before: 0,
            counted: 0,
            line: 1,
        }
    }

    /// Where the next token begins, once [`Tokens::trim`] was there.
    pub(super) fn place(&mut self) -> Position {
        let passed = self.buffer.get(self.counted..self.start).unwrap_or_default();
        self.line += passed.iter().filter(|byte| **byte == b'\n').count() as u64;
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
            if self.start < self.end {
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
        if std::mem::take(&mut self.fresh) {
            while self.rest(0).len() < BYTE_ORDER_MARK.len() && self.fill()? {}
            if self.rest(0).starts_with(BYTE_ORDER_MARK) {
                self.start += BYTE_ORDER_MARK.len();
            }
        }
        match self.at(0)? {
            None => Ok(Token::Nothing),
            Some(b'<') => match self.at(1)? {
                Some(b'!') => self.declared(),
                Some(b'?') => self.instruction(),
                Some(b'/') => {
                    let end = self.tag()?;
                    let name = self.take(end, 2, 1)?;
                    let trimmed = name.trim_end_matches(|c| matches!(c, ' ' | '\t' | '\r' | '\n'));
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
        self.start = (start + end + 1).min(self.end);
        let inside = self.buffer.get(start + left..self.start.saturating_sub(right)).unwrap_or_default();
        str::from_utf8(inside).map_err(|_| Fault::Broken("it is not UTF-8"))
    }

    /// What of the buffer follows, from there on.
    fn rest(&self, from: usize) -> &[u8] {
        self.buffer.get(self.start + from..self.end).unwrap_or_default()
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
            from = from.max(self.end - self.start);
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// Reads more behind what is there. Gives false at the end of the document.
    fn fill(&mut self) -> Result<bool, Fault> {
        if self.end - self.start > LONGEST_PIECE {
            return Err(Fault::TooLong);
        }
        if self.start > 0 {
            self.place();
            self.before += self.start as u64;
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            (self.start, self.counted) = (0, 0);
        }
        if self.end == self.buffer.len() {
            self.buffer.resize((2 * self.end).min(LONGEST_PIECE + BUFFER), 0);
        }
        loop {
            match self.reader.read(self.buffer.get_mut(self.end..).unwrap_or_default()) {
                Ok(more) => {
                    self.end += more;
                    return Ok(more > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Fault::Io(error)),
            }
        }
    }
}

/// White space of XML.
pub(super) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}
