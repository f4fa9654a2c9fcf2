//! What packages are on media: the `%packages` of their kickstarts, chosen among the packages of the variant.
//!
//! - As an installer does it, the group `core` is wanted wherever comps has it, unless `--nocore` says otherwise.
//! - A system gets packages of its own arch, with what they recommend unless `--exclude-weakdeps` says otherwise; a
//!   DVD offers what its kickstart names with the variant's multilib rule, and `*` is the whole variant.
//! - Groups go by their id or, as kickstarts may, by their name. `-@GROUP` takes a group out of the environment.
//! - What is looked aside at meets requirements of packages that a DVD offers, and is in no system.
//! - `--ignoremissing` passes over packages that the variant does not have.

use std::collections::{BTreeMap, BTreeSet};

use super::error::ComposeError;
use super::inputs::RecipeFiles;
use super::kickstarts::MediumKickstarts;
use crate::base::Nevra;
use crate::base::arch::TreeArch;
use crate::format::comps::Comps;
use crate::format::kickstart::{Kickstart, Packages, Place};
use crate::format::volume_id::{Rules, VolumeId};
use crate::lock::{MediaPackages, MediumRef, Part, TreeKind, TreeRef};
use crate::recipe::{Medium, MediumKind};
use crate::select::{Candidate, Member, Problem, Request, Universe, decide, gather};

/// The group that an installer wants without being asked.
const CORE: &str = "core";

/// What is selected for each tree.
pub(super) type Selected = BTreeMap<Nevra, BTreeMap<TreeRef, BTreeSet<String>>>;

/// Chooses the packages of all media.
pub(super) fn choose(
    files: &RecipeFiles,
    universe: &Universe,
    selected: &Selected,
) -> Result<MediaPackages, ComposeError> {
    let mut found = MediaPackages::default();
    for (medium, kickstarts) in files.recipe.media.iter().zip(&files.media) {
        let Some(variant) = files.recipe.variants.get(&medium.variant) else { continue };
        let comps = super::resolve::comps(files, variant)?;
        for arch in &medium.arches {
            let Some(arch) = TreeArch::find(arch) else { continue };
            let name = medium_ref(medium, arch.name);
            let tree = TreeRef::new(&medium.variant, TreeKind::Binary(arch.name));
            if medium.kind == MediumKind::Dvd {
                let offered = offered(universe, selected, &tree, true)?;
                let mut request = request(&kickstarts.contents, &comps, arch)?;
                request.variant = Some(medium.variant.clone());
                request.multilib = variant.multilib_of(arch).map(super::resolve::multilib);
                if kickstarts.contents.packages.packages.contains_key("*") {
                    request.packages.extend(whole(&request, &offered)?);
                }
                let chosen = pick(&name, &kickstarts.contents, &request, &comps, &offered)?;
                found.0.insert((name.clone(), Part::Repository), chosen);
            }
            let offered = offered(universe, selected, &tree, false)?;
            let system = kickstarts.system();
            let mut request = request(system, &comps, arch)?;
            request.variant = Some(medium.variant.clone());
            request.weak = !system.packages.exclude_weakdeps;
            let chosen = pick(&name, system, &request, &comps, &offered)?;
            check_system(&name, &chosen, &offered)?;
            found.0.insert((name, Part::System), chosen);
        }
    }
    Ok(found)
}

/// The name of a medium for one arch.
pub(super) fn medium_ref(medium: &Medium, arch: &str) -> MediumRef {
    MediumRef { variant: medium.variant.clone(), arch: arch.into(), name: medium.name.clone() }
}

/// The volume id of a medium: the recipe's, else as Pungi makes it; that of a live image has its name in it.
pub(super) fn volume_id(files: &RecipeFiles, medium: &Medium, arch: &str) -> Result<VolumeId, ComposeError> {
    let release = &files.recipe.release;
    let fields = BTreeMap::from([
        ("release_short", release.short.as_str()),
        ("version", release.version.as_str()),
        ("variant", medium.variant.as_str()),
        ("arch", arch),
        ("disc_type", medium.name.as_str()),
    ]);
    // An initrd finds its medium by letters, digits, '-' and '_' only.
    let mut rules = Rules { restricted: true, ..Rules::of_pungi(false) };
    if medium.kind == MediumKind::Live {
        rules.formats = vec![
            "{release_short}-{version} {variant}-{disc_type}.{arch}",
            "{release_short}-{version} {disc_type}.{arch}",
            "{release_short}-{version} {disc_type}",
        ];
    }
    let id = match &medium.volume_id {
        Some(id) => VolumeId::new(id),
        None => rules.make(&fields),
    };
    id.map_err(|source| ComposeError::VolumeId { medium: medium_ref(medium, arch).to_string(), source })
}

