//! `kill -9` at moments spread over a cold run, then the same command again without any cleaning.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::OnceLock;

use super::base::{Base, base, is_root, skip};
use super::bench::{Bench, Running, Seen, contents, names, seen};
use super::mirror::{Answer, Mirror};

/// What a run that nobody disturbs gives.
pub struct Whole {
    pub compose: String,
    pub out: Seen,
    lock: std::collections::BTreeMap<std::path::PathBuf, Vec<u8>>,
}

pub fn whole(base: &Base) -> &'static Whole {
    static WHOLE: OnceLock<Whole> = OnceLock::new();
    WHOLE.get_or_init(|| {
        let bench = Bench::with_recipe(base);
        bench.seed(base);
        let compose = bench.good(["compose", "goose.toml"]);
        bench.assert_clean();
        Whole { compose, out: seen(&bench.path("out")), lock: contents(&bench.path("goose.lock")) }
    })
}

const COMPOSE: [&str; 3] = ["-v", "compose", "goose.toml"];

/// Runs the same once more and compares with what a run that nobody disturbs gives.
#[track_caller]
fn assert_resumes(bench: &Bench, base: &Base, mirror: &str) {
    assert_eq!(bench.strays(), [""; 0], "still running after the kill");
    let whole = whole(base);
    let compose = bench.good([mirror, "compose", "goose.toml"]);
    assert_eq!(compose, whole.compose);
    assert!(seen(&bench.path("out")) == whole.out, "the output differs");
    assert!(contents(&bench.path("goose.lock")) == whole.lock, "the lock differs");
    bench.assert_clean();
}

/// Kills a run in a new bench when something holds. Such a moment can be missed, since it is short, so this
/// tries again.
fn kill_at(
    base: &'static Base,
    seeded: bool,
    prepare: impl Fn(&Bench),
    moment: impl Fn(&Bench, &mut Running) -> bool,
) {
    let mirror = Mirror::start(pool(base));
    for _ in 0..20 {
        let bench = Bench::with_recipe(base);
        if seeded {
            bench.seed(base);
        }
        prepare(&bench);
        let mut running = bench.start([&[&*mirror.option()], &COMPOSE[..]].concat());
        if moment(&bench, &mut running) && running.kill() {
            return assert_resumes(&bench, base, &mirror.option());
        }
    }
    panic!("the moment was missed 20 times");
}

pub fn pool(base: &'static Base) -> impl Fn(&str, usize) -> Answer {
    |path, _| base.deb(path).map_or(Answer::Missing, Answer::Bytes)
}

/// Whether some folder of the store's scratch space has something in it at this place.
fn scratch_has(bench: &Bench, kind: &str, below: &str) -> bool {
    let tmp = bench.path("store/tmp");
    let has = |name: &String| !names(&tmp.join(name).join(below)).is_empty();
    names(&tmp).iter().any(|name| name.ends_with(kind) && has(name))
}

fn prepared(test: &str) -> Option<&'static Base> {
    if !is_root() {
        skip(test, "only root can look into the scratch space of jails");
        return None;
    }
    base(test)
}

#[test]
fn during_the_downloads() {
    let Some(base) = prepared("kill during the downloads") else { return };
    for (whole_files, part) in [(0, 0), (20, 1000)] {
        let bench = Bench::with_recipe(base);
        let mirror = Mirror::start(move |path, count| match base.deb(path) {
            Some(bytes) if count < whole_files => Answer::Bytes(bytes),
            Some(bytes) => Answer::Stall(bytes, part),
            None => Answer::Missing,
        });
        let mut running = bench.start([&[&*mirror.option()], &COMPOSE[..]].concat());
        assert!(running.wait_until(|| mirror.stalled() > 0));
        assert!(running.kill());
        let mirror = Mirror::start(pool(base));
        assert_resumes(&bench, base, &mirror.option());
    }
}

