//! The content-addressed store: objects, trees, results of actions, roots, garbage collection.
//!
//! # On disk
//!
//! | path | what |
//! |---|---|
//! | `version` | the line `gander-store 1`; a store of a later version is refused |
//! | `lock` | held shared (flock) by every process that uses the store, exclusively while it is cleaned |
//! | `objects/ab/cdef…` | a file named by the SHA-256 of its bytes; mode 0444, time 1 s after 1970 |
//! | `actions/ab/cdef…` | action key → digest of the output tree; text that checks itself |
//! | `roots/NAME` | digests that garbage collection keeps, with all that they need; text that checks itself |
//! | `images/HEX…` | laid-out image roots, each named by the digits of its image manifest; made by the runner |
//! | `tmp/…` | scratch folders, each locked by the process that owns it |
//! | `partial/HEX` | downloads under way, resumed by the next run; made by `fetch/` |
//! | `logs/HEX.log` | logs of steps that failed, by action key; made by the runner |
//! | `repodata/HEX.*` | what is known of the packages of a folder, and their lists; made by `repo/` |
//!
//! Garbage collection empties the last three.
//!
//! # Rules
//!
//! - An object comes into being by rename, complete and with its digest computed from the bytes that were
//!   written. Whoever is killed leaves at most a scratch folder, which the next process to open the store
//!   removes. A full disk leaves nothing.
//! - Objects are not synced: one sync takes as long as some hundred small files (measured: 6 ms against 15 µs). After
//!   a loss of power the usual file systems show a renamed but unsynced file as empty or absent, never as a
//!   part of its length; so an empty object counts as absent, sizes are compared with what manifests say, and
//!   an action whose result is incomplete counts as never done.
//! - Any number of processes may use a store. Writing the same object twice does no harm: the contents are
//!   equal and the later rename wins.
//! - A root, an action record or a manifest is checked whenever it is read; the bytes of an object are
//!   checked by [`Store::read_object`] and [`Store::verify`].
//! - What is alike in all stores: the modes and times of objects tell nothing of when or by whom they were made.

mod actions;
mod attributes;
mod capture;
mod error;
mod gc;
mod idmap;
mod layout;
mod manifest;
mod objects;
mod record;
mod roots;
mod scratch;
mod tree;
mod usage;
mod verify;
mod walk;

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use capture::capture;
pub use error::StoreError;
pub use gc::{GcOptions, GcReport, Removed};
pub use idmap::{Extent, IdMap, IdMapError, Ids};
pub use layout::lay_out;
pub use objects::ObjectWriter;
pub use scratch::{Scratch, remove_tree};
pub use tree::{Entry, EntryKind, Tree, TreeError};
pub use usage::{Usage, UsageReport};
pub use verify::{Fault, VerifyReport};

use error::At as _;

const VERSION: u32 = 1;
const FOLDERS: [&str; 5] = ["objects", "actions", "roots", "images", "tmp"];
/// Folders that others make in a store when they need them, and that nothing depends on.
const PASSING: [&str; 3] = ["partial", "logs", "repodata"];

/// An open store. Clones are cheap and share one lock, which is held while any of them lives.
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    lock: File,
    /// Where this process writes objects before they have a name.
    unfinished: Scratch,
    leftovers: Vec<PathBuf>,
}

impl Store {
    /// Opens the store in this folder, makes it when there is none, and removes what killed processes left.
    /// Waits while another process collects garbage.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(root).at("cannot make the folder of the store", root)?;
        let root = fs::canonicalize(root).at("cannot open the folder of the store", root)?;
        let version = root.join("version");
        match read_short(&version) {
            // Empty after a loss of power.
            Ok(text) if text.is_empty() => begin(&root, &version)?,
            Ok(text) => check_version(&root, &text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => begin(&root, &version)?,
            Err(error) => return Err(error).at("cannot read the version of the store", &version),
        }
        for name in FOLDERS {
            make_folder(&root.join(name))?;
        }
        let path = root.join("lock");
        let lock = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let lock = lock.at("cannot open the lock of the store", &path)?;
        lock.lock_shared().at("cannot lock the store", &path)?;
        let tmp = root.join("tmp");
        let leftovers = scratch::sweep(&tmp)?;
        let unfinished = Scratch::new(&tmp, "objects")?;
        Ok(Self(Arc::new(Inner { root, lock, unfinished, leftovers })))
    }

