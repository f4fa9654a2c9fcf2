//! A download under way: a file below the store that outlives the process.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::error::Reason;
use crate::base::{Digest, Hasher};
use crate::store::Store;

/// A partial download, locked by this process.
pub(super) struct Partial {
    path: PathBuf,
    file: File,
    hasher: Hasher,
}

impl Partial {
    /// Opens or makes the partial file of an object, waits until no other process has it, and hashes
    /// what is there.
    pub(super) fn open(store: &Store, digest: &Digest) -> Result<Self, Reason> {
        let folder = store.root().join("partial");
        let path = folder.join(digest.hex());
        let open = || -> io::Result<Self> {
            fs::create_dir_all(&folder)?;
            loop {
                let mut file =
                    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
                file.lock()?;
                // Whoever had the lock before may have finished and removed the file.
                if file.metadata()?.nlink() == 0 {
                    continue;
                }
                let mut hasher = Hasher::new();
                io::copy(&mut file, &mut hasher)?;
                return Ok(Self { path: path.clone(), file, hasher });
            }
        };
        open().map_err(|source| Reason::Write { path: path.display().to_string(), source })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn length(&self) -> u64 {
        self.hasher.length()
    }

    pub(super) fn so_far(&self) -> (Digest, u64) {
        (self.hasher.clone().finish(), self.hasher.length())
    }

    fn checked<T>(&self, result: io::Result<T>) -> Result<T, Reason> {
        result.map_err(|source| Reason::Write { path: self.path.display().to_string(), source })
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), Reason> {
        let written = self.file.write_all(bytes);
        self.checked(written)?;
        self.hasher.update(bytes);
        Ok(())
    }

    /// Throws away what has come.
    pub(super) fn restart(&mut self) -> Result<(), Reason> {
        self.hasher = Hasher::new();
        let emptied = self.file.set_len(0).and_then(|()| self.file.rewind());
        self.checked(emptied)
    }

    /// Removes the file.
    pub(super) fn remove(self) {
        // What is left over is at worst resumed or overwritten by the next run.
        drop(fs::remove_file(&self.path));
    }
}
