//! Gathering over small universes, rule by rule.

mod aside;
mod nodeps;

use super::super::candidate::{Candidate, FileKind, PackagedFile};
use super::super::decision::{Flag, Multilib};
use super::super::multilib::{Method, Profile};
use super::super::relation::{Relation, Sense};
use super::*;
use crate::base::arch::TreeArch;
use crate::base::{Digest, Nevra};

/// A package: `NEVRA: +PROVIDES ?REQUIRES ~RECOMMENDS &SUPPLEMENTS /FILES`, items separated by `;`. It provides itself.
fn package(text: &str) -> Candidate {
    let (nevra, rest) = text.split_once(": ").unwrap_or((text, ""));
    let nevra: Nevra = nevra.parse().unwrap();
    let mut candidate = Candidate::new(nevra.clone(), Digest::of(text));
    if !nevra.is_source() {
        candidate.source = Some("src-1-1.src.rpm".into());
        let evr = nevra.evr.to_string();
        candidate.provides.push(Relation::versioned(&nevra.name, Sense::EQUAL, &evr));
        let isa = if nevra.arch == "i686" { "x86-32" } else { "x86-64" };
        candidate.provides.push(Relation::versioned(format!("{}({isa})", nevra.name), Sense::EQUAL, &evr));
    }
    for item in rest.split(';').map(str::trim).filter(|item| !item.is_empty()) {
        match item.split_at(1) {
            ("+", name) => candidate.provides.push(Relation::stated(name)),
            ("?", name) => candidate.requires.push(Relation::stated(name)),
            ("~", name) => candidate.recommends.push(Relation::stated(name)),
            ("&", name) => candidate.supplements.push(Relation::stated(name)),
            _ => candidate.files.push(PackagedFile(FileKind::File, item.into())),
        }
    }
    candidate
}

fn universe(texts: &[&str]) -> Universe {
    Universe::new(texts.iter().map(|text| package(text)).collect()).unwrap()
}

fn request(packages: &[&str]) -> Request {
    let mut request = Request::new(TreeArch::find("x86_64").unwrap());
    request.packages = packages.iter().map(|&name| name.into()).collect();
    request
}

fn multilib(profile: Profile, methods: &[Method]) -> Option<Multilib> {
    Some(Multilib::by(profile, methods))
}

fn names(decision: &Decision) -> Vec<String> {
    decision
        .packages
        .keys()
        .chain(decision.debug.keys())
        .map(|nevra| format!("{}.{}", nevra.name, nevra.arch))
        .collect()
}

fn selects(request: &Request, packages: &[&str], expected: &[&str]) -> Decision {
    let decision = decide(request, &Comps::default(), &universe(packages)).unwrap();
    assert_eq!(names(&decision), expected);
    decision
}

