//! The records that createrepo_c makes of genuine packages, checked against the packages.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::Value;

use super::repodata::there;
use super::{Tally, folder, skip};

/// What differs between a record of createrepo_c and its package is no finding: it is read for what it means.
#[test]
fn records_of_createrepo_c_agree_with_their_packages() {
    let test = "records_of_createrepo_c_agree_with_their_packages";
    let Some(real) = folder("GANDER_REALDATA", test) else { return };
    if !there("createrepo_c", &["--version"]) {
        return skip(test, "createrepo_c is not installed");
    }
    let scratch = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(real.join("rpms")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rpm") {
            fs::copy(&path, scratch.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    let made = Command::new("createrepo_c").arg("-q").arg(scratch.path()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut check = Command::new(env!("CARGO_BIN_EXE_gander"));
    let output = check.args(["repo", "check", "--format", "json"]).arg(scratch.path()).output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    // What genuine packages lack, and what is wrong with them, is no business of this test.
    let mut wrong: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for finding in document["findings"].as_array().unwrap() {
        if finding["code"].as_str().unwrap().starts_with("record-") {
            wrong.entry(finding["subject"].as_str().unwrap()).or_default().push(finding);
        }
    }
    let packages = document["repositories"][0]["packages"].as_u64().unwrap();
    let mut tally = Tally::new("records of createrepo_c");
    (wrong.len()..usize::try_from(packages).unwrap()).for_each(|_| tally.case("a package", None));
    wrong.into_iter().for_each(|(package, findings)| tally.case(package, Some(format!("{findings:#?}"))));
    tally.finish();
}
