//! Keys in their life, and `gander sign`, judged by gpg and rpm 4.18.

#![allow(clippy::unwrap_used, reason = "a test may fail")]
#![allow(clippy::disallowed_methods, reason = "the peers are other programs")]

mod sample;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use gander::base::SourceDate;
use gander::openpgp::{Certificate, VerifyError, verify_detached};
use gander::rpm::identify;
use gander::sign::Signer as _;
use gander::sign::key::{Algorithm, KeyError, Reason, SecretKey, Spec, Subkeys, Which, check, minimal, wrap};

const USER: &str = "Tester <t@example.org>";

fn skip(test: &str, why: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{test} cannot run: {why}");
    eprintln!("SKIPPED {test}: {why}");
}

fn there(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

fn date(text: &str) -> SourceDate {
    text.parse().unwrap()
}

fn made() -> SourceDate {
    date("2026-01-01T00:00:00Z")
}

fn key(signing: bool, encryption: bool) -> SecretKey {
    SecretKey::generate(&Spec {
        algorithm: Algorithm::Ed25519,
        user_id: USER,
        created: made(),
        expires: Some(date("2040-01-01T00:00:00Z")),
        subkeys: Subkeys { signing, encryption },
    })
    .unwrap()
}

/// gpg with a home of its own, and no questions.
fn gpg(home: &Path, arguments: &[&str]) -> Output {
    let fixed =
        ["--homedir", home.to_str().unwrap(), "--batch", "--status-fd", "1", "--pinentry-mode", "loopback"];
    Command::new("gpg")
        .args(fixed)
        .args(arguments)
        .current_dir(home)
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap()
}

fn gander(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gander")).args(arguments).current_dir(folder).output().unwrap()
}

/// Ends gpg's agent with the folder.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let home = ["--homedir", self.0.path().to_str().unwrap(), "--kill", "all"];
        drop(Command::new("gpgconf").args(home).output());
    }
}

#[test]
fn a_key_is_written_and_read_with_all_its_parts() {
    let key = key(true, true);
    assert_eq!(key.certificate().key_fingerprints().len(), 3);
    let bytes = key.protected(Some(b"secret")).unwrap();
    assert!(matches!(SecretKey::parse(&bytes, None), Err(KeyError::Locked(_))));
    assert!(matches!(SecretKey::parse(&bytes, Some(b"wrong")), Err(KeyError::Locked(_))));
    let read = SecretKey::parse(&bytes, Some(b"secret")).unwrap();
    assert_eq!(read.certificate().armored(), key.certificate().armored());
    let packet = read.signer().unwrap().sign_detached(b"data", made()).unwrap();
    let verified = verify_detached(key.certificate(), &packet, &b"data"[..], None).unwrap();
    assert_eq!(verified.key, key.certificate().key_fingerprints()[1], "not the signing subkey signed");
    for cut in (0..bytes.len()).step_by(7) {
        assert!(SecretKey::parse(&bytes[..cut], Some(b"secret")).is_err() || cut > bytes.len() / 2, "{cut}");
    }
}

#[test]
fn expiry_and_revocation_are_the_same_bytes_each_time() {
    let mut key = key(true, true);
    let signer = key.signer().unwrap();
    let late = date("2041-01-01T00:00:00Z");
    assert!(signer.sign_detached(b"data", late).is_err(), "an expired key signed");
    assert!(matches!(check(key.certificate(), late), Err(KeyError::Weak { .. })));
    let mut again = key.clone();
    for key in [&mut key, &mut again] {
        for which in [Which::Primary, Which::Subkey(0), Which::Subkey(1)] {
            key.extend(which, Some(date("2050-01-01T00:00:00Z")), date("2039-01-01T00:00:00Z")).unwrap();
        }
        assert!(matches!(key.extend(Which::Subkey(2), None, late), Err(KeyError::Unusable(_))));
        assert!(matches!(key.extend(Which::Primary, Some(made()), late), Err(KeyError::Expiry { .. })));
    }
    assert_eq!(key.certificate().armored(), again.certificate().armored(), "not deterministic");
    check(key.certificate(), late).unwrap();
    let packet = key.signer().unwrap().sign_detached(b"data", late).unwrap();
    let small = minimal(key.certificate()).unwrap();
    assert!(small.to_bytes().len() < key.certificate().to_bytes().len());
    for certificate in [key.certificate(), &small] {
        verify_detached(certificate, &packet, &b"data"[..], None).unwrap();
    }

    for (reason, before) in [
        (Reason::Superseded, true),
        (Reason::Retired, true),
        (Reason::Compromised, false),
        (Reason::Unspecified, false),
    ] {
        let mut key = key.clone();
        let later = date("2042-01-01T00:00:00Z");
        key.revoke(reason, "a test", later).unwrap();
        let verdict = verify_detached(key.certificate(), &packet, &b"data"[..], None);
        assert_eq!(verdict.is_ok(), before, "{reason:?}: {verdict:?}");
        let verdict = verify_detached(key.certificate(), &packet, &b"data"[..], Some(later.seconds() + 1));
        assert!(matches!(verdict, Err(VerifyError::Revoked { .. })), "{reason:?}: {verdict:?}");
        assert!(matches!(check(key.certificate(), date("2043-01-01T00:00:00Z")), Err(KeyError::Weak { .. })));
        assert!(
            key.signer().is_err()
                || key.signer().unwrap().sign_detached(b"data", date("2043-01-01T00:00:00Z")).is_err()
        );
    }
}

