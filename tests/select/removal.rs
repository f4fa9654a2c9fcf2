//! Without any package that is no input the answer shows what that package was there for: what it is said to be required for is
//! met by another one or told to be unresolved, a rule has lost its object.

use std::collections::BTreeMap;
use std::path::Path;

use gander::base::{Nevra, fnmatch};
use gander::compose::Selection;
use gander::select::{Candidate, Expression, Flag, Problem, Reason, Relation};

use super::graphs::{Case, stated};
use super::properties::{Answer, answer};

/// How an answer shows that a package is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shown {
    /// Another package has its place.
    Replaced,
    /// What it met is told to be missing.
    Told,
    /// A rule, which asks for whatever there is, finds less.
    Less,
    /// Its reason is not there either, and that shows in one of these ways: since another package was chosen, others ask.
    NoReason,
}

/// The answer without a package.
fn without(before: &Answer, nevra: &Nevra) -> Answer {
    let mut case = before.case.clone();
    case.candidates.retain(|candidate| candidate.nevra != *nevra);
    Answer::of(before.seed, case)
}

/// How the second answer, which is without a package, shows that; none where it does not.
fn shown(before: &Answer, after: &Answer, nevra: &Nevra, why: &Reason) -> Option<Shown> {
    let by = why.by()?;
    let is_there = after.has(by) || after.decision.sources.contains_key(by);
    if !is_there {
        let chain = before.decision.explain(by);
        let (_, why) = chain.first()?;
        return shown(before, after, by, why).map(|_| Shown::NoReason);
    }
    let own = before.find(nevra);
    let named = || after.decision.packages.keys().any(|other| other.name == nevra.name);
    // Whatever else the same rule found is still found.
    let others = |fits: &dyn Fn(&Reason, &Candidate) -> bool| {
        let all = before.decision.packages.iter().chain(&before.decision.debug);
        let mut all = all.filter(|(other, chosen)| *other != nevra && fits(&chosen.why, before.find(other)));
        all.all(|(other, _)| after.has(other)).then_some(Shown::Less)
    };
    match why {
        Reason::Requirement { requirement, .. } | Reason::BuildRequirement { requirement, .. } => {
            let asking = after.find(by);
            let is_it = |relation: &&Relation| relation.to_string() == *requirement;
            let relation = asking.requires.iter().find(is_it)?;
            let wanted = Expression::of(relation).unwrap();
            if after.gives(asking, &wanted) {
                return Some(Shown::Replaced);
            }
            after.is_told(by, relation, &wanted).then_some(Shown::Told)
        }
        Reason::Recommendation { recommendation, .. } => {
            let wanted = Expression::of(&stated(recommendation)).unwrap();
            Some(if after.holds(&wanted) { Shown::Replaced } else { Shown::Less })
        }
        Reason::Conditional { group, .. } => {
            let absent = after.decision.absent_members.contains(&(group.clone(), nevra.name.clone()));
            if named() { Some(Shown::Replaced) } else { absent.then_some(Shown::Told) }
        }
        Reason::Source { of } => {
            let mut sources = after.decision.sources.values();
            if sources.any(|source| source.built.contains(of)) {
                return Some(Shown::Replaced);
            }
            let mut problems = after.decision.problems.iter();
            let told = problems
                .any(|problem| matches!(problem, Problem::NoSource { built, .. } if built.contains(of)));
            // Of what is looked aside at no source is needed.
            let aside = after.decision.packages.get(of)?.flags.contains(&Flag::Lookaside);
            if told { Some(Shown::Told) } else { aside.then_some(Shown::Less) }
        }
        Reason::Debug { of } => others(&|why, _| matches!(why, Reason::Debug { of: same } if same == of)),
        Reason::Fulltree { with } => others(&|why, other| {
            matches!(why, Reason::Fulltree { with: same } if same == with) && other.source == own.source
        }),
        Reason::Langpack { with, pattern } => others(&|why, other| {
            matches!(why, Reason::Langpack { with: same, .. } if same == with)
                && fnmatch::matches(&pattern.replace("%s", "*"), &other.nevra.name)
        }),
        Reason::Multilib { .. } => (!after.decision.judged.contains_key(nevra)).then_some(Shown::Less),
        Reason::Supplement { .. } => Some(Shown::Less),
        Reason::Pattern(_)
        | Reason::Module(_)
        | Reason::Prepopulate(_)
        | Reason::Group { .. }
        | Reason::Moved { .. }
        | Reason::Everything
        | Reason::Context => None,
    }
}

/// Takes away packages one by one, each in so many; how many of each kind of reason showed how.
fn take_away(before: &Answer, each: usize, counts: &mut BTreeMap<(String, Shown), usize>) {
    let chosen = before.decision.packages.iter().chain(&before.decision.debug);
    let chosen = chosen.map(|(nevra, chosen)| (nevra, chosen.why.clone()));
    let sources = before.decision.sources.iter();
    let sources = sources.map(|(nevra, source)| (nevra, Reason::Source { of: source.of.clone().unwrap() }));
    let taken = chosen.chain(sources).filter(|(_, why)| why.by().is_some());
    for (nevra, why) in taken.step_by(each) {
        let after = without(before, nevra);
        assert!(!after.has(nevra) && !after.decision.sources.contains_key(nevra));
        let shown = shown(before, &after, nevra, &why);
        let shown = shown.unwrap_or_else(|| panic!("seed {}: {nevra} is not missed: {why:?}", before.seed));
        let kind = format!("{why:?}");
        let kind = kind.split([' ', '(']).next().unwrap_or_default().to_owned();
        *counts.entry((kind, shown)).or_default() += 1;
    }
}

#[test]
fn a_package_that_is_taken_away_is_missed() {
    let mut counts = BTreeMap::new();
    for seed in (0..400).step_by(2) {
        take_away(&answer(seed), 1, &mut counts);
    }
    println!("{counts:#?}");
    for (kind, shown, least) in [
        ("Requirement", Shown::Replaced, 20),
        ("Requirement", Shown::Told, 100),
        ("BuildRequirement", Shown::Told, 20),
        ("Recommendation", Shown::Less, 5),
        ("Conditional", Shown::Told, 5),
        ("Source", Shown::Told, 50),
        ("Debug", Shown::Less, 20),
        ("Fulltree", Shown::Less, 5),
        ("Langpack", Shown::Less, 3),
        ("Multilib", Shown::Less, 20),
        ("Supplement", Shown::Less, 3),
        ("Requirement", Shown::NoReason, 1),
    ] {
        let count = counts.get(&(kind.to_owned(), shown)).copied().unwrap_or_default();
        assert!(count >= least, "{kind} {shown:?}: {count}");
    }
}

/// The same of what Gosling's lock selects from its universe.
#[test]
fn a_package_of_gosling_that_is_taken_away_is_missed() {
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/gosling.lock");
    let selection = Selection::read(&lock, || None).unwrap();
    let candidates: Vec<Candidate> =
        selection.universe.members().map(|member| member.to_candidate()).collect();
    let mut counts = BTreeMap::new();
    for (seed, tree) in selection.trees().enumerate() {
        let (request, comps) = selection.asked(&tree).unwrap();
        let (request, comps) = (request.clone(), comps.clone());
        let before = Answer::of(seed as u64, Case { candidates: candidates.clone(), comps, request });
        take_away(&before, 1, &mut counts);
    }
    println!("{counts:#?}");
    let told: usize =
        counts.iter().filter(|((_, shown), _)| *shown == Shown::Told).map(|(_, count)| count).sum();
    assert!(told > 100, "{counts:?}");
}
