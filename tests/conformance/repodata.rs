//! Repository metadata against createrepo_c's: both are read back by createrepo_c's own Python bindings and
//! compared package by package, field by field.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::Command;

use gander::base::SourceDate;
use gander::format::repodata::Compression;
use gander::plan::StepIo;
use gander::repo::{self, create};
use gander::rpm::Headers;
use serde_json::Value;

use super::{Tally, folder, skip};

/// Prints one line of JSON for each package: its file, and whatever a client sees of it.
const READ: &str = r#"
import json, sys
import createrepo_c as cr
md = cr.Metadata()
md.locate_and_load_xml(sys.argv[1])
for key in md.keys():
    p = md.get(key)
    deps = {kind: [list(map(str, entry)) for entry in getattr(p, kind)] for kind in
        ("provides", "requires", "conflicts", "obsoletes", "suggests", "enhances", "recommends", "supplements")}
    print(json.dumps({"file": p.location_href, "nevra": [p.name, p.epoch, p.version, p.release, p.arch], "pkgid": p.pkgId,
        "texts": [p.summary, p.description, p.url, p.rpm_license, p.rpm_vendor, p.rpm_group, p.rpm_buildhost, p.rpm_sourcerpm, p.rpm_packager],
        "build": p.time_build, "sizes": [p.size_package, p.size_installed], "archive": p.size_archive,
        "header": [p.rpm_header_start, p.rpm_header_end], "files": [list(f[:3]) for f in p.files],
        "changelogs": [list(c) for c in p.changelogs], **deps}, sort_keys=True))
"#;

/// The interpreter that has createrepo_c's bindings: Debian's, or that of a virtual environment.
pub(super) fn python() -> PathBuf {
    std::env::var_os("GANDER_PEER_PYTHON").map_or_else(|| "/usr/bin/python3".into(), PathBuf::from)
}

fn read(repository: &Path) -> BTreeMap<String, Value> {
    let output = Command::new(python()).arg("-c").arg(READ).arg(repository).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    let packages = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    packages.map(|package| (package["file"].as_str().unwrap().to_owned(), package)).collect()
}

/// What differs for a reason: gander's side, made as createrepo_c's would be.
fn explained(mut ours: Value, headers: &Headers, theirs: &Value) -> Value {
    const TRANSACTION: u32 = 1 << 5 | 1 << 7;
    let package = headers.package().unwrap();
    // createrepo_c before 1.0 does not mark what %pretrans and %posttrans need.
    for (ours, theirs) in
        ours["requires"].as_array_mut().unwrap().iter_mut().zip(theirs["requires"].as_array().unwrap())
    {
        let late = package.requires.iter().any(|item| item.flags & TRANSACTION != 0 && ours[0] == *item.name);
        if late && theirs[5] == "False" {
            ours[5] = "False".into();
        }
    }
    ours
}

