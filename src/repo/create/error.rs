//! Why a repository's metadata cannot be written.

use std::io;
use std::path::{Path, PathBuf};

use crate::base::chain;
use crate::format::comps::CompsError;
use crate::format::repodata::{ReadError, RepomdError};
use crate::rpm::PackageError;

/// The most packages of a repository.
pub(super) const MOST_PACKAGES: usize = 1_000_000;

/// The metadata cannot be written. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// A file cannot be read or written. A retry may help once the cause is gone.
    #[error("{doing} '{}' failed", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What should be a folder is none. Retrying cannot help.
    #[error("'{}' is no folder", .0.display())]
    NoFolder(PathBuf),
    /// Files that are to be in the repository cannot be. Retrying helps only where a file changed meanwhile.
    #[error("{}", list(.0))]
    Problems(Vec<Problem>),
    /// Another process writes the metadata of the same folder. A retry helps when it is done.
    #[error("another process is writing the metadata of '{}'", .0.display())]
    Busy(PathBuf),
    /// There are too many. Retrying cannot help.
    #[error("a repository of more than {MOST_PACKAGES} packages is not supported")]
    TooMany,
    /// The comps file cannot be used. Retrying cannot help.
    #[error("the groups in '{}' cannot be used", path.display())]
    Comps {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: CompsError,
    },
    /// A type of metadata is none. Retrying cannot help.
    #[error(
        "'{0}' is no type of further metadata: expected letters, digits, '-' and '_', and no name of a list"
    )]
    Kind(String),
    /// The metadata that are there cannot be read, and others of them should be kept. Retrying cannot help.
    #[error("the metadata in '{}' cannot be read", path.display())]
    Old {
        /// The repomd.xml.
        path: PathBuf,
        /// Why.
        #[source]
        source: RepomdError,
    },
    /// A file of the metadata that are there, which should be kept, is not what repomd.xml says. Retrying cannot help.
    #[error("the file '{}' is not the one that repomd.xml names", .0.display())]
    OldFile(PathBuf),
    /// A database cannot be written. A retry may help once the cause is gone.
    #[error("writing the database '{}' failed", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// A list that was written is not taken by those who read lists, so no database can be made of it. Retrying cannot
    /// help.
    #[error("no database can be made of the list {list}")]
    Unread {
        /// The list.
        list: &'static str,
        /// Why.
        #[source]
        source: ReadError,
    },
    /// What was remembered of an earlier run is damaged. It is forgotten, and a retry does without.
    #[error("what was remembered of an earlier run is damaged")]
    Memory,
}

/// A file that cannot be in a repository, and why.
#[derive(Debug)]
pub struct Problem {
    /// The file, from the folder of the packages.
    pub path: PathBuf,
    /// Why.
    pub reason: Reason,
}

/// Why a file cannot be in a repository.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// Its name.
    #[error("its path is not UTF-8")]
    NotUtf8,
    /// Where it lies.
    #[error("its path is not below the folder of the packages")]
    Outside,
    /// What it is.
    #[error("it is no regular file")]
    NoFile,
    /// It is said to be there.
    #[error("it is listed, but it is not there")]
    Missing,
    /// A link to nothing.
    #[error("it is a link that leads nowhere")]
    Dangling,
    /// It is being written.
    #[error("it changed while it was read")]
    Changed,
    /// The system.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is no package that can be used.
    #[error("{}", chain(.0))]
    Package(#[from] PackageError),
    /// There is too much of it.
    #[error("what it says about itself has more than 4 GiB")]
    TooLarge,
}

fn list(problems: &[Problem]) -> String {
    let mut text = match problems.len() {
        1 => String::from("a file cannot be in the repository:"),
        count => format!("{count} files cannot be in the repository:"),
    };
    for problem in problems {
        text = format!("{text}\n  {}: {}", problem.path.display(), problem.reason);
    }
    text
}

pub(super) fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CreateError {
    let path = path.to_owned();
    move |source| CreateError::Io { doing, path, source }
}
