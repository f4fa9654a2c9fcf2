//! What is looked aside at, trees of debugging packages, and packages in no folders by letter: from packages to a compose.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use gander::sign::Signer as _;

use super::bench::{Bench, has_peers, run};
use super::embedded::bird;
use super::flow::{files, gander, lock};
use super::sample;
use super::sample::made::{Order, file, order};
use super::world::{date, signer};

/// What is composed: a package with its debugging packages, one that is looked aside at in the same version, and what
/// nothing asks for.
fn offered() -> Vec<Order> {
    let of =
        |name: &str| order(name, "x86_64").built_from("foo").file(file(&format!("/usr/lib/{name}"), name));
    vec![
        of("foo").requires(&["libbar >= 1", "tools"]),
        of("foo-debuginfo").requires(&["(common-debuginfo and foo-debugsource)"]),
        of("foo-debugsource"),
        order("common-debuginfo", "x86_64"),
        order("other-debuginfo", "x86_64"),
        order("tools", "x86_64"),
        order("spare", "x86_64"),
        order("spare-debuginfo", "x86_64").built_from("spare"),
    ]
}

/// What is looked aside at: its requirement is met by nothing.
fn aside() -> Vec<Order> {
    vec![
        order("libbar", "x86_64").requires(&["nothing-has-this"]),
        order("libbar-debuginfo", "x86_64").built_from("libbar"),
        order("tools", "x86_64"),
    ]
}

fn repository(bench: &Bench, name: &str, packages: &[Order]) {
    let packages: BTreeMap<_, _> = packages.iter().map(|order| (order.file_name(), order.make())).collect();
    sample::repository::make(&bench.path(name), &packages, None, date());
}

fn recipe(bench: &Bench, sources: &str, variant: &str) {
    bench.write(
        "r.toml",
        format!(
            "[release]\nname = \"Gosling Linux\"\nshort = \"Goose\"\nversion = \"1\"\nsource-date = \"2026-11-01T00:00:00Z\"\n\n\
             {sources}\n[variant.Base]\narches = [\"x86_64\"]\npackages = [\"foo\"]\nsources = false\n{variant}\n\
             [sign]\ndemonstration = \"goose\"\n"
        ),
    );
}

/// A bench with a folder of packages, which get signed, and a repository to look aside at.
fn bench() -> (Bench, String) {
    let bench = Bench::new();
    for order in offered() {
        bench.write(&format!("rpms/{}", order.file_name()), order.make());
    }
    repository(&bench, "base", &aside());
    let sources = format!(
        "[[source]]\nrepo = {{ id = \"base\", baseurl = \"file://{}\" }}\nlookaside = true\n\n\
         [[source]]\ndir = \"rpms\"\non-unsigned = \"sign\"\n",
        bench.path("base").display()
    );
    (bench, sources)
}

fn compose(bench: &Bench, store: &str, out: &str) {
    gander(bench, store, &["compose", "r.toml", "--output", out]).exits(0);
}

/// The packages of a compose by their paths below `compose/`.
fn rpms(bench: &Bench, out: &str) -> Vec<String> {
    let files = files(&bench.path(out).join("compose")).into_keys();
    files.filter(|path| path.ends_with(".rpm")).collect()
}

