//! Weak dependencies: what is recommended, what supplements. A package comes in this way only if all that it requires
//! can be met too: unlike a requirement, a recommendation is never an error.

use std::collections::BTreeSet;

use super::super::decision::Reason;
use super::super::pool::Id;
use super::super::relation::Expression;
use super::Solver;

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
            if self.affordable(id, &mut BTreeSet::new()) {
                added |= self.add(id, why);
            }
        }
        added
    }

    /// The best package that meets an expression, or the part of it that is wanted, by itself.
    fn best_of(&self, wanted: &Expression) -> Option<Id> {
        match wanted {
            Expression::Simple(relation) => self.pool.best(self.pool.meeting(relation)),
            Expression::With(_) | Expression::Without(..) => self.pool.best(self.pool.meeting_alone(wanted)),
            Expression::All(parts) | Expression::Any(parts) => {
                parts.iter().filter(|part| !self.holds(part)).find_map(|part| self.best_of(part))
            }
            Expression::If(wanted, condition, other) => match (self.holds(condition), other) {
                (true, _) => self.best_of(wanted),
                (false, other) => self.best_of(other.as_deref()?),
            },
            Expression::Unless(wanted, condition, other) => match (self.holds(condition), other) {
                (false, _) => self.best_of(wanted),
                (true, other) => self.best_of(other.as_deref()?),
            },
        }
    }

    /// Whether everything that a package requires can be met, and what those packages require, too.
    fn affordable(&self, id: Id, seen: &mut BTreeSet<Id>) -> bool {
        if self.selected.contains_key(&id) || !seen.insert(id) {
            return true;
        }
        let requires = self.pool.get(id).map(|package| package.requires.as_slice()).unwrap_or_default();
        let mut real = requires.iter().filter(|relation| !relation.name.starts_with("rpmlib("));
        real.all(|relation| Expression::of(relation).is_ok_and(|wanted| self.affords(&wanted, seen)))
    }

    fn affords(&self, wanted: &Expression, seen: &mut BTreeSet<Id>) -> bool {
        if self.holds(wanted) {
            return true;
        }
        match wanted {
            Expression::Simple(_) | Expression::With(_) | Expression::Without(..) => {
                self.best_of(wanted).is_some_and(|best| self.affordable(best, seen))
            }
            Expression::All(parts) => parts.iter().all(|part| self.affords(part, seen)),
            Expression::Any(parts) => parts.iter().any(|part| self.affords(part, seen)),
            Expression::If(wanted, condition, other) => match (self.holds(condition), other) {
                (true, _) => self.affords(wanted, seen),
                (false, Some(other)) => self.affords(other, seen),
                (false, None) => true,
            },
            Expression::Unless(wanted, condition, other) => match (self.holds(condition), other) {
                (false, _) => self.affords(wanted, seen),
                (true, Some(other)) => self.affords(other, seen),
                (true, None) => true,
            },
        }
    }
}
