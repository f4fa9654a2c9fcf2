//! What can go wrong with a step, in words.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::base::Digest;
use crate::store::StoreError;

/// A step could not be run, or failed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There are not enough ids to give to a step. Retrying helps once they are there.
    #[error("steps need 65536 user and group ids, and {reason}; {cure}")]
    NoIds {
        /// What is missing.
        reason: String,
        /// How to get it.
        cure: String,
    },
    /// The kernel lets nobody, or not this user, make namespaces. Retrying helps once it does.
    #[error("cannot {doing}: {}", reasons.join("; "))]
    Forbidden {
        /// What was refused.
        doing: String,
        /// What forbids it, each with its cure.
        reasons: Vec<String>,
        /// The kernel's word.
        source: io::Error,
    },
    /// The jail could not be set up. Retrying helps if the surroundings were at fault.
    #[error("cannot set up the jail for {label}: cannot {doing}")]
    Setup {
        /// The step.
        label: String,
        /// What failed, in words that follow "cannot".
        doing: String,
        /// The kernel's word.
        source: io::Error,
    },
    /// A program could not be started in the jail. Retrying cannot help.
    #[error("cannot {doing} for {label}; is it in the image?")]
    Execute {
        /// The step.
        label: String,
        /// What failed, in words that follow "cannot".
        doing: String,
        /// The kernel's word.
        source: io::Error,
    },
    /// A program failed. Retrying can help only if it met something that changes (memory, disk).
    #[error("{0}")]
    Program(Box<ProgramFailure>),
    /// gander's own code failed in a step. Its sources tell why; retrying helps as little as there.
    #[error("{label} failed: {message}")]
    Native {
        /// The step.
        label: String,
        /// The error.
        message: String,
        /// The number of the system's error among its causes, such as that of a full disk.
        errno: Option<i32>,
        /// What caused it.
        source: Option<Cause>,
    },
    /// A step took too long and was ended with everything it had started. Retrying with a longer
    /// deadline can help.
    #[error("{label} did not end within {} and was killed{}", show(*deadline), Tail(log, tail))]
    Deadline {
        /// The step.
        label: String,
        /// How long it had.
        deadline: Duration,
        /// Where its whole log is.
        log: Option<PathBuf>,
        /// The last of what it said.
        tail: String,
    },
    /// A step did what cannot be carried out exactly with one id. Retrying cannot help; a range of ids can.
    #[error(
        "{label} cannot be carried out with one user id: it {what}; give this user a range of ids (a line in \
         /etc/subuid and /etc/subgid, and newuidmap), or run gander as root{}",
        Tail(log, tail)
    )]
    Inexact {
        /// The step.
        label: String,
        /// What it did, in words that follow "it".
        what: String,
        /// Where its whole log is.
        log: Option<PathBuf>,
        /// The last of what it said.
        tail: String,
    },
    /// The jail went away without a word, by somebody's signal or a bug. Retrying can help.
    #[error("the jail of {label} ended without an answer ({status}){}", Tail(log, tail))]
    Lost {
        /// The step.
        label: String,
        /// How its process ended.
        status: String,
        /// Where its whole log is.
        log: Option<PathBuf>,
        /// The last of what it said.
        tail: String,
    },
    /// Something of the parent's side failed. Retrying helps if the surroundings were at fault.
    #[error("cannot {doing}")]
    Host {
        /// What failed, in words that follow "cannot".
        doing: String,
        /// Why.
        source: io::Error,
    },
    /// A step is for another kind of machine. Retrying cannot help here.
    #[error("{label} is for {platform}, and this machine runs programs of {host}")]
    Platform {
        /// The step.
        label: String,
        /// What it is for.
        platform: String,
        /// What this machine is.
        host: String,
    },
    /// The OCI runtime that steps are to run in is not there. Retrying helps once it is.
    #[error(
        "{name} is not installed; install it (Debian and Fedora: package {name}), or use the embedded runner"
    )]
    NoRuntime {
        /// Its name.
        name: &'static str,
    },
    /// An OCI runtime is to run programs, but there is only one id. Retrying cannot help.
    #[error(
        "{name} runs steps only where they can have 65,536 user ids, and here they have one: only gander itself can run them so"
    )]
    NoRange {
        /// The runtime.
        name: &'static str,
    },
    /// The OCI runtime could not run a step's program. Retrying helps if the surroundings were at fault; the
    /// embedded runner needs less of them.
    #[error("runc could not run {label}: {said}")]
    Runtime {
        /// The step.
        label: String,
        /// The runtime's own words.
        said: String,
    },
    /// A step that is a program has no root to run in: a bug in what planned it.
    #[error("{label} runs a program and names no image")]
    NoRoot {
        /// The step.
        label: String,
    },
    /// The root of an image could not be laid out. Its sources tell why.
    #[error("cannot lay out the root of the image {image}")]
    Root {
        /// The image.
        image: Digest,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store failed. Retrying helps as little or as much as there.
    #[error("cannot {doing} for {label}")]
    Store {
        /// The step.
        label: String,
        /// What failed, in words that follow "cannot".
        doing: String,
        /// Why.
        source: StoreError,
    },
}

