//! What differs between two repositories, whatever their compression, order and times.
//!
//! Packages are told by name, version and arch. Of each name and arch that has other versions, the newest of those that went
//! and the newest of those that came are taken for an update; the rest were removed and added. A package of one
//! name, version and arch whose file has another checksum was *rebuilt*; what changed in its records is told by field. Not compared
//! are the times of package files and of lists, and databases (`primary_db`, …), which repeat the lists.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::compare::{self, Change};
use super::load::{Fault, LoadError, Repository};
use crate::base::Nevra;
use crate::format::comps::{Comps, Group, GroupList};
use crate::format::repodata::{Data, Entry, List};

/// A package whose version changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Update {
    /// The package before.
    pub before: Nevra,
    /// The package after.
    pub after: Nevra,
}

/// A package whose records differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// The package.
    pub nevra: Nevra,
    /// Whether its file has another checksum.
    pub rebuilt: bool,
    /// What its records say otherwise.
    pub changes: Vec<Change>,
}

/// What differs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// Fields of `repomd.xml`: revision and tags.
    pub repository: Vec<Change>,
    /// Packages whose name and arch are new, or that came beside others.
    pub added: Vec<Nevra>,
    /// Packages that are gone.
    pub removed: Vec<Nevra>,
    /// Packages that came in a higher version.
    pub upgraded: Vec<Update>,
    /// Packages that came in a lower version.
    pub downgraded: Vec<Update>,
    /// Packages that stayed and differ.
    pub changed: Vec<Changed>,
    /// Groups, environments and the like, by their ids.
    pub groups: Vec<Change>,
    /// Other metadata that one lacks or that has another content: `updateinfo`, `modules`, …
    pub data: Vec<Change>,
}

impl Diff {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Compares two repositories that were loaded with all lists; none where one of them is damaged, which their
/// [`faults`](Repository::faults) then say.
pub fn diff(before: &mut Repository, after: &mut Repository) -> Result<Option<Diff>, LoadError> {
    let mut diff = Diff { repository: repomd(before, after), data: data(before, after)?, ..Diff::default() };
    let is_damaged = |repository: &Repository| repository.faults.iter().any(|_: &Fault| true);
    if is_damaged(before) || is_damaged(after) {
        return Ok(None);
    }
    let (Some(old), Some(new)) = (&before.packages, &after.packages) else { return Ok(None) };
    let (old, new) = (by_name(old.iter()), by_name(new.iter()));
    let nothing = BTreeMap::new();
    for key in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        let (old, new) = (old.get(key).unwrap_or(&nothing), new.get(key).unwrap_or(&nothing));
        versions(old, new, &mut diff);
    }
    let empty = Comps::default();
    diff.groups = groups(before.comps.as_ref().unwrap_or(&empty), after.comps.as_ref().unwrap_or(&empty));
    Ok(Some(diff))
}

/// The versions of a name and arch, the lowest first.
type Versions<'a> = BTreeMap<&'a Nevra, Vec<Entry<'a>>>;

fn by_name<'a>(packages: impl Iterator<Item = Entry<'a>>) -> BTreeMap<(&'a str, &'a str), Versions<'a>> {
    let mut names: BTreeMap<_, Versions<'a>> = BTreeMap::new();
    for package in packages {
        let nevra = package.nevra();
        let versions = names.entry((nevra.name.as_str(), nevra.arch.as_str())).or_default();
        versions.entry(nevra).or_default().push(package);
    }
    names
}

fn versions(old: &Versions<'_>, new: &Versions<'_>, diff: &mut Diff) {
    let only = |one: &Versions<'_>, other: &Versions<'_>| {
        one.keys()
            .filter(|nevra| !other.contains_key(*nevra))
            .map(|nevra| (*nevra).clone())
            .collect::<Vec<_>>()
    };
    let (mut gone, mut come) = (only(old, new), only(new, old));
    if let (Some(before), Some(after)) = (gone.pop(), come.pop().as_ref()) {
        let to = if before.evr < after.evr { &mut diff.upgraded } else { &mut diff.downgraded };
        to.push(Update { before, after: after.clone() });
    } else {
        // Only one of them had any, which is what was taken.
        (gone, come) = (only(old, new), only(new, old));
    }
    diff.removed.extend(gone);
    diff.added.extend(come);
    for (nevra, before) in old {
        if let Some(after) = new.get(*nevra) {
            diff.changed.extend(changed(nevra, before, after));
        }
    }
}

