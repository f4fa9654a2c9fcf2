//! What can go wrong with downloads.

use std::fmt;

use crate::base::{Digest, chain};
use crate::store::StoreError;

/// Downloads that failed. Whether a retry can help is the business of each [`Reason`].
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The client cannot be set up. Retrying cannot help.
    #[error("downloads cannot be made: {0}")]
    Client(String),
    /// Files are missing and the network must not be used. Retrying cannot help.
    #[error("{} not in the store, and the network is not used:{}", files(.0), lines(.0))]
    Offline(Vec<Failed>),
    /// Files could not be had; all of them are listed.
    #[error("{} not be downloaded:{}", could(.0), lines(.0))]
    Failed(Vec<Failed>),
    /// A small file could not be had.
    #[error("{0}")]
    Small(Attempt),
    /// A part of a file could not be had.
    #[error("the headers of {label} cannot be read: {}", tried(attempts))]
    Part {
        /// What people call the file.
        label: String,
        /// The failure at each address.
        attempts: Vec<Attempt>,
    },
}

/// One file that could not be had.
#[derive(Debug)]
pub struct Failed {
    /// What people call it.
    pub label: String,
    /// Its digest.
    pub digest: Digest,
    /// The last failure at each address.
    pub attempts: Vec<Attempt>,
}

/// A failure at one address.
#[derive(Debug)]
pub struct Attempt {
    /// The address; empty when no request was made.
    pub url: String,
    /// What went wrong.
    pub reason: Reason,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// The server does not have it. Retrying cannot help.
    #[error("the server does not have it (status {0})")]
    Gone(u16),
    /// The server has troubles of its own. Retrying can help.
    #[error("the server answers with status {0}")]
    Busy(u16),
    /// The server refuses. Retrying cannot help.
    #[error("the server answers with status {0}")]
    Status(u16),
    /// The connection cannot be made, broke, or the server was silent for too long. Retrying can help.
    #[error("{0}")]
    Http(String),
    /// The address is none. Retrying cannot help.
    #[error("the address is not valid: {0}")]
    Address(String),
    /// It sends from one address to the next without end. Retrying cannot help.
    #[error("the server redirects without end")]
    Redirects,
    /// So little comes that it would take for ever. Retrying can help.
    #[error("the server is too slow: {bytes} bytes in {seconds} seconds")]
    Slow {
        /// Bytes that came.
        bytes: u64,
        /// In this many seconds.
        seconds: u64,
    },
    /// A file of this machine is not there. Retrying cannot help.
    #[error("there is no such file")]
    NoFile,
    /// What is there on this machine is a folder, a pipe or a device. Retrying cannot help.
    #[error("it is not a file")]
    NotAFile,
    /// A file of this machine cannot be read. Retrying can help.
    #[error("the file cannot be read: {0}")]
    File(String),
    /// The transfer ended early. Retrying can help.
    #[error("the transfer ended after {received} of {wanted} bytes")]
    Cut {
        /// Bytes that came.
        received: u64,
        /// Bytes that should have come.
        wanted: u64,
    },
    /// The server's file has another size, so it is another file. Retrying can help when a mirror is being updated.
    #[error("the file is another one: it has {found} bytes instead of {wanted}")]
    Size {
        /// Bytes that the server's file has.
        found: u64,
        /// Bytes that it should have.
        wanted: u64,
    },
    /// Another part came than was asked for. Retrying cannot help.
    #[error("the server sends another part of the file than was asked for")]
    OtherRange,
    /// More came than should. Retrying cannot help.
    #[error("the server sends more than {limit} bytes")]
    TooLarge {
        /// The most bytes allowed.
        limit: u64,
    },
    /// What came is something else. Retrying can help when a mirror is being updated.
    #[error("the file is another one: expected {expected}, got {found}")]
    Digest {
        /// The digest wanted.
        expected: Digest,
        /// The digest of what came.
        found: Digest,
    },
    /// A download could not be resumed. Retrying from the start can help.
    #[error("the download could not be resumed")]
    Resumed,
    /// The network must not be used. Retrying cannot help.
    #[error("the network is not used")]
    Offline,
    /// The partial file cannot be written. Retrying can help once there is room.
    #[error("the download cannot be written to '{path}': {source}")]
    Write {
        /// The file.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The store does not take it. Retrying can help once there is room.
    #[error("the store does not take it: {}", chain(.0))]
    Store(#[from] StoreError),
}

impl Reason {
    /// Whether the same request may succeed in a moment.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Busy(_)
                | Self::Http(_)
                | Self::Cut { .. }
                | Self::Resumed
                | Self::Slow { .. }
                | Self::File(_)
        )
    }

