//! Requirements: what meets those of the selected packages comes in.
//!
//! Conditions are asked of what is selected, again whenever that has grown: a condition may hold by now that did not
//! before, never the other way round. So what counts as missed is what is missed in the end. Of alternatives (`or`) the
//! first that can be met is taken. What a package that is looked aside at requires is not looked at.
//!
//! Debugging packages bring in their like alone. What no debugging package meets must be met by a selected one of the others:
//! whoever installs debugging packages has the tree beside them.
//!
//! **`unless`.** To rpm `(a unless b)` is "`a` and not `b`", and a selection cannot make it hold once `b` is in. But a tree is
//! something to install from, not an installation: whoever leaves `b` out needs `a`. So
//! - `(a unless b)` asks for `a`, whether `b` is selected or not;
//! - `((a unless b) or c)`, which is the form that rpmbuild allows, asks for `c` as soon as `b` is selected, and for `a`
//!   only where there is no `c`;
//! - where the package itself provides `b`, nobody can leave it out, and the requirement is missed.

use super::super::decision::Flag;
use super::super::expression::{Expression, Outcome};
use super::super::problem::Problem;
use super::super::relation::Relation;
use super::super::universe::{List, Place, RelationId};
use super::stock::Queue;
use super::watched::Conditional;
use super::{Gather, Why};