pub(super) fn there(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

#[test]
fn clients_read_what_createrepo_c_writes() {
    let test = "clients_read_what_createrepo_c_writes";
    let Some(real) = folder("GANDER_REALDATA", test) else { return };
    if !there("createrepo_c", &["--version"])
        || !there(&python().to_string_lossy(), &["-c", "import createrepo_c"])
    {
        return skip(test, "createrepo_c or its Python bindings are not installed");
    }
    let scratch = tempfile::tempdir().unwrap();
    let packages = scratch.path().join("in/packages");
    for folder in ["in/packages", "out", "build"] {
        fs::create_dir_all(scratch.path().join(folder)).unwrap();
    }
    let mut folders: Vec<PathBuf> = vec![real.join("rpms")];
    folders.extend(std::env::var_os("GANDER_MORE_RPMS").map(PathBuf::from));
    for path in
        folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()))
    {
        let name = path.file_name().unwrap().to_owned();
        // Both must take it: what we refuse, and why, is the business of other tests.
        if path.is_file() && path.extension().is_some_and(|ending| ending == "rpm") {
            match Headers::read(BufReader::new(File::open(&path).unwrap()))
                .and_then(|headers| headers.package().map(drop))
            {
                Ok(_) => drop(fs::copy(&path, packages.join(name)).unwrap()),
                Err(error) => println!("left out {}: {error}", path.display()),
            }
        }
    }
    repo::execute(&StepIo {
        // What Debian's bindings can read, too.
        params: BTreeMap::from([("compression".into(), "gz".into())]),
        source_date: SourceDate::from_seconds(1_793_491_200).unwrap(),
        inputs: scratch.path().join("in"),
        output: scratch.path().join("out"),
        scratch: scratch.path().join("build"),
    })
    .unwrap();
    let output = Command::new("createrepo_c")
        .args(["--no-database", "--changelog-limit", "10"])
        .arg(&packages)
        .output()
        .unwrap();
    println!("{}", String::from_utf8_lossy(&output.stderr));
    let (ours, theirs) = (read(&scratch.path().join("out")), read(&packages));
    let mut tally = Tally::new("packages in repodata");
    for (file, theirs) in &theirs {
        let headers = Headers::read(BufReader::new(File::open(packages.join(file)).unwrap())).unwrap();
        let ours = explained(ours[file].clone(), &headers, theirs);
        let differing: Vec<_> = theirs
            .as_object()
            .unwrap()
            .iter()
            .filter(|(key, value)| &ours[key.as_str()] != *value)
            .map(|(key, value)| format!("{key}: {} instead of {value}", ours[key.as_str()]))
            .collect();
        tally.case(file, (!differing.is_empty()).then(|| differing.join("\n    ")));
    }
    for file in ours.keys().filter(|file| !theirs.contains_key(*file)) {
        println!("only gander takes {file}");
    }
    tally.finish();
}

/// createrepo_c 1.2, which lies beside the interpreter of the peers.
pub(super) fn newer() -> Option<PathBuf> {
    let program = python().with_file_name("createrepo_c");
    let output = Command::new(&program).arg("--version").output().ok()?;
    String::from_utf8_lossy(&output.stdout).starts_with("Version: 1.2.").then_some(program)
}

pub(super) fn options() -> create::Options {
    create::Options { workers: 2, ..create::Options::default() }
}

/// Copies genuine packages into a folder, all that are not refused: what we refuse, and why, is the business of other tests.
pub(super) fn genuine(real: &Path, packages: &Path) {
    fs::create_dir(packages).unwrap();
    for entry in fs::read_dir(real.join("rpms")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "rpm") {
            fs::copy(&path, packages.join(path.file_name().unwrap())).unwrap();
        }
    }
    while let Err(create::CreateError::Problems(problems)) = create::create(packages, &options(), None) {
        for problem in problems {
            println!("left out {}: {}", problem.path.display(), problem.reason);
            fs::remove_file(packages.join(problem.path)).unwrap();
        }
    }
}

/// All fields in which two readings of a repository differ.
fn differences(ours: &Value, theirs: &Value) -> Vec<String> {
    let fields = theirs.as_object().unwrap().iter();
    let differing = fields.filter(|(key, value)| &ours[key.as_str()] != *value);
    differing.map(|(key, value)| format!("{key}: {} instead of {value}", ours[key.as_str()])).collect()
}

