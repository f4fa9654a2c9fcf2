//! mash's method: everything that the sources have, as mash composed trees until 2017 with yum 3.4.
//!
//! **Delivered** is, whatever a request names:
//! - every native package in every version, `noarch` ones unless they say that they are not for the tree;
//! - every native debugging package where these are wanted, and none of the secondary arch: debugging is what has
//!   `-debuginfo` or `-debugsource` anywhere in its name, so elfutils-debuginfod is, too;
//! - every source package. Those without sources (`nosrc`) are among them: mash drops them, which nobody asked for;
//! - what the multilib rule takes of the secondary arch, and what requirements pull in after that.
//!
//! Which arches these are is in mash's tables, not in Pungi's. Packages that are looked aside at (mash's parent
//! repositories) are **context**: they are there, meet requirements and have some, but are not delivered. Of those of a name
//! and arch that the sources have, too, none is context; they are only candidates for requirements that nothing else meets.
//!
//! **Requirements.** mash lets yum install all of this at once, and keeps what yum adds. A requirement that something meets
//! which is there is met, of whatever arch that is: most requirements of secondary packages without `(x86-32)` in them are
//! met by native ones. For others one candidate is taken ([`provider`]). As in yum packages are worked off in canonical order,
//! in rounds: what one round brought in is looked at in the next. Of the requirements of one package those with `=` come
//! first, then those with `<`, `<=`, `>`, `>=`, none, and sonames last. What nothing meets, mash passes over; here it is
//! told ([`Note::Ignored`]). A candidate that a package of the newest version obsoletes does not come in ([`Note::Replaced`]).
//!
//! **What counts no more.** Once all is met, yum takes out of its transaction what others in it obsolete, and before that what
//! a newer version that it brought in replaces; it looks for others that meet what these met. mash delivers those that were
//! there at first nevertheless.
//!
//! **What differs.** An older version that was brought in before the newer one stays here, while yum throws it out. Where packages
//! count no more, all requirements are looked at again in canonical order, not only theirs in theirs. Rich requirements,
//! which yum does not know, are evaluated. yum's `installonly` packages are none here. mash runs yum for trees with a
//! secondary arch only: for others this adds nothing, but tells what is not met.

mod provider;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use super::super::note::Note;
use super::super::problem::Problem;
use super::super::relation::{Relation, Sense};
use super::super::universe::{List, Member, Place, RelationId, TextId};
use super::stock::Queue;
use super::{Gather, Why};

/// Whether mash puts a package of this name among the debugging ones.
pub(super) fn is_debug(name: &str) -> bool {
    name.contains("-debuginfo") || name.contains("-debugsource")
}

/// What is known on the way.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// What packages of the newest versions obsolete, by name.
    obsoletes: BTreeMap<TextId, Vec<(Place, RelationId)>>,
    /// Requirements with the package that would be taken for them, and the one that obsoletes it.
    replaced: BTreeMap<RelationId, (Place, Place)>,
    /// What was there at first.
    start: BTreeSet<Place>,
    /// Packages that one which was there at first obsoletes, of whatever version.
    gone: BTreeSet<Place>,
    /// Whether these count no more.
    without_gone: bool,
    /// Packages that count no more since a newer version came in.
    outgrown: BTreeSet<Place>,
    /// Whether one of these did count.
    has_lost: bool,
}

