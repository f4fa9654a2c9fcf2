//! Roots of images, laid out once and kept in the store's folder of images.
//!
//! A root is named `DIGEST-MAP`: the digest of the image's manifest and the tag of the id map that its owners
//! were written through. It appears by rename when it is on the disk, so what is there is whole.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::error::RunError;
use super::host::host;
use super::ids::Ids;
use crate::base::Digest;
use crate::store::Store;

/// The laid-out root of an image; `lay_out` is called where there is none yet.
pub(super) fn root(
    store: &Store,
    image: &Digest,
    ids: &Ids,
    lay_out: impl FnOnce(&Path) -> Result<(), RunError>,
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
    lay_out(&fresh)?;
    // Nothing checks a root again: after a loss of power its files must not be found empty.
    let synced = File::open(&folder).and_then(|folder| Ok(rustix::fs::syncfs(folder)?));
    synced.map_err(host(format!("write the root of the image {image} to the disk")))?;
    fs::rename(&fresh, &path).map_err(|error| failed(error.into()))?;
    Ok(path)
}
