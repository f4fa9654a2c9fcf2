//! The decision: which packages of a universe a tree gets, and why each of them.
//!
//! 1. **Inputs**: packages that patterns, groups and environments name; of each name its best package.
//! 2. **Dependencies**: what the selected packages require. A requirement that a selected package meets is met;
//!    otherwise the best package that meets it is added (native before secondary arch, better arch, shorter
//!    name, name; see `pool.rs`). Of alternatives (`or`) the first that can be met is taken. Packages are worked
//!    off in rounds, each in canonical order, so the answer depends on the universe and the request only. Conditions
//!    (`if`, `unless`) are asked of what is selected (see `require.rs`).
//! 3. **Conditional** members of the requested groups come in when the package that they require is there.
//! 4. **Weak** dependencies, where they are wanted: the best package that meets a recommendation of a selected one,
//!    and packages that supplement what is there. What cannot be met is passed over.
//! 5. **Multilib**: packages of the secondary arch that the profile's methods select (see `multilib.rs`), and by 2
//!    what they require.
//!
//! Whenever a step adds something it starts again at 2, until nothing is added. Everything that is
//! wrong (a missing group, a pattern without a match, requirements that nothing meets, …) is collected and
//! reported at once.

use std::collections::{BTreeMap, BTreeSet};

use super::candidate::Candidate;
use super::decision::{Chosen, ChosenSource, Decision, Reason, Request};
use super::expression::Expression;
use super::multilib::{Judge, Judged, Verdict};
use super::pool::{Id, Pattern, Pool};
use super::problem::{Problem, SelectError, similar};
use super::relation::Relation;
use super::universe::Universe;
use crate::base::Nevra;
use crate::format::comps::{Comps, Group, GroupId, Need, lists_arch};

/// Decides what a tree gets.
pub fn decide(request: &Request, comps: &Comps, universe: &Universe) -> Result<Decision, SelectError> {
    let judge = request.multilib.as_ref().map(Judge::of);
    let candidates: Vec<Candidate> = universe.members().map(super::universe::Member::to_candidate).collect();
    let mut solver = Solver::new(request, &candidates, judge.as_ref());
    solver.patterns();
    solver.groups(comps);
    loop {
        if solver.dependencies() || solver.conditional() || (request.weak && solver.weak()) {
            continue;
        }
        match &judge {
            Some(judge) if solver.multilib(judge) => {}
            _ => break,
        }
    }
    solver.finish(&candidates)
}

struct Solver<'u> {
    request: &'u Request,
    excludes: Vec<Pattern<'u>>,
    pool: Pool<'u>,
    /// What exclusion hid, to say so where it is missed.
    hidden: Pool<'u>,
    selected: BTreeMap<Id, Chosen>,
    /// Selected, but their requirements were not looked at yet.
    open: BTreeSet<Id>,
    /// Requirements whose meaning changes as the selection grows.
    watched: Vec<(Id, &'u Relation, Expression)>,
    conditionals: BTreeSet<(String, String, String)>,
    judged: BTreeMap<Id, Verdict>,
    absent_members: BTreeSet<(String, String)>,
    /// Requirements that nothing meets, and by whom; those of `watched` apart, as they were looked at last.
    missed: Vec<(Id, Relation)>,
    missed_so_far: Vec<(Id, Relation)>,
    problems: BTreeSet<Problem>,
}

impl<'u> Solver<'u> {
    fn new(request: &'u Request, universe: &'u [Candidate], judge: Option<&Judge>) -> Self {
        let tree = request.arch;
        let excludes: Vec<_> = request.exclude.iter().map(|text| Pattern::parse(text, tree)).collect();
        let fits = |candidate: &&Candidate| {
            let arch = candidate.nevra.arch.as_str();
            let fits = tree.is_native(arch) || (judge.is_some() && tree.is_multilib(arch));
            fits && !candidate.not_for.iter().any(|name| name == tree.name)
        };
        let hides = |candidate: &Candidate| {
            excludes.iter().any(|pattern| pattern.matches(candidate, tree))
                || (tree.is_multilib(&candidate.nevra.arch)
                    && judge.is_some_and(|judge| judge.blacklists(&candidate.nevra.name)))
        };
        let (hidden, seen): (Vec<_>, Vec<_>) =
            universe.iter().filter(fits).partition(|candidate| hides(candidate));
        Self {
            request,
            pool: Pool::new(tree, seen.into_iter()),
            hidden: Pool::new(tree, hidden.into_iter()),
            excludes,
            selected: BTreeMap::new(),
            open: BTreeSet::new(),
            watched: Vec::new(),
            conditionals: BTreeSet::new(),
            judged: BTreeMap::new(),
            absent_members: BTreeSet::new(),
            missed: Vec::new(),
            missed_so_far: Vec::new(),
            problems: BTreeSet::new(),
        }
    }