fn changed(nevra: &Nevra, before: &[Entry<'_>], after: &[Entry<'_>]) -> Option<Changed> {
    let sums =
        |all: &[Entry<'_>]| all.iter().map(|package| package.checksum().to_string()).collect::<BTreeSet<_>>();
    let places = |all: &[Entry<'_>]| {
        all.iter()
            .map(|package| [package.base().unwrap_or_default(), package.href()].concat())
            .collect::<BTreeSet<_>>()
    };
    let (old, new) = (sums(before), sums(after));
    // The same file under checksums of two kinds is not told from another one.
    let rebuilt = old != new;
    let mut changes: Vec<Change> = compare::difference("checksum", &old, &new).into_iter().collect();
    changes.extend(compare::difference("location", &places(before), &places(after)));
    // Of several packages of one name, version and arch, clients take any.
    let one = |package: &&Entry<'_>| *package.checksum();
    if let (Some(before), Some(after)) = (before.iter().min_by_key(one), after.iter().min_by_key(one)) {
        changes.extend(compare::changes(*before, *after, true));
    }
    (!changes.is_empty()).then(|| Changed { nevra: nevra.clone(), rebuilt, changes })
}

fn repomd(before: &Repository, after: &Repository) -> Vec<Change> {
    let (old, new) = (&before.repomd, &after.repomd);
    let set = |list: &[String]| list.iter().cloned().collect::<BTreeSet<_>>();
    let distro = |list: &[(Option<String>, String)]| {
        let words = |(cpeid, name): &(Option<String>, String)| match cpeid {
            Some(cpeid) => format!("{name} ({cpeid})"),
            None => name.clone(),
        };
        list.iter().map(words).collect::<BTreeSet<_>>()
    };
    [
        compare::single("revision", &old.revision, &new.revision),
        compare::difference("content-tags", &set(&old.tags.content), &set(&new.tags.content)),
        compare::difference("repo-tags", &set(&old.tags.repo), &set(&new.tags.repo)),
        compare::difference("distro-tags", &distro(&old.tags.distro), &distro(&new.tags.distro)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The metadata besides lists, databases and groups, by kind, each with what its content is known by.
fn others(repository: &mut Repository) -> Result<BTreeMap<String, String>, LoadError> {
    let passed_over = |data: &&Data| {
        List::ALL.iter().any(|list| list.name() == data.kind)
            || data.kind.ends_with("_db")
            || data.kind.starts_with("group")
    };
    let others: Vec<Data> =
        repository.repomd.data.iter().filter(|data| !passed_over(data)).cloned().collect();
    let mut contents = BTreeMap::new();
    for data in others {
        // At an address, what is not downloaded is known by what is stated of it.
        let content = match repository.root() {
            Some(_) => repository.content_digest(&data)?.map(|digest| digest.to_string()),
            None => Some(data.open.map_or(data.checksum, |open| open.checksum).to_string()),
        };
        contents.extend(content.map(|content| (data.kind, content)));
    }
    Ok(contents)
}

fn data(before: &mut Repository, after: &mut Repository) -> Result<Vec<Change>, LoadError> {
    let (old, new) = (others(before)?, others(after)?);
    let set = |all: &BTreeMap<String, String>| {
        all.iter().map(|(kind, content)| format!("{kind} {content}")).collect::<BTreeSet<_>>()
    };
    Ok(compare::difference("data", &set(&old), &set(&new)).into_iter().collect())
}

/// What differs between groups, environments, categories and langpacks.
fn groups(before: &Comps, after: &Comps) -> Vec<Change> {
    let words = |group: &Group| {
        let mut packages: Vec<String> = group.packages.iter().map(|package| format!("{package:?}")).collect();
        packages.sort();
        (group.id.clone(), format!("{:?}", (Group { packages: Vec::new(), ..group.clone() }, packages)))
    };
    let lists = |list: &GroupList| (list.id.clone(), format!("{list:?}"));
    let langpacks =
        |comps: &Comps| BTreeMap::from([("langpacks".to_owned(), format!("{:?}", comps.langpacks))]);
    let map = |all: &[Group]| all.iter().map(words).collect::<BTreeMap<_, _>>();
    let list = |all: &[GroupList]| all.iter().map(lists).collect::<BTreeMap<_, _>>();
    [
        by_id("groups", &map(&before.groups), &map(&after.groups)),
        by_id("environments", &list(&before.environments), &list(&after.environments)),
        by_id("categories", &list(&before.categories), &list(&after.categories)),
        by_id("langpacks", &langpacks(before), &langpacks(after)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The ids whose content is not the same; one that both have is in both lists.
fn by_id(
    field: &'static str,
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
) -> Option<Change> {
    let differing = |one: &BTreeMap<String, String>, other: &BTreeMap<String, String>| {
        one.iter().filter(|(id, content)| other.get(*id) != Some(content)).map(|(id, _)| id.clone()).collect()
    };
    (before != after).then(|| Change {
        field,
        before: differing(before, after),
        after: differing(after, before),
    })
}
