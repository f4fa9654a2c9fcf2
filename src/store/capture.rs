//! Taking a folder in as a tree.
//!
//! What a folder holds was made by somebody else, perhaps on purpose to mislead: every name is opened from the
//! open folder above it and never through a symbolic link, and what was opened must be what was looked at. A
//! tree holds files, folders and symbolic links with UTF-8 names; all else is an error that names it.

use std::collections::BTreeMap;
use std::ffi::{CStr, OsStr};
use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};

use super::Store;
use super::attributes::{self, Refusal};
use super::error::{At as _, StoreError};
use super::idmap::IdMap;
use super::tree::{Entry, EntryKind, MAX_DEPTH, Tree};
use super::walk::{FOLDER, names_in};
use crate::base::{RelPath, SourceDate};

/// Takes in what is below a folder: files become objects of the store, owners become those inside the map, and
/// times later than `clamp` become `clamp`. Parts of seconds are dropped, times before 1970 become 1970. Names
/// of one file within the folder become hard links. The manifest itself is not stored: see
/// [`Store::put_tree`].
pub fn capture(store: &Store, dir: &Path, map: &IdMap, clamp: SourceDate) -> Result<Tree, StoreError> {
    let folder = rustix::fs::open(dir, FOLDER, Mode::empty()).at("cannot open the folder", dir)?;
    let mut capture = Capture {
        store,
        top: dir,
        map,
        clamp: clamp.seconds(),
        me: rustix::process::geteuid().as_raw(),
        entries: BTreeMap::new(),
        inodes: BTreeMap::new(),
    };
    capture.folder(folder.as_fd(), None, 0)?;
    Tree::new(capture.entries).map_err(|source| StoreError::NoTree { folder: dir.into(), source })
}

struct Capture<'a> {
    store: &'a Store,
    top: &'a Path,
    map: &'a IdMap,
    clamp: i64,
    /// Who this process is.
    me: u32,
    entries: BTreeMap<RelPath, Entry>,
    /// The first name of each file that has several.
    inodes: BTreeMap<(u64, u64), RelPath>,
}

/// A name on the way, with all that is needed to speak of it.
struct Found<'a> {
    above: BorrowedFd<'a>,
    name: &'a CStr,
    path: RelPath,
    shown: PathBuf,
    stat: Stat,
}

