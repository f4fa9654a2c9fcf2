//! Gathering against the answers of Pungi's `deps` method (`GANDER_ORACLE`/gather): cases of its own test suite, and random
//! ones. Where Pungi's answer depends on the order of packages in a repository, only that ours does not is compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use gander::base::arch::TreeArch;
use gander::base::{Digest, Evr, Nevra};
use gander::format::comps::{Comps, Langpack};
use gander::select::multilib::{Method, Profile};
use gander::select::{
    Candidate, Decision, FileKind, Flag, Greed, Multilib, PackagedFile, Problem, Relation, Request, Sense,
    Universe, gather,
};
use serde::Deserialize;

use super::{Tally, folder, skip};

#[derive(Clone, Deserialize)]
struct Package {
    name: String,
    epoch: String,
    version: String,
    release: String,
    arch: String,
    sourcerpm: Option<String>,
    location: String,
    provides: Vec<Stated>,
    requires: Vec<Stated>,
    files: Vec<Path_>,
}

#[derive(Clone, Deserialize)]
struct Stated {
    name: String,
    flags: Option<String>,
    epoch: Option<String>,
    version: Option<String>,
    release: Option<String>,
}

#[derive(Clone, Deserialize)]
struct Path_ {
    path: String,
    r#type: String,
}

#[derive(Deserialize)]
struct Langpacks {
    langpacks: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    name: String,
    install: String,
}

#[derive(Deserialize)]
struct Case {
    #[serde(default)]
    test: String,
    #[serde(default)]
    id: Option<u32>,
    arch: String,
    repo: String,
    lookaside: Option<String>,
    packages: Vec<String>,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    langpacks_from_comps: bool,
    options: Options,
    #[serde(default)]
    order_dependent: bool,
    // Of a case of the suite.
    result: Option<Delivered>,
    #[serde(default)]
    flags: BTreeMap<String, BTreeSet<String>>,
    #[serde(default)]
    broken_deps: BTreeMap<String, BTreeSet<String>>,
    // Of a random one.
    expected: Option<Expected>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    greedy: Option<String>,
    fulltree: bool,
    fulltree_excludes: Vec<String>,
    selfhosting: bool,
    nodeps: bool,
    multilib_methods: Vec<String>,
    multilib_whitelist: Vec<String>,
    multilib_blacklist: Vec<String>,
    prepopulate: Vec<String>,
    exclude_source: bool,
    exclude_debug: bool,
}

#[derive(Deserialize)]
struct Delivered {
    rpm: BTreeSet<String>,
    srpm: BTreeSet<String>,
    debuginfo: BTreeSet<String>,
}

type Listed = BTreeMap<String, BTreeSet<String>>;

#[derive(Deserialize)]
struct Expected {
    rpm: Vec<(String, BTreeSet<String>)>,
    srpm: Vec<(String, BTreeSet<String>)>,
    debuginfo: Vec<(String, BTreeSet<String>)>,
    errors: BTreeSet<String>,
    unresolvable: BTreeSet<String>,
}

fn relation(stated: &Stated) -> Relation {
    let Some(flags) = stated.flags.as_deref() else { return Relation::any(&stated.name) };
    let signs = [("EQ", "="), ("LT", "<"), ("GT", ">"), ("LE", "<="), ("GE", ">=")];
    let (_, sense) = signs.into_iter().find(|(name, _)| *name == flags).unwrap();
    let epoch = stated.epoch.as_deref().filter(|epoch| *epoch != "0");
    let version = stated.version.clone().unwrap_or_default();
    let release = stated.release.as_ref().map(|release| format!("-{release}")).unwrap_or_default();
    let epoch = epoch.map(|epoch| format!("{epoch}:")).unwrap_or_default();
    Relation::versioned(&stated.name, Sense::parse(sense).unwrap(), format!("{epoch}{version}{release}"))
}

