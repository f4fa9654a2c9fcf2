//! A release engineer's day with the koji command line, on a hub of ours.

use std::fs;
use std::path::Path;

use gander::base::Digest;
use gander::format::xmlrpc::{Arguments, Value};

use super::bench::{Bench, has_peers};
use super::world::{Serving, administrator, files, koji, peers, source_package};

const BUILD: &str = "libhello-1.3.0-1.el9";
const OLDER: &str = "libhello-1.2.0-2.el9";
const KEY: &str = "e4c497f3";

/// The package files of a build, as they were imported.
fn primaries(topdir: &Path, version: &str, release: &str) -> Vec<String> {
    let folder = topdir.join("packages/libhello").join(version).join(release);
    let all = files(&folder).into_iter().filter(|path| !path.starts_with(folder.join("data")));
    all.map(|path| path.to_str().unwrap().to_owned()).collect()
}

#[test]
fn the_genuine_command_line_works_with_our_hub() {
    let Some((program, oracle)) = peers("the_genuine_command_line_works_with_our_hub") else { return };
    if !has_peers(&["rpmbuild"]) {
        return;
    }
    let topdir = oracle.join("topdir");
    let bench = Bench::new();
    administrator(&bench, "hub");
    let hub = Serving::start(&bench, "hub");
    let run = |arguments: &[&str]| koji(&bench, &program, hub.port, arguments);
    let done = |arguments: &[&str]| run(arguments).exits(0).stdout;

    assert!(done(&["moshimoshi"]).contains("kojiadmin!"));
    done(&["add-tag", "base", "--arches=x86_64 i686"]);
    done(&["add-tag", "updates", "--parent=base", "--arches=x86_64"]);
    done(&["add-tag", "release", "--arches=x86_64"]);
    done(&["add-tag-inheritance", "release", "updates", "--priority=5", "--maxdepth=1"]);
    assert_eq!(done(&["list-tags"]), "base\nrelease\nupdates\n");
    let tree = done(&["list-tag-inheritance", "release"]);
    assert!(
        tree.contains("release (3)") && tree.contains("updates (2)") && tree.contains("base (1)"),
        "{tree}"
    );
    let info = done(&["taginfo", "release"]);
    assert!(info.contains("Tag: release [3]") && info.contains("Arches: x86_64"), "{info}");
    assert!(info.contains("5    M... updates [2]") || info.contains("updates [2]"), "{info}");

    done(&["add-pkg", "--owner=kojiadmin", "base", "libhello"]);
    assert!(done(&["list-pkgs", "--tag=release", "--quiet"]).contains("libhello"));
    assert_eq!(run(&["add-pkg", "--owner=nobody", "base", "gtool"]).code, Some(1));

    for (version, release, nvr) in [("1.3.0", "1.el9", BUILD), ("1.2.0", "2.el9", OLDER)] {
        let source = source_package(&bench, "libhello", version, release);
        let mut import = vec!["import".to_owned(), source.to_str().unwrap().to_owned()];
        import.extend(primaries(&topdir, version, release));
        let import: Vec<&str> = import.iter().map(String::as_str).collect();
        let said = done(&import);
        assert_eq!(said.matches("importing ").count(), import.len() - 1, "{said}");
        // What is there is not imported again.
        assert!(done(&import).contains("RPM already imported"), "{nvr}");
    }
    // The newer version first: the latest is what was tagged last.
    assert!(done(&["tag-build", "base", BUILD]).contains("Created task 1"));
    let event = events(&done(&["call", "getLastEvent"]));
    done(&["tag-build", "base", OLDER]);
    let row = |nvr: &str| format!("{nvr:<40}  base                  kojiadmin\n");
    assert_eq!(done(&["list-tagged", "base", "--quiet"]), row(OLDER) + &row(BUILD));
    assert_eq!(done(&["list-tagged", "base", "--latest", "--quiet"]), row(OLDER));
    assert_eq!(done(&["list-tagged", "release", "--inherit", "--latest", "--quiet"]), row(OLDER));
    assert_eq!(done(&["list-tagged", "release", "--quiet"]), "");
    let then = format!("--event={event}");
    assert!(done(&["list-tagged", "base", &then, "--quiet"]).ends_with(&row(BUILD)));
    assert_eq!(done(&["latest-build", "release", "libhello", "--quiet"]), row(OLDER));
    let rpms = done(&["list-tagged", "base", "--latest", "--rpms", "--quiet"]);
    assert_eq!(rpms.lines().count(), 1 + primaries(&topdir, "1.2.0", "2.el9").len(), "{rpms}");

    let info = done(&["buildinfo", BUILD]);
    for text in ["State: COMPLETE", "Built by: kojiadmin", "Volume: DEFAULT", "Tags: base"] {
        assert!(info.contains(text), "{text}: {info}");
    }
    let info = done(&["rpminfo", "libhello-1.3.0-1.el9.x86_64"]);
    for text in ["SIGMD5: 2ffbb4d773a25876a8c73100107fb3a2", "License: MIT", "SRPM: libhello-1.3.0-1.el9 ["] {
        assert!(info.contains(text), "{text}: {info}");
    }
    let history = done(&["list-history", "--tag=base"]);
    assert!(history.contains(&format!("{BUILD} tagged into base by kojiadmin [still active]")), "{history}");
    assert!(history.contains("package list entry created: libhello in base by kojiadmin"), "{history}");

    signatures(&oracle, &bench, &run);
    checksums(&bench, &hub);
    downloads(&topdir, &bench, &run);

    done(&["untag-build", "base", OLDER]);
    assert_eq!(done(&["latest-build", "release", "libhello", "--quiet"]), row(BUILD));
    let history = done(&["list-history", "--build", OLDER]);
    assert!(history.contains("untagged from base by kojiadmin"), "{history}");
    assert_eq!(hub.end(), Some(0));
}

