//! `gander key`: making, showing, refusing.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::bench::{Bench, package_root};

#[test]
fn a_new_key_is_shown_and_its_secret_is_nobody_elses() {
    let bench = Bench::new();
    fs::create_dir(bench.path("keys")).unwrap();
    bench.write("phrase", "a phrase of the test\nsecond line\n");
    let new = bench
        .run([
            "key",
            "new",
            "--user-id",
            "Test <test@example.org>",
            "--expires",
            "2090-12-31",
            "--passphrase-file",
            "phrase",
            "--output",
            "keys",
        ])
        .exits(0);
    let fingerprint = new.stdout.trim_end();
    assert_eq!(fingerprint.len(), 40, "{new}");

    let (mut secrets, mut revocations) = (0, 0);
    for entry in fs::read_dir(bench.path("keys")).unwrap() {
        let path = entry.unwrap().path();
        assert!(path.to_string_lossy().contains(fingerprint), "{}", path.display());
        if path.extension().is_some_and(|extension| extension == "rev") {
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            revocations += 1;
            continue;
        }
        let shown = bench.run(["key", "show", path.to_str().unwrap()]).exits(0);
        assert!(shown.stdout.contains(fingerprint) && shown.stdout.contains("Test <test@"), "{shown}");
        assert!(shown.stdout.contains("2090-12-31"), "{shown}");
        if fs::read_to_string(&path).unwrap().contains("PRIVATE") {
            secrets += 1;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
    assert_eq!((secrets, revocations), (1, 1));
}

#[test]
fn the_committed_certificate_is_that_of_goslings_phrase() {
    let bench = Bench::new();
    let path = package_root().join("keys/gosling-demonstration.asc");
    let shown = bench.run(["key", "show", "--format", "json", path.to_str().unwrap()]).exits(0);
    let shown: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(shown[0]["demonstration"], true);

    let recipe = fs::read_to_string(package_root().join("recipes/gosling.toml")).unwrap();
    let value = |key: &str| {
        let line = recipe.lines().find_map(|line| line.strip_prefix(&format!("{key} = \"")));
        line.unwrap().trim_end_matches('"').to_string()
    };
    let (phrase, created, name) = (value("demonstration"), value("source-date"), value("name"));
    let derived = bench
        .run(["key", "demonstration", "--phrase", &phrase, "--created", &created, "--user-id", &name])
        .exits(0);
    assert_eq!(derived.stdout, fs::read_to_string(path).unwrap());
}

#[test]
fn keys_are_refused_where_they_must_not_be() {
    let bench = Bench::new();
    bench.write("checkout/.git/HEAD", "ref: refs/heads/main\n");
    let place = ["key", "new", "--user-id", "Test", "--output", "checkout/secret.key"];
    bench.run(place).exits(2).says("git checkout");
    assert!(!bench.path("checkout/secret.key").exists());

    bench.write("no-key", "nothing of a key\n");
    bench.run(["key", "show", "no-key"]).exits(3).says("no-key");
    bench.run(["key", "show", "not-there"]).exits(3).says("not-there");
    let past = ["key", "new", "--user-id", "Test", "--expires", "yesterday", "--output", "k"];
    bench.run(past).exits(2).says("--expires");
}
