//! Keys and signatures made here, judged by rpm 4.18 and gpg.

#![allow(clippy::unwrap_used, reason = "a test may fail")]
#![allow(clippy::disallowed_methods, reason = "the peers are other programs")]

mod sample;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;

use gander::base::{Digest, RelPath, SourceDate};
use gander::format::checksum::Checksums;
use gander::openpgp::{armor_detached, clearsign, inspect, verify_cleartext};
use gander::plan::{Input, StepIo};
use gander::rpm::{Headers, identify, signature};
use gander::sign::{LocalSigner, NewKey, Signer, attach, demonstration};

fn skip(test: &str, why: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{test} cannot run: {why}");
    eprintln!("SKIPPED {test}: {why}");
}

fn there(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

fn run(command: &mut Command) -> Output {
    command.env("LC_ALL", "C.UTF-8").output().unwrap()
}

fn text_of(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// Finding primes takes seconds, so all tests share the keys.
fn signers() -> &'static [(&'static str, LocalSigner)] {
    static SIGNERS: OnceLock<[(&str, LocalSigner); 2]> = OnceLock::new();
    SIGNERS.get_or_init(|| {
        let rsa = NewKey::rsa("Tester <t@example.org>", date(), None, None).unwrap().signer;
        [("RSA 4096", rsa), ("EdDSA", demonstration("goose", date(), "Goose Linux").unwrap())]
    })
}

fn date() -> SourceDate {
    "2026-11-01T00:00:00Z".parse().unwrap()
}

fn sign(signer: &dyn Signer, package: &[u8]) -> Vec<u8> {
    let headers = Headers::read(package).unwrap();
    let packet = signer.sign_detached(headers.main.bytes(), date()).unwrap();
    assert_eq!(packet, signer.sign_detached(headers.main.bytes(), date()).unwrap(), "not deterministic");
    let header = signature::insert(&headers.signature, &packet).unwrap();
    let mut signed = Vec::new();
    signature::splice(package, &header, &mut signed).unwrap();
    signed
}

/// rpm's verdict with a database of its own.
fn rpmkeys(folder: &Path, arguments: &[&str]) -> Output {
    let database = format!("_dbpath {}", folder.join("db").display());
    run(Command::new("rpmkeys").args(["--define", &database]).args(arguments).current_dir(folder))
}

#[test]
fn the_attach_step_makes_the_same_bytes_as_ever() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    for part in ["in", "out", "build"] {
        fs::create_dir(at(part)).unwrap();
    }
    let package = sample::package();
    let signer = demonstration("goose", date(), "Goose Linux").unwrap();
    let packet = signer.sign_detached(Headers::read(&package[..]).unwrap().main.bytes(), date()).unwrap();
    fs::write(at("in/package.rpm"), &package).unwrap();
    fs::write(at("in/signature"), &packet).unwrap();
    let object = |bytes: &[u8]| Input::Object(Digest::of(bytes));
    let file = RelPath::new("goose-1-1.noarch.rpm").unwrap();
    let step = attach::step(object(&package), object(&packet), &file, "x86_64", date());
    let (inputs, output, scratch) = (at("in"), at("out"), at("build"));
    let io = StepIo { params: step.params, source_date: date(), inputs, output, scratch };
    attach::execute(&io).unwrap();
    let signed = fs::read(at("out/goose-1-1.noarch.rpm")).unwrap();
    assert_eq!(signed, sign(&signer, &package));
    assert_eq!(
        (attach::REVISION, Digest::of(&signed).hex().as_str()),
        (2, "9ba9796897aa0d206a5bb34dfe8c1e9961194318bb40622a4a5ac30eacf87cfc"),
        "the step attach makes other bytes: raise attach::REVISION and pin the new digest"
    );
}

