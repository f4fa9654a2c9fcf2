//! Weak dependencies: what is recommended, what supplements. A package comes in this way only if all that it requires
//! can be met too: unlike a requirement, a recommendation is never an error.

use std::collections::BTreeSet;

use super::super::decision::Reason;
use super::super::expression::{Expression, Outcome};
use super::super::pool::Id;
use super::Solver;
use super::require::required;

impl Solver<'_> {
    /// Adds what is recommended or supplements; true when that added a package.
    pub(super) fn weak(&mut self) -> bool {
        let mut wanted = Vec::new();
        for (id, package) in self.pool.iter() {
            let selected = self.selected.contains_key(&id);
            let relations = if selected { &package.recommends } else { &package.supplements };
            for relation in relations {
                // What cannot be read cannot be followed, and nothing depends on it.
                let Ok(expression) = Expression::of(relation) else { continue };
                let stated = relation.to_string();
                match selected {
                    true if !self.holds(&expression) => {
                        let by = package.nevra.clone();
                        let best = self.best_of(&expression);
                        wanted.extend(
                            best.map(|best| (best, Reason::Recommendation { by, recommendation: stated })),
                        );
                    }
                    false if self.holds(&expression) => wanted.push((id, Reason::Supplement(stated))),
                    _ => {}
                }
            }
        }
        let mut added = false;
        for (id, why) in wanted {
            if self.affordable(id) {
                added |= self.add(id, why);
            }
        }
        added
    }

    /// The best package that meets an expression, or the part of it that is wanted, by itself. What does not go with what
    /// is selected is not wanted.
    fn best_of(&self, wanted: &Expression) -> Option<Id> {
        match wanted {
            Expression::Simple(_) | Expression::With(_) | Expression::Without(..) => {
                self.pool.best(self.pool.meeting_alone(wanted))
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
    fn affordable(&self, id: Id) -> bool {
        let (mut open, mut along) = (vec![id], BTreeSet::from([id]));
        while let Some(id) = open.pop() {
            for relation in self.pool.get(id).into_iter().flat_map(required) {
                let Ok(expression) = Expression::of(relation) else { return false };
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
                        _ => match self.parts(id, part) {
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
