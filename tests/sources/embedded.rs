//! Tags of an embedded hub as sources: packages that were signed before they were imported, builds on other volumes,
//! and `noarch` packages that follow their source packages.

use std::fs;

use gander::base::Digest;
use gander::base::digest::hex;
use gander::hub::{Hub, Stamp, Time};
use gander::koji::Snapshot;
use gander::openpgp::Hashing;
use gander::rpm::signature::Item;
use gander::rpm::{Headers, edit};
use gander::sign::{LocalSigner, Signer as _, demonstration};

use super::bench::{Bench, Output};
use super::flow::{files, gander};
use super::hub::sigkey;
use super::sample::{self, Value};
use super::serving::{self, Serving, administrator, peers};
use super::world::{date, signed, signer, stranger};

/// A package without files: what it is built of where `source` is set; `more` are tags of texts.
fn package(name: &str, source: bool, more: &[(u32, &str)]) -> Vec<u8> {
    let payload = sample::compress(Some("gzip"), &sample::archive(&[]));
    let sum = hex(&sample::digest(Hashing::SHA256, &[&payload]));
    let (sums, of) = ([&*sum], format!("{name}-1-1.src.rpm"));
    let lists: Vec<(u32, [&str; 1])> = more.iter().map(|(tag, text)| (*tag, [*text])).collect();
    let mut tags = vec![
        (1000, Value::Text(name)),
        (1001, Value::Text("1")),
        (1002, Value::Text("1")),
        (1006, Value::Int32(&[1_793_491_200])),
        (1022, Value::Text("noarch")),
        (1124, Value::Text("cpio")),
        (1125, Value::Text("gzip")),
        (5092, Value::Texts(&sums)),
        (5093, Value::Int32(&[8])),
    ];
    tags.push(if source { (1106, Value::Int32(&[1])) } else { (1044, Value::Text(&of)) });
    tags.extend(lists.iter().map(|(tag, list)| (*tag, Value::Texts(list))));
    tags.sort_by_key(|(tag, _)| *tag);
    sample::whole(&format!("{name}-1-1"), &tags, &payload, &[0; 4128])
}

/// Imports a source package and what is built of it, and tags the build.
fn import(bench: &Bench, name: &str, source: &[u8], binary: &[u8]) {
    let mut arguments: Vec<String> =
        ["hub", "import", "--tag", "birds", "--time", "2026-01-02T00:00:00Z", "hub"].map(String::from).into();
    for (arch, bytes) in [("src", source), ("noarch", binary)] {
        let file = format!("built/{name}-1-1.{arch}.rpm");
        bench.write(&file, bytes);
        arguments.push(file);
    }
    bench.run(&arguments).exits(0);
}

/// Imports a build of one installable package.
pub fn bird(bench: &Bench, name: &str, binary: &[u8]) {
    import(bench, name, &package(name, true, &[]), binary);
}

fn recipe(bench: &Bench, arches: &str, packages: &str, source: &str, more: &str) {
    bench.write("keys/goose.asc", signer().certificate().armored());
    bench.write(
        "r.toml",
        format!(
            "[release]\nname = \"Gosling Linux\"\nshort = \"Goose\"\nversion = \"1\"\n\
             source-date = \"2026-11-01T00:00:00Z\"\n\n[[source]]\n{source}\n\
             koji = {{ hub = \"embedded\", files = \"hub\", tag = \"birds\"{more} }}\n\n\
             [variant.Base]\narches = [{arches}]\npackages = [{packages}]\nsources = false\n\n\
             [sign]\ndemonstration = \"goose\"\n"
        ),
    );
}

fn keys() -> String {
    format!("keys = [\"{}\"]", signer().certificate().fingerprint())
}

fn lock(bench: &Bench) -> Output {
    gander(bench, "store", &["--offline", "lock", "--update", "r.toml"])
}

fn packages(bench: &Bench) -> String {
    fs::read_to_string(bench.path("r.lock/packages")).unwrap()
}

/// What the lock keeps of what the hub said.
fn snapshot(bench: &Bench) -> Snapshot {
    let header = fs::read_to_string(bench.path("r.lock/lock.toml")).unwrap();
    let digest = header.lines().find_map(|line| line.strip_prefix("snapshot-object = \"sha256:")).unwrap();
    let object = fs::read(bench.path(&format!("r.lock/objects/{}", digest.trim_end_matches('"')))).unwrap();
    Snapshot::decode(&object).unwrap()
}

