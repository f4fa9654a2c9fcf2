//! Reading repository metadata: every genuine list that is found, field by field with what createrepo_c's parsers make
//! of it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use gander::format::repodata::{Content, FileKind, Packages, Repomd, Text};
use gander::rpm::{dependency::Kind, sense};
use serde_json::{Value, json};

use super::repodata::{python, there};
use super::{Tally, folder, skip};

/// Prints one line of JSON for each package of a list, or one for a repomd.xml.
const READ: &str = r#"
import json, sys
import createrepo_c as cr
KINDS = ("provides", "requires", "conflicts", "obsoletes", "recommends", "suggests", "supplements", "enhances")
def evr(e, v, r):
    return ((e + ":" if e else "") + v + ("-" + r if r else "")) if v else ""
def files(p):
    return [[f[0] or "", f[1] + f[2]] for f in p.files]
def primary(p):
    d = {"nevra": [p.name, p.epoch or "0", p.version, p.release, p.arch], "pkgid": [p.checksum_type, p.pkgId],
        "texts": [t or "" for t in (p.summary, p.description, p.rpm_packager, p.url, p.rpm_license, p.rpm_vendor, p.rpm_group,
            p.rpm_buildhost, p.rpm_sourcerpm)],
        "numbers": [p.size_package, p.size_installed, p.size_archive, p.time_file, p.time_build, p.rpm_header_start, p.rpm_header_end],
        "location": [p.location_href, p.location_base], "files": files(p)}
    for kind in KINDS:
        d[kind] = [[n, f or "", evr(e, v, r), bool(pre)] for n, f, e, v, r, pre in getattr(p, kind)]
    return d
def filelists(p):
    return {"pkgid": p.pkgId, "files": files(p)}
def other(p):
    return {"pkgid": p.pkgId, "changelogs": [[c[0], c[1], c[2]] for c in p.changelogs]}
def show(make):
    return lambda p: print(json.dumps(make(p)))
kind, path = sys.argv[1:]
if kind == "primary":
    cr.xml_parse_primary(path, None, show(primary), None, 1)
elif kind == "filelists":
    cr.xml_parse_filelists(path, None, show(filelists), None)
elif kind == "other":
    cr.xml_parse_other(path, None, show(other), None)
else:
    r = cr.Repomd(path)
    print(json.dumps({"revision": r.revision, "content": r.content_tags, "repo": r.repo_tags, "distro": [[d[0], d[1]] for d in r.distro_tags],
        "data": [[d.type, d.checksum_type, d.checksum, d.checksum_open, d.size, d.size_open if d.checksum_open else None, d.timestamp,
            d.location_href] for d in r.records if not d.type.endswith("_zck")]}))
"#;

/// What createrepo_c sees, package by package.
fn theirs(kind: &str, path: &Path, mut take: impl FnMut(Value)) {
    let mut child =
        Command::new(python()).args(["-c", READ, kind]).arg(path).stdout(Stdio::piped()).spawn().unwrap();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        take(serde_json::from_str(&line.unwrap()).unwrap());
    }
    assert!(child.wait().unwrap().success(), "createrepo_c cannot read {}", path.display());
}

fn content(path: &Path) -> impl Read {
    Content::open(BufReader::new(File::open(path).unwrap()), None).unwrap()
}

fn files(packages: &Packages, place: usize) -> Value {
    let files = packages.get(place).unwrap().files();
    files
        .map(|file| {
            let kind = match file.kind {
                FileKind::File => "",
                FileKind::Directory => "dir",
                FileKind::Ghost => "ghost",
            };
            json!([kind, file.path()])
        })
        .collect()
}

fn primary(packages: &Packages, place: usize) -> Value {
    const TEXTS: [Text; 9] = [
        Text::Summary,
        Text::Description,
        Text::Packager,
        Text::Url,
        Text::License,
        Text::Vendor,
        Text::Group,
        Text::Buildhost,
        Text::Sourcerpm,
    ];
    let entry = packages.get(place).unwrap();
    let (nevra, numbers) = (entry.nevra(), entry.numbers());
    let mut out = json!({
        "nevra": [nevra.name, nevra.evr.epoch.to_string(), nevra.evr.version, nevra.evr.release, nevra.arch],
        "pkgid": [entry.checksum().kind(), entry.checksum().hex()],
        "texts": TEXTS.map(|text| entry.text(text)),
        "numbers": [numbers.size, numbers.installed_size, numbers.archive_size, numbers.file_time, numbers.build_time,
            numbers.header.0, numbers.header.1],
        "location": [entry.href(), entry.base()],
        "files": files(packages, place),
    });
    for kind in Kind::LISTED {
        let list = entry.dependencies(kind).map(|item| {
            let flags = match item.comparison() {
                "<" => "LT",
                "<=" => "LE",
                "=" => "EQ",
                ">=" => "GE",
                ">" => "GT",
                _ => "",
            };
            json!([item.name, flags, item.evr, item.flags & sense::PREREQ != 0])
        });
        out[kind.name()] = list.collect();
    }
    out
}

