//! yum's transaction: what is there, what comes in for requirements, and what leaves it again.
//!
//! A requirement that something meets which is there is met, of whatever arch that is: most requirements of secondary packages
//! without `(x86-32)` in them are met by native ones. For others one candidate is taken ([`provider`](super::provider)).
//! Packages are worked off in canonical order, in rounds: what one round brought in is looked at in the next. Of the
//! requirements of one package those with `=` come first, then those with `<`, `<=`, `>`, `>=`, none, and sonames last. What
//! nothing meets, mash passes over; here it is told ([`Note::Ignored`]).
//!
//! **What leaves.** A package that comes in makes older ones of its name leave, unless they can be installed beside it, as
//! different arches or by yum's `installonlypkgs`. Once all is met, packages leave that others which are there obsolete; these
//! cannot come back. In the next round the requirements that they met are met by others. Those for files are so only until all is met for the first time.
//!
//! **What is obsolete does not come in.** Where the newest version of a package obsoletes the one that would be taken, that
//! obsoleting package comes in instead if it meets the requirement and the requirement names no version (yum does not
//! understand those that do, then); else none ([`Note::Replaced`]). Nor does one come in of which the same version is there in
//! an arch beside which it cannot be installed.
//!
//! **The order.** yum keeps packages by their hashes where it looks for who required what a package provided that left, for
//! which files are required, and for the package that obsoletes another one. Here the canonical order holds.
//! Rich requirements, which yum does not know, are evaluated; they are not looked at again when what met them leaves.

use std::collections::BTreeSet;

use super::super::super::note::Note;
use super::super::super::universe::{List, Member, Place, RelationId, TextId};
use super::super::stock::Queue;
use super::super::{Gather, Why};

/// What yum installs several versions of beside each other: names of packages and of what they provide.
const INSTALL_ONLY: [&str; 6] = [
    "installonlypkg(kernel)",
    "installonlypkg(kernel-module)",
    "installonlypkg(vm)",
    "kernel",
    "kernel-devel",
    "kernel-source",
];

/// What became of a requirement.
enum Resolved {
    Met,
    Added,
    Missing,
}

