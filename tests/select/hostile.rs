//! Input that somebody made to hurt: answered, or refused by a clear error, and soon.

use std::fmt::Write as _;

use gander::format::comps::{Comps, CompsError};
use gander::select::{Candidate, Decision, Greed, Problem, Request, Universe, explain, gather};

use super::graphs::{package, stated, x86_64};

const MANY: usize = 10_000;

fn name(at: usize) -> String {
    format!("p{at}-0:1-1.x86_64")
}

/// A package that requires these.
fn requiring(nevra: &str, requires: &[&str]) -> Candidate {
    let mut made = package(nevra);
    made.requires = requires.iter().map(|text| stated(text)).collect();
    made
}

fn request(packages: &[&str]) -> Request {
    let mut request = Request::new(x86_64());
    request.packages = packages.iter().map(|&name| name.into()).collect();
    request
}

fn gathered(request: &Request, candidates: Vec<Candidate>) -> Decision {
    gather(request, &Comps::default(), &Universe::new(candidates).unwrap())
}

/// Packages of which each requires this of the next; the last one has the first for next.
fn circle(requirement: impl Fn(usize, usize) -> String) -> Vec<Candidate> {
    (0..MANY).map(|at| requiring(&name(at), &[&requirement(at, (at + 1) % MANY)])).collect()
}

#[test]
fn a_circle_of_many_packages() {
    let circle = circle(|_, next| format!("p{next}"));
    for weak in [false, true] {
        let decision = gathered(&Request { weak, ..request(&["p0"]) }, circle.clone());
        assert_eq!((decision.packages.len(), decision.problems.len()), (MANY, 0));
        let chain = decision.explain(&name(MANY - 1).parse().unwrap());
        assert_eq!(chain.len(), MANY);
        assert!(chain.last().unwrap().1.by().is_none());
    }
}

#[test]
fn a_requirement_of_many_packages_that_many_provide() {
    let half = MANY / 2;
    let mut candidates = Vec::new();
    for at in 0..half {
        candidates.push(requiring(&format!("asking{at}-0:1-1.x86_64"), &["shared >= 1"]));
        let mut made = package(&format!("giving{at}-0:1-1.x86_64"));
        made.provides.push(stated("shared = 2"));
        candidates.push(made);
    }
    let universe = Universe::new(candidates).unwrap();
    for (greed, expected) in [(Greed::None, half + 1), (Greed::Build, MANY), (Greed::All, MANY)] {
        let request = Request { greed, ..request(&["asking*"]) };
        let decision = gather(&request, &Comps::default(), &universe);
        assert_eq!((decision.packages.len(), decision.problems.len()), (expected, 0), "{greed:?}");
    }
    let told = explain(&request(&["asking*"]), &Comps::default(), &universe, "giving0");
    let needed = told.needed.values().next().unwrap();
    assert!(needed.len() == half && needed.iter().all(|need| need.alone));
}

/// An expression nested this deep around one that `word`s it on: `(x WORD (x WORD (… a)))`.
fn nested(depth: usize, word: &str, other: &str) -> String {
    (0..depth).fold("a".to_owned(), |inner, _| format!("({other} {word} {inner})"))
}

#[test]
fn rich_requirements_nested_too_deep_are_refused() {
    let others = || [package("a-0:1-1.x86_64"), package("b-0:1-1.x86_64")];
    for text in
        [nested(100, "or", "b"), nested(100, "and", "b"), "(".repeat(100_000), nested(20_000, "if", "b")]
    {
        let mut all = vec![requiring("top-0:1-1.x86_64", &[&text])];
        all.extend(others());
        for weak in [false, true] {
            let decision = gathered(&Request { weak, ..request(&["top"]) }, all.clone());
            assert_eq!(decision.packages.len(), 1);
            let problems: Vec<_> = decision.problems.iter().collect();
            let [Problem::BrokenRequirement { package, error }] = problems[..] else {
                panic!("{problems:?}");
            };
            assert_eq!(package.name, "top");
            assert!(error.contains("nested deeper than 64") || error.contains("longer"), "{error}");
        }
    }
}

#[test]
fn rich_requirements_nested_as_deep_as_may_be_are_evaluated() {
    for depth in [10, 60] {
        for (word, other, expected) in [
            ("or", "missing", &["a", "top"][..]),
            ("and", "b", &["a", "b", "top"]),
            ("if", "b", &["b", "top"]),
            ("unless", "b", &["b", "top"]),
            ("with", "top", &["top"]),
        ] {
            // Nothing else is `a` and `top` at once.
            let mut top = requiring("top-0:1-1.x86_64", &[&nested(depth, word, other)]);
            top.provides.extend((word == "with").then(|| stated("a")));
            let all = vec![top, package("a-0:1-1.x86_64"), package("b-0:1-1.x86_64")];
            let decision = gathered(&request(&["top"]), all);
            let names: Vec<_> = decision.packages.keys().map(|nevra| nevra.name.as_str()).collect();
            assert_eq!(names, expected, "{depth} times {word}");
            assert!(decision.problems.is_empty(), "{depth} times {word}: {:?}", decision.problems);
        }
    }
}

