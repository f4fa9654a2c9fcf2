//! Why a package is there, and why it is not.

use std::collections::BTreeMap;

use super::super::decision::{Decision, Request, Trim};
use super::super::multilib::Verdict;
use super::super::pattern::Pattern;
use super::super::problem::similar;
use super::super::universe::{List, Member, Place, RelationId, Universe};
use super::stock::{Hidden, Queue};
use super::{Gather, Why, run};
use crate::base::Nevra;
use crate::base::fnmatch;
use crate::format::comps::Comps;

/// What there is to say of the packages that a pattern means.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The whole selection.
    pub decision: Decision,
    /// Packages of the pattern that are selected, debugging and source packages among them.
    pub selected: Vec<Nevra>,
    /// Packages of the pattern that are not, and why.
    pub absent: BTreeMap<Nevra, Absence>,
    /// Of each selected package whom it serves.
    pub needed: BTreeMap<Nevra, Vec<Need>>,
    /// Where no candidate is meant: a name that may have been.
    pub similar: Option<String>,
}

/// A requirement of a selected package that a package meets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// The package that has the requirement.
    pub by: Nevra,
    /// The requirement.
    pub requirement: String,
    /// Whether no other selected package meets it.
    pub alone: bool,
}

/// Why a package is not selected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Absence {
    /// The tree cannot hold its arch, or has no rule for it; or it says itself that it is not for the tree.
    Foreign,
    /// It is excluded by this pattern.
    Excluded(String),
    /// It is on the blacklist of the multilib rule.
    Blacklisted,
    /// It is of a stream of a module that other variants name, and is not active.
    OtherStream,
    /// The same package is there to be looked aside at.
    Copy,
    /// There is a newer version.
    Older(Nevra),
    /// The multilib rules were asked and say no.
    Judged(Verdict),
    /// Selected packages have requirements that it meets, but others were taken for them.
    Lost(Vec<Lost>),
    /// It is only looked aside at.
    Context,
    /// It is a debugging package, and these are not wanted.
    Debug,
    /// Only other trees look aside at it.
    Unseen,
    /// Nothing asks for it.
    NotAsked,
    /// Another variant delivers it.
    Elsewhere(Trim),
}

/// A requirement that another package was taken for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lost {
    /// The requirement.
    pub requirement: String,
    /// A selected package that has it.
    pub by: Nevra,
    /// The package that was taken.
    pub to: Nevra,
    /// Whether that one is only looked aside at.
    pub aside: bool,
}

/// How many lost requirements are named.
const LOST: usize = 8;

impl std::fmt::Display for Absence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Foreign => f.write_str("the tree holds no package of its arch"),
            Self::Excluded(pattern) => write!(f, "excluded by '{pattern}'"),
            Self::Blacklisted => f.write_str("on the multilib blacklist"),
            Self::Copy => f.write_str("the same package is in what is looked aside at"),
            Self::Older(newer) => write!(f, "older than {newer}"),
            Self::Judged(Verdict { rule: None, .. }) => f.write_str("no multilib rule takes it"),
            Self::Judged(verdict) => write!(f, "not multilib: {verdict}"),
            Self::Lost(lost) => {
                for (at, Lost { requirement, by, to, aside }) in lost.iter().enumerate() {
                    let line = if at == 0 { "" } else { "; " };
                    let aside = if *aside { ", which is looked aside at" } else { "" };
                    write!(f, "{line}'{requirement}', required by {by}, is met by {to}{aside}")?;
                }
                Ok(())
            }
            Self::Context => f.write_str("only looked aside at: it meets requirements, and is not delivered"),
            Self::Debug => f.write_str("a debugging package, and these are not wanted"),
            Self::OtherStream => f.write_str("of a stream that only other variants name"),
            Self::Unseen => f.write_str("only other trees look aside at it"),
            Self::NotAsked => f.write_str("nothing that is selected asks for it"),
            Self::Elsewhere(trim) => trim.fmt(f),
        }
    }
}

