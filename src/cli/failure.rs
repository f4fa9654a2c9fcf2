//! How a command fails: the message, its causes, what to do about it, and the exit code.

use std::error::Error;
use std::process::ExitCode;

/// What kind of failure it is; decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The verdict of a check is no: exit code 1.
    Verdict = 1,
    /// Usage or recipe: exit code 2.
    Usage = 2,
    /// An input is missing, corrupt or unsigned: exit code 3.
    Input = 3,
    /// The surroundings failed (tool, service, full disk, permission): exit code 4.
    Surroundings = 4,
    /// A bug in gander: exit code 70.
    Bug = 70,
}

/// A failed command, for people.
#[derive(Debug)]
pub struct Failure {
    kind: Kind,
    message: String,
    causes: Vec<String>,
    hints: Vec<String>,
}

impl Failure {
    /// A failure of this kind with a message: a whole sentence without its period.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), causes: Vec::new(), hints: Vec::new() }
    }

    /// A failure of this kind from an error and its chain of sources.
    pub fn from_error(kind: Kind, error: &(dyn Error + 'static)) -> Self {
        let mut failure = Self::new(kind, error.to_string());
        let mut source = error.source();
        while let Some(cause) = source {
            // A full disk is the surroundings' fault, whatever was being done.
            if let Some(io) = cause.downcast_ref::<std::io::Error>() {
                failure.kind = io_kind(io).unwrap_or(failure.kind);
            }
            failure.causes.push(cause.to_string());
            source = cause.source();
        }
        failure
    }

    /// Whether a full disk was met anywhere on the way.
    pub fn met_full_disk(&self) -> bool {
        self.causes.iter().chain([&self.message]).any(|text| text.contains(FULL_DISK))
    }

    /// The same failure with another exit code.
    #[must_use]
    pub fn of_kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    /// Adds what to do about a full disk, if one was met anywhere on the way.
    #[must_use]
    pub fn hint_full_disk(self, disk: &str) -> Self {
        if self.met_full_disk() {
            self.hint(format!("{disk} is full: make room, then run this again"))
        } else {
            self
        }
    }

    /// Adds a line that says what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Writes it to stderr, coloured or not, and gives the exit code.
    pub fn report(&self, colour: bool) -> ExitCode {
        let (red, cyan, plain) = if colour { ("\x1b[1;31m", "\x1b[1;36m", "\x1b[0m") } else { ("", "", "") };
        let label = if self.kind == Kind::Bug { "internal error" } else { "error" };
        eprintln!("{red}{label}:{plain} {}", printable(&self.message));
        for cause in &self.causes {
            eprintln!("  caused by: {}", printable(cause));
        }
        for hint in &self.hints {
            eprintln!("{cyan}hint:{plain} {}", printable(hint));
        }
        ExitCode::from(self.kind as u8)
    }
}

/// What a full disk is called by the system's programs, whose output is all that is known of how they failed.
const FULL_DISK: &str = "No space left on device";

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&printable(&self.message))
    }
}

fn io_kind(error: &std::io::Error) -> Option<Kind> {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    (no_room(error) || matches!(error.kind(), ReadOnlyFilesystem | PermissionDenied))
        .then_some(Kind::Surroundings)
}

/// Whether the disk is full, or this user's share of it.
pub(super) fn no_room(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}

/// What a message quotes (the name of a file, a registry's words) may not steer the terminal.
fn printable(text: &str) -> String {
    let steers = |char: char| char.is_control() && !matches!(char, '\n' | '\t');
    text.chars().map(|char| if steers(char) { char::REPLACEMENT_CHARACTER } else { char }).collect()
}

/// Shows a usage error, a help text or the version as clap words it.
pub fn usage(error: &clap::Error) -> ExitCode {
    let shown = error.print();
    match error.exit_code() {
        0 if shown.is_ok() => ExitCode::SUCCESS,
        _ => ExitCode::from(Kind::Usage as u8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_quoted_steers_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\rc\n\td\u{9b}é"), "a\u{fffd}[2Jb\u{fffd}c\n\td\u{fffd}é");
    }

    #[test]
    fn a_full_disk_is_the_surroundings_fault() {
        let full = std::io::Error::from_raw_os_error(28);
        assert_eq!(io_kind(&full), Some(Kind::Surroundings));
        assert_eq!(io_kind(&std::io::ErrorKind::NotFound.into()), None);
    }
}
