//! The i686 packages of the x86_64 tree: python-multilib judges the candidates, dnf the closure.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::Command;

use gander::base::Digest;
use gander::lock::Packages;
use gander::rpm::identify;
use gander::select::{Member, Universe};
use gander::store::{EntryKind, Store};

use super::peers::unresolved;
use super::world::{Place, first, have, run, say, scratch, skip};

/// Prints name and verdict of each package file named on stdin, as Pungi asks python-multilib: without a
/// configuration, with every path of the header.
const JUDGE: &str = r#"
import rpm, sys
from multilib import multilib
class Provide:
    def __init__(self, name): self.name = name
    def __str__(self): return self.name
class Package:
    def __init__(self, header):
        self.name, self.arch = header["name"], header["arch"]
        self.provides, self.files = [Provide(name) for name in header["providename"]], header["filenames"]
transaction = rpm.TransactionSet()
transaction.setVSFlags(-1)
method = multilib.DevelMultilibMethod(None)
for path in sys.argv[1:]:
    with open(path) as file:
        package = Package(transaction.hdrFromFdno(file))
    print(package.name, package.arch, method.select(package))
"#;

/// A Python that has python-multilib and rpm: `GANDER_PEER_PYTHON`, or a new environment.
fn python() -> Option<PathBuf> {
    let works = |python: &Path| {
        let said = Command::new(python).args(["-c", "import rpm; from multilib import multilib"]).output();
        said.is_ok_and(|said| said.status.success())
    };
    if let Some(python) = std::env::var_os("GANDER_PEER_PYTHON").map(PathBuf::from) {
        assert!(works(&python), "GANDER_PEER_PYTHON={} lacks multilib or rpm", python.display());
        return Some(python);
    }
    let folder = scratch().join("python");
    run(Command::new("/usr/bin/python3").args(["-m", "venv", "--system-site-packages"]).arg(&folder));
    let install = ["install", "-q", "--no-deps", "python-multilib==1.3", "six"];
    Command::new(folder.join("bin/pip")).args(install).output().ok()?;
    Some(folder.join("bin/python")).filter(|python| works(python))
}

/// The package files that builds left in a store, by the digest of their content.
fn built(place: &Place) -> BTreeMap<Digest, PathBuf> {
    let store = Store::open(&place.store()).unwrap();
    let mut found = BTreeMap::new();
    for folder in fs::read_dir(place.store().join("actions")).unwrap().map(|entry| entry.unwrap().path()) {
        for record in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
            let key = format!("sha256:{}{}", name(&folder), name(&record)).parse().unwrap();
            let (_, tree) = store.action(&key).unwrap().unwrap();
            for (path, entry) in tree.entries() {
                if let EntryKind::File { digest, .. } = entry.kind
                    && path.as_str().ends_with(".i686.rpm")
                {
                    let (_, identity) =
                        identify(BufReader::new(store.open_object(&digest).unwrap())).unwrap();
                    found.insert(identity.content, store.object_path(&digest));
                }
            }
        }
    }
    found
}

