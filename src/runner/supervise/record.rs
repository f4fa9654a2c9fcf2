//! Who owns what: the files whose owners the disk cannot hold.
//!
//! A file is known by its device, its inode number and its time of birth. What is not in the record belongs to
//! root. While the step runs, the record holds each of its files open (in a way that lets nobody read or write):
//! so the number of one that was removed cannot become another's. The time of birth alone does not tell them
//! apart, since clocks of file systems are coarse.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Statx, StatxFlags};
use serde::{Deserialize, Serialize};

use crate::store::{EntryKind, Tree, TreeError};

/// A user and a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::runner) struct Owner {
    pub user: u32,
    pub group: u32,
}

impl Owner {
    pub const ROOT: Self = Self { user: 0, group: 0 };
}

/// A file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(in crate::runner) struct Key {
    device: u64,
    inode: u64,
    born: (i64, u32),
}

/// What is looked at.
pub(super) const WANTED: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME);

impl Key {
    pub fn of(stat: &Statx) -> Self {
        let born = match stat.stx_mask & StatxFlags::BTIME.bits() {
            0 => (0, 0),
            _ => (stat.stx_btime.tv_sec, stat.stx_btime.tv_nsec),
        };
        let device = u64::from(stat.stx_dev_major) << 32 | u64::from(stat.stx_dev_minor);
        Self { device, inode: stat.stx_ino, born }
    }
}

/// What is known of one file.
#[derive(Debug)]
struct Known {
    owner: Owner,
    folder: bool,
    /// Keeps its number from being given to another file.
    held: Option<OwnedFd>,
    /// Where it is to be taken hold of.
    at: Option<String>,
}

/// All that does not belong to root.
#[derive(Debug, Default)]
pub(in crate::runner) struct Record {
    files: BTreeMap<Key, Known>,
    /// How many folders belong to another group.
    folders_of_groups: usize,
    held: usize,
    /// When to look again for those that are gone.
    sweep_at: usize,
}

/// Fewer are never swept.
const SWEEP: usize = 1024;

/// One line of a record that is handed over.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Line {
    key: Key,
    owner: Owner,
    folder: bool,
    /// Where the step sees it, if it can change it.
    at: Option<String>,
}

impl Record {
    /// Whether everything belongs to root.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Whether a file could take its group from its folder.
    pub fn hands_down_groups(&self) -> bool {
        self.folders_of_groups > 0
    }

    /// To whom a file belongs that is not root's.
    pub fn get(&self, key: &Key) -> Option<Owner> {
        self.files.get(key).map(|known| known.owner)
    }

    /// Notes to whom a file belongs. `file` is a descriptor of its path only, which is held from now on.
    pub fn set(&mut self, key: Key, owner: Owner, folder: bool, file: OwnedFd) {
        drop(self.forget(&key));
        if owner == Owner::ROOT {
            return;
        }
        if self.held >= self.sweep_at.max(SWEEP) {
            self.sweep();
        }
        self.held += 1;
        self.insert(key, Known { owner, folder, held: Some(file), at: None });
    }

    fn insert(&mut self, key: Key, known: Known) {
        self.folders_of_groups += usize::from(known.folder && known.owner.group != 0);
        self.files.insert(key, known);
    }

    fn forget(&mut self, key: &Key) -> Option<OwnedFd> {
        let known = self.files.remove(key)?;
        self.folders_of_groups -= usize::from(known.folder && known.owner.group != 0);
        self.held -= usize::from(known.held.is_some());
        known.held
    }

    /// Lets go of files that have no name any more and that nobody else has open, as far as can be told: one
    /// that is still open somewhere is kept by the kernel, and is only forgotten.
    fn sweep(&mut self) {
        let gone = |known: &Known| {
            let held = known.held.as_ref();
            held.is_some_and(|held| rustix::fs::fstat(held).is_ok_and(|stat| stat.st_nlink == 0))
        };
        let dead: Vec<_> = self.files.iter().filter(|(_, known)| gone(known)).map(|(key, _)| *key).collect();
        for key in dead {
            drop(self.forget(&key));
        }
        self.sweep_at = self.held.saturating_mul(2);
    }

