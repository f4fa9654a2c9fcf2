//! From repositories to a lock and a compose, with the built binary.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gander::base::digest::hex;
use gander::base::{Digest, SourceDate};
use gander::openpgp::Hashing;
use gander::rpm::Headers;
use gander::sign::{Signer as _, demonstration};

use super::bench::{Bench, Output, has_peers, run};
use super::sample;
use super::server::{Act, Server};
use super::world::*;

const DATE: &str = "2026-11-01T00:00:00Z";

/// A bench with a recipe whose only source is this repository.
pub fn bench(repo: &str) -> Bench {
    let bench = Bench::new();
    recipe(&bench, &format!("keys = [\"{}\"]\nrepo = {{ id = \"birds\", {repo} }}", fingerprint()));
    bench.write("keys/goose.asc", signer().certificate().armored());
    bench
}

fn fingerprint() -> String {
    signer().certificate().fingerprint().to_string()
}

fn recipe(bench: &Bench, source: &str) {
    bench.write(
        "r.toml",
        format!(
            "[release]\nname = \"Gosling Linux\"\nshort = \"Goose\"\nversion = \"1\"\nsource-date = \"{DATE}\"\n\n\
             [[source]]\n{source}\n\n[variant.Base]\narches = [\"x86_64\"]\npackages = [\"goose\", \"pond\"]\n\
             sources = false\n\n[sign]\ndemonstration = \"goose\"\n"
        ),
    );
}

pub fn gander(bench: &Bench, store: &str, arguments: &[&str]) -> Output {
    run(bench.gander().args(["--store", store]).args(arguments))
}

pub fn lock(bench: &Bench) -> Output {
    gander(bench, "store", &["lock", "--update", "r.toml"])
}

/// Every file below a folder with its digest.
pub fn files(folder: &Path) -> BTreeMap<String, Digest> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        for entry in fs::read_dir(&path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.insert(name, Digest::of(fs::read(&path).unwrap()));
            }
        }
    }
    found
}

#[test]
fn from_a_repository_to_a_compose_and_back() {
    let world = World::new();
    let folder = world.repository("a", "1");
    let server = Server::honest(&folder);
    let bench = bench(&format!("baseurl = \"{}\", repo_gpgcheck = true", server.url));
    lock(&bench).exits(0);
    let packages = fs::read_to_string(bench.path("r.lock/packages")).unwrap();
    assert!(packages.contains("\trepo:birds:Packages/goose-1-1.noarch.rpm\t"), "{packages}");
    assert!(!packages.contains("swan"), "{packages}");
    let header = fs::read_to_string(bench.path("r.lock/lock.toml")).unwrap();
    let repomd = Digest::of(fs::read(folder.join("repodata/repomd.xml")).unwrap());
    let pinned = format!("id = \"birds\"\nmirrors = [\"{}\"]\nrepomd = \"{repomd}\"", server.url);
    assert!(header.contains(&pinned), "{header}");
    assert!(bench.path(&format!("r.lock/objects/{}", repomd.hex())).is_file());
    // Of packages that are not selected nothing is asked for.
    assert!(server.packages().iter().all(|path| !path.contains("swan")), "{:?}", server.packages());

    let asked = server.asked().len();
    // Signs repomd.xml.
    gander(&bench, "store", &["compose", "r.toml", "--output", "out"]).exits(0);
    assert_eq!(server.asked().len(), asked, "all of it is in the store");
    let first = files(&bench.path("out"));
    let goose = fs::read(folder.join("Packages/goose-1-1.noarch.rpm")).unwrap();
    let shipped = first.iter().find(|(path, _)| path.ends_with("goose-1-1.noarch.rpm")).unwrap();
    assert_eq!(*shipped.1, Digest::of(&goose), "shipped as it was signed");

    // From the lock alone: what the repository became meanwhile does not matter, only whether it has the bytes.
    fs::remove_dir_all(folder.join("repodata")).unwrap();
    gander(&bench, "other", &["compose", "--locked", "r.toml", "--output", "second"]).exits(0);
    assert_eq!(files(&bench.path("second")), first);
    let again: Vec<_> = server.asked().split_off(asked);
    assert_eq!(again.len(), 2, "{again:?}");
    gander(&bench, "other", &["--offline", "compose", "--locked", "r.toml", "--output", "third"]).exits(0);
    assert_eq!(files(&bench.path("third")), first);
    gander(&bench, "empty", &["--offline", "compose", "--locked", "r.toml", "--output", "fourth"])
        .exits(3)
        .says("goose-1-1.noarch.rpm")
        .says("without --offline");

    // Any other place with the same bytes will do.
    let copy = Server::honest(&folder);
    let header = header
        .replace(&format!("[\"{}\"]", server.url), &format!("[\"http://127.0.0.1:1\", \"{}\"]", copy.url));
    bench.write("r.lock/lock.toml", header);
    gander(&bench, "fifth-store", &["compose", "--locked", "r.toml", "--output", "fifth"]).exits(0);
    assert_eq!((files(&bench.path("fifth")), copy.packages().len()), (first, 2));

    dnf_installs(&bench, "out");
}

