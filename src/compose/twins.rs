//! Packages of a tree that come in two arches and cannot be installed beside each other.
//!
//! What a package's files are only its header says, so this is found once the selected packages are here.

use std::collections::BTreeMap;

use super::contents::Selected;
use super::error::ComposeError;
use super::harvest::{self, Harvest, Offered};
use crate::base::Nevra;
use crate::base::arch::TreeArch;
use crate::lock::TreeRef;
use crate::rpm::{Headers, beside};
use crate::store::Store;

/// At most so many paths are told of each pair.
const TOLD: usize = 3;

/// A line for each native package and its twin of the secondary arch that conflict, tree by tree.
pub(super) fn conflicts(
    store: &Store,
    harvest: &Harvest,
    selected: &Selected,
) -> Result<Vec<String>, ComposeError> {
    let mut trees: BTreeMap<&TreeRef, Vec<&Nevra>> = BTreeMap::new();
    for (nevra, of) in selected {
        for tree in of.keys() {
            trees.entry(tree).or_default().push(nevra);
        }
    }
    let mut lines = Vec::new();
    for (tree, packages) in trees {
        let Some(arch) = TreeArch::find(&tree.arch) else { continue };
        // In order of their names and versions: twins stand beside each other.
        for same in packages.chunk_by(|left, right| (&left.name, &left.evr) == (&right.name, &right.evr)) {
            let natives = same.iter().filter(|nevra| arch.native.contains(&nevra.arch.as_str()));
            for native in natives {
                for twin in same.iter().filter(|twin| arch.is_multilib(&twin.arch)) {
                    let found = pair(store, harvest, native, twin)?;
                    let rest = match found.len().checked_sub(TOLD) {
                        Some(more @ 1..) => format!("; and {more} more"),
                        _ => String::new(),
                    };
                    if !found.is_empty() {
                        let told: Vec<_> = found.into_iter().take(TOLD).collect();
                        let told = told.join("; ");
                        lines.push(format!(
                            "{native} cannot be installed beside {twin} in {tree}: {told}{rest}"
                        ));
                    }
                }
            }
        }
    }
    Ok(lines)
}

fn pair(store: &Store, harvest: &Harvest, native: &Nevra, twin: &Nevra) -> Result<Vec<String>, ComposeError> {
    let (Some(native), Some(twin)) = (headers(store, harvest, native)?, headers(store, harvest, twin)?)
    else {
        return Ok(Vec::new());
    };
    match (native.package(), twin.package()) {
        (Ok(native), Ok(twin)) => Ok(beside::conflicts(&native, &twin)),
        // Selection has read both of them already.
        _ => Ok(Vec::new()),
    }
}

fn headers(store: &Store, harvest: &Harvest, nevra: &Nevra) -> Result<Option<Headers>, ComposeError> {
    match harvest.packages.get(nevra).map(|found| &found.offered) {
        Some(Offered::Read(identity)) => {
            harvest::headers(store, &identity.file, &nevra.to_string()).map(Some)
        }
        _ => Ok(None),
    }
}
