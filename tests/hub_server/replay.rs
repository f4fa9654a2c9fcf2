//! What a lock keeps of a tag, asked by the genuine koji command line when the hub has moved on.

use std::fs;

use gander::format::xmlrpc::{Arguments, Value};

use super::bench::{Bench, has_peers};
use super::world::{Serving, administrator, files, koji, peers, source_package};

const KEY: &str = "e4c497f3";

fn recipe(bench: &Bench) {
    bench.write(
        "r.toml",
        "[release]\nname = \"Gosling Linux\"\nshort = \"Gosling\"\nversion = \"1\"\n\n\
         [[source]]\nkoji = { hub = \"embedded:hub\", tag = \"release\" }\non-unsigned = \"allow\"\n\n\
         [variant.Base]\narches = [\"x86_64\"]\npackages = [\"libhello-doc\"]\nsources = false\n",
    );
}

/// Everything that reads, of what the lock speaks of.
const QUESTIONS: &[&[&str]] = &[
    &["list-tagged", "release", "--inherit"],
    &["list-tagged", "release", "--inherit", "--latest"],
    &["list-tagged", "release", "--inherit", "--latest", "--rpms"],
    &["list-tagged", "release", "--inherit", "--rpms", "--sigs"],
    &["list-tagged", "release", "--inherit", "--latest", "--rpms", "--paths"],
    &["list-tagged", "base"],
    &["latest-build", "release", "libhello"],
    &["list-tag-inheritance", "release"],
    &["list-pkgs", "--tag=release"],
    &["list-tags"],
    &["taginfo", "release"],
    &["buildinfo", "libhello-1.2.0-2.el9"],
    &["rpminfo", "libhello-doc-1.2.0-2.el9.noarch"],
    &["list-builds", "--package=libhello"],
];

#[test]
fn the_genuine_command_line_asks_a_lock() {
    let Some((program, oracle)) = peers("the_genuine_command_line_asks_a_lock") else { return };
    if !has_peers(&["rpmbuild"]) {
        return;
    }
    let bench = Bench::new();
    administrator(&bench, "hub");
    let folder = oracle.join("topdir/packages/libhello/1.2.0/2.el9");
    let mut import = vec!["hub".to_owned(), "import".into(), "hub".into(), "--tag=base".into()];
    import.push(source_package(&bench, "libhello", "1.2.0", "2.el9").to_str().unwrap().into());
    let packages = files(&folder).into_iter().filter(|path| !path.starts_with(folder.join("data")));
    import.extend(packages.map(|path| path.to_str().unwrap().to_owned()));
    bench.run(&import).exits(0);
    let hub = Serving::start(&bench, "hub");
    let ask = |port: u16, arguments: &[&str]| koji(&bench, &program, port, arguments);
    ask(hub.port, &["add-tag", "release", "--parent=base", "--arches=x86_64"]).exits(0);
    let signed = files(&folder.join("data/signed").join(KEY));
    let mut arguments = vec!["import-sig"];
    arguments.extend(signed.iter().map(|path| path.to_str().unwrap()));
    ask(hub.port, &arguments).exits(0);
    recipe(&bench);
    bench.run(["--store", "store", "lock", "r.toml"]).exits(0);
    // The hub has the same names for what is there, and the lock has no logins.
    let anonymous = |port: u16, question: &[&str]| {
        let arguments: Vec<&str> = ["--noauth"].into_iter().chain(question.iter().copied()).collect();
        ask(port, &arguments)
    };
    let then: Vec<String> =
        QUESTIONS.iter().map(|question| anonymous(hub.port, question).exits(0).stdout).collect();

    // The hub goes on.
    ask(hub.port, &["untag-build", "base", "libhello-1.2.0-2.el9"]).exits(0);
    assert_ne!(anonymous(hub.port, QUESTIONS[0]).exits(0).stdout, then[0]);
    assert_eq!(hub.end(), Some(0));
    fs::remove_dir_all(bench.path("hub")).unwrap();

    let replay = Serving::replay(&bench, "r.lock");
    let ports = |text: &str| text.replace(&replay.port.to_string(), "PORT");
    let mut differences = Vec::new();
    for (question, then) in QUESTIONS.iter().zip(&then) {
        let now = ports(&anonymous(replay.port, question).exits(0).stdout);
        if now != *then {
            differences.push(format!("{question:?}\n--- the hub\n{then}--- the lock\n{now}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    println!("{} questions are answered as by the hub", QUESTIONS.len());

    // What was selected is there to be downloaded, and nothing can be changed.
    let selected = "libhello-doc-1.2.0-2.el9.noarch";
    anonymous(replay.port, &["download-build", "--rpm", selected]).exits(0);
    let file = format!("{selected}.rpm");
    let downloaded = fs::read(bench.path("downloads").join(&file)).unwrap();
    assert_eq!(downloaded, fs::read(folder.join("noarch").join(&file)).unwrap());
    for (method, arguments) in [
        ("createTag", Arguments::of("x")),
        ("tagBuild", Arguments::of("base").and("libhello-1.2.0-2.el9")),
        ("tagBuildBypass", Arguments::of("base").and("libhello-1.2.0-2.el9")),
        ("deleteBuild", Arguments::of("libhello-1.2.0-2.el9")),
    ] {
        let fault = replay.call(None, method, arguments).unwrap_err();
        assert_eq!(fault.code, 1004, "{method}: {fault}");
    }
    assert_eq!(replay.call(None, "getTag", Arguments::of("x")), Ok(Value::Nil));
    let refused = ask(replay.port, &["add-tag", "x"]);
    assert_ne!(refused.code, Some(0));
    assert_eq!(replay.end(), Some(0));
}

#[test]
fn what_no_lock_keeps_cannot_be_replayed() {
    let bench = Bench::new();
    bench.run(["--store", "store", "hub", "replay", "r.lock"]).exits(3).says("r.lock");
}
