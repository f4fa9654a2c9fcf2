//! `gander store` on a small store.

use std::fs;

use gander::base::Digest;
use gander::store::Store;

use super::bench::{Bench, Output};

const KEPT: &[u8] = b"named by a root";
const LOOSE: &[u8] = b"named by nothing";

/// A store of two objects, one of which a root names.
fn small(bench: &Bench) -> (Digest, Digest) {
    let store = Store::open(&bench.path("store")).unwrap();
    let (kept, loose) = (store.put_bytes(KEPT).unwrap(), store.put_bytes(LOOSE).unwrap());
    store.set_root("test", &[kept]).unwrap();
    (kept, loose)
}

fn store(bench: &Bench, arguments: &[&str]) -> Output {
    bench.run(["--store", "store", "store"].iter().chain(arguments))
}

/// Writes something else under an object's name.
fn damage(bench: &Bench, digest: &Digest) {
    let path = Store::open(&bench.path("store")).unwrap().object_path(digest);
    fs::remove_file(&path).unwrap();
    fs::write(&path, "something else").unwrap();
}

#[test]
fn what_no_root_needs_is_removed_when_asked_for() {
    let bench = Bench::new();
    let (kept, loose) = small(&bench);
    let size = LOOSE.len();
    let dry = store(&bench, &["gc", "--dry-run"]).exits(0);
    assert!(dry.stdout.starts_with(&format!("would remove 1 objects ({size} B)\n")), "{dry}");
    assert!(Store::open(&bench.path("store")).unwrap().has(&loose), "a dry run removed it");

    let real = store(&bench, &["gc"]).exits(0);
    assert!(real.stdout.starts_with(&format!("removed 1 objects ({size} B)\n")), "{real}");
    assert!(real.stdout.contains("kept 1 objects"), "{real}");
    let after = Store::open(&bench.path("store")).unwrap();
    assert!(after.has(&kept) && !after.has(&loose));
}

#[test]
fn damage_is_named_and_repaired_when_asked_for() {
    let bench = Bench::new();
    let (kept, _) = small(&bench);
    store(&bench, &["verify"]).exits(0).says("checked 2 objects");

    damage(&bench, &kept);
    let found = store(&bench, &["verify"]).exits(1).says("--repair");
    assert!(found.stdout.contains(&kept.hex()), "{found}");
    store(&bench, &["verify", "--repair"]).exits(1).says("1 damaged files were removed");
    // What a root names is missing now, and stays a fault until it is made again.
    store(&bench, &["verify"]).exits(1);
    Store::open(&bench.path("store")).unwrap().put_bytes(KEPT).unwrap();
    store(&bench, &["verify"]).exits(0);
}

#[test]
fn the_use_of_room_is_data() {
    let bench = Bench::new();
    small(&bench);
    let text = store(&bench, &["du"]).exits(0);
    assert!(text.stdout.lines().last().is_some_and(|line| line.starts_with("all ")), "{text}");
    let json = store(&bench, &["du", "--format", "json"]).exits(0);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    let kinds = json["kinds"].as_array().unwrap();
    let files = kinds.iter().find(|kind| kind["kind"] == "files").unwrap();
    assert_eq!((&files["count"], &files["bytes"]), (&2.into(), &(KEPT.len() + LOOSE.len()).into()));
}

#[test]
fn a_store_of_a_later_gander_is_left_alone() {
    let bench = Bench::new();
    small(&bench);
    let version = bench.path("store/version");
    let text = fs::read_to_string(&version).unwrap();
    fs::write(&version, text.replace('1', "999")).unwrap();
    let refused = store(&bench, &["gc"]);
    assert!(refused.code.is_some_and(|code| code != 0), "{refused}");
    refused.says("999");
}
