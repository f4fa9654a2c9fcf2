//! mash's method: everything that the sources have, as mash composed trees until 2017 with yum 3.4.
//!
//! **Delivered** is, whatever a request names:
//! - every native package in every version, `noarch` ones unless they say that they are not for the tree;
//! - every native debugging package where these are wanted, and none of the secondary arch: debugging is what has
//!   `-debuginfo` or `-debugsource` anywhere in its name, so elfutils-debuginfod is, too;
//! - every source package but those without sources (`nosrc`), for which mash has no place;
//! - what the multilib rule takes of the secondary arch, and what requirements pull in after that.
//!
//! Which arches these are is in mash's tables, not in Pungi's. Packages that are looked aside at (mash's parent
//! repositories) are **context**: they are there, meet requirements and have some, but are not delivered. Of those of a name
//! and arch that the sources have, too, none is context; they are only candidates for requirements that nothing else meets.
//!
//! **Requirements.** mash lets yum install all of this at once ([`transaction`]), and delivers what was there at first and
//! what yum has in its transaction at the end. mash runs yum for trees with a secondary arch only: for others this adds
//! nothing, but tells what is not met.

mod provider;
#[cfg(test)]
mod tests;
mod transaction;

use std::collections::{BTreeMap, BTreeSet};

use super::super::note::Note;
use super::super::problem::Problem;
use super::super::universe::{List, Member, Place, RelationId, TextId};
use super::stock::Queue;
use super::{Flag, Gather, Why};

/// Whether mash puts a package of this name among the debugging ones.
pub(super) fn is_debug(name: &str) -> bool {
    name.contains("-debuginfo") || name.contains("-debugsource")
}

/// What is known on the way.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// What packages of the newest versions obsolete, by name.
    obsoletes: BTreeMap<TextId, Vec<(Place, RelationId)>>,
    /// Requirements of packages with the package that would be taken for them, and the one that obsoletes it.
    replaced: BTreeMap<(RelationId, Place), (Place, Place)>,
    /// Packages that have requirements which nothing meets.
    lacking: BTreeSet<Place>,
    /// Those of them that have a requirement which more than one package would meet.
    retried: BTreeSet<Place>,
    /// Packages that may be there in several versions beside each other.
    install_only: BTreeSet<Place>,
    /// What was there at first.
    start: BTreeSet<Place>,
    /// What was there, and is so no more.
    left: BTreeSet<Place>,
    /// What is obsolete, and cannot come back.
    struck: BTreeSet<Place>,
    /// What was there when required files were looked at.
    looked_through: BTreeSet<Place>,
    /// Whether something left since then.
    has_lost: bool,
    /// Who requires what, by name; once something has left.
    requirers: Vec<(TextId, Place, RelationId)>,
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
        self.mash.install_only = self.install_only();
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
        let added = self.multilib() || self.transaction();
        if self.request.sources {
            // Sources are there, but not yet known by what was built from them. Those of the context are none of ours.
            let stock = &self.stock;
            self.open.sources.retain(|of| stock.get(*of).is_some_and(|member| !member.is_lookaside()));
            self.sources();
        }
        added
    }

    /// Whether a package is part of the context, and nothing else.
    pub(super) fn is_context(&self, place: Place) -> bool {
        self.request.is_everything() && self.is_aside(place)
    }

    /// Forgets what the context and packages that left lack: they are not delivered.
    pub(super) fn forget_context(&mut self) {
        let lacked = self.lacked_by_left();
        self.missed.extend(lacked);
        self.note_replaced();
        for place in self.mash.left.difference(&self.mash.start) {
            self.flags.entry(*place).or_default().insert(Flag::Replaced);
        }
        let (mut missed, mut so_far) =
            (std::mem::take(&mut self.missed), std::mem::take(&mut self.missed_so_far));
        let ours = |by: Place| {
            !self.is_replaced(by) && self.stock.get(by).is_some_and(|member| !member.is_lookaside())
        };
        missed.retain(|(_, by)| ours(*by));
        so_far.retain(|(_, by)| ours(*by));
        (self.missed, self.missed_so_far) = (missed, so_far);
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

    /// Forgets packages of the context, and those that left, that have no part in why others are there.
    pub(super) fn forget_idle(&mut self) {
        loop {
            let is_kept = |why: &Why| !matches!(why, Why::Context);
            let (mut idle, mut by_these) = (BTreeSet::new(), BTreeSet::new());
            for (place, why) in &self.binary {
                if self.is_replaced(*place) || !is_kept(why) {
                    idle.insert(*place);
                }
                if let Why::Requires { by, .. } = why {
                    by_these.insert(*by);
                }
            }
            idle.retain(|place| !by_these.contains(place));
            self.binary.retain(|place, _| !idle.contains(place));
            if idle.is_empty() {
                return;
            }
        }
    }
}