fn events(said: &str) -> i64 {
    let id = said.split("'id': ").nth(1).unwrap_or_else(|| panic!("{said}"));
    id.split(|char: char| !char.is_ascii_digit()).next().unwrap().parse().unwrap()
}

/// import-sig and write-signed-rpm: what the hub writes is byte for byte what rpmsign wrote.
fn signatures(oracle: &Path, bench: &Bench, run: &dyn Fn(&[&str]) -> super::bench::Output) {
    let topdir = oracle.join("topdir");
    let signed: Vec<_> = files(&topdir.join("packages/libhello/1.3.0/1.el9/data/signed").join(KEY));
    let mut arguments = vec!["import-sig"];
    arguments.extend(signed.iter().map(|path| path.to_str().unwrap()));
    run(&arguments).exits(0);
    assert!(run(&arguments).exits(0).stdout.contains("Signature already imported"));
    run(&["write-signed-rpm", KEY, "libhello-1.3.0-1.el9.x86_64"]).exits(0);
    let mut compared = 0;
    for path in &signed {
        let below = path.strip_prefix(&topdir).unwrap();
        let ours = bench.path("hub/topdir").join(below);
        assert_eq!(fs::read(&ours).unwrap(), fs::read(path).unwrap(), "{}", ours.display());
        let header = below.to_str().unwrap().replace("data/signed", "data/sigcache") + ".sig";
        let ours = fs::read(bench.path("hub/topdir").join(&header)).unwrap();
        assert_eq!(ours, fs::read(topdir.join(&header)).unwrap(), "{header}");
        compared += 1;
    }
    println!("{compared} signed copies and signature headers are those of the hub that was recorded");
    assert!(compared > 0);
}

/// The checksums that the hub computed are those of its files.
fn checksums(bench: &Bench, hub: &Serving) {
    let file = "libhello-1.3.0-1.el9.x86_64";
    let rpm = hub.call(None, "getRPM", Arguments::of(file)).unwrap();
    let id = rpm.get("id").unwrap().clone();
    let sums = hub.call(None, "getRPMChecksums", Arguments::of(id)).unwrap();
    for (key, below) in [("", "x86_64".to_owned()), (KEY, format!("data/signed/{KEY}/x86_64"))] {
        let path =
            bench.path("hub/topdir/packages/libhello/1.3.0/1.el9").join(below).join(format!("{file}.rpm"));
        let sha256 = Digest::of(fs::read(path).unwrap()).hex();
        assert_eq!(sums.get(key).and_then(|sums| sums.get("sha256")), Some(&Value::Text(sha256)), "{sums:?}");
    }
}

fn downloads(topdir: &Path, bench: &Bench, run: &dyn Fn(&[&str]) -> super::bench::Output) {
    let folder = bench.path("downloads");
    let clear = || files(&folder).iter().for_each(|path| fs::remove_file(path).unwrap());
    let same = |path: &str| {
        let name = Path::new(path).file_name().unwrap();
        assert_eq!(fs::read(folder.join(name)).unwrap(), fs::read(path).unwrap(), "{path}");
    };
    clear();
    run(&["download-build", BUILD]).exits(0);
    primaries(topdir, "1.3.0", "1.el9").iter().for_each(|path| same(path));
    clear();
    run(&["download-build", "--key", KEY, "--arch=x86_64", BUILD]).exits(0);
    for path in files(&topdir.join("packages/libhello/1.3.0/1.el9/data/signed").join(KEY).join("x86_64")) {
        same(path.to_str().unwrap());
    }
    clear();
    run(&["download-build", "--latestfrom=base", "libhello"]).exits(0);
    primaries(topdir, "1.2.0", "2.el9").iter().for_each(|path| same(path));
    clear();
}