fn candidate(package: &Package, lookaside: bool) -> Candidate {
    let evr = Evr {
        epoch: package.epoch.parse().unwrap(),
        version: package.version.clone(),
        release: package.release.clone(),
    };
    let nevra = Nevra::new(&package.name, evr, &package.arch).unwrap();
    let mut candidate = Candidate::new(nevra, Digest::of(&package.location));
    candidate.source.clone_from(&package.sourcerpm);
    candidate.provides = package.provides.iter().map(relation).collect();
    candidate.requires = package.requires.iter().map(relation).collect();
    let kind = |kind: &str| match kind {
        "dir" => FileKind::Directory,
        "ghost" => FileKind::Ghost,
        _ => FileKind::File,
    };
    let files = package.files.iter();
    candidate.files = files.map(|file| PackagedFile(kind(&file.r#type), file.path.clone())).collect();
    candidate.lookaside = lookaside;
    candidate
}

/// The packages of a repository, each with the name of its file.
fn repository(root: &Path, name: &str) -> Vec<Package> {
    serde_json::from_slice(&fs::read(root.join(format!("{name}.json"))).unwrap()).unwrap()
}

/// The repository of a case: the suite calls some by a part of their names.
fn named(root: &Path, name: &str) -> Vec<Package> {
    let long = format!("repo-{name}");
    let known = if root.join(format!("{name}.json")).is_file() { name } else { long.as_str() };
    repository(root, known)
}

fn request(case: &Case, root: &Path) -> (Request, Comps) {
    let tree = TreeArch::find(&case.arch).unwrap();
    let mut request = Request::new(tree);
    // The answers are those of dnf for a machine of the tree's own name, an i386 for the tree i386.
    request.machine = tree.native.iter().copied().find(|arch| *arch == case.arch);
    for pattern in &case.packages {
        match pattern.strip_prefix('-') {
            Some(excluded) => request.exclude.push(excluded.to_owned()),
            None => request.packages.push(pattern.clone()),
        }
    }
    let options = &case.options;
    let greeds = [("none", Greed::None), ("all", Greed::All), ("build", Greed::Build)];
    let greedy = options.greedy.as_deref().unwrap_or("none");
    request.greed = greeds.into_iter().find(|(name, _)| *name == greedy).unwrap().1;
    request.fulltree = options.fulltree;
    request.fulltree_excludes.clone_from(&options.fulltree_excludes);
    request.selfhosting = options.selfhosting;
    request.dependencies = !options.nodeps;
    request.prepopulate.clone_from(&options.prepopulate);
    request.sources = !options.exclude_source;
    request.debug = !options.exclude_debug;
    request.langpacks = case.langpacks_from_comps;
    request.multilib = Some(Multilib {
        profile: Profile::Pungi,
        methods: options.multilib_methods.iter().map(|method| Method::find(method).unwrap()).collect(),
        whitelist: options.multilib_whitelist.clone(),
        blacklist: options.multilib_blacklist.clone(),
        patterns: Vec::new(),
    });
    let comps = Comps::parse(&fs::read(root.join("comps.xml")).unwrap()).unwrap();
    let mut only = Comps::default();
    for group in comps.groups.into_iter().filter(|group| case.groups.contains(&group.id)) {
        let mut group = group;
        // The suite asks for conditional members only.
        group.packages.retain(|member| member.need == gander::format::comps::Need::Conditional);
        request.groups.push(group.id.clone());
        only.groups.push(group);
    }
    let rules: Langpacks = serde_json::from_slice(&fs::read(root.join("comps.json")).unwrap()).unwrap();
    let rules = rules.langpacks.into_iter();
    only.langpacks = rules.map(|rule| Langpack { name: rule.name, install: rule.install }).collect();
    (request, only)
}

/// Pungi's name of a flag; none for those that it does not have.
fn pungi(flag: Flag) -> Option<&'static str> {
    Some(match flag {
        Flag::Input | Flag::Module | Flag::Group => "input",
        Flag::Prepopulate => "prepopulate",
        Flag::Conditional => "conditional",
        Flag::SelfHosting => "self_hosting",
        Flag::Fulltree => "fulltree",
        Flag::FulltreeExclude => "fulltree_exclude",
        Flag::Langpack => "langpack",
        Flag::Lookaside => "lookaside",
        Flag::Multilib => "multilib",
        Flag::Dependency | Flag::Weak | Flag::Everything | Flag::Replaced => return None,
    })
}

fn flags(flags: &BTreeSet<Flag>) -> BTreeSet<String> {
    flags.iter().filter_map(|flag| pungi(*flag)).map(str::to_owned).collect()
}

/// What was decided, as the lists say it.
fn lists(decision: &Decision) -> [Listed; 3] {
    let chosen = |chosen: &BTreeMap<Nevra, gander::select::Chosen>| {
        chosen.iter().map(|(nevra, chosen)| (nevra.to_string(), flags(&chosen.flags))).collect::<Listed>()
    };
    let sources = decision.sources.iter();
    let sources = sources.map(|(nevra, source)| (nevra.to_string(), flags(&source.flags))).collect();
    [chosen(&decision.packages), sources, chosen(&decision.debug)]
}

fn unresolved(decision: &Decision) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for problem in &decision.problems {
        if let Problem::Unresolved { requirement, by, .. } = problem {
            found.extend(by.iter().map(|by| (format!("{}.{}", by.name, by.arch), requirement.clone())));
        }
    }
    found
}

fn difference<T: std::fmt::Debug + Ord>(
    what: &str,
    ours: &BTreeSet<T>,
    theirs: &BTreeSet<T>,
) -> Option<String> {
    (ours != theirs).then(|| {
        let (more, less) = (ours.difference(theirs), theirs.difference(ours));
        format!("{what}: too many {:?}, missing {:?}", more.collect::<Vec<_>>(), less.collect::<Vec<_>>())
    })
}

fn differ(what: &str, ours: &Listed, theirs: &Listed) -> Option<String> {
    let entries = |listed: &Listed| listed.clone().into_iter().collect::<BTreeSet<_>>();
    difference(what, &entries(ours), &entries(theirs))
}

/// Compares a case of the suite.
fn suite(case: &Case, decision: &Decision, files: &BTreeMap<String, String>) -> Option<String> {
    let Some(result) = &case.result else { return Some("it has no result".into()) };
    let ours = lists(decision);
    let mut flagged = Listed::new();
    for (nevra, flags) in ours.iter().flatten().filter(|(_, flags)| !flags.is_empty()) {
        flagged.insert(nevra.clone(), flags.clone());
    }
    let delivered = |listed: &Listed| -> BTreeSet<String> {
        let kept = listed.iter().filter(|(_, flags)| !flags.contains("lookaside"));
        kept.map(|(nevra, _)| files[nevra].clone()).collect()
    };
    let broken: BTreeSet<(String, String)> = case
        .broken_deps
        .iter()
        .flat_map(|(package, missing)| missing.iter().map(|name| (package.clone(), name.clone())))
        .collect();
    let [rpm, srpm, debug] = ours.each_ref().map(delivered);
    let mut wrong = vec![
        difference("packages", &rpm, &result.rpm),
        difference("sources", &srpm, &result.srpm),
        difference("debuginfo", &debug, &result.debuginfo),
        differ("flags", &flagged, &case.flags),
    ];
    let unresolved = unresolved(decision);
    wrong.push(difference("unresolved", &unresolved, &broken));
    let wrong: Vec<_> = wrong.into_iter().flatten().collect();
    (!wrong.is_empty()).then(|| wrong.join("; "))
}

/// Compares a random case.
fn random(expected: &Expected, decision: &Decision) -> Option<String> {
    let listed = |list: &[(String, BTreeSet<String>)]| list.iter().cloned().collect::<Listed>();
    let [rpm, srpm, debug] = lists(decision);
    let unresolved: BTreeSet<String> = unresolved(decision)
        .into_iter()
        .map(|(package, requirement)| format!("Unresolvable dependency {requirement} in {package}"))
        .collect();
    let mut unmatched = BTreeSet::new();
    for problem in &decision.problems {
        if let Problem::NoMatch { pattern, .. } = problem {
            unmatched.insert(format!("No package matches pattern {pattern}"));
        }
    }
    let wrong = [
        differ("packages", &rpm, &listed(&expected.rpm)),
        differ("sources", &srpm, &listed(&expected.srpm)),
        differ("debuginfo", &debug, &listed(&expected.debuginfo)),
        difference("unresolved", &unresolved, &expected.unresolvable),
        difference("unmatched", &unmatched, &expected.errors),
    ];
    let wrong: Vec<_> = wrong.into_iter().flatten().collect();
    (!wrong.is_empty()).then(|| wrong.join("; "))
}

/// A generator of pseudo-random numbers, the same every time (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((word ^ (word >> 31)) % bound as u64).unwrap()
    }

    fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.below(last + 1));
        }
    }
}

