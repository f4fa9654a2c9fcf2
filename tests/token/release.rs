//! A release that a token signs.

use std::fs;

use super::bench::run;
use super::sample;
use super::world::world;

#[test]
fn a_recipe_is_locked_and_composed_with_a_token() {
    let Some(world) = world(&[]) else { return };
    let bench = &world.bench;
    let fingerprint = world.new_key("ed", "ed25519");
    for name in ["goose", "pond"] {
        bench.write(&format!("rpms/{name}-1-1.noarch.rpm"), sample::installable(name, "1"));
    }
    let [key, pin] = ["safe/ed.token", "safe/pin"].map(|name| bench.path(name));
    let recipe = format!(
        "[release]\nname = \"Goose Linux\"\nshort = \"Goose\"\nversion = \"1\"\nsource-date = \"2026-11-01T00:00:00Z\"\n\n\
         [[source]]\ndir = \"rpms\"\non-unsigned = \"sign\"\n\n\
         [variant.Base]\narches = [\"x86_64\"]\npackages = [\"goose\", \"pond\"]\nsources = false\n\n\
         [sign]\ntoken = {{ key-file = \"{}\", pin-file = \"{}\" }}\n",
        key.display(),
        pin.display()
    );
    bench.write("r.toml", recipe);
    bench.write("safe/pin", "wrong\n");
    fs::copy(bench.path("ed.token"), &key).unwrap();
    let gander = |store: &str, arguments: &[&str]| world.gander(&[&["--store", store], arguments].concat());
    gander("store", &["lock", "r.toml"]).exits(3).says("the PIN is not that of the token 'releases'");
    fs::copy(bench.path("pin"), &pin).unwrap();
    gander("store", &["lock", "r.toml"]).exits(0).says(&format!("signed 2 with key {fingerprint}"));
    gander("store", &["compose", "r.toml", "--output", "out"]).exits(0).says("signed ");
    let tree = bench.path("out/compose/Base/x86_64/os");
    let package = fs::read(tree.join("Packages/g/goose-1-1.noarch.rpm"));
    let package = package.or_else(|_| fs::read(tree.join("Packages/goose-1-1.noarch.rpm"))).unwrap();
    bench.write("goose.rpm", package);
    bench.write("keys.asc", world.read("ed.asc"));
    let verify = ["rpm", "verify", "--keys", "keys.asc", "goose.rpm"];
    world.gander(&verify).exits(0);

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
