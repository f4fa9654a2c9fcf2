//! Inputs: what a request names.

use std::collections::{BTreeMap, BTreeSet};

use super::super::decision::{Flag, Greed, Request};
use super::super::multilib::Judge;
use super::super::pattern::Pattern;
use super::super::problem::{Problem, similar};
use super::super::relation::Relation;
use super::super::universe::{Place, TextId, Universe};
use super::stock::{Hidden, Queue, Stock};
use super::watched::Watched;
use super::{Condition, Done, From, Gather, Open, Wanted, Why};
use crate::base::Nevra;
use crate::base::fnmatch;
use crate::format::comps::{Comps, Group, GroupId, Need, lists_arch};
use crate::format::kickstart::Include;

/// With greed, this name means whatever provides it, as in Pungi.
const SYSTEM_RELEASE: &str = "system-release";

impl<'u> Gather<'u> {
    pub(super) fn new(
        request: &'u Request,
        comps: &'u Comps,
        universe: &'u Universe,
        judge: Option<Judge>,
    ) -> Self {
        let (mut problems, mut wanted, mut conditions) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
        let pattern = |text: &String| Wanted { pattern: text.clone(), from: From::Pattern };
        wanted.extend(request.packages.iter().map(pattern));
        for asked in groups(request, comps, &mut problems) {
            members(request, &asked, &mut wanted, &mut conditions);
        }
        // The order of a request means nothing.
        wanted.sort();
        wanted.dedup();
        let plain = |text: &str| Pattern::parse(text, request.tree()).plain().map(str::to_owned);
        let asked = wanted.iter().filter_map(|wanted| match wanted.from {
            From::Pattern => plain(&wanted.pattern),
            From::Group { .. } => Some(wanted.pattern.clone()),
        });
        let before_arch = |text: &String| text.rsplit_once('.').map(|(name, _)| name.to_owned());
        let asked = asked.chain(request.prepopulate.iter().filter_map(before_arch));
        let asked = asked.chain(
            conditions
                .iter()
                .flat_map(|condition: &Condition| [condition.requires.clone(), condition.install.clone()]),
        );
        let asked = asked.chain(comps.langpacks.iter().map(|rule| rule.name.clone()));
        let asked = asked.chain([SYSTEM_RELEASE.to_owned()]);
        let stock = Stock::new(universe, request, judge.as_ref(), asked);
        Self {
            request,
            comps,
            stock,
            judge,
            wanted,
            conditions: conditions.into_iter().collect(),
            builds: Vec::new(),
            beside: BTreeSet::new(),
            binary: BTreeMap::new(),
            debug: BTreeMap::new(),
            source: BTreeMap::new(),
            flags: BTreeMap::new(),
            answers: vec![None; universe.relations()],
            watched: Watched::default(),
            wishes: Watched::default(),
            missed: BTreeSet::new(),
            missed_so_far: BTreeSet::new(),
            missed_parts: BTreeMap::new(),
            open: Open::default(),
            done: Done::default(),
            source_of: BTreeMap::new(),
            judged: BTreeMap::new(),
            mash: super::mash::Known::default(),
            absent: BTreeSet::new(),
            problems,
            notes: BTreeSet::new(),
        }
    }