/// dnf installs from the composed tree, with all signatures checked.
fn dnf_installs(bench: &Bench, out: &str) {
    dnf(bench, out, &["install", "goose"]);
}

fn dnf(bench: &Bench, out: &str, arguments: &[&str]) {
    if !has_peers(&["dnf"]) {
        return;
    }
    let date: SourceDate = DATE.parse().unwrap();
    let metadata = demonstration("goose", date, "Gosling Linux").unwrap();
    let keys = [metadata.certificate().armored(), signer().certificate().armored()].concat();
    let key = bench.write("keys.asc", keys);
    let home = bench.path(&format!("dnf-{out}"));
    bench.write(&format!("dnf-{out}/.rpmmacros"), "%_dbpath /var/lib/rpm\n");
    let tree = bench.path(out).join("compose/Base/x86_64/os");
    let mut command = Command::new("dnf");
    // Debian's plug-in `local` fails below an installroot.
    command.args(["-y", "--disableplugin=local", "--releasever=1", "--setopt=reposdir=/nowhere"]);
    command.args(["--setopt=varsdir=/nowhere", "--repo=goose", "--setopt=goose.gpgcheck=1"]);
    command.arg("--setopt=goose.repo_gpgcheck=1");
    command.arg(format!("--setopt=goose.gpgkey=file://{}", key.display()));
    command.arg(format!("--repofrompath=goose,file://{}", tree.display()));
    for name in ["cachedir", "logdir", "persistdir"] {
        fs::create_dir_all(home.join(name)).unwrap();
        command.arg(format!("--setopt={name}={}", home.join(name).display()));
    }
    command.arg(format!("--installroot={}", home.join("root").display()));
    command.env("HOME", &home).env("LC_ALL", "C.UTF-8");
    run(command.args(arguments)).exits(0);
    assert_eq!(fs::read_to_string(home.join("root/usr/share/goose")).unwrap(), "goose 1\n");
}

/// By a metalink: the stale mirror is told and passed over, and the lock names those that are good, the best first.
#[test]
fn a_metalink_leads_to_the_mirrors_that_are_good() {
    let world = World::new();
    let (old, new) = (world.repository("old", "1"), world.repository("new", "2"));
    let servers = [Server::honest(&old), Server::honest(&new), Server::honest(&new)];
    let urls = servers.each_ref().map(|server| server.url.as_str());
    let list = world.path("www/metalink");
    write(&list, metalink(&new, &[], &urls));
    let lists = Server::honest(list.parent().unwrap());
    let bench = bench(&format!("metalink = \"{}/metalink\"", lists.url));
    lock(&bench).exits(0).says("a mirror of birds was passed over").says("the mirror is stale");
    let header = fs::read_to_string(bench.path("r.lock/lock.toml")).unwrap();
    assert_eq!(mirrors_of(&header), urls[1..]);
    assert!(fs::read_to_string(bench.path("r.lock/packages")).unwrap().contains("goose-0:2-1.noarch"));
    assert!(servers[0].packages().is_empty());
    // Only an older state, which the metalink knows: taken, and told.
    write(&list, metalink(&new, &[(7, &old)], &urls[..1]));
    lock(&bench)
        .exits(0)
        .says("warning: no mirror of birds has the state that its metalink calls the current one");
    // All stale: nothing wrong with any connection.
    write(&list, metalink(&new, &[], &urls[..1]));
    lock(&bench).exits(3).says("neither the metalink's nor one of its alternates");
}

