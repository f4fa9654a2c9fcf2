//! Data on stdout: in which form, and how it is written. The macros `print!` and `println!` of the standard library panic where nothing can be
//! written; those of `cli/`, which stand in for them, end as a program of a pipeline should.

use std::fmt::{Arguments, Write as _};
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use super::Kind;

/// How a result is written to stdout.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
pub enum Format {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON document for programs.
    Json,
}

/// Writes to stdout. A reader who went away has what it wanted; anything else is the surroundings' failure.
pub fn write(text: Arguments<'_>) {
    finish(std::io::stdout().lock().write_fmt(text));
}

/// Writes bytes to stdout, likewise.
pub fn write_bytes(bytes: &[u8]) {
    finish(std::io::stdout().lock().write_all(bytes));
}

fn finish(written: std::io::Result<()>) {
    match written.and_then(|()| std::io::stdout().lock().flush()) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => {
            eprintln!("error: nothing can be written to the standard output\n  caused by: {error}");
            std::process::exit(Kind::Surroundings as i32)
        }
    }
}

/// A text of unknown origin in one line that cannot steer a terminal: what does not print is escaped.
pub fn visible(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\'' | '"' | '\\' => line.push(char),
            _ => line.extend(char.escape_debug()),
        }
    }
    line
}

/// A file's name in one line: what does not print is escaped, and so are bytes that are not UTF-8.
pub fn quoted(path: &Path) -> String {
    let mut line = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        line.push_str(&visible(chunk.valid()));
        for byte in chunk.invalid() {
            // Writing into memory cannot fail.
            let _ = write!(line, "\\x{byte:02x}");
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    #[test]
    fn names_are_shown_in_one_line_that_steers_nothing() {
        let name = OsStr::from_bytes(b"it's \x1b[2J a\n\xff\xc3\xa9 \xe2\x80\xaegpj.rpm");
        assert_eq!(quoted(Path::new(name)), "it's \\u{1b}[2J a\\n\\xff\u{e9} \\u{202e}gpj.rpm");
    }
}