#[test]
fn debugging_packages_get_a_tree_and_what_is_looked_aside_at_gets_none() {
    let (bench, sources) = bench();
    recipe(&bench, &sources, "debug = true");
    lock(&bench).exits(0);
    compose(&bench, "store", "out");
    assert_eq!(
        rpms(&bench, "out"),
        [
            "Base/x86_64/debug/tree/Packages/c/common-debuginfo-1-1.x86_64.rpm",
            "Base/x86_64/debug/tree/Packages/f/foo-debuginfo-1-1.x86_64.rpm",
            "Base/x86_64/debug/tree/Packages/f/foo-debugsource-1-1.x86_64.rpm",
            "Base/x86_64/os/Packages/f/foo-1-1.x86_64.rpm",
        ]
    );
    // Again, with nothing left from before: the same lock, signatures included, and the same compose.
    let (first_lock, first) = (files(&bench.path("r.lock")), files(&bench.path("out")));
    fs::remove_dir_all(bench.path("r.lock")).unwrap();
    gander(&bench, "other", &["lock", "r.toml"]).exits(0);
    compose(&bench, "other", "second");
    assert_eq!(files(&bench.path("r.lock")), first_lock);
    assert_eq!(files(&bench.path("second")), first);
    // The repository that is looked aside at is pinned with the universe, and no longer needed.
    fs::remove_dir_all(bench.path("base")).unwrap();
    gander(&bench, "empty", &["compose", "--locked", "r.toml", "--output", "third"]).exits(0);
    assert_eq!(files(&bench.path("third")), first);
    let header = fs::read_to_string(bench.path("r.lock/lock.toml")).unwrap();
    assert!(header.contains("id = \"base\"") && header.contains("arch = \"x86_64-debug\""), "{header}");
    let packages = fs::read_to_string(bench.path("r.lock/packages")).unwrap();
    assert!(packages.contains("\tBase/x86_64-debug=dependency\n"), "{packages}");
    assert!(!packages.contains("libbar") && !packages.contains("tools"), "{packages}");

    repository(&bench, "base", &aside());
    let check = |arguments: &[&str]| gander(&bench, "store", &[&["repo", "check"], arguments].concat());
    let (os, debug) = ("out/compose/Base/x86_64/os", "out/compose/Base/x86_64/debug/tree");
    check(&[os, "--lookaside", "base", "--keys", "out/compose/Base/x86_64/os/RPM-GPG-KEY-Goose"]).exits(0);
    assert!(check(&[os]).exits(1).stdout.contains("libbar >= 1"));
    check(&[debug, "--keys", "out/compose/Base/x86_64/debug/tree/RPM-GPG-KEY-Goose"]).exits(0);
    read_by_productmd(&bench.path("out"));
    queried_by_dnf(&bench, debug);
}

/// What productmd makes of a compose with a tree of debugging packages.
const PRODUCTMD: &str = r#"
import sys
from productmd.compose import Compose
compose = Compose(sys.argv[1])
paths = compose.info.variants["Base"].paths
print(paths.debug_tree["x86_64"], paths.debug_repository["x86_64"], paths.debug_packages["x86_64"])
for packages in compose.rpms.rpms["Base"]["x86_64"].values():
    for nevra, rpm in sorted(packages.items()):
        print(nevra, rpm["category"], rpm["path"])
"#;

fn read_by_productmd(out: &Path) {
    let Ok(python) = std::env::var("GANDER_PEER_PYTHON") else {
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "GANDER_PEER_PYTHON is not set");
        return eprintln!("SKIPPED: no productmd: GANDER_PEER_PYTHON is not set");
    };
    let said = run(Command::new(python).args(["-c", PRODUCTMD]).arg(out)).exits(0).stdout;
    let tree = "Base/x86_64/debug/tree";
    let expected = [
        format!("{tree} {tree} {tree}/Packages"),
        format!("common-debuginfo-0:1-1.x86_64 debug {tree}/Packages/c/common-debuginfo-1-1.x86_64.rpm"),
        "foo-0:1-1.x86_64 binary Base/x86_64/os/Packages/f/foo-1-1.x86_64.rpm".to_owned(),
        format!("foo-debuginfo-0:1-1.x86_64 debug {tree}/Packages/f/foo-debuginfo-1-1.x86_64.rpm"),
        format!("foo-debugsource-0:1-1.x86_64 debug {tree}/Packages/f/foo-debugsource-1-1.x86_64.rpm"),
    ];
    assert_eq!(said.lines().collect::<Vec<_>>(), expected);
}

fn queried_by_dnf(bench: &Bench, tree: &str) {
    if !has_peers(&["dnf"]) {
        return;
    }
    let mut command = Command::new("dnf");
    command.args([
        "-q",
        "--disableplugin=local",
        "--releasever=1",
        "--setopt=reposdir=/nowhere",
        "--repo=debug",
    ]);
    command.args(["--setopt=varsdir=/nowhere", "--forcearch=x86_64"]);
    command.arg(format!("--repofrompath=debug,file://{}", bench.path(tree).display()));
    for name in ["cachedir", "logdir", "persistdir", "installroot"] {
        let folder = bench.path(&format!("dnf/{name}"));
        fs::create_dir_all(&folder).unwrap();
        command.arg(format!("--setopt={name}={}", folder.display()));
    }
    let said = run(command.env("HOME", bench.path("dnf")).args(["repoquery", "--qf", "%{name} %{location}"]));
    let found: BTreeSet<_> = said.stdout.lines().filter_map(|line| line.split_once(" Packages/")).collect();
    let names: Vec<_> = found.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["common-debuginfo", "foo-debuginfo", "foo-debugsource"], "{said}");
}

