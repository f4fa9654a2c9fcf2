//! What a lock keeps of a tag, for whoever asks about it later.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::error::ComposeError;
use super::super::flow::Downloads;
use super::super::folder;
use super::ask::stored;
use super::modulemd;
use crate::base::{Digest, RelPath};
use crate::koji::Snapshot;
use crate::lock::Origin;
use crate::store::Store;

/// What a lock keeps of a tag.
#[derive(Debug)]
pub struct KeptTag {
    /// What the hub said.
    pub snapshot: Snapshot,
    /// Files of the hub that the store or a bundle has, by their paths below the hub's files.
    pub files: BTreeMap<RelPath, Digest>,
    /// Files of the hub that the lock pins and neither has.
    pub absent: usize,
}

/// Finds what a lock keeps of a tag, given by the id of its source; the only one where none is named.
pub fn kept_tag(
    store: &Store,
    downloads: &dyn Downloads,
    place: &Path,
    id: Option<&str>,
) -> Result<KeptTag, ComposeError> {
    let lock = folder::read(place)?.ok_or_else(|| ComposeError::NoLock(place.into()))?;
    let named = |id: &str| lock.header.koji.iter().find(|koji| koji.id == id);
    let pinned = match (id, lock.header.koji.as_slice()) {
        (Some(id), _) => named(id),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    let ids = || lock.header.koji.iter().map(|koji| koji.id.clone()).collect();
    let pinned = pinned.ok_or_else(|| ComposeError::WhichTag { lock: place.into(), ids: ids() })?;
    let packages = lock.packages.0.values();
    let files = packages.flat_map(|package| {
        let digest = package.unsigned;
        package.origins.iter().filter_map(move |origin| match origin {
            Origin::Koji { source, path } if *source == pinned.id => Some((path.clone(), digest)),
            _ => None,
        })
    });
    let mut files: BTreeMap<_, _> = files.collect();
    let all = files.len();
    downloads.kept(pinned.snapshot_stored.into_iter().chain(files.values().copied()).collect())?;
    files.retain(|_, digest| store.has(digest));
    let snapshot = stored(store, &lock, pinned)?
        .ok_or_else(|| ComposeError::NoSnapshot { lock: place.into(), id: pinned.id.clone() })?;
    let absent = all - files.len();
    // What builds of modules say of themselves is in the snapshot.
    for record in snapshot.modulemd.iter().filter(|record| !record.text.is_empty()) {
        if let (Some(file), Some(build)) = (&record.file, snapshot.build(record.build)) {
            let path = RelPath::new(&modulemd::path(build, file)?)?;
            files.insert(path, store.put_bytes(record.text.as_bytes())?);
        }
    }
    Ok(KeptTag { snapshot, files, absent })
}
