//! What modules that a request names bring in.

use std::sync::Arc;

use super::super::super::candidate::Candidate;
use super::super::super::streams::Streams;
use super::super::{explain, gather};
use super::*;
use crate::base::Digest;
use crate::base::arch::TreeArch;
use crate::format::comps::Comps;
use crate::format::modulemd::Stream;
use crate::select::multilib::{Method, Profile};
use crate::select::{Absence, Multilib, Relation, Universe};

/// A package with its source, and what it requires.
fn package(nevra: &str, source: &str, requires: &[&str]) -> Candidate {
    let mut made = Candidate::new(nevra.parse().unwrap(), Digest::of(nevra));
    made.source = (!source.is_empty()).then(|| source.into());
    made.requires = requires.iter().map(|name| Relation::any(*name)).collect();
    made.provides = vec![Relation::any(made.nevra.name.clone())];
    made
}

/// Two streams of geese, what is outside of them, and what geese require.
fn universe() -> Universe {
    let goose1 = "goose-1-1.src.rpm";
    let goose2 = "goose-2-1.src.rpm";
    let packages = vec![
        package("goose-0:1-1.x86_64", goose1, &["pond"]),
        package("goose-0:1-1.i686", goose1, &[]),
        package("goose-debuginfo-0:1-1.x86_64", goose1, &[]),
        package("goose-0:1-1.src", "", &[]),
        package("goose-doc-0:1-1.noarch", goose1, &[]),
        // Built, but filtered out of the module.
        package("goose-tests-0:1-1.x86_64", goose1, &[]),
        package("goose-0:2-1.x86_64", goose2, &[]),
        package("goose-0:2-1.src", "", &[]),
        package("pond-0:1-1.x86_64", "pond-1-1.src.rpm", &[]),
        package("pond-0:1-1.src", "", &[]),
        package("farm-0:1-1.x86_64", "farm-1-1.src.rpm", &["goose"]),
        package("farm-0:1-1.src", "", &[]),
    ];
    Universe::new(packages).unwrap()
}

fn streams() -> Arc<Streams> {
    let mut streams = Streams::default();
    for (name, packages) in [
        (
            "1",
            &[
                "goose-0:1-1.x86_64",
                "goose-0:1-1.i686",
                "goose-doc-0:1-1.noarch",
                "goose-0:1-1.src",
                "goose-debuginfo-0:1-1.x86_64",
            ][..],
        ),
        ("2", &["goose-0:2-1.x86_64", "goose-0:2-1.src"]),
    ] {
        let stream = Stream {
            name: name.into(),
            version: 5,
            context: "c".into(),
            arch: "x86_64".into(),
            needs: Vec::new(),
            artifacts: packages.iter().map(|nevra| nevra.parse().unwrap()).collect(),
        };
        streams.add("goose", &stream, false);
    }
    Arc::new(streams)
}

fn request(modules: &[&str], packages: &[&str]) -> Request {
    let mut request = Request::new(TreeArch::find("x86_64").unwrap());
    request.modules = modules.iter().map(|choice| choice.parse().unwrap()).collect();
    request.streams = streams();
    request.packages = packages.iter().map(|name| (*name).to_owned()).collect();
    (request.sources, request.debug) = (true, true);
    request
}

/// What is selected, or what is wrong.
fn selected(request: &Request) -> String {
    let decision = gather(request, &Comps::default(), &universe());
    let problems = decision.problems.iter().map(ToString::to_string);
    let all = decision.selected().map(ToString::to_string);
    let mut all: Vec<_> = all.collect();
    all.sort();
    problems.chain(all).collect::<Vec<_>>().join(" ")
}

