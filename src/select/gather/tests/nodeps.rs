//! Pungi's method `nodeps`.

use super::*;
use crate::base::gather;

/// Each row: what is named, and what is taken by Pungi's method `nodeps`.
#[test]
fn without_the_method_deps_only_names_count() {
    let mut all: Vec<Candidate> = [
        "a-0:1-1.x86_64: ?b",
        "a-0:2-1.x86_64: ?b",
        "a-0:2-1.i686",
        "a-0:2-1.i386",
        "a-libs-0:1-1.noarch",
        "b-0:1-1.x86_64",
        "b+-0:1-1.x86_64",
        "bb-0:1-1.x86_64",
        "b.b-0:1-1.x86_64",
        "a-debuginfo-0:1-1.x86_64",
        "z-debuginfo-0:1-1.i586",
        "z-debuginfo-0:1-1.noarch",
    ]
    .map(package)
    .into();
    all.push(Candidate { lookaside: true, ..package("b-0:9-1.x86_64") });
    all.push(package("src-0:1-1.src"));
    let universe = Universe::new(all).unwrap();
    let group = |members: &str| {
        let text = format!("<comps><group><id>g</id><packagelist>{members}</packagelist></group></comps>");
        Comps::parse(text.as_bytes()).unwrap()
    };
    for (named, secondary, expected) in [
        ("a", false, "a-1.x86_64 a-2.x86_64 a-debuginfo-1.x86_64"),
        ("a", true, "a-1.x86_64 a-2.i386 a-2.i686 a-2.x86_64 a-debuginfo-1.x86_64 z-debuginfo-1.i586"),
        ("a.i686", true, "a-2.i686 z-debuginfo-1.i586"),
        ("a*.i686", true, "a-2.i686 a-libs-1.noarch z-debuginfo-1.i586"),
        ("a-libs.x86_64", false, "a-libs-1.noarch"),
        ("b", false, "b-1.x86_64 a-debuginfo-1.x86_64"),
        // As in an expression, `?` says that there may be none of what is before it.
        ("bb?", false, "b-1.x86_64 bb-1.x86_64 a-debuginfo-1.x86_64"),
        ("b+", false, "b+-1.x86_64 a-debuginfo-1.x86_64"),
        ("b.b", false, "b.b-1.x86_64 a-debuginfo-1.x86_64"),
        ("b[.+]*", false, "b+-1.x86_64 b.b-1.x86_64 a-debuginfo-1.x86_64"),
    ] {
        let mut request = request(&[named]);
        (request.method, request.debug, request.sources) = (gather::Method::Nodeps, true, true);
        request.multilib = secondary.then(|| multilib(Profile::Pungi, &[Method::All])).flatten();
        let decision = gather(&request, &Comps::default(), &universe);
        let all = decision.packages.keys().chain(decision.debug.keys());
        let all: Vec<_> =
            all.map(|nevra| format!("{}-{}.{}", nevra.name, nevra.evr.version, nevra.arch)).collect();
        assert_eq!(all.join(" "), expected, "{named}");
        assert_eq!((decision.sources.len(), decision.problems.len()), (1, 0), "{named}");
    }
    // Groups: members of every type, of the tree's own arch.
    let comps = group(
        "<packagereq type='optional'>a</packagereq><packagereq type='conditional' requires='zz'>a-libs</packagereq>\
         <packagereq>gone</packagereq>",
    );
    let mut request = request(&[]);
    (request.method, request.groups) = (gather::Method::Nodeps, vec!["g".into()]);
    request.multilib = multilib(Profile::Pungi, &[Method::All]);
    let decision = gather(&request, &comps, &universe);
    assert_eq!(names(&decision), ["a.x86_64", "a.x86_64", "a-libs.noarch"]);
    assert_eq!(decision.absent_members.len(), 1);
    let needs: Vec<_> = decision.packages.values().map(|chosen| chosen.why.to_string()).collect();
    assert_eq!(needs, ["optional in group g", "optional in group g", "conditional in group g"]);
    // What is no expression names nothing; neither does one that is too large.
    for broken in ["a[", "a{9999}{9999}", "?"] {
        request.packages = vec![broken.into()];
        let decision = gather(&request, &comps, &universe);
        assert_eq!(decision.problems.len(), 1, "{broken}");
    }
}