fn problems(request: &Request, comps: &Comps, packages: &[&str]) -> Vec<String> {
    let SelectError::Problems(problems) = decide(request, comps, &universe(packages)).unwrap_err();
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn a_requirement_takes_the_best_package_that_meets_it() {
    let base = "a-0:1-1.x86_64: ?x";
    for (others, expected) in [
        // Native before the secondary arch, whatever the name.
        (["z-0:1-1.x86_64: +x", "b-0:1-1.i686: +x"], "z.x86_64"),
        // The arch of the tree before noarch.
        (["z-0:1-1.x86_64: +x", "b-0:1-1.noarch: +x"], "z.x86_64"),
        // The shorter name, then the name.
        (["bb-0:1-1.x86_64: +x", "c-0:1-1.x86_64: +x"], "c.x86_64"),
        (["d-0:1-1.x86_64: +x", "c-0:1-1.x86_64: +x"], "c.x86_64"),
    ] {
        let mut request = request(&["a"]);
        request.multilib = multilib(Profile::Pungi, &[]);
        selects(&request, &[base, others[0], others[1]], &["a.x86_64", expected]);
    }
    // Only the newest of a name and arch is seen.
    let decision = selects(
        &request(&["a"]),
        &[base, "b-0:1-1.x86_64: +x", "b-0:2-1.x86_64: +x"],
        &["a.x86_64", "b.x86_64"],
    );
    assert_eq!(decision.packages.keys().last().unwrap().evr.version, "2");
    // What is selected already is enough.
    selects(
        &request(&["a", "zz"]),
        &[base, "b-0:1-1.x86_64: +x", "zz-0:1-1.x86_64: +x"],
        &["a.x86_64", "zz.x86_64"],
    );
}

#[test]
fn files_and_versions_are_required() {
    selects(
        &request(&["a"]),
        &[
            "a-0:1-1.x86_64: ?/bin/sh; ?lib >= 2; ?rpmlib(PayloadIsZstd) <= 5.4",
            "sh-0:1-1.x86_64: /bin/sh",
            "lib1-0:1-1.x86_64: +lib = 1",
            "lib22-0:1-1.x86_64: +lib = 2-5",
        ],
        &["a.x86_64", "lib22.x86_64", "sh.x86_64"],
    );
}

#[test]
fn rich_requirements() {
    let others = ["b-0:1-1.x86_64", "c-0:1-1.x86_64: +v = 1", "cc-0:1-1.x86_64: +v = 2"];
    for (requirement, inputs, expected) in [
        ("(b or c)", &["a"][..], &["a", "b"][..]),
        ("(missing or c)", &["a"], &["a", "c"]),
        ("(b or c)", &["a", "c"], &["a", "c"]),
        ("(b and c)", &["a"], &["a", "b", "c"]),
        ("(b if c)", &["a"], &["a"]),
        ("(b if c)", &["a", "c"], &["a", "b", "c"]),
        ("(b if missing else cc)", &["a"], &["a", "cc"]),
        ("(b unless c)", &["a"], &["a", "b"]),
        // A condition never makes up for what is wanted.
        ("(b unless c)", &["a", "c"], &["a", "b", "c"]),
        ("(b unless c else cc)", &["a"], &["a", "b"]),
        ("(b unless c else cc)", &["a", "c"], &["a", "c", "cc"]),
        ("(missing unless c else b)", &["a", "c"], &["a", "b", "c"]),
        ("((b unless c) or cc)", &["a"], &["a", "b"]),
        ("((b unless c) or cc)", &["a", "c"], &["a", "c", "cc"]),
        ("((b unless c) or c)", &["a", "c"], &["a", "c"]),
        ("((b unless c) or missing)", &["a", "c"], &["a", "b", "c"]),
        ("((missing unless c) or cc)", &["a"], &["a", "cc"]),
        ("(b if (cc unless c))", &["a", "cc"], &["a", "b", "cc"]),
        ("(b if (cc unless c))", &["a", "c", "cc"], &["a", "c", "cc"]),
        ("((b if c else missing) or cc)", &["a"], &["a", "cc"]),
        ("(v >= 1 with v >= 2)", &["a"], &["a", "cc"]),
        ("(v without c)", &["a"], &["a", "cc"]),
        ("(missing if missing)", &["a"], &["a"]),
    ] {
        let a = format!("a-0:1-1.x86_64: ?{requirement}");
        let packages = [a.as_str(), others[0], others[1], others[2]];
        let decision = decide(&request(inputs), &Comps::default(), &universe(&packages)).unwrap();
        let names: Vec<_> = decision.packages.keys().map(|nevra| nevra.name.as_str()).collect();
        assert_eq!(names, expected, "{requirement}");
    }
    // What can be left out is no reason to miss it; what the package is itself cannot.
    assert_eq!(
        problems(&request(&["a"]), &Comps::default(), &["a-0:1-1.x86_64: ?(b unless a)", others[0]]),
        ["nothing provides '(b unless a)', required by a-0:1-1.x86_64"]
    );
    assert_eq!(
        problems(
            &request(&["a"]),
            &Comps::default(),
            &["a-0:1-1.x86_64: ?((b unless a) or missing)", others[0]]
        ),
        ["nothing provides '((b unless a) or missing)', required by a-0:1-1.x86_64"]
    );
    // A condition that comes to hold later counts, also where what was asked for until then is nowhere.
    for requirement in ["(missing unless c else b)", "(b if c else missing)"] {
        selects(
            &request(&["a", "d"]),
            &[
                &format!("a-0:1-1.x86_64: ?{requirement}"),
                "d-0:1-1.x86_64: ?e",
                "e-0:1-1.x86_64: ?c",
                others[0],
                others[1],
            ],
            &["a.x86_64", "b.x86_64", "c.x86_64", "d.x86_64", "e.x86_64"],
        );
    }
    selects(
        &request(&["a", "d"]),
        &["a-0:1-1.x86_64: ?(b if c)", "d-0:1-1.x86_64: ?e", "e-0:1-1.x86_64: ?c", others[0], others[1]],
        &["a.x86_64", "b.x86_64", "c.x86_64", "d.x86_64", "e.x86_64"],
    );
}

#[test]
fn debugging_packages_bring_in_their_like() {
    let mut request = request(&["foo"]);
    request.debug = true;
    let packages = |required: &str| {
        [
            format!("foo-debuginfo-0:1-1.x86_64: ?{required}"),
            "foo-0:1-1.x86_64".to_owned(),
            "foo-debugsource-0:1-1.x86_64".into(),
            "bar-0:1-1.x86_64: +x".into(),
            "bar-debuginfo-0:1-1.x86_64: +x".into(),
            "common-debuginfo-0:1-1.x86_64: +y".into(),
        ]
    };
    for (required, more) in [
        ("x", &["bar-debuginfo"][..]),
        ("(x or y)", &["bar-debuginfo"]),
        ("(x and y)", &["bar-debuginfo", "common-debuginfo"]),
        ("(x if y)", &[]),
        // It holds as soon as the debugging package is there, not where another one is.
        ("(x if foo-debugsource)", &["bar-debuginfo"]),
        ("(x if foo)", &[]),
        ("foo", &[]),
        ("(foo and x)", &["bar-debuginfo"]),
    ] {
        let packages = packages(required);
        let all: Vec<&str> = packages.iter().map(String::as_str).collect();
        let decision = decide(&request, &Comps::default(), &universe(&all)).unwrap();
        let found: Vec<_> = decision.debug.keys().map(|nevra| nevra.name.as_str()).collect();
        let mut expected = [more, &["foo-debuginfo", "foo-debugsource"]].concat();
        expected.sort_unstable();
        assert_eq!(found, expected, "{required}");
        assert_eq!(decision.packages.len(), 1, "{required}");
    }
    let packages = packages("(x and z)");
    let all: Vec<&str> = packages.iter().map(String::as_str).collect();
    let told = problems(&request, &Comps::default(), &all);
    assert!(told.len() == 1 && told[0].contains("'z'"), "{told:?}");
    // Without requirements being looked at, they still come along.
    request.dependencies = false;
    let decision = decide(&request, &Comps::default(), &universe(&all)).unwrap();
    assert_eq!(names(&decision), ["foo.x86_64", "foo-debuginfo.x86_64", "foo-debugsource.x86_64"]);
}

#[test]
fn patterns_excludes_and_arches() {
    let packages = [
        "foo-0:1-1.x86_64",
        "foo-0:1-1.i686",
        "foo-libs-0:1-1.x86_64",
        "bar.baz-0:1-1.noarch",
        "foo-debuginfo-0:1-1.x86_64",
    ];
    let with = |patterns: &[&str], exclude: &[&str]| {
        let mut request = request(patterns);
        request.multilib = multilib(Profile::Pungi, &[]);
        request.exclude = exclude.iter().map(|&text| text.into()).collect();
        request
    };
    selects(&with(&["foo*"], &[]), &packages, &["foo.x86_64", "foo-libs.x86_64"]);
    selects(&with(&["foo.i686"], &[]), &packages, &["foo.i686"]);
    selects(&with(&["foo.+"], &[]), &packages, &["foo.i686"]);
    selects(&with(&["bar.baz"], &[]), &packages, &["bar.baz.noarch"]);
    selects(&with(&["foo"], &["foo.x86_64"]), &packages, &["foo.i686"]);
    selects(&with(&["*"], &["foo*", "*.i686"]), &packages, &["bar.baz.noarch"]);
    selects(&with(&["*-debuginfo"], &[]), &packages, &["foo-debuginfo.x86_64"]);
    assert_eq!(
        problems(&with(&["fooo", "foo-libs"], &["foo-libs"]), &Comps::default(), &packages),
        [
            "no package matches 'foo-libs'; excluded: foo-libs-0:1-1.x86_64",
            "no package matches 'fooo' (did you mean 'foo'?)",
        ]
    );
    // Without multilib a tree sees nothing of the secondary arch.
    assert_eq!(
        problems(&request(&["foo.i686"]), &Comps::default(), &packages),
        ["no package matches 'foo.i686'"]
    );
}

const COMPS: &str = r#"<comps>
<group><id>core</id><packagelist><packagereq>a</packagereq><packagereq type="default">b</packagereq>
  <packagereq type="optional">c</packagereq><packagereq type="conditional" requires="b">d</packagereq>
  <packagereq type="conditional" requires="c">e</packagereq><packagereq arch="s390x">f</packagereq>
  <packagereq>gone</packagereq></packagelist></group>
<group><id>more</id><packagelist><packagereq>f</packagereq></packagelist></group>
<environment><id>env</id><grouplist><groupid>core</groupid></grouplist><optionlist><groupid>more</groupid></optionlist></environment>
<environment><id>broken</id><grouplist><groupid>cor</groupid></grouplist></environment>
</comps>"#;

#[test]
fn groups_and_environments() {
    let comps = Comps::parse(COMPS.as_bytes()).unwrap();
    let packages = [
        "a-0:1-1.x86_64",
        "b-0:1-1.x86_64",
        "c-0:1-1.x86_64",
        "d-0:1-1.x86_64",
        "e-0:1-1.x86_64",
        "f-0:1-1.x86_64",
    ];
    for (environment, optional, expected) in
        [(false, false, "abd"), (false, true, "abcde"), (true, false, "abd"), (true, true, "abcdef")]
    {
        let mut request = request(&[]);
        let list = if environment { &mut request.environments } else { &mut request.groups };
        list.push(if environment { "env" } else { "core" }.into());
        request.optional = optional;
        let decision = decide(&request, &comps, &universe(&packages)).unwrap();
        assert_eq!(decision.packages.keys().map(|nevra| nevra.name.as_str()).collect::<String>(), expected);
        assert_eq!(decision.absent_members, BTreeSet::from([("core".into(), "gone".into())]));
        let (d, why) = decision.packages.iter().find(|(nevra, _)| nevra.name == "d").unwrap();
        assert_eq!(why.flags, BTreeSet::from([Flag::Dependency]));
        let flagged =
            decision.packages.iter().filter(|(_, chosen)| chosen.flags.contains(&Flag::Conditional));
        assert_eq!(
            flagged.map(|(nevra, _)| nevra.name.as_str()).collect::<String>(),
            if optional { "bc" } else { "b" }
        );
        assert_eq!(decision.explain(d).len(), 2);
    }
    let mut request = request(&[]);
    request.groups = vec!["kore".into(), "core".into()];
    request.environments = vec!["envy".into(), "broken".into()];
    request.require_members = true;
    assert_eq!(
        problems(&request, &comps, &packages),
        [
            "the comps file has no environment 'envy' (did you mean 'env'?)",
            "the comps file has no group 'cor', which its environment 'broken' lists (did you mean 'core'?)",
            "the comps file has no group 'kore' (did you mean 'core'?)",
            "no source offers 'gone', a member of group 'core'",
        ]
    );
}

#[test]
fn every_requirement_that_nothing_meets_is_listed() {
    let mut request = request(&["a", "b"]);
    request.exclude = vec!["hid*".into()];
    let found = problems(
        &request,
        &Comps::default(),
        &[
            "a-0:1-1.x86_64: ?x; ?y >= 2; ?c",
            "b-0:1-1.x86_64: ?x; ?(p or q); ?(broken",
            "c-0:1-1.x86_64: ?/z; +y = 1",
            "hidden-0:1-1.x86_64: +x",
        ],
    );
    assert_eq!(
        found,
        [
            "a requirement of b-0:1-1.x86_64 cannot be read: '(broken' is not a rich dependency: a closing parenthesis is missing",
            "nothing provides '(p or q)', required by b-0:1-1.x86_64",
            "nothing provides '/z', required by c-0:1-1.x86_64",
            "nothing provides 'x', required by a-0:1-1.x86_64, b-0:1-1.x86_64; excluded: hidden-0:1-1.x86_64",
            "nothing provides 'y >= 2', required by a-0:1-1.x86_64; near: 'y = 1' of c-0:1-1.x86_64",
        ]
    );
}

/// A tree in the small of what Gosling's multilib is about.
const TREE: &[&str] = &[
    "sasl-0:1-1.x86_64: ?libdb(x86-64); /usr/lib64/libsasl2.so.3",
    "sasl-0:1-1.i686: ?libdb(x86-32); /usr/lib/libsasl2.so.3",
    "libdb-0:1-1.x86_64: /usr/lib64/libdb-5.3.so",
    "libdb-0:1-1.i686: /usr/lib/libdb-5.3.so",
    "pam-0:1-1.x86_64: /usr/lib64/security/pam_unix.so",
    "pam-0:1-1.i686: /usr/lib/security/pam_unix.so",
    "glibc-devel-0:1-1.x86_64: ?kernel-headers(x86-64)",
    "glibc-devel-0:1-1.i686: ?kernel-headers(x86-32)",
    "kernel-headers-0:1-1.x86_64: /usr/include/linux/a.h",
    "kernel-headers-0:1-1.i686: /usr/include/linux/a.h",
    "other-0:1-1.i686: /usr/lib/libother.so.1",
];

#[test]
fn multilib_is_closed_over_its_dependencies() {
    let mut request = request(&["sasl", "pam", "glibc-devel"]);
    request.multilib = multilib(Profile::Pungi, &[Method::Devel]);
    let expected = [
        "glibc-devel.i686",
        "glibc-devel.x86_64",
        "kernel-headers.i686",
        "kernel-headers.x86_64",
        "libdb.i686",
        "libdb.x86_64",
        "pam.x86_64",
        "sasl.i686",
        "sasl.x86_64",
    ];
    let decision = selects(&request, TREE, &expected);
    let libdb: Nevra = "libdb-0:1-1.i686".parse().unwrap();
    let chain: Vec<_> =
        decision.explain(&libdb).into_iter().map(|(nevra, why)| format!("{nevra} {why}")).collect();
    assert_eq!(
        chain,
        [
            "libdb-0:1-1.i686 required by sasl-0:1-1.i686: libdb(x86-32)",
            "sasl-0:1-1.i686 multilib twin of sasl-0:1-1.x86_64: devel, a: soname in a library folder: /usr/lib/libsasl2.so.3",
            "sasl-0:1-1.x86_64 named as 'sasl'",
        ]
    );
    let pam = &decision.judged[&"pam-0:1-1.i686".parse().unwrap()];
    assert!(!pam.selected);
    // The twin of a package that came in by dependency is judged too; the one without a native twin is not.
    assert!(decision.judged.contains_key(&libdb) && decision.judged.len() == 5);

    // mash looks at every candidate of the secondary arch.
    request.multilib = multilib(Profile::Mash, &[Method::Devel]);
    let mash = decide(&request, &Comps::default(), &universe(TREE)).unwrap();
    assert!(names(&mash).contains(&"other.i686".into()));

    // Lists of the compose: a blacklisted package is not even seen.
    request.multilib = Some(Multilib {
        whitelist: vec!["pam".into()],
        blacklist: vec!["libdb".into()],
        ..multilib(Profile::Pungi, &[Method::Devel]).unwrap()
    });
    assert_eq!(
        problems(&request, &Comps::default(), TREE),
        ["nothing provides 'libdb(x86-32)', required by sasl-0:1-1.i686; excluded: libdb-0:1-1.i686"]
    );
}

#[test]
fn koji_judges_the_native_package_and_demands_its_twin() {
    let mut request = request(&["gdb", "lib"]);
    request.multilib = multilib(Profile::Koji, &[Method::Devel]);
    let packages = ["gdb-0:1-1.x86_64", "lib-0:1-1.x86_64: /usr/lib64/libx.so.1", "lib-0:1-1.i686"];
    assert_eq!(
        problems(&request, &Comps::default(), &packages),
        ["gdb-0:1-1.x86_64 is to come in the secondary arch as well, but gdb-1-1.i686.rpm is not there"]
    );
    request.packages.remove(0);
    selects(&request, &packages, &["lib.i686", "lib.x86_64"]);
}

#[test]
fn sources_come_along_or_are_missed() {
    let mut request = request(&["a", "b"]);
    request.sources = true;
    let mut c = package("a-0:1-1.x86_64");
    c.source = Some("a-1-1.src.rpm".into());
    let mut d = package("b-0:1-1.x86_64");
    d.source = None;
    let both = Universe::new(vec![c.clone(), d, package("a-3:1-1.src")]).unwrap();
    let SelectError::Problems(found) = decide(&request, &Comps::default(), &both).unwrap_err();
    assert_eq!(
        found,
        [Problem::NoSource { source: None, built: BTreeSet::from(["b-0:1-1.x86_64".parse().unwrap()]) }]
    );
    request.packages.pop();
    let decision = decide(&request, &Comps::default(), &both).unwrap();
    assert_eq!(decision.sources.keys().map(ToString::to_string).collect::<Vec<_>>(), ["a-3:1-1.src"]);
}

#[test]
fn the_order_of_the_candidates_does_not_matter() {
    let mut request = request(&["sasl", "*headers", "glibc-devel"]);
    request.multilib = multilib(Profile::Pungi, &[Method::Devel]);
    let expected = decide(&request, &Comps::default(), &universe(TREE)).unwrap();
    let mut packages = TREE.to_vec();
    let mut random = 12_345u64;
    for _ in 0..50 {
        for at in (1..packages.len()).rev() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            packages.swap(at, (random >> 33) as usize % (at + 1));
        }
        assert_eq!(decide(&request, &Comps::default(), &universe(&packages)).unwrap(), expected);
    }
}

