//! A key is changed for another one: signing with both for a while, and everything again after a compromise. Judged by rpm
//! 4.18, gpg and dnf.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests may panic, and start programs, read folders and the environment"
)]

#[allow(dead_code, reason = "shared with the tests of the command line")]
#[path = "cli/bench.rs"]
mod bench;
mod sample;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bench::{Bench, Output, has_peers, run};
use gander::base::SourceDate;
use gander::openpgp::inspect;
use gander::rpm::signature::{self, Item};
use gander::rpm::{Headers, edit, identify};
use gander::sign::key::{Algorithm, SecretKey, Spec, Subkeys};
use gander::sign::{LocalSigner, Signer as _};

const DATE: &str = "2026-11-01T00:00:00Z";

fn date() -> SourceDate {
    DATE.parse().unwrap()
}

/// A key with its files.
struct Key {
    signer: LocalSigner,
    secret: Vec<u8>,
    fingerprint: String,
}

/// The old key (RSA), the new one and that of somebody upstream (both Ed25519).
fn keys() -> &'static [Key; 3] {
    static KEYS: OnceLock<[Key; 3]> = OnceLock::new();
    KEYS.get_or_init(|| ["old", "new", "upstream"].map(key))
}

fn key(name: &str) -> Key {
    let made = SecretKey::generate(&Spec {
        algorithm: if name == "old" { Algorithm::Rsa(4096) } else { Algorithm::Ed25519 },
        user_id: &format!("{name} <{name}@example.org>"),
        created: "2026-01-01T00:00:00Z".parse().unwrap(),
        expires: None,
        subkeys: Subkeys::default(),
    })
    .unwrap();
    let (signer, secret) = (made.signer().unwrap(), made.protected(None).unwrap().to_vec());
    Key { fingerprint: signer.certificate().fingerprint().to_string(), signer, secret }
}

fn signed(package: &[u8], signers: &[&LocalSigner]) -> Vec<u8> {
    let headers = Headers::read(package).unwrap();
    let item = |signer: &&LocalSigner| {
        let packet = signer.sign_detached(headers.main.bytes(), date()).unwrap();
        Item::for_packet(&packet).unwrap()
    };
    let items: Vec<_> = signers.iter().map(item).collect();
    let header = edit::edit(&headers.signature, &[], &items).unwrap();
    let mut signed = Vec::new();
    edit::splice(package, &header, &mut signed).unwrap();
    signed
}

/// A bench with four packages: two without signature, one signed by the old key, one by upstream's.
fn prepared() -> Bench {
    let bench = Bench::new();
    let [old, new, upstream] = keys();
    let package = |name: &str| sample::installable(name, "1");
    bench.write("r/rpms/goose-1-1.noarch.rpm", package("goose"));
    bench.write("r/rpms/pond-1-1.noarch.rpm", package("pond"));
    bench.write("r/rpms/swan-1-1.noarch.rpm", signed(&package("swan"), &[&old.signer]));
    bench.write("r/rpms/duck-1-1.noarch.rpm", signed(&package("duck"), &[&upstream.signer]));
    for (name, key) in [("old", old), ("new", new), ("upstream", upstream)] {
        bench.write(&format!("r/keys/{name}.asc"), key.signer.certificate().armored());
        bench.write(&format!("secret/{name}.key"), &key.secret);
    }
    bench
}

/// Writes the recipe with this [sign] and these accepted keys.
fn recipe(bench: &Bench, sign: &str, accepted: &[&Key]) {
    let accepted: Vec<_> = accepted.iter().map(|key| format!("\"{}\"", key.fingerprint)).collect();
    let sign = sign.replace("SECRET", bench.path("secret").to_str().unwrap());
    bench.write(
        "r/r.toml",
        format!(
            "[release]\nname = \"Goose Linux\"\nshort = \"Goose\"\nversion = \"1\"\nsource-date = \"{DATE}\"\n\n\
             [[source]]\ndir = \"rpms\"\nkeys = [{}]\non-unsigned = \"sign\"\n\n[variant.Base]\n\
             arches = [\"x86_64\"]\npackages = [\"goose\", \"pond\", \"swan\", \"duck\"]\nsources = false\n\n\
             [repodata]\ncompression = \"gz\"\n\n[sign]\n{sign}\n",
            accepted.join(", ")
        ),
    );
}

