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
use gander::openpgp::{armor_detached, clearsign, clearsign_as_it_is, inspect, verify_cleartext};
use gander::plan::{Input, StepIo};
use gander::rpm::header::Type;
use gander::rpm::signature::{self, Item};
use gander::rpm::{Header, Headers, Part, edit, identify};
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
    let header = edit::sign(&headers, &packet, edit::How::default()).unwrap();
    let mut signed = Vec::new();
    edit::splice(package, &header, &mut signed).unwrap();
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
    let step = attach::step(object(&package), object(&packet), false, &file, "x86_64", date());
    let (inputs, output, scratch) = (at("in"), at("out"), at("build"));
    let io = StepIo { params: step.params, source_date: date(), inputs, output, scratch };
    attach::execute(&io).unwrap();
    let signed = fs::read(at("out/goose-1-1.noarch.rpm")).unwrap();
    assert_eq!(signed, sign(&signer, &package));
    assert_eq!(
        (attach::REVISION, Digest::of(&signed).hex().as_str()),
        (3, "9ba9796897aa0d206a5bb34dfe8c1e9961194318bb40622a4a5ac30eacf87cfc"),
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
fn gpg_accepts_any_text_as_it_is() {
    if !there("gpg") {
        return skip("gpg_accepts_any_text_as_it_is", "gpg is not installed");
    }
    let mut random = 1_u32;
    let mut noise = |size: usize| -> Vec<u8> {
        let mut next = || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 24) as u8
        };
        (0..size).map(|_| next()).collect()
    };
    let mut texts: Vec<Vec<u8>> = [
        &b""[..],
        b"\n",
        b"\r\n",
        b"a\r\nb\r\n",
        b"a\r\nb",
        b"a\rb\r\r\n",
        b"a\r",
        b"blanks \t\r\n \n",
        b"\xff\xfe\n",
        b"nul\0x\n\0",
        b"a\0\n\0 \0\t\0\r\n",
        b"\x1b[2J\x0c\x0b\n",
        b"-\r\n--\n- -\nFrom \r\n",
    ]
    .map(<[u8]>::to_vec)
    .into();
    texts.extend((0..20).map(|size| noise(size * 50)));
    let (_, signer) = &signers()[0];
    let folder = tempfile::tempdir().unwrap();
    let at = |file: &str| folder.path().join(file);
    fs::write(at("key.asc"), signer.certificate().armored()).unwrap();
    gpg(folder.path(), &["--import", "key.asc"]);
    let valid = format!("VALIDSIG {}", signer.certificate().fingerprint());
    for text in texts {
        let shown = text.escape_ascii().to_string();
        let packet = signer.sign_text(&text, date()).unwrap();
        let message = clearsign_as_it_is(&text, &packet).unwrap();
        fs::write(at("text.asc"), &message).unwrap();
        let verdict = gpg(folder.path(), &["--verify", "text.asc"]);
        let words = text_of(&verdict);
        assert!(verdict.status.success() && words.contains(&valid), "{shown}: {words}");
        verify_cleartext(std::slice::from_ref(signer.certificate()), &message).unwrap();
        // Nothing is added but escapes and the end of the last line.
        let start = message.windows(2).position(|pair| pair == b"\n\n").unwrap() + 2;
        let end = message.windows(15).rposition(|part| part == b"-----BEGIN PGP ").unwrap();
        let lines = message[start..end].split_inclusive(|byte| *byte == b'\n');
        let kept: Vec<u8> =
            lines.flat_map(|line| line.strip_prefix(b"- ").unwrap_or(line)).copied().collect();
        let whole = if text.ends_with(b"\n") { text } else { [&text[..], b"\n"].concat() };
        assert_eq!(kept, whole, "{shown}");
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

/// The signed package and its packet.
fn signed(signer: &dyn Signer, package: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let packet = signer.sign_detached(Headers::read(package).unwrap().main.bytes(), date()).unwrap();
    (sign(signer, package), packet)
}

#[test]
fn what_is_no_signature_of_the_package_is_told_apart() {
    use gander::openpgp::PacketError as P;
    use gander::rpm::edit::{EditError as E, How};
    use gander::rpm::signature::SignatureError as S;

    let package = sample::package();
    let headers = Headers::read(&package[..]).unwrap();
    let (_, goose) = &signers()[1];
    let (_, rsa) = &signers()[0];
    let (signed, packet) = signed(goose, &package);
    let of = |packet: &[u8]| edit::sign(&headers, packet, How::default()).unwrap_err();
    let with = |more: &[u8]| of(&[&packet[..], more].concat());

    assert!(matches!(of(b""), E::Signature(S::Packet(P::Malformed(_)))));
    assert!(matches!(of(b"not a signature"), E::Signature(S::Packet(P::NoSignature))));
    assert!(matches!(of(armor_detached(&packet).as_bytes()), E::Signature(S::Packet(P::Armored))));
    assert!(matches!(of(&goose.certificate().to_bytes()), E::Signature(S::Packet(P::NoSignature))));
    for length in 1..packet.len() {
        assert!(matches!(of(&packet[..length]), E::Signature(S::Packet(P::Malformed(_)))), "{length} bytes");
    }
    assert!(matches!(with(&packet), E::Signature(S::Packet(P::Several(2)))));
    assert!(matches!(with(b"\xca\x03PGP"), E::Signature(S::Packet(P::Several(2)))), "a marker behind it");
    assert!(matches!(with(b"\0"), E::Signature(S::Packet(P::Trailing(1)))));
    assert!(matches!(with(b"\n\n"), E::Signature(S::Packet(P::Trailing(2)))));
    let text = goose.sign_cleartext(b"text", date()).unwrap();
    assert!(matches!(of(&text), E::Signature(S::Kind(_))));
    let other = goose.sign_detached(b"another package", date()).unwrap();
    assert!(matches!(of(&other), E::OtherData));

    let again = Headers::read(&signed[..]).unwrap();
    let error = edit::sign(&again, &packet, How::default()).unwrap_err();
    assert!(matches!(error, E::Present(267)), "{error}");
    let by_rsa = rsa.sign_detached(headers.main.bytes(), date()).unwrap();
    let error = edit::sign(&again, &by_rsa, How::default()).unwrap_err();
    assert!(matches!(error, E::Present(267)), "{error}");
    let how = How { replace: false, rpmv6: true };
    let both = edit::sign(&headers, &packet, how).unwrap();
    let tags: Vec<u32> = signature::packets(&Header::parse(Part::Signature, &both).unwrap())
        .unwrap()
        .into_iter()
        .map(|(tag, found)| {
            assert_eq!(found, packet);
            tag
        })
        .collect();
    assert_eq!(tags, [267, 278]);
    let mut twice = Vec::new();
    edit::splice(&package[..], &both, &mut twice).unwrap();
    let error = edit::sign(&Headers::read(&twice[..]).unwrap(), &packet, how).unwrap_err();
    assert!(matches!(error, E::Same), "{error}");
}

#[test]
fn a_signature_header_goes_into_its_own_package_only() {
    use gander::rpm::edit::EditError as E;

    let package = sample::package();
    let headers = Headers::read(&package[..]).unwrap();
    let (signed, _) = signed(&signers()[1].1, &package);
    let to = Headers::read(&signed[..]).unwrap();
    let raw = [to.signature.bytes(), &to.padding].concat();
    assert_eq!(edit::adopt(&headers, &raw).unwrap(), raw);

    let with = |more: &[u8]| edit::adopt(&headers, &[&raw[..], more].concat()).unwrap_err();
    assert!(matches!(with(b"\0"), E::Trailing(1)), "{}", with(b"\0"));
    assert!(matches!(with(headers.main.bytes()), E::Trailing(_)));
    assert!(matches!(edit::adopt(&headers, b"").unwrap_err(), E::Header(_)));
    assert!(matches!(edit::adopt(&headers, headers.main.bytes()).unwrap_err(), E::Header(_)));

    let mut other = package.clone();
    let name = other.windows(6).rposition(|window| window == b"goose\0").unwrap();
    other[name] = b'm';
    let other = Headers::read(&other[..]).unwrap();
    assert!(matches!(edit::adopt(&other, &raw).unwrap_err(), E::OtherPackage(_)));
    // Without digests, the signature tells.
    let bare = edit::edit(&to.signature, &[269, 273], &[]).unwrap();
    assert!(matches!(edit::adopt(&other, &bare).unwrap_err(), E::OtherPackage(_)));
    edit::adopt(&headers, &bare).unwrap();
}

/// An item with so many bytes.
fn item(tag: u32, kind: Type, length: usize) -> Item {
    let data: Vec<u8> = match kind {
        Type::TextArray => [vec![b'a'; length - 1], vec![0]].concat(),
        _ => vec![1; length],
    };
    let count = match kind {
        Type::TextArray => 1,
        kind => length / kind.alignment(),
    };
    Item { tag, kind, count: u32::try_from(count).unwrap(), data }
}

#[test]
fn the_reserve_gives_way_as_far_as_it_goes() {
    let package = sample::package();
    let headers = Headers::read(&package[..]).unwrap();
    let length = headers.signature.bytes().len();
    let reserve = |header: &[u8]| {
        Header::parse(Part::Signature, header).unwrap().find(1008).map(|entry| entry.count).unwrap()
    };
    let mut seen = Vec::new();
    // An entry takes 16 bytes of the index, and there are gaps of alignment.
    for more in 4096..4128 {
        let made = edit::edit(&headers.signature, &[], &[item(267, Type::Binary, more)]).unwrap();
        let structure = Header::parse(Part::Signature, &made).unwrap().bytes().len();
        let left = reserve(&made);
        seen.push(left);
        // It cannot become empty: then it stays whole, and the file grows.
        assert_eq!(structure > length, left == 4128, "{more}: {structure} instead of {length}");
        assert!(structure == length || left == 4128, "{more}: {structure} instead of {length}");
    }
    assert!(seen.contains(&4128) && seen.iter().any(|left| *left < 8), "{seen:?}");
    assert!(seen.is_sorted_by(|one, next| *next == 4128 || one >= next), "{seen:?}");
}

#[test]
fn signatures_of_files_survive_and_rpm_reads_what_does_not_fit() {
    let package = sample::package();
    let (_, signer) = &signers()[1];
    let files = [
        item(274, Type::TextArray, 6000),
        item(275, Type::Int32, 4),
        item(276, Type::TextArray, 900),
        item(277, Type::Int32, 4),
    ];
    let headers = Headers::read(&package[..]).unwrap();
    let header = edit::edit(&headers.signature, &[], &files).unwrap();
    let mut with_files = Vec::new();
    edit::splice(&package[..], &header, &mut with_files).unwrap();
    assert!(with_files.len() > package.len() + 6000, "it cannot fit into the reserve");
    let signed = sign(signer, &with_files);
    assert_eq!(signed.len(), with_files.len(), "the signature fits into the reserve");
    let replaced = {
        let packet = signer.sign_detached(headers.main.bytes(), date()).unwrap();
        let headers = Headers::read(&signed[..]).unwrap();
        let how = edit::How { replace: true, rpmv6: false };
        let mut made = Vec::new();
        edit::splice(&signed[..], &edit::sign(&headers, &packet, how).unwrap(), &mut made).unwrap();
        made
    };
    for made in [&signed, &replaced] {
        let to = Headers::read(&made[..]).unwrap();
        for item in &files {
            assert_eq!(to.signature.data(to.signature.find(item.tag).unwrap()), item.data, "{}", item.tag);
        }
        assert_eq!((to.main.bytes(), to.lead), (headers.main.bytes(), headers.lead));
        assert_eq!(identify(&made[..]).unwrap().1.content, identify(&package[..]).unwrap().1.content);
    }
    assert_eq!(signed, replaced);
    if !there("rpmkeys") {
        return skip(
            "signatures_of_files_survive_and_rpm_reads_what_does_not_fit",
            "rpmkeys is not installed",
        );
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("key.asc"), signer.certificate().armored()).unwrap();
    fs::write(folder.path().join("signed.rpm"), &signed).unwrap();
    rpmkeys(folder.path(), &["--import", "key.asc"]);
    let verdict = rpmkeys(folder.path(), &["-Kv", "signed.rpm"]);
    assert!(verdict.status.success(), "{}", text_of(&verdict));
    assert!(text_of(&verdict).contains("Signature, key ID"), "{}", text_of(&verdict));
}
