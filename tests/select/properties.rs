//! What holds of every answer, whatever is asked.

use std::collections::{BTreeMap, BTreeSet};

use gander::base::fnmatch;
use gander::base::{Digest, Nevra};
use gander::format::comps::Need;
use gander::format::kickstart::Include;
use gander::select::{
    Absence, Candidate, Chosen, Decision, Expression, Flag, Outcome, Problem, Reason, Relation, explain,
    gather,
};

use super::graphs::{Case, Numbers, case, package, stated};

/// How many universes are tried: a failure names the seed of its own.
const SEEDS: u64 = 400;

/// A case with its answer.
pub struct Answer {
    pub seed: u64,
    pub case: Case,
    pub decision: Decision,
}

pub fn answer(seed: u64) -> Answer {
    Answer::of(seed, case(seed))
}

impl Answer {
    pub fn of(seed: u64, case: Case) -> Self {
        let decision = gather(&case.request, &case.comps, &case.universe());
        Self { seed, case, decision }
    }

    pub fn find(&self, nevra: &Nevra) -> &Candidate {
        let mut all = self.case.candidates.iter();
        let found = all.find(|candidate| candidate.nevra == *nevra);
        found.unwrap_or_else(|| panic!("seed {}: {nevra} is not in the universe", self.seed))
    }

    fn chosen(&self) -> impl Iterator<Item = (&Nevra, &Chosen)> {
        self.decision.packages.iter().chain(&self.decision.debug)
    }

    pub fn has(&self, nevra: &Nevra) -> bool {
        self.decision.packages.contains_key(nevra) || self.decision.debug.contains_key(nevra)
    }

    /// Whether some selected package meets an expression by itself.
    fn met_by(&self, part: &Expression, debug: bool) -> bool {
        let more = self.decision.debug.keys().filter(|_| debug);
        self.decision.packages.keys().chain(more).any(|nevra| self.find(nevra).meets_alone(part))
    }

    pub fn holds(&self, wanted: &Expression) -> bool {
        wanted.holds(&|part| self.met_by(part, false))
    }

    /// Whether the selection gives a package what it asks for. To a tree, which people install from, `(a unless b)` means
    /// that whoever leaves out `b` finds `a`.
    pub fn gives(&self, by: &Candidate, wanted: &Expression) -> bool {
        match wanted {
            Expression::Simple(_) => self.met_by(wanted, by.is_debug()),
            Expression::With(_) | Expression::Without(..) => self.met_by(wanted, false),
            Expression::All(parts) => parts.iter().all(|part| self.gives(by, part)),
            Expression::Any(parts) => parts.iter().any(|part| self.gives(by, part)),
            Expression::If(_, condition, _) | Expression::Unless(_, condition, _) => {
                let outcome = match wanted.outcome(self.holds(condition)) {
                    Outcome::Unmet => wanted.outcome(false),
                    outcome => outcome,
                };
                match outcome {
                    Outcome::Met => true,
                    Outcome::Unmet => false,
                    Outcome::Part(part) => self.gives(by, part),
                }
            }
        }
    }

    /// Whether a requirement of a package, or a part of it, is told to be unresolved.
    pub fn is_told(&self, nevra: &Nevra, stated: &Relation, wanted: &Expression) -> bool {
        let mut texts: BTreeSet<String> = wanted.relations().iter().map(ToString::to_string).collect();
        texts.insert(stated.to_string());
        self.decision.problems.iter().any(|problem| match problem {
            Problem::Unresolved { requirement, by, .. } => texts.contains(requirement) && by.contains(nevra),
            _ => false,
        })
    }

    /// Whether a package is a reason for one that meets a part of what it states.
    fn serves(&self, nevra: &Nevra, text: &str, stated: &[Relation]) -> bool {
        let served = self.find(nevra);
        stated.iter().filter(|relation| relation.to_string() == text).any(|relation| {
            let expression = Expression::of(relation).unwrap();
            served.meets_alone(&expression)
                || expression.relations().into_iter().any(|part| served.meets(part))
        })
    }

