//! What `ci/bench select` measures of selection on genuine metadata: from metadata to the answer, from the stored form to
//! the answer, the gather itself, and how all of it grows. The ignored tests are the measurements; GANDER_SELECT names the
//! folder of a repository with comps, GANDER_SELECT_WORK one to work in. The other tests hold on all genuine metadata
//! (GANDER_REALDATA) that it makes no difference how a universe came about.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail")]
#![allow(
    clippy::disallowed_methods,
    reason = "the environment names folders, no content; folders are sorted"
)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use gander::base::arch::TreeArch;
use gander::base::{Digest, Nevra};
use gander::format::comps::Comps;
use gander::format::repodata::{Content, Packages};
use gander::select::{Candidate, Member, Offer, Relation, Request, Universe, gather};

fn variable(name: &str) -> PathBuf {
    PathBuf::from(std::env::var_os(name).unwrap_or_else(|| panic!("{name} is not set")))
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}

/// The file of a repository's metadata whose name has a part.
fn part(repository: &Path, name: &str) -> Option<PathBuf> {
    let has = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().contains(name);
    entries(&repository.join("repodata")).into_iter().find(has)
}

fn content(path: &Path) -> Content<BufReader<File>> {
    Content::open(BufReader::with_capacity(1 << 16, File::open(path).unwrap()), None).unwrap()
}

fn primary(repository: &Path) -> Packages {
    Packages::read(content(&part(repository, "-primary.xml").unwrap())).unwrap()
}

fn comps(repository: &Path) -> Comps {
    Comps::parse(&fs::read(part(repository, "-comps").unwrap()).unwrap()).unwrap()
}

fn offers(packages: &Packages) -> impl Iterator<Item = Offer<'_>> {
    packages.iter().map(|entry| {
        let key = entry.checksum().sha256().unwrap();
        Offer::Entry { entry, key, lookaside: false, not_for: Vec::new() }
    })
}

/// Everything for a server, with the optional groups that are there, and source packages.
fn request(comps: &Comps) -> Request {
    let servers = comps.environments.iter().filter(|environment| environment.id.contains("server"));
    let groups = servers.flat_map(|server| server.groups.iter().chain(&server.options));
    let there = groups.filter(|group| comps.group(&group.id).is_some());
    let groups: BTreeSet<_> = there.map(|group| group.id.clone()).collect();
    assert!(groups.len() > 10, "{groups:?}");
    let mut request = Request::new(TreeArch::find("x86_64").unwrap());
    request.groups = groups.into_iter().collect();
    request.sources = true;
    request
}

/// Asks; how many packages it takes.
fn answer(request: &Request, comps: &Comps, universe: &Universe) -> String {
    let decision = gather(request, comps, universe);
    format!("{} packages, {} sources", decision.packages.len(), decision.sources.len())
}

/// The metadata of the source packages that packages say they are built from: nothing is known of them but their names.
fn sources(packages: &Packages) -> String {
    let names: BTreeSet<_> = packages.iter().filter_map(|entry| entry.sourcerpm()).collect();
    let mut text = format!(
        "<metadata xmlns='http://linux.duke.edu/metadata/common' xmlns:rpm='http://linux.duke.edu/metadata/rpm' packages='{}'>\n",
        names.len()
    );
    for file in names {
        let mut parts = file.trim_end_matches(".src.rpm").rsplitn(3, '-');
        let [release, version, name] = [(); 3].map(|()| parts.next().unwrap());
        writeln!(
            text,
            "<package type='rpm'><name>{name}</name><arch>src</arch><version epoch='0' ver='{version}' rel='{release}'/>\
             <checksum type='sha256' pkgid='YES'>{}</checksum><location href='{file}'/><format/></package>",
            Digest::of(file).hex()
        )
        .unwrap();
    }
    text + "</metadata>\n"
}

