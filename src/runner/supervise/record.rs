//! Who owns what: the files whose owners the disk cannot hold.
//!
//! A file is known by its device, its inode number and its time of birth. What is not in the record belongs to
//! root. While the step runs, the record holds each of its files open (in a way that lets nobody read or write):
//! so the number of one that was removed cannot become another's. The time of birth alone does not tell them
//! apart, since clocks of file systems are coarse. A record that can hold no more says so ([`Full`]): what it does
//! not know it would tell wrongly.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Statx, StatxFlags};
use serde::{Deserialize, Serialize};

use crate::base::RelPath;
use crate::store::{Entry, EntryKind, Tree, TreeError};

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
    /// Whether it had no name when it was noted: it may get one yet.
    nameless: bool,
    /// Keeps its number from being given to another file.
    held: Option<OwnedFd>,
}

impl Known {
    fn new(stat: &Statx, owner: Owner, held: Option<OwnedFd>) -> Self {
        let folder = FileType::from_raw_mode(stat.stx_mode.into()) == FileType::Directory;
        Self { owner, folder, nameless: stat.stx_nlink == 0, held }
    }
}

/// All that does not belong to root.
#[derive(Debug, Default)]
pub(in crate::runner) struct Record {
    files: BTreeMap<Key, Known>,
    /// How many folders belong to another group.
    folders_of_groups: usize,
    held: usize,
    /// How many it can hold.
    limit: usize,
    /// When to look again for those that are gone.
    sweep_at: usize,
}

/// Fewer are not swept, unless no more can be held.
const SWEEP: usize = 1024;

/// The record holds as many files as it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "has more than {0} files of other users, which is all that the limit of open files lets gander watch"
)]
pub(super) struct Full(usize);

/// One line of a record that is handed over.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Line {
    key: Key,
    owner: Owner,
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

    /// Notes to whom a file belongs. `file` is a descriptor of its path only, which is held from now on, and `stat`
    /// what it is.
    pub fn set(&mut self, stat: &Statx, owner: Owner, file: OwnedFd) -> Result<(), Full> {
        let key = Key::of(stat);
        drop(self.forget(&key));
        if owner == Owner::ROOT {
            return Ok(());
        }
        if self.held >= self.sweep_at.max(SWEEP).min(self.limit) {
            self.sweep();
        }
        if self.held >= self.limit {
            return Err(Full(self.limit));
        }
        self.held += 1;
        self.insert(key, Known::new(stat, owner, Some(file)));
        Ok(())
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

    /// Lets go of files that have lost their last name. One that the step still has open is kept by the kernel, and
    /// told to be root's from now on.
    fn sweep(&mut self) {
        let gone = |known: &Known| {
            let held = known.held.as_ref().filter(|_| !known.nameless);
            held.is_some_and(|held| rustix::fs::fstat(held).is_ok_and(|stat| stat.st_nlink == 0))
        };
        let dead: Vec<_> = self.files.iter().filter(|(_, known)| gone(known)).map(|(key, _)| *key).collect();
        for key in dead {
            drop(self.forget(&key));
        }
        self.sweep_at = self.held.saturating_mul(2);
    }

    /// Of trees that were laid out as root's. What the step may change is held, `limit` files at most.
    pub fn of(owners: &Owners, limit: usize) -> io::Result<Self> {
        let mut record = Self { limit, ..Self::default() };
        for Laid { path, owner, changes } in &owners.0 {
            let file = hold(CWD, path)?;
            let (key, stat) = look_at(&file)?;
            record.held += usize::from(*changes);
            if record.held > limit {
                return Err(rustix::io::Errno::MFILE.into());
            }
            record.insert(key, Known::new(&stat, *owner, changes.then_some(file)));
        }
        Ok(record)
    }

    /// What it knows, to be handed over.
    pub fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let line = |(key, known): (&Key, &Known)| Line { key: *key, owner: known.owner };
        Ok(serde_json::to_vec(&self.files.iter().map(line).collect::<Vec<_>>())?)
    }

    /// Takes over what was handed to it, for [`Record::apply`].
    pub fn parse(bytes: &[u8]) -> io::Result<Self> {
        let mut record = Self::default();
        for Line { key, owner } in serde_json::from_slice::<Vec<Line>>(bytes)? {
            record.insert(key, Known { owner, folder: false, nameless: false, held: None });
        }
        Ok(record)
    }

    /// The tree that was taken in from here, with its owners.
    pub fn apply(&self, tree: Tree, top: &Path) -> io::Result<Tree> {
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
        Tree::new(entries).map_err(io::Error::other)
    }
}