const OLD: &str = "key-file = \"SECRET/old.key\"";
const NEW: &str = "key-file = \"SECRET/new.key\"";
const OLD_THEN_NEW: &str = "key-file = \"SECRET/old.key\"\nalso = [{ key-file = \"SECRET/new.key\" }]";
const NEW_THEN_OLD: &str = "key-file = \"SECRET/new.key\"\nalso = [{ key-file = \"SECRET/old.key\" }]";

fn gander(bench: &Bench, store: &str, arguments: &[&str]) -> Output {
    run(bench.gander().arg("--store").arg(bench.path(store)).args(arguments))
}

/// The files below a folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut found, mut open) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(path) = open.pop() {
        for entry in fs::read_dir(&path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap();
                // Lists of repositories are named by their digests.
                let name = match name.split_once("repodata/") {
                    Some((above, file)) if file.len() > 65 => format!("{above}repodata/{}", &file[65..]),
                    _ => name.to_owned(),
                };
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

const TREE: &str = "compose/Base/x86_64/os";

/// What differs between two folders, below the tree or by its whole path.
fn different(one: &BTreeMap<String, Vec<u8>>, two: &BTreeMap<String, Vec<u8>>) -> BTreeSet<String> {
    let names = one.keys().chain(two.keys()).filter(|name| one.get(*name) != two.get(*name));
    let short = |name: &String| name.strip_prefix(TREE).map_or(name.clone(), |below| below[1..].to_owned());
    names.map(short).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn package_path(name: &str) -> String {
    format!("Packages/{}/{name}-1-1.noarch.rpm", &name[..1])
}

fn in_tree<'a>(files: &'a BTreeMap<String, Vec<u8>>, path: &str) -> &'a [u8] {
    files.get(&format!("{TREE}/{path}")).unwrap_or_else(|| panic!("{path}: {:?}", files.keys()))
}

/// Who signed a package, as its packets say.
fn issuers(package: &[u8]) -> Vec<String> {
    let packets = signature::packets(&Headers::read(package).unwrap().signature).unwrap();
    packets
        .iter()
        .flat_map(|(_, packet)| inspect(packet).unwrap())
        .filter_map(|info| info.issuer_name())
        .collect()
}

/// The metadata of a repository without what tells one signature header from another.
fn bare_primary(files: &BTreeMap<String, Vec<u8>>) -> String {
    let name =
        files.keys().find(|name| name.ends_with("-primary.xml.gz") || name.ends_with("/primary.xml.gz"));
    let mut text = String::new();
    let packed = &files[name.unwrap()][..];
    std::io::Read::read_to_string(&mut flate2::read::MultiGzDecoder::new(packed), &mut text).unwrap();
    let text = text.replace('<', "\n<");
    let signing = ["<checksum ", "<size ", "<rpm:header-range ", "<time "];
    let lines: Vec<_> =
        text.lines().filter(|line| !signing.iter().any(|word| line.trim().starts_with(word))).collect();
    assert!(lines.len() > 20 && text.lines().count() > lines.len(), "{text}");
    lines.join("\n")
}

/// rpm's verdicts on packages with nothing but these keys imported.
fn rpm_accepts(out: &Path, keys: &[&Key]) -> BTreeMap<String, bool> {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("_dbpath {}", folder.path().join("db").display());
    for key in keys {
        let file = folder.path().join("key.asc");
        fs::write(&file, key.signer.certificate().armored()).unwrap();
        run(Command::new("rpmkeys").args(["--define", &database, "--import"]).arg(file)).exits(0);
    }
    ["goose", "pond", "swan", "duck"]
        .into_iter()
        .map(|name| {
            let path = out.join(TREE).join(package_path(name));
            let verdict = run(Command::new("rpmkeys").args(["--define", &database, "-K"]).arg(path));
            (name.to_owned(), verdict.code == Some(0) && verdict.stdout.contains("signatures OK"))
        })
        .collect()
}

fn accepted(names: &[&str]) -> BTreeMap<String, bool> {
    let all = ["goose", "pond", "swan", "duck"];
    all.iter().map(|name| ((*name).to_owned(), names.contains(name))).collect()
}

fn stolen() -> String {
    format!("{NEW}\ncompromised = [\"{}\"]", keys()[0].fingerprint)
}

/// A release signed by the old key, in `one`; the recipe then says that it is compromised.
fn compromised() -> Bench {
    let bench = prepared();
    let [old, _, upstream] = keys();
    recipe(&bench, OLD, &[upstream, old]);
    gander(&bench, "store", &["compose", "r/r.toml", "--output", "one"]).exits(0);
    recipe(&bench, &stolen(), &[upstream]);
    bench
}

