//! Lines, blanks and words as Python's `splitlines`, `isspace` and `shlex` have them.

use std::fmt;

/// Whether Python's `str.isspace` says yes.
pub(super) fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

/// `str.strip`.
pub(super) fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// Whether a line is empty or a comment.
pub(super) fn is_blank_or_comment(line: &str) -> bool {
    let rest = line.trim_start_matches(is_space);
    rest.is_empty() || rest.starts_with('#')
}

/// The first line of a text with its end, and the length of it in bytes: `splitlines(True)`.
pub(super) fn first_line(text: &str) -> &str {
    let ends = |character| {
        matches!(
            character,
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
        )
    };
    let Some((at, end)) = text.char_indices().find(|(_, character)| ends(*character)) else { return text };
    let after = at + end.len_utf8();
    let after = if end == '\r' && text.get(after..).is_some_and(|rest| rest.starts_with('\n')) {
        after + 1
    } else {
        after
    };
    text.split_at_checked(after).map_or(text, |(line, _)| line)
}

/// Why a line cannot be divided into words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WordsError {
    Quote(char),
    Escape,
}

impl fmt::Display for WordsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quote(quote) => write!(f, "a quotation that begins with {quote} does not end"),
            Self::Escape => f.write_str("nothing follows the backslash at the end"),
        }
    }
}

/// `shlex.split`: words separated by blanks, with quotes and backslashes; `#` begins a comment also in the
/// middle of a word, where comments are wanted.
pub(super) fn words(line: &str, comments: bool) -> Result<Vec<String>, WordsError> {
    let (mut words, mut word, mut started) = (Vec::new(), String::new(), false);
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' | '\r' | '\n' => {
                if started {
                    words.push(std::mem::take(&mut word));
                    started = false;
                }
            }
            '#' if comments => {
                // The rest of the line; what the reader calls a line may hold other line ends than this.
                if started {
                    words.push(std::mem::take(&mut word));
                    started = false;
                }
                characters.by_ref().find(|character| *character == '\n');
            }
            '\\' => {
                word.push(characters.next().ok_or(WordsError::Escape)?);
                started = true;
            }
            '\'' => {
                started = true;
                loop {
                    match characters.next().ok_or(WordsError::Quote('\''))? {
                        '\'' => break,
                        other => word.push(other),
                    }
                }
            }
            '"' => {
                started = true;
                loop {
                    match characters.next().ok_or(WordsError::Quote('"'))? {
                        '"' => break,
                        '\\' => {
                            let next = characters.next().ok_or(WordsError::Escape)?;
                            if !matches!(next, '"' | '\\') {
                                word.push('\\');
                            }
                            word.push(next);
                        }
                        other => word.push(other),
                    }
                }
            }
            other => {
                word.push(other);
                started = true;
            }
        }
    }
    if started {
        words.push(word);
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_shlex() {
        for (line, comments, expected) in [
            ("a b\tc\n", true, Ok(vec!["a", "b", "c"])),
            ("rootpw abc#def ghi\n", true, Ok(vec!["rootpw", "abc"])),
            ("%end # x", false, Ok(vec!["%end", "#", "x"])),
            ("a '' \"\"", true, Ok(vec!["a", "", ""])),
            (r#"a "b \" \n" 'c\' d\ e"#, true, Ok(vec!["a", r#"b " \n"#, r"c\", "d e"])),
            ("x'y'\"z\"", true, Ok(vec!["xyz"])),
            ("a \\\n", true, Ok(vec!["a", "\n"])),
            ("a \"b", true, Err(WordsError::Quote('"'))),
            ("don't", true, Err(WordsError::Quote('\''))),
            ("a\\", true, Err(WordsError::Escape)),
            ("# 'x", true, Ok(vec![])),
        ] {
            let expected = expected.map(|words| words.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(words(line, comments), expected, "{line:?}");
        }
    }

    #[test]
    fn lines_end_where_python_ends_them() {
        for (text, expected) in [
            ("a\r\nb", "a\r\n"),
            ("a\rb", "a\r"),
            ("a\u{b}b\n", "a\u{b}"),
            ("é\u{2028}x", "é\u{2028}"),
            ("", ""),
        ] {
            assert_eq!(first_line(text), expected);
        }
        assert!(is_blank_or_comment("\u{1f}\u{a0} # x") && !is_blank_or_comment(" x # y"));
    }
}
