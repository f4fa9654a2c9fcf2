//! The answer: what was gathered, by full names, and what is wrong.

use std::collections::{BTreeMap, BTreeSet};

use super::super::decision::{Chosen, ChosenSource, Decision, Reason};
use super::super::problem::Problem;
use super::super::relation::Relation;
use super::super::universe::{Place, RelationId, TextId};
use super::stock::Hidden;
use super::{From, Gather, Why};
use crate::base::Nevra;

impl Gather<'_> {
    pub(super) fn finish(mut self) -> Decision {
        if self.request.is_everything() {
            self.forget_context();
        }
        self.unresolved();
        self.note_obsoleted();
        self.absent_sources();
        if self.request.require_members {
            let absent = self.absent.iter().cloned();
            self.problems.extend(absent.map(|(group, name)| Problem::NoMember { group, name }));
        }
        if self.request.is_everything() {
            self.pass_over();
            self.forget_idle();
        }
        let packages = self.chosen(&self.binary);
        let debug = self.chosen(&self.debug);
        let mut sources: BTreeMap<Nevra, ChosenSource> = BTreeMap::new();
        for (place, why) in &self.source {
            let Some(member) = self.stock.get(*place) else { continue };
            let of = if let Why::Source { of } = why { Some(*of) } else { None };
            let source = sources.entry(member.nevra().clone()).or_insert_with(|| ChosenSource {
                key: member.key(),
                flags: BTreeSet::new(),
                built: BTreeSet::new(),
                of: of.map(|of| self.nevra(of)),
            });
            source.flags.extend(self.flags.get(place).into_iter().flatten());
        }
        for place in self.binary.keys() {
            let Some(member) = self.stock.get(*place) else { continue };
            let source = member.source_id().and_then(|id| self.source_of.get(&id));
            let source = source.and_then(|place| self.stock.get(*place)).map(|source| source.nevra());
            if let Some(source) = source.and_then(|nevra| sources.get_mut(nevra)) {
                source.built.insert(member.nevra().clone());
            }
        }
        let judged = self.judged.iter();
        let judged = judged.map(|(place, verdict)| (self.nevra(*place), verdict.clone())).collect();
        Decision {
            packages,
            sources,
            debug,
            absent_members: self.absent,
            judged,
            problems: self.problems,
            notes: self.notes,
            trimmed: BTreeMap::new(),
            moved: BTreeMap::new(),
        }
    }

    fn nevra(&self, place: Place) -> Nevra {
        match self.stock.get(place) {
            Some(member) => member.nevra().clone(),
            // Every place that is kept was taken from the universe.
            None => Nevra { name: String::new(), evr: crate::base::Evr::default(), arch: String::new() },
        }
    }

    /// By full names. Of two copies of one name, one of them looked aside at, both count as one.
    fn chosen(&self, selected: &BTreeMap<Place, Why>) -> BTreeMap<Nevra, Chosen> {
        let mut chosen: BTreeMap<Nevra, Chosen> = BTreeMap::new();
        for (place, why) in selected {
            let Some(member) = self.stock.get(*place) else { continue };
            let entry = chosen.entry(member.nevra().clone()).or_insert_with(|| Chosen {
                key: member.key(),
                flags: BTreeSet::new(),
                why: self.reason(why),
            });
            entry.flags.extend(self.flags.get(place).into_iter().flatten());
        }
        chosen
    }

    fn reason(&self, why: &Why) -> Reason {
        let stated = |relation: RelationId| self.stock.universe.relation(relation).to_string();
        match why {
            Why::Wanted(at) => match self.wanted.get(*at) {
                Some(wanted) => match &wanted.from {
                    From::Pattern => Reason::Pattern(wanted.pattern.clone()),
                    From::Group { group, environment, need } => {
                        Reason::Group { group: group.clone(), environment: environment.clone(), need: *need }
                    }
                },
                None => Reason::Pattern(String::new()),
            },
            Why::Module(at) => Reason::Module(self.builds.get(*at).cloned().unwrap_or_default()),
            Why::Prepopulate(at) => {
                Reason::Prepopulate(self.request.prepopulate.get(*at).cloned().unwrap_or_default())
            }
            Why::Conditional { by, condition } => {
                let group = self.conditions.get(*condition).map(|condition| condition.group.clone());
                Reason::Conditional { group: group.unwrap_or_default(), with: self.nevra(*by) }
            }
            Why::Requires { by, relation } => {
                Reason::Requirement { by: self.nevra(*by), requirement: stated(*relation) }
            }
            Why::BuildRequires { by, relation } => {
                Reason::BuildRequirement { by: self.nevra(*by), requirement: stated(*relation) }
            }
            Why::Source { of } => Reason::Source { of: self.nevra(*of) },
            Why::Everything => Reason::Everything,
            Why::Context => Reason::Context,
            Why::Debug { of } => Reason::Debug { of: self.nevra(*of) },
            Why::Fulltree { with } => Reason::Fulltree { with: self.nevra(*with) },
            Why::Langpack { by, rule } => {
                let pattern = self.comps.langpacks.get(*rule).map(|rule| rule.install.clone());
                Reason::Langpack { with: self.nevra(*by), pattern: pattern.unwrap_or_default() }
            }
            Why::Recommends { by, relation } => {
                Reason::Recommendation { by: self.nevra(*by), recommendation: stated(*relation) }
            }
            Why::Supplements { with, relation } => {
                Reason::Supplement { with: with.map(|with| self.nevra(with)), supplement: stated(*relation) }
            }
            Why::Multilib { twin, verdict } => {
                Reason::Multilib { twin: twin.map(|twin| self.nevra(twin)), verdict: verdict.clone() }
            }
        }
    }

    fn unresolved(&mut self) {
        let mut unresolved: BTreeMap<Relation, (Option<TextId>, BTreeSet<Nevra>)> = BTreeMap::new();
        for missed in self.missed.iter().chain(&self.missed_so_far) {
            if self.met_beside(*missed) {
                continue;
            }
            let stated = self.stock.universe.name_of(missed.0);
            for relation in self.missed_as(*missed) {
                let whole = self.stock.universe.text(stated) == relation.name;
                let name = if whole { Some(stated) } else { self.stock.text(&relation.name) };
                let (_, by) = unresolved.entry(relation).or_insert((name, BTreeSet::new()));
                by.insert(self.nevra(missed.1));
            }
        }
        // Mostly none: looked for once, since much may be unresolved.
        let hidden = self.stock.hidden();
        let hidden = hidden.filter(|(_, why)| matches!(why, Hidden::Excluded(_) | Hidden::Blacklisted));
        let hidden: Vec<_> = hidden.map(|(member, _)| member).collect();
        for (relation, (name, by)) in unresolved {
            let meets = |relation: &Relation, provided: &Relation| {
                provided.name == relation.name && relation.meets(provided)
            };
            let excluded = hidden.iter().filter(|member| {
                member.provides().any(|provided| meets(&relation, &provided))
                    || (relation.name.starts_with('/')
                        && member.files().any(|(_, folder, name)| {
                            relation.name.strip_prefix(folder).is_some_and(|rest| rest == name)
                        }))
            });
            let excluded = excluded.map(|member| member.nevra().clone()).collect();
            let (near, requirement) = (self.near(name), relation.to_string());
            self.problems.insert(Problem::Unresolved { requirement, by, excluded, near });
        }
    }

    fn absent_sources(&mut self) {
        if !self.request.sources {
            return;
        }
        let mut missing: BTreeMap<Option<String>, BTreeSet<Nevra>> = BTreeMap::new();
        for place in self.binary.keys() {
            let Some(member) = self.stock.get(*place) else { continue };
            let found = member.source_id().is_some_and(|id| self.source_of.contains_key(&id));
            if !found
                && self.flags.get(place).is_none_or(|flags| flags.iter().all(|flag| flag.is_delivered()))
            {
                let source = member.source().map(str::to_owned);
                missing.entry(source).or_default().insert(member.nevra().clone());
            }
        }
        self.problems.extend(missing.into_iter().map(|(source, built)| Problem::NoSource { source, built }));
    }
}