#[test]
fn gpg_takes_what_is_made_here() {
    if !there("gpg") {
        return skip("gpg_takes_what_is_made_here", "gpg is not installed");
    }
    let rsa = Spec {
        algorithm: Algorithm::Rsa(3072),
        user_id: USER,
        created: made(),
        expires: None,
        subkeys: Subkeys { signing: true, encryption: true },
    };
    for mut key in [key(false, false), key(true, true), SecretKey::generate(&rsa).unwrap()] {
        let home = Home::new();
        let at = |name: &str| home.0.path().join(name);
        let gpg = |arguments: &[&str]| gpg(home.0.path(), arguments);
        let fingerprints = key.certificate().key_fingerprints();
        // Secret, protected; then what gpg signs and encrypts is read here.
        fs::write(at("key"), key.protected(Some(b"phrase")).unwrap()).unwrap();
        fs::write(at("data"), "data").unwrap();
        let imported = gpg(&["--passphrase", "phrase", "--import", "key"]);
        assert!(words(&imported).contains("IMPORT_OK 17"), "{}", words(&imported));
        let signed = gpg(&["--passphrase", "phrase", "--output", "data.sig", "--detach-sign", "data"]);
        assert!(signed.status.success(), "{}", words(&signed));
        verify_detached(key.certificate(), &fs::read(at("data.sig")).unwrap(), &b"data"[..], None).unwrap();
        if fingerprints.len() == 3 {
            let closed = gpg(&[
                "--trust-model",
                "always",
                "--output",
                "data.gpg",
                "--recipient",
                USER,
                "--encrypt",
                "data",
            ]);
            assert!(closed.status.success(), "{}", words(&closed));
            assert_eq!(&key.decrypt(&fs::read(at("data.gpg")).unwrap()).unwrap()[..], b"data");
        }
        // What we sign, gpg verifies; and the key as gpg exports it signs here.
        let exported = gpg(&["--passphrase", "phrase", "--armor", "--export-secret-keys"]);
        let read = SecretKey::parse(&exported.stdout, Some(b"phrase")).unwrap();
        assert_eq!(read.certificate().key_fingerprints(), fingerprints);
        let packet = read.signer().unwrap().sign_detached(b"data", date("2026-06-01T00:00:00Z")).unwrap();
        fs::write(at("ours.sig"), packet).unwrap();
        let verdict = gpg(&["--verify", "ours.sig", "data"]);
        assert!(words(&verdict).contains("VALIDSIG"), "{}", words(&verdict));
        // A longer life, then the end.
        key.extend(Which::Primary, Some(date("2051-06-01T00:00:00Z")), date("2026-06-01T00:00:00Z")).unwrap();
        fs::write(at("longer.asc"), key.certificate().armored()).unwrap();
        gpg(&["--import", "longer.asc"]);
        let listed = gpg(&["--list-keys", "--with-colons"]);
        assert!(words(&listed).contains(":2569190400:"), "{}", words(&listed));
        let revocation = key.revocation(Reason::Compromised, "a test", date("2026-07-01T00:00:00Z")).unwrap();
        fs::write(at("end.asc"), revocation).unwrap();
        gpg(&["--import", "end.asc"]);
        let listed = gpg(&["--list-keys", "--with-colons"]);
        assert!(words(&listed).contains("pub:r:"), "{}", words(&listed));
    }
}

