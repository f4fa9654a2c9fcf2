//! `gander plan` on the committed lock of Gosling, and on what is no recipe.

use std::collections::BTreeSet;
use std::process::Stdio;

use super::bench::{Bench, package_root};

fn plan(bench: &Bench, format: &str) -> String {
    let recipe = package_root().join("recipes/gosling.toml");
    bench.run(["plan", "--format", format, recipe.to_str().unwrap()]).exits(0).stdout
}

#[test]
fn all_formats_tell_of_the_same_steps() {
    let bench = Bench::new();
    let json: serde_json::Value = serde_json::from_str(&plan(&bench, "json")).unwrap();
    let steps = json["steps"].as_array().unwrap();
    let ids: BTreeSet<&str> = steps.iter().map(|step| step["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), steps.len(), "two steps have one id");
    let kinds: BTreeSet<&str> = steps.iter().map(|step| step["kind"].as_str().unwrap()).collect();
    assert!(kinds.is_superset(&BTreeSet::from(["image", "rpmbuild", "repodata"])), "{kinds:?}");
    // Whatever a step takes from another is a step of the plan.
    for step in steps {
        let inputs = step["inputs"].as_object().unwrap().values();
        for input in inputs.chain([&step["root"]]).filter_map(|input| input["step"].as_str()) {
            assert!(ids.contains(input), "{} needs {input}", step["label"]);
        }
    }

    let text = plan(&bench, "text");
    assert_eq!(text.lines().count(), steps.len());
    for line in text.lines() {
        let id = line.split(' ').next().unwrap();
        assert!(ids.iter().any(|whole| whole.contains(id)), "{line}");
    }

    let dot = plan(&bench, "dot");
    assert!(dot.starts_with("digraph plan {\n") && dot.ends_with("}\n"), "{dot}");
    assert_eq!(dot.lines().filter(|line| line.contains("[label=")).count(), steps.len());
    assert_eq!(text, plan(&bench, "text"), "the order differs from run to run");
}

#[test]
fn what_is_no_recipe_is_a_usage_error_with_its_place() {
    let bench = Bench::new();
    bench.write("bad.toml", "[release]\nname = \"X\"\nshrot = \"X\"\nversion = \"1\"\n");
    bench.run(["plan", "bad.toml"]).exits(2).says("bad.toml:3:1").says("short");
    bench.run(["plan", "not-there.toml"]).exits(3).says("not-there.toml");
}

#[test]
fn a_recipe_without_a_lock_names_the_command_that_makes_it() {
    let bench = Bench::new();
    bench.write(
        "x.toml",
        "[release]\nname = \"X\"\nshort = \"X\"\nversion = \"1\"\n[[source]]\ndir = \"rpms\"\non-unsigned = \"allow\"\n\
         [variant.A]\narches = [\"x86_64\"]\npackages = [\"a\"]\n",
    );
    std::fs::create_dir(bench.path("rpms")).unwrap();
    bench.run(["plan", "x.toml"]).exits(3).says("gander lock");
    bench.run(["--store", "s", "compose", "--locked", "x.toml"]).exits(3).says("gander lock");
}

#[test]
fn a_reader_who_goes_away_ends_it_quietly() {
    let bench = Bench::new();
    let recipe = package_root().join("recipes/gosling.toml");
    let mut child = bench
        .gander()
        .args(["plan", "--format", "json"])
        .arg(recipe)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}
