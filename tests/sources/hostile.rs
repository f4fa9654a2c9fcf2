//! Repositories that are wrong on purpose: each is refused, with the reason, and nothing of it is kept.

use std::fs;
use std::path::Path;
use std::process::Command;

use gander::base::Digest;
use gander::format::repodata::{Open, Repomd};

use super::bench::has_peers;
use super::server::{Act, Server};
use super::world::*;

/// Replaces a list by a compressed text that repomd.xml names with right checksums; `size` is what it states of the
/// content.
fn replace(folder: &Path, kind: &str, content: &[u8], size: Option<u64>) {
    let path = folder.join("repodata/repomd.xml");
    let mut repomd = Repomd::parse(&fs::read(&path).unwrap()).unwrap();
    let packed = zstd::encode_all(content, 19).unwrap();
    let data = repomd.data.iter_mut().find(|data| data.kind == kind).unwrap();
    data.checksum = Digest::of(&packed).into();
    data.size = Some(packed.len() as u64);
    data.open = Some(Open { checksum: Digest::of(content).into(), size });
    write(&folder.join(data.location.as_str()), &packed);
    write(&path, repomd.to_xml());
}

fn list(folder: &Path, kind: &str) -> String {
    use std::io::Read as _;
    let repomd = Repomd::parse(&fs::read(folder.join("repodata/repomd.xml")).unwrap()).unwrap();
    let data = repomd.find(kind).unwrap();
    let file = fs::read(folder.join(data.location.as_str())).unwrap();
    let mut text = String::new();
    gander::format::repodata::Content::open(&file[..], None).unwrap().read_to_string(&mut text).unwrap();
    text
}

/// Changes a list's text; checksums and sizes are right afterwards.
pub fn edit(folder: &Path, kind: &str, change: impl Fn(String) -> String) {
    let changed = change(list(folder, kind));
    replace(folder, kind, changed.as_bytes(), Some(changed.len() as u64));
}

/// Each row: what is done to primary, and what is said of it.
#[test]
fn hostile_lists_are_refused() {
    let world = World::new();
    let folder = world.repository("a", "1");
    let text = list(&folder, "primary");
    let bomb = format!(
        "<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY a \"{}\"><!ENTITY b \"{}\">]>{}",
        "a".repeat(1000),
        "&a;".repeat(1000),
        text.split_once("?>").unwrap().1.replace("A bird", "&b;")
    );
    let deep = text.replacen("<summary>", &"<x>".repeat(100_000), 1);
    let rows: [(&str, String, Option<u64>, &str); 8] = [
        ("expands", " ".repeat(50 << 20), Some(1000), "more than 1000 bytes"),
        ("entities", bomb, None, "refused"),
        ("deep", deep, None, "broken or refused"),
        ("leaves", text.replacen("Packages/goose", "../goose", 1), None, "location"),
        ("absolute", text.replacen("Packages/goose", "/goose", 1), None, "location"),
        ("cut", text[..text.len() / 2].to_owned(), None, "the list 'primary' cannot be read"),
        ("other", list(&folder, "filelists"), None, "root element"),
        ("smaller", text.clone(), Some(1 << 30), "instead of"),
    ];
    let good = world.repository("good", "2");
    for (name, content, size, expected) in rows {
        let size = size.or(Some(content.len() as u64));
        replace(&folder, "primary", content.as_bytes(), size);
        let (hostile, next) = (Server::honest(&folder), Server::honest(&good));
        let error = world.at(&[&hostile.url]).unwrap_err();
        assert!(error.to_string().contains(expected), "{name}: {error}");
        assert!(!error.is_surroundings(), "{name}");
        let opened = world.at(&[&hostile.url, &next.url]).unwrap();
        assert_eq!(version(&opened), "2", "{name}: the next mirror counts");
    }
    world.objects();
}

/// Each row: what is done to repomd.xml, and what is said of it.
#[test]
fn hostile_repomds_are_refused() {
    let world = World::new();
    let folder = world.repository("a", "1");
    let text = fs::read_to_string(folder.join("repodata/repomd.xml")).unwrap();
    let primary = Repomd::parse(text.as_bytes()).unwrap().find("primary").unwrap().clone();
    let size = format!("<size>{}</size>", primary.size.unwrap());
    let more = primary.size.unwrap() + 1;
    for (name, changed, expected) in [
        ("leaves", text.replace("href=\"repodata/", "href=\"../repodata/"), "'..'"),
        ("weak", text.replace("\"sha256\"", "\"md5\""), "'md5' is not supported"),
        ("no primary", text.replace("\"primary\"", "\"secondary\""), "no list 'primary'"),
        ("no filelists", text.replace("\"filelists\"", "\"lists\""), "no list 'filelists'"),
        ("larger", text.replace(&size, &format!("<size>{more}</size>")), "instead of"),
        ("smaller", text.replace(&size, "<size>7</size>"), "more than 7 bytes"),
        ("huge", text.replace(&size, "<size>9999999999999</size>"), "more than any list"),
        ("other", text.replace(&primary.checksum.hex(), &Digest::of("x").hex()), "status 404"),
        ("cut", text[..text.len() / 2].to_owned(), "repomd.xml is not XML"),
        ("html", "<html/>".into(), "root element is not <repomd>"),
    ] {
        assert_ne!(changed, text, "{name}");
        let server = Server::start(&folder, move |path| match path.ends_with("repomd.xml") {
            true => Act::Other(changed.clone().into_bytes()),
            false => Act::Serve,
        });
        let error = world.at(&[&server.url]).unwrap_err();
        assert!(error.to_string().contains(expected), "{name}: {error}");
        assert!(!error.is_surroundings(), "{name}: {error}");
        // Filelists, which is as it should be, may have come.
        assert!(world.objects() <= 1, "{name}");
    }
}