    /// Takes over what was handed to it.
    pub fn read(mut from: impl Read) -> io::Result<Self> {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes)?;
        let mut record = Self::default();
        if bytes.is_empty() {
            return Ok(record);
        }
        for Line { key, owner, folder, at } in serde_json::from_slice::<Vec<Line>>(&bytes)? {
            let held = match at {
                None => None,
                Some(path) => {
                    let held = hold(CWD, &path)?;
                    if look_at(&held)?.0 != key {
                        return Err(io::Error::other(format!("'{path}' is not the file that was laid out")));
                    }
                    Some(held)
                }
            };
            record.held += usize::from(held.is_some());
            record.insert(key, Known { owner, folder, held, at: None });
        }
        Ok(record)
    }

    /// What it knows, to be handed over.
    pub fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let line = |(key, known): (&Key, &Known)| Line {
            key: *key,
            owner: known.owner,
            folder: known.folder,
            at: known.at.clone(),
        };
        Ok(serde_json::to_vec(&self.files.iter().map(line).collect::<Vec<_>>())?)
    }

    /// Notes the owners of a tree that was laid out at `top` as root's. Where the step may change it, `shown` is
    /// where the step sees it.
    pub fn prime(&mut self, owners: &Owners, top: &Path, shown: Option<&str>) -> io::Result<()> {
        for (path, owner) in &owners.0 {
            let stat = look(&path.below(top))?;
            let folder = FileType::from_raw_mode(stat.stx_mode.into()) == FileType::Directory;
            let at = shown.map(|shown| format!("{shown}/{path}"));
            self.insert(Key::of(&stat), Known { owner: *owner, folder, held: None, at });
        }
        Ok(())
    }

    /// The tree that was taken in from here, with its owners.
    pub fn apply(&self, tree: Tree, top: &Path) -> Result<Tree, Apply> {
        if self.is_empty() {
            return Ok(tree);
        }
        let mut entries = tree.into_entries();
        for (path, entry) in &mut entries {
            let owner = self.get(&Key::of(&look(&path.below(top))?));
            if let Some(Owner { user, group }) = owner {
                (entry.uid, entry.gid) = (user, group);
            }
        }
        Ok(Tree::new(entries)?)
    }
}

/// Why owners cannot be given to a tree.
#[derive(Debug, thiserror::Error)]
pub(in crate::runner) enum Apply {
    /// A file cannot be looked at.
    #[error("a file of the output cannot be looked at")]
    Look(#[from] io::Error),
    /// It would be no tree: a bug.
    #[error("the owners do not fit the output")]
    Tree(#[from] TreeError),
}

fn look(path: &Path) -> io::Result<Statx> {
    Ok(rustix::fs::statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, WANTED)?)
}

/// The owners of a tree that are not root.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(in crate::runner) struct Owners(BTreeMap<crate::base::RelPath, Owner>);

/// The same tree as root's throughout, and what that took away. Access lists stay: laying one out that
/// names other ids fails, as it should.
pub(in crate::runner) fn flatten(tree: Tree) -> Result<(Tree, Owners), TreeError> {
    let mut owners = BTreeMap::new();
    let mut entries = tree.into_entries();
    for (path, entry) in &mut entries {
        let owner = Owner { user: entry.uid, group: entry.gid };
        if owner != Owner::ROOT {
            (entry.uid, entry.gid) = (0, 0);
            // A further name of a file tells nothing new.
            if !matches!(entry.kind, EntryKind::HardLink { .. }) {
                owners.insert(path.clone(), owner);
            }
        }
    }
    Ok((Tree::new(entries)?, Owners(owners)))
}

/// Opens what is at a path, to be held.
pub(super) fn hold(folder: impl AsFd, name: impl rustix::path::Arg) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(folder, name, flags, Mode::empty())
}

