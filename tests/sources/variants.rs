//! Variants in others: from packages to a compose, to what `select` and `explain` say of them, and to what productmd
//! makes of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::bench::{Bench, run};
use super::sample::made::order;

/// A package: its name, its build, then what it requires.
const PACKAGES: &[&str] = &[
    "base base lib",
    "base-devel base",
    "lib lib",
    "lib-tools lib",
    "ha ha lib lib-tools",
    "ha-doc ha",
    "sap sap ha",
    "app app lib",
];

const RECIPE: &str = r#"
[release]
name = "Goose Linux"
short = "Goose"
version = "9"
source-date = "2026-11-01T00:00:00Z"

[[source]]
dir = "rpms"
on-unsigned = "allow"

[variant.Server]
arches = ["x86_64"]
comps = "comps.xml"
groups = ["core"]

[variant.Server-HA]
type = "addon"
parent = "Server"
arches = ["x86_64"]
groups = ["ha"]

[variant.Server-SAP]
type = "layered-product"
parent = "Server"
release = { name = "Goose for SAP", short = "GooseSAP", version = "2.1" }
arches = ["x86_64"]
packages = ["sap"]

[variant.Server-optional]
type = "optional"
parent = "Server"
arches = ["x86_64"]

[variant.Apps]
arches = ["x86_64"]
packages = ["app"]
lookaside = ["Server"]
"#;

const COMPS: &str = r#"<comps>
<group><id>core</id><name>Core</name><packagelist><packagereq type="mandatory">base</packagereq></packagelist></group>
<group><id>ha</id><name>HA</name><packagelist><packagereq type="mandatory">ha</packagereq></packagelist></group>
</comps>"#;

/// What is delivered where: `lib-tools` is of one of the server's builds, so it is not the addon's.
const DELIVERED: &[(&str, &[&str])] = &[
    ("Apps/source/tree", &["app.src"]),
    ("Apps/x86_64/os", &["app"]),
    ("Server-SAP/source/tree", &["ha.src", "sap.src"]),
    ("Server-SAP/x86_64/os", &["sap"]),
    ("Server-optional/source/tree", &[]),
    ("Server-optional/x86_64/os", &["base-devel"]),
    ("Server/source/tree", &["base.src", "lib.src"]),
    ("Server/source/tree/addons/HA", &["ha.src"]),
    ("Server/x86_64/os", &["base", "lib", "lib-tools"]),
    ("Server/x86_64/os/addons/HA", &["ha", "ha-doc"]),
];

fn bench() -> Bench {
    let bench = Bench::new();
    for text in PACKAGES {
        let words: Vec<&str> = text.split(' ').collect();
        let made = order(words[0], "x86_64").build(words[1]).requires(&words[2..]);
        bench.write(&format!("rpms/{}", made.file_name()), made.make());
        let source = order(words[1], "src");
        bench.write(&format!("rpms/{}", source.file_name()), source.make());
    }
    bench.write("comps.xml", COMPS);
    bench.write("r.toml", RECIPE);
    bench
}

/// Names of the packages in a folder `Packages`: `NAME`, or `NAME.src`.
fn packages(tree: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for letter in fs::read_dir(tree.join("Packages")).into_iter().flatten() {
        for package in fs::read_dir(letter.unwrap().path()).unwrap() {
            let name = package.unwrap().file_name().into_string().unwrap();
            let (name, arch) = name.strip_suffix(".rpm").unwrap().rsplit_once('.').unwrap();
            let name = name.strip_suffix("-1-1").unwrap();
            found.insert(if arch == "src" { format!("{name}.src") } else { name.to_owned() });
        }
    }
    found
}

const PRODUCTMD: &str = r#"
import sys
from productmd.compose import Compose
compose = Compose(sys.argv[1])
compose.info.validate()
for variant in compose.info.get_variants(recursive=True):
    parent = variant.parent.uid if variant.parent else None
    print(variant.id, variant.uid, variant.type, parent, sorted(variant.arches), variant.release.name)
    for field in ("os_tree", "repository", "packages", "source_tree", "source_repository", "source_packages"):
        print(" ", field, getattr(variant.paths, field).get("x86_64"))
print(sorted(compose.rpms.rpms))
"#;

const INFO: &str = "\
Apps Apps variant None ['x86_64'] None
  os_tree Apps/x86_64/os
  repository Apps/x86_64/os
  packages Apps/x86_64/os/Packages
  source_tree Apps/source/tree
  source_repository Apps/source/tree
  source_packages Apps/source/tree/Packages
Server Server variant None ['x86_64'] None
  os_tree Server/x86_64/os
  repository Server/x86_64/os
  packages Server/x86_64/os/Packages
  source_tree Server/source/tree
  source_repository Server/source/tree
  source_packages Server/source/tree/Packages
