use super::super::super::candidate::{Candidate, FileKind, PackagedFile};
use super::super::super::decision::{Decision, Flag, Multilib, Reason, Request};
use super::super::super::multilib::{Method, Profile};
use super::super::super::relation::{Relation, Sense};
use super::super::super::universe::Universe;
use super::super::{Absence, decide, explain, gather};
use super::*;
use crate::base::arch::TreeArch;
use crate::base::{Digest, Nevra};
use crate::format::comps::Comps;

/// A package: `[aside ]NAME-VERSION.ARCH: ITEMS`, items separated by `;`, each with a sign before it: `+` it provides, `?`
/// requires, `-` obsoletes, `#` conflicts with, `@` has that source package, `!` is not for that tree, `/` owns. It provides itself.
fn package(text: &str) -> Candidate {
    let (lookaside, rest) = match text.strip_prefix("aside ") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (name, items) = rest.split_once(": ").unwrap_or((rest, ""));
    let (name, version) = name.rsplit_once('-').unwrap();
    let (version, arch) = version.rsplit_once('.').unwrap();
    let nevra: Nevra = format!("{name}-0:{version}-1.{arch}").parse().unwrap();
    let mut candidate = Candidate::new(nevra.clone(), Digest::of(rest));
    candidate.lookaside = lookaside;
    if !nevra.is_source() {
        candidate.source = Some(format!("{name}-{version}-1.src.rpm"));
        let evr = nevra.evr.to_string();
        let word = if arch == "x86_64" { "x86-64" } else { "x86-32" };
        candidate.provides.push(Relation::versioned(name, Sense::EQUAL, &evr));
        if arch != "noarch" {
            candidate.provides.push(Relation::versioned(format!("{name}({word})"), Sense::EQUAL, &evr));
        }
    }
    for item in items.split(';').map(str::trim).filter(|item| !item.is_empty()) {
        match item.split_at(1) {
            ("+", name) => candidate.provides.push(Relation::stated(name)),
            ("?", name) => candidate.requires.push(Relation::stated(name)),
            ("-", name) => candidate.obsoletes.push(Relation::stated(name)),
            ("#", name) => candidate.conflicts.push(Relation::stated(name)),
            ("@", name) => candidate.source = Some(format!("{name}.src.rpm")),
            ("!", tree) => candidate.not_for.push(tree.into()),
            _ => candidate.files.push(PackagedFile(FileKind::File, item.into())),
        }
    }
    candidate
}

fn universe(texts: &[&str]) -> Universe {
    Universe::new(texts.iter().map(|text| package(text)).collect()).unwrap()
}

fn request(tree: &str, method: Method) -> Request {
    let mut request = Request::new(TreeArch::find(tree).unwrap());
    request.method = crate::base::gather::Method::Mash;
    request.multilib = Some(Multilib::by(Profile::Mash, [method]));
    request
}

fn short(nevra: &Nevra) -> String {
    format!("{}-{}.{}", nevra.name, nevra.evr.version, nevra.arch)
}

fn delivered(decision: &Decision) -> String {
    let delivered = decision.packages.iter().filter(|(_, chosen)| chosen.is_delivered());
    delivered.map(|(nevra, _)| short(nevra)).collect::<Vec<_>>().join(" ")
}

/// Decides, and compares what is delivered.
fn selects(request: &Request, packages: &[&str], expected: &str) -> Decision {
    let decision = decide(request, &Comps::default(), &universe(packages)).unwrap();
    assert_eq!(delivered(&decision), expected, "{packages:#?}");
    decision
}

fn why(decision: &Decision, name: &str) -> Vec<String> {
    let known = decision.packages.keys().chain(decision.debug.keys()).chain(decision.sources.keys());
    let nevra = known.clone().find(|nevra| short(nevra) == name).unwrap();
    decision.explain(nevra).iter().map(|(nevra, why)| format!("{}: {why}", short(nevra))).collect()
}