fn look(path: &Path) -> io::Result<Statx> {
    Ok(rustix::fs::statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, WANTED)?)
}

/// A file that was laid out as root's, and to whom it belongs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Laid {
    path: PathBuf,
    owner: Owner,
    /// Whether the step may change it.
    changes: bool,
}

/// All files of a step that were laid out as root's and are not.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::runner) struct Owners(Vec<Laid>);

impl Owners {
    /// Notes the owners of a tree that was laid out at `top`.
    pub fn add(&mut self, tree: &Tree, top: &Path, changes: bool) {
        // A further name of a file tells nothing new.
        let own = |entry: &Entry| !matches!(entry.kind, EntryKind::HardLink { .. });
        for (path, entry) in tree.entries().iter().filter(|(_, entry)| own(entry)) {
            let owner = Owner { user: entry.uid, group: entry.gid };
            if owner != Owner::ROOT {
                self.0.push(Laid { path: path.below(top), owner, changes });
            }
        }
    }
}

impl Owners {
    /// As [`Owners::parse`] reads it.
    pub fn to_bytes(&self) -> io::Result<Vec<u8>> {
        Ok(serde_json::to_vec(self)?)
    }

    /// Reads what was written.
    pub fn parse(bytes: &[u8]) -> io::Result<Self> {
        Ok(serde_json::from_slice(bytes)?)
    }
}

/// A path of a tree whose access list names another id than root's, and that id.
pub(in crate::runner) fn other_list(tree: &Tree) -> Option<(&RelPath, u32)> {
    let lists =
        |entry: &Entry| ACCESS_LISTS.iter().find_map(|name| other_id(entry.xattrs.get(*name)?.as_slice()));
    tree.entries().iter().find_map(|(path, entry)| Some((path, lists(entry)?)))
}

/// The attributes that are access lists.
pub(super) const ACCESS_LISTS: [&str; 2] = ["system.posix_acl_access", "system.posix_acl_default"];

/// The first id of an access list that is not root's.
pub(super) fn other_id(value: &[u8]) -> Option<u32> {
    const USER: u16 = 2;
    const GROUP: u16 = 8;
    value.get(4..)?.chunks_exact(8).find_map(|entry| {
        let tag = u16::from_le_bytes(*entry.first_chunk()?);
        let id = u32::from_le_bytes(*entry.get(4..)?.first_chunk()?);
        (matches!(tag, USER | GROUP) && id != 0).then_some(id)
    })
}

/// The tree that was taken in from `top`, with the owners that are written in a file.
pub(in crate::runner) fn owned(tree: Tree, top: &Path, owners: &Path) -> io::Result<Tree> {
    Record::parse(&std::fs::read(owners)?)?.apply(tree, top)
}

