//! What the trees of several variants get, some of them within others, as Pungi's gather phase decides (4.3.6).
//!
//! Variants are gathered type by type: `variant`, `addon`, `layered-product`, `optional`; within a type those first that
//! others look aside at. Each tree is one request to [`gather()`], with these differences for what has a parent:
//!
//! | type | inputs beside its own | gathered with | fulltree leaves alone |
//! |---|---|---|---|
//! | `addon`, `layered-product` | groups, environments and packages of the parent | fulltree | builds that the parent has packages of |
//! | `optional` | those, and the same of the parent's addons and layered products | fulltree, selfhosting | nothing |
//!
//! Exclusions are never inherited, and whatever else a request says is the variant's own. Without dependencies (`nodeps`)
//! there is neither fulltree nor selfhosting. A variant that another one **looks aside at** shows it what it has of the same
//! arch, and its source packages of all arches, as they are before anything is trimmed.
//!
//! Then the trees are **trimmed**, addons first, then layered products, then optional ones, each type in the order of ids
//! ([`trim`]).
//!
//! What is found wrong with a tree is told once: not again of the variants that have the inputs of another one.

mod release;
mod trim;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::closure::{Closure, Gravity};
use super::decision::{Decision, Reason, Request};
use super::gather::{Explanation, explain, explain_as, explain_those, gather};
use super::note::Note;
use super::problem::Problem;
use super::universe::{Member, Universe};
use crate::base::Nevra;
use crate::format::comps::Comps;
use crate::format::productmd::VariantType;
use trim::Taken;

/// What is asked of the trees of a variant.
#[derive(Clone, Debug)]
pub struct VariantRequest {
    /// How it relates to its parent.
    pub kind: VariantType,
    /// The id of the variant that it is in; none for one that stands alone.
    pub parent: Option<String>,
    /// Ids of variants whose packages are only looked aside at.
    pub lookaside: Vec<String>,
    /// Where groups and environments are looked up.
    pub comps: Arc<Comps>,
    /// What it asks itself of each arch.
    pub trees: BTreeMap<&'static str, Request>,
}

/// A tree that was decided on.
#[derive(Clone, Debug)]
pub struct VariantTree {
    /// What was asked, with what comes from other variants.
    pub request: Request,
    /// Where its groups were looked up.
    pub comps: Arc<Comps>,
    /// What it gets.
    pub decision: Decision,
}

impl VariantTree {
    /// Explains the packages that a pattern means, as [`explain()`] does.
    pub fn explain(&self, universe: &Universe, pattern: &str) -> Explanation {
        explain_as(&self.request, &self.comps, universe, pattern, Some(self.decision.clone()))
    }

    /// Explains the packages that `means` tells.
    pub fn explain_those(&self, universe: &Universe, means: &dyn Fn(&Nevra) -> bool) -> Explanation {
        explain_those(&self.request, &self.comps, universe, means, Some(self.decision.clone()))
    }
}

/// Variants do not fit together. Retrying cannot help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VariantError {
    /// The parent cannot be one.
    #[error(
        "the variant {id} cannot be in {parent}: its parent stands alone and has all of its arches, and an addon, a layered \
         product or an optional variant has one"
    )]
    Parent {
        /// The variant.
        id: String,
        /// What it names as its parent.
        parent: String,
    },
    /// What a variant looks aside at cannot be gathered before it.
    #[error("the variant {id} cannot look aside at {of}: that is not there, or is gathered after it")]
    Lookaside {
        /// The variant.
        id: String,
        /// What it looks aside at.
        of: String,
    },
}

/// Variants by id, which fit together.
#[derive(Clone, Debug)]
pub struct Variants {
    all: BTreeMap<String, VariantRequest>,
    /// Ids in the order of gathering.
    order: Vec<String>,
}