#[test]
fn servers_without_end_or_measure_are_left() {
    let world = World::new();
    let folder = world.repository("a", "1");
    let primary = |act: fn() -> Act| {
        Server::start(&folder, move |path| if path.contains("primary") { act() } else { Act::Serve })
    };
    let circle = Server::start(&folder, |path| Act::Redirect(format!("/{path}")));
    let endless = Server::start(&folder, |_| Act::Endless);
    let (wrong, without_end) = (primary(|| Act::Other(vec![7; 500])), primary(|| Act::Endless));
    for (server, expected) in [
        (&circle, "redirects without end"),
        (&endless, "more than 4194304 bytes"),
        (&wrong, "another one"),
        (&without_end, "the server sends more than"),
    ] {
        let error = world.at(&[&server.url]).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!error.is_surroundings(), "{error}");
    }
    let good = Server::honest(&folder);
    let all = [&circle, &endless, &wrong, &without_end, &good].map(|server| server.url.as_str());
    assert_eq!(version(&world.at(&all).unwrap()), "1");
    assert_eq!(world.objects(), OPENED);
}

#[test]
fn interrupted_lists_are_resumed() {
    let world = World::new();
    let folder = world.repository("a", "1");
    let server =
        Server::start(&folder, |path| if path.contains("primary") { Act::Cut(100) } else { Act::Serve });
    let error = world.at(&[&server.url]).unwrap_err();
    assert!(error.is_surroundings(), "{error}");
    let good = Server::honest(&folder);
    assert_eq!(version(&world.at(&[&good.url]).unwrap()), "1");
    let asked = good.asked();
    assert!(
        asked.iter().any(|path| path.contains("primary") && !path.contains(" 0-") && path.ends_with('-')),
        "{asked:?}"
    );
}

#[test]
fn signatures_of_repomd_are_demanded() {
    let world = World::new();
    let folder = world.repository("a", "1");
    let asc = folder.join("repodata/repomd.xml.asc");
    let server = Server::honest(&folder);
    assert_eq!(version(&world.checked(&[&server.url]).unwrap()), "1");
    assert!(server.asked().iter().any(|path| path.ends_with(".asc")));

    let refused = |expected: &str| {
        let error = world.checked(&[&server.url]).unwrap_err();
        assert!(error.to_string().contains(expected) && !error.is_surroundings(), "{error}");
        assert_eq!(version(&world.at(&[&server.url]).unwrap()), "1", "where none is demanded");
    };
    sign(&folder, stranger());
    refused("not among the trusted ones");
    let repomd = fs::read(folder.join("repodata/repomd.xml")).unwrap();
    sign(&folder, signer());
    write(&folder.join("repodata/repomd.xml"), [&repomd[..], b"\n"].concat());
    refused("does not fit the data");
    write(&folder.join("repodata/repomd.xml"), &repomd);
    write(&asc, "no signature");
    refused("the signature of repomd.xml is not accepted");
    fs::remove_file(&asc).unwrap();
    refused("cannot be had");

    // A mirror with a good one is found behind the others.
    let good = Server::honest(&world.repository("good", "2"));
    assert_eq!(version(&world.checked(&[&server.url, &good.url]).unwrap()), "2");
}

/// A signature that has expired says that this state of the repository is too old, as dnf takes it.
#[test]
fn expired_signatures_are_refused() {
    if !has_peers(&["gpg"]) {
        return;
    }
    let mut world = World::new();
    let folder = world.repository("a", "1");
    let home = world.path("gnupg");
    fs::create_dir_all(&home).unwrap();
    let gpg = |arguments: &[&str]| {
        let mut command = Command::new("gpg");
        command.args(["--batch", "--yes", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]);
        command.args(["--faked-system-time", "20200101T000000!", "--homedir"]).arg(&home).args(arguments);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    gpg(&["--quick-generate-key", "Gander <gander@example.org>", "ed25519", "sign", "never"]);
    let certificate = gander::openpgp::Certificate::parse(&gpg(&["--armor", "--export"])).unwrap();
    let (repomd, asc) = (folder.join("repodata/repomd.xml"), folder.join("repodata/repomd.xml.asc"));
    let (repomd, asc) = (repomd.display().to_string(), asc.display().to_string());
    gpg(&["--armor", "--default-sig-expire", "10d", "--output", &asc, "--detach-sign", &repomd]);
    let url = format!("file://{}", folder.display());
    let day = 86_400;
    for (days, good) in [(1, true), (9, true), (11, false)] {
        world.now = date().seconds() + days * day;
        let opened = world.open(base(&[&url]), Some(vec![certificate.clone()]));
        match opened {
            Ok(opened) => assert!(good && version(&opened) == "1", "{days} days"),
            Err(error) => assert!(!good && error.to_string().contains("not valid at the time"), "{error}"),
        }
    }
}
