//! What a release has, how its files are laid out, and going back.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::bench::{Bench, run};
use super::compose::{self, TREE, files, publish};

fn inode(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}

fn link(bench: &Bench) -> String {
    fs::read_link(bench.path("www/goose")).unwrap().to_str().unwrap().to_owned()
}

#[test]
fn names_that_change_get_newer_times_and_all_others_stay_the_same_files() {
    let bench = compose::bench(10..13);
    let public = bench.path("www/goose");
    publish(&bench, 10).says("published release 1");
    let first = files(&public);
    let goose = format!("{TREE}/Packages/g/goose-10-1.noarch.rpm");
    assert_eq!(inode(&public.join(&goose)), inode(&bench.path("10").join(&goose)), "no hard link");
    assert_eq!(first[&goose].1, compose::date().seconds());

    publish(&bench, 11);
    assert_eq!(link(&bench), ".goose.published/2");
    let second = files(&public);
    let changed = ["COMPOSE_ID", "repomd.xml", "repomd.xml.asc", ".treeinfo", "CHECKSUM"];
    for (path, (digest, time)) in &second {
        let Some((old, before)) = first.get(path) else {
            assert_eq!(*time, compose::date().seconds(), "{path}");
            continue;
        };
        let is_changed = changed.iter().any(|name| path.ends_with(name));
        assert_eq!((old != digest, time > before), (is_changed, is_changed), "{path}");
        let earlier = bench.path("www/.goose.published/1").join(path);
        assert_eq!(inode(&public.join(path)) == inode(&earlier), !is_changed, "{path}");
        let size = |path: &Path| fs::metadata(path).unwrap().len();
        assert_eq!(size(&public.join(path)), size(&earlier), "{path}: rsync would see it by its size");
    }
    // Clients that hold the first release find all that it names; its image is gone.
    for (path, (digest, _)) in &first {
        let stays = path.contains("/repodata/") || path.ends_with(".rpm");
        let kept = second.get(path).is_some_and(|(found, _)| found == digest);
        let is_changed = changed.iter().any(|name| path.ends_with(name));
        assert_eq!(kept, (stays && !is_changed) || path.contains("pond") || path.contains("KEY"), "{path}");
    }
    // The composes were left alone.
    for version in [10, 11] {
        let times = files(&bench.path(&version.to_string())).into_values().map(|(_, time)| time);
        assert!(times.into_iter().all(|time| time == compose::date().seconds()));
    }

    // A clock that stands still, or goes back, makes no older times.
    bench.run(["publish", "12", "www/goose", "--time", "2026-11-01T00:00:00Z"]).exits(0);
    let third = files(&public);
    let repomd = format!("{TREE}/repodata/repomd.xml");
    assert!(third[&repomd].1 > second[&repomd].1);
    bench.run(["publish", "12", "www/goose"]).exits(0).says("release 3 is public as www/goose already");
    assert_eq!(files(&public), third);
}

#[test]
fn what_is_held_is_decided_by_the_record_alone() {
    let bench = compose::bench(10..16);
    let on = |day: u32, version: u32, keep: &str| {
        let time = format!("2026-12-{day:02}T00:00:00Z");
        let version = version.to_string();
        let words = ["publish", &version, "www/goose", "--time", &time, "--keep", keep, "--days", "7"];
        bench.run(words).exits(0)
    };
    let has = |version: u32| {
        bench.path(&format!("www/goose/{TREE}/Packages/g/goose-{version}-1.noarch.rpm")).exists()
    };
    on(1, 10, "1");
    on(2, 11, "1");
    on(3, 12, "1");
    // Times of files say nothing: here all are of 1980.
    let all = ["-c", "find www/ -type f ! -name record ! -name '*.files' -exec touch -d 1980-01-01 {} +"];
    run(std::process::Command::new("sh").args(all).current_dir(bench.path(""))).exits(0);
    on(4, 13, "1");
    assert!((10..14).all(has));
    // Superseded on the 2nd, 3rd and 4th, and seven days are over for the first of them.
    on(10, 14, "1").says("removed: release 1");
    assert_eq!((10..15).map(has).collect::<Vec<_>>(), [false, true, true, true, true]);
    on(30, 15, "3").says("removed: release 2");
    assert_eq!((10..16).map(has).collect::<Vec<_>>(), [false, false, true, true, true, true]);
    let names = |name: &str| bench.path("www/.goose.published").join(name).exists();
    assert!(!names("2") && !names("2.files") && names("3") && names("3.files"));
}