/// The mirrors that a lock's header names.
fn mirrors_of(header: &str) -> Vec<String> {
    let list = header.split_once("mirrors = [").unwrap().1.split_once(']').unwrap().0;
    list.split(',').map(|url| url.trim().trim_matches('"').to_owned()).filter(|url| !url.is_empty()).collect()
}

#[test]
fn repositories_of_this_machine_need_no_network() {
    let world = World::new();
    let folder = world.repository("a", "1");
    let bench = bench(&format!("baseurl = \"file://{}\"", folder.display()));
    gander(&bench, "store", &["--offline", "lock", "r.toml"]).exits(0);
    recipe(&bench, "repo = { id = \"birds\", baseurl = \"http://127.0.0.1:1\", gpgcheck = false }");
    gander(&bench, "store", &["--offline", "lock", "--update", "r.toml"])
        .exits(3)
        .says("the network is not used");
}

#[test]
fn interrupted_downloads_go_on_where_they_ended() {
    let world = World::new();
    let folder = world.path("a");
    let mut all = packages("1");
    let goose = all.get_mut("Packages/goose-1-1.noarch.rpm").unwrap();
    let cut = goose.len() - 10;
    make(&folder, &all);
    let broken = Arc::new(AtomicBool::new(true));
    let state = Arc::clone(&broken);
    let server =
        Server::start(&folder, move |path| match path.contains("goose") && state.load(Ordering::SeqCst) {
            true => Act::Cut(cut),
            false => Act::Serve,
        });
    let bench = bench(&format!("baseurl = \"{}\"", server.url));
    lock(&bench).exits(4).says("goose-1-1.noarch.rpm");
    assert!(!bench.path("r.lock").exists());
    broken.store(false, Ordering::SeqCst);
    let asked = server.packages().len();
    lock(&bench).exits(0);
    let again: Vec<_> = server.packages().split_off(asked);
    assert!(again.iter().any(|path| path.ends_with(&format!(" {cut}-"))), "{again:?}");
}