/// Explains the packages that a pattern means: `NAME`, `NAME.ARCH` or a full name; names are globs.
pub fn explain(request: &Request, comps: &Comps, universe: &Universe, pattern: &str) -> Explanation {
    explain_as(request, comps, universe, pattern, None)
}

/// The same, where what a tree gets was decided beside those of other variants.
pub(in crate::select) fn explain_as(
    request: &Request,
    comps: &Comps,
    universe: &Universe,
    pattern: &str,
    decided: Option<Decision>,
) -> Explanation {
    let tree = request.tree();
    let parsed = Pattern::parse(pattern, tree);
    let means = |nevra: &Nevra| {
        nevra.to_string() == pattern
            || (parsed.asks_for(&nevra.arch, tree) && fnmatch::matches(parsed.name, &nevra.name))
    };
    let mut explanation = explain_those(request, comps, universe, &means, decided);
    if explanation.selected.is_empty() && explanation.absent.is_empty() {
        let names = universe.members().map(|member| member.nevra().name.as_str());
        explanation.similar = similar(parsed.name, names);
    }
    explanation
}

/// Explains the packages that `means` tells; `decided` as above.
pub(in crate::select) fn explain_those(
    request: &Request,
    comps: &Comps,
    universe: &Universe,
    means: &dyn Fn(&Nevra) -> bool,
    decided: Option<Decision>,
) -> Explanation {
    let modules = request.of_modules();
    let nothing = Comps::default();
    let mut modular = modules.as_ref().map(|modules| run(modules, &nothing, universe));
    let mut gather = run(request, comps, universe);
    if let Some(modular) = &mut modular {
        gather.beside = modular.binary.keys().copied().collect();
        modular.beside = gather.binary.keys().copied().collect();
    }
    let gathers: Vec<&Gather<'_>> = modular.iter().chain([&gather]).collect();
    let (mut selected, mut absent, mut needed) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
    for member in universe.members().filter(|member| means(member.nevra())) {
        let place = member.place();
        let hidden = gather.stock.why_hidden(place);
        if gather.is_context(place) && hidden == Some(Hidden::Copy) {
            // The same package is offered, and is explained.
            continue;
        }
        if member.is_lookaside() && hidden == Some(Hidden::Foreign) {
            // Other trees look aside at it; the same package may be offered.
            if selected.last() != Some(member.nevra()) {
                absent.entry(member.nevra().clone()).or_insert_with(|| gather.absence(place));
            }
            continue;
        }
        let mut gathered = gathers.iter().flat_map(|part| [&part.binary, &part.debug, &part.source]);
        let why = gathered.find_map(|selected| selected.get(&place));
        let is_there = match &decided {
            Some(decision) => decision.has(member.nevra()) && hidden != Some(Hidden::Copy),
            None => why.is_some(),
        };
        if is_there && !matches!(why, Some(Why::Context)) {
            selected.push(member.nevra().clone());
            let mut needs = gather.needs(place);
            for need in modular.iter().flat_map(|modular| modular.needs(place)) {
                if !needs.contains(&need) {
                    needs.push(need);
                }
            }
            needed.insert(member.nevra().clone(), needs);
        } else {
            let trimmed = decided.as_ref().and_then(|decision| decision.trimmed.get(member.nevra()));
            let elsewhere = trimmed.map(|trimmed| Absence::Elsewhere(trimmed.trim.clone()));
            absent.insert(member.nevra().clone(), elsewhere.unwrap_or_else(|| gather.absence(place)));
        }
    }
    let decision = decided.unwrap_or_else(|| match modular {
        Some(modular) => modular.finish().with(gather.finish()),
        None => gather.finish(),
    });
    Explanation { decision, selected, absent, needed, similar: None }
}

