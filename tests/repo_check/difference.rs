//! What `gander repo diff` tells, and what it leaves alone.

use std::fs;

use gander::base::Digest;
use gander::format::repodata::{Data, Tags};
use serde_json::{Value, json};

use crate::bench::Bench;
use crate::repository::{edit, list, replace, repomd, sound, write, write_files};
use crate::sample::made::{Order, file, order};

fn diff(bench: &Bench) -> (i32, Value) {
    let output = bench.run(["repo", "diff", "--format", "json", "a", "b"]);
    let document = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output}"));
    (output.code.unwrap(), document)
}

/// What remains of a document without the lists that are empty.
fn told(bench: &Bench) -> (i32, Value) {
    let (code, document) = diff(bench);
    let told = document.as_object().unwrap().iter().filter(|(_, value)| **value != json!([]));
    (code, told.map(|(key, value)| (key.clone(), value.clone())).collect())
}

#[test]
fn order_compression_and_times_are_no_difference() {
    let bench = Bench::new();
    write(&bench, "a", &sound());
    write(&bench, "b", &sound());
    assert_eq!(told(&bench), (0, json!({})));
    let root = bench.path("b");
    for kind in ["primary", "filelists", "other"] {
        let text = list(&root, kind);
        let (start, end) = (text.find("<package ").unwrap(), text.rfind("</package>").unwrap() + 10);
        let packages: Vec<_> = text[start..end].split_inclusive("</package>").collect();
        let reversed: String = packages.iter().rev().copied().collect();
        let other =
            [&text[..start], &reversed, &text[end..]].concat().replace("file=\"1793491200\"", "file=\"7\"");
        replace(&root, kind, &zstd::encode_all(other.as_bytes(), 3).unwrap(), other.as_bytes());
    }
    repomd(&root, |repomd| repomd.data.iter_mut().for_each(|data| data.timestamp = 5));
    assert_eq!(told(&bench), (0, json!({})));
    assert_eq!(bench.run(["repo", "diff", "a", "b"]).exits(0).stdout, "");
}

#[test]
fn packages_come_and_go_and_change_versions() {
    let bench = Bench::new();
    let at = |name: &str, versions: &[&str]| -> Vec<Order> {
        versions.iter().map(|version| order(name, "noarch").version(version)).collect()
    };
    let all = |lists: &[(&str, &[&str])]| {
        lists.iter().flat_map(|(name, versions)| at(name, versions)).collect::<Vec<_>>()
    };
    write(
        &bench,
        "a",
        &all(&[
            ("gone", &["1-1"]),
            ("up", &["9-1"]),
            ("down", &["2-1"]),
            ("kept", &["1-1", "2-1"]),
            ("both", &["1-1"]),
        ]),
    );
    write(
        &bench,
        "b",
        &all(&[
            ("come", &["1-1"]),
            ("up", &["10-1"]),
            ("down", &["2~rc1-1"]),
            ("kept", &["2-1", "3-1"]),
            ("both", &["1-1", "2-1"]),
        ]),
    );
    let expected = json!({
        "added": ["both-0:2-1.noarch", "come-0:1-1.noarch"],
        "removed": ["gone-0:1-1.noarch"],
        "upgraded": [
            { "before": "kept-0:1-1.noarch", "after": "kept-0:3-1.noarch" },
            { "before": "up-0:9-1.noarch", "after": "up-0:10-1.noarch" },
        ],
        "downgraded": [{ "before": "down-0:2-1.noarch", "after": "down-0:2~rc1-1.noarch" }],
    });
    assert_eq!(told(&bench), (1, expected));
    let text = bench.run(["repo", "diff", "a", "b"]).exits(1).stdout;
    assert!(text.contains("upgraded up-0:9-1.noarch to 0:10-1\n"), "{text}");
}