HA Server-HA addon Server ['x86_64'] None
  os_tree Server/x86_64/os
  repository Server/x86_64/os/addons/HA
  packages Server/x86_64/os/addons/HA/Packages
  source_tree Server/source/tree
  source_repository Server/source/tree/addons/HA
  source_packages Server/source/tree/addons/HA/Packages
SAP Server-SAP layered-product Server ['x86_64'] Goose for SAP
  os_tree Server-SAP/x86_64/os
  repository Server-SAP/x86_64/os
  packages Server-SAP/x86_64/os/Packages
  source_tree Server-SAP/source/tree
  source_repository Server-SAP/source/tree
  source_packages Server-SAP/source/tree/Packages
optional Server-optional optional Server ['x86_64'] None
  os_tree Server-optional/x86_64/os
  repository Server-optional/x86_64/os
  packages Server-optional/x86_64/os/Packages
  source_tree Server-optional/source/tree
  source_repository Server-optional/source/tree
  source_packages None
['Apps', 'Server', 'Server-HA', 'Server-SAP', 'Server-optional']
";

#[test]
fn variants_in_others_become_trees_that_productmd_reads() {
    let bench = bench();
    let gander = |arguments: &[&str]| run(bench.gander().args(["--store", "store"]).args(arguments));
    gander(&["compose", "r.toml", "--output", "out"]).exits(0);
    let compose = bench.path("out/compose");
    for (tree, expected) in DELIVERED {
        let expected: BTreeSet<String> = expected.iter().map(|&name| name.to_owned()).collect();
        assert_eq!(packages(&compose.join(tree)), expected, "{tree}");
        assert!(compose.join(tree).join("repodata/repomd.xml").is_file(), "{tree}");
    }

    // What is selected anew is what the compose has, by the recipe and by the lock alone.
    let selected = gander(&["select", "r.toml"]).exits(0).stdout;
    assert_eq!(gander(&["select", "r.lock"]).exits(0).stdout, selected);
    let of = |tree: &str| {
        let lines = selected.lines().filter_map(|line| line.strip_prefix(tree)?.strip_prefix(' '));
        let delivered = lines.filter(|line| !line.contains("lookaside") && !line.contains(".src"));
        delivered.map(|line| line.split("-0:").next().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    for (tree, folder) in
        [("Server/x86_64", "Server/x86_64/os"), ("Server-HA/x86_64", "Server/x86_64/os/addons/HA")]
    {
        assert_eq!(of(tree), packages(&compose.join(folder)), "{tree}");
    }

    let explain =
        |package: &str, tree: &str| gander(&["explain", "r.toml", package, "--tree", tree]).exits(0).stdout;
    assert_eq!(
        explain("lib.x86_64", "Server-HA/x86_64"),
        "Server-HA/x86_64: lib-0:1-1.x86_64 is not selected: the parent Server has it\n"
    );
    assert_eq!(
        explain("lib-tools", "Server/x86_64"),
        "Server/x86_64: lib-tools-0:1-1.x86_64 dependency,fulltree-exclude\n  \
         moved here from Server-HA, since its source package is here\n    \
         lib-tools-0:1-1.x86_64: required by ha-0:1-1.x86_64: lib-tools\n      \
         ha-0:1-1.x86_64: mandatory in group ha\n"
    );
    assert_eq!(
        explain("ha.x86_64", "Server-SAP/x86_64"),
        "Server-SAP/x86_64: ha-0:1-1.x86_64 is not selected: Server-HA has it\n"
    );
    assert!(
        explain("lib.x86_64", "Apps/x86_64")
            .starts_with("Apps/x86_64: lib-0:1-1.x86_64 dependency,lookaside\n")
    );

    let Ok(python) = std::env::var("GANDER_PEER_PYTHON") else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "GANDER_PEER_PYTHON is not set");
        return eprintln!("SKIPPED: no productmd: GANDER_PEER_PYTHON is not set");
    };
    let info = run(Command::new(python).args(["-c", PRODUCTMD]).arg(bench.path("out"))).exits(0);
    assert_eq!(info.stdout, INFO);
}

#[test]
fn a_lock_without_variants_in_others_says_nothing_of_them() {
    let bench = bench();
    let alone = RECIPE.split("[variant.Server-HA]").next().unwrap();
    bench.write("r.toml", alone);
    run(bench.gander().args(["--store", "store", "lock", "r.toml"])).exits(0);
    let text = fs::read_to_string(bench.path("r.lock/lock.toml")).unwrap();
    assert!(!text.contains("[[variant]]") && text.contains("[[tree]]"), "{text}");
}
