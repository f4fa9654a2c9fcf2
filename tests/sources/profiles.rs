//! Hubs that recipes name by profiles of koji's own configuration.

use std::fs;

use super::bench::{Bench, Output, run};
use super::flow::{files, gander};
use super::hub::Hub;
use super::tags::{bench, birds, lock};

/// A bench whose recipe names the hub by the profile `aviary`.
fn aviary(hub: &Hub, more: &str) -> Bench {
    let bench = bench(hub, "");
    let url = &hub.url;
    let text = fs::read_to_string(bench.path("r.toml")).unwrap();
    let place = format!("hub = \"{url}/kojihub\", files = \"{url}/kojifiles\"");
    assert!(text.contains(&place));
    bench.write("r.toml", text.replace(&place, &format!("hub = \"profile:aviary\"{more}")));
    bench
}

fn with_profile(bench: &Bench, profile: &str, arguments: &[&str]) -> Output {
    run(bench.gander().env("KOJI_PROFILE", profile).args(["--store", "store"]).args(arguments))
}

#[test]
fn a_recipe_names_its_hub_by_a_profile() {
    let hub = birds();
    let bench = aviary(&hub, "");
    let url = &hub.url;
    lock(&bench).exits(2).says("there is no profile 'aviary'");
    // The user's file is read after those beside it, and each option counts for itself.
    bench.write(
        "home/.koji/config.d/birds.conf",
        format!("[aviary]\nserver = http://127.0.0.1:1/kojihub\ntopurl = {url}/kojifiles\n"),
    );
    bench.write(
        "home/.koji/config",
        format!("[aviary]\nserver = {url}/kojihub\n[cage]\nserver = {url}/none\n"),
    );
    lock(&bench).exits(0);
    // The lock names what the profile led to: whoever has it needs no profile.
    let header = fs::read_to_string(bench.path("r.lock/lock.toml")).unwrap();
    assert!(header.contains(&format!("hub = \"{url}/kojihub\"\nfiles = \"{url}/kojifiles\"\n")), "{header}");
    assert!(!header.contains("aviary"), "{header}");
    let before = files(&bench.path("r.lock"));
    // A name in the recipe counts, whatever the environment says is the usual one.
    with_profile(&bench, "cage", &["lock", "--update", "r.toml"]).exits(0).says("nothing changed");
    assert_eq!(files(&bench.path("r.lock")), before);
    gander(&bench, "store", &["compose", "r.toml", "--output", "out"]).exits(0);

    // Commands without a recipe take the usual one.
    let shown = with_profile(&bench, "aviary", &["koji", "tag", "birds"]).exits(0);
    assert!(shown.stdout.starts_with(&format!("tag birds at event 16 of {url}/kojihub ")), "{shown}");
    let named = gander(&bench, "store", &["koji", "tag", "birds", "--hub", "profile:aviary"]).exits(0);
    assert_eq!(named.stdout, shown.stdout);
    with_profile(&bench, "nest", &["koji", "tag", "birds"]).exits(2).says("there is no profile 'nest'");

    fs::remove_dir_all(bench.path("home/.koji")).unwrap();
    gander(&bench, "other", &["compose", "--locked", "r.toml", "--output", "again"]).exits(0);
    assert_eq!(files(&bench.path("again")), files(&bench.path("out")));
}

#[test]
fn a_profile_without_its_files_needs_them_in_the_recipe() {
    let hub = birds();
    let url = &hub.url;
    let config = format!("[aviary]\nserver = {url}/kojihub\n");
    let bench = aviary(&hub, "");
    bench.write("home/.koji/config", &config);
    lock(&bench).exits(2).says("does not say where its files are (topurl)").says("'files'");
    let other = aviary(&hub, &format!(", files = \"{url}/kojifiles\""));
    other.write("home/.koji/config", format!("{config}topurl = http://127.0.0.1:1/nowhere\n"));
    lock(&other).exits(0);
    // What cannot be read is an error with its line, and the hub is not asked.
    hub.asked();
    bench.write("home/.koji/config", format!("{config}topurl = %(nothing)s\n"));
    lock(&bench).exits(2);
    assert!(hub.asked().is_empty());
}
