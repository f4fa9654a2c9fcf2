//! Which package is taken for a requirement that nothing meets which is there, as yum 3.4 decides.
//!
//! Not considered is a package that was found to be obsolete, or of which a newer version is there already that cannot be
//! installed beside it. Of several others that with the most points is taken, the last in canonical order if more than one
//! has them:
//!
//! | points | for |
//! |---|---|
//! | −1024 for each other candidate | a version of the name that is not the newest, of whatever arch |
//! | −1024 for each | other candidate that obsoletes it |
//! | 5 for each | other candidate of an arch that is farther from that of the package that has the requirement; and again, farther from the machine's |
//! | 20 | the same source package as that of the package that has the requirement |
//! | 5 | the package that is named like its source package is there |
//! | 2 for each letter | that its name begins with like the name of that package, if these are more than two |
//!
//! Then, each of those that have the most by then:
//!
//! | points | for |
//! |---|---|
//! | 1 | the newest version of what is required, if each of them provides just one |
//! | 1 | the fewest requirements that nothing meets yet |
//! | 1000 − the length of its name | |
//!
//! Last come packages that conflict with the one that has the requirement, by what that one says. Metadata of mash's time have
//! no weak dependencies, so these give no points here.

use std::collections::{BTreeMap, BTreeSet};

use super::super::super::expression::Expression;
use super::super::super::relation::{Relation, Sense};
use super::super::super::universe::{List, Member, Place, RelationId, TextId};
use super::super::Gather;
use super::super::companions::parts;
use super::super::stock::Queue;
use crate::base::Evr;

const OUTDATED: i64 = -1024;
const NEARER: i64 = 5;
const SAME_SOURCE: i64 = 20;
const BASE_THERE: i64 = 5;
const LETTER: i64 = 2;
/// More than anything else that still distinguishes the best.
const BEST: i64 = 1000;

/// What yum takes for the next worse arch.
const NEXT: &[(&str, &str)] = &[
    ("amd64", "x86_64"),
    ("athlon", "i686"),
    ("i386", "noarch"),
    ("i486", "i386"),
    ("i586", "i486"),
    ("i686", "i586"),
    ("ia32e", "x86_64"),
    ("ppc", "noarch"),
    ("ppc64", "ppc"),
    ("ppc64iseries", "ppc64"),
    ("ppc64p7", "ppc64"),
    ("ppc64pseries", "ppc64"),
    ("s390", "noarch"),
    ("s390x", "s390"),
    ("sparc", "noarch"),
    ("sparc64", "sparcv9"),
    ("sparc64v", "sparcv9v"),
    ("sparcv8", "sparc"),
    ("sparcv9", "sparcv8"),
    ("sparcv9v", "sparcv9"),
    ("x86_64", "athlon"),
];

/// How many arches lie between two, counting one end; none where the second is not worse or the same.
fn distance(mut from: &str, to: &str) -> Option<usize> {
    for steps in 1..=NEXT.len() {
        if from == to {
            return Some(steps);
        }
        from = NEXT.iter().find(|(arch, _)| *arch == from)?.1;
    }
    None
}

/// Whether yum finds one arch nearer than the other.
fn is_nearer(from: &str, one: &str, other: &str) -> bool {
    match (distance(from, one), distance(from, other)) {
        (Some(one), Some(other)) => one < other,
        (one, _) => one.is_some(),
    }
}

/// The arch of the machine that yum resolves for: for trees of two arches it prefers 32 bits on ppc and sparc.
fn machine(tree: &str) -> &str {
    match tree {
        "ppc64" => "ppc",
        "sparc" => "sparcv9v",
        _ => tree,
    }
}