#[test]
fn after_a_compromise_everything_is_signed_again_and_nothing_else_changes() {
    let bench = compromised();
    let [old, new, upstream] = keys();
    let lock = files(&bench.path("r/r.lock"));
    gander(&bench, "store", &["compose", "r/r.toml", "--output", "two"]).exits(2).says("--resign");
    let again = gander(&bench, "store", &["compose", "--resign", "r/r.toml", "--output", "two"]).exits(0);
    let (old_key, new_key) = (&old.fingerprint, &new.fingerprint);
    for line in [
        format!("~ metadata: signed by {new_key} instead of {old_key}"),
        format!("- key {old_key}"),
        format!("+ key {new_key}"),
        format!("~ 2 packages: signed by {new_key} instead of {old_key}"),
        format!("~ 1 packages: signed by {new_key} instead of the one that they came with"),
        "~ 3 package files: other signature headers, the rest of them as it was".into(),
        format!("+ 3 rpm-header signatures by {new_key}"),
        format!("+ 1 detached signatures by {new_key}"),
    ] {
        assert!(again.stdout.lines().any(|found| found == line), "no {line:?} in\n{again}");
    }

    let (one, two) = (files(&bench.path("one")), files(&bench.path("two")));
    let names: BTreeSet<_> = one.keys().collect();
    assert_eq!(names, two.keys().collect(), "files came or went");
    let goose = package_path("goose");
    let signing = [
        goose.as_str(),
        &package_path("pond"),
        &package_path("swan"),
        "RPM-GPG-KEY-Goose",
        "repodata/primary.xml.gz",
        "repodata/filelists.xml.gz",
        "repodata/other.xml.gz",
        "repodata/repomd.xml",
        "repodata/repomd.xml.asc",
        "compose/metadata/rpms.json",
    ];
    assert_eq!(different(&one, &two), set(&signing));
    assert_eq!(bare_primary(&one), bare_primary(&two));
    for name in ["goose", "pond", "swan"] {
        let (before, now) = (in_tree(&one, &package_path(name)), in_tree(&two, &package_path(name)));
        let (main, again) = (Headers::read(before).unwrap().main, Headers::read(now).unwrap().main);
        assert_eq!(main.bytes(), again.bytes(), "{name}");
        let payload = |package: &[u8], main: &[u8]| {
            let place = package.windows(main.len()).position(|piece| piece == main).unwrap();
            package[place + main.len()..].to_vec()
        };
        assert_eq!(payload(before, main.bytes()), payload(now, main.bytes()), "{name}");
        assert_eq!(identify(before).unwrap().1.content, identify(now).unwrap().1.content);
        assert_eq!((issuers(before), issuers(now)), (vec![old_key.clone()], vec![new_key.clone()]), "{name}");
    }
    assert_eq!(in_tree(&two, "RPM-GPG-KEY-Goose"), new.signer.certificate().armored().as_bytes());

    // The old lock's signatures stay on record; everything else of it but keys is as it was.
    let changed = files(&bench.path("r/r.lock"));
    let texts: BTreeSet<_> =
        different(&lock, &changed).into_iter().filter(|name| !name.starts_with("objects/")).collect();
    assert_eq!(texts, set(&["lock.toml", "packages", "signatures", "signed"]));
    let lines = |lock: &BTreeMap<String, Vec<u8>>| -> BTreeSet<String> {
        String::from_utf8_lossy(&lock["signatures"]).lines().map(str::to_owned).collect()
    };
    assert!(lines(&lock).is_subset(&lines(&changed)));

    // Once more: the same bytes, nothing signed.
    let once_more = gander(&bench, "store", &["compose", "--resign", "r/r.toml", "--output", "two"]).exits(0);
    assert!(!once_more.stdout.contains("signatures by"), "{once_more}");
    assert_eq!((files(&bench.path("two")), files(&bench.path("r/r.lock"))), (two.clone(), changed));

    // Elsewhere, without any key.
    fs::remove_dir_all(bench.path("secret")).unwrap();
    gander(&bench, "elsewhere", &["compose", "--locked", "r/r.toml", "--output", "three"]).exits(0);
    assert_eq!(files(&bench.path("three")), two);

    if has_peers(&["rpmkeys"]) {
        let of = |out: &str, keys: &[&Key]| rpm_accepts(&bench.path(out), keys);
        assert_eq!(of("one", &[old, upstream]), accepted(&["goose", "pond", "swan", "duck"]));
        assert_eq!(of("two", &[new, upstream]), accepted(&["goose", "pond", "swan", "duck"]));
        assert_eq!(of("two", &[new]), accepted(&["goose", "pond", "swan"]));
        assert_eq!(of("two", &[old]), accepted(&[]));
    }
}

