//! Gathering: which packages a tree gets, as Pungi's `deps` method decides (4.3.6), and why each of them. Its other method
//! is in [`nodeps`].
//!
//! **Inputs** are packages that patterns, groups and environments name, then those to prepopulate with. After them these
//! steps, again from the first whenever one of them added something, until none does:
//!
//! | step | adds |
//! |---|---|
//! | conditional | members of groups that come in when the package that they require is there |
//! | requirements | the best package for each requirement of a selected package ([`requires`]) |
//! | build requirements | for self-hosting, the same for selected source packages |
//! | sources | the source package of each selected package |
//! | debugging | `NAME-debuginfo` and the `-debugsource` packages of the same build and arch, then what these require among their like |
//! | fulltree | the other packages of the same source package |
//! | langpacks | what comps has for languages of selected packages |
//! | weak | where they are wanted, recommended and supplementing packages ([`weak`]) |
//! | multilib | packages of the secondary arch by a profile's rules ([`multilib`](super::multilib)) |
//!
//! What is named by module is gathered before all that, for itself ([`modules`]).
//!
//! **The best package** of several: one of the native arch that is selected already, else one of the secondary arch that is,
//! else a native one, else any; among those by the tree's order of arches, then the shorter name, then the name. Of what is
//! also looked aside at in the same version only that copy counts. Greed takes more: `all` takes every candidate, `build`
//! every package of the winner's build that meets the same requirement.
//!
//! **What differs from Pungi.** Pungi's answer depends on the order of packages in a repository, since the first package
//! that has a requirement decides who meets it for all others. Here packages are worked off in canonical order (name, version,
//! arch), so the answer depends on universe and request only. Rich requirements are evaluated as rpm does. Two of Pungi's
//! habits are kept: the flags `conditional` and `self-hosting` are on the package that pulled another in; a requirement
//! keeps the provider that was found for it first.

mod best;
mod companions;
mod explain;
mod finish;
mod inputs;
mod mash;
mod modules;
mod nodeps;
mod notes;
mod requires;
mod stock;
mod watched;
mod weak;

use std::collections::{BTreeMap, BTreeSet};

pub use explain::{Absence, Explanation, Lost, Need, explain};
pub(super) use explain::{explain_as, explain_those};

use super::decision::{Decision, Flag, Greed, Request};
use super::multilib::{Judge, Verdict};
use super::note::Note;
use super::problem::{Problem, SelectError};
use super::relation::Relation;
use super::universe::{Place, RelationId, TextId, Universe};
use crate::format::comps::{self, Comps};
use stock::{Queue, Stock};
use watched::{Conditional, Watched};
use weak::Wish;

/// Gathers what a tree gets. What is wrong is a part of the answer.
pub fn gather(request: &Request, comps: &Comps, universe: &Universe) -> Decision {
    let rest = || run(request, comps, universe).finish();
    match request.of_modules() {
        Some(modular) => run(&modular, &Comps::default(), universe).finish().with(rest()),
        None => rest(),
    }
}

fn run<'u>(request: &'u Request, comps: &'u Comps, universe: &'u Universe) -> Gather<'u> {
    let judge = request.multilib.as_ref().filter(|_| !request.is_nodeps()).map(Judge::of);
    let mut gather = Gather::new(request, comps, universe, judge);
    if request.is_nodeps() {
        if request.only_modules {
            gather.modules();
        }
        gather.nodeps();
        return gather;
    }
    if request.is_everything() {
        gather.everything();
    } else {
        gather.initial();
        gather.prepopulate();
        gather.supplements();
    }
    while gather.step() {}
    gather
}

/// Gathers what a tree gets; anything that is wrong is an error.
pub fn decide(request: &Request, comps: &Comps, universe: &Universe) -> Result<Decision, SelectError> {
    gather(request, comps, universe).faultless()
}

impl Decision {
    /// The decision, if nothing is wrong with it.
    pub fn faultless(self) -> Result<Self, SelectError> {
        match self.problems.is_empty() {
            true => Ok(self),
            false => Err(SelectError::Problems(self.problems.into_iter().collect())),
        }
    }
}

/// Where an input comes from. Of several the first is the reason for a package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum From {
    Pattern,
    Group { group: String, environment: Option<String>, need: comps::Need },
}

/// A package, or several, that the request asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Wanted {
    from: From,
    pattern: String,
}

/// A conditional member of a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Condition {
    requires: String,
    install: String,
    group: String,
}

/// Why a package was added, by numbers.
#[derive(Clone, Debug)]
enum Why {
    Wanted(usize),
    /// By the build's place among those that are taken.
    Module(usize),
    Prepopulate(usize),
    Conditional {
        by: Place,
        condition: usize,
    },
    Requires {
        by: Place,
        relation: RelationId,
    },
    BuildRequires {
        by: Place,
        relation: RelationId,
    },
    Source {
        of: Place,
    },
    Debug {
        of: Place,
    },
    Fulltree {
        with: Place,
    },
    Langpack {
        by: Place,
        rule: usize,
    },
    Recommends {
        by: Place,
        relation: RelationId,
    },
    Supplements {
        with: Option<Place>,
        relation: RelationId,
    },
    Multilib {
        twin: Option<Place>,
        verdict: Verdict,
    },
    Everything,
    Context,
}

