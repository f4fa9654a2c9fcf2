//! Roots: what garbage collection keeps.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::PathBuf;

use super::error::{At as _, StoreError};
use super::{Store, record, walk};
use crate::base::Digest;

/// Whether a name is short, plain and not hidden.
fn check(name: &str) -> Result<(), StoreError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+@".contains(&byte);
    if matches!(name.len(), 1..=200) && !name.starts_with('.') && name.bytes().all(plain) {
        Ok(())
    } else {
        Err(StoreError::RootName { name: name.escape_debug().take(200).collect() })
    }
}

impl Store {
    fn root_path(&self, name: &str) -> Result<PathBuf, StoreError> {
        check(name)?;
        Ok(self.folder("roots").join(name))
    }

    /// Keeps these digests under a name, in place of what the name kept before. A tree keeps all of its files,
    /// any other object only itself: for an image name its manifest, its config and its layers.
    pub fn set_root(&self, name: &str, digests: &[Digest]) -> Result<(), StoreError> {
        let path = self.root_path(name)?;
        let mut digests = digests.to_vec();
        digests.sort_unstable();
        digests.dedup();
        self.write_whole(&path, &record::write("root", name, &digests))
    }

    /// Forgets a root; says whether there was one.
    pub fn remove_root(&self, name: &str) -> Result<bool, StoreError> {
        let path = self.root_path(name)?;
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error).at("cannot remove the root", &path),
        }
    }

    /// All roots. One that is damaged is an error, since what it keeps is unknown.
    pub fn roots(&self) -> Result<BTreeMap<String, Vec<Digest>>, StoreError> {
        let root = |name: String| match self.read_root(&name)? {
            Some(digests) => Ok((name, digests)),
            None => Err(StoreError::DamagedRoot { name }),
        };
        self.root_names()?.into_iter().map(root).collect()
    }

    pub(super) fn root_names(&self) -> Result<Vec<String>, StoreError> {
        let folder = self.folder("roots");
        let names = walk::names(&folder).at("cannot list", &folder)?;
        Ok(names.iter().map(|name| name.to_string_lossy().into_owned()).collect())
    }

    /// What one root keeps; none if it is damaged.
    pub(super) fn read_root(&self, name: &str) -> Result<Option<Vec<Digest>>, StoreError> {
        let Ok(path) = self.root_path(name) else { return Ok(None) };
        let mut bytes = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(record::MAX_BYTES).read_to_end(&mut bytes));
        read.at("cannot read the root", &path)?;
        Ok(record::read("root", name, &bytes))
    }
}