#[test]
fn only_keys_may_have_changed_and_none_that_is_compromised_counts() {
    let bench = compromised();
    let [old, _, upstream] = keys();
    let lock = files(&bench.path("r/r.lock"));
    let resign = || gander(&bench, "store", &["lock", "--resign", "r/r.toml"]);
    let is_said = |text: &str| {
        resign().exits(2).says(text);
        assert_eq!(files(&bench.path("r/r.lock")), lock);
    };
    let by_old = format!("{OLD}\ncompromised = [\"{}\"]", old.fingerprint);
    recipe(&bench, &by_old, &[upstream]);
    is_said("is among the compromised ones");
    recipe(
        &bench,
        &stolen().replace("compromised", "also = [{ key-file = \"SECRET/old.key\" }]\ncompromised"),
        &[],
    );
    is_said("is among the compromised ones");
    recipe(&bench, &stolen(), &[upstream, old]);
    is_said("is compromised, but the recipe names it");
    recipe(
        &bench,
        &format!("{NEW}\nalso = [{{ key-file = \"{}\" }}]", bench.path("secret/../secret/new.key").display()),
        &[],
    );
    is_said("twice");
    recipe(&bench, &stolen(), &[upstream]);
    let good = fs::read_to_string(bench.path("r/r.toml")).unwrap();
    bench.write("r/r.toml", good.replace("\"pond\", ", ""));
    is_said("not only the keys changed");
    bench.write("r/r.toml", good.replace("\"gz\"", "\"xz\""));
    is_said("[repodata] differs");
    bench.write("r/r.toml", &good);
    bench.write("r/rpms/gull-1-1.noarch.rpm", sample::installable("gull", "1"));
    is_said("a file that the recipe names differs");
    fs::remove_file(bench.path("r/rpms/gull-1-1.noarch.rpm")).unwrap();
    resign().exits(0);

    // Resolving anew comes to the same packages and keys.
    let resigned = files(&bench.path("r/r.lock"));
    gander(&bench, "store", &["lock", "--update", "r/r.toml"]).exits(0);
    assert_eq!(files(&bench.path("r/r.lock")), resigned);
}

/// How often a run said that it signed so many packages.
fn signed_in(output: &Output) -> Vec<String> {
    output
        .stderr
        .lines()
        .filter(|line| line.contains("signed ") && line.contains(" with key "))
        .map(str::to_owned)
        .collect()
}

#[test]
fn who_is_stopped_half_way_does_not_sign_the_same_again() {
    let bench = compromised();
    let before = files(&bench.path("r/r.lock"));
    gander(&bench, "store", &["compose", "--resign", "r/r.toml", "--output", "two"]).exits(0);
    let (two, after) = (files(&bench.path("two")), files(&bench.path("r/r.lock")));
    let restore = |lock: &BTreeMap<String, Vec<u8>>| {
        fs::remove_dir_all(bench.path("r/r.lock")).unwrap();
        lock.iter().for_each(|(name, bytes)| drop(bench.write(&format!("r/r.lock/{name}"), bytes)));
    };
    let by_new = format!("\t{}\t", keys()[1].fingerprint);
    let table = |lock: &BTreeMap<String, Vec<u8>>| String::from_utf8(lock["signatures"].clone()).unwrap();

    // One of three signatures was made.
    let mut partly = before.clone();
    let one = table(&after)
        .lines()
        .find(|line| line.starts_with("rpm-header") && line.contains(&by_new))
        .unwrap()
        .to_owned();
    partly.insert("signatures".into(), format!("{}{one}\n", table(&before)).into_bytes());
    restore(&partly);
    let again = gander(&bench, "fresh", &["compose", "--resign", "r/r.toml", "--output", "again"]).exits(0);
    assert!(signed_in(&again).iter().any(|line| line.contains("signed 2 with")), "{again}");
    assert_eq!((files(&bench.path("again")), files(&bench.path("r/r.lock"))), (two.clone(), after.clone()));

    // Killed as soon as signatures of packages are kept.
    for _ in 0..10 {
        restore(&before);
        fs::remove_dir_all(bench.path("fresh")).unwrap();
        let mut command = bench.gander();
        command
            .arg("--store")
            .arg(bench.path("fresh"))
            .args(["compose", "--resign", "r/r.toml", "--output", "killed"]);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let mut child = command.spawn().unwrap();
        let start = Instant::now();
        let kept = || {
            fs::read_to_string(bench.path("r/r.lock/signatures")).is_ok_and(|table| table.contains(&by_new))
        };
        while !kept() && start.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let in_time = child.try_wait().unwrap().is_none();
        child.kill().unwrap();
        child.wait().unwrap();
        if !in_time {
            continue;
        }
        let again =
            gander(&bench, "fresh", &["compose", "--resign", "r/r.toml", "--output", "killed"]).exits(0);
        assert!(signed_in(&again).iter().all(|line| line.contains("signed 1 with")), "{again}");
        assert_eq!((files(&bench.path("killed")), files(&bench.path("r/r.lock"))), (two, after));
        return;
    }
    panic!("the moment was missed 10 times");
}

