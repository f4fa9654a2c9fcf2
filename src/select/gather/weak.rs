//! Weak dependencies: what is recommended, what supplements. A package comes in this way only if all that it requires
//! can be met too: unlike a requirement, a recommendation is never an error.

use std::collections::BTreeSet;

use super::super::decision::Flag;
use super::super::expression::{Expression, Outcome};
use super::super::universe::{List, Place};
use super::stock::Queue;
use super::{Gather, Why};

impl Gather<'_> {
    /// Adds what is recommended or supplements; true when that added a package.
    pub(super) fn weak(&mut self) -> bool {
        let mut wanted = Vec::new();
        for (member, _) in self.stock.seen().filter(|(_, queue)| *queue == Queue::Binary) {
            let place = member.place();
            let selected = self.binary.contains_key(&place);
            for &relation in member.list(if selected { List::Recommends } else { List::Supplements }) {
                // What cannot be read cannot be followed, and nothing depends on it.
                let Ok(expression) = Expression::of(&self.stock.universe.relation(relation)) else {
                    continue;
                };
                match selected {
                    true if !self.holds(&expression) => {
                        let best = self.best_of(&expression);
                        wanted.extend(best.map(|best| (best, Why::Recommends { by: place, relation })));
                    }
                    false if self.holds(&expression) => {
                        let with = self.there(&expression);
                        wanted.push((place, Why::Supplements { with, relation }));
                    }
                    _ => {}
                }
            }
        }
        let mut added = false;
        for (place, why) in wanted {
            if self.affordable(place) {
                self.flag(place, Flag::Weak);
                added |= self.add(place, why);
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

    /// Whether everything that a package requires can be met, and what those packages require, too. Alternatives count as
    /// they are taken: the first that is there.
    fn affordable(&self, place: Place) -> bool {
        let (mut open, mut along) = (vec![place], BTreeSet::from([place]));
        while let Some(place) = open.pop() {
            let requires = self.stock.get(place).map_or(&[][..], |member| member.list(List::Requires));
            for &relation in requires {
                let Ok(expression) = Expression::of(&self.stock.universe.relation(relation)) else {
                    return false;
                };
                let mut wanted = vec![&expression];
                while let Some(part) = wanted.pop() {
                    match part {
                        _ if self.holds(part) => {}
                        Expression::Simple(_) | Expression::With(_) | Expression::Without(..) => {
                            let Some(best) = self.best_of(part) else { return false };
                            if along.insert(best) {
                                open.push(best);
                            }
                        }
                        _ => match self.parts(place, part) {
                            Some(parts) => wanted.extend(parts),
                            None => return false,
                        },
                    }
                }
            }
        }
        true
    }
}
