//! Requirements with conditions: looked at again when a package is selected that they speak of, and only then.

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

/// Requirements whose meaning changes as the selection grows.
#[derive(Debug, Default)]
pub(super) struct Watched {
    all: Vec<Conditional>,
    /// Those that speak of what is provided under a name.
    names: BTreeMap<TextId, Vec<usize>>,
    /// Those that speak of a file of a package.
    owners: BTreeMap<Place, Vec<usize>>,
    /// Those that may mean something else by now.
    awake: BTreeSet<usize>,
}

impl Watched {
    pub(super) fn add(&mut self, stock: &Stock<'_>, conditional: Conditional) {
        let at = self.all.len();
        let queue = if stock.is_in(conditional.by, Queue::Debug) { Queue::Debug } else { Queue::Binary };
        for relation in conditional.expression.relations() {
            let name = stock.text(&relation.name);
            if let Some(name) = name {
                self.names.entry(name).or_default().push(at);
            }
            if relation.name.starts_with('/') {
                for owner in stock.meeting(relation, name, queue) {
                    self.owners.entry(owner).or_default().push(at);
                }
            }
        }
        self.all.push(conditional);
    }

    /// Notes that a package is selected now.
    pub(super) fn wake(&mut self, stock: &Stock<'_>, place: Place) {
        if self.all.is_empty() {
            return;
        }
        self.awake.extend(self.owners.get(&place).into_iter().flatten());
        let provides = stock.get(place).map_or(&[][..], |member| member.list(List::Provides));
        for name in provides.iter().map(|provided| stock.universe.name_of(*provided)) {
            self.awake.extend(self.names.get(&name).into_iter().flatten());
        }
    }

    /// The next one from this number on that is to be looked at again, with its number.
    pub(super) fn next(&mut self, from: usize) -> Option<(usize, Conditional)> {
        let at = *self.awake.range(from..).next()?;
        self.awake.remove(&at);
        Some((at, self.all.get(at)?.clone()))
    }
}
