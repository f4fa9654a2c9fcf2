//! Paragraphs of fields, as release files, package indexes, `control` and apt's `.sources` have them.
//!
//! A field is `Name: value`; lines that start with a space or tab continue it; an empty line ends the
//! paragraph; lines that start with `#` are comments. Names do not depend on case. Everything is
//! bounded: a paragraph has at most [`MAX_PARAGRAPH`] bytes.

use std::io::{BufRead, Read as _};

/// The most bytes that one paragraph may have (release files of Debian have less than 200 KiB).
pub const MAX_PARAGRAPH: usize = 4 << 20;

/// What is wrong with a text of paragraphs. Retrying can help only for `Io`.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The text cannot be read (or decompressed).
    #[error("the text cannot be read after line {line}")]
    Io {
        /// Lines read so far.
        line: u64,
        /// The cause.
        source: std::io::Error,
    },
    /// A line is neither field, continuation, comment nor empty.
    #[error("line {line} is not a field: expected 'Name: value'")]
    Syntax {
        /// The line, from 1.
        line: u64,
    },
    /// A line is no UTF-8.
    #[error("line {line} is not UTF-8")]
    Encoding {
        /// The line, from 1.
        line: u64,
    },
    /// A field stands twice in a paragraph.
    #[error("line {line} names a field that the paragraph has already")]
    Twice {
        /// The line, from 1.
        line: u64,
    },
    /// A paragraph is larger than anything sensible.
    #[error("the paragraph that reaches line {line} has more than {MAX_PARAGRAPH} bytes")]
    TooLarge {
        /// The line, from 1.
        line: u64,
    },
}

/// One paragraph: its fields in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paragraph(Vec<(String, String)>);

impl Paragraph {
    /// The value of a field, lines joined by newlines without their leading blank.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// All fields in order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Reads paragraph after paragraph.
#[derive(Debug)]
pub struct Paragraphs<R> {
    reader: R,
    line: u64,
    buffer: Vec<u8>,
}

impl<R: BufRead> Paragraphs<R> {
    /// Starts reading.
    pub fn new(reader: R) -> Self {
        Self { reader, line: 0, buffer: Vec::new() }
    }

    /// Number of lines read so far.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The next paragraph, none at the end.
    pub fn next_paragraph(&mut self) -> Result<Option<Paragraph>, ControlError> {
        let mut paragraph = Paragraph::default();
        let mut size = 0;
        loop {
            self.buffer.clear();
            let room = (MAX_PARAGRAPH - size) as u64 + 1;
            let read = self
                .reader
                .by_ref()
                .take(room)
                .read_until(b'\n', &mut self.buffer)
                .map_err(|source| ControlError::Io { line: self.line, source })?;
            if read == 0 {
                return Ok((!paragraph.0.is_empty()).then_some(paragraph));
            }
            self.line += 1;
            let line = self.line;
            size += read;
            if size > MAX_PARAGRAPH {
                return Err(ControlError::TooLarge { line });
            }
            let text = std::str::from_utf8(&self.buffer).map_err(|_| ControlError::Encoding { line })?;
            let text = text.trim_end();
            if text.is_empty() {
                if paragraph.0.is_empty() {
                    continue;
                }
                return Ok(Some(paragraph));
            }
            if text.starts_with('#') {
                continue;
            }
            if let Some(continued) = text.strip_prefix([' ', '\t']) {
                let (_, value) = paragraph.0.last_mut().ok_or(ControlError::Syntax { line })?;
                value.push('\n');
                value.push_str(continued.trim_start());
                continue;
            }
            let (name, value) = text.split_once(':').ok_or(ControlError::Syntax { line })?;
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(ControlError::Syntax { line });
            }
            if paragraph.0.len() >= 1000 || paragraph.get(name).is_some() {
                return Err(ControlError::Twice { line });
            }
            paragraph.0.push((name.into(), value.trim().into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8]) -> Result<Vec<Paragraph>, ControlError> {
        let mut reader = Paragraphs::new(text);
        std::iter::from_fn(|| reader.next_paragraph().transpose()).collect()
    }

    #[test]
    fn reads_fields_continuations_and_comments() {
        let found = all(b"\n# c\nA: 1\nB:\n x\n\ty z\n#no\n w\n\n\nA:2\n").unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].get("a"), Some("1"));
        assert_eq!(found[0].get("B"), Some("\nx\ny z\nw"));
        assert_eq!(found[1].get("A"), Some("2"));
        assert_eq!(found[1].get("B"), None);
    }

    #[test]
    fn refuses_what_is_malformed() {
        assert!(matches!(all(b" x\n"), Err(ControlError::Syntax { line: 1 })));
        assert!(matches!(all(b"A: 1\nnothing\n"), Err(ControlError::Syntax { line: 2 })));
        assert!(matches!(all(b"A b: 1\n"), Err(ControlError::Syntax { line: 1 })));
        assert!(matches!(all(b"A: 1\na: 2\n"), Err(ControlError::Twice { line: 2 })));
        assert!(matches!(all(b"A: \xff\n"), Err(ControlError::Encoding { line: 1 })));
        let long = [b"A: ".as_slice(), &vec![b'x'; MAX_PARAGRAPH]].concat();
        assert!(matches!(all(&long), Err(ControlError::TooLarge { line: 1 })));
    }
}
