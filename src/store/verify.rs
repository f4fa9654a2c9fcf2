//! Checking all that a store holds.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::Store;
use super::error::{At as _, StoreError};
use super::gc::Removed;
use super::tree::Tree;
use crate::base::{Digest, Hasher};

/// Something bad in a store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case", tag = "fault")]
pub enum Fault {
    /// An object's bytes are not those of its name.
    DamagedObject {
        /// Its name.
        digest: Digest,
    },
    /// A tree that a root or an action names is unusable or lacks objects.
    BrokenTree {
        /// The manifest.
        digest: Digest,
        /// What is wrong.
        why: String,
    },
    /// The record of an action is damaged, or names a tree that is broken.
    BadAction {
        /// Its key.
        key: Digest,
        /// What is wrong.
        why: String,
    },
    /// A root is damaged.
    DamagedRoot {
        /// Its name.
        name: String,
    },
    /// A root names something that is not there.
    MissingObject {
        /// The root.
        name: String,
        /// What it names.
        digest: Digest,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DamagedObject { digest } => write!(f, "object {digest} is damaged"),
            Self::BrokenTree { digest, why } => write!(f, "tree {digest} is broken: {why}"),
            Self::BadAction { key, why } => write!(f, "the result of action {key} is unusable: {why}"),
            Self::DamagedRoot { name } => write!(f, "root '{name}' is damaged"),
            Self::MissingObject { name, digest } => {
                write!(f, "root '{name}' keeps {digest}, which is missing")
            }
        }
    }
}

/// What a check of the store found.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct VerifyReport {
    /// Objects whose bytes were read.
    pub objects: Removed,
    /// Action records read.
    pub actions: u64,
    /// Roots read.
    pub roots: u64,
    /// All that is bad, sorted.
    pub faults: Vec<Fault>,
    /// Damaged objects, useless records and damaged roots that were removed.
    pub repaired: u64,
}

impl Store {
    /// Reads every object, tree, action record and root and names all that is bad. With `repair`, which needs the
    /// store alone, damaged objects and records are removed, so that the next run makes them again.
    pub fn verify(&self, repair: bool) -> Result<VerifyReport, StoreError> {
        if repair { self.alone(false, || self.check(true)) } else { self.check(false) }
    }

    fn check(&self, repair: bool) -> Result<VerifyReport, StoreError> {
        let mut report = VerifyReport::default();
        let objects = self.each("objects")?;
        for (_, size) in &objects {
            report.objects.add(*size);
        }
        for digest in self.damaged(&objects)? {
            self.repair(repair, &self.object_path(&digest), &mut report)?;
            report.faults.push(Fault::DamagedObject { digest });
        }
        let mut trees = BTreeMap::new();
        for (key, _) in self.each("actions")? {
            report.actions += 1;
            let why = match self.recorded(&key)? {
                None => Some("its record is damaged".to_owned()),
                Some(tree) => {
                    self.broken(tree, &mut trees, &mut report)?.map(|_| format!("tree {tree} is broken"))
                }
            };
            if let Some(why) = why {
                self.repair(repair, &self.action_path(&key), &mut report)?;
                report.faults.push(Fault::BadAction { key, why });
            }
        }
        for name in self.root_names()? {
            report.roots += 1;
            let Some(digests) = self.read_root(&name)? else {
                self.repair(repair, &self.folder("roots").join(&name), &mut report)?;
                report.faults.push(Fault::DamagedRoot { name });
                continue;
            };
            for digest in digests {
                if !self.has(&digest) {
                    report.faults.push(Fault::MissingObject { name: name.clone(), digest });
                } else if self.is_tree(&digest)? {
                    self.broken(digest, &mut trees, &mut report)?;
                }
            }
        }
        report.faults.sort_unstable();
        Ok(report)
    }

    fn repair(
        &self,
        repair: bool,
        path: &std::path::Path,
        report: &mut VerifyReport,
    ) -> Result<(), StoreError> {
        if repair && path.symlink_metadata().is_ok() {
            fs::remove_file(path).at("cannot remove", path)?;
            report.repaired += 1;
        }
        Ok(())
    }

    /// What is wrong with a tree, if anything; reported once, however many name it.
    fn broken(
        &self,
        digest: Digest,
        known: &mut BTreeMap<Digest, Option<String>>,
        report: &mut VerifyReport,
    ) -> Result<Option<String>, StoreError> {
        if let Some(why) = known.get(&digest) {
            return Ok(why.clone());
        }
        let why = match self.tree(&digest) {
            Ok(tree) => self.lacks(&tree),
            Err(StoreError::BadTree { source, .. }) => Some(source.to_string()),
            Err(error @ StoreError::Io { .. }) => return Err(error),
            Err(error) => Some(error.to_string()),
        };
        if let Some(why) = &why {
            report.faults.push(Fault::BrokenTree { digest, why: why.clone() });
        }
        known.insert(digest, why.clone());
        Ok(why)
    }

    fn lacks(&self, tree: &Tree) -> Option<String> {
        let bad = |(digest, size): &(Digest, u64)| self.size(digest).ok() != Some(*size);
        let (first, count) =
            (tree.objects().into_iter().find(bad)?, tree.objects().iter().filter(|file| bad(file)).count());
        Some(match count {
            1 => format!("its object {} is missing or has another size", first.0),
            count => {
                format!("{count} of its objects are missing or have another size, the first is {}", first.0)
            }
        })
    }

    /// The objects whose bytes are not those of their name, read by as many threads as there are processors.
    #[allow(clippy::disallowed_methods, reason = "how many threads read reaches no output")]
    fn damaged(&self, objects: &[(Digest, u64)]) -> Result<Vec<Digest>, StoreError> {
        const EIO: i32 = rustix::io::Errno::IO.raw_os_error();
        let next = AtomicUsize::new(0);
        let threads = thread::available_parallelism().map_or(1, usize::from).min(8);
        let work = || -> Result<Vec<Digest>, StoreError> {
            let mut bad = Vec::new();
            while let Some((digest, _)) = objects.get(next.fetch_add(1, Ordering::Relaxed)) {
                match self.hash(digest) {
                    Ok(found) if found == *digest => {}
                    Ok(_) => bad.push(*digest),
                    // Another process has removed or replaced it meanwhile.
                    Err(StoreError::Missing { .. }) => {}
                    // The disk cannot read it any more.
                    Err(StoreError::Io { source, .. }) if source.raw_os_error() == Some(EIO) => {
                        bad.push(*digest);
                    }
                    Err(error) => return Err(error),
                }
            }
            Ok(bad)
        };
        let mut bad = thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let results =
                workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)));
            results.collect::<Result<Vec<_>, _>>()
        })?
        .concat();
        bad.sort_unstable();
        Ok(bad)
    }

    fn hash(&self, digest: &Digest) -> Result<Digest, StoreError> {
        let (found, _) = Hasher::drain(std::io::BufReader::with_capacity(
            super::objects::BUFFER,
            self.open_object(digest)?,
        ))
        .at("cannot read the object", &self.object_path(digest))?;
        Ok(found)
    }
}
