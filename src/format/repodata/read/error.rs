//! Why metadata cannot be read.

use std::fmt;
use std::io;
use std::sync::Arc;

/// A place in a decompressed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line, from 1.
    pub line: u64,
    /// Bytes before it.
    pub byte: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, byte {}", self.line, self.byte)
    }
}

/// A list of packages cannot be read. Retrying cannot help, except where reading itself failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Reading or decompressing failed, or the content has not the size that was stated. A retry may help where the
    /// cause is a failed read.
    #[error("the list cannot be read or decompressed at {place}")]
    Io {
        /// How far it was read.
        place: Position,
        /// Why.
        #[source]
        source: Arc<io::Error>,
    },
    /// It is not XML that gander reads.
    #[error("the XML is broken or refused at {place}: {reason}")]
    Xml {
        /// Where.
        place: Position,
        /// Why.
        reason: String,
    },
    /// The root element is another one: this is not the list that it is said to be.
    #[error("the list's root element at {place} is not <{expected}>")]
    Root {
        /// Where.
        place: Position,
        /// What it has to be.
        expected: &'static str,
    },
    /// It has more of something than any real list.
    #[error("the list has more than {most} {what} at {place}")]
    TooMany {
        /// Where.
        place: Position,
        /// Of what.
        what: &'static str,
        /// The bound.
        most: usize,
    },
    /// Something that has to be there is not.
    #[error("the {what} is missing in the element at {place}")]
    Missing {
        /// The element.
        place: Position,
        /// What is missing.
        what: &'static str,
    },
    /// Something that can be there only once is there twice, and readers would disagree on which one counts.
    #[error("the {what} at {place} is the package's second one")]
    Twice {
        /// Where.
        place: Position,
        /// What.
        what: &'static str,
    },
    /// A value is refused.
    #[error("the {what} at {place} is refused: '{value}'")]
    Value {
        /// Where.
        place: Position,
        /// What it is.
        what: &'static str,
        /// The value, escaped and shortened.
        value: String,
    },
    /// A package that the list of packages does not have.
    #[error("the package at {place} is not listed in primary")]
    Unlisted {
        /// Where.
        place: Position,
    },
}