/// Decided trees by variant and arch.
type Trees = BTreeMap<(String, &'static str), VariantTree>;

impl Variants {
    /// Puts variants together.
    pub fn new(all: BTreeMap<String, VariantRequest>) -> Result<Self, VariantError> {
        for (id, variant) in &all {
            let stands = match &variant.parent {
                None => variant.kind == VariantType::Variant,
                Some(parent) => all.get(parent).is_some_and(|parent| {
                    let has = |arch: &&str| parent.trees.contains_key(arch);
                    variant.kind != VariantType::Variant
                        && parent.kind == VariantType::Variant
                        && variant.trees.keys().all(has)
                }),
            };
            if !stands {
                let parent = variant.parent.clone().unwrap_or_else(|| "no variant".into());
                return Err(VariantError::Parent { id: id.clone(), parent });
            }
        }
        let order = order(&all)?;
        Ok(Self { all, order })
    }

    /// The variants.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &VariantRequest)> {
        self.all.iter()
    }

    /// Whether what a variant gets depends on no other one.
    pub fn is_alone(&self, id: &str) -> bool {
        let inner = |variant: &VariantRequest| variant.parent.as_deref() == Some(id);
        self.all.get(id).is_some_and(|own| own.parent.is_none() && own.lookaside.is_empty())
            && !self.all.values().any(inner)
    }

    /// Explains packages in a tree that depends on no other one, without deciding on the others.
    pub fn explain_alone(
        &self,
        id: &str,
        arch: &str,
        universe: &Universe,
        pattern: &str,
    ) -> Option<Explanation> {
        let variant = self.all.get(id).filter(|_| self.is_alone(id))?;
        Some(explain(&self.own(id, variant, arch, universe)?, &variant.comps, universe, pattern))
    }

    /// Decides on all trees. What is wrong is a part of each answer.
    pub fn gather(&self, universe: &Universe) -> Trees {
        let mut trees = Trees::new();
        for id in &self.order {
            let Some(variant) = self.all.get(id) else { continue };
            for arch in variant.trees.keys() {
                if let Some((request, comps)) = self.request(id, arch, &trees, universe) {
                    let decision = gather(&request, &comps, universe);
                    trees.insert((id.clone(), *arch), VariantTree { request, comps, decision });
                }
            }
        }
        let mut taken = Taken::default();
        for kind in VariantType::GATHERED.into_iter().filter(|kind| *kind != VariantType::Variant) {
            let mut now = Taken::default();
            for (id, variant) in self.all.iter().filter(|(_, variant)| variant.kind == kind) {
                let Some(parent) = &variant.parent else { continue };
                for arch in variant.trees.keys() {
                    let Some(mut child) = trees.remove(&(id.clone(), *arch)) else { continue };
                    if let Some(of) = trees.get_mut(&(parent.clone(), *arch)) {
                        trim::trim((id, kind, &mut child), (parent, of), &taken, &mut now);
                    }
                    trees.insert((id.clone(), *arch), child);
                }
            }
            taken.extend(now);
        }
        for tree in trees.values_mut().filter(|tree| !tree.decision.moved.is_empty()) {
            let notes = stranded(tree, universe);
            tree.decision.notes.extend(notes);
        }
        self.tell_once(&mut trees);
        trees
    }

    /// The variants whose inputs one has beside its own: of an optional one the parent and what else is in it.
    fn inherited<'v>(
        &'v self,
        variant: &'v VariantRequest,
    ) -> impl Iterator<Item = (&'v String, &'v VariantRequest)> {
        let of_parent = move |id: &String| variant.parent.as_ref() == Some(id);
        let beside = move |other: &VariantRequest| {
            variant.kind == VariantType::Optional
                && other.parent == variant.parent
                && matches!(other.kind, VariantType::Addon | VariantType::LayeredProduct)
        };
        let all = self.all.iter().filter(move |_| variant.parent.is_some());
        all.filter(move |(id, other)| of_parent(id) || beside(other))
    }

    /// What a variant asks itself of a tree.
    fn own(&self, id: &str, variant: &VariantRequest, arch: &str, universe: &Universe) -> Option<Request> {
        let mut request = variant.trees.get(arch)?.clone();
        request.variant = Some(id.to_owned());
        if request.system_release {
            release::choose(&mut request, variant.parent.as_deref().unwrap_or(id), universe);
        }
        Some(request)
    }

    /// What is asked of a tree, given those that were gathered before it.
    fn request(
        &self,
        id: &str,
        arch: &'static str,
        trees: &Trees,
        universe: &Universe,
    ) -> Option<(Request, Arc<Comps>)> {
        let variant = self.all.get(id)?;
        let own = variant.trees.get(arch)?;
        let mut request = self.own(id, variant, arch, universe)?;
        let mut comps = variant.comps.clone();
        let mut joined = Comps::default();
        if variant.parent.is_some() {
            joined = named(id, arch, own, &comps);
        }
        for (of, other) in self.inherited(variant) {
            let Some(from) = self.own(of, other, arch, universe) else { continue };
            let from = &from;
            add_new(&mut request.groups, &from.groups);
            add_new(&mut request.environments, &from.environments);
            add_new(&mut request.packages, &from.packages);
            let known: BTreeSet<&String> = own.named_groups.iter().map(|(id, _)| id).collect();
            let new = from.named_groups.iter().filter(|(id, _)| !known.contains(id));
            request.named_groups.extend(new.cloned());
            join(&mut joined, named(of, arch, from, &other.comps));
        }
        if variant.parent.is_some() {
            comps = Arc::new(joined);
        }
        if variant.kind != VariantType::Variant {
            request.fulltree = request.dependencies;
            request.selfhosting = request.dependencies && variant.kind == VariantType::Optional;
        }
        let tree = |id: &String| trees.get(&(id.clone(), arch));
        if let (Some(of), VariantType::Addon | VariantType::LayeredProduct) =
            (variant.parent.as_ref().and_then(tree), variant.kind)
        {
            add_new(&mut request.fulltree_excludes, &builds(&of.decision, universe));
        }
        for of in &variant.lookaside {
            if let Some(tree) = tree(of) {
                request.aside.extend(tree.decision.selected().cloned());
            }
            // There is one tree of sources for all arches.
            let arches = self.all.get(of).into_iter().flat_map(|of| of.trees.keys());
            for tree in arches.filter_map(|arch| trees.get(&(of.clone(), *arch))) {
                request.aside.extend(tree.decision.sources.keys().cloned());
            }
        }
        Some((request, comps))
    }

    /// Takes out of each tree what is wrong with inputs and packages that it has from others, which tell it.
    fn tell_once(&self, trees: &mut Trees) {
        for (id, variant) in self.all.iter().filter(|(_, variant)| variant.parent.is_some()) {
            for (arch, own) in &variant.trees {
                let Some(mut child) = trees.remove(&(id.clone(), *arch)) else { continue };
                let decision = &mut child.decision;
                let trimmed = &decision.trimmed;
                let told: BTreeSet<&Nevra> = trimmed
                    .iter()
                    .filter(|(_, found)| !found.trim.is_moved())
                    .map(|(nevra, _)| nevra)
                    .collect();
                let problems = std::mem::take(&mut decision.problems);
                decision.problems =
                    problems.into_iter().filter_map(|problem| without(problem, &told, own)).collect();
                for (other, _) in self.inherited(variant) {
                    let Some(other) = trees.get(&(other.clone(), *arch)) else { continue };
                    let other = &other.decision;
                    decision.problems.retain(|problem| !other.problems.contains(problem));
                    decision.notes.retain(|note| !other.notes.contains(note));
                    decision.absent_members.retain(|member| !other.absent_members.contains(member));
                }
                trees.insert((id.clone(), *arch), child);
            }
        }
    }
}

