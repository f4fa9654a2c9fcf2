//! Whether packages that come in two arches can be installed beside each other.

use std::collections::BTreeMap;
use std::io::BufReader;

use super::{Error, Finding, Repository, packages};
use crate::base::arch::TreeArch;
use crate::format::repodata::Entry;
use crate::rpm::{Headers, beside};

/// Compares the packages of a repository that come in a native and a secondary arch, in one version.
pub(super) fn check(repository: &Repository, findings: &mut Vec<Finding>) {
    let Some(all) = &repository.packages else { return };
    let mut versions: BTreeMap<_, Vec<Entry<'_>>> = BTreeMap::new();
    for package in all.iter().filter(|package| !package.nevra().is_source() && package.base().is_none()) {
        let nevra = package.nevra();
        versions.entry((&nevra.name, &nevra.evr)).or_default().push(package);
    }
    let trees: Vec<_> = TreeArch::names().filter_map(TreeArch::find).collect();
    for group in versions.values().filter(|group| group.len() > 1) {
        for native in group {
            for other in group {
                let beside = |tree: &&&TreeArch| {
                    tree.native.contains(&&*native.nevra().arch) && tree.is_multilib(&other.nevra().arch)
                };
                if trees.iter().any(|tree| beside(&tree)) {
                    findings.extend(pair(repository, *native, *other));
                }
            }
        }
    }
}

fn pair(repository: &Repository, native: Entry<'_>, other: Entry<'_>) -> Option<Finding> {
    // What cannot be read was found before.
    let (Some(left), Some(right)) = (headers(repository, native), headers(repository, other)) else {
        return None;
    };
    let (Ok(left), Ok(right)) = (left.package(), right.package()) else { return None };
    let conflicts = beside::conflicts(&left, &right);
    let (native, other) = (native.nevra(), other.nevra());
    let message =
        format!("it cannot be installed beside {other}: they conflict in {} files", conflicts.len());
    let finding = Finding::new((Error, "multilib-conflict"), &repository.name, native.to_string(), message);
    (!conflicts.is_empty()).then(|| finding.with(conflicts))
}

fn headers(repository: &Repository, package: Entry<'_>) -> Option<Headers> {
    Headers::read(BufReader::new(packages::open(repository, package).ok()?)).ok()
}
