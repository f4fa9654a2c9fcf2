//! What of an addon, a layered product or an optional variant is delivered elsewhere.
//!
//! In this order, for each package that is delivered, binary, source and debugging ones apart:
//!
//! 1. Layered products and optional variants leave out names that addons have, optional ones also those that layered
//!    products have. As in Pungi these are names that **any** addon has, whichever its parent and arch. Source and
//!    debugging packages stay in layered products, whose users may not have the addons.
//! 2. What the parent has of the same name and arch is left out, whatever the version.
//! 3. What came into an addon or a layered product although its build is one of the parent's, and is no input, is moved to the
//!    parent: one that is installed without the addon would lack it otherwise. It keeps its flags.
//!
//! Debugging packages of what was moved stay, as in Pungi. What is only looked aside at is not looked at.

use std::collections::{BTreeMap, BTreeSet};

use super::super::decision::{Chosen, Decision, Flag, Reason, Trim, Trimmed};
use super::VariantTree;
use crate::base::Nevra;
use crate::format::productmd::VariantType;

/// What a package is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Binary,
    Source,
    Debug,
}

/// Names that addons and layered products have, and which of them does.
#[derive(Debug, Default)]
pub(super) struct Taken(BTreeMap<(Part, String), String>);

impl Taken {
    pub(super) fn extend(&mut self, more: Self) {
        for (name, by) in more.0 {
            self.0.entry(name).or_insert(by);
        }
    }
}

impl Trim {
    /// Whether the parent has it only by this.
    pub(super) fn is_moved(&self) -> bool {
        matches!(self, Self::Moved(_))
    }
}

/// Trims the tree of a variant against its parent's, and takes note of the names that it keeps.
pub(super) fn trim(
    (id, kind, child): (&str, VariantType, &mut VariantTree),
    (parent, of): (&str, &mut VariantTree),
    taken: &Taken,
    now: &mut Taken,
) {
    // What the parent only looks aside at is there for whoever has the parent.
    let known: BTreeSet<(Part, String, String)> = selected(&of.decision)
        .map(|(part, nevra, _)| (part, nevra.name.clone(), nevra.arch.clone()))
        .collect();
    let holds = |part| part == Part::Binary || (part == Part::Debug && of.request.debug);
    let listed: Vec<_> = delivered(&child.decision)
        .map(|(part, nevra, flags)| (part, nevra.clone(), stays_with_parent(flags) && holds(part)))
        .collect();
    for (part, nevra, moves) in listed {
        let name = (part, nevra.name.clone());
        let trim = if let Some(by) = taken.0.get(&name) {
            if kind == VariantType::LayeredProduct && part != Part::Binary {
                continue;
            }
            Trim::Taken(by.clone())
        } else if known.contains(&(part, nevra.name.clone(), nevra.arch.clone())) {
            Trim::Parent(parent.to_owned())
        } else if moves && kind != VariantType::Optional {
            let chain = child.decision.explain(&nevra);
            if let Some(chosen) = child.decision.packages.get(&nevra).or(child.decision.debug.get(&nevra)) {
                let moved = Chosen { why: Reason::Moved { from: id.to_owned() }, ..chosen.clone() };
                let to = if part == Part::Debug { &mut of.decision.debug } else { &mut of.decision.packages };
                to.insert(nevra.clone(), moved);
                of.decision.moved.insert(nevra.clone(), chain);
            }
            Trim::Moved(parent.to_owned())
        } else {
            now.0.entry(name).or_insert_with(|| id.to_owned());
            continue;
        };
        child.decision.trim(part, nevra, trim);
    }
}

/// Whether a package came in although its build is one of the parent's, and nothing names it.
fn stays_with_parent(flags: &BTreeSet<Flag>) -> bool {
    let inputs = [Flag::Input, Flag::Module, Flag::Group];
    flags.contains(&Flag::FulltreeExclude) && !inputs.iter().any(|input| flags.contains(input))
}

/// What a tree delivers.
fn delivered(decision: &Decision) -> impl Iterator<Item = (Part, &Nevra, &BTreeSet<Flag>)> {
    selected(decision).filter(|(_, _, flags)| flags.iter().all(|flag| flag.is_delivered()))
}

/// What is selected for a tree, with what is only looked aside at.
fn selected(decision: &Decision) -> impl Iterator<Item = (Part, &Nevra, &BTreeSet<Flag>)> {
    let binary = decision.packages.iter().map(|(nevra, chosen)| (Part::Binary, nevra, &chosen.flags));
    let sources = decision.sources.iter().map(|(nevra, source)| (Part::Source, nevra, &source.flags));
    let debug = decision.debug.iter().map(|(nevra, chosen)| (Part::Debug, nevra, &chosen.flags));
    binary.chain(sources).chain(debug)
}

impl Decision {
    /// Delivers a package no longer.
    fn trim(&mut self, part: Part, nevra: Nevra, trim: Trim) {
        let chosen = |chosen: Option<Chosen>| chosen.map(|chosen| chosen.why);
        let why = match part {
            Part::Binary => chosen(self.packages.remove(&nevra)),
            Part::Debug => chosen(self.debug.remove(&nevra)),
            Part::Source => {
                let source = self.sources.remove(&nevra);
                source.map(|source| source.of.map_or(Reason::Everything, |of| Reason::Source { of }))
            }
        };
        if let Some(why) = why {
            self.trimmed.insert(nevra, Trimmed { why, trim });
        }
    }
}