#[test]
fn the_i686_packages_are_those_that_the_judges_name() {
    let test = "the_i686_packages_are_those_that_the_judges_name";
    if !have(test, &["dnf", "createrepo_c"]) {
        return;
    }
    let Some(python) = python() else { return skip(test, "no Python with python-multilib and rpm") };
    let place = &first().place;

    // The candidates: all that the lock's universe has of i686, as files.
    let packages = Packages::parse(&fs::read_to_string(place.lock().join("packages")).unwrap()).unwrap();
    let files = built(place);
    let objects = fs::read_dir(place.lock().join("objects")).unwrap().map(|entry| entry.unwrap().path());
    let universe = objects.filter_map(|path| Universe::decode(&fs::read(path).unwrap()).ok()).next();
    let universe = universe.expect("the lock has the universe");
    let candidates: BTreeMap<String, &PathBuf> = universe
        .members()
        .filter(|member| member.nevra().arch == "i686")
        .map(|member| (member.nevra().name.clone(), &files[&member.key()]))
        .collect();

    let said = run(Command::new(&python).args(["-c", JUDGE]).args(candidates.values())).good();
    let verdicts: BTreeMap<String, bool> = said
        .out
        .lines()
        .map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
            [name, "i686", verdict] => (name.to_owned(), verdict == "True"),
            _ => panic!("{line}"),
        })
        .collect();
    assert!(verdicts.keys().eq(candidates.keys()));
    let by_rule = names(verdicts.iter().filter(|(_, selected)| **selected).map(|(name, _)| name));
    say(format_args!("python-multilib: {} i686 candidates, {} selected", candidates.len(), by_rule.len()));
    assert_eq!((candidates.len(), by_rule.len()), (119, 114));

    // What is in the tree, by its files, and why, by the lock.
    let trees = BTreeMap::from([
        ("BaseOS/x86_64", place.binary()),
        ("BaseOS-Extras/x86_64", place.binary().join("addons/Extras")),
        ("Devel/x86_64", place.output().join("compose/Devel/x86_64/os")),
    ]);
    let mut tree = BTreeSet::new();
    let mut flagged = BTreeSet::new();
    for (nevra, package) in packages.0.iter().filter(|(nevra, _)| nevra.arch == "i686") {
        let initial = nevra.name[..1].to_lowercase();
        for of in package.trees.keys() {
            let file = trees[&*of.to_string()].join("Packages").join(&initial).join(nevra.file_name());
            assert!(file.is_file(), "{}", file.display());
        }
        tree.insert(nevra.name.clone());
        if package.trees.values().any(|flags| flags.contains("multilib")) {
            flagged.insert(nevra.name.clone());
        }
    }
    let shipped = super::folder::Folder::read(&place.output());
    assert_eq!(shipped.ending(".i686.rpm").count(), tree.len());
    assert_eq!(flagged, by_rule, "gander's rule and python-multilib's");

    // The closure: without what it brought in, dnf misses exactly that; what stays out is missed by none.
    let brought = names(tree.difference(&by_rule));
    let left = names(verdicts.keys().filter(|name| !tree.contains(*name)));
    let without = place.folder.join("without");
    fs::create_dir(&without).unwrap();
    for file in trees.values().flat_map(|tree| Place::packages(tree)) {
        let name = file.file_name().unwrap().to_str().unwrap();
        let is_brought = packages
            .0
            .keys()
            .any(|nevra| nevra.arch == "i686" && brought.contains(&nevra.name) && nevra.file_name() == name);
        if !is_brought {
            std::os::unix::fs::symlink(&file, without.join(name)).unwrap();
        }
    }
    run(Command::new("createrepo_c").arg("-q").arg(&without)).good();
    let missed = unresolved(&without);
    let mut providers = BTreeSet::new();
    for requirement in &missed {
        let provides = |member: &Member<'_>| {
            let name = requirement.split(' ').next().unwrap();
            member.nevra().arch == "i686" && member.provides().any(|provided| provided.name == name)
        };
        let candidates: Vec<_> = universe.members().filter(provides).collect();
        assert_eq!(candidates.len(), 1, "{requirement}");
        providers.insert(candidates[0].nevra().name.clone());
    }
    say(format_args!(
        "i686: {} in the tree; by closure {brought:?}, out {left:?}; dnf misses {missed:?}",
        tree.len()
    ));
    assert_eq!(providers, brought, "{missed:?}");
    assert_eq!(unresolved(&place.binary()), BTreeSet::new());

    assert_eq!(brought, names(["kernel-headers", "libdb"]));
    assert_eq!(left, names(["nspr", "pam", "pkgconf"]));
    fs::remove_dir_all(without).unwrap();
}

fn names<T: ToString>(all: impl IntoIterator<Item = T>) -> BTreeSet<String> {
    all.into_iter().map(|name| name.to_string()).collect()
}