struct Gather<'u> {
    request: &'u Request,
    comps: &'u Comps,
    stock: Stock<'u>,
    judge: Option<Judge>,
    wanted: Vec<Wanted>,
    conditions: Vec<Condition>,
    /// Builds of streams whose packages are taken, as messages name them.
    builds: Vec<String>,
    /// What is selected beside this.
    beside: BTreeSet<Place>,
    binary: BTreeMap<Place, Why>,
    debug: BTreeMap<Place, Why>,
    source: BTreeMap<Place, Why>,
    flags: BTreeMap<Place, BTreeSet<Flag>>,
    /// Who meets a requirement, as it was decided first.
    answers: Vec<Option<(Queue, Vec<Place>)>>,
    /// Requirements whose meaning changes as the selection grows.
    watched: Watched<Conditional>,
    /// Weak dependencies of what is selected, and those that would bring a package in.
    wishes: Watched<Wish>,
    missed: BTreeSet<(RelationId, Place)>,
    missed_so_far: BTreeSet<(RelationId, Place)>,
    /// Of a rich requirement the part that nothing meets.
    missed_parts: BTreeMap<(RelationId, Place), BTreeSet<Relation>>,
    open: Open,
    done: Done,
    source_of: BTreeMap<TextId, Place>,
    judged: BTreeMap<Place, Verdict>,
    mash: mash::Known,
    absent: BTreeSet<(String, String)>,
    problems: BTreeSet<Problem>,
    notes: BTreeSet<Note>,
}

/// Selected packages that are still to be worked off, by step: a step that looked for them among all would be slow where
/// each round adds but one.
#[derive(Debug, Default)]
struct Open {
    conditional: BTreeSet<Place>,
    requires: BTreeSet<Place>,
    sources: BTreeSet<Place>,
    debug: BTreeSet<Place>,
    fulltree: BTreeSet<Place>,
    langpacks: BTreeSet<Place>,
    recommends: BTreeSet<Place>,
    /// Source packages.
    build: BTreeSet<Place>,
    /// Debugging packages.
    debug_requires: BTreeSet<Place>,
}

/// What was worked off already, by step.
#[derive(Debug, Default)]
struct Done {
    fulltree: BTreeSet<Place>,
    multilib: BTreeSet<Place>,
}

impl<'u> Gather<'u> {
    /// One round: the first step that adds something ends it. False when none did.
    fn step(&mut self) -> bool {
        let asked = self.request;
        if asked.is_everything() {
            return self.install();
        }
        let deps = asked.dependencies;
        let build = asked.selfhosting && asked.sources;
        (deps && (self.conditional() || self.requirements() || (build && self.build_requirements())))
            || (asked.sources && self.sources())
            || (asked.debug && (self.debug_packages() || (deps && self.debug_requirements())))
            || (asked.fulltree && self.fulltree())
            || (asked.langpacks && self.langpacks())
            || (deps && asked.weak && self.weak())
            || self.multilib()
    }

    /// Adds a package; true when it is new.
    fn add(&mut self, place: Place, why: Why) -> bool {
        if self.binary.contains_key(&place) {
            return false;
        }
        if let Why::Requires { .. } | Why::BuildRequires { .. } | Why::Conditional { .. } = why {
            self.flag(place, Flag::Dependency);
        }
        if let Why::Everything = why {
            self.flag(place, Flag::Everything);
        }
        self.binary.insert(place, why);
        let open = &mut self.open;
        for open in [
            &mut open.conditional,
            &mut open.requires,
            &mut open.sources,
            &mut open.debug,
            &mut open.fulltree,
            &mut open.langpacks,
            &mut open.recommends,
        ] {
            open.insert(place);
        }
        self.watched.wake(&self.stock, place);
        self.wishes.wake(&self.stock, place);
        self.mark(place);
        true
    }

    fn add_debug(&mut self, place: Place, why: Why) -> bool {
        if self.debug.contains_key(&place) {
            return false;
        }
        if let Why::Everything = why {
            self.flag(place, Flag::Everything);
        }
        self.debug.insert(place, why);
        self.open.debug_requires.insert(place);
        self.watched.wake(&self.stock, place);
        true
    }

    fn flag(&mut self, place: Place, flag: Flag) {
        self.flags.entry(place).or_default().insert(flag);
    }

    /// Flags that a package has by what it is.
    fn mark(&mut self, place: Place) {
        if self.is_aside(place) {
            self.flag(place, Flag::Lookaside);
        }
        if !self.request.is_everything() && self.is_fulltree_exclude(place) {
            self.flag(place, Flag::FulltreeExclude);
        }
    }

    /// Whether a package is only looked aside at.
    fn is_aside(&self, place: Place) -> bool {
        self.stock.is_aside(place)
    }

    fn is_fulltree_exclude(&self, place: Place) -> bool {
        let source = self.stock.get(place).and_then(|member| member.source());
        let name = source.and_then(|source| source.rsplitn(3, '-').nth(2));
        name.is_some_and(|name| self.request.fulltree_excludes.iter().any(|excluded| excluded == name))
    }

    fn greedy(&self, greed: Greed) -> bool {
        self.request.greed == greed
    }
}

#[cfg(test)]
mod group_tests;
#[cfg(test)]
mod pair_tests;
#[cfg(test)]
mod tests;
