//! What can go wrong in the store.

use std::io;
use std::path::{Path, PathBuf};

use super::tree::TreeError;
use crate::base::{Digest, RelPath};

/// What can go wrong in the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system refused something. A retry can help once its cause (a full disk, a missing
    /// permission) is gone; nothing half done stays behind.
    #[error("{doing} '{}'", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An object is not in the store. A retry helps after it was fetched or made again.
    #[error("the store has no object {digest}")]
    Missing {
        /// Its name.
        digest: Digest,
    },
    /// An object's bytes are not those of its name. A retry helps after `gander store verify --repair`.
    #[error("the object {digest} in the store is damaged")]
    Damaged {
        /// Its name.
        digest: Digest,
    },
    /// What was written is not what was expected. Retrying with the same bytes cannot help.
    #[error("expected {expected}, but the content is {found}")]
    Unexpected {
        /// What it should have been.
        expected: Digest,
        /// What it is.
        found: Digest,
    },
    /// An object is larger than the caller can take. Retrying cannot help.
    #[error("the object {digest} has {size} bytes, more than the {limit} allowed here")]
    TooLarge {
        /// Its name.
        digest: Digest,
        /// Its size.
        size: u64,
        /// The most that was allowed.
        limit: u64,
    },
    /// A tree manifest is none. Retrying cannot help.
    #[error("{digest} is no usable tree manifest")]
    BadTree {
        /// The manifest.
        digest: Digest,
        /// What is wrong with it.
        source: TreeError,
    },
    /// A folder cannot be taken in as a tree. Retrying cannot help before the folder changes.
    #[error("the folder '{}' cannot be taken in as a tree", folder.display())]
    NoTree {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with it.
        source: TreeError,
    },
    /// A name in a folder to be taken in is not UTF-8 or too long. Retrying cannot help before it changes.
    #[error("'{}' cannot be in a tree: {why}", path.display())]
    BadName {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Something in a folder to be taken in is neither file nor folder nor link. Retrying cannot help before it changes.
    #[error("'{}' is a {what}, which a tree cannot hold", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// A file changed while it was taken in. A retry helps once nobody writes to it.
    #[error("'{}' changed while it was being read", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// A file's owner is outside the id map. Retrying cannot help with this map.
    #[error("'{}' belongs to {what} {id}, which the id map does not cover", path.display())]
    Unmapped {
        /// The file.
        path: PathBuf,
        /// `user` or `group`.
        what: &'static str,
        /// The id.
        id: u32,
    },
    /// A file of a tree must belong to someone to whom this process cannot give it. Retrying as root, or
    /// inside the id map, helps.
    #[error(
        "'{path}' must belong to {uid}:{gid} (user:group of this system), which this process may not arrange"
    )]
    Owner {
        /// The file.
        path: RelPath,
        /// The user.
        uid: u32,
        /// The group.
        gid: u32,
        /// What the system said.
        source: io::Error,
    },
    /// The name of a root cannot be one. Retrying cannot help.
    #[error(
        "'{name}' cannot name a root: use letters, digits and '.', '_', '-', '+', '@', at most 200, and no leading '.'"
    )]
    RootName {
        /// The name.
        name: String,
    },
    /// A root is unreadable, so what it keeps is unknown. A retry helps after it was set again or removed.
    #[error("the root '{name}' is damaged")]
    DamagedRoot {
        /// Its name.
        name: String,
    },
    /// The store was made by a later gander. Retrying cannot help.
    #[error("the store '{}' has version {found}, and this gander knows versions up to 1", root.display())]
    Newer {
        /// The store.
        root: PathBuf,
        /// Its version.
        found: u32,
    },
    /// The folder is no store. Retrying cannot help.
    #[error("'{}' is not a store, and it is not empty either", root.display())]
    NotAStore {
        /// The folder.
        root: PathBuf,
    },
    /// Another process uses the store. A retry helps when it is done.
    #[error("another gander process uses the store '{}'", root.display())]
    Busy {
        /// The store.
        root: PathBuf,
    },
}

impl StoreError {
    /// An I/O error with what was being done.
    pub(super) fn io(doing: &'static str, path: impl Into<PathBuf>, source: impl Into<io::Error>) -> Self {
        Self::Io { doing, path: path.into(), source: source.into() }
    }
}

/// Says what was being done when a call of the operating system failed.
pub(super) trait At<T> {
    fn at(self, doing: &'static str, path: &Path) -> Result<T, StoreError>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, doing: &'static str, path: &Path) -> Result<T, StoreError> {
        self.map_err(|error| StoreError::io(doing, path, error))
    }
}
