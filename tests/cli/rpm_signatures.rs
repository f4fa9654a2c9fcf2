//! `gander rpm verify`, `insert-signature` and `extract-signature`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use gander::rpm::{Headers, edit};
use gander::sign::{Signer as _, demonstration};

use super::bench::{Bench, Output};
use super::sample;

/// A bench with a package, signed and not, its packet and its key.
struct Signed {
    bench: Bench,
    package: Vec<u8>,
    signed: Vec<u8>,
    packet: Vec<u8>,
}

impl Signed {
    fn new() -> Self {
        let bench = Bench::new();
        let date = "2026-11-01T00:00:00Z".parse().unwrap();
        let signer = demonstration("goose", date, "Goose Linux").unwrap();
        let package = sample::package();
        let headers = Headers::read(&package[..]).unwrap();
        let packet = signer.sign_detached(headers.main.bytes(), date).unwrap();
        let header = edit::sign(&headers, &packet, edit::How::default()).unwrap();
        let mut signed = Vec::new();
        edit::splice(&package[..], &header, &mut signed).unwrap();
        bench.write("unsigned.rpm", &package);
        bench.write("signed.rpm", &signed);
        bench.write("packet", &packet);
        bench.write("keys/goose.asc", signer.certificate().armored());
        Self { bench, package, signed, packet }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.bench.run(["rpm"].iter().chain(arguments))
    }

    fn read(&self, file: &str) -> Vec<u8> {
        std::fs::read(self.bench.path(file)).unwrap()
    }
}

#[test]
fn signatures_go_out_and_in_again() {
    let it = Signed::new();
    it.run(&["insert-signature", "unsigned.rpm", "--signature", "packet", "-o", "made.rpm"]).exits(0);
    assert_eq!(it.read("made.rpm"), it.signed);
    assert_eq!(it.read("unsigned.rpm"), it.package, "the input was changed");
    it.run(&["extract-signature", "made.rpm", "-o", "taken"]).exits(0);
    assert_eq!(it.read("taken"), it.packet);
    it.bench.write("armored", gander::openpgp::armor_detached(&it.packet));
    it.run(&["insert-signature", "unsigned.rpm", "--signature", "armored", "-o", "again.rpm"]).exits(0);
    assert_eq!(it.read("again.rpm"), it.signed);

    it.run(&["extract-signature", "--header", "signed.rpm", "-o", "header"]).exits(0);
    it.run(&["insert-signature", "unsigned.rpm", "--header", "header", "-o", "third.rpm"]).exits(0);
    assert_eq!(it.read("third.rpm"), it.signed);
    it.run(&["extract-signature", "--header", "unsigned.rpm", "-o", "bare"]).exits(0);
    it.run(&["insert-signature", "signed.rpm", "--header", "bare", "-o", "back.rpm"]).exits(0);
    assert_eq!(it.read("back.rpm"), it.package);

    // Under both tags it is one signature; on stdout it is bytes.
    it.run(&["insert-signature", "unsigned.rpm", "--signature", "packet", "--rpmv6", "-o", "both.rpm"])
        .exits(0);
    let output = it.bench.gander().args(["rpm", "extract-signature", "both.rpm"]).output().unwrap();
    assert_eq!(output.stdout, it.packet);
}

