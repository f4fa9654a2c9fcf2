//! Bundles: every input of a lock in a folder, and composing from it when the sources are gone.

use std::fs;
use std::path::Path;

use gander::base::Digest;

use super::flow::{bench, files, gander, lock};
use super::server::Server;
use super::world::*;

fn place(folder: &Path, digest: &str) -> std::path::PathBuf {
    folder.join("sha256").join(&digest[..2]).join(digest)
}

#[test]
fn a_bundle_is_all_that_a_lock_needs() {
    let world = World::new();
    let folder = world.repository("a", "1");
    let server = Server::honest(&folder);
    let bench = bench(&format!("baseurl = \"{}\"", server.url));
    lock(&bench).exits(0);
    gander(&bench, "store", &["compose", "r.toml", "--output", "out"]).exits(0);
    let first = files(&bench.path("out"));

    // From an empty store: what it lacks is downloaded.
    let asked = server.asked().len();
    let output = gander(&bench, "another", &["bundle", "r.lock", "-o", "kept", "--format", "json"]).exits(0);
    let done: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(done["written"], done["files"]);
    assert_eq!(server.asked().len(), asked + 2, "the two packages, and nothing else");
    let kept = files(&bench.path("kept"));
    assert_eq!(kept.len() as u64, done["files"].as_u64().unwrap() + 1);
    for (path, digest) in kept.iter().filter(|(path, _)| *path != "index") {
        assert_eq!(*path, format!("sha256/{}/{}", &digest.hex()[..2], digest.hex()));
    }
    let index = fs::read_to_string(bench.path("kept/index")).unwrap();
    let lines: Vec<_> = index.lines().collect();
    assert_eq!(lines[0], "gander-bundle 1");
    assert!(lines[1..].is_sorted());
    let goose = fs::read(folder.join("Packages/goose-1-1.noarch.rpm")).unwrap();
    let line = format!("{}\t{}\tpackage goose-0:1-1.noarch", Digest::of(&goose).hex(), goose.len());
    assert!(lines.contains(&line.as_str()), "{index}");

    // With the recipe's name, from the store that resolved it: the same bytes.
    gander(&bench, "store", &["bundle", "r.toml", "-o", "again"]).exits(0);
    assert_eq!(files(&bench.path("again")), kept);
    // Nothing is left to do; what is damaged or gone is written anew.
    let hex = Digest::of(&goose).hex();
    fs::write(place(&bench.path("again"), &hex), "damaged").unwrap();
    fs::remove_file(bench.path("again/index")).unwrap();
    let again = gander(&bench, "store", &["bundle", "r.toml", "-o", "again"]).exits(0);
    assert!(again.stdout.ends_with("bytes, 1 of them new\n"), "{}", again.stdout);
    assert_eq!(files(&bench.path("again")), kept);

    // The repository is gone.
    fs::remove_dir_all(&folder).unwrap();
    let compose = |store: &str, bundle: &str, out: &str| {
        let arguments = ["--offline", "--bundle", bundle, "compose", "--locked", "r.toml", "--output", out];
        gander(&bench, store, &arguments)
    };
    compose("empty", "kept", "second").exits(0);
    assert_eq!(files(&bench.path("second")), first);
    gander(&bench, "empty-too", &["--offline", "compose", "--locked", "r.toml", "--output", "third"])
        .exits(3);
    gander(&bench, "empty-too", &["--offline", "bundle", "r.toml", "-o", "third"]).exits(3);
    // A bundle of a bundle.
    gander(&bench, "new", &["--offline", "--bundle", "kept", "bundle", "r.lock", "-o", "copy"]).exits(0);
    assert_eq!(files(&bench.path("copy")), kept);

    // A bundle that is damaged is an error, and so is a folder that is none.
    fs::write(place(&bench.path("copy"), &hex), "damaged").unwrap();
    compose("empty-three", "copy", "third").exits(3).says(&hex).says("but the lock pins");
    fs::write(bench.path("copy/index"), "gander-bundle 2\n").unwrap();
    compose("empty-three", "copy", "third").exits(3).says("'copy' is no bundle that this gander reads");
    compose("empty-three", "nowhere", "third").exits(3).says("nowhere/index");
    gander(&bench, "store", &["bundle", "r.lock", "-o", "copy"]).exits(3).says("no bundle");
}

#[test]
fn a_bundle_may_have_the_inputs_of_several_locks() {
    let world = World::new();
    let server = Server::honest(&world.repository("a", "1"));
    let other = Server::honest(&world.repository("b", "2"));
    let (one, two) =
        (bench(&format!("baseurl = \"{}\"", server.url)), bench(&format!("baseurl = \"{}\"", other.url)));
    lock(&one).exits(0);
    lock(&two).exits(0);
    let kept = world.path("kept");
    let kept = kept.to_str().unwrap();
    gander(&one, "store", &["bundle", "r.lock", "-o", kept]).exits(0);
    let before = files(&world.path("kept"));
    gander(&two, "store", &["bundle", "r.lock", "-o", kept]).exits(0);
    let after = files(&world.path("kept"));
    assert!(before.iter().all(|(path, digest)| path == "index" || after.get(path) == Some(digest)));
    let index = fs::read_to_string(world.path("kept/index")).unwrap();
    for package in ["goose-0:1-1.noarch", "goose-0:2-1.noarch"] {
        assert!(index.contains(package), "{index}");
    }
    // In the other order: the same bytes.
    let again = world.path("again");
    let again = again.to_str().unwrap();
    gander(&two, "store", &["bundle", "r.lock", "-o", again]).exits(0);
    gander(&one, "store", &["bundle", "r.lock", "-o", again]).exits(0);
    assert_eq!(files(&world.path("again")), after);
}
