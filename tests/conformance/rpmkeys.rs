//! `realdata/rpms`: what `gander rpm verify` says of genuine, damaged and hostile packages, against `rpmkeys -Kv` with
//! the same keys: of rpm 4.18, which reads OpenPGP itself and is installed here, and of rpm 4.20, where Sequoia does, in
//! an image that gander makes of Debian's packages.
//!
//! Where two differ, a table in `peers/` has an entry with the reason. An entry that no longer differs is a failure,
//! like a difference without an entry. Its columns: the file; whether rpm and gander accept it; what else their
//! answers differ in (`-` rpm's line, `+` ours); what GnuPG's verdict in the index must contain; the reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use gander::openpgp::{Certificate, Judgement, Keyring};
use gander::rpm::verify::{Check, Level, Requirements, Subject, Verification, verify};

use super::rpmsign::table;
use super::{folder, skip};

/// What rpm says of each file: whether it accepts it, and its output.
type Answers = BTreeMap<String, (bool, String)>;

/// Each key file of `realdata/keys` that can be read.
pub fn keyring(root: &Path) -> Keyring {
    let mut found = Vec::new();
    for folder in ["keys/vendor", "keys/test"] {
        let mut paths: Vec<_> =
            fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        found.extend(
            paths.iter().filter_map(|path| Certificate::parse_all(&fs::read(path).unwrap()).ok()).flatten(),
        );
    }
    found.into_iter().collect()
}

/// Whether we accept a package as rpm would: what is there must be right, and digests must cover it.
pub fn accepted(found: &Verification) -> bool {
    found.problems(Requirements { level: Level::Digest, any_signature: false }).is_empty()
}

/// A claim in the words that both have: `Header v4 rsa/sha256 signature NOKEY`.
fn our_line(check: &Check) -> Option<String> {
    let what = match &check.subject {
        // Before version 6, rpm knows none of these digests.
        Subject::Digest { name: "SHA3-256" | "SHA512", .. } => return None,
        Subject::Digest { name, alternative } => {
            format!("{name}{} digest", if *alternative { " ALT" } else { "" })
        }
        Subject::Signature(None) if check.tag == 268 => "RSA signature".into(),
        Subject::Signature(None) => format!("signature {}", check.tag),
        Subject::Signature(Some(info)) => {
            format!("V{} {}/{} signature", info.version, info.algorithm_name(), info.hash_name())
        }
    };
    Some(format!("{} {} {}", check.covers, what.to_lowercase(), check.outcome.word()))
}

/// The lines of `rpmkeys -Kv`, likewise.
fn their_lines(output: &str) -> Vec<String> {
    let mut lines = Vec::new();
    // What Sequoia has to say about a line is indented further.
    let lines_of_claims = output.lines().filter_map(|line| line.strip_prefix("    "));
    for line in lines_of_claims.filter(|line| !line.starts_with(' ')) {
        let (what, word) = line.split_once(": ").unwrap();
        let word = word.split(' ').next().unwrap();
        // What is not there is named where it would have helped.
        if word == "NOTFOUND" {
            continue;
        }
        let what = what.split(", key ID").next().unwrap();
        let (covers, what) = match what.split_once(' ') {
            Some((covers @ ("Header" | "Payload"), what)) => (covers, what),
            _ => ("Legacy", what),
        };
        lines.push(format!("{covers} {} {word}", what.to_lowercase()));
    }
    lines
}

/// What one has and the other lacks, each as often as it stands there.
fn differences(theirs: &[String], ours: &[String]) -> String {
    let count = |lines: &[String], line: &String| lines.iter().filter(|other| *other == line).count();
    let all: BTreeSet<&String> = theirs.iter().chain(ours).collect();
    let mut shown = Vec::new();
    for line in all {
        let (rpm, our) = (count(theirs, line), count(ours, line));
        shown.extend((our..rpm).map(|_| format!("- {line}")));
        shown.extend((rpm..our).map(|_| format!("+ {line}")));
    }
    shown.sort();
    shown.join("; ")
}

/// A scratch database with the keys of `realdata`.
pub fn import(root: &Path, database: &Path) {
    for row in table(&root.join("keys/INDEX.tsv")) {
        let imported = Command::new("rpmkeys")
            .args(["--define", &format!("_dbpath {}", database.display()), "--import"])
            .arg(root.join(&row["file"]))
            .output()
            .unwrap();
        let wanted = row.iter().find(|(name, _)| name.ends_with("_imports")).unwrap().1 == "yes";
        assert_eq!(imported.status.success(), wanted, "{}: {imported:?}", row["file"]);
    }
}

