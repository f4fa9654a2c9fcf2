//! Why something is no XML-RPC, or not what was expected.

use std::fmt;
use std::io;

/// An XML-RPC message cannot be read or written. Byte offsets count from the beginning of the message, after
/// whatever its transfer did to it (compression) is undone.
#[derive(Debug, thiserror::Error)]
pub enum XmlRpcError {
    /// Reading failed, or what was read is said to be incomplete. A retry may help.
    #[error("reading failed behind byte {at}")]
    Io {
        /// How far it was read.
        at: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The message ends too early. A retry may help.
    #[error("the message ends at byte {at}, inside of an element")]
    Ends {
        /// Its length.
        at: u64,
    },
    /// It is not XML-RPC that gander reads. Retrying cannot help, except where something that stands between sent a page
    /// of its own.
    #[error("this is no XML-RPC, or refused, at byte {at}: {reason}")]
    Syntax {
        /// Where.
        at: u64,
        /// Why.
        reason: String,
    },
    /// It has more of something than is let in. Retrying cannot help; higher [limits](super::Limits) may.
    #[error("the message has more than {most} {what} at byte {at}")]
    Limit {
        /// Where.
        at: u64,
        /// Of what.
        what: &'static str,
        /// The bound.
        most: u64,
    },
    /// It is XML-RPC, but says something else than was asked for. Retrying cannot help.
    #[error("the value {path} at byte {at} is not what it has to be: {reason}")]
    Value {
        /// Where it begins.
        at: u64,
        /// Members and places of arrays (from 0) that lead to it: `[0][7].size`; empty for the outermost.
        path: Path,
        /// What is wrong.
        reason: String,
    },
    /// XML-RPC has no form for a value. Retrying cannot help.
    #[error("XML-RPC has no form for a value: {reason}")]
    Unwritable {
        /// For what.
        reason: String,
    },
}

/// The way to a value inside of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(String);

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "of the message" } else { &self.0 })
    }
}

/// Boxed, so that the many results without an error stay small.
pub(super) type Caught = Box<XmlRpcError>;

/// No value begins here: serde's own errors do not know the place, which is filled in on the way out.
const UNPLACED: u64 = u64::MAX;

impl serde::de::Error for Caught {
    fn custom<T: fmt::Display>(message: T) -> Self {
        let message = message.to_string();
        let reason =
            message.chars().map(|one| if one.is_control() { '\u{fffd}' } else { one }).take(300).collect();
        Self::new(XmlRpcError::Value { at: UNPLACED, path: Path::default(), reason })
    }
}

impl serde::ser::Error for Caught {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(XmlRpcError::Unwritable { reason: message.to_string() })
    }
}

/// Fills in where the value begins, unless an inner one did.
pub(super) fn placed(mut error: Caught, begin: u64) -> Caught {
    if let XmlRpcError::Value { at, .. } = &mut *error
        && *at == UNPLACED
    {
        *at = begin;
    }
    error
}

/// Says that the value is that member of a struct, or that entry of an array.
pub(super) fn inside(mut error: Caught, step: fmt::Arguments<'_>) -> Caught {
    if let XmlRpcError::Value { path, .. } = &mut *error {
        path.0.insert_str(0, &step.to_string());
    }
    error
}
