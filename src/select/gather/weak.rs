//! Weak dependencies: what is recommended, what supplements. A package comes in this way only if all that it requires
//! can be met too: unlike a requirement, a recommendation is never an error. Each is looked at when its package is selected
//! (what supplements: from the beginning), and again when a package is selected that it speaks of.

use std::collections::BTreeSet;

use super::super::decision::Flag;
use super::super::expression::{Expression, Outcome};
use super::super::universe::{List, Place, RelationId};
use super::stock::Queue;
use super::{Gather, Why};

/// A weak dependency of a package.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    by: Place,
    relation: RelationId,
    expression: Expression,
    /// Whether it says when the package itself is wanted, rather than what the package wants.
    supplements: bool,
}

impl Gather<'_> {
    /// Takes note of what packages supplement.
    pub(super) fn supplements(&mut self) {
        if !(self.request.weak && self.request.dependencies) {
            return;
        }
        let binary = self.stock.seen().filter(|(_, queue)| *queue == Queue::Binary);
        for by in binary.map(|(member, _)| member.place()).collect::<Vec<_>>() {
            self.wish(by, List::Supplements);
        }
    }

    fn wish(&mut self, by: Place, list: List) {
        let stated = self.stock.get(by).map_or(&[][..], |member| member.list(list));
        for &relation in stated {
            // What cannot be read cannot be followed, and nothing depends on it.
            let Ok(expression) = Expression::of(&self.stock.universe.relation(relation)) else { continue };
            let supplements = matches!(list, List::Supplements);
            let wish = Wish { by, relation, expression: expression.clone(), supplements };
            let at = self.wishes.add_awake(wish);
            self.wishes.watch(&self.stock, at, &expression, Queue::Binary);
        }
    }

    /// Adds what is recommended or supplements; true when that added a package.
    pub(super) fn weak(&mut self) -> bool {
        for by in std::mem::take(&mut self.open.recommends) {
            self.wish(by, List::Recommends);
        }
        let mut awake: Vec<(usize, Wish)> = Vec::new();
        while let Some(next) = self.wishes.next(awake.last().map_or(0, |(at, _)| at + 1)) {
            awake.push(next);
        }
        awake.sort_by_key(|(at, wish)| (wish.by, *at));
        let mut wanted = Vec::new();
        for (at, Wish { by, relation, expression, supplements }) in awake {
            match (supplements, self.holds(&expression)) {
                (false, false) => {
                    let best = self.best_of(&expression);
                    wanted.extend(best.map(|best| (at, best, Why::Recommends { by, relation })));
                }
                (true, true) if !self.binary.contains_key(&by) => {
                    let with = self.there(&expression);
                    wanted.push((at, by, Why::Supplements { with, relation }));
                }
                _ => {}
            }
        }
        let mut added = false;
        for (at, place, why) in wanted {
            match self.unaffordable(place) {
                None => {
                    self.flag(place, Flag::Weak);
                    added |= self.add(place, why);
                }
                // It may be affordable once something is selected that these speak of.
                Some(looked_at) => {
                    for relation in looked_at {
                        if let Ok(expression) = Expression::of(&self.stock.universe.relation(relation)) {
                            self.wishes.watch(&self.stock, at, &expression, Queue::Binary);
                        }
                    }
                }
            }
        }
        added
    }

    /// A selected package that an expression names.
    fn there(&self, expression: &Expression) -> Option<Place> {
        let named = expression.relations().into_iter();
        let named = named.flat_map(|relation| {
            self.stock.meeting(relation, self.stock.text(&relation.name), Queue::Binary)
        });
        named.filter(|place| self.binary.contains_key(place)).min()
    }

    /// The best package that meets an expression, or the part of it that is wanted, by itself. What does not go with what
    /// is selected is not wanted.
    fn best_of(&self, wanted: &Expression) -> Option<Place> {
        match wanted {
            Expression::Simple(_) | Expression::With(_) | Expression::Without(..) => {
                let meeting = self.stock.meeting_alone(wanted, Queue::Binary);
                self.best(&meeting, Queue::Binary, false).first().copied()
            }
            Expression::All(parts) | Expression::Any(parts) => {
                parts.iter().filter(|part| !self.holds(part)).find_map(|part| self.best_of(part))
            }
            Expression::If(_, condition, _) | Expression::Unless(_, condition, _) => {
                match wanted.outcome(self.holds(condition)) {
                    Outcome::Part(part) => self.best_of(part),
                    Outcome::Met | Outcome::Unmet => None,
                }
            }
        }
    }

    /// Where not everything that a package requires can be met, nor what those packages require: the requirements that were
    /// looked at to find that out. Alternatives count as they are taken: the first that is there.
    fn unaffordable(&self, place: Place) -> Option<BTreeSet<RelationId>> {
        let (mut open, mut along) = (vec![place], BTreeSet::from([place]));
        let mut looked_at = BTreeSet::new();
        while let Some(place) = open.pop() {
            let requires = self.stock.get(place).map_or(&[][..], |member| member.list(List::Requires));
            for &relation in requires {
                looked_at.insert(relation);
                let Ok(expression) = Expression::of(&self.stock.universe.relation(relation)) else {
                    return Some(looked_at);
                };
                let mut wanted = vec![&expression];
                while let Some(part) = wanted.pop() {
                    match part {
                        _ if self.holds(part) => {}
                        Expression::Simple(_) | Expression::With(_) | Expression::Without(..) => {
                            let Some(best) = self.best_of(part) else { return Some(looked_at) };
                            if along.insert(best) {
                                open.push(best);
                            }
                        }
                        _ => match self.parts(place, part) {
                            Some(parts) => wanted.extend(parts),
                            None => return Some(looked_at),
                        },
                    }
                }
            }
        }
        None
    }
}
