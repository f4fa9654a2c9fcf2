//! Images and a real registry: docker-registry on this machine's loopback device, skopeo as the judge.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests may panic, and start programs, read folders and the environment"
)]

#[allow(dead_code, reason = "the bench has more than is needed here")]
#[path = "cli/bench.rs"]
mod bench;
#[path = "sample/registry.rs"]
mod registry;

use std::fs;
use std::path::Path;
use std::process::Command;

use bench::{Bench, Output, has_peers, run};
use gander::base::Digest;
use registry::{Registry, layout};
use serde_json::json;

/// Runs gander with one of several stores.
fn gander(bench: &Bench, store: &str, arguments: &[&str]) -> Output {
    run(bench.gander().arg("--store").arg(bench.path(store)).args(arguments))
}

#[test]
fn an_image_goes_to_a_registry_and_comes_back_the_same() {
    if !has_peers(&["docker-registry"]) {
        return;
    }
    let bench = Bench::new();
    let registry = Registry::start(&bench, false);
    let (image, layer) = layout(&bench.path("layout"));
    let place = format!("{}/gander/builder", registry.host);
    let pinned = format!("{place}@{image}");
    let push = gander(&bench, "one", &["image", "push", "layout", &format!("{place}:1")]).exits(0);
    assert_eq!(push.stdout, format!("{pinned}\n"));
    // What is there is not sent again.
    gander(&bench, "one", &["image", "push", &image.to_string(), &place]).exits(0).says("the registry has");

    let pull = gander(&bench, "two", &["image", "pull", &pinned]).exits(0);
    assert_eq!(pull.stdout, format!("{image}\n"));
    let shown = gander(&bench, "two", &["image", "show", &image.to_string(), "--format", "json"]).exits(0);
    let shown: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(shown["layers"][0]["digest"], layer.to_string());
    assert_eq!(shown["architecture"], "amd64");

    gander(&bench, "two", &["image", "pull", &format!("{place}:1")]).exits(2).says("--resolve-tag");
    let pull = gander(&bench, "three", &["image", "pull", "--resolve-tag", &format!("{place}:1")]).exits(0);
    assert_eq!(pull.stdout, format!("{image}\n"));
    gander(&bench, "two", &["image", "pull", "--offline", &pinned]).exits(2);
}

#[test]
fn a_digest_that_is_not_there_is_named() {
    if !has_peers(&["docker-registry"]) {
        return;
    }
    let bench = Bench::new();
    let registry = Registry::start(&bench, false);
    let (image, _) = layout(&bench.path("layout"));
    let place = format!("{}/gander/builder", registry.host);
    gander(&bench, "one", &["image", "push", "layout", &place]).exits(0);
    let other = Digest::of("other").to_string();
    gander(&bench, "two", &["image", "pull", &format!("{place}@{other}")]).exits(3).says(&other);
    gander(&bench, "two", &["image", "push", &image.to_string(), &place])
        .exits(3)
        .says("is not in the store");
    gander(&bench, "two", &["image", "push", "layout", &format!("{place}@{other}")]).exits(2);
}

#[test]
fn a_tampered_blob_is_refused() {
    if !has_peers(&["docker-registry"]) {
        return;
    }
    let bench = Bench::new();
    let registry = Registry::start(&bench, false);
    let (image, layer) = layout(&bench.path("layout"));
    let pinned = format!("{}/gander/builder@{image}", registry.host);
    gander(&bench, "one", &["image", "push", "layout", &pinned]).exits(0);
    let blob = registry.blob(&layer);
    let mut bytes = fs::read(&blob).unwrap();
    bytes[5000] ^= 1;
    fs::write(&blob, &bytes).unwrap();
    gander(&bench, "two", &["image", "pull", &pinned])
        .exits(3)
        .says("sent other content")
        .says(&layer.to_string());
    gander(&bench, "two", &["image", "show", &image.to_string()]).exits(3);
    bytes.push(0);
    fs::write(&blob, &bytes).unwrap();
    gander(&bench, "two", &["image", "pull", &pinned]).exits(3).says(&layer.to_string());
}