#[test]
fn files_are_written_whole_and_never_replaced_by_surprise() {
    let it = Signed::new();
    let insert = ["insert-signature", "unsigned.rpm", "--signature", "packet", "-o"];
    let with = |more: &[&str]| it.run(&[&insert[..], more].concat());
    with(&["unsigned.rpm"]).exits(2).says("exists").says("--force");
    assert_eq!(it.read("unsigned.rpm"), it.package);
    it.bench.write("other", "other");
    with(&["other"]).exits(2);
    assert_eq!(it.read("other"), b"other");
    with(&["other", "--force"]).exits(0);
    assert_eq!(it.read("other"), it.signed);
    with(&["none/x.rpm"]).exits(4).says("nothing can be written to 'none/x.rpm'");

    // A package that is damaged behind its headers gets no signed copy.
    let mut damaged = it.package.clone();
    *damaged.last_mut().unwrap() ^= 1;
    it.bench.write("damaged.rpm", damaged);
    it.run(&["insert-signature", "damaged.rpm", "--signature", "packet", "-o", "x.rpm"])
        .exits(3)
        .says("corrupt");
    it.run(&["insert-signature", "packet", "--signature", "packet", "-o", "x.rpm"])
        .exits(3)
        .says("no signature");
    it.run(&["insert-signature", "unsigned.rpm", "--signature", "unsigned.rpm", "-o", "x.rpm"]).exits(3);
    it.run(&["insert-signature", "unsigned.rpm", "--signature", "nowhere", "-o", "x.rpm"]).exits(3);
    it.run(&["insert-signature", "unsigned.rpm", "--header", "packet", "-o", "x.rpm"]).exits(3);
    it.run(&["insert-signature", "unsigned.rpm", "-o", "x.rpm"]).exits(2);
    it.run(&["insert-signature", "signed.rpm", "--signature", "packet", "-o", "x.rpm"])
        .exits(3)
        .says("--replace");
    it.bench.write("two", [&it.packet[..], &it.packet].concat());
    it.run(&["insert-signature", "unsigned.rpm", "--signature", "two", "-o", "x.rpm"])
        .exits(3)
        .says("2 packets");
    assert!(!it.bench.path("x.rpm").exists());
    let left: Vec<PathBuf> =
        std::fs::read_dir(it.bench.path("")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!left.iter().any(|path| path.to_string_lossy().contains(".gander")), "{left:?}");

    it.run(&["extract-signature", "unsigned.rpm"]).exits(3).says("'unsigned.rpm' has no header signature");
    it.run(&["extract-signature", "signed.rpm", "--key", "ABCDEF"]).exits(3).says("by the key ABCDEF");
    it.run(&["insert-signature", "signed.rpm", "--signature", "packet", "--replace", "-o", "x.rpm"]).exits(0);
    assert_eq!(it.read("x.rpm"), it.signed);
}

#[test]
fn what_counts_as_ok() {
    let it = Signed::new();
    let verify = |arguments: &[&str]| it.run(&[&["verify"], arguments].concat());
    let keys = ["--keys", "keys"];
    let output = verify(&["signed.rpm", "--keys", "keys"]).exits(0);
    assert_eq!(output.stdout, "signed.rpm: digests signatures OK\n");
    verify(&["signed.rpm", "--keys", "keys/goose.asc"]).exits(0);
    verify(&["signed.rpm"]).exits(2).says("--keys");

    let output = verify(&[&["unsigned.rpm"][..], &keys].concat()).exits(1);
    assert_eq!(output.stdout, "unsigned.rpm: digests NOT OK\n    it is not signed\n");
    verify(&[&["unsigned.rpm", "--pkgverify-level", "signature"][..], &keys].concat()).exits(1);
    let output = verify(&[&["unsigned.rpm", "--pkgverify-level", "digest"][..], &keys].concat()).exits(0);
    assert_eq!(output.stdout, "unsigned.rpm: digests OK\n");
    verify(&["unsigned.rpm", "--nosignature"]).exits(0);
    verify(&["unsigned.rpm", "--nosignature", "--keys", "keys"]).exits(2);

    let date = "2026-11-01T00:00:00Z".parse().unwrap();
    let other = demonstration("gander", date, "Gander Linux").unwrap();
    it.bench.write("others/gander.asc", other.certificate().armored());
    it.bench.write("others/README", "not a key");
    let output = verify(&["signed.rpm", "--keys", "others", "--pkgverify-level", "none"]).exits(1);
    assert!(output.stdout.starts_with("signed.rpm: digests SIGNATURES NOT OK\n"), "{output}");
    assert!(output.stdout.contains("NOKEY"), "{output}");
    assert!(output.stderr.contains("'others/README' is passed over"), "{output}");
    verify(&["signed.rpm", "--nosignature"]).exits(0);
    verify(&["signed.rpm", "--keys", "others/README"]).exits(3);
    it.bench.write("empty/README", "not a key");
    verify(&["signed.rpm", "--keys", "empty"]).exits(3).says("no key");

    verify(&["signed.rpm", "--keys", "keys", "--policy-time", "2020-01-01"]).exits(1);
    verify(&["signed.rpm", "--keys", "keys", "--policy-time", "2027-01-01"]).exits(0);
    verify(&["signed.rpm", "--keys", "keys", "--policy-time", "tomorrow"]).exits(2);
}

