//! Writing XML with createrepo_c's layout: one element a line, two spaces a level.

/// Writes elements into a text.
#[derive(Debug, Default)]
pub(in crate::format) struct Writer {
    text: String,
}

impl Writer {
    pub(in crate::format) fn into_text(self) -> String {
        self.text
    }

    /// Text as it stands: tags and layout.
    pub(in crate::format) fn raw(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Text content.
    pub(in crate::format) fn text(&mut self, text: &str) -> &mut Self {
        self.escaped(text, false)
    }

    /// An attribute with a space in front.
    pub(in crate::format) fn attribute(&mut self, name: &str, value: &str) -> &mut Self {
        self.raw(" ").raw(name).raw("=\"").escaped(value, true).raw("\"")
    }

    /// Nearly all of a text stands as it is, so it is copied in long pieces.
    fn escaped(&mut self, text: &str, attribute: bool) -> &mut Self {
        let mut rest = text;
        while let Some(at) = rest.bytes().position(|byte| SUSPECT[usize::from(byte)]) {
            let (plain, other) = rest.split_at_checked(at).unwrap_or((rest, ""));
            self.text.push_str(plain);
            let mut characters = other.chars();
            let Some(character) = characters.next() else { return self };
            match character {
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                '&' => self.text.push_str("&amp;"),
                '"' if attribute => self.text.push_str("&quot;"),
                // A parser would read these as spaces.
                '\t' if attribute => self.text.push_str("&#9;"),
                '\n' if attribute => self.text.push_str("&#10;"),
                // A parser would read it as a line feed.
                '\r' => self.text.push_str("&#13;"),
                other if fits(other) => self.text.push(other),
                _ => {}
            }
            rest = characters.as_str();
        }
        self.raw(rest)
    }

    /// A line with one element that holds text; closed at once where the text is empty.
    pub(in crate::format) fn element(
        &mut self,
        indent: &str,
        name: &str,
        attributes: &[(&str, &str)],
        text: &str,
    ) -> &mut Self {
        self.raw(indent).raw("<").raw(name);
        for (key, value) in attributes {
            self.attribute(key, value);
        }
        if text.is_empty() {
            self.raw("/>\n")
        } else {
            self.raw(">").text(text).raw("</").raw(name).raw(">\n")
        }
    }
}

/// Bytes at which a character may begin that does not stand as it is: markup, controls, and the first byte of U+FFFE and
/// U+FFFF.
const SUSPECT: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = byte < 0x20 || matches!(byte as u8, b'<' | b'>' | b'&' | b'"' | 0xef);
        byte += 1;
    }
    table
};

/// Whether XML 1.0 can hold a character.
fn fits(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..)
}