/// Each row: what the first mirror does with packages, while the second one is good.
#[test]
fn packages_come_from_the_next_mirror() {
    type Row = (&'static str, fn() -> Act);
    let world = World::new();
    let folder = world.repository("a", "1");
    let rows: [Row; 5] = [
        ("gone", || Act::Status("404 Not Found")),
        ("other", || Act::Other(vec![1; 5000])),
        ("without ranges", || Act::Whole),
        ("busy", || Act::Status("503 Busy")),
        ("endless", || Act::Endless),
    ];
    let good = Server::honest(&folder);
    for (name, act) in rows {
        let bad = Server::start(&folder, move |path| if path.contains(".rpm") { act() } else { Act::Serve });
        let bench = bench(&format!("baseurl = [\"{}\", \"{}\"]", bad.url, good.url));
        lock(&bench).exits(0);
        assert!(fs::read_to_string(bench.path("r.lock/packages")).unwrap().contains("goose"), "{name}");
    }
    let gone = Server::start(&folder, |path| match path.contains(".rpm") {
        true => Act::Status("404 Not Found"),
        false => Act::Serve,
    });
    let bench = bench(&format!("baseurl = \"{}\"", gone.url));
    // All of them are told at once.
    lock(&bench).exits(3).says("2 files could not be downloaded").says("goose-1-1").says("pond-1-1");
    let down = bench.path("nowhere").display().to_string();
    recipe(&bench, &format!("repo = {{ id = \"birds\", baseurl = \"file://{down}\", gpgcheck = false }}"));
    lock(&bench).exits(3).says("no such file");
    recipe(&bench, "repo = { id = \"birds\", baseurl = \"http://127.0.0.1:1\", gpgcheck = false }");
    lock(&bench).exits(4).says("the repository 'birds' cannot be opened");
}

#[test]
fn packages_that_are_not_signed_are_told_before_the_others_are_downloaded() {
    let world = World::new();
    let folder = world.path("a");
    let mut all = packages("1");
    all.insert(
        "Packages/goose-1-1.noarch.rpm".into(),
        signed(&sample::installable("goose", "1"), stranger()),
    );
    make(&folder, &all);
    let server = Server::honest(&folder);
    let bench = bench(&format!("baseurl = \"{}\"", server.url));
    let stranger = stranger().certificate().fingerprint().to_string();
    lock(&bench).exits(3).says(&format!("goose-0:1-1.noarch (signed by {stranger})"));
    let of_pond: Vec<_> = server.packages().into_iter().filter(|path| path.contains("pond")).collect();
    assert!(matches!(of_pond.as_slice(), [one] if one.contains(" 0-")), "only its header: {of_pond:?}");

    // Without gpgcheck it is taken as it is; to be signed here it must carry no signature.
    let repo = format!("repo = {{ id = \"birds\", baseurl = \"{}\", gpgcheck = false }}", server.url);
    recipe(&bench, &repo);
    lock(&bench).exits(0);
    recipe(&bench, &format!("on-unsigned = \"sign\"\n{repo}"));
    lock(&bench).exits(3).says("signed by");
    all.insert("Packages/goose-1-1.noarch.rpm".into(), sample::installable("goose", "1"));
    make(&folder, &all);
    recipe(&bench, &format!("keys = [\"{}\"]\non-unsigned = \"sign\"\n{repo}", fingerprint()));
    lock(&bench).exits(0);
    let packages = fs::read_to_string(bench.path("r.lock/packages")).unwrap();
    let keys: Vec<_> = packages.lines().skip(1).map(|line| line.split('\t').nth(5).unwrap()).collect();
    assert!(
        keys.len() == 2 && keys[0] != "-" && keys[1] == "-",
        "the goose alone is signed here: {packages}"
    );
}

/// A header that was read alone is not believed: neither where it looks worse than the file, nor where it looks better.
#[test]
fn content_that_changes_between_header_and_file_is_noticed() {
    let world = World::new();
    let folder = world.repository("a", "1");
    let path = "Packages/goose-1-1.noarch.rpm";
    let worse = signed(&sample::installable("goose", "1"), stranger());
    let server =
        Server::start(&folder, move |asked| match asked.starts_with(path) && asked.contains(" 0-") {
            true => Act::Other(worse.clone()),
            false => Act::Serve,
        });
    lock(&bench(&format!("baseurl = \"{}\"", server.url))).exits(0);

    let better = packages("1").remove(path).unwrap();
    let mut all = packages("1");
    all.insert(path.into(), signed(&sample::installable("goose", "1"), stranger()));
    let folder = world.path("b");
    make(&folder, &all);
    let server =
        Server::start(&folder, move |asked| match asked.starts_with(path) && asked.contains(" 0-") {
            true => Act::Other(better.clone()),
            false => Act::Serve,
        });
    lock(&bench(&format!("baseurl = \"{}\"", server.url))).exits(3).says("signed by");
}

/// The same package as one of before rpm 4.14: the digest of the payload goes by a tag that nobody knows.
fn without_payload_digest(package: &[u8]) -> Vec<u8> {
    let range = Headers::read(package).unwrap().main_range();
    let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
    let mut old = package.to_vec();
    let entry = [5092_u32.to_be_bytes(), 8_u32.to_be_bytes()].concat();
    let place = range.start + package[range.clone()].windows(8).position(|bytes| bytes == entry).unwrap();
    old[place..place + 4].copy_from_slice(&5087_u32.to_be_bytes());
    restated(package, old)
}

/// A changed package whose signature header states digests that fit what it has become. The headers are where they were.
pub fn restated(package: &[u8], mut changed: Vec<u8>) -> Vec<u8> {
    let range = Headers::read(package).unwrap().main_range();
    let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
    for (number, from, text) in [
        (Hashing::SHA1, range.clone(), true),
        (Hashing::SHA256, range.clone(), true),
        (Hashing::MD5, range.start..package.len(), false),
    ] {
        let digest = |bytes: &[u8]| {
            let mut hashing = Hashing::new(number).unwrap();
            hashing.update(&bytes[from.clone()]);
            let digest = hashing.finish().unwrap();
            if text { hex(&digest).into_bytes() } else { digest }
        };
        let (before, after) = (digest(package), digest(&changed));
        let place = changed.windows(before.len()).position(|bytes| bytes == before).unwrap();
        changed[place..place + before.len()].copy_from_slice(&after);
    }
    changed
}

/// A signed header that says nothing of the payload leaves it to whoever serves the file, unless repomd.xml is signed.
#[test]
fn signatures_must_cover_payloads() {
    let world = World::new();
    let folder = world.path("a");
    let mut all = packages("1");
    let old = without_payload_digest(&sample::installable("goose", "1"));
    all.insert("Packages/goose-1-1.noarch.rpm".into(), signed(&old, signer()));
    make(&folder, &all);
    let server = Server::honest(&folder);
    lock(&bench(&format!("baseurl = \"{}\"", server.url))).exits(3).says("no digest of its payload");
    lock(&bench(&format!("baseurl = \"{}\", repo_gpgcheck = true", server.url))).exits(0);
}

#[test]
fn what_metadata_say_of_a_package_must_be_true() {
    let world = World::new();
    let folder = world.repository("a", "1");
    // The swan's file under the goose's name.
    super::hostile::edit(&folder, "primary", |text| {
        let text = text.replace("<name>goose<", "<name>duck<").replace("<name>swan<", "<name>goose<");
        text.replace("name=\"swan\"", "name=\"goose\"")
    });
    sign(&folder, signer());
    let server = Server::honest(&folder);
    let bench = bench(&format!("baseurl = \"{}\"", server.url));
    lock(&bench).exits(3).says("it is the package swan-0:1-1.noarch");
    assert!(!bench.path("r.lock").exists());

    super::hostile::edit(&folder, "primary", |text| {
        text.replace("<location href", "<location xml:base=\"http://elsewhere.example/x\" href")
    });
    lock(&bench).exits(3).says("xml:base").says("http://elsewhere.example/x/Packages/");
}

#[test]
fn repositories_compete_with_folders_and_patterns_choose() {
    let world = World::new();
    let server = Server::honest(&world.repository("a", "1"));
    let newer = world.repository("b", "2");
    let bench = bench("");
    let key = format!("keys = [\"{}\"]", fingerprint());
    let second = |options: &str| {
        format!(
            "{key}\nrepo = {{ id = \"old\", baseurl = \"{}\" }}\n\n[[source]]\n{key}\n\
             repo = {{ id = \"new\", baseurl = \"file://{}\"{options} }}",
            server.url,
            newer.display()
        )
    };
    let selected = || {
        let packages = fs::read_to_string(bench.path("r.lock/packages")).unwrap();
        let origin = |line: &str| {
            let fields: Vec<_> = line.split('\t').collect();
            format!("{} {}", fields[0], fields[6].split(":Pack").next().unwrap())
        };
        packages.lines().skip(1).map(origin).collect::<Vec<_>>()
    };
    recipe(&bench, &second(""));
    lock(&bench).exits(0);
    assert_eq!(selected(), ["goose-0:2-1.noarch repo:new", "pond-0:2-1.noarch repo:new"]);
    recipe(&bench, &second(", includepkgs = [\"goose\"]"));
    lock(&bench).exits(0);
    assert_eq!(selected(), ["goose-0:2-1.noarch repo:new", "pond-0:1-1.noarch repo:old"]);
    recipe(&bench, &second(", excludepkgs = [\"goose-2*\", \"gosse\"]"));
    lock(&bench).exits(0).says("'gosse' means no package of new");
    assert_eq!(selected(), ["goose-0:1-1.noarch repo:old", "pond-0:2-1.noarch repo:new"]);

    // Where a folder and a repository offer the same package, the first source's counts.
    bench.write("rpms/pond-2-1.noarch.rpm", &packages("2")["Packages/pond-2-1.noarch.rpm"]);
    recipe(&bench, &format!("{key}\ndir = \"rpms\"\n\n[[source]]\n{}", second("")));
    lock(&bench).exits(0);
    assert_eq!(selected(), ["goose-0:2-1.noarch repo:new", "pond-0:2-1.noarch dir:rpms/pond-2-1.noarch.rpm"]);
}

/// A source package of nothing.
fn source(name: &str) -> Vec<u8> {
    use sample::Value;
    let payload = sample::compress(Some("gzip"), &sample::archive(&[]));
    let sum = hex(&sample::digest(Hashing::SHA256, &[&payload]));
    let full = format!("{name}-1-1");
    let tags = [
        (1000, Value::Text(name)),
        (1001, Value::Text("1")),
        (1002, Value::Text("1")),
        (1006, Value::Int32(&[1_793_491_200])),
        (1022, Value::Text("noarch")),
        (1106, Value::Int32(&[1])),
        (1124, Value::Text("cpio")),
        (1125, Value::Text("gzip")),
        (5092, Value::Texts(&[&sum])),
        (5093, Value::Int32(&[8])),
    ];
    sample::whole(&full, &tags, &payload, &[0; 4128])
}

/// A release for yum: all its repositories, and nothing of them is otherwise where the default is written.
#[test]
fn metadata_have_the_form_that_the_recipe_says() {
    let bench = Bench::new();
    for name in ["goose", "pond"] {
        bench.write(&format!("rpms/{name}.noarch.rpm"), sample::installable(name, "1"));
        bench.write(&format!("rpms/{name}.src.rpm"), source(name));
    }
    bench.write(
        "comps.xml",
        "<comps><group><id>birds</id><name>Birds</name><uservisible>true</uservisible><packagelist>\
         <packagereq type=\"mandatory\">goose</packagereq></packagelist></group></comps>\n",
    );
    let trees = ["compose/Base/x86_64/os", "compose/Base/source/tree"];
    let compose = |form: &str, out: &str| {
        recipe(&bench, "dir = \"rpms\"\non-unsigned = \"sign\"");
        let text = fs::read_to_string(bench.path("r.toml")).unwrap();
        let text = text.replace("sources = false\n", "comps = \"comps.xml\"\ngroups = [\"birds\"]\n");
        bench.write("r.toml", format!("{text}\n{form}"));
        lock(&bench).exits(0);
        gander(&bench, "store", &["compose", "r.toml", "--output", out]).exits(0);
        let header = fs::read_to_string(bench.path("r.lock/lock.toml")).unwrap();
        assert_eq!(header.contains("[repodata]"), form.contains('='), "{header}");
        for tree in trees {
            let tree = format!("{out}/{tree}");
            let said = bench.run(["repo", "check", &tree]).exits(0);
            assert!(said.stdout.contains("0 errors, 0 warnings"), "{}", said.stdout);
        }
        trees.map(|tree| {
            let repodata = bench.path(out).join(tree).join("repodata");
            let names = files(&repodata).into_keys();
            names
                .map(|name| name.split_once('-').map_or(name.clone(), |(_, rest)| rest.into()))
                .collect::<Vec<String>>()
        })
    };
    let of = |mut files: Vec<&str>| {
        files.extend(["repomd.xml", "repomd.xml.asc"]);
        let mut files: Vec<String> = files.into_iter().map(String::from).collect();
        files.sort();
        files
    };
    let sorted = |mut names: [Vec<String>; 2]| {
        names.iter_mut().for_each(|names| names.sort());
        names
    };
    let [binary, source] = sorted(compose("", "plain"));
    assert_eq!(binary, of(vec!["primary.xml.zst", "filelists.xml.zst", "other.xml.zst", "comps.xml.zst"]));
    assert_eq!(source, of(vec!["primary.xml.zst", "filelists.xml.zst", "other.xml.zst"]));
    let old = "[repodata]\ncompression = \"gz\"\ndatabase = true\n";
    let [binary, source] = sorted(compose(old, "old"));
    let databases = ["primary.sqlite.bz2", "filelists.sqlite.bz2", "other.sqlite.bz2"];
    let lists = ["primary.xml.gz", "filelists.xml.gz", "other.xml.gz"];
    assert_eq!(binary, of([&lists[..], &databases, &["comps.xml.gz"]].concat()));
    assert_eq!(source, of([&lists[..], &databases].concat()));

    // The lock says it, and another store makes the same of it.
    gander(&bench, "other", &["compose", "--locked", "r.toml", "--output", "again"]).exits(0);
    assert_eq!(files(&bench.path("again")), files(&bench.path("old")));
    let header = fs::read_to_string(bench.path("r.lock/lock.toml")).unwrap();
    bench.write("r.lock/lock.toml", header.replace("\"gz\"", "\"bz2\""));
    gander(&bench, "other", &["compose", "--locked", "r.toml", "--output", "never"]).exits(3).says("bz2");
    bench.write("r.lock/lock.toml", header);
    // The default, written down, is the default.
    compose("[repodata]\n", "default");
    for tree in trees {
        let repodata = |out: &str| files(&bench.path(out).join(tree).join("repodata"));
        assert_eq!(repodata("default"), repodata("plain"));
    }

    for out in ["plain", "old"] {
        dnf(&bench, out, &["group", "install", "birds"]);
    }
}
