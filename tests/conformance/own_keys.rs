//! Keys that are made here, in every state of their life, judged by rpm 4.20, where Sequoia reads OpenPGP.

use std::fs;
use std::path::Path;
use std::process::Command;

use gander::base::SourceDate;
use gander::sign::key::{Algorithm, Reason, SecretKey, Spec, Subkeys, Which, minimal};

use super::rpmkeys::in_rpm_4_20;
use super::sample;

const SCRIPT: &str = r#"
for key in /in/*.asc; do
    name=$(basename "$key" .asc)
    echo "CASE $name"
    rpmkeys --define "_dbpath /build/$name" -Kv "/in/$name.rpm" 2>&1
    echo "BEFORE $?"
    rpmkeys --define "_dbpath /build/$name" --import "$key" 2>&1 && echo "IMPORTED"
    rpmkeys --define "_dbpath /build/$name" -Kv "/in/$name.rpm" 2>&1
    echo "CODE $?"
done
"#;

fn date(text: &str) -> SourceDate {
    text.parse().unwrap()
}

fn key(algorithm: Algorithm, expires: &str, subkeys: Subkeys) -> SecretKey {
    let (created, expires) = (date("2026-01-01T00:00:00Z"), Some(date(expires)));
    SecretKey::generate(&Spec { algorithm, user_id: "Tester <t@example.org>", created, expires, subkeys })
        .unwrap()
}

#[test]
fn rpm_4_20_takes_our_keys_while_they_are_good() {
    const TEST: &str = "rpm_4_20_takes_our_keys_while_they_are_good";
    let (never, soon) = ("2040-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
    let none = Subkeys { signing: false, encryption: false };
    let both = Subkeys { signing: true, encryption: true };
    let mut extended = key(Algorithm::Ed25519, soon, none);
    extended.extend(Which::Primary, Some(date(never)), date("2026-03-01T00:00:00Z")).unwrap();
    let good = key(Algorithm::Ed25519, never, none);
    let mut revoked = SecretKey::parse(&good.protected(None).unwrap(), None).unwrap();
    revoked.revoke(Reason::Compromised, "stolen", date("2026-07-01T00:00:00Z")).unwrap();
    let revoked = minimal(revoked.certificate()).unwrap();
    // Name, key, and whether a package that it signed in June is accepted now.
    let cases = [
        ("rsa4096", key(Algorithm::Rsa(4096), never, none), true),
        ("ed25519", key(Algorithm::Ed25519, never, none), true),
        ("subkeys", key(Algorithm::Ed25519, never, both), true),
        ("extended", extended, true),
        ("revoked", good, false),
    ];
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let secrets = tempfile::tempdir().unwrap();
    for (name, key, _) in &cases {
        sign(secrets.path(), &at(&format!("{name}.rpm")), key);
        let certificate =
            if *name == "revoked" { revoked.clone() } else { minimal(key.certificate()).unwrap() };
        fs::write(at(&format!("{name}.asc")), certificate.armored()).unwrap();
    }
    fs::write(at("script"), SCRIPT).unwrap();
    let Some(text) = in_rpm_4_20(TEST, folder.path(), &[]) else { return };
    println!("{text}");
    for (name, _, good) in &cases {
        let said = text.split("CASE ").find(|part| part.starts_with(&format!("{name}\n"))).unwrap();
        assert!(said.contains(": NOKEY") && said.contains("BEFORE 1"), "without the key\n{said}");
        assert_eq!(said.contains("CODE 0"), *good, "{said}");
        if *good {
            assert!(
                said.contains("IMPORTED") && said.contains("Signature, key") && said.contains(": OK\n"),
                "{said}"
            );
        }
    }
    println!("rpm 4.20: {} keys made here, each in another state", cases.len());
}

/// Signs a package by `gander sign rpm`.
fn sign(secrets: &Path, package: &Path, key: &SecretKey) {
    let file = secrets.join("key");
    fs::write(&file, key.protected(None).unwrap()).unwrap();
    fs::write(package, sample::package()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_gander"))
        .args(["sign", "rpm", "--time", "2026-06-01T00:00:00Z", "--key"])
        .arg(&file)
        .arg(package)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
