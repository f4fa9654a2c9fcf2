//! Configuration files, and secrets that nobody else may read.

use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Bytes of a configuration file.
const LARGEST: u64 = 1 << 20;

/// Why a file cannot be used. Retrying helps only where it could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("the file '{path}' cannot be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is malformed.
    #[error("'{path}' is no {what}: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
        /// Where and why.
        reason: String,
    },
    /// A secret could be read by others.
    #[error("others than its owner may read '{0}'; take that from them with chmod 600")]
    Open(PathBuf),
}

/// Reads a configuration in TOML.
pub fn read<T: serde::de::DeserializeOwned>(path: &Path, what: &'static str) -> Result<T, FileError> {
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(LARGEST).read_to_string(&mut text))
        .map_err(|source| FileError::Read { path: path.into(), source })?;
    toml::from_str(&text).map_err(|error| FileError::Malformed {
        path: path.into(),
        what,
        reason: error.to_string(),
    })
}

/// Refuses a secret that others may read.
pub fn private(path: &Path) -> Result<(), FileError> {
    let metadata = std::fs::metadata(path).map_err(|source| FileError::Read { path: path.into(), source })?;
    match metadata.permissions().mode() & 0o077 {
        0 => Ok(()),
        _ => Err(FileError::Open(path.into())),
    }
}