fn candidates(root: &Path, case: &Case) -> (Vec<Candidate>, BTreeMap<String, String>) {
    let mut files = BTreeMap::new();
    let mut all = Vec::new();
    for (name, lookaside) in [(Some(&case.repo), false), (case.lookaside.as_ref(), true)] {
        for package in name.map(|name| named(root, name)).unwrap_or_default() {
            let candidate = candidate(&package, lookaside);
            let mut file = candidate.nevra.file_name();
            if package.location.ends_with(".nosrc.rpm") {
                file = file.replace(".src.rpm", ".nosrc.rpm");
            }
            files.insert(candidate.nevra.to_string(), file);
            all.push(candidate);
        }
    }
    (all, files)
}

fn cases(root: &Path, file: &str) -> Vec<Case> {
    serde_json::from_slice(&fs::read(root.join(file)).unwrap()).unwrap()
}

fn name(case: &Case) -> String {
    case.id.map_or_else(|| case.test.clone(), |id| format!("fuzz {id}"))
}

fn compare(file: &str, test: &str, tally: &'static str) {
    let Some(oracle) = folder("GANDER_ORACLE", test) else { return };
    let root = oracle.join("gather");
    if !root.join(file).is_file() {
        return skip(test, &format!("the oracle has no gather/{file}"));
    }
    let mut tally = Tally::new(tally);
    for case in cases(&root, file).iter().filter(|case| !case.order_dependent) {
        let (candidates, files) = candidates(&root, case);
        let (request, comps) = request(case, &root);
        let decision = gather(&request, &comps, &Universe::new(candidates).unwrap());
        let wrong = match &case.expected {
            Some(expected) => random(expected, &decision),
            None => suite(case, &decision, &files),
        };
        tally.case(&name(case), wrong);
    }
    tally.finish();
}

