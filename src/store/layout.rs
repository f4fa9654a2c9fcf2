//! Laying a tree out as a folder.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Gid, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, Uid};

use super::Store;
use super::attributes;
use super::capture::refused;
use super::error::{At as _, StoreError};
use super::idmap::IdMap;
use super::tree::{Entry, EntryKind, Tree};
use super::walk::FOLDER;
use crate::base::RelPath;

/// Lays a tree out as a folder that must not be there yet. Owners are those outside the map; where a file has
/// the right ones from the start nothing is changed, so that an ordinary user can lay out what is his. The
/// contents are copies, which may be changed.
///
/// On an error the folder stays, incomplete, for the caller to remove: lay out into a [`super::Scratch`].
pub fn lay_out(store: &Store, tree: &Tree, dest: &Path, map: &IdMap) -> Result<(), StoreError> {
    rustix::fs::mkdir(dest, Mode::from_raw_mode(0o700)).at("cannot make the folder", dest)?;
    for (path, entry) in tree.entries() {
        let to = path.below(dest);
        match &entry.kind {
            EntryKind::Directory => {
                rustix::fs::mkdir(&to, Mode::from_raw_mode(0o700)).at("cannot make the folder", &to)?;
            }

            EntryKind::File { digest, size } => {
                let file =
                    OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let file = rustix::fs::open(&to, file, Mode::from_raw_mode(0o600)).at("cannot make", &to)?;
                let mut file = File::from(file);
                let mut object = store.open_object(digest)?;
                // Copied inside the kernel, without the bytes passing through this process.
                let copied = io::copy(&mut object, &mut file).at("cannot copy an object to", &to)?;
                if copied != *size {
                    return Err(StoreError::Damaged { digest: *digest });
                }
                finish(&file, path, &to, entry, map)?;
            }
            EntryKind::Symlink { target } => {
                rustix::fs::symlink(target.as_str(), &to).at("cannot make the symbolic link", &to)?;
                own_link(path, &to, entry, map)?;
            }
            EntryKind::HardLink { to: first } => {
                rustix::fs::link(first.below(dest), &to).at("cannot make the hard link", &to)?;
            }
        }
    }
    // What is made in a folder changes its time, and its mode may forbid making anything: so folders come last,
    // the deepest first.
    for (path, entry) in tree.entries().iter().rev().filter(|(_, entry)| entry.kind == EntryKind::Directory) {
        finish_folder(path, &path.below(dest), entry, map)?;
    }
    let top = Entry {
        mode: 0o755,
        uid: 0,
        gid: 0,
        mtime: tree.newest(),
        xattrs: BTreeMap::new(),
        kind: EntryKind::Directory,
    };
    let name = dest.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = RelPath::new(name)
        .map_err(|_| StoreError::BadName { path: dest.into(), why: "its name is not UTF-8" })?;
    finish_folder(&name, dest, &top, map)
}

fn finish_folder(path: &RelPath, to: &Path, entry: &Entry, map: &IdMap) -> Result<(), StoreError> {
    let folder = rustix::fs::open(to, FOLDER, Mode::empty()).at("cannot open", to)?;
    finish(&File::from(folder), path, to, entry, map)
}

/// Owner first, since the system takes set-id bits and capabilities away with a change of owner; time last.
fn finish(file: &File, path: &RelPath, to: &Path, entry: &Entry, map: &IdMap) -> Result<(), StoreError> {
    let (uid, gid) = outside(to, entry, map)?;
    let now = rustix::fs::fstat(file).at("cannot look at", to)?;
    if (now.st_uid, now.st_gid) != (uid, gid) {
        let done = rustix::fs::fchown(file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        done.map_err(|error| StoreError::Owner { path: path.clone(), uid, gid, source: error.into() })?;
    }
    let written = attributes::write(file.as_fd(), &entry.xattrs, map);
    written.map_err(|refusal| refused(refusal, "cannot set the extended attributes of", to))?;
    // Every time: the umask took bits away, and an inherited access list may have added some.
    rustix::fs::fchmod(file, Mode::from_raw_mode(entry.mode)).at("cannot set the mode of", to)?;
    rustix::fs::futimens(file, &times(entry)).at("cannot set the time of", to)
}

fn own_link(path: &RelPath, to: &Path, entry: &Entry, map: &IdMap) -> Result<(), StoreError> {
    let (uid, gid) = outside(to, entry, map)?;
    let now = rustix::fs::lstat(to).at("cannot look at", to)?;
    if (now.st_uid, now.st_gid) != (uid, gid) {
        let owner = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        let done = rustix::fs::chownat(CWD, to, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW);
        done.map_err(|error| StoreError::Owner { path: path.clone(), uid, gid, source: error.into() })?;
    }
    rustix::fs::utimensat(CWD, to, &times(entry), AtFlags::SYMLINK_NOFOLLOW).at("cannot set the time of", to)
}

fn outside(to: &Path, entry: &Entry, map: &IdMap) -> Result<(u32, u32), StoreError> {
    let unmapped = |what, id| StoreError::Unmapped { path: to.into(), what, id };
    let uid = map.users.to_outside(entry.uid).ok_or_else(|| unmapped("user", entry.uid))?;
    let gid = map.groups.to_outside(entry.gid).ok_or_else(|| unmapped("group", entry.gid))?;
    Ok((uid, gid))
}

fn times(entry: &Entry) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: entry.mtime, tv_nsec: 0 },
    }
}
