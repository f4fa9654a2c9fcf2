//! What holds of every answer of mash's method.

use std::collections::BTreeSet;

use gander::base::fnmatch;
use gander::base::gather as rules;
use gander::base::{Digest, Nevra};
use gander::select::multilib::{Judge, Method, Profile};
use gander::select::{
    Candidate, Chosen, Decision, Flag, Multilib, Note, Problem, Reason, Relation, Request, Sense, Universe,
    gather,
};

use super::graphs::{Case, Numbers, case, package, stated, x86_64};

/// How many universes are tried: a failure names the seed of its own.
const SEEDS: u64 = 300;

/// The case of a seed, asked for everything, with packages that obsolete others and more that only the secondary arch has.
fn everything(seed: u64) -> Case {
    let mut case = case(seed);
    let mut numbers = Numbers(!seed);
    for at in 0..case.candidates.len() {
        let other = case.candidates[numbers.below(case.candidates.len())].nevra.name.clone();
        let candidate = &mut case.candidates[at];
        if numbers.once_in(40) && !candidate.nevra.is_source() {
            candidate.obsoletes.push(Relation::versioned(other, Sense::LESS, "2"));
        }
        let name = candidate.nevra.name.clone();
        match numbers.below(60) {
            0 => candidate.obsoletes.push(Relation::versioned(name, Sense::LESS, "2")),
            1 => candidate.obsoletes.push(Relation::any(name)),
            2 => candidate.provides.push(Relation::any("installonlypkg(kernel)")),
            3..6 => candidate.conflicts.push(Relation::any(format!("shared{}", numbers.below(6)))),
            _ => {}
        }
        if &*candidate.nevra.arch == "i686" {
            let narrow = |relation: &Relation| Relation {
                name: format!("{}(x86-32)", relation.name),
                ..relation.clone()
            };
            let shared = |relation: &&Relation| relation.name.starts_with("shared");
            let provided: Vec<_> = candidate.provides.iter().filter(shared).map(narrow).collect();
            let required: Vec<_> = candidate.requires.iter().filter(shared).map(narrow).collect();
            candidate.provides.extend(provided);
            candidate.requires.extend(required);
        }
        if !candidate.nevra.is_source() {
            let often = if &*candidate.nevra.arch == "i686" { 2 } else { 6 };
            if numbers.once_in(often) {
                candidate.requires.push(Relation::any(format!("shared{}(x86-32)", numbers.below(6))));
            }
        }
        candidate.key = Digest::of(format!("{candidate:?}"));
        if numbers.once_in(20) && &*candidate.nevra.arch == "noarch" {
            candidate.not_for.push("x86_64".into());
        }
    }
    let mut older_arch = |candidate: &&Candidate| &*candidate.nevra.arch == "i686" && numbers.once_in(8);
    let more: Vec<_> = case.candidates.iter().filter(&mut older_arch).cloned().collect();
    for mut candidate in more {
        candidate.nevra.arch = "i586".into();
        candidate.key = Digest::of(format!("{candidate:?}"));
        case.candidates.push(candidate);
    }
    // A copy is the same package.
    let all = case.candidates.clone();
    for candidate in case.candidates.iter_mut().filter(|candidate| candidate.lookaside) {
        let offered = all.iter().find(|other| !other.lookaside && other.nevra == candidate.nevra);
        if let Some(offered) = offered {
            *candidate = Candidate { lookaside: true, ..offered.clone() };
        }
    }
    case.request.method = rules::Method::Mash;
    case.request.multilib = Some(Multilib::by(
        Profile::Mash,
        [if seed.is_multiple_of(3) { Method::Devel } else { Method::None }],
    ));
    case
}

struct Answer {
    seed: u64,
    case: Case,
    decision: Decision,
}

fn answer(seed: u64) -> Answer {
    let case = everything(seed);
    let decision = gather(&case.request, &case.comps, &case.universe());
    Answer { seed, case, decision }
}

fn is_hidden(request: &Request, candidate: &Candidate) -> bool {
    let nevra = &candidate.nevra;
    let excluded = |pattern: &String| match pattern.rsplit_once('.') {
        Some((name, "src")) => nevra.is_source() && fnmatch::matches(name, &nevra.name),
        Some((name, arch)) => {
            nevra.arch == arch && fnmatch::matches(name, &nevra.name) && !is_debug(candidate)
        }
        None => !nevra.is_source() && fnmatch::matches(pattern, &nevra.name) && !is_debug(candidate),
    };
    candidate.not_for.iter().any(|tree| tree == "x86_64")
        || (!candidate.lookaside && request.exclude.iter().any(excluded))
}