    /// Adds what patterns and groups name.
    pub(super) fn initial(&mut self) {
        let mut added: Vec<(usize, Place, Queue)> = Vec::new();
        for (at, wanted) in self.wanted.clone().iter().enumerate() {
            let (found, queue) = match &wanted.from {
                From::Pattern => self.matching(&wanted.pattern),
                From::Group { .. } => {
                    let named = self.stock.text(&wanted.pattern);
                    let found = named.map(|name| self.stock.named(name, Queue::Binary).collect());
                    (found.into_iter().collect(), Queue::Binary)
                }
            };
            let found: Vec<Vec<Place>> =
                found.into_iter().filter(|places: &Vec<_>| !places.is_empty()).collect();
            match &wanted.from {
                From::Pattern if found.is_empty() => self.no_match(&wanted.pattern),
                From::Group { group, .. } if found.is_empty() => {
                    self.absent.insert((group.clone(), wanted.pattern.clone()));
                }
                _ => {}
            }
            for of_name in found {
                added.extend(self.best(&of_name, queue, false).into_iter().map(|place| (at, place, queue)));
            }
        }
        for (at, place, queue) in added {
            let flag = match self.wanted.get(at).map(|wanted| &wanted.from) {
                Some(From::Group { .. }) => Flag::Group,
                _ => Flag::Input,
            };
            self.flag(place, flag);
            if queue != Queue::Binary {
                self.add_debug(place, Why::Wanted(at));
                self.mark(place);
            } else {
                self.add(place, Why::Wanted(at));
            }
        }
    }

    /// What a pattern means, name by name.
    fn matching(&self, text: &str) -> (Vec<Vec<Place>>, Queue) {
        let tree = self.stock.arch;
        if text == SYSTEM_RELEASE && self.greedy(Greed::All) {
            let meeting = self.stock.meeting(&Relation::any(text), self.stock.text(text), Queue::Binary);
            return (vec![meeting], Queue::Binary);
        }
        let pattern = Pattern::parse(text, tree);
        let queue = match (pattern.is_debug(), pattern.is_of_an_arch()) {
            (false, _) => Queue::Binary,
            (true, false) => Queue::AnyDebug,
            (true, true) => Queue::Debug,
        };
        let names: Vec<TextId> = match pattern.plain() {
            Some(name) => self.stock.text(name).into_iter().collect(),
            None => {
                let matches = |name: &TextId| fnmatch::matches(pattern.name, self.stock.universe.text(*name));
                self.stock.names().filter(matches).collect()
            }
        };
        let fits = |place: &Place| {
            self.stock.get(*place).is_some_and(|member| pattern.asks_for(&member.nevra().arch, tree))
        };
        let found = names.into_iter().map(|name| self.stock.named(name, queue).filter(fits).collect());
        (found.collect(), queue)
    }

    pub(super) fn no_match(&mut self, text: &str) {
        let pattern = Pattern::parse(text, self.stock.arch);
        let excluded = |nevra: &Nevra| {
            pattern.asks_for(&nevra.arch, self.stock.arch) && fnmatch::matches(pattern.name, &nevra.name)
        };
        let hidden =
            self.stock.hidden().filter(|(_, why)| matches!(why, Hidden::Excluded(_) | Hidden::Blacklisted));
        let excluded =
            hidden.map(|(member, _)| member.nevra()).filter(|nevra| excluded(nevra)).cloned().collect();
        let seen = self.stock.seen().filter(|(_, queue)| *queue != Queue::Source);
        let similar = similar(text, seen.map(|(member, _)| member.nevra().name.as_str()));
        self.problems.insert(Problem::NoMatch { pattern: text.to_owned(), similar, excluded });
    }

    /// Adds what the tree is to be populated with: `NAME.ARCH`, exactly.
    pub(super) fn prepopulate(&mut self) {
        let mut added = Vec::new();
        for (at, text) in self.request.prepopulate.iter().enumerate() {
            let found = text.rsplit_once('.').and_then(|(name, arch)| {
                let named = self.stock.named(self.stock.text(name)?, Queue::Binary);
                let of_arch =
                    |place: &Place| self.stock.get(*place).is_some_and(|member| member.nevra().arch == arch);
                Some(named.filter(of_arch).filter(|place| !self.stock.is_copy(*place)).collect::<Vec<_>>())
            });
            let found = found.unwrap_or_default();
            if found.is_empty() {
                self.problems.insert(Problem::NotThere(text.clone()));
            }
            let best = self.best(&found, Queue::Binary, false);
            added.extend(best.into_iter().map(|place| (at, place)));
        }
        for (at, place) in added {
            self.flag(place, Flag::Prepopulate);
            self.add(place, Why::Prepopulate(at));
        }
    }
}

