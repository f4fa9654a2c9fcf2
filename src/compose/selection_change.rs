//! What changed between the selections of two locks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::Selection;
use crate::base::arch::TreeArch;
use crate::base::{Evr, Nevra};
use crate::lock::TreeRef;
use crate::select::{Absence, Decision};

/// One package of a tree that came, went or changed. The order is that of the report: by tree, the secondary arch behind all
/// others, then by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SelectionChange {
    /// The tree.
    pub tree: TreeRef,
    /// Whether it is of the tree's secondary arch.
    pub multilib: bool,
    /// The package's name.
    pub name: String,
    /// Its arch.
    pub arch: String,
    /// The version that was there.
    pub old: Option<Evr>,
    /// The version that is there now.
    pub new: Option<Evr>,
    /// Why it came in, or why it is not there any more.
    pub why: String,
}

/// Versions of packages by tree, name and arch.
type Versions = BTreeMap<(TreeRef, String, String), Nevra>;

impl SelectionChange {
    /// All changes from one selection to another.
    pub fn between(old: &Selection, new: &Selection) -> Vec<Self> {
        let trees: BTreeSet<TreeRef> = old.trees().chain(new.trees()).collect();
        let mut changes = Vec::new();
        for tree in trees {
            let before = old.decision(&tree).unwrap_or_default();
            let after = new.decision(&tree).unwrap_or_default();
            let (had, has) = (
                versions(&before, &tree, &old.debug_tree(&tree)),
                versions(&after, &tree, &new.debug_tree(&tree)),
            );
            let keys: BTreeSet<_> = had.keys().chain(has.keys()).collect();
            let gone = had.iter().filter(|(key, _)| !has.contains_key(*key));
            let gone: BTreeSet<_> =
                gone.map(|(_, nevra)| (nevra.name.as_str(), nevra.arch.as_str())).collect();
            let is_gone = |nevra: &Nevra| gone.contains(&(nevra.name.as_str(), nevra.arch.as_str()));
            let reasons = if gone.is_empty() { Some(BTreeMap::new()) } else { new.absent(&tree, &is_gone) };
            for key in keys {
                let (had, has) = (had.get(key), has.get(key));
                if had == has {
                    continue;
                }
                let why = match (has, had) {
                    (Some(here), _) => first(&after, here),
                    (None, Some(gone)) => absent(reasons.as_ref(), gone),
                    (None, None) => String::new(),
                };
                let arch = TreeArch::find(&tree.arch);
                changes.push(Self {
                    multilib: arch.is_some_and(|tree| tree.is_multilib(&key.2)),
                    tree: key.0.clone(),
                    name: key.1.clone(),
                    arch: key.2.clone(),
                    old: had.map(|nevra| nevra.evr.clone()),
                    new: has.map(|nevra| nevra.evr.clone()),
                    why,
                });
            }
        }
        changes.sort();
        changes
    }
}

fn versions(decision: &Decision, tree: &TreeRef, of_debug: &TreeRef) -> Versions {
    let mut versions = Versions::new();
    for (tree, packages) in [(tree, &decision.packages), (of_debug, &decision.debug)] {
        let delivered = packages.iter().filter(|(_, chosen)| chosen.is_delivered());
        versions.extend(
            delivered
                .map(|(nevra, _)| ((tree.clone(), nevra.name.clone(), nevra.arch.clone()), nevra.clone())),
        );
    }
    versions
}

fn first(decision: &Decision, package: &Nevra) -> String {
    decision.explain(package).first().map(|(_, why)| why.to_string()).unwrap_or_default()
}

/// What there is to say of the newest package of its name and arch.
fn absent(reasons: Option<&BTreeMap<Nevra, Absence>>, gone: &Nevra) -> String {
    let Some(reasons) = reasons else { return "the tree is gone".into() };
    let of_name = reasons.iter().rfind(|(nevra, _)| nevra.name == gone.name && nevra.arch == gone.arch);
    of_name.map_or_else(|| "no source offers it any more".into(), |(_, why)| why.to_string())
}

impl fmt::Display for SelectionChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tree, name, arch, why, .. } = self;
        let set = if self.multilib { " multilib" } else { "" };
        match (&self.old, &self.new) {
            (None, Some(new)) => write!(f, "{tree}{set}: + {name}.{arch} {new} ({why})"),
            (Some(old), None) => write!(f, "{tree}{set}: - {name}.{arch} {old} ({why})"),
            (Some(old), Some(new)) => write!(f, "{tree}{set}: {name}.{arch} {old} -> {new} ({why})"),
            (None, None) => write!(f, "{tree}{set}: {name}.{arch}"),
        }
    }
}