#[test]
fn a_created_repository_is_createrepo_cs() {
    let test = "a_created_repository_is_createrepo_cs";
    let Some(real) = folder("GANDER_REALDATA", test) else { return };
    let Some(peer) = newer() else { return skip(test, "createrepo_c 1.2 is not installed") };
    let scratch = tempfile::tempdir().unwrap();
    let [packages, theirs] = ["packages", "theirs"].map(|name| scratch.path().join(name));
    genuine(&real, &packages);
    fs::create_dir(&theirs).unwrap();
    let peer = |arguments: &[&str]| {
        let output = Command::new(&peer).args(arguments).arg(&packages).output().unwrap();
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = peer(&["--outputdir", theirs.to_str().unwrap()]);
    for compression in Compression::ALL {
        create::create(&packages, &create::Options { compression, ..options() }, None).unwrap();
        let (ours, theirs) = (read(&packages), read(&theirs));
        let mut tally = Tally::new("packages in created repodata");
        for (file, theirs) in &theirs {
            let differing = differences(&ours[file], theirs);
            tally.case(file, (!differing.is_empty()).then(|| differing.join("\n    ")));
        }
        tally.finish();
        for (file, package) in ours.iter().filter(|(file, _)| !theirs.contains_key(*file)) {
            // It writes down nothing of packages whose texts XML cannot hold; we leave those characters out.
            assert!(said.contains(package["pkgid"].as_str().unwrap()), "createrepo_c lacks {file}: {said}");
        }
    }
    // The comparison finds what differs: without change logs, and in another place.
    let rendering = create::Rendering { changelogs: 0, location_prefix: "x".into(), ..options().rendering };
    create::create(&packages, &create::Options { rendering, ..options() }, None).unwrap();
    let (ours, theirs) = (read(&packages), read(&theirs));
    let logged = theirs.iter().filter(|(_, package)| !package["changelogs"].as_array().unwrap().is_empty());
    let mut found = 0;
    for (file, theirs) in logged {
        let differing = differences(&ours[&format!("x/{file}")], theirs);
        assert_eq!(differing.len(), 2, "{file}: {differing:?}");
        found += 1;
    }
    assert!(found > 20, "{found}");
}

#[test]
fn dnf_finds_and_installs_packages() {
    dnf_takes("dnf_finds_and_installs_packages", |at| {
        let io = StepIo {
            params: BTreeMap::new(),
            source_date: SourceDate::from_seconds(1_793_491_200).unwrap(),
            inputs: at.join("in"),
            output: at.join("repository"),
            scratch: at.join("build"),
        };
        repo::execute(&io).unwrap();
    });
}

#[test]
fn dnf_takes_lists_in_pieces() {
    for compression in Compression::ALL {
        dnf_takes("dnf_takes_lists_in_pieces", |at| {
            let options = create::Options {
                output: Some(at.join("repository")),
                comps: Some(at.join("in/comps.xml")),
                compression,
                further_compression: compression,
                ..options()
            };
            // The head, the packages and the tail are three pieces at least.
            create::create(&at.join("in/packages"), &options, None).unwrap();
        });
    }
}

fn dnf_takes(test: &str, write: impl FnOnce(&Path)) {
    let Some(oracle) = folder("GANDER_ORACLE", test) else { return };
    if !there("dnf", &["--version"]) {
        return skip(test, "dnf is not installed");
    }
    let scratch = tempfile::tempdir().unwrap();
    let at = |path: &str| scratch.path().join(path);
    for folder in ["in/packages/Packages", "repository", "build", "root", "cache", "repos"] {
        fs::create_dir_all(at(folder)).unwrap();
    }
    for arch in ["i686", "x86_64"] {
        for entry in fs::read_dir(oracle.join("multilib/rpms").join(arch)).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, at("in/packages/Packages").join(path.file_name().unwrap())).unwrap();
        }
    }
    let comps = "<comps><group><id>libs</id><name>Libraries</name><description/><uservisible>true</uservisible><packagelist>\
        <packagereq type=\"mandatory\">r-soname-usr</packagereq></packagelist></group></comps>";
    fs::write(at("in/comps.xml"), comps).unwrap();
    write(scratch.path());
    std::os::unix::fs::symlink(at("in/packages/Packages"), at("repository/Packages")).unwrap();
    let dnf = |arguments: &[&str]| {
        let output = Command::new("dnf")
            .args([
                "-q",
                "-y",
                "--repo=gander",
                "--forcearch=x86_64",
                "--releasever=1",
                "--setopt=gpgcheck=0",
            ])
            .arg(format!("--repofrompath=gander,file://{}", at("repository").display()))
            .arg(format!("--setopt=cachedir={}", at("cache").display()))
            .arg(format!("--setopt=reposdir={}", at("repos").display()))
            .arg(format!("--installroot={}", at("root").display()))
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    dnf(&["makecache"]);
    let found = dnf(&["repoquery", "--qf", "%{name}.%{arch}", "--file", "/usr/lib/libfoo.so.1"]);
    assert!(found.lines().any(|line| line == "r-soname-usr.i686"), "{found}");
    assert_eq!(dnf(&["repoquery", "--all"]).lines().count(), 258);
    assert!(dnf(&["group", "list", "--ids"]).contains("libs"));
    dnf(&["install", "@libs"]);
    dnf(&["install", "r-soname-usr.i686"]);
    for file in ["root/usr/lib/libfoo.so.1", "root/usr/lib64/libfoo.so.1"] {
        assert!(at(file).exists(), "{file} is not installed");
    }
}