#[test]
fn rpm_accepts_our_keys_and_signatures() {
    if !there("rpmkeys") {
        return skip("rpm_accepts_our_keys_and_signatures", "rpmkeys is not installed");
    }
    let package = sample::package();
    for (name, signer) in signers() {
        let folder = tempfile::tempdir().unwrap();
        let at = |file: &str| folder.path().join(file);
        let signed = sign(signer, &package);
        assert_eq!(signed.len(), package.len(), "{name}: the reserve was not used");
        assert_eq!(identify(&signed[..]).unwrap().1.content, identify(&package[..]).unwrap().1.content);
        let mut tampered = signed.clone();
        *tampered.iter_mut().rev().nth(400).unwrap() ^= 1;
        fs::write(at("key.asc"), signer.certificate().armored()).unwrap();
        fs::write(at("unsigned.rpm"), &package).unwrap();
        fs::write(at("signed.rpm"), &signed).unwrap();
        fs::write(at("tampered.rpm"), &tampered).unwrap();

        let before = rpmkeys(folder.path(), &["-Kv", "signed.rpm"]);
        assert!(
            !before.status.success() && text_of(&before).contains("NOKEY"),
            "{name}: {}",
            text_of(&before)
        );
        let import = rpmkeys(folder.path(), &["--import", "key.asc"]);
        assert!(import.status.success(), "{name}: {}", text_of(&import));
        let verdict = rpmkeys(folder.path(), &["-Kv", "signed.rpm"]);
        let words = text_of(&verdict);
        assert!(verdict.status.success(), "{name}: {words}");
        let kind = if *name == "EdDSA" { "V4 EdDSA/SHA256" } else { "V4 RSA/SHA256" };
        assert!(words.contains(&format!("Header {kind} Signature")), "{name}: {words}");
        for line in words.lines().skip(1) {
            assert!(line.ends_with(": OK"), "{name}: {words}");
        }
        let verdict = rpmkeys(folder.path(), &["-Kv", "tampered.rpm"]);
        assert!(!verdict.status.success(), "{name}: {}", text_of(&verdict));
        let verdict = rpmkeys(folder.path(), &["-Kv", "unsigned.rpm"]);
        assert!(!text_of(&verdict).contains("Signature"), "{name}: {}", text_of(&verdict));
    }
}

#[test]
fn gpg_accepts_our_keys_and_signatures() {
    if !there("gpg") {
        return skip("gpg_accepts_our_keys_and_signatures", "gpg is not installed");
    }
    for (name, signer) in signers() {
        let folder = tempfile::tempdir().unwrap();
        let at = |file: &str| folder.path().join(file);
        let packet = signer.sign_detached(b"<repomd/>", date()).unwrap();
        fs::write(at("key.asc"), signer.certificate().armored()).unwrap();
        fs::write(at("repomd.xml"), b"<repomd/>").unwrap();
        fs::write(at("repomd.xml.asc"), armor_detached(&packet)).unwrap();
        let gpg = |arguments: &[&str]| gpg(folder.path(), arguments);
        let import = gpg(&["--import", "key.asc"]);
        assert!(text_of(&import).contains("IMPORT_OK 1"), "{name}: {}", text_of(&import));
        let verdict = gpg(&["--verify", "repomd.xml.asc", "repomd.xml"]);
        let valid = format!("VALIDSIG {}", signer.certificate().fingerprint());
        assert!(
            verdict.status.success() && text_of(&verdict).contains(&valid),
            "{name}: {}",
            text_of(&verdict)
        );
        let info = inspect(&packet).unwrap().remove(0);
        assert_eq!((info.version, info.hash, info.issuer_ids.len()), (4, 8, 1), "{name}");
        assert_eq!(info.issuer, Some(signer.certificate().fingerprint()), "{name}");
    }
}

/// gpg with a home of its own; no agent is started for public keys.
fn gpg(home: &Path, arguments: &[&str]) -> Output {
    let fixed = ["--homedir", home.to_str().unwrap(), "--batch", "--no-autostart", "--status-fd", "1"];
    run(Command::new("gpg").args(fixed).args(arguments).current_dir(home))
}