impl Gather<'_> {
    /// The package that is taken for a requirement of a package: of those that meet it, none of which is there.
    pub(in crate::select::gather) fn provider(
        &self,
        by: Place,
        name: Option<TextId>,
        meeting: &[Place],
    ) -> Option<Place> {
        let is_offered = |place: &&Place| !self.mash.struck.contains(place) && !self.is_outdone(**place);
        let members = meeting.iter().filter(is_offered);
        let mut all: Vec<Member<'_>> = members.filter_map(|place| self.stock.get(*place)).collect();
        // Of two copies of one package one counts.
        all.dedup_by(|second, first| second.nevra() == first.nevra());
        if let [] | [_] = all.as_slice() {
            return all.first().map(|member| member.place());
        }
        let mut points = self.points(by, &all);
        let best = best(&points, &all);
        let versions: Option<Vec<Evr>> =
            name.and_then(|name| best.iter().map(|(_, member)| self.only_version(*member, name)).collect());
        if let Some(versions) = versions {
            let newest = versions.iter().max();
            let won = best.iter().zip(&versions).filter(|(_, evr)| Some(*evr) == newest);
            give(&mut points, 1, won.filter(|_| best.len() > 1).map(|((at, _), _)| *at));
        }
        let best = self::best(&points, &all);
        if best.len() > 1 {
            let mut known = BTreeMap::new();
            let lacks: Vec<_> = best.iter().map(|(_, member)| self.lacks(*member, &mut known)).collect();
            let fewest = lacks.iter().min();
            let won = best.iter().zip(&lacks).filter(|(_, lacks)| Some(*lacks) == fewest);
            give(&mut points, 1, won.map(|((at, _), _)| *at));
        }
        for (at, member) in self::best(&points, &all) {
            let length = i64::try_from(member.nevra().name.len()).unwrap_or(BEST);
            give(&mut points, BEST - length, [at].into_iter());
        }
        let conflicting: Vec<_> = all
            .iter()
            .enumerate()
            .filter(|(_, member)| self.conflicts(by, **member))
            .map(|(at, _)| at)
            .collect();
        let range = points.iter().max()? - points.iter().min()? + 1;
        give(&mut points, -range, conflicting.into_iter());
        let places = all.iter().map(|member| member.place());
        points.into_iter().zip(places).max().map(|(_, place)| place)
    }

    /// Whether a package says that it conflicts with something that another one provides.
    fn conflicts(&self, by: Place, with: Member<'_>) -> bool {
        let said = self.stock.get(by).map_or(&[][..], |by| by.list(List::Conflicts));
        said.iter().any(|id| self.stock.meets(with.place(), *id))
    }

    /// Whether a package cannot come in since a newer one of its name is there.
    fn is_outdone(&self, place: Place) -> bool {
        let Some(member) = self.stock.get(place) else { return true };
        if self.mash.install_only.contains(&place) {
            return false;
        }
        let named = self.stock.named(member.name_id(), Queue::Binary).rev();
        let there = named.filter(|other| self.counts(*other));
        let newest =
            there.filter(|other| self.excludes(place, *other)).find_map(|other| self.stock.get(other));
        newest.is_some_and(|newest| newest.nevra().evr > member.nevra().evr)
    }

    /// Whether no version of the same name is newer, of whatever arch.
    pub(super) fn is_newest(&self, place: Place) -> bool {
        let Some(member) = self.stock.get(place) else { return false };
        let mut named = self.stock.named(member.name_id(), Queue::Binary).rev();
        let newest = named.find(|other| !self.mash.struck.contains(other));
        let newest = newest.and_then(|newest| self.stock.get(newest));
        newest.is_none_or(|newest| newest.nevra().evr <= member.nevra().evr)
    }

    /// The package that comes in where another one is obsolete: that which obsoletes it, or which obsoletes that one, and so
    /// on. None where they go round.
    pub(super) fn successor(&self, place: Place) -> Option<Place> {
        let mut seen = BTreeSet::from([place]);
        let mut last = place;
        while let Some(next) = self.obsoleter(last) {
            if !seen.insert(next) {
                return None;
            }
            last = next;
        }
        (last != place).then_some(last)
    }

    /// A package of the newest version that obsoletes this one: one that cannot be installed beside it, if there is one; of
    /// several names the first, of several arches the nearest.
    fn obsoleter(&self, place: Place) -> Option<Place> {
        let of = self.stock.get(place)?;
        let universe = self.stock.universe;
        let all = self.mash.obsoletes.get(&of.name_id())?.iter().filter(|(by, relation)| {
            let any = universe.relation(*relation).sense == Sense::ANY;
            let own = self.stock.get(*by).is_none_or(|by| by.name_id() == of.name_id());
            let idle = (any && own) || self.mash.struck.contains(by);
            !idle && self.obsoletes(*relation, place)
        });
        let mut all: Vec<Member<'_>> = all.filter_map(|(by, _)| self.stock.get(*by)).collect();
        if all.iter().any(|by| self.excludes(place, by.place())) {
            all.retain(|by| self.excludes(place, by.place()));
        }
        let first = all.iter().min_by_key(|by| by.place())?.name_id();
        all.retain(|by| by.name_id() == first);
        let from = [of.nevra().arch.as_str(), machine(self.stock.arch.name)];
        let far = |from: &str, by: Member<'_>| distance(from, &by.nevra().arch).unwrap_or(usize::MAX);
        let key = |by: &Member<'_>| (from.map(|from| far(from, *by)), by.place());
        all.into_iter().min_by_key(key).map(Member::place)
    }

    pub(super) fn is_obsoleted_by(&self, place: Place, by: Place) -> bool {
        let Some(by) = self.stock.get(by) else { return false };
        by.list(List::Obsoletes).iter().any(|relation| self.obsoletes(*relation, place))
    }

    /// Whether what a package says to obsolete is another one, in the version it has.
    pub(super) fn obsoletes(&self, relation: RelationId, place: Place) -> bool {
        let Some(member) = self.stock.get(place) else { return false };
        if self.stock.universe.name_of(relation) != member.name_id() {
            return false;
        }
        let itself = Relation::versioned(&member.nevra().name, Sense::EQUAL, member.nevra().evr.to_string());
        self.stock.universe.relation(relation).meets(&itself)
    }

    fn points(&self, by: Place, all: &[Member<'_>]) -> Vec<i64> {
        let others = i64::try_from(all.len()).unwrap_or(i64::MAX).saturating_sub(1);
        let requirer = self.stock.get(by);
        let mut arches: BTreeMap<&str, i64> = BTreeMap::new();
        let mut names: BTreeMap<TextId, Vec<usize>> = BTreeMap::new();
        for (at, member) in all.iter().enumerate() {
            *arches.entry(&member.nevra().arch).or_default() += 1;
            names.entry(member.name_id()).or_default().push(at);
        }
        let from = [requirer.map(|by| by.nevra().arch.as_str()), Some(machine(self.stock.arch.name))];
        let nearer = |arch: &str| {
            let worse = |from: &str| -> i64 {
                arches.iter().filter(|(other, _)| is_nearer(from, arch, other)).map(|(_, count)| *count).sum()
            };
            from.iter().flatten().map(|from| worse(from)).sum::<i64>()
        };
        let nearer: BTreeMap<&str, i64> = arches.keys().map(|arch| (*arch, nearer(arch))).collect();
        let mut points: Vec<i64> = all
            .iter()
            .map(|member| {
                let nevra = member.nevra();
                let mut sum = NEARER * nearer.get(nevra.arch.as_str()).copied().unwrap_or_default();
                if !self.is_newest(member.place()) {
                    sum += OUTDATED * others;
                }
                let source = member.source_id();
                if source.is_some() && requirer.is_some_and(|by| by.source_id() == source) {
                    sum += SAME_SOURCE;
                }
                let base = member.source().and_then(parts).map_or(nevra.name.as_str(), |(name, ..)| name);
                if self.is_there(base) {
                    sum += BASE_THERE;
                }
                let alike = requirer.map_or(0, |by| alike(&by.nevra().name, &nevra.name));
                if alike > 2 { sum + LETTER * i64::try_from(alike).unwrap_or_default() } else { sum }
            })
            .collect();
        for by in all {
            for &relation in by.list(List::Obsoletes) {
                let named = names.get(&self.stock.universe.name_of(relation)).into_iter().flatten();
                for &at in named {
                    let hit = all.get(at).is_some_and(|one| {
                        one.place() != by.place() && self.obsoletes(relation, one.place())
                    });
                    if let Some(sum) = points.get_mut(at).filter(|_| hit) {
                        *sum += OUTDATED;
                    }
                }
            }
        }
        points
    }

    /// The version that a package provides of a name, if that is said once and with `=`.
    fn only_version(&self, member: Member<'_>, name: TextId) -> Option<Evr> {
        let universe = self.stock.universe;
        let named = member.list(List::Provides).iter().filter(|id| universe.name_of(**id) == name);
        let relations = named.map(|id| universe.relation(*id));
        let mut stated = relations.filter(|relation| relation.sense == Sense::EQUAL);
        let one = stated.next().filter(|_| stated.next().is_none())?;
        let mut evr = Evr::parse(&one.version);
        if evr.release.is_empty() {
            evr.release = "0".into();
        }
        Some(evr)
    }

    /// How many requirements of a package are met neither by what is there nor by itself.
    fn lacks(&self, member: Member<'_>, known: &mut BTreeMap<RelationId, bool>) -> usize {
        let lacks = |id: &&RelationId| {
            if self.stock.universe.text(self.stock.universe.name_of(**id)).starts_with("rpmlib(") {
                return false;
            }
            let met = *known.entry(**id).or_insert_with(|| {
                let wanted = self.stock.universe.relation(**id);
                if wanted.is_rich() {
                    // What cannot be read is not met.
                    return Expression::of(&wanted).is_ok_and(|wanted| self.holds(&wanted));
                }
                let mut meeting = self.stock.meeting_of(**id).into_iter();
                meeting.any(|place| self.counts(place))
            });
            !met && !self.stock.meets(member.place(), **id)
        };
        member.list(List::Requires).iter().filter(lacks).count()
    }

    /// Whether a package of this name is there.
    fn is_there(&self, name: &str) -> bool {
        let universe = self.stock.universe;
        let (mut low, mut high) = (0, Place::try_from(universe.len()).unwrap_or(Place::MAX));
        while low < high {
            let middle = low + (high - low) / 2;
            if universe.at(middle).is_some_and(|member| *member.nevra().name < *name) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let first = universe.at(low).filter(|member| member.nevra().name == name);
        first.is_some_and(|first| {
            let mut named = self.stock.named(first.name_id(), Queue::Binary);
            named.any(|place| self.counts(place))
        })
    }
}

/// Those that have the most points, with their places among all.
fn best<'u>(points: &[i64], all: &[Member<'u>]) -> Vec<(usize, Member<'u>)> {
    let most = points.iter().max();
    let all = all.iter().enumerate().zip(points).filter(|(_, points)| Some(*points) == most);
    all.map(|((at, member), _)| (at, *member)).collect()
}

