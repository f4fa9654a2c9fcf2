//! `gander rpm show`.

use super::bench::Bench;
use super::sample;

#[test]
fn a_package_is_shown_as_lines_and_as_json() {
    let bench = Bench::new();
    bench.write("gander.rpm", sample::everything(Some("xz")));
    let text = bench.run(["rpm", "show", "--payload", "gander.rpm"]).exits(0).stdout;
    for line in [
        "package       gander-2:1~rc1-1.x86_64",
        "format        4",
        "requires      goose >= 1:2-3",
        "requires      ((pond if water) or (lake with fish >= 1:2-3))",
        "prein         /bin/sh -e",
        "triggerin     /bin/sh on pond, pond = 1",
        "file          100755 root root 2 /usr/bin/honk",
        "file          100600 goose goose 0 /usr/share/gander/ghost (ghost)",
        "payload       200 /usr/share/gander/goose",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
    }
    let json = bench.run(["rpm", "show", "--payload", "--format", "json", "gander.rpm"]).exits(0).stdout;
    let document: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(document["nevra"], "gander-2:1~rc1-1.x86_64");
    assert_eq!(document["files"][2]["link_to"], "goose");
    assert_eq!(document["payload"][1], serde_json::json!({ "file": 1, "size": 200 }));
    assert_eq!(document["triggers"][2]["priority"], 1_000_000);
}

#[test]
fn what_is_no_package_is_named_as_such() {
    let bench = Bench::new();
    bench.write("page.rpm", "<html>".repeat(40));
    let error = bench.run(["rpm", "show", "page.rpm"]).exits(3).stderr;
    assert!(
        error.contains("no package can be read from 'page.rpm'")
            && error.contains("the file is no RPM package: it does not start with RPM's magic number"),
        "{error}"
    );
    let error = bench.run(["rpm", "show", "missing.rpm"]).exits(3).stderr;
    assert!(error.contains("nothing can be read from 'missing.rpm'"), "{error}");
    // Good headers, and a payload that is none.
    bench.write("goose.rpm", sample::package());
    bench.run(["rpm", "show", "goose.rpm"]).exits(0);
    let error = bench.run(["rpm", "show", "--payload", "goose.rpm"]).exits(3).stderr;
    assert!(error.contains("the payload cannot be read of 'goose.rpm'"), "{error}");
    assert!(error.contains("the payload cannot be decompressed"), "{error}");
}
