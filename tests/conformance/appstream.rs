//! A genuine AppStream repository (`GANDER_REALDATA`/metadata) gathered for a server by its own comps file: what nothing meets
//! is in the base repository of the same distribution (of another date: its versions may not fit), or in a module's stream
//! that is not active, or nowhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};

use gander::base::arch::TreeArch;
use gander::base::{Digest, Nevra};
use gander::format::comps::Comps;
use gander::format::modulemd::{self, Modules};
use gander::format::repodata::{Content, Packages, Repomd};
use gander::recipe::ModuleChoice;
use gander::select::{
    Candidate, Decision, Expression, Problem, Relation, Request, Sense, Universe, gather, visible,
};

use super::{Tally, folder, skip};

/// A repository's packages, modules and groups.
pub struct Repository {
    pub packages: Vec<Candidate>,
    pub modules: Modules,
    comps: Comps,
}

fn read(repository: &Path) -> Repository {
    let repomd = Repomd::parse(&fs::read(repository.join("repodata/repomd.xml")).unwrap()).unwrap();
    let list = |kind| {
        // Not every file that the repository had was kept.
        let path = repomd.find(kind)?.location.below(repository);
        let file = fs::File::open(path).ok()?;
        Some(Content::open(BufReader::new(file), None).unwrap())
    };
    let whole = |kind| {
        let mut bytes = Vec::new();
        list(kind)?.read_to_end(&mut bytes).unwrap();
        Some(bytes)
    };
    let read = Packages::read(list("primary").unwrap()).unwrap();
    Repository {
        packages: read
            .iter()
            .map(|entry| Candidate::from_entry(entry, Digest::of(entry.checksum().hex())))
            .collect(),
        modules: Modules::parse(&whole("modules").unwrap_or_default()).unwrap(),
        comps: whole("group").map_or_else(Comps::default, |bytes| Comps::parse(&bytes).unwrap()),
    }
}

/// The AppStream of a distribution and its base, named `DISTRIBUTION-appstream-…` and `DISTRIBUTION-baseos-…`.
pub fn repositories(test: &str) -> Vec<(String, Repository, Repository)> {
    let Some(data) = folder("GANDER_REALDATA", test) else { return Vec::new() };
    let mut paths: Vec<PathBuf> =
        fs::read_dir(data.join("metadata")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.is_dir());
    paths.sort();
    let of_kind = |path: &PathBuf, kind: &str| {
        let name = path.file_name()?.to_str()?.to_owned();
        Some(name.split_once(kind)?.0.to_owned())
    };
    let mut found = Vec::new();
    for path in &paths {
        let Some(distribution) = of_kind(path, "-appstream-") else { continue };
        let is_base = |path: &&PathBuf| of_kind(path, "-baseos-").as_ref() == Some(&distribution);
        if let Some(base) = paths.iter().find(is_base) {
            found.push((distribution, read(path), read(base)));
        }
    }
    if found.is_empty() {
        skip(test, "no AppStream with its base among the metadata");
    }
    found
}

/// The servers of the distribution's own comps file, with all that is optional.
fn server(comps: &Comps) -> Request {
    let mut request = Request::new(TreeArch::find("x86_64").unwrap());
    let environments = comps.environments.iter().map(|environment| environment.id.clone());
    request.environments = environments.filter(|id| id.contains("server")).collect();
    request.optional = true;
    assert!(!request.environments.is_empty(), "the comps file has no server");
    request
}

/// What is seen where these streams are enabled, and what is not.
fn split(
    packages: &[Candidate],
    modules: &Modules,
    choices: &[ModuleChoice],
) -> (Vec<Candidate>, Vec<Candidate>) {
    let visible = visible(&[modules], choices).unwrap();
    let is_seen = |candidate: &Candidate| {
        visible.shows(&candidate.nevra, candidate.provides.iter().map(|provided| &provided.name))
    };
    packages.iter().cloned().partition(is_seen)
}

/// Whether one of these has what is required in another version: of a library, any number and symbols.
fn has_other_version(packages: &[Candidate], wanted: &Relation) -> bool {
    let any = Relation::any(&wanted.name);
    let stem = |name: &str| name.split_once(".so").map(|(stem, _)| stem.to_owned());
    let library = stem(&wanted.name);
    let same = |given: &Relation| library.is_some() && stem(&given.name) == library;
    packages.iter().any(|package| package.meets(&any) || package.provides.iter().any(same))
}

/// Names and files of the source packages of these.
fn builds(packages: &[Candidate]) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut builds: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for source in packages.iter().filter_map(|package| package.source.as_deref()) {
        let name = source.rsplitn(3, '-').nth(2).unwrap();
        builds.entry(name).or_default().insert(source);
    }
    builds
}