/// The fields of a package in which two differ.
fn differing(ours: &Value, theirs: &Value) -> Vec<String> {
    let keys: BTreeSet<_> = [ours, theirs].iter().flat_map(|side| side.as_object().unwrap().keys()).collect();
    keys.into_iter().filter(|key| ours.get(key) != theirs.get(key)).cloned().collect()
}

/// Compares primary.xml: what differs, with the package's place in the list.
fn compare_primary(packages: &Packages, peers: &Path) -> (usize, Vec<(usize, String)>) {
    let (mut place, mut wrong) = (0, Vec::new());
    theirs("primary", peers, |theirs| {
        match place < packages.len() {
            true => {
                let fields = differing(&primary(packages, place), &theirs);
                wrong.extend(fields.into_iter().map(|field| (place, field)));
            }
            false => wrong.push((place, "missing".into())),
        }
        place += 1;
    });
    wrong.extend((place..packages.len()).map(|place| (place, "only gander's".into())));
    (place, wrong)
}

/// Folders named `repodata`, sorted.
fn repositories(roots: &[PathBuf]) -> Vec<PathBuf> {
    let (mut open, mut found) = (roots.to_vec(), Vec::new());
    while let Some(folder) = open.pop() {
        if folder.join("repomd.xml").is_file() {
            found.push(folder.clone());
        }
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            open.extend(entry.file_type().unwrap().is_dir().then(|| entry.path()));
        }
    }
    found.sort();
    found
}

/// The list of a kind in a folder, whether repomd.xml names it or not.
fn list(folder: &Path, kind: &str) -> Option<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let ending = format!("{kind}.xml");
    let fits = |name: &str| {
        name.split_once(&ending).is_some_and(|(before, _)| before.is_empty() || before.ends_with('-'))
    };
    paths.filter(|path| fits(path.file_name().unwrap().to_str().unwrap())).min()
}

fn ready(test: &str) -> Option<Vec<PathBuf>> {
    let roots = vec![folder("GANDER_REALDATA", test)?, folder("GANDER_ORACLE", test)?];
    if !there(&python().to_string_lossy(), &["-c", "import createrepo_c"]) {
        skip(test, "createrepo_c's Python bindings are not installed");
        return None;
    }
    Some(roots)
}

#[test]
fn lists_are_read_as_createrepo_c_reads_them() {
    let Some(roots) = ready("lists_are_read_as_createrepo_c_reads_them") else { return };
    let mut tallies =
        ["repomd.xml", "packages in primary", "packages in filelists", "packages in other"].map(Tally::new);
    let [repomds, primaries, filelists, others] = &mut tallies;
    for folder in repositories(&roots) {
        let name = folder.display().to_string();
        let path = folder.join("repomd.xml");
        let ours = Repomd::parse(&fs::read(&path).unwrap()).unwrap();
        theirs("repomd", &path, |theirs| {
            let wrong = differing(&repomd(&ours), &theirs);
            repomds.case(&name, (!wrong.is_empty()).then(|| format!("{wrong:?}")));
        });
        let Some(path) = list(&folder, "primary") else { continue };
        let mut packages = Packages::read(content(&path)).unwrap();
        let (compared, wrong) = compare_primary(&packages, &path);
        primaries.compared += compared;
        primaries.failed.extend(wrong.iter().map(|(place, what)| format!("{name}: {place}: {what}")));
        if let Some(path) = list(&folder, "filelists") {
            packages.add_filelists(content(&path)).unwrap();
            theirs("filelists", &path, |theirs| {
                let found: Vec<usize> = places(&packages, &theirs);
                let same = |place: &usize| files(&packages, *place) == theirs["files"];
                let right = !found.is_empty() && found.iter().all(same);
                filelists.case(&name, (!right).then(|| theirs["pkgid"].to_string()));
            });
        }
        if let Some(path) = list(&folder, "other") {
            packages.add_other(content(&path)).unwrap();
            theirs("other", &path, |theirs| {
                let found: Vec<usize> = places(&packages, &theirs);
                let same = |place: &usize| {
                    let logs = packages.get(*place).unwrap().changelogs().unwrap();
                    let logs: Value = logs.map(|log| json!([log.author, log.time, log.text])).collect();
                    logs == theirs["changelogs"]
                };
                let right = !found.is_empty() && found.iter().all(same);
                others.case(&name, (!right).then(|| theirs["pkgid"].to_string()));
            });
        }
    }
    tallies.into_iter().for_each(Tally::finish);
}

fn places(packages: &Packages, theirs: &Value) -> Vec<usize> {
    let wanted = theirs["pkgid"].as_str().unwrap();
    let fits = |place: &usize| packages.get(*place).unwrap().checksum().hex() == wanted;
    (0..packages.len()).filter(fits).collect()
}

