//! Repositories with modules as sources: from a stream that a recipe names to one that dnf enables.

use std::fs;
use std::io::Read as _;

use gander::format::repodata::{Content, Repomd};
use gander::repo::create;

use super::bench::{Bench, has_peers, run};
use super::flow::gander;
use super::sample;

const MODULES: &str = "---
document: modulemd-defaults
version: 1
data: {module: goose, stream: '1', profiles: {'1': []}}
...
---
document: modulemd
version: 2
data:
  name: goose
  stream: '1'
  version: 1
  context: c0ffee
  arch: x86_64
  summary: Geese
  description: Geese
  license: {module: [MIT]}
  artifacts: {rpms: [\"goose-0:1-1.noarch\"]}
...
---
document: modulemd
version: 2
data:
  name: goose
  stream: '2'
  version: 1
  context: c0ffee
  arch: x86_64
  summary: Geese
  description: Geese
  license: {module: [MIT]}
  artifacts: {rpms: [\"goose-0:2-1.noarch\"]}
...
";

/// A bench with a repository: geese of two streams and one outside of both, and a pond.
fn bench(modules: Option<&str>) -> Bench {
    let bench = Bench::new();
    let repository = bench.path("repository");
    for (name, version) in [("goose", "1"), ("goose", "2"), ("goose", "3"), ("pond", "1")] {
        bench.write(&format!("repository/{name}-{version}.rpm"), sample::installable(name, version));
    }
    let extras = modules.map(|modules| ("modules".to_owned(), bench.write("modules.yaml", modules)));
    let options = create::Options { extras: extras.into_iter().collect(), ..create::Options::default() };
    create::create(&repository, &options, None).unwrap();
    bench
}

fn recipe(bench: &Bench, modules: &str) {
    bench.write(
        "r.toml",
        format!(
            "[release]\nname = \"Gosling Linux\"\nshort = \"Goose\"\nversion = \"1\"\nsource-date = \"2026-11-01T00:00:00Z\"\n\n\
             [[source]]\nrepo = {{ id = \"birds\", baseurl = \"file://{}\", gpgcheck = false, modules = {modules} }}\n\n\
             [variant.Base]\narches = [\"x86_64\"]\npackages = [\"goose\", \"pond\"]\nsources = false\n",
            bench.path("repository").display()
        ),
    );
}

/// The packages of a composed tree, and what its repository says of modules.
pub fn composed(bench: &Bench) -> (Vec<String>, Option<String>) {
    let tree = bench.path("out/compose/Base/x86_64/os");
    let mut names = Vec::new();
    for letter in fs::read_dir(tree.join("Packages")).unwrap() {
        let files = fs::read_dir(letter.unwrap().path()).unwrap();
        names.extend(files.map(|file| file.unwrap().file_name().into_string().unwrap()));
    }
    names.sort();
    let repomd = Repomd::parse(&fs::read(tree.join("repodata/repomd.xml")).unwrap()).unwrap();
    let modules = repomd.find("modules").map(|data| {
        let bytes = fs::read(data.location.below(&tree)).unwrap();
        let mut text = String::new();
        Content::open(&*bytes, None).unwrap().read_to_string(&mut text).unwrap();
        text
    });
    (names, modules)
}

#[test]
fn the_stream_that_is_named_is_composed_and_its_metadata_go_along() {
    let bench = bench(Some(MODULES));
    for (modules, goose, stream) in [
        ("[]", "goose-1-1.noarch.rpm", Some("1")),
        ("[\"goose:2\"]", "goose-2-1.noarch.rpm", Some("2")),
        ("[\"!goose\"]", "goose-3-1.noarch.rpm", None),
    ] {
        recipe(&bench, modules);
        let locked = gander(&bench, "store", &["lock", "--update", "r.toml"]).exits(0);
        if let Some(stream) = stream {
            locked.says(&format!("active modules for x86_64: goose:{stream}"));
        }
        gander(&bench, "store", &["compose", "r.toml", "--output", "out"]).exits(0);
        let (packages, said) = composed(&bench);
        assert_eq!(packages, [goose, "pond-1-1.noarch.rpm"]);
        let said = said.unwrap_or_default();
        assert_eq!(said.matches("document: modulemd\n").count(), stream.iter().count(), "{said}");
        assert!(stream.is_none_or(|stream| said.contains(&format!("  stream: '{stream}'\n"))), "{said}");
        assert_eq!(said.contains("document: modulemd-defaults\n"), stream.is_some(), "{said}");
        // The lock has all that a rebuild needs to say the same.
        gander(&bench, "other", &["compose", "--locked", "r.toml", "--output", "again"]).exits(0);
        assert_eq!(super::flow::files(&bench.path("again")), super::flow::files(&bench.path("out")));
        if stream.is_some() && has_peers(&["dnf"]) {
            let url = format!("file://{}", bench.path("out/compose/Base/x86_64/os").display());
            let mut dnf = std::process::Command::new("dnf");
            dnf.args([
                "-q",
                "-y",
                "--noplugins",
                "--forcearch=x86_64",
                "--releasever=9",
                "--setopt=reposdir=/dev/null",
            ]);
            dnf.arg("--setopt=module_platform_id=platform:el9");
            dnf.arg(format!("--installroot={}", bench.path("root").display()));
            // dnf keeps metadata by address; each stream is another state at the same one.
            let cache = bench.path(&format!("cache-{}", stream.unwrap_or_default()));
            dnf.arg(format!("--setopt=cachedir={}", cache.display()));
            dnf.arg(format!("--repofrompath=r,{url}")).args(["--repo=r", "module", "list", "goose"]);
            let listed = run(dnf.env("LC_ALL", "C.UTF-8")).exits(0);
            assert!(
                listed.stdout.lines().any(|line| line.starts_with("goose") && line.contains(stream.unwrap())),
                "{}",
                listed.stdout
            );
        }
    }
}

#[test]
fn choices_that_cannot_be_are_refused_all_at_once() {
    let bench = bench(Some(MODULES));
    recipe(&bench, "[\"goose:9\", \"swan:1\"]");
    gander(&bench, "store", &["lock", "r.toml"])
        .exits(2)
        .says("the module 'goose' has no stream '9', only 1, 2")
        .says("no source has the module 'swan'");
    assert!(!bench.path("r.lock").exists());
    recipe(&bench, "[\"goose\"]");
    gander(&bench, "store", &["lock", "r.toml"])
        .exits(2)
        .says("'goose' is neither MODULE:STREAM[:VERSION[:CONTEXT]] nor !MODULE");
}

#[test]
fn modules_that_cannot_be_read_refuse_the_repository() {
    let bench = bench(Some("document: modulemd\nversion: 9\ndata: {}\n"));
    recipe(&bench, "[]");
    gander(&bench, "store", &["lock", "r.toml"]).exits(3).says("a 'modulemd' of version 9 is not known");
}

/// A recipe with two variants: one that names modules, and one that does not.
fn of_variants(bench: &Bench, modules: &str, packages: &str) {
    bench.write(
        "r.toml",
        format!(
            "[release]\nname = \"Gosling Linux\"\nshort = \"Goose\"\nversion = \"1\"\nsource-date = \"2026-11-01T00:00:00Z\"\n\n\
             [[source]]\nrepo = {{ id = \"birds\", baseurl = \"file://{}\", gpgcheck = false, modules = [\"!goose\"] }}\n\n\
             [variant.Base]\narches = [\"x86_64\"]\nmodules = {modules}\npackages = {packages}\nsources = false\n\
             [variant.Other]\narches = [\"x86_64\"]\npackages = [\"goose\"]\nsources = false\n",
            bench.path("repository").display()
        ),
    );
}

#[test]
fn a_variant_has_the_streams_that_it_names_and_no_other_has_them() {
    let bench = bench(Some(MODULES));
    for (modules, packages, geese) in [
        ("[\"goose:1\"]", "[]", &["goose-1-1.noarch.rpm"][..]),
        (
            "[\"goose:2\", \"goose:1\"]",
            "[\"pond\"]",
            &["goose-1-1.noarch.rpm", "goose-2-1.noarch.rpm", "pond-1-1.noarch.rpm"],
        ),
    ] {
        of_variants(&bench, modules, packages);
        gander(&bench, "store", &["lock", "--update", "r.toml"]).exits(0);
        gander(&bench, "store", &["compose", "r.toml", "--output", "out"]).exits(0);
        let (names, said) = composed(&bench);
        assert_eq!(names, geese);
        let said = said.unwrap();
        let streams = geese.iter().filter(|name| name.starts_with("goose")).count();
        assert_eq!(said.matches("document: modulemd\n").count(), streams, "{said}");
        assert_eq!(said.matches("document: modulemd-defaults\n").count(), 1, "{said}");
        // Elsewhere there is only what is in no module, and nothing is said of any.
        let other = bench.path("out/compose/Other/x86_64/os");
        assert!(other.join("Packages/g/goose-3-1.noarch.rpm").is_file());
        let repomd = Repomd::parse(&fs::read(other.join("repodata/repomd.xml")).unwrap()).unwrap();
        assert!(repomd.find("modules").is_none());
        // The lock has all that a rebuild, and a question about it, needs.
        gander(&bench, "other", &["compose", "--locked", "r.toml", "--output", "again"]).exits(0);
        assert_eq!(super::flow::files(&bench.path("again")), super::flow::files(&bench.path("out")));
        let told = gander(&bench, "store", &["explain", "r.toml", "goose"]).exits(0);
        assert!(told.stdout.contains("Base/x86_64: goose-0:1-1.noarch module\n"), "{}", told.stdout);
        assert!(told.stdout.contains("of the module goose:1:1:c0ffee\n"), "{}", told.stdout);
        assert!(told.stdout.contains("of a stream that only other variants name"), "{}", told.stdout);
        let told = gander(&bench, "store", &["select", "r.toml"]).exits(0);
        assert!(
            told.stdout.contains("goose-0:1-1.noarch") && told.stdout.contains("module"),
            "{}",
            told.stdout
        );
    }
}

#[test]
fn streams_of_variants_that_no_source_has_are_told_with_what_there_is() {
    let bench = bench(Some(MODULES));
    of_variants(&bench, "[\"goose:9\", \"gose:1\", \"goose:1:7\"]", "[]");
    gander(&bench, "store", &["lock", "r.toml"])
        .exits(2)
        .says("the module 'goose' has no stream '9', only 1, 2")
        .says("there is no build goose:1:7, only goose:1:1:c0ffee")
        .says("no source has the module 'gose' (did you mean 'goose'?)");
}
