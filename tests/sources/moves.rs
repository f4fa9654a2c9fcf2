//! `gander lock --update RECIPE PACKAGE` beside repositories: they stay in the state that the lock has.

use std::fs;

use super::bench::{Bench, Output};
use super::flow::{files, gander};
use super::hub::Hub;
use super::sample;
use super::server::Server;
use super::tags::{birds, fingerprint};
use super::world::{World, make, packages, signer};

/// A recipe with the hub's tag, and swans and more of a repository; `more` goes into the repository's table.
fn recipe(bench: &Bench, hub: &Hub, repository: &str, more: &str) {
    let (url, key) = (&hub.url, fingerprint());
    bench.write("keys/goose.asc", gander::sign::Signer::certificate(signer()).armored());
    bench.write(
        "r.toml",
        format!(
            "[release]\nname = \"Gosling Linux\"\nshort = \"Goose\"\nversion = \"1\"\n\
             source-date = \"2026-11-01T00:00:00Z\"\n\n[[source]]\nkeys = [\"{key}\"]\n\
             koji = {{ hub = \"{url}/kojihub\", files = \"{url}/kojifiles\", tag = \"birds\", excludepkgs = [\"swan\"] }}\n\n\
             [[source]]\nkeys = [\"{key}\"]\n\
             repo = {{ id = \"lake\", baseurl = \"{repository}\", repo_gpgcheck = true, includepkgs = [\"swan\"]{more} }}\n\n\
             [variant.Base]\narches = [\"x86_64\"]\npackages = [\"goose\", \"swan\"]\nsources = false\n\n\
             [sign]\ndemonstration = \"goose\"\n"
        ),
    );
}

fn update(bench: &Bench, store: &str, packages: &[&str]) -> Output {
    gander(bench, store, &[&["lock", "--update", "r.toml"], packages].concat())
}

#[test]
fn repositories_stay_while_packages_of_tags_move() {
    let hub = birds();
    let world = World::new();
    let folder = world.repository("lake", "1");
    let server = Server::honest(&folder);
    let bench = Bench::new();
    recipe(&bench, &hub, &server.url, "");
    // There is nothing yet that could stay.
    update(&bench, "store", &["goose"]).exits(2).says("packages of 'birds' cannot move alone");
    update(&bench, "store", &[]).exits(0);
    let repository = || {
        let header = fs::read_to_string(bench.path("r.lock/lock.toml")).unwrap();
        let part = header.split_once("id = \"lake\"\n").unwrap().1;
        part.split("\n\n").next().unwrap().to_owned()
    };
    let before = repository();

    // Both go on, and the old packages of the repository are still at the mirror.
    hub.tag(hub.import("goose", "2", &sample::installable("goose", "2"), &[signer()]));
    let mut all = packages("1");
    all.extend(packages("2"));
    make(&folder, &all);
    let asked = server.asked().len();
    let moved = update(&bench, "store", &["goose"]).exits(0);
    assert!(moved.stdout.contains("~ build goose-2-1 instead of goose-1-1\n"), "{moved}");
    assert!(!moved.stdout.contains("swan"), "{moved}");
    assert_eq!(
        (repository(), server.asked().len()),
        (before.clone(), asked),
        "nothing is asked of the mirror"
    );
    let swan = |version: &str| {
        let packages = fs::read_to_string(bench.path("r.lock/packages")).unwrap();
        packages.contains(&format!("swan-0:{version}-1.noarch\t"))
    };
    assert!(swan("1") && !swan("2"));
    // What moved is composed, and by others from the lock alone.
    gander(&bench, "store", &["compose", "r.toml", "--output", "out"]).exits(0);
    gander(&bench, "other", &["compose", "--locked", "r.toml", "--output", "again"]).exits(0);
    assert_eq!(files(&bench.path("again")), files(&bench.path("out")));

    // In a store without the lists they come from the mirror, by digest; where it has dropped them, that is told.
    hub.tag(hub.import("goose", "3", &sample::installable("goose", "3"), &[signer()]));
    let kept = files(&bench.path("r.lock"));
    update(&bench, "empty", &["goose"])
        .exits(3)
        .says("'lake' cannot be opened in the state that the lock has");
    assert_eq!(files(&bench.path("r.lock")), kept);
    make(&folder, &packages("1"));
    let here = update(&bench, "empty", &["goose"]).exits(0);
    assert!(here.stdout.contains("~ build goose-3-1 instead of goose-2-1\n"), "{here}");
    assert_eq!(repository(), before);

    // Asked for in another way, there is no state of it.
    recipe(&bench, &hub, &server.url, ", gpgcheck = false");
    update(&bench, "store", &["goose"])
        .exits(2)
        .says("the lock has no state of the repository 'lake'")
        .says("without names of packages");
    // Without names all move.
    make(&folder, &all);
    recipe(&bench, &hub, &server.url, "");
    let all = update(&bench, "store", &[]).exits(0);
    assert!(all.stdout.contains("+ swan-0:2-1.noarch in Base/x86_64\n") && swan("2"), "{all}");
}