#[test]
fn weak_dependencies_come_where_they_are_wanted_and_can_be_met() {
    let offered: &[&str] = &[
        "a-0:1-1.x86_64: ~b; ~(x and y); ~gone",
        "b-0:1-1.x86_64: ?c",
        "c-0:1-1.x86_64: ~d",
        "d-0:1-1.x86_64",
        "l-0:1-1.x86_64: &(a and d)",
        "m-0:1-1.x86_64: &(a and e)",
        "x-0:1-1.x86_64",
        "y-0:1-1.x86_64: ?z",
    ];
    let weak = |exclude: &[&str]| Request {
        weak: true,
        exclude: exclude.iter().map(|&name| name.into()).collect(),
        ..request(&["a"])
    };
    selects(&request(&["a"]), offered, &["a.x86_64"]);
    // y requires what nobody has, so it stays out; gone is nowhere.
    let all = ["a.x86_64", "b.x86_64", "c.x86_64", "d.x86_64", "l.x86_64", "x.x86_64"];
    let decision = selects(&weak(&[]), offered, &all);
    let why = |name: &str| {
        let found = decision.packages.iter().find(|(nevra, _)| nevra.name == name);
        found.map(|(_, chosen)| chosen.why.to_string()).unwrap()
    };
    assert_eq!(why("b"), "recommended by a-0:1-1.x86_64: b");
    assert_eq!(why("l"), "supplements (a and d)");
    // What b requires is excluded: b is passed over, and with it all that follows from it.
    selects(&weak(&["c"]), offered, &["a.x86_64", "x.x86_64"]);
    // What supplements something unless something else is there stays out where that is; so does what is recommended.
    for (inputs, expected) in [(&["a"][..], &["a", "r", "s"][..]), (&["a", "b"], &["a", "b"])] {
        let request = Request { weak: true, ..request(inputs) };
        let a = "a-0:1-1.x86_64: ~(r unless b)";
        let offered = universe(&[a, "b-0:1-1.x86_64", "r-0:1-1.x86_64", "s-0:1-1.x86_64: &(a unless b)"]);
        let decision = decide(&request, &Comps::default(), &offered).unwrap();
        let names: Vec<_> = decision.packages.keys().map(|nevra| nevra.name.as_str()).collect();
        assert_eq!(names, expected);
    }
}