#[test]
fn credentials_come_from_a_file_and_are_never_shown() {
    if !has_peers(&["docker-registry"]) {
        return;
    }
    let bench = Bench::new();
    let registry = Registry::start(&bench, true);
    let (image, _) = layout(&bench.path("layout"));
    let pinned = format!("{}/gander/builder@{image}", registry.host);
    gander(&bench, "one", &["image", "push", "layout", &pinned]).exits(4).says("--auth-file");
    let auth = |secret: &str| json!({"auths": {registry.host.clone(): {"auth": secret}}}).to_string();
    // The base64 forms of goose:fox and goose:egg.
    bench.write("wrong.json", auth("Z29vc2U6Zm94"));
    bench.write("right.json", auth("Z29vc2U6ZWdn"));
    let wrong =
        gander(&bench, "one", &["image", "push", "layout", &pinned, "--auth-file", "wrong.json"]).exits(4);
    assert!(!wrong.stderr.contains("fox") && !wrong.stderr.contains("Z29vc2U6Zm94"), "{wrong}");
    gander(&bench, "one", &["image", "push", "layout", &pinned, "--auth-file", "right.json"]).exits(0);
    gander(&bench, "two", &["image", "pull", &pinned, "--auth-file", "right.json"]).exits(0);
    gander(&bench, "two", &["image", "pull", &pinned, "--auth-file", "none.json"]).exits(4).says("none.json");
}

#[test]
fn skopeo_reads_what_we_export_and_push() {
    if !has_peers(&["docker-registry", "skopeo"]) {
        return;
    }
    let bench = Bench::new();
    let registry = Registry::start(&bench, false);
    let (image, _) = layout(&bench.path("layout"));
    let place = format!("{}/gander/builder:1", registry.host);
    gander(&bench, "one", &["image", "push", "layout", &place]).exits(0);
    let skopeo = |arguments: &[&str]| run(Command::new("skopeo").args(arguments)).exits(0).stdout;
    let inspected = skopeo(&["inspect", "--tls-verify=false", &format!("docker://{place}")]);
    let inspected: serde_json::Value = serde_json::from_str(&inspected).unwrap();
    assert_eq!(inspected["Digest"], image.to_string());

    let store = gander::store::Store::open(&bench.path("one")).unwrap();
    gander::oci::export(&store, &image, Some("builder:1"), &bench.path("exported")).unwrap();
    let exported = format!("oci:{}:builder:1", bench.path("exported").display());
    let inspected: serde_json::Value = serde_json::from_str(&skopeo(&["inspect", &exported])).unwrap();
    assert_eq!(inspected["Digest"], image.to_string());
    let copy = bench.path("copy");
    let to = format!("oci:{}:x", copy.display());
    skopeo(&[
        "copy",
        "--quiet",
        "--preserve-digests",
        "--dest-oci-accept-uncompressed-layers",
        &exported,
        &to,
    ]);
    let other = gander::store::Store::open(&bench.path("two")).unwrap();
    assert_eq!(gander::oci::import(&other, &copy, None).unwrap(), image);
}

/// What `recipes/images/builder.lock` assembles to. Whoever changes the lock, the rules of unpacking or the
/// layer's form changes this digest, every lock that names it and everything built in it: raise the image
/// step's REVISION when the code changed, then update all locks.
const BUILDER: &str = "sha256:c32b09ff141e07a780b881b6800f5341ee315b1d08f1afae345920125aa463bf";

#[test]
fn the_standard_builder_is_the_image_that_is_committed() {
    let bench = Bench::new();
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes");
    let lock = recipes.join("images/builder.lock");
    let built = bench.run(["image", "build", lock.to_str().unwrap()]).exits(0);
    assert_eq!(built.stdout.trim(), BUILDER, "{}", built.stderr);
    let header = fs::read_to_string(recipes.join("gosling.lock/lock.toml")).unwrap();
    assert!(header.contains(&format!("image = \"{BUILDER}\"")), "the lock of Gosling names another builder");
}
