//! Packages that are offered, indexed by what some packages ask of them.

use std::collections::{BTreeMap, BTreeSet};

use super::candidate::Candidate;
use super::expression::Expression;
use super::relation::Relation;

/// A package's place in its pool; the order is the canonical one of the universe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id(usize);

/// Indexed packages.
#[derive(Debug)]
pub(super) struct Pool<'u> {
    packages: Vec<&'u Candidate>,
    provides: BTreeMap<&'u str, Vec<(Id, &'u Relation)>>,
    /// Only the paths that some package requires: file lists are long, required files few.
    files: BTreeMap<String, Vec<Id>>,
}

impl<'u> Pool<'u> {
    /// Indexes these packages, old versions and debugging ones too, by what those that ask require.
    pub(super) fn new(packages: Vec<&'u Candidate>, asking: impl Iterator<Item = &'u Candidate>) -> Self {
        let (provides, files) = (BTreeMap::new(), BTreeMap::new());
        let mut pool = Self { packages, provides, files };
        pool.index(asking);
        pool
    }

    fn index(&mut self, asking: impl Iterator<Item = &'u Candidate>) {
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
}