impl Gather<'_> {
    /// Meets the requirements of what was selected since; true when that added a package.
    pub(super) fn requirements(&mut self) -> bool {
        let mut added = self.reconsider();
        for by in std::mem::take(&mut self.open.requires) {
            for (place, relation) in self.needed(by, Queue::Binary) {
                added |= self.add(place, Why::Requires { by, relation });
            }
        }
        added
    }

    /// Meets those whose conditions may mean something else by now; true when that added a package.
    pub(super) fn reconsider(&mut self) -> bool {
        let mut added = false;
        let mut from = 0;
        while let Some((at, Conditional { by, stated, expression })) = self.watched.next(from) {
            self.missed_so_far.remove(&(stated, by));
            self.missed_parts.remove(&(stated, by));
            let builds = self.stock.is_in(by, Queue::Source);
            let debug = self.stock.is_in(by, Queue::AnyDebug);
            for place in self.expression(by, stated, &expression, true) {
                let relation = stated;
                if debug {
                    added |= self.add_debug_requirement(place, Why::Requires { by, relation });
                    continue;
                }
                let why = match builds {
                    true => Why::BuildRequires { by, relation },
                    false => Why::Requires { by, relation },
                };
                if self.add(place, why) {
                    added = true;
                    if builds {
                        self.flag(by, Flag::SelfHosting);
                    }
                }
            }
            // What this woke before it waits for the next round.
            from = at + 1;
        }
        added
    }

    /// The same for what building selected source packages requires.
    pub(super) fn build_requirements(&mut self) -> bool {
        let mut added = false;
        for by in std::mem::take(&mut self.open.build) {
            for (place, relation) in self.needed(by, Queue::Binary) {
                if self.add(place, Why::BuildRequires { by, relation }) {
                    self.flag(by, Flag::SelfHosting);
                    added = true;
                }
            }
        }
        added
    }

    /// What debugging packages require of their like. Those that an exclusion or a newer version hides come in with greed only,
    /// as in Pungi; but where they are all that there is, nothing is missed.
    pub(super) fn debug_requirements(&mut self) -> bool {
        let mut added = false;
        for by in std::mem::take(&mut self.open.debug_requires) {
            for (place, relation) in self.needed(by, Queue::AnyDebug) {
                added |= self.add_debug_requirement(place, Why::Requires { by, relation });
            }
        }
        added
    }

    fn add_debug_requirement(&mut self, place: Place, why: Why) -> bool {
        let added = self.add_debug(place, why);
        if added {
            self.flag(place, Flag::Dependency);
            self.mark(place);
        }
        added
    }

    /// What meets the requirements of a package, by what is selected so far.
    fn needed(&mut self, by: Place, queue: Queue) -> Vec<(Place, RelationId)> {
        let Some(member) = self.stock.get(by).filter(|_| !self.stock.is_aside(by)) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for &relation in member.list(List::Requires) {
            let name = self.stock.universe.text(self.stock.universe.name_of(relation));
            let answer = match name.as_bytes().first() {
                Some(b'(') => self.rich(by, relation),
                // These ask for features of rpm.
                _ if name.starts_with("rpmlib(") => continue,
                _ => self.plain(by, relation, queue),
            };
            found.extend(answer.into_iter().map(|place| (place, relation)));
        }
        found
    }

    /// Among which packages the requirements of a package are met: those of debugging packages among their like.
    fn among(&self, by: Place) -> Queue {
        if self.stock.is_in(by, Queue::AnyDebug) { Queue::AnyDebug } else { Queue::Binary }
    }

    fn plain(&mut self, by: Place, relation: RelationId, queue: Queue) -> Vec<Place> {
        if let Some(Some((known_in, known))) = self.answers.get(relation as usize) {
            // Of these it is known that they are selected.
            let is_there = *known_in == queue || *known_in == Queue::Binary;
            return if is_there { Vec::new() } else { known.clone() };
        }
        let name = self.stock.universe.name_of(relation);
        let meeting = self.stock.meeting(&self.stock.universe.relation(relation), Some(name), queue);
        if meeting.is_empty() {
            self.missed.insert((relation, by));
            return Vec::new();
        }
        let best = self.best(&meeting, queue, true);
        if let ([taken], Queue::Binary) = (best.as_slice(), queue) {
            self.note_choice(by, relation, &meeting, *taken);
        }
        if let Some(slot) = self.answers.get_mut(relation as usize).filter(|_| !best.is_empty()) {
            *slot = Some((queue, best.clone()));
        }
        best
    }

    pub(super) fn rich(&mut self, by: Place, relation: RelationId) -> Vec<Place> {
        match Expression::of(&self.stock.universe.relation(relation)) {
            Ok(expression) => {
                let changes = changes(&expression);
                let found = self.expression(by, relation, &expression, changes);
                if changes {
                    let at = self.watched.add(Conditional {
                        by,
                        stated: relation,
                        expression: expression.clone(),
                    });
                    self.watched.watch(&self.stock, at, &expression, self.among(by));
                }
                found
            }
            Err(error) => {
                let package = self.stock.get(by).map(|member| member.nevra().clone());
                let error = error.to_string();
                self.problems.extend(package.map(|package| Problem::BrokenRequirement { package, error }));
                Vec::new()
            }
        }
    }

    /// What meets an expression of a package. What nothing meets is missed; `so_far` where that may change.
    fn expression(&mut self, by: Place, stated: RelationId, wanted: &Expression, so_far: bool) -> Vec<Place> {
        let (mut found, mut open) = (Vec::new(), vec![wanted]);
        let queue = self.among(by);
        while let Some(part) = open.pop() {
            match part {
                Expression::Simple(_) | Expression::With(_) | Expression::Without(..) => {
                    let meeting = self.stock.meeting_alone(part, queue);
                    if meeting.is_empty() {
                        self.miss(by, stated, part, so_far);
                    } else if !meeting.iter().any(|place| self.is_selected(*place, queue)) {
                        found.extend(match self.request.is_everything() {
                            true => self.provider(by, None, &meeting).into_iter().collect(),
                            false => self.best(&meeting, queue, true),
                        });
                    }
                }
                _ => match self.parts(by, part) {
                    Some(parts) => open.extend(parts.into_iter().rev()),
                    None => self.miss(by, stated, part, so_far),
                },
            }
        }
        found
    }

    fn miss(&mut self, by: Place, stated: RelationId, part: &Expression, so_far: bool) {
        if so_far {
            self.missed_so_far.insert((stated, by));
        } else {
            self.missed.insert((stated, by));
        }
        if let Expression::Simple(relation) = part {
            self.missed_parts.entry((stated, by)).or_default().insert(relation.clone());
        }
    }

    /// The parts of an expression that a package asks for, given what is selected; none where it cannot be met.
    pub(super) fn parts<'e>(&self, by: Place, wanted: &'e Expression) -> Option<Vec<&'e Expression>> {
        match wanted {
            Expression::Simple(_) | Expression::With(_) | Expression::Without(..) => Some(vec![wanted]),
            Expression::All(parts) => Some(parts.iter().collect()),
            Expression::Any(parts) if parts.iter().any(|part| self.holds_in(part, self.among(by))) => {
                Some(Vec::new())
            }
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

    /// Whether what is selected meets an expression.
    pub(super) fn holds(&self, wanted: &Expression) -> bool {
        self.holds_in(wanted, Queue::Binary)
    }

    fn holds_in(&self, wanted: &Expression, queue: Queue) -> bool {
        wanted.holds(&|part| {
            self.stock.meeting_alone(part, queue).iter().any(|place| self.is_selected(*place, queue))
        })
    }

    fn is_selected(&self, place: Place, queue: Queue) -> bool {
        match queue {
            Queue::Debug | Queue::AnyDebug => self.debug.contains_key(&place),
            Queue::Binary | Queue::Source => self.binary.contains_key(&place),
        }
    }

    /// Whether a requirement of a debugging package that none of its like meets is met by what else is selected.
    pub(super) fn met_beside(&self, (stated, by): (RelationId, Place)) -> bool {
        let holds = |part: &Expression| {
            [Queue::AnyDebug, Queue::Binary].iter().any(|queue| {
                self.stock.meeting_alone(part, *queue).iter().any(|place| self.is_selected(*place, *queue))
            })
        };
        self.among(by) == Queue::AnyDebug
            && Expression::of(&self.stock.universe.relation(stated))
                .is_ok_and(|expression| expression.holds(&holds))
    }

    /// What is left of an `if` or `unless` of a package, by what is selected.
    fn left<'e>(
        &self,
        by: Place,
        wanted: &'e Expression,
        condition: &Expression,
        beside: Beside,
    ) -> Outcome<'e> {
        // It need not be selected yet to be looked at.
        let own = condition.holds(&|part| self.meets_alone(by, part));
        match wanted.outcome(own || self.holds_in(condition, self.among(by))) {
            Outcome::Unmet if beside == Beside::Some && !own => wanted.outcome(false),
            outcome => outcome,
        }
    }

    fn meets_alone(&self, by: Place, part: &Expression) -> bool {
        self.stock.meeting_alone(part, self.among(by)).binary_search(&by).is_ok()
    }

    /// Whether there are packages that meet an expression of a package.
    fn possible(&self, by: Place, wanted: &Expression, beside: Beside) -> bool {
        let possible = |part: &Expression| self.possible(by, part, beside);
        match wanted {
            Expression::Simple(_) | Expression::With(_) | Expression::Without(..) => {
                !self.stock.meeting_alone(wanted, self.among(by)).is_empty()
            }
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

    /// The requirement as it is stated, or the part of it that nothing meets.
    pub(super) fn missed_as(&self, missed: (RelationId, Place)) -> Vec<Relation> {
        match self.missed_parts.get(&missed) {
            Some(parts) => parts.iter().cloned().collect(),
            None => vec![self.stock.universe.relation(missed.0)],
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

/// Whether an expression's meaning may change as the selection grows.
fn changes(expression: &Expression) -> bool {
    match expression {
        Expression::Simple(_) | Expression::With(_) | Expression::Without(..) => false,
        Expression::If(..) | Expression::Unless(..) => true,
        Expression::All(parts) | Expression::Any(parts) => parts.iter().any(changes),
    }
}
