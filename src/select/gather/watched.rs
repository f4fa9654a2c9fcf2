//! What depends on the selection, such as a requirement with a condition: looked at again when a package is selected that it
//! speaks of, and only then.

use std::collections::{BTreeMap, BTreeSet};

use super::super::expression::Expression;
use super::super::universe::{List, Place, RelationId, TextId};
use super::stock::{Queue, Stock};

/// A requirement with a condition, and the package that has it.
#[derive(Clone, Debug)]
pub(super) struct Conditional {
    pub(super) by: Place,
    pub(super) stated: RelationId,
    pub(super) expression: Expression,
}

/// Things that speak of packages, numbered as they come.
#[derive(Debug)]
pub(super) struct Watched<T> {
    all: Vec<T>,
    /// Those that speak of what is provided under a name.
    names: BTreeMap<TextId, BTreeSet<usize>>,
    /// Those that speak of a file of a package.
    owners: BTreeMap<Place, BTreeSet<usize>>,
    /// Those that may mean something else by now.
    awake: BTreeSet<usize>,
}

impl<T> Default for Watched<T> {
    fn default() -> Self {
        let (all, awake) = (Vec::new(), BTreeSet::new());
        Self { all, names: BTreeMap::new(), owners: BTreeMap::new(), awake }
    }
}

impl<T: Clone> Watched<T> {
    /// Adds one that is looked at elsewhere for the first time. Its number.
    pub(super) fn add(&mut self, one: T) -> usize {
        self.all.push(one);
        self.all.len() - 1
    }

    /// Adds one that is still to be looked at.
    pub(super) fn add_awake(&mut self, one: T) -> usize {
        let at = self.add(one);
        self.awake.insert(at);
        at
    }

    /// Has one look out for packages that an expression speaks of.
    pub(super) fn watch(&mut self, stock: &Stock<'_>, at: usize, expression: &Expression, queue: Queue) {
        for relation in expression.relations() {
            let name = stock.text(&relation.name);
            if let Some(name) = name {
                self.names.entry(name).or_default().insert(at);
            }
            if relation.name.starts_with('/') {
                for owner in stock.meeting(relation, name, queue) {
                    self.owners.entry(owner).or_default().insert(at);
                }
            }
        }
    }

    /// Notes that a package is selected now.
    pub(super) fn wake(&mut self, stock: &Stock<'_>, place: Place) {
        if self.names.is_empty() && self.owners.is_empty() {
            return;
        }
        self.awake.extend(self.owners.get(&place).into_iter().flatten());
        let provides = stock.get(place).map_or(&[][..], |member| member.list(List::Provides));
        for name in provides.iter().map(|provided| stock.universe.name_of(*provided)) {
            self.awake.extend(self.names.get(&name).into_iter().flatten());
        }
    }

    /// The next one from this number on that is to be looked at again, with its number.
    pub(super) fn next(&mut self, from: usize) -> Option<(usize, T)> {
        let at = *self.awake.range(from..).next()?;
        self.awake.remove(&at);
        Some((at, self.all.get(at)?.clone()))
    }
}
