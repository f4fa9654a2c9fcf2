//! Metadata of CentOS Stream 9, without the packages that they list.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gander::base::Digest;
use gander::repo::open::Filter;

use super::bench::{Bench, has_peers, run};
use super::server::Server;
use super::world::{World, write};

/// A repository with its lists of packages. The data set's filelists are shortened: their digests are those that
/// repomd.xml states, the sizes and digests of what is compressed in them are not.
fn repaired(folder: &Path, to: &Path) {
    use gander::format::repodata::{Content, Open, Repomd};
    use std::io::Read as _;
    let mut repomd = Repomd::parse(&fs::read(folder.join("repodata/repomd.xml")).unwrap()).unwrap();
    repomd.data.retain(|data| ["primary", "filelists"].contains(&data.kind.as_str()));
    for data in &mut repomd.data {
        let file = fs::read(folder.join(data.location.as_str())).unwrap();
        let mut content = Vec::new();
        Content::open(&file[..], None).unwrap().read_to_end(&mut content).unwrap();
        data.open = Some(Open { checksum: Digest::of(&content).into(), size: Some(content.len() as u64) });
        write(&to.join(data.location.as_str()), file);
    }
    write(&to.join("repodata/repomd.xml"), repomd.to_xml());
}

/// The repositories of the data set; none, said loudly, where it is not here.
fn repositories() -> Vec<PathBuf> {
    let Some(root) = std::env::var_os("GANDER_REALDATA") else {
        let message = "GANDER_REALDATA is not set";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{message}");
        eprintln!("SKIPPED: {message}");
        return Vec::new();
    };
    let folders = fs::read_dir(Path::new(&root).join("metadata")).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = folders.filter(|folder| folder.join("repodata/repomd.xml").is_file()).collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

#[test]
fn a_selection_is_made_of_what_is_listed_and_what_lacks_is_told() {
    let folders = repositories();
    if folders.is_empty() {
        return;
    }
    let bench = Bench::new();
    let serve = |(place, folder): (usize, &PathBuf)| {
        let copy = bench.path(&format!("cs{place}"));
        repaired(folder, &copy);
        Server::honest(&copy)
    };
    let servers: Vec<_> = folders.iter().enumerate().map(serve).collect();
    let sources: String = servers
        .iter()
        .enumerate()
        .map(|(place, server)| {
            let url = &server.url;
            format!("[[source]]\nrepo = {{ id = \"cs{place}\", baseurl = \"{url}\", gpgcheck = false }}\n\n")
        })
        .collect();
    bench.write(
        "r.toml",
        format!(
            "[release]\nname = \"Goose Linux\"\nshort = \"Goose\"\nversion = \"9\"\n\n{sources}\
             [variant.Base]\narches = [\"x86_64\"]\npackages = [\"setup\", \"tzdata\"]\nsources = false\n"
        ),
    );
    let output = run(bench.gander().args(["--store", "store", "lock", "r.toml"])).exits(3);
    // Selected and closed, then not to be had: every package is named.
    let output = output.says("could not be downloaded").says("setup-").says("tzdata-").says("status 404");
    println!("{output}");
    assert!(!bench.path("r.lock").exists());
    let asked: BTreeSet<String> = servers.iter().flat_map(Server::packages).collect();
    let missing = output.stderr.matches(".rpm: http").count();
    assert_eq!(asked.len(), missing, "each is asked for once: {asked:?}");
}

/// dnf and gander agree on which packages patterns mean.
#[test]
fn patterns_mean_what_they_mean_to_dnf() {
    let folders = repositories();
    if folders.is_empty() || !has_peers(&["dnf"]) {
        return;
    }
    let (world, bench) = (World::new(), Bench::new());
    let folder = folders.iter().find(|folder| !folder.join("repodata").read_dir().unwrap().any(is_modules));
    let copy = bench.path("cs");
    repaired(folder.unwrap(), &copy);
    let url = format!("file://{}", copy.display());
    let opened = world.at(&[&url]).unwrap();
    let nevras: Vec<_> = opened.packages.iter().map(|entry| entry.nevra().clone()).collect();
    let first = &nevras[nevras.len() / 3];
    let evr = &first.evr;
    let full = format!("{}-{}:{}-{}.{}", first.name, evr.epoch, evr.version, evr.release, first.arch);
    let short = format!("{}-{}-{}.{}", first.name, evr.version, evr.release, first.arch);
    let without = format!("{}-{}-{}", first.name, evr.version, evr.release);
    let version = format!("{}-{}", first.name, evr.version);
    let patterns = [
        "bash",
        "glibc*",
        "*.i686",
        "glibc.i686",
        "*-devel",
        "lib[a-c]*",
        "lib[!a-m]*.x86_64",
        "python3-*.noarch",
        "kernel-5*",
        "*el9*",
        "nothing-of-this-name",
        "?ash",
        "*-1:*",
        "bind-32:*",
        "/usr/bin/bash",
        &full,
        &short,
        &without,
        &version,
    ];
    let mut compared = 0;
    for pattern in patterns {
        for (option, exclude) in [("includepkgs", false), ("excludepkgs", true)] {
            let list = [pattern.to_owned()];
            let none: &[String] = &[];
            let (include, exclude) = if exclude { (none, &list[..]) } else { (&list[..], none) };
            let (counts, _) = Filter { include, exclude }.apply(nevras.iter());
            let ours: BTreeSet<String> = nevras
                .iter()
                .zip(counts)
                .filter(|(_, counts)| *counts)
                .map(|(nevra, _)| nevra.to_string())
                .collect();
            let theirs = dnf(&bench, &url, option, pattern);
            let differ: Vec<_> = ours.symmetric_difference(&theirs).take(5).collect();
            assert!(differ.is_empty(), "{option} {pattern}: {} and {}: {differ:?}", ours.len(), theirs.len());
            compared += 1;
        }
    }
    println!("{compared} patterns over {} packages agree with dnf", nevras.len());
}

fn is_modules(entry: std::io::Result<fs::DirEntry>) -> bool {
    entry.unwrap().file_name().to_string_lossy().contains("modules")
}

/// The packages that dnf sees of a repository with one option.
fn dnf(bench: &Bench, url: &str, option: &str, pattern: &str) -> BTreeSet<String> {
    let mut command = Command::new("dnf");
    command.args(["-q", "--disableplugin=local", "--releasever=9", "--setopt=reposdir=/nowhere"]);
    command.args([
        "--setopt=varsdir=/nowhere",
        "--repo=cs",
        "--forcearch=x86_64",
        "--setopt=metadata_expire=never",
    ]);
    command.arg(format!("--setopt=cs.{option}={pattern}")).arg(format!("--repofrompath=cs,{url}"));
    for name in ["cachedir", "logdir", "persistdir"] {
        fs::create_dir_all(bench.path(name)).unwrap();
        command.arg(format!("--setopt={name}={}", bench.path(name).display()));
    }
    command.arg(format!("--installroot={}", bench.path("root").display()));
    command.args(["repoquery", "--qf", "%{name}-%{epoch}:%{version}-%{release}.%{arch}"]);
    let output = run(command.env("HOME", bench.path("home")).env("LC_ALL", "C.UTF-8"));
    output.exits(0).stdout.lines().map(str::to_owned).collect()
}