#[test]
#[ignore = "makes what the measurements need"]
fn make() {
    let work = variable("GANDER_SELECT_WORK");
    let packages = primary(&variable("GANDER_SELECT"));
    let text = sources(&packages);
    let sources = Packages::read(text.as_bytes()).unwrap();
    let universe = Universe::of(offers(&packages).chain(offers(&sources)).collect()).unwrap();
    let encoded = universe.encode().unwrap();
    println!(
        "{} packages, {} sources, stored in {} bytes",
        packages.len(),
        sources.len(),
        encoded.bytes.len()
    );
    fs::write(work.join("sources.xml"), text).unwrap();
    fs::write(work.join("universe"), encoded.bytes).unwrap();
}

#[test]
#[ignore = "a measurement: the whole process counts"]
fn from_metadata() {
    let repository = variable("GANDER_SELECT");
    let universe = {
        let packages = primary(&repository);
        let sources = Packages::read(content(&variable("GANDER_SELECT_WORK").join("sources.xml"))).unwrap();
        Universe::of(offers(&packages).chain(offers(&sources)).collect()).unwrap()
    };
    let comps = comps(&repository);
    println!("{}", answer(&request(&comps), &comps, &universe));
}

#[test]
#[ignore = "a measurement: the whole process counts"]
fn from_stored_form() {
    let universe =
        Universe::decode(&fs::read(variable("GANDER_SELECT_WORK").join("universe")).unwrap()).unwrap();
    let comps = comps(&variable("GANDER_SELECT"));
    println!("{}", answer(&request(&comps), &comps, &universe));
}

/// Seconds that this thread was on a CPU (proc(5), schedstat).
fn cpu() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

/// The median of what some work costs, and what it gave last.
fn cost<T>(mut work: impl FnMut() -> T) -> (f64, T) {
    let mut last = work();
    let mut costs: Vec<f64> = (0..5)
        .map(|_| {
            let before = cpu();
            last = work();
            cpu() - before
        })
        .collect();
    costs.sort_by(f64::total_cmp);
    (costs[2], last)
}

#[test]
#[ignore = "a measurement, which it prints"]
fn parts() {
    let repository = variable("GANDER_SELECT");
    let work = variable("GANDER_SELECT_WORK");
    let comps = comps(&repository);
    let request = request(&comps);
    let (read, packages) = cost(|| primary(&repository));
    let sources = Packages::read(content(&work.join("sources.xml"))).unwrap();
    let (interned, universe) =
        cost(|| Universe::of(offers(&packages).chain(offers(&sources)).collect()).unwrap());
    let stored = fs::read(work.join("universe")).unwrap();
    let (decoded, again) = cost(|| Universe::decode(&stored).unwrap());
    assert!(again == universe);
    let (encoded, _) = cost(|| universe.encode().unwrap());
    let (gathered, answer) = cost(|| answer(&request, &comps, &universe));
    println!("{} packages: {answer}", universe.len());
    for (name, seconds) in
        [("read", read), ("intern", interned), ("encode", encoded), ("decode", decoded), ("gather", gathered)]
    {
        println!("part {name} {seconds:.4}");
    }
}

/// So many packages: genuine ones, and copies of them that know only each other.
fn copies(genuine: &[Candidate], count: usize) -> Vec<Candidate> {
    let one = |number: usize| {
        let round = number / genuine.len();
        // A few of them are taken all over the alphabet.
        let place =
            if count < genuine.len() { number * genuine.len() / count } else { number % genuine.len() };
        let mut candidate = genuine[place].clone();
        if round == 0 {
            return candidate;
        }
        let Nevra { name, evr, arch } = &candidate.nevra;
        candidate.nevra = Nevra::new(&renamed(name, round), evr.clone(), arch).unwrap();
        candidate.key = Digest::of(candidate.nevra.to_string());
        candidate.source = candidate.source.map(|source| format!("c{round}-{source}"));
        let lists = [&mut candidate.provides, &mut candidate.requires, &mut candidate.obsoletes];
        let rename = |relation: &mut Relation| {
            if !relation.name.starts_with(['(', '/']) {
                relation.name = renamed(&relation.name, round);
            }
        };
        lists.into_iter().flatten().for_each(rename);
        candidate
    };
    (0..count).map(one).collect()
}

fn renamed(name: &str, round: usize) -> String {
    if round == 0 { name.to_owned() } else { format!("c{round}-{name}") }
}