#[test]
fn all_files_are_reported_at_once() {
    let it = Signed::new();
    let mut changed = it.signed.clone();
    *changed.last_mut().unwrap() ^= 1;
    it.bench.write("changed.rpm", &changed);
    it.bench.write("cut.rpm", &it.signed[..200]);
    let files = ["changed.rpm", "nowhere.rpm", "cut.rpm", "signed.rpm", "unsigned.rpm", "keys"];
    let arguments = [&["verify", "--keys", "keys"], &files[..]].concat();
    let output = it.run(&arguments).exits(1).says("5 of 6 package files are not OK");
    let named: Vec<&str> = output.stdout.lines().filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(
        named,
        [
            "changed.rpm: DIGESTS signatures NOT OK",
            "nowhere.rpm: NOT OK",
            "cut.rpm: NOT OK",
            "signed.rpm: digests signatures OK",
            "unsigned.rpm: digests NOT OK",
            "keys: NOT OK",
        ]
    );
    assert!(output.stdout.contains("Payload SHA256 digest: BAD (it is "), "{output}");
    assert!(output.stdout.contains("the file is truncated: it ends inside its signature header"), "{output}");

    let output = it.run(&[&arguments[..], &["--format", "json"]].concat()).exits(1);
    let all: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    let verdicts: Vec<(&str, bool)> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|file| (file["file"].as_str().unwrap(), file["ok"].as_bool().unwrap()))
        .collect();
    assert_eq!(verdicts, files.map(|file| (file, file == "signed.rpm")));
    let good = &all[3];
    assert_eq!(good["sha256"], gander::base::Digest::of(&it.signed).hex());
    assert_eq!(
        (&good["nevra"], good["size"].as_u64()),
        (&"goose-0:1-1.noarch".into(), Some(it.signed.len() as u64))
    );
    let signature =
        good["checks"].as_array().unwrap().iter().find(|check| check["kind"] == "signature").unwrap();
    assert_eq!(
        (&signature["result"], &signature["covers"], &signature["algorithm"], &signature["created"]),
        (&"OK".into(), &"header".into(), &"EdDSA".into(), &"2026-11-01T00:00:00Z".into()),
        "{signature}"
    );
    assert_eq!(all[4]["problems"], serde_json::json!(["it is not signed"]));

    let output = it.run(&["verify", "-v", "--keys", "keys", "signed.rpm"]).exits(0);
    let lines: Vec<&str> = output.stdout.lines().map(str::trim).collect();
    assert_eq!(lines.len(), 6, "{output}");
    assert!(lines[1].starts_with("Header OpenPGP V4 EdDSA/SHA256 signature, key fingerprint: "), "{output}");
    assert_eq!(lines[2], "Header SHA256 digest: OK", "{output}");
}

#[test]
fn hostile_file_names_stay_in_their_line() {
    let it = Signed::new();
    let name = OsStr::from_bytes(b"a\n\x1b[2J\xff: OK.rpm");
    std::fs::write(it.bench.path("").join(name), &it.signed).unwrap();
    let run = |arguments: &[&str]| it.bench.run(arguments.iter().map(OsStr::new).chain([name]));
    let output = run(&["rpm", "verify", "--keys", "keys"]).exits(0);
    assert_eq!(output.stdout, "a\\n\\u{1b}[2J\\xff: OK.rpm: digests signatures OK\n");
    let output = run(&["rpm", "verify", "--keys", "keys", "--format", "json"]).exits(0);
    let all: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(all[0]["file"], "a\\n\\u{1b}[2J\\xff: OK.rpm");
    std::fs::write(it.bench.path("").join(name), &it.package).unwrap();
    let output = run(&["rpm", "extract-signature"]).exits(3);
    assert!(
        output.stderr.starts_with("error: 'a\\n\\u{1b}[2J\\xff: OK.rpm' has no header signature\n"),
        "{output}"
    );
}