    /// What is wrong with the reason of a package.
    fn wrong(&self, nevra: &Nevra, why: &Reason) -> Option<String> {
        let (request, comps) = (&self.case.request, &self.case.comps);
        let own = self.find(nevra);
        let wanted = |pattern: &str| {
            let (name, arch) = pattern.rsplit_once('.').unwrap_or((pattern, &nevra.arch));
            fnmatch::matches(name, &nevra.name) && arch == nevra.arch
        };
        let member = |id: &String, need: Need, requires: Option<&str>| {
            let group = comps.group(id).unwrap();
            group.packages.iter().any(|member| {
                member.name == nevra.name && member.need == need && member.requires.as_deref() == requires
            })
        };
        let asked = |id: &String, environment: &Option<String>, need: Need| match environment {
            None => {
                let includes = |include: Include| match need {
                    Need::Optional => request.optional || include == Include::Optional,
                    Need::Default => include != Include::NoDefaults,
                    Need::Mandatory | Need::Conditional => true,
                };
                let plain = request.groups.contains(id).then_some(Include::Default);
                let named = request.named_groups.iter().filter(|(named, _)| named == id);
                named.map(|(_, include)| *include).chain(plain).any(includes)
            }
            Some(environment) => {
                let listed = comps.environment(environment).unwrap();
                let options = if request.optional { &listed.options[..] } else { &[] };
                request.environments.contains(environment)
                    && !request.without_groups.contains(id)
                    && !request.named_groups.iter().any(|(named, _)| named == id)
                    && (need != Need::Optional || request.optional)
                    && listed.groups.iter().chain(options).any(|group| group.id == *id)
            }
        };
        let holds = match why {
            Reason::Pattern(pattern) => request.packages.contains(pattern) && wanted(pattern),
            // Of one variant alone, which names no module.
            Reason::Moved { .. } | Reason::Module(_) => false,
            Reason::Prepopulate(pattern) => request.prepopulate.contains(pattern) && wanted(pattern),
            Reason::Group { group, environment, need } => {
                member(group, *need, None) && asked(group, environment, *need)
            }
            Reason::Conditional { group, with } => {
                self.has(with) && member(group, Need::Conditional, Some(&with.name))
            }
            Reason::Requirement { by, requirement } => {
                self.has(by)
                    && request.dependencies
                    && self.serves(nevra, requirement, &self.find(by).requires)
            }
            Reason::BuildRequirement { by, requirement } => {
                self.decision.sources.contains_key(by)
                    && request.selfhosting
                    && self.serves(nevra, requirement, &self.find(by).requires)
            }
            Reason::Recommendation { by, recommendation } => {
                self.has(by) && request.weak && self.serves(nevra, recommendation, &self.find(by).recommends)
            }
            Reason::Supplement { with: None, .. } | Reason::Everything | Reason::Context => false,
            Reason::Supplement { with: Some(with), supplement } => {
                self.has(with) && request.weak && self.serves(with, supplement, &own.supplements)
            }
            Reason::Source { of } => {
                let file = own.nevra.file_name();
                self.decision.packages.contains_key(of) && self.find(of).source.as_ref() == Some(&file)
            }
            Reason::Debug { of } => {
                let is_for =
                    nevra.name == format!("{}-debuginfo", of.name) || nevra.name.contains("-debugsource");
                let other = self.find(of);
                self.has(of) && request.debug && is_for && other.source == own.source && of.arch == nevra.arch
            }
            Reason::Fulltree { with } => {
                let source = own.source.as_ref().unwrap();
                let left_alone = |name: &String| source.starts_with(&format!("{name}-"));
                self.has(with)
                    && request.fulltree
                    && self.find(with).source.as_ref() == Some(source)
                    && !request.fulltree_excludes.iter().any(left_alone)
            }
            Reason::Langpack { with, pattern } => {
                let rules = &mut comps.langpacks.iter();
                self.has(with)
                    && request.langpacks
                    && rules.any(|rule| rule.name == with.name && rule.install == *pattern)
                    && fnmatch::matches(&pattern.replace("%s", "*"), &nevra.name)
            }
            Reason::Multilib { twin, verdict } => {
                let rules = request.multilib.as_ref().unwrap();
                let twin = twin.as_ref().unwrap();
                self.has(twin)
                    && (&twin.name, &*nevra.arch) == (&nevra.name, "i686")
                    && verdict.selected
                    && self.decision.judged.get(nevra) == Some(verdict)
                    && !rules.blacklist.iter().any(|glob| fnmatch::matches(glob, &nevra.name))
            }
        };
        (!holds).then(|| format!("seed {}: {nevra} is there for what does not hold: {why:?}", self.seed))
    }
}

