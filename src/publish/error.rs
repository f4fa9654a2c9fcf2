//! Why nothing was published.

use std::io;
use std::path::{Path, PathBuf};

/// Why nothing was published. What DEST shows is as before, unless a variant says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// A file or folder cannot be read. A retry may help once the cause is gone.
    #[error("'{}' cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file or folder cannot be written. A retry may help once the cause is gone.
    #[error("'{}' cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The folder is no compose. Retrying cannot help.
    #[error("'{}' is no compose: it has no COMPOSE_ID", .0.display())]
    NoCompose(PathBuf),
    /// The compose is half, damaged, or cannot be served. Retrying cannot help.
    #[error("'{}' is no finished compose:\n  {}", path.display(), problems.join("\n  "))]
    Unfinished {
        /// The compose.
        path: PathBuf,
        /// Everything that is wrong.
        problems: Vec<String>,
    },
    /// Files that clients know by their digests would change under their names. Retrying cannot help.
    #[error("what clients may hold would change under its name:\n  {}", .0.join("\n  "))]
    Conflict(Vec<String>),
    /// The place has something that was not published by this command. Retrying cannot help.
    #[error("'{}' is there and was not made by gander publish", .0.display())]
    Occupied(PathBuf),
    /// The place has no name of its own. Retrying cannot help.
    #[error("'{}' has no name that a release could have", .0.display())]
    NoName(PathBuf),
    /// The release would go into the compose. Retrying cannot help.
    #[error("'{}' lies in the compose", .0.display())]
    Inside(PathBuf),
    /// The compose lies where the release goes. Retrying cannot help.
    #[error("the compose '{}' lies among what is published", .0.display())]
    SamePlace(PathBuf),
    /// Nothing was ever published there. Retrying cannot help.
    #[error("nothing is published as '{}'", .0.display())]
    Nothing(PathBuf),
    /// There is no such earlier release. Retrying cannot help.
    #[error("there is no earlier release {wanted}to go back to; kept are: {kept}")]
    NoRelease {
        /// Its number and a blank, where one was asked for.
        wanted: String,
        /// Those that are there.
        kept: String,
    },
    /// The link was removed. Retrying cannot help.
    #[error("the link '{}' is gone; release {number} was published there", path.display())]
    LinkGone {
        /// The link.
        path: PathBuf,
        /// What it led to.
        number: u32,
    },
    /// The record does not fit itself or what is there. Retrying cannot help.
    #[error("the record '{}' is damaged: {what}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Another one is at work. Retrying helps when it is done.
    #[error("another gander publishes to '{}'", .0.display())]
    Busy(PathBuf),
    /// A file changed while it was read. Retrying helps once nobody writes there.
    #[error("'{}' changed while it was being published", .0.display())]
    Changed(PathBuf),
    /// No time is left that is later than those that were given. Retrying cannot help.
    #[error("there is no later time than those of the release that is there")]
    Time,
}

impl PublishError {
    pub(super) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Read { path, source }
    }

    pub(super) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Write { path, source }
    }
}
