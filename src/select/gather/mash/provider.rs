//! Which package is taken for a requirement that nothing meets which is there, as yum 3.4 decides.
//!
//! Not considered is a package that is obsolete, or of which a newer version is there already, or the same version in another
//! arch that cannot be installed beside it. Of several others that with the most points is taken:
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
//! Of those with most points: the newest version of what is required, if each of them provides just one; then the fewest
//! requirements that nothing meets yet; then the shortest name; then the last in canonical order.

use std::collections::BTreeMap;

use super::super::super::expression::Expression;
use super::super::super::relation::Sense;
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
        let members = meeting.iter().filter(|place| self.is_offered(**place) && !self.is_outdone(**place));
        let all: Vec<Member<'_>> = members.filter_map(|place| self.stock.get(*place)).collect();
        if let [] | [_] = all.as_slice() {
            return all.first().map(|member| member.place());
        }
        let points = self.points(by, &all);
        let most = points.iter().max()?;
        let mut best: Vec<Member<'_>> = all
            .iter()
            .zip(&points)
            .filter(|(_, points)| *points == most)
            .map(|(member, _)| *member)
            .collect();
        let versions = name.and_then(|name| {
            best.iter().map(|member| self.only_version(*member, name)).collect::<Option<Vec<Evr>>>()
        });
        if let Some(versions) = versions {
            let newest = versions.iter().max().cloned();
            let mut versions = versions.into_iter();
            best.retain(|_| versions.next().cmp(&newest).is_eq());
        }
        if best.len() > 1 {
            let mut known = BTreeMap::new();
            let lacks: Vec<_> = best.iter().map(|member| self.lacks(*member, &mut known)).collect();
            let fewest = lacks.iter().min().copied();
            let mut lacks = lacks.into_iter();
            best.retain(|_| lacks.next() == fewest);
        }
        let shortest = best.iter().map(|member| member.nevra().name.len()).min()?;
        let best = best.into_iter().filter(|member| member.nevra().name.len() == shortest);
        best.map(Member::place).max()
    }

    /// Whether a package cannot come in beside one of its name that is there: that is newer, or the same in another arch.
    fn is_outdone(&self, place: Place) -> bool {
        let Some(member) = self.stock.get(place) else { return true };
        let named = self.stock.named(member.name_id(), Queue::Binary).rev();
        let there = named.filter(|other| self.counts(*other));
        let newest =
            there.filter(|other| self.excludes(place, *other)).find_map(|other| self.stock.get(other));
        newest.is_some_and(|newest| newest.nevra().evr >= member.nevra().evr)
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
                    let hit =
                        all.get(at).is_some_and(|one| self.obsoletes(by.place(), relation, one.place()));
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
