//! mash's method on genuine metadata (`GANDER_REALDATA`/metadata). No peer can be run: mash and yum are programs for Python 2.
//! So this holds the answer against what the method promises, by the rules one by one: every native package, every package
//! that a rule takes, and the smallest set that closes these over their requirements.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;
use std::time::Instant;

use gander::base::arch::{TreeArch, mash_compatible};
use gander::base::{Digest, Nevra};
use gander::format::comps::Comps;
use gander::format::repodata::{Content, Packages};
use gander::select::multilib::{Judge, Method, Profile};
use gander::select::{
    Candidate, Chosen, Decision, Expression, Multilib, Note, Problem, Reason, Relation, Request, Universe,
    gather,
};

use super::{Tally, folder, skip};

/// A repository's packages, with all their files where there are lists of them.
fn read(repodata: &Path) -> Option<Vec<Candidate>> {
    let mut paths: Vec<_> = fs::read_dir(repodata).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let list = |kind: &str| {
        let path = paths.iter().find(|path| path.to_string_lossy().contains(&format!("-{kind}.xml")))?;
        Some(Content::open(BufReader::new(File::open(path).unwrap()), None).unwrap())
    };
    let mut packages = Packages::read(list("primary")?).unwrap();
    if let Some(lists) = list("filelists") {
        packages.add_filelists(lists).unwrap();
    }
    let read = packages.iter();
    Some(read.map(|entry| Candidate::from_entry(entry, Digest::of(entry.checksum().hex()))).collect())
}

/// Who provides what, and who owns which file.
struct Providers<'c> {
    by_name: BTreeMap<&'c str, Vec<&'c Candidate>>,
    owners: BTreeMap<&'c str, Vec<&'c Candidate>>,
}

impl<'c> Providers<'c> {
    fn of(packages: &[&'c Candidate]) -> Self {
        let required = packages.iter().flat_map(|package| &package.requires);
        let paths: BTreeSet<&str> =
            required.map(|relation| relation.name.as_str()).filter(|name| name.starts_with('/')).collect();
        let (mut by_name, mut owners) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::<_, Vec<_>>::new());
        for &package in packages {
            for provided in &package.provides {
                by_name.entry(provided.name.as_str()).or_default().push(package);
            }
            for file in package.files.iter().filter(|file| paths.contains(file.path())) {
                owners.entry(file.path()).or_default().push(package);
            }
        }
        Self { by_name, owners }
    }

    fn meeting(&self, wanted: &Relation) -> impl Iterator<Item = &'c Candidate> {
        let named = self.by_name.get(wanted.name.as_str()).into_iter().flatten();
        let named = named.filter(|package| package.meets(wanted));
        named.chain(self.owners.get(wanted.name.as_str()).into_iter().flatten()).copied()
    }
}

fn request(tree: &'static TreeArch, method: Method) -> Request {
    let mut request = Request::new(tree);
    request.method = gander::base::gather::Method::Mash;
    request.multilib = Some(Multilib::by(Profile::Mash, [method]));
    request
}

fn is_native(tree: &TreeArch, nevra: &Nevra) -> bool {
    let arch = &*nevra.arch;
    arch == "noarch" || mash_compatible(tree.name).unwrap_or(tree.native).contains(&arch)
}