#[test]
#[ignore = "a measurement, which it prints"]
fn growth() {
    let genuine =
        Universe::decode(&fs::read(variable("GANDER_SELECT_WORK").join("universe")).unwrap()).unwrap();
    let genuine: Vec<Candidate> = genuine.members().map(Member::to_candidate).collect();
    for count in [2_000, 5_000, genuine.len(), 50_000, 100_000] {
        let mut comps = comps(&variable("GANDER_SELECT"));
        let request = request(&comps);
        for group in &mut comps.groups {
            let members = group.packages.clone();
            for round in 1..count.div_ceil(genuine.len()) {
                group.packages.extend(members.iter().cloned().map(|mut member| {
                    member.name = renamed(&member.name, round);
                    member.requires = member.requires.map(|name| renamed(&name, round));
                    member
                }));
            }
        }
        let candidates = copies(&genuine, count);
        let mut offers = Vec::new();
        let mut make = Vec::new();
        for _ in 0..3 {
            offers.clear();
            offers.extend(candidates.iter().cloned().map(Box::new).map(Offer::Candidate));
            let before = cpu();
            drop(Universe::of(std::mem::take(&mut offers)).unwrap());
            make.push(cpu() - before);
        }
        make.sort_by(f64::total_cmp);
        let universe = Universe::new(candidates).unwrap();
        let stored = universe.encode().unwrap().bytes;
        let (decode, again) = cost(|| Universe::decode(&stored).unwrap());
        assert!(again == universe);
        drop(again);
        let (gather, answer) = cost(|| answer(&request, &comps, &universe));
        println!(
            "growth {count} make {:.4} decode {decode:.4} gather {gather:.4} stored {} ({answer})",
            make[1],
            stored.len()
        );
    }
}

/// The same numbers whether metadata are taken over as they are or made candidates first, in whatever order.
#[test]
fn a_universe_does_not_depend_on_how_it_was_offered() {
    let Some(data) = std::env::var_os("GANDER_REALDATA") else {
        let message = "a_universe_does_not_depend_on_how_it_was_offered: GANDER_REALDATA is not set";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{message}");
        eprintln!("skipped {message}");
        return;
    };
    let mut compared = 0;
    for repository in entries(&Path::new(&data).join("metadata")) {
        if !repository.join("repodata").is_dir() {
            continue;
        }
        let mut packages = primary(&repository);
        for files in [false, true] {
            if files {
                packages.add_filelists(content(&part(&repository, "-filelists.xml").unwrap())).unwrap();
            }
            let direct = Universe::of(offers(&packages).collect()).unwrap();
            let candidates = || {
                let key = |entry: gander::format::repodata::Entry<'_>| entry.checksum().sha256().unwrap();
                packages.iter().map(move |entry| Candidate::from_entry(entry, key(entry)))
            };
            let by_way_of_candidates = Universe::new(candidates().collect()).unwrap();
            assert!(direct == by_way_of_candidates, "{}", repository.display());
            let mut shuffled: Vec<_> = offers(&packages).collect();
            shuffled.sort_by_cached_key(|offer| match offer {
                Offer::Entry { key, .. } => Digest::of(key.hex()),
                Offer::Candidate(candidate) => candidate.key,
            });
            // Some of them twice, and once in the other way.
            shuffled.extend(offers(&packages).step_by(3));
            shuffled.extend(candidates().step_by(2).map(Box::new).map(Offer::Candidate));
            assert!(direct == Universe::of(shuffled).unwrap(), "{}", repository.display());
            let encoded = direct.encode().unwrap();
            assert!(Universe::decode(&encoded.bytes).unwrap() == direct, "{}", repository.display());
            assert_eq!(direct.len(), packages.len());
            for (entry, member) in by_name(&packages).into_iter().zip(direct.members()) {
                let entry = packages.get(entry).unwrap();
                assert_eq!(Candidate::from_entry(entry, member.key()), member.to_candidate());
                compared += 1;
            }
        }
    }
    println!("{compared} packages compared");
    assert!(compared > 0);
}

/// Places of packages in the order of their names.
fn by_name(packages: &Packages) -> Vec<usize> {
    let mut places: Vec<_> = (0..packages.len()).collect();
    places.sort_by_key(|place| packages.get(*place).unwrap().nevra());
    places
}
