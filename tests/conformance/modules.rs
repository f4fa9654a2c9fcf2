//! Modules: which packages of a repository are offered, against what dnf (4.14 with libmodulemd) lets be seen.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::{BufReader, Read as _};
use std::path::Path;
use std::process::Command;

use gander::base::Nevra;
use gander::format::modulemd::Modules;
use gander::format::repodata::{Content, Packages, Repomd};
use gander::recipe::ModuleChoice;
use gander::repo::create;
use gander::rpm::dependency::Kind;
use gander::select::visible;

use super::repodata::{options, there};
use super::sample::made::order;
use super::{Tally, folder, skip};

/// What dnf lets be seen of a repository where these streams are enabled, and these modules disabled.
fn theirs(scratch: &Path, repository: &Path, choices: &[ModuleChoice]) -> BTreeSet<Nevra> {
    let root = scratch.join("root");
    let states = root.join("etc/dnf/modules.d");
    drop(fs::remove_dir_all(&states));
    fs::create_dir_all(&states).unwrap();
    for ModuleChoice { module, stream, .. } in choices {
        let state = if stream.is_some() { "enabled" } else { "disabled" };
        let stream = stream.as_deref().unwrap_or_default();
        let text = format!("[{module}]\nname={module}\nstream={stream}\nprofiles=\nstate={state}\n");
        fs::write(states.join(format!("{module}.module")), text).unwrap();
    }
    let mut command = Command::new("dnf");
    command.args(["-q", "-y", "--noplugins", "--forcearch=x86_64", "--releasever=9"]);
    for (option, path) in [("--installroot", "root"), ("--setopt=cachedir", "cache")] {
        command.arg(format!("{option}={}", scratch.join(path).display()));
    }
    command.args(
        ["reposdir=/dev/null", "varsdir=/dev/null", "module_platform_id=platform:el9"]
            .map(|set| format!("--setopt={set}")),
    );
    command.arg(format!("--repofrompath=r,file://{}", repository.display())).args([
        "--repo=r",
        "repoquery",
        "--available",
    ]);
    command.arg("--queryformat=%{name}-%{epoch}:%{version}-%{release}.%{arch}").env("LC_ALL", "C.UTF-8");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(|line| line.parse().unwrap()).collect()
}

/// The packages and modules of a repository.
struct Repository {
    packages: Packages,
    modules: Modules,
}

fn read(repository: &Path) -> Repository {
    let repomd = Repomd::parse(&fs::read(repository.join("repodata/repomd.xml")).unwrap()).unwrap();
    let list = |kind| {
        let data = repomd.find(kind)?;
        let file = fs::File::open(data.location.below(repository)).unwrap();
        Some(Content::open(BufReader::new(file), None).unwrap())
    };
    let packages = Packages::read(list("primary").unwrap()).unwrap();
    let mut modules = Vec::new();
    if let Some(mut list) = list("modules") {
        list.read_to_end(&mut modules).unwrap();
    }
    Repository { packages, modules: Modules::parse(&modules).unwrap() }
}

fn ours(read: &Repository, choices: &[ModuleChoice]) -> BTreeSet<Nevra> {
    let visible = visible(&[&read.modules], choices).unwrap();
    let shown = read.packages.iter().filter(|entry| {
        visible.shows(entry.nevra(), entry.dependencies(Kind::Provides).map(|provided| provided.name))
    });
    shown.map(|entry| entry.nevra().clone()).collect()
}

fn choices(texts: &[&str]) -> Vec<ModuleChoice> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// How the two differ, if they do.
fn difference(ours: &BTreeSet<Nevra>, theirs: &BTreeSet<Nevra>) -> Option<String> {
    let mut text = String::new();
    for (only, one, other) in [("here", ours, theirs), ("with dnf", theirs, ours)] {
        let names: Vec<_> = one.difference(other).map(Nevra::to_string).collect();
        if !names.is_empty() {
            write!(text, "\n  {} only {only}: {}", names.len(), names[..names.len().min(8)].join(" "))
                .unwrap();
        }
    }
    (!text.is_empty()).then_some(text)
}

/// The metadata of a published repository that are there, under a repomd.xml that names no others.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.join("repodata")).unwrap();
    let text = fs::read_to_string(from.join("repodata/repomd.xml")).unwrap();
    let (head, rest) = text.split_once("<data ").unwrap();
    let mut kept = head.to_owned();
    let repomd = Repomd::parse(text.as_bytes()).unwrap();
    for (part, data) in rest.split("<data ").zip(&repomd.data) {
        let path = data.location.below(from);
        if path.is_file() {
            let (element, _) = part.split_once("</data>").unwrap();
            write!(kept, "<data {element}</data>").unwrap();
            fs::copy(&path, data.location.below(to)).unwrap();
        }
    }
    fs::write(to.join("repodata/repomd.xml"), kept + "</repomd>").unwrap();
}

#[test]
fn published_modules_let_the_same_packages_be_seen_as_with_dnf() {
    let test = "published_modules_let_the_same_packages_be_seen_as_with_dnf";
    let Some(data) = folder("GANDER_REALDATA", test) else { return };
    if !there("dnf", &["--version"]) {
        return skip(test, "dnf is not installed");
    }
    let mut tally = Tally::new("modules of published repositories");
    let mut folders: Vec<_> =
        fs::read_dir(data.join("metadata")).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    for from in folders.iter().filter(|path| path.join("repodata").is_dir()) {
        let scratch = tempfile::tempdir().unwrap();
        let repository = scratch.path().join("repository");
        copy(from, &repository);
        let read = read(&repository);
        let mut streams: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (module, stream) in read.modules.streams() {
            streams.entry(module).or_default().insert(&stream.name);
        }
        let most = streams.values().map(BTreeSet::len).max().unwrap_or_default();
        // Nothing asked for, then every stream of each module in turn.
        for turn in 0..=most {
            let chosen = streams.iter().filter(|_| turn > 0).map(|(module, streams)| {
                let stream = streams.iter().nth(turn % streams.len()).unwrap();
                ModuleChoice {
                    module: (*module).into(),
                    stream: Some((*stream).into()),
                    ..ModuleChoice::default()
                }
            });
            let chosen: Vec<_> = chosen.collect();
            let (ours, theirs) = (ours(&read, &chosen), theirs(scratch.path(), &repository, &chosen));
            let name = format!("{}, turn {turn}", from.file_name().unwrap().display());
            assert!(turn == 0 || ours.len() != read.packages.len(), "{name}: nothing is hidden");
            tally.case(&name, difference(&ours, &theirs));
        }
    }
    tally.finish();
}

