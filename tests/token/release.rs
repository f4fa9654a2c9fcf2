//! A release that a token signs.

use std::fs;

use super::bench::run;
use super::sample;
use super::world::{World, world};

/// Writes packages, and a recipe that has them signed by a key on the token; more lines come behind `[sign]`.
fn recipe(world: &World, key: &str, more: &str) {
    for name in ["goose", "pond"] {
        world.bench.write(&format!("rpms/{name}-1-1.noarch.rpm"), sample::installable(name, "1"));
    }
    let [key, pin] = [key, "safe/pin"].map(|name| world.bench.path(name));
    let recipe = format!(
        "[release]\nname = \"Goose Linux\"\nshort = \"Goose\"\nversion = \"1\"\nsource-date = \"2026-11-01T00:00:00Z\"\n\n\
         [[source]]\ndir = \"rpms\"\non-unsigned = \"sign\"\n\n\
         [variant.Base]\narches = [\"x86_64\"]\npackages = [\"goose\", \"pond\"]\nsources = false\n\n\
         [sign]\ntoken = {{ key-file = \"{}\", pin-file = \"{}\" }}\n{more}",
        key.display(),
        pin.display()
    );
    world.bench.write("r.toml", recipe);
}

/// A package of a compose, as a file that is verified by name.
fn package(world: &World, out: &str) -> &'static str {
    let tree = world.bench.path(&format!("{out}/compose/Base/x86_64/os"));
    let package = fs::read(tree.join("Packages/g/goose-1-1.noarch.rpm"));
    let package = package.or_else(|_| fs::read(tree.join("Packages/goose-1-1.noarch.rpm"))).unwrap();
    world.bench.write("goose.rpm", package);
    "goose.rpm"
}

#[test]
fn a_release_is_signed_again_by_another_key_of_the_token() {
    let Some(world) = world(&[]) else { return };
    let old = world.new_key("ed", "ed25519");
    let new = world.new_key("rsa", "rsa3072");
    world.bench.write("safe/pin", world.read("pin"));
    let gander = |arguments: &[&str]| world.gander(&[&["--store", "store"], arguments].concat());
    recipe(&world, "ed.token", "");
    gander(&["lock", "r.toml"]).exits(0).says(&old);
    gander(&["compose", "r.toml", "--output", "one"]).exits(0);
    recipe(&world, "rsa.token", &format!("compromised = [\"{old}\"]\n"));
    gander(&["compose", "r.toml", "--output", "two"]).exits(2).says("--resign");
    gander(&["compose", "--resign", "r.toml", "--output", "two"]).exits(0).says(&new);
    let verify = |key: &str, out: &str| world.gander(&["rpm", "verify", "--keys", key, package(&world, out)]);
    verify("ed.asc", "one").exits(0);
    verify("rsa.asc", "two").exits(0);
    assert_ne!(verify("ed.asc", "two").code, Some(0));
    // Nothing but signatures is other, so nothing is signed by the token once more.
    fs::remove_dir_all(world.bench.path("tokens")).unwrap();
    gander(&["compose", "r.toml", "--output", "three"]).exits(0);
    let mut diff = std::process::Command::new("diff");
    run(diff.arg("-r").arg(world.bench.path("two")).arg(world.bench.path("three"))).exits(0);
}

#[test]
fn a_recipe_is_locked_and_composed_with_a_token() {
    let Some(world) = world(&[]) else { return };
    let bench = &world.bench;
    let fingerprint = world.new_key("ed", "ed25519");
    let [key, pin] = ["safe/ed.token", "safe/pin"].map(|name| bench.path(name));
    recipe(&world, "safe/ed.token", "");
    bench.write("safe/pin", "wrong\n");
    fs::copy(bench.path("ed.token"), &key).unwrap();
    let gander = |store: &str, arguments: &[&str]| world.gander(&[&["--store", store], arguments].concat());
    gander("store", &["lock", "r.toml"]).exits(3).says("the PIN is not that of the token 'releases'");
    fs::copy(bench.path("pin"), &pin).unwrap();
    gander("store", &["lock", "r.toml"]).exits(0).says(&format!("signed 2 with key {fingerprint}"));
    gander("store", &["compose", "r.toml", "--output", "out"]).exits(0).says("signed ");
    world.gander(&["rpm", "verify", "--keys", "ed.asc", package(&world, "out")]).exits(0);

    // From the lock, on a machine that has neither token, key file nor PIN.
    fs::remove_dir_all(bench.path("safe")).unwrap();
    fs::remove_dir_all(bench.path("tokens")).unwrap();
    gander("store", &["compose", "r.toml", "--output", "again"]).exits(0);
    let mut diff = std::process::Command::new("diff");
    run(diff.arg("-r").arg(bench.path("out")).arg(bench.path("again"))).exits(0);
    // And what the lock lacks is listed.
    fs::write(
        bench.path("r.lock/signatures"),
        fs::read_to_string(bench.path("r.lock/signatures"))
            .unwrap()
            .lines()
            .next()
            .map(|line| format!("{line}\n"))
            .unwrap(),
    )
    .unwrap();
    gander("store", &["compose", "r.toml", "--output", "third"]).exits(3).says(&fingerprint);
}