impl Gather<'_> {
    /// Packages that may be there in several versions beside each other.
    pub(super) fn install_only(&self) -> BTreeSet<Place> {
        let names = self.stock.universe.find(INSTALL_ONLY);
        let all = names.values().flat_map(|name| {
            let provided = self.stock.provided(*name).iter().map(|(place, _)| *place);
            provided.chain(self.stock.named(*name, Queue::Binary))
        });
        all.collect()
    }

    /// Meets the requirements of everything that is there; true when something came in for them.
    pub(super) fn transaction(&mut self) -> bool {
        if self.mash.start.is_empty() {
            self.mash.start = self.binary.keys().copied().collect();
        }
        let mut added = self.reconsider();
        loop {
            while !self.open.requires.is_empty() {
                added |= self.round();
            }
            added |= self.required_files();
            if self.open.requires.is_empty() && !self.strike() {
                return added;
            }
        }
    }

    /// One round.
    fn round(&mut self) -> bool {
        let mut added = false;
        let before = self.mash.left.len();
        for by in std::mem::take(&mut self.open.requires) {
            let open = match self.counts(by) {
                true => self.in_yums_order(by),
                false => self.lost_with(by),
            };
            let open: Vec<_> = open.into_iter().filter(|(_, relation)| !self.is_met(*relation)).collect();
            let mut lacks = false;
            for (by, relation) in open {
                match self.resolve(by, relation) {
                    Resolved::Met => {}
                    Resolved::Added => added = true,
                    Resolved::Missing => lacks = true,
                }
            }
            if lacks {
                self.mash.lacking.insert(by);
            } else {
                // Also where it has left for something that it required itself.
                self.mash.lacking.remove(&by);
                self.open.requires.remove(&by);
            }
        }
        if self.mash.left.len() > before {
            // yum looks at all requirements again of packages that lack something.
            self.look_again_at_lacking();
        } else if added {
            // Of several candidates another one may be the best by now.
            self.open.requires.extend(std::mem::take(&mut self.mash.retried));
        }
        added
    }

    /// Whether a package is there, and has not left.
    pub(super) fn counts(&self, place: Place) -> bool {
        self.binary.contains_key(&place) && !self.mash.left.contains(&place)
    }

    /// Adds a package; older versions beside which it cannot be leave.
    fn bring_in(&mut self, place: Place, why: Why) -> bool {
        let Some(member) = self.stock.get(place) else { return false };
        if !self.mash.install_only.contains(&place) {
            let named = self.stock.named(member.name_id(), Queue::Binary).take_while(|other| *other < place);
            let older = named.filter(|other| self.counts(*other) && self.excludes(place, *other));
            let is_older = |other: &Place| {
                self.stock.get(*other).is_some_and(|other| other.nevra().evr < member.nevra().evr)
            };
            for other in older.filter(is_older).collect::<Vec<_>>() {
                self.leave(other);
            }
        }
        if self.mash.left.remove(&place) {
            self.open.requires.insert(place);
            return true;
        }
        self.add(place, why)
    }

    fn leave(&mut self, place: Place) {
        self.mash.left.insert(place);
        self.mash.has_lost = true;
        self.open.requires.insert(place);
    }

    /// Whether two packages of one name cannot be installed beside each other.
    pub(super) fn excludes(&self, one: Place, other: Place) -> bool {
        let noarch = |place| self.stock.get(place).is_none_or(|member| member.nevra().arch == "noarch");
        self.stock.is_secondary(one) == self.stock.is_secondary(other) || noarch(one) || noarch(other)
    }

    /// The requirements of a package.
    fn in_yums_order(&self, by: Place) -> Vec<(Place, RelationId)> {
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
        requires.into_iter().map(|relation| (by, relation)).collect()
    }

    /// Requirements that a package met which has left.
    fn lost_with(&mut self, gone: Place) -> Vec<(Place, RelationId)> {
        self.index_requirers();
        let universe = self.stock.universe;
        let provided = self.stock.get(gone).map_or(&[][..], |member| member.list(List::Provides)).iter();
        let mut lost = Vec::new();
        for (provided, name) in provided.map(|id| (universe.relation(*id), universe.name_of(*id))) {
            let requirers = self.requirers(name).iter().filter(|(_, by, _)| self.counts(*by));
            let hit = requirers.filter(|(.., relation)| universe.relation(*relation).meets(&provided));
            lost.extend(hit.map(|(_, by, relation)| (*by, *relation)));
        }
        lost
    }

    /// Meets requirements for files that packages had which have left; true when something came in for them. Files that were
    /// there when this was looked at before are not looked for again.
    fn required_files(&mut self) -> bool {
        let there: BTreeSet<_> = self.binary.keys().copied().filter(|place| self.counts(*place)).collect();
        let before = std::mem::replace(&mut self.mash.looked_through, there);
        if !std::mem::take(&mut self.mash.has_lost) {
            return false;
        }
        self.index_requirers();
        let is_file = |name: TextId| self.stock.universe.text(name).starts_with('/');
        let files = self.mash.requirers.iter().filter(|(name, ..)| is_file(*name));
        let known = files.clone().filter(|(_, by, _)| before.contains(by));
        let known: BTreeSet<_> = known.map(|(name, ..)| *name).collect();
        let new = files.filter(|(name, by, _)| self.counts(*by) && !known.contains(name));
        let mut open: Vec<_> = new.copied().collect();
        open.sort_by_key(|(name, by, _)| (self.stock.universe.text(*name), *by));
        open.retain(|(.., relation)| !self.is_met(*relation));
        let mut added = false;
        for (_, by, relation) in open {
            added |= matches!(self.resolve(by, relation), Resolved::Added);
        }
        added
    }

    fn index_requirers(&mut self) {
        if !self.mash.requirers.is_empty() {
            return;
        }
        let mut all = Vec::new();
        for (member, _) in self.stock.seen().filter(|(_, queue)| *queue == Queue::Binary) {
            let requires = member.list(List::Requires).iter();
            all.extend(requires.map(|id| (self.stock.universe.name_of(*id), member.place(), *id)));
        }
        all.sort_unstable();
        self.mash.requirers = all;
    }

    fn requirers(&self, name: TextId) -> &[(TextId, Place, RelationId)] {
        let all = &self.mash.requirers;
        let start = all.partition_point(|(of, ..)| *of < name);
        let end = all.partition_point(|(of, ..)| *of <= name);
        all.get(start..end).unwrap_or_default()
    }

    /// Whether something that is there meets a requirement; false for rich ones.
    fn is_met(&mut self, relation: RelationId) -> bool {
        let known = self.answers.get(relation as usize).and_then(Option::as_ref);
        if known.and_then(|(_, known)| known.first()).is_some_and(|place| self.counts(*place)) {
            return true;
        }
        let name = self.stock.universe.name_of(relation);
        if self.stock.universe.text(name).starts_with('(') {
            return false;
        }
        let meeting = self.stock.meeting(&self.stock.universe.relation(relation), Some(name), Queue::Binary);
        let there = meeting.iter().copied().find(|place| self.counts(*place));
        self.answer(relation, there);
        there.is_some()
    }

    fn answer(&mut self, relation: RelationId, by: Option<Place>) {
        if let (Some(slot), Some(place)) = (self.answers.get_mut(relation as usize), by) {
            *slot = Some((Queue::Binary, vec![place]));
        }
    }

    /// Meets a requirement.
    fn resolve(&mut self, by: Place, relation: RelationId) -> Resolved {
        let name = self.stock.universe.name_of(relation);
        let text = self.stock.universe.text(name);
        if text.starts_with('(') {
            let mut added = false;
            for place in self.rich(by, relation) {
                added |= self.bring_in(place, Why::Requires { by, relation });
            }
            return if added { Resolved::Added } else { Resolved::Met };
        }
        if text.starts_with("rpmlib(") || self.is_met(relation) {
            return Resolved::Met;
        }
        // Many packages may have the same requirement.
        if self.missed.range((relation, 0)..=(relation, Place::MAX)).next().is_some() {
            self.missed.insert((relation, by));
            return Resolved::Missing;
        }
        let wanted = self.stock.universe.relation(relation);
        let meeting = self.stock.meeting(&wanted, Some(name), Queue::Binary);
        let Some(mut best) = self.provider(by, Some(name), &meeting) else {
            // What has left, but was there at first, is delivered nevertheless.
            if !meeting.iter().any(|place| self.mash.start.contains(place)) {
                self.missed.insert((relation, by));
            }
            return Resolved::Missing;
        };
        if let Some(other) = self.twin_in_its_place(best) {
            return self.refuse((relation, by), (best, other), meeting.len());
        }
        if let Some(obsoleter) = self.successor(best) {
            if wanted.sense.repodata_name().is_some() || meeting.binary_search(&obsoleter).is_err() {
                return self.refuse((relation, by), (best, obsoleter), meeting.len());
            }
            if let Some(other) = self.twin_in_its_place(obsoleter) {
                return self.refuse((relation, by), (best, other), meeting.len());
            }
            best = obsoleter;
        }
        self.note_choice(by, relation, &meeting, best);
        self.answer(relation, Some(best));
        self.bring_in(best, Why::Requires { by, relation });
        Resolved::Added
    }

    /// Takes note of a requirement whose best candidate does not come in for another package.
    fn refuse(&mut self, of: (RelationId, Place), by: (Place, Place), candidates: usize) -> Resolved {
        self.mash.replaced.insert(of, by);
        if candidates > 1 {
            self.mash.retried.insert(of.1);
        }
        Resolved::Missing
    }

    /// The same version of a package in an arch beside which it cannot be installed, if that is there.
    fn twin_in_its_place(&self, place: Place) -> Option<Place> {
        let member = self.stock.get(place)?;
        let is_twin = |other: Member<'_>| {
            other.nevra().evr == member.nevra().evr && other.nevra().arch != member.nevra().arch
        };
        let mut there = self.stock.named(member.name_id(), Queue::Binary).filter(|other| self.counts(*other));
        there.find(|other| self.excludes(place, *other) && self.stock.get(*other).is_some_and(is_twin))
    }

    /// Has packages leave that others which are there obsolete; false when there are none.
    fn strike(&mut self) -> bool {
        let there: Vec<_> = self.binary.keys().copied().filter(|place| self.counts(*place)).collect();
        let mut any = false;
        for by in there {
            let obsoletes = self.stock.get(by).map_or(&[][..], |member| member.list(List::Obsoletes));
            for &relation in obsoletes {
                let named = self.stock.named(self.stock.universe.name_of(relation), Queue::Binary);
                let hit = named.filter(|other| *other != by && self.counts(*other));
                let hit = hit.filter(|other| self.obsoletes(relation, *other));
                for other in hit.filter(|other| !self.is_obsoleted_by(by, *other)).collect::<Vec<_>>() {
                    self.leave(other);
                    self.mash.struck.insert(other);
                    any = true;
                }
            }
        }
        if any {
            self.reopen();
        }
        any
    }

    /// Has requirements looked at again that nothing met: what kept candidates out may be gone.
    fn reopen(&mut self) {
        let has_candidates = |id| !self.stock.meeting_of(id).is_empty();
        let missed = self.missed.iter().copied().filter(|(relation, _)| has_candidates(*relation));
        for missed in missed.collect::<Vec<_>>() {
            self.missed.remove(&missed);
        }
        self.mash.replaced.clear();
        self.look_again_at_lacking();
    }

    fn look_again_at_lacking(&mut self) {
        let lacking = std::mem::take(&mut self.mash.lacking);
        self.open.requires.extend(lacking);
    }

    /// What packages that left and are delivered nevertheless require of what is not.
    pub(super) fn lacked_by_left(&self) -> Vec<(RelationId, Place)> {
        let known = &self.mash;
        let is_there = |place: &Place| self.binary.contains_key(place) && !self.is_replaced(*place);
        let mut lacked = Vec::new();
        for by in known.left.intersection(&known.start).filter_map(|by| self.stock.get(*by)) {
            let plain = |id: &&RelationId| {
                let text = self.stock.universe.text(self.stock.universe.name_of(**id));
                !text.starts_with('(') && !text.starts_with("rpmlib(")
            };
            for &relation in by.list(List::Requires).iter().filter(plain) {
                let told = known.replaced.contains_key(&(relation, by.place()));
                if !told && !self.stock.meeting_of(relation).iter().any(is_there) {
                    lacked.push((relation, by.place()));
                }
            }
        }
        lacked
    }

    /// Whether a package was taken for a requirement, and is no more there.
    pub(super) fn is_replaced(&self, place: Place) -> bool {
        self.mash.left.contains(&place) && !self.mash.start.contains(&place)
    }

    /// Tells requirements that nothing meets since the only package that does is obsolete.
    pub(super) fn note_replaced(&mut self) {
        for ((relation, by), (package, obsoleter)) in std::mem::take(&mut self.mash.replaced) {
            let met = self.is_met(relation);
            let nevra = |place| self.stock.get(place).map(|member| member.nevra().clone());
            if let (false, Some(by), Some(package), Some(obsoleter)) =
                (met, nevra(by), nevra(package), nevra(obsoleter))
            {
                let requirement = self.stock.universe.relation(relation).to_string();
                self.notes.insert(Note::Replaced { requirement, by, package, obsoleter });
            }
        }
    }
}