/// The order of gathering: type by type, what is looked aside at first, by id.
fn order(all: &BTreeMap<String, VariantRequest>) -> Result<Vec<String>, VariantError> {
    let mut order: Vec<String> = Vec::new();
    for kind in VariantType::GATHERED {
        let mut open: Vec<_> = all.iter().filter(|(_, variant)| variant.kind == kind).collect();
        while !open.is_empty() {
            let known: BTreeSet<String> = order.iter().cloned().collect();
            let missing =
                |variant: &VariantRequest| variant.lookaside.iter().find(|of| !known.contains(*of)).cloned();
            let (ready, later): (Vec<_>, Vec<_>) =
                open.into_iter().partition(|(_, variant)| missing(variant).is_none());
            if let (true, Some((id, variant))) = (ready.is_empty(), later.first()) {
                let of = missing(variant).unwrap_or_default();
                return Err(VariantError::Lookaside { id: (*id).clone(), of });
            }
            order.extend(ready.into_iter().map(|(id, _)| id.clone()));
            open = later;
        }
    }
    Ok(order)
}

fn add_new(list: &mut Vec<String>, new: &[String]) {
    let known: BTreeSet<String> = list.iter().cloned().collect();
    list.extend(new.iter().filter(|text| !known.contains(*text)).cloned());
}