/// What gpg says of a file with its signature, when it knows these keys: exit code, and who signed well.
fn gpg(arguments: &[&Path], keys: &[&Key]) -> (Option<i32>, usize) {
    let home = tempfile::tempdir().unwrap();
    let gpg = || {
        let mut command = Command::new("gpg");
        command.arg("--homedir").arg(home.path()).args(["--batch", "--quiet", "--status-fd", "1"]);
        command
    };
    for key in keys {
        let file = home.path().join("key.asc");
        fs::write(&file, key.signer.certificate().armored()).unwrap();
        run(gpg().arg("--import").arg(file)).exits(0);
    }
    let output = run(gpg().arg("--verify").args(arguments));
    (output.code, output.stdout.matches("[GNUPG:] VALIDSIG ").count())
}

/// Whether dnf takes the metadata of a tree with these keys.
fn dnf_takes(bench: &Bench, out: &str, keys: &[&Key]) -> bool {
    let home = tempfile::tempdir().unwrap();
    let armored: String = keys.iter().map(|key| key.signer.certificate().armored()).collect();
    let key = bench.write("dnf.asc", armored);
    let mut command = Command::new("dnf");
    command.args(["-y", "--disableplugin=local", "--releasever=1", "--setopt=reposdir=/nowhere"]);
    command.args(["--setopt=varsdir=/nowhere", "--repo=goose", "--setopt=goose.repo_gpgcheck=1"]);
    command.arg(format!("--setopt=goose.gpgkey=file://{}", key.display()));
    command.arg(format!("--repofrompath=goose,file://{}", bench.path(out).join(TREE).display()));
    for name in ["cachedir", "logdir", "persistdir"] {
        fs::create_dir(home.path().join(name)).unwrap();
        command.arg(format!("--setopt={name}={}", home.path().join(name).display()));
    }
    command.arg(format!("--installroot={}", home.path().join("root").display()));
    command.env("HOME", home.path()).env("LC_ALL", "C.UTF-8");
    let output = run(command.args(["repoquery", "--qf", "%{name}"]));
    output.code == Some(0) && output.stdout.lines().any(|line| line == "goose")
}

