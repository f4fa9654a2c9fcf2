//! Private folders that go away with the process that made them.
//!
//! The owner of a scratch folder holds a lock (flock) on it. Whoever opens the store takes those whose lock is
//! free out of the way and removes them. To keep that from a folder that was made but is not locked yet, a
//! lock on the folder above is held shared while making one and exclusively while looking for dead ones.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, FileType, Mode};
use rustix::io::Errno;

use super::error::{At as _, StoreError};
use super::walk::{FOLDER, names, names_in};

const DEAD: &str = "dead-";
static COUNTER: AtomicU64 = AtomicU64::new(0);

/// A private folder, mode 0700, removed when dropped.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    /// Held for its lock.
    _lock: File,
}

impl Scratch {
    pub(super) fn new(tmp: &Path, label: &str) -> Result<Self, StoreError> {
        let above = open_folder(tmp).at("cannot open", tmp)?;
        above.lock_shared().at("cannot lock", tmp)?;
        let label: String = label
            .chars()
            .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' })
            .take(60)
            .collect();
        loop {
            // The counter tells threads apart, the process id processes; a jail's processes have other ids, so
            // a name may be taken.
            let count = COUNTER.fetch_add(1, Ordering::Relaxed);
            let path = tmp.join(format!("run-{}-{count}-{label}", std::process::id()));
            match rustix::fs::mkdir(&path, Mode::from_raw_mode(0o700)) {
                Err(Errno::EXIST) => continue,
                made => made.at("cannot make the folder", &path)?,
            }
            forget_access_lists(&path);
            let lock = open_folder(&path).at("cannot open", &path)?;
            lock.lock().at("cannot lock", &path)?;
            return Ok(Self { path, _lock: lock });
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is removed, or reported, when the store is opened the next time.
        remove_tree(&self.path).ok();
    }
}

/// Access lists that the folder above hands down would become part of every tree that is taken in from here.
fn forget_access_lists(path: &Path) {
    for name in ["system.posix_acl_default", "system.posix_acl_access"] {
        // Mostly there is none, and many file systems know none.
        rustix::fs::removexattr(path, name).ok();
    }
}

fn open_folder(path: &Path) -> io::Result<File> {
    Ok(File::from(rustix::fs::open(path, FOLDER, Mode::empty())?))
}

/// Removes what dead processes left; returns what could not be removed.
pub(super) fn sweep(tmp: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let above = open_folder(tmp).at("cannot open", tmp)?;
    if above.try_lock().is_ok() {
        for name in names_in(&above).at("cannot list", tmp)? {
            // One that lives is locked, whatever else it allows.
            let lock = |folder: OwnedFd| File::from(folder).try_lock().is_ok();
            if !name.to_bytes().starts_with(DEAD.as_bytes())
                && open_writable(above.as_fd(), &name).is_ok_and(lock)
            {
                let count = COUNTER.fetch_add(1, Ordering::Relaxed);
                let out_of_the_way = format!("{DEAD}{}-{count}", std::process::id());
                rustix::fs::renameat(&above, &name, &above, &out_of_the_way).ok();
            }
        }
        drop(above);
    }
    let mut stuck = Vec::new();
    for name in names(tmp).at("cannot list", tmp)? {
        let path = tmp.join(&name);
        if name.as_bytes().starts_with(DEAD.as_bytes()) && remove_tree(&path).is_err() {
            stuck.push(path);
        }
    }
    Ok(stuck)
}

/// Removes a folder (or a file) with all that is in it, also where folders forbid it to their owner, however
/// deep. It follows no symbolic links and leaves no file system. That nothing is there is no error.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::from(Errno::INVAL));
    };
    let parent = match rustix::fs::open(parent, FOLDER, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(()),
        opened => opened?,
    };
    let name = CString::new(name.as_bytes())?;
    let Some(top) = Top::new(&parent, &name)? else { return Ok(()) };
    top.empty()?;
    ignore_missing(rustix::fs::unlinkat(&parent, &name, AtFlags::REMOVEDIR))
}

/// The folder that is being removed, open.
struct Top {
    folder: OwnedFd,
    device: u64,
}

/// At most this many folders are open at once; deeper ones are moved up to the top first.
const DEPTH: usize = 64;

impl Top {
    /// Opens it; none when nothing is there or it was a file, which is gone now.
    fn new(parent: &OwnedFd, name: &CString) -> io::Result<Option<Self>> {
        let stat = match rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(None),
            stat => stat?,
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            ignore_missing(rustix::fs::unlinkat(parent, name, AtFlags::empty()))?;
            return Ok(None);
        }
        Ok(Some(Self { folder: open_writable(parent.as_fd(), name)?, device: stat.st_dev }))
    }

    fn empty(&self) -> io::Result<()> {
        let mut moved = 0_u64;
        loop {
            self.empty_folder(self.folder.as_fd(), 0, &mut moved)?;
            if names_in(&self.folder)?.is_empty() {
                return Ok(());
            }
        }
    }

    fn empty_folder(&self, folder: BorrowedFd<'_>, depth: usize, moved: &mut u64) -> io::Result<()> {
        for name in names_in(folder)? {
            // Most entries are files; a folder says so.
            match rustix::fs::unlinkat(folder, &name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => continue,
                Err(Errno::ISDIR | Errno::PERM) => {}
                Err(error) => return Err(error.into()),
            }
            let below = match open_writable(folder, &name) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                below => below?,
            };
            if rustix::fs::fstat(&below)?.st_dev != self.device {
                return Err(Errno::XDEV.into());
            }
            if depth + 1 == DEPTH {
                drop(below);
                self.move_up(folder, &name, moved)?;
                continue;
            }
            self.empty_folder(below.as_fd(), depth + 1, moved)?;
            ignore_missing(rustix::fs::unlinkat(folder, &name, AtFlags::REMOVEDIR))?;
        }
        Ok(())
    }

    fn move_up(&self, folder: BorrowedFd<'_>, name: &CString, moved: &mut u64) -> io::Result<()> {
        loop {
            *moved += 1;
            let to = format!("gander-deep-{moved}");
            let flags = rustix::fs::RenameFlags::NOREPLACE;
            match rustix::fs::renameat_with(folder, name, &self.folder, &to, flags) {
                Err(Errno::EXIST) => {}
                done => return ignore_missing(done),
            }
        }
    }
}

/// Opens a folder to remove what is in it, and lets its owner do that first where it is forbidden.
fn open_writable(parent: BorrowedFd<'_>, name: &CString) -> io::Result<OwnedFd> {
    let all = Mode::from_raw_mode(0o700);
    let opened = match rustix::fs::openat(parent, name, FOLDER, Mode::empty()) {
        Err(Errno::ACCESS) => {
            // Between the two calls nobody else can put a link here: the folder above is only ours.
            rustix::fs::chmodat(parent, name, all, AtFlags::empty())?;
            rustix::fs::openat(parent, name, FOLDER, Mode::empty())
        }
        opened => opened,
    }?;
    let mode = rustix::fs::fstat(&opened)?.st_mode;
    if mode & 0o700 != 0o700 {
        rustix::fs::fchmod(&opened, all)?;
    }
    Ok(opened)
}

fn ignore_missing(result: rustix::io::Result<()>) -> io::Result<()> {
    match result {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