fn give(points: &mut [i64], more: i64, to: impl Iterator<Item = usize>) {
    for at in to {
        if let Some(points) = points.get_mut(at) {
            *points += more;
        }
    }
}

/// How many letters two names begin with alike.
fn alike(left: &str, right: &str) -> usize {
    left.bytes().zip(right.bytes()).take_while(|(left, right)| left == right).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arches_are_near_as_yum_has_it() {
        assert!(NEXT.is_sorted_by_key(|row| row.0));
        for (from, to, expected) in [
            ("x86_64", "x86_64", Some(1)),
            ("x86_64", "i686", Some(3)),
            ("x86_64", "noarch", Some(7)),
            ("i686", "x86_64", None),
            ("s390x", "s390", Some(2)),
            ("ppc64p7", "ppc", Some(3)),
            ("noarch", "noarch", Some(1)),
            ("noarch", "i686", None),
            ("aarch64", "noarch", None),
        ] {
            assert_eq!(distance(from, to), expected, "{from} {to}");
        }
        assert!(is_nearer("i686", "i686", "i586") && !is_nearer("i686", "i586", "i686"));
        assert!(is_nearer("i686", "noarch", "x86_64") && !is_nearer("i686", "x86_64", "noarch"));
        assert!(!is_nearer("i686", "i686", "i686"));
    }
}