#[test]
fn backups_are_opened_by_gpg_and_gpgs_by_us() {
    if !there("gpg") {
        return skip("backups_are_opened_by_gpg_and_gpgs_by_us", "gpg is not installed");
    }
    let home = Home::new();
    let at = |name: &str| home.0.path().join(name);
    fs::write(at("backup"), wrap::seal(b"a secret", b"phrase").unwrap()).unwrap();
    let opened = gpg(home.0.path(), &["--passphrase", "phrase", "--output", "opened", "--decrypt", "backup"]);
    assert!(opened.status.success(), "{}", words(&opened));
    assert_eq!(fs::read(at("opened")).unwrap(), b"a secret");
    let closed =
        gpg(home.0.path(), &["--passphrase", "phrase", "--output", "theirs", "--symmetric", "opened"]);
    assert!(closed.status.success(), "{}", words(&closed));
    let theirs = fs::read(at("theirs")).unwrap();
    assert_eq!(&wrap::unseal(&theirs, b"phrase").unwrap()[..], b"a secret");
    assert!(matches!(wrap::unseal(&theirs, b"wrong"), Err(wrap::WrapError::Passphrase)));
    assert!(wrap::unseal(b"no message", b"phrase").is_err());
}

#[test]
fn weak_keys_are_refused_with_the_reason() {
    for (bits, kind) in [("rsa1024", "RSA"), ("dsa2048", "DSA")] {
        if !there("gpg") {
            return skip("weak_keys_are_refused_with_the_reason", "gpg is not installed");
        }
        let home = Home::new();
        let made =
            gpg(home.0.path(), &["--passphrase", "", "--quick-generate-key", USER, bits, "sign", "never"]);
        assert!(made.status.success(), "{}", words(&made));
        let options = ["--passphrase", "", "--output", "weak", "--export-secret-keys"];
        let exported = gpg(home.0.path(), &options);
        assert!(exported.status.success(), "{}", words(&exported));
        let refused = gander(home.0.path(), &["key", "import", "weak", "-o", "taken.key"]);
        assert_eq!(refused.status.code(), Some(3), "{}", words(&refused));
        assert!(words(&refused).contains(kind), "{}", words(&refused));
        assert!(!home.0.path().join("taken.key").exists());
    }
    assert!("rsa2048".parse::<Algorithm>().is_err() && "dsa".parse::<Algorithm>().is_err());
}

#[test]
fn files_are_signed_and_rpm_takes_the_packages() {
    if !there("rpmkeys") {
        return skip("files_are_signed_and_rpm_takes_the_packages", "rpmkeys is not installed");
    }
    for signing in [false, true] {
        let home = Home::new();
        let folder = home.0.path();
        let at = |name: &str| folder.join(name);
        let key = key(signing, false);
        fs::write(at("key"), key.protected(None).unwrap()).unwrap();
        fs::write(at("key.asc"), minimal(key.certificate()).unwrap().armored()).unwrap();
        fs::write(at("a.rpm"), sample::package()).unwrap();
        fs::write(at("text"), "text\n").unwrap();
        fs::create_dir(at("out")).unwrap();
        let time = ["--key", "key", "--time", "2026-06-01T00:00:00Z"];
        let sign = |arguments: &[&str]| {
            let output = gander(folder, &[&["sign"], arguments, &time].concat());
            assert!(output.status.success(), "{}", words(&output));
        };
        sign(&["text", "text"]);
        sign(&["detached", "a.rpm", "text", "-o", "out"]);
        let packet = fs::read(at("out/a.rpm.asc")).unwrap();
        verify_detached(key.certificate(), &packet, &sample::package()[..], None).unwrap();
        sign(&["rpm", "a.rpm", "-o", "out", "--legacy"]);
        let first = fs::read(at("out/a.rpm")).unwrap();
        assert_eq!(fs::read(at("a.rpm")).unwrap(), sample::package(), "the file itself was changed");
        sign(&["rpm", "a.rpm", "--legacy"]);
        assert_eq!(fs::read(at("a.rpm")).unwrap(), first, "not deterministic");
        let twice = gander(folder, &[&["sign", "rpm", "a.rpm"][..], &time].concat());
        assert_eq!(twice.status.code(), Some(3), "{}", words(&twice));
        sign(&["rpm", "a.rpm", "--legacy", "--resign"]);
        // The reserve of a version 4 package never grows back, so only what follows the signature header is the same.
        let again = fs::read(at("a.rpm")).unwrap();
        assert_eq!(identify(&again[..]).unwrap().1.content, identify(&first[..]).unwrap().1.content);

        let database = format!("_dbpath {}", at("db").display());
        let rpmkeys = |arguments: &[&str]| {
            Command::new("rpmkeys")
                .args(["--define", &database])
                .args(arguments)
                .current_dir(folder)
                .output()
                .unwrap()
        };
        let imported = rpmkeys(&["--import", "key.asc"]);
        assert!(imported.status.success(), "{}", words(&imported));
        let verdict = rpmkeys(&["-Kv", "a.rpm"]);
        eprintln!("by a subkey: {signing}\n{}", words(&verdict));
        assert!(verdict.status.success(), "by a subkey: {signing}\n{}", words(&verdict));
        assert!(Certificate::parse(&fs::read(at("key.asc")).unwrap()).is_ok());
    }
}
