//! The units and examples of `docs/deploy`, judged by systemd and by the programs that read them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]
#![allow(clippy::disallowed_methods, reason = "systemd and gander are other programs here")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gander::sigul::{client, server};

const UNITS: [&str; 4] =
    ["gander-bridge.service", "gander-server.service", "gander-signer.service", "gander-signer.socket"];

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/deploy")
}

fn skip(test: &str, why: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{test} cannot run: {why}");
    eprintln!("SKIPPED {test}: {why}");
}

#[test]
fn systemd_accepts_the_units_and_finds_them_confined() {
    let there = Command::new("systemd-analyze").arg("--version").output();
    if !there.is_ok_and(|output| output.status.success()) {
        return skip("systemd_accepts_the_units_and_finds_them_confined", "systemd-analyze is not installed");
    }
    let folder = tempfile::tempdir().unwrap();
    for unit in UNITS {
        // The program that is tested is not installed where the units have it.
        let text = fs::read_to_string(deploy().join(unit)).unwrap();
        fs::write(folder.path().join(unit), text.replace("/usr/bin/gander", env!("CARGO_BIN_EXE_gander")))
            .unwrap();
    }
    let units = UNITS.map(|unit| folder.path().join(unit));
    let output = Command::new("systemd-analyze").arg("verify").args(&units).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // Other units of this machine may have their own mistakes.
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("gander")).collect();
    assert!(output.status.success() && ours.is_empty(), "{said}");
    // Of 100, 0 being the most that systemd can confine: what is left is the network of bridge and server.
    for (unit, most) in [("gander-bridge", "15"), ("gander-server", "15"), ("gander-signer", "10")] {
        let output = Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--no-pager", &format!("--threshold={most}")])
            .arg(folder.path().join(format!("{unit}.service")))
            .output()
            .unwrap();
        assert!(output.status.success(), "{unit}\n{}", String::from_utf8_lossy(&output.stdout));
    }
}

/// The examples stand for what `gander sigul init` makes, with the paths of the units.
#[test]
fn the_examples_are_read() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("password"), "password\n").unwrap();
    let service = folder.path().join("service");
    let made = Command::new(env!("CARGO_BIN_EXE_gander"))
        .args(["--quiet", "sigul", "init", "--bridge", "bridge.example.org", "--server", "sigul.example.org"])
        .args(["--user", "goose", "--password-file"])
        .arg(folder.path().join("password"))
        .arg(&service)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let put = |name: &str, place: &str| {
        let place = service.join(place);
        fs::copy(deploy().join(name), &place).unwrap();
        place
    };
    let bridge = put("bridge.toml", "bridge/bridge.toml");
    let checked = Command::new(env!("CARGO_BIN_EXE_gander"))
        .args(["sigul", "bridge", "--check", "--config"])
        .arg(&bridge)
        .output()
        .unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let server = server::Config::read(&put("server.toml", "server/server.toml")).unwrap();
    let socket = fs::read_to_string(deploy().join("gander-signer.socket")).unwrap();
    let server::SignerAt::Socket(signer) = server.signer else { panic!("the signer is a unit of its own") };
    assert!(socket.contains(&format!("ListenStream={}\n", signer.display())));
    let user = client::Config::read(&put("sigul.toml", "users/goose/sigul.toml")).unwrap();
    assert_eq!(client::Client::new(user.settings.clone()).unwrap().user(), "goose");
    assert_eq!(user.settings.server_name, "sigul.example.org");
}