/// A group that a request asks for.
struct Asked<'c> {
    group: &'c Group,
    /// The environment that lists it.
    environment: Option<&'c str>,
    include: Include,
}

/// The groups that a request asks for, by themselves or by an environment.
fn groups<'c>(request: &'c Request, comps: &'c Comps, problems: &mut BTreeSet<Problem>) -> Vec<Asked<'c>> {
    let mut no_group = |id: &str, environment: Option<&str>| {
        let similar = similar(id, comps.groups.iter().map(|group| group.id.as_str()));
        let environment = environment.map(str::to_owned);
        problems.insert(Problem::NoGroup { id: id.to_owned(), environment, similar });
    };
    let mut named = |id: &'c String| {
        let found = comps.group_named(id);
        if found.is_none() {
            no_group(id, None);
        }
        found
    };
    let ask = |group, include| Asked { group, environment: None, include };
    let lines = request.named_groups.iter();
    let mut asked: Vec<Asked<'_>> =
        lines.filter_map(|(id, include)| Some(ask(named(id)?, *include))).collect();
    // What environments leave to others, or out.
    let mut besides: BTreeSet<&str> = asked.iter().map(|asked| asked.group.id.as_str()).collect();
    besides.extend(request.without_groups.iter().filter_map(named).map(|group| group.id.as_str()));
    for id in &request.groups {
        match comps.group(id) {
            Some(group) => asked.push(ask(group, Include::Default)),
            None => no_group(id, None),
        }
    }
    let mut unknown = Vec::new();
    for id in &request.environments {
        let Some(environment) = comps.environment(id) else {
            unknown.push(id);
            continue;
        };
        if !is_for(request, &environment.arches, &environment.variants) {
            continue;
        }
        let options: &[GroupId] = if request.optional { &environment.options } else { &[] };
        let listed = environment.groups.iter().chain(options);
        let listed = listed.filter(|group| lists_arch(&group.arches, request.arch.name));
        for listed in listed.filter(|listed| !besides.contains(listed.id.as_str())) {
            match comps.group(&listed.id) {
                Some(group) => {
                    asked.push(Asked { group, environment: Some(id), include: Include::Default });
                }
                None => no_group(&listed.id, Some(id)),
            }
        }
    }
    for id in unknown {
        let known = comps.environments.iter().map(|environment| environment.id.as_str());
        problems.insert(Problem::NoEnvironment { id: id.clone(), similar: similar(id, known) });
    }
    asked.retain(|asked| is_for(request, &asked.group.arches, &asked.group.variants));
    asked
}

/// Whether lists of arches and variants (empty for all) have those of a request.
fn is_for(request: &Request, arches: &[String], variants: &[String]) -> bool {
    lists_arch(arches, request.arch.name)
        && (variants.is_empty() || request.variant.as_ref().is_none_or(|id| variants.contains(id)))
}

fn members(
    request: &Request,
    Asked { group, environment, include }: &Asked<'_>,
    wanted: &mut Vec<Wanted>,
    conditions: &mut BTreeSet<Condition>,
) {
    let optional = request.optional || request.is_nodeps() || *include == Include::Optional;
    let here = group.packages.iter();
    for member in here.filter(|member| is_for(request, &member.arches, &member.variants)) {
        match (member.need, &member.requires) {
            (need, _) if *include == Include::NoDefaults && need != Need::Mandatory => {}
            (Need::Optional, _) if !optional => {}
            (Need::Conditional, Some(requires)) if !request.is_nodeps() => {
                let (requires, install) = (requires.clone(), member.name.clone());
                conditions.insert(Condition { requires, install, group: group.id.clone() });
            }
            (Need::Conditional, None) if !request.is_nodeps() => {}
            (need, _) => {
                let (group, environment) = (group.id.clone(), environment.map(str::to_owned));
                let from = From::Group { group, environment, need };
                wanted.push(Wanted { pattern: member.name.clone(), from });
            }
        }
    }
}
