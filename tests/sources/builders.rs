//! Bundles of recipes whose builder is an image in a registry.

use std::fs;

use gander::store::Store;

use super::bench::has_peers;
use super::flow::{files, gander};
use super::registry::{Registry, layout};
use super::tags::{bench, birds, lock};

#[test]
fn a_bundle_has_the_image_of_a_registry() {
    if !has_peers(&["docker-registry"]) {
        return;
    }
    let hub = birds();
    let bench = bench(&hub, "");
    let registry = Registry::start(&bench, false);
    let (image, layer) = layout(&bench.path("layout"));
    let place = format!("{}/gander/builder", registry.host);
    gander(&bench, "first", &["image", "push", "layout", &place]).exits(0);
    let text = fs::read_to_string(bench.path("r.toml")).unwrap();
    let builder = format!("[builder]\nimage = \"{place}@{image}\"\n\n[[source]]");
    bench.write("r.toml", text.replace("[[source]]", &builder));
    lock(&bench).exits(0);
    let header = fs::read_to_string(bench.path("r.lock/lock.toml")).unwrap();
    assert!(header.contains(&format!("reference = \"{place}@{image}\"")), "{header}");
    gander(&bench, "store", &["compose", "r.toml", "--output", "out"]).exits(0);
    let first = files(&bench.path("out"));

    // By one who has nothing but the lock: packages and image are downloaded for it.
    gander(&bench, "second", &["bundle", "r.lock", "-o", "kept"]).exits(0);
    let index = fs::read_to_string(bench.path("kept/index")).unwrap();
    let kept = |digest: &gander::base::Digest, what: &str| {
        let mut lines = index.lines().map(|line| line.split('\t').collect::<Vec<_>>());
        lines.any(|line| line[0] == digest.hex() && line[2..] == [what])
    };
    assert!(kept(&image, "image") && kept(&layer, "image"), "{index}");

    // Registry and hub are gone.
    drop(registry);
    fs::remove_dir_all(bench.path("registry")).unwrap();
    fs::remove_dir_all(hub.file("packages")).unwrap();
    let compose = |store: &str, more: &[&str], out: &str| {
        let arguments = [more, &["compose", "--locked", "r.toml", "--output", out]].concat();
        gander(&bench, store, &arguments)
    };
    compose("empty", &[], "third").exits(4).says("gander/builder");
    compose("empty", &["--offline"], "third").exits(3).says(&image.to_string());
    compose("third-store", &["--offline", "--bundle", "kept"], "third").exits(0);
    assert_eq!(files(&bench.path("third")), first);
    let shown = gander(&bench, "third-store", &["--offline", "image", "show", &image.to_string()]).exits(0);
    assert!(shown.stdout.contains(&layer.to_string()), "{shown}");
    assert!(Store::open(&bench.path("third-store")).unwrap().verify(false).unwrap().faults.is_empty());
    // A bundle of a bundle is the same.
    gander(&bench, "fourth-store", &["--offline", "--bundle", "kept", "bundle", "r.lock", "-o", "copy"])
        .exits(0);
    assert_eq!(files(&bench.path("copy")), files(&bench.path("kept")));
    // A layer that is damaged in it is no layer.
    let hex = layer.hex();
    fs::write(bench.path("copy/sha256").join(&hex[..2]).join(&hex), "damaged").unwrap();
    compose("fifth-store", &["--offline", "--bundle", "copy"], "fifth").exits(3).says(&hex);
}
