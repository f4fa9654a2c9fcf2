//! Data on stdout: in which form, and how it is written. The macros `print!` and `println!` of the standard library panic where nothing can be
//! written; those of `cli/`, which stand in for them, end as a program of a pipeline should.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write as _};

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
    let mut stdout = std::io::stdout().lock();
    match stdout.write_fmt(text).and_then(|()| stdout.flush()) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => {
            eprintln!("error: nothing can be written to the standard output\n  caused by: {error}");
            std::process::exit(Kind::Surroundings as i32)
        }
    }
}