// What Pungi's GatherSourceModule and GatherMethodNodeps (4.3.6) give for these packages.
#[test]
fn a_module_brings_what_its_build_lists_and_nothing_that_this_requires() {
    assert_eq!(
        selected(&request(&["goose:1"], &[])),
        "goose-0:1-1.src goose-0:1-1.x86_64 goose-debuginfo-0:1-1.x86_64 goose-doc-0:1-1.noarch"
    );
    // Two streams of one module, each in its own version.
    assert_eq!(
        selected(&request(&["goose:2", "goose:1"], &[])),
        "goose-0:1-1.src goose-0:1-1.x86_64 goose-0:2-1.src goose-0:2-1.x86_64 goose-debuginfo-0:1-1.x86_64 \
         goose-doc-0:1-1.noarch"
    );
    // Of the secondary arch what the build lists, with any rule for that arch.
    let mut multilib = request(&["goose:1"], &[]);
    multilib.multilib = Some(Multilib {
        profile: Profile::Pungi,
        methods: vec![Method::None],
        whitelist: Vec::new(),
        blacklist: Vec::new(),
        patterns: Vec::new(),
    });
    assert_eq!(
        selected(&multilib),
        "goose-0:1-1.i686 goose-0:1-1.src goose-0:1-1.x86_64 goose-debuginfo-0:1-1.x86_64 goose-doc-0:1-1.noarch"
    );
    assert_eq!(selected(&request(&["goose:2:5:c"], &[])), "goose-0:2-1.src goose-0:2-1.x86_64");
    assert_eq!(
        selected(&request(&["goose:2:6"], &[])),
        "there is no stream goose:2:6 for x86_64; of that module there are goose:1:5:c (x86_64), goose:2:5:c (x86_64)"
    );
    let mut plain = request(&["goose:1"], &[]);
    (plain.sources, plain.debug) = (false, false);
    plain.exclude = vec!["goose-doc".into()];
    assert_eq!(selected(&plain), "goose-0:1-1.x86_64");
}

#[test]
fn what_else_is_named_is_gathered_with_the_packages_of_the_modules_to_choose_from() {
    // The farm's goose is that of the stream; what else is of its build comes by module.
    assert_eq!(
        selected(&request(&["goose:2"], &["farm"])),
        "farm-0:1-1.src farm-0:1-1.x86_64 goose-0:2-1.src goose-0:2-1.x86_64"
    );
    // Of both streams the newer goose meets the requirement, and needs no pond.
    let both = selected(&request(&["goose:1", "goose:2"], &["farm"]));
    assert!(both.contains("goose-0:1-1.x86_64") && !both.contains("pond"), "{both}");
    // Of the first alone it is that one, chosen for the farm, with what it requires.
    assert!(selected(&request(&["goose:1"], &["farm"])).contains("pond-0:1-1.x86_64"));
    // Streams that others name are not seen.
    let none = selected(&request(&[], &["farm"]));
    assert!(none.starts_with("nothing provides 'goose', required by farm-0:1-1.x86_64"), "{none}");
}

#[test]
fn the_module_is_the_input_of_the_chain() {
    let request = request(&["goose:1"], &["farm"]);
    let universe = universe();
    let told = explain(&request, &Comps::default(), &universe, "goose");
    let selected: Vec<_> = told.selected.iter().map(ToString::to_string).collect();
    assert_eq!(selected, ["goose-0:1-1.src", "goose-0:1-1.x86_64"]);
    let goose = &told.selected[1];
    let chain = told.decision.explain(goose);
    assert_eq!(chain.len(), 1);
    assert_eq!(chain[0].1.to_string(), "of the module goose:1:5:c");
    let flags: Vec<_> = told.decision.packages[goose].flags.iter().map(|flag| flag.name()).collect();
    assert_eq!(flags, ["module", "dependency"]);
    assert_eq!(told.needed[goose][0].by.name, "farm");
    let absent = &told.absent[&"goose-0:2-1.x86_64".parse().unwrap()];
    assert_eq!(absent, &Absence::OtherStream);
    assert_eq!(absent.to_string(), "of a stream that only other variants name");
    let debug = told.decision.explain(&"goose-debuginfo-0:1-1.x86_64".parse().unwrap());
    assert_eq!(debug.last().unwrap().1.to_string(), "of the module goose:1:5:c");
}
