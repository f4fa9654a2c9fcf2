//! The content-addressed store: objects, trees, results of actions, roots, garbage collection.

use std::path::Path;

/// A store (to be written).
#[derive(Clone, Debug)]
pub struct Store {}

/// What can fail.
#[derive(Debug, thiserror::Error)]
#[error("store")]
pub struct StoreError;

impl Store {
    /// Opens.
    pub fn open(_path: &Path) -> Result<Self, StoreError> {
        Ok(Self {})
    }
}
