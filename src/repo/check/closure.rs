//! Whether the repositories together have what their packages require.

use std::collections::{BTreeMap, BTreeSet};

use super::super::load::{self, Lists};
use super::{Error, Finding, Information, LoadError, Options, Repository, Warning};
use crate::base::arch::TreeArch;
use crate::base::{Digest, Evr};
use crate::fetch::Fetcher;
use crate::format::repodata::{Packages, is_primary};
use crate::rpm::Rich;
use crate::rpm::dependency::Kind;
use crate::select::{Candidate, Closure, Gap, Gravity};
use crate::store::Store;

/// A package, and the place of its repository.
type Placed = (usize, Candidate);

/// Checks the closure of repositories for each arch; gives the arches.
pub(super) async fn check(
    repositories: &[Repository],
    options: &Options,
    fetcher: &Fetcher,
    store: &Store,
    findings: &mut Vec<Finding>,
) -> Result<Vec<String>, LoadError> {
    let mut needed = BTreeSet::new();
    for repository in repositories {
        match &repository.packages {
            Some(packages) => required_paths(packages, &mut needed),
            None => return Ok(unknown(&repository.name, findings)),
        }
    }
    let mut own: Vec<Placed> = Vec::new();
    for (place, repository) in repositories.iter().enumerate() {
        let packages = repository.packages.iter().flat_map(|packages| candidates(packages, &needed));
        own.extend(packages.map(|candidate| (place, candidate)));
    }
    let elsewhere = lookaside(repositories, options, &own, &needed, fetcher, store, findings).await?;
    let Some(elsewhere) = elsewhere else { return Ok(Vec::new()) };
    let mut checked: Vec<&Placed> = own.iter().collect();
    let mut offered: Vec<&Placed> = own.iter().chain(&elsewhere).collect();
    if options.newest {
        (checked, offered) = (newest(checked, true), newest(offered, true));
    }
    if options.best {
        offered = newest(offered, false);
    }
    let trees = trees(repositories, options, &checked, findings);
    let mut gaps: BTreeMap<(usize, &Candidate, Gap), Vec<&str>> = BTreeMap::new();
    for (label, tree) in &trees {
        let fits = |package: &&&Placed| tree.rank(&package.1.nevra.arch).is_some();
        let asking = || checked.iter().filter(fits);
        let there = offered.iter().filter(fits).map(|package| &package.1).collect();
        let mut closure = Closure::new(there, asking().map(|package| &package.1));
        for (place, candidate) in asking() {
            for gap in closure.gaps(candidate) {
                gaps.entry((*place, candidate, gap)).or_default().push(label);
            }
        }
    }
    for ((place, candidate, gap), arches) in gaps {
        let Some(repository) = repositories.get(place) else { continue };
        let all = arches.len() == trees.len();
        findings.push(finding(&repository.name, candidate, gap, if all { &[] } else { &arches }));
    }
    Ok(trees.into_iter().map(|(label, _)| label.to_owned()).collect())
}

/// Says that nothing can be said.
fn unknown(name: &str, findings: &mut Vec<Finding>) -> Vec<String> {
    let message = "dependencies were not looked at: the packages of this repository are not known";
    findings.push(Finding::new((Information, "closure-not-checked"), name, "dependencies", message));
    Vec::new()
}

fn finding(name: &str, candidate: &Candidate, gap: Gap, arches: &[&str]) -> Finding {
    let requirement = &gap.requirement;
    let (kind, mut message) = match gap.gravity {
        Gravity::Unresolved => (
            (Error, "unresolved-requirement"),
            format!("nothing provides '{requirement}', which it requires"),
        ),
        Gravity::Unreadable => {
            ((Error, "unreadable-requirement"), format!("its requirement '{requirement}' cannot be read"))
        }
        Gravity::AtRisk => (
            (Warning, "requirement-at-risk"),
            format!("it requires '{requirement}', which cannot be met once a condition in it holds"),
        ),
    };
    if !arches.is_empty() {
        message.extend([" (", &*arches.join(", "), ")"]);
    }
    let mut details = match gap.gravity {
        Gravity::Unreadable => gap.missing,
        _ => gap.missing.into_iter().map(|missing| format!("nothing provides {missing}")).collect(),
    };
    details.extend(gap.near.into_iter().map(|near| format!("there is {}, of {}", near.provided, near.by)));
    Finding::new(kind, name, candidate.nevra.to_string(), message).with(details)
}

/// The binary packages, of their files only those that are needed: there are millions of others.
fn candidates<'p>(
    packages: &'p Packages,
    needed: &'p BTreeSet<String>,
) -> impl Iterator<Item = Candidate> + use<'p> {
    let binary = packages.iter().filter(|package| !package.nevra().is_source());
    binary.map(|package| {
        let key = package.checksum().sha256().unwrap_or_else(|| Digest::of(package.checksum().hex()));
        let mut candidate = Candidate::from_entry(package, key);
        candidate.files.retain(|file| needed.contains(file.path()));
        candidate.files.shrink_to_fit();
        candidate
    })
}

