//! Pairs of arches: what is of the secondary arch by the tables of a profile, and which package is a twin.

use super::super::candidate::{Candidate, FileKind, PackagedFile};
use super::super::decision::{Flag, Multilib};
use super::super::multilib::{Method, Profile};
use super::super::relation::Relation;
use super::*;
use crate::base::Digest;
use crate::base::arch::TreeArch;

fn package(nevra: &str) -> Candidate {
    let mut made = Candidate::new(nevra.parse().unwrap(), Digest::of(nevra));
    made.source = Some("src-1-1.src.rpm".into());
    made.provides.push(Relation::any(made.nevra.name.clone()));
    made
}

fn request(tree: &str, profile: Profile, methods: &[Method]) -> Request {
    let mut request = Request::new(TreeArch::find(tree).unwrap());
    let [whitelist, blacklist, patterns] = [const { Vec::new() }; 3];
    let methods = methods.to_vec();
    request.multilib = Some(Multilib { profile, methods, whitelist, blacklist, patterns });
    request
}

/// Selected packages by the flag `multilib`: `NAME.ARCH`, without and with it.
fn answer(request: &Request, candidates: &[Candidate]) -> (String, String) {
    let decision = gather(request, &Comps::default(), &Universe::new(candidates.to_vec()).unwrap());
    assert!(decision.problems.is_empty(), "{:?}", decision.problems);
    let of = |is_multilib: bool| {
        let fits = |flags: &BTreeSet<Flag>| flags.contains(&Flag::Multilib) == is_multilib;
        let found = decision.packages.iter().filter(|(_, chosen)| fits(&chosen.flags));
        found.map(|(nevra, _)| format!("{}.{}", nevra.name, nevra.arch)).collect::<Vec<_>>().join(" ")
    };
    (of(false), of(true))
}

/// Of a library that there is for each of these arches: what is taken natively, and what by the rule.
#[test]
fn pairs_are_those_of_the_profile() {
    let all = |arches: &[&str]| -> Vec<Candidate> {
        let library = |arch: &&str| {
            let mut made = package(&format!("lib-0:1-1.{arch}"));
            let folder = if arch.contains("64") || *arch == "s390x" { "lib64" } else { "lib" };
            made.files.push(PackagedFile(FileKind::File, format!("/usr/{folder}/libx.so.1")));
            made
        };
        arches.iter().map(library).collect()
    };
    for (tree, arches, pungi, mash, koji) in [
        ("x86_64", &["x86_64", "i686", "i586", "s390"][..], "i686", "i586 i686", "i686"),
        ("x86_64", &["x86_64", "i586"], "i586", "i586", "!"),
        ("s390x", &["s390x", "s390", "i686"], "s390", "s390", "s390"),
        ("ppc64", &["ppc64", "ppc"], "ppc", "ppc", "ppc"),
        ("ppc", &["ppc64", "ppc"], "", "ppc64", ""),
        ("ppc", &["ppc64p7", "ppc"], "", "ppc64p7", ""),
        ("aarch64", &["aarch64", "armv7hl"], "", "", ""),
    ] {
        for profile in [Profile::Pungi, Profile::Modern, Profile::Mash, Profile::Koji, Profile::KojiFixed] {
            let expected = match profile {
                Profile::Mash => mash,
                Profile::Koji | Profile::KojiFixed => koji,
                _ => pungi,
            };
            let mut request = request(tree, profile, &[Method::Devel]);
            request.packages = vec![format!("lib.{tree}")];
            let universe = Universe::new(all(arches)).unwrap();
            if expected == "!" {
                let problems = gather(&request, &Comps::default(), &universe).problems;
                let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
                let told = "lib-0:1-1.x86_64 is to come in the secondary arch as well, but lib-1-1.i686.rpm is not there";
                assert_eq!(problems, [told]);
                continue;
            }
            let expected: Vec<_> = expected.split_terminator(' ').map(|arch| format!("lib.{arch}")).collect();
            let (native, secondary) = answer(&request, &all(arches));
            assert_eq!((native, secondary), (format!("lib.{tree}"), expected.join(" ")), "{profile} {tree}");
        }
    }
    // The tree `sparc` is of 64 bits to Pungi, of 32 to mash.
    let arches = ["sparc64", "sparcv9"];
    for (profile, native, secondary) in
        [(Profile::Pungi, "sparc64", "sparcv9"), (Profile::Mash, "sparcv9", "sparc64")]
    {
        let mut request = request("sparc", profile, &[Method::Devel]);
        request.packages = vec!["lib".into()];
        let found = answer(&request, &all(&arches));
        assert_eq!(found, (format!("lib.{native}"), format!("lib.{secondary}")), "{profile}");
        request.packages = vec!["lib.+".into()];
        request.multilib.as_mut().unwrap().methods = vec![Method::None];
        assert_eq!(answer(&request, &all(&arches)).0, format!("lib.{secondary}"), "{profile}");
    }
}

#[test]
fn rules_for_64_bits_fire_where_those_are_secondary() {
    let packages = ["gdb-0:1-1.ppc", "gdb-0:1-1.ppc64", "yaboot-0:1-1.ppc", "bash-0:1-1.ppc64"].map(package);
    let mut request = request("ppc", Profile::Mash, &[Method::Base]);
    request.packages = vec!["gdb".into()];
    assert_eq!(answer(&request, &packages), ("gdb.ppc".into(), "gdb.ppc64".into()));
}

#[test]
fn koji_takes_the_file_whose_name_has_the_other_arch() {
    let named =
        ["gcc-x86_64-linux-gnu-devel-0:1-1.x86_64", "gcc-i686-linux-gnu-devel-0:1-1.i686"].map(package);
    let mut both = named.to_vec();
    both.push(package("gcc-x86_64-linux-gnu-devel-0:1-1.i686"));
    for (profile, packages, expected) in [
        (Profile::Koji, &named[..], "gcc-i686-linux-gnu-devel.i686"),
        (Profile::Koji, &both, "gcc-i686-linux-gnu-devel.i686"),
        (Profile::KojiFixed, &both, "gcc-x86_64-linux-gnu-devel.i686"),
    ] {
        let mut request = request("x86_64", profile, &[Method::Devel]);
        request.packages = vec!["gcc-x86_64-linux-gnu-devel.x86_64".into()];
        let expected = ("gcc-x86_64-linux-gnu-devel.x86_64".to_owned(), expected.to_owned());
        assert_eq!(answer(&request, packages), expected, "{profile}");
    }
}