#[test]
fn for_a_while_both_keys_sign_and_whoever_has_one_of_them_goes_on() {
    let bench = prepared();
    let [old, new, upstream] = keys();
    let compose = |sign: &str, out: &str, resign: bool| {
        recipe(&bench, sign, &[upstream, old]);
        let mut arguments = vec!["compose", "r/r.toml", "--output", out];
        arguments.extend(resign.then_some("--resign"));
        (gander(&bench, "store", &arguments).exits(0), files(&bench.path(out)))
    };
    let both = [&old.signer, &new.signer].map(|signer| signer.certificate().armored());

    // 0: by the old key alone. 1: metadata by both, the old one first.
    let (_, zero) = compose(OLD, "zero", false);
    let (said, one) = compose(OLD_THEN_NEW, "one", true);
    assert!(!said.stdout.contains("packages"), "{said}");
    assert_eq!(different(&zero, &one), set(&["RPM-GPG-KEY-Goose", "repodata/repomd.xml.asc"]));
    assert_eq!(in_tree(&one, "RPM-GPG-KEY-Goose"), both.concat().as_bytes());
    let by = |files: &BTreeMap<String, Vec<u8>>| -> Vec<_> {
        let infos = inspect(in_tree(files, "repodata/repomd.xml.asc")).unwrap();
        infos.iter().filter_map(|info| info.issuer_name()).collect()
    };
    assert_eq!(by(&one), [&*old.fingerprint, &*new.fingerprint]);

    // 2: packages by the new key, metadata still by both. 3: the new one alone.
    let (_, two) = compose(NEW_THEN_OLD, "two", true);
    assert_eq!(by(&two), [&*new.fingerprint, &*old.fingerprint]);
    assert_eq!(issuers(in_tree(&two, &package_path("goose"))), [&*new.fingerprint]);
    // Nobody said that the old key is compromised, and it is accepted: what it signed before stays.
    assert_eq!(issuers(in_tree(&two, &package_path("swan"))), [&*old.fingerprint]);
    let (_, three) = compose(NEW, "three", true);
    assert_eq!(different(&two, &three), set(&["RPM-GPG-KEY-Goose", "repodata/repomd.xml.asc"]));
    assert_eq!(in_tree(&three, "RPM-GPG-KEY-Goose"), both[1].as_bytes());

    // From the lock alone.
    recipe(&bench, NEW_THEN_OLD, &[upstream, old]);
    gander(&bench, "store", &["compose", "--resign", "r/r.toml", "--output", "two"]).exits(0);
    let secret = fs::read(bench.path("secret/old.key")).unwrap();
    fs::remove_file(bench.path("secret/old.key")).unwrap();
    gander(&bench, "elsewhere", &["compose", "--locked", "r/r.toml", "--output", "locked"]).exits(0);
    assert_eq!(files(&bench.path("locked")), two);

    // A key that is not here is named with what it has to sign.
    let table = fs::read_to_string(bench.path("r/r.lock/signatures")).unwrap();
    let lacks = |line: &&str| !(line.starts_with("detached") && line.contains(&old.fingerprint));
    let lines: Vec<_> = table.lines().filter(lacks).collect();
    bench.write("r/r.lock/signatures", format!("{}\n", lines.join("\n")));
    let lacking = format!("detached of repomd.xml of Base/x86_64 by {}", old.fingerprint);
    gander(&bench, "store", &["compose", "r/r.toml", "--output", "lacking"]).exits(3).says(&lacking);
    bench.write("secret/old.key", secret);
    gander(&bench, "store", &["compose", "r/r.toml", "--output", "lacking"]).exits(0);
    assert_eq!(files(&bench.path("lacking")), two);

    if has_peers(&["gpg"]) {
        for out in ["one", "two"] {
            let file = |name: &str| bench.path(out).join(TREE).join("repodata").join(name);
            let arguments = [file("repomd.xml.asc"), file("repomd.xml")];
            let verdict = |keys: &[&Key]| gpg(&[&arguments[0], &arguments[1]], keys);
            assert_eq!(verdict(&[old, new]), (Some(0), 2));
            // A good signature, and one by a key that it does not know: exit code 2.
            assert_eq!((verdict(&[old]), verdict(&[new])), ((Some(2), 1), (Some(2), 1)));
            assert_eq!(verdict(&[upstream]), (Some(2), 0));
        }
    }
    if has_peers(&["dnf"]) {
        for (out, takes) in
            [("zero", [true, false]), ("one", [true, true]), ("two", [true, true]), ("three", [false, true])]
        {
            assert_eq!([dnf_takes(&bench, out, &[old]), dnf_takes(&bench, out, &[new])], takes, "{out}");
        }
        assert!(dnf_takes(&bench, "one", &[old, new]));
        assert!(!dnf_takes(&bench, "one", &[upstream]));
    }
}

/// A package of format 4 has a place for an RSA signature and one for another; rpm 4.18 wants the keys of both.
#[test]
fn rpm_wants_every_key_that_signed_a_package() {
    if !has_peers(&["rpmkeys"]) {
        return;
    }
    let [old, new, upstream] = keys();
    let bench = Bench::new();
    for name in ["goose", "pond", "swan", "duck"] {
        let package = signed(&sample::installable(name, "1"), &[&old.signer, &new.signer]);
        bench.write(&format!("out/{TREE}/{}", package_path(name)), package);
    }
    for (keys, expected) in
        [(vec![old, new], true), (vec![old], false), (vec![new], false), (vec![upstream], false)]
    {
        let found = rpm_accepts(&bench.path("out"), &keys);
        assert!(found.values().all(|accepts| *accepts == expected), "{:?} {found:?}", keys.len());
    }
}
