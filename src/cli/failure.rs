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
        eprintln!("{red}{label}:{plain} {}", harmless(&self.message));
        for cause in &self.causes {
            eprintln!("  caused by: {}", harmless(cause).replace('\n', "\n  "));
        }
        for hint in &self.hints {
            eprintln!("{cyan}hint:{plain} {}", harmless(hint));
        }
        ExitCode::from(self.kind as u8)
    }
}

/// What comes from outside may be in a message; it may not steer the terminal.
fn harmless(text: &str) -> String {
    let show = |char: char| match char {
        '\n' | '\t' => String::from(char),
        char if char.is_control() => char.escape_default().to_string(),
        char => String::from(char),
    };
    text.chars().map(show).collect()
}

/// What a full disk is called by the system's programs, whose output is all that is known of how they failed.
const FULL_DISK: &str = "No space left on device";

fn io_kind(error: &std::io::Error) -> Option<Kind> {
    use std::io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem | PermissionDenied)
        .then_some(Kind::Surroundings)
}

/// Shows a usage error, a help text or the version as clap words it.
pub fn usage(error: &clap::Error) -> ExitCode {
    let shown = error.print();
    match error.exit_code() {
        0 if shown.is_ok() => ExitCode::SUCCESS,
        _ => ExitCode::from(Kind::Usage as u8),
    }
}
