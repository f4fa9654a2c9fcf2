//! Full disks: of the store, of the output, of a step. Small ones are mounted where nobody else sees them.

use std::fs;
use std::process::Command;

use super::base::{Base, base, is_root, skip};
use super::bench::{Bench, Ran, ran, seen};
use super::kills::{pool, whole};
use super::mirror::Mirror;
use super::snapshot::assert_snapshot;

fn prepared(test: &str) -> Option<&'static Base> {
    let mut command = Command::new("unshare");
    if !is_root() || ran(command.args(["-m", "mount", "-t", "tmpfs", "none", "/mnt"])).code != Some(0) {
        skip(test, "a small disk cannot be mounted here");
        return None;
    }
    base(test)
}

/// Runs a shell script where it may mount what it wants, with `$G` for gander and this bench's store. Each
/// command goes by `try NAME COMMAND`; how it went is found by the name.
fn script(bench: &Bench, text: &str) {
    let text = format!(
        "G=\"{} --store store\"\n\
         try() {{ name=$1; shift; \"$@\" > $name.stdout 2> $name.stderr && c=0 || c=$?; echo $c > $name.code; }}\n{text}",
        env!("CARGO_BIN_EXE_gander")
    );
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-e", "-c", &text]).current_dir(bench.path(""));
    let ran = ran(command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", bench.path("home")));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

fn tried(bench: &Bench, name: &str) -> Ran {
    let read = |ending: &str| fs::read_to_string(bench.path(&format!("{name}.{ending}"))).unwrap();
    Ran { code: read("code").trim().parse().ok(), stdout: read("stdout"), stderr: read("stderr") }
}

#[track_caller]
fn assert_full(ran: &Ran, disk: &str) {
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    let errors: Vec<_> = ran.stderr.lines().filter(|line| line.starts_with("error:")).collect();
    assert_eq!(errors.len(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("No space left on device"), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("hint: {disk} is full")), "{}", ran.stderr);
}

#[track_caller]
fn assert_good(ran: &Ran) {
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn of_the_store() {
    let Some(base) = prepared("full disk of the store") else { return };
    let mirror = Mirror::start(pool(base));
    // From the first object to the last step: while downloading, unpacking, making the layer, taking it in, laying
    // out the root.
    for size in ["64k", "80M", "200M", "300M"] {
        let bench = Bench::with_recipe(base);
        fs::create_dir(bench.path("store")).unwrap();
        script(
            &bench,
            &format!(
                "mount -t tmpfs -o size={size} none store\n\
                 try full $G {mirror} compose -j1 goose.toml\n\
                 try small $G store verify\n\
                 ls -A store/tmp > left\n\
                 mount -o remount,size=4G store\n\
                 try roomy $G {mirror} compose goose.toml\n\
                 try verify $G store verify\n\
                 ls -A store/tmp >> left",
                mirror = mirror.option()
            ),
        );
        let first = tried(&bench, "full");
        assert_full(&first, "the disk that the store is on");
        // A disk on which not even the lock file has room cannot be verified; what is there is not wrong.
        assert!(
            matches!(tried(&bench, "small").code, Some(0 | 4)),
            "{size}: {}",
            tried(&bench, "small").stderr
        );
        assert_good(&tried(&bench, "roomy"));
        assert_good(&tried(&bench, "verify"));
        assert_eq!(fs::read_to_string(bench.path("left")).unwrap(), "", "{size}: left in the store's tmp");
        let whole = whole(base);
        assert_eq!(tried(&bench, "roomy").stdout, whole.compose);
        assert!(seen(&bench.path("out")) == whole.out, "{size}: the output differs");
    }
}

#[test]
fn of_the_output() {
    let Some(base) = prepared("full disk of the output") else { return };
    let bench = Bench::with_recipe(base);
    bench.seed(base);
    fs::create_dir(bench.path("disk")).unwrap();
    script(
        &bench,
        "mount -t tmpfs -o size=20k none disk\n\
         try full $G compose goose.toml --output disk/out\n\
         ls -A disk > left\n\
         mount -o remount,size=40M disk\n\
         try roomy $G compose goose.toml --output disk/out\n\
         cp -a disk/out out",
    );
    let full = tried(&bench, "full");
    assert_full(&full, "the disk");
    assert!(full.stderr.contains("cannot be written to 'disk/out'"), "{}", full.stderr);
    assert_eq!(fs::read_to_string(bench.path("left")).unwrap(), "", "left on the full disk");
    assert_good(&tried(&bench, "roomy"));
    assert!(seen(&bench.path("out")) == whole(base).out, "the output differs");
    bench.assert_clean();
}

#[test]
fn of_the_recipe() {
    let Some(base) = prepared("full disk of the lock") else { return };
    let bench = Bench::new();
    bench.seed(base);
    let recipe = Bench::with_recipe(base);
    fs::create_dir(bench.path("disk")).unwrap();
    let from = recipe.path("").display().to_string();
    script(
        &bench,
        &format!(
            "mount -t tmpfs -o size=40M none disk; cp -r {from}/* disk/\n\
             head -c 40M /dev/zero > disk/ballast 2>/dev/null || true\n\
             try full $G compose disk/goose.toml\n\
             ls -A disk > left\n\
             rm disk/ballast; mount -o remount,size=40M disk\n\
             try roomy $G compose disk/goose.toml"
        ),
    );
    assert_full(&tried(&bench, "full"), "the disk");
    let left = fs::read_to_string(bench.path("left")).unwrap();
    assert!(!left.contains(".lock.new") && !left.contains("goose.lock"), "{left}");
    assert_good(&tried(&bench, "roomy"));
}

#[test]
fn of_a_step() {
    let Some(base) = prepared("full disk of a step") else { return };
    let bench = Bench::with_recipe(base);
    fs::create_dir(bench.path("store")).unwrap();
    bench.edit("specs/pond.spec", "%install", "%install\nhead -c 2G /dev/zero > flood");
    fs::remove_file(bench.path("specs/goose.spec")).unwrap();
    bench.edit("comps.xml", "goose-devel", "pond");
    script(
        &bench,
        &format!(
            "mount -t tmpfs -o size=600M none store; cp -a {}/. store/\n\
             try full $G compose -j1 goose.toml\n\
             try verify $G store verify\n\
             ls -A store/tmp > left",
            base.store.display()
        ),
    );
    let full = tried(&bench, "full");
    assert_full(&full, "the disk that the store is on");
    assert_snapshot("full-disk-of-a-step", &bench.error(&full));
    assert_good(&tried(&bench, "verify"));
    assert_eq!(fs::read_to_string(bench.path("left")).unwrap(), "");
}
