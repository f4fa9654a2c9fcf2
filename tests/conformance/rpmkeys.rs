//! `realdata/rpms`: what `gander rpm verify` says of genuine, damaged and hostile packages, against `rpmkeys -Kv` of
//! rpm 4.18 with the same keys, and beside what GnuPG says of the same signatures.
//!
//! Where the two differ, `rpmkeys.tsv` has an entry with the reason. An entry that no longer differs is a failure,
//! like a difference without an entry. Its columns: the file; whether rpm and gander accept it; what else their
//! answers differ in (`-` rpm's line, `+` ours); what GnuPG's verdict in the index must contain; the reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use gander::base::SourceDate;
use gander::openpgp::{Certificate, Judgement, Keyring};
use gander::rpm::verify::{Check, Level, Requirements, Subject, Verification, verify};

use gander::rpm::{Headers, edit, signature};

use super::rpmsign::table;
use super::{Tally, folder, skip};

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
fn accepted(found: &Verification) -> bool {
    found.problems(Requirements { level: Level::Digest, any_signature: false }).is_empty()
}

/// A claim in the words that both have: `Header v4 rsa/sha256 signature NOKEY`.
fn our_line(check: &Check) -> Option<String> {
    let what = match &check.subject {
        // rpm 4.18 knows none of these digests.
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
    for line in output.lines().filter_map(|line| line.strip_prefix("    ")) {
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
fn import(root: &Path, database: &Path) {
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
fn the_same_verdicts_as_rpmkeys() {
    const TEST: &str = "the_same_verdicts_as_rpmkeys";
    let Some(root) = folder("GANDER_REALDATA", TEST) else { return };
    let version = Command::new("rpmkeys").arg("--version").output();
    if !version.is_ok_and(|version| String::from_utf8_lossy(&version.stdout).contains("4.18.")) {
        return skip(TEST, "rpmkeys 4.18 is not installed");
    }
    let database = tempfile::tempdir().unwrap();
    import(&root, database.path());
    let keyring = keyring(&root);
    let known = table(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/rpmkeys.tsv"));
    let mut known: BTreeMap<&str, &BTreeMap<String, String>> =
        known.iter().map(|row| (row["file"].as_str(), row)).collect();
    let mut verdicts = Tally::new("realdata/rpms: rpmkeys -Kv, or a reason why not");
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut same, mut same_lines) = (0, 0);
    for row in table(&root.join("rpms/INDEX.tsv")) {
        let name = row["file"].as_str();
        let theirs = Command::new("rpmkeys")
            .args(["--define", &format!("_dbpath {}", database.path().display()), "-Kv"])
            .arg(root.join(name))
            .env("LC_ALL", "C.UTF-8")
            .output()
            .unwrap();
        let output = String::from_utf8_lossy(&theirs.stdout);
        let (rpm, index) = (theirs.status.success(), &row["rpmkeys_Kv_vendor_and_test_keys"]);
        assert_eq!(rpm, index.starts_with("rc=0"), "{name}: the index was made otherwise: {index}");
        let bytes = fs::read(root.join(name)).unwrap();
        let ours = verify(&bytes[..], Some(keyring.certificates()), Judgement::default());
        let (our, lines) = match &ours {
            Ok(found) => (accepted(found), found.checks.iter().filter_map(our_line).collect()),
            Err(_) => (false, Vec::new()),
        };
        let differing = differences(&their_lines(&output), &lines);
        same += usize::from(rpm == our);
        same_lines += usize::from(differing.is_empty());
        let word = |accepted| if accepted { "OK" } else { "NOT OK" };
        let found = [word(rpm), word(our), differing.as_str()];
        let agreed = rpm == our && differing.is_empty();
        let wrong = match (agreed, known.remove(name)) {
            (true, None) => None,
            (true, Some(_)) => Some("it does not differ any more".into()),
            (false, None) => Some(format!("no entry for {found:?}, {ours:?}")),
            (false, Some(entry)) => {
                let wanted = ["rpm", "ours", "lines"].map(|column| entry[column].as_str());
                let reason = known_reason(&entry["reason"]);
                *reasons.entry(reason).or_default() += usize::from(rpm != our);
                if reason.contains("names and paths") {
                    assert!(ours.as_ref().is_ok_and(|found| found.nevra.is_err()), "{name}: {ours:?}");
                }
                match row["gpg_verify"].contains(&entry["gpg"]) {
                    _ if wanted != found => Some(format!("{found:?} instead of {wanted:?}")),
                    true => None,
                    false => Some(format!("GnuPG says {:?}", row["gpg_verify"])),
                }
            }
        };
        verdicts.case(name, wrong);
    }
    assert!(known.is_empty(), "entries without a file: {known:?}");
    println!(
        "{same} files with the same verdict, {same_lines} with the same lines; other verdicts by reason:"
    );
    for (reason, count) in reasons.iter().filter(|(_, count)| **count > 0) {
        println!("  {count} {reason}");
    }
    verdicts.finish();
}

/// The reasons that are known.
fn known_reason(text: &str) -> &'static str {
    const REASONS: [&str; 7] = [
        "rpm 4.18 does not see signatures under OPENPGP (278)",
        "rpm 4.18 does not know ECDSA",
        "rpm 4.18 does not import the key",
        "rpm 4.18 takes SHA-1 and keys of 1024 bits",
        "rpm 4.18 takes names and paths that nothing could use",
        "rpm 4.18 takes a header with a tag twice",
        "rpm 4.18 takes packages of an unknown format",
    ];
    let known = REASONS.into_iter().find(|known| *known == text);
    assert!(known.is_some(), "another reason: {text}");
    known.unwrap()
}

/// What is said of the signatures of a file, with these keys, judged as on a day or as when they were made.
fn said(root: &Path, file: &str, keys: &[&str], day: Option<&str>) -> Vec<String> {
    let certificates = keys
        .iter()
        .flat_map(|key| Certificate::parse_all(&fs::read(root.join("keys").join(key)).unwrap()).unwrap());
    let keyring: Keyring = certificates.collect();
    let time = day.map(|day| format!("{day}T00:00:00Z").parse::<SourceDate>().unwrap());
    let judgement = time.map_or_else(Judgement::default, |time| Judgement::as_of(time.seconds()));
    let bytes = fs::read(root.join("rpms").join(file)).unwrap();
    let found = verify(&bytes[..], Some(keyring.certificates()), judgement).unwrap();
    found.checks.iter().filter(|check| check.is_signature()).map(ToString::to_string).collect()
}

#[test]
fn each_way_to_fail_has_its_own_words() {
    let Some(root) = folder("GANDER_REALDATA", "each_way_to_fail_has_its_own_words") else { return };
    const CENTOS7: &str = "time-1.7-45.el7.x86_64.rpm";
    const CENTOS7_KEY: &str = "vendor/centos-24c6a8a7f4a80eb5.asc";
    const OPENSUSE: &str = "dnf-automatic-4.2.6-1.3.noarch.rpm";
    const OPENSUSE_KEY: &str = "vendor/opensuse-b88b2fd43dbdc284.asc";
    const SUBKEY: &str = "hello-2.0-1.x86_64-signed-with-subkey.rpm";
    const SLE11: &str = "vim-base-7.2-8.15.2.x86_64.rpm";
    const SLE11_KEY: &str = "vendor/suse-e3a5c360307e3d54.asc";
    const RHL: &str = "popt-1.5-4x.i386.rpm";
    const RHL_KEY: &str = "vendor/redhat-219180cddb42a60e.asc";
    const MLDSA: &str = "rpm-basic-with-mldsa65-ed25519-2.3.4-5.el9.noarch.rpm";
    let alice = |state: &str| format!("test/rpm--alice{state}.asc");
    let (plain, expired, revoked) = (alice(""), alice("-expired-subkey"), alice("-revoked-subkey"));
    let mut tally = Tally::new("realdata/rpms: words for signatures");
    let mut words = BTreeSet::new();
    for (file, keys, day, wanted) in [
        (CENTOS7, &[CENTOS7_KEY][..], None, ["V3 RSA/SHA256 signature", ": OK"]),
        (CENTOS7, &[OPENSUSE_KEY], None, [": NOKEY (", "not among the trusted ones"]),
        (
            "negative/flip-header-summary.rpm",
            &["vendor/opensuse-35a2f86e29b700a4.asc"],
            None,
            [": BAD (", "does not fit the data"],
        ),
        (
            "negative/hello-2.0-1.x86_64-signed--rpmlint.rpm",
            &["test/rpm--rpm.org-rsa-2048-test.pub"],
            None,
            [": BAD (", "no OpenPGP packet"],
        ),
        (OPENSUSE, &[OPENSUSE_KEY], None, ["", ": OK"]),
        (OPENSUSE, &[OPENSUSE_KEY], Some("2026-06-01"), [": NOTTRUSTED (", "expired before"]),
        (SUBKEY, &[&plain], None, ["", ": OK"]),
        (SUBKEY, &[&expired], None, [": NOTTRUSTED (", "expired before"]),
        (SUBKEY, &[&revoked], None, [": NOTTRUSTED (", "is revoked"]),
        // A copy of the certificate without its revocation does not undo it, in whatever order they come.
        (SUBKEY, &[&plain, &revoked], None, [": NOTTRUSTED (", "is revoked"]),
        (SUBKEY, &[&revoked, &plain], None, [": NOTTRUSTED (", "is revoked"]),
        (SLE11, &[SLE11_KEY], None, [": NOTTRUSTED (", "too weak to be accepted: key RSA 1024"]),
        (SLE11, &[SLE11_KEY], Some("2012-06-01"), ["V3 RSA/SHA256 signature", ": OK"]),
        (SLE11, &[SLE11_KEY], Some("2005-06-01"), [": NOTTRUSTED (", "not valid at the time"]),
        (
            RHL,
            &[RHL_KEY],
            None,
            [": NOTTRUSTED (", "too weak to be accepted: hash function SHA1, key DSA 1024"],
        ),
        (
            RHL,
            &[RHL_KEY],
            Some("2013-06-01"),
            [": NOTTRUSTED (", "too weak to be accepted: hash function SHA1)"],
        ),
        (RHL, &[RHL_KEY], Some("2005-06-01"), ["V3 DSA/SHA1 signature", ": OK"]),
        (MLDSA, &["test/rpm--rpm-testkey-v6-rsa4k.asc"], None, [": NOKEY (", "not among the trusted ones"]),
    ] {
        let lines = said(&root, file, keys, day);
        let line = lines.first().cloned().unwrap_or_default();
        words.extend(
            line.split("): ").next().and_then(|line| line.split_once(": ")).map(|(_, word)| word.to_string()),
        );
        let wrong = wanted.iter().any(|wanted| !line.contains(wanted)).then(|| format!("{day:?}: {lines:?}"));
        tally.case(file, wrong);
    }
    assert!(words.len() >= 7, "{words:#?}");
    tally.finish();
}

#[test]
fn half_a_signature_is_none() {
    let Some(root) = folder("GANDER_REALDATA", "half_a_signature_is_none") else { return };
    // Signed under RSAHEADER and PGP, but of before the time of payload digests.
    let whole = fs::read(root.join("rpms/time-1.7-45.el7.x86_64.rpm")).unwrap();
    let keyring = keyring(&root);
    let rpmkeys =
        Command::new("rpmkeys").arg("--version").output().is_ok_and(|output| output.status.success());
    let folder = tempfile::tempdir().unwrap();
    if rpmkeys {
        import(&root, &folder.path().join("db"));
    }
    for (removed, good, words) in [
        (&[][..], true, ""),
        (&[268], true, ""),
        (&[1002], false, "no good signature covers its payload"),
        (&[1002, 1004], false, "no good signature covers its payload"),
        (&[268, 1002], true, ""),
    ] {
        let headers = Headers::read(&whole[..]).unwrap();
        let header = edit::edit(&headers.signature, removed, &[]).unwrap();
        let mut package = Vec::new();
        edit::splice(&whole[..], &header, &mut package).unwrap();
        let found = verify(&package[..], Some(keyring.certificates()), Judgement::default()).unwrap();
        assert_eq!(accepted(&found), good, "{removed:?}: {found:?}");
        let strict: Vec<String> =
            found.problems(Requirements::default()).iter().map(ToString::to_string).collect();
        assert!(words.is_empty() || strict[0] == words, "{removed:?}: {strict:?}");
        assert_eq!(strict.is_empty(), good && removed.len() < 2, "{removed:?}: {strict:?}");
        if rpmkeys {
            let path = folder.path().join("package.rpm");
            fs::write(&path, &package).unwrap();
            let theirs = Command::new("rpmkeys")
                .args(["--define", &format!("_dbpath {}", folder.path().join("db").display()), "-Kv"])
                .arg(&path)
                .output()
                .unwrap();
            assert_eq!(theirs.status.success(), good, "{removed:?}: {theirs:?}");
        }
    }
    if !rpmkeys {
        skip("half_a_signature_is_none", "rpmkeys is not installed");
    }
}

#[test]
fn one_good_signature_of_several() {
    let Some(root) = folder("GANDER_REALDATA", "one_good_signature_of_several") else { return };
    let read = |key: &str| fs::read(root.join(format!("keys/test/rpm--{key}"))).unwrap();
    let package = fs::read(root.join("rpms/rpm-basic-2.3.4-5.el9.noarch--rpm-v6.rpm")).unwrap();
    let signed = |key: &str| {
        let bytes = fs::read(root.join(format!("rpms/rpm-basic-with-{key}"))).unwrap();
        signature::packets(&Headers::read(&bytes[..]).unwrap().signature).unwrap().remove(0).1
    };
    let packets = [signed("rsa4k-2.3.4-5.el9.noarch.rpm"), signed("mldsa65-ed25519-2.3.4-5.el9.noarch.rpm")];
    let mut both = package;
    for packet in &packets {
        let header = edit::sign(&Headers::read(&both[..]).unwrap(), packet, edit::How::default()).unwrap();
        let mut made = Vec::new();
        edit::splice(&both[..], &header, &mut made).unwrap();
        both = made;
    }
    let keyring: Keyring =
        Certificate::parse_all(&read("rpm-testkey-v6-rsa4k.asc")).unwrap().into_iter().collect();
    let problems = |bytes: &[u8], any_signature: bool| {
        let found = verify(bytes, Some(keyring.certificates()), Judgement::default()).unwrap();
        let wanted = Requirements { level: Level::All, any_signature };
        found.problems(wanted).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert!(problems(&both, false)[0].contains("NOKEY"), "{:?}", problems(&both, false));
    assert_eq!(problems(&both, true), Vec::<String>::new());
    let mut changed = both.clone();
    *changed.last_mut().unwrap() ^= 1;
    assert!(!problems(&changed, true).is_empty());
}
