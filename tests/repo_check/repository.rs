//! Repositories that are made, and damaged in one place.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;

use gander::base::{Digest, RelPath, SourceDate};
use gander::format::repodata::{Content, Open, Repomd};
use serde_json::Value;

use crate::bench::Bench;
use crate::sample::made::{Order, file, order};
use crate::sample::repository::make;

/// A sound repository: a pair of arches, a noarch package, dependencies of every kind.
pub fn sound() -> Vec<Order> {
    let library = |arch, mark: &str, colour| {
        let mut tool = file("/usr/bin/flock", mark);
        (tool.mode, tool.colour) = (0o100_755, colour);
        order("flock", arch)
            .requires(&["goose >= 1", "/usr/bin/honk", "/usr/share/goose/deep"])
            .file(tool)
            .file(file("/usr/share/doc/flock", "the same"))
    };
    vec![
        library("x86_64", "64", 2),
        library("i686", "32", 1),
        order("goose", "noarch")
            .requires(&["(flock if winter)", "(flock or swan)"])
            .file(file("/usr/bin/honk", "honk"))
            .file(file("/usr/share/goose/deep", "deep")),
    ]
}

/// Writes a repository into a folder of the bench: packages below `Packages/`.
pub fn write(bench: &Bench, name: &str, packages: &[Order]) {
    let files: Vec<_> =
        packages.iter().map(|order| (format!("Packages/{}", order.file_name()), order.make())).collect();
    write_files(bench, name, &files, None);
}

pub fn write_files(bench: &Bench, name: &str, files: &[(String, Vec<u8>)], comps: Option<&str>) {
    let files = files.iter().map(|(path, bytes)| (path, bytes));
    make(&bench.path(name), files, comps, SourceDate::from_seconds(1_793_491_200).unwrap());
}

/// Changes repomd.xml.
pub fn repomd(root: &Path, change: impl FnOnce(&mut Repomd)) {
    let path = root.join("repodata/repomd.xml");
    let mut repomd = Repomd::parse(&fs::read(&path).unwrap()).unwrap();
    change(&mut repomd);
    fs::write(path, repomd.to_xml()).unwrap();
}

/// Puts another file in the place of a list: these bytes, whose content is that.
pub fn replace(root: &Path, list: &str, bytes: &[u8], content: &[u8]) {
    repomd(root, |repomd| {
        let data = repomd.data.iter_mut().find(|data| data.kind == list).unwrap();
        fs::remove_file(data.location.below(root)).unwrap();
        data.checksum = Digest::of(bytes).into();
        data.size = Some(bytes.len() as u64);
        data.open = Some(Open { checksum: Digest::of(content).into(), size: Some(content.len() as u64) });
        data.location = RelPath::new(format!("repodata/changed-{list}.xml.gz")).unwrap();
        fs::write(data.location.below(root), bytes).unwrap();
    });
}

pub fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(9));
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// The text of a list.
pub fn list(root: &Path, list: &str) -> String {
    let repomd = Repomd::parse(&fs::read(root.join("repodata/repomd.xml")).unwrap()).unwrap();
    let bytes = fs::read(repomd.find(list).unwrap().location.below(root)).unwrap();
    let mut text = String::new();
    Content::open(&bytes[..], None).unwrap().read_to_string(&mut text).unwrap();
    text
}

/// Changes the text of a list, and repomd.xml with it. The text has to change.
pub fn edit(root: &Path, name: &str, change: impl FnOnce(String) -> String) {
    let before = list(root, name);
    let after = change(before.clone());
    assert_ne!(before, after, "nothing was changed");
    replace(root, name, &gzip(after.as_bytes()), after.as_bytes());
}

/// The exit code of a check and its findings as `severity code subject`, sorted, each once.
pub fn check(bench: &Bench, arguments: &[&str]) -> (i32, Vec<String>, Value) {
    let output = bench.run([&["repo", "check", "--format", "json"], arguments].concat());
    let document: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output}"));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut found: Vec<String> = document["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| {
            let [severity, code, subject] = ["severity", "code", "subject"].map(|key| text(&finding[key]));
            format!("{severity} {code} {subject}")
        })
        .collect();
    found.sort();
    found.dedup();
    (output.code.unwrap(), found, document)
}
