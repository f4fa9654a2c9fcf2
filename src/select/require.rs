//! Requirements: what meets those of the selected packages comes in.
//!
//! Conditions are asked of what is selected, again whenever that has grown: a condition may hold by now that did not
//! before, never the other way round. So what counts as missed is what is missed in the end.
//!
//! **`unless`.** To rpm `(a unless b)` is "`a` and not `b`", and a selection cannot make it hold once `b` is in. But a tree is
//! something to install from, not an installation: whoever leaves `b` out needs `a`. So
//! - `(a unless b)` asks for `a`, whether `b` is selected or not;
//! - `((a unless b) or c)`, which is the form that rpmbuild allows, asks for `c` as soon as `b` is selected, and for `a`
//!   only where there is no `c`;
//! - where the package itself provides `b`, nobody can leave it out, and the requirement is missed.

use super::super::candidate::Candidate;
use super::super::decision::Reason;
use super::super::expression::{Expression, Outcome};
use super::super::pool::Id;
use super::super::problem::Problem;
use super::super::relation::Relation;
use super::Solver;

impl<'u> Solver<'u> {
    /// Meets the requirements of everything selected; true when that added a package.
    pub(super) fn dependencies(&mut self) -> bool {
        let before = self.selected.len();
        loop {
            for id in std::mem::take(&mut self.open) {
                let Some(candidate) = self.pool.get(id) else { continue };
                for relation in required(candidate) {
                    match Expression::of(relation) {
                        Ok(expression) => {
                            let missed = self.missed.len();
                            self.meet(id, relation, &expression);
                            if changes(&expression) {
                                self.missed.truncate(missed);
                                self.watched.push((id, relation, expression));
                            }
                        }
                        Err(error) => {
                            let (package, error) = (candidate.nevra.clone(), error.to_string());
                            self.problems.insert(Problem::BrokenRequirement { package, error });
                        }
                    }
                }
            }
            let (watched, missed) = (std::mem::take(&mut self.watched), self.missed.len());
            for (id, relation, expression) in &watched {
                self.meet(*id, relation, expression);
            }
            self.watched = watched;
            self.missed_so_far = self.missed.split_off(missed);
            if self.open.is_empty() {
                return self.selected.len() > before;
            }
        }
    }

    fn meet(&mut self, by: Id, stated: &Relation, wanted: &Expression) {
        match wanted {
            Expression::Simple(relation) => self.choose(by, stated, relation, wanted),
            Expression::With(_) | Expression::Without(..) => self.choose(by, stated, stated, wanted),
            _ => match self.parts(by, wanted) {
                Some(parts) => parts.into_iter().for_each(|part| self.meet(by, stated, part)),
                None => self.miss(by, stated),
            },
        }
    }

    /// The parts of an expression that a package asks for, given what is selected; none where it cannot be met.
    pub(super) fn parts<'e>(&self, by: Id, wanted: &'e Expression) -> Option<Vec<&'e Expression>> {
        match wanted {
            Expression::Simple(_) | Expression::With(_) | Expression::Without(..) => Some(vec![wanted]),
            Expression::All(parts) => Some(parts.iter().collect()),
            Expression::Any(parts) if parts.iter().any(|part| self.holds(part)) => Some(Vec::new()),
            Expression::Any(parts) => {
                let first = |beside| parts.iter().find(|part| self.possible(by, part, beside));
                first(Beside::All).or_else(|| first(Beside::Some)).map(|part| vec![part])
            }
            Expression::If(_, condition, _) | Expression::Unless(_, condition, _) => {
                match self.left(by, wanted, condition, Beside::Some) {
                    Outcome::Met => Some(Vec::new()),
                    Outcome::Unmet => None,
                    Outcome::Part(part) => Some(vec![part]),
                }
            }
        }
    }

    /// Has one of the packages that meet a part of what is stated, unless one is there.
    fn choose(&mut self, by: Id, stated: &Relation, missed: &Relation, wanted: &Expression) {
        let meeting = self.pool.meeting_alone(wanted);
        if meeting.iter().any(|id| self.selected.contains_key(id)) {
            return;
        }
        match (self.pool.best(meeting), self.pool.get(by)) {
            (Some(best), Some(requirer)) => {
                let why = Reason::Requirement { by: requirer.nevra.clone(), requirement: stated.to_string() };
                self.add(best, why);
            }
            _ => self.miss(by, missed),
        }
    }

    fn miss(&mut self, by: Id, relation: &Relation) {
        self.missed.push((by, relation.clone()));
    }

    /// Whether what is selected meets an expression.
    pub(super) fn holds(&self, wanted: &Expression) -> bool {
        wanted.holds(&|part| self.pool.meeting_alone(part).iter().any(|id| self.selected.contains_key(id)))
    }

    /// What is left of an `if` or `unless` of a package, by what is selected.
    fn left<'e>(
        &self,
        by: Id,
        wanted: &'e Expression,
        condition: &Expression,
        beside: Beside,
    ) -> Outcome<'e> {
        // It need not be selected yet to be looked at.
        let by = self.pool.get(by);
        let own = condition.holds(&|part| by.is_some_and(|package| package.meets_alone(part)));
        match wanted.outcome(own || self.holds(condition)) {
            Outcome::Unmet if beside == Beside::Some && !own => wanted.outcome(false),
            outcome => outcome,
        }
    }

    /// Whether there are packages that meet an expression of a package.
    fn possible(&self, by: Id, wanted: &Expression, beside: Beside) -> bool {
        let possible = |part: &Expression| self.possible(by, part, beside);
        match wanted {
            Expression::Simple(_) | Expression::With(_) | Expression::Without(..) => self.pool.meets(wanted),
            Expression::All(parts) => parts.iter().all(possible),
            Expression::Any(parts) => parts.iter().any(possible),
            Expression::If(_, condition, _) | Expression::Unless(_, condition, _) => {
                match self.left(by, wanted, condition, beside) {
                    Outcome::Met => true,
                    Outcome::Unmet => false,
                    Outcome::Part(part) => possible(part),
                }
            }
        }
    }
}

/// What a requirement has to be met beside.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    /// Everything that is selected.
    All,
    /// Not what its `unless` excludes.
    Some,
}

/// What a package requires of packages. `rpmlib(…)` asks for features of rpm.
pub(super) fn required(package: &Candidate) -> impl Iterator<Item = &Relation> {
    package.requires.iter().filter(|relation| !relation.name.starts_with("rpmlib("))
}

/// Whether an expression's meaning may change as the selection grows.
fn changes(expression: &Expression) -> bool {
    match expression {
        Expression::Simple(_) | Expression::With(_) | Expression::Without(..) => false,
        Expression::If(..) | Expression::Unless(..) => true,
        Expression::All(parts) | Expression::Any(parts) => parts.iter().any(changes),
    }
}
