//! The best package of several.

use std::collections::BTreeSet;

use super::super::decision::Greed;
use super::super::universe::Place;
use super::Gather;
use super::stock::Queue;

impl Gather<'_> {
    /// What is taken of these packages, in canonical order: mostly one, with greed more of them.
    pub(super) fn best(&self, all: &[Place], queue: Queue, for_requirement: bool) -> Vec<Place> {
        if self.greedy(Greed::All) {
            return all.to_vec();
        }
        let mut all = self.without_copies(all);
        if queue == Queue::AnyDebug {
            all.retain(|place| self.stock.is_in(*place, Queue::Debug));
        }
        let of = |fits: &dyn Fn(Place) -> bool| {
            all.iter().copied().filter(|place| fits(*place)).collect::<Vec<_>>()
        };
        let natives = of(&|place| self.stock.is_native(place));
        let others = of(&|place| self.stock.is_multilib(place));
        let selected = |from: &[Place]| {
            let from = from.iter().copied();
            from.filter(|place| queue == Queue::Binary && self.binary.contains_key(place)).collect::<Vec<_>>()
        };
        let mut among = selected(&natives);
        for more in [selected(&others), natives.clone(), others.clone()] {
            if among.is_empty() {
                among = more;
            }
        }
        let order = |place: &Place| {
            let nevra = self.stock.get(*place)?.nevra();
            Some((self.stock.arch.rank(&nevra.arch), nevra.name.len(), &nevra.name, *place))
        };
        let Some(best) = among.into_iter().min_by_key(order) else { return Vec::new() };
        if !(for_requirement && self.greedy(Greed::Build)) {
            return vec![best];
        }
        let source = |place: Place| self.stock.get(place).and_then(|member| member.source_id());
        let build = if self.stock.is_native(best) { natives } else { others };
        build.into_iter().filter(|place| source(*place) == source(best)).collect()
    }

    /// Without packages that are looked aside at in the same version, under whatever arch.
    fn without_copies(&self, all: &[Place]) -> Vec<Place> {
        if !self.stock.aside {
            return all.to_vec();
        }
        let member = |place: &Place| {
            self.stock.get(*place).map(|member| (member.nevra(), self.stock.is_aside(*place)))
        };
        let aside = all.iter().filter_map(member).filter(|(_, aside)| *aside);
        let aside: BTreeSet<_> = aside.map(|(nevra, _)| (&nevra.name, &nevra.evr)).collect();
        let kept = |place: &Place| {
            member(place).is_some_and(|(nevra, is)| is || !aside.contains(&(&nevra.name, &nevra.evr)))
        };
        all.iter().copied().filter(kept).collect()
    }
}
