//! Roots of images, laid out once and kept in the store's folder of images.
//!
//! A root is named `DIGEST-MAP`: the digest of the image's manifest and the tag of the id map that its owners
//! were written through. It appears by rename, so what is there is whole.

use std::error::Error;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::RunError;
use super::host::host;
use super::ids::Ids;
use super::stage::{give, remove};
use crate::base::Digest;
use crate::store::{IdMap, Store};

/// How the root of an image is laid out at a path where nothing is.
pub type LayOut =
    Arc<dyn Fn(&Store, &Digest, &Path, &IdMap) -> Result<(), Box<dyn Error + Send + Sync>> + Send + Sync>;

/// What a root must have for the jail to mount there.
const MOUNT_POINTS: [&str; 6] = ["build", "dev", "in", "out", "proc", "tmp"];

/// The laid-out root of an image.
pub(super) fn root(
    store: &Store,
    image: &Digest,
    ids: &Ids,
    map: &IdMap,
    lay_out: &LayOut,
) -> Result<PathBuf, RunError> {
    let folder = store.images();
    let path = folder.join(format!("{}-{}", image.hex(), ids.tag()));
    if path.is_dir() {
        return Ok(path);
    }
    fs::create_dir_all(&folder).map_err(host(format!("make the folder '{}'", folder.display())))?;
    // One lock for all images: laying out is rare, and a lock file for each would never be removed.
    let lock = File::open(&folder).and_then(|lock| lock.lock().map(|()| lock));
    let _lock = lock.map_err(host(format!("lock the folder '{}'", folder.display())))?;
    if path.is_dir() {
        return Ok(path);
    }
    let failed = |source| RunError::Root { image: *image, source };
    let scratch = store.scratch("image").map_err(|error| failed(error.into()))?;
    let fresh = scratch.path().join("root");
    let made = lay_out(store, image, &fresh, map)
        .and_then(|()| Ok(mount_points(&fresh, ids)?))
        .and_then(|()| Ok(fs::rename(&fresh, &path)?));
    made.map(|()| path).map_err(|source| {
        // What a map's ids own is beyond the scratch folder's own removal.
        let _reported_by_the_next_open = remove(&fresh);
        failed(source)
    })
}

fn mount_points(root: &Path, ids: &Ids) -> io::Result<()> {
    for name in MOUNT_POINTS {
        let path = root.join(name);
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => {
                return Err(io::Error::other(format!(
                    "the image has a /{name} that is no folder, and steps need it as one"
                )));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir(&path)?;
                give(&path, ids)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