#[test]
fn everything_native_is_there_in_every_version() {
    let packages = [
        "a-1.x86_64: ?nobody",
        "a-2.x86_64",
        "b-1.noarch",
        "c-1.noarch: !x86_64",
        "d-1.noarch: !s390x",
        "e-1.ia32e",
        "f-1.i686: /usr/lib/libf.so.1",
        "g-1.s390x",
        "h-1.ppc64",
    ];
    let mut asked = request("x86_64", Method::Devel);
    let decision =
        selects(&asked, &packages, "a-1.x86_64 a-2.x86_64 b-1.noarch d-1.noarch e-1.ia32e f-1.i686");
    let notes: Vec<_> = decision.notes.iter().map(ToString::to_string).collect();
    assert_eq!(notes, ["nothing provides 'nobody', required by a-0:1-1.x86_64 (mash passes over it)"]);
    assert_eq!(why(&decision, "b-1.noarch"), ["b-1.noarch: among everything that the sources have"]);
    assert!(decision.packages.values().all(|chosen| match chosen.why {
        Reason::Everything => chosen.flags == BTreeSet::from([Flag::Everything]),
        _ => chosen.flags == BTreeSet::from([Flag::Multilib]),
    }));
    // What is named plays no part; what is excluded does.
    asked.packages = vec!["a".into()];
    asked.exclude = vec!["a".into(), "f.i686".into()];
    selects(&asked, &packages, "b-1.noarch d-1.noarch e-1.ia32e");
    // Without a rule there is no secondary arch at all.
    asked.multilib = None;
    asked.exclude = vec!["a".into()];
    selects(&asked, &packages, "b-1.noarch d-1.noarch e-1.ia32e");
}

#[test]
fn trees_hold_what_mashs_tables_say() {
    let packages =
        ["a-1.armv7hl", "a-1.armv7hnl", "a-1.athlon", "a-1.i386", "a-1.noarch", "a-1.ppc64p7", "a-1.s390"];
    for (tree, expected) in [
        ("armhfp", "a-1.armv7hl a-1.armv7hnl a-1.noarch"),
        ("i386", "a-1.athlon a-1.i386 a-1.noarch"),
        ("ppc64", "a-1.noarch a-1.ppc64p7"),
        ("s390x", "a-1.noarch a-1.s390"),
        ("riscv64", "a-1.noarch"),
    ] {
        selects(&request(tree, Method::All), &packages, expected);
    }
}

#[test]
fn debugging_and_source_packages() {
    let packages = [
        "a-1.x86_64",
        "a-1.i686: /usr/lib/liba.so.1",
        "a-debuginfo-1.x86_64: ?a-debugsource",
        "a-debuginfo-1.i686: ?nobody",
        "a-debugsource-1.x86_64",
        "a-debuginfod-client-1.x86_64",
        "n-debuginfo-1.noarch",
        "a-1.src: ?gcc",
        "a-0.src",
        "y-1.x86_64: @z-1-1",
        "z-1.nosrc",
    ];
    let mut asked = request("x86_64", Method::Devel);
    let all = "a-1.i686 a-1.x86_64 y-1.x86_64";
    let decision = selects(&asked, &packages, all);
    assert!(decision.debug.is_empty() && decision.sources.is_empty());
    asked.debug = true;
    asked.sources = true;
    let decision = selects(&asked, &packages, all);
    let debug: Vec<_> = decision.debug.keys().map(short).collect();
    assert_eq!(
        debug,
        [
            "a-debuginfo-1.x86_64",
            "a-debuginfod-client-1.x86_64",
            "a-debugsource-1.x86_64",
            "n-debuginfo-1.noarch"
        ]
    );
    let sources: Vec<_> = decision.sources.keys().map(short).collect();
    // mash has no place for what comes without its sources.
    assert_eq!(sources, ["a-0.src", "a-1.src"]);
    let built = decision.sources.values().map(|source| source.built.len()).collect::<Vec<_>>();
    assert_eq!(built, [0, 2]);
    assert_eq!(why(&decision, "a-0.src"), ["a-0.src: among everything that the sources have"]);
}

