//! `gander select` and `gander explain`, of Gosling's own lock: it has everything that they need.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::bench::{Bench, Output, package_root};

fn gosling(ending: &str) -> PathBuf {
    package_root().join("recipes").join(format!("gosling.{ending}"))
}

fn gander(arguments: &[&str]) -> Output {
    Bench::new().run(arguments)
}

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&gander(arguments).exits(0).stdout).unwrap()
}

/// A copy of a recipe and its lock that a test may change.
fn copy(folder: &Path) -> PathBuf {
    fn tree(from: &Path, to: &Path) {
        if from.is_dir() {
            fs::create_dir_all(to).unwrap();
            for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
                tree(&entry.path(), &to.join(entry.file_name()));
            }
        } else {
            fs::copy(from, to).unwrap();
        }
    }
    let root = package_root();
    tree(&root.join("recipes"), &folder.join("recipes"));
    tree(&root.join("kickstarts"), &folder.join("kickstarts"));
    folder.join("recipes/gosling.toml")
}

#[test]
fn a_lock_is_selected_again_and_every_package_has_its_reason() {
    let lock = gosling("lock");
    let lock_text = fs::read_to_string(lock.join("packages")).unwrap();
    // By tree: packages with their flags. One tree of sources is for all arches of a variant.
    let mut locked: BTreeMap<String, BTreeMap<String, Vec<String>>> = BTreeMap::new();
    for line in lock_text.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        for tree in fields[7].split(' ') {
            let (tree, flags) = tree.split_once('=').unwrap();
            let tree = tree.replace("/source", "/x86_64");
            let flags = flags.split(',').map(str::to_owned).collect();
            locked.entry(tree).or_default().insert(fields[0].to_owned(), flags);
        }
    }
    let lock = lock.to_str().unwrap();
    let selected = json(&["select", lock, "--format", "json"]);
    let selected = selected["trees"].as_object().unwrap();
    assert_eq!(selected.keys().collect::<Vec<_>>(), locked.keys().collect::<Vec<_>>());
    assert_eq!(locked.keys().collect::<Vec<_>>(), ["BaseOS-Extras/x86_64", "BaseOS/x86_64", "Devel/x86_64"]);
    for (tree, locked) in &locked {
        let delivered = |package: &Value| {
            let flags = package["flags"].as_array().unwrap();
            !flags.iter().any(|flag| flag == "lookaside")
        };
        let packages = selected[tree]["packages"].as_object().unwrap();
        let packages: BTreeMap<_, _> = packages.iter().filter(|(_, package)| delivered(package)).collect();
        assert_eq!(packages.keys().copied().collect::<Vec<_>>(), locked.keys().collect::<Vec<_>>(), "{tree}");
        for (nevra, package) in packages.iter().filter(|(nevra, _)| !nevra.ends_with(".src")) {
            let flags = package["flags"].as_array().unwrap().iter().map(|flag| flag.as_str().unwrap());
            assert_eq!(flags.collect::<Vec<_>>(), locked[*nevra], "{nevra}");
        }
    }

    let explained = json(&["explain", lock, "*", "--format", "json"]);
    let explained = explained["packages"].as_array().unwrap();
    let mut ends = 0;
    for package in explained.iter().filter(|package| package["selected"] == true) {
        let chain = package["chain"].as_array().unwrap();
        let last = chain.last().unwrap();
        assert_eq!(last["by"], Value::Null, "{package}");
        let why = last["why"].as_str().unwrap();
        assert!(why.contains(" in group ") || why.starts_with("named as "), "{why}");
        for (step, next) in chain.iter().zip(&chain[1..]) {
            // What was moved from an addon is there for the reason that it has in that.
            let moved = step["why"].as_str().unwrap().starts_with("moved here from ");
            let by = if moved { &step["package"] } else { &step["by"] };
            assert_eq!(by, &next["package"], "{package}");
        }
        ends += 1;
    }
    // Source packages are asked for as such.
    let sources = json(&["explain", lock, "*.src", "--format", "json"]);
    let sources =
        sources["packages"].as_array().unwrap().iter().filter(|package| package["selected"] == true);
    let name = |package: &Value| (package["tree"].to_string(), package["package"].to_string());
    let names: Vec<_> = explained.iter().map(name).collect();
    let more = sources.filter(|package| !names.contains(&name(package))).count();
    let all = selected.values().map(|tree| tree["packages"].as_object().unwrap().len());
    assert_eq!(ends + more, all.sum::<usize>());
}

#[test]
fn what_is_absent_is_explained() {
    let recipe = gosling("toml");
    let recipe = recipe.to_str().unwrap();
    let pam = gander(&["explain", recipe, "pam.i686"]).exits(0);
    assert!(pam.stdout.contains("is not selected: no multilib rule takes it"), "{pam}");
    gander(&["explain", recipe, "glibcc"]).exits(1).says("did you mean 'glibc'?");
    gander(&["explain", recipe, "bash", "--tree", "Base/x86_64"]).exits(2).says("BaseOS/x86_64");
    let dot = gander(&["explain", recipe, "libdb.i686", "--format", "dot"]).exits(0).stdout;
    assert!(dot.starts_with("digraph explain {") && dot.contains("libdb(x86-32)"), "{dot}");
}

#[test]
fn a_changed_recipe_shows_what_it_would_select() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = copy(folder.path());
    let text = fs::read_to_string(&recipe).unwrap();
    fs::write(&recipe, text.replacen("\"nspr\"", "\"nspr\", \"no-such\"", 1)).unwrap();
    let place = recipe.to_str().unwrap();
    gander(&["select", place]).exits(1).says("no package matches 'no-such'");

    fs::write(&recipe, text.replace("profile = \"pungi\", methods = [\"devel\"]", "profile = \"none\""))
        .unwrap();
    let changes = gander(&["select", "--diff", gosling("lock").to_str().unwrap(), place]).exits(0).stdout;
    assert!(!changes.is_empty());
    for line in changes.lines() {
        assert!(line.contains("/x86_64 multilib: - ") && line.contains(".i686 "), "{line}");
    }
    let (lock, recipe) = (gosling("lock"), gosling("toml"));
    let same = gander(&["select", "--diff", lock.to_str().unwrap(), recipe.to_str().unwrap()]).exits(0);
    assert_eq!(same.stdout, "");
    gander(&["select", "--diff", place]).exits(2).says("name both");
    gander(&["select", folder.path().join("recipes/images").to_str().unwrap()]).exits(3);
}
