//! A folder that hostile paths cannot leave: every path is resolved by the kernel as if the folder were
//! `/` (`openat2` with `RESOLVE_IN_ROOT`), and what is created, removed or changed is named by an open
//! parent folder and one component that is never followed.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::{Errno, Result};

use crate::base::RelPath;

/// While a tree is laid out, folders are their owner's only; their real modes are set at the end.
const BUILDING: Mode = Mode::RWXU;
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// An open folder that is the root of all paths.
#[derive(Debug)]
pub struct RootDir {
    root: OwnedFd,
    /// The parent that was used last: entries of a layer mostly follow their siblings.
    parent: Option<(String, OwnedFd)>,
}

impl RootDir {
    /// Creates the folder, which must not exist, and opens it.
    pub fn create(path: &Path) -> Result<Self> {
        rustix::fs::mkdirat(CWD, path, BUILDING)?;
        let root = rustix::fs::open(path, FOLDER | OFlags::NOFOLLOW, Mode::empty())?;
        Ok(Self { root, parent: None })
    }

    /// The folder itself.
    pub fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// Opens a folder, following links in the path inside the root; the last component only if it is one.
    pub fn open_folder(&self, path: &str, last: OFlags) -> Result<OwnedFd> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        loop {
            match rustix::fs::openat2(&self.root, path, FOLDER | last, Mode::empty(), resolve) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                result => return result,
            }
        }
    }

    /// The parent of a path, created with all above it where it is missing; `made` hears of each such
    /// folder.
    pub fn parent(&mut self, path: &RelPath, made: &mut dyn FnMut(&str)) -> Result<BorrowedFd<'_>> {
        let folder = path.as_str().rsplit_once('/').map_or("", |(folder, _)| folder);
        if folder.is_empty() {
            return Ok(self.root.as_fd());
        }
        if self.parent.as_ref().is_none_or(|(last, _)| last != folder) {
            let fd = match self.open_folder(folder, OFlags::empty()) {
                Err(Errno::NOENT) => self.create_folders(folder, made)?,
                result => result?,
            };
            self.parent = Some((folder.into(), fd));
        }
        Ok(self.parent.as_ref().map_or(self.root.as_fd(), |(_, fd)| fd.as_fd()))
    }

    fn create_folders(&self, folder: &str, made: &mut dyn FnMut(&str)) -> Result<OwnedFd> {
        let ends = folder.match_indices('/').map(|(at, _)| at).chain([folder.len()]);
        let mut above = None::<OwnedFd>;
        let mut start = 0;
        for end in ends {
            let (path, name) =
                (folder.get(..end).unwrap_or_default(), folder.get(start..end).unwrap_or_default());
            start = end + 1;
            let fd = match self.open_folder(path, OFlags::empty()) {
                Err(Errno::NOENT) => {
                    let parent = above.as_ref().map_or(self.root.as_fd(), AsFd::as_fd);
                    // A link that leads nowhere is found here: it exists, yet does not open.
                    rustix::fs::mkdirat(parent, name, BUILDING)?;
                    made(path);
                    rustix::fs::openat(parent, name, FOLDER | OFlags::NOFOLLOW, Mode::empty())?
                }
                result => result?,
            };
            above = Some(fd);
        }
        above.ok_or(Errno::NOENT)
    }

    /// Removes whatever has this name, with all below it; tells whether there was something.
    pub fn remove(&mut self, path: &RelPath) -> Result<bool> {
        // The parent that is held open may be below what goes.
        self.parent = None;
        let folder = path.as_str().rsplit_once('/').map_or("", |(folder, _)| folder);
        if folder.is_empty() {
            return remove(self.root.as_fd(), path.file_name());
        }
        match self.open_folder(folder, OFlags::empty()) {
            Ok(parent) => remove(parent.as_fd(), path.file_name()),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The names in a folder, none if it does not exist.
    pub fn list(&self, folder: &str) -> Result<Vec<String>> {
        let fd = if folder.is_empty() {
            self.open_folder(".", OFlags::empty())
        } else {
            self.open_folder(folder, OFlags::NOFOLLOW)
        };
        match fd {
            Ok(fd) => names(fd.as_fd()),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

/// Whether this name is a folder, and no link to one; none if it does not exist.
pub fn is_folder(parent: BorrowedFd<'_>, name: &str) -> Result<Option<bool>> {
    match rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode) == FileType::Directory)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes a folder under a name that is free.
pub fn make_folder(parent: BorrowedFd<'_>, name: &str) -> Result<()> {
    rustix::fs::mkdirat(parent, name, BUILDING)
}

fn remove(parent: BorrowedFd<'_>, name: &str) -> Result<bool> {
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) => return Ok(true),
        Err(Errno::NOENT) => return Ok(false),
        // Linux says EISDIR; POSIX has EPERM.
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(error) => return Err(error),
    }
    let folder = rustix::fs::openat(parent, name, FOLDER | OFlags::NOFOLLOW, Mode::empty())?;
    for below in names(folder.as_fd())? {
        remove(folder.as_fd(), &below)?;
    }
    rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)?;
    Ok(true)
}

fn names(folder: BorrowedFd<'_>) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name: &CStr = entry.file_name();
        // Every name here was made from text.
        let name = name.to_str().map_err(|_| Errno::ILSEQ)?;
        if name != "." && name != ".." {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}