#[test]
fn it_is_said_which_tree_and_what_is_looked_aside_at() {
    let (bench, sources) = bench();
    recipe(&bench, &sources, "");
    lock(&bench).exits(0);
    let before = files(&bench.path("r.lock"));
    for path in before.keys() {
        bench.write(&format!("before.lock/{path}"), fs::read(bench.path("r.lock").join(path)).unwrap());
    }
    recipe(&bench, &sources, "debug = true");
    lock(&bench).exits(0);
    let say = |arguments: &[&str]| gander(&bench, "store", arguments).exits(0).stdout;
    let explained = say(&["explain", "r.toml", "libbar"]);
    assert!(explained.contains("Base/x86_64: libbar-0:1-1.x86_64 dependency,lookaside\n"), "{explained}");
    assert!(
        explained.contains("looked aside at: it meets requirements, and is not delivered"),
        "{explained}"
    );
    assert!(explained.contains("required by foo-0:1-1.x86_64: libbar >= 1"), "{explained}");
    let explained = say(&["explain", "r.toml", "foo-debuginfo"]);
    assert!(explained.starts_with("Base/x86_64-debug: foo-debuginfo-0:1-1.x86_64\n"), "{explained}");
    assert!(explained.contains("debugging information of foo-0:1-1.x86_64"), "{explained}");
    assert!(
        say(&["select", "r.toml"]).contains("Base/x86_64-debug common-debuginfo-0:1-1.x86_64 dependency\n")
    );
    let changes = say(&["select", "--diff", "before.lock", "r.lock"]);
    let trees: Vec<_> = changes.lines().filter_map(|line| line.split_once(": ")).collect();
    assert_eq!(trees.len(), 3, "{changes}");
    assert!(
        trees.iter().all(|(tree, change)| *tree == "Base/x86_64-debug" && change.starts_with("+ ")),
        "{changes}"
    );
}

/// A pattern names a debugging package: it is in the tree itself, unless there is one for its like.
#[test]
fn debugging_packages_that_are_named_lie_where_others_do() {
    let (bench, sources) = bench();
    let by_pattern = |variant: &str| {
        recipe(&bench, &sources, variant);
        bench.write("r.toml", {
            let text = fs::read_to_string(bench.path("r.toml")).unwrap();
            text.replace("[\"foo\"]", "[\"foo\", \"spare-debuginfo\"]")
        });
        lock(&bench).exits(0);
        compose(&bench, "store", "out");
        let spare = rpms(&bench, "out").into_iter().filter(|path| path.contains("spare"));
        spare.collect::<Vec<_>>()
    };
    assert_eq!(by_pattern(""), ["Base/x86_64/os/Packages/s/spare-debuginfo-1-1.x86_64.rpm"]);
    assert_eq!(
        by_pattern("debug = true"),
        ["Base/x86_64/debug/tree/Packages/s/spare-debuginfo-1-1.x86_64.rpm"]
    );
    // Those of selected packages come along.
    let debug: Vec<_> = rpms(&bench, "out").into_iter().filter(|path| path.contains("/debug/")).collect();
    assert_eq!(debug.len(), 4, "{debug:?}");
}

#[test]
fn packages_lie_in_folders_by_letter_or_not() {
    let (bench, sources) = bench();
    recipe(&bench, &sources, "debug = true\nhashed = false");
    lock(&bench).exits(0);
    compose(&bench, "store", "out");
    let expected = [
        "Base/x86_64/debug/tree/Packages/common-debuginfo-1-1.x86_64.rpm",
        "Base/x86_64/debug/tree/Packages/foo-debuginfo-1-1.x86_64.rpm",
        "Base/x86_64/debug/tree/Packages/foo-debugsource-1-1.x86_64.rpm",
        "Base/x86_64/os/Packages/foo-1-1.x86_64.rpm",
    ];
    assert_eq!(rpms(&bench, "out"), expected);
    let listed = fs::read_to_string(bench.path("out/compose/metadata/rpms.json")).unwrap();
    for path in expected {
        assert!(listed.contains(&format!("\"{path}\"")), "{path}: {listed}");
    }
    let debug = "out/compose/Base/x86_64/debug/tree";
    gander(&bench, "store", &["repo", "check", debug]).exits(0);
}