/// What is told to be unresolved, and the packages that lack it.
fn unresolved(decision: &Decision) -> Vec<(&str, &BTreeSet<Nevra>)> {
    let problems = decision.problems.iter().filter_map(|problem| match problem {
        Problem::Unresolved { requirement, by, .. } => Some((requirement.as_str(), by)),
        _ => None,
    });
    problems.collect()
}

/// A requirement from how it is told.
fn relation(text: &str) -> Relation {
    match text.split(' ').collect::<Vec<_>>()[..] {
        [name, sense, version] if !name.starts_with('(') => {
            Relation::versioned(name, Sense::parse(sense).unwrap(), version)
        }
        _ => Relation::any(text),
    }
}

fn aside(packages: &[Candidate]) -> impl Iterator<Item = Candidate> + '_ {
    packages.iter().cloned().map(|candidate| Candidate { lookaside: true, ..candidate })
}

/// The first package of the tree's own arches that meets a requirement all by itself.
fn meeting<'p>(packages: &'p [Candidate], wanted: &Expression) -> Option<&'p Candidate> {
    let held = |package: &&Candidate| ["x86_64", "noarch"].contains(&&*package.nevra.arch);
    packages.iter().filter(held).find(|package| package.meets_alone(wanted))
}

/// How many requirements are not met, by where it is that they ask for.
#[derive(Default)]
struct Unmet {
    /// In the base.
    base: usize,
    /// In the base, but in another version.
    skew: usize,
    /// Packages of one build ask each other for it, and the base has the others of another version.
    split: usize,
    /// In streams that are not active.
    hidden: usize,
    /// Nowhere.
    unknown: Vec<String>,
}

/// Sorts what is not met by where it is; fails where it is among what was to be seen.
fn sort(
    tally: &mut Tally,
    name: &str,
    decision: &Decision,
    [seen, hidden, base]: [&[Candidate]; 3],
) -> Unmet {
    let mut unmet = Unmet::default();
    let sources = seen.iter().filter_map(|package| Some((&package.nevra, package.source.as_deref()?)));
    let sources: BTreeMap<_, _> = sources.collect();
    let of_base = builds(base);
    // Whether the base has packages of the same build's name, of another version only.
    let split = |by: &Nevra| {
        let source = sources.get(by)?;
        let known = of_base.get(source.rsplitn(3, '-').nth(2)?)?;
        Some(!known.contains(source))
    };
    for (text, by) in unresolved(decision) {
        let wanted = relation(text);
        let expression = Expression::of(&wanted).unwrap();
        let offered = meeting(seen, &expression);
        let wrong = offered
            .map(|offered| format!("'{text}' is told to be unresolved, but {} is there", offered.nevra));
        tally.case(name, wrong);
        if meeting(base, &expression).is_some() {
            unmet.base += 1;
        } else if meeting(hidden, &expression).is_some() {
            unmet.hidden += 1;
        } else if has_other_version(base, &wanted) {
            unmet.skew += 1;
        } else if by.iter().all(|by| split(by) == Some(true)) {
            unmet.split += 1;
        } else {
            unmet.unknown.push(text.to_owned());
        }
    }
    unmet
}

#[test]
fn a_server_of_a_genuine_appstream_lacks_only_what_is_elsewhere() {
    let test = "a_server_of_a_genuine_appstream_lacks_only_what_is_elsewhere";
    let mut tally = Tally::new("unresolved requirements of a genuine AppStream");
    let all = repositories(test);
    if all.is_empty() {
        return;
    }
    for (distribution, appstream, base) in &all {
        let (seen, hidden) = split(&appstream.packages, &appstream.modules, &[]);
        let request = server(&appstream.comps);
        let alone = gather(&request, &appstream.comps, &Universe::new(seen.clone()).unwrap());
        let mut both = seen.clone();
        both.extend(aside(&base.packages));
        let beside = gather(&request, &appstream.comps, &Universe::new(both).unwrap());
        for (name, decision) in [("alone", &alone), ("with its base looked aside at", &beside)] {
            let name = format!("{distribution} {name}");
            let unmet = sort(&mut tally, &name, decision, [&seen, &hidden, &base.packages]);
            let delivered = decision.packages.values().filter(|chosen| chosen.is_delivered()).count();
            println!(
                "{name}: {} of {} packages selected, {delivered} delivered; not met: {} that the base has, {} that it has in \
                 another version, {} within builds that it has in another version, {} that a hidden stream has, {} that nobody has: {:?}",
                decision.packages.len(),
                seen.len(),
                unmet.base,
                unmet.skew,
                unmet.split,
                unmet.hidden,
                unmet.unknown.len(),
                unmet.unknown
            );
            assert!(delivered > 100, "{name}: hardly anything is selected");
        }
        // What is looked aside at meets all that it can.
        let can = |text: &str| meeting(&base.packages, &Expression::of(&relation(text)).unwrap());
        let missed: Vec<_> =
            unresolved(&beside).into_iter().filter(|(text, _)| can(text).is_some()).collect();
        assert!(missed.is_empty(), "{distribution}: the base has {missed:?}");
        let (alone, beside) = (unresolved(&alone).len(), unresolved(&beside).len());
        assert!(beside * 2 < alone, "{distribution}: {beside} not met with the base, {alone} without it");
    }
    tally.finish();
}