#[test]
fn fields_of_rebuilt_packages() {
    let bench = Bench::new();
    let before =
        order("goose", "noarch").requires(&["pond", "grain >= 1"]).file(file("/usr/bin/honk", "honk"));
    let mut after = before.clone().provides(&["bird"]).file(file("/usr/share/goose", ""));
    after.requires = vec!["grain >= 2".into(), "pond".into()];
    after.summary = "Another".into();
    write(&bench, "a", &[before]);
    write(&bench, "b", &[after]);
    let (code, document) = told(&bench);
    let changed = &document["changed"][0];
    let field = |name: &str| {
        let changes = changed["changes"].as_array().unwrap();
        let change = changes.iter().find(|change| change["field"] == name);
        change.map(|change| (change["before"].clone(), change["after"].clone()))
    };
    assert_eq!(
        (code, &changed["nevra"], &changed["rebuilt"]),
        (1, &json!("goose-0:1-1.noarch"), &json!(true))
    );
    assert_eq!(field("requires"), Some((json!(["grain >= 0:1"]), json!(["grain >= 0:2"]))));
    assert_eq!(field("provides"), Some((json!([]), json!(["bird"]))));
    assert_eq!(field("files"), Some((json!([]), json!(["/usr/share/goose"]))));
    assert_eq!(field("summary"), Some((json!(["The package goose"]), json!(["Another"]))));
    assert_eq!(field("license"), None);
    assert!(field("checksum").is_some() && field("location").is_none());
    assert_eq!(document.as_object().unwrap().len(), 1, "{document:#}");

    // The same file under other metadata.
    let bench = Bench::new();
    for name in ["a", "b"] {
        write(&bench, name, &sound());
    }
    edit(&bench.path("b"), "primary", |text| text.replacen("Packages/goose", "Other/goose", 1));
    let (code, document) = told(&bench);
    assert_eq!((code, &document["changed"][0]["rebuilt"]), (1, &json!(false)));
    assert_eq!(document["changed"][0]["changes"][0]["field"], "location");
}

#[test]
fn groups_other_data_revision_and_tags() {
    let bench = Bench::new();
    let comps = |id: &str, member: &str, order: [&str; 2]| {
        let [first, second] = order;
        format!(
            "<comps><group><id>core</id><packagelist><packagereq>{first}</packagereq><packagereq>{second}</packagereq>\
             </packagelist></group><group><id>{id}</id><packagelist><packagereq>{member}</packagereq></packagelist></group></comps>"
        )
    };
    let files = [("a.rpm".to_owned(), order("goose", "noarch").make())];
    let make = |name: &str, comps: &str| {
        drop(fs::remove_dir_all(bench.path(name)));
        write_files(&bench, name, &files, Some(comps));
    };
    make("a", &comps("x", "y", ["a", "b"]));
    make("b", &comps("x", "y", ["b", "a"]));
    assert_eq!(told(&bench), (0, json!({})));
    make("b", &comps("x", "z", ["a", "b"]));
    assert_eq!(
        told(&bench),
        (1, json!({ "groups": [{ "field": "groups", "before": ["x"], "after": ["x"] }] }))
    );
    make("b", &comps("z", "y", ["a", "b"]));
    assert_eq!(
        told(&bench),
        (1, json!({ "groups": [{ "field": "groups", "before": ["x"], "after": ["z"] }] }))
    );

    make("b", &comps("x", "y", ["a", "b"]));
    let root = bench.path("b");
    let content = b"<updates/>";
    fs::write(root.join("repodata/updateinfo.xml"), content).unwrap();
    repomd(&root, |repomd| {
        repomd.revision = "8".into();
        repomd.tags = Tags { content: vec!["binary".into()], ..Tags::default() };
        repomd.data.push(Data {
            kind: "updateinfo".into(),
            checksum: Digest::of(content).into(),
            size: Some(10),
            open: None,
            location: "repodata/updateinfo.xml".parse().unwrap(),
            timestamp: 0,
        });
    });
    let (code, document) = told(&bench);
    let fields = |key: &str| -> Vec<_> {
        document[key].as_array().unwrap().iter().map(|change| change["field"].clone()).collect()
    };
    assert_eq!((code, fields("repository")), (1, vec![json!("revision"), json!("content-tags")]));
    assert_eq!(document["data"][0]["after"], json!([format!("updateinfo {}", Digest::of(content))]));
    let text = bench.run(["repo", "diff", "a", "b"]).exits(1).stdout;
    assert!(text.starts_with("revision\n  - 1793491200\n  + 8\n"), "{text}");
}
