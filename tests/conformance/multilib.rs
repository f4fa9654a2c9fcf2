//! Multilib judgements against the decisions of python-multilib and mash (`GANDER_ORACLE`/multilib), and the
//! comps files of real distributions (`GANDER_REALDATA`/comps).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use gander::base::Digest;
use gander::base::arch::TreeArch;
use gander::format::comps::{Comps, CompsError};
use gander::rpm::Headers;
use gander::select::Candidate;
use gander::select::multilib::{FileView, Judge, Method, Profile};
use serde::Deserialize;

use super::{Tally, folder, skip};

#[derive(Deserialize)]
struct Table {
    params: Params,
    packages: BTreeMap<String, Expected>,
}

#[derive(Deserialize)]
struct Params {
    profile: String,
    method: Vec<String>,
    view: String,
    arch: String,
    eval: String,
}

#[derive(Deserialize)]
struct Expected {
    multilib: bool,
    method: Option<String>,
    file: String,
}

fn files(root: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                open.push(entry);
            } else if entry.to_string_lossy().ends_with(ending) {
                found.push(entry);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn decisions_are_those_of_the_original() {
    let test = "decisions_are_those_of_the_original";
    let Some(oracle) = folder("GANDER_ORACLE", test) else { return };
    let root = oracle.join("multilib");
    if !root.is_dir() {
        return skip(test, "the oracle has no folder 'multilib'");
    }
    let mut packages: BTreeMap<String, Candidate> = BTreeMap::new();
    let mut tally = Tally::new("multilib decisions");
    for path in files(&root.join("expected"), ".json") {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let table: Table = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let profile = Profile::find(&table.params.profile).unwrap();
        let methods = table.params.method.iter().map(|method| Method::find(method).unwrap());
        let judge = Judge::new(profile, methods).with_view(FileView::find(&table.params.view).unwrap());
        let tree = TreeArch::find(&table.params.arch).unwrap();
        for (nevra, expected) in &table.packages {
            let package = packages.entry(expected.file.clone()).or_insert_with(|| {
                let file = BufReader::new(File::open(root.join(&expected.file)).unwrap());
                let headers = Headers::read(file).unwrap();
                Candidate::from_package(&headers.package().unwrap(), Digest::of(&expected.file))
            });
            assert_eq!(&package.nevra.to_string(), nevra);
            assert!(table.params.eval == "all" || tree.is_multilib(&package.nevra.arch));
            let verdict = judge.judge(package);
            let method = verdict.method.map(Method::name);
            let wrong = (verdict.selected != expected.multilib || method != expected.method.as_deref())
                .then(|| format!("'{verdict}' instead of {} by {:?}", expected.multilib, expected.method));
            tally.case(&format!("{name} {nevra}"), wrong);
        }
    }
    tally.finish();
}

#[test]
fn real_comps_files_are_read() {
    let Some(real) = folder("GANDER_REALDATA", "real_comps_files_are_read") else { return };
    let mut tally = Tally::new("comps files");
    let mut found = files(&real.join("comps"), ".xml");
    found.extend(
        files(&real.join("metadata"), ".xml")
            .into_iter()
            .filter(|path| path.to_string_lossy().contains("comps")),
    );
    for path in found {
        let document = fs::read(&path).unwrap();
        let wrong = match Comps::parse(&document) {
            // Counting the tags in the text is another way to the same figures.
            Ok(comps) => {
                let text = String::from_utf8(document).unwrap();
                let read: usize = comps.groups.iter().map(|group| group.packages.len()).sum();
                let (groups, packages) = (
                    text.matches("<group>").count() + text.matches("<group ").count(),
                    text.matches("</packagereq>").count() - text.matches("></packagereq>").count(),
                );
                ((groups, packages) != (comps.groups.len(), read)).then(|| {
                    format!("{}/{read} groups/packages instead of {groups}/{packages}", comps.groups.len())
                })
            }
            // Pungi's own negative examples: a typing error, and spaces around names.
            Err(CompsError::Invalid(problems))
                if problems.iter().all(|problem| {
                    problem.message.contains("unknown type") || problem.message.contains("spaces around it")
                }) =>
            {
                None
            }
            Err(error) => Some(error.to_string()),
        };
        tally.case(&path.display().to_string(), wrong);
    }
    tally.finish();
}
