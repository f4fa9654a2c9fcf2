//! What comes along with selected packages without being required: conditional members of groups, source and debugging
//! packages, the rest of a build, languages, the secondary arch.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::super::decision::{Flag, Greed};
use super::super::multilib::{Judge, Judged};
use super::super::problem::Problem;
use super::super::universe::{Member, Place, TextId};
use super::stock::Queue;
use super::{Gather, Why};
use crate::base::fnmatch;

impl Gather<'_> {
    fn selected(&self, done: &BTreeSet<Place>) -> Vec<Place> {
        self.binary.keys().copied().filter(|place| !done.contains(place)).collect()
    }

    fn name(&self, place: Place) -> &str {
        self.stock.get(place).map_or("", |member| member.nevra().name.as_str())
    }

    /// Conditional members of groups whose package is there. The flag goes to that package, as in Pungi.
    pub(super) fn conditional(&mut self) -> bool {
        let mut added = false;
        if self.conditions.is_empty() {
            return false;
        }
        for by in std::mem::take(&mut self.open.conditional) {
            let mut found = Vec::new();
            // They are sorted by what they require.
            let first = self.conditions.partition_point(|condition| *condition.requires < *self.name(by));
            for (condition, what) in self.conditions.iter().enumerate().skip(first) {
                if what.requires != self.name(by) {
                    break;
                }
                let named = self.stock.text(&what.install);
                let named: Vec<_> =
                    named.into_iter().flat_map(|name| self.stock.named(name, Queue::Binary)).collect();
                if named.is_empty() {
                    self.absent.insert((what.group.clone(), what.install.clone()));
                }
                found.extend(
                    self.best(&named, Queue::Binary, false).into_iter().map(|place| (place, condition)),
                );
            }
            for (place, condition) in found {
                if self.add(place, Why::Conditional { by, condition }) {
                    self.flag(by, Flag::Conditional);
                    added = true;
                }
            }
        }
        added
    }

    /// The source package of each selected package: of several the one from the same side (offered or looked aside at).
    pub(super) fn sources(&mut self) -> bool {
        let mut added = false;
        for of in std::mem::take(&mut self.open.sources) {
            let Some(member) = self.stock.get(of) else { continue };
            let Some((id, file)) = member.source_id().zip(member.source()) else { continue };
            let source = self.source_of.get(&id).copied().or_else(|| {
                let (name, version, release) = parts(file)?;
                let found = self.stock.sources(name, version, release);
                let beside = |place: &&Place| self.stock.is_aside(**place) == self.stock.is_aside(of);
                found.iter().find(beside).or(found.first()).copied()
            });
            let Some(source) = source else { continue };
            self.source_of.insert(id, source);
            if self.stock.is_aside(of) || self.stock.is_aside(source) {
                self.flag(source, Flag::Lookaside);
            }
            if let Entry::Vacant(new) = self.source.entry(source) {
                new.insert(Why::Source { of });
                self.open.build.insert(source);
                added = true;
            }
        }
        added
    }

    /// Debugging packages of the same build and arch: the package's own, and the sources of the build.
    pub(super) fn debug_packages(&mut self) -> bool {
        let mut added = false;
        for of in std::mem::take(&mut self.open.debug) {
            let Some(member) = self.stock.get(of) else { continue };
            let Some(source) = member.source_id() else { continue };
            let own = format!("{}-debuginfo", member.nevra().name);
            let fits = |place: &Place| {
                self.stock.is_in(*place, Queue::Debug)
                    && self.stock.get(*place).is_some_and(|debug| {
                        let nevra = debug.nevra();
                        nevra.arch == member.nevra().arch
                            && (nevra.name == own || nevra.name.contains("-debugsource"))
                    })
            };
            for place in self.stock.built(source).filter(fits).collect::<Vec<_>>() {
                // What debugs a package that is not delivered is not delivered either.
                if self.is_aside(place) || self.is_aside(of) {
                    self.flag(place, Flag::Lookaside);
                }
                added |= self.add_debug(place, Why::Debug { of });
            }
        }
        added
    }

    /// The rest of each build: its packages of the native arch where one of them is selected or none of the secondary
    /// arch is, else those of the secondary arch; its `noarch` packages always. What comes in so brings nothing more.
    pub(super) fn fulltree(&mut self) -> bool {
        let mut added = false;
        for with in std::mem::take(&mut self.open.fulltree) {
            if self.done.fulltree.contains(&with) || self.is_fulltree_exclude(with) {
                continue;
            }
            self.done.fulltree.insert(with);
            let Some(source) = self.stock.get(with).and_then(|member| member.source_id()) else { continue };
            let fits = |place: &Place| self.stock.is_in(*place, Queue::Binary) && !self.stock.is_copy(*place);
            let built = self.stock.built(source).filter(fits);
            let (mut native, mut secondary, mut noarch) = (Vec::new(), Vec::new(), Vec::new());
            for place in built {
                match (self.stock.is_native(place), self.stock.is_multilib(place)) {
                    (true, true) => noarch.push(place),
                    (true, false) => native.push(place),
                    (false, _) => secondary.push(place),
                }
            }
            let any = |places: &[Place]| places.iter().any(|place| self.binary.contains_key(place));
            let pull_native = !native.is_empty() && (any(&native) || !any(&secondary));
            let mut pulled = Vec::new();
            if pull_native || self.greedy(Greed::All) {
                pulled.extend(native);
            }
            if !pull_native || self.greedy(Greed::All) {
                pulled.extend(secondary);
            }
            pulled.extend(noarch);
            for place in pulled {
                if self.add(place, Why::Fulltree { with }) {
                    self.flag(place, Flag::Fulltree);
                    added = true;
                }
                self.done.fulltree.insert(place);
            }
        }
        added
    }

    /// Packages of languages, by the rules of comps.
    pub(super) fn langpacks(&mut self) -> bool {
        const NEVER: &str = "man-pages-overrides";
        let mut added = false;
        for by in std::mem::take(&mut self.open.langpacks) {
            let mut found: BTreeMap<TextId, usize> = BTreeMap::new();
            for (rule, langpack) in self.comps.langpacks.iter().enumerate() {
                if langpack.name != self.name(by) {
                    continue;
                }
                let pattern = langpack.install.replace("%s", "*");
                for name in self.stock.names() {
                    let text = self.stock.universe.text(name);
                    let left_out = text.ends_with("-devel") || text.ends_with("-static") || text == NEVER;
                    if !left_out && fnmatch::matches(&pattern, text) {
                        let of = |rule: usize| self.comps.langpacks.get(rule).map(|rule| &rule.install);
                        let known = found.entry(name).or_insert(rule);
                        if of(rule) < of(*known) {
                            *known = rule;
                        }
                    }
                }
            }
            for (name, rule) in found {
                // With greed both copies are seen; of those Pungi takes whichever comes first, here it is the one looked aside at.
                let named = self.stock.named(name, Queue::Binary);
                let named: Vec<_> = named.filter(|place| !self.stock.is_copy(*place)).collect();
                let Some(place) = self.best(&named, Queue::Binary, false).first().copied() else { continue };
                self.flag(place, Flag::Langpack);
                added |= self.add(place, Why::Langpack { by, rule });
            }
        }
        added
    }

    /// Packages of the secondary arch.
    pub(super) fn multilib(&mut self) -> bool {
        let Some(judge) = self.judge.clone() else { return false };
        if judge.judged() == Judged::Secondary {
            return self.multilib_of_all(&judge);
        }
        let koji = judge.judged() == Judged::Native;
        let mut added = false;
        for native in self.selected(&self.done.multilib) {
            let Some(member) = self.stock.get(native) else { continue };
            if self.stock.is_multilib(native) {
                self.done.multilib.insert(native);
                continue;
            }
            let twins = if koji { self.twin_files(&judge, member) } else { self.twins(member) };
            let best = self.best(&twins, Queue::Binary, false);
            let secondary = self.stock.arch.multilib.first().filter(|_| koji && best.is_empty());
            if let Some(arch) = secondary
                && self.judge(&judge, native)
            {
                let file = judge.profile.twin_file(member.nevra(), arch);
                self.problems.insert(Problem::NoTwin { package: member.nevra().clone(), file });
            }
            for twin in best {
                if self.judge(&judge, if koji { native } else { twin }) {
                    added |= self.multilib_package(twin, if koji { native } else { twin }, Some(native));
                    self.done.multilib.insert(native);
                }
            }
        }
        added
    }

    /// Packages of the secondary arch that have the name, version and release of a native one.
    fn twins(&self, native: Member<'_>) -> Vec<Place> {
        let evr = &native.nevra().evr;
        let is_twin = |place: &Place| {
            self.stock.is_secondary(*place)
                && !self.stock.is_copy(*place)
                && self.stock.get(*place).is_some_and(|twin| {
                    let other = &twin.nevra().evr;
                    (&other.version, &other.release) == (&evr.version, &evr.release)
                })
        };
        self.stock.named(native.name_id(), Queue::Binary).filter(is_twin).collect()
    }

    /// Packages of the secondary arch whose file has the name that Koji looks for.
    fn twin_files(&self, judge: &Judge, native: Member<'_>) -> Vec<Place> {
        let mut found = Vec::new();
        for arch in self.stock.arch.multilib {
            let file = judge.profile.twin_file(native.nevra(), arch);
            let name = file.rsplitn(3, '-').nth(2).unwrap_or_default();
            let id = match name == native.nevra().name {
                true => Some(native.name_id()),
                // Few packages are named after their arch.
                false => self.stock.names().find(|id| self.stock.universe.text(*id) == name),
            };
            let named = id.into_iter().flat_map(|id| self.stock.named(id, Queue::Binary));
            found.extend(named.filter(|place| {
                self.stock.is_secondary(*place)
                    && self.stock.get(*place).is_some_and(|twin| twin.nevra().file_name() == file)
            }));
        }
        found
    }

    /// mash judges every package of the secondary arch, whatever is selected.
    fn multilib_of_all(&mut self, judge: &Judge) -> bool {
        let all = self.stock.seen().filter(|(_, queue)| *queue == Queue::Binary);
        let all: Vec<_> = all.map(|(member, _)| member.place()).collect();
        let mut added = false;
        for place in all {
            if self.stock.is_secondary(place)
                && !self.is_aside(place)
                && self.done.multilib.insert(place)
                && self.judge(judge, place)
            {
                added |= self.multilib_package(place, place, None);
            }
        }
        added
    }

    /// Whether a package is judged to be multilib; judged once.
    fn judge(&mut self, judge: &Judge, place: Place) -> bool {
        if !self.judged.contains_key(&place)
            && let Some(member) = self.stock.get(place)
        {
            self.judged.insert(place, judge.judge(&member));
        }
        self.judged.get(&place).is_some_and(|verdict| verdict.selected)
    }

    fn multilib_package(&mut self, place: Place, judged: Place, twin: Option<Place>) -> bool {
        self.flag(place, Flag::Multilib);
        let Some(verdict) = self.judged.get(&judged).cloned() else { return false };
        self.add(place, Why::Multilib { twin, verdict })
    }
}

/// Name, version and release of a source package by the name of its file.
pub(super) fn parts(file: &str) -> Option<(&str, &str, &str)> {
    let stem = file.strip_suffix(".src.rpm").or_else(|| file.strip_suffix(".nosrc.rpm"))?;
    let mut parts = stem.rsplitn(3, '-');
    let (release, version, name) = (parts.next()?, parts.next()?, parts.next()?);
    Some((name, version, release))
}
