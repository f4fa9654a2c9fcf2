//! `realdata/rpms`: what gander reads of packages against what librpm reads of them.
//!
//! `gander rpm show` and librpm's Python bindings each make a document of a package; they are compared value by
//! value. `rpm-differences.tsv` lists where they may differ: the file, the value's place, what librpm and what gander
//! has there, and the rule that makes gander's right. A difference that is not listed fails, and so does a line that
//! no longer tells of one.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use gander::base::digest::hex;
use gander::openpgp::Hashing;
use gander::rpm::payload::PayloadError;
use gander::rpm::{File, Files, Headers, Payload, identify};
use serde_json::Value;

use super::rpmsign::table;
use super::{Tally, folder, librpm};

const DIFFERENCES: &str = "tests/conformance/rpm-differences.tsv";

/// The package files of a folder, sorted.
fn packages(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_package =
        |path: &PathBuf| path.extension().is_some_and(|ending| ending == "rpm" || ending == "drpm");
    let mut paths: Vec<_> = paths.filter(|path| path.is_file() && is_package(path)).collect();
    paths.sort();
    paths
}

/// What `gander rpm show` says of a package file.
fn by_gander(path: &Path) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_gander"))
        .args(["rpm", "show", "--format", "json"])
        .arg(path)
        .output()
        .unwrap();
    if output.status.success() {
        return serde_json::from_slice(&output.stdout).unwrap();
    }
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{}: {errors}", path.display());
    let errors: Vec<_> = errors.lines().map(|line| line.trim().trim_start_matches("error: ")).collect();
    let errors = errors.join("; ");
    // The list of differences has the causes; the file is named before them.
    let named = format!("no package can be read from '{}'; caused by: ", path.display());
    assert!(errors.starts_with(&named), "{errors}");
    let reason = errors.trim_start_matches(&named);
    serde_json::json!({ "refused": reason })
}

/// Each value of a document by its place.
fn leaves(place: &str, value: &Value, found: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let dot = if place.is_empty() { "" } else { "." };
                leaves(&format!("{place}{dot}{name}"), value, found);
            }
        }
        Value::Array(items) => {
            for (number, value) in items.iter().enumerate() {
                leaves(&format!("{place}[{number}]"), value, found);
            }
        }
        leaf => drop(found.insert(place.to_owned(), leaf.to_string())),
    }
}

/// Where two documents differ: the place, what librpm has there and what gander has.
fn differences(theirs: &Value, mut ours: Value) -> Vec<(String, String, String)> {
    match (theirs.get("refused"), ours.get("refused")) {
        // Each has its own words for what is wrong.
        (Some(_), Some(_)) => return Vec::new(),
        (None, Some(reason)) => return vec![("refused".into(), "-".into(), reason.to_string())],
        (Some(reason), None) => return vec![("refused".into(), reason.to_string(), "-".into())],
        (None, None) => {}
    }
    // librpm 4.18 knows no tags for what came later.
    let of_today = |digest: &Value| !matches!(digest["algorithm"].as_str(), Some("sha512" | "sha3-256"));
    ours["digests"].as_array_mut().unwrap().retain(of_today);
    ours["signatures"].as_array_mut().unwrap().retain(|signature| signature["tag"] != 278);
    ours.as_object_mut().unwrap().retain(|name, _| theirs.get(name).is_some());
    let (mut left, mut right) = (BTreeMap::new(), BTreeMap::new());
    leaves("", theirs, &mut left);
    leaves("", &ours, &mut right);
    let mut found = Vec::new();
    for (place, theirs) in &left {
        let ours = right.remove(place).unwrap_or_else(|| "-".into());
        if *theirs != ours {
            found.push((place.clone(), theirs.clone(), ours));
        }
    }
    found.extend(right.into_iter().map(|(place, ours)| (place, "-".into(), ours)));
    found
}

/// The differences that are listed with their reasons.
fn listed() -> BTreeMap<(String, String), (String, String)> {
    let mut listed = BTreeMap::new();
    for row in table(&Path::new(env!("CARGO_MANIFEST_DIR")).join(DIFFERENCES)) {
        assert!(row["rule"].len() > 10, "a difference without its reason: {row:?}");
        let (key, values) = ((&row["file"], &row["place"]), (&row["librpm"], &row["gander"]));
        let known = listed.insert((key.0.clone(), key.1.clone()), (values.0.clone(), values.1.clone()));
        assert!(known.is_none(), "listed twice: {row:?}");
    }
    listed
}