#[test]
fn the_closure_is_closed() {
    let (mut met, mut told) = (0, 0);
    for answer in (0..SEEDS).map(answer).filter(|answer| answer.case.request.dependencies) {
        let sources = answer.decision.sources.iter().filter(|_| answer.case.request.selfhosting);
        let sources = sources.filter(|(_, source)| source.is_delivered()).map(|(nevra, _)| nevra);
        let delivered = answer.decision.packages.iter().filter(|(_, chosen)| chosen.is_delivered());
        let debug = answer.decision.debug.iter().filter(|_| answer.case.request.debug);
        let debug = debug.filter(|(_, chosen)| chosen.is_delivered());
        for nevra in delivered.chain(debug).map(|(nevra, _)| nevra).chain(sources) {
            let by = answer.find(nevra);
            for relation in &by.requires {
                let wanted = Expression::of(relation).unwrap();
                if answer.gives(by, &wanted) {
                    met += 1;
                } else {
                    let seed = answer.seed;
                    assert!(
                        answer.is_told(nevra, relation, &wanted),
                        "seed {seed}: {nevra} lacks {relation}, and nobody says so"
                    );
                    told += 1;
                }
            }
        }
    }
    println!("requirements: {met} met, {told} told to be unresolved");
    assert!(met > 1_000 && told > 100, "hardly anything is required: {met}, {told}");
}

#[test]
fn what_is_told_to_be_unresolved_is() {
    for answer in (0..SEEDS).map(answer) {
        for problem in &answer.decision.problems {
            let Problem::Unresolved { requirement, by, .. } = problem else { continue };
            let wanted = Expression::of(&stated(requirement)).unwrap();
            for nevra in by {
                let package = answer.find(nevra);
                let rich = matches!(wanted, Expression::Unless(..));
                let met = answer.met_by(&wanted, package.is_debug());
                assert!(rich || !met, "seed {}: {nevra} does not lack {requirement}", answer.seed);
            }
        }
    }
}

#[test]
fn without_any_package_that_is_no_input_something_named_breaks() {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for answer in (0..SEEDS).map(answer) {
        for (nevra, chosen) in answer.chosen() {
            assert_eq!(answer.wrong(nevra, &chosen.why), None);
            let kind = format!("{:?}", chosen.why);
            let kind = kind.split([' ', '(']).next().unwrap_or_default().to_owned();
            *kinds.entry(kind).or_default() += 1;
        }
        for (nevra, source) in &answer.decision.sources {
            assert!(!source.built.is_empty(), "seed {}: {nevra} is the source of nothing", answer.seed);
            let of = source.of.as_ref().unwrap();
            assert!(source.built.contains(of), "seed {}: {nevra}", answer.seed);
            for of in &source.built {
                assert_eq!(answer.wrong(nevra, &Reason::Source { of: of.clone() }), None);
            }
        }
    }
    println!("{kinds:?}");
    for kind in [
        "Pattern",
        "Prepopulate",
        "Group",
        "Conditional",
        "Requirement",
        "BuildRequirement",
        "Recommendation",
        "Supplement",
        "Debug",
        "Fulltree",
        "Langpack",
        "Multilib",
    ] {
        assert!(kinds.get(kind).is_some_and(|count| *count > 20), "hardly any {kind}: {kinds:?}");
    }
}

#[test]
fn every_package_has_a_chain_that_ends_in_an_input() {
    let mut longest = 0;
    for answer in (0..SEEDS).map(answer) {
        let seed = answer.seed;
        let all = answer.chosen().map(|(nevra, _)| nevra).chain(answer.decision.sources.keys());
        for nevra in all {
            let chain = answer.decision.explain(nevra);
            assert_eq!(chain.first().map(|(first, _)| first), Some(nevra), "seed {seed}");
            let distinct: BTreeSet<_> = chain.iter().map(|(step, _)| step).collect();
            assert_eq!(distinct.len(), chain.len(), "seed {seed}: {nevra} explains itself: {chain:?}");
            for ((_, why), (next, _)) in chain.iter().zip(chain.iter().skip(1)) {
                assert_eq!(why.by(), Some(next), "seed {seed}");
            }
            let (_, last) = chain.last().unwrap();
            let is_input = matches!(last, Reason::Pattern(_) | Reason::Prepopulate(_) | Reason::Group { .. });
            assert!(is_input, "seed {seed}: {nevra} ends in {last:?}");
            longest = longest.max(chain.len());
        }
    }
    println!("the longest chain has {longest} packages");
    assert!(longest > 5);
}

