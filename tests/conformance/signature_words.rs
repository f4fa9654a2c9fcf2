//! `realdata/rpms`: what `gander rpm verify` says of signatures that it does not accept, and which of several it wants.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use gander::base::SourceDate;
use gander::openpgp::{Certificate, Judgement, Keyring};
use gander::rpm::verify::{Level, Requirements, verify};
use gander::rpm::{Headers, edit, signature};

use super::rpmkeys::{accepted, import, keyring};
use super::{Tally, folder, skip};

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
