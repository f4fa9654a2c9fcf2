//! What a guest writes to its serial console, as people may see it.
//!
//! A guest is not trusted, and firmware and boot menus paint with escape sequences. So of the bytes only text is
//! left: UTF-8 without control characters but tabs and line feeds, without escape sequences (ECMA-48: CSI, OSC and
//! other strings, single ones). Where the cursor is sent to another place a new line begins, so that painted menus
//! stay readable.

/// No sequence is longer; what begins as one and is, was none.
const LONGEST: usize = 256;

/// Where in a sequence the console is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// After ESC.
    Escape,
    /// After ESC and an intermediate character; one more ends it.
    Intermediate,
    /// In a control sequence.
    Control,
    /// In a control string, which BEL or ESC \ ends.
    String,
    /// After an ESC in a control string.
    StringEscape,
}

/// Makes text of a guest's bytes, which may come in any pieces.
#[derive(Clone, Debug, Default)]
pub struct Visible {
    /// The beginning of a character whose rest has not come.
    rest: Vec<u8>,
    state: State,
    /// How long the sequence is so far.
    length: usize,
    /// Whether the line that is being written has something on it.
    begun: bool,
}

impl Visible {
    /// The text of further bytes.
    pub fn show(&mut self, bytes: &[u8]) -> String {
        self.rest.extend_from_slice(bytes);
        let pending = std::mem::take(&mut self.rest);
        let mut shown = String::new();
        for chunk in pending.utf8_chunks() {
            for char in chunk.valid().chars() {
                self.put(char, &mut shown);
            }
            let bad = chunk.invalid();
            // A character that is cut off at the end may still be completed.
            let last =
                pending.ends_with(bad) && std::str::from_utf8(bad).is_err_and(|e| e.error_len().is_none());
            match bad {
                [] => {}
                bad if last => self.rest = bad.to_vec(),
                _ => self.put(char::REPLACEMENT_CHARACTER, &mut shown),
            }
        }
        shown
    }

    fn put(&mut self, char: char, shown: &mut String) {
        self.length += 1;
        if self.state != State::Text && (char == '\n' || self.length > LONGEST) {
            self.state = State::Text;
        }
        let next = match (self.state, char) {
            (State::Text, '\x1b') => State::Escape,
            (State::Text, '\u{9b}') => State::Control,
            (State::Text, '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}') => State::String,
            (State::Text, '\n') => {
                self.begun = false;
                shown.push(char);
                State::Text
            }
            (State::Text, char) if char.is_control() && char != '\t' => State::Text,
            (State::Text, char) => {
                self.begun = true;
                shown.push(char);
                State::Text
            }
            (State::Escape, '[') => State::Control,
            (State::Escape, ']' | 'P' | 'X' | '^' | '_') => State::String,
            (State::Escape, '\x1b') | (State::Control | State::Intermediate, '\x1b') => State::Escape,
            (State::Escape | State::Intermediate, ' '..='/') => State::Intermediate,
            (State::Escape | State::Intermediate, _) => State::Text,
            (State::Control, ' '..='?') => State::Control,
            (State::Control, 'A' | 'B' | 'E' | 'F' | 'H' | 'J' | 'd' | 'f') => {
                if std::mem::take(&mut self.begun) {
                    shown.push('\n');
                }
                State::Text
            }
            (State::Control, _) => State::Text,
            (State::String, '\x1b') => State::StringEscape,
            (State::String, '\x07' | '\u{9c}') => State::Text,
            (State::String, _) => State::String,
            (State::StringEscape, '\\') => State::Text,
            (State::StringEscape, _) => State::String,
        };
        if next == State::Text || self.state == State::Text {
            self.length = 0;
        }
        self.state = next;
    }
}

/// Looks for a text in what a console shows, which may come in any pieces.
#[derive(Clone, Debug)]
pub struct Search {
    wanted: String,
    /// The end of what was seen, shorter than the text.
    tail: String,
}

impl Search {
    /// Looks for this text.
    pub fn new(wanted: impl Into<String>) -> Self {
        Self { wanted: wanted.into(), tail: String::new() }
    }

    /// Whether the text is complete with this piece; what of the piece follows it.
    pub fn found<'a>(&mut self, piece: &'a str) -> Option<&'a str> {
        let known = self.tail.len();
        self.tail.push_str(piece);
        if let Some(place) = self.tail.find(&self.wanted) {
            let after = (place + self.wanted.len()).saturating_sub(known);
            return Some(piece.get(after..).unwrap_or_default());
        }
        let mut from = (self.tail.len() + 1).saturating_sub(self.wanted.len());
        while !self.tail.is_char_boundary(from) {
            from -= 1;
        }
        self.tail.drain(..from);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_is_left() {
        for (bytes, wanted) in [
            (&b"a\r\nb\tc\n"[..], "a\nb\tc\n"),
            (b"[\x1b[0;32m  OK  \x1b[0m] up", "[  OK  ] up"),
            (b"\x1b]0;title\x07a\x1b]52;c;Zm9v\x1b\\b", "ab"),
            (b"\x1b(Ba\x1b=b\x1bcc", "abc"),
            (b"\x1b[2J\x1b[1;1Hmenu\x1b[3;4Hentry\x1b[0K", "menu\nentry"),
            (b"a\x07\x08\x7f\0b", "ab"),
            (b"\xc3\xa4\xc2\x9b31mx\xff.", "äx\u{fffd}."),
            // What never ends may not hide what follows.
            (b"\x1b]0;a\nGANDER-BOOT-OK\n", "\nGANDER-BOOT-OK\n"),
            (b"\x1b[1\x1b[31mx", "x"),
        ] {
            let name = String::from_utf8_lossy(bytes);
            assert_eq!(Visible::default().show(bytes), wanted, "{name:?}");
            let mut console = Visible::default();
            let apart: String = bytes.chunks(1).map(|byte| console.show(byte)).collect();
            assert_eq!(apart, wanted, "{name:?} byte by byte");
        }
        let mut endless = b"\x1b]".to_vec();
        endless.extend([b'x'; 400]);
        endless.extend(b"GANDER-BOOT-OK");
        assert!(Visible::default().show(&endless).contains("GANDER-BOOT-OK"));
    }

    #[test]
    fn a_text_is_found_in_pieces() {
        for pieces in [
            &["GANDER-BOOT-OK rest"][..],
            &["GANDER", "-BOOT-OK rest"],
            &["xxGANDER-BOOT-O", "K", " rest"],
            &["ää GANDER-BOOTäGANDER-BOOT-OK", " rest"],
        ] {
            let mut search = Search::new("GANDER-BOOT-OK");
            let mut after = None;
            for piece in pieces {
                match &mut after {
                    None => after = search.found(piece).map(str::to_owned),
                    Some(after) => after.push_str(piece),
                }
            }
            assert_eq!(after.as_deref(), Some(" rest"), "{pieces:?}");
        }
        let mut search = Search::new("ab");
        assert!(["a", "xb", "ä", "a"].iter().all(|piece| search.found(piece).is_none()));
        assert_eq!(search.found("b\nmore"), Some("\nmore"));
    }
}