#[test]
fn during_the_image() {
    let Some(base) = prepared("kill during the image step") else { return };
    kill_at(
        base,
        false,
        |_| {},
        |bench, running| running.wait_until(|| scratch_has(bench, "image", "build/root/usr")),
    );
    kill_at(base, false, |_| {}, |bench, running| running.wait_until(|| scratch_has(bench, "image", "out")));
}

#[test]
fn while_the_image_is_laid_out() {
    let Some(base) = prepared("kill while the image's root is laid out") else { return };
    let without_root = |bench: &Bench| fs::remove_dir_all(bench.path("store/images")).unwrap();
    kill_at(base, true, without_root, |bench, running| {
        running.wait_until(|| scratch_has(bench, "image", "root/usr"))
    });
}

#[test]
fn during_a_build() {
    let Some(base) = prepared("kill during a package build") else { return };
    kill_at(base, true, |_| {}, |_, running| running.wait_for("start rpmbuild"));
    kill_at(
        base,
        true,
        |_| {},
        |bench, running| running.wait_until(|| scratch_has(bench, "rpmbuild", "build/rpm/BUILDROOT")),
    );
    kill_at(
        base,
        true,
        |_| {},
        |bench, running| running.wait_until(|| scratch_has(bench, "rpmbuild", "out")),
    );
}

#[test]
fn during_the_insertion_of_signatures() {
    let Some(base) = prepared("kill during the insertion of signatures") else { return };
    kill_at(base, true, |_| {}, |_, running| running.wait_for("start attach"));
}

#[test]
fn during_the_repository() {
    let Some(base) = prepared("kill during the repository step") else { return };
    kill_at(base, true, |_| {}, |_, running| running.wait_for("start repodata"));
    kill_at(
        base,
        true,
        |_| {},
        |bench, running| running.wait_until(|| scratch_has(bench, "repodata", "out/.repodata-gander")),
    );
}

#[test]
fn while_the_lock_is_written() {
    let Some(base) = prepared("kill while the lock is written") else { return };
    let there = |bench: &Bench, name: &str| bench.path(name).symlink_metadata().is_ok();
    kill_at(base, true, |_| {}, |bench, running| running.wait_until(|| there(bench, ".goose.lock.new")));
    kill_at(base, true, |_| {}, |bench, running| running.wait_until(|| there(bench, "goose.lock")));
}

fn inode(path: &Path) -> u64 {
    path.symlink_metadata().map_or(0, |found| found.ino())
}

#[test]
fn during_the_delivery() {
    let Some(base) = prepared("kill during the delivery") else { return };
    let there = |bench: &Bench, name: &str| bench.path(name).symlink_metadata().is_ok();
    kill_at(base, true, |_| {}, |bench, running| running.wait_until(|| there(bench, ".out.new/compose")));
    // An older compose is in the place: before and after the two are exchanged.
    let older = |bench: &Bench| {
        bench.write("out/COMPOSE_ID", "Goose-0-20200101.0\n");
        (0..2000).for_each(|number| drop(bench.write(&format!("out/old/{number}"), "")));
    };
    kill_at(base, true, older, |bench, running| running.wait_until(|| there(bench, ".out.new")));
    kill_at(base, true, older, |bench, running| {
        let before = inode(&bench.path("out"));
        running.wait_until(|| inode(&bench.path("out")) != before && there(bench, ".out.new/old"))
    });
}

#[test]
fn all_moments_in_one_store() {
    let Some(base) = prepared("kill again and again") else { return };
    let bench = Bench::with_recipe(base);
    let mirror = Mirror::start(pool(base));
    for (kind, below) in [
        ("image", "build/root"),
        ("image", "root/usr"),
        ("rpmbuild", "out"),
        ("attach", "in"),
        ("repodata", "in"),
    ] {
        let mut running = bench.start([&[&*mirror.option()], &COMPOSE[..]].concat());
        if running.wait_until(|| scratch_has(&bench, kind, below)) {
            running.kill();
        }
        assert_eq!(bench.strays(), [""; 0], "still running after the kill");
    }
    assert_resumes(&bench, base, &mirror.option());
}