#[test]
fn an_earlier_release_is_one_command_away() {
    let bench = compose::bench(10..13);
    let public = bench.path("www/goose");
    let is = |version: u32| assert_eq!(compose::version(&bench, &public, 10..13), version);
    (10..13).for_each(|version| drop(publish(&bench, version)));
    let repomd = public.join(TREE).join("repodata/repomd.xml");
    let time = |path: &Path| fs::metadata(path).unwrap().mtime();
    let before = time(&repomd);

    bench.run(["publish", "--rollback", "www/goose", "--dry-run"]).exits(0).says("would publish release 4");
    is(12);
    bench.run(["publish", "--rollback", "www/goose"]).exits(0).says("published release 4");
    is(11);
    assert!(time(&repomd) > before, "the older content has an older time");
    // Once more goes further back, and not to what was just left.
    bench.run(["publish", "www/goose", "--rollback"]).exits(0);
    is(10);
    bench.run(["publish", "www/goose", "--rollback"]).exits(2).says("no earlier release");
    bench.run(["publish", "www/goose", "--rollback=9"]).exits(2).says("kept are: 1, 2, 3, 4, 5");
    bench.run(["publish", "www/goose", "--rollback=3"]).exits(0);
    is(12);
    // The composes are not needed for it, and what clients hold stays reachable.
    assert!((10..13).all(|version| {
        public.join(TREE).join(format!("Packages/g/goose-{version}-1.noarch.rpm")).exists()
    }));
    let listed = bench.run(["publish", "--list", "www/goose"]).exits(0).stdout;
    let ends: Vec<_> = listed.lines().map(|line| line.splitn(4, ' ').nth(3).unwrap()).collect();
    assert_eq!(
        ends,
        [
            "Goose-10-20261101.0 held",
            "Goose-11-20261101.0 held",
            "Goose-12-20261101.0 held",
            "Goose-11-20261101.0 held of release 2",
            "Goose-10-20261101.0 held of release 1",
            "Goose-12-20261101.0 public of release 3"
        ]
    );
    let json = bench.run(["publish", "--list", "www/goose", "--format", "json"]).exits(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[5]["public"], true);

    // A disk that forgot something is found before it is public again.
    bench.write(&format!("www/.goose.published/2/{TREE}/.treeinfo"), "[general]\nversion = 99\n");
    bench.run(["publish", "www/goose", "--rollback=2"]).exits(3).says(".treeinfo is damaged");
    is(12);
}

#[test]
fn a_dry_run_writes_nothing() {
    let bench = compose::bench(10..12);
    bench.run(["publish", "10", "www/goose", "--dry-run"]).exits(0).says("would publish release 1");
    assert!(!bench.path("www").exists());
    publish(&bench, 10);
    let before = files(&bench.path("www"));
    bench.run(["publish", "11", "www/goose", "--dry-run"]).exits(0).says("would publish release 2");
    assert_eq!(files(&bench.path("www")), before);
}

#[test]
fn another_file_system_gets_copies_and_is_told_so() {
    let bench = compose::bench(10..11);
    let Ok(other) = tempfile::tempdir_in("/dev/shm") else {
        return eprintln!("SKIPPED: there is no second file system at /dev/shm");
    };
    let dest = other.path().join("goose");
    let words = ["publish".as_ref(), "10".as_ref(), dest.as_os_str()];
    bench.run(words).exits(0).says("could not be hard links");
    assert_eq!(compose::version(&bench, &dest, 10..11), 10);
    let fixed = dest.join(TREE).join("Packages/p/pond-1-1.noarch.rpm");
    assert_eq!(fs::metadata(fixed).unwrap().mtime(), compose::date().seconds());
}