#[test]
fn many_conditional_requirements_that_watch_each_other() {
    // Each comes in because of the one before, and only then the next one's condition holds.
    let mut all = circle(|at, next| format!("(p{next} if p{at})"));
    all.push(requiring("top-0:1-1.x86_64", &["(p0 if top)"]));
    let decision = gathered(&request(&["top"]), all);
    assert_eq!((decision.packages.len(), decision.problems.len()), (MANY + 1, 0));
    // All are there from the beginning and watch; what they bring in comes one by one, the last condition first.
    let mut all = Vec::new();
    for at in 0..MANY {
        all.push(requiring(&format!("w{at}-0:1-1.x86_64"), &[&format!("(p{at} if p{})", at + 1)]));
        all.push(package(&name(at)));
    }
    all.push(package(&name(MANY)));
    let decision = gathered(&request(&["w*", &format!("p{MANY}")]), all);
    assert_eq!((decision.packages.len(), decision.problems.len()), (2 * MANY + 1, 0));
}

#[test]
fn long_chains_of_weak_dependencies() {
    let recommending = |at: usize, what: &str| {
        let mut made = package(&name(at));
        made.recommends.push(stated(what));
        made
    };
    // Each recommends the next; each supplements the one before; each recommends one that can be had only when the last
    // one is there.
    let mut all: Vec<_> = (0..MANY).map(|at| recommending(at, &format!("p{}", at + 1))).collect();
    all.push(package(&name(MANY)));
    let mut supplementing: Vec<_> = (0..=MANY).map(|at| package(&name(at))).collect();
    for (at, made) in supplementing.iter_mut().enumerate().skip(1) {
        made.supplements.push(stated(&format!("p{}", at - 1)));
    }
    let mut lacking = all.clone();
    for (at, made) in lacking.iter_mut().enumerate() {
        made.recommends.push(stated(&format!("q{at}")));
    }
    for at in 0..MANY {
        lacking.push(requiring(&format!("q{at}-0:1-1.x86_64"), &["either"]));
    }
    lacking[MANY].provides.push(stated("either"));
    let mut better = requiring("e-0:1-1.x86_64", &["nobody-has-it"]);
    better.provides.push(stated("either"));
    lacking.push(better);
    for (mut all, expected) in [(all, MANY + 1), (supplementing, MANY + 1), (lacking, 2 * MANY + 1)] {
        for made in &mut all {
            made.source = Some(format!("{}-1-1.src.rpm", made.nevra.name));
        }
        for fulltree in [false, true] {
            let request = Request { weak: true, fulltree, ..request(&["p0"]) };
            let decision = gathered(&request, all.clone());
            assert!(decision.problems.is_empty(), "{:?}", decision.problems);
            assert_eq!(decision.packages.len(), expected);
        }
    }
}

fn parsed(text: &str) -> Result<Comps, String> {
    Comps::parse(text.as_bytes()).map_err(|error| match error {
        CompsError::Xml(error) => error.to_string(),
        error @ CompsError::Invalid(_) => error.to_string(),
    })
}

#[test]
fn a_comps_file_with_many_members() {
    const MEMBERS: usize = 100_000;
    let mut text = String::from("<comps><group><id>huge</id><name>huge</name><packagelist>");
    for at in 0..MEMBERS {
        match at % 2 {
            0 => write!(text, "<packagereq>p{at}</packagereq>").unwrap(),
            _ => write!(text, "<packagereq type=\"conditional\" requires=\"p{}\">p{at}</packagereq>", at - 1)
                .unwrap(),
        }
    }
    text.push_str("</packagelist></group></comps>");
    let comps = parsed(&text).unwrap();
    let universe = Universe::new((0..MANY).map(|at| package(&name(at))).collect()).unwrap();
    let mut request = request(&[]);
    request.groups.push("huge".into());
    for require_members in [false, true] {
        request.require_members = require_members;
        let decision = gather(&request, &comps, &universe);
        assert_eq!(decision.packages.len(), MANY);
        assert_eq!(decision.absent_members.len(), (MEMBERS - MANY) / 2);
        assert_eq!(decision.problems.len(), if require_members { (MEMBERS - MANY) / 2 } else { 0 });
    }
}

#[test]
fn comps_files_that_are_made_to_hurt_are_refused() {
    let bomb = "<!DOCTYPE comps [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;\">]><comps><group><id>&b;</id></group></comps>";
    let outside = "<!DOCTYPE comps [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><comps><group><id>&a;</id></group></comps>";
    let deep = format!("<comps>{}{}</comps>", "<group>".repeat(100_000), "</group>".repeat(100_000));
    let open = "<comps>".repeat(1_000_000);
    let huge = format!("<comps><group><id>{}</id><packagelist/></group></comps>", "x".repeat(10 << 20));
    let wide = format!("<comps>{}</comps>", "<a/>".repeat(1_100_000));
    let twice = format!("<comps>{}</comps>", "<group><id>a</id></group>".repeat(20_000));
    for (text, expected) in [
        (bomb, "entity"),
        (outside, "entity"),
        (&deep, "deep"),
        (&open, "deep"),
        (&huge, "not a name"),
        (&wide, "elements"),
        (&twice, "'a'"),
    ] {
        let error = parsed(text).unwrap_err();
        assert!(error.contains(expected), "{}", error.chars().take(400).collect::<String>());
        assert!(error.len() < 200_000, "{}", error.len());
    }
}
