//! Metadata that were made to harm: an error that says what is wrong, soon and in little memory.

use std::fs;
use std::path::Path;

use gander::base::Digest;
use gander::format::repodata::{Checksum, Open};

use crate::bench::Bench;
use crate::repository::{edit, gzip, list, replace, repomd, sound, write};

/// Damages a repository; the check has to end with 3 and to say this, as has a comparison.
fn refused(name: &str, says: &str, damage: impl FnOnce(&Path)) {
    let bench = Bench::new();
    write(&bench, "sound", &sound());
    write(&bench, "r", &sound());
    damage(&bench.path("r"));
    // Of memory and processor time less than the attacks ask for; the address space has room for threads' stacks.
    let limited = "ulimit -v 2000000; ulimit -t 60; exec \"$0\" \"$@\"";
    let gander = env!("CARGO_BIN_EXE_gander");
    for verb in [&["check", "r"][..], &["diff", "sound", "r"]] {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", limited, gander, "repo"]).args(verb).current_dir(bench.path(""));
        let output = crate::bench::run(command.env("HOME", bench.path("home")));
        assert_eq!(output.code, Some(3), "{name} {verb:?}: {output}");
        assert!([&*output.stdout, &*output.stderr].concat().contains(says), "{name} {verb:?}: {output}");
    }
}

#[test]
fn lies_about_sizes_and_checksums() {
    for kind in ["primary", "filelists", "other"] {
        let change = |says: &str, change: fn(&mut gander::format::repodata::Data)| {
            refused(kind, says, |root| {
                repomd(root, |repomd| change(repomd.data.iter_mut().find(|data| data.kind == kind).unwrap()));
            });
        };
        change("bytes instead of", |data| data.size = data.size.map(|size| size + 1));
        change("bytes instead of", |data| data.size = Some(1 << 62));
        change("does not have the checksum", |data| data.checksum = Digest::of("x").into());
        change("the content has more than", |data| data.open.as_mut().unwrap().size = Some(100));
        change("bytes instead of", |data| data.open.as_mut().unwrap().size = Some(1 << 20));
        change("the content has more than", |data| data.open.as_mut().unwrap().size = Some(u64::MAX >> 1));
        change("does not have the checksum", |data| {
            data.open.as_mut().unwrap().checksum = Digest::of("x").into();
        });
        change("is not there", |data| data.location = "repodata/none".parse().unwrap());
        change("it is not a file", |data| data.location = "repodata".parse().unwrap());
    }
    // Other checksums than SHA-256 count as well.
    refused("sha512", "does not have the checksum", |root| {
        repomd(root, |repomd| repomd.data[0].checksum = Checksum::parse("sha512", &"0".repeat(128)).unwrap());
    });
    refused("weak", "which verifies nothing", |root| {
        let path = root.join("repodata/repomd.xml");
        let text = fs::read_to_string(&path).unwrap();
        let sum = &text[text.find("sha256\">").unwrap() + 8..][..64];
        fs::write(&path, text.replace(&format!("sha256\">{sum}"), &format!("sha\">{}", "0".repeat(40))))
            .unwrap();
    });
}

#[test]
fn places_outside_of_the_repository() {
    for place in ["../r/Packages/x.rpm", "/etc/passwd", "a/../../b", ""] {
        refused(place, "location", |root| {
            edit(root, "primary", |text| text.replace("Packages/goose-1-1.noarch.rpm", place));
        });
        refused(place, "repomd.xml", |root| {
            let path = root.join("repodata/repomd.xml");
            let text = fs::read_to_string(&path).unwrap();
            let start = text.find("href=\"").unwrap() + 6;
            let end = start + text[start..].find('"').unwrap();
            fs::write(&path, [&text[..start], place, &text[end..]].concat()).unwrap();
        });
    }
}

#[test]
fn pipes_are_not_waited_for() {
    for name in ["repomd.xml", "primary"] {
        refused(name, "it is not a file", |root| {
            let place = match name {
                "primary" => list_file(root),
                name => root.join("repodata").join(name),
            };
            fs::remove_file(&place).unwrap();
            assert!(std::process::Command::new("mkfifo").arg(place).status().unwrap().success());
        });
    }
}