#[test]
fn what_is_recommended_comes_only_with_all_that_it_requires() {
    for (offered, comes) in [
        // Alternatives count as they are taken: the first that is there.
        (&["b-0:1-1.x86_64: ?(c or d)", "c-0:1-1.x86_64: ?gone", "d-0:1-1.x86_64: ?c"][..], false),
        // Packages that require each other come together, or none of them.
        (&["b-0:1-1.x86_64: ?c", "c-0:1-1.x86_64: ?b"], true),
        (&["b-0:1-1.x86_64: ?(c or d)", "c-0:1-1.x86_64: ?b; ?gone", "d-0:1-1.x86_64"], false),
        (&["b-0:1-1.x86_64: ?(gone or d)", "d-0:1-1.x86_64: ?b"], true),
        (&["b-0:1-1.x86_64: ?(c unless a)", "c-0:1-1.x86_64"], true),
        (&["b-0:1-1.x86_64: ?(c unless b)", "c-0:1-1.x86_64"], false),
    ] {
        let request = Request { weak: true, ..request(&["a"]) };
        let packages: Vec<_> = ["a-0:1-1.x86_64: ~b"].iter().chain(offered).copied().collect();
        let decision = decide(&request, &Comps::default(), &universe(&packages)).unwrap();
        let came = decision.packages.keys().any(|nevra| nevra.name == "b");
        assert_eq!(came, comes, "{offered:?}");
    }
    // A chain as long as somebody likes.
    let mut chain: Vec<_> = (0..3000).map(|at| format!("p{at}-0:1-1.x86_64: ?p{}", at + 1)).collect();
    chain.push("a-0:1-1.x86_64: ~p0".into());
    let chain: Vec<_> = chain.iter().map(String::as_str).collect();
    let request = Request { weak: true, ..request(&["a"]) };
    selects(&request, &chain, &["a.x86_64"]);
}

