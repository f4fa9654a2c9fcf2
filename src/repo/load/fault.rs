//! What can be wrong with metadata.

use std::fmt;
use std::io;

use crate::base::chain;
use crate::fetch::FetchError;
use crate::format::repodata::Checksum;

/// Something that is wrong with a file of the metadata. Reading it again cannot help.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The file, from the repository's folder.
    pub file: String,
    /// What is wrong.
    pub what: What,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// It is not there.
    Missing,
    /// It has another size.
    Size {
        /// What was stated.
        stated: u64,
        /// What is there.
        found: u64,
    },
    /// It has another checksum than this.
    Checksum(Checksum),
    /// It is stated by a checksum that verifies nothing.
    Weak(Checksum),
    /// It is stated by a checksum that the store does not know files by.
    Foreign(Checksum),
    /// `repomd.xml` names no list of this kind.
    NoList(&'static str),
    /// It cannot be read.
    Unreadable(String),
}

impl Fault {
    /// A fault of a file.
    pub fn new(file: &str, what: What) -> Self {
        Self { file: file.to_owned(), what }
    }

    /// What an error of the file system says about a file; the error itself, where trying again may help.
    pub(in super::super) fn of_io(file: &str, error: io::Error) -> Result<Self, LoadError> {
        use io::ErrorKind as K;
        let what = match error.kind() {
            K::NotFound | K::NotADirectory => What::Missing,
            K::IsADirectory | K::InvalidInput | K::FileTooLarge | K::InvalidData | K::InvalidFilename => {
                What::Unreadable(chain(&error))
            }
            _ => return Err(LoadError::Io { file: file.to_owned(), source: error }),
        };
        Ok(Self::new(file, what))
    }

    /// Its code.
    pub fn code(&self) -> &'static str {
        match self.what {
            What::Missing => "metadata-missing",
            What::Size { .. } => "metadata-size",
            What::Checksum(_) => "metadata-checksum",
            What::Weak(_) | What::Foreign(_) => "metadata-unverifiable",
            What::NoList(_) => "metadata-no-list",
            What::Unreadable(_) => "metadata-unreadable",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.what)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("it is not there"),
            Self::Size { stated, found } => write!(f, "it has {found} bytes instead of {stated}"),
            Self::Checksum(stated) => write!(f, "it does not have the checksum {stated}"),
            Self::Weak(stated) => write!(f, "it cannot be verified: nothing is by the checksum {stated}"),
            Self::Foreign(stated) => write!(
                f,
                "it is named by a checksum of type {}; from an address only what is named by sha256 is read",
                stated.kind()
            ),
            Self::NoList(list) => write!(f, "it names no list '{list}'"),
            Self::Unreadable(reason) => write!(f, "it cannot be read: {reason}"),
        }
    }
}

/// A repository could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file cannot be read now. A retry may help once the cause is gone.
    #[error("'{file}' cannot be read")]
    Io {
        /// The file.
        file: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The network failed. Whether a retry can help is the business of the [`FetchError`].
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// It is named in a way that is not understood. Retrying cannot help.
    #[error(
        "'{0}' names no repository: expected a folder, or an address that begins with file:, http: or https:"
    )]
    Address(String),
}
