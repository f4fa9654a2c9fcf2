//! What is worth knowing of what was gathered.

use std::collections::BTreeSet;

use super::super::closure::{NEAR, Near};
use super::super::note::{Choice, Note};
use super::super::relation::{Relation, Sense};
use super::super::universe::{List, Member, Place, RelationId, TextId};
use super::Gather;
use super::stock::Queue;
use crate::base::Nevra;

/// How many of the packages that were not taken are named.
const OTHERS: usize = 8;

impl<'u> Gather<'u> {
    /// Notes that one of several packages was taken for a requirement, unless they have one name.
    pub(super) fn note_choice(&mut self, by: Place, relation: RelationId, meeting: &[Place], taken: Place) {
        let Some(best) = self.stock.get(taken) else { return };
        let name = best.nevra().name.as_str();
        let other_name = |member: &Member<'u>| member.nevra().name != name;
        let others = meeting.iter().filter_map(|place| self.stock.get(*place)).filter(other_name);
        let mut others: Vec<Member<'u>> = others.collect();
        let seen = |member: &Member<'u>| self.binary.contains_key(&member.place());
        if others.is_empty() || seen(&best) {
            return;
        }
        others.sort_by_key(|member| self.order(*member));
        let Some(second) = others.first() else { return };
        let (native, rank) = (
            |member: &Member<'u>| self.stock.is_native(member.place()),
            |member: &Member<'u>| self.stock.arch.rank(&member.nevra().arch),
        );
        let how = if self.request.is_everything() {
            Choice::Points
        } else if native(&best) != native(second) {
            Choice::Native
        } else if rank(&best) != rank(second) {
            Choice::Arch
        } else if name.len() != second.nevra().name.len() {
            Choice::ShorterName
        } else {
            Choice::Name
        };
        let Some(requirer) = self.stock.get(by) else { return };
        let note = Note::Choice {
            requirement: self.stock.universe.relation(relation).to_string(),
            by: requirer.nevra().clone(),
            taken: best.nevra().clone(),
            how,
            others: others.iter().take(OTHERS).map(|member| member.nevra().clone()).collect(),
        };
        self.notes.insert(note);
    }

    /// The order in which packages are the best: native ones first, then as [`Gather::best`] has it.
    fn order(&self, member: Member<'u>) -> (bool, Option<usize>, usize, &'u str, Place) {
        let nevra = member.nevra();
        let secondary = !self.stock.is_native(member.place());
        (secondary, self.stock.arch.rank(&nevra.arch), nevra.name.len(), &nevra.name, member.place())
    }

    /// Notes selected packages that others replace.
    pub(super) fn note_obsoleted(&mut self) {
        let mut notes = BTreeSet::new();
        for by in self.binary.keys().filter_map(|place| self.stock.get(*place)) {
            for &obsoletes in by.list(List::Obsoletes) {
                let name = self.stock.universe.name_of(obsoletes);
                let relation = self.stock.universe.relation(obsoletes);
                let named =
                    self.stock.named(name, Queue::Binary).filter(|place| self.binary.contains_key(place));
                for package in named.filter_map(|place| self.stock.get(place)) {
                    let nevra = package.nevra();
                    let itself = Relation::versioned(&nevra.name, Sense::EQUAL, nevra.evr.to_string());
                    if nevra.name != by.nevra().name && relation.meets(&itself) {
                        let (package, by) = (nevra.clone(), by.nevra().clone());
                        notes.insert(Note::Obsoleted { package, by, obsoletes: relation.to_string() });
                    }
                }
            }
        }
        self.notes.extend(notes);
    }

    /// What is provided under the name of a requirement that nothing meets, the newest first: the version does not fit.
    pub(super) fn near(&self, name: Option<TextId>) -> Vec<Near> {
        let provided = name.map_or(&[][..], |name| self.stock.provided(name)).iter();
        let mut near: Vec<(&Nevra, String)> = provided
            .filter_map(|(place, relation)| {
                let provided = self.stock.universe.relation(*relation);
                Some((self.stock.get(*place)?.nevra(), provided.to_string()))
            })
            .collect();
        near.sort_by(|left, right| right.0.cmp(left.0).then_with(|| left.1.cmp(&right.1)));
        near.dedup();
        let near = near.into_iter().take(NEAR);
        near.map(|(by, provided)| Near { provided, by: by.clone() }).collect()
    }
}
