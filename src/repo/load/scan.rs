//! What a list says of its packages, told while somebody else reads it.
//!
//! The readers of the lists keep what packages are; whether lists are of the same packages is told by the `packages="N"` of
//! the root and the `pkgid` of each package, which are found in the text as it passes: tags are told from comments and
//! CDATA sections, and nothing but the tag at hand is held.

use std::io::{self, Read};

/// What a list says of its packages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// How many the root element says there are; none where it does not say, or no number.
    pub stated: Option<u64>,
    /// How many there are.
    pub packages: u64,
    /// Their checksums, in order, as far as the elements have them (those of primary do not).
    pub pkgids: Vec<String>,
}

/// More packages than any list that is read may have.
const MOST: usize = 2_000_000;
/// Bytes that are held of a tag; the readers refuse pkgids and numbers that begin further on by their length.
const LONGEST: usize = 4096;

/// Passes a list on and looks at it on the way.
pub(super) struct Scan<R> {
    inner: R,
    state: State,
    tag: Vec<u8>,
    roots: bool,
    facts: Facts,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Text,
    /// In a tag, perhaps in a quoted value.
    Tag(Option<u8>),
    /// In a comment, CDATA section, declaration: until the tag ends with these bytes.
    Until(&'static [u8]),
}

impl<R> Scan<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, state: State::Text, tag: Vec::new(), roots: false, facts: Facts::default() }
    }

    /// What was seen so far.
    pub(super) fn facts(self) -> Facts {
        self.facts
    }

    fn see(&mut self, piece: &[u8]) {
        let mut rest = piece;
        while !rest.is_empty() {
            if self.state == State::Text {
                // Most of a list is text.
                let Some(start) = rest.iter().position(|byte| *byte == b'<') else { return };
                rest = rest.get(start + 1..).unwrap_or_default();
                self.state = State::Tag(None);
                self.tag.clear();
                continue;
            }
            let Some((byte, after)) = rest.split_first() else { return };
            self.byte(*byte);
            rest = after;
        }
    }

    fn byte(&mut self, byte: u8) {
        if self.tag.len() < LONGEST {
            self.tag.push(byte);
        } else if matches!(self.state, State::Until(_)) {
            // Only the end of what is passed over is looked at.
            self.tag.drain(..LONGEST / 2);
            self.tag.push(byte);
        }
        match self.state {
            State::Until(end) if self.tag.ends_with(end) => self.state = State::Text,
            State::Text | State::Until(_) => {}
            State::Tag(Some(quote)) if byte == quote => self.state = State::Tag(None),
            State::Tag(Some(_)) => {}
            State::Tag(None) => match byte {
                b'"' | b'\'' => self.state = State::Tag(Some(byte)),
                b'>' => {
                    self.state = State::Text;
                    self.take();
                }
                b'-' if self.tag == b"!--" => self.until(b"-->"),
                b'[' if self.tag == b"![CDATA[" => self.until(b"]]>"),
                b'?' if self.tag == b"?" => self.until(b"?>"),
                _ => {}
            },
        }
    }

    fn until(&mut self, end: &'static [u8]) {
        self.tag.clear();
        self.state = State::Until(end);
    }

    /// Takes a whole tag, without its `<`.
    fn take(&mut self) {
        let Ok(tag) = std::str::from_utf8(&self.tag) else { return };
        if tag.starts_with(['/', '!']) {
            return;
        }
        let name = tag.split(|char: char| char.is_ascii_whitespace() || char == '/' || char == '>').next();
        let name = name.map(|name| name.rsplit_once(':').map_or(name, |(_, name)| name));
        if !self.roots {
            self.roots = true;
            self.facts.stated = attribute(tag, "packages").and_then(|number| number.parse().ok());
        } else if name == Some("package") {
            self.facts.packages = self.facts.packages.saturating_add(1);
            let pkgid = attribute(tag, "pkgid").filter(|_| self.facts.pkgids.len() < MOST);
            self.facts.pkgids.extend(pkgid.map(|pkgid| pkgid.chars().take(128).collect::<String>()));
        }
    }
}

/// The value of an attribute, as it stands in a tag.
fn attribute<'t>(tag: &'t str, name: &str) -> Option<&'t str> {
    let mut rest = tag;
    loop {
        let (before, after) = rest.split_once('=')?;
        let value = after.trim_start();
        let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        let (value, more) = value.get(1..)?.split_once(quote)?;
        if before.trim_end().ends_with(name)
            && before
                .trim_end()
                .strip_suffix(name)
                .is_some_and(|before| before.ends_with(|char: char| char.is_ascii_whitespace()))
        {
            return Some(value);
        }
        rest = more;
    }
}

impl<R: Read> Read for Scan<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.see(buffer.get(..length).unwrap_or_default());
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sees_through_every_split() {
        let text = "<?xml version='1.0'?><!-- <package pkgid=\"0\"> --><filelists xmlns=\"x\" packages = \"3\">\n\
            <package pkgid=\"a>b\" name=\"x\"><![CDATA[<package pkgid=\"1\">]]></package>\
            <package name='pkgid=\"2\"' pkgid='c'/><x:package\npkgid=\"d\"/><packager pkgid=\"3\"/></filelists>";
        let expected =
            Facts { stated: Some(3), packages: 3, pkgids: ["a>b", "c", "d"].map(String::from).to_vec() };
        for length in 1..text.len() {
            let mut scan = Scan::new(io::empty());
            text.as_bytes().chunks(length).for_each(|piece| scan.see(piece));
            assert_eq!(scan.facts(), expected, "{length}");
        }
    }

    #[test]
    fn holds_no_more_than_a_tag() {
        let mut scan = Scan::new(io::empty());
        scan.see(b"<a packages=\"x\"><!--");
        (0..100_000).for_each(|_| scan.see(b"<package pkgid=\"1\">"));
        scan.see(b"--><package pkgid=\"");
        (0..100_000).for_each(|_| scan.see(b"0123456789"));
        assert!(scan.tag.capacity() <= 2 * LONGEST);
        scan.see(b"\"><package pkgid=\"2\"/>");
        assert_eq!(scan.facts(), Facts { stated: None, packages: 2, pkgids: vec!["2".into()] });
    }
}