    /// Adds a package; true when it is new.
    fn add(&mut self, id: Id, why: Reason) -> bool {
        let Some(candidate) = self.pool.get(id) else { return false };
        if let Some(chosen) = self.selected.get_mut(&id) {
            chosen.flags.insert(why.flag());
            return false;
        }
        self.selected.insert(id, Chosen { key: candidate.key, flags: BTreeSet::from([why.flag()]), why });
        self.open.insert(id);
        true
    }

    fn patterns(&mut self) {
        for text in &self.request.packages {
            let found = self.pool.matching(&Pattern::parse(text, self.request.arch));
            if found.is_empty() {
                let pattern = Pattern::parse(text, self.request.arch);
                let excluded =
                    self.hidden.iter().filter(|(_, package)| pattern.matches(package, self.request.arch));
                let excluded: Vec<_> = excluded.map(|(_, package)| package.nevra.clone()).collect();
                let names = self.pool.iter().map(|(_, package)| package.nevra.name.as_str());
                self.problems.insert(Problem::NoMatch {
                    pattern: text.clone(),
                    similar: similar(text, names),
                    excluded,
                });
            }
            for id in found {
                self.add(id, Reason::Pattern(text.clone()));
            }
        }
    }

    fn groups(&mut self, comps: &Comps) {
        let mut wanted: Vec<(&str, Option<&str>)> = Vec::new();
        for id in &self.request.groups {
            wanted.push((id, None));
        }
        for id in &self.request.environments {
            let Some(environment) = comps.environment(id) else {
                let similar =
                    similar(id, comps.environments.iter().map(|environment| environment.id.as_str()));
                self.problems.insert(Problem::NoEnvironment { id: id.clone(), similar });
                continue;
            };
            let options: &[GroupId] = if self.request.optional { &environment.options } else { &[] };
            let listed = environment.groups.iter().chain(options);
            let listed = listed.filter(|group| lists_arch(&group.arches, self.request.arch.name));
            wanted.extend(listed.map(|group| (group.id.as_str(), Some(id.as_str()))));
        }
        for (id, environment) in wanted {
            match comps.group(id) {
                Some(group) if lists_arch(&group.arches, self.request.arch.name) => {
                    self.members(group, environment);
                }
                Some(_) => {}
                None => {
                    let similar = similar(id, comps.groups.iter().map(|group| group.id.as_str()));
                    let environment = environment.map(str::to_owned);
                    self.problems.insert(Problem::NoGroup { id: id.to_owned(), environment, similar });
                }
            }
        }
    }

    fn members(&mut self, group: &Group, environment: Option<&str>) {
        for member in
            group.packages.iter().filter(|member| lists_arch(&member.arches, self.request.arch.name))
        {
            match member.need {
                Need::Optional if !self.request.optional => continue,
                Need::Conditional => {
                    if let Some(requires) = &member.requires {
                        self.conditionals.insert((requires.clone(), member.name.clone(), group.id.clone()));
                    }
                    continue;
                }
                _ => {}
            }
            match self.pool.best(self.pool.named(&member.name).iter().copied()) {
                Some(best) => {
                    let environment = environment.map(str::to_owned);
                    self.add(best, Reason::Group { group: group.id.clone(), environment, need: member.need });
                }
                None => {
                    self.absent_members.insert((group.id.clone(), member.name.clone()));
                }
            }
        }
    }

    fn conditional(&mut self) -> bool {
        let mut added = false;
        for (requires, name, group) in self.conditionals.clone() {
            let present = self.pool.named(&requires).iter().find(|id| self.selected.contains_key(id));
            let Some(with) = present.and_then(|id| self.pool.get(*id)) else { continue };
            if self.pool.named(&name).iter().any(|id| self.selected.contains_key(id)) {
                continue;
            }
            match self.pool.best(self.pool.named(&name).iter().copied()) {
                Some(best) => {
                    added |= self.add(best, Reason::Conditional { group, with: with.nevra.clone() });
                }
                None => {
                    self.absent_members.insert((group, name));
                }
            }
        }
        added
    }