fn is_debug(candidate: &Candidate) -> bool {
    candidate.nevra.name.contains("-debuginfo") || candidate.nevra.name.contains("-debugsource")
}

fn is_binary(candidate: &Candidate) -> bool {
    !candidate.nevra.is_source() && !is_debug(candidate)
}

fn is_native(nevra: &Nevra) -> bool {
    ["x86_64", "noarch"].contains(&&*nevra.arch)
}

impl Answer {
    /// What the sources have for the tree.
    fn ours(&self) -> impl Iterator<Item = &Candidate> {
        let offered = self.case.candidates.iter().filter(|candidate| !candidate.lookaside);
        offered.filter(|candidate| !is_hidden(&self.case.request, candidate))
    }

    /// What is there without being delivered.
    fn context(&self) -> Vec<&Candidate> {
        let ours = self.ours().filter(|candidate| is_binary(candidate));
        let ours: BTreeSet<_> = ours.map(|ours| (&ours.nevra.name, &*ours.nevra.arch)).collect();
        let aside =
            self.case.candidates.iter().filter(|candidate| candidate.lookaside && is_binary(candidate));
        aside
            .filter(|aside| !is_hidden(&self.case.request, aside))
            .filter(|aside| !ours.contains(&(&aside.nevra.name, &*aside.nevra.arch)))
            .collect()
    }

    /// Selected packages, those that are not delivered among them.
    fn packages(&self) -> Vec<&Candidate> {
        let find = |nevra: &Nevra, aside| {
            let mut all = self.case.candidates.iter();
            all.find(|candidate| candidate.nevra == *nevra && candidate.lookaside == aside)
        };
        let packages = self.decision.packages.iter();
        let aside = |chosen: &Chosen| chosen.flags.contains(&Flag::Lookaside);
        packages.map(|(nevra, chosen)| find(nevra, aside(chosen)).unwrap()).collect()
    }
}

#[test]
fn all_native_packages_are_delivered_and_others_have_a_reason() {
    let (mut judged_in, mut required, mut aside) = (0, 0, 0);
    for answer in (0..SEEDS).map(answer) {
        let (seed, request) = (answer.seed, &answer.case.request);
        let judge = Judge::of(request.multilib.as_ref().unwrap());
        for ours in answer.ours() {
            let nevra = &ours.nevra;
            let there = match (nevra.is_source(), is_debug(ours)) {
                (true, _) => answer.decision.sources.contains_key(nevra) == request.sources,
                (_, true) => answer.decision.debug.contains_key(nevra) == (request.debug && is_native(nevra)),
                _ if is_native(nevra) || judge.judge(ours).selected => {
                    let chosen = answer.decision.packages.get(nevra);
                    chosen.is_some_and(|chosen| chosen.is_delivered() && chosen.key == ours.key)
                }
                _ => true,
            };
            assert!(there, "seed {seed}: {nevra}");
        }
        let all: BTreeSet<_> = answer.ours().map(|ours| &ours.nevra).collect();
        let sources = answer.decision.sources.iter().filter(|(_, source)| source.is_delivered());
        for nevra in sources.map(|(nevra, _)| nevra).chain(answer.decision.debug.keys()) {
            assert!(all.contains(nevra), "seed {seed}: {nevra}");
        }
        for (nevra, chosen) in &answer.decision.packages {
            assert!(all.contains(nevra) || !chosen.is_delivered(), "seed {seed}: {nevra}");
            aside += usize::from(chosen.flags.contains(&Flag::Lookaside));
            match &chosen.why {
                Reason::Everything => assert!(is_native(nevra), "seed {seed}: {nevra}"),
                Reason::Context => {
                    let mut context = answer.context().into_iter();
                    assert!(context.any(|other| other.nevra == *nevra), "seed {seed}: {nevra}");
                }
                Reason::Multilib { verdict, .. } => {
                    assert!(verdict.selected, "seed {seed}: {nevra}");
                    judged_in += 1;
                }
                Reason::Requirement { by, .. } => {
                    assert!(answer.decision.packages.contains_key(by), "seed {seed}: {nevra} for {by}");
                    required += 1;
                }
                other => panic!("seed {seed}: {nevra} is there for {other:?}"),
            }
            let chain = answer.decision.explain(nevra);
            let input = chain.last().unwrap().1.by().is_none();
            assert!(input, "seed {seed}: {nevra} has no input: {chain:?}");
        }
    }
    println!("{judged_in} by rule, {required} by requirement, {aside} looked aside at");
    assert!(judged_in > 300 && required > 200 && aside > 50);
}