/// The packages of streams that are not active for x86_64.
fn inactive<'m>(modules: &'m Modules, active: &[String]) -> Vec<(&'m Nevra, String)> {
    let streams = modules.streams().map(|(module, stream)| (format!("{module}:{}", stream.name), stream));
    let streams = streams.filter(|(name, _)| !active.contains(name));
    let artifacts = streams
        .flat_map(|(name, stream)| stream.artifacts.iter().map(move |artifact| (artifact, name.clone())));
    artifacts.collect()
}

/// The streams that have to be active: those that are asked for, or else the default ones. None of these needs another.
fn expected(modules: &Modules, choices: &[ModuleChoice]) -> Vec<String> {
    let mut all: Vec<String> = match choices {
        [] => {
            let documents = modules.documents.iter().filter_map(|document| match &document.content {
                modulemd::Content::Defaults(Some(stream)) => Some(format!("{}:{stream}", document.module)),
                _ => None,
            });
            documents.collect()
        }
        choices => {
            let streams =
                choices.iter().filter_map(|choice| choice.stream.as_ref().zip(Some(&choice.module)));
            streams.map(|(stream, module)| format!("{module}:{stream}")).collect()
        }
    };
    all.sort();
    all
}

#[test]
fn packages_of_streams_that_are_not_active_are_never_gathered() {
    let test = "packages_of_streams_that_are_not_active_are_never_gathered";
    let all = repositories(test);
    if all.is_empty() {
        return;
    }
    let mut tally = Tally::new("genuine modules gathered, stream by stream");
    for (distribution, appstream, base) in &all {
        let mut streams: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (module, stream) in appstream.modules.streams() {
            let known = streams.entry(module).or_default();
            if !known.contains(&&*stream.name) {
                known.push(&stream.name);
            }
        }
        let most = streams.values().map(Vec::len).max().unwrap();
        let mut cases = Vec::new();
        // Each stream of every module in turn; then no module at all.
        for turn in 0..=most {
            let choices = streams.iter().map(|(module, streams)| {
                let stream = (turn < most).then(|| streams[turn % streams.len()].to_owned());
                ModuleChoice { module: (*module).to_owned(), stream, ..ModuleChoice::default() }
            });
            cases.push((format!("turn {turn}"), appstream.modules.clone(), choices.collect()));
        }
        // Nothing asked for: the default streams, those of the distribution, and as if each stream were its module's.
        cases.push(("its own defaults".into(), appstream.modules.clone(), Vec::new()));
        for turn in 0..most {
            let mut modules = appstream.modules.clone();
            for document in &mut modules.documents {
                if let modulemd::Content::Defaults(default) = &mut document.content {
                    let known = streams.get(&*document.module).into_iter().flatten();
                    *default = known.cycle().nth(turn).map(|stream| (*stream).to_owned());
                }
            }
            cases.push((format!("defaults {turn}"), modules, Vec::new()));
        }
        for (name, modules, choices) in cases {
            let name = format!("{distribution}, {name}");
            let shown = visible(&[&modules], &choices).unwrap();
            let mut active = shown.active.get("x86_64").cloned().unwrap_or_default();
            active.sort();
            assert_eq!(active, expected(&modules, &choices), "{name}");
            let (mut offered, _) = split(&appstream.packages, &modules, &choices);
            offered.extend(aside(&base.packages));
            // The server, and everything that any stream has by name: most of it is only in streams.
            let mut request = server(&appstream.comps);
            let artifacts = modules.streams().flat_map(|(_, stream)| &stream.artifacts);
            let binary = artifacts.filter(|artifact| !artifact.is_source());
            request.packages = binary.map(|artifact| artifact.name.clone()).collect();
            request.packages.sort();
            request.packages.dedup();
            let decision = gather(&request, &appstream.comps, &Universe::new(offered).unwrap());
            let modular = decision.packages.keys().filter(|nevra| shown.is_modular(nevra)).count();
            let all = decision.packages.len();
            println!("{name}: {all} packages, {modular} of the streams {}", active.join(" "));
            let hidden = inactive(&modules, &active);
            let wrong = hidden.iter().find(|(artifact, _)| decision.packages.contains_key(artifact));
            let wrong =
                wrong.map(|(artifact, stream)| format!("{artifact} is of {stream}, which is not active"));
            tally.case(&name, wrong);
            assert_eq!(modular == 0, active.is_empty(), "{name}: {modular} packages of {active:?}");
        }
    }
    tally.finish();
}