/// What a variant's request can mean in its comps: the groups and environments that it names, without what is for other
/// arches and variants.
fn named(id: &str, arch: &str, request: &Request, comps: &Comps) -> Comps {
    let mut named = comps.clone();
    named.environments.retain(|environment| request.environments.contains(&environment.id));
    for environment in &mut named.environments {
        for listed in [&mut environment.groups, &mut environment.options] {
            listed.retain(|group| !request.without_groups.contains(&group.id));
        }
    }
    let (groups, _) = request.named(&named);
    named.groups.retain(|group| groups.contains(&group.id));
    named.keep_packages_for(arch, Some(id));
    named.keep_groups_for(arch, Some(id));
    named.keep_environments_for(arch, Some(id));
    named
}

/// Adds what another variant's request can mean. Of a group that both have the members of both count.
fn join(comps: &mut Comps, other: Comps) {
    for group in other.groups {
        match comps.groups.iter_mut().find(|own| own.id == group.id) {
            Some(own) => {
                let new = group.packages.into_iter().filter(|package| !own.packages.contains(package));
                let new: Vec<_> = new.collect();
                own.packages.extend(new);
            }
            None => comps.groups.push(group),
        }
    }
    let known: BTreeSet<String> = comps.environments.iter().map(|found| found.id.clone()).collect();
    comps.environments.extend(other.environments.into_iter().filter(|found| !known.contains(&found.id)));
    let new: Vec<_> = other.langpacks.into_iter().filter(|rule| !comps.langpacks.contains(rule)).collect();
    comps.langpacks.extend(new);
}

/// The names of the source packages that a tree has; where it has none at all, of those that its packages are built from.
fn builds(decision: &Decision, universe: &Universe) -> Vec<String> {
    let mut names: BTreeSet<String> = decision.sources.keys().map(|nevra| nevra.name.clone()).collect();
    if names.is_empty() {
        let members = universe.members().filter(|member| decision.packages.contains_key(member.nevra()));
        let sources = members.filter_map(|member| member.source()?.rsplitn(3, '-').nth(2).map(str::to_owned));
        names.extend(sources);
    }
    names.into_iter().collect()
}

/// Packages that were moved to a tree which lacks what they require: Pungi moves them all the same.
fn stranded(tree: &VariantTree, universe: &Universe) -> Vec<Note> {
    if !tree.request.dependencies || tree.request.is_nodeps() {
        return Vec::new();
    }
    let decision = &tree.decision;
    let there = universe.members().filter(|member| decision.packages.contains_key(member.nevra()));
    let there: Vec<_> = there.map(Member::to_candidate).collect();
    let moved = || there.iter().filter(|candidate| decision.moved.contains_key(&candidate.nevra));
    let mut closure = Closure::new(there.iter().collect(), moved());
    let mut notes = Vec::new();
    for candidate in moved() {
        let Some(Reason::Moved { from }) = decision.packages.get(&candidate.nevra).map(|chosen| &chosen.why)
        else {
            continue;
        };
        let gaps = closure.gaps(candidate).into_iter().filter(|gap| gap.gravity == Gravity::Unresolved);
        notes.extend(gaps.map(|gap| Note::Stranded {
            package: candidate.nevra.clone(),
            from: from.clone(),
            requirement: gap.requirement,
        }));
    }
    notes
}

/// A problem without packages that another tree has; none where that leaves nothing to say. `own` is what the variant asks
/// itself.
fn without(problem: Problem, told: &BTreeSet<&Nevra>, own: &Request) -> Option<Problem> {
    let rest =
        |by: BTreeSet<Nevra>| by.into_iter().filter(|nevra| !told.contains(nevra)).collect::<BTreeSet<_>>();
    match problem {
        // What it excludes itself may well be all that the parent's pattern means.
        Problem::NoMatch { ref pattern, .. } => own.packages.contains(pattern).then_some(problem),
        Problem::BrokenRequirement { ref package, .. } | Problem::NoTwin { ref package, .. } => {
            (!told.contains(package)).then_some(problem)
        }
        Problem::Unresolved { requirement, by, excluded, near } => {
            let by = rest(by);
            (!by.is_empty()).then_some(Problem::Unresolved { requirement, by, excluded, near })
        }
        Problem::NoSource { source, built } => {
            let built = rest(built);
            (!built.is_empty()).then_some(Problem::NoSource { source, built })
        }
        problem => Some(problem),
    }
}

#[cfg(test)]
mod tests;