impl Gather<'_> {
    /// Adds everything, and what there is beside it.
    pub(super) fn everything(&mut self) {
        // What is named plays no part, and nor does what is wrong with that.
        self.problems.clear();
        let seen: Vec<_> = self.stock.seen().collect();
        let name_arch = |member: Member<'_>| (member.name_id(), member.nevra().arch.clone());
        let ours = seen.iter().filter(|(member, queue)| *queue == Queue::Binary && !member.is_lookaside());
        let ours: BTreeSet<_> = ours.map(|(member, _)| name_arch(*member)).collect();
        for (member, queue) in seen {
            let (place, aside) = (member.place(), member.is_lookaside());
            if queue == Queue::Binary && self.is_newest(place) {
                for &relation in member.list(List::Obsoletes) {
                    let name = self.stock.universe.name_of(relation);
                    self.mash.obsoletes.entry(name).or_default().push((place, relation));
                }
            }
            match queue {
                Queue::Binary if aside => {
                    if !ours.contains(&name_arch(member)) {
                        self.add(place, Why::Context);
                    }
                }
                Queue::Binary if self.stock.is_native(place) => {
                    self.add(place, Why::Everything);
                }
                Queue::Debug if self.request.debug && !aside => {
                    self.add_debug(place, Why::Everything);
                }
                Queue::Source if self.request.sources && !aside => {
                    self.source.insert(place, Why::Everything);
                }
                Queue::Binary | Queue::Debug | Queue::AnyDebug | Queue::Source => {}
            }
        }
    }

    /// One round after that: false when it added nothing.
    pub(super) fn install(&mut self) -> bool {
        let mut added = self.multilib() || self.closure();
        if !added {
            added = self.begin_again();
        }
        if self.request.sources {
            // Sources are there, but not yet known by what was built from them. Those of the context are none of ours.
            let stock = &self.stock;
            self.open.sources.retain(|of| stock.get(*of).is_some_and(|member| !member.is_lookaside()));
            self.sources();
        }
        added
    }

    /// Has requirements met again where packages that met them count no more; false where there are none.
    fn begin_again(&mut self) -> bool {
        let known = &mut self.mash;
        let first = !std::mem::replace(&mut known.without_gone, true);
        let gone = first && self.binary.keys().any(|place| known.gone.contains(place));
        if !std::mem::take(&mut known.has_lost) && !gone {
            return false;
        }
        self.answers.fill(None);
        let there: Vec<_> = self.binary.keys().copied().collect();
        self.open.requires = there.into_iter().filter(|place| self.counts(*place)).collect();
        true
    }

    /// Whether a package is there, and not replaced by another one or by a newer version that came in.
    fn counts(&self, place: Place) -> bool {
        let known = &self.mash;
        self.binary.contains_key(&place)
            && !(known.without_gone && known.gone.contains(&place))
            && !known.outgrown.contains(&place)
    }

    /// Adds a package; older versions beside which it cannot be count no more.
    fn bring_in(&mut self, place: Place, why: Why) -> bool {
        let Some(member) = self.stock.get(place) else { return false };
        let named = self.stock.named(member.name_id(), Queue::Binary).take_while(|other| *other < place);
        let older: Vec<_> =
            named.filter(|other| self.counts(*other) && self.excludes(place, *other)).collect();
        self.mash.has_lost |= !older.is_empty();
        self.mash.outgrown.extend(older);
        self.add(place, why)
    }

    /// Whether two packages of one name cannot be installed beside each other.
    fn excludes(&self, one: Place, other: Place) -> bool {
        let noarch = |place| self.stock.get(place).is_none_or(|member| member.nevra().arch == "noarch");
        self.stock.is_secondary(one) == self.stock.is_secondary(other) || noarch(one) || noarch(other)
    }

    /// Adds what is required of everything that is there; true when that is something new.
    fn closure(&mut self) -> bool {
        if self.mash.start.is_empty() {
            self.mash.start = self.binary.keys().copied().collect();
            self.find_gone();
        }
        let mut added = self.reconsider();
        while !self.open.requires.is_empty() {
            for by in std::mem::take(&mut self.open.requires) {
                for relation in self.in_yums_order(by) {
                    added |= self.resolve(by, relation);
                }
            }
        }
        added
    }

    fn in_yums_order(&self, by: Place) -> Vec<RelationId> {
        let mut requires = self.stock.get(by).map_or(&[][..], |member| member.list(List::Requires)).to_vec();
        requires.sort_by_cached_key(|&id| {
            let relation = self.stock.universe.relation(id);
            let sense = match relation.sense.repodata_name() {
                Some("EQ") => 1,
                Some("LT") => 2,
                Some("LE") => 3,
                Some("GT") => 4,
                Some("GE") => 5,
                _ => 6,
            };
            let name = relation.name.as_str();
            (sense, name.starts_with("lib") && (name.ends_with("()") || name.ends_with("()(64bit)")))
        });
        requires
    }

    /// Meets a requirement; true when a package came in for it.
    fn resolve(&mut self, by: Place, relation: RelationId) -> bool {
        if self.answers.get(relation as usize).is_some_and(Option::is_some) {
            return false;
        }
        let name = self.stock.universe.name_of(relation);
        let text = self.stock.universe.text(name);
        if text.starts_with('(') {
            let mut added = false;
            for place in self.rich(by, relation) {
                added |= self.add(place, Why::Requires { by, relation });
            }
            return added;
        }
        if text.starts_with("rpmlib(") {
            return false;
        }
        // Many packages may have the same requirement.
        if self.missed.range((relation, 0)..=(relation, Place::MAX)).next().is_some() {
            self.missed.insert((relation, by));
            return false;
        }
        if let Some((package, obsoleter)) = self.mash.replaced.get(&relation).copied() {
            self.note_replaced(by, relation, package, obsoleter);
            return false;
        }
        let meeting = self.stock.meeting(&self.stock.universe.relation(relation), Some(name), Queue::Binary);
        let there = meeting.iter().copied().find(|place| self.counts(*place));
        let best = there.or_else(|| self.provider(by, Some(name), &meeting));
        let Some(best) = best else {
            // What counts no more is delivered nevertheless.
            if !meeting.iter().any(|place| self.binary.contains_key(place)) {
                self.missed.insert((relation, by));
            }
            return false;
        };
        if there.is_none() {
            if let Some(obsoleter) = self.obsoleter(best) {
                self.mash.replaced.insert(relation, (best, obsoleter));
                self.note_replaced(by, relation, best, obsoleter);
                return false;
            }
            self.note_choice(by, relation, &meeting, best);
        }
        if let Some(slot) = self.answers.get_mut(relation as usize) {
            *slot = Some((Queue::Binary, vec![best]));
        }
        there.is_none() && self.bring_in(best, Why::Requires { by, relation })
    }

    /// Whether no version of the same name is newer, of whatever arch.
    fn is_newest(&self, place: Place) -> bool {
        let Some(member) = self.stock.get(place) else { return false };
        let newest = self.stock.named(member.name_id(), Queue::Binary).next_back();
        let newest = newest.and_then(|newest| self.stock.get(newest));
        newest.is_none_or(|newest| newest.nevra().evr <= member.nevra().evr)
    }

    /// A package of the newest version that obsoletes this one, unless this one obsoletes it as well.
    fn obsoleter(&self, place: Place) -> Option<Place> {
        let name = self.stock.get(place)?.name_id();
        let all = self.mash.obsoletes.get(&name)?.iter();
        let others = all.filter(|(by, relation)| self.obsoletes(*by, *relation, place));
        others.map(|(by, _)| *by).find(|by| !self.is_obsoleted_by(*by, place))
    }

    fn find_gone(&mut self) {
        let mut gone = BTreeSet::new();
        for by in self.mash.start.iter().filter_map(|place| self.stock.get(*place)) {
            for &relation in by.list(List::Obsoletes) {
                let named = self.stock.named(self.stock.universe.name_of(relation), Queue::Binary);
                let named = named.filter(|place| !gone.contains(place));
                let hit: Vec<_> =
                    named.filter(|place| self.obsoletes(by.place(), relation, *place)).collect();
                gone.extend(hit.into_iter().filter(|place| !self.is_obsoleted_by(by.place(), *place)));
            }
        }
        self.mash.gone = gone;
    }

    /// Whether a package may be taken for a requirement: what is gone is not, unless nobody told yum before it was there.
    fn is_offered(&self, place: Place) -> bool {
        let gone = self.mash.gone.contains(&place);
        !gone || (!self.mash.start.contains(&place) && self.obsoleter(place).is_some())
    }

    fn is_obsoleted_by(&self, place: Place, by: Place) -> bool {
        let Some(by) = self.stock.get(by) else { return false };
        by.list(List::Obsoletes).iter().any(|relation| self.obsoletes(by.place(), *relation, place))
    }

    /// Whether what a package says to obsolete is another one: of another name, in the version it has.
    fn obsoletes(&self, by: Place, relation: RelationId, place: Place) -> bool {
        let (Some(by), Some(member)) = (self.stock.get(by), self.stock.get(place)) else { return false };
        if self.stock.universe.name_of(relation) != member.name_id() || by.name_id() == member.name_id() {
            return false;
        }
        let itself = Relation::versioned(&member.nevra().name, Sense::EQUAL, member.nevra().evr.to_string());
        self.stock.universe.relation(relation).meets(&itself)
    }

    fn note_replaced(&mut self, by: Place, relation: RelationId, package: Place, obsoleter: Place) {
        let nevra = |place| self.stock.get(place).map(|member| member.nevra().clone());
        if let (Some(by), Some(package), Some(replaced)) = (nevra(by), nevra(package), nevra(obsoleter)) {
            let requirement = self.stock.universe.relation(relation).to_string();
            self.notes.insert(Note::Replaced { requirement, by, package, obsoleter: replaced });
        }
    }

    /// Whether a package is part of the context, and nothing else.
    pub(super) fn is_context(&self, place: Place) -> bool {
        self.request.is_everything() && self.is_aside(place)
    }

    /// Forgets what the context lacks: it is not delivered.
    pub(super) fn forget_context(&mut self) {
        let stock = &self.stock;
        let ours = |by: &Place| stock.get(*by).is_some_and(|member| !member.is_lookaside());
        self.missed.retain(|(_, by)| ours(by));
        self.missed_so_far.retain(|(_, by)| ours(by));
    }

    /// What mash does not mind is no problem.
    pub(super) fn pass_over(&mut self) {
        for problem in std::mem::take(&mut self.problems) {
            match problem {
                Problem::Unresolved { .. } | Problem::BrokenRequirement { .. } | Problem::NoSource { .. } => {
                    self.notes.insert(Note::Ignored(problem));
                }
                other => {
                    self.problems.insert(other);
                }
            }
        }
    }

    /// Packages of the context that have no part in why others are there.
    pub(super) fn idle_context(&self) -> BTreeSet<Place> {
        let context = self.binary.iter().filter(|(_, why)| matches!(why, Why::Context));
        let mut idle: BTreeSet<Place> = context.map(|(place, _)| *place).collect();
        for why in self.binary.values() {
            if let Why::Requires { by, .. } = why {
                idle.remove(by);
            }
        }
        idle
    }
}