#[test]
fn the_closure_goes_from_arch_to_arch() {
    let decision = selects(
        &request("x86_64", Method::Devel),
        &[
            "a-1.x86_64: ?only-32(x86-32)",
            "a-devel-1.i686: ?b.so; ?a; ?/usr/bin/tool",
            "b-1.i686: +b.so; ?c.so",
            "b-1.x86_64: +b.so()(64bit)",
            "c-1.i686: +c.so",
            "only-32-1.i686",
            "tool-1.i686: /usr/bin/tool",
            "tool-1.x86_64: /usr/bin/tool",
            "unused-1.i686",
        ],
        "a-1.x86_64 a-devel-1.i686 b-1.i686 b-1.x86_64 c-1.i686 only-32-1.i686 tool-1.x86_64",
    );
    assert_eq!(
        why(&decision, "c-1.i686"),
        [
            "c-1.i686: required by b-0:1-1.i686: c.so",
            "b-1.i686: required by a-devel-0:1-1.i686: b.so",
            "a-devel-1.i686: multilib: devel, name ends with -devel or -static: a-devel"
        ]
    );
    assert_eq!(
        why(&decision, "only-32-1.i686"),
        [
            "only-32-1.i686: required by a-0:1-1.x86_64: only-32(x86-32)",
            "a-1.x86_64: among everything that the sources have"
        ]
    );
    // The method 'none' takes nothing by rule, and what is required nevertheless.
    let packages = ["a-1.x86_64: ?b(x86-32)", "b-1.i686", "c-devel-1.i686"];
    selects(&request("x86_64", Method::None), &packages, "a-1.x86_64 b-1.i686");
    // The rule's blacklist says no, but does not keep out what is required.
    let mut asked = request("x86_64", Method::All);
    asked.multilib.as_mut().unwrap().blacklist = vec!["b".into(), "c-*".into()];
    selects(&asked, &packages, "a-1.x86_64 b-1.i686");
}

#[test]
fn the_context_meets_requirements_and_is_not_delivered() {
    let base = ["a-devel-1.i686: ?p.so; ?a; ?q.so", "q-1.i686: +q.so", "r-1.i686: +r.so", "r-1.x86_64"];
    let asked = request("x86_64", Method::Devel);
    let decision = selects(&asked, &base, "a-devel-1.i686 q-1.i686 r-1.x86_64");
    assert_eq!(decision.notes.len(), 2);
    // The context has what was missing, and requires what only the sources have.
    let aside = ["aside p-1.i686: +p.so; ?r.so; ?nobody", "aside a-1.x86_64", "aside q-2.x86_64"];
    let all = [&base[..], &aside].concat();
    let decision = selects(&asked, &all, "a-devel-1.i686 q-1.i686 r-1.i686 r-1.x86_64");
    assert_eq!(decision.notes.len(), 0, "{:?}", decision.notes);
    assert_eq!(
        why(&decision, "r-1.i686"),
        ["r-1.i686: required by p-0:1-1.i686: r.so", "p-1.i686: among everything that is looked aside at"]
    );
    // Of the context only what is part of a reason is told.
    let aside: Vec<_> = decision.packages.iter().filter(|(_, chosen)| !chosen.is_delivered()).collect();
    assert_eq!(aside.iter().map(|(nevra, _)| short(nevra)).collect::<Vec<_>>(), ["p-1.i686"]);
    // A name and arch that the sources have is no context: it comes in for what nothing else meets.
    for (other, expected) in [
        ("aside q-1.i686: +q.so", "a-devel-1.i686 q-1.i686 r-1.x86_64"),
        ("aside q-2.i686: +q.so", "a-devel-1.i686 r-1.x86_64"),
        ("aside q-0.i686: +q.so", "a-devel-1.i686 q-1.i686 r-1.x86_64"),
    ] {
        selects(&asked, &[&base[..], &[other]].concat(), expected);
    }
    // Where the same package is offered that one counts; an excluded one is none.
    let mut without = asked;
    without.exclude = vec!["q".into()];
    let decision =
        selects(&without, &[&base[..], &["aside q-1.i686: +q.so"]].concat(), "a-devel-1.i686 r-1.x86_64");
    assert_eq!(decision.notes.len(), 2, "{:?}", decision.notes);
}

