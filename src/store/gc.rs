//! Garbage collection: what no root needs goes away.
//!
//! Marked are the digests of all roots; a tree among them marks its files. An action stays when its output
//! tree is marked, an image root when the digest in its name is. Partial downloads and logs of failures go.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::{At as _, StoreError};
use super::objects::place;
use super::{PASSING, Store, remove_tree, walk};
use crate::base::Digest;

/// How garbage is collected.
#[derive(Clone, Copy, Debug, Default)]
pub struct GcOptions {
    /// Only find out what would go.
    pub dry_run: bool,
    /// Wait until no other process uses the store; otherwise that is an error.
    pub wait: bool,
}

/// How many things of a kind, and how many bytes in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Removed {
    /// How many.
    pub count: u64,
    /// Bytes in them.
    pub bytes: u64,
}

impl Removed {
    pub(super) fn add(&mut self, bytes: u64) {
        self.count += 1;
        self.bytes += bytes;
    }
}

/// What garbage collection did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct GcReport {
    /// Objects removed.
    pub objects: Removed,
    /// Action records removed.
    pub actions: Removed,
    /// Laid-out image roots removed.
    pub images: Removed,
    /// Objects that stay.
    pub kept: Removed,
    /// Digests that a root names, directly or through a tree, and that the store does not have.
    pub missing: Vec<Digest>,
    /// What should have gone but could not be removed, such as image roots that belong to other ids.
    pub stuck: Vec<PathBuf>,
}

impl Store {
    /// Removes what no root needs, while no other process uses the store. No other thread of this process may
    /// use it meanwhile either. A damaged root stops it before anything is removed.
    pub fn gc(&self, options: &GcOptions) -> Result<GcReport, StoreError> {
        self.alone(options.wait, || self.collect(options.dry_run))
    }

    fn collect(&self, dry_run: bool) -> Result<GcReport, StoreError> {
        let mut report = GcReport::default();
        let marked = self.mark(&mut report)?;
        let stuck = &mut report.stuck;
        let mut remove = |path: &Path, removed: &mut Removed, size: u64| {
            if dry_run || fs::remove_file(path).is_ok() {
                removed.add(size);
            } else {
                stuck.push(path.into());
            }
        };
        // Records first: a kill in between leaves objects without a record rather than the reverse, and either
        // is sound.
        for (key, size) in self.each("actions")? {
            if !self.recorded(&key)?.is_some_and(|tree| marked.contains(&tree)) {
                remove(&self.action_path(&key), &mut report.actions, size);
            }
        }
        for (digest, size) in self.each("objects")? {
            if marked.contains(&digest) {
                report.kept.add(size);
            } else {
                remove(&self.object_path(&digest), &mut report.objects, size);
            }
        }
        self.collect_images(&marked, dry_run, &mut report)?;
        if !dry_run {
            for name in PASSING {
                let path = self.folder(name);
                if remove_tree(&path).is_err() {
                    report.stuck.push(path);
                }
            }
        }
        Ok(report)
    }

    fn collect_images(
        &self,
        marked: &BTreeSet<Digest>,
        dry_run: bool,
        report: &mut GcReport,
    ) -> Result<(), StoreError> {
        let folder = self.images();
        for name in walk::names(&folder).at("cannot list", &folder)? {
            let digest = name.to_str().and_then(|name| Digest::from_hex(name.get(..64)?).ok());
            if digest.is_some_and(|digest| marked.contains(&digest)) {
                continue;
            }
            let path = folder.join(&name);
            let size = walk::bytes_below(&path).unwrap_or(0);
            if dry_run || remove_tree(&path).is_ok() {
                report.images.add(size);
            } else {
                report.stuck.push(path);
            }
        }
        Ok(())
    }

    /// All that roots keep. What is missing is reported, and is no reason to stop.
    fn mark(&self, report: &mut GcReport) -> Result<BTreeSet<Digest>, StoreError> {
        let mut marked = BTreeSet::new();
        let mut missing = BTreeSet::new();
        let roots: BTreeSet<Digest> = self.roots()?.into_values().flatten().collect();
        for digest in roots {
            marked.insert(digest);
            match self.is_tree(&digest) {
                Ok(true) => {
                    for (file, _) in self.tree(&digest)?.objects() {
                        if marked.insert(file) && !self.has(&file) {
                            missing.insert(file);
                        }
                    }
                }
                Ok(false) => {}
                Err(StoreError::Missing { .. }) => {
                    missing.insert(digest);
                }
                Err(error) => return Err(error),
            }
        }
        report.missing = missing.into_iter().collect();
        Ok(marked)
    }

    /// The digests and sizes of all objects (or action records), sorted. What has another name than these
    /// have is passed over.
    pub(super) fn each(&self, folder: &str) -> Result<Vec<(Digest, u64)>, StoreError> {
        let folder = self.folder(folder);
        let mut found = Vec::new();
        for first in walk::names(&folder).at("cannot list", &folder)? {
            let below = folder.join(&first);
            let names = match walk::names(&below) {
                Err(error) if error.kind() == io::ErrorKind::NotADirectory => continue,
                names => names.at("cannot list", &below)?,
            };
            for rest in names {
                let hex = format!("{}{}", first.to_string_lossy(), rest.to_string_lossy());
                let Ok(digest) = Digest::from_hex(&hex) else { continue };
                // Gone meanwhile: another process cleans up.
                if let Ok(metadata) = fs::symlink_metadata(place(&folder, &digest)) {
                    found.push((digest, metadata.len()));
                }
            }
        }
        Ok(found)
    }
}