#[test]
fn what_is_required_is_there_or_told_to_be_missing() {
    let (mut met, mut told) = (0, 0);
    for answer in (0..SEEDS).map(answer) {
        let there = [answer.packages(), answer.context()].concat();
        let delivered =
            answer.packages().into_iter().filter(|by| answer.decision.packages[&by.nevra].is_delivered());
        for by in delivered {
            for relation in by.requires.iter().filter(|relation| !relation.is_rich()) {
                if there.iter().any(|other| other.meets(relation)) {
                    met += 1;
                    continue;
                }
                let text = relation.to_string();
                let known = answer.decision.notes.iter().any(|note| match note {
                    Note::Ignored(Problem::Unresolved { requirement, by: all, .. }) => {
                        *requirement == text && all.contains(&by.nevra)
                    }
                    Note::Replaced { requirement, by: one, .. } => *requirement == text && *one == by.nevra,
                    _ => false,
                });
                assert!(known, "seed {}: {} lacks {text}, and nobody says so", answer.seed, by.nevra);
                told += 1;
            }
        }
        assert!(answer.decision.problems.is_empty(), "seed {}: {:?}", answer.seed, answer.decision.problems);
    }
    println!("requirements: {met} met, {told} told to be missing");
    assert!(met > 1_000 && told > 100);
}

/// Neither the order of candidates nor anything that is named.
#[test]
fn nothing_else_changes_it() {
    for answer in (0..SEEDS).map(answer) {
        let mut numbers = Numbers(answer.seed);
        for _ in 0..if answer.seed % 60 == 0 { 50 } else { 1 } {
            let mut case = answer.case.clone();
            numbers.shuffle(&mut case.candidates);
            assert_eq!(
                gather(&case.request, &case.comps, &case.universe()),
                answer.decision,
                "seed {}",
                answer.seed
            );
        }
        let mut bare = Request::new(answer.case.request.arch);
        bare.method = rules::Method::Mash;
        bare.multilib.clone_from(&answer.case.request.multilib);
        bare.exclude.clone_from(&answer.case.request.exclude);
        (bare.debug, bare.sources) = (answer.case.request.debug, answer.case.request.sources);
        let decision = gather(&bare, &Default::default(), &answer.case.universe());
        assert_eq!(decision, answer.decision, "seed {}", answer.seed);
    }
}

/// Thousands that ask for what thousands provide, in as many versions, or what others obsolete.
#[test]
fn many_candidates_for_many_requirements() {
    const MANY: usize = 4_000;
    let mut candidates = Vec::new();
    for at in 0..MANY {
        let mut asking = package(&format!("asking{at}-0:1-1.x86_64"));
        for wanted in
            ["shared(x86-32)", "old(x86-32) = 1", "replaced(x86-32)", &format!("own{}(x86-32)", at % 50)]
        {
            asking.requires.push(stated(wanted));
        }
        asking.obsoletes.push(stated("gone"));
        candidates.push(asking);
        let mut giving = package(&format!("giving{at:04}-0:1-1.i686"));
        giving.provides.push(stated("shared(x86-32)"));
        giving.provides.push(stated(&format!("own{}(x86-32)", at % 50)));
        giving.requires = (0..10).map(|more| stated(&format!("lacked{more}-{}", at % 7))).collect();
        candidates.push(giving);
        let mut old = package(&format!("old-0:{at}-1.i686"));
        old.provides.push(stated("old(x86-32) = 1"));
        candidates.push(old);
    }
    let mut gone = package("gone-0:1-1.i686");
    gone.provides.push(stated("replaced(x86-32)"));
    candidates.push(gone);
    let mut request = Request::new(x86_64());
    request.method = rules::Method::Mash;
    request.multilib = everything(1).request.multilib;
    let decision = gather(&request, &Default::default(), &Universe::new(candidates).unwrap());
    let secondary: Vec<_> = decision.packages.keys().filter(|nevra| &*nevra.arch == "i686").collect();
    // Each that was taken for one requirement meets another one.
    assert_eq!(secondary.len(), 51, "{secondary:?}");
    assert_eq!(secondary[50].to_string(), format!("old-0:{}-1.i686", MANY - 1));
    let replaced = decision.notes.iter().filter(|note| matches!(note, Note::Replaced { .. }));
    assert_eq!(replaced.count(), MANY);
}