/// Each row: packages that provide `x` to `foo-devel`, and the one that is taken.
#[test]
fn the_provider_is_yums() {
    for (candidates, expected) in [
        // The shorter name; of equal ones the last.
        (&["abc-1.i686: +x", "zz-1.i686: +x"][..], "zz-1.i686"),
        (&["ab-1.i686: +x", "zz-1.i686: +x"], "zz-1.i686"),
        // A name that begins alike, for more than two letters; the same source; a base package that is there.
        (&["fo-1.i686: +x", "foo-libs-1.i686: +x"], "foo-libs-1.i686"),
        (&["b-1.i686: +x", "fo-long-1.i686: +x"], "b-1.i686"),
        (&["foo-libs-1.i686: +x", "other-1.i686: +x; @foo-1-1"], "other-1.i686"),
        (&["b-1.i686: +x", "base-libs-1.i686: +x; @base-1-1", "base-1.x86_64"], "base-libs-1.i686"),
        // The arch of the package that requires it, then that of the machine.
        (&["b-1.i586: +x", "b-1.i686: +x"], "b-1.i686"),
        (&["b-1.i586: +x", "bb-1.i686: +x"], "bb-1.i686"),
        // The newest version of its name, in whatever arch; what another candidate obsoletes is last.
        (&["b-1.i686: +x", "b-2.x86_64", "a-long-name-1.i686: +x"], "a-long-name-1.i686"),
        (&["b-1.i686: +x", "b-2.i686: +x"], "b-2.i686"),
        (&["b-1.i686: +x", "a-long-name-1.i686: +x; -b < 2"], "a-long-name-1.i686"),
        // The newer version of what is required, if all say one; then the fewest new requirements.
        (&["b-1.i686: +x = 1", "a-long-name-1.i686: +x = 2"], "a-long-name-1.i686"),
        (&["b-1.i686: +x = 2", "a-long-name-1.i686: +x = 2"], "b-1.i686"),
        (&["b-1.i686: +x = 1", "a-long-name-1.i686: +x = 2", "cc-1.i686: +x"], "b-1.i686"),
        (&["b-1.i686: +x; ?y; ?z", "a-long-name-1.i686: +x; ?y"], "a-long-name-1.i686"),
        (&["b-1.i686: +x; ?b; ?foo", "a-long-name-1.i686: +x; ?y"], "b-1.i686"),
        // What is there already is enough.
        (&["aaaaa-1.x86_64: +x", "b-1.i686: +x"], ""),
        (&["aside aaaaa-1.x86_64: +x", "b-1.i686: +x"], ""),
        (&["d-devel-1.i686: +x", "b-1.i686: +x"], ""),
    ] {
        let packages = [&["foo-devel-1.i686: ?x; @foo-1-1", "foo-1.x86_64"], candidates].concat();
        let decision = gather(&request("x86_64", Method::Devel), &Comps::default(), &universe(&packages));
        let required = decision.packages.iter();
        let required = required.filter(|(_, chosen)| matches!(chosen.why, Reason::Requirement { .. }));
        let required: Vec<_> = required.map(|(nevra, _)| short(nevra)).collect();
        assert_eq!(required.join(" "), expected, "{candidates:?}");
    }
}

/// yum takes what conflicts with the package that has the requirement where there is nothing else.
#[test]
fn what_conflicts_is_taken_last() {
    let asking = "foo-devel-1.i686: ?x; #b";
    let asked = request("x86_64", Method::Devel);
    let expected = "a-long-name-1.i686 foo-devel-1.i686";
    selects(&asked, &[asking, "b-1.i686: +x", "a-long-name-1.i686: +x"], expected);
    selects(&asked, &[asking, "b-1.i686: +x"], "b-1.i686 foo-devel-1.i686");
}

/// The requirement with a version comes first, sonames come last, whatever the header's order.
#[test]
fn requirements_are_met_in_yums_order() {
    let candidates = ["bbb-1.i686: +libx.so()", "cc-1.i686: +libx.so(); +libx = 2", "c-1.i686: +libx.so()"];
    let packages = [&["foo-devel-1.i686: ?libx.so(); ?libx = 2"], &candidates[..]].concat();
    selects(&request("x86_64", Method::Devel), &packages, "cc-1.i686 foo-devel-1.i686");
}

