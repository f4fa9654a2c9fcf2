//! dnf installs while releases are switched: at each of its requests, from the master and from mirrors.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use gander::sign::Signer as _;

use super::bench::{Bench, Output, has_peers, run};
use super::compose::{self, TREE, publish};
use super::server::Server;

/// dnf with a cache and a root of its own, and nothing of the host's but itself.
pub fn dnf(bench: &Bench, url: &str, home: &str) -> Command {
    let home = bench.path(home);
    fs::create_dir_all(&home).unwrap();
    fs::write(home.join(".rpmmacros"), "%_dbpath /var/lib/rpm\n").unwrap();
    let key = bench.write("key.asc", compose::signer().certificate().armored());
    let mut command = Command::new("dnf");
    // Debian's plug-in `local` fails below an installroot.
    command.args(["-y", "--disableplugin=local", "--releasever=1", "--setopt=reposdir=/nowhere"]);
    command.args(["--setopt=varsdir=/nowhere", "--repo=goose", "--setopt=goose.gpgcheck=1"]);
    command.args(["--setopt=goose.retries=1", "--setopt=goose.repo_gpgcheck=1"]);
    command.arg(format!("--setopt=goose.gpgkey=file://{}", key.display()));
    command.arg(format!("--repofrompath=goose,{url}"));
    for name in ["cachedir", "logdir", "persistdir"] {
        fs::create_dir_all(home.join(name)).unwrap();
        command.arg(format!("--setopt={name}={}", home.join(name).display()));
    }
    command.arg(format!("--installroot={}", home.join("root").display()));
    command.env("HOME", &home).env("LC_ALL", "C.UTF-8");
    command
}

/// Installs the goose; gives its version.
pub fn install(bench: &Bench, url: &str, home: &str) -> Result<u32, Output> {
    installed(bench, &mut dnf(bench, url, home), home)
}

fn installed(bench: &Bench, dnf: &mut Command, home: &str) -> Result<u32, Output> {
    let said = run(dnf.args(["install", "goose"]));
    let goose = bench.path(home).join("root/usr/share/goose");
    let version = fs::read_to_string(goose).ok();
    let version = version.and_then(|text| text.trim().strip_prefix("goose ")?.parse().ok());
    version.filter(|_| said.code == Some(0)).ok_or(said)
}

pub fn url_of(folder: &Path) -> String {
    format!("file://{}", folder.join(TREE).display())
}

/// dnf asks for repomd.xml and its signature, once more for both when it has imported the key, for two lists and a package.
const REQUESTS: usize = 7;
/// The one moment at which dnf holds the old repomd.xml and asks for its signature. (At the first of the two it does not
/// have the key yet, and begins anew.)
const GAP: usize = 3;

#[test]
fn dnf_installs_at_every_moment_of_20_switches() {
    if !has_peers(&["dnf"]) {
        return;
    }
    let bench = Arc::new(compose::bench(10..31));
    publish(&bench, 10);
    for (round, version) in (11..31).enumerate() {
        let moment = round % REQUESTS;
        let (server, url) = switched_at(&bench, moment, version);
        let home = format!("home{version}");
        let got = install(&bench, &url, &home);
        let asked = server.asked();
        // Until it has the repomd.xml that counts, it gets the new release, then the old one.
        let expected = if moment < GAP { version } else { version - 1 };
        match got {
            Ok(found) => {
                assert_eq!((found, moment == GAP), (expected, false), "{asked:?}");
                assert_eq!(asked.len(), REQUESTS, "{asked:?}");
            }
            Err(said) if moment == GAP => {
                said.says("Bad GPG signature");
                assert_eq!(install(&bench, &url, &home).ok(), Some(version), "asked again");
            }
            Err(said) => panic!("{asked:?}\n{said}"),
        }
    }
}

/// A client that verifies packages and not the metadata has no such moment.
#[test]
fn without_signed_metadata_there_is_no_gap() {
    if !has_peers(&["dnf"]) {
        return;
    }
    // repomd.xml, two lists and a package.
    const REQUESTS: usize = 4;
    let bench = Arc::new(compose::bench(10..31));
    publish(&bench, 10);
    for (round, version) in (11..31).enumerate() {
        let moment = round % REQUESTS;
        let (server, url) = switched_at(&bench, moment, version);
        let home = format!("home{version}");
        let mut dnf = dnf(&bench, &url, &home);
        let got = installed(&bench, dnf.arg("--setopt=goose.repo_gpgcheck=0"), &home);
        let expected = if moment == 0 { version } else { version - 1 };
        assert_eq!(got.unwrap_or_else(|said| panic!("{:?}\n{said}", server.asked())), expected);
        assert_eq!(server.asked().len(), REQUESTS, "{:?}", server.asked());
    }
}

/// A server of the public path, which shows another release from its request of that number on.
fn switched_at(bench: &Arc<Bench>, moment: usize, version: u32) -> (Server, String) {
    let inside = Arc::clone(bench);
    let server = Server::start(&bench.path("www/goose"), move |number| {
        if number == moment {
            drop(publish(&inside, version));
        }
    });
    let url = format!("{}/{TREE}", server.url);
    (server, url)
}

/// A client that keeps its metadata finds the packages of a superseded release, and one that asks for lists as well.
#[test]
fn what_clients_hold_can_be_installed_after_many_switches() {
    if !has_peers(&["dnf"]) {
        return;
    }
    let bench = compose::bench(10..14);
    publish(&bench, 10);
    let url = url_of(&bench.path("www/goose"));
    run(dnf(&bench, &url, "home").arg("makecache")).exits(0);
    (11..14).for_each(|version| drop(publish(&bench, version)));
    let held = run(dnf(&bench, &url, "home").args(["--setopt=metadata_expire=never", "install", "goose"]));
    held.exits(0);
    let installed = fs::read_to_string(bench.path("home/root/usr/share/goose")).unwrap();
    assert_eq!(installed, "goose 10\n");
    assert_eq!(install(&bench, &url, "fresh").ok(), Some(13));
}
