//! One damage, one finding.

use std::fs;
use std::path::Path;

use gander::base::SourceDate;
use gander::openpgp::armor_detached;
use gander::rpm::{Headers, edit};
use gander::sign::{LocalSigner, Signer as _, demonstration};

use crate::bench::Bench;
use crate::repository::{check, edit, list, replace, repomd, sound, write, write_files};
use crate::sample::made::{Order, file, order, pair, pairs};

/// What a sound repository is told without keys.
const SOUND: &str = "information signatures-not-checked packages";
const GOOSE: &str = "Packages/goose-1-1.noarch.rpm";

fn change_file(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// Repeats the first package of a list, changed.
fn repeat(text: &str, change: impl Fn(&str) -> String) -> String {
    let start = text.find("<package").unwrap();
    let end = text.find("</package>").unwrap() + "</package>\n".len();
    let (count, more) = ("packages=\"3\"", "packages=\"4\"");
    assert!(text.contains(count));
    [&text[..end], &change(&text[start..end]), &text[end..]].concat().replace(count, more)
}

/// The package with a name, in a list.
fn without(text: &str, name: &str) -> String {
    let at = text.find(name).unwrap();
    let start = text[..at].rfind("<package").unwrap();
    let end = at + text[at..].find("</package>").unwrap() + "</package>\n".len();
    [&text[..start], &text[end..]].concat()
}

#[test]
fn each_damage_of_a_repository_is_found() {
    type Damage = fn(&Path);
    let cases: &[(&str, Damage, i32, &[&str])] = &[
        ("nothing", |_| {}, 0, &[]),
        (
            "no repomd.xml",
            |root| fs::remove_file(root.join("repodata/repomd.xml")).unwrap(),
            3,
            &["error metadata-missing repodata/repomd.xml", "information closure-not-checked dependencies"],
        ),
        (
            "a list that is not there",
            |root| repomd(root, |repomd| fs::remove_file(repomd.data[2].location.below(root)).unwrap()),
            3,
            &["error metadata-missing repodata/*"],
        ),
        (
            "no list of all files",
            |root| repomd(root, |repomd| repomd.data.retain(|data| data.kind != "filelists")),
            3,
            &[
                "error metadata-no-list repodata/repomd.xml",
                "information unnamed-files files",
                "error unresolved-requirement flock-0:1-1.i686",
                "error unresolved-requirement flock-0:1-1.x86_64",
            ],
        ),
        (
            "a wrong number",
            |root| edit(root, "other", |text| text.replace("packages=\"3\"", "packages=\"4\"")),
            1,
            &["error list-count other"],
        ),
        (
            "no number",
            |root| edit(root, "primary", |text| text.replace(" packages=\"3\"", "")),
            1,
            &["error list-count primary"],
        ),
        (
            "a package that a list lacks",
            |root| edit(root, "other", |text| without(&text, "name=\"goose\"").replace("=\"3\"", "=\"2\"")),
            1,
            &["error list-lacks-packages other"],
        ),
        (
            "a package that primary lacks",
            |root| {
                edit(root, "other", |text| {
                    let at = text.find("pkgid=\"").unwrap() + 7;
                    repeat(&text, |package| package.replace(&text[at..at + 64], &"0".repeat(64)))
                });
            },
            1,
            &["error list-foreign-packages other"],
        ),
        (
            "a package that is repeated",
            |root| edit(root, "other", |text| repeat(&text, str::to_owned)),
            1,
            &["error list-repeats-packages other"],
        ),
        (
            "the same package in two places",
            |root| {
                edit(root, "primary", |text| repeat(&text, |package| package.replace("Packages/", "Again/")));
                fs::create_dir(root.join("Again")).unwrap();
                fs::copy(root.join("Packages/flock-1-1.i686.rpm"), root.join("Again/flock-1-1.i686.rpm"))
                    .unwrap();
            },
            0,
            &["warning duplicate-package flock-0:1-1.i686"],
        ),
        (
            "two packages of one name",
            |root| {
                edit(root, "primary", |text| {
                    text.replace("<name>goose</name>\n  <arch>noarch", "<name>flock</name>\n  <arch>x86_64")
                });
            },
            1,
            &["error duplicate-nevra flock-0:1-1.x86_64", "error record-differs flock-0:1-1.x86_64"],
        ),
        (
            "two packages in one place",
            |root| edit(root, "primary", |text| text.replace("flock-1-1.i686.rpm", "flock-1-1.x86_64.rpm")),
            1,
            &[
                "error duplicate-location Packages/flock-1-1.x86_64.rpm",
                "information unnamed-files files",
                "error package-checksum flock-0:1-1.*",
                "error package-size flock-0:1-1.*",
            ],
        ),
        (
            "a primary file that is in no list of all files",
            |root| edit(root, "filelists", |text| text.replace("<file>/usr/bin/honk</file>\n", "")),
            1,
            &[
                "error primary-files goose-0:1-1.noarch",
                "error record-differs goose-0:1-1.noarch",
                "error unresolved-requirement flock-0:1-1.i686",
                "error unresolved-requirement flock-0:1-1.x86_64",
            ],
        ),
        (
            "a file that nothing names",
            |root| fs::write(root.join("Packages/other.rpm"), "").unwrap(),
            0,
            &["information unnamed-files files"],
        ),
        (
            "a missing package",
            |root| fs::remove_file(root.join(GOOSE)).unwrap(),
            1,
            &["error package-missing goose-0:1-1.noarch"],
        ),
        (
            "a package that is cut off",
            |root| change_file(&root.join(GOOSE), |bytes| bytes.truncate(bytes.len() - 9)),
            1,
            &[
                "error package-checksum goose-0:1-1.noarch",
                "error package-digest goose-0:1-1.noarch",
                "error package-size goose-0:1-1.noarch",
                "error package-truncated goose-0:1-1.noarch",
            ],
        ),
        (
            "a changed payload",
            |root| change_file(&root.join(GOOSE), |bytes| *bytes.last_mut().unwrap() ^= 1),
            1,
            &["error package-checksum goose-0:1-1.noarch", "error package-digest goose-0:1-1.noarch"],
        ),
        (
            "no package at all",
            |root| change_file(&root.join(GOOSE), |bytes| bytes[0] = 0),
            1,
            &["error package-checksum goose-0:1-1.noarch", "error package-unreadable goose-0:1-1.noarch"],
        ),
        (
            "a folder for a package",
            |root| {
                fs::remove_file(root.join(GOOSE)).unwrap();
                fs::create_dir(root.join(GOOSE)).unwrap();
            },
            1,
            &["error package-unreadable goose-0:1-1.noarch"],
        ),
        (
            "another size in primary",
            |root| edit(root, "primary", |text| text.replacen("size package=\"", "size package=\"1", 1)),
            1,
            &["error package-size flock-0:1-1.i686"],
        ),
        (
            "a SHA-1",
            |root| {
                for name in ["primary", "filelists", "other"] {
                    edit(root, name, |text| {
                        let at = text.find("<name>goose").or(text.find("name=\"goose\"")).unwrap();
                        let sum = if name == "primary" {
                            let at = at + text[at..].find("pkgid=\"YES\">").unwrap() + 12;
                            &text[at..at + 64]
                        } else {
                            let at = text[..at].rfind("pkgid=\"").unwrap() + 7;
                            &text[at..at + 64]
                        };
                        let text = text.replace(sum, &"0".repeat(40));
                        text.replace(
                            &format!("\"sha256\" pkgid=\"YES\">{}<", "0".repeat(40)),
                            &format!("\"sha\" pkgid=\"YES\">{}<", "0".repeat(40)),
                        )
                    });
                }
            },
            0,
            &["warning package-unverifiable goose-0:1-1.noarch"],
        ),
        (
            "a wrong requirement",
            |root| edit(root, "primary", |text| text.replace("name=\"/usr/bin/honk\"", "name=\"goose\"")),
            1,
            &["error record-differs flock-0:1-1.i686", "error record-differs flock-0:1-1.x86_64"],
        ),
        (
            "a requirement's wrong version",
            |root| {
                edit(root, "primary", |text| {
                    text.replace("flags=\"GE\" epoch=\"0\" ver=\"1\"", "flags=\"GE\" epoch=\"0\" ver=\"0\"")
                });
            },
            1,
            &["error record-differs flock-0:1-1.i686", "error record-differs flock-0:1-1.x86_64"],
        ),
        (
            "a wrong provide",
            |root| {
                edit(root, "primary", |text| {
                    text.replacen("<rpm:provides>", "<rpm:provides><rpm:entry name=\"x\"/>", 1)
                });
            },
            1,
            &["error record-differs flock-0:1-1.i686"],
        ),
        (
            "a wrong file",
            |root| {
                edit(root, "filelists", |text| {
                    text.replacen("/usr/share/doc/flock", "/usr/share/doc/flocks", 1)
                });
            },
            1,
            &["error record-differs flock-0:1-1.i686"],
        ),
        (
            "a wrong kind of file",
            |root| {
                edit(root, "filelists", |text| {
                    text.replacen("<file>/usr/share/doc", "<file type=\"dir\">/usr/share/doc", 1)
                });
            },
            1,
            &["error record-differs flock-0:1-1.i686"],
        ),
        (
            "a wrong header range",
            |root| {
                edit(root, "primary", |text| {
                    text.replacen("header-range start=\"", "header-range start=\"0\" x=\"", 1)
                });
            },
            1,
            &["error record-differs flock-0:1-1.i686"],
        ),
        (
            "a wrong release",
            |root| {
                edit(root, "primary", |text| text.replacen("ver=\"1\" rel=\"1\"", "ver=\"1\" rel=\"2\"", 1));
            },
            1,
            &["error record-differs flock-0:1-2.i686"],
        ),
        (
            "a wrong summary",
            |root| edit(root, "primary", |text| text.replacen("The package", "A package", 1)),
            0,
            &["warning record-text-differs flock-0:1-1.i686"],
        ),
        (
            "a wrong installed size",
            |root| edit(root, "primary", |text| text.replacen("installed=\"", "installed=\"1", 1)),
            0,
            &["warning record-text-differs flock-0:1-1.i686"],
        ),
        (
            "another order",
            |root| {
                edit(root, "primary", |text| {
                    let mut lines: Vec<_> = text.lines().collect();
                    let first =
                        lines.iter().position(|line| line.contains("name=\"/usr/bin/honk\"")).unwrap();
                    lines.swap(first, first + 1);
                    lines.join("\n")
                });
            },
            0,
            &[],
        ),
        (
            "a package elsewhere",
            |root| {
                edit(root, "primary", |text| {
                    text.replace(
                        "<location href=\"Packages/goose",
                        "<location xml:base=\"https://h.example/\" href=\"Packages/goose",
                    )
                });
            },
            0,
            &["information package-elsewhere goose-0:1-1.noarch", "information unnamed-files files"],
        ),
        (
            "another arch",
            |root| edit(root, "primary", |text| text.replace("<arch>i686", "<arch>vax")),
            1,
            &["error record-differs flock-0:1-1.vax", "warning unknown-arch dependencies"],
        ),
    ];
    for (name, damage, code, expected) in cases {
        let bench = Bench::new();
        write(&bench, "r", &sound());
        damage(&bench.path("r"));
        let (found_code, found, document) = check(&bench, &["r"]);
        let packages = found.iter().filter(|line| *line != SOUND).cloned();
        // Names of lists have checksums in them.
        let found: Vec<String> = packages.collect();
        let mut expected: Vec<_> = expected.to_vec();
        expected.sort_unstable();
        let fits = |found: &String, expected: &str| match expected.strip_suffix('*') {
            Some(start) => found.starts_with(start),
            None => found == expected,
        };
        let all = found.len() == expected.len()
            && found.iter().zip(&expected).all(|(found, expected)| fits(found, expected));
        assert!(
            all && found_code == *code,
            "{name}: {found_code} {found:#?} instead of {code} {expected:#?}\n{document:#}"
        );
    }
}

#[test]
fn findings_of_several_repositories_come_together_and_sorted() {
    let bench = Bench::new();
    write(&bench, "a", &[order("a", "x86_64").requires(&["b", "c"])]);
    write(&bench, "b", &[order("b", "x86_64").requires(&["missing"])]);
    write(&bench, "c", &[order("c", "x86_64").requires(&["never", "looked-at"])]);
    let (code, found, _) = check(&bench, &["a"]);
    assert_eq!((code, found.len()), (1, 2), "{found:?}");
    let (code, _, document) = check(&bench, &["a", "b", "--lookaside", "c"]);
    let errors: Vec<_> = document["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["severity"] == "error")
        .collect();
    assert_eq!((code, errors.len()), (1, 1), "{document:#}");
    assert_eq!(errors[0]["repository"], "b");
    assert_eq!(errors[0]["message"], "nothing provides 'missing', which it requires");
    // The same in any order of the arguments, but for that of the repositories themselves.
    let (_, _, other) = check(&bench, &["b", "a", "--lookaside", "c"]);
    assert_eq!(document["findings"], other["findings"]);
    let text = bench.run(["repo", "check", "a", "b", "--lookaside", "c"]).exits(1);
    assert!(
        text.stdout
            .contains("error: unresolved-requirement (1)\n  b: b-0:1-1.x86_64: nothing provides 'missing'"),
        "{text}"
    );
    assert!(text.stderr.contains("the check found an error"), "{text}");
}

#[test]
fn versions_arches_and_near_misses() {
    let bench = Bench::new();
    let packages = [
        order("lib", "x86_64").version("1-1"),
        order("lib", "x86_64").version("2-1"),
        order("lib", "i686").version("1-1").provides(&["old(x86-32)"]),
        order("tool", "x86_64").requires(&["lib >= 3", "lib = 1", "old(x86-32)"]),
        order("other", "aarch64").requires(&["lib"]),
        order("script", "noarch").requires(&["lib"]),
        order("lib-debuginfo", "x86_64").provides(&["symbols"]),
        order("debugger", "x86_64").requires(&["symbols"]),
    ];
    write(&bench, "r", &packages);
    let unresolved = |arguments: &[&str]| {
        let (_, _, document) = check(&bench, &[&["r", "--metadata-only"], arguments].concat());
        let findings = document["findings"].as_array().unwrap().clone();
        let errors = findings.into_iter().filter(|finding| finding["severity"] == "error");
        let lines: Vec<String> = errors
            .map(|finding| {
                format!(
                    "{}: {} {}",
                    finding["subject"].as_str().unwrap(),
                    finding["message"].as_str().unwrap(),
                    finding["details"]
                )
            })
            .collect();
        (document["arches"].to_string(), lines)
    };
    let tool = "tool-0:1-1.x86_64: nothing provides 'lib >= 3', which it requires (x86_64) \
        [\"there is lib = 2-1, of lib-0:2-1.x86_64\",\"there is lib = 1-1, of lib-0:1-1.x86_64\",\"there is lib = 1-1, of lib-0:1-1.i686\"]";
    let other = "other-0:1-1.aarch64: nothing provides 'lib', which it requires (aarch64) null";
    let script = "script-0:1-1.noarch: nothing provides 'lib', which it requires (aarch64) null";
    assert_eq!(
        unresolved(&[]),
        ("[\"aarch64\",\"x86_64\"]".into(), vec![other.into(), script.into(), tool.into()])
    );
    let alone = tool.replace(" (x86_64)", "");
    assert_eq!(unresolved(&["--arch", "x86_64"]), ("[\"x86_64\"]".into(), vec![alone.clone()]));
    // Without the old version only the secondary arch has it.
    let (_, newest) = unresolved(&["--arch", "x86_64", "--newest"]);
    assert_eq!(newest.len(), 1, "{newest:?}");
    assert!(!newest[0].contains("lib-0:1-1.x86_64"), "{newest:?}");
}

#[test]
fn of_several_versions_the_newest() {
    let bench = Bench::new();
    write(
        &bench,
        "a",
        &[
            order("lib", "noarch").version("1-1").provides(&["feature"]),
            order("lib", "noarch").version("2-1"),
        ],
    );
    write(
        &bench,
        "b",
        &[
            order("tool", "noarch").requires(&["feature"]),
            order("lib", "noarch").version("1-2").provides(&["feature"]),
        ],
    );
    let count = |arguments: &[&str]| {
        check(&bench, arguments).1.iter().filter(|line| line.starts_with("error")).count()
    };
    assert_eq!(count(&["a", "b"]), 0);
    // In b the newest has it; in both together it does not.
    assert_eq!(count(&["a", "b", "--newest"]), 0);
    assert_eq!(count(&["a", "b", "--best"]), 1);
}

#[test]
fn rich_dependencies() {
    let bench = Bench::new();
    for (requirement, expected) in [
        ("(goose and duck)", ""),
        ("(goose and swan)", "error unresolved-requirement"),
        ("(swan or goose)", ""),
        ("(swan or crane)", "error unresolved-requirement"),
        ("(swan if goose)", "warning requirement-at-risk"),
        ("(swan if crane)", ""),
        ("(swan if crane else heron)", "error unresolved-requirement"),
        ("(goose if crane else duck)", ""),
        ("(goose unless duck)", ""),
        ("(swan unless duck else goose)", "warning requirement-at-risk"),
        ("(bird with water)", ""),
        ("(bird with dry)", "error unresolved-requirement"),
        ("(bird without water)", "error unresolved-requirement"),
        ("(bird without dry)", ""),
        ("((goose and duck) if bird)", ""),
        ("(goose and", "error unreadable-requirement"),
        ("(goose >= 2 or duck >= 2)", "error unresolved-requirement"),
    ] {
        let name = format!("r{}", requirement.len());
        drop(fs::remove_dir_all(bench.path(&name)));
        let packages = [
            order("goose", "noarch").provides(&["bird", "water"]),
            order("duck", "noarch").provides(&["bird", "water"]),
            order("desert", "noarch").provides(&["dry"]),
            order("asking", "noarch").requires(&[requirement]),
        ];
        write(&bench, &name, &packages);
        let (_, found, document) = check(&bench, &[&name]);
        let found: Vec<_> = found.into_iter().filter(|line| line != SOUND).collect();
        let expected: Vec<_> =
            if expected.is_empty() { vec![] } else { vec![format!("{expected} asking-0:1-1.noarch")] };
        assert_eq!(found, expected, "{requirement} {document:#}");
    }
}

#[test]
fn pairs_of_arches_go_beside_each_other_or_not() {
    let bench = Bench::new();
    for (name, files, expected) in pairs() {
        let folder = name.replace(' ', "-");
        write(&bench, &folder, &pair(&files));
        let (_, found, document) = check(&bench, &[&folder]);
        let conflicts = found.iter().any(|line| line == "error multilib-conflict pair-0:1-1.x86_64");
        assert_eq!(conflicts, expected, "{name}: {document:#}");
        assert_eq!(found.len(), 1 + usize::from(expected), "{name}: {found:?}");
    }
    // Of another version or arch they are no pair.
    let [secondary, native] = pair(&[file("/usr/share/x", "a"), file("/usr/share/x", "b")]);
    write(&bench, "versions", &[secondary.clone().version("1-2"), native.clone()]);
    write(&bench, "arches", &[Order { arch: "aarch64", ..secondary }, native]);
    for name in ["versions", "arches"] {
        assert_eq!(check(&bench, &[name]).0, 0, "{name}");
    }
}

pub fn signer(phrase: &str) -> LocalSigner {
    demonstration(phrase, date(), "Goose Linux").unwrap()
}

fn date() -> SourceDate {
    "2026-11-01T00:00:00Z".parse().unwrap()
}

fn signed(package: &[u8], signer: &LocalSigner) -> Vec<u8> {
    let headers = Headers::read(package).unwrap();
    let packet = signer.sign_detached(headers.main.bytes(), date()).unwrap();
    let mut out = Vec::new();
    let header = edit::sign(&headers, &packet, edit::How::default()).unwrap();
    edit::splice(package, &header, &mut out).unwrap();
    out
}

#[test]
fn signatures_of_packages_and_metadata() {
    let bench = Bench::new();
    let (good, bad) = (signer("goose"), signer("gander"));
    bench.write("keys/goose.asc", good.certificate().armored());
    let package = |name: &str| order(name, "noarch").make();
    let files = [
        ("Packages/good.rpm".to_owned(), signed(&package("good"), &good)),
        ("Packages/none.rpm".to_owned(), package("none")),
        ("Packages/strange.rpm".to_owned(), signed(&package("strange"), &bad)),
    ];
    write_files(&bench, "r", &files, None);
    let sign = |signer: &LocalSigner| {
        let repomd = fs::read(bench.path("r/repodata/repomd.xml")).unwrap();
        let packet = signer.sign_detached(&repomd, date()).unwrap();
        bench.write("r/repodata/repomd.xml.asc", armor_detached(&packet));
    };
    let unsigned = "error package-unsigned none-0:1-1.noarch";
    let strange = "error package-signature strange-0:1-1.noarch";
    let expect = |arguments: &[&str], expected: &[&str]| {
        let (code, found, document) = check(&bench, &[&["r", "--keys", "keys"], arguments].concat());
        assert_eq!(
            (code, found),
            (1, expected.iter().map(|line| line.to_string()).collect()),
            "{document:#}"
        );
    };
    expect(&[], &[strange, unsigned, "error repomd-unsigned repodata/repomd.xml"]);
    expect(&["--unsigned-repomd"], &[strange, unsigned, "information repomd-unsigned repodata/repomd.xml"]);
    sign(&good);
    expect(&[], &[strange, unsigned]);
    // The demonstration key was made after that day.
    let (_, found, _) = check(&bench, &["r", "--keys", "keys", "--policy-time", "2020-01-01"]);
    assert!(found.contains(&"error repomd-signature repodata/repomd.xml".to_owned()), "{found:?}");
    assert!(found.contains(&"error package-signature good-0:1-1.noarch".to_owned()), "{found:?}");
    sign(&bad);
    expect(&[], &[strange, unsigned, "error repomd-signature repodata/repomd.xml"]);
    assert_eq!(check(&bench, &["r"]).0, 0);
}

#[test]
fn all_kinds_of_compression_and_checksums_are_read() {
    let bench = Bench::new();
    write(&bench, "r", &sound());
    let root = bench.path("r");
    let text = list(&root, "primary");
    let mut xz = Vec::new();
    std::io::Read::read_to_end(&mut liblzma::read::XzEncoder::new(text.as_bytes(), 2), &mut xz).unwrap();
    for bytes in [zstd::encode_all(text.as_bytes(), 3).unwrap(), xz, text.clone().into_bytes()] {
        replace(&root, "primary", &bytes, text.as_bytes());
        assert_eq!(check(&bench, &["r"]).0, 0);
    }
    let address = format!("file://{}", root.display());
    assert_eq!(check(&bench, &[&address]).0, 0);
    bench.run(["repo", "check", "ftp://h.example/r"]).exits(2).says("names no repository");
}
