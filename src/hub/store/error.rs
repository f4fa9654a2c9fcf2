//! What goes wrong with a hub's own file, and the faults that a hub answers with.

use std::io;
use std::path::PathBuf;

use crate::format::xmlrpc::Fault;

/// A hub cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// Its folder or a file in it cannot be used. A retry may help once the cause is gone.
    #[error("the hub's '{}' cannot be used", path.display())]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The database cannot be read or written. A retry may help once the cause is gone.
    #[error("the hub's database '{}' cannot be used", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// The file is a database of something else. Retrying cannot help.
    #[error("'{}' is no database of a hub", .0.display())]
    Foreign(PathBuf),
    /// What a lock keeps of a hub's answers cannot all be true. Retrying cannot help.
    #[error("what the lock keeps of a hub's answers contradicts itself: {0}")]
    Contradiction(String),
    /// A later gander made it. Retrying cannot help.
    #[error("the hub's database '{}' has schema {found}, and this gander knows up to {known}: use the gander that made it", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The last one known here.
        known: i64,
    },
}

// The numbers of Koji's faults (koji/__init__.py, 1.35).
const UNEXPECTED: i64 = 1;
const GENERIC: i64 = 1000;
const TAG: i64 = 1003;
const NOT_ALLOWED: i64 = 1004;
const OFFLINE: i64 = 1014;
const PARAMETER: i64 = 1019;

/// What Koji calls GenericError: not found, refused by a rule.
pub(crate) fn generic(text: impl Into<String>) -> Fault {
    Fault { code: GENERIC, text: text.into() }
}

/// A tagging that cannot be.
pub(crate) fn tag_error(text: impl Into<String>) -> Fault {
    Fault { code: TAG, text: text.into() }
}

/// The user may not do that.
pub(crate) fn not_allowed(text: impl Into<String>) -> Fault {
    Fault { code: NOT_ALLOWED, text: text.into() }
}

/// An argument of the wrong kind.
pub(crate) fn parameter(text: impl Into<String>) -> Fault {
    Fault { code: PARAMETER, text: text.into() }
}

/// What a Koji hub answers where its own code failed.
pub(crate) fn unexpected(text: impl Into<String>) -> Fault {
    Fault { code: UNEXPECTED, text: text.into() }
}

/// A database that fails is a hub that fails: clients try again where it was only busy.
impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked, DiskFull};
        let code = match error.sqlite_error_code() {
            Some(DatabaseBusy | DatabaseLocked | DiskFull) => OFFLINE,
            _ => UNEXPECTED,
        };
        Self { code, text: format!("the hub's database failed: {error}") }
    }
}