/// The file of primary.
fn list_file(root: &Path) -> std::path::PathBuf {
    let files = fs::read_dir(root.join("repodata")).unwrap().map(|entry| entry.unwrap().path());
    let mut files = files.filter(|path| path.to_string_lossy().contains("-primary.xml"));
    files.next().unwrap()
}

#[test]
fn bombs() {
    // 200 MiB of spaces, with and without a size.
    let bomb = |size: Option<u64>| {
        move |root: &Path| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
            std::io::copy(&mut std::io::Read::take(std::io::repeat(b' '), 200 << 20), &mut encoder).unwrap();
            let bytes = encoder.finish().unwrap();
            replace(root, "primary", &bytes, b"");
            repomd(root, |repomd| {
                let checksum = Digest::of("x").into();
                repomd.data[0].open = Some(Open { checksum, size });
            });
        }
    };
    refused("stated", "the content has more than 1000 bytes", bomb(Some(1000)));
    refused("without end", "primary.xml.gz: it cannot be read", bomb(None));
    let entities =
        "<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;\">]>";
    for kind in ["primary", "filelists", "other"] {
        refused(kind, "a document type is declared", |root| {
            edit(root, kind, |text| text.replacen("<?xml version=\"1.0\" encoding=\"UTF-8\"?>", entities, 1));
        });
        refused(kind, "nested deeper", |root| {
            edit(root, kind, |text| {
                text.replacen("<package", &format!("{}<package", "<a>".repeat(100_000)), 1)
            });
        });
        refused(kind, "has more than", |root| {
            edit(root, kind, |text| {
                text.replacen("<package", &format!("<package x=\"{}\"", "x".repeat(8 << 20)), 1)
            });
        });
        refused(kind, "is not one of XML's own", |root| {
            edit(root, kind, |text| text.replacen("</package>", "&x;</package>", 1));
        });
    }
    refused("repomd.xml", "repomd.xml: it cannot be read", |root| {
        let path = root.join("repodata/repomd.xml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(
            &path,
            text.replacen("<?xml version=\"1.0\" encoding=\"UTF-8\"?>", entities, 1).replacen(
                "<revision>",
                "<revision>&b;",
                1,
            ),
        )
        .unwrap();
    });
    refused("a large repomd.xml", "repomd.xml: it cannot be read", |root| {
        let file = fs::OpenOptions::new().write(true).open(root.join("repodata/repomd.xml")).unwrap();
        file.set_len(40 << 30).unwrap();
    });
}

#[test]
fn lists_that_are_cut_off() {
    for kind in ["primary", "filelists", "other"] {
        refused(kind, "it cannot be read", |root| {
            let text = list(root, kind);
            let bytes = gzip(text.as_bytes());
            replace(root, kind, &bytes[..bytes.len() / 2], text.as_bytes());
        });
        refused(kind, "it cannot be read", |root| edit(root, kind, |text| text[..text.len() / 2].to_owned()));
        refused(kind, "it cannot be read", |root| edit(root, kind, |_| String::new()));
        refused(kind, "it cannot be read", |root| {
            let text = list(root, kind);
            replace(root, kind, &[gzip(text.as_bytes()), b"more".to_vec()].concat(), text.as_bytes());
        });
    }
    refused("an empty repomd.xml", "repomd.xml", |root| {
        fs::write(root.join("repodata/repomd.xml"), "").unwrap();
    });
    refused("a folder", "repomd.xml", |root| {
        fs::remove_file(root.join("repodata/repomd.xml")).unwrap();
        fs::create_dir(root.join("repodata/repomd.xml")).unwrap();
    });
}

#[test]
fn names_that_steer_terminals_are_escaped() {
    let bench = Bench::new();
    write(&bench, "r", &sound());
    edit(&bench.path("r"), "primary", |text| {
        text.replace("name=\"/usr/bin/honk\"", "name=\"a&#x9;&#x202e;b\"")
    });
    let output = bench.run(["repo", "check", "r"]).exits(1);
    assert!(output.stdout.contains("a\\t\\u{202e}b"), "{output}");
}
