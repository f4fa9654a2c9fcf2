//! Puts a finished tree where a person wants it, in one step.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::error::ComposeError;
use super::folder;
use crate::base::Digest;
use crate::store::{Entry, EntryKind, IdMap, Store, Tree, lay_out};

/// The file that tells a compose from any other folder.
pub(super) const COMPOSE_ID: &str = "COMPOSE_ID";

/// Files whose digests stand in other files of a compose.
const LARGE: [&str; 3] = [".rpm", ".iso", ".img"];

/// Refuses a place that holds something which no compose is; called before long work.
pub(super) fn check_place(place: &Path) -> Result<(), ComposeError> {
    // Without a name of its own it cannot be exchanged for another folder.
    if place.file_name().is_none() {
        return Err(ComposeError::NoName(place.into()));
    }
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

/// Lays the tree out beside the place, then exchanges the two. A place that has the tree already is left
/// alone: names, sizes, modes, links and times are compared, and the bytes of all but packages, media and images.
/// Gives whether anything was written.
pub(super) fn deliver(store: &Store, tree: &Tree, place: &Path) -> Result<bool, ComposeError> {
    check_place(place)?;
    let name = place.file_name().ok_or_else(|| ComposeError::NoName(place.into()))?.to_string_lossy();
    let fresh = place.with_file_name(format!(".{name}.new"));
    let failed = |error| ComposeError::write(&fresh, error);
    if let Some(parent) = fresh.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    let _turn = folder::turn(place);
    // A run that was killed may have left one, also when it had done its work already.
    folder::remove(&fresh).map_err(failed)?;
    if is_there(store, tree, place) {
        finish_root(place, tree.newest()).map_err(|error| ComposeError::write(place, error))?;
        return Ok(false);
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

fn is_there(store: &Store, tree: &Tree, place: &Path) -> bool {
    let entries = tree.entries();
    // What is cheap to see comes first.
    entries.iter().all(|(path, entry)| same(entry, &path.below(place)))
        && count(place) == Some(entries.len())
        && entries.iter().all(|(path, entry)| match &entry.kind {
            // One that is another shows in repodata, CHECKSUM or .treeinfo, and reading all of them takes long.
            EntryKind::File { .. } if LARGE.iter().any(|end| path.as_str().ends_with(end)) => true,
            EntryKind::File { digest, .. } => same_bytes(store, digest, &path.below(place)),
            _ => true,
        })
}

/// Times and sizes tell nothing of the bytes: a file that was signed anew has the time and may have the size
/// of the one before.
fn same_bytes(store: &Store, digest: &Digest, path: &Path) -> bool {
    let (Ok(mut object), Ok(mut file)) = (store.open_object(digest), fs::File::open(path)) else {
        return false;
    };
    let (mut left, mut right) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let Ok(count) = object.read(&mut left) else { return false };
        let (left, right) = (left.get(..count), right.get_mut(..count));
        let (Some(left), Some(right)) = (left, right) else { return false };
        if count == 0 {
            return file.read(&mut [0]).is_ok_and(|more| more == 0);
        }
        if file.read_exact(right).is_err() || left != right {
            return false;
        }
    }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::base::RelPath;

    fn tree(store: &Store, files: &[(&str, &str)]) -> Tree {
        let entries = files.iter().map(|(name, text)| {
            let (digest, size) = (store.put_bytes(text.as_bytes()).unwrap(), text.len() as u64);
            let kind = EntryKind::File { digest, size };
            let entry = Entry { mode: 0o644, uid: 0, gid: 0, mtime: 9, xattrs: BTreeMap::new(), kind };
            (RelPath::new(*name).unwrap(), entry)
        });
        Tree::new(entries.collect()).unwrap()
    }

    #[test]
    fn what_differs_only_in_content_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let place = folder.path().join("out");
        let first = tree(&store, &[(COMPOSE_ID, "goose-1"), ("repomd.xml.asc", "by one key")]);
        let second = tree(&store, &[(COMPOSE_ID, "goose-1"), ("repomd.xml.asc", "by 2nd key")]);
        for (tree, written) in [(&first, true), (&first, false), (&second, true), (&second, false)] {
            assert_eq!(deliver(&store, tree, &place).unwrap(), written);
        }
        assert_eq!(fs::read(place.join("repomd.xml.asc")).unwrap(), b"by 2nd key");
        assert!(!folder.path().join(".out.new").exists());
    }

    #[test]
    fn places_that_cannot_be_replaced_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("mine"), "").unwrap();
        assert!(matches!(check_place(folder.path()), Err(ComposeError::Occupied(_))));
        for nameless in [".", "..", "/"] {
            assert!(matches!(check_place(Path::new(nameless)), Err(ComposeError::NoName(_))), "{nameless}");
        }
        check_place(&folder.path().join("new")).unwrap();
    }
}