#[test]
fn excluded_packages_never_appear() {
    let mut hidden = 0;
    for answer in (0..SEEDS).map(answer) {
        let excluded = |candidate: &Candidate| {
            let nevra = &candidate.nevra;
            answer.case.request.exclude.iter().any(|pattern| match pattern.rsplit_once('.') {
                Some((name, arch)) => {
                    nevra.arch == arch && fnmatch::matches(name, &nevra.name) && !candidate.is_debug()
                }
                None => !nevra.is_source() && !candidate.is_debug() && fnmatch::matches(pattern, &nevra.name),
            })
        };
        let offered = answer.case.candidates.iter().filter(|candidate| !candidate.lookaside);
        let aside = |nevra: &Nevra| {
            let mut all = answer.case.candidates.iter();
            all.any(|candidate| candidate.lookaside && candidate.nevra == *nevra)
        };
        for candidate in offered.filter(|candidate| excluded(candidate) && !aside(&candidate.nevra)) {
            let nevra = &candidate.nevra;
            let there = answer.has(nevra) || answer.decision.sources.contains_key(nevra);
            assert!(!there, "seed {}: {nevra} is excluded", answer.seed);
            hidden += 1;
        }
    }
    println!("{hidden} packages were excluded");
    assert!(hidden > 1_000);
}

#[test]
fn a_package_that_nothing_asks_for_changes_nothing() {
    for answer in (0..SEEDS).map(answer) {
        let mut more = answer.case.clone();
        for version in 1..3 {
            let mut source = package(&format!("unrelated-0:{version}-1.src"));
            (source.source, source.provides) = (None, Vec::new());
            source.requires.push(stated("nobody-has-it"));
            more.candidates.push(source);
            for name in
                ["a-unrelated", "unrelated", "z-unrelated", "unrelated-debuginfo", "unrelated-lang-de"]
            {
                for arch in ["x86_64", "i686", "noarch"] {
                    let mut added = package(&format!("{name}-0:{version}-1.{arch}"));
                    added.source = Some(format!("unrelated-{version}-1.src.rpm"));
                    added.requires = vec![stated("p0-0"), stated("(p1-0 if p2-0)"), stated("nobody-either")];
                    added.recommends = vec![stated("shared1")];
                    added.provides.push(stated("what-nobody-requires"));
                    more.candidates.push(added);
                }
            }
        }
        let decision = gather(&more.request, &more.comps, &more.universe());
        assert_eq!(decision, answer.decision, "seed {}", answer.seed);
    }
}

/// Every list of a request in another order, with some of what it says said twice.
fn shuffle(case: &mut Case, numbers: &mut Numbers) {
    numbers.shuffle(&mut case.candidates);
    let request = &mut case.request;
    for list in [
        &mut request.packages,
        &mut request.exclude,
        &mut request.prepopulate,
        &mut request.groups,
        &mut request.environments,
        &mut request.fulltree_excludes,
        &mut request.without_groups,
    ] {
        let again = list.first().cloned().filter(|_| numbers.once_in(3));
        list.extend(again);
        numbers.shuffle(list);
    }
    request.named_groups.extend(request.named_groups.clone());
    if let Some(multilib) = &mut request.multilib {
        numbers.shuffle(&mut multilib.whitelist);
        numbers.shuffle(&mut multilib.blacklist);
    }
    numbers.shuffle(&mut case.comps.groups);
    numbers.shuffle(&mut case.comps.environments);
    numbers.shuffle(&mut case.comps.langpacks);
    for group in &mut case.comps.groups {
        numbers.shuffle(&mut group.packages);
    }
}

#[test]
fn no_order_changes_anything() {
    for answer in (0..SEEDS).map(answer) {
        let mut numbers = Numbers(answer.seed);
        let mut case = answer.case.clone();
        for turn in 0..if answer.seed % 40 == 0 { 50 } else { 1 } {
            numbers.shuffle(&mut case.candidates);
            let decision = gather(&case.request, &case.comps, &case.universe());
            assert_eq!(decision, answer.decision, "seed {}", answer.seed);
            let mut case = case.clone();
            shuffle(&mut case, &mut numbers);
            let decision = gather(&case.request, &case.comps, &case.universe());
            if turn == 0 {
                let told = |case: &Case| explain(&case.request, &case.comps, &case.universe(), "*").absent;
                assert_eq!(told(&case), told(&answer.case), "seed {}", answer.seed);
            }
            assert_eq!(decision, answer.decision, "seed {}", answer.seed);
        }
    }
}