#[test]
fn the_same_verdicts_as_rpm_4_18() {
    const TEST: &str = "the_same_verdicts_as_rpm_4_18";
    let Some(root) = folder("GANDER_REALDATA", TEST) else { return };
    let version = Command::new("rpmkeys").arg("--version").output();
    if !version.is_ok_and(|version| String::from_utf8_lossy(&version.stdout).contains("4.18.")) {
        return skip(TEST, "rpmkeys 4.18 is not installed");
    }
    let database = tempfile::tempdir().unwrap();
    import(&root, database.path());
    let mut answers = Answers::new();
    for row in table(&root.join("rpms/INDEX.tsv")) {
        let output = Command::new("rpmkeys")
            .args(["--define", &format!("_dbpath {}", database.path().display()), "-Kv"])
            .arg(root.join(&row["file"]))
            .env("LC_ALL", "C.UTF-8")
            .output()
            .unwrap();
        let (accepted, index) = (output.status.success(), &row["rpmkeys_Kv_vendor_and_test_keys"]);
        assert_eq!(accepted, index.starts_with("rc=0"), "{}: the index was made otherwise", row["file"]);
        answers.insert(row["file"].clone(), (accepted, String::from_utf8_lossy(&output.stdout).into_owned()));
    }
    compare(&root, "rpmkeys-4.18.tsv", &answers);
}

