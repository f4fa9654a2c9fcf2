//! What actions made: action key → digest of the output tree.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;

use super::error::{At as _, StoreError};
use super::objects::place;
use super::tree::Tree;
use super::{Store, record};
use crate::base::Digest;

impl Store {
    pub(super) fn action_path(&self, key: &Digest) -> PathBuf {
        place(&self.folder("actions"), key)
    }

    /// The output tree of an action that was carried out before. There is none when its record is missing or
    /// damaged, or when the tree's manifest or any object in it is missing or has another size: such an action
    /// counts as never done.
    pub fn action(&self, key: &Digest) -> Result<Option<(Digest, Tree)>, StoreError> {
        let Some(digest) = self.recorded(key)? else { return Ok(None) };
        match self.tree(&digest) {
            Ok(tree) => {
                let there =
                    |(digest, size): &(Digest, u64)| self.size(digest).is_ok_and(|found| found == *size);
                let whole = tree.objects().iter().all(there);
                Ok(whole.then_some((digest, tree)))
            }
            Err(error @ StoreError::Io { .. }) => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// Records what an action made. The tree and all of its objects are in the store already.
    pub fn record_action(&self, key: &Digest, tree: &Digest) -> Result<(), StoreError> {
        self.write_whole(&self.action_path(key), &record::write("action", &key.to_string(), &[*tree]))
    }

    /// Forgets what an action made, so that it is carried out again.
    pub fn forget_action(&self, key: &Digest) -> Result<(), StoreError> {
        let path = self.action_path(key);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).at("cannot remove", &path),
            _ => Ok(()),
        }
    }

    /// What the record of an action says, if it is a sound one.
    pub(super) fn recorded(&self, key: &Digest) -> Result<Option<Digest>, StoreError> {
        let path = self.action_path(key);
        let mut bytes = Vec::new();
        match File::open(&path).and_then(|file| file.take(1000).read_to_end(&mut bytes)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.at("cannot read the action record", &path)?,
        };
        let digests = record::read("action", &key.to_string(), &bytes).unwrap_or_default();
        Ok(match digests[..] {
            [tree] => Some(tree),
            _ => None,
        })
    }
}