/// Of several sources that are looked aside at the first counts, folders are among them, and a source that is delivered
/// does not come before them.
#[test]
fn the_first_source_that_is_looked_aside_at_counts() {
    let (bench, _) = bench();
    bench.write("aside/libbar.rpm", order("libbar", "x86_64").make());
    bench.write("rpms/libbar.rpm", order("libbar", "x86_64").make());
    let sources = format!(
        "[[source]]\ndir = \"rpms\"\non-unsigned = \"sign\"\n\n[[source]]\ndir = \"aside\"\nlookaside = true\n\n\
         [[source]]\nkeys = [\"{}\"]\nrepo = {{ id = \"base\", baseurl = \"file://{}\", repo_gpgcheck = true, \
         excludepkgs = [\"tools\"] }}\nlookaside = true\n",
        signer().certificate().fingerprint(),
        bench.path("base").display()
    );
    bench.write("keys/goose.asc", signer().certificate().armored());
    recipe(&bench, &sources, "");
    // Its metadata must be signed where the recipe asks for that.
    lock(&bench).exits(3).says("base");
    super::world::sign(&bench.path("base"), signer());
    lock(&bench).exits(0);
    let packages = fs::read_to_string(bench.path("r.lock/packages")).unwrap();
    let names: Vec<_> = packages.lines().skip(1).filter_map(|line| line.split('\t').next()).collect();
    // What the repository's own filter hides is delivered.
    assert_eq!(names, ["foo-0:1-1.x86_64", "tools-0:1-1.x86_64"]);
}

#[test]
fn tags_are_looked_aside_at() {
    let bench = Bench::new();
    bird(&bench, "pond", &sample::installable("pond", "1"));
    bench.write("rpms/swan.rpm", order("swan", "noarch").requires(&["pond"]).make());
    let koji =
        "[[source]]\nlookaside = true\nkoji = { hub = \"embedded\", files = \"hub\", tag = \"birds\" }\n";
    let sources = format!("{koji}\n[[source]]\ndir = \"rpms\"\non-unsigned = \"sign\"\n");
    recipe(&bench, &sources, "");
    let text = fs::read_to_string(bench.path("r.toml")).unwrap();
    bench.write("r.toml", text.replace("[\"foo\"]", "[\"swan\"]"));
    lock(&bench).exits(0);
    let header = fs::read_to_string(bench.path("r.lock/lock.toml")).unwrap();
    assert!(header.contains("[[koji]]"), "{header}");
    compose(&bench, "store", "out");
    assert_eq!(rpms(&bench, "out"), ["Base/x86_64/os/Packages/s/swan-1-1.noarch.rpm"]);
    let again = files(&bench.path("r.lock"));
    lock(&bench).exits(0);
    assert_eq!(files(&bench.path("r.lock")), again);
}