#[test]
fn gpg_accepts_our_clearsigned_texts() {
    if !there("gpg") {
        return skip("gpg_accepts_our_clearsigned_texts", "gpg is not installed");
    }
    for (name, signer) in signers() {
        let folder = tempfile::tempdir().unwrap();
        let at = |file: &str| folder.path().join(file);
        fs::write(at("key.asc"), signer.certificate().armored()).unwrap();
        gpg(folder.path(), &["--import", "key.asc"]);
        let valid = format!("VALIDSIG {}", signer.certificate().fingerprint());
        for (text, shown) in [
            ("one line\n", "one line\n"),
            ("no end", "no end\n"),
            (
                "- dash\n-----BEGIN PGP SIGNATURE-----\nFrom here\n",
                "- dash\n-----BEGIN PGP SIGNATURE-----\nFrom here\n",
            ),
            ("blanks \t\n\n  \n\n", "blanks\n\n\n\n"),
            ("a\r\nä\r\n", "a\nä\n"),
        ] {
            let packet = signer.sign_cleartext(text.as_bytes(), date()).unwrap();
            assert_eq!(packet, signer.sign_cleartext(text.as_bytes(), date()).unwrap(), "not deterministic");
            let message = clearsign(text.as_bytes(), &packet).unwrap();
            fs::write(at("text.asc"), &message).unwrap();
            fs::remove_file(at("shown")).ok();
            let verdict = gpg(folder.path(), &["--output", "shown", "--decrypt", "text.asc"]);
            let words = text_of(&verdict);
            assert!(verdict.status.success() && words.contains(&valid), "{name} {text:?}: {words}");
            assert_eq!(fs::read_to_string(at("shown")).unwrap(), shown, "{name} {text:?}");
            let certificates = std::slice::from_ref(signer.certificate());
            assert_eq!(
                verify_cleartext(certificates, &message).unwrap(),
                shown.as_bytes(),
                "{name} {text:?}"
            );
            // Every byte of the text counts.
            let start = message.windows(2).position(|pair| pair == b"\n\n").unwrap() + 2;
            for place in start..start + text.trim_end().len() {
                let mut changed = message.clone();
                changed[place] ^= 0x02;
                assert!(verify_cleartext(certificates, &changed).is_err(), "{name} {text:?}: byte {place}");
            }
            let mut changed = message;
            changed[start] ^= 0x02;
            fs::write(at("changed.asc"), changed).unwrap();
            let verdict = gpg(folder.path(), &["--verify", "changed.asc"]);
            assert!(!verdict.status.success(), "{name} {text:?}: {}", text_of(&verdict));
        }
    }
}

#[test]
fn sha256sum_reads_our_clearsigned_checksums() {
    let folder = tempfile::tempdir().unwrap();
    let (_, signer) = &signers()[1];
    let mut list = Checksums::default();
    for name in ["goose.iso", "goose (1).iso", "-dash.iso"] {
        fs::write(folder.path().join(name), name).unwrap();
        list.add(RelPath::new(name).unwrap(), Digest::of(name), name.len() as u64).unwrap();
    }
    let text = list.to_string();
    let packet = signer.sign_cleartext(text.as_bytes(), date()).unwrap();
    fs::write(folder.path().join("CHECKSUM"), clearsign(text.as_bytes(), &packet).unwrap()).unwrap();
    let check = || run(Command::new("sha256sum").args(["--check", "CHECKSUM"]).current_dir(folder.path()));
    let verdict = check();
    let words = String::from_utf8_lossy(&verdict.stdout).into_owned();
    assert!(verdict.status.success(), "{}", text_of(&verdict));
    assert_eq!(words.lines().filter(|line| line.ends_with(": OK")).count(), 3, "{words}");
    fs::write(folder.path().join("goose.iso"), "gooze.iso").unwrap();
    assert!(!check().status.success());
}