/// Finds what kickstarts ask for and no medium can have, and groups and environments that comps lacks, before
/// anything is built.
pub(super) fn check(files: &RecipeFiles) -> Result<(), ComposeError> {
    for (medium, kickstarts) in files.recipe.media.iter().zip(&files.media) {
        let Some(variant) = files.recipe.variants.get(&medium.variant) else { continue };
        crate::root::configuration(kickstarts.system())?;
        let comps = super::resolve::comps(files, variant)?;
        for arch in &medium.arches {
            let Some(arch) = TreeArch::find(arch) else { continue };
            for kickstart in [Some(&kickstarts.contents), kickstarts.installer.as_ref()].into_iter().flatten()
            {
                request(kickstart, &comps, arch)?;
            }
        }
    }
    Ok(())
}

/// Finds media whose programs the builder cannot run.
pub(super) fn check_arches(files: &RecipeFiles, platform: &str) -> Result<(), ComposeError> {
    for medium in &files.recipe.media {
        if let Some(arch) = medium.arches.iter().find(|arch| *arch != platform) {
            let medium = medium_ref(medium, arch).to_string();
            return Err(ComposeError::OtherArch { medium, platform: platform.into() });
        }
    }
    Ok(())
}

/// The packages of a tree as a universe of their own, perhaps with those that are looked aside at.
fn offered(
    universe: &Universe,
    selected: &Selected,
    tree: &TreeRef,
    aside: bool,
) -> Result<Universe, ComposeError> {
    let of_tree = |member: &Member<'_>| match member.is_lookaside() {
        true => aside && member.is_for(Some(&tree.variant), &tree.arch),
        false => selected.get(member.nevra()).is_some_and(|trees| trees.contains_key(tree)),
    };
    Ok(Universe::new(universe.members().filter(of_tree).map(Member::to_candidate).collect())?)
}

/// What a kickstart's `%packages` ask for.
fn request(kickstart: &Kickstart, comps: &Comps, arch: &'static TreeArch) -> Result<Request, ComposeError> {
    let wanted = &kickstart.packages;
    let mut wrong = unsupported(wanted);
    let mut request = Request::new(arch);
    let mut known = |id: &str, place: &Place| {
        let found = comps.group_named(id).map(|group| group.id.as_str());
        if found.is_none() && !wanted.ignoremissing {
            wrong.push(format!("{place}: the comps file has no group '{id}'"));
        }
        found
    };
    let excluded: BTreeSet<&str> =
        wanted.excluded_groups.iter().filter_map(|(id, place)| known(id, place)).collect();
    for named in &wanted.groups {
        let found = known(&named.id, &named.place);
        request.named_groups.extend(found.map(|id| (id.to_owned(), named.include)));
    }
    let named_core = request.named_groups.iter().any(|(id, _)| id == CORE);
    if !wanted.nocore && !named_core && !excluded.contains(CORE) && comps.group(CORE).is_some() {
        request.groups.push(CORE.into());
    }
    request.without_groups.extend(excluded.into_iter().map(str::to_owned));
    if let Some((id, place)) = &wanted.environment {
        if comps.environment(id).is_none() {
            wrong.push(format!("{place}: the comps file has no environment '{id}'"));
        }
        request.environments.push(id.clone());
    }
    if !wrong.is_empty() {
        return Err(ComposeError::Unsupported(wrong));
    }
    request.exclude.extend(wanted.excluded.keys().cloned());
    request.packages.extend(wanted.packages.keys().cloned());
    Ok(request)
}

/// Options of `%packages` that mean something which is not done.
fn unsupported(wanted: &Packages) -> Vec<String> {
    let place = wanted.places.last();
    let options = [
        (wanted.default, "--default", "name the environment, '@^ID'"),
        (wanted.multilib, "--multilib", "name packages of the other arch, 'NAME.ARCH'"),
        (wanted.ignorebroken, "--ignorebroken", "exclude what cannot be installed, '-NAME'"),
    ];
    let given = options.iter().filter(|(given, ..)| *given);
    let line = |(_, option, instead): &(bool, &str, &str)| {
        let place = place.map_or_else(|| "%packages".into(), ToString::to_string);
        format!("{place}: {option} is not supported: {instead}")
    };
    given.map(line).collect()
}

