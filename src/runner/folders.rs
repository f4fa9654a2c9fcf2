//! Folders whose files belong to the ids of the map: laid out, taken in, removed.
//!
//! Root does all of it from outside. An ordinary user cannot touch what belongs to other ids than his own, so an
//! errand inside of the map does that for him (`within.rs`); both give the same owners, modes and capabilities.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::error::{Ended, RunError};
use super::host::{Done, Job, Output, host};
use super::ids::{Ids, Writer};
use super::request::Errand;
use super::roots;
use super::supervise::{self, Owners};
use crate::base::{Digest, RelPath, SourceDate};
use crate::store::{Entry, EntryKind, IdMap, Scratch, Store, StoreError, Tree, TreeError};

/// How the root of an image is laid out at a path where nothing is, with the mount points of a jail.
pub type LayOut =
    Arc<dyn Fn(&Store, &Digest, &Path, &IdMap) -> Result<(), Box<dyn Error + Send + Sync>> + Send + Sync>;

/// How long an errand may take.
const DEADLINE: Duration = Duration::from_secs(3600);

/// Who lays out, takes in and removes.
pub(super) struct Folders {
    pub store: Store,
    pub gander: PathBuf,
    pub ids: Ids,
    pub map: IdMap,
    pub image: LayOut,
}

/// What a tree is laid out for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// To be a step's root: with the mount points of a jail.
    Root,
    /// To be what the step starts from, and changes.
    Base,
    /// To be its input of this name.
    Input(&'a RelPath),
}

impl Place<'_> {
    fn doing(self) -> String {
        match self {
            Self::Root => "lay out the root".into(),
            Self::Base => "lay out the tree that it starts from".into(),
            Self::Input(name) => format!("stage the input '{name}'"),
        }
    }
}

impl Folders {
    /// The root of an image, laid out once for all steps.
    pub fn image_root(&self, image: &Digest) -> Result<PathBuf, RunError> {
        roots::root(&self.store, image, &self.ids, |dest| {
            let plain = (self.image)(&self.store, image, dest, &self.map);
            match (plain, self.ids.helped()) {
                (Err(_), true) => {
                    self.remove(dest)?;
                    let label = format!("the root of the image {image}");
                    let (store, dest) = (self.store.root().to_owned(), dest.to_owned());
                    self.lay_out_within(
                        &label,
                        Errand::LayOut { store, image: *image, dest: dest.clone() },
                        &dest,
                    )
                }
                (plain, _) => plain.map_err(|source| RunError::Root { image: *image, source }),
            }
        })
    }

    /// Lays out a tree where nothing is. Where the map has one id all of it is root's on the disk, and `owners`
    /// learns what is not in truth.
    pub fn tree(
        &self,
        label: &str,
        tree: &Digest,
        dest: &Path,
        place: Place<'_>,
        owners: &mut Owners,
    ) -> Result<(), RunError> {
        let failed = |source| RunError::Store { label: label.into(), doing: place.doing(), source };
        let none = |source| failed(StoreError::NoTree { folder: dest.into(), source });
        let mut content = self.store.tree(tree).map_err(failed)?;
        let as_root = place == Place::Root;
        if self.ids.writer == Writer::Single {
            if let Some((path, id)) = supervise::other_list(&content) {
                let what =
                    format!("has the tree {tree}, in which the access list of '{path}' names the id {id}");
                return Err(RunError::Inexact { label: label.into(), what, log: None, tail: String::new() });
            }
            owners.add(&content, dest, place == Place::Base);
            content = supervise::flatten(content).map_err(none)?;
        }
        if self.ids.helped() && !ordinary(&content) {
            let (store, dest) = (self.store.root().to_owned(), dest.to_owned());
            let errand = Errand::Tree { store, tree: *tree, dest: dest.clone(), as_root };
            return self.lay_out_within(label, errand, &dest);
        }
        if as_root {
            content = with_mount_points(content).map_err(none)?;
        }
        crate::store::lay_out(&self.store, &content, dest, &self.map).map_err(failed)
    }

    fn lay_out_within(&self, label: &str, errand: Errand, dest: &Path) -> Result<(), RunError> {
        let failed = match self.errand(label, errand) {
            Ok(Done::Ended(Ended::Exited(0))) => return Ok(()),
            Ok(_) => lost(label, Ended::Exited(1)),
            Err(error) => error,
        };
        // What went wrong first says more; what stays is for the next runner to remove.
        self.remove(dest).ok();
        Err(failed)
    }