/// A package whose signature, by that key, is one of something else.
fn signed_wrongly(package: &[u8], signer: &LocalSigner) -> Vec<u8> {
    let headers = Headers::read(package).unwrap();
    let packet = signer.sign_detached(b"something else", date()).unwrap();
    let header = edit::edit(&headers.signature, &[], &[Item::for_packet(&packet).unwrap()]).unwrap();
    let mut bytes = Vec::new();
    edit::splice(package, &header, &mut bytes).unwrap();
    bytes
}

/// As a build system imports a vendor's package: the primary file is the signed one, there is no other copy, and Koji has
/// an index of its signature.
#[test]
fn a_package_that_was_imported_signed_is_taken_as_it_is() {
    let bench = Bench::new();
    let goose = signed(&sample::installable("goose", "1"), signer());
    bird(&bench, "goose", &goose);
    bird(&bench, "pond", &sample::installable("pond", "1"));
    recipe(&bench, "\"x86_64\"", "\"goose\"", &keys(), "");
    lock(&bench).exits(0);
    let lines = packages(&bench);
    let line = lines.lines().find(|line| line.starts_with("goose-")).unwrap();
    let fields: Vec<_> = line.split('\t').collect();
    assert_eq!(fields[3], Digest::of(&goose).hex(), "{line}");
    // No signature is made or put in, and the one origin is the primary file.
    assert_eq!(&fields[5..7], ["-", "koji:birds:packages/goose/1/1/noarch/goose-1-1.noarch.rpm"], "{line}");
    let snapshot = snapshot(&bench);
    let rpm =
        |name: &str| snapshot.rpms.iter().find(|rpm| rpm.name == name && rpm.arch == "noarch").unwrap().id;
    let keys_of = |name: &str| -> Vec<String> {
        snapshot.signatures_of(rpm(name)).iter().map(|signature| signature.sigkey.clone()).collect()
    };
    assert_eq!((keys_of("goose"), keys_of("pond")), (vec![sigkey(signer())], vec![String::new()]));
    let header = fs::read_to_string(bench.path("r.lock/lock.toml")).unwrap();
    assert!(header.contains(&signer().certificate().fingerprint().to_string()), "{header}");

    gander(&bench, "store", &["compose", "r.toml", "--output", "out"]).exits(0);
    let first = files(&bench.path("out"));
    let shipped = first.iter().find(|(path, _)| path.ends_with("goose-1-1.noarch.rpm")).unwrap();
    assert_eq!(*shipped.1, Digest::of(&goose), "shipped as it was imported");
    gander(&bench, "other", &["--offline", "compose", "--locked", "r.toml", "--output", "again"]).exits(0);
    assert_eq!(files(&bench.path("again")), first);
    let other = vec![0; goose.len()];
    fs::write(bench.path("hub/topdir/packages/goose/1/1/noarch/goose-1-1.noarch.rpm"), other).unwrap();
    gander(&bench, "empty", &["--offline", "compose", "--locked", "r.toml", "--output", "third"])
        .exits(3)
        .says("goose-1-1.noarch.rpm");

    // The unsigned one is refused, or signed here.
    recipe(&bench, "\"x86_64\"", "\"pond\"", &keys(), "");
    lock(&bench).exits(3).says("pond-0:1-1.noarch of build pond-1-1: Koji has no signature of it");
    recipe(&bench, "\"x86_64\"", "\"pond\"", &format!("{}\non-unsigned = \"sign\"", keys()), "");
    lock(&bench).exits(0);
    let lines = packages(&bench);
    assert_ne!(lines.lines().nth(1).unwrap().split('\t').nth(5), Some("-"), "{lines}");
}

/// The hub believes the id in a signature, as Koji does; whoever composes does not.
#[test]
fn signatures_of_imported_packages_are_verified() {
    let bench = Bench::new();
    bird(&bench, "goose", &signed_wrongly(&sample::installable("goose", "1"), signer()));
    bird(&bench, "swan", &signed(&sample::installable("swan", "1"), stranger()));
    recipe(&bench, "\"x86_64\"", "\"goose\", \"swan\"", &keys(), "");
    let (key, other) = (sigkey(signer()), sigkey(stranger()));
    lock(&bench)
        .exits(3)
        .says(&format!(
            "goose-0:1-1.noarch of build goose-1-1: Koji has signatures by {key}, but what it calls one by an accepted \
             key is none"
        ))
        .says(&format!("swan-0:1-1.noarch of build swan-1-1: Koji has signatures by {other}"));
    assert!(!bench.path("r.lock").exists());
    // There is no copy of them without a signature that another could be put into.
    recipe(&bench, "\"x86_64\"", "\"swan\"", &format!("{}\non-unsigned = \"sign\"", keys()), "");
    lock(&bench).exits(3).says("swan-0:1-1.noarch (signed by");
}