fn repomd(repomd: &Repomd) -> Value {
    let data = repomd.data.iter().map(|data| {
        json!([
            data.kind,
            data.checksum.kind(),
            data.checksum.hex(),
            data.open.map(|open| open.checksum.hex()),
            data.size,
            data.open.map(|open| open.size),
            data.timestamp,
            data.location.as_str(),
        ])
    });
    json!({
        "revision": repomd.revision,
        "content": repomd.tags.content,
        "repo": repomd.tags.repo,
        "distro": repomd.tags.distro,
        "data": data.collect::<Value>(),
    })
}

/// The comparison can fail: each kind of field, changed in one place, shows up there and nowhere else.
#[test]
fn a_changed_list_is_told_from_the_genuine_one() {
    let Some(roots) = ready("a_changed_list_is_told_from_the_genuine_one") else { return };
    // Any list will do that has something of each field; small ones are tried first.
    let mut lists: Vec<PathBuf> =
        repositories(&roots).iter().filter_map(|folder| list(folder, "primary")).collect();
    lists.sort_by_key(|path| fs::metadata(path).unwrap().len());
    let changes = [
        ("<name>", "<name>x", "nevra"),
        ("<arch>", "<arch>x", "nevra"),
        ("<version epoch=\"", "<version epoch=\"1", "nevra"),
        ("<summary>", "<summary> ", "texts"),
        ("<description>", "<description>x", "texts"),
        ("<packager>", "<packager>x", "texts"),
        ("<url>", "<url>x", "texts"),
        ("<rpm:license>", "<rpm:license>x", "texts"),
        ("<rpm:vendor>", "<rpm:vendor>x", "texts"),
        ("<rpm:group>", "<rpm:group>x", "texts"),
        ("<rpm:buildhost>", "<rpm:buildhost>x", "texts"),
        ("<rpm:sourcerpm>", "<rpm:sourcerpm>x", "texts"),
        ("<time file=\"", "<time file=\"1", "numbers"),
        ("<size package=\"", "<size package=\"1", "numbers"),
        ("rpm:header-range start=\"", "rpm:header-range start=\"0\" x=\"", "numbers"),
        ("<location href=\"", "<location href=\"x", "location"),
        ("<location ", "<location xml:base=\"https://h/\" ", "location"),
        ("<file>/", "<file type=\"ghost\">/", "files"),
        ("<file>/", "<file>/x", "files"),
        ("<rpm:provides>", "<rpm:provides><rpm:entry name=\"x\"/>", "provides"),
        ("flags=\"EQ\"", "flags=\"GE\"", ""),
        (" rel=\"", " rel=\"x", ""),
        (" pre=\"1\"", "", ""),
    ];
    for (from, to, field) in changes {
        let found = lists.iter().find_map(|path| {
            let mut text = String::new();
            content(path).read_to_string(&mut text).unwrap();
            text.contains(from).then_some((path, text))
        });
        let (path, text) = found.unwrap_or_else(|| panic!("no list has {from}"));
        let packages = Packages::read(text.replacen(from, to, 1).as_bytes()).unwrap();
        let (_, wrong) = compare_primary(&packages, path);
        assert_eq!(wrong.len(), 1, "{from}: {wrong:?}");
        assert!(field.is_empty() || wrong[0].1 == field, "{from}: {wrong:?}");
    }
}

fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// CPU seconds of this thread, in the kernel and out of it.
fn cpu() -> f64 {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1e9
}

#[test]
#[ignore = "prints figures and asserts none: cargo test --release --test conformance figures -- --ignored --nocapture"]
fn figures_of_reading_primary() {
    let Some(real) = folder("GANDER_REALDATA", "figures_of_reading_primary") else { return };
    for path in repositories(&[real.join("metadata")]).iter().filter_map(|folder| list(folder, "primary")) {
        println!("{}", path.display());
        for _ in 0..3 {
            let (start, before) = (Instant::now(), cpu());
            let packages = Packages::read(content(&path)).unwrap();
            let (wall, cpu) = (start.elapsed().as_secs_f64(), cpu() - before);
            println!(
                "decompressed and read: {cpu:.3} s CPU, {wall:.3} s, peak {} MiB: {packages:?}",
                peak() >> 10
            );
        }
        let mut xml = Vec::new();
        content(&path).read_to_end(&mut xml).unwrap();
        for _ in 0..9 {
            let before = cpu();
            Packages::read(&xml[..]).unwrap();
            println!("read, {} bytes of XML: {:.3} s CPU", xml.len(), cpu() - before);
        }
        let form = Packages::read(&xml[..]).unwrap().to_bytes();
        for _ in 0..9 {
            let before = cpu();
            Packages::from_bytes(&form).unwrap();
            println!("read, {} bytes of gander's own form: {:.3} s CPU", form.len(), cpu() - before);
        }
    }
}