/// Adds the paths that binary packages require.
fn required_paths(packages: &Packages, paths: &mut BTreeSet<String>) {
    for package in packages.iter().filter(|package| !package.nevra().is_source()) {
        for required in package.dependencies(Kind::Requires) {
            match required.name.as_bytes().first() {
                Some(b'/') => drop(paths.insert(required.name.into_owned())),
                Some(b'(') => {
                    // What cannot be read is a finding later.
                    let rich = Rich::parse(&required.name);
                    let names = rich.iter().flat_map(Rich::names).filter(|part| part.name.starts_with('/'));
                    paths.extend(names.map(|part| part.name.to_string()));
                }
                _ => {}
            }
        }
    }
}

/// Packages that are only looked up; none where they are not known. Their file lists are read only where a path is required
/// that no primary list and no own package has.
async fn lookaside(
    repositories: &[Repository],
    options: &Options,
    own: &[Placed],
    needed: &BTreeSet<String>,
    fetcher: &Fetcher,
    store: &Store,
    findings: &mut Vec<Finding>,
) -> Result<Option<Vec<Placed>>, LoadError> {
    if options.lookaside.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let mut open: BTreeSet<&str> =
        needed.iter().map(String::as_str).filter(|path| !is_primary(path)).collect();
    for file in own.iter().flat_map(|(_, package)| &package.files) {
        open.remove(file.path());
    }
    for provided in own.iter().flat_map(|(_, package)| &package.provides) {
        open.remove(&*provided.name);
    }
    let lists = if open.is_empty() { Lists::Primary } else { Lists::Files };
    let mut found = Vec::new();
    for (place, name) in options.lookaside.iter().enumerate() {
        let repository = load::load(name, lists, fetcher, store).await?;
        for fault in repository.faults {
            let message = fault.what.to_string();
            findings.push(Finding::new((Error, fault.code()), name, fault.file, message));
        }
        match &repository.packages {
            Some(packages) => {
                found.extend(
                    candidates(packages, needed).map(|candidate| (repositories.len() + place, candidate)),
                );
            }
            None => {
                unknown(name, findings);
                return Ok(None);
            }
        }
    }
    Ok(Some(found))
}

/// The newest packages of each name and arch, in each repository or in all; several where they are of one version.
fn newest(packages: Vec<&Placed>, each: bool) -> Vec<&Placed> {
    let key = |package: &Placed| {
        let (place, Candidate { nevra, .. }) = (if each { package.0 } else { 0 }, &package.1);
        (place, nevra.name.clone(), nevra.arch.clone())
    };
    let mut highest: BTreeMap<_, &Evr> = BTreeMap::new();
    for package in &packages {
        let evr = &package.1.nevra.evr;
        let known = highest.entry(key(package)).or_insert(evr);
        *known = evr.max(known);
    }
    let is_newest = |package: &&Placed| highest.get(&key(package)) == Some(&&package.1.nevra.evr);
    packages.into_iter().filter(is_newest).collect()
}

/// The arches to look at, each with what it is called: those that were asked for, or those that packages are native to,
/// without those whose packages others take as secondary ones.
fn trees(
    repositories: &[Repository],
    options: &Options,
    packages: &[&Placed],
    findings: &mut Vec<Finding>,
) -> Vec<(&'static str, &'static TreeArch)> {
    if !options.arches.is_empty() {
        return options.arches.iter().map(|tree| (tree.name, *tree)).collect();
    }
    let known: Vec<&TreeArch> = TreeArch::names().filter_map(TreeArch::find).collect();
    let mut native: BTreeMap<&str, (&'static TreeArch, BTreeSet<&str>)> = BTreeMap::new();
    let mut strange: BTreeMap<(usize, &str), Vec<String>> = BTreeMap::new();
    for (place, package) in packages.iter().filter(|(_, package)| package.nevra.arch != "noarch") {
        let arch = package.nevra.arch.as_str();
        let mut any = false;
        for tree in known.iter().filter(|tree| tree.native.contains(&arch)) {
            native.entry(tree.name).or_insert_with(|| (tree, BTreeSet::new())).1.insert(arch);
            any = true;
        }
        if !any && !known.iter().any(|tree| tree.is_multilib(arch)) {
            strange.entry((*place, arch)).or_default().push(package.nevra.to_string());
        }
    }
    for ((place, arch), mut names) in strange {
        names.sort();
        let Some(repository) = repositories.get(place) else { continue };
        let message = format!("packages of the arch '{arch}', which is not known here, were not looked at");
        let kind = (Warning, "unknown-arch");
        findings.push(Finding::new(kind, &repository.name, "dependencies", message).with(names));
    }
    let taken = |arches: &BTreeSet<&str>| {
        native.values().any(|(tree, _)| arches.iter().all(|arch| tree.is_multilib(arch)))
    };
    let mut trees: Vec<(&'static str, &'static TreeArch)> =
        native.values().filter(|(_, arches)| !taken(arches)).map(|(tree, _)| (tree.name, *tree)).collect();
    // Packages without an arch alone go everywhere, so any will do.
    if trees.is_empty() && packages.iter().any(|(_, package)| package.nevra.arch == "noarch") {
        trees.extend(TreeArch::find("x86_64").map(|tree| ("noarch", tree)));
    }
    trees
}