#[test]
fn what_is_replaced_stays_out() {
    let packages = ["a-devel-1.i686: ?b.so", "b-1.i686: +b.so", "c-1.x86_64: -b"];
    let asked = request("x86_64", Method::Devel);
    let decision = selects(&asked, &packages, "a-devel-1.i686 c-1.x86_64");
    let notes: Vec<_> = decision.notes.iter().map(ToString::to_string).collect();
    assert_eq!(
        notes,
        ["b-0:1-1.i686, which meets 'b.so' of a-devel-0:1-1.i686, stays out: c-0:1-1.x86_64 obsoletes it"]
    );
    // Two that obsolete each other, and a version that is not meant.
    selects(&asked, &[packages[0], "b-1.i686: +b.so; -c", packages[2]], "a-devel-1.i686 b-1.i686 c-1.x86_64");
    // Another candidate is not taken instead, but where it is an older version that obsoletes the first one.
    let other = "long-name-1.i686: +b.so";
    selects(&asked, &[packages[0], packages[1], packages[2], other], "a-devel-1.i686 c-1.x86_64");
    selects(
        &asked,
        &[packages[0], packages[1], packages[2], "c-2.x86_64", other],
        "a-devel-1.i686 c-1.x86_64 c-2.x86_64 long-name-1.i686",
    );
    // What was there at first is delivered, and counts no more.
    let there = ["a-devel-1.i686: ?b.so", "b-1.x86_64: +b.so", "c-1.x86_64: -b", "d-1.i686: +b.so"];
    selects(&asked, &there, "a-devel-1.i686 b-1.x86_64 c-1.x86_64 d-1.i686");
    selects(&asked, &[packages[0], packages[1], "c-1.x86_64: -b < 1"], "a-devel-1.i686 b-1.i686 c-1.x86_64");
}

/// That an older version is required does not make the newer ones beside it count less.
#[test]
fn versions_that_are_there_stay_enough() {
    selects(
        &request("x86_64", Method::None),
        &["a-1.x86_64: ?b = 1-1", "a-2.x86_64: ?b = 2-1", "b-1.i686", "b-1.x86_64", "b-2.i686", "b-2.x86_64"],
        "a-1.x86_64 a-2.x86_64 b-1.x86_64 b-2.x86_64",
    );
}

