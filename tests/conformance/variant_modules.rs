//! Variants that name streams of genuine modules: each has what the stream's build lists for its arch, less what it filters.

use std::collections::BTreeSet;
use std::sync::Arc;

use gander::base::Nevra;
use gander::base::arch::TreeArch;
use gander::format::comps::Comps;
use gander::format::modulemd::{Content, Document};
use gander::recipe::ModuleChoice;
use gander::select::{Request, Universe, gather, is_debug_name, visible};

use super::Tally;
use super::appstream::repositories;

/// The entries of the list below a path of keys, as the indentation of the document's own text has them: read without
/// gander's parser.
fn listed(text: &str, path: [&str; 2]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut lines = text.lines().skip_while(|line| *line != format!("  {}:", path[0])).skip(1);
    let rest = lines.by_ref().take_while(|line| line.starts_with("    "));
    let rest: Vec<&str> = rest.collect();
    let entries = rest.iter().skip_while(|line| **line != format!("    {}:", path[1])).skip(1);
    for entry in entries.take_while(|line| line.starts_with("    - ")) {
        found.insert(entry["    - ".len()..].trim_matches(['"', '\'']).to_owned());
    }
    found
}

#[test]
fn a_variant_has_what_the_streams_that_it_names_list() {
    let test = "a_variant_has_what_the_streams_that_it_names_list";
    let all = repositories(test);
    if all.is_empty() {
        return;
    }
    let mut tally = Tally::new("variants of genuine streams");
    for (distribution, appstream, _) in &all {
        let offered: BTreeSet<&Nevra> = appstream.packages.iter().map(|package| &package.nevra).collect();
        let streams: Vec<(&Document, u64)> = appstream
            .modules
            .documents
            .iter()
            .filter_map(|document| match &document.content {
                Content::Stream(stream) => Some((document, stream.version)),
                _ => None,
            })
            .collect();
        let name = |document: &Document| match &document.content {
            Content::Stream(stream) => format!("{}:{}", document.module, stream.name),
            _ => String::new(),
        };
        let names: BTreeSet<String> = streams.iter().map(|(document, _)| name(document)).collect();
        let mut filters = 0;
        let mut expected_of = |wanted: &str| {
            let of: Vec<_> = streams.iter().filter(|(document, _)| name(document) == wanted).collect();
            let last = of.iter().map(|(_, version)| *version).max();
            let mut expected = BTreeSet::new();
            for (document, _) in of.iter().filter(|(_, version)| Some(*version) == last) {
                let filter = listed(&document.text, ["filter", "rpms"]);
                filters += filter.len();
                let nevras = listed(&document.text, ["artifacts", "rpms"]);
                let nevras = nevras.iter().map(|nevra| nevra.parse::<Nevra>().unwrap());
                let here = |nevra: &Nevra| {
                    ["x86_64", "noarch"].contains(&&*nevra.arch)
                        && !is_debug_name(&nevra.name)
                        && !filter.contains(&nevra.name)
                        && offered.contains(nevra)
                };
                expected.extend(nevras.filter(here));
            }
            expected
        };
        // Each stream for itself, then all of them in one variant.
        let mut cases: Vec<Vec<String>> = names.iter().map(|name| vec![name.clone()]).collect();
        cases.push(names.iter().cloned().collect());
        for case in cases {
            let choices: Vec<ModuleChoice> = case.iter().map(|name| name.parse().unwrap()).collect();
            let mut seen = visible(&[&appstream.modules], &[]).unwrap();
            let streams = seen.name(&[&appstream.modules], &choices).unwrap();
            let shown = appstream.packages.iter().filter(|package| {
                seen.shows(&package.nevra, package.provides.iter().map(|provided| &provided.name))
            });
            let universe = Universe::new(shown.cloned().collect()).unwrap();
            let mut request = Request::new(TreeArch::find("x86_64").unwrap());
            (request.modules, request.streams) = (choices, Arc::new(streams));
            let decision = gather(&request, &Comps::default(), &universe);
            let expected: BTreeSet<Nevra> = case.iter().flat_map(|name| expected_of(name)).collect();
            let found: BTreeSet<Nevra> = decision.packages.keys().cloned().collect();
            let what = match &case[..] {
                [one] => one.clone(),
                all => format!("{} streams", all.len()),
            };
            println!("{distribution}: {what}: {} packages", found.len());
            assert!(decision.problems.is_empty(), "{what}: {:?}", decision.problems);
            let differs = || {
                let (more, less) = (found.difference(&expected).next(), expected.difference(&found).next());
                format!("too much: {more:?}, missing: {less:?}")
            };
            let wrong = (found != expected || expected.is_empty()).then(differs);
            tally.case(&format!("{distribution}: {what}"), wrong);
        }
        println!("{distribution}: {filters} names of packages are filtered out");
    }
    tally.finish();
}