impl Gather<'_> {
    fn absence(&self, place: Place) -> Absence {
        match self.stock.why_hidden(place) {
            Some(Hidden::Foreign) => {
                let tree = self.request.tree();
                let belongs = |member: Member<'_>| {
                    member.is_for(self.request.variant.as_deref(), tree.name) || !member.is_lookaside()
                };
                let unseen = self.stock.get(place).is_some_and(|member| !belongs(member));
                return if unseen { Absence::Unseen } else { Absence::Foreign };
            }
            Some(Hidden::Excluded(at)) => {
                return Absence::Excluded(self.request.exclude.get(at).cloned().unwrap_or_default());
            }
            Some(Hidden::Blacklisted) => return Absence::Blacklisted,
            Some(Hidden::OtherStream) => return Absence::OtherStream,
            Some(Hidden::Copy) => return Absence::Copy,
            Some(Hidden::Older) => {
                let Some(member) = self.stock.get(place) else { return Absence::NotAsked };
                let seen = [Queue::Binary, Queue::Debug, Queue::Source];
                let newer = seen.iter().flat_map(|queue| self.stock.named(member.name_id(), *queue));
                let newer = newer.filter_map(|place| self.stock.get(place)).map(|member| member.nevra());
                let newer = newer.filter(|nevra| nevra.arch == member.nevra().arch).max();
                return newer.map_or(Absence::NotAsked, |newer| Absence::Older(newer.clone()));
            }
            None if self.is_context(place) => return Absence::Context,
            None if self.request.is_everything() && self.stock.is_in(place, Queue::Debug) => {
                return Absence::Debug;
            }
            None => {}
        }
        if let Some(verdict) = self.judged.get(&place).filter(|verdict| !verdict.selected) {
            return Absence::Judged(verdict.clone());
        }
        let lost = self.lost(place);
        if lost.is_empty() { Absence::NotAsked } else { Absence::Lost(lost) }
    }

    /// Requirements that it meets and another package was taken for.
    fn lost(&self, place: Place) -> Vec<Lost> {
        let mut lost: BTreeMap<String, Lost> = BTreeMap::new();
        for (by, relation) in self.stated() {
            let Some(Some((_, answer))) = self.answers.get(relation as usize) else { continue };
            let requirement = self.stock.universe.relation(relation);
            if !self.stock.meets(place, relation) || lost.contains_key(&requirement.to_string()) {
                continue;
            }
            let other = answer.first().and_then(|other| self.stock.get(*other));
            let by = self.stock.get(by);
            if let (Some(by), Some(to)) = (by, other) {
                let (requirement, aside) = (requirement.to_string(), to.is_lookaside());
                let (by, to) = (by.nevra().clone(), to.nevra().clone());
                lost.insert(requirement.clone(), Lost { requirement, by, to, aside });
            }
            if lost.len() == LOST {
                break;
            }
        }
        lost.into_values().collect()
    }

    /// Requirements of selected packages that a package meets.
    fn needs(&self, place: Place) -> Vec<Need> {
        let mut needs = Vec::new();
        // Many packages may have the same requirement.
        let mut known: BTreeMap<RelationId, Option<(String, bool)>> = BTreeMap::new();
        for (by, relation) in self.stated().filter(|(by, _)| *by != place) {
            let need = known.entry(relation).or_insert_with(|| {
                let is_other = |other: &Place| {
                    *other != place && (self.binary.contains_key(other) || self.beside.contains(other))
                };
                self.stock.meets(place, relation).then(|| {
                    let alone = !self.stock.meeting_of(relation).iter().any(is_other);
                    (self.stock.universe.relation(relation).to_string(), alone)
                })
            });
            if let (Some((requirement, alone)), Some(by)) = (need, self.stock.get(by)) {
                let (by, requirement) = (by.nevra().clone(), requirement.clone());
                needs.push(Need { by, requirement, alone: *alone });
            }
        }
        needs
    }

    /// Requirements of selected packages, by package.
    fn stated(&self) -> impl Iterator<Item = (Place, u32)> + '_ {
        self.binary.keys().flat_map(|by| {
            let requires = self.stock.get(*by).map_or(&[][..], |member| member.list(List::Requires));
            requires.iter().map(|relation| (*by, *relation))
        })
    }
}
