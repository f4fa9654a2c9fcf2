//! Commands beside compose: builds, plans, images.

use std::fs;

use super::base::base;
use super::bench::{Bench, seen};

#[test]
fn builds_are_the_same_from_empty_stores() {
    let Some(base) = base("builds") else { return };
    let mut all = Vec::new();
    for umask in ["022", "077"] {
        let bench = Bench::with_recipe(base);
        bench.seed(base);
        let mut command = std::process::Command::new("sh");
        let script = format!(
            "umask {umask}; {} --store store build specs/goose.spec specs/pond.spec --source sources \
             --image builder.lock --target x86_64 --target i686 --output rpms",
            env!("CARGO_BIN_EXE_gander")
        );
        let ran = super::bench::ran(command.args(["-c", &script]).current_dir(bench.path("")));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let files = seen(&bench.path("rpms"));
        let files: Vec<_> = files.into_iter().map(|(path, (_, _, content))| (path, content)).collect();
        all.push((ran.stdout, files));
        bench.assert_clean();
    }
    assert!(all[0] == all[1], "two builds differ:\n{}\n{}", all[0].0, all[1].0);
}

#[test]
fn plans() {
    let Some(base) = base("plans") else { return };
    let bench = Bench::with_recipe(base);
    bench.seed(base);
    bench.good(["lock", "goose.toml"]);
    // Computing a plan touches nothing.
    fs::remove_dir_all(bench.path("store")).unwrap();
    let text = bench.good(["plan", "goose.toml"]);
    let json = bench.good(["plan", "goose.toml", "--format", "json"]);
    let dot = bench.good(["plan", "goose.toml", "--format", "dot"]);
    assert!(!bench.path("store").exists());
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let steps = json["steps"].as_array().unwrap();
    assert_eq!(steps.len(), text.lines().count());
    for step in steps {
        let (id, kind) = (step["id"].as_str().unwrap(), step["kind"].as_str().unwrap());
        let short =
            text.lines().find(|line| line.contains(kind) && id.contains(line.split(' ').next().unwrap()));
        let short = short.unwrap_or_else(|| panic!("{id} is not in\n{text}")).split(' ').next().unwrap();
        assert!(dot.contains(&format!("\"{short}\" [label=")), "{short} is not in\n{dot}");
    }
    for kind in ["image", "rpmbuild", "attach", "repodata"] {
        assert!(text.lines().any(|line| line.split(' ').nth(1) == Some(kind)), "no {kind} in\n{text}");
    }
}

#[test]
fn commands_in_an_image() {
    let Some(base) = base("commands in an image") else { return };
    let bench = Bench::with_recipe(base);
    bench.seed(base);
    assert_eq!(bench.good(["run", "builder.lock", "--", "rpm", "--version"]), "RPM version 4.18.0\n");
    assert_eq!(bench.run(["run", "builder.lock", "--", "sh", "-c", "exit 7"]).code, Some(7));
    let ran = bench.run(["run", "builder.lock", "--", "no-such-program"]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("no-such-program"), "{}", ran.stderr);
    let ran = bench.run(["run", "swan.lock", "--", "true"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    let digest = bench.good(["image", "build", "builder.lock"]);
    bench.good(["image", "show", digest.trim()]);
    bench.good(["image", "show", "builder.lock"]);
    bench.assert_clean();
}