fn pick(
    name: &MediumRef,
    kickstart: &Kickstart,
    request: &Request,
    comps: &Comps,
    offered: &Universe,
) -> Result<BTreeSet<Nevra>, ComposeError> {
    let mut request = request.clone();
    if kickstart.packages.ignoremissing {
        let alone = Universe::new(offered.members().map(bare).collect())?;
        let known = |pattern: &String| {
            let one = Request { packages: vec![pattern.clone()], ..Request::new(request.arch) };
            decide(&one, &Comps::default(), &alone).is_ok()
        };
        request.packages = request.packages.iter().filter(|pattern| known(pattern)).cloned().collect();
    }
    let decision = decide(&request, comps, offered)
        .map_err(|source| ComposeError::Select { tree: format!("the medium {name}"), source })?;
    let delivered = decision.packages.into_iter().filter(|(_, chosen)| chosen.is_delivered());
    Ok(delivered.map(|(nevra, _)| nevra).collect())
}

/// All that is offered and not excluded, `NAME.ARCH`. To a selection `*` alone would mean the best package of each name: one
/// of the secondary arch that no rule takes, and that was moved here from an addon, would be missed.
fn whole(request: &Request, offered: &Universe) -> Result<Vec<String>, ComposeError> {
    let alone = Universe::new(offered.members().map(bare).collect())?;
    let delivered = offered.members().filter(|member| !member.is_lookaside()).map(|member| member.nevra());
    let mut all: Vec<String> = delivered.map(|nevra| format!("{}.{}", nevra.name, nevra.arch)).collect();
    let mut named = Request { packages: all.clone(), ..Request::new(request.arch) };
    named.exclude.clone_from(&request.exclude);
    named.multilib.clone_from(&request.multilib);
    let hidden: BTreeSet<String> = gather(&named, &Comps::default(), &alone)
        .problems
        .into_iter()
        .filter_map(|problem| match problem {
            Problem::NoMatch { pattern, .. } => Some(pattern),
            _ => None,
        })
        .collect();
    all.retain(|pattern| !hidden.contains(pattern));
    Ok(all)
}

/// A candidate without what it needs: to see whether its name is known.
fn bare(member: Member<'_>) -> Candidate {
    Candidate::new(member.nevra().clone(), member.key())
}

/// Whether a system has what it cannot start without.
fn check_system(
    medium: &MediumRef,
    chosen: &BTreeSet<Nevra>,
    offered: &Universe,
) -> Result<(), ComposeError> {
    let of_system = || offered.members().filter(|member| chosen.contains(member.nevra()));
    let has = |wanted: &dyn Fn(&str) -> bool| {
        of_system().any(|member| member.files().any(|(_, folder, name)| wanted(&format!("{folder}{name}"))))
    };
    let kernel = |path: &str| {
        let modules = path.strip_prefix("/usr").unwrap_or(path).strip_prefix("/lib/modules/");
        path.starts_with("/boot/vmlinuz-") || modules.is_some_and(|below| below.ends_with("/vmlinuz"))
    };
    let live = |path: &str| path.contains("/dracut/modules.d/") && path.contains("dmsquash-live/");
    let lacks = [
        (
            has(&kernel),
            "no package of it has a kernel (/lib/modules/VERSION/vmlinuz): add 'kernel' to %packages",
        ),
        (has(&live), "no package of it has dracut's module dmsquash-live: add 'dracut-live' to %packages"),
    ];
    match lacks.iter().find(|(has, _)| !has) {
        None => Ok(()),
        Some((_, lacks)) => {
            Err(ComposeError::CannotStart { medium: medium.to_string(), lacks: (*lacks).to_owned() })
        }
    }
}

impl MediumKickstarts {
    /// What of the kickstarts is deprecated, and what says nothing to a composer, a line each.
    pub(super) fn notes(&self) -> Vec<String> {
        use crate::format::kickstart::Purpose;
        let contents = if self.installer.is_some() { Purpose::Dvd } else { Purpose::Live };
        let installer = self.installer.iter().map(|installer| (installer, Purpose::Live));
        let all = [(&self.contents, contents)].into_iter().chain(installer);
        let notes = all.flat_map(|(kickstart, purpose)| {
            kickstart.warnings.iter().cloned().chain(kickstart.idle(purpose)).collect::<Vec<_>>()
        });
        notes.map(|note| note.to_string()).collect()
    }
}

#[cfg(test)]
#[path = "contents_tests.rs"]
mod tests;
