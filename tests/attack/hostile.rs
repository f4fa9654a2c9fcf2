//! Files made by somebody who means harm.

use std::fs;
use std::path::Path;

use gander::base::Digest;

use super::base::{base, skip};
use super::bench::{Bench, names};
use super::mirror::{Answer, Mirror};
use super::snapshot::assert_snapshot;

const FOLDER: &str = r#"[release]
name = "Goose Linux"
short = "Goose"
version = "1"

[[source]]
dir = "rpms"
on-unsigned = "allow"

[variant.Base]
arches = ["x86_64"]
packages = ["*"]
sources = false
"#;

#[test]
fn packages_in_a_folder() {
    let Some(data) = std::env::var_os("GANDER_REALDATA") else {
        return skip("hostile packages", "GANDER_REALDATA is not set");
    };
    let folder = Path::new(&data).join("rpms/negative");
    let files: Vec<_> = names(&folder).into_iter().filter(|name| name.ends_with(".rpm")).collect();
    assert!(!files.is_empty(), "no packages in {}", folder.display());
    let bench = Bench::new();
    bench.write("goose.toml", FOLDER);
    let mut counts = [0; 4];
    for name in &files {
        fs::remove_dir_all(bench.path("rpms")).ok();
        fs::remove_dir_all(bench.path("goose.lock")).ok();
        bench.write("rpms/goose.rpm", fs::read(folder.join(name)).unwrap());
        let ran = bench.run(["compose", "goose.toml"]);
        // Payloads are for rpm to judge. What is left is taken, or has requirements that nothing here meets.
        let code = ran.code.unwrap_or(-1);
        assert!(matches!(code, 0 | 2 | 3), "{name}: {code} {}", ran.stderr);
        if code == 3 {
            assert!(ran.stderr.contains("'rpms/goose.rpm' cannot be used"), "{name}: {}", ran.stderr);
        }
        let odd = |char: char| char.is_control() && char != '\n' && char != '\t';
        assert!(!ran.stderr.contains(odd) && !ran.stderr.contains("panicked"), "{name}: {}", ran.stderr);
        counts[usize::try_from(code).unwrap()] += 1;
    }
    println!("{} taken, {} unresolvable, {} refused", counts[0], counts[2], counts[3]);
    assert!(counts[3] > files.len() / 2);
    // All at once: every one that is refused is named.
    for (number, name) in files.iter().enumerate() {
        bench.write(&format!("rpms/{number}.rpm"), fs::read(folder.join(name)).unwrap());
    }
    fs::remove_dir_all(bench.path("goose.lock")).ok();
    let ran = bench.run(["compose", "goose.toml"]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let named = ran.stderr.lines().filter(|line| line.starts_with("  rpms/")).count();
    assert!(named == counts[3] || named == counts[3] + 1, "{named} named\n{}", ran.stderr);
    bench.assert_clean();
}

/// One entry of a tar archive, with a name and a link that no library would write.
fn entry(name: &str, kind: tar::EntryType, link: &str, content: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o755);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(content.len() as u64);
    header.set_entry_type(kind);
    let old = header.as_old_mut();
    old.name[..name.len()].copy_from_slice(name.as_bytes());
    old.linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

/// A Debian package of these entries.
fn deb(entries: &[Vec<u8>]) -> Vec<u8> {
    let archive = |entries: &[Vec<u8>]| {
        let mut bytes = entries.concat();
        bytes.extend([0; 1024]);
        bytes
    };
    let control = b"Package: evil\nVersion: 1\nArchitecture: amd64\nMaintainer: x\nDescription: x\n";
    let control = archive(&[entry("./control", tar::EntryType::Regular, "", control)]);
    let mut bytes = b"!<arch>\n".to_vec();
    for (name, content) in
        [("debian-binary", b"2.0\n".to_vec()), ("control.tar", control), ("data.tar", archive(entries))]
    {
        let header = format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 100_644, content.len());
        bytes.extend(header.as_bytes());
        bytes.extend(&content);
        bytes.resize(bytes.len().next_multiple_of(2), b'\n');
    }
    bytes
}

#[test]
fn debian_packages_that_leave_their_root() {
    use tar::EntryType::{Link, Regular, Symlink};
    if base("hostile debs").is_none() {
        return;
    }
    let target = Path::new("/var/tmp/gander-attack-evil");
    fs::remove_file(target).ok();
    for (name, entries, refused) in [
        ("parent", vec![entry("./../../../../../../var/tmp/gander-attack-evil", Regular, "", b"x")], true),
        ("absolute", vec![entry("/var/tmp/gander-attack-evil", Regular, "", b"x")], false),
        ("inner-parent", vec![entry("./usr/../../var/tmp/gander-attack-evil", Regular, "", b"x")], true),
        (
            "through-a-link",
            vec![
                entry("./out", Symlink, "../../../../../../../var/tmp", b""),
                entry("./out/gander-attack-evil", Regular, "", b"x"),
            ],
            true,
        ),
        (
            "through-an-absolute-link",
            vec![
                entry("./out", Symlink, "/var/tmp", b""),
                entry("./out/gander-attack-evil", Regular, "", b"x"),
            ],
            false,
        ),
        ("hard-link", vec![entry("./passwd", Link, "../../../../../etc/passwd", b"")], true),
    ] {
        let bench = Bench::new();
        let evil = deb(&entries);
        let (size, digest) = (evil.len(), Digest::of(&evil));
        let zero = "0".repeat(64);
        bench.write(
            "evil.lock",
            format!(
                "gander-debian-lock 1\nrequest\tsha256:{zero}\n\
                 bookworm\tevil\t1\tamd64\tpool/main/e/evil/evil_1_amd64.deb\t{size}\t{}\n",
                digest.hex()
            ),
        );
        let mirror = Mirror::start(move |_, _| Answer::Bytes(evil.clone()));
        let ran = bench.run([&*mirror.option(), "image", "build", "evil.lock"]);
        assert!(!target.exists(), "{name} left its root");
        if refused || ran.code != Some(0) {
            assert_eq!(ran.code, Some(3), "{name}: {}", ran.stderr);
            assert_snapshot(&format!("deb-{name}"), &bench.error(&ran));
        }
        bench.assert_clean();
    }
}