#[test]
fn packages_say_what_librpm_says() {
    let test = "packages_say_what_librpm_says";
    let Some(root) = folder("GANDER_REALDATA", test) else { return };
    let root = root.join("rpms");
    let mut paths = packages(&root);
    paths.extend(packages(&root.join("negative")));
    paths.extend(
        std::env::var_os("GANDER_MORE_RPMS").map(PathBuf::from).iter().flat_map(|more| packages(more)),
    );
    let Some(documents) = librpm::ask("packages", &paths, test) else { return };
    let mut listed = listed();
    let mut tally = Tally::new("realdata/rpms: packages say what librpm 4.18 says");
    let (mut values, mut known) = (0, 0);
    for (path, theirs) in paths.iter().zip(&documents) {
        let name = path.strip_prefix(&root).unwrap_or(path).to_str().unwrap().to_owned();
        let mut all = BTreeMap::new();
        leaves("", theirs, &mut all);
        values += all.len();
        let mut wrong = Vec::new();
        for (place, theirs, ours) in differences(theirs, by_gander(path)) {
            match listed.remove(&(name.clone(), place.clone())) {
                Some(expected) if expected == (theirs.clone(), ours.clone()) => known += 1,
                _ => wrong.push(format!("{name}\t{place}\t{theirs}\t{ours}")),
            }
        }
        tally.case(&name, (!wrong.is_empty()).then(|| format!("not listed\n{}", wrong.join("\n"))));
    }
    println!("{values} values; {known} differ and are listed");
    assert!(listed.is_empty(), "{DIFFERENCES} tells of what does not differ: {listed:#?}");
    tally.finish();
}

/// Reads all of a payload and compares each content with its digest; what is wrong, or the number of contents.
fn contents(headers: &Headers, files: &Files<'_>, payload: &[u8]) -> Result<usize, String> {
    let listed: Vec<File<'_>> = files.iter().collect();
    let chain = |error: PayloadError| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
        format!("{error}{}", cause.unwrap_or_default())
    };
    let mut payload = Payload::open(&headers.main, files, payload).map_err(chain)?;
    let mut compared = 0;
    let mut seen = 0;
    while let Some(member) = payload.next_member().map_err(chain)? {
        let file = &listed[member.file];
        seen += usize::from(!file.is_ghost());
        let mut content = Vec::new();
        payload.read_to_end(&mut content).map_err(|error| error.to_string())?;
        let has_content = !file.digest.is_empty() && !file.is_link() && (member.size > 0 || file.size == 0);
        if !has_content || file.is_ghost() {
            continue;
        }
        assert_eq!(content.len() as u64, file.size);
        let mut hashing = Hashing::new(files.digest_algorithm as u8).unwrap();
        hashing.update(&content);
        let found = hex(&hashing.finish().unwrap());
        // rpm of old wrote zeros for the digest of empty files.
        let unknown = content.is_empty() && file.digest.bytes().all(|digit| digit == b'0');
        if found != *file.digest && !unknown {
            return Err(format!("{} has the digest {found} instead of {}", file.path(), file.digest));
        }
        compared += 1;
    }
    let wanted = listed.iter().filter(|file| !file.is_ghost()).count();
    (seen == wanted).then_some(compared).ok_or(format!("{seen} of {wanted} files were there"))
}

#[test]
fn payloads_hold_what_headers_say() {
    let Some(root) = folder("GANDER_REALDATA", "payloads_hold_what_headers_say") else { return };
    let mut tally = Tally::new("realdata/rpms: payloads hold what their headers say");
    let mut compared = 0;
    for path in packages(&root.join("rpms")) {
        let bytes = fs::read(&path).unwrap();
        let mut rest = &bytes[..];
        let Ok(headers) = Headers::read(&mut rest) else { continue };
        let Ok(package) = headers.package() else { continue };
        let outcome = contents(&headers, &package.files, rest);
        compared += outcome.as_ref().unwrap_or(&0);
        tally.case(&path.file_name().unwrap().to_string_lossy(), outcome.err());
    }
    println!("{compared} contents have the digests that the headers state");
    tally.finish();
}

#[test]
fn hostile_payloads_are_refused() {
    let Some(root) = folder("GANDER_REALDATA", "hostile_payloads_are_refused") else { return };
    let mut tally = Tally::new("realdata/rpms: payloads that are hostile though all digests are right");
    for row in table(&root.join("rpms/INDEX.tsv")) {
        let (name, made) = (&row["file"], &row["good_for"]);
        if !["cpio", "expands to", "PAYLOADCOMPRESSOR"].iter().any(|word| made.contains(word)) {
            continue;
        }
        if made.contains("delta RPM") {
            continue;
        }
        let bytes = fs::read(root.join(name)).unwrap();
        let (headers, _) = identify(&bytes[..]).unwrap();
        let package = headers.package().unwrap();
        let payload = &bytes[package.header_range.end as usize..];
        let outcome = contents(&headers, &package.files, payload);
        println!("{name}: {outcome:?}");
        tally.case(name, outcome.is_ok().then(|| "it was read".into()));
    }
    tally.finish();
}
