//! Which packages of two arches rpm installs beside each other.

use std::fs;
use std::process::Command;

use super::sample::made::{pair, pairs};
use super::{Tally, repodata::there, skip};

/// rpm says of each pair what the check of repositories says, in either order of the packages.
#[test]
fn rpm_installs_beside_each_other_what_does_not_conflict() {
    let test = "rpm_installs_beside_each_other_what_does_not_conflict";
    if !there("rpm", &["--version"]) || std::env::consts::ARCH != "x86_64" {
        return skip(test, "rpm is not installed, or this is no x86_64");
    }
    let scratch = tempfile::tempdir().unwrap();
    fs::create_dir(scratch.path().join("root")).unwrap();
    let mut tally = Tally::new("pairs of arches judged by rpm");
    for (name, files, expected) in pairs() {
        let paths = pair(&files).map(|order| {
            let path = scratch.path().join(order.file_name());
            fs::write(&path, order.make()).unwrap();
            path
        });
        for order in [[0, 1], [1, 0]] {
            let output = Command::new("rpm")
                .args(["--root".as_ref(), scratch.path().join("root").as_os_str()])
                .args(["-i", "--test", "--noplugins", "--nosignature", "--dbpath", "/db"])
                .args(["--define", "_transaction_color 3", "--define", "_prefer_color 2"])
                .args(order.map(|place| &paths[place]))
                .env("LC_ALL", "C.UTF-8")
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let conflicts = said.contains("conflicts between attempted installs");
            let wrong = conflicts != expected || output.status.success() == expected;
            tally.case(name, wrong.then_some(said));
        }
    }
    tally.finish();
}