    /// Whether it is this machine's fault, so that no other address can help.
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Write { .. } | Self::Store(_))
    }

    /// Whether it is the network's or this machine's fault and not that of what was asked for.
    pub fn is_surroundings(&self) -> bool {
        self.is_transient() || self.is_local()
    }

    pub(super) fn of_status(status: reqwest::StatusCode) -> Result<(), Self> {
        let code = status.as_u16();
        match code {
            200..=299 => Ok(()),
            404 | 410 => Err(Self::Gone(code)),
            408 | 425 | 429 | 500..=599 => Err(Self::Busy(code)),
            _ => Err(Self::Status(code)),
        }
    }
}

impl From<reqwest::Error> for Reason {
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        match error {
            error if error.is_redirect() => Self::Redirects,
            error if error.is_builder() => Self::Address(chain(&error)),
            error => Self::Http(chain(&error)),
        }
    }
}

impl Failed {
    /// Whether every address answered that it does not have the file.
    pub fn is_gone(&self) -> bool {
        !self.attempts.is_empty()
            && self.attempts.iter().all(|attempt| matches!(attempt.reason, Reason::Gone(_) | Reason::NoFile))
    }
}

impl FetchError {
    /// Files that failed; empty when it was not about files of a list.
    pub fn failed(&self) -> &[Failed] {
        match self {
            Self::Offline(failed) | Self::Failed(failed) => failed,
            Self::Client(_) | Self::Small(_) | Self::Part { .. } => &[],
        }
    }

    /// Whether every address answered that it does not have what was asked for.
    pub fn is_gone(&self) -> bool {
        let gone = |attempt: &Attempt| matches!(attempt.reason, Reason::Gone(_) | Reason::NoFile);
        match self {
            Self::Client(_) | Self::Offline(_) => false,
            Self::Failed(failed) => failed.iter().all(Failed::is_gone),
            Self::Small(attempt) => gone(attempt),
            Self::Part { attempts, .. } => attempts.iter().all(gone),
        }
    }

    /// Whether the network or this machine is at fault and not what was asked for: where one address could not be
    /// reached, it may have had what the others lack.
    pub fn is_surroundings(&self) -> bool {
        match self {
            Self::Client(_) => true,
            Self::Offline(_) => false,
            Self::Failed(failed) => {
                failed.iter().flat_map(|file| &file.attempts).any(Attempt::is_surroundings)
            }
            Self::Small(attempt) => attempt.is_surroundings(),
            Self::Part { attempts, .. } => attempts.iter().any(Attempt::is_surroundings),
        }
    }
}

impl Attempt {
    /// Whether the network or this machine is at fault.
    pub fn is_surroundings(&self) -> bool {
        self.reason.is_surroundings()
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.url.as_str() {
            "" => self.reason.fmt(f),
            url => write!(f, "{}: {}", without_secrets(url), self.reason),
        }
    }
}

/// An address without user and password: apt sources may have them, and messages end up in logs.
pub(super) fn without_secrets(url: &str) -> String {
    let parts = url.split_once("://").and_then(|(scheme, rest)| {
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Some((scheme, authority.rsplit_once('@')?.1, path))
    });
    parts.map_or_else(|| url.to_owned(), |(scheme, host, path)| format!("{scheme}://{host}{path}"))
}

fn files(failed: &[Failed]) -> String {
    if failed.len() == 1 { "a file is".into() } else { format!("{} files are", failed.len()) }
}

fn could(failed: &[Failed]) -> String {
    if failed.len() == 1 { "a file could".into() } else { format!("{} files could", failed.len()) }
}

fn lines(failed: &[Failed]) -> String {
    let mut text = String::new();
    for file in failed {
        let attempts = tried(&file.attempts);
        let colon = if attempts.is_empty() { "" } else { ": " };
        text.push_str("\n  ");
        text.push_str(&file.label);
        text.push_str(colon);
        text.push_str(&attempts);
    }
    text
}

fn tried(attempts: &[Attempt]) -> String {
    attempts.iter().map(Attempt::to_string).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_hold_no_secrets() {
        for (url, shown) in [
            ("https://gander:s3cret@mirror.example.org/a/b", "https://mirror.example.org/a/b"),
            ("https://a:b@c@mirror.example.org", "https://mirror.example.org"),
            ("http://mirror.example.org/a@b", "http://mirror.example.org/a@b"),
            ("nonsense", "nonsense"),
        ] {
            let attempt = Attempt { url: url.into(), reason: Reason::Offline };
            assert_eq!(attempt.to_string(), format!("{shown}: the network is not used"));
        }
    }
}