/// What the method promises, worked out slowly: packages that must be there, and whether each of the others is required by
/// what is there without being met by anything else.
fn wrong(request: &Request, packages: &[&Candidate], decision: &Decision) -> Vec<String> {
    let judge = Judge::of(request.multilib.as_ref().unwrap());
    let chosen = |nevra: &Nevra| decision.packages.get(nevra);
    let mut wrong = Vec::new();
    let providers = Providers::of(packages);
    let told: BTreeSet<(&str, &Nevra)> = decision
        .notes
        .iter()
        .filter_map(|note| match note {
            Note::Ignored(Problem::Unresolved { requirement, by, .. }) => Some((requirement.as_str(), by)),
            _ => None,
        })
        .flat_map(|(requirement, by)| by.iter().map(move |by| (requirement, by)))
        .collect();
    let is_there = |package: &Candidate| chosen(&package.nevra).is_some_and(Chosen::is_delivered);
    for package in packages {
        let nevra = &package.nevra;
        let native = is_native(request.arch, nevra);
        let held = Profile::Mash.tree(request.arch).is_multilib(&nevra.arch);
        let by_rule = held && judge.judge(package).selected;
        match chosen(nevra).map(|chosen| &chosen.why) {
            Some(Reason::Everything) if native => {}
            Some(Reason::Multilib { verdict, .. }) if by_rule && verdict.selected => {}
            Some(Reason::Requirement { by, requirement }) if held && !by_rule => {
                let stated = decision.packages.contains_key(by);
                let of = packages.iter().find(|package| package.nevra == *by).unwrap();
                let wanted = of.requires.iter().find(|relation| relation.to_string() == *requirement);
                let wanted = wanted.filter(|_| stated).map(|relation| Expression::of(relation).unwrap());
                let parts = wanted.as_ref().map(Expression::relations).unwrap_or_default();
                // Nothing else that was there before can meet it: only other required ones.
                let needed = parts.iter().any(|part| {
                    let others = providers.meeting(part).filter(|other| other.nevra != *nevra);
                    package.meets(part)
                        && !others
                            .into_iter()
                            .any(|other| is_native(request.arch, &other.nevra) || judge.judge(other).selected)
                });
                if !needed {
                    wrong.push(format!("{nevra} is not needed for '{requirement}' of {by}"));
                }
            }
            None if !native && !by_rule => {}
            other => wrong.push(format!("{nevra}: {other:?}")),
        }
        for relation in package.requires.iter().filter(|relation| is_there(package) && !relation.is_rich()) {
            let met = providers.meeting(relation).any(is_there);
            let text = relation.to_string();
            if met == told.contains(&(text.as_str(), nevra)) {
                wrong.push(format!("{nevra}: '{text}' is met: {met}, and told to be the other"));
            }
        }
    }
    wrong
}

#[test]
fn trees_of_genuine_packages_are_whole_and_closed() {
    let test = "trees_of_genuine_packages_are_whole_and_closed";
    let Some(data) = folder("GANDER_REALDATA", test) else { return };
    let mut paths: Vec<_> =
        fs::read_dir(data.join("metadata")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.is_dir());
    paths.sort();
    let mut tally = Tally::new("trees by mash's method");
    for path in paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let tree = TreeArch::names().find(|tree| name.contains(&format!("-{tree}-")));
        let Some(tree) = tree.and_then(TreeArch::find) else { continue };
        let Some(packages) = read(&path.join("repodata")) else { continue };
        let universe = Universe::new(packages.clone()).unwrap();
        let binary: Vec<&Candidate> = packages
            .iter()
            .filter(|package| {
                let name = &package.nevra.name;
                let debug = name.contains("-debuginfo") || name.contains("-debugsource");
                !package.nevra.is_source() && !debug
            })
            .collect();
        for method in [Method::Devel, Method::Runtime, Method::None, Method::All] {
            let request = request(tree, method);
            let start = Instant::now();
            let decision = gather(&request, &Comps::default(), &universe);
            let time = start.elapsed();
            let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
            for chosen in decision.packages.values() {
                let kind = match chosen.why {
                    Reason::Everything => "native",
                    Reason::Multilib { .. } => "by rule",
                    _ => "by requirement",
                };
                *kinds.entry(kind).or_default() += 1;
            }
            let left: Vec<String> = binary
                .iter()
                .filter(|package| !decision.packages.contains_key(&package.nevra))
                .map(|package| format!("{}.{}", package.nevra.name, package.nevra.arch))
                .collect();
            let told = decision.notes.iter().filter(|note| matches!(note, Note::Ignored(_)));
            println!(
                "{name}, {method}: {kinds:?}, {} not met, {time:?}; {} left out",
                told.clone().count(),
                left.len()
            );
            if told.clone().count() < 5 {
                told.clone().for_each(|note| println!("  {note}"));
            }
            if left.len() < 20 {
                println!("  {}", left.join(" "));
            }
            let wrong = wrong(&request, &binary, &decision);
            tally.case(&format!("{name} {method}"), (!wrong.is_empty()).then(|| wrong.join("\n")));
        }
    }
    if tally.compared == 0 {
        return skip(test, "no repository");
    }
    tally.finish();
}