/// How a program failed.
#[derive(Debug)]
pub struct ProgramFailure {
    /// The step.
    pub label: String,
    /// Its command line.
    pub argv: Vec<String>,
    /// How it ended.
    pub ended: Ended,
    /// Where its whole log is.
    pub log: Option<PathBuf>,
    /// The last of what it said.
    pub tail: String,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this exit code.
    Exited(i32),
    /// By this signal.
    Signalled(i32),
}

impl Ended {
    /// The exit code that a shell would give it.
    pub fn code(self) -> u8 {
        let code = match self {
            Self::Exited(code) => code & 0xff,
            Self::Signalled(signal) => 128_i32.saturating_add(signal),
        };
        u8::try_from(code).unwrap_or(u8::MAX)
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exited with code {code}"),
            Self::Signalled(9) => f.write_str("was killed by signal 9 (if nobody did that, memory ran out)"),
            Self::Signalled(signal) => write!(f, "was killed by signal {signal}"),
        }
    }
}

impl fmt::Display for ProgramFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed: the program {}", self.label, self.ended)?;
        // A script of many lines would bury what it printed; the log has it whole.
        let short = |word: &String| match word.lines().count() {
            0 | 1 => quote(std::slice::from_ref(word)),
            lines => format!("<script of {lines} lines, at the end of the log>"),
        };
        let words: Vec<_> = self.argv.iter().map(short).collect();
        write!(f, "\n  command: {}{}", words.join(" "), Tail(&self.log, &self.tail))
    }
}

/// The end of a log, as part of a message.
struct Tail<'a>(&'a Option<PathBuf>, &'a str);

impl fmt::Display for Tail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(log) = self.0 {
            write!(f, "\n  full log: {}", log.display())?;
        }
        if self.1.trim().is_empty() {
            return f.write_str("\n  it printed nothing");
        }
        f.write_str("\n  the last of what it printed:")?;
        self.1.trim_end().lines().try_for_each(|line| write!(f, "\n    {line}"))
    }
}

/// A cause, as it came out of a jail.
#[derive(Debug)]
pub struct Cause {
    message: String,
    source: Option<Box<Self>>,
}

impl Cause {
    pub(super) fn chain(messages: impl DoubleEndedIterator<Item = String>) -> Option<Self> {
        messages.rev().fold(None, |source, message| Some(Self { message, source: source.map(Box::new) }))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

fn show(duration: Duration) -> String {
    match duration.as_secs() {
        0 => format!("{} ms", duration.as_millis()),
        seconds @ 1..600 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}

/// A command line as a shell takes it.
pub fn quote(argv: &[String]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(&byte);
    let word = |word: &String| {
        if !word.is_empty() && word.bytes().all(plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        }
    };
    argv.iter().map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn command_lines_are_ready_to_paste() {
        let argv = ["a", "", "b c", "it's", "$HOME", "x=1"].map(String::from);
        assert_eq!(quote(&argv), r"a '' 'b c' 'it'\''s' '$HOME' x=1");
    }

    #[test]
    fn causes_keep_their_order() {
        let cause = Cause::chain(["a", "b"].map(String::from).into_iter()).unwrap();
        assert_eq!((cause.to_string(), cause.source().unwrap().to_string()), ("a".into(), "b".into()));
    }

    #[test]
    fn a_failure_says_all_that_a_person_needs() {
        let failure = ProgramFailure {
            label: "rpmbuild bash".into(),
            argv: vec!["rpmbuild".into(), "-ba".into(), "a b.spec".into()],
            ended: Ended::Exited(2),
            log: Some("/x/log".into()),
            tail: "one\ntwo\n".into(),
        };
        assert_eq!(
            failure.to_string(),
            "rpmbuild bash failed: the program exited with code 2\n  command: rpmbuild -ba 'a b.spec'\n  \
             full log: /x/log\n  the last of what it printed:\n    one\n    two"
        );
        assert_eq!((Ended::Signalled(9).code(), Ended::Exited(300).code()), (137, 44));
    }
}
