//! Puts a finished tree where a person wants it, in one step.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::error::ComposeError;
use super::folder;
use crate::store::{Entry, EntryKind, IdMap, Store, Tree, lay_out};

/// The file that tells a compose from any other folder.
pub(super) const COMPOSE_ID: &str = "COMPOSE_ID";

/// Refuses a place that holds something which no compose is; called before long work.
pub(super) fn check_place(place: &Path) -> Result<(), ComposeError> {
    let occupied = match fs::symlink_metadata(place) {
        Err(_) => false,
        Ok(found) if found.is_dir() => !place.join(COMPOSE_ID).is_file() && !is_empty(place),
        Ok(_) => true,
    };
    if occupied { Err(ComposeError::Occupied(place.into())) } else { Ok(()) }
}

#[allow(clippy::disallowed_methods, reason = "only asked for the presence of any entry")]
fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

/// Lays the tree out beside the place, then exchanges the two. A place that has the tree already, by names,
/// sizes, modes, links and times, is left alone. Gives whether anything was written.
pub(super) fn deliver(store: &Store, tree: &Tree, place: &Path) -> Result<bool, ComposeError> {
    check_place(place)?;
    let name = place.file_name().ok_or_else(|| ComposeError::Occupied(place.into()))?.to_string_lossy();
    let fresh = place.with_file_name(format!(".{name}.new"));
    let failed = |error| ComposeError::write(&fresh, error);
    // A run that was killed may have left one, also when it had done its work already.
    folder::remove(&fresh).map_err(failed)?;
    if is_there(tree, place) {
        return Ok(false);
    }
    if let Some(parent) = fresh.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    if let Err(error) = lay_out(store, tree, &fresh, &IdMap::own()) {
        // What was laid out of it is of no use; the error that stopped it says more than one here.
        drop(folder::remove(&fresh));
        return Err(ComposeError::Deliver { place: place.into(), source: error });
    }
    finish_root(&fresh, tree.newest()).map_err(failed)?;
    folder::replace(&fresh, place)?;
    Ok(true)
}

/// The top folder is no entry of the tree; it gets the mode and time of the others.
fn finish_root(folder: &Path, seconds: i64) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds.unsigned_abs());
    fs::File::open(folder)?.set_modified(time)
}

fn is_there(tree: &Tree, place: &Path) -> bool {
    let entries = tree.entries();
    entries.iter().all(|(path, entry)| same(entry, &path.below(place))) && count(place) == Some(entries.len())
}

fn same(entry: &Entry, path: &Path) -> bool {
    let Ok(found) = fs::symlink_metadata(path) else { return false };
    let kind = match &entry.kind {
        EntryKind::File { size, .. } => found.is_file() && found.len() == *size,
        EntryKind::Directory => found.is_dir(),
        EntryKind::Symlink { target } => fs::read_link(path).is_ok_and(|found| found == Path::new(target)),
        EntryKind::HardLink { .. } => found.is_file(),
    };
    let is_link = matches!(entry.kind, EntryKind::Symlink { .. });
    kind && found.mtime() == entry.mtime && (is_link || found.mode() & 0o7777 == entry.mode)
}

#[allow(clippy::disallowed_methods, reason = "only counted")]
fn count(folder: &Path) -> Option<usize> {
    let mut open: Vec<PathBuf> = vec![folder.into()];
    let mut count = 0;
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).ok()? {
            let entry = entry.ok()?;
            count += 1;
            if entry.file_type().ok()?.is_dir() {
                open.push(entry.path());
            }
        }
    }
    Some(count)
}