impl Capture<'_> {
    fn folder(
        &mut self,
        folder: BorrowedFd<'_>,
        path: Option<&RelPath>,
        depth: usize,
    ) -> Result<(), StoreError> {
        let shown = path.map_or_else(|| self.top.to_owned(), |path| path.below(self.top));
        if depth >= MAX_DEPTH {
            return Err(StoreError::BadName { path: shown, why: "it lies deeper than 128 folders" });
        }
        for name in names_in(folder).at("cannot list", &shown)? {
            let shown = shown.join(OsStr::from_bytes(name.to_bytes()));
            let path = below(path, &name).ok_or_else(|| StoreError::BadName {
                path: shown.clone(),
                why: "its name is not UTF-8, or too long",
            })?;
            let stat = rustix::fs::statat(folder, &name, AtFlags::SYMLINK_NOFOLLOW);
            let stat = stat.at("cannot look at", &shown)?;
            self.entry(&Found { above: folder, name: &name, path, shown, stat }, depth)?;
        }
        Ok(())
    }

    fn entry(&mut self, found: &Found<'_>, depth: usize) -> Result<(), StoreError> {
        let unsupported = |what| Err(StoreError::Unsupported { path: found.shown.clone(), what });
        match FileType::from_raw_mode(found.stat.st_mode) {
            FileType::RegularFile => self.file(found),
            FileType::Directory => {
                let folder = self.open(found, FOLDER)?;
                let entry = self.describe(found, Some(folder.as_fd()), EntryKind::Directory)?;
                self.entries.insert(found.path.clone(), entry);
                let taken = self.folder(folder.as_fd(), Some(&found.path), depth + 1);
                if self.forbidden(found) {
                    let mode = Mode::from_raw_mode(found.stat.st_mode & 0o7777);
                    rustix::fs::fchmod(&folder, mode).at("cannot set the mode of", &found.shown)?;
                }
                taken
            }
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(found.above, found.name, Vec::new());
                let target = target.at("cannot read the symbolic link", &found.shown)?.into_string();
                let target = target.map_err(|_| StoreError::BadName {
                    path: found.shown.clone(),
                    why: "the text of the symbolic link is not UTF-8",
                })?;
                let entry = self.describe(found, None, EntryKind::Symlink { target })?;
                self.entries.insert(found.path.clone(), entry);
                Ok(())
            }
            FileType::Fifo => unsupported("fifo"),
            FileType::Socket => unsupported("socket"),
            FileType::CharacterDevice | FileType::BlockDevice => unsupported("device"),
            FileType::Unknown => unsupported("file of unknown type"),
        }
    }

    fn file(&mut self, found: &Found<'_>) -> Result<(), StoreError> {
        let inode = (found.stat.st_dev, found.stat.st_ino);
        if let Some((first, entry)) =
            self.inodes.get(&inode).and_then(|first| Some((first, self.entries.get(first)?)))
        {
            let entry = entry.as_link_to(first.clone());
            self.entries.insert(found.path.clone(), entry);
            return Ok(());
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = File::from(self.open(found, flags)?);
        let entry = self.describe(found, Some(file.as_fd()), EntryKind::Directory)?;
        // A file that grows while it is read must not keep us here for ever.
        let expected = u64::try_from(found.stat.st_size).unwrap_or(0);
        let mut bytes = (&file).take(expected.saturating_add(1));
        let (digest, size) = self.store.put_stream(&mut bytes, &found.shown)?;
        if size != expected {
            return Err(StoreError::Changed { path: found.shown.clone() });
        }
        if found.stat.st_nlink > 1 {
            self.inodes.insert(inode, found.path.clone());
        }
        self.entries.insert(found.path.clone(), Entry { kind: EntryKind::File { digest, size }, ..entry });
        Ok(())
    }

    /// Whether its owner, which is this process, forbids himself to read it. Root needs no permission, but
    /// root inside a map may lack the capability.
    fn forbidden(&self, found: &Found<'_>) -> bool {
        let needed =
            if FileType::from_raw_mode(found.stat.st_mode) == FileType::Directory { 0o500 } else { 0o400 };
        found.stat.st_mode & needed != needed && found.stat.st_uid == self.me
    }

    /// Opens what was looked at, and nothing else. What its owner forbids himself to read he allows himself
    /// for that time: a file while it is opened, a folder until all in it is taken in.
    fn open(&self, found: &Found<'_>, flags: OFlags) -> Result<OwnedFd, StoreError> {
        let Found { above, name, shown, stat, .. } = found;
        let mode =
            |bits| rustix::fs::chmodat(above, *name, Mode::from_raw_mode(bits & 0o7777), AtFlags::empty());
        let forbidden = self.forbidden(found);
        if forbidden {
            mode(stat.st_mode | 0o500).at("cannot make readable", shown)?;
        }
        let opened = rustix::fs::openat(above, *name, flags, Mode::empty());
        if forbidden && FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            mode(stat.st_mode).at("cannot set the mode of", shown)?;
        }
        let opened = opened.at("cannot open", shown)?;
        let now = rustix::fs::fstat(&opened).at("cannot look at", shown)?;
        if (now.st_dev, now.st_ino) != (stat.st_dev, stat.st_ino) {
            return Err(StoreError::Changed { path: shown.clone() });
        }
        Ok(opened)
    }

    fn describe(
        &self,
        found: &Found<'_>,
        open: Option<BorrowedFd<'_>>,
        kind: EntryKind,
    ) -> Result<Entry, StoreError> {
        let Found { shown, stat, .. } = found;
        let unmapped = |what, id| StoreError::Unmapped { path: shown.clone(), what, id };
        let xattrs = match open.map(|file| attributes::read(file, self.map)) {
            None => BTreeMap::new(),
            Some(Ok(xattrs)) => xattrs,
            Some(Err(refusal)) => {
                return Err(refused(refusal, "cannot read the extended attributes of", shown));
            }
        };
        let link = matches!(kind, EntryKind::Symlink { .. });
        Ok(Entry {
            mode: if link { 0o777 } else { stat.st_mode & 0o7777 },
            uid: self.map.users.to_inside(stat.st_uid).ok_or_else(|| unmapped("user", stat.st_uid))?,
            gid: self.map.groups.to_inside(stat.st_gid).ok_or_else(|| unmapped("group", stat.st_gid))?,
            mtime: stat.st_mtime.clamp(0, self.clamp),
            xattrs,
            kind,
        })
    }
}

/// What becomes of a refused attribute.
pub(super) fn refused(refusal: Refusal, doing: &'static str, path: &Path) -> StoreError {
    match refusal {
        Refusal::System(error) => StoreError::io(doing, path, error),
        Refusal::Because(why) => StoreError::BadName { path: path.into(), why },
        Refusal::Unmapped(what, id) => StoreError::Unmapped { path: path.into(), what, id },
    }
}

fn below(path: Option<&RelPath>, name: &CStr) -> Option<RelPath> {
    let name = name.to_str().ok()?;
    match path {
        Some(path) => path.join(name).ok(),
        None => RelPath::new(name).ok(),
    }
}