    /// Takes a folder in and keeps its manifest; returns the digest of that, and the tree. What a step made that may
    /// change owners is for an ordinary user somebody else's; or, with one id, it is written at `owners`.
    pub fn capture(
        &self,
        output: &Path,
        clamp: SourceDate,
        label: &str,
        foreign: bool,
        owners: Option<&Path>,
    ) -> Result<(Digest, Tree), RunError> {
        let failed =
            |source| RunError::Store { label: label.into(), doing: "take in the output".into(), source };
        let helped = self.ids.helped();
        if !(helped && foreign) {
            let plain = crate::store::capture(&self.store, output, &self.map, clamp);
            if plain.is_ok() || !helped {
                let mut tree = plain.map_err(failed)?;
                if let Some(owners) = owners {
                    tree = supervise::owned(tree, output, owners)
                        .map_err(host(format!("give the output of {label} its owners")))?;
                }
                return Ok((self.store.put_tree(&tree).map_err(failed)?, tree));
            }
        }
        let store = self.store.root().to_owned();
        match self.errand(
            label,
            Errand::Capture { store, folder: output.to_owned(), clamp, owners: owners.map(Path::to_owned) },
        )? {
            Done::Captured(digest) => Ok((digest, self.store.tree(&digest).map_err(failed)?)),
            Done::Ended(ended) => Err(lost(label, ended)),
            Done::Enough | Done::Deadline => Err(lost(label, Ended::Exited(1))),
        }
    }

    /// Does something with the rights of the map's root.
    fn errand(&self, label: &str, errand: Errand) -> Result<Done, RunError> {
        let log = tempfile::tempfile().map_err(host("make a temporary file"))?;
        let output = Output::Log { file: &log, path: None };
        Job { gander: &self.gander, ids: &self.ids, label, deadline: Some(DEADLINE), output }.errand(errand)
    }

    /// Removes a scratch folder, also what in it belongs to other ids.
    pub fn clear(&self, scratch: Scratch) -> Result<(), RunError> {
        for name in super::stage::FOLDERS {
            self.remove(&scratch.path().join(name))?;
        }
        drop(scratch);
        Ok(())
    }

    /// Removes a folder, whoever owns what is in it.
    pub fn remove(&self, path: &Path) -> Result<(), RunError> {
        let removed = crate::store::remove_tree(path);
        match (removed, self.ids.helped()) {
            (Ok(()), _) => Ok(()),
            (Err(_), true) => {
                let label = format!("the removal of '{}'", path.display());
                self.errand(&label, Errand::Remove { folder: path.to_owned() }).map(|_| ())
            }
            (Err(source), false) => {
                Err(RunError::Host { doing: format!("remove '{}'", path.display()), source })
            }
        }
    }
}

/// Whether an ordinary user can lay it out: all of it is his, and nothing needs a right that he does not have.
fn ordinary(tree: &Tree) -> bool {
    tree.entries().values().all(|entry| {
        (entry.uid, entry.gid) == (0, 0) && entry.xattrs.keys().all(|name| name.starts_with("user."))
    })
}

/// A tree with the folders that a jail mounts on, where it has none of these names.
pub(super) fn with_mount_points(tree: Tree) -> Result<Tree, TreeError> {
    let mut entries = tree.into_entries();
    for (name, mode) in crate::oci::MOUNTPOINTS {
        let Ok(path) = RelPath::new(name) else { continue };
        entries.entry(path).or_insert(Entry {
            mode,
            uid: 0,
            gid: 0,
            mtime: 1,
            xattrs: Default::default(),
            kind: EntryKind::Directory,
        });
    }
    Tree::new(entries)
}

pub(super) fn lost(label: &str, ended: Ended) -> RunError {
    RunError::Lost { label: label.into(), status: format!("it {ended}"), log: None, tail: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_gets_the_mount_points_that_it_lacks() {
        let text = b"gander-tree 1\nl\t777\t0\t0\t1\tbuild\tx\nd\t1777\t0\t5\t9\ttmp\n";
        let tree = Tree::parse(text).unwrap();
        assert!(!ordinary(&tree));
        let tree = with_mount_points(tree).unwrap();
        let seen = |name: &str| {
            let entry = tree.get(&RelPath::new(name).unwrap()).unwrap();
            (entry.kind == EntryKind::Directory, entry.mode, entry.gid)
        };
        // What is there stays, also where mounting on it will be refused.
        assert_eq!(
            ["build", "tmp", "proc", "out"].map(seen),
            [(false, 0o777, 0), (true, 0o1777, 5), (true, 0o555, 0), (true, 0o755, 0)]
        );
    }
}
