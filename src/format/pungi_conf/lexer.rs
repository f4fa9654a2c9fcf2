//! The words of a configuration, with their places.

use std::sync::Arc;

use super::{Place, PungiConfError};

/// What a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Name,
    Number,
    /// A string with its quotes and its prefix.
    Text,
    /// One character.
    Sign,
    LineEnd,
    End,
}

/// A word.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind,
    pub(super) text: &'t str,
    line: usize,
    column: usize,
}

impl Token<'_> {
    pub(super) fn is(&self, sign: &str) -> bool {
        self.kind == Kind::Sign && self.text == sign
    }
}

/// Reads words one after the other; a copy of it looks ahead.
#[derive(Clone, Debug)]
pub(super) struct Lexer<'t> {
    file: Arc<str>,
    text: &'t str,
    rest: &'t str,
    line: usize,
    column: usize,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(file: Arc<str>, text: &'t str) -> Self {
        // A byte order mark is no part of the text.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self { file, text, rest: text, line: 1, column: 1 }
    }

    pub(super) fn place(&self, token: &Token<'_>) -> Place {
        Place { file: self.file.clone(), line: token.line, column: token.column }
    }

    pub(super) fn error(&self, token: &Token<'_>, message: impl Into<String>) -> PungiConfError {
        PungiConfError::Syntax { place: self.place(token), message: message.into() }
    }

    fn bump(&mut self) -> Option<char> {
        let char = self.rest.chars().next()?;
        self.rest = self.rest.get(char.len_utf8()..).unwrap_or_default();
        if char == '\n' {
            (self.line, self.column) = (self.line + 1, 1);
        } else {
            self.column += 1;
        }
        Some(char)
    }

    fn skip(&mut self, wanted: impl Fn(char) -> bool) {
        while self.rest.starts_with(&wanted) {
            self.bump();
        }
    }

    /// The next word; line ends are words.
    pub(super) fn next(&mut self) -> Result<Token<'t>, PungiConfError> {
        loop {
            self.skip(|char| matches!(char, ' ' | '\t' | '\r' | '\x0c'));
            if self.rest.starts_with('#') {
                self.skip(|char| char != '\n');
            } else if self.rest.starts_with("\\\n") || self.rest.starts_with("\\\r\n") {
                // The line goes on.
                self.skip(|char| char != '\n');
                self.bump();
            } else {
                break;
            }
        }
        let start = self.text.len() - self.rest.len();
        let mut token = Token { kind: Kind::Sign, text: "", line: self.line, column: self.column };
        let Some(first) = self.rest.chars().next() else {
            return Ok(Token { kind: Kind::End, ..token });
        };
        token.kind = match first {
            '\n' => {
                self.bump();
                Kind::LineEnd
            }
            '"' | '\'' => self.string(&token)?,
            first if first == '_' || first.is_alphabetic() => {
                self.skip(|char| char == '_' || char.is_alphanumeric());
                match self.rest.chars().next() {
                    Some('"' | '\'') => {
                        let prefix = self.since(start);
                        let known = prefix.len() <= 2 && prefix.chars().all(|char| "bruBRU".contains(char));
                        if !known {
                            let message = format!("there is no string that begins with {}", shorten(prefix));
                            return Err(self.error(&token, message));
                        }
                        self.string(&token)?
                    }
                    _ => Kind::Name,
                }
            }
            first if first.is_ascii_digit() => self.number(),
            '.' if self.rest.get(1..).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) => {
                self.number()
            }
            first if first.is_ascii_punctuation() => {
                self.bump();
                Kind::Sign
            }
            first => {
                return Err(self.error(&token, format!("the character {first:?} has no meaning here")));
            }
        };
        Ok(Token { text: self.since(start), ..token })
    }

    fn since(&self, start: usize) -> &'t str {
        self.text.get(start..self.text.len() - self.rest.len()).unwrap_or_default()
    }

    fn number(&mut self) -> Kind {
        while let Some(char) = self.rest.chars().next() {
            let exponent = matches!(char, 'e' | 'E') && self.rest.get(1..2).is_some_and(|c| "+-".contains(c));
            if exponent {
                self.bump();
            } else if !(char.is_ascii_alphanumeric() || matches!(char, '.' | '_')) {
                break;
            }
            self.bump();
        }
        Kind::Number
    }

    /// A string from its first quote on.
    fn string(&mut self, token: &Token<'_>) -> Result<Kind, PungiConfError> {
        let quote = self.bump().unwrap_or_default();
        let twice: String = [quote, quote].iter().collect();
        let long = self.rest.starts_with(&twice);
        if long {
            self.bump();
            self.bump();
        }
        loop {
            match self.bump() {
                Some('\\') => {
                    self.bump();
                }
                Some('\n') if !long => break,
                Some(char) if char == quote && !long => return Ok(Kind::Text),
                Some(char) if char == quote && self.rest.starts_with(&twice) => {
                    self.bump();
                    self.bump();
                    return Ok(Kind::Text);
                }
                Some(_) => {}
                None => break,
            }
        }
        Err(self.error(token, "this string does not end"))
    }
}

/// What a message quotes of a text: the beginning, in one line.
pub(super) fn shorten(text: &str) -> String {
    let visible = |char: char| if char.is_control() { char::REPLACEMENT_CHARACTER } else { char };
    format!("'{}'", text.chars().take(60).map(visible).collect::<String>())
}