/// Each row: packages, and those that are delivered, as yum 3.4's depsolver has them (its last state, run by Python 2.7).
#[test]
fn packages_come_and_leave_as_with_yum() {
    for (packages, expected) in [
        // An older version that a requirement brought in leaves when another one brings in a newer one; not so one that was
        // there at first.
        (
            &["a-devel-1.i686: ?a(x86-32) = 1-1", "a-devel-2.i686: ?a(x86-32) = 2-1", "a-1.i686", "a-2.i686"]
                [..],
            "a-2.i686 a-devel-1.i686 a-devel-2.i686",
        ),
        (&["b-devel-1.i686: ?b(x86-32) = 1-1", "b-1.i686", "b-2.i686"], "b-1.i686 b-devel-1.i686"),
        (
            &["a-devel-1.i686: ?x; ?y", "b-1.i686: +x; /usr/lib/libb.so.1", "b-2.i686: +y", "c-1.i686: +x"],
            "a-devel-1.i686 b-1.i686 b-2.i686 c-1.i686",
        ),
        // Beside a newer one no older one comes in.
        (&["a-devel-1.i686: ?x", "b-1.i686: +x", "b-2.i686: /usr/lib/libb.so.1"], "a-devel-1.i686 b-2.i686"),
        // What it met is met by another one; what it required has come in or not by then.
        (
            &[
                "a-devel-1.i686: ?b(x86-32) = 1-1; ?x",
                "c-devel-1.i686: ?b(x86-32) = 2-1",
                "b-1.i686: +x; ?z",
                "b-2.i686",
                "z-1.i686: +z",
                "y-1.i686: +x",
            ],
            "a-devel-1.i686 b-2.i686 c-devel-1.i686 y-1.i686",
        ),
        (
            &[
                "a-devel-1.i686: ?b(x86-32) = 1-1; ?/etc/b",
                "c-devel-1.i686: ?b(x86-32) = 2-1",
                "b-1.i686: /etc/b",
                "b-2.i686",
                "d-1.i686: /etc/b",
            ],
            "a-devel-1.i686 b-2.i686 c-devel-1.i686 d-1.i686",
        ),
        // What leaves for something that it requires itself is not looked after.
        (
            &[
                "ccc-devel-1.i686: ?x",
                "aaa-devel-1.i686: ?x = 1",
                "a-1.i686: +x = 1; ?y",
                "a-2.i686: +y",
                "b-1.i686: +x = 2",
            ],
            "a-2.i686 aaa-devel-1.i686 ccc-devel-1.i686",
        ),
        // Of these there may be several versions.
        (
            &[
                "a-devel-1.i686: ?b(x86-32) = 1-1",
                "a-devel-2.i686: ?b(x86-32) = 2-1",
                "b-1.i686: +installonlypkg(kernel)",
                "b-2.i686: +installonlypkg(kernel)",
            ],
            "a-devel-1.i686 a-devel-2.i686 b-1.i686 b-2.i686",
        ),
        (
            &["a-devel-1.i686: ?x", "k-1.i686: +x; +installonlypkg(vm)", "k-2.i686: /usr/lib/libk.so.1"],
            "a-devel-1.i686 k-1.i686 k-2.i686",
        ),
        // The same version of another arch is in the place of one; another candidate is not looked for.
        (&["b-devel-1.i686: ?x", "b-1.i586: +x", "b-1.i686: /usr/lib/libb.so.1"], "b-1.i686 b-devel-1.i686"),
        (
            &["bbb-devel-1.i686: ?x", "bbb-1.i686: +x", "bbb-1.noarch", "a-long-name-1.i686: +x"],
            "bbb-1.noarch bbb-devel-1.i686",
        ),
        // A version that obsoletes its own older ones.
        (&["a-devel-1.i686: ?x", "b-1.i686: +x", "b-2.x86_64: -b < 2"], "a-devel-1.i686 b-2.x86_64"),
        (
            &["a-devel-1.i686: ?x", "b-1.x86_64: +x", "b-2.x86_64: -b", "c-1.i686: +x"],
            "a-devel-1.i686 b-1.x86_64 b-2.x86_64 c-1.i686",
        ),
        // What obsoletes the one that would be taken comes in instead, but not for a requirement with a version.
        (
            &["aaaa-devel-1.i686: ?x", "aaaa-1.i686: +x", "c-1.i686: -aaaa", "d-1.i686: -c; +x"],
            "aaaa-devel-1.i686 d-1.i686",
        ),
        (
            &["aaaa-devel-1.i686: ?x = 1", "aaaa-1.i686: +x = 1", "c-1.i686: -aaaa", "d-1.i686: -c; +x = 1"],
            "aaaa-devel-1.i686",
        ),
        // Another package may take another candidate for the same requirement.
        (
            &[
                "aaa-devel-1.i686: ?x",
                "aaa-1.i686: +x",
                "bbb-devel-1.i686: ?x",
                "bbb-1.i686: +x",
                "c-1.x86_64: -aaa",
            ],
            "aaa-devel-1.i686 bbb-1.i686 bbb-devel-1.i686 c-1.x86_64",
        ),
        // A required file is not looked for again when what had it is obsolete, but where its requirer lacks something.
        (
            &["a-devel-1.i686: ?/etc/b; ?nobody", "b-1.x86_64: /etc/b", "c-1.x86_64: -b", "d-1.i686: /etc/b"],
            "a-devel-1.i686 b-1.x86_64 c-1.x86_64 d-1.i686",
        ),
        (
            &["a-devel-1.i686: ?/etc/b", "b-1.x86_64: /etc/b", "c-1.x86_64: -b", "d-1.i686: /etc/b"],
            "a-devel-1.i686 b-1.x86_64 c-1.x86_64",
        ),
    ] {
        selects(&request("x86_64", Method::Devel), packages, expected);
    }
}

