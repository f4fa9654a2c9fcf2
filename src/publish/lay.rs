//! Lays a release out: hard links where a file is there already, copies where one needs a time of its own.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use super::error::PublishError;
use crate::base::digest::HashingWriter;
use crate::base::{Digest, RelPath, SourceDate};

/// A file of the release to come.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub path: RelPath,
    /// Where it is now.
    pub from: PathBuf,
    /// Whether it may be the same file there and here.
    pub link: bool,
    pub digest: Digest,
    pub size: u64,
    pub mtime: i64,
    pub rank: Rank,
}

/// When a file is laid out: what others name comes before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Carried,
    Fixed,
    Mutable,
    Repomd,
    Signature,
}

/// How files came to be where they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Laid {
    /// Hard links.
    pub linked: usize,
    /// Copies.
    pub copied: usize,
    /// Copies of what should have been links, and why the first of them could not be one.
    pub unlinked: Option<(usize, String)>,
}

/// Lays everything out in a new folder; folders get the time of the release.
pub(super) fn lay_out(folder: &Path, items: &mut [Item], time: SourceDate) -> Result<Laid, PublishError> {
    items.sort_by(|one, other| (one.rank, &one.path).cmp(&(other.rank, &other.path)));
    fs::create_dir(folder).map_err(PublishError::write(folder))?;
    let mut folders = BTreeSet::new();
    let mut laid = Laid::default();
    for item in &*items {
        let mut parent = item.path.parent();
        while let Some(path) = parent {
            parent = path.parent();
            folders.insert(path);
        }
        let place = item.path.below(folder);
        let parent = place.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(PublishError::write(parent))?;
        let why = match item.link.then(|| link(item, &place)) {
            Some(Ok(true)) => {
                laid.linked += 1;
                continue;
            }
            Some(Ok(false)) => Some("its mode or time is not that of a file to publish".to_owned()),
            Some(Err(error)) if may_copy(&error) => Some(error.to_string()),
            Some(Err(error)) => return Err(PublishError::write(&place)(error)),
            None => None,
        };
        copy(item, &place)?;
        laid.copied += 1;
        if let Some(why) = why {
            let (count, first) = laid.unlinked.take().unwrap_or((0, why));
            laid.unlinked = Some((count + 1, first));
        }
    }
    for path in folders.iter().rev() {
        finish(&path.below(folder), 0o755, time.seconds())?;
    }
    finish(folder, 0o755, time.seconds())?;
    Ok(laid)
}

/// Another file system, one without hard links, a file of somebody else, a file with as many links as can be.
fn may_copy(error: &io::Error) -> bool {
    use io::ErrorKind::{CrossesDevices, PermissionDenied, TooManyLinks, Unsupported};
    matches!(error.kind(), CrossesDevices | PermissionDenied | TooManyLinks | Unsupported)
}

/// Gives false for a file that everybody can not read, somebody else may write, or that has another time than it should.
fn link(item: &Item, place: &Path) -> io::Result<bool> {
    let found = fs::symlink_metadata(&item.from)?;
    let plain = found.is_file() && matches!(found.mode() & 0o7777, 0o644 | 0o444);
    if !plain || (found.mtime(), found.mtime_nsec()) != (item.mtime, 0) || found.len() != item.size {
        return Ok(false);
    }
    fs::hard_link(&item.from, place).map(|()| true)
}

fn copy(item: &Item, place: &Path) -> Result<(), PublishError> {
    let mut from = File::open(&item.from).map_err(PublishError::read(&item.from))?;
    let to = File::create_new(place).map_err(PublishError::write(place))?;
    let mut to = HashingWriter::new(to);
    io::copy(&mut from, &mut to).map_err(PublishError::write(place))?;
    let (_, digest, size) = to.finish();
    if (digest, size) != (item.digest, item.size) {
        return Err(PublishError::Changed(item.from.clone()));
    }
    finish(place, 0o644, item.mtime)
}

fn finish(path: &Path, mode: u32, seconds: i64) -> Result<(), PublishError> {
    let offset = Duration::from_secs(seconds.unsigned_abs());
    let time = if seconds < 0 { UNIX_EPOCH - offset } else { UNIX_EPOCH + offset };
    let done = fs::set_permissions(path, Permissions::from_mode(mode))
        .and_then(|()| File::open(path)?.set_modified(time));
    done.map_err(PublishError::write(path))
}