#[test]
fn every_package_is_explained_whether_it_is_there_or_not() {
    let mut absences: BTreeMap<&str, usize> = BTreeMap::new();
    for answer in (0..SEEDS).step_by(5).map(answer) {
        let (seed, case) = (answer.seed, &answer.case);
        let told = explain(&case.request, &case.comps, &case.universe(), "*");
        assert_eq!(told.decision, answer.decision, "seed {seed}");
        for candidate in &case.candidates {
            let nevra = &candidate.nevra;
            let there = answer.has(nevra) || answer.decision.sources.contains_key(nevra);
            let excluded_by_arch = nevra.is_source() && !there;
            assert!(
                excluded_by_arch || there == told.selected.contains(nevra),
                "seed {seed}: {nevra} is there: {there}, {:?}",
                told.absent.get(nevra)
            );
            if !there && !nevra.is_source() {
                let absence = told.absent.get(nevra);
                let word = match absence.unwrap_or_else(|| panic!("seed {seed}: {nevra} is not explained")) {
                    Absence::Foreign => "foreign",
                    Absence::Excluded(_) => "excluded",
                    Absence::Blacklisted => "blacklisted",
                    Absence::Copy => "copy",
                    Absence::Older(_) => "older",
                    Absence::Judged(_) => "judged",
                    Absence::Unseen => "unseen",
                    Absence::OtherStream => panic!("seed {seed}: {nevra} is of no stream"),
                    Absence::Lost(_) => "lost",
                    Absence::NotAsked => "not asked",
                    Absence::Elsewhere(trim) => {
                        panic!("seed {seed}: {nevra}: {trim}, but there is one variant")
                    }
                    Absence::Context => "context",
                    Absence::Debug => "debug",
                };
                *absences.entry(word).or_default() += 1;
            }
        }
        // A plain requirement that brought a package in is among those that it is needed for.
        for (nevra, chosen) in &answer.decision.packages {
            let Reason::Requirement { by, requirement } = &chosen.why else { continue };
            if requirement.starts_with('(') || !answer.decision.packages.contains_key(by) {
                continue;
            }
            let needs = told.needed.get(nevra).unwrap();
            let named = |need: &gander::select::Need| need.by == *by && need.requirement == *requirement;
            assert!(needs.iter().any(named), "seed {seed}: {nevra} for {requirement} of {by}: {needs:?}");
        }
    }
    println!("{absences:?}");
    assert!(absences.len() >= 6, "{absences:?}");
}

#[test]
fn what_is_looked_aside_at_is_told_apart() {
    let mut aside = 0;
    for answer in (0..SEEDS).map(answer) {
        let keys: BTreeMap<&Nevra, Digest> =
            answer.case.candidates.iter().map(|candidate| (&candidate.nevra, candidate.key)).collect();
        for (nevra, chosen) in answer.chosen() {
            assert_eq!(keys.get(nevra), Some(&chosen.key), "seed {}: {nevra}", answer.seed);
            let mut all = answer.case.candidates.iter();
            let is_aside = all.any(|candidate| candidate.nevra == *nevra && candidate.lookaside);
            let own = answer.find(nevra);
            // What debugs a package that is not delivered is not delivered either.
            let debugs = |of: &Nevra| {
                let name_fits =
                    nevra.name == format!("{}-debuginfo", of.name) || nevra.name.contains("-debugsource");
                name_fits && of.arch == nevra.arch && answer.find(of).source == own.source
            };
            let mut of_aside = answer.decision.packages.iter().filter(|(_, of)| !of.is_delivered());
            let is_aside = is_aside
                || (own.is_debug() && answer.case.request.debug && of_aside.any(|(of, _)| debugs(of)));
            assert_eq!(
                chosen.flags.contains(&Flag::Lookaside),
                is_aside,
                "seed {}: {nevra} {:?}",
                answer.seed,
                chosen.flags
            );
            aside += usize::from(is_aside);
        }
    }
    println!("{aside} packages were looked aside at");
    assert!(aside > 100);
}
