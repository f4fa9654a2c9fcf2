//! What can go wrong with downloads.

use std::fmt;

use crate::base::Digest;
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
    /// The transfer ended early. Retrying can help.
    #[error("the transfer ended after {received} of {wanted} bytes")]
    Cut {
        /// Bytes that came.
        received: u64,
        /// Bytes that should have come.
        wanted: u64,
    },
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
        matches!(self, Self::Busy(_) | Self::Http(_) | Self::Cut { .. } | Self::Resumed)
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
        if error.is_builder() { Self::Address(chain(&error)) } else { Self::Http(chain(&error)) }
    }
}

impl Failed {
    /// Whether every address answered that it does not have the file.
    pub fn is_gone(&self) -> bool {
        !self.attempts.is_empty()
            && self.attempts.iter().all(|attempt| matches!(attempt.reason, Reason::Gone(_)))
    }
}

impl FetchError {
    /// Files that failed; empty when it was not about files of a list.
    pub fn failed(&self) -> &[Failed] {
        match self {
            Self::Offline(failed) | Self::Failed(failed) => failed,
            Self::Client(_) | Self::Small(_) => &[],
        }
    }

    /// Whether the network or this machine is at fault and not what was asked for.
    pub fn is_surroundings(&self) -> bool {
        match self {
            Self::Client(_) => true,
            Self::Offline(_) => false,
            Self::Failed(failed) => failed
                .iter()
                .flat_map(|file| file.attempts.last())
                .any(|attempt| attempt.reason.is_surroundings()),
            Self::Small(attempt) => attempt.reason.is_surroundings(),
        }
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
fn without_secrets(url: &str) -> String {
    let parts = url.split_once("://").and_then(|(scheme, rest)| {
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Some((scheme, authority.rsplit_once('@')?.1, path))
    });
    parts.map_or_else(|| url.to_owned(), |(scheme, host, path)| format!("{scheme}://{host}{path}"))
}

/// An error and its causes in one line; causes that repeat what was said are left out.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = cause.source();
    }
    text
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
        let attempts: Vec<_> = file.attempts.iter().map(Attempt::to_string).collect();
        let colon = if attempts.is_empty() { "" } else { ": " };
        text.push_str("\n  ");
        text.push_str(&file.label);
        text.push_str(colon);
        text.push_str(&attempts.join("; "));
    }
    text
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