/// Signed copies as Koji makes them, by the real command line: asked for by their key, and put together where they are gone.
#[test]
fn copies_that_koji_signed_are_asked_for_by_their_key() {
    let Some((koji, _)) = peers("copies_that_koji_signed_are_asked_for_by_their_key") else { return };
    let bench = Bench::new();
    administrator(&bench, "hub");
    for name in ["goose", "pond"] {
        bird(&bench, name, &sample::installable(name, "1"));
    }
    let goose = signed(&sample::installable("goose", "1"), signer());
    let other = signed(&sample::installable("goose", "1"), stranger());
    let key = sigkey(signer());
    let serving = Serving::start(&bench, "hub");
    let ask = |arguments: &[&str]| serving::koji(&bench, &koji, serving.port, arguments).exits(0);
    for (folder, copy) in [("ours", &goose), ("others", &other)] {
        let file = bench.write(&format!("{folder}/goose-1-1.noarch.rpm"), copy);
        ask(&["import-sig", file.to_str().unwrap()]);
    }
    ask(&["write-signed-rpm", &key, "goose-1-1.noarch"]);
    assert_eq!(serving.end(), Some(0));

    let source = format!("{}\non-unsigned = \"sign\"", keys());
    recipe(&bench, "\"x86_64\"", "\"goose\", \"pond\"", &source, "");
    lock(&bench).exits(0);
    let lines = packages(&bench);
    let line = |name: &str| lines.lines().find(|line| line.starts_with(name)).unwrap();
    let fields: Vec<_> = line("goose-").split('\t').collect();
    let copy = format!("packages/goose/1/1/data/signed/{key}/noarch/goose-1-1.noarch.rpm");
    assert_eq!((fields[3], fields[5]), (Digest::of(&goose).hex().as_str(), "-"), "{lines}");
    let origins =
        format!("koji:birds:{copy} koji-signed:birds:packages/goose/1/1/noarch/goose-1-1.noarch.rpm:");
    assert!(fields[6].starts_with(&origins), "{lines}");
    // What no key of Koji's has signed is signed by the recipe's backend, as the primary file.
    let fields: Vec<_> = line("pond-").split('\t').collect();
    let ours = demonstration("goose", "2026-11-01T00:00:00Z".parse().unwrap(), "Gosling Linux").unwrap();
    assert_eq!(fields[5], ours.certificate().fingerprint().to_string(), "{lines}");
    assert_eq!(fields[6], "koji:birds:packages/pond/1/1/noarch/pond-1-1.noarch.rpm", "{lines}");
    gander(&bench, "store", &["compose", "r.toml", "--output", "out"]).exits(0);
    let first = files(&bench.path("out"));
    let shipped = first.iter().find(|(path, _)| path.ends_with("goose-1-1.noarch.rpm")).unwrap();
    assert_eq!(*shipped.1, Digest::of(&goose));
    fs::remove_file(bench.path("hub/topdir").join(copy)).unwrap();
    gander(&bench, "other", &["--offline", "compose", "--locked", "r.toml", "--output", "again"]).exits(0);
    assert_eq!(files(&bench.path("again")), first);
}

