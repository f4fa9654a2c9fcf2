//! The lock's folder on disk. It is replaced as a whole by one rename, so whoever reads it sees the old
//! or the new one.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::ComposeError;
use crate::lock::Lock;

/// Where the lock of a recipe lies: beside it, with `.lock` in place of `.toml`.
pub fn lock_folder(recipe: &Path) -> PathBuf {
    recipe.with_extension("lock")
}

/// Reads a lock; none if there is no folder.
#[allow(clippy::disallowed_methods, reason = "the files go into a map")]
pub(super) fn read(folder: &Path) -> Result<Option<Lock>, ComposeError> {
    if !folder.is_dir() {
        return Ok(None);
    }
    let mut files = BTreeMap::new();
    for (path, prefix) in [(folder.to_owned(), ""), (folder.join("objects"), "objects/")] {
        let failed = |error| ComposeError::read(&path, error);
        for entry in fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_type().map_err(failed)?.is_file() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let bytes =
                    fs::read(entry.path()).map_err(|error| ComposeError::read(&entry.path(), error))?;
                files.insert(format!("{prefix}{name}"), bytes);
            }
        }
    }
    let lock = Lock::parse(&files).map_err(|source| ComposeError::Lock { path: folder.into(), source })?;
    Ok(Some(lock))
}

/// Writes a lock; a folder that is there is replaced, and left alone when nothing changed.
pub(super) fn write(folder: &Path, lock: &Lock) -> Result<(), ComposeError> {
    let failed = |source| ComposeError::Lock { path: folder.into(), source };
    let files = lock.to_files().map_err(failed)?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let fresh = folder.with_file_name(format!(".{name}.new"));
    let write = |error| ComposeError::write(&fresh, error);
    // A run that was killed may have left one, also when it had done its work already.
    remove(&fresh).map_err(write)?;
    if unchanged(folder, &files) {
        return Ok(());
    }
    if let Err(error) = write_files(&fresh, &files) {
        // What was written of it is of no use; the error that stopped it says more than one here.
        drop(remove(&fresh));
        return Err(error);
    }
    replace(&fresh, folder)
}

fn write_files(folder: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<(), ComposeError> {
    let objects = folder.join("objects");
    fs::create_dir_all(&objects).map_err(|error| ComposeError::write(&objects, error))?;
    for (name, bytes) in files {
        let path = folder.join(name);
        fs::write(&path, bytes).map_err(|error| ComposeError::write(&path, error))?;
    }
    Ok(())
}

fn unchanged(folder: &Path, files: &BTreeMap<String, Vec<u8>>) -> bool {
    let same =
        |(name, bytes): (&String, &Vec<u8>)| fs::read(folder.join(name)).is_ok_and(|old| old == *bytes);
    files.iter().all(same)
        && count(&folder.join("objects")) == files.keys().filter(|name| name.starts_with("objects/")).count()
}

#[allow(clippy::disallowed_methods, reason = "only counted")]
fn count(folder: &Path) -> usize {
    fs::read_dir(folder).map(Iterator::count).unwrap_or(0)
}

/// Puts a new folder in the place of an old one, or where nothing is, in one step; the old one is removed.
pub(super) fn replace(fresh: &Path, place: &Path) -> Result<(), ComposeError> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    let failed = |error| ComposeError::write(place, error);
    if fs::symlink_metadata(place).is_err() {
        return fs::rename(fresh, place).map_err(failed);
    }
    match renameat_with(CWD, fresh, CWD, place, RenameFlags::EXCHANGE) {
        Ok(()) => remove(fresh).map_err(failed),
        // A file system that cannot exchange: a moment without the folder cannot be avoided there.
        Err(_) => {
            let name = place.file_name().unwrap_or_default().to_string_lossy();
            let aside = place.with_file_name(format!(".{name}.old"));
            remove(&aside).map_err(failed)?;
            fs::rename(place, &aside).map_err(failed)?;
            fs::rename(fresh, place).map_err(failed)?;
            remove(&aside).map_err(failed)
        }
    }
}

/// Removes a folder if it is there.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
