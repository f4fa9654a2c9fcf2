//! The lock's folder on disk. It is replaced as a whole by one rename, so whoever reads it sees the old
//! or the new one.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
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
    recover(folder)?;
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
                let bytes = read_bounded(&entry.path())?;
                files.insert(format!("{prefix}{name}"), bytes);
            }
        }
    }
    let lock = Lock::parse(&files).map_err(|source| ComposeError::Lock { path: folder.into(), source })?;
    Ok(Some(lock))
}

/// More than any file of a lock has: signatures of a distribution for a dozen arches.
const LARGEST: u64 = 1 << 30;

fn read_bounded(path: &Path) -> Result<Vec<u8>, ComposeError> {
    let failed = |error| ComposeError::read(path, error);
    let mut bytes = Vec::new();
    fs::File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > LARGEST {
        return Err(failed(io::Error::new(io::ErrorKind::InvalidData, "it is larger than 1 GiB")));
    }
    Ok(bytes)
}

/// Where the old folder is for a moment on a file system that cannot exchange two.
fn aside(place: &Path) -> PathBuf {
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    place.with_file_name(format!(".{name}.old"))
}

/// Puts a folder back that a run was killed over before it had put the new one in its place.
fn recover(place: &Path) -> Result<(), ComposeError> {
    let aside = aside(place);
    if fs::symlink_metadata(place).is_err() && aside.is_dir() {
        fs::rename(&aside, place).map_err(|error| ComposeError::write(place, error))?;
    }
    Ok(())
}

/// Waits until no other gander replaces a folder beside this one. Where the file system knows no such locks
/// nothing is waited for.
pub(super) fn turn(place: &Path) -> Option<fs::File> {
    let parent = place.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = fs::File::open(parent).ok()?;
    folder.lock().ok().map(|()| folder)
}

/// Where a new folder is made before it takes the place of the old one.
fn fresh(place: &Path) -> PathBuf {
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    place.with_file_name(format!(".{name}.new"))
}

/// Removes what a run left that was killed after it had put a new lock in its place: nothing is to be written then, which
/// would do it. What cannot be removed does no harm.
pub(super) fn tidy(folder: &Path) {
    let fresh = fresh(folder);
    if fresh.is_dir() {
        let _turn = turn(folder);
        drop(remove(&fresh));
    }
}

/// Writes a lock; a folder that is there is replaced, and left alone when nothing changed.
pub(super) fn write(folder: &Path, lock: &Lock) -> Result<(), ComposeError> {
    let failed = |source| ComposeError::Lock { path: folder.into(), source };
    let files = lock.to_files().map_err(failed)?;
    let fresh = fresh(folder);
    let write = |error| ComposeError::write(&fresh, error);
    let _turn = turn(folder);
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
            let aside = aside(place);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_run_left_is_removed() {
        let place = tempfile::tempdir().unwrap();
        let (lock, left) = (place.path().join("a.lock"), place.path().join(".a.lock.new"));
        fs::create_dir_all(left.join("objects")).unwrap();
        tidy(&lock);
        assert!(!left.exists());
        tidy(&lock);
        assert!(!lock.exists());
    }

    #[test]
    fn a_folder_that_was_moved_aside_comes_back() {
        let top = tempfile::tempdir().unwrap();
        let place = top.path().join("goose.lock");
        let write = |folder: &Path, text: &str| {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("lock.toml"), text).unwrap();
        };
        let text = || fs::read_to_string(place.join("lock.toml")).unwrap();
        write(&aside(&place), "old");
        recover(&place).unwrap();
        assert_eq!((text().as_str(), aside(&place).exists()), ("old", false));
        // One that is there is never replaced by what lies aside.
        write(&aside(&place), "older");
        recover(&place).unwrap();
        assert_eq!(text(), "old");
    }

    #[test]
    fn replaces_in_one_step_and_leaves_nothing() {
        let top = tempfile::tempdir().unwrap();
        let (fresh, place) = (top.path().join(".a.new"), top.path().join("a"));
        for text in ["first", "second"] {
            fs::create_dir(&fresh).unwrap();
            fs::write(fresh.join("file"), text).unwrap();
            replace(&fresh, &place).unwrap();
            assert_eq!(fs::read_to_string(place.join("file")).unwrap(), text);
            assert!(!fresh.exists());
        }
    }
}
