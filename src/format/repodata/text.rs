//! Writing XML with createrepo_c's layout: one element a line, two spaces a level.

/// Writes elements into a text.
#[derive(Debug, Default)]
pub(super) struct Writer {
    text: String,
}

impl Writer {
    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// Text as it stands: tags and layout.
    pub(super) fn raw(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Text content.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        for character in text.chars().filter(|character| fits(*character)) {
            match character {
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                '&' => self.text.push_str("&amp;"),
                // A parser would read it as a line feed.
                '\r' => self.text.push_str("&#13;"),
                other => self.text.push(other),
            }
        }
        self
    }

    /// An attribute with a space in front.
    pub(super) fn attribute(&mut self, name: &str, value: &str) -> &mut Self {
        self.raw(" ").raw(name).raw("=\"");
        for character in value.chars().filter(|character| fits(*character)) {
            match character {
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                '&' => self.text.push_str("&amp;"),
                '"' => self.text.push_str("&quot;"),
                // A parser would read these as spaces.
                '\t' => self.text.push_str("&#9;"),
                '\n' => self.text.push_str("&#10;"),
                '\r' => self.text.push_str("&#13;"),
                other => self.text.push(other),
            }
        }
        self.raw("\"")
    }

    /// A line with one element that holds text; closed at once where the text is empty.
    pub(super) fn element(
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

/// Whether XML 1.0 can hold a character.
fn fits(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..)
}