    /// The folder of the store, as an absolute path without symbolic links.
    pub fn root(&self) -> &Path {
        &self.0.root
    }

    /// The folder where the runner keeps laid-out image roots. Garbage collection removes every entry whose
    /// name does not begin with the 64 digits of a digest that a root keeps.
    pub fn images(&self) -> PathBuf {
        self.0.root.join("images")
    }

    /// A folder in the store for what is only remembered: nothing depends on it, and garbage collection empties it.
    pub fn memory(&self, of: &'static str) -> Result<PathBuf, StoreError> {
        let folder = self.folder(of);
        make_folder(&folder).map(|()| folder)
    }

    /// A private folder below the store, mode 0700, removed when dropped.
    pub fn scratch(&self, label: &str) -> Result<Scratch, StoreError> {
        Scratch::new(&self.0.root.join("tmp"), label)
    }

    /// Scratch folders of killed processes that could not be removed when the store was opened, since what
    /// lies in them belongs to other ids of a map; whoever can enter that map may call [`remove_tree`] on them.
    pub fn leftovers(&self) -> &[PathBuf] {
        &self.0.leftovers
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.0.root.join(name)
    }

    /// Runs something while no other process uses the store. The lock is shared by all clones, so the
    /// caller sees to it that no other thread of this process works with the store meanwhile.
    fn alone<T>(&self, wait: bool, work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let (lock, root) = (&self.0.lock, &self.0.root);
        let path = root.join("lock");
        let locked =
            if wait { lock.lock().at("cannot lock the store", &path) } else { try_lock(lock, &path, root) };
        let result = locked.and_then(|()| work());
        lock.lock_shared().at("cannot lock the store", &path)?;
        result
    }
}

fn try_lock(lock: &File, path: &Path, root: &Path) -> Result<(), StoreError> {
    match lock.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(StoreError::Busy { root: root.into() }),
        Err(TryLockError::Error(error)) => Err(error).at("cannot lock the store", path),
    }
}

fn read_short(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(1000).read_to_string(&mut text)?;
    Ok(text)
}

fn check_version(root: &Path, text: &str) -> Result<(), StoreError> {
    let number = text.strip_prefix("gander-store ").and_then(|rest| rest.trim_end().parse::<u32>().ok());
    match number {
        Some(VERSION) => Ok(()),
        Some(found) if found > VERSION => Err(StoreError::Newer { root: root.into(), found }),
        _ => Err(StoreError::NotAStore { root: root.into() }),
    }
}

/// Makes a new store, but not out of a folder in which something else lies.
fn begin(root: &Path, version: &Path) -> Result<(), StoreError> {
    let mut foreign = walk::names(root).at("cannot list the folder of the store", root)?;
    foreign.retain(|name| {
        let name = name.to_string_lossy();
        !(FOLDERS.contains(&&*name)
            || PASSING.contains(&&*name)
            || name == "lock"
            || name.starts_with("version"))
    });
    if !foreign.is_empty() {
        return Err(StoreError::NotAStore { root: root.into() });
    }
    let temporary = root.join(format!("version.{}", std::process::id()));
    let written = File::create(&temporary).and_then(|mut file| writeln!(file, "gander-store {VERSION}"));
    written.and_then(|()| fs::rename(&temporary, version)).at("cannot make the store", version)
}

/// Makes a folder that everyone may read, whatever the umask; it may be there already.
fn make_folder(path: &Path) -> Result<(), StoreError> {
    match DirBuilder::new().mode(0o755).create(path) {
        Ok(()) => fs::set_permissions(path, fs::Permissions::from_mode(0o755)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
    .at("cannot make the folder", path)
}

#[cfg(test)]
mod tests;