/// What the made repository says of its modules.
const MODULES: &str = "---
document: modulemd-defaults
version: 1
data: {module: goose, stream: '1', profiles: {'1': []}}
---
document: modulemd-defaults
version: 1
data: {module: wing, stream: a, profiles: {a: []}}
";

fn stream(text: &mut String, name: &str, version: u64, context: &str, needs: &str, artifacts: &[&str]) {
    let (module, stream) = name.split_once(':').unwrap();
    write!(
        text,
        "---\ndocument: modulemd\nversion: 2\ndata:\n  name: {module}\n  stream: '{stream}'\n  version: {version}\n  context: '{context}'\n  \
         arch: x86_64\n  summary: x\n  description: x\n  license: {{module: [MIT]}}\n  dependencies:\n  - requires: {{platform: [el9]{needs}}}\n  \
         artifacts: {{rpms: [{}]}}\n",
        artifacts.join(", ")
    )
    .unwrap();
}

#[test]
fn made_modules_let_the_same_packages_be_seen_as_with_dnf() {
    let test = "made_modules_let_the_same_packages_be_seen_as_with_dnf";
    if !there("dnf", &["--version"]) {
        return skip(test, "dnf is not installed");
    }
    let scratch = tempfile::tempdir().unwrap();
    let repository = scratch.path().join("repository");
    fs::create_dir(&repository).unwrap();
    let packages = [
        ("goose", "1-1", "x86_64", &[][..]),
        ("goose", "1-2", "x86_64", &[]),
        ("goose", "2-1", "x86_64", &[]),
        ("goose", "2-2", "x86_64", &[]),
        ("goose", "3-1", "x86_64", &[]),
        ("goose", "1-2", "i686", &[]),
        ("goose-doc", "1-2", "noarch", &[]),
        ("goose-doc", "9-1", "noarch", &[]),
        ("gander", "1-1", "noarch", &["goose"]),
        ("gosling", "1-1", "noarch", &["goose-doc = 4"]),
        ("wing", "1-1", "x86_64", &[]),
        ("wing", "2-1", "x86_64", &[]),
        ("pond", "1-1", "x86_64", &[]),
        ("pond", "2-1", "x86_64", &[]),
        ("pond", "3-1", "x86_64", &[]),
        ("swan", "1-1", "noarch", &[]),
    ];
    for (name, version, arch, provides) in packages {
        let package = order(name, arch).version(version).provides(provides);
        fs::write(repository.join(package.file_name()), package.make()).unwrap();
    }
    let mut modules = MODULES.to_owned();
    let both = |version: &str| [format!("goose-0:{version}.x86_64"), format!("goose-0:{version}.src")];
    let [one, two, three, four] = ["1-1", "1-2", "2-1", "2-2"].map(both);
    stream(&mut modules, "goose:1", 1, "c", "", &[&one[0], &one[1]]);
    stream(&mut modules, "goose:1", 2, "c", "", &[&two[0], &two[1], "goose-doc-0:1-2.noarch"]);
    // Two builds of one version, for each stream of another module.
    stream(&mut modules, "goose:2", 5, "with1", ", pond: ['1']", &[&three[0], &three[1]]);
    stream(&mut modules, "goose:2", 5, "with2", ", pond: ['-1']", &[&four[0], &four[1]]);
    stream(&mut modules, "pond:1", 1, "c", "", &["pond-0:1-1.x86_64"]);
    stream(&mut modules, "pond:2", 1, "c", "", &["pond-0:2-1.x86_64"]);
    stream(&mut modules, "wing:a", 1, "c", ", goose: ['1']", &["wing-0:1-1.x86_64"]);
    stream(&mut modules, "wing:b", 1, "c", ", goose: []", &["wing-0:2-1.x86_64"]);
    let file = scratch.path().join("modules.yaml");
    fs::write(&file, &modules).unwrap();
    let options = create::Options { extras: vec![("modules".into(), file)], ..options() };
    create::create(&repository, &options, None).unwrap();

    let read = read(&repository);
    assert_eq!(read.packages.len(), packages.len());
    let mut tally = Tally::new("modules of a made repository");
    let mut all = BTreeSet::new();
    for texts in [
        &[][..],
        &["goose:1"],
        &["!goose"],
        &["!goose", "!wing"],
        &["!wing"],
        &["goose:2", "pond:1"],
        &["goose:2", "pond:2"],
        &["goose:2", "pond:2", "wing:b"],
        &["pond:1"],
        &["wing:b"],
        &["pond:2", "wing:b", "goose:1"],
    ] {
        let choices = choices(texts);
        let (ours, theirs) = (ours(&read, &choices), theirs(scratch.path(), &repository, &choices));
        tally.case(&texts.join(" "), difference(&ours, &theirs));
        all.insert(ours);
    }
    assert!(all.len() > 6, "the choices are hardly told apart: {}", all.len());
    tally.finish();
}
