//! What is looked aside at, and debugging packages, as Pungi (4.3.6) was measured on random universes.

use super::*;

fn aside(text: &str) -> Candidate {
    Candidate { lookaside: true, ..package(text) }
}

/// Everything that is selected, with its flags.
fn flagged(request: &Request, candidates: Vec<Candidate>) -> Vec<String> {
    let decision = gather(request, &Comps::default(), &Universe::new(candidates).unwrap());
    let all = decision.packages.iter().chain(&decision.debug);
    let flags = |chosen: &super::super::super::decision::Chosen| {
        chosen.flags.iter().map(|flag| format!(" {flag}")).collect::<String>()
    };
    all.map(|(nevra, chosen)| format!("{}-{}.{}{}", nevra.name, nevra.evr.version, nevra.arch, flags(chosen)))
        .collect()
}

#[test]
fn debugging_packages_of_what_is_not_delivered_are_not_delivered() {
    let mut request = request(&["a", "b"]);
    request.debug = true;
    let candidates = vec![
        package("a-0:1-1.x86_64"),
        package("a-debuginfo-0:1-1.x86_64"),
        aside("b-0:1-1.x86_64"),
        package("b-debuginfo-0:1-1.x86_64"),
    ];
    let expected = [
        "a-1.x86_64 input",
        "b-1.x86_64 input lookaside",
        "a-debuginfo-1.x86_64",
        "b-debuginfo-1.x86_64 lookaside",
    ];
    assert_eq!(flagged(&request, candidates), expected);
}

#[test]
fn with_greed_hidden_debugging_packages_come_in_where_they_are_asked_for() {
    let candidates = || {
        vec![
            package("a-debuginfo-0:1-1.x86_64"),
            package("a-debuginfo-0:2-1.x86_64: ?common"),
            package("a-debuginfo-0:2-1.i686"),
            package("c-debuginfo-0:1-1.x86_64: +common"),
        ]
    };
    let mut request = request(&["a-debuginfo"]);
    (request.debug, request.multilib) = (true, multilib(Profile::Pungi, &[Method::None]));
    request.exclude = vec!["c-debuginfo".into()];
    assert_eq!(flagged(&request, candidates()), ["a-debuginfo-2.x86_64 input"]);
    // What only an excluded package has is not missed.
    let decision = gather(&request, &Comps::default(), &Universe::new(candidates()).unwrap());
    assert!(decision.problems.is_empty(), "{:?}", decision.problems);
    request.greed = Greed::All;
    let expected = [
        "a-debuginfo-1.x86_64 input",
        "a-debuginfo-2.i686 input",
        "a-debuginfo-2.x86_64 input",
        "c-debuginfo-1.x86_64 dependency",
    ];
    assert_eq!(flagged(&request, candidates()), expected);
    // Of one arch only the newest is seen.
    request.packages = vec!["a-debuginfo.+".into()];
    assert_eq!(flagged(&request, candidates()), ["a-debuginfo-2.i686 input"]);
}

#[test]
fn with_greed_the_offered_copy_brings_in_what_it_requires() {
    let candidates = || {
        vec![
            package("a-0:1-1.x86_64: ?lib"),
            package("lib-0:1-1.x86_64: ?deep"),
            aside("lib-0:1-1.x86_64: ?deep"),
            package("deep-0:1-1.x86_64"),
        ]
    };
    let mut request = request(&["a"]);
    assert_eq!(flagged(&request, candidates()), ["a-1.x86_64 input", "lib-1.x86_64 dependency lookaside"]);
    request.greed = Greed::All;
    let expected = ["a-1.x86_64 input", "deep-1.x86_64 dependency", "lib-1.x86_64 dependency lookaside"];
    assert_eq!(flagged(&request, candidates()), expected);
}

#[test]
fn the_multilib_blacklist_is_for_what_is_looked_aside_at_and_exclusions_are_not() {
    let candidates = || vec![package("a-0:1-1.x86_64: ?lib(x86-32)"), aside("lib-0:1-1.i686")];
    let mut request = request(&["a"]);
    request.multilib = multilib(Profile::Pungi, &[Method::None]);
    request.exclude = vec!["lib".into()];
    assert_eq!(flagged(&request, candidates()), ["a-1.x86_64 input", "lib-1.i686 dependency lookaside"]);
    request.multilib.as_mut().unwrap().blacklist = vec!["li*".into()];
    assert_eq!(flagged(&request, candidates()), ["a-1.x86_64 input"]);
}