/// A package that left is told where another one is there because of it.
#[test]
fn what_left_is_told_where_it_is_a_reason() {
    let packages = [
        "a-devel-1.i686: ?b(x86-32) = 1-1",
        "b-1.i686: ?y",
        "b-2.i686",
        "y-1.i686: +y; ?b(x86-32) = 2-1",
        "z-devel-1.i686: ?c(x86-32) = 1-1; ?c(x86-32) = 2-1",
        "c-1.i686",
        "c-2.i686",
    ];
    let decision = selects(
        &request("x86_64", Method::Devel),
        &packages,
        "a-devel-1.i686 b-2.i686 c-2.i686 y-1.i686 z-devel-1.i686",
    );
    let replaced: Vec<_> = decision.packages.iter().filter(|(_, chosen)| !chosen.is_delivered()).collect();
    assert_eq!(replaced.iter().map(|(nevra, _)| short(nevra)).collect::<Vec<_>>(), ["b-1.i686"]);
    assert_eq!(replaced[0].1.flags, BTreeSet::from([Flag::Dependency, Flag::Replaced]));
    let notes: Vec<_> = decision.notes.iter().map(ToString::to_string).collect();
    let missing = |what: &str| format!("nothing provides '{what}', required by ");
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[0].starts_with(&missing("b(x86-32) = 1-1")), "{notes:?}");
}

#[test]
fn conditions_are_followed() {
    selects(
        &request("x86_64", Method::Devel),
        &[
            "a-devel-1.i686: ?(b(x86-32) if c(x86-32)); ?(d or e)",
            "b-1.i686",
            "c-1.i686",
            "e-1.x86_64",
            "f-devel-1.i686: ?c(x86-32)",
        ],
        "a-devel-1.i686 b-1.i686 c-1.i686 e-1.x86_64 f-devel-1.i686",
    );
}

#[test]
fn a_tree_of_one_arch_has_its_own_packages() {
    let decision = selects(
        &request("aarch64", Method::All),
        &["a-1.aarch64: ?b.so; ?nobody", "b-1.noarch: +b.so; ?nobody", "c-1.i686", "d-1.x86_64"],
        "a-1.aarch64 b-1.noarch",
    );
    assert_eq!(decision.notes.len(), 1);
}

#[test]
fn absences_are_explained() {
    let packages = [
        "a-1.x86_64",
        "a-1.i686",
        "a-1.s390",
        "a-debuginfo-1.i686",
        "a-debuginfo-1.x86_64",
        "b-devel-1.i686: ?x",
        "ccc-1.i686: +x",
        "dd-1.i686: +x",
        "aside e-1.x86_64",
        "aside a-1.x86_64",
        "aside dd-0.i686: +x",
    ];
    let asked = request("x86_64", Method::Devel);
    let universe = universe(&packages);
    let explained = explain(&asked, &Comps::default(), &universe, "*.i686");
    assert_eq!(explained.selected.iter().map(short).collect::<Vec<_>>(), ["b-devel-1.i686", "dd-1.i686"]);
    let absent: Vec<_> =
        explained.absent.iter().map(|(nevra, why)| format!("{} {why}", short(nevra))).collect();
    assert_eq!(
        absent,
        [
            "a-1.i686 no multilib rule takes it",
            "a-debuginfo-1.i686 the tree holds no package of its arch",
            "ccc-1.i686 no multilib rule takes it",
            "dd-0.i686 only looked aside at: it meets requirements, and is not delivered",
        ]
    );
    let explained = explain(&asked, &Comps::default(), &universe, "*.x86_64");
    assert_eq!(explained.selected.iter().map(short).collect::<Vec<_>>(), ["a-1.x86_64"]);
    assert!(matches!(explained.absent.values().collect::<Vec<_>>()[..], [Absence::Debug, Absence::Context]));
}
