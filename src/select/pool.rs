//! The part of the universe that one selection sees, indexed by what is asked of it.
//!
//! Seen are the packages of the tree's arches that are not excluded, of each name and arch only the newest
//! (so excluding the newest version uncovers an older one, as in Pungi). Debugging packages are seen by
//! patterns that look like one, and never provide anything.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::candidate::{Candidate, is_debug_name};
use super::expression::Expression;
use super::relation::Relation;
use crate::base::arch::TreeArch;
use crate::base::fnmatch;

/// A package's place in its pool; the order is the canonical one of the universe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id(usize);

/// Indexed packages.
#[derive(Debug)]
pub(super) struct Pool<'u> {
    arch: &'static TreeArch,
    packages: Vec<&'u Candidate>,
    names: BTreeMap<&'u str, Vec<Id>>,
    provides: BTreeMap<&'u str, Vec<(Id, &'u Relation)>>,
    /// Only the paths that some package requires: file lists are long, required files few.
    files: BTreeMap<String, Vec<Id>>,
}

/// A pattern for packages: `NAME`, `NAME.ARCH`, or `NAME.+` for the secondary arch; names are globs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern<'p> {
    name: &'p str,
    arch: Option<&'p str>,
}

impl<'p> Pattern<'p> {
    /// Reads a pattern. What follows the last dot is an arch only where the tree knows it: names hold dots.
    pub(super) fn parse(text: &'p str, tree: &TreeArch) -> Self {
        match text.rsplit_once('.') {
            Some((name, arch))
                if !name.is_empty()
                    && (["+", "src", "nosrc"].contains(&arch) || tree.rank(arch).is_some()) =>
            {
                Self { name, arch: Some(arch) }
            }
            _ => Self { name: text, arch: None },
        }
    }

    fn plain(&self) -> Option<&'p str> {
        (!self.name.contains(['*', '?', '['])).then_some(self.name)
    }

    /// Whether it means this package.
    pub(super) fn matches(&self, candidate: &Candidate, tree: &TreeArch) -> bool {
        let arch = candidate.nevra.arch.as_str();
        let arch_fits = match self.arch {
            None => !candidate.nevra.is_source(),
            Some("+") => tree.is_multilib(arch),
            Some(wanted) => arch == wanted,
        };
        arch_fits && fnmatch::matches(self.name, &candidate.nevra.name)
    }
}

impl<'u> Pool<'u> {
    /// Indexes the packages among these that the tree can hold: the newest of each name and arch.
    pub(super) fn new(arch: &'static TreeArch, seen: impl Iterator<Item = &'u Candidate>) -> Self {
        // The universe is sorted by version, so the last of a name and arch is its newest.
        let newest: BTreeMap<(&str, &str), &Candidate> = seen
            .map(|candidate| ((candidate.nevra.name.as_str(), candidate.nevra.arch.as_str()), candidate))
            .collect();
        let mut packages: Vec<_> = newest.into_values().collect();
        packages.sort_by(|left, right| left.nevra.cmp(&right.nevra));
        let mut pool = Self::of(arch, packages);
        pool.index(pool.packages.clone().into_iter(), false);
        pool
    }

    /// Indexes all of these packages, old versions and debugging ones too, by what those that ask require.
    pub(super) fn whole(
        arch: &'static TreeArch,
        packages: Vec<&'u Candidate>,
        asking: impl Iterator<Item = &'u Candidate>,
    ) -> Self {
        let mut pool = Self::of(arch, packages);
        pool.index(asking, true);
        pool
    }

    fn of(arch: &'static TreeArch, packages: Vec<&'u Candidate>) -> Self {
        let (names, provides, files) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { arch, packages, names, provides, files }
    }

    fn index(&mut self, asking: impl Iterator<Item = &'u Candidate>, debug: bool) {
        for candidate in asking {
            for relation in &candidate.requires {
                // What cannot be read is reported when it is resolved.
                let Ok(expression) = Expression::of(relation) else { continue };
                for part in expression.relations() {
                    if part.name.starts_with('/') && !self.files.contains_key(&part.name) {
                        self.files.insert(part.name.clone(), Vec::new());
                    }
                }
            }
        }
        for (at, candidate) in self.packages.iter().enumerate() {
            self.names.entry(&candidate.nevra.name).or_default().push(Id(at));
            if candidate.is_debug() && !debug {
                continue;
            }
            for provided in &candidate.provides {
                self.provides.entry(&provided.name).or_default().push((Id(at), provided));
            }
            for file in &candidate.files {
                if let Some(owners) = self.files.get_mut(file.path())
                    && owners.last() != Some(&Id(at))
                {
                    owners.push(Id(at));
                }
            }
        }
    }