#[test]
fn builds_on_other_volumes_are_taken_from_there() {
    let bench = Bench::new();
    for name in ["goose", "pond"] {
        bird(&bench, name, &sample::installable(name, "1"));
    }
    let hub = Hub::open(&bench.path("hub")).unwrap();
    let mut write = hub.write().unwrap();
    let stamp = Stamp::new(Time::from_seconds(1_767_312_001.0).unwrap(), 1);
    write.add_volume(&stamp, None, "slow").unwrap();
    write.change_build_volume(&stamp, &"goose-1-1".into(), &"slow".into()).unwrap();
    write.commit().unwrap();
    drop(hub);
    // As Koji moves builds, without the link that it leaves behind.
    let topdir = bench.path("hub/topdir");
    fs::create_dir_all(topdir.join("vol/slow/packages/goose/1")).unwrap();
    fs::rename(topdir.join("packages/goose/1/1"), topdir.join("vol/slow/packages/goose/1/1")).unwrap();

    let source = "on-unsigned = \"allow\"";
    let goose = "\tkoji:birds:vol/slow/packages/goose/1/1/noarch/goose-1-1.noarch.rpm\t";
    let pond = "\tkoji:birds:packages/pond/1/1/noarch/pond-1-1.noarch.rpm\t";
    for (volumes, wanted, expected) in [
        ("", "\"goose\", \"pond\"", [true, true]),
        (", volumes = [\"DEFAULT\", \"slow\"]", "\"goose\", \"pond\"", [true, true]),
        (", volumes = [\"slow\"]", "\"goose\"", [true, false]),
        (", volumes = [\"DEFAULT\"]", "\"pond\"", [false, true]),
    ] {
        recipe(&bench, "\"x86_64\"", wanted, source, volumes);
        lock(&bench).exits(0);
        let lines = packages(&bench);
        assert_eq!([goose, pond].map(|origin| lines.contains(origin)), expected, "{volumes}: {lines}");
    }
    recipe(&bench, "\"x86_64\"", "\"goose\"", source, ", volumes = [\"DEFAULT\"]");
    lock(&bench).exits(2).says("goose");
    // From the lock alone, in another store.
    recipe(&bench, "\"x86_64\"", "\"goose\"", source, "");
    lock(&bench).exits(0);
    gander(&bench, "other", &["--offline", "compose", "r.toml", "--output", "out"]).exits(0);
    assert!(files(&bench.path("out")).keys().any(|path| path.ends_with("goose-1-1.noarch.rpm")));
}

/// ExclusiveArch and ExcludeArch stand in source packages; mash looks there, Pungi in the packages themselves.
#[test]
fn noarch_packages_follow_their_source_package_where_the_recipe_says_so() {
    const EXCLUDE: u32 = 1059;
    const EXCLUSIVE: u32 = 1061;
    let bench = Bench::new();
    for (name, of_source, own) in [
        ("plain", &[][..], &[][..]),
        ("kept", &[(EXCLUSIVE, "x86_64")], &[]),
        ("barred", &[(EXCLUDE, "aarch64")], &[]),
        // What the package says of itself counts for Pungi alone.
        ("own", &[], &[(EXCLUSIVE, "aarch64")]),
        ("both", &[(EXCLUSIVE, "x86_64")], &[(EXCLUSIVE, "aarch64")]),
    ] {
        import(&bench, name, &package(name, true, of_source), &package(name, false, own));
    }
    let trees = |rule: &str| {
        recipe(&bench, "\"x86_64\", \"aarch64\"", "\"*\"", "on-unsigned = \"allow\"", rule);
        lock(&bench).exits(0);
        let lines = packages(&bench);
        let of = |line: &str| {
            let fields: Vec<_> = line.split('\t').collect();
            let arches: Vec<_> = ["aarch64", "x86_64"]
                .into_iter()
                .filter(|arch| fields[7].contains(&format!("Base/{arch}")))
                .collect();
            format!("{} {}", fields[0].split('-').next().unwrap(), arches.join(" "))
        };
        lines.lines().skip(1).map(of).collect::<Vec<_>>()
    };
    let header = [
        "barred aarch64 x86_64",
        "both aarch64",
        "kept aarch64 x86_64",
        "own aarch64",
        "plain aarch64 x86_64",
    ];
    assert_eq!(trees(""), header);
    assert_eq!(trees(", noarch = \"header\""), header);
    let source = trees(", noarch = \"source\"");
    assert_eq!(
        source,
        ["barred x86_64", "both x86_64", "kept x86_64", "own aarch64 x86_64", "plain aarch64 x86_64"]
    );
    let text = fs::read_to_string(bench.path("r.lock/lock.toml")).unwrap();
    assert!(text.contains("noarch = \"source\"\n"), "{text}");
    // And so it is composed, from the lock alone.
    gander(&bench, "other", &["--offline", "compose", "r.toml", "--output", "out"]).exits(0);
    let composed = files(&bench.path("out"));
    let of = |arch: &str| {
        let folder = format!("compose/Base/{arch}/os/Packages/");
        let names = composed.keys().filter_map(|path| path.strip_prefix(&folder));
        names.map(|name| name.rsplit('/').next().unwrap().split('-').next().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(of("x86_64"), ["barred", "both", "kept", "own", "plain"]);
    assert_eq!(of("aarch64"), ["own", "plain"]);
}
