//! Which of several packages that provide `system-release` a tree gets, as Pungi (4.3.6) has it with
//! `filter_system_release_packages`.

use std::collections::BTreeSet;

use super::super::decision::Request;
use super::super::universe::{List, Universe};

/// What such packages provide.
const SYSTEM_RELEASE: &str = "system-release";

/// Names the package for the variant of this id, and excludes the others.
pub(super) fn choose(request: &mut Request, id: &str, universe: &Universe) {
    let tree = request.arch;
    let known = universe.members().filter(|member| {
        let arch = &member.nevra().arch;
        let provides = |relation: &u32| universe.text(universe.name_of(*relation)) == SYSTEM_RELEASE;
        !member.is_lookaside()
            && (tree.is_native(arch) || tree.is_multilib(arch))
            && member.is_for(Some(id), tree.name)
            && member.list(List::Provides).iter().any(provides)
    });
    let names: BTreeSet<&str> = known.map(|member| member.nevra().name.as_str()).collect();
    let of_variant = id.to_lowercase();
    let is_own = |name: &&&str| {
        name.ends_with(&format!("release-{of_variant}")) || name.starts_with(&format!("{of_variant}-release"))
    };
    let Some(chosen) = names.iter().find(is_own).or(names.first()).copied() else { return };
    let add = |list: &mut Vec<String>, name: &str| {
        if !list.iter().any(|listed| listed == name) {
            list.push(name.to_owned());
        }
    };
    add(&mut request.packages, chosen);
    for other in names.iter().filter(|name| **name != chosen) {
        add(&mut request.exclude, other);
    }
}