    /// A package.
    pub(super) fn get(&self, id: Id) -> Option<&'u Candidate> {
        self.packages.get(id.0).copied()
    }

    /// All packages in canonical order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Id, &'u Candidate)> + '_ {
        self.packages.iter().enumerate().map(|(at, candidate)| (Id(at), *candidate))
    }

    /// Packages of a name.
    pub(super) fn named(&self, name: &str) -> &[Id] {
        self.names.get(name).map_or(&[], Vec::as_slice)
    }

    /// For each name that a pattern means, its best package.
    pub(super) fn matching(&self, pattern: &Pattern<'_>) -> Vec<Id> {
        let groups: Vec<&Vec<Id>> = match pattern.plain() {
            Some(name) => self.names.get(name).into_iter().collect(),
            None => self
                .names
                .iter()
                .filter(|(name, _)| fnmatch::matches(pattern.name, name))
                .map(|(_, ids)| ids)
                .collect(),
        };
        let debug = is_debug_name(pattern.name);
        let fits = |id: &&Id| {
            self.get(**id)
                .is_some_and(|package| pattern.matches(package, self.arch) && (debug || !package.is_debug()))
        };
        groups.into_iter().filter_map(|ids| self.best(ids.iter().filter(fits).copied())).collect()
    }

    /// What is provided under a name, in whatever version.
    pub(super) fn providing(&self, name: &str) -> impl Iterator<Item = (&'u Candidate, &'u Relation)> + '_ {
        let provided = self.provides.get(name).into_iter().flatten();
        provided.filter_map(|(id, relation)| Some((self.get(*id)?, *relation)))
    }

    /// Packages that meet a single requirement.
    pub(super) fn meeting(&self, wanted: &Relation) -> BTreeSet<Id> {
        let provided = self.provides.get(wanted.name.as_str()).into_iter().flatten();
        let by_name = provided.filter(|(_, relation)| wanted.meets(relation)).map(|(id, _)| *id);
        by_name.chain(self.files.get(&wanted.name).into_iter().flatten().copied()).collect()
    }

    /// Packages each of which meets an expression by itself.
    pub(super) fn meeting_alone(&self, wanted: &Expression) -> BTreeSet<Id> {
        match wanted {
            Expression::Simple(relation) => self.meeting(relation),
            Expression::Any(parts) => parts.iter().flat_map(|part| self.meeting_alone(part)).collect(),
            Expression::All(parts) | Expression::With(parts) => {
                let mut sets = parts.iter().map(|part| self.meeting_alone(part));
                let first = sets.next().unwrap_or_default();
                sets.fold(first, |left, right| left.intersection(&right).copied().collect())
            }
            Expression::Without(wanted, unwanted) => {
                self.meeting_alone(wanted).difference(&self.meeting_alone(unwanted)).copied().collect()
            }
            Expression::If(..) | Expression::Unless(..) => BTreeSet::new(),
        }
    }

    /// Whether a package meets an expression by itself.
    pub(super) fn meets(&self, wanted: &Expression) -> bool {
        match wanted {
            Expression::Simple(relation) => {
                self.providing(&relation.name).any(|(_, provided)| relation.meets(provided))
                    || self.files.get(&relation.name).is_some_and(|owners| !owners.is_empty())
            }
            wanted => !self.meeting_alone(wanted).is_empty(),
        }
    }

    /// The best of some packages: a native one before one of the secondary arch, then the better arch, the
    /// shorter name, the name, the newer version. This is Pungi's order, and total: arrival plays no part.
    pub(super) fn best(&self, ids: impl IntoIterator<Item = Id>) -> Option<Id> {
        let key = |id: &Id| {
            let nevra = &self.get(*id)?.nevra;
            let secondary = self.arch.is_multilib(&nevra.arch);
            Some((secondary, self.arch.rank(&nevra.arch), nevra.name.len(), &nevra.name, Reverse(&nevra.evr)))
        };
        ids.into_iter().filter(|id| key(id).is_some()).min_by_key(key)
    }
}