/// One variant looks aside at a repository, another one at a part of the same packages elsewhere.
#[test]
fn single_variants_look_aside_at_a_repository() {
    let (bench, _) = bench();
    let user = order("user", "x86_64").requires(&["tools"]);
    bench.write(&format!("rpms/{}", user.file_name()), user.make());
    repository(&bench, "more", &aside()[2..]);
    let source = |id: &str, trees: &str| {
        let folder = bench.path(id);
        format!(
            "[[source]]\nrepo = {{ id = \"{id}\", baseurl = \"file://{}\" }}\nlookaside = [\"{trees}\"]\n\n",
            folder.display()
        )
    };
    let packages = "[[source]]\ndir = \"rpms\"\non-unsigned = \"sign\"\n";
    let more = "\n[variant.More]\narches = [\"x86_64\"]\npackages = [\"user\"]\nsources = false\n";
    let selected = |sources: &str| {
        recipe(&bench, &format!("{sources}{packages}"), more);
        lock(&bench).exits(0);
        let output = gander(&bench, "store", &["select", "r.toml"]).exits(0);
        let delivered = output.stdout.lines().filter(|line| !line.ends_with("lookaside"));
        delivered
            .filter_map(|line| line.split_once("-0:"))
            .map(|(name, _)| name.to_owned())
            .collect::<Vec<_>>()
    };
    let base = source("base", "Base/x86_64");
    // The other variant does not see the copy, and so delivers its own.
    assert_eq!(selected(&base), ["Base/x86_64 foo", "More/x86_64 tools", "More/x86_64 user"]);
    let explained = gander(&bench, "store", &["explain", "r.toml", "libbar"]).exits(0).stdout;
    assert!(
        explained.contains("More/x86_64: libbar-0:1-1.x86_64 is not selected: only other trees look"),
        "{explained}"
    );
    // Of what both have, each variant sees a copy.
    let both = base + &source("more", "More");
    assert_eq!(selected(&both), ["Base/x86_64 foo", "More/x86_64 user"]);

    // Whoever requires what is looked aside at elsewhere lacks it.
    recipe(&bench, &format!("{both}{packages}"), &more.replace("user", "foo"));
    let refused = lock(&bench).exits(2).says("libbar >= 1").says("More/x86_64");
    assert!(!refused.stderr.contains("Base/x86_64"), "{refused}");
}

/// Trees lie where mash has them, with metadata that tell so.
#[test]
fn trees_lie_where_the_layout_says() {
    let (bench, sources) = bench();
    bench.write("rpms/foo-1-1.src.rpm", order("foo", "src").make());
    recipe(&bench, &sources, "");
    let text = fs::read_to_string(bench.path("r.toml")).unwrap();
    let everything = "method = \"mash\"\ndebug = true\nhashed = false\nexclude = [\"spare\"]\nlayout = { packages = \"$arch/os/Packages\" }";
    bench.write("r.toml", text.replace("packages = [\"foo\"]\nsources = false", everything));
    lock(&bench).exits(0);
    compose(&bench, "store", "out");
    let expected = [
        "source/SRPMS/foo-1-1.src.rpm",
        "x86_64/debug/common-debuginfo-1-1.x86_64.rpm",
        "x86_64/debug/foo-debuginfo-1-1.x86_64.rpm",
        "x86_64/debug/foo-debugsource-1-1.x86_64.rpm",
        "x86_64/debug/other-debuginfo-1-1.x86_64.rpm",
        "x86_64/debug/spare-debuginfo-1-1.x86_64.rpm",
        "x86_64/os/Packages/foo-1-1.x86_64.rpm",
        "x86_64/os/Packages/tools-1-1.x86_64.rpm",
    ];
    assert_eq!(rpms(&bench, "out"), expected);
    let listed = fs::read_to_string(bench.path("out/compose/metadata/rpms.json")).unwrap();
    for path in expected {
        assert!(listed.contains(&format!("\"{path}\"")), "{path}: {listed}");
    }
    let info = fs::read_to_string(bench.path("out/compose/metadata/composeinfo.json")).unwrap();
    let info: serde_json::Value = serde_json::from_str(&info).unwrap();
    let paths = &info["payload"]["variants"]["Base"]["paths"];
    for (kind, expected) in [
        ("os_tree", "x86_64/os"),
        ("repository", "x86_64/os"),
        ("packages", "x86_64/os/Packages"),
        ("source_tree", "source/SRPMS"),
        ("source_packages", "source/SRPMS"),
        ("debug_repository", "x86_64/debug"),
        ("debug_packages", "x86_64/debug"),
    ] {
        assert_eq!(paths[kind]["x86_64"], expected, "{kind} of {paths:#}");
    }
    for (repository, href) in
        [("x86_64/os", "Packages/foo-1-1.x86_64.rpm"), ("source/SRPMS", "foo-1-1.src.rpm")]
    {
        let folder = format!("out/compose/{repository}");
        let query = gander(&bench, "store", &["repo", "check", "--lookaside", "base", &folder]);
        query.exits(0);
        assert!(bench.path(&folder).join(href).is_file());
    }
    // Nothing lies where Pungi has it.
    assert!(!bench.path("out/compose/Base").exists());
}