/// The same tree as root's throughout. Access lists stay: laying one out that names other ids fails, as it
/// should.
pub(in crate::runner) fn flatten(tree: Tree) -> Result<Tree, TreeError> {
    let mut entries = tree.into_entries();
    for entry in entries.values_mut() {
        (entry.uid, entry.gid) = (0, 0);
    }
    Tree::new(entries)
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

    const GOOSE: Owner = Owner { user: 5, group: 6 };

    fn record(limit: usize) -> Record {
        Record { limit, ..Record::default() }
    }

    #[test]
    fn a_number_that_is_used_again_is_another_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let mut record = record(1000);
        let mut inodes = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let (key, stat) = look_at(File::create(&path).unwrap()).unwrap();
            assert_eq!(record.get(&key), None);
            inodes.insert(key.inode);
            let held = hold(File::open(folder.path()).unwrap(), c"f").unwrap();
            record.set(&stat, GOOSE, held).unwrap();
            assert_eq!(record.get(&key), Some(GOOSE));
            std::fs::remove_file(&path).unwrap();
        }
        assert_eq!(inodes.len(), 200, "a held file's number was given away");
    }

    #[test]
    fn what_is_gone_is_let_go() {
        let folder = tempfile::tempdir().unwrap();
        for limit in [SWEEP * 9, 10] {
            let mut record = record(limit);
            for index in 0..limit.min(SWEEP) * 3 {
                let path = folder.path().join(index.to_string());
                File::create(&path).unwrap();
                let file = hold(CWD, &path).unwrap();
                record.set(&look_at(&file).unwrap().1, GOOSE, file).unwrap();
                std::fs::remove_file(&path).unwrap();
            }
            assert!(record.held <= SWEEP.min(limit) + 1, "{}", record.held);
        }
    }

    #[test]
    fn what_cannot_be_held_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = |index: usize| folder.path().join(index.to_string());
        let mut record = record(2);
        let mut set = |index: usize| {
            File::create(path(index)).unwrap();
            let file = hold(CWD, path(index)).unwrap();
            record.set(&look_at(&file).unwrap().1, GOOSE, file)
        };
        assert_eq!([set(0), set(1), set(1), set(2)], [Ok(()), Ok(()), Ok(()), Err(Full(2))]);
        std::fs::remove_file(path(1)).unwrap();
        assert_eq!(set(2), Ok(()));
        let laid = |index| Laid { path: path(index), owner: GOOSE, changes: true };
        assert!(Record::of(&Owners(vec![laid(0)]), 1).is_ok());
        assert!(Record::of(&Owners(vec![laid(0), laid(2)]), 1).is_err());
    }

    #[test]
    fn what_may_get_a_name_yet_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let file = rustix::fs::open(folder.path(), flags, Mode::from_raw_mode(0o600)).unwrap();
        let (key, stat) = look_at(&file).unwrap();
        let mut record = record(1);
        record.set(&stat, GOOSE, file).unwrap();
        record.sweep();
        assert_eq!(record.get(&key), Some(GOOSE));
    }

    #[test]
    fn what_goes_back_to_root_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let open = || hold(CWD, folder.path()).unwrap();
        let (_, stat) = look_at(open()).unwrap();
        let mut record = record(1);
        record.set(&stat, GOOSE, open()).unwrap();
        assert!(record.hands_down_groups());
        record.set(&stat, Owner { user: 5, group: 0 }, open()).unwrap();
        assert!(!record.hands_down_groups() && !record.is_empty());
        record.set(&stat, Owner::ROOT, open()).unwrap();
        assert!(record.is_empty());
    }

    #[test]
    fn a_record_survives_being_handed_over() {
        let folder = tempfile::tempdir().unwrap();
        let open = hold(CWD, folder.path()).unwrap();
        let (key, stat) = look_at(&open).unwrap();
        let mut record = record(1);
        record.set(&stat, GOOSE, open).unwrap();
        let bytes = record.to_bytes().unwrap();
        assert_eq!(Record::parse(&bytes).unwrap().get(&key), Some(GOOSE));
        assert!(Record::parse(b"[1]").is_err());
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
        let flat = flatten(tree.clone()).unwrap();
        assert!(flat.entries().values().all(|entry| (entry.uid, entry.gid) == (0, 0)));
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path();
        std::fs::create_dir(top.join("d")).unwrap();
        std::fs::create_dir(top.join("r")).unwrap();
        std::fs::write(top.join("d/f"), "x").unwrap();
        std::fs::hard_link(top.join("d/f"), top.join("d/g")).unwrap();
        std::os::unix::fs::symlink("x", top.join("d/l")).unwrap();
        for changes in [false, true] {
            let mut owners = Owners::default();
            owners.add(&tree, top, changes);
            assert_eq!(owners.0.len(), 3);
            let record = Record::of(&owners, 3).unwrap();
            assert!(record.hands_down_groups());
            assert_eq!(record.held, if changes { 3 } else { 0 });
            assert_eq!(record.apply(flat.clone(), top).unwrap(), tree);
        }
    }

    #[test]
    fn access_lists_of_others_are_noticed() {
        let entry = |tag: u16, id: u32| {
            let mut bytes = tag.to_le_bytes().to_vec();
            bytes.extend(7_u16.to_le_bytes());
            bytes.extend(id.to_le_bytes());
            bytes
        };
        let list = |entries: &[Vec<u8>]| [&[2, 0, 0, 0], entries.concat().as_slice()].concat();
        let none = u32::MAX;
        assert_eq!(other_id(&list(&[entry(1, none), entry(4, none), entry(32, none)])), None);
        assert_eq!(other_id(&list(&[entry(1, none), entry(2, 0), entry(8, 12)])), Some(12));
        assert_eq!(other_id(&list(&[entry(1, none), entry(2, 5), entry(16, none)])), Some(5));
        assert_eq!(other_id(&[]), None);
        assert_eq!(other_id(&[2, 0, 0, 0, 2, 0]), None);
    }
}