    fn multilib(&mut self, judge: &Judge) -> bool {
        let tree = self.request.arch;
        let mut added = false;
        // Which package comes in, which is judged, and the selected native package it goes with.
        let mut cases: Vec<(Id, &Candidate, Option<&Candidate>)> = Vec::new();
        if judge.judged() == Judged::Secondary {
            cases.extend(
                self.pool
                    .iter()
                    .filter(|(_, package)| tree.is_multilib(&package.nevra.arch) && !package.is_debug())
                    .map(|(id, package)| (id, package, None)),
            );
        } else {
            let koji = judge.judged() == Judged::Native;
            let natives: Vec<_> = self.selected.keys().filter_map(|id| self.pool.get(*id)).collect();
            for native in
                natives.into_iter().filter(|native| tree.native.contains(&native.nevra.arch.as_str()))
            {
                let evr = &native.nevra.evr;
                let twins = self.pool.named(&native.nevra.name).iter().copied().filter(|id| {
                    self.pool.get(*id).is_some_and(|twin| {
                        let other = &twin.nevra.evr;
                        tree.is_multilib(&twin.nevra.arch)
                            && (&other.version, &other.release) == (&evr.version, &evr.release)
                    })
                });
                match self.pool.best(twins).and_then(|id| self.pool.get(id).map(|twin| (id, twin))) {
                    Some((id, twin)) => cases.push((id, if koji { native } else { twin }, Some(native))),
                    None if koji && judge.judge(native).selected => {
                        self.problems.insert(Problem::NoTwin { package: native.nevra.clone() });
                    }
                    None => {}
                }
            }
        }
        for (id, package, twin) in cases {
            if self.judged.contains_key(&id) {
                continue;
            }
            let verdict = judge.judge(package);
            self.judged.insert(id, verdict.clone());
            if verdict.selected {
                added |=
                    self.add(id, Reason::Multilib { twin: twin.map(|twin| twin.nevra.clone()), verdict });
            }
        }
        added
    }

    fn finish(mut self, universe: &[Candidate]) -> Result<Decision, SelectError> {
        let mut unresolved: BTreeMap<String, (Relation, BTreeSet<Nevra>)> = BTreeMap::new();
        for (by, relation) in self.missed.drain(..).chain(self.missed_so_far.drain(..)) {
            if let Some(requirer) = self.pool.get(by) {
                let entry = unresolved.entry(relation.to_string());
                entry.or_insert_with(|| (relation, BTreeSet::new())).1.insert(requirer.nevra.clone());
            }
        }
        for (requirement, (relation, by)) in unresolved {
            let hidden = self.hidden.iter().filter(|(_, package)| package.meets(&relation));
            let excluded = hidden.map(|(_, package)| package.nevra.clone()).collect();
            self.problems.insert(Problem::Unresolved { requirement, by, excluded });
        }
        if self.request.require_members {
            for (group, name) in &self.absent_members {
                self.problems.insert(Problem::NoMember { group: group.clone(), name: name.clone() });
            }
        }
        let sources = if self.request.sources { self.sources(universe) } else { BTreeMap::new() };
        if !self.problems.is_empty() {
            return Err(SelectError::Problems(self.problems.into_iter().collect()));
        }
        let named = |id: &Id| self.pool.get(*id).map(|package| package.nevra.clone());
        Ok(Decision {
            packages: self
                .selected
                .iter()
                .filter_map(|(id, chosen)| Some((named(id)?, chosen.clone())))
                .collect(),
            sources,
            absent_members: self.absent_members,
            judged: self
                .judged
                .iter()
                .filter_map(|(id, verdict)| Some((named(id)?, verdict.clone())))
                .collect(),
        })
    }

    fn sources(&mut self, universe: &[Candidate]) -> BTreeMap<Nevra, ChosenSource> {
        let excluded = |candidate: &Candidate| {
            self.excludes.iter().any(|pattern| pattern.matches(candidate, self.request.arch))
        };
        let offered: BTreeMap<String, &Candidate> = universe
            .iter()
            .filter(|candidate| candidate.nevra.is_source() && !excluded(candidate))
            .map(|candidate| (candidate.nevra.file_name(), candidate))
            .collect();
        let mut sources: BTreeMap<Nevra, ChosenSource> = BTreeMap::new();
        let mut missing: BTreeMap<Option<String>, BTreeSet<Nevra>> = BTreeMap::new();
        for package in self.selected.keys().filter_map(|id| self.pool.get(*id)) {
            // The epoch is not part of the file name, and a source package is never named with one.
            match package.source.as_ref().and_then(|name| offered.get(name)) {
                Some(source) => {
                    let entry = sources.entry(source.nevra.clone());
                    let chosen =
                        entry.or_insert_with(|| ChosenSource { key: source.key, built: BTreeSet::new() });
                    chosen.built.insert(package.nevra.clone());
                }
                None => {
                    missing.entry(package.source.clone()).or_default().insert(package.nevra.clone());
                }
            }
        }
        self.problems.extend(missing.into_iter().map(|(source, built)| Problem::NoSource { source, built }));
        sources
    }
}

#[path = "require.rs"]
mod require;

#[path = "weak.rs"]
mod weak;

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