/// Imports each key and asks for each file that stands in a list; without network, below `/in`.
const SCRIPT: &str = r#"
export RPM_SEQUOIA_CRYPTO_POLICY=/in/policy.toml
for key in /in/realdata/keys/vendor/* /in/realdata/keys/test/*; do
    rpmkeys --define '_dbpath /build/db' --import "$key" 2>/dev/null && echo "KEY"
done
cd /in/realdata
while read -r file; do
    echo "FILE $file"
    rpmkeys --define '_dbpath /build/db' -Kv "$file" 2>/dev/null
    echo "CODE $?"
done < /in/list
"#;

/// SHA-1 in a certificate's own bindings, which most vendors' keys have: the one thing where our policy is not
/// Sequoia's own.
const POLICY: &str = "[hash_algorithms]\nsha1.second_preimage_resistance = \"always\"\n";

/// Runs a script in the image with rpm 4.20, without network, and gives its output; none where there is no image. Files of
/// a folder are below `/in`, and so are further folders.
pub fn in_rpm_4_20(test: &str, inputs: &Path, folders: &[(&Path, &str)]) -> Option<String> {
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/peers/rpm-4.20.lock");
    let gander = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gander"));
        // What was downloaded stays for the next time.
        command.arg("--store").arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("peers"));
        if let Some(mirror) = std::env::var_os("GANDER_TEST_MIRROR") {
            command.arg("--debian-mirror").arg(mirror);
        }
        command.args(arguments);
        command
    };
    let request = lock.with_extension("toml");
    let fresh = gander(&["image", "lock", "--check", request.to_str().unwrap()]).output().unwrap();
    assert!(fresh.status.success(), "{fresh:?}");
    let built = gander(&["image", "build", lock.to_str().unwrap()]).output().unwrap();
    if !built.status.success() {
        skip(test, &format!("the image cannot be made: {}", String::from_utf8_lossy(&built.stderr)));
        return None;
    }
    let mut command = gander(&["run", lock.to_str().unwrap()]);
    let files = fs::read_dir(inputs).unwrap().map(|entry| entry.unwrap().path());
    for file in files {
        command.arg("--bind-ro").arg(format!(
            "{}:/in/{}",
            file.display(),
            file.file_name().unwrap().display()
        ));
    }
    for (folder, name) in folders {
        command.arg("--bind-ro").arg(format!("{}:/in/{name}", folder.display()));
    }
    let output = command.args(["--", "/bin/sh", "/in/script"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn the_same_verdicts_as_rpm_4_20() {
    const TEST: &str = "the_same_verdicts_as_rpm_4_20";
    let Some(root) = folder("GANDER_REALDATA", TEST) else { return };
    let inputs = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(inputs.path().join(name), text).unwrap();
    let files = table(&root.join("rpms/INDEX.tsv"));
    write("list", &files.iter().map(|row| format!("{}\n", row["file"])).collect::<String>());
    write("policy.toml", POLICY);
    write("script", SCRIPT);
    let Some(text) = in_rpm_4_20(TEST, inputs.path(), &[(&root, "realdata")]) else { return };
    let mut blocks = text.split("FILE ");
    let keys = blocks.next().unwrap().lines().filter(|line| *line == "KEY").count();
    println!("rpm 4.20 imported {keys} key files");
    let mut answers = Answers::new();
    for block in blocks {
        let (file, rest) = block.split_once('\n').unwrap();
        let (lines, code) = rest.split_once("CODE ").unwrap();
        answers.insert(file.into(), (code.trim() == "0", lines.into()));
    }
    compare(&root, "rpmkeys-4.20.tsv", &answers);
}

/// Compares what rpm says with what we say.
fn compare(root: &Path, known: &str, answers: &Answers) {
    let keyring = keyring(root);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/peers").join(known);
    let entries = table(&path);
    let mut entries: BTreeMap<&str, &BTreeMap<String, String>> =
        entries.iter().map(|row| (row["file"].as_str(), row)).collect();
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut same, mut same_lines, mut wrong) = (0, 0, Vec::new());
    let files = table(&root.join("rpms/INDEX.tsv"));
    assert!(!files.is_empty() && files.len() == answers.len(), "{} of {}", answers.len(), files.len());
    for row in &files {
        let name = row["file"].as_str();
        let (rpm, output) = &answers[name];
        let bytes = fs::read(root.join(name)).unwrap();
        let ours = verify(&bytes[..], Some(keyring.certificates()), Judgement::default());
        let (our, lines) = match &ours {
            Ok(found) => (accepted(found), found.checks.iter().filter_map(our_line).collect()),
            Err(_) => (false, Vec::new()),
        };
        let differing = differences(&their_lines(output), &lines);
        same += usize::from(*rpm == our);
        same_lines += usize::from(differing.is_empty());
        let word = |accepted| if accepted { "OK" } else { "NOT OK" };
        let found = [word(*rpm), word(our), differing.as_str()];
        let agreed = *rpm == our && differing.is_empty();
        match (agreed, entries.remove(name)) {
            (true, None) => {}
            (true, Some(_)) => wrong.push(format!("{name}: it does not differ any more")),
            (false, None) => wrong.push(format!("{name}: no entry for {found:?}, {ours:?}")),
            (false, Some(entry)) => {
                let reason = known_reason(&entry["reason"]);
                *reasons.entry(reason).or_default() += usize::from(*rpm != our);
                let wanted = ["rpm", "ours", "lines"].map(|column| entry[column].as_str());
                if wanted != found {
                    wrong.push(format!("{name}: {found:?} instead of {wanted:?}"));
                }
                if !row["gpg_verify"].contains(&entry["gpg"]) {
                    wrong.push(format!("{name}: GnuPG says {:?}", row["gpg_verify"]));
                }
                if reason.contains("names and paths") && !ours.is_ok_and(|found| found.nevra.is_err()) {
                    wrong.push(format!("{name}: its name is not the reason"));
                }
            }
        }
    }
    wrong.extend(entries.keys().map(|name| format!("{name}: an entry without a file")));
    println!(
        "{known}: {} files, {same} with the same verdict, {same_lines} with the same lines",
        files.len()
    );
    for (reason, count) in reasons.iter().filter(|(_, count)| **count > 0) {
        println!("  {count} with another verdict: {reason}");
    }
    assert!(wrong.is_empty(), "{known}:\n{}", wrong.join("\n"));
}

/// The reasons that are known.
fn known_reason(text: &str) -> &'static str {
    const REASONS: [&str; 8] = [
        "rpm does not see signatures under OPENPGP (278)",
        "rpm does not know ECDSA",
        "rpm does not import the key",
        "rpm takes SHA-1 and keys of 1024 bits",
        "rpm takes names and paths that nothing could use",
        "rpm takes a header with a tag twice",
        "rpm takes packages of an unknown format",
        "rpm takes whatever stands in the lead",
    ];
    let known = REASONS.into_iter().find(|known| *known == text);
    assert!(known.is_some(), "another reason: {text}");
    known.unwrap()
}