/// What is open, and which file that is.
pub(super) fn look_at(file: impl AsFd) -> rustix::io::Result<(Key, Statx)> {
    let stat = rustix::fs::statx(file, c"", AtFlags::EMPTY_PATH, WANTED)?;
    Ok((Key::of(&stat), stat))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs::File;

    use super::*;
    use crate::base::RelPath;
    use crate::store::Entry;

    const GOOSE: Owner = Owner { user: 5, group: 6 };

    #[test]
    fn a_number_that_is_used_again_is_another_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let mut record = Record::default();
        let mut inodes = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let (key, _) = look_at(File::create(&path).unwrap()).unwrap();
            assert_eq!(record.get(&key), None);
            inodes.insert(key.inode);
            let held = hold(File::open(folder.path()).unwrap(), c"f").unwrap();
            record.set(key, GOOSE, false, held);
            assert_eq!(record.get(&key), Some(GOOSE));
            std::fs::remove_file(&path).unwrap();
        }
        assert_eq!(inodes.len(), 200, "a held file's number was given away");
    }

    #[test]
    fn what_is_gone_is_let_go() {
        let folder = tempfile::tempdir().unwrap();
        let mut record = Record::default();
        for index in 0..SWEEP * 3 {
            let path = folder.path().join(index.to_string());
            let file = File::create(&path).unwrap();
            let (key, _) = look_at(&file).unwrap();
            record.set(key, GOOSE, false, hold(CWD, &path).unwrap());
            std::fs::remove_file(&path).unwrap();
        }
        assert!(record.held <= SWEEP + 1, "{}", record.held);
    }

    #[test]
    fn what_goes_back_to_root_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let open = || hold(CWD, folder.path()).unwrap();
        let (key, _) = look_at(open()).unwrap();
        let mut record = Record::default();
        record.set(key, GOOSE, true, open());
        assert!(record.hands_down_groups());
        record.set(key, Owner { user: 5, group: 0 }, true, open());
        assert!(!record.hands_down_groups() && !record.is_empty());
        record.set(key, Owner::ROOT, true, open());
        assert!(record.is_empty());
    }

    #[test]
    fn a_record_survives_being_handed_over() {
        let folder = tempfile::tempdir().unwrap();
        let open = hold(CWD, folder.path()).unwrap();
        let (key, _) = look_at(&open).unwrap();
        let mut record = Record::default();
        record.set(key, GOOSE, true, open);
        let bytes = record.to_bytes().unwrap();
        let read = Record::read(&bytes[..]).unwrap();
        assert_eq!((read.get(&key), read.hands_down_groups()), (Some(GOOSE), true));
        assert!(Record::read(&b""[..]).unwrap().is_empty());
        assert!(Record::read(&b"[1]"[..]).is_err());
    }

    #[test]
    fn a_tree_gives_its_owners_away_and_gets_them_back() {
        let entry = |uid, gid, kind| Entry { mode: 0o777, uid, gid, mtime: 1, xattrs: BTreeMap::new(), kind };
        let path = |text: &str| RelPath::new(text).unwrap();
        let file = EntryKind::File { digest: crate::base::Digest::of("x"), size: 1 };
        let entries = BTreeMap::from([
            (path("d"), entry(0, 12, EntryKind::Directory)),
            (path("d/f"), entry(5, 6, file)),
            (path("d/g"), entry(5, 6, EntryKind::HardLink { to: path("d/f") })),
            (path("d/l"), entry(7, 0, EntryKind::Symlink { target: "x".into() })),
            (path("r"), entry(0, 0, EntryKind::Directory)),
        ]);
        let tree = Tree::new(entries).unwrap();
        let (flat, owners) = flatten(tree.clone()).unwrap();
        assert!(flat.entries().values().all(|entry| (entry.uid, entry.gid) == (0, 0)));
        assert_eq!(owners.0.len(), 3);
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path();
        std::fs::create_dir(top.join("d")).unwrap();
        std::fs::create_dir(top.join("r")).unwrap();
        std::fs::write(top.join("d/f"), "x").unwrap();
        std::fs::hard_link(top.join("d/f"), top.join("d/g")).unwrap();
        std::os::unix::fs::symlink("x", top.join("d/l")).unwrap();
        let mut record = Record::default();
        record.prime(&owners, top, None).unwrap();
        assert!(record.hands_down_groups());
        assert_eq!(record.apply(flat, top).unwrap(), tree);
        let mut record = Record::default();
        record.prime(&owners, top, Some(top.to_str().unwrap())).unwrap();
        assert_eq!(Record::read(&record.to_bytes().unwrap()[..]).unwrap().held, 3);
    }
}