#[test]
fn the_suite_of_pungi_is_answered_alike() {
    compare("cases.json", "the_suite_of_pungi_is_answered_alike", "cases of Pungi's suite");
}

#[test]
fn random_requests_are_answered_alike() {
    compare("fuzz.json", "random_requests_are_answered_alike", "random gather requests");
}

#[test]
fn the_order_of_packages_changes_nothing() {
    let test = "the_order_of_packages_changes_nothing";
    let Some(oracle) = folder("GANDER_ORACLE", test) else { return };
    let root = oracle.join("gather");
    if !root.is_dir() {
        return skip(test, "the oracle has no folder 'gather'");
    }
    let mut tally = Tally::new("gather requests, each in 50 orders");
    let mut numbers = Numbers(1);
    let all = cases(&root, "cases.json").into_iter().chain(cases(&root, "fuzz.json"));
    // Every one that Pungi answers by order, and each tenth of the others.
    for (_, case) in all.enumerate().filter(|(at, case)| case.order_dependent || at % 10 == 0) {
        let (mut candidates, _) = candidates(&root, &case);
        let (mut request, comps) = request(&case, &root);
        let first = gather(&request, &comps, &Universe::new(candidates.clone()).unwrap());
        let changed = (0..50).find(|_| {
            numbers.shuffle(&mut candidates);
            numbers.shuffle(&mut request.packages);
            let decision = gather(&request, &comps, &Universe::new(candidates.clone()).unwrap());
            lists(&decision) != lists(&first) || decision.problems != first.problems
        });
        tally.case(&name(&case), changed.map(|_| "another order, another answer".into()));
    }
    tally.finish();
}