#[test]
fn what_is_worth_knowing_is_told() {
    let packages = [
        "a-0:1-1.x86_64: ?mta; ?lib >= 3",
        "postfix-0:1-1.x86_64: +mta",
        "exim-0:1-1.x86_64: +mta",
        "lib-0:2-1.x86_64",
        "new-0:1-1.x86_64",
        "old-0:1-1.x86_64",
    ];
    let mut candidates: Vec<Candidate> = packages.iter().map(|text| package(text)).collect();
    candidates[4].obsoletes = vec![Relation::stated("old < 2"), Relation::stated("a > 2")];
    let decision =
        gather(&request(&["a", "new", "old"]), &Comps::default(), &Universe::new(candidates).unwrap());
    let notes: Vec<_> = decision.notes.iter().map(ToString::to_string).collect();
    assert_eq!(
        notes,
        [
            "old-0:1-1.x86_64 is replaced by new-0:1-1.x86_64, which is selected too and obsoletes 'old < 2'",
            "for 'mta', required by a-0:1-1.x86_64, exim-0:1-1.x86_64 was taken (shorter name), not postfix-0:1-1.x86_64",
        ]
    );
    let problems: Vec<_> = decision.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        ["nothing provides 'lib >= 3', required by a-0:1-1.x86_64; near: 'lib = 0:2-1' of lib-0:2-1.x86_64"]
    );
}
